"""Carrying out a run card: train, keep checkpoints, go on after a stop, score."""

import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from srlab import __version__
from srlab.checkpoints import Checkpoint, load_checkpoint, save_checkpoint
from srlab.machine import (
    pick_device,
    pick_precision,
    require_device,
    usable_threads,
    using_threads,
)
from srlab.runcard import RunCard, parse_card, save_card
from srlab.scoring import score_models
from srlab.sources import load_photos
from srlab.stages import StageTraining, stage_network
from srlab.team import ALONE, Team
from srlab.training import DivergedError, Step, undivided
from srlab.validation import Reading, Validation

LAST = "last.safetensors"
BEST = "best.safetensors"
FINISHED = "model.safetensors"
CARD = "card.json"
FIGURES = ("psnr_y", "ssim_y", "psnr_rgb", "sharpness", "checkerboard")
SECONDS_BETWEEN_SAVES = 30.0
NOTHING = 1e-4
"""Detail that nobody could see: a fortieth of a level of 255."""
FAR_OFF = 100.0
"""A loss this many times the lowest is no fluctuation any more."""


@dataclass(frozen=True)
class Progress:
    """Where a run stands: its step over all stages, and the network that counts.

    ``reading`` is there after the steps at which the card wants one.
    """

    done: int
    total: int
    scale: int
    step: Step
    model: nn.Module
    reading: Reading | None = None


@dataclass(frozen=True)
class _Point:
    """A point of a run: the stage, the step just done, and who looks then."""

    training: StageTraining
    before: int
    """Steps of the stages before."""
    step: Step
    watch: "_Watch | None"

    def look(self) -> Reading | None:
        """What the validation photographs show, if it is time to look."""
        return self.watch.look(self.step.number) if self.watch else None

    def progress(self, total: int, reading: Reading | None) -> Progress:
        """The same for those who watch."""
        return Progress(
            self.before + self.step.number,
            total,
            self.training.stage.scale,
            self.step,
            self.training.network,
            reading,
        )

    def done(self) -> int:
        """Steps of the whole run, by the optimizer's own count.

        Ctrl-C may fall between a step and the news of it.
        """
        states = self.training.optimizer.state.values()
        return self.before + max(int(moments["step"]) for moments in states)


@dataclass
class _State:
    """What a checkpoint keeps."""

    card: RunCard
    done: int = 0
    weights: dict[str, Tensor] | None = None
    optimizer: dict[str, object] | None = None
    average: dict[str, Tensor] | None = None


def run_card(
    card: RunCard,
    out: str | Path,
    *,
    resume: bool = False,
    report: Callable[[Progress], None] | None = None,
    save_every: float = SECONDS_BETWEEN_SAVES,
    team: Team = ALONE,
) -> RunCard:
    """Train what the card says and write the result into a folder.

    The folder gets ``last.safetensors`` on the way (the network and its
    optimizer, to go on from) and ``best.safetensors`` (the network of the last
    stage with the lowest loss on the validation photographs), and at the end
    ``model.safetensors`` (to use) and ``card.json`` (with device, seconds and
    scores).

    Args:
        card: what to train.
        out: a folder; made if it is missing. All processes of a team see it.
        resume: go on from ``last.safetensors``, exactly as if nothing had
            happened; from the start if the folder holds none yet.
        report: called after each step.
        save_every: seconds between two checkpoints.
        team: the processes that share each batch; one of them writes.

    Returns:
        The finished card.

    Raises:
        FileExistsError: if the folder holds a training and ``resume`` is not
            set.
        ValueError: if what is there belongs to another card or is damaged.
        DivergedError: if the loss is no longer a number, or the validation
            photographs show that the network was lost on the way.
        ConnectionError: if another process of the team was lost.

    Source: built by srlab.
    """
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    state = _resume(card, out) if resume and (out / LAST).exists() else _begin(card, out)
    state.card = team.agree(state.card.model_copy(update={"processes": team.size}))
    with using_threads(state.card.threads), team.watched():
        return _run(state, out, report, save_every, team)


def _run(
    state: _State,
    out: Path,
    report: Callable[[Progress], None] | None,
    save_every: float,
    team: Team,
) -> RunCard:
    """Train from where the state stands to the end."""
    began, last_save = time.monotonic(), time.monotonic()
    point = None

    def stamped() -> RunCard:
        seconds = state.card.seconds + time.monotonic() - began
        return state.card.model_copy(update={"seconds": round(seconds, 1)})

    try:
        for point in _steps(state, out, team):
            reading = point.look()
            if report:
                report(point.progress(state.card.steps, reading))
            if team.leads and time.monotonic() - last_save > save_every:
                _save_last(out, stamped(), point)
                last_save = time.monotonic()
    finally:  # Ctrl-C and a diverged loss leave the last whole step behind
        if point and team.leads:
            _save_last(out, stamped(), point)
    if not team.leads:
        return stamped()
    # Without a point it was resumed after the last step.
    network = point.training.network if point else _resumed_network(state)
    return _finish(out, stamped(), network)


def _resumed_network(state: _State) -> nn.Module:
    """The network of a training that had come to its end."""
    return stage_network(state.card, state.card.stages[-1], state.average or state.weights)


def _begin(card: RunCard, out: Path) -> _State:
    """A new training; what is random or the machine's choice is fixed now."""
    if (out / LAST).exists():
        raise FileExistsError(
            f"{out} already holds a training; go on with --resume or choose another folder."
        )
    return _State(on_this_machine(card))


def on_this_machine(card: RunCard) -> RunCard:
    """The card with what is the machine's choice: device, precision, threads.

    Source: built by srlab.
    """
    device = pick_device()
    made_by = {
        "srlab": __version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
    }
    chosen = {
        "precision": pick_precision(device) if card.precision == "auto" else card.precision,
        "versions": made_by,
        "device": str(device),
        "threads": usable_threads(card.threads),
    }
    return card.model_copy(update=chosen)


def _resume(card: RunCard, out: Path) -> _State:
    """What ``last.safetensors`` holds, if it belongs to this card."""
    checkpoint: Checkpoint = load_checkpoint(out / LAST)
    saved = parse_card(checkpoint.card, LAST)
    for name in ("name", "model", "data", "start", "seed", "stages", "ema"):
        if getattr(saved, name) != getattr(card, name):
            raise ValueError(
                f"{out / LAST} belongs to another card: its {name} differs; "
                f"give that card or another folder."
            )
    require_device(saved.device)
    return _State(
        saved, checkpoint.step, checkpoint.model, checkpoint.optimizer, checkpoint.average
    )


def _steps(state: _State, out: Path, team: Team) -> Iterator[_Point]:
    """All stages, from where the state stands."""
    card, before, weights = state.card, 0, state.average or state.weights
    for stage in card.stages:
        start = min(max(state.done - before, 0), stage.steps)
        if start < stage.steps:
            # In its middle a stage goes on with the weights that the optimizer moves.
            training = StageTraining(card, stage, state.weights if start else weights, team)
            if start and state.optimizer:
                training.restore(state.optimizer, state.average, start)
            best = out / BEST if before + stage.steps == card.steps else None
            watch = _Watch(training, before, best, resumed=start > 0) if team.leads else None
            for step in training.steps(start):
                yield _Point(training, before, step, watch)
            weights = training.network.state_dict()
        before += stage.steps


class _Watch:
    """Look at the validation photographs when the card says so, and keep the best.

    Args:
        training: whose network is looked at.
        before: steps of the stages before.
        best: the file for the best network, or None if none is kept.
        resumed: whether a best network may be there already.
    """

    def __init__(
        self, training: StageTraining, before: int, best: Path | None, *, resumed: bool
    ):
        self.training, self.before, self.best = training, before, best
        self.every = training.card.validate_every
        self.best_loss = float("inf")
        stage, device = training.stage, training.card.device
        if self.every:
            self.validation = Validation(stage.scale, training.loss, device)
            network = training.network
            if resumed and best and best.exists():
                network = stage_network(training.card, stage, load_checkpoint(best).model)
            reading = self.validation.look(network, before)
            self.lowest, self.has_drawn = reading.loss, reading.detail > NOTHING
            if network is not training.network:
                self.best_loss = reading.loss

    def look(self, step: int) -> Reading | None:
        """What is seen after ``step`` steps of the stage, if it is time to look."""
        last = self.training.stage.steps
        if not self.every or (step % self.every and step != last):
            return None
        network = self.training.network
        reading = self.validation.look(network, self.before + step)
        self._require_alive(reading)
        if self.best and reading.loss < self.best_loss:
            self.best_loss = reading.loss
            card = self.training.card.model_dump()
            save_checkpoint(self.best, network, card=card, step=reading.step)
        return reading

    def _require_alive(self, reading: Reading) -> None:
        """Raise if the network drew before and now draws nothing, or is far off."""
        draws = reading.detail > NOTHING
        if self.has_drawn and not draws:
            raise self._lost(reading, "adds the same to every picture")
        if reading.loss > FAR_OFF * self.lowest:
            raise self._lost(
                reading, f"has a loss of {reading.loss:.3g} after {self.lowest:.3g}"
            )
        self.has_drawn, self.lowest = draws, min(reading.loss, self.lowest)

    def _lost(self, reading: Reading, what: str) -> DivergedError:
        rate = self.training.stage.learning_rate
        return DivergedError(
            f"After {reading.step} steps the network {what}: a learning rate of {rate:g} is "
            f"too large for it; begin with a smaller one."
        )


def _save_last(out: Path, card: RunCard, point: _Point) -> None:
    """Keep what is there to go on from; Ctrl-C waits until it is written."""
    # torchrun ends those that lost a partner while they save; the impatient press twice.
    with undivided() as interrupts:
        save_checkpoint(
            out / LAST,
            point.training.model,
            card=card.model_dump(),
            step=point.done(),
            optimizer=point.training.optimizer,
            average=point.training.network if card.ema else None,
        )
    if interrupts:
        raise KeyboardInterrupt


def _finish(out: Path, card: RunCard, model: nn.Module) -> RunCard:
    """Score on the validation photographs and write model and card."""
    finished = scored(card, model)
    save_checkpoint(out / FINISHED, model, card=finished.model_dump(), step=card.steps)
    save_card(finished, out / CARD)
    return finished


def scored(card: RunCard, model: nn.Module) -> RunCard:
    """The card with the model's scores on the validation photographs.

    Source: built by srlab.
    """
    photos = load_photos("embedded", "val")
    bicubic, own = score_models(photos, {card.name: model}, scale=card.scale)
    scores = {key: round(own[key], 4) for key in FIGURES}
    scores["bicubic_psnr_y"] = round(bicubic["psnr_y"], 4)
    return card.model_copy(update={"scores": scores})
