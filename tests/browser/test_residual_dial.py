"""ResidualDial in JupyterLab: turn the dial, watch the race, steer it, stop it."""

import time

import pytest

from tests.browser.lab import LabPage, wait_until

pytestmark = pytest.mark.browser

DIAL = """\
from srlab.data import get_data
from srlab.widgets.residual_dial import ResidualDial
dial = ResidualDial(get_data(2, (12, 48)), num_features=8)
dial"""

STATUS, NUMBERS = ".srlab-dial-status", ".srlab-race-numbers"
KINDS = ("plain", "fixed", "learned", "gates")
DIAL_CHARTS, RACE_CHARTS = ".srlab-dial-charts", ".srlab-race-charts"


def test_a_person_turns_the_dial_and_runs_the_race(lab: LabPage):
    lab.write("residual_dial.ipynb", DIAL)
    lab.open("residual_dial.ipynb")
    lab.run_all()
    assert lab.page.locator(".jupyter-widgets-error-widget").count() == 0
    assert lab.page.locator(".jupyter-widgets img:not([alt])").count() == 0
    assert lab.readout(".srlab-weight") == number(lab, "data-weight") == 0.1
    the_dial_answers_to_each_control(lab)
    the_race_runs_and_obeys_the_slider(lab)
    pause_freezes_it_and_reset_takes_the_depth_anew(lab)
    assert lab.problems == []


def number(lab: LabPage, name: str) -> float:
    return float(lab.status(STATUS)[name])


def step(lab: LabPage) -> int:
    return int(lab.status(NUMBERS)["data-step"])


def psnrs(lab: LabPage) -> dict[str, str]:
    """What the table says of each network, to four digits."""
    status = lab.status(NUMBERS)
    return {kind: status[f"data-psnr-{kind}"] for kind in KINDS}


def the_dial_answers_to_each_control(lab: LabPage):
    picture, spread = lab.picture_hash(DIAL_CHARTS), number(lab, "data-spread-last")
    lab.press(".srlab-weight", "ArrowRight", times=2)
    lab.wait_for_status(STATUS, "data-weight", "0.2")
    picture = lab.wait_for_new_picture(DIAL_CHARTS, picture)
    assert number(lab, "data-spread-last") > spread, "a louder correction spreads more"
    lab.enter(".srlab-weight", 1)
    lab.wait_for_status(STATUS, "data-weight", "1")
    picture = lab.wait_for_new_picture(DIAL_CHARTS, picture)
    shallow = number(lab, "data-spread-last"), number(lab, "data-gradient-first")
    lab.press(".srlab-depth", "ArrowRight", times=3)
    lab.wait_for_status(STATUS, "data-depth", "11")
    lab.wait_for_new_picture(DIAL_CHARTS, picture)
    assert (number(lab, "data-spread-last"), number(lab, "data-gradient-first")) != shallow
    shown = lab.ask("print(f'{dial.reading.spread[-1]:.6g} {dial.reading.gradient[0]:.6g}')")
    status = lab.status(STATUS)
    assert shown == f"{status['data-spread-last']} {status['data-gradient-first']}"
    lab.find(".srlab-kind select").select_option("learned")
    lab.wait_for_status(STATUS, "data-kind", "learned")
    assert number(lab, "data-spread-last") == number(lab, "data-spread-first")
    lab.enter(".srlab-depth", 4)
    lab.wait_for_status(STATUS, "data-depth", "4")
    assert step(lab) == 0, "the dial trains nothing"


def the_race_runs_and_obeys_the_slider(lab: LabPage):
    lab.click(".srlab-start")
    # The first race of a kernel makes its optimizers, for which torch loads much.
    lab.wait_for_status(NUMBERS, "data-state", "running", timeout=120)
    lab.wait_for_status(NUMBERS, "data-depth", "4")
    charts = lab.picture_hash(RACE_CHARTS)
    first = psnrs(lab)
    wait_until(lambda: step(lab) > 5, what="five rounds", timeout=60)
    wait_until(
        lambda: all(now != first[kind] for kind, now in psnrs(lab).items()),
        what=lambda: f"all four to move on from {first}; they are at {psnrs(lab)}",
    )
    charts = lab.wait_for_new_picture(RACE_CHARTS, charts)
    lab.press(".srlab-weight", "ArrowRight", times=2)
    lab.wait_for_status(NUMBERS, "data-weight", "1.1")
    in_kernel = "print(dial.race.racers['fixed'].bench.model.body[0].weight.value)"
    assert float(lab.ask(in_kernel)) == pytest.approx(1.1)
    lab.wait_for_new_picture(RACE_CHARTS, charts)
    before = step(lab)
    wait_until(lambda: step(lab) > before, what="rounds after that")
    assert lab.status(NUMBERS)["data-state"] == "running", "the slider stops nothing"


def pause_freezes_it_and_reset_takes_the_depth_anew(lab: LabPage):
    lab.click(".srlab-pause")
    lab.wait_for_status(NUMBERS, "data-state", "paused")
    frozen = step(lab), psnrs(lab), lab.picture_hash(RACE_CHARTS)
    time.sleep(1)
    assert (step(lab), psnrs(lab), lab.picture_hash(RACE_CHARTS)) == frozen
    in_kernel = "{k: f'{s.psnr:.4f}' for k, s in dial.standings().items()}"
    assert lab.ask(f"print({in_kernel})") == f"{frozen[1]}"
    steps = "print({s.step for s in dial.standings().values()} | {dial.race.step})"
    assert lab.ask(steps) == f"{{{frozen[0]}}}", "all four made as many steps as shown"
    lab.press(".srlab-depth", "ArrowLeft")
    lab.wait_for_status(STATUS, "data-depth", "3")
    assert lab.status(NUMBERS)["data-depth"] == "4", "the race keeps its own"
    lab.click(".srlab-reset")
    lab.wait_for_status(NUMBERS, "data-state", "ready")
    assert step(lab) == 0
    assert lab.status(NUMBERS)["data-depth"] == "3"
    assert lab.page.locator(f"{RACE_CHARTS} >> visible=true").count() == 0
