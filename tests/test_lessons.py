"""The rules over the real lessons and their solutions."""

import pytest

from tests.lesson_cells import notebooks
from tests.lesson_rules import (
    Lesson,
    Package,
    build_cells_equal_the_package,
    checks_its_numbers,
    drafts_have_draft_names,
    each_taught_name_is_built_once,
    has_solutions,
    has_the_usual_form,
    imports_come_later,
    is_stored_whole,
    map_is_neutral,
    shows_map_and_quiz,
    solutions_are_not_remembered,
    stands_beside_a_lesson,
)

PACKAGE = Package()
ALL = [Lesson(path) for path in notebooks()]
COMPANIONS = [lesson for lesson in ALL if lesson.is_companion]
SOLUTIONS = [lesson for lesson in ALL if lesson.is_solution]
FIRST_PAGES = [lesson for lesson in ALL if lesson.is_first_page]
LESSONS = [one for one in ALL if one not in COMPANIONS + SOLUTIONS + FIRST_PAGES]


def named(lesson: Lesson) -> str:
    return f"{lesson.path.parent.name}/{lesson.path.stem}"


def fail_on(problems: list[str]) -> None:
    if problems:
        pytest.fail("\n\n".join(problems), pytrace=False)


def test_there_are_lessons():
    """Without any, all the rules below would be skipped in silence."""
    assert LESSONS


@pytest.mark.parametrize("lesson", ALL, ids=named)
@pytest.mark.parametrize(
    "rule",
    [build_cells_equal_the_package, drafts_have_draft_names, imports_come_later],
)
def test_code_belongs_to_the_package(lesson: Lesson, rule):
    fail_on(rule(lesson, PACKAGE))


@pytest.mark.parametrize("lesson", ALL, ids=named)
@pytest.mark.parametrize("rule", [is_stored_whole, has_the_usual_form])
def test_notebook(lesson: Lesson, rule):
    fail_on(rule(lesson))


@pytest.mark.parametrize("lesson", LESSONS + COMPANIONS, ids=named)
def test_numbers_are_checked(lesson: Lesson):
    fail_on(checks_its_numbers(lesson))


@pytest.mark.parametrize("lesson", LESSONS, ids=named)
def test_lesson_has_solutions(lesson: Lesson):
    fail_on(has_solutions(lesson))


@pytest.mark.parametrize("lesson", LESSONS, ids=named)
def test_lesson_shows_map_and_quiz(lesson: Lesson):
    fail_on(shows_map_and_quiz(lesson))


def test_the_first_page_is_the_map():
    (page,) = FIRST_PAGES
    assert [cell.source.splitlines()[-1] for cell in page.code] == ["CourseMap()"]


@pytest.mark.parametrize("lesson", LESSONS + FIRST_PAGES, ids=named)
def test_map_is_neutral(lesson: Lesson):
    fail_on(map_is_neutral(lesson))


@pytest.mark.parametrize("lesson", SOLUTIONS, ids=named)
def test_solutions_are_not_remembered(lesson: Lesson):
    fail_on(solutions_are_not_remembered(lesson))


def test_companions_stand_beside_a_lesson():
    fail_on([told for one in COMPANIONS for told in stands_beside_a_lesson(one, LESSONS)])


def test_each_taught_name_is_built_once():
    fail_on(each_taught_name_is_built_once(LESSONS, PACKAGE))


def test_solutions_belong_to_a_lesson():
    names = {lesson.path.name for lesson in LESSONS}
    fail_on(
        [
            f"{lesson.path.name} solves no lesson."
            for lesson in ALL
            if lesson.is_solution and lesson.path.name not in names
        ]
    )
