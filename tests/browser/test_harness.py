"""The driver itself, on a small notebook with one slider, one button, one picture."""

import io
import sys
from pathlib import Path

import psutil
import pytest
from PIL import Image
from playwright.sync_api import Browser, Error

from tests.browser import provide
from tests.browser.lab import LabPage, LabServer, browser_page, wait_until, write_notebook

pytestmark = pytest.mark.browser

WIDGETS = """\
import io
import os
import ipywidgets as widgets
from PIL import Image

slider = widgets.FloatSlider(value=0.5, step=0.01, max=1, description="gray")
slider.add_class("gray-slider")
button = widgets.Button(description="Step")
button.add_class("step-button")
picture = widgets.Image(format="png")
picture.add_class("preview")
status = widgets.HTML()
steps = 0


def redraw(_=None):
    file = io.BytesIO()
    Image.new("L", (40, 30), round(slider.value * 255)).save(file, "PNG")
    picture.value = file.getvalue()
    status.value = (
        f'<div class="demo-status" data-step="{steps}" data-w-gray="{slider.value:.2f}">'
        f"step {steps}</div>"
    )


def step(_):
    global steps
    steps += 1
    redraw()


slider.observe(redraw, "value")
button.on_click(step)
redraw()"""

SHOW = "widgets.VBox([slider, button, picture, status])"

PRINT = 'print("budget", os.environ["SRLAB_BUDGET"])\n6 * 7'


@pytest.fixture
def demo(lab: LabPage) -> LabPage:
    """The small notebook, opened and run."""
    write_notebook(lab.server.folder / "demo.ipynb", WIDGETS, SHOW, PRINT, "")
    lab.open("demo.ipynb")
    lab.run_all()
    return lab


def gray(lab: LabPage) -> int:
    """The gray value of the picture in the page, 0 to 255."""
    image = Image.open(io.BytesIO(lab.picture(".preview")))
    return image.getpixel((0, 0))


def expect_gray(lab: LabPage, value: str) -> None:
    """The value is in the status, in the picture, and in the kernel."""
    lab.wait_for_status(".demo-status", "data-w-gray", value)
    wait_until(
        lambda: gray(lab) == round(float(value) * 255),
        what=lambda: f"gray {value}, the picture is {gray(lab)} of 255",
    )
    assert lab.ask("print(f'{slider.value:.2f}')") == value


def test_what_a_person_does_arrives(demo: LabPage):
    assert demo.cell_text("6 * 7").split() == ["budget", "quick", "42"]
    old = demo.picture_hash(".preview")

    demo.press(".gray-slider", "ArrowRight", times=3)
    expect_gray(demo, "0.53")
    assert demo.wait_for_new_picture(".preview", old) != old

    assert demo.status(".demo-status")["data-step"] == "0"
    demo.click(".step-button")
    demo.wait_for_status(".demo-status", "data-step", "1")

    demo.run_all()  # waits for new numbers, though the old ones stand there
    assert demo.status(".demo-status") == {"data-step": "0", "data-w-gray": "0.50"}
    assert min(cell["count"] for cell in demo.cells() if cell["source"]) > 3
    assert demo.problems == []


def test_what_does_not_happen_is_noticed(demo: LabPage):
    with pytest.raises(AssertionError, match=r"data-step to be '9'; the status is .*'0'"):
        demo.wait_for_status(".demo-status", "data-step", "9", timeout=0.5)
    old = demo.picture_hash(".preview")
    with pytest.raises(AssertionError, match=r"0.5 s in vain for the picture .preview"):
        demo.wait_for_new_picture(".preview", old, timeout=0.5)
    with pytest.raises(AssertionError, match="0 code cells contain 'nowhere', not one"):
        demo.cell_text("nowhere")
    with pytest.raises(Error, match="ZeroDivisionError: division by zero"):
        demo.ask("1 / 0")
    with pytest.raises(Error, match=r"no answer from the kernel to: .*sleep"):
        demo.ask("import time; time.sleep(2)", timeout=0.5)


def test_failing_cell_is_reported(lab: LabPage):
    write_notebook(lab.server.folder / "broken.ipynb", "1 / 0", "print('never')")
    lab.open("broken.ipynb")
    with pytest.raises(AssertionError, match=r"1 / 0\n(.|\n)*ZeroDivisionError"):
        lab.run_all()


def test_server_leaves_no_process(tmp_path: Path, browser: Browser):
    write_notebook(tmp_path / "busy.ipynb", "import os; os.getpid()", "")
    with LabServer(tmp_path) as server, browser_page(browser) as page:
        lab = LabPage(page, server)
        lab.open("busy.ipynb")
        lab.run_all()
        kernel = int(lab.cell_text("getpid"))
        with pytest.raises(Error, match="no answer"):
            lab.ask("while True: pass", timeout=0.1)
        assert psutil.pid_exists(kernel)
    assert not psutil.pid_exists(kernel)


def test_chosen_chromium_is_taken(monkeypatch: pytest.MonkeyPatch, capsys):
    monkeypatch.setenv("CHROMIUM", sys.executable)
    assert provide.main() == 0
    assert capsys.readouterr().out.strip() == sys.executable


def test_wrong_chromium_is_named(monkeypatch: pytest.MonkeyPatch, capsys):
    monkeypatch.setenv("CHROMIUM", "no-such-browser")
    assert provide.main() == 1
    assert "CHROMIUM is 'no-such-browser', but no browser runs" in capsys.readouterr().err


def test_missing_chromium_is_one_sentence(monkeypatch: pytest.MonkeyPatch, capsys):
    monkeypatch.delenv("CHROMIUM", raising=False)
    monkeypatch.setattr(provide, "runs", lambda _: False)
    monkeypatch.setattr(provide, "install_chromium", lambda: None)
    assert provide.main() == 1
    assert capsys.readouterr().err == (
        "No Chromium was found, and none could be installed; install Chromium or "
        "Chrome, or set CHROMIUM to the path of one.\n"
    )
