"""The feature explorer's pictures: maps in color, as large as the photograph."""

import torch.nn.functional as F
from matplotlib import colormaps
from PIL import Image
from torch import Tensor

TILE = 96  # px of a thumbnail, at most
_CIVIDIS = (255 * colormaps["cividis"](range(256))[:, :3]).round().astype("uint8")
COLORS = ["#" + bytes(color).hex() for color in _CIVIDIS]
"""From dark to bright; all eyes can tell cividis apart."""


def color_map(values: Tensor) -> Image.Image:
    """A map ``(h, w)`` as a picture: dark at 0, bright at its largest value.

    Where values are negative, dark is the lowest.
    """
    low, high = limits(values)
    share = (values - low) / (high - low or 1.0)
    picture = Image.fromarray(share.mul(255).round().byte().numpy(), "P")
    picture.putpalette(_CIVIDIS.tobytes())
    return picture


def enlarged_map(values: Tensor, like: Tensor) -> Image.Image:
    """A map with as many px as a picture ``(1, 3, h, w)``: squares, nothing between."""
    height, width = like.shape[-2:]
    return color_map(values).resize((width, height), Image.Resampling.NEAREST)


def thumbnail(values: Tensor) -> Image.Image:
    """A small map of the atlas; each px the mean of those that it stands for."""
    height, width = values.shape
    factor = max(1.0, max(height, width) / TILE)
    size = max(1, round(height / factor)), max(1, round(width / factor))
    return color_map(F.adaptive_avg_pool2d(values[None], size)[0])


def limits(values: Tensor) -> tuple[float, float]:
    """What is shown dark, and what bright."""
    return min(0.0, values.min().item()), values.max().item()
