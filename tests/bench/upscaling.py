"""Upscaling: beside plain fp32 PyTorch in this process, and by ``srlab upscale`` in its own."""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from srlab.files import ASSETS
from srlab.images import read_image
from srlab.inference import upscale
from srlab.machine import pick_device, pick_precision
from srlab.scoring import count_multiply_adds
from srlab.zoo import load_model
from tests.bench.floor import matmul_rate, seconds_of
from tests.memory import peak_gib

PICTURE = ASSETS / "photos" / "forest-stream.jpg"
CASES = {"12 megapixels x2": ((4000, 3000), 2), "288 x 288 px x4": ((288, 288), 4)}
MODEL, SIDE, SCALE = "pixel-x4", 288, 4
ROUNDS = 7


def measure_upscaling() -> dict[str, Any]:
    return {**_side_by_side(), **_by_command()}


def _side_by_side() -> dict[str, Any]:
    """From a picture in memory to a picture in memory, in turns."""
    device = pick_device().type
    small = Image.open(PICTURE).convert("RGB").resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    ours = load_model(MODEL, SCALE)
    plain = load_model(MODEL, SCALE).to(memory_format=torch.contiguous_format)

    @torch.inference_mode()
    def plainly() -> None:
        sr = plain(read_image(small).to(device))
        pixels = sr.clamp(0, 1).mul(255).round().byte()[0].cpu()
        Image.fromarray(pixels.permute(1, 2, 0).numpy())

    ways = {"plain fp32": plainly, "srlab": lambda: upscale(small, ours, SCALE)}
    times: dict[str, list[float]] = {name: [] for name in ways}
    for way in ways.values():
        way()
    for _ in range(ROUNDS):
        for name, way in ways.items():
            times[name].append(seconds_of(way, 1, device))
    seconds = {name: statistics.median(found) for name, found in times.items()}
    work = 2 * count_multiply_adds(ours, SIDE, SIDE)
    precision = pick_precision(device)
    case = f"{SIDE} x {SIDE} px x{SCALE}, {MODEL}"
    return {
        **{f"{case}, {name}: ms": 1000 * found for name, found in seconds.items()},
        f"{case}: times faster": seconds["plain fp32"] / seconds["srlab"],
        f"{case}: pictures a second": 1 / seconds["srlab"],
        f"{case}: share of the {precision} matmul rate": work
        / seconds["srlab"]
        / matmul_rate(device, precision),
    }


def _by_command() -> dict[str, float]:
    """Seconds and peak memory of whole commands."""
    figures: dict[str, float] = {}
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
