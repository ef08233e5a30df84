"""Checks of lesson 04: the shuffle, ICNR under weight norm, distinct kernels."""

import warnings
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from srlab.checks.answers import normal_values, result_as, whole_number
from srlab.checks.core import (
    Answer,
    Finding,
    Mistakes,
    Verdict,
    judge,
    judge_gradient,
    without_calling,
)
from srlab.checks.steps import in_steps
from srlab.checks.traces import traces_of
from srlab.upsamplers import icnr_, set_weight

Wrap = Callable[[nn.Conv2d], nn.Module]


@in_steps()
def check_shuffle(answer: Answer | None) -> Verdict:
    """Check ``answer(x, factor)``: what ``PixelShuffle(factor)`` does."""
    third = _numbered(2, 12, 2, 3) / 3
    verdict = judge(
        without_calling(answer, "pixel_shuffle"),
        right=F.pixel_shuffle,
        cases={
            "8 channels of 2 x 2 px, factor 2": (_numbered(1, 8, 2, 2), 2),
            "2 pictures, 8 channels of 4 x 6 px, factor 2": (_numbered(2, 8, 4, 6), 2),
            "18 channels of 3 x 6 px, factor 3": (_numbered(1, 18, 3, 6), 3),
            "4 channels of 4 x 4 px, factor 1": (_numbered(1, 4, 4, 4), 1),
            "numbers with a fraction": (third, 2),
            "numbers in double precision": (third.double(), 2),
        },
        mistakes=SHUFFLE_MISTAKES,
        seen_through=result_as(_of_the_same_type),
        tolerance=1e-6,
    )
    cases = {"12 channels": (third, 2)}
    return judge_gradient(answer, after=verdict, right=F.pixel_shuffle, cases=cases)


DEAD_ICNR = '''
def my_icnr(conv, factor):
    """Start conv, in place, so that PixelShuffle(factor) draws flat squares."""
    with torch.no_grad():
        kernel = nn.init.kaiming_normal_(conv.weight[:: factor**2].clone())
        conv.weight.data.copy_(kernel.repeat_interleave(factor**2, dim=0))
    return conv
'''


@in_steps(starter=DEAD_ICNR)
def check_icnr(answer: Answer | None) -> Verdict:
    """Check ``answer(conv, factor)``: ICNR, in place, judged by what is drawn."""
    return judge(
        without_calling(answer, "icnr_"),
        right=icnr_,
        cases={
            # Each adds one trap, so that its mistake is the first thing that fails.
            "a plain convolution without bias, factor 2": (_plain, False, 32, 2),
            "with bias": (_plain, True, 32, 2),
            "under weight norm": (parametrizations.weight_norm, True, 32, 2),
            "factor 3": (_plain, True, 36, 3),
            "factor 4, under weight norm": (parametrizations.weight_norm, True, 32, 4),
            "under torch's older weight norm": (_old_weight_norm, True, 32, 2),
            "a kernel of 1 x 1": (_small, True, 32, 2),
            "10 features, a kernel of 5 x 5": (_large, True, 48, 2),
        },
        mistakes=ICNR_MISTAKES,
        seen_through=_drawing,
    )


@in_steps()
def check_distinct_kernels(answer: Answer | None) -> Verdict:
    """Check ``answer(conv)``: how many of its kernels differ from one another."""
    return judge(
        answer,
        right=_distinct,
        cases={
            "48 -> 256 channels, ICNR by 2": (lambda: icnr_(_conv(48, 256), 2),),
            "64 -> 256 channels, ICNR by 4": (lambda: icnr_(_conv(64, 256), 4),),
            "8 -> 32 channels as torch starts them": (lambda: _conv(8, 32),),
            "ICNR by 2, under weight norm": (
                lambda: icnr_(parametrizations.weight_norm(_conv(8, 32)), 2),
            ),
            "copies that are no neighbors": (_scattered_copies,),
            "kernels that differ in little": (_much_alike,),
            "kernels that differ in one number": (_alike_but_for_one,),
            "all zero": (lambda: _with_weight(torch.zeros(12, 3, 3, 3)),),
        },
        mistakes=DISTINCT_MISTAKES,
        seen_through=_counting,
    )


def _of_the_same_type(result: Any, x: Tensor, _factor: int) -> Any:
    """The result, if its numbers have the type of those that were given."""
    if isinstance(result, Tensor) and result.dtype != x.dtype:
        hint = "The numbers have another type than those of x."
        raise Finding(f"{result.dtype}, x is {x.dtype}", hint)
    return result


def _drawing(answer: Answer) -> Answer:
    """Make of an initialization a function that says what it leads to."""

    def drawing(wrap: Wrap, bias: bool, channels: int, factor: int) -> Any:
        conv = wrap(_conv(6, channels, bias=bias))
        before = _kept(conv)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            given = answer(conv, factor)
        if given is None and _is_untouched(conv, wrap, bias, channels):
            return None
        return _described(conv, factor, before)

    return drawing


def _kept(conv: nn.Module) -> dict[str, Any]:
    """What an initialization leaves as it is: parameters by name, hooks, flags."""
    flags = {n: v for n, v in traces_of(conv).items() if not isinstance(v, tuple)}
    return flags | {n: p.requires_grad for n, p in conv.named_parameters()}


def _described(conv: Any, factor: int, before: dict[str, Any]) -> dict[str, Any]:
    """What convolution and shuffle draw from noise."""
    after = _kept(conv)
    with torch.no_grad():
        offset = conv(torch.zeros(1, conv.in_channels, 1, 1))
        signal = conv(normal_values(1, 2, conv.in_channels, 5, 7)) - offset
    different = (signal.transpose(0, 1).flatten(1) * 1e3).round().unique(dim=0)
    return {
        "squares by the kernels": _flatness(signal, factor),
        "by the bias": _flatness(offset, factor),
        "different kernels": len(different),
        "signal": "of the usual size" if 0.02 < signal.std() < 50 else "lost or huge",
        "parameters": "kept" if after == before else _lost(before, after),
    }


def _lost(before: dict[str, Any], after: dict[str, Any]) -> str:
    if before.keys() != after.keys():
        return "replaced by others"
    return "not as they were: " + next(n for n in before if before[n] != after[n])


def _flatness(channels: Tensor, factor: int) -> str:
    """Whether the squares that a shuffle makes of ``(N, C, h, w)`` are flat."""
    squares = channels.unflatten(1, (-1, factor**2))
    flat = torch.allclose(squares, squares[:, :, :1].expand_as(squares), atol=1e-5)
    return "flat" if flat else "not flat"


def _is_untouched(conv: nn.Module, wrap: Wrap, bias: bool, channels: int) -> bool:
    """Whether it is still as it was given."""
    before = wrap(_conv(6, channels, bias=bias)).state_dict()
    after = conv.state_dict()
    return before.keys() == after.keys() and all(after[n].equal(v) for n, v in before.items())


def _counting(answer: Answer) -> Answer:
    """Call an answer with a convolution of its own, which it must leave as it is."""

    def counting(make: Callable[[], nn.Module]) -> Any:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            conv = make()
        before = traces_of(conv)
        count = answer(conv)
        if traces_of(conv) != before:
            raise Finding.changed_input()
        many = isinstance(count, Tensor) and count.numel() != 1
        return count if many or isinstance(count, tuple | None) else whole_number(count)

    return counting


def _distinct(conv: nn.Conv2d) -> int:
    return len(conv.weight.flatten(1).unique(dim=0))


def _conv(features: int, channels: int, *, bias: bool = True, kernel: int = 3) -> nn.Conv2d:
    """A convolution with weights of its own, whatever torch's seed is."""
    conv = nn.Conv2d(features, channels, kernel, padding=kernel // 2, bias=bias)
    with torch.no_grad():
        for seed, parameter in enumerate(conv.parameters()):
            parameter.copy_(normal_values(seed + 2, *parameter.shape) * 0.2)
    return conv


def _with_weight(weight: Tensor) -> nn.Conv2d:
    conv = _conv(weight.shape[1], weight.shape[0])
    set_weight(conv, weight)
    return conv


def _much_alike() -> nn.Conv2d:
    """Each kernel beside its mirror image, and beside two with another last number."""
    kernels = torch.arange(8 * 9.0).view(8, 1, 3, 3)
    last = F.one_hot(torch.tensor(8), 9).view(3, 3)
    alike = [kernels, kernels.flip(-1), kernels + last / 2, kernels + last / 4]
    return _with_weight(torch.cat(alike))


def _alike_but_for_one() -> nn.Conv2d:
    """A single 0.7 at each place, -0.7 at each, and a little more than 0.7 at each."""
    kernels = 0.7 * torch.eye(18).view(18, 2, 3, 3)
    return _with_weight(torch.cat([kernels, -kernels, kernels * (1 + 1e-6)]))


def _scattered_copies() -> nn.Conv2d:
    """Two neighbors alike, and once more farther on."""
    twice = normal_values(9, 5, 3, 3, 3).repeat_interleave(2, dim=0)
    return _with_weight(twice.repeat(2, 1, 1, 1))


def _count_changes(conv: nn.Conv2d) -> int:
    """Compare each kernel with the one before it, and with no other."""
    changes = (conv.weight[1:] != conv.weight[:-1]).flatten(1).any(dim=1)
    return int(changes.sum()) + 1


def _plain(conv: nn.Conv2d) -> nn.Module:
    return conv


def _small(_: nn.Conv2d) -> nn.Module:
    return _conv(6, 32, kernel=1)


def _large(_: nn.Conv2d) -> nn.Module:
    return _conv(10, 48, kernel=5)


def _old_weight_norm(conv: nn.Conv2d) -> nn.Module:
    with warnings.catch_warnings():  # torch would rather have us use the new one
        warnings.simplefilter("ignore", FutureWarning)
        return nn.utils.weight_norm(conv)


def _numbered(*shape: int) -> Tensor:
    return torch.arange(float(torch.Size(shape).numel())).view(shape)


def _by_blocks(x: Tensor, f: int) -> Tensor:
    """Channels c, c + C, c + 2C ... make a square."""
    n, channels, h, w = x.shape
    parts = x.view(n, f, f, channels // f**2, h, w)
    return parts.permute(0, 3, 4, 1, 5, 2).reshape(n, -1, h * f, w * f)


def _permuted(x: Tensor, f: int, *order: int) -> Tensor:
    n, _, h, w = x.shape
    parts = x.view(n, -1, f, f, h, w)  # picture, channel, row, column, h, w
    return parts.permute(0, 1, *order).reshape(n, -1, h * f, w * f)


def _kernels(conv: nn.Conv2d, factor: int) -> Tensor:
    """One random kernel for each square."""
    return nn.init.kaiming_normal_(conv.weight[:: factor**2].detach().clone())


def _starting(
    weight: Callable[[nn.Conv2d, int], Tensor],
    bias: Callable[[Tensor, int], Tensor] | None = None,
    write: Callable[[nn.Conv2d, Tensor], Any] = set_weight,
) -> Answer:
    """ICNR with one of its parts replaced."""

    @torch.no_grad()
    def start(conv: nn.Conv2d, factor: int) -> nn.Conv2d:
        write(conv, weight(conv, factor))
        if conv.bias is not None and bias is not None:
            conv.bias.copy_(bias(conv.bias, factor))
        return conv

    return start


def _interleaved(conv: nn.Conv2d, factor: int) -> Tensor:
    return _kernels(conv, factor).repeat_interleave(factor**2, dim=0)


def _zero(bias: Tensor, _: int) -> Tensor:
    return torch.zeros_like(bias)


def _replace_parameter(conv: nn.Conv2d, weight: Tensor) -> None:
    """What only a plain convolution survives."""
    conv.weight.data = weight


def _by_another_factor(change: Callable[[int], int]) -> Answer:
    """ICNR with a factor made from the right one."""

    def start(conv: nn.Conv2d, factor: int) -> nn.Conv2d:
        return icnr_(conv, change(factor))

    return start


def _return_a_new_one(conv: nn.Conv2d, factor: int) -> nn.Conv2d:
    fresh = nn.Conv2d(conv.in_channels, conv.out_channels, 3, padding=1)
    return icnr_(fresh, factor)


SHUFFLE_MISTAKES: Mistakes = {
    "Here channels 0, C, 2C and 3C make a square, not neighbors.": _by_blocks,
    "Within a square your numbers run down the column.": lambda x, f: _permuted(
        x, f, 4, 3, 5, 2
    ),
    "These are whole pictures side by side, not squares.": lambda x, f: _permuted(
        x, f, 2, 4, 3, 5
    ),
    "The shape is right, but the numbers are still in the order they had in x.": (
        lambda x, f: x.reshape(len(x), -1, x.shape[2] * f, x.shape[3] * f)
    ),
    "Rows and columns have changed places.": lambda x, f: _permuted(x, f, 5, 2, 4, 3).reshape(
        F.pixel_shuffle(x, f).shape
    ),
    "That is the way back: large squares to channels.": F.pixel_unshuffle,
    "This repeats one channel of each square, and never looks at the others.": (
        lambda x, f: x[:, :: f**2].repeat_interleave(f, 2).repeat_interleave(f, 3)
    ),
}

ICNR_MISTAKES: Mistakes = {
    "Nothing has changed.": lambda conv, _: conv,
    "repeat gives 0, 1, 2, 0, 1, 2, but a square is made of neighbors.": (
        _starting(lambda c, f: _kernels(c, f).repeat(f**2, 1, 1, 1), _zero)
    ),
    "Flat, but every channel has the same kernel.": (
        _starting(lambda c, f: _kernels(c, f)[:1].expand_as(c.weight), _zero)
    ),
    "All zero, or nearly, is flat, and says nothing.": (
        _starting(lambda c, _: torch.zeros_like(c.weight), _zero)
    ),
    "Flat, but with too few kernels.": _by_another_factor(lambda f: f**2),
    "Each kernel has factor copies, but a square has more pixels.": (
        _starting(lambda c, f: c.weight[::f].repeat_interleave(f, dim=0), _zero)
    ),
    "The kernels are right, but each pixel of a square has a bias of its own.": (
        _starting(_interleaved)
    ),
    "Under weight norm conv.weight is derived before each use; what you wrote is lost.": (
        _starting(_interleaved, _zero, _replace_parameter)
    ),
    "conv itself is as it was; the network holds that one, not yours.": _return_a_new_one,
}

DISTINCT_MISTAKES: Mistakes = {
    "This counts kernels, also equal ones.": lambda conv: conv.out_channels,
    "Right while copies are neighbors, but they need not be.": _count_changes,
    "This is what a right ICNR by 2 would give, whatever is really there.": lambda conv: (
        conv.out_channels // 4
    ),
    "These are the different numbers, not kernels.": lambda conv: conv.weight.unique().numel(),
    "dim=1 are the channels that come in, not the kernels.": lambda conv: conv.weight.unique(
        dim=1
    ).shape[1],
    "Two kernels may have one sum and differ.": lambda conv: (
        conv.weight.sum((1, 2, 3)).unique().numel()
    ),
    "These are the kernels themselves, not their number.": lambda conv: conv.weight.flatten(
        1
    ).unique(dim=0),
    "This is a whole shape; only one of its numbers was asked for.": lambda conv: tuple(
        conv.weight.unique(dim=0).shape
    ),
}
