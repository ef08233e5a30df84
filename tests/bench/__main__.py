"""``python -m tests.bench [PART ...] [--set5 FOLDER] [--json FILE]``."""

import argparse
import json
import platform
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import torch

from srlab.files import replacing
from srlab.machine import processor_name
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

RESULTS = Path("runs/bench.json")
PARTS: dict[str, Callable[[argparse.Namespace], Figures]] = {
    "floor": lambda _: measure_floor(),
    "step": lambda _: measure_step(),
    "growth": lambda _: measure_growth(),
    "minute": lambda options: measure_minute(options.set5, options.seconds),
    "upscale": lambda _: measure_upscaling(),
    "waiting": lambda _: measure_waiting(),
    "slider": lambda _: measure_slider(),
    "lessons": lambda _: measure_lessons(),
    "classroom": lambda options: measure_classroom(options.learners),
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("parts", nargs="*", help=f"{', '.join(PARTS)}: all, if none is named")
    parser.add_argument("--set5", type=Path, help="folder of the Set5 pictures, if you have it")
    parser.add_argument("--seconds", type=float, default=60, help="length of the minute")
    parser.add_argument("--learners", type=int, default=4, help="of the classroom, 2 or more")
    parser.add_argument(
        "--json", type=Path, default=RESULTS, help=f"where the figures go; default {RESULTS}"
    )
    options = parser.parse_args()
    unknown = set(options.parts) - set(PARTS)
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}; there are {', '.join(PARTS)}")
    figures: Figures = {"machine": machine()}
    show("machine", figures["machine"])
    for name in options.parts or PARTS:
        figures[name] = PARTS[name](options)
        show(name, figures[name])
        write(figures, options.json)  # after each part, so that a stop keeps what is done


def write(figures: Figures, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as part:
        part.write_text(json.dumps(figures, indent=2) + "\n")


def machine() -> Figures:
    return {
        "date": date.today().isoformat(),
        "processor": processor_name(),
        "its instructions": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else "none",
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def show(name: str, figures: Figures) -> None:
    print(f"\n{name}")
    for key, value in figures.items():
        print(f"  {key:44} {value:.3f}" if isinstance(value, float) else f"  {key:44} {value}")


if __name__ == "__main__":
    main()
