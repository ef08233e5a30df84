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
    "mul(255).round().div(255).clamp(0, 1) -> clamp(0, 1).mul(255).add(0.5).floor().div(255)",
    of=degrade,
)

test_degrade_mistakes = refuses(
    check_degrade,
    {
        ("scale 4", "between the 256 steps"): (
            ".mul(255).round().div(255).clamp(0, 1) -> ",
            ".mul(255).round().div(255) -> ",
        ),
        ("a sharp edge", "overshoots"): ".clamp(0, 1) -> ",
        ("scale 4", "run to 255"): ".div(255).clamp(0, 1) -> .clamp(0, 255)",
        ("scale 4", "black and white are left"): ".mul(255).round().div(255) -> .round()",
        ("scale 4", "Rounded down"): ".mul(255).round() -> .clamp(0, 1).mul(255).floor()",
        ("scale 4", "every s-th pixel"): lambda hr, s: hr[..., ::s, ::s],
        ("scale 4", "still as large"): "shrink(hr, scale) -> hr",
    },
    of=degrade,
)


def psnr_by_hand(sr, hr, *, data_range=1.0):
    values = [
        20 * math.log10(data_range / math.sqrt((one - two).square().mean().item()))
        for one, two in zip(sr, hr, strict=True)
    ]
    return torch.tensor(values).mean()


test_psnr_done = takes(
    check_psnr,
    psnr,
    psnr_by_hand,  # an error where the pictures are equal
)

test_psnr_mistakes = refuses(
    check_psnr,
    {
        ("two pictures", "You averaged the errors"): "dim=(1, 2, 3) -> ",
        ("one picture", "natural logarithm"): "log10 -> log",
        ("one picture", "One number for each picture"): "mse)).mean() -> mse))",
        ("one picture", "Upside down"): "data_range**2 / mse -> mse / data_range**2",
        ("values from 0 to 255", "no effect"): "data_range**2 -> 1",
        ("values from 0 to 255", "data_range is not"): "data_range**2 -> data_range",
        ("one picture", "bels"): "10 * torch -> torch",
        ("one picture", "squared the average"): "square() -> abs(); / mse -> / mse**2",
        ("one picture", "20 belongs to a root"): "10 * torch -> 20 * torch",
        ("one picture", "absolute errors"): "square() -> abs()",
        ("equal pictures", "does not stay 0"): (
            "/ mse -> / (mse + 1e-8)",
            "/ mse -> / (mse + 1e-10)",
            "/ mse -> / mse.clamp(min=1e-12)",
        ),
    },
    of=psnr,
)


def luma_in_parts(images):
    red, green, blue = images.split(1, dim=1)
    return (16 + 65.481 * red + 128.553 * green + 24.966 * blue) / 255


test_luma_done = takes(check_luma, luma, luma_in_parts)

test_luma_mistakes = refuses(
    check_luma,
    {
        "The 16 is missing": "(16 + ( -> ((",
        "This runs to 235": "=True)) / 255 -> =True))",
        "16 was not divided": "(16 + ( -> 16 + ((",
        "Only the 16": "(16 + ( -> (16 / 255 + (; =True)) / 255 -> =True))",
        "axis of colors is gone": ", keepdim=True -> ",
        "changed places": "images * weights -> images * weights.flip(0)",
        "full-range": "(16 + ( -> ((; =True)) / 255 -> =True)) / 219",
        "not added up": ".sum(1, keepdim=True) -> ",
        "All colors count alike": lambda images: images.mean(1, keepdim=True),
        "16 was added once for each color": (
            "(16 + ( -> (16 + ; keepdim=True)) / 255 -> keepdim=True) / 255"
        ),
        "the mean over the colors": ".sum(1 -> .mean(1",
    },
    of=luma,
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
        (
            "border 0",
            "[0:-0] is empty",
        ): "height - border -> -border; width - border -> -border",
        ("border 2", "upper and left"): ": height - border -> :; : width - border -> :",
        (
            "border 2",
            "lower and right",
        ): "border : height -> : height; border : width -> : width",
        ("border 2", "Left and right"): ", border : width - border -> , :",
        ("border 2", "Top and bottom"): "border : height - border, -> ",
        ("border 2", "changed places"): "height, width = -> width, height =",
        ("border 2", "twice the border"): (
            "height - border -> height - 2 * border; width - border -> width - 2 * border"
        ),
        ("border 2", "Nothing was taken"): lambda images, _: images * 1,
        ("border 2", "still there"): lambda images, b: F.pad(images[..., b:-b, b:-b], [b] * 4),
    },
    of=shave,
)


# Exercise 1 ----------------------------------------------------------------------------


def byte_psnr(sr, hr):
    sr, hr = sr.float(), hr.float()
    mse = (sr - hr).square().mean(dim=(1, 2, 3))
    return (10 * torch.log10(255**2 / mse)).mean()


def loops_over_the_pictures(sr, hr):
    values = []
    for one, two in zip(sr.tolist(), hr.tolist(), strict=True):
        difference = torch.tensor(one) - torch.tensor(two)
        mse = difference.double().pow(2).mean().item()
        values.append(20 * math.log10(255 / math.sqrt(mse)))
    return sum(values) / len(values)


def computes_with_numpy(sr, hr):
    difference = sr.numpy().astype(float) - hr.numpy().astype(float)
    return np.mean(10 * np.log10(255**2 / (difference**2).mean(axis=(1, 2, 3))))


differs_in = (
    "sr.float(), hr.float() -> sr.{0}(), hr.{0}(); (sr - hr) -> (sr - hr).float()".format
)
squares_in = "sr.float(), hr.float() -> sr.{0}(), hr.{0}(); square() -> square().float()".format

test_byte_psnr_done = takes(
    check_byte_psnr,
    lambda sr, hr: psnr(sr.float() / 255, hr.float() / 255),
    loops_over_the_pictures,
    computes_with_numpy,
    "sr.float(), hr.float() -> torch.maximum(sr, hr), torch.minimum(sr, hr); "
    "(sr - hr) -> (sr - hr).float()",
    differs_in("half"),
    squares_in("int"),
    squares_in("double"),
    squares_in("long"),
    of=byte_psnr,
)


test_byte_psnr_mistakes = refuses(
    check_byte_psnr,
    {
        ("too dark", "3 - 8 is 251"): differs_in("byte"),
        ("two pictures", "wraps around, also when squared"): (
            squares_in("byte"),
            "(sr - hr) -> (sr - hr).int().byte(); square() -> square().float()",
        ),
        ("two pictures", "int8 ends at 127"): squares_in("char"),
        ("black where white should be", "int8 ends at 127"): differs_in("char"),
        ("black where white should be", "210 * 210 is 44,100"): squares_in("short"),
        ("", ""): (squares_in("bfloat16"), "float() -> half()"),
        ("too bright", "in bytes it is 255"): "255**2 -> 1",
        ("too bright", "read off the picture"): (
            "255**2 -> (hr.max() - hr.min()) ** 2",
            "255**2 -> hr.max() ** 2",
        ),
        ("two pictures", "You averaged the errors"): "dim=(1, 2, 3) -> ",
        ("both signs", "PSNR of each color"): "dim=(1, 2, 3) -> dim=(2, 3)",
        ("both signs", "squared the average"): "square() -> abs(); / mse -> / mse**2",
        ("too bright", "natural logarithm"): "log10 -> log",
        ("too bright", "20 belongs to a root"): "10 * -> 20 *",
        ("two pictures", "the sum over the pictures"): "mse)).mean() -> mse)).sum()",
    },
    of=byte_psnr,
)


test_what_torch_says_of_bytes_is_shown = refuses(
    check_byte_psnr,
    {
        ("no mean of whole", r"^NotImplementedError: mean\(\): could"): (
            "sr.float(), hr.float() -> sr, hr"
        ),
        ("no mean of whole", r"mean\(\): could not infer"): (
            "sr.float(), hr.float() -> sr.int(), hr.int(); dim=(1, 2, 3) -> "
        ),
        ("no mse_loss of bytes", 'NotImplementedError: "mse'): lambda sr, hr: (
            10 * torch.log10(255**2 / F.mse_loss(sr, hr))
        ),
        ("these are bytes", "TypeError: sr is torch.uint8"): lambda sr, hr: psnr(
            sr, hr, data_range=255
        ),
    },
    of=byte_psnr,
    case="too bright",
)


test_byte_psnr_other_wrong_answers = refuses(
    check_byte_psnr,
    ".mean(dim=(1, 2, 3)) -> .sum(dim=(1, 2, 3)) / (3 * sr[0, 0].numel())",
    ".mean(dim=(1, 2, 3)) -> .sum(dim=(1, 2, 3)) / (3 * sr.shape[-1] ** 2)",
    "mse)).mean() -> mse))",
    of=byte_psnr,
    hint="MSE of each picture",
)


# Exercise 2 ----------------------------------------------------------------------------


def weighs_by_hand(images):
    red, green, blue = images.split(1, dim=1)
    return 0.299 * red + 0.587 * green + 0.114 * blue


def stored(images):
    return to_bytes(images).float() / 255


def uses_the_protocol_of_srlab(sr, hr, border):
    protocol = Protocol("y", border)
    return psnr(protocol.apply(sr), protocol.apply(hr))


def published_psnr(sr, hr, b):
    sr, hr = stored(sr), stored(hr)
    sr, hr = luma(sr), luma(hr)
    h, w = sr.shape[-2:]
    return psnr(*(y[..., b : h - b, b : w - b] for y in (sr, hr)))


test_published_psnr_done = takes(
    check_published_psnr,
    published_psnr,
    lambda *given: published_psnr(*given).item(),
    "stored(sr), stored(hr) -> ((x.clamp(0, 1) * 255 + 0.5).byte() / 255 for x in (sr, hr))",
    "stored(sr), stored(hr) -> stored(sr.double()), stored(hr.double())",
    of=published_psnr,
)


test_published_psnr_mistakes = refuses(
    check_published_psnr,
    {
        ("border 4", "Two bugs are left"): (
            "= stored(sr), stored(hr) -> = sr, hr; b : h - b, b : w - b -> b:, b:; "
            "luma(sr), luma(hr) -> stored(luma(sr)), stored(luma(hr))"
        ),
        ("border 4", "published one compares luma"): "luma(sr), luma(hr) -> sr, hr",
        ("border 4", "1.32 dB"): "luma( -> weighs_by_hand(",
        ("border 4", "border is still there"): ", b : h - b, b : w - b -> ",
        ("border 0", "[0:-0] is empty"): "h - b -> -b; w - b -> -b",
        ("border 4", "Left and right"): "b : w - b -> :",
        ("border 4", "Top and bottom"): "b : h - b -> :",
        ("border 4", "upper and left border"): "b : h - b, b : w - b -> b:, b:",
        ("border 4", "Twice as much"): "sr.shape[-2:] -> sr.shape[-2:]\n    b = 2 * b",
        ("border 0", "always takes 4 px"): "sr.shape[-2:] -> sr.shape[-2:]\n    b = 4",
        (
            "border 4",
            "wins decibels",
        ): "psnr(* -> (lambda x, y: psnr(F.pad(x, [b] * 4), F.pad(y, [b] * 4)))(*",
        ("two pictures", "You averaged the errors"): (
            "psnr(* -> (lambda x, y: -10 * torch.log10((x - y).square().mean()))(*"
        ),
        ("between two steps", "only whole steps"): (
            "= stored(sr), stored(hr) -> = sr, hr",
            "stored(sr), stored(hr) -> sr.clamp(0, 1), hr",
        ),
        ("border 4", "You rounded luma"): (
            "= stored(sr), stored(hr) -> = sr, hr; "
            "luma(sr), luma(hr) -> stored(luma(sr)), stored(luma(hr))"
        ),
        ("hr between two steps", "Only sr was stored"): "stored(hr) -> hr",
        ("between two steps", ""): "stored(sr) -> sr",
        ("hr between two steps", ""): "stored(hr) -> hr.clamp(0, 1)",
        ("hr above 1", "hr was rounded, but not clamped"): (
            "stored(hr) -> hr.mul(255).round() / 255"
        ),
        ("border 4", "what the exercise forbids"): uses_the_protocol_of_srlab,
        ("between two steps", "not to the nearest"): (
            "stored(sr), stored(hr) -> sr.clamp(0, 1).mul(255).floor() / 255, hr"
        ),
        ("above 1", "no file holds them"): (
            "stored(sr), stored(hr) -> sr.mul(255).round() / 255, hr"
        ),
        ("above 1", "Bytes wrap around"): (
            "stored(sr), stored(hr) -> sr.mul(255).round().remainder(256) / 255, hr"
        ),
    },
    of=published_psnr,
)


test_published_psnr_other_wrong_answers = refuses(
    check_published_psnr,
    "b : h - b -> b : w - b",
    "stored(sr), stored(hr) -> stored(sr[:1]), stored(hr[:1])",
    "stored(sr), stored(hr) -> sr.clamp(max=1).mul(255).round() / 255, hr",
    "stored(sr), stored(hr) -> sr.abs().clamp(max=1).mul(255).round() / 255, hr",
    "stored(hr) -> stored(sr)",
    of=published_psnr,
)


# Exercise 3 ----------------------------------------------------------------------------


def bicubic_score(hr, scale):
    hr = crop_to_multiple(hr, scale)
    lr = degrade(hr, scale)
    sr = enlarge(lr, scale)
    protocol = Protocol("y", scale)
    return psnr(protocol.apply(sr), protocol.apply(hr))


by_hand = (
    "protocol.apply(sr), protocol.apply(hr) -> *(shave(luma({}), scale) for x in (sr, hr))"
)

test_bicubic_score_done = takes(
    check_bicubic_score,
    bicubic_score,
    lambda *given: bicubic_score(*given).item(),
    by_hand.format("stored(x)"),
    of=bicubic_score,
)

test_bicubic_score_mistakes = refuses(
    check_bicubic_score,
    {
        ("scale 4, 51", "which function cuts"): "crop_to_multiple(hr, scale) -> hr",
        ("scale 4, 48", "red, green and blue"): (
            '"y", scale -> "rgb", scale',
            '"y", scale -> "rgb", 0',
        ),
        ("scale 4, 48", "1.32 dB"): '"y", scale -> "y-full", scale',
        ("scale 4, 48", "still there"): '"y", scale -> "y", 0',
        ("scale 2", "always 4 px"): '"y", scale -> "y", 4',
        ("scale 2", "always shrinks to a quarter"): lambda hr, _: bicubic_score(hr, 4),
        ("scale 4, 48", "clamp and round"): by_hand.format("x"),
        ("scale 4, 48", "every s-th pixel"): "degrade(hr, scale) -> hr[..., ::scale, ::scale]",
        ("scale 4, 48", "only repeated"): (
            "enlarge(lr, scale) -> lr.repeat_interleave(scale, -1).repeat_interleave(scale, -2)"
        ),
    },
    of=bicubic_score,
)


def test_the_colleagues_score_has_three_bugs():
    names = {"torch": torch, "luma": luma}
    exec(THREE_BUGS, names)
    verdict = check_published_psnr(names["my_published_psnr"])
    assert not verdict.done
    assert "two are left" not in verdict.hint
    for line in (
        "(luma(images).clamp(0, 1) for",  # stored(images), before luma
        "y.mul(255).round().div(255)",
        "y[..., border:, border:]",  # only half of the border
    ):
        assert line in THREE_BUGS


# All of them -----------------------------------------------------------------------------


writes_into_its_input = {
    check_byte_psnr: last(byte_psnr, lambda sr, _: sr.sub_(1)),
    check_luma: last(luma_in_parts, lambda images: images.mul_(0.5)),
    check_degrade: last(degrade, lambda hr, _: hr.mul_(0.5)),
    check_published_psnr: last(published_psnr, lambda sr, *_: sr.zero_()),
}


@pytest.mark.parametrize(("check", "answer"), writes_into_its_input.items())
def test_input_changed_in_place(check, answer):
    refused(
        check(answer),
        hint="An argument is not what",
        got="^the function changed what it was given$",
    )
