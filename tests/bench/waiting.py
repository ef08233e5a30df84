"""How long a person waits: for help, for JupyterLab, for a picture that moves."""

import os
import secrets
import signal
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from tests.bench.latency import CASES, NOTEBOOK, case_server, launch
from tests.browser.lab import LabPage, browser_page, free_port, wait_until

ROOT = Path(__file__).parents[2]
ROUNDS = 7
START = ".srlab [data-name=start]"
PICTURE = ".srlab-training [data-name=network] .plane"
HEAVY = ("torchvision", "matplotlib", "torch")
IMPORT = f"""
import sys, time
began = time.perf_counter()
import srlab
print(time.perf_counter() - began, *(name for name in {HEAVY} if name in sys.modules))
"""


def measure_waiting() -> dict[str, Any]:
    return {
        "srlab --help, s": _median_seconds([sys.executable, "-m", "srlab", "--help"]),
        **_import_figures(),
        "make lab, installed before, until JupyterLab answers, s": _make_lab_seconds(),
        **_first_picture(),
    }


def _median_seconds(command: list[str]) -> float:
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def _import_figures() -> dict[str, Any]:
    answers = [
        subprocess.run(
            [sys.executable, "-c", IMPORT], check=True, stdout=subprocess.PIPE, text=True
        ).stdout.split()
        for _ in range(ROUNDS)
    ]
    return {
        "import srlab, s": statistics.median(float(seconds) for seconds, *_ in answers),
        "import srlab brings along": " ".join(answers[0][1:]) or f"none of {', '.join(HEAVY)}",
    }


def _make_lab_seconds() -> float:
    """As a person starts it, but without opening a browser."""
    port, token = free_port(), secrets.token_hex(16)
    options = f"--no-browser --port={port} --IdentityProvider.token={token}"
    began = time.monotonic()
    process = subprocess.Popen(
        ["make", "lab", f"LAB_ARGS={options}"],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # so that it can be ended as a whole
    )
    try:
        url = f"http://127.0.0.1:{port}/api/status?token={token}"
        wait_until(lambda: _answers(url, process), timeout=300, what="an answer of JupyterLab")
        return time.monotonic() - began
    finally:
        with suppress(ProcessLookupError):  # it has ended by itself
            os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def _answers(url: str, server: subprocess.Popen[bytes]) -> bool:
    """Whether the server answers yet.

    Raises:
        RuntimeError: if it has ended, so that nobody waits for it.
    """
    if server.poll() is not None:
        raise RuntimeError(
            f"make lab ended with {server.returncode}; run it by hand to see why."
        )
    try:
        urllib.request.urlopen(url, timeout=5)
    except (urllib.error.URLError, OSError):
        return False
    return True


def _first_picture() -> dict[str, float]:
    """From an open page to lesson 01's lab in motion, each wait by itself."""
    case = CASES["lesson 01, training lab"]
    figures: dict[str, float] = {}
    with sync_playwright() as playwright:
        browser = launch(playwright)
        began = time.monotonic()
        with case_server(case) as server, browser_page(browser) as page:
            figures["JupyterLab answers, s"] = time.monotonic() - began
            for visit in ("first", "second"):
                waits = _visit(LabPage(page, server), case.numbers)
                figures |= {f"{visit} visit: {name}": value for name, value in waits.items()}
                server.end_sessions()
    return figures


def _visit(lab: LabPage, numbers: str) -> dict[str, float]:
    began = time.monotonic()
    lab.open(NOTEBOOK)
    opened = time.monotonic()
    lab.run_all(timeout=300)
    lab.find(START)
    shown = time.monotonic()
    lab.click(START)
    lab.wait_for_status(numbers, "data-state", "running", timeout=120)
    before = lab.picture_hash(PICTURE)
    lab.wait_for_new_picture(PICTURE, before, timeout=120)
    return {
        "page and kernel, s": opened - began,
        "kernel to lab, s": shown - opened,
        "Start to a moving picture, s": time.monotonic() - shown,
    }
