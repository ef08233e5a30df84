"""Weights on the correction: what they multiply, how far they see, and what probes say."""

import copy
import math
from functools import partial

import pytest
import torch
from torch import Tensor, nn

from srlab.images import to_bytes
from srlab.inference import enlarge_in_tiles
from srlab.losses import l1_loss, pixel_loss
from srlab.models import Bicubic, ResidualBlock, SrResNet, enlarge
from srlab.residuals import (
    ChannelGates,
    FixedWeight,
    LearnedWeight,
    WeightedResidualBlock,
    block_weights,
    gradient_by_block,
    spread_by_block,
)
from tests.conftest import awake
from tests.watching import unchanged


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
def test_it_starts_as_bicubic(weight: type[nn.Module]) -> None:
    lr = torch.rand(1, 3, 5, 6)
    model = SrResNet(2, 4, 2, block=lambda f: WeightedResidualBlock(f, weight(f)))
    assert torch.equal(model(lr), enlarge(lr, 2))


def test_reach() -> None:
    plain = SrResNet(4, 4, 2)
    for weight in (fixed, learned):
        assert network(weight).reach == plain.reach
    assert network(gated).reach == math.inf


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


# -- probes ---------------------------------------------------------------------------


def probed(weight: type[nn.Module] | None = None, blocks: int = 3) -> SrResNet:
    """One whose last convolution is no longer zero."""
    torch.manual_seed(0)
    block = (lambda f: WeightedResidualBlock(f, weight())) if weight else ResidualBlock
    return awake(SrResNet(2, 4, blocks, block=block), std=0.1)


@pytest.fixture
def pair() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(2)
    return (
        torch.rand(2, 3, 6, 7, generator=generator),
        torch.rand(2, 3, 12, 14, generator=generator),
    )


def test_spread_is_that_of_each_blocks_output(pair: tuple[Tensor, Tensor]) -> None:
    model = probed()
    features, expected = model.head(pair[0]), []
    for block in model.body:
        features = block(features)
        expected.append(features.std().item())
    assert spread_by_block(model, pair[0]) == pytest.approx(expected)
    assert len(set(expected)) == 3


def test_gradient_is_that_of_backward(pair: tuple[Tensor, Tensor]) -> None:
    model, other = probed(), probed()
    lr, hr = pair
    l1_loss(other(lr), hr).backward()
    expected = [
        torch.cat([p.grad.flatten() for p in block.parameters()]).norm().item()
        for block in other.body
    ]
    assert gradient_by_block(model, pair, pixel_loss()) == pytest.approx(expected, rel=1e-5)
    assert min(expected) > 0


def test_all_terms_of_the_loss_count(pair: tuple[Tensor, Tensor]) -> None:
    model, both = probed(), pixel_loss(0.5)
    once = gradient_by_block(model, pair, both)

    def doubled(sr: Tensor, hr: Tensor) -> dict[str, Tensor]:
        return {f"{n} {i}": term for i in (1, 2) for n, term in both(sr, hr).items()}

    twice = gradient_by_block(model, pair, doubled)
    assert twice == pytest.approx([2 * value for value in once], rel=1e-4)


def test_a_new_network_passes_no_gradient(pair: tuple[Tensor, Tensor]) -> None:
    """Its last convolution is zero; a first step of the training opens it."""
    model = SrResNet(2, 4, 3)
    assert gradient_by_block(model, pair, pixel_loss()) == [0, 0, 0]
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    l1_loss(model(pair[0]), pair[1]).backward()
    optimizer.step()
    assert min(gradient_by_block(model, pair, pixel_loss())) > 0


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("has_gradients", [True, False])
def test_nothing_is_left_behind(
    training: bool, has_gradients: bool, pair: tuple[Tensor, Tensor]
) -> None:
    model = probed(LearnedWeight)
    model.body.append(nn.BatchNorm2d(4))  # counts what it sees, if it trains
    model.train(training)
    if has_gradients:
        l1_loss(model(pair[0]), pair[1]).backward()
    with unchanged(model):
        spread_by_block(model, pair[0])
        gradient_by_block(model, pair, pixel_loss())
        block_weights(model, pair[0])
    with unchanged(model), pytest.raises(RuntimeError):
        spread_by_block(model, torch.rand(1, 5, 6, 6))  # five channels


def test_gradients_are_there_under_no_grad(pair: tuple[Tensor, Tensor]) -> None:
    with torch.no_grad():
        assert min(gradient_by_block(probed(), pair, pixel_loss())) > 0


def test_weights_of_blocks() -> None:
    assert block_weights(probed()) == [1.0, 1.0, 1.0]
    tenths = probed(lambda: FixedWeight(0.1))
    assert block_weights(tenths) == [0.1, 0.1, 0.1]
    tenths.body[1].weight.value = 0.7
    assert block_weights(tenths) == [0.1, 0.7, 0.1]
    learned = probed(LearnedWeight)
    assert block_weights(learned) == [0.0, 0.0, 0.0]
    learned.body[2].weight.factor.data.fill_(-0.25)
    assert block_weights(learned) == [0.0, 0.0, -0.25]


def test_gates_depend_on_the_picture_shown(pair: tuple[Tensor, Tensor]) -> None:
    model = probed(lambda: ChannelGates(4, reduction=1))
    first = block_weights(model, pair[0])
    assert all(0 < weight < 1 for weight in first)
    assert block_weights(model) == first  # the picture seen last
    assert block_weights(model, 1 - pair[0]) != first
    by_hand = model.body[0].weight.gates
    block = model.body[0]
    x = model.head(pair[0])
    correction = block.conv2(torch.relu(block.conv1(x)))
    assert first[0] == pytest.approx(by_hand(correction).mean().item())


@pytest.mark.parametrize(
    "probe",
    [
        lambda model: spread_by_block(model, torch.rand(1, 3, 4, 4)),
        lambda model: gradient_by_block(
            model, (torch.rand(1, 3, 4, 4), torch.rand(1, 3, 8, 8)), pixel_loss()
        ),
        block_weights,
    ],
)
@pytest.mark.parametrize("model", [Bicubic(2), probed(blocks=0)])
def test_models_without_blocks_are_refused(probe: object, model: nn.Module) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011
        probe(model)
    assert str(error.value) == (
        f"The model must have blocks in .body, as SrResNet has, but got a "
        f"{type(model).__name__}, which has none."
    )
