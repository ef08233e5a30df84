"""A picture taken apart for a network, and its enlargement put together again."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from srlab.images.info import kept_info
from srlab.images.opening import decode_image, name_of, quiet_pillow, to_bytes, to_tensor


@dataclass(frozen=True)
class PictureParts:
    """What a network enlarges of a picture, and what is kept beside it.

    Args:
        lr: float32 ``(1, 3, h, w)``, sRGB, in [0, 1]; of gray, one channel
            seen three times.
        mode: of the result without transparency: RGB, L, or I;16.
        alpha: of mode L, as large as ``lr``; None where all is opaque.
        info: what the result's ``info`` shall hold, as ``kept_info`` gives it.
    """

    lr: Tensor
    mode: str
    alpha: Image.Image | None
    info: dict[str, Any]

    @property
    def is_deep(self) -> bool:
        """Whether 16 bits come out."""
        return self.mode == "I;16"


def take_apart(image: Image.Image, *, keep_location: bool = False) -> PictureParts:
    """Decode a picture for a network and for ``put_together``.

    Args:
        image: of any kind, as ``open_image`` gives it.
        keep_location: keep GPS data in ``info``.

    Raises:
        ValueError: if it is damaged, too large or without an agreed range.
    """
    decoded = decode_image(image, name_of(image))
    with quiet_pillow():  # after it, since PNG's texts can stand behind the pixels
        info = kept_info(image, keep_location=keep_location)
    colors = decoded.colors
    if decoded.alpha is not None:
        colors = spread_colors(colors, decoded.alpha)
    mode = "I;16" if colors.mode == "F" else colors.mode
    return PictureParts(to_tensor(colors).expand(-1, 3, -1, -1), mode, decoded.alpha, info)


def blank_result(parts: PictureParts, scale: int) -> Image.Image:
    """An empty picture of the result's size and colors, to paste tiles into."""
    height, width = parts.lr.shape[-2:]
    return Image.new(parts.mode, (width * scale, height * scale))


def finish_tile(sr: Tensor, mode: str = "RGB") -> Tensor:
    """Round what a network made to the numbers of a picture.

    Args:
        sr: ``(1, 3, h, w)``, about [0, 1].
        mode: RGB, L, or I;16; gray is the mean of the channels.

    Returns:
        ``(3, h, w)`` or ``(1, h, w)``: uint8, or int32 up to 65535.
    """
    if mode == "RGB":
        return to_bytes(sr)[0]
    gray = sr.detach().float().mean(1).clamp(0, 1)
    return to_bytes(gray) if mode == "L" else (gray * 65535).round().to(torch.int32)


def paste_tile(result: Image.Image, left: int, top: int, tile: Tensor) -> None:
    """Put a tile of ``finish_tile``, on the CPU, where it belongs."""
    pixels = tile.permute(1, 2, 0).contiguous().numpy()
    if result.mode != "RGB":
        pixels = pixels[..., 0]
    if result.mode == "I;16":
        pixels = pixels.astype(np.uint16)
    result.paste(Image.fromarray(pixels), (left, top))


def put_together(result: Image.Image, parts: PictureParts) -> Image.Image:
    """Add transparency and ``info`` to a finished result, in place.

    Transparency is enlarged by bicubic interpolation.

    Returns:
        ``result``: RGB, RGBA, L, LA or I;16.
    """
    if parts.alpha is not None:
        result.putalpha(parts.alpha.resize(result.size, Image.Resampling.BICUBIC))
    result.info.update(parts.info)
    return result


def spread_colors(colors: Image.Image, alpha: Image.Image) -> Image.Image:
    """Give each wholly transparent pixel the color of the nearest other one.

    What is stored there, black mostly, nobody should see; enlarged as it is,
    it would darken the edge of what can be seen.

    Args:
        colors: of mode RGB or L.
        alpha: of mode L.
    """
    from scipy.ndimage import distance_transform_edt  # type: ignore[import-untyped]

    hidden = np.asarray(alpha) == 0
    if hidden.all() or not hidden.any():
        return colors
    rows, columns = distance_transform_edt(hidden, return_distances=False, return_indices=True)
    pixels = np.array(colors)
    pixels[hidden] = pixels[rows[hidden], columns[hidden]]
    return Image.fromarray(pixels)
