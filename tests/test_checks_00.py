"""The checks of lesson 00 take the right answer, refuse wrong ones, and say why."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from srlab.checks import (
    check_bicubic_score,
    check_byte_psnr,
    check_degrade,
    check_luma,
    check_psnr,
    check_published_psnr,
    check_shave,
)
from srlab.checks.lesson00 import THREE_BUGS
from srlab.data import crop_to_multiple, degrade, shrink
from srlab.images import to_bytes
from srlab.metrics import Protocol, luma, psnr, shave
from srlab.models import enlarge
from tests.answering import last, refused, refuses, takes

# Builds --------------------------------------------------------------------------------


test_degrade_done = takes(
    check_degrade,
    degrade,
    lambda hr, scale: to_bytes(shrink(hr, scale)).float() / 255,
    lambda hr, scale: shrink(hr, scale).clamp(0, 1).mul(255).add(0.5).floor().div(255),
)

test_degrade_mistakes = refuses(
    check_degrade,
    {
        ("scale 4", "between the 256 steps"): (shrink, lambda hr, s: shrink(hr, s).clamp(0, 1)),
        ("a sharp edge", "overshoots"): lambda hr, s: (shrink(hr, s) * 255).round() / 255,
        ("scale 4", "run to 255"): lambda hr, s: to_bytes(shrink(hr, s)).float(),
        ("scale 4", "black and white are left"): lambda hr, s: shrink(hr, s).round(),
        ("scale 4", "Rounded down"): lambda hr, s: (
            shrink(hr, s).clamp(0, 1).mul(255).byte() / 255
        ),
        ("scale 4", "every s-th pixel"): lambda hr, s: hr[..., ::s, ::s],
        ("scale 4", "still as large"): lambda hr, _: to_bytes(hr).float() / 255,
    },
)


def psnr_by_hand(sr, hr, *, data_range=1.0):
    values = [
        20 * math.log10(data_range / math.sqrt((one - two).square().mean().item()))
        for one, two in zip(sr, hr, strict=True)
    ]
    return torch.tensor(values).mean()


def squared_error(sr, hr):
    return (sr - hr).square().mean(dim=(1, 2, 3))


test_psnr_done = takes(check_psnr, psnr, psnr_by_hand)

test_psnr_mistakes = refuses(
    check_psnr,
    {
        ("two pictures", "You averaged the errors"): lambda sr, hr, data_range=1.0: (
            10 * torch.log10(data_range**2 / (sr - hr).pow(2).mean())
        ),
        ("one picture", "natural logarithm"): lambda sr, hr, data_range=1.0: (
            10 * torch.log(data_range**2 / squared_error(sr, hr)).mean()
        ),
        ("one picture", "One number for each picture"): lambda sr, hr, data_range=1.0: (
            10 * torch.log10(data_range**2 / squared_error(sr, hr))
        ),
        ("one picture", "Upside down"): lambda sr, hr, data_range=1.0: (
            10 * torch.log10(squared_error(sr, hr) / data_range**2).mean()
        ),
        ("values from 0 to 255", "no effect"): lambda sr, hr, data_range=1.0: (  # noqa: ARG005
            -10 * torch.log10(squared_error(sr, hr)).mean()
        ),
        ("values from 0 to 255", "data_range is not"): lambda sr, hr, data_range=1.0: (
            10 * torch.log10(data_range / squared_error(sr, hr)).mean()
        ),
        ("one picture", "bels"): lambda sr, hr, data_range=1.0: torch.log10(
            data_range**2 / squared_error(sr, hr)
        ).mean(),
        ("one picture", "squared the average"): lambda sr, hr, data_range=1.0: (
            20 * torch.log10(data_range / (sr - hr).abs().mean(dim=(1, 2, 3))).mean()
        ),
    },
)


WEIGHTS = torch.tensor([65.481, 128.553, 24.966]).view(3, 1, 1)


def luma_in_parts(images):
    red, green, blue = images.split(1, dim=1)
    return (16 + 65.481 * red + 128.553 * green + 24.966 * blue) / 255


test_luma_done = takes(check_luma, luma, luma_in_parts)

test_luma_mistakes = refuses(
    check_luma,
    {
        "The 16 is missing": lambda images: (images * WEIGHTS).sum(1, keepdim=True) / 255,
        "This runs to 235": lambda images: 16 + (images * WEIGHTS).sum(1, keepdim=True),
        "16 was not divided": lambda images: 16 + (images * WEIGHTS).sum(1, keepdim=True) / 255,
        "Only the 16": lambda images: 16 / 255 + (images * WEIGHTS).sum(1, keepdim=True),
        "axis of colors is gone": lambda images: (16 + (images * WEIGHTS).sum(1)) / 255,
        "changed places": lambda images: luma_in_parts(images[:, [2, 1, 0]]),
        "full-range": lambda images: (images * WEIGHTS / 219).sum(1, keepdim=True),
        "not added up": lambda images: (16 + images * WEIGHTS) / 255,
        "All colors count alike": lambda images: images.mean(1, keepdim=True),
    },
    case="a red, a green and a blue pixel",
)


def crops_by_narrow(images, border):
    h, w = images.shape[-2:]
    return images.narrow(-2, border, h - 2 * border).narrow(-1, border, w - 2 * border)


test_shave_done = takes(
    check_shave,
    shave,
    crops_by_narrow,
    lambda images, b: images if b == 0 else images[..., b:-b, b:-b],
)

test_shave_mistakes = refuses(
    check_shave,
    {
        ("border 0", "[0:-0] is empty"): lambda images, b: images[..., b:-b, b:-b],
        ("border 2", "upper and left"): lambda images, b: images[..., b:, b:],
        ("border 2", "lower and right"): lambda images, b: images[..., :-b, :-b],
        ("border 2", "Left and right"): lambda images, b: images[..., b:-b, :],
        ("border 2", "Top and bottom"): lambda images, b: images[..., b:-b],
        ("border 2", "changed places"): lambda images, b: images[
            ..., b : images.shape[-1] - b, b : images.shape[-2] - b
        ],
        ("border 2", "Nothing was taken"): lambda images, _: images * 1,
        ("border 2", "still there"): lambda images, b: F.pad(images[..., b:-b, b:-b], [b] * 4),
    },
)


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
        ("border 4", "Two bugs are left"): lambda sr, hr, b: psnr(
            stored(luma(sr))[..., b:, b:], stored(luma(hr))[..., b:, b:]
        ),
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


# Exercise 3 ----------------------------------------------------------------------------


def scores_with_protocol(hr, scale):
    hr = crop_to_multiple(hr, scale)
    sr = enlarge(degrade(hr, scale), scale)
    return psnr(Protocol("y", scale).apply(sr), Protocol("y", scale).apply(hr))


def scores_by_hand(hr, scale):
    hr = crop_to_multiple(hr, scale)
    sr = enlarge(degrade(hr, scale), scale)
    return psnr(shave(luma(stored(sr)), scale), shave(luma(stored(hr)), scale)).item()


def scores(*, channels="y", border=lambda scale: scale, crop=crop_to_multiple, sr_of=None):
    def answer(hr, scale):
        hr = crop(hr, scale)
        sr = sr_of(hr, scale) if sr_of else enlarge(degrade(hr, scale), scale)
        protocol = Protocol(channels, border(scale))
        return psnr(protocol.apply(sr), protocol.apply(hr))

    return answer


test_bicubic_score_done = takes(check_bicubic_score, scores_with_protocol, scores_by_hand)

test_bicubic_score_mistakes = refuses(
    check_bicubic_score,
    {
        ("scale 4, 51", "which function cuts"): scores(crop=lambda hr, _: hr),
        ("scale 4, 48", "red, green and blue"): (
            scores(channels="rgb"),
            scores(channels="rgb", border=lambda _: 0),
        ),
        ("scale 4, 48", "1.32 dB"): scores(channels="y-full"),
        ("scale 4, 48", "still there"): scores(border=lambda _: 0),
        ("scale 2", "always 4 px"): scores(border=lambda _: 4),
        ("scale 2", "always shrinks to a quarter"): lambda hr, _: scores_with_protocol(hr, 4),
        ("scale 4, 48", "clamp and round"): lambda hr, scale: psnr(
            shave(luma(enlarge(degrade(crop_to_multiple(hr, scale), scale), scale)), scale),
            shave(luma(crop_to_multiple(hr, scale)), scale),
        ),
        ("scale 4, 48", "every s-th pixel"): scores(
            sr_of=lambda hr, scale: enlarge(hr[..., ::scale, ::scale], scale)
        ),
        ("scale 4, 48", "only repeated"): scores(
            sr_of=lambda hr, scale: (
                degrade(hr, scale).repeat_interleave(scale, -1).repeat_interleave(scale, -2)
            )
        ),
    },
)


def given(source, name):
    space = {"torch": torch, "luma": luma}
    exec(source, space)
    return space[name]


def test_the_colleagues_score_has_three_bugs():
    verdict = check_published_psnr(given(THREE_BUGS, "my_published_psnr"))
    assert not verdict.done
    assert "two are left" not in verdict.hint
    for line, better in {
        "(luma(images).clamp(0, 1) for": "(luma(stored(images)) for",
        "y.mul(255).round().div(255)": "y",
        "y[..., border:, border:]": "y[..., border:-border, border:-border]",
    }.items():
        assert line in THREE_BUGS, better


# All of them -----------------------------------------------------------------------------


writes_into_its_input = {
    check_byte_psnr: last(divides_by_255_first, lambda sr, _: sr.sub_(1)),
    check_luma: last(luma_in_parts, lambda images: images.mul_(0.5)),
    check_degrade: last(degrade, lambda hr, _: hr.mul_(0.5)),
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
