"""Probes: what they measure is there, and they leave nothing behind."""

import copy

import pytest
import torch
from torch import Tensor, nn

from srlab.features import count_hooks
from srlab.losses import l1_loss, pixel_loss
from srlab.models import Bicubic, SrResNet
from srlab.residuals import (
    ChannelGates,
    FixedWeight,
    LearnedWeight,
    WeightedResidualBlock,
    block_weights,
    gradient_by_block,
    spread_by_block,
)


def network(weight: type[nn.Module] | None = None, blocks: int = 3) -> SrResNet:
    """One whose last convolution is no longer zero."""
    torch.manual_seed(0)
    if weight is None:
        model = SrResNet(2, 4, blocks)
    else:
        model = SrResNet(2, 4, blocks, block=lambda f: WeightedResidualBlock(f, weight()))
    for parameter in model.upsampler.parameters():
        nn.init.normal_(parameter, std=0.1)
    return model


@pytest.fixture
def pair() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(2)
    return (
        torch.rand(2, 3, 6, 7, generator=generator),
        torch.rand(2, 3, 12, 14, generator=generator),
    )


def test_spread_is_that_of_each_blocks_output(pair: tuple[Tensor, Tensor]) -> None:
    model = network()
    features, expected = model.head(pair[0]), []
    for block in model.body:
        features = block(features)
        expected.append(features.std().item())
    assert spread_by_block(model, pair[0]) == pytest.approx(expected)
    assert len(set(expected)) == 3


def test_gradient_is_that_of_backward(pair: tuple[Tensor, Tensor]) -> None:
    model, other = network(), network()
    lr, hr = pair
    l1_loss(other(lr), hr).backward()
    expected = [
        torch.cat([p.grad.flatten() for p in block.parameters()]).norm().item()
        for block in other.body
    ]
    assert gradient_by_block(model, pair, pixel_loss()) == pytest.approx(expected, rel=1e-5)
    assert min(expected) > 0


def test_all_terms_of_the_loss_count(pair: tuple[Tensor, Tensor]) -> None:
    model, both = network(), pixel_loss(0.5)
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


def test_learned_weights_at_zero_hide_the_convolutions(pair: tuple[Tensor, Tensor]) -> None:
    """The only gradient of such a block is its weight's."""
    model = network(LearnedWeight)
    expected = []
    l1_loss(model(pair[0]), pair[1]).backward()
    for block in model.body:
        assert not block.conv1.weight.grad.any()
        expected.append(block.weight.factor.grad.abs().item())
    model.zero_grad()
    assert gradient_by_block(model, pair, pixel_loss()) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("training", [True, False])
def test_nothing_is_left_behind(training: bool, pair: tuple[Tensor, Tensor]) -> None:
    model = network(LearnedWeight).train(training)
    model.body.append(nn.BatchNorm2d(4))  # counts what it sees, if it trains
    before = copy.deepcopy(model.state_dict())
    spread_by_block(model, pair[0])
    gradient_by_block(model, pair, pixel_loss())
    block_weights(model, pair[0])
    assert count_hooks(model) == 0
    assert all(module.training is training for module in model.modules())
    assert all(parameter.grad is None for parameter in model.parameters())
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_gradients_already_there_stay(pair: tuple[Tensor, Tensor]) -> None:
    model = network()
    l1_loss(model(pair[0]), pair[1]).backward()
    before = [parameter.grad.clone() for parameter in model.parameters()]
    gradient_by_block(model, pair, pixel_loss())
    after = [parameter.grad for parameter in model.parameters()]
    assert all(torch.equal(a, b) for a, b in zip(after, before, strict=True))


def test_hooks_go_also_when_the_model_fails() -> None:
    model = network()
    with pytest.raises(RuntimeError):
        spread_by_block(model, torch.rand(1, 5, 6, 6))  # five channels
    assert count_hooks(model) == 0
    assert model.training


def test_gradients_are_there_under_no_grad(pair: tuple[Tensor, Tensor]) -> None:
    with torch.no_grad():
        assert min(gradient_by_block(network(), pair, pixel_loss())) > 0


def test_weights_of_blocks() -> None:
    assert block_weights(network()) == [1.0, 1.0, 1.0]
    tenths = network(lambda: FixedWeight(0.1))
    assert block_weights(tenths) == [0.1, 0.1, 0.1]
    tenths.body[1].weight.value = 0.7
    assert block_weights(tenths) == [0.1, 0.7, 0.1]
    learned = network(LearnedWeight)
    assert block_weights(learned) == [0.0, 0.0, 0.0]
    learned.body[2].weight.factor.data.fill_(-0.25)
    assert block_weights(learned) == [0.0, 0.0, -0.25]


def test_gates_depend_on_the_picture_shown(pair: tuple[Tensor, Tensor]) -> None:
    model = network(lambda: ChannelGates(4, reduction=1))
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
@pytest.mark.parametrize("model", [Bicubic(2), network(blocks=0)])
def test_models_without_blocks_are_refused(probe: object, model: nn.Module) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011
        probe(model)
    assert str(error.value) == (
        f"The model must have blocks in .body, as SrResNet has, but got a "
        f"{type(model).__name__}, which has none."
    )
