"""Each rule of a lesson, kept and broken, on tiny notebooks."""

from pathlib import Path

import pytest
from nbformat.v4 import new_markdown_cell, new_output

from tests import lesson_rules as rules
from tests.lesson_rules import Package
from tests.test_lesson_cells import DOUBLE, GROW, add_lesson, executed, printed
from tests.test_lesson_cells import root as root  # a fixture

BUILD_DOUBLE = f"# srlab/models.py: double\n{DOUBLE}"
BUILD_SCALE = "# srlab/models.py: SCALE\nSCALE = 4"
BUILD_GROW = f"# srlab/models.py: Grow\n{GROW}"


@pytest.fixture
def package(root: Path) -> Package:
    return Package(root)


def test_source_lines_say_which_lesson_teaches_a_name(package: Package):
    assert package.lesson_of == {
        ("srlab/models.py", "SCALE"): 0,
        ("srlab/models.py", "double"): 0,
        ("srlab/models.py", "Grow"): 1,
        ("srlab/models.py", "helper"): None,
        ("srlab/require.py", "require_scale"): None,
    }


def test_build_cells_equal_the_package(root: Path, package: Package):
    good = add_lesson(root, "00_a.ipynb", BUILD_DOUBLE, "x = 1")
    assert rules.build_cells_equal_the_package(good, package) == []
    bad = add_lesson(root, "00_b.ipynb", BUILD_DOUBLE.replace("2 *", "3 *"))
    (problem,) = rules.build_cells_equal_the_package(bad, package)
    assert "+    y = 3 * x" in problem
    assert "python -m tests.lesson_cells sync" in problem


BLANK = "# srlab/models.py: double\ndef double(x: float) -> float:\n    ...  # your turn"


@pytest.mark.parametrize(
    ("after", "told"),
    [
        ("double = built(double, check_double)", 0),
        ("from srlab.checks import check_double\n\ndouble = built(double, check_double)", 0),
        ("double(3)", 1),
        ("double = built(other, check_double)", 1),
        ("Grow = built(Grow, check_grow)", 1),
    ],
)
def test_each_blank_is_checked_by_the_next_cell(root: Path, after: str, told: int):
    lesson = add_lesson(root, "00_a.ipynb", BLANK, after)
    assert len(rules.blanks_are_checked(lesson)) == told


def test_a_blank_at_the_end_and_one_in_the_solutions_are_told(root: Path):
    assert rules.blanks_are_checked(add_lesson(root, "00_a.ipynb", BLANK))
    solved = add_lesson(root, "solutions/00_a.ipynb", BLANK, "double = built(double, check_it)")
    assert rules.blanks_are_checked(solved) == ["The solution leaves double blank."]


def test_what_was_built_may_keep_its_name(root: Path, package: Package):
    lesson = add_lesson(root, "00_a.ipynb", "double = built(double, check_double)")
    assert rules.drafts_have_draft_names(lesson, package) == []


@pytest.mark.parametrize(
    "source",
    [
        "def double(x): return 2",
        "class Grow: ...",
        "SCALE = 3",
        "for double in range(3): pass",
        "import math as Grow",
        "%matplotlib inline\nhelper = 1",
    ],
)
def test_a_second_meaning_is_refused(root: Path, package: Package, source: str):
    lesson = add_lesson(root, "00_a.ipynb", source)
    (problem,) = rules.drafts_have_draft_names(lesson, package)
    assert "which is srlab/models.py's; take a draft name" in problem


def test_drafts_local_names_and_imports_are_free(root: Path, package: Package):
    lesson = add_lesson(
        root,
        "02_a.ipynb",
        BUILD_GROW,
        "def double_draft(x):\n    double = 2 * x\n    return double",
        "from srlab.models import Grow, SCALE",
        "[double for double in range(3)]",
        "%timeit -n1 double(2)",
    )
    assert rules.drafts_have_draft_names(lesson, package) == []


def test_only_later_lessons_import_what_was_taught(root: Path, package: Package):
    source = "from srlab.models import double, helper"
    assert rules.imports_come_later(add_lesson(root, "01_a.ipynb", source), package) == []
    own_solution = add_lesson(root, "solutions/00_a.ipynb", source)
    assert rules.imports_come_later(own_solution, package) == []
    (problem,) = rules.imports_come_later(add_lesson(root, "00_a.ipynb", source), package)
    assert "double is imported from srlab/models.py, but lesson 00 builds it" in problem


def test_each_taught_name_is_built_once(root: Path, package: Package):
    lesson = add_lesson(root, "00_a.ipynb", BUILD_DOUBLE, BUILD_SCALE)
    assert rules.each_taught_name_is_built_once([lesson], package) == []
    later = add_lesson(root, "01_a.ipynb", BUILD_GROW)
    assert rules.each_taught_name_is_built_once([lesson, later], package) == []


@pytest.mark.parametrize(
    ("cells", "problem"),
    [
        (
            [BUILD_DOUBLE],
            "SCALE is built in no lesson, but its docstring's Source says: le",
        ),
        (
            [BUILD_DOUBLE, BUILD_SCALE, BUILD_DOUBLE],
            "double is built in lesson 00 and lesson 00, but its docstring's Source says",
        ),
        (
            [BUILD_DOUBLE, BUILD_SCALE, BUILD_GROW],
            "Grow is built in lesson 00, but its docstring's Source says: lesson 01",
        ),
        (
            [BUILD_DOUBLE, BUILD_SCALE, "# srlab/models.py: helper"],
            "helper is built in lesson 00, but its docstring's Source says: no lesson",
        ),
    ],
)
def test_a_name_built_elsewhere_or_twice_is_told(
    root: Path, package: Package, cells: list[str], problem: str
):
    lesson = add_lesson(root, "00_a.ipynb", *cells)
    (found,) = rules.each_taught_name_is_built_once([lesson], package)
    assert problem in found


def test_a_whole_lesson_passes(root: Path):
    html = '<img src="data:image/png;base64,a/tmp/b" alt="one">'
    both = {"image/png": "/tmp/", "text/html": html, "text/plain": "a picture"}
    picture = new_output("display_data", both)
    lesson = add_lesson(
        root,
        "00_a.ipynb",
        executed("x = 1", 1, picture),
        executed("print(x, 'https://x.org/home/')", 2, printed("1 https://x.org/home/\n")),
    )
    assert rules.is_stored_whole(lesson) == []
    assert rules.has_the_usual_form(lesson) == []


@pytest.mark.parametrize(
    ("cell", "problem"),
    [
        (executed("x", None), "numbered [None], not 1 to 1"),
        (executed("x", 2), "numbered [2], not 1 to 1"),
        (executed("x", 1, printed("careful", "stderr")), "A warning is stored: careful"),
        (executed("x", 1, printed("in /home/me/x.png")), "one machine or run: in /home/me/x"),
        (executed("x", 1, printed("a\n<A at 0x7f00aa11bb>")), "run: <A at 0x7f00aa11bb>"),
        (
            executed("x", 1, new_output("error", ename="KeyError", evalue="", traceback=[])),
            "An error is stored: KeyError",
        ),
    ],
)
def test_what_a_stored_lesson_may_not_hold(root: Path, cell, problem: str):
    found = rules.is_stored_whole(add_lesson(root, "00_a.ipynb", cell))
    assert problem in found[0]
    assert found[1:] == ["(python -m tests.lesson_cells store)"]


def test_printing_in_pieces_is_told(root: Path):
    cell = executed("x", 1, printed("one\n"))
    cell.outputs.append(printed("two\n"))
    found = rules.is_stored_whole(add_lesson(root, "00_a.ipynb", cell))
    assert found[0] == "What it printed is stored in 2 pieces:\nx"


def test_empty_cells_widget_state_and_size_are_told(root: Path):
    lesson = add_lesson(root, "00_a.ipynb", executed("x", 1, printed("x" * rules.BYTES)), "")
    lesson.notebook.metadata["widgets"] = {}
    assert rules.is_stored_whole(lesson)[:3] == [
        "There is an empty code cell.",
        "It stores the state of widgets (metadata.widgets).",
        "It has 1.5 MB, more than 1.5 MB.",
    ]


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("x = 1\n" * 26, "A cell has 26 lines of code, more than 25"),
        ("x = " + "1" * 97, "A line has 101 columns, more than 100"),
    ],
)
def test_long_cells_and_lines_are_told(root: Path, source: str, problem: str):
    (found,) = rules.has_the_usual_form(add_lesson(root, "00_a.ipynb", source))
    assert found.startswith(problem)


def test_comments_and_empty_lines_are_not_code(root: Path):
    lesson = add_lesson(root, "00_a.ipynb", "# why\n\n" * 30 + "x = 1\n" * 25)
    assert rules.has_the_usual_form(lesson) == []


def test_a_title_comes_first(root: Path):
    lesson = add_lesson(root, "00_a.ipynb", "x = 1")
    del lesson.notebook.cells[0]
    assert rules.has_the_usual_form(lesson) == ["It does not begin with a title, '# ...'."]


def test_a_lesson_checks_numbers_and_has_solutions(root: Path):
    lesson = add_lesson(root, "00_a.ipynb", "x")
    assert "No cell is tagged nbval-check-output" in rules.checks_its_numbers(lesson)[0]
    assert rules.has_solutions(lesson) == ["There is no lessons/solutions/00_a.ipynb."]
    add_lesson(root, "solutions/00_a.ipynb", "x")
    assert rules.has_solutions(lesson) == []
    tagged = add_lesson(root, "01_a.ipynb", executed("x", 1, tags=["nbval-check-output"]))
    assert rules.checks_its_numbers(tagged) == []


def with_sources(root: Path, text: str) -> rules.Lesson:
    lesson = add_lesson(root, "00_a.ipynb", "x")
    lesson.notebook.cells.append(new_markdown_cell(text))
    return lesson


@pytest.mark.parametrize(
    "text",
    [
        "**Sources.** Cubic: [Keys 1981](https://doi.org/10.1109/TASSP.1981.1163711).",
        "Before.\n\n**Sources.**\n\n- [He](https://arxiv.org/abs/1512.03385)\n\n**Next.** 01.",
        "**Sources.** [Irani 1991](https://doi.org/10.1016/1049-9652(91)90045-L), "
        "[code](https://github.com/fastai/fastai1).",
    ],
)
def test_sources_with_links(root: Path, text: str):
    assert rules.links_its_sources(with_sources(root, text)) == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("Keys 1981.", "No paragraph begins with **Sources.**"),
        ("**Sources.** Keys 1981.", "link to no paper"),
        ("**Sources.** [A](https://arxiv.org/abs/1513.03385)", "'https://arxiv.org/abs/1513"),
        ("**Sources.** [A](https://arxiv.org/pdf/1512.03385)", "malformed"),
        ("**Sources.** [A](https://doi.org/TASSP.1981)", "malformed: 'https://doi.org/TASSP"),
        ("**Sources.** [A](http://arxiv.org/abs/1512.03385)", "malformed: 'http://"),
        ("**Sources.** [A](arxiv.org/abs/1512.03385)", "malformed: 'arxiv.org"),
        ("**Sources.** [A](https://example)", "malformed: 'https://example'"),
        ("**Sources.** A.\n\n**Next.** [A](https://arxiv.org/abs/1512.03385)", "to no paper"),
    ],
)
def test_sources_without_links_or_with_broken_ones(root: Path, text: str, problem: str):
    assert problem in "\n".join(rules.links_its_sources(with_sources(root, text)))


MAP, QUIZ = 'CourseMap("01")', 'Quiz("01")'
CHECK = "from srlab.checks import check_it\n\ncheck_it(mine)"


def test_a_lesson_with_map_and_quiz(root: Path):
    lesson = add_lesson(root, "01_a.ipynb", "import torch", MAP, "x", CHECK, QUIZ)
    assert rules.shows_map_and_quiz(lesson) == []


@pytest.mark.parametrize(
    ("cells", "problem"),
    [
        (["x", CHECK, QUIZ], 'None of the first 4 cells shows CourseMap("01")'),
        (['CourseMap("02")', CHECK, QUIZ], 'None of the first 4 cells shows CourseMap("01")'),
        (["x", "x", "x", MAP, CHECK, QUIZ], "None of the first 4 cells"),
        ([MAP, CHECK], 'No cell behind the exercises shows Quiz("01")'),
        ([MAP, CHECK, 'Quiz("00")'], "No cell behind the exercises"),
        ([MAP, QUIZ, CHECK], "No cell behind the exercises"),
    ],
)
def test_a_lesson_without_map_or_quiz(root: Path, cells: list[str], problem: str):
    (told,) = rules.shows_map_and_quiz(add_lesson(root, "01_a.ipynb", *cells))
    assert problem in told


@pytest.mark.parametrize(
    ("counts", "signs", "wrong"),
    [
        ((0, 0, 0), "", False),
        ((2, 0, 0), "", True),
        ((0, 3, 0), "", True),
        ((0, 0, 2), "", True),
        ((0, 0, 0), "\n◐○○", True),
        ((0, 0, 0), "\n◇○○", True),
    ],
)
def test_a_stored_map_is_nobodys(
    root: Path, counts: tuple[int, int, int], signs: str, wrong: bool
):
    built, done, right = counts
    text = (
        f"Your course: {built} of 20 parts built, {done} of 24 exercises done, "
        f"{right} of 24 questions right{signs}"
    )
    shown = new_output("execute_result", {"text/plain": text}, execution_count=1)
    lesson = add_lesson(root, "01_a.ipynb", executed(MAP, 1, shown))
    told = ["The stored map shows what somebody has done; store the lesson again."]
    assert rules.map_is_neutral(lesson) == (told if wrong else [])


def test_solutions_that_would_count_as_solved(root: Path):
    good = add_lesson(root, "solutions/00_a.ipynb", "import torch\ndo_not_remember()", "x")
    assert rules.solutions_are_not_remembered(good) == []
    bad = add_lesson(root, "solutions/00_b.ipynb", "import torch", "do_not_remember()")
    (told,) = rules.solutions_are_not_remembered(bad)
    assert told.startswith("The first cell does not call do_not_remember()")


def test_the_first_page(root: Path, package: Package):
    page = add_lesson(root, "start.ipynb", "from srlab.models import double")
    assert page.is_first_page
    (problem,) = rules.imports_come_later(page, package)
    assert "double is imported" in problem


def test_a_labs_own_page_is_a_companion(root: Path):
    names = ["00_a.ipynb", "00_b_lab.ipynb", "solutions/00_a.ipynb", "solutions/00_b_lab.ipynb"]
    pages = [add_lesson(root, name, "x") for name in names]
    assert [page.is_companion for page in pages] == [False, True, False, False]


def test_a_companion_imports_what_its_lesson_builds(root: Path, package: Package):
    source = "from srlab.models import double"
    assert rules.imports_come_later(add_lesson(root, "00_a_lab.ipynb", source), package) == []
    lesson = add_lesson(root, "00_a.ipynb", "from srlab.models import Grow")
    early = add_lesson(root, "00_b_lab.ipynb", "from srlab.models import Grow")
    assert rules.imports_come_later(early, package) == rules.imports_come_later(lesson, package)


def test_a_companion_stands_beside_a_lesson(root: Path):
    lesson = add_lesson(root, "00_a.ipynb", BUILD_DOUBLE)
    good = add_lesson(root, "00_a_lab.ipynb", "x")
    assert rules.stands_beside_a_lesson(good, [lesson]) == []
    alone = add_lesson(root, "01_a_lab.ipynb", "x")
    assert rules.stands_beside_a_lesson(alone, [lesson]) == [
        "01_a_lab.ipynb stands beside no lesson."
    ]
    builds = add_lesson(root, "00_b_lab.ipynb", BUILD_SCALE)
    (problem,) = rules.stands_beside_a_lesson(builds, [lesson])
    assert problem.startswith("00_b_lab.ipynb builds SCALE; a page beside a lesson imports")
