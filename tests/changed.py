"""The unit tests of what changed: ``python -m tests.changed [commit]`` names their files.

A module is tested by the file of its name, or of its folder's, and by those that name it
in their code. One that no test names is tested with the modules that use it.
"""

import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).parents[1]

ELSEWHERE = {"lessons": ["tests/test_lessons.py", "tests/test_teaching_guide.py"]}
"""What looks after a folder without Python; test_setup.py looks after the rest."""


def changed_files(since: str = "HEAD", root: Path = ROOT) -> list[str]:
    """What differs from a commit, and what git does not know yet; deleted files too."""
    differing = ["git", "diff", "--name-only", "--no-renames", since]
    unknown = ["git", "ls-files", "--others", "--exclude-standard"]
    said = [
        subprocess.run(call, cwd=root, capture_output=True, text=True, check=True).stdout
        for call in (differing, unknown)
    ]
    return sorted({line for text in said for line in text.splitlines()})


def units_of(files: Iterable[str], root: Path = ROOT) -> list[str]:
    """The files of unit tests to run after a change of ``files``."""
    paths = [*root.glob("tests/test_*.py"), *root.glob("srlab/**/*.py")]
    codes = {path.relative_to(root).as_posix(): path.read_text("utf-8") for path in paths}
    found = {test for file in files for test in _units_of(PurePosixPath(file), codes)}
    return sorted(found & codes.keys())  # one that was deleted cannot run


def _units_of(file: PurePosixPath, codes: Mapping[str, str]) -> list[str]:
    top = file.parts[0]
    if file.suffix == ".md":
        return [*ELSEWHERE.get(top, ()), "tests/test_documents.py", "tests/test_setup.py"]
    if top not in ("srlab", "tests"):
        return ELSEWHERE.get(top, ["tests/test_setup.py"])
    if file.suffix != ".py":  # a style sheet, or an asset
        return [f"tests/test_{file.stem}.py", "tests/test_setup.py"]
    if file.stem.startswith("test_"):
        return [str(file)]
    own = [f"tests/test_{name}.py" for name in (file.stem, file.parent.name)]
    return [*own, "tests/test_layering.py", *_tests_through(str(file), codes)]


def _tests_through(file: str, codes: Mapping[str, str]) -> set[str]:
    """The tests that name a module; if none does, those of the modules that do."""
    reached, tests = {file}, set[str]()
    while not tests:
        using = {user for user, code in codes.items() for one in reached if names(code, one)}
        tests = {user for user in using if user.startswith("tests/")}
        if using <= reached:
            break
        reached |= using
    return tests


def names(code: str, file: str) -> bool:
    """Whether some code imports a module, or speaks of it by its whole name.

    Example:
        >>> names("from srlab.widgets import dials, live", "srlab/widgets/live.py")
        True
    """
    module = ".".join(PurePosixPath(file).with_suffix("").parts)
    if module.endswith(".__init__"):  # the folder's own name, not that of a module in it
        return re.search(rf"\b{re.escape(module[:-9])}\b(?!\.\w)", code) is not None
    parent, _, name = module.rpartition(".")
    imported = rf"^from {re.escape(parent)} import .*\b{name}\b"
    return re.search(rf"\b{re.escape(module)}\b|{imported}", code, re.MULTILINE) is not None


if __name__ == "__main__":
    print(*units_of(changed_files(*sys.argv[1:])))
