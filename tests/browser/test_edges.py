"""The edges, drawn without a kernel: drag one, or move it by key."""

import pytest

from srlab.widgets.edges import Edges
from tests.browser.still import Still

pytestmark = pytest.mark.browser


@pytest.fixture
def widget() -> Edges:
    return Edges([4] * 5)


def test_an_arrow_key_moves_an_edge_and_the_answers_follow(still: Still) -> None:
    mean, median = (still.page.locator(f"[data-name={name}]") for name in ("mean", "median"))
    assert mean.get_attribute("data-steepest") == "1.0"
    still.page.get_by_label("edge of truth 5").press("ArrowRight")
    assert still.set["places"] == [4, 4, 4, 4, 5]
    still.widget.places = [4, 4, 4, 4, 5]
    still.follow()
    assert mean.get_attribute("data-steepest") == "0.8"
    assert median.get_attribute("data-steepest") == "1.0"
    assert "blurred" in mean.inner_text()


def test_a_thumb_stands_on_its_edge_and_can_be_dragged(still: Still) -> None:
    row = still.page.locator(".row").first.bounding_box()
    pixel, y = row["width"] / still.widget.pixels, row["y"] + row["height"] / 2
    still.page.mouse.move(row["x"] + 4 * pixel, y)  # where the first edge is
    still.page.mouse.down()
    still.page.mouse.move(row["x"] + 7 * pixel, y, steps=5)
    still.page.mouse.up()
    assert still.set["places"] == [7, 4, 4, 4, 4]
