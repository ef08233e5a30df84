"""The Loss Lab as a page: what is served, to whom, and what is missing."""

import sys
from pathlib import Path

import nbformat
import pytest

from srlab.app import NOTEBOOK, _options, only_the_lab, serve_loss_lab, without_other_hosts
from tests.lesson_cells import ROOT


def test_the_page_holds_the_lab_and_what_explains_it() -> None:
    whole = nbformat.read(ROOT / "lessons" / NOTEBOOK, 4)
    sources = [cell.source for cell in whole.cells if cell.cell_type == "code"]
    page = only_the_lab(None, notebook=nbformat.read(ROOT / "lessons" / NOTEBOOK, 4), cwd="")
    assert [c.source for c in page.cells if c.cell_type == "code"] == sources[:1]
    assert "LossLab()" in sources[0]
    texts = "\n".join(cell.source for cell in page.cells if cell.cell_type == "markdown")
    assert "# The Loss Lab" in texts
    assert ".ipynb" not in texts
    assert "next cell" not in texts
    assert "expanded loss of lesson 05" in texts, "the words of a link stay"
    assert len(page.cells) < len(whole.cells) - 4


def test_it_is_for_this_machine_and_whoever_has_the_token() -> None:
    assert _options(["--no-browser"]) == [
        "--no-browser",
        "--Voila.ip=127.0.0.1",
        "--Voila.auto_token=True",
    ]
    mine = ["--Voila.ip=0.0.0.0", "--token=abc"]
    assert _options(mine) == mine


def test_style_sheets_of_other_hosts_are_left_out() -> None:
    own = '<link rel="stylesheet" href="static/a.css">'
    other = '<link rel="stylesheet" href="https://example.org/a.css" type="text/css" />'
    assert without_other_hosts(f"{own}{other}{own}") == own + own


def test_what_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match=r"has no 05_loss_lab.ipynb; srlab lessons .* --reset"):
        serve_loss_lab(tmp_path, [])
    monkeypatch.setitem(sys.modules, "voila.app", None)
    with pytest.raises(ImportError, match=r"needs Voila, but voila.app .* pip install voila"):
        serve_loss_lab(tmp_path, [])
