"""Whether a learner's server is at work, also when it says nothing for hours.

The hub stops servers in which nothing happens, and by itself takes for that
what says nothing: a training without output, a command in a terminal.
"""

import os
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

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
    parents, spent = {}, {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # ended meanwhile
            # The second field is the program's name, in which anything may stand.
            fields = path.read_text(errors="replace").rpartition(") ")[2].split()
            number = int(path.parent.name)
            parents[number] = int(fields[1])
            spent[number] = sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")
    return {number: time for number, time in spent.items() if _is_below(number, parents)}


def _is_below(number: int, parents: dict[int, int]) -> bool:
    while number in parents:
        number = parents[number]
        if number == os.getpid():
            return True
    return False
