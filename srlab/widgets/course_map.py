"""The course's map: what is built, which exercises are done, which questions answered.

It is a page and no widget: it stands in a stored notebook and on the site too,
folds by itself, and its first cell waits for no import.
"""

from collections.abc import Sequence
from xml.etree.ElementTree import Element, tostring

from srlab.course.syllabus import Lesson, lesson, lessons
from srlab.learner.progress import Answered, Progress, Tried, read_progress

# A sign for each exercise or question; the words beside it say the same.
OPEN, BEGUN, TAKEN, DONE = "○", "◐", "◇", "●"

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
        Your course: 0 of 20 parts built, 0 of 24 exercises done, 0 of 24 questions right
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
            f"{OPEN} open, {BEGUN} tried, {TAKEN} taken from srlab, {DONE} done",
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
        signs = " ".join(_rows_of(one, progress))
        return f"{mark} {one.number} {one.title:31} {signs}  {_words(one, progress)}"

    def _card(self, one: Lesson, progress: Progress) -> Element:
        here = one is self.here
        signs = "\u2002".join(_rows_of(one, progress))
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


def _signs(one: Lesson, progress: Progress) -> list[list[str]]:
    """One for each build, each exercise, and each question."""
    tried = [
        [_sign(progress.exercises.get(one.key(part), Tried())) for part in parts]
        for parts in (one.builds, one.exercises)
    ]
    answers = [progress.questions.get(one.key(part), Answered()) for part in one.quiz]
    return [*tried, [DONE if a.right else BEGUN if a.tries else OPEN for a in answers]]


def _sign(tried: Tried) -> str:
    if tried.done:
        return DONE
    return TAKEN if tried.taken else BEGUN if tried.attempts else OPEN


def _rows_of(one: Lesson, progress: Progress) -> list[str]:
    """The signs in rows; there may be no builds."""
    return ["".join(signs) for signs in _signs(one, progress) if signs]


def _counts(chosen: Sequence[Lesson], progress: Progress) -> list[str]:
    """How many are built, done and answered, each as "1 of 3"."""
    kinds = zip(*(_signs(one, progress) for one in chosen), strict=True)
    rows = [[sign for signs in kind for sign in signs] for kind in kinds]
    return [f"{row.count(DONE)} of {len(row)}" for row in rows]


def _words(one: Lesson, progress: Progress) -> str:
    made, done, right = _counts([one], progress)
    return f"{made} built, {done} exercises done, quiz {right}"


def _sums(progress: Progress) -> str:
    made, done, right = _counts(lessons(), progress)
    return f"Your course: {made} parts built, {done} exercises done, {right} questions right"
