"""From a key press on a slider to the change on the page, while it trains."""

import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import psutil
from playwright.sync_api import sync_playwright

from tests.browser.lab import CHROMIUM_OPTIONS, LabPage, LabServer, browser_page
from tests.browser.provide import find_chromium

NOTEBOOK = "lab.ipynb"
PRESSES = 40


@dataclass(frozen=True)
class Case:
    """A lab at its default, and the slider that is pressed."""

    code: str
    slider: str
    weight: str  # the attribute of the numbers that must change


CASES = {
    "training lab": Case(
        "from srlab.widgets.training_lab import TrainingLab\nTrainingLab()",  # lesson 01's
        ".srlab-mix",
        "data-w-l2",
    ),
    "loss lab": Case(
        "from srlab.widgets.loss_lab import LossLab\nLossLab()",  # lesson 05's
        ".srlab-content",
        "data-w-content",
    ),
}

# Runs in the page: notes when a key goes down and when the weight on show changes.
WATCH = """(name) => {
  window.delays = []
  let pressed = null
  const weight = () => document.querySelector('.srlab-numbers')?.getAttribute(name)
  let before = weight()
  document.addEventListener('keydown', () => { pressed = performance.now() }, true)
  const look = () => {
    const now = weight()
    if (now !== before && pressed !== null) {
      window.delays.push(performance.now() - pressed)
      pressed = null
    }
    before = now
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
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(case.code)])
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
        nbformat.write(notebook, Path(folder) / NOTEBOOK)
        browser = playwright.chromium.launch(
            executable_path=find_chromium(), args=CHROMIUM_OPTIONS
        )
        with LabServer(Path(folder)) as server, browser_page(browser) as page:
            return _measure(LabPage(page, server), case)


def _measure(lab: LabPage, case: Case) -> dict[str, Any]:
    lab.open(NOTEBOOK)
    lab.run_all(timeout=300)
    lab.click(".srlab-start")
    lab.wait_for_status(".srlab-numbers", "data-state", "running")
    lab.page.evaluate(WATCH, case.weight)
    for press in range(PRESSES):
        key = "ArrowRight" if press // 20 % 2 == 0 else "ArrowLeft"
        lab.press(case.slider, key)
        time.sleep(0.6)
    delays = sorted(lab.page.evaluate("window.delays"))
    memory = int(lab.ask("import os; print(os.getpid())"))
    lab.click(".srlab-pause")
    return {
        "changes seen": len(delays),
        "median ms": statistics.median(delays),
        "95 % within ms": delays[int(0.95 * (len(delays) - 1))],
        "kernel GiB while training": psutil.Process(memory).memory_info().rss / 2**30,
    }
