"""``srlab grade``: what the teacher types and reads."""

import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from srlab.classroom.limits import Limits, make_groups, remove_groups
from srlab.files import PACKAGE
from srlab.grader.cage import Rules
from srlab.grader.numbers import claimed_numbers
from srlab.grader.results import Row
from srlab.grader.submissions import (
    Submission,
    Task,
    find_submissions,
    lesson_of,
    read_code,
    tasks,
)

START = """\
import sys
sys.path.insert(0, sys.argv.pop(2))
from srlab.grader.nursery import main
main()
"""
PROCESSES = 64
PROCESSES_ALONE = 16  # where only those limits are left that count for each process
SLOW_START = 300  # seconds: torch, from a cold disk


def grade_all(
    paths: list[Path],
    *,
    lesson: str | None,
    seconds: int,
    memory: float,
    jobs: int,
    uncaged: bool,
    say: Callable[[str], None],
) -> list[Row]:
    """Grade notebooks; a row for each learner and exercise.

    Args:
        paths: notebooks, or folders of them.
        lesson: its number, if only one's notebooks count.
        seconds, memory: for each answer, memory in GiB.
        jobs: exercises at a time.
        uncaged: whether to go on where the system allows no cage.
        say: takes what the teacher should know meanwhile.

    Raises:
        ValueError: if answers cannot be closed in, or a setting does not fit.
        OSError: if a folder cannot be read.
    """
    _require_settings(seconds, jobs)
    limits = Limits(memory=memory, processes=PROCESSES)
    work = _plan(find_submissions(paths), lesson and lesson.zfill(2))
    asked = [one for one in work if isinstance(one, _Asked)]
    with _nurseries(min(jobs, len(asked)), limits, seconds) as free:
        if asked:
            closed, holds = _closed_in(free, limits, uncaged=uncaged)
            say(holds)
        return _carry_out(work, free, closed=bool(asked) and closed)


@dataclass(frozen=True)
class _Asked:
    """An exercise that is still to be judged."""

    learner: str
    task: Task
    cells: list[str]


def _require_settings(seconds: int, jobs: int) -> None:
    if not sys.platform.startswith("linux"):
        raise ValueError(
            "Learners' code can be closed in on Linux alone; grade there, such as in WSL or "
            "in a virtual machine."
        )
    if not 1 <= seconds <= 3600:
        raise ValueError(f"--seconds is {seconds}; give 1 to 3600, such as 30.")
    if jobs < 1:
        raise ValueError(f"--jobs is {jobs}; give 1 or more, such as the processors.")


def _plan(submissions: list[Submission], lesson: str | None) -> list[_Asked | Row]:
    """What is to be judged, and rows for what cannot be, learner by learner."""
    if lesson:
        tasks(lesson)  # raises for one that is not there
    plan: list[_Asked | Row] = []
    seen: dict[tuple[str, str], Path] = {}
    for one in submissions:
        learner = _printable(one.learner)
        try:
            cells = read_code(one.path)
            number = lesson_of(one.path, cells)
            if lesson and number != lesson:
                continue
            if other := seen.get((one.learner, number)):
                raise ValueError(
                    f"lesson {number} was handed in twice; {other.name} counts, "
                    f"remove one of the two"
                )
        except ValueError as error:
            reason = _printable(str(error))
            plan.append(Row(learner, "", 0, _printable(one.path.name), "error", reason))
            continue
        seen[one.learner, number] = one.path
        plan += [_Asked(learner, task, cells) for task in tasks(number)]
    if not plan:
        raise ValueError(f"No notebook answers lesson {lesson}; leave --lesson out.")
    return plan


def _printable(text: str) -> str:
    """A file's name or an error, without what could move a terminal's cursor."""
    return "".join(c if c.isprintable() else "?" for c in text)


# -- nurseries -------------------------------------------------------------------


Free = queue.Queue["Nursery"]


class Nursery:
    """A process that starts checkers and sandboxes; see ``nursery.py``."""

    def __init__(self, rules: Rules):
        self.rules = rules
        self._start()

    def _start(self) -> None:
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - end() closes it
        command = [sys.executable, "-I", "-c", START, self.rules.model_dump_json()]
        own = {"PATH": os.defpath, "LANG": "C.UTF-8", "OMP_NUM_THREADS": "1"}
        own |= {"SRLAB_DEVICE": "cpu", "CUDA_VISIBLE_DEVICES": "", "MPLBACKEND": "Agg"}
        self._process = subprocess.Popen(
            [*command, str(PACKAGE.parent)], cwd="/", env=own, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors,
            start_new_session=True,  # Ctrl-C is for this process, which then ends that one
        )  # fmt: skip

    @property
    def _pipes(self) -> tuple[IO[str], IO[str]]:
        questions, answers = self._process.stdin, self._process.stdout
        if questions is None or answers is None:
            raise ValueError("the nursery was started without pipes")
        return questions, answers

    def ask(self, job: dict[str, Any], *, seconds: float) -> dict[str, Any]:
        """Have a job done; {} if that was the nursery's end, or it took longer."""
        timer = threading.Timer(seconds, self._process.kill)
        timer.start()
        try:
            questions, answers = self._pipes
            questions.write(json.dumps(job) + "\n")
            questions.flush()
            found: dict[str, Any] = json.loads(answers.readline())
            return found
        except (OSError, ValueError):
            return {}
        finally:
            timer.cancel()

    def start_again(self) -> None:
        self.end()
        self._start()

    def last_words(self) -> str:
        self._process.kill()
        self._process.wait()
        self._errors.seek(0)
        return "".join(self._errors.read()[-500:].splitlines()[-1:])

    def end(self) -> None:
        """End it, and with it all that it started."""
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=30)
        self._process.kill()
        self._process.communicate()
        self._errors.close()


@contextmanager
def _nurseries(count: int, limits: Limits, seconds: int) -> Iterator[Free]:
    """So many at once, each with user numbers and control groups of its own."""
    free: Free = queue.Queue()
    with ExitStack() as held:
        as_root = os.geteuid() == 0
        uids = held.enter_context(claimed_numbers(2 * count)) if as_root and count else []
        for i in range(count):
            own = (uids[2 * i], uids[2 * i + 1]) if as_root else None
            rules = _rules(own, limits, seconds)
            if own:
                held.callback(remove_groups, own[0])
            free.put(nursery := Nursery(rules))
            held.callback(nursery.end)
        yield free


def _rules(uids: tuple[int, int] | None, limits: Limits, seconds: int) -> Rules:
    groups = tuple(map(str, make_groups(uids[0], limits))) if uids else ()
    processes = limits.processes if groups else PROCESSES_ALONE
    return Rules(
        uids=uids, groups=groups, memory=limits.bytes, processes=processes, seconds=seconds
    )


def _closed_in(free: Free, limits: Limits, *, uncaged: bool) -> tuple[bool, str]:
    """Try the cage: whether there is one, and what holds; else the teacher says to go on."""
    nursery = free.get()
    said = nursery.ask({"do": "try"}, seconds=SLOW_START)
    if not said:
        raise ValueError(f"The grader could not start: {nursery.last_words()}")
    free.put(nursery)
    if said["holds"]:
        return True, _what_holds(nursery.rules, limits)
    if not uncaged:
        raise ValueError(
            f"This system lets no process be closed in ({said['why']}): an answer could read "
            f"files and use the network. Use another Linux, or root; or add --uncaged, for "
            f"learners whom you trust."
        )
    who = "under a user number of its own" if nursery.rules.uids else "as you"
    return False, f"no cage here: each answer runs {who} and can read files and use the network"


def _what_holds(rules: Rules, limits: Limits) -> str:
    all_together = "" if rules.groups else " for each of its processes"
    return (
        f"each answer sees Python and srlab alone, without a network, and has "
        f"{rules.seconds} s, {limits.memory:g} GiB{all_together} and {rules.processes} "
        f"processes"
    )


def _carry_out(work: list[_Asked | Row], free: Free, *, closed: bool) -> list[Row]:
    """All rows, in the order of the work."""
    from tqdm import tqdm

    with ThreadPoolExecutor(max(1, free.qsize())) as pool:
        rows = pool.map(lambda one: _judge(one, free, closed=closed), work)
        try:
            return list(tqdm(rows, total=len(work), leave=False, disable=None))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _judge(asked: _Asked | Row, free: Free, *, closed: bool) -> Row:
    if isinstance(asked, Row):
        return asked
    task = asked.task
    nursery = free.get()
    try:
        job = {"check": task.check, "name": task.name, "cells": asked.cells, "closed": closed}
        found = nursery.ask(job, seconds=nursery.rules.seconds + SLOW_START)
        if not found:
            nursery.start_again()
            found = {"verdict": "error", "reason": "the grader's process ended"}
    finally:
        free.put(nursery)
    details = tuple((word, text) for word, text in found.get("details", ()))
    who = asked.learner, task.lesson, task.number, task.title
    return Row(*who, found["verdict"], found["reason"], details)
