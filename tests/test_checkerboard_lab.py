"""CheckerboardLab: its numbers, its controls, its pictures, and the training behind it."""

import io
import re
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from srlab.losses import ContentLoss
from srlab.metrics import Protocol as Scoring
from srlab.metrics import checkerboard, grid_energy, power_spectrum, psnr, ridge, sharpness
from srlab.models import UpsampleStage, enlarge
from srlab.training import DivergedError
from srlab.upsamplers import IcnrStage, ResizeStage, TransposedStage
from srlab.widgets.checkerboard_lab import CheckerboardLab
from srlab.widgets.checkerboard_lab.bench import (
    ADDED,
    GRAY,
    CheckerboardBench,
    GridSetting,
    gray_card,
    pairs,
    untrained,
)
from srlab.widgets.checkerboard_lab.pictures import (
    SHADES,
    spectrum_picture,
    whole_spectrum,
)
from tests.watching import equal, from_another_thread, wait_for, weights_of

PNG = b"\x89PNG"
SCALES = (2, 4, 8)
PICTURES = ("network", "truth", "added", "card", "network_spectrum", "truth_spectrum")


@pytest.fixture(autouse=True)
def one_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SRLAB_PRECISION", "fp32")  # spares the trial run


def steps_of(lab: CheckerboardLab) -> list[float]:
    return [row[0] for row in lab.curves["grid"]["rows"]]


@pytest.fixture
def lab() -> Iterator[CheckerboardLab]:
    lab = CheckerboardLab()
    yield lab
    lab.pause()


# What an untrained upsampler draws -----------------------------------------------------------


@pytest.mark.parametrize("scale", SCALES)
def test_icnr_draws_no_grid_at_the_start_and_random_does(lab: CheckerboardLab, scale: int):
    random = lab.choose(init="random", scale=scale)
    icnr = lab.choose(init="icnr")
    assert random.step == icnr.step == 0
    assert icnr.energy < 1e-12
    assert random.energy > 1e-5
    assert random.measure > 3 > 0.5 > icnr.measure, "on the photograph too"


def test_the_other_upsamplers(lab: CheckerboardLab):
    assert lab.choose(upsampler="resize").energy < 1e-12
    assert lab.choose(upsampler="transposed").energy > 1e-5


@pytest.mark.parametrize(
    ("setting", "stage"),
    [
        (GridSetting(), UpsampleStage),
        (GridSetting(init="icnr"), IcnrStage),
        (GridSetting("resize"), ResizeStage),
        (GridSetting("transposed", scale=8), TransposedStage),
    ],
)
def test_the_stage_is_the_one_chosen_everywhere(setting: GridSetting, stage: type):
    upsampler = untrained(setting).upsampler
    assert {type(part) for part in [*upsampler.stages, upsampler.to_rgb]} == {stage}


@pytest.mark.parametrize("scale", SCALES)
def test_untrained_it_adds_as_much_whatever_the_upsampler(scale: int):
    for kind in (("pixelshuffle",), ("pixelshuffle", "icnr"), ("resize",), ("transposed",)):
        network = untrained(GridSetting(*kind, scale=scale))
        with torch.no_grad():
            added = network(gray_card(scale)) - GRAY
        assert added.square().mean().sqrt().item() == pytest.approx(ADDED, rel=1e-4)


def test_it_leaves_the_random_numbers_of_the_notebook_alone():
    torch.manual_seed(3)
    first = torch.rand(1)
    torch.manual_seed(3)
    untrained(GridSetting())
    assert torch.equal(torch.rand(1), first)


def test_numbers_are_what_the_metrics_say(lab: CheckerboardLab):
    reading = lab.choose(scale=8, photograph="coffee-cup")
    sr, hr = lab.pictures()["network"], lab.pictures()["truth"]
    bicubic, y = lab.pictures()["bicubic"], Scoring("y", 0)
    whole = enlarge(lab.bench.scene.lr, 8).clamp(0, 1)
    torch.testing.assert_close(bicubic, whole[..., 16:-16, 16:-16])
    assert reading.measure == pytest.approx(checkerboard(sr, hr, scale=8).item())
    assert reading.bicubic_measure == pytest.approx(checkerboard(bicubic, hr, scale=8).item())
    assert reading.psnr == pytest.approx(psnr(y.apply(sr), y.apply(hr)).item())
    assert reading.bicubic_psnr == pytest.approx(psnr(y.apply(bicubic), y.apply(hr)).item())
    assert reading.sharpness == pytest.approx(sharpness(sr, hr, scale=8).item())
    assert reading.ridge == pytest.approx(ridge(sr, hr).item())
    assert lab.numbers["ridge"] == reading.ridge
    with torch.no_grad():
        card = lab.bench.model(gray_card(8))
    middle = card[..., 64:-64, 64:-64]  # where the border of the card is not felt
    assert reading.energy == pytest.approx(grid_energy(middle, 8).item(), rel=1e-4)
    assert sr.shape[-1] == middle.shape[-1] == 96


# Controls ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"), [("upsampler", "transposed"), ("init", "icnr"), ("scale", 2)]
)
def test_what_changes_the_network_starts_over(lab: CheckerboardLab, name: str, value: object):
    lab.run_steps(2)
    from_another_thread(lambda: lab.set_state({name: value}))  # as the page does
    lab.settle()
    reading = lab.choose()
    assert reading.step == 0
    assert (lab.step, lab.state) == (0, "ready")
    assert lab.get_state()[name] == value
    assert steps_of(lab) == [0]
    assert lab.run_steps(1).step == 1, "and it trains from there"


def test_it_starts_over_in_the_middle_of_a_training(lab: CheckerboardLab):
    lab.start()
    wait_for(lambda: lab.reading.step > 1, "two steps")
    reading = lab.choose(init="icnr")
    assert (reading.step, lab.live.state, lab.state) == (0, "paused", "ready")
    assert reading.energy < 1e-12
    untrained_weights = weights_of(lab.bench.model)
    lab.start()
    wait_for(lambda: lab.reading.step > 0, "a step of the new network")
    lab.pause()
    assert not equal(untrained_weights, weights_of(lab.bench.model)), (
        "it is the new one that learns"
    )
    assert isinstance(lab.bench.model.upsampler.to_rgb, IcnrStage)


def test_another_loss_keeps_the_steps(lab: CheckerboardLab):
    lab.run_steps(2)
    before = weights_of(lab.bench.model)
    assert lab.choose(loss="content").step == 2
    assert equal(before, weights_of(lab.bench.model))
    assert lab.run_steps(1).step == 3
    assert set(lab.bench.step.terms) == {"pixel", "content"}
    lab.choose(loss="pixel")
    lab.run_steps(1)
    assert set(lab.bench.step.terms) == {"pixel"}


def test_average_pooling_is_another_network(lab: CheckerboardLab):
    lab.choose(loss="content")
    lab.choose(loss="content, average pooling")
    terms = {n: t for n, t in lab.bench.loss.terms.items() if isinstance(t, ContentLoss)}
    layers = {name: {type(layer) for layer in t.extractor.vgg} for name, t in terms.items()}
    pools = {name: kinds & {nn.AvgPool2d, nn.MaxPool2d} for name, kinds in layers.items()}
    assert pools == {"content": {nn.MaxPool2d}, "content, average pooling": {nn.AvgPool2d}}
    assert {name: lab.bench.loss.weights[name] > 0 for name in terms} == {
        "content": False, "content, average pooling": True,
    }  # fmt: skip


def test_the_extractor_is_loaded_when_it_is_first_chosen(lab: CheckerboardLab):
    assert set(lab.bench.loss.terms) == {"pixel"}
    told = []
    lab.observe(lambda event: told.append(event["new"]), names="said")
    lab.choose(loss="content")
    assert "loading the feature extractor" in told[0]
    extractor = lab.bench.loss.terms["content"]
    told.clear()
    lab.choose(loss="pixel")
    lab.choose(loss="content")
    assert not any("loading" in text for text in told)
    assert lab.bench.loss.terms["content"] is extractor


def test_another_photograph_keeps_the_training(lab: CheckerboardLab):
    lab.run_steps(2)
    before, weights, truth = lab.reading, weights_of(lab.bench.model), lab.truth
    reading = lab.choose(photograph="aizkorri-autumn")
    assert reading.step == 2
    assert equal(weights, weights_of(lab.bench.model))
    assert reading.measure != before.measure
    assert reading.energy == before.energy, "the gray card is the same"
    assert lab.truth != truth
    assert steps_of(lab) == [2], "a curve of one photograph"


def test_reset_gives_the_same_beginning(lab: CheckerboardLab):
    first, weights = lab.reading, weights_of(lab.bench.model)
    lab.choose(loss="content")
    trained = lab.run_steps(2)
    assert trained != first
    lab.reset()
    assert lab.reading == first
    assert equal(weights, weights_of(lab.bench.model))
    assert lab.loss == "content", "the settings stay"
    assert lab.state == "ready"
    assert lab.run_steps(2) == trained, "the same steps give the same numbers"


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"upsampler": "nearest"},
         "There is no upsampler nearest; there are pixelshuffle, resize, transposed."),
        ({"init": "ICNR"}, "There is no init ICNR; there are random, icnr."),
        ({"loss": "l1"},
         "There is no loss l1; there are pixel, content, content, average pooling."),
        ({"photograph": "cat"},
         "There is no photograph cat; there are raccoon-face, coffee-cup, aizkorri-autumn."),
        ({"scale": 3},
         "scale must be 2, 4 or 8, but got 3; other factors are not built in this course."),
        ({"upsampler": "resize", "init": "icnr"},
         "init is PixelShuffle's alone, but upsampler is 'resize'; "
         'choose upsampler="pixelshuffle" with it.'),
    ],
)  # fmt: skip
def test_wrong_choices_are_told_and_change_nothing(
    lab: CheckerboardLab, choice: dict[str, object], message: str
):
    before = lab.bench.setting
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        lab.choose(**choice)
    assert lab.bench.setting == before


def test_a_wrecked_network_is_told_and_reset_helps(lab: CheckerboardLab):
    with torch.no_grad():
        lab.bench.model.head.weight.fill_(float("nan"))
    with pytest.raises(DivergedError):
        lab.run_steps(1)
    lab.start()
    wait_for(lambda: lab.state == "failed" and lab.error != "", "an alert")
    assert "start again with a smaller one" in lab.error
    lab.reset()
    assert lab.error == ""
    assert lab.run_steps(1).step == 1


# The bench -----------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", SCALES)
def test_batches_are_small_and_of_the_scale(scale: int):
    lr, hr = pairs(scale, torch.device("cpu"))[0]
    assert lr.shape[0] == 4
    assert hr.shape[-1] == lr.shape[-1] * scale <= 64


def test_looking_leaves_the_training_as_it_was():
    bench = CheckerboardBench(GridSetting())
    next(bench.steps())
    _, once = bench.look()
    assert bench.model.training
    assert bench.look()[1] == once


def test_the_grid_of_a_trained_network_is_measured():
    """As a network with a grid of its own, whatever drew it."""
    bench = CheckerboardBench(GridSetting(init="icnr"))
    _, before = bench.look()
    with torch.no_grad():
        bench.model.upsampler.to_rgb[0].bias[0] += 0.05  # one sub-pixel of four, red
    _, after = bench.look()
    assert before.energy < 1e-12 < 1e-6 < after.energy
    assert after.measure > before.measure


# Pictures ------------------------------------------------------------------------------------


def image_of(picture: dict[str, object]) -> Image.Image:
    return Image.open(io.BytesIO(picture["data"]))


@pytest.mark.parametrize("name", PICTURES)
def test_every_picture_is_a_png(lab: CheckerboardLab, name: str):
    picture = lab.get_state()[name]
    assert picture["data"].startswith(PNG)
    assert picture["alt"]
    side = 97 if "spectrum" in name else 52
    assert image_of(picture).size == (picture["width"], picture["height"]) == (side, side)


def test_pixels_are_those_of_the_picture(lab: CheckerboardLab):
    at = (96 - 52) // 2 // 8 * 8  # where the shown part begins
    sr = lab.pictures()["network"][0, :, at : at + 52, at : at + 52]
    shown = np.asarray(image_of(lab.network)).transpose(2, 0, 1)
    assert np.abs(shown - (sr * 255).round().numpy()).max() <= 1


def test_a_gain_is_fixed_so_that_a_fading_grid_fades(lab: CheckerboardLab):
    def contrast() -> float:
        return float(np.asarray(image_of(lab.card)).std())

    random = contrast()
    lab.choose(init="icnr")
    near = np.asarray(image_of(lab.card), dtype=int)
    assert random > 10
    assert np.ptp(near, axis=(0, 1)).max() == 0, "one color, no grid"
    assert lab.card["caption"].startswith("× 10, ")


def test_a_running_lab_sends_little(lab: CheckerboardLab):
    """PNG is large: what moves, times the frames of a second, is under 60 kB."""
    moving = ("network", "added", "card", "network_spectrum")
    frame = sum(len(lab.get_state()[name]["data"]) for name in moving)
    assert frame / lab.seconds_between_frames <= 60_000


def test_what_stands_still_travels_once(lab: CheckerboardLab):
    sent: list[set[str]] = []
    lab._send = lambda message, buffers=None: sent.append(set(message["state"]))  # noqa: ARG005
    lab.run_steps(1)
    assert not {"truth", "truth_spectrum", "curves"} & set().union(*sent)
    moment = next(names for names in sent if "step" in names)
    assert {"network", "network_spectrum", "numbers", "said", "added"} <= moment, "one message"


def test_a_grid_is_bright_where_it_has_its_energy():
    torch.manual_seed(0)
    grid = torch.rand(1, 3, 4, 4).repeat(1, 1, 24, 24)
    whole = whole_spectrum(grid)
    picture = np.asarray(spectrum_picture(grid, top=whole.max().item()))
    bright = np.argwhere(picture > SHADES // 2)
    places = np.array([48 + 24 * k for k in (-2, -1, 0, 1, 2)])
    assert len(bright) >= 8
    assert np.abs(bright[..., None] - places).min(axis=-1).max() <= 1


def test_whole_spectrum_is_the_power_spectrum_unfolded(photo: torch.Tensor):
    images = photo[..., :96, :128]
    whole, half = whole_spectrum(images), power_spectrum(images)[0]
    assert whole.shape == (97, 129)
    assert torch.equal(whole[48, 64:], half[0])
    assert torch.equal(whole[48:96, 64:], half[:48])
    # Sums in another order: the last digits depend on the processor.
    torch.testing.assert_close(whole, whole.flip(0, 1), rtol=1e-5, atol=1e-5)


# What readers without a kernel, and screen readers, get --------------------------------------


def test_text_is_the_same_each_run(lab: CheckerboardLab):
    assert repr(lab) == repr(CheckerboardLab())
    start = "CheckerboardLab: PixelShuffle, {} init, x4, step 0: grid energy "
    assert repr(lab).startswith(start.format("random"))
    lab.choose(init="icnr")
    assert repr(lab).startswith(start.format("ICNR"))
