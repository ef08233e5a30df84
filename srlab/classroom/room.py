"""The folder of a classroom, and the hub that runs on it.

::

    STATE/            everyone may pass
      hub/            root's alone: accounts, codes, cookie secret, log, sockets
      door/hub.sock   where the learners' servers ask the hub
      homes/ada/      ada's alone
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from srlab.classroom.accounts import ACCOUNTS, LEARNERS, LOCK, Accounts
from srlab.classroom.claims import FIRST_UID, claim
from srlab.classroom.limits import (
    Limits,
    end_processes,
    make_groups,
    processes_of,
    remove_groups,
)
from srlab.classroom.port import Holder, locked, sockets
from srlab.classroom.roster import Learner, on_the_list
from srlab.course.copy import FOR_TEACHERS, course_folder, require_folder
from srlab.files import PACKAGE

BIN = Path(sys.executable).parent
SETTINGS = "SRLAB_CLASSROOM"  # how the hub's process gets its room

BETWEEN_LOOKS = 1.0  # seconds, at the teacher's list while the hub runs
SLOW_START = 300  # seconds: thirty servers that start at once on two processors


@dataclass(frozen=True)
class Room:
    """A classroom's folder and settings.

    Args:
        state: the folder.
        port: of the site, the only one.
        limits: of each learner.
        idle_seconds: after which a server that does nothing is stopped.
        first_uid: the user number of the first learner.
        covered: whether each server gets a view of the file system of its own.
        teachers_enter: whether a teacher may open a learner's server.
    """

    state: Path
    port: int = 8000
    limits: Limits = field(default_factory=Limits)
    idle_seconds: int = 3600
    first_uid: int = FIRST_UID
    covered: bool = False
    teachers_enter: bool = False

    @classmethod
    def from_settings(cls, settings: dict[str, Any]) -> "Room":
        limits, state = Limits(**settings.pop("limits")), Path(settings.pop("state"))
        return cls(state=state, limits=limits, **settings)

    def settings(self) -> str:
        return json.dumps({**asdict(self), "state": str(self.state)})

    @property
    def hub(self) -> Path:
        return self.state / "hub"

    @property
    def log(self) -> Path:
        return self.hub / "hub.log"

    @property
    def holder(self) -> Holder:
        return Holder(self.hub / "port.lock", self.port)

    @property
    def door(self) -> Path:
        return self.state / "door"

    @property
    def accounts(self) -> Accounts:
        return Accounts(self.hub, self.first_uid)

    @property
    def as_root(self) -> bool:
        return os.getuid() == 0

    def home(self, name: str) -> Path:
        return self.state / "homes" / name

    @property
    def removed(self) -> Path:
        return self.state / "removed"

    def owner(self, uid: int) -> int:
        """Whom the files of a learner belong to: the teacher, without root."""
        return uid if self.as_root else os.getuid()

    def plan(self, name: str, uid: int) -> dict[str, Any]:
        """For ``launch.py``: how this learner's server starts. Makes the home.

        Raises:
            ValueError: if something else stands where the home should be.
        """
        home = self.home(name)
        _make_home(home, self.owner(uid))
        needed = [
            Path(sys.base_prefix), Path(sys.prefix), PACKAGE, course_folder(), self.door, home,
        ]  # fmt: skip
        lessons = [sys.executable, "-m", "srlab", "lessons", str(home / "srlab-lessons")]
        return {
            "groups": [],
            "memory": self.limits.bytes,
            "shared": self.limits.bytes // 4,  # beside what each process has
            "processes": self.limits.processes,
            "keep": [str(path.resolve()) for path in needed] if self.covered else [],
            "hide": [str(self.state)],
            "uid": uid if self.as_root else None,
            "home": str(home),
            "lessons": lessons,
            "log": str(home / ".srlab-server.log"),
        }

    def launcher(self, plan: dict[str, Any]) -> list[str]:
        """What stands before a learner's command."""
        own_view = ["unshare", "--mount", "--propagation", "private"]
        start = [sys.executable, "-I", str(PACKAGE / "classroom" / "launch.py")]
        return [*(own_view if self.covered else []), *start, json.dumps(plan)]


def prepare(room: Room, names: Sequence[str | Learner] | None) -> list[str]:
    """Make the folder, enroll who was named; the learners who are new.

    Raises:
        ValueError: if the room cannot be opened, with what to do.
        OSError: if the folder cannot be written, or the disk is full.
    """
    os.umask(0o077)
    _make_state(room)
    if names is None and not (room.hub / ACCOUNTS).exists():
        raise ValueError(
            "Nobody could log in yet; write your learners' names into a text file, one a line, "
            "and give it: --learners names.txt."
        )
    _require_root_for_many(room, names)
    if room.as_root:
        claim(room.state, room.first_uid, room.accounts.uids())
    return [] if names is None else room.accounts.enroll(names)


def appoint(room: Room, names: list[str]) -> list[str]:
    """Make these, and no others, the teachers; the new accounts among them.

    Raises:
        ValueError: if a name cannot be used.
    """
    teachers = [on_the_list(name) for name in names]
    _require_root_for_many(room, [*room.accounts.learners(), *names])
    return room.accounts.appoint(teachers)


def _make_state(room: Room) -> None:
    """The folders; that of the hub is its owner's alone."""
    require_folder(room.state)
    open_to_pass = [room.state, room.door, room.state / "homes"]
    for folder, mode in [*((folder, 0o711) for folder in open_to_pass), (room.hub, 0o700)]:
        folder.mkdir(parents=True, exist_ok=True)
        if (owner := folder.lstat().st_uid) != os.getuid() or folder.is_symlink():
            raise ValueError(
                f"{folder} belongs to another user (number {owner}), who could read what is in "
                f"it; name a folder that is not there yet."
            )
        folder.chmod(mode)
    # Found out now, and not at a learner's first login.
    (room.hub / LOCK).touch(mode=0o600)
    for path in room.hub.iterdir():
        if path.is_file():
            path.chmod(0o600)


def _require_root_for_many(room: Room, names: Sequence[str | Learner] | None) -> None:
    count = len(names if names is not None else room.accounts.learners())
    if count > LEARNERS:
        raise ValueError(f"{count} learners are too many for one machine; {LEARNERS} at most.")
    if count > 1 and not (room.as_root and sys.platform == "linux"):
        raise ValueError(
            f"{count} learners need root on Linux, since only root can keep their files apart; "
            f"start it with sudo, or with a single learner."
        )


def _make_home(home: Path, uid: int) -> None:
    """A folder that only the learner may enter; nothing in it is touched."""
    with suppress(FileExistsError):
        home.mkdir(mode=0o700)
        os.chown(home, uid, uid if os.getuid() == 0 else -1)
    if home.is_symlink() or home.lstat().st_uid != uid:
        raise ValueError(f"{home} belongs to somebody else; move it away.")


# -- running -------------------------------------------------------------------


def what_holds(room: Room) -> list[str]:
    """What is enforced on this machine, one sentence each.

    Raises:
        ValueError: if a learner could not even start Python.
    """
    if not room.as_root:
        return ["without root no limits are enforced: this learner's server runs as you"]
    _require_usable_python(room)
    uid = room.first_uid + LEARNERS  # nobody's
    groups = make_groups(uid, room.limits)
    remove_groups(uid)
    limits = room.limits
    held = (
        f"a learner has {limits.memory:g} GiB, {limits.cpus:g} processors and "
        f"{limits.processes} processes, all together (control groups)"
    )
    view, files = "in a shared /tmp", ", while files in memory (/dev/shm) have no limit"
    if room.covered:
        view = "and sees no other's folder, nor the hub's"
        files = f" and {limits.memory / 4:g} GiB for files in memory"
    if not groups:
        held = (
            f"each process of a learner has {limits.memory:g} GiB, and all together "
            f"{limits.processes} processes{files}; the processors are shared without a limit, "
            f"since control groups cannot be written here"
        )
    return [f"each learner runs under a user number of its own, {view}", held]


def can_cover() -> bool:
    """Whether this process may give another a view of the file system of its own."""
    command = ["unshare", "--mount", "--propagation", "private", "true"]
    if os.getuid() or not shutil.which(command[0]):
        return False
    return subprocess.run(command, capture_output=True).returncode == 0


def _require_usable_python(room: Room) -> None:
    """Raise if who is not root cannot run srlab here."""
    uid, name = room.first_uid + LEARNERS, ".probe"
    try:
        plan = {**room.plan(name, uid), "lessons": ["true"]}
        imports = "import srlab.course.copy, jupyterhub"
        command = [*room.launcher(plan), sys.executable, "-c", imports]
        done = subprocess.run(command, capture_output=True, text=True, cwd="/")
        log = Path(plan["log"])
        said = done.stderr + (log.read_text() if log.exists() else "")
    finally:
        shutil.rmtree(room.home(name), ignore_errors=True)
    if done.returncode:
        why = said.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        raise ValueError(
            f"Learners cannot run {sys.executable} ({why[0]}); install srlab and JupyterHub "
            f"where every user may read them, such as below /opt, with a Python from there or "
            f"/usr."
        )


def runs_already(room: Room) -> bool:
    """Whether a hub runs on the folder."""
    try:
        with _alone(room):
            return False
    except ValueError:
        return True


def run(room: Room, say: Callable[[str], None], look: Callable[[], None]) -> int:
    """Run the hub until Ctrl-C; its exit code. The learners' servers go on after it.

    ``say`` takes each sentence for the teacher; ``look`` is called each second.

    Raises:
        ValueError: if it already runs, a port is taken, or it does not start.
    """
    with _alone(room) as lock:
        _require_port(room)
        with room.log.open("ab") as log:
            process = _start(room, log, lock)
            try:
                _wait_until_up(room, process)
                say(f"open http://127.0.0.1:{room.port} (Ctrl-C stops the hub alone)")
                return _wait(process, look)
            finally:
                _stop(process)
                if room.as_root and not any(map(processes_of, room.accounts.uids())):
                    room.holder.release()


def _require_port(room: Room) -> None:
    """Have the port, and let no learner have it while the hub is away."""
    if room.as_root:
        room.holder.take()
        return
    for each in sockets(room.port):
        each.close()


def end_servers(room: Room) -> int:
    """End what the learners have running; how many of them had something."""
    if not room.as_root:
        raise ValueError("Only root can end the learners' servers; use sudo.")
    running = [uid for uid in room.accounts.uids() if processes_of(uid)]
    for uid in running:
        end_processes(uid)
    time.sleep(0.2 if running else 0)
    for uid in running:
        remove_groups(uid)
    room.holder.release()
    return len(running)


@contextmanager
def _alone(room: Room) -> Iterator[int]:
    """Hold the folder's lock, which the hub inherits: two hubs would spoil it."""
    with (room.hub / "running.lock").open("w") as lock:
        if not locked(lock):
            raise ValueError(
                f"A hub already runs on {room.state}; stop it first, or name another folder."
            )
        yield lock.fileno()


def _start(room: Room, log: IO[bytes], lock: int) -> "subprocess.Popen[bytes]":
    config = PACKAGE / "classroom" / "jupyterhub_config.py"
    path = f"{BIN}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    return subprocess.Popen(
        [sys.executable, "-m", "jupyterhub", "-f", str(config)],
        stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=room.hub, pass_fds=[lock],
        env={**os.environ, "PATH": path, SETTINGS: room.settings()},
        start_new_session=True,  # Ctrl-C reaches this process, which tells the hub
    )  # fmt: skip


def _wait_until_up(room: Room, process: "subprocess.Popen[bytes]") -> None:
    """Return once the hub answers on the site's port; raise if it ends."""
    end, url = time.monotonic() + 120, f"http://127.0.0.1:{room.port}/hub/health"
    while time.monotonic() < end and process.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    lines = room.log.read_text(errors="replace").strip().splitlines()
    raise ValueError(f"The hub did not start; {room.log} ends: {lines[-1] if lines else ''}")


def _wait(process: "subprocess.Popen[bytes]", look: Callable[[], None]) -> int:
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        while True:
            with suppress(subprocess.TimeoutExpired):
                return process.wait(timeout=BETWEEN_LOOKS)
            look()
    except KeyboardInterrupt:
        return 0
    finally:
        signal.signal(signal.SIGTERM, before)


def _stop(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=20)
    if process.poll() is None:
        process.kill()
        process.wait()


def close_to_learners(room: Room, learners: Path | None) -> list[str]:
    """Let nobody but their owner read what is the teacher's; a sentence for each.

    The guide holds answers, and so does the history of a clone.
    """
    guides = [course_folder() / name for name in sorted(FOR_TEACHERS)]
    teachers = [*guides, PACKAGE.parent / ".git", *([learners] if learners else [])]
    return [sentence for path in teachers if room.as_root and (sentence := _close(path))]


def _close(path: Path) -> str:
    """What was done about a file or a folder; "" if it was closed, or is not there."""
    if not (path.is_file() or path.is_dir()):
        return ""
    mode = path.stat().st_mode & 0o777
    if not mode & 0o077:
        return ""
    try:
        path.chmod(mode & 0o700)
    except OSError as error:
        return f"{path} can be read by every learner: it could not be closed ({error.strerror})"
    return f"{path} was open to every user of this machine; now to its owner alone"
