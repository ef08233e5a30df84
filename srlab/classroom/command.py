"""``srlab classroom``: what the teacher types and reads."""

import importlib.util
import os
from dataclasses import replace
from pathlib import Path

from srlab.classroom.accounts import CODES
from srlab.classroom.claims import first_number
from srlab.classroom.collect import Passed, collect, hand_back
from srlab.classroom.leaving import remove_learner, reset_learner
from srlab.classroom.limits import Limits, end_processes
from srlab.classroom.overview import overview, write_csv
from srlab.classroom.room import (
    Room,
    appoint,
    can_cover,
    close_to_learners,
    end_servers,
    prepare,
    run,
    runs_already,
    what_holds,
)
from srlab.classroom.roster import read_roster

SAID = 20  # names in a sentence

# Below are the system's own accounts, above its reserved ones.
UIDS = range(10_000, 2_000_000_000)


def open_room(
    state: Path,
    *,
    learners: Path | None,
    port: int,
    memory: float,
    cpus: float,
    idle: int,
    first_uid: int | None,
    forget: str | None,
    end: bool,
    teachers: list[str] | None = None,
    teachers_enter: bool = False,
    reset: str | None = None,
    remove: str | None = None,
) -> int:
    """Open the room, or change it; the exit code.

    Raises:
        ValueError: if something is missing or does not fit, with what to do.
        OSError: if the folder cannot be written, or the disk is full.
    """
    _require_system()
    _require_numbers(port, idle, first_uid)
    room = Room(
        state.resolve(), port, Limits(memory=memory, cpus=cpus), idle * 60,
        covered=can_cover(), teachers_enter=teachers_enter,
    )  # fmt: skip
    if reset or remove:
        return _change_learner(room, reset, remove)
    if room.as_root:
        known = room.accounts.uids()
        room = replace(room, first_uid=first_uid or first_number(room.state, known))
    _admit(room, learners)
    if end:
        _say(f"ended the servers of {end_servers(room)} learners; their files stay")
        return 0
    if teachers:
        _appoint(room, teachers)
    if forget:
        room.accounts.forget(forget)
        if room.as_root:
            end_processes(room.accounts.uid_of(forget))
        _say_codes(room, [forget])
    if forget or ((learners or teachers) and runs_already(room)):
        return 0
    return _run(room, learners)


def _admit(room: Room, learners: Path | None) -> None:
    """Enroll whom the teacher names, and say what was made of the names."""
    new = prepare(room, read_roster(learners) if learners else None)
    if new:
        _say_codes(room, new)


def _appoint(room: Room, teachers: list[str]) -> None:
    """Make these the teachers, and say from when on they are."""
    if new := appoint(room, teachers):
        _say_codes(room, new)
    if runs_already(room):
        _say("the admin page is theirs once the hub was stopped and started again")


def _change_learner(room: Room, reset: str | None, remove: str | None) -> int:
    """Let one begin anew, or take one off the list."""
    if reset:
        aside = reset_learner(room, reset)
        kept = f"theirs is now {' and '.join(aside)}" if aside else "there was nothing yet"
        _say(f"{reset} begins with fresh lessons at the next login; {kept}")
    if remove:
        home = remove_learner(room, remove)
        kept = f"the files are in {home}" if home else "there were no files"
        _say(f"{remove} is off the list for good; {kept}")
        _say("take the name off your own list as well, or it comes back as somebody new")
    return 0


def _say_codes(room: Room, new: list[str]) -> None:
    called = room.accounts.words(new)
    for name in list(called)[:SAID]:
        _say(f"{called[name]} logs in as {name}")
    if len(called) > SAID:
        _say(f"and {len(called) - SAID} more, as the codes say")
    names = ", ".join(new[:SAID]) + (" ..." if len(new) > SAID else "")
    _say(f"new codes for {names}, in {room.hub / CODES}: hand them out")


def _run(room: Room, learners: Path | None) -> int:
    for sentence in [*close_to_learners(room, learners), *what_holds(room)]:
        _say(sentence)
    code = run(room, _say, _Watch(room, learners).look)
    if code:
        _say(f"the hub ended with {code}; started again it goes on, with every server it had")
    else:
        _say("the hub has stopped, the learners' servers go on; --end ends them")
    return 1 if code else 0


class _Watch:
    """Reads the teacher's list anew whenever it was changed."""

    def __init__(self, room: Room, learners: Path | None):
        self.room, self.learners = room, learners
        self.seen = self._stamp()

    def look(self) -> None:
        stamp = self._stamp()
        if stamp in (self.seen, None):
            return
        self.seen = stamp
        for sentence in close_to_learners(self.room, self.learners):
            _say(sentence)
        try:
            _admit(self.room, self.learners)
        except (ValueError, OSError) as error:
            _say(f"{error} The list of before still holds.")

    def _stamp(self) -> tuple[int, int] | None:
        try:
            status = self.learners.stat() if self.learners else None
        except OSError:  # in the middle of being saved
            return None
        return (status.st_mtime_ns, status.st_size) if status else None


def _say(sentence: str) -> None:
    print(sentence, flush=True)


def _require_system() -> None:
    if not hasattr(os, "getuid"):
        raise ValueError("JupyterHub does not run on Windows; start the classroom on Linux.")
    for module in ("jupyterhub", "firstuseauthenticator", "jupyterhub_idle_culler"):
        if not importlib.util.find_spec(module):
            raise ImportError(
                f"{module} is missing; what a room needs comes with pip install "
                f"configurable-http-proxy jupyterhub jupyterhub-firstuseauthenticator "
                f"jupyterhub-idle-culler tornado."
            )


def _require_numbers(port: int, idle: int, first_uid: int | None) -> None:
    if not 1024 <= port <= 65535:
        raise ValueError(f"--port is {port}, but 1024 to 65535 are possible; 8000 is usual.")
    if idle < 1:
        raise ValueError(f"--idle is {idle} minutes; give 1 or more, such as 60.")
    if first_uid is not None and first_uid not in UIDS:
        raise ValueError(
            f"--first-uid is {first_uid}, but {UIDS.start} to {UIDS.stop - 1} are possible; "
            f"smaller ones belong to the system's own users."
        )


# -- the teacher's own tools -----------------------------------------------------


def show_overview(state: Path, csv: Path | None) -> str:
    """Who is stuck where, as a table; also as CSV if a file is named."""
    found = overview(Room(state.resolve()))
    if csv:
        write_csv(found, csv)
    return str(found)


def collect_lesson(state: Path, number: str, folder: Path) -> str:
    """Collect; what came of it, in sentences."""
    passed = collect(Room(state.resolve()), number.zfill(2), folder)
    count, of = len(passed.names), len(passed.names) + len(passed.troubles)
    return _told(passed, f"collected {count} of {of} notebooks into {folder / 'submitted'}")


def hand_lesson_back(state: Path, number: str, folder: Path) -> str:
    """Hand back; what came of it, in sentences."""
    number = number.zfill(2)
    passed = hand_back(Room(state.resolve()), number, folder)
    files, learners = len(passed.names), len(set(passed.names))
    there = f"into feedback/lesson_{number} of {learners} learner{'s' * (learners != 1)}"
    return _told(passed, f"put {files} file{'s' * (files != 1)} {there}")


def _told(passed: Passed, said: str) -> str:
    return "\n".join([said, *(f"{name}: it {why}" for name, why in passed.troubles.items())])
