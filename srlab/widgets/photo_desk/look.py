"""A part of a photograph, enlarged in every way, to be compared."""

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image
from torch import nn

from srlab.images import read_image, to_image
from srlab.images.parts import paste_tile
from srlab.metrics import PATCH, score_pair
from srlab.widgets.photo_desk.bench import Task, sees_all, size_text, tiles_of

GRID = 8
"""A part begins at a multiple of it, so that a UNet halves it as it halves the whole."""

PART = (248, 400)
"""Width and height of the part, px of the enlarged picture: so narrow that three, or
with the truth four, stand side by side at their true size."""

OVERVIEW = (226, 226)  # px at most

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
        """Name -> its figures."""
        return {
            name: f"{_number(f['psnr_y'])} dB, sharp {_number(f['sharpness'])}, "
            f"ridge {_number(f['ridge'])}"
            for name, f in self.figures.items()
        }

    def sizes(self, scale: int) -> dict[str, str]:
        """Name -> how large the part is there, for pictures without figures."""
        left, top, right, bottom = self.box
        large = size_text((scale * (right - left), scale * (bottom - top)))
        return dict.fromkeys(self.pictures, large) | {
            "input": f"{size_text((right - left, bottom - top))}, each drawn {scale} × {scale}"
        }


def part_box(task: Task, across: float, down: float) -> PartBox:
    """The part that is compared: the whole picture if it is small.

    Args:
        task: what is enlarged.
        across, down: where the part is, 0 ... 100 %.
    """
    left, right = _span(task.small[0], PART[0] // task.scale, across)
    top, bottom = _span(task.small[1], PART[1] // task.scale, down)
    return left, top, right, bottom


def part_share(task: Task) -> tuple[float, float]:
    """Width and height of the part, as a share of the whole's."""
    _, _, right, bottom = part_box(task, 0, 0)
    return right / task.small[0], bottom / task.small[1]


def take_look(
    task: Task, box: PartBox, others: dict[str, nn.Module], result: Image.Image | None
) -> PartLook:
    """The input, the networks and, where it is known, the truth.

    Args:
        task: what is enlarged.
        box: the part.
        others: name -> network beside the task's own.
        result: the whole as enlarged already; without it the part alone is
            enlarged, unless the network has to see the whole.
    """
    large: PartBox = tuple(edge * task.scale for edge in box)  # type: ignore[assignment]
    enlarged = {name: enlarged_part(network, task, box) for name, network in others.items()}
    if result:
        enlarged[task.model] = colors_of(result.crop(large))
    elif not sees_all(task.network):
        enlarged[task.model] = enlarged_part(task.network, task, box)
    pictures = {"input": _drawn_large(task, box), **enlarged}
    figures: dict[str, dict[str, float]] = {}
    if task.truth is not None:
        left, top, right, bottom = large
        truth = to_image(task.truth[..., top:bottom, left:right])
        found = {name: _figures(sr, truth, task.scale) for name, sr in enlarged.items()}
        figures = {name: values for name, values in found.items() if values}
        pictures["truth"] = truth
    if task.parts.alpha is not None:
        size = large[2] - large[0], large[3] - large[1]
        alpha = task.parts.alpha.resize(size, Image.Resampling.BICUBIC, box=box)
        pictures = {name: on_checker(picture, alpha) for name, picture in pictures.items()}
    return PartLook(box, pictures, figures)


def overview(task: Task) -> Image.Image:
    """The photograph as it came, small."""
    seen = task.lr if task.truth is None else task.truth
    height, width = seen.shape[-2:]
    step = max(1, -(-width // OVERVIEW[0]), -(-height // OVERVIEW[1]))
    image = to_image(seen[..., ::step, ::step])
    if task.parts.alpha is not None:
        image = on_checker(image, task.parts.alpha.resize(image.size))
    return image


def enlarged_part(network: nn.Module, task: Task, box: PartBox) -> Image.Image:
    """A part as it is in the enlarged whole, without the rest of it: its colors, RGB."""
    left, top, right, bottom = box
    scale, mode = task.scale, task.parts.mode
    image = Image.new(mode, ((right - left) * scale, (bottom - top) * scale))
    for x, y, pixels in tiles_of(task, network, max(PART), box):  # one tile costs least
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


def _drawn_large(task: Task, box: PartBox) -> Image.Image:
    """A part of the input, each pixel as a square of ``scale``."""
    left, top, right, bottom = box
    part = to_image(task.lr[..., top:bottom, left:right])
    size = (right - left) * task.scale, (bottom - top) * task.scale
    return part.resize(size, Image.Resampling.NEAREST)


def _span(length: int, most: int, percent: float) -> tuple[int, int]:
    """Where a part begins and ends along one side."""
    room = max(length - most, 0)
    start = math.ceil(room * percent / 100 / GRID) * GRID
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
