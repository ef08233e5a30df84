"""Which files of a folder are pictures, and which are left out."""

import os
import re
import warnings
from collections import Counter, deque
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from srlab.images.kinds import picture_suffixes

PLURAL = {
    "that is no picture": "that are no pictures",
    "that is no file": "that are no files",
    "that looks like an earlier result": "that look like earlier results",
    "link that leads back": "links that lead back",
    "folder that cannot be read": "folders that cannot be read",
}
SYSTEM = frozenset(
    {"@eadir", "@__thumb", "#recycle", "@recycle", "$recycle.bin", "__macosx", "lost+found",
     "system volume information"}
)  # fmt: skip
"""What systems put beside pictures under a name that does not begin with a dot."""

RESULT = re.compile(r"(.+)_x[248](-\d+)?")
HR = re.compile(r"(?<![A-Za-z])HR(?![A-Za-z])", re.IGNORECASE)


@dataclass
class Found:
    """The pictures of a folder, each once, by their names below it; what else is there."""

    folder: Path
    pictures: dict[str, Path] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)  # why -> how many

    def counts(self) -> str:
        """What was left out, such as ``3 hidden, 2 that are no pictures``."""
        return ", ".join(
            f"{count} {why if count == 1 else PLURAL.get(why, why)}"
            for why, count in sorted(self.left_out.items())
        )


def find_pictures(
    folder: Path, *, pattern: str | None = None, results: Path | None = None
) -> dict[str, Path]:
    """Look for the pictures in a folder and below it; say in one warning what else is there.

    Left out are hidden files and folders, and what systems put beside
    pictures, such as thumbnails. Links are followed; a picture that is reached
    twice counts once.

    Args:
        folder: also a link to one.
        pattern: such as ``"*_HR*"``, for the name or the name below ``folder``;
            small and capital letters differ.
        results: where ``upscale`` will write. What lies there, if it is a
            folder inside, is left out, and so is what is named as one of its
            results.

    Returns:
        Name below ``folder``, with ``/`` -> file; sorted.

    Raises:
        ValueError: if ``folder`` is none, or holds no such picture.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder} is no folder; give the name of a folder of pictures.")
    found = Found(folder)
    _look(found, results)
    for name in earlier_results(found.pictures) if results is not None else ():
        del found.pictures[name]
        found.left_out["that looks like an earlier result"] += 1
    _require_some(found)
    if pattern is not None:
        _keep(found, pattern)
    if counts := found.counts():
        warnings.warn(f"left out of {folder}: {counts}.", stacklevel=3)
    return dict(sorted(found.pictures.items()))


def is_hidden(name: str) -> bool:
    """Whether people do not see a file or folder of that name among their pictures."""
    return name.startswith(".") or name.casefold() in SYSTEM


def earlier_results(names: Collection[str]) -> set[str]:
    """The names that look like results of ``upscale``, if their originals are there.

    Args:
        names: of files; the original has to be among them.

    Example:
        >>> sorted(earlier_results(["cat.jpg", "cat_x4.png", "dog_x2.png", "cat-jpg_x2.png"]))
        ['cat-jpg_x2.png', 'cat_x4.png']
    """
    originals = {call for name in names for call in (Path(name).stem, with_kind(name))}
    matches = ((name, RESULT.fullmatch(Path(name).stem)) for name in names)
    return {name for name, match in matches if match and match[1] in originals}


def with_kind(name: str | Path) -> str:
    """What to call a result where the original's name alone is not enough.

    Example:
        >>> with_kind("cat.jpg")
        'cat-jpg'
    """
    name = Path(name)
    return f"{name.stem}-{name.suffix[1:]}"


def hr_and_lr(names: Collection[str]) -> list[tuple[str, str]]:
    """Pairs of names that differ only by HR and LR, as published sets have them.

    Example:
        >>> hr_and_lr(["img_001_HR.png", "img_001_LR.png", "b.png"])
        [('img_001_HR.png', 'img_001_LR.png')]
    """
    known = {name.casefold(): name for name in names}
    pairs = ((name, known.get(HR.sub("lr", name).casefold(), name)) for name in names)
    return [(hr, lr) for hr, lr in pairs if lr.casefold() != hr.casefold()]


def _look(found: Found, results: Path | None) -> None:
    """Sort every file below the folder: a picture, or why it is left out."""
    suffixes, seen = picture_suffixes(), set[object]()
    for place, files in _places(found, results and results.resolve()):
        for path in sorted((place / name for name in files), key=_real_first):
            why = _why_not(path, suffixes)
            if not why and identity(path) in seen:
                why = "reached twice"
            if why:
                found.left_out[why] += 1
            else:
                seen.add(identity(path))
                found.pictures[path.relative_to(found.folder).as_posix()] = path


def _why_not(path: Path, suffixes: Collection[str]) -> str:
    """Why a file counts as no picture; "" if it does."""
    if path.suffix.lower() not in suffixes:
        return "that is no picture"
    if is_hidden(path.name):
        return "hidden"
    if path.exists() and not path.is_file():  # a pipe would be waited for
        return "that is no file"
    return ""


def _places(found: Found, results: Path | None) -> Iterator[tuple[Path, list[str]]]:
    """Every folder and its files, each once: real folders first, then those behind links."""
    waiting, seen = deque([found.folder]), set[object]()

    def unreadable(_: OSError) -> None:
        found.left_out["folder that cannot be read"] += 1

    while waiting:
        for name, folders, files in os.walk(waiting.popleft(), onerror=unreadable):
            place = Path(name)
            if identity(place) in seen:
                found.left_out["reached twice"] += 1
                folders.clear()
                continue
            seen.add(identity(place))
            folders[:] = sorted(
                below for below in folders if _enters(found, place / below, results)
            )
            waiting += [place / below for below in folders if _is_link(place / below)]
            yield place, files


def _enters(found: Found, folder: Path, results: Path | None) -> bool:
    """Whether to look into a folder; if not, that is counted."""
    real, home = folder.resolve(), folder.parent.resolve()
    if is_hidden(folder.name):
        found.left_out["hidden"] += 1
    elif real == results:
        found.left_out[f"folder of results ({folder.name})"] += 1
    elif home.is_relative_to(real):
        found.left_out["link that leads back"] += 1
    else:
        return True
    return False


def _is_link(folder: Path) -> bool:
    return os.path.islink(folder) or getattr(os.path, "isjunction", os.path.islink)(folder)


def _real_first(path: Path) -> tuple[bool, str]:
    return path.is_symlink(), path.name


def identity(path: Path) -> object:
    """The same for every name of a file or folder, such as by a link."""
    try:
        status = path.stat()
    except OSError:  # a link to nowhere
        return path
    return (status.st_dev, status.st_ino) if status.st_ino else path.resolve()


def _keep(found: Found, pattern: str) -> None:
    """Keep what the pattern names."""
    kept = {
        name: path
        for name, path in found.pictures.items()
        if fnmatchcase(path.name, pattern) or fnmatchcase(name, pattern)
    }
    if not kept:
        raise ValueError(
            f"No picture in {found.folder} is named {pattern}, but there are "
            f"{len(found.pictures)} others, such as {min(found.pictures)}; large and small "
            f"letters differ."
        )
    if more := len(found.pictures) - len(kept):
        found.left_out["by the pattern"] = more
    found.pictures = kept


def _require_some(found: Found) -> None:
    if not found.pictures:
        counts = found.counts()
        raise ValueError(
            f"{found.folder} holds no pictures; expected JPEG, PNG, WebP or TIFF files"
            + (f"; left out: {counts}." if counts else ".")
        )
