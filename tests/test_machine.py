"""Device, precision, budget: chosen by the machine, overruled by the environment."""

import json
import os
from pathlib import Path

import pytest
import torch
from torch import nn

from srlab.machine import (
    bf16_speedup,
    budget,
    pick_device,
    pick_precision,
    place,
    precision_file,
    processor_name,
    usable_threads,
    using_threads,
)
from tests import warm


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


def test_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    assert pick_precision("cpu") == ("bf16" if bf16_speedup() > 1.2 else "fp32")
    for name in ("fp32", "bf16"):
        monkeypatch.setenv("SRLAB_PRECISION", name)
        assert pick_precision("cpu") == name
    monkeypatch.setenv("SRLAB_PRECISION", "fp16")
    with pytest.raises(ValueError, match="must be fp32, bf16 or auto, not 'fp16'"):
        pick_precision("cpu")


@pytest.fixture
def trials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[float]:
    """Outcomes that trials will have; those of the first come first."""
    outcomes = [2.0, 0.5, 2.0, 0.5]
    monkeypatch.setattr("srlab.machine.bf16_speedup", lambda: outcomes.pop(0))
    monkeypatch.setenv("SRLAB_CACHE", str(tmp_path / "new" / "cache"))
    return outcomes


def test_a_machine_decides_once(trials: list[float]) -> None:
    """Or a trial under load makes one run of an hour bf16 and the next fp32."""
    assert [pick_precision("cpu") for _ in range(3)] == ["bf16"] * 3
    assert len(trials) == 3
    kept = json.loads(precision_file().read_text())
    assert kept == {f"{processor_name()}, torch {torch.__version__}": "bf16"}
    precision_file().unlink()
    assert pick_precision("cpu") == "fp32", "without the file it decides anew"


@pytest.mark.parametrize(
    "text", ["", "null", "[]", "7", '{"a": ', "[" * 99_999, '{"KEY": 7}', '{"KEY": []}', "\xff"]
)
def test_a_damaged_file_is_written_anew(trials: list[float], text: str) -> None:
    key = f"{processor_name()}, torch {torch.__version__}"
    precision_file().parent.mkdir(parents=True)
    precision_file().write_bytes(text.replace("KEY", key).encode("latin-1"))
    assert [pick_precision("cpu") for _ in range(2)] == ["bf16"] * 2
    assert len(trials) == 3
    assert json.loads(precision_file().read_text()) == {key: "bf16"}


def test_another_processor_or_torch_decides_for_itself(
    trials: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A home may be that of several machines."""
    assert pick_precision("cpu") == "bf16"
    with monkeypatch.context() as patch:
        patch.setattr("srlab.machine.processor_name", lambda: "another")
        assert pick_precision("cpu") == "fp32"
    with monkeypatch.context() as patch:
        patch.setattr(torch, "__version__", "99.0")
        assert pick_precision("cpu") == "bf16"
    assert len(json.loads(precision_file().read_text())) == 3
    assert pick_precision("cpu") == "bf16"
    assert len(trials) == 1


def test_where_nothing_can_be_kept_a_process_decides(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    expected = "bf16" if bf16_speedup() > 1.2 else "fp32"
    monkeypatch.setenv("SRLAB_CACHE", str(tmp_path / "file"))
    assert pick_precision("cpu") == expected

    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("SRLAB_CACHE")
    monkeypatch.setattr(Path, "home", homeless)
    assert pick_precision("cpu") == expected


@pytest.mark.slow
def test_two_processes_at_once_agree(tmp_path: Path) -> None:
    code = "from srlab.machine import pick_precision; print(pick_precision('cpu'))"
    env = {**os.environ, "SRLAB_CACHE": str(tmp_path)}
    both = [warm.start("-c", code, env=env) for _ in range(2)]
    said = {child.communicate()[0] for child in both}
    assert said <= {"fp32\n", "bf16\n"}
    assert len(said) == 1
    assert [p.name for p in tmp_path.iterdir()] == ["precision.json"]


def test_what_was_set_is_not_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SRLAB_CACHE", str(tmp_path))
    monkeypatch.setenv("SRLAB_PRECISION", "bf16")
    assert pick_precision("cpu") == "bf16"
    assert list(tmp_path.iterdir()) == []


def test_the_trial_leaves_the_threads_as_they_were() -> None:
    torch.set_num_threads(2)
    assert bf16_speedup.__wrapped__() > 0
    assert torch.get_num_threads() == 2


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
