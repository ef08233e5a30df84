"""A process that has loaded torch once and starts checkers and sandboxes.

It reads jobs from its standard input, one JSON a line, and writes what was
found. It runs no learner's code, and knows of no learner but the cells at hand.
"""

import gc
import json
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from srlab.classroom.launch import check, libc
from srlab.classroom.limits import end_processes, processes_of
from srlab.grader import checker, sandbox
from srlab.grader.cage import Cage, Rules, run_in
from srlab.grader.wire import Channel

PR_SET_CHILD_SUBREAPER = 36
LARGEST_FINDING = 64 * 1024  # of a finding

TRAINING = {"check_distance", "check_learned_block"}  # checks that take an optimizer

Job = dict[str, Any]


def main() -> None:
    """Serve jobs until the input ends."""
    rules, answers = Rules.model_validate_json(sys.argv[1]), _own_output()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(1))
    check(libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "orphans")
    try:
        for line in sys.stdin:
            job = json.loads(line)
            found = _tried(rules) if job.get("do") == "try" else judged(job, rules)
            answers.write(json.dumps(found) + "\n")
            answers.flush()
    finally:
        end_children(rules)
        os._exit(0)  # not by way of torch's compiler, which has much to say then


def _own_output() -> Any:
    """Nothing but findings may go where they are read."""
    found = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return found


@cache
def _load() -> None:
    """Load once what every job needs, and keep it out of the way of each fork."""
    import torch

    from srlab import losses, metrics, models, plots, runcard  # noqa: F401

    torch.set_num_threads(1)
    sandbox.builds()
    gc.collect()
    gc.freeze()


@cache
def _load_optimizers() -> None:
    """The first optimizer loads torch's compiler, which takes seconds."""
    import torch

    torch.optim.SGD([torch.zeros(1)], lr=1.0)
    gc.freeze()


def _tried(rules: Rules) -> dict[str, Any]:
    """Whether a process can be closed in, and still reads Python's own files."""
    read, write = os.pipe()

    def work() -> None:
        import wave  # noqa: F401 - one that nothing else has loaded

        os.write(write, b"closed")

    def explain(error: Exception) -> None:
        os.write(write, f"{type(error).__name__}: {error}".encode())

    caged = run_in(Cage(rules=rules, trusted=False, closed=True), [write], work, explain)
    os.close(write)
    said = _read_all(read, time.monotonic() + 60) or b"it took too long"
    end_children(rules)
    os.close(caged)
    return {"holds": said == b"closed", "why": said.decode() or "it ended at once"}


def judged(job: Job, rules: Rules) -> dict[str, Any]:
    """Judge one answer, in processes that are all gone afterwards."""
    _load()
    if job["check"] in TRAINING:
        _load_optimizers()
    ours, theirs = socket.socketpair()
    read, write = os.pipe()

    def check_it() -> None:
        checker.judge_answer(Channel(ours), job["check"], job["name"], write)

    def be_checked() -> None:
        sandbox.serve_answer(Channel(theirs), job["cells"], job["name"])

    trusted, other = (
        Cage(rules=rules, trusted=trusted, closed=job["closed"]) for trusted in (True, False)
    )
    caged = [
        run_in(trusted, [ours.fileno(), write], check_it),
        run_in(other, [theirs.fileno()], be_checked),
    ]
    for end in (ours, theirs):
        end.close()
    os.close(write)
    said = _read_all(read, time.monotonic() + rules.seconds)
    ended = end_children(rules)
    for alive in caged:
        os.close(alive)
    if said is None:
        return checker.error_found(f"it took more than {rules.seconds} seconds")
    return _read_finding(said, ended)


def _read_finding(said: bytes, ended: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(said)
    except ValueError:
        return checker.error_found("the check was ended by the system; was memory short?")
    if found["verdict"] == "error" and ended:
        found["reason"] += f" ({ended})"
    return found


def _read_all(descriptor: int, until: float) -> bytes | None:
    """All that comes; None if it does not end in time."""
    said = b""
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        while selector.select(max(0.0, until - time.monotonic())):
            part = os.read(descriptor, LARGEST_FINDING)
            said += part
            if not part or len(said) > LARGEST_FINDING:
                os.close(descriptor)
                return said
    os.close(descriptor)
    return None


def end_children(rules: Rules) -> str:
    """End all that was started; how one of them had ended before, in words."""
    ended = _how_one_ended()
    end = time.monotonic() + 20
    while (children := _children()) and time.monotonic() < end:
        for child in children:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        list(_ended_children())
        time.sleep(0.01)
    while any(processes_of(uid) for uid in rules.uids or ()):
        for uid in rules.uids or ():
            end_processes(uid)
        list(_ended_children())
    return ended


def _how_one_ended() -> str:
    time.sleep(0.02)  # a guard has to hear of it first
    signals = [os.WTERMSIG(status) for status in _ended_children() if os.WIFSIGNALED(status)]
    return f"by {signal.Signals(signals[-1]).name}" if signals else ""


def _ended_children() -> Iterator[int]:
    """How each child ended that nobody has asked about yet."""
    with suppress(ChildProcessError):
        while (done := os.waitpid(-1, os.WNOHANG))[0]:
            yield done[1]


def _children() -> list[int]:
    words = Path(f"/proc/self/task/{os.getpid()}/children").read_text()
    return [int(word) for word in words.split()]
