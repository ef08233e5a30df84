"""Checks of lesson 03: right answers pass, and each misconception gets its hint."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from srlab.checks import check_channel_gates, check_learned_block, check_variance
from srlab.residuals import ChannelGates, LearnedWeight, WeightedResidualBlock
from tests.answering import refused, refuses, takes

# Exercise 1 ----------------------------------------------------------------------------


def multiplies_block_by_block(variance, weight, depth):
    for _ in range(depth):
        variance += weight**2 * variance
    return variance


def adds_standard_deviations(variance, weight, depth):
    spread = math.sqrt(variance)
    for _ in range(depth):
        spread += weight * spread
    return spread**2


test_variance_done = takes(
    check_variance,
    multiplies_block_by_block,
    lambda v, w, n: torch.tensor(v * (1 + w**2) ** n),
    lambda v, w, n: np.float32(v * (1 + w**2) ** n),
)


test_variance_mistakes = refuses(
    check_variance,
    {
        "You added standard deviations; those": (
            adds_standard_deviations,
            lambda v, w, n: adds_standard_deviations(v, abs(w), n),
        ),
        "A factor w does not": lambda v, w, n: v * (1 + w) ** n,
        "The 2 belongs to He's start": lambda v, w, n: v * (1 + 2 * w**2) ** n,
        "Each block adds the same": lambda v, w, n: v + n * w**2 * v,
        "Here each correction has a": lambda v, w, n: v + n * w**2,
        "The factor of one block": lambda v, w, n: v * n * (1 + w**2),
        "the variance at the start": lambda _, w, n: (1 + w**2) ** n,
        "That is the standard deviation": lambda v, w, n: math.sqrt(
            multiplies_block_by_block(v, w, n)
        ),
        "The skip is missing": lambda v, w, n: v * w ** (2 * n),
        "That is weight 1": lambda v, _, n: v * 2**n,
        "One block is missing": lambda v, w, n: multiplies_block_by_block(v, w, n - 1),
        "One block too many": lambda v, w, n: multiplies_block_by_block(v, w, n + 1),
    },
    case="variance 4, weight 0.6, 3 blocks",
)


test_variance_other_wrong_answers = refuses(
    check_variance,
    {
        ("weight -0.5", "weight squared"): lambda v, w, n: v * (1 + w * abs(w)) ** n,
        ("0 blocks", "One block too many"): lambda v, w, n: v * (1 + w**2) ** max(n, 1),
        ("64 blocks", "weight squared"): lambda v, w, n: v * (1 + w**2) ** min(n, 40),
    },
)


# Exercise 2 ----------------------------------------------------------------------------


class Draft(nn.Module):
    """What all answers have in common."""

    def __init__(self, num_features):
        super().__init__()
        self.conv1 = nn.Conv2d(num_features, num_features, 3, padding=1)
        self.conv2 = nn.Conv2d(num_features, num_features, 3, padding=1)
        self.strength = nn.Parameter(torch.zeros(1))

    def correction(self, x):
        return self.conv2(F.relu(self.conv1(x)))

    def forward(self, x):
        return x + self.strength * self.correction(x)


def computes(forward):
    """A draft whose forward is this function of the block and its input."""
    return type("Computes", (Draft,), {"forward": forward})


def starts(change):
    """A draft in which something is changed as soon as it is made."""

    class Started(Draft):
        def __init__(self, num_features):
            super().__init__(num_features)
            change(self)

    return Started


def holds(strength):
    """A draft with something else in its parameter's place."""

    def replace(block):
        del block.strength
        block.strength = strength

    return starts(replace)


class IsABuffer(Draft):
    def __init__(self, num_features):
        super().__init__(num_features)
        del self.strength
        self.register_buffer("strength", torch.zeros(1))


class HasOneForEachChannel(Draft):
    def __init__(self, num_features):
        super().__init__(num_features)
        self.strength = nn.Parameter(torch.zeros(1, num_features, 1, 1))


class TakesTheItem(Draft):
    def forward(self, x):
        return x + self.strength.item() * self.correction(x)


class DetachesConv2(Draft):
    def correction(self, x):
        weight, bias = self.conv2.weight.detach(), self.conv2.bias
        return F.conv2d(F.relu(self.conv1(x)), weight, bias, padding=1)


class HasOneConvolution(nn.Module):
    def __init__(self, num_features):
        super().__init__()
        self.conv1 = nn.Conv2d(num_features, num_features, 3, padding=1)
        self.strength = nn.Parameter(torch.zeros(()))


def gives_a_function(num_features):
    return lambda x: x * num_features


test_block_done = takes(
    check_learned_block,
    Draft,
    lambda num_features: WeightedResidualBlock(num_features, LearnedWeight()),
)


test_block_mistakes = refuses(
    check_learned_block,
    {
        ("learned numbers", "No training changes a plain"): (
            holds(torch.zeros(1)),
            holds(0.0),
            IsABuffer,
        ),
        ("learned numbers", "One weight for each channel"): HasOneForEachChannel,
        ("a new block", "At first this is the"): starts(lambda b: nn.init.ones_(b.strength)),
        ("a new block", "none at work"): (
            computes(lambda b, x: x + b.correction(x)),
            computes(lambda b, x: x + b.strength + b.correction(x)),
        ),
        ("a new block", "The weight is on the skip"): computes(
            lambda b, x: b.strength * x + b.correction(x)
        ),
        ("a new block", "the weight is on the sum"): computes(
            lambda b, x: b.strength * (x + b.correction(x))
        ),
        ("a new block", "A ReLU behind the sum"): computes(
            lambda b, x: F.relu(x + b.strength * b.correction(x))
        ),
        ("at 0.5", "A ReLU behind conv2 cuts"): computes(
            lambda b, x: x + b.strength * F.relu(b.correction(x))
        ),
        ("a new block", "before conv2"): computes(
            lambda b, x: x + b.conv2(b.strength * F.relu(b.conv1(x)))
        ),
        ("a new block", "before conv1"): computes(
            lambda b, x: x + b.correction(b.strength * x)
        ),
        ("a new block", "or the skip is missing"): computes(
            lambda b, x: b.strength * b.correction(x)
        ),
        ("at 0.5", "Two convolutions in a row"): computes(
            lambda b, x: x + b.strength * b.conv2(b.conv1(x))
        ),
        ("at 0.5", "The skip does not stay"): computes(
            lambda b, x: torch.lerp(x, b.correction(x), b.strength)
        ),
        ("a new block", "A sigmoid of 0 is 0.5"): computes(
            lambda b, x: x + b.strength.sigmoid() * b.correction(x)
        ),
        ("at 0.5", "Right at zero, but a"): computes(
            lambda b, x: x + b.strength.tanh() * b.correction(x)
        ),
        ("slopes", "The values are right, but"): (
            TakesTheItem,
            computes(lambda b, x: x + b.strength.data * b.correction(x)),
            computes(lambda b, x: x + b.strength * b.correction(x).detach()),
            DetachesConv2,
            starts(lambda b: b.strength.requires_grad_(False)),
        ),
        ("slopes", "the way back is cut"): starts(lambda b: b.conv1.bias.requires_grad_(False)),
        ("does training change", "Two zeros in one product never wake", "^False$"): starts(
            lambda b: [nn.init.zeros_(p) for p in b.conv2.parameters()]
        ),
        ("learned numbers", "The block lacks one of"): HasOneConvolution,
        ("learned numbers", "This is no module"): gives_a_function,
    },
)


class KnowsOnlyThatShape(Draft):
    def forward(self, x):
        return super().forward(x) if x.shape == (2, 4, 7, 5) else x


class AddsInPlace(Draft):
    def forward(self, x):
        correction = self.strength * self.correction(x.clone())
        return x.add_(correction.detach())


class KnowsOnlyFourFeatures(Draft):
    def __init__(self, num_features):  # noqa: ARG002
        super().__init__(4)


class ChangesTorch(Draft):
    def __init__(self, num_features):
        torch.set_default_dtype(torch.float64)
        super().__init__(num_features)


@pytest.mark.parametrize(
    ("answer", "case", "hint"),
    [
        (KnowsOnlyFourFeatures, "6 features", ""),
        (
            computes(lambda b, x: x.detach() + b.strength * b.correction(x)),
            "the gradient that comes back to x",
            "",
        ),
        (
            computes(lambda b, x: x + b.strength * b.correction(x.detach())),
            "the gradient that comes back to x",
            "the way back is cut",
        ),
        (ChangesTorch, "", "left something changed"),
    ],
)
def test_a_block_that_fits_one_place_only(answer, case, hint):
    refused(check_learned_block(answer), case=case, hint=hint)
    assert torch.get_default_dtype() == torch.float32


test_block_other_wrong_answers = refuses(
    check_learned_block,
    KnowsOnlyThatShape,
    computes(lambda b, x: x + b.strength.clamp(min=0) * b.correction(x)),
    computes(lambda _, x: x),
    AddsInPlace,
)


class ReturnsNothing(Draft):
    def forward(self, x):
        pass


def test_a_block_not_yet_written():
    verdict = check_learned_block(ReturnsNothing)
    assert verdict.got == "nothing (None)"
    assert verdict.case == "what a new block gives"


# Exercise 3 ----------------------------------------------------------------------------


def gates_by_mean(correction, squeeze, expand):
    pooled = correction.mean((2, 3), keepdim=True)
    return correction * torch.sigmoid(expand(F.relu(squeeze(pooled))))


def gates_by_pooling(correction, squeeze, expand):
    pooled = F.adaptive_avg_pool2d(correction, 1)
    return torch.sigmoid(expand(F.relu(squeeze(pooled)))) * correction


def test_gates_as_in_srlab():
    gates = ChannelGates(6, reduction=2)
    correction = torch.randn(2, 6, 4, 5)
    expected = gates_by_mean(correction, gates.gates[1], gates.gates[3])
    torch.testing.assert_close(gates(correction), expected)


def pools(pool):
    """An answer that makes another number of each channel than its mean."""
    return lambda correction, squeeze, expand: (
        correction * torch.sigmoid(expand(F.relu(squeeze(pool(correction)))))
    )


def gives_the_gates(correction, squeeze, expand):
    return torch.sigmoid(expand(F.relu(squeeze(correction.mean((2, 3), keepdim=True)))))


knows_only_one_shape = pools(lambda c: c.sum((2, 3), keepdim=True) / 20)


def has_two_sigmoids(correction, squeeze, expand):
    pooled = correction.mean((2, 3), keepdim=True)
    return correction * torch.sigmoid(expand(torch.sigmoid(squeeze(pooled))))


def takes_a_softmax(correction, squeeze, expand):
    pooled = correction.mean((2, 3), keepdim=True)
    return correction * expand(F.relu(squeeze(pooled))).softmax(1)


def gates_as_the_lesson_builds_them(correction, squeeze, expand):
    pool = nn.AdaptiveAvgPool2d(1)
    return correction * nn.Sequential(pool, squeeze, nn.ReLU(), expand, nn.Sigmoid())(
        correction
    )


def gates_by_matrices(correction, squeeze, expand):
    means = correction.mean((2, 3))
    hidden = F.relu(F.linear(means, squeeze.weight.flatten(1), squeeze.bias))
    gates = torch.sigmoid(F.linear(hidden, expand.weight.flatten(1), expand.bias))
    return correction * gates[..., None, None]


test_gates_done = takes(
    check_channel_gates,
    gates_by_mean,
    gates_by_pooling,
    gates_as_the_lesson_builds_them,
    gates_by_matrices,
)


test_gates_mistakes = refuses(
    check_channel_gates,
    {
        "These gates do not lie": lambda c, squeeze, expand: (
            c * expand(F.relu(squeeze(c.mean((2, 3), keepdim=True))))
        ),
        "These are the gates": gives_the_gates,
        "went over the batch too": pools(lambda c: c.mean((0, 2, 3), keepdim=True)),
        "went over the channels too": (
            pools(lambda c: c.mean((1, 2, 3), keepdim=True).expand(-1, c.shape[1], -1, -1))
        ),
        "squeeze wants (N, F, 1, 1)": pools(lambda c: c.mean((1, 2, 3), keepdim=True)),
        "What reaches a convolution has": (
            pools(lambda c: c.mean((2, 3))),
            lambda c, squeeze, expand: gates_by_mean(c, expand, squeeze),
        ),
        "Nothing was averaged": pools(lambda c: c),
        "This is the maximum of": pools(lambda c: F.adaptive_max_pool2d(c, 1)),
        "This is a sum: a": pools(lambda c: c.sum((2, 3), keepdim=True)),
        "squeeze and expand follow each": lambda c, squeeze, expand: (
            c * torch.sigmoid(expand(squeeze(c.mean((2, 3), keepdim=True))))
        ),
        "There are two sigmoids": has_two_sigmoids,
        "each gate is free": takes_a_softmax,
        "Here the gates are added": lambda c, squeeze, expand: (
            c + gives_the_gates(c, squeeze, expand)
        ),
        "The correction itself is in": lambda c, squeeze, expand: (
            c + gates_by_mean(c, squeeze, expand)
        ),
    },
    case="2 pictures, 6 channels",
)


def detaches_the_layers(correction, squeeze, expand):
    pooled = correction.mean((2, 3), keepdim=True)
    hidden = F.relu(F.conv2d(pooled, squeeze.weight.detach(), squeeze.bias))
    return correction * torch.sigmoid(expand(hidden))


@torch.no_grad()
def gates_without_gradients(correction, squeeze, expand):
    return gates_by_mean(correction, squeeze, expand)


test_gates_through_which_no_gradient_comes_back = refuses(
    check_channel_gates,
    lambda c, squeeze, expand: c * gives_the_gates(c.detach(), squeeze, expand),
    lambda c, squeeze, expand: c * gives_the_gates(c, squeeze, expand).detach(),
    lambda c, squeeze, expand: c.detach() * gives_the_gates(c, squeeze, expand),
    detaches_the_layers,
    gates_without_gradients,
    case="the gradient, in a row",
    hint="The value is right, but",
)


def freezes_the_layers(correction, squeeze, expand):
    squeeze.requires_grad_(False)
    return gates_by_mean(correction, squeeze, expand)


test_gates_other_wrong_answers = refuses(
    check_channel_gates,
    knows_only_one_shape,
    lambda c, squeeze, expand: c * gives_the_gates(c[:1], squeeze, expand),
    lambda c, squeeze, expand: c.mul_(gives_the_gates(c, squeeze, expand)),
    lambda c, squeeze, expand: gates_by_mean(c.view(-1, 6, *c.shape[2:]), squeeze, expand),
    freezes_the_layers,
    lambda c, *_: c,
)
