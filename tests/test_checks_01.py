"""The checks of lesson 01 take the right answer, refuse wrong ones, and say why."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from srlab.checks import (
    check_charbonnier,
    check_reach,
    check_residual_block,
    check_sharpness,
    check_sr_resnet,
    check_training_step,
    check_upsampler_channels,
)
from srlab.checks.lesson01 import TWO_BUGS
from srlab.metrics import fine_energy, power_spectrum, sharpness
from srlab.models import Bicubic, ResidualBlock, SrResNet, Upsampler, enlarge
from srlab.training import training_step
from tests.answering import last, refuses, takes

# Builds --------------------------------------------------------------------------------


def block_that(correct):
    """A class like ``ResidualBlock``, whose forward is this."""

    class Block(nn.Module):
        def __init__(self, num_features):
            super().__init__()
            self.conv1 = nn.Conv2d(num_features, num_features, 3, padding=1)
            self.conv2 = nn.Conv2d(num_features, num_features, 3, padding=1)

        def forward(self, x):
            return correct(x, self.conv1, self.conv2)

    return Block


def corrects_in_steps(x, conv1, conv2):
    correction = conv1(x)
    correction = nn.ReLU(inplace=True)(correction)  # its own tensor: allowed
    correction = conv2(correction)
    correction += x
    return correction


def cuts_the_input(x, conv1, conv2):
    x = torch.relu(x)
    return x + conv2(torch.relu(conv1(x)))


test_block_done = takes(
    check_residual_block,
    ResidualBlock,
    block_that(corrects_in_steps),
    block_that(lambda x, conv1, conv2: x + nn.Sequential(conv1, nn.ReLU(), conv2)(x)),
    block_that(lambda x, conv1, conv2: torch.add(conv2(conv1(x).clamp(min=0)), x)),
    block_that(lambda x, conv1, conv2: x.clone().add_(conv2(conv1(x).relu_()))),
)


test_block_mistakes = refuses(
    check_residual_block,
    {
        hint: block_that(correct)
        for hint, correct in {
            "the skip is missing": lambda x, conv1, conv2: conv2(torch.relu(conv1(x))),
            "A ReLU after the sum": lambda x, conv1, conv2: torch.relu(
                x + conv2(torch.relu(conv1(x)))
            ),
            "A ReLU after conv2": lambda x, conv1, conv2: (
                x + torch.relu(conv2(torch.relu(conv1(x))))
            ),
            "no more than one could": lambda x, conv1, conv2: x + conv2(conv1(x)),
            "conv1 works twice": lambda x, conv1, _: x + conv1(torch.relu(conv1(x))),
            "conv2 works twice": lambda x, _, conv2: x + conv2(torch.relu(conv2(x))),
            "changed places": lambda x, conv1, conv2: x + conv1(torch.relu(conv2(x))),
            "before both": lambda x, conv1, conv2: x + conv2(conv1(torch.relu(x))),
            "A ReLU on x itself": cuts_the_input,
            "conv2 is missing": lambda x, conv1, _: x + torch.relu(conv1(x)),
            "is multiplied": lambda x, conv1, conv2: x * conv2(torch.relu(conv1(x))),
            "is taken away": lambda x, conv1, conv2: x - conv2(torch.relu(conv1(x))),
            "without any correction": lambda x, *_: x,
        }.items()
    },
    case="2 pictures, 4 features",
)


test_block_other_wrong_answers = refuses(
    check_residual_block,
    block_that(lambda x, conv1, conv2: x + 0.1 * conv2(torch.relu(conv1(x)))),
    block_that(lambda x, conv1, conv2: x + conv2(F.leaky_relu(conv1(x), 0.01))),
    hint="Read f from the inside",
)


test_a_block_through_which_no_gradient_comes_back = refuses(
    check_residual_block,
    block_that(lambda x, conv1, conv2: x + conv2(F.relu(conv1(x))).detach()),
    block_that(lambda x, conv1, conv2: x.detach() + conv2(F.relu(conv1(x)))),
    block_that(lambda x, conv1, conv2: x + conv2(F.relu(conv1(x)).detach())),
    case="the gradient, in a row",
    hint="The value is right, but",
)

test_a_block_is_a_module = refuses(
    check_residual_block, lambda _: torch.relu, hint="no nn.Module"
)


def net_that(combine):
    """A class like ``SrResNet``, whose forward is this of the network, lr and features."""

    class Net(SrResNet):
        def forward(self, lr):
            return combine(self, lr, self.body(self.head(lr)))

    return Net


test_net_done = takes(
    check_sr_resnet,
    SrResNet,
    net_that(lambda net, lr, features: net.upsampler(features) + Bicubic(net.scale)(lr)),
)

test_net_mistakes = refuses(
    check_sr_resnet,
    {
        hint: net_that(combine)
        for hint, combine in {
            "Bicubic is missing": lambda net, _, features: net.upsampler(features),
            "is not added": lambda net, lr, _: enlarge(lr, net.scale),
            "blocks are left out": lambda net, lr, _: (
                enlarge(lr, net.scale) + net.upsampler(net.head(lr))
            ),
            "nearest neighbor": lambda net, lr, features: (
                F.interpolate(lr, scale_factor=net.scale) + net.upsampler(features)
            ),
            "taken away": lambda net, lr, features: (
                enlarge(lr, net.scale) - net.upsampler(features)
            ),
            "multiplied": lambda net, lr, features: (
                enlarge(lr, net.scale) * net.upsampler(features)
            ),
            "A second skip": lambda net, lr, features: (
                enlarge(lr, net.scale) + net.upsampler(features + net.head(lr))
            ),
            "another kernel": lambda net, lr, features: (
                F.interpolate(lr, scale_factor=net.scale, mode="bicubic")
                + net.upsampler(features)
            ),
            "bilinear": lambda net, lr, features: (
                F.interpolate(lr, scale_factor=net.scale, mode="bilinear")
                + net.upsampler(features)
            ),
            "Clamped": lambda net, lr, features: (
                enlarge(lr, net.scale) + net.upsampler(features)
            ).clamp(0, 1),
            "only ever add brightness": lambda net, lr, features: (
                enlarge(lr, net.scale) + F.relu(net.upsampler(features))
            ),
        }.items()
    },
    case="2 pictures, 4x",
)

test_net_for_one_scale_alone = refuses(
    check_sr_resnet,
    {("2x", ""): net_that(lambda net, lr, features: enlarge(lr, 4) + net.upsampler(features))},
)


def step_that(act, *, total=lambda terms: sum(terms.values()), detach=True):
    """A training step that does this with its loss and its optimizer."""

    def step(model, pair, loss, optimizer):
        lr, hr = pair
        terms = loss(model(lr), hr)
        act(total(terms), optimizer)
        return {name: term.detach() for name, term in terms.items()} if detach else terms

    return step


def forgets_and_steps(loss, optimizer):
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def forgets_afterwards(loss, optimizer):
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()


def never_forgets(loss, optimizer):
    loss.backward()
    optimizer.step()


def forgets_too_late(loss, optimizer):
    loss.backward()
    optimizer.zero_grad()
    optimizer.step()


def never_steps(loss, optimizer):
    optimizer.zero_grad()
    loss.backward()


def never_goes_backward(_, optimizer):
    optimizer.zero_grad()
    optimizer.step()


test_step_done = takes(
    check_training_step,
    training_step,
    step_that(forgets_and_steps),
    step_that(forgets_afterwards),
)

test_step_mistakes = refuses(
    check_training_step,
    {
        ("three steps", "were added"): step_that(never_forgets),
        ("one step", "did not move"): (
            step_that(forgets_too_late),
            step_that(never_steps),
            step_that(never_goes_backward),
        ),
        ("two terms", "Only the first"): step_that(
            forgets_and_steps, total=lambda terms: terms["l1"]
        ),
        ("two terms", "Only the last"): step_that(
            forgets_and_steps, total=lambda terms: list(terms.values())[-1]
        ),
        ("two terms", "mean of the terms"): step_that(
            forgets_and_steps, total=lambda terms: sum(terms.values()) / len(terms)
        ),
        ("one step", "keeps the whole step"): step_that(forgets_and_steps, detach=False),
        ("one step", "by name"): lambda *given: [*training_step(*given).values()],
    },
)


def sharpness_by_hand(sr, hr, *, scale):
    shares = [
        fine_energy(one[None], 0.5 / scale) / fine_energy(two[None], 0.5 / scale)
        for one, two in zip(sr, hr, strict=True)
    ]
    return torch.cat(shares).mean()


test_sharpness_done = takes(check_sharpness, sharpness, sharpness_by_hand)

test_sharpness_mistakes = refuses(
    check_sharpness,
    {
        ("4x", "Upside down"): lambda sr, hr, scale: (
            fine_energy(hr, 0.5 / scale) / fine_energy(sr, 0.5 / scale)
        ).mean(),
        ("4x", "1 / scale here"): lambda sr, hr, scale: (
            fine_energy(sr, 1 / scale) / fine_energy(hr, 1 / scale)
        ).mean(),
        ("4x", "All waves count"): lambda sr, hr, scale: (  # noqa: ARG005
            fine_energy(sr, 0) / fine_energy(hr, 0)
        ).mean(),
        ("4x", "do not exist"): lambda sr, hr, scale: (
            fine_energy(sr, scale / 2) / fine_energy(hr, scale / 2)
        ).mean(),
        ("4x", "One number for each"): lambda sr, hr, scale: (
            fine_energy(sr, 0.5 / scale) / fine_energy(hr, 0.5 / scale)
        ),
        ("4x", "a difference"): lambda sr, hr, scale: (
            fine_energy(sr, 0.5 / scale) - fine_energy(hr, 0.5 / scale)
        ).mean(),
        ("2x", "whatever scale says"): lambda sr, hr, scale: (  # noqa: ARG005
            sharpness(sr, hr, scale=4)
        ),
        ("two pictures", "more contrast rules"): lambda sr, hr, scale: (
            fine_energy(sr, 0.5 / scale).sum() / fine_energy(hr, 0.5 / scale).sum()
        ),
    },
)

test_sharpness_other_wrong_answers = refuses(
    check_sharpness,
    lambda sr, hr, scale: sharpness(sr, hr, scale=scale).sqrt(),
    lambda sr, hr, scale: (  # noqa: ARG005
        power_spectrum(sr).sum((1, 2)) / power_spectrum(hr).sum((1, 2))
    ).mean().sqrt(),
    hint="fine_energy(images, cutoff)",
)  # fmt: skip


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


# Exercise 1 ----------------------------------------------------------------------------


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
    hint="Compare each line with the formula",
)


def test_values_are_shown_as_numbers():
    verdict = check_charbonnier(sums)
    assert verdict.case.endswith("loss, mean gradient, mean |gradient|")
    assert len(verdict.expected.split(", ")) == len(verdict.got.split(", ")) == 3


def given(source, name):
    space = {"torch": torch}
    exec(source, space)
    return space[name]


def test_the_given_loss_has_two_bugs():
    buggy = given(TWO_BUGS, "my_charbonnier")
    assert "begin" in dict(check_charbonnier(buggy).rows()), "what is given is no attempt"
    one_left = given(TWO_BUGS.replace("+ eps)", "+ eps**2)"), "my_charbonnier")
    assert "Where sr is clamped" in check_charbonnier(one_left).hint
    other_left = given(TWO_BUGS.replace(".clamp(0, 1)", ""), "my_charbonnier")
    assert "the unit of an error" in check_charbonnier(other_left).hint
    neither = TWO_BUGS.replace("+ eps)", "+ eps**2)").replace(".clamp(0, 1)", "")
    assert check_charbonnier(given(neither, "my_charbonnier")).done


# Exercise 3 ----------------------------------------------------------------------------


@torch.no_grad()
def changed_places(model, lr, least=0.0):
    middle, other = lr.shape[-1] // 2, lr.clone()
    other[..., middle, middle] += 1
    return ((model(lr) - model(other)).abs() > least).any(1)[0].nonzero()


def reach_along(axis, model, lr, least=0.0):
    scale = model(lr).shape[-1] // lr.shape[-1]
    places = changed_places(model, lr, least)[:, axis]
    return int((places // scale - lr.shape[-1] // 2).abs().max())


def measures_reach(model, lr, least=0.0):
    return max(reach_along(axis, model, lr, least) for axis in (0, 1))


def follows_the_gradient(model, lr):
    lr = lr.clone().requires_grad_()
    sr, middle = model(lr), lr.shape[-1] // 2
    scale = sr.shape[-1] // lr.shape[-1]
    block = slice(scale * middle, scale * (middle + 1))
    (gradient,) = torch.autograd.grad(sr[..., block, block].square().sum(), lr)
    places = gradient.abs().sum((0, 1)).nonzero()
    return (places - middle).abs().max().item()


test_reach_done = takes(check_reach, measures_reach, follows_the_gradient)

test_reach_mistakes = refuses(
    check_reach,
    {
        ("a wide network, 4x", "px of sr"): lambda model, lr: 4 * measures_reach(model, lr),
        ("a wide network, 4x", "whole width"): lambda model, lr: (
            2 * measures_reach(model, lr) + 1
        ),
        ("a wide network, 4x", "counts the pixels"): lambda model, lr: len(
            changed_places(model, lr)
        ),
        ("a wide network, 4x", "not how far from the middle"): lambda model, lr: int(
            (changed_places(model, lr) // 4).max()
        ),
        ("wider than tall", "up and down only"): lambda model, lr: reach_along(0, model, lr),
        ("taller than wide", "left and right only"): lambda model, lr: reach_along(
            1, model, lr
        ),
        ("a faint network", "Small changes are left out"): (
            lambda model, lr: measures_reach(model, lr, least=1e-2),
            lambda model, lr: measures_reach(model, lr, least=1e-3),
            lambda model, lr: measures_reach(model, lr, least=1e-4),
        ),
        ("adds nothing", "could reach"): lambda model, _: model.first.kernel_size[0] // 2 + 1,
        ("a wide network, 4x", "no whole number"): lambda model, lr: float(
            measures_reach(model, lr)
        ),
    },
)


# All of them -----------------------------------------------------------------------------


def subtracts_in_place(sr, hr, eps):
    sr -= hr
    return torch.sqrt(sr**2 + eps**2).mean()


INPUT_CHANGED = {
    "hint": "An argument is not what",
    "got": "^the function changed what it was given$",
}

test_loss_that_writes_into_a_picture = refuses(
    check_charbonnier,
    subtracts_in_place,
    last(lambda sr, hr, eps: charbonnier(sr, hr.clone(), eps), lambda *given: given[1].zero_()),
    **INPUT_CHANGED,
)
