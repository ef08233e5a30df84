"""ResidualDial: what a weight on the residual does to a deep network."""

import html
from collections.abc import Iterator
from math import nan
from typing import Any

from ipywidgets import HTML, Dropdown, FloatSlider, HBox, IntSlider, Layout
from PIL import Image

from srlab.data import Pairs, get_data
from srlab.machine import pick_device
from srlab.require import require_known
from srlab.widgets.dial_reading import DialReading, read_dial
from srlab.widgets.drawing import (
    BLUE,
    GRAY,
    GREEN,
    ORANGE,
    PINK,
    Curve,
    bar_chart,
    beside,
    curve_chart,
)
from srlab.widgets.kit.live import State
from srlab.widgets.live_lab import LiveLab
from srlab.widgets.parts import TEXT, LivePicture
from srlab.widgets.poster import stack, text_lines
from srlab.widgets.race import KINDS, NOT_STARTED, WINDOW, Race, RaceStanding
from srlab.widgets.slider_names import slider_names

MOST_WEIGHT, MOST_DEPTH = 2.0, 64
COLORS = {"plain": BLUE, "fixed": ORANGE, "learned": GREEN, "gates": PINK}
DASHES = {"plain": (), "fixed": (9, 4), "learned": (3, 3), "gates": (9, 3, 3, 3)}
HOW = (
    "A freshly made network, one batch of photographs, no training. Its last convolution "
    "starts at zero and would let no gradient through; for this measurement alone it has "
    "small random values. Theory is the mean of many networks; a narrow one may be off."
)


class ResidualDial(LiveLab):
    """A weight to turn, a depth to choose, and a race of four networks.

    The dial measures an untrained network at once. The race trains four that
    differ in the weight of their blocks alone.

    Args:
        data: endless pairs from ``get_data``; without them they are of
            16 -> 64 px, from the embedded photographs.
        num_features: width of every network.
        seed: of the first weights.
        learning_rate: of every network of the race.

    Example:
        >>> dial = ResidualDial(get_data(2, (12, 48)), num_features=8)
        >>> len(dial.choose(weight=0.1, depth=5).spread)
        5
        >>> dial.run_steps(2)
        >>> dial.standings()["learned"].step
        2
    """

    start_tip = "Train all four in the background"
    reset_tip = "Forget the race; the next has the dial's depth"

    def __init__(
        self,
        data: Pairs | None = None,
        num_features: int = 16,
        seed: int = 0,
        *,
        learning_rate: float = 1e-3,
    ):
        super().__init__()
        self.data = data or get_data(4, (16, 64), device=pick_device())
        self.num_features, self.seed, self.learning_rate = num_features, seed, learning_rate
        self.race: Race | None = None
        self._values: dict[str, Any] = {"kind": "fixed", "weight": 0.1, "depth": 8}
        self._stale = True  # the values were changed since the reading
        self._build()
        self.draw("ready")

    # What notebooks and tests call

    def choose(
        self, *, weight: float | None = None, depth: int | None = None, kind: str | None = None
    ) -> DialReading:
        """Set any of the controls, and measure.

        Args:
            weight: of the fixed kind, 0 to 2; acts on the race as well.
            depth: blocks, 1 to 64.
            kind: ``"plain"`` (weight 1), ``"fixed"``, ``"learned"`` or
                ``"gates"``.

        Returns:
            What is shown.

        Raises:
            ValueError: if a value is not among these.
        """
        _require_choice(weight, depth, kind)
        for name, value in {"weight": weight, "depth": depth, "kind": kind}.items():
            if value is not None:
                getattr(self, name).value = value
        self.live.do(self._read)
        self.live.settle()
        return self.reading

    def run_steps(self, count: int) -> None:
        """Let each network make ``count`` steps here and now."""
        self.live.run_steps(count)

    def standings(self) -> dict[str, RaceStanding]:
        """Where each network of the race stands, as shown."""
        return dict(self._standings)

    # What the live training calls, from one thread at a time

    def steps(self) -> Iterator[int]:
        """Rounds of the race, one for each item asked for."""
        if self.race is None:
            self._start.disabled = True
            self.say("setting up four networks")
            self.race = Race(
                self.data, self.num_features, self._values["depth"],
                value=self._values["weight"], learning_rate=self.learning_rate, seed=self.seed,
            )  # fmt: skip
        return self.race.rounds()

    def change(self, name: str, value: Any) -> None:
        """Take over a control's value."""
        self._values[name], self._stale = value, True
        if name == "weight" and self.race is not None:
            self.race.set_weight(value)

    def start_over(self) -> None:
        """Forget the race; the controls stay."""
        self.race = None

    def draw(self, state: State, error: str = "") -> None:
        """Show the dial, if it was turned, and where the race stands."""
        self._read()
        race = self.race
        self._standings = race.standings() if race else dict.fromkeys(KINDS, NOT_STARTED)
        self._table.value = self._table_html(state)
        self._race_picture.layout.display = "" if race else "none"
        if race:
            self._race_picture.show(self._race_charts(race), f"Race. {self._race_sentence()}")
        self.tell(state, error)

    # Poster

    def spoken(self) -> str:
        return self._race_sentence()

    def summary(self) -> str:
        """One sentence for readers without a kernel."""
        return f"ResidualDial: {self.reading}; race: {self._race_sentence()}"

    def poster(self) -> Image.Image:
        """The dial and the race as they stand."""
        charts = [self._race_charts(self.race)] if self.race else []
        rows = [f"{kind}: {standing}" for kind, standing in self._standings.items()]
        first = [self.reading.title(), *self.reading.lines()]
        pictures = [text_lines(first, width=940), self._dial_charts(), *charts]
        return stack(
            *pictures, text_lines([f"Race: {self._race_sentence()}", *rows], width=940)
        )

    # Parts

    def _build(self) -> None:
        self.weight = FloatSlider(
            value=self._values["weight"], max=MOST_WEIGHT, step=0.05, description="weight",
            tooltip="Factor on each correction of the fixed kind, in the running race too",
        )  # fmt: skip
        self.depth = IntSlider(
            value=self._values["depth"], min=1, max=MOST_DEPTH, description="depth",
            tooltip="Residual blocks; a race keeps the depth it was started with",
        )  # fmt: skip
        self.kind = Dropdown(
            options=KINDS, value=self._values["kind"], description="kind",
            tooltip="How the blocks are weighted: with 1, with the slider's weight, "
            "learned from zero, or by gates",
        )  # fmt: skip
        for name in ("weight", "depth", "kind"):
            self._wire(name, getattr(self, name))
        self._dial_picture, self._race_picture = (
            LivePicture("dial-charts"),
            LivePicture("race-charts"),
        )
        self._dial_status, self._table = HTML(), HTML()
        wrap = Layout(flex_flow="row wrap")
        self.children = [
            HBox([self.weight, self.depth, self.kind], layout=wrap),
            self._dial_status,
            self._dial_picture,
            HTML(f'<div style="{TEXT}"><small>{HOW}</small></div>'),
            HBox([self._start, self._pause, self._reset], layout=wrap),
            self._table,
            self._race_picture,
            self._status,
            *slider_names(),
        ]
        self.add_class("srlab-residual-dial")

    def _wire(self, name: str, control: Any) -> None:
        """Let a control leave a note for the worker; it does nothing itself."""
        control.style.description_width = "50px"
        # All three in one row, with JupyterLab's file browser beside it.
        control.layout.width = "170px" if name == "kind" else "235px"
        control.add_class(f"srlab-{name}")
        control.observe(lambda event: self.live.change(name, event["new"]), names="value")

    def _read(self) -> None:
        """Measure and show what the controls say, unless that is shown already."""
        if not self._stale:
            return
        self.reading = read_dial(
            **self._values, data=self.data, num_features=self.num_features, seed=self.seed
        )
        self._stale = False
        self._dial_status.value = _dial_html(self.reading)
        self._dial_picture.show(self._dial_charts(), f"Spread and gradient. {self.reading}")

    def _dial_charts(self) -> Image.Image:
        reading = self.reading
        color = COLORS[reading.kind]
        dashed = " (dashed: theory)" if reading.theory else ""
        return beside(
            bar_chart(
                f"spread after each block{dashed}", reading.spread,
                color=color, line=reading.theory,
            ),
            bar_chart("gradient norm at each block", reading.gradient, color=color),
        )  # fmt: skip

    def _race_charts(self, race: Race) -> Image.Image:
        curves = [Curve(kind, race.shares(kind), COLORS[kind], DASHES[kind]) for kind in KINDS]
        if race.step:
            curves.append(Curve("bicubic", [(0, 1), (race.step, 1)], GRAY, (2, 4)))
        bars = [
            bar_chart(title, race.racers[kind].weights(), color=COLORS[kind], size=(470, 125))
            for kind, title in (
                ("learned", "learned weight of each block"),
                ("gates", "gates of each block (mean)"),
            )
        ]
        loss = curve_chart(
            f"loss / bicubic's loss, mean of {WINDOW} steps", curves, size=(470, 258)
        )
        return beside(loss, stack(*bars))

    def _race_sentence(self) -> str:
        if self.race is None:
            return f"not started; it will have {self._values['depth']} blocks"
        best = max(self._standings, key=lambda kind: self._standings[kind].psnr)
        return (
            f"{self.race.depth} blocks, step {self.race.step}, best now: {best} with "
            f"{self._standings[best].psnr:.2f} dB, bicubic {self.race.bicubic_psnr:.2f} dB"
        )

    def _table_html(self, state: State) -> str:
        race = self.race
        data: dict[str, Any] = {"step": race.step if race else 0, "state": state}
        data["depth"] = race.depth if race else self._values["depth"]
        data["weight"] = f"{self._values['weight']:g}"
        for kind, standing in self._standings.items():
            data[f"loss-{kind}"] = f"{standing.loss:.6f}"
            data[f"psnr-{kind}"] = f"{standing.psnr:.4f}"
        rows = "".join(self._row_html(kind) for kind in KINDS) if race else ""
        head = "".join(
            f'<th scope="col" style="padding: 0 12px 0 0; text-align: left">{name}</th>'
            for name in ("network", "weight", "steps", "loss", "PSNR, dB", "to bicubic", "")
        )
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
        return (
            f'<div class="srlab-race-numbers" style="{TEXT}" {_attributes(data)}>'
            f"<b>Race: {html.escape(self._race_sentence())}</b><br>"
            f"Same seed, same batches; a race has the dial's depth at its start, Reset takes "
            f"the depth anew.{table if race else ''}</div>"
        )

    def _row_html(self, kind: str) -> str:
        standing, race = self._standings[kind], self.race
        weight = {
            "plain": "1",
            "fixed": f"{self._values['weight']:g}, the slider's",
            "learned": "learned from 0",
            "gates": "gates, 0 to 1",
        }[kind]
        gain = standing.psnr - race.bicubic_psnr if race else nan
        cells = (
            weight, standing.step, f"{standing.loss:.4f}", f"{standing.psnr:.2f}",
            f"{gain:+z.2f}".replace("-", "−"), standing.note,  # z: never -0.00
        )  # fmt: skip
        body = "".join(f'<td style="padding: 0 12px 0 0">{cell}</td>' for cell in cells)
        mark = f'<span aria-hidden="true" style="color: {COLORS[kind]}">■</span>'
        head = (
            f'<th scope="row" style="text-align: left; padding-right: 12px">{mark} {kind}</th>'
        )
        return f"<tr>{head}{body}</tr>"


def _require_choice(weight: float | None, depth: int | None, kind: str | None) -> None:
    """Raise unless each value is None or one that its control has."""
    if weight is not None and not 0 <= weight <= MOST_WEIGHT:
        raise ValueError(f"weight must be between 0 and {MOST_WEIGHT:g}, but got {weight}.")
    if depth is not None and depth not in range(1, MOST_DEPTH + 1):
        raise ValueError(
            f"depth must be a whole number from 1 to {MOST_DEPTH}, but got {depth}."
        )
    if kind is not None:
        require_known([kind], KINDS, "kind")


def _dial_html(reading: DialReading) -> str:
    data = {
        "kind": reading.kind,
        "weight": f"{reading.weight:g}",
        "depth": reading.depth,
        "spread-first": f"{reading.spread[0]:.6g}",
        "spread-last": f"{reading.spread[-1]:.6g}",
        "gradient-first": f"{reading.gradient[0]:.6g}",
        "gradient-last": f"{reading.gradient[-1]:.6g}",
    }
    lines = "<br>".join(html.escape(line) for line in reading.lines())
    return (
        f'<div class="srlab-dial-status" role="status" style="{TEXT}" {_attributes(data)}>'
        f"<b>Before training: {html.escape(reading.title())}</b><br>{lines}</div>"
    )


def _attributes(data: dict[str, Any]) -> str:
    return " ".join(f'data-{name}="{html.escape(str(value))}"' for name, value in data.items())
