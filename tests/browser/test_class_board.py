"""ClassBoard in JupyterLab: a class hands in its cards, a teacher sorts them."""

import csv
import io
from pathlib import Path

import pytest

from srlab.runcard import RunCard, Stage, save_card
from srlab.widgets.board_cards import known_bicubic
from tests.browser.lab import LabPage, wait_until

pytestmark = pytest.mark.browser

CELLS = [
    "from srlab.widgets.class_board import ClassBoard",
    "board = ClassBoard()\nboard",
]
BOARD, PAGING = ".srlab-class-board", ".srlab-class-board .srlab-paging"
TABLE = f"{BOARD} table[aria-label^='Run cards']"


@pytest.fixture
def page(lab: LabPage) -> LabPage:
    lab.page.set_viewport_size({"width": 1100, "height": 1500})
    lab.page.on("filechooser", lambda _: None)  # from now on, not only from the click on
    lab.write("board.ipynb", *CELLS)
    lab.open("board.ipynb")
    lab.run_all()
    return lab


def write_card(path: Path, name: str, number: int, **scores: float) -> Path:
    """A finished card; the larger its number, the higher PSNR and the lower sharpness."""
    bicubic = known_bicubic(4)["psnr_y"]
    said = {"psnr_y": bicubic + number / 50, "ssim_y": 0.7 + number / 1000, "psnr_rgb": 26.5,
            "sharpness": 0.9 - number / 60, "checkerboard": 0.2 + number / 10,
            "bicubic_psnr_y": bicubic, **scores}  # fmt: skip
    stage = Stage(scale=4, steps=100 + number, weights={"pixel": 1.0, "tv": 0.001})
    save_card(RunCard(name=name, stages=[stage], scores=said), path)
    return path


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Thirty cards, one measured otherwise, one twice, and one cut off."""
    cards = [write_card(tmp_path / f"c{i:02}.json", f"run-{i:02}", i) for i in range(30)]
    other = write_card(tmp_path / "other.json", "elsewhere", 40, bicubic_psnr_y=25.0)
    (tmp_path / "twice.json").write_bytes(cards[3].read_bytes())
    (tmp_path / "half.json").write_bytes(cards[4].read_bytes()[:200])
    return [*cards, other, tmp_path / "twice.json", tmp_path / "half.json"]


def test_a_teacher_collects_sorts_opens_and_takes_home(
    page: LabPage, files: list[Path], tmp_path: Path
):
    cards_come_in_by_keyboard(page, files)
    every_control_has_a_name(page)
    it_is_sorted_by_keyboard(page)
    pages_are_turned_by_keyboard(page)
    a_card_is_opened_by_keyboard(page)
    the_csv_holds_every_card(page, tmp_path / "taken.csv")
    assert page.problems == []


def names(page: LabPage) -> list[str]:
    return page.page.locator(f"{TABLE} tbody th").all_inner_texts()


def cards_come_in_by_keyboard(page: LabPage, files: list[Path]):
    page.find(".srlab-upload input").focus()
    with page.page.expect_file_chooser() as chooser:
        page.page.keyboard.press("Enter")
    assert chooser.value.is_multiple()
    chooser.value.set_files(files)
    paging = page.page.locator(PAGING)
    # The first card has bicubic measured, and that loads what measures it.
    wait_until(lambda: paging.count() == 1, what="the table", timeout=180)
    sent = page.page.locator(f"{BOARD} .srlab-upload-status")
    wait_until(lambda: sent.inner_text().startswith("Sent: c00.json ("), what="all of them")
    every = "rows 1 to 20 of 31 (×4)"
    wait_until(lambda: paging.inner_text() == every, what=lambda: paging.inner_text())
    trouble = page.page.locator(f"{BOARD} [role=status]", has_text="Left out").inner_text()
    assert "twice.json is the same card as c03.json; it counts once." in trouble
    assert "half.json is not JSON" in trouble
    assert names(page)[:2] == ["bicubic", "run-29"]
    doubt = page.page.locator(BOARD).inner_text()
    assert "elsewhere: measured otherwise: its bicubic has 25.00 dB" in doubt


def every_control_has_a_name(page: LabPage):
    for name in ("Run cards", "Scale", "Best by", "Open card"):
        assert page.page.get_by_label(name, exact=True).is_visible(), name
    for name in ("Reverse", "Previous", "Next"):
        assert page.page.locator(f"{BOARD} button:has-text('{name}')").count() == 1, name
    (alt,) = [
        picture.get_attribute("alt") for picture in page.page.locator(f"{BOARD} img").all()
    ]
    assert alt is not None
    assert "run-29 28.28 dB, sharpness 0.42" in alt
    assert "and 10 more, pale" in alt


def it_is_sorted_by_keyboard(page: LabPage):
    drawn = page.picture_hash(".srlab-board-map")
    page.choose(".srlab-order", "ArrowDown", "ArrowDown", "ArrowDown")
    page.wait_for_status(PAGING, "data-order", "sharpness")
    assert names(page)[:2] == ["bicubic", "run-00"]
    page.wait_for_new_picture(".srlab-board-map", drawn)
    chosen = page.page.locator(f"{TABLE} th[aria-sort]")
    assert chosen.inner_text() == "sharpness ▾"
    best = page.page.locator(f"{TABLE} tbody tr", has_text="run-00").inner_text()
    assert best.split("\t")[5:7] == ["▲ 0.900", "0.200"]


def pages_are_turned_by_keyboard(page: LabPage):
    page.find(f"{BOARD} .srlab-next").focus()
    page.page.keyboard.press("Enter")
    paging = page.page.locator(PAGING)
    wait_until(lambda: "rows 21 to 31" in paging.inner_text(), what="the second page")
    assert names(page)[-1] == "⚠ elsewhere"
    assert page.page.locator(f"{TABLE} tbody tr").count() == 12


def a_card_is_opened_by_keyboard(page: LabPage):
    page.choose(".srlab-card", "ArrowDown", "ArrowDown")
    opened = page.page.locator(f"{BOARD} [data-card]")
    wait_until(lambda: opened.count() == 1, what="the card")
    assert opened.get_attribute("data-card") == "run-01"
    assert "1 · pixel + 0.001 · tv" in opened.inner_text()


def the_csv_holds_every_card(page: LabPage, target: Path):
    page.find(".srlab-csv").focus()
    with page.page.expect_download() as download:
        page.page.keyboard.press("Enter")
    assert download.value.suggested_filename == "class-board.csv"
    download.value.save_as(target)
    written = page.server.folder / "class.csv"
    page.ask("board.to_csv('class.csv')")
    assert target.read_bytes() == written.read_bytes()
    rows = list(csv.DictReader(io.StringIO(target.read_text("utf-8-sig"), newline="")))
    assert len(rows) == 31
    assert {(row["weight pixel"], row["weight tv"]) for row in rows} == {("1.0", "0.001")}
    assert [row["name"] for row in rows if row["doubt"]] == ["elsewhere"]
