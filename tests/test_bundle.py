"""The folder for a room without a network: what is in it, and its installation there.

The whole folder weighs gigabytes, so what is installed here is srlab's own wheel
and a few small ones, made again from what is installed; PyTorch and the rest are
seen from the environment of the tests. Everything runs where no network is.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from PIL import Image

from tests.bundle import MARK, finish_folder, locked_lines, main, needed, start_folder
from tests.conftest import ONE_THREAD
from tests.test_setup import ROOT, built_wheel

SMALL = ("typer", "rich", "shellingham", "markdown-it-py", "mdurl", "pygments", "annotated-doc")
CLOSED = "http://127.0.0.1:9"  # nobody answers there
ASKING = "import urllib.request; urllib.request.urlopen('https://example.org', timeout=9)"

posix = pytest.mark.skipif(sys.platform == "win32", reason="there it is install.bat")


def without_network() -> list[str]:
    """How a command is run with the network taken away; empty if it cannot be."""
    apart = ["unshare", "-n"] if hasattr(os, "getuid") and os.getuid() == 0 else []
    apart = apart or ["unshare", "-r", "-n"]
    can = shutil.which("unshare") and not subprocess.run([*apart, "true"]).returncode
    return apart if can else []


APART = without_network()


def run(folder: Path, *command: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """A command in the bundle, without a network, as after a fresh login."""
    closed = {f"{kind}_proxy": CLOSED for kind in ("http", "https", "all")}
    own = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "PIP", "UV"))}
    home = {"HOME": str(folder / "home"), "SRLAB_HOME": str(folder / "home")}
    return subprocess.run(
        [*APART, *map(str, command)], cwd=folder, capture_output=True, text=True, timeout=300,
        env={**own, **ONE_THREAD, **closed, **home, "PYTHON": sys.executable, **environment},
    )  # fmt: skip


def wheel_again(name: str, folder: Path) -> None:
    """The wheel of an installed package, made of its own files."""
    package = distribution(name)
    record = [path for path in package.files or [] if ".." not in path.parts]
    path = folder / f"{name.replace('-', '_')}-{package.version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for file in record:
            if file.suffix != ".pyc" and file.name not in ("INSTALLER", "REQUESTED"):
                wheel.write(str(file.locate()), file.as_posix())


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of srlab and a few small packages, not yet installed."""
    folder = tmp_path_factory.mktemp("room") / "a bundle"
    start_folder(folder)
    for name in SMALL:
        wheel_again(name, folder / "wheels")
    shutil.copy(built_wheel(tmp_path_factory.mktemp("wheel")), folder / "wheels")
    finish_folder(folder)
    return folder


@pytest.fixture(scope="module")
def installed(fresh: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, installed where no network is; the heavy packages are seen from here."""
    folder = tmp_path_factory.mktemp("installed") / "a bundle"
    shutil.copytree(fresh, folder)
    done = run(folder, "sh", "install.sh")
    assert done.returncode == 0, done.stderr
    assert "Installed. Open the lessons: .venv/bin/srlab lab" in done.stdout
    (packages,) = folder.glob(".venv/lib/python*/site-packages")
    (packages / "heavy.pth").write_text(sysconfig.get_path("purelib"))
    return folder


# -- what is in it -----------------------------------------------------------------


def test_it_holds_what_a_learner_needs_and_no_tool_of_the_tests() -> None:
    names = needed()
    assert {"torch", "torchvision", "jupyterlab", "nbconvert", "ipywidgets", "scipy"} <= names
    assert not names & {"playwright", "ruff", "hypothesis", "pytest-xdist", "voila", "nbgrader"}
    assert {"voila"} <= needed(["app"]) - names


def test_each_package_is_pinned_with_its_hashes() -> None:
    names = needed(["app", "classroom", "grading"])
    lines = locked_lines(names, (ROOT / "requirements.lock").read_text())
    assert len(lines) == len(names)
    for line in lines:
        pin, *hashes = line.split(" --hash=")
        assert [part.operator for part in Requirement(pin).specifier] == ["=="]
        assert hashes


def test_of_several_pins_the_one_for_this_platform_is_taken() -> None:
    lock = (
        "numpy==1 ; python_version < '3' \\\n    --hash=sha256:a\n    # via torch\n"
        "numpy==2 ; python_version >= '3' \\\n    --hash=sha256:b \\\n    --hash=sha256:c\n"
    )
    (line,) = locked_lines({"numpy"}, lock)
    assert line == "numpy==2 ; python_version >= '3' --hash=sha256:b --hash=sha256:c"


def test_what_is_wrong_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match=r"pins no torch for this platform; run make lock"):
        locked_lines({"torch"}, "numpy==2")
    assert main([str(tmp_path / "new"), "--extra", "nope"]) == 1
    assert "srlab has no extra nope; there are app, classroom, " in capsys.readouterr().err
    (tmp_path / "mine.txt").touch()
    assert main([str(tmp_path)]) == 1
    assert "holds other files; name a new or an empty folder" in capsys.readouterr().err
    assert (tmp_path / "mine.txt").exists()


def test_an_earlier_bundle_is_replaced(tmp_path: Path) -> None:
    start_folder(tmp_path)
    (tmp_path / "wheels" / "old.whl").touch()
    start_folder(tmp_path)
    assert {path.name for path in tmp_path.rglob("*")} == {"wheels", MARK}


# -- installed without a network -----------------------------------------------------


@posix
def test_there_is_no_network_here(fresh: Path) -> None:
    """Otherwise the tests below would prove nothing."""
    done = run(fresh, sys.executable, "-c", ASKING)
    assert done.returncode != 0
    assert "urlopen error" in done.stderr


@posix
def test_it_comes_from_the_bundle(installed: Path) -> None:
    where = "import srlab, typer; print(srlab.__file__, typer.__file__, sep='\\n')"
    lines = run(installed, ".venv/bin/python", "-c", where).stdout.splitlines()
    assert len(lines) == 2
    for line in lines:
        assert line.startswith(str(installed.resolve() / ".venv")), line


@posix
def test_doctor_lessons_and_upscale_work(installed: Path) -> None:
    done = run(installed, ".venv/bin/srlab", "doctor")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "files intact" in done.stdout
    done = run(installed, ".venv/bin/srlab", "lessons", "mine")
    assert "files into mine" in done.stdout, done.stderr
    assert (installed / "mine/07_capstone.ipynb").is_file()
    Image.new("RGB", (32, 24), "orange").save(installed / "photo.png")
    done = run(installed, ".venv/bin/srlab", "upscale", "photo.png", "--scale", "4")
    assert done.returncode == 0, done.stderr
    with Image.open(installed / "photo_x4.png") as large:
        assert large.size == (128, 96)


# -- bad cases -----------------------------------------------------------------------


@posix
def test_a_damaged_file_is_not_installed(fresh: Path, tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    shutil.copytree(fresh, folder)
    (wheel,) = folder.glob("wheels/rich-*.whl")
    wheel.write_bytes(wheel.read_bytes()[:-1] + b"x")
    done = run(folder, "sh", "install.sh")
    assert done.returncode == 1
    assert "If a checksum does not match, a file was damaged on its way" in done.stderr
    assert not (folder / ".venv/bin/srlab").exists()


@posix
def test_another_python_is_told(fresh: Path, tmp_path: Path) -> None:
    assert (
        "no python-none is here" in run(fresh, "sh", "install.sh", PYTHON="python-none").stderr
    )
    old = tmp_path / "old"
    old.write_text(
        f"#!/bin/sh\nexec {sys.executable} -c "
        '"import sys; sys.version_info = (3, 10, 1); exec(sys.argv[2])" "$@"\n'
    )
    old.chmod(0o755)
    done = run(fresh, "sh", "install.sh", PYTHON=str(old))
    assert f"but {old} is 3.10 " in done.stderr
    assert "This bundle was made for Python 3." in done.stderr
    assert done.returncode == 1
    assert not (fresh / ".venv").exists()


@posix
def test_the_page_and_the_script_say_for_what_it_is(fresh: Path) -> None:
    version = f"Python {sys.version_info.major}.{sys.version_info.minor}"
    for name in ("README.md", "install.sh"):
        text = (fresh / name).read_text()
        assert version in text
        assert not [word for word in ("@PYTHON@", "@SYSTEM@", "@SIZE@") if word in text]
    assert "sh install.sh" in (fresh / "README.md").read_text()
