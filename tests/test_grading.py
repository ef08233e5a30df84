"""The exercises under nbgrader: full marks for what is right, none for what is not.

nbgrader runs a notebook whole, and a lesson trains; so what is graded are sheets
with the exercises alone. That a whole lesson can be handed in is shown on the first.
"""

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest

from srlab.course.grading import CONFIG, exercise_sheet, grading_marks, write_assignments
from tests.conftest import ONE_THREAD, Command
from tests.lesson_cells import notebooks, read_notebook
from tests.warm_kernels import in_use

pytestmark = pytest.mark.slow

LESSONS = [path for path in notebooks() if (path.parent / "solutions" / path.name).is_file()]
NAMES = [f"lesson_{path.name[:2]}" for path in LESSONS]
EXERCISES = 3  # in each lesson

# One process for all lessons: nbgrader takes seconds to load.
GRADE = """
import json, sys
from traitlets.config import Config
from nbgrader.apps import NbGraderAPI
from nbgrader.api import Gradebook
config = Config()
config.CourseDirectory.root = sys.argv[1]
exec(open(sys.argv[1] + "/nbgrader_config.py").read(), {"get_config": lambda: config})
api = NbGraderAPI(config=config)
step, names, students = json.loads(sys.argv[2])
scores = {}
for name in names:
    if step == "generate":
        done = api.generate_assignment(name, create=True)
        assert done["success"], done["log"]
    for student in students:
        done = api.autograde(name, student, create=True)
        assert done["success"], done["log"]
with Gradebook(f"sqlite:///{sys.argv[1]}/gradebook.db") as book:
    for name in names if step == "grade" else ():
        for one in book.assignment_submissions(name):
            scores[f"{name} {one.student.id}"] = [one.score, one.max_score]
print("SCORES" + json.dumps(scores))
"""


def environment(folder: Path) -> dict[str, str]:
    """nbgrader calls alembic by its name, so the tests' programs come first."""
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    own = {"JUPYTER_CONFIG_DIR": str(folder / "config"), "SRLAB_HOME": str(folder / "home")}
    return {**os.environ, **ONE_THREAD, **own, "PATH": programs, "SRLAB_BUDGET": "quick"}


def run(course: Path, *command: object) -> str:
    done = subprocess.run(
        command,
        cwd=course, env=environment(course), capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout


def grade(course: Path, step: str, names: list[str], students: tuple[str, ...] = ()) -> dict:
    job = json.dumps([step, names, students])
    said = run(course, sys.executable, "-c", GRADE, course, job)
    return json.loads(said.rpartition("SCORES")[2])


@pytest.fixture(scope="module", autouse=True)
def kernels() -> Iterator[None]:
    """Twenty sheets are run, each by a kernel of its own."""
    with in_use():
        yield


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A course for nbgrader, with the learners' version of every lesson."""
    folder = tmp_path_factory.mktemp("course")
    assert write_assignments(folder) == NAMES
    grade(folder, "generate", NAMES)
    return folder


def sheet(course: Path, kind: str, lesson: Path) -> nbformat.NotebookNode:
    return read_notebook(course / kind / f"lesson_{lesson.name[:2]}" / lesson.name)


def answers(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if cell.id.endswith("-yours")]


def hand_in(course: Path, student: str, lesson: Path, notebook: nbformat.NotebookNode) -> None:
    folder = course / "submitted" / student / f"lesson_{lesson.name[:2]}"
    folder.mkdir(parents=True)
    nbformat.write(notebook, folder / lesson.name)


def with_solutions(course: Path, lesson: Path, notebook: nbformat.NotebookNode) -> None:
    solved = {cell.id: cell.source for cell in answers(sheet(course, "source", lesson))}
    for cell in answers(notebook):
        cell.source = solved[cell.id]


@pytest.fixture(scope="module")
def scores(course: Path) -> dict[str, list[float]]:
    """Assignment and learner -> points and possible points."""
    for lesson in LESSONS:
        for student in ("solved", "wrong"):
            notebook = sheet(course, "release", lesson)
            if student == "solved":
                with_solutions(course, lesson, notebook)
            for cell in answers(notebook) if student == "wrong" else ():
                cell.source += f"\n\n{defined(cell.source)} = lambda *_, **__: 0"
            hand_in(course, student, lesson, notebook)
    return grade(course, "grade", NAMES, ("solved", "wrong"))


def defined(source: str) -> str:
    (node,) = [node for node in ast.parse(source).body if hasattr(node, "name")]
    return node.name


# -- marks ---------------------------------------------------------------------------


def test_every_lesson_is_an_assignment() -> None:
    assert NAMES == [f"lesson_{number:02}" for number in range(8)]


@pytest.mark.parametrize("name", NAMES)
def test_right_answers_get_full_marks_and_wrong_ones_none(name: str, scores: dict) -> None:
    assert scores[f"{name} solved"] == [EXERCISES, EXERCISES]
    assert scores[f"{name} wrong"] == [0, EXERCISES]


def test_nbgraders_own_commands_grade_a_whole_lesson(course: Path) -> None:
    """As a teacher types them; what is handed in is the lesson itself, half solved."""
    lesson = LESSONS[0]
    whole = read_notebook(lesson)
    with_solutions(course, lesson, whole)
    answers(whole)[1].source = "def my_published_psnr(sr, hr, border):\n    return sr"
    hand_in(course, "half", lesson, whole)
    nbgrader = Path(sys.executable).parent / "nbgrader"
    run(course, nbgrader, "autograde", NAMES[0], "--create", "--student=half")
    assert grade(course, "grade", NAMES[:1])[f"{NAMES[0]} half"] == [2, EXERCISES]


def test_a_learner_cannot_bend_the_check(course: Path) -> None:
    """The cell that grades is the teacher's, whatever was written into it."""
    lesson = LESSONS[1]
    notebook = sheet(course, "release", lesson)
    for cell in notebook.cells:
        if cell.id.endswith("-check"):
            cell.source = "print('full marks, please')"
    notebook.cells[1].source += "\n\ncheck_reach = check_charbonnier = print"
    hand_in(course, "bent", lesson, notebook)
    found = grade(course, "grade", NAMES[1:2], ("bent",))
    assert found[f"{NAMES[1]} bent"] == [0, EXERCISES]


# -- what learners get -----------------------------------------------------------------


@pytest.mark.parametrize("lesson", LESSONS, ids=NAMES)
def test_no_answer_is_in_the_learners_version(course: Path, lesson: Path) -> None:
    released = sheet(course, "release", lesson)
    text = "\n".join(cell.source for cell in released.cells)
    starters = "\n".join(cell.source for cell in answers(read_notebook(lesson)))
    solutions = read_notebook(lesson.parent / "solutions" / lesson.name)
    secret = 0
    for cell in solutions.cells:
        for line in cell.source.splitlines() if cell.id.startswith("solution-") else ():
            is_code = line.strip() and not line.startswith(("from ", "import "))
            if is_code and line.strip() not in starters:
                assert line.strip() not in text, f"{lesson.name}: {line}"
                secret += 1
    assert secret >= EXERCISES
    for word in ("SOLUTION", "HIDDEN TESTS", "assert "):
        assert word not in text
    assert len(answers(released)) == EXERCISES


@pytest.mark.parametrize("lesson", LESSONS, ids=NAMES)
def test_the_lessons_own_cells_carry_the_same_marks(lesson: Path) -> None:
    """So a lesson itself can be handed in; ``make sync`` writes them."""
    graded = 0
    for cell in read_notebook(lesson).cells:
        assert cell.metadata.get("nbgrader") == grading_marks(cell.id), cell.id
        graded += bool(cell.metadata.get("nbgrader", {}).get("grade"))
    assert graded == EXERCISES


# -- bad cases -------------------------------------------------------------------------


def test_what_does_not_fit_is_told(tmp_path: Path) -> None:
    lesson = read_notebook(LESSONS[0])
    solutions = read_notebook(LESSONS[0].parent / "solutions" / LESSONS[0].name)
    solutions.cells = [cell for cell in solutions.cells if cell.id != "solution-2"]
    with pytest.raises(ValueError, match=r"There is no cell solution-2, which an exercise and"):
        exercise_sheet(lesson, solutions)
    (tmp_path / "mine.txt").touch()
    with pytest.raises(ValueError, match=r"holds other files; name a new or an empty folder"):
        write_assignments(tmp_path)


def test_what_the_teacher_set_stays(tmp_path: Path, command: Command) -> None:
    course = tmp_path / "course"
    done = command("grading", course)
    assert done.stdout.startswith(f"{len(NAMES)} assignments in "), done.stderr
    assert course.stat().st_mode & 0o777 == 0o700, "no learner reads it"
    names = [str(path.relative_to(course)) for path in course.rglob("01*.ipynb")]
    assert names == ["source/lesson_01/01_pixel_loss.ipynb"], "as they are collected"
    (course / CONFIG).write_text("mine")
    assert command("grading", course).returncode == 0
    assert (course / CONFIG).read_text() == "mine"
