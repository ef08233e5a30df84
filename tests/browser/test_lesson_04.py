"""Lesson 04 in JupyterLab: take the grid away, train, change the loss, stop."""

import time

import pytest

from tests.browser.lab import LabPage, wait_until

pytestmark = pytest.mark.browser

LESSON = "04_pixelshuffle_icnr.ipynb"
LAB = ".srlab-checkerboard-lab"
NUMBERS, NETWORK = f"{LAB} .srlab-numbers", f"{LAB} .srlab-network"


def test_a_person_takes_the_grid_away_and_trains(lab: LabPage):
    lab.open(LESSON)
    lab.run_all(timeout=300)  # takes most of the time, so what follows shares it
    the_widget_is_shown_as_the_lesson_left_it(lab)
    icnr_takes_the_grid_away(lab)
    the_loss_is_switched_while_it_runs(lab)
    pause_freezes_it(lab)
    assert lab.problems == []


def number(lab: LabPage, name: str) -> float:
    return float(lab.status(NUMBERS)[f"data-{name}"])


def terms(lab: LabPage) -> str:
    """What the last step of the training added up."""
    return lab.ask("print(*sorted(lab.bench.step.terms))")


def the_widget_is_shown_as_the_lesson_left_it(lab: LabPage):
    assert lab.page.locator(".jupyter-widgets-error-widget").count() == 0
    assert lab.page.locator(".jupyter-widgets img:not([alt])").count() == 0
    assert lab.page.locator(LAB).count() == 1
    assert lab.status(NUMBERS)["data-upsampler"] == "resize"
    assert lab.page.locator(f"{LAB} .srlab-init select").is_disabled()
    assert number(lab, "step") == 0


def icnr_takes_the_grid_away(lab: LabPage):
    lab.choose(f"{LAB} .srlab-upsampler", "ArrowUp")
    lab.wait_for_status(NUMBERS, "data-upsampler", "pixelshuffle")
    init = lab.page.locator(f"{LAB} .srlab-init select")
    wait_until(init.is_enabled, what="the menu of init to be enabled")
    lab.choose(f"{LAB} .srlab-init", "ArrowUp")
    lab.wait_for_status(NUMBERS, "data-init", "random")
    grid, energy = lab.picture_hash(NETWORK), number(lab, "energy")
    lab.choose(f"{LAB} .srlab-init", "ArrowDown")
    lab.wait_for_status(NUMBERS, "data-init", "icnr")
    lab.wait_for_new_picture(NETWORK, grid)
    assert number(lab, "energy") < 1e-12 < 1e-5 < energy
    assert lab.ask("print(f'{lab.reading.energy:.6g}')") == lab.status(NUMBERS)["data-energy"]


def the_loss_is_switched_while_it_runs(lab: LabPage):
    assert lab.status(NUMBERS)["data-loss"] == "content"
    untrained = lab.picture_hash(NETWORK)
    lab.click(f"{LAB} .srlab-start")
    lab.wait_for_status(NUMBERS, "data-state", "running", timeout=60)
    wait_until(lambda: number(lab, "step") > 2, what="three steps", timeout=60)
    lab.wait_for_new_picture(NETWORK, untrained)
    assert terms(lab) == "content pixel"
    assert number(lab, "energy") > 0, "ICNR promises no grid at the start, and no more"

    lab.choose(f"{LAB} .srlab-loss", "ArrowUp")
    lab.wait_for_status(NUMBERS, "data-loss", "pixel")
    wait_until(lambda: terms(lab) == "pixel", what="a step without the content loss")
    steps = number(lab, "step")
    wait_until(lambda: number(lab, "step") > steps > 2, what="it to go on", timeout=60)
    assert lab.status(NUMBERS)["data-state"] == "running"


def pause_freezes_it(lab: LabPage):
    lab.click(f"{LAB} .srlab-pause")
    lab.wait_for_status(NUMBERS, "data-state", "paused")
    frozen = number(lab, "step"), lab.picture_hash(NETWORK)
    time.sleep(1)
    assert (number(lab, "step"), lab.picture_hash(NETWORK)) == frozen
    assert lab.ask("print(lab.reading.step)") == f"{frozen[0]:.0f}"
