"""Numbers that go through blocks without any network: x + weight * correction."""

from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

BLOCKS = 64
MOST_WEIGHT = 2.0
NUMBERS = 20_000


@dataclass(frozen=True)
class GrowthReading:
    """The variance after each block, as a formula says and as counted.

    Args:
        weight: of each correction.
        correlation: of each correction with its block's input, -1 to 1.
        theory: after 0, 1, ... ``BLOCKS`` blocks; the first number is 1.
        measured: the same, of ``NUMBERS`` random numbers.
    """

    weight: float
    correlation: float
    theory: tuple[float, ...]
    measured: tuple[float, ...]

    def __str__(self) -> str:
        said = f"weight {self.weight:.2f}, correlation {self.correlation:.2f}"
        ends = ", ".join(
            f"after {n} × {self.measured[n]:.3g} (theory × {self.theory[n]:.3g})"
            for n in (1, 32, BLOCKS)
        )
        return f"{said}: variance {ends}"


def read_growth(weight: float, correlation: float = 0.0) -> GrowthReading:
    """Send numbers of variance 1 through blocks, each of which adds a correction.

    A correction is as large as its block's input. With a correlation of 0 it is
    independent of it, with 1 the same, with -1 the opposite.

    Args:
        weight: of each correction, 0 to 2.
        correlation: of correction and input, -1 to 1.

    Raises:
        ValueError: if one is out of its range.

    Example:
        >>> read_growth(1.0).theory[:4]
        (1.0, 2.0, 4.0, 8.0)
    """
    _require_between(0, weight, MOST_WEIGHT, "weight")
    _require_between(-1, correlation, 1, "correlation")
    factor = 1 + 2 * correlation * weight + weight**2
    x = _draws()[0]
    own = (1 - correlation**2) ** 0.5
    variances = [1.0]
    for draw in _draws()[1:]:
        correction = correlation * x + own * x.std() * draw
        x = x + weight * correction
        variances.append(x.var().item())
    theory = tuple(factor**depth for depth in range(BLOCKS + 1))
    return GrowthReading(weight, correlation, theory, tuple(variances))


@cache
def _draws() -> Tensor:
    """A row of numbers for the input and one for each block, of mean 0 and variance 1."""
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(BLOCKS + 1, NUMBERS, generator=generator, dtype=torch.float64)
    return (rows - rows.mean(1, keepdim=True)) / rows.std(1, keepdim=True)


def _require_between(least: float, value: float, most: float, name: str) -> None:
    if not least <= value <= most:
        raise ValueError(f"{name} must be from {least:g} to {most:g}, but got {value}.")
