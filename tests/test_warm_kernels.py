"""A forked kernel does what a kernel does, and leaves nothing behind."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from jupyter_client.manager import KernelManager

from tests.warm_kernels import serving
from tests.watching import wait_for

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="nothing is forked there")


@pytest.fixture(scope="module")
def variables() -> Iterator[dict[str, str]]:
    with serving() as variables:
        yield variables


@pytest.fixture
def kernel(
    variables: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[KernelManager]:
    monkeypatch.setenv("JUPYTER_PATH", variables["JUPYTER_PATH"])
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(cwd=str(tmp_path), env={**os.environ, "OWN": "1"})
    yield manager
    manager.shutdown_kernel(now=True)


def asked(kernel: KernelManager, code: str) -> str:
    """What it prints, or the name of its error."""
    client = kernel.blocking_client()
    client.start_channels()
    client.wait_for_ready(timeout=60)
    said: list[str] = []

    def hear(message: dict) -> None:
        said.append(message["content"].get("text", message["content"].get("ename", "")))

    client.execute_interactive(code, output_hook=hear, timeout=60)
    client.stop_channels()
    return "".join(said).strip()


def test_it_has_torch_its_folder_and_its_environment(
    kernel: KernelManager, tmp_path: Path
) -> None:
    code = "import os, sys; print('torch' in sys.modules, os.getcwd(), os.environ['OWN'])"
    assert asked(kernel, code) == f"True {tmp_path} 1"


def test_it_is_interrupted(kernel: KernelManager) -> None:
    client = kernel.blocking_client()
    client.start_channels()
    client.wait_for_ready(timeout=60)
    client.execute("print('begun', flush=True)\nwhile True: pass")
    while client.get_iopub_msg(timeout=60)["content"].get("text") != "begun\n":
        pass
    kernel.interrupt_kernel()
    while (message := client.get_iopub_msg(timeout=60))["msg_type"] != "error":
        pass
    assert message["content"]["ename"] == "KeyboardInterrupt"
    client.stop_channels()


@pytest.mark.parametrize("first", ["kernel", "stand-in"])
def test_it_and_its_stand_in_end_together(kernel: KernelManager, first: str) -> None:
    pid = int(asked(kernel, "import os; print(os.getpid())"))
    stand_in = kernel.provisioner.process
    assert pid != stand_in.pid
    os.kill(pid if first == "kernel" else stand_in.pid, signal.SIGKILL)
    wait_for(lambda: not psutil.pid_exists(pid), "the kernel to end")
    wait_for(lambda: stand_in.poll() is not None, "its stand-in to end")
