"""The sliders of a loss with several terms and layers, in the training lab."""

import pytest

from srlab.features import FeatureExtractor
from srlab.losses import ContentLoss, WeightedLoss, l1_loss
from srlab.widgets.dials import (
    LARGEST_WEIGHT,
    OFF,
    as_position,
    as_weight,
    mix_dial,
    weight_dials,
)
from srlab.widgets.drawing import map_chart


@pytest.fixture
def loss():
    extractor = FeatureExtractor(["relu1_1", "relu1_2"])
    content = ContentLoss(extractor, {"relu1_2": 0.5})
    return WeightedLoss({"pixel": l1_loss, "content": content}, {"pixel": 1.0, "content": 0.1})


def test_every_term_and_every_layer_has_a_dial(loss):
    dials = weight_dials(loss)
    assert list(dials) == ["pixel", "content", "relu1_1", "relu1_2"]
    values = [dial.slider.value for dial in dials.values()]
    assert values == pytest.approx([1.0, 0.1, OFF, 0.5])
    assert dials["relu1_1"].slider.tooltip == "Weight of the layer relu1_1; off at the left end"


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
