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
from tests.answering import first, last, refuses, takes

# Exercise 1 ----------------------------------------------------------------------------


def corrects(x, conv1, conv2):
    return x + conv2(F.relu(conv1(x)))


def corrects_in_steps(x, conv1, conv2):
    correction = conv1(x)
    correction = nn.ReLU(inplace=True)(correction)  # its own tensor: allowed
    correction = conv2(correction)
    correction += x
    return correction


def cuts_the_input(x, conv1, conv2):
    x = torch.relu(x)
    return x + conv2(torch.relu(conv1(x)))


def corrects_with_the_weights(x, conv1, conv2):
    hidden = F.conv2d(x, conv1.weight, conv1.bias, padding=conv1.padding)
    return x + F.conv2d(F.relu(hidden), conv2.weight, conv2.bias, padding=1)


class Corrects:
    def __call__(self, x, conv1, conv2):
        return x.clone().add_(conv2(conv1(x).relu_()))


def corrects_as_asked(x, conv1, conv2, slope=1.0):
    return x + slope * conv2(F.relu(conv1(x)))


test_block_done = takes(
    check_residual_block,
    corrects,
    corrects_in_steps,
    lambda x, conv1, conv2: x + nn.Sequential(conv1, nn.ReLU(), conv2)(x),
    corrects_with_the_weights,
    lambda x, conv1, conv2: torch.add(conv2(conv1(x).clamp(min=0)), x),
    Corrects(),
    partial(corrects_as_asked, slope=1.0),
    lambda x, conv1, conv2: x + conv2(F.relu(conv1(x))),
)


test_block_mistakes = refuses(
    check_residual_block,
    {
        "the skip is missing": lambda x, conv1, conv2: conv2(torch.relu(conv1(x))),
        "A ReLU behind the sum": lambda x, conv1, conv2: torch.relu(
            x + conv2(torch.relu(conv1(x)))
        ),
        "A ReLU behind conv2": lambda x, conv1, conv2: (
            x + torch.relu(conv2(torch.relu(conv1(x))))
        ),
        "no more than one could": lambda x, conv1, conv2: x + conv2(conv1(x)),
        "conv1 works twice": lambda x, conv1, _: x + conv1(torch.relu(conv1(x))),
        "conv2 works twice": lambda x, _, conv2: x + conv2(torch.relu(conv2(x))),
        "changed places": lambda x, conv1, conv2: x + conv1(torch.relu(conv2(x))),
        "in front of both": lambda x, conv1, conv2: x + conv2(conv1(torch.relu(x))),
        "A ReLU on x itself": cuts_the_input,
        "conv2 is missing": lambda x, conv1, _: x + torch.relu(conv1(x)),
        "is multiplied": lambda x, conv1, conv2: x * conv2(torch.relu(conv1(x))),
        "is taken away": lambda x, conv1, conv2: x - conv2(torch.relu(conv1(x))),
        "without any correction": lambda x, *_: x,
    },
    case="2 pictures, 4 features",
)


test_block_other_wrong_answers = refuses(
    check_residual_block,
    lambda x, conv1, conv2: corrects(x[:1], conv1, conv2),
    lambda x, conv1, conv2: corrects(x.transpose(2, 3), conv1, conv2),
    lambda x, conv1, conv2: x + 0.1 * conv2(torch.relu(conv1(x))),
    lambda x, conv1, conv2: x + conv2(F.leaky_relu(conv1(x), 0.01)),
    lambda x, conv1, conv2: x + conv2(torch.relu(conv1(x))).abs(),
    hint="x plus conv2 of the ReLU",
)


def detaches_the_weights(x, conv1, conv2):
    hidden = F.relu(conv1(x))
    return x + F.conv2d(hidden, conv2.weight.detach(), conv2.bias, padding=1)


test_a_block_through_which_no_gradient_comes_back = refuses(
    check_residual_block,
    lambda x, conv1, conv2: x + conv2(F.relu(conv1(x))).detach(),
    lambda x, conv1, conv2: x.detach() + conv2(F.relu(conv1(x))),
    lambda x, conv1, conv2: x + conv2(F.relu(conv1(x)).detach()),
    detaches_the_weights,
    torch.no_grad()(corrects),
    lambda x, conv1, conv2: torch.tensor(corrects(x, conv1, conv2).tolist()),
    case="the gradient, in a row",
    hint="The value is right, but",
)


def forgets_the_bias(x, conv1, conv2):
    hidden = F.relu(F.conv2d(x, conv1.weight, padding=1))
    return x + F.conv2d(hidden, conv2.weight, padding=1)


test_what_a_block_leaves_behind = refuses(
    check_residual_block,
    {
        ("with a bias", ""): forgets_the_bias,
        ("2 pictures", "weight.requires_grad"): first(
            lambda *given: given[1].requires_grad_(False), corrects
        ),
        ("2 pictures", "training"): lambda x, conv1, conv2: x + conv2.eval()(F.relu(conv1(x))),
        ("2 pictures", "hooks"): first(
            lambda *given: given[1].register_forward_hook(lambda *_: None), corrects
        ),
        ("2 pictures", "the function changed"): last(
            corrects, lambda *given: given[1].weight.data.zero_()
        ),
    },
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


def keeps_multiplying(num_features, scale):
    inner = [num_features * 4**i for i in range(1, int(math.log2(scale)))]
    return [*inner, 12]


test_channels_done = takes(
    check_upsampler_channels,
    counts_doublings,
    halves_until_done,
    lambda num_features, scale: np.array(counts_doublings(num_features, scale)),
    lambda num_features, scale: torch.tensor(counts_doublings(num_features, scale)),
)


@pytest.mark.parametrize("scale", [2, 4, 8])
def test_channels_are_those_of_the_upsampler(scale):
    layers = Upsampler(20, scale).modules()
    convolutions = [layer for layer in layers if isinstance(layer, nn.Conv2d)]
    assert [c.out_channels for c in convolutions] == counts_doublings(20, scale)


test_channels_mistakes = refuses(
    check_upsampler_channels,
    {
        ("scale 4", "fewer doublings"): lambda num_features, scale: (
            [4 * num_features for _ in range(scale - 1)] + [12]
        ),
        ("scale 8", "doublings multiply"): lambda num_features, scale: (
            [4 * num_features] * (scale // 2 - 1) + [12]
        ),
        ("scale 4", "One convolution too many"): lambda num_features, scale: (
            [4 * num_features] * int(math.log2(scale)) + [12]
        ),
        ("scale 4", "channels after each shuffle"): lambda num_features, scale: (
            [num_features] * (int(math.log2(scale)) - 1) + [3]
        ),
        ("scale 4", "a shuffle follows there too"): lambda num_features, scale: (
            [4 * num_features] * (int(math.log2(scale)) - 1) + [3]
        ),
        ("scale 4", "here it gives features"): lambda num_features, scale: (
            [4 * num_features] * int(math.log2(scale))
        ),
        ("scale 4", "the others forget"): lambda num_features, scale: (
            [num_features] * (int(math.log2(scale)) - 1) + [12]
        ),
        ("scale 4", "It doubles both sides"): lambda num_features, scale: (
            [2 * num_features] * (int(math.log2(scale)) - 1) + [6]
        ),
        ("scale 4", "one shuffle by the whole scale"): lambda _, scale: [3 * scale * scale],
        ("scale 4", "reversed"): lambda num_features, scale: counts_doublings(
            num_features, scale
        )[::-1],
        ("scale 8", "grow from step to step"): keeps_multiplying,
        ("scale 4", "how many there are"): lambda _, scale: int(math.log2(scale)),
    },
)


test_channels_other_wrong_answers = refuses(
    check_upsampler_channels,
    {
        "32 features, scale 8": lambda num_features, _: [4 * num_features, 12],
        "20 features, scale 8": lambda _, scale: counts_doublings(32, scale),
        "32 features, scale 16": lambda num_features, scale: {
            2: [12],
            4: [4 * num_features, 12],
        }.get(scale, [4 * num_features] * 2 + [12]),
    },
    hint="Each doubling: 4 channels",
)


test_channels_are_whole_numbers = refuses(
    check_upsampler_channels,
    lambda num_features, scale: [4.0 * num_features] * (int(math.log2(scale)) - 1) + [12],
    lambda num_features, scale: np.array(counts_doublings(num_features, scale), dtype=float),
    lambda num_features, scale: [
        torch.tensor(channels) for channels in counts_doublings(num_features, scale)
    ],
    lambda num_features, scale: [True for _ in counts_doublings(num_features, scale)],
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


def gives_a_number(sr, hr, eps):
    return charbonnier(sr, hr, eps).item()


def gives_one_for_each_picture(sr, hr, eps):
    return torch.sqrt((sr - hr) ** 2 + eps**2).mean(dim=(1, 2, 3))


test_charbonnier_done = takes(check_charbonnier, charbonnier, as_hypotenuse)


test_charbonnier_mistakes = refuses(
    check_charbonnier,
    {
        "This is a sum": sums,
        "L2 again": lambda sr, hr, eps: torch.sqrt(((sr - hr) ** 2 + eps**2).mean()),
        "the unit of an error": lambda sr, hr, eps: torch.sqrt((sr - hr) ** 2 + eps).mean(),
        "The difference is not squared": lambda sr, hr, eps: torch.sqrt(
            sr - hr + eps**2
        ).mean(),
        "the root is missing": lambda sr, hr, eps: ((sr - hr) ** 2 + eps**2).mean(),
        "not the root of the sum": lambda sr, hr, eps: (
            torch.sqrt((sr - hr) ** 2) + eps
        ).mean(),
        "This is L1, or nearly": (
            lambda sr, hr, _: torch.sqrt((sr - hr) ** 2).mean(),
            lambda sr, hr, _: F.l1_loss(sr, hr),
        ),
        "This is L2": lambda sr, hr, _: F.mse_loss(sr, hr),
        "taken away here": lambda sr, hr, eps: torch.sqrt((sr - hr) ** 2 - eps**2).mean(),
        "eps has no effect": lambda sr, hr, _: charbonnier(sr, hr),
        "Where sr is clamped": lambda sr, hr, eps: charbonnier(sr.clamp(0, 1), hr, eps),
        "a plain number": gives_a_number,
        "cut the way back": (
            lambda sr, hr, eps: charbonnier(sr, hr, eps).detach(),
            torch.no_grad()(charbonnier),
        ),
        "One number for each picture": gives_one_for_each_picture,
    },
    case="eps 0.1",
)


def adds_what_has_no_slope(sr, hr, eps):
    """The right value, a tenth of the slope."""
    loss = charbonnier(sr, hr, eps)
    return 0.1 * loss + 0.9 * loss.detach()


def has_the_slope_turned_round(sr, hr, eps):
    loss = charbonnier(sr, hr, eps)
    return 2 * loss.detach() - loss


test_charbonnier_other_wrong_answers = refuses(
    check_charbonnier,
    adds_what_has_no_slope,
    has_the_slope_turned_round,
    lambda sr, hr, eps: charbonnier(sr[:1], hr[:1], eps),
    lambda sr, hr, eps: charbonnier(sr.view(-1, 3, 4, 5), hr.view(-1, 3, 4, 5), eps),
    lambda sr, hr, eps: ((sr - hr).abs() - eps).clamp(min=0).mean(),
    hint="Square the difference, add eps squared",
)


def test_values_are_shown_as_numbers():
    verdict = check_charbonnier(sums)
    assert verdict.case.endswith("loss, mean slope, mean |slope|")
    assert len(verdict.expected.split(", ")) == len(verdict.got.split(", ")) == 3


# All of them -----------------------------------------------------------------------------


def subtracts_in_place(sr, hr, eps):
    sr -= hr
    return torch.sqrt(sr**2 + eps**2).mean()


INPUT_CHANGED = {
    "hint": "An argument is not what",
    "got": "^the function changed what it was given$",
}

test_block_that_writes_into_x = refuses(
    check_residual_block,
    last(corrects, lambda x, *_: x.relu_()),
    **INPUT_CHANGED,
)
test_loss_that_writes_into_a_picture = refuses(
    check_charbonnier,
    subtracts_in_place,
    last(lambda sr, hr, eps: charbonnier(sr, hr.clone(), eps), lambda *given: given[1].zero_()),
    **INPUT_CHANGED,
)
