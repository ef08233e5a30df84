"""``python -m tests.bench [PART ...] [--set5 FOLDER] [--json FILE]``."""

import argparse
import json
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from tests.bench.classroom import measure_classroom
from tests.bench.floor import measure_floor
from tests.bench.growth import measure_growth
from tests.bench.latency import measure_slider
from tests.bench.lessons import measure_lessons
from tests.bench.minute import measure_minute
from tests.bench.step import measure_step
from tests.bench.upscaling import measure_upscaling
from tests.bench.waiting import measure_waiting

Figures = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument(
        "parts",
        nargs="*",
        default=[],
        help="floor, step, growth, minute, upscale, waiting, slider, lessons, classroom: "
        "all, if none is named",
    )
    parser.add_argument(
        "--set5", type=Path, help="folder of the Set5 pictures, if you have them"
    )
    parser.add_argument("--seconds", type=float, default=60, help="length of the minute")
    parser.add_argument("--learners", type=int, default=4, help="of the classroom, 2 or more")
    parser.add_argument("--json", type=Path, help="write the figures here as well")
    options = parser.parse_args()
    parts: dict[str, Callable[[], Figures]] = {
        "floor": measure_floor,
        "step": measure_step,
        "growth": measure_growth,
        "minute": lambda: measure_minute(options.set5, options.seconds),
        "upscale": measure_upscaling,
        "waiting": measure_waiting,
        "slider": measure_slider,
        "lessons": measure_lessons,
        "classroom": lambda: measure_classroom(options.learners),
    }
    unknown = set(options.parts) - set(parts)
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}; there are {', '.join(parts)}")
    figures: Figures = {"machine": machine()}
    show("machine", figures["machine"])
    for name in options.parts or parts:
        figures[name] = parts[name]()
        show(name, figures[name])
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


def machine() -> Figures:
    return {
        "processor": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else "none",
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def show(name: str, figures: Figures) -> None:
    print(f"\n{name}")
    for key, value in figures.items():
        print(f"  {key:44} {value:.3f}" if isinstance(value, float) else f"  {key:44} {value}")


main()
