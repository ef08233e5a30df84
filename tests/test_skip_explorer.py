"""SkipExplorer: what muting changes, what is told, and that nothing is left changed."""

import io
import itertools
import signal
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from traitlets import TraitError

from srlab.data import degrade
from srlab.features import count_hooks
from srlab.losses import pixel_loss
from srlab.metrics import Protocol, psnr, sharpness
from srlab.models import SrResNet, enlarge
from srlab.scoring import Scene
from srlab.training import train
from srlab.unet import PlainEncoder, UNet, VggEncoder
from srlab.widgets.kit.pictures import amplified
from srlab.widgets.skip_explorer import SkipExplorer
from srlab.widgets.skip_explorer.lab import ASLEEP
from srlab.widgets.skip_explorer.reading import amplification, fingerprint, look
from srlab.widgets.workbench import VIEWS, photo_view
from srlab.zoo import load_model
from tests.watching import equal, weights_of

NAMES = ("raccoon-face", "coffee-cup", "aizkorri-autumn")


def trained_unet(steps: int = 60) -> UNet:
    """A real UNet that has learned to enlarge the one picture that is shown first."""
    torch.manual_seed(0)
    model = UNet(2, num_features=8, depth=2)
    scene = Scene(photo_view("raccoon-face"), 2)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    pairs = [(scene.lr, scene.hr)] * steps
    for step in train(model, pairs, pixel_loss(), optimizer, steps=steps):
        assert step.loss > 0
    return model


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


def on_yours(model: UNet, *photos: object) -> SkipExplorer:
    """An explorer that shows one's own network."""
    explorer = SkipExplorer(model, *photos)
    explorer.set("network", "yours")
    return explorer


@pytest.fixture
def explorer(unet: UNet) -> SkipExplorer:
    return on_yours(unet)


def seen(picture: dict[str, object]) -> np.ndarray:
    """The pixels of a picture trait."""
    return np.asarray(Image.open(io.BytesIO(picture["data"])), int)


# The UNet that comes with srlab -----------------------------------------------------


def test_it_opens_with_the_shipped_unet_where_muting_shows(unet: UNet):
    explorer = SkipExplorer(unet)
    assert (explorer.network, explorer.choices["network"]) == ("unet-x4", ["unet-x4", "yours"])
    assert explorer.muted_alone["skip 1"]["psnr"] == pytest.approx(-0.54, abs=0.02)
    assert explorer.muted_alone["skip 1"]["sharpness"] == pytest.approx(-0.30, abs=0.02)
    assert equal(weights_of(explorer.model), weights_of(load_model("unet-x4", 4)))
    explorer.set("network", "yours")
    assert explorer.model is unet
    assert SkipExplorer().choices["network"] == ["unet-x4"]


def test_the_truth_is_in_sight(explorer: SkipExplorer):
    hr = photo_view("raccoon-face")[0].permute(1, 2, 0).numpy()
    assert np.abs(seen(explorer.truth) - 255 * hr).max() <= 0.51
    assert explorer.truth["kind"] == "png", "a difference would show a JPEG's own"


def test_networks_of_another_depth_and_scale_take_turns():
    explorer = on_yours(awake(UNet(2, num_features=4, depth=3)))
    explorer.set("skip 3", 0.5)
    assert (explorer.skips, explorer.gains) == (["skip 1", "skip 2", "skip 3"], [1, 1, 0.5])
    explorer.set("network", "unet-x4")
    assert (explorer.skips, explorer.gains) == (["skip 1", "skip 2"], [1, 1])
    assert explorer.shapes["lr"] == (1, 3, 32, 32)
    with pytest.raises(ValueError, match="name must be one of skip 1, skip 2, network"):
        explorer.set("skip 3", 0)


# What muting changes ----------------------------------------------------------------


def test_muting_a_skip_costs_quality_and_shows(explorer: SkipExplorer):
    before = explorer.now["data"]
    explorer.set("skip 1", 0)
    assert explorer.changes["psnr"] < -0.1
    assert explorer.now["data"] != before
    assert explorer.reading.difference > 0.3, "mean, in steps of 1/255"
    assert np.abs(seen(explorer.carried) - 128).max() > 60, "amplified until it is seen"
    assert explorer.reading.factor > 1


def test_figures_are_those_of_the_metrics(explorer: SkipExplorer, unet: UNet):
    explorer.set("photograph", "coffee-cup")
    explorer.set("skip 2", 0.5)
    hr = photo_view("coffee-cup")
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
    one_skip = on_yours(awake(UNet(2, num_features=4, depth=1)))
    assert list(one_skip.muted_alone) == ["skip 1"], "and no row for all"
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
    assert set(seen(explorer.carried).flatten()) == {128}


def test_what_was_carried_is_added_again():
    """Gray plus as trained minus now, as far as it goes."""
    difference = torch.tensor([-0.01, 0.0, 0.06])
    assert amplification(difference) == 8
    assert amplified(difference, 8).tolist() == pytest.approx([0.42, 0.5, 0.98])
    assert amplification(torch.zeros(3)) == 1
    assert amplification(torch.full((3,), 1e-9)) == 256
    assert amplification(torch.tensor([0.7])) == 1


def test_a_network_that_was_never_trained_says_so():
    explorer = on_yours(UNet(2, num_features=4))
    explorer.set("skip 1", 0)
    assert explorer.changes == {"psnr": 0.0, "sharpness": 0.0}
    assert explorer.note == ASLEEP
    assert on_yours(awake(UNet(2, num_features=4))).note == ""


def test_more_training_is_seen():
    model = awake(UNet(2, num_features=4))
    explorer = on_yours(model)
    before, table = explorer.figures["as trained"], explorer.muted_alone
    with torch.no_grad():
        model.upsampler.to_rgb[0].weight.mul_(1.5)
    explorer.set("skip 1", 0.95)
    assert explorer.figures["as trained"] != before
    assert explorer.muted_alone != table


# The maps ----------------------------------------------------------------------------


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_shapes_are_those_of_a_real_pass(depth: int):
    explorer = on_yours(awake(UNet(4, num_features=4, depth=depth)))
    shapes = explorer.shapes
    assert explorer.skips == [f"skip {level}" for level in range(1, depth + 1)]
    assert shapes["lr"] == (1, 3, 32, 32)
    assert shapes["bottom"] == (1, 4 * 2**depth, 32 // 2**depth, 32 // 2**depth)
    for level in range(1, depth + 1):
        side = 32 // 2 ** (level - 1)
        wanted = (1, 4 * 2 ** (level - 1), side, side)
        assert [shapes[f"{kind} {level}"] for kind in ("skip", "up", "merge")] == [wanted] * 3
    assert shapes["detail"] == shapes["sr"] == (1, 3, 128, 128)


def test_odd_sizes_and_vgg_have_their_own_shapes():
    photo = torch.rand(1, 3, 57, 90)
    explorer = on_yours(awake(UNet(2, encoder=VggEncoder(2))), {"mine": photo})
    assert explorer.shapes["lr"] == (1, 3, 28, 45)
    assert explorer.shapes["skip 1"] == (1, 64, 28, 48), "filled up to a multiple of 4"
    assert explorer.shapes["bottom"] == (1, 256, 7, 12)
    assert explorer.shapes["sr"] == (1, 3, 56, 90)


def test_sizes_are_what_reaches_the_merges(unet: UNet):
    lr = Scene(photo_view("raccoon-face"), 2).lr
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


# Nothing is left changed ---------------------------------------------------------------


@pytest.mark.parametrize("training", [True, False])
def test_the_model_is_only_looked_at(unet: UNet, training: bool):
    unet.train(training)
    explorer = on_yours(unet)
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
    before, photograph = explorer.reading, explorer.photograph
    hook = fail_at_call(at, action)
    handle = unet.merges[0].register_forward_hook(hook)
    try:
        with pytest.raises(error):
            explorer.set(*move)
    finally:
        handle.remove()
    assert unet.training
    assert explorer.reading is before
    assert (explorer.gains, explorer.photograph) == ([1.0, 0.5], photograph)
    explorer.set("skip 1", 0)
    assert explorer.reading.photograph == photograph
    assert explorer.changes["psnr"] < -0.05


def test_an_error_behind_a_slider_is_told_and_nothing_moves(explorer, unet):
    handle = unet.merges[0].register_forward_hook(lambda *_: stop())
    explorer.gain_1 = 0.5
    handle.remove()
    assert explorer.error == "out of memory"
    assert explorer.reading.gains == (1.0, 1.0)
    assert explorer.gain_1 == 1.0, "the slider goes back to what is shown"
    explorer.gain_1 = 0.4
    assert explorer.error == ""
    assert explorer.reading.gains == (0.4, 1.0)


def test_a_wrecked_network_is_shown_too():
    model = awake(UNet(2, num_features=4))
    with torch.no_grad():
        model.encoder.blocks[0][0].weight.fill_(float("nan"))
    explorer = on_yours(model)
    assert explorer.figures["now"]["psnr"] < 15
    assert explorer.sizes["skip 1"] is None, "NaN: no message can carry it"
    assert fingerprint(model) != fingerprint(model), "NaN: looked at anew"


# Traits --------------------------------------------------------------------------------


def test_traits_move_it_like_the_call(explorer: SkipExplorer):
    explorer.gain_2 = 0.25
    assert explorer.reading.gains == (1.0, 0.25)
    explorer.set("skip 2", 0.333)
    assert explorer.gains == [1.0, 0.35], "to the nearest step"
    explorer.gain_1 = 0
    explorer._on_message(None, {"press": "as_trained"}, None)
    assert explorer.reading.gains == (explorer.gain_1, explorer.gain_2) == (1.0, 1.0)
    explorer.photograph = "coffee-cup"
    assert explorer.reading.photograph == "coffee-cup"
    explorer.network = "unet-x4"
    assert explorer.reading.network == "unet-x4"
    with pytest.raises(TraitError):
        explorer.gain_1 = 2.5


def test_what_belongs_together_comes_in_one_message(explorer: SkipExplorer, monkeypatch):
    sent = []
    monkeypatch.setattr(explorer, "_send", lambda message, buffers: sent.append(message))  # noqa: ARG005
    explorer.set("skip 1", 0)
    (names,) = (set(message["state"]) for message in sent)
    wanted = {"gain_1", "figures", "changes", "now", "carried", "sizes", "said"}
    assert wanted <= names
    assert not {"truth", "bicubic", "trained", "shapes", "muted_alone"} & names


def test_one_look_for_each_move(explorer: SkipExplorer, unet: UNet):
    passes: list[int] = []
    handle = unet.register_forward_hook(lambda *_: passes.append(1))
    explorer.set("skip 1", 0)
    explorer.as_trained()
    handle.remove()
    assert len(passes) == 2


def test_photographs_are_the_parts_that_every_lab_shows(explorer: SkipExplorer):
    assert explorer.choices["photograph"] == [*NAMES] == [*VIEWS]
    assert {photo.shape for photo in explorer.photos.values()} == {(1, 3, 128, 128)}
    assert SkipExplorer(photo="coffee-cup").reading.photograph == "coffee-cup"


def test_what_is_said_has_its_numbers(explorer: SkipExplorer):
    explorer.set("skip 1", 0)
    now, change = explorer.figures["now"], explorer.changes
    assert f"yours, raccoon-face, skip 1 × 0, skip 2 × 1: {now['psnr']:.2f} dB" in explorer.said
    assert f"bicubic {explorer.figures['bicubic']['psnr']:.2f} dB" in explorer.said
    assert f"{change['psnr']:+.2f}".replace("-", "−") in explorer.said
    assert repr(explorer) == f"SkipExplorer: {explorer.said}"


def test_every_picture_has_its_number(explorer: SkipExplorer):
    explorer.set("skip 1", 0)
    for picture in (explorer.bicubic, explorer.trained, explorer.now):
        figures = explorer.figures[picture["name"]]
        wanted = f"{figures['psnr']:.2f} dB, sharpness {figures['sharpness']:.3f}"
        assert picture["caption"] == wanted, picture["name"]
    carried, factor = explorer.carried, explorer.reading.factor
    assert carried["alt"].startswith(f"as trained − now, × {factor}: mean ")
    assert f"× {factor}" in carried["caption"]


# What is refused -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "error", "message"),
    [
        ("skip 3", 0, ValueError, "name must be one of skip 1, skip 2, network, photo"),
        ("skip 1", 2.1, ValueError, r"must be between 0 \(muted\) and 2, but got 2.1; 1 is as"),
        ("skip 1", float("nan"), ValueError, "but got nan"),
        ("skip 1", "off", TypeError, "skip 1 must be a number, but got 'off'; 0 mutes it"),
        ("skip 1", True, TypeError, "must be a number, but got True"),
        ("photograph", "cat", ValueError, "photograph must be one of .*, but got 'cat'"),
    ],
)  # fmt: skip
def test_wrong_choice_changes_nothing(explorer, name, value, error, message):
    before = explorer.reading
    with pytest.raises(error, match=message):
        explorer.set(name, value)
    assert explorer.reading is before


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((SrResNet(2, 4, 1),), TypeError, "must be a UNet, but got a SrResNet, which has"),
        ((None, None, "cat"), ValueError, "photo must be one of .*, but got 'cat'"),
        ((None, {}), ValueError, "photos is empty; give at least one"),
        ((None, {"a": torch.zeros(1, 3, 20, 64)}), ValueError, r"s\['a'\] is 20 x 64 px, but"),
    ],
)  # fmt: skip
def test_wrong_model_and_wrong_photos(arguments, error, message):
    with pytest.raises(error, match=message):
        SkipExplorer(*arguments)


def test_the_smallest_and_the_largest_photo():
    model = awake(UNet(8, num_features=2, encoder=PlainEncoder(2, 1)))
    for shape in ((24, 24), (512, 24)):
        explorer = on_yours(model, {"mine": torch.rand(1, 3, *shape)})
        assert explorer.shapes["sr"] == (1, 3, *shape)
