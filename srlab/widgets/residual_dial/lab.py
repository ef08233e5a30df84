"""ResidualDial: what a weight on the residual does to a deep network."""

from collections.abc import Iterator
from itertools import zip_longest
from math import nan
from typing import Any

from traitlets import Dict, Enum, Float, Int, List, Unicode

from srlab.data import Pairs, get_data
from srlab.machine import pick_device
from srlab.require import require_known
from srlab.widgets.kit.lab import finite, finite_each
from srlab.widgets.kit.live_lab import LiveLab
from srlab.widgets.residual_dial.race import (
    INITS,
    KINDS,
    NOT_STARTED,
    WINDOW,
    Race,
    RaceStanding,
)
from srlab.widgets.residual_dial.reading import Dial, DialReading

MOST_WEIGHT, MOST_DEPTH = 2.0, 64


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

    view = Unicode("dial").tag(sync=True)
    kind = Enum(KINDS, "fixed").tag(sync=True, setting=True)
    weight = Float(0.1, min=0, max=MOST_WEIGHT).tag(sync=True, setting=True)
    depth = Int(8, min=1, max=MOST_DEPTH).tag(sync=True, setting=True)
    init = Enum(list(INITS), "pytorch").tag(sync=True, setting=True)
    choices = Dict(help="setting -> [[value, text], ...]").tag(sync=True)
    numbers = Dict(help="first, last and their ratio, of spread and gradient").tag(sync=True)
    blocks = List(Dict(), help="spread, theory and gradient of each block").tag(sync=True)
    race_now = Dict(help="where the race stands; empty without one").tag(sync=True)

    def __init__(
        self,
        data: Pairs | None = None,
        num_features: int = 16,
        seed: int = 0,
        *,
        learning_rate: float = 1e-3,
    ):
        choices = {"kind": [(kind, kind) for kind in KINDS], "init": list(INITS.items())}
        super().__init__(choices=choices)
        self.data = data or get_data(4, (16, 64), device=pick_device())
        self.num_features, self.seed, self.learning_rate = num_features, seed, learning_rate
        self.dial = Dial(self.data, num_features, seed)
        self.race: Race | None = None
        self._values: dict[str, Any] = {
            "kind": self.kind, "weight": self.weight, "depth": self.depth, "init": self.init
        }  # fmt: skip
        self._stale = True  # the values were changed since the reading
        self._told = 0  # rounds of the race whose points were added
        self.draw("ready")

    # What notebooks and tests call

    def choose(
        self,
        *,
        weight: float | None = None,
        depth: int | None = None,
        kind: str | None = None,
        init: str | None = None,
    ) -> DialReading:
        """Set any of the controls, and measure.

        Args:
            weight: of the fixed kind, 0 to 2; acts on the race as well.
            depth: blocks, 1 to 64.
            kind: ``"plain"`` (weight 1), ``"fixed"``, ``"learned"`` or
                ``"gates"``.
            init: how the blocks' convolutions start, ``"pytorch"`` or
                ``"he"``.

        Returns:
            What is shown.

        Raises:
            ValueError: if a value is not among these.
        """
        _require_choice(weight, depth, kind, init)
        given = {"weight": weight, "depth": depth, "kind": kind, "init": init}
        for name, value in given.items():
            if value is not None:
                self.set_trait(name, value)
        self.live.do(self._read)
        self.live.settle()
        return self.reading

    def standings(self) -> dict[str, RaceStanding]:
        """Where each network of the race stands, as shown."""
        return dict(self._standings)

    def summary(self) -> str:
        """One sentence for readers without a kernel."""
        return f"ResidualDial: {self.reading}; race: {self._race_sentence()}"

    # What the live training calls, from one thread at a time

    def steps(self) -> Iterator[int]:
        """Rounds of the race, one for each item asked for."""
        if self.race is None:
            self.tell(topic="setting up", said="setting up four networks")
            self.race = Race(
                self.data, self.num_features, self._values["depth"],
                value=self._values["weight"], init=self._values["init"],
                learning_rate=self.learning_rate, seed=self.seed,
            )  # fmt: skip
        return self.race.rounds(between=self.live.take_changes)

    def change(self, name: str, value: Any) -> None:
        """Take over a control's value."""
        self._values[name], self._stale = value, True
        if name == "weight" and self.race is not None:
            self.race.set_weight(value)
        self.tell(**self._dial_now())  # it need not wait for the end of a round

    def start_over(self) -> None:
        """Forget the race; the controls stay."""
        self.race, self._told = None, 0
        self.begin("race")

    def moment(self) -> dict[str, Any]:
        """The dial, if it was turned, and where the race stands."""
        race, dial = self.race, self._dial_now()
        self._standings = race.standings() if race else dict.fromkeys(KINDS, NOT_STARTED)
        return {
            "step": race.step if race else 0,
            "said": f"{self.reading}; race: {self._race_sentence()}",
            **dial,
            "race_now": self._race_now(race) if race else {},
        }

    # Parts

    def _read(self) -> None:
        """Measure what the controls say, unless that is shown already."""
        if self._stale:
            self.reading = self.dial.read(**self._values)
            self._stale = False

    def _dial_now(self) -> dict[str, Any]:
        self._read()
        return {
            "topic": self.reading.title(),
            "numbers": _numbers(self.reading),
            "blocks": _blocks(self.reading),
        }

    def _race_now(self, race: Race) -> dict[str, Any]:
        for step in range(self._told + 1, race.step + 1):
            self.add("race", step, *(race.share(kind, step) for kind in KINDS))
        self._told = race.step
        return {
            "depth": race.depth,
            "init": INITS[race.init],
            "window": WINDOW,
            "said": self._race_sentence(),
            "bicubic": race.bicubic_psnr,
            "rows": [_row(kind, s, race) for kind, s in self._standings.items()],
            "learned": _finite(race.racers["learned"].weights()),
            "gates": _finite(race.racers["gates"].weights()),
        }

    def _race_sentence(self) -> str:
        if self.race is None:
            return f"not started; it will have {self._values['depth']} blocks"
        best = max(self._standings, key=lambda kind: self._standings[kind].psnr)
        return (
            f"{self.race.depth} blocks, step {self.race.step}, best now: {best} with "
            f"{self._standings[best].psnr:.2f} dB, bicubic {self.race.bicubic_psnr:.2f} dB"
        )


def _numbers(reading: DialReading) -> dict[str, float | str | None]:
    figures = {
        "weight": reading.weight,
        "spread_first": reading.spread[0],
        "spread_last": reading.spread[-1],
        "growth": reading.growth,
        "theory": reading.expected_growth,
        "gradient_first": reading.gradient[0],
        "gradient_last": reading.gradient[-1],
        "gradient_ratio": reading.gradient_ratio,
    }
    return {"title": reading.title(), **finite_each(figures)}


def _blocks(reading: DialReading) -> list[dict[str, float | None]]:
    columns = zip_longest(reading.spread, reading.theory, reading.gradient, fillvalue=nan)
    return [
        {"block": number}
        | finite_each({"spread": spread, "theory": theory, "gradient": gradient})
        for number, (spread, theory, gradient) in enumerate(columns, start=1)
    ]


def _row(kind: str, standing: RaceStanding, race: Race) -> dict[str, Any]:
    weight = {
        "plain": "1",
        "fixed": f"{race.value:g}",
        "learned": "learned from 0",
        "gates": "gates, 0 to 1",
    }[kind]
    return {
        "kind": kind,
        "weight": weight,
        "step": standing.step,
        "loss": finite(standing.loss),
        "psnr": finite(standing.psnr),
        "gain": finite(standing.psnr - race.bicubic_psnr),
        "note": standing.note,
    }


def _finite(numbers: list[float]) -> list[float | None]:
    return [finite(number) for number in numbers]


def _require_choice(
    weight: float | None, depth: int | None, kind: str | None, init: str | None
) -> None:
    """Raise unless each value is None or one that its control has."""
    if weight is not None and not 0 <= weight <= MOST_WEIGHT:
        raise ValueError(f"weight must be between 0 and {MOST_WEIGHT:g}, but got {weight}.")
    if depth is not None and depth not in range(1, MOST_DEPTH + 1):
        raise ValueError(
            f"depth must be a whole number from 1 to {MOST_DEPTH}, but got {depth}."
        )
    if kind is not None:
        require_known([kind], KINDS, "kind")
    if init is not None:
        require_known([init], INITS, "init")
