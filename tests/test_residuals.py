"""Weights on the correction: what they multiply, how they begin, how far they see."""

import copy
import math
from functools import partial

import pytest
import torch
from torch import Tensor, nn

from srlab.images import to_bytes
from srlab.inference import enlarge_in_tiles
from srlab.models import ResidualBlock, SrResNet, enlarge
from srlab.residuals import ChannelGates, FixedWeight, LearnedWeight, WeightedResidualBlock


def weighted(weight: nn.Module, features: int = 4) -> WeightedResidualBlock:
    """A block with the same convolutions each time."""
    torch.manual_seed(0)
    block = WeightedResidualBlock(features, weight)
    plain = plain_block(features)
    block.load_state_dict(plain.state_dict(), strict=False)
    return block


def plain_block(features: int = 4) -> ResidualBlock:
    torch.manual_seed(0)
    return ResidualBlock(features)


@pytest.fixture
def x() -> Tensor:
    return torch.randn(2, 4, 5, 7, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("value", [0.0, 0.1, 1.0, -2.0])
def test_the_weight_is_on_the_correction_alone(x: Tensor, value: float) -> None:
    correction = plain_block()(x) - x
    torch.testing.assert_close(weighted(FixedWeight(value))(x), x + value * correction)


def test_weights_of_a_plain_block_fit() -> None:
    block = WeightedResidualBlock(4, FixedWeight(0.1))
    block.load_state_dict(plain_block().state_dict())  # strict: nothing is missing or left
    learned = WeightedResidualBlock(4, LearnedWeight())
    result = learned.load_state_dict(plain_block().state_dict(), strict=False)
    assert result.missing_keys == ["weight.factor"]
    assert result.unexpected_keys == []


def test_a_fixed_weight_is_no_parameter_and_can_be_moved(x: Tensor) -> None:
    block = weighted(FixedWeight(0.5))
    half = block(x) - x
    block.weight.value = 1.0
    torch.testing.assert_close(block(x) - x, 2 * half)
    assert list(block.weight.parameters()) == []


def test_a_learned_weight_is_one_parameter_that_starts_at_zero(x: Tensor) -> None:
    block = weighted(LearnedWeight())
    assert [p.shape for p in block.weight.parameters()] == [()]
    assert torch.equal(block(x), x)
    assert block.weight.value == 0


def test_at_first_only_the_learned_weight_itself_has_a_slope(x: Tensor) -> None:
    block = weighted(LearnedWeight())
    block(x).square().sum().backward()
    assert block.weight.factor.grad != 0
    for parameter in [*block.conv1.parameters(), *block.conv2.parameters()]:
        assert parameter.grad is not None
        assert not parameter.grad.any()
    block.weight.factor.data.fill_(0.1)  # after a step
    block(x).square().sum().backward()
    assert block.conv1.weight.grad.any()


def test_gates_by_hand() -> None:
    gates = ChannelGates(2, reduction=1)
    first, second = gates.gates[1], gates.gates[3]
    with torch.no_grad():
        first.weight.copy_(torch.eye(2).view(2, 2, 1, 1))
        second.weight.copy_(torch.eye(2).view(2, 2, 1, 1))
        first.bias.zero_()
        second.bias.zero_()
    correction = torch.tensor([[1.0, 3.0], [-5.0, -1.0]]).view(1, 2, 1, 2)  # means 2, -3
    expected = [1 / (1 + math.exp(-2)), 0.5]  # of relu(2), relu(-3)
    torch.testing.assert_close(gates.gates(correction).flatten(), torch.tensor(expected))
    torch.testing.assert_close(
        gates(correction), correction * torch.tensor(expected).view(1, 2, 1, 1)
    )
    assert gates.value == pytest.approx(sum(expected) / 2)


def test_each_picture_has_its_own_gates(x: Tensor) -> None:
    gates = ChannelGates(4)
    together, alone = gates(x), torch.cat([gates(one[None]) for one in x])
    torch.testing.assert_close(together, alone)
    values = gates.gates(x)
    assert values.shape == (2, 4, 1, 1)
    assert not torch.allclose(values[0], values[1], atol=1e-6)
    assert values.min() > 0
    assert values.max() < 1


@pytest.mark.parametrize(("features", "middle"), [(16, 4), (32, 8), (3, 1), (1, 1)])
def test_the_middle_is_narrow_but_never_empty(features: int, middle: int) -> None:
    assert ChannelGates(features).gates[1].out_channels == middle


def test_gates_that_saw_nothing_have_no_value() -> None:
    assert math.isnan(ChannelGates(4).value)


@pytest.mark.parametrize(
    "weight", [FixedWeight, LearnedWeight, partial(ChannelGates, 4)], ids=str
)
def test_weights_can_be_copied_and_keep_the_dtype(weight: type[nn.Module], x: Tensor) -> None:
    block = weighted(weight()).double()
    expected = block(x.double())
    assert expected.dtype == torch.float64
    assert torch.equal(copy.deepcopy(block)(x.double()), expected)


# -- in a network ----------------------------------------------------------------


def network(weight: type[nn.Module], scale: int = 4) -> SrResNet:
    """One that no longer is bicubic."""
    torch.manual_seed(0)
    model = SrResNet(scale, 4, 2, block=lambda f: WeightedResidualBlock(f, weight(f)))
    for name, parameter in model.named_parameters():
        nn.init.normal_(parameter, std=0.03 if "upsampler" in name else 0.5)
    return model


def gated(features: int) -> nn.Module:
    """Gates whose ReLU is too wide to be off altogether."""
    return ChannelGates(features, reduction=1)


def fixed(_: int) -> nn.Module:
    return FixedWeight(0.1)


def learned(_: int) -> nn.Module:
    return LearnedWeight()


@pytest.mark.parametrize("weight", [fixed, learned, gated])
def test_each_block_has_a_weight_of_its_own(weight: type[nn.Module]) -> None:
    first, second = network(weight).body
    assert first.weight is not second.weight


@pytest.mark.parametrize("weight", [fixed, learned, gated])
def test_it_starts_as_bicubic(weight: type[nn.Module]) -> None:
    lr = torch.rand(1, 3, 5, 6)
    model = SrResNet(2, 4, 2, block=lambda f: WeightedResidualBlock(f, weight(f)))
    assert torch.equal(model(lr), enlarge(lr, 2))


def test_reach() -> None:
    plain = SrResNet(4, 4, 2)
    for weight in (fixed, learned):
        assert network(weight).reach == plain.reach
    assert network(gated).reach == math.inf


def test_gates_do_see_a_pixel_far_away() -> None:
    """So an infinite reach is the truth, not caution."""
    model = network(gated)
    lr = torch.rand(1, 3, 64, 64)
    other = lr.clone()
    other[..., 32:] = 0.5
    with torch.no_grad():
        assert (model(lr) - model(other))[..., :8, :8].abs().max() > 1e-5
        assert torch.equal(network(fixed)(lr)[..., :8, :8], network(fixed)(other)[..., :8, :8])


@pytest.mark.parametrize("size", [(23, 37), (1, 9)])
@pytest.mark.parametrize("tile", [1, 16])
def test_with_gates_tiled_equals_whole(photo: Tensor, size: tuple[int, int], tile: int) -> None:
    lr = photo[..., : size[0], : size[1]]
    model = network(gated, scale=2)
    with torch.inference_mode():
        whole = to_bytes(model(lr))[0]
    assert torch.equal(enlarge_in_tiles(model, lr, scale=2, tile=tile), whole)


@pytest.mark.parametrize("weight", [fixed, learned, gated])
def test_after_two_steps_the_gradient_reaches_everything(weight: type[nn.Module]) -> None:
    """The first opens the last convolution, the second the learned weights."""
    torch.manual_seed(0)
    model = SrResNet(2, 8, 2, block=lambda f: WeightedResidualBlock(f, weight(f)))
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    lr, hr = torch.rand(2, 3, 8, 8), torch.rand(2, 3, 16, 16)
    for _ in range(3):
        optimizer.zero_grad()
        (model(lr) - hr).square().mean().backward()
        optimizer.step()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name
