"""Checks of lesson 03: how variance grows, a learned weight, gates for channels."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from srlab.checks.answers import named_type
from srlab.checks.core import Answer, Finding, Mistakes, Verdict, judge, judge_gradient
from srlab.checks.steps import in_steps

Layer = Callable[[Tensor], Tensor]


@in_steps()
def check_variance(answer: Answer | None) -> Verdict:
    """Check ``answer(variance, weight, depth)``: variance behind so many blocks.

    Args:
        answer: variance of the first input, weight of each correction, number
            of blocks -> variance. Each block's correction is as large as the
            block's input, and independent of it.
    """
    return judge(
        answer,
        right=_variance,
        cases={
            f"variance {v:g}, weight {w:g}, {n} blocks": (v, w, n)
            for v, w, n in (
                (4.0, 0.6, 3),
                (1.0, 0.1, 32),
                (1.0, 1.0, 64),
                (9.0, -0.5, 2),
                (2.0, 0.3, 0),
                (2.0, 0.0, 5),
            )
        },
        mistakes=VARIANCE_MISTAKES,
    )


UNFINISHED_BLOCK = '''
class MyBlock(nn.Module):
    def __init__(self, num_features):
        super().__init__()
        self.conv1 = nn.Conv2d(num_features, num_features, 3, padding=1)
        self.conv2 = nn.Conv2d(num_features, num_features, 3, padding=1)

    def forward(self, x):
        """(N, F, h, w) -> (N, F, h, w)."""
'''


@in_steps(starter=UNFINISHED_BLOCK)
def check_learned_block(answer: Answer | None) -> Verdict:
    """Check a class: a residual block with one learned weight.

    Args:
        answer: called with ``num_features``, gives an ``nn.Module`` with
            ``conv1`` and ``conv2`` and a weight that starts at zero.
    """
    x = _signal(1, 2, 4, 7, 5)
    return judge(
        answer,
        right=_LearnedBlock,
        cases={
            "learned numbers beside those of conv1 and conv2": (_sizes, x, None),
            "what a new block gives": (_output, x, None),
            "what it gives with the weight at 0.5": (_output, x, 0.5),
            "what it gives with the weight at -2": (_output, x, -2.0),
            "slopes with the weight at 0.5: of the weight, conv1, conv2": (_slopes, x, 0.5),
            "one picture, 9 x 2 px": (_output, _signal(2, 1, 4, 9, 2), 1.5),
            "6 features": (_output, _signal(6, 1, 6, 3, 4), 1.5),
            "the gradient that comes back to x": (_back, x, 0.5),
            "does training change what a new block gives?": (_wakes, x, None),
        },
        mistakes=BLOCK_MISTAKES,
        seen_through=_asked,
    )


@in_steps()
def check_channel_gates(answer: Answer | None) -> Verdict:
    """Check ``answer(correction, squeeze, expand)``: what ``ChannelGates`` computes.

    Args:
        answer: the correction ``(N, F, h, w)`` and two 1 x 1 convolutions ->
            the weighted correction of the same shape.
    """
    layers = _pointwise(6, 3), _pointwise(3, 6)
    wide = _pointwise(4, 2), _pointwise(2, 4)
    cases = {
        "2 pictures, 6 channels, 4 x 5 px": (_signal(3, 2, 6, 4, 5), *layers),
        "1 picture, 3 x 3 px": (_signal(4, 1, 6, 3, 3), *layers),
        "6 pictures, 1 x 8 px": (_signal(5, 6, 6, 1, 8), *layers),
        "4 channels": (_signal(7, 2, 4, 3, 5), *wide),
    }
    verdict = judge(answer, right=_gated, cases=cases, mistakes=GATES_MISTAKES, tolerance=1e-5)
    return judge_gradient(answer, after=verdict, right=_gated, cases=cases)


# Exercise 1 ----------------------------------------------------------------------------


def _variance(variance: float, weight: float, depth: int) -> float:
    return variance * (1 + weight**2) ** depth


VARIANCE_MISTAKES: Mistakes = {
    "You added standard deviations; those of independent numbers do not add up.": (
        lambda v, w, n: v * (1 + abs(w)) ** (2 * n),
        lambda v, w, n: v * (1 + w) ** (2 * n),
    ),
    "A factor w does not make the variance w times as large.": lambda v, w, n: v * (1 + w) ** n,
    "The 2 belongs to He's start; here a correction is as large as its input.": (
        lambda v, w, n: v * (1 + 2 * w**2) ** n
    ),
    "Each block adds the same here, though its input has grown.": lambda v, w, n: (
        v * (1 + n * w**2)
    ),
    "Here each correction has a variance of 1, however large its block's input.": (
        lambda v, w, n: v + n * w**2
    ),
    "The factor of one block is right; of several blocks it is not multiplied by depth.": (
        lambda v, w, n: v * n * (1 + w**2)
    ),
    "The growth is right, but the variance at the start has no effect.": lambda _, w, n: (
        (1 + w**2) ** n
    ),
    "That is the standard deviation.": lambda v, w, n: (v * (1 + w**2) ** n) ** 0.5,
    "The skip is missing: these are corrections of corrections.": lambda v, w, n: (
        v * w ** (2 * n)
    ),
    "That is weight 1, whatever weight says.": lambda v, _, n: v * 2.0**n,
    "One block is missing.": lambda v, w, n: v * (1 + w**2) ** (n - 1),
    "One block too many.": lambda v, w, n: v * (1 + w**2) ** (n + 1),
}


# Exercise 2 ----------------------------------------------------------------------------


Question = Callable[[nn.Module, Tensor], Any]

CONVOLUTIONS = ("conv1", "conv2")
NO_GRADIENT = "something here has no gradient"


def _asked(make: Answer) -> Answer:
    """Make of a class a function that answers one question about a new block."""

    def ask(question: Question, x: Tensor, factor: float | None) -> Any:
        block = make(x.shape[1])
        if block is None:
            return None
        if not isinstance(block, nn.Module):
            hint = "This is no module; the check calls it with the number of features."
            raise Finding(f"{named_type(block)}, not an nn.Module", hint)
        _require_convolutions(block)
        if question is not _wakes:  # which is about the block's own start
            _set_convolutions(block)
        if factor is not None:
            for parameter in _others(block):
                parameter.data.fill_(factor)
        return question(block, x)

    return ask


def _require_convolutions(block: nn.Module) -> None:
    for name in CONVOLUTIONS:
        conv = getattr(block, name, None)
        if not (isinstance(conv, nn.Conv2d) and conv.bias is not None):
            hint = "The block lacks one of the lesson's two convolutions, conv1 and conv2."
            raise Finding(f"{name} is no nn.Conv2d with a bias", hint)


def _set_convolutions(block: nn.Module) -> None:
    """Give conv1 and conv2 the same weights in every answer."""
    for seed, name in enumerate(CONVOLUTIONS):
        for i, parameter in enumerate(block.get_submodule(name).parameters()):
            parameter.data.copy_(_signal(10 + 2 * seed + i, *parameter.shape))


def _others(block: nn.Module) -> list[nn.Parameter]:
    """The parameters that are not the convolutions'."""
    return [p for n, p in block.named_parameters() if not n.startswith(("conv1.", "conv2."))]


def _sizes(block: nn.Module, _: Tensor) -> list[int]:
    return [parameter.numel() for parameter in _others(block)]


def _output(block: nn.Module, x: Tensor) -> Any:
    got = block(x)
    return got.detach() if isinstance(got, Tensor) else got


def _slopes(block: nn.Module, x: Tensor) -> Tensor:
    """Of the output's sum of squares, for one value."""
    weights = [p for name in CONVOLUTIONS for p in block.get_submodule(name).parameters()]
    wanted = [*_others(block), *weights]
    score = block(x).square().mean()
    if not all(tensor.requires_grad for tensor in (score, *wanted)):
        raise Finding(NO_GRADIENT, CUT)
    slopes = torch.autograd.grad(score, wanted, allow_unused=True)
    if any(slope is None for slope in slopes):
        raise Finding(NO_GRADIENT, CUT)
    return torch.stack([slope.sum() for slope in slopes])


def _back(block: nn.Module, x: Tensor) -> Tensor:
    """The gradient at x, of the output's sum of squares."""
    pixels = x.clone().requires_grad_()
    score = block(pixels * 1).square().sum()
    if not score.requires_grad:
        raise Finding(NO_GRADIENT, CUT)
    return torch.autograd.grad(score, pixels, materialize_grads=True)[0]


def _wakes(block: nn.Module, x: Tensor) -> bool:
    """Whether a few steps of training change the output of a new block."""
    before = block(x).detach()
    optimizer = torch.optim.SGD(block.parameters(), lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        (block(x) - 1).square().mean().backward()
        optimizer.step()
    return not torch.equal(block(x).detach(), before)


class _Block(nn.Module):
    """What right and wrong blocks have in common."""

    first = 0.0

    def __init__(self, num_features: int):
        super().__init__()
        self.conv1 = nn.Conv2d(num_features, num_features, 3, padding=1)
        self.conv2 = nn.Conv2d(num_features, num_features, 3, padding=1)
        self.factor = nn.Parameter(torch.full((), self.first))

    def correction(self, x: Tensor) -> Tensor:
        result: Tensor = self.conv2(F.relu(self.conv1(x)))
        return result


class _LearnedBlock(_Block):
    def forward(self, x: Tensor) -> Tensor:
        return x + self.factor * self.correction(x)


class _StartsAtOne(_LearnedBlock):
    first = 1.0


class _NotLearned(_LearnedBlock):
    def __init__(self, num_features: int):
        super().__init__(num_features)
        del self.factor
        self.register_buffer("factor", torch.zeros(()))


class _OneForEachChannel(_LearnedBlock):
    def __init__(self, num_features: int):
        super().__init__(num_features)
        self.factor = nn.Parameter(torch.zeros(num_features, 1, 1))


def _computing(forward: Callable[[Any, Tensor], Any]) -> type[_Block]:
    """A block whose forward is this function of the block and its input."""
    return type("_Computing", (_Block,), {"forward": forward})


class _NeverWakes(_LearnedBlock):
    def __init__(self, num_features: int):
        super().__init__(num_features)
        for parameter in self.conv2.parameters():
            nn.init.zeros_(parameter)


CUT = "The values are right, but the gradient is not: somewhere the way back is cut."

BLOCK_MISTAKES: Mistakes = {
    "Two zeros in one product never wake: the weight, and all of conv2.": _NeverWakes,
    "No training changes a plain tensor or number.": _NotLearned,
    CUT: _computing(lambda b, x: x + b.factor * b.correction(x).detach()),
    "The skip does not stay whole: x loses what the correction gets.": (
        _computing(lambda b, x: (1 - b.factor) * x + b.factor * b.correction(x))
    ),
    "One weight for each channel, not one for the whole block.": _OneForEachChannel,
    "At first this is the plain block: weight 1, or none at work.": _StartsAtOne,
    "The weight is there, but nothing is multiplied by it.": (
        _computing(lambda b, x: x + b.correction(x))
    ),
    "The weight is on the skip: at zero, the picture is lost.": (
        _computing(lambda b, x: b.factor * x + b.correction(x))
    ),
    "With weight 0 nothing comes out: the weight is on the sum, or the skip is missing.": (
        _computing(lambda b, x: b.factor * (x + b.correction(x)))
    ),
    "A ReLU behind the sum cuts off what the skip should carry unchanged.": (
        _computing(lambda b, x: F.relu(x + b.factor * b.correction(x)))
    ),
    "A ReLU behind conv2 cuts off corrections of one sign.": (
        _computing(lambda b, x: x + b.factor * F.relu(b.correction(x)))
    ),
    "The weight stands before conv2, whose bias it then misses.": (
        _computing(lambda b, x: x + b.conv2(b.factor * F.relu(b.conv1(x))))
    ),
    "The weight stands before conv1, whose bias it then misses.": (
        _computing(lambda b, x: x + b.correction(b.factor * x))
    ),
    "Two convolutions in a row do no more than one could.": (
        _computing(lambda b, x: x + b.factor * b.conv2(b.conv1(x)))
    ),
    "Here the weight is added.": _computing(lambda b, x: x + b.factor + b.correction(x)),
    "A sigmoid of 0 is 0.5, so a new block is not x.": (
        _computing(lambda b, x: x + torch.sigmoid(b.factor) * b.correction(x))
    ),
    "Right at zero, but a tanh bends every other weight.": (
        _computing(lambda b, x: x + torch.tanh(b.factor) * b.correction(x))
    ),
}


# Exercise 3 ----------------------------------------------------------------------------


def _gated(correction: Tensor, squeeze: Layer, expand: Layer) -> Tensor:
    return correction * _gates(_pooled(correction), squeeze, expand)


def _gates(pooled: Tensor, squeeze: Layer, expand: Layer) -> Tensor:
    return torch.sigmoid(expand(F.relu(squeeze(pooled))))


def _pooled(correction: Tensor) -> Tensor:
    return correction.mean((2, 3), keepdim=True)


def _pointwise(channels_in: int, channels_out: int) -> nn.Conv2d:
    """A 1 x 1 convolution, strong enough for gates to differ."""
    conv = nn.Conv2d(channels_in, channels_out, 1)
    for seed, strength, parameter in zip((20, 40), (6, 1), conv.parameters(), strict=True):
        parameter.data.copy_(strength * _signal(seed + channels_in, *parameter.shape))
    return conv


def _signal(seed: int, *shape: int) -> Tensor:
    """Values of both signs, with means that differ by channel and picture."""
    generator = torch.Generator().manual_seed(seed)
    values = torch.rand(shape, generator=generator) - 0.5
    if len(shape) < 4 or shape[-1] * shape[-2] == 1:
        return values
    return values + torch.rand((*shape[:2], 1, 1), generator=generator) - 0.5


GATES_MISTAKES: Mistakes = {
    "These gates do not lie between 0 and 1.": lambda c, squeeze, expand: (
        c * expand(F.relu(squeeze(_pooled(c))))
    ),
    "These are the gates alone.": (
        lambda c, squeeze, expand: _gates(_pooled(c), squeeze, expand),
        lambda c, squeeze, expand: _gates(_pooled(c), squeeze, expand).expand_as(c),
    ),
    "The mean went over the batch too: all pictures have the same gates.": (
        lambda c, squeeze, expand: c * _gates(c.mean((0, 2, 3), keepdim=True), squeeze, expand)
    ),
    "The mean went over the channels too.": lambda c, squeeze, expand: (
        c * _gates(c.mean((1, 2, 3), keepdim=True).expand(-1, 6, 1, 1), squeeze, expand)
    ),
    # swapped layers raise the same error
    "What reaches a convolution has not its shape; squeeze wants (N, F, 1, 1).": (
        lambda c, squeeze, expand: c * _gates(c.mean((2, 3)), squeeze, expand),
        lambda c, squeeze, expand: c * _gates(c.mean((1, 2, 3), keepdim=True), squeeze, expand),
    ),
    "Nothing was averaged: each pixel got gates of its own.": lambda c, squeeze, expand: (
        c * _gates(c, squeeze, expand)
    ),
    "This is the maximum of each channel.": lambda c, squeeze, expand: (
        c * _gates(c.amax((2, 3), keepdim=True), squeeze, expand)
    ),
    "This is a sum: a larger picture opens the gates wider.": lambda c, squeeze, expand: (
        c * _gates(c.sum((2, 3), keepdim=True), squeeze, expand)
    ),
    "squeeze and expand follow each other at once, and so are one.": (
        lambda c, squeeze, expand: c * torch.sigmoid(expand(squeeze(_pooled(c))))
    ),
    "The ReLU stands behind the sigmoid, where it does nothing.": (
        lambda c, squeeze, expand: c * F.relu(torch.sigmoid(expand(squeeze(_pooled(c)))))
    ),
    "There are two sigmoids.": lambda c, squeeze, expand: (
        c * torch.sigmoid(expand(torch.sigmoid(squeeze(_pooled(c)))))
    ),
    "A softmax makes the channels share one whole; each gate is free.": (
        lambda c, squeeze, expand: c * torch.softmax(expand(F.relu(squeeze(_pooled(c)))), dim=1)
    ),
    "Here the gates are added.": lambda c, squeeze, expand: (
        c + _gates(_pooled(c), squeeze, expand)
    ),
    "The correction itself is in the result once more.": lambda c, squeeze, expand: (
        c * (1 + _gates(_pooled(c), squeeze, expand))
    ),
}
