"""Lessons retype the package: build cells, and the commands that care for them.

A build cell begins with ``# srlab/models.py: Upsampler`` (or a few names,
with commas). Below stand exactly those definitions as the package has them,
without docstrings and without calls to ``require_...``. Comments may differ. In
a lesson a line of ``...`` may stand for statements that the learner writes.

    python -m tests.lesson_cells sync [NAME ...]    package -> build cells; marks of cells
    python -m tests.lesson_cells store [NAME ...]   execute, keep the outputs
    python -m tests.lesson_cells minutes            how long, into TEACHING.md

A name is how a notebook's file name begins: ``01``. The first two take the
lessons and their solutions; without a name, all of them. ``store`` notes how
long each lesson took, unless several run at a time, and ends with ``minutes``.
"""

import argparse
import ast
import difflib
import os
import re
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode

from srlab.course.grading import grading_marks
from srlab.course.taught import (
    STATEMENT_LISTS,
    Functions,
    is_untaught,
    statement_lists,
    taught_text,
)
from srlab.files import replacing
from tests import lesson_minutes
from tests.posters import WIDGET_VIEW, Posters

ROOT = Path(__file__).parents[1]

HEADER = re.compile(r"# (srlab/[\w/]+\.py): (\w+(?:, \w+)*)")
ALMOST_HEADER = re.compile(r"#.*srlab/\S*\.py")

CELL_SECONDS = 3600
SLIDE_LINES = 16
UNSHOWN = ("setup", "your-map")  # in a talk
VOLATILE = ("collapsed", "execution", "ExecuteTime", "scrolled")
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


@dataclass(frozen=True)
class BuildCell:
    """What the first line of a build cell says, and what stands below it."""

    module: str  # "srlab/models.py"
    names: tuple[str, ...]
    code: str


def parse_build_cell(source: str) -> BuildCell | None:
    """Read a code cell; None if it is no build cell.

    Raises:
        ValueError: if the first line is almost, but not quite, a header.
    """
    first, _, code = source.partition("\n")
    match = HEADER.fullmatch(first)
    if match:
        return BuildCell(match[1], tuple(match[2].split(", ")), code)
    if ALMOST_HEADER.match(first):
        raise ValueError(
            f"{first!r} is almost the header of a build cell; "
            f"write it as '# srlab/models.py: Upsampler'."
        )
    return None


def expected_code(cell: BuildCell, root: Path = ROOT) -> str:
    """What should stand below the header: the package's definitions.

    Raises:
        ValueError: if the module or a name does not exist.
    """
    path = root / cell.module
    if not path.is_file():
        raise ValueError(f"A build cell names {cell.module}, but there is no such file.")
    source = path.read_text(encoding="utf-8")
    return "\n\n\n".join(taught_text(source, name, cell.module) for name in cell.names)


def difference(cell: BuildCell, root: Path = ROOT) -> str:
    """How a build cell differs from the package, blanks aside, as a diff; or ""."""
    expected = _bare_tree(expected_code(cell, root))
    got = _bare_tree(cell.code)
    got.body = _filled(got.body, expected.body)
    if ast.dump(expected) == ast.dump(got):
        return ""
    texts = [ast.unparse(tree).splitlines() for tree in (expected, got)]
    return "\n".join(difflib.unified_diff(*texts, cell.module, "the lesson", lineterm=""))


def blanks(code: str) -> list[str]:
    """The definitions of a cell, at its top level, that hold a blank."""
    return [
        node.name
        for node in ast.parse(code).body
        if isinstance(node, Functions | ast.ClassDef)
        and any(_is_blank(one) for block in statement_lists(node) for one in block)
    ]


def _is_blank(statement: ast.stmt) -> bool:
    """Whether it is a line of ``...``."""
    value = getattr(statement, "value", None)
    return isinstance(value, ast.Constant) and value.value is ...


def _filled(block: list[ast.stmt], expected: list[ast.stmt]) -> list[ast.stmt]:
    """A block with the package's statements in the place of its blanks."""
    places = [place for place, one in enumerate(block) if _is_blank(one)]
    if places:
        place = places[0]
        rest = len(block) - place - 1
        block = [*block[:place], *expected[place : len(expected) - rest], *block[place + 1 :]]
    for one, other in zip(block, expected, strict=False):
        for field in STATEMENT_LISTS:
            inner, wanted = (getattr(node, field, None) for node in (one, other))
            if isinstance(inner, list) and isinstance(wanted, list):
                setattr(one, field, _filled(inner, wanted))
    return block


def _bare_tree(code: str) -> ast.Module:
    """Parse, and drop what a lesson does not show."""
    tree = ast.parse(code)
    for block in list(statement_lists(tree)):
        block[:] = [s for s in block if not is_untaught(s)] or [ast.Pass()]
    return tree


def notebooks(names: Sequence[str] = (), root: Path = ROOT) -> list[Path]:
    """The lessons and solutions whose file names begin with one of ``names``.

    Raises:
        ValueError: if a name fits none.
    """
    folder = root / "lessons"
    paths = sorted(folder.glob("*.ipynb")) + sorted(folder.glob("solutions/*.ipynb"))
    for name in names:
        if not any(path.name.startswith(name) for path in paths):
            known = ", ".join(sorted({path.stem for path in paths})) or "none"
            raise ValueError(f"No lesson's name begins with {name!r}; there are: {known}.")
    return [path for path in paths if not names or path.name.startswith(tuple(names))]


def read_notebook(path: Path) -> NotebookNode:
    return nbformat.read(path, as_version=4)


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def write_notebook(notebook: NotebookNode, path: Path) -> None:
    """Write as Jupyter does, all of it or nothing."""
    with replacing(path) as part:
        part.write_text(nbformat.writes(notebook).rstrip("\n") + "\n", encoding="utf-8")


def sync(path: Path, root: Path = ROOT) -> int:
    """Rewrite the build cells of one notebook; return how many changed.

    A notebook without a change is not written.
    """
    notebook = read_notebook(path)
    changed = 0
    for cell in code_cells(notebook):
        build = parse_build_cell(cell.source)
        if build is None:
            continue
        if blanks(build.code):
            if diff := difference(build, root):
                raise ValueError(f"A cell with a blank is rewritten by hand:\n{diff}")
            continue
        header = cell.source.partition("\n")[0]
        source = f"{header}\n{expected_code(build, root)}"
        changed += source != cell.source
        cell.source = source
    if changed:
        write_notebook(notebook, path)
    return changed


def mark(path: Path) -> bool:
    """Mark a lesson's cells for nbgrader and for slides; whether any mark changed."""
    notebook = read_notebook(path)
    before = [dict(cell.metadata) for cell in notebook.cells]
    for cell in notebook.cells:
        cell.metadata["slideshow"] = {"slide_type": slide_type(cell)}
        cell.metadata.pop("nbgrader", None)
        if marks := grading_marks(cell.id):
            cell.metadata["nbgrader"] = marks
    changed = before != [dict(cell.metadata) for cell in notebook.cells]
    if changed:
        write_notebook(notebook, path)
    return changed


def slide_type(cell: NotebookNode) -> str:
    """Where a cell stands in a talk.

    A section begins a slide, other text one below it, and what is run stays with
    the text above. Long code without a picture, set-up and checks are left out.
    """
    if cell.cell_type == "markdown":
        return "slide" if re.match(r"##? ", cell.source) else "subslide"
    shown = any(has_picture(output) for output in cell.outputs)
    if cell.id in UNSHOWN or cell.id.endswith("-check"):
        return "skip"
    if shown:
        return "subslide"
    return "skip" if len(cell.source.splitlines()) > SLIDE_LINES else "-"


def has_picture(output: NotebookNode) -> bool:
    """Whether it is a chart, a lab's poster, or pictures as ``show_images`` draws them."""
    data = output.get("data", {})
    return "image/png" in data or "<img" in data.get("text/html", "")


def store(path: Path) -> float:
    """Execute one notebook in its folder and store the outputs; the seconds it took.

    Raises:
        CellExecutionError: if a cell fails; the file stays as it was.
    """
    notebook = read_notebook(path)
    client = NotebookClient(
        notebook,
        timeout=CELL_SECONDS,
        kernel_name=KERNEL["name"],
        resources={"metadata": {"path": str(path.parent)}},
        record_timing=False,
        store_widget_state=True,  # of which posters are drawn
        coalesce_streams=True,
    )
    posters = Posters(client)
    start = time.perf_counter()
    with TemporaryDirectory() as home:  # a reader must not see somebody's own runs
        client.execute(env={**os.environ, "SRLAB_HOME": home})
    seconds = time.perf_counter() - start
    posters.draw()
    write_notebook(tidied(notebook), path)
    return seconds


def tidied(notebook: NotebookNode) -> NotebookNode:
    """Leave out what differs from run to run, and what needs a kernel.

    Without its state a stored widget shows as an error where its poster, the
    picture beside it, would do.
    """
    notebook.metadata.pop("widgets", None)
    notebook.metadata.kernelspec = KERNEL
    notebook.metadata.language_info = {"name": "python"}
    for cell in code_cells(notebook):
        for key in VOLATILE:
            cell.metadata.pop(key, None)
        cell.outputs = [output for output in cell.outputs if not _is_bare_widget(output)]
        for output in cell.outputs:
            output.get("data", {}).pop(WIDGET_VIEW, None)
            output.get("metadata", {}).pop(WIDGET_VIEW, None)
    return notebook


def _is_bare_widget(output: NotebookNode) -> bool:
    """A widget without a poster: a progress bar would be stored as "0%"."""
    kinds = output.get("data", {}).keys()
    return WIDGET_VIEW in kinds and kinds <= {WIDGET_VIEW, "text/plain"}


def main(arguments: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """Run one of the commands; return the exit status."""
    options = _options().parse_args(arguments)
    try:
        if options.command == "minutes":
            return _tell_minutes(root)
        paths = notebooks(options.names, root)
        if options.command == "sync":
            return _sync_all(paths, root)
        return _store_all(paths, options.jobs, root)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1


def _sync_all(paths: Sequence[Path], root: Path) -> int:
    for path in paths:
        try:
            changed = sync(path, root)
            if path.parent.name != "solutions" and mark(path):
                print(f"{path.relative_to(root)}: marks for nbgrader and slides rewritten")
        except ValueError as error:
            raise ValueError(f"{path.name}: {error}") from None
        if changed:
            print(f"{path.relative_to(root)}: {changed} build cells rewritten")
    return 0


def _store_all(paths: Sequence[Path], jobs: int, root: Path) -> int:
    lesson_minutes.read_timings(root / "lessons")  # damaged: better said now than later
    each = partial(_store_and_tell, timed=jobs == 1)
    with ThreadPoolExecutor(jobs) as pool:
        status = max(pool.map(each, paths), default=0)
    if jobs > 1:
        print("No minutes were noted, since notebooks ran side by side.")
    elif (root / "lessons" / lesson_minutes.GUIDE).exists():
        _tell_minutes(root)
    return status


def _store_and_tell(path: Path, *, timed: bool) -> int:
    """Store one notebook; say how long it took, or which cell failed."""
    name = path.relative_to(path.parents[1])
    try:
        seconds = store(path)
    except CellExecutionError as error:
        print(f"{name}: a cell failed, so nothing was stored.\n{error}", file=sys.stderr)
        return 1
    print(f"{name}: {seconds:.1f} s", flush=True)
    if path.parent.name != "solutions":
        mark(path)  # a cell with a picture is a slide of its own
    if timed and lesson_minutes.is_timed(path):
        lesson_minutes.note(path, seconds)
    return 0


def _tell_minutes(root: Path) -> int:
    if lesson_minutes.rewrite_guide(root / "lessons"):
        print(f"lessons/{lesson_minutes.GUIDE}: minutes rewritten")
    return 0


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.lesson_cells")
    commands = parser.add_subparsers(dest="command", required=True)
    for command, text in (
        ("sync", "rewrite the build cells from the package"),
        ("store", "execute the notebooks and store their outputs"),
    ):
        one = commands.add_parser(command, help=text)
        one.add_argument("names", nargs="*", help="how file names begin: 00 01")
    one.add_argument("--jobs", type=int, default=1, help="notebooks at a time")
    commands.add_parser("minutes", help="rewrite the table of minutes in TEACHING.md")
    return parser


if __name__ == "__main__":
    sys.exit(main())
