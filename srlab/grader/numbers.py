"""User numbers for graded code: nobody's, and claimed for as long as they are used."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from srlab.classroom.claims import is_free
from srlab.classroom.port import locked

NUMBERS = range(40_000, 50_000)  # below those of a classroom
CLAIMS = Path("/run/srlab-grade")


@contextmanager
def claimed_numbers(count: int) -> Iterator[list[int]]:
    """User numbers that nobody else on this machine has, until the block ends.

    Raises:
        ValueError: if there are not so many.
    """
    CLAIMS.mkdir(mode=0o700, exist_ok=True)
    with ExitStack() as held:
        found: list[int] = []
        for number in NUMBERS:
            if len(found) < count and is_free(number) and (lock := _claim(number)):
                held.enter_context(lock)
                found.append(number)
        if len(found) < count:
            raise ValueError(
                f"{count} free user numbers between {NUMBERS.start} and {NUMBERS.stop} are "
                f"needed, but there are {len(found)}; end what uses them."
            )
        yield found


def _claim(number: int) -> IO[str] | None:
    """A lock that holds as long as this process; None if another has it."""
    lock = open(CLAIMS / str(number), "w")  # noqa: SIM115 - it is held
    if not locked(lock):
        lock.close()
        return None
    os.set_inheritable(lock.fileno(), False)
    return lock
