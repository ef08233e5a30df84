"""GrowthLab without a kernel: by keyboard and by pointer, wide and narrow."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from srlab.widgets.growth import GrowthLab
from tests.browser.still import Still, drawn

pytestmark = pytest.mark.browser


@pytest.fixture
def still(browser: Browser) -> Iterator[Still]:
    yield from drawn(browser, GrowthLab())


def text(still: Still, name: str) -> str:
    return still.page.locator(f".srlab-growth [data-name={name}]").inner_text()


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [
        ("weight", "ArrowLeft", 0.99),
        ("weight", "ArrowRight", 1.01),
        ("correlation", "ArrowRight", 0.05),
    ],
)
def test_by_keyboard(still: Still, name: str, key: str, value: float):
    still.page.get_by_role("slider", name=name).press(key)
    assert still.set == {name: pytest.approx(value)}


def test_figures_and_formula_follow(still: Still):
    assert text(still, "after-8") == "after 8 blocks\n× 262 formula × 256"
    assert text(still, "formula") == "each block: × (1 + 1²) = × 2"
    still.widget.weight = 0.5
    still.widget.correlation = -0.5
    still.follow()
    assert text(still, "formula") == "each block: × (1 − 2 · 0.5 · 0.5 + 0.5²) = × 0.75"
    assert text(still, "kind") == "c is partly the opposite of x."
    assert "formula × 0.1" in text(still, "after-8")


def test_nothing_is_left(still: Still):
    still.widget.correlation = -1.0
    still.follow()
    assert text(still, "after-1") == "after 1 block\n× 0 formula × 0"


@pytest.mark.parametrize("width", [390, 700, 1100])
def test_it_fits_any_page(still: Still, width: int):
    still.must_fit(width)
