"""What every lab around a live training has: buttons, and a line that is read aloud."""

import html
import time

from ipywidgets import HTML, VBox

from srlab.widgets.kit.live import LiveTraining, State
from srlab.widgets.parts import TEXT, action_button
from srlab.widgets.poster import PosterMixin

SECONDS_BETWEEN_ANNOUNCEMENTS = 10.0
"""A screen reader reads each; more often would be a babble."""


class LiveLab(PosterMixin, VBox):  # type: ignore[misc]
    """A panel around one live training; a lab is also its ``Workpiece``."""

    start_tip = "Train in the background"
    reset_tip = "Back to the start"

    def __init__(self) -> None:
        super().__init__()
        self.live = LiveTraining(self)
        self._announced: tuple[tuple[str, str], float] = (("", ""), 0.0)
        self._status = HTML()
        self._start = action_button("Start", "play", self.start_tip, self.live.start)
        self._pause = action_button(
            "Pause", "pause", "Stop after the present step", self.live.pause
        )
        self._reset = action_button("Reset", "undo", self.reset_tip, self.live.reset)

    def start(self) -> None:
        """Begin or go on in the background."""
        self.live.start()

    def pause(self) -> None:
        """Stop after the present step, and wait for that."""
        self.live.pause()
        self.live.wait()

    def reset(self) -> None:
        """Pause and go back to the start; the controls stay."""
        self.live.reset()
        self.live.wait()

    def spoken(self) -> str:
        """One sentence that says where the training stands."""
        raise NotImplementedError

    def tell(self, state: State, error: str = "", topic: str = "") -> None:
        """Show in buttons and words what state the training is in.

        The words come now and then, and at each change of state or topic.
        """
        self._start.disabled, self._pause.disabled = state == "running", state != "running"
        now = state, topic
        if error:
            self._status.value = f'<div role="alert"><b>Stopped.</b> {html.escape(error)}</div>'
            self._announced = (now, 0.0)
            return
        due = time.monotonic() - self._announced[1] > SECONDS_BETWEEN_ANNOUNCEMENTS
        if due or self._announced[0] != now:
            self._announced = (now, time.monotonic())
            self.say(f"{state}: {self.spoken()}")

    def say(self, text: str) -> None:
        """Put words where a screen reader hears them."""
        self._status.value = (
            f'<div role="status" class="srlab-status" style="{TEXT}">{html.escape(text)}</div>'
        )
