"""A guess: one question, and what the learner expects before a cell answers it."""

import math
import re
from collections.abc import Sequence

from traitlets import List, Unicode

from srlab.learner.progress import note_guess, read_progress
from srlab.require import require_known
from srlab.widgets.kit.lab import Lab


class Guess(Lab):
    """Ask for a guess; a later cell compares it with the truth.

    It is kept on the learner's disk, so it is still there after a restart. A
    notebook runs on without one.

    Args:
        key: lesson and a word for it: ``"01/edge"``.
        question: one sentence.
        choices: the answers to choose from; none if a number is asked for.
        unit: of the number, such as ``"dB"``.

    Example:
        >>> edge = Guess("01/edge", "Which costs least?", ["a clean edge", "a ramp"])
        >>> edge.guess = "a ramp"
        >>> edge.against("a ramp")
        'You guessed "a ramp", and so it is.'
    """

    view = Unicode("guess").tag(sync=True)
    question = Unicode().tag(sync=True)
    choices = List(Unicode()).tag(sync=True)
    unit = Unicode().tag(sync=True)
    guess = Unicode(help="what was chosen or typed").tag(sync=True, setting=True)

    def __init__(self, key: str, question: str, choices: Sequence[str] = (), *, unit: str = ""):
        self._key = key
        kept = str(read_progress()[0].guesses.get(key, ""))
        if choices and kept not in choices:
            kept = ""
        super().__init__(question=question, choices=list(choices), unit=unit, guess=kept)

    def changed(self, _name: str, value: str) -> None:
        """Keep a new guess; say so if it is none that was asked for."""
        try:
            self._require_answer(value)
        except ValueError as error:
            self.tell(error=f"{error}")
            return
        self.tell(error=note_guess(self._key, value) if value else "")

    def against(self, truth: float | str, *, digits: int = 3) -> str:
        """What was guessed beside what is true, as a sentence to print.

        Args:
            truth: a number, or one of the choices.
            digits: of the number, that count.

        Raises:
            ValueError: if the truth is none of the choices.
        """
        if self.choices:
            require_known([str(truth)], self.choices, "truth")
        true = self._told(truth, digits)
        if not self.guess or self.error:
            return f"You have not guessed yet. It is {true}."
        said = f"You guessed {self._told(self.guess, digits)}"
        right = self.choices and self.guess == truth
        return f"{said}, and so it is." if right else f"{said}; it is {true}."

    def summary(self) -> str:
        """The question, and the guess if there is one."""
        answers = f" ({' / '.join(self.choices)})" if self.choices else ""
        given = self.guess if self.choices else self._measured(self.guess)
        said = f" Your guess: {given}" if self.guess else ""
        return f"{self.question}{answers}{said}"

    def _told(self, answer: float | str, digits: int) -> str:
        """A choice in quotes, or a number with its unit."""
        if self.choices:
            return f'"{answer}"'
        return self._measured(_number(float(answer), digits))

    def _measured(self, number: str) -> str:
        """With its unit: "2 pairs", "1 pair", "1 dB"."""
        unit = self.unit
        if number == "1" and PLURAL.search(unit):
            unit = unit.removesuffix("s")
        return f"{number} {unit}".rstrip()

    def _require_answer(self, value: str) -> None:
        """Raise unless it is one of the choices, or a number; "" is no guess yet."""
        if self.choices:
            require_known([value] if value else [], self.choices, "guess")
        elif value and not _is_number(value):
            raise ValueError(f"A guess here is a number, such as 1.5, but got {value!r}.")

    def _page(self) -> str:
        answers = "".join(f"\n- {choice}" for choice in self.choices)
        return f"**Your guess:** {self.question}\n{answers}"


PLURAL = re.compile(r"[a-z]{2}[^s]s$")  # "pairs", but not "s", "ms" or "less"


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _number(value: float, digits: int) -> str:
    """At most ``digits`` digits that count, and no exponent: 65000, 0.0012."""
    text = f"{float(f'{value:.{digits}g}'):f}"
    return text.rstrip("0").rstrip(".")
