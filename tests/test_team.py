"""Several processes that train together: the same training, whoever shares it."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import torch

from srlab.checkpoints import load_checkpoint
from srlab.data import get_data
from srlab.runcard import RunCard, load_card, save_card
from srlab.runs import run_card
from srlab.runs.team import ALONE, BatchShare, Team, join_team
from tests.conftest import ONE_THREAD, Srlab
from tests.test_runs import stage, tiny_card, train_only
from tests.watching import wait_for

pytestmark = pytest.mark.usefixtures("on_the_cpu")

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]

# The real command, which says at the end what it read after each step.
COMMAND = """
import json
from srlab.runs import bar as training_bar
from srlab.cli import main

seen, update = [], training_bar.TrainingBar.update

def record(bar, progress):
    seen.append(progress.reading and progress.reading.loss)
    update(bar, progress)

training_bar.TrainingBar.update = record
try:
    main()
finally:
    print("READINGS", json.dumps(seen), flush=True)
"""


def card_of(folder: Path, steps: int, **changes: object) -> RunCard:
    return tiny_card(folder, stage(steps, batch_size=4, learning_rate=1e-3), **changes)


# -- the parts of a batch -------------------------------------------------------------------


def test_the_parts_are_the_whole():
    pairs = get_data(6, (8, 32))
    parts = [BatchShare(pairs, rank, 3)[5] for rank in range(3)]
    for whole, pieces in zip(pairs[5], zip(*parts, strict=True), strict=True):
        assert [len(piece) for piece in pieces] == [2, 2, 2]
        assert torch.equal(torch.cat(pieces), whole)


def test_a_batch_that_cannot_be_shared_equally():
    with pytest.raises(ValueError, match="batch of 6 pairs cannot be shared equally by 4"):
        BatchShare(get_data(6, (8, 32)), 0, 4)


def test_alone_everything_stays_as_it_is(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    pairs, model = get_data(2, (8, 32)), torch.nn.Identity()
    assert join_team() is ALONE
    assert (ALONE.rank, ALONE.size, ALONE.leads) == (0, 1, True)
    assert ALONE.share(pairs) is pairs
    assert ALONE.wrap(model) is model
    assert ALONE.agree("card") == "card"


def test_without_fabric_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setitem(sys.modules, "lightning_fabric", None)
    with pytest.raises(
        ModuleNotFoundError, match=r"install it with pip install lightning-fabric\."
    ):
        join_team()


class Fabric:
    """As much of a launched Fabric as a team asks for before it trains."""

    global_rank, world_size = 1, 2


def test_a_lost_process_is_told_in_one_sentence():
    lost = pytest.raises(ConnectionError, match="Another of the 2 processes")
    with lost as error, Team(Fabric()).watched():
        raise RuntimeError("[gloo/transport/tcp/pair.cc:547] Connection closed by peer")
    assert "process 1 stopped; go on with --resume" in str(error.value)


@pytest.mark.parametrize("team", [ALONE, Team(Fabric())], ids=["alone", "team"])
def test_other_errors_stay_as_they_are(team: Team):
    with pytest.raises(RuntimeError, match="out of memory"), team.watched():
        raise RuntimeError("out of memory")


def test_a_process_that_does_not_lead_says_only_that_it_stopped(
    run: Srlab, photo_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """What is kept is the leading one's to say; it may be writing it still."""
    save_card(card_of(photo_folder, 5), tmp_path / "card.json")

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("srlab.runs.team.join_team", lambda: Team(Fabric()))
    monkeypatch.setattr("srlab.runs.run_card", interrupted)
    said = run("train", tmp_path / "card.json", "--out", tmp_path)
    assert said == (130, "srlab: process 1 stopped; go on with --resume.\n")


# -- real processes -------------------------------------------------------------------------


def together(*arguments: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*TORCHRUN, *map(str, arguments)],
        capture_output=True, text=True, timeout=300, env={**os.environ, **ONE_THREAD},
    )  # fmt: skip


def test_two_processes_train_as_one_with_the_double_batch(photo_folder: Path, tmp_path: Path):
    card, program = tmp_path / "card.json", tmp_path / "command.py"
    save_card(card_of(photo_folder, 20, validate_every=1, ema=0.9), card)
    program.write_text(COMMAND)
    result = together(program, "train", card, "--out", tmp_path / "two")
    assert result.returncode == 0, result.stderr
    two, others = sorted(readings_in(result.stdout), key=lambda seen: seen.count(None))
    one: list[float] = []
    run_card(load_card(card), tmp_path / "one", report=lambda p: one.append(p.reading.loss))
    assert two == pytest.approx(one, abs=1e-4)
    moved = abs(one[-1] - one[0])
    assert max(abs(a - b) for a, b in zip(one, two, strict=True)) < 0.01 * moved
    ends = [load_checkpoint(tmp_path / name / "last.safetensors") for name in ("one", "two")]
    assert distance(ends[0].model, ends[1].model) < 1e-3
    assert distance(ends[0].average or {}, ends[1].average or {}) < 1e-3
    assert others == [None] * 20, "one of them reads"
    assert result.stdout.count("bicubic_psnr_y") == 1, "one of them tells the scores"
    assert "cpu x 2, fp32" in result.stdout
    assert load_card(tmp_path / "two" / "card.json").processes == 2


def readings_in(text: str) -> list[list[float | None]]:
    lines = [line for line in text.splitlines() if line.startswith("READINGS")]
    return [json.loads(line.removeprefix("READINGS")) for line in lines]


def distance(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> float:
    """Between two networks, as a share of the first one's size."""
    a, b = (torch.cat([w.flatten() for w in net.values()]) for net in (one, other))
    return ((a - b).norm() / a.norm()).item()


@pytest.mark.parametrize("victim", [0, 1])
def test_a_killed_process_ends_the_run_and_it_goes_on(
    photo_folder: Path, tmp_path: Path, victim: int
):
    card, out = tmp_path / "card.json", tmp_path / "run"
    save_card(card_of(photo_folder, 100_000, validate_every=1), card)
    run = subprocess.Popen(
        [*TORCHRUN, "-m", "srlab", "train", str(card), "--out", str(out)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, **ONE_THREAD},
    )  # fmt: skip
    try:
        wait_for((out / "best.safetensors").exists, "the first look", 120)
        os.kill(process_of_rank(run.pid, victim), signal.SIGKILL)
        _, errors = run.communicate(timeout=120)
    finally:
        run.kill()
    assert run.returncode != 0
    said = [line for line in errors.splitlines() if line.startswith("srlab: ")]
    assert any("go on with --resume" in line for line in said), errors
    if victim == 1:  # the one that leads lives long enough to keep the last step
        kept = load_checkpoint(out / "last.safetensors").step
        assert kept > 0
        goes_on = train_only(load_card(card), out, resume=True, steps=kept + 1)
        assert goes_on == [kept + 1], "one process goes on with what two began"


def process_of_rank(parent: int, rank: int) -> int:
    for child in psutil.Process(parent).children(recursive=True):
        if child.environ().get("RANK") == str(rank):
            return child.pid
    raise AssertionError(f"no process of rank {rank}")
