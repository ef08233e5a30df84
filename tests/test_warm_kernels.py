"""A forked kernel does what a kernel does, and leaves nothing behind."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import new_code_cell, new_notebook

from tests.warm_kernels import serving
from tests.watching import wait_for

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="nothing is forked there")


@pytest.fixture(scope="module")
def variables() -> Iterator[dict[str, str]]:
    with serving() as variables:
        yield variables


@pytest.fixture
def client(
    variables: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[NotebookClient]:
    """Of a kernel that runs."""
    monkeypatch.setenv("JUPYTER_PATH", variables["JUPYTER_PATH"])
    client = NotebookClient(new_notebook(), kernel_name="python3", timeout=60)
    with client.setup_kernel(cwd=str(tmp_path), env={**os.environ, "OWN": "1"}):
        yield client


def printed(client: NotebookClient, code: str) -> str:
    client.nb.cells.append(new_code_cell(code))
    cell = client.execute_cell(client.nb.cells[-1], len(client.nb.cells) - 1)
    return "".join(output.text for output in cell.outputs).strip()


def test_it_has_torch_its_folder_and_its_environment(
    client: NotebookClient, tmp_path: Path
) -> None:
    code = "import os, sys; print('torch' in sys.modules, os.getcwd(), os.environ['OWN'])"
    assert printed(client, code) == f"True {tmp_path} 1"


def test_it_is_interrupted_and_goes_on(client: NotebookClient) -> None:
    client.timeout, client.interrupt_on_timeout = 1, True
    with pytest.raises(CellExecutionError, match="KeyboardInterrupt"):
        printed(client, "while True: pass")
    client.timeout = 60
    assert printed(client, "print(6 * 7)") == "42"


@pytest.mark.parametrize("first", ["kernel", "stand-in"])
def test_it_and_its_stand_in_end_together(client: NotebookClient, first: str) -> None:
    pid = int(printed(client, "import os; print(os.getpid())"))
    stand_in = client.km.provisioner.process
    assert pid != stand_in.pid
    os.kill(pid if first == "kernel" else stand_in.pid, signal.SIGKILL)
    wait_for(lambda: not psutil.pid_exists(pid), "the kernel to end")
    wait_for(lambda: stand_in.poll() is not None, "its stand-in to end")
