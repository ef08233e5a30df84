"""The checks of lesson 00 take the right answer, refuse wrong ones, and say why."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from srlab.checks import check_byte_psnr, check_full_luma, check_published_psnr
from srlab.images import to_bytes
from srlab.metrics import Protocol, luma, psnr, shave
from tests.answering import refused, refuses, takes

# Exercise 1 ----------------------------------------------------------------------------


def divides_by_255_first(sr, hr):
    return psnr(sr.float() / 255, hr.float() / 255)


def loops_over_the_pictures(sr, hr):
    values = []
    for one, two in zip(sr.tolist(), hr.tolist(), strict=True):
        difference = torch.tensor(one) - torch.tensor(two)
        mse = difference.double().pow(2).mean().item()
        values.append(20 * math.log10(255 / math.sqrt(mse)))
    return sum(values) / len(values)


def decibels(mse):
    return (10 * torch.log10(255**2 / mse)).mean()


def mse_in_bytes(sr, hr):
    return (sr.float() - hr.float()).square().mean(dim=(1, 2, 3))


def subtracts_bytes(sr, hr):
    return decibels((sr - hr).float().square().mean(dim=(1, 2, 3)))


def squares_bytes(sr, hr):
    return decibels((sr.int() - hr.int()).to(torch.uint8).square().float().mean(dim=(1, 2, 3)))


def keeps_the_range_of_floats(sr, hr):
    return psnr(sr.float(), hr.float())


def reads_the_range_off_the_picture(sr, hr):
    data_range = float(hr.max()) - float(hr.min())
    return psnr(sr.float(), hr.float(), data_range=data_range)


def takes_the_brightest_value_as_range(sr, hr):
    return psnr(sr.float(), hr.float(), data_range=float(hr.max()))


def averages_the_errors_of_all_pictures(sr, hr):
    return 10 * torch.log10(255**2 / mse_in_bytes(sr, hr).mean())


def averages_over_channels(sr, hr):
    return decibels((sr.float() - hr.float()).square().mean(dim=(2, 3)))


def takes_absolute_differences(sr, hr):
    mae = (sr.float() - hr.float()).abs().mean(dim=(1, 2, 3))
    return (20 * torch.log10(255 / mae)).mean()


def takes_the_natural_logarithm(sr, hr):
    return (10 * torch.log(255**2 / mse_in_bytes(sr, hr))).mean()


def takes_twenty_times_the_logarithm(sr, hr):
    return (20 * torch.log10(255**2 / mse_in_bytes(sr, hr))).mean()


def adds_up_the_pictures(sr, hr):
    return (10 * torch.log10(255**2 / mse_in_bytes(sr, hr))).sum()


def subtracts_whole_numbers(sr, hr):
    return decibels((sr.int() - hr.int()).square().double().mean(dim=(1, 2, 3)))


def subtracts_the_darker_byte(sr, hr):
    difference = torch.maximum(sr, hr) - torch.minimum(sr, hr)
    return decibels(difference.float().square().mean(dim=(1, 2, 3)))


def subtracts_exactly_in_half_precision(sr, hr):
    return decibels((sr.half() - hr.half()).float().square().mean(dim=(1, 2, 3)))


@torch.no_grad()
def computes_with_numpy(sr, hr):
    difference = sr.numpy().astype(float) - hr.numpy().astype(float)
    return np.mean(10 * np.log10(255**2 / (difference**2).mean(axis=(1, 2, 3))))


def computes_in(dtype):
    def answer(sr, hr):
        return decibels((sr.to(dtype) - hr.to(dtype)).square().float().mean(dim=(1, 2, 3)))

    return answer


def subtracts_in_int8(sr, hr):
    return decibels(
        (sr.to(torch.int8) - hr.to(torch.int8)).float().square().mean(dim=(1, 2, 3))
    )


def keeps_all_in_half_precision(sr, hr):
    return decibels((sr.half() - hr.half()).square().mean(dim=(1, 2, 3)))


test_byte_psnr_done = takes(
    check_byte_psnr,
    divides_by_255_first,
    loops_over_the_pictures,
    subtracts_whole_numbers,
    subtracts_the_darker_byte,
    subtracts_exactly_in_half_precision,
    computes_with_numpy,
    computes_in(torch.float64),
    computes_in(torch.int64),
)


test_byte_psnr_mistakes = refuses(
    check_byte_psnr,
    (subtracts_bytes, "too dark", "3 - 8 is 251"),
    (squares_bytes, "two pictures", "wraps around, also when squared"),
    (keeps_the_range_of_floats, "too bright", "in bytes it is 255"),
    (reads_the_range_off_the_picture, "too bright", "read off the picture"),
    (takes_the_brightest_value_as_range, "too bright", "read off the picture"),
    (averages_the_errors_of_all_pictures, "two pictures", "You averaged the errors"),
    (averages_over_channels, "both signs", "PSNR of each color"),
    (takes_absolute_differences, "both signs", "squared the average"),
    (takes_the_natural_logarithm, "too bright", "natural logarithm"),
    (takes_twenty_times_the_logarithm, "too bright", "20 belongs to a root"),
    (adds_up_the_pictures, "two pictures", "the sum over the pictures"),
)


test_byte_psnr_in_types_that_are_too_small = refuses(
    check_byte_psnr,
    (computes_in(torch.uint8), "two pictures", "wraps around, also when squared"),
    (computes_in(torch.int8), "two pictures", "int8 ends at 127"),
    (subtracts_in_int8, "black where white should be", "int8 ends at 127"),
    (computes_in(torch.int16), "black where white should be", "210 * 210 is 44,100"),
    (computes_in(torch.bfloat16), "", ""),
    (keeps_all_in_half_precision, "", ""),
)


def forgets_to_make_floats(sr, hr):
    return (10 * torch.log10(255**2 / (sr - hr).square().mean(dim=(1, 2, 3)))).mean()


def forgets_it_with_whole_numbers(sr, hr):
    return (10 * torch.log10(255**2 / (sr.int() - hr.int()).square().mean())).mean()


def gives_bytes_to_torchs_loss(sr, hr):
    return 10 * torch.log10(255**2 / F.mse_loss(sr, hr))


def gives_bytes_to_psnr(sr, hr):
    return psnr(sr, hr, data_range=255)


test_what_torch_says_of_bytes_is_shown = refuses(
    check_byte_psnr,
    (forgets_to_make_floats, "no mean of whole", r"^NotImplementedError: mean\(\): could"),
    (forgets_it_with_whole_numbers, "no mean of whole", r"mean\(\): could not infer"),
    (gives_bytes_to_torchs_loss, "no mse_loss of bytes", 'NotImplementedError: "mse'),
    (gives_bytes_to_psnr, "these are bytes", "TypeError: sr is torch.uint8"),
    case="too bright",
)


def knows_only_colors(sr, hr):
    return decibels(
        (sr.float() - hr.float()).square().sum(dim=(1, 2, 3)) / (3 * sr[0, 0].numel())
    )


def knows_only_squares(sr, hr):
    return decibels(
        (sr.float() - hr.float()).square().sum(dim=(1, 2, 3)) / (3 * sr.shape[-1] ** 2)
    )


def one_number_for_each_picture(sr, hr):
    return 10 * torch.log10(255**2 / mse_in_bytes(sr, hr))


test_byte_psnr_other_wrong_answers = refuses(
    check_byte_psnr,
    knows_only_colors,
    knows_only_squares,
    one_number_for_each_picture,
    hint="MSE of each picture",
)


# Exercise 2 ----------------------------------------------------------------------------


def weighs_by_hand(images):
    red, green, blue = images.split(1, dim=1)
    return 0.299 * red + 0.587 * green + 0.114 * blue


def stretches_the_published_luma(images):
    return (luma(images) * 255 - 16) / 219


def gives_the_published_luma(images):
    return luma(images)


def averages_the_channels(images):
    return images.mean(1, keepdim=True)


def forgets_to_stretch(images):
    return luma(images) - 16 / 255


def forgets_black(images):
    return luma(images) / 219 * 255


def makes_only_white_right(images):
    return luma(images) * 255 / 235


def swaps_red_and_blue(images):
    return weighs_by_hand(images[:, [2, 1, 0]])


def drops_the_channel_axis(images):
    return weighs_by_hand(images).squeeze(1)


def goes_up_to_255(images):
    return weighs_by_hand(images) * 255


def rounds_the_weights(images):
    red, green, blue = images.split(1, dim=1)
    return 0.3 * red + 0.59 * green + 0.11 * blue


test_full_luma_done = takes(check_full_luma, weighs_by_hand, stretches_the_published_luma)


test_full_luma_mistakes = refuses(
    check_full_luma,
    (gives_the_published_luma, "published luma"),
    (averages_the_channels, "All channels count alike"),
    (forgets_to_stretch, "white is 219/255"),
    (forgets_black, "from which zero"),
    (makes_only_white_right, "black is not 0"),
    (swaps_red_and_blue, "changed places"),
    (drops_the_channel_axis, "The channel axis is gone"),
    (goes_up_to_255, "runs to 255"),
    (rounds_the_weights, "have lost digits"),
    case="a red, a green and a blue pixel",
)


def knows_only_one_picture(images):
    return weighs_by_hand(images[:1])


def repeats_three_channels(images):
    return weighs_by_hand(images).expand(-1, 3, -1, -1)


def turns_the_picture(images):
    return weighs_by_hand(images).transpose(2, 3)


def scales_by_the_brightest_pixel(images):
    y = luma(images) - 16 / 255
    return y / y.amax() * 0.587


test_full_luma_other_wrong_answers = refuses(
    check_full_luma,
    knows_only_one_picture,
    repeats_three_channels,
    turns_the_picture,
    scales_by_the_brightest_pixel,
    hint="move and stretch it",
)


# Exercise 3 ----------------------------------------------------------------------------


def stored(images):
    return images.clamp(0, 1).mul(255).round().div(255)


def uses_the_protocol_of_srlab(sr, hr, border):
    protocol = Protocol("y", border)
    return psnr(protocol.apply(sr), protocol.apply(hr))


def slices_by_hand(sr, hr, border):
    h, w = sr.shape[-2:]
    one, two = (
        luma(stored(images)[..., border : h - border, border : w - border])
        for images in (sr, hr)
    )
    return psnr(one, two).item()


def forgets_luma(sr, hr, border):
    return psnr(shave(stored(sr), border), shave(stored(hr), border))


def takes_full_range_luma(sr, hr, border):
    one, two = (weighs_by_hand(shave(stored(images), border)) for images in (sr, hr))
    return psnr(one, two)


def forgets_to_shave(sr, hr, border):  # noqa: ARG001
    return psnr(luma(stored(sr)), luma(stored(hr)))


def after_storing(cut):
    def answer(sr, hr, border):
        one, two = (cut(luma(stored(images)), border) for images in (sr, hr))
        return psnr(one, two)

    return answer


cuts_to_minus_zero = after_storing(lambda y, b: y[..., b:-b, b:-b])
shaves_rows_alone = after_storing(lambda y, b: y[..., b : y.shape[-2] - b, :])
shaves_columns_alone = after_storing(lambda y, b: y[..., b : y.shape[-1] - b])
shaves_the_upper_left = after_storing(lambda y, b: y[..., b:, b:])
shaves_twice = after_storing(lambda y, b: shave(shave(y, b), b))
always_shaves_four = after_storing(lambda y, _: shave(y, 4))


def blackens_the_border(sr, hr, border):
    mask = torch.zeros_like(sr[:, :1])
    shave(mask, border).fill_(1)
    return psnr(luma(stored(sr)) * mask, luma(stored(hr)) * mask)


def averages_errors_of_all(sr, hr, border):
    one, two = (shave(luma(stored(images)), border) for images in (sr, hr))
    return -10 * torch.log10((one - two).square().mean())


def keeps_all_digits(sr, hr, border):
    return psnr(shave(luma(sr), border), shave(luma(hr), border))


def clamps_without_rounding(sr, hr, border):
    return keeps_all_digits(sr.clamp(0, 1), hr, border)


def rounds_luma(sr, hr, border):
    return psnr(shave(stored(luma(sr)), border), shave(stored(luma(hr)), border))


def stores_sr_alone(sr, hr, border):
    return keeps_all_digits(stored(sr), hr, border)


def stores_hr_alone(sr, hr, border):
    return keeps_all_digits(sr, stored(hr), border)


def clamps_hr_without_rounding(sr, hr, border):
    return keeps_all_digits(stored(sr), hr.clamp(0, 1), border)


def rounds_hr_without_clamping(sr, hr, border):
    return keeps_all_digits(stored(sr), hr.mul(255).round() / 255, border)


def rounds_down(sr, hr, border):
    floored = sr.clamp(0, 1).mul(255).byte().float() / 255
    return psnr(shave(luma(floored), border), shave(luma(hr), border))


def rounds_without_clamping(sr, hr, border):
    return keeps_all_digits(sr.mul(255).round().div(255), hr, border)


def lets_bytes_wrap(sr, hr, border):
    wrapped = sr.mul(255).round().int().remainder(256).float() / 255
    return keeps_all_digits(wrapped, hr, border)


def stores_as_bytes(sr, hr, border):
    one, two = (
        shave(luma(images.clamp(0, 1).mul(255).add(0.5).byte().float() / 255), border)
        for images in (sr, hr)
    )
    return psnr(one, two)


def stores_in_double_precision(sr, hr, border):
    return slices_by_hand(sr.double(), hr.double(), border)


test_published_psnr_done = takes(
    check_published_psnr, slices_by_hand, stores_as_bytes, stores_in_double_precision
)


test_published_psnr_mistakes = refuses(
    check_published_psnr,
    (forgets_luma, "border 4", "published one compares luma"),
    (takes_full_range_luma, "border 4", "1.32 dB"),
    (forgets_to_shave, "border 4", "border is still there"),
    (cuts_to_minus_zero, "border 0", "[0:-0] is empty"),
    (shaves_rows_alone, "border 4", "Left and right"),
    (shaves_columns_alone, "border 4", "Top and bottom"),
    (shaves_the_upper_left, "border 4", "upper and left border"),
    (shaves_twice, "border 4", "Twice as much"),
    (always_shaves_four, "border 0", "always takes 4 px"),
    (blackens_the_border, "border 4", "wins decibels"),
    (averages_errors_of_all, "two pictures", "You averaged the errors"),
    (keeps_all_digits, "between two steps", "only whole steps"),
    (clamps_without_rounding, "between two steps", "only whole steps"),
    (rounds_luma, "border 4", "You rounded luma"),
    (stores_sr_alone, "hr between two steps", "Only sr was stored"),
    (stores_hr_alone, "between two steps", ""),
    (clamps_hr_without_rounding, "hr between two steps", ""),
    (rounds_hr_without_clamping, "hr above 1", "hr was rounded, but not clamped"),
    (uses_the_protocol_of_srlab, "border 4", "what the exercise forbids"),
    (rounds_down, "between two steps", "not to the nearest"),
    (rounds_without_clamping, "above 1", "no file holds them"),
    (lets_bytes_wrap, "above 1", "Bytes wrap around"),
)


def knows_only_square_pictures(sr, hr, border):
    end = sr.shape[-1] - border
    one, two = (luma(stored(images))[..., border:end, border:end] for images in (sr, hr))
    return psnr(one, two)


def knows_only_the_first_picture(sr, hr, border):
    return slices_by_hand(sr[:1], hr[:1], border)


def clamps_above_alone(sr, hr, border):
    return keeps_all_digits(sr.clamp(max=1).mul(255).round() / 255, hr, border)


def mirrors_what_is_below(sr, hr, border):
    return clamps_above_alone(sr.abs(), hr, border)


def compares_a_picture_with_itself(sr, hr, border):  # noqa: ARG001
    return slices_by_hand(sr, sr, border)


test_published_psnr_other_wrong_answers = refuses(
    check_published_psnr,
    knows_only_square_pictures,
    knows_only_the_first_picture,
    clamps_above_alone,
    mirrors_what_is_below,
    compares_a_picture_with_itself,
)


# All of them -----------------------------------------------------------------------------


def halves_its_input(images):
    y = weighs_by_hand(images)
    images.mul_(0.5)
    return y


def clamps_its_input(sr, hr, border):
    value = slices_by_hand(sr, hr, border)
    sr.zero_()
    return value


def reuses_its_input(sr, hr):
    value = divides_by_255_first(sr, hr)
    sr.sub_(1)
    return value


writes_into_its_input = {
    check_byte_psnr: reuses_its_input,
    check_full_luma: halves_its_input,
    check_published_psnr: clamps_its_input,
}


@pytest.mark.parametrize(("check", "answer"), writes_into_its_input.items())
def test_input_changed_in_place(check, answer):
    refused(
        check(answer),
        hint="An argument is not what",
        got="^the function changed what it was given$",
    )


def test_the_stored_picture_is_what_srlab_stores():
    images = torch.rand(1, 3, 4, 5) * 1.4 - 0.2
    assert stored(images).equal(to_bytes(images).float() / 255)
