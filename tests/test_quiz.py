"""The quizzes: their words, and the widget that asks them."""

import re
from pathlib import Path

import nbformat
import pytest
from pydantic import ValidationError

from srlab.course import syllabus
from srlab.course.syllabus import Question, lesson, lessons
from srlab.learner.progress import read_progress
from srlab.widgets.quiz import Quiz
from srlab.widgets.quiz.lab import LETTERS

LESSONS = Path(__file__).parents[1] / "lessons"
QUESTIONS = [
    pytest.param(one, question, id=f"{one.number}-{question.id}")
    for one in lessons()
    for question in one.quiz
]


# -- the words ---------------------------------------------------------------------


def test_each_lesson_has_a_quiz():
    numbers = [path.name[:2] for path in sorted(LESSONS.glob("0*.ipynb"))]
    assert [one.number for one in lessons()] == sorted(set(numbers))


@pytest.mark.parametrize(("one", "question"), QUESTIONS)
def test_each_answer_has_a_reason_of_its_own(one, question):
    texts = [answer.text for answer in question.answers]
    reasons = [answer.reason for answer in question.answers]
    assert len(set(texts)) == len(set(reasons)) == len(question.answers) >= 3
    for answer in question.answers:
        assert answer.reason.endswith(".")
        sentences = re.findall(r"[.?!](?=\s|$)", answer.reason)
        assert 1 <= len(sentences) <= 3, answer.reason
        assert len(answer.text) < 120, "a button has to hold it"
        assert not answer.reason.lower().startswith(("right", "wrong", "yes", "not so"))
    assert len({q.id for q in one.quiz}) == len(one.quiz)


def right_place(question: Question) -> int:
    return [answer.right for answer in question.answers].index(True)


def test_the_right_answer_stands_in_no_usual_place():
    places = [right_place(param.values[1]) for param in QUESTIONS]
    for place in range(3):
        assert places.count(place) / len(places) > 0.2
    for one in lessons():
        assert len({right_place(question) for question in one.quiz}) > 1, one.number


def test_the_right_answer_is_not_told_by_its_length():
    longest = [
        right_place(q) == max(range(len(q.answers)), key=lambda i: len(q.answers[i].text))
        for q in (param.values[1] for param in QUESTIONS)
    ]
    assert sum(longest) / len(longest) < 0.6


@pytest.mark.parametrize("rights", [[False, False], [True, True, False]])
def test_a_question_without_one_right_answer_or_a_reason_is_refused(rights):
    def words(rights: list[bool]) -> dict:
        answers = [
            {"text": f"{i}", "reason": f"Because {i}.", "right": r}
            for i, r in enumerate(rights)
        ]
        return {"id": "a", "text": "Why?", "answers": answers}

    told = rf"question a has {sum(rights)} right answers, but needs one\."
    with pytest.raises(ValidationError, match=told):
        Question.model_validate(words(rights))
    Question.model_validate(words([False, True]))
    silent = words([True, False])
    silent["answers"][1]["reason"] = ""
    with pytest.raises(ValidationError, match="reason"):
        Question.model_validate(silent)


def test_a_damaged_file_says_what_to_do(tmp_path, monkeypatch):
    (tmp_path / "03.json").write_text('{"number": "03"')
    monkeypatch.setattr(syllabus, "FOLDER", tmp_path)
    with pytest.raises(ValueError, match=r"^03\.json is damaged; install srlab again\. \("):
        lessons.__wrapped__()
    (tmp_path / "03.json").unlink()
    with pytest.raises(ValueError, match="srlab came without its lessons' words; install it"):
        lessons.__wrapped__()


def test_the_cells_give_no_answer_away():
    for one in lessons():
        notebook = nbformat.read(LESSONS / f"{one.file}.ipynb", as_version=4)
        (cell,) = [cell for cell in notebook.cells if "Quiz(" in cell.source]
        stored = str(cell)
        for question in one.quiz:
            for answer in question.answers:
                assert answer.reason not in stored
        assert "✓" not in stored


# -- the widget --------------------------------------------------------------------


def press(quiz: Quiz, number: int, letter: str) -> None:
    """What the page does with a click."""
    quiz._handle_custom_msg({"press": "choose", "number": number, "letter": letter}, [])


@pytest.mark.parametrize(("one", "question"), QUESTIONS)
def test_each_answer_tells_its_reason_and_is_remembered(one, question):
    quiz, number = Quiz(one.number), one.quiz.index(question) + 1
    texts = [answer.text for answer in question.answers]
    assert quiz.questions[number - 1] == {"text": question.text, "answers": texts}
    assert not any(answer.reason in str(quiz.get_state()) for answer in question.answers)
    for tries, answer in enumerate(question.answers, 1):
        letter = LETTERS[tries - 1]
        press(quiz, number, letter)
        word = "Right." if answer.right else "Not so."
        assert quiz.choose(number, letter) == f"{word} {answer.reason}"
        assert quiz.tried[-1] == {
            "number": number, "letter": letter, "right": answer.right,
            "said": f"{word} {answer.reason}",
        }  # fmt: skip
        assert len(quiz.tried) == tries, "the reasons before it stay, each once"
        known, _ = read_progress()
        assert known.questions[one.key(question)].tries == 2 * tries
    assert known.questions[one.key(question)].right
    quiz.choose(number, "A")
    assert [tried["letter"] for tried in quiz.tried][-1] == "A", "chosen last, it stands last"


def test_trouble_is_told_and_the_reason_comes_all_the_same(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SRLAB_HOME", str(tmp_path / "file"))
    quiz = Quiz("00")
    assert quiz.choose(1, "A").startswith("Not so.")
    assert quiz.tried[0]["letter"] == "A"
    assert quiz.error.startswith("Not remembered: ")


def test_a_press_of_what_there_is_not_is_told_in_the_page():
    quiz = Quiz("00")
    press(quiz, 4, "A")
    assert quiz.error == "number must be 1 to 3, but got 4."


def test_without_a_kernel_its_questions_can_be_read():
    quiz = Quiz("03")
    bundle, _ = quiz._repr_mimebundle_()
    page = bundle["text/markdown"]
    assert page.endswith("Run this cell to answer, and to see the reasons.")
    for question in lesson("03").quiz:
        assert f"**{question.text}**" in page
        for answer in question.answers:
            assert f"- {answer.text}\n" in page
            for kind in ("text/plain", "text/markdown"):
                assert answer.reason not in bundle[kind]
    assert repr(quiz) == bundle["text/plain"] == repr(Quiz("03")), "the same in each run"


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: Quiz("12"), r"There is no lesson '12'; there are 00, .*, 07\."),
        (lambda: Quiz("00").choose(4, "A"), r"number must be 1 to 3, but got 4\."),
        (lambda: Quiz("00").choose(1, "D"), r"letter must be one of A, B, C, but got 'D'\."),
        (lambda: Quiz("00").choose(1, ""), r"letter must be one of A, B, C, but got ''\."),
    ],
)
def test_what_there_is_not(call, told):
    with pytest.raises(ValueError, match=told):
        call()
