"""The same labs elsewhere than in JupyterLab: in Notebook 7, Voila and marimo."""

import importlib.util
import json
import textwrap
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page

from srlab.widgets.quiz import Quiz
from tests.browser.axe import grave_violations_on
from tests.browser.lab import (
    WAIT_UNTIL_READY,
    LabPage,
    LabServer,
    browser_page,
    wait_until,
    write_notebook,
)
from tests.browser.still import Still

pytestmark = pytest.mark.browser

LABS = {
    "metric": "from srlab.widgets.metric_lab import MetricLab\nMetricLab()",
    "loss": """\
from srlab.runcard import ModelSpec
from srlab.widgets.loss_lab.card import lab_card
from srlab.widgets.loss_lab import LossLab
small = ModelSpec(num_features=4, num_blocks=1)
LossLab(lab_card(model=small, start="untrained", hr_size=32, batch_size=1))""",
}
MARIMO_NOTEBOOK = """\
import marimo

app = marimo.App(width="full")


@app.cell
def _():
"""
WIDE, NARROW = 1400, 390
BACKGROUND = "element => getComputedStyle(element).backgroundColor"
OVERFLOW = "element => element.scrollWidth - element.clientWidth"


class NotebookServer(LabServer):
    """Notebook 7."""

    code = "from notebook.app import main; main(sys.argv[1:])"
    # It says so of itself, of a notebook without a lab too.
    own_errors: tuple[str, ...] = ("reading 'schema'",)

    def write(self, name: str, code: str) -> None:
        """A notebook of this one cell."""
        write_notebook(self.folder / f"{name}.ipynb", code)

    def show(self, page: Page, name: str) -> None:
        """Open it, and run it if it does not run by itself."""
        page.goto(self.url(f"notebooks/{name}.ipynb"))
        ready = f"({WAIT_UNTIL_READY})({json.dumps(f'{name}.ipynb')}).then(() => true)"
        page.wait_for_function(ready)
        LabPage(page, self).run_all()


class VoilaServer(NotebookServer):
    """Voila, for any notebook; ``srlab app`` is in test_app.py."""

    alive = "voila/static/voila.js"
    code = "from voila.app import main; main()"
    own_errors = (
        "ERR_NAME_NOT_RESOLVED",
        "ERR_INTERNET_DISCONNECTED",
    )  # its icons' style sheet

    def options(self) -> list[str]:
        own = ["--no-browser", f"--port={self.port}", "--Voila.port_retries=0"]
        return [str(self.folder), *own, f"--token={self.token}"]

    def show(self, page: Page, name: str) -> None:
        page.goto(self.url(f"voila/render/{name}.ipynb"), timeout=120_000)


class MarimoServer(NotebookServer):
    """marimo, whose notebooks are Python files, and whose outputs are in shadow roots."""

    alive = "health"
    code = "from marimo._cli.cli import main; sys.argv[0] = 'marimo'; main()"
    own_errors = ()

    def options(self) -> list[str]:
        files = [str(path) for path in sorted(self.folder.glob("*.py"))]
        return ["run", *files, "--headless", f"--port={self.port}", "--no-token"]

    def write(self, name: str, code: str) -> None:
        text = MARIMO_NOTEBOOK + textwrap.indent(code, "    ")
        (self.folder / f"{name}.py").write_text(text)

    def show(self, page: Page, name: str) -> None:
        page.goto(f"http://127.0.0.1:{self.port}/?file={name}.py")


HOSTS = {"notebook": NotebookServer, "voila": VoilaServer, "marimo": MarimoServer}


@pytest.fixture(scope="module", params=HOSTS)
def host(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[NotebookServer]:
    """A host with a notebook for each lab; skipped where it is not installed."""
    if importlib.util.find_spec(request.param) is None:
        pytest.skip(f"{request.param} is not installed; it is one of the test dependencies.")
    server = HOSTS[request.param](tmp_path_factory.mktemp(request.param))
    for name, code in LABS.items():
        server.write(name, code)
    with server:
        yield server


class Shown:
    """A lab alone on a page of ``host``, and what the page complained of."""

    def __init__(self, page: Page, host: NotebookServer, name: str):
        self.page, self.host, self.name = page, host, name
        self.problems: list[str] = []
        page.set_default_timeout(120_000)
        page.on("pageerror", lambda error: self._note(f"{error}"))
        page.on("console", self._note_error)
        host.show(page, name)
        self.find(".lab").wait_for()

    def find(self, css: str) -> Locator:
        return self.page.locator(f".srlab-{self.name} {css}").first

    def must_fit(self, width: int) -> None:
        """In a window as wide, nothing is beyond its right edge, or grave to axe."""
        self.page.set_viewport_size({"width": width, "height": 900})
        lab = self.page.locator(f".srlab-{self.name}")
        wait_until(lambda: lab.evaluate(OVERFLOW) == 0, what=f"it to fit {width} px")
        assert self.violations() == [], width

    def violations(self) -> list[str]:
        """axe's, of the lab; the host's own are its own."""
        found = grave_violations_on(self.page)
        return [f"{one}" for one in found if "srlab" in f"{one}" or "lit$" in f"{one}"]

    def _note_error(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self._note(message.text)

    def _note(self, text: str) -> None:
        if not any(words in text for words in self.host.own_errors):
            self.problems.append(text)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with browser_page(browser, height=900) as page:
        yield page


def test_a_key_changes_what_python_answers(page: Page, host: NotebookServer):
    shown = Shown(page, host, "metric")
    figures = shown.find(".figures")
    for width in (WIDE, NARROW):
        shown.must_fit(width)
        before = figures.get_attribute("data-shave")
        shown.find("[data-name=shave] input[type=range]").press("ArrowRight")
        wait_until(lambda b=before: figures.get_attribute("data-shave") != b, what="an answer")
        assert shown.find(".stage img").evaluate("image => image.naturalWidth") > 100
    assert shown.problems == []


def test_a_weight_is_moved_while_it_trains(page: Page, host: NotebookServer):
    shown = Shown(page, host, "loss")
    status = shown.find(".status")
    weight = shown.find("[data-name=ledger] tbody tr:nth-child(2) [data-key=weight]")
    shown.find("[data-name=start]").press("Enter")
    wait_until(lambda: int(status.get_attribute("data-step") or 0) > 2, what="three steps")
    for width in (WIDE, NARROW):
        shown.must_fit(width)
        before = weight.text_content()
        shown.find("[data-name=a_content] input[type=range]").press("ArrowRight")
        wait_until(lambda b=before: weight.text_content() != b, what="another weight")
    shown.find("[data-name=pause]").click()
    wait_until(lambda: status.get_attribute("data-state") == "paused", what="a pause")
    assert shown.problems == []


@pytest.mark.parametrize(
    ("mark", "dark"),
    [
        ("document.documentElement.style.colorScheme = 'dark'", True),  # marimo
        ("document.documentElement.style.colorScheme = 'light'", False),
        ("document.body.dataset.jpThemeLight = 'false'", True),  # JupyterLab, Voila
        ("document.body.className = 'vscode-dark'", True),
        ("document.documentElement.setAttribute('theme', 'dark')", True),  # Colab
    ],
    ids=["dark page", "light page", "Jupyter", "VS Code", "Colab"],
)
def test_a_lab_is_as_dark_as_the_page_around_it(browser: Browser, mark: str, dark: bool):
    with browser_page(browser) as page:
        still = Still(page, Quiz("00"))
        page.evaluate(f"() => {{ {mark} }}")
        paper = page.locator(".srlab").evaluate(BACKGROUND)
        assert (paper != "rgb(255, 255, 255)") is dark
        assert still.problems == []
