"""MetricLab: its view without a kernel, and a person with it in JupyterLab."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from srlab.widgets.metric_lab import MetricLab
from tests.browser.axe import grave_violations_on
from tests.browser.lab import LabPage, browser_page, wait_until
from tests.browser.still import Still

pytestmark = pytest.mark.browser

FIGURES = ".srlab-metric .figures"


@pytest.fixture
def still(browser: Browser) -> Iterator[Still]:
    with browser_page(browser) as page:
        still = Still(page, MetricLab())
        yield still
        assert still.problems == []


def texts(still: Still) -> list[str]:
    return still.page.locator(".cell span").all_inner_texts()


def test_a_key_moves_the_border_by_one_pixel(still: Still):
    still.page.get_by_role("slider", name="shave").press("ArrowRight")
    still.frame()
    assert still.set == {"shave": 5}
    still.page.get_by_label("shave, exact").fill("11")
    still.page.get_by_label("shave, exact").press("Enter")
    still.frame()
    assert still.set == {"shave": 11}


def test_the_border_is_dragged(still: Still):
    box = still.page.get_by_role("slider", name="shave").bounding_box()
    still.page.mouse.click(box["x"] + box["width"] - 2, box["y"] + box["height"] / 2)
    still.frame()
    assert still.set == {"shave": 16}


def test_channels_and_menus(still: Still):
    still.page.locator("[data-name=channels] input:checked").press("ArrowRight")
    still.frame()
    assert still.set == {"channels": "y-full"}
    still.page.get_by_text("RGB", exact=True).first.click()
    still.page.get_by_label("resampler").select_option("nearest")
    still.page.get_by_label("photograph").select_option("citrus-slices")
    still.frame()
    assert still.set == {
        "channels": "rgb",
        "resampler": "nearest",
        "photograph": "citrus-slices",
    }


@pytest.mark.parametrize("by", ["pointer", "key"])
def test_a_cell_chooses_its_protocol(still: Still, by: str):
    cell = still.page.get_by_role("button", name="RGB, 8 px: not measured yet")
    if by == "key":
        cell.press("Enter")
    else:
        cell.click()
    still.frame()
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
    assert still.page.locator(".cell[data-sign=▲] span").all_inner_texts() == [
        numbers["highest"]
    ]
    assert still.page.locator(".cell[data-sign=▼] span").all_inner_texts() == [
        numbers["lowest"]
    ]
    assert still.page.locator(".is-published span").all_inner_texts() == [numbers["published"]]


def test_an_error_is_an_alert(still: Still):
    still.receive(error="take larger pictures")
    assert still.page.get_by_role("alert").inner_text() == "take larger pictures"


def test_all_settings_of_a_protocol_stand_on_one_line(still: Still):
    still.page.set_viewport_size({"width": 1100, "height": 900})
    still.frame()
    boxes = [box.bounding_box() for box in still.page.locator(".protocol > *").all()]
    assert len(boxes) == 4
    lowest_top, highest_bottom = (
        max(box["y"] for box in boxes),
        min(box["y"] + box["height"] for box in boxes),
    )
    assert lowest_top < highest_bottom


@pytest.mark.parametrize("width", [360, 390, 700, 1100, 1600])
def test_it_fits_any_page(still: Still, width: int):
    still.widget.reveal()
    still.page.set_viewport_size({"width": width, "height": 900})
    still.follow()
    assert still.page.evaluate("document.documentElement.scrollWidth") <= width
    for cell in still.page.locator(".cell").all():
        box, text = cell.bounding_box(), cell.locator("span").bounding_box()
        assert box["x"] <= text["x"]
        assert text["x"] + text["width"] <= box["x"] + box["width"]
    assert grave_violations_on(still.page) == []


# In JupyterLab


def test_a_person_wins_decibels(lab: LabPage):
    lab.write(
        "metric.ipynb", "from srlab.widgets.metric_lab import MetricLab\nlab = MetricLab()\nlab"
    )
    lab.open("metric.ipynb")
    lab.run_all(timeout=180)
    lab.page.get_by_role("button", name="Y 0–255, 16 px: not measured yet").click()
    lab.wait_for_status(FIGURES, "data-channels", "y-full")
    lab.wait_for_status(FIGURES, "data-shave", "16")
    lab.page.get_by_role("slider", name="shave").press("ArrowLeft")
    lab.wait_for_status(FIGURES, "data-shave", "15")
    wait_until(
        lambda: (
            lab.ask("print(f'{lab.reading.psnr:.2f} {lab.shave}')")
            == f"{lab.status(FIGURES)['data-psnr']} 15"
        ),
        what="the page to say what Python measured",
    )
    lab.ask("print(lab.choose(channels='rgb'))")
    lab.wait_for_status(FIGURES, "data-channels", "rgb")
    lab.page.get_by_role("button", name="Show all").click()
    wait_until(lambda: lab.page.locator(".cell", has_text="?").count() == 0, what="all figures")
    assert lab.problems == []
