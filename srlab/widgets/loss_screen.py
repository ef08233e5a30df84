"""What the Loss Lab shows of its bench: the quick things at once, the others in turn."""

import math
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image
from torch import Tensor

from srlab.losses import Entry
from srlab.widgets.drawing import Point
from srlab.widgets.kit.live import State
from srlab.widgets.ledger_view import ledger_html, reweighed
from srlab.widgets.loss_bench import LossBench
from srlab.widgets.loss_branch import LossFigures
from srlab.widgets.loss_panel import CHARTS, LossPanel
from srlab.widgets.loss_views import psnr_chart, runs_chart, terms_chart
from srlab.widgets.loss_words import numbers_html, sentence
from srlab.widgets.measures_view import Measures, every_measure, measures_html
from srlab.widgets.workbench import Figures, History

PERIODS = {"charts": 1.0, "ledger": 2.0, "measures": 3.0}
"""Seconds between two drawings of what takes longer, while a training runs."""
PATIENCE = 2.0
"""How many periods a part waits at most for a moment without a slider's move."""
MOST_EARLIER = 6
"""Runs of earlier cards that stay on the map."""
MOST_COMPARED = 6
"""Snapshots and runs beside bicubic, now and truth: Compare has nine keys."""


@dataclass(frozen=True)
class ScreenLook:
    """What a run showed when it was looked at last."""

    photo_name: str
    picture: Tensor
    figures: Figures


class Screen:
    """Looks at a bench and shows it on a panel.

    All of it is called by one thread at a time.

    Args:
        panel: where it is shown.
        bench: what is shown.
    """

    def __init__(self, panel: LossPanel, bench: LossBench):
        self.panel = panel
        self._earlier: deque[tuple[str, int, History]] = deque(maxlen=MOST_EARLIER)
        self._drawn = dict.fromkeys(PERIODS, -math.inf)  # when, on the monotonic clock
        self.watch(bench)

    def watch(self, bench: LossBench) -> None:
        """Show this bench from now on; the runs of the one before stay on the map."""
        self.bench = bench
        self.looks: dict[str, ScreenLook] = {}
        self.ledger: dict[str, Entry] = {}
        self.measures: dict[str, Measures] = {}
        self._still = self._measured_of = ""  # the photograph that is shown, measured
        self._measured = ""  # the moment of the measures

    def keep_runs(self) -> None:
        """Before another bench comes: note the ways of this one's runs for the map."""
        card = self.bench.start_card
        for branch in self.bench.branches.values():
            self._earlier.append((f"{card.name}, {branch.name}", card.scale, branch.history))

    def look(self) -> None:
        """See where the training stands; takes milliseconds."""
        bench = self.bench
        self.sr, self.figures = bench.look()
        self.looks[bench.branch.name] = ScreenLook(bench.photo_name, self.sr, self.figures)
        points = bench.history.points
        here = self.figures.step, self.figures.photo_name
        if not points or (points[-1].step, points[-1].photo_name) != here:
            bench.history.add(self.figures)

    def show(self, state: State, *, changed: bool) -> None:
        """Show numbers and picture at once, and of the rest what is due."""
        self.show_weights(state)
        self._show_tiles()
        for part in self._due(state, changed):
            getattr(self, f"_draw_{part}")()
            self._drawn[part] = time.monotonic()

    def show_weights(self, state: State) -> None:
        """Show numbers and ledger with the weights of now; no network is asked."""
        self.panel.numbers.value = numbers_html(self.bench, self.figures, state)
        if self.ledger:
            self._show_ledger(reweighed(self.ledger, self.bench.loss.weights))

    def pictures(self) -> dict[str, Tensor]:
        """What can be compared, by name; all of the photograph that is shown."""
        kept = {name: look.picture for name, look in self._others().items()}
        bench = self.bench
        return {"bicubic": bench.scene.bicubic, **kept, "now": self.sr, "truth": bench.scene.hr}

    def beside(self) -> dict[str, Tensor]:
        """What stands between input and truth."""
        name = self._name_beside()
        between = {name: self._others()[name].picture} if name else {}
        return {"bicubic": self.bench.scene.bicubic, "now": self.sr, **between}

    def captions(self) -> dict[str, str]:
        """The numbers that belong to these pictures."""
        others = {name: _caption(look.figures) for name, look in self._others().items()}
        return {"bicubic": self._bicubic_caption(), **others, "now": _caption(self.figures)}

    def _others(self) -> dict[str, ScreenLook]:
        """The latest snapshots and other runs of this photograph, not too many."""
        bench = self.bench
        looks = {
            s.name: ScreenLook(s.photo_name, s.picture, s.figures) for s in bench.snapshots
        }
        looks |= {n: look for n, look in self.looks.items() if n != bench.branch.name}
        here = [(n, look) for n, look in looks.items() if look.photo_name == bench.photo_name]
        return dict(here[-MOST_COMPARED:])

    def _due(self, state: State, changed: bool) -> list[str]:
        """At rest everything; while it runs one part, and none for a slider's move."""
        if state != "running":
            return list(PERIODS)
        now = time.monotonic()
        late = {part: (now - self._drawn[part]) / period for part, period in PERIODS.items()}
        latest = max(late, key=late.__getitem__)
        return [latest] if late[latest] > (PATIENCE if changed else 1) else []

    # The quick things

    def _show_tiles(self) -> None:
        bench, tiles = self.bench, self.panel.tiles
        still = f"{bench.photo_name} x{bench.data.scale}"
        if still != self._still:
            size = f"{bench.scene.lr.shape[-1]} × {bench.scene.lr.shape[-2]} px"
            tiles["input"].show(bench.scene.lr, "input", size)
            tiles["bicubic"].show(bench.scene.bicubic, "bicubic", self._bicubic_caption())
            tiles["truth"].show(
                bench.scene.hr,
                "truth",
                f"{bench.scene.hr.shape[-1]} × {bench.scene.hr.shape[-2]} px",
            )
            self._still = still
        tiles["now"].show(self.sr, "now", _caption(self.figures))
        self._show_beside()

    def _show_beside(self) -> None:
        tile, name = self.panel.tiles["beside"], self._name_beside()
        tile.layout.display = "" if name else "none"
        if name:
            look = self._others()[name]
            tile.show(look.picture, name, _caption(look.figures))

    def _name_beside(self) -> str:
        """The last snapshot, or else the run that was left last; "" without any."""
        others = self._others()
        kept = [s.name for s in self.bench.snapshots if s.name in others]
        return kept[-1] if kept else next(reversed(others), "")

    def _bicubic_caption(self) -> str:
        bench = self.bench
        return f"{bench.bicubic_psnr:.2f} dB, sharp {bench.bicubic_sharpness:.2f}"

    def _show_ledger(self, ledger: dict[str, Entry]) -> None:
        self.ledger = ledger
        self.panel.ledger.value = ledger_html(ledger)

    # What takes longer

    def _draw_ledger(self) -> None:
        self._show_ledger(self.bench.ledger())

    def _draw_measures(self) -> None:
        """Measure, unless this very moment was measured already."""
        bench = self.bench
        moment = f"{self._still} {bench.branch.name} {self.figures.step}"
        if moment == self._measured:
            return
        if self._still != self._measured_of:
            self.measures["bicubic"] = every_measure(bench.scene, bench.scene.bicubic)
            self._measured_of = self._still
        self.measures["now"] = bench.measures()
        self._measured = moment
        protocol = f"PSNR: {bench.scene.protocol}; all of the part that is shown."
        self.panel.measures.value = measures_html(self.measures, protocol)

    def _draw_charts(self) -> None:
        words = sentence(self.bench, self.figures)
        for (name, chart), drawn in zip(
            self.panel.charts.items(), self.drawn_charts(), strict=True
        ):
            chart.show(drawn, f"{CHARTS[name]}. {words}")

    def drawn_charts(self) -> list[Image.Image]:
        """The weighted terms, PSNR, and the map."""
        everywhere = [p for p in self.bench.history.points if isinstance(p, LossFigures)]
        points = [p for p in everywhere if p.photo_name == self.bench.photo_name]
        return [
            terms_chart(everywhere),
            psnr_chart(points, self.bench.bicubic_psnr),
            runs_chart(_path([*points, self.figures]), self._other_paths(), self._marks()),
        ]

    def _other_paths(self) -> dict[str, list[Point]]:
        """The ways of all other runs on this photograph; a fork's begins at the fork."""
        bench = self.bench
        histories = {
            name: [p for p in branch.history.points if p.step >= branch.forked_at]
            for name, branch in bench.branches.items()
            if name != bench.branch.name
        }
        earlier = {n: h.points for n, scale, h in self._earlier if scale == bench.data.scale}
        found = {
            name: _path([p for p in points if p.photo_name == bench.photo_name])
            for name, points in (*earlier.items(), *histories.items())
        }
        return {name: path for name, path in found.items() if path}

    def _marks(self) -> dict[str, Point]:
        bench = self.bench
        marks = {"bicubic": (bench.bicubic_psnr, bench.bicubic_sharpness)}
        kept = [s for s in bench.snapshots if s.photo_name == bench.photo_name]
        return marks | {s.name: (s.figures.psnr, s.figures.sharpness) for s in kept[-3:]}


def _path(points: Sequence[Figures]) -> list[Point]:
    return [(p.psnr, p.sharpness) for p in points]


def _caption(figures: Figures) -> str:
    return f"{figures.psnr:.2f} dB, sharp {figures.sharpness:.2f}"
