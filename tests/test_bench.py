"""The parts of the bench that compute, not those that measure."""

import json
import subprocess
import sys
import time

import pytest
import torch

from srlab.scoring import count_multiply_adds
from tests.bench import floor
from tests.bench.contender import (
    LAYER_WEIGHTS,
    load_problem,
    new_network,
    new_vgg,
    save_problem,
)
from tests.bench.floor import NETWORK, matmul_rate, operations
from tests.bench.growth import SERIES
from tests.bench.lines import fit_line
from tests.bench.ours import expanded_loss
from tests.bench.peers import requirements
from tests.bench.snapshots import LOOKS, Snapshots
from tests.bench.step import BATCH, ROOT, SIZES, count_operations, difference
from tests.bench.waiting import _import_figures


def test_a_line_is_found_again():
    line = fit_line({1.0: 5.0, 2.0: 7.0, 4.0: 11.0})
    assert (line.slope, line.start) == (pytest.approx(2), pytest.approx(3))
    assert line.departure == pytest.approx(0, abs=1e-12)


def test_points_off_the_line_are_told_as_a_share():
    line = fit_line({0.0: 2.0, 1.0: 2.0, 2.0: 5.0})  # the line is 1.5 * work + 1.5
    assert line.slope == pytest.approx(1.5)
    assert line.departure == pytest.approx(0.5)  # 3 where 2 was measured


def test_work_grows_as_the_multiply_adds_do():
    """The line is drawn over pixels and channels squared, so these must be right."""
    width = SERIES["width"].work
    assert width(128) == 4 * width(64)
    assert SERIES["crop"].work(192) == 4 * SERIES["crop"].work(96)


def test_the_rate_is_the_best_that_was_seen(monkeypatch: pytest.MonkeyPatch):
    looks = iter([2.0, 1.0, 4.0])
    monkeypatch.setattr(floor, "_shortest", {})
    monkeypatch.setattr(floor, "best_seconds", lambda *_: next(looks))
    monkeypatch.setattr(floor, "SQUARE", (8, 8, 8))
    rates = [matmul_rate("cpu", "fp32") / operations((8, 8, 8)) for _ in range(3)]
    assert rates == pytest.approx([0.5, 1.0, 1.0])


def test_the_floor_multiplies_as_the_network_does():
    products = sum(count * operations(shape) for shape, count in NETWORK.items())
    adds = count_multiply_adds(new_network(), SIZES[0], SIZES[0])
    assert products == 2 * BATCH * adds


def test_a_step_costs_three_forward_passes():
    once = 2 * BATCH * count_multiply_adds(new_network(), 24, 24)
    assert count_operations("pixel") == 3 * once
    vgg = 2 * BATCH * count_multiply_adds(new_vgg(), 96, 96)
    assert count_operations("expanded") == 3 * (once + vgg)


def test_gradients_differ_by_a_share_of_their_length():
    assert difference(torch.tensor([3.0, 5.0]), torch.tensor([3.0, 4.0])) == pytest.approx(0.2)


def test_peers_get_the_torch_in_use():
    own = torch.__version__.split("+")[0]
    assert f"torch=={own}" in requirements()


def test_both_sides_start_from_the_same_numbers(tmp_path):
    pair = torch.rand(2, 3, 8, 8), torch.rand(2, 3, 32, 32)
    save_problem(tmp_path, pair)
    once, again = (load_problem(tmp_path, "expanded", kind) for kind in ("fp32", "fp64"))
    assert torch.equal(once.model.head.weight.double(), again.model.head.weight)
    assert torch.equal(once.vgg[0].weight.double(), again.vgg[0].weight)
    assert once.pair[1].equal(pair[1])


def test_our_loss_looks_through_the_given_vgg():
    vgg = new_vgg()
    loss = expanded_loss(vgg, torch.device("cpu"))
    images = torch.rand(1, 3, 32, 32)
    features = loss.extractor(images, ["relu3_3"])["relu3_3"]
    mean, std = loss.extractor.mean, loss.extractor.std
    wanted = vgg[:23]((images - mean) / std)
    assert list(loss.extractor.places) == list(LAYER_WEIGHTS)
    torch.testing.assert_close(features, wanted)


def test_our_side_answers_in_a_process_of_its_own(tmp_path):
    save_problem(tmp_path, (torch.rand(1, 3, 8, 8), torch.rand(1, 3, 32, 32)))
    command = [sys.executable, "-m", "tests.bench.ours", str(tmp_path), "pixel", "fp32"]
    done = subprocess.run(command, cwd=ROOT, input="1\n2\n", capture_output=True, text=True)
    first, *answers = (json.loads(line) for line in done.stdout.splitlines())
    assert first["loss"] > 0
    assert len(answers) == 2
    assert all(answer["peak_gib"] > 0 for answer in answers)
    gradient = torch.load(tmp_path / "ours-pixel-fp32.pt", weights_only=True)
    assert gradient.numel() == sum(p.numel() for p in new_network().parameters())
    assert gradient.norm() > 0


def test_snapshots_are_taken_in_time_and_at_the_end(tmp_path):
    model = torch.nn.Linear(1, 1)
    snapshots = Snapshots(tmp_path, seconds=0.06)
    for steps in range(1, 200):
        with torch.no_grad():
            model.weight.fill_(steps)
        snapshots.look(model, steps)
        time.sleep(0.001)
    snapshots.finish(model, 200)
    times = json.loads((tmp_path / "times.json").read_text())
    assert len(times) == LOOKS
    assert all(seconds >= 0.01 * (n + 1) for n, (seconds, _) in enumerate(times[:-1]))
    assert times[-1][1] == 200
    third = torch.load(tmp_path / "3.pt", weights_only=True)
    assert third["weight"].item() == times[2][1], "each snapshot is of its own step"


def test_what_an_import_brings_along_is_told():
    figures = _import_figures()
    assert figures["import srlab, s"] > 0
    assert not {"torchvision", "matplotlib"} & set(figures["import srlab brings along"].split())
