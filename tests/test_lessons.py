"""The rules over the real lessons and their solutions."""

import pytest

from tests.lesson_cells import notebooks
from tests.lesson_rules import (
    Lesson,
    Package,
    blanks_are_checked,
    build_cells_equal_the_package,
    checks_its_numbers,
    drafts_have_draft_names,
    each_taught_name_is_built_once,
    has_solutions,
    has_the_usual_form,
    imports_come_later,
    is_stored_whole,
    links_its_sources,
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


OF_THE_PACKAGE = (build_cells_equal_the_package, drafts_have_draft_names, imports_come_later)
HELD_BY = {
    **dict.fromkeys(OF_THE_PACKAGE, ALL),
    blanks_are_checked: ALL,
    is_stored_whole: ALL,
    has_the_usual_form: ALL,
    checks_its_numbers: LESSONS + COMPANIONS,
    has_solutions: LESSONS,
    links_its_sources: LESSONS,
    shows_map_and_quiz: LESSONS,
    map_is_neutral: LESSONS + FIRST_PAGES,
    solutions_are_not_remembered: SOLUTIONS,
}


@pytest.mark.parametrize(
    ("rule", "lesson"),
    [
        pytest.param(rule, lesson, id=f"{rule.__name__}-{named(lesson)}")
        for rule, lessons in HELD_BY.items()
        for lesson in lessons
    ],
)
def test_a_rule_is_kept(rule, lesson: Lesson):
    fail_on(rule(lesson, PACKAGE) if rule in OF_THE_PACKAGE else rule(lesson))


def test_the_first_page_is_the_map():
    (page,) = FIRST_PAGES
    assert [cell.source.splitlines()[-1] for cell in page.code] == ["CourseMap()"]


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
