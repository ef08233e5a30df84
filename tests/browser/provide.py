"""Find a Chromium, or install one: ``python -m tests.browser.provide``."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

# The first draws the same with a fifth less work.
COMMANDS = (
    "chromium-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
)

USUAL_PLACES = (
    "/usr/bin/chromium",
    "/usr/bin/chromium-browser",
    "/usr/bin/google-chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
    "{ProgramFiles}/Google/Chrome/Application/chrome.exe",
    "{ProgramFiles(x86)}/Google/Chrome/Application/chrome.exe",
    "{LocalAppData}/Google/Chrome/Application/chrome.exe",
    "{ProgramFiles(x86)}/Microsoft/Edge/Application/msedge.exe",
)


def find_chromium() -> Path | None:
    """The first Chromium of this machine that runs.

    Looks at ``$CHROMIUM``, then for Playwright's own, then in the usual
    places of Linux, macOS and Windows.

    Raises:
        ValueError: if ``$CHROMIUM`` is set, but does not run.
    """
    wanted = os.environ.get("CHROMIUM")
    if wanted:
        if not runs(Path(wanted)):
            raise ValueError(
                f"CHROMIUM is {wanted!r}, but no browser runs there; "
                f"correct it, or unset it to have one looked for."
            )
        return Path(wanted)
    return next((path for path in _candidates() if runs(path)), None)


def runs(browser: Path) -> bool:
    """Whether ``browser`` is a program that can tell its version."""
    if not browser.is_file():
        return False
    if sys.platform == "win32":  # there --version opens a window
        return True
    try:
        ended = subprocess.run([browser, "--version"], capture_output=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return ended.returncode == 0


def install_chromium() -> Path | None:
    """Try Playwright's download, then Debian's package; None if both fail."""
    _try([sys.executable, "-m", "playwright", "install", "chromium"])
    found = find_chromium()
    if found is None and _is_debian_root():
        _try(["apt-get", "update"])
        packages = ["chromium", "fonts-liberation"]  # without a font, text is empty boxes
        _try(["apt-get", "install", "-y", "--no-install-recommends", *packages])
        found = find_chromium()
    return found


def main() -> int:
    """Print the path of a Chromium; return the exit status."""
    try:
        found = find_chromium() or install_chromium()
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    if found is None:
        print(
            "No Chromium was found, and none could be installed; install Chromium "
            "or Chrome, or set CHROMIUM to the path of one.",
            file=sys.stderr,
        )
        return 1
    print(found)
    return 0


def _candidates() -> Iterator[Path]:
    """Where a Chromium may be, the likeliest first."""
    yield from _playwrights_own()
    yield from (Path(found) for name in COMMANDS if (found := shutil.which(name)))
    for place in USUAL_PLACES:
        try:
            yield Path(place.format_map(os.environ))
        except KeyError:  # a folder that this system does not name
            continue


def _playwrights_own() -> Iterator[Path]:
    """Where Playwright's own download is, if it was ever made."""
    code = (
        "from playwright.sync_api import sync_playwright as start\n"
        "with start() as playwright: print(playwright.chromium.executable_path)"
    )
    # In a process of its own: it may not be started within a running event loop.
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    if ended.returncode == 0:
        yield Path(ended.stdout.strip())


def _is_debian_root() -> bool:
    """Whether apt-get is here and this process may use it."""
    geteuid = getattr(os, "geteuid", None)  # not on Windows
    return shutil.which("apt-get") is not None and geteuid is not None and geteuid() == 0


def _try(command: list[str]) -> None:
    """Run ``command``, with its output beside the errors, whatever comes of it."""
    print("$ " + " ".join(command), file=sys.stderr)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        subprocess.run(command, stdout=sys.stderr, env=environment, timeout=600)
    except (OSError, subprocess.TimeoutExpired) as error:
        print(error, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
