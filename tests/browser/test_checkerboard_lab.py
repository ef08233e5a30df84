"""CheckerboardLab in JupyterLab: chosen by keyboard, trained, paused, chosen anew."""

import time

import pytest

from tests.browser.lab import LabPage, wait_until

pytestmark = pytest.mark.browser

MAKE = """\
from srlab.widgets.checkerboard_lab import CheckerboardLab
lab = CheckerboardLab()
lab"""
NUMBERS = ".srlab-checkerboard-lab .srlab-numbers"
PICTURES = ("network", "truth", "added", "network-spectrum", "truth-spectrum", "card", "curve")


def test_a_person_looks_for_the_grid(lab: LabPage):
    lab.write("checkerboard.ipynb", MAKE)
    lab.open("checkerboard.ipynb")
    lab.run_all(timeout=180)
    every_picture_is_a_whole_png(lab)
    icnr_by_keyboard_takes_the_grid_away(lab)
    start_trains_and_the_loss_can_change(lab)
    pause_freezes_it(lab)
    another_init_starts_over(lab)
    an_upsampler_without_shuffle_disables_init(lab)
    reset_gives_step_0(lab)
    assert lab.problems == []


def number(lab: LabPage, name: str) -> float:
    return float(lab.status(NUMBERS)[f"data-{name}"])


def picture(lab: LabPage, name: str) -> str:
    return lab.picture_hash(f".srlab-checkerboard-lab .srlab-{name}")


def terms(lab: LabPage) -> str:
    """What the last step of the training added up."""
    return lab.ask("print(*sorted(lab.bench.step.terms))")


def every_picture_is_a_whole_png(lab: LabPage):
    assert lab.page.locator(".jupyter-widgets-error-widget").count() == 0
    assert lab.page.locator(".jupyter-widgets img:not([alt])").count() == 0
    for name in PICTURES:
        css = f".srlab-checkerboard-lab .srlab-{name}"
        assert lab.picture(css).startswith(b"\x89PNG"), "a JPEG draws a grid of its own"
        widths = lab.find(f"{css} img").evaluate(
            "image => [image.clientWidth, image.naturalWidth]"
        )
        assert widths[0] == widths[1], "a shrunk grid is another grid"


def icnr_by_keyboard_takes_the_grid_away(lab: LabPage):
    assert lab.status(NUMBERS)["data-init"] == "random"
    assert number(lab, "energy") > 1e-5
    random = number(lab, "measure")
    lab.choose(".srlab-init", "ArrowDown")
    lab.wait_for_status(NUMBERS, "data-init", "icnr")
    assert number(lab, "energy") < 1e-12
    assert number(lab, "measure") < 0.1 < 10 < random
    lab.choose(".srlab-init", "ArrowUp")
    lab.wait_for_status(NUMBERS, "data-init", "random")
    assert number(lab, "measure") == random


def start_trains_and_the_loss_can_change(lab: LabPage):
    before = {name: picture(lab, name) for name in ("network", "network-spectrum", "truth")}
    lab.click(".srlab-checkerboard-lab .srlab-start")
    lab.wait_for_status(NUMBERS, "data-state", "running")
    wait_until(lambda: number(lab, "step") > 3, what="three steps", timeout=60)
    for name in ("network", "network-spectrum"):
        assert picture(lab, name) != before[name]
    assert picture(lab, "truth") == before["truth"]
    assert terms(lab) == "pixel"
    lab.choose(".srlab-loss", "ArrowDown")
    lab.wait_for_status(NUMBERS, "data-loss", "content", timeout=60)
    wait_until(lambda: terms(lab) == "content pixel", what="a step with the content loss")
    assert number(lab, "energy") > 0
    steps = number(lab, "step")
    wait_until(lambda: number(lab, "step") > steps > 3, what="it to go on", timeout=60)
    assert lab.status(NUMBERS)["data-state"] == "running"


def pause_freezes_it(lab: LabPage):
    lab.click(".srlab-checkerboard-lab .srlab-pause")
    lab.wait_for_status(NUMBERS, "data-state", "paused")
    frozen = number(lab, "step"), picture(lab, "network")
    time.sleep(1)
    assert (number(lab, "step"), picture(lab, "network")) == frozen
    assert lab.ask("print(lab.reading.step)") == f"{frozen[0]:.0f}"


def another_init_starts_over(lab: LabPage):
    lab.click(".srlab-checkerboard-lab .srlab-start")
    lab.wait_for_status(NUMBERS, "data-state", "running")
    lab.choose(".srlab-init", "ArrowDown")
    lab.wait_for_status(NUMBERS, "data-init", "icnr")
    lab.wait_for_status(NUMBERS, "data-state", "ready")
    assert number(lab, "step") == 0
    assert number(lab, "energy") < 1e-12
    assert lab.ask("print(f'{lab.reading.energy:.6g}')") == lab.status(NUMBERS)["data-energy"]


def an_upsampler_without_shuffle_disables_init(lab: LabPage):
    lab.choose(".srlab-upsampler", "ArrowDown")
    lab.wait_for_status(NUMBERS, "data-upsampler", "resize")
    select = lab.page.locator(".srlab-init select")
    wait_until(select.is_disabled, what="the menu of init to be disabled")
    assert "init is disabled" in lab.page.locator(".srlab-note").inner_text()
    lab.choose(".srlab-upsampler", "ArrowUp")
    wait_until(select.is_enabled, what="the menu of init to be enabled")


def reset_gives_step_0(lab: LabPage):
    lab.ask("lab.run_steps(1)")
    lab.wait_for_status(NUMBERS, "data-step", "1")
    lab.click(".srlab-checkerboard-lab .srlab-reset")
    lab.wait_for_status(NUMBERS, "data-step", "0")
    lab.wait_for_status(NUMBERS, "data-state", "ready")
