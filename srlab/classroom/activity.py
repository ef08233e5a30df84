"""Whether a learner's server is at work, also when it says nothing for hours.

The hub stops servers in which nothing happens, and by itself takes for that
what says nothing: a training without output, a command in a terminal.
"""

import time
from collections.abc import Iterable
from contextlib import suppress

import psutil  # type: ignore[import-untyped]

SHARE = 0.1  # of one processor, from which on something computes; an idle kernel needs 0.01


class Activity:
    """Looks now and then at what this process has started."""

    def __init__(self) -> None:
        self.spent, self.when = _spent(), time.monotonic()

    def goes_on(self, kernels: Iterable[str]) -> bool:
        """Whether a kernel is busy, or the processors were used since the last look.

        Args:
            kernels: what each kernel says of itself, such as ``"idle"``.
        """
        before, began = self.spent, self.when
        self.spent, self.when = _spent(), time.monotonic()
        used = sum(spent - before.get(number, 0.0) for number, spent in self.spent.items())
        return "busy" in kernels or used > SHARE * (self.when - began)


def _spent() -> dict[int, float]:
    """Process -> seconds of processors, of all below this one."""
    found = {}
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            times = process.cpu_times()
            found[process.pid] = times.user + times.system
    return found
