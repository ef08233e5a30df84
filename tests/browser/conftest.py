"""Fixtures: a Chromium, a JupyterLab on a copy of the lessons, a page for each test."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from ipywidgets import Widget
from playwright.sync_api import Browser, Error, Page, sync_playwright

from tests.browser.lab import CHROMIUM_OPTIONS, WINDOW, LabPage, LabServer, browser_page
from tests.browser.provide import find_chromium
from tests.browser.still import Still
from tests.warm_kernels import serving

LESSONS = Path(__file__).parents[2] / "lessons"


# Each is one long test: begun last, it would keep everybody waiting.
FIRST = ("test_classroom.py", "test_teacher.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put whole rooms first."""
    items.sort(key=lambda item: item.path.name not in FIRST)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item):
    """After a failure keep a picture of the page, and say where it is."""
    report = yield
    lab = getattr(item, "funcargs", {}).get("lab")
    if report.failed and report.when != "teardown" and lab is not None:
        report.sections.append(("page", _evidence(lab)))
        lab.page.goto("about:blank")  # the next test begins anew
    return report


# Playwright keeps an event loop running in this thread, in which other tests could
# start none; so it lives as long as the tests of this folder, not the session.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """A headless Chromium."""
    path = find_chromium()
    if path is None:
        pytest.fail("No Chromium found; run `python -m tests.browser.provide` once.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_OPTIONS)
        yield browser
        browser.close()


@pytest.fixture
def still(browser: Browser, widget: Widget) -> Iterator[Still]:
    """A test file's ``widget``, drawn without a kernel; the page has nothing to complain of."""
    with browser_page(browser) as page:
        still = Still(page, widget)
        yield still
        assert still.problems == []


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    """JupyterLab on a copy of the lessons; tests may add notebooks to its folder."""
    folder = tmp_path_factory.mktemp("lab") / "lessons"
    _copy_lessons(folder)
    with serving() as variables, LabServer(folder, variables=variables) as server:
        yield server


@pytest.fixture(scope="package")
def window(browser: Browser) -> Iterator[Page]:
    """The page in which JupyterLab is open, for one test after the other."""
    with browser_page(browser) as page:
        yield page


@pytest.fixture
def lab(window: Page, server: LabServer, tmp_path: Path) -> Iterator[LabPage]:
    """JupyterLab with nothing open, and fresh lessons; a screenshot of what failed."""
    # JupyterLab saves what is open every two minutes: also the lesson of the test before.
    _copy_lessons(server.folder)
    window.set_viewport_size(WINDOW)
    lab = LabPage(window, server, evidence=tmp_path, stays=True)
    yield lab
    lab.leave()
    server.end_sessions()


def _copy_lessons(folder: Path) -> None:
    ignored = shutil.ignore_patterns(".ipynb_checkpoints")
    shutil.copytree(LESSONS, folder, ignore=ignored, dirs_exist_ok=True)


def _evidence(lab: LabPage) -> str:
    """Where the screenshot is, and what went wrong in the page."""
    try:
        lines = [f"screenshot: {lab.screenshot(lab.evidence / 'failure.png')}"]
    except Error as error:  # a page that hangs
        lines = [f"no screenshot: {error}"]
    return "\n".join([*lines, *(f"error in the page: {text}" for text in lab.problems)])
