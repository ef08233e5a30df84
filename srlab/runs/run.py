"""Carrying out a run card: train, keep checkpoints, go on after a stop, score."""

import math
import platform
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor, nn

from srlab import __version__
from srlab.checkpoints import (
    Checkpoint,
    blend_weights,
    load_checkpoint,
    mean_weights,
    require_same_weights,
    save_checkpoint,
)
from srlab.files import making
from srlab.machine import pick_device, pick_precision, usable_threads, using_threads
from srlab.runcard import WRITTEN, RunCard, save_card
from srlab.runs.cardtable import write_schema
from srlab.runs.log import RunLog, TensorBoard, require_tensorboard
from srlab.runs.photographs import LIST, RunPhotos, gather
from srlab.runs.resuming import (
    FINISHED,
    LAST,
    digest_of_start,
    read_last,
    require_same_photographs,
)
from srlab.runs.stages import StageTraining, stage_network
from srlab.runs.team import ALONE, Team
from srlab.runs.validation import Reading, middle_of
from srlab.runs.watch import BEST, Watch
from srlab.scoring import MEASURES, score_models
from srlab.training import Step, undivided
from srlab.zoo import build_model, find_checkpoint

CARD = "card.json"
SECONDS_BETWEEN_SAVES = 30.0
FIRST_PAUSE = 0.25
"""Seconds between the first two checkpoints; each later pause is twice as long as the last."""
SCORED = 1024
"""Side of the middle of a photograph that is scored, px, as large as the embedded ones."""


@dataclass(frozen=True)
class RunProgress:
    """Where a run stands after a step."""

    card: RunCard
    training: StageTraining  # of the present stage
    number: int  # of the stage, from 1
    before: int  # steps of the stages before
    step: Step  # the one just done
    watch: Watch | None  # none where another process of the team looks

    @property
    def done(self) -> int:
        """Steps over all stages."""
        return self.before + self.step.number

    @property
    def model(self) -> nn.Module:
        """The network that counts."""
        return self.training.network

    @cached_property
    def reading(self) -> Reading | None:
        """What the validation photographs show, if the card wants a look after this step."""
        return self.watch.look(self.step.number) if self.watch else None

    @property
    def is_a_landmark(self) -> bool:
        """Whether a stage ends here, or a network is the best so far."""
        best = self.watch.best_step if self.watch else 0
        return self.step.number in (self.training.stage.steps, best)

    def count_updates(self) -> int:
        """Steps of the whole run, by the optimizer's own count.

        Ctrl-C may fall between a step and the news of it.
        """
        states = self.training.optimizer.state.values()
        return self.before + max(int(moments["step"]) for moments in states)


@dataclass
class _State:
    """What a run goes on from."""

    card: RunCard
    photos: RunPhotos
    kept: Checkpoint | None = None

    @property
    def done(self) -> int:
        return self.kept.step if self.kept else 0

    @property
    def counting(self) -> dict[str, Tensor] | None:
        """The weights that count, if there are any yet."""
        return (self.kept.average or self.kept.model) if self.kept else None


class _Saves:
    """When it is time for a checkpoint: at once, then more and more seldom; in seconds."""

    def __init__(self, longest: float):
        self.longest, self.pause = longest, 0.0
        self.last, self.done = -math.inf, 0

    @property
    def are_due(self) -> bool:
        return time.monotonic() - self.last >= self.pause

    def note(self, done: int) -> None:
        """One was written after so many steps."""
        self.done = done
        self.pause = min(max(2 * self.pause, FIRST_PAUSE), self.longest)
        self.last = time.monotonic()


def _say_nothing(_: str) -> None:
    pass


def run_card(
    card: RunCard,
    out: str | Path,
    *,
    resume: bool = False,
    report: Callable[[RunProgress], None] | None = None,
    say: Callable[[str], object] = _say_nothing,
    save_every: float = SECONDS_BETWEEN_SAVES,
    tensorboard: bool = False,
    team: Team = ALONE,
) -> RunCard:
    """Train what the card says and write the result into a folder.

    The folder gets ``last.safetensors`` on the way (the network and its
    optimizer, to go on from), ``best.safetensors`` (the network of the last
    stage with the lowest loss on the validation photographs; none where
    stages stand side by side, but ``stage-1.safetensors`` and so on, what
    each of them made), ``log.csv`` (a
    row a step) and ``photographs.csv`` (those in use), and at the end
    ``model.safetensors`` (to use) and ``card.json`` (with device, seconds and
    scores).

    Args:
        card: what to train. What came of an earlier training, as a finished
            card has it, does not count.
        out: a folder; made if it is missing, and gone again if nothing came
            of it. All processes of a team see it.
        resume: go on from ``last.safetensors``, exactly as if nothing had
            happened; from the start if the folder holds none yet.
        report: called after each step.
        say: called with a sentence on where it goes on, and on photographs
            that are kept back.
        save_every: the most seconds between two checkpoints; they are fewer at
            first, after the first step at once.
        tensorboard: note each step for TensorBoard too.
        team: the processes that share each batch; one of them writes.

    Returns:
        The finished card.

    Raises:
        FileExistsError: if the folder holds a training and ``resume`` is not
            set.
        ValueError: if what is there belongs to another card or is damaged, or
            the photographs are others than those it was begun with.
        DivergedError: if the loss is no longer a number, or the validation
            photographs show that the network was lost on the way.
        ConnectionError: if another process of the team was lost.
        ModuleNotFoundError: if what TensorBoard needs is not installed.
    """
    out = Path(out)
    if tensorboard:
        require_tensorboard()
    resumes = resume and (out / LAST).exists()
    state = _resume(card, out) if resumes else _begin(card, out)
    state.card = team.agree(state.card.model_copy(update={"processes": team.size}))
    if state.card.share < 1:  # sooner than after hours
        _start_weights(state.card)
    elif state.card.side_by_side:
        _require_same_start(state.card)
    with making(out), using_threads(state.card.threads), team.watched():
        if team.leads:
            _tell(state, resume, say)
            board = TensorBoard(out, state.done) if tensorboard else None
            log = RunLog(out, state.card, state.done, board)
            return _lead(state, out, report, _Saves(save_every), log, team)
        for progress in _steps(state, out, team):
            if report:
                report(progress)
        return state.card


def _tell(state: _State, resume: bool, say: Callable[[str], object]) -> None:
    """Say where it begins, and what becomes of the photographs."""
    photos, total = state.photos, state.card.steps
    if state.done:
        say(f"goes on after step {state.done:,} of {total:,}")
        return
    if resume:
        say("no checkpoint is there yet, so it begins with the first step")
    for doubt in photos.doubts:
        warnings.warn(doubt, stacklevel=3)
    if photos.kept_back:
        say(
            f"{photos.kept_back} of {photos.kept_back + len(photos.training)} photographs are "
            f"kept back to judge by, and not learned from"
        )


def _lead(
    state: _State,
    out: Path,
    report: Callable[[RunProgress], None] | None,
    saves: _Saves,
    log: RunLog,
    team: Team,
) -> RunCard:
    """Train from where the state stands to the end, and write everything down."""
    began = time.monotonic()
    progress = None

    def stamped() -> RunCard:
        seconds = state.card.seconds + time.monotonic() - began
        return state.card.model_copy(update={"seconds": round(seconds, 1)})

    def save(progress: RunProgress) -> None:
        _save_last(out, stamped(), progress, log, state.photos)
        saves.note(progress.count_updates())

    try:
        for progress in _steps(state, out, team):
            step, seconds = progress.step, state.card.seconds + time.monotonic() - began
            log.note(progress.done, progress.number, step.learning_rate, seconds, step.terms)
            if progress.reading:
                log.read(progress.reading)
            if report:
                report(progress)
            if saves.are_due or progress.is_a_landmark:
                save(progress)
            elif log.is_due:
                _undisturbed(log.write)
    finally:  # Ctrl-C and a diverged loss leave the last whole step behind
        if progress and progress.count_updates() > saves.done:
            save(progress)
    if progress:
        return _finish(out, stamped(), progress.model, state.photos)
    network = stage_network(state.card, state.card.stages[-1], state.counting)
    return _finish(out, stamped(), network, state.photos)  # resumed after the last step


def _undisturbed(action: Callable[[], object]) -> None:
    """Do all of it; Ctrl-C waits until it is done."""
    # torchrun ends those that lost a partner while they save; the impatient press twice.
    with undivided() as interrupts:
        action()
    if interrupts:
        raise KeyboardInterrupt


def _begin(card: RunCard, out: Path) -> _State:
    """A new training; what is random or the machine's choice is fixed now."""
    if (out / LAST).exists():
        raise FileExistsError(
            f"{out} already holds a training; go on with --resume or choose another folder."
        )
    card = on_this_machine(card)
    fixed: dict[str, object] = {"start_sha256": digest_of_start(card)}
    photos = gather(card)
    fixed |= {"validation": photos.judged_by, "photographs": photos.identity}
    return _State(card.model_copy(update=fixed), photos)


def on_this_machine(card: RunCard) -> RunCard:
    """The card with what is the machine's choice: device, precision, threads.

    What came of an earlier training is taken out.
    """
    device = pick_device()
    nothing = {name: RunCard.model_fields[name].get_default() for name in WRITTEN}
    versions = {"srlab": __version__, "torch": torch.__version__}
    chosen = {
        "precision": pick_precision(device) if card.precision == "auto" else card.precision,
        "versions": {**versions, "python": platform.python_version()},
        "device": str(device),
        "threads": usable_threads(card.threads),
    }
    return card.model_copy(update={**nothing, **chosen})


def _resume(card: RunCard, out: Path) -> _State:
    """What ``last.safetensors`` holds, if it belongs to this card and its photographs."""
    saved, kept = read_last(out, card)
    photos = gather(saved)
    require_same_photographs(saved, photos, out)
    return _State(saved, photos, kept)


def _steps(state: _State, out: Path, team: Team) -> Iterator[RunProgress]:
    """All stages, from where the state stands."""
    card, photos, before, weights = state.card, state.photos, 0, state.counting
    for number, stage in enumerate(card.stages, 1):
        start = min(max(state.done - before, 0), stage.steps)
        if start < stage.steps:
            training = StageTraining(
                _alone(card, number) if card.side_by_side else card,
                stage,
                None if card.side_by_side else weights,
                team,
                photos.training,
            )
            if start and state.kept:  # in its middle it goes on with what the optimizer moves
                training.restore(state.kept, start, str(out / LAST))
            is_last = before + stage.steps == card.steps
            best = out / BEST if is_last and not card.side_by_side else None
            watch = None
            if team.leads:
                watch = Watch(training, before, best, photos.validation, resumed=start > 0)
            for step in training.steps(start):
                yield RunProgress(card, training, number, before, step, watch)
            weights = training.network.state_dict()
        before += stage.steps


def _alone(card: RunCard, number: int) -> RunCard:
    """The card of a stage that stands beside others: with crops of its own."""
    return card.model_copy(update={"seed": (card.seed + number - 1) % 2**31})


def _save_last(
    out: Path, card: RunCard, progress: RunProgress, log: RunLog, photos: RunPhotos
) -> None:
    """Keep what is there to go on from; the log goes before, so that it lacks no step."""

    def save() -> None:
        done = progress.count_updates()
        log.note_lost(done, progress.number)
        log.write(sync=True)
        if not (out / LIST).exists():
            photos.write_list(out)
        if card.side_by_side and done == progress.before + progress.training.stage.steps:
            end = stage_end(out, progress.number)
            save_checkpoint(end, progress.model, card=card.model_dump(), step=done)
        save_checkpoint(
            out / LAST,
            progress.training.model,
            card=card.model_dump(),
            step=done,
            optimizer=progress.training.optimizer,
            average=progress.model if card.ema else None,
        )

    _undisturbed(save)


def _finish(out: Path, card: RunCard, model: nn.Module, photos: RunPhotos) -> RunCard:
    """Score on the validation photographs and write model and card."""
    if card.side_by_side:
        ends = [stage_end(out, number) for number in range(1, len(card.stages) + 1)]
        model.load_state_dict(mean_weights([load_checkpoint(end).model for end in ends]))
    if card.share < 1:
        start = _start_weights(card)
        model.load_state_dict(blend_weights(start, model.state_dict(), card.share))
    finished = scored(card, model, photos)
    save_checkpoint(out / FINISHED, model, card=finished.model_dump(), step=card.steps)
    write_schema(out)
    save_card(finished, out / CARD)
    return finished


def stage_end(out: Path, number: int) -> Path:
    """The file of the network that a stage, from 1 on, made beside others."""
    return out / f"stage-{number}.safetensors"


def _require_same_start(card: RunCard) -> None:
    """Raise if a card's start is not what it was when the training began."""
    if digest_of_start(card) != card.start_sha256:
        way_on = "" if card.side_by_side else ", or set share to 1"
        raise ValueError(
            f"{card.start} is another file than when this training began, so the network "
            f"cannot stay near it; bring the old one back{way_on}."
        )


def _start_weights(card: RunCard) -> dict[str, Tensor]:
    """The weights of a card's start, which its network must be able to stay near."""
    _require_same_start(card)
    start = load_checkpoint(find_checkpoint(card.start)).model
    require_same_weights(start, build_model(card.model, card.scale).state_dict())
    return start


def scored(card: RunCard, model: nn.Module, photos: RunPhotos | None = None) -> RunCard:
    """The card with the model's scores on its validation photographs.

    Of a large photograph the middle counts, 1024 x 1024 px. A figure that is
    no number, as a flat picture has it, is left out.
    """
    judges = (photos or gather(card)).validation
    parts = {name: middle_of(photo, SCORED) for name, photo in judges.items()}
    bicubic, own = score_models(parts, {card.name: model}, scale=card.scale)
    scores = {key: own[key] for key in MEASURES} | {"bicubic_psnr_y": bicubic["psnr_y"]}
    finite = {key: round(value, 4) for key, value in scores.items() if math.isfinite(value)}
    return card.model_copy(update={"scores": finite})
