"""What this machine can do at most: matrix products and copies."""

import time
from collections.abc import Callable
from typing import Any

import torch

from srlab.machine import PRECISIONS

Shape = tuple[int, int, int]
SQUARE: Shape = (4096, 4096, 4096)
NETWORK: dict[Shape, int] = {
    (4608, 27, 64): 1,  # 8 x 24 x 24 px, 3 x 3 x channels in, channels out: the first
    (4608, 576, 64): 16,  # the two of each block
    (4608, 576, 256): 1,  # the first doubling
    (18432, 576, 12): 1,  # the second, to RGB
}
"""The convolutions of 64 features, 8 blocks, x4, batch 8, 24 px, as products of
``(m, k)`` with ``(k, n)`` -> how many there are."""
COPIED_BYTES = 2**28
LOOKS, LOOK_SECONDS = 7, 0.3
_shortest: dict[tuple[Shape, str, str], float] = {}


def measure_floor() -> dict[str, Any]:
    """Rates of the CPU, and of the GPU if there is one."""
    devices = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
    return {
        f"{device}: {name}": value
        for device in devices
        for name, value in _rates(device).items()
    }


def _rates(device: str) -> dict[str, float]:
    figures = {}
    for name in PRECISIONS:
        figures[f"{name} matmul {SQUARE[0]} square, TFLOP/s"] = matmul_rate(device, name) / 1e12
        figures[f"{name} matmul as in the network, TFLOP/s"] = network_rate(device, name) / 1e12
    return figures | {"copy, GB/s read and written": copy_rate(device) / 1e9}


def matmul_rate(device: str, precision: str) -> float:
    """FLOP/s of a large square product: what the others are held against."""
    return operations(SQUARE) / _product_seconds(SQUARE, device, precision)


def network_rate(device: str, precision: str) -> float:
    """FLOP/s of all products of the network's forward pass, one after another."""
    seconds = {shape: _product_seconds(shape, device, precision) for shape in NETWORK}
    done = sum(count * operations(shape) for shape, count in NETWORK.items())
    return done / sum(count * seconds[shape] for shape, count in NETWORK.items())


def copy_rate(device: str) -> float:
    """Bytes read and written in a second while a large tensor is copied."""
    source = torch.ones(COPIED_BYTES, dtype=torch.uint8, device=device)
    target = torch.zeros_like(source)
    return 2 * COPIED_BYTES / best_seconds(lambda: target.copy_(source), device)


def operations(shape: Shape) -> int:
    """Multiplications and additions of ``(m, k)`` times ``(k, n)``."""
    m, k, n = shape
    return 2 * m * k * n


def _product_seconds(shape: Shape, device: str, precision: str) -> float:
    """The shortest so far: a machine that is shared is not always equally fast."""
    m, k, n = shape
    left = torch.randn(m, k, device=device, dtype=PRECISIONS[precision])
    right = torch.randn(k, n, device=device, dtype=PRECISIONS[precision])
    out = left @ right
    seconds = best_seconds(lambda: torch.mm(left, right, out=out), device)
    case = shape, device, precision
    _shortest[case] = min(seconds, _shortest.get(case, seconds))
    return _shortest[case]


def best_seconds(work: Callable[[], object], device: str) -> float:
    """Time of one call, in the fastest of some looks: a limit, not a habit."""
    seconds_of(work, 2, device)
    times = max(1, round(LOOK_SECONDS / seconds_of(work, 1, device)))
    return min(seconds_of(work, times, device) for _ in range(LOOKS))


def seconds_of(work: Callable[[], object], times: int, device: str) -> float:
    """Mean time of so many calls, until the device has done them."""
    finish(device)
    began = time.perf_counter()
    for _ in range(times):
        work()
    finish(device)
    return (time.perf_counter() - began) / times


def finish(device: str) -> None:
    """Wait for what a GPU still has to do."""
    if device.startswith("cuda"):
        torch.cuda.synchronize()
