"""Enlarging whole photographs with a trained model, piece by piece."""

import math
import os
from collections.abc import Callable, Iterator
from functools import partial

import torch
from PIL import Image
from torch import Tensor, nn

from srlab.data import shrink
from srlab.images.parts import (
    blank_result,
    finish_tile,
    paste_tile,
    put_together,
    take_apart,
)
from srlab.machine import PRECISIONS, computing_in, pick_device, pick_precision
from srlab.models import enlarge, evaluating
from srlab.require import require_batch, require_enlarged, require_scale, require_unit_range
from srlab.zoo import load_model

MAX_OUTPUT_PIXELS = 400_000_000
"""Of the enlarged picture: 1.2 GB as bytes."""


ModelName = str | os.PathLike[str] | nn.Module
Report = Callable[[float], object]
Finish = Callable[[Tensor], Tensor]


def upscale(
    image: Image.Image,
    model: ModelName | None = None,
    scale: int = 4,
    *,
    tile: int | None = None,
    precision: torch.dtype | None = None,
    report: Report | None = None,
    keep_location: bool = False,
) -> Image.Image:
    """Enlarge a picture.

    Gray stays gray, and its 16 bits stay 16. Transparency is enlarged, too.
    Colors are converted to sRGB, and the picture is turned upright. The
    result's ``info`` keeps who took it, when, how and its dpi, and
    ``save_image`` writes them.

    The picture is computed in overlapping tiles, so the memory needed beside
    the two pictures, and the numbers of the small one, does not grow with
    them, unless the model has to see the whole picture at once
    (``enlarge_in_tiles`` says when).

    Args:
        image: of any kind and size.
        model: a module, a checkpoint file, the name of a shipped model, or
            ``"bicubic"``; the shipped ``pixel-x<scale>`` if None.
        scale: 2, 4 or 8.
        tile: side of a tile in px of ``image``, without its overlap;
            ``default_tile`` of the scale if None.
        precision: in which convolutions are computed; if None, bfloat16
            where it is faster. It moves a channel by a step of 255 here and
            there.
        report: called after each tile with the share done, up to 1.
        keep_location: keep the place where it was taken (GPS), too.

    Returns:
        An RGB, RGBA, L, LA or I;16 image, ``scale`` times as wide and high.

    Raises:
        ValueError: if there is no such model, it has another scale, or the
            result would have more than ``MAX_OUTPUT_PIXELS``.

    Example:
        >>> upscale(Image.new("RGB", (5, 3)), "bicubic", 2).size
        (10, 6)
    """
    require_scale(scale)
    require_room(image.size, scale)
    network = model if isinstance(model, nn.Module) else load_model(model, scale)
    own_scale = getattr(network, "scale", scale)
    if own_scale != scale:
        raise ValueError(
            f"The model enlarges {own_scale} times, but {scale} times was asked for; "
            f"give scale={own_scale}."
        )
    parts = take_apart(image, keep_location=keep_location)
    result = blank_result(parts, scale)
    precision = precision or (torch.float32 if parts.is_deep else fast_precision())
    finish = partial(finish_tile, mode=parts.mode)
    done = 0
    for left, top, sr in enlarged_tiles(
        network, parts.lr, scale=scale, tile=tile, precision=precision, finish=finish
    ):
        paste_tile(result, left, top, sr)
        done += sr.shape[-2] * sr.shape[-1]
        if report:
            report(done / (result.width * result.height))
    return put_together(result, parts)


def fast_precision() -> torch.dtype:
    """For pictures to look at: bfloat16 where it is faster than float32."""
    return PRECISIONS[pick_precision(pick_device())]


def default_tile(scale: int) -> int:
    """Side of a tile in px of lr: large, so that little is lost in overlaps.

    At 8x it is halved, since the features before the last doubling, four
    times as many as at 4x, have to fit into memory.
    """
    return min(320, 1280 // scale)


def enlarge_in_tiles(
    model: nn.Module,
    lr: Tensor,
    *,
    scale: int,
    tile: int | None = None,
    precision: torch.dtype = torch.float32,
) -> Tensor:
    """Enlarge tile by tile; the result is that of the whole within rounding.

    Each tile is computed with a margin as wide as the model's ``reach``, and
    the margin is cut off again. A model of infinite reach, such as one with
    ``ChannelGates``, sees the whole picture at once; the memory it needs grows
    with the picture.

    Args:
        model: lr -> sr; its ``reach`` says how many px of lr around a pixel
            its enlargement depends on.
        lr: ``(1, 3, h, w)``, in [0, 1].
        scale: the model's.
        tile: px of lr; ``default_tile`` of the scale if None.
        precision: in which convolutions are computed. Float32 is for scores,
            the same on every machine; ``fast_precision`` for pictures.

    Returns:
        uint8 ``(3, s*h, s*w)``, on the CPU.
    """
    height, width = lr.shape[-2:]
    result = torch.empty((3, height * scale, width * scale), dtype=torch.uint8)
    for left, top, sr in enlarged_tiles(model, lr, scale=scale, tile=tile, precision=precision):
        result[:, top : top + sr.shape[-2], left : left + sr.shape[-1]] = sr
    return result


@torch.inference_mode()
def enlarged_tiles(
    model: nn.Module,
    lr: Tensor,
    *,
    scale: int,
    tile: int | None = None,
    box: tuple[int, int, int, int] | None = None,
    precision: torch.dtype = torch.float32,
    finish: Finish = finish_tile,
) -> Iterator[tuple[int, int, Tensor]]:
    """Enlarge one tile for each item asked for; stopping is not asking.

    Args:
        model, lr, scale, tile, precision: as for ``enlarge_in_tiles``.
        box: left, top, right and bottom of what is wanted of ``lr``, px;
            all of it if None. Left and top should be multiples of 8, so
            that a model which halves its picture halves it as in the whole.
        finish: ``(1, 3, h, w)`` of the model -> ``(c, h, w)`` to keep.

    Yields:
        Left and top of the tile in the enlarged picture, px, and what
        ``finish`` made of it, uint8 ``(3, h, w)`` as it stands, on the CPU.
    """
    require_batch(lr, "lr")
    require_unit_range(lr, "lr")
    tile = default_tile(scale) if tile is None else tile
    if tile < 1:
        raise ValueError(
            f"tile must be at least 1 px, but got {tile}; 128 suits most machines."
        )
    height, width = lr.shape[-2:]
    reach = getattr(model, "reach", 32)  # 32 suits most small networks
    if math.isinf(reach):  # one tile, which needs no margin
        tile, reach, box = max(height, width), 0, None
    reach = int(reach)
    first, start, last, end = box or (0, 0, width, height)
    parameter = next(model.parameters(), lr)
    for top in range(start, end, tile):
        for left in range(first, last, tile):
            bottom, right = min(top + tile, end), min(left + tile, last)
            upper, outer = max(top - reach, 0), max(left - reach, 0)
            piece = lr[..., upper : bottom + reach, outer : right + reach]
            with evaluating(model), computing_in(precision, parameter.device):
                sr = finish(model(piece.to(parameter.device, parameter.dtype))).cpu()
            _require_scale_of(sr, piece, scale)
            rows = slice((top - upper) * scale, (bottom - upper) * scale)
            columns = slice((left - outer) * scale, (right - outer) * scale)
            yield left * scale, top * scale, sr[:, rows, columns]


def _require_scale_of(sr: Tensor, piece: Tensor, scale: int) -> None:
    """Raise unless a model enlarged as often as it is said to."""
    (height, width), (made, wide) = piece.shape[-2:], sr.shape[-2:]
    if (made, wide) != (height * scale, width * scale):
        raise ValueError(
            f"The model made {made} x {wide} px of {height} x {width} px, but "
            f"{height * scale} x {width * scale} px were expected; its scale is not {scale}."
        )


def require_room(size: tuple[int, int], scale: int) -> None:
    """Raise unless a picture of ``size`` (width, height) may be enlarged so much."""
    width, height = size
    pixels = width * height * scale**2
    if pixels > MAX_OUTPUT_PIXELS:
        raise ValueError(
            f"{width} x {height} px enlarged {scale} times are "
            f"{pixels / 1e6:,.0f} million pixels, but at most "
            f"{MAX_OUTPUT_PIXELS / 1e6:,.0f} million fit; crop it or choose a smaller scale."
        )


def back_project(sr: Tensor, lr: Tensor, rounds: int = 100) -> Tensor:
    """Change a large picture until the small one made of it is ``lr``.

    ``sr = sr + enlarge(lr - reduced(sr))``, again and again

    What the small picture cannot hold stays as it is in ``sr``.

    Args:
        sr: ``(N, C, s*h, s*w)``, in [0, 1]; any picture at all.
        lr: ``(N, C, h, w)``, in [0, 1].
        rounds: how often the difference is added.

    Returns:
        ``(N, C, s*h, s*w)``, in [0, 1].

    Raises:
        ValueError: if ``sr`` is not 2, 4 or 8 times as large as ``lr``.

    Example:
        >>> import torch
        >>> from srlab.data import degrade
        >>> lr = torch.full((1, 3, 8, 8), 0.4)
        >>> torch.equal(degrade(back_project(torch.rand(1, 3, 32, 32), lr), 4), lr)
        True

    Source: lesson 07; Irani & Peleg 1991, who begin with a guess and stop
    when the difference no longer shrinks.
    """
    require_enlarged(sr, lr)
    scale = sr.shape[-1] // lr.shape[-1]
    for _ in range(rounds):
        # not degrade, whose rounding would stop us half a level away
        sr = (sr + enlarge(lr - shrink(sr, scale), scale)).clamp(0, 1)
    return sr
