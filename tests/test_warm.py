"""The warm Python does what a cold one does, and only sooner."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import warm

CODES = {
    "prints": "import os, sys; print(os.getcwd(), sys.argv[1:]); print('e', file=sys.stderr)",
    "environment": "import os; print(sorted(os.environ.items()))",
    "exits": "import sys; sys.exit(3)",
    "is killed": "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
    "much output": "print('x' * 10**6); import sys; print('y' * 10**6, file=sys.stderr)",
    "from beside it": "import beside; print(beside.__file__)",
}


@pytest.mark.parametrize("code", CODES.values(), ids=CODES)
def test_a_fork_gives_what_a_start_gives(code: str, tmp_path: Path) -> None:
    (tmp_path / "beside.py").touch()
    env = {"PATH": os.environ["PATH"], "OWN": "1", "LC_CTYPE": "C.UTF-8"}
    cold = subprocess.run(
        [sys.executable, "-c", code, "a"], env=env, cwd=tmp_path, capture_output=True, text=True
    )
    ended = warm.python("-c", code, "a", env=env, cwd=tmp_path)
    assert (ended.returncode, ended.stdout, ended.stderr) == (
        cold.returncode,
        cold.stdout,
        cold.stderr,
    )


def test_an_error_is_told_and_a_module_can_be_run(tmp_path: Path) -> None:
    ended = warm.python("-c", "1 / 0")
    assert ended.returncode == 1
    assert ended.stderr.endswith("ZeroDivisionError: division by zero\n")
    (tmp_path / "mine.py").write_text("import sys; print(__name__, sys.argv[1:])")
    assert warm.python("-m", "mine", "x", cwd=tmp_path).stdout == "__main__ ['x']\n"


@pytest.mark.skipif(sys.platform == "win32", reason="nothing is forked there")
def test_torch_is_there_already() -> None:
    assert warm.python("-c", "import sys; print('torch' in sys.modules)").stdout == "True\n"


def test_what_never_ends_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warm, "SECONDS", 0.2)
    with pytest.raises(TimeoutError, match=r"^python -c while True: pass took more than 0.2 s"):
        warm.python("-c", "while True: pass")
