"""Checks of lesson 03: right answers pass, and each misconception gets its hint."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from srlab.checks import (
    check_channel_gates,
    check_channel_scale,
    check_learned_block,
    check_learned_weight,
    check_spread,
    check_variance,
    check_weighted_block,
)
from srlab.features import Hooks
from srlab.models import evaluating
from srlab.residuals import (
    ChannelGates,
    LearnedWeight,
    WeightedResidualBlock,
    spread_by_block,
)
from tests.answering import refused, refuses, takes

# Exercise 1 ----------------------------------------------------------------------------


def mixes_block_by_block(variance, weight, depth):
    for _ in range(depth):
        variance = (1 - weight) ** 2 * variance + weight**2 * variance
    return variance


def adds_standard_deviations(variance, weight, depth):
    spread = math.sqrt(variance)
    for _ in range(depth):
        spread = (1 - weight) * spread + weight * spread
    return spread**2


test_variance_done = takes(
    check_variance,
    mixes_block_by_block,
    lambda v, w, n: torch.tensor(v * (1 - 2 * w + 2 * w**2) ** n),
    lambda v, w, n: np.float32(v * ((1 - w) ** 2 + w**2) ** n),
)


def test_variance_as_measured():
    x = torch.randn(200_000, generator=torch.Generator().manual_seed(0))
    draws = torch.Generator().manual_seed(1)
    for _ in range(8):
        x = 0.7 * x + 0.3 * x.std() * torch.randn(200_000, generator=draws)
    assert x.var().item() == pytest.approx(mixes_block_by_block(1.0, 0.3, 8), rel=0.03)


test_variance_mistakes = refuses(
    check_variance,
    {
        "Here the skip is whole": lambda v, w, n: v * (1 + w**2) ** n,
        "You added standard deviations; those": adds_standard_deviations,
        "A factor w does not": (
            lambda v, w, n: v * ((1 - w) + w**2) ** n,
            lambda v, w, n: v * ((1 - w) ** 2 + w) ** n,
        ),
        "The 2 belongs to He's start": lambda v, w, n: v * ((1 - w) ** 2 + 2 * w**2) ** n,
        "The factor of one block": lambda v, w, n: v * n * ((1 - w) ** 2 + w**2),
        "the variance at the start": lambda _, w, n: mixes_block_by_block(1.0, w, n),
        "That is the standard deviation": lambda v, w, n: math.sqrt(
            mixes_block_by_block(v, w, n)
        ),
        "The correction is missing": lambda v, w, n: v * ((1 - w) ** 2) ** n,
        "The skip is missing": lambda v, w, n: v * w ** (2 * n),
        "One block is missing": lambda v, w, n: mixes_block_by_block(v, w, n - 1),
        "One block too many": lambda v, w, n: mixes_block_by_block(v, w, n + 1),
    },
    case="variance 4, weight 0.6, 3 blocks",
)


test_variance_other_wrong_answers = refuses(
    check_variance,
    {
        ("weight -0.5", "You added standard"): (
            lambda v, w, n: (
                v * (abs(1 - w) + abs(w)) ** (2 * n) if w < 0 else mixes_block_by_block(v, w, n)
            )
        ),
        ("weight -0.5", "a factor counts squared"): lambda v, w, n: mixes_block_by_block(
            v, abs(w), n
        ),
        ("0 blocks", "One block too many"): lambda v, w, n: mixes_block_by_block(
            v, w, max(n, 1)
        ),
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


class AsTheLessonGivesIt(Draft):
    """Both bugs: what reaches the sum is a plain number, and conv2 is zero."""

    def __init__(self, num_features):
        super().__init__(num_features)
        nn.init.zeros_(self.conv2.weight)
        nn.init.zeros_(self.conv2.bias)

    def forward(self, x):
        return x + self.strength.item() * self.correction(x)


test_block_bugs = refuses(
    check_learned_block,
    {
        ("gradients", "The values are right, but"): AsTheLessonGivesIt,
        ("does training change", "Two zeros in one product"): type(
            "OneBugIsLeft", (AsTheLessonGivesIt,), {"forward": Draft.forward}
        ),
    },
)


test_block_mistakes = refuses(
    check_learned_block,
    {
        ("learned numbers", "Training changes no plain"): (
            holds(torch.zeros(1)),
            holds(0.0),
            IsABuffer,
        ),
        ("learned numbers", "One weight for each channel"): HasOneForEachChannel,
        ("a new block", "A new block is the plain one"): starts(
            lambda b: nn.init.ones_(b.strength)
        ),
        ("a new block", "has no effect"): (
            computes(lambda b, x: x + b.correction(x)),
            computes(lambda b, x: x + b.strength + b.correction(x)),
        ),
        ("a new block", "The weight is on the skip"): computes(
            lambda b, x: b.strength * x + b.correction(x)
        ),
        ("a new block", "the weight is on the sum"): computes(
            lambda b, x: b.strength * (x + b.correction(x))
        ),
        ("a new block", "A ReLU after the sum"): computes(
            lambda b, x: F.relu(x + b.strength * b.correction(x))
        ),
        ("at 0.5", "A ReLU after conv2 cuts"): computes(
            lambda b, x: x + b.strength * F.relu(b.correction(x))
        ),
        ("a new block", "comes before conv2"): computes(
            lambda b, x: x + b.conv2(b.strength * F.relu(b.conv1(x)))
        ),
        ("a new block", "comes before conv1"): computes(
            lambda b, x: x + b.correction(b.strength * x)
        ),
        ("a new block", "or the skip is missing"): computes(
            lambda b, x: b.strength * b.correction(x)
        ),
        ("at 0.5", "Two convolutions in a row"): computes(
            lambda b, x: x + b.strength * b.conv2(b.conv1(x))
        ),
        ("at 0.5", "The skip doesn't stay"): computes(
            lambda b, x: torch.lerp(x, b.correction(x), b.strength)
        ),
        ("a new block", "A sigmoid of 0 is 0.5"): computes(
            lambda b, x: x + b.strength.sigmoid() * b.correction(x)
        ),
        ("at 0.5", "Right at zero, but a"): computes(
            lambda b, x: x + b.strength.tanh() * b.correction(x)
        ),
        ("gradients", "The values are right, but"): (
            TakesTheItem,
            computes(lambda b, x: x + b.strength.data * b.correction(x)),
            computes(lambda b, x: x + b.strength * b.correction(x).detach()),
            DetachesConv2,
            starts(lambda b: b.strength.requires_grad_(False)),
        ),
        ("gradients", "the way back is cut"): starts(
            lambda b: b.conv1.bias.requires_grad_(False)
        ),
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


# Gates ----------------------------------------------------------------------------


def as_built(gate):
    """A class like ChannelGates that does this with a correction and its two layers."""

    class Built(ChannelGates):
        def forward(self, correction):
            return gate(correction, self.gates[1], self.gates[3])

    return Built


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
    ChannelGates,
    as_built(gates_by_mean),
    as_built(gates_by_pooling),
    as_built(gates_as_the_lesson_builds_them),
    as_built(gates_by_matrices),
)


GATED = {
    "These gates do not lie": lambda c, squeeze, expand: (
        c * expand(F.relu(squeeze(c.mean((2, 3), keepdim=True))))
    ),
    "These are the gates": gives_the_gates,
    "went over the batch too": pools(lambda c: c.mean((0, 2, 3), keepdim=True)),
    "went over the channels too": (
        pools(lambda c: c.mean((1, 2, 3), keepdim=True).expand(-1, c.shape[1], -1, -1))
    ),
    "squeeze wants (N, F, 1, 1)": pools(lambda c: c.mean((1, 2, 3), keepdim=True)),
    "A convolution got the wrong shape": (
        pools(lambda c: c.mean((2, 3))),
        lambda c, squeeze, expand: gates_by_mean(c, expand, squeeze),
    ),
    "Nothing was averaged": pools(lambda c: c),
    "This is the maximum of": pools(lambda c: F.adaptive_max_pool2d(c, 1)),
    "This is a sum: a": pools(lambda c: c.sum((2, 3), keepdim=True)),
    "Nothing stands between squeeze and expand": lambda c, squeeze, expand: (
        c * torch.sigmoid(expand(squeeze(c.mean((2, 3), keepdim=True))))
    ),
    "There are two sigmoids": has_two_sigmoids,
    "each gate should be free": takes_a_softmax,
    "The gates are added": lambda c, squeeze, expand: c + gives_the_gates(c, squeeze, expand),
    "The correction is in the result once more": lambda c, squeeze, expand: (
        c + gates_by_mean(c, squeeze, expand)
    ),
}


test_gates_mistakes = refuses(
    check_channel_gates,
    {
        hint: tuple(as_built(one) for one in (wrong if isinstance(wrong, tuple) else (wrong,)))
        for hint, wrong in GATED.items()
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
    as_built(lambda c, squeeze, expand: c * gives_the_gates(c.detach(), squeeze, expand)),
    as_built(lambda c, squeeze, expand: c.detach() * gives_the_gates(c, squeeze, expand)),
    as_built(gates_without_gradients),
    case="the gradient, in a row",
    hint="The value is right, but",
)


class HasNoMiddle(ChannelGates):
    def __init__(self, num_features, reduction):  # noqa: ARG002
        super().__init__(num_features, 1)


class LooksAround(ChannelGates):
    """Convolutions of 3 x 3, which see zeros all around one place."""

    def __init__(self, num_features, reduction):
        super().__init__(num_features, reduction)
        middle = num_features // reduction
        self.gates[1] = nn.Conv2d(num_features, middle, 3, padding=1)
        self.gates[3] = nn.Conv2d(middle, num_features, 3, padding=1)


test_gates_other_wrong_answers = refuses(
    check_channel_gates,
    as_built(knows_only_one_shape),
    as_built(lambda c, squeeze, expand: c * gives_the_gates(c[:1], squeeze, expand)),
    as_built(
        lambda c, squeeze, expand: gates_by_mean(c.view(-1, 6, *c.shape[2:]), squeeze, expand)
    ),
    as_built(lambda c, *_: c),
    HasNoMiddle,
    LooksAround,
)


# The spread ----------------------------------------------------------------------------


def watches(model, lr):
    with evaluating(model), torch.no_grad(), Hooks(dict(enumerate(model.body))) as hooks:
        model(lr)
    return [hook.output.std().item() for hook in hooks.values()]


def goes_block_by_block(model, lr):
    spreads, x = [], model.head(lr)
    with evaluating(model):
        for block in model.body:
            x = block(x)
            spreads.append(x.std().item())
    return spreads


test_spread_done = takes(check_spread, spread_by_block, watches, goes_block_by_block)


def measures(measure):
    def spread(model, lr):
        with torch.no_grad(), Hooks(dict(enumerate(model.body))) as hooks:
            model(lr)
        return [measure(hook.output).item() for hook in hooks.values()]

    return spread


def goes_by_the_sorted_names(model, lr):
    blocks = {str(number): block for number, block in enumerate(model.body)}
    with evaluating(model), torch.no_grad(), Hooks(blocks) as hooks:
        model(lr)
    return [hooks[name].output.std().item() for name in sorted(hooks)]


def stays_in_evaluation_mode(model, lr):
    model.eval()
    return watches(model, lr)


def runs_too_late(model, lr):
    with Hooks(dict(enumerate(model.body))) as hooks:
        pass
    model(lr)
    return [hook.output.std().item() for hook in hooks.values()]


def never_runs(model, lr):  # noqa: ARG001
    with Hooks(dict(enumerate(model.body))) as hooks:
        return [hook.output.std().item() for hook in hooks.values()]


def watches_the_corrections(model, lr):
    blocks = {number: block.conv2 for number, block in enumerate(model.body)}
    with torch.no_grad(), Hooks(blocks) as hooks:
        model(lr)
    return [hook.output.std().item() for hook in hooks.values()]


def never_leaves(model, lr):
    hooks = Hooks(dict(enumerate(model.body))).__enter__()
    model(lr)
    return [hook.output.std().item() for hook in hooks.values()]


test_spread_mistakes = refuses(
    check_spread,
    {
        "so they have kept nothing": (runs_too_late, never_runs),
        "This is the variance": measures(torch.var),
        "This is the mean size": measures(lambda values: values.abs().mean()),
        "These are the corrections alone": watches_the_corrections,
        "Only the first picture": lambda model, lr: watches(model, lr[:1]),
        "left something changed": (never_leaves, stays_in_evaluation_mode),
        "not plain numbers": lambda model, lr: [torch.tensor(v) for v in watches(model, lr)],
        "": (lambda model, lr: watches(model, lr)[::-1], measures(torch.mean)),
    },
    case="3 blocks",
)


test_spread_of_more_blocks_and_of_others = refuses(
    check_spread,
    {
        ("12 blocks", "block 10 comes before"): goes_by_the_sorted_names,
        ("a block with dropout", "in training mode"): measures(torch.std),
    },
)


# A weight on the correction ------------------------------------------------------------


def weighs(forward):
    return type("Weighs", (WeightedResidualBlock,), {"forward": forward})


def corrects(block, x):
    return block.conv2(F.relu(block.conv1(x)))


test_weighted_done = takes(
    check_weighted_block,
    WeightedResidualBlock,
    weighs(lambda b, x: b.weight(b.conv2(b.conv1(x).clamp(min=0))) + x),
)


test_weighted_mistakes = refuses(
    check_weighted_block,
    {
        "The weight is on the sum": weighs(lambda b, x: b.weight(x + corrects(b, x))),
        "The weight is on the skip": weighs(lambda b, x: b.weight(x) + corrects(b, x)),
        "but nothing goes through it": weighs(lambda b, x: x + corrects(b, x)),
        "The skip is missing": weighs(lambda b, x: b.weight(corrects(b, x))),
        "comes before conv2": weighs(lambda b, x: x + b.conv2(b.weight(F.relu(b.conv1(x))))),
        "comes before conv1": weighs(lambda b, x: x + corrects(b, b.weight(x))),
        "A ReLU after the sum": weighs(lambda b, x: F.relu(x + b.weight(corrects(b, x)))),
        "A ReLU after conv2": weighs(lambda b, x: x + b.weight(F.relu(corrects(b, x)))),
        "Two convolutions in a row": weighs(lambda b, x: x + b.weight(b.conv2(b.conv1(x)))),
        "weight is a module here": weighs(lambda b, x: x + corrects(b, x) * b.weight),
        "": weighs(lambda b, x: x - b.weight(corrects(b, x))),
    },
    case="weight 0.5, 2 pictures",
)


test_weighted_other_wrong_answers = refuses(
    check_weighted_block,
    {
        ("weight -2", ""): weighs(
            lambda b, x: x + b.weight(corrects(b, x)) if len(x) > 1 else x
        ),
        ("the gradient", "the way back is cut"): (
            weighs(lambda b, x: x.detach() + b.weight(corrects(b, x))),
            weighs(lambda b, x: x + b.weight(corrects(b, x.detach()))),
        ),
        ("weight 0.5", "no nn.Module"): lambda *_: abs,
        ("without value", "value is only there to look at"): weighs(
            lambda b, x: x + b.weight.value * corrects(b, x)
        ),
        ("the weight's own gradient", "value is only there to look at"): weighs(
            lambda b, x: x + weight_as_number(b) * corrects(b, x)
        ),
        ("weight 0.5", "weight is a module here"): weighs(
            lambda b, x: x + b.weight.factor * corrects(b, x)
        ),
    },
)


def weight_as_number(block):
    """What the weight makes of 1, without the way back to it."""
    return block.weight(torch.ones(block.conv1.in_channels, 1, 1)).detach()


# A learned factor, one and one a channel -----------------------------------------------


def multiplies(give, first=0.0):
    """A class like LearnedWeight that does something else with its factor."""

    class Multiplies(nn.Module):
        def __init__(self):
            super().__init__()
            self.factor = nn.Parameter(torch.full((), first))

        def forward(self, correction):
            return give(self.factor, correction)

    return Multiplies


class HasAPlainFactor(nn.Module):
    def __init__(self):
        super().__init__()
        self.factor = torch.zeros(())

    def forward(self, correction):
        return self.factor * correction


test_learned_weight_done = takes(
    check_learned_weight, LearnedWeight, multiplies(lambda factor, c: c.mul(factor))
)


test_learned_weight_mistakes = refuses(
    check_learned_weight,
    {
        ("learned numbers", "no plain tensor"): HasAPlainFactor,
        ("a new one", "starts at 1, or has no effect"): (
            multiplies(lambda factor, c: factor * c, first=1.0),
            multiplies(lambda factor, c: c + factor * c),
            multiplies(lambda factor, c: factor + c),
        ),
        ("a new one", "A sigmoid of 0"): multiplies(lambda factor, c: factor.sigmoid() * c),
        ("at 0.5", "a tanh bends"): multiplies(lambda factor, c: factor.tanh() * c),
        ("at 0.5", "nn.Parameter around"): multiplies(lambda factor, c: factor**2 * c),
        ("of the factor", "the way back is cut"): (
            multiplies(lambda factor, c: factor.item() * c),
            multiplies(lambda factor, c: factor.detach() * c),
        ),
        ("of the correction", ""): multiplies(lambda factor, c: factor * c.detach()),
        ("learned numbers", "This is no module"): lambda: abs,
    },
)


def scales(give, first=0.1, shape=(1, 1)):
    """A class with one factor a channel, which does something else with them."""

    class Scales(nn.Module):
        def __init__(self, num_features):
            super().__init__()
            self.factors = nn.Parameter(torch.full((num_features, *shape), first))

        def forward(self, correction):
            return give(self.factors, correction)

    return Scales


class HasOneFactor(nn.Module):
    def __init__(self, num_features):  # noqa: ARG002
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(0.1))

    def forward(self, correction):
        return self.factor * correction


class HasPlainFactors(nn.Module):
    def __init__(self, num_features):
        super().__init__()
        self.factors = torch.full((num_features, 1, 1), 0.1)

    def forward(self, correction):
        return self.factors * correction


test_scale_done = takes(
    check_channel_scale,
    scales(lambda factors, c: factors * c),
    scales(lambda factors, c: c * factors.view(1, -1, 1, 1), shape=()),
)


test_scale_mistakes = refuses(
    check_channel_scale,
    {
        ("learned numbers", "no plain tensor"): HasPlainFactors,
        ("learned numbers", "each should have its own"): HasOneFactor,
        ("a new one", "They start at 0"): scales(lambda factors, c: factors * c, first=0.0),
        ("a new one", "They start at 1"): scales(lambda factors, c: factors * c, first=1.0),
        ("a new one", "along the width"): scales(lambda factors, c: factors * c, shape=()),
        ("a new one", "added, not multiplied"): scales(lambda factors, c: factors + c),
        ("a new one", "once more"): scales(lambda factors, c: c + factors * c),
        ("factors 1, 2, 3", ""): scales(lambda factors, c: factors.mean() * c),
        ("of the factors", ""): scales(lambda factors, c: factors.detach() * c),
        ("of the correction", ""): scales(lambda factors, c: factors * c.detach()),
        ("learned numbers", "This is no module"): lambda _: abs,
    },
)


def lies_along_the_width_if_it_fits(factors, correction):
    fits = len(factors) == correction.shape[-1]
    return (factors.flatten() if fits else factors) * correction


test_scale_that_fits_one_place_only = refuses(
    check_channel_scale, scales(lies_along_the_width_if_it_fits), case="as many px"
)
