"""The set-up: one set of dependencies, workflows, make, and intact assets."""

import csv
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version
from PIL import Image
from safetensors.torch import load_file

from srlab.course.copy import course_files

ROOT = Path(__file__).parents[1]
ASSETS = ROOT / "srlab" / "assets"
PHOTOS = ASSETS / "photos"

# What conda-forge calls a package, if not as the Python world does.
CONDA_NAMES = {"pytorch": "torch", "playwright-python": "playwright"}

LICENSES = {
    "CC0-1.0", "Public domain", "CC-BY-2.0", "CC-BY-3.0", "CC-BY-4.0", "CC-BY-SA-3.0",
    "CC-BY-SA-4.0",
}  # fmt: skip

needs_make = pytest.mark.skipif(
    not shutil.which("make") or sys.platform == "win32", reason="needs make and a POSIX shell"
)

# -- one set of dependencies -------------------------------------------------

Ranges = dict[str, SpecifierSet]


def ranges(lines: list[str]) -> Ranges:
    requirements = [Requirement(line) for line in lines]
    return {canonicalize_name(r.name): r.specifier for r in requirements}


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def declared() -> Ranges:
    """Everything pyproject.toml asks for, with the tests' extra."""
    return ranges(project()["dependencies"] + project()["optional-dependencies"]["test"])


def conda() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "environment.yml").read_text())


def lock_text() -> str:
    return (ROOT / "requirements.lock").read_text()


def locked() -> Iterator[tuple[Requirement, int]]:
    """Each pinned requirement of the lock and how many hashes it has."""
    joined = re.sub(r"#.*", "", lock_text()).replace("\\\n", " ")
    for line in filter(str.strip, joined.splitlines()):
        requirement, *hashes = line.split("--hash=")
        yield Requirement(requirement.strip()), len(hashes)


def pins() -> dict[str, list[Version]]:
    """Name -> its pinned versions (several, where they differ by Python)."""
    found: dict[str, list[Version]] = {}
    for requirement, _ in locked():
        version = str(requirement.specifier).removeprefix("==")
        found.setdefault(canonicalize_name(requirement.name), []).append(Version(version))
    return found


def test_conda_and_pyproject_ask_for_the_same() -> None:
    lines = [line for line in conda()["dependencies"] if isinstance(line, str)]
    in_conda = {CONDA_NAMES.get(name, name): spec for name, spec in ranges(lines).items()}
    assert in_conda.pop("python") == SpecifierSet(project()["requires-python"])
    in_conda.pop("pip")
    (by_pip,) = [entry["pip"] for entry in conda()["dependencies"] if isinstance(entry, dict)]
    assert by_pip[0] == "-e ."
    assert sorted(ranges(by_pip[1:])) == [
        "axe-playwright-python",
        "configurable-http-proxy",  # conda-forge has another of this name, in Node
        "lightning-fabric",
        "pillow-jxl-plugin",
        "piq",
    ], "what conda-forge lacks"
    assert not in_conda.keys() & ranges(by_pip[1:]).keys()
    assert in_conda | ranges(by_pip[1:]) == declared()
    assert conda()["channels"] == ["conda-forge", "nodefaults"]


def test_every_declared_dependency_has_a_lower_bound() -> None:
    for name, specifier in declared().items():
        assert [clause.operator for clause in specifier] == [">="], name


def test_the_lock_holds_every_declared_dependency_within_its_range() -> None:
    for name, specifier in declared().items():
        assert pins().get(name), f"{name} is not in requirements.lock; run make lock"
        for version in pins()[name]:
            assert version in specifier, f"{name} {version} is not {specifier}"


def test_the_lock_pins_each_line_with_its_hashes() -> None:
    entries = list(locked())
    assert len(entries) > len(declared())
    for requirement, hashes in entries:
        assert [clause.operator for clause in requirement.specifier] == ["=="], requirement
        assert hashes, f"{requirement} has no hash"


def test_the_lock_names_no_index() -> None:
    for word in ("://", "--index-url", "--extra-index-url", "--find-links", "file:", " @ "):
        assert word not in lock_text(), word


def test_the_lock_serves_linux_macos_and_windows() -> None:
    def names(platform: str, os_name: str) -> set[str]:
        here = {"sys_platform": platform, "os_name": os_name, "platform_machine": "x86_64"}
        return {r.name for r, _ in locked() if not r.marker or r.marker.evaluate(here)}

    linux, mac = names("linux", "posix"), names("darwin", "posix")
    windows = names("win32", "nt")
    assert "triton" in linux - mac
    assert "appnope" in mac - windows
    assert "pywinpty" in windows - linux
    assert declared().keys() <= linux & mac & windows


# -- workflows, CI and make --------------------------------------------------


def test_ci_runs_make_test_and_a_runner_with_a_gpu_its_own() -> None:
    jobs = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())["jobs"]
    for name, command in (("cpu", "make test"), ("gpu", "make test-gpu")):
        assert [step["run"] for step in jobs[name]["steps"] if "run" in step] == [command]
    assert "gpu" in jobs["gpu"]["runs-on"]
    script = ROOT / ".ci" / "run"
    assert script.read_text().splitlines()[-1] == "make test"
    assert sys.platform == "win32" or os.access(script, os.X_OK)


def test_workflows_have_the_least_permissions_and_pinned_actions() -> None:
    for path in (ROOT / ".github" / "workflows").glob("*.yml"):
        assert yaml.safe_load(path.read_text())["permissions"] == {"contents": "read"}
        for action in re.findall(r"uses: (.+)", path.read_text()):
            assert re.fullmatch(r"[\w./-]+@v\d+", action), action


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run make in ``folder`` as a person would: not as a part of another make."""
    own = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    return subprocess.run(
        ["make", *arguments], cwd=folder, env=own, capture_output=True, text=True
    )


@needs_make
def test_make_help_lists_every_command() -> None:
    listed = re.findall(r"^make (\S+) +\S", make(ROOT, "help").stdout, re.MULTILINE)
    expected = {"lab", "test", "test-gpu", "lessons", "lint", "types", "sync", "bench", "clean"}
    assert expected <= set(listed)
    assert make(ROOT).stdout == make(ROOT, "help").stdout


@needs_make
def test_make_test_runs_everything() -> None:
    plan = make(ROOT, "-n", "test").stdout
    for part in (
        "ruff check", "ruff format --check", "check-jsonschema", "mypy", "--nbval-lax",
        '-m "not browser"', "-m browser", "tests.browser.provide", "SRLAB_BUDGET=quick",
    ):  # fmt: skip
        assert part in plan


@needs_make
@pytest.mark.skipif(not (ROOT / ".venv").exists(), reason="not installed by make")
@pytest.mark.skipif(torch.cuda.is_available(), reason="here is a GPU")
def test_make_test_gpu_fails_without_a_gpu() -> None:
    done = make(ROOT, "test-gpu", "-o", ".venv/installed")  # a test installs nothing
    assert done.returncode != 0
    assert "make test-gpu needs a CUDA GPU, but torch finds none" in done.stderr
    assert "passed" not in done.stdout


def python_with(folder: Path, change: str) -> str:
    """A command that runs this Python after ``change``, for each ``-c CODE``."""
    script = folder / "python-changed"
    code = f"import sys; {change}; exec(sys.argv[2])"
    script.write_text(f"#!/bin/sh\nexec {sys.executable} -c '{code}' \"$@\"\n")
    script.chmod(0o755)
    return str(script)


@pytest.fixture
def fresh(tmp_path: Path) -> Path:
    """A folder with what make needs to begin an installation."""
    (tmp_path / ".jupyter").mkdir()
    for name in ("Makefile", "requirements.lock", "pyproject.toml", ".jupyter/overrides.json"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


@needs_make
@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("sys.version_info = (3, 10, 13)", "srlab needs Python 3.11 or later, but {} is 3.10"),
        ("", "srlab needs Python 3.11 or later, but no {} is here"),
        ('sys.modules["ensurepip"] = None', "comes without ensurepip"),  # as Debian has it
        ('sys.modules["ensurepip"] = None', "apt install python3-venv"),
    ],
)
def test_make_says_what_is_wrong_with_python(fresh: Path, change: str, said: str) -> None:
    python = python_with(fresh, change) if change else "python-none"
    done = make(fresh, "lab", f"PYTHON={python}")
    assert said.format(python) in done.stderr
    assert done.returncode != 0
    assert not (fresh / ".venv").exists()


@needs_make
def test_an_install_that_fails_leaves_no_stamp(fresh: Path) -> None:
    (fresh / ".venv/bin").mkdir(parents=True)
    half_done = fresh / ".venv/bin/python"  # has the right uv, and cannot install
    version = re.search(r"UV_VERSION := (.+)", (fresh / "Makefile").read_text())
    assert version
    half_done.write_text(
        f'#!/bin/sh\ntest "$3" = --version && echo "uv {version[1]}" || exit 9\n'
    )
    half_done.chmod(0o755)
    assert make(fresh, "lab").returncode != 0
    assert not (fresh / ".venv/installed").exists()
    assert (fresh / ".venv/installing").exists()


# What the tools of a room would add to a learner's JupyterLab.
SWITCHED_OFF = {
    "server extension": [
        "nbgrader.server_extensions.assignment_list",
        "nbgrader.server_extensions.course_list",
        "nbgrader.server_extensions.formgrader",
        "nbgrader.server_extensions.validate_assignment",
        "notebook",
        "voila.server_extension",
    ],
    "labextension": [
        "@jupyter-notebook/lab-extension",
        "@jupyter/nbgrader",
        "@voila-dashboards/jupyterlab-preview",
    ],
}


@pytest.mark.slow
@pytest.mark.skipif(not (ROOT / ".venv/installed").exists(), reason="not installed by make")
@pytest.mark.parametrize("kind", SWITCHED_OFF)
def test_make_install_switches_off_what_no_learner_needs(kind: str, tmp_path: Path) -> None:
    jupyter = Path(sys.executable).with_name("jupyter")
    done = subprocess.run(
        [jupyter, *kind.split(), "list"],
        env={**os.environ, "JUPYTER_CONFIG_DIR": str(tmp_path), "NO_COLOR": "1"},
        capture_output=True, text=True,
    )  # fmt: skip
    lines = re.sub(r"\x1b\[\d+m", "", done.stdout + done.stderr)
    state = dict(re.findall(r"^ +(\S+)(?: v\S+)? (enabled|disabled)\b", lines, re.MULTILINE))
    assert {name: state[name] for name in SWITCHED_OFF[kind]} == dict.fromkeys(
        SWITCHED_OFF[kind], "disabled"
    )
    assert {"enabled"} < set(state.values()), "and the others are left on"


# -- assets ------------------------------------------------------------------


def sums() -> dict[str, str]:
    lines = (ASSETS / "SHA256SUMS").read_text().splitlines()
    return {name: digest for digest, name in (line.split("  ") for line in lines)}


def rows() -> list[dict[str, str]]:
    with (PHOTOS / "ATTRIBUTION.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_asset_is_listed_and_every_listed_one_is_there() -> None:
    files = {p.relative_to(ASSETS).as_posix() for p in ASSETS.rglob("*") if p.is_file()}
    assert files - {"SHA256SUMS", "README.md"} == sums().keys(), "run make sums"


@pytest.mark.parametrize("name", sums())
def test_each_asset_has_its_checksum(name: str) -> None:
    assert hashlib.sha256((ASSETS / name).read_bytes()).hexdigest() == sums()[name]


def test_each_photograph_has_one_row() -> None:
    assert sorted(row["file"] for row in rows()) == sorted(p.name for p in PHOTOS.glob("*.jpg"))
    assert len(rows()) == 23


@pytest.mark.parametrize("row", rows(), ids=lambda row: row["file"])
def test_each_photograph_has_author_license_and_size(row: dict[str, str]) -> None:
    assert all(row[column] for column in ("author", "title", "source"))
    assert row["license"] in LICENSES
    assert row["split"] in ("train", "val", "test")
    with Image.open(PHOTOS / row["file"]) as image:
        assert image.size == (int(row["width"]), int(row["height"]))
    assert (PHOTOS / row["file"]).stat().st_size == int(row["bytes"])


def test_the_splits_are_as_the_readme_says() -> None:
    splits = [row["split"] for row in rows()]
    counts = tuple(splits.count(name) for name in ("train", "val", "test"))
    assert counts == (17, 3, 3)
    text = (ASSETS / "README.md").read_text()
    assert "split into 17 to train with, 3 to validate and 3 to test" in text


@pytest.mark.parametrize(
    ("file", "begins", "holds"),
    [
        (ROOT / "LICENSE", "MIT License", "Copyright (c) 2026 the srlab authors"),
        (
            ASSETS / "vgg16_hed_LICENSE.txt", "MIT License",
            "Copyright (c) 2025 Mohammad Saad Nathani",
        ),
        (
            ASSETS / "efficientnet_lite0_LICENSE.txt",
            "Apache Software License 2.0\n\nCopyright (c) 2020, ML Illustrated",
            "END OF TERMS AND CONDITIONS\n",
        ),
    ],
)  # fmt: skip
def test_each_license_is_there(file: Path, begins: str, holds: str) -> None:
    assert file.read_text().startswith(begins)
    assert holds in file.read_text()
    assert project()["license"] == "MIT"


def vgg_features() -> torch.nn.Sequential:
    """torchvision's own VGG-16 up to relu4_3, with the embedded weights."""
    from torchvision.models import vgg16

    with torch.device("meta"):  # no memory for the layers that are cut off
        features = vgg16(weights=None).features[:23]
    weights = load_file(ASSETS / "vgg16_hed_relu4_3.safetensors")
    features.load_state_dict({k: w.float() for k, w in weights.items()}, assign=True)
    return features.eval()


@torch.no_grad()
def test_the_vgg_stand_in_sees_what_its_readme_says() -> None:
    from skimage.data import chelsea

    x = torch.from_numpy(chelsea()).permute(2, 0, 1)[None].float()  # [0, 255]
    x = x - 255 * torch.tensor([0.48235, 0.45882, 0.40784]).view(3, 1, 1)
    means = {}
    for index, layer in enumerate(vgg_features()):
        x = layer(x)
        means[index] = x.mean().item()
    found = [means[index] for index in (3, 8, 15, 22)]
    table = re.search(r"^\| (13.*) \|$", (ASSETS / "README.md").read_text(), re.MULTILINE)
    assert table
    assert found == pytest.approx([float(x) for x in table[1].split(" | ")], rel=1e-2)


# -- packaging ---------------------------------------------------------------


def built_wheel(folder: Path) -> Path:
    for options in (["--offline"], []):  # hatchling is in the cache since make lab
        done = subprocess.run(
            [sys.executable, "-m", "uv", "build", "--wheel", "-o", folder, *options, ROOT],
            capture_output=True, text=True,
        )  # fmt: skip
        if done.returncode == 0:
            break
    assert done.returncode == 0, done.stderr
    (wheel,) = folder.glob("*.whl")
    return wheel


def test_the_wheel_holds_the_whole_package(tmp_path: Path) -> None:
    with zipfile.ZipFile(built_wheel(tmp_path)) as wheel:
        names = wheel.namelist()
    packed = {name for name in names if name.startswith("srlab/")}
    assert not [name for name in names if "/etc/" in name], "a teacher's settings stay"
    lessons = {name for name in packed if name.startswith("srlab/lessons/")}
    assert {f"srlab/lessons/{name}" for name in course_files(ROOT / "lessons")} <= lessons
    assert "srlab/lessons/TEACHING.md" in lessons, "a teacher may have the wheel alone"
    files = [path for path in (ROOT / "srlab").rglob("*") if path.is_file()]
    ours = [p for p in files if p.suffix != ".pyc" and "node_modules" not in p.parts]
    assert packed - lessons == {path.relative_to(ROOT).as_posix() for path in ours}
