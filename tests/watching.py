"""How the tests of the live labs watch what happens in other threads."""

import re
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

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


def attributes_in(html: str) -> dict[str, str]:
    """What a status says to a test or a style sheet: its ``data-`` attributes."""
    return dict(re.findall(r'data-([\w-]+)="([^"]*)"', html))


def numbers_of(lab: Any) -> dict[str, str]:
    """What the line of numbers under a lab's buttons says."""
    return attributes_in(lab._numbers.value)


def weights_of(network: nn.Module) -> list[Tensor]:
    return [parameter.detach().clone() for parameter in network.parameters()]


def equal(one: Iterable[Tensor], two: Iterable[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, two, strict=True))
