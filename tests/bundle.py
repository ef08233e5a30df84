"""A folder that installs and runs srlab on a machine without any network.

    python -m tests.bundle DIR [--extra app ...]

It holds the wheels of what srlab needs, as requirements.lock pins them, for the
platform and the Python that make it; the wheel of srlab with its lessons; a
script that installs them into an environment beside it; and a page that says how.
What the tests need is left out.
"""

import argparse
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

ROOT = Path(__file__).parents[1]
TEMPLATES = Path(__file__).parent / "bundle_files"
MARK = ".srlab-bundle"
NOT_FOR_LEARNERS = "test"


def needed(extras: Iterable[str] = ()) -> set[str]:
    """The names of all packages that srlab needs here, with those of its extras.

    Raises:
        ValueError: if srlab has no such extra, or one of them is not installed.
    """
    seen: set[tuple[str, frozenset[str]]] = set()
    left = [("srlab", frozenset(extras))]
    while left:
        name, wanted = step = left.pop()
        if step not in seen:
            seen.add(step)
            left += [
                (canonicalize_name(one.name), frozenset(one.extras))
                for one in _requirements(name, wanted)
            ]
    return {name for name, _ in seen} - {"srlab"}


def locked_lines(names: set[str], lock: str) -> list[str]:
    """The lines of a lock for ``names`` on this platform, each with its hashes.

    Raises:
        ValueError: if the lock lacks one of them.
    """
    joined = re.sub(r"^\s*#.*$", "", lock, flags=re.MULTILINE).replace("\\\n", " ")
    lines = [" ".join(line.split()) for line in joined.splitlines() if line.strip()]
    chosen: dict[str, str] = {}
    for line in lines:
        requirement = Requirement(line.split(" --hash=")[0])
        applies = not requirement.marker or requirement.marker.evaluate()
        if applies and canonicalize_name(requirement.name) in names:
            chosen[canonicalize_name(requirement.name)] = line
    if missing := sorted(names - chosen.keys()):
        raise ValueError(
            f"requirements.lock pins no {', '.join(missing)} for this platform; run make lock."
        )
    return [chosen[name] for name in sorted(chosen)]


def make_bundle(folder: Path, extras: Sequence[str] = ()) -> None:
    """Write the whole bundle.

    Raises:
        ValueError: if ``folder`` holds other files, or an extra is unknown.
        subprocess.CalledProcessError: if a wheel cannot be downloaded or built.
    """
    lines = locked_lines(needed(extras), (ROOT / "requirements.lock").read_text())
    start_folder(folder)
    asked = folder / "asked.txt"
    asked.write_text("\n".join(lines) + "\n")
    command = [sys.executable, "-m", "pip", "download", "--require-hashes", "--no-deps"]
    how = ["--only-binary=:all:", "--disable-pip-version-check", "--quiet"]
    subprocess.run([*command, *how, "-r", asked, "-d", folder / "wheels"], check=True)
    asked.unlink()
    build = ["uv", "build", "--wheel", "--quiet", "--out-dir", folder / "wheels", ROOT]
    subprocess.run([sys.executable, "-m", *build], check=True)
    (folder / "wheels" / ".gitignore").unlink(missing_ok=True)  # from uv
    finish_folder(folder)


def start_folder(folder: Path) -> None:
    """An empty folder for a bundle; an earlier bundle there is replaced."""
    if folder.exists() and any(folder.iterdir()) and not (folder / MARK).exists():
        raise ValueError(f"{folder} holds other files; name a new or an empty folder.")
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "wheels").mkdir(parents=True)
    (folder / MARK).touch()


def finish_folder(folder: Path) -> None:
    """What lies beside the wheels: their list with checksums, script and page."""
    wheels = sorted((folder / "wheels").glob("*.whl"))
    (folder / "requirements.txt").write_text("".join(map(_pinned, wheels)))
    script = "install.bat" if sys.platform == "win32" else "install.sh"
    for name in (script, "README.md"):
        text = (TEMPLATES / name).read_text(encoding="utf-8")
        newline = "\r\n" if name.endswith(".bat") else "\n"
        for word, value in _words(wheels, script).items():
            text = text.replace(word, value)
        (folder / name).write_text(text, encoding="utf-8", newline=newline)
    (folder / script).chmod(0o755)


def _requirements(name: str, extras: frozenset[str]) -> Iterator[Requirement]:
    """What a package asks for on this platform."""
    try:
        lines = requires(name) or []
    except PackageNotFoundError:
        raise ValueError(f"{name} is not installed here; run make install.") from None
    requirements = [Requirement(line) for line in lines]
    if name == "srlab" and (unknown := extras - _extras_of(lines)):
        there = ", ".join(sorted(_extras_of(lines) - {NOT_FOR_LEARNERS}))
        raise ValueError(f"srlab has no extra {', '.join(unknown)}; there are {there}.")
    for requirement in requirements:
        marker = requirement.marker
        if not marker or any(marker.evaluate({"extra": one}) for one in ("", *extras)):
            yield requirement


def _extras_of(lines: Iterable[str]) -> set[str]:
    found = (re.search(r"extra == ['\"](.+?)['\"]", line) for line in lines)
    return {match[1] for match in found if match}


def _pinned(wheel: Path) -> str:
    """A line for pip that takes this very file."""
    name, version, *_ = parse_wheel_filename(wheel.name)
    with wheel.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return f"{name}=={version} --hash=sha256:{digest}\n"


def _words(wheels: Sequence[Path], script: str) -> dict[str, str]:
    """What the script and the page say of this bundle."""
    return {
        "@PYTHON@": f"{sys.version_info.major}.{sys.version_info.minor}",
        "@SYSTEM@": platform.system(),
        "@MACHINE@": platform.machine(),
        "@SIZE@": f"{sum(wheel.stat().st_size for wheel in wheels) / 1e9:.1f} GB",
        "@INSTALL@": script if script.endswith(".bat") else f"sh {script}",
        "@SRLAB@": ".venv\\Scripts\\srlab" if os.name == "nt" else ".venv/bin/srlab",
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Make a bundle; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.bundle")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--extra", action="append", default=[], help="app, grading, ...")
    options = parser.parse_args(arguments)
    try:
        make_bundle(options.folder, options.extra)
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        print(f"No bundle was made, since this failed: {error.cmd[2:4]}.", file=sys.stderr)
        return 1
    size = sum(path.stat().st_size for path in options.folder.rglob("*") if path.is_file())
    print(f"{options.folder}: {size / 1e9:.1f} GB; its README.md says how to install it")
    return 0


if __name__ == "__main__":
    sys.exit(main())
