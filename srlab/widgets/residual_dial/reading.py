"""What the dial reads of an untrained network: spread and gradient by block."""

from dataclasses import dataclass
from math import isfinite, nan

import torch
from torch import nn

from srlab.data import Pairs
from srlab.features import Hooks
from srlab.losses import pixel_loss
from srlab.machine import place
from srlab.models import SrResNet
from srlab.residuals import gradient_by_block
from srlab.widgets.residual_dial.race import INITS, make_network, set_fixed_weight


@dataclass(frozen=True)
class DialReading:
    """What the dial shows of one untrained network.

    Args:
        kind: how its blocks are weighted.
        weight: of each block; NaN if it is not a fixed number.
        depth: blocks.
        spread: standard deviation of the features after each block.
        gradient: norm of the loss's gradient at each block.
        theory: the spread that is expected; empty where there is no formula.
        init: how the blocks' convolutions start, one of ``INITS``.
    """

    kind: str
    weight: float
    depth: int
    spread: tuple[float, ...]
    gradient: tuple[float, ...]
    theory: tuple[float, ...]
    init: str = "pytorch"

    @property
    def growth(self) -> float:
        """Spread after the last block as a multiple of that after the first."""
        return _ratio(self.spread[-1], self.spread[0])

    @property
    def expected_growth(self) -> float:
        """What theory says of the growth; NaN where there is no formula."""
        return _ratio(self.theory[-1], self.theory[0]) if self.theory else nan

    @property
    def gradient_ratio(self) -> float:
        """Gradient at the first block as a multiple of that at the last."""
        return _ratio(self.gradient[0], self.gradient[-1])

    def title(self) -> str:
        """Kind, weight and depth in words."""
        weight = f", weight {self.weight:.2f}" if isfinite(self.weight) else ""
        start = f", {INITS[self.init]} start" if self.init != "pytorch" else ""
        return f"{self.kind}{weight}, {self.depth} block{'s' if self.depth > 1 else ''}{start}"

    def lines(self) -> list[str]:
        """One line each for spread and gradient: first, last, ratio."""
        expected = self.expected_growth
        theory = f" (theory × {expected:.3g})" if self.theory else " (no formula)"
        return [
            f"spread {self.spread[0]:.3g} after the first block, {self.spread[-1]:.3g} after "
            f"the last: × {self.growth:.3g}{theory}",
            f"gradient {self.gradient[0]:.3g} at the first block, {self.gradient[-1]:.3g} at "
            f"the last: first / last {self.gradient_ratio:.3g}",
        ]

    def __str__(self) -> str:
        return f"{self.title()}: {'; '.join(self.lines())}"


class Dial:
    """Measures untrained networks, as the dial shows them.

    The last one is kept: another weight alone changes no parameter of it.

    Args:
        data: its first batch is looked at.
        num_features: width.
        seed: of the weights.
    """

    def __init__(self, data: Pairs, num_features: int, seed: int):
        self.pair, self.scale = data[0], data.scale
        self.num_features, self.seed = num_features, seed
        self._made: tuple[str, int, str] | None = None

    def read(self, kind: str, weight: float, depth: int, init: str = "pytorch") -> DialReading:
        """Measure one network.

        Args:
            kind: one of ``KINDS``.
            weight: of every block, if ``kind`` is ``"fixed"``.
            depth: blocks.
            init: one of ``INITS``.
        """
        if self._made != (kind, depth, init):
            self.network = self._make(kind, depth, init)
            self._made = kind, depth, init
        if kind == "fixed":
            set_fixed_weight(self.network, weight)
        blocks = {str(number): block for number, block in enumerate(self.network.body)}
        with Hooks(blocks) as hooks:  # one pass gives both
            gradient = tuple(gradient_by_block(self.network, self.pair, pixel_loss()))
        spread = tuple(hook.output.detach().float().std().item() for hook in hooks.values())
        value = {"plain": 1.0, "fixed": weight, "learned": 0.0}.get(kind, nan)
        theory = (
            expected_spread(spread[0], value, self.num_features, depth, init=init)
            if isfinite(value)
            else ()
        )
        return DialReading(kind, value, depth, spread, gradient, theory, init)

    def _make(self, kind: str, depth: int, init: str) -> SrResNet:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            network = make_network(kind, self.scale, self.num_features, depth, init=init)
            _wake_last_convolution(network)
        return place(network, self.pair[0].device)


def expected_spread(
    first: float, weight: float, num_features: int, depth: int, *, init: str = "pytorch"
) -> tuple[float, ...]:
    """The spread that theory expects after each block, before any training.

    A convolution as torch makes it draws weights and biases of variance
    ``1 / (3 * inputs)``: it keeps a third of the mean square, and the ReLU
    half of that. So, with ``b`` the variance of a bias and ``m`` the mean
    square of the features, a block adds ``weight² * ((m / 3 + b) / 6 + b)``.
    He's start doubles the mean square, and has no biases: ``weight² * 2 m``.

    Args:
        first: spread after the first block.
        weight: of every block.
        num_features: width.
        depth: blocks.
        init: one of ``INITS``.

    Returns:
        A spread for each block. It is the mean of many networks; a narrow one
        may be off.

    The edges of the picture, where a convolution sees zeros, are left out of
    account.
    """
    bias = 1 / (3 * 9 * num_features)
    squares = [first**2]
    for _ in range(depth - 1):
        square = squares[-1]
        added = 2 * square if init == "he" else (square / 3 + bias) / 6 + bias
        squares.append(square + weight**2 * added)
    return tuple(square**0.5 for square in squares)


def _wake_last_convolution(network: SrResNet) -> None:
    """Undo the zeros at the end, which would let no gradient through."""
    convs = [m for m in network.upsampler.modules() if isinstance(m, nn.Conv2d)]
    convs[-1].reset_parameters()


def _ratio(one: float, other: float) -> float:
    return one / other if other else nan
