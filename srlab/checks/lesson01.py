"""Checks of lesson 01: the residual block, the upsampler's channels, Charbonnier."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from srlab.checks.core import Answer, ChangedInput, Mistake, Verdict, judge
from srlab.checks.steps import in_steps

Layer = Callable[[Tensor], Tensor]


@in_steps()
def check_residual_block(answer: Answer | None) -> Verdict:
    """Check ``answer(x, conv1, conv2)``: what ``ResidualBlock`` computes.

    Source: built by srlab; exercise 1 of lesson 01.
    """
    return judge(
        answer,
        right=_block,
        cases={
            "2 pictures, 4 features, 7 x 5 px": (_signal(0, 2, 4, 7, 5), *_convs(4)),
            "1 picture, 3 features, 6 x 6 px": (_signal(1, 1, 3, 6, 6), *_convs(3)),
            "1 feature, 1 x 2 px": (_signal(2, 1, 1, 1, 2), *_convs(1)),
        },
        mistakes=BLOCK_MISTAKES,
        tolerance=1e-5,
    )


@in_steps()
def check_upsampler_channels(answer: Answer | None) -> Verdict:
    """Check ``answer(num_features, scale)``: what each convolution gives.

    Source: built by srlab; exercise 2 of lesson 01.
    """
    return judge(
        _listed(answer),
        right=_channels,
        cases={
            # Scale 2 later: there several mistakes look alike.
            f"{features} features, scale {scale}": (features, scale)
            for features, scale in [(32, 4), (32, 8), (32, 2), (20, 8), (32, 16)]
        },
        mistakes=CHANNELS_MISTAKES,
    )


@in_steps()
def check_charbonnier(answer: Answer | None) -> Verdict:
    """Check ``answer(sr, hr, eps)``: the Charbonnier loss and its slope.

    Source: built by srlab; exercise 3 of lesson 01.
    """
    hr = _values(3, 2, 3, 4, 5)
    near = hr + 0.002 * (_values(4, 2, 3, 4, 5) - 0.5)
    above = hr + 0.2 + 0.6 * _values(5, 2, 3, 4, 5)
    far = hr + _values(5, 2, 3, 4, 5) - 0.4
    return judge(
        _value_and_slope(answer) if callable(answer) else None,
        right=_value_and_slope(_charbonnier),
        cases={
            f"{name}: loss, mean slope, mean |slope|": arguments
            for name, arguments in {
                # Errors above eps first: there each mistake looks different.
                "errors of 0.2 to 0.8, eps 0.1": (above, hr, 0.1),
                "errors of both signs, eps 0.3": (far, hr, 0.3),
                "one gray picture, eps 0.1": (far[:1, :1], hr[:1, :1], 0.1),
                "errors about as large as eps": (near, hr, 0.001),
                "no error at all": (hr, hr, 0.001),
            }.items()
        },
        mistakes=[replace(m, answer=_value_and_slope(m.answer)) for m in CHARBONNIER_MISTAKES],
        tolerance=1e-6,
    )


def _block(x: Tensor, conv1: Layer, conv2: Layer) -> Tensor:
    return x + conv2(F.relu(conv1(x)))


def _doublings(scale: int) -> int:
    return scale.bit_length() - 1


def _channels(num_features: int, scale: int) -> list[int]:
    return [4 * num_features] * (_doublings(scale) - 1) + [4 * 3]


def _charbonnier(sr: Tensor, hr: Tensor, eps: float) -> Tensor:
    return ((sr - hr).square() + eps**2).sqrt().mean()


def _convs(channels: int) -> tuple[Layer, Layer]:
    """Two convolutions with weights of their own, whatever torch's seed is."""
    shape = (channels, channels, 3, 3)
    weights = [_signal(seed, *shape) for seed in (6, 7)]
    first, second = (partial(F.conv2d, weight=weight, padding=1) for weight in weights)
    return first, second


def _listed(answer: Answer | None) -> Answer | None:
    """A tuple, a range or an array is as good as a list."""
    if not callable(answer):
        return None

    def listed(num_features: int, scale: int) -> Any:
        got = answer(num_features, scale)
        got = got.tolist() if hasattr(got, "tolist") else got
        return list(got) if isinstance(got, tuple | range) else got

    return listed


def _value_and_slope(loss: Answer) -> Answer:
    """Make of a loss a function that gives its value and what its slope is like.

    The slope is counted for one pixel, as if the loss were not yet averaged.
    """

    def value_and_slope(sr: Tensor, hr: Tensor, eps: float) -> Any:
        pixels = sr.clone().requires_grad_()
        given = pixels * 1  # so that a change in place is seen, not refused by torch
        value = loss(given, hr, eps)
        if value is None:
            return None
        if not given.equal(sr):
            raise ChangedInput("the function changed what it was given")
        require_learnable(value)
        (slope,) = torch.autograd.grad(value, pixels)
        slope = slope * slope.numel()
        return torch.stack([value.detach().view(()), slope.mean(), slope.abs().mean()])

    return value_and_slope


def require_learnable(value: Any) -> None:
    """Raise unless a training could go down this loss."""
    if not isinstance(value, Tensor):
        raise NotATensor(f"{value!r} is a {type(value).__name__}, not a tensor")
    if value.numel() != 1:
        raise NotOneNumber(f"a tensor of shape {tuple(value.shape)}")
    if not value.requires_grad:
        raise NoSlope(f"{value.item():.4g}, a tensor without a slope")


class NotATensor(Exception):  # noqa: N818 - it names what came
    """A loss that is a Python number."""


class NotOneNumber(Exception):  # noqa: N818
    """A loss that is not a scalar."""


class NoSlope(Exception):  # noqa: N818
    """A loss from which no gradient comes back."""


def _values(seed: int, *shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def _signal(seed: int, *shape: int) -> Tensor:
    """Values of both signs, so that a ReLU in the wrong place is seen."""
    return _values(seed, *shape) - 0.5


BLOCK_MISTAKES = [
    Mistake(
        lambda x, conv1, conv2: conv2(F.relu(conv1(x))),
        "This is the correction alone; add x to it, that is the skip.",
    ),
    Mistake(
        lambda x, conv1, conv2: F.relu(x + conv2(F.relu(conv1(x)))),
        "No ReLU behind the sum: it cuts off what the skip should carry unchanged.",
    ),
    Mistake(
        lambda x, conv1, conv2: x + F.relu(conv2(F.relu(conv1(x)))),
        "No ReLU behind conv2: corrections below 0 would be cut off.",
    ),
    Mistake(
        lambda x, conv1, conv2: x + conv2(conv1(x)),
        "Two convolutions in a row are one; a ReLU belongs between them.",
    ),
    Mistake(
        lambda x, conv1, _: x + conv1(F.relu(conv1(x))),
        "conv1 works twice here; the second convolution is conv2.",
    ),
    Mistake(
        lambda x, _, conv2: x + conv2(F.relu(conv2(x))),
        "conv2 works twice here; the first convolution is conv1.",
    ),
    Mistake(
        lambda x, conv1, conv2: x + conv1(F.relu(conv2(x))),
        "The convolutions have changed places: conv1 first.",
    ),
    Mistake(
        lambda x, conv1, conv2: x + conv2(conv1(F.relu(x))),
        "The ReLU stands between the convolutions, not in front of them.",
    ),
    Mistake(
        lambda x, conv1, conv2: F.relu(x) + conv2(F.relu(conv1(F.relu(x)))),
        "No ReLU on x itself: the skip carries it unchanged.",
    ),
    Mistake(
        lambda x, conv1, _: x + F.relu(conv1(x)),
        "conv2 is missing: x + conv2(relu(conv1(x))).",
    ),
    Mistake(
        lambda x, conv1, conv2: x * conv2(F.relu(conv1(x))),
        "The correction is added to x, not multiplied.",
    ),
    Mistake(
        lambda x, conv1, conv2: x - conv2(F.relu(conv1(x))),
        "The correction is added to x, not taken away.",
    ),
    Mistake(
        lambda x, *_: x,
        "This gives x back; add the correction.",
    ),
]

CHANNELS_MISTAKES = [
    Mistake(
        lambda f, s: [4 * f] * (s - 1) + [12],
        "One convolution for each doubling, not for each unit of scale: log2(scale).",
    ),
    Mistake(
        lambda f, s: [4 * f] * (s // 2 - 1) + [12],
        "Doublings multiply: scale 8 takes log2(8) = 3 of them, not 8 / 2 = 4.",
    ),
    Mistake(
        lambda f, s: [4 * f] * _doublings(s) + [12],
        "One too many: the last of the log2(scale) doublings is the one that gives colors.",
    ),
    Mistake(
        lambda f, s: [f] * (_doublings(s) - 1) + [3],
        "These are the channels after the shuffle; before it there are four times as many.",
    ),
    Mistake(
        lambda f, s: [4 * f] * (_doublings(s) - 1) + [3],
        "The last one is followed by a shuffle too: 4 channels for each of the 3 colors.",
    ),
    Mistake(
        lambda f, s: [4 * f] * _doublings(s),
        "The last doubling gives 3 colors, so its convolution gives 4 * 3 channels.",
    ),
    Mistake(
        lambda f, s: [f] * (_doublings(s) - 1) + [12],
        "A shuffle by 2 divides the channels by 4, so F wanted means 4 * F before it.",
    ),
    Mistake(
        lambda f, s: [2 * f] * (_doublings(s) - 1) + [6],
        "A doubling doubles both sides: 2 * 2 = 4 channels for each one wanted, not 2.",
    ),
    Mistake(
        lambda _, s: [3 * s**2],
        "That is one shuffle by the whole scale; Upsampler doubles, several times.",
    ),
    Mistake(
        lambda f, s: [12] + [4 * f] * (_doublings(s) - 1),
        "The order is turned round: the colors come last.",
    ),
    Mistake(
        lambda f, s: [f * 4 ** (i + 1) for i in range(_doublings(s) - 1)] + [12],
        "The shuffle after each convolution brings the channels back to F.",
    ),
    Mistake(
        lambda _, s: _doublings(s),
        "That is how many there are; give a list of their channels.",
    ),
]

CHARBONNIER_MISTAKES = [
    Mistake(
        lambda sr, hr, eps: ((sr - hr).square() + eps**2).sqrt().sum(),
        "The mean, not the sum: a larger crop should not count as a larger error.",
    ),
    Mistake(
        lambda sr, hr, eps: ((sr - hr).square() + eps**2).mean().sqrt(),
        "First the root at each pixel, then the mean. The root of the mean is L2 again.",
    ),
    Mistake(
        lambda sr, hr, eps: ((sr - hr).square() + eps).sqrt().mean(),
        "eps is squared under the root, so that it has the unit of an error.",
    ),
    Mistake(
        lambda sr, hr, eps: ((sr - hr) + eps**2).sqrt().mean(),
        "The difference is not squared, and a root of negative numbers is nan.",
    ),
    Mistake(
        lambda sr, hr, eps: ((sr - hr).square() + eps**2).mean(),
        "The root is missing; this is L2 and a constant.",
    ),
    Mistake(
        lambda sr, hr, eps: ((sr - hr).abs() + eps).mean(),
        "The root of a square and the root of eps squared: that is not the root of the sum.",
    ),
    Mistake(
        lambda sr, hr, _: (sr - hr).abs().mean(),
        "This is L1, or nearly: under the root, add the square of the argument eps.",
    ),
    Mistake(
        lambda sr, hr, _: (sr - hr).square().mean(),
        "This is L2; add eps squared and take the root at each pixel.",
    ),
    Mistake(
        lambda sr, hr, eps: ((sr - hr).square() - eps**2).sqrt().mean(),
        "eps squared is added, not taken away.",
    ),
    Mistake(
        lambda sr, hr, eps: _charbonnier(sr.clamp(0, 1), hr, eps),
        "No clamping in a loss: where sr is cut off, there is no slope to learn from.",
    ),
    Mistake(
        lambda sr, hr, eps: _charbonnier(sr, hr, eps).item(),
        "Return the tensor itself: .item() and float() drop what backward() needs.",
    ),
    Mistake(
        lambda sr, hr, eps: _charbonnier(sr.detach(), hr, eps),
        "Something cut the way back: no .detach(), no torch.no_grad() in a loss.",
    ),
    Mistake(
        lambda sr, hr, eps: ((sr - hr).square() + eps**2).sqrt().mean(dim=(1, 2, 3)),
        "One number for the whole batch: the mean over all four axes.",
    ),
]
