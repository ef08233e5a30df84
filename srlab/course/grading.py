"""The exercises as assignments for nbgrader, the Jupyter world's own grader.

Each lesson becomes a sheet with its exercises alone, so that thirty of them are
graded in minutes: a lesson trains, a sheet does not. A sheet's cells have the
lesson's own ids, and the lesson's cells carry the same marks for nbgrader.
"""

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from srlab.course.copy import SOLUTIONS, course_files, course_folder, require_own_folder
from srlab.files import replacing

if TYPE_CHECKING:
    from nbformat import NotebookNode

CONFIG = "nbgrader_config.py"
NO_KEEPING = "do_not_remember()"
BUILD_CELL = re.compile(r"# (srlab/[\w/]+)\.py: (\w+(?:, \w+)*)\n")

CONFIG_TEXT = """\
c = get_config()
c.CourseDirectory.course_id = "srlab"
c.NotebookClient.timeout = 600
c.NotebookClient.iopub_timeout = 60
c.ClearSolutions.code_stub = {"python": "# fill in what stands above"}
"""


def write_assignments(folder: Path) -> list[str]:
    """Write a course for nbgrader: one assignment a lesson, with its solutions.

    ``nbgrader generate_assignment lesson_01`` makes the version for learners,
    ``nbgrader autograde lesson_01`` marks what they hand in.

    Args:
        folder: a new or empty one, or a course that this function wrote.

    Returns:
        The names of the assignments, such as ``lesson_01``.

    Raises:
        ValueError: if ``folder`` holds other files, or a lesson and its
            solutions do not fit together.
    """
    import nbformat

    source = course_folder()
    require_own_folder(folder, CONFIG)
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)  # answers, codes and marks are no learner's of this machine
    names = []
    for solution in [name for name in course_files(source) if name.startswith(SOLUTIONS)]:
        name = Path(solution).name
        sheet = exercise_sheet(
            nbformat.read(source / name, 4), nbformat.read(source / solution, 4)
        )
        names.append(f"lesson_{name[:2]}")
        target = folder / "source" / names[-1] / name
        target.parent.mkdir(parents=True, exist_ok=True)
        with replacing(target) as part:
            nbformat.write(sheet, part)
    if not (folder / CONFIG).exists():
        (folder / CONFIG).write_text(CONFIG_TEXT, encoding="utf-8")
    return names


def exercise_sheet(lesson: "NotebookNode", solutions: "NotebookNode") -> "NotebookNode":
    """The exercises of a lesson with their solutions, marked for nbgrader.

    Raises:
        ValueError: if an exercise has no solution.
    """
    from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

    title = lesson.cells[0].source.partition("\n")[0]
    setup = _cell(solutions, "setup").source
    comment = f"{NO_KEEPING}  # the grader keeps no progress"
    lines = [comment if NO_KEEPING in line else line for line in setup.splitlines()]
    lines += _imports_of_builds(solutions)
    cells = [
        new_markdown_cell(f"{title}: exercises", id="title"),
        new_code_cell("\n".join(lines), id="setup"),
    ]
    for number in exercise_numbers(lesson):
        above = _text_above(lesson, f"exercise-{number}-yours")
        text = above[max(above.find(f"**{number}."), 0) :]
        starter = _definition(_cell(lesson, f"exercise-{number}-yours").source)
        solution = _definition(_cell(solutions, f"solution-{number}").source)
        check = _cell(lesson, f"exercise-{number}-check").source
        cells += [
            new_markdown_cell(text, id=f"exercise-{number}"),
            new_code_cell(
                f"{starter}\n\n\n### BEGIN SOLUTION\n{solution}\n### END SOLUTION",
                id=f"exercise-{number}-yours",
            ),
            new_code_cell(_graded(check), id=f"exercise-{number}-check"),
        ]
    sheet = new_notebook(cells=cells, metadata=lesson.metadata)
    for cell in sheet.cells:
        if marks := grading_marks(cell.id):
            cell.metadata["nbgrader"] = marks
    return sheet


def _imports_of_builds(solutions: "NotebookNode") -> list[str]:
    """What exercises may use of what the lesson built, and of what its solutions import."""
    lines = []
    for cell in solutions.cells:
        if build := BUILD_CELL.match(cell.source):
            module = build[1].replace("/", ".")
            lines.append(f"from {module} import {build[2]}")
        elif cell.id.startswith("solution-"):
            lines += re.findall(r"^(?:from|import) .*$", cell.source, re.MULTILINE)
    return lines


def grading_marks(cell_id: str) -> dict[str, Any] | None:
    """What nbgrader has to know of a lesson's cell, by its id; None of most cells.

    Example:
        >>> grading_marks("exercise-1-check")["points"], grading_marks("recap")
        (1, None)
    """
    kind = cell_id.rpartition("-")[2]
    if not cell_id.startswith("exercise-") or kind not in ("yours", "check"):
        return None
    graded = kind == "check"
    marks = {"grade": graded, "locked": graded, "solution": not graded, "task": False}
    points = {"points": 1} if graded else {}
    return {**marks, **points, "grade_id": cell_id, "schema_version": 3}


def exercise_numbers(lesson: "NotebookNode") -> list[int]:
    """The numbers of a lesson's exercises, from the ids of its cells."""
    ids = [cell.id for cell in lesson.cells]
    return sorted(int(one.split("-")[1]) for one in ids if one.endswith("-yours"))


def _graded(check: str) -> str:
    """A lesson's check, and below it what the learners' version does not have.

    It imports the check anew, whatever a learner has given that name to.
    """
    call = check.strip().splitlines()[-1]
    return (
        f"{check.strip()}\n### BEGIN HIDDEN TESTS\n"
        f'assert {call}.done, "not yet"\n### END HIDDEN TESTS'
    )


def _definition(source: str) -> str:
    """The function or class of a cell, without what only tries it."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            return "\n".join(source.splitlines()[node.lineno - 1 : node.end_lineno])
    raise ValueError(f"An exercise defines a function or a class, but this one none:\n{source}")


def _text_above(notebook: "NotebookNode", cell_id: str) -> str:
    """The Markdown right above a cell."""
    place = [cell.id for cell in notebook.cells].index(cell_id)
    above = notebook.cells[place - 1] if place else None
    return above.source if above and above.cell_type == "markdown" else ""


def _cell(notebook: "NotebookNode", cell_id: str) -> "NotebookNode":
    for cell in notebook.cells:
        if cell.id == cell_id:
            return cell
    raise ValueError(f"There is no cell {cell_id}, which an exercise and its solution need.")
