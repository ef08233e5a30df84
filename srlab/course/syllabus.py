"""The words of each lesson that live beside it: hints of its exercises, and its quiz.

One JSON file a lesson, ``assets/course/03.json``, so that a notebook's cell
gives no answer away.
"""

from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from srlab.files import ASSETS

FOLDER = ASSETS / "course"

Text = Annotated[str, Field(min_length=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Exercise(_Strict):
    """One exercise, and its help in steps.

    Args:
        id: of its check: ``"icnr"`` for ``check_icnr``.
        title: a few words.
        nudge: where to look first, whatever came out.
        nudges: how a case begins -> where to look if that one fails.
        hint: what to do there.
    """

    id: Text
    title: Text
    nudge: Text
    nudges: dict[Text, Text] = {}
    hint: Text

    def nudge_at(self, case: str) -> str:
        """Where to look if this case fails."""
        found = (text for begin, text in self.nudges.items() if case.startswith(begin))
        return next(found, self.nudge)


class Build(Exercise):
    """A definition of srlab that the learner builds in the lesson itself.

    Args:
        definition: where srlab has it: ``"srlab.models:ResidualBlock"``.
    """

    definition: Annotated[str, Field(pattern=r"^srlab(\.\w+)+:\w+$")]

    @property
    def module(self) -> str:
        """That holds the definition: ``"srlab.models"``."""
        return self.definition.partition(":")[0]

    @property
    def name(self) -> str:
        """Of the definition: ``"ResidualBlock"``."""
        return self.definition.partition(":")[2]

    def own(self) -> Any:
        """srlab's own definition."""
        return getattr(import_module(self.module), self.name)


class Choice(_Strict):
    """One answer of a question, and why it is right or wrong."""

    text: Text
    reason: Text
    right: bool = False


class Question(_Strict):
    """One question of a quiz; exactly one of its answers is right."""

    id: Text
    text: Text
    answers: Annotated[tuple[Choice, ...], Field(min_length=2, max_length=5)]

    @model_validator(mode="after")
    def _one_is_right(self) -> Self:
        if (count := sum(answer.right for answer in self.answers)) != 1:
            raise ValueError(f"question {self.id} has {count} right answers, but needs one.")
        return self


class Lesson(_Strict):
    """One lesson: where it is, its exercises and its quiz.

    Args:
        number: such as ``"03"``.
        file: the notebook's name without ``.ipynb``.
        title: as the course's map has it.
        builds: what is built on the way, in the lesson's order.
        exercises: at its end, in their order.
        quiz: two or three questions.
    """

    number: Annotated[str, Field(pattern=r"^\d\d$")]
    file: Text
    title: Text
    builds: tuple[Build, ...] = ()
    exercises: tuple[Exercise, ...]
    quiz: Annotated[tuple[Question, ...], Field(min_length=2, max_length=3)]

    def key(self, part: Exercise | Question) -> str:
        """By which progress remembers one of its parts: ``"03/variance"``."""
        return f"{self.number}/{part.id}"

    def solution(self, exercise: Exercise) -> str:
        """Where an exercise or a build is solved, in words."""
        page = f"solutions/{self.file}.ipynb"
        if isinstance(exercise, Build):
            return f"{exercise.name} in {page}"
        return f"exercise {self.exercises.index(exercise) + 1} of {page}"


@cache
def lessons() -> tuple[Lesson, ...]:
    """Every lesson, in the course's order.

    Raises:
        ValueError: if srlab came without their files, or one is damaged.
    """
    found = tuple(_read(path) for path in sorted(FOLDER.glob("*.json")))
    if not found:
        raise ValueError("srlab came without its lessons' words; install it again.")
    return found


def lesson(number: str) -> Lesson:
    """One lesson.

    Raises:
        ValueError: if there is none of that number.

    Example:
        >>> lesson("03").title
        'Weighted residual connections'
    """
    for one in lessons():
        if one.number == number:
            return one
    there = ", ".join(one.number for one in lessons())
    raise ValueError(f"There is no lesson {number!r}; there are {there}.")


def find_exercise(name: str) -> tuple[Lesson, Exercise]:
    """The exercise or build of a check, and its lesson; ``name`` is its id.

    Raises:
        ValueError: if no lesson has it.
    """
    for one in lessons():
        for exercise in (*one.builds, *one.exercises):
            if exercise.id == name:
                return one, exercise
    raise ValueError(f"No lesson has an exercise {name!r}; add it to assets/course.")


def _read(path: Path) -> Lesson:
    try:
        return Lesson.model_validate_json(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{path.name} is damaged; install srlab again. ({error})") from None
