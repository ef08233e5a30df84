"""What a minute of lesson 01's training gives: ours in bfloat16 and fp32, and fast.ai's way."""

import json
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from srlab.data import load_folder, load_photos
from srlab.losses import pixel_loss
from srlab.machine import PRECISIONS, bf16_speedup, pick_device, pick_precision, place
from srlab.runcard import Stage
from srlab.scoring import score_models
from srlab.training import cosine_schedule, train
from tests.bench.minute_problem import MANY, new_batches, new_model
from tests.bench.peers import provide_peers
from tests.bench.snapshots import Snapshots

ROOT = Path(__file__).parents[2]


def measure_minute(set5: Path | None, seconds: float) -> dict[str, Any]:
    """Train for ``seconds`` each way; score on Set5 or the test photographs."""
    photos = load_folder(set5) if set5 else load_photos("embedded", "test")
    figures: dict[str, Any] = {
        "measured on": set5.name if set5 else "embedded test photographs",
        "bf16 is faster by": bf16_speedup(),
        "ms to make a batch": 1000 * _data_seconds(),
    }
    ways: dict[str, Callable[[Path, float], None]] = {
        f"ours {precision}": lambda folder, s, p=precision: _train_ours(folder, s, p)
        for precision in dict.fromkeys([pick_precision(pick_device()), "fp32"])
    }
    for name, way in {**ways, "published fp32": _train_published}.items():
        with tempfile.TemporaryDirectory() as folder:
            way(Path(folder), seconds)
            curve = _read_curve(Path(folder), photos)
        figures |= {f"{name}: {key}": value for key, value in curve.items()}
    return figures


def _train_ours(folder: Path, seconds: float, precision: str) -> None:
    rate = Stage().learning_rate
    model = place(new_model(), pick_device())
    optimizer = torch.optim.Adam(model.parameters(), rate, fused=True)
    batches, cosine = new_batches(), cosine_schedule(rate)
    snapshots = Snapshots(folder, seconds)
    training = train(
        model, batches, pixel_loss(), optimizer, steps=MANY,
        schedule=lambda _: cosine(snapshots.share), precision=PRECISIONS[precision],
    )  # fmt: skip
    for step in training:
        if snapshots.share == 1:
            break
        snapshots.look(model, step.number)
    snapshots.finish(model, step.number)


def _train_published(folder: Path, seconds: float) -> None:
    command = [
        str(provide_peers()), "-W", "ignore", "-m", "tests.bench.minute_published",
        str(folder), str(seconds),
    ]  # fmt: skip
    subprocess.run(command, cwd=ROOT, check=True)


def _read_curve(folder: Path, photos: dict[str, Tensor]) -> dict[str, Any]:
    """PSNR after each sixth of the time, with bicubic's and the protocol."""
    figures: dict[str, Any] = {}
    model = new_model()
    for number, (seconds, steps) in enumerate(
        json.loads((folder / "times.json").read_text()), start=1
    ):
        model.load_state_dict(torch.load(folder / f"{number}.pt", weights_only=True))
        bicubic, own = score_models(photos, {"network": model}, scale=model.scale)
        figures[f"PSNR Y after {seconds:.0f} s, {steps} steps"] = own["psnr_y"]
    return figures | {
        "ms a step": 1000 * seconds / steps,
        "share of the data in a step": _data_seconds() * steps / seconds,
        "sharpness": own["sharpness"],
        "PSNR Y of bicubic": bicubic["psnr_y"],
        "protocol": own["protocol"],
    }


def _data_seconds() -> float:
    """Median time to make one batch."""
    data, times = new_batches(), []
    for index in range(100):
        began = time.perf_counter()
        data[index]
        times.append(time.perf_counter() - began)
    return statistics.median(times)
