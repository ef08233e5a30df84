"""Looking at the validation photographs on the way."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from torch import Tensor, nn

from srlab.data import load_photos
from srlab.models import evaluating
from srlab.scoring import Scene

SIZE = 192
"""Side of the part of each photograph that is looked at, px: quick, and the same always."""
MAX_SEEN = 64
"""Photographs that are looked at on the way; all of them count for the scores at the end."""
AT_ONCE = 8
"""Photographs that a network enlarges together, as many as training crops."""


@dataclass(frozen=True)
class Reading:
    """What a network showed on the middle of each validation photograph.

    Args:
        step: after how many steps of the whole run.
        loss: of the stage; the lower the better.
        psnr, bicubic: of the network and of bicubic, Y, in dB.
        detail: how much what the network adds to bicubic differs from photograph
            to photograph, in [0, 1]; 0 if it adds the same to all.
    """

    step: int
    loss: float
    psnr: float
    bicubic: float
    detail: float

    def __str__(self) -> str:
        return f"{self.psnr:.2f} dB, bicubic {self.bicubic:.2f} dB"


class Validation:
    """The middle of each validation photograph, 192 x 192 px, at one scale.

    A smaller photograph is continued by its mirror image. Beside a single one
    its own mirror image is looked at, so that ``detail`` can compare.

    Args:
        scale: 2, 4 or 8.
        loss: ``(sr, hr)`` -> named terms.
        device: where the network is.
        photos: name -> uint8 ``(3, h, w)``, the first 64 of them; the
            embedded ones if None.
    """

    def __init__(
        self,
        scale: int,
        loss: Callable[[Tensor, Tensor], Mapping[str, Tensor]],
        device: torch.device | str = "cpu",
        photos: Mapping[str, Tensor] | None = None,
    ):
        photos = load_photos("embedded", "val") if photos is None else photos
        views = [_middle(photo) for photo in islice(photos.values(), MAX_SEEN)]
        views += [view.flip(2) for view in views] if len(views) == 1 else []
        self.loss, self.scene = loss, Scene(torch.stack(views).to(device), scale)
        self.bicubic = self._psnr(self.scene.bicubic)

    @torch.no_grad()
    def look(self, model: nn.Module, step: int) -> Reading:
        """Measure the network as it stands after ``step`` steps."""
        with evaluating(model):
            sr = torch.cat([model(lr).float() for lr in self.scene.lr.split(AT_ONCE)])
        detail = (sr - self.scene.bicubic).std(dim=0).mean().item()
        return Reading(step, self._loss(sr), self._psnr(sr), self.bicubic, detail)

    def _loss(self, sr: Tensor) -> float:
        """The mean over the photographs; some losses look through a whole VGG."""
        total = 0.0
        for one, hr in zip(sr.split(AT_ONCE), self.scene.hr.split(AT_ONCE), strict=True):
            total += len(one) * sum(term.item() for term in self.loss(one, hr).values())
        return total / len(sr)

    def _psnr(self, sr: Tensor) -> float:
        """The mean over the photographs."""
        return self.scene.judge(sr, ["psnr_y"])["psnr_y"]


def middle_of(photo: Tensor, size: int) -> Tensor:
    """The middle of a photograph ``(3, h, w)``, at most ``size`` px a side."""
    height, width = (min(side, size) for side in photo.shape[-2:])
    top, left = ((side - size) // 2 if side > size else 0 for side in photo.shape[-2:])
    return photo[:, top : top + height, left : left + width]


def _middle(photo: Tensor) -> Tensor:
    """uint8 ``(3, h, w)`` -> ``(3, 192, 192)`` in [0, 1]."""
    part = middle_of(photo, SIZE)
    missing = [(0, 0), *((0, SIZE - side) for side in part.shape[1:])]
    return torch.from_numpy(np.pad(part.numpy(), missing, "symmetric")).float() / 255
