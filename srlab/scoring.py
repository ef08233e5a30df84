"""Scores of models on pictures, with their protocol and bicubic beside them."""

import copy
import csv
import io
import json
import math
import time
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import torch
from torch import Tensor, nn

from srlab.data import crop_to_multiple, degrade
from srlab.inference import enlarge_in_tiles
from srlab.metrics import Protocol, score_pair
from srlab.models import Bicubic, count_parameters, enlarge
from srlab.require import require_count

Wanted = Literal["highest", "lowest", "nearest to the truth's 1"]


@dataclass(frozen=True)
class Measure:
    """A figure that networks are compared by."""

    title: str
    wanted: Wanted
    about: str  # what it looks at, in one line
    digits: int = 2  # after the point
    unit: str = ""  # with a space before it

    def order(self, value: float) -> float:
        """A number that is the smaller, the better the figure is."""
        if self.wanted == "highest":
            return -value
        return value if self.wanted == "lowest" else abs(value - 1)

    @property
    def width(self) -> int:
        """Characters of a column in a table for people."""
        return max(len(self.title), self.digits + len(self.unit) + 4)

    def text(self, value: float | None) -> str:
        """A figure with its unit, for people: ``28.66 dB`` or ``–``."""
        return short(value, self.digits) + self.unit


MEASURES = {
    "psnr_y": Measure("PSNR Y", "highest", "brightness, pixel by pixel", 2, " dB"),
    "ssim_y": Measure("SSIM Y", "highest", "brightness, contrast, structure, by windows", 4),
    "psnr_rgb": Measure("PSNR RGB", "highest", "colors, pixel by pixel", 2, " dB"),
    "sharpness": Measure(
        "sharpness", "nearest to the truth's 1", "how much detail too fine for the input", 3
    ),
    # Not the lowest: a blur draws no grid either, and would win.
    "checkerboard": Measure(
        "checkerboard", "nearest to the truth's 1", "a grid in the rhythm of the doublings", 3
    ),
    "ridge": Measure(
        "ridge", "nearest to the truth's 1", "a weave: a ridge after a valley in the spectrum"
    ),
    "haarpsi": Measure("HaarPSI", "highest", "steps between neighbors, near and far", 4),
    "mdsi": Measure("MDSI", "lowest", "how unevenly edges and colors are damaged", 4),
}
"""Name -> measure, as ``srlab.metrics.score_pair`` gives them and tables show them."""


def heading_of(measures: Mapping[str, Measure]) -> str:
    """The titles above a table's columns, right-aligned."""
    return " ".join(f"{measure.title:>{measure.width}}" for measure in measures.values())


def line_of(measures: Mapping[str, Measure], figures: Mapping[str, float]) -> str:
    """A line of the same table.

    Example:
        >>> line_of({"mdsi": MEASURES["mdsi"]}, {"mdsi": 0.25})
        '  0.2500'
    """
    return " ".join(
        f"{figures[name]:{m.width - len(m.unit)}.{m.digits}f}{m.unit}"
        for name, m in measures.items()
    )


def short(value: float | None, digits: int = 2) -> str:
    """A figure for people: ``28.66``, ``1e+30`` or ``–``."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{value:.{digits}f}" if abs(value) < 1e5 else f"{value:.1e}"


def directions(measures: Mapping[str, Measure] = MEASURES) -> str:
    """What is best by each measure, in one sentence without its period.

    Example:
        >>> directions({"ssim_y": MEASURES["ssim_y"], "mdsi": MEASURES["mdsi"]})
        'SSIM Y highest; MDSI lowest'
    """
    titles: dict[Wanted, list[str]] = {}
    for measure in measures.values():
        titles.setdefault(measure.wanted, []).append(measure.title)
    return "; ".join(f"{_and(names)} {wanted}" for wanted, names in titles.items())


def _and(names: list[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


class Scene:
    """A photograph under test: what networks get of it, and how they are judged.

    Args:
        hr: the truth, ``(N, 3, h, w)`` in [0, 1]; what is too much for sides
            that are divisible by the scale is cut off.
        scale: 2, 4 or 8.

    Attributes:
        lr: what networks get.
        protocol: what PSNR compares; the published one.

    Example:
        >>> scene = Scene(torch.rand(1, 3, 65, 64), 4)
        >>> scene.lr.shape
        torch.Size([1, 3, 16, 16])
        >>> list(scene.judge(scene.bicubic))
        ['psnr_y', 'sharpness']
    """

    def __init__(self, hr: Tensor, scale: int):
        self.scale, self.protocol = scale, Protocol("y", scale)
        self.hr = crop_to_multiple(hr, scale)
        self.lr = degrade(self.hr, scale)

    @cached_property
    def bicubic(self) -> Tensor:
        """What every network is compared with; at edges a little beyond [0, 1]."""
        return enlarge(self.lr, self.scale)

    def judge(
        self, sr: Tensor, only: Collection[str] | None = ("psnr_y", "sharpness")
    ) -> dict[str, float]:
        """Figures of an enlargement, as it is seen: in [0, 1].

        Args:
            sr: as large as ``hr``.
            only: which of ``MEASURES``; all if None.
        """
        return score_pair(sr.clamp(0, 1), self.hr, scale=self.scale, only=only)


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
        each of ``srlab.scoring.MEASURES`` (means over the pictures) and
        ``seconds`` (spent enlarging). With
        ``per_picture`` the rows of single pictures follow, and each row has a
        ``picture``: its name, or None in the means.

    Raises:
        ValueError: if no picture is large enough, or a model fails.
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
        scene = Scene(as_batch(photo), scale)
        began = time.perf_counter()
        sr = enlarge_in_tiles(network, scene.lr, scale=scale)
        seconds = time.perf_counter() - began
        figures = scene.judge(as_batch(sr), only=None)
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
        *_table("model", means),
    ]
    if singles:
        named = [row | {"model": f"{row['model']}, {row['picture']}"} for row in singles]
        lines += ["", *_table("model, picture", named)]
    return "\n".join(lines)


def _table(first: str, rows: list[Row]) -> Iterator[str]:
    """A line for each row below the titles of its columns."""
    yield f"{first:24} {heading_of(MEASURES)} {'s':>7}"
    for row in rows:
        yield f"{row['model']:24} {line_of(MEASURES, row)} {row['seconds']:7.2f}"


Convolution = nn.Conv2d | nn.ConvTranspose2d


def count_multiply_adds(model: nn.Module, height: int, width: int) -> int:
    """Multiplications, each with its addition, to enlarge one picture.

    ``k * k * in_channels * out_channels * h * w`` for each convolution, with
    the size of what it gives (of a transposed one: of what it gets); half of
    the "flops" that torch counts. Bicubic, ReLU, pooling and shuffles are left
    out. A black picture goes through a copy of the model, on the CPU.

    Args:
        model: lr -> sr.
        height, width: of lr, in px.

    Returns:
        Multiply-adds; 0 for bicubic.

    Raises:
        ValueError: if a side is below 1.

    Example:
        >>> conv = nn.Conv2d(3, 8, 3, padding=1)
        >>> count_multiply_adds(conv, 10, 20) == 3 * 3 * 3 * 8 * 10 * 20
        True

    Counted by hooks: torch's ``FlopCounterMode`` gives the same number, but
    first loads a compiler, which takes seconds.
    """
    require_count(height, "height")
    require_count(width, "width")
    own = copy.deepcopy(model).to("cpu", torch.float32).eval()
    counts: list[int] = []

    def note(conv: Convolution, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        places = inputs[0] if isinstance(conv, nn.ConvTranspose2d) else output
        counts.append(conv.weight.numel() * places[0, 0].numel())

    for layer in own.modules():
        if isinstance(layer, Convolution):
            layer.register_forward_hook(note)
    with torch.no_grad():
        own(torch.zeros(1, 3, height, width))
    return sum(counts)


WORK_SIZE = 128
"""Side in px of the small picture whose multiply-adds are counted."""

SHOWN = {name: measure for name, measure in MEASURES.items() if name != "psnr_rgb"}
"""Measures of the table; PSNR of the colors would say once more what that of Y says."""


def score_family(
    photos: Mapping[str, Tensor], models: Mapping[str, nn.Module], *, scale: int
) -> list[Row]:
    """``score_models``, and beside it what each network costs.

    Returns:
        A row for each model, as ``score_models`` gives them, with
        ``parameters`` and ``multiply_adds`` (for lr of ``WORK_SIZE`` x
        ``WORK_SIZE`` px) added.
    """
    rows = score_models(photos, models, scale=scale)
    for row, model in zip(rows, (Bicubic(scale), *models.values()), strict=True):
        row["parameters"] = count_parameters(model)
        row["multiply_adds"] = count_multiply_adds(model, WORK_SIZE, WORK_SIZE)
    return rows


def format_family(rows: list[Row]) -> str:
    """Rows as a table for people, with the protocol above it."""
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
