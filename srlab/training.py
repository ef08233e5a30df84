"""Training as an iterator: one optimizer step each time somebody asks.

A notebook, the command line, a live widget and a test all take their steps
from the one loop in ``train``. Whoever wants a pause asks for no further step.
"""

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from srlab.require import require_terms

Loss = Callable[[Tensor, Tensor], Mapping[str, Tensor]]
Schedule = Callable[[float], float]


class Batches(Protocol):
    """Anything that gives batch number ``index`` as ``(lr, hr)``."""

    def __getitem__(self, index: int, /) -> tuple[Tensor, Tensor]: ...


class DivergedError(ArithmeticError):
    """The loss is no longer a number, so going on would teach nothing."""


@dataclass(frozen=True)
class Step:
    """What one optimizer step did.

    Args:
        number: 1 after the first step.
        terms: name -> weighted term of the loss, a scalar tensor.
        learning_rate: the one used.
        seconds: how long the step took, its batch included.
    """

    number: int
    terms: dict[str, Tensor]
    learning_rate: float
    seconds: float

    @property
    def loss(self) -> float:
        """The sum of the terms."""
        return sum(term.item() for term in self.terms.values())


def training_step(
    model: nn.Module,
    pair: tuple[Tensor, Tensor],
    loss: Loss,
    optimizer: Optimizer,
    precision: torch.dtype = torch.float32,
) -> dict[str, Tensor]:
    """Enlarge, compare, and move every parameter a little.

    Args:
        model: lr -> sr.
        pair: ``(lr, hr)``.
        loss: ``(sr, hr)`` -> named terms, whose sum is made small.
        optimizer: holds the model's parameters and the learning rate.
        precision: ``torch.bfloat16`` computes convolutions in bfloat16, those
            of a feature extractor too; sums and parameters stay in float32.

    Returns:
        name -> weighted term, a scalar tensor without gradient.

    Raises:
        DivergedError: if the loss is no finite number; the model is then as
            it was.

    Source: lesson 01.
    """
    lr, hr = pair
    with torch.autocast(lr.device.type, precision, enabled=precision != torch.float32):
        terms = loss(model(lr).float(), hr)  # sr is (N, 3, s*h, s*w)
    require_terms(terms.values())
    total = torch.stack(list(terms.values())).sum()  # a scalar
    require_finite(total, optimizer)
    optimizer.zero_grad()  # or the gradients of the last step would be added
    total.backward()  # each parameter gets its gradient, of its own shape
    optimizer.step()
    # Without the graph, which would keep the whole step in memory
    return {name: term.detach() for name, term in terms.items()}


def train(
    model: nn.Module,
    batches: Batches,
    loss: Loss,
    optimizer: Optimizer,
    *,
    steps: int,
    start: int = 0,
    schedule: Schedule | None = None,
    precision: torch.dtype = torch.float32,
) -> Iterator[Step]:
    """Train, one step for each item asked for.

    Args:
        model: lr -> sr.
        batches: ``batches[i]`` is the pair for step i.
        loss: ``(sr, hr)`` -> named terms, whose sum is made small.
        optimizer: holds the model's parameters and the learning rate.
        steps: the last step's number.
        start: steps already done, when a training goes on.
        schedule: share of the training done, 0 ... 1 -> learning rate;
            without one the optimizer's own stays, and may be changed between
            steps.
        precision: ``torch.bfloat16`` computes the model in bfloat16.

    Yields:
        A ``Step`` after each optimizer step. Ctrl-C waits for the step's end.

    Raises:
        DivergedError: as ``training_step``.

    Source: after the five lines of lesson 01; beyond them it knows a schedule,
    takes up a training where it stopped, and never divides a step.
    """
    model.train()
    for number in range(start, steps):
        with undivided() as interrupts:
            began = time.perf_counter()
            if schedule:
                set_learning_rate(optimizer, schedule(number / steps))
            terms = training_step(model, batches[number], loss, optimizer, precision)
            seconds = time.perf_counter() - began
        # Here the loop rests until the next step is asked for
        yield Step(number + 1, terms, get_learning_rate(optimizer), seconds)
        if interrupts:
            raise KeyboardInterrupt


def cosine_schedule(peak: float, *, warm_up: float = 0.05, floor: float = 0.01) -> Schedule:
    """Learning rate that rises for a moment, then falls along a cosine.

    Args:
        peak: the highest learning rate.
        warm_up: share of the training in which it rises.
        floor: what is left at the end, as a share of ``peak``.

    Returns:
        A function of the share done, 0 ... 1.

    Source: Loshchilov & Hutter 2017.
    """

    def schedule(done: float) -> float:
        if done < warm_up:
            return peak * max(done / warm_up, floor)
        falling = (done - warm_up) / (1 - warm_up)
        return peak * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * falling)))

    return schedule


def set_learning_rate(optimizer: Optimizer, value: float) -> None:
    """Set the learning rate of every parameter."""
    for group in optimizer.param_groups:
        group["lr"] = value


def get_learning_rate(optimizer: Optimizer) -> float:
    """The learning rate in use."""
    return float(optimizer.param_groups[0]["lr"])


def require_finite(total: Tensor, optimizer: Optimizer) -> None:
    """Raise ``DivergedError`` if the loss is no finite number."""
    value = total.item()
    if not math.isfinite(value):
        raise DivergedError(
            f"The loss became {value} at a learning rate of "
            f"{get_learning_rate(optimizer):.3g}; start again with a smaller one."
        )


@contextmanager
def undivided() -> Iterator[list[int]]:
    """Hold Ctrl-C back until the block is done.

    Gives a list; it is no longer empty once Ctrl-C was pressed. An optimizer
    that is interrupted has changed some parameters and not others.
    """
    presses: list[int] = []
    before = signal.getsignal(signal.SIGINT)
    heard = before not in (signal.SIG_IGN, None)  # a background job ignores Ctrl-C
    if not heard or threading.current_thread() is not threading.main_thread():
        yield presses  # only the main thread is ever interrupted
        return

    def note(number: int, _: FrameType | None) -> None:
        presses.append(number)

    signal.signal(signal.SIGINT, note)
    try:
        yield presses
    finally:
        signal.signal(signal.SIGINT, before)
