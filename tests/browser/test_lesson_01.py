"""Lesson 01 in JupyterLab: press Start, watch it learn, steer it, stop it."""

import time

import pytest

from tests.browser.lab import LabPage, wait_until

pytestmark = pytest.mark.browser

LESSON = "01_pixel_loss.ipynb"
FIRST, SECOND = (f":nth-match(.srlab-training, {number})" for number in (1, 2))
STATUS = f"{FIRST} .status"
PICTURE = f"{FIRST} .tile[data-name=network] .plane"
MIX = f"{FIRST} [data-name=mix]"


def test_a_person_trains_and_steers(lab: LabPage):
    lab.open(LESSON)
    lab.run_all(timeout=300)  # takes most of the time, so what follows shares it
    every_widget_is_shown(lab)
    start_and_sliders_act_on_the_running_training(lab)
    pause_freezes_it_and_reset_gives_bicubic(lab)
    the_second_lab_takes_over_from_the_first(lab)
    a_cell_that_trains_pauses_the_lab(lab)
    assert lab.problems == []


def step(lab: LabPage) -> int:
    return int(lab.status(STATUS)["data-step"])


def wait_for_mix(lab: LabPage, formula: str, l2: float) -> None:
    """Until the running training counts L1 and L2 as the slider says."""
    lab.wait_for_status(STATUS, "data-formula", formula)
    counted = lab.ask("print(first.bench.loss.weights['l2'])")
    assert float(counted) == pytest.approx(l2)


def every_widget_is_shown(lab: LabPage):
    assert lab.page.locator(".jupyter-widgets-error-widget").count() == 0
    assert lab.page.locator(".jupyter-widgets img:not([alt])").count() == 0
    assert lab.page.locator(".srlab-training").count() == 2
    assert lab.page.locator(".srlab-compare").count() == 1


def start_and_sliders_act_on_the_running_training(lab: LabPage):
    assert step(lab) == 0
    untrained = lab.picture_hash(PICTURE)
    lab.click(f"{FIRST} [data-name=start]")
    lab.wait_for_status(STATUS, "data-state", "running")
    trained = lab.wait_for_new_picture(PICTURE, untrained)
    wait_until(lambda: step(lab) > 5, what="five steps", timeout=60)

    lab.press(MIX, "ArrowRight", times=2)
    wait_for_mix(lab, "0.9 · L1 + 1 · L2", 1)
    lab.press(MIX, "End")
    wait_for_mix(lab, "10 · L2", 10)
    lab.press(MIX, "Home")
    wait_for_mix(lab, "1 · L1", 0)
    rate = lab.find(f"{FIRST} [data-name=learning_rate] .exact")
    rate.fill("0.001")
    rate.press("Enter")
    wait_until(
        lambda: lab.ask("print(first.bench.present_learning_rate)") == "0.001",
        what="the learning rate",
    )
    assert lab.status(STATUS)["data-state"] == "running", "sliders stop nothing"
    assert lab.wait_for_new_picture(PICTURE, trained) != untrained


def pause_freezes_it_and_reset_gives_bicubic(lab: LabPage):
    lab.click(f"{FIRST} [data-name=pause]")
    lab.wait_for_status(STATUS, "data-state", "paused")
    frozen = step(lab), lab.picture_hash(PICTURE)
    time.sleep(1)
    assert (step(lab), lab.picture_hash(PICTURE)) == frozen
    assert lab.ask("print(first.bench.step.number)") == str(frozen[0])

    lab.click(f"{FIRST} [data-name=reset]")
    lab.wait_for_status(STATUS, "data-step", "0")
    status = lab.status(STATUS)
    assert float(status["data-psnr"]) == pytest.approx(float(status["data-bicubic"]), abs=1e-3)


def the_second_lab_takes_over_from_the_first(lab: LabPage):
    lab.click(f"{FIRST} [data-name=start]")
    lab.wait_for_status(STATUS, "data-state", "running")
    lab.click(f"{SECOND} [data-name=start]")
    lab.wait_for_status(STATUS, "data-state", "paused")
    lab.wait_for_status(f"{SECOND} .status", "data-state", "running")


def a_cell_that_trains_pauses_the_lab(lab: LabPage):
    lab.ask("first.run_steps(1)")
    lab.wait_for_status(f"{SECOND} .status", "data-state", "paused")
