"""The network as it is at each sixth of a minute."""

import json
import time
from pathlib import Path

import torch
from torch import nn

LOOKS = 6


class Snapshots:
    """Written while a training runs; the clock starts when this is made.

    Args:
        folder: for ``1.pt`` ... ``6.pt``, and ``times.json`` at the end.
        seconds: how long the training is meant to last.
    """

    def __init__(self, folder: Path, seconds: float):
        self.folder, self.seconds = folder, seconds
        self.times: list[tuple[float, int]] = []  # seconds, steps
        self.began = time.monotonic()

    @property
    def share(self) -> float:
        """How much of the time is gone, up to 1."""
        return min(1.0, self._now() / self.seconds)

    def look(self, model: nn.Module, steps: int) -> None:
        """Take a snapshot if it is time for one; the last is ``finish``'s."""
        taken = len(self.times)
        if taken < LOOKS - 1 and self._now() >= self.seconds * (taken + 1) / LOOKS:
            self._take(model, steps)

    def finish(self, model: nn.Module, steps: int) -> None:
        """Take the last one, when the time is up."""
        self._take(model, steps)
        (self.folder / "times.json").write_text(json.dumps(self.times))

    def _take(self, model: nn.Module, steps: int) -> None:
        self.times.append((self._now(), steps))
        torch.save(model.state_dict(), self.folder / f"{len(self.times)}.pt")

    def _now(self) -> float:
        return time.monotonic() - self.began
