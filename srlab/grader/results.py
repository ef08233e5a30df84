"""What was found: the table, the CSV, and a page for each learner."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from srlab.classroom.overview import write_table
from srlab.files import replacing

COLUMNS = ("learner", "lesson", "exercise", "title", "verdict", "points", "of", "reason")


@dataclass(frozen=True)
class Row:
    """One exercise of one learner.

    Args:
        learner: who.
        lesson, exercise, title: which; "" and 0 for a notebook that could not
            be read.
        verdict: ``"done"``, ``"not yet"`` or ``"error"``.
        reason: on one line; "" if it is done.
        details: (word, text), more of the reason for the learner.
    """

    learner: str
    lesson: str
    exercise: int
    title: str
    verdict: str
    reason: str
    details: tuple[tuple[str, str], ...] = ()

    @property
    def points(self) -> int:
        return int(self.verdict == "done")

    @property
    def possible(self) -> int:
        return int(self.exercise > 0)

    @property
    def place(self) -> str:
        return f"{self.lesson}/{self.exercise} {self.title}" if self.exercise else self.title


def table(rows: list[Row]) -> str:
    """A line for each exercise, and one for each learner's points."""
    wide = max(len(row.learner) for row in rows), max(len(row.place) for row in rows)
    lines = []
    for learner, own in groupby(rows, key=lambda row: row.learner):
        found = list(own)
        for row in found:
            start = f"{learner:{wide[0]}}  {row.place:{wide[1]}}  {row.verdict:7}"
            lines.append(f"{start}  {row.reason}".rstrip())
        lines.append(f"{learner:{wide[0]}}  {_sum(found)}")
    return "\n".join(lines)


def _sum(rows: list[Row]) -> str:
    return f"{sum(r.points for r in rows)} of {sum(r.possible for r in rows)} points"


def write_csv(rows: list[Row], path: Path) -> None:
    """Write a row for each exercise; no cell of it is a formula."""
    write_table(path, COLUMNS, map(_cells, rows))


def _cells(row: Row) -> list[str]:
    which = row.learner, row.lesson, row.exercise or "", row.title
    return [*map(str, which), row.verdict, str(row.points), str(row.possible), row.reason]


def write_feedback(rows: list[Row], folder: Path) -> list[Path]:
    """Write a text for each learner, such as ``ada.txt``, which says what the checks would."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for learner, own in groupby(rows, key=lambda row: row.learner):
        found = list(own)
        written.append(folder / f"{learner}.txt")
        with replacing(written[-1]) as part:
            part.write_text("\n".join(_page(found)) + "\n", encoding="utf-8")
    return written


def _page(rows: list[Row]) -> Iterable[str]:
    yield f"{rows[0].learner}: {_sum(rows)}"
    for row in rows:
        yield f"\n{row.place}: {row.verdict}"
        more = row.details or ((("", row.reason),) if row.reason else ())
        yield from (f"  {word:9}{text}" for word, text in more)
