"""From a key press on a slider to the change on the page."""

import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import psutil
from playwright.sync_api import Browser, Page, Playwright, sync_playwright

from tests.browser.lab import CHROMIUM_OPTIONS, LabPage, LabServer, browser_page
from tests.browser.provide import find_chromium

NOTEBOOK = "lab.ipynb"
PRESSES, TURN, PAUSE = 40, 5, 0.6  # so many to the right, then as many to the left; s
PHOTO_DESK = "from srlab.widgets.photo_desk import PhotoDesk\nPhotoDesk()"


@dataclass(frozen=True)
class Case:
    """A lab at its default, and the slider or menu that is moved by a key.

    Args:
        code: shows it.
        control: the name of the slider or menu.
        shown: the attribute of ``numbers`` that must change, or its
            ``textContent``: what Python answers, for the page shows a setting
            at once.
        numbers: where it stands.
        trains: whether the lab has a Start, and trains meanwhile.
        menu: whether the control is a menu, whose first two choices take turns.
        native: whether the control itself takes the keys.
    """

    code: str
    control: str
    shown: str
    numbers: str
    trains: bool = False
    menu: bool = False
    native: bool = False

    def press(self, lab: LabPage, number: int, turn: int = TURN) -> None:
        """Press the key for movement ``number``, ``turn`` there and as many back."""
        control = self.control if self.native else f".srlab [data-name={self.control}]"
        if self.menu:
            lab.choose(control, "ArrowUp" if number % 2 else "ArrowDown")
            return
        key = "ArrowLeft" if number // turn % 2 else "ArrowRight"
        if self.native:
            lab.find(control).press(key)
        else:
            lab.press(control, key)


CASES = {
    "lesson 00, metric lab": Case(
        "from srlab.widgets.metric_lab import MetricLab\nMetricLab()",
        "shave", "data-shave", ".srlab-metric .figures",
    ),
    "lesson 01, training lab": Case(
        "from srlab.widgets.training_lab import TrainingLab\nTrainingLab()",
        "mix", "data-formula", ".srlab-training .status", trains=True,
    ),
    "lesson 02, feature explorer": Case(
        "from srlab.widgets.feature_explorer import FeatureExplorer\nFeatureExplorer()",
        "channel", "data-mean", ".srlab-features [data-name=reading]",
    ),
    "lesson 03, residual dial": Case(
        "from srlab.widgets.residual_dial import ResidualDial\nResidualDial()",
        "weight", "data-spread-last", ".srlab-dial .status", trains=True,
    ),
    "lesson 04, checkerboard lab": Case(
        "from srlab.widgets.checkerboard_lab import CheckerboardLab\nCheckerboardLab()",
        "photograph", "data-psnr", ".srlab-checkerboard .status", menu=True,
    ),  # another photograph changes it, and no step does
    "lesson 05, loss lab": Case(
        "from srlab.widgets.loss_lab import LossLab\nLossLab()",
        "a_content", "textContent",
        ".srlab-loss [data-name=ledger] tbody tr:nth-child(2) [data-key=weight]", trains=True,
    ),
    "lesson 06, skip explorer": Case(
        "from srlab.zoo import load_model\n"
        "from srlab.widgets.skip_explorer import SkipExplorer\n"
        "SkipExplorer(load_model('unet-pixel-x4', 4))",
        "gain_1", "data-psnr", ".srlab-skips .status",
    ),
    "lesson 07, photo desk, the frame": Case(
        PHOTO_DESK, ".overview", "aria-label", ".overview", native=True
    ),
    "lesson 07, photo desk, the part": Case(
        PHOTO_DESK, ".overview", "src", ".stage [data-name=pixel-x4] img", native=True
    ),
}  # fmt: skip

# Runs in the page: notes when a key goes down and when the number on show changes.
WATCH = """([css, name]) => {
  window.delays = []
  let pressed = null
  const shown = () => {
    const element = document.querySelector(css)
    return name === 'textContent' ? element?.textContent : element?.getAttribute(name)
  }
  let before = shown()
  document.addEventListener('keydown', () => { pressed = performance.now() }, true)
  const look = () => {
    const now = shown()
    if (now !== before && now !== undefined && pressed !== null) {
      window.delays.push(performance.now() - pressed)
      pressed = null
    }
    before = now ?? before
    requestAnimationFrame(look)
  }
  look()
}"""


def measure_slider() -> dict[str, Any]:
    """Median and 95 % of each lab's delay, and the kernel's memory meanwhile."""
    return {
        f"{name}: {key}": value
        for name, case in CASES.items()
        for key, value in _measure_case(case).items()
    }


def _measure_case(case: Case) -> dict[str, Any]:
    with (
        sync_playwright() as playwright,
        case_server(case) as server,
        browser_page(launch(playwright)) as page,
    ):
        return _measure(LabPage(page, server), case)


@contextmanager
def case_server(case: Case) -> Iterator[LabServer]:
    """JupyterLab on a folder with ``NOTEBOOK``, whose one cell shows the lab."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(case.code)])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    with tempfile.TemporaryDirectory() as folder:
        nbformat.write(notebook, Path(folder) / NOTEBOOK)
        with LabServer(Path(folder)) as server:
            yield server


def launch(playwright: Playwright) -> Browser:
    return playwright.chromium.launch(executable_path=find_chromium(), args=CHROMIUM_OPTIONS)


def _measure(lab: LabPage, case: Case) -> dict[str, Any]:
    lab.open(NOTEBOOK)
    lab.run_all(timeout=300)
    if case.trains:
        lab.click(".srlab [data-name=start]")
        lab.wait_for_status(".srlab .status", "data-state", "running", timeout=120)
    watch(lab.page, case)
    for number in range(PRESSES):
        case.press(lab, number)
        time.sleep(PAUSE)
    memory = int(lab.ask("import os; print(os.getpid())"))
    figures = {
        **delay_figures(lab.page, PRESSES),
        f"kernel GiB{' while training' * case.trains}": (
            psutil.Process(memory).memory_info().rss / 2**30
        ),
    }
    if case.trains:
        lab.click(".srlab [data-name=pause]")
    return figures


def delay_figures(page: Page, presses: int) -> dict[str, Any]:
    """Of the delays that were noted while a key was pressed so often."""
    delays = sorted(page.evaluate("window.delays"))
    return {
        "changes seen": f"{len(delays)} of {presses}",
        "median ms": statistics.median(delays) if delays else None,
        "95 % within ms": delays[int(0.95 * (len(delays) - 1))] if delays else None,
    }


def watch(page: Page, case: Case) -> None:
    """Begin to note the delays of this page, in ``window.delays``."""
    page.evaluate(WATCH, [case.numbers, case.shown])
