"""No serious violation of accessibility in the lessons' outputs and in the widgets.

One JupyterLab and one page for all of it. What axe-core cannot see, such as
whether the words make sense, is tested beside each widget.
"""

import secrets
from collections.abc import Iterator

import nbformat
import pytest
from playwright.sync_api import Browser, Locator

from tests.browser.axe import OUTPUTS, Violation, grave_violations
from tests.browser.conftest import LESSONS
from tests.browser.lab import LabPage, LabServer, browser_page, wait_until

pytestmark = pytest.mark.browser

NOTEBOOKS = sorted(path.name for path in LESSONS.glob("*.ipynb"))

SETUP = """\
import os
os.environ["SRLAB_PRECISION"] = "fp32"  # spares a trial run
import torch
from srlab.data import get_data
from srlab.data import embedded_photo
from srlab.unet import UNet
data = get_data(2, (12, 48))"""

WIDGETS = {
    "TrainingLab": """\
from srlab.widgets.training_lab import TrainingLab
training = TrainingLab(data=data)
training.run_steps(1)
training.snapshot()
training""",
    "LossLab": """\
from srlab.widgets.loss_lab import LossLab
LossLab()""",
    "FeatureExplorer, one picture": """\
from srlab.widgets.feature_explorer import FeatureExplorer
pictures = {"mine": embedded_photo("coffee-cup")[..., :64, :64]}
FeatureExplorer(pictures=pictures)""",
    "FeatureExplorer, a pair": """\
explorer = FeatureExplorer(pictures=pictures)
explorer.choose(mode="pair")
explorer""",
    "ResidualDial": """\
from srlab.widgets.residual_dial import ResidualDial
dial = ResidualDial(data, num_features=8)
dial.choose(depth=2)
dial.run_steps(1)
dial""",
    "CheckerboardLab": """\
from srlab.widgets.checkerboard_lab import CheckerboardLab
CheckerboardLab()""",
    "MetricLab": """\
from srlab.widgets.metric_lab import MetricLab
MetricLab()""",
    "Compare": """\
from srlab.widgets.compare import compare
compare({"dark": torch.zeros(1, 3, 32, 32), "bright": torch.ones(1, 3, 32, 32)})""",
    "SkipExplorer": """\
from srlab.widgets.skip_explorer import SkipExplorer
skips = SkipExplorer(UNet(2, num_features=4))
skips.set("skip 1", 0)
skips""",
    "PhotoDesk": """\
from srlab.widgets.photo_desk import PhotoDesk
PhotoDesk("pixel-x2")""",
    "ClassBoard": """\
from srlab.files import ASSETS
from srlab.widgets.class_board import ClassBoard
ClassBoard(sorted((ASSETS / "cards").glob("*.json")))""",
}

BAD = """\
from IPython.display import HTML, Image, display
import io
import PIL.Image
HTML('<button></button><p style="color: #ccc; background: #fff">hardly to be read</p>')"""
NAMELESS = """\
file = io.BytesIO()
PIL.Image.new("RGB", (9, 9)).save(file, "PNG")
display(Image(file.getvalue(), format="png"))"""
NAMED = """\
display(Image(file.getvalue(), format="png", alt="a black square"))"""

EXCEPTIONS: dict[tuple[str, str], str] = {}
"""(widget, rule) -> why it is left as it is."""

# As JupyterLab's own file browser opens a notebook; the page stays the same.
OPEN = """async (path) => {
    const app = window.jupyterapp;
    const panel = await app.commands.execute('docmanager:open', {path, factory: 'Notebook'});
    await panel.context.ready;
    await panel.revealed;
    app.shell.activateById(panel.id);
}"""
CLOSE = """async (path) => {
    const panels = Array.from(window.jupyterapp.shell.widgets('main'));
    const panel = panels.find(panel => panel.context?.path === path);
    await panel.sessionContext.shutdown();
    panel.dispose();
}"""
CONTROLS = "button, select, input, .noUi-handle"
# What is wrong with where a control is: its middle must be seen and not be covered.
ON_TOP = """(control) => {
    const box = control.getBoundingClientRect();
    const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
    const name = control.getAttribute('aria-label') || control.textContent || control.outerHTML;
    if (x < 0 || y < 0 || x > innerWidth || y > innerHeight) return `${name} is out of sight`;
    const top = document.elementFromPoint(x, y);
    const own = top && (control.contains(top)
        || control.labels?.[0]?.contains(top));
    return own ? '' : `${name} is covered by ${top?.outerHTML.slice(0, 200)}`;
}"""
OPENED = f".jp-NotebookPanel:not(.lm-mod-hidden) {OUTPUTS}-output"


@pytest.fixture(scope="module")
def lab(
    browser: Browser, server: LabServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LabPage]:
    """One page for all tests of this file."""
    with browser_page(browser) as page:
        lab = LabPage(page, server, tmp_path_factory.mktemp("page"), stays=True)
        page.goto(server.url(f"lab/workspaces/{secrets.token_hex(4)}"))
        page.wait_for_function("window.jupyterapp?.restored.then(() => true)")
        yield lab
    server.end_sessions()


def output(number: int) -> str:
    """The outputs of one cell, by its number from 0."""
    return f'.jp-CodeCell[data-windowed-list-index="{number}"] {OUTPUTS}'


def told(violations: list[Violation]) -> str:
    return "\n".join(map(str, violations))


# The lessons as they are stored ---------------------------------------------------------


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_stored_outputs(lab: LabPage, notebook: str):
    stored = nbformat.read(lab.server.folder / notebook, 4)
    # Without texts and sources, which take the page most of the time.
    stored.cells = [cell for cell in stored.cells if cell.get("outputs")]
    for cell in stored.cells:
        cell.source = ""
    outputs = sum(len(cell.outputs) for cell in stored.cells)
    assert outputs, f"{notebook} has no outputs; run make lessons"
    nbformat.write(stored, lab.server.folder / notebook)
    lab.page.evaluate(OPEN, notebook)
    try:
        # Cells are drawn one after the other, when the browser has time.
        drawn = lab.page.locator(OPENED)
        wait_until(
            lambda: drawn.count() == outputs,
            timeout=60,
            what=lambda: f"{outputs} outputs to be drawn, of which are {drawn.count()}",
        )
        assert not (found := grave_violations(lab)), told(found)
    finally:
        lab.page.evaluate(CLOSE, notebook)


# The widgets alive ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def widgets(lab: LabPage) -> LabPage:
    """Every widget in one notebook, run."""
    lab.write("widgets.ipynb", SETUP, *WIDGETS.values())
    lab.open("widgets.ipynb")
    lab.run_all(timeout=300)
    return lab


@pytest.mark.parametrize("name", WIDGETS)
def test_live_widget(widgets: LabPage, name: str):
    cell = output(1 + list(WIDGETS).index(name))
    widgets.page.locator(f"{cell}-output").first.scroll_into_view_if_needed()
    excused = {rule for widget, rule in EXCEPTIONS if widget == name}
    if "aria-input-field-name" not in excused:
        unnamed = widgets.page.locator(f"{cell} .noUi-handle:not([aria-label])")
        wait_until(lambda: unnamed.count() == 0, what=f"the sliders of {name} to have names")
    found = grave_violations(widgets, cell)
    assert not (left := [v for v in found if v.rule not in excused]), told(left)
    assert excused <= {v.rule for v in found}, "an exception that nothing needs any more"


@pytest.fixture
def zoomed(widgets: LabPage) -> Iterator[LabPage]:
    """As a window of 1280 x 900 px looks at 200 %, with the side bar closed."""
    before = widgets.page.viewport_size
    assert before is not None
    widgets.page.set_viewport_size({"width": 640, "height": 450})
    widgets.page.evaluate("() => window.jupyterapp.shell.collapseLeft()")
    yield widgets
    widgets.page.set_viewport_size(before)


@pytest.mark.parametrize("name", WIDGETS)
def test_every_control_can_be_reached_at_200_percent(zoomed: LabPage, name: str):
    cell = output(1 + list(WIDGETS).index(name))
    zoomed.page.locator(f"{cell}-output").first.scroll_into_view_if_needed()
    controls = zoomed.page.locator(f"{cell} :is({CONTROLS}) >> visible=true")
    assert controls.count()
    for control in controls.all():

        def in_the_way(control: Locator = control) -> str:
            control.scroll_into_view_if_needed()
            return str(control.evaluate(ON_TOP))

        # A picture that is decoded late moves what stands below it.
        wait_until(lambda: not in_the_way(), timeout=20, what=lambda: f"{name}: {in_the_way()}")


def test_sliders_say_what_they_are_and_where(widgets: LabPage):
    """For those who hear the page; a logarithmic slider would say the power of ten."""
    cell = output(1 + list(WIDGETS).index("SkipExplorer"))
    handles = widgets.page.locator(f"{cell} input[type=range] >> visible=true")
    names = [handle.get_attribute("aria-label") for handle in handles.all()]
    assert names == ["skip 1", "skip 2"]
    values = [handle.get_attribute("aria-valuetext") for handle in handles.all()]
    assert values == ["off", "1"]


# What these tests would find ----------------------------------------------------------------


def test_violations_are_found(lab: LabPage):
    lab.write("bad.ipynb", BAD, NAMELESS, NAMED)
    lab.open("bad.ipynb")
    lab.run_all()
    found = {violation.rule: violation for violation in grave_violations(lab, output(0))}
    assert sorted(found) == ["button-name", "color-contrast"]
    assert "Buttons must have discernible text; at " in str(found["button-name"])
    assert "<button></button>" in str(found["button-name"])
    assert lab.page.locator(found["button-name"].selector).count() == 1


def test_jupyterlab_tells_a_pictures_words_if_it_has_some(lab: LabPage):
    assert lab.page.evaluate("jupyterapp.shell.currentWidget.context.path") == "bad.ipynb"
    assert [violation.rule for violation in grave_violations(lab, output(1))] == ["image-alt"]
    assert grave_violations(lab, output(2)) == []
    assert lab.page.locator(f"{output(2)} img").get_attribute("alt") == "a black square"
