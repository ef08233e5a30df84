"""Muon: by hand, against torch's own where torch has one, and through a run card."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from srlab.models import SrResNet
from srlab.runcard import ModelSpec, RunCard, Stage
from srlab.runs.muon import Muon, is_inner_kernel, orthogonalized
from srlab.runs.stages import make_optimizer
from tests.test_runs import require_the_same_after_a_stop, stage, tiny_card


@pytest.mark.parametrize("shape", [(16, 144), (144, 16), (32, 32), (1, 9)])
def test_every_direction_becomes_about_equally_long(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    matrix = torch.randn(shape)
    u, _, v = torch.linalg.svd(matrix, full_matrices=False)
    result = orthogonalized(matrix)
    assert result.shape == shape
    lengths = u.mT @ result @ v.mT  # in the matrix's own directions
    assert lengths.diagonal().min() > 0.3
    assert lengths.diagonal().max() < 1.3
    torch.testing.assert_close(lengths, lengths.diagonal().diag(), atol=1e-4, rtol=0)


def test_size_does_not_matter_and_zero_stays_zero() -> None:
    matrix = torch.randn(4, 7, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(orthogonalized(matrix), orthogonalized(1000 * matrix))
    assert not orthogonalized(torch.zeros(3, 5)).any()


def test_which_kernels_move_as_a_whole() -> None:
    names = [n for n, p in SrResNet(4, 32, 2).named_parameters() if is_inner_kernel(p)]
    blocks = [f"body.{i}.conv{j}.weight" for i in (0, 1) for j in (1, 2)]
    assert names == [*blocks, "upsampler.stages.0.0.weight"]


def steps_of(make: Callable[[nn.Module], object], layer: nn.Module, count: int = 5) -> Tensor:
    """The weight after some steps towards a fixed target."""
    optimizer = make(layer)
    given = torch.randn(2, 16, 5, 5, generator=torch.Generator().manual_seed(1))
    for _ in range(count):
        layer.zero_grad()
        (layer(given) - 1).square().mean().backward()
        optimizer.step()  # type: ignore[attr-defined]
    return next(layer.parameters()).detach().clone()


def convolution(out: int) -> nn.Conv2d:
    torch.manual_seed(0)
    return nn.Conv2d(16, out, 3, bias=False)


def test_other_parameters_move_as_with_adam() -> None:
    mine = steps_of(lambda m: Muon(m.parameters(), 0.01), convolution(3))
    theirs = steps_of(lambda m: torch.optim.Adam(m.parameters(), 0.01), convolution(3))
    torch.testing.assert_close(mine, theirs)


@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="torch has had one since 2.9")
def test_kernels_move_as_with_torchs_own() -> None:
    class AsMatrix(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.matrix = nn.Parameter(convolution(24).weight.detach().flatten(1))

        def forward(self, x: Tensor) -> Tensor:
            return nn.functional.conv2d(x, self.matrix.view(24, 16, 3, 3))

    mine = steps_of(lambda m: Muon(m.parameters(), 0.01), convolution(24))
    how = {"weight_decay": 0, "adjust_lr_fn": "match_rms_adamw"}
    theirs = steps_of(lambda m: torch.optim.Muon(m.parameters(), 0.01, **how), AsMatrix())
    way = mine - convolution(24).weight
    apart = mine.flatten(1) - theirs
    assert apart.norm() < 0.1 * way.norm()  # theirs counts in bfloat16


def test_what_has_no_gradient_stays() -> None:
    layer = convolution(24)
    Muon(layer.parameters(), 0.1).step()
    assert layer.weight.equal(convolution(24).weight)


@pytest.mark.parametrize(("name", "kind"), [("muon", Muon), ("adam", torch.optim.Adam)])
def test_a_card_names_it(name: str, kind: type) -> None:
    card = RunCard(name="small", optimizer=name, stages=[Stage()])
    optimizer = make_optimizer(card, SrResNet(4, 16, 1), 0.25)
    assert type(optimizer) is kind
    assert {group["lr"] for group in optimizer.param_groups} == {0.25}


@pytest.mark.usefixtures("on_the_cpu")
def test_a_training_with_it_goes_on_exactly(photo_folder: Path, tmp_path: Path) -> None:
    net = ModelSpec(num_features=16, num_blocks=1)
    card = tiny_card(photo_folder, stage(6, 2), model=net, optimizer="muon", ema=0.5)
    require_the_same_after_a_stop(card, tmp_path, 3)


def test_two_steps_by_hand() -> None:
    """With Nesterov's momentum: the second step looks a step ahead along the average."""
    kernel = nn.Parameter(convolution(24).weight.detach().clone())
    start, optimizer = kernel.detach().clone(), Muon([kernel], 0.01)
    one, two = torch.randn(2, 24, 16, 3, 3, generator=torch.Generator().manual_seed(2))
    length = 0.01 * 0.2 * 144**0.5  # 144 = 16 * 3 * 3, the longer side
    for gradient in (one, two):
        kernel.grad = gradient.clone()
        optimizer.step()
    first = 0.05 * one
    second = 0.95 * first + 0.05 * two
    ways = [0.05 * g + 0.95 * average for g, average in ((one, first), (two, second))]
    moved = sum(orthogonalized(way.flatten(1)) for way in ways)
    torch.testing.assert_close(kernel.detach(), start - length * moved.view_as(start))
