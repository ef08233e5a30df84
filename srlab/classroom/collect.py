"""Collecting a lesson's notebooks, and handing back what came of them.

::

    FOLDER/submitted/ada/lesson_01/01_pixel_loss.ipynb    collected
    FOLDER/feedback/ada/lesson_01/...  or  ada.txt        handed back
    homes/ada/feedback/lesson_01/...                      where ada finds it

The layout is nbgrader's, and ``srlab grade`` reads and writes it too.
"""

import os
from dataclasses import dataclass, field
from pathlib import Path

from srlab.classroom.homes import NotTheirsError, read_own, why_not, write_own
from srlab.classroom.overview import require_room
from srlab.classroom.room import Room
from srlab.course.syllabus import lesson as find_lesson
from srlab.files import replacing

LESSONS = "srlab-lessons"


@dataclass
class Passed:
    """What went through, and what did not."""

    names: list[str] = field(default_factory=list)  # of a learner, for each file copied
    troubles: dict[str, str] = field(default_factory=dict)  # learner -> why not


def collect(room: Room, number: str, folder: Path) -> Passed:
    """Copy each learner's notebook of a lesson below ``submitted`` in ``folder``.

    Copies of an earlier call are replaced.

    Raises:
        ValueError: if there is no such lesson or no classroom.
        OSError: if ``folder`` cannot be written.
    """
    require_room(room)
    lesson, passed = find_lesson(number), Passed()
    source = f"{LESSONS}/{lesson.file}.ipynb"
    for name, uid in sorted(room.accounts.learners().items()):
        try:
            data = read_own(room.home(name), source, room.owner(uid))
        except (NotTheirsError, OSError) as error:
            passed.troubles[name] = why_not(error)
            continue
        target = folder / "submitted" / name / f"lesson_{number}" / f"{lesson.file}.ipynb"
        _make_private(target.parent)
        with replacing(target) as part:
            part.write_bytes(data)
        target.chmod(0o600)
        passed.names.append(name)
    return passed


def hand_back(room: Room, number: str, folder: Path) -> Passed:
    """Copy each learner's feedback into their home, under ``feedback/lesson_01``.

    ``folder`` has ``ada.txt``, or ``ada/lesson_01/`` as nbgrader writes it.

    Raises:
        ValueError: if ``folder`` has nothing for anybody, or no such lesson.
    """
    require_room(room)
    find_lesson(number)
    passed = Passed()
    for name, uid in sorted(room.accounts.learners().items()):
        files = _feedback(folder, name, f"lesson_{number}")
        try:
            for path in files:
                target = f"feedback/lesson_{number}/{path.name}"
                write_own(room.home(name), target, room.owner(uid), path.read_bytes())
                passed.names.append(name)
        except (NotTheirsError, OSError) as error:
            passed.troubles[name] = why_not(error)
    if not passed.names and not passed.troubles:
        raise ValueError(
            f"{folder} has no feedback for anybody; it needs a file such as ada.txt, or a "
            f"folder such as ada/lesson_{number}."
        )
    return passed


def _feedback(folder: Path, name: str, assignment: str) -> list[Path]:
    """The files for one learner."""
    own = [folder / f"{name}{ending}" for ending in (".txt", ".html", ".md")]
    own += sorted((folder / name / assignment).glob("*"))
    return [path for path in own if path.is_file()]


def _make_private(folder: Path) -> None:
    """Make a folder that only its owner enters; learners' work lies in it."""
    before = os.umask(0o077)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    finally:
        os.umask(before)
