"""Several networks on the same pictures: how good, how large, how much work."""

from collections.abc import Mapping

from torch import Tensor, nn

from srlab.cost import count_multiply_adds, count_parameters
from srlab.measures import MEASURES, heading_of, line_of
from srlab.models import Bicubic
from srlab.scoring import Row, score_models

WORK_SIZE = 128
"""Side in px of the small picture whose multiply-adds are counted."""

SHOWN = {name: measure for name, measure in MEASURES.items() if name != "psnr_rgb"}
"""Measures of the table; PSNR of the colors would say once more what that of Y says."""


def score_family(
    photos: Mapping[str, Tensor], models: Mapping[str, nn.Module], *, scale: int
) -> list[Row]:
    """``score_models``, and beside it what each network costs.

    Args:
        photos: name -> uint8 ``(3, h, w)`` or float ``(1, 3, h, w)``.
        models: name -> model; bicubic is always put first.
        scale: 2, 4 or 8.

    Returns:
        A row for each model, as ``score_models`` gives them, with
        ``parameters`` and ``multiply_adds`` (for lr of ``WORK_SIZE`` x
        ``WORK_SIZE`` px) added.

    Source: built by srlab; used in lesson 07.
    """
    rows = score_models(photos, models, scale=scale)
    everyone = {"bicubic": Bicubic(scale), **models}
    return [row | _cost(model) for row, model in zip(rows, everyone.values(), strict=True)]


def format_family(rows: list[Row]) -> str:
    """Rows as a table for people, with the protocol above it.

    Source: built by srlab; used in lesson 07.
    """
    first = rows[0]
    width = max(12, *(len(row["model"]) for row in rows))
    lines = [
        f"x{first['scale']}, means over {first['pictures']} pictures. PSNR and SSIM: "
        f"{first['protocol']}.",
        f"G: billions of multiply-adds for {WORK_SIZE} x {WORK_SIZE} px. "
        f"s: for all pictures, on this machine.",
        f"{'':{width}} {heading_of(SHOWN)} {'parameters':>11} {'G':>6} {'s':>6}",
    ]
    lines += [
        f"{row['model']:{width}} {line_of(SHOWN, row)} "
        f"{row['parameters']:11,} {row['multiply_adds'] / 1e9:6.2f} {row['seconds']:6.2f}"
        for row in rows
    ]
    return "\n".join(lines)


def _cost(model: nn.Module) -> Row:
    return {
        "parameters": count_parameters(model),
        "multiply_adds": count_multiply_adds(model, WORK_SIZE, WORK_SIZE),
    }
