"""A race of networks that differ in the weight of their blocks alone."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from math import nan
from typing import cast

import torch
from torch import Tensor, nn

from srlab.data import Pairs
from srlab.losses import WeightedLoss, pixel_loss
from srlab.models import SrResNet, enlarge
from srlab.require import require_known
from srlab.residuals import (
    ChannelGates,
    FixedWeight,
    LearnedWeight,
    WeightedResidualBlock,
    block_weights,
)
from srlab.training import DivergedError, undivided
from srlab.widgets.workbench import Workbench

KINDS = ("plain", "fixed", "learned", "gates")
INITS = {"pytorch": "PyTorch’s", "he": "He’s"}
"""How the blocks' convolutions start."""
WINDOW = 20
"""Steps whose losses are averaged for a point of a curve."""


@dataclass(frozen=True)
class RaceStanding:
    """How far a network of the race has come.

    Args:
        step: optimizer steps done.
        loss: at its last step; NaN before the first.
        psnr: of the shown photograph, published protocol, dB; NaN before the
            start.
        note: why it runs no more, or that it has not started; else empty.
    """

    step: int
    loss: float
    psnr: float
    note: str = ""

    def __str__(self) -> str:
        if not self.step:
            return self.note or "at the start"
        text = f"step {self.step}, loss {self.loss:.4f}, {self.psnr:.2f} dB"
        return f"{text}, {self.note}" if self.note else text


NOT_STARTED = RaceStanding(0, nan, nan, "not started")


def make_weight(kind: str, num_features: int, value: float) -> nn.Module:
    """The weight of one block.

    Args:
        kind: one of ``KINDS``.
        num_features: channels.
        value: the factor, if ``kind`` is ``"fixed"``.

    Raises:
        ValueError: for an unknown kind.
    """
    require_known([kind], KINDS, "kind")
    if kind == "learned":
        return LearnedWeight()
    if kind == "gates":
        return ChannelGates(num_features)
    return FixedWeight(value if kind == "fixed" else 1.0)


def make_network(
    kind: str, scale: int, num_features: int, depth: int, *,
    value: float = 1.0, init: str = "pytorch",
) -> SrResNet:  # fmt: skip
    """A network whose blocks are weighted as ``kind`` says.

    From one seed all kinds get the same convolutions, so that nothing but
    the weight tells them apart.

    Args:
        kind: one of ``KINDS``.
        scale: 2, 4 or 8.
        num_features: width.
        depth: blocks.
        value: the factor, if ``kind`` is ``"fixed"``.
        init: one of ``INITS``.

    Raises:
        ValueError: for an unknown kind.
    """

    def block(features: int) -> WeightedResidualBlock:
        with torch.random.fork_rng(devices=[]):  # gates draw numbers, the others none
            weight = make_weight(kind, features, value)
        return WeightedResidualBlock(features, weight)

    network = SrResNet(scale, num_features, depth, block=block)
    if init == "he":
        _start_as_he(network)
    return network


def _start_as_he(network: SrResNet) -> None:
    """Variance 2 / inputs for the blocks' convolutions, and no biases, as in lesson 03."""
    parts = [part for block in network.body for part in block.children()]
    for conv in (part for part in parts if isinstance(part, nn.Conv2d)):
        nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
        if conv.bias is not None:
            nn.init.zeros_(conv.bias)


class Racer:
    """One network of the race, with an optimizer of its own.

    Args:
        bench: the network and all that it is trained with.
    """

    def __init__(self, bench: Workbench[WeightedLoss]):
        self.bench = bench
        self.losses: list[float] = []
        self.note = ""
        self.go_on()

    @property
    def step(self) -> int:
        """Optimizer steps done."""
        return self.bench.taken

    def go_on(self) -> None:
        """Take up the training, also after Ctrl-C."""
        self._steps = self.bench.steps()
        self._standing: RaceStanding | None = None

    def advance(self) -> None:
        """Train one step, or drop out of the race."""
        self._standing = None
        try:
            self.losses.append(next(self._steps).loss)
        except DivergedError:
            self.note = f"dropped out after step {self.step}: its loss is no number any more"

    def set_weight(self, value: float) -> None:
        """Change the fixed weight of every block, from the next step on."""
        self._standing = None
        set_fixed_weight(self.bench.model, value)

    def standing(self) -> RaceStanding:
        """Where it stands; measured anew only after it changed."""
        if self._standing is None:
            _, figures = self.bench.look()
            self._standing = RaceStanding(self.step, figures.loss, figures.psnr, self.note)
        return self._standing

    def weights(self) -> list[float]:
        """The weight of each block; gates as they are for the shown photograph."""
        self.standing()  # shows the photograph to the network
        return block_weights(cast(SrResNet, self.bench.model))


class Race:
    """Networks trained in turn, on the same batches and from the same seed.

    Args:
        data: endless pairs.
        num_features: width of each network.
        depth: blocks of each network.
        value: weight of the fixed one; ``set_weight`` changes it.
        learning_rate: of each.
        seed: of the first weights.
        init: how they start, one of ``INITS``.
    """

    def __init__(
        self,
        data: Pairs,
        num_features: int,
        depth: int,
        *,
        value: float,
        learning_rate: float = 1e-3,
        seed: int = 0,
        init: str = "pytorch",
    ):
        self.data, self.depth, self.value, self.init = data, depth, value, init
        self.loss = pixel_loss()
        self.bicubic_losses: list[float] = []  # of the same batches
        self.racers = {
            kind: Racer(
                Workbench(
                    partial(
                        make_network, kind, data.scale, num_features, depth,
                        value=value, init=init,
                    ),
                    data, self.loss, learning_rate=learning_rate, seed=seed,
                )
            )
            for kind in KINDS
        }  # fmt: skip
        self.bicubic_psnr = self.racers["plain"].bench.bicubic_psnr

    @property
    def step(self) -> int:
        """Rounds done: steps of the network that has come furthest."""
        return max(racer.step for racer in self.racers.values())

    def rounds(self, between: Callable[[], object] = lambda: None) -> Iterator[int]:
        """Let every network make one step for each round asked for.

        Args:
            between: called after each network's step, for what need not wait
                for a whole round.

        Yields:
            The number of the round, 1 after the first.

        Raises:
            DivergedError: when no network is left.
        """
        for racer in self.racers.values():
            racer.go_on()
        while going := [racer for racer in self.racers.values() if not racer.note]:
            behind = min(racer.step for racer in going)
            with undivided() as interrupts:  # a round of some is no round
                self._note_bicubic(behind)
                for racer in going:
                    if racer.step == behind:
                        racer.advance()
                        between()
            yield behind + 1
            if interrupts:
                raise KeyboardInterrupt
        raise DivergedError(
            f"Every network has dropped out by step {self.step}; reset the race and take a "
            f"smaller learning rate."
        )

    def set_weight(self, value: float) -> None:
        """Change the weight of the fixed network, from its next step on."""
        self.value = value
        self.racers["fixed"].set_weight(value)

    def standings(self) -> dict[str, RaceStanding]:
        """Where each network stands."""
        return {kind: racer.standing() for kind, racer in self.racers.items()}

    def share(self, kind: str, step: int) -> float:
        """The loss of one network after so many steps, as a share of bicubic's.

        Both are averaged over the same ``WINDOW`` batches, so a batch that is
        hard for all bends no curve.

        Args:
            kind: one of ``KINDS``.
            step: 1 after the first.

        Returns:
            Below 1 it is better than bicubic; NaN if it has dropped out before.
        """
        losses, window = self.racers[kind].losses, slice(max(0, step - WINDOW), step)
        if step > len(losses):
            return nan
        return sum(losses[window]) / sum(self.bicubic_losses[window])

    @torch.no_grad()
    def _note_bicubic(self, index: int) -> None:
        """Measure bicubic on batch ``index``, unless that was done."""
        if index == len(self.bicubic_losses):
            lr, hr = self.data[index]
            self.bicubic_losses.append(total(self.loss(enlarge(lr, self.data.scale), hr)))


def set_fixed_weight(network: nn.Module, value: float) -> None:
    """Give every block this factor."""
    for module in network.modules():
        if isinstance(module, FixedWeight):
            module.value = value


def total(terms: dict[str, Tensor]) -> float:
    """The sum of a loss's terms."""
    return sum(term.item() for term in terms.values())
