"""A small network on the bench, looked at for the grid that its upsampler draws."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor, nn

from srlab.data import Pairs, get_data
from srlab.features import FeatureExtractor
from srlab.losses import ContentLoss, WeightedLoss, l1_loss
from srlab.machine import PRECISIONS, pick_device, pick_precision, place
from srlab.metrics import grid_energy, score_pair, shave
from srlab.models import SrResNet, Upsampler, UpsampleStage
from srlab.scoring import Scene
from srlab.training import Step, train
from srlab.upsamplers import IcnrStage, ResizeStage, TransposedStage
from srlab.widgets.workbench import FOREVER, VIEW_SIZE, VIEWS, photo_view

UPSAMPLERS = {
    "pixelshuffle": "PixelShuffle",
    "resize": "resize-convolution",
    "transposed": "transposed convolution",
}
INITS = {"random": "random", "icnr": "ICNR"}
POOLINGS = {"content": "max", "content, average pooling": "average"}
LOSSES = ("pixel", *POOLINGS)
STARTS_OVER = ("upsampler", "init", "scale")

MEASURED = ("psnr_y", "sharpness", "checkerboard", "ridge")
BORDER = 16  # px left out at each side; a multiple of every scale, so the grid stays in place
SEEN = VIEW_SIZE - 2 * BORDER
CARD_MARGIN = 8  # px of lr around the card; the network reaches no farther
GRAY = 0.5
ADDED = 0.1
"""RMS of what the untrained upsampler adds to a gray card: enough to be seen."""

BATCH_SIZE, LARGEST_CROP = 4, 64  # px of hr
LAYER, CONTENT_WEIGHT = "relu2_2", 0.1
LEARNING_RATE, SEED = 2e-3, 0


@dataclass(frozen=True)
class GridSetting:
    """What the controls say; names as ``CheckerboardLab.choose`` takes them."""

    upsampler: str = "pixelshuffle"
    init: str = "random"
    scale: int = 4
    loss: str = "pixel"
    photograph: str = next(iter(VIEWS))

    @property
    def stage(self) -> type[nn.Module]:
        """What doubles both sides."""
        if self.upsampler == "pixelshuffle":
            return IcnrStage if self.init == "icnr" else UpsampleStage
        return ResizeStage if self.upsampler == "resize" else TransposedStage

    def __str__(self) -> str:
        name = UPSAMPLERS[self.upsampler]
        start = f", {INITS[self.init]} init" if self.upsampler == "pixelshuffle" else ""
        return f"{name}{start}, x{self.scale}"


@dataclass(frozen=True)
class GridReading:
    """How strong the grid is after so many steps, and how good the picture.

    Args:
        step: optimizer steps done.
        energy: ``grid_energy`` of what the network makes of a flat gray card,
            where nothing but the network can draw a grid.
        measure: ``checkerboard`` of the photograph; 1 is as much as the truth.
        bicubic_measure: the same of bicubic.
        psnr, bicubic_psnr: of the photograph, Y, ``BORDER`` left out, dB.
        sharpness: share of the truth's fine detail.
        ridge: how far the spectrum climbs again; 1 is not at all.
        bicubic_sharpness, bicubic_ridge: the same of bicubic.
    """

    step: int
    energy: float
    measure: float
    bicubic_measure: float
    psnr: float
    bicubic_psnr: float
    sharpness: float
    ridge: float
    bicubic_sharpness: float
    bicubic_ridge: float

    def __str__(self) -> str:
        return (
            f"step {self.step}: grid energy {self.energy:.1e} on a gray card, "
            f"checkerboard {self.measure:.3g} (bicubic {self.bicubic_measure:.3g}, truth 1); "
            f"PSNR {self.psnr:.2f} dB (bicubic {self.bicubic_psnr:.2f} dB), "
            f"sharpness {self.sharpness:.2f}, ridge {self.ridge:.2f}"
        )


@dataclass(frozen=True)
class View:
    """The seen part of each picture, ``(1, 3, SEEN, SEEN)`` in [0, 1].

    ``card`` is what the network makes of a flat gray card.
    """

    sr: Tensor
    bicubic: Tensor
    hr: Tensor
    card: Tensor


class CheckerboardBench:
    """A network with its data, loss and photograph, as a setting asks.

    Args:
        setting: with which it begins.
    """

    def __init__(self, setting: GridSetting):
        self.setting = setting
        self.device = pick_device()
        self.precision = pick_precision(self.device)
        self.loss = WeightedLoss({"pixel": l1_loss}, {"pixel": 1.0})
        self.start_over()

    def start_over(self) -> None:
        """The untrained network of the present setting."""
        scale = self.setting.scale
        self.model = place(untrained(self.setting), self.device)
        self.card = gray_card(scale).to(self.device)
        self.data = pairs(scale, self.device)
        self.optimizer = torch.optim.Adam(self.model.parameters(), LEARNING_RATE, fused=True)
        self.step: Step | None = None
        self._show()

    def set(self, name: str, value: Any) -> None:
        """Take over one value of the setting."""
        self.setting = replace(self.setting, **{name: value})
        if name in STARTS_OVER:
            self.start_over()
        elif name == "loss":
            self._weigh(value)
        else:
            self._show()

    def steps(self) -> Iterator[Step]:
        """The one training loop; it follows when the network starts over."""
        while True:
            model, done = self.model, self.step.number if self.step else 0
            for step in train(
                model,
                self.data,
                self.loss,
                self.optimizer,
                steps=FOREVER,
                start=done,
                precision=PRECISIONS[self.precision],
            ):
                self.step = step
                yield step
                if self.model is not model:
                    break

    def knows(self, loss: str) -> bool:
        """Whether everything that a loss needs is loaded."""
        return loss == "pixel" or loss in self.loss.terms

    @torch.no_grad()
    def look(self) -> tuple[View, GridReading]:
        """What the network shows now, and its numbers."""
        self.model.eval()
        sr, card = (seen(self.model(lr).float()) for lr in (self.scene.lr, self.card))
        self.model.train()
        card = shave(card, (card.shape[-1] - SEEN) // 2)
        view = View(sr, self.bicubic, self.hr, card)
        return view, self._read(view)

    def _read(self, view: View) -> GridReading:
        found, bicubic = self._judge(view.sr), self.bicubic_figures
        return GridReading(
            self.step.number if self.step else 0,
            grid_energy(view.card, self.setting.scale).item(),
            found["checkerboard"], bicubic["checkerboard"], found["psnr_y"], bicubic["psnr_y"],
            found["sharpness"], found["ridge"], bicubic["sharpness"], bicubic["ridge"],
        )  # fmt: skip

    def _judge(self, part: Tensor) -> dict[str, float]:
        """Figures of the seen part of an enlargement; its border is left out already."""
        return score_pair(part, self.hr, scale=self.scene.scale, border=0, only=MEASURED)

    def _show(self) -> None:
        """Cut the photograph."""
        hr = photo_view(self.setting.photograph).to(self.device)
        self.scene = Scene(hr, self.setting.scale)
        self.hr, self.bicubic = seen(self.scene.hr), seen(self.scene.bicubic)
        self.bicubic_figures = self._judge(self.bicubic)

    def _weigh(self, loss: str) -> None:
        """Give the chosen loss its weight, and take it from the others."""
        if not self.knows(loss):
            self.loss.terms[loss] = _content_loss(POOLINGS[loss], self.device)
        weights = dict.fromkeys(self.loss.terms, 0.0)
        self.loss.weights = {**weights, "pixel": 1.0}
        if loss != "pixel":
            self.loss.weights[loss] = CONTENT_WEIGHT


def untrained(setting: GridSetting) -> SrResNet:
    """Bicubic plus an upsampler that begins as its own kind begins.

    ``SrResNet`` starts its last stage at zero, and then no grid is seen
    whatever the upsampler. Here that stage gets its own initialization back,
    times a factor with which it adds ``ADDED`` to a gray card.
    """
    upsampler = partial(Upsampler, stage=setting.stage)
    with torch.random.fork_rng(devices=[]):  # the notebook's own numbers stay as they were
        torch.manual_seed(SEED)
        model = SrResNet(setting.scale, 16, 2, upsampler=upsampler)
        last = setting.stage(16, 3)
    model.upsampler.to_rgb = last
    with torch.no_grad():
        added = model(gray_card(setting.scale)) - GRAY
        factor = ADDED / added.square().mean().sqrt()
        for parameter in last.parameters():
            parameter.mul_(factor)  # the stage is linear, so is what it adds
    return model


def gray_card(scale: int) -> Tensor:
    """A flat lr picture, with room for the border that a network spoils."""
    side = SEEN // scale + 2 * CARD_MARGIN
    return torch.full((1, 3, side, side), GRAY)


def seen(images: Tensor) -> Tensor:
    """What is shown and measured: without the border, in [0, 1]."""
    return shave(images.nan_to_num(), BORDER).clamp(0, 1)


def pairs(scale: int, device: torch.device) -> Pairs:
    """Batches with an hr of at most ``LARGEST_CROP``, so that a step stays short."""
    lr_size = min(24, LARGEST_CROP // scale)
    return Pairs(_photos(device), BATCH_SIZE, (lr_size, lr_size * scale))


@cache
def _photos(device: torch.device) -> Sequence[Tensor]:
    """The training photographs, decoded once for every scale."""
    return get_data(BATCH_SIZE, (LARGEST_CROP // 2, LARGEST_CROP), device=device).photos


def _content_loss(pooling: Any, device: torch.device) -> ContentLoss:
    extractor = place(FeatureExtractor([LAYER], pooling=pooling), device)
    return ContentLoss(extractor, {LAYER: 1.0})
