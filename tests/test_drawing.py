"""Charts as pictures, for the labs that still draw them so."""

from math import nan

import numpy as np
import pytest
from PIL import Image, ImageColor

from srlab.widgets.drawing import (
    BLUE,
    GREEN,
    ORANGE,
    Curve,
    _apart,
    _pieces,
    _short,
    beside,
    curve_chart,
)
from srlab.widgets.poster import text_font


def pixels(image: Image.Image, color: str) -> np.ndarray:
    """(n, 2): row and column of each pixel of this color."""
    return np.argwhere((np.asarray(image) == ImageColor.getrgb(color)).all(-1))


def test_curves_differ_in_color_and_dashes_and_stop_where_they_end():
    whole = Curve("one", [(step, 1.0) for step in range(1, 101)], BLUE)
    dashed = Curve("two", [(step, 2.0) for step in range(1, 51)], ORANGE, (6, 6))
    chart = curve_chart("t", [whole, dashed], size=(470, 240))
    one, two = pixels(chart, BLUE), pixels(chart, ORANGE)
    right = 470 - 70
    one, two = one[one[:, 1] < right], two[two[:, 1] < right]
    assert two[:, 0].max() < one[:, 0].min(), "the larger value is higher"
    assert np.ptp(one[:, 1]) == pytest.approx(2 * np.ptp(two[:, 1]), rel=0.1)
    assert len(set(one[:, 1])) == np.ptp(one[:, 1]) + 1, "a whole line has no gap"
    assert len(set(two[:, 1])) < 0.8 * np.ptp(two[:, 1]), "a dashed one has"


def test_curves_of_no_numbers_are_left_out():
    nothing = curve_chart("t", [Curve("gone", [(1, nan)], BLUE)])
    assert not pixels(nothing, BLUE).size
    assert pixels(curve_chart("t", [Curve("dot", [(1, 0.5)], BLUE)]), BLUE).size


def test_names_stand_apart_and_in_the_order_of_their_curves():
    places = _apart([100, 101, 50, 239], 28, 240)
    assert sorted(range(4), key=places.__getitem__) == [2, 0, 1, 3]
    assert min(np.diff(sorted(places))) >= 17
    assert 28 <= min(places)
    assert max(places) <= 240
    assert max(_apart([240] * 4, 28, 240)) <= 240


def test_numbers_at_an_axis_fit_their_room():
    assert _short(-0.00507, 100) == "-0.00507"
    assert _short(-0.00507, 54) == "-0.005"
    assert text_font().getlength("-0.005") <= 54 < text_font().getlength("-0.00507")
    assert _short(0.123456, 54) == "0.123"


def test_dashes_run_on_around_corners():
    pieces = list(_pieces([(0, 0), (5, 0), (5, 5)], (4, 2)))
    assert pieces == [[(0, 0), (4, 0)], [(5, 1), (5, 5)]]


def test_beside_keeps_both():
    row = beside(Image.new("RGB", (10, 4), BLUE), Image.new("RGB", (5, 8), GREEN))
    assert row.size == (15, 8)
    assert (pixels(row, BLUE).shape[0], pixels(row, GREEN).shape[0]) == (40, 40)
