"""The Loss Lab's engine: what is steered is repeated, whoever repeats it."""

import json
from collections.abc import Callable
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import srlab.training
import srlab.widgets.loss_lab.bench
from srlab.losses import EXPANDED_TERMS, ExpandedLoss
from srlab.presets import LAYERS, PRESETS, Preset
from srlab.runcard import Change, ModelSpec, RunCard, Stage, parse_card
from srlab.widgets.loss_lab import bench as benches
from srlab.widgets.loss_lab.bench import LEDGER_SIZE, LossBench, Sides, lab_card
from srlab.widgets.loss_lab.card import KeptFeatures
from tests.conftest import judges_of
from tests.test_runs import last, same, train_only
from tests.watching import ctrl_c_at_line, from_another_thread

TINY = ModelSpec(num_features=8, num_blocks=1)
SEED = 3


@pytest.fixture(autouse=True)
def on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SRLAB_DEVICE", "cpu")
    monkeypatch.setenv("SRLAB_PRECISION", "fp32")


@pytest.fixture
def card(photo_folder: Path) -> RunCard:
    return tiny_card(photo_folder)


def tiny_card(folder: Path, **changes: object) -> RunCard:
    card = lab_card(
        Preset("tiny", "", {"pixel": 1.0, "content": 0.01}, {"relu1_2": 1.0}),
        model=TINY, data=str(folder), start="untrained", hr_size=32, batch_size=2, seed=SEED,
    )  # fmt: skip
    stage = card.stages[0].model_copy(update=changes)
    return card.model_copy(update={"stages": [stage], "validation": judges_of(folder)})


@pytest.fixture
def bench(card: RunCard) -> LossBench:
    return LossBench(card)


def train(bench: LossBench, steps: int) -> None:
    for _ in islice(bench.steps(), steps):
        pass


def weights(bench: LossBench) -> dict[str, Tensor]:
    return {name: values.clone() for name, values in bench.model.state_dict().items()}


def steer(bench: LossBench) -> None:
    """Seven steps in which everything is moved once."""
    bench.set_weight("tv", 0.1)
    train(bench, 2)
    bench.set_weight("style", 0.5)
    bench.set_layer("relu2_2", 0.4)
    train(bench, 2)
    bench.set_learning_rate(2e-3)
    bench.set_weight("content", 0.0)
    train(bench, 3)


def repeat(card: RunCard, folder: Path) -> dict[str, Tensor]:
    """The weights that ``srlab train`` ends with."""
    train_only(card, folder)
    return last(folder).model


def read_again(card: RunCard) -> RunCard:
    return parse_card(json.loads(card.to_json()))


# -- steering ----------------------------------------------------------------------


def test_it_begins_as_the_card_says(bench: LossBench, card: RunCard) -> None:
    assert bench.loss.weights == {"pixel": 1.0, "content": 0.01, "style": 0.0, "tv": 0.0}
    assert bench.loss.layer_weights == dict.fromkeys(LAYERS, 0.0) | {"relu1_2": 1.0}
    assert bench.present_learning_rate == card.stages[0].learning_rate
    assert (bench.done, bench.replay_left, [*bench.branches]) == (0, 0, ["run 1"])
    assert bench.branch is bench.branches["run 1"]


def test_what_is_set_acts_on_the_next_step(bench: LossBench) -> None:
    train(bench, 1)
    assert bench.terms().keys() == {"pixel", "content"}
    bench.set_weight("tv", 0.5)
    bench.set_weight("content", 0.0)
    bench.set_learning_rate(1e-4)
    train(bench, 1)
    assert bench.terms().keys() == {"pixel", "tv"}
    assert bench.step is not None
    assert bench.step.learning_rate == 1e-4


def test_what_is_set_is_noted_by_its_step(bench: LossBench) -> None:
    steer(bench)
    assert bench.branch.changes == [
        Change(after=0, weights={"tv": 0.1}),
        Change(after=2, weights={"style": 0.5}, layers={"relu2_2": 0.4}),
        Change(after=4, weights={"content": 0.0}, learning_rate=2e-3),
    ]


def test_the_last_value_after_a_step_counts(bench: LossBench) -> None:
    for value in (0.1, 0.2, 0.3):
        bench.set_weight("tv", value)
        bench.set_learning_rate(value / 1000)
    assert bench.branch.changes == [
        Change(after=0, weights={"tv": 0.3}, learning_rate=0.3 / 1000)
    ]


def test_the_value_that_is_there_already_is_no_change(bench: LossBench) -> None:
    bench.set_weight("pixel", 1.0)
    bench.set_layer("relu1_2", 1.0)
    bench.set_learning_rate(bench.present_learning_rate)
    assert bench.branch.changes == []


@pytest.mark.parametrize(
    ("act", "sentence"),
    [
        (lambda b: b.set_weight("gram", 1.0), "There is no term gram; there are pixel"),
        (lambda b: b.set_layer("relu5_3", 1.0), "There is no layer relu5_3; there are relu1"),
        (
            lambda b: b.set_weight("tv", -1.0),
            "A weight is a number of at least 0, but got -1.0",
        ),
        (lambda b: b.set_weight("tv", float("nan")), "A weight is a number of at least 0, but"),
        (
            lambda b: b.set_learning_rate(0.0),
            "A learning rate is above 0 and at most 1, but got 0",
        ),
        (
            lambda b: b.set_learning_rate(2.0),
            "A learning rate is above 0 and at most 1, but got 2",
        ),
        (lambda b: b.go_to("run 9"), "There is no run called run 9; there are run 1"),
        (lambda b: b.balance({"lpips": 1}), "There is no term lpips; there are pixel"),
        (lambda b: b.apply_preset(Preset("", "", {"pixel": 1.0}, {"x": 1.0})), "no layer x"),
    ],
)
def test_what_cannot_be_set_changes_nothing(
    bench: LossBench, act: Callable[[LossBench], object], sentence: str
) -> None:
    before = dict(bench.loss.weights), dict(bench.loss.layer_weights)
    with pytest.raises(ValueError, match=sentence):
        act(bench)
    assert (bench.loss.weights, bench.loss.layer_weights) == before
    assert bench.branch.changes == []


# -- the same run again --------------------------------------------------------------


def test_the_card_repeats_what_was_steered(bench: LossBench, tmp_path: Path) -> None:
    steer(bench)
    card = read_again(bench.card())
    assert card == bench.card()
    assert (card.seed, card.steps, card.scores) == (SEED, 7, {})
    assert (card.precision, card.device, card.threads) == ("fp32", "cpu", 1)
    assert card.versions["torch"] == torch.__version__
    assert same(repeat(card, tmp_path), weights(bench))


def test_a_bench_repeats_a_card(bench: LossBench) -> None:
    steer(bench)
    again = LossBench(read_again(bench.card()))
    assert again.replay_left == 7
    train(again, 3)
    assert again.replay_left == 4
    assert again.loss.weights["style"] == 0.5
    train(again, 4)
    assert again.replay_left == 0
    assert same(weights(again), weights(bench))
    assert again.card().model_copy(update={"seconds": 0.0}) == bench.card().model_copy(
        update={"seconds": 0.0}
    )
    train(again, 2)
    train(bench, 2)
    assert same(weights(again), weights(bench))


def test_any_number_of_threads_around_it(bench: LossBench, card: RunCard) -> None:
    """The live worker, a cell and ``srlab train`` each have their own number."""
    steer(bench)
    torch.set_num_threads(2)
    other = LossBench(card)
    steer(other)
    assert torch.get_num_threads() == 2
    worker = LossBench(card)
    from_another_thread(lambda: steer(worker))
    assert same(weights(other), weights(bench))
    assert same(weights(worker), weights(bench))


@pytest.mark.parametrize("steps", [0, 2], ids=["before the first step", "after the last"])
def test_what_was_set_at_either_end_is_in_the_card(bench: LossBench, steps: int) -> None:
    train(bench, steps)
    bench.set_weight("tv", 0.7)
    again = LossBench(read_again(bench.card()))
    train(again, steps)
    assert again.loss.weights["tv"] == 0.7


def set_before_the_first_step(bench: LossBench) -> None:
    bench.set_weight("content", 0.2)
    bench.set_layer("relu2_2", 0.4)
    bench.set_learning_rate(2e-3)


def test_the_card_says_the_weights_that_were_in_force(bench: LossBench, tmp_path: Path) -> None:
    set_before_the_first_step(bench)
    train(bench, 3)
    card = read_again(bench.card())
    (stage,) = card.stages
    assert stage.changes == []
    assert stage.weights == {"pixel": 1.0, "content": 0.2}
    assert stage.features is not None
    assert (stage.features.layers["relu2_2"], stage.learning_rate) == (0.4, 2e-3)
    assert same(repeat(card, tmp_path), weights(bench))
    again = LossBench(card)
    train(again, 3)
    assert same(weights(again), weights(bench))


def test_an_older_card_with_changes_before_the_first_step_repeats_too(
    bench: LossBench, tmp_path: Path
) -> None:
    set_before_the_first_step(bench)
    train(bench, 3)
    stage = bench.stage.model_copy(update={"steps": 3, "changes": bench.branch.changes})
    assert [change.after for change in stage.changes] == [0]
    old = bench.start_card.model_copy(update={"stages": [stage]})
    assert same(repeat(read_again(old), tmp_path), weights(bench))
    again = LossBench(read_again(old))
    train(again, 3)
    assert same(weights(again), weights(bench))
    assert again.card().stages == bench.card().stages


def test_a_run_that_began_with_nothing_is_saved_as_it_was(bench: LossBench) -> None:
    """No stage may begin so; its card keeps the change, and can be read."""
    bench.set_weight("pixel", 0.0)
    bench.set_weight("content", 0.0)
    card = read_again(bench.card())
    assert card.stages[0].weights["pixel"] == 1.0
    assert card.stages[0].changes == [Change(after=0, weights={"pixel": 0.0, "content": 0.0})]


def test_who_steers_ends_the_repeating(bench: LossBench) -> None:
    steer(bench)
    again = LossBench(bench.card())
    train(again, 1)
    again.set_weight("pixel", 1.0)  # as it is: the echo of a slider
    assert again.replay_left == 6
    again.set_weight("pixel", 2.0)
    assert again.replay_left == 0
    train(again, 4)
    assert again.loss.weights == {"pixel": 2.0, "content": 0.01, "style": 0.0, "tv": 0.1}
    (stage,) = again.card().stages
    assert [change.after for change in stage.changes] == [1]
    assert stage.weights["tv"] == 0.1, "it was so from the first step on"


def test_reset_goes_back_to_the_start_of_the_card(bench: LossBench, card: RunCard) -> None:
    fresh = weights(bench)
    steer(bench)
    bench.reset()
    assert same(weights(bench), fresh)
    assert bench.loss.weights["tv"] == 0.0
    assert bench.present_learning_rate == card.stages[0].learning_rate
    assert (bench.done, bench.step, bench.history.points) == (0, None, [])
    assert [*bench.branches] == ["run 1", "run 2"]
    bench.reset()
    assert [*bench.branches] == ["run 1", "run 2"], "nothing was done in run 2"


# -- forks -----------------------------------------------------------------------------


def test_a_fork_and_its_parent_go_their_own_ways(bench: LossBench, tmp_path: Path) -> None:
    steer(bench)
    at_the_fork = weights(bench)
    fork = bench.fork()
    assert (fork.name, fork.parent, fork.forked_at) == ("run 2", "run 1", 7)
    bench.set_weight("style", 1.0)
    train(bench, 3)
    forked, forked_card = weights(bench), bench.card()

    bench.go_to("run 1")
    assert same(weights(bench), at_the_fork)
    assert (bench.done, bench.loss.weights["style"]) == (7, 0.5)
    assert bench.present_learning_rate == 2e-3
    train(bench, 2)

    assert same(repeat(forked_card, tmp_path / "fork"), forked)
    assert same(repeat(bench.card(), tmp_path / "parent"), weights(bench))
    bench.go_to("run 2")
    assert same(weights(bench), forked)
    assert (bench.done, bench.loss.weights["style"]) == (10, 1.0)
    assert bench.step is not None
    assert bench.step.number == 10


def test_going_back_and_forth_changes_nothing(bench: LossBench, card: RunCard) -> None:
    steer(bench)
    bench.fork()
    bench.go_to("run 1")
    bench.go_to("run 1")
    train(bench, 2)
    straight = LossBench(card)
    steer(straight)
    train(straight, 2)
    assert same(weights(bench), weights(straight))


def test_a_fork_while_it_repeats_goes_on_repeating(bench: LossBench) -> None:
    steer(bench)
    again = LossBench(bench.card())
    train(again, 3)
    again.fork()
    assert again.replay_left == 4
    train(again, 4)
    assert same(weights(again), weights(bench))
    again.go_to("run 1")
    assert again.replay_left == 4


def test_a_fork_has_its_own_history_and_snapshots_say_whose_they_are(bench: LossBench) -> None:
    train(bench, 1)
    bench.history.add(bench.look()[1])
    bench.fork()
    train(bench, 1)
    bench.history.add(bench.look()[1])
    assert [p.step for p in bench.history.points] == [1, 2]
    assert [p.step for p in bench.branches["run 1"].history.points] == [1]
    assert bench.keep().name == "run 2, step 2"


@pytest.mark.parametrize("act", [LossBench.fork, LossBench.reset])
def test_there_is_an_end_to_runs_and_none_is_lost(
    bench: LossBench, act: Callable[[LossBench], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(benches, "MOST_BRANCHES", 2)
    train(bench, 1)
    bench.reset()
    bench.reset()  # without a step there is nothing to keep
    train(bench, 1)
    with pytest.raises(ValueError, match="There are 2 runs already, and each keeps a network"):
        act(bench)
    assert [*bench.branches] == ["run 1", "run 2"]
    assert (bench.branch.name, bench.done) == ("run 2", 1)


# -- from the start again ---------------------------------------------------------------


def test_starting_over_keeps_what_is_set(bench: LossBench, tmp_path: Path) -> None:
    fresh = weights(bench)
    steer(bench)
    bench.start_over()
    assert same(weights(bench), fresh)
    assert (bench.loss.weights["tv"], bench.loss.layer_weights["relu2_2"]) == (0.1, 0.4)
    assert bench.present_learning_rate == 2e-3
    train(bench, 2)
    (stage,) = bench.card().stages
    assert (stage.weights["tv"], stage.changes) == (0.1, [])
    assert same(repeat(read_again(bench.card()), tmp_path), weights(bench))


def test_another_seed_gives_other_weights_and_crops(bench: LossBench, tmp_path: Path) -> None:
    first, batch = weights(bench), bench.data[0]
    bench.start_over(SEED + 1)
    assert not same(weights(bench), first)
    assert not torch.equal(bench.data[0][1], batch[1])
    train(bench, 2)
    card = read_again(bench.card())
    assert card.seed == SEED + 1
    assert same(repeat(card, tmp_path), weights(bench))


def test_a_run_of_another_seed_goes_on_with_its_own(bench: LossBench, card: RunCard) -> None:
    train(bench, 2)
    bench.start_over(SEED + 1)
    train(bench, 1)
    bench.go_to("run 1")
    train(bench, 2)
    straight = LossBench(card)
    train(straight, 4)
    assert same(weights(bench), weights(straight))


# -- a pool, whose truths are looked at once ----------------------------------------------


def test_batches_come_again_and_are_the_same_tensors(bench: LossBench, card: RunCard) -> None:
    size = card.stages[0].pool
    assert size == 64
    assert bench.data[3][1] is bench.data[3 + size][1]
    assert not torch.equal(bench.data[3][1], bench.data[4][1])


def test_a_truth_is_looked_at_once_and_seen_the_same(bench: LossBench) -> None:
    kept = bench.loss.extractor
    assert isinstance(kept, KeptFeatures)
    looked: list[list[str]] = []
    kept.extractor.register_forward_hook(lambda _, args, __: looked.append(args[1]))
    hr = bench.data[0][1]
    with torch.no_grad():
        first = kept(hr, ["relu1_2"])
        again = kept(hr, ["relu1_2"])
        more = kept(hr, ["relu1_2", "relu2_2"])
        assert looked == [["relu1_2"], ["relu2_2"]]
        plain = kept.extractor(hr, ["relu1_2", "relu2_2"])
        kept(hr.clone(), ["relu1_2"])
        assert len(looked) == 4, "another tensor, though it is equal"
        with torch.autocast("cpu", torch.bfloat16):
            narrow = kept(hr, ["relu2_2"])
            assert torch.equal(kept.extractor(hr, ["relu2_2"])["relu2_2"], narrow["relu2_2"])
            assert torch.equal(kept(hr, ["relu2_2"])["relu2_2"], narrow["relu2_2"])
    for found in (first, again, more):
        assert all(torch.equal(found[name], plain[name]) for name in found)
    kept(hr.clone().requires_grad_(), ["relu1_2"])["relu1_2"].sum().backward()


def test_what_was_seen_goes_with_the_picture(bench: LossBench) -> None:
    kept = bench.loss.extractor
    assert isinstance(kept, KeptFeatures)
    with torch.no_grad():
        kept(torch.rand(1, 3, 16, 16), ["relu1_2"])
    assert len(kept.kept) == 0


# -- two side by side ---------------------------------------------------------------------


def step_both(sides: Sides, steps: int) -> None:
    for _ in range(steps):
        sides.step()


def test_with_equal_weights_a_and_b_stay_equal_to_the_bit(bench: LossBench) -> None:
    train(bench, 2)
    sides = Sides(bench)
    assert sides.split() == "run 2"
    step_both(sides, 3)
    assert same(weights(sides["A"]), weights(sides["B"]))
    sides["B"].set_weight("tv", 0.5)
    assert sides["A"].loss.weights["tv"] == 0.0
    step_both(sides, 1)
    assert not same(weights(sides["A"]), weights(sides["B"]))
    assert (sides["A"].done, sides["B"].done) == (6, 6)


def test_b_beside_it_does_not_disturb_a(bench: LossBench, card: RunCard) -> None:
    sides = Sides(bench)
    sides.split()
    sides["B"].set_weight("tv", 0.5)
    step_both(sides, 3)
    straight = LossBench(card)
    train(straight, 3)
    assert same(weights(sides["A"]), weights(straight))


def test_both_repeat_by_their_cards(bench: LossBench, tmp_path: Path) -> None:
    train(bench, 2)
    sides = Sides(bench)
    sides.split()
    sides["B"].set_weight("tv", 0.5)
    step_both(sides, 2)
    for side in "AB":
        assert same(repeat(sides[side].card(), tmp_path / side), weights(sides[side]))


def test_after_a_failure_between_the_two_nobody_is_ahead(bench: LossBench) -> None:
    sides = Sides(bench)
    sides.split()
    step_both(sides, 1)
    for term in EXPANDED_TERMS:
        sides["B"].set_weight(term, 0.0)
    with pytest.raises(ValueError, match="No term of the loss"):
        sides.step()
    assert (sides["A"].done, sides["B"].done) == (2, 1)
    sides["B"].set_weight("pixel", 1.0)
    sides.step()
    assert (sides["A"].done, sides["B"].done) == (2, 2)


def test_two_need_room_for_two(bench: LossBench, monkeypatch: pytest.MonkeyPatch) -> None:
    sides = Sides(bench)
    sides.split()
    step_both(sides, 1)
    monkeypatch.setattr(benches, "MOST_BRANCHES", 3)
    with pytest.raises(ValueError, match="There are 3 runs already"):
        sides.start_over()
    assert (sides["A"].done, sides["B"].done) == (1, 1)
    with pytest.raises(ValueError, match="Two networks are put side by side already"):
        sides.split()


# -- whatever happens --------------------------------------------------------------------


def interrupted_at_line(number: int, act: Callable[[], object]) -> bool:
    """Press Ctrl-C at the n-th line that is executed; whether it came so far."""
    files = {srlab.widgets.loss_lab.bench.__file__, srlab.training.__file__}
    with suppress(KeyboardInterrupt), ctrl_c_at_line(number, files) as came_so_far:
        act()
    return came_so_far()


@pytest.mark.slow
def test_ctrl_c_at_any_line_leaves_a_run_that_can_be_repeated(
    bench: LossBench, card: RunCard
) -> None:
    def act() -> None:
        train(bench, 1)
        bench.set_weight("tv", 0.5)
        train(bench, 1)
        bench.fork()
        bench.set_learning_rate(1e-3)
        train(bench, 1)
        bench.go_to("run 1")

    straight = LossBench(card)
    number = 1
    while interrupted_at_line(number, act):
        train(bench, 1)
        present, steps = bench.card(), bench.done
        straight = LossBench(present) if number == 1 else _again(straight, present)
        train(straight, steps)
        assert same(weights(bench), weights(straight)), number
        bench.branches.clear()
        bench.reset()
        number += 3
    assert number > 100


def _again(bench: LossBench, card: RunCard) -> LossBench:
    """The same bench with another card of the same network."""
    bench.start_card = card
    bench.branches.clear()
    bench.reset()
    return bench


def test_a_wrecked_step_leaves_the_network_as_it_was(bench: LossBench) -> None:
    train(bench, 2)
    before = weights(bench)
    for term in EXPANDED_TERMS:
        bench.set_weight(term, 0.0)
    with pytest.raises(ValueError, match="No term of the loss depends on the network"):
        train(bench, 1)
    assert (bench.done, same(weights(bench), before)) == (2, True)
    bench.set_weight("pixel", 1.0)
    train(bench, 1)
    assert bench.done == 3


# -- looking -----------------------------------------------------------------------------


def test_the_ledger_agrees_with_autograd_term_by_term(bench: LossBench) -> None:
    bench.apply_preset(
        Preset(
            "all",
            "",
            {"pixel": 1.0, "content": 0.02, "style": 0.3, "tv": 0.05},
            {"relu1_2": 0.5, "relu3_3": 1.0},
        )
    )
    train(bench, 2)
    ledger = bench.ledger()
    margin = (bench.scene.hr.shape[-1] - LEDGER_SIZE) // 2
    inside = slice(margin, margin + LEDGER_SIZE)
    hr = bench.scene.hr[..., inside, inside]
    small = slice(margin // 4, (margin + LEDGER_SIZE) // 4)
    bench.model.eval()
    sr = bench.model(bench.scene.lr[..., small, small]).detach().requires_grad_()
    norms = {}
    for name, weight in bench.loss.weights.items():
        alone = ExpandedLoss(bench.loss.extractor, {name: weight}, bench.loss.layer_weights)
        (gradient,) = torch.autograd.grad(alone(sr, hr)[name], sr)
        norms[name] = gradient.norm().item()
    for name, entry in ledger.items():
        assert entry.weight == bench.loss.weights[name]
        assert entry.share == pytest.approx(norms[name] / sum(norms.values()), rel=1e-3)
    assert min(norms.values()) > 0


def test_balance_gives_the_shares_and_is_noted(bench: LossBench) -> None:
    train(bench, 2)
    set_to = bench.balance({"pixel": 50, "content": 40, "tv": 10})
    assert bench.loss.weights == set_to
    found = {name: entry.share for name, entry in bench.ledger().items()}
    wanted = {"pixel": 0.5, "content": 0.4, "style": 0.0, "tv": 0.1}
    assert found == pytest.approx(wanted, abs=1e-4)
    assert bench.branch.changes[-1].after == 2


def test_the_ledger_names_all_terms_even_without_a_layer(bench: LossBench) -> None:
    train(bench, 1)
    bench.set_layer("relu1_2", 0.0)
    ledger = bench.ledger()
    assert [*ledger] == [*EXPANDED_TERMS]
    assert ledger["content"].raw == ledger["content"].share == 0.0
    assert ledger["pixel"].share == 1.0


def test_looking_does_not_disturb_the_training(bench: LossBench, card: RunCard) -> None:
    for _ in range(3):
        train(bench, 1)
        bench.ledger()
        bench.show("coffee-cup")
        bench.keep()
    straight = LossBench(card)
    train(straight, 3)
    assert same(weights(bench), weights(straight))


def test_measures_of_the_start_are_those_of_bicubic(bench: LossBench) -> None:
    _, figures = bench.look()
    assert figures.measures.keys() == {"checkerboard", "ridge", "haarpsi", "mdsi"}
    assert figures.psnr == pytest.approx(bench.bicubic_psnr, abs=1e-3)
    assert figures.sharpness == pytest.approx(bench.bicubic_sharpness, abs=1e-3)
    assert figures.checkerboard == figures.measures["checkerboard"]


def test_a_finished_card_has_scores(bench: LossBench) -> None:
    train(bench, 1)
    finished = bench.finished_card()
    assert finished.scores.keys() >= {"psnr_y", "sharpness", "bicubic_psnr_y"}
    assert finished.model_copy(update={"scores": {}}) == bench.card()
    assert read_again(finished) == finished


# -- which cards ---------------------------------------------------------------------------


def steady(**what: Any) -> dict[str, Any]:
    return {"stages": [Stage.model_validate({"schedule": "constant", **what})]}


@pytest.mark.parametrize(
    ("card", "sentence"),
    [
        ({"stages": [Stage(), Stage()]}, "has 2 stages, but the Loss Lab steers one; train it"),
        (
            {"stages": [Stage(weights={"pixel": 1.0})]},
            'a cosine schedule, but in the Loss Lab one sets it by hand; take schedule "cons',
        ),
        (
            steady(weights={"l1": 1.0, "l2": 0.0}),
            "trains with l1 and l2, but the Loss Lab steers pixel, content, style and tv",
        ),
        (
            steady(weights={"pixel": 1.0, "spectrum": 0.01}),
            "weighs spectrum, for which the Loss Lab has no slider; train it with srlab",
        ),
        (
            steady(weights={"style": 1}, features={"layers": {"stem": 1}, "weights": "lite0"}),
            "looks through lite0, for whose layers the Loss Lab has no sliders; train it",
        ),
        ({"share": 0.5}, "keeps 0.5 of what it learns, but the Loss"),
        ({"ema": 0.99}, r"averages its weights \(ema 0.99\), but"),
    ],
)
def test_cards_that_cannot_be_steered(card: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=f"^loss-lab .*{sentence}"):
        LossBench(lab_card().model_copy(update=card))


def test_a_card_without_features_can_be_steered(photo_folder: Path, tmp_path: Path) -> None:
    plain = Stage(
        hr_size=32, batch_size=1, steps=3, schedule="constant", learning_rate=1e-3,
        weights={"pixel": 1.0, "tv": 0.1},
    )  # fmt: skip
    card = RunCard(
        name="plain", model=TINY, data=str(photo_folder), precision="fp32", stages=[plain]
    )
    bench = LossBench(card)
    train(bench, 3)
    assert same(repeat(card, tmp_path), weights(bench))
    bench.set_weight("content", 0.1)
    train(bench, 1)
    assert bench.terms().keys() == {"pixel", "content", "tv"}


def test_lab_card() -> None:
    card = lab_card("Johnson 2016", seed=4, scale=2, learning_rate=1e-3)
    stage = card.stages[0]
    assert (card.seed, card.start, stage.scale, stage.learning_rate) == (4, "small-x4", 2, 1e-3)
    assert stage.weights == PRESETS["Johnson 2016"].weights
    assert stage.features is not None
    assert [*stage.features.layers] == [*LAYERS]
    with pytest.raises(ValueError, match="There is no preset mine; there are pixel only"):
        lab_card("mine")
