"""The one list of measures: complete, in order, with directions that are right."""

import math

import pytest
import torch
from torch import Tensor

from srlab.metrics import score_pair
from srlab.scoring import (
    MEASURES,
    directions,
    heading_of,
    line_of,
    short,
)


def test_the_list_is_what_is_measured(photo: Tensor) -> None:
    assert list(score_pair(photo, photo, scale=4)) == list(MEASURES)


def test_the_truth_is_best_by_every_measure(photo: Tensor) -> None:
    """Directions, held against what noise does to a picture."""
    torch.manual_seed(0)
    noisy = (photo + 0.1 * torch.randn_like(photo)).clamp(0, 1)
    truth, worse = (score_pair(sr, photo, scale=4) for sr in (photo, noisy))
    for name, measure in MEASURES.items():
        assert measure.order(truth[name]) < measure.order(worse[name]), name


@pytest.mark.parametrize(
    ("name", "in_order"),
    [("psnr_y", [30.0, 29.0]), ("mdsi", [0.2, 0.3]), ("ridge", [1.0, 1.5]),
     ("sharpness", [0.9, 1.2, 0.1])],
)  # fmt: skip
def test_the_better_comes_first(name: str, in_order: list[float]) -> None:
    order = MEASURES[name].order
    assert sorted(sorted(in_order), key=order) == in_order
    assert sorted(sorted(in_order, reverse=True), key=order) == in_order


def test_directions_are_one_sentence() -> None:
    assert directions() == (
        "PSNR Y, SSIM Y, PSNR RGB and HaarPSI highest; sharpness, checkerboard and ridge "
        "nearest to the truth's 1; MDSI lowest"
    )


def test_columns_stand_under_their_titles() -> None:
    figures = dict.fromkeys(MEASURES, 1.25) | {"psnr_y": math.inf}
    head, line = heading_of(MEASURES), line_of(MEASURES, figures)
    assert line.split()[:5] == ["inf", "dB", "1.2500", "1.25", "dB"]
    assert len(head) == len(line)
    assert head.index("MDSI") + 4 == len(line)
    at = head.index("checkerboard") + len("checkerboard")
    assert line[:at].endswith("1.250"), "aligned at the right"
    assert line[at] == " "


def test_what_is_no_number_is_a_dash() -> None:
    texts = [short(v) for v in (None, math.nan, math.inf, 2.0, 1e30)]
    assert texts == ["–", "–", "–", "2.00", "1.0e+30"]
    assert MEASURES["psnr_y"].text(28.664) == "28.66 dB"
