"""Lesson 05 in JupyterLab: the lab that its last cells drove is a person's again."""

import time

import pytest

from tests.browser.lab import LabPage, wait_until

pytestmark = pytest.mark.browser

LESSON = "05_gram_and_tv.ipynb"
LAB = ".srlab-loss-lab"
NUMBERS, LEDGER = f"{LAB} .srlab-numbers", f"{LAB} .srlab-ledger-numbers"
NOW, CHARTS = f"{LAB} .srlab-now", ("terms-curve", "psnr-curve", "map")


def test_a_person_weighs_total_variation_while_it_trains(lab: LabPage):
    lab.open(LESSON)
    lab.run_all(timeout=480)  # takes most of the time, so what follows shares it
    the_lab_is_shown_as_the_lesson_left_it(lab)
    start_trains_the_new_run(lab)
    a_heavier_tv_arrives_everywhere(lab)
    pause_freezes_it(lab)
    every_picture_says_what_it_shows(lab)
    assert lab.problems == []


def number(lab: LabPage, name: str) -> float:
    return float(lab.status(NUMBERS)[f"data-{name}"])


def share_of_tv(lab: LabPage) -> float:
    return float(lab.status(LEDGER)["data-share-tv"])


def weight_in_the_ledger(lab: LabPage) -> str:
    """What stands in the row of tv, in the column of the weights."""
    return lab.page.locator(f"{LEDGER} tr:has-text('tv') td").first.text_content() or ""


def words(lab: LabPage, css: str) -> str:
    return lab.page.locator(f"{css} img").first.get_attribute("alt") or ""


def the_lab_is_shown_as_the_lesson_left_it(lab: LabPage):
    assert lab.page.locator(".jupyter-widgets-error-widget").count() == 0
    assert lab.page.locator(LAB).count() == 1
    runs = lab.page.locator(f"{LAB} .srlab-run option").all_text_contents()
    kept = [" ".join(name.split()) for name in runs]  # JupyterLab's spaces do not break
    forks = [f"run {n} (run 1, step 2)" for n in (2, 3)]
    assert kept == ["run 1", *forks, "run 4"]
    assert lab.status(NUMBERS)["data-run"] == "run 4"
    assert number(lab, "step") == 0


def start_trains_the_new_run(lab: LabPage):
    untrained = lab.picture_hash(NOW)
    lab.click(f"{LAB} .srlab-start")
    lab.wait_for_status(NUMBERS, "data-state", "running", timeout=60)
    wait_until(lambda: number(lab, "step") > 2, what="three steps", timeout=120)
    lab.wait_for_new_picture(NOW, untrained)


def a_heavier_tv_arrives_everywhere(lab: LabPage):
    weight, share = number(lab, "w-tv"), share_of_tv(lab)
    assert weight > 0
    lab.press(f"{LAB} .srlab-tv", "ArrowRight", times=10)
    heavier = pytest.approx(weight * 10**0.5, rel=0.02)  # ten twentieths of a power of ten
    wait_until(
        lambda: number(lab, "w-tv") == heavier,
        what=lambda: f"a weight of {weight * 10**0.5}; the status is {lab.status(NUMBERS)}",
    )
    assert float(lab.ask("print(lab.bench.loss.weights['tv'])")) == heavier
    assert weight_in_the_ledger(lab) == f"{number(lab, 'w-tv'):.3g}"
    assert share_of_tv(lab) > 1.5 * share
    steps = number(lab, "step")
    wait_until(lambda: number(lab, "step") > steps, what="it to go on", timeout=120)
    assert lab.status(NUMBERS)["data-state"] == "running", "a slider stops nothing"


def pause_freezes_it(lab: LabPage):
    lab.click(f"{LAB} .srlab-pause")
    lab.wait_for_status(NUMBERS, "data-state", "paused", timeout=60)
    frozen = number(lab, "step"), lab.picture_hash(NOW), share_of_tv(lab)
    time.sleep(1)
    assert (number(lab, "step"), lab.picture_hash(NOW), share_of_tv(lab)) == frozen
    assert lab.ask("print(lab.figures.step)") == f"{frozen[0]:.0f}"
    assert lab.ask("print(f'{lab.ledger[\"tv\"].share:.6f}')") == f"{frozen[2]:.6f}"


def every_picture_says_what_it_shows(lab: LabPage):
    assert lab.page.locator(".jupyter-widgets img:not([alt])").count() == 0
    assert f"{number(lab, 'psnr'):.2f} dB" in words(lab, NOW)
    for chart in CHARTS:
        assert f"run 4, step {number(lab, 'step'):.0f}, PSNR" in words(
            lab, f"{LAB} .srlab-{chart}"
        )
