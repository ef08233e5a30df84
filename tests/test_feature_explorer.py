"""The explorer's figures against the network asked directly, and against hand-made maps."""

import io
import json

import pytest
import torch
from PIL import Image

from srlab.data import degrade, embedded_photo
from srlab.features import FeatureExtractor, count_hooks
from srlab.losses import content_loss
from srlab.models import enlarge
from srlab.widgets.feature_explorer import FeatureExplorer, bench, lab
from srlab.widgets.feature_explorer.changes import (
    CHANGES,
    add_noise,
    blur,
    reduce_and_enlarge,
    shift,
)
from srlab.widgets.feature_explorer.pictures import COLORS, color_map, thumbnail
from srlab.widgets.feature_explorer.reading import difference_map, relative_difference
from tests.watching import from_another_thread

LAYERS = ["relu1_2", "relu2_2", "relu3_3"]


@pytest.fixture(scope="module")
def extractor() -> FeatureExtractor:
    return FeatureExtractor(LAYERS)


@pytest.fixture
def explorer(extractor: FeatureExtractor, photo: torch.Tensor) -> FeatureExplorer:
    pictures = {"cat": photo, "copy": photo.clone(), "corner": photo[..., :40, :42]}
    return FeatureExplorer(extractor, pictures)


def picture_of(tile: dict) -> Image.Image:
    with Image.open(io.BytesIO(tile["data"])) as picture:
        return picture.convert("RGB")


# One picture


@pytest.mark.parametrize(("layer", "channel"), [("relu1_2", 63), ("relu3_3", 200)])
def test_figures_are_those_of_the_network(explorer, extractor, photo, layer, channel):
    reading = explorer.choose(photograph="cat", layer=layer, channel=channel)
    values = extractor(photo)[layer][0, channel]
    assert reading is explorer.reading
    assert reading.shape == tuple(values.shape)
    assert reading.mean == pytest.approx(values.mean().item(), rel=1e-5)
    assert reading.max == pytest.approx(values.max().item(), rel=1e-5)
    assert reading.zeros == pytest.approx((values == 0).sum().item() / values.numel())
    assert 0 < reading.zeros < 1
    assert reading.differences == {}
    assert count_hooks(extractor) == 0


def test_the_sentence_and_the_numbers_are_the_reading(explorer):
    reading = explorer.choose(layer="relu2_2", channel=5)
    assert explorer.said == (
        f"cat in relu2_2, channel 5: 64 × 48, mean {reading.mean:.3g}, "
        f"largest {reading.max:.3g}, {100 * reading.zeros:.0f} % zeros"
    )
    assert repr(explorer) == f"FeatureExplorer: {explorer.said}"
    assert explorer.activation["alt"] == f"Activation map: {explorer.said}"
    for name in ("layer", "channel", "mode", "mean", "max", "zeros"):
        assert explorer.numbers[name] == vars(reading)[name]
    json.dumps(explorer.numbers, allow_nan=False)


def test_photograph_and_map_are_of_one_size(explorer, extractor, photo):
    """So one zoom and one cursor serve both, and a pixel's color says the map's value."""
    explorer.choose("cat", layer="relu3_3", channel=200)
    values = extractor(photo)["relu3_3"][0, 200].detach()  # (24, 32)
    shown = picture_of(explorer.activation)
    assert shown.size == picture_of(explorer.photo).size == (128, 96)
    low, high = explorer.activation["low"], explorer.activation["high"]
    assert (low, high) == (0, values.max().item())
    for y, x in ((0, 0), (50, 70), (95, 127)):
        color = "#" + bytes(shown.getpixel((x, y))).hex()
        value = low + explorer.colors.index(color) / 255 * (high - low)
        assert value == pytest.approx(values[y // 4, x // 4].item(), abs=(high - low) / 100)


def test_embedded_photographs_are_cut_to_192_px(extractor):
    explorer = FeatureExplorer(extractor)
    assert explorer.reading.photograph == "raccoon-face"
    for name in explorer.bench.photographs:
        picture = explorer.bench.picture((name, ""))
        assert picture.shape == (1, 3, 192, 192)
    middle = embedded_photo("coffee-cup")[..., 104:296, 204:396]
    assert torch.equal(explorer.bench.picture(("coffee-cup", "")), middle)
    trained_on = {"chelsea-cat", "bridge-stays"}
    assert not trained_on & set(explorer.bench.photographs)


def test_without_an_extractor_four_layers_of_the_embedded_network():
    explorer = FeatureExplorer(pictures={"gray": torch.full((1, 3, 16, 16), 0.5)})
    assert explorer.bench.layers == ["relu1_2", "relu2_2", "relu3_3", "relu4_3"]
    assert explorer.choose(layer="relu4_3", channel=511).shape == (2, 2)


def test_layers_are_listed_by_depth(photo):
    explorer = FeatureExplorer(FeatureExtractor(["relu2_2", "relu1_1"]), {"cat": photo})
    assert explorer.choices["layer"] == ["relu1_1", "relu2_2"]


def test_controls_act_like_the_call(explorer):
    explorer.photograph = "corner"
    from_another_thread(lambda: setattr(explorer, "layer", "relu3_3"))
    explorer.set_state({"channel": 17})  # as the page does
    acted = explorer.reading
    assert (acted.photograph, acted.layer, acted.channel) == ("corner", "relu3_3", 17)
    assert acted == explorer.choose("corner", "one", None, "relu3_3", 17)
    explorer.mode = "pair"
    explorer.set_state({"other": "noisy"})
    assert explorer.reading == explorer.choose(mode="pair", other="noisy")
    assert explorer.reading.differences


def test_the_place_in_each_layer_is_kept(explorer):
    explorer.choose(layer="relu3_3", channel=200)
    assert explorer.channels == {"relu1_2": 64, "relu2_2": 128, "relu3_3": 256}
    assert explorer.choose(layer="relu2_2").channel == 127  # it has no 200
    explorer.channel = 9
    assert explorer.choose(layer="relu3_3").channel == 200
    explorer.layer = "relu2_2"
    assert explorer.reading.channel == explorer.channel == 9


def test_a_channel_beyond_the_last_is_the_last(explorer):
    """As a page says that has not heard of another layer yet."""
    explorer.choose(layer="relu1_2")
    explorer.channel = 200
    assert explorer.channel == explorer.reading.channel == 63


def test_the_atlas_shows_the_strongest_channels(explorer, extractor, photo):
    explorer.choose(photograph="cat", layer="relu2_2", channel=3)
    means = extractor(photo)["relu2_2"][0].mean(dim=(1, 2))
    shown = [thumb["channel"] for thumb in explorer.atlas]
    assert shown == means.argsort(descending=True)[:12].tolist()
    assert explorer.atlas[4]["mean"] == pytest.approx(means[shown[4]].item(), rel=1e-5)
    assert explorer.atlas[4]["alt"] == f"channel {shown[4]}, mean {means[shown[4]]:.3g}"
    assert picture_of(explorer.atlas[4]).size == (64, 48)


def test_a_thumbnail_is_small_and_means_what_it_shrinks():
    values = torch.zeros(200, 100)
    values[:100] = 2
    small = thumbnail(values).convert("RGB")
    assert small.size == (48, 96)
    dark, bright = (tuple(bytes.fromhex(COLORS[at][1:])) for at in (0, 255))
    assert (small.getpixel((9, 0)), small.getpixel((9, 95))) == (bright, dark)


def test_a_moved_slider_asks_the_network_nothing(explorer, monkeypatch):
    explorer.choose(layer="relu1_2", channel=0)
    explorer.choose(mode="pair", other="blurred")
    monkeypatch.setattr(explorer.bench, "extractor", None)
    before, atlas = explorer.activation, explorer.atlas
    explorer.choose(mode="one", channel=1)
    assert explorer.activation != before
    assert explorer.atlas is atlas, "nor is it drawn again"
    assert explorer.choose(mode="pair").differences


def test_a_large_collection_does_not_fill_the_memory(explorer, monkeypatch):
    monkeypatch.setattr(bench, "CACHE_BYTES", 1)
    for other in CHANGES:
        assert explorer.choose("cat", "pair", other).other == other
        assert list(explorer.bench._cache) == [("cat", ""), ("cat", other)]


# A pair


@pytest.mark.parametrize("other", CHANGES)
def test_differences_are_those_of_the_network(explorer, extractor, photo, other):
    differences = explorer.choose("cat", "pair", other).differences
    changed = CHANGES[other][0](photo)
    seen, wanted = extractor(changed), extractor(photo)
    assert list(differences) == ["pixels", *LAYERS]
    pixels = (changed - photo).abs().mean() / photo.mean()
    assert differences["pixels"] == pytest.approx(pixels.item(), rel=1e-4)
    for layer in LAYERS:
        content = content_loss(seen, wanted, {layer: 1.0}) / wanted[layer].mean()
        assert differences[layer] == pytest.approx(content.item(), rel=1e-4)
    assert explorer.numbers["differences"] == differences
    shown = {tile["name"]: tile["caption"] for tile in explorer.differences}
    assert shown == {name: f"{share:.3f}" for name, share in differences.items()}


def test_a_picture_does_not_differ_from_itself(explorer):
    for other in ("cat", "copy"):
        reading = explorer.choose("cat", "pair", other)
        assert reading.differences == dict.fromkeys(["pixels", *LAYERS], 0.0)
        start = f"cat against {other}, relative difference: pixels 0.000"
        assert explorer.said.startswith(start)
    for each in explorer.differences:
        assert (each["low"], each["high"]) == (0, 0)
        assert each["alt"] == f"Where they differ in {each['name']}: 0.000"
    assert explorer.second["name"] == "copy"
    explorer.choose(other="cat")
    assert explorer.second["name"] == "cat, again", "two tiles of one name would be one"


def test_pixels_prefer_the_blur_and_deep_layers_the_shift(extractor):
    explorer = FeatureExplorer(extractor)
    for name in explorer.bench.photographs:
        shifted = explorer.choose(name, "pair", "shifted by 1 px").differences
        blurred = explorer.choose(other="blurred").differences
        assert shifted["pixels"] > blurred["pixels"]
        assert shifted["relu3_3"] < blurred["relu3_3"] / 2


def test_the_table_has_a_row_for_each_pair_seen(explorer):
    explorer.choose("cat", "pair", "noisy")
    noisy = explorer.reading.differences
    assert explorer.measured == [{"other": "noisy", **noisy}]
    blurred = explorer.choose(other="blurred").differences
    rows = [{"other": "blurred", **blurred}, {"other": "noisy", **noisy}]
    assert explorer.measured == rows, "in the order of the menu"
    explorer.choose("corner")
    assert [row["other"] for row in explorer.measured] == ["blurred"]


def test_only_pictures_of_one_size_are_compared(explorer):
    assert explorer.choices["other"] == [*CHANGES, "cat", "copy"]
    explorer.choose("cat", "pair", "copy")
    assert explorer.choose("corner").other == "shifted by 1 px"
    assert explorer.choices["other"] == [*CHANGES, "corner"]
    with pytest.raises(ValueError, match=r"other must be one of .*corner, but got 'cat'\."):
        explorer.choose(other="cat")


def test_by_hand():
    photo = torch.tensor([[[[1.0, 3.0]], [[0.0, 0.0]]]])  # (1, 2, 1, 2)
    other = torch.tensor([[[[2.0, 3.0]], [[0.0, 4.0]]]])
    assert relative_difference(other, photo) == pytest.approx((1 + 4) / 4)
    assert difference_map(other, photo).tolist() == [[0.5, 2.0]]
    black = torch.zeros_like(photo)
    assert relative_difference(black, black) == 0
    assert relative_difference(photo, black) == float("inf")


def test_changes(photo):
    assert torch.equal(shift(photo)[..., 1:], photo[..., :-1])
    assert torch.equal(shift(photo)[..., 0], photo[..., 0])
    assert torch.equal(reduce_and_enlarge(photo), enlarge(degrade(photo, 4), 4).clamp(0, 1))
    assert reduce_and_enlarge(photo[..., :33, :50]).shape == (1, 3, 33, 50)
    assert torch.equal(add_noise(photo), add_noise(photo))
    gray = torch.full((1, 3, 40, 40), 0.5)
    assert (add_noise(gray) - gray).std().item() == pytest.approx(0.05, rel=0.05)


def test_blur_is_a_gaussian_of_one_and_a_half_px():
    point = torch.zeros(1, 3, 31, 31)
    point[..., 15, 15] = 1
    spread = blur(point)[0, 0]
    across = torch.arange(31) - 15
    assert spread.sum().item() == pytest.approx(1)
    assert (spread.sum(0) * across**2).sum().item() == pytest.approx(1.5**2, rel=0.01)
    assert torch.allclose(spread, spread.T)
    assert torch.allclose(blur(torch.ones(1, 3, 20, 20)), torch.ones(()))


# Colors


def test_colors_run_from_zero_to_the_largest_value():
    scale = color_map(torch.arange(256).view(1, 256).float()).convert("RGB")
    assert [scale.getpixel((x, 0)) for x in (0, 255)] == [(0, 34, 78), (254, 232, 56)]
    shown = color_map(torch.tensor([[0.0, 51.0], [102.0, 255.0]]) / 1000).convert("RGB")
    colors = [shown.getpixel(at) for at in ((0, 0), (1, 0), (0, 1), (1, 1))]
    assert colors == [scale.getpixel((x, 0)) for x in (0, 51, 102, 255)]
    # values above 0 alone are not stretched; below 0 the lowest is dark
    high = color_map(torch.tensor([[100.0, 200.0]])).convert("RGB")
    assert high.getpixel((0, 0)) == scale.getpixel((128, 0))
    low = color_map(torch.tensor([[-1.0, 1.0, 0.0]])).convert("RGB")
    shown, wanted = ([p.getpixel((x, 0)) for x in xs]
                     for p, xs in ((low, (0, 1, 2)), (scale, (0, 255, 128))))  # fmt: skip
    assert shown == wanted


def test_a_silent_channel_is_dark_and_says_so(extractor):
    explorer = FeatureExplorer(extractor, {"flat": torch.full((1, 3, 32, 32), 0.5)})
    values = extractor(torch.full((1, 3, 32, 32), 0.5))["relu3_3"][0]
    silent = values.amax(dim=(1, 2)).argmin().item()
    assert values[silent].max() == 0
    reading = explorer.choose(layer="relu3_3", channel=silent)
    assert reading.zeros == 1
    assert explorer.activation["high"] == 0
    assert color_map(values[silent]).convert("RGB").getcolors() == [(64, (0, 34, 78))]


# Mistakes


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"photograph": "dog"}, r"photograph must be one of cat, copy, .*, but got 'dog'\."),
        ({"mode": "three"}, r"mode must be one of one, pair, but got 'three'\."),
        ({"other": "sharp"}, r"other must be one of shifted by 1 px, .*, but got 'sharp'\."),
        ({"layer": "conv9"}, r"layer must be one of relu1_2, .*, but got 'conv9'\."),
        ({"channel": 64}, r"channel must be 0 to 63, since relu1_2 has 64 .*, but got 64\."),
        ({"layer": "relu2_2", "channel": -1}, r"channel must be 0 to 127, .*, but got -1\."),
        ({"channel": 1.5}, r"channel must be an integer, but got 1\.5\."),
    ],
)
def test_wrong_choice_changes_nothing(explorer, choice, message):
    before = explorer.choose("cat", "one", layer="relu1_2", channel=3)
    with pytest.raises((ValueError, TypeError), match=message):
        explorer.choose(**{"photograph": "corner", "mode": "pair", **choice})
    assert explorer.choose() == before


@pytest.mark.parametrize("name", ["photograph", "mode", "layer"])
def test_what_is_not_there_cannot_be_set(explorer, name):
    with pytest.raises(ValueError, match=f"{name} must be one of .*, but got 'dog'"):
        explorer.set_trait(name, "dog")


@pytest.mark.parametrize(
    ("picture", "kind", "message"),
    [
        ("cat.png", TypeError, r"pictures\['mine'\] must be a tensor \(N, C, h, w\)"),
        (torch.zeros(2, 3, 32, 32), ValueError, r"\(1, 3, h, w\) was expected; pick one"),
        (torch.full((1, 3, 32, 32), 255.0), ValueError, "divide 8-bit values by 255"),
        (torch.zeros(1, 3, 15, 32), ValueError, r"15 x 32 px, but at least 16 px a side"),
        (torch.zeros(1, 3, 512, 513), ValueError, r"at most 512 x 512 px .*; crop it with"),
    ],
)
def test_wrong_pictures(extractor, picture, kind, message):
    with pytest.raises(kind, match=message):
        FeatureExplorer(extractor, {"mine": picture})


@pytest.mark.parametrize(
    ("name", "given", "kind", "message"),
    [
        ("blurred", None, ValueError, "'blurred', which is a way to change a picture"),
        (1, None, TypeError, "must be name -> picture, but got the name 1"),
        ("cat", ["relu2_2"], TypeError, "must be a FeatureExtractor, but got a list; make"),
    ],
)
def test_wrong_names_and_extractor(photo, name, given, kind, message):
    with pytest.raises(kind, match=message):
        FeatureExplorer(given, {name: photo})


# Those who wait


def test_who_waits_is_told_why(explorer):
    said: list[str] = []
    explorer.observe(lambda change: said.append(change["new"]), "waiting")
    explorer.choose(mode="pair", other="noisy")
    assert said == [lab.WAITING, ""]
    explorer.choose(layer="relu2_2")
    assert said == [lab.WAITING, ""], "what was seen is there at once"
