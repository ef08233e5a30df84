"""Lesson 03 in JupyterLab: turn the dial, start the race, steer it, stop it."""

import time

import pytest

from tests.browser.lab import LabPage, wait_until

pytestmark = pytest.mark.browser

LESSON = "03_weighted_residuals.ipynb"
STATUS, NUMBERS = ".srlab-dial-status", ".srlab-race-numbers"
KINDS = ("plain", "fixed", "learned", "gates")


def test_a_person_turns_the_dial_and_starts_the_race(lab: LabPage):
    lab.open(LESSON)
    lab.run_all(timeout=300)  # takes most of the time, so what follows shares it
    the_widget_is_shown_as_the_lesson_left_it(lab)
    the_weight_changes_the_spread(lab)
    the_race_moves_all_four_and_counts_the_slider(lab)
    pause_freezes_it(lab)
    assert lab.problems == []


def spread(lab: LabPage) -> str:
    return lab.status(STATUS)["data-spread-last"]


def step(lab: LabPage) -> int:
    return int(lab.status(NUMBERS)["data-step"])


def psnrs(lab: LabPage) -> dict[str, str]:
    """What the table says of each network, to four digits."""
    status = lab.status(NUMBERS)
    return {kind: status[f"data-psnr-{kind}"] for kind in KINDS}


def the_widget_is_shown_as_the_lesson_left_it(lab: LabPage):
    assert lab.page.locator(".jupyter-widgets-error-widget").count() == 0
    assert lab.page.locator(".jupyter-widgets img:not([alt])").count() == 0
    assert lab.page.locator(".srlab-residual-dial").count() == 1
    status = lab.status(STATUS)
    assert (status["data-weight"], status["data-depth"]) == ("0.1", "8")
    assert (lab.readout(".srlab-weight"), lab.readout(".srlab-depth")) == (0.1, 8)
    assert lab.status(NUMBERS)["data-state"] == "ready"
    assert step(lab) == 0


def the_weight_changes_the_spread(lab: LabPage):
    chart, timid = lab.picture_hash(".srlab-dial-charts"), spread(lab)
    lab.press(".srlab-weight", "ArrowRight", times=2)
    lab.wait_for_status(STATUS, "data-weight", "0.2")
    lab.wait_for_new_picture(".srlab-dial-charts", chart)
    assert float(spread(lab)) > float(timid), "a louder correction spreads more"
    assert lab.ask("print(f'{dial.reading.spread[-1]:.6g}')") == spread(lab)


def the_race_moves_all_four_and_counts_the_slider(lab: LabPage):
    lab.click(".srlab-residual-dial .srlab-start")
    lab.wait_for_status(NUMBERS, "data-state", "running", timeout=60)
    wait_until(lambda: step(lab) > 2, what="three rounds", timeout=60)
    first = psnrs(lab)
    wait_until(
        lambda: all(now != first[kind] for kind, now in psnrs(lab).items()),
        what=lambda: f"all four to move on from {first}; they are at {psnrs(lab)}",
    )
    lab.press(".srlab-weight", "ArrowRight", times=2)
    lab.wait_for_status(NUMBERS, "data-weight", "0.3")
    counted = lab.ask("print(dial.race.racers['fixed'].bench.model.body[0].weight.value)")
    assert float(counted) == pytest.approx(0.3)
    assert lab.status(NUMBERS)["data-state"] == "running", "the slider stops nothing"


def pause_freezes_it(lab: LabPage):
    lab.click(".srlab-residual-dial .srlab-pause")
    lab.wait_for_status(NUMBERS, "data-state", "paused")
    frozen = step(lab), psnrs(lab), lab.picture_hash(".srlab-race-charts")
    time.sleep(1)
    assert (step(lab), psnrs(lab), lab.picture_hash(".srlab-race-charts")) == frozen
    in_kernel = "{k: f'{s.psnr:.4f}' for k, s in dial.standings().items()}"
    assert lab.ask(f"print(dial.race.step, {in_kernel})") == f"{frozen[0]} {frozen[1]}"
