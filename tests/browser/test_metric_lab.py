"""MetricLab: its view without a kernel, and a person with it in JupyterLab."""

import pytest

from srlab.widgets.metric_lab import MetricLab
from tests.browser.still import Still

pytestmark = pytest.mark.browser

FIGURES = ".srlab-metric .figures"


@pytest.fixture
def widget() -> MetricLab:
    return MetricLab()


def texts(still: Still) -> list[str]:
    return still.page.locator(".cell span").all_inner_texts()


def test_each_control_moves_its_trait(still: Still):
    still.control("shave").press("ArrowRight")
    assert still.set == {"shave": 5}
    still.control("channels").press("ArrowRight")
    still.menu("resampler", "nearest")
    still.menu("photograph", "citrus-slices")
    assert still.set == {
        "shave": 5, "channels": "y-full", "resampler": "nearest", "photograph": "citrus-slices",
    }  # fmt: skip


@pytest.mark.parametrize("by", ["pointer", "key"])
def test_a_cell_chooses_its_protocol(still: Still, by: str):
    cell = still.page.get_by_role("button", name="RGB, 8 px: not measured yet")
    cell.press("Enter") if by == "key" else cell.click()
    assert still.set == {"channels": "rgb", "shave": 8}


def test_nothing_is_told_before_it_is_asked_for(still: Still):
    lab = still.widget
    assert sorted(set(texts(still))) == [lab.numbers["published"], "?"]
    assert "1.57" not in still.page.locator(".srlab").inner_text(), "the spread"
    still.page.get_by_role("button", name="Show all").click()
    assert still.sent == [{"press": "reveal"}]
    lab.reveal()
    still.follow()
    assert "?" not in texts(still)
    assert still.page.get_by_role("button", name="Show all").count() == 0


def test_numbers_on_the_page_are_those_of_python(still: Still):
    lab = still.widget
    lab.choose(channels="rgb", shave=3)
    lab.choose(channels="y-full")
    still.follow()
    assert texts(still) == [cell for row in lab.table.values() for cell in row]
    figures = still.page.locator(f"{FIGURES} dd").all_inner_texts()
    numbers = lab.numbers
    assert [text.split()[0] for text in figures] == [
        numbers[name] for name in ("psnr", "delta", "ssim", "spread")
    ]
    assert numbers["psnr"] == f"{lab.reading.psnr:.2f}"
    caption = still.page.locator("[data-name='bicubic of coffee-cup'] figcaption span")
    assert caption.inner_text() == f"{numbers['psnr']} dB"
    pressed = still.page.locator(".cell[aria-pressed=true]")
    assert pressed.get_attribute("data-name") == "y-full 3"
    for css, name in (
        (".cell[data-sign=▲]", "highest"), (".cell[data-sign=▼]", "lowest"),
        (".is-published", "published"),
    ):  # fmt: skip
        assert still.page.locator(f"{css} span").all_inner_texts() == [numbers[name]]


def test_all_settings_of_a_protocol_stand_on_one_line(still: Still):
    still.resize(1100)
    boxes = [box.bounding_box() for box in still.page.locator(".protocol > *").all()]
    assert len(boxes) == 4
    assert max(b["y"] for b in boxes) < min(b["y"] + b["height"] for b in boxes)
