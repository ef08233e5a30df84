"""The Loss Lab as a page, served by ``srlab app``: the same keys as in JupyterLab."""

import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.axe import grave_violations_on
from tests.browser.lab import LabPage, LabServer, browser_page, wait_until
from tests.browser.test_loss_lab import (
    LAB,
    STATUS,
    a_fork_and_a_snapshot,
    a_number_is_typed,
    a_preset_is_chosen_and_an_own_one_saved,
    a_slider_moves_the_running_training,
    shares,
    shares_are_balanced,
    start_trains,
    wait_for_weight,
)

pytestmark = pytest.mark.browser


class AppServer(LabServer):
    """``srlab app`` on a copy of the course."""

    alive = "voila/static/voila.js"  # the page itself would start a kernel
    code = "from srlab.cli import main; sys.argv[0] = 'srlab'; main()"

    def options(self) -> list[str]:
        own = ["--no-browser", f"--port={self.port}", "--Voila.port_retries=0"]
        return ["app", str(self.folder), *own, f"--token={self.token}"]


class AppPage(LabPage):
    """The lab without JupyterLab around it."""

    kernel_answers = False


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppServer]:
    folder = tmp_path_factory.mktemp("app") / "lessons"
    folder.mkdir()
    with AppServer(folder) as server:
        yield server


@pytest.fixture
def lab(browser: Browser, app: AppServer, tmp_path: Path) -> Iterator[AppPage]:
    with browser_page(browser) as page:
        yield AppPage(page, app, evidence=tmp_path)


def status_code(url: str) -> int:
    """What the server answers, after redirections."""
    try:
        return urllib.request.urlopen(url, timeout=30).status
    except urllib.error.HTTPError as error:
        return error.code


def a_heavy_tv_flattens_the_picture(lab: LabPage) -> None:
    """The running training follows: what is measured on the watched picture, not a loss."""
    sharpness = lab.page.locator(f"{LAB} [data-name=measures] tr", has_text="sharpness").first

    def now() -> float:
        return float(sharpness.locator("td").nth(1).inner_text())

    before = now()
    for name, value in (("tv", 100), ("learning_rate", 0.001)):
        exact = lab.find(f"{LAB} [data-name=a_{name}] .exact")
        exact.fill(str(value))
        exact.press("Enter")
        wait_for_weight(lab, name, value)
    assert before > 0.2
    wait_until(lambda: now() < 0.1, timeout=180, what=lambda: f"a flat picture, not {now()}")


def test_a_person_works_the_page_by_keyboard_alone(lab: AppPage, app: AppServer) -> None:
    asked: list[str] = []
    lab.page.on("request", lambda request: asked.append(request.url))
    lab.page.goto(app.url(""), timeout=120_000)  # its kernel starts first
    lab.page.wait_for_selector(STATUS, timeout=120_000)
    assert lab.page.title() == "The Loss Lab"
    assert lab.page.locator(".jp-InputArea .cm-editor, .jp-CodeMirrorEditor").count() == 0
    start_trains(lab)
    a_slider_moves_the_running_training(lab)
    a_number_is_typed(lab)
    a_fork_and_a_snapshot(lab)
    before = shares(lab)
    shares_are_balanced(lab)
    assert shares(lab) != before
    a_preset_is_chosen_and_an_own_one_saved(lab)
    a_heavy_tv_flattens_the_picture(lab)
    found = grave_violations_on(lab.page, LAB)
    assert not found, "\n".join(map(str, found))
    assert lab.problems == []
    own = f"http://127.0.0.1:{app.port}/"
    assert [url[:90] for url in asked if not url.startswith((own, "data:", "blob:"))] == []


def test_nobody_comes_in_without_the_token(app: AppServer) -> None:
    here = f"http://127.0.0.1:{app.port}/"
    kernel = "api/kernels/00000000-0000-0000-0000-000000000000"
    assert status_code(f"{here}{kernel}") == status_code(f"{here}{kernel}/channels") == 403
    page = urllib.request.urlopen(here, timeout=30)
    assert "/login" in page.url
    assert "srlab" not in page.read().decode()
    assert status_code(f"{here}{kernel}?token={'0' * 32}") == 403


def test_other_machines_cannot_reach_it(app: AppServer) -> None:
    assert app.listening() == {"127.0.0.1"}
