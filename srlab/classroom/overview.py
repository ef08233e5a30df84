"""Who is where in the course, and who is stuck: from the learners' own files.

What stands in these files the learners can write as they like; so only numbers
of exercises that the course has are taken from them, and nothing is shown as it
stands there.
"""

import csv
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from pydantic import ValidationError

from srlab.classroom.accounts import ACCOUNTS
from srlab.classroom.homes import NotTheirsError, read_own, why_not
from srlab.classroom.room import Room
from srlab.course.syllabus import Exercise, Lesson, lessons
from srlab.files import replacing
from srlab.learner.progress import FORMAT, Progress, Tried

PROGRESS = ".srlab/progress.json"
LARGEST = 2**20  # bytes of a learner's progress; a whole course takes 10,000
LARGEST_COUNT = 9999  # shown of any count
STUCK = 3  # wrong answers: by then a nudge, a hint and what went wrong were offered
NAMED = 3  # places in a learner's line

DONE, STUCK_AT, TAKEN, TRIED, OPEN = "done", "stuck", "taken", "tried", "open"
COLUMNS = ("learner", "called", "lesson", "exercise", "state", "attempts", "hints", "trouble")


@dataclass(frozen=True)
class Place:
    """One build or exercise of one learner."""

    lesson: Lesson
    exercise: Exercise
    tried: Tried

    @property
    def name(self) -> str:
        return self.lesson.key(self.exercise)

    @property
    def attempts(self) -> int:
        return min(self.tried.attempts, LARGEST_COUNT)

    @property
    def state(self) -> str:
        if self.tried.done:
            return DONE
        if self.tried.taken:
            return TAKEN
        if self.tried.attempts >= STUCK:
            return STUCK_AT
        return TRIED if self.tried.attempts or self.tried.hints else OPEN


@dataclass(frozen=True)
class Standing:
    """Where a learner is: in every build and exercise, or why nothing is known."""

    learner: str  # the account's name
    places: tuple[Place, ...] = ()  # in the course's order
    trouble: str = ""
    called: str = ""  # on the teacher's list, if something else

    def those(self, state: str) -> list[Place]:
        return [place for place in self.places if place.state == state]


@dataclass
class Overview:
    """All learners' standings."""

    standings: list[Standing] = field(default_factory=list)

    def __str__(self) -> str:
        width = max([7, *(len(one.learner) for one in self.standings)])
        head = (
            f"{'learner':{width}}  {'done':>8}  {' '.join(f'{n.number:>4}' for n in lessons())}"
        )
        lines = [f"{head}  stuck at"]
        lines += [_line(one, width) for one in self.standings]
        return "\n".join([*lines, *self._hardest()])

    def _hardest(self) -> list[str]:
        """The exercises at which most are stuck."""
        counts = Counter(p.name for one in self.standings for p in one.those(STUCK_AT))
        if not counts:
            return ["", "nobody is stuck"]
        said = (f"{name} ({count})" for name, count in counts.most_common(5))
        return ["", f"where most are stuck: {', '.join(said)}"]

    def rows(self) -> list[tuple[str, ...]]:
        """One for each learner and exercise, as in ``COLUMNS``."""
        found: list[tuple[str, ...]] = []
        for one in self.standings:
            if one.trouble:
                found.append((one.learner, one.called, "", "", "", "", "", one.trouble))
            for place in one.places:
                who = one.learner, one.called, place.lesson.number, place.exercise.id
                counts = str(place.attempts), str(place.tried.hints)
                found.append((*who, place.state, *counts, ""))
        return found


def overview(room: Room) -> Overview:
    """Look into the progress of each learner who may log in.

    Raises:
        ValueError: if the folder holds no classroom.
    """
    require_room(room)
    learners = sorted(room.accounts.learners().items())
    words = room.accounts.words([name for name, _ in learners])
    standings = [standing(room, name, uid) for name, uid in learners]
    return Overview([replace(one, called=words.get(one.learner, "")) for one in standings])


def standing(room: Room, name: str, uid: int) -> Standing:
    """Where one learner is."""
    try:
        progress = _progress(room, name, uid)
    except (NotTheirsError, OSError) as error:
        return Standing(name, trouble=f"the progress file {why_not(error)}")
    places = (
        Place(one, part, progress.exercises.get(one.key(part), Tried()))
        for one in lessons()
        for part in (*one.builds, *one.exercises)
    )
    return Standing(name, tuple(places))


def _progress(room: Room, name: str, uid: int) -> Progress:
    try:
        data = read_own(room.home(name), PROGRESS, room.owner(uid), largest=LARGEST)
    except FileNotFoundError:
        return Progress()
    try:
        progress = Progress.model_validate_json(data, strict=True)
    except ValidationError:
        raise NotTheirsError("is damaged") from None
    if progress.format > FORMAT:
        raise NotTheirsError("was written by a newer srlab")
    return progress


def _line(one: Standing, width: int) -> str:
    if one.trouble:
        return f"{one.learner:{width}}  {one.trouble}"
    done = f"{len(one.those(DONE))} of {len(one.places)}"
    each = " ".join(f"{_signs(one, lesson):>4}" for lesson in lessons())
    return f"{one.learner:{width}}  {done:>8}  {each}  {_where(one)}".rstrip()


def _signs(one: Standing, lesson: Lesson) -> str:
    """``"1/3"``, with a ``!`` where the learner is stuck, or ``"-"`` before the first try."""
    own = [place for place in one.places if place.lesson is lesson]
    states = [place.state for place in own]
    if set(states) <= {OPEN}:
        return "-"
    return f"{states.count(DONE)}/{len(own)}{'!' if STUCK_AT in states else ''}"


def _where(one: Standing) -> str:
    """The exercises with most attempts, of those at which the learner is stuck."""
    worst = sorted(one.those(STUCK_AT), key=lambda place: -place.attempts)
    said = [f"{p.name} ({p.attempts} attempts, {p.tried.hints} hints)" for p in worst[:NAMED]]
    return ", ".join(said) + (f" and {len(worst) - NAMED} more" if worst[NAMED:] else "")


def write_csv(found: Overview, path: Path) -> None:
    """Write the rows for a spreadsheet."""
    write_table(path, COLUMNS, found.rows())
    path.chmod(0o600)  # it is about people


def write_table(path: Path, columns: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    """Write a CSV file, no cell of which is a formula: learners wrote some of them."""
    with replacing(path) as part, part.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([columns, *(map(plain_cell, row) for row in rows)])


def plain_cell(text: str) -> str:
    """A cell that no spreadsheet takes for a formula.

    Example:
        >>> plain_cell("=1+1"), plain_cell("ada")
        ("'=1+1", 'ada')
    """
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def require_room(room: Room) -> None:
    """Raise if the folder holds no classroom, or not this user's."""
    if not (room.hub / ACCOUNTS).exists():
        raise ValueError(
            f"{room.state} holds no classroom; name the folder that srlab classroom made."
        )
