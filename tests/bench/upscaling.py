"""Time and peak memory of ``srlab upscale``, each run a process of its own."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from PIL import Image

from srlab.sources import ASSETS
from tests.memory import peak_gib

PICTURE = ASSETS / "photos" / "forest-stream.jpg"
CASES = {"12 megapixels x2": ((4000, 3000), 2), "288 x 288 px x4": ((288, 288), 4)}


def measure_upscaling() -> dict[str, Any]:
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, (size, scale) in CASES.items():
            photo = Path(folder) / f"photo-{size[0]}.png"
            Image.open(PICTURE).resize(size, Image.Resampling.BICUBIC).save(photo)
            seconds, peak = run_srlab(
                ["upscale", str(photo), "--scale", str(scale), "--out", folder]
            )
            result = Image.open(Path(folder) / f"{photo.stem}_x{scale}.png")
            if result.size != (size[0] * scale, size[1] * scale):
                raise RuntimeError(f"{name} came out as {result.size}")
            figures[f"{name}: seconds, start included"] = seconds
            figures[f"{name}: peak GiB"] = peak
    return figures


def run_srlab(arguments: list[str]) -> tuple[float, float]:
    """Wall seconds and peak resident GiB of one ``srlab`` command."""
    began = time.monotonic()
    process = subprocess.Popen([sys.executable, "-m", "srlab", *arguments])
    peak = peak_gib(process)
    if process.returncode:
        raise RuntimeError(f"srlab {' '.join(arguments)} ended with {process.returncode}")
    return time.monotonic() - began, peak
