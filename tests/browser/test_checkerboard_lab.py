"""CheckerboardLab: its view without a kernel, and a person with it in JupyterLab."""

import time

import pytest

from srlab.widgets.checkerboard_lab import CheckerboardLab
from tests.browser.lab import LabPage, wait_until
from tests.browser.still import Still

pytestmark = pytest.mark.browser

MAKE = """\
from srlab.widgets.checkerboard_lab import CheckerboardLab
lab = CheckerboardLab()
lab"""
STATUS = ".srlab-checkerboard .status"
INIT = ".srlab [data-name=init] input"


# Without a kernel


@pytest.fixture
def widget() -> CheckerboardLab:
    return CheckerboardLab()


def test_each_control_moves_its_trait(still: Still):
    still.control("init").press("ArrowRight")
    still.control("scale").press("ArrowLeft")
    for name, value in (
        ("upsampler", "resize"), ("loss", "content"), ("photograph", "coffee-cup"),
    ):  # fmt: skip
        still.menu(name, value)
    assert still.set == {
        "init": "icnr", "scale": 2, "upsampler": "resize", "loss": "content",
        "photograph": "coffee-cup",
    }  # fmt: skip


def test_pixels_are_whole(still: Still):
    still.resize(1400)
    boxes = [each.bounding_box() for each in still.page.locator(".stage .frame").all()]
    assert {box["width"] % 52 for box in boxes} == {0}, "a shrunk grid is another grid"
    assert len({box["y"] for box in boxes}) == 1, "four side by side"


def test_buttons_press(still: Still):
    still.page.get_by_role("button", name="Start").click()
    still.receive(state="running")
    still.page.get_by_role("button", name="Pause").click()
    still.page.get_by_role("button", name="Reset").click()
    assert [sent["press"] for sent in still.sent] == ["start", "pause", "reset"]


def test_init_is_pixelshuffles_alone(still: Still):
    still.receive(upsampler="resize")
    assert still.page.locator("[data-name=init] input").first.is_disabled()
    assert "init is off" in still.page.locator(".note").inner_text()


def test_step_0_is_explained_and_later_not(still: Still):
    assert "Step 0 is bicubic" in still.page.locator(".note").inner_text()
    still.receive(step=1)
    assert "Step 0 is" not in still.page.locator(".note").inner_text()


def test_a_circle_stands_at_each_multiple(still: Still):
    circles = still.page.locator("[data-name=network_spectrum] circle.peak")
    for scale, count in ((4, 24), (2, 8), (8, 80)):
        still.receive(scale=scale)
        assert circles.count() == count


# In JupyterLab


def test_a_person_looks_for_the_grid(lab: LabPage):
    lab.write("checkerboard.ipynb", MAKE)
    lab.open("checkerboard.ipynb")
    lab.run_all(timeout=180)
    icnr_by_keyboard_takes_the_grid_away(lab)
    start_trains_and_the_loss_can_change(lab)
    pause_freezes_it(lab)
    reset_gives_step_0(lab)
    assert lab.problems == []


def number(lab: LabPage, name: str) -> float:
    return float(lab.status(STATUS)[f"data-{name}"])


def icnr_by_keyboard_takes_the_grid_away(lab: LabPage):
    cells = len(lab.cells())
    random = number(lab, "measure")
    assert number(lab, "energy") > 1e-5
    lab.page.locator(f"{INIT}:checked").press("ArrowRight")
    wait_until(lambda: number(lab, "energy") < 1e-12, what="the grid to go")
    assert number(lab, "measure") < 0.1 < 10 < random
    assert lab.ask("print(lab.init, lab.bench.setting.init)") == "icnr icnr"
    lab.page.locator(f"{INIT}:checked").press("ArrowLeft")
    wait_until(lambda: number(lab, "measure") == random, what="the grid again")
    assert len(lab.cells()) == cells, "no key reached JupyterLab"


def start_trains_and_the_loss_can_change(lab: LabPage):
    before = lab.picture_hash(".srlab [data-name=network] .plane")
    lab.click(".srlab [data-name=start]")
    lab.wait_for_status(STATUS, "data-state", "running")
    wait_until(lambda: number(lab, "step") > 3, what="three steps", timeout=60)
    assert lab.picture_hash(".srlab [data-name=network] .plane") != before
    lab.page.locator(".srlab [data-name=loss] select").select_option("content")
    wait_until(
        lambda: lab.ask("print(*sorted(lab.bench.step.terms))") == "content pixel",
        what="a step with the content loss",
    )
    assert lab.status(STATUS)["data-state"] == "running"


def pause_freezes_it(lab: LabPage):
    lab.click(".srlab [data-name=pause]")
    lab.wait_for_status(STATUS, "data-state", "paused")
    frozen = number(lab, "step")
    time.sleep(1)
    assert number(lab, "step") == frozen
    assert lab.ask("print(lab.reading.step, lab.step)") == f"{frozen:.0f} {frozen:.0f}"


def reset_gives_step_0(lab: LabPage):
    lab.click(".srlab [data-name=reset]")
    lab.wait_for_status(STATUS, "data-step", "0")
    lab.wait_for_status(STATUS, "data-state", "ready")
