"""CheckerboardLab: its view without a kernel, and a person with it in JupyterLab."""

import pytest

from srlab.widgets.checkerboard_lab import CheckerboardLab
from tests.browser.still import Still

pytestmark = pytest.mark.browser

# Without a kernel


@pytest.fixture
def widget() -> CheckerboardLab:
    return CheckerboardLab()


def test_each_control_moves_its_trait(still: Still):
    still.control("init").press("ArrowRight")
    still.control("scale").press("ArrowLeft")
    for name, value in (
        ("upsampler", "resize"), ("loss", "content"), ("photograph", "coffee-cup"),
    ):  # fmt: skip
        still.menu(name, value)
    assert still.set == {
        "init": "icnr", "scale": 2, "upsampler": "resize", "loss": "content",
        "photograph": "coffee-cup",
    }  # fmt: skip


def test_pixels_are_whole(still: Still):
    still.resize(1400)
    boxes = [each.bounding_box() for each in still.page.locator(".stage .frame").all()]
    assert {box["width"] % 52 for box in boxes} == {0}, "a shrunk grid is another grid"
    assert len({box["y"] for box in boxes}) == 1, "four side by side"


def test_init_is_pixelshuffles_alone(still: Still):
    still.receive(upsampler="resize")
    assert still.page.locator("[data-name=init] input").first.is_disabled()
    assert "init is off" in still.page.locator(".note").inner_text()


def test_step_0_is_explained_and_later_not(still: Still):
    assert "Step 0 is bicubic" in still.page.locator(".note").inner_text()
    still.receive(step=1)
    assert "Step 0 is" not in still.page.locator(".note").inner_text()


def test_a_circle_stands_at_each_multiple(still: Still):
    circles = still.page.locator("[data-name=network_spectrum] circle.peak")
    for scale, count in ((4, 24), (2, 8), (8, 80)):
        still.receive(scale=scale)
        assert circles.count() == count
