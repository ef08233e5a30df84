"""One run of the Loss Lab, or a fork of one: what was changed, and where it was left."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from torch import Tensor, nn
from torch.optim import Optimizer

from srlab.checkpoints import load_optimizer, load_weights
from srlab.runcard import Change
from srlab.training import Step
from srlab.widgets.workbench import History


@dataclass(frozen=True)
class BranchState:
    """A network and its optimizer at one moment, copied to the CPU."""

    weights: dict[str, Tensor]
    optimizer: dict[str, Any]

    @classmethod
    def of(cls, model: nn.Module, optimizer: Optimizer) -> "BranchState":
        """Copy the present moment."""
        state = optimizer.state_dict()
        moments = {index: _copies(values) for index, values in state["state"].items()}
        groups = copy.deepcopy(state["param_groups"])
        return cls(_copies(model.state_dict()), {"state": moments, "param_groups": groups})

    def restore(self, model: nn.Module, optimizer: Optimizer) -> None:
        """Go on from that moment, exactly."""
        load_weights(model, self.weights, "the branch")
        load_optimizer(optimizer, self.optimizer)


@dataclass
class Branch:
    """A run from the start of the card, or a fork of another one.

    Args:
        name: such as ``"run 2"``.
        parent: the branch that it was forked from, or None.
        forked_at: the step at which that was.
        history: figures over the steps; a fork's begins with its parent's.
        changes: made so far, by the step, the parent's included.
        step: steps done.
        seconds: spent on them.
        seed: of its first weights and crops.
        key: unlike any other run's, here and in the table on disk.
        planned: changes of a loaded card that are still to come.
        goal: steps of a loaded card; 0 once somebody steers by hand.
        last: the last step.
        state: where it was left; None while it is the present one.
    """

    name: str
    parent: str | None = None
    forked_at: int = 0
    history: History = field(default_factory=History)
    changes: list[Change] = field(default_factory=list)
    step: int = 0
    seconds: float = 0.0
    seed: int = 0
    key: str = field(default_factory=lambda: uuid4().hex[:12])
    planned: list[Change] = field(default_factory=list)
    goal: int = 0
    last: Step | None = None
    state: BranchState | None = None

    def fork(self, name: str) -> "Branch":
        """A branch that goes on from here, with its own lists."""
        return Branch(
            name,
            parent=self.name,
            forked_at=self.step,
            history=History(self.history.limit, list(self.history.points)),
            changes=list(self.changes),
            step=self.step,
            seconds=self.seconds,
            seed=self.seed,
            planned=list(self.planned),
            goal=self.goal,
            last=self.last,
        )

    def note(self, change: Change) -> None:
        """Add a change; what was set after one step becomes one change."""
        if self.changes and self.changes[-1].after == change.after:
            change = merged(self.changes.pop(), change)
        self.changes.append(change)


def merged(first: Change, second: Change) -> Change:
    """Two changes after the same step as one; the second counts."""
    return Change(
        after=second.after,
        weights=first.weights | second.weights,
        layers=first.layers | second.layers,
        learning_rate=second.learning_rate or first.learning_rate,
    )


def _copies(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: values.detach().cpu().clone() for name, values in tensors.items()}
