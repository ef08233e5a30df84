"""What the feature explorer measures of a picture, and of two."""

import math
from dataclasses import dataclass, field

from torch import Tensor

PIXELS = "pixels"
STRONGEST = 12  # channels in the atlas; each layer of a VGG has at least 64

Seen = dict[str, Tensor]
"""A picture under ``"pixels"``, and by layer what the network makes of it."""


@dataclass(frozen=True)
class FeatureReading:
    """What is shown, in numbers.

    Args:
        photograph, mode, layer, channel: what was chosen.
        other: what it is compared with; "" for one picture.
        shape: ``(h, w)`` of the channel's map.
        mean, max: of the map.
        zeros: share of the map that is exactly 0, between 0 and 1.
        differences: of a pair, for ``"pixels"`` and by layer:
            ``mean |other - photograph| / mean |photograph|``.
    """

    photograph: str
    mode: str
    other: str
    layer: str
    channel: int
    shape: tuple[int, int]
    mean: float
    max: float
    zeros: float
    differences: dict[str, float] = field(default_factory=dict)

    def place(self) -> str:
        """Layer and channel in words."""
        return f"{self.layer}, channel {self.channel}"

    def __str__(self) -> str:
        if self.mode == "pair":
            shares = row_text(self.differences)
            return f"{self.photograph} against {self.other}, relative difference: {shares}"
        height, width = self.shape
        return (
            f"{self.photograph} in {self.place()}: {width} × {height}, mean "
            f"{short(self.mean)}, largest {short(self.max)}, {100 * self.zeros:.0f} % zeros"
        )


def strongest(maps: Tensor) -> list[int]:
    """The ``STRONGEST`` channels of ``(F, h, w)`` by their mean, highest first."""
    return maps.mean(dim=(1, 2)).topk(STRONGEST).indices.tolist()


def relative_difference(other: Tensor, photo: Tensor) -> float:
    """``mean |other - photo| / mean |photo|``; infinite beside an all-zero photo.

    The L1 of lesson 02's ``content_loss``, made comparable between layers.
    """
    difference, size = (other - photo).abs().mean().item(), photo.abs().mean().item()
    if difference == 0:
        return 0.0
    return difference / size if size else math.inf


def difference_map(other: Tensor, photo: Tensor) -> Tensor:
    """Mean over channels of |other - photo|: ``(1, F, h, w)`` -> ``(h, w)``."""
    return (other - photo).abs().mean(dim=1)[0]


def short(value: float) -> str:
    """A number in three digits, or without decimals from 1000 on."""
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def row_text(differences: dict[str, float]) -> str:
    """Relative differences in words."""
    return ", ".join(f"{name} {value:.3f}" for name, value in differences.items())
