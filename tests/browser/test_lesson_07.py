"""Lesson 07 in JupyterLab: the desk, the board and the comparison stand and answer."""

import pytest

from tests.browser.lab import LabPage, wait_until

pytestmark = pytest.mark.browser

LESSON = "07_capstone.ipynb"
DESK, BOARD = ".srlab-photo-desk", ".srlab-class-board"


def test_a_person_looks_at_the_class_and_enlarges(lab: LabPage):
    lab.open(LESSON)
    lab.run_all(timeout=400)  # takes most of the time, so what follows shares it
    the_widgets_are_shown(lab)
    the_board_turns_to_another_scale(lab)
    the_desk_takes_the_capstone(lab)
    assert lab.problems == []


def the_widgets_are_shown(lab: LabPage):
    assert lab.page.locator(".jupyter-widgets-error-widget").count() == 0
    assert lab.page.locator(".jupyter-widgets img:not([alt])").count() == 0
    assert [lab.page.locator(widget).count() for widget in (DESK, BOARD)] == [1, 1]
    assert lab.ask("print(*sorted(row.name for row in board.rows))").split() == [
        "capstone",
        "perceptual",
        "pixel-x4",
        "unet",
    ]


def the_board_turns_to_another_scale(lab: LabPage):
    paging = f"{BOARD} .srlab-paging"
    assert lab.status(paging)["data-scale"] == "4"
    lab.choose(f"{BOARD} .srlab-scale", "ArrowDown")
    lab.wait_for_status(paging, "data-scale", "8")
    assert lab.ask("print(*[row.name for row in board.rows])") == "pixel-x8"


def the_desk_takes_the_capstone(lab: LabPage):
    assert lab.ask("print(desk.setting.model)") == "my capstone"
    lab.choose(f"{DESK} .srlab-photograph", "ArrowUp")
    wait_until(
        lambda: lab.ask("print(desk.setting.photograph)") != "palace",
        what="the other photograph",
    )
    lab.click(f"{DESK} .srlab-enlarge")
    wait_until(
        lambda: lab.ask("print(desk.job.finished)") == "True", what="the whole", timeout=120
    )
    assert lab.ask("print(desk.result.size == tuple(4 * s for s in (640, 422)))") == "True"
