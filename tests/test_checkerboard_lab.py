"""CheckerboardLab: its numbers, its controls, its pictures, and the training behind it."""

import io
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch
from PIL import Image

from srlab.losses import ContentLoss
from srlab.metrics import Protocol as Scoring
from srlab.metrics import checkerboard, grid_energy, power_spectrum, psnr, ridge, sharpness
from srlab.models import SrResNet, UpsampleStage, enlarge
from srlab.training import DivergedError
from srlab.upsamplers import IcnrStage, ResizeStage, TransposedStage
from srlab.widgets.checkerboard_bench import (
    ADDED,
    GRAY,
    HISTORY_LIMIT,
    STARTS_OVER,
    CheckerboardBench,
    GridHistory,
    GridReading,
    GridSetting,
    gray_card,
    pairs,
    untrained,
)
from srlab.widgets.checkerboard_lab import CheckerboardLab
from srlab.widgets.checkerboard_pictures import (
    PANEL,
    PANELS,
    amplified,
    peak_place,
    peaks,
    spectrum_picture,
    whole_spectrum,
)
from srlab.widgets.drawing import ORANGE
from srlab.widgets.kit.live import LiveTraining
from srlab.widgets.poster import BYTES_LIMIT
from tests.test_parts import alt_of
from tests.watching import equal, numbers_of, wait_for, weights_of

PNG = b"\x89PNG"
SCALES = (2, 4, 8)
VERMILION = tuple(int(ORANGE[i : i + 2], 16) for i in (1, 3, 5))


@pytest.fixture(autouse=True)
def one_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SRLAB_PRECISION", "fp32")  # spares the trial run


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
    for setting in (
        GridSetting(),
        GridSetting(init="icnr"),
        GridSetting("resize"),
        GridSetting("transposed"),
    ):
        network = untrained(replace(setting, scale=scale))
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
    assert reading.measure == pytest.approx(checkerboard(sr, hr, scale=8).item())
    assert reading.bicubic_measure == pytest.approx(checkerboard(bicubic, hr, scale=8).item())
    assert reading.psnr == pytest.approx(psnr(y.apply(sr), y.apply(hr)).item())
    assert reading.bicubic_psnr == pytest.approx(psnr(y.apply(bicubic), y.apply(hr)).item())
    assert reading.sharpness == pytest.approx(sharpness(sr, hr, scale=8).item())
    assert reading.ridge == pytest.approx(ridge(sr, hr).item())
    assert f"ridge {reading.ridge:.3g} (truth 1)" in lab._numbers.value
    with torch.no_grad():
        card = lab.bench.model(gray_card(8))
    middle = card[..., 64:-64, 64:-64]  # where the border of the card is not felt
    assert reading.energy == pytest.approx(grid_energy(middle, 8).item(), rel=1e-4)
    assert sr.shape[-1] == middle.shape[-1] == 96


def test_photograph_and_bicubic_belong_together(lab: CheckerboardLab):
    bench = lab.bench
    shown = enlarge(bench.scene.lr, 4)[..., 16:-16, 16:-16].clamp(0, 1)
    torch.testing.assert_close(lab.pictures()["bicubic"], shown)


def test_reading_is_one_sentence():
    reading = GridReading(7, 1.5e-3, 59.5, 0.02, 21.67, 23.37, 0.961, 1.256)
    assert str(reading) == (
        "step 7: grid energy 1.5e-03 on a gray card, checkerboard 59.5 (bicubic 0.02, "
        "truth 1); PSNR 21.67 dB (bicubic 23.37 dB), sharpness 0.96, ridge 1.26"
    )


# Controls ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"), [("upsampler", "transposed"), ("init", "icnr"), ("scale", 2)]
)
def test_what_changes_the_network_starts_over(lab: CheckerboardLab, name: str, value: object):
    lab.run_steps(2)
    reading = lab.choose(**{name: value})
    assert reading.step == 0
    assert numbers_of(lab)["step"] == "0"
    assert numbers_of(lab)["state"] == "ready"
    assert numbers_of(lab)[name] == str(value)
    assert [step for step, _ in lab.bench.history.points] == [0]
    assert lab.run_steps(1).step == 1, "and it trains from there"


def test_it_starts_over_in_the_middle_of_a_training(lab: CheckerboardLab):
    lab.start()
    wait_for(lambda: lab.reading.step > 1, "two steps")
    reading = lab.choose(init="icnr")
    assert (reading.step, lab.live.state, numbers_of(lab)["state"]) == (
        0,
        "paused",
        "ready",
    )
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
    kinds = {}
    for name, weight in lab.bench.loss.weights.items():
        term = lab.bench.loss.terms[name]
        if isinstance(term, ContentLoss):
            layers = {type(layer) for layer in term.extractor.vgg}
            kinds[name] = (
                torch.nn.AvgPool2d in layers,
                torch.nn.MaxPool2d in layers,
                weight > 0,
            )
    assert kinds == {
        "content": (False, True, False),
        "content, average pooling": (True, False, True),
    }


def test_the_extractor_is_loaded_when_it_is_first_chosen(lab: CheckerboardLab):
    assert set(lab.bench.loss.terms) == {"pixel"}
    told = []
    lab._status.observe(lambda event: told.append(event["new"]), names="value")
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
    before, weights, truth = (
        lab.reading,
        weights_of(lab.bench.model),
        lab._images["truth"].value,
    )
    reading = lab.choose(photograph="aizkorri-autumn")
    assert reading.step == 2
    assert equal(weights, weights_of(lab.bench.model))
    assert reading.measure != before.measure
    assert reading.energy == before.energy, "the gray card is the same"
    assert lab._images["truth"].value != truth
    assert [step for step, _ in lab.bench.history.points] == [2], "a curve of one photograph"


def test_controls_act_like_choose(lab: CheckerboardLab):
    thread = threading.Thread(target=lambda: setattr(lab.controls["init"], "value", "icnr"))
    thread.start()
    thread.join(20)
    lab.live.wait(20)
    assert lab.bench.setting.init == numbers_of(lab)["init"] == "icnr"
    assert lab.reading.energy < 1e-12


def test_init_is_pixelshuffles_alone(lab: CheckerboardLab):
    lab.choose(upsampler="resize")
    assert lab.controls["init"].disabled
    assert "init is disabled: there is no shuffle to initialize in a resize" in lab._note.value
    lab.choose(upsampler="pixelshuffle", init="icnr")
    assert not lab.controls["init"].disabled
    assert "disabled" not in lab._note.value


def test_step_0_is_explained_and_later_not(lab: CheckerboardLab):
    assert "what the untrained upsampler adds" in lab._note.value
    lab.run_steps(1)
    assert "untrained upsampler" not in lab._note.value


def test_reset_gives_the_same_beginning(lab: CheckerboardLab):
    first, weights = lab.reading, weights_of(lab.bench.model)
    lab.choose(loss="content")
    lab.run_steps(2)
    assert lab.reading != first
    lab.reset()
    assert lab.reading == first
    assert equal(weights, weights_of(lab.bench.model))
    assert lab.controls["loss"].value == "content", "the controls stay"
    assert numbers_of(lab)["state"] == "ready"


def test_the_same_steps_give_the_same_numbers(lab: CheckerboardLab):
    once = lab.run_steps(3)
    lab.reset()
    assert lab.run_steps(3) == once


def test_pause_freezes_it(lab: CheckerboardLab):
    lab.start()
    wait_for(lambda: lab.reading.step > 0 and lab._start.disabled, "a step")
    lab.pause()
    step = lab.bench.step
    time.sleep(0.1)
    assert lab.bench.step is step
    assert numbers_of(lab)["state"] == "paused"
    assert lab._pause.disabled


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        (
            {"upsampler": "nearest"},
            "There is no upsampler nearest; there are pixelshuffle, resize, transposed.",
        ),
        ({"init": "ICNR"}, "There is no init ICNR; there are random, icnr."),
        (
            {"loss": "l1"},
            "There is no loss l1; there are pixel, content, content, average pooling.",
        ),
        (
            {"photograph": "cat"},
            "There is no photograph cat; there are raccoon-face, coffee-cup, aizkorri-autumn.",
        ),
        (
            {"scale": 3},
            "scale must be 2, 4 or 8, but got 3; other factors are not built in this course.",
        ),
        (
            {"upsampler": "resize", "init": "icnr"},
            "init is PixelShuffle's alone, but upsampler is 'resize'; "
            'choose upsampler="pixelshuffle" with it.',
        ),
    ],
)
def test_wrong_choices_are_told_and_change_nothing(
    lab: CheckerboardLab, choice: dict[str, object], message: str
):
    before = lab.bench.setting
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        lab.choose(**choice)
    assert lab.bench.setting == before


def test_init_alone_is_refused_where_there_is_no_shuffle(lab: CheckerboardLab):
    lab.choose(upsampler="transposed")
    with pytest.raises(ValueError, match="upsampler is 'transposed'"):
        lab.choose(init="icnr")


def test_a_wrecked_network_is_told_and_reset_helps(lab: CheckerboardLab):
    with torch.no_grad():
        lab.bench.model.head.weight.fill_(float("nan"))
    with pytest.raises(DivergedError):
        lab.run_steps(1)
    lab.start()
    wait_for(lambda: 'role="alert"' in lab._status.value, "an alert")
    assert "start again with a smaller one" in lab._status.value
    lab.reset()
    assert 'role="status"' in lab._status.value
    assert lab.run_steps(1).step == 1


# The bench -----------------------------------------------------------------------------------


def test_only_what_makes_another_network_starts_over():
    bench = CheckerboardBench(GridSetting())
    for name, value in (("upsampler", "resize"), ("init", "icnr"), ("scale", 2)):
        model = bench.model
        bench.set(name, value)
        assert (bench.model is not model) == (name in STARTS_OVER)
    model = bench.model
    bench.set("photograph", "coffee-cup")
    bench.set("loss", "content")
    assert bench.model is model


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
    assert len(bench.history.points) == 1, "a step stands once in the curve"


def test_history_does_not_grow_without_end():
    history = GridHistory()
    for step in range(5 * HISTORY_LIMIT):
        history.add(step, 1.0)
    assert len(history.points) <= HISTORY_LIMIT
    assert (history.points[0][0], history.points[-1][0]) == (0, 5 * HISTORY_LIMIT - 1)


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


def test_every_picture_is_a_png(lab: CheckerboardLab):
    for picture in [*(lab._images[name] for name in PANELS), lab._curve]:
        assert picture.data.startswith(PNG)
        assert "data:image/png;base64," in picture.value
        assert "checkerboard" in alt_of(picture)
        assert "max-width: none" in picture.value, "a shrunk grid is another grid"
    assert {Image.open(io.BytesIO(p.data)).width for p in lab._images.values()} == {PANEL}


def test_pixels_are_squares_of_the_picture(lab: CheckerboardLab):
    shown = Image.open(io.BytesIO(lab._images["network"].data)).convert("RGB")
    sr = lab.pictures()["network"][0]
    at = (96 - 52) // 2 // 8 * 8  # where the shown part begins
    for row, column in ((0, 0), (7, 3), (51, 51)):
        expected = (sr[:, at + row, at + column] * 255).round().tolist()
        for corner in (0, 3):
            pixel = shown.getpixel((4 * column + corner, 4 * row + corner))
            assert pixel == pytest.approx(expected, abs=1)


def test_what_stands_still_is_drawn_once(lab: CheckerboardLab):
    assert lab._stale() == [name for name in PANELS if not name.startswith("truth")]
    lab.choose(photograph="coffee-cup")
    lab._drawn_hr = None
    assert lab._stale() == list(PANELS)


@pytest.mark.parametrize(
    ("scale", "multiples"),
    [(2, "0 1/2"), (4, "0 1/4 1/2"), (8, "0 1/8 1/4 3/8 1/2")],
)
def test_peaks_are_the_multiples(scale: int, multiples: str):
    found = peaks(scale)
    assert {abs(part) for peak in found for part in peak} == set(
        map(Fraction, multiples.split())
    )
    assert len(found) == len(set(found)) == (scale + 1) ** 2 - 1
    assert (0, 0) not in found


@pytest.mark.parametrize("scale", SCALES)
def test_marks_stand_where_a_real_grid_has_its_energy(scale: int):
    """A pattern of period ``scale``, its spectrum drawn, and the bright pixels found."""
    torch.manual_seed(0)
    tile = torch.rand(1, 3, scale, scale)
    grid = tile.repeat(1, 1, 96 // scale, 96 // scale)
    picture = spectrum_picture(grid, scale, top=whole_spectrum(grid).max().item())
    plain = whole_spectrum(grid)
    strong = {tuple(place) for place in (plain > plain.max() * 1e-4).nonzero().tolist()}
    for peak in peaks(scale):
        y, x = (int(48 + 96 * part) for part in peak)
        assert (y, x) in strong
        column, row = peak_place(peak, 96)
        ring = [
            picture.getpixel((column + dx, row + dy)) for dx, dy in ((6, 0), (0, -6), (-6, 0))
        ]
        assert ring == [VERMILION] * 3
        assert picture.getpixel((column, row))[2] < 120, "yellow in the middle: not covered"
    places = {(int(48 + 96 * y), int(48 + 96 * x)) for y, x in peaks(scale)}
    near = {(y + i, x + j) for y, x in places for i in (-1, 0, 1) for j in (-1, 0, 1)}
    center = {(48 + i, 48 + j) for i in (-1, 0, 1) for j in (-1, 0, 1)}
    assert strong <= near | center, "and there is no energy that is not marked"


def test_marked_are_those_multiples_alone():
    flat = torch.full((1, 3, 96, 96), 0.5)
    counts = []
    for scale in SCALES:
        picture = spectrum_picture(flat, scale, top=1.0)
        counts.append((np.asarray(picture) == VERMILION).all(axis=-1).sum())
    assert counts[1] == pytest.approx(counts[0] * 3, rel=0.01)  # 8, 24 and 80 circles
    assert counts[2] == pytest.approx(counts[0] * 10, rel=0.01)


def test_whole_spectrum_is_the_power_spectrum_unfolded(photo: torch.Tensor):
    images = photo[..., :96, :128]
    whole, half = whole_spectrum(images), power_spectrum(images)[0]
    assert whole.shape == (97, 129)
    assert torch.equal(whole[48, 64:], half[0])
    assert torch.equal(whole[48:96, 64:], half[:48])
    # Sums in another order: the last digits depend on the processor.
    torch.testing.assert_close(whole, whole.flip(0, 1), rtol=1e-5, atol=1e-5)


def test_amplified_is_as_strong_as_it_can_be():
    difference = torch.linspace(-0.012, 0.012, 300).view(1, 3, 10, 10)
    picture, gain = amplified(difference)
    assert gain == 20
    torch.testing.assert_close(picture, (0.5 + 20 * difference).clamp(0, 1))
    assert amplified(torch.zeros(1, 3, 4, 4))[1] == 1000
    assert amplified(torch.ones(1, 3, 4, 4))[1] == 1


# What readers without a kernel, and screen readers, get --------------------------------------


def test_poster_lies_beside_the_widget(lab: CheckerboardLab):
    lab.run_steps(2)
    data, _ = lab._repr_mimebundle_()
    assert data["image/png"].startswith(PNG)
    assert len(data["image/png"]) <= BYTES_LIMIT
    assert "application/vnd.jupyter.widget-view+json" in data
    assert data["text/plain"] == repr(lab)


def test_text_is_the_same_each_run(lab: CheckerboardLab):
    assert repr(lab) == repr(CheckerboardLab())
    start = "CheckerboardLab: PixelShuffle, random init, x4, step 0: grid energy "
    assert repr(lab).startswith(start)


def test_state_and_numbers_are_told(lab: CheckerboardLab):
    assert 'role="status"' in lab._status.value
    assert "ready: PixelShuffle, random init, x4, step 0" in lab._status.value
    lab.choose(init="icnr")
    assert "ready: PixelShuffle, ICNR init, x4, step 0" in lab._status.value
    lab.run_steps(1)
    assert "paused: PixelShuffle, ICNR init, x4, step 1" in lab._status.value
    told = numbers_of(lab)
    assert float(told["measure"]) == pytest.approx(lab.reading.measure, rel=1e-4)
    assert float(told["energy"]) == pytest.approx(lab.reading.energy, rel=1e-4)
    assert float(told["psnr"]) == pytest.approx(lab.reading.psnr, abs=1e-3)


def test_every_control_has_a_name(lab: CheckerboardLab):
    for control in [*lab.controls.values(), lab._start, lab._pause, lab._reset]:
        assert control.description
        assert control.tooltip


def test_only_one_trains_in_a_kernel(lab: CheckerboardLab):
    other = CheckerboardLab()
    lab.start()
    wait_for(lambda: lab.live.state == "running", "the first to run")
    other.run_steps(1)
    lab.live.wait(20)
    assert lab.live.state == "paused"
    assert LiveTraining._current is other.live


def test_the_network_is_lesson_01s_kind(lab: CheckerboardLab):
    assert isinstance(lab.bench.model, SrResNet)
