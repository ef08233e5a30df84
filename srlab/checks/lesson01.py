"""Checks of lesson 01: the residual block, the upsampler's channels, Charbonnier."""

from collections.abc import Callable
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from srlab.checks.answers import result_as, uniform_values, value_and_slope, whole_number
from srlab.checks.core import Answer, Mistakes, Verdict, judge, judge_gradient
from srlab.checks.steps import in_steps

Layer = Callable[[Tensor], Tensor]


@in_steps()
def check_residual_block(answer: Answer | None) -> Verdict:
    """Check ``answer(x, conv1, conv2)``: what ``ResidualBlock`` computes."""
    cases = {
        "2 pictures, 4 features, 7 x 5 px": (_signal(0, 2, 4, 7, 5), *_convs(4)),
        "1 picture, 3 features, 6 x 6 px": (_signal(1, 1, 3, 6, 6), *_convs(3)),
        "1 feature, 1 x 2 px": (_signal(2, 1, 1, 1, 2), *_convs(1)),
        "convolutions with a bias": (_signal(8, 2, 4, 5, 6), *_convs(4, bias=True)),
    }
    verdict = judge(answer, right=_block, cases=cases, mistakes=BLOCK_MISTAKES, tolerance=1e-5)
    return judge_gradient(answer, after=verdict, right=_block, cases=cases)


@in_steps()
def check_upsampler_channels(answer: Answer | None) -> Verdict:
    """Check ``answer(num_features, scale)``: what each convolution gives."""
    return judge(
        answer,
        right=_channels,
        cases={
            # Scale 2 later: there several mistakes look alike.
            f"{features} features, scale {scale}": (features, scale)
            for features, scale in [(32, 4), (32, 8), (32, 2), (20, 8), (32, 16)]
        },
        mistakes=CHANNELS_MISTAKES,
        seen_through=result_as(_channels_in_a_list),
    )


@in_steps()
def check_charbonnier(answer: Answer | None) -> Verdict:
    """Check ``answer(sr, hr, eps)``: the Charbonnier loss and its slope."""
    hr = uniform_values(3, 2, 3, 4, 5)
    near = hr + 0.002 * (uniform_values(4, 2, 3, 4, 5) - 0.5)
    above = hr + 0.2 + 0.6 * uniform_values(5, 2, 3, 4, 5)
    far = hr + uniform_values(5, 2, 3, 4, 5) - 0.4
    verdict = judge(
        answer,
        right=_charbonnier,
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
        mistakes=CHARBONNIER_MISTAKES,
        seen_through=value_and_slope,
        tolerance=1e-6,
    )
    cases = {"errors of both signs, eps 0.3": (far, hr, 0.3)}
    return judge_gradient(answer, after=verdict, right=_charbonnier, cases=cases)


def _block(x: Tensor, conv1: Layer, conv2: Layer) -> Tensor:
    return x + conv2(F.relu(conv1(x)))


def _doublings(scale: int) -> int:
    return scale.bit_length() - 1


def _channels(num_features: int, scale: int) -> list[int]:
    return [4 * num_features] * (_doublings(scale) - 1) + [4 * 3]


def _charbonnier(sr: Tensor, hr: Tensor, eps: float) -> Tensor:
    return ((sr - hr).square() + eps**2).sqrt().mean()


def _convs(channels: int, *, bias: bool = False) -> tuple[nn.Conv2d, nn.Conv2d]:
    """Two convolutions with weights of their own, whatever torch's seed is."""
    first, second = (nn.Conv2d(channels, channels, 3, padding=1, bias=bias) for _ in range(2))
    for seed, conv in ((6, first), (7, second)):
        for parameter in conv.parameters():
            parameter.data.copy_(_signal(seed, *parameter.shape))
    return first, second


def _channels_in_a_list(got: Any, *_: int) -> Any:
    """A tuple, a range or an array is as good as a list, but not floats for channels."""
    got = got.tolist() if hasattr(got, "tolist") else got
    is_row = isinstance(got, list | tuple | range)
    return [whole_number(channels) for channels in got] if is_row else got


def _signal(seed: int, *shape: int) -> Tensor:
    """Values of both signs, so that a ReLU in the wrong place is seen."""
    return uniform_values(seed, *shape) - 0.5


BLOCK_MISTAKES: Mistakes = {
    "This is the correction alone; the skip is missing.": lambda x, conv1, conv2: conv2(
        F.relu(conv1(x))
    ),
    "A ReLU behind the sum cuts off what the skip should carry unchanged.": (
        lambda x, conv1, conv2: F.relu(x + conv2(F.relu(conv1(x))))
    ),
    "A ReLU behind conv2 cuts off corrections below 0.": lambda x, conv1, conv2: (
        x + F.relu(conv2(F.relu(conv1(x))))
    ),
    "Two convolutions in a row do no more than one could.": lambda x, conv1, conv2: (
        x + conv2(conv1(x))
    ),
    "conv1 works twice here.": lambda x, conv1, _: x + conv1(F.relu(conv1(x))),
    "conv2 works twice here.": lambda x, _, conv2: x + conv2(F.relu(conv2(x))),
    "The convolutions have changed places.": lambda x, conv1, conv2: (
        x + conv1(F.relu(conv2(x)))
    ),
    "The ReLU stands in front of both convolutions, so these two are one.": (
        lambda x, conv1, conv2: x + conv2(conv1(F.relu(x)))
    ),
    "A ReLU on x itself: the skip no longer carries it unchanged.": (
        lambda x, conv1, conv2: F.relu(x) + conv2(F.relu(conv1(F.relu(x))))
    ),
    "conv2 is missing.": lambda x, conv1, _: x + F.relu(conv1(x)),
    "Here x is multiplied by the correction.": lambda x, conv1, conv2: (
        x * conv2(F.relu(conv1(x)))
    ),
    "Here the correction is taken away from x.": lambda x, conv1, conv2: (
        x - conv2(F.relu(conv1(x)))
    ),
    "This gives x back, without any correction.": lambda x, *_: x,
}

CHANNELS_MISTAKES: Mistakes = {
    "This makes one convolution for each unit of scale; there are fewer doublings.": (
        lambda f, s: [4 * f] * (s - 1) + [12]
    ),
    "Scale 8 does not take 8 / 2 = 4 doublings: doublings multiply.": lambda f, s: (
        [4 * f] * (s // 2 - 1) + [12]
    ),
    "One convolution too many.": lambda f, s: [4 * f] * _doublings(s) + [12],
    "These are the channels after each shuffle, not before it.": lambda f, s: (
        [f] * (_doublings(s) - 1) + [3]
    ),
    "The last number forgets that a shuffle follows there too.": lambda f, s: (
        [4 * f] * (_doublings(s) - 1) + [3]
    ),
    "The last doubling should give colors, and here it gives features.": lambda f, s: (
        [4 * f] * _doublings(s)
    ),
    "The last one is right; the others forget what a shuffle by 2 does to the channels.": (
        lambda f, s: [f] * (_doublings(s) - 1) + [12]
    ),
    "Twice as many channels for a doubling? It doubles both sides.": lambda f, s: (
        [2 * f] * (_doublings(s) - 1) + [6]
    ),
    "That is one shuffle by the whole scale; Upsampler goes in several steps.": (
        lambda _, s: [3 * s**2]
    ),
    "The order is reversed.": lambda f, s: [12] + [4 * f] * (_doublings(s) - 1),
    "The channels grow from step to step; what does the shuffle do between two of them?": (
        lambda f, s: [f * 4 ** (i + 1) for i in range(_doublings(s) - 1)] + [12]
    ),
    "That is how many there are, not their channels.": lambda _, s: _doublings(s),
}

CHARBONNIER_MISTAKES: Mistakes = {
    "This is a sum: a larger crop would count as a larger error.": lambda sr, hr, eps: (
        ((sr - hr).square() + eps**2).sqrt().sum()
    ),
    "The root of the mean is L2 again, or nearly.": lambda sr, hr, eps: (
        ((sr - hr).square() + eps**2).mean().sqrt()
    ),
    "eps has the unit of an error; under the root stands the square of an error.": (
        lambda sr, hr, eps: ((sr - hr).square() + eps).sqrt().mean()
    ),
    "The difference is not squared, and a root of negative numbers is nan.": (
        lambda sr, hr, eps: ((sr - hr) + eps**2).sqrt().mean()
    ),
    "This is L2 and a constant: the root is missing.": lambda sr, hr, eps: (
        (sr - hr).square() + eps**2
    ).mean(),
    "This is the sum of two roots, which is not the root of the sum.": (
        lambda sr, hr, eps: ((sr - hr).abs() + eps).mean()
    ),
    "This is L1, or nearly: eps has no effect.": lambda sr, hr, _: (sr - hr).abs().mean(),
    "This is L2.": lambda sr, hr, _: (sr - hr).square().mean(),
    "eps squared is taken away here.": lambda sr, hr, eps: (
        ((sr - hr).square() - eps**2).sqrt().mean()
    ),
    "Where sr is clamped, there is no slope to learn from.": lambda sr, hr, eps: _charbonnier(
        sr.clamp(0, 1), hr, eps
    ),
}
