"""The checks of lesson 04 take the right answers, refuse wrong ones, and say why."""

import warnings
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from srlab.checks import check_distinct_kernels, check_icnr, check_shuffle
from srlab.models import UpsampleStage
from srlab.upsamplers import IcnrStage, icnr_, set_weight
from tests.answering import first, last, refused, refuses, takes

warnings.filterwarnings("ignore", category=FutureWarning)

# Exercise 1 ----------------------------------------------------------------------------


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
        "Row i, column j of a square": (
            lambda x, _: shuffles(x, 2),
            lambda x, factor: shuffles(x[:1], factor),
            knows_only_square_pictures,
        ),
        "": lambda x, factor: shuffles(x, factor).mT,
    },
    case="",
)


# Exercise 2 ----------------------------------------------------------------------------


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

    def start(conv, factor):
        set_weight(conv, weight(conv, factor))
        return without_bias(conv)

    return start


def copies(conv, factor):
    return one_kernel_for_each_square(conv, factor).repeat_interleave(factor**2, dim=0)


starts_with_set_weight = makes(copies)


@torch.no_grad()
def starts_every_parameter(conv, factor):
    """Whatever the weight is derived from has one row for each kernel."""
    for parameter in conv.parameters():
        parameter.copy_(parameter[:: factor**2].repeat_interleave(factor**2, dim=0))
    return conv


def starts_in_place_and_returns_nothing(conv, factor):
    starts_with_set_weight(conv, factor)


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
    starts_every_parameter,
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
        ("a plain convolution", "Nothing has changed"): lambda conv, _: conv,
        ("a plain convolution", ""): lambda conv, factor: starts(
            nn.Conv2d(conv.in_channels, conv.out_channels, 3, padding=1), factor
        ),
        ("with bias", "a bias of its own"): last(
            lambda conv, _: conv, lambda conv, factor: set_weight(conv, copies(conv, factor))
        ),
        ("under weight norm", "conv.weight is derived"): writes_to_the_derived_weight,
        ("under weight norm", "One kernel for each square"): takes_weight_norm_away,
        ("factor 3", "One kernel for each square"): lambda conv, _: starts(conv, 2),
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


# Exercise 3 ----------------------------------------------------------------------------


def counts_rows(conv):
    return len(conv.weight.detach().flatten(1).unique(dim=0))


def believes_in_icnr(conv):
    return conv.out_channels // 4


def counts_changes(conv):
    changes = (conv.weight[1:] != conv.weight[:-1]).flatten(1).any(dim=1)
    return changes.sum().item() + 1


test_distinct_other_wrong_answers = refuses(
    check_distinct_kernels,
    lambda conv: len(conv.weight[:, -1, -1, -1].unique()),
    lambda conv: len(conv.weight[:, 0].flatten(1).unique(dim=0)),
    lambda conv: len(conv.weight.abs().flatten(1).unique(dim=0)),
    lambda conv: len((conv.weight * 10_000).round().flatten(1).unique(dim=0)),
)


@torch.no_grad()
def counts_with_comparisons(conv):
    kernels, found = list(conv.weight), []
    for kernel in kernels:
        if not any(torch.equal(kernel, other) for other in found):
            found.append(kernel)
    return len(found)


test_a_count_is_a_whole_number = refuses(
    check_distinct_kernels,
    {
        "^64, a Tensor$": lambda conv: torch.tensor(counts_rows(conv)),
        "^64, a float$": lambda conv: float(counts_rows(conv)),
        "^True, a bool$": lambda conv: counts_rows(conv) > 0,
    },
    hint="its type is no whole number",
    case="",
)


def test_counting_leaves_the_convolution_as_it_was():
    refused(
        check_distinct_kernels(first(lambda conv: conv.requires_grad_(False), counts_rows)),
        hint="An argument is not what",
    )


test_distinct_done = takes(
    check_distinct_kernels,
    counts_rows,
    lambda conv: len({tuple(kernel.flatten().tolist()) for kernel in conv.weight}),
    lambda conv: np.int64(counts_rows(conv)),
    counts_with_comparisons,
)


test_distinct_mistakes = refuses(
    check_distinct_kernels,
    {
        "This counts kernels, also equal ones": lambda conv: conv.out_channels,
        "what a right ICNR by 2 would give": believes_in_icnr,
        "Right while copies are neighbors": counts_changes,
        "These are the different numbers": lambda conv: len(conv.weight.unique()),
        "dim=1 are the channels that come in": lambda conv: len(conv.weight.unique(dim=1)[0]),
        "Two kernels may have one sum": lambda conv: len(
            conv.weight.sum(dim=(1, 2, 3)).unique()
        ),
        "Make each kernel one row": (
            lambda conv: len(conv.weight[:, 0, 0, 0].unique()),
            lambda _: 16,
        ),
        "This is a whole shape": lambda conv: tuple(conv.weight.unique(dim=0).shape),
        "These are the kernels themselves": lambda conv: conv.weight.flatten(1).unique(dim=0),
    },
    case="",
)


def test_the_published_number():
    verdict = check_distinct_kernels(believes_in_icnr)
    assert verdict.case == "64 -> 256 channels, ICNR by 4"
    assert (verdict.expected, verdict.got) == ("16", "64")
