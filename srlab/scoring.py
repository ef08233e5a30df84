"""Scores of models on pictures, with their protocol and bicubic beside them."""

import json
import math
import time
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from srlab.data import crop_to_multiple, degrade
from srlab.inference import enlarge_in_tiles
from srlab.metrics import Protocol, score_pair
from srlab.models import Bicubic

Row = dict[str, Any]


def score_models(
    photos: Mapping[str, Tensor], models: Mapping[str, nn.Module], *, scale: int
) -> list[Row]:
    """Degrade each picture, let each model enlarge it, compare with the truth.

    Args:
        photos: name -> uint8 ``(3, h, w)`` or float ``(1, 3, h, w)``.
        models: name -> model; bicubic is always put first.
        scale: 2, 4 or 8.

    Returns:
        A row for each model: ``model``, ``scale``, ``protocol``, ``pictures``,
        ``psnr_y``, ``ssim_y``, ``psnr_rgb``, ``sharpness``, ``checkerboard``
        (means over the pictures) and ``seconds`` (spent enlarging).

    Source: built by srlab; the protocol is lesson 00's.
    """
    everyone = {"bicubic": Bicubic(scale), **models}
    return [_row(name, model, photos, scale) for name, model in everyone.items()]


def _row(name: str, model: nn.Module, photos: Mapping[str, Tensor], scale: int) -> Row:
    figures: list[dict[str, float]] = []
    seconds = 0.0
    for picture, photo in photos.items():
        hr = crop_to_multiple(as_batch(photo), scale)
        try:
            lr = degrade(hr, scale)
            began = time.perf_counter()
            sr = enlarge_in_tiles(model, lr, scale=scale)
            seconds += time.perf_counter() - began
            figures.append(score_pair(as_batch(sr), hr, scale=scale))
        except ValueError as error:  # too small, as an icon among photographs
            raise ValueError(f"{picture}: {error}") from None
    means = {key: sum(f[key] for f in figures) / len(figures) for key in figures[0]}
    return {
        "model": name,
        "scale": scale,
        "protocol": str(Protocol("y", scale)),
        "pictures": len(figures),
        **means,
        "seconds": seconds,
    }


def as_batch(photo: Tensor) -> Tensor:
    """uint8 ``(3, h, w)`` -> float32 ``(1, 3, h, w)`` in [0, 1]; a batch stays."""
    return photo if photo.dtype != torch.uint8 else photo[None].float() / 255


def rows_to_json(rows: list[Row]) -> str:
    """Rows as strict JSON, in which a figure that is no number is null.

    PSNR is infinite where a picture was restored exactly, and sharpness and
    checkerboard have no value where the truth has no fine detail.
    """
    plain = [{key: _or_none(value) for key, value in row.items()} for row in rows]
    return json.dumps(plain, indent=2, allow_nan=False)


def _or_none(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def format_rows(rows: list[Row]) -> str:
    """Rows as a table for people, with the protocol above it."""
    first = rows[0]
    lines = [
        f"x{first['scale']}, {first['pictures']} pictures, Y: {first['protocol']}",
        f"{'model':24} {'PSNR Y':>9} {'SSIM Y':>8} {'PSNR RGB':>9} {'sharpness':>9} "
        f"{'checkerboard':>12} {'s':>7}",
    ]
    for row in rows:
        lines.append(
            f"{row['model']:24} {row['psnr_y']:6.2f} dB {row['ssim_y']:8.4f} "
            f"{row['psnr_rgb']:6.2f} dB {row['sharpness']:9.3f} "
            f"{row['checkerboard']:12.3f} {row['seconds']:7.2f}"
        )
    return "\n".join(lines)
