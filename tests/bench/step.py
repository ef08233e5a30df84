"""One training step, ours against the published way, in turns."""

import json
import statistics
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from srlab.data import get_data
from srlab.machine import pick_device
from srlab.scoring import count_multiply_adds
from tests.bench.contender import new_network, new_vgg, save_problem
from tests.bench.floor import matmul_rate, network_rate
from tests.bench.peers import provide_peers

BATCH, SIZES = 8, (24, 96)
LOSSES = ("expanded", "pixel")
SIDES = {
    "published fp32": ("published", "fp32"),
    "ours fp32": ("ours", "fp32"),
    "ours bf16": ("ours", "bf16"),
}
PUBLISHED = "published fp32"
WARM_UP, BLOCKS, BLOCK_SECONDS = 3, 8, 1.0
ROOT = Path(__file__).parents[2]


class Contender:
    """A side of the step, running in a process of its own while the block lasts."""

    def __init__(self, python: Path, folder: Path, side: str, loss: str, precision: str):
        self.command = [
            str(python), "-W", "ignore", "-m", f"tests.bench.{side}",
            str(folder), loss, precision,
        ]  # fmt: skip
        self.gradient_file = folder / f"{side}-{loss}-{precision}.pt"
        self.blocks: list[float] = []

    def __enter__(self) -> Self:
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(
            self.command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True
        )
        self.facts = self._answer()
        self.gradient = torch.load(self.gradient_file, weights_only=True)
        return self

    def __exit__(self, *_: object) -> None:
        self.process.communicate()  # closes its input, at which it ends

    def run(self, steps: int) -> float:
        """Mean seconds of so many steps."""
        print(steps, file=self.process.stdin, flush=True)
        self.facts |= self._answer()
        return self.facts["seconds"]

    def run_block(self) -> None:
        """About as many steps as the last time said fit into ``BLOCK_SECONDS``."""
        self.blocks.append(self.run(max(2, round(BLOCK_SECONDS / self.facts["seconds"]))))

    def _answer(self) -> dict[str, Any]:
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{' '.join(self.command[4:])} ended too soon")
        return json.loads(line)


def measure_step(blocks: int = BLOCKS) -> dict[str, Any]:
    """Median time of each side, equality, share of the floor, and memory."""
    figures: dict[str, Any] = {
        "vgg16_bn": "random weights (nothing is downloaded), which cost the same time"
    }
    torch.manual_seed(0)  # the same weights in every run
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        save_problem(folder, get_data(BATCH, SIZES)[0])
        for loss in LOSSES:
            of_loss = _measure_loss(folder, loss, blocks)
            figures |= {f"{loss}, {key}": value for key, value in of_loss.items()}
    return figures


def _measure_loss(folder: Path, loss: str, blocks: int) -> dict[str, Any]:
    pythons = {"ours": Path(sys.executable), "published": provide_peers()}

    def contender(side: str, precision: str) -> Contender:
        return Contender(pythons[side], folder, side, loss, precision)

    with contender("published", "fp64") as exact:
        pass  # its first step is all that is wanted of it
    with ExitStack() as stack:
        sides = {name: stack.enter_context(contender(*SIDES[name])) for name in SIDES}
        _take_turns(sides, blocks)
    return _figures(sides, exact, loss)


def _take_turns(sides: dict[str, Contender], blocks: int) -> None:
    for side in sides.values():
        side.run(WARM_UP)
    for _ in range(blocks):
        for side in sides.values():
            side.run_block()


def _figures(sides: dict[str, Contender], exact: Contender, loss: str) -> dict[str, Any]:
    published = sides[PUBLISHED]
    work, device = count_operations(loss), pick_device().type
    figures: dict[str, Any] = {}
    for name, side in sides.items():
        seconds = statistics.median(side.blocks)
        precision = SIDES[name][1]
        of_side = {
            "made of": side.facts["versions"],
            "ms a step": 1000 * seconds,
            "share of the matmul rate": work / seconds / matmul_rate(device, precision),
            "share of it at these sizes": work / seconds / network_rate(device, precision),
            "peak GiB": side.facts["peak_gib"],
            "GiB before the first step": side.facts["before_gib"],
            **_compare(side, exact, "fp64"),
        }
        if side is not published:
            of_side["times faster"] = statistics.median(published.blocks) / seconds
            of_side |= _compare(side, published, "published")
        figures |= {f"{name}: {key}": value for key, value in of_side.items()}
    return figures


def _compare(side: Contender, other: Contender, name: str) -> dict[str, float]:
    """How far the loss and the gradient of the first step are from another side's."""
    return {
        f"loss off {name} by": abs(side.facts["loss"] / other.facts["loss"] - 1),
        f"gradient off {name} by": difference(side.gradient, other.gradient),
    }


def count_operations(loss: str) -> int:
    """FLOP of the convolutions in one step: forward, and twice as much backward.

    The VGG learns nothing, so its way back costs one forward; the other look,
    at the truth, is the third.
    """
    lr_size, hr_size = SIZES
    adds = count_multiply_adds(new_network(), lr_size, lr_size)
    if loss == "expanded":
        adds += count_multiply_adds(new_vgg(), hr_size, hr_size)
    return 2 * 3 * BATCH * adds


def difference(ours: Tensor, theirs: Tensor) -> float:
    """Length of the difference of two gradients, as a share of theirs."""
    return ((ours - theirs).norm() / theirs.norm()).item()
