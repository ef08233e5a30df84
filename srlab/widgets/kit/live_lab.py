"""A lab that trains: one worker, and the state of its training as traits."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from functools import partial, wraps
from inspect import unwrap
from typing import Any, TypeVar, cast

from traitlets import Float, Int, Unicode

from srlab.widgets.kit.lab import Lab
from srlab.widgets.kit.live import SECONDS_BETWEEN_FRAMES, LiveTraining, State

BYTES_A_SECOND = 60_000
"""While it runs and no hand moves it; two pictures side by side may be large."""

Method = TypeVar("Method", bound=Callable[..., Any])


def between_steps(act: Method) -> Method:
    """A method of a lab that acts between two steps; whoever calls it waits for that.

    What goes wrong is raised at the caller. A press must not wait: see ``soon``.
    """

    @wraps(act)
    def wait(lab: "LiveLab", *args: Any, **given: Any) -> Any:
        done: Future[Any] = Future()

        def note() -> None:
            try:
                done.set_result(act(lab, *args, **given))
            except Exception as error:
                done.set_exception(error)

        lab.live.do(note)
        lab.live.settle()
        return done.result()

    return cast(Method, wait)


class LiveLab(Lab):
    """The base of labs around one live training; a lab is its ``Workpiece``.

    A subclass writes ``steps``, ``change``, ``start_over`` and ``moment``,
    which the worker alone calls, and ends its ``__init__`` with
    ``self.draw("ready")``.
    """

    seconds_between_frames = SECONDS_BETWEEN_FRAMES
    _sent = 0  # bytes, ever

    state = Unicode("ready", help="ready, running, paused or failed").tag(sync=True)
    topic = Unicode(help="a change of it is said aloud at once").tag(sync=True)
    said = Unicode(help="where the training stands, in a sentence").tag(sync=True)
    step = Int(help="optimizer steps done").tag(sync=True)
    rate = Float(help="steps per second").tag(sync=True)

    def __init__(self, **traits: Any):
        super().__init__(**traits)
        self.live = LiveTraining(self, between=self.seconds_between_frames)
        self.presses |= {
            "start": self.live.start,
            "pause": self.live.pause,
            "reset": self.live.reset,
        }

    # What notebooks and tests call

    def start(self) -> None:
        """Begin or go on in the background."""
        self.live.start()

    def pause(self) -> None:
        """Stop after the present step, and wait for that."""
        self.live.pause()
        self.live.wait()

    def reset(self) -> None:
        """Pause and go back to the start; the settings stay."""
        self.live.reset()
        self.live.wait()

    def run_steps(self, count: int) -> Any:
        """Train ``count`` steps here and now; the settings count."""
        self.live.run_steps(count)

    def settle(self, timeout: float | None = None) -> bool:
        """Wait until every change was acted on."""
        return self.live.settle(timeout)

    def soon(self, act: Callable[..., object]) -> Callable[..., None]:
        """A press that leaves a note for the worker: to do what is ``between_steps``."""

        def leave(**given: Any) -> None:
            self.live.do(partial(self.attempt, partial(unwrap(act), self, **given)))

        return leave

    def attempt(self, action: Callable[[], object]) -> None:
        """Do what somebody pressed; an error stops the training, and is said."""
        action()

    # What a subclass writes, for one thread at a time

    def steps(self) -> Iterator[object]:
        """Training steps, one for each item asked for."""
        raise NotImplementedError

    def change(self, name: str, value: Any) -> None:
        """Take over the new value of a setting."""
        raise NotImplementedError

    def start_over(self) -> None:
        """Go back to the untrained network."""
        raise NotImplementedError

    def moment(self) -> dict[str, Any]:
        """Trait -> value of all that this moment shows; ``step`` and ``said`` too."""
        raise NotImplementedError

    # What the kit does with it

    def changed(self, name: str, value: Any) -> None:
        """Leave a note for the worker."""
        self.live.change(name, value)

    def draw(self, state: State, error: str = "") -> None:
        """Show this moment: pictures, numbers and words in one message."""
        moment = {"rate": self.live.steps_per_second, **self.moment()}
        if state == "paused" and moment["step"] == 0:
            state = "ready"  # it started over
        before = self._sent
        self.tell(**{"state": state, "error": error, **moment})
        seconds = (self._sent - before) / BYTES_A_SECOND
        self.live.between = max(self.seconds_between_frames, seconds)

    def summary(self) -> str:
        """One sentence for readers without a kernel."""
        return f"{type(self).__name__}: {self.said}"

    def _send(self, msg: Any, buffers: Any = None) -> None:
        pictures = sum(memoryview(each).nbytes for each in buffers or [])
        self._sent += len(json.dumps(msg, default=str)) + pictures
        super()._send(msg, buffers)
