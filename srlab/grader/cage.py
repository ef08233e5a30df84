"""The cage: what a process may see and take that runs a learner's code.

``enter`` makes of a freshly forked process one that sees Python, srlab and a
small folder of its own, has no network and no rights, and ends when its time is
up. As root it gets a user number of its own; for others a user namespace does.
"""

import ctypes
import os
import resource
import select
import signal
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from pydantic import BaseModel, ConfigDict

from srlab.classroom.launch import (
    MS_BIND,
    MS_NODEV,
    MS_NOSUID,
    MS_REC,
    PR_SET_NO_NEW_PRIVS,
    bar_namespaces,
    check,
    give_up_root,
    libc,
    mount,
    outermost,
)
from srlab.files import PACKAGE

# linux/sched.h, linux/mount.h, linux/prctl.h, linux/capability.h
CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC = 0x20000, 0x4000000, 0x8000000
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000
MS_RDONLY, MS_NOEXEC, MS_PRIVATE = 1, 8, 1 << 18
MNT_DETACH = 2
MOUNT_SETATTR = 442  # the system call's number, on every processor
AT_FDCWD, AT_RECURSIVE = -100, 0x8000
CAPABILITY_VERSION = 0x20080522

SYSTEM = ("/usr", "/lib", "/lib32", "/lib64", "/bin", "/sbin")
DEVICES = ("null", "zero", "full", "random", "urandom")
WRITABLE = ("home", "tmp", "dev/shm")
NEW_ROOT = "/tmp"  # only until it becomes /
ROOM = 64 * 2**20  # bytes of files
FILES = 4000
HIDDEN = ("checks", "lessons/solutions", "assets/course")  # of srlab
SPARE = 10  # seconds of the processor: so that the clock is what ends it


class Rules(BaseModel):
    """What a checker and its sandbox may take.

    Args:
        uids: user numbers of a sandbox and of a checker; None: stay who you are.
        groups: control groups of a sandbox.
        memory: bytes of each process.
        processes: and threads.
        seconds: on the clock.
    """

    model_config = ConfigDict(frozen=True)

    uids: tuple[int, int] | None
    groups: tuple[str, ...]
    memory: int
    processes: int
    seconds: int


@dataclass(frozen=True, kw_only=True)
class Cage:
    """One of the two: a checker, which is trusted, or a sandbox."""

    rules: Rules
    trusted: bool
    closed: bool  # with a network and all of its own, which not every system allows

    @property
    def uid(self) -> int | None:
        """The user number to become; None: stay who you are."""
        return self.rules.uids[self.trusted] if self.rules.uids else None


def hidden_folders() -> tuple[str, ...]:
    """Checks and solutions, of this srlab and of any other that Python has here."""
    packages = {str(PACKAGE), *(os.path.join(path, "srlab") for path in sys.path if path)}
    packages |= {os.path.realpath(path) for path in packages}
    return tuple(f"{path}/{name}" for path in sorted(packages) for name in HIDDEN)


def enter(cage: Cage, keep: list[int], alive: int) -> None:
    """Close this process in, for good; it must have been forked for that.

    The descriptors ``keep`` stay open, and ``alive``, whose other end whoever
    started this holds.

    Raises:
        OSError: if the system does not allow something of it.
    """
    close_all_but([*keep, alive])
    for group in () if cage.trusted else cage.rules.groups:
        Path(group, "cgroup.procs").write_text(str(os.getpid()))
    if cage.closed:
        make_namespaces()
        build_view(cage)
        go_on_as_first_process(alive)
        take_view()
    else:
        take_folder(cage.uid)
    set_limits(cage)
    give_up_rights(cage)


def close_all_but(keep: list[int]) -> None:
    """Nothing to read, and all that is printed goes nowhere."""
    os.setsid()
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    start = 3
    for descriptor in [*sorted(keep), os.sysconf("SC_OPEN_MAX")]:
        os.closerange(start, descriptor)
        start = descriptor + 1


def make_namespaces() -> None:
    """Mounts, network, processes and messages that are this process's alone."""
    kinds = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS
    uid, gid, as_root = os.geteuid(), os.getegid(), os.geteuid() == 0
    check(libc.unshare(kinds if as_root else kinds | CLONE_NEWUSER), "namespaces")
    if not as_root:
        for name, text in (
            ("setgroups", "deny"),
            ("uid_map", f"{uid} {uid} 1"),
            ("gid_map", f"{gid} {gid} 1"),
        ):
            Path("/proc/self", name).write_text(text)
    mount("none", "/", "", MS_REC | MS_PRIVATE)


def build_view(cage: Cage) -> None:
    """Lay out a file system that holds what Python needs, all of it read-only."""
    os.umask(0o022)
    # By descriptors, since the paths lead nowhere once the new root lies over them.
    handles = {path: os.open(path, os.O_PATH) for path in needed()}
    hidden = () if cage.trusted else hidden_folders()
    options = f"mode=755,size={ROOM},nr_inodes={FILES}"
    mount("tmpfs", NEW_ROOT, "tmpfs", MS_NOSUID | MS_NODEV, options)
    for path, handle in handles.items():
        bind(handle, f"{NEW_ROOT}{path}")
        os.close(handle)
    for name in SYSTEM:
        if os.path.islink(name):
            os.symlink(os.readlink(name), f"{NEW_ROOT}{name}")
    for folder in hidden:
        if os.path.isdir(f"{NEW_ROOT}{folder}"):
            mount("tmpfs", f"{NEW_ROOT}{folder}", "tmpfs", MS_RDONLY, "mode=755,size=4k")
    for name in WRITABLE:
        os.makedirs(f"{NEW_ROOT}/{name}", exist_ok=True)
        os.chmod(f"{NEW_ROOT}/{name}", 0o1777)
    os.makedirs(f"{NEW_ROOT}/proc")


def needed() -> list[str]:
    """Folders and devices that Python, torch and srlab cannot do without."""
    pythons = {sys.base_prefix, sys.prefix, str(PACKAGE)}
    folders = {*pythons, *map(os.path.realpath, pythons)}
    folders |= {path for path in SYSTEM if os.path.isdir(path) and not os.path.islink(path)}
    devices = [f"/dev/{name}" for name in DEVICES]
    files = [path for path in ("/etc/ld.so.cache",) if os.path.isfile(path)]
    return [*outermost(folders), *devices, *files]


def bind(handle: int, target: str) -> None:
    source = f"/proc/self/fd/{handle}"
    if os.path.isdir(source):
        os.makedirs(target, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        Path(target).touch()
    mount(source, target, "", MS_BIND | MS_REC)
    make_read_only(target, devices=target.startswith(f"{NEW_ROOT}/dev/"))


def make_read_only(target: str, *, devices: bool) -> None:
    """With all that is mounted below; a device itself can still be written."""
    flags = MS_RDONLY | MS_NOSUID | (0 if devices else MS_NODEV)
    attributes = (ctypes.c_uint64 * 4)(flags, 0, 0, 0)
    size = ctypes.sizeof(attributes)
    call = libc.syscall(
        MOUNT_SETATTR, AT_FDCWD, target.encode(), AT_RECURSIVE, attributes, size
    )
    check(call, target)


def go_on_as_first_process(alive: int) -> None:
    """Continue in the new namespace of processes, whose end ends all in it.

    The process that was there until now stays outside as a guard: it ends the
    first one when ``alive`` does, and ends as that one has ended.
    """
    if pid := os.fork():
        guard(pid, alive)
    os.close(alive)


def guard(pid: int, alive: int) -> NoReturn:
    """Wait for a child's end, or for that of whoever holds ``alive``'s other end."""
    ended = os.pidfd_open(pid)
    select.select([ended, alive], [], [])
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), os.WTERMSIG(status))
    os._exit(0)


def take_view() -> None:
    """Make what was laid out the root; what was there before is gone."""
    with suppress(OSError):  # a container that may not; then there is none
        mount("proc", f"{NEW_ROOT}/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    os.chdir(NEW_ROOT)
    check(libc.pivot_root(b".", b"."), "the root")
    check(libc.umount2(b".", MNT_DETACH), "the root")
    bar_namespaces("/.root")
    os.chdir("/home")
    live_in("/home", "/tmp")


def take_folder(uid: int | None) -> None:
    """Without a view of its own: a new folder, beside all that was there."""
    folder = tempfile.mkdtemp(prefix="srlab-grade-")
    if uid is not None:
        os.chown(folder, uid, uid)
    os.chdir(folder)
    live_in(folder, folder)


def live_in(home: str, scratch: str) -> None:
    os.environ.update(HOME=home, TMPDIR=scratch)
    tempfile.tempdir = scratch


def set_limits(cage: Cage) -> None:
    """Of each process; what is reserved already, by torch, comes on top."""
    limits = {
        resource.RLIMIT_AS: reserved() + cage.rules.memory,
        resource.RLIMIT_NPROC: cage.rules.processes,
        resource.RLIMIT_CPU: cage.rules.seconds + SPARE,
        resource.RLIMIT_FSIZE: ROOM,
        resource.RLIMIT_NOFILE: 256,
        resource.RLIMIT_CORE: 0,
    }
    for kind, most in limits.items():
        resource.setrlimit(kind, (most, most))


def reserved() -> int:
    """Bytes of address space that this process has."""
    words = Path("/proc/self/statm").read_text().split() if Path("/proc/self").exists() else []
    return int(words[0]) * os.sysconf("SC_PAGE_SIZE") if words else 4 * 2**30


def give_up_rights(cage: Cage) -> None:
    """For good, also those that a user namespace has brought."""
    if cage.uid is not None:
        give_up_root(cage.uid)
    head, none = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION, 0), (ctypes.c_uint32 * 6)()
    check(libc.capset(head, none), "rights")
    check(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "rights")


def run_in(
    cage: Cage,
    keep: list[int],
    work: Callable[[], None],
    explain: Callable[[Exception], None] = lambda _: None,
) -> int:
    """Fork, enter the cage, do the work there, and end.

    ``explain`` takes what went wrong, if the cage could not be entered.

    Returns:
        A descriptor; at the latest when it is closed, the process ends.
    """
    read, write = os.pipe()
    if os.fork():
        os.close(read)
        return write
    try:
        try:
            enter(cage, keep, read)
        except Exception as error:
            explain(error)
            raise
        work()
    finally:
        os._exit(0)
