"""The course as static pages: to be read without running anything.

nbconvert walks through the notebooks; the page around them, the links, the
formulas and the words beside a widget's picture are ours. A page asks no other
host for anything.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from srlab.course.copy import course_files, course_folder
from srlab.course.site.links import html_name, relative
from srlab.course.site.titles import title_of
from srlab.files import PACKAGE, replacing

if TYPE_CHECKING:
    from nbconvert.exporters import HTMLExporter

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

    Source: built by srlab; ``srlab site DIR`` writes it.
    """
    exporter = _exporter()
    source = source or course_folder()
    _require_own_folder(folder)
    pages = list(_pages(source))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARK).touch()
    shutil.copy(HERE / STYLE, folder / STYLE)
    for name in course_files(source):
        if name.startswith("images/"):
            _copy(source / name, folder / name)
    for page in pages:
        html = _html(exporter, source, page, pages)
        (folder / page.target).parent.mkdir(exist_ok=True)
        with replacing(folder / page.target) as part:
            part.write_text(html, encoding="utf-8")
    return [page.target for page in pages]


def _exporter() -> "HTMLExporter":
    try:
        from srlab.course.site.exporter import page_exporter
    except ImportError as error:
        raise ImportError(
            f"srlab site needs nbconvert and latex2mathml, but {error.name} is not "
            f"installed; install them: pip install latex2mathml nbconvert nbformat."
        ) from None
    return page_exporter(HERE / "templates")


def _require_own_folder(folder: Path) -> None:
    """Raise if pages would lie among, or over, files of another kind."""
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder} is a file; give the name of a folder.")
    if folder.exists() and any(folder.iterdir()) and not (folder / MARK).exists():
        raise ValueError(f"{folder} holds other files; name a new or an empty folder.")


def _pages(source: Path) -> Iterator[Page]:
    """The map, the lessons, then the rest, each with its page."""
    names = [name for name in course_files(source) if not name.startswith("images/")]
    names.sort(key=lambda name: ("/" in name, name != "README.md", name.endswith(".md"), name))
    for name in names:
        yield Page(name, html_name(name), title_of(source / name))
    if any(name.startswith("solutions/") for name in names) and SOLUTIONS not in names:
        yield Page(SOLUTIONS, html_name(SOLUTIONS), "Solutions")


def _html(exporter: "HTMLExporter", source: Path, page: Page, pages: list[Page]) -> str:
    from nbformat.v4 import new_markdown_cell, new_notebook

    resources = {"page": page, "style": relative(STYLE, page.target), **_around(page, pages)}
    if page.source.endswith(".ipynb"):
        return str(exporter.from_filename(str(source / page.source), resources)[0])
    path = source / page.source
    text = path.read_text(encoding="utf-8") if path.is_file() else _list_of_solutions(pages)
    notebook = new_notebook(cells=[new_markdown_cell(text, id="page")])
    return str(exporter.from_notebook_node(notebook, resources)[0])


def _around(page: Page, pages: list[Page]) -> dict[str, list[tuple[str, str, bool]]]:
    """The navigation: (link, title, whether it is this page) of every lesson."""
    tops = [other for other in pages if "/" not in other.source]
    return {
        "links": [
            (relative(other.target, page.target), other.title, other == page) for other in tops
        ]
    }


def _list_of_solutions(pages: list[Page]) -> str:
    folder = str(PurePosixPath(SOLUTIONS).parent)
    there = [page for page in pages if page.source.startswith(f"{folder}/")]
    lines = [
        f"- [{page.title}]({PurePosixPath(page.source).name})"
        for page in there
        if page.source != SOLUTIONS
    ]
    return "\n".join(["# Solutions\n", "One way to solve each exercise.\n", *lines])


def _copy(path: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(path, target)
