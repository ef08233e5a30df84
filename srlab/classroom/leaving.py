"""A learner begins anew, or goes: nothing of theirs is deleted."""

import os
import time
from datetime import date
from pathlib import Path

from srlab.classroom.collect import LESSONS
from srlab.classroom.homes import set_aside
from srlab.classroom.limits import end_processes, processes_of
from srlab.classroom.overview import require_room
from srlab.classroom.room import Room
from srlab.files import free_path

RECORDS = ".srlab"  # progress and runs


def reset_learner(room: Room, name: str) -> list[str]:
    """Put a learner's lessons and records aside; what they are called now.

    Fresh lessons come with the next start of the server, which is ended here.

    Raises:
        ValueError: if nobody is called so.
        OSError: if something cannot be renamed.
    """
    name, uid = _find(room, name)
    _end(room, uid)
    if not room.home(name).exists():
        return []
    aside = [set_aside(room.home(name), one, room.owner(uid)) for one in (LESSONS, RECORDS)]
    return list(filter(None, aside))


def remove_learner(room: Room, name: str) -> Path | None:
    """Take a learner off the list for good; where their home is now, if there was one.

    Whoever is enrolled by that name later gets another user number and a home
    of their own.

    Raises:
        ValueError: if nobody is called so.
        OSError: if the home cannot be moved.
    """
    name, uid = _find(room, name)
    room.accounts.remove(name)  # first, so that no server starts again
    _end(room, uid)
    if not os.path.lexists(room.home(name)):
        return None
    room.removed.mkdir(mode=0o700, exist_ok=True)
    target = free_path(room.removed / f"{name}-{date.today()}")
    return room.home(name).rename(target)


def _find(room: Room, word: str) -> tuple[str, int]:
    """The account of whom the teacher names, and its user number."""
    require_room(room)
    name, names = room.accounts.name_of(word), room.accounts.all_names()
    if not word.strip() or name not in names:
        raise ValueError(f"No learner is called {word[:40]!r}; there are {', '.join(names)}.")
    return name, room.accounts.uid_of(name)


def _end(room: Room, uid: int) -> None:
    """End all that runs under a learner's number, and wait until it has."""
    end = time.monotonic() + 10
    while room.as_root and processes_of(uid):
        if time.monotonic() > end:
            raise OSError(f"User number {uid} starts processes faster than they end.")
        end_processes(uid)
        time.sleep(0.05)
