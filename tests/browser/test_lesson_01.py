"""Lesson 01 in JupyterLab: press Start, watch it learn, steer it, stop it."""

import time

import pytest

from tests.browser.lab import LabPage, wait_until

pytestmark = pytest.mark.browser

LESSON = "01_pixel_loss.ipynb"
FIRST = ":nth-match(.srlab-training-lab, 1)"  # the second lab comes with section 5
NUMBERS = f"{FIRST} .srlab-numbers"
PREVIEW = f"{FIRST} .srlab-preview"


@pytest.fixture
def lesson(lab: LabPage) -> LabPage:
    lab.open(LESSON)
    lab.run_all(timeout=300)
    return lab


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


def test_every_widget_is_shown(lesson: LabPage):
    assert lesson.page.locator(".jupyter-widgets-error-widget").count() == 0
    assert lesson.page.locator(".srlab-training-lab").count() == 2
    assert lesson.page.locator(".srlab-compare").count() == 1
    assert lesson.problems == []


def test_a_person_trains_and_steers(lesson: LabPage):
    assert step(lesson) == 0
    untrained = lesson.picture_hash(PREVIEW)

    lesson.click(f"{FIRST} .srlab-start")
    lesson.wait_for_status(NUMBERS, "data-state", "running")
    trained = lesson.wait_for_new_picture(PREVIEW, untrained)
    wait_until(lambda: step(lesson) > 5, what="five steps", timeout=60)

    lesson.press(f"{FIRST} .srlab-mix", "ArrowRight", times=2)
    wait_for_mix(lesson, 0.1)
    lesson.drag(f"{FIRST} .srlab-mix", to=1)
    wait_for_mix(lesson, 1.0)
    lesson.drag(f"{FIRST} .srlab-mix", to=0)
    wait_for_mix(lesson, 0.0)
    lesson.press(f"{FIRST} .srlab-learning-rate", "ArrowLeft", times=3)
    lesson.wait_for_status(NUMBERS, "data-learning-rate", "0.001")
    assert lesson.status(NUMBERS)["data-state"] == "running", "sliders stop nothing"
    assert lesson.wait_for_new_picture(PREVIEW, trained) != untrained

    lesson.click(f"{FIRST} .srlab-pause")
    lesson.wait_for_status(NUMBERS, "data-state", "paused")
    frozen = step(lesson), lesson.picture_hash(PREVIEW)
    time.sleep(1)
    assert (step(lesson), lesson.picture_hash(PREVIEW)) == frozen
    assert lesson.ask("print(first.bench.step.number)") == str(frozen[0])

    lesson.click(f"{FIRST} .srlab-reset")
    lesson.wait_for_status(NUMBERS, "data-step", "0")
    status = lesson.status(NUMBERS)
    assert float(status["data-psnr"]) == pytest.approx(float(status["data-bicubic"]), abs=1e-3)
    assert lesson.problems == []


def test_the_second_lab_takes_over_from_the_first(lesson: LabPage):
    lesson.click(f"{FIRST} .srlab-start")
    lesson.wait_for_status(NUMBERS, "data-state", "running")
    lesson.click(":nth-match(.srlab-training-lab, 2) .srlab-start")
    lesson.wait_for_status(NUMBERS, "data-state", "paused")
    assert lesson.ask("print(lab.live.state)") == "running"


def test_a_cell_that_trains_pauses_the_lab(lesson: LabPage):
    lesson.click(f"{FIRST} .srlab-start")
    lesson.wait_for_status(NUMBERS, "data-state", "running")
    lesson.ask("first.run_steps(1)")
    lesson.wait_for_status(NUMBERS, "data-state", "paused")
