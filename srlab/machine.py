"""What this machine offers: a device, a precision, a budget of steps."""

import json
import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from srlab.files import cache_folder, replacing

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}
AnyModule = TypeVar("AnyModule", bound=nn.Module)
BUDGETS = ("quick", "default", "full")


def pick_device() -> torch.device:
    """The GPU where there is one, else the CPU.

    ``SRLAB_DEVICE`` overrules it, for example ``SRLAB_DEVICE=cpu``.

    Raises:
        ValueError: if ``SRLAB_DEVICE`` names a device that is not here.
    """
    name = os.environ.get("SRLAB_DEVICE")
    if name:
        require_device(name)
    return torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))


def require_device(name: str) -> None:
    """Raise unless this machine has the device ``name``."""
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError):  # torch raises either
        raise ValueError(
            f"There is no device {name!r} here; cpu is always there, cuda with a GPU."
        ) from None


def pick_precision(device: torch.device | str) -> str:
    """``"bf16"`` where bfloat16 makes a training step faster, else ``"fp32"``.

    A CPU is asked by a short trial, since many can compute in bfloat16
    without being any faster. It is made once for a processor and a torch, and
    kept in ``precision_file()``; without that file it is made anew.
    ``SRLAB_PRECISION`` overrules it.

    Raises:
        ValueError: if ``SRLAB_PRECISION`` is neither ``fp32`` nor ``bf16``.
    """
    wanted = os.environ.get("SRLAB_PRECISION", "auto")
    if wanted in PRECISIONS:
        return wanted
    if wanted != "auto":
        raise ValueError(f"SRLAB_PRECISION must be fp32, bf16 or auto, not {wanted!r}.")
    kind = torch.device(device).type
    if kind == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    return _kept_precision() if kind == "cpu" else "fp32"


def precision_file() -> Path:
    """Where the trials' outcomes are kept; delete it to have them made anew."""
    return cache_folder() / "precision.json"


def _kept_precision() -> str:
    """What the trial said on this processor with this torch, the first time."""
    try:
        path = precision_file()
    except RuntimeError:  # a container's user may have no home
        return _tried_precision()
    key = f"{processor_name()}, torch {torch.__version__}"
    kept = _read_precisions(path)
    if key not in kept:
        tried = _tried_precision()
        kept = _read_precisions(path)  # another process may have been quicker
        kept.setdefault(key, tried)
        with suppress(OSError):  # where nothing can be kept, each process decides for itself
            path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(path) as part:
                part.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")
    return kept[key]


def _read_precisions(path: Path) -> dict[str, str]:
    """Processor and torch -> precision; empty if the file is missing or damaged."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    kept = found.items() if isinstance(found, dict) else ()
    return {key: value for key, value in kept if value in list(PRECISIONS)}


def processor_name() -> str:
    """Such as ``"AMD EPYC 9B14"``; Python itself knows it on few systems."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):  # Windows, macOS
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return next(iter(names), "") or platform.processor() or platform.machine()


def _tried_precision() -> str:
    return "bf16" if bf16_speedup() > 1.2 else "fp32"


@cache
def bf16_speedup() -> float:
    """How many times faster a small network trains in bfloat16 on this CPU.

    The trial is about as large as lesson 01's network: in a smaller one the
    time goes into calls, and says nothing about the arithmetic. It takes turns,
    and counts this thread's processor time alone, so that what else the
    machine does is in nobody's favour.
    """
    layers = nn.Sequential(*(nn.Conv2d(32, 32, 3, padding=1) for _ in range(3)))
    layers = layers.to(memory_format=torch.channels_last)
    images = torch.rand(8, 32, 48, 48).to(memory_format=torch.channels_last)
    with using_threads(1):
        turns = [[_seconds(layers, images, bf16) for bf16 in (False, True)] for _ in range(8)]
    plain, fast = (min(turn) for turn in zip(*turns, strict=True))
    return plain / fast


def _seconds(layers: nn.Module, images: Tensor, bf16: bool) -> float:
    """Processor time of one forward and backward pass."""
    began = time.thread_time()
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        layers(images).float().mean().backward()
    return max(time.thread_time() - began, 1e-9)


def computing_in(precision: torch.dtype, device: torch.device | str) -> torch.autocast:
    """Compute convolutions and matrix products in ``precision`` inside the block.

    Sums and what was float32 before stay so; with float32 nothing changes.
    """
    kind = torch.device(device).type
    return torch.autocast(kind, precision, enabled=precision != torch.float32)


def live_threads() -> int:
    """How many threads a training beside an open notebook takes.

    All cores but one: with every core it would starve the browser, and be no
    faster itself.
    """
    return max(1, (os.cpu_count() or 2) - 1)


def usable_threads(count: int) -> int:
    """The threads that a run card asks for, if this machine has the cores.

    Args:
        count: 0 for as many as torch takes by itself.
    """
    return min(count, os.cpu_count() or count) if count else torch.get_num_threads()


@contextmanager
def using_threads(count: int) -> Iterator[None]:
    """Compute with so many threads inside the block, and as before after it.

    A sum that is shared out among threads is added in another order, and in
    the last digits it is another sum. A training multiplies them: ten steps
    with one thread and with two ended up to 1e-3 apart.

    Args:
        count: as for ``usable_threads``.
    """
    before, count = torch.get_num_threads(), usable_threads(count)
    if count != before:
        torch.set_num_threads(count)
    try:
        yield
    finally:
        if count != before:
            torch.set_num_threads(before)


def place(model: AnyModule, device: torch.device | str) -> AnyModule:
    """Move a model to a device, in the memory layout its convolutions like."""
    return model.to(device).to(memory_format=torch.channels_last)


def budget(*, quick: int, default: int, full: int) -> int:
    """Pick the number of steps that suits the occasion.

    ``SRLAB_BUDGET`` chooses: ``quick`` for tests, ``default`` for a person,
    ``full`` for a GPU.

    Raises:
        ValueError: if ``SRLAB_BUDGET`` is something else.

    Example:
        >>> budget(quick=10, default=10, full=10)
        10
    """
    steps = dict(zip(BUDGETS, (quick, default, full), strict=True))
    name = os.environ.get("SRLAB_BUDGET", "default")
    if name not in steps:
        raise ValueError(f"SRLAB_BUDGET must be quick, default or full, not {name!r}.")
    return steps[name]
