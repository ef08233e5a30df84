"""Checks of lesson 03: a probe, weights and gates as built; three exercises."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from srlab.checks.answers import (
    as_module,
    judge_module,
    judge_moving,
    judge_with_gradient,
    named_type,
)
from srlab.checks.core import Answer, Finding, Mistakes, Verdict, judge
from srlab.checks.steps import in_steps
from srlab.features import Hooks
from srlab.models import ResidualBlock, SrResNet
from srlab.residuals import (
    ChannelGates,
    FixedWeight,
    LearnedWeight,
    WeightedResidualBlock,
    spread_by_block,
)

Layer = Callable[[Tensor], Tensor]


@in_steps()
def check_spread(answer: Answer | None) -> Verdict:
    """Check ``answer(model, lr)``: ``spread_by_block``."""
    return judge(
        answer,
        right=spread_by_block,
        cases={
            # of so many values that n and n - 1 give the same spread
            "3 blocks, 2 pictures": (_network(3), _signal(8, 2, 3, 40, 35)),
            "1 block, 1 picture": (_network(1), _signal(9, 1, 3, 50, 50)),
            "12 blocks": (_network(12), _signal(10, 1, 3, 50, 50)),
            "a block with dropout": (_network(2, _Dropping), _signal(13, 1, 3, 50, 50)),
        },
        mistakes=SPREAD_MISTAKES,
        seen_through=_in_a_row,
        tolerance=1e-5,
    )


@in_steps()
def check_weighted_block(answer: Answer | None) -> Verdict:
    """Check a class ``answer(num_features, weight)``: a ``WeightedResidualBlock``."""
    pull = _signal(6, 2, 4, 3, 5)
    cases = {
        "weight 0.5, 2 pictures, 7 x 5 px": ((4, FixedWeight(0.5)), _signal(1, 2, 4, 7, 5)),
        "weight -2, 1 picture, 6 x 6 px": ((3, FixedWeight(-2.0)), _signal(2, 1, 3, 6, 6)),
        "a learned weight": ((4, LearnedWeight()), _signal(3, 2, 4, 3, 5)),
        "a weight of another class, without value": ((4, _OwnWeight()), pull),
    }
    verdict = judge_with_gradient(
        answer,
        right=WeightedResidualBlock,
        cases=cases,
        mistakes=WEIGHTED_MISTAKES,
        seen_through=as_module,
        toward=(1,),
        tolerance=1e-5,
    )
    if not verdict.done:
        return verdict
    verdict = judge(
        answer,
        right=WeightedResidualBlock,
        cases={
            "the weight's own gradient": ((4, LearnedWeight()), pull),
            "the weight's own gradient, one per channel": ((4, _OwnWeight()), pull),
        },
        mistakes={ONLY_FOR_LOOKING: _weighted(_by_value)},
        seen_through=_pull_at_the_weight,
    )
    return judge_moving(answer, after=verdict, right=WeightedResidualBlock, cases=cases)


@in_steps()
def check_learned_weight(answer: Answer | None) -> Verdict:
    """Check a class ``answer()``: a ``LearnedWeight``, one number that starts at zero."""
    correction = _signal(4, 2, 4, 3, 5)
    return judge(
        answer,
        right=LearnedWeight,
        cases={
            "learned numbers": (_all_sizes, correction, None),
            "what a new one gives": (_output, correction, None),
            "what it gives at 0.5": (_output, correction, 0.5),
            "what it gives at -2": (_output, correction, -2.0),
            "the gradient at 0.5: of the factor": (_pull, correction, 0.5),
            "the gradient at 0.5: of the correction": (_back, correction, 0.5),
        },
        mistakes=LEARNED_MISTAKES,
        seen_through=_asked_of_a_weight,
    )


@in_steps()
def check_channel_gates(answer: Answer | None) -> Verdict:
    """Check a class ``answer(num_features, reduction)``: a ``ChannelGates``."""
    return judge_module(
        answer,
        right=ChannelGates,
        cases={
            "2 pictures, 6 channels, 4 x 5 px": ((6, 2), _signal(3, 2, 6, 4, 5)),
            "1 picture, 3 x 3 px": ((6, 2), _signal(4, 1, 6, 3, 3)),
            "6 pictures, 1 x 8 px": ((6, 2), _signal(5, 6, 6, 1, 8)),
            "4 channels": ((4, 1), _signal(7, 2, 4, 3, 5)),
        },
        mistakes=GATES_MISTAKES,
        tolerance=1e-5,
    )


@in_steps()
def check_variance(answer: Answer | None) -> Verdict:
    """Check ``answer(variance, weight, depth)``: variance after so many mixing blocks.

    Args:
        answer: variance of the first input, weight of each correction, number
            of blocks -> variance. A block gives ``(1 - weight) * x + weight * c``;
            its correction c is as large as its input x, and independent of it.
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


BLOCK_WITH_BUGS = '''
class MyBlock(nn.Module):
    """y = x + w * f(x), with one learned w that starts at zero. It has two bugs."""

    def __init__(self, num_features):
        super().__init__()
        self.conv1 = nn.Conv2d(num_features, num_features, 3, padding=1)
        self.conv2 = nn.Conv2d(num_features, num_features, 3, padding=1)
        nn.init.zeros_(self.conv2.weight)  # so that a new block changes nothing
        nn.init.zeros_(self.conv2.bias)
        self.factor = nn.Parameter(torch.zeros(()))

    def forward(self, x):
        """(N, F, h, w) -> (N, F, h, w)."""
        correction = self.conv2(torch.relu(self.conv1(x)))
        return x + self.factor.item() * correction
'''


@in_steps(starter=BLOCK_WITH_BUGS)
def check_learned_block(answer: Answer | None) -> Verdict:
    """Check a class: a residual block with one learned weight.

    Args:
        answer: called with ``num_features``, gives an ``nn.Module`` with
            ``conv1`` and ``conv2`` and a weight that starts at zero.
    """
    x = _signal(1, 2, 4, 7, 5)
    return judge(
        answer,
        right=_Block,
        cases={
            "learned numbers beside those of conv1 and conv2": (_sizes, x, None),
            "what a new block gives": (_output, x, None),
            "what it gives with the weight at 0.5": (_output, x, 0.5),
            "what it gives with the weight at -2": (_output, x, -2.0),
            "gradients with the weight at 0.5: of the weight, conv1, conv2": (_slopes, x, 0.5),
            "one picture, 9 x 2 px": (_output, _signal(2, 1, 4, 9, 2), 1.5),
            "6 features": (_output, _signal(6, 1, 6, 3, 4), 1.5),
            "the gradient that comes back to x": (_back, x, 0.5),
            "does training change what a new block gives?": (_wakes, x, None),
            "does training move conv1, conv2 and the weight?": (_moved, x, None),
        },
        mistakes=BLOCK_MISTAKES,
        seen_through=_asked,
    )


UNWRITTEN_SCALE = '''
class MyScale(nn.Module):
    def __init__(self, num_features):
        super().__init__()

    def forward(self, correction):
        """(N, F, h, w) -> (N, F, h, w)."""
'''


@in_steps(starter=UNWRITTEN_SCALE)
def check_channel_scale(answer: Answer | None) -> Verdict:
    """Check a class ``answer(num_features)``: one learned factor per channel, 0.1 at first."""
    wide, square = _signal(11, 2, 4, 3, 5), _signal(12, 1, 4, 4, 4)
    return judge(
        answer,
        right=_ChannelScale,
        cases={
            "learned numbers": (_all_sizes, wide, None),
            "what a new one gives": (_output, wide, None),
            "what it gives with factors 1, 2, 3, ...": (_output, wide, "rising"),
            "as many px as channels": (_output, square, "rising"),
            "the gradient: of the factors": (_pull, wide, "rising"),
            "the gradient: of the correction": (_back, wide, "rising"),
        },
        mistakes=SCALE_MISTAKES,
        seen_through=partial(_asked_of_a_weight, per_channel=True),
    )


# The spread


class _Dropping(ResidualBlock):
    """With dropout, so to speak, but the same at each call."""

    def forward(self, x: Tensor) -> Tensor:
        kept = torch.arange(x.shape[1]).view(-1, 1, 1) % 2
        return super().forward(2 * kept * x if self.training else x)


def _network(depth: int, block: Callable[[int], nn.Module] = ResidualBlock) -> SrResNet:
    """A small network, the same at each call."""
    network = SrResNet(4, 4, depth, block=block)
    for seed, parameter in enumerate(network.parameters()):
        parameter.data.copy_(_signal(50 + seed, *parameter.shape))
    return network


def _in_a_row(answer: Answer) -> Answer:
    """The spreads in one tensor, if there is a number for each block."""

    def row(model: SrResNet, lr: Tensor) -> Any:
        got = answer(model, lr)
        if got is None or not isinstance(got, list):
            return got
        spreads = torch.tensor([float(value) for value in got])
        other = next((value for value in got if not isinstance(value, float)), None)
        if other is not None:
            text = f"a list that holds {named_type(other)}"
            raise Finding(text, "The values are right, but not plain numbers.", result=spreads)
        return spreads

    return row


def _spread_of(
    model: SrResNet,
    lr: Tensor,
    measure: Callable[[Tensor], Tensor] = Tensor.std,
    watch: Callable[[Any], nn.Module] = lambda block: block,
    images: Callable[[Tensor], Tensor] = lambda lr: lr,
) -> list[float]:
    blocks = {str(number): watch(block) for number, block in enumerate(model.body)}
    with torch.no_grad(), Hooks(blocks) as hooks:
        model(images(lr))
    return [measure(hook.output).item() for hook in hooks.values()]


def _by_name(model: SrResNet, lr: Tensor) -> list[float]:
    spreads = spread_by_block(model, lr)
    return [spreads[number] for number in sorted(range(len(spreads)), key=str)]


def _before_a_run(model: SrResNet, _: Tensor) -> list[float]:
    with Hooks({str(number): block for number, block in enumerate(model.body)}) as hooks:
        return [hook.output.std().item() for hook in hooks.values()]


SPREAD_MISTAKES: Mistakes = {
    # An error: a hook without an output.
    "Nothing ran while the hooks were there, so they have kept nothing.": _before_a_run,
    "This is the variance; the spread is its root.": partial(_spread_of, measure=Tensor.var),
    "This is the mean size, not the spread around the mean.": (
        partial(_spread_of, measure=lambda values: values.abs().mean())
    ),
    "The hooks are sorted by name, so block 10 comes before block 2.": _by_name,
    "It was measured in training mode, in which a block may do something else.": _spread_of,
    "These are the corrections alone, without the skip.": (
        partial(_spread_of, watch=lambda block: block.conv2)
    ),
    "Only the first picture was shown to the network.": (
        partial(_spread_of, images=lambda lr: lr[:1])
    ),
}


# A weight on the correction


def _weighted(correct: Callable[[Any, Tensor], Tensor]) -> Answer:
    """A class like ``WeightedResidualBlock`` that computes something else."""
    return type("_Weighted", (WeightedResidualBlock,), {"forward": correct})


def _correction(block: Any, x: Tensor) -> Tensor:
    result: Tensor = block.conv2(F.relu(block.conv1(x)))
    return result


def _by_value(block: Any, x: Tensor) -> Tensor:
    return x + getattr(block.weight, "value", 0.0) * _correction(block, x)


class _OwnWeight(nn.Module):
    """A weight as the lesson will build more of them: only its forward is promised."""

    def __init__(self) -> None:
        super().__init__()
        self.each = nn.Parameter(torch.ones(4, 1, 1))

    def forward(self, correction: Tensor) -> Tensor:
        return self.each * correction


def _pull_at_the_weight(make: Answer) -> Answer:
    """Make of a block's class a function that gives the gradient of its weight's numbers."""
    called = as_module(make)

    def pull(settings: tuple[Any, ...], x: Tensor) -> Any:
        score = called(settings, x).square().sum()
        wanted = list(settings[1].parameters())
        found = torch.autograd.grad(score, wanted, materialize_grads=True)
        return torch.cat([one.flatten() for one in found])

    return pull


ONLY_FOR_LOOKING = "value is only there to look at: no gradient goes through it."

WEIGHTED_MISTAKES: Mistakes = {
    # An error: not each weight has it.
    ONLY_FOR_LOOKING: _weighted(lambda b, x: x + b.weight.value * _correction(b, x)),
    "The weight is on the sum, so the skip doesn't stay whole.": (
        _weighted(lambda b, x: b.weight(x + _correction(b, x)))
    ),
    "The weight is on the skip.": _weighted(lambda b, x: b.weight(x) + _correction(b, x)),
    "The weight is there, but nothing goes through it.": (
        _weighted(lambda b, x: x + _correction(b, x))
    ),
    "The skip is missing.": _weighted(lambda b, x: b.weight(_correction(b, x))),
    "The weight comes before conv2, so it misses conv2's bias.": (
        _weighted(lambda b, x: x + b.conv2(b.weight(F.relu(b.conv1(x)))))
    ),
    "The weight comes before conv1, so it misses both biases.": (
        _weighted(lambda b, x: x + _correction(b, b.weight(x)))
    ),
    "A ReLU after the sum cuts off what the skip should carry unchanged.": (
        _weighted(lambda b, x: F.relu(x + b.weight(_correction(b, x))))
    ),
    "A ReLU after conv2 cuts off corrections of one sign.": (
        _weighted(lambda b, x: x + b.weight(F.relu(_correction(b, x))))
    ),
    "Two convolutions in a row do no more than one could.": (
        _weighted(lambda b, x: x + b.weight(b.conv2(b.conv1(x))))
    ),
    # An error: a module is called, not multiplied.
    "weight is a module here: it is called, like a layer.": (
        _weighted(lambda b, x: x + b.weight * _correction(b, x)),
        _weighted(lambda b, x: x + _correction(b, x) * b.weight),
        _weighted(lambda b, x: x + b.weight.factor * _correction(b, x)),
    ),
}


# Weights that are learned: one number, and one a channel


def _fill(module: nn.Module, factor: Any) -> None:
    """Set what a new module has learned: all one number, or ``"rising"``."""
    for parameter in module.parameters() if factor is not None else ():
        rising = torch.arange(1.0, 1 + parameter.numel()).view_as(parameter)
        parameter.data.copy_(rising if factor == "rising" else torch.tensor(factor))


def _asked_of_a_weight(make: Answer, *, per_channel: bool = False) -> Answer:
    """Make of a class a function that answers one question about a new weight."""

    def ask(question: Question, correction: Tensor, factor: float | str | None) -> Any:
        weight = make(*[correction.shape[1]] * per_channel)
        if weight is None:
            return None
        if not isinstance(weight, nn.Module):
            raise Finding(f"{named_type(weight)}, not an nn.Module", "This is no module.")
        _fill(weight, factor)
        return question(weight, correction)

    return ask


def _all_sizes(module: nn.Module, _: Tensor) -> list[int]:
    return [parameter.numel() for parameter in module.parameters()]


def _pull(module: nn.Module, correction: Tensor) -> Tensor:
    """The gradient at the parameters, of the output's sum of squares."""
    wanted = list(module.parameters())
    score = module(correction).square().sum()
    if not (score.requires_grad and all(p.requires_grad for p in wanted)):
        raise Finding(NO_GRADIENT, CUT)
    pulls = torch.autograd.grad(score, wanted, materialize_grads=True)
    return torch.cat([pull.flatten() for pull in pulls])


def _factor_that(give: Callable[[Any, Tensor], Tensor], first: float = 0.0) -> Answer:
    """A class like ``LearnedWeight`` that does something else with its factor."""

    class Wrong(LearnedWeight):
        def __init__(self) -> None:
            super().__init__()
            self.factor.data.fill_(first)

    return type("_Factor", (Wrong,), {"forward": give})


class _PlainFactor(LearnedWeight):
    def __init__(self) -> None:
        super().__init__()
        del self.factor
        self.factor = torch.zeros(())  # type: ignore[assignment]


PLAIN = "Training changes no plain tensor or number; only parameters."

LEARNED_MISTAKES: Mistakes = {
    PLAIN: _PlainFactor,
    "A new one lets the correction through whole: it starts at 1, or has no effect.": (
        _factor_that(lambda m, c: m.factor * c, first=1.0),
        _factor_that(lambda m, c: (1 + m.factor) * c),
        _factor_that(lambda m, c: m.factor + c),
        _factor_that(lambda _, c: c),
    ),
    "A sigmoid of 0 is 0.5, so a new block isn't absent.": (
        _factor_that(lambda m, c: torch.sigmoid(m.factor) * c)
    ),
    "Right at zero, but a tanh bends every other factor.": (
        _factor_that(lambda m, c: torch.tanh(m.factor) * c)
    ),
}


class _ChannelScale(nn.Module):
    first = 0.1

    def __init__(self, num_features: int):
        super().__init__()
        self.factors: Tensor = nn.Parameter(torch.full((num_features, 1, 1), self.first))

    def forward(self, correction: Tensor) -> Tensor:
        return self.factors * correction


def _scaled(module: Any, correction: Tensor) -> Any:
    return module.factors * correction


def _scale_that(give: Callable[[Any, Tensor], Tensor], first: float = 0.1) -> Answer:
    return type("_Scale", (_ChannelScale,), {"forward": give, "first": first})


class _OneForAll(_ChannelScale):
    def __init__(self, _: int):
        super().__init__(1)


class _PlainScale(_ChannelScale):
    def __init__(self, num_features: int):
        super().__init__(num_features)
        first = self.factors.detach()
        del self.factors
        self.factors = first


SCALE_MISTAKES: Mistakes = {
    PLAIN: _PlainScale,
    "One number for all channels; each should have its own.": _OneForAll,
    "They start at 0; at first each should be 0.1.": _scale_that(_scaled, first=0.0),
    "They start at 1; at first each should be 0.1.": _scale_that(_scaled, first=1.0),
    # An error at most sizes; where there are as many px as channels it would pass unseen.
    "The factors lie along the width, not along the channels.": (
        _scale_that(lambda m, c: m.factors.flatten() * c)
    ),
    "The factors are added, not multiplied.": _scale_that(lambda m, c: m.factors + c),
    "The correction is in the result once more, without a factor.": (
        _scale_that(lambda m, c: c + m.factors * c)
    ),
}


# Exercise 1 ----------------------------------------------------------------------------


def _variance(variance: float, weight: float, depth: int) -> float:
    return variance * ((1 - weight) ** 2 + weight**2) ** depth


def _of_first_input(weight: float, depth: int) -> float:
    """The growth if every correction had the variance of the first input."""
    growth = 1.0
    for _ in range(depth):
        growth = (1 - weight) ** 2 * growth + weight**2
    return growth


VARIANCE_MISTAKES: Mistakes = {
    "Here the skip is whole; a mix takes 1 - weight of it.": (
        lambda v, w, n: v * (1 + w**2) ** n
    ),
    "You added standard deviations; those of independent numbers do not add up.": (
        lambda v, w, n: v * ((1 - w) + w) ** (2 * n),
        lambda v, w, n: v * (abs(1 - w) + abs(w)) ** (2 * n),
    ),
    "A factor w does not make the variance w times as large.": (
        lambda v, w, n: v * ((1 - w) + w**2) ** n,
        lambda v, w, n: v * ((1 - w) ** 2 + w) ** n,
    ),
    "The 2 belongs to He's start; here a correction is as large as its input.": (
        lambda v, w, n: v * ((1 - w) ** 2 + 2 * w**2) ** n
    ),
    "The factor of one block is right; of several blocks it is not multiplied by depth.": (
        lambda v, w, n: v * n * ((1 - w) ** 2 + w**2)
    ),
    "The growth is right, but the variance at the start has no effect.": lambda _, w, n: (
        ((1 - w) ** 2 + w**2) ** n
    ),
    "That is the standard deviation.": lambda v, w, n: (v * ((1 - w) ** 2 + w**2) ** n) ** 0.5,
    "The correction is missing: this is what the skips leave.": lambda v, w, n: (
        v * (1 - w) ** (2 * n)
    ),
    "The skip is missing: these are corrections of corrections.": lambda v, w, n: (
        v * w ** (2 * n)
    ),
    "This is how the spread grows; asked is the variance.": lambda v, w, n: (
        v * ((1 - w) ** 2 + w**2) ** (n / 2)
    ),
    "Each correction is as large as its own block's input, not as the first one.": (
        lambda v, w, n: v * _of_first_input(w, n)
    ),
    "One block is missing.": lambda v, w, n: v * ((1 - w) ** 2 + w**2) ** (n - 1),
    "One block too many.": lambda v, w, n: v * ((1 - w) ** 2 + w**2) ** (n + 1),
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
        if question not in (_wakes, _moved):  # which are about the block's own start
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
    _train(block, x)
    return not torch.equal(block(x).detach(), before)


def _moved(block: nn.Module, x: Tensor) -> list[bool]:
    """Which of conv1's weight, conv2's and the block's a few steps of training change."""
    weights = [block.get_parameter(f"{name}.weight") for name in CONVOLUTIONS]
    weights += _others(block)
    before = [weight.detach().clone() for weight in weights]
    _train(block, x)
    return [not torch.equal(*pair) for pair in zip(weights, before, strict=True)]


def _train(block: nn.Module, x: Tensor) -> None:
    optimizer = torch.optim.SGD(block.parameters(), lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        (block(x) - 1).square().mean().backward()
        optimizer.step()


class _Block(nn.Module):
    """The right one, and what wrong ones have in common with it."""

    first = 0.0

    def __init__(self, num_features: int):
        super().__init__()
        self.conv1 = nn.Conv2d(num_features, num_features, 3, padding=1)
        self.conv2 = nn.Conv2d(num_features, num_features, 3, padding=1)
        self.factor = nn.Parameter(torch.full((), self.first))

    def correction(self, x: Tensor) -> Tensor:
        result: Tensor = self.conv2(F.relu(self.conv1(x)))
        return result

    def forward(self, x: Tensor) -> Tensor:
        return x + self.factor * self.correction(x)


class _NotLearned(_Block):
    def __init__(self, num_features: int):
        super().__init__(num_features)
        del self.factor
        self.register_buffer("factor", torch.zeros(()))


class _OneForEachChannel(_Block):
    def __init__(self, num_features: int):
        super().__init__(num_features)
        self.factor = nn.Parameter(torch.zeros(num_features, 1, 1))


def _computing(forward: Callable[[Any, Tensor], Any]) -> type[_Block]:
    """A block whose forward is this function of the block and its input."""
    return type("_Computing", (_Block,), {"forward": forward})


def _with_zeros_in(name: str) -> Answer:
    """A block in which one of the convolutions starts at zero."""

    class ZeroStart(_Block):
        def __init__(self, num_features: int):
            super().__init__(num_features)
            for parameter in self.get_submodule(name).parameters():
                nn.init.zeros_(parameter)

    return ZeroStart


CUT = "The values are right, but the gradient is not: somewhere the way back is cut."

BLOCK_MISTAKES: Mistakes = {
    "Two zeros in one product never wake: the weight, and all of conv2.": (
        _with_zeros_in("conv2")
    ),
    "conv1 gives only 0, where a ReLU has no gradient: neither convolution ever wakes.": (
        _with_zeros_in("conv1")
    ),
    PLAIN: _NotLearned,
    CUT: _computing(lambda b, x: x + b.factor * b.correction(x).detach()),
    "The skip doesn't stay whole: x loses what the correction gains.": (
        _computing(lambda b, x: (1 - b.factor) * x + b.factor * b.correction(x))
    ),
    "One weight for each channel, not one for the whole block.": _OneForEachChannel,
    "A new block is the plain one: its weight is 1, or has no effect.": (
        type("_StartsAtOne", (_Block,), {"first": 1.0})
    ),
    "The weight is there, but nothing is multiplied by it.": (
        _computing(lambda b, x: x + b.correction(x))
    ),
    "The weight is on the skip: at zero, the picture is lost.": (
        _computing(lambda b, x: b.factor * x + b.correction(x))
    ),
    "With weight 0 nothing comes out: the weight is on the sum, or the skip is missing.": (
        _computing(lambda b, x: b.factor * (x + b.correction(x)))
    ),
    "A ReLU after the sum cuts off what the skip should carry unchanged.": (
        _computing(lambda b, x: F.relu(x + b.factor * b.correction(x)))
    ),
    "A ReLU after conv2 cuts off corrections of one sign.": (
        _computing(lambda b, x: x + b.factor * F.relu(b.correction(x)))
    ),
    "The weight comes before conv2, so it misses conv2's bias.": (
        _computing(lambda b, x: x + b.conv2(b.factor * F.relu(b.conv1(x))))
    ),
    "The weight comes before conv1, so it misses both biases.": (
        _computing(lambda b, x: x + b.correction(b.factor * x))
    ),
    "Two convolutions in a row do no more than one could.": (
        _computing(lambda b, x: x + b.factor * b.conv2(b.conv1(x)))
    ),
    "Here the weight is added, not multiplied.": _computing(
        lambda b, x: x + b.factor + b.correction(x)
    ),
    "A sigmoid of 0 is 0.5, so a new block is not x.": (
        _computing(lambda b, x: x + torch.sigmoid(b.factor) * b.correction(x))
    ),
    "Right at zero, but a tanh bends every other weight.": (
        _computing(lambda b, x: x + torch.tanh(b.factor) * b.correction(x))
    ),
}


# Gates


def _gates(pooled: Tensor, squeeze: Layer, expand: Layer) -> Tensor:
    return torch.sigmoid(expand(F.relu(squeeze(pooled))))


def _pooled(correction: Tensor) -> Tensor:
    return correction.mean((2, 3), keepdim=True)


def _signal(seed: int, *shape: int) -> Tensor:
    """Values of both signs, with means that differ by channel and picture."""
    generator = torch.Generator().manual_seed(seed)
    values = torch.rand(shape, generator=generator) - 0.5
    if len(shape) < 4 or shape[-1] * shape[-2] == 1:
        return values
    return values + torch.rand((*shape[:2], 1, 1), generator=generator) - 0.5


def _gates_that(give: Callable[[Tensor, Layer, Layer], Tensor]) -> Answer:
    """A class like ``ChannelGates`` that does something else with its two layers."""

    class Wrong(ChannelGates):
        def forward(self, correction: Tensor) -> Tensor:
            return give(correction, self.gates[1], self.gates[3])

    return Wrong


def _pooled_by(pool: Callable[[Tensor], Tensor]) -> Answer:
    """``ChannelGates`` that makes another number of each channel than its mean."""
    return _gates_that(lambda c, squeeze, expand: c * _gates(pool(c), squeeze, expand))


def _layers_as(gate: Callable[[Tensor, Layer, Layer], Tensor]) -> Answer:
    """``ChannelGates`` that makes something else of the means."""
    return _gates_that(lambda c, squeeze, expand: c * gate(_pooled(c), squeeze, expand))


def _joined_by(join: Callable[[Tensor, Tensor], Tensor]) -> Answer:
    """``ChannelGates`` that makes something else of a correction and its gates."""
    return _gates_that(lambda c, *layers: join(c, _gates(_pooled(c), *layers)))


def _made_of(layers: Callable[[int, int], list[nn.Module]]) -> Answer:
    """``ChannelGates`` of other layers, made for so many channels and so many in the middle."""

    class Wrong(ChannelGates):
        def __init__(self, num_features: int, reduction: int):
            super().__init__(num_features, reduction)
            self.gates = nn.Sequential(*layers(num_features, num_features // reduction))

    return Wrong


def _ending_in(sigmoid: nn.Module, *, kernel: int = 1, padding: int = 0) -> Answer:
    """``ChannelGates`` with another last layer, or other kernels."""
    conv = partial(nn.Conv2d, kernel_size=kernel, padding=padding)
    return _made_of(
        lambda f, m: [nn.AdaptiveAvgPool2d(1), conv(f, m), nn.ReLU(), conv(m, f), sigmoid]
    )


def _with_middle(layers: Callable[[nn.Module, nn.Module], list[nn.Module]]) -> Answer:
    """``ChannelGates`` whose layers stand in another order around its two convolutions."""
    return _made_of(lambda f, m: layers(nn.Conv2d(f, m, 1), nn.Conv2d(m, f, 1)))


GATES_MISTAKES: Mistakes = {
    "A tanh gives gates from -1 to 1.": _ending_in(nn.Tanh()),
    "These kernels are 3 x 3; around a single number they see nothing but zeros.": (
        _ending_in(nn.Sigmoid(), kernel=3, padding=1),
        _ending_in(nn.Sigmoid(), kernel=3),
    ),
    "The mean comes last, so each pixel went through the layers by itself.": (
        _with_middle(lambda a, b: [a, nn.ReLU(), b, nn.Sigmoid(), nn.AdaptiveAvgPool2d(1)]),
        _with_middle(lambda a, b: [a, nn.ReLU(), b, nn.AdaptiveAvgPool2d(1), nn.Sigmoid()]),
    ),
    "The middle is as wide as the rest: reduction has no effect.": (
        _made_of(lambda f, _: [*ChannelGates(f, 1).gates])
    ),
    "One gate for all channels; each should have its own.": (
        _made_of(
            lambda f, m: [*ChannelGates(f, f // m).gates[:3], nn.Conv2d(m, 1, 1), nn.Sigmoid()]
        )
    ),
    # An error: (N, F) beside (N, F, h, w).
    "Linear gives (N, F), and a gate is (N, F, 1, 1).": (
        _made_of(
            lambda f, m: [
                nn.AdaptiveAvgPool2d(1),
                nn.Flatten(),
                nn.Linear(f, m),
                nn.ReLU(),
                nn.Linear(m, f),
                nn.Sigmoid(),
            ]
        )
    ),
    "These gates do not lie between 0 and 1.": (
        _layers_as(lambda means, squeeze, expand: expand(F.relu(squeeze(means))))
    ),
    "These are the gates alone.": (
        _joined_by(lambda _, gates: gates),
        _joined_by(lambda c, gates: gates.expand_as(c)),
    ),
    "The mean went over the batch too: all pictures have the same gates.": (
        _pooled_by(lambda c: c.mean((0, 2, 3), keepdim=True))
    ),
    "The mean went over the channels too.": (
        _pooled_by(lambda c: c.mean((1, 2, 3), keepdim=True).expand(-1, 6, 1, 1))
    ),
    # swapped layers raise the same error
    "A convolution got the wrong shape; squeeze wants (N, F, 1, 1).": (
        _pooled_by(lambda c: c.mean((2, 3))),
        _pooled_by(lambda c: c.mean((1, 2, 3), keepdim=True)),
    ),
    "Nothing was averaged: each pixel has gates of its own.": _pooled_by(lambda c: c),
    "This is the maximum of each channel.": _pooled_by(lambda c: c.amax((2, 3), keepdim=True)),
    "This is a sum: a larger picture opens the gates wider.": (
        _pooled_by(lambda c: c.sum((2, 3), keepdim=True))
    ),
    "Nothing stands between squeeze and expand, so together they do no more than one.": (
        _layers_as(lambda means, squeeze, expand: torch.sigmoid(expand(squeeze(means))))
    ),
    "There are two sigmoids.": _layers_as(
        lambda means, squeeze, expand: torch.sigmoid(expand(torch.sigmoid(squeeze(means))))
    ),
    "A softmax makes the channels compete; each gate should be free.": _layers_as(
        lambda means, squeeze, expand: torch.softmax(expand(F.relu(squeeze(means))), dim=1)
    ),
    "The gates are added, not multiplied.": _joined_by(torch.add),
    "The correction is in the result once more, without a gate.": (
        _joined_by(lambda c, gates: c * (1 + gates))
    ),
}
