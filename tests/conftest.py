"""Shared by the unit tests: one thread, small pictures, a trained network, the command."""

import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

import pytest
import torch
from PIL import Image

import srlab.cli
from srlab.checkpoints import save_checkpoint
from srlab.data import embedded_photo
from srlab.images import to_image
from srlab.learner import progress
from srlab.models import SrResNet
from srlab.runcard import ModelSpec, RunCard, Stage
from tests import warm

# Tests run side by side, and equal bits need an equal number of threads.
ONE_THREAD = {"OMP_NUM_THREADS": "1", "SRLAB_DEVICE": "cpu"}

BICUBIC = ("--model", "bicubic", "--scale", "2")

Command = Callable[..., "subprocess.CompletedProcess[str]"]
Network = TypeVar("Network", bound=torch.nn.Module)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What a test does is remembered for nobody, and the kernel has just begun."""
    base = tmp_path_factory.getbasetemp()
    home = base / f"home-{secrets.token_hex(8)}"  # made if needed
    monkeypatch.setenv("SRLAB_HOME", str(home))
    monkeypatch.setenv("SRLAB_CACHE", str(base / "cache"))
    monkeypatch.setattr(progress, "_unsaved", progress.Progress())
    monkeypatch.setattr(progress, "_remembering", True)
    return home


@pytest.fixture
def home(own_home: Path) -> Path:
    return own_home


@pytest.fixture(autouse=True)
def ctrl_c_counts() -> Iterator[None]:
    """Also where the tests run in the background, whose processes ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The course as static pages."""
    from srlab.course.site import build_site

    folder = tmp_path_factory.mktemp("site")
    build_site(folder)
    return folder


@pytest.fixture(scope="session")
def photo() -> torch.Tensor:
    """A real photograph, (1, 3, 96, 128)."""
    return embedded_photo("chelsea-cat")[..., 60:156, 100:228].contiguous()


@pytest.fixture(scope="session")
def photo_folder(photo: torch.Tensor, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two photographs of 96 x 128 px, quick to load."""
    folder = tmp_path_factory.mktemp("photos")
    to_image(photo).save(folder / "cat.png")
    to_image(embedded_photo("coffee-cup")[..., 100:196, 200:328]).save(folder / "cup.png")
    others = Path(judges_of(folder))
    others.mkdir()
    to_image(embedded_photo("raccoon-face")[..., 60:156, 60:188]).save(others / "face.png")
    return folder


def judges_of(folder: Path) -> str:
    """The folder of one photograph to judge by, beside a ``photo_folder``.

    The package's own ten are larger, and each run would load them all anew.
    """
    return f"{folder}-judges"


@pytest.fixture(scope="session")
def picture(photo_folder: Path) -> Image.Image:
    return Image.open(photo_folder / "cat.png").crop((0, 0, 37, 23))


def awake(network: Network, std: float = 0.05) -> Network:
    """A network whose last layer adds something to bicubic, as after some training."""
    torch.manual_seed(0)
    for parameter in network.upsampler.to_rgb.parameters():
        torch.nn.init.normal_(parameter, std=std)
    return network


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint that enlarges 4 times and is not bicubic."""
    network = awake(SrResNet(4, 8, 1))
    card = RunCard(
        name="tiny", model=ModelSpec(num_features=8, num_blocks=1), stages=[Stage(steps=1)]
    )
    path = tmp_path_factory.mktemp("models") / "tiny.safetensors"
    save_checkpoint(path, network, card=card.model_dump(), step=1)
    return path


@pytest.fixture(scope="session")
def command() -> Command:
    """``srlab ...`` as a process of its own, in which torch is loaded already."""

    def run(
        *args: object, env: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> "subprocess.CompletedProcess[str]":
        own = {**os.environ, **ONE_THREAD, **(env or {})}
        return warm.python("-m", "srlab", *args, env=own, cwd=cwd)

    return run


def start_srlab(*args: object) -> warm.Child:
    """``srlab ...`` as a process of its own, to be stopped or killed on its way."""
    return warm.start("-m", "srlab", *args, env={**os.environ, **ONE_THREAD})


@pytest.fixture(scope="session")
def cold_command() -> Command:
    """``python -m srlab ...`` as a shell starts it; options go to subprocess.run."""

    def run(*args: object, **options: object) -> "subprocess.CompletedProcess[str]":
        env = {**os.environ, **ONE_THREAD, **options.pop("env", {})}
        return subprocess.run(
            [sys.executable, "-m", "srlab", *map(str, args)],
            capture_output=True, text=True, timeout=300, env=env, **options,
        )  # fmt: skip

    return run


class Srlab:
    """The command, called here; starting it each time would cost seconds."""

    def __init__(self, patch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
        self.patch, self.capsys = patch, capsys

    def __call__(self, *args: object) -> tuple[int, str]:
        """Exit code and what it wrote to standard error; ``out`` has the rest."""
        self.patch.setattr(sys, "argv", ["srlab", *map(str, args)])
        with pytest.raises(SystemExit) as end:
            srlab.cli.main()
        self.out, errors = self.capsys.readouterr()
        return int(end.value.code or 0), errors

    def done(self, *args: object) -> str:
        """What it wrote to standard error; it succeeds."""
        code, errors = self(*args)
        assert code == 0, errors
        return errors

    def refused(self, *args: object) -> str:
        """The one sentence with which it refuses."""
        code, errors = self(*args)
        assert code == 2
        return one_sentence(errors)


def one_sentence(errors: str) -> str:
    assert errors.startswith("srlab: "), errors
    assert errors.count("\n") == 1, errors
    assert errors.endswith((".\n", "?\n")), errors
    assert "Traceback" not in errors
    return errors.removeprefix("srlab: ").strip()


@pytest.fixture
def on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SRLAB_DEVICE", "cpu")


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Srlab:
    monkeypatch.setenv("SRLAB_DEVICE", "cpu")
    return Srlab(monkeypatch, capsys)
