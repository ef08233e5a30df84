"""What holds for every lesson. Each rule returns the sentences of what is wrong."""

import ast
import re
import symtable
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import nbformat
from IPython.core.inputtransformer2 import TransformerManager
from nbformat import NotebookNode

from srlab.course.taught import Functions, definitions
from tests.lesson_cells import (
    ROOT,
    BuildCell,
    blanks,
    code_cells,
    difference,
    parse_build_cell,
    read_notebook,
)

CODE_LINES = 25
COLUMNS = 100
BYTES = 1_500_000
CHECK_TAG = "nbval-check-output"
HEAD_CELLS = 4

BUILT = re.compile(r"^(\w+) = built\(\1, check_\w+\)$", re.MULTILINE)
SOURCE_LESSON = re.compile(r"^\s*Source: lesson (\d\d)\b", re.MULTILINE)
OF_ONE_MACHINE = re.compile(r"(?<![\w.])/(?:home|root|work|tmp|Users|var/folders)/")
ADDRESS = re.compile(r"\bat 0x[0-9a-f]{6,}")
IN_BASE64 = re.compile(r"(?<=;base64,)[A-Za-z0-9+/]+")

SOURCES = re.compile(r"^\*\*Sources\.\*\*(.*?)(?=^\*\*|^#|\Z)", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(((?:[^()]|\([^()]*\))*)\)")  # a DOI may hold parentheses
WHOLE_LINK = re.compile(r"https://[a-z0-9-]+(?:\.[a-z0-9-]+)+(?:/\S*)?")
PAPER = re.compile(
    r"https://(?:doi\.org/10\.\d{4,9}/\S+|arxiv\.org/abs/\d\d(?:0[1-9]|1[0-2])\.\d{4,5})"
)
OF_A_PAPER = ("https://doi.org/", "https://arxiv.org/")

NOBODYS_MAP = re.compile(
    r"Your course: 0 of \d+ parts built, 0 of \d+ exercises done, 0 of \d+ questions right"
)

# Commands, and what only they use: no lesson imports it, so its names are free.
NOT_FOR_LESSONS = (
    "srlab/__main__.py", "srlab/app/", "srlab/classroom/", "srlab/cli/", "srlab/course/site/",
)  # fmt: skip


@dataclass(frozen=True)
class Lesson:
    """One notebook: a lesson, its solutions, a lab's page beside it, or the first page."""

    path: Path

    @cached_property
    def notebook(self) -> NotebookNode:
        return read_notebook(self.path)

    @property
    def number(self) -> int:
        return 0 if self.is_first_page else int(self.path.name[:2])

    @property
    def is_first_page(self) -> bool:
        """The course's map alone; it teaches nothing."""
        return self.path.name == "start.ipynb"

    @property
    def is_solution(self) -> bool:
        return self.path.parent.name == "solutions"

    @property
    def is_companion(self) -> bool:
        """A lab's own page, such as ``05_loss_lab``: it builds nothing and asks nothing."""
        return not self.is_solution and self.path.stem.endswith("_lab")

    @property
    def code(self) -> list[NotebookNode]:
        return code_cells(self.notebook)

    def builds(self) -> Iterator[BuildCell]:
        return filter(None, (parse_build_cell(cell.source) for cell in self.code))


@dataclass(frozen=True)
class Package:
    """The public names of srlab, and which lesson teaches each."""

    root: Path = ROOT

    @cached_property
    def lesson_of(self) -> dict[tuple[str, str], int | None]:
        """(module, name) -> the lesson that its docstring's Source names."""
        found: dict[tuple[str, str], int | None] = {}
        for path in sorted((self.root / "srlab").rglob("*.py")):
            module = path.relative_to(self.root).as_posix()
            if module.startswith(NOT_FOR_LESSONS):
                continue
            source = path.read_text(encoding="utf-8")
            texts = docstrings(source)
            for name in definitions(source):
                if not name.startswith("_") and not is_part_of_a_widget(module, name):
                    match = SOURCE_LESSON.search(texts.get(name, ""))
                    found[module, name] = int(match[1]) if match else None
        return found

    @cached_property
    def modules_of(self) -> dict[str, str]:
        """name -> a module that defines it."""
        return {name: module for module, name in self.lesson_of}


def is_part_of_a_widget(module: str, name: str) -> bool:
    """What a widget is made of; lessons use widgets whole, so its name is free."""
    return module.startswith("srlab/widgets/") and name.islower() and name != "compare"


def docstrings(source: str) -> dict[str, str]:
    """name -> docstring; that of an assignment is the text below it."""
    found: dict[str, str] = {}
    body = ast.parse(source).body
    nodes = definitions(source)
    for name, node in nodes.items():
        if isinstance(node, Functions | ast.ClassDef):
            found[name] = ast.get_docstring(node) or ""
    for above, below in pairwise(body):
        if isinstance(above, ast.Assign | ast.AnnAssign) and isinstance(below, ast.Expr):
            text = getattr(below.value, "value", None)
            names = [name for name, node in nodes.items() if node.lineno == above.lineno]
            found |= {name: text for name in names if isinstance(text, str)}
    return found


def build_cells_equal_the_package(lesson: Lesson, package: Package) -> list[str]:
    """Every build cell holds what the package holds."""
    diffs = [difference(build, package.root) for build in lesson.builds()]
    hint = "(the package is the source: python -m tests.lesson_cells sync)"
    return [f"{diff}\n{hint}" for diff in diffs if diff]


def blanks_are_checked(lesson: Lesson) -> list[str]:
    """Each blank is checked by the next cell; solutions have none."""
    wrong = []
    for cell, after in zip(lesson.code, [*lesson.code[1:], None], strict=True):
        build = parse_build_cell(cell.source)
        for name in blanks(build.code) if build else []:
            call = f"{name} = built({name}, "
            if lesson.is_solution:
                wrong.append(f"The solution leaves {name} blank.")
            elif not after or f"{call}check_" not in after.source:
                wrong.append(f"The cell after {name}'s blank is no {call}...).")
    return wrong


def drafts_have_draft_names(lesson: Lesson, package: Package) -> list[str]:
    """No other cell gives a public name of srlab another meaning."""
    wrong = []
    for cell in lesson.code:
        if parse_build_cell(cell.source) is not None:
            continue
        bound = bound_names(cell.source) - set(BUILT.findall(cell.source))
        for name in sorted(bound & package.modules_of.keys()):
            wrong.append(
                f"A cell gives {name} a meaning, which is {package.modules_of[name]}'s; take a "
                f"draft name, or make it a build cell:\n{cell.source}"
            )
    return wrong


def imports_come_later(lesson: Lesson, package: Package) -> list[str]:
    """What a lesson teaches it builds; what earlier ones taught it imports."""
    beside = lesson.is_solution or lesson.is_companion
    last = lesson.number if beside else lesson.number - 1
    wrong = []
    for cell in lesson.code:
        for module, name in srlab_imports(cell.source):
            taught = package.lesson_of.get((module, name))
            if taught is not None and taught > last:
                wrong.append(
                    f"{name} is imported from {module}, but lesson {taught:02d} builds "
                    f"it; build it here, or use it through its module."
                )
    return wrong


def each_taught_name_is_built_once(lessons: list[Lesson], package: Package) -> list[str]:
    """Each name has one build cell, in the lesson that its Source names."""
    built: dict[tuple[str, str], list[int]] = {}
    for lesson in lessons:
        for build in lesson.builds():
            for name in build.names:
                built.setdefault((build.module, name), []).append(lesson.number)
    present = {lesson.number for lesson in lessons}
    wrong = []
    for (module, name), taught in package.lesson_of.items():
        where = built.get((module, name), [])
        expected = [taught] if taught in present else []
        if where != expected:
            wrong.append(
                f"{module}: {name} is built in {_listed(where)}, but its docstring's "
                f"Source says: {_listed([] if taught is None else [taught])}."
            )
    return wrong


def is_stored_whole(lesson: Lesson) -> list[str]:
    """Executed from top to bottom, without errors, small, for any machine."""
    executed = [cell for cell in lesson.code if cell.source.strip()]
    counts = [cell.execution_count for cell in executed]
    wrong = []
    if counts != list(range(1, len(counts) + 1)):
        wrong.append(f"The cells are numbered {counts}, not 1 to {len(counts)} in order.")
    if len(executed) < len(lesson.code):
        wrong.append("There is an empty code cell.")
    if "widgets" in lesson.notebook.metadata:
        wrong.append("It stores the state of widgets (metadata.widgets).")
    if (size := lesson.path.stat().st_size) > BYTES:
        wrong.append(f"It has {size / 1e6:.1f} MB, more than {BYTES / 1e6:.1f} MB.")
    for cell in executed:
        if (names := [output.get("name") for output in cell.outputs]).count("stdout") > 1:
            wrong.append(
                f"What it printed is stored in {names.count('stdout')} pieces:\n{cell.source}"
            )
        for output in cell.outputs:
            wrong += [f"{problem}:\n{cell.source}" for problem in _output_problems(output)]
    if wrong:
        wrong.append("(python -m tests.lesson_cells store)")
    return wrong


def has_the_usual_form(lesson: Lesson) -> list[str]:
    """A valid notebook with a title, short cells, short lines."""
    wrong = []
    try:
        nbformat.validate(lesson.notebook)
    except nbformat.ValidationError as error:
        wrong.append(f"It is no valid notebook: {error}")
    first = lesson.notebook.cells[0]
    if first.cell_type != "markdown" or not first.source.startswith("# "):
        wrong.append("It does not begin with a title, '# ...'.")
    for cell in lesson.code:
        wrong += [f"{problem}:\n{cell.source}" for problem in _form_problems(cell.source)]
    return wrong


def checks_its_numbers(lesson: Lesson) -> list[str]:
    """At least one output is compared when the tests run the lesson."""
    if any(CHECK_TAG in cell.metadata.get("tags", []) for cell in lesson.code):
        return []
    return [f"No cell is tagged {CHECK_TAG}, so no number of it is ever checked."]


def links_its_sources(lesson: Lesson) -> list[str]:
    """It names its sources, with links to papers; a link's form is all that is looked at."""
    text = "\n\n".join(c.source for c in lesson.notebook.cells if c.cell_type == "markdown")
    found = SOURCES.search(text)
    if not found:
        return ["No paragraph begins with **Sources.**, in bold and with the dot."]
    links = LINK.findall(found[1])
    wrong = [link for link in links if not WHOLE_LINK.fullmatch(link)]
    papers = [link for link in links if link.startswith(OF_A_PAPER)]
    wrong += [link for link in papers if link not in wrong and not PAPER.fullmatch(link)]
    told = [f"A source's link is malformed: {link!r}." for link in wrong]
    return told if papers else [*told, "Its sources link to no paper, by DOI or arXiv."]


def has_solutions(lesson: Lesson) -> list[str]:
    """A notebook of the same name stands in lessons/solutions."""
    if (lesson.path.parent / "solutions" / lesson.path.name).is_file():
        return []
    return [f"There is no lessons/solutions/{lesson.path.name}."]


def shows_map_and_quiz(lesson: Lesson) -> list[str]:
    """Its own map stands before what it teaches, its own quiz behind the exercises."""
    number = f"{lesson.number:02d}"
    sources = [cell.source for cell in lesson.notebook.cells]
    wrong = []
    if f'CourseMap("{number}")' not in "\n".join(sources[:HEAD_CELLS]):
        wrong.append(
            f'None of the first {HEAD_CELLS} cells shows CourseMap("{number}"), the map of '
            f"what the learner has done."
        )
    behind = max((i for i, text in enumerate(sources) if "import check_" in text), default=0)
    if f'Quiz("{number}")' not in "\n".join(sources[behind:]):
        wrong.append(f'No cell behind the exercises shows Quiz("{number}").')
    return wrong


def map_is_neutral(lesson: Lesson) -> list[str]:
    """The stored map is nobody's."""
    for cell in lesson.code:
        for output in cell.outputs if "CourseMap(" in cell.source else []:
            text = output.get("data", {}).get("text/plain", "")
            if not NOBODYS_MAP.match(text) or set(text) & {"◐", "◇"}:
                return ["The stored map shows what somebody has done; store the lesson again."]
    return []


def solutions_are_not_remembered(solutions: Lesson) -> list[str]:
    """Whoever runs the solutions has not done the exercises."""
    first = solutions.code[0].source if solutions.code else ""
    if "do_not_remember()" in first:
        return []
    return ["The first cell does not call do_not_remember(), so reading counts as solving."]


def stands_beside_a_lesson(companion: Lesson, lessons: list[Lesson]) -> list[str]:
    """A lab's own page has a lesson of its number, and leaves building to it."""
    name = companion.path.name
    wrong = [
        f"{name} builds {', '.join(build.names)}; a page beside a lesson imports what the "
        f"lesson builds."
        for build in companion.builds()
    ]
    if companion.number not in {lesson.number for lesson in lessons}:
        wrong.append(f"{name} stands beside no lesson.")
    return wrong


def bound_names(source: str) -> set[str]:
    """What a cell defines or assigns outside its functions; imports of srlab excepted."""
    table = symtable.symtable(_plain(source), "cell", "exec")
    own = {name for _, name in srlab_imports(source)}
    return {
        symbol.get_name()
        for symbol in table.get_symbols()
        if symbol.is_assigned() or (symbol.is_imported() and symbol.get_name() not in own)
    }


def srlab_imports(source: str) -> list[tuple[str, str]]:
    """(module, name) for each name that a cell imports from srlab."""
    return [
        (node.module.replace(".", "/") + ".py", alias.name)
        for node in ast.walk(ast.parse(_plain(source)))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("srlab.")
        for alias in node.names
    ]


def _plain(source: str) -> str:
    """Python without IPython's ``%`` and ``!`` lines."""
    return TransformerManager().transform_cell(source)


def _listed(lessons: list[int]) -> str:
    return " and ".join(f"lesson {number:02d}" for number in lessons) or "no lesson"


def _form_problems(source: str) -> Iterator[str]:
    lines = [line for line in source.splitlines() if line.strip()]
    code = [line for line in lines if not line.lstrip().startswith("#")]
    if len(code) > CODE_LINES:
        yield f"A cell has {len(code)} lines of code, more than {CODE_LINES}"
    if lines and (longest := max(map(len, lines))) > COLUMNS:
        yield f"A line has {longest} columns, more than {COLUMNS}"


def _output_problems(output: NotebookNode) -> Iterator[str]:
    if output.output_type == "error":
        yield f"An error is stored: {output.ename}"
    if output.get("name") == "stderr":
        yield f"A warning is stored: {output.text.strip()}"
    for text in _texts(output):
        for pattern in (OF_ONE_MACHINE, ADDRESS):
            if match := pattern.search(text):
                line = text[text.rfind("\n", 0, match.start()) + 1 :].splitlines()[0]
                yield f"An output tells of one machine or run: {line[:200]}"


def _texts(output: NotebookNode) -> Iterator[str]:
    """All text of an output; pictures in base64 may spell anything."""
    yield output.get("text", "")
    for kind, content in output.get("data", {}).items():
        if not kind.startswith("image/") or kind == "image/svg+xml":
            text = content if isinstance(content, str) else str(content)
            yield IN_BASE64.sub("", text)
