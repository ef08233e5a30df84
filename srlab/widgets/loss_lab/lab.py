"""LossLab: steer the expanded loss while a network trains, and see what each term does."""

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor
from traitlets import Dict, Enum, Float, Int, List, Unicode

from srlab.files import replacing
from srlab.instant import LARGEST, PARENT, SCALE
from srlab.losses import EXPANDED_TERMS, Entry
from srlab.presets import LAYERS, Preset, read_presets, save_preset
from srlab.require import require_known
from srlab.runcard import MAX_BYTES, RunCard, load_card, read_card, save_card
from srlab.runs.program import to_python
from srlab.widgets.kit.live import State
from srlab.widgets.kit.live_lab import LiveLab, between_steps
from srlab.widgets.kit.pictures import tile
from srlab.widgets.loss_lab.bench import LossBench, Sides, lab_card
from srlab.widgets.loss_lab.files import (
    note_rows,
    own_path,
    read_rows,
    read_shares,
    write_table,
)
from srlab.widgets.loss_lab.instant import RATE, STEPS, Forecast, Foreteller
from srlab.widgets.loss_lab.reading import (
    Reader,
    caption_of,
    heading,
    label_of,
    measured_in,
    sentence,
)
from srlab.widgets.workbench import OFF, RATES, Figures, require_reach

DIALS = (*EXPANDED_TERMS, *LAYERS, "learning_rate")
"""What sliders set, of each side: the trait ``a_content`` is A's weight of content."""
LARGEST_WEIGHT, LARGEST_TERM_WEIGHT = 100.0, 1e4
"""Gram matrices are small numbers, so the style term may need a large weight."""
MOST_SNAPSHOTS = 12
"""The oldest goes when there are more: each keeps a network."""
MOST_DRAWING = 0.2
"""The share of a running training's time that looking and measuring may take ..."""
LONGEST_WAIT = 2.0
"""... but a page waits no longer than this for the next moment, in seconds."""
SECONDS_BETWEEN_NOTES = 20.0
"""While it runs; a kernel that is restarted loses no more of its runs."""
CURVES = ("A", "B")


class LossLab(LiveLab):
    """A training with the expanded loss, and everything to steer it by.

    Sliders for the four terms, the layers and the learning rate act on the
    running training. The ledger says how hard each term pulls; runs are
    forked, gone back to, compared, saved as run cards and repeated. ``split``
    puts a fork beside the network: both get the same batches, so that what
    differs between them comes from the weights that differ.

    Args:
        card: to begin with, and to repeat as far as it goes; without one it
            is ``lab_card()``: the shipped pixel network at x4, with this
            course's weights.

    Raises:
        ValueError: if the card cannot be steered, with the reason.

    Example:
        >>> lab = LossLab()
        >>> lab.set("content", 0.05)
        >>> lab.run_steps(2)
        >>> lab.figures.step
        2
    """

    seconds_between_frames = 0.33

    view = Unicode("loss").tag(sync=True)
    heading = Unicode(help="what is trained").tag(sync=True)
    photo = Unicode(help="which photograph is shown").tag(sync=True, setting=True)
    photos = List(Unicode()).tag(sync=True)
    seed = Int(0, min=0, max=2**31 - 1).tag(sync=True, setting=True)
    stop_at = Int(0, min=0, help="rest after so many steps; 0: never").tag(
        sync=True, setting=True
    )
    sides = List(Dict(), help="the numbers of A and, if it is there, B").tag(sync=True)
    message = Dict(help="{text, alarm}: what was done last").tag(sync=True)
    presets = List(List(Unicode()), help="[name, source]").tag(sync=True)
    branches = List(List(Unicode()), help="[name, text] of each run").tag(sync=True)
    columns = List(Dict(), help="the measures").tag(sync=True)
    bicubic = Dict(help="its measures").tag(sync=True)
    a_picture = Dict().tag(sync=True)
    b_picture = Dict().tag(sync=True)
    truth = Dict().tag(sync=True)
    beside = List(Dict(), help="pictures that can stand beside").tag(sync=True)
    paths = List(Dict(), help="the other runs' ways on the map").tag(sync=True)
    marks = List(Dict(), help="places on the map").tag(sync=True)
    runs = List(Dict(), help="the table of all runs, the oldest first").tag(sync=True)
    file_name = Unicode().tag(sync=True)

    mode = Enum(["train", "instant"], "train").tag(sync=True, setting=True)
    mix_content = Float(0.0, min=0, max=LARGEST["content"]).tag(sync=True, setting=True)
    mix_style = Float(0.0, min=0, max=LARGEST["style"]).tag(sync=True, setting=True)
    mix_tv = Float(0.0, min=0, max=LARGEST["tv"]).tag(sync=True, setting=True)
    largest = Dict(dict(LARGEST), help="of the mix beside a pixel weight of 1").tag(sync=True)
    forecast = Dict(help="psnr, sharpness, shares, trail, marks, said").tag(sync=True)
    mix_picture = Dict().tag(sync=True)
    mix_start = Dict(help="of the network that every mix begins at").tag(sync=True)
    mix_truth = Dict().tag(sync=True)

    def __init__(self, card: RunCard | None = None):
        dial = partial(Float, 0.0, min=0)
        self.add_traits(
            **{f"{s}_{n}": dial().tag(sync=True, setting=True) for s in "ab" for n in DIALS}
        )
        super().__init__()
        self.side_by_side = Sides(LossBench(card or lab_card()))
        self.reader = Reader(self.side_by_side)
        self.foreteller: Foreteller | None = None  # made when instant mode is entered
        self.expected: Forecast | None = None  # what a training is to confirm
        self.own_presets = read_presets()
        self._told: dict[str, float] = {}  # dial -> what the page was told last
        self._drawn = dict.fromkeys(CURVES, ("", ""))  # run and photograph of a curve
        self._next = self._noted = 0.0  # when to draw, when rows were noted; monotonic
        self._resting = True
        for row in read_rows():
            self.reader.rows[row.key] = row
        acts = (
            LossLab.fork, LossLab.split, LossLab.join, LossLab.snapshot, LossLab.go_to,
            LossLab.balance, LossLab.preset, LossLab.save_preset, LossLab.save_card,
            LossLab.export_code, LossLab.save_table, LossLab.train_it,
        )  # fmt: skip
        self.presses |= {act.__name__: self.soon(act) for act in acts}
        self.presses |= {"start": self.start, "load_card": self._upload}
        self.tell(columns=measured_in(), file_name=self.bench.start_card.name)
        self.draw("ready")

    @property
    def bench(self) -> LossBench:
        """A's: what is trained and steered."""
        return self.side_by_side["A"]

    # What notebooks and tests call

    def set(self, name: str, value: float, *, side: str = "A") -> None:
        """Move a slider: a term's, a layer's or ``"learning_rate"``; a weight of 0 is off.

        Raises:
            ValueError: if there is no such slider, or for a value beyond it.
        """
        require_known([name], DIALS, "slider")
        _ = self.side_by_side[side]
        if name == "learning_rate":
            require_reach("learning rate", value, RATES, off=False)
        else:
            most = LARGEST_TERM_WEIGHT if name in EXPANDED_TERMS else LARGEST_WEIGHT
            require_reach(name, value, (OFF, most), off=True)
        self.set_trait(f"{side.lower()}_{name}", value)
        self.live.settle()

    @between_steps
    def fork(self) -> str:
        """Keep the present run as it is, and go on from it as a new one.

        Returns:
            The new run's name.
        """
        before, step = self.bench.branch.name, self.bench.done
        self._keep_runs()
        self.side_by_side.require_one("train side by side")
        name = self.bench.fork().name
        self._say(f"{before} is kept at step {step}; {name} goes on from there.")
        return name

    @between_steps
    def split(self) -> str:
        """Put a fork of the network beside it, as B; its run's name.

        Raises:
            ValueError: if there are two already.
        """
        self._keep_runs()
        name = self.side_by_side.split()
        self._say(f"B is {name}, a fork of A; both get the same batches. Change a weight.")
        return name

    @between_steps
    def join(self, keep: str = "A") -> None:
        """Go on with one of the two; the other's run is kept.

        Raises:
            ValueError: if there is one alone.
        """
        if not self.side_by_side.two:
            raise ValueError("There is one network alone; split puts another beside it.")
        self._keep_runs()
        left = self.side_by_side.join(keep)
        self._say(f"{self.bench.branch.name} goes on alone; {left} is kept.")

    @between_steps
    def go_to(self, name: str) -> None:
        """Go on with a run where it was left.

        Raises:
            ValueError: if there is no such run, or two train side by side.
        """
        self._keep_runs()
        self.side_by_side.require_one("train side by side")
        branch = self.bench.go_to(name)
        self._say(f"{name} goes on from step {branch.step}.")

    @between_steps
    def snapshot(self, *, side: str = "A") -> str:
        """Keep the present network for comparison.

        Returns:
            The snapshot's name.
        """
        bench = self.side_by_side[side]
        name = bench.keep().name
        del bench.snapshots[:-MOST_SNAPSHOTS]
        self._say(f"Snapshot kept: {name}, {bench.photo_name}.")
        return name

    @between_steps
    def balance(self, shares: str, *, side: str = "A") -> dict[str, float]:
        """Set the weights so that the terms have these shares of the gradient.

        Args:
            shares: of pixel, content, style and tv, such as ``"50/40/5/5"``.
            side: whose weights.

        Returns:
            name -> weight.

        Raises:
            ValueError: if they are no such numbers, or cannot be had.
        """
        weights = self.side_by_side[side].balance(read_shares(shares))
        shown = ", ".join(f"{name} {weight:.3g}" for name, weight in weights.items())
        self._say(f"Balanced to {shares}: {shown}.")
        return weights

    @between_steps
    def preset(self, name: str, *, side: str = "A") -> None:
        """Set all weights and layers to a preset's.

        Raises:
            ValueError: if there is no such preset.
        """
        require_known([name], self.own_presets, "preset")
        self.side_by_side[side].apply_preset(self.own_presets[name])
        self._say(f"The weights are those of {name}.")

    @between_steps
    def save_preset(self, name: str, *, side: str = "A") -> Path:
        """Keep the present weights and layers as a preset of one's own.

        Raises:
            OSError, ValueError: if they cannot be written under this name.
        """
        bench = self.side_by_side[side]
        source = f"Your own, kept at {bench.moment(bench.done)}."
        kept = Preset(name, source, dict(bench.loss.weights), dict(bench.loss.layer_weights))
        path = save_preset(kept)
        self.own_presets = read_presets()
        self._say(f"Preset {name.strip()} written to {path}.")
        return path

    @between_steps
    def save_card(self, name: str, *, side: str = "A") -> Path:
        """Score the present run, and write its card to ``my-runs/<name>.json``.

        Raises:
            OSError, ValueError: if it cannot be written under this name.
        """
        path = own_path(name, ".json")
        self._say("Scoring the network on the validation photographs …")
        save_card(self.side_by_side[side].finished_card(name), path)
        self._say(f"Run card written to {path}.")
        return path

    @between_steps
    def load_card(self, source: str | os.PathLike[str] | bytes, name: str = "the file") -> None:
        """Begin with a card from a file; ``Start`` repeats its run.

        Args:
            source: the file, or its bytes.
            name: what errors call the bytes.

        Raises:
            OSError, ValueError: if it is no card that can be steered.
        """
        self.live.pause()
        card = read_card(source, name) if isinstance(source, bytes) else load_card(source)
        bench = LossBench(card)  # raises before anything is changed
        bench.show(self.bench.photo_name)
        if bench.data.scale == self.bench.data.scale:
            before = self.bench.start_card.name
            carried = [replace(s, name=f"{before}: {s.name}") for s in self.bench.snapshots]
            bench.snapshots = carried
        self._keep_runs()
        self.reader.keep_ways()
        self.side_by_side = Sides(bench)
        self.reader.watch(self.side_by_side)
        self.tell(file_name=card.name)
        self._say(f"{card.name} is loaded. {_what_start_does(bench)}")

    @between_steps
    def export_code(self, name: str, *, side: str = "A") -> Path:
        """Write the present run as a program to ``my-runs/<name>.py``.

        Raises:
            OSError, ValueError: if it cannot be written under this name.
        """
        path = own_path(name, ".py")
        with replacing(path) as part:
            part.write_text(to_python(self.side_by_side[side].card(name)), encoding="utf-8")
        self._say(f"Program written to {path}.")
        return path

    @between_steps
    def save_table(self, name: str = "loss-lab-runs") -> Path:
        """Write all runs with weights, seeds and scores to ``my-runs/<name>.csv``.

        Raises:
            OSError, ValueError: if it cannot be written under this name.
        """
        path = own_path(name, ".csv")
        self._keep_runs()
        write_table(self.reader.rows.values(), path)
        self._say(f"Table written to {path}.")
        return path

    def start(self) -> None:
        """Train in the background, in Train mode."""
        self.mode = "train"
        super().start()

    def run_steps(self, count: int) -> None:
        """Train ``count`` steps here and now, in Train mode."""
        self.mode = "train"
        super().run_steps(count)

    @between_steps
    def train_it(self) -> None:
        """Go from instant mode to Train mode, and set the weights of the mix there.

        Raises:
            ValueError: if nothing is foretold, or no further run can be kept.
        """
        forecast, bench = self.foreteller and self.foreteller.now, self.bench
        if not forecast:
            raise ValueError("Nothing is foretold yet; go to instant mode first.")
        if bench.done:  # the forecast is of a training from the start
            self._start_over()
        bench.apply_preset(forecast.preset())
        bench.set_learning_rate(RATE)
        self.expected = forecast
        self.tell(mode="train", stop_at=STEPS)
        card = bench.start_card
        like = card.start == PARENT and card.scale == SCALE
        other = f" But this run starts from {card.start}, the forecast from {PARENT}."
        but = "" if like else other
        self._say(
            f"These are the weights of the forecast: {caption_of(forecast)}. "
            f"Start trains {STEPS} steps; compare then.{'' if like else but}"
        )

    def pictures(self) -> dict[str, Tensor]:
        """What is shown, snapshots and other runs, by name: made for ``Compare``."""
        scene, readings = self.bench.scene, self.reader.readings
        kept = {name: picture for name, (picture, _) in self.reader.others().items()}
        now = {"now": readings["A"].picture}
        if self.side_by_side.two:
            now = {side: reading.picture for side, reading in readings.items()}
        return {"bicubic": scene.bicubic, **kept, **now, "truth": scene.hr}

    @property
    def figures(self) -> Figures:
        """Where the training stands, as last shown."""
        return self.reader.readings["A"].figures

    @property
    def ledger(self) -> dict[str, Entry]:
        """Each term's weight, value and share of the gradient, as last shown."""
        return self.reader.readings["A"].ledger

    # What the live training calls, from one thread at a time

    def changed(self, name: str, value: Any) -> None:
        """Leave a note; another seed starts over, and rests so that step 0 can be seen.

        In instant mode nothing trains.
        """
        if name == "seed" or (name == "mode" and value == "instant"):
            self.live.pause()
        super().changed(name, value)

    def steps(self) -> Iterator[None]:
        """Training steps, one for each item asked for, of whatever is on the bench."""
        while True:
            bench, left = self.bench, self.bench.replay_left
            self.side_by_side.step()
            if left and not bench.replay_left:
                self._rest(
                    f"All {bench.branch.goal} steps of the card are repeated. "
                    f"Start goes on; so does a fork."
                )
            if bench.done == self.stop_at:
                self._rest(f"Stopped at step {bench.done}, as asked.")
            yield

    def change(self, name: str, value: Any) -> None:
        """Take over a setting's value; a weight is shown before the next step."""
        if name == "photo":
            self._next = 0.0
            self.attempt(lambda: self._show(value))
            self._foretell()
        elif name == "seed":
            self.attempt(lambda: self._start_over(value))
        elif name == "mode" or name.startswith("mix_"):
            self._foretell()
        elif name != "stop_at":
            self.attempt(lambda: self._dial(name, value))
            self.reader.reweigh()
            self.tell(**self._dials(), sides=self._sides())

    def start_over(self) -> None:
        """Keep the present runs, and begin others at the start with the weights of now."""
        self.attempt(self._start_over)

    def draw(self, state: State, error: str = "") -> None:
        """Show this moment, unless the last one is too young while a training runs."""
        if state == "running" == self.state and time.monotonic() < self._next:
            return
        began = time.monotonic()
        if state == "ready" and self.bench.done:
            state = "paused"  # nothing was started over, or a run was gone back to
        self._resting = state != "running"
        super().draw(state, error)
        took = time.monotonic() - began
        wait = max(self.live.between, took / MOST_DRAWING)
        self._next = began + min(wait, LONGEST_WAIT)

    def moment(self) -> dict[str, Any]:
        """All that this moment shows."""
        self.reader.look(at_rest=self._resting)
        self._note_runs()
        self._extend_curves()
        reader, benches = self.reader, self.side_by_side.benches
        said = "; ".join(
            sentence(bench, reader.readings[side].figures) for side, bench in benches.items()
        )
        values = {
            "step": self.figures.step,
            "said": said,
            "topic": " and ".join(bench.branch.name for bench in benches.values()),
            "heading": heading(self.bench),
            "photo": self.bench.photo_name,
            "photos": list(self.bench.photos),
            "seed": self.bench.start_card.seed,
            "sides": self._sides(),
            "presets": [[name, preset.source] for name, preset in self.own_presets.items()],
            "branches": [[b.name, label_of(b)] for b in self.bench.branches.values()],
            "bicubic": reader.bicubic(),
            "truth": reader.truth(),
            "beside": reader.beside(),
            "paths": reader.paths(),
            "marks": [*reader.marks(), *self._mark_of_forecast()],
            "a_picture": reader.picture("A"),
            "b_picture": reader.picture("B") if self.side_by_side.two else {},
            **self._dials(),
        }
        if self.mode == "instant" and self.forecast:
            values |= {"topic": "instant", "said": self.forecast["said"]}
        if self._resting:  # a hundred rows; a running one the page knows from its side
            values["runs"] = [row.model_dump() for row in reader.rows.values()]
        return values

    # What the buttons do, between two steps

    def _upload(self, file: str, text: str | None) -> None:
        """A file was chosen; one that is far too large is not sent at all."""
        data = (text if text is not None else " " * (MAX_BYTES + 1)).encode()
        self.soon(LossLab.load_card)(source=data, name=file)

    def attempt(self, action: Callable[[], object]) -> None:
        """Do it; what a person got wrong is said, and stops no training."""
        try:
            action()
        except (ValueError, TypeError, OSError) as error:
            self._say(f"Nothing was changed: {error}", alarm=True)

    def _start_over(self, seed: int | None = None) -> None:
        before = [bench.branch for bench in self.side_by_side.benches.values()]
        self._keep_runs()
        self.side_by_side.start_over(seed)
        kept = "".join(f"{b.name} is kept at step {b.step}; " for b in before if b.state)
        names = [bench.branch.name for bench in self.side_by_side.benches.values()]
        begin = "begins" if len(names) == 1 else "begin"
        self._say(f"{kept}{' and '.join(names)} {begin} with the weights of now.")

    def _show(self, photo: str) -> None:
        require_known([photo], self.bench.photos, "photograph")
        self.side_by_side.show(photo)

    def _dial(self, name: str, value: float) -> None:
        """Let a slider's value count in its bench."""
        side, _, dial = name.partition("_")
        bench = self.side_by_side[side.upper()]
        if dial == "learning_rate":
            bench.set_learning_rate(value)
        elif dial in EXPANDED_TERMS:
            bench.set_weight(dial, value)
        else:
            bench.set_layer(dial, value)
        self._told[name] = value  # it stands there already

    # Instant mode

    def _foretell(self) -> None:
        """In instant mode, show what the mix would give; a refused one is taken back."""
        if self.mode != "instant":
            return
        mix = {"content": self.mix_content, "style": self.mix_style, "tv": self.mix_tv}
        try:
            self.tell(**self._foretold(mix))
        except (ValueError, OSError) as error:
            self._say(f"Nothing was changed: {error}", alarm=True)
            now = self.foreteller and self.foreteller.now
            last = now.weights if now else {}
            self.tell(**{f"mix_{term}": last.get(term, 0.0) for term in mix})

    def _foretold(self, mix: dict[str, float]) -> dict[str, Any]:
        """The traits that differ; none if three sliders moved at once and two came late."""
        teller = self.foreteller = self.foreteller or Foreteller()
        news: dict[str, Any] = {}
        if teller.now is None or teller.now.photo != self.bench.photo_name:
            teller.show(self.bench.photo_name, self.bench.photos[self.bench.photo_name])
            start = teller.places[PARENT]
            news["mix_start"] = tile(start.picture, PARENT, caption_of(start))
            news["mix_truth"] = tile(teller.scene.hr, "truth", "sharpness 1")
        if teller.now and teller.now.weights == {"pixel": 1.0, **mix}:
            return {}
        now = teller.look(mix)
        news["mix_picture"] = tile(now.picture, "this mix", caption_of(now))
        return news | {"forecast": forecast_of(teller, now)}

    def _mark_of_forecast(self) -> list[dict[str, Any]]:
        expected = self.expected
        if expected is None or expected.photo != self.bench.photo_name:
            return []
        return [{"name": "forecast", "x": expected.psnr, "y": expected.sharpness}]

    # Parts

    def _sides(self) -> list[dict[str, Any]]:
        return [self.reader.side(side, self.own_presets) for side in self.reader.readings]

    def _dials(self) -> dict[str, float]:
        """The dials that stand elsewhere than their bench: those alone are told.

        So a hand that moves on meanwhile is not put back.
        """
        news = {}
        for side, bench in self.side_by_side.benches.items():
            rate = {"learning_rate": bench.present_learning_rate}
            everything = {**bench.loss.weights, **bench.loss.layer_weights, **rate}
            for dial in DIALS:
                name = f"{side.lower()}_{dial}"
                if self._told.get(name) != everything[dial]:
                    news[name] = self._told[name] = everything[dial]
        return news

    def _extend_curves(self) -> None:
        """Add this moment; another run's or photograph's curve is told as a whole."""
        for side in CURVES:
            bench = self.side_by_side.benches.get(side)
            shown = (bench.branch.key, bench.photo_name) if bench else ("", "")
            anew = self._drawn[side] != shown
            if anew:
                self._drawn[side] = shown
                self.begin(side)
            if bench is not None:
                rows = {}
                for figures in bench.history.points if anew else bench.history.points[-1:]:
                    if figures.step not in rows or figures.photo_name == bench.photo_name:
                        rows[figures.step] = self.reader.curve_row(figures, bench.photo_name)
                for row in rows.values():
                    self.add(side, *row)

    def _keep_runs(self) -> None:
        """Look once more, and note what the table says of the present runs."""
        self.reader.look(at_rest=False)
        self._noted = 0.0
        self._note_runs()

    def _note_runs(self) -> None:
        due = time.monotonic() - self._noted > SECONDS_BETWEEN_NOTES
        if self._resting or due:
            self._noted = time.monotonic()
            try:
                note_rows(self.reader.note_rows())
            except OSError as error:
                self._say(f"The table of runs is not kept: {error}", alarm=True)

    def _rest(self, why: str) -> None:
        self.live.pause()
        self._say(why)

    def _say(self, text: str, *, alarm: bool = False) -> None:
        """Say what was done, where it is seen and heard; and draw soon."""
        self._next = 0.0
        self.tell(message={"text": text, "alarm": alarm})


def forecast_of(teller: Foreteller, now: Forecast) -> dict[str, Any]:
    """Numbers, map and words of the present mix, as a page gets them."""
    places = {"this mix": now, **teller.places}
    return {
        "psnr": now.psnr,
        "sharpness": now.sharpness,
        "shares": now.shares(),
        "trail": teller.trail,
        "marks": [
            {"name": name, "x": each.psnr, "y": each.sharpness}
            for name, each in teller.places.items()
        ],
        "said": "; ".join(
            f"{name} {each.psnr:.2f} dB, sharpness {each.sharpness:.2f}"
            for name, each in places.items()
        ),
    }


def _what_start_does(bench: LossBench) -> str:
    if not bench.replay_left:
        return "Start trains with its weights."
    stage = bench.stage
    count = len(stage.changes)
    changes = f" and its {count} change{'s' * (count > 1)}" if count else ""
    return f"Start repeats its {stage.steps} steps{changes}."
