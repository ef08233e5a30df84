"""Is everything in place? One finding a line."""

import hashlib
import os
import platform
import shutil
import sys
import tempfile
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from srlab.files import ASSETS, cache_folder
from srlab.machine import pick_device, pick_precision, precision_file

if TYPE_CHECKING:
    import torch

PACKAGES = ("torch", "torchvision", "jupyterlab", "ipywidgets", "anywidget")
NEEDED_GIB = 2.0


@dataclass(frozen=True)
class Finding:
    """One thing looked at, and whether it is fine."""

    subject: str
    text: str
    fine: bool = True


def examine() -> list[Finding]:
    """Look at versions, device, memory, assets, browser and write access."""
    looks = (_python, _packages, _device, _memory, _assets, _browser, _write_access)
    return [look() for look in looks]


def _python() -> Finding:
    fine = sys.version_info >= (3, 11)
    return Finding("python", f"{platform.python_version()} (3.11 or later is needed)", fine)


def _packages() -> Finding:
    found = {name: _version(name) for name in PACKAGES}
    text = ", ".join(f"{name} {number or 'missing'}" for name, number in found.items())
    return Finding("packages", text, all(found.values()))


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _device() -> Finding:
    import torch

    try:
        device = pick_device()
    except ValueError as error:  # SRLAB_DEVICE
        return Finding("device", str(error), False)

    name = torch.cuda.get_device_name() if device.type == "cuda" else platform.processor()
    about = f"{device} {name}".strip()
    return Finding(
        "device", f"{about}, {torch.get_num_threads()} threads, {_precision(device)}"
    )


def _precision(device: "torch.device") -> str:
    """The precision, and where a trial's outcome is kept."""
    precision = pick_precision(device)
    tried = device.type == "cpu" and os.environ.get("SRLAB_PRECISION", "auto") == "auto"
    if not tried or not precision_file().exists():
        return precision
    return f"{precision} (by a trial, kept in {precision_file()}; delete it to try again)"


def _memory() -> Finding:
    free = _free_gib()
    if free is None:
        return Finding("memory", f"unknown here; {NEEDED_GIB:.0f} GiB free are enough")
    text = f"{free:.1f} GiB free ({NEEDED_GIB:.0f} are enough)"
    return Finding("memory", text, free >= NEEDED_GIB)


def _free_gib() -> float | None:
    """Memory that programs can have, with what Linux lends to its file cache."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:  # Windows, macOS
        return None
    sizes = dict(line.split(":", 1) for line in lines)
    return int(sizes["MemAvailable"].split()[0]) / 2**20


def _assets() -> Finding:
    sums = (ASSETS / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    wanted = {name.strip(): digest for digest, name in (line.split("  ", 1) for line in sums)}
    bad = [name for name, digest in wanted.items() if _sha256(ASSETS / name) != digest]
    if bad:
        return Finding("assets", f"missing or changed: {', '.join(bad)}; install again", False)
    return Finding("assets", f"{len(wanted)} files intact")


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def _browser() -> Finding:
    """JupyterLab needs any browser; none found here is no fault of a server."""
    names = ("chromium", "chromium-browser", "google-chrome", "firefox", "microsoft-edge")
    found = next(filter(None, map(shutil.which, names)), None)
    return Finding("browser", found or "none on the path; any modern browser will do")


def _write_access() -> Finding:
    places = [Path.cwd(), cache_folder()]
    locked = [str(place) for place in places if not _can_write(place)]
    if locked:
        return Finding("writing", f"no access to {', '.join(locked)}", False)
    return Finding("writing", ", ".join(map(str, places)))


def _can_write(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False
