"""GrowthLab: what is counted, what the formula says, and what the sliders do."""

import math

import pytest
from traitlets import TraitError

from srlab.widgets.growth import GrowthLab, read_growth
from srlab.widgets.growth.reading import BLOCKS


@pytest.mark.parametrize("weight", [0.0, 0.1, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("correlation", [-0.5, 0.0, 0.3, 1.0])
def test_what_is_counted_follows_the_formula(weight: float, correlation: float):
    reading = read_growth(weight, correlation)
    assert len(reading.theory) == len(reading.measured) == BLOCKS + 1
    for depth, (theory, measured) in enumerate(
        zip(reading.theory, reading.measured, strict=True)
    ):
        assert math.log(measured / theory) == pytest.approx(0, abs=0.02 * (depth + 2) ** 0.5)


def test_by_hand():
    assert read_growth(1.0).theory[:4] == (1, 2, 4, 8), "independent: variances add up"
    assert read_growth(0.5).theory[1] == 1.25
    assert read_growth(1.0, 1.0).theory[1] == 4, "the same: standard deviations add up"
    assert read_growth(1.0, -1.0).measured[1] == pytest.approx(0, abs=1e-20)


def test_it_is_counted_not_copied():
    reading = read_growth(1.0)
    assert reading.measured[1] != reading.theory[1]
    assert reading == read_growth(1.0), "and each time the same"


@pytest.mark.parametrize(
    ("weight", "correlation", "text"),
    [
        (2.5, 0, "weight must be from 0 to 2, but got 2.5."),
        (-1, 0, "weight must be from 0 to 2, but got -1."),
        (1, -1.5, "correlation must be from -1 to 1, but got -1.5."),
    ],
)
def test_what_is_out_of_range(weight: float, correlation: float, text: str):
    with pytest.raises(ValueError, match=f"^{text}$"):
        read_growth(weight, correlation)


def test_a_slider_counts_anew():
    lab = GrowthLab()
    assert lab.blocks[3]["theory"] == 8
    assert [row["block"] for row in lab.told] == [1, 8, 32]
    lab.weight = 0.5
    assert lab.blocks[1]["theory"] == 1.25
    assert lab.told[0]["measured"] == pytest.approx(1.25, abs=0.02)
    lab.correlation = 1.0
    assert lab.blocks[1]["theory"] == 2.25
    assert "correlation 1.00" in lab.said


def test_nothing_left_has_no_bar():
    lab = GrowthLab(1.0, -1.0)
    assert lab.blocks[0]["measured"] == 1
    assert lab.blocks[1] == {"block": 1, "theory": None, "measured": None}


def test_out_of_range_in_the_lab():
    with pytest.raises(TraitError):
        GrowthLab().weight = 3


def test_its_words():
    assert repr(GrowthLab()).startswith(
        "GrowthLab: weight 1.00, correlation 0.00: variance after 1 × 2.03 (theory × 2)"
    )
