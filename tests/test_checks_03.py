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


def as_a_tensor(variance, weight, depth):
    return torch.tensor(variance * (1 + weight**2) ** depth)


def as_numpys_number(variance, weight, depth):
    return np.float32(variance * (1 + weight**2) ** depth)


def adds_standard_deviations(variance, weight, depth):
    spread = math.sqrt(variance)
    for _ in range(depth):
        spread += weight * spread
    return spread**2


def adds_sizes_of_standard_deviations(variance, weight, depth):
    return adds_standard_deviations(variance, abs(weight), depth)


def forgets_the_square(variance, weight, depth):
    return variance * (1 + weight) ** depth


def takes_the_growth_of_hes_start(variance, weight, depth):
    return variance * (1 + 2 * weight**2) ** depth


def adds_the_same_each_time(variance, weight, depth):
    return variance + depth * weight**2 * variance


def adds_variance_one(variance, weight, depth):
    return variance + depth * weight**2


def multiplies_with_depth(variance, weight, depth):
    return variance * depth * (1 + weight**2)


def forgets_the_start(variance, weight, depth):  # noqa: ARG001
    return (1 + weight**2) ** depth


def gives_the_spread(variance, weight, depth):
    return math.sqrt(multiplies_block_by_block(variance, weight, depth))


def forgets_the_skip_in_variance(variance, weight, depth):
    return variance * weight ** (2 * depth)


def forgets_the_weight_in_variance(variance, weight, depth):  # noqa: ARG001
    return variance * 2**depth


def counts_one_too_few(variance, weight, depth):
    return multiplies_block_by_block(variance, weight, depth - 1)


def counts_one_too_many(variance, weight, depth):
    return multiplies_block_by_block(variance, weight, depth + 1)


test_variance_done = takes(
    check_variance, multiplies_block_by_block, as_a_tensor, as_numpys_number
)


test_variance_mistakes = refuses(
    check_variance,
    (adds_standard_deviations, "You added standard deviations; those"),
    (adds_sizes_of_standard_deviations, "You added standard deviations; those"),
    (forgets_the_square, "A factor w does not"),
    (takes_the_growth_of_hes_start, "The 2 belongs to He's start"),
    (adds_the_same_each_time, "Each block adds the same"),
    (adds_variance_one, "Here each correction has a"),
    (multiplies_with_depth, "The factor of one block"),
    (forgets_the_start, "the variance at the start"),
    (gives_the_spread, "That is the standard deviation"),
    (forgets_the_skip_in_variance, "The skip is missing"),
    (forgets_the_weight_in_variance, "That is weight 1"),
    (counts_one_too_few, "One block is missing"),
    (counts_one_too_many, "One block too many"),
    case="variance 4, weight 0.6, 3 blocks",
)


def knows_only_positive_weights(variance, weight, depth):
    return variance * (1 + weight * abs(weight)) ** depth


def never_begins_with_none(variance, weight, depth):
    return variance * (1 + weight**2) ** max(depth, 1)


def stops_at_forty(variance, weight, depth):
    return variance * (1 + weight**2) ** min(depth, 40)


test_variance_other_wrong_answers = refuses(
    check_variance,
    (knows_only_positive_weights, "weight -0.5", "weight squared"),
    (never_begins_with_none, "0 blocks", "One block too many"),
    (stops_at_forty, "64 blocks", "weight squared"),
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


def as_in_srlab(num_features):
    return WeightedResidualBlock(num_features, LearnedWeight())


class StartsAtOne(Draft):
    def __init__(self, num_features):
        super().__init__(num_features)
        self.strength = nn.Parameter(torch.ones(1))


class IsAPlainTensor(Draft):
    def __init__(self, num_features):
        super().__init__(num_features)
        del self.strength
        self.strength = torch.zeros(1)


class IsAPlainNumber(Draft):
    def __init__(self, num_features):
        super().__init__(num_features)
        del self.strength
        self.strength = 0.0


class IsABuffer(Draft):
    def __init__(self, num_features):
        super().__init__(num_features)
        del self.strength
        self.register_buffer("strength", torch.zeros(1))


class HasOneForEachChannel(Draft):
    def __init__(self, num_features):
        super().__init__(num_features)
        self.strength = nn.Parameter(torch.zeros(1, num_features, 1, 1))


class WeighsTheSkip(Draft):
    def forward(self, x):
        return self.strength * x + self.correction(x)


class WeighsTheSum(Draft):
    def forward(self, x):
        return self.strength * (x + self.correction(x))


class PutsReluBehindTheSum(Draft):
    def forward(self, x):
        return F.relu(super().forward(x))


class PutsReluBehindConv2(Draft):
    def forward(self, x):
        return x + self.strength * F.relu(self.correction(x))


class WeighsBeforeConv2(Draft):
    def forward(self, x):
        return x + self.conv2(self.strength * F.relu(self.conv1(x)))


class WeighsBeforeConv1(Draft):
    def forward(self, x):
        return x + self.correction(self.strength * x)


class ForgetsTheSkip(Draft):
    def forward(self, x):
        return self.strength * self.correction(x)


class ForgetsTheRelu(Draft):
    def forward(self, x):
        return x + self.strength * self.conv2(self.conv1(x))


class ForgetsTheWeight(Draft):
    def forward(self, x):
        return x + self.correction(x)


class MixesBoth(Draft):
    def forward(self, x):
        return torch.lerp(x, self.correction(x), self.strength)


class AddsTheWeight(Draft):
    def forward(self, x):
        return x + self.strength + self.correction(x)


class TakesASigmoid(Draft):
    def forward(self, x):
        return x + self.strength.sigmoid() * self.correction(x)


class TakesATanh(Draft):
    def forward(self, x):
        return x + self.strength.tanh() * self.correction(x)


class TakesTheItem(Draft):
    def forward(self, x):
        return x + self.strength.item() * self.correction(x)


class TakesTheData(Draft):
    def forward(self, x):
        return x + self.strength.data * self.correction(x)


class DetachesTheCorrection(Draft):
    def forward(self, x):
        return x + self.strength * self.correction(x).detach()


class DetachesConv2(Draft):
    def correction(self, x):
        weight, bias = self.conv2.weight.detach(), self.conv2.bias
        return F.conv2d(F.relu(self.conv1(x)), weight, bias, padding=1)


class FreezesTheWeight(Draft):
    def __init__(self, num_features):
        super().__init__(num_features)
        self.strength.requires_grad_(False)


class FreezesABias(Draft):
    def __init__(self, num_features):
        super().__init__(num_features)
        self.conv1.bias.requires_grad_(False)


class StartsConv2AtZeroToo(Draft):
    def __init__(self, num_features):
        super().__init__(num_features)
        nn.init.zeros_(self.conv2.weight)
        nn.init.zeros_(self.conv2.bias)


class HasOneConvolution(nn.Module):
    def __init__(self, num_features):
        super().__init__()
        self.conv1 = nn.Conv2d(num_features, num_features, 3, padding=1)
        self.strength = nn.Parameter(torch.zeros(()))


def gives_a_function(num_features):
    return lambda x: x * num_features


test_block_done = takes(check_learned_block, Draft, as_in_srlab)


test_block_mistakes = refuses(
    check_learned_block,
    (IsAPlainTensor, "learned numbers", "No training changes a plain"),
    (IsAPlainNumber, "learned numbers", "No training changes a plain"),
    (IsABuffer, "learned numbers", "No training changes a plain"),
    (HasOneForEachChannel, "learned numbers", "One weight for each channel"),
    (StartsAtOne, "a new block", "At first this is the"),
    (ForgetsTheWeight, "a new block", "none at work"),
    (WeighsTheSkip, "a new block", "The weight is on the skip"),
    (WeighsTheSum, "a new block", "the weight is on the sum"),
    (PutsReluBehindTheSum, "a new block", "A ReLU behind the sum"),
    (PutsReluBehindConv2, "at 0.5", "A ReLU behind conv2 cuts"),
    (WeighsBeforeConv2, "a new block", "before conv2"),
    (WeighsBeforeConv1, "a new block", "before conv1"),
    (ForgetsTheSkip, "a new block", "or the skip is missing"),
    (ForgetsTheRelu, "at 0.5", "Two convolutions in a row"),
    (MixesBoth, "at 0.5", "The skip does not stay"),
    (AddsTheWeight, "a new block", "none at work"),
    (TakesASigmoid, "a new block", "A sigmoid of 0 is 0.5"),
    (TakesATanh, "at 0.5", "Right at zero, but a"),
    (TakesTheItem, "slopes", "The values are right, but"),
    (TakesTheData, "slopes", "The values are right, but"),
    (DetachesTheCorrection, "slopes", "The values are right, but"),
    (DetachesConv2, "slopes", "The values are right, but"),
    (FreezesTheWeight, "slopes", "The values are right, but"),
    (FreezesABias, "slopes", "the way back is cut"),
    (StartsConv2AtZeroToo, "does training change", "Two zeros in one product never wake"),
    (HasOneConvolution, "learned numbers", "The block lacks one of"),
    (gives_a_function, "learned numbers", "This is no module"),
)


class KnowsOnlyThatShape(Draft):
    def forward(self, x):
        return super().forward(x) if x.shape == (2, 4, 7, 5) else x


class CutsNegativeWeights(Draft):
    def forward(self, x):
        return x + self.strength.clamp(min=0) * self.correction(x)


class GivesItsInput(Draft):
    def forward(self, x):
        return x


class AddsInPlace(Draft):
    def forward(self, x):
        correction = self.strength * self.correction(x.clone())
        return x.add_(correction.detach())


class KnowsOnlyFourFeatures(Draft):
    def __init__(self, num_features):  # noqa: ARG002
        super().__init__(4)


class DetachesTheSkip(Draft):
    def forward(self, x):
        return x.detach() + self.strength * self.correction(x)


class DetachesWhatGoesIn(Draft):
    def forward(self, x):
        return x + self.strength * self.correction(x.detach())


class ChangesTorch(Draft):
    def __init__(self, num_features):
        torch.set_default_dtype(torch.float64)
        super().__init__(num_features)


@pytest.mark.parametrize(
    ("answer", "case", "hint"),
    [
        (KnowsOnlyFourFeatures, "6 features", ""),
        (DetachesTheSkip, "the gradient that comes back to x", ""),
        (DetachesWhatGoesIn, "the gradient that comes back to x", "the way back is cut"),
        (ChangesTorch, "", "left something changed"),
    ],
)
def test_a_block_that_fits_one_place_only(answer, case, hint):
    refused(check_learned_block(answer), case=case, hint=hint)
    assert torch.get_default_dtype() == torch.float32


test_block_other_wrong_answers = refuses(
    check_learned_block,
    KnowsOnlyThatShape,
    CutsNegativeWeights,
    GivesItsInput,
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


def forgets_the_sigmoid(correction, squeeze, expand):
    return correction * expand(F.relu(squeeze(correction.mean((2, 3), keepdim=True))))


def gives_the_gates(correction, squeeze, expand):
    return torch.sigmoid(expand(F.relu(squeeze(correction.mean((2, 3), keepdim=True)))))


drops_the_axes = pools(lambda c: c.mean((2, 3)))
pools_nothing = pools(lambda c: c)
pools_over_the_batch = pools(lambda c: c.mean((0, 2, 3), keepdim=True))
pools_over_the_channels = pools(
    lambda c: c.mean((1, 2, 3), keepdim=True).expand(-1, c.shape[1], -1, -1)
)
pools_over_everything_but_the_batch = pools(lambda c: c.mean((1, 2, 3), keepdim=True))
pools_the_maximum = pools(lambda c: F.adaptive_max_pool2d(c, 1))
pools_by_sum = pools(lambda c: c.sum((2, 3), keepdim=True))
knows_only_one_shape = pools(lambda c: c.sum((2, 3), keepdim=True) / 20)


def forgets_relu_between(correction, squeeze, expand):
    return correction * torch.sigmoid(expand(squeeze(correction.mean((2, 3), keepdim=True))))


def has_two_sigmoids(correction, squeeze, expand):
    pooled = correction.mean((2, 3), keepdim=True)
    return correction * torch.sigmoid(expand(torch.sigmoid(squeeze(pooled))))


def takes_a_softmax(correction, squeeze, expand):
    pooled = correction.mean((2, 3), keepdim=True)
    return correction * expand(F.relu(squeeze(pooled))).softmax(1)


def adds_the_gates(correction, squeeze, expand):
    return correction + gives_the_gates(correction, squeeze, expand)


def adds_the_skip(correction, squeeze, expand):
    return correction + gates_by_mean(correction, squeeze, expand)


def swaps_the_layers(correction, squeeze, expand):
    return gates_by_mean(correction, expand, squeeze)


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
    (forgets_the_sigmoid, "These gates do not lie"),
    (gives_the_gates, "These are the gates"),
    (pools_over_the_batch, "went over the batch too"),
    (pools_over_the_channels, "went over the channels too"),
    (pools_over_everything_but_the_batch, "squeeze wants (N, F, 1, 1)"),
    (drops_the_axes, "What reaches a convolution has"),
    (pools_nothing, "Nothing was averaged"),
    (pools_the_maximum, "This is the maximum of"),
    (pools_by_sum, "This is a sum: a"),
    (forgets_relu_between, "squeeze and expand follow each"),
    (has_two_sigmoids, "There are two sigmoids"),
    (takes_a_softmax, "each gate is free"),
    (adds_the_gates, "Here the gates are added"),
    (adds_the_skip, "The correction itself is in"),
    (swaps_the_layers, "What reaches a convolution has"),
    case="2 pictures, 6 channels",
)


def uses_the_first_pictures_gates(correction, squeeze, expand):
    return correction * gives_the_gates(correction[:1], squeeze, expand)


def gates_in_place(correction, squeeze, expand):
    return correction.mul_(gives_the_gates(correction, squeeze, expand))


def detaches_the_mean(correction, squeeze, expand):
    return correction * gives_the_gates(correction.detach(), squeeze, expand)


def detaches_the_gates(correction, squeeze, expand):
    return correction * gives_the_gates(correction, squeeze, expand).detach()


def detaches_the_correction(correction, squeeze, expand):
    return correction.detach() * gives_the_gates(correction, squeeze, expand)


def detaches_the_layers(correction, squeeze, expand):
    pooled = correction.mean((2, 3), keepdim=True)
    hidden = F.relu(F.conv2d(pooled, squeeze.weight.detach(), squeeze.bias))
    return correction * torch.sigmoid(expand(hidden))


@torch.no_grad()
def gates_without_gradients(correction, squeeze, expand):
    return gates_by_mean(correction, squeeze, expand)


test_gates_through_which_no_gradient_comes_back = refuses(
    check_channel_gates,
    detaches_the_mean,
    detaches_the_gates,
    detaches_the_correction,
    detaches_the_layers,
    gates_without_gradients,
    case="the gradient, in a row",
    hint="The value is right, but",
)


def knows_only_six_channels(correction, squeeze, expand):
    return gates_by_mean(correction.view(-1, 6, *correction.shape[2:]), squeeze, expand)


def freezes_the_layers(correction, squeeze, expand):
    squeeze.requires_grad_(False)
    return gates_by_mean(correction, squeeze, expand)


def leaves_all_open(correction, squeeze, expand):  # noqa: ARG001
    return correction


test_gates_other_wrong_answers = refuses(
    check_channel_gates,
    knows_only_one_shape,
    uses_the_first_pictures_gates,
    gates_in_place,
    knows_only_six_channels,
    freezes_the_layers,
    leaves_all_open,
)
