"""``srlab classroom``: what the teacher types and reads."""

import importlib.util
import os
from pathlib import Path

from srlab.classroom.accounts import read_names
from srlab.classroom.limits import Limits
from srlab.classroom.room import (
    Room,
    can_cover,
    codes_file,
    end_servers,
    prepare,
    run,
    what_holds,
)

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
    first_uid: int,
    forget: str | None,
    end: bool,
) -> int:
    """Open the room, or change it; the exit code.

    Raises:
        ValueError: if something is missing or does not fit, with what to do.
        OSError: if the folder cannot be written, or the disk is full.
    """
    _require_system()
    _require_numbers(port, idle, first_uid)
    limits = Limits(memory=memory, cpus=cpus)
    room = Room(state.absolute(), port, limits, idle * 60, first_uid, covered=can_cover())
    names = read_names(learners) if learners else None
    new = prepare(room, names)
    if end:
        _say(f"ended the servers of {end_servers(room)} learners; their files stay")
        return 0
    if forget:
        room.accounts.forget(forget)
        new = [forget]
    if new:
        _say(f"new codes for {', '.join(new)}, in {codes_file(room)}: hand them out")
    return 0 if forget else _run(room)


def _run(room: Room) -> int:
    for sentence in what_holds(room):
        _say(sentence)
    code = run(room, _say)
    if code:
        _say(f"the hub ended with {code}; started again it goes on, with every server it had")
    else:
        _say("the hub has stopped, the learners' servers go on; --end ends them")
    return 1 if code else 0


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
                f"jupyterhub-idle-culler."
            )


def _require_numbers(port: int, idle: int, first_uid: int) -> None:
    if not 1024 <= port <= 65533:
        raise ValueError(f"--port is {port}, but 1024 to 65533 are possible; 8000 is usual.")
    if idle < 1:
        raise ValueError(f"--idle is {idle} minutes; give 1 or more, such as 60.")
    if first_uid not in UIDS:
        raise ValueError(
            f"--first-uid is {first_uid}, but {UIDS.start} to {UIDS.stop - 1} are possible; "
            f"smaller ones belong to the system's own users."
        )
