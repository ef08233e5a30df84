"""One side of the training step, in a process of its own.

``python -m tests.bench.ours FOLDER LOSS PRECISION``, and ``published`` alike.
The first line it prints is what it found in its first step. Then it reads how
many steps to make, prints what one took, and waits: the other side's turn.
"""

import json
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from srlab.machine import PRECISIONS, pick_device
from srlab.models import SrResNet
from tests.bench.floor import seconds_of

LEARNING_RATE = 1e-4
LAYER_WEIGHTS = {"relu3_3": 5.0, "relu4_3": 15.0, "relu5_3": 2.0}
STYLE_WEIGHT = 5e3

Step = Callable[[], Tensor]


@dataclass(frozen=True)
class Problem:
    """What both sides start from: everything on the device, in the default layout."""

    loss: str
    precision: torch.dtype
    device: torch.device
    pair: tuple[Tensor, Tensor]
    model: nn.Module
    vgg: nn.Sequential | None  # the pixel loss has none


def new_network() -> SrResNet:
    """64 features, 8 blocks, x4; not quite at its start, where most gradients are zero."""
    model = SrResNet(4, num_features=64, num_blocks=8)
    model.upsampler.to_rgb[0].reset_parameters()
    return model


def new_vgg() -> nn.Sequential:
    """vgg16_bn's layers, with random weights at which the features keep their size."""
    from torchvision.models.vgg import cfgs, make_layers

    vgg = make_layers(cfgs["D"], batch_norm=True)
    for layer in vgg:
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
            nn.init.zeros_(layer.bias)
    return vgg.eval().requires_grad_(False)


def save_problem(folder: Path, pair: tuple[Tensor, Tensor]) -> None:
    """Write the batch and both networks' weights for the contenders."""
    torch.save([side.cpu() for side in pair], folder / "pair.pt")
    torch.save(new_network().state_dict(), folder / "model.pt")
    torch.save(new_vgg().state_dict(), folder / "vgg.pt")


def load_problem(folder: Path, loss: str, precision: str) -> Problem:
    device = pick_device()
    kind = torch.float64 if precision == "fp64" else torch.float32  # of what is stored
    lr, hr = torch.load(folder / "pair.pt", weights_only=True)
    model = _load(new_network(), folder / "model.pt").to(device, kind)
    vgg = _load(new_vgg(), folder / "vgg.pt").to(device, kind) if loss == "expanded" else None
    pair = lr.to(device, kind), hr.to(device, kind)
    return Problem(loss, PRECISIONS.get(precision, kind), device, pair, model, vgg)


def _load(network: nn.Module, file: Path) -> nn.Module:
    network.load_state_dict(torch.load(file, weights_only=True))
    return network


def contend(begin: Callable[[Problem], tuple[nn.Module, Step]], versions: str) -> None:
    """Make the first step, then those that are asked for on standard input.

    Args:
        begin: gives the network in training and its step, which returns the
            loss and leaves its gradient in the parameters.
        versions: of what this side is made of.
    """
    folder, loss, precision = sys.argv[1:]
    before = resident_gib("VmRSS")
    model, step = begin(load_problem(Path(folder), loss, precision))
    device = pick_device().type
    first = step().item()
    _save_gradient(model, Path(folder) / f"{Path(sys.argv[0]).stem}-{loss}-{precision}.pt")
    _say(loss=first, versions=versions, before_gib=before)
    for line in sys.stdin:
        seconds = seconds_of(step, int(line), device)
        _say(seconds=seconds, peak_gib=peak_gib(device))


def _save_gradient(model: nn.Module, file: Path) -> None:
    gradient = [p.grad.detach().flatten().double().cpu() for p in model.parameters()]
    torch.save(torch.cat(gradient), file)


def peak_gib(device: str) -> float:
    """The most this process has held: of the GPU's memory, or else of the machine's."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated() / 2**30
    return resident_gib("VmHWM")


def resident_gib(name: str) -> float:
    """One of Linux' sums on this process, in GiB."""
    found = re.search(rf"{name}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) / 2**20 if found else float("nan")


def _say(**facts: Any) -> None:
    print(json.dumps(facts), flush=True)
