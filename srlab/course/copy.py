"""A learner's own copy of the course, which a later srlab brings up to date.

The copy has no outputs: a learner predicts first, and then sees.

Rule: any byte that differs from what was copied is the learner's, also outputs
that JupyterLab saved, and is never overwritten.
"""

import json
import os
import re
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from pydantic import BaseModel, ValidationError

from srlab import __version__
from srlab.files import PACKAGE, free_path, replacing

COURSE = ("*.md", "*.ipynb", "images/*", "solutions/*.ipynb")
SOLUTIONS = "solutions/"
FOR_TEACHERS = {"TEACHING.md"}  # answers to what learners are asked; no copy has it
MANIFEST = ".srlab-course.json"
FORMAT = 1  # of the manifest
LESSON = re.compile(r"(\d\d)_")

SAID = {  # what became of a file -> how that is told
    "new": "new",  # copied for the first time
    "updated": "updated",  # the learner had not touched it, and the package has a newer
    "kept": "newer, but yours is kept",
    "away": "deleted by you",  # a lesson
    "retired": "no longer in the course, yours stays",
    "theirs": "your own file stays",  # where the course has a file of that name
}


class _Format(BaseModel):
    """What every version's manifest has."""

    format: int


class Manifest(_Format):
    """What was copied: name -> SHA-256, by which srlab, and whether all of it.

    Args:
        solutions: False for a copy that a graded course hands out.
    """

    srlab: str
    files: dict[str, str]
    solutions: bool = True


@dataclass
class Visit:
    """What a call found and did.

    Args:
        first: whether there was no copy yet.
        files: what became of them, as in ``SAID`` -> their names.
    """

    first: bool
    files: dict[str, list[str]]


def copy_course(
    folder: Path, source: Path | None = None, *, solutions: bool | None = None
) -> Visit:
    """Copy the course into ``folder``, or bring a copy there up to date.

    A file that the learner changed stays as it is, and so does any other file
    of theirs. A lesson or solution that they deleted stays away until
    ``reset_lesson``; a deleted page or picture comes back.

    Args:
        folder: made if it is missing.
        source: the course; that of this srlab if None.
        solutions: whether the copy has them, now and at later calls; if None,
            as it is, and a new one does. Those that are there stay.

    Returns:
        What was found and done.

    Raises:
        ValueError: if the folder is part of srlab itself, if a link or a file
            stands where the course needs a folder, or if the manifest is
            damaged or from a newer srlab.
        OSError: if the folder cannot be written, or the disk is full. What
            was copied until then is whole, and the next call goes on.
    """
    source = source or course_folder()
    _require_own_place(folder, source)
    manifest = _read_manifest(folder)
    known = manifest.files
    manifest.solutions = manifest.solutions if solutions is None else solutions
    names = _wanted(course_files(source), manifest)
    _make_folders(folder, names)
    files: dict[str, list[str]] = {kind: [] for kind in (*SAID, "same")}
    sums = {}
    for name in names:
        kind, checksum = _bring(folder / name, offered(source / name), known.get(name))
        files[kind].append(name)
        if checksum:
            sums[name] = checksum
    files["retired"] = sorted(known.keys() - set(names))
    _write_manifest(folder, sums, solutions=manifest.solutions)
    return Visit(not known, files)


def reset_lesson(folder: Path, number: str, source: Path | None = None) -> dict[str, str]:
    """Bring one lesson back as the package has it, and keep the old beside it.

    Everything of that number: the lesson, its companion page, its solution.
    What the learner changed becomes ``03_name.mine.ipynb``, or
    ``03_name.mine-2.ipynb`` if that is taken.

    Args:
        folder: a copy of the course.
        number: such as ``"03"``.
        source: the course; that of this srlab if None.

    Returns:
        Name of each file that was brought -> name of the old one beside it, or
        "" if there was nothing to keep.

    Raises:
        ValueError: if there is no such lesson, or ``folder`` holds no copy.
        OSError: as in ``copy_course``; the learner's file then stays.
    """
    source = source or course_folder()
    _require_own_place(folder, source)
    names = _of_lesson(course_files(source), number)
    if not (folder / MANIFEST).exists():
        raise ValueError(
            f"{folder} holds no copy of the course; srlab lessons {folder} makes one."
        )
    manifest = _read_manifest(folder)
    known, names = manifest.files, _wanted(names, manifest)
    _make_folders(folder, names)
    brought: dict[str, str] = {}
    for name in names:
        data = offered(source / name)
        present = _checksum(folder / name)
        if present != _sum(data):
            brought[name] = _replace(folder / name, data, keep=present != known.get(name))
        known[name] = _sum(data)
    _write_manifest(folder, known, solutions=manifest.solutions)
    return brought


def course_folder() -> Path:
    """Where this srlab keeps its lessons: inside the package, or in the clone.

    Raises:
        ValueError: if it came without them.
    """
    for folder in (PACKAGE / "lessons", PACKAGE.parent / "lessons"):
        if (folder / "README.md").is_file():
            return folder
    raise ValueError("This srlab came without its lessons; install it again.")


def course_files(source: Path) -> list[str]:
    """What learners get, by its name below ``source``, such as ``images/unet.png``."""
    found = {path for pattern in COURSE for path in source.glob(pattern)}
    return sorted(
        path.relative_to(source).as_posix()
        for path in found
        if path.is_file() and not path.name.startswith(".") and path.name not in FOR_TEACHERS
    )


def offered(path: Path) -> bytes:
    """A file as a learner gets it: a notebook without outputs, which show the answers."""
    data = path.read_bytes()
    if path.suffix != ".ipynb":
        return data
    notebook = json.loads(data)
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell |= {"outputs": [], "execution_count": None}
    return f"{json.dumps(notebook, indent=1, ensure_ascii=False)}\n".encode()


def describe(visit: Visit, folder: Path) -> str:
    """What a visit did, one line a kind."""
    found = {kind: names for kind in SAID if (names := visit.files[kind])}
    lines = []
    if visit.first and (new := found.pop("new", [])):
        lines.append(f"copied {len(new)} file{'s' * (len(new) > 1)} into {folder}")
    for kind, names in found.items():
        more = _how_to_get(folder, names) if kind in ("kept", "away") else ""
        lines.append(f"{SAID[kind]}: {', '.join(names)}{more}")
    return "\n".join(lines) or f"{folder} is up to date (srlab {__version__})"


def describe_reset(brought: dict[str, str]) -> str:
    """What a reset did, one line a file."""
    lines = [
        f"brought {name}" + (f"; yours is now {mine}" if mine else "")
        for name, mine in brought.items()
    ]
    return "\n".join(lines) or "nothing to bring: it is as the course has it"


def open_lab(folder: Path, arguments: list[str]) -> None:
    """Run JupyterLab on a copy, on this machine's own address, until it is stopped.

    The arguments are passed on; ``--ip`` among them wins.
    """
    from jupyterlab.labapp import main

    options = [
        f"--ServerApp.root_dir={folder.resolve()}",
        "--LabApp.default_url=/lab/tree/README.md",
    ]
    if not any(given.startswith(("--ip", "--ServerApp.ip")) for given in arguments):
        options.append("--ServerApp.ip=127.0.0.1")
    if hasattr(os, "getuid") and os.getuid() == 0 and "--allow-root" not in arguments:
        options.append("--allow-root")
    main([*options, *arguments])


# -- one file ------------------------------------------------------------------


def _bring(target: Path, data: bytes, copied: str | None) -> tuple[str, str]:
    """What became of a file, as in ``SAID``, and the checksum to remember it by.

    Args:
        target: where the learner has it.
        data: as the package has it.
        copied: the checksum of what was copied there, if anything was.
    """
    present, offered = _checksum(target), _sum(data)
    if present == offered:
        return "same", offered
    if present is None and copied and LESSON.match(target.name):
        return "away", copied
    if present is None or present == copied:
        _write(target, data)
        return ("new" if present is None else "updated"), offered
    if copied is None:
        return "theirs", ""
    return ("same" if offered == copied else "kept"), copied


def _checksum(path: Path) -> str | None:
    """Of a file; None if nothing is there."""
    if not os.path.lexists(path):
        return None
    if path.is_symlink() or not path.is_file():
        return "no plain file"  # such as a link: the learner's own
    return _sum(path.read_bytes())


def _sum(data: bytes) -> str:
    return sha256(data).hexdigest()


def _write(target: Path, data: bytes) -> None:
    with replacing(target) as part:
        part.write_bytes(data)


def _replace(target: Path, data: bytes, *, keep: bool) -> str:
    """Write ``target`` anew; the name beside it that the old one got, or ""."""
    keep = keep and os.path.lexists(target)
    mine = free_path(target.with_name(f"{target.stem}.mine{target.suffix}"))
    with replacing(target) as part:
        part.write_bytes(data)
        if keep:  # only now: on a full disk theirs stays where it is
            target.rename(mine)
    return mine.name if keep else ""


# -- the folder ----------------------------------------------------------------


def require_own_folder(folder: Path, mark: str) -> None:
    """Raise if it holds other files; ``mark`` names a file that only our own folders have."""
    require_folder(folder)
    if folder.exists() and any(folder.iterdir()) and not (folder / mark).exists():
        raise ValueError(f"{folder} holds other files; name a new or an empty folder.")


def require_folder(folder: Path) -> None:
    """Raise if something else stands there."""
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder} is a file; give the name of a folder.")


def _require_own_place(folder: Path, source: Path) -> None:
    """Raise if the copy would lie in the course, in the package, or over the clone."""
    place, source = folder.resolve(), source.resolve()
    inside = any(place.is_relative_to(taken) for taken in (source, PACKAGE))
    if inside or place == source.parent:
        raise ValueError(
            f"{folder} is part of srlab itself; name another folder for your own copy."
        )
    require_folder(folder)


def _make_folders(folder: Path, names: list[str]) -> None:
    """Make the copy's folders, none of which may lead elsewhere by a link."""
    folder.mkdir(parents=True, exist_ok=True)
    for below in sorted({(folder / name).parent for name in names} - {folder}):
        if below.is_symlink() or (below.exists() and not below.is_dir()):
            kind = "link" if below.is_symlink() else "file"
            raise ValueError(
                f"{below} is a {kind}, but the course needs a folder there; "
                f"give the {kind} another name."
            )
        below.mkdir(exist_ok=True)


def _wanted(names: list[str], manifest: Manifest) -> list[str]:
    """What a copy has: all of it, or all but the solutions."""
    return [n for n in names if manifest.solutions or not n.startswith(SOLUTIONS)]


def _read_manifest(folder: Path) -> Manifest:
    """What was copied; without a file if nothing was."""
    path = folder / MANIFEST
    if not path.exists():
        return Manifest(format=FORMAT, srlab=__version__, files={})
    text = path.read_bytes()
    with suppress(ValidationError):
        if (newer := _Format.model_validate_json(text).format) > FORMAT:
            raise ValueError(
                f"{path} was written by a newer srlab (format {newer}, but {__version__} "
                f"reads {FORMAT}); update srlab, or name another folder."
            )
        return Manifest.model_validate_json(text)
    raise ValueError(
        f"{path} is damaged; delete it, then every file that differs from the course "
        f"is taken for yours and stays."
    )


def _write_manifest(folder: Path, files: dict[str, str], *, solutions: bool) -> None:
    manifest = Manifest(format=FORMAT, srlab=__version__, files=files, solutions=solutions)
    _write(folder / MANIFEST, f"{manifest.model_dump_json(indent=1)}\n".encode())


def _of_lesson(names: list[str], number: str) -> list[str]:
    """The files of a lesson."""
    if not number.strip():
        raise ValueError("--reset needs the number of a lesson, such as 03, but got none.")
    numbers = {name: _number(name) for name in names}
    found = [name for name, own in numbers.items() if own == number.zfill(2)]
    if not found:
        there = ", ".join(sorted(set(filter(None, numbers.values()))))
        raise ValueError(f"There is no lesson {number}; there are {there}.")
    return found


def _number(name: str) -> str:
    """``solutions/03_weighted_residuals.ipynb`` -> ``"03"``; "" for a page."""
    match = LESSON.match(Path(name).name)
    return match[1] if match else ""


def _how_to_get(folder: Path, names: list[str]) -> str:
    """How the learner gets what the course has in place of these."""
    numbers = sorted(set(filter(None, map(_number, names))))
    if not numbers:
        return " (give yours another name, and the next call brings the newer)"
    which = numbers[0] if len(numbers) == 1 else f"N, N being {' or '.join(numbers)},"
    return f" (srlab lessons {folder} --reset {which} brings the course's and keeps yours)"
