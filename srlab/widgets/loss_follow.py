"""Controls that act on a bench, and follow it where it was changed by something else."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from srlab.losses import EXPANDED_TERMS
from srlab.presets import Preset
from srlab.widgets.dials import as_weight
from srlab.widgets.loss_bench import LossBench
from srlab.widgets.loss_branch import Branch
from srlab.widgets.loss_controls import OWN, largest_weight_of, place_on_slider, relabel
from srlab.widgets.loss_panel import LossPanel
from srlab.widgets.loss_words import weights_in_use


class Follower:
    """Keeps the panel's sliders and menus at what the bench really has.

    A person's move leaves a note. A preset, a balance, another run or a
    repeated card move the bench; then the worker moves the controls, and that
    must not leave a note again.

    Args:
        panel: whose controls they are.
        note: takes the name of a control and its new value.
    """

    def __init__(self, panel: LossPanel, note: Callable[[str, Any], None]):
        self.panel = panel
        self._moving: threading.Thread | None = None
        self._known: dict[str, float] = {}  # what the sliders were told last
        for name, control in panel.listened().items():
            self._listen(name, control, note)

    def apply(self, name: str, value: Any, bench: LossBench) -> None:
        """Let a slider's value count in the bench."""
        if name == "learning_rate":
            bench.set_learning_rate(value)
        elif name in EXPANDED_TERMS:
            bench.set_weight(name, as_weight(value))
        else:
            bench.set_layer(name, as_weight(value))
        self._known[name] = self._values(bench)[name]  # it stands there already

    def follow(self, bench: LossBench, presets: dict[str, Preset]) -> None:
        """Move what stands elsewhere than the bench."""
        with self._quietly():
            for name, value in self._values(bench).items():
                if self._known.get(name) != value:
                    self._move(name, value)
            used = preset_in_use(bench, presets)
            relabel(self.panel.preset, {OWN: "", **{n: n for n in presets}}, used)
            runs = {_label(branch): name for name, branch in bench.branches.items()}
            relabel(self.panel.branch, runs, bench.branch.name)
            relabel(self.panel.photo, {name: name for name in bench.photos}, bench.photo_name)

    def _listen(self, name: str, control: Any, note: Callable[[str, Any], None]) -> None:
        def heard(event: dict[str, Any]) -> None:
            if threading.current_thread() is not self._moving:
                note(name, event["new"])

        control.observe(heard, names="value")

    def _values(self, bench: LossBench) -> dict[str, float]:
        """What each slider should stand for."""
        everything = {**weights_in_use(bench), "learning_rate": bench.present_learning_rate}
        return {name: everything[name] for name in self.panel.dials}

    def _move(self, name: str, value: float) -> None:
        is_weight = name != "learning_rate"
        place = place_on_slider(value, largest_weight_of(name)) if is_weight else value
        self.panel.dials[name].value = place
        self._known[name] = value

    @contextmanager
    def _quietly(self) -> Iterator[None]:
        self._moving = threading.current_thread()
        try:
            yield
        finally:
            self._moving = None


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


def _label(branch: Branch) -> str:
    if branch.parent is None:
        return branch.name
    return f"{branch.name} ({branch.parent}, step {branch.forked_at})"
