"""The lessons as slides: each cell has its place, and one file makes a talk of them."""

import re
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from srlab.course.site.slides import allowed, find_lesson, with_pictures, write_slides
from tests.conftest import Command
from tests.lesson_cells import (
    has_picture,
    mark,
    notebooks,
    read_notebook,
    slide_type,
    write_notebook,
)
from tests.test_site import LOADS, Read

LESSONS = [path for path in notebooks() if path.parent.name != "solutions"]
PIXEL = "iVBORw0KGgo="


def text(source: str, kind: str = "") -> nbformat.NotebookNode:
    marks = {"slideshow": {"slide_type": kind}} if kind else {}
    return new_markdown_cell(source, metadata=marks)


def talk_of(folder: Path, *cells: nbformat.NotebookNode) -> Read:
    """The talk made of these cells."""
    nbformat.write(new_notebook(cells=list(cells)), folder / "a.ipynb")
    write_slides(folder / "a.ipynb", folder / "a.slides.html")
    return Read((folder / "a.slides.html").read_text("utf-8"))


def slides_of(talk: Read) -> list[str]:
    """The HTML of each slide."""
    return re.findall(r"<section .*?</section>", talk.html, re.DOTALL)


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_is_a_talk_in_one_file(lesson: Path, tmp_path: Path) -> None:
    out = tmp_path / "talk.html"
    count = write_slides(lesson, out)
    talk = Read(out.read_text("utf-8"))
    cells = read_notebook(lesson).cells
    for cell in cells:
        assert cell.metadata["slideshow"] == {"slide_type": slide_type(cell)}, cell.id
    kinds = [cell.metadata.slideshow.slide_type for cell in cells]
    assert len(slides_of(talk)) == count == sum(k in ("slide", "subslide") for k in kinds)
    shown = [c for c, kind in zip(cells, kinds, strict=True) if kind != "skip"]
    outputs = [output for cell in shown for output in cell.get("outputs", [])]
    assert len(talk.all("img")) >= sum(map(has_picture, outputs))
    for _, attributes in talk.tags:
        for name in LOADS & attributes.keys():
            assert attributes[name].startswith("data:image/"), attributes[name][:80]
    assert [one["href"] for one in talk.all("link")] == ["data:,"]
    assert all(re.match(r"https?:|mailto:", one["href"]) for one in talk.all("a"))
    assert "$" not in re.sub(r"<(pre|code|style|script).*?</\1>", "", talk.html, flags=re.S)


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


# -- marks -----------------------------------------------------------------------


def test_each_mark_has_its_place(tmp_path: Path) -> None:
    marks = ["slide", "subslide", "fragment", "notes", "skip", "-"]
    talk = talk_of(tmp_path, *(text(f"of {kind}!", kind) for kind in marks))
    first, second = slides_of(talk)
    assert "of slide!" in first
    assert "of -!" in second
    assert re.search(r'<div class="fragment" tabindex="-1">\s*<p>of fragment!', second)
    assert re.search(r"<summary>Notes</summary>\s*<p>of notes!", second)
    assert "of skip!" not in talk.html


def test_without_marks_headings_and_a_first_cell_begin_slides(tmp_path: Path) -> None:
    cells = [text("# One"), new_code_cell("1"), text("## Two"), text("### still two")]
    assert len(slides_of(talk_of(tmp_path, *cells))) == 2
    cells = [new_code_cell("1"), text("two", "slide"), text("", "slide")]
    cells[0].metadata["slideshow"] = "not what JupyterLab writes"
    assert len(slides_of(talk_of(tmp_path, *cells))) == 2, "an empty cell begins nothing"


# -- one file --------------------------------------------------------------------


def test_pictures_come_along(tmp_path: Path) -> None:
    (tmp_path / "my dot.png").write_bytes(b"x")
    (tmp_path / "dot.png").write_bytes(b"x")
    attached = new_markdown_cell("![b](attachment:b.png)")
    attached["attachments"] = {"b.png": {"image/png": PIXEL}}
    three = text('![a](dot.png) ![s](my%20dot.png) <img src="dot.png" alt="c">')
    talk = talk_of(tmp_path, three, attached)
    data = [one["src"] for one in talk.all("img")]
    assert data == ["data:image/png;base64,eA=="] * 3 + [f"data:image/png;base64,{PIXEL}"]


OTHERS = "https://example.org/a.png gone.png ../outside.png notes.txt # attachment:b.png"


@pytest.mark.parametrize("source", OTHERS.split())
def test_any_other_picture_is_words_and_a_warning(tmp_path: Path, source: str) -> None:
    folder = tmp_path / "talk"
    folder.mkdir()
    for name in ("talk/notes.txt", "outside.png"):
        (tmp_path / name).write_text("x")
    with pytest.warns(UserWarning, match=f"'{re.escape(source)}' is not in the talk; a talk h"):
        talk = talk_of(folder, text(f"![a raccoon]({source})"))
    assert talk.all("img") == []
    assert "[picture: a raccoon]" in talk.html


def test_a_pictures_words_stay_words(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="not in the talk"):
        html = with_pictures("<img src='x' alt='&lt;b&gt; &amp; c'>", None, tmp_path)
    assert html == '<span class="missing">[picture: &lt;b&gt; &amp; c]</span>'


def test_a_picture_keeps_the_size_of_its_squares(tmp_path: Path) -> None:
    html = (
        '<img src="data:image/png;base64,eA==" alt="a" width="8" height="4" onload="x" '
        'style="image-rendering: pixelated">'
    )
    (picture,) = Read(with_pictures(html, None, tmp_path)).all("img")
    expected = {"src": "data:image/png;base64,eA==", "alt": "a", "width": "8", "height": "4"}
    assert picture == expected | {"style": "image-rendering: pixelated"}


def test_links_to_files_are_words(tmp_path: Path) -> None:
    talk = talk_of(tmp_path, text("[six](06_unet.ipynb) [there](https://example.org/a)"))
    assert [one["href"] for one in talk.all("a")] == ["https://example.org/a"]
    assert "six" in talk.html


def test_the_policy_names_the_script_that_is_there(tmp_path: Path) -> None:
    talk = talk_of(tmp_path, text("# x"))
    script = talk.html.split("<script>")[1].split("</script>")[0]
    policies = [one["content"] for one in talk.all("meta") if "http-equiv" in one]
    assert policies == [allowed(script)]
    assert policies[0].startswith("default-src 'none'; ")
    assert "http" not in policies[0]


def test_what_was_printed_is_text(tmp_path: Path) -> None:
    cell = new_code_cell("'<b>'", outputs=[new_output("stream", text="<script>x</script>")])
    talk = talk_of(tmp_path, text("# a <i> & `b`"), cell)
    assert "<title>a &lt;i&gt; &amp; b</title>" in talk.html
    assert len(talk.all("script")) == 1
    assert talk.all("b") == []


# -- bad cases -------------------------------------------------------------------


@pytest.mark.parametrize("bad", [b"{", b"[]", b"{}", b'{"cells": 3}', b"\xff", b"hello", b""])
def test_a_damaged_notebook_is_named(tmp_path: Path, bad: bytes) -> None:
    lesson, out = tmp_path / "a.ipynb", tmp_path / "b.html"
    lesson.write_bytes(bad)
    with pytest.raises(ValueError, match=r"a\.ipynb is damaged: it cannot be read as a note"):
        write_slides(lesson, out)
    assert not out.exists()


def test_a_notebook_with_nothing_to_show(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"a\.ipynb has no cell to show; mark some as slides"):
        talk_of(tmp_path, text("x", "skip"))


def test_only_a_talk_is_replaced(tmp_path: Path) -> None:
    talk_of(tmp_path, text("# one"))
    assert "two" in talk_of(tmp_path, text("# two")).html
    (tmp_path / "a.slides.html").write_text("my own page")
    with pytest.raises(ValueError, match=r"a\.slides\.html is another file, no talk of srlab"):
        talk_of(tmp_path, text("# three"))
    assert (tmp_path / "a.slides.html").read_text() == "my own page"


def test_a_lesson_is_found_by_how_it_begins() -> None:
    assert find_lesson("01").name == "01_pixel_loss.ipynb"
    assert find_lesson("05_loss").name == "05_loss_lab.ipynb"
    for name, said in {
        "05": "could be one of 05_gram_and_tv, 05_loss_lab; write more",
        "99": "is no notebook and no lesson; the lessons are 00_",
        "": "is no notebook and no lesson",
    }.items():
        with pytest.raises(ValueError, match=f"'{name}' {said}"):
            find_lesson(name)


def test_the_command_names_the_file(command: Command, tmp_path: Path) -> None:
    done = command("slides", "start", tmp_path)
    file = tmp_path / "start.slides.html"
    assert done.stdout == f"2 slides in {file}; open it in any browser\n", done.stderr
    assert file.is_file()
