"""A part of a photograph, enlarged in every way, to be compared."""

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image
from torch import nn

from srlab.images import read_image, to_image
from srlab.images.parts import paste_tile
from srlab.metrics import PATCH, score_pair
from srlab.models import Bicubic
from srlab.widgets.photo_task import Task, tiles_of

GRID = 8
"""A part begins at a multiple of it, so that a UNet halves it as it halves the whole."""

PART = (640, 440)  # px of the enlarged picture: what Compare shows without shrinking it

FIGURES = ("psnr_y", "sharpness", "ridge")
CHECKER, LIGHT, DARK = 8, 204, 153  # px of a square, and its two grays

PartBox = tuple[int, int, int, int]
"""Left, top, right and bottom, px of the small picture."""


@dataclass(frozen=True)
class PartLook:
    """The same part of each picture, and what can be said of it in numbers.

    Args:
        box: where it is, px of the small picture.
        pictures: name -> picture, all of one size.
        figures: name -> PSNR in dB, sharpness and ridge; empty if nobody knows
            the truth, or the part is too small to be measured.
    """

    box: PartBox
    pictures: dict[str, Image.Image]
    figures: dict[str, dict[str, float]]

    def captions(self) -> dict[str, str]:
        """Name -> its figures, for ``Compare``."""
        return {
            name: f"{_number(f['psnr_y'])} dB, sharp {_number(f['sharpness'])}, "
            f"ridge {_number(f['ridge'])}"
            for name, f in self.figures.items()
        }


def part_box(task: Task, across: int, down: int) -> PartBox:
    """The part that is compared: the whole picture if it is small.

    Args:
        task: what is enlarged.
        across, down: where the part is, 0 ... 100 %.
    """
    left, right = _span(task.small[0], PART[0] // task.scale, across)
    top, bottom = _span(task.small[1], PART[1] // task.scale, down)
    return left, top, right, bottom


def is_whole(task: Task) -> bool:
    """Whether the whole picture is small enough to be compared at once."""
    return part_box(task, 0, 0) == (0, 0, *task.small)


def take_look(task: Task, box: PartBox, result: Image.Image | None) -> PartLook:
    """Bicubic, the network and, where it is known, the truth.

    Args:
        task: what is enlarged.
        box: the part.
        result: the whole as enlarged already; the part alone is enlarged
            without it.
    """
    large: PartBox = tuple(edge * task.scale for edge in box)  # type: ignore[assignment]
    own = colors_of(result.crop(large)) if result else enlarged_part(task.network, task, box)
    pictures = {"bicubic": enlarged_part(Bicubic(task.scale), task, box), task.model: own}
    figures: dict[str, dict[str, float]] = {}
    if task.truth is not None:
        left, top, right, bottom = large
        truth = to_image(task.truth[..., top:bottom, left:right])
        found = {name: _figures(sr, truth, task.scale) for name, sr in pictures.items()}
        figures = {name: values for name, values in found.items() if values}
        pictures["truth"] = truth
    if task.parts.alpha is not None:
        size = large[2] - large[0], large[3] - large[1]
        alpha = task.parts.alpha.resize(size, Image.Resampling.BICUBIC, box=box)
        pictures = {name: on_checker(picture, alpha) for name, picture in pictures.items()}
    return PartLook(box, pictures, figures)


def enlarged_part(network: nn.Module, task: Task, box: PartBox) -> Image.Image:
    """A part as it is in the enlarged whole, without the rest of it: its colors, RGB."""
    left, top, right, bottom = box
    scale, mode = task.scale, task.parts.mode
    image = Image.new(mode, ((right - left) * scale, (bottom - top) * scale))
    whole = max(PART)  # in one tile, whose margins cost least
    for x, y, pixels in tiles_of(task, network, whole, box):
        paste_tile(image, x - left * scale, y - top * scale, pixels)
    return colors_of(image)


def colors_of(result: Image.Image) -> Image.Image:
    """What a screen can show of a result's colors: RGB, 8 bits, nothing transparent."""
    if result.mode == "I;16":
        deep = np.asarray(result).astype(np.uint32)
        result = Image.fromarray(((deep + 128) // 257).astype(np.uint8))
    return result.convert("RGB")


def on_checker(colors: Image.Image, alpha: Image.Image) -> Image.Image:
    """A picture with transparency as painters see it: neither white nor black is lost."""
    rows, columns = np.indices((colors.height, colors.width)) // CHECKER
    squares = np.where((rows + columns) % 2, DARK, LIGHT).astype(np.uint8)
    return Image.composite(colors, Image.fromarray(squares).convert("RGB"), alpha)


def _span(length: int, most: int, percent: int) -> tuple[int, int]:
    """Where a part begins and ends along one side."""
    room = max(length - most, 0)
    start = -(-room * percent // 100 // GRID) * GRID if room else 0
    return start, min(start + most, length)


def _figures(sr: Image.Image, truth: Image.Image, scale: int) -> dict[str, float]:
    """PSNR by the published protocol, sharpness, ridge; empty if the part is too small."""
    images, hr = read_image(sr), read_image(truth)
    side = min(hr.shape[-2:])
    if side <= 2 * scale:
        return {}
    names = FIGURES if side >= PATCH else FIGURES[:-1]  # ridge looks through patches
    return dict.fromkeys(FIGURES, math.nan) | score_pair(images, hr, scale=scale, only=names)


def _number(value: float) -> str:
    """Two digits; a picture restored exactly has ∞ dB, a flat one no sharpness."""
    return f"{value:.2f}".replace("inf", "∞").replace("nan", "–")
