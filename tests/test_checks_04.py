"""The checks of lesson 04 take the right answers, refuse wrong ones, and say why."""

import warnings

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from srlab.checks import check_distinct_kernels, check_icnr, check_shuffle
from srlab.upsamplers import icnr_, set_weight

warnings.filterwarnings("ignore", category=FutureWarning)

# Exercise 1 ----------------------------------------------------------------------------


def shuffles(x, factor):
    n, channels, h, w = x.shape
    x = x.view(n, channels // factor**2, factor, factor, h, w)
    return x.permute(0, 1, 4, 2, 5, 3).reshape(n, -1, h * factor, w * factor)


def shuffles_by_slices(x, factor):
    n, channels, h, w = x.shape
    large = x.new_zeros(n, channels // factor**2, h * factor, w * factor)
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


def runs_down_the_column(x, factor):
    n, channels, h, w = x.shape
    x = x.view(n, channels // factor**2, factor, factor, h, w)
    return x.permute(0, 1, 4, 3, 5, 2).reshape(n, -1, h * factor, w * factor)


def lays_whole_pictures_side_by_side(x, factor):
    n, channels, h, w = x.shape
    x = x.view(n, channels // factor**2, factor, factor, h, w)
    return x.permute(0, 1, 2, 4, 3, 5).reshape(n, -1, h * factor, w * factor)


def only_views(x, factor):
    return x.reshape(len(x), -1, x.shape[2] * factor, x.shape[3] * factor)


def goes_back(x, factor):
    return F.pixel_unshuffle(x, factor)


def repeats_one_channel(x, factor):
    return F.interpolate(x[:, :: factor**2], scale_factor=factor, mode="nearest")


def knows_only_factor_2(x, factor):  # noqa: ARG001
    return F.pixel_shuffle(x, 2)


def knows_only_one_picture(x, factor):
    return F.pixel_shuffle(x[:1], factor)


def knows_only_square_pictures(x, factor):
    side = x.shape[2]
    return F.pixel_shuffle(x[..., :side], factor)


def transposes(x, factor):
    return F.pixel_shuffle(x, factor).mT


@pytest.mark.parametrize("answer", [shuffles, shuffles_by_slices, F.pixel_shuffle])
def test_shuffle_done(answer):
    assert check_shuffle(answer).done


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (takes_channels_by_blocks, "Channels 0, 1, 2, 3 make a square"),
        (runs_down_the_column, "yours run down the column"),
        (lays_whole_pictures_side_by_side, "whole pictures side by side"),
        (only_views, "permute before the last reshape"),
        (goes_back, "That is the way back"),
        (repeats_one_channel, "This repeats one channel"),
        (knows_only_factor_2, "Row i, column j of a square"),
        (knows_only_one_picture, "Row i, column j of a square"),
        (knows_only_square_pictures, "Row i, column j of a square"),
        (transposes, ""),
    ],
)
def test_shuffle_mistakes(answer, hint):
    refused(check_shuffle(answer), hint)


# Exercise 2 ----------------------------------------------------------------------------


def one_kernel_for_each_square(conv, factor):
    return nn.init.kaiming_normal_(conv.weight[:: factor**2].detach().clone())


def starts_with_set_weight(conv, factor):
    kernel = one_kernel_for_each_square(conv, factor)
    set_weight(conv, kernel.repeat_interleave(factor**2, dim=0))
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)
    return conv


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
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)
    return conv


def forgets_the_bias(conv, factor):
    kernel = one_kernel_for_each_square(conv, factor)
    set_weight(conv, kernel.repeat_interleave(factor**2, dim=0))
    return conv


def takes_the_factor_squared(conv, factor):
    return icnr_(conv, factor**2)


def always_takes_2(conv, factor):  # noqa: ARG001
    return icnr_(conv, 2)


def copies_factor_times_only(conv, factor):
    kernel = conv.weight[::factor].detach()
    set_weight(conv, kernel.repeat_interleave(factor, dim=0))
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)
    return conv


def makes_all_kernels_equal(conv, factor):  # noqa: ARG001
    set_weight(conv, nn.init.kaiming_normal_(conv.weight[:1].detach()).expand_as(conv.weight))
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)
    return conv


def makes_everything_constant(conv, factor):  # noqa: ARG001
    set_weight(conv, torch.full_like(conv.weight, 0.1))
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)
    return conv


def makes_everything_zero(conv, factor):  # noqa: ARG001
    set_weight(conv, torch.zeros_like(conv.weight))
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)
    return conv


def hides_behind_the_bias(conv, factor):
    """Zero kernels, and a different bias for each square: flat, but blind."""
    makes_everything_zero(conv, factor)
    if conv.bias is not None:
        own = torch.randn(len(conv.bias) // factor**2)
        conv.bias.data = own.repeat_interleave(factor**2)
    return conv


def makes_the_kernels_tiny(conv, factor):
    return icnr_(conv, factor, lambda kernel: nn.init.normal_(kernel, std=1e-5))


def starts_a_new_convolution(conv, factor):
    return icnr_(nn.Conv2d(conv.in_channels, conv.out_channels, 3, padding=1), factor)


def takes_weight_norm_away(conv, factor):
    for kind in (nn.utils.remove_weight_norm, nn.utils.parametrize.remove_parametrizations):
        try:
            kind(conv, *(["weight"] if kind is not nn.utils.remove_weight_norm else []))
        except ValueError:
            continue
    return icnr_(conv, factor)


def changes_nothing(conv, factor):  # noqa: ARG001
    return conv


@pytest.mark.parametrize(
    "answer",
    [
        icnr_,
        starts_with_set_weight,
        starts_every_parameter,
        starts_in_place_and_returns_nothing,
    ],
)
def test_icnr_done(answer):
    verdict = check_icnr(answer)
    assert verdict.done, verdict


@pytest.mark.parametrize(
    ("answer", "case", "hint"),
    [
        (repeats_instead_of_interleaving, "a plain convolution", "repeat_interleave"),
        (makes_all_kernels_equal, "a plain convolution", "every channel has the same kernel"),
        (makes_everything_constant, "a plain convolution", "every channel has the same kernel"),
        (makes_everything_zero, "a plain convolution", "All zero is flat"),
        (hides_behind_the_bias, "a plain convolution", "All zero is flat"),
        (takes_the_factor_squared, "a plain convolution", "factor is the shuffle's own"),
        (copies_factor_times_only, "a plain convolution", "factor * factor pixels"),
        (makes_the_kernels_tiny, "a plain convolution", "All zero is flat"),
        (changes_nothing, "a plain convolution", "Nothing has changed"),
        (starts_a_new_convolution, "a plain convolution", ""),
        (forgets_the_bias, "with bias", "a bias of its own"),
        (writes_to_the_derived_weight, "under weight norm", "conv.weight is derived"),
        (takes_weight_norm_away, "under weight norm", "One kernel for each square"),
        (always_takes_2, "factor 3", "One kernel for each square"),
    ],
)
def test_icnr_mistakes(answer, case, hint):
    verdict = check_icnr(answer)
    refused(verdict, hint)
    assert case in verdict.case


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


@pytest.mark.parametrize(
    "answer",
    [
        compares_the_last_number,
        compares_one_channel,
        forgets_the_sign,
        rounds_the_numbers,
        compares_what_is_printed,
    ],
)
def test_distinct_other_wrong_answers(answer):
    assert not check_distinct_kernels(answer).done


def always_16(conv):  # noqa: ARG001
    return 16


@pytest.mark.parametrize("answer", [counts_rows, counts_with_a_set, counts_as_a_tensor])
def test_distinct_done(answer):
    assert check_distinct_kernels(answer).done


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (counts_all_kernels, "This counts kernels, also equal ones"),
        (believes_in_icnr, "what a right ICNR by 2 would give"),
        (counts_changes, "Right while copies are neighbors"),
        (counts_numbers, "These are the different numbers"),
        (counts_incoming_channels, "dim=1 are the channels that come in"),
        (compares_sums, "Two kernels may have one sum"),
        (compares_one_number, "Make each kernel one row"),
        (gives_the_shape, "The count is the first number"),
        (gives_the_kernels, "how many are they"),
        (always_16, "Make each kernel one row"),
    ],
)
def test_distinct_mistakes(answer, hint):
    refused(check_distinct_kernels(answer), hint)


def test_the_published_number():
    verdict = check_distinct_kernels(believes_in_icnr)
    assert verdict.case == "64 -> 256 channels, ICNR by 4"
    assert (verdict.expected, verdict.got) == ("16", "64")


def refused(verdict, hint):
    assert not verdict.done
    assert hint in verdict.hint, verdict
