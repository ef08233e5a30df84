"""What the Loss Lab shows of its networks, as plain values and pictures."""

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import cache
from typing import Any

import torch
from torch import Tensor

from srlab.features import FeatureExtractor
from srlab.losses import EXPANDED_TERMS, ContentLoss, Entry
from srlab.machine import place
from srlab.metrics import lpips_backbone, lpips_distance
from srlab.presets import Preset
from srlab.runcard import ModelSpec
from srlab.scoring import MEASURES, Measure, Scene
from srlab.widgets.kit.pictures import input_tile, tile
from srlab.widgets.loss_lab.bench import LossBench, Sides
from srlab.widgets.loss_lab.branch import Branch
from srlab.widgets.loss_lab.files import Row
from srlab.widgets.loss_lab.instant import Forecast
from srlab.widgets.workbench import Figures

Measures = Mapping[str, float]
Seen = tuple[Tensor, Figures]
"""What a run showed when it was looked at last, or a snapshot."""
Way = list[list[float]]

OWN = "set by hand"
"""What is said of weights that are no preset's."""
COLUMNS = {
    **{name: MEASURES[name] for name in LossBench.looked_at},
    "vgg": Measure(
        "VGG distance",
        "lowest",
        "how differently the VGG inside the package sees two pictures, at relu2_2 and relu3_3; "
        "a loss that looks through this VGG makes it small by design",
        4,
    ),
    "lpips": Measure("LPIPS", "lowest", "features of a network, weighted by people", 3),
}
"""Name -> measure, a row each."""
OF_THE_TRUTH = {"sharpness": 1, "checkerboard": 1, "ridge": 1, "haarpsi": 1}
"""The others' is 0, but PSNR has none."""
SCORES = ("sharpness", "ridge", "checkerboard")
MOST_BESIDE = 6
"""Snapshots and other runs that can stand beside the present picture."""
MOST_POINTS = 60
"""Of a run's way on the map; a page gets those of all runs at once."""


@dataclass(frozen=True)
class Reading:
    """One network at one moment.

    Args:
        moment: run, step and photograph: what the network's picture depends on.
        picture: of the shown photograph, ``(1, 3, h, w)`` in [0, 1].
        figures: of this picture.
        ledger: of all four terms.
        layers: with which it was made.
        slow: what takes long to measure; empty while a training runs.
    """

    moment: tuple[str, int, str]
    picture: Tensor
    figures: Figures
    ledger: dict[str, Entry]
    layers: dict[str, float]
    slow: Measures

    def measures(self) -> dict[str, float]:
        """All that was measured, by the names of ``COLUMNS``."""
        figures = self.figures
        return {
            "psnr_y": figures.psnr,
            "sharpness": figures.sharpness,
            **figures.measures,
            **self.slow,
        }


class Reader:
    """Looks at the networks that train, and remembers what others showed.

    All of it is called by one thread at a time.

    Args:
        sides: whose networks.
    """

    def __init__(self, sides: Sides):
        self.rows: dict[str, Row] = {}
        self._former: list[tuple[str, int, Sequence[Figures]]] = []  # of earlier cards
        self._memo: dict[str, tuple[Hashable, Any]] = {}
        self.watch(sides)

    def watch(self, sides: Sides) -> None:
        """Look at these from now on."""
        self.sides = sides
        self.readings: dict[str, Reading] = {}
        self.seen: dict[str, Seen] = {}

    def keep_ways(self) -> None:
        """Before another card comes: keep the ways of this one's runs for the map."""
        bench = self.sides["A"]
        for branch in bench.branches.values():
            name = f"{bench.start_card.name}, {branch.name}"
            self._former.append((name, bench.data.scale, branch.history.points))
        del self._former[:-MOST_BESIDE]

    def look(self, *, at_rest: bool) -> None:
        """See where each network stands; at rest, measure what takes long too."""
        self.readings = {
            side: self._read(bench, self.readings.get(side), at_rest)
            for side, bench in self.sides.benches.items()
        }
        for side, bench in self.sides.benches.items():
            self._remember(bench, self.readings[side])

    def reweigh(self) -> None:
        """Let the ledgers say what the weights of now give; no network is asked."""
        self.readings = {
            side: replace(
                reading, ledger=reweighed(reading.ledger, self.sides[side].loss.weights)
            )
            for side, reading in self.readings.items()
        }

    # What a page gets

    def side(self, side: str, presets: dict[str, Preset]) -> dict[str, Any]:
        """One network's numbers, as JSON can hold them."""
        bench, reading = self.sides[side], self.readings[side]
        preset = preset_in_use(bench, presets)
        return {
            "run": bench.branch.name,
            "key": bench.branch.key,
            "left": bench.replay_left,
            "goal": bench.branch.goal,
            "loss": _finite(reading.figures.loss),
            "preset": preset,
            "source": presets[preset].source if preset else f"The weights are {OWN}.",
            "measures": {name: _finite(value) for name, value in reading.measures().items()},
            "ledger": [
                {"term": name, **asdict(entry), "weighted": entry.weighted}
                for name, entry in reading.ledger.items()
            ],
        }

    def curve_row(self, figures: Figures, photo: str) -> list[float]:
        """Step, loss, the four terms, PSNR, sharpness; NaN for what is not there."""
        seen = figures.photo_name == photo
        return [
            figures.step,
            figures.loss,
            *(figures.terms.get(name, math.nan) for name in EXPANDED_TERMS),
            figures.psnr if seen else math.nan,
            figures.sharpness if seen else math.nan,
        ]

    def picture(self, side: str) -> dict[str, Any]:
        """What the network makes of the photograph."""
        reading = self.readings[side]
        name = side if self.sides.two else "now"
        return tile(reading.picture, name, caption_of(reading.figures))

    def truth(self) -> dict[str, Any]:
        """The photograph as it is."""
        hr = self.sides["A"].scene.hr
        return self._once("truth", self._shown(), lambda: tile(hr, "truth", "sharpness 1"))

    def beside(self) -> list[dict[str, Any]]:
        """What can stand beside the present picture, the last kept first."""
        others = self.others()
        key = (self._shown(), *((name, figures.step) for name, (_, figures) in others.items()))
        return self._once("beside", key, lambda: self._tiles(others))

    def bicubic(self) -> dict[str, float]:
        """All measures of what every network is compared with."""
        scene = self.sides["A"].scene
        found: dict[str, float] = self._once(
            "bicubic", self._shown(), lambda: every_measure(scene, scene.bicubic)
        )
        return found

    def others(self) -> dict[str, Seen]:
        """The latest snapshots and other runs of this photograph, not too many."""
        bench = self.sides["A"]
        present = {b.branch.name for b in self.sides.benches.values()}
        every = {s.name: (s.picture, s.figures) for s in bench.snapshots}
        every |= {name: seen for name, seen in self.seen.items() if name not in present}
        here = [
            (n, seen) for n, seen in every.items() if seen[1].photo_name == bench.photo_name
        ]
        return dict(here[-MOST_BESIDE:])

    def paths(self) -> list[dict[str, Any]]:
        """The ways of all other runs on this photograph; a fork's begins at the fork."""
        bench = self.sides["A"]
        present = {b.branch.name for b in self.sides.benches.values()}
        left = [b for b in bench.branches.values() if b.name not in present]
        key = (self._shown(), *((b.key, b.step) for b in left), len(self._former))
        return self._once("paths", key, lambda: self._ways(left))

    def marks(self) -> list[dict[str, Any]]:
        """Places on the map: bicubic, and the snapshots."""
        bench = self.sides["A"]
        kept = [s for s in bench.snapshots if s.photo_name == bench.photo_name]
        places = {"bicubic": (bench.bicubic_psnr, bench.bicubic_sharpness)}
        places |= {s.name: (s.figures.psnr, s.figures.sharpness) for s in kept[-3:]}
        return [{"name": name, "x": x, "y": y} for name, (x, y) in places.items()]

    def note_rows(self) -> list[Row]:
        """Bring the table of runs up to date; the rows that changed."""
        new = []
        for side, bench in self.sides.benches.items():
            row = self._row(bench, self.readings[side])
            before = self.rows.get(row.key)
            if row.steps and (before is None or before.model_copy(update=_WHEN) != row):
                row = row.model_copy(
                    update={"when": datetime.now(UTC).isoformat(timespec="seconds")}
                )
                self.rows[row.key] = row
                new.append(row)
        return new

    # Parts

    def _read(self, bench: LossBench, before: Reading | None, at_rest: bool) -> Reading:
        moment = bench.branch.key, bench.done, bench.photo_name
        layers = dict(bench.loss.layer_weights)
        known = before if before and before.moment == moment else None
        picture, figures = (known.picture, known.figures) if known else bench.look()
        same = known is not None and known.layers == layers
        ledger = (
            reweighed(known.ledger, bench.loss.weights) if known and same else bench.ledger()
        )
        slow = known.slow if known else {}
        if at_rest and not slow:
            slow = slow_measures(bench.scene, picture)
        return Reading(moment, picture, figures, ledger, layers, slow)

    def _remember(self, bench: LossBench, reading: Reading) -> None:
        figures = reading.figures
        self.seen[bench.branch.name] = reading.picture, figures
        points = bench.history.points
        here = figures.step, figures.photo_name
        if not points or (points[-1].step, points[-1].photo_name) != here:
            bench.history.add(figures)

    def _shown(self) -> Hashable:
        bench = self.sides["A"]
        return bench.photo_name, bench.data.scale

    def _once(self, name: str, key: Hashable, make: Callable[[], Any]) -> Any:
        """What ``make`` gave for this key; the same object, so that it travels once."""
        if name not in self._memo or self._memo[name][0] != key:
            self._memo[name] = key, make()
        return self._memo[name][1]

    def _tiles(self, others: Mapping[str, Seen]) -> list[dict[str, Any]]:
        bench = self.sides["A"]
        numbers = f"{bench.bicubic_psnr:.2f} dB, sharp {bench.bicubic_sharpness:.2f}"
        kept = [tile(sr, name, caption_of(figures)) for name, (sr, figures) in others.items()]
        return [
            *reversed(kept),
            tile(bench.scene.bicubic, "bicubic", numbers),
            input_tile(bench.scene.lr, bench.data.scale),
        ]

    def _ways(self, left: Sequence[Branch]) -> list[dict[str, Any]]:
        bench = self.sides["A"]
        ways: dict[str, Sequence[Figures]] = {
            name: points for name, scale, points in self._former if scale == bench.data.scale
        }
        for branch in left:
            points = branch.history.points
            ways[branch.name] = [p for p in points if p.step >= branch.forked_at]
        found = {
            name: [p for p in points if p.photo_name == bench.photo_name]
            for name, points in ways.items()
        }
        return [{"name": name, "points": path_of(way)} for name, way in found.items() if way]

    def _row(self, bench: LossBench, reading: Reading) -> Row:
        figures, branch = reading.figures, bench.branch
        scores = {"psnr": figures.psnr, **{n: reading.measures()[n] for n in SCORES}}
        return Row(
            key=branch.key,
            name=branch.name,
            card=bench.start_card.name,
            when="",
            seed=branch.seed,
            steps=figures.step,
            scale=bench.data.scale,
            photo=bench.photo_name,
            weights=dict(bench.loss.weights),
            layers=dict(bench.loss.layer_weights),
            learning_rate=bench.present_learning_rate,
            changes=sum(0 < change.after for change in branch.changes),
            scores={n: round(value, 4) for n, value in scores.items() if math.isfinite(value)},
        )


_WHEN = {"when": ""}


def measured_in() -> list[dict[str, Any]]:
    """The measures that are at hand, and what a page says of them."""
    names = [name for name in COLUMNS if name != "lpips" or lpips_backbone()]
    return [
        {
            "key": name,
            "title": COLUMNS[name].title,
            "about": f"{COLUMNS[name].about}; best: {COLUMNS[name].wanted}",
            "truth": None if name == "psnr_y" else OF_THE_TRUTH.get(name, 0),
            "slow": name in ("vgg", "lpips"),
        }
        for name in names
    ]


@torch.no_grad()
def vgg_distance(sr: Tensor, hr: Tensor) -> float:
    """How differently the VGG stand-in sees two pictures: content loss, weights fixed.

    Whatever a training's loss weighs, this stays as it is. But a training
    whose loss looks through the same network makes it small by design, more
    so than any other measure.

    Args:
        sr, hr: ``(N, 3, h, w)``, RGB in [0, 1].

    Returns:
        The mean over the two layers; 0 for equal pictures.
    """
    return _content_loss(str(sr.device))(sr, hr).item()


@cache
def _content_loss(device: str) -> ContentLoss:
    layers = {"relu2_2": 0.5, "relu3_3": 0.5}
    return place(ContentLoss(FeatureExtractor(layers), layers), device)


@torch.no_grad()
def slow_measures(scene: Scene, sr: Tensor) -> dict[str, float]:
    """What two networks see; LPIPS where its weights are at hand."""
    sr = sr.clamp(0, 1)
    lpips = lpips_distance(sr, scene.hr)
    found = {"vgg": vgg_distance(sr, scene.hr)}
    return found if lpips is None else {**found, "lpips": lpips}


def every_measure(scene: Scene, sr: Tensor) -> dict[str, float]:
    """All of ``COLUMNS`` that are at hand, for ``(1, 3, h, w)`` of 32 px or more."""
    return scene.judge(sr, LossBench.looked_at) | slow_measures(scene, sr)


def reweighed(ledger: Mapping[str, Entry], weights: Mapping[str, float]) -> dict[str, Entry]:
    """The same ledger with other weights of the terms.

    Neither raw values nor unweighted gradients depend on them, so a slider's
    move needs no network to be seen.

    Example:
        >>> ledger = {"pixel": Entry(1.0, 0.1, 2.0, 1.0), "tv": Entry(0.0, 0.4, 6.0, 0.0)}
        >>> reweighed(ledger, {"pixel": 1.0, "tv": 1.0})["tv"].share
        0.75
    """
    pulls = {name: weights[name] * entry.pull for name, entry in ledger.items()}
    total = sum(pulls.values())
    return {
        name: replace(entry, weight=weights[name], share=pulls[name] / total if total else 0.0)
        for name, entry in ledger.items()
    }


def preset_in_use(bench: LossBench, presets: dict[str, Preset]) -> str:
    """The preset whose weights are the bench's, or "" if there is none.

    One's own go before a built-in one of the same weights.
    """
    loss = bench.loss
    for name, preset in reversed(presets.items()):
        weights = {term: preset.weights.get(term, 0.0) for term in loss.weights}
        layers = {layer: preset.layers.get(layer, 0.0) for layer in loss.layer_weights}
        if weights == loss.weights and layers == loss.layer_weights:
            return name
    return ""


def heading(bench: LossBench) -> str:
    """Network, scale, size, and what it runs on, in one line."""
    card = bench.start_card
    network = "SrResNet" if isinstance(card.model, ModelSpec) else "UNet"
    size = sum(parameter.numel() for parameter in bench.model.parameters())
    begins = "untrained" if card.start == "untrained" else f"from {card.start}"
    return (
        f"{network} ×{card.scale}, {begins} · {size / 1e6:.2f} M parameters · "
        f"{bench.precision} on {bench.device}"
    )


def sentence(bench: LossBench, figures: Figures) -> str:
    """Where a run stands."""
    step = f"step {figures.step}"
    if bench.replay_left:
        step = f"repeating {step} of {bench.branch.goal}"
    return f"{bench.branch.name}, {step}, {bench.quality(figures)}"


def caption_of(figures: Figures | Forecast) -> str:
    """The numbers that belong to a picture."""
    return f"{figures.psnr:.2f} dB, sharp {figures.sharpness:.2f}"


def path_of(points: Sequence[Figures]) -> Way:
    """PSNR and sharpness, not too many, the last one among them."""
    stride = -(-len(points) // MOST_POINTS)
    seen = [p for i, p in enumerate(reversed(points)) if i % stride == 0][::-1]
    places = [[round(p.psnr, 4), round(p.sharpness, 4)] for p in seen]
    return [place for place in places if all(map(math.isfinite, place))]


def label_of(branch: Branch) -> str:
    """A run's name, and where it was forked."""
    if branch.parent is None:
        return branch.name
    return f"{branch.name} ({branch.parent}, step {branch.forked_at})"


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
