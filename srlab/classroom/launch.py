"""Become a learner, then run their server: ``python -I launch.py JSON COMMAND...``.

Runs as root, in a mount namespace of its own where the system allows one, and
needs nothing but Python itself. The order matters: what only root may do comes
first, and nothing of the learner's is touched before root is given up.
"""

import ctypes
import json
import os
import resource
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

# linux/mount.h, linux/prctl.h
MS_NOSUID, MS_NODEV, MS_BIND, MS_REC = 2, 4, 4096, 16384
PR_SET_NO_NEW_PRIVS = 38

OPEN_TO_ALL = 0o001  # others may pass through the folder
SHARED = ("/tmp", "/var/tmp", "/dev/shm")  # where everyone may write
POOL, FILES_AT_MOST = "/tmp", 200_000

libc = ctypes.CDLL(None, use_errno=True)


def main(plan: dict[str, Any], command: list[str]) -> None:
    """Do what the plan says, in its order, then become ``command``.

    Args:
        plan: ``groups`` to enter, ``memory`` in bytes, ``shared``: how much of
            it files in memory may take (all, if not given), ``processes`` at
            most, ``keep``: folders that the learner needs, ``hide``: what else
            is covered, ``home``, ``uid`` (None: stay who you are), ``lessons``:
            the command that brings them, ``log``: file for all that is said.
        command: the learner's server.
    """
    for group in plan["groups"]:
        Path(group, "cgroup.procs").write_text(str(os.getpid()))
    if plan["keep"]:
        cover(plan["keep"], plan["hide"], plan.get("shared", plan["memory"]))
    os.umask(0o077)
    if plan["uid"] is not None:
        set_limits(plan["memory"], plan["processes"])
        give_up_root(plan["uid"])
    os.chdir(plan["home"])
    say_into(plan["log"])
    # Kernels have sockets there, whose names may have 107 letters and no more.
    os.environ["JUPYTER_RUNTIME_DIR"] = tempfile.mkdtemp(prefix="jupyter-")
    subprocess.run(plan["lessons"], check=False)  # what is wrong stands in the log
    os.execvp(command[0], command)


def cover(keep: list[str], hide: list[str], size: int) -> None:
    """Lay empty folders over what is closed or shared, with ``keep`` inside them.

    So a Python in a closed home folder can be used, and each learner has a
    ``/tmp`` of their own; other homes are not even there. All of it holds for
    this process and its children alone. ``size`` bytes are all that the learner
    can write into memory.
    """
    os.umask(0o022)
    # By descriptors, since the paths lead nowhere once something lies over them.
    handles = {path: os.open(path, os.O_PATH | os.O_DIRECTORY) for path in keep}
    shared = [path for path in (*SHARED, *other_memory()) if os.path.isdir(path)]
    tops = outermost({*hide, *shared, *closed_parents(keep)})
    # One file system for all, since each of its own would have the whole size.
    mount(
        "tmpfs", POOL, "tmpfs", MS_NOSUID | MS_NODEV, f"size={size},nr_inodes={FILES_AT_MOST}"
    )
    parts = {path: _part(number) for number, path in enumerate(shared)}
    for top in sorted(tops, key=POOL.__eq__):  # what hides the pool itself comes last
        if top in parts:
            mount(f"/proc/self/fd/{parts[top]}", top, "", MS_BIND)
        elif os.path.isdir(top):
            mount("tmpfs", top, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755,size=1m")
        for path, handle in handles.items():
            if inside(path, top):
                os.makedirs(path, exist_ok=True)
                mount(f"/proc/self/fd/{handle}", path, "", MS_BIND | MS_REC)
    for handle in (*handles.values(), *parts.values()):
        os.close(handle)
    with suppress(OSError):  # where a container shows a /proc of its own
        mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV, "hidepid=invisible")
    bar_namespaces(f"{POOL}/.srlab-root")


def _part(number: int) -> int:
    """A folder of the pool in which everyone may write, by its descriptor."""
    path = f"{POOL}/{number}"
    os.mkdir(path)
    os.chmod(path, 0o1777)
    return os.open(path, os.O_PATH | os.O_DIRECTORY)


def other_memory() -> list[str]:
    """Further folders in memory that everyone may write to, such as ``/run/lock``."""
    lines = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    tops = [Path(line[1]) for line in lines if line[2] == "tmpfs"]
    open_to_write = [
        str(folder)
        for top in tops
        for folder in (top, *(each for each in _listed(top) if not each.is_symlink()))
        if folder.is_dir() and folder.stat().st_mode & 0o002
    ]
    return sorted(set(open_to_write) - set(SHARED))


def _listed(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def bar_namespaces(root: str) -> None:
    """See to it that no namespace can be made in which a learner would be root.

    There any file system in memory could be mounted, of any size. Linux refuses
    that to who lives in another root than the machine's, so all is bound into
    a new folder, and that becomes the root.
    """
    os.mkdir(root)
    mount("/", root, "", MS_BIND | MS_REC)
    os.chroot(root)
    os.chdir("/")


def closed_parents(paths: list[str]) -> set[str]:
    """The folders above ``paths`` that not everyone may pass."""
    parents = {str(parent) for path in paths for parent in Path(path).parents}
    return {path for path in parents if not os.stat(path).st_mode & OPEN_TO_ALL}


def outermost(paths: set[str]) -> list[str]:
    """Those that lie in no other."""
    return [
        path
        for path in sorted(paths)
        if not any(path != other and inside(path, other) for other in paths)
    ]


def inside(path: str, folder: str) -> bool:
    return Path(path).is_relative_to(folder)


def mount(what: str, where: str, kind: str, flags: int, options: str = "") -> None:
    """By the system call: the command of that name would resolve a descriptor's path."""
    arguments = (what.encode(), where.encode(), kind.encode(), flags, options.encode())
    check(libc.mount(*arguments), where)


def check(result: int, what: str) -> None:
    """Raise what the system said, if it refused."""
    if result:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)


def set_limits(memory: int, processes: int) -> None:
    """For each process: data, not address space, of which PyTorch reserves gigabytes."""
    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    resource.setrlimit(resource.RLIMIT_NPROC, (processes, processes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def give_up_root(uid: int) -> None:
    """For good: no program can bring rights back, not even one owned by root."""
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    check(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "rights")


def say_into(log: str) -> None:
    """Send what this process and its server say into the learner's own file."""
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    for stream in (1, 2):
        os.dup2(handle, stream)
    os.close(handle)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]), sys.argv[2:])
