"""The course as static pages: whole, linked, readable, and asking nobody for anything."""

import re
import sys
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pytest

from srlab.course.copy import course_files
from srlab.course.site import MARK, build_site
from srlab.course.site.exporter import is_widget, to_mathml
from srlab.course.site.links import html_name, page_link
from tests.conftest import Command
from tests.lesson_cells import ROOT, notebooks

LESSONS = ROOT / "lessons"
LOADS = {"src", "srcset", "data", "poster", "action"}  # attributes that ask for a file
FORMULA = re.compile(r"\$\$(.+?)\$\$|\$([^$\n]+?)\$", re.DOTALL)
WIDGET = "A picture of a live widget, as it was stored. In JupyterLab it moves."


@dataclass
class Read(HTMLParser):
    """What a page holds."""

    html: str
    tags: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def ids(self) -> set[str]:
        return {attributes["id"] for _, attributes in self.tags if "id" in attributes}


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[str, Read]:
    found = sorted(site.rglob("*.html"))
    return {page.relative_to(site).as_posix(): Read(page.read_text("utf-8")) for page in found}


def cells_of(page: str) -> list[nbformat.NotebookNode]:
    """Of the notebook behind a page, if there is one."""
    path = LESSONS / page.replace(".html", ".ipynb")
    return nbformat.read(path, 4).cells if path.is_file() else []


def test_each_notebook_and_text_has_its_page(pages: dict[str, Read]) -> None:
    texts = [name for name in course_files(LESSONS) if name.endswith((".md", ".ipynb"))]
    course = {name for name in pages if not name.startswith("reference/")}
    assert course == {html_name(name) for name in texts} | {"solutions/index.html"}
    assert len(pages) > len(notebooks())


def test_every_link_leads_somewhere(site: Path, pages: dict[str, Read]) -> None:
    followed = 0
    for name, page in pages.items():
        links = [attributes.get("href", "") for attributes in page.all("a")]
        for link in links + [attributes["src"] for attributes in page.all("img")]:
            if re.match(r"https?:|data:", link):
                continue
            path, _, place = link.partition("#")
            target = (site / name).parent / path if path else site / name
            assert target.is_file(), f"{name}: {link} leads nowhere"
            assert target.suffix != ".ipynb", f"{name}: {link} is no page"
            if place:
                linked = pages[target.resolve().relative_to(site.resolve()).as_posix()]
                assert place in linked.ids, f"{name}: {link} leads to no place"
            followed += 1
    assert followed > 100


def test_no_page_asks_another_host(site: Path, pages: dict[str, Read]) -> None:
    for name, page in pages.items():
        assert not page.all("script") + page.all("iframe") + page.all("object"), name
        asked = [found[key] for _, found in page.tags for key in LOADS & found.keys()]
        asked += [attributes["href"] for attributes in page.all("link")]
        assert asked, name
        for link in asked:
            assert not re.match(r"[a-z]+://|//", link), f"{name} asks for {link}"
    for style in site.rglob("*.css"):
        assert not re.search(r"@import|url\(", style.read_text())


def test_every_picture_has_words(pages: dict[str, Read]) -> None:
    pictures = [(name, one) for name, page in pages.items() for one in page.all("img")]
    assert len(pictures) > 70
    unnamed = ("", "No description has been provided for this image")  # nbconvert's own
    assert [name for name, picture in pictures if picture.get("alt", "") in unnamed] == []


def test_each_stored_picture_is_on_its_page(pages: dict[str, Read]) -> None:
    for name, page in pages.items():
        outputs = [out for cell in cells_of(name) for out in cell.get("outputs", [])]
        stored = [source for output in outputs for source in sources(output.get("data", {}))]
        shown = [one["src"] for one in page.all("img") if one["src"].startswith("data:")]
        assert shown == stored, name
        assert page.html.count(WIDGET) == sum(is_widget(output) for output in outputs), name
    assert WIDGET in pages["05_loss_lab.html"].html


def sources(data: dict[str, str]) -> list[str]:
    """What the pictures of a stored output load: the PNG, or those in its HTML."""
    if "image/png" in data:
        return [f"data:image/png;base64,{data['image/png'].replace(chr(10), '')}"]
    return [one["src"] for one in Read(data.get("text/html", "")).all("img")]


def test_a_page_has_what_a_screen_reader_goes_by(pages: dict[str, Read]) -> None:
    for name, page in pages.items():
        assert page.all("html") == [{"lang": "en"}], name
        assert len(page.all("h1")) == len(page.all("main")) == 1, name
        assert page.all("nav")[0] == {"aria-label": "Lessons"}, name
        assert page.all("a")[0] == {"class": "skip", "href": "#main"}, name
        assert page.all("main")[0]["id"] == "main", name
        here = [link["href"] for link in page.all("a") if "aria-current" in link]
        assert here == ([] if "/" in name else [name]), name


def test_every_formula_is_mathml(pages: dict[str, Read]) -> None:
    written = 0
    for name, page in pages.items():
        texts = [cell.source for cell in cells_of(name) if cell.cell_type == "markdown"]
        formulas = [found for text in texts for found in FORMULA.findall(text)]
        blocks = [one for one in page.all("math") if one["display"] == "block"]
        assert len(page.all("math")) == len(formulas), name
        assert len(blocks) == sum(bool(block) for block, _ in formulas), name
        written += len(formulas)
    assert written > 80


def test_formulas_are_words_and_signs() -> None:
    psnr = to_mathml(r"\mathrm{PSNR} = \frac{\texttt{data\_range}^2}{2}", block=True)
    for part in ("<mtext>PSNR</mtext>", ">data_range</mtext>", 'display="block"'):
        assert part in psnr
    assert to_mathml(r"\Big\lVert x \Big\rVert").count("‖") == 2
    with pytest.raises(ValueError, match=r"'x \\\\nonsense' cannot be written as MathML, sinc"):
        to_mathml(r"x \nonsense")


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("05_loss_lab.ipynb#title", "05_loss_lab.html#title"),
        ("../README.md", "../index.html"),
        ("solutions/", "solutions/index.html"),
        ("images/unet.png", "images/unet.png"),
        ("https://example.org/a.ipynb", "https://example.org/a.ipynb"),
        ("#main", "#main"),
    ],
)
def test_links_lead_to_pages(link: str, expected: str) -> None:
    assert page_link(link) == expected


def test_what_a_learner_wrote_is_shown_as_text(tmp_path: Path) -> None:
    """Also code and prints that look like HTML."""
    cell = nbformat.v4.new_code_cell("a = '<b>' < 3")
    cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text="<script>x</script>")]
    title = nbformat.v4.new_markdown_cell("# Less < more & `code`")
    source = tmp_path / "course"
    source.mkdir()
    nbformat.write(nbformat.v4.new_notebook(cells=[title, cell]), source / "00_a.ipynb")
    assert build_site(tmp_path / "site", source) == ["00_a.html"]
    html = (tmp_path / "site/00_a.html").read_text("utf-8")
    assert "<title>Less &lt; more &amp; code · srlab</title>" in html
    assert "<b>" not in html
    assert "&lt;script&gt;x&lt;/script&gt;" in html


# -- bad cases -------------------------------------------------------------------


def test_pages_are_written_anew_but_never_over_other_files(tmp_path: Path) -> None:
    source, site = tmp_path / "course", tmp_path / "site"
    source.mkdir()
    (source / "README.md").write_text("# One")
    build_site(site, source)
    (source / "README.md").write_text("# Two")
    assert build_site(site, source) == ["index.html"]
    assert "<h1>Two</h1>" in (site / "index.html").read_text()
    (site / MARK).unlink()
    with pytest.raises(ValueError, match="site holds other files; name a new or an empty"):
        build_site(site, source)
    with pytest.raises(ValueError, match="is a file; give the name of a folder"):
        build_site(source / "README.md", source)


def test_a_damaged_lesson_is_named(tmp_path: Path) -> None:
    (tmp_path / "00_a.ipynb").write_text('{"cells": [')
    with pytest.raises(ValueError, match=r"00_a.ipynb is damaged: it cannot be read as a note"):
        build_site(tmp_path / "site", tmp_path)
    assert not (tmp_path / "site").exists()


@pytest.mark.parametrize("missing", ["latex2mathml.converter", "griffe"])
def test_what_is_missing_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    for ours in ("exporter", "reference"):
        monkeypatch.delitem(sys.modules, f"srlab.course.site.{ours}", raising=False)
    name = missing.partition(".")[0]
    with pytest.raises(ImportError, match=rf"{name}.* is not installed; .*install .*{name}"):
        build_site(tmp_path / "site", tmp_path)


def test_the_command_says_where_to_begin(command: Command, tmp_path: Path) -> None:
    done = command("site", tmp_path)
    said = rf"\d+ pages; begin with {tmp_path}/index\.html\n"
    assert re.fullmatch(said, done.stdout), done.stderr
