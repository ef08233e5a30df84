"""SkipExplorer: what muting changes, what is drawn, and that nothing is left changed."""

import io
import itertools
import re
import signal
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from PIL import Image, ImageColor
from torch import nn

from srlab.data import degrade
from srlab.features import count_hooks
from srlab.losses import pixel_loss
from srlab.metrics import Protocol, psnr, sharpness
from srlab.models import SrResNet, enlarge
from srlab.scoring import Scene
from srlab.training import train
from srlab.unet import PlainEncoder, UNet, VggEncoder
from srlab.widgets.drawing import GRAY, ORANGE
from srlab.widgets.poster import BYTES_LIMIT
from srlab.widgets.skip_explorer import ASLEEP, SkipExplorer
from srlab.widgets.skip_reading import (
    amplification,
    amplified,
    embedded_views,
    fingerprint,
    look,
)
from srlab.widgets.unet_drawing import draw_unet, gain_text, short, unet_in_words
from srlab.widgets.workbench import VIEWS
from tests.test_parts import alt_of
from tests.watching import attributes_in, equal, weights_of

NAMES = ("raccoon-face", "coffee-cup", "aizkorri-autumn")


def trained_unet(steps: int = 60) -> UNet:
    """A real UNet that has learned to enlarge the one picture that is shown first."""
    torch.manual_seed(0)
    model = UNet(2, num_features=8, depth=2)
    scene = Scene(embedded_views()["raccoon-face"], 2)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    for step in train(
        model, Repeated((scene.lr, scene.hr)), pixel_loss(), optimizer, steps=steps
    ):
        assert step.loss > 0
    return model


class Repeated:
    """One pair, over and over."""

    def __init__(self, pair: tuple[torch.Tensor, torch.Tensor]):
        self.pair = pair

    def __getitem__(self, _: int) -> tuple[torch.Tensor, torch.Tensor]:
        return self.pair


def awake(model: UNet) -> UNet:
    """With a last layer that does something, as after some training."""
    for parameter in model.upsampler.to_rgb.parameters():
        nn.init.normal_(parameter, std=0.05)
    return model


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


@pytest.fixture(scope="module")
def trained() -> UNet:
    return trained_unet()


@pytest.fixture
def unet(trained: UNet) -> Iterator[UNet]:
    """The trained UNet, checked afterwards: no test may leave it changed."""
    weights = weights_of(trained)
    yield trained.train()
    assert count_hooks(trained) == 0
    assert equal(weights, weights_of(trained))


@pytest.fixture
def explorer(unet: UNet) -> SkipExplorer:
    return SkipExplorer(unet)


# What muting changes ----------------------------------------------------------------


def test_muting_a_skip_costs_quality_and_shows(explorer: SkipExplorer):
    before = explorer._views["now"][0].data
    explorer.set("skip 1", 0)
    assert explorer.changes["psnr"] < -0.1
    assert explorer._views["now"][0].data != before
    assert explorer.reading.difference > 0.3, "mean, in steps of 1/255"
    carried = np.asarray(Image.open(io.BytesIO(explorer._views["carried"][0].data)), int)
    assert np.abs(carried - 128).max() > 60, "amplified until it is seen"
    assert explorer.reading.factor > 1


def test_figures_are_those_of_the_metrics(explorer: SkipExplorer, unet: UNet):
    explorer.set("photograph", "coffee-cup")
    explorer.set("skip 2", 0.5)
    hr = embedded_views()["coffee-cup"]
    lr = degrade(hr, 2)
    with torch.no_grad():
        whole = unet(lr).clamp(0, 1)
        now = unet(lr, gains=[1.0, 0.5]).clamp(0, 1)
    pictures = {"bicubic": enlarge(lr, 2).clamp(0, 1), "as trained": whole, "now": now}
    assert list(explorer.figures) == list(pictures)
    protocol = Protocol("y", 2)
    for name, sr in pictures.items():
        found = explorer.figures[name]
        wanted = psnr(protocol.apply(sr), protocol.apply(hr)).item()
        assert found["psnr"] == pytest.approx(wanted, abs=1e-4)
        assert found["sharpness"] == pytest.approx(sharpness(sr, hr, scale=2).item(), abs=1e-5)
    for what, change in explorer.changes.items():
        difference = explorer.figures["now"][what] - explorer.figures["as trained"][what]
        assert change == pytest.approx(difference)
    mean = 255 * (whole - now).abs().mean().item()
    assert explorer.reading.difference == pytest.approx(mean, rel=1e-4)


def test_muted_alone_is_what_the_sliders_find(explorer: SkipExplorer):
    table = explorer.muted_alone
    assert list(table) == ["skip 1", "skip 2", "all skips"]
    for name in ("skip 1", "skip 2"):
        explorer.set(name, 0)
        assert explorer.changes == pytest.approx(table[name])
        explorer.set(name, 1)
    explorer.set("skip 1", 0)
    explorer.set("skip 2", 0)
    assert explorer.changes == pytest.approx(table["all skips"])
    assert explorer.muted_alone == table


def test_as_trained_nothing_is_carried(explorer: SkipExplorer):
    explorer.set("skip 1", 2)
    assert explorer.changes["psnr"] < 0
    explorer.as_trained()
    assert explorer.gains == [1.0, 1.0]
    assert explorer.changes == {"psnr": 0.0, "sharpness": 0.0}
    assert (explorer.reading.difference, explorer.reading.factor) == (0.0, 1)
    carried = np.asarray(Image.open(io.BytesIO(explorer._views["carried"][0].data)))
    assert set(carried.flatten()) == {128}


def test_one_skip_has_no_row_for_all():
    explorer = SkipExplorer(awake(UNet(2, num_features=4, depth=1)))
    assert list(explorer.muted_alone) == ["skip 1"]


def test_what_was_carried_is_added_again():
    """Gray plus as trained minus now, as far as it goes."""
    difference = torch.tensor([-0.01, 0.0, 0.06])
    assert amplification(difference) == 8
    assert amplified(difference, 8).tolist() == pytest.approx([0.42, 0.5, 0.98])
    assert amplification(torch.zeros(3)) == 1
    assert amplification(torch.full((3,), 1e-9)) == 256
    assert amplification(torch.tensor([0.7])) == 1


def test_a_network_that_was_never_trained_says_so():
    explorer = SkipExplorer(UNet(2, num_features=4))
    explorer.set("skip 1", 0)
    assert explorer.changes == {"psnr": 0.0, "sharpness": 0.0}
    assert ASLEEP in explorer._status.value
    assert ASLEEP not in SkipExplorer(awake(UNet(2, num_features=4)))._status.value


def test_more_training_is_seen():
    model = awake(UNet(2, num_features=4))
    explorer = SkipExplorer(model)
    before, table = explorer.figures["as trained"], explorer.muted_alone
    with torch.no_grad():
        model.upsampler.to_rgb[0].weight.mul_(1.5)
    explorer.set("skip 1", 0.95)
    assert explorer.figures["as trained"] != before
    assert explorer.muted_alone != table


# The maps ----------------------------------------------------------------------------


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_shapes_are_those_of_a_real_pass(depth: int):
    explorer = SkipExplorer(awake(UNet(4, num_features=4, depth=depth)))
    shapes = explorer.shapes
    assert list(explorer.sliders) == [f"skip {level}" for level in range(1, depth + 1)]
    assert shapes["lr"] == (1, 3, 32, 32)
    assert shapes["bottom"] == (1, 4 * 2**depth, 32 // 2**depth, 32 // 2**depth)
    for level in range(1, depth + 1):
        side = 32 // 2 ** (level - 1)
        wanted = (1, 4 * 2 ** (level - 1), side, side)
        assert [shapes[f"{kind} {level}"] for kind in ("skip", "up", "merge")] == [wanted] * 3
    assert shapes["detail"] == shapes["sr"] == (1, 3, 128, 128)


def test_odd_sizes_and_vgg_have_their_own_shapes():
    photo = torch.rand(1, 3, 57, 90)
    explorer = SkipExplorer(awake(UNet(2, encoder=VggEncoder(2))), {"mine": photo})
    assert explorer.shapes["lr"] == (1, 3, 28, 45)
    assert explorer.shapes["skip 1"] == (1, 64, 28, 48), "filled up to a multiple of 4"
    assert explorer.shapes["bottom"] == (1, 256, 7, 12)
    assert explorer.shapes["sr"] == (1, 3, 56, 90)


def test_sizes_are_what_reaches_the_merges(unet: UNet):
    lr = Scene(embedded_views()["raccoon-face"], 2).lr
    with torch.no_grad():
        skips = unet.encoder(lr)
    _, flow = look(unet, lr, [0.5, 0.0])
    assert flow.sizes["skip 1"] == pytest.approx(0.5 * skips[0].abs().mean().item())
    assert flow.sizes["skip 2"] == 0
    assert flow.sizes["bottom"] == pytest.approx(skips[2].abs().mean().item())
    got: list[torch.Tensor] = []
    handle = unet.merges[0].register_forward_pre_hook(lambda _, inputs: got.append(inputs[0]))
    look(unet, lr, [0.5, 0.0])
    handle.remove()
    up, skip = got[0].chunk(2, dim=1)
    assert flow.sizes["up 1"] == pytest.approx(up.abs().mean().item())
    assert flow.sizes["skip 1"] == pytest.approx(skip.abs().mean().item())


def pixels(image: Image.Image, color: str) -> np.ndarray:
    """(n, 2): row and column of each pixel of this color."""
    return np.argwhere((np.asarray(image) == ImageColor.getrgb(color)).all(-1))


@pytest.mark.parametrize("depth", [1, 2, 3, 6])
def test_each_skip_is_drawn_and_a_muted_one_is_gray_and_dashed(depth: int):
    model = UNet(2, num_features=2, depth=depth)
    flow = look(model, torch.rand(1, 3, 64, 64), [1.0] * depth)[1]
    whole = draw_unet(flow, [1.0] * depth)
    rows, lengths = np.unique(pixels(whole, ORANGE)[:, 0], return_counts=True)
    assert (lengths > 100).sum() == 2 * depth, "a line of 2 px for each skip"
    assert not np.isin(rows, pixels(whole, GRAY)[:, 0]).any()
    muted = draw_unet(flow, [0.0] + [1.0] * (depth - 1))
    _, left = np.unique(pixels(muted, ORANGE)[:, 0], return_counts=True)
    assert (left > 100).sum() == 2 * (depth - 1)
    line = pixels(muted, GRAY)
    row = line[line[:, 0] == rows[lengths > 100][0]][:, 1]
    gaps = np.diff(np.unique(row))
    assert (gaps > 3).sum() > 5, "dashed"


def test_the_drawing_in_words_has_every_map_and_gain(explorer: SkipExplorer):
    explorer.set("skip 2", 0)
    words = alt_of(explorer._u)
    assert "skip 1 8 ch, 64 × 64, skip 2 16 ch, 32 × 32, bottom 32 ch, 16 × 16" in words
    assert "sr 3 ch, 128 × 128" in words
    assert "0.00 through skip 2 (muted)" in words
    assert re.search(r"merge 1 gets [\d.]+ from below and [\d.]+ through skip 1 \(gain", words)
    assert words == unet_in_words(explorer.reading.flow, explorer.reading.gains)


def test_numbers_are_short():
    assert (gain_text(0.0), gain_text(0.5)) == ("muted", "gain 0.50")
    assert [short(v) for v in (0.0, 0.012345, 0.126, 3.456)] == [
        "0.00",
        "0.012",
        "0.13",
        "3.46",
    ]


# Nothing is left changed ---------------------------------------------------------------


@pytest.mark.parametrize("training", [True, False])
def test_the_model_is_only_looked_at(unet: UNet, training: bool):
    unet.train(training)
    explorer = SkipExplorer(unet)
    explorer.set("skip 1", 0)
    explorer.set("photograph", "coffee-cup")
    assert {module.training for module in unet.modules()} == {training}


def fail_at_call(number: int, action: object) -> object:
    """A hook that acts at one forward pass."""
    calls = itertools.count(1)

    def hook(*_: object) -> None:
        if next(calls) == number:
            action()

    return hook


def stop() -> None:
    raise RuntimeError("out of memory")


@pytest.mark.parametrize(
    ("action", "error"),
    [(stop, RuntimeError), (lambda: signal.raise_signal(signal.SIGINT), KeyboardInterrupt)],
    ids=["error", "ctrl-c"],
)
@pytest.mark.parametrize(
    ("move", "at"),
    [(("skip 1", 0), 1), (("photograph", "coffee-cup"), 1), (("photograph", "coffee-cup"), 4)],
)
def test_an_interrupted_look_leaves_all_as_it_was(explorer, unet, action, error, move, at):
    explorer.set("skip 2", 0.5)
    before, photograph = explorer.reading, explorer.photograph.value
    hook = fail_at_call(at, action)
    handle = unet.merges[0].register_forward_hook(hook)
    try:
        with pytest.raises(error):
            explorer.set(*move)
    finally:
        handle.remove()
    assert unet.training
    assert explorer.reading is before
    assert (explorer.gains, explorer.photograph.value) == ([1.0, 0.5], photograph)
    explorer.set("skip 1", 0)
    assert explorer.reading.photograph == photograph
    assert explorer.changes["psnr"] < -0.05


def test_an_error_behind_a_slider_is_read_aloud_and_goes_again(explorer, unet):
    handle = unet.merges[0].register_forward_hook(lambda *_: stop())
    explorer.sliders["skip 1"].value = 0.5
    handle.remove()
    assert explorer._alert.value == '<p role="alert">out of memory</p>'
    assert explorer.reading.gains == (1.0, 1.0)
    explorer.sliders["skip 1"].value = 0.4
    assert explorer._alert.value == ""
    assert explorer.reading.gains == (0.4, 1.0)


def test_a_wrecked_network_is_shown_too():
    model = awake(UNet(2, num_features=4))
    with torch.no_grad():
        model.encoder.blocks[0][0].weight.fill_(float("nan"))
    explorer = SkipExplorer(model)
    assert explorer.figures["now"]["psnr"] < 15
    assert fingerprint(model) != fingerprint(model), "NaN: looked at anew"


# Controls ------------------------------------------------------------------------------


def test_sliders_and_buttons_act_like_the_call(explorer: SkipExplorer):
    explorer.sliders["skip 2"].value = 0.25
    assert explorer.reading.gains == (1.0, 0.25)
    mute = explorer._mutes[1]
    assert mute.description == "Mute skip 2"
    mute.click()
    assert explorer.reading.gains == (1.0, 0.0)
    assert mute.description == "Restore skip 2"
    mute.click()
    assert explorer.reading.gains == (1.0, 0.25), "what it had before"
    explorer._mutes[0].click()
    explorer._restore.click()
    assert explorer.reading.gains == (1.0, 1.0)
    assert [button.description for button in explorer._mutes] == ["Mute skip 1", "Mute skip 2"]
    explorer.photograph.value = "coffee-cup"
    assert explorer.reading.photograph == "coffee-cup"


def test_a_value_between_two_steps_becomes_the_nearest(explorer: SkipExplorer):
    explorer.set("skip 1", 0.333)
    assert explorer.gains == [0.35, 1.0]


def test_one_look_for_each_move(explorer: SkipExplorer, unet: UNet):
    passes: list[int] = []
    handle = unet.register_forward_hook(lambda *_: passes.append(1))
    explorer.set("skip 1", 0)
    explorer.as_trained()
    handle.remove()
    assert len(passes) == 2


def test_photographs_are_the_parts_that_every_lab_shows(explorer: SkipExplorer):
    assert explorer.photograph.options == NAMES == tuple(VIEWS)
    assert {photo.shape for photo in explorer.photos.values()} == {(1, 3, 128, 128)}
    assert SkipExplorer(explorer.model, photo="coffee-cup").reading.photograph == "coffee-cup"


def test_status_says_the_numbers_aloud_and_as_data(explorer: SkipExplorer):
    explorer.set("skip 1", 0)
    shown = explorer._status.value
    now, change = explorer.figures["now"], explorer.changes
    assert 'role="status"' in shown
    data = attributes_in(shown)
    assert (data["gain-1"], data["gain-2"]) == ("0.00", "1.00")
    assert data["photograph"] == "raccoon-face"
    assert data["psnr"] == f"{now['psnr']:.4f}"
    assert data["sharpness-change"] == f"{change['sharpness']:.4f}"
    text = f"raccoon-face, skip 1 × 0, skip 2 × 1: {now['psnr']:.2f} dB"
    assert text in shown
    assert f"bicubic {explorer.figures['bicubic']['psnr']:.2f} dB" in shown
    assert f"{change['psnr']:+.2f}".replace("-", "−") in shown


def test_every_picture_has_words_with_its_numbers(explorer: SkipExplorer):
    explorer.set("skip 1", 0)
    for name in ("bicubic", "as trained", "now"):
        figures = explorer.figures[name]
        wanted = f"{name}: {figures['psnr']:.2f} dB, sharpness {figures['sharpness']:.3f}"
        assert alt_of(explorer._views[name][0]) == wanted
        assert f"{figures['psnr']:.2f} dB" in explorer._views[name][1].value
    factor = explorer.reading.factor
    words = alt_of(explorer._views["carried"][0])
    assert words.startswith(f"as trained − now, × {factor}: mean ")
    assert f"× {factor}" in explorer._views["carried"][1].value


def test_every_control_has_a_name(explorer: SkipExplorer):
    controls = (
        explorer.photograph, explorer._restore, *explorer.sliders.values(), *explorer._mutes
    )  # fmt: skip
    for control in controls:
        assert control.description
        assert control.tooltip
        assert not any(" " in name for name in control._dom_classes)


def test_table_has_a_row_and_a_bar_for_each_change(explorer: SkipExplorer):
    table = explorer._table.value
    assert 'aria-label="Muted alone, against as trained, raccoon-face"' in table
    for name, change in explorer.muted_alone.items():
        assert f">{name}</th>" in table
        assert f"{change['psnr']:+z.2f}<".replace("-", "−") in table
    widths = [float(width) for width in re.findall(r"<div style=\"width: ([\d.]+)px", table)]
    psnrs = [abs(change["psnr"]) for change in explorer.muted_alone.values()]
    assert widths[::2] == pytest.approx([150 * v / max(psnrs) for v in psnrs], abs=0.06)


def test_poster_and_summary(explorer: SkipExplorer):
    explorer.set("skip 1", 0)
    data, _ = explorer._repr_mimebundle_()
    assert data["text/plain"] == repr(explorer) == f"SkipExplorer: {explorer.reading}"
    assert "skip 1 × 0, skip 2 × 1" in repr(explorer)
    assert not re.search(r"0x[0-9a-f]{6,}", repr(explorer))
    assert len(data["image/png"]) <= BYTES_LIMIT
    Image.open(io.BytesIO(data["image/png"])).verify()


# What is refused -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "error", "message"),
    [
        (
            "skip 3",
            0,
            ValueError,
            "name must be one of skip 1, skip 2, photograph, but got 'skip 3'",
        ),
        (
            "skip 1",
            2.1,
            ValueError,
            r"skip 1 must be between 0 \(muted\) and 2, but got 2.1; 1",
        ),
        ("skip 1", -0.1, ValueError, "1 is as trained"),
        ("skip 1", float("nan"), ValueError, "but got nan"),
        ("skip 1", "off", TypeError, "skip 1 must be a number, but got 'off'; 0 mutes it"),
        ("skip 1", True, TypeError, "must be a number, but got True"),
        (
            "photograph",
            "cat",
            ValueError,
            "photograph must be one of raccoon-face, .*got 'cat'",
        ),
    ],
)
def test_wrong_choice_changes_nothing(explorer, name, value, error, message):
    before = explorer.reading
    with pytest.raises(error, match=message):
        explorer.set(name, value)
    assert explorer.reading is before


def flat(*shape: int) -> torch.Tensor:
    return torch.zeros(*shape)


@pytest.mark.parametrize(
    ("photos", "error", "message"),
    [
        ({}, ValueError, "photos is empty; give at least one"),
        (
            {"a": flat(2, 3, 64, 64)},
            ValueError,
            r"photos\['a'\] has shape \(2, 3, 64, 64\), but",
        ),
        (
            {"a": flat(1, 3, 20, 64)},
            ValueError,
            r"is 20 x 64 px, but 24 to 512 px on each side",
        ),
        ({"a": flat(1, 3, 64, 513)}, ValueError, r"crop it with \[..., :128, :128\]"),
        ({"a": flat(1, 3, 64, 64) + 9}, ValueError, r"runs from 9 to 9, but about \[0, 1\]"),
        ({"a": Image.new("RGB", (64, 64))}, TypeError, "must be a tensor"),
    ],
)
def test_wrong_photos(photos, error, message):
    with pytest.raises(error, match=message):
        SkipExplorer(UNet(2, num_features=2), photos)


def test_wrong_model_and_wrong_photo():
    with pytest.raises(TypeError, match=r"model must be a UNet, but got a SrResNet, which has"):
        SkipExplorer(SrResNet(2, 4, 1))
    with pytest.raises(
        ValueError, match=r"photo must be one of raccoon-face, .* but got 'cat'"
    ):
        SkipExplorer(UNet(2, num_features=2), photo="cat")


def test_the_smallest_and_the_largest_photo():
    model = awake(UNet(8, num_features=2, encoder=PlainEncoder(2, 1)))
    for shape in ((24, 24), (512, 24)):
        explorer = SkipExplorer(model, {"mine": torch.rand(1, 3, *shape)})
        assert explorer.shapes["sr"] == (1, 3, *shape)
        assert explorer.poster().width > 0
