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
from srlab.models import ResidualBlock, SrResNet, Upsampler
from srlab.training import training_step
from tests.answering import last, refuses, takes

# Builds --------------------------------------------------------------------------------


gives = "x + self.conv2(F.relu(self.conv1(x))) -> {}".format

test_block_done = takes(
    check_residual_block,
    ResidualBlock,
    gives("self.conv2(nn.ReLU(inplace=True)(self.conv1(x))).add_(x)"),  # its own: allowed
    gives("x + nn.Sequential(self.conv1, nn.ReLU(), self.conv2)(x)"),
    gives("torch.add(self.conv2(self.conv1(x).clamp(min=0)), x)"),
    gives("x.clone().add_(self.conv2(self.conv1(x).relu_()))"),
    of=ResidualBlock,
)


test_block_mistakes = refuses(
    check_residual_block,
    {
        "the skip is missing": "x + self -> self",
        "A ReLU after the sum": gives("F.relu(x + self.conv2(F.relu(self.conv1(x))))"),
        "A ReLU after conv2": gives("x + F.relu(self.conv2(F.relu(self.conv1(x))))"),
        "no more than one could": "F.relu( -> (",
        "conv1 works twice": "+ self.conv2 -> + self.conv1",
        "conv2 works twice": "self.conv1(x) -> self.conv2(x)",
        "changed places": gives("x + self.conv1(F.relu(self.conv2(x)))"),
        "before both": gives("x + self.conv2(self.conv1(F.relu(x)))"),
        "A ReLU on x itself": gives("F.relu(x) + self.conv2(F.relu(self.conv1(F.relu(x))))"),
        "conv2 is missing": "+ self.conv2 -> + ",
        "is multiplied": "x + self -> x * self",
        "is taken away": "x + self -> x - self",
        "without any correction": gives("x"),
    },
    of=ResidualBlock,
    case="2 pictures, 4 features",
)


test_block_other_wrong_answers = refuses(
    check_residual_block,
    "x + self -> x + 0.1 * self",
    "F.relu( -> F.leaky_relu(",
    of=ResidualBlock,
    hint="Read f from the inside",
)


test_a_block_through_which_no_gradient_comes_back = refuses(
    check_residual_block,
    "(self.conv1(x))) -> (self.conv1(x))).detach()",
    "x + self -> x.detach() + self",
    "F.relu(self.conv1(x)) -> F.relu(self.conv1(x)).detach()",
    of=ResidualBlock,
    case="the gradient, in a row",
    hint="The value is right, but",
)

test_a_block_whose_layer_never_moves = refuses(
    check_residual_block,
    "self.conv1(x) -> F.conv2d(x, self.conv1.weight.detach(), self.conv1.bias, padding=1)",
    "return x -> self.conv2.requires_grad_(False)\n        return x",
    of=ResidualBlock,
    case="numbers that a training moves",
    hint="never move",
)

test_a_block_is_a_module = refuses(
    check_residual_block, lambda _: torch.relu, hint="no nn.Module"
)


starts_from = "enlarge(lr, self.scale) -> {}".format
adds = "self.scale) + self.upsampler(features) -> self.scale){}".format

test_net_done = takes(
    check_sr_resnet, SrResNet, starts_from("Bicubic(self.scale)(lr)"), of=SrResNet
)

test_net_mistakes = refuses(
    check_sr_resnet,
    {
        "Bicubic is missing": "enlarge(lr, self.scale) + self -> self",
        "is not added": adds(""),
        "blocks are left out": "self.body(self.head(lr)) -> self.head(lr)",
        "nearest neighbor": starts_from("F.interpolate(lr, scale_factor=self.scale)"),
        "taken away": adds(" - self.upsampler(features)"),
        "multiplied": adds(" * self.upsampler(features)"),
        "A second skip": adds(" + self.upsampler(features + self.head(lr))"),
        "another kernel": starts_from(
            'F.interpolate(lr, scale_factor=self.scale, mode="bicubic")'
        ),
        "bilinear": starts_from('F.interpolate(lr, scale_factor=self.scale, mode="bilinear")'),
        "Clamped": adds(".add(self.upsampler(features)).clamp(0, 1)"),
        "only ever add brightness": adds(" + F.relu(self.upsampler(features))"),
    },
    of=SrResNet,
    case="2 pictures, 4x",
)

test_a_net_whose_blocks_never_move = refuses(
    check_sr_resnet,
    "return enlarge -> self.body.requires_grad_(False)\n        return enlarge",
    of=SrResNet,
    case="numbers that a training moves",
    hint="never move",
)

test_net_for_one_scale_alone = refuses(
    check_sr_resnet, starts_from("enlarge(lr, 4)"), of=SrResNet, case="2x"
)


def step(model, pair, loss, optimizer):
    lr, hr = pair
    terms = loss(model(lr), hr)
    optimizer.zero_grad()
    sum(terms.values()).backward()
    optimizer.step()
    return {name: term.detach() for name, term in terms.items()}


test_step_done = takes(
    check_training_step,
    training_step,
    step,
    "optimizer.zero_grad() -> ; optimizer.step() -> optimizer.step(), optimizer.zero_grad()",
    of=step,
)

test_step_mistakes = refuses(
    check_training_step,
    {
        ("three steps", "were added"): "optimizer.zero_grad() -> ",
        ("one step", "did not move"): (
            "optimizer.zero_grad() -> ; backward() -> backward(), optimizer.zero_grad()",
            "optimizer.step() -> ",
            "sum(terms.values()).backward() -> ",
        ),
        ("two terms", "Only the first"): 'sum(terms.values()) -> terms["l1"]',
        ("two terms", "Only the last"): "sum(terms.values()) -> list(terms.values())[-1]",
        ("two terms", "mean of the terms"): ".backward() -> .div(len(terms)).backward()",
        ("one step", "keeps the whole step"): ".detach() -> ",
        ("one step", "by name"): lambda *given: [*step(*given).values()],
    },
    of=step,
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
        ("4x", "Upside down"): "(fine_energy(sr, cutoff) / -> (1 / fine_energy(sr, cutoff) *",
        ("4x", "1 / scale here"): "1 / (2 * scale) -> 1 / scale",
        ("4x", "All waves count"): "1 / (2 * scale) -> 0",
        ("4x", "do not exist"): "1 / (2 * scale) -> scale / 2",
        ("4x", "One number for each"): "(hr, cutoff)).mean() -> (hr, cutoff))",
        ("4x", "a difference"): "(sr, cutoff) / -> (sr, cutoff) -",
        ("2x", "whatever scale says"): "1 / (2 * scale) -> 1 / 8",
        ("two pictures", "more contrast rules"): "cutoff) / -> cutoff).sum() /; )) -> ).sum())",
    },
    of=sharpness,
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


def channels(num_features, scale):
    doublings = int(math.log2(scale))
    return [4 * num_features] * (doublings - 1) + [12]


def halves_until_done(num_features, scale):
    channels = []
    while scale > 2:
        channels.append(num_features * 4)
        scale /= 2
    return (*channels, 3 * 4)


test_channels_done = takes(
    check_upsampler_channels,
    channels,
    halves_until_done,
    lambda *given: np.array(channels(*given)),
    lambda *given: torch.tensor(channels(*given)),
)


@pytest.mark.parametrize("scale", [2, 4, 8])
def test_channels_are_those_of_the_upsampler(scale):
    layers = Upsampler(20, scale).modules()
    convolutions = [layer for layer in layers if isinstance(layer, nn.Conv2d)]
    assert [c.out_channels for c in convolutions] == channels(20, scale)


test_channels_mistakes = refuses(
    check_upsampler_channels,
    {
        ("scale 4", "fewer doublings"): "doublings - 1 -> scale - 1",
        ("scale 8", "doublings multiply"): "int(math.log2(scale)) -> scale // 2",
        ("scale 4", "One convolution too many"): "doublings - 1 -> doublings",
        ("scale 4", "channels after each shuffle"): "4 * num -> num; 12 -> 3",
        ("scale 4", "a shuffle follows there too"): "12 -> 3",
        ("scale 4", "here it gives features"): "(doublings - 1) + [12] -> doublings",
        ("scale 4", "the others forget"): "4 * num -> num",
        ("scale 4", "It doubles both sides"): "4 * num -> 2 * num; 12 -> 6",
        ("scale 4", "one shuffle by the whole scale"): lambda _, scale: [3 * scale * scale],
        ("scale 4", "reversed"): lambda *given: channels(*given)[::-1],
        ("scale 8", "grow from step to step"): (
            "[4 * num_features] * (doublings - 1) -> "
            "[num_features * 4**i for i in range(1, doublings)]"
        ),
        ("scale 4", "how many there are"): lambda _, scale: int(math.log2(scale)),
    },
    of=channels,
)


test_channels_other_wrong_answers = refuses(
    check_upsampler_channels,
    {
        "32 features, scale 8": lambda num_features, _: [4 * num_features, 12],
        "20 features, scale 8": lambda _, scale: channels(32, scale),
        "32 features, scale 16": "doublings - 1 -> min(doublings - 1, 2)",
    },
    of=channels,
    hint="Each doubling: 4 channels",
)


test_channels_are_whole_numbers = refuses(
    check_upsampler_channels,
    "4 * num -> 4.0 * num",
    lambda *given: np.array(channels(*given), dtype=float),
    lambda *given: [torch.tensor(number) for number in channels(*given)],
    lambda *given: [True for _ in channels(*given)],
    of=channels,
    case="scale 4",
    hint="no whole number",
)


# Exercise 1 ----------------------------------------------------------------------------


def charbonnier(sr, hr, eps=0.001):
    return torch.sqrt((sr - hr) ** 2 + eps**2).mean()


test_charbonnier_done = takes(
    check_charbonnier,
    charbonnier,
    lambda sr, hr, eps=0.001: torch.hypot(sr - hr, torch.full_like(sr, eps)).mean(),
)


test_charbonnier_mistakes = refuses(
    check_charbonnier,
    {
        "This is a sum": ".mean() -> .sum()",
        "L2 again": "sqrt( -> sqrt((; .mean() -> .mean())",
        "the unit of an error": "eps**2 -> eps",
        "The difference is not squared": "(sr - hr) ** 2 -> (sr - hr)",
        "the root is missing": "torch.sqrt( -> (",
        "not the root of the sum": "torch.sqrt( -> (torch.sqrt(; + eps**2 -> ) + eps",
        "This is L1, or nearly": (" + eps**2 -> ", lambda sr, hr, _: F.l1_loss(sr, hr)),
        "This is L2": lambda sr, hr, _: F.mse_loss(sr, hr),
        "taken away here": "+ eps**2 -> - eps**2",
        "eps has no effect": "eps**2 -> 0.001**2",
        "Where sr is clamped": "sr - hr -> sr.clamp(0, 1) - hr",
        "a plain number": ".mean() -> .mean().item()",
        "cut the way back": (".mean() -> .mean().detach()", torch.no_grad()(charbonnier)),
        "One number for each picture": ".mean() -> .mean(dim=(1, 2, 3))",
    },
    of=charbonnier,
    case="eps 0.1",
)


test_charbonnier_other_wrong_answers = refuses(
    check_charbonnier,
    lambda *given: 0.1 * (loss := charbonnier(*given)) + 0.9 * loss.detach(),
    lambda *given: 2 * (loss := charbonnier(*given)).detach() - loss,
    "sr - hr -> sr[:1] - hr[:1]",
    "sr - hr -> sr.view(-1, 3, 4, 5) - hr.view(-1, 3, 4, 5)",
    "torch.sqrt((sr - hr) ** 2 + eps**2) -> ((sr - hr).abs() - eps).clamp(min=0)",
    of=charbonnier,
    hint="Compare each line with the formula",
)


def test_values_are_shown_as_numbers():
    verdict = check_charbonnier(lambda *given: 2 * charbonnier(*given))
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
def measures_reach(model, lr):
    middle, other = lr.shape[-1] // 2, lr.clone()
    other[..., middle, middle] += 1
    scale = model(lr).shape[-1] // lr.shape[-1]
    places = ((model(lr) - model(other)).abs() > 0).any(1)[0].nonzero()
    return int((places // scale - middle).abs().max())


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
        ("a wide network, 4x", "px of sr"): "return int( -> return 4 * int(",
        ("a wide network, 4x", "whole width"): "return int( -> return 1 + 2 * int(",
        ("a wide network, 4x", "counts the pixels"): (
            "int((places // scale - middle).abs().max()) -> len(places)"
        ),
        ("a wide network, 4x", "not how far from the middle"): " - middle).abs() -> )",
        ("wider than tall", "up and down only"): "places // -> places[:, 0] //",
        ("taller than wide", "left and right only"): "places // -> places[:, 1] //",
        ("a faint network", "Small changes are left out"): (
            "> 0 -> > 1e-2",
            "> 0 -> > 1e-3",
            "> 0 -> > 1e-4",
        ),
        ("for blue only", "Only one of the colors"): (
            "> 0).any(1)[0] -> > 0)[0, 0]",
            "> 0).any(1)[0] -> > 0)[0, 1]",
        ),
        ("adds nothing", "could reach"): lambda model, _: model.first.kernel_size[0] // 2 + 1,
        ("a wide network, 4x", "no whole number"): "return int( -> return float(",
    },
    of=measures_reach,
)


# All of them -----------------------------------------------------------------------------


test_loss_that_writes_into_a_picture = refuses(
    check_charbonnier,
    "return torch.sqrt((sr - hr) -> sr -= hr\n    return torch.sqrt(sr",
    last(lambda sr, hr, eps: charbonnier(sr, hr.clone(), eps), lambda *given: given[1].zero_()),
    of=charbonnier,
    hint="An argument is not what",
    got="^the function changed what it was given$",
)
