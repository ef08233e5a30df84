"""A learner's files, read and written by root without being led astray.

The home is the learner's: any name in it may be a link, a pipe or a gigabyte,
and may become one between two looks. So each folder on the way is opened by the
one before it, links are never followed, and only plain files that belong to the
learner are read. What is written, the learner's own number writes.
"""

import errno
import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import chain, count, islice
from pathlib import Path, PurePosixPath

from srlab.classroom.launch import give_up_root

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
NAMES = 2000  # names of a folder
LARGEST = 50 * 2**20  # bytes of a notebook with its pictures, or of another file
PATIENCE = 60  # seconds, in which the learner's number writes, or is stopped


class NotTheirsError(ValueError):
    """Why a file is not read, in a few words."""


def why_not(error: Exception) -> str:
    """Why a file was not read or written, after its name."""
    if isinstance(error, FileNotFoundError):
        return "is not there"
    if isinstance(error, OSError) and error.strerror:
        return f"failed: {error.strerror.lower()}"
    return str(error)


def read_own(home: Path, name: str, uid: int, *, largest: int = LARGEST) -> bytes:
    """A file in a learner's home.

    Args:
        home: the folder; the names above it are root's.
        name: of the file below it, such as ``.srlab/progress.json``.
        uid: the learner's.
        largest: in bytes.

    Raises:
        FileNotFoundError: if it, or a folder on the way, is missing.
        NotTheirsError: if it is no plain file of the learner's, or too large.
        OSError: if it cannot be read.
    """
    *folders, last = PurePosixPath(name).parts
    with _opened(home, folders) as folder, ExitStack() as held:
        handle = _open(last, FILE, folder)
        held.callback(os.close, handle)
        known = os.fstat(handle)
        if not stat.S_ISREG(known.st_mode):
            raise NotTheirsError("is no plain file")
        if known.st_uid != uid:
            raise NotTheirsError("belongs to somebody else")
        if known.st_size > largest:
            raise NotTheirsError(f"has {known.st_size / 2**20:.0f} MiB, more than is read")
        with open(handle, "rb", closefd=False) as file:
            data = file.read(largest + 1)
    if len(data) > largest:  # it grew meanwhile
        raise NotTheirsError("is longer than is read")
    return data


def list_own(home: Path, name: str) -> list[str]:
    """The names in a folder of a learner's home, in order; a folder's ends with ``/``.

    Raises:
        NotTheirsError: if it is no folder, or a link leads there.
        OSError: if it is missing.
    """
    with _opened(home, list(PurePosixPath(name).parts)) as folder, os.scandir(folder) as found:
        names = [
            one.name + "/" * one.is_dir(follow_symlinks=False) for one in islice(found, NAMES)
        ]
    return sorted(names)


def write_own(home: Path, name: str, uid: int, data: bytes) -> None:
    """Write a file into a learner's home, by the learner's own number.

    What already bears the name is replaced, whatever it is; a folder is not.

    Raises:
        NotTheirsError: if a link or a file stands where a folder is needed.
        OSError: if it cannot be written.
    """

    def write() -> None:
        *folders, last = PurePosixPath(name).parts
        with _opened(home, folders, make=True) as folder:
            part = f".srlab-{os.getpid()}"
            with suppress(FileNotFoundError):
                os.unlink(part, dir_fd=folder)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            with os.fdopen(os.open(part, flags, 0o600, dir_fd=folder), "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, last, src_dir_fd=folder, dst_dir_fd=folder)

    as_learner(uid, write)


def set_aside(home: Path, name: str, uid: int) -> str:
    """Rename what the learner has: ``a`` -> ``a-mine``, ``a-mine-2``, ...; "" if nothing.

    Raises:
        OSError: if it cannot be renamed.
    """
    with _opened(home, []) as folder:
        there = os.listdir(folder)
    if name not in there:
        return ""
    names = chain([f"{name}-mine"], (f"{name}-mine-{n}" for n in count(2)))
    aside = next(one for one in names if one not in there)

    def rename() -> None:
        with _opened(home, []) as folder:
            os.rename(name, aside, src_dir_fd=folder, dst_dir_fd=folder)

    as_learner(uid, rename)
    return aside


def as_learner(uid: int, work: Callable[[], None]) -> None:
    """Do ``work`` in a process that has the learner's rights, and no others.

    Raises:
        OSError: what ``work`` raised, or if it was not done in a minute.
    """
    if os.getuid() != 0:
        return work()
    child = os.fork()
    if child == 0:
        _work_as(uid, work)
    end = time.monotonic() + PATIENCE
    while not (ended := os.waitpid(child, os.WNOHANG))[0]:
        if time.monotonic() > end:  # the learner may have stopped it
            os.kill(child, 9)
            os.waitpid(child, 0)
            raise OSError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
        time.sleep(0.005)
    if code := os.waitstatus_to_exitcode(ended[1]):
        number = code if code > 0 else errno.EINTR
        if number == NO_FOLDER:
            raise NotTheirsError(NO_FOLDER_SAID)
        raise OSError(number, os.strerror(number))
    return None


NO_FOLDER, NO_FOLDER_SAID = 254, "has a link or a file where a folder should be"


def _work_as(uid: int, work: Callable[[], None]) -> None:
    """In the child: never returns."""
    code = errno.EIO
    try:
        give_up_root(uid)
        os.umask(0o077)
        work()
        code = 0
    except NotTheirsError:
        code = NO_FOLDER
    except OSError as error:
        code = error.errno or errno.EIO
    finally:
        os._exit(code)


@contextmanager
def _opened(home: Path, folders: list[str], *, make: bool = False) -> Iterator[int]:
    """The descriptor of a folder below ``home``, with no link on the way."""
    handle = _open(str(home), FOLDER, None)
    try:
        for name in folders:
            if make:
                with suppress(FileExistsError):
                    os.mkdir(name, 0o700, dir_fd=handle)
            below = _open(name, FOLDER, handle)
            os.close(handle)
            handle = below
        yield handle
    finally:
        os.close(handle)


def _open(name: str, flags: int, folder: int | None) -> int:
    if name in ("..", "/"):
        raise NotTheirsError("leads outside")
    try:
        return os.open(name, flags, dir_fd=folder)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            raise NotTheirsError(
                NO_FOLDER_SAID if flags & os.O_DIRECTORY else "is a link"
            ) from None
        if error.errno == errno.ENXIO:  # a socket
            raise NotTheirsError("is no plain file") from None
        raise
