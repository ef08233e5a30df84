"""The course as static pages: to be read without running anything.

nbconvert walks through the notebooks; the page around them, the links, the
formulas and the words beside a widget's picture are ours. A page asks no other
host for anything.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from srlab.course.copy import course_files, course_folder, require_own_folder
from srlab.course.site.links import html_name, relative, title_of
from srlab.files import PACKAGE, replacing

if TYPE_CHECKING:
    from nbconvert.exporters import HTMLExporter

    from srlab.course.site.reference import Reference

HERE = PACKAGE / "course" / "site"
MARK = ".srlab-site"
STYLE = "site.css"
SOLUTIONS = "solutions/README.md"  # a list of them, since links lead to the folder


@dataclass(frozen=True)
class Page:
    """One file of the course and its page.

    Args:
        source: its name below the course, such as ``solutions/00_pairs.ipynb``.
        target: its page, such as ``solutions/00_pairs.html``.
        title: its first heading.
    """

    source: str
    target: str
    title: str


def build_site(folder: Path, source: Path | None = None) -> list[str]:
    """Write the course as static pages into ``folder``.

    Args:
        folder: a new or empty one, or one that this function wrote before.
        source: the course; that of this srlab if None.

    Returns:
        The names of the pages, the course map (``index.html``) first.

    Raises:
        ValueError: if ``folder`` holds other files, or a formula cannot be
            written.
        ImportError: if what writes the pages is not installed.
    """
    exporter = _exporter()
    from srlab.course.site.reference import INDEX, read_reference, write_reference

    source = source or course_folder()
    require_own_folder(folder, MARK)
    pages = list(_pages(source))
    reference = read_reference(source, pages)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARK).touch()
    shutil.copy(HERE / STYLE, folder / STYLE)
    for name in course_files(source):
        if name.startswith("images/"):
            (folder / name).parent.mkdir(exist_ok=True)
            shutil.copy(source / name, folder / name)
    for page in pages:
        html = _html(exporter, source, page, pages, reference)
        (folder / page.target).parent.mkdir(exist_ok=True)
        with replacing(folder / page.target) as part:
            part.write_text(html, encoding="utf-8")
    around = _around(Page(INDEX, INDEX, "Reference"), pages, reference)
    written = write_reference(reference, folder, exporter, around)
    return [page.target for page in pages] + written


def _exporter() -> "HTMLExporter":
    try:
        import srlab.course.site.reference  # noqa: F401, asks for griffe
        from srlab.course.site.exporter import page_exporter
    except ImportError as error:
        raise ImportError(
            f"srlab site needs nbconvert, latex2mathml and griffelib, but {error.name} is "
            f"not installed; install them: pip install griffelib latex2mathml nbconvert "
            f"nbformat."
        ) from None
    return page_exporter(HERE / "templates")


def _pages(source: Path) -> Iterator[Page]:
    """The map, the lessons, then the rest, each with its page."""
    names = [name for name in course_files(source) if not name.startswith("images/")]
    names.sort(key=lambda name: ("/" in name, name != "README.md", name.endswith(".md"), name))
    for name in names:
        yield Page(name, html_name(name), title_of(source / name))
    if any(name.startswith("solutions/") for name in names) and SOLUTIONS not in names:
        yield Page(SOLUTIONS, html_name(SOLUTIONS), "Solutions")


def _html(
    exporter: "HTMLExporter",
    source: Path,
    page: Page,
    pages: list[Page],
    reference: "Reference",
) -> str:
    from nbformat.v4 import new_markdown_cell, new_notebook

    resources = {"page": page, "reference": reference.links(page)}
    resources |= _around(page, pages, reference)
    if page.source.endswith(".ipynb"):
        return str(exporter.from_filename(str(source / page.source), resources)[0])
    path = source / page.source
    text = path.read_text(encoding="utf-8") if path.is_file() else _list_of_solutions(pages)
    notebook = new_notebook(cells=[new_markdown_cell(text, id="page")])
    return str(exporter.from_notebook_node(notebook, resources)[0])


def _around(page: Page, pages: list[Page], reference: "Reference") -> dict[str, Any]:
    """The style, and the navigation: (link, title, whether it is this page)."""
    tops = [other for other in pages if "/" not in other.source]
    links = [(relative(one.target, page.target), one.title, one == page) for one in tops]
    links += reference.start(page.target)
    return {"style": relative(STYLE, page.target), "links": links}


def _list_of_solutions(pages: list[Page]) -> str:
    lines = [
        f"- [{page.title}]({page.source.removeprefix('solutions/')})"
        for page in pages
        if page.source.startswith("solutions/") and page.source != SOLUTIONS
    ]
    return "\n".join(["# Solutions\n", "One way to solve each exercise.\n", *lines])
