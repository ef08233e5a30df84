"""Where files are, and writing them so that a crash never leaves half of one."""

import os
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
"""Where srlab itself lies."""

ASSETS = PACKAGE / "assets"
SHIPPED = ASSETS / "models"


def at_home(path: str | os.PathLike[str]) -> Path:
    """The path, whose ``~`` at the beginning means the home folder, as in a shell.

    A shell itself leaves it as it is after ``=``, between quotation marks, and
    on Windows.

    Example:
        >>> at_home("~/a.png") == Path.home() / "a.png"
        True
    """
    return Path(os.path.expanduser(path))  # Path.expanduser fails on ~nobody


def own_folder() -> Path:
    """Where a learner's own records are: ``$SRLAB_HOME`` or ``~/.srlab``."""
    return at_home(os.environ.get("SRLAB_HOME", "~/.srlab"))


def cache_folder() -> Path:
    """Where downloads are kept: ``$SRLAB_CACHE`` or ``~/.cache/srlab``."""
    return at_home(os.environ.get("SRLAB_CACHE", "~/.cache/srlab"))


@contextmanager
def making(folder: Path) -> Iterator[Path]:
    """Make a folder; at the end, remove again what of it stayed empty.

    Example:
        >>> with making(Path("no-such-folder/below")) as folder:
        ...     folder.is_dir()
        True
        >>> Path("no-such-folder").exists()
        False
    """
    new = [place for place in (folder, *folder.parents) if not place.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
    finally:
        for place in new:
            with suppress(OSError):  # it holds something now
                place.rmdir()


@contextmanager
def replacing(target: str | Path, *, overwrite: bool = True) -> Iterator[Path]:
    """Give a path beside ``target`` to write to; move it there at the end.

    If the block raises, the old ``target`` stays and the new file is removed.

    Args:
        target: a file, or nothing yet.
        overwrite: if not, a ``target`` that is there at the end stays.

    Raises:
        FileExistsError: if ``target`` is there and must not be overwritten.
        OSError: if the folder is missing or cannot be written, or the disk is
            full.

    Example:
        >>> with replacing("notes.txt") as path:
        ...     _ = path.write_text("all or nothing")
    """
    target = Path(target)
    _require_file_or_nothing(target)
    with _naming(target):
        handle, name = tempfile.mkstemp(
            dir=target.parent, prefix=".srlab-", suffix=target.suffix
        )
    os.close(handle)
    part = Path(name)
    try:
        with _naming(target):
            yield part
            with part.open("rb+") as file:
                os.fsync(file.fileno())  # a power cut must not leave an empty file
            _give_usual_mode(part)
            _move(part, target, overwrite=overwrite)
    finally:
        part.unlink(missing_ok=True)


def free_path(target: str | Path, *, own: Collection[Path] = ()) -> Path:
    """``target``, or the first of ``-2``, ``-3`` ... that does not exist yet.

    Args:
        target: where a file shall go.
        own: files that may be replaced, since the caller wrote them.

    Example:
        >>> free_path("no-such-file.png").name
        'no-such-file.png'
    """
    path = target = Path(target)
    number = 2
    while os.path.lexists(path) and path not in own:  # a broken link is there, too
        path = target.with_name(f"{target.stem}-{number}{target.suffix}")
        number += 1
    return path


def write_beside(
    target: Path, write: Callable[[Path], object], *, overwrite: bool = False
) -> Path:
    """Write ``target``, or a file beside it if something is there already.

    Args:
        target: a file; its folder exists.
        write: called with the path. If ``overwrite`` is not set, it raises
            FileExistsError if a file appeared there meanwhile, and is called
            again with another path.
        overwrite: replace what is there.

    Returns:
        Where it was written.
    """
    while True:
        path = target if overwrite else free_path(target)
        with suppress(FileExistsError):
            write(path)
            return path


def _move(part: Path, target: Path, *, overwrite: bool) -> None:
    if overwrite:
        part.replace(target)
        return
    try:
        os.link(part, target)  # unlike a renaming it fails where something is
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links, such as a memory card's
        target.touch(exist_ok=False)
        part.replace(target)


def _require_file_or_nothing(target: Path) -> None:
    """Raise if something stands there that must not be replaced."""
    if target.is_dir():
        raise IsADirectoryError(f"{target} is a folder; give the name of a file.")
    if target.exists() and not target.is_file():  # such as /dev/null
        raise OSError(f"{target} is a device; give the name of a file.")


@contextmanager
def _naming(target: Path) -> Iterator[None]:
    """Name the target in the system's errors, which know only the file beside it."""
    try:
        yield
    except OSError as error:
        why = error.strerror.lower() if error.strerror else error
        named = type(error)(f"{target} could not be written: {why}.")
        named.errno = error.errno  # a full disk is known by it
        raise named from None


def _give_usual_mode(path: Path) -> None:
    """Undo mkstemp's private mode: give what ``open`` would have given."""
    mask = os.umask(0)
    os.umask(mask)
    path.chmod(0o666 & ~mask)
