"""The lesson tools on a made-up package of two modules and tiny notebooks."""

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tests import lesson_cells, lesson_rules
from tests.lesson_cells import (
    ROOT,
    BuildCell,
    difference,
    parse_build_cell,
    read_notebook,
    slide_type,
)
from tests.lesson_rules import Lesson

MODELS = '''\
"""Networks."""

import math

from srlab.require import require_scale

# A power of two.
SCALE = 4  # the usual one
"""How much larger.

Source: lesson 00.
"""


def double(x: float) -> float:
    """Twice as much.

    Source: lesson 00.
    """
    require_scale(x)

    y = 2 * x  # the whole trick
    # nothing is left out
    return y


class Grow:
    """Grows.

    Source: lesson 01; a paper.
    """

    factor = 2
    """Of growth."""

    def __init__(self, scale: int):
        """Begin."""
        # twelve is too much
        require_scale(scale)
        self.scale = scale

    def forward(self, x):
        """Text alone."""


@property
def helper():
    return math.pi
'''

DOUBLE = """\
def double(x: float) -> float:
    y = 2 * x  # the whole trick
    # nothing is left out
    return y"""

GROW = """\
class Grow:
    factor = 2

    def __init__(self, scale: int):
        self.scale = scale

    def forward(self, x):
        pass"""

WIDGET = """\
import io
import ipywidgets
from PIL import Image

poster = io.BytesIO()
Image.new("RGB", (90, 60), "orange").save(poster, "PNG")


class Panel(ipywidgets.VBox):
    def __repr__(self):
        return "a panel"

    def _repr_mimebundle_(self, **kwargs):
        extra = {"image/png": poster.getvalue(), "text/plain": repr(self)}
        return {**super()._repr_mimebundle_(**kwargs), **extra}


Panel([ipywidgets.FloatSlider()])"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository with a package, and no lessons yet."""
    (tmp_path / "srlab").mkdir()
    (tmp_path / "srlab" / "models.py").write_text(MODELS)
    (tmp_path / "srlab" / "require.py").write_text("def require_scale(scale): ...\n")
    (tmp_path / "lessons" / "solutions").mkdir(parents=True)
    return tmp_path


def add_lesson(root: Path, name: str, *cells: str | NotebookNode) -> Lesson:
    """Write a lesson of a title and ``cells``."""
    nodes = [new_code_cell(cell) if isinstance(cell, str) else cell for cell in cells]
    path = root / "lessons" / name
    nbformat.write(new_notebook(cells=[new_markdown_cell("# Title"), *nodes]), path)
    return Lesson(path)


def executed(source: str, count: int, *outputs: NotebookNode, tags=()) -> NotebookNode:
    return new_code_cell(
        source, execution_count=count, outputs=list(outputs), metadata={"tags": list(tags)}
    )


def printed(text: str, name: str = "stdout") -> NotebookNode:
    return new_output("stream", name=name, text=text)


def build(*names: str, code: str = "") -> BuildCell:
    return BuildCell("srlab/models.py", names, code)


# The header


def test_header_names_a_module_and_definitions():
    cell = parse_build_cell("# srlab/widgets/lab.py: Lab, helper\nx = 1\n")
    assert cell == BuildCell("srlab/widgets/lab.py", ("Lab", "helper"), "x = 1\n")


@pytest.mark.parametrize("source", ["x = 1", "", "# a remark\nx = 1", "# see srlab.models"])
def test_other_cells_are_no_build_cells(source: str):
    assert parse_build_cell(source) is None


ALMOST = ("#{}: Grow", "# {} Grow", "# {}: ", "# {}: Grow ", "# in {}: Grow")


@pytest.mark.parametrize("header", ALMOST)
def test_almost_a_header_is_refused(header: str):
    with pytest.raises(ValueError, match="almost the header of a build cell; write it as"):
        parse_build_cell(f"{header.format('srlab/models.py')}\nx = 1")


# From the package to a cell


@pytest.mark.parametrize(
    ("names", "text"),
    [
        (["double", "Grow"], f"{DOUBLE}\n\n\n{GROW}"),  # no docstrings, no checks of arguments
        (["SCALE"], "# A power of two.\nSCALE = 4  # the usual one"),
        (["helper"], "@property\ndef helper():\n    return math.pi"),
    ],
)
def test_the_text_of_definitions(root: Path, names: list[str], text: str):
    assert lesson_cells.expected_code(build(*names), root) == text


def test_unknown_names_and_modules_are_named(root: Path):
    with pytest.raises(ValueError, match=r"names Shrink, but srlab/models.py does not"):
        lesson_cells.expected_code(build("Shrink"), root)
    with pytest.raises(ValueError, match=r"names srlab/nets.py, but there is no such file"):
        lesson_cells.expected_code(BuildCell("srlab/nets.py", ("Grow",), ""), root)


# Comparison


HEAD = "def double(x: float) -> float:\n"


@pytest.mark.parametrize(
    ("code", "same"),
    [
        (DOUBLE, True),
        (DOUBLE.replace("# the whole trick", "# times two"), True),
        (DOUBLE.replace("2 * x", "(2*x)"), True),
        (DOUBLE.replace("    y =", '    "Twice."\n    require_scale(x)\n    y ='), True),
        (DOUBLE.replace("2 * x", "x * 2"), False),
        (DOUBLE.replace(" -> float", ""), False),
        (DOUBLE + "\n\nprint(double(2))", False),
        (DOUBLE.replace("double", "twice"), False),
        ("", False),
        # A blank stands for whole statements, and for nothing else.
        (f"{HEAD}    ...  # your turn", True),
        (f"{HEAD}    y = 2 * x\n    ...  # your turn", True),
        (f"{HEAD}    ...  # your turn\n    return y", True),
        (f"{HEAD}    y = 2 * x\n    return y\n    ...", True),
        (f"{HEAD}    y = 3 * x\n    ...", False),
        (f"{HEAD}    ...\n    return 2 * y", False),
        ("def double(x: int) -> float:\n    ...", False),
    ],
)
def test_comparison(root: Path, code: str, same: bool):
    assert (difference(build("double", code=code), root) == "") is same


def test_blanks_are_told_by_the_definition_that_holds_them():
    code = f"{DOUBLE}\n\n\n{GROW}".replace("        self.scale = scale", "        ...  # yours")
    assert lesson_cells.blanks(code) == ["Grow"]
    assert lesson_cells.blanks(DOUBLE) == []


def test_sync_leaves_a_blank_and_says_where_its_cell_is_no_longer_the_packages(root: Path):
    blank = f"# srlab/models.py: double\n{HEAD}    ...  # your turn"
    lesson = add_lesson(root, "00_a.ipynb", blank)
    before = lesson.path.read_bytes()
    assert lesson_cells.sync(lesson.path, root) == 0
    assert lesson.path.read_bytes() == before
    other = add_lesson(root, "00_b.ipynb", blank.replace("x: float", "x: int"))
    with pytest.raises(ValueError, match="A cell with a blank is rewritten by hand"):
        lesson_cells.sync(other.path, root)


def test_difference_is_a_diff(root: Path):
    diff = difference(build("double", code=DOUBLE.replace("2 * x", "3 * x")), root)
    assert "--- srlab/models.py\n+++ the lesson" in diff
    assert "-    y = 2 * x\n+    y = 3 * x" in diff


# sync


def test_sync_rewrites_build_cells_and_nothing_else(root: Path, capsys):
    draft = executed("def draft():\n    return 1", 1, printed("old"))
    old = "# srlab/models.py: double\ndef double(x):\n    return x + x"
    lesson = add_lesson(root, "00_pairs.ipynb", draft, executed(old, 2, printed("kept")))
    lesson_cells.mark(lesson.path)
    solution = root / "lessons" / "solutions" / "00_pairs.ipynb"
    solution.write_bytes(lesson.path.read_bytes())
    before = read_notebook(lesson.path)

    assert lesson_cells.main(["sync"], root) == 0
    assert capsys.readouterr().out == (
        "lessons/00_pairs.ipynb: 1 build cells rewritten\n"
        "lessons/solutions/00_pairs.ipynb: 1 build cells rewritten\n"
    )
    after = read_notebook(lesson.path)
    assert after.cells[2].source == f"# srlab/models.py: double\n{DOUBLE}"
    before.cells[2].source = after.cells[2].source
    assert after == before
    assert solution.read_bytes() == lesson.path.read_bytes()


def test_sync_writes_as_jupyter_does_and_only_where_something_changed(root: Path):
    lesson = add_lesson(root, "00_pairs.ipynb", "# srlab/models.py: Grow")
    assert lesson_cells.sync(lesson.path, root) == 1
    text = lesson.path.read_text()
    assert text.startswith('{\n "cells": [\n  {\n')
    assert text.endswith("}\n")
    odd = text.replace("\n ", "\n     ")
    lesson.path.write_text(odd)
    assert lesson_cells.sync(lesson.path, root) == 0
    assert lesson.path.read_text() == odd


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["sync"], "0.ipynb: A build cell names Grew, but srlab/models.py does not define it."),
        (["store", "07"], "No lesson's name begins with '07'; there are: 0."),
    ],
)
def test_mistakes_are_one_sentence(root: Path, capsys, command: list[str], said: str):
    add_lesson(root, "0.ipynb", "# srlab/models.py: Grew")
    assert lesson_cells.main(command, root) == 1
    assert capsys.readouterr().err == f"{said}\n"


# store


def test_store_keeps_posters_and_drops_what_needs_a_kernel(root: Path, capsys):
    bar = "from tqdm.notebook import trange\nfor i in trange(2):\n    print(i + 1)"
    lesson = add_lesson(root, "00_pairs.ipynb", WIDGET, bar)
    add_lesson(root, "01_loss.ipynb", "raise ValueError('not run')")
    assert lesson_cells.main(["store", "00"], root) == 0
    assert capsys.readouterr().out.startswith("lessons/00_pairs.ipynb: ")

    notebook = read_notebook(lesson.path)
    panel, lines = (cell.outputs for cell in notebook.cells[1:])
    assert panel[0].data.keys() == {"image/png", "text/plain"}
    assert panel[0].data["text/plain"] == "a panel"
    assert [output.text for output in lines] == ["1\n2\n"]
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert notebook.metadata.language_info == {"name": "python"}
    marks = [{"slideshow": {"slide_type": slide_type(cell)}} for cell in notebook.cells]
    assert [cell.metadata for cell in notebook.cells] == marks  # and nothing of the run
    assert marks[1]["slideshow"]["slide_type"] == "subslide", "it shows a picture"
    assert lesson_rules.is_stored_whole(lesson) == []


def test_store_of_a_failing_lesson_shows_the_cell_and_writes_nothing(root: Path, capsys):
    lesson = add_lesson(root, "00_pairs.ipynb", "x = 1", "x / 0")
    before = lesson.path.read_bytes()
    assert lesson_cells.main(["store"], root) == 1
    error = capsys.readouterr().err
    assert "lessons/00_pairs.ipynb: a cell failed, so nothing was stored." in error
    assert "x / 0" in error
    assert "ZeroDivisionError" in error
    assert lesson.path.read_bytes() == before


@pytest.mark.slow
def test_stored_lesson_passes_nbval_until_a_number_changes(root: Path):
    checked = new_code_cell("6 * 7", metadata={"tags": ["nbval-check-output"]})
    lesson = add_lesson(root, "00_pairs.ipynb", WIDGET, checked, "import os; os.getpid()")
    assert lesson_cells.main(["store"], root) == 0
    assert nbval(lesson.path).returncode == 0
    lesson.path.write_text(lesson.path.read_text().replace('"42"', '"41"'))
    failing = nbval(lesson.path)
    assert failing.returncode == 1
    assert "1 failed, 2 passed" in failing.stdout


def nbval(path: Path) -> subprocess.CompletedProcess[str]:
    """Test one notebook as ``make test`` does."""
    config = f"--nbval-sanitize-with={ROOT / 'tests/nbval.cfg'}"
    options = ["--nbval-lax", config, "--nbval-current-env", "--nbval-cell-timeout=60"]
    own = ["-p", "no:cacheprovider", "-p", "no:xdist", f"--rootdir={path.parent}"]
    command = [sys.executable, "-m", "pytest", *options, *own, path.name]
    return subprocess.run(command, cwd=path.parent, capture_output=True, text=True)
