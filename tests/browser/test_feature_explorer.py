"""FeatureExplorer: its view without a kernel, and a person with it in JupyterLab."""

import pytest
from playwright.sync_api import Locator

from srlab.widgets.feature_explorer import FeatureExplorer
from tests.browser.still import Still

pytestmark = pytest.mark.browser

# Without a kernel


@pytest.fixture(scope="module")
def explorer() -> FeatureExplorer:
    return FeatureExplorer()


@pytest.fixture
def widget(explorer: FeatureExplorer) -> FeatureExplorer:
    explorer.choose("raccoon-face", "one", "blurred", "relu2_2", 52)
    return explorer


def figure(still: Still, name: str) -> str:
    return still.page.locator(f'.figure[data-name="{name}"] dd').inner_text()


def test_each_control_moves_its_trait(still: Still):
    still.control("channel").press("End")
    assert still.set == {"channel": 127}, "as many as the layer has"
    still.menu("photograph", "coffee-cup")
    still.menu("layer", "relu4_3")
    still.control("mode").press("ArrowRight")
    assert still.set == {
        "channel": 127, "photograph": "coffee-cup", "layer": "relu4_3", "mode": "pair",
    }  # fmt: skip


def test_the_other_is_chosen_where_there_is_one(still: Still):
    assert still.page.locator("[data-name=other]").count() == 0
    still.widget.choose(mode="pair")
    still.follow()
    assert still.page.locator("[data-name=channel]").count() == 0
    still.page.get_by_label("against").select_option("noisy")
    assert still.set == {"other": "noisy"}


def test_a_thumbnail_is_pressed(still: Still):
    thumbs = still.page.locator(".thumb")
    channels = [thumb["channel"] for thumb in still.widget.atlas]
    assert [int(each.get_attribute("data-channel")) for each in thumbs.all()] == channels
    thumbs.nth(2).locator("img").click()
    assert still.set == {"channel": channels[2]}
    thumbs.nth(3).press("Enter")
    assert still.set == {"channel": channels[3]}
    pressed = still.page.locator(".thumb[aria-pressed=true]")
    assert pressed.get_attribute("data-channel") == str(channels[3])
    blue = "rgb(0, 114, 178)"
    assert pressed.evaluate("thumb => getComputedStyle(thumb).backgroundColor") == blue


def test_photograph_and_map_are_of_one_size(still: Still):
    boxes = [each.bounding_box() for each in still.page.locator(".main .frame").all()]
    assert len(boxes) == 2
    assert {(box["width"], box["height"]) for box in boxes} == {(384, 384)}
    assert boxes[0]["y"] == boxes[1]["y"]


def test_one_ring_on_both_and_what_is_there(still: Still):
    photo = still.page.locator(".frame").first
    photo.hover(position={"x": 100.5, "y": 201.0})
    places = [each.get_attribute("style") for each in rings(still)]
    assert len(set(places)) == 1 < len(places)
    assert figure(still, "ring at") == "50, 100"
    still.page.locator(".stage").first.press("ArrowRight")
    still.page.locator(".stage").first.press("Shift+ArrowUp")
    still.frame()
    assert figure(still, "ring at") == "51, 92"
    assert len({each.get_attribute("style") for each in rings(still)} | set(places)) == 2


def rings(still: Still) -> list[Locator]:
    return still.page.locator(".cursor").all()


def test_the_values_there_are_the_networks(still: Still):
    reading = still.widget.choose(channel=73)
    still.follow()
    values = still.widget.bench.see(("raccoon-face", ""))["relu2_2"][0, 73]
    photo = still.widget.bench.picture(("raccoon-face", ""))
    for x, y in ((10, 20), (150, 60)):
        still.page.locator(".frame").nth(1).hover(position={"x": 2 * x + 1, "y": 2 * y + 1})
        still.frame()
        shown = float(figure(still, "map there"))
        close = reading.max / 255 + 0.01 * reading.max
        assert shown == pytest.approx(values[y // 2, x // 2].item(), abs=close)
        color = (255 * photo[0, :, y, x]).round().int().tolist()
        assert figure(still, "photograph there").split()[-3:] == [str(part) for part in color]


def test_the_ring_stays_in_sight_when_zoomed(still: Still):
    stage = still.page.locator(".stage").first
    stage.press("+")
    for _ in range(8):
        stage.press("Shift+ArrowLeft")
    still.frame()
    frame, ring = (
        still.page.locator(css).first.bounding_box() for css in (".frame", ".cursor")
    )
    assert frame["x"] - 1 <= ring["x"] + ring["width"] / 2 <= frame["x"] + frame["width"] + 1


def test_every_number_is_the_traits(still: Still):
    numbers = still.widget.numbers
    assert float(figure(still, "mean")) == pytest.approx(numbers["mean"], rel=0.01)
    assert float(figure(still, "largest")) == pytest.approx(numbers["max"], rel=0.01)
    assert figure(still, "zeros") == f"{100 * numbers['zeros']:.0f} %"
    assert still.page.locator("[data-name=reading]").inner_text() == still.widget.said
    caption = still.page.locator(".tile figcaption").nth(1).inner_text()
    assert caption == "map relu2_2, channel 52, 96 × 96"


def test_the_last_message_counts(still: Still):
    first, second = (still.widget.choose(channel=c) for c in (3, 4))
    still.receive(numbers={**still.widget.numbers, "mean": first.mean})
    still.follow()
    assert float(figure(still, "mean")) == pytest.approx(second.mean, rel=0.01)
    assert first.mean != pytest.approx(second.mean, rel=0.01)


def test_a_pair_in_maps_and_in_a_table(still: Still):
    shifted = still.widget.choose(mode="pair", other="shifted by 1 px").differences
    blurred = still.widget.choose(other="blurred").differences
    still.follow()
    captions = still.page.locator("[data-name=maps] figcaption").all_inner_texts()
    assert captions == [f"{name} {share:.3f}" for name, share in blurred.items()]
    rows = still.page.locator("[data-name=differences] tbody tr")
    assert rows.count() == 2
    for row, shares in enumerate((shifted, blurred)):
        cells = rows.nth(row).locator("td").all_inner_texts()
        for cell, (name, share) in zip(cells, shares.items(), strict=True):
            worst = share >= max(shifted[name], blurred[name])
            assert cell.strip() == f"{'▲ ' if worst else ''}{share:.3f}"
    still.page.locator("[data-name=maps] .frame").nth(4).hover(position={"x": 1, "y": 1})
    assert figure(still, "ring at") in ("0, 0", "1, 1")
    assert len({each.get_attribute("style") for each in rings(still)}) == 1
    assert len(rings(still)) == 7


def test_who_waits_reads_why(still: Still):
    still.receive(waiting="The network looks at the picture …")
    assert still.page.locator(".waiting").inner_text() == "The network looks at the picture …"
