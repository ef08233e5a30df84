"""What a minute of lesson 01's training gives, with bfloat16 and without."""

import statistics
import time
from pathlib import Path
from typing import Any

import torch

from srlab.data import get_data
from srlab.inference import build_model
from srlab.losses import pixel_loss
from srlab.machine import PRECISIONS, bf16_speedup, pick_device, pick_precision, place
from srlab.runcard import ModelSpec, Stage
from srlab.scoring import score_models
from srlab.sources import load_folder, load_photos
from srlab.training import cosine_schedule, train

WARM_UP, TRIAL = 10, 100  # steps


def measure_minute(set5: Path | None, seconds: float) -> dict[str, Any]:
    """Train for ``seconds`` in each precision; score on Set5 or the test photographs."""
    photos = load_folder(set5) if set5 else load_photos("embedded", "test")
    figures: dict[str, Any] = {
        "measured on": set5.name if set5 else "embedded test photographs"
    }
    figures["bf16 is faster by"] = bf16_speedup()
    for precision in dict.fromkeys([pick_precision(pick_device()), "fp32"]):
        figures |= {
            f"{precision}: {k}": v for k, v in _minute(photos, precision, seconds).items()
        }
    return figures


def _minute(photos: dict[str, torch.Tensor], precision: str, seconds: float) -> dict[str, Any]:
    step_seconds = statistics.mean(_train(WARM_UP + TRIAL, precision)[1][WARM_UP:])
    steps = round(seconds / step_seconds)  # the schedule must know its end
    began = time.monotonic()
    model, _ = _train(steps, precision)
    took = time.monotonic() - began
    bicubic, own = score_models(photos, {"network": model}, scale=model.scale)
    return {
        "ms a step": 1000 * step_seconds,
        "share of the data in a step": _data_seconds() / step_seconds,
        "steps": steps,
        "seconds": took,
        "PSNR Y": own["psnr_y"],
        "PSNR Y of bicubic": bicubic["psnr_y"],
        "sharpness": own["sharpness"],
        "protocol": own["protocol"],
    }


def _train(steps: int, precision: str) -> tuple[torch.nn.Module, list[float]]:
    """The network and recipe of lesson 01; seconds of each step."""
    stage, device = Stage(), pick_device()
    torch.manual_seed(0)
    model = place(build_model(ModelSpec(num_blocks=6), stage.scale), device)
    optimizer = torch.optim.Adam(model.parameters(), stage.learning_rate, fused=True)
    data = _data()
    training = train(
        model, data, pixel_loss(), optimizer, steps=steps,
        schedule=cosine_schedule(stage.learning_rate), precision=PRECISIONS[precision],
    )  # fmt: skip
    return model, [step.seconds for step in training]


def _data():
    stage = Stage()
    sizes = stage.hr_size // stage.scale, stage.hr_size
    return get_data(stage.batch_size, sizes, device=pick_device())


def _data_seconds() -> float:
    """Median time to make one batch."""
    data, times = _data(), []
    for index in range(TRIAL):
        began = time.perf_counter()
        data[index]
        times.append(time.perf_counter() - began)
    return statistics.median(times[WARM_UP:])
