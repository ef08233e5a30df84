"""How many learners a machine holds: memory and a slider's delay, idle and training.

Every learner has a server, a kernel and lesson 01's lab; the last one's page
stays open, and its slider is pressed while all others idle, then while they
train. Needs root, as a room of several learners does.
"""

import time
from contextlib import suppress
from typing import Any

import psutil
from playwright.sync_api import Browser, sync_playwright

from srlab.classroom.limits import processes_of
from tests.bench.latency import CASES, delay_figures, launch, watch
from tests.browser.lab import browser_page, wait_until
from tests.classroom import IS_ROOT, WHY_NOT, Classroom, Desk

CASE = CASES["lesson 01, training lab"]
SETTLE = 20  # seconds, for a training to reach its usual memory

# Whose page is closed starts by a file; each says now and then how far it is.
CELL = f"""
import pathlib, threading, time
from IPython.display import display
{CASE.code.replace("TrainingLab()", "lab = TrainingLab()")}
display(lab)

def follow(home=pathlib.Path.home()):
    while not (home / "go").exists():
        time.sleep(0.5)
    lab.start()
    while True:
        (home / "steps").write_text(str(lab.bench.step.number if lab.bench.step else 0))
        time.sleep(1)

threading.Thread(target=follow, daemon=True).start()
"""


def measure_classroom(learners: int, presses: int = 20) -> dict[str, Any]:
    """Memory of each learner and the delay of a slider, with this many learners."""
    if not IS_ROOT:
        return {"left out": WHY_NOT}
    names = [f"learner{number}" for number in range(learners)]
    with sync_playwright() as playwright, Classroom(names) as room:
        browser = launch(playwright)
        figures = {"learners": learners, **_fill(browser, room, names[:-1])}
        with browser_page(browser) as page:
            last = Desk(room, names[-1], page)
            _open(last)
            return {**figures, **_measure(room, last, presses)}


def _fill(browser: Browser, room: Classroom, names: list[str]) -> dict[str, Any]:
    """Let these come in one after the other; how long the slowest took."""
    slowest = 0.0
    for name in names:
        with browser_page(browser) as page:
            began = time.monotonic()
            _open(Desk(room, name, page))
            slowest = max(slowest, time.monotonic() - began)
    return {"slowest from login to an open lab, s": slowest}


def _open(desk: Desk) -> None:
    desk.come_in(CELL)
    desk.sit_down()
    desk.lab.run_all(timeout=300)


def _measure(room: Classroom, last: Desk, presses: int) -> dict[str, Any]:
    idle = _memory(room)
    last.lab.click(".srlab [data-name=start]")
    last.lab.wait_for_status(CASE.numbers, "data-state", "running")
    watch(last.lab.page, CASE)
    alone = _press(last, presses)
    for name in room.names[:-1]:
        (room.room.home(name) / "go").touch()
    time.sleep(SETTLE)
    before, began = _steps(room), time.monotonic()
    together = _press(last, presses)
    rate = (_steps(room) - before) / (time.monotonic() - began)
    training = _memory(room)
    return {
        "memory of an idle learner, GiB": idle,
        "memory of a training learner, GiB": training,
        "idle learners in this memory": _fitting(idle),
        "training learners in this memory": _fitting(training),
        "steps/s of all the others together": rate,
        **{f"slider, one trains: {key}": value for key, value in alone.items()},
        **{f"slider, all train: {key}": value for key, value in together.items()},
    }


def _press(desk: Desk, presses: int) -> dict[str, Any]:
    """Delays from a key to the number on the page."""
    desk.page.evaluate("window.delays = []")
    for press in range(presses):
        CASE.press(desk.lab, press, turn=10)
        seen = press + 1
        with suppress(AssertionError):  # one that never shows is missing below
            wait_until(
                lambda seen=seen: desk.page.evaluate("window.delays.length") >= seen,
                timeout=10,
                what="the number",
            )
        time.sleep(0.3)
    return delay_figures(desk.page, presses)


def _steps(room: Classroom) -> int:
    files = [room.room.home(name) / "steps" for name in room.names[:-1]]
    return sum(int(path.read_text() or 0) for path in files if path.exists())


def _memory(room: Classroom) -> float:
    """GiB for each learner: server and kernel, what is shared counted once."""
    uids = range(room.first_uid, room.first_uid + len(room.names))
    total = 0
    for number in (number for uid in uids for number in processes_of(uid)):
        with suppress(psutil.NoSuchProcess, FileNotFoundError):
            total += psutil.Process(number).memory_full_info().pss
    return total / len(room.names) / 2**30


def _fitting(each: float) -> int:
    """How many fit into nine tenths of this machine's memory."""
    return int(0.9 * psutil.virtual_memory().total / 2**30 / each)
