"""Checks of lesson 03: right answers pass, and each misconception gets its hint."""

import math
from functools import partial  # noqa: F401 - an answer uses it

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
from tests.answering import edited, refused, refuses, takes

# Exercise 1 ----------------------------------------------------------------------------


def mixes_block_by_block(variance, weight, depth):
    for _ in range(depth):
        variance = (1 - weight) ** 2 * variance + weight**2 * variance
    return variance


def variance(v, w, n):
    return v * ((1 - w) ** 2 + w**2) ** n


test_variance_done = takes(
    check_variance,
    mixes_block_by_block,
    lambda v, w, n: torch.tensor(v * (1 - 2 * w + 2 * w**2) ** n),
    lambda *given: np.float32(variance(*given)),
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
        "Here the skip is whole": "(1 - w) ** 2 -> 1",
        "You added standard deviations; those": "(1 - w) ** 2 + w**2 -> ((1 - w) + w) ** 2",
        "A factor w does not": ("(1 - w) ** 2 -> (1 - w)", "w**2 -> w"),
        "The 2 belongs to He's start": "+ w**2 -> + 2 * w**2",
        "The factor of one block": ") ** n -> ) * n",
        "the variance at the start": "v * -> ",
        "That is the standard deviation": lambda *given: math.sqrt(variance(*given)),
        "The correction is missing": " + w**2 -> ",
        "The skip is missing": "(1 - w) ** 2 + -> ",
        "how the spread grows": "** n -> ** (n / 2)",
        "not as the first one": lambda v, w, n: (
            v * ((1 - w) ** (2 * n) + w**2 * sum((1 - w) ** (2 * i) for i in range(n)))
        ),
        "One block is missing": "** n -> ** (n - 1)",
        "One block too many": "** n -> ** (n + 1)",
    },
    of=variance,
    case="variance 4, weight 0.6, 3 blocks",
)


test_variance_other_wrong_answers = refuses(
    check_variance,
    {
        ("weight -0.5", "You added standard"): (
            "((1 - w) ** 2 + -> ((1 - w + abs(w)) ** 2 if w < 0 else (1 - w) ** 2 +"
        ),
        ("weight -0.5", "a factor counts squared"): lambda v, w, n: variance(v, abs(w), n),
        ("0 blocks", "One block too many"): "** n -> ** max(n, 1)",
    },
    of=variance,
)


# Exercise 2 ----------------------------------------------------------------------------


class Draft(nn.Module):
    def __init__(self, num_features):
        super().__init__()
        self.conv1 = nn.Conv2d(num_features, num_features, 3, padding=1)
        self.conv2 = nn.Conv2d(num_features, num_features, 3, padding=1)
        self.strength = nn.Parameter(torch.zeros(1))

    def forward(self, x):
        correction = self.conv2(F.relu(self.conv1(x)))
        return x + self.strength * correction


gives = "x + self.strength * correction -> {}".format
starts = "super().__init__() -> super().__init__()\n        {}".format
ends = "torch.zeros(1)) -> torch.zeros(1))\n        {}".format
zeros_conv2 = ends("[nn.init.zeros_(p) for p in self.conv2.parameters()]")
zeros_conv1 = ends("[nn.init.zeros_(p) for p in self.conv1.parameters()]")

test_block_done = takes(
    check_learned_block,
    Draft,
    lambda num_features: WeightedResidualBlock(num_features, LearnedWeight()),
    ends("nn.init.zeros_(self.conv1.bias), nn.init.zeros_(self.conv2.bias)"),
    ends("nn.init.kaiming_normal_(self.conv1.weight), nn.init.zeros_(self.conv2.bias)"),
    of=Draft,
)


test_block_mistakes = refuses(
    check_learned_block,
    {
        ("learned numbers", "Training changes no plain"): (
            "nn.Parameter(torch.zeros(1)) -> torch.zeros(1)",
            "nn.Parameter(torch.zeros(1)) -> 0.0",
            'strength = nn.Parameter(torch -> register_buffer("strength", torch',
        ),
        ("learned numbers", "One weight for each channel"): (
            "torch.zeros(1) -> torch.zeros(1, num_features, 1, 1)"
        ),
        ("a new block", "A new block is the plain one"): "zeros(1) -> ones(1)",
        ("a new block", "has no effect"): (
            gives("x + correction"),
            gives("x + self.strength + correction"),
        ),
        ("a new block", "The weight is on the skip"): gives("self.strength * x + correction"),
        ("a new block", "the weight is on the sum"): gives("self.strength * (x + correction)"),
        ("a new block", "A ReLU after the sum"): gives(
            "F.relu(x + self.strength * correction)"
        ),
        ("at 0.5", "A ReLU after conv2 cuts"): "* correction -> * F.relu(correction)",
        ("a new block", "comes before conv2"): (
            f"conv2(F -> conv2(self.strength * F; {gives('x + correction')}"
        ),
        ("a new block", "comes before conv1"): (
            f"conv1(x) -> conv1(self.strength * x); {gives('x + correction')}"
        ),
        ("a new block", "or the skip is missing"): gives("self.strength * correction"),
        ("at 0.5", "Two convolutions in a row"): "F.relu( -> (",
        ("at 0.5", "The skip doesn't stay"): gives("torch.lerp(x, correction, self.strength)"),
        ("a new block", "A sigmoid of 0 is 0.5"): "strength * -> strength.sigmoid() *",
        ("at 0.5", "Right at zero, but a"): "strength * -> strength.tanh() *",
        ("gradients", "The values are right, but"): (
            f"{zeros_conv2}; strength * -> strength.item() *",  # as the lesson gives it
            "strength * -> strength.item() *",
            "strength * -> strength.data *",
            "* correction -> * correction.detach()",
            "self.conv2(F.relu(self.conv1(x))) -> F.conv2d(F.relu(self.conv1(x)), "
            "self.conv2.weight.detach(), self.conv2.bias, padding=1)",
            "torch.zeros(1)) -> torch.zeros(1), requires_grad=False)",
        ),
        ("gradients", "the way back is cut"): ends("self.conv1.bias.requires_grad_(False)"),
        ("does training change", "Two zeros in one product never wake", "^False$"): zeros_conv2,
        ("does training move", "neither convolution ever wakes", "False, False, True"): (
            zeros_conv1
        ),
        ("learned numbers", "The block lacks one of"): "self.conv2 -> self.conv3",
        ("learned numbers", "This is no module"): lambda num_features: (
            lambda x: x * num_features
        ),
    },
    of=Draft,
)


test_a_block_that_fits_one_place_only = refuses(
    check_learned_block,
    {
        ("6 features", ""): starts("num_features = 4"),
        ("the gradient that comes back to x", ""): "return x + -> return x.detach() +",
        ("the gradient that comes back to x", "the way back is cut"): (
            "conv1(x) -> conv1(x.detach())"
        ),
    },
    of=Draft,
)


def test_a_block_that_changes_torch():
    answer = edited(Draft, starts("torch.set_default_dtype(torch.float64)"))
    refused(check_learned_block(answer), hint="left something changed")
    assert torch.get_default_dtype() == torch.float32


test_block_other_wrong_answers = refuses(
    check_learned_block,
    "return x + -> return x if x.shape != (2, 4, 7, 5) else x +",
    "strength * -> strength.clamp(min=0) *",
    gives("x"),
    gives("x.add_((self.strength * correction).detach())"),
    of=Draft,
)


def test_a_block_not_yet_written():
    verdict = check_learned_block(
        edited(Draft, "return x + self.strength * correction -> pass")
    )
    assert verdict.got == "nothing (None)"
    assert verdict.case == "what a new block gives"


# Gates ----------------------------------------------------------------------------


class Gates(ChannelGates):
    def forward(self, c):
        squeeze, expand = self.gates[1], self.gates[3]
        pooled = c.mean((2, 3), keepdim=True)
        return c * torch.sigmoid(expand(F.relu(squeeze(pooled))))


pools = "c.mean((2, 3), keepdim=True) -> {}".format
gives_gated = "torch.sigmoid(expand(F.relu(squeeze(pooled)))) -> {}".format


def test_gates_as_in_srlab():
    gates, correction = Gates(6, reduction=2), torch.randn(2, 6, 4, 5)
    torch.testing.assert_close(ChannelGates.forward(gates, correction), gates(correction))


test_gates_done = takes(
    check_channel_gates,
    ChannelGates,
    Gates,
    pools("F.adaptive_avg_pool2d(c, 1)"),
    gives_gated("nn.Sequential(squeeze, nn.ReLU(), expand, nn.Sigmoid())(pooled)"),
    pools("c.mean((2, 3))") + "; (pooled)))) -> (pooled)))[..., None, None]); "
    "self.gates[1], self.gates[3] -> "
    "(partial(F.linear, weight=m.weight.flatten(1), bias=m.bias) for m in self.gates[1::2])",
    of=Gates,
)


test_gates_mistakes = refuses(
    check_channel_gates,
    {
        "These gates do not lie": "torch.sigmoid( -> (",
        "These are the gates": "return c * -> return",
        "went over the batch too": "(2, 3) -> (0, 2, 3)",
        "went over the channels too": (
            pools("c.mean((1, 2, 3), keepdim=True).expand(-1, c.shape[1], -1, -1)")
        ),
        "squeeze wants (N, F, 1, 1)": "(2, 3) -> (1, 2, 3)",
        "A convolution got the wrong shape": (
            ", keepdim=True -> ",
            "squeeze, expand = -> expand, squeeze =",
        ),
        "Nothing was averaged": pools("c"),
        "This is the maximum of": pools("F.adaptive_max_pool2d(c, 1)"),
        "This is a sum: a": "mean -> sum",
        "Nothing stands between squeeze and expand": "F.relu -> ",
        "There are two sigmoids": "F.relu -> torch.sigmoid",
        "each gate should be free": gives_gated("expand(F.relu(squeeze(pooled))).softmax(1)"),
        "The gates are added": "c * -> c +",
        "The correction is in the result once more": "c * -> c + c *",
    },
    of=Gates,
    case="2 pictures, 6 channels",
)


test_gates_through_which_no_gradient_comes_back = refuses(
    check_channel_gates,
    "c.mean -> c.detach().mean",
    "c * -> c.detach() *",
    "c * -> c.detach() *; (pooled)))) -> (pooled)))).detach()",
    of=Gates,
    case="the gradient, in a row",
    hint="The value is right, but",
)


test_gates_other_wrong_answers = refuses(
    check_channel_gates,
    pools("c.sum((2, 3), keepdim=True) / 20"),
    "c.mean -> c[:1].mean",
    "squeeze, expand = -> c = c.view(-1, 6, *c.shape[2:])\n        squeeze, expand =",
    gives_gated("1"),
    of=Gates,
)

pool, sigmoid = "nn.AdaptiveAvgPool2d(1),", "nn.Sigmoid(),"

test_gates_of_other_layers = refuses(
    check_channel_gates,
    {
        "reduction has no effect": "max(num_features // reduction, 1) -> num_features",
        # 3 x 3, which sees zeros all around one place
        "These kernels are 3 x 3": (
            "middle, 1), -> middle, 3, padding=1),; features, 1), -> features, 3, padding=1),",
            "middle, 1), -> middle, 3),; features, 1), -> features, 3),",
        ),
        "The mean comes last": (
            f"{pool} -> ; {sigmoid} -> {sigmoid} {pool}",
            f"{pool} -> ; {sigmoid} -> {pool} {sigmoid}",
        ),
        "One gate for all channels": "middle, num_features, 1), -> middle, 1, 1),",
        "A tanh gives": "nn.Sigmoid -> nn.Tanh",
        "Linear gives (N, F)": (
            f"{pool} -> {pool} nn.Flatten(),; num_features, middle, 1), -> "
            "num_features, middle),; middle, num_features, 1), -> middle, num_features),; "
            "nn.Conv2d -> nn.Linear"
        ),
    },
    of=ChannelGates,
    case="2 pictures, 6 channels",
)


test_gates_whose_layer_never_moves = refuses(
    check_channel_gates,
    "squeeze(pooled) -> F.conv2d(pooled, squeeze.weight.detach(), squeeze.bias)",
    "expand(F -> expand.requires_grad_(False)(F",
    of=Gates,
    case="numbers that a training moves",
    hint="never move",
)


# The spread ----------------------------------------------------------------------------


def watches(model, lr):
    blocks = dict(enumerate(model.body))
    with evaluating(model), torch.no_grad(), Hooks(blocks) as hooks:
        model(lr)
    return [hook.output.std().item() for hook in hooks.values()]


def goes_block_by_block(model, lr):
    spreads, x = [], model.head(lr)
    with evaluating(model):
        for block in model.body:
            x = block(x)
            spreads.append(x.std().item())
    return spreads


test_spread_done = takes(
    check_spread,
    spread_by_block,
    watches,
    goes_block_by_block,
    ".std() -> .std(unbiased=False)",
    "hook.output.std() -> (hook.output - hook.output.mean()).square().mean().sqrt()",
    of=watches,
)


test_spread_mistakes = refuses(
    check_spread,
    {
        "so they have kept nothing": (
            "model(lr) -> pass\n    model(lr)",
            "model(lr) -> pass",
        ),
        "This is the variance": ".std() -> .var()",
        "This is the mean size": ".std() -> .abs().mean()",
        "These are the corrections alone": "model.body -> [each.conv2 for each in model.body]",
        "Only the first picture": "model(lr) -> model(lr[:1])",
        "left something changed": (
            "with evaluating(model), torch.no_grad(), Hooks(blocks) as hooks -> "
            "if hooks := Hooks(blocks).__enter__()",
            "blocks = -> model.eval()\n    blocks =",
        ),
        "not plain numbers": ".item() -> ",
        "": ("hooks.values()] -> hooks.values()][::-1]", ".std() -> .mean()"),
    },
    of=watches,
    case="3 blocks",
)


test_spread_of_more_blocks_and_of_others = refuses(
    check_spread,
    {
        ("12 blocks", "block 10 comes before"): (
            "hooks.values() -> [hooks[number] for number in sorted(hooks, key=str)]"
        ),
        ("a block with dropout", "in training mode"): "evaluating(model), -> ",
    },
    of=watches,
)


# A weight on the correction ------------------------------------------------------------


gives_block = "x + self.weight(self.conv2(F.relu(self.conv1(x)))) -> {}".format
by_weight = "x + self.weight( -> x + self.weight{} * (".format

test_weighted_done = takes(
    check_weighted_block,
    WeightedResidualBlock,
    gives_block("self.weight(self.conv2(self.conv1(x).clamp(min=0))) + x"),
    of=WeightedResidualBlock,
)


test_weighted_mistakes = refuses(
    check_weighted_block,
    {
        "The weight is on the sum": gives_block(
            "self.weight(x + self.conv2(F.relu(self.conv1(x))))"
        ),
        "The weight is on the skip": gives_block(
            "self.weight(x) + self.conv2(F.relu(self.conv1(x)))"
        ),
        "but nothing goes through it": "x + self.weight -> x + ",
        "The skip is missing": "x + self -> self",
        "comes before conv2": "self.weight(self.conv2( -> self.conv2(self.weight(",
        "comes before conv1": gives_block("x + self.conv2(F.relu(self.conv1(self.weight(x))))"),
        "A ReLU after the sum": gives_block(
            "F.relu(x + self.weight(self.conv2(F.relu(self.conv1(x)))))"
        ),
        "A ReLU after conv2": gives_block(
            "x + self.weight(F.relu(self.conv2(F.relu(self.conv1(x)))))"
        ),
        "Two convolutions in a row": "F.relu( -> (",
        "weight is a module here": (
            gives_block("x + self.conv2(F.relu(self.conv1(x))) * self.weight"),
            by_weight(".factor"),
        ),
        "": "x + self -> x - self",
        "no nn.Module": lambda *_: abs,
    },
    of=WeightedResidualBlock,
    case="weight 0.5, 2 pictures",
)


test_weighted_other_wrong_answers = refuses(
    check_weighted_block,
    {
        ("weight -2", ""): "return x + -> return x if len(x) == 1 else x +",
        ("the gradient", "the way back is cut"): (
            "return x + -> return x.detach() +",
            "self.conv1(x) -> self.conv1(x.detach())",
        ),
        ("numbers that a training moves", "never move"): (
            "self.conv1(x) -> "
            "F.conv2d(x, self.conv1.weight.detach(), self.conv1.bias, padding=1)"
        ),
        ("without value", "value is only there to look at"): by_weight(".value"),
        ("the weight's own gradient", "value is only there to look at"): by_weight(
            "(torch.ones(self.conv1.in_channels, 1, 1)).detach()"
        ),
    },
    of=WeightedResidualBlock,
)


# A learned factor, one and one a channel -----------------------------------------------


test_learned_weight_done = takes(
    check_learned_weight,
    LearnedWeight,
    "self.factor * correction -> correction.mul(self.factor)",
    of=LearnedWeight,
)


test_learned_weight_mistakes = refuses(
    check_learned_weight,
    {
        ("learned numbers", "no plain tensor"): "nn.Parameter(torch -> (torch",
        ("a new one", "starts at 1, or has no effect"): (
            "zeros(()) -> ones(())",
            "return self.factor -> return correction + self.factor",
            "self.factor * -> self.factor +",
        ),
        ("a new one", "A sigmoid of 0"): "factor * -> factor.sigmoid() *",
        ("at 0.5", "a tanh bends"): "factor * -> factor.tanh() *",
        ("at 0.5", "nn.Parameter around"): "factor * -> factor**2 *",
        ("of the factor", "the way back is cut"): (
            "factor * -> factor.item() *",
            "factor * -> factor.detach() *",
        ),
        ("of the correction", ""): "* correction -> * correction.detach()",
        ("learned numbers", "This is no module"): lambda: abs,
    },
    of=LearnedWeight,
)


class Scales(nn.Module):
    def __init__(self, num_features):
        super().__init__()
        self.factors = nn.Parameter(torch.full((num_features, 1, 1), 0.1))

    def forward(self, correction):
        return self.factors * correction


test_scale_done = takes(
    check_channel_scale,
    Scales,
    "features, 1, 1) -> features,); factors * -> factors.view(1, -1, 1, 1) *",
    of=Scales,
)


test_scale_mistakes = refuses(
    check_channel_scale,
    {
        ("learned numbers", "no plain tensor"): "nn.Parameter(torch -> (torch",
        ("learned numbers", "each should have its own"): "(num_features, 1, 1) -> ()",
        ("a new one", "They start at 0"): "0.1 -> 0.0",
        ("a new one", "They start at 1"): "0.1 -> 1.0",
        ("a new one", "along the width"): "features, 1, 1) -> features,)",
        ("a new one", "added, not multiplied"): "factors * -> factors +",
        ("a new one", "once more"): "return self -> return correction + self",
        ("factors 1, 2, 3", ""): "factors * -> factors.mean() *",
        ("of the factors", ""): "factors * -> factors.detach() *",
        ("of the correction", ""): "* correction -> * correction.detach()",
        ("learned numbers", "This is no module"): lambda _: abs,
        # along the width, where it fits
        ("as many px", ""): (
            "return self.factors -> along = len(self.factors) == correction.shape[-1]\n        "
            "return (self.factors.flatten() if along else self.factors)"
        ),
    },
    of=Scales,
)
