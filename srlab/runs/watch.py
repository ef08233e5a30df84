"""Watching a stage: the validation photographs now and then, and the best network kept."""

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn

from srlab.checkpoints import load_checkpoint, load_weights, save_checkpoint
from srlab.runs.stages import StageTraining, stage_network
from srlab.runs.validation import Reading, Validation
from srlab.training import DivergedError

BEST = "best.safetensors"
INVISIBLE = 1e-4
"""Detail that nobody could see: a fortieth of a level of 255."""
FAR_OFF = 100.0
"""A loss this many times the lowest is no fluctuation any more."""
LEAST = 1e-3
"""Of the lowest loss; bicubic may have none at all, where a photograph is flat."""


class Watch:
    """Look at the validation photographs when the card says so, and keep the best.

    Args:
        training: whose network is looked at.
        before: steps of the stages before.
        best: the file for the best network, or None if none is kept.
        photos: to look at, uint8 ``(3, h, w)``.
        resumed: whether a best network may be there already.

    Attributes:
        best_step: the step of the stage at which the best was found; 0 before.
    """

    def __init__(
        self,
        training: StageTraining,
        before: int,
        best: Path | None,
        photos: Mapping[str, Tensor],
        *,
        resumed: bool,
    ):
        self.training, self.before, self.best = training, before, best
        self.every = training.card.validate_every
        self.best_loss, self.best_step = float("inf"), 0
        stage, device = training.stage, training.card.device
        if self.every:
            self.validation = Validation(stage.scale, training.loss, device, photos)
            network = training.network
            if resumed and best and best.exists():
                network = _best_so_far(best, training)
            reading = self.validation.look(network, before)
            self.lowest, self.has_drawn = reading.loss, reading.detail > INVISIBLE
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
            self.best_loss, self.best_step = reading.loss, step
            card = self.training.card.model_dump()
            save_checkpoint(self.best, network, card=card, step=reading.step)
        return reading

    def _require_alive(self, reading: Reading) -> None:
        """Raise if the network drew before and now draws nothing, or is far off."""
        draws = reading.detail > INVISIBLE
        if self.has_drawn and not draws:
            raise self._lost(reading, "adds the same to every picture")
        if reading.loss > FAR_OFF * max(self.lowest, LEAST):
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


def _best_so_far(path: Path, training: StageTraining) -> nn.Module:
    """The network in ``best.safetensors``, which a stopped run has kept."""
    network = stage_network(training.card, training.stage)
    try:
        load_weights(network, load_checkpoint(path).model, path.name)
    except ValueError as error:
        raise ValueError(f"{error} Or remove {path}: the best is then sought anew.") from None
    return network
