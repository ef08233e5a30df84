"""Where a page of the site lies, and how another one gets there."""

import posixpath
import re

OTHER_PLACE = re.compile(r"[a-z][a-z0-9+.-]*:|//|#")  # https:, mailto:, a place on this page


def html_name(name: str) -> str:
    """The page of a file of the course.

    Example:
        >>> html_name("solutions/README.md"), html_name("06_unet.ipynb")
        ('solutions/index.html', '06_unet.html')

    Source: built by srlab.
    """
    stem = re.sub(r"\.(ipynb|md)$", "", name)
    return re.sub(r"(^|/)README$", r"\1index", stem) + ".html"


def page_link(link: str) -> str:
    """A link between notebooks as one between pages; any other as it is.

    Example:
        >>> page_link("05_loss_lab.ipynb#title"), page_link("solutions")
        ('05_loss_lab.html#title', 'solutions/index.html')

    Source: built by srlab.
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
