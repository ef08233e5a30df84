"""Lesson 01 in JupyterLab: press Start, watch it learn, steer it, stop it."""

import time

import pytest

from tests.browser.lab import LabPage, wait_until

pytestmark = pytest.mark.browser

LESSON = "01_pixel_loss.ipynb"
FIRST, SECOND = (f":nth-match(.srlab-training-lab, {number})" for number in (1, 2))
NUMBERS = f"{FIRST} .srlab-numbers"
PREVIEW = f"{FIRST} .srlab-preview"


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
    return int(lab.status(NUMBERS)["data-step"])


def weights(lab: LabPage) -> tuple[float, float]:
    status = lab.status(NUMBERS)
    return float(status["data-w-l1"]), float(status["data-w-l2"])


def wait_for_mix(lab: LabPage, mix: float) -> None:
    """Until the running training counts L1 and L2 as the slider says."""
    wait_until(
        lambda: weights(lab) == pytest.approx((1 - mix, 10 * mix)),
        what=lambda: f"a mix of {mix}; the weights are {weights(lab)}",
    )
    counted = lab.ask("print(first.bench.loss.weights['l2'])")
    assert float(counted) == pytest.approx(10 * mix)


def every_widget_is_shown(lab: LabPage):
    assert lab.page.locator(".jupyter-widgets-error-widget").count() == 0
    assert lab.page.locator(".jupyter-widgets img:not([alt])").count() == 0
    assert lab.page.locator(".srlab-training-lab").count() == 2
    assert lab.page.locator(".srlab-compare").count() == 1


def start_and_sliders_act_on_the_running_training(lab: LabPage):
    assert step(lab) == 0
    untrained = lab.picture_hash(PREVIEW)
    lab.click(f"{FIRST} .srlab-start")
    lab.wait_for_status(NUMBERS, "data-state", "running")
    trained = lab.wait_for_new_picture(PREVIEW, untrained)
    wait_until(lambda: step(lab) > 5, what="five steps", timeout=60)

    lab.press(f"{FIRST} .srlab-mix", "ArrowRight", times=2)
    wait_for_mix(lab, 0.1)
    lab.drag(f"{FIRST} .srlab-mix", to=1)
    wait_for_mix(lab, 1.0)
    lab.drag(f"{FIRST} .srlab-mix", to=0)
    wait_for_mix(lab, 0.0)
    lab.press(f"{FIRST} .srlab-learning-rate", "ArrowLeft", times=3)
    lab.wait_for_status(NUMBERS, "data-learning-rate", "0.001")
    assert lab.status(NUMBERS)["data-state"] == "running", "sliders stop nothing"
    assert lab.wait_for_new_picture(PREVIEW, trained) != untrained


def pause_freezes_it_and_reset_gives_bicubic(lab: LabPage):
    lab.click(f"{FIRST} .srlab-pause")
    lab.wait_for_status(NUMBERS, "data-state", "paused")
    frozen = step(lab), lab.picture_hash(PREVIEW)
    time.sleep(1)
    assert (step(lab), lab.picture_hash(PREVIEW)) == frozen
    assert lab.ask("print(first.bench.step.number)") == str(frozen[0])

    lab.click(f"{FIRST} .srlab-reset")
    lab.wait_for_status(NUMBERS, "data-step", "0")
    status = lab.status(NUMBERS)
    assert float(status["data-psnr"]) == pytest.approx(float(status["data-bicubic"]), abs=1e-3)


def the_second_lab_takes_over_from_the_first(lab: LabPage):
    lab.click(f"{FIRST} .srlab-start")
    lab.wait_for_status(NUMBERS, "data-state", "running")
    lab.click(f"{SECOND} .srlab-start")
    lab.wait_for_status(NUMBERS, "data-state", "paused")
    lab.wait_for_status(f"{SECOND} .srlab-numbers", "data-state", "running")


def a_cell_that_trains_pauses_the_lab(lab: LabPage):
    lab.ask("first.run_steps(1)")
    lab.wait_for_status(f"{SECOND} .srlab-numbers", "data-state", "paused")
