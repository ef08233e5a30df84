"""LossLab: steer the expanded loss while a network trains, and see what each term does."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from PIL import Image
from torch import Tensor

from srlab.losses import Entry
from srlab.presets import LAYERS
from srlab.require import require_known
from srlab.runcard import RunCard
from srlab.training import Step
from srlab.widgets.dials import as_position, require_in_reach
from srlab.widgets.drawing import beside, picture_strip
from srlab.widgets.kit.live import State
from srlab.widgets.ledger_view import ledger_lines
from srlab.widgets.live_lab import LiveLab
from srlab.widgets.loss_actions import Actions
from srlab.widgets.loss_bench import LossBench
from srlab.widgets.loss_card import lab_card
from srlab.widgets.loss_controls import largest_weight_of
from srlab.widgets.loss_follow import Follower
from srlab.widgets.loss_panel import LossPanel
from srlab.widgets.loss_screen import Screen
from srlab.widgets.loss_words import heading, heading_html, sentence
from srlab.widgets.measures_view import measures_line
from srlab.widgets.poster import stack, text_lines
from srlab.widgets.upload import Upload
from srlab.widgets.workbench import Figures

T = TypeVar("T")


class LossLab(LiveLab):
    """A training with the expanded loss, and everything to steer it by.

    Sliders for the four terms, the layers and the learning rate act on the
    running training. The ledger says how hard each term pulls; runs are
    forked, gone back to, compared, saved as run cards and repeated.

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

    reset_tip = "Keep this run, and begin another one at the start"

    def __init__(self, card: RunCard | None = None):
        super().__init__()
        self.panel = LossPanel(LAYERS, self, self._buttons(), self._upload)
        self.screen = Screen(self.panel, LossBench(card or lab_card()))
        self.actions = Actions(self.screen)
        self.follower = Follower(self.panel, self.live.change)
        self._changed = False  # a control was moved since the last drawing
        self.panel.name.value = self.bench.start_card.name
        self.children = self.panel.children
        self.add_class("srlab-loss-lab")
        self.draw("ready")

    @property
    def bench(self) -> LossBench:
        """What is trained and steered; another one once a card is loaded."""
        return self.screen.bench

    # What notebooks and tests call

    def run_steps(self, count: int) -> None:
        """Train ``count`` steps here and now; the sliders' values count."""
        self.live.run_steps(count)

    def set(self, name: str, value: float) -> None:
        """Move a slider: a term's, a layer's or ``"learning_rate"``; a weight of 0 is off.

        Raises:
            ValueError: if there is no such slider, or for a value beyond it.
        """
        dials = self.panel.dials
        require_known([name], dials, "slider")
        if name == "learning_rate":
            require_in_reach(dials[name], value)
            dials[name].value = value
        else:
            dials[name].value = as_position(value, largest_weight_of(name))
        self.live.settle()

    def fork(self) -> str:
        """Keep the present run as it is, and go on from it as a new one.

        Returns:
            The new run's name.
        """
        return self._now(self.actions.fork)

    def go_to(self, name: str) -> None:
        """Go on with a run where it was left.

        Raises:
            ValueError: if there is no such run.
        """
        self._now(partial(self.actions.go_to, name))

    def snapshot(self) -> str:
        """Keep the present network for comparison.

        Returns:
            The snapshot's name.
        """
        return self._now(self.actions.snapshot)

    def balance(self, shares: str) -> dict[str, float]:
        """Set the weights so that the terms have these shares of the gradient.

        Args:
            shares: of pixel, content, style and tv, such as ``"50/40/5/5"``.

        Returns:
            name -> weight.

        Raises:
            ValueError: if they are no such numbers, or cannot be had.
        """
        return self._now(partial(self.actions.balance, shares))

    def preset(self, name: str) -> None:
        """Set all weights and layers to a preset's.

        Raises:
            ValueError: if there is no such preset.
        """
        self._now(partial(self.actions.apply_preset, name))

    def save_preset(self, name: str) -> Path:
        """Keep the present weights and layers as a preset of one's own.

        Raises:
            OSError, ValueError: if they cannot be written under this name.
        """
        return self._now(partial(self.actions.save_preset, name))

    def save_card(self, name: str) -> Path:
        """Score the present run, and write its card to ``my-runs/<name>.json``.

        Raises:
            OSError, ValueError: if it cannot be written under this name.
        """
        return self._now(partial(self.actions.save_card, name))

    def load_card(self, source: str | os.PathLike[str] | bytes) -> None:
        """Begin with a card from a file; ``Start`` repeats its run.

        Raises:
            OSError, ValueError: if it is no card that can be steered.
        """
        self.live.pause()
        self._now(partial(self.actions.load_card, source))

    def export_code(self, name: str) -> Path:
        """Write the present run as a program to ``my-runs/<name>.py``.

        Raises:
            OSError, ValueError: if it cannot be written under this name.
        """
        return self._now(partial(self.actions.export_code, name))

    def pictures(self) -> dict[str, Tensor]:
        """What is shown, snapshots and other runs, by name: made for ``Compare``."""
        return self.screen.pictures()

    @property
    def figures(self) -> Figures:
        """Where the training stands, as last shown."""
        return self.screen.figures

    @property
    def ledger(self) -> dict[str, Entry]:
        """Each term's weight, value and share of the gradient, as last shown."""
        return self.screen.ledger

    # What the live training calls, from one thread at a time

    def steps(self) -> Iterator[Step]:
        """Training steps, one for each item asked for, of whatever is on the bench."""
        while True:
            bench, left = self.bench, self.bench.replay_left
            step = next(bench.steps())
            if left and not bench.replay_left:
                self._end_of_replay(bench.branch.goal)
            yield step

    def change(self, name: str, value: Any) -> None:
        """Take over a control's value."""
        self._changed = True
        if name in self.panel.dials:
            self.follower.apply(name, value, self.bench)
            self.screen.show_weights(self.live.state)  # before the next step, which takes long
        elif name == "photo":
            self.bench.show(value)
        elif name == "branch":
            self.actions.go_to(value)
        elif value:  # a preset; there is nothing to do for "set by hand"
            self.actions.apply_preset(value)

    def start_over(self) -> None:
        """Keep the present run, and begin another one at the start."""
        before = self.bench.branch
        try:
            self.bench.reset()
        except ValueError as error:  # no room: the present run stays as it is
            return self.actions.complain(error)
        kept = f"{before.name} is kept at step {before.step}; " if before.state else ""
        self.actions.say(f"{kept}{self.bench.branch.name} begins.")

    def draw(self, state: State, error: str = "") -> None:
        """Show the quick things now, the others when they are due."""
        if state == "ready" and self.bench.done:
            state = "paused"  # nothing was started over, or a run was gone back to
        self.screen.look()
        self.follower.follow(self.bench, self.actions.presets)
        self.actions.show_source()
        self.panel.heading.value = heading_html(self.bench)
        self.screen.show(state, changed=self._changed)
        self._changed = False
        self.tell(state, error, topic=self.bench.branch.name)

    # Poster

    def spoken(self) -> str:
        return sentence(self.bench, self.figures)

    def summary(self) -> str:
        """One sentence for readers without a kernel."""
        return f"LossLab: {self.spoken()}"

    def poster(self) -> Image.Image:
        """Pictures, curves, ledger and measures as they stand."""
        bench, captions = self.bench, self.screen.captions()
        pictures = {"input": bench.scene.lr, **self.screen.beside(), "truth": bench.scene.hr}
        lines = [heading(bench), self.spoken(), *ledger_lines(self.ledger)]
        lines += [f"{n}: {measures_line(m)}" for n, m in self.screen.measures.items()]
        return stack(
            text_lines(lines, width=1050),
            picture_strip(pictures, captions),
            beside(*self.screen.drawn_charts()),
        )

    # Parts

    def _buttons(self) -> dict[str, Callable[[], None]]:
        """What the panel's buttons leave for the worker to do."""

        def soon(name: str, field: str = "") -> Callable[[], None]:
            def leave() -> None:
                typed = [getattr(self.panel, field).value] if field else []
                self.live.do(partial(self._try, name, *typed))

            return leave

        return {
            "fork": soon("fork"),
            "snapshot": soon("snapshot"),
            "compare": soon("toggle_compare"),
            "balance": soon("balance", "shares"),
            "save preset": soon("save_preset", "preset_name"),
            "save card": soon("save_card", "name"),
            "export code": soon("export_code", "name"),
        }

    def _try(self, name: str, *values: Any) -> None:
        """Do it; what a person got wrong is said, and stops no training."""
        try:
            getattr(self.actions, name)(*values)
        except (ValueError, TypeError, OSError) as error:
            self.actions.complain(error)

    def _now(self, action: Callable[[], T]) -> T:
        """Do it between two steps, and wait; what goes wrong is raised here."""
        done: Future[T] = Future()

        def act() -> None:
            try:
                done.set_result(action())
            except Exception as error:
                done.set_exception(error)

        self.live.do(act)
        self.live.settle()
        return done.result()

    def _upload(self, file: Upload) -> None:
        """A file came: read it when the training has paused."""
        self.live.pause()
        self.live.do(partial(self._try, "load_card", file.data, file.name))

    def _end_of_replay(self, steps: int) -> None:
        """Rest where the card ends, to look at it."""
        self.live.pause()
        self.actions.say(
            f"All {steps} steps of the card are repeated. Start goes on; so does a fork."
        )
