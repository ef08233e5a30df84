"""ResidualDial: what the dial reads, how the race runs, what is drawn of both."""

import signal
import time
from collections.abc import Iterator
from math import isnan, nan

import numpy as np
import pytest
import torch

from srlab.data import get_data
from srlab.losses import pixel_loss
from srlab.metrics import Protocol, psnr
from srlab.models import SrResNet, enlarge
from srlab.residuals import (
    ChannelGates,
    FixedWeight,
    LearnedWeight,
    block_weights,
    gradient_by_block,
    spread_by_block,
)
from srlab.training import DivergedError, train
from srlab.widgets.residual_dial import ResidualDial, lab
from srlab.widgets.residual_dial.race import (
    KINDS,
    Race,
    RaceStanding,
    make_network,
    make_weight,
)
from srlab.widgets.residual_dial.reading import Dial, DialReading, expected_spread
from tests.watching import equal, from_another_thread, wait_for, weights_of

DATA = get_data(2, (12, 48))
FEATURES = 8


@pytest.fixture(autouse=True)
def one_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SRLAB_PRECISION", "fp32")  # spares the trial run
    monkeypatch.setenv("SRLAB_DEVICE", "cpu")


@pytest.fixture
def dial() -> Iterator[ResidualDial]:
    dial = ResidualDial(DATA, FEATURES)
    dial.choose(depth=3)
    yield dial
    dial.pause()


def race(depth: int = 3, **settings: float) -> Race:
    return Race(DATA, FEATURES, depth, **{"value": 0.1, **settings})


def rounds(race: Race, count: int) -> Race:
    steps = race.rounds()
    for _ in range(count):
        next(steps)
    return race


def model(race: Race, kind: str) -> SrResNet:
    return race.racers[kind].bench.model


def break_it(network: SrResNet) -> None:
    with torch.no_grad():
        network.head.weight.fill_(nan)


def fixed_values(network: SrResNet) -> set[float]:
    return {m.value for m in network.modules() if isinstance(m, FixedWeight)}


# The networks ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "weight"),
    [
        ("plain", FixedWeight),
        ("fixed", FixedWeight),
        ("learned", LearnedWeight),
        ("gates", ChannelGates),
    ],
)
def test_each_kind_has_its_weight(kind: str, weight: type):
    network = make_network(kind, 2, FEATURES, 3, value=0.3)
    assert [type(block.weight) for block in network.body] == [weight] * 3
    assert len({id(block.weight) for block in network.body}) == 3
    if weight is FixedWeight:
        assert fixed_values(network) == {0.3 if kind == "fixed" else 1.0}


def test_from_one_seed_all_kinds_have_the_same_convolutions():
    networks = {}
    for kind in KINDS:
        torch.manual_seed(3)
        networks[kind] = make_network(kind, 4, FEATURES, 3).state_dict()
    for kind in KINDS:
        for name, value in networks["plain"].items():
            assert torch.equal(networks[kind][name], value), (kind, name)
    first, second = (networks["gates"][f"body.{i}.weight.gates.1.weight"] for i in (0, 1))
    assert not torch.equal(first, second), "the gates of two blocks differ"


def test_unknown_kind_is_named():
    message = r"There is no kind gate; there are plain, fixed, learned, gates\."
    with pytest.raises(ValueError, match=message):
        make_weight("gate", 8, 1.0)


# The dial --------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_the_dial_reads_what_the_probes_say(dial: ResidualDial, kind: str):
    reading = dial.choose(weight=0.4, depth=5, kind=kind)
    torch.manual_seed(0)
    network = make_network(kind, 4, FEATURES, 5, value=0.4)
    network.upsampler.to_rgb[0].reset_parameters()
    assert reading.spread == pytest.approx(spread_by_block(network, DATA[0][0]), rel=1e-4)
    expected = gradient_by_block(network, DATA[0], pixel_loss())
    assert reading.gradient == pytest.approx(expected, rel=1e-3)
    assert min(reading.gradient) > 0, "the last convolution lets it through"
    assert len(reading.spread) == len(reading.gradient) == 5


def test_a_network_that_is_kept_reads_as_a_new_one():
    kept = Dial(DATA, FEATURES, seed=0)
    for choice in (("fixed", 0.4, 3), ("fixed", 0.9, 3), ("gates", 1.0, 3), ("fixed", 0.9, 4)):
        new = Dial(DATA, FEATURES, seed=0).read(*choice)
        assert str(kept.read(*choice)) == str(new)


def test_the_dial_does_not_wait_for_the_race(dial: ResidualDial):
    before, take = dial.numbers["spread_last"], dial.live.take_changes
    seen: list[float] = []

    def turned_after_the_first_network() -> None:
        if not seen:
            dial.weight = 1.5
        take()
        seen.append(dial.numbers["spread_last"])

    dial.live.take_changes = turned_after_the_first_network
    dial.run_steps(1)
    assert before < seen[0] == seen[-1]
    assert len(seen) == 4, "after each network"


def test_spread_grows_with_weight_and_depth_and_stays_with_a_tenth():
    dial = ResidualDial(DATA)

    def growth(**settings: float) -> float:
        return dial.choose(**settings).growth

    assert growth(weight=1.0, depth=8) > 1.2
    assert growth(depth=32) > 1.5 * growth(depth=8)
    assert growth(weight=2.0, depth=32) > 4 * growth(weight=1.0, depth=32)
    assert 0.9 < growth(weight=0.1, depth=32) < 1.15
    assert growth(weight=0.0) == 1.0


def test_theory_by_hand():
    """One block more, from a mean square of 0.04; 8 features, so 72 inputs."""
    square = 0.04 + 0.5**2 * ((0.04 / 3 + 1 / 216) / 6 + 1 / 216)
    assert expected_spread(0.2, 0.5, 8, 2) == pytest.approx((0.2, square**0.5))
    assert expected_spread(0.2, 0.0, 8, 3) == (0.2, 0.2, 0.2)


@pytest.mark.parametrize("weight", [0.5, 1.0, 2.0])
def test_theory_is_the_mean_of_many_networks(weight: float):
    growths = []
    for seed in range(12):
        spread = Dial(DATA, 32, seed).read("fixed", weight, 12).spread
        growths.append((spread[-1] / spread[0]) ** 2)
    theory = expected_spread(0.3, weight, 32, 12)
    assert np.mean(growths) ** 0.5 == pytest.approx(theory[-1] / theory[0], rel=0.2)


def test_theory_stands_where_there_is_a_formula(dial: ResidualDial):
    assert (
        dial.choose(kind="plain", weight=0.3).theory
        == dial.choose(kind="fixed", weight=1.0).theory
    )
    learned = dial.choose(kind="learned")
    assert learned.theory == pytest.approx(learned.spread), "its weights are zero"
    assert dial.choose(kind="gates").theory == ()
    assert "no formula" in str(dial.reading)


def test_dial_leaves_the_random_numbers_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    Dial(DATA, 8, seed=0).read("gates", 1.0, 2)
    assert torch.equal(torch.rand(3), expected)


def test_reading_says_its_numbers():
    reading = DialReading("fixed", 0.5, 2, (0.25, 0.5), (3.0, 2.0), (0.25, 0.375))
    assert (reading.growth, reading.gradient_ratio) == (2.0, 1.5)
    assert str(reading) == (
        "fixed, weight 0.50, 2 blocks: spread 0.25 after the first block, 0.5 after the last: "
        "× 2 (theory × 1.5); gradient 3 at the first block, 2 at the last: first / last 1.5"
    )
    one = DialReading("gates", nan, 1, (0.25,), (0.0,), ())
    assert str(one).startswith("gates, 1 block: ")
    assert isnan(one.gradient_ratio)
    with pytest.raises(AttributeError):
        reading.depth = 3


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"weight": -0.1}, r"weight must be between 0 and 2, but got -0\.1\."),
        ({"weight": 3}, r"weight must be between 0 and 2, but got 3\."),
        ({"weight": nan}, r"weight must be between 0 and 2, but got nan\."),
        ({"depth": 0}, r"depth must be a whole number from 1 to 64, but got 0\."),
        ({"depth": 2.5}, r"depth must be a whole number from 1 to 64, but got 2\.5\."),
        ({"kind": "x"}, r"There is no kind x; there are plain, fixed, learned, gates\."),
        ({"init": "x"}, r"There is no init x; there are pytorch, he\."),
    ],
)
def test_wrong_choices_are_told(dial: ResidualDial, choice: dict, message: str):
    before = dial.reading
    with pytest.raises(ValueError, match=message):
        dial.choose(**choice)
    assert dial.choose() == before


def test_a_moved_control_changes_bars_and_numbers(dial: ResidualDial):
    bars, before = dial.blocks, dict(dial.numbers)
    from_another_thread(lambda: setattr(dial, "weight", 1.0))
    dial.live.wait(10)
    assert dial.blocks != bars
    assert dial.numbers["spread_last"] > before["spread_last"]
    assert dial.numbers["gradient_first"] > before["gradient_first"]
    dial.depth = 7
    dial.kind = "gates"
    dial.live.wait(10)
    assert (dial.reading.kind, dial.reading.depth) == ("gates", 7)
    assert [each["block"] for each in dial.blocks] == [1, 2, 3, 4, 5, 6, 7]
    assert {each["theory"] for each in dial.blocks} == {None}, "there is no formula"
    assert dial.state == "ready", "nothing was trained"


def test_what_the_page_gets_is_the_reading(dial: ResidualDial):
    reading = dial.choose(weight=1.5, depth=4)
    assert [each["spread"] for each in dial.blocks] == list(reading.spread)
    assert [each["gradient"] for each in dial.blocks] == list(reading.gradient)
    assert [each["theory"] for each in dial.blocks] == list(reading.theory)
    assert dial.numbers["title"] == "fixed, weight 1.50, 4 blocks"
    assert dial.numbers["growth"] == reading.growth
    assert dial.numbers["gradient_ratio"] == reading.gradient_ratio


def test_he_starts_as_the_lesson_does():
    torch.manual_seed(3)
    network = make_network("gates", 4, 64, 1, init="he")
    for conv in (network.body[0].conv1, network.body[0].conv2):
        assert conv.weight.std().item() == pytest.approx((2 / (9 * 64)) ** 0.5, rel=0.02)
        assert not conv.bias.any()
    assert network.body[0].weight.gates[1].bias.any(), "gates are left alone"


def test_he_multiplies_the_variance_by_one_plus_twice_the_squared_weight():
    assert expected_spread(0.2, 0.5, 8, 3, init="he") == pytest.approx(
        (0.2, 0.2 * 1.5**0.5, 0.2 * 1.5)
    )
    growths = [
        Dial(DATA, 32, seed).read("fixed", 0.5, 12, "he").growth ** 2 for seed in range(12)
    ]
    assert np.mean(growths) ** 0.5 == pytest.approx(1.5 ** (11 / 2), rel=0.2)


def test_the_start_is_chosen_and_said(dial: ResidualDial):
    timid = dial.choose(weight=1.0, depth=16)
    brave = dial.choose(init="he")
    assert brave.growth > 100 * timid.growth
    assert brave.title() == "fixed, weight 1.00, 16 blocks, He’s start"
    assert dial.numbers["theory"] == pytest.approx(3**7.5)
    dial.init = "pytorch"
    dial.live.wait(10)
    assert dial.reading == timid


def test_what_no_float_can_hold_is_left_out(dial: ResidualDial):
    reading = dial.choose(weight=2.0, depth=64, init="he")
    assert not np.isfinite(reading.gradient[0])
    assert dial.blocks[0]["gradient"] is None
    assert dial.numbers["gradient_ratio"] is None
    assert dial.blocks[-1]["spread"] > 1e20


def test_a_race_starts_as_the_dial_says(dial: ResidualDial):
    dial.choose(init="he")
    dial.run_steps(1)
    assert not model(dial.race, "plain").body[0].conv1.bias.detach().abs().max() > 2e-3
    assert dial.race_now["init"] == "He’s"
    dial.choose(init="pytorch")
    assert (dial.race.init, dial.race_now["init"]) == ("he", "He’s"), "it keeps its own"


# The race --------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_each_network_trains_as_if_alone(kind: str):
    torch.manual_seed(0)
    alone = make_network(kind, 4, FEATURES, 3, value=0.1)
    optimizer = torch.optim.Adam(alone.parameters(), 1e-3, fused=True)
    losses = [s.loss for s in train(alone, DATA, pixel_loss(), optimizer, steps=4)]
    racing = rounds(race(), 4)
    assert racing.racers[kind].losses == pytest.approx(losses, rel=1e-4)
    for mine, expected in zip(weights_of(model(racing, kind)), weights_of(alone), strict=True):
        torch.testing.assert_close(mine, expected, rtol=1e-3, atol=1e-5)


def test_all_make_the_same_number_of_steps_and_part_ways():
    racing = rounds(race(), 3)
    assert {racer.step for racer in racing.racers.values()} == {3}
    last = [racer.losses[-1] for racer in racing.racers.values()]
    assert len(set(last)) == 4
    first = [racer.losses[0] for racer in racing.racers.values()]
    assert first == pytest.approx([racing.bicubic_losses[0]] * 4), "all start as bicubic"


def test_same_seed_same_curves_other_seed_others():
    one, two = rounds(race(), 3), rounds(race(), 3)
    other = rounds(race(seed=1), 3)
    for kind in KINDS:
        assert [one.share(kind, n) for n in (1, 2, 3)] == [
            two.share(kind, n) for n in (1, 2, 3)
        ]
        assert one.share(kind, 3) != other.share(kind, 3)


def test_curves_are_shares_of_bicubics_loss_over_the_same_batches():
    racing = rounds(race(), 30)
    lr, hr = DATA[29]
    bicubic = pixel_loss()(enlarge(lr, 4), hr)["l1"].item()
    assert racing.bicubic_losses[29] == pytest.approx(bicubic)
    losses = racing.racers["plain"].losses
    for step, first in ((30, 10), (2, 0)):
        expected = sum(losses[first:step]) / sum(racing.bicubic_losses[first:step])
        assert racing.share("plain", step) == pytest.approx(expected)
    assert isnan(racing.share("plain", 31)), "it has not come so far"


def test_the_page_gets_every_round_once(dial: ResidualDial):
    dial.run_steps(3)
    dial.run_steps(2)
    rows = dial.curves["race"]["rows"]
    assert [row[0] for row in rows] == [1, 2, 3, 4, 5]
    assert rows[-1][1:] == [dial.race.share(kind, 5) for kind in KINDS]
    dial.reset()
    assert "race" not in dial.curves
    dial.run_steps(1)
    assert [row[0] for row in dial.curves["race"]["rows"]] == [1]


def test_standing_is_measured_by_the_published_protocol(dial: ResidualDial):
    dial.run_steps(2)
    bench = dial.race.racers["gates"].bench
    protocol = Protocol("y", 4)
    with torch.no_grad():
        sr = bench.model.eval()(bench.scene.lr).clamp(0, 1)
    expected = psnr(protocol.apply(sr), protocol.apply(bench.scene.hr)).item()
    standing = dial.standings()["gates"]
    assert standing.psnr == pytest.approx(expected, abs=1e-3)
    assert (standing.step, standing.note) == (2, "")
    assert standing.loss == pytest.approx(dial.race.racers["gates"].losses[-1])


def test_the_slider_acts_on_the_running_fixed_network(dial: ResidualDial):
    dial.start()
    wait_for(lambda: dial.live.state == "running", "the race to run")
    dial.weight = 0.75
    wait_for(lambda: fixed_values(model(dial.race, "fixed")) == {0.75}, "the weight")
    step = dial.race.step
    wait_for(lambda: dial.race.step > step + 1, "rounds with it")
    wait_for(lambda: dial.race_now["rows"][1]["weight"] == "0.75", "the number")
    assert dial.live.state == "running", "a slider stops nothing"
    assert fixed_values(model(dial.race, "plain")) == {1.0}
    dial.pause()
    assert dial.numbers["weight"] == 0.75


def test_the_slider_changes_the_training_not_only_a_number(dial: ResidualDial):
    dial.run_steps(2)
    before = dial.standings()
    dial.choose(weight=2.0)
    after = dial.standings()
    assert after["fixed"].psnr != before["fixed"].psnr, "measured anew"
    assert after["plain"] == before["plain"]
    dial.run_steps(2)
    steered = dial.race
    unsteered = rounds(race(), 4)
    assert steered.racers["fixed"].losses[:2] == unsteered.racers["fixed"].losses[:2]
    assert steered.racers["fixed"].losses[2] != unsteered.racers["fixed"].losses[2]
    assert steered.racers["learned"].losses == unsteered.racers["learned"].losses


def test_a_race_keeps_its_depth_until_reset(dial: ResidualDial):
    dial.run_steps(1)
    dial.choose(depth=2)
    dial.run_steps(1)
    assert dial.race.depth == len(model(dial.race, "gates").body) == 3
    assert dial.reading.depth == 2
    dial.reset()
    dial.run_steps(1)
    assert dial.race.depth == len(model(dial.race, "gates").body) == 2


def test_learned_weights_move_and_are_told(dial: ResidualDial):
    dial.run_steps(2)
    before = dial.race_now
    dial.run_steps(3)
    learned = dial.race.racers["learned"]
    assert learned.weights() == block_weights(model(dial.race, "learned"))
    assert any(learned.weights())
    assert all(0 < gate < 1 for gate in dial.race.racers["gates"].weights())
    assert dial.race_now["learned"] == learned.weights() != before["learned"]
    assert dial.race_now["gates"] == dial.race.racers["gates"].weights() != before["gates"]


def test_pause_freezes_and_start_goes_on(dial: ResidualDial):
    dial.start()
    wait_for(lambda: dial.race is not None and dial.race.step > 1, "two rounds")
    dial.pause()
    step, shown = dial.race.step, dial.race_now
    weights = weights_of(model(dial.race, "gates"))
    assert {s.step for s in dial.standings().values()} == {step}, "what is shown is the last"
    time.sleep(0.3)
    assert dial.race.step == step
    assert dial.race_now == shown
    assert equal(weights, weights_of(model(dial.race, "gates")))
    dial.run_steps(1)
    same = rounds(race(), step + 1)
    assert dial.race.racers["gates"].losses == same.racers["gates"].losses


def test_reset_forgets_the_race(dial: ResidualDial):
    dial.run_steps(2)
    losses = dial.race.racers["fixed"].losses
    dial.reset()
    assert dial.standings() == dial.standings()
    assert {str(s) for s in dial.standings().values()} == {"not started"}
    assert (dial.step, dial.state, dial.race_now) == (0, "ready", {})
    dial.run_steps(2)
    assert dial.race.racers["fixed"].losses == losses


def test_a_wrecked_network_drops_out_and_the_others_go_on(dial: ResidualDial):
    dial.run_steps(2)
    break_it(model(dial.race, "plain"))
    dial.run_steps(2)
    plain, gates = (dial.standings()[kind] for kind in ("plain", "gates"))
    assert plain.note == "dropped out after step 2: its loss is no number any more"
    assert (plain.step, gates.step) == (2, 4)
    assert gates.note == ""
    assert dial.race_now["rows"][0]["note"] == plain.note
    assert dial.curves["race"]["rows"][-1][1] is None, "its curve ends"
    assert dial.live.state == "paused"
    assert dial.race.racers["gates"].losses == rounds(race(), 4).racers["gates"].losses


def test_when_none_is_left_it_says_so(dial: ResidualDial):
    dial.run_steps(1)
    for kind in KINDS:
        break_it(model(dial.race, kind))
    message = (
        r"Every network has dropped out by step 1; reset the race and take a smaller "
        r"learning rate\."
    )
    with pytest.raises(DivergedError, match=message):
        dial.run_steps(2)
    dial.start()
    wait_for(lambda: dial.state == "failed", "it to stop")
    assert "Every network has dropped out" in dial.error
    dial.reset()
    assert dial.error == ""
    dial.run_steps(1)
    assert dial.race.step == 1


def test_ctrl_c_in_the_middle_of_a_round_leaves_a_sound_race():
    racing, pressed = race(), []
    l1 = racing.loss.terms["l1"]

    def press_once(sr: torch.Tensor, hr: torch.Tensor) -> torch.Tensor:
        if sr.requires_grad and len(racing.racers["fixed"].losses) == 1 and not pressed:
            pressed.append(True)
            signal.raise_signal(signal.SIGINT)
        return l1(sr, hr)

    racing.loss.terms["l1"] = press_once
    with pytest.raises(KeyboardInterrupt):
        rounds(racing, 5)
    assert pressed
    assert {racer.step for racer in racing.racers.values()} == {1, 2}, "in the second round"
    rounds(racing, 4)  # the first of them for those that are behind
    assert {racer.step for racer in racing.racers.values()} == {5}
    for kind in KINDS:
        assert racing.racers[kind].losses == rounds(race(), 5).racers[kind].losses
    assert racing.bicubic_losses == rounds(race(), 5).bicubic_losses


def test_choose_waits_for_its_reading_while_the_race_runs(dial: ResidualDial):
    dial.start()
    wait_for(lambda: dial.live.state == "running", "it to run")
    reading = dial.choose(weight=1.5, depth=4)
    assert (reading.weight, reading.depth, len(reading.spread)) == (1.5, 4, 4)
    wait_for(lambda: dial.live.state == "running", "it to run on")


# What readers without a kernel, and screen readers, get ----------------------------


def test_standing_says_where_it_is():
    assert str(RaceStanding(0, nan, 23.0)) == "at the start"
    assert str(RaceStanding(5, 0.02, 23.456)) == "step 5, loss 0.0200, 23.46 dB"
    assert str(RaceStanding(5, 0.02, 23.456, "dropped")).endswith("23.46 dB, dropped")


def test_what_is_said_holds_dial_and_race(dial: ResidualDial):
    assert dial.said == f"{dial.reading}; race: not started; it will have 3 blocks"
    assert repr(dial) == f"ResidualDial: {dial.said}"
    dial.run_steps(2)
    assert dial.said.startswith(f"{dial.reading}; race: 3 blocks, step 2, best now: ")
    before = dial.topic
    dial.choose(weight=1.0)
    assert dial.topic != before, "so it is said at once"


def test_setting_up_is_said_before_it_takes_its_time(
    dial: ResidualDial, monkeypatch: pytest.MonkeyPatch
):
    said = []

    def watched(*args: object, **settings: object) -> Race:
        said.append(dial.said)
        return Race(*args, **settings)

    monkeypatch.setattr(lab, "Race", watched)
    dial.run_steps(1)
    assert said == ["setting up four networks"]


def test_without_arguments_it_is_small_enough_to_answer_at_once():
    dial = ResidualDial()
    assert (dial.num_features, dial.data.scale) == (16, 4)
    assert len(dial.choose(weight=1.0, depth=32).spread) == 32
