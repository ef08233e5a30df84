"""How tests watch what runs: in other threads, and line by line."""

import signal
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from types import FrameType

import torch
from torch import Tensor, nn


def wait_for(happened: Callable[[], bool], what: str, timeout: float = 60) -> None:
    end = time.monotonic() + timeout
    while not happened():
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.005)


def from_another_thread(action: Callable[[], object]) -> None:
    thread = threading.Thread(target=action)
    thread.start()
    thread.join(60)
    assert not thread.is_alive()


def weights_of(network: nn.Module) -> list[Tensor]:
    return [parameter.detach().clone() for parameter in network.parameters()]


def equal(one: Iterable[Tensor], two: Iterable[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, two, strict=True))


@contextmanager
def unchanged(network: nn.Module) -> Iterator[None]:
    """The block changes no weight, buffer, mode, gradient or hook of a network."""

    def state() -> tuple[object, ...]:
        parts = [(part.training, len(part._forward_hooks)) for part in network.modules()]
        gradients = [p.grad if p.grad is None else p.grad.clone() for p in network.parameters()]
        return parts, gradients, {n: v.clone() for n, v in network.state_dict().items()}

    before = state()
    yield
    torch.testing.assert_close(state(), before, rtol=0, atol=0)


@contextmanager
def no_random_numbers() -> Iterator[None]:
    """The block spends none, so that what follows is as random as without it."""
    before = torch.get_rng_state()
    yield
    assert torch.equal(torch.get_rng_state(), before)


@contextmanager
def ctrl_c_at_line(
    number: int, files: Collection[str], *, passed_over: str = ""
) -> Iterator[Callable[[], bool]]:
    """Press Ctrl-C at the n-th line of some files that the block executes.

    Args:
        number: of the line, from 1 on.
        files: the modules' ``__file__``.
        passed_over: a function whose lines do not count.

    Yields:
        A function that tells whether the block came to that line.
    """
    lines = 0

    def watch(frame: FrameType, event: str, _: object) -> object:
        nonlocal lines
        code = frame.f_code
        if code.co_filename not in files or code.co_name == passed_over:
            return None
        if event == "line":
            lines += 1
            if lines == number:
                signal.raise_signal(signal.SIGINT)
        return watch

    sys.settrace(watch)
    try:
        yield lambda: lines >= number
    finally:
        sys.settrace(None)
