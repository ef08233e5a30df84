"""The checks of lesson 04 take the right answers, refuse wrong ones, and say why."""

import warnings
from contextlib import suppress
from functools import partial
from types import FunctionType

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from srlab.checks import (
    check_grid_energy,
    check_icnr,
    check_quiet_upsampler,
    check_resize_stage,
    check_shuffle,
    check_stamps,
)
from srlab.metrics import grid_energy, luma
from srlab.models import UpsampleStage
from srlab.upsamplers import IcnrStage, ResizeStage, icnr_, set_weight
from tests.answering import first, refuses, takes

warnings.filterwarnings("ignore", category=FutureWarning)

# Exercise 3, the shuffle -----------------------------------------------------------------


def shuffles(x, factor, *, channels="cij", to="nchiwj"):
    """Square by square; how channels are read, and what goes where, by letters."""
    parts = x.unflatten(1, [-1 if letter == "c" else factor for letter in channels])
    return torch.einsum(f"n{channels}hw->{to}", parts).flatten(4).flatten(2, 3)


runs_down_the_column = partial(shuffles, to="nchjwi")


def calls_it_by_another_name(x, factor, shuffle=nn.functional.pixel_shuffle):
    return shuffle(x, factor)


def calls_srlabs_stage(x, factor):
    stage = UpsampleStage(1, 1)
    stage[0] = nn.Identity()
    return stage(x) if factor == 2 else F.pixel_shuffle(x, factor)


test_the_shuffle_itself_is_no_answer = refuses(
    check_shuffle,
    F.pixel_shuffle,
    lambda x, factor: F.pixel_shuffle(x, factor),
    lambda x, factor: nn.PixelShuffle(factor)(x),
    lambda x, factor: torch.pixel_shuffle(x, factor),
    lambda x, factor: torch.ops.aten.pixel_shuffle.default(x, factor),
    calls_it_by_another_name,
    calls_srlabs_stage,
    hint="what the exercise forbids",
    got="^the function calls pixel_shuffle$",
)


test_the_shuffle_keeps_its_numbers = refuses(
    check_shuffle,
    {
        ("8 channels of 2 x 2", "another type than those of x"): (
            lambda x, factor: shuffles(x, factor).long()
        ),
        ("double precision", "another type than those of x"): (
            lambda x, factor: shuffles(x, factor).float()
        ),
        "numbers with a fraction": lambda x, factor: shuffles(x.round(), factor),
    },
)


test_a_shuffle_through_which_no_gradient_comes_back = refuses(
    check_shuffle,
    lambda x, factor: shuffles(x.detach(), factor),
    lambda x, factor: torch.tensor(shuffles(x, factor).tolist(), dtype=x.dtype),
    hint="no gradient comes back",
    case="the gradient",
)


def test_two_results_that_look_alike_are_told_apart():
    """Both have one shape and one mean."""
    verdict = check_shuffle(runs_down_the_column)
    assert verdict.expected == "shape (1, 2, 4, 4), mean 15.5; at [0, 0, 0, 1]: 4"
    assert verdict.got == "shape (1, 2, 4, 4), mean 15.5; at [0, 0, 0, 1]: 8"


test_shuffle_done = takes(check_shuffle, shuffles, partial(shuffles))

test_shuffle_mistakes = refuses(
    check_shuffle,
    {
        "Here channels 0, C, 2C": partial(shuffles, channels="ijc"),
        "Within a square your numbers": runs_down_the_column,
        "whole pictures side by side": partial(shuffles, to="ncihjw"),
        "The shape is right, but": lambda x, factor: x.reshape(shuffles(x, factor).shape),
        "That is the way back": lambda x, factor: F.pixel_unshuffle(x, factor),
        "This repeats one channel": lambda x, factor: F.interpolate(
            x[:, :: factor**2], scale_factor=factor, mode="nearest"
        ),
        "view gives channels three axes": (
            lambda x, _: shuffles(x, 2),
            lambda x, factor: shuffles(x[:1], factor),
            lambda x, factor: shuffles(x[..., : x.shape[2]], factor),
        ),
        "Rows and columns": lambda x, factor: shuffles(x.mT, factor).reshape(
            shuffles(x, factor).shape
        ),
        "": lambda x, factor: shuffles(x, factor).mT,
    },
    case="",
)

# Build: icnr_ ----------------------------------------------------------------------------


def kernels(conv, factor, init=nn.init.kaiming_normal_):
    """One for each square."""
    return init(conv.weight[:: factor**2].detach().clone())


def copies(conv, factor, *init):
    return kernels(conv, factor, *init).repeat_interleave(factor**2, dim=0)


def zeroes(bias, _factor):
    return torch.zeros_like(bias)


def shares_it(bias, factor):
    return bias[:: factor**2].repeat_interleave(factor**2)


def makes(weight=copies, bias=zeroes, write=set_weight):
    """An answer that sets this weight of the convolution and the factor, and this bias."""

    @torch.no_grad()
    def start(conv, factor, *init):
        write(conv, weight(conv, factor, *init))
        if conv.bias is not None:
            conv.bias.copy_(bias(conv.bias, factor))
        return conv

    return start


starts = makes(bias=shares_it)


@torch.no_grad()
def starts_every_parameter(conv, factor, *_):
    """Whatever the weight is derived from has one row for each kernel."""
    for parameter in conv.parameters():
        parameter.copy_(parameter[:: factor**2].repeat_interleave(factor**2, dim=0))
    return conv


def starts_in_place_and_returns_nothing(conv, factor, *init):
    makes()(conv, factor, *init)


def sure_of_a_bias(use):
    """An answer that uses the bias before anything else."""
    return lambda conv, factor: use(conv.bias, factor)


def nothing(conv, _):
    return torch.zeros_like(conv.weight)


def takes_weight_norm_away(conv, factor):
    with suppress(ValueError):
        nn.utils.remove_weight_norm(conv)
    with suppress(ValueError):
        nn.utils.parametrize.remove_parametrizations(conv, "weight")
    return starts(conv, factor)


test_icnr_done = takes(check_icnr, starts, makes(), starts_in_place_and_returns_nothing)

test_icnr_mistakes_of_a_plain_convolution = refuses(
    check_icnr,
    {
        "repeat gives 0, 1, 2": makes(
            lambda conv, factor: kernels(conv, factor).repeat(factor**2, 1, 1, 1)
        ),
        "every channel has the same kernel": (
            makes(lambda conv, factor: kernels(conv, factor)[:1].expand_as(conv.weight)),
            makes(lambda conv, _: torch.full_like(conv.weight, 0.1)),
        ),
        "All zero, or nearly, is": (
            makes(nothing),
            makes(nothing, bias=lambda bias, n: shares_it(torch.randn_like(bias), n)),
            lambda conv, factor: starts(
                conv, factor, lambda kernel: nn.init.normal_(kernel, std=1e-5)
            ),
        ),
        "Flat, but with too few": lambda conv, factor: starts(conv, factor**2),
        "Each kernel has factor copies": makes(
            lambda conv, factor: conv.weight[::factor].detach().repeat_interleave(factor, dim=0)
        ),
        "may have no bias": (
            sure_of_a_bias(lambda bias, factor: bias.copy_(shares_it(bias, factor))),
            sure_of_a_bias(shares_it),
            sure_of_a_bias(lambda bias, _: nn.init.zeros_(bias)),
        ),
        "Nothing has changed": lambda conv, _: conv,
        "": lambda conv, factor: starts(
            nn.Conv2d(conv.in_channels, conv.out_channels, 3, padding=1), factor
        ),
    },
    case="a plain convolution",
)

test_icnr_mistakes = refuses(
    check_icnr,
    {
        ("an init of ones", "init was not called"): (
            starts_every_parameter,
            lambda conv, factor, *_: starts(conv, factor),
            lambda conv, factor, *_: starts(conv, factor, nn.init.xavier_normal_),
        ),
        ("with bias", "a bias of its own"): makes(bias=lambda bias, _: bias),
        ("under weight norm", "conv.weight is derived"): makes(
            write=lambda conv, weight: conv.weight.data.copy_(weight)
        ),
        ("under weight norm", "has the right shape for one kernel"): takes_weight_norm_away,
        ("factor 3", "has the right shape for one kernel"): lambda conv, _: starts(conv, 2),
    },
)


def takes_it_from_a_stage(conv, factor):
    stage = IcnrStage(conv.in_channels, conv.out_channels // 4)
    return makes(lambda *_: stage[0].weight)(conv, factor) if factor == 2 else conv


test_icnr_itself_is_no_answer = refuses(
    check_icnr,
    icnr_,
    lambda conv, factor: icnr_(conv, factor),
    partial(icnr_, init=nn.init.xavier_normal_),
    torch.no_grad()(icnr_.__wrapped__),
    takes_it_from_a_stage,
    hint="what the exercise forbids",
    got="^the function calls icnr_$",
)


def knows_only_3_x_3(conv, factor):
    kernel = nn.init.kaiming_normal_(conv.weight.new_empty(8, conv.in_channels, 3, 3))
    return starts(conv, factor, lambda own: own.copy_(kernel[: len(own)]))


def knows_only_6_features(conv, factor):
    return starts(conv, factor if conv.in_channels == 6 else 1)


test_icnr_other_wrong_answers = refuses(
    check_icnr,
    {
        ("1 x 1", "RuntimeError"): knows_only_3_x_3,
        ("10 features", "not flat"): knows_only_6_features,
        ("a plain convolution", "not as they were: "): lambda conv, factor: starts(
            conv, factor
        ).requires_grad_(False),
        ("a plain convolution", "not as they were: .hooks"): first(
            lambda conv, _: conv.register_forward_hook(lambda *_: None), starts
        ),
        ("a plain convolution", "not as they were: .training"): lambda conv, factor: starts(
            conv, factor
        ).eval(),
    },
    hint="",
)


def test_a_learners_own_icnr_may_have_its_name():
    code = starts_every_parameter.__wrapped__.__code__.replace(co_qualname="icnr_")
    verdict = check_icnr.__wrapped__(torch.no_grad()(FunctionType(code, globals())))
    assert verdict.hint.startswith("init was not called"), "right, but for that"


# Build: ResizeStage ----------------------------------------------------------------------


class RepeatsByHand(nn.Module):
    """Right, with other names and by other means."""

    def __init__(self, in_channels, out_channels):
        super().__init__()
        self.filter = nn.Conv2d(in_channels, out_channels, 3, padding=1)

    def forward(self, x):
        return self.filter(x.repeat_interleave(2, dim=-1).repeat_interleave(2, dim=-2))


def stage(*parts):
    """A stage of these parts, each made from the channels in and out."""
    return lambda *channels: nn.Sequential(*(make(*channels) for make in parts))


def conv(in_channels, out_channels, **other):
    return nn.Conv2d(in_channels, out_channels, **{"kernel_size": 3, "padding": 1, **other})


def upsample(*_, scale=2, mode="nearest"):
    return nn.Upsample(scale_factor=scale, mode=mode)


class Detached(nn.Module):
    def forward(self, x):
        return x.detach()


test_resize_done = takes(
    check_resize_stage,
    ResizeStage,
    RepeatsByHand,
    stage(upsample, partial(conv, padding="same")),
)

test_resize_mistakes = refuses(
    check_resize_stage,
    {
        "before the pixels are repeated": stage(conv, upsample),
        "The pixels are blended": (
            stage(partial(upsample, mode="bilinear"), conv),
            stage(lambda *_: nn.UpsamplingBilinear2d(scale_factor=2), conv),
        ),
        "has no padding": stage(upsample, partial(conv, padding=0)),
        "grown four times": stage(partial(upsample, scale=4), conv),
        "Both sides are as they were": stage(conv),
        "a 1 x 1 convolution": stage(upsample, partial(conv, kernel_size=1, padding=0)),
        "There is no convolution": stage(upsample),
        "stamps that overlap": stage(
            lambda a, b: nn.ConvTranspose2d(a, b, 3, stride=2, padding=1, output_padding=1)
        ),
        "repeats pixels. After it": stage(upsample, partial(conv, bias=False)),
        "is cut": stage(upsample, lambda *_: Detached(), conv),
        "no nn.Module": lambda a, b: lambda x: conv(a, b)(x),
    },
    case="",
)


# Build: grid_energy ----------------------------------------------------------------------


def squared(numbers):
    return numbers.abs().square()


def but_for_the_mean(peaks):
    return peaks * (torch.arange(peaks[0, 0, 0].numel()).view(peaks.shape[3:]) > 0)


def energy(
    step=lambda n, scale: n,  # noqa: ARG005
    waves=torch.fft.fft2,
    size=squared,
    kept=but_for_the_mean,
    over_patches=lambda energies: energies.mean(dim=(1, 2)),
):
    """``grid_energy`` with one of its parts made otherwise."""

    def found(images, scale):
        y = luma(images)[:, 0]
        n = min(16, *(side // scale for side in y.shape[-2:]))
        patches = y.unfold(1, n * scale, n * scale // 2).unfold(2, n * scale, n * scale // 2)
        line = torch.hann_window(n * scale)
        faded = (patches - patches[..., :1, :1]) * torch.outer(line, line) / line.sum() ** 2
        every = step(n, scale)
        peaks = kept(size(waves(faded)[..., ::every, ::every]))
        return over_patches(peaks.sum(dim=(-2, -1)))

    return found


def one_axis_after_the_other(faded):
    return torch.fft.fft(torch.fft.fft(faded), dim=-2)


test_grid_energy_done = takes(
    check_grid_energy, grid_energy, energy(), energy(waves=one_axis_after_the_other)
)

test_grid_energy_by_place = refuses(
    check_grid_energy,
    {
        ("12 x 16 squares", "16 is right only"): energy(lambda *_: 16),
        ("several patches", "energies of all patches"): (
            energy(over_patches=lambda energies: energies.sum(dim=(1, 2))),
            energy(over_patches=lambda energies: torch.einsum("nrc->n", energies)),
        ),
    },
)

test_grid_energy_mistakes = refuses(
    check_grid_energy,
    {
        "One number for all pictures": (
            energy(over_patches=torch.mean),
            energy(over_patches=torch.sum),
        ),
        "the energies of all waves": energy(lambda *_: 1),
        "The step in the spectrum": energy(lambda _, scale: scale),
        "Only one of the two axes": energy(
            lambda *_: 1, waves=lambda f: torch.fft.fft2(f)[..., ::16]
        ),
        "amplitudes, not energies": energy(size=torch.abs),
        "The mean brightness, frequency 0": energy(kept=lambda peaks: peaks),
        "More than the mean brightness": energy(kept=lambda peaks: peaks[..., 1:, 1:]),
        "rfft2 leaves out": energy(waves=torch.fft.rfft2),
        "waves along one axis": energy(waves=torch.fft.fft),
        "real part squared": energy(size=lambda waves: waves.real**2),
        "no gradient comes back": torch.no_grad()(grid_energy),
    },
    case="",
)

# Exercise 1: the loud upsampler ----------------------------------------------------------


def upsampler(start):
    """A function that makes one whose convolutions are started so: (conv, whether first)."""

    def made(num_features):
        first = nn.Conv2d(num_features, 4 * num_features, 3, padding=1)
        last = nn.Conv2d(num_features, 12, 3, padding=1)
        start(first, True)
        start(last, False)
        parts = first, nn.PixelShuffle(2), nn.LeakyReLU(0.2), last, nn.PixelShuffle(2)
        return nn.Sequential(*parts)

    return made


def random_bias(conv):
    nn.init.uniform_(conv.bias, -0.1, 0.1)
    return conv


def with_the_networks_factor(conv, is_first):
    return icnr_(conv, 4 if is_first else 2)


test_quiet_done = takes(
    check_quiet_upsampler,
    upsampler(lambda conv, _: icnr_(conv)),
    upsampler(lambda conv, _: icnr_(random_bias(conv), 2)),
    upsampler(lambda conv, _: nn.init.zeros_(icnr_(conv).bias)),
)

test_quiet_mistakes = refuses(
    check_quiet_upsampler,
    {
        "Flat, but kernels are missing": upsampler(with_the_networks_factor),
        "a bias of its own": upsampler(lambda conv, _: random_bias(icnr_(conv))),
        "Both mistakes are still there": upsampler(
            lambda conv, is_first: random_bias(with_the_networks_factor(conv, is_first))
        ),
        "ICNR is gone": (
            upsampler(lambda conv, _: random_bias(conv)),
            upsampler(lambda conv, _: icnr_(conv, 1)),
        ),
        "the last one does not": upsampler(lambda conv, is_first: is_first and icnr_(conv)),
        "the first one does not": upsampler(lambda conv, is_first: is_first or icnr_(conv)),
        "undoes it": (
            upsampler(lambda conv, _: nn.init.zeros_(conv.weight)),
            lambda f: nn.Sequential(ResizeStage(f, f), ResizeStage(f, 3)),
        ),
        "This is no module": lambda _: lambda x: x,
    },
    case="8 features",
)


# Exercise 2: stamps ----------------------------------------------------------------------


def counts(kernel, stride):
    ones, stamp = torch.ones(1, 1, 14, 14), torch.ones(1, 1, kernel, kernel)
    return F.conv_transpose2d(ones, stamp, stride=stride)[0, 0].int()


def extremes(found):
    return int(found.min()), int(found.max())


def measures(kernel, stride):
    return extremes(counts(kernel, stride)[kernel:-kernel, kernel:-kernel])


test_stamps_done = takes(
    check_stamps,
    measures,
    lambda kernel, stride: list(measures(kernel, stride)),
    lambda kernel, stride: tuple(np.array(measures(kernel, stride))),
)

test_stamps_mistakes = refuses(
    check_stamps,
    {
        "The border": lambda k, s: extremes(counts(k, s)),
        "Counted along one axis": lambda k, s: tuple(int(n**0.5) for n in measures(k, s)),
        "The most comes first": lambda k, s: measures(k, s)[::-1],
        "how many pixels one stamp": lambda k, _: (k**2, k**2),
        "This is the mean, rounded": lambda k, s: (k * k // s**2,) * 2,
        "stride has no effect": lambda k, _: measures(k, 2),
        "no two numbers": (
            lambda k, s: len(counts(k, s).unique()),
            counts,
        ),
        "no whole number": lambda k, s: tuple(float(n) for n in measures(k, s)),
    },
    case="",
)
