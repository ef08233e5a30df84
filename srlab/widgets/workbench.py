"""A network on the workbench: trained, looked at, kept, put back to the start."""

import copy
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from math import nan
from pathlib import Path
from typing import ClassVar, Generic, TypeVar

import torch
from torch import Tensor, nn

from srlab.data import Pairs, embedded_photo, embedded_table
from srlab.losses import ExpandedLoss, WeightedLoss
from srlab.machine import PRECISIONS, pick_device, pick_precision, place
from srlab.scoring import Scene
from srlab.training import Step, get_learning_rate, set_learning_rate, train

AnyLoss = TypeVar("AnyLoss", WeightedLoss, ExpandedLoss)

FOREVER = 10**9
VIEW_SIZE = 128
VIEWS = {"raccoon-face": (95, 260), "coffee-cup": (215, 300), "aizkorri-autumn": (270, 700)}
"""Validation photograph -> top and left of the part that is shown, in px."""
OFF = 1e-5
"""The least weight that is not 0: a slider is logarithmic from here on."""
RATES = 1e-5, 0.1
"""How far a slider of learning rates goes."""


def unseen_photos() -> list[str]:
    """The embedded photographs that no network was trained on."""
    return [Path(row["file"]).stem for row in embedded_table() if row["split"] != "train"]


@cache
def photo_view(name: str) -> Tensor:
    """The part of a validation photograph that labs show, (1, 3, VIEW_SIZE, VIEW_SIZE)."""
    top, left = VIEWS[name]
    return embedded_photo(name)[..., top : top + VIEW_SIZE, left : left + VIEW_SIZE].clone()


@dataclass(frozen=True)
class Figures:
    """Where a training stands, in numbers.

    Args:
        step: optimizer steps done.
        loss: sum of the weighted terms at the last step; NaN before it.
        psnr: of the shown part, published protocol, dB.
        sharpness: share of the truth's fine detail.
        photo_name: which photograph was shown.
        measures: name -> what was measured beside PSNR and sharpness.
        terms: name -> weighted term of the last step.
    """

    step: int
    loss: float
    psnr: float
    sharpness: float
    photo_name: str = ""
    measures: Mapping[str, float] = field(default_factory=dict)
    terms: Mapping[str, float] = field(default_factory=dict)

    @property
    def checkerboard(self) -> float:
        """How strong a grid is drawn; 1 is as much as the truth, NaN if not measured."""
        return self.measures.get("checkerboard", nan)


@dataclass(frozen=True)
class Snapshot:
    """A network kept for comparison, and what it showed."""

    name: str
    photo_name: str
    weights: dict[str, Tensor]
    picture: Tensor
    figures: Figures


@dataclass
class History:
    """Figures over the steps, thinned so that it never grows without end."""

    limit: int = 400
    points: list[Figures] = field(default_factory=list)

    def add(self, figures: Figures) -> None:
        """Append, or drop every second point when there are too many."""
        self.points.append(figures)
        if len(self.points) > self.limit:
            del self.points[1:-1:2]


class Workbench(Generic[AnyLoss]):
    """A model with its optimizer, loss, data and the picture it is judged by.

    Args:
        make_model: makes the model to start from; called again by ``reset``.
        data: endless pairs.
        loss: weighted terms whose weights may change between steps.
        learning_rate: at the start.
        seed: of the first weights.
        precision: ``"fp32"``, ``"bf16"``, or ``"auto"`` for what the machine
            does faster.
    """

    looked_at: ClassVar[Collection[str]] = ("psnr_y", "sharpness")
    """What is measured whenever one looks; see ``MEASURES``."""

    def __init__(
        self,
        make_model: Callable[[], nn.Module],
        data: Pairs,
        loss: AnyLoss,
        *,
        learning_rate: float = 1e-3,
        seed: int = 0,
        precision: str = "auto",
    ):
        self.make_model, self.data = make_model, data
        self.loss: AnyLoss = loss
        self.learning_rate, self.seed = learning_rate, seed
        self.first_weights = dict(loss.weights)
        self.device = pick_device()
        self.precision = pick_precision(self.device) if precision == "auto" else precision
        self.snapshots: list[Snapshot] = []
        self.photos = {name: photo_view(name) for name in VIEWS}
        self.show(next(iter(self.photos)))
        self.reset()

    def reset(self) -> None:
        """Go back to the model at the start; controls and snapshots stay."""
        torch.manual_seed(self.seed)
        self.model = place(self.make_model(), self.device)
        self.optimizer = torch.optim.Adam(
            self.model.parameters(), self.learning_rate, fused=True
        )
        self.step: Step | None = None
        self.history = History()

    def show(self, name: str) -> None:
        """Choose the validation photograph that is shown and measured."""
        self.photo_name = name
        self.scene = Scene(self.photos[name].to(self.device), self.data.scale)
        bicubic = self.scene.judge(self.scene.bicubic)
        self.bicubic_psnr, self.bicubic_sharpness = bicubic["psnr_y"], bicubic["sharpness"]

    def set_learning_rate(self, value: float) -> None:
        """Change the learning rate from the next step on."""
        self.learning_rate = value
        set_learning_rate(self.optimizer, value)

    def steps(self) -> Iterator[Step]:
        """The one training loop, noting each step as it passes."""
        for step in train(
            self.model,
            self.data,
            self.loss,
            self.optimizer,
            steps=FOREVER,
            start=self.taken,
            precision=PRECISIONS[self.precision],
        ):
            self._note(step)
            yield step

    @property
    def taken(self) -> int:
        """Optimizer steps of this network."""
        return self.step.number if self.step else 0

    @torch.no_grad()
    def look(self) -> tuple[Tensor, Figures]:
        """The network's enlargement of the shown picture, and its figures."""
        self.model.eval()
        sr = self.model(self.scene.lr).float()
        sr = sr.nan_to_num().clamp(0, 1)  # even of a wrecked network
        self.model.train()
        found = self.scene.judge(sr, self.looked_at)
        figures = Figures(
            self.taken,
            self.step.loss if self.step else nan,
            found.pop("psnr_y"),
            found.pop("sharpness"),
            self.photo_name,
            measures=found,
            terms=self.terms(),
        )
        return sr, figures

    def quality(self, figures: Figures) -> str:
        """PSNR, its gain over bicubic, and sharpness, in words."""
        gain = f"{figures.psnr - self.bicubic_psnr:+z.2f} dB"  # z: never -0.00
        return (
            f"PSNR {figures.psnr:.2f} dB, bicubic {self.bicubic_psnr:.2f} dB ({gain}), "
            f"sharpness {figures.sharpness:.2f}"
        )

    def keep(self) -> Snapshot:
        """Keep the present network for comparison."""
        sr, figures = self.look()
        weights = copy.deepcopy(self.model.state_dict())
        name = self.moment(figures.step)
        self.snapshots.append(Snapshot(name, self.photo_name, weights, sr, figures))
        return self.snapshots[-1]

    def moment(self, step: int) -> str:
        """What a snapshot after so many steps is called."""
        return f"step {step}"

    def terms(self) -> dict[str, float]:
        """The weighted terms of the last step."""
        return {} if self.step is None else {n: t.item() for n, t in self.step.terms.items()}

    @property
    def present_learning_rate(self) -> float:
        """The learning rate in use."""
        return get_learning_rate(self.optimizer)

    def _note(self, step: Step) -> None:
        self.step = step


def require_reach(name: str, value: float, reach: tuple[float, float], *, off: bool) -> None:
    """Raise unless a slider reaches a value.

    Args:
        name: of the slider.
        value: for it.
        reach: its ends.
        off: whether it is a weight, which may be 0 too.

    Raises:
        ValueError: if it does not.
    """
    low, high = reach
    if low <= value <= high or (off and value == 0):  # NaN is neither
        return
    if off:
        raise ValueError(
            f"A weight must be 0 (off) or between {low:g} and {high:g}, but got {value:g}."
        )
    raise ValueError(f"The slider {name!r} goes from {low:g} to {high:g}, but got {value:g}.")
