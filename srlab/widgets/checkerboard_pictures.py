"""CheckerboardLab's pictures: pixels, differences, and spectra with the tell-tale peaks."""

from collections.abc import Callable, Sequence
from fractions import Fraction

import torch
from matplotlib import colormaps
from PIL import Image, ImageDraw
from torch import Tensor

from srlab.images import to_image
from srlab.metrics import power_spectrum
from srlab.widgets.checkerboard_bench import GRAY, View
from srlab.widgets.drawing import ORANGE
from srlab.widgets.poster import INK, PAPER, Strip, filmstrip, text_font

PANEL, ZOOM = 208, 4  # px wide; px for each px of a picture
PANELS = ("network", "truth", "added", "network-spectrum", "truth-spectrum", "card")
STILL = ("truth", "truth-spectrum")
"""Those of the panels that a training does not change."""
GAINS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
ENLARGED = 2  # px of the picture for each frequency
MARGIN, AXIS = 7, 16  # px around the spectrum, so that no circle is cut; px for numbers below
RADIUS, SMALL = 7, 11  # px
DECADES = 8  # powers of ten; a faint grid lies far below the picture


def panels(
    view: View, scale: int, step: int, names: Sequence[str] = PANELS
) -> dict[str, Image.Image]:
    """Pictures of the lab, ``PANEL`` px wide, each with its title beneath.

    Args:
        view: what the network shows.
        scale: 2, 4 or 8.
        step: of the training.
        names: which of ``PANELS``.
    """
    draw: dict[str, Callable[[], Strip]] = {
        "network": lambda: (crop(view.sr), f"network, step {step}"),
        "truth": lambda: (crop(view.hr), "truth"),
        "added": lambda: _amplified_panel(view.sr - view.bicubic, "network − bicubic"),
        "network-spectrum": lambda: (_spectrum(view.sr, view.hr, scale), "spectrum of network"),
        "truth-spectrum": lambda: (_spectrum(view.hr, view.hr, scale), "spectrum of truth"),
        "card": lambda: _amplified_panel(view.card - GRAY, "of a gray card"),
    }
    return {name: filmstrip([draw[name]()], width=PANEL) for name in names}


def _amplified_panel(difference: Tensor, title: str) -> Strip:
    picture, gain = amplified(difference)
    return crop(picture), f"{title}, × {gain}"


def _spectrum(images: Tensor, hr: Tensor, scale: int) -> Image.Image:
    """On one brightness scale with the truth's."""
    return spectrum_picture(images, scale, top=whole_spectrum(hr).max().item())


def amplified(difference: Tensor) -> tuple[Tensor, int]:
    """A difference around middle gray, as strong as it can be seen unclipped.

    Args:
        difference: ``(1, 3, h, w)``, 0 where there is nothing.

    Returns:
        The picture in [0, 1], and the factor: the largest of ``GAINS`` that
        clips at most one value in a hundred.
    """
    strongest = difference.abs().flatten().quantile(0.99).item()
    gain = max((g for g in GAINS if g * strongest <= GRAY), default=1)
    return (GRAY + gain * difference).clamp(0, 1), gain


def crop(picture: Tensor) -> Image.Image:
    """The middle of a picture, so small that its pixels are seen in a panel.

    It begins at a multiple of every scale, as the grid does.
    """
    side = PANEL // ZOOM
    start = (picture.shape[-1] - side) // 2 // 8 * 8
    return to_image(picture[..., start : start + side, start : start + side])


def whole_spectrum(images: Tensor) -> Tensor:
    """Power spectrum of the first picture, from -1/2 to 1/2 cycle per px.

    Both ends are there, although they are the same frequency: so a peak at
    1/2 is not cut in two.

    Args:
        images: ``(N, 3, h, w)``, even sides.

    Returns:
        ``(h + 1, w + 1)``; frequency 0 stands in the middle.
    """
    height, width = images.shape[-2:]
    half = power_spectrum(images)[0].cpu()  # (h, w // 2 + 1)
    y, x = torch.meshgrid(
        torch.arange(-height // 2, height // 2 + 1),
        torch.arange(-width // 2, width // 2 + 1),
        indexing="ij",
    )
    side = torch.where(x < 0, -1, 1)  # a real picture has the same energy at -f and f
    return half[(side * y) % height, x.abs()]


def peaks(scale: int) -> list[tuple[Fraction, Fraction]]:
    """Where a pattern shows that repeats every ``scale`` px.

    Returns:
        (vertical, horizontal) multiples of ``1 / scale`` from -1/2 to 1/2
        cycle per px, without (0, 0), which is the mean brightness.

    Example:
        >>> len(peaks(2)), len(peaks(4)), len(peaks(8))
        (8, 24, 80)

    Lesson 04 measures the energy there.
    """
    steps = [Fraction(k, scale) for k in range(-scale // 2, scale // 2 + 1)]
    return [(y, x) for y in steps for x in steps if y or x]


def peak_place(peak: tuple[Fraction, Fraction], side: int) -> tuple[int, int]:
    """Column and row of a peak in ``spectrum_picture``, px.

    Args:
        peak: one of ``peaks``.
        side: of the picture whose spectrum it is, px.
    """
    y, x = (MARGIN + ENLARGED * int(side // 2 + side * part) for part in peak)
    return x, y


def spectrum_picture(images: Tensor, scale: int, *, top: float) -> Image.Image:
    """The spectrum of a square picture, logarithmic, with its peaks circled.

    Args:
        images: ``(1, 3, h, h)``.
        scale: 2, 4 or 8; the circles stand at the multiples of ``1 / scale``.
        top: energy that is drawn brightest; ``DECADES`` below it is darkest.
    """
    side = images.shape[-1]
    share = (whole_spectrum(images).clamp(min=1e-30) / top).log10() / DECADES + 1
    colors = colormaps["cividis"](share.clamp(0, 1).numpy(), bytes=True)[..., :3]
    size = ENLARGED * (side + 1)
    spectrum = Image.fromarray(colors).resize((size, size), Image.Resampling.NEAREST)
    whole = Image.new("RGB", (size + 2 * MARGIN, size + 2 * MARGIN + AXIS), PAPER)
    whole.paste(spectrum, (MARGIN, MARGIN))
    _mark(ImageDraw.Draw(whole), scale, side)
    return whole


def _mark(draw: ImageDraw.ImageDraw, scale: int, side: int) -> None:
    """Circles at the peaks, and the frequencies below the right half."""
    for peak in peaks(scale):
        _circle(draw, *peak_place(peak, side))
    font = text_font().font_variant(size=SMALL)
    height = ENLARGED * (side + 1) + 2 * MARGIN
    draw.text((MARGIN, height), "cycles per px", fill=INK, font=font)
    for k in range(scale // 2 + 1):
        x, _ = peak_place((Fraction(0), Fraction(k, scale)), side)
        last = 2 * k == scale
        draw.text(
            (x + MARGIN if last else x, height), str(Fraction(k, scale)),
            fill=INK, font=font, anchor="ra" if last else "ma",
        )  # fmt: skip


def _circle(draw: ImageDraw.ImageDraw, x: int, y: int) -> None:
    """Vermilion within white: seen on dark blue, on gray and on yellow."""
    for radius, color in ((RADIUS, "white"), (RADIUS - 1, ORANGE)):
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), outline=color)
