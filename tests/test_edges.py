"""Plausible edges: L2's answer is their mean, L1's their median."""

import pytest
import torch

from srlab.losses import l1_loss, l2_loss
from srlab.widgets.edges import Edges
from srlab.widgets.edges.lab import PIXELS, rows


def test_edges_that_agree_are_kept_by_both() -> None:
    lab = Edges([4] * 5)
    assert lab.mean == lab.median == [0.0] * 4 + [1.0] * 8
    assert f"{lab}" == (
        "edges at 4, 4, 4, 4, 4: the steepest step of L2's answer is 1.0, of L1's 1.0"
    )


def test_edges_that_differ_blur_the_mean_alone() -> None:
    lab = Edges([2, 3, 4, 5, 6])
    assert lab.mean[:8] == pytest.approx([0, 0, 0.2, 0.4, 0.6, 0.8, 1, 1])
    assert lab.median == [0.0] * 4 + [1.0] * 8


@pytest.mark.parametrize("loss", [l1_loss, l2_loss])
@pytest.mark.parametrize("places", [[2, 3, 4, 5, 6], [1, 1, 7, 9, 11]])
def test_no_other_answer_costs_less(loss, places) -> None:
    lab, truths = Edges(places), rows(places)
    best = torch.tensor(lab.mean if loss is l2_loss else lab.median)
    cost = loss(best.expand_as(truths), truths)
    for place in range(PIXELS):
        for change in (-0.05, 0.05):
            other = best.clone()
            other[place] += change
            assert loss(other.expand_as(truths), truths) >= cost


def test_moving_an_edge_moves_the_answers() -> None:
    lab = Edges([4] * 5)
    lab.places = [4, 4, 4, 4, 5]
    assert lab.mean[4] == pytest.approx(0.8)
    assert lab.median[4] == 1
    assert "step of L2's answer is 0.8" in lab.said


@pytest.mark.parametrize("places", [[4] * 4, [0, 4, 4, 4, 4], [4, 4, 4, 4, PIXELS]])
def test_other_places_are_refused(places) -> None:
    with pytest.raises(ValueError, match=r"^places must be five numbers from 1 to 11, but got"):
        Edges(places)
    lab = Edges([4] * 5)
    lab.places = places
    assert "places must be" in lab.error
    assert lab.places == [4] * 5
    lab.places = [5] * 5
    assert lab.error == ""
