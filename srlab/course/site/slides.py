"""A lesson as a talk: one HTML file that needs no network and no other file.

The cells' slideshow marks, as JupyterLab sets them, say where a slide begins.
The file forbids the browser to ask any host for anything, so that also what
somebody stored in an output cannot.
"""

import mimetypes
import re
import warnings
from base64 import b64encode
from functools import partial
from hashlib import sha256
from html import escape, unescape
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from srlab.course.copy import course_files, course_folder
from srlab.course.site.links import first_heading
from srlab.files import PACKAGE, replacing

if TYPE_CHECKING:
    from nbformat import NotebookNode

HERE = PACKAGE / "course" / "site"
GENERATOR = "srlab slides"  # by which a talk of ours is known
ENDING = ".slides.html"
BEGIN = ("slide", "subslide")
SECTION = re.compile(r"##? ")


def write_slides(lesson: Path, out: Path) -> int:
    """Write a notebook's talk; how many slides it has.

    Args:
        lesson: a notebook. Where none of its cells is marked, each heading
            ``#`` or ``##`` begins a slide.
        out: the file, replaced if it is a talk that this function wrote.

    Raises:
        ValueError: if the notebook is damaged or has nothing to show, ``out``
            is another file, or a formula cannot be written.
        ImportError: if what writes the pages is not installed.
    """
    exporter = _exporter(lesson.parent)
    _require_own_file(out)
    talk = _read(lesson)
    count = arrange(talk)
    if not count:
        raise ValueError(f"{lesson} has no cell to show; mark some as slides in JupyterLab.")
    html, _ = exporter.from_notebook_node(talk, _around(talk, lesson, count))
    out.parent.mkdir(parents=True, exist_ok=True)
    with replacing(out) as part:
        part.write_text(html, encoding="utf-8")
    return count


def find_lesson(name: str) -> Path:
    """A notebook by its path, or a lesson of the course by how its name begins.

    Raises:
        ValueError: if there is none, or more than one.

    Example:
        >>> find_lesson("01").name
        '01_pixel_loss.ipynb'
    """
    if Path(name).is_file():
        return Path(name)
    course = course_folder()
    lessons = [one for one in course_files(course) if re.fullmatch(r"[^/]+\.ipynb", one)]
    found = [one for one in lessons if one.startswith(name)] if name else []
    if len(found) == 1:
        return course / found[0]
    there = ", ".join(Path(one).stem for one in found or lessons)
    raise ValueError(
        f"{name!r} could be one of {there}; write more of its name."
        if found
        else f"{name!r} is no notebook and no lesson; the lessons are {there}."
    )


def arrange(talk: "NotebookNode") -> int:
    """Leave out what is not shown, and note each cell's place; the slides' number."""
    marked = any(map(_mark, talk.cells))
    talk.cells = [cell for cell in talk.cells if _kind(cell, marked=marked) != "skip"]
    number = 0
    for cell in talk.cells:
        kind = _kind(cell, marked=marked)
        begins = kind in BEGIN or number == 0
        number += begins
        cell.metadata["srlab_slide"] = {"kind": kind, "begins": begins, "number": number}
    return number


def _kind(cell: "NotebookNode", *, marked: bool) -> str:
    """``"slide"``, ``"subslide"``, ``"fragment"``, ``"notes"``, ``"skip"`` or ``"-"``."""
    if not cell.source.strip() or cell.cell_type == "raw":
        return "skip"
    if marked:
        return _mark(cell) or "-"
    heads = cell.cell_type == "markdown" and SECTION.match(cell.source)
    return "slide" if heads else "-"


def _mark(cell: "NotebookNode") -> str:
    """The mark as JupyterLab wrote it; "" if there is none."""
    slideshow = cell.metadata.get("slideshow")
    return str(slideshow.get("slide_type") or "") if isinstance(slideshow, dict) else ""


def _exporter(folder: Path) -> Any:
    try:
        from srlab.course.site.exporter import page_exporter
    except ImportError as error:
        raise ImportError(
            f"srlab slides needs nbconvert and latex2mathml, but {error.name} is not "
            f"installed; install them: pip install latex2mathml nbconvert nbformat."
        ) from None
    exporter = page_exporter(HERE / "templates", "slides")
    exporter.register_filter("slide_html", partial(slide_html, folder=folder))
    exporter.register_filter("with_pictures", partial(with_pictures, folder=folder))
    return exporter


def slide_html(markdown: str, attached: dict[str, Any] | None, folder: Path) -> str:
    """Markdown as HTML, with its pictures inside."""
    from nbconvert.filters.markdown_mistune import MarkdownWithMath

    from srlab.course.site.exporter import SlideRenderer

    html = MarkdownWithMath(renderer=SlideRenderer(escape=False)).render(markdown)
    return with_pictures(str(html), attached, folder)


PICTURE = re.compile(r"<img\b[^>]*>", re.IGNORECASE)
SIZES = ("width", "height", "style")
ATTRIBUTE = re.compile(
    r"""\b(src|alt|width|height|style)\s*=\s*(?:"([^"]*)"|'([^']*)')""", re.IGNORECASE
)


def with_pictures(html: str, attached: dict[str, Any] | None, folder: Path) -> str:
    """HTML with its pictures inside; words in place of one that cannot be had."""

    def brought(found: re.Match[str]) -> str:
        has = {name.lower(): unescape(a or b) for name, a, b in ATTRIBUTE.findall(found[0])}
        source, words = has.get("src", ""), has.get("alt", "")
        if data := _data(unquote(source), attached or {}, folder):
            sizes = "".join(f' {name}="{escape(has[name])}"' for name in SIZES if name in has)
            return f'<img src="{data}" alt="{escape(words)}"{sizes}>'
        warnings.warn(
            f"The picture {source[:80]!r} is not in the talk; a talk has only those that "
            f"lie in the notebook's folder.",
            stacklevel=2,
        )
        return f'<span class="missing">[picture: {escape(words or source[:80])}]</span>'

    return PICTURE.sub(brought, html)


def _data(source: str, attached: dict[str, Any], folder: Path) -> str:
    """A picture as an address that holds it; "" if it is none, or elsewhere."""
    if source.startswith("data:image/"):
        return source
    if source.startswith("attachment:"):
        kinds = attached.get(source.removeprefix("attachment:"), {})
        return next((f"data:{kind};base64,{data}" for kind, data in kinds.items()), "")
    path, kind = (folder / source).resolve(), mimetypes.guess_type(source)[0] or ""
    if not path.is_relative_to(folder.resolve()) or not path.is_file():
        return ""
    data = b64encode(path.read_bytes()).decode()
    return f"data:{kind};base64,{data}" if kind.startswith("image/") else ""


def _read(lesson: Path) -> "NotebookNode":
    import nbformat

    text = lesson.read_bytes()
    try:
        notebook = nbformat.reads(text.decode(), as_version=4)
        nbformat.validate(notebook)
    except (ValueError, KeyError, AttributeError, TypeError, nbformat.ValidationError):
        raise ValueError(f"{lesson} is damaged: it cannot be read as a notebook.") from None
    return notebook


def _around(talk: "NotebookNode", lesson: Path, count: int) -> dict[str, Any]:
    """What the page has besides the slides."""
    texts = [cell.source for cell in talk.cells if cell.cell_type == "markdown"]
    script = (HERE / "slides.js").read_text(encoding="utf-8")
    style = [(HERE / name).read_text(encoding="utf-8") for name in ("site.css", "slides.css")]
    return {
        "title": first_heading("\n".join(texts)) or lesson.stem,
        "count": count,
        "generator": GENERATOR,
        "style": "\n".join(style),
        "script": script,
        "allowed": allowed(script),
    }


def allowed(script: str) -> str:
    """The page's policy: what it holds itself, its one script, and no host at all."""
    digest = b64encode(sha256(script.encode()).digest()).decode()
    return (
        "default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )


def _require_own_file(out: Path) -> None:
    """Raise if something else would be replaced."""
    mark = f'content="{GENERATOR}"'
    if out.is_file() and mark not in out.read_text(encoding="utf-8", errors="replace")[:2000]:
        raise ValueError(f"{out} is another file, no talk of srlab; name a new one.")
