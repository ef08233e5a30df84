"""A training that runs while people use the notebook.

One daemon thread, alive only while there is something to do. Callbacks of
widgets may come from any thread, so they only leave notes under a lock; the
worker alone touches the network and the pictures. Its states::

    ready ──start──> running ──pause──> paused ──start──> running
      ^                 │                 │
      │                 └─────error────> failed ──start──> running
      └──reset── (from any of them, after a pause)

    notes (start, pause, change, do)  ->  [lock]  ->  worker: acts, steps, draws
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, Literal, Protocol

import torch

from srlab.machine import live_threads

State = Literal["ready", "running", "paused", "failed"]

SECONDS_BETWEEN_FRAMES = 0.25


class Workpiece(Protocol):
    """What a live training drives; all of it is called by one thread at a time."""

    def steps(self) -> Iterator[object]:
        """Training steps, one for each item asked for."""

    def change(self, name: str, value: Any) -> None:
        """Take over a new value of a control."""

    def draw(self, state: State, error: str = "") -> None:
        """Show where the training stands."""

    def start_over(self) -> None:
        """Go back to the untrained network."""


class LiveTraining:
    """Start, pause, change and reset a training from any thread.

    At most one runs in a kernel: starting a second pauses the first.

    Args:
        work: what is trained and shown.
        between: seconds from one drawing to the next, if nothing is changed.
    """

    _turn: ClassVar[threading.Lock] = threading.Lock()  # held during a step
    _current: ClassVar["LiveTraining | None"] = None

    def __init__(self, work: Workpiece, *, between: float | None = None):
        self.work = work
        self.between = SECONDS_BETWEEN_FRAMES if between is None else between
        self.state: State = "ready"
        self._lock = threading.Lock()
        self._news = threading.Condition(self._lock)
        self._changes: dict[str, Any] = {}
        self._actions: list[Callable[[], None]] = []
        self._acting = False  # on notes that are no longer in the lists above
        self._wanted = False  # should it be running?
        self._drawn = 0.0  # when, on the monotonic clock
        self._thread: threading.Thread | None = None  # the one that may touch the work
        self._steps: Iterator[object] | None = None
        self._ends: deque[float] = deque(maxlen=30)  # of the last steps, monotonic

    def start(self) -> None:
        """Begin or go on; whatever else trains in this kernel is paused."""
        self._pause_others()
        self._note(wanted=True)

    def pause(self) -> None:
        """Stop after the present step; nothing is lost."""
        self._note(wanted=False)

    def change(self, name: str, value: Any) -> None:
        """Set a control; it acts from the next step on."""
        with self._lock:
            self._changes[name] = value
        self._note()

    def do(self, action: Callable[[], None]) -> None:
        """Call ``action`` between two steps, and show the result."""
        with self._lock:
            self._actions.append(action)
        self._note()

    def reset(self) -> None:
        """Pause and go back to the untrained network."""
        self.pause()
        self.do(self._reset)

    def run_steps(self, count: int) -> None:
        """Train ``count`` steps here and now, then pause and draw.

        Notebooks and tests use it; an error is raised, not shown.
        """
        self._pause_others()
        self._take_over()
        try:
            changed = self._take_notes()
            for _ in range(count):
                self._one_step(changed)
                changed = self._take_notes()
        finally:  # Ctrl-C too leaves a training that can go on
            self._enter("paused")
            self._hand_over()

    @property
    def steps_per_second(self) -> float:
        """Over the last 30 steps without a rest; 0 before there are two."""
        ends = tuple(self._ends)
        return (len(ends) - 1) / (ends[-1] - ends[0]) if len(ends) > 1 else 0.0

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until nothing is left to do; tell whether that came true."""
        return self._wait_until(lambda: self._thread is None, timeout)

    def settle(self, timeout: float | None = None) -> bool:
        """Wait until every note was acted on, but not for a training's end."""

        def settled() -> bool:
            pending = self._changes or self._actions or self._acting
            return self._thread is None or (self._wanted and not pending)

        return self._wait_until(settled, timeout)

    def _wait_until(self, true: Callable[[], bool], timeout: float | None) -> bool:
        with self._news:
            if self._thread is threading.current_thread():
                return True  # it would wait for itself
            return self._news.wait_for(true, timeout)

    def _pause_others(self) -> None:
        before, LiveTraining._current = LiveTraining._current, self
        if before is not None and before is not self:
            before.pause()

    def _note(self, *, wanted: bool | None = None) -> None:
        """Leave a note and see that somebody will read it."""
        with self._lock:
            if wanted is not None:
                self._wanted = wanted
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, daemon=True)
                self._thread.start()

    def _take_over(self) -> None:
        """Pause, and make this thread the one that may touch the work."""
        with self._news:
            self._wanted = False
            self._news.wait_for(lambda: self._thread is None)
            self._thread = threading.current_thread()

    def _hand_over(self) -> None:
        """Let the work go; notes that came meanwhile are for the next thread."""
        with self._news:
            self._thread = None
            left = self._wanted or self._changes or self._actions
            self._news.notify_all()
        if left:
            self._note()

    def _work(self) -> None:
        """The worker: act on notes, train while that is wanted, then end."""
        # The setting is this thread's own. With every core the training would
        # starve the browser: the slider came twice as late, and the steps too.
        torch.set_num_threads(live_threads())
        try:
            self._loop()
            self._enter("paused" if self._steps is not None else "ready")
        except Exception as error:  # it would reach no cell
            with self._lock:
                self._wanted = False
            self._enter("failed", f"{error}")
        finally:
            self._hand_over()

    def _loop(self) -> None:
        while True:
            changed = self._take_notes()
            with self._lock:
                wanted = self._wanted
                if not wanted and not self._changes and not self._actions:
                    break
            if wanted:
                self._one_step(changed)

    def _enter(self, state: State, error: str = "") -> None:
        self.state = state
        self.work.draw(state, error)
        self._ends.clear()  # a rest is no slow step

    def take_changes(self) -> None:
        """Take over what was changed meanwhile; a long step calls it on its way."""
        self._take_notes(of_actions_too=False)

    def _take_notes(self, *, of_actions_too: bool = True) -> bool:
        """Do what the notes say; tell whether there were any."""
        with self._lock:
            changes, self._changes = self._changes, {}
            actions: list[Callable[[], None]] = []
            if of_actions_too:
                actions, self._actions = self._actions, []
            self._acting = bool(changes or actions)
        try:
            for name, value in changes.items():
                self.work.change(name, value)
            for action in actions:
                action()
        finally:
            with self._news:
                self._acting = False
                self._news.notify_all()
        return bool(changes or actions)

    def _one_step(self, changed: bool) -> None:
        """Train a step; draw if something was changed, or if it is time to."""
        if self._steps is None:
            self._steps = self.work.steps()
        try:
            with LiveTraining._turn:
                next(self._steps)
        except BaseException:
            self._steps = None  # a generator that raised gives no more steps
            raise
        self._ends.append(time.monotonic())
        self.state = "running"
        if changed or time.monotonic() - self._drawn > self.between:
            self.work.draw(self.state)
            self._drawn = time.monotonic()

    def _reset(self) -> None:
        self._steps = None
        self.work.start_over()
