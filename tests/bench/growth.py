"""Cost as the work grows: a training step, and the upscaling of a picture."""

import statistics
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from srlab.data import get_data
from srlab.losses import pixel_loss
from srlab.machine import PRECISIONS, pick_device, pick_precision, place
from srlab.models import SrResNet
from srlab.training import training_step
from tests.bench.floor import seconds_of
from tests.bench.lines import fit_line
from tests.bench.upscaling import PICTURE, run_srlab

WARM_UP, ROUNDS, STEPS = 2, 5, 3
# px of a square picture, from where a tile has neighbors on all sides and so its full margin
SIDES = (1000, 1500, 2000, 3000)
SCALE = 2


@dataclass(frozen=True)
class Size:
    """A training step's; the crop is ``hr_size``, px."""

    batch: int = 8
    crop: int = 96
    width: int = 64
    depth: int = 8


@dataclass(frozen=True)
class Series:
    """One number of the size grows; what the step's work is proportional to, and its unit."""

    values: tuple[int, ...]
    work: Callable[[int], float]
    unit: str


SERIES = {
    "batch": Series((2, 4, 8, 16), float, "picture"),
    "crop": Series((48, 96, 144, 192), lambda crop: (crop / 96) ** 2, "96 x 96 px"),
    "width": Series((16, 32, 64, 96), lambda width: (width / 64) ** 2, "64 x 64 channels"),
    "depth": Series((2, 4, 8, 16), float, "block"),
}


def measure_growth() -> dict[str, Any]:
    """Step time by size, upscaling time and memory by pixels, with their lines."""
    precision = pick_precision(pick_device())
    figures: dict[str, Any] = {"precision of the training": precision}
    for name, series in SERIES.items():
        figures |= _step_line(name, series, precision)
    return figures | _upscaling_lines(SIDES)


def _step_line(name: str, series: Series, precision: str) -> dict[str, float]:
    """ms of a step for each value, in turns, and the line through them."""
    device = pick_device().type
    sizes = {value: replace(Size(), **{name: value}) for value in series.values}
    steps = {value: _prepare(size, precision) for value, size in sizes.items()}
    times: dict[int, list[float]] = {value: [] for value in steps}
    for step in steps.values():
        seconds_of(step, WARM_UP, device)
    for _ in range(ROUNDS):
        for value, step in steps.items():
            times[value].append(1000 * seconds_of(step, STEPS, device))
    medians = {value: statistics.median(found) for value, found in times.items()}
    figures = {f"{name} {value}: ms a step": found for value, found in medians.items()}
    costs = {series.work(value): found for value, found in medians.items()}
    return figures | line_figures(name, costs, f"ms for each {series.unit}")


def _prepare(size: Size, precision: str) -> Callable[[], object]:
    """A step of this size, ready to be made again and again on one batch."""
    device = pick_device()
    model = place(SrResNet(4, size.width, size.depth), device).train()
    optimizer = torch.optim.Adam(model.parameters(), 1e-4, fused=True)
    pair = get_data(size.batch, (size.crop // 4, size.crop), device=device)[0]
    kind = PRECISIONS[precision]
    return lambda: training_step(model, pair, pixel_loss(), optimizer, kind)


def _upscaling_lines(sides: tuple[int, ...]) -> dict[str, float]:
    """Seconds and peak memory of ``srlab upscale``, each run a process of its own."""
    seconds, memory = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        for side in sides:
            photo = Path(folder) / f"photo-{side}.png"
            Image.open(PICTURE).resize((side, side)).save(photo)
            seconds[side], memory[side] = run_srlab(
                ["upscale", str(photo), "--scale", str(SCALE), "--out", folder]
            )
    figures = {f"{side} x {side} px: seconds": found for side, found in seconds.items()}
    figures |= {f"{side} x {side} px: peak GiB": found for side, found in memory.items()}
    figures |= line_figures("upscaling", _by_pixels(seconds), "s for each megapixel")
    return figures | line_figures("memory", _by_pixels(memory), "GiB for each megapixel")


def _by_pixels(costs: dict[int, float]) -> dict[float, float]:
    return {side**2 / 1e6: cost for side, cost in costs.items()}


def line_figures(name: str, costs: dict[float, float], unit: str) -> dict[str, float]:
    """Slope and start of the line through work -> cost, and how straight it is."""
    line = fit_line(costs)
    return {
        f"{name}: {unit}": line.slope,
        f"{name}: start": line.start,
        f"{name}: off the line by at most": line.departure,
    }
