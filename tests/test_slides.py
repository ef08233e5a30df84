"""The lessons as slides: each cell has its place, and nbconvert makes a talk of them."""

import re
from pathlib import Path

import pytest
from nbconvert.exporters import SlidesExporter
from traitlets.config import Config

from tests.lesson_cells import mark, notebooks, read_notebook, slide_type, write_notebook

LESSONS = [path for path in notebooks() if path.parent.name != "solutions"]
LOADED = re.compile(r"""<(?:script|link|img)[^>]*(?:src|href)=["']((?:https?:)?//[^"']+)""")


@pytest.fixture(scope="module")
def offline() -> SlidesExporter:
    """With every library named as a file beside the talk, none at another host."""
    settings = Config()
    settings.SlidesExporter.reveal_url_prefix = "reveal.js"
    settings.SlidesExporter.font_awesome_url = "font-awesome.css"
    for name in ("require_js_url", "jquery_url", "mathjax_url"):
        settings.HTMLExporter[name] = f"{name}.js"
    return SlidesExporter(config=settings)


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
def test_every_cell_has_its_place(lesson: Path) -> None:
    for cell in read_notebook(lesson).cells:
        assert cell.metadata["slideshow"] == {"slide_type": slide_type(cell)}, cell.id


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
def test_nbconvert_makes_a_talk(lesson: Path, offline: SlidesExporter) -> None:
    html, _ = offline.from_filename(str(lesson))
    cells = read_notebook(lesson).cells
    kinds = [cell.metadata.slideshow.slide_type for cell in cells]
    starts = [kind for kind in kinds if kind in ("slide", "subslide")]
    assert kinds[0] == "slide"
    assert html.count("<section") == len(starts) + kinds.count("slide")
    assert len(starts) > 1
    assert cells[0].source.splitlines()[0].removeprefix("# ").split("·")[-1].strip() in html
    assert 'src="reveal.js/' in html or "'reveal.js/" in html or "reveal.js/dist" in html
    assert [url for url in LOADED.findall(html) if "mermaid" not in url] == []


def test_marks_are_written_only_where_they_changed(tmp_path: Path) -> None:
    lesson = tmp_path / "00_a.ipynb"
    notebook = read_notebook(LESSONS[0])
    write_notebook(notebook, lesson)
    assert not mark(lesson)
    notebook.cells[0].metadata.pop("slideshow")
    notebook.cells[1].metadata["nbgrader"] = {"grade": True}
    write_notebook(notebook, lesson)
    assert mark(lesson)
    assert read_notebook(lesson) == read_notebook(LESSONS[0])
