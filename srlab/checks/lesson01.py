"""Checks of lesson 01: the network, a training step, sharpness, and how far it looks."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from srlab.checks.answers import (
    judge_module,
    named_type,
    result_as,
    uniform_values,
    value_and_slope,
    whole_number,
)
from srlab.checks.core import Answer, Finding, Mistakes, Verdict, judge, judge_gradient
from srlab.checks.steps import in_steps
from srlab.metrics import fine_energy, sharpness
from srlab.models import ResidualBlock, SrResNet, enlarge
from srlab.training import training_step

Layer = Callable[[Tensor], Tensor]

TWO_BUGS = """\
def my_charbonnier(sr, hr, eps=0.001):
    error = sr.clamp(0, 1) - hr
    return torch.sqrt(error**2 + eps).mean()
"""


@in_steps()
def check_residual_block(answer: Answer | None) -> Verdict:
    """Check a class ``answer(num_features)``: a ``ResidualBlock``."""
    cases = {
        "2 pictures, 4 features, 7 x 5 px": ((4,), _signal(0, 2, 4, 7, 5)),
        "1 picture, 3 features, 6 x 6 px": ((3,), _signal(1, 1, 3, 6, 6)),
        "1 feature, 1 x 2 px": ((1,), _signal(2, 1, 1, 1, 2)),
    }
    return judge_module(
        answer, right=ResidualBlock, cases=cases, mistakes=BLOCK_MISTAKES, tolerance=1e-5
    )


@in_steps()
def check_sr_resnet(answer: Answer | None) -> Verdict:
    """Check a class ``answer(scale, num_features, num_blocks)``: an ``SrResNet``."""
    cases = {
        "2 pictures, 4x, 7 x 5 px": ((4, 4, 2), uniform_values(12, 2, 3, 7, 5)),
        "1 picture, 2x, 6 x 6 px": ((2, 3, 1), uniform_values(13, 1, 3, 6, 6)),
        "1 picture, 8x, 3 x 4 px": ((8, 2, 1), uniform_values(14, 1, 3, 3, 4)),
    }
    return judge_module(
        answer, right=SrResNet, cases=cases, mistakes=NET_MISTAKES, tolerance=1e-5
    )


@in_steps()
def check_training_step(answer: Answer | None) -> Verdict:
    """Check ``answer(model, pair, loss, optimizer)``: what three steps of it do."""
    return judge(
        answer,
        right=training_step,
        cases={
            "one step: the loss, then the weights": (1, ("l1",)),
            "three steps: the loss, then the weights": (3, ("l1",)),
            "two steps with two terms: both, then the weights": (2, ("l1", "l2")),
        },
        mistakes=STEP_MISTAKES,
        seen_through=_after_steps,
        tolerance=1e-6,
    )


@in_steps()
def check_sharpness(answer: Answer | None) -> Verdict:
    """Check ``answer(sr, hr, scale=...)``: fine energy, as a share of the truth's."""
    hr = uniform_values(15, 2, 3, 32, 32) * torch.tensor([1.0, 0.2]).view(2, 1, 1, 1)
    sr = F.avg_pool2d(hr, 3, 1, 1)
    return judge(
        answer,
        right=sharpness,
        cases={
            "one picture, 4x": (sr[:1], hr[:1], 4),
            "one picture, 2x": (sr[:1], hr[:1], 2),
            "two pictures, the second with little contrast": (
                torch.cat([sr[:1], hr[1:]]), hr, 4,
            ),
        },
        mistakes=SHARPNESS_MISTAKES,
        seen_through=_with_scale,
    )  # fmt: skip


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


@in_steps(starter=TWO_BUGS)
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
            f"{name}: loss, mean gradient, mean |gradient|": arguments
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


@in_steps()
def check_reach(answer: Answer | None) -> Verdict:
    """Check ``answer(model, lr)``: how many px of lr away a pixel still counts."""
    lr = uniform_values(16, 1, 3, 25, 25)
    return judge(
        answer,
        right=_reach,
        cases={
            "a wide network, 4x": (_Looking(4, 9), lr),
            "a narrow network, 2x": (_Looking(2, 5), lr),
            "a network that adds nothing to bicubic, 4x": (_Looking(4, 9, adds=0.0), lr),
            "another that adds nothing, 8x": (_Looking(8, 3, adds=0.0), lr),
            "a network wider than tall, 4x": (_Looking(4, (1, 9)), lr),
            "a network taller than wide, 4x": (_Looking(4, (9, 1)), lr),
            "a faint network, 4x": (_Looking(4, 9, adds=1e-4), lr),
            "a network that looks far for blue only, 4x": (_Looking(4, 9, colors="b"), lr),
        },
        mistakes=REACH_MISTAKES,
        seen_through=result_as(lambda got, *_: whole_number(got)),
    )


def _doublings(scale: int) -> int:
    return scale.bit_length() - 1


def _channels(num_features: int, scale: int) -> list[int]:
    return [4 * num_features] * (_doublings(scale) - 1) + [4 * 3]


def _charbonnier(sr: Tensor, hr: Tensor, eps: float) -> Tensor:
    return ((sr - hr).square() + eps**2).sqrt().mean()


def _channels_in_a_list(got: Any, *_: int) -> Any:
    """A tuple, a range or an array is as good as a list, but not floats for channels."""
    got = got.tolist() if hasattr(got, "tolist") else got
    is_row = isinstance(got, list | tuple | range)
    return [whole_number(channels) for channels in got] if is_row else got


def _signal(seed: int, *shape: int) -> Tensor:
    """Values of both signs, so that a ReLU in the wrong place is seen."""
    return uniform_values(seed, *shape) - 0.5


def _reach(model: Layer, lr: Tensor, *, least: float = 0.0) -> int:
    """How far from a pixel of lr the farthest pixel lies that it changes, px of lr."""
    return max(_reach_along(axis, model, lr, least=least) for axis in (0, 1))


def _reach_along(axis: int, model: Layer, lr: Tensor, *, least: float = 0.0) -> int:
    """How far it reaches along the columns (0) or the rows (1) of a picture."""
    places = _touched(model, lr, least=least)[axis]
    return int((places // _scale_of(model, lr) - lr.shape[-1] // 2).abs().max())


@torch.no_grad()
def _touched(model: Layer, lr: Tensor, *, least: float = 0.0) -> tuple[Tensor, Tensor]:
    """Rows and columns of the sr pixels that the middle pixel of lr changes by more."""
    other, middle = lr.clone(), lr.shape[-1] // 2
    other[..., middle, middle] += 1
    changed = ((model(other) - model(lr)).abs() > least).any(dim=1)[0]
    rows, columns = changed.nonzero().T
    return rows, columns


@torch.no_grad()
def _scale_of(model: Layer, lr: Tensor) -> int:
    return model(lr).shape[-1] // lr.shape[-1]


class _Looking(nn.Module):
    """Bicubic, and two convolutions; weights above 0 leave no ReLU shut."""

    def __init__(
        self,
        scale: int,
        kernel: int | tuple[int, int],
        adds: float = 1.0,
        colors: str = "rgb",
    ):
        super().__init__()
        self.scale = scale
        self.first = nn.Conv2d(3, 2, kernel, padding="same")
        self.last = nn.Conv2d(2, 3 * scale**2, 3, padding=1)
        for seed, parameter in enumerate(self.parameters()):
            parameter.data.copy_(0.1 * uniform_values(seed, *parameter.shape) + 0.01)
        self.last.weight.data.mul_(adds)
        for color, rows in zip("rgb", self.last.weight.data.chunk(3), strict=True):
            rows.mul_(color in colors)

    def forward(self, lr: Tensor) -> Tensor:
        added = F.pixel_shuffle(self.last(F.relu(self.first(lr))), self.scale)
        bicubic = F.interpolate(lr, scale_factor=self.scale, mode="bicubic", antialias=True)
        return bicubic + added


def _reach_of_layers(model: nn.Module) -> int:
    """How far the convolutions of a model could look."""
    return sum(max(m.kernel_size) // 2 for m in model.modules() if isinstance(m, nn.Conv2d))


def _with_scale(answer: Answer) -> Answer:
    """Call it as the lesson does, with the scale by its name."""
    return lambda sr, hr, scale: answer(sr, hr, scale=scale)


def _after_steps(step: Answer) -> Answer:
    """Make of a training step a function of how many are done, and of the terms' names."""

    def after(steps: int, names: tuple[str, ...]) -> Any:
        model = nn.Conv2d(1, 1, 3, padding=1)
        for seed, parameter in enumerate(model.parameters()):
            parameter.data.copy_(_signal(seed, *parameter.shape))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        terms: Any = {}
        for number in range(steps):
            pair = _signal(number, 2, 1, 5, 6), _signal(9, 2, 1, 5, 6)
            terms = step(model, pair, _terms(names), optimizer)
        if terms is None:
            return None
        row = [*_values(terms), *(p.detach().flatten() for p in model.parameters())]
        return torch.cat(row)

    return after


def _terms(names: tuple[str, ...]) -> Callable[[Tensor, Tensor], dict[str, Tensor]]:
    kinds = {"l1": F.l1_loss, "l2": F.mse_loss}
    return lambda sr, hr: {name: kinds[name](sr, hr) for name in names}


def _values(terms: Any) -> list[Tensor]:
    """The terms, one number each, that hold no graph.

    Raises:
        Finding: if it is no dict of tensors, or one holds its graph.
    """
    if not isinstance(terms, Mapping):
        text = f"{named_type(terms)}, not a dict of terms"
        raise Finding(text, "The step gives the loss's terms back, by name.")
    if any(isinstance(term, Tensor) and term.requires_grad for term in terms.values()):
        text = "terms that still hold their graph"
        raise Finding(text, "The graph keeps the whole step in memory; it was not cut off.")
    return [torch.as_tensor(term).float().view(1) for term in terms.values()]


def _step_of(
    *names: str,
    total: Callable[[list[Tensor]], Tensor] = lambda terms: torch.stack(terms).sum(),
) -> Answer:
    """A training step that calls these, in this order."""

    def step(
        model: nn.Module, pair: tuple[Tensor, Tensor], loss: Any, optimizer: Any
    ) -> dict[str, Tensor]:
        terms: dict[str, Tensor] = loss(model(pair[0]), pair[1])
        owners = {"backward": total(list(terms.values()))}
        for name in names:
            getattr(owners.get(name, optimizer), name)()
        return {name: term.detach() for name, term in terms.items()}

    return step


def _net_that(
    enlarged: Callable[[Tensor, int], Tensor] = enlarge,
    join: Callable[[Tensor, Tensor], Tensor] = torch.add,
    features: Callable[[SrResNet, Tensor], Tensor] = lambda net, x: net.body(x),
) -> Answer:
    """A class like ``SrResNet`` with another start, sum, or features from those of head."""

    class Net(SrResNet):
        def forward(self, lr: Tensor) -> Tensor:
            painted = self.upsampler(features(self, self.head(lr)))
            return join(enlarged(lr, self.scale), painted)

    return Net


def _resized(mode: str) -> Callable[[Tensor, int], Tensor]:
    return lambda lr, scale: F.interpolate(lr, scale_factor=scale, mode=mode)


def _block_that(correct: Callable[[Tensor, Layer, Layer], Tensor]) -> Answer:
    """A class like ``ResidualBlock`` that computes something else."""

    class Block(ResidualBlock):
        def forward(self, x: Tensor) -> Tensor:
            return correct(x, self.conv1, self.conv2)

    return Block


BLOCKS: dict[str, Callable[[Tensor, Layer, Layer], Tensor]] = {
    "This is the correction alone; the skip is missing.": lambda x, conv1, conv2: conv2(
        F.relu(conv1(x))
    ),
    "A ReLU after the sum cuts off what the skip should carry unchanged.": (
        lambda x, conv1, conv2: F.relu(x + conv2(F.relu(conv1(x))))
    ),
    "A ReLU after conv2 cuts off corrections below 0.": lambda x, conv1, conv2: (
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
    "The ReLU comes before both convolutions, so these two are one.": (
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

BLOCK_MISTAKES: Mistakes = {hint: _block_that(wrong) for hint, wrong in BLOCKS.items()}

NET_MISTAKES: Mistakes = {
    "Bicubic is missing: the network would have to paint the whole picture.": (
        _net_that(join=lambda _, painted: painted)
    ),
    "This is bicubic; what the network computes is not added.": (
        _net_that(join=lambda bicubic, _: bicubic)
    ),
    "The blocks are left out.": _net_that(features=lambda _, x: x),
    "This is nearest neighbor, not bicubic, below the network's part.": (
        _net_that(_resized("nearest"))
    ),
    "The network's part is taken away from bicubic here.": _net_that(join=torch.sub),
    "Bicubic is multiplied by the network's part here, which starts at zero.": (
        _net_that(join=torch.mul)
    ),
    "A second skip, around the blocks: the features of head are added again.": (
        _net_that(features=lambda net, x: x + net.body(x))
    ),
    "This bicubic uses another kernel than enlarge does.": _net_that(_resized("bicubic")),
    "This is bilinear, not bicubic, below the network's part.": _net_that(_resized("bilinear")),
    "Clamped: outside 0 to 1 no gradient would come back.": (
        _net_that(join=lambda bicubic, painted: (bicubic + painted).clamp(0, 1))
    ),
    "A ReLU at the end: the network could only ever add brightness.": (
        _net_that(join=lambda bicubic, painted: bicubic + F.relu(painted))
    ),
}

_whole_step_of = partial(_step_of, "zero_grad", "backward", "step")

STEP_MISTAKES: Mistakes = {
    "The gradients of the step before are still there, and were added.": (
        _step_of("backward", "step")
    ),
    "The weights did not move.": (
        _step_of("zero_grad", "backward"),
        _step_of("zero_grad", "step"),
        _step_of("backward", "zero_grad", "step"),
        _step_of("backward"),
        _step_of(),
    ),
    "Only the first term is followed.": _whole_step_of(total=lambda terms: terms[0]),
    "Only the last term is followed.": _whole_step_of(total=lambda terms: terms[-1]),
    "The mean of the terms is not their sum.": (
        _whole_step_of(total=lambda terms: torch.stack(terms).mean())
    ),
    "The terms are multiplied here.": (
        _whole_step_of(total=lambda terms: torch.stack(terms).prod())
    ),
}


def _energies(
    share: Callable[[Tensor, Tensor], Tensor] = lambda sr, hr: (sr / hr).mean(),
    cutoff: Callable[[int], float] = lambda scale: 1 / (2 * scale),
) -> Answer:
    """``sharpness`` with another share of the energies, or another border."""
    return lambda sr, hr, scale: share(*(fine_energy(x, cutoff(scale)) for x in (sr, hr)))


SHARPNESS_MISTAKES: Mistakes = {
    "Upside down: a blur would get more than 1.": _energies(lambda sr, hr: (hr / sr).mean()),
    "The border is at 1 / scale here; a wave needs two px, one light and one dark.": (
        _energies(cutoff=lambda scale: 1 / scale)
    ),
    "All waves count here, coarse ones too.": _energies(cutoff=lambda _: 0),
    "The border is at scale / 2; frequencies above 1 / 2 do not exist.": (
        _energies(cutoff=lambda scale: scale / 2)
    ),
    "The energies of all pictures are added; the one with more contrast rules.": (
        _energies(lambda sr, hr: sr.sum() / hr.sum())
    ),
    "The border is at 1 / 8 whatever scale says.": _energies(cutoff=lambda _: 1 / 8),
    "One number for each picture; what is asked for is their mean.": (
        _energies(lambda sr, hr: sr / hr)
    ),
    "This is a difference of energies, not a share.": (
        _energies(lambda sr, hr: (sr - hr).mean())
    ),
}

REACH_MISTAKES: Mistakes = {
    "This adds up what the layers could reach; measure what does change.": (
        lambda model, _: _reach_of_layers(model)
    ),
    "These are px of sr; a px of lr is scale times as wide.": (
        lambda model, lr: _reach(model, lr) * _scale_of(model, lr),
        lambda model, lr: int(
            (_touched(model, lr)[0] - lr.shape[-1] // 2 * _scale_of(model, lr)).abs().max()
        ),
    ),
    "This is the whole width that changes; what is asked for is how far from the middle.": (
        lambda model, lr: 2 * _reach(model, lr) + 1,
        lambda model, lr: len(_touched(model, lr)[0].unique()),
    ),
    "This counts the pixels that change.": lambda model, lr: len(_touched(model, lr)[0]),
    "This is where the farthest pixel lies, not how far from the middle.": (
        lambda model, lr: int((_touched(model, lr)[0] // _scale_of(model, lr)).max())
    ),
    "This looks up and down only.": lambda model, lr: _reach_along(0, model, lr),
    "This looks left and right only.": lambda model, lr: _reach_along(1, model, lr),
    "Only one of the colors is looked at.": (
        lambda model, lr: _reach(lambda lr: model(lr)[:, :1], lr)
    ),
    "Small changes are left out here, and they count too.": (
        lambda model, lr: _reach(model, lr, least=1e-2),
        lambda model, lr: _reach(model, lr, least=1e-3),
        lambda model, lr: _reach(model, lr, least=1e-4),
    ),
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
    "Where sr is clamped, there is no gradient to learn from.": lambda sr, hr, eps: (
        _charbonnier(sr.clamp(0, 1), hr, eps)
    ),
}
