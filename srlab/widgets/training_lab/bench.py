"""Network A, B beside it, and the way back when a training gets out of hand.

Both begin in one state, see the same batches and share the learning rate, so
nothing but their losses tells them apart.
"""

import copy
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import median
from typing import Any

from torch import nn

from srlab.data import Pairs
from srlab.losses import Term, WeightedLoss, mix_weights
from srlab.training import DivergedError, Step
from srlab.widgets.workbench import Workbench

BETWEEN_MARKS = 10
"""Steps from one kept state to the next, and from a divergence back at least."""
EXPLODED, CALM = 30, 3
"""A term so many times its usual size is out of hand; so many, and it is calm again."""
USUAL = 100  # steps whose median is a term's usual size

Run = Workbench[WeightedLoss]


@dataclass(frozen=True)
class Divergence:
    """Which network got out of hand, and after how many steps."""

    run: str
    step: int


@dataclass(frozen=True)
class Mark:
    """A state that every run can go back to."""

    step: int
    learning_rate: float
    states: dict[str, dict[str, Any]]


class Watch:
    """Tells when a loss is out of hand, by each term without its weight."""

    def __init__(self) -> None:
        self.usual: dict[str, deque[float]] = {}
        self.exploded = False

    def forget(self) -> None:
        """Weights have moved: what is usual shows anew, unless it is out of hand."""
        if not self.exploded:
            self.usual = {}

    def see(self, step: Step, weights: dict[str, float]) -> bool:
        """Whether the loss is out of hand after this step."""
        limit = CALM if self.exploded else EXPLODED
        sizes = {name: term.item() / weights[name] for name, term in step.terms.items()}
        self.exploded = any(
            size > limit * median(self.usual.get(name) or [size])
            for name, size in sizes.items()
        )
        if not self.exploded:
            for name, size in sizes.items():
                self.usual.setdefault(name, deque(maxlen=USUAL)).append(size)
        return self.exploded


class TrainingBench(Workbench[WeightedLoss]):
    """Network A, and B as long as there is one.

    Args:
        make_model: makes the model to start from; called again by ``reset``.
        data: endless pairs.
        loss: of A; its weights may change between steps.
        learning_rate: of both, at the start.
        seed: of the first weights.
    """

    marks: deque[Mark]
    diverged: Divergence | None
    _watches: dict[str, Watch]
    _going: dict[str, Iterator[Step]]

    def __init__(
        self,
        make_model: Callable[[], nn.Module],
        data: Pairs,
        loss: WeightedLoss,
        *,
        learning_rate: float,
        seed: int,
    ):
        self.rival: Run | None = None
        self._forget_the_way()
        super().__init__(make_model, data, loss, learning_rate=learning_rate, seed=seed)

    @property
    def runs(self) -> dict[str, Run]:
        """A, and B if there is one."""
        return {"A": self} | ({"B": self.rival} if self.rival else {})

    @property
    def done(self) -> int:
        """Optimizer steps that every run has done."""
        return min(run.taken for run in self.runs.values())

    def fork(self) -> None:
        """Let B begin as A is now, with weights of its own for the same terms."""
        self.rival = Workbench(
            self.make_model, self.data, twin(self.loss),
            learning_rate=self.learning_rate, seed=self.seed, precision=self.precision,
        )  # fmt: skip
        self.rival.show(self.photo_name)
        _restore(self.rival, _state(self))
        self._forget_the_way()
        self._mark()

    def drop(self) -> None:
        """Go on with A alone."""
        self.rival = None
        self._forget_the_way()
        self._mark()

    def weigh(self, run: str, name: str, value: float) -> None:
        """Set the mix, or the weight of a term or layer, of one run from the next step on."""
        if run in self.runs:
            _set_weight(self.runs[run].loss, name, value)
            self._watches[run].forget()

    def steps(self) -> Iterator[Step]:
        """A step of every run for each item asked for."""
        self._going.clear()  # after Ctrl-C a generator gives no more steps
        while True:
            yield self._round()

    def go_back(self) -> int:
        """Go back to before the divergence, with a smaller learning rate.

        It is the rate of then, or a tenth of the present one, whichever is less.

        Returns:
            The step at which every run now stands.
        """
        mark = self.way_back()
        for name, run in self.runs.items():
            _restore(run, mark.states[name])
        self.set_learning_rate(min(mark.learning_rate, self.learning_rate / 10))
        self._forget_the_way()
        self._mark()
        return mark.step

    def way_back(self) -> Mark:
        """The last state that was kept well before the divergence."""
        there = self.diverged.step if self.diverged else self.done
        good = [mark for mark in self.marks if mark.step <= there - BETWEEN_MARKS]
        return (good or list(self.marks)[:1])[-1]

    # What concerns both

    def reset(self) -> None:
        """Go back to the model at the start; B stays, and begins anew as well."""
        super().reset()
        if self.rival:
            self.rival.reset()
        self._forget_the_way()
        self._mark()

    def show(self, name: str) -> None:
        """Choose the photograph that is shown and measured."""
        super().show(name)
        if self.rival:
            self.rival.show(name)

    def set_learning_rate(self, value: float) -> None:
        """Change the learning rate of every run from the next step on."""
        for run in self.runs.values():
            Workbench.set_learning_rate(run, value)

    def _round(self) -> Step:
        """One step of every run; Ctrl-C may have left B one behind, so it catches up."""
        behind = self.done
        late = {name: run for name, run in self.runs.items() if run.taken == behind}
        steps = [self._advance(name, run) for name, run in late.items()]
        if self.diverged and not any(watch.exploded for watch in self._watches.values()):
            self.diverged = None
        if self.done % BETWEEN_MARKS == 0 and not self.diverged:
            self._mark()
        return steps[0]

    def _advance(self, name: str, run: Run) -> Step:
        if name not in self._going:
            self._going[name] = Workbench.steps(run)
        try:
            step = next(self._going[name])
        except DivergedError:
            self._note_divergence(name, run.taken + 1)
            raise
        if self._watches[name].see(step, run.loss.weights):
            self._note_divergence(name, step.number)
        return step

    def _note_divergence(self, name: str, step: int) -> None:
        self.diverged = self.diverged or Divergence(name, step)

    def _forget_the_way(self) -> None:
        self.marks = deque(maxlen=2)
        self.diverged = None
        self._watches = {"A": Watch(), "B": Watch()}
        self._going = {}

    def _mark(self) -> None:
        states = {name: _state(run) for name, run in self.runs.items()}
        self.marks.append(Mark(self.done, self.learning_rate, states))


def twin(loss: WeightedLoss) -> WeightedLoss:
    """The same terms with weights of their own; a feature extractor is shared."""
    other = copy.copy(loss)
    other.terms = {name: _twin_of_term(term) for name, term in loss.terms.items()}
    other.weights = dict(loss.weights)
    return other


def places(loss: WeightedLoss) -> dict[str, dict[str, float]]:
    """Name of each term and layer -> the dictionary that holds its weight."""
    found = dict.fromkeys(loss.terms, loss.weights)
    for term in loss.terms.values():
        layers = layers_of(term)
        found |= dict.fromkeys(layers, layers)
    return found


def layers_of(term: Term) -> dict[str, float]:
    """The layer weights of a term that looks at layers; none for another.

    Not asked by class: a lesson retypes ``ContentLoss``, and its own has
    layers too.
    """
    weights: dict[str, float] = getattr(term, "layer_weights", {})
    return weights


def formula(loss: WeightedLoss) -> str:
    """The loss as the sum that it is, such as ``1 · pixel + 0.1 · content``."""
    parts = []
    for name, weight in loss.weights.items():
        shown = {"l1": "L1", "l2": "L2"}.get(name, name)
        if of_layers := layers_of(loss.terms[name]):
            layers = [f"{w:.3g} {n}" for n, w in of_layers.items() if w]
            shown += f" ({' + '.join(layers) or 'no layer'})"
        parts += [f"{weight:.3g} · {shown}"] if weight else []
    return " + ".join(parts) or "nothing"


def _set_weight(loss: WeightedLoss, name: str, value: float) -> None:
    if name == "mix":
        loss.weights.update(mix_weights(value))
    else:
        places(loss)[name][name] = value


def _twin_of_term(term: Term) -> Term:
    layers = layers_of(term)
    if not layers:
        return term
    other = copy.copy(term)
    other.layer_weights = dict(layers)  # type: ignore[attr-defined]
    return other


def _state(run: Run) -> dict[str, Any]:
    now = {"model": run.model.state_dict(), "optimizer": run.optimizer.state_dict()}
    return {**copy.deepcopy(now), "step": run.step}


def _restore(run: Run, state: dict[str, Any]) -> None:
    run.model.load_state_dict(state["model"])
    run.optimizer.load_state_dict(copy.deepcopy(state["optimizer"]))
    run.step = state["step"]
