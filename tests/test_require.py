"""Argument checks: each mistake has one sentence with the value and the fix."""

# ruff: noqa: E501 -- a sentence under test stays on one line

import numpy as np
import pytest
import torch

from srlab.require import (
    require_batch,
    require_count,
    require_divisible,
    require_known,
    require_photos,
    require_same_shape,
    require_scale,
    require_share,
    require_side,
    require_sizes,
    require_terms,
    require_unit_range,
)

RGB = torch.rand(1, 3, 8, 12)


def test_what_is_right_passes() -> None:
    for scale in (2, 4, 8):
        require_scale(scale)
        require_sizes((5, 5 * scale))
    require_batch(RGB, "lr")
    require_unit_range(RGB, "lr")
    require_unit_range(1.2 - RGB, "a network's overshoot")
    require_same_shape(RGB, RGB)
    require_divisible(RGB, 4)
    require_side(RGB, 8, "ridge")
    require_photos([RGB], "embedded", 8)
    require_known(["l1"], ["l1", "l2"])
    require_share(0, "mix")
    require_share(1, "mix")
    require_count(1, "batch_size")
    require_terms([torch.zeros(1), torch.zeros(1, requires_grad=True)])


@pytest.mark.parametrize(
    ("check", "error", "sentence"),
    [
        (lambda: require_side(RGB, 9, "ridge"), ValueError, "The picture is 8 x 12 px, but ridge can be measured from 9 px on; take a larger one."),
        (lambda: require_scale(3), ValueError, "scale must be 2, 4 or 8, but got 3; other factors are not built in this course."),
        (lambda: require_scale(0), ValueError, "scale must be 2, 4 or 8, but got 0;"),
        (lambda: require_scale(True), TypeError, "scale must be the integer 2, 4 or 8, but got a bool: True."),
        (lambda: require_scale("4"), TypeError, "scale must be the integer 2, 4 or 8, but got a str: '4'."),
        (lambda: require_count(0, "batch_size"), ValueError, "batch_size must be 1 or more, but got 0."),
        (lambda: require_count(2.0, "batch_size"), TypeError, "batch_size must be an integer, such as 8, but got 2.0."),
        (lambda: require_terms([]), ValueError, "No term of the loss depends on the network, so there is nothing to learn; is every weight 0,"),
        (lambda: require_terms([torch.ones(1)]), ValueError, "No term of the loss depends on the network"),
        (lambda: require_known(["conv9"], ["relu1_1"], "layer"), ValueError, "There is no layer conv9; there are relu1_1."),
        (lambda: require_batch([1], "lr"), TypeError, "lr must be a tensor (N, C, h, w), but got a list; srlab.images.read_image makes one."),
        (lambda: require_batch(np.zeros(3), "lr"), TypeError, "lr must be a tensor (N, C, h, w), but got a ndarray"),
        (lambda: require_batch(RGB[0], "lr"), ValueError, "lr has shape (3, 8, 12), but (N, C, h, w) was expected; add the missing axis with lr[None]."),
        (lambda: require_batch(RGB.int(), "lr"), TypeError, "lr is torch.int32, but floating point in [0, 1] was expected; use lr.float() / 255."),
        (lambda: require_unit_range(RGB * 255, "hr"), ValueError, "hr runs from "),
        (lambda: require_unit_range(torch.tensor([0.0, torch.nan]), "hr"), ValueError, "hr runs from nan to nan, but about [0, 1] was expected; divide 8-bit values by 255."),
        (lambda: require_unit_range(torch.tensor([0.0, torch.inf]), "hr"), ValueError, "hr runs from 0 to inf"),
        (lambda: require_unit_range(RGB[:0], "hr"), ValueError, "hr has shape (0, 3, 8, 12): it is empty."),
        (lambda: require_same_shape(RGB, RGB[:, :1]), ValueError, "sr is (1, 3, 8, 12) and hr is (1, 1, 8, 12), but they must have one shape; is the scale right?"),
        (lambda: require_divisible(RGB, 8), ValueError, "hr is 8 x 12 px, but both sides must be divisible by scale (=8); crop it first."),
        (lambda: require_sizes([24, 96]), TypeError, "sizes must be (lr_size, hr_size), such as (24, 96), but got [24, 96]."),
        (lambda: require_sizes((24.0, 96)), TypeError, "sizes must be two integers in px, such as (24, 96), but got (24.0, 96)."),
        (lambda: require_sizes((96, 24)), ValueError, "sizes are (96, 24), but hr_size must be 2, 4 or 8 times lr_size"),
        (lambda: require_photos([], "embedded", 999), ValueError, "No photograph of 'embedded' has 999 px on both sides; ask for smaller crops."),
        (lambda: require_known(["gram", "l1"], ["l1", "l2"]), ValueError, "There is no term gram; there are l1, l2."),
        (lambda: require_share(1.1, "mix"), ValueError, "mix must be between 0 and 1, but got 1.1."),
        (lambda: require_share(float("nan"), "mix"), ValueError, "mix must be between 0 and 1, but got nan."),
    ],
)  # fmt: skip
def test_what_is_wrong_gets_its_sentence(
    check: object, error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error) as raised:
        check()
    assert str(raised.value).startswith(sentence)
    assert str(raised.value)[-1] in ".?"
