"""Where a page of the site lies, what it is called, and how another one gets there."""

import json
import posixpath
import re
from pathlib import Path

HEADING = re.compile(r"^# (.+)$", re.MULTILINE)
OTHER_PLACE = re.compile(r"[a-z][a-z0-9+.-]*:|//|#")  # https:, mailto:, a place on this page


def html_name(name: str) -> str:
    """The page of a file of the course.

    Example:
        >>> html_name("solutions/README.md"), html_name("06_unet.ipynb")
        ('solutions/index.html', '06_unet.html')
    """
    stem = re.sub(r"\.(ipynb|md)$", "", name)
    return re.sub(r"(^|/)README$", r"\1index", stem) + ".html"


def page_link(link: str) -> str:
    """A link between notebooks as one between pages; any other as it is.

    Example:
        >>> page_link("05_loss_lab.ipynb#title"), page_link("solutions")
        ('05_loss_lab.html#title', 'solutions/index.html')
    """
    if OTHER_PLACE.match(link):
        return link
    path, mark, place = link.partition("#")
    if path.endswith((".ipynb", ".md")):
        path = html_name(path)
    elif "." not in posixpath.basename(path):
        path = posixpath.join(path, "index.html")
    return f"{path}{mark}{place}"


def relative(target: str, page: str) -> str:
    """The way from one page to another, or to a file, both below the site."""
    return posixpath.relpath(target, posixpath.dirname(page) or ".")


def title_of(path: Path) -> str:
    """The first heading of a notebook or Markdown file; else its name.

    Raises:
        ValueError: if a notebook is damaged.
    """
    text = path.read_text(encoding="utf-8")
    return (
        first_heading(_markdown(text, path) if path.suffix == ".ipynb" else text) or path.stem
    )


def first_heading(markdown: str) -> str:
    """Without its marks of code; "" if there is none."""
    found = HEADING.search(markdown)
    return found[1].replace("`", "").strip() if found else ""


def _markdown(text: str, path: Path) -> str:
    try:
        cells = json.loads(text)["cells"]
        texts = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]
    except (ValueError, KeyError, TypeError):
        raise ValueError(f"{path} is damaged: it cannot be read as a notebook.") from None
    return "\n".join(texts)
