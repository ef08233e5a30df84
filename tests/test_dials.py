"""The sliders of a loss with several terms and layers, in the training lab."""

import io

import pytest
import torch
from PIL import Image

from srlab.data import get_data
from srlab.features import FeatureExtractor
from srlab.losses import ContentLoss, WeightedLoss, l1_loss
from srlab.models import SrResNet
from srlab.widgets.dials import (
    LARGEST_WEIGHT,
    OFF,
    as_position,
    as_weight,
    mix_dial,
    weight_dials,
)
from srlab.widgets.drawing import map_chart
from srlab.widgets.training_lab import TrainingLab
from tests.watching import numbers_of

DATA = get_data(2, (6, 24))


@pytest.fixture(autouse=True)
def one_precision(monkeypatch):
    monkeypatch.setenv("SRLAB_PRECISION", "fp32")  # spares the trial run


@pytest.fixture
def loss():
    extractor = FeatureExtractor(["relu1_1", "relu1_2"])
    content = ContentLoss(extractor, {"relu1_2": 0.5})
    return WeightedLoss({"pixel": l1_loss, "content": content}, {"pixel": 1.0, "content": 0.1})


@pytest.fixture
def lab(loss):
    lab = TrainingLab(lambda: SrResNet(4, 8, 1), DATA, loss=loss)
    yield lab
    lab.pause()


def picture(widget):
    return Image.open(io.BytesIO(widget.data))


def test_every_term_and_every_layer_has_a_dial(loss):
    dials = weight_dials(loss)
    assert list(dials) == ["pixel", "content", "relu1_1", "relu1_2"]
    values = [dial.slider.value for dial in dials.values()]
    assert values == pytest.approx([1.0, 0.1, OFF, 0.5])
    assert dials["relu1_1"].slider.tooltip == "Weight of the layer relu1_1; off at the left end"


def test_a_lessons_own_content_loss_has_dials_too():
    class Retyped(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer_weights = {"relu3_3": 0.25}

        def forward(self, sr, hr):
            return self.layer_weights["relu3_3"] * l1_loss(sr, hr)

    loss = WeightedLoss({"pixel": l1_loss, "content": Retyped()}, {"content": 1.0})
    assert list(weight_dials(loss)) == ["pixel", "content", "relu3_3"]
    lab = TrainingLab(lambda: SrResNet(4, 8, 1), DATA, loss=loss)
    assert "1 · content (0.25 relu3_3)" in lab._numbers.value
    lab.set("relu3_3", 2.0)
    assert loss.terms["content"].layer_weights == {"relu3_3": 2.0}


def test_a_dial_sets_its_own_weight_and_no_other(loss):
    content = loss.terms["content"]
    dials = weight_dials(loss)
    dials["content"].apply(2.0)
    dials["relu1_1"].apply(3.0)
    dials["relu1_2"].apply(OFF)
    assert loss.weights == {"pixel": 1.0, "content": 2.0}
    assert content.layer_weights == {"relu1_1": 3.0, "relu1_2": 0.0}


def test_mix_dial_sets_both_weights():
    loss = WeightedLoss({"l1": l1_loss, "l2": l1_loss}, {"l1": 1.0})
    mix_dial(loss).apply(0.25)
    assert loss.weights == {"l1": 0.75, "l2": 2.5}


@pytest.mark.parametrize("weight", [0.0, 2e-5, 0.1, 1.0, LARGEST_WEIGHT])
def test_weight_and_position_are_each_others_inverse(weight):
    assert as_weight(as_position(weight)) == weight


@pytest.mark.parametrize("weight", [-1.0, 1e-6, 101.0, float("nan")])
def test_a_weight_beyond_the_slider_is_refused(weight):
    with pytest.raises(ValueError, match=r"0 \(off\) or between 1e-05 and 100, but"):
        as_position(weight)


def test_the_next_step_counts_what_the_sliders_say(lab, loss):
    lab.set("content", 0.25)
    lab.set("relu1_1", 2.0)
    lab.set("relu1_2", 0)
    lab.run_steps(1)
    assert set(lab.bench.step.terms) == {"pixel", "content"}
    shown = numbers_of(lab)
    assert (shown["w-content"], shown["w-relu1_1"], shown["w-relu1_2"]) == ("0.25", "2", "0")
    assert "1 · pixel + 0.25 · content (2 relu1_1)" in lab._numbers.value
    lr, hr = DATA[0]
    torch.manual_seed(0)
    sr = SrResNet(4, 8, 1)(lr)
    wanted = 0.25 * loss.terms["content"](sr, hr)
    assert lab.bench.step.terms["content"].item() == pytest.approx(wanted.item(), rel=1e-4)


def test_a_term_that_is_off_is_not_computed(lab):
    lab.set("content", 0)
    lab.run_steps(1)
    assert set(lab.bench.step.terms) == {"pixel"}
    assert "content" not in lab._numbers.value.split("<br>")[1]


def test_all_off_is_an_error_that_says_so_and_nothing_is_lost(lab):
    lab.run_steps(1)
    before = [p.clone() for p in lab.bench.model.parameters()]
    for name in ("pixel", "content"):
        lab.set(name, 0)
    with pytest.raises(ValueError, match="is every weight 0"):
        lab.run_steps(1)
    assert all(map(torch.equal, before, lab.bench.model.parameters()))
    lab.set("pixel", 1)
    lab.run_steps(1)
    assert lab.figures.step == 2


def test_unknown_slider(lab):
    with pytest.raises(
        ValueError, match="no slider 'style'; there are pixel, content, relu1_1"
    ):
        lab.set("style", 1)


def test_the_map_follows_the_training(lab):
    names = [next(c for c in p._dom_classes if c.startswith("srlab-")) for p in lab._curves]
    assert names == ["srlab-loss-curve", "srlab-psnr-curve", "srlab-map"]
    before = lab._curves[2].value
    lab.run_steps(2)
    lab.snapshot()
    assert lab._curves[2].value != before
    assert picture(lab._curves[2]).size == picture(lab._curves[0]).size


def test_reset_goes_back_to_the_model_given(lab):
    lab.run_steps(1)
    lab.reset()
    torch.manual_seed(0)
    wanted = SrResNet(4, 8, 1)
    assert all(map(torch.equal, wanted.parameters(), lab.bench.model.parameters()))


def test_map_chart_marks_where_it_stands():
    color = (0, 114, 178)
    marks = {"bicubic": (26.0, 0.1)}
    low = map_chart("map", [(27.0, 0.4)], marks, color="#0072B2")
    high = map_chart("map", [(27.0, 0.4), (26.5, 0.8)], marks, color="#0072B2")

    def blues(image):
        pixels = image.load()
        across, down = (range(side) for side in image.size)
        return [(x, y) for x in across for y in down if pixels[x, y] == color]

    assert 40 < len(blues(low)) < 120, "one dot"
    assert len(blues(high)) > len(blues(low)), "a path and a dot"
    assert min(y for _, y in blues(high)) < 60, "the sharpest is on top"


def test_map_chart_without_anything_finite_shows_the_marks_alone():
    nothing = map_chart("map", [(float("nan"), 1.0)], {"bicubic": (26, 0.1)}, color="#0072B2")
    assert nothing.size == (470, 170)
