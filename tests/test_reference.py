"""The reference: what Python itself knows of the taught modules stands on their pages."""

import ast
import importlib
import inspect
import re
import subprocess
import sys
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType

import nbformat
import pytest

from srlab.course.site import build_site
from srlab.course.site.reference import BUILT, target_of
from tests.lesson_cells import ROOT, code_cells, read_notebook

LESSONS = sorted((ROOT / "lessons").glob("*.ipynb"))
CODE = re.compile(r"<details>.*?</details>", re.DOTALL)


def imports_of(path: Path) -> set[str]:
    """The modules of srlab that a notebook's cells import from, or build a part of."""
    found: set[str] = set()
    for cell in code_cells(read_notebook(path)):
        code = "\n".join(line for line in cell.source.splitlines() if line[:1] not in "%!")
        nodes = ast.walk(ast.parse(code))
        found |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
        found |= {f"srlab.{name.replace('/', '.')}" for name in BUILT.findall(code)}
    return {name for name in found if name.startswith("srlab.") and name != "srlab.checks"}


MODULES = sorted(set().union(*map(imports_of, LESSONS)))


def own_names(module: ModuleType) -> dict[str, object]:
    """What a module defines and explains: public functions and classes."""
    return {
        name: value
        for name, value in vars(module).items()
        if not name.startswith("_")
        and (inspect.isfunction(value) or inspect.isclass(value))
        and value.__module__ == module.__name__
        and _docstring(value)
    }


def _docstring(value: object) -> bool:
    """Of its own: dataclasses make one up, and a class inherits its parent's."""
    source = ast.parse(inspect.getsource(value))  # type: ignore[arg-type]
    return bool(ast.get_docstring(source.body[0]))  # type: ignore[arg-type]


def page_of(site: Path, module: str) -> str:
    return (site / target_of(module)).read_text("utf-8")


def ids(html: str) -> set[str]:
    found: set[str] = set()
    reader = HTMLParser()
    reader.handle_starttag = lambda _, attrs: found.add(dict(attrs).get("id") or "")  # type: ignore[method-assign]
    reader.feed(html)
    return found


def words(html: str) -> str:
    """What a reader sees of a page whose code is folded."""
    return unescape(re.sub(r"<[^>]+>", "", CODE.sub("", html)))


def part(html: str, name: str) -> str:
    """From the heading of a name to the next one."""
    return html.partition(f'<h2 id="{name}">')[2].partition("<h2 ")[0]


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_each_lesson_links_to_all_that_it_imports(site: Path, path: Path) -> None:
    html = (site / f"{path.stem}.html").read_text("utf-8")
    linked = re.findall(r'href="(reference/[^"]+)"', html.partition("In the reference")[2])
    assert set(linked) == {target_of(module) for module in imports_of(path)}
    assert 'href="reference/index.html"' in html.partition("</header>")[0]


def test_the_start_leads_to_the_list_and_the_list_to_every_module(site: Path) -> None:
    start = (site / "index.html").read_text("utf-8").partition("</header>")[2]
    assert 'href="reference/index.html"' in start
    listed = (site / "reference/index.html").read_text("utf-8")
    links = re.findall(r'<dt><a href="([^"]+)"', listed)
    assert {f"reference/{link}" for link in links} == set(map(target_of, MODULES))
    assert sorted(path.name for path in (site / "reference").iterdir()) == sorted(
        ["index.html", *links]
    )
    assert len(links) > 25


@pytest.mark.parametrize("module", MODULES)
def test_each_name_that_python_knows_is_explained(site: Path, module: str) -> None:
    loaded = importlib.import_module(module)
    html = page_of(site, module)
    found = ids(html)
    for name, value in own_names(loaded).items():
        assert name in found
        shown = words(part(html, name))
        summary = inspect.getdoc(value).splitlines()[0]  # type: ignore[union-attr]
        assert summary.replace("``", "").replace("*", "")[:40] in shown.replace("*", ""), name
        if inspect.isfunction(value):
            call = words(part(html, name).partition("<pre")[2].partition("</pre>")[0])
            for argument in inspect.signature(value).parameters:
                assert re.search(rf"\b{argument}\b", call), f"{name}: {argument}"
    assert not {one for one in found if one.startswith("_") or "._" in one}


def test_the_parts_of_a_docstring_have_their_places(site: Path) -> None:
    html = page_of(site, "srlab.losses")
    link = '<a href="losses.html#content_loss"><code>content_loss</code></a>'
    assert link in part(html, "ContentLoss"), "a name leads to its place"
    shown = part(html, "content_loss")
    terms = re.findall(r"<dt><code>(.*?)</code></dt>", shown)
    assert terms == ["sr_features, hr_features", "layer_weights"]
    assert "<strong>Returns</strong></p>\n<p>A scalar.</p>" in shown
    assert 'href="../02_perceptual_loss.html">lesson 02</a>' in shown
    assert "tensor(0.5000)" in words(shown).partition("Example")[2]
    assert "def content_loss" in words(shown.replace("details>", "div>"))
    spectrum = part(html, "log_spectrum")
    assert "(N, 32, 17): by frequency" in words(spectrum)
    assert "<dt><code>ValueError</code></dt>" in spectrum


def test_no_part_of_a_docstring_is_without_a_name(site: Path) -> None:
    for path in (site / "reference").glob("*.html"):
        html = path.read_text("utf-8")
        assert "<strong></strong>" not in html, path.name
        assert "None</code></dt>" not in html, path.name


def course_of(folder: Path, code: str) -> Path:
    """A course of one lesson."""
    folder.mkdir()
    cell = nbformat.v4.new_code_cell(code)
    title = nbformat.v4.new_markdown_cell("# 00 · One")
    nbformat.write(nbformat.v4.new_notebook(cells=[title, cell]), folder / "00_a.ipynb")
    return folder


def test_a_docstring_is_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where it looks like HTML."""
    from srlab.course.site import reference

    package = tmp_path / "srlab"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "a.py").write_text(
        '"""Saves <stem>.png."""\ndef f(x: int = 1):\n    """An <b> & `f`."""\n'
        'def _g():\n    """Hidden."""\ndef silent(): ...\n'
    )
    monkeypatch.setattr(reference, "PACKAGE", package)
    course = course_of(tmp_path / "course", "from srlab.a import f")
    written = build_site(tmp_path / "site", course)
    assert written == ["00_a.html", "reference/index.html", "reference/a.html"]
    html = (tmp_path / "site/reference/a.html").read_text("utf-8")
    assert "Saves &lt;stem&gt;.png." in html
    assert "An &lt;b&gt; &amp; " in html
    assert ids(html) == {"", "main", "f"}


BUILD = """
import sys
from pathlib import Path
from srlab.course.site import build_site
print(build_site(Path(sys.argv[1]), Path(sys.argv[2]))[-1])
print({"torch", "matplotlib", "ipywidgets"} & sys.modules.keys())
"""


def test_what_is_documented_is_not_imported(tmp_path: Path) -> None:
    course = course_of(tmp_path / "course", "from srlab.losses import l1_loss")
    command = [sys.executable, "-c", BUILD, tmp_path / "site", course]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.stdout == "reference/losses.html\nset()\n", done.stderr
