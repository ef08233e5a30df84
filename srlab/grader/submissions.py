"""Notebooks that were handed in, read as text: nothing of them runs here."""

import json
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from srlab.classroom.homes import LARGEST
from srlab.course.copy import LESSON, course_folder
from srlab.course.syllabus import lesson as find_lesson
from srlab.course.syllabus import lessons

LONGEST_CODE = 2**20  # letters
ASSIGNMENT = re.compile(r"lesson_\d\d$")
PASSED_OVER = {".ipynb_checkpoints", "solutions"}


@dataclass(frozen=True)
class Task:
    """One exercise of a lesson."""

    lesson: str  # its number, such as "01"
    number: int  # from 1
    title: str  # that of its check
    name: str  # of the function or class that answers it

    @property
    def check(self) -> str:
        return f"check_{self.title}"


class Submission(NamedTuple):
    """A notebook, whose learner the folder names, or the file that lies in none."""

    learner: str
    path: Path


def find_submissions(paths: list[Path]) -> list[Submission]:
    """All notebooks below the paths, in the order of their names.

    ``ada/lesson_01/01_pixel_loss.ipynb`` and ``ada/01_pixel_loss.ipynb`` are
    ada's, also if ``ada`` itself is given, and so is ``ada.ipynb``. Of a course
    for nbgrader, what lies in ``submitted`` is taken.

    Raises:
        ValueError: if there are none.
        OSError: if a folder cannot be read.
    """
    found = [one for path in paths for one in _below(path)]
    if not found:
        raise ValueError(
            f"There is no notebook in {', '.join(map(str, paths))}; name a folder such as "
            f"submitted/, with one folder a learner."
        )
    return sorted(set(found), key=lambda one: (one.learner, str(one.path)))


def _below(path: Path) -> Iterator[Submission]:
    if not path.is_dir():
        if not path.exists():
            raise FileNotFoundError(f"{path} does not exist; check the name.")
        yield Submission(_learner(path, path.parent), path)
        return
    root = path / "submitted" if (path / "submitted").is_dir() else path
    for folder, folders, files in os.walk(root, onerror=_raise):
        folders[:] = [name for name in folders if name not in PASSED_OVER]
        for name in files:
            if name.endswith(".ipynb") and not name.startswith("."):
                found = Path(folder, name)
                yield Submission(_learner(found, root), found)


def _learner(notebook: Path, root: Path) -> str:
    """Whose it is, by the uppermost folder that is no lesson's, or by its own name."""
    below, above = notebook.relative_to(root).parts[:-1], root.resolve().parts
    folders = [name for name in below if not ASSIGNMENT.match(name)]
    if not folders and not LESSON.match(notebook.name) and notebook.parent == root:
        return notebook.stem
    return (folders or [name for name in above[::-1] if not ASSIGNMENT.match(name)])[0]


def _raise(error: OSError) -> None:
    raise error


def read_code(path: Path) -> list[str]:
    """The source of each code cell.

    Raises:
        ValueError: if it is no notebook, or no plain file: a link could lead
            to a file that only the teacher may read.
    """
    cells = _read(path).get("cells")
    if not isinstance(cells, list):
        raise ValueError("it is no notebook, or of a version before 4")
    notes = [one for one in cells if isinstance(one, dict)]
    code = [_source(one) for one in notes if one.get("cell_type") == "code"]
    if sum(map(len, code)) > LONGEST_CODE:
        raise ValueError("it has more than a million letters of code")
    return code


def _read(path: Path) -> dict[str, Any]:
    try:
        # Without waiting, as the reader of a pipe would.
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
            known = os.fstat(file.fileno())
            if not stat.S_ISREG(known.st_mode) or known.st_size > LARGEST:
                raise ValueError(f"it is no file of at most {LARGEST // 2**20} MiB")
            data = file.read(LARGEST)
    except OSError as error:
        reason = "it is a link" if path.is_symlink() else str(error.strerror).lower()
        raise ValueError(f"{reason}; hand in the notebook itself") from None
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        raise ValueError("it is damaged: not JSON") from None
    if not isinstance(found, dict):
        raise ValueError("it is no notebook")
    return found


def _source(cell: dict[str, Any]) -> str:
    source = cell.get("source", "")
    lines = source if isinstance(source, list) else [source]
    return "".join(line for line in lines if isinstance(line, str))


def lesson_of(path: Path, cells: list[str]) -> str:
    """Which lesson a notebook answers, by the names of its answers, then by its own.

    Raises:
        ValueError: if it answers none.
    """
    code = "\n".join(cells)
    begun: dict[str, float] = {
        one.number: sum(_defines(code, task.name) for task in tasks(one.number))
        for one in lessons()
    }
    if (named := LESSON.match(path.name)) and named[1] in begun:
        begun[named[1]] += 0.5  # it wins among equals
    best = max(begun, key=lambda number: begun[number])
    if not begun[best]:
        raise ValueError("it defines none of the exercises' functions")
    return best


def _defines(code: str, name: str) -> bool:
    pattern = rf"^\s*(?:(?:def|class)\s+{name}\b|{name}\s*=)"
    return re.search(pattern, code, re.MULTILINE) is not None


@cache
def tasks(number: str) -> tuple[Task, ...]:
    """The exercises of a lesson, as this srlab has them.

    Raises:
        ValueError: if there is no such lesson.
    """
    lesson = find_lesson(number)
    ids = [one.id for one in lesson.exercises]
    code = read_code(course_folder() / f"{lesson.file}.ipynb")
    calls = [re.search(r"^check_(\w+)\((\w+)\)\s*\Z", one, re.MULTILINE) for one in code]
    return tuple(
        Task(number, ids.index(call[1]) + 1, call[1], call[2])
        for call in calls
        if call and call[1] in ids
    )
