"""CheckerboardLab's pictures: pixels, differences, and spectra."""

import torch
from matplotlib import colormaps
from PIL import Image
from torch import Tensor

from srlab.images import to_image
from srlab.metrics import power_spectrum
from srlab.widgets.checkerboard_lab.bench import View
from srlab.widgets.kit.pictures import amplified

SHOWN = 52  # px of a picture, so few that they are seen one by one
ADDED_GAIN, CARD_GAIN = 4, 10
"""Fixed: a gain that follows the picture would hide that the grid grows or fades."""
DECADES = 8  # powers of ten; a faint grid lies far below the picture
SHADES = 48  # of a spectrum; more would travel, and not be seen


def crop(picture: Tensor) -> Image.Image:
    """The middle of a picture; it begins at a multiple of every scale, as the grid does."""
    start = (picture.shape[-1] - SHOWN) // 2 // 8 * 8
    return to_image(picture[..., start : start + SHOWN, start : start + SHOWN])


def added(view: View) -> Image.Image:
    """What the network adds to bicubic, around middle gray."""
    return crop(amplified(view.sr - view.bicubic, ADDED_GAIN))


def card(view: View) -> Image.Image:
    """What the network makes of a flat gray card; a tint of the whole is no grid."""
    flat = view.card.mean(dim=(-2, -1), keepdim=True)
    return crop(amplified(view.card - flat, CARD_GAIN))


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


def spectrum_picture(images: Tensor, *, top: float) -> Image.Image:
    """The spectrum of a picture, logarithmic, a pixel for each frequency.

    Args:
        images: ``(1, 3, h, w)``.
        top: energy that is drawn brightest; ``DECADES`` below it is darkest.
    """
    share = (whole_spectrum(images).clamp(min=1e-30) / top).log10() / DECADES + 1
    shades = (share.clamp(0, 1) * (SHADES - 1)).round().byte()
    picture = Image.fromarray(shades.numpy(), "P")
    colors = colormaps["cividis"].resampled(SHADES)(range(SHADES), bytes=True)[:, :3]
    picture.putpalette(colors.tobytes())
    return picture
