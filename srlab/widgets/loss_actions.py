"""What the Loss Lab's buttons do; each says in a sentence what came of it."""

import html
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from srlab.presets import Preset, read_presets, save_preset
from srlab.require import require_known
from srlab.runcard import RunCard, load_card, read_card
from srlab.runs.program import to_python
from srlab.widgets.compare import compare
from srlab.widgets.loss_bench import LossBench
from srlab.widgets.loss_controls import OWN
from srlab.widgets.loss_files import (
    read_shares,
    require_name,
    write_card,
    write_program,
)
from srlab.widgets.loss_follow import preset_in_use
from srlab.widgets.loss_screen import Screen
from srlab.widgets.parts import TEXT

MOST_SNAPSHOTS = 12
"""The oldest goes when there are more: each keeps a network."""


class Actions:
    """What one can do with a bench, a screen and a panel.

    All of it is called between two steps, by one thread at a time.

    Args:
        screen: with the bench and the panel that it shows.
    """

    def __init__(self, screen: Screen):
        self.screen, self.panel = screen, screen.panel
        self.presets = read_presets()
        self._comparison: Any = None

    @property
    def bench(self) -> LossBench:
        """What is steered now."""
        return self.screen.bench

    # Runs

    def fork(self) -> str:
        """Go on as a new run from the present state; its name."""
        before, step = self.bench.branch.name, self.screen.figures.step
        name = self.bench.fork().name
        self.say(f"{before} is kept at step {step}; {name} goes on from there.")
        return name

    def go_to(self, name: str) -> None:
        """Go on with another run where it was left."""
        branch = self.bench.go_to(name)
        self.say(f"{name} goes on from step {branch.step}.")

    def snapshot(self) -> str:
        """Keep the present network; the snapshot's name."""
        bench = self.bench
        name = bench.keep().name
        del bench.snapshots[:-MOST_SNAPSHOTS]
        self.say(f"Snapshot kept: {name}, {bench.photo_name}.")
        return name

    # Weights

    def balance(self, text: str) -> dict[str, float]:
        """Set the weights that give the terms the shares that were typed."""
        weights = self.bench.balance(read_shares(text))
        shown = ", ".join(f"{name} {weight:.3g}" for name, weight in weights.items())
        self.say(f"Balanced to {text}: {shown}.")
        return weights

    def apply_preset(self, name: str) -> None:
        """Set all weights and layers to a preset's."""
        require_known([name], self.presets, "preset")
        self.bench.apply_preset(self.presets[name])
        self.say(f"The weights are those of {name}.")

    def save_preset(self, name: str) -> Path:
        """Keep the present weights under a name of one's own; the file."""
        bench = self.bench
        source = f"Your own, kept at {bench.moment(self.screen.figures.step)}."
        kept = Preset(name, source, dict(bench.loss.weights), dict(bench.loss.layer_weights))
        path = save_preset(kept)
        self.presets = read_presets()
        self.say(f"Preset {name.strip()} written to {path}.")
        return path

    def show_source(self) -> None:
        """Say where the present weights come from."""
        name = preset_in_use(self.bench, self.presets)
        text = self.presets[name].source if name else f"The weights are {OWN}."
        style = f"{TEXT} margin-left: 8px"
        self.panel.source.value = (
            f'<div class="srlab-source" style="{style}">{html.escape(text)}</div>'
        )

    # Run cards

    def save_card(self, name: str) -> Path:
        """Score the run and write its card; the file."""
        require_name(name)
        self.say("Scoring the network on the validation photographs …")
        card = self.bench.finished_card().model_copy(update={"name": name})
        path = write_card(card)
        self.say(f"Run card written to {path}.")
        return path

    def export_code(self, name: str) -> Path:
        """Write the run as a program; the file."""
        require_name(name)
        card = self.bench.card().model_copy(update={"name": name})
        path = write_program(to_python(card), name)
        self.say(f"Program written to {path}.")
        return path

    def load_card(self, source: str | os.PathLike[str] | bytes, name: str = "the file") -> None:
        """Put a card's run on the bench, to be repeated."""
        card = read_card(source, name) if isinstance(source, bytes) else load_card(source)
        bench = LossBench(card)  # raises before anything is changed
        bench.show(self.bench.photo_name)
        if bench.data.scale == self.bench.data.scale:
            bench.snapshots = self._snapshots_to_carry()
        self.screen.keep_runs()
        self.screen.watch(bench)
        self.panel.name.value = card.name
        self.say(f"{card.name} is loaded. {self._what_start_does(card)}")

    def _what_start_does(self, card: RunCard) -> str:
        if not self.bench.replay_left:
            return "Start trains with its weights."
        count = len(card.stages[0].changes)
        changes = f" and its {count} change{'s' * (count > 1)}" if count else ""
        return f"Start repeats its {card.steps} steps{changes}."

    def _snapshots_to_carry(self) -> list[Any]:
        """The present snapshots, named after their card as well."""
        card = self.bench.start_card.name
        return [replace(s, name=f"{card}: {s.name}") for s in self.bench.snapshots]

    # Compare

    def toggle_compare(self) -> None:
        """Open the comparison, or close it."""
        slot, button = self.panel.compare_slot, self.panel.compare
        if self._comparison is not None:
            slot.children, button.description = (), "Compare"
            close_whole(self._comparison)
            self._comparison = None
            self.say("The comparison is closed.")
            return
        pictures = self.screen.pictures()
        self._comparison = compare(pictures, self.screen.captions())
        slot.children, button.description = (self._comparison,), "Close compare"
        self.say(f"Comparing {', '.join(pictures)}.")

    # Words

    def say(self, text: str) -> None:
        """Say what was done, where it is seen and heard."""
        self._write("status", text)

    def complain(self, error: Exception) -> None:
        """Say in one sentence what was wrong."""
        self._write("alert", f"Nothing was changed: {error}")

    def _write(self, role: str, text: str) -> None:
        self.panel.message.value = (
            f'<div role="{role}" class="srlab-message" style="{TEXT}">{html.escape(text)}</div>'
        )


def close_whole(widget: Any) -> None:
    """Close a widget with all its parts; ipywidgets would keep them for ever."""
    for part in getattr(widget, "children", ()):
        close_whole(part)
    for name in ("style", "layout"):
        if getattr(widget, name, None) is not None:
            getattr(widget, name).close()
    widget.close()
