"""The reference: the docstrings of what the lessons import, a page a module.

griffe reads the package without importing it, so nothing here loads torch. Which
modules have a page, and which lessons link to it, the lessons' own imports say.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from griffe import Alias, Attribute, Class, Function, Object, load
from nbconvert.filters.markdown_mistune import MarkdownWithMath
from nbformat import read

from srlab.course.site.exporter import PageRenderer
from srlab.course.site.links import relative
from srlab.files import PACKAGE, replacing

if TYPE_CHECKING:
    from nbconvert.exporters import HTMLExporter

    from srlab.course.site import Page

FOLDER = "reference"
INDEX = f"{FOLDER}/index.html"
IMPORTED = re.compile(r"^\s*from (srlab\.[\w.]+) import", re.MULTILINE)
BUILT = re.compile(r"^# srlab/([\w/]+)\.py: ", re.MULTILINE)
UNWRITTEN = ("srlab.checks",)  # what it says of an answer, it says after a try
LESSON = re.compile(r"\blesson (\d\d)\b")
READING: dict[str, Any] = {
    "docstring_parser": "google",
    "docstring_options": {
        "warnings": False,  # "sr, hr: ..." documents two arguments at once
        "returns_multiple_items": False,
        "returns_named_value": False,
    },
    "allow_inspection": False,
    "try_relative_path": False,  # this srlab, not a folder of that name
}


@dataclass(frozen=True)
class Reference:
    """What is documented, and who uses it.

    Args:
        lessons: every page of the course that may import something.
        uses: the modules that a page imports, by the name of its source.
    """

    lessons: list["Page"]
    uses: dict[str, list[str]]

    @cached_property
    def modules(self) -> list[str]:
        """Dotted names of the modules with a page: what is taught, then the labs."""
        found = {module for modules in self.uses.values() for module in modules}
        return sorted(found, key=lambda module: (".widgets." in module, module))

    @cached_property
    def package(self) -> Object | Alias:
        """The whole of srlab, as griffe read it."""
        return load("srlab", search_paths=[PACKAGE.parent], **READING)

    @cached_property
    def places(self) -> dict[str, str]:
        """Where each documented name stands, but for names that two modules have."""
        found = [(one.name, name) for name in self.modules for one in self.entries(name)]
        often = Counter(name for name, _ in found)
        return {
            name: f"{target_of(module)}#{name}" for name, module in found if often[name] == 1
        }

    def module(self, name: str) -> Object | Alias:
        """The module of a dotted name such as ``srlab.losses``."""
        return self.package[name.partition(".")[2]]

    def entries(self, name: str) -> list[Object | Alias]:
        """What a module shows: its public names that have a docstring, in its order."""
        return documented(self.module(name))

    def links(self, page: "Page") -> list[tuple[str, str]]:
        """The way from a page to each module that it imports, and the module's name."""
        if page.target == "index.html" and self.modules:
            return [(INDEX, "every module")]
        used = self.uses.get(page.source, [])
        return [(relative(target_of(module), page.target), module) for module in used]

    def start(self, target: str) -> list[tuple[str, str, bool]]:
        """The link to the reference in the navigation of a page, if there is one."""
        return [(relative(INDEX, target), "Reference", False)] if self.modules else []

    def users(self, module: str) -> list[tuple[str, str]]:
        """The lessons that import a module, seen from a page of the reference."""
        return [
            (relative(page.target, INDEX), page.title)
            for page in self.lessons
            if module in self.uses[page.source]
        ]


def read_reference(source: Path, pages: list["Page"]) -> Reference:
    """Find out which modules a course's lessons import; solutions are none."""
    lessons = [page for page in pages if re.fullmatch(r"[^/]+\.ipynb", page.source)]
    return Reference(lessons, {page.source: _modules(source / page.source) for page in lessons})


def _modules(path: Path) -> list[str]:
    """The documented modules that a notebook imports or builds a part of, sorted."""
    cells = [cell.source for cell in read(path, as_version=4).cells if cell.cell_type == "code"]
    code = "\n".join(cells)
    built = ["srlab." + found.replace("/", ".") for found in BUILT.findall(code)]
    found = {*built, *IMPORTED.findall(code)}
    return sorted(one for one in found if not one.startswith(UNWRITTEN))


def write_reference(
    reference: Reference, folder: Path, exporter: "HTMLExporter", around: dict[str, Any]
) -> list[str]:
    """Write a page for each module, and one that lists them.

    Args:
        reference: what to write; nothing is written if no lesson imports srlab.
        folder: the site.
        exporter: the one that writes the lessons' pages.
        around: what stands around a page in a folder of the site.

    Returns:
        The names of the pages, the list first.
    """
    if not reference.modules:
        return []
    (folder / FOLDER).mkdir(exist_ok=True)
    environment = exporter.environment
    environment.filters |= {"documented": documented, "signature": signature, "told": told}
    for target, title, module in _targets(reference):
        html = environment.get_template("reference.html.j2").render(
            resources={**around, "page": {"target": target, "title": title}},
            reference=reference,
            module=module and reference.module(module),
            entries=reference.entries(module) if module else [],
            prose=Prose(reference, target),
        )
        with replacing(folder / target) as part:
            part.write_text(html, encoding="utf-8")
    return [target for target, _, _ in _targets(reference)]


def _targets(reference: Reference) -> Iterator[tuple[str, str, str]]:
    """Page, title and module of each page; the list of modules has no module."""
    yield INDEX, "Reference", ""
    for module in reference.modules:
        yield target_of(module), module, module


def target_of(module: str) -> str:
    """The page of a module.

    Example:
        >>> target_of("srlab.widgets.loss_lab")
        'reference/widgets.loss_lab.html'
    """
    return f"{FOLDER}/{module.partition('.')[2]}.html"


def documented(parent: Object | Alias) -> list[Object | Alias]:
    """The public members with a docstring, in the order of the source."""
    return [
        member
        for member in parent.members.values()
        if member.is_public and _resolves(member) and member.docstring
    ]


def _resolves(member: Object | Alias) -> bool:
    """Whether a name that a module re-exports leads to something of srlab."""
    return not isinstance(member, Alias) or member.target_path.startswith("srlab.")


def signature(one: Object | Alias) -> str:
    """How something is called; a constant with its value, a property with its type."""
    target = one.final_target if isinstance(one, Alias) else one
    if isinstance(target, Attribute):
        typed = "property" in target.labels
        return f"{one.name}: {target.annotation}" if typed else f"{one.name} = {target.value}"
    call = target.signature() if isinstance(target, (Class, Function)) else ""
    return call or one.name  # a pydantic model has no call of its own


@dataclass
class Prose:
    """The text of docstrings as HTML, with links to lessons and to other names."""

    reference: Reference
    target: str  # the page on which the text stands

    def __call__(self, text: str) -> str:
        """Paragraphs, lists and code; what looks like HTML stays text."""
        linked = LESSON.sub(self._lesson, text)
        return str(MarkdownWithMath(renderer=ProseRenderer(self)).render(linked))

    def summary(self, one: Object | Alias) -> str:
        """The first sentence or lines of a docstring, without a paragraph around it."""
        text = one.docstring.value if one.docstring else ""
        return self(text.partition("\n\n")[0]).strip().removeprefix("<p>").removesuffix("</p>")

    def way_to(self, name: str) -> str | None:
        """Where a documented name stands, seen from this page."""
        place = self.reference.places.get(name)
        return place and relative(place, self.target)

    def _lesson(self, found: re.Match[str]) -> str:
        lessons = [page for page in self.reference.lessons if page.source.startswith(found[1])]
        if not lessons:
            return found[0]
        return f"[{found[0]}]({relative(lessons[0].source, self.target)})"


class ProseRenderer(PageRenderer):
    """Code that is a documented name leads to it."""

    def __init__(self, prose: Prose):
        super().__init__(escape=True)
        self.prose = prose

    def codespan(self, text: str) -> str:
        code = f"<code>{escape(text, quote=False)}</code>"
        way = self.prose.way_to(text)
        return f'<a href="{way}">{code}</a>' if way else code


def told(one: Object | Alias, section: Any) -> str:
    """What a Returns section says: its type first where the docstring gives one."""
    value = section.value[0]
    target = one.final_target if isinstance(one, Alias) else one
    if str(value.annotation) == str(getattr(target, "returns", None)):
        return str(value.description)
    return f"{value.annotation}: {value.description}"
