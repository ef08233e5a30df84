"""A Python that has torch loaded already: each call is a fork of it, not a new start.

A process that imports torch spends seconds on it. Here one does, once, and its
children are processes of their own all the same: with their own folder,
environment, output and exit status.
"""

import multiprocessing
import os
import runpy
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from multiprocessing.context import BaseContext
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
    words = [str(arg) for arg in args]
    place = (dict(os.environ if env is None else env), str(cwd or Path.cwd()))
    pipes = [context().Pipe(duplex=False) for _ in range(2)]
    given = [give for _, give in pipes]
    process = context().Process(target=_become, args=(words, *place, given))
    process.start()
    for give in given:
        give.close()  # or its reader would wait for us
    with ThreadPoolExecutor(2) as readers:
        said = [readers.submit(_read_all, take) for take, _ in pipes]
        process.join(SECONDS)
        if process.exitcode is None:
            process.kill()
            raise TimeoutError(f"python {' '.join(words)} took more than {SECONDS} s.")
    return subprocess.CompletedProcess(words, process.exitcode, *(s.result() for s in said))


def _read_all(take: Connection) -> str:
    with open(take.fileno(), closefd=False) as file:
        return file.read()


def _become(words: list[str], env: dict[str, str], cwd: str, given: list[Connection]) -> None:
    """Be the command from here on."""
    for number, pipe in enumerate(given, start=1):
        os.dup2(pipe.fileno(), number)
        pipe.close()
    sys.stdout, sys.stderr = (os.fdopen(number, "w", closefd=False) for number in (1, 2))
    os.environ.clear()
    os.environ.update(env)
    os.chdir(cwd)
    kind, what, *sys.argv[1:] = words
    sys.path.insert(0, cwd)
    if kind == "-m":
        runpy.run_module(what, run_name="__main__", alter_sys=True)
    else:
        exec(compile(what, "<string>", "exec"), {"__name__": "__main__"})
