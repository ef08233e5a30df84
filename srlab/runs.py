"""Carrying out a run card: train, keep checkpoints, go on after a stop, score."""

import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from srlab import __version__
from srlab.checkpoints import (
    Checkpoint,
    carry_weights,
    load_checkpoint,
    load_optimizer,
    save_checkpoint,
)
from srlab.data import Pairs, get_data
from srlab.features import FeatureExtractor
from srlab.inference import build_model, find_checkpoint
from srlab.losses import ExpandedLoss, WeightedLoss, l1_loss, l2_loss, tv_loss
from srlab.machine import (
    PRECISIONS,
    pick_device,
    pick_precision,
    place,
    require_device,
    usable_threads,
    using_threads,
)
from srlab.runcard import Change, RunCard, Stage, parse_card, save_card
from srlab.scoring import score_models
from srlab.sources import load_photos
from srlab.training import Step, cosine_schedule, set_learning_rate, train

LAST = "last.safetensors"
FINISHED = "model.safetensors"
CARD = "card.json"
FIGURES = ("psnr_y", "ssim_y", "psnr_rgb", "sharpness", "checkerboard")
SECONDS_BETWEEN_SAVES = 30.0


@dataclass(frozen=True)
class Progress:
    """Where a run stands: its step over all stages, and the network."""

    done: int
    total: int
    scale: int
    step: Step
    model: nn.Module


@dataclass(frozen=True)
class _Point:
    """A point of a run: the stage, what it trains, and the step just done."""

    stage: Stage
    model: nn.Module
    optimizer: Optimizer
    before: int
    """Steps of the stages before."""
    step: Step

    def progress(self, total: int) -> Progress:
        """The same for those who watch."""
        done = self.before + self.step.number
        return Progress(done, total, self.stage.scale, self.step, self.model)

    def done(self) -> int:
        """Steps of the whole run, by the optimizer's own count.

        Ctrl-C may fall between a step and the news of it.
        """
        counts = [int(moments["step"]) for moments in self.optimizer.state.values()]
        return self.before + max(counts)


@dataclass
class _State:
    """What a checkpoint keeps."""

    card: RunCard
    done: int = 0
    weights: dict[str, Tensor] | None = None
    optimizer: dict[str, object] | None = None


def run_card(
    card: RunCard,
    out: str | Path,
    *,
    resume: bool = False,
    report: Callable[[Progress], None] | None = None,
    save_every: float = SECONDS_BETWEEN_SAVES,
) -> RunCard:
    """Train what the card says and write the result into a folder.

    The folder gets ``last.safetensors`` on the way (the network and its
    optimizer, to go on from), and at the end ``model.safetensors`` (to use)
    and ``card.json`` (with device, seconds and scores).

    Args:
        card: what to train.
        out: a folder; made if it is missing.
        resume: go on from ``last.safetensors``, exactly as if nothing had
            happened; from the start if the folder holds none yet.
        report: called after each step.
        save_every: seconds between two checkpoints.

    Returns:
        The finished card.

    Raises:
        FileExistsError: if the folder holds a training and ``resume`` is not
            set.
        ValueError: if what is there belongs to another card or is damaged.
        DivergedError: if the loss is no longer a number.

    Source: built by srlab.
    """
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    state = _resume(card, out) if resume and (out / LAST).exists() else _begin(card, out)
    with using_threads(state.card.threads):
        return _run(state, out, report, save_every)


def _run(
    state: _State, out: Path, report: Callable[[Progress], None] | None, save_every: float
) -> RunCard:
    """Train from where the state stands to the end."""
    began, last_save = time.monotonic(), time.monotonic()
    point = None

    def stamped() -> RunCard:
        seconds = state.card.seconds + time.monotonic() - began
        return state.card.model_copy(update={"seconds": round(seconds, 1)})

    try:
        for point in _steps(state):
            if report:
                report(point.progress(state.card.steps))
            if time.monotonic() - last_save > save_every:
                _save_last(out, stamped(), point)
                last_save = time.monotonic()
    finally:  # Ctrl-C and a diverged loss leave the last whole step behind
        if point:
            _save_last(out, stamped(), point)
    # Without a point it was resumed after the last step.
    last_stage = state.card.stages[-1]
    model = point.model if point else stage_network(state.card, last_stage, state.weights)
    return _finish(out, stamped(), model)


def make_loss(stage: Stage, device: torch.device | str = "cpu") -> WeightedLoss | ExpandedLoss:
    """The loss that a stage's weights name, on the device where it is needed.

    Source: built by srlab.
    """
    weights = {str(name): weight for name, weight in stage.weights.items()}
    if not stage.is_expanded:
        return WeightedLoss({"l1": l1_loss, "l2": l2_loss}, weights)
    if stage.features is None:
        return WeightedLoss({"pixel": l1_loss, "tv": lambda sr, _: tv_loss(sr)}, weights)
    spec = stage.features
    extractor = FeatureExtractor(list(spec.layers), spec.weights, spec.pooling)
    return place(ExpandedLoss(extractor, weights, spec.layers), device)


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
    for name in ("name", "model", "data", "start", "seed", "stages"):
        if getattr(saved, name) != getattr(card, name):
            raise ValueError(
                f"{out / LAST} belongs to another card: its {name} differs; "
                f"give that card or another folder."
            )
    require_device(saved.device)
    return _State(saved, checkpoint.step, checkpoint.model, checkpoint.optimizer)


def _steps(state: _State) -> Iterator[_Point]:
    """All stages, from where the state stands."""
    before = 0
    weights = state.weights
    for stage in state.card.stages:
        start = min(max(state.done - before, 0), stage.steps)
        if start < stage.steps:
            model = stage_network(state.card, stage, weights)
            optimizer = torch.optim.Adam(model.parameters(), stage.learning_rate, fused=True)
            if start and state.optimizer:
                load_optimizer(optimizer, state.optimizer)
            for step in _stage_steps(state.card, stage, model, optimizer, start):
                yield _Point(stage, model, optimizer, before, step)
            weights = model.state_dict()
        before += stage.steps


def _stage_steps(
    card: RunCard, stage: Stage, model: nn.Module, optimizer: Optimizer, start: int
) -> Iterator[Step]:
    """One stage's part of the one training loop, with the changes made on the way."""
    data = stage_data(card, stage)
    loss = make_loss(stage, card.device)
    falling = stage.schedule == "cosine"
    for change in stage.changes:
        if change.after <= start:
            apply_change(change, loss, optimizer)
    for step in train(
        model,
        data,
        loss,
        optimizer,
        steps=stage.steps,
        start=start,
        schedule=cosine_schedule(stage.learning_rate) if falling else None,
        precision=PRECISIONS[card.precision],
    ):
        yield step
        for change in stage.changes:
            if change.after == step.number:
                apply_change(change, loss, optimizer)


def apply_change(
    change: Change, loss: WeightedLoss | ExpandedLoss, optimizer: Optimizer
) -> None:
    """Set what was changed; the next step counts with it.

    Source: built by srlab.
    """
    loss.weights.update({str(name): weight for name, weight in change.weights.items()})
    if isinstance(loss, ExpandedLoss):
        loss.layer_weights.update(change.layers)
    if change.learning_rate:
        set_learning_rate(optimizer, change.learning_rate)


def stage_data(card: RunCard, stage: Stage) -> Pairs:
    """The pairs that a stage learns from, on the card's device.

    Source: built by srlab.
    """
    sizes = stage.hr_size // stage.scale, stage.hr_size
    return get_data(
        stage.batch_size, sizes, source=card.data, seed=card.seed, device=card.device
    )


def stage_network(
    card: RunCard, stage: Stage, weights: dict[str, Tensor] | None = None
) -> nn.Module:
    """The network that a stage begins with, on the card's device.

    Args:
        card, stage: the stage is one of the card's.
        weights: of the stage before; those that fit are taken over. Without
            them the card's ``start`` gives them.

    Source: built by srlab.
    """
    torch.manual_seed(card.seed)
    model = build_model(card.model, stage.scale)
    if weights is None and card.start != "untrained":
        weights = load_checkpoint(find_checkpoint(card.start)).model
    if weights is not None:
        carry_weights(model, weights)
    return place(model, card.device)


def _save_last(out: Path, card: RunCard, point: _Point) -> None:
    save_checkpoint(
        out / LAST,
        point.model,
        card=card.model_dump(),
        step=point.done(),
        optimizer=point.optimizer,
    )


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
