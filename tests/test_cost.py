"""Parameters and multiply-adds, against what is counted by hand."""

from functools import partial

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from srlab.models import Bicubic, SrResNet, Upsampler
from srlab.residuals import ChannelGates, WeightedResidualBlock
from srlab.scoring import count_multiply_adds
from srlab.unet import UNet, VggEncoder
from srlab.upsamplers import TransposedStage


def test_a_convolution_by_hand():
    assert count_multiply_adds(nn.Conv2d(3, 8, 5, padding=2), 10, 20) == 25 * 3 * 8 * 200
    assert count_multiply_adds(nn.Conv2d(3, 8, 3, 2, 1), 10, 20) == 9 * 3 * 8 * 50


@pytest.mark.parametrize(
    "model",
    [
        SrResNet(4, 8, 2),
        SrResNet(2, 4, 1, upsampler=partial(Upsampler, stage=TransposedStage)),
        SrResNet(2, 4, 1, block=lambda n: WeightedResidualBlock(n, ChannelGates(n))),
        UNet(4, 4, 2),
        UNet(2, encoder=VggEncoder(1)),
        nn.Conv2d(3, 6, 3, stride=2, groups=3),
        nn.Sequential(conv := nn.Conv2d(3, 3, 3), conv),
    ],
    ids=["srresnet", "transposed", "gates", "unet", "vgg", "groups", "used twice"],
)
def test_half_of_the_flops_that_torch_counts(model):
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(torch.rand(1, 3, 9, 14))
    assert count_multiply_adds(model, 9, 14) == counter.get_total_flops() // 2 > 0


@pytest.mark.parametrize(
    "model",
    [SrResNet(4, 8, 1), UNet(4, 4, 1), UNet(4, encoder=VggEncoder(1)), ChannelGates(3)],
    ids=["srresnet", "unet", "vgg", "gates"],
)
def test_the_model_stays_as_it_was(model):
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model.train()
    count_multiply_adds(model, 8, 8)
    assert model.training
    assert all(value.equal(before[name]) for name, value in model.state_dict().items())
    assert all(p.grad is None and p.device.type == "cpu" for p in model.parameters())
    assert model(torch.rand(1, 3, 8, 8)).isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_precision_does_not_matter(dtype):
    plain = count_multiply_adds(UNet(2, 4, 1), 8, 8)
    assert count_multiply_adds(UNet(2, 4, 1).to(dtype), 8, 8) == plain


@pytest.mark.parametrize(
    ("size", "sentence"),
    [
        ((0, 8), "height must be 1 or more, but got 0"),
        ((8, -1), "width must be 1 or more, but got -1"),
    ],
)
def test_errors(size, sentence):
    with pytest.raises(ValueError, match=sentence):
        count_multiply_adds(Bicubic(4), *size)
