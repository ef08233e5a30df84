"""Losses by hand and against torch; a term of weight 0 costs nothing."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from srlab.losses import WeightedLoss, l1_loss, l2_loss, mix_weights, pixel_loss

HR = torch.tensor([[[[0.0, 1.0], [0.5, 0.25]]]])
SR = torch.tensor([[[[0.5, 1.0], [0.0, 0.0]]]])


def test_by_hand() -> None:
    assert l1_loss(SR, HR).item() == pytest.approx((0.5 + 0 + 0.5 + 0.25) / 4)
    assert l2_loss(SR, HR).item() == pytest.approx((0.25 + 0 + 0.25 + 0.0625) / 4)


@pytest.mark.parametrize(("own", "torchs"), [(l1_loss, F.l1_loss), (l2_loss, F.mse_loss)])
def test_values_and_gradients_are_torchs(own: object, torchs: object) -> None:
    sr, hr = torch.rand(2, 3, 5, 4, requires_grad=True), torch.rand(2, 3, 5, 4)
    value, expected = own(sr, hr), torchs(sr, hr)
    torch.testing.assert_close(value, expected)
    (gradient,) = torch.autograd.grad(value, sr)
    (expected_gradient,) = torch.autograd.grad(expected, sr)
    torch.testing.assert_close(gradient, expected_gradient)


@pytest.mark.parametrize("loss", [l1_loss, l2_loss, pixel_loss()])
def test_shapes_must_agree(loss: object) -> None:
    with pytest.raises(ValueError, match=r"sr is \(1, 3, 4, 4\) and hr is \(1, 1, 4, 4\)"):
        loss(torch.zeros(1, 3, 4, 4), torch.zeros(1, 1, 4, 4))


def refuse(_sr: Tensor, _hr: Tensor) -> Tensor:
    raise RuntimeError("computed")


def test_weighted_sum_names_its_terms() -> None:
    loss = WeightedLoss({"l1": l1_loss, "l2": l2_loss}, {"l1": 2.0, "l2": 3.0})
    terms = loss(SR, HR)
    assert terms["l1"].item() == pytest.approx(2 * 0.3125)
    assert terms["l2"].item() == pytest.approx(3 * 0.140625)


def test_weight_zero_is_not_computed() -> None:
    loss = WeightedLoss({"l1": l1_loss, "dear": refuse}, {"l1": 1.0})
    assert list(loss(SR, HR)) == ["l1"]
    loss.weights["dear"] = 0.1  # as a slider does
    with pytest.raises(RuntimeError, match="computed"):
        loss(SR, HR)


def test_unknown_weight() -> None:
    with pytest.raises(ValueError, match="There is no term gram; there are l1, l2"):
        WeightedLoss({"l1": l1_loss, "l2": l2_loss}, {"l1": 1, "gram": 1})


def test_the_loss_keeps_its_own_weights() -> None:
    given = {"l1": 1.0}
    loss = WeightedLoss({"l1": l1_loss}, given)
    loss.weights["l1"] = 5.0
    assert given == {"l1": 1.0}


def test_pixel_loss_mixes() -> None:
    assert pixel_loss()(SR, HR) == {"l1": l1_loss(SR, HR)}
    assert pixel_loss(1.0)(SR, HR) == {"l2": 10 * l2_loss(SR, HR)}
    assert mix_weights(0.25) == {"l1": 0.75, "l2": 2.5}
    for mix in (-0.1, 1.5, float("nan")):
        with pytest.raises(ValueError, match=f"mix must be between 0 and 1, but got {mix}"):
            pixel_loss(mix)
