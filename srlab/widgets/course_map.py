"""The course's map: which exercises are done, which questions are answered.

It is a page and no widget: it stands in a stored notebook and on the site too,
folds by itself, and its first cell waits for no import.
"""

from collections.abc import Sequence
from xml.etree.ElementTree import Element, tostring

from srlab.course.syllabus import Lesson, lesson, lessons
from srlab.learner.progress import Answered, Progress, Tried, read_progress

# A sign for each exercise or question; the words beside it say the same.
OPEN, BEGUN, DONE = "○", "◐", "●"

CARDS = (
    "display: grid; grid-template-columns: repeat(auto-fill, minmax(14em, 1fr)); gap: 4px; "
    "list-style: none; padding: 0; margin: 6px 0 0"
)
CARD = "padding: 2px 8px; line-height: 1.4;"
HERE = "outline: 2px solid currentColor; outline-offset: -2px;"


class CourseMap:
    """Where the learner is in the course, as it is when the cell is run.

    In a lesson it is folded to one line, which Enter, Space or a click unfolds.

    Args:
        here: number of the lesson that shows it, such as ``"03"``; None on
            the course's first page, where it is open.

    Raises:
        ValueError: if there is no such lesson.

    Example:
        >>> CourseMap("03")  # doctest: +SKIP
        Your course: 0 of 24 exercises done, 0 of 24 questions right
    """

    def __init__(self, here: str | None = None):
        self.here = lesson(here) if here is not None else None

    def __repr__(self) -> str:
        progress, trouble = read_progress()
        lines = [_sums(progress), *(self._line(one, progress) for one in lessons())]
        return "\n".join([*lines, *([trouble] if trouble else [])])

    def _repr_html_(self) -> str:
        progress, trouble = read_progress()
        folding = _element(
            "details",
            _element("summary", _element("b", _sums(progress)), self._this_lesson(progress)),
            f"{OPEN} open, {BEGUN} tried, {DONE} done",
            _element("ol", *(self._card(one, progress) for one in lessons()), style=CARDS),
            **({} if self.here else {"open": "open"}),
        )
        notes = [_element("p", trouble, role="alert")] if trouble else []
        about = {"class": "srlab-map", "aria-label": "Your course", "style": "line-height: 1.4"}
        page = _element("nav", folding, *notes, **about)
        return tostring(page, encoding="unicode", method="html")

    def _this_lesson(self, progress: Progress) -> str:
        return (
            f"; lesson {self.here.number}: {_words(self.here, progress)}" if self.here else ""
        )

    def _line(self, one: Lesson, progress: Progress) -> str:
        mark = ">" if one is self.here else " "
        signs = f"{_exercise_signs(one, progress)} {_question_signs(one, progress)}"
        return f"{mark} {one.number} {one.title:31} {signs}  {_words(one, progress)}"

    def _card(self, one: Lesson, progress: Progress) -> Element:
        here = one is self.here
        signs = f"{_exercise_signs(one, progress)}\u2002{_question_signs(one, progress)}"
        words = f"{_words(one, progress)}{'; you are here' if here else ''}"
        current = {"aria-current": "page", "style": CARD + HERE} if here else {"style": CARD}
        return _element(
            "li",
            _element("a", f"{one.number} {one.title}", href=f"{one.file}.ipynb"),
            _element("br"),
            _element("span", signs, **{"aria-hidden": "true"}),
            _element("br"),
            _element("small", words),
            **{"class": f"srlab-map-{one.number}", **current},
        )


def _element(tag: str, *content: Element | str, **attributes: str) -> Element:
    """An element with text and elements in it."""
    element = Element(tag, attributes)
    for part in content:
        if isinstance(part, Element):
            element.append(part)
        elif len(element):
            element[-1].tail = part
        else:
            element.text = part
    return element


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
