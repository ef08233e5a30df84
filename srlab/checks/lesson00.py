"""Checks of lesson 00: making a pair, scoring a guess, and the published protocol."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from srlab.checks.answers import uniform_values
from srlab.checks.core import Answer, Mistakes, Verdict, judge, without_calling
from srlab.checks.steps import in_steps
from srlab.data import crop_to_multiple, degrade, shrink
from srlab.images import to_bytes
from srlab.metrics import Channels, Protocol, luma, psnr, shave
from srlab.models import enlarge

BORDER = 4  # px

THREE_BUGS = """\
def my_published_psnr(sr, hr, border):
    y_sr, y_hr = (luma(images).clamp(0, 1) for images in (sr, hr))
    y_sr, y_hr = (y.mul(255).round().div(255) for y in (y_sr, y_hr))
    if border > 0:
        y_sr, y_hr = (y[..., border:, border:] for y in (y_sr, y_hr))
    mse = (y_sr - y_hr).square().mean()
    return 10 * torch.log10(1 / mse)
"""


@in_steps()
def check_degrade(answer: Answer | None) -> Verdict:
    """Check ``answer(hr, scale)``: a small picture as a file would hold it."""
    edge = torch.zeros(1, 3, 16, 32)
    edge[..., 14:] = 1
    return judge(
        answer,
        right=degrade,
        cases={
            "scale 4, 16 x 24 px": (uniform_values(5, 1, 3, 16, 24), 4),
            "scale 2, two pictures": (uniform_values(6, 2, 3, 12, 8), 2),
            "a sharp edge from 0 to 1": (edge, 4),
        },
        mistakes=DEGRADE_MISTAKES,
        tolerance=1e-4,
    )


@in_steps()
def check_psnr(answer: Answer | None) -> Verdict:
    """Check ``answer(sr, hr, data_range=...)``: the mean of the pictures' PSNR, dB."""
    hr = uniform_values(7, 2, 3, 6, 9)
    sr = hr + torch.tensor([0.02, 0.2]).view(2, 1, 1, 1) * (uniform_values(8, 2, 3, 6, 9) - 0.5)
    return judge(
        answer,
        right=psnr,
        cases={
            "one picture": (sr[:1], hr[:1], 1.0),
            "two pictures, the second ten times as wrong": (sr, hr, 1.0),
            "values from 0 to 255": (255 * sr[:1], 255 * hr[:1], 255.0),
            "equal pictures": (hr, hr, 1.0),
        },
        mistakes=PSNR_MISTAKES,
        seen_through=_with_data_range,
        tolerance=1e-3,
    )


@in_steps()
def check_luma(answer: Answer | None) -> Verdict:
    """Check ``answer(images)``: brightness from 16/255 to 235/255, ``(N, 1, h, w)``."""
    primaries = torch.eye(3).view(1, 3, 1, 3)  # red, green, blue side by side
    return judge(
        answer,
        right=luma,
        cases={
            "a red, a green and a blue pixel": (primaries,),
            "a black pixel": (torch.zeros(1, 3, 1, 1),),
            "a white pixel": (torch.ones(1, 3, 1, 1),),
            "two pictures of 3 x 5 px": (uniform_values(2, 2, 3, 3, 5),),
        },
        mistakes=LUMA_MISTAKES,
    )


@in_steps()
def check_shave(answer: Answer | None) -> Verdict:
    """Check ``answer(images, border)``: the pictures without their border."""
    images = uniform_values(9, 2, 3, 10, 14)
    return judge(
        answer,
        right=shave,
        cases={f"border {border}": (images, border) for border in (2, 0, 4)},
        mistakes=SHAVE_MISTAKES,
    )


@in_steps()
def check_byte_psnr(answer: Answer | None) -> Verdict:
    """Check ``answer(sr, hr)``: mean PSNR of uint8 ``(N, C, h, w)``, in dB."""
    hr = _bytes(0, 2, 3, 5, 7)
    uneven = hr.int() + _errors(1, hr.shape, (3, 30))
    extreme = 240 * (hr[:1] % 2) + hr[:1] % 16  # differences of 210 and more
    return judge(
        answer,
        right=lambda sr, hr: _decibels(_mse(sr, hr)),
        cases={
            "every value 5 too bright": (hr[:1] + 5, hr[:1]),
            "every value 5 too dark": (hr[:1] - 5, hr[:1]),
            "errors of both signs and several sizes": (uneven[:1].to(torch.uint8), hr[:1]),
            "two pictures, the second ten times as wrong": (uneven.to(torch.uint8), hr),
            "one gray picture": (hr[:1, :1] + 9, hr[:1, :1]),
            "almost no contrast": (hr[:1] // 40 + 101, hr[:1] // 40 + 100),
            "black where white should be, and the other way round": (255 - extreme, extreme),
        },
        mistakes=BYTE_PSNR_MISTAKES,
        tolerance=1e-3,
    )


@in_steps(starter=THREE_BUGS)
def check_published_psnr(answer: Answer | None) -> Verdict:
    """Check ``answer(sr, hr, border)``: PSNR under the published protocol, dB."""
    hr = _stored(uniform_values(3, 2, 3, 20, 26))
    sr = _stored(hr + _errors(4, hr.shape, (4, 12)) / 255)
    noisy_border = hr + (sr - hr) * (1 + 4 * _border_mask(hr))
    between = torch.where(hr < 1, hr + 0.6 / 255, hr)  # rounds up to a whole step
    outside = torch.where(hr > 0.7, hr + 0.5, hr)  # as bicubic does, only more
    below = torch.where(hr < 0.3, hr - 0.5, hr)
    unstored = torch.where(hr < 1, hr + 0.4 / 255, hr)  # rounds down to hr
    return judge(
        without_calling(answer, "Protocol.apply"),
        right=_published_with(),
        cases={
            "border 4": (_stored(noisy_border[:1]), hr[:1], BORDER),
            "border 0": (sr[:1], hr[:1], 0),
            "two pictures": (sr, hr, BORDER),
            "values between two steps of 1/255": (between[:1], hr[:1], BORDER),
            "values above 1": (outside[:1], hr[:1], BORDER),
            "values below 0": (below[:1], hr[:1], BORDER),
            "values of hr between two steps of 1/255": (between[:1], unstored[:1], BORDER),
            "values of hr above 1 and below 0": (sr[:1], 1.6 * hr[:1] - 0.3, BORDER),
        },
        mistakes=PUBLISHED_MISTAKES,
        tolerance=1e-3,
    )


@in_steps()
def check_bicubic_score(answer: Answer | None) -> Verdict:
    """Check ``answer(hr, scale)``: what bicubic scores by the published protocol, dB."""
    smooth = enlarge(uniform_values(10, 1, 3, 13, 15), 4)  # 52 x 60 px
    noise = 0.2 * uniform_values(11, *smooth.shape)
    noisy = (1.8 * smooth - 0.5 + noise).clamp(0, 1)  # reaches black and white
    return judge(
        answer,
        right=_bicubic_score,
        cases={
            "scale 4, 48 x 56 px": (noisy[..., :48, :56], 4),
            "scale 2, 48 x 56 px": (noisy[..., :48, :56], 2),
            "scale 4, 51 x 57 px": (noisy[..., :51, :57], 4),
            "scale 8, 48 x 56 px": (noisy[..., :48, :56], 8),
        },
        mistakes=SCORE_MISTAKES,
        tolerance=1e-3,
    )


TWICE = "Twice too large: a factor of 20 belongs to a root, and this is a square."
POOLED = "You averaged the errors of all pictures; the mean of their PSNRs is another number."


def _mse(sr: Tensor, hr: Tensor) -> Tensor:
    """Mean squared error of each picture, in steps of 8 bits."""
    return (sr.double() - hr.double()).square().mean(dim=(1, 2, 3))


def _decibels(mse: Tensor, data_range: float | Tensor = 255.0) -> float:
    """The mean of the PSNR of each error."""
    return float((10 * torch.log10(data_range**2 / mse)).mean())


def _full_luma(images: Tensor) -> Tensor:
    return (luma(images) - 16 / 255) * (255 / 219)


def _with_data_range(answer: Answer) -> Answer:
    """Call it as the lesson does, with the range by its name."""

    def called(sr: Tensor, hr: Tensor, data_range: float) -> Any:
        try:
            return answer(sr, hr, data_range=data_range)
        except (ArithmeticError, ValueError):
            if not sr.equal(hr):
                raise
            return torch.tensor(torch.inf)  # Python's own floats raise where torch's are inf

    return called


def _bicubic_score(
    hr: Tensor,
    scale: int,
    *,
    channels: Channels = "y",
    border: int | None = None,
    crop: Callable[[Tensor, int], Tensor] = crop_to_multiple,
    small: Callable[[Tensor, int], Tensor] = degrade,
    large: Callable[[Tensor, int], Tensor] = enlarge,
) -> float:
    """The score of the exercise with one of its steps replaced."""
    hr = crop(hr, scale)
    protocol = Protocol(channels, scale if border is None else border)
    return float(psnr(protocol.apply(large(small(hr, scale), scale)), protocol.apply(hr)))


def _unstored_score(hr: Tensor, scale: int) -> float:
    hr = crop_to_multiple(hr, scale)
    sr = enlarge(degrade(hr, scale), scale)
    return float(psnr(shave(luma(sr), scale), shave(luma(hr), scale)))


def _stored(images: Tensor) -> Tensor:
    """What a file of 8 bits would give back."""
    return to_bytes(images).float() / 255


def _as_given(images: Tensor, *_: int) -> Tensor:
    return images


def _stored_luma(images: Tensor) -> Tensor:
    return _stored(luma(images))


def _upper_and_left(images: Tensor, border: int) -> Tensor:
    return images[..., border:, border:]


def _published_with(
    store: Callable[[Tensor], Tensor] = _stored,
    color: Callable[[Tensor], Tensor] = luma,
    cut: Callable[[Tensor, int], Tensor] = shave,
    store_hr: Callable[[Tensor], Tensor] | None = None,
    compare: Callable[[Tensor, Tensor], Tensor] = psnr,
) -> Answer:
    """The published protocol with one of its steps replaced."""

    def protocol(sr: Tensor, hr: Tensor, border: int) -> float:
        pictures = store(sr), (store_hr or store)(hr)
        return float(compare(*(cut(color(images), border) for images in pictures)))

    return protocol


def _border_mask(images: Tensor, border: int = BORDER) -> Tensor:
    """1 in the border, 0 inside."""
    mask = torch.ones_like(images)
    shave(mask, border).zero_()
    return mask


def _rounded(images: Tensor) -> Tensor:
    return images.mul(255).round().div(255)


def _bytes(seed: int, *shape: int) -> Tensor:
    """Random uint8 with room on both sides for an error."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(60, 180, shape, generator=generator).to(torch.uint8)


def _errors(seed: int, shape: torch.Size, largest: tuple[int, int]) -> Tensor:
    """Random whole errors, those of each picture up to its own size."""
    errors = uniform_values(seed, *shape) * 2 - 1
    return (errors * torch.tensor(largest).view(2, 1, 1, 1)).round().int()


def _bytes_psnr(
    error: Callable[[Tensor, Tensor], Tensor], decibels: Callable[[Tensor], float] = _decibels
) -> Answer:
    """The PSNR of each picture's mean error, both counted in another way."""
    return lambda sr, hr: decibels(error(sr, hr).double().mean(dim=(1, 2, 3)))


def _by_mse(decibels: Callable[[Tensor], float]) -> Answer:
    """The right errors, and another way from them to decibels."""
    return lambda sr, hr: decibels(_mse(sr, hr))


BYTE_PSNR_MISTAKES: Mistakes = {
    "uint8 wraps around: 3 - 8 is 251.": _bytes_psnr(
        lambda sr, hr: (sr - hr).double().square()
    ),
    "uint8 wraps around, also when squared: 16 * 16 is 0.": (
        _bytes_psnr(lambda sr, hr: (sr - hr).square())
    ),
    "int16 ends at 32,767, but 210 * 210 is 44,100: the square overflowed.": (
        _bytes_psnr(lambda sr, hr: (sr.short() - hr.short()).square())
    ),
    "int8 ends at 127: brighter values and larger differences wrap around.": (
        _bytes_psnr(lambda sr, hr: (sr.char() - hr.char()).double().square())
    ),
    "int8 ends at 127: its squares wrap around.": (
        _bytes_psnr(lambda sr, hr: (sr.char() - hr.char()).square())
    ),
    "torch takes no mean of whole numbers, such as bytes.": lambda sr, hr: (
        (sr - hr).square().mean((1, 2, 3))
    ),
    "torch takes no mean of whole numbers.": lambda sr, hr: (
        (sr.int() - hr.int()).square().mean((1, 2, 3))
    ),
    "torch has no mse_loss of bytes.": F.mse_loss,
    "psnr takes floats, and these are bytes.": partial(psnr, data_range=255),
    "This takes 1 for white minus black; in bytes it is 255.": (
        _by_mse(lambda mse: _decibels(mse, 1.0))
    ),
    "The range was read off the picture; it belongs to the kind of file.": (
        lambda sr, hr: _decibels(_mse(sr, hr), (hr.max() - hr.min()).double()),
        lambda sr, hr: _decibels(_mse(sr, hr), hr.max().double()),
    ),
    POOLED: _by_mse(lambda mse: _decibels(mse.mean())),
    "This takes the PSNR of each color, not of each picture.": lambda sr, hr: _decibels(
        (sr.double() - hr.double()).square().mean(dim=(2, 3))
    ),
    "You squared the average difference, not each difference.": lambda sr, hr: _decibels(
        (sr.double() - hr.double()).abs().mean((1, 2, 3)) ** 2
    ),
    "This is the natural logarithm; decibels count powers of ten.": (
        _by_mse(lambda mse: float(10 * torch.log(255**2 / mse).mean()))
    ),
    "This is the sum over the pictures, not their mean.": (
        _by_mse(lambda mse: len(mse) * _decibels(mse))
    ),
    TWICE: (_by_mse(lambda mse: 2 * _decibels(mse))),
}


def _shrunk_and(store: Callable[[Tensor], Tensor]) -> Answer:
    """``degrade`` with another way to whole steps of 1/255."""
    return lambda hr, scale: store(shrink(hr, scale))


DEGRADE_MISTAKES: Mistakes = {
    "These values lie between the 256 steps that a file can hold.": (
        shrink,
        _shrunk_and(lambda lr: lr.clamp(0, 1)),
    ),
    "The bump overshoots at an edge: some values are below 0 or above 1.": _shrunk_and(
        _rounded
    ),
    "These run to 255; every picture in srlab runs from 0 to 1.": (
        _shrunk_and(lambda lr: lr.mul(255).round().clamp(0, 255)),
        _shrunk_and(lambda lr: lr.mul(255).round()),
    ),
    "Clamped before it was divided: all that was not black is white now.": (
        _shrunk_and(lambda lr: lr.mul(255).round().clamp(0, 1))
    ),
    "Rounded to whole numbers, so only black and white are left.": (
        _shrunk_and(lambda lr: lr.round().clamp(0, 1))
    ),
    "Rounded down to the step below, not to the nearest.": (
        _shrunk_and(lambda lr: lr.clamp(0, 1).mul(255).floor().div(255))
    ),
    "This keeps every s-th pixel: the aliasing that shrink is there to avoid.": (
        lambda hr, scale: hr[..., ::scale, ::scale]
    ),
    "This is still as large as hr.": lambda hr, _: _rounded(hr),
}


def _psnr_by(decibels: Callable[[Tensor, float], Tensor]) -> Answer:
    """``psnr`` with another way from each picture's error and the range to decibels."""
    return lambda sr, hr, data_range: decibels(
        (sr - hr).square().mean(dim=(1, 2, 3)), data_range
    )


def _psnr_adding(much: float) -> Answer:
    """``psnr`` that keeps clear of a division by zero."""
    return _psnr_by(lambda mse, peak: 10 * torch.log10(peak**2 / (mse + much)).mean())


PSNR_MISTAKES: Mistakes = {
    POOLED: _psnr_by(lambda mse, peak: 10 * torch.log10(peak**2 / mse.mean())),
    "This is the natural logarithm; decibels count powers of ten.": (
        _psnr_by(lambda mse, peak: 10 * torch.log(peak**2 / mse).mean())
    ),
    "One number for each picture; what is asked for is their mean.": (
        _psnr_by(lambda mse, peak: 10 * torch.log10(peak**2 / mse))
    ),
    "Upside down: a larger error would get more decibels.": (
        _psnr_by(lambda mse, peak: 10 * torch.log10(mse / peak**2).mean())
    ),
    "data_range has no effect.": _psnr_by(lambda mse, _: -10 * torch.log10(mse).mean()),
    "The error is squared, and data_range is not.": (
        _psnr_by(lambda mse, peak: 10 * torch.log10(peak / mse).mean())
    ),
    "These are bels; a decibel is a tenth of one.": (
        _psnr_by(lambda mse, peak: torch.log10(peak**2 / mse).mean())
    ),
    "This takes the PSNR of each color, not of each picture.": lambda sr, hr, data_range: (
        10 * torch.log10(data_range**2 / (sr - hr).square().mean(dim=(2, 3)))
    ).mean(),
    "You squared the average difference, not each difference.": lambda sr, hr, data_range: (
        20 * torch.log10(data_range / (sr - hr).abs().mean(dim=(1, 2, 3)))
    ).mean(),
    TWICE: _psnr_by(lambda mse, peak: 20 * torch.log10(peak**2 / mse).mean()),
    "These are absolute errors, not squared ones.": lambda sr, hr, data_range: (
        10 * torch.log10(data_range**2 / (sr - hr).abs().mean(dim=(1, 2, 3)))
    ).mean(),
    "Equal pictures have infinitely many dB; here their error does not stay 0.": tuple(
        _psnr_adding(much) for much in (1e-6, 1e-8, 1e-10, 1e-12)
    ),
}

LUMA_MISTAKES: Mistakes = {
    "The 16 is missing: black came out as 0.": lambda images: luma(images) - 16 / 255,
    "This runs to 235; every picture in srlab runs from 0 to 1.": lambda images: (
        luma(images) * 255
    ),
    "The 16 was not divided by 255.": lambda images: luma(images) - 16 / 255 + 16,
    "Only the 16 was divided by 255.": lambda images: luma(images) * 255 - 16 + 16 / 255,
    "The axis of colors is gone: this is (N, h, w), not (N, 1, h, w).": (
        lambda images: luma(images)[:, 0]
    ),
    "Red and blue have changed places.": lambda images: luma(images.flip(1)),
    "These are the weights of full-range luma, from 0 to 255.": _full_luma,
    "The three colors are weighted, but not added up.": lambda images: (
        (16 + images * torch.tensor([65.481, 128.553, 24.966]).view(3, 1, 1)) / 255
    ),
    "16 was added once for each color, so three times.": lambda images: luma(images) + 32 / 255,
    "This is the mean over the colors; the formula adds them.": lambda images: (
        (luma(images) - 16 / 255) / 3 + 16 / 255
    ),
    "All colors count alike here; eyes take green as much brighter than blue.": (
        lambda images: images.mean(1, keepdim=True)
    ),
}

SHAVE_MISTAKES: Mistakes = {
    "With border 0 the slice [0:-0] is empty.": lambda images, border: images[
        ..., border:-border, border:-border
    ],
    "Only the upper and left border is gone.": _upper_and_left,
    "Only the lower and right border is gone.": lambda images, border: images[
        ..., : images.shape[-2] - border, : images.shape[-1] - border
    ],
    "At the lower and right side twice the border is gone.": lambda images, border: images[
        ..., border : images.shape[-2] - 2 * border, border : images.shape[-1] - 2 * border
    ],
    "Height and width have changed places.": lambda images, border: images[
        ..., border : images.shape[-1] - border, border : images.shape[-2] - border
    ],
    "Left and right are still there.": lambda images, border: images[
        ..., border : images.shape[-2] - border, :
    ],
    "Top and bottom are still there.": lambda images, border: images[
        ..., border : images.shape[-1] - border
    ],
    "The border is black now, but still there.": lambda images, border: (
        images * (1 - _border_mask(images, border))
    ),
    "Nothing was taken away.": lambda images, _: images.clone(),
}

SCORE_MISTAKES: Mistakes = {
    "A side is not divisible by the scale; which function cuts the rest off?": (
        partial(_bicubic_score, crop=lambda hr, _: hr)
    ),
    "This is the PSNR of red, green and blue; the published one compares luma.": (
        partial(_bicubic_score, channels="rgb"),
        partial(_bicubic_score, channels="rgb", border=0),
    ),
    "This is full-range luma, and 1.32 dB less than the published one.": (
        partial(_bicubic_score, channels="y-full")
    ),
    "The border is still there.": partial(_bicubic_score, border=0),
    "The border is always 4 px here; it is as wide as the scale.": (
        partial(_bicubic_score, border=4)
    ),
    "This always shrinks to a quarter, whatever scale says.": (
        lambda hr, _: _bicubic_score(hr, 4)
    ),
    "The outputs were compared as they are; a file would clamp and round them.": (
        _unstored_score
    ),
    "lr kept every s-th pixel; degrade averages first.": (
        partial(_bicubic_score, small=lambda hr, scale: hr[..., ::scale, ::scale])
    ),
    "This is not bicubic: each pixel was only repeated.": (
        partial(_bicubic_score, large=lambda lr, scale: F.interpolate(lr, scale_factor=scale))
    ),
}

PUBLISHED_MISTAKES: Mistakes = {
    "Two bugs are left: one in what is rounded, one in what is cut off.": (
        _published_with(store=_as_given, color=_stored_luma, cut=_upper_and_left)
    ),
    "This is the PSNR of red, green and blue; the published one compares luma.": (
        _published_with(color=_as_given)
    ),
    "This is full-range luma, and 1.32 dB less than the published one.": (
        _published_with(color=_full_luma)
    ),
    "The border is still there.": _published_with(cut=_as_given),
    "With border 0 the slice [0:-0] is empty.": (
        _published_with(cut=lambda images, border: images[..., border:-border, border:-border])
    ),
    "Left and right are still there.": (
        _published_with(cut=lambda images, b: images[..., b : images.shape[-2] - b, :])
    ),
    "Top and bottom are still there.": (
        _published_with(cut=lambda images, b: images[..., b : images.shape[-1] - b])
    ),
    "Only the upper and left border is gone.": (_published_with(cut=_upper_and_left)),
    "Twice as much is gone as should be.": (
        _published_with(cut=lambda images, border: shave(images, 2 * border))
    ),
    "The border is black in both: it counts as perfect, and wins decibels.": (
        _published_with(cut=lambda images, border: images * (1 - _border_mask(images, border)))
    ),
    "This always takes 4 px away, whatever border says.": (
        _published_with(cut=lambda images, _: shave(images, BORDER))
    ),
    POOLED: (_published_with(compare=lambda sr, hr: -10 * (sr - hr).square().mean().log10())),
    "Only sr was stored as a file; hr comes from a file too.": (
        _published_with(store_hr=_as_given)
    ),
    "hr was rounded, but not clamped.": _published_with(store_hr=_rounded),
    "hr was clamped, but not rounded.": (
        _published_with(store_hr=lambda images: images.clamp(0, 1))
    ),
    "Values above 1 or below 0 are left; no file holds them.": _published_with(store=_rounded),
    "A file holds only whole steps of 1/255; here are values between them.": (
        _published_with(store=_as_given)
    ),
    "You rounded luma; a file rounds red, green and blue.": (
        _published_with(store=_as_given, color=_stored_luma)
    ),
    "Rounded down to the step below, not to the nearest.": _published_with(
        store=lambda images: images.clamp(0, 1).mul(255).floor().div(255)
    ),
    "Bytes wrap around above 255: 256 became 0.": _published_with(
        store=lambda images: images.mul(255).round().remainder(256).div(255)
    ),
}
