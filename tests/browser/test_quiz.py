"""Quiz, help in steps and the map, in JupyterLab and by keyboard."""

import pytest

from srlab.course.syllabus import lesson
from tests.browser.axe import grave_violations
from tests.browser.lab import LabPage, wait_until

pytestmark = pytest.mark.browser

NAME = "quiz-and-steps.ipynb"
MAP = 'from srlab.widgets.course_map import CourseMap\nCourseMap("03")'
QUIZ = 'from srlab.widgets.quiz import Quiz\nQuiz("03")'
YOURS = "def my_variance(variance, weight, depth):\n    {}  # your turn"
CHECK = "from srlab.checks import check_variance, hint\ncheck_variance(my_variance)"
HINT = "hint(check_variance)"
CELLS = (MAP, YOURS.format("..."), CHECK, HINT, QUIZ)

TYPE_ANSWER = """source => { window.jupyterapp.shell.currentWidget.content.widgets
    .find(cell => cell.model.sharedModel.source.startsWith('def my_variance'))
    .model.sharedModel.setSource(source); }"""


def test_a_person_answers_tries_and_comes_back(lab: LabPage):
    lab.write(NAME, *CELLS)
    lab.open(NAME)
    lab.run_all()
    assert map_line(lab) == "0 of 3 done, quiz 0 of 3"
    answers_by_keyboard(lab)
    help_comes_in_order(lab)
    assert grave_violations(lab) == []
    the_map_has_changed_after_a_reload(lab)
    assert lab.problems == []


def map_line(lab: LabPage) -> str:
    text = lab.find(".srlab-map-03 small").inner_text()
    assert text.endswith("; you are here")
    return text.removesuffix("; you are here")


def answers_by_keyboard(lab: LabPage):
    question = lesson("03").quiz[0]
    right = [answer.right for answer in question.answers].index(True)
    assert right == 1, "the keys below go to a wrong answer, then to the right one"
    lab.find(".srlab-1-a").focus()
    lab.page.keyboard.press("Enter")
    lab.wait_for_status(".srlab-reason-1", "data-right", "false")
    assert question.answers[0].reason in lab.find(".srlab-reason-1").inner_text()
    lab.page.keyboard.press("Tab")
    lab.page.keyboard.press("Space")
    lab.wait_for_status(".srlab-reason-1", "data-right", "true")
    assert question.answers[1].reason in lab.find(".srlab-reason-1").inner_text()
    name = lab.page.evaluate("() => document.activeElement.innerText")
    assert name.startswith("B ✓"), "the focus stays, and the button says it, too"
    whole = lab.find(".srlab-1-c").evaluate("b => b.scrollWidth <= b.clientWidth")
    assert whole, "no answer is cut off"
    assert lab.page.locator(".srlab-reason-2").count() == 0


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
    wanted = [["nudge"], ["nudge", "hint"], ["nudge", "hint", "solution"]]
    for number, steps in enumerate(wanted):
        lab.page.evaluate(TYPE_ANSWER, YOURS.format(f"return weight + {number}.5"))
        for _ in range(2):  # the second time with the same answer
            lab.run_all()
            assert steps_shown(lab) == steps
            assert (texts.hint in lab.cell_text("check_variance(my")) == (number > 0)
    answer = YOURS.format("return variance * (1 + weight**2) ** depth")
    lab.page.evaluate(TYPE_ANSWER, answer)
    lab.run_all()
    assert "Done." in lab.cell_text("check_variance(my")


def the_map_has_changed_after_a_reload(lab: LabPage):
    lab.command("docmanager:save")
    lab.open(NAME)
    lab.restart_kernel()
    lab.run_all()
    wait_until(lambda: map_line(lab) == "1 of 3 done, quiz 1 of 3", what="the map to show it")
    link = lab.find(".srlab-map-00 a")
    link.focus()
    assert link.evaluate("a => a === document.activeElement"), "links are reached by Tab"


def test_stored_map_and_quiz_can_be_read_without_a_kernel(lab: LabPage):
    lab.open("03_weighted_residuals.ipynb")
    lab.find(".srlab-map-03")
    assert map_line(lab) == "0 of 3 done, quiz 0 of 3"
    text = lab.cell_text('Quiz("03")')
    assert lesson("03").quiz[0].answers[1].text in text
    assert lab.page.locator(".srlab-quiz").count() == 0
