"""A card below a build: what the check says, and srlab's own definition, folded."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, TypeVar

from IPython.display import display
from traitlets import Bool, List, Unicode

from srlab.course.syllabus import Build, find_exercise
from srlab.course.taught import taught_text
from srlab.learner.progress import note_taken
from srlab.widgets.kit.lab import Lab

Answer = TypeVar("Answer")


class Checked(Protocol):
    """A verdict, as far as a card shows it."""

    @property
    def done(self) -> bool:
        """Whether it is right."""

    def rows(self) -> list[tuple[str, str]]:
        """Its lines: a name, and a text."""


def built(answer: Answer, check: Callable[[Any], Checked]) -> Answer:
    """Check what was built, and say what the lesson goes on with.

    Below the cell appears a card: what the check found, help in steps, and
    srlab's own definition for whoever wants to go on.

    Args:
        answer: the function or class that the learner built.
        check: its check, such as ``check_residual_block``.

    Returns:
        The answer if it is right; otherwise srlab's own definition, so that the
        notebook runs to its end.

    Raises:
        ValueError: if ``check`` is no check of a build.

    Example:
        >>> ResidualBlock = built(ResidualBlock, check_residual_block)  # doctest: +SKIP
    """
    name = check.__name__.removeprefix("check_")
    lesson, build = find_exercise(name)
    if not isinstance(build, Build):
        raise ValueError(f"built takes the check of a build, but got check_{name}.")
    own: Answer = build.own()
    # A cell that is run twice gets what it handed on, and that proves nothing.
    verdict = BORROWED if answer is own else check(answer)
    source = taught_text(
        Path(str(import_module(build.module).__file__)).read_text(encoding="utf-8"), build.name
    )
    display(BuildCard(lesson.key(build), build.name, verdict, source))
    return answer if verdict.done else own


@dataclass(frozen=True)
class Unbuilt:
    """The verdict on what was never built: one line, and nothing is noted."""

    line: str
    done: bool = False

    def rows(self) -> list[tuple[str, str]]:
        """How to begin."""
        return [("begin", self.line)]


BORROWED = Unbuilt(
    "This is srlab's own. Run the cell above with your own lines first, then this one again."
)


class BuildCard(Lab):
    """What a check found of a build.

    Args:
        key: by which progress knows the build: ``"01/residual_block"``.
        name: of the definition.
        verdict: what the check found.
        source: srlab's own definition, shown when a hand unfolds it.
    """

    view = Unicode("build").tag(sync=True)
    name = Unicode().tag(sync=True)
    done = Bool().tag(sync=True)
    rows = List(List(), help="name and text of each line").tag(sync=True)
    source = Unicode().tag(sync=True)
    taken = Bool(help="srlab's own was unfolded").tag(sync=True, setting=True)

    def __init__(self, key: str, name: str, verdict: Checked, source: str):
        self._key = key
        rows = [list(row) for row in verdict.rows()]
        super().__init__(name=name, done=verdict.done, rows=rows, source=source)

    def changed(self, _name: str, value: Any) -> None:
        """Whoever unfolds srlab's own before theirs is right has taken it."""
        if value and not self.done:
            self.tell(error=note_taken(self._key))

    def headline(self) -> str:
        """Done or not, and what the lesson goes on with."""
        if self.done:
            return f"✓ {self.name} is right. From here on the lesson uses yours."
        return f"{self.name} is not built yet. Until it is, the lesson uses srlab's own."

    def summary(self) -> str:
        """The headline and the check's lines."""
        return "\n".join([self.headline(), *(f"  {name:9}{text}" for name, text in self.rows)])

    def _page(self) -> str:
        title = f"<summary>srlab's own <code>{self.name}</code></summary>"
        return f"<details open>{title}\n\n```python\n{self.source}\n```\n\n</details>"
