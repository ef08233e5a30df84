"""An environment for those whom srlab is measured against, beside its own."""

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

FOLDER = Path(__file__).parents[2] / ".venv-peers"
PYTHON = FOLDER / "bin" / "python"
FASTAI = "2.8.12"


def provide_peers() -> Path:
    """The Python that has fastai and the torch of this process; made if needed."""
    if not PYTHON.exists():
        _uv("venv", "--python", sys.executable, str(FOLDER))
    _uv("pip", "install", "--python", str(PYTHON), *requirements())
    return PYTHON


def requirements() -> list[str]:
    """Exact versions; of torch those in use here, whatever they were built for."""
    own = [f"{name}=={version(name).split('+')[0]}" for name in ("torch", "torchvision")]
    return [f"fastai=={FASTAI}", *own]


def _uv(*arguments: str) -> None:
    command = [sys.executable, "-m", "uv", *arguments, "--quiet"]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        raise RuntimeError(f"uv {' '.join(arguments)} failed: {done.stderr.strip()}")
