"""What pictures are measured by: the one list of names, titles and directions."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Wanted = Literal["highest", "lowest", "nearest to the truth's 1"]


@dataclass(frozen=True)
class Measure:
    """A figure that networks are compared by.

    Args:
        title: what it is called.
        wanted: what is best, in words.
        about: what it looks at, in one line.
        digits: after the point.
        unit: with a space before it, or "".
    """

    title: str
    wanted: Wanted
    about: str
    digits: int = 2
    unit: str = ""

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
        "ridge",
        "nearest to the truth's 1",
        "a weave: a ridge behind a valley in the spectrum",
        2,
    ),
    "haarpsi": Measure("HaarPSI", "highest", "steps between neighbors, near and far", 4),
    "mdsi": Measure("MDSI", "lowest", "how unevenly edges and colors are damaged", 4),
}
"""Name -> measure, as ``srlab.metrics.score_pair`` gives them and tables show them."""


def heading_of(measures: Mapping[str, Measure]) -> str:
    """The titles above a table's columns, right-aligned.

    Source: built by srlab.
    """
    return " ".join(f"{measure.title:>{measure.width}}" for measure in measures.values())


def line_of(measures: Mapping[str, Measure], figures: Mapping[str, float]) -> str:
    """A line of the same table.

    Example:
        >>> line_of({"mdsi": MEASURES["mdsi"]}, {"mdsi": 0.25})
        '  0.2500'

    Source: built by srlab.
    """
    return " ".join(
        f"{figures[name]:{m.width - len(m.unit)}.{m.digits}f}{m.unit}"
        for name, m in measures.items()
    )


def short(value: float | None, digits: int = 2) -> str:
    """A figure for people: ``28.66``, ``1e+30`` or ``–``.

    Source: built by srlab.
    """
    if value is None or not math.isfinite(value):
        return "–"
    return f"{value:.{digits}f}" if abs(value) < 1e5 else f"{value:.1e}"


def directions(measures: Mapping[str, Measure] = MEASURES) -> str:
    """What is best by each measure, in one sentence without its period.

    Example:
        >>> directions({"ssim_y": MEASURES["ssim_y"], "mdsi": MEASURES["mdsi"]})
        'SSIM Y highest; MDSI lowest'

    Source: built by srlab.
    """
    titles: dict[Wanted, list[str]] = {}
    for measure in measures.values():
        titles.setdefault(measure.wanted, []).append(measure.title)
    return "; ".join(f"{_and(names)} {wanted}" for wanted, names in titles.items())


def _and(names: list[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
