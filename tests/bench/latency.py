"""From a key press on a slider to the change on the page, while it trains."""

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import nbformat
import psutil
from playwright.sync_api import sync_playwright

from tests.browser.lab import CHROMIUM_OPTIONS, LabPage, LabServer, browser_page
from tests.browser.provide import find_chromium

NOTEBOOK = "lab.ipynb"
CODE = "from srlab.widgets.training_lab import TrainingLab\nTrainingLab()"  # lesson 01's
PRESSES = 40

# Runs in the page: notes when a key goes down and when the weight on show changes.
WATCH = """() => {
  window.delays = []
  let pressed = null
  const weight = () => document.querySelector('.srlab-numbers')?.dataset.wL2
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
    """Median and 95 % of the delay, and the kernel's memory meanwhile."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CODE)])
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
        nbformat.write(notebook, Path(folder) / NOTEBOOK)
        browser = playwright.chromium.launch(
            executable_path=find_chromium(), args=CHROMIUM_OPTIONS
        )
        with LabServer(Path(folder)) as server, browser_page(browser) as page:
            return _measure(LabPage(page, server))


def _measure(lab: LabPage) -> dict[str, Any]:
    lab.open(NOTEBOOK)
    lab.run_all(timeout=300)
    lab.click(".srlab-start")
    lab.wait_for_status(".srlab-numbers", "data-state", "running")
    lab.page.evaluate(WATCH)
    for press in range(PRESSES):
        key = "ArrowRight" if press // 20 % 2 == 0 else "ArrowLeft"
        lab.press(".srlab-mix", key)
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
