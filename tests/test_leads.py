"""What a run reports, kept for figures."""

import pytest
import torch

from srlab.data import embedded_photo
from srlab.runcard import ModelSpec, RunCard, Stage
from srlab.runs import run_card
from srlab.runs.leads import Leads

CARD = RunCard(
    name="short",
    model=ModelSpec(num_features=4, num_blocks=1),
    stages=[
        Stage(scale=2, hr_size=32, batch_size=2, steps=2, learning_rate=1e-5),
        Stage(scale=4, hr_size=32, batch_size=2, steps=3, learning_rate=1e-5),
    ],
)


def test_each_stage_is_compared_with_bicubic_of_its_own_scale(tmp_path):
    looks = Leads(CARD, embedded_photo("coffee-cup")[..., :96, :96], every=1)
    run_card(CARD, tmp_path / "run", report=looks)
    steps = {name: taken for name, (taken, _) in looks.leads.items()}
    assert steps == {"1: 2x, 32 px": [1, 2], "2: 4x, 32 px": [3, 4, 5]}
    for _, leads in looks.leads.values():  # a network starts as bicubic, and hardly learned
        assert leads == pytest.approx([0.0] * len(leads), abs=0.2)
    assert looks.terms["pixel"][0] == [1, 2, 3, 4, 5]
    assert str(looks).startswith("stage 1: 2x, 32 px: ")


def test_it_looks_now_and_then_and_at_the_end(tmp_path):
    looks = Leads(CARD, torch.rand(1, 3, 64, 64), every=4)
    run_card(CARD, tmp_path / "run", report=looks)
    assert [step for steps, _ in looks.leads.values() for step in steps] == [4, 5]
