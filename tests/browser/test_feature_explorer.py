"""FeatureExplorer in JupyterLab, by keyboard and mouse."""

import pytest

from tests.browser.lab import LabPage, wait_until

pytestmark = pytest.mark.browser

CELLS = [
    "from srlab.widgets.feature_explorer import FeatureExplorer",
    "explorer = FeatureExplorer()\nexplorer",
]
STATUS = ".srlab-feature-status"
MAP = ".srlab-activation"


@pytest.fixture
def page(lab: LabPage) -> LabPage:
    lab.page.set_viewport_size({"width": 1100, "height": 1300})
    lab.write("features.ipynb", *CELLS)
    lab.open("features.ipynb")
    lab.run_all()
    return lab


def test_a_person_explores(page: LabPage):
    every_control_has_its_label(page)
    layer_and_channel_by_keyboard(page)
    a_tile_of_the_atlas_chooses_its_channel(page)
    a_pair_by_keyboard(page)
    assert page.problems == []


def choose_next(page: LabPage, css: str) -> None:
    """Open a list, go one down. Closed, its arrow keys would move JupyterLab's cells."""
    page.find(f"{css} select").focus()
    for key in ("Space", "ArrowDown", "Enter"):
        page.page.keyboard.press(key)


def every_control_has_its_label(page: LabPage):
    for name in ("Photograph", "Mode", "Layer"):
        assert page.page.get_by_label(name, exact=True).is_visible()
    assert page.find(".srlab-channel .widget-label").inner_text() == "Channel"
    pictures = page.page.locator(".srlab-feature-explorer img >> visible=true")
    assert pictures.count() == 2 + 12
    assert all(picture.get_attribute("alt") for picture in pictures.all())


def layer_and_channel_by_keyboard(page: LabPage):
    old = page.picture_hash(MAP)
    choose_next(page, ".srlab-layer")
    page.wait_for_status(STATUS, "data-layer", "relu2_2")
    old = page.wait_for_new_picture(MAP, old)

    before = page.status(STATUS)
    page.press(".srlab-channel", "ArrowLeft", times=2)
    page.wait_for_status(STATUS, "data-channel", str(int(before["data-channel"]) - 2))
    page.wait_for_new_picture(MAP, old)
    shown = page.status(STATUS)
    assert shown["data-mean"] != before["data-mean"]
    assert page.ask("print(f'{explorer.reading.mean:.6g}')") == shown["data-mean"]

    # As many channels as the layer has; ipywidgets' End key goes to the old end, 63.
    page.enter(".srlab-channel", 126)
    page.press(".srlab-channel", "ArrowRight", times=2)
    page.wait_for_status(STATUS, "data-channel", "127")


def a_tile_of_the_atlas_chooses_its_channel(page: LabPage):
    tile = page.page.locator(".srlab-atlas button").first
    channel = tile.inner_text()
    tile.focus()
    page.page.keyboard.press("Enter")
    page.wait_for_status(STATUS, "data-channel", channel)
    assert page.readout(".srlab-channel") == int(channel)


def a_pair_by_keyboard(page: LabPage):
    choose_next(page, ".srlab-mode")
    page.wait_for_status(STATUS, "data-other", "shifted by 1 px")
    shifted = page.status(STATUS)
    page.page.locator(MAP).wait_for(state="hidden")
    maps = page.page.locator(".srlab-layers img >> visible=true")
    wait_until(lambda: maps.count() == 4, what="a map for each layer")

    old = page.picture_hash(".srlab-layers")
    assert page.page.get_by_label("Other", exact=True).is_visible()
    choose_next(page, ".srlab-other")
    page.wait_for_status(STATUS, "data-other", "blurred")
    page.wait_for_new_picture(".srlab-layers", old)
    blurred = page.status(STATUS)
    assert float(shifted["data-pixels"]) > float(blurred["data-pixels"])
    assert float(shifted["data-relu3_3"]) < float(blurred["data-relu3_3"])
    rows = page.page.locator(".srlab-table tbody tr")
    wait_until(lambda: rows.count() == 2, what="a row for each pair")
    assert rows.first.inner_text().startswith("shifted by 1 px\t▲ 0.1")
