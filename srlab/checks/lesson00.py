"""Checks of lesson 00: PSNR of bytes, full-range luma, the published protocol."""

from collections.abc import Callable

import torch
from torch import Tensor

from srlab.checks.core import Answer, Mistake, Verdict, judge
from srlab.checks.steps import in_steps
from srlab.images import to_bytes
from srlab.metrics import luma, psnr, shave

BORDER = 4  # px


@in_steps()
def check_byte_psnr(answer: Answer | None) -> Verdict:
    """Check ``answer(sr, hr)``: mean PSNR of uint8 ``(N, C, h, w)``, in dB.

    Source: built by srlab; exercise 1 of lesson 00.
    """
    hr = _bytes(0, 2, 3, 5, 7)
    uneven = hr.int() + _errors(1, hr.shape, (3, 30))
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
        },
        mistakes=BYTE_PSNR_MISTAKES,
        tolerance=1e-3,
    )


@in_steps()
def check_full_luma(answer: Answer | None) -> Verdict:
    """Check ``answer(images)``: luma from 0 (black) to 1 (white), ``(N, 1, h, w)``.

    Source: built by srlab; exercise 2 of lesson 00.
    """
    primaries = torch.eye(3).view(1, 3, 1, 3)  # red, green, blue side by side
    return judge(
        answer,
        right=_full_luma,
        cases={
            "a red, a green and a blue pixel": (primaries,),
            "a black pixel": (torch.zeros(1, 3, 1, 1),),
            "a white pixel": (torch.ones(1, 3, 1, 1),),
            "two pictures of 3 x 5 px": (_values(2, 2, 3, 3, 5),),
        },
        mistakes=FULL_LUMA_MISTAKES,
    )


@in_steps()
def check_published_psnr(answer: Answer | None) -> Verdict:
    """Check ``answer(sr, hr, border)``: PSNR under the published protocol, dB.

    Source: built by srlab; exercise 3 of lesson 00.
    """
    hr = _stored(_values(3, 2, 3, 20, 26))
    sr = _stored(hr + _errors(4, hr.shape, (4, 12)) / 255)
    noisy_border = hr + (sr - hr) * (1 + 4 * _border_mask(hr))
    between = torch.where(hr < 1, hr + 0.6 / 255, hr)  # rounds up to a whole step
    outside = torch.where(hr > 0.7, hr + 0.5, hr)  # as bicubic does, only more
    below = torch.where(hr < 0.3, hr - 0.5, hr)
    return judge(
        answer,
        right=_published,
        cases={
            "border 4": (_stored(noisy_border[:1]), hr[:1], BORDER),
            "border 0": (sr[:1], hr[:1], 0),
            "two pictures": (sr, hr, BORDER),
            "values between two steps of 1/255": (between[:1], hr[:1], BORDER),
            "values above 1": (outside[:1], hr[:1], BORDER),
            "values below 0": (below[:1], hr[:1], BORDER),
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


def _published(sr: Tensor, hr: Tensor, border: int) -> float:
    return float(psnr(shave(luma(_stored(sr)), border), shave(luma(_stored(hr)), border)))


def _stored(images: Tensor) -> Tensor:
    """What a file of 8 bits would give back."""
    return to_bytes(images).float() / 255


def _with(
    store: Callable[[Tensor], Tensor] = _stored,
    color: Callable[[Tensor], Tensor] = luma,
    cut: Callable[[Tensor, int], Tensor] = shave,
) -> Answer:
    """The published protocol with one of its steps replaced."""

    def protocol(sr: Tensor, hr: Tensor, border: int) -> float:
        one, two = (cut(color(store(images)), border) for images in (sr, hr))
        return float(psnr(one, two))

    return protocol


def _pooled(sr: Tensor, hr: Tensor, border: int) -> float:
    one, two = (shave(luma(_stored(images)), border) for images in (sr, hr))
    return float(10 * torch.log10(1 / (one - two).square().mean()))


def _blackened(images: Tensor, border: int) -> Tensor:
    return images * (1 - _border_mask(images, border))


def _border_mask(images: Tensor, border: int = BORDER) -> Tensor:
    """1 in the border, 0 inside."""
    mask = torch.ones_like(images)
    shave(mask, border).zero_()
    return mask


def _whole_steps(images: Tensor) -> Tensor:
    return images.mul(255).round().div(255)


def _truncated(images: Tensor) -> Tensor:
    return images.clamp(0, 1).mul(255).floor().div(255)


def _unclamped_bytes(images: Tensor) -> Tensor:
    return images.mul(255).round().remainder(256).div(255)


def _bytes(seed: int, *shape: int) -> Tensor:
    """Random uint8 with room on both sides for an error."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(60, 180, shape, generator=generator).to(torch.uint8)


def _values(seed: int, *shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def _errors(seed: int, shape: torch.Size, largest: tuple[int, int]) -> Tensor:
    """Random whole errors, those of each picture up to its own size."""
    generator = torch.Generator().manual_seed(seed)
    errors = torch.rand(shape, generator=generator) * 2 - 1
    return (errors * torch.tensor(largest).view(2, 1, 1, 1)).round().int()


BYTE_PSNR_MISTAKES = [
    Mistake(
        lambda sr, hr: _decibels((sr - hr).double().square().mean(dim=(1, 2, 3))),
        "uint8 wraps round: 3 - 8 is 251. Turn both into floats before you subtract.",
    ),
    Mistake(
        lambda sr, hr: _decibels((sr - hr).square().double().mean(dim=(1, 2, 3))),
        "uint8 wraps round, also when squared. Turn both into floats before you subtract.",
    ),
    Mistake(
        lambda sr, hr: _decibels(_mse(sr, hr), 1.0),
        "White minus black is 255 here, not 1: set data_range, or divide by 255 first.",
    ),
    Mistake(
        lambda sr, hr: _decibels(_mse(sr, hr), (hr.max() - hr.min()).double()),
        "The range belongs to the kind of file, 0 to 255; never read it off the picture.",
    ),
    Mistake(
        lambda sr, hr: _decibels(_mse(sr, hr), hr.max().double()),
        "The range belongs to the kind of file, 0 to 255; never read it off the picture.",
    ),
    Mistake(
        lambda sr, hr: _decibels(_mse(sr, hr).mean()),
        "First the PSNR of each picture, then the mean; you averaged the errors.",
    ),
    Mistake(
        lambda sr, hr: _decibels((sr.double() - hr.double()).square().mean(dim=(2, 3))),
        "One PSNR for each picture, not for each color: average over dims 1, 2 and 3.",
    ),
    Mistake(
        lambda sr, hr: _decibels((sr.double() - hr.double()).abs().mean((1, 2, 3)) ** 2),
        "Square the differences before you average them; you squared the average.",
    ),
    Mistake(
        lambda sr, hr: float((10 * torch.log(255**2 / _mse(sr, hr))).mean()),
        "Decibels count powers of ten: torch.log10, not torch.log.",
    ),
    Mistake(
        lambda sr, hr: len(sr) * _decibels(_mse(sr, hr)),
        "The mean over the pictures, not their sum.",
    ),
    Mistake(
        lambda sr, hr: 2 * _decibels(_mse(sr, hr)),
        "10 * log10 of a squared quantity; 20 belongs to its root.",
    ),
]

FULL_LUMA_MISTAKES = [
    Mistake(luma, "This is the published luma, 16 to 235; stretch it so that white is 1."),
    Mistake(
        lambda images: images.mean(1, keepdim=True),
        "Eyes take green as much brighter than blue: weigh the channels, don't average.",
    ),
    Mistake(
        lambda images: luma(images) - 16 / 255,
        "Black is 0 now, but white is 219/255; stretch by 255/219 as well.",
    ),
    Mistake(
        lambda images: luma(images) * (255 / 219),
        "Take the 16/255 of black away before you stretch.",
    ),
    Mistake(
        lambda images: luma(images) * (255 / 235),
        "White is 1 now, but black is not 0: take 16/255 away, then stretch by 255/219.",
    ),
    Mistake(
        lambda images: _full_luma(images.flip(1)),
        "Red and blue have changed places; the channels are in the order R, G, B.",
    ),
    Mistake(
        lambda images: _full_luma(images)[:, 0],
        "The channel axis is gone; keep it: (N, 1, h, w). See keepdim=True, or [:, :1].",
    ),
    Mistake(
        lambda images: _full_luma(images) * 255,
        "From 0 to 1, as every picture in srlab; not from 0 to 255.",
    ),
    Mistake(
        lambda images: _full_luma(images).round(decimals=2),
        "Close, but rounded: take all digits of the weights.",
    ),
]

PUBLISHED_MISTAKES = [
    Mistake(
        _with(color=lambda images: images),
        "This is the PSNR of red, green and blue; the published one compares luma.",
    ),
    Mistake(
        _with(color=_full_luma),
        "This is full-range luma, 1.32 dB less; the published one runs from 16 to 235.",
    ),
    Mistake(
        _with(cut=lambda images, _: images),
        "The border is still there: every method is bad at it, so it is left out.",
    ),
    Mistake(
        _with(cut=lambda images, border: images[..., border:-border, border:-border]),
        "With border 0 the slice [0:-0] is empty; count from the front: border : h - border.",
    ),
    Mistake(
        _with(cut=lambda images, b: images[..., b : images.shape[-2] - b, :]),
        "Left and right are still there: shave both axes.",
    ),
    Mistake(
        _with(cut=lambda images, b: images[..., b : images.shape[-1] - b]),
        "Top and bottom are still there: shave both axes.",
    ),
    Mistake(
        _with(cut=lambda images, border: images[..., border:, border:]),
        "Only the upper and left border is gone: shave all four sides.",
    ),
    Mistake(
        _with(cut=lambda images, border: shave(images, 2 * border)),
        "Twice as much is gone as should be: border px on each side, once.",
    ),
    Mistake(
        _with(cut=_blackened),
        "A black border counts as perfect and wins decibels: cut it off.",
    ),
    Mistake(
        _with(cut=lambda images, _: shave(images, BORDER)),
        "Take the border that is given; it is not always 4.",
    ),
    Mistake(_pooled, "First the PSNR of each picture, then the mean; you averaged the errors."),
    Mistake(_with(store=_whole_steps), "No file holds more than 1: clamp to [0, 1] too."),
    Mistake(
        _with(store=lambda images: images),
        "A file holds only whole steps of 1/255: clamp to [0, 1], then round to them.",
    ),
    Mistake(
        _with(store=lambda images: images, color=lambda images: _stored(luma(images))),
        "Round red, green and blue, as a file does; luma comes after that.",
    ),
    Mistake(
        _with(store=_truncated),
        "Rounded down to the step below; round to the nearest one.",
    ),
    Mistake(
        _with(store=_unclamped_bytes),
        "Bytes wrap round above 255: clamp to [0, 1] before you turn values into bytes.",
    ),
]
