"""The static pages in a real browser: on a phone, at 200 %, by keyboard, without a network."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.axe import grave_violations_on
from tests.browser.conftest import LESSONS
from tests.browser.lab import browser_page
from tests.lesson_cells import ROOT

pytestmark = pytest.mark.browser

# The list, a long page and a lab's; the others are made by the same template.
REFERENCE = [f"reference/{name}.html" for name in ("index", "losses", "widgets.photo_desk")]
PHONE, ZOOMED = 390, 640  # px; 1280 px at 200 % are 640
WIDTHS = {"phone": PHONE, "zoomed": ZOOMED, "wide": 1280}

# What sticks out of the window to the right, but for what scrolls in a box of its own.
STICKING_OUT = """() => [...document.body.querySelectorAll('*')]
  .filter(part => !part.closest('pre, .box, .skip')
    && part.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
  .map(part => part.outerHTML.slice(0, 90))"""
SIDEWAYS = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
NOT_DRAWN = """() => [...document.images].filter(one => !one.complete || !one.naturalWidth)
  .map(one => one.alt)"""
OUT_OF_REACH = """() => [...document.querySelectorAll('pre, .box')]
  .filter(box => box.scrollWidth > box.clientWidth + 1)
  .filter(box => box.tabIndex !== 0 || getComputedStyle(box).overflowX !== 'auto')
  .map(box => box.outerHTML.slice(0, 90))"""


def page_names() -> list[str]:
    from srlab.course.copy import course_files
    from srlab.course.site.links import html_name

    texts = [name for name in course_files(LESSONS) if name.endswith((".md", ".ipynb"))]
    return [*map(html_name, texts), "solutions/index.html", *REFERENCE]


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    with browser_page(browser, PHONE, 844) as page:
        yield page


@pytest.mark.parametrize("name", page_names())
def test_a_page_is_whole_at_each_width(page: Page, site: Path, name: str) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto((site / name).as_uri())
    page.locator("summary").first.click()
    for kind, width in WIDTHS.items():
        page.set_viewport_size({"width": width, "height": 844})
        assert page.evaluate(NOT_DRAWN) == [], kind
        assert page.evaluate(STICKING_OUT) == [], kind
        assert page.evaluate(SIDEWAYS) <= 0, kind
        assert page.evaluate(OUT_OF_REACH) == [], kind
    assert not (found := grave_violations_on(page)), "\n".join(map(str, found))
    elsewhere = [url[:90] for url in asked if not url.startswith((site.as_uri(), "data:"))]
    assert asked
    assert elsewhere == []


def test_a_reader_goes_from_page_to_page_by_keyboard(page: Page, site: Path) -> None:
    page.goto((site / "index.html").as_uri())
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the text"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.get_by_role("link", name="Loss Lab", exact=True).last.focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/05_loss_lab.html")
    assert page.get_by_role("heading", level=1).inner_text() == "The Loss Lab"
    page.get_by_text("Lessons", exact=True).focus()
    page.keyboard.press("Enter")
    page.get_by_role("navigation").get_by_role("link", name="06 · UNet").click()
    page.wait_for_url("**/06_unet.html")


def test_code_scrolls_in_its_box_by_keyboard(page: Page, site: Path) -> None:
    page.set_viewport_size({"width": PHONE, "height": 844})
    page.goto((site / "01_pixel_loss.html").as_uri())
    code = page.locator("pre.code", has_text="def training_step").first
    code.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("document.activeElement.scrollLeft > 0")
    assert page.evaluate("window.scrollX") == 0


def test_a_widgets_picture_scrolls_on_a_phone_and_stays_readable(
    page: Page, site: Path
) -> None:
    page.set_viewport_size({"width": PHONE, "height": 844})
    page.goto((site / "03_weighted_residuals.html").as_uri())
    picture = page.locator(".widget img").first.bounding_box()
    assert picture
    assert picture["width"] > 600, "px; at 358 its letters are 4 px high"
    assert page.evaluate(SIDEWAYS) <= 0


def test_formulas_are_drawn(page: Page, site: Path) -> None:
    page.goto((site / "00_pairs_and_metrics.html").as_uri())
    for formula in page.locator("math").all():
        box = formula.bounding_box()
        assert box
        assert box["width"] > 5, formula.inner_text()
        assert box["height"] > 5, formula.inner_text()
    fraction = page.locator("mfrac").first
    assert fraction.bounding_box()["height"] > 25, "one above the other"


def test_what_these_tests_would_find(page: Page, tmp_path: Path) -> None:
    bad = tmp_path / "bad.html"
    bad.write_text(
        "<html lang=en><title>x</title><main><h1>x</h1><img src='data:,' alt='none'>"
        "<div style='width: 900px'>wide</div><pre style='width: 50px'>longer than that</pre>"
    )
    page.set_viewport_size({"width": PHONE, "height": 844})
    page.goto(bad.as_uri())
    assert page.evaluate(NOT_DRAWN) == ["none"]
    assert len(page.evaluate(STICKING_OUT)) >= 1
    assert page.evaluate(SIDEWAYS) > 0
    assert len(page.evaluate(OUT_OF_REACH)) == 1


def test_make_site_writes_into_a_folder_that_git_ignores() -> None:
    assert "/site/" in (ROOT / ".gitignore").read_text().split()
