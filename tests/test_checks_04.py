"""The checks of lesson 04 take the right answers, refuse wrong ones, and say why."""

import warnings
from functools import partial

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
from tests.answering import first, last, refuses, takes

warnings.filterwarnings("ignore", category=FutureWarning)

# Exercise 3, the shuffle -----------------------------------------------------------------


def shuffles(x, factor, order=(0, 1, 4, 2, 5, 3)):
    n, channels, h, w = x.shape
    parts = x.view(n, channels // factor**2, factor, factor, h, w)
    return parts.permute(order).reshape(n, -1, h * factor, w * factor)


runs_down_the_column = partial(shuffles, order=(0, 1, 4, 3, 5, 2))


def draws(x, factor, dtype=None):
    """Square by square, on numbers of another type if asked to."""
    n, channels, h, w = x.shape
    size = n, channels // factor**2, h * factor, w * factor
    large = x.new_zeros(size, dtype=dtype)
    for i in range(factor):
        for j in range(factor):
            large[:, :, i::factor, j::factor] = x[:, i * factor + j :: factor**2]
    return large


def takes_channels_by_blocks(x, factor):
    n, channels, h, w = x.shape
    wanted = channels // factor**2
    large = x.new_zeros(n, wanted, h * factor, w * factor)
    for i in range(factor):
        for j in range(factor):
            first = (i * factor + j) * wanted
            large[:, :, i::factor, j::factor] = x[:, first : first + wanted]
    return large


def knows_only_square_pictures(x, factor):
    side = x.shape[2]
    return shuffles(x[..., :side], factor)


def shuffles_by_stacking(x, factor):
    rows = [
        torch.stack([x[:, i * factor + j :: factor**2] for j in range(factor)], dim=-1)
        for i in range(factor)
    ]
    lines = torch.stack(rows, dim=3).flatten(-2)  # (n, c, h, row, w * factor)
    return lines.flatten(2, 3)


def shuffles_by_unflattening(x, factor):
    parts = x.unflatten(1, (-1, factor, factor))
    return parts.permute(0, 1, 4, 2, 5, 3).flatten(4, 5).flatten(2, 3)


def shuffles_by_einsum(x, factor):
    parts = x.unflatten(1, (-1, factor, factor))
    return torch.einsum("ncijhw->nchiwj", parts).flatten(4, 5).flatten(2, 3)


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


test_the_shuffle_keeps_the_type_of_its_numbers = refuses(
    check_shuffle,
    {
        "8 channels of 2 x 2": partial(draws, dtype=torch.int64),
        "double precision": partial(draws, dtype=torch.float32),
    },
    hint="another type than those of x",
)


test_the_shuffle_keeps_fractions = refuses(
    check_shuffle,
    lambda x, factor: shuffles(x.round(), factor),
    case="numbers with a fraction",
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


test_shuffle_done = takes(
    check_shuffle,
    shuffles,
    draws,
    shuffles_by_stacking,
    shuffles_by_unflattening,
    shuffles_by_einsum,
    partial(shuffles),
)


test_shuffle_mistakes = refuses(
    check_shuffle,
    {
        "Here channels 0, C, 2C": takes_channels_by_blocks,
        "Within a square your numbers": runs_down_the_column,
        "whole pictures side by side": partial(shuffles, order=(0, 1, 2, 4, 3, 5)),
        "The shape is right, but": lambda x, factor: x.reshape(
            len(x), -1, x.shape[2] * factor, x.shape[3] * factor
        ),
        "That is the way back": lambda x, factor: F.pixel_unshuffle(x, factor),
        "This repeats one channel": lambda x, factor: F.interpolate(
            x[:, :: factor**2], scale_factor=factor, mode="nearest"
        ),
        "view gives channels three axes": (
            lambda x, _: shuffles(x, 2),
            lambda x, factor: shuffles(x[:1], factor),
            knows_only_square_pictures,
        ),
        "": lambda x, factor: shuffles(x, factor).mT,
    },
    case="",
)


# Build: icnr_ ----------------------------------------------------------------------------


def one_kernel_for_each_square(conv, factor):
    return nn.init.kaiming_normal_(conv.weight[:: factor**2].detach().clone())


@torch.no_grad()
def starts(conv, factor, init=nn.init.kaiming_normal_):
    """What ``icnr_`` does, by hand."""
    kernel = init(conv.weight[:: factor**2].clone())
    set_weight(conv, kernel.repeat_interleave(factor**2, dim=0))
    if conv.bias is not None:
        conv.bias.copy_(conv.bias[:: factor**2].repeat_interleave(factor**2))
    return conv


def without_bias(conv):
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)
    return conv


def makes(weight):
    """An answer that sets this weight of the convolution and the factor, and no bias."""

    def start(conv, factor, *init):
        set_weight(conv, weight(conv, factor, *init))
        return without_bias(conv)

    return start


def copies(conv, factor, init=nn.init.kaiming_normal_):
    kernel = init(conv.weight[:: factor**2].detach().clone())
    return kernel.repeat_interleave(factor**2, dim=0)


starts_with_set_weight = makes(copies)


@torch.no_grad()
def starts_every_parameter(conv, factor, *_):
    """Whatever the weight is derived from has one row for each kernel."""
    for parameter in conv.parameters():
        parameter.copy_(parameter[:: factor**2].repeat_interleave(factor**2, dim=0))
    return conv


def starts_in_place_and_returns_nothing(conv, factor, *init):
    starts_with_set_weight(conv, factor, *init)


def sure_of_a_bias(use):
    """Right where there is one: ``use`` makes of it and the factor the new bias."""

    @torch.no_grad()
    def start(conv, factor):
        set_weight(conv, copies(conv, factor))
        conv.bias.copy_(use(conv.bias, factor))

    return start


@torch.no_grad()
def takes_the_bias_first(conv, factor):
    bias = conv.bias[:: factor**2].repeat_interleave(factor**2)
    set_weight(conv, copies(conv, factor))
    conv.bias.data = bias


def zeroes_what_is_not_there(conv, factor):
    set_weight(conv, copies(conv, factor))
    nn.init.zeros_(conv.bias)


@torch.no_grad()
def writes_to_the_derived_weight(conv, factor):
    conv.weight.data.copy_(copies(conv, factor))
    return without_bias(conv)


makes_everything_zero = makes(lambda conv, _: torch.zeros_like(conv.weight))


def hides_behind_the_bias(conv, factor):
    """Zero kernels, and a different bias for each square: flat, but blind."""
    makes_everything_zero(conv, factor)
    if conv.bias is not None:
        own = torch.randn(len(conv.bias) // factor**2)
        conv.bias.data = own.repeat_interleave(factor**2)
    return conv


def takes_weight_norm_away(conv, factor):
    for kind in (nn.utils.remove_weight_norm, nn.utils.parametrize.remove_parametrizations):
        try:
            kind(conv, *(["weight"] if kind is not nn.utils.remove_weight_norm else []))
        except ValueError:
            continue
    return starts(conv, factor)


test_icnr_done = takes(
    check_icnr,
    starts,
    starts_with_set_weight,
    starts_in_place_and_returns_nothing,
)


test_icnr_mistakes = refuses(
    check_icnr,
    {
        ("a plain convolution", "repeat gives 0, 1, 2"): makes(
            lambda conv, factor: one_kernel_for_each_square(conv, factor).repeat(
                factor**2, 1, 1, 1
            )
        ),
        ("a plain convolution", "every channel has the same kernel"): (
            makes(
                lambda conv, _: nn.init.kaiming_normal_(conv.weight[:1].detach()).expand_as(
                    conv.weight
                )
            ),
            makes(lambda conv, _: torch.full_like(conv.weight, 0.1)),
        ),
        ("a plain convolution", "All zero, or nearly, is"): (
            makes_everything_zero,
            hides_behind_the_bias,
            lambda conv, factor: starts(
                conv, factor, lambda kernel: nn.init.normal_(kernel, std=1e-5)
            ),
        ),
        ("a plain convolution", "Flat, but with too few"): lambda conv, factor: starts(
            conv, factor**2
        ),
        ("a plain convolution", "Each kernel has factor copies"): makes(
            lambda conv, factor: conv.weight[::factor].detach().repeat_interleave(factor, dim=0)
        ),
        ("a plain convolution", "may have no bias"): (
            sure_of_a_bias(lambda bias, n: bias[:: n**2].repeat_interleave(n**2)),
            takes_the_bias_first,
            zeroes_what_is_not_there,
        ),
        ("an init of ones", "init was not called"): (
            starts_every_parameter,
            lambda conv, factor, *_: starts(conv, factor),
            lambda conv, factor, *_: starts(conv, factor, nn.init.xavier_normal_),
        ),
        ("a plain convolution", "Nothing has changed"): lambda conv, _: conv,
        ("a plain convolution", ""): lambda conv, factor: starts(
            nn.Conv2d(conv.in_channels, conv.out_channels, 3, padding=1), factor
        ),
        ("with bias", "a bias of its own"): last(
            lambda conv, _: conv, lambda conv, factor: set_weight(conv, copies(conv, factor))
        ),
        ("under weight norm", "conv.weight is derived"): writes_to_the_derived_weight,
        ("under weight norm", "has the right shape for one kernel"): takes_weight_norm_away,
        ("factor 3", "has the right shape for one kernel"): lambda conv, _: starts(conv, 2),
    },
)


def takes_it_from_a_stage(conv, factor):
    stage = IcnrStage(conv.in_channels, conv.out_channels // 4)
    set_weight(conv, stage[0].weight)
    return without_bias(conv) if factor == 2 else starts(conv, factor)


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
    kernel = torch.empty(conv.out_channels // factor**2, conv.in_channels, 3, 3)
    weight = nn.init.kaiming_normal_(kernel).repeat_interleave(factor**2, dim=0)
    return starts(conv, factor, lambda own: own.copy_(weight[:: factor**2]))


def knows_only_6_features(conv, factor):
    own = starts(conv, factor)
    if conv.in_channels != 6:
        nn.init.normal_(conv.weight)
    return own


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
    space = {"torch": torch, "nn": nn, "set_weight": set_weight}
    exec(OWN_ICNR, space)
    assert check_icnr(space["icnr_"]).done


OWN_ICNR = """
@torch.no_grad()
def icnr_(conv, factor=2, init=nn.init.kaiming_normal_):
    kernel = init(conv.weight[:: factor**2].clone())
    set_weight(conv, kernel.repeat_interleave(factor**2, dim=0))
    if conv.bias is not None:
        conv.bias.copy_(conv.bias[:: factor**2].repeat_interleave(factor**2))
    return conv
"""


# Build: ResizeStage ----------------------------------------------------------------------


class RepeatsByHand(nn.Module):
    """Right, with other names and by other means."""

    def __init__(self, in_channels, out_channels):
        super().__init__()
        self.filter = nn.Conv2d(in_channels, out_channels, 3, padding=1)

    def forward(self, x):
        return self.filter(x.repeat_interleave(2, dim=-1).repeat_interleave(2, dim=-2))


def stage(*parts):
    """A class of a stage of these parts, each made from the channels in and out."""

    class Stage(nn.Sequential):
        def __init__(self, in_channels, out_channels):
            super().__init__(*(make(in_channels, out_channels) for make in parts))

    return Stage


def conv(in_channels, out_channels, **other):
    return nn.Conv2d(in_channels, out_channels, **{"kernel_size": 3, "padding": 1, **other})


def upsample(*_, scale=2, mode="nearest"):
    return nn.Upsample(scale_factor=scale, mode=mode)


test_resize_done = takes(
    check_resize_stage,
    ResizeStage,
    RepeatsByHand,
    stage(upsample, partial(conv, padding="same")),
)


class CutsTheWayBack(ResizeStage):
    def forward(self, x):
        return super().forward(x.detach())


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
        "is cut": CutsTheWayBack,
        "no nn.Module": lambda a, b: lambda x: conv(a, b)(x),
    },
    case="",
)


# Build: grid_energy ----------------------------------------------------------------------


def energy_by(energies):
    """``grid_energy`` with other energies of its faded patches."""

    def energy(images, scale):
        y = luma(images)[:, 0]
        n = min(16, *(side // scale for side in y.shape[-2:]))
        size = n * scale
        patches = y.unfold(1, size, size // 2).unfold(2, size, size // 2)
        line = torch.hann_window(size)
        faded = (patches - patches[..., :1, :1]) * torch.outer(line, line) / line.sum() ** 2
        return energies(faded, n).sum(dim=(-2, -1)).mean(dim=(1, 2))

    return energy


def but_for_the_mean(peaks):
    peaks = peaks.clone()
    peaks[..., 0, 0] = 0
    return peaks


def squared(numbers):
    return numbers.abs().square()


def sums_waves_by_hand(faded, n):
    """A grid's energies by folding: squares of n added up, then a small transform."""
    scale = faded.shape[-1] // n
    folded = faded.unflatten(-1, (n, scale)).sum(-2).unflatten(-2, (n, scale)).sum(-3)
    return but_for_the_mean(squared(torch.fft.fft2(folded)))


test_grid_energy_done = takes(
    check_grid_energy,
    grid_energy,
    energy_by(sums_waves_by_hand),
    energy_by(lambda f, n: but_for_the_mean(squared(torch.fft.fft2(f))[..., ::n, ::n])),
)


def in_squares_of_16(over_patches):
    """``grid_energy`` of a sum over the frequencies, and this over its patches."""

    def energy(images, scale):
        energies = []

        def found(f, n):
            energies.append(but_for_the_mean(squared(torch.fft.fft2(f)[..., ::n, ::n])))
            return energies[-1]

        energy_by(found)(images, scale)
        return over_patches(energies[0].sum(dim=(-2, -1)))

    return energy


test_grid_energy_by_place = refuses(
    check_grid_energy,
    {
        ("12 x 16 squares", "16 is right only"): (
            energy_by(
                lambda f, _: but_for_the_mean(squared(torch.fft.fft2(f))[..., ::16, ::16])
            ),
            energy_by(
                lambda f, _: but_for_the_mean(squared(torch.fft.fft2(f)[..., ::16, ::16]))
            ),
            energy_by(
                lambda f, _: but_for_the_mean(
                    squared(torch.fft.fft(torch.fft.fft(f), dim=-2)[..., ::16, ::16])
                )
            ),
        ),
        ("several patches", "energies of all patches"): (
            in_squares_of_16(lambda patches: patches.sum(dim=(1, 2))),
            in_squares_of_16(lambda patches: patches.flatten(1).sum(1)),
            in_squares_of_16(lambda patches: torch.einsum("nrc->n", patches)),
        ),
    },
)


test_grid_energy_mistakes = refuses(
    check_grid_energy,
    {
        "the energies of all waves": energy_by(
            lambda f, _: but_for_the_mean(squared(torch.fft.fft2(f)))
        ),
        "The step in the spectrum": energy_by(
            lambda f, n: but_for_the_mean(
                squared(torch.fft.fft2(f)[..., :: f.shape[-1] // n, :: f.shape[-1] // n])
            )
        ),
        "Only one of the two axes": energy_by(
            lambda f, n: but_for_the_mean(squared(torch.fft.fft2(f)[..., ::n]))
        ),
        "amplitudes, not energies": energy_by(
            lambda f, n: but_for_the_mean(torch.fft.fft2(f)[..., ::n, ::n].abs())
        ),
        "The mean brightness, frequency 0": energy_by(
            lambda f, n: squared(torch.fft.fft2(f)[..., ::n, ::n])
        ),
        "More than the mean brightness": energy_by(
            lambda f, n: squared(torch.fft.fft2(f)[..., ::n, ::n])[..., 1:, 1:]
        ),
        "rfft2 leaves out": energy_by(
            lambda f, n: but_for_the_mean(squared(torch.fft.rfft2(f)[..., ::n, ::n]))
        ),
        "waves along one axis": energy_by(
            lambda f, n: but_for_the_mean(squared(torch.fft.fft(f)[..., ::n, ::n]))
        ),
        "real part squared": energy_by(
            lambda f, n: but_for_the_mean(torch.fft.fft2(f)[..., ::n, ::n].real ** 2)
        ),
        "no gradient comes back": torch.no_grad()(grid_energy),
    },
    case="",
)


# Exercise 1: the loud upsampler ----------------------------------------------------------


def upsampler(start):
    """A class whose convolutions are started so: (conv, whether it is the first)."""

    class MyUpsampler(nn.Sequential):
        def __init__(self, num_features):
            first = nn.Conv2d(num_features, 4 * num_features, 3, padding=1)
            last = nn.Conv2d(num_features, 12, 3, padding=1)
            start(first, True)
            start(last, False)
            super().__init__(
                first, nn.PixelShuffle(2), nn.LeakyReLU(0.2), last, nn.PixelShuffle(2)
            )

    return MyUpsampler


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
        "the last one does not": upsampler(
            lambda conv, is_first: icnr_(conv) if is_first else conv
        ),
        "the first one does not": upsampler(
            lambda conv, is_first: conv if is_first else icnr_(conv)
        ),
        "undoes it": (
            upsampler(lambda conv, _: nn.init.zeros_(conv.weight)),
            lambda f: nn.Sequential(ResizeStage(f, f), ResizeStage(f, 3)),
        ),
        "This is no module": lambda _: lambda x: x,
    },
    case="8 features",
)


# Exercise 2: stamps ----------------------------------------------------------------------


def counts(kernel, stride, cut):
    ones, stamp = torch.ones(1, 1, 14, 14), torch.ones(1, 1, kernel, kernel)
    found = F.conv_transpose2d(ones, stamp, stride=stride)[0, 0]
    return found[cut:-cut, cut:-cut] if cut else found


def measures(kernel, stride):
    inside = counts(kernel, stride, kernel)
    return int(inside.min()), int(inside.max())


def counts_along_a_line(kernel, stride):
    stamps = np.zeros(200, int)
    for left in range(0, 180, stride):
        stamps[left : left + kernel] += 1
    inside = stamps[20:160]
    return inside.min() ** 2, inside.max() ** 2


test_stamps_done = takes(
    check_stamps,
    measures,
    counts_along_a_line,
    lambda kernel, stride: list(measures(kernel, stride)),
)

test_stamps_mistakes = refuses(
    check_stamps,
    {
        "The border": lambda k, s: (
            int(counts(k, s, 0).min()),
            int(counts(k, s, 0).max()),
        ),
        "Counted along one axis": lambda k, s: tuple(int(n**0.5) for n in measures(k, s)),
        "The most comes first": lambda k, s: measures(k, s)[::-1],
        "how many pixels one stamp": lambda k, _: (k**2, k**2),
        "This is the mean, rounded": lambda k, s: (k * k // s**2,) * 2,
        "stride has no effect": lambda k, _: measures(k, 2),
        "no two numbers": (
            lambda k, s: len(counts(k, s, k).unique()),
            lambda k, s: counts(k, s, k),
        ),
        "no whole number": lambda k, s: tuple(float(n) for n in measures(k, s)),
    },
    case="",
)
