"""Device, precision, budget: chosen by the machine, overruled by the environment."""

import os

import pytest
import torch
from torch import nn

from srlab.machine import (
    bf16_speedup,
    budget,
    live_threads,
    pick_device,
    pick_precision,
    place,
    require_device,
    usable_threads,
    using_threads,
)


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SRLAB_DEVICE", "SRLAB_PRECISION", "SRLAB_BUDGET"):
        monkeypatch.delenv(name, raising=False)


def test_device(monkeypatch: pytest.MonkeyPatch) -> None:
    assert pick_device().type == ("cuda" if torch.cuda.is_available() else "cpu")
    monkeypatch.setenv("SRLAB_DEVICE", "cpu")
    assert pick_device() == torch.device("cpu")


@pytest.mark.parametrize("name", ["gpu", "cuda:77", "cpu cpu"])
def test_a_device_that_is_not_here(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("SRLAB_DEVICE", name)
    sentence = f"There is no device '{name}' here; cpu is always there, cuda with a GPU"
    with pytest.raises(ValueError, match=sentence):
        pick_device()
    with pytest.raises(ValueError, match=sentence):
        require_device(name)


def test_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    assert pick_precision("cpu") == ("bf16" if bf16_speedup() > 1.2 else "fp32")
    for name in ("fp32", "bf16"):
        monkeypatch.setenv("SRLAB_PRECISION", name)
        assert pick_precision("cpu") == name
    monkeypatch.setenv("SRLAB_PRECISION", "fp16")
    with pytest.raises(ValueError, match="must be fp32, bf16 or auto, not 'fp16'"):
        pick_precision("cpu")


def test_the_trial_of_bfloat16_is_made_once() -> None:
    assert 0.01 < bf16_speedup() < 100
    assert bf16_speedup() == bf16_speedup()


def test_place_uses_the_layout_that_convolutions_like() -> None:
    model = place(nn.Conv2d(3, 4, 3), "cpu")
    assert model.weight.is_contiguous(memory_format=torch.channels_last)


def test_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    assert budget(quick=1, default=2, full=3) == 2
    for steps, name in enumerate(("quick", "default", "full"), 1):
        monkeypatch.setenv("SRLAB_BUDGET", name)
        assert budget(quick=1, default=2, full=3) == steps
    monkeypatch.setenv("SRLAB_BUDGET", "huge")
    with pytest.raises(ValueError, match="must be quick, default or full, not 'huge'"):
        budget(quick=1, default=2, full=3)


def test_threads_inside_and_after() -> None:
    torch.set_num_threads(2)
    with using_threads(1):
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2
    with pytest.raises(KeyError), using_threads(1):
        raise KeyError
    assert torch.get_num_threads() == 2


def test_threads_of_a_larger_machine_are_those_that_there_are() -> None:
    cores = os.cpu_count()
    assert usable_threads(4096) == cores
    with using_threads(4096):
        assert torch.get_num_threads() == cores
    with using_threads(0):
        assert torch.get_num_threads() == usable_threads(0) == 1, "as conftest set them"


def test_a_live_training_leaves_a_core_to_the_browser() -> None:
    assert live_threads() == max(1, (os.cpu_count() or 2) - 1)
