"""Which tests ``make check`` runs."""

import subprocess
from pathlib import Path

import pytest

from tests.changed import changed_files, units_of

TESTS = {
    "test_losses.py": "from srlab.losses import pixel_loss",
    "test_live.py": "from srlab.widgets import dials, live\nimport tests.watching",
    "test_runs.py": "from srlab.losses import tv_loss\npatch('srlab.runs.watch.look')",
    "test_setup.py": "",
    "test_lessons.py": "",
    "test_site.py": "",
    "test_compare.py": "from srlab.course.site import build_site",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository with a module and these tests."""
    (tmp_path / "tests").mkdir()
    (tmp_path / "srlab").mkdir()
    (tmp_path / "srlab" / "losses.py").write_text("from srlab.words import plural")
    (tmp_path / "srlab" / "words.py").touch()
    for name, code in TESTS.items():
        (tmp_path / "tests" / name).write_text(code)
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "-m", "all")
    return tmp_path


def git(root: Path, *words: str) -> None:
    own = ["-c", "user.name=a", "-c", "user.email=a@b.example", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *own, *words], cwd=root, check=True)


@pytest.mark.parametrize(
    ("changed", "tests"),
    [
        ("srlab/losses.py", "losses runs"),
        ("srlab/runs/watch.py", "runs"),
        ("srlab/widgets/live.py", "live"),
        ("srlab/widgets/dials.py", "live"),
        ("srlab/course/site/__init__.py", "compare site"),
        ("srlab/course/site/loaded_by_name.py", "site"),
        ("srlab/widgets/compare.js", "compare setup"),
        ("tests/watching.py", "live"),
        ("tests/test_losses.py", "losses"),
        ("tests/test_that_was_deleted.py", ""),
        ("lessons/01_pixel_loss.ipynb", "lessons"),
        ("Makefile", "setup"),
        ("srlab/words.py", "losses runs"),
        ("srlab/nobodys.py", ""),
    ],
)
def test_a_file_has_its_tests(root: Path, changed: str, tests: str) -> None:
    assert units_of([changed], root) == [f"tests/test_{name}.py" for name in tests.split()]


def test_what_changed_is_seen(root: Path) -> None:
    assert changed_files(root=root) == []
    (root / "srlab" / "losses.py").write_text("2")
    (root / "srlab" / "new.py").touch()
    (root / "tests" / "test_live.py").unlink()
    now = ["srlab/losses.py", "srlab/new.py", "tests/test_live.py"]
    assert changed_files(root=root) == now
    git(root, "add", "--all")
    assert changed_files(root=root) == now
    git(root, "commit", "--quiet", "-m", "more")
    assert changed_files(root=root) == []
    assert changed_files("HEAD~", root=root) == now
