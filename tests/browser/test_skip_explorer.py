"""SkipExplorer: its view without a kernel, and a person with it in JupyterLab."""

import pytest

from srlab.unet import UNet
from srlab.widgets.skip_explorer import SkipExplorer
from tests.browser.still import Still

pytestmark = pytest.mark.browser

# Without a kernel


@pytest.fixture(scope="module")
def explorer() -> SkipExplorer:
    return SkipExplorer(UNet(2, num_features=4, depth=3))


@pytest.fixture
def widget(explorer: SkipExplorer) -> SkipExplorer:
    explorer.set("network", "unet-x4")
    explorer.as_trained()
    return explorer


def test_each_control_moves_its_trait(still: Still):
    still.control("gain_2").press("End")
    still.menu("photograph", "coffee-cup")
    still.menu("network", "yours")
    assert still.set == {"gain_2": 2, "photograph": "coffee-cup", "network": "yours"}
    still.page.get_by_role("button", name="All as trained").press("Enter")
    assert still.sent == [{"press": "as_trained"}]


def mute_by(still: Still, how: str, skip: str) -> None:
    drawn = still.page.locator(f"g.skip[data-name='{skip}']")
    if how == "click":
        drawn.click()
    elif how == "switch":
        still.page.get_by_role("switch", name=f"{skip} on").press("Space")
    else:
        drawn.press(how)
    still.frame()


@pytest.mark.parametrize("how", ["click", "Enter", "Space", "switch"])
def test_a_skip_is_muted_and_gets_back_what_it_had(still: Still, how: str):
    still.receive(gain_1=0.6)
    mute_by(still, how, "skip 1")
    assert still.set == {"gain_1": 0}
    drawn = still.page.locator("g.skip[data-name='skip 1']")
    assert drawn.get_attribute("aria-pressed") == "true"
    assert "skip 1: muted" in drawn.text_content()
    assert "muted" in still.page.locator(".unet svg").get_attribute("aria-label")
    mute_by(still, how, "skip 1")
    assert still.set == {"gain_1": 0.6}


def test_every_number_is_the_traits(still: Still, explorer: SkipExplorer):
    explorer.set("skip 1", 0.5)
    still.follow()
    for picture in (explorer.bicubic, explorer.trained, explorer.now, explorer.truth):
        shown = still.page.locator(f".tiles figure[data-name='{picture['name']}']")
        assert picture["caption"] in shown.inner_text()
        assert shown.locator("img").get_attribute("alt") == picture["alt"]
    change = f"{explorer.changes['psnr']:+z.2f}".replace("-", "−")
    assert change in still.page.locator("[data-name=changes]").inner_text()
    for name, alone in explorer.muted_alone.items():
        row = still.page.locator("[data-name=muted-alone] tbody tr", has_text=name)
        assert f"{alone['psnr']:+z.2f}".replace("-", "−") in row.first.inner_text()
    words = still.page.locator(".unet svg").get_attribute("aria-label")
    assert "skip 1 32 ch, 32 × 32; skip 2 64 ch, 16 × 16; bottom 128 ch, 8 × 8" in words
    assert f"{explorer.sizes['skip 1']:.2g} through skip 1, gain 0.5" in words


def test_the_u_is_as_deep_as_its_network(still: Still, explorer: SkipExplorer):
    assert still.page.locator("g.skip").count() == 2
    explorer.set("network", "yours")
    still.follow()
    assert still.page.locator("g.skip").count() == 3
    assert still.page.locator("g.box").count() == 2 * 3 + 3
    assert "train it first" in still.page.locator("[data-name=asleep]").inner_text()


def test_a_muted_skip_is_gray_and_dashed_and_another_has_the_terms_color(still: Still):
    style = "el => [getComputedStyle(el).stroke, getComputedStyle(el).strokeDasharray]"
    still.receive(gain_1=0)
    muted, whole = (line.evaluate(style) for line in still.page.locator(".skip polyline").all())
    assert whole == ["rgb(213, 94, 0)", "none"]
    assert muted[0] != whole[0]
    assert muted[1] == "6px, 5px"
