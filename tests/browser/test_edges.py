"""The edges, drawn without a kernel: drag one, or move it by key."""

import pytest
from playwright.sync_api import Browser

from srlab.widgets.edges import Edges
from tests.browser.lab import browser_page
from tests.browser.still import Still

pytestmark = pytest.mark.browser


def test_an_arrow_key_moves_an_edge_and_the_answers_follow(browser: Browser) -> None:
    lab = Edges([4] * 5)
    with browser_page(browser) as page:
        still = Still(page, lab)
        assert page.locator("[data-name=mean]").get_attribute("data-steepest") == "1.0"
        page.get_by_label("edge of truth 5").press("ArrowRight")
        assert still.set["places"] == [4, 4, 4, 4, 5]
        lab.places = still.set["places"]
        still.follow()
        assert page.locator("[data-name=mean]").get_attribute("data-steepest") == "0.8"
        assert page.locator("[data-name=median]").get_attribute("data-steepest") == "1.0"
        assert "blurred" in page.locator("[data-name=mean]").inner_text()
        assert still.problems == []


def test_a_thumb_stands_on_its_edge_and_can_be_dragged(browser: Browser) -> None:
    lab = Edges([2, 3, 4, 5, 9])
    with browser_page(browser) as page:
        still = Still(page, lab)
        row = page.locator(".row").first.bounding_box()
        assert row is not None
        pixel = row["width"] / lab.pixels
        y = row["y"] + row["height"] / 2
        page.mouse.move(row["x"] + 2 * pixel, y)  # where the first edge is
        page.mouse.down()
        page.mouse.move(row["x"] + 7 * pixel, y, steps=5)
        page.mouse.up()
        assert still.set["places"] == [7, 3, 4, 5, 9]


