"""The family's table: quality and cost in one row each."""

import torch

from srlab.models import SrResNet, count_parameters
from srlab.scoring import (
    WORK_SIZE,
    count_multiply_adds,
    format_family,
    score_family,
    score_models,
)

PHOTOS = {
    name: (torch.rand(3, 96, 96, generator=torch.Generator().manual_seed(i)) * 255).byte()
    for i, name in enumerate(("a", "b"))
}


def test_rows_hold_scores_and_costs() -> None:
    small, large = SrResNet(4, 8, 1), SrResNet(4, 16, 2)
    rows = score_family(PHOTOS, {"small": small, "large": large}, scale=4)
    assert [row["model"] for row in rows] == ["bicubic", "small", "large"]
    scores = score_models(PHOTOS, {"small": small, "large": large}, scale=4)
    for row, score in zip(rows, scores, strict=True):
        assert row | {"seconds": 0} == row | score | {"seconds": 0}
    assert [row["parameters"] for row in rows] == [0, *map(count_parameters, (small, large))]
    work = [count_multiply_adds(model, WORK_SIZE, WORK_SIZE) for model in (small, large)]
    assert [row["multiply_adds"] for row in rows] == [0, *work]


def test_the_table_says_its_protocol() -> None:
    text = format_family(score_family(PHOTOS, {"mine": SrResNet(4, 8, 1)}, scale=4))
    assert "x4, means over 2 pictures" in text
    assert "border of 4 px left out" in text
    assert "128 x 128 px" in text
    assert f"{count_parameters(SrResNet(4, 8, 1)):,}" in text
    assert [line.split()[0] for line in text.splitlines()[-2:]] == ["bicubic", "mine"]
