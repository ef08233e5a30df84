"""nbconvert with the pages' own template, links and formulas.

Formulas become MathML, which a browser draws and reads out by itself.
"""

import re
from html import escape
from pathlib import Path
from typing import Any

from latex2mathml.converter import convert
from nbconvert.exporters import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from traitlets.config import Config

from srlab.course.site.links import page_link

BOX = re.compile(r"^<div[^>]*><pre>(<span></span>)?|</pre></div>\s*$")
LINK = re.compile(r"""href=(["'])(.*?)\1""")
OUTSIDE = re.compile(r"https?:|mailto:")
IMAGES = ("image/png", "image/jpeg", "image/svg+xml")

# What latex2mathml would show as it stands, or letter by letter, in other words.
REWORDED = (
    (re.compile(r"\\mathrm\{(\w+)\}"), r"\\text{\1}"),
    (re.compile(r"\\_"), "_"),
    (re.compile(r"\\([lr])Vert\b"), "‖"),
)
LEFT_OVER = re.compile(r"\\\w+|\$")


def page_exporter(templates: Path, template: str = "srlab") -> HTMLExporter:
    """An exporter of notebooks to pages; ``templates`` holds the folder ``template``."""
    settings = Config()
    settings.TemplateExporter.extra_template_basedirs = [str(templates)]
    settings.HTMLExporter.template_name = template
    exporter = HTMLExporter(config=settings)
    for own in (page_html, with_page_links, code_only, alt_text, is_widget):
        exporter.register_filter(own.__name__, own)
    return exporter


def page_html(markdown: str) -> str:
    """Markdown of a cell as HTML."""
    return str(MarkdownWithMath(renderer=PageRenderer(escape=False)).render(markdown))


def with_page_links(html: str) -> str:
    """A stored output in HTML, whose links lead to pages."""
    return LINK.sub(lambda found: f"href={found[1]}{page_link(found[2])}{found[1]}", html)


def code_only(html: str) -> str:
    """Highlighted code without the box that nbconvert puts around it."""
    return BOX.sub("", html).rstrip()


def alt_text(output: Any) -> str:
    """What a stored picture says in words; "" if it has none."""
    metadata = output.get("metadata", {})
    words = (metadata.get(kind, {}).get("alt", "") for kind in IMAGES)
    return next(filter(None, words), "")


def is_widget(output: Any) -> bool:
    """Whether a stored picture is a widget's poster, whose words are also its text."""
    words = alt_text(output)
    return bool(words) and words == output.get("data", {}).get("text/plain")


def to_mathml(tex: str, *, block: bool = False) -> str:
    r"""A formula in TeX as MathML.

    Args:
        tex: without the dollars around it.
        block: on a line of its own.

    Raises:
        ValueError: if a command in it is not known.

    Example:
        >>> "<mfrac>" in to_mathml(r"\frac{1}{2}")
        True
    """
    reworded = tex.strip()
    for pattern, words in REWORDED:
        reworded = pattern.sub(words, reworded)
    mathml = convert(reworded, display="block" if block else "inline")
    if left := LEFT_OVER.search(mathml):
        raise ValueError(
            f"The formula {tex.strip()!r} cannot be written as MathML, since {left[0]} is "
            f"not known; write it in another way."
        )
    return mathml


class PageRenderer(IPythonRenderer):
    """Links to pages in place of notebooks, formulas as MathML, wide things in boxes."""

    def heading(self, text: str, level: int, **_: Any) -> str:
        """Without a sign to click on."""
        return f"<h{level}>{text}</h{level}>\n"

    def link(self, text: str, url: str, title: str | None = None) -> str:
        """To the page of a notebook."""
        return str(super().link(text, page_link(url), title))

    def inline_math(self, body: str) -> str:
        return to_mathml(body)

    def block_math(self, body: str) -> str:
        return _box("formula", to_mathml(body, block=True))

    def block_code(self, code: str, info: str | None = None) -> str:
        language = f' data-language="{escape(info)}"' if info else ""
        return f'<pre class="code" tabindex="0"{language}>{escape(code, quote=False)}</pre>\n'

    def table(self, text: str) -> str:
        return _box("table", f"<table>\n{text}</table>")


class SlideRenderer(PageRenderer):
    """In a file of its own no other page is near: links lead outside, or are words."""

    def link(self, text: str, url: str, title: str | None = None) -> str:
        return str(IPythonRenderer.link(self, text, url, title)) if OUTSIDE.match(url) else text

    def image(self, text: str, url: str, title: str | None = None) -> str:
        """As it stands, also one that is attached to its cell."""
        return str(super(IPythonRenderer, self).image(text, url, title))


def _box(kind: str, html: str) -> str:
    """A box that scrolls by itself, so that the page does not; also by keyboard."""
    return f'<div class="box {kind}" tabindex="0">{html}</div>\n'
