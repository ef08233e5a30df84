"""Straight lines through measured points: cost as the work grows."""

import statistics
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Line:
    """``slope * work + start``, and how far the points are from it.

    Args:
        slope: cost of one more unit of work.
        start: cost of no work.
        departure: the largest distance of a point from the line, as a share
            of the point.
    """

    slope: float
    start: float
    departure: float


def fit_line(costs: Mapping[float, float]) -> Line:
    """The line of least squares through work -> cost, two points or more."""
    slope, start = statistics.linear_regression(list(costs), list(costs.values()))
    departure = max(abs(cost - slope * work - start) / cost for work, cost in costs.items())
    return Line(slope, start, departure)
