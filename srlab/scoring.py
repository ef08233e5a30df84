"""Scores of models on pictures, with their protocol and bicubic beside them."""

import csv
import io
import json
import math
import time
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from srlab.data import crop_to_multiple, degrade
from srlab.inference import enlarge_in_tiles
from srlab.measures import MEASURES, heading_of, line_of
from srlab.metrics import Protocol, score_pair
from srlab.models import Bicubic

Row = dict[str, Any]
Keep = Callable[[str, str, Tensor], object]
"""Called with a model, a picture and sr, uint8 ``(3, h, w)``."""


def score_models(
    photos: Mapping[str, Tensor],
    models: Mapping[str, nn.Module],
    *,
    scale: int,
    per_picture: bool = False,
    keep: Keep | None = None,
) -> list[Row]:
    """Degrade each picture, let each model enlarge it, compare with the truth.

    A picture too small for the figures is left out for all models alike, with
    a warning.

    Args:
        photos: name -> uint8 ``(3, h, w)`` or float ``(1, 3, h, w)``.
        models: name -> model; bicubic is always put first.
        scale: 2, 4 or 8.
        per_picture: also give a row for each model and picture.
        keep: called with each enlarged picture; it is kept nowhere else.

    Returns:
        A row for each model: ``model``, ``scale``, ``protocol``, ``pictures``,
        each of ``srlab.measures.MEASURES`` (means over the pictures) and
        ``seconds`` (spent enlarging). With
        ``per_picture`` the rows of single pictures follow, and each row has a
        ``picture``: its name, or None in the means.

    Raises:
        ValueError: if no picture is large enough, or a model fails.

    Source: built by srlab; the protocol is lesson 00's.
    """
    singles = {"bicubic": _score_all_that_fit(photos, scale, keep)}
    usable = {name: photos[name] for name in singles["bicubic"]}
    for model, network in models.items():
        singles[model] = {
            name: _score_one(network, (model, name), photo, scale, keep)
            for name, photo in usable.items()
        }
    rows = [_mean_row(model, list(one.values()), scale) for model, one in singles.items()]
    if not per_picture:
        return rows
    return [{**row, "picture": None} for row in rows] + [
        {**_mean_row(model, [one[name]], scale), "picture": name}
        for name in usable
        for model, one in singles.items()
    ]


def _score_all_that_fit(
    photos: Mapping[str, Tensor], scale: int, keep: Keep | None
) -> dict[str, dict[str, float]]:
    """Bicubic's figures by picture; where even these fail, the picture is left out."""
    bicubic = Bicubic(scale)
    figures, reasons = {}, {}
    for name, photo in photos.items():
        try:
            figures[name] = _score_one(bicubic, ("bicubic", name), photo, scale, keep)
        except ValueError as error:  # too small, as an icon among photographs
            reasons[name] = str(error)
    if not figures:
        raise ValueError(next(iter(reasons.values()), "There are no pictures to score."))
    if reasons:
        warnings.warn(
            f"left out, too small to be scored at x{scale}: {', '.join(reasons)}.",
            stacklevel=3,
        )
    return figures


def _score_one(
    network: nn.Module, names: tuple[str, str], photo: Tensor, scale: int, keep: Keep | None
) -> dict[str, float]:
    """Every figure of one picture, and the seconds it took to enlarge it."""
    model, picture = names
    try:
        hr = crop_to_multiple(as_batch(photo), scale)
        lr = degrade(hr, scale)
        began = time.perf_counter()
        sr = enlarge_in_tiles(network, lr, scale=scale)
        seconds = time.perf_counter() - began
        figures = score_pair(as_batch(sr), hr, scale=scale)
    except ValueError as error:
        raise ValueError(f"{picture}: {error}") from None
    if keep:
        keep(model, picture, sr)
    return {**figures, "seconds": seconds}


def _mean_row(model: str, figures: list[dict[str, float]], scale: int) -> Row:
    """Means over pictures, and all their seconds."""
    totals = {key: sum(f[key] for f in figures) for key in figures[0]}
    return {
        "model": model,
        "scale": scale,
        "protocol": str(Protocol("y", scale)),
        "pictures": len(figures),
        **{key: total / len(figures) for key, total in totals.items()},
        "seconds": totals["seconds"],
    }


def as_batch(photo: Tensor) -> Tensor:
    """uint8 ``(3, h, w)`` -> float32 ``(1, 3, h, w)`` in [0, 1]; a batch stays."""
    return photo if photo.dtype != torch.uint8 else photo[None].float() / 255


def rows_to_json(rows: list[Row]) -> str:
    """Rows as strict JSON, in which a figure that is no number is null.

    PSNR is infinite where a picture was restored exactly, and sharpness,
    checkerboard and ridge have no value where the truth has no fine detail.
    """
    return json.dumps(_plain(rows), indent=2, allow_nan=False)


def rows_to_csv(rows: list[Row]) -> str:
    """Rows as CSV with a line of names; a figure that is no number is empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0].keys(), lineterminator="\n")
    writer.writeheader()
    writer.writerows(_plain(rows))
    return text.getvalue()


def _plain(rows: list[Row]) -> list[Row]:
    return [{key: _or_none(value) for key, value in row.items()} for row in rows]


def _or_none(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def format_rows(rows: list[Row]) -> str:
    """Rows as a table for people, with the protocol above it; single pictures below."""
    means = [row for row in rows if row.get("picture") is None]
    singles = [row for row in rows if row.get("picture") is not None]
    count = means[0]["pictures"]
    lines = [
        f"x{means[0]['scale']}, {count} picture{'s' if count != 1 else ''}, "
        f"Y: {means[0]['protocol']}",
        _heading("model"),
        *(_line(row["model"], row) for row in means),
    ]
    if singles:
        lines += ["", _heading("model, picture")]
        lines += [_line(f"{row['model']}, {row['picture']}", row) for row in singles]
    return "\n".join(lines)


def _heading(first: str) -> str:
    return f"{first:24} {heading_of(MEASURES)} {'s':>7}"


def _line(first: str, row: Row) -> str:
    return f"{first:24} {line_of(MEASURES, row)} {row['seconds']:7.2f}"
