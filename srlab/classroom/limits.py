"""What a learner's server may take: memory, processor, processes.

Linux's control groups hold for all processes of a learner together; where they
cannot be written, limits of each process are left.
"""

import os
import re
import signal
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
OURS = "srlab-classroom"
PERIOD = 100_000  # µs, over which a share of the processors is counted


@dataclass(frozen=True)
class Limits:
    """For one learner.

    Args:
        memory: GiB, for all processes together, or for each where there are no
            control groups.
        cpus: processors; 0.5 is half of one.
        processes: processes and threads.

    Raises:
        ValueError: if no lesson would run with it.
    """

    memory: float = 2.0
    cpus: float = 1.0
    processes: int = 512

    def __post_init__(self) -> None:
        if not self.memory >= 1:
            raise ValueError(
                f"--memory is {self.memory:g} GiB, but a training takes about 1; "
                f"give 1.5 or more."
            )
        if not self.cpus > 0:
            raise ValueError(f"--cpus is {self.cpus:g}, but must be more than 0, such as 1.")

    @property
    def bytes(self) -> int:
        return int(self.memory * 2**30)

    @property
    def threads(self) -> int:
        """That a training should use, so that it does not wait for its own share."""
        return max(1, int(self.cpus))


def make_groups(uid: int, limits: Limits, root: Path = CGROUPS) -> list[Path]:
    """A learner's control groups, made and limited; empty where that cannot be.

    Returns:
        Folders; a process enters by writing its number to ``cgroup.procs``.
    """
    try:
        if (root / "cgroup.controllers").exists():
            return [_make_unified(uid, limits, root)]
        return _make_each(uid, limits, root)
    except OSError:  # not root, or a container that may not
        remove_groups(uid, root)
        return []


def remove_groups(uid: int, root: Path = CGROUPS) -> None:
    """Remove a learner's groups, once no process is left in them."""
    for group in (root / OURS / str(uid), *root.glob(f"*/{OURS}/{uid}")):
        with suppress(OSError):
            group.rmdir()


def _make_unified(uid: int, limits: Limits, root: Path) -> Path:
    """Control groups of version 2: one tree for everything."""
    ours = root / OURS
    ours.mkdir(exist_ok=True)
    for folder in (root, ours):
        _write(folder / "cgroup.subtree_control", "+memory +cpu +pids")
    group = ours / str(uid)
    group.mkdir(exist_ok=True)
    _write(group / "memory.max", limits.bytes)
    with suppress(OSError):  # only where there is swap
        _write(group / "memory.swap.max", 0)
    _write(group / "cpu.max", f"{int(limits.cpus * PERIOD)} {PERIOD}")
    _write(group / "pids.max", limits.processes)
    return group


def _make_each(uid: int, limits: Limits, root: Path) -> list[Path]:
    """Control groups of version 1: a tree for each kind."""
    values = {
        "memory": ("memory.limit_in_bytes", limits.bytes),
        "cpu": ("cpu.cfs_quota_us", int(limits.cpus * PERIOD)),
        "pids": ("pids.max", limits.processes),
    }
    groups = [root / kind / OURS / str(uid) for kind in values]
    for group, (name, value) in zip(groups, values.values(), strict=True):
        if not group.parent.parent.is_dir():
            raise OSError(f"{group.parent.parent} is missing.")
        group.mkdir(parents=True, exist_ok=True)
        _write(group / name, value)
    return groups


def _write(path: Path, value: object) -> None:
    # Not Path.write_text: the kernel's files are there already, or it is an error.
    with open(path, "r+") as file:
        file.write(f"{value}\n")


def processes_of(uid: int) -> list[int]:
    """The numbers of all processes that run under a user number."""
    return [number for number, user in _processes() if user == uid]


def users_of_processes() -> dict[int, set[Path]]:
    """User number -> the home folders of all processes that run under it."""
    found: dict[int, set[Path]] = {}
    for number, user in _processes():
        with suppress(OSError):  # ended meanwhile
            said = Path(f"/proc/{number}/environ").read_bytes().split(b"\0")
            homes = [one.removeprefix(b"HOME=") for one in said if one.startswith(b"HOME=")]
            found.setdefault(user, set()).add(Path(os.fsdecode((homes or [b""])[0])))
    return found


def _processes() -> Iterator[tuple[int, int]]:
    """Number and user of all processes; those that ended and wait to be buried are none."""
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # ended meanwhile
            # Not the folder's owner: the kernel may give that to root.
            said = (folder / "status").read_text()
            line = re.search(r"^Uid:\s+(\d+)", said, re.MULTILINE)
            if line and not re.search(r"^State:\s+[ZX]", said, re.MULTILINE):
                yield int(folder.name), int(line[1])


def end_processes(uid: int) -> None:
    """Kill all that runs under a user number, also what was left behind."""
    for number in processes_of(uid):
        with suppress(ProcessLookupError):
            os.kill(number, signal.SIGKILL)
