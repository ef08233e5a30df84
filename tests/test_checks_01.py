"""The checks of lesson 01 take the right answer, refuse wrong ones, and say why."""

import math
from functools import partial

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from srlab.checks import check_charbonnier, check_residual_block, check_upsampler_channels
from srlab.models import Upsampler
from tests.answering import refuses, takes

# Exercise 1 ----------------------------------------------------------------------------


def corrects(x, conv1, conv2):
    return x + conv2(F.relu(conv1(x)))


def corrects_in_steps(x, conv1, conv2):
    correction = conv1(x)
    correction = nn.ReLU(inplace=True)(correction)  # its own tensor: allowed
    correction = conv2(correction)
    correction += x
    return correction


def forgets_the_skip(x, conv1, conv2):
    return conv2(torch.relu(conv1(x)))


def puts_relu_behind_the_sum(x, conv1, conv2):
    return torch.relu(x + conv2(torch.relu(conv1(x))))


def puts_relu_behind_conv2(x, conv1, conv2):
    return x + torch.relu(conv2(torch.relu(conv1(x))))


def forgets_relu(x, conv1, conv2):
    return x + conv2(conv1(x))


def uses_conv1_twice(x, conv1, conv2):  # noqa: ARG001
    return x + conv1(torch.relu(conv1(x)))


def uses_conv2_twice(x, conv1, conv2):  # noqa: ARG001
    return x + conv2(torch.relu(conv2(x)))


def swaps_the_convolutions(x, conv1, conv2):
    return x + conv1(torch.relu(conv2(x)))


def puts_relu_in_front(x, conv1, conv2):
    return x + conv2(conv1(torch.relu(x)))


def cuts_the_input(x, conv1, conv2):
    x = torch.relu(x)
    return x + conv2(torch.relu(conv1(x)))


def forgets_conv2(x, conv1, conv2):  # noqa: ARG001
    return x + torch.relu(conv1(x))


def multiplies(x, conv1, conv2):
    return x * conv2(torch.relu(conv1(x)))


def takes_away(x, conv1, conv2):
    return x - conv2(torch.relu(conv1(x)))


def gives_the_input_back(x, conv1, conv2):  # noqa: ARG001
    return x


def corrects_with_a_sequence(x, conv1, conv2):
    return x + nn.Sequential(conv1, nn.ReLU(), conv2)(x)


def corrects_with_the_weights(x, conv1, conv2):
    hidden = F.conv2d(x, conv1.weight, conv1.bias, padding=conv1.padding)
    return x + F.conv2d(F.relu(hidden), conv2.weight, conv2.bias, padding=1)


def corrects_with_a_maximum(x, conv1, conv2):
    return torch.add(conv2(conv1(x).clamp(min=0)), x)


class Corrects:
    def __call__(self, x, conv1, conv2):
        return x.clone().add_(conv2(conv1(x).relu_()))


def corrects_as_asked(x, conv1, conv2, slope=1.0):
    return x + slope * conv2(F.relu(conv1(x)))


test_block_done = takes(
    check_residual_block,
    corrects,
    corrects_in_steps,
    corrects_with_a_sequence,
    corrects_with_the_weights,
    corrects_with_a_maximum,
    Corrects(),
    partial(corrects_as_asked, slope=1.0),
    lambda x, conv1, conv2: x + conv2(F.relu(conv1(x))),
)


test_block_mistakes = refuses(
    check_residual_block,
    (forgets_the_skip, "the skip is missing"),
    (puts_relu_behind_the_sum, "A ReLU behind the sum"),
    (puts_relu_behind_conv2, "A ReLU behind conv2"),
    (forgets_relu, "no more than one could"),
    (uses_conv1_twice, "conv1 works twice"),
    (uses_conv2_twice, "conv2 works twice"),
    (swaps_the_convolutions, "changed places"),
    (puts_relu_in_front, "in front of both"),
    (cuts_the_input, "A ReLU on x itself"),
    (forgets_conv2, "conv2 is missing"),
    (multiplies, "is multiplied"),
    (takes_away, "is taken away"),
    (gives_the_input_back, "without any correction"),
    case="2 pictures, 4 features",
)


def knows_only_one_picture(x, conv1, conv2):
    return corrects(x[:1], conv1, conv2)


def knows_only_squares(x, conv1, conv2):
    return corrects(x.transpose(2, 3), conv1, conv2)


def makes_the_correction_small(x, conv1, conv2):
    return x + 0.1 * conv2(torch.relu(conv1(x)))


def uses_a_leaky_relu(x, conv1, conv2):
    return x + conv2(F.leaky_relu(conv1(x), 0.01))


def gives_the_correction_positive(x, conv1, conv2):
    return x + conv2(torch.relu(conv1(x))).abs()


test_block_other_wrong_answers = refuses(
    check_residual_block,
    knows_only_one_picture,
    knows_only_squares,
    makes_the_correction_small,
    uses_a_leaky_relu,
    gives_the_correction_positive,
    hint="x plus conv2 of the ReLU",
)


def detaches_the_correction(x, conv1, conv2):
    return x + conv2(F.relu(conv1(x))).detach()


def detaches_x(x, conv1, conv2):
    return x.detach() + conv2(F.relu(conv1(x)))


def detaches_in_the_middle(x, conv1, conv2):
    return x + conv2(F.relu(conv1(x)).detach())


def detaches_the_weights(x, conv1, conv2):
    hidden = F.relu(conv1(x))
    return x + F.conv2d(hidden, conv2.weight.detach(), conv2.bias, padding=1)


@torch.no_grad()
def computes_without_gradients(x, conv1, conv2):
    return x + conv2(F.relu(conv1(x)))


def makes_a_new_tensor(x, conv1, conv2):
    return torch.tensor(corrects(x, conv1, conv2).tolist())


test_a_block_through_which_no_gradient_comes_back = refuses(
    check_residual_block,
    detaches_the_correction,
    detaches_x,
    detaches_in_the_middle,
    detaches_the_weights,
    computes_without_gradients,
    makes_a_new_tensor,
    case="the gradient, in a row",
    hint="The value is right, but",
)


def forgets_the_bias(x, conv1, conv2):
    hidden = F.relu(F.conv2d(x, conv1.weight, padding=1))
    return x + F.conv2d(hidden, conv2.weight, padding=1)


def freezes_conv1(x, conv1, conv2):
    conv1.requires_grad_(False)
    return corrects(x, conv1, conv2)


def leaves_conv2_in_another_mode(x, conv1, conv2):
    return x + conv2.eval()(F.relu(conv1(x)))


def leaves_a_hook(x, conv1, conv2):
    conv1.register_forward_hook(lambda *_: None)
    return corrects(x, conv1, conv2)


def writes_into_the_weights(x, conv1, conv2):
    y = corrects(x, conv1, conv2)
    conv1.weight.data.zero_()
    return y


test_what_a_block_leaves_behind = refuses(
    check_residual_block,
    (forgets_the_bias, "with a bias", ""),
    (freezes_conv1, "2 pictures", "weight.requires_grad"),
    (leaves_conv2_in_another_mode, "2 pictures", "training"),
    (leaves_a_hook, "2 pictures", "hooks"),
    (writes_into_the_weights, "2 pictures", "the function changed"),
    hint="",
)


# Exercise 2 ----------------------------------------------------------------------------


def counts_doublings(num_features, scale):
    return [4 * num_features] * (int(math.log2(scale)) - 1) + [12]


def halves_until_done(num_features, scale):
    channels = []
    while scale > 2:
        channels.append(num_features * 4)
        scale /= 2
    return (*channels, 3 * 4)


def gives_an_array(num_features, scale):
    return np.array(counts_doublings(num_features, scale))


def gives_a_tensor(num_features, scale):
    return torch.tensor(counts_doublings(num_features, scale))


def makes_a_stage_for_each_unit_of_scale(num_features, scale):
    return [4 * num_features for _ in range(scale - 1)] + [12]


def halves_the_scale_once(num_features, scale):
    return [4 * num_features] * (scale // 2 - 1) + [12]


def adds_one_too_many(num_features, scale):
    return [4 * num_features] * int(math.log2(scale)) + [12]


def counts_after_the_shuffle(num_features, scale):
    return [num_features] * (int(math.log2(scale)) - 1) + [3]


def forgets_the_last_shuffle(num_features, scale):
    return [4 * num_features] * (int(math.log2(scale)) - 1) + [3]


def forgets_the_colors(num_features, scale):
    return [4 * num_features] * int(math.log2(scale))


def forgets_the_factor_inside(num_features, scale):
    return [num_features] * (int(math.log2(scale)) - 1) + [12]


def doubles_channels_once(num_features, scale):
    return [2 * num_features] * (int(math.log2(scale)) - 1) + [6]


def shuffles_once_by_the_scale(num_features, scale):  # noqa: ARG001
    return [3 * scale * scale]


def turns_the_order_round(num_features, scale):
    return counts_doublings(num_features, scale)[::-1]


def keeps_multiplying(num_features, scale):
    inner = [num_features * 4**i for i in range(1, int(math.log2(scale)))]
    return [*inner, 12]


def gives_their_number(num_features, scale):  # noqa: ARG001
    return int(math.log2(scale))


test_channels_done = takes(
    check_upsampler_channels,
    counts_doublings,
    halves_until_done,
    gives_an_array,
    gives_a_tensor,
)


@pytest.mark.parametrize("scale", [2, 4, 8])
def test_channels_are_those_of_the_upsampler(scale):
    layers = Upsampler(20, scale).modules()
    convolutions = [layer for layer in layers if isinstance(layer, nn.Conv2d)]
    assert [c.out_channels for c in convolutions] == counts_doublings(20, scale)


test_channels_mistakes = refuses(
    check_upsampler_channels,
    (makes_a_stage_for_each_unit_of_scale, "scale 4", "fewer doublings"),
    (halves_the_scale_once, "scale 8", "doublings multiply"),
    (adds_one_too_many, "scale 4", "One convolution too many"),
    (counts_after_the_shuffle, "scale 4", "channels after each shuffle"),
    (forgets_the_last_shuffle, "scale 4", "a shuffle follows there too"),
    (forgets_the_colors, "scale 4", "here it gives features"),
    (forgets_the_factor_inside, "scale 4", "the others forget"),
    (doubles_channels_once, "scale 4", "It doubles both sides"),
    (shuffles_once_by_the_scale, "scale 4", "one shuffle by the whole scale"),
    (turns_the_order_round, "scale 4", "reversed"),
    (keeps_multiplying, "scale 8", "grow from step to step"),
    (gives_their_number, "scale 4", "how many there are"),
)


def knows_only_scale_4(num_features, scale):  # noqa: ARG001
    return [4 * num_features, 12]


def knows_only_32_features(num_features, scale):  # noqa: ARG001
    return counts_doublings(32, scale)


def knows_scales_up_to_8(num_features, scale):
    return {2: [12], 4: [4 * num_features, 12]}.get(scale, [4 * num_features] * 2 + [12])


test_channels_other_wrong_answers = refuses(
    check_upsampler_channels,
    (knows_only_scale_4, "32 features, scale 8"),
    (knows_only_32_features, "20 features, scale 8"),
    (knows_scales_up_to_8, "32 features, scale 16"),
    hint="Each doubling: 4 channels",
)


def gives_floats(num_features, scale):
    return [4.0 * num_features] * (int(math.log2(scale)) - 1) + [12]


def gives_an_array_of_floats(num_features, scale):
    return np.array(counts_doublings(num_features, scale), dtype=float)


def gives_tensors_in_a_list(num_features, scale):
    return [torch.tensor(channels) for channels in counts_doublings(num_features, scale)]


def gives_truth_values(num_features, scale):
    return [True for _ in counts_doublings(num_features, scale)]


test_channels_are_whole_numbers = refuses(
    check_upsampler_channels,
    gives_floats,
    gives_an_array_of_floats,
    gives_tensors_in_a_list,
    gives_truth_values,
    case="scale 4",
    hint="no whole number",
)


# Exercise 3 ----------------------------------------------------------------------------


def charbonnier(sr, hr, eps=0.001):
    return torch.sqrt((sr - hr) ** 2 + eps**2).mean()


def as_hypotenuse(sr, hr, eps=0.001):
    return torch.hypot(sr - hr, torch.full_like(sr, eps)).mean()


def sums(sr, hr, eps):
    return torch.sqrt((sr - hr) ** 2 + eps**2).sum()


def takes_the_root_of_the_mean(sr, hr, eps):
    return torch.sqrt(((sr - hr) ** 2 + eps**2).mean())


def forgets_to_square_eps(sr, hr, eps):
    return torch.sqrt((sr - hr) ** 2 + eps).mean()


def forgets_to_square_the_error(sr, hr, eps):
    return torch.sqrt(sr - hr + eps**2).mean()


def forgets_the_root(sr, hr, eps):
    return ((sr - hr) ** 2 + eps**2).mean()


def adds_eps_outside_the_root(sr, hr, eps):
    return (torch.sqrt((sr - hr) ** 2) + eps).mean()


def forgets_eps(sr, hr, eps):  # noqa: ARG001
    return torch.sqrt((sr - hr) ** 2).mean()


def is_l1(sr, hr, eps):  # noqa: ARG001
    return F.l1_loss(sr, hr)


def is_l2(sr, hr, eps):  # noqa: ARG001
    return F.mse_loss(sr, hr)


def takes_eps_away(sr, hr, eps):
    return torch.sqrt((sr - hr) ** 2 - eps**2).mean()


def ignores_eps(sr, hr, eps):  # noqa: ARG001
    return charbonnier(sr, hr)


def clamps(sr, hr, eps):
    return charbonnier(sr.clamp(0, 1), hr, eps)


def gives_a_number(sr, hr, eps):
    return charbonnier(sr, hr, eps).item()


def detaches(sr, hr, eps):
    return charbonnier(sr, hr, eps).detach()


@torch.no_grad()
def runs_without_gradients(sr, hr, eps):
    return charbonnier(sr, hr, eps)


def gives_one_for_each_picture(sr, hr, eps):
    return torch.sqrt((sr - hr) ** 2 + eps**2).mean(dim=(1, 2, 3))


test_charbonnier_done = takes(check_charbonnier, charbonnier, as_hypotenuse)


test_charbonnier_mistakes = refuses(
    check_charbonnier,
    (sums, "This is a sum"),
    (takes_the_root_of_the_mean, "L2 again"),
    (forgets_to_square_eps, "the unit of an error"),
    (forgets_to_square_the_error, "The difference is not squared"),
    (forgets_the_root, "the root is missing"),
    (adds_eps_outside_the_root, "not the root of the sum"),
    (forgets_eps, "This is L1, or nearly"),
    (is_l1, "This is L1, or nearly"),
    (is_l2, "This is L2"),
    (takes_eps_away, "taken away here"),
    (ignores_eps, "eps has no effect"),
    (clamps, "Where sr is clamped"),
    (gives_a_number, "a plain number"),
    (detaches, "cut the way back"),
    (runs_without_gradients, "cut the way back"),
    (gives_one_for_each_picture, "One number for each picture"),
    case="eps 0.1",
)


def adds_what_has_no_slope(sr, hr, eps):
    """The right value, a tenth of the slope."""
    loss = charbonnier(sr, hr, eps)
    return 0.1 * loss + 0.9 * loss.detach()


def has_the_slope_turned_round(sr, hr, eps):
    loss = charbonnier(sr, hr, eps)
    return 2 * loss.detach() - loss


def knows_only_one_picture_and_its_error(sr, hr, eps):
    return charbonnier(sr[:1], hr[:1], eps)


def knows_only_three_channels(sr, hr, eps):
    return charbonnier(sr.view(-1, 3, 4, 5), hr.view(-1, 3, 4, 5), eps)


def forgives_errors_below_eps(sr, hr, eps):
    return ((sr - hr).abs() - eps).clamp(min=0).mean()


test_charbonnier_other_wrong_answers = refuses(
    check_charbonnier,
    adds_what_has_no_slope,
    has_the_slope_turned_round,
    knows_only_one_picture_and_its_error,
    knows_only_three_channels,
    forgives_errors_below_eps,
    hint="Square the difference, add eps squared",
)


def test_values_are_shown_as_numbers():
    verdict = check_charbonnier(sums)
    assert verdict.case.endswith("loss, mean slope, mean |slope|")
    assert len(verdict.expected.split(", ")) == len(verdict.got.split(", ")) == 3


# All of them -----------------------------------------------------------------------------


def cuts_the_input_in_place(x, conv1, conv2):
    result = corrects(x, conv1, conv2)
    x.relu_()
    return result


def subtracts_in_place(sr, hr, eps):
    sr -= hr
    return torch.sqrt(sr**2 + eps**2).mean()


def spoils_the_truth(sr, hr, eps):
    loss = charbonnier(sr, hr.clone(), eps)
    hr.zero_()
    return loss


INPUT_CHANGED = {
    "hint": "An argument is not what",
    "got": "^the function changed what it was given$",
}

test_block_that_writes_into_x = refuses(
    check_residual_block, cuts_the_input_in_place, **INPUT_CHANGED
)
test_loss_that_writes_into_a_picture = refuses(
    check_charbonnier, subtracts_in_place, spoils_the_truth, **INPUT_CHANGED
)
