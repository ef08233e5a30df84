"""What a training with other loss weights gives, without waiting for it.

``w(weights) = w_small + sum over k of mix_k(weights) * direction_k``

Real trainings that all begin with ``small-x4`` span the directions, and the mix
is smooth between them. ``srlab/assets/instant/instant-x4.md`` says how they
were made, how near this comes to networks really trained so, and where not.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from typing import cast

import torch
from safetensors import safe_open
from torch import Tensor

from srlab.files import ASSETS
from srlab.losses import EXPANDED_TERMS
from srlab.require import require_batch, require_known, require_weight
from srlab.zoo import find_checkpoint, load_model

FILE = ASSETS / "instant" / "instant-x4.safetensors"
PARENT, SCALE = "small-x4", 4
LAYERS = {"relu2_2": 1.0}
"""Of the stand-in VGG, where content and style always look."""
TYPICAL_PULL = {"pixel": 1.0, "content": 108.0, "style": 3.8, "tv": 1.2}
"""How strongly a term of weight 1 pulls at what ``small-x4`` gives, by pixel's pull."""
LARGEST = {"content": 0.15, "style": 2.0, "tv": 0.8}
"""Term -> the largest weight beside a pixel weight of 1; nothing was trained beyond."""
DEPARTURE = 0.15
"""How soon after pixel alone the mix follows the trainings; in roots of shares."""


def place_of(weights: Mapping[str, float]) -> Tensor:
    """Where a setting lies for the mix: the roots of the terms' shares in the pull.

    Adam's steps do not depend on the size of a loss, so twice all weights are
    the same training. Roots spread small shares out, which change most.

    Args:
        weights: of ``EXPANDED_TERMS``, pixel's above 0; a missing one is 0.

    Returns:
        ``(4,)``, of length 1.

    Raises:
        ValueError: for an unknown term, a weight that is none, no pixel, or
            more than ``LARGEST`` beside it.

    Example:
        >>> place_of({"pixel": 0.5})
        tensor([1., 0., 0., 0.])
    """
    _require_within_reach(weights)
    pulls = torch.tensor([weights.get(n, 0.0) * TYPICAL_PULL[n] for n in EXPANDED_TERMS])
    return (pulls / pulls.sum()).sqrt()


def nearness(place: Tensor, known: Tensor, reach: float) -> Tensor:
    """``exp(-|place - known|^2 / (2 reach^2))``: ``(..., 4)`` -> ``(...)``, from 0 to 1."""
    return torch.exp(-(place - known).square().sum(-1) / (2 * reach**2))


class InstantNetwork:
    """``small-x4`` as a short training with the loss weights that are set leaves it.

    It begins with pixel alone, which is ``small-x4`` itself, bit by bit.

    Args:
        path: of what ``python -m tests.instant fit`` has written.

    Raises:
        ValueError: if it belongs to another ``small-x4``.

    Example:
        >>> network = InstantNetwork()
        >>> network.set({"pixel": 1.0, "style": 0.5})
        >>> network.enlarge(torch.rand(1, 3, 32, 32)).shape
        torch.Size([1, 3, 128, 128])

    Source: "You Only Train Once" (Dosovitskiy & Djolonga 2020) gives a network
    its loss weights as an input; here a Gaussian process (Rasmussen & Williams
    2006) foretells its parameters from trainings of one length.
    """

    def __init__(self, path: str | os.PathLike[str] = FILE):
        with safe_open(path, framework="pt") as file:
            self.about = json.loads((file.metadata() or {}).get("instant", "{}"))
            fit = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
        if self.about.get("parent_sha256") != parent_sha256():
            raise ValueError(
                f"The instant network does not belong to this {PARENT}; make it again "
                f"(python -m tests.instant)."
            )
        self.directions = fit["step"] * fit["directions"]  # (K, P), stored in 8 bits
        self.mean = fit["mean"]  # (K,)
        self.known, self.mixing = fit["known"], fit["mixing"]  # (N, 4), (N, K)
        self.network = load_model(PARENT, SCALE).cpu()
        self.start = {n: p.detach().clone() for n, p in self.network.named_parameters()}

    def mix(self, weights: Mapping[str, float]) -> Tensor:
        """How far to go along each direction: ``(K,)``, zeros for pixel alone."""
        place, origin = place_of(weights), place_of({"pixel": 1.0})
        # Trained on with pixel alone, small-x4 moves as well; here it must not.
        return self._trained(place) - nearness(place, origin, DEPARTURE) * self._trained(origin)

    def _trained(self, place: Tensor) -> Tensor:
        """How far a training goes: as all do on the average, and as those near by differ."""
        return self.mean + nearness(place, self.known, self.about["reach"]) @ self.mixing

    def weights_for(self, weights: Mapping[str, float]) -> dict[str, Tensor]:
        """Parameters by name, as ``functional_call`` takes them; raises as ``place_of``."""
        moved = self.mix(weights) @ self.directions  # (P,)
        parts = moved.split([value.numel() for value in self.start.values()])
        steps = dict(zip(self.start, parts, strict=True))
        return {n: value + steps[n].view_as(value) for n, value in self.start.items()}

    def set(self, weights: Mapping[str, float]) -> None:
        """Take these weights; raises as ``place_of``, and stays as it was."""
        self.network.load_state_dict(self.weights_for(weights))

    @torch.inference_mode()
    def enlarge(self, lr: Tensor) -> Tensor:
        """``(N, 3, h, w)`` in [0, 1] -> sr ``(N, 3, 4 * h, 4 * w)``, about [0, 1]."""
        require_batch(lr, "lr")
        return cast(Tensor, self.network(lr))


def parent_sha256() -> str:
    """Of the file whose network all directions begin at."""
    return hashlib.sha256(find_checkpoint(PARENT).read_bytes()).hexdigest()


def _require_within_reach(weights: Mapping[str, float]) -> None:
    require_known(weights, EXPANDED_TERMS)
    for weight in weights.values():
        require_weight(weight)
    pixel = weights.get("pixel", 0.0)
    if not pixel:
        raise ValueError("pixel weighs 0, but all trainings here had it; set it to 1.")
    for name, most in LARGEST.items():
        if weights.get(name, 0.0) > most * pixel * (1 + 1e-9):  # 3 * 0.15 is not 0.45
            raise ValueError(
                f"{name} weighs {weights[name]:g} with pixel at {pixel:g}, but at most "
                f"{most * pixel:g} was trained; lower it, or train."
            )
