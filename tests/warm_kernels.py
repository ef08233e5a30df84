"""Kernels that have torch loaded already: each is a fork of one process, not a new start.

A notebook's kernel spends seconds on importing torch, and the tests start a hundred.
Jupyter starts a small program in the kernel's place, which asks the process here for a
fork, hands its signals on, and lives as long as that does. As a plugin
(``-p tests.warm_kernels``) this serves every kernel of a test run; fixtures use
``in_use`` or ``serving`` for some of them.
"""

import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

# Not matplotlib: a kernel tells it by its environment how to draw.
PRELOADED = [
    "torch",
    "torchvision",
    "PIL.Image",
    "pydantic",
    "ipywidgets",
    "ipykernel.kernelapp",
]

# The program in the kernel's place. It is started often, so it imports little.
STAND_IN = """
import json, os, signal, socket, sys
wish = json.dumps({"argv": sys.argv[2:], "cwd": os.getcwd(), "env": dict(os.environ)}).encode()
kernel = socket.socket(socket.AF_UNIX)
kernel.connect(sys.argv[1])
socket.send_fds(kernel, [len(wish).to_bytes(8, "big")], [1, 2])
kernel.sendall(wish)
pid = int.from_bytes(kernel.recv(8), "big")
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda number, _: os.kill(pid, number))
kernel.recv(1)  # nothing comes but its end
"""


@contextmanager
def serving() -> Iterator[dict[str, str]]:
    """While it lasts, the kernels of a Jupyter with these variables are forks."""
    if not hasattr(os, "fork"):  # on Windows each begins anew
        yield {}
        return
    with tempfile.TemporaryDirectory() as folder:  # a short path, as a socket needs
        yield from _serving(Path(folder))


def _serving(folder: Path) -> Iterator[dict[str, str]]:
    place = folder / "warm.socket"
    spec = {
        "argv": [sys.executable, "-S", "-c", STAND_IN, str(place), "-f", "{connection_file}"],
        "display_name": "Python 3",
        "language": "python",
    }
    (folder / "kernels" / "python3").mkdir(parents=True)
    (folder / "kernels" / "python3" / "kernel.json").write_text(json.dumps(spec))
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.warm_kernels", place],
        cwd=Path(__file__).parents[1], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        server.stdout.readline()  # it listens
        yield {"JUPYTER_PATH": str(folder)}
    finally:
        server.stdin.close()  # its sign to end
        server.wait()
        server.stdout.close()


@contextmanager
def in_use() -> Iterator[None]:
    """While it lasts, whoever this process starts has such kernels."""
    with serving() as variables, pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="session", autouse=True)
def warm_kernels() -> Iterator[None]:
    """For what this is a plugin of."""
    with in_use():
        yield


def serve(place: str) -> None:
    """Fork a kernel for each that connects, until standard input ends."""
    for module in PRELOADED:
        __import__(module)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # what ends is nobody's to wait for
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(place)
    listener.listen()
    print("listening", flush=True)
    threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
    while True:
        asker, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            become_a_kernel(asker)
        asker.close()


def become_a_kernel(asker: socket.socket) -> None:
    """Be what the stand-in asks for, and end when it does."""
    size, outputs, _, _ = socket.recv_fds(asker, 8, 2)
    with asker.makefile("rb") as file:
        wish = json.loads(file.read(int.from_bytes(size, "big")))
    for number, output in enumerate(outputs, start=1):
        os.dup2(output, number)
        os.close(output)
    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.environ.clear()
    os.environ.update(wish["env"])
    os.environ.pop("JPY_PARENT_PID", None)  # our parent is another, and the thread watches
    os.chdir(wish["cwd"])
    asker.sendall(os.getpid().to_bytes(8, "big"))
    threading.Thread(target=lambda: (asker.recv(1), os._exit(0)), daemon=True).start()
    sys.argv = ["ipykernel_launcher", *wish["argv"]]
    runpy.run_module("ipykernel_launcher", run_name="__main__", alter_sys=True)
    os._exit(0)


if __name__ == "__main__":
    serve(sys.argv[1])
