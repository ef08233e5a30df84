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
from tests.answering import refused, refuses, takes

warnings.filterwarnings("ignore", category=FutureWarning)

# Exercise 1 ----------------------------------------------------------------------------


def shuffles(x, factor, order=(0, 1, 4, 2, 5, 3)):
    n, channels, h, w = x.shape
    parts = x.view(n, channels // factor**2, factor, factor, h, w)
    return parts.permute(order).reshape(n, -1, h * factor, w * factor)


runs_down_the_column = partial(shuffles, order=(0, 1, 4, 3, 5, 2))
lays_whole_pictures_side_by_side = partial(shuffles, order=(0, 1, 2, 4, 3, 5))


def draws(x, factor, dtype=None):
    """Square by square, on numbers of another type if asked to."""
    n, channels, h, w = x.shape
    size = n, channels // factor**2, h * factor, w * factor
    large = x.new_zeros(size, dtype=dtype)
    for i in range(factor):
        for j in range(factor):
            large[:, :, i::factor, j::factor] = x[:, i * factor + j :: factor**2]
    return large


draws_on_whole_numbers = partial(draws, dtype=torch.int64)
draws_on_single_precision = partial(draws, dtype=torch.float32)


def takes_channels_by_blocks(x, factor):
    n, channels, h, w = x.shape
    wanted = channels // factor**2
    large = x.new_zeros(n, wanted, h * factor, w * factor)
    for i in range(factor):
        for j in range(factor):
            first = (i * factor + j) * wanted
            large[:, :, i::factor, j::factor] = x[:, first : first + wanted]
    return large


def only_views(x, factor):
    return x.reshape(len(x), -1, x.shape[2] * factor, x.shape[3] * factor)


def goes_back(x, factor):
    return F.pixel_unshuffle(x, factor)


def repeats_one_channel(x, factor):
    return F.interpolate(x[:, :: factor**2], scale_factor=factor, mode="nearest")


def knows_only_factor_2(x, factor):  # noqa: ARG001
    return shuffles(x, 2)


def knows_only_one_picture(x, factor):
    return shuffles(x[:1], factor)


def knows_only_square_pictures(x, factor):
    side = x.shape[2]
    return shuffles(x[..., :side], factor)


def transposes(x, factor):
    return shuffles(x, factor).mT


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


def calls_functional(x, factor):
    return F.pixel_shuffle(x, factor)


def calls_the_module(x, factor):
    return nn.PixelShuffle(factor)(x)


def calls_torch(x, factor):
    return torch.pixel_shuffle(x, factor)


def calls_the_operator(x, factor):
    return torch.ops.aten.pixel_shuffle.default(x, factor)


def calls_it_by_another_name(x, factor, shuffle=nn.functional.pixel_shuffle):
    return shuffle(x, factor)


def calls_srlabs_stage(x, factor):
    stage = UpsampleStage(1, 1)
    stage[0] = nn.Identity()
    return stage(x) if factor == 2 else F.pixel_shuffle(x, factor)


test_the_shuffle_itself_is_no_answer = refuses(
    check_shuffle,
    F.pixel_shuffle,
    calls_functional,
    calls_the_module,
    calls_torch,
    calls_the_operator,
    calls_it_by_another_name,
    calls_srlabs_stage,
    hint="what the exercise forbids",
    got="^the function calls pixel_shuffle$",
)


test_the_shuffle_keeps_the_type_of_its_numbers = refuses(
    check_shuffle,
    (draws_on_whole_numbers, "8 channels of 2 x 2"),
    (draws_on_single_precision, "double precision"),
    hint="another type than those of x",
)


def detaches(x, factor):
    return shuffles(x.detach(), factor)


def goes_through_lists(x, factor):
    return torch.tensor(shuffles(x, factor).tolist(), dtype=x.dtype)


test_a_shuffle_through_which_no_gradient_comes_back = refuses(
    check_shuffle,
    detaches,
    goes_through_lists,
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
    (takes_channels_by_blocks, "Here channels 0, C, 2C"),
    (runs_down_the_column, "Within a square your numbers"),
    (lays_whole_pictures_side_by_side, "whole pictures side by side"),
    (only_views, "The shape is right, but"),
    (goes_back, "That is the way back"),
    (repeats_one_channel, "This repeats one channel"),
    (knows_only_factor_2, "Row i, column j of a square"),
    (knows_only_one_picture, "Row i, column j of a square"),
    (knows_only_square_pictures, "Row i, column j of a square"),
    (transposes, ""),
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


def starts_with_set_weight(conv, factor):
    kernel = one_kernel_for_each_square(conv, factor)
    set_weight(conv, kernel.repeat_interleave(factor**2, dim=0))
    return without_bias(conv)


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
    kernel = one_kernel_for_each_square(conv, factor)
    conv.weight.data.copy_(kernel.repeat_interleave(factor**2, dim=0))
    if conv.bias is not None:
        conv.bias.zero_()
    return conv


def repeats_instead_of_interleaving(conv, factor):
    kernel = one_kernel_for_each_square(conv, factor)
    set_weight(conv, kernel.repeat(factor**2, 1, 1, 1))
    return without_bias(conv)


def forgets_the_bias(conv, factor):
    kernel = one_kernel_for_each_square(conv, factor)
    set_weight(conv, kernel.repeat_interleave(factor**2, dim=0))
    return conv


def takes_the_factor_squared(conv, factor):
    return starts(conv, factor**2)


def always_takes_2(conv, factor):  # noqa: ARG001
    return starts(conv, 2)


def copies_factor_times_only(conv, factor):
    kernel = conv.weight[::factor].detach()
    set_weight(conv, kernel.repeat_interleave(factor, dim=0))
    return without_bias(conv)


def makes_all_kernels_equal(conv, factor):  # noqa: ARG001
    set_weight(conv, nn.init.kaiming_normal_(conv.weight[:1].detach()).expand_as(conv.weight))
    return without_bias(conv)


def makes_everything_constant(conv, factor):  # noqa: ARG001
    set_weight(conv, torch.full_like(conv.weight, 0.1))
    return without_bias(conv)


def makes_everything_zero(conv, factor):  # noqa: ARG001
    set_weight(conv, torch.zeros_like(conv.weight))
    return without_bias(conv)


def hides_behind_the_bias(conv, factor):
    """Zero kernels, and a different bias for each square: flat, but blind."""
    makes_everything_zero(conv, factor)
    if conv.bias is not None:
        own = torch.randn(len(conv.bias) // factor**2)
        conv.bias.data = own.repeat_interleave(factor**2)
    return conv


def makes_the_kernels_tiny(conv, factor):
    return starts(conv, factor, lambda kernel: nn.init.normal_(kernel, std=1e-5))


def starts_a_new_convolution(conv, factor):
    return starts(nn.Conv2d(conv.in_channels, conv.out_channels, 3, padding=1), factor)


def takes_weight_norm_away(conv, factor):
    for kind in (nn.utils.remove_weight_norm, nn.utils.parametrize.remove_parametrizations):
        try:
            kind(conv, *(["weight"] if kind is not nn.utils.remove_weight_norm else []))
        except ValueError:
            continue
    return starts(conv, factor)


def changes_nothing(conv, factor):  # noqa: ARG001
    return conv


test_icnr_done = takes(
    check_icnr,
    starts,
    starts_with_set_weight,
    starts_every_parameter,
    starts_in_place_and_returns_nothing,
)


test_icnr_mistakes = refuses(
    check_icnr,
    (repeats_instead_of_interleaving, "a plain convolution", "repeat gives 0, 1, 2"),
    (makes_all_kernels_equal, "a plain convolution", "every channel has the same kernel"),
    (makes_everything_constant, "a plain convolution", "every channel has the same kernel"),
    (makes_everything_zero, "a plain convolution", "All zero, or nearly, is"),
    (hides_behind_the_bias, "a plain convolution", "All zero, or nearly, is"),
    (takes_the_factor_squared, "a plain convolution", "Flat, but with too few"),
    (copies_factor_times_only, "a plain convolution", "Each kernel has factor copies"),
    (makes_the_kernels_tiny, "a plain convolution", "All zero, or nearly, is"),
    (changes_nothing, "a plain convolution", "Nothing has changed"),
    (starts_a_new_convolution, "a plain convolution", ""),
    (forgets_the_bias, "with bias", "a bias of its own"),
    (writes_to_the_derived_weight, "under weight norm", "conv.weight is derived"),
    (takes_weight_norm_away, "under weight norm", "One kernel for each square"),
    (always_takes_2, "factor 3", "One kernel for each square"),
)


def calls_icnr(conv, factor):
    return icnr_(conv, factor)


def calls_it_without_its_decorator(conv, factor):
    with torch.no_grad():
        return icnr_.__wrapped__(conv, factor)


def takes_it_from_a_stage(conv, factor):
    stage = IcnrStage(conv.in_channels, conv.out_channels // 4)
    set_weight(conv, stage[0].weight)
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)
    return conv if factor == 2 else starts(conv, factor)


test_icnr_itself_is_no_answer = refuses(
    check_icnr,
    icnr_,
    calls_icnr,
    partial(icnr_, init=nn.init.xavier_normal_),
    calls_it_without_its_decorator,
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


def freezes_it(conv, factor):
    return starts(conv, factor).requires_grad_(False)


def leaves_a_hook(conv, factor):
    conv.register_forward_hook(lambda *_: None)
    return starts(conv, factor)


def leaves_it_in_another_mode(conv, factor):
    return starts(conv, factor).eval()


test_icnr_other_wrong_answers = refuses(
    check_icnr,
    (knows_only_3_x_3, "1 x 1", "RuntimeError"),
    (knows_only_6_features, "10 features", "not flat"),
    (freezes_it, "a plain convolution", "not as they were: "),
    (leaves_a_hook, "a plain convolution", "not as they were: .hooks"),
    (leaves_it_in_another_mode, "a plain convolution", "not as they were: .training"),
    hint="",
)


# Exercise 3 ----------------------------------------------------------------------------


def counts_rows(conv):
    return len(conv.weight.detach().flatten(1).unique(dim=0))


def counts_with_a_set(conv):
    return len({tuple(kernel.flatten().tolist()) for kernel in conv.weight})


def counts_as_a_tensor(conv):
    return torch.tensor(counts_rows(conv))


def counts_all_kernels(conv):
    return conv.out_channels


def believes_in_icnr(conv):
    return conv.out_channels // 4


def counts_changes(conv):
    changes = (conv.weight[1:] != conv.weight[:-1]).flatten(1).any(dim=1)
    return changes.sum().item() + 1


def counts_numbers(conv):
    return len(conv.weight.unique())


def counts_incoming_channels(conv):
    return len(conv.weight.unique(dim=1)[0])


def compares_sums(conv):
    return len(conv.weight.sum(dim=(1, 2, 3)).unique())


def compares_one_number(conv):
    return len(conv.weight[:, 0, 0, 0].unique())


def gives_the_kernels(conv):
    return conv.weight.flatten(1).unique(dim=0)


def gives_the_shape(conv):
    return tuple(conv.weight.unique(dim=0).shape)


def compares_the_last_number(conv):
    return len(conv.weight[:, -1, -1, -1].unique())


def compares_one_channel(conv):
    return len(conv.weight[:, 0].flatten(1).unique(dim=0))


def forgets_the_sign(conv):
    return len(conv.weight.abs().flatten(1).unique(dim=0))


def rounds_the_numbers(conv):
    return len((conv.weight * 1000).round().flatten(1).unique(dim=0))


def compares_what_is_printed(conv):
    return len({str(kernel) for kernel in conv.weight})


test_distinct_other_wrong_answers = refuses(
    check_distinct_kernels,
    compares_the_last_number,
    compares_one_channel,
    forgets_the_sign,
    rounds_the_numbers,
    compares_what_is_printed,
)


def always_16(conv):  # noqa: ARG001
    return 16


def counts_with_numpy(conv):
    return np.int64(counts_rows(conv))


def counts_as_a_float(conv):
    return float(counts_rows(conv))


def says_whether_there_are_any(conv):
    return counts_rows(conv) > 0


@torch.no_grad()
def counts_with_comparisons(conv):
    kernels, found = list(conv.weight), []
    for kernel in kernels:
        if not any(torch.equal(kernel, other) for other in found):
            found.append(kernel)
    return len(found)


def freezes_what_it_counts(conv):
    conv.requires_grad_(False)
    return counts_rows(conv)


test_a_count_is_a_whole_number = refuses(
    check_distinct_kernels,
    (counts_as_a_tensor, "^64, a Tensor$"),
    (counts_as_a_float, "^64, a float$"),
    (says_whether_there_are_any, "^True, a bool$"),
    hint="its type is no whole number",
    case="",
)


def test_counting_leaves_the_convolution_as_it_was():
    refused(check_distinct_kernels(freezes_what_it_counts), hint="An argument is not what")


test_distinct_done = takes(
    check_distinct_kernels,
    counts_rows,
    counts_with_a_set,
    counts_with_numpy,
    counts_with_comparisons,
)


test_distinct_mistakes = refuses(
    check_distinct_kernels,
    (counts_all_kernels, "This counts kernels, also equal ones"),
    (believes_in_icnr, "what a right ICNR by 2 would give"),
    (counts_changes, "Right while copies are neighbors"),
    (counts_numbers, "These are the different numbers"),
    (counts_incoming_channels, "dim=1 are the channels that come in"),
    (compares_sums, "Two kernels may have one sum"),
    (compares_one_number, "Make each kernel one row"),
    (gives_the_shape, "This is a whole shape"),
    (gives_the_kernels, "These are the kernels themselves"),
    (always_16, "Make each kernel one row"),
    case="",
)


def test_the_published_number():
    verdict = check_distinct_kernels(believes_in_icnr)
    assert verdict.case == "64 -> 256 channels, ICNR by 4"
    assert (verdict.expected, verdict.got) == ("16", "64")
