"""Quiz, help in steps and the map: by keyboard, without a kernel and in JupyterLab."""

import pytest

from srlab.course.syllabus import lesson
from srlab.widgets.quiz import Quiz
from tests.browser.axe import grave_violations
from tests.browser.lab import LabPage, wait_until
from tests.browser.still import Still

pytestmark = pytest.mark.browser

MAP_LINE = f"0 of {len(lesson('03').builds)} built, {{}} of 3 exercises done, quiz {{}} of 3"
NAME = "quiz-and-steps.ipynb"
MAP = 'from srlab.widgets.course_map import CourseMap\nCourseMap("03")'
QUIZ = 'from srlab.widgets.quiz import Quiz\nQuiz("03")'
YOURS = "def my_variance(variance, weight, depth):\n    {}  # your turn"
CHECK = "from srlab.checks import check_variance, hint\ncheck_variance(my_variance)"
HINT = "hint(check_variance)"
QUESTION = ".srlab-quiz [data-name=question-1]"
CELLS = (MAP, YOURS.format("..."), CHECK, HINT, QUIZ)

TYPE_ANSWER = """source => { window.jupyterapp.shell.currentWidget.content.widgets
    .find(cell => cell.model.sharedModel.source.startsWith('def my_variance'))
    .model.sharedModel.setSource(source); }"""


# Without a kernel


@pytest.fixture
def widget() -> Quiz:
    return Quiz("03")


def test_an_answer_is_chosen_by_key_or_pointer(still: Still):
    still.page.locator("[data-name='1-A']").press("Enter")
    still.page.locator("[data-name='2-C']").click()
    assert still.sent == [
        {"press": "choose", "number": 1, "letter": "A"},
        {"press": "choose", "number": 2, "letter": "C"},
    ]


def test_earlier_reasons_stay_in_sight_below_their_answers(still: Still):
    quiz, question = still.widget, lesson("03").quiz[0]
    for count, letter in enumerate("ABC", 1):
        quiz.choose(1, letter)
        still.follow()
        reasons = still.page.locator("[data-name=question-1] .reason")
        assert reasons.count() == count
        for told, answer in zip(reasons.all_inner_texts(), question.answers, strict=False):
            assert told.endswith(answer.reason.replace("`", ""))
        spoken = still.page.locator("[data-name=question-1] [role=status]")
        assert spoken.inner_text() == f"{letter}: {quiz.tried[-1]['said']}"
        button = still.page.locator(f"[data-name='1-{letter}']")
        sign = "✓" if question.answers[count - 1].right else "✗"
        assert button.inner_text().startswith(f"{letter} {sign}")
        above, below = button.bounding_box(), reasons.last.bounding_box()
        assert above["y"] + above["height"] <= below["y"], "each below its own"
    assert still.page.locator("[data-name=question-2] .reason").count() == 0


@pytest.mark.parametrize(
    ("letter", "color"), [("A", "rgb(213, 94, 0)"), ("B", "rgb(0, 158, 115)")]
)
def test_wrong_is_vermilion_and_right_is_green(still: Still, letter: str, color: str):
    still.widget.choose(1, letter)
    still.follow()
    border = "each => getComputedStyle(each).borderTopColor"
    assert still.page.locator(f"[data-name='1-{letter}']").evaluate(border) == color


def test_code_is_shown_as_code_and_nothing_as_markup(still: Still):
    assert "conv2" in still.page.locator("[data-name=question-2] h4 code").all_inner_texts()
    still.receive(questions=[{"text": "<b>`<i>`</b>?", "answers": ["<img>", "b"]}])
    assert still.page.locator("h4").inner_text() == "1. <b><i></b>?"
    assert still.page.locator(".question img, h4 b, h4 i").count() == 0


# In JupyterLab


def test_a_person_answers_tries_and_comes_back(lab: LabPage):
    lab.write(NAME, *CELLS)
    lab.open(NAME)
    lab.run_all()
    the_map_is_one_line_that_unfolds(lab)
    assert map_line(lab) == MAP_LINE.format(0, 0)
    answers_by_keyboard(lab)
    help_comes_in_order(lab)
    assert grave_violations(lab) == []
    the_map_has_changed_after_a_reload(lab)
    assert lab.problems == []


def the_map_is_one_line_that_unfolds(lab: LabPage):
    line = lab.find(".srlab-map summary")
    assert line.inner_text().endswith(f"; lesson 03: {MAP_LINE.format(0, 0)}")
    assert lab.find(".srlab-map").bounding_box()["height"] < 50
    line.press("Enter")
    assert lab.page.locator(".srlab-map-07 a").is_visible()


def map_line(lab: LabPage) -> str:
    text = lab.find(".srlab-map-03 small").inner_text()
    assert text.endswith("; you are here")
    return text.removesuffix("; you are here")


def answers_by_keyboard(lab: LabPage):
    question = lesson("03").quiz[0]
    right = [answer.right for answer in question.answers].index(True)
    assert right == 1, "the keys below go to a wrong answer, then to the right one"
    lab.find(f"{QUESTION} [data-name='1-A']").focus()
    lab.page.keyboard.press("Enter")
    first = lab.find(f"{QUESTION} [data-name=reason-1-A][data-right=false]")
    assert question.answers[0].reason in first.inner_text()
    lab.page.keyboard.press("Tab")
    lab.page.keyboard.press("Space")
    second = lab.find(f"{QUESTION} [data-name=reason-1-B][data-right=true]")
    assert question.answers[1].reason in second.inner_text()
    assert first.is_visible(), "the earlier reason stays"
    name = lab.page.evaluate("() => document.activeElement.innerText")
    assert name.startswith("B ✓"), "the focus stays, and the button says it, too"
    assert lab.page.locator(".srlab-quiz [data-name=question-2] .reason").count() == 0


def steps_shown(lab: LabPage) -> list[str]:
    lines = lab.cell_text("check_variance(my").splitlines()
    known = ("begin", "mistake", "nudge", "hint", "solution", "note")
    return [word for line in lines if (word := line.split()[0]) in known]


def help_comes_in_order(lab: LabPage):
    """Nothing before a try; then one step for each new answer."""
    texts = lesson("03").exercises[0]
    assert steps_shown(lab) == ["begin"]
    assert "Try first" in lab.cell_text("hint(check_variance)")
    lab.run_all()
    assert steps_shown(lab) == ["begin"], "running again is no try"
    earned = ["nudge", "hint", "mistake", "solution"]
    wanted = [earned[:count] for count in (1, 2, 3, 4)]
    for number, steps in enumerate(wanted):
        lab.page.evaluate(TYPE_ANSWER, YOURS.format(f"return weight + {number}.5"))
        for _ in range(2):  # the second time with the same answer
            lab.run_all()
            assert steps_shown(lab) == steps
            assert (texts.hint in lab.cell_text("check_variance(my")) == (number > 0)
    answer = YOURS.format("return variance * ((1 - weight) ** 2 + weight**2) ** depth")
    lab.page.evaluate(TYPE_ANSWER, answer)
    lab.run_all()
    assert "Done." in lab.cell_text("check_variance(my")


def the_map_has_changed_after_a_reload(lab: LabPage):
    lab.command("docmanager:save")
    lab.open(NAME)
    lab.restart_kernel()
    lab.run_all()
    line = lab.page.locator(".srlab-map summary")
    wait_until(
        lambda: line.inner_text().endswith(MAP_LINE.format(1, 1)),
        what="the map to show it",
    )
    line.press("Enter")
    assert map_line(lab) == MAP_LINE.format(1, 1)
    link = lab.find(".srlab-map-00 a")
    link.focus()
    assert link.evaluate("a => a === document.activeElement"), "links are reached by Tab"


def test_stored_map_and_quiz_can_be_read_without_a_kernel(lab: LabPage):
    lab.open("03_weighted_residuals.ipynb")
    lab.find("details:has(.srlab-map-03) > summary").click()
    assert map_line(lab) == MAP_LINE.format(0, 0)
    text = lab.cell_text('Quiz("03")')
    assert lesson("03").quiz[0].answers[1].text in text
    assert lab.page.locator(".srlab-quiz").count() == 0
