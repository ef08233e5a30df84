"""The Loss Lab without its page: a training with the expanded loss that one steers."""

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch

from srlab.losses import Entry, ExpandedLoss, balanced_weights, make_ledger
from srlab.machine import PRECISIONS, live_threads, using_threads
from srlab.presets import Preset
from srlab.require import require_known, require_weight
from srlab.runcard import Change, RunCard, Stage, folded
from srlab.runs import on_this_machine, scored
from srlab.runs.photographs import reseeded
from srlab.runs.stages import apply_change, stage_data, stage_network
from srlab.training import Step, train, undivided
from srlab.widgets.loss_lab.branch import Branch, BranchState
from srlab.widgets.loss_lab.card import expanded_loss, lab_card, start_weights, steerable
from srlab.widgets.workbench import Workbench

__all__ = ["LossBench", "Sides", "lab_card"]

LEDGER_SIZE = 48
"""Side of the part of the shown photograph that the ledger looks at, in px."""

MOST_BRANCHES = 50
"""Each keeps a network and its optimizer in memory."""


class LossBench(Workbench[ExpandedLoss]):
    """A run card on the bench: repeated as far as it goes, then steered by hand.

    What is set acts on the next step and is noted as a change of the card, so
    that the card of the present moment repeats the run.

    Args:
        card: of one stage with a constant learning rate and the expanded loss.

    Raises:
        ValueError: if the card cannot be steered, with the reason.
    """

    looked_at = ("psnr_y", "sharpness", "checkerboard", "ridge", "haarpsi", "mdsi")
    """Together some milliseconds."""

    def __init__(self, card: RunCard):
        wanted = card.model_copy(update={"threads": card.threads or live_threads()})
        self.start_card = on_this_machine(steerable(wanted))
        self.branches: dict[str, Branch] = {}
        stage = self.stage
        super().__init__(
            lambda: stage_network(self.start_card, self.stage),
            stage_data(self.start_card, stage),
            expanded_loss(stage, self.start_card.device),
            learning_rate=stage.learning_rate,
            seed=card.seed,
            precision=self.start_card.precision,
        )

    @property
    def stage(self) -> Stage:
        """What the card says to begin with."""
        return self.start_card.stages[0]

    # Training

    def reset(self, seed: int | None = None) -> None:
        """Keep the present branch, and begin another at the start of the card.

        One that has not made a step is not kept: it is where it would begin.

        Args:
            seed: of first weights and crops from now on; the card's if None.

        Raises:
            ValueError: if there are ``MOST_BRANCHES`` already.
        """
        if self.branches and self.done:
            self.require_room()
        with _undisturbed():
            name = self._name_after_reset()
            self._use_seed(self.start_card.seed if seed is None else seed)
            self.learning_rate = self.stage.learning_rate
            super().reset()
            goal = self.stage.steps if self.stage.steps > 1 else 0
            planned = list(self.stage.changes)
            self._enter(Branch(name, planned=planned, goal=goal, seed=self.start_card.seed))

    def start_over(self, seed: int | None = None) -> None:
        """``reset``, but with the weights that are set now.

        A loaded card that nobody steered is repeated instead.

        Args:
            seed: of first weights and crops from now on; the present one if
                None.

        Raises:
            ValueError: as ``reset``.
        """
        if self.done:
            self.require_room()
        kept = None if self.branch.goal else self._setting()
        self.reset(seed)
        if kept:
            self._change(**kept)

    def steps(self) -> Iterator[Step]:
        """The one training loop; it follows when the branch changes."""
        while True:
            self._repeat_changes()
            step = self._make_step()
            self._repeat_changes()
            yield step

    def _make_step(self) -> Step:
        """One step alone: the next one may be another branch's."""
        with using_threads(self.start_card.threads):
            [step] = train(
                self.model,
                self.data,
                self.loss,
                self.optimizer,
                steps=self.done + 1,
                start=self.done,
                precision=PRECISIONS[self.precision],
            )
        self._note(step)
        return step

    @property
    def done(self) -> int:
        """Steps of the present branch, by the optimizer's own count.

        Ctrl-C may fall between a step and the news of it.
        """
        moments = next(iter(self.optimizer.state.values()), None)
        return int(moments["step"]) if moments else 0

    @property
    def replay_left(self) -> int:
        """Steps of the card that are still to be repeated; 0 if none."""
        return max(0, self.branch.goal - self.done)

    # Steering

    def set_weight(self, term: str, value: float) -> None:
        """Weigh a term of the loss from the next step on."""
        require_known([term], self.loss.weights)
        require_weight(value)
        self._change(weights={term: value})

    def set_layer(self, layer: str, value: float) -> None:
        """Weigh a layer of the VGG from the next step on."""
        require_known([layer], self.loss.layer_weights, "layer")
        require_weight(value)
        self._change(layers={layer: value})

    def set_learning_rate(self, value: float) -> None:
        """Change the learning rate from the next step on."""
        if not 0 < value <= 1:
            raise ValueError(f"A learning rate is above 0 and at most 1, but got {value}.")
        self._change(learning_rate=value)

    def apply_preset(self, preset: Preset) -> None:
        """Set every weight of terms and layers; those it does not name are 0."""
        require_known(preset.weights, self.loss.weights)
        require_known(preset.layers, self.loss.layer_weights, "layer")
        self._change(
            weights={name: preset.weights.get(name, 0.0) for name in self.loss.weights},
            layers={name: preset.layers.get(name, 0.0) for name in self.loss.layer_weights},
        )

    def balance(self, shares: Mapping[str, float]) -> dict[str, float]:
        """Set the weights so that each term has its share of the gradient.

        Args:
            shares: name -> share, in any unit; terms that are missing get 0.

        Returns:
            name -> weight, as set.

        Raises:
            ValueError: as ``balanced_weights``.
        """
        weights = balanced_weights(self.ledger(), shares)
        self._change(weights=weights)
        return weights

    # Branches

    def fork(self) -> Branch:
        """Keep the present state under its name, and go on as a new branch.

        Raises:
            ValueError: if there are ``MOST_BRANCHES`` already.
        """
        self.require_room()
        with _undisturbed():
            self._leave()
            self._enter(self.branch.fork(self._next_name()))
        return self.branch

    def go_to(self, name: str) -> Branch:
        """Go back to a branch where it was left; the present one is kept."""
        require_known([name], self.branches, "run called")
        branch = self.branches[name]
        if branch.state is not None:
            with _undisturbed():
                self._leave()
                branch.state.restore(self.model, self.optimizer)
                self._enter(branch)
        return self.branch

    def twin(self) -> "LossBench":
        """A second network at this very state, with the same batches: a fork beside it.

        Raises:
            ValueError: if there are ``MOST_BRANCHES`` already.
        """
        self.require_room()
        with _undisturbed():
            state = BranchState.of(self.model, self.optimizer)
            other = copy.copy(self)
            loss = self.loss
            other.loss = ExpandedLoss(loss.extractor, loss.weights, loss.layer_weights)
            other.model = copy.deepcopy(self.model)
            other.optimizer = torch.optim.Adam(other.model.parameters(), fused=True)
            state.restore(other.model, other.optimizer)
            other._enter(self.branch.fork(self._next_name()))
        return other

    def leave(self) -> None:
        """Keep where the present branch stands; this bench is used no more."""
        with _undisturbed():
            self._leave()

    # Looking

    def ledger(self) -> dict[str, Entry]:
        """Value and share of the gradient of all four terms, on a fixed small crop."""
        size = LEDGER_SIZE // self.data.scale
        top, left = (max(0, (side - size) // 2) for side in self.scene.lr.shape[-2:])
        lr = self.scene.lr[..., top : top + size, left : left + size]
        scale = self.data.scale
        rows, columns = (slice(n * scale, (n + size) * scale) for n in (top, left))
        self.model.eval()
        with torch.no_grad():
            sr = self.model(lr).float()
        self.model.train()
        found = make_ledger(self.loss, sr, self.scene.hr[..., rows, columns])
        silent = {
            name: Entry(weight, 0.0, 0.0, 0.0) for name, weight in self.loss.weights.items()
        }
        return silent | found

    def moment(self, step: int) -> str:
        """What a snapshot is called: its branch and its step."""
        return f"{self.branch.name}, step {step}"

    # Run cards

    def card(self, name: str | None = None) -> RunCard:
        """The run card of the present branch: it repeats what was done so far.

        It begins with the weights that were in force at the first step.

        Args:
            name: of the run; that of the card it began with if None.
        """
        update = {"steps": max(1, self.done), "changes": list(self.branch.changes)}
        stage = folded(self.stage.model_copy(update=update))
        seconds = round(self.branch.seconds, 1)
        name = name or self.start_card.name
        return self.start_card.model_copy(
            update={"name": name, "stages": [stage], "seconds": seconds, "scores": {}}
        )

    def finished_card(self, name: str | None = None) -> RunCard:
        """The same, with its scores on the validation photographs."""
        return scored(self.card(name), self.model)

    # Parts

    def _note(self, step: Step) -> None:
        super()._note(step)
        self.branch.last, self.branch.step = step, step.number
        self.branch.seconds += step.seconds

    def _change(self, **what: Any) -> None:
        """Set what differs from the present, and note it; a replay ends here."""
        change = self._news(Change(after=self.done, **what))
        if change is None:
            return
        with _undisturbed():
            self.branch.planned, self.branch.goal = [], 0
            self._apply(change)
            self.branch.note(change)

    def _news(self, change: Change) -> Change | None:
        """What of a change is not so already; None if nothing."""
        weights = {n: w for n, w in change.weights.items() if self.loss.weights[n] != w}
        layers = {n: w for n, w in change.layers.items() if self.loss.layer_weights[n] != w}
        rate = change.learning_rate
        if rate == self.present_learning_rate:
            rate = None
        if not (weights or layers or rate):
            return None
        return Change(after=change.after, weights=weights, layers=layers, learning_rate=rate)

    def _setting(self) -> dict[str, Any]:
        """Everything that one can steer, as ``_change`` takes it."""
        return {
            "weights": dict(self.loss.weights),
            "layers": dict(self.loss.layer_weights),
            "learning_rate": self.present_learning_rate,
        }

    def _use_seed(self, seed: int) -> None:
        """Take another seed's crops, and its first weights at the next reset."""
        if seed != self.start_card.seed:
            self.start_card = self.start_card.model_copy(update={"seed": seed})
            self.data = reseeded(self.data, seed)
        self.seed = seed

    def _apply(self, change: Change) -> None:
        apply_change(change, self.loss, self.optimizer)
        self.learning_rate = self.present_learning_rate

    def _repeat_changes(self) -> None:
        """Make the changes of a loaded card whose step has come."""
        branch = self.branch
        while branch.planned and branch.planned[0].after <= self.done:
            with _undisturbed():
                self._apply(branch.planned[0])
                branch.note(branch.planned.pop(0))

    def _leave(self) -> None:
        """Keep where the present branch stands."""
        self.branch.step = self.done
        self.branch.state = BranchState.of(self.model, self.optimizer)

    def _name_after_reset(self) -> str:
        """A new name, unless the present branch has not made a step."""
        if self.branches and not self.done:
            return self.branch.name
        if self.branches:
            self._leave()
        return self._next_name()

    def require_room(self, count: int = 1) -> None:
        """Raise ValueError unless so many further runs can be kept."""
        if len(self.branches) + count > MOST_BRANCHES:
            raise ValueError(
                f"There are {MOST_BRANCHES} runs already, and each keeps a network; "
                f"save the card of this one and load it into a new lab."
            )

    def _enter(self, branch: Branch) -> None:
        """Make a branch the present one; network and optimizer are its own already."""
        self._use_seed(branch.seed)
        self.branch, branch.state = branch, None
        self.branches[branch.name] = branch
        self.history, self.step = branch.history, branch.last
        self.loss.weights.update(start_weights(self.stage))
        if self.stage.features:
            self.loss.layer_weights.update(self.stage.features.layers)
        for change in branch.changes:
            self._apply(change)
        self._repeat_changes()

    def _next_name(self) -> str:
        return f"run {len(self.branches) + 1}"


class Sides:
    """One network, or two side by side: A, and B, which began as its fork.

    Both get the same batches, step by step; so what differs between them
    comes from the weights that differ.

    Args:
        bench: A's.
    """

    def __init__(self, bench: LossBench):
        self.benches = {"A": bench}

    def __getitem__(self, side: str) -> LossBench:
        require_known([side], self.benches, "side")
        return self.benches[side]

    @property
    def two(self) -> bool:
        """Whether there is a B."""
        return "B" in self.benches

    def split(self) -> str:
        """Put a fork of A beside it; the name of its run.

        Raises:
            ValueError: if there are two already, or ``MOST_BRANCHES`` runs.
        """
        self.require_one("are put side by side already")
        self.benches["B"] = self.benches["A"].twin()
        return self.benches["B"].branch.name

    def join(self, keep: str) -> str:
        """Go on with one alone, and keep the other as a run; that one's name."""
        kept, (left,) = self[keep], [b for n, b in self.benches.items() if n != keep]
        left.leave()
        self.benches = {"A": kept}
        return left.branch.name

    def step(self) -> None:
        """A step of each; after a failure between the two, of who is behind."""
        least = min(bench.done for bench in self.benches.values())
        for bench in self.benches.values():
            if bench.done == least:
                next(bench.steps())

    def start_over(self, seed: int | None = None) -> None:
        """Begin each anew with its own weights.

        Raises:
            ValueError: if there is no room for the runs; all stay as they are.
        """
        first, *others = self.benches.values()
        if first.done:
            first.require_room(len(self.benches))
        for bench in self.benches.values():
            bench.start_over(seed)
        for bench in others:
            bench.data = first.data  # and what was found out about it

    def show(self, photo: str) -> None:
        """Choose the photograph that is shown and measured."""
        for bench in self.benches.values():
            bench.show(photo)

    def require_one(self, why: str) -> None:
        """Raise ValueError while two train side by side."""
        if self.two:
            raise ValueError(f"Two networks {why}; press Only A or Only B first.")


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Ctrl-C waits for the end of the block."""
    with undivided() as interrupts:
        yield
    if interrupts:
        raise KeyboardInterrupt
