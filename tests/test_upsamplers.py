"""ICNR is judged by what comes out of the shuffle; stages by size and by gray pictures."""

import warnings
from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from srlab.metrics import grid_energy, shave
from srlab.models import SrResNet, Upsampler, UpsampleStage
from srlab.upsamplers import IcnrStage, ResizeStage, TransposedStage, icnr_
from srlab.zoo import load_model

Wrap = Callable[[nn.Module], nn.Module]
STAGES = (UpsampleStage, IcnrStage, ResizeStage, TransposedStage)


def plain(conv: nn.Module) -> nn.Module:
    return conv


def old_weight_norm(conv: nn.Module, dim: int | None = 0) -> nn.Module:
    with warnings.catch_warnings():  # torch would rather have us use the new one
        warnings.simplefilter("ignore", FutureWarning)
        return nn.utils.weight_norm(conv, dim=dim)


WRAPS = {
    "plain": plain,
    "weight norm": parametrizations.weight_norm,
    "weight norm of the whole": partial(parametrizations.weight_norm, dim=None),
    "old weight norm": old_weight_norm,
    "old weight norm of the whole": partial(old_weight_norm, dim=None),
    "old weight norm by column": partial(old_weight_norm, dim=1),
}


def squares(conv: nn.Module, factor: int) -> Tensor:
    """What convolution and shuffle draw, as (N, C, h, w, factor * factor)."""
    torch.manual_seed(1)
    with torch.no_grad():
        drawn = nn.PixelShuffle(factor)(conv(torch.randn(2, conv.in_channels, 6, 5)))
    n, c, h, w = drawn.shape
    pieces = drawn.view(n, c, h // factor, factor, w // factor, factor)
    return pieces.transpose(3, 4).flatten(4)


def distinct_kernels(conv: nn.Module) -> int:
    return len(conv.weight.detach().flatten(1).unique(dim=0))


@pytest.mark.parametrize("wrap", WRAPS.values(), ids=list(WRAPS))
@pytest.mark.parametrize("factor", [2, 3, 4])
def test_each_square_is_flat(wrap: Wrap, factor: int) -> None:
    torch.manual_seed(0)
    conv = wrap(nn.Conv2d(5, 3 * factor**2, 3, padding=1))
    before = squares(conv, factor)
    assert (before - before[..., :1]).abs().max() > 0.1  # else it proves nothing
    assert icnr_(conv, factor) is conv
    after = squares(conv, factor)
    assert torch.equal(after, after[..., :1].expand_as(after))
    assert distinct_kernels(conv) == 3  # flat, and not all the same


@pytest.mark.parametrize("wrap", WRAPS.values(), ids=list(WRAPS))
def test_it_is_what_init_gave(wrap: Wrap) -> None:
    def counted(kernel: Tensor) -> Tensor:
        assert kernel.shape == (2, 3, 3, 3)
        return kernel.copy_(torch.arange(1.0, kernel.numel() + 1).view_as(kernel))

    conv = wrap(nn.Conv2d(3, 8, 3))
    icnr_(conv, 2, counted)
    conv(torch.zeros(1, 3, 4, 4))  # the old weight norm derives its weight here
    expected = torch.arange(1.0, 55).view(2, 3, 3, 3).repeat_interleave(4, dim=0)
    torch.testing.assert_close(conv.weight.detach(), expected)


@pytest.mark.parametrize("wrap", WRAPS.values(), ids=list(WRAPS))
def test_training_goes_on_from_there(wrap: Wrap) -> None:
    conv = icnr_(wrap(nn.Conv2d(3, 8, 3, padding=1)))
    optimizer = torch.optim.SGD(conv.parameters(), lr=0.1)
    nn.PixelShuffle(2)(conv(torch.randn(1, 3, 5, 5))).square().mul(
        torch.rand(10)
    ).sum().backward()
    optimizer.step()
    drawn = squares(conv, 2)
    assert (drawn - drawn[..., :1]).abs().max() > 1e-3  # nothing ties the copies together


def test_groups_and_half_precision() -> None:
    conv = icnr_(nn.Conv2d(4, 16, 3, padding=1, groups=2))
    drawn = squares(conv, 2)
    assert torch.equal(drawn, drawn[..., :1].expand_as(drawn))
    assert icnr_(nn.Conv2d(3, 8, 1).bfloat16()).weight.dtype == torch.bfloat16
    assert icnr_(nn.Conv2d(3, 8, 1)).weight.requires_grad


@pytest.mark.parametrize(
    ("conv", "factor", "error", "sentence"),
    [
        (nn.Conv2d(3, 10, 3), 2, ValueError, r"gives 10 channels, but PixelShuffle\(2\) takes"),
        (nn.Conv2d(3, 8, 3), 4, ValueError, "them by 16; give the shuffle's own factor"),
        (nn.Conv2d(4, 8, 3, groups=4), 2, ValueError, "gives 2 channels in each of 4 groups"),
        (nn.Conv2d(3, 8, 3), 0, ValueError, "factor must be a whole number.* but got 0"),
        (nn.Conv2d(3, 8, 3), 2.0, ValueError, "factor must be a whole number.* but got 2.0"),
        (nn.Linear(3, 8), 2, TypeError, "but got a Linear; give the module, not its weight"),
        (torch.zeros(8, 3, 3, 3), 2, TypeError, "got a Tensor; give the module"),
        (nn.ConvTranspose2d(3, 8, 3), 2, TypeError, "got a ConvTranspose2d"),
        (nn.utils.spectral_norm(nn.Conv2d(3, 8, 3)), 2, ValueError, "before you wrap"),
    ],
)
def test_icnr_refuses(conv: nn.Module, factor: int, error: type[Exception], sentence: str):
    with pytest.raises(error, match=sentence):
        icnr_(conv, factor)


# -- stages ----------------------------------------------------------------------


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("size", [(1, 1), (1, 5), (7, 4)])
def test_a_stage_doubles(stage: type[nn.Module], size: tuple[int, int]) -> None:
    features = torch.randn(2, 6, *size)
    assert stage(6, 5)(features).shape == (2, 5, 2 * size[0], 2 * size[1])


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("scale", [2, 4, 8])
def test_a_network_with_it(stage: type[nn.Module], scale: int) -> None:
    model = SrResNet(scale, 6, 1, upsampler=partial(Upsampler, stage=stage))
    assert model(torch.rand(1, 3, 5, 4)).shape == (1, 3, 5 * scale, 4 * scale)
    for parameter in model.upsampler.to_rgb.parameters():
        assert not parameter.any()  # it still starts as bicubic


def drawn_on_gray(stage: type[nn.Module], scale: int) -> Tensor:
    """A picture from features that are the same everywhere, without its border."""
    torch.manual_seed(0)
    gray = torch.randn(1, 16, 1, 1).expand(1, 16, 24, 24)
    with torch.no_grad():
        return shave(Upsampler(16, scale, stage)(gray), 4 * scale)


@pytest.mark.parametrize("scale", [2, 4, 8])
@pytest.mark.parametrize("stage", [IcnrStage, ResizeStage])
def test_gray_stays_gray(stage: type[nn.Module], scale: int) -> None:
    drawn = drawn_on_gray(stage, scale)
    assert drawn.std() > 0.01  # the colors differ: it is not simply zero
    assert grid_energy(drawn, scale).item() < 1e-12


@pytest.mark.parametrize("scale", [2, 4, 8])
@pytest.mark.parametrize("stage", [UpsampleStage, TransposedStage])
def test_gray_gets_a_grid(stage: type[nn.Module], scale: int) -> None:
    assert grid_energy(drawn_on_gray(stage, scale), scale).item() > 1e-5


def test_weights_carry_over() -> None:
    trained = load_model("small-x4", 4)
    other = SrResNet(4, 32, 8, upsampler=partial(Upsampler, stage=IcnrStage))
    other.load_state_dict(trained.state_dict())
    lr = torch.rand(1, 3, 9, 8)
    with torch.no_grad():
        torch.testing.assert_close(other(lr), trained.cpu()(lr))


def test_resize_is_the_published_one() -> None:
    stage = ResizeStage(4, 3)
    features = torch.randn(1, 4, 5, 6)
    repeated = features.repeat_interleave(2, 2).repeat_interleave(2, 3)
    torch.testing.assert_close(stage(features), stage[1](repeated))
