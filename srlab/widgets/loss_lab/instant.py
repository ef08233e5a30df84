"""The Loss Lab's second mode without its page: what a mix of weights would give."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from srlab.instant import LAYERS, PARENT, SCALE, InstantNetwork, place_of
from srlab.losses import EXPANDED_TERMS
from srlab.machine import using_threads
from srlab.presets import Preset
from srlab.scoring import Scene

STEPS, RATE = 500, 3e-4
"""Of the trainings that are foretold."""
MOST_ON_THE_TRAIL = 60
"""The oldest places of the hand go, so that one sees the last way."""


@dataclass(frozen=True)
class Forecast:
    """What a training with these weights would show of the photograph."""

    weights: dict[str, float]
    photo: str
    picture: Tensor
    psnr: float
    sharpness: float

    def shares(self) -> dict[str, float]:
        """Term -> its typical share of the gradient, from 0 to 1."""
        shares = place_of(self.weights).square().tolist()
        return dict(zip(EXPANDED_TERMS, shares, strict=True))

    def preset(self) -> Preset:
        """The same weights for a real training."""
        return Preset("forecast", "Foretold in instant mode.", self.weights, LAYERS)


class Foreteller:
    """The instant network in front of one photograph, and where the hand has been."""

    def __init__(self) -> None:
        self.network = InstantNetwork()
        self.now: Forecast | None = None

    def show(self, photo: str, hr: Tensor) -> None:
        """Look at this photograph, ``(1, 3, h, w)`` in [0, 1]; its trail begins."""
        self.photo, self.scene, self.now = photo, Scene(hr.cpu(), SCALE), None
        self.trail: list[list[float]] = []  # [PSNR, sharpness], by the hand's way
        bicubic, start = self._judged({}, self.scene.bicubic), self._look({"pixel": 1.0})
        self.places = {"bicubic": bicubic, PARENT: start}

    def look(self, mix: Mapping[str, float]) -> Forecast:
        """Foretell a mix beside a pixel weight of 1, and go there.

        Raises:
            ValueError: for weights that nothing was trained with.
        """
        self.now = self._look({"pixel": 1.0, **mix})
        here = [self.now.psnr, self.now.sharpness]
        self.trail = [*self.trail, here][-MOST_ON_THE_TRAIL:]
        return self.now

    def _look(self, weights: dict[str, float]) -> Forecast:
        with using_threads(1), torch.inference_mode():  # so small that sharing takes longer
            self.network.set(weights)
            return self._judged(weights, self.network.enlarge(self.scene.lr).clamp(0, 1))

    def _judged(self, weights: dict[str, float], sr: Tensor) -> Forecast:
        found = self.scene.judge(sr)
        return Forecast(weights, self.photo, sr, found["psnr_y"], found["sharpness"])
