"""Looking at the validation photographs on the way."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from srlab.data import degrade
from srlab.inference import evaluating
from srlab.metrics import Protocol, psnr
from srlab.models import enlarge
from srlab.sources import load_photos

SIZE = 192
"""Side of the part of each photograph that is looked at, px: quick, and the same always."""


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

    Args:
        scale: 2, 4 or 8.
        loss: ``(sr, hr)`` -> named terms.
        device: where the network is.

    Source: built by srlab.
    """

    def __init__(
        self,
        scale: int,
        loss: Callable[[Tensor, Tensor], Mapping[str, Tensor]],
        device: torch.device | str = "cpu",
    ):
        photos = load_photos("embedded", "val").values()
        self.hr = torch.stack([_middle(photo) for photo in photos]).to(device)
        self.lr = degrade(self.hr, scale)
        self.loss, self.protocol = loss, Protocol("y", scale)
        self.base = enlarge(self.lr, scale)
        self.bicubic = self._psnr(self.base)

    @torch.no_grad()
    def look(self, model: nn.Module, step: int) -> Reading:
        """Measure the network as it stands after ``step`` steps."""
        with evaluating(model):
            sr = model(self.lr).float()
        loss = sum(term.item() for term in self.loss(sr, self.hr).values())
        detail = (sr - self.base).std(dim=0).mean().item()
        return Reading(step, loss, self._psnr(sr), self.bicubic, detail)

    def _psnr(self, sr: Tensor) -> float:
        """The mean over the photographs."""
        shown, truth = self.protocol.apply(sr.clamp(0, 1)), self.protocol.apply(self.hr)
        return psnr(shown, truth).mean().item()


def _middle(photo: Tensor) -> Tensor:
    """uint8 ``(3, h, w)`` -> ``(3, 192, 192)`` in [0, 1]."""
    top, left = ((side - SIZE) // 2 for side in photo.shape[-2:])
    return photo[:, top : top + SIZE, left : left + SIZE].float() / 255
