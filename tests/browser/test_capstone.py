"""Desk and board as lesson 07 has them: a network of one's own, and the shipped cards."""

import pytest

from tests.browser.lab import LabPage, wait_until

pytestmark = pytest.mark.browser

CELLS = [
    """\
from srlab.images import to_image
from srlab.zoo import load_model
from srlab.data import embedded_photo
from srlab.widgets.class_board import ClassBoard
from srlab.widgets.photo_desk import PhotoDesk
desk = PhotoDesk("pixel-x4", {"my capstone": load_model("small-x4", 4)})
desk""",
    """\
desk.open(to_image(embedded_photo("summer-palace-china")[..., 40:328, 150:438]), "palace")
desk.choose(model="my capstone")
board = ClassBoard()
board""",
]
DESK, BOARD = ".srlab-photo_desk", ".srlab .board"


def test_a_person_looks_at_the_class_and_enlarges(lab: LabPage):
    lab.write("capstone.ipynb", *CELLS)
    lab.open("capstone.ipynb")
    lab.run_all(timeout=300)
    the_widgets_are_shown(lab)
    the_board_turns_to_another_scale(lab)
    the_desk_takes_the_capstone(lab)
    assert lab.problems == []


def the_widgets_are_shown(lab: LabPage):
    assert lab.page.locator(".jupyter-widgets-error-widget").count() == 0
    assert lab.page.locator(".jupyter-widgets img:not([alt])").count() == 0
    assert [lab.page.locator(widget).count() for widget in (DESK, BOARD)] == [1, 1]
    assert lab.ask("print(*sorted(row.name for row in board.rows))").split() == [
        "perceptual-x4",
        "pixel-x4",
        "small-x4",
        "unet-pixel-x4",
        "unet-x4",
    ]


def the_board_turns_to_another_scale(lab: LabPage):
    status = f"{BOARD} .status"
    assert lab.status(status)["data-scale"] == "4"
    lab.page.locator(f"{BOARD} [data-name=scale] input:checked").press("ArrowRight")
    lab.wait_for_status(status, "data-scale", "8")
    assert lab.ask("print(*[row.name for row in board.rows])") == "pixel-x8 small-x8"


def the_desk_takes_the_capstone(lab: LabPage):
    assert lab.ask("print(desk.setting.model)") == "my capstone"
    lab.choose(f"{DESK} [data-name=photograph]", "ArrowUp")
    wait_until(
        lambda: lab.ask("print(desk.setting.photograph)") != "palace",
        what="the other photograph",
    )
    lab.click(f"{DESK} [data-name=start]")
    wait_until(
        lambda: lab.ask("print(desk.job.finished)") == "True", what="the whole", timeout=120
    )
    assert lab.ask("print(desk.result.size == tuple(4 * s for s in (640, 422)))") == "True"
