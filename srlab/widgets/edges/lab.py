"""Five truths that would be equally likely: what is the best single answer?"""

from typing import Any

import torch
from torch import Tensor
from traitlets import Float, Int, List, Unicode

from srlab.widgets.kit.lab import Lab

PIXELS = 12
FIRST, LAST = 1, PIXELS - 1
"""Where an edge may be: so many px are dark before it."""


class Edges(Lab):
    """Rows of pixels, dark then bright, and the answers of L1 and L2 to them all.

    Pixel by pixel, the mean of the truths costs least by L2, and their median by L1.

    Args:
        places: of the edges, 1 to 11; how many pixels are dark before each.

    Raises:
        ValueError: for another place, or other than five.

    Example:
        >>> Edges([4, 4, 4, 4, 4])
        edges at 4, 4, 4, 4, 4: the steepest step of L2's answer is 1.0, of L1's 1.0
    """

    view = Unicode("edges").tag(sync=True)
    pixels = Int(PIXELS).tag(sync=True)
    places = List(Int(), help="dark px before each edge").tag(sync=True, setting=True)
    mean = List(Float(), help="L2's answer, 0 to 1").tag(sync=True)
    median = List(Float(), help="L1's answer, 0 to 1").tag(sync=True)
    said = Unicode(help="what is shown, in a sentence").tag(sync=True)

    def __init__(self, places: list[int] | None = None):
        super().__init__()
        self._seen = [4, 5, 6, 7, 8]
        wanted = list(places or self._seen)
        _require_places(wanted)
        self._answer(wanted)

    def changed(self, _name: str, value: Any) -> None:
        """Answer to edges that moved; where none can be, say so and go back."""
        try:
            _require_places(value)
        except ValueError as error:
            self.tell(places=self._seen, error=f"{error}")
            return
        self._answer(list(value))

    def summary(self) -> str:
        """Where the edges are, and how steep the answers."""
        return self.said

    def _answer(self, places: list[int]) -> None:
        self._seen = places
        truths = rows(places)
        mean, median = truths.mean(0), truths.median(0).values
        where = ", ".join(map(str, places))
        said = (
            f"edges at {where}: the steepest step of L2's answer is "
            f"{steepest(mean):.1f}, of L1's {steepest(median):.1f}"
        )
        self.tell(
            places=places, mean=mean.tolist(), median=median.tolist(), said=said, error=""
        )


def rows(places: list[int]) -> Tensor:
    """A row of 0 and 1 for each edge, ``(edges, pixels)``."""
    return (torch.arange(PIXELS) >= torch.tensor(places)[:, None]).float()


def steepest(row: Tensor) -> float:
    """The largest step from one pixel to the next."""
    return row.diff().abs().max().item()


def _require_places(places: list[int]) -> None:
    """Raise unless each of five edges is inside the row."""
    if len(places) != 5 or not all(FIRST <= place <= LAST for place in places):
        raise ValueError(
            f"places must be five numbers from {FIRST} to {LAST}, but got {places}."
        )
