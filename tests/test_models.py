"""Networks: any size in, bicubic at the start, and no farther than they say."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from srlab.images import to_image
from srlab.models import (
    Bicubic,
    ResidualBlock,
    SrResNet,
    count_parameters,
    enlarge,
    start_at_zero,
)
from tests.conftest import awake


@pytest.mark.parametrize("scale", [2, 4, 8])
@pytest.mark.parametrize("size", [(1, 1), (1, 7), (5, 3), (33, 48)])
def test_output_size(scale: int, size: tuple[int, int]) -> None:
    lr = torch.rand(2, 3, *size)
    for model in (Bicubic(scale), SrResNet(scale, 4, 1)):
        assert model(lr).shape == (2, 3, size[0] * scale, size[1] * scale)


@pytest.mark.parametrize("scale", [2, 4, 8])
def test_enlarge_is_pillows_bicubic(photo: Tensor, scale: int) -> None:
    lr = photo[..., :24, :37]
    expected = to_image(lr).resize((37 * scale, 24 * scale), Image.Resampling.BICUBIC)
    assert (
        np.abs(np.asarray(to_image(enlarge(lr, scale)), int) - np.asarray(expected)).max() <= 1
    )


@pytest.mark.parametrize("scale", [2, 4, 8])
def test_starts_exactly_as_bicubic(scale: int) -> None:
    lr = torch.rand(1, 3, 9, 11)
    assert torch.equal(SrResNet(scale, 6, 2)(lr), Bicubic(scale)(lr))


@pytest.mark.parametrize("scale", [2, 4])
def test_after_a_step_the_gradient_reaches_everything(scale: int) -> None:
    torch.manual_seed(0)
    model = SrResNet(scale, 8, 2)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    lr, hr = torch.rand(2, 3, 8, 8), torch.rand(2, 3, 8 * scale, 8 * scale)
    (model(lr) - hr).square().mean().backward()
    optimizer.step()  # the last convolution is no longer zero
    optimizer.zero_grad()
    lr.requires_grad_()
    (model(lr) - hr).square().mean().backward()
    assert lr.grad is not None
    assert lr.grad.abs().sum() > 0
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


class WideBlock(nn.Conv2d):
    """A block that reaches 6 px: 5 x 5, with gaps of 3."""

    def __init__(self, num_features: int):
        super().__init__(num_features, num_features, 5, padding=6, dilation=3)


@pytest.mark.parametrize("scale", [2, 4, 8])
@pytest.mark.parametrize("blocks", [0, 1, 3])
@pytest.mark.parametrize("block", [ResidualBlock, WideBlock])
def test_reach_is_true(scale: int, blocks: int, block: type[nn.Module]) -> None:
    """Beyond it a changed pixel changes nothing; a little within it does."""
    model = awake(SrResNet(scale, 4, blocks, block=block), std=0.2).double()
    side = 2 * model.reach + 5
    lr = torch.rand(1, 3, side, side, dtype=torch.float64)
    other = lr.clone()
    center = side // 2
    other[..., center, center] += 1
    changed = (model(lr) - model(other)).abs().amax(1)[0].gt(1e-12)
    rows = changed.any(1).nonzero().flatten() // scale - center
    assert rows.abs().max() <= model.reach
    assert rows.abs().max() >= model.reach - 2  # and is not wastefully large


@pytest.mark.parametrize("scale", [2, 4, 8])
def test_reach_of_bicubic(scale: int) -> None:
    line = torch.zeros(1, 1, 1, 21)
    line[..., 10] = 1
    touched = Bicubic(scale)(line)[0, 0, 0].abs().gt(1e-7).nonzero().flatten() // scale - 10
    assert touched.abs().max() == Bicubic.reach == 2


def test_width_depth_block_and_upsampler_are_used() -> None:
    class OneByOne(nn.Conv2d):
        def __init__(self, num_features: int):
            super().__init__(num_features, num_features, 1)

    class Nearest(nn.Sequential):
        def __init__(self, num_features: int, scale: int):
            super().__init__(nn.Conv2d(num_features, 3, 1), nn.Upsample(scale_factor=scale))

    model = SrResNet(4, 5, 3, block=OneByOne, upsampler=Nearest)
    assert [type(block) for block in model.body] == [OneByOne] * 3
    assert model.body[0].in_channels == 5
    assert isinstance(model.upsampler, Nearest)
    assert model.reach == 2  # bicubic's, though the convolutions reach but 1
    lr = torch.rand(1, 3, 4, 4)
    assert torch.equal(model(lr), enlarge(lr, 4))


def test_dtype_is_kept() -> None:
    lr = torch.rand(1, 3, 4, 4, dtype=torch.float64)
    assert SrResNet(2, 4, 1).double()(lr).dtype == torch.float64
    assert Bicubic(2)(lr).dtype == torch.float64


def test_residual_block_adds_to_its_input() -> None:
    block = ResidualBlock(4)
    start_at_zero(block)
    x = torch.rand(1, 4, 5, 6)
    assert torch.equal(block(x), x)
    assert block.conv1.weight.abs().sum() > 0


def test_parameters_by_hand() -> None:
    # head 3*9*4+4, block 2*(4*9*4+4), upsampler 4*9*12+12
    assert count_parameters(SrResNet(2, 4, 1)) == 112 + 2 * 148 + 444
    assert count_parameters(Bicubic(4)) == 0


def test_what_is_refused() -> None:
    for model in (Bicubic, SrResNet):
        with pytest.raises(ValueError, match="scale must be 2, 4 or 8, but got 3"):
            model(3)
    with pytest.raises(ValueError, match=r"lr has shape \(3, 4, 4\), but \(N, C, h, w\)"):
        enlarge(torch.zeros(3, 4, 4), 2)
