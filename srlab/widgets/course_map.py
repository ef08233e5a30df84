"""The course's map: which exercises are done, which questions are answered."""

import html
from collections.abc import Sequence

from srlab.course.syllabus import Lesson, lesson, lessons
from srlab.learner.progress import Answered, Progress, Tried, read_progress

# A sign for each exercise or question; the words beside it say the same.
OPEN, BEGUN, DONE = "○", "◐", "●"

CARD = "flex: 0 0 auto; width: 15em; padding: 2px 8px; line-height: 1.4;"
HERE = "outline: 2px solid currentColor; outline-offset: -2px;"


class CourseMap:
    """Where the learner is in the course, as it is when the cell is run.

    Args:
        here: number of the lesson that shows it, such as ``"03"``; None on
            the course's first page.

    Raises:
        ValueError: if there is no such lesson.

    Example:
        >>> CourseMap("03")  # doctest: +SKIP
        Your course: 0 of 24 exercises done, 0 of 24 questions right
    """

    def __init__(self, here: str | None = None):
        self.here = lesson(here).number if here is not None else None

    def __repr__(self) -> str:
        progress, trouble = read_progress()
        lines = [_sums(progress), *(self._line(one, progress) for one in lessons())]
        return "\n".join([*lines, *([trouble] if trouble else [])])

    def _repr_html_(self) -> str:
        progress, trouble = read_progress()
        cards = "".join(self._card(one, progress) for one in lessons())
        note = f'<p role="alert">{html.escape(trouble)}</p>' if trouble else ""
        return (
            f'<nav class="srlab-map" aria-label="Your course" style="line-height: 1.4">'
            f"<p><b>{_sums(progress)}</b> ({OPEN} open, {BEGUN} tried, {DONE} done)</p>"
            f'<ol style="display: flex; flex-wrap: wrap; gap: 4px; list-style: none; '
            f'padding: 0; margin: 0">{cards}</ol>{note}</nav>'
        )

    def _line(self, one: Lesson, progress: Progress) -> str:
        mark = ">" if one.number == self.here else " "
        signs = f"{_exercise_signs(one, progress)} {_question_signs(one, progress)}"
        return f"{mark} {one.number} {one.title:31} {signs}  {_words(one, progress)}"

    def _card(self, one: Lesson, progress: Progress) -> str:
        here = one.number == self.here
        current = f'aria-current="page" style="{CARD}{HERE}"' if here else f'style="{CARD}"'
        signs = f"{_exercise_signs(one, progress)}&ensp;{_question_signs(one, progress)}"
        return (
            f'<li class="srlab-map-{one.number}" {current}>'
            f'<a href="{one.file}.ipynb">{one.number} {html.escape(one.title)}</a><br>'
            f'<span aria-hidden="true">{signs}</span><br>'
            f"<small>{_words(one, progress)}{'; you are here' if here else ''}</small></li>"
        )


def _tried(one: Lesson, progress: Progress) -> list[Tried]:
    return [progress.exercises.get(one.key(part), Tried()) for part in one.exercises]


def _answered(one: Lesson, progress: Progress) -> list[Answered]:
    return [progress.questions.get(one.key(part), Answered()) for part in one.quiz]


def _exercise_signs(one: Lesson, progress: Progress) -> str:
    return _signs([(t.done, t.attempts) for t in _tried(one, progress)])


def _question_signs(one: Lesson, progress: Progress) -> str:
    return _signs([(a.right, a.tries) for a in _answered(one, progress)])


def _signs(states: Sequence[tuple[bool, int]]) -> str:
    return "".join(DONE if done else BEGUN if begun else OPEN for done, begun in states)


def _counts(chosen: Sequence[Lesson], progress: Progress) -> tuple[str, str]:
    """How many exercises are done and how many questions right, as "1 of 3"."""
    tried = [entry.done for one in chosen for entry in _tried(one, progress)]
    answered = [entry.right for one in chosen for entry in _answered(one, progress)]
    done, right = (f"{sum(states)} of {len(states)}" for states in (tried, answered))
    return done, right


def _words(one: Lesson, progress: Progress) -> str:
    done, right = _counts([one], progress)
    return f"{done} done, quiz {right}"


def _sums(progress: Progress) -> str:
    done, right = _counts(lessons(), progress)
    return f"Your course: {done} exercises done, {right} questions right"
