"""A Python that has torch loaded already: each call is a fork of it, not a new start.

A process that imports torch spends seconds on it. Here one does, once, and its
children are processes of their own all the same: with their own folder,
environment, output and exit status.
"""

import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from pathlib import Path

PRELOADED = ["torch", "torchvision", "numpy", "PIL.Image", "pydantic", "typer"]
SECONDS = 300


def context() -> BaseContext:
    """Where processes begin with torch loaded; on Windows, which cannot fork, anew."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    warm = multiprocessing.get_context("forkserver")
    warm.set_forkserver_preload(PRELOADED)
    return warm


class Child:
    """A command that has been started: ``subprocess.Popen``, as far as tests use it.

    Args:
        words: its arguments.
        process: it.
        outputs: its standard output and standard error, to read from.
    """

    def __init__(self, words: list[str], process: BaseProcess, outputs: list[Connection]):
        self.words, self.process = words, process
        self.stdout, self.stderr = (os.fdopen(os.dup(take.fileno())) for take in outputs)
        for take in outputs:
            take.close()

    def poll(self) -> int | None:
        """Its exit status, negative for a signal; None while it runs."""
        return self.process.exitcode

    @property
    def returncode(self) -> int | None:
        return self.poll()

    def send_signal(self, number: int) -> None:
        """As ``kill`` does; one that has ended gets none."""
        if self.poll() is None:
            os.kill(self.process.pid, number)

    def kill(self) -> None:
        self.process.kill()

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Wait for its end; what nobody has read yet of its two outputs.

        Args:
            timeout: in seconds, after which it is killed; if None, ``SECONDS``.

        Raises:
            TimeoutError: if it was.
        """
        limit = SECONDS if timeout is None else timeout
        with self.stdout, self.stderr, ThreadPoolExecutor(2) as readers:
            said = [readers.submit(file.read) for file in (self.stdout, self.stderr)]
            self.process.join(limit)
            if self.poll() is None:
                self.kill()
                raise TimeoutError(f"python {' '.join(self.words)} took more than {limit} s.")
            return said[0].result(), said[1].result()


def start(
    *args: object,
    env: Mapping[str, str] | None = None,
    cwd: str | os.PathLike[str] | None = None,
) -> Child:
    """Start the command ``python`` with these arguments, and wait for nothing.

    Args:
        args, env, cwd: as for ``python``.
    """
    words = [str(arg) for arg in args]
    place = (dict(os.environ if env is None else env), str(cwd or Path.cwd()))
    pipes = [context().Pipe(duplex=False) for _ in range(2)]
    given = [give for _, give in pipes]
    process = context().Process(target=_become, args=(words, *place, given))
    process.start()
    for give in given:
        give.close()  # or its reader would wait for us
    return Child(words, process, [take for take, _ in pipes])


def python(
    *args: object,
    env: Mapping[str, str] | None = None,
    cwd: str | os.PathLike[str] | None = None,
) -> "subprocess.CompletedProcess[str]":
    """What the command ``python`` with these arguments gives.

    Args:
        args: ``"-m", module, ...`` or ``"-c", code, ...``.
        env: the whole environment; if None, this process's.
        cwd: the folder that it runs in; if None, this process's.

    Raises:
        TimeoutError: after ``SECONDS``.
    """
    child = start(*args, env=env, cwd=cwd)
    said = child.communicate()
    return subprocess.CompletedProcess(child.words, child.returncode, *said)


def _become(words: list[str], env: dict[str, str], cwd: str, given: list[Connection]) -> None:
    """Be the command from here on."""
    for number, pipe in enumerate(given, start=1):
        os.dup2(pipe.fileno(), number)
        pipe.close()
    sys.stdout = os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)  # by lines, as Python's own
    signal.signal(signal.SIGINT, signal.default_int_handler)  # whatever we began with
    os.environ.clear()
    os.environ.update(env)
    os.chdir(cwd)
    kind, what, *sys.argv[1:] = words
    sys.path.insert(0, cwd)
    if kind == "-m":
        runpy.run_module(what, run_name="__main__", alter_sys=True)
    else:
        exec(compile(what, "<string>", "exec"), {"__name__": "__main__"})
