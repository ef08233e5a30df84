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
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from srlab.classroom.launch import libc
from srlab.classroom.limits import end_processes, processes_of
from srlab.files import PACKAGE
from srlab.grader import checker, sandbox
from srlab.grader.cage import Cage, check, run_in
from srlab.grader.wire import Channel

PR_SET_CHILD_SUBREAPER = 36
SPARE = 10  # seconds of the processor: so that the clock is what ends it
MOST_BYTES = 64 * 1024  # of a finding
HIDDEN = ("checks", "lessons/solutions", "assets/course")  # of the package

TRAINING = {"check_learned_block"}  # checks that take an optimizer

Job = dict[str, Any]


@dataclass(frozen=True)
class Rules:
    """How this nursery's processes are closed in.

    Args:
        uids: user numbers of a sandbox and of a checker; None: stay who you are.
        groups: control groups of a sandbox.
        memory, processes, seconds: as for ``Cage``, and seconds on the clock.
    """

    uids: tuple[int, int] | None
    groups: tuple[str, ...]
    memory: int
    processes: int
    seconds: int

    def cage(self, *, trusted: bool, closed: bool) -> Cage:
        """For a checker, which is trusted, or a sandbox.

        Args:
            trusted: which of the two.
            closed: whether it gets file system and network of its own.
        """
        return Cage(
            uid=self.uids[trusted] if self.uids else None,
            closed=closed,
            hidden=() if trusted else hidden_folders(),
            memory=self.memory,
            processes=self.processes,
            seconds=self.seconds + SPARE,
            groups=() if trusted else self.groups,
        )


def hidden_folders() -> tuple[str, ...]:
    """Checks and solutions, of this srlab and of any other that Python has here."""
    packages = {str(PACKAGE), *(os.path.join(path, "srlab") for path in sys.path if path)}
    packages |= {os.path.realpath(path) for path in packages}
    return tuple(f"{path}/{name}" for path in sorted(packages) for name in HIDDEN)


def main() -> None:
    """Serve jobs until the input ends."""
    rules, answers = _rules(json.loads(sys.argv[1])), _own_output()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(1))
    check(libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "orphans")
    try:
        for line in sys.stdin:
            answers.write(json.dumps(_done(json.loads(line), rules)) + "\n")
            answers.flush()
    finally:
        end_children(rules)
        os._exit(0)  # not by way of torch's compiler, which has much to say then


def _rules(told: dict[str, Any]) -> Rules:
    uids = tuple(told["uids"]) if told["uids"] else None
    return Rules(**{**told, "uids": uids, "groups": tuple(told["groups"])})


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
    gc.collect()
    gc.freeze()


@cache
def _load_optimizers() -> None:
    """The first optimizer loads torch's compiler, which takes seconds."""
    import torch

    torch.optim.SGD([torch.zeros(1)], lr=1.0)
    gc.freeze()


def _done(job: Job, rules: Rules) -> dict[str, Any]:
    if job.get("do") == "try":
        return _tried(rules)
    return judged(job, rules)


def _tried(rules: Rules) -> dict[str, Any]:
    """Whether a process can be closed in, and still reads Python's own files."""
    read, write = os.pipe()

    def work() -> None:
        import wave  # noqa: F401 - one that nothing else has loaded

        os.write(write, b"closed")

    def explain(error: Exception) -> None:
        os.write(write, f"{type(error).__name__}: {error}".encode())

    caged = run_in(rules.cage(trusted=False, closed=True), [write], work, explain)
    os.close(write)
    said = _read_all(read, time.monotonic() + 60) or b"it took too long"
    end_children(rules)
    caged.let_go()
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

    caged = [
        run_in(
            rules.cage(trusted=True, closed=job["closed"]), [ours.fileno(), write], check_it
        ),
        run_in(rules.cage(trusted=False, closed=job["closed"]), [theirs.fileno()], be_checked),
    ]
    for end in (ours, theirs):
        end.close()
    os.close(write)
    said = _read_all(read, time.monotonic() + rules.seconds)
    ended = end_children(rules)
    for one in caged:
        one.let_go()
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
            part = os.read(descriptor, MOST_BYTES)
            said += part
            if not part or len(said) > MOST_BYTES:
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
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        time.sleep(0.01)
    if rules.uids:
        _end_all_of(rules.uids)
    return ended


def _how_one_ended() -> str:
    found = ""
    time.sleep(0.02)  # a guard has to hear of it first
    with suppress(ChildProcessError):
        while (done := os.waitpid(-1, os.WNOHANG))[0]:
            if os.WIFSIGNALED(done[1]):
                found = f"by {signal.Signals(os.WTERMSIG(done[1])).name}"
    return found


def _children() -> list[int]:
    words = Path(f"/proc/self/task/{os.getpid()}/children").read_text()
    return [int(word) for word in words.split()]


def _end_all_of(uids: tuple[int, ...]) -> None:
    while any(processes_of(uid) for uid in uids):
        for uid in uids:
            end_processes(uid)
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


if __name__ == "__main__":
    main()
