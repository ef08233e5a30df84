"""Stored lessons show each lab as its own view draws it."""

import base64
import io
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from PIL import Image

from tests.browser.lab import write_notebook
from tests.posters import BYTES_LIMIT, small_png

pytestmark = pytest.mark.browser

COMPARE = """\
from PIL import Image
from srlab.widgets.compare import compare

pair = {name: Image.new("RGB", (9, 9), name) for name in ("red", "blue")}
shown = compare(pair, {"red": "6.06 dB"})
shown.show("single")
shown"""

STORE = """\
import pathlib, sys
from tests.lesson_cells import store

store(pathlib.Path(sys.argv[1]))"""


def test_a_poster_shows_the_lab_as_it_was_when_its_cell_was_done(tmp_path: Path):
    notebook = tmp_path / "00_pairs.ipynb"
    write_notebook(notebook, COMPARE, 'shown.show("single", first="blue")')
    # In a process of its own: here an event loop of the browser's tests may run.
    subprocess.run([sys.executable, "-c", STORE, notebook], check=True)

    first, second = nbformat.read(notebook, as_version=4).cells
    (output,) = first.outputs
    assert output.data.keys() == {"image/png", "text/plain"}
    assert output.metadata["image/png"] == {"alt": output.data["text/plain"]}
    data = base64.b64decode(output.data["image/png"])
    assert len(data) <= BYTES_LIMIT
    pixels = Image.open(io.BytesIO(data)).convert("RGB").getcolors(10**6)
    colors = {color: count for count, color in pixels}
    assert colors[255, 0, 0] > 1000, "the picture that was shown when the cell was done"
    assert (0, 0, 255) not in colors, "not the one that a later cell chose"
    assert not any("image/png" in output.get("data", {}) for output in second.outputs)


def test_a_poster_is_small_even_of_noise():
    noise = Image.effect_noise((1500, 1500), 255).convert("RGB")
    file = io.BytesIO()
    noise.save(file, "PNG")
    data = small_png(file.getvalue())
    assert len(data) <= BYTES_LIMIT
    assert Image.open(io.BytesIO(data)).width > 100
