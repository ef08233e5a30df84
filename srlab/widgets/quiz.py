"""Two or three questions about a lesson; each answer, right or wrong, has its reason."""

import html
import re
import threading
from typing import Any

from ipywidgets import HTML, Button, Layout, VBox

from srlab.course.syllabus import Choice, Question, lesson
from srlab.learner.progress import note_answer
from srlab.widgets.parts import TEXT

LETTERS = "ABCDE"

# An answer is a sentence, and a button's text would end in dots.
STYLE = """<style>
.srlab-quiz .jupyter-button {
  width: 100%; height: auto; white-space: normal; text-align: left;
  line-height: 1.4; padding: 6px 10px; margin: 2px 0; overflow: visible;
}
</style>"""


class Quiz(VBox):  # type: ignore[misc]
    """The quiz of one lesson.

    Tab goes from answer to answer, Enter or Space takes one. Its reason
    appears below, where a screen reader announces it. Any number of answers
    may be tried.

    Args:
        number: of the lesson, such as ``"03"``.

    Raises:
        ValueError: if there is no such lesson.

    Example:
        >>> Quiz("03").choose(1, "A").startswith("Not so. ")
        True
    """

    def __init__(self, number: str):
        self._lesson = lesson(number)
        # Callbacks may come from any thread.
        self._lock = threading.RLock()
        self._reasons = [HTML() for _ in self._lesson.quiz]
        self._buttons = [
            [self._button(number, letter) for letter in LETTERS[: len(question.answers)]]
            for number, question in enumerate(self._lesson.quiz, 1)
        ]
        self._alert = HTML()
        parts = [part for i in range(len(self._reasons)) for part in self._parts(i)]
        super().__init__(
            [HTML(STYLE, layout=Layout(display="none")), *parts, self._alert],
            layout=Layout(max_width="46em"),
        )
        self.add_class("srlab-quiz")

    def choose(self, number: int, letter: str) -> str:
        """Choose an answer, as a click does.

        Args:
            number: of the question, from 1.
            letter: of the answer, from ``"A"``.

        Returns:
            Whether it is right, and why.

        Raises:
            ValueError: if there is no such question or answer.
        """
        question = self._question(number)
        letters = LETTERS[: len(question.answers)]
        if letter not in letters or len(letter) != 1:
            raise ValueError(f"letter must be one of {', '.join(letters)}, but got {letter!r}.")
        with self._lock:
            answer = question.answers[letters.index(letter)]
            self._show(number, letter, answer)
            _, trouble = note_answer(self._lesson.key(question), right=answer.right)
            self._alert.value = f'<p role="alert">{html.escape(trouble)}</p>' if trouble else ""
            return said(answer)

    def __repr__(self) -> str:
        lines = [f"Quiz of lesson {self._lesson.number}"]
        for number, question in enumerate(self._lesson.quiz, 1):
            lines.append(f"{number}. {_bare(question.text)}")
            answers = zip(LETTERS, question.answers, strict=False)
            lines += [f"   {letter}  {_bare(answer.text)}" for letter, answer in answers]
        return "\n".join(lines)

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        """Beside the widget its questions as text, for readers without a kernel."""
        bundle = super()._repr_mimebundle_(**kwargs)
        return {**(bundle or {}), "text/plain": repr(self), "text/html": _static(self)}

    def _question(self, number: int) -> Question:
        questions = self._lesson.quiz
        if not 1 <= number <= len(questions):
            raise ValueError(f"number must be 1 to {len(questions)}, but got {number!r}.")
        return questions[number - 1]

    def _parts(self, index: int) -> list[Any]:
        question = self._lesson.quiz[index]
        text = f'<p style="{TEXT}"><b>{index + 1}. {_marked(question.text)}</b></p>'
        return [HTML(text), *self._buttons[index], self._reasons[index]]

    def _button(self, number: int, letter: str) -> Button:
        answer = self._question(number).answers[LETTERS.index(letter)]
        button = Button(
            description=f"{letter}  {_bare(answer.text)}",
            tooltip=f"question {number}, answer {letter}",
        )
        button.on_click(lambda _: self.choose(number, letter))
        return button.add_class(f"srlab-{number}-{letter.lower()}")

    def _show(self, number: int, letter: str, answer: Choice) -> None:
        button = self._buttons[number - 1][LETTERS.index(letter)]
        sign = "✓" if answer.right else "✗"
        button.description = f"{letter} {sign} {_bare(answer.text)}"
        self._reasons[number - 1].value = (
            f'<div class="srlab-reason-{number}" role="status" style="{TEXT}" '
            f'data-answer="{letter}" data-right="{str(answer.right).lower()}">'
            f"{sign} {letter}: {_marked(said(answer))}</div>"
        )


def said(answer: Choice) -> str:
    """Whether an answer is right, and why."""
    return f"{'Right.' if answer.right else 'Not so.'} {answer.reason}"


def _marked(text: str) -> str:
    """HTML, with code between backticks."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text))


def _bare(text: str) -> str:
    return text.replace("`", "")


def _static(quiz: Quiz) -> str:
    """The questions and answers without reasons, for a page that is only read."""
    questions = ""
    for question in quiz._lesson.quiz:
        answers = "".join(f"<li>{_marked(answer.text)}</li>" for answer in question.answers)
        questions += (
            f"<li><b>{_marked(question.text)}</b>"
            f'<ol style="list-style-type: upper-alpha">{answers}</ol></li>'
        )
    return f"<ol>{questions}</ol><p>Run this cell to answer, and to see the reasons.</p>"
