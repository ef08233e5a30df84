"""Writing files so that a crash never leaves half of one."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(target: str | Path) -> Iterator[Path]:
    """Give a path beside ``target`` to write to; move it there at the end.

    If the block raises, the old ``target`` stays and the new file is removed.

    Raises:
        OSError: if the folder is missing or cannot be written, or the disk is
            full.

    Example:
        >>> with replacing("notes.txt") as path:
        ...     _ = path.write_text("all or nothing")
    """
    target = Path(target)
    if target.is_dir():
        raise IsADirectoryError(f"{target} is a folder; give the name of a file.")
    handle, name = tempfile.mkstemp(
        dir=target.parent, prefix=f".{target.stem}-", suffix=target.suffix
    )
    os.close(handle)
    part = Path(name)
    try:
        yield part
        with part.open("rb+") as file:
            os.fsync(file.fileno())  # a power cut must not leave an empty file
        _give_usual_mode(part)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _give_usual_mode(path: Path) -> None:
    """Undo mkstemp's private mode: give what ``open`` would have given."""
    mask = os.umask(0)
    os.umask(mask)
    path.chmod(0o666 & ~mask)
