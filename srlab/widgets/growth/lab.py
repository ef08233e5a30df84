"""GrowthLab: how variance grows where each block adds something to its input."""

from typing import Any

from traitlets import Dict, Float, List, Unicode

from srlab.widgets.growth.reading import MOST_WEIGHT, GrowthReading, read_growth
from srlab.widgets.kit.lab import Lab

TOLD = (1, 8, 32)
"""Blocks after which the variance is told in numbers."""
LEAST = 1e-30
"""What is smaller has no place on a logarithmic axis."""


class GrowthLab(Lab):
    """A weight to drag, and the variance after each of 64 blocks.

    There is no network: numbers go through ``x + weight * c``, and a formula
    stands beside what was counted.

    Args:
        weight: of each correction, 0 to 2.
        correlation: of a correction with its block's input, -1 to 1.

    Example:
        >>> lab = GrowthLab(weight=1.0)
        >>> lab.reading.theory[3]
        8.0
    """

    view = Unicode("growth").tag(sync=True)
    weight = Float(1.0, min=0, max=MOST_WEIGHT).tag(sync=True, setting=True)
    correlation = Float(0.0, min=-1, max=1).tag(sync=True, setting=True)
    blocks = List(Dict(), help="block, theory and measured").tag(sync=True)
    told = List(Dict(), help="the same, of a few blocks").tag(sync=True)
    said = Unicode().tag(sync=True)

    def __init__(self, weight: float = 1.0, correlation: float = 0.0):
        super().__init__(weight=weight, correlation=correlation)
        self._read()

    def changed(self, _name: str, _value: Any) -> None:
        """A slider moved: count anew."""
        self._read()

    def summary(self) -> str:
        """One sentence for readers without a kernel."""
        return f"GrowthLab: {self.reading}"

    def _read(self) -> None:
        self.reading = read_growth(self.weight, self.correlation)
        rows = _rows(self.reading)
        self.tell(blocks=rows, told=[rows[n] for n in TOLD], said=f"{self.reading}")


def _rows(reading: GrowthReading) -> list[dict[str, Any]]:
    pairs = zip(reading.theory, reading.measured, strict=True)
    return [
        {"block": n, "theory": _drawn(theory), "measured": _drawn(measured)}
        for n, (theory, measured) in enumerate(pairs)
    ]


def _drawn(variance: float) -> float | None:
    return variance if variance > LEAST else None
