"""The quiz of a lesson: traits that say what is asked and what was tried."""

import threading
from typing import Any

from traitlets import Dict, List, Unicode

from srlab.course.syllabus import Choice, Question, lesson
from srlab.learner.progress import note_answer
from srlab.require import require_one_of
from srlab.widgets.kit.lab import Lab

LETTERS = "ABCDE"


class Quiz(Lab):
    """The quiz of one lesson.

    Tab goes from answer to answer, Enter or Space takes one. Its reason
    appears below it and stays; a screen reader says it. Any number of answers
    may be tried.

    Args:
        number: of the lesson, such as ``"03"``.

    Raises:
        ValueError: if there is no such lesson.

    Example:
        >>> Quiz("03").choose(1, "A").startswith("Not so. ")
        True
    """

    view = Unicode("quiz").tag(sync=True)
    questions = List(Dict(), help="of each its text, and its answers' texts").tag(sync=True)
    tried = List(Dict(), help="number, letter, right, said; the last one last").tag(sync=True)

    def __init__(self, number: str):
        self._lesson = lesson(number)
        self._lock = threading.Lock()  # presses may come on any thread
        super().__init__(questions=[_asked(question) for question in self._lesson.quiz])
        self.presses["choose"] = self.choose

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
        require_one_of(letter, letters, "letter")
        answer = question.answers[letters.index(letter)]
        this = {"number": number, "letter": letter, "right": answer.right, "said": said(answer)}
        with self._lock:
            _, trouble = note_answer(self._lesson.key(question), right=answer.right)
            others = [one for one in self.tried if one != this]
            self.tell(tried=[*others, this], error=trouble)
        return said(answer)

    def summary(self) -> str:
        """The questions and answers without reasons."""
        lines = [f"Quiz of lesson {self._lesson.number}"]
        for number, question in enumerate(self._lesson.quiz, 1):
            lines.append(f"{number}. {_bare(question.text)}")
            answers = zip(LETTERS, question.answers, strict=False)
            lines += [f"   {letter}  {_bare(answer.text)}" for letter, answer in answers]
        return "\n".join(lines)

    def _page(self) -> str:
        questions = "\n".join(
            f"{number}. **{question.text}**\n\n"
            + "".join(f"   - {answer.text}\n" for answer in question.answers)
            for number, question in enumerate(self._lesson.quiz, 1)
        )
        return f"{questions}\nRun this cell to answer, and to see the reasons."

    def _question(self, number: int) -> Question:
        questions = self._lesson.quiz
        if not 1 <= number <= len(questions):
            raise ValueError(f"number must be 1 to {len(questions)}, but got {number!r}.")
        return questions[number - 1]


def said(answer: Choice) -> str:
    """Whether an answer is right, and why."""
    return f"{'Right.' if answer.right else 'Not so.'} {answer.reason}"


def _asked(question: Question) -> dict[str, Any]:
    """A question as the page gets it: no reason, and not which answer is right."""
    return {"text": question.text, "answers": [answer.text for answer in question.answers]}


def _bare(text: str) -> str:
    return text.replace("`", "")
