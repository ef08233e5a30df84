"""A talk in a real browser: without a network, by keyboard, on a phone, on paper."""

import re
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from playwright.sync_api import Browser, Page

from srlab.course.site.slides import find_lesson, write_slides
from tests.browser.axe import grave_violations_on
from tests.browser.lab import browser_page
from tests.browser.test_site import NOT_DRAWN, OUT_OF_REACH, SIDEWAYS, STICKING_OUT
from tests.lesson_cells import notebooks

pytestmark = pytest.mark.browser

LESSONS = [path for path in notebooks() if path.parent.name != "solutions"]
SIZES = {"phone": (390, 844), "wide": (1400, 900)}
SHOWN = """() => [...document.querySelectorAll('.slide')]
  .filter(slide => slide.checkVisibility()).map(slide => slide.ariaLabel)"""
HIDDEN_BY_STEPS = """() => document.querySelector('.slide:not([hidden])')
  .getBoundingClientRect().bottom + scrollY > document.documentElement.scrollHeight
  - document.getElementById('steps').offsetHeight + 1"""

# What a stored output could ask of other hosts, in each way a page can.
ASKING = """
<script>fetch('http://example.org/a'); document.title = 'taken'</script>
<script src="http://example.org/b.js"></script>
<link rel="stylesheet" href="http://example.org/c.css">
<iframe src="http://example.org/d"></iframe>
<div style="background: url(http://example.org/e.png)" onclick="1">e</div>
<video src="http://example.org/f.mp4" poster="http://example.org/g.png"></video>
<svg><image href="http://example.org/h.png"/></svg>
<object data="http://example.org/i"></object>
"""


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    with browser_page(browser, *SIZES["wide"]) as page:
        page.asked, page.wrong = [], []
        page.context.route("**/*", lambda route: note(page, route))
        page.on("console", lambda said: page.wrong.append(said.text))
        page.on("pageerror", lambda error: page.wrong.append(str(error)))
        yield page


def note(page: Page, route) -> None:
    """Let nothing out but what lies on this disk."""
    if not route.request.url.startswith(("file:", "data:")):
        page.asked.append(route.request.url)
        return route.abort()
    return route.continue_()


def talk_of(folder: Path, *cells: nbformat.NotebookNode) -> Path:
    """The talk made of these cells."""
    nbformat.write(new_notebook(cells=[*cells]), folder / "a.ipynb")
    write_slides(folder / "a.ipynb", folder / "a.html")
    return folder / "a.html"


@pytest.fixture
def talk(tmp_path: Path, page: Page) -> Path:
    """Four slides: one with a fragment and notes, one that is long, one with wide code."""
    page.asked.clear(), page.wrong.clear()

    def text(source: str, kind: str) -> nbformat.NotebookNode:
        return new_markdown_cell(source, metadata={"slideshow": {"slide_type": kind}})

    long = "\n\n".join(f"Line {n}" for n in range(120))
    return talk_of(
        tmp_path,
        text("# First", "slide"),
        text("Comes later", "fragment"),
        text("For the speaker", "notes"),
        text(f"## Second\n\n{long}", "slide"),
        text("## Third", "subslide"),
        new_code_cell("x = 1  # " + "wide " * 100),
        text("## Last\n\n$\\frac{1}{2}$", "slide"),
    )


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
def test_each_slide_is_whole_without_a_network(
    page: Page, tmp_path: Path, lesson: Path
) -> None:
    page.asked.clear(), page.wrong.clear()
    count = write_slides(lesson, tmp_path / "talk.html")
    page.context.set_offline(True)
    for kind, (width, height) in SIZES.items():
        page.set_viewport_size({"width": width, "height": height})
        page.goto((tmp_path / "talk.html").as_uri() + f"#{kind}")
        for number in range(1, count + 1):
            where = f"{kind}, slide {number}"
            assert page.evaluate(SHOWN) == [f"{number} of {count}"], where
            assert page.locator(".slide:not([hidden])").inner_text().strip(), where
            for sticking in (STICKING_OUT, OUT_OF_REACH):
                assert page.evaluate(sticking) == [], where
            assert page.evaluate(SIDEWAYS) <= 0, where
            assert not page.evaluate(HIDDEN_BY_STEPS), where
            page.keyboard.press("ArrowRight")
        assert not (found := grave_violations_on(page)), "\n".join(map(str, found))
        assert page.evaluate(NOT_DRAWN) == []
    page.context.set_offline(False)
    assert (page.asked, page.wrong) == ([], [])


def test_keys_and_buttons_lead_through(page: Page, talk: Path) -> None:
    page.set_viewport_size({"width": 1400, "height": 900})
    page.goto(talk.as_uri())
    place, later = page.locator("#place"), page.get_by_text("Comes later")
    assert place.inner_text() == "1 of 4"
    assert not later.is_visible()
    assert page.get_by_role("button", name="Back").is_disabled()
    page.keyboard.press("ArrowRight")
    assert later.is_visible(), "a fragment comes before the next slide"
    assert not page.get_by_text("For the speaker").is_visible()
    page.keyboard.press("ArrowRight")
    assert page.evaluate(SHOWN) == ["2 of 4"]
    assert page.evaluate("document.activeElement.ariaLabel") == "2 of 4", "read out from here"
    page.keyboard.press("ArrowLeft")
    assert later.is_visible(), "back to what was there"
    page.keyboard.press("End")
    assert place.inner_text() == "4 of 4"
    assert page.get_by_role("button", name="Next").is_disabled()
    page.keyboard.press("ArrowRight")
    assert place.inner_text() == "4 of 4"
    page.keyboard.press("Home")
    next_one = page.get_by_role("button", name="Next")
    next_one.focus()
    for _ in range(2):
        page.keyboard.press("Space")
    assert place.inner_text() == "2 of 4", "the space bar presses the button once"
    assert page.evaluate("document.activeElement.id") == "next", "and it stays at hand"
    assert page.wrong == []


def test_a_long_slide_is_read_to_its_end_first(page: Page, talk: Path) -> None:
    page.goto(talk.as_uri() + "#2")
    for _ in range(3):
        page.keyboard.press("PageDown")
        page.wait_for_timeout(300)
    assert page.evaluate("scrollY") > 0
    assert page.locator("#place").inner_text() == "2 of 4"
    page.evaluate("scrollTo(0, 99999)")
    page.keyboard.press("Space")
    assert page.locator("#place").inner_text() == "3 of 4"
    page.keyboard.press("Shift+Space")
    assert page.locator("#place").inner_text() == "2 of 4"


def test_wide_code_scrolls_by_the_arrows(page: Page, talk: Path) -> None:
    page.goto(talk.as_uri() + "#3")
    page.locator("pre.code").focus()
    page.keyboard.press("ArrowRight")
    for _ in range(100):  # not wait_for_function, whose eval the page forbids
        if page.evaluate("document.activeElement.scrollLeft"):
            break
        page.wait_for_timeout(50)
    assert page.evaluate("document.activeElement.scrollLeft") > 0
    assert page.locator("#place").inner_text() == "3 of 4"
    page.keyboard.press("PageDown")
    assert page.locator("#place").inner_text() == "4 of 4", "a presenter's own keys go on"


def test_a_reload_and_an_address_keep_the_place(page: Page, talk: Path) -> None:
    page.goto(talk.as_uri())
    page.keyboard.press("End")
    page.reload()
    assert page.locator("#place").inner_text() == "4 of 4"
    for address, place in {"#2": 2, "#99": 4, "#-3": 1, "#x": 1}.items():
        page.evaluate(f"location.hash = '{address}'")
        page.wait_for_timeout(200)
        assert page.locator("#place").inner_text() == f"{place} of 4"


def test_without_a_script_it_is_one_long_page(browser: Browser, talk: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    try:
        page = context.new_page()
        page.goto(talk.as_uri())
        for text in ("First", "Comes later", "Line 119", "Third", "Last"):
            assert page.get_by_text(text, exact=True).is_visible(), text
        assert not page.locator("#steps").is_visible()
        page.get_by_text("Notes").click()
        assert page.get_by_text("For the speaker").is_visible()
    finally:
        context.close()


def test_on_paper_each_slide_begins_a_page(page: Page, tmp_path: Path) -> None:
    five = talk_of(tmp_path, *(new_markdown_cell(f"## Slide {n}") for n in range(5)))
    page.goto(five.as_uri() + "#3")
    pages = re.findall(rb"/Type\s*/Page\b", page.pdf(prefer_css_page_size=True))
    assert len(pages) == 5


def test_no_output_asks_another_host(page: Page, tmp_path: Path) -> None:
    page.asked.clear()
    cell = new_code_cell("1", outputs=[new_output("display_data", {"text/html": ASKING})])
    asking = talk_of(tmp_path, new_markdown_cell(f"# Honest\n\n{ASKING}"), cell)
    page.goto(asking.as_uri())
    page.wait_for_timeout(500)
    assert page.asked == []
    assert page.title() == "Honest"
    # The same without our policy would ask: so the test can fail.
    html = asking.read_text().replace("Content-Security-Policy", "x-nothing")
    (tmp_path / "b.html").write_text(html)
    page.goto((tmp_path / "b.html").as_uri())
    page.wait_for_timeout(500)
    assert len(page.asked) >= 6


def test_a_lesson_fits_a_projector(page: Page, tmp_path: Path) -> None:
    """Few slides are longer than the window, since a tall one is made smaller."""
    count = write_slides(find_lesson("00"), tmp_path / "talk.html")
    page.set_viewport_size({"width": 1400, "height": 900})
    page.goto((tmp_path / "talk.html").as_uri())
    tall = 0
    for _ in range(count):
        tall += page.evaluate("document.documentElement.scrollHeight > innerHeight + 1")
        page.keyboard.press("ArrowRight")
    assert tall <= 3
