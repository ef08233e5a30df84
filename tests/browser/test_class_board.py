"""ClassBoard: its view without a kernel, and a teacher with it in JupyterLab."""

import csv
import io
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from srlab.files import ASSETS
from srlab.runcard import RunCard, Stage, save_card
from srlab.widgets.class_board import ClassBoard
from srlab.widgets.class_board.cards import known_bicubic
from tests.browser.lab import LabPage, browser_page, wait_until
from tests.browser.still import Still

pytestmark = pytest.mark.browser

STATUS = ".srlab .board .status"
TABLE = ".srlab [data-name=cards] tbody"


def make_card(name: str, number: int, **scores: float) -> RunCard:
    """A finished card; the larger its number, the higher PSNR and the lower sharpness."""
    bicubic = known_bicubic(4)["psnr_y"]
    said = {"psnr_y": bicubic + 0.1 + number / 50, "ssim_y": 0.7 + number / 1000,
            "psnr_rgb": 26.5, "sharpness": 0.9 - number / 60, "checkerboard": 0.2 + number / 10,
            "bicubic_psnr_y": bicubic, **scores}  # fmt: skip
    stage = Stage(scale=4, steps=100 + number, weights={"pixel": 1.0, "tv": 0.001})
    return RunCard(name=name, stages=[stage], scores=said)


# Without a kernel


@pytest.fixture(scope="module")
def board() -> ClassBoard:
    """Thirty cards beside the shipped ones, one that did nothing, and a recipe."""
    cards = [make_card(f"run-{i:02}", i) for i in range(30)]
    lazy = make_card("lazy", 0, psnr_y=27.6, sharpness=0.03, checkerboard=0.99)
    other = make_card("elsewhere", 40, bicubic_psnr_y=25.0)
    return ClassBoard([*cards, lazy, other, ASSETS / "cards" / "unet-x4.json"])


@pytest.fixture
def widget(board: ClassBoard) -> ClassBoard:
    board.choose(scale=4, order="psnr_y", reverse=False, card="")
    return board


def names(still: Still) -> list[str]:
    return still.page.locator(f"{TABLE} th button").all_inner_texts()


def test_controls_by_keyboard_and_pointer(still: Still):
    still.control("scale").press("ArrowRight")
    still.menu("order", "sharpness")
    still.control("reverse").press("Space")
    still.page.get_by_role("button", name="Next").click()
    still.page.get_by_role("button", name="run-28").press("Enter")
    still.frame()
    changed = {"scale": 8, "order": "sharpness", "reverse": True, "first": 20, "card": "run-28"}
    assert still.set == changed


def test_files_are_sent_as_text_and_a_large_one_without(still: Still):
    chosen = [
        {"name": "a.json", "mimeType": "application/json", "buffer": b"{}"},
        {"name": "big.json", "mimeType": "application/json", "buffer": b" " * 2_000_001},
    ]
    still.page.get_by_label("Add run cards").first.set_input_files(chosen)  # type: ignore[arg-type]
    wait_until(lambda: len(still.sent) == 2, what="both files")
    assert still.sent == [
        {"press": "take", "file": "a.json", "text": "{}"},
        {"press": "take", "file": "big.json", "text": None},
    ]


def test_the_table_is_the_page_of_the_trait(still: Still, board: ClassBoard):
    assert names(still) == [row["name"] for row in board.page]
    best = still.page.locator(f"{TABLE} tr", has_text=board.page[0]["name"]).first
    figures = board.page[0]["figures"]
    shown = best.locator("td").all_inner_texts()
    assert shown[:2] == [f"▲ {figures['psnr_y']:.2f}", f"▲ {figures['ssim_y']:.4f}"]
    board.first = 20
    still.follow()
    assert names(still)[-2:] == ["⚠ elsewhere", "unet-x4 (2)"]
    kinds = still.page.locator(f"{TABLE} .badge").all_inner_texts()
    assert kinds[-3:] == ["adds nothing", "not comparable", "recipe"]
    assert "rows 21 to 38 of 38" in still.page.locator(".paging").inner_text()


def test_who_is_best_and_which_way(still: Still, board: ClassBoard):
    shown = still.page.locator("[data-name=bests] tbody tr").all_inner_texts()
    assert len(shown) == len(board.bests) == 8
    for text, best in zip(shown, board.bests, strict=True):
        assert f"{best['title']}, {best['wanted']}" in text
        assert best["name"] in text
        assert best["own"] in text
        assert best["bicubic"] in text
    assert "lazy" not in " ".join(shown), "although its checkerboard is the nearest to 1"
    assert "ridge" in next(text for text in shown if " =" in text), "bicubic is as good"
    won = still.page.locator(f"{TABLE} .won").first
    assert won.inner_text().startswith("▲ ")
    assert won.evaluate("el => getComputedStyle(el).backgroundColor") != "rgba(0, 0, 0, 0)"


def test_the_map_says_its_numbers(still: Still, board: ClassBoard):
    words = still.page.locator("[data-name=map]").get_attribute("aria-label")
    assert words is not None
    best = board.page[0]
    told = f"1 {best['name']} {best['figures']['psnr_y']:.2f} dB, sharpness "
    assert told in words
    assert "and 16 more, pale" in words


NOTED = """window.dots = []; window.words = [];
const {arc, fillText} = CanvasRenderingContext2D.prototype;
Object.assign(CanvasRenderingContext2D.prototype, {
    arc(x, y, ...rest) { dots.push([x, y]); return arc.call(this, x, y, ...rest); },
    fillText(text, x, y) { words.push([text, x, y]); return fillText.call(this, text, x, y); },
});"""


@pytest.mark.parametrize(
    ("psnr", "shift"),
    [([28.0, 27.5, 27.0], [0, 0, 0]), ([28.0, 28.0, 28.0], [0, 0, 12])],
    ids=["far apart in one line", "on one another"],
)
def test_every_number_stands_by_its_dot(browser: Browser, psnr: list[float], shift: list[int]):
    cards = [make_card(f"run-{i}", i, psnr_y=y, sharpness=0.5) for i, y in enumerate(psnr)]
    with browser_page(browser) as page:
        page.add_init_script(NOTED)
        still = Still(page, ClassBoard(cards, shipped=False))
        dots, words = still.page.evaluate("[dots.slice(-4), words]")
        written = {text: place for text, *place in words}
        for rank, ((x, y), lines) in enumerate(zip(dots[:3], shift, strict=True), 1):
            left, middle = written[str(rank)]
            assert abs(left - x) < 20
            assert abs(middle - y) == pytest.approx(lines, abs=0.1)


def test_a_card_is_opened_and_closed(still: Still, board: ClassBoard):
    board.choose(card="run-29")
    still.follow()
    opened = still.page.locator("section.card")
    assert opened.get_attribute("data-card") == "run-29"
    assert "loss 1 · pixel + 0.001 · tv" in opened.inner_text()
    assert (
        still.page.get_by_role("button", name="run-29").get_attribute("aria-expanded") == "true"
    )
    opened.get_by_role("button", name="Close").press("Enter")
    assert still.set == {"card": ""}


def test_the_names_stay_in_sight_while_one_looks_at_the_last_column(still: Still):
    still.resize(390)
    name = still.page.locator("[data-name=cards] tbody th").nth(1)
    last = still.page.locator("[data-name=cards] tbody tr").nth(1).locator("td").last
    before = name.bounding_box()["x"]
    last.scroll_into_view_if_needed()
    assert last.bounding_box()["x"] < 390
    assert name.bounding_box()["x"] == before


# In JupyterLab

MAKE = "from srlab.widgets.class_board import ClassBoard\nboard = ClassBoard()\nboard"


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Thirty cards, one of them twice, and one cut off."""
    cards = [tmp_path / f"c{i:02}.json" for i in range(30)]
    for i, path in enumerate(cards):
        save_card(make_card(f"run-{i:02}", i), path)
    (tmp_path / "twice.json").write_bytes(cards[3].read_bytes())
    (tmp_path / "half.json").write_bytes(cards[4].read_bytes()[:200])
    return [*cards, tmp_path / "twice.json", tmp_path / "half.json"]


def test_a_teacher_collects_sorts_and_takes_home(
    lab: LabPage, files: list[Path], tmp_path: Path
):
    lab.page.on("filechooser", lambda _: None)  # from now on, not only from the click on
    lab.write("board.ipynb", MAKE)
    lab.open("board.ipynb")
    lab.run_all(timeout=180)
    the_shipped_networks_are_there(lab)
    cards_come_in_by_keyboard(lab, files)
    it_is_sorted(lab)
    the_csv_holds_every_card(lab, tmp_path / "taken.csv")
    assert lab.problems == []


def the_shipped_networks_are_there(lab: LabPage):
    assert lab.status(STATUS)["data-count"] == "5"
    assert "pixel-x4" in lab.page.locator(TABLE).inner_text()


def cards_come_in_by_keyboard(lab: LabPage, files: list[Path]):
    lab.page.locator(".srlab [data-name=take] input").focus()
    with lab.page.expect_file_chooser() as chooser:
        lab.page.keyboard.press("Enter")
    chooser.value.set_files(files)
    lab.wait_for_status(STATUS, "data-count", "35", timeout=180)
    trouble = lab.page.locator(".srlab [role=status]", has_text="Left out")
    wait_until(lambda: "half.json is not JSON" in trouble.inner_text(), what="the last file")
    assert "twice.json is the same card as c03.json; it counts once." in trouble.inner_text()


def it_is_sorted(lab: LabPage):
    lab.page.get_by_role("combobox", name="best by").select_option("sharpness")
    lab.wait_for_status(STATUS, "data-order", "sharpness")
    first = lab.page.locator(f"{TABLE} th button").first
    wait_until(lambda: first.inner_text() == "run-00", what="the sharpest")
    assert lab.ask("print(board.rows[0].name)") == "run-00"


def the_csv_holds_every_card(lab: LabPage, target: Path):
    lab.page.locator(".srlab [data-name=csv]").focus()
    with lab.page.expect_download() as download:
        lab.page.keyboard.press("Enter")
    assert download.value.suggested_filename == "class-board.csv"
    download.value.save_as(target)
    lab.ask("board.to_csv('class.csv')")
    assert target.read_bytes() == (lab.server.folder / "class.csv").read_bytes()
    rows = list(csv.DictReader(io.StringIO(target.read_text("utf-8-sig"), newline="")))
    assert len(rows) == 39
    assert sum(row["kind"] == "shipped" for row in rows) == 9
