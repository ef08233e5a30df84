"""Checks of lesson 00: PSNR of bytes, full-range luma, the published protocol."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from srlab.checks.answers import uniform_values
from srlab.checks.core import Answer, Mistakes, Verdict, judge, without_calling
from srlab.checks.steps import in_steps
from srlab.images import to_bytes
from srlab.metrics import luma, psnr, shave

BORDER = 4  # px


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


@in_steps()
def check_full_luma(answer: Answer | None) -> Verdict:
    """Check ``answer(images)``: luma from 0 (black) to 1 (white), ``(N, 1, h, w)``."""
    primaries = torch.eye(3).view(1, 3, 1, 3)  # red, green, blue side by side
    return judge(
        answer,
        right=_full_luma,
        cases={
            "a red, a green and a blue pixel": (primaries,),
            "a black pixel": (torch.zeros(1, 3, 1, 1),),
            "a white pixel": (torch.ones(1, 3, 1, 1),),
            "two pictures of 3 x 5 px": (uniform_values(2, 2, 3, 3, 5),),
        },
        mistakes=FULL_LUMA_MISTAKES,
    )


@in_steps()
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


def _mse(sr: Tensor, hr: Tensor) -> Tensor:
    """Mean squared error of each picture, in steps of 8 bits."""
    return (sr.double() - hr.double()).square().mean(dim=(1, 2, 3))


def _decibels(mse: Tensor, data_range: float | Tensor = 255.0) -> float:
    """The mean of the PSNR of each error."""
    return float((10 * torch.log10(data_range**2 / mse)).mean())


def _full_luma(images: Tensor) -> Tensor:
    return (luma(images) - 16 / 255) * (255 / 219)


def _stored(images: Tensor) -> Tensor:
    """What a file of 8 bits would give back."""
    return to_bytes(images).float() / 255


def _published_with(
    store: Callable[[Tensor], Tensor] = _stored,
    color: Callable[[Tensor], Tensor] = luma,
    cut: Callable[[Tensor, int], Tensor] = shave,
    store_hr: Callable[[Tensor], Tensor] | None = None,
) -> Answer:
    """The published protocol with one of its steps replaced."""

    def protocol(sr: Tensor, hr: Tensor, border: int) -> float:
        pictures = store(sr), (store_hr or store)(hr)
        one, two = (cut(color(images), border) for images in pictures)
        return float(psnr(one, two))

    return protocol


def _pooled(sr: Tensor, hr: Tensor, border: int) -> float:
    one, two = (shave(luma(_stored(images)), border) for images in (sr, hr))
    return float(10 * torch.log10(1 / (one - two).square().mean()))


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


BYTE_PSNR_MISTAKES: Mistakes = {
    "uint8 wraps around: 3 - 8 is 251.": lambda sr, hr: _decibels(
        (sr - hr).double().square().mean(dim=(1, 2, 3))
    ),
    "uint8 wraps around, also when squared: 16 * 16 is 0.": lambda sr, hr: _decibels(
        (sr - hr).square().double().mean(dim=(1, 2, 3))
    ),
    "int16 ends at 32,767, but 210 * 210 is 44,100: the square overflowed.": (
        lambda sr, hr: _decibels((sr.short() - hr.short()).square().double().mean((1, 2, 3)))
    ),
    "int8 ends at 127: brighter values and larger differences wrap around.": (
        lambda sr, hr: _decibels((sr.char() - hr.char()).double().square().mean((1, 2, 3)))
    ),
    "int8 ends at 127: its squares wrap around.": lambda sr, hr: _decibels(
        (sr.char() - hr.char()).square().double().mean((1, 2, 3))
    ),
    "torch takes no mean of whole numbers, such as bytes.": lambda sr, hr: (
        (sr - hr).square().mean((1, 2, 3))
    ),
    "torch takes no mean of whole numbers.": lambda sr, hr: (
        (sr.int() - hr.int()).square().mean((1, 2, 3))
    ),
    "torch has no mse_loss of bytes.": lambda sr, hr: F.mse_loss(sr, hr),
    "psnr takes floats, and these are bytes.": lambda sr, hr: psnr(sr, hr, data_range=255),
    "This takes 1 for white minus black; in bytes it is 255.": lambda sr, hr: _decibels(
        _mse(sr, hr), 1.0
    ),
    "The range was read off the picture; it belongs to the kind of file.": (
        lambda sr, hr: _decibels(_mse(sr, hr), (hr.max() - hr.min()).double()),
        lambda sr, hr: _decibels(_mse(sr, hr), hr.max().double()),
    ),
    "You averaged the errors of all pictures; the mean of their PSNRs is another number.": (
        lambda sr, hr: _decibels(_mse(sr, hr).mean())
    ),
    "This takes the PSNR of each color, not of each picture.": lambda sr, hr: _decibels(
        (sr.double() - hr.double()).square().mean(dim=(2, 3))
    ),
    "You squared the average difference, not each difference.": lambda sr, hr: _decibels(
        (sr.double() - hr.double()).abs().mean((1, 2, 3)) ** 2
    ),
    "This is the natural logarithm; decibels count powers of ten.": lambda sr, hr: float(
        (10 * torch.log(255**2 / _mse(sr, hr))).mean()
    ),
    "This is the sum over the pictures, not their mean.": lambda sr, hr: (
        len(sr) * _decibels(_mse(sr, hr))
    ),
    "Twice too large: a factor of 20 belongs to a root, and this is a square.": (
        lambda sr, hr: 2 * _decibels(_mse(sr, hr))
    ),
}

FULL_LUMA_MISTAKES: Mistakes = {
    "This is the published luma, from 16 to 235.": luma,
    "All channels count alike here; eyes take green as much brighter than blue.": (
        lambda images: images.mean(1, keepdim=True)
    ),
    "Black is 0 now, but white is 219/255.": lambda images: luma(images) - 16 / 255,
    "Stretched, but from which zero? Black is 16/219 now.": lambda images: (
        luma(images) * (255 / 219)
    ),
    "White is 1 now, but black is not 0.": lambda images: luma(images) * (255 / 235),
    "Red and blue have changed places.": lambda images: _full_luma(images.flip(1)),
    "The channel axis is gone: this is (N, h, w), not (N, 1, h, w).": lambda images: _full_luma(
        images
    )[:, 0],
    "This runs to 255; every picture in srlab runs from 0 to 1.": lambda images: (
        _full_luma(images) * 255
    ),
    "Close, but rounded: the weights have lost digits.": lambda images: _full_luma(
        images
    ).round(decimals=2),
}

PUBLISHED_MISTAKES: Mistakes = {
    "This is the PSNR of red, green and blue; the published one compares luma.": (
        _published_with(color=lambda images: images)
    ),
    "This is full-range luma, and 1.32 dB less than the published one.": (
        _published_with(color=_full_luma)
    ),
    "The border is still there.": _published_with(cut=lambda images, _: images),
    "With border 0 the slice [0:-0] is empty.": (
        _published_with(cut=lambda images, border: images[..., border:-border, border:-border])
    ),
    "Left and right are still there.": (
        _published_with(cut=lambda images, b: images[..., b : images.shape[-2] - b, :])
    ),
    "Top and bottom are still there.": (
        _published_with(cut=lambda images, b: images[..., b : images.shape[-1] - b])
    ),
    "Only the upper and left border is gone.": (
        _published_with(cut=lambda images, border: images[..., border:, border:])
    ),
    "Twice as much is gone as should be.": (
        _published_with(cut=lambda images, border: shave(images, 2 * border))
    ),
    "The border is black in both: it counts as perfect, and wins decibels.": (
        _published_with(cut=lambda images, border: images * (1 - _border_mask(images, border)))
    ),
    "This always takes 4 px away, whatever border says.": (
        _published_with(cut=lambda images, _: shave(images, BORDER))
    ),
    "You averaged the errors of all pictures; the mean of their PSNRs is another number.": (
        _pooled
    ),
    "Only sr was stored as a file; hr comes from a file too.": (
        _published_with(store_hr=lambda images: images)
    ),
    "hr was rounded, but not clamped.": _published_with(store_hr=_rounded),
    "hr was clamped, but not rounded.": (
        _published_with(store_hr=lambda images: images.clamp(0, 1))
    ),
    "Values above 1 or below 0 are left; no file holds them.": _published_with(store=_rounded),
    "A file holds only whole steps of 1/255; here are values between them.": (
        _published_with(store=lambda images: images)
    ),
    "You rounded luma; a file rounds red, green and blue.": (
        _published_with(store=lambda images: images, color=lambda images: _stored(luma(images)))
    ),
    "Rounded down to the step below, not to the nearest.": _published_with(
        store=lambda images: images.clamp(0, 1).mul(255).floor().div(255)
    ),
    "Bytes wrap around above 255: 256 became 0.": _published_with(
        store=lambda images: images.mul(255).round().remainder(256).div(255)
    ),
}
