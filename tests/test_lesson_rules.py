"""Each rule of a lesson, kept and broken, on tiny notebooks."""

from collections.abc import Callable
from inspect import signature
from pathlib import Path
from typing import Any

import pytest
from nbformat.v4 import new_markdown_cell, new_output

from tests import lesson_rules as rules
from tests.lesson_rules import Package
from tests.test_lesson_cells import DOUBLE, GROW, add_lesson, executed, printed
from tests.test_lesson_cells import root as root  # a fixture

BUILD_DOUBLE = f"# srlab/models.py: double\n{DOUBLE}"
BUILD_SCALE = "# srlab/models.py: SCALE\nSCALE = 4"
BUILD_GROW = f"# srlab/models.py: Grow\n{GROW}"
BLANK = "# srlab/models.py: double\ndef double(x: float) -> float:\n    ...  # your turn"
BUILT = "double = built(double, check_double)"
IMPORT, GROWS = "from srlab.models import double, helper", "from srlab.models import Grow"
SOLVED = "solutions/00_a.ipynb"
MAP, QUIZ = 'CourseMap("01")', 'Quiz("01")'
CHECK = "from srlab.checks import check_it\n\ncheck_it(mine)"
LATE_MAP, LATE_QUIZ = "None of the first 4 cells shows", "No cell behind the exercises shows"


@pytest.fixture
def package(root: Path) -> Package:
    return Package(root)


def held(rule: Callable[..., list[str]], lesson: rules.Lesson, package: Package) -> list[str]:
    """What a rule says of a lesson."""
    return rule(lesson, package) if len(signature(rule).parameters) == 2 else rule(lesson)


def failing(name: str) -> Any:
    error = new_output("error", ename=name, evalue="", traceback=[])
    return executed("x", 1, error)


def stored_map(built: int, done: int, right: int, signs: str = "") -> Any:
    text = (
        f"Your course: {built} of 20 parts built, {done} of 24 exercises done, "
        f"{right} of 24 questions right{signs}"
    )
    return executed(
        MAP, 1, new_output("execute_result", {"text/plain": text}, execution_count=1)
    )


def linked(*links: str) -> Any:
    return new_markdown_cell("**Sources.** " + ", ".join(f"[A]({link})" for link in links))


SOMEBODYS = "The stored map shows what somebody has done; store the lesson again."
PAPER = "https://arxiv.org/abs/1512.03385"
HTML = '<img src="data:image/png;base64,a/tmp/b" alt="one">'
PICTURE = {"image/png": "/tmp/", "text/html": HTML, "text/plain": "a picture"}

# Rule -> the cells of a notebook, and how what it says of them goes; "" if they keep it.
CASES: dict[Callable[..., list[str]], list[tuple[str, list[Any], str]]] = {
    rules.build_cells_equal_the_package: [
        ("00_a.ipynb", [BUILD_DOUBLE, "x = 1"], ""),
        ("00_a.ipynb", [BUILD_DOUBLE.replace("2 *", "3 *")], "+    y = 3 * x"),
        ("00_a.ipynb", [BUILD_DOUBLE.replace("2 *", "3 *")], "tests.lesson_cells sync"),
    ],
    rules.blanks_are_checked: [
        ("00_a.ipynb", [BLANK, BUILT], ""),
        ("00_a.ipynb", [BLANK, f"from srlab.checks import check_double\n\n{BUILT}"], ""),
        ("00_a.ipynb", [BLANK, "double(3)"], "The cell after double's blank is no double ="),
        ("00_a.ipynb", [BLANK, "double = built(other, check_double)"], "The cell after"),
        ("00_a.ipynb", [BLANK, "Grow = built(Grow, check_grow)"], "The cell after"),
        ("00_a.ipynb", [BLANK], "The cell after double's blank"),
        (SOLVED, [BLANK, BUILT], "The solution leaves double blank."),
    ],
    rules.drafts_have_draft_names: [
        *(
            ("00_a.ipynb", [source], "which is srlab/models.py's; take a draft name")
            for source in (
                "def double(x): return 2", "class Grow: ...", "SCALE = 3",
                "for double in range(3): pass", "import math as Grow",
                "%matplotlib inline\nhelper = 1",
            )
        ),
        ("00_a.ipynb", [BUILT], ""),
        (
            "02_a.ipynb",
            [
                BUILD_GROW, "def double_draft(x):\n    double = 2 * x\n    return double",
                "from srlab.models import Grow, SCALE", "[double for double in range(3)]",
                "%timeit -n1 double(2)",
            ],
            "",
        ),
    ],
    rules.imports_come_later: [
        ("01_a.ipynb", [IMPORT], ""),
        (SOLVED, [IMPORT], ""),
        ("00_a_lab.ipynb", [IMPORT], ""),
        ("00_a.ipynb", [IMPORT], "double is imported from srlab/models.py, but lesson 00"),
        ("00_a.ipynb", [GROWS], "Grow is imported"),
        ("00_a_lab.ipynb", [GROWS], "Grow is imported"),
        ("start.ipynb", [IMPORT], "double is imported"),
    ],
    rules.is_stored_whole: [
        (
            "00_a.ipynb",
            [
                executed("x = 1", 1, new_output("display_data", PICTURE)),
                executed("print('https://x.org/home/')", 2, printed("https://x.org/home/\n")),
            ],
            "",
        ),
        ("00_a.ipynb", [executed("x", None)], "numbered [None], not 1 to 1"),
        ("00_a.ipynb", [executed("x", 2)], "numbered [2], not 1 to 1"),
        ("00_a.ipynb", [executed("x", 1, printed("oh", "stderr"))], "A warning is stored: oh"),
        ("00_a.ipynb", [executed("x", 1, printed("in /home/me/x.png"))], "run: in /home/me/x"),
        ("00_a.ipynb", [executed("x", 1, printed("a\n<A at 0x7f00aa1>"))], "run: <A at 0x7f00"),
        ("00_a.ipynb", [failing("KeyError")], "An error is stored: KeyError"),
        (
            "00_a.ipynb", [executed("x", 1, printed("one\n"), printed("two\n"))],
            "What it printed is stored in 2 pieces:\nx",
        ),
    ],
    rules.has_the_usual_form: [
        ("00_a.ipynb", ["x = 1\n" * 26], "A cell has 26 lines of code, more than 25"),
        ("00_a.ipynb", ["x = " + "1" * 97], "A line has 101 columns, more than 100"),
        ("00_a.ipynb", ["# why\n\n" * 30 + "x = 1\n" * 25], ""),
    ],
    rules.checks_its_numbers: [
        ("00_a.ipynb", ["x"], "No cell is tagged nbval-check-output"),
        ("00_a.ipynb", [executed("x", 1, tags=["nbval-check-output"])], ""),
    ],
    rules.has_solutions: [("00_a.ipynb", ["x"], "There is no lessons/solutions/00_a.ipynb.")],
    rules.links_its_sources: [
        *(
            ("00_a.ipynb", [cell], "")
            for cell in (
                linked("https://doi.org/10.1109/TASSP.1981.1163711"),
                linked("https://doi.org/10.1016/1049-9652(91)90045-L", "https://github.com/a"),
                new_markdown_cell(f"Hm.\n\n**Sources.**\n\n- [He]({PAPER})\n\n**Next.** 01."),
            )
        ),
        ("00_a.ipynb", [new_markdown_cell("Keys 1981.")], "No paragraph begins with **Sources"),
        ("00_a.ipynb", [new_markdown_cell("**Sources.** Keys 1981.")], "link to no paper"),
        (
            "00_a.ipynb", [new_markdown_cell(f"**Sources.** A.\n\n**Next.** [A]({PAPER})")],
            "link to no paper",
        ),
        *(
            ("00_a.ipynb", [linked(link)], f"A source's link is malformed: {link!r}")
            for link in (
                "https://arxiv.org/abs/1513.03385", "https://arxiv.org/pdf/1512.03385",
                "https://doi.org/TASSP.1981", "http://arxiv.org/abs/1512.03385",
                "arxiv.org/abs/1512.03385", "https://example",
            )
        ),
    ],
    rules.shows_map_and_quiz: [
        ("01_a.ipynb", ["import torch", MAP, "x", CHECK, QUIZ], ""),
        ("01_a.ipynb", ["x", CHECK, QUIZ], f"{LATE_MAP} {MAP}"),
        ("01_a.ipynb", ['CourseMap("02")', CHECK, QUIZ], f"{LATE_MAP} {MAP}"),
        ("01_a.ipynb", ["x", "x", "x", MAP, CHECK, QUIZ], LATE_MAP),
        ("01_a.ipynb", [MAP, CHECK], f"{LATE_QUIZ} {QUIZ}"),
        ("01_a.ipynb", [MAP, CHECK, 'Quiz("00")'], LATE_QUIZ),
        ("01_a.ipynb", [MAP, QUIZ, CHECK], LATE_QUIZ),
    ],
    rules.map_is_neutral: [
        ("01_a.ipynb", [stored_map(0, 0, 0)], ""),
        ("01_a.ipynb", [stored_map(2, 0, 0)], SOMEBODYS),
        ("01_a.ipynb", [stored_map(0, 3, 0)], SOMEBODYS),
        ("01_a.ipynb", [stored_map(0, 0, 2)], SOMEBODYS),
        ("01_a.ipynb", [stored_map(0, 0, 0, "\n◐○○")], SOMEBODYS),
        ("01_a.ipynb", [stored_map(0, 0, 0, "\n◇○○")], SOMEBODYS),
    ],
    rules.solutions_are_not_remembered: [
        (SOLVED, ["import torch\ndo_not_remember()", "x"], ""),
        (SOLVED, ["import torch", "do_not_remember()"], "The first cell does not call do_not"),
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "name", "cells", "told"),
    [
        pytest.param(rule, *case, id=f"{rule.__name__}-{number}")
        for rule, cases in CASES.items()
        for number, case in enumerate(cases)
    ],
)
def test_a_rule_is_kept_or_what_breaks_it_is_told(
    root: Path, package: Package, rule: Any, name: str, cells: list[Any], told: str
):
    found = held(rule, add_lesson(root, name, *cells), package)
    assert (found == []) == (told == "")
    assert told in "\n".join(found[:1])
    if rule is rules.is_stored_whole and told:
        assert found[1:] == ["(python -m tests.lesson_cells store)"]
    elif rule is not rules.links_its_sources:
        assert len(found) < 2, "one fault is told once"


def test_source_lines_say_which_lesson_teaches_a_name(package: Package):
    assert package.lesson_of == {
        ("srlab/models.py", "SCALE"): 0,
        ("srlab/models.py", "double"): 0,
        ("srlab/models.py", "Grow"): 1,
        ("srlab/models.py", "helper"): None,
        ("srlab/require.py", "require_scale"): None,
    }


def test_a_lesson_with_solutions(root: Path):
    add_lesson(root, SOLVED, "x")
    assert rules.has_solutions(add_lesson(root, "00_a.ipynb", "x")) == []


SAYS = "but its docstring's Source says:"


@pytest.mark.parametrize(
    ("cells", "problem"),
    [
        ([BUILD_DOUBLE, BUILD_SCALE], ""),
        ([BUILD_DOUBLE], f"SCALE is built in no lesson, {SAYS} le"),
        (
            [BUILD_DOUBLE, BUILD_SCALE, BUILD_DOUBLE],
            f"double is built in lesson 00 and lesson 00, {SAYS}",
        ),
        (
            [BUILD_DOUBLE, BUILD_SCALE, BUILD_GROW],
            f"Grow is built in lesson 00, {SAYS} lesson 01",
        ),
        (
            [BUILD_DOUBLE, BUILD_SCALE, "# srlab/models.py: helper"],
            f"helper is built in lesson 00, {SAYS} no lesson",
        ),
    ],
)
def test_each_taught_name_is_built_once(
    root: Path, package: Package, cells: list[str], problem: str
):
    lesson = add_lesson(root, "00_a.ipynb", *cells)
    found = rules.each_taught_name_is_built_once([lesson], package)
    assert len(found) == bool(problem)
    assert problem in "\n".join(found)
    later = add_lesson(root, "01_a.ipynb", BUILD_GROW)
    found = rules.each_taught_name_is_built_once([lesson, later], package)
    assert len(found) == bool(problem)


def test_empty_cells_widget_state_and_size_are_told(root: Path):
    lesson = add_lesson(root, "00_a.ipynb", executed("x", 1, printed("x" * rules.BYTES)), "")
    lesson.notebook.metadata["widgets"] = {}
    assert rules.is_stored_whole(lesson)[:3] == [
        "There is an empty code cell.",
        "It stores the state of widgets (metadata.widgets).",
        "It has 1.5 MB, more than 1.5 MB.",
    ]


def test_a_title_comes_first(root: Path):
    lesson = add_lesson(root, "00_a.ipynb", "x = 1")
    del lesson.notebook.cells[0]
    assert rules.has_the_usual_form(lesson) == ["It does not begin with a title, '# ...'."]


def test_a_labs_own_page_stands_beside_a_lesson_and_builds_nothing(root: Path):
    names = ["00_a.ipynb", "00_b_lab.ipynb", SOLVED, "solutions/00_b_lab.ipynb"]
    pages = [add_lesson(root, name, "x") for name in names]
    assert [page.is_companion for page in pages] == [False, True, False, False]
    lesson, good = pages[:2]
    assert rules.stands_beside_a_lesson(good, [lesson]) == []
    alone = add_lesson(root, "01_a_lab.ipynb", "x")
    told = ["01_a_lab.ipynb stands beside no lesson."]
    assert rules.stands_beside_a_lesson(alone, [lesson]) == told
    builds = add_lesson(root, "00_b_lab.ipynb", BUILD_SCALE)
    (problem,) = rules.stands_beside_a_lesson(builds, [lesson])
    assert problem.startswith("00_b_lab.ipynb builds SCALE; a page beside a lesson imports")
