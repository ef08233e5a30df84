"""Checks of lesson 04: doubling by resizing, ICNR, the grid's energy; stamps, the shuffle."""

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from srlab.checks.answers import (
    judge_module,
    judge_with_gradient,
    named_type,
    normal_values,
    result_as,
    uniform_values,
    whole_number,
)
from srlab.checks.core import Answer, Finding, Mistakes, Verdict, judge, without_calling
from srlab.checks.steps import in_steps
from srlab.checks.traces import traces_of
from srlab.metrics import grid_energy, luma
from srlab.upsamplers import ResizeStage, icnr_, set_weight

Wrap = Callable[[nn.Conv2d], nn.Module]


@in_steps()
def check_shuffle(answer: Answer | None) -> Verdict:
    """Check ``answer(x, factor)``: what ``PixelShuffle(factor)`` does."""
    third = _numbered(2, 12, 2, 3) / 3
    return judge_with_gradient(
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
        slopes={"12 channels": (third, 2)},
    )


@in_steps()
def check_resize_stage(answer: Answer | None) -> Verdict:
    """Check a class ``answer(in_channels, out_channels)``: a ``ResizeStage``."""
    return judge_module(
        answer,
        right=ResizeStage,
        cases={
            "4 -> 2 channels, 2 pictures of 5 x 3 px": ((4, 2), normal_values(0, 2, 4, 5, 3)),
            "1 -> 3 channels, 1 picture of 2 x 6 px": ((1, 3), normal_values(1, 1, 1, 2, 6)),
        },
        mistakes=RESIZE_MISTAKES,
        tolerance=1e-5,
    )


@in_steps()
def check_icnr(answer: Answer | None) -> Verdict:
    """Check ``answer(conv, factor)``: ``icnr_``, judged by what is drawn."""
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
            "a kernel of 1 x 1": (lambda _: _conv(6, 32, kernel=1), True, 32, 2),
            "10 features, a kernel of 5 x 5": (lambda _: _conv(10, 48, kernel=5), True, 48, 2),
            "an init of ones": (_plain, True, 32, 2, nn.init.ones_),
        },
        mistakes=ICNR_MISTAKES,
        seen_through=_drawing,
    )


@in_steps()
def check_grid_energy(answer: Answer | None) -> Verdict:
    """Check ``answer(images, scale)``: the energy of what repeats every ``scale`` px."""
    every = {n: _stripes(n) for n in (4, 5)}
    noise = uniform_values(3, 2, 3, 48, 64)
    return judge_with_gradient(
        answer,
        right=grid_energy,
        cases={
            "every 4th column, scale 4": (every[4], 4),
            "every 5th column, scale 4": (every[5], 4),
            "every 4th row, scale 4": (every[4].mT, 4),
            "every 4th column, scale 8": (every[4], 8),
            "12 x 16 squares of noise, scale 4": (noise[:1], 4),
            "several patches of noise, scale 2": (noise[:1], 2),
            "2 pictures of noise, 48 x 64 px, scale 2": (noise, 2),
        },
        mistakes=GRID_MISTAKES,
        tolerance=1e-10,
        slopes={"noise, scale 4": (noise, 4)},
    )


LOUD_UPSAMPLER = '''
class MyUpsampler(nn.Sequential):
    """Features (N, F, h, w) -> colors (N, 3, 4h, 4w), without a grid at the start."""

    def __init__(self, num_features):
        first = nn.Conv2d(num_features, 4 * num_features, 3, padding=1)
        last = nn.Conv2d(num_features, 4 * 3, 3, padding=1)
        icnr_(first, 4)  # since the network enlarges by 4
        icnr_(last)
        for conv in (first, last):
            nn.init.uniform_(conv.bias, -0.1, 0.1)  # so that no channel is silent
        super().__init__(first, nn.PixelShuffle(2), nn.LeakyReLU(0.2), last, nn.PixelShuffle(2))
'''


@in_steps(starter=LOUD_UPSAMPLER)
def check_quiet_upsampler(answer: Answer | None) -> Verdict:
    """Check a class ``answer(num_features)``: two doublings that start without a grid."""
    return judge(
        answer,
        right=_upsampler(),
        cases={"8 features": (8,), "12 features": (12,)},
        mistakes=QUIET_MISTAKES,
        seen_through=_sounding,
    )


@in_steps()
def check_stamps(answer: Answer | None) -> Verdict:
    """Check ``answer(kernel, stride)``: the fewest and the most stamps on one pixel."""
    return judge(
        answer,
        right=_stamps,
        cases={
            f"kernel {kernel}, stride {stride}": (kernel, stride)
            for kernel, stride in ((3, 2), (4, 2), (5, 2), (5, 3), (6, 3), (1, 2), (9, 4))
        },
        mistakes=STAMPS_MISTAKES,
        seen_through=result_as(_two_whole_numbers),
    )


def _of_the_same_type(result: Any, x: Tensor, _factor: int) -> Any:
    """The result, if its numbers have the type of those that were given."""
    if isinstance(result, Tensor) and result.dtype != x.dtype:
        hint = "The numbers have another type than those of x."
        raise Finding(f"{result.dtype}, x is {x.dtype}", hint)
    return result


def _drawing(answer: Answer) -> Answer:
    """Make of an initialization a function that says what it leads to."""

    def drawing(wrap: Wrap, bias: bool, channels: int, factor: int, *init: Answer) -> Any:
        conv = wrap(_conv(6, channels, bias=bias))
        flags, values = _kept(conv), traces_of({**conv.state_dict()})
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            given = answer(conv, factor, *init)
        untouched = traces_of({**conv.state_dict()}) == values
        return None if given is None and untouched else _described(conv, factor, flags)

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
        "signal": _loudness(signal),
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


def _loudness(signal: Tensor) -> str:
    return "of the usual size" if 0.02 < signal.std() < 50 else "lost or huge"


def _stripes(every: int) -> Tensor:
    """A picture of 64 x 64 px, brighter in every so many columns, ``(1, 3, 64, 64)``."""
    bright = (torch.arange(64) % every == 1).float()
    return (0.3 + 0.2 * bright).expand(1, 3, 64, 64)


def _without_the_mean(energies: Tensor) -> Tensor:
    energies[..., 0, 0] = 0
    return energies


def _grid_by(
    steps: Callable[[int, int], tuple[int, int]] = lambda squares, _: (squares, squares),
    *,
    transform: Callable[[Tensor], Tensor] = torch.fft.fft2,
    size: Callable[[Tensor], Tensor] = lambda waves: waves.abs().square(),
    kept: Callable[[Tensor], Tensor] = _without_the_mean,
    over_patches: Callable[..., Tensor] = torch.mean,
) -> Answer:
    """``grid_energy`` with one thing done in another way.

    ``steps`` in the spectrum, down and across, come from how many squares lie
    along a patch's side, and the scale.
    """

    def energy(images: Tensor, scale: int) -> Tensor:
        y = luma(images)[:, 0]
        squares = min(16, *(length // scale for length in y.shape[-2:]))
        side = squares * scale
        patches = y.unfold(1, side, side // 2).unfold(2, side, side // 2)
        line = torch.hann_window(side)
        faded = (patches - patches[..., :1, :1]) * torch.outer(line, line) / line.sum() ** 2
        down, across = steps(squares, scale)
        energies = kept(size(transform(faded)[..., ::down, ::across]))
        return over_patches(energies.sum(dim=(-2, -1)), dim=(1, 2))

    return energy


def _upsampler(start: Callable[[nn.Conv2d, bool], Any] = lambda conv, _: icnr_(conv)) -> Answer:
    """An upsampler's class that starts its convolutions so, given whether it is the last."""

    def make(num_features: int) -> nn.Module:
        first, last = (_conv(num_features, channels) for channels in (4 * num_features, 12))
        start(first, False)
        start(last, True)
        return nn.Sequential(
            first, nn.PixelShuffle(2), nn.LeakyReLU(0.2), last, nn.PixelShuffle(2)
        )

    return make


def _with_a_bias(conv: nn.Module) -> None:
    """A random one."""
    bias = cast(Tensor, conv.bias)
    bias.data = 0.2 * uniform_values(5, *bias.shape) - 0.1


def _sounding(answer: Answer) -> Answer:
    """Make of an upsampler's class a function that says how it starts."""

    def sounding(num_features: int) -> Any:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            network = answer(num_features)
        if network is None:
            return None
        if not isinstance(network, nn.Module):
            hint = "This is no module; the check calls it with the number of features."
            raise Finding(f"{named_type(network)}, not an nn.Module", hint)
        return _start_of(network, num_features)

    return sounding


def _start_of(network: nn.Module, num_features: int) -> dict[str, Any]:
    """What a network draws, and how many kernels each of its convolutions has."""
    card = normal_values(2, 1, num_features, 1, 1).expand(-1, -1, 8, 8)
    with torch.no_grad():
        gray = network(card)
        busy = network(normal_values(3, 1, num_features, 8, 8))
    inside = gray[..., 8:-8, 8:-8]  # the border sees less
    grid = (inside - inside[..., :1, :1]).abs().max() > 1e-5
    convolutions = [part for part in network.modules() if isinstance(part, nn.Conv2d)]
    return {
        "on a gray card": "a grid" if grid else "flat",
        "different kernels": [len(c.weight.flatten(1).unique(dim=0)) for c in convolutions],
        "of": [conv.out_channels for conv in convolutions],
        "colors": tuple(gray.shape),
        "signal": _loudness(busy),
    }


def _stamps(kernel: int, stride: int) -> tuple[int, int]:
    return (kernel // stride) ** 2, _rounded_up(kernel, stride) ** 2


def _rounded_up(kernel: int, stride: int) -> int:
    return -(-kernel // stride)


def _two_whole_numbers(result: Any, *_: Any) -> Any:
    if not isinstance(result, tuple | list) or len(result) != 2:
        raise Finding(
            f"{named_type(result)}: {result!r}"[:200],
            "These are no two numbers: the fewest stamps, and the most.",
        )
    return tuple(whole_number(value) for value in result)


def _conv(features: int, channels: int, *, bias: bool = True, kernel: int = 3) -> nn.Conv2d:
    """A convolution with weights of its own, whatever torch's seed is."""
    conv = nn.Conv2d(features, channels, kernel, padding=kernel // 2, bias=bias)
    with torch.no_grad():
        for seed, parameter in enumerate(conv.parameters()):
            parameter.copy_(normal_values(seed + 2, *parameter.shape) * 0.2)
    return conv


def _plain(conv: nn.Conv2d) -> nn.Module:
    return conv


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


def _interleaved(conv: nn.Conv2d, factor: int) -> Tensor:
    return _kernels(conv, factor).repeat_interleave(factor**2, dim=0)


def _starting(
    weight: Callable[[nn.Conv2d, int], Tensor] = _interleaved,
    *,
    write: Callable[[nn.Conv2d, Tensor], Any] = set_weight,
    without_bias: bool = True,
) -> Answer:
    """ICNR with one of its parts replaced."""

    @torch.no_grad()
    def start(conv: nn.Conv2d, factor: int, *_: Answer) -> nn.Conv2d:
        write(conv, weight(conv, factor))
        if conv.bias is not None and without_bias:
            conv.bias.zero_()
        return conv

    return start


def _replace_parameter(conv: nn.Conv2d, weight: Tensor) -> None:
    """What only a plain convolution survives."""
    conv.weight.data = weight


def _sure_of_a_bias(use: Callable[[Any], Any]) -> Answer:
    """An answer that fails where there is none, as any use of it does."""
    return lambda conv, *_: use(None) if conv.bias is None else None


SHUFFLE_MISTAKES: Mistakes = {
    "Here channels 0, C, 2C and 3C make a square, not neighbors.": _by_blocks,
    "Within a square your numbers run down the column.": (
        lambda x, f: _permuted(x, f, 4, 3, 5, 2)
    ),
    "These are whole pictures side by side, not squares.": (
        lambda x, f: _permuted(x, f, 2, 4, 3, 5)
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
    "Nothing has changed.": lambda conv, *_: conv,
    "A convolution may have no bias; then conv.bias is None.": tuple(
        _sure_of_a_bias(use)
        for use in (
            lambda bias: bias.copy_,
            lambda bias: bias.data,
            lambda bias: bias.zero_,
            lambda bias: bias.view,
            lambda bias: bias.repeat_interleave,
            lambda bias: bias[:1],
            len,
        )
    ),
    "repeat gives 0, 1, 2, 0, 1, 2, but a square is made of neighbors.": (
        _starting(lambda conv, f: _kernels(conv, f).repeat(f**2, 1, 1, 1))
    ),
    "Flat, but every channel has the same kernel.": (
        _starting(lambda conv, f: _kernels(conv, f)[:1].expand_as(conv.weight))
    ),
    "All zero, or nearly, is flat, and says nothing.": (
        _starting(lambda conv, _: torch.zeros_like(conv.weight))
    ),
    "Flat, but with too few kernels.": lambda conv, f, *init: icnr_(conv, f**2, *init),
    "Each kernel has factor copies, but a square has more pixels.": (
        _starting(lambda conv, f: conv.weight[::f].repeat_interleave(f, dim=0))
    ),
    "The kernels are right, but each pixel of a square has a bias of its own.": (
        _starting(without_bias=False)
    ),
    "init was not called: the kernel is torch's own, or something else has filled it.": (
        _starting()
    ),
    "Under weight norm conv.weight is derived before each use; what you wrote is lost.": (
        _starting(write=_replace_parameter)
    ),
    "conv itself is as it was; the network holds that one, not yours.": (
        lambda conv, f, *init: icnr_(_conv(conv.in_channels, conv.out_channels), f, *init)
    ),
}


def _stage_of(*parts: Callable[[int, int], nn.Module]) -> Answer:
    """A ``ResizeStage`` made of other parts, given the channels in and out."""
    return lambda *channels: nn.Sequential(*(make(*channels) for make in parts))


def _enlarged(*_channels: int, **how: Any) -> nn.Module:
    return nn.Upsample(scale_factor=2, **how)


STAMPS: Any = {"kernel_size": 3, "stride": 2, "padding": 1, "output_padding": 1}

RESIZE_MISTAKES: Mistakes = {
    "The convolution runs before the pixels are repeated, so a square is always one color.": (
        _stage_of(_conv, _enlarged)
    ),
    "The pixels are blended here, not repeated.": (
        _stage_of(partial(_enlarged, mode="bilinear"), _conv),
        _stage_of(partial(_enlarged, mode="bilinear", align_corners=True), _conv),
    ),
    "The convolution has no padding, so two rows and two columns are lost.": (
        _stage_of(_enlarged, lambda features, channels: nn.Conv2d(features, channels, 3))
    ),
    "Both sides have grown four times.": _stage_of(_enlarged, _enlarged, _conv),
    "Both sides are as they were: nothing was repeated.": _stage_of(_conv),
    "This is a 1 x 1 convolution, which sees no neighbors.": (
        _stage_of(_enlarged, partial(_conv, kernel=1))
    ),
    "There is no convolution, so nothing can be learned.": _stage_of(_enlarged),
    "These are stamps that overlap, as in TransposedStage.": (
        _stage_of(partial(nn.ConvTranspose2d, **STAMPS))
    ),
}

GRID_MISTAKES: Mistakes = {
    "These are the energies of all waves; a grid has only the multiples of 1 / scale.": (
        _grid_by(lambda *_: (1, 1))
    ),
    "The step in the spectrum is wrong: with it you get other frequencies.": (
        _grid_by(lambda _, scale: (scale, scale))
    ),
    "16 is right only for pictures of 16 squares or more: take squares.": (
        _grid_by(lambda *_: (16, 16))
    ),
    "One number for all pictures, but each has an energy of its own.": (
        _grid_by(over_patches=lambda energies, **_: energies.mean())
    ),
    "The energies of all patches are added up; their mean was asked for.": (
        _grid_by(over_patches=torch.sum)
    ),
    "Only one of the two axes is thinned out.": (
        _grid_by(lambda squares, _: (1, squares)),
        _grid_by(lambda squares, _: (squares, 1)),
    ),
    "These are amplitudes, not energies.": _grid_by(size=torch.abs),
    "The mean brightness, frequency 0, is still among them.": (
        _grid_by(kept=lambda energies: energies)
    ),
    "More than the mean brightness is gone: a whole row or column of waves.": (
        _grid_by(kept=lambda energies: energies[..., 1:]),
        _grid_by(kept=lambda energies: energies[..., 1:, :]),
        _grid_by(kept=lambda energies: energies[..., 1:, 1:]),
    ),
    "rfft2 leaves out the waves that mirror others, and so about half of the energy.": (
        _grid_by(transform=torch.fft.rfft2)
    ),
    "These are waves along one axis; fft2 takes both.": _grid_by(transform=torch.fft.fft),
    "This is the real part squared; a wave that begins elsewhere has an imaginary part.": (
        _grid_by(size=lambda waves: waves.real.square())
    ),
}

QUIET_MISTAKES: Mistakes = {
    "Flat, but kernels are missing: more neighbors share one than a square has pixels.": (
        _upsampler(lambda conv, last: icnr_(conv, 2 if last else 4))
    ),
    "The kernels are right, but each pixel of a square still has a bias of its own.": (
        _upsampler(lambda conv, _: _with_a_bias(icnr_(conv)))
    ),
    "Both mistakes are still there.": (
        _upsampler(lambda conv, last: _with_a_bias(icnr_(conv, 2 if last else 4)))
    ),
    "No kernel has a copy: ICNR is gone, or its factor is 1.": (
        _upsampler(lambda conv, _: _with_a_bias(conv)),
        _upsampler(lambda *_: None),
    ),
    "The first doubling starts with ICNR, the last one does not.": (
        _upsampler(lambda conv, last: last or icnr_(conv)),
    ),
    "The last doubling starts with ICNR, the first one does not.": (
        _upsampler(lambda conv, last: last and icnr_(conv)),
    ),
}

STAMPS_MISTAKES: Mistakes = {
    "The border, which fewer stamps reach, was counted, too.": (
        lambda k, s: (min(1, k // s), _rounded_up(k, s) ** 2)
    ),
    "Counted along one axis; a stamp has two.": lambda k, s: (k // s, _rounded_up(k, s)),
    "The most comes first here.": lambda k, s: _stamps(k, s)[::-1],
    "That is how many pixels one stamp covers.": lambda k, _: (k * k, k * k),
    "This is the mean, rounded; it does not tell whether all pixels get as many.": (
        lambda k, s: (round(k * k / s / s), round(k * k / s / s)),
        lambda k, s: (k * k // (s * s), k * k // (s * s)),
    ),
    "stride has no effect here.": lambda k, _: _stamps(k, 2),
}
