"""The checks of lesson 00 take the right answer, refuse wrong ones, and say why."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from srlab.checks import check_byte_psnr, check_full_luma, check_published_psnr
from srlab.images import to_bytes
from srlab.metrics import Protocol, luma, psnr, shave
from tests.answering import last, refused, refuses, takes

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


def reads_the_range_off_the_picture(sr, hr):
    data_range = float(hr.max()) - float(hr.min())
    return psnr(sr.float(), hr.float(), data_range=data_range)


def takes_absolute_differences(sr, hr):
    mae = (sr.float() - hr.float()).abs().mean(dim=(1, 2, 3))
    return (20 * torch.log10(255 / mae)).mean()


def subtracts_the_darker_byte(sr, hr):
    difference = torch.maximum(sr, hr) - torch.minimum(sr, hr)
    return decibels(difference.float().square().mean(dim=(1, 2, 3)))


@torch.no_grad()
def computes_with_numpy(sr, hr):
    difference = sr.numpy().astype(float) - hr.numpy().astype(float)
    return np.mean(10 * np.log10(255**2 / (difference**2).mean(axis=(1, 2, 3))))


def computes_in(dtype):
    def answer(sr, hr):
        return decibels((sr.to(dtype) - hr.to(dtype)).square().float().mean(dim=(1, 2, 3)))

    return answer


test_byte_psnr_done = takes(
    check_byte_psnr,
    divides_by_255_first,
    loops_over_the_pictures,
    lambda sr, hr: decibels((sr.int() - hr.int()).square().double().mean(dim=(1, 2, 3))),
    subtracts_the_darker_byte,
    lambda sr, hr: decibels((sr.half() - hr.half()).float().square().mean(dim=(1, 2, 3))),
    computes_with_numpy,
    computes_in(torch.float64),
    computes_in(torch.int64),
)


test_byte_psnr_mistakes = refuses(
    check_byte_psnr,
    {
        ("too dark", "3 - 8 is 251"): subtracts_bytes,
        ("two pictures", "wraps around, also when squared"): lambda sr, hr: decibels(
            (sr.int() - hr.int()).to(torch.uint8).square().float().mean(dim=(1, 2, 3))
        ),
        ("too bright", "in bytes it is 255"): lambda sr, hr: psnr(sr.float(), hr.float()),
        ("too bright", "read off the picture"): (
            reads_the_range_off_the_picture,
            lambda sr, hr: psnr(sr.float(), hr.float(), data_range=float(hr.max())),
        ),
        ("two pictures", "You averaged the errors"): lambda sr, hr: (
            10 * torch.log10(255**2 / mse_in_bytes(sr, hr).mean())
        ),
        ("both signs", "PSNR of each color"): lambda sr, hr: decibels(
            (sr.float() - hr.float()).square().mean(dim=(2, 3))
        ),
        ("both signs", "squared the average"): takes_absolute_differences,
        ("too bright", "natural logarithm"): lambda sr, hr: (
            10 * torch.log(255**2 / mse_in_bytes(sr, hr))
        ).mean(),
        ("too bright", "20 belongs to a root"): lambda sr, hr: (
            20 * torch.log10(255**2 / mse_in_bytes(sr, hr))
        ).mean(),
        ("two pictures", "the sum over the pictures"): lambda sr, hr: (
            10 * torch.log10(255**2 / mse_in_bytes(sr, hr))
        ).sum(),
    },
)


test_byte_psnr_in_types_that_are_too_small = refuses(
    check_byte_psnr,
    {
        ("two pictures", "wraps around, also when squared"): computes_in(torch.uint8),
        ("two pictures", "int8 ends at 127"): computes_in(torch.int8),
        ("black where white should be", "int8 ends at 127"): lambda sr, hr: decibels(
            (sr.to(torch.int8) - hr.to(torch.int8)).float().square().mean(dim=(1, 2, 3))
        ),
        ("black where white should be", "210 * 210 is 44,100"): computes_in(torch.int16),
        ("", ""): (
            computes_in(torch.bfloat16),
            lambda sr, hr: decibels((sr.half() - hr.half()).square().mean(dim=(1, 2, 3))),
        ),
    },
)


test_what_torch_says_of_bytes_is_shown = refuses(
    check_byte_psnr,
    {
        ("no mean of whole", r"^NotImplementedError: mean\(\): could"): lambda sr, hr: (
            10 * torch.log10(255**2 / (sr - hr).square().mean(dim=(1, 2, 3)))
        ).mean(),
        ("no mean of whole", r"mean\(\): could not infer"): lambda sr, hr: (
            10 * torch.log10(255**2 / (sr.int() - hr.int()).square().mean())
        ).mean(),
        ("no mse_loss of bytes", 'NotImplementedError: "mse'): lambda sr, hr: (
            10 * torch.log10(255**2 / F.mse_loss(sr, hr))
        ),
        ("these are bytes", "TypeError: sr is torch.uint8"): lambda sr, hr: psnr(
            sr, hr, data_range=255
        ),
    },
    case="too bright",
)


test_byte_psnr_other_wrong_answers = refuses(
    check_byte_psnr,
    lambda sr, hr: decibels(
        (sr.float() - hr.float()).square().sum(dim=(1, 2, 3)) / (3 * sr[0, 0].numel())
    ),
    lambda sr, hr: decibels(
        (sr.float() - hr.float()).square().sum(dim=(1, 2, 3)) / (3 * sr.shape[-1] ** 2)
    ),
    lambda sr, hr: 10 * torch.log10(255**2 / mse_in_bytes(sr, hr)),
    hint="MSE of each picture",
)


# Exercise 2 ----------------------------------------------------------------------------


def weighs_by_hand(images):
    red, green, blue = images.split(1, dim=1)
    return 0.299 * red + 0.587 * green + 0.114 * blue


def rounds_the_weights(images):
    red, green, blue = images.split(1, dim=1)
    return 0.3 * red + 0.59 * green + 0.11 * blue


test_full_luma_done = takes(
    check_full_luma, weighs_by_hand, lambda images: (luma(images) * 255 - 16) / 219
)


test_full_luma_mistakes = refuses(
    check_full_luma,
    {
        "published luma": lambda images: luma(images),
        "All channels count alike": lambda images: images.mean(1, keepdim=True),
        "white is 219/255": lambda images: luma(images) - 16 / 255,
        "from which zero": lambda images: luma(images) / 219 * 255,
        "black is not 0": lambda images: luma(images) * 255 / 235,
        "changed places": lambda images: weighs_by_hand(images[:, [2, 1, 0]]),
        "The channel axis is gone": lambda images: weighs_by_hand(images).squeeze(1),
        "runs to 255": lambda images: weighs_by_hand(images) * 255,
        "have lost digits": rounds_the_weights,
    },
    case="a red, a green and a blue pixel",
)


def scales_by_the_brightest_pixel(images):
    y = luma(images) - 16 / 255
    return y / y.amax() * 0.587


test_full_luma_other_wrong_answers = refuses(
    check_full_luma,
    lambda images: weighs_by_hand(images[:1]),
    lambda images: weighs_by_hand(images).expand(-1, 3, -1, -1),
    lambda images: weighs_by_hand(images).transpose(2, 3),
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


def takes_full_range_luma(sr, hr, border):
    one, two = (weighs_by_hand(shave(stored(images), border)) for images in (sr, hr))
    return psnr(one, two)


def after_storing(cut):
    def answer(sr, hr, border):
        one, two = (cut(luma(stored(images)), border) for images in (sr, hr))
        return psnr(one, two)

    return answer


def blackens_the_border(sr, hr, border):
    mask = torch.zeros_like(sr[:, :1])
    shave(mask, border).fill_(1)
    return psnr(luma(stored(sr)) * mask, luma(stored(hr)) * mask)


def averages_errors_of_all(sr, hr, border):
    one, two = (shave(luma(stored(images)), border) for images in (sr, hr))
    return -10 * torch.log10((one - two).square().mean())


def keeps_all_digits(sr, hr, border):
    return psnr(shave(luma(sr), border), shave(luma(hr), border))


def rounds_down(sr, hr, border):
    floored = sr.clamp(0, 1).mul(255).byte().float() / 255
    return psnr(shave(luma(floored), border), shave(luma(hr), border))


def lets_bytes_wrap(sr, hr, border):
    wrapped = sr.mul(255).round().int().remainder(256).float() / 255
    return keeps_all_digits(wrapped, hr, border)


def stores_as_bytes(sr, hr, border):
    one, two = (
        shave(luma(images.clamp(0, 1).mul(255).add(0.5).byte().float() / 255), border)
        for images in (sr, hr)
    )
    return psnr(one, two)


test_published_psnr_done = takes(
    check_published_psnr,
    slices_by_hand,
    stores_as_bytes,
    lambda sr, hr, border: slices_by_hand(sr.double(), hr.double(), border),
)


test_published_psnr_mistakes = refuses(
    check_published_psnr,
    {
        ("border 4", "published one compares luma"): lambda sr, hr, border: psnr(
            shave(stored(sr), border), shave(stored(hr), border)
        ),
        ("border 4", "1.32 dB"): takes_full_range_luma,
        ("border 4", "border is still there"): lambda sr, hr, _: psnr(
            luma(stored(sr)), luma(stored(hr))
        ),
        ("border 0", "[0:-0] is empty"): after_storing(lambda y, b: y[..., b:-b, b:-b]),
        ("border 4", "Left and right"): (
            after_storing(lambda y, b: y[..., b : y.shape[-2] - b, :])
        ),
        ("border 4", "Top and bottom"): after_storing(lambda y, b: y[..., b : y.shape[-1] - b]),
        ("border 4", "upper and left border"): after_storing(lambda y, b: y[..., b:, b:]),
        ("border 4", "Twice as much"): after_storing(lambda y, b: shave(shave(y, b), b)),
        ("border 0", "always takes 4 px"): after_storing(lambda y, _: shave(y, 4)),
        ("border 4", "wins decibels"): blackens_the_border,
        ("two pictures", "You averaged the errors"): averages_errors_of_all,
        ("between two steps", "only whole steps"): (
            keeps_all_digits,
            lambda sr, hr, border: keeps_all_digits(sr.clamp(0, 1), hr, border),
        ),
        ("border 4", "You rounded luma"): lambda sr, hr, border: psnr(
            shave(stored(luma(sr)), border), shave(stored(luma(hr)), border)
        ),
        ("hr between two steps", "Only sr was stored"): lambda sr, hr, border: keeps_all_digits(
            stored(sr), hr, border
        ),
        ("between two steps", ""): lambda sr, hr, border: keeps_all_digits(
            sr, stored(hr), border
        ),
        ("hr between two steps", ""): lambda sr, hr, border: keeps_all_digits(
            stored(sr), hr.clamp(0, 1), border
        ),
        ("hr above 1", "hr was rounded, but not clamped"): lambda sr, hr, border: (
            keeps_all_digits(stored(sr), hr.mul(255).round() / 255, border)
        ),
        ("border 4", "what the exercise forbids"): uses_the_protocol_of_srlab,
        ("between two steps", "not to the nearest"): rounds_down,
        ("above 1", "no file holds them"): lambda sr, hr, border: keeps_all_digits(
            sr.mul(255).round().div(255), hr, border
        ),
        ("above 1", "Bytes wrap around"): lets_bytes_wrap,
    },
)


def knows_only_square_pictures(sr, hr, border):
    end = sr.shape[-1] - border
    one, two = (luma(stored(images))[..., border:end, border:end] for images in (sr, hr))
    return psnr(one, two)


def clamps_above_alone(sr, hr, border):
    return keeps_all_digits(sr.clamp(max=1).mul(255).round() / 255, hr, border)


test_published_psnr_other_wrong_answers = refuses(
    check_published_psnr,
    knows_only_square_pictures,
    lambda sr, hr, border: slices_by_hand(sr[:1], hr[:1], border),
    clamps_above_alone,
    lambda sr, hr, border: clamps_above_alone(sr.abs(), hr, border),
    lambda sr, _, border: slices_by_hand(sr, sr, border),
)


# All of them -----------------------------------------------------------------------------


writes_into_its_input = {
    check_byte_psnr: last(divides_by_255_first, lambda sr, _: sr.sub_(1)),
    check_full_luma: last(weighs_by_hand, lambda images: images.mul_(0.5)),
    check_published_psnr: last(slices_by_hand, lambda sr, *_: sr.zero_()),
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
