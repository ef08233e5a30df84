"""The Loss Lab's panel: its controls and views, and where each stands."""

from collections.abc import Callable, Iterable
from typing import Any

from ipywidgets import HTML, HBox, Layout, VBox

from srlab.losses import EXPANDED_TERMS
from srlab.widgets.live_lab import LiveLab
from srlab.widgets.loss_controls import (
    WRAP,
    button,
    column,
    field,
    make_dials,
    menu,
    row,
    upload,
)
from srlab.widgets.loss_views import LossTile
from srlab.widgets.parts import LivePicture
from srlab.widgets.slider_names import slider_names
from srlab.widgets.upload import Take

TILES = ("input", "bicubic", "now", "beside", "truth")
CHARTS = {
    "terms-curve": "Weighted terms over the steps",
    "psnr-curve": "PSNR over the steps",
    "map": "Sharpness over PSNR, a path for each run",
}
"""Class of a chart -> what it shows."""


class LossPanel:
    """Everything of the Loss Lab that is on the page; it does nothing itself.

    Args:
        layers: VGG's, a slider for each.
        lab: whose buttons Start, Pause and Reset stand here.
        actions: what the other buttons do, by their labels.
        take: called with a card that was uploaded.
    """

    def __init__(
        self,
        layers: Iterable[str],
        lab: LiveLab,
        actions: dict[str, Callable[[], None]],
        take: Take,
    ):
        self.layers = tuple(layers)
        self.dials = make_dials(self.layers)
        self.heading, self.numbers, self.message = HTML(), HTML(), HTML()
        self.ledger, self.source, self.measures = HTML(), HTML(), HTML()
        self.tiles = {name: LossTile(name) for name in TILES}
        self.charts = {name: LivePicture(name) for name in CHARTS}
        self.compare_slot = VBox()
        self._make_controls(actions)
        self.load = upload(take)
        for pressed in (lab._start, lab._pause, lab._reset):
            pressed.layout.width = "auto"
        self.ledger.layout.margin = "0"
        self.children = [
            *slider_names(),
            self.heading,
            row(lab._start, lab._pause, lab._reset, self.fork, self.snapshot, self.compare,
                self.branch, self.photo),
            self._weights(),
            self._settings(),
            self.message,
            self.numbers,
            HBox(list(self.tiles.values()), layout=WRAP),
            row(*self.charts.values()),
            self.measures,
            lab._status,
            self.compare_slot,
        ]  # fmt: skip

    def listened(self) -> dict[str, Any]:
        """The controls whose value acts at once, by the name of what they set."""
        return {**self.dials, "preset": self.preset, "branch": self.branch, "photo": self.photo}

    def _make_controls(self, actions: dict[str, Callable[[], None]]) -> None:
        self.fork = button(
            "Fork", "code-fork", "Keep this run as it is, and go on from it as a new one",
            actions["fork"],
        )  # fmt: skip
        self.snapshot = button(
            "Snapshot", "camera", "Keep the present network for comparison", actions["snapshot"]
        )
        self.compare = button(
            "Compare", "columns", "Lay snapshots and runs over each other", actions["compare"]
        )
        self.compare.remove_class("srlab-compare")  # that is the comparison itself
        self.compare.add_class("srlab-open-compare")
        self.branch = menu(
            "run", "Go on with this run where it was left", width="210px", description="32px"
        )
        self.photo = menu(
            "photograph",
            "Which validation photograph is shown and measured",
            width="235px",
            description="80px",
        )
        self.preset = menu("preset", "Set all weights and layers to a known recipe")
        self.shares = field(
            "balance to", "Shares of the gradient: pixel/content/style/tv", "50/40/5/5", "180px"
        )
        self.balance = button(
            "Balance", "balance-scale", "Set the weights so that the terms have these shares",
            actions["balance"],
        )  # fmt: skip
        self.preset_name = field(
            "own preset", "What to call the present weights", width="220px"
        )
        self.save_preset = button(
            "Save preset", "bookmark", "Keep the present weights under this name",
            actions["save preset"],
        )  # fmt: skip
        self.name = field("run name", "Of the run card and the program", width="220px")
        self.save = button(
            "Save card", "save", "Write what is needed to repeat this run", actions["save card"]
        )
        self.export = button(
            "Export code", "file-code-o", "Write this run as a Python program",
            actions["export code"],
        )  # fmt: skip

    def _weights(self) -> HBox:
        terms = [self.dials[name] for name in EXPANDED_TERMS]
        return row(column("weight (left end: off)", terms), self.ledger)

    def _settings(self) -> HBox:
        layers = [self.dials[name] for name in self.layers]
        right = [
            self.dials["learning_rate"],
            row(self.preset, self.preset_name, self.save_preset),
            self.source,
            row(self.shares, self.balance),
            row(self.name, self.save, self.load, self.export),
        ]
        return row(
            column("VGG layers of content and style", layers),
            VBox(right, layout=Layout(flex="1 1 420px")),
        )
