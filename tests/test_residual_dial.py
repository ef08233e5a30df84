"""ResidualDial: what the dial reads, how the race runs, what is drawn of both."""

import re
import signal
import time
from collections.abc import Iterator
from math import isnan, nan

import numpy as np
import pytest
import torch
from PIL import Image, ImageColor

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
from srlab.widgets.dial_reading import DialReading, expected_spread, read_dial
from srlab.widgets.drawing import (
    BLUE,
    GREEN,
    ORANGE,
    Curve,
    _apart,
    _pieces,
    _short,
    bar_chart,
    beside,
    curve_chart,
)
from srlab.widgets.poster import BYTES_LIMIT, text_font
from srlab.widgets.race import KINDS, Race, RaceStanding, make_network, make_weight
from srlab.widgets.residual_dial import ResidualDial
from tests.test_parts import alt_of
from tests.watching import attributes_in, equal, from_another_thread, wait_for, weights_of

DATA = get_data(2, (12, 48))
FEATURES = 8
PNG = b"\x89PNG"


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


def test_spread_by_hand():
    reading = read_dial("fixed", 0.5, 2, data=DATA, num_features=FEATURES, seed=1)
    torch.manual_seed(1)
    network = make_network("fixed", 4, FEATURES, 2, value=0.5)
    x = network.head(DATA[0][0])
    for block, spread in zip(network.body, reading.spread, strict=True):
        x = x + 0.5 * block.conv2(torch.relu(block.conv1(x)))
        assert spread == pytest.approx(x.std().item(), rel=1e-4)


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
        spread = read_dial("fixed", weight, 12, data=DATA, num_features=32, seed=seed).spread
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
    read_dial("gates", 1.0, 2, data=DATA, num_features=8, seed=0)
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
    ],
)
def test_wrong_choices_are_told(dial: ResidualDial, choice: dict, message: str):
    before = dial.reading
    with pytest.raises(ValueError, match=message):
        dial.choose(**choice)
    assert dial.choose() == before


def test_a_moved_control_changes_picture_and_numbers(dial: ResidualDial):
    picture, before = dial._dial_picture.value, attributes_in(dial._dial_status.value)
    from_another_thread(lambda: setattr(dial.weight, "value", 1.0))
    dial.live.wait(10)
    after = attributes_in(dial._dial_status.value)
    assert dial._dial_picture.value != picture
    assert float(after["spread-last"]) > float(before["spread-last"])
    assert float(after["gradient-first"]) > float(before["gradient-first"])
    dial.depth.value = 7
    dial.kind.value = "gates"
    dial.live.wait(10)
    assert (dial.reading.kind, dial.reading.depth) == ("gates", 7)
    assert attributes_in(dial._dial_status.value)["depth"] == "7"
    assert dial.live.state == "ready", "nothing was trained"


def test_the_text_tells_of_the_last_convolution(dial: ResidualDial):
    said = " ".join(getattr(child, "value", "") or "" for child in dial.children[:4]
                    if isinstance(getattr(child, "value", None), str))  # fmt: skip
    assert "starts at zero" in said
    assert "small random values" in said


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
        assert one.shares(kind) == two.shares(kind)
        assert one.shares(kind)[1:] != other.shares(kind)[1:]


def test_curves_are_shares_of_bicubics_loss_over_the_same_batches():
    racing = rounds(race(), 30)
    lr, hr = DATA[29]
    bicubic = pixel_loss()(enlarge(lr, 4), hr)["l1"].item()
    assert racing.bicubic_losses[29] == pytest.approx(bicubic)
    losses = racing.racers["plain"].losses
    shares = dict(racing.shares("plain"))
    assert list(shares) == list(range(1, 31))
    assert shares[30] == pytest.approx(sum(losses[10:]) / sum(racing.bicubic_losses[10:]))
    assert shares[2] == pytest.approx(sum(losses[:2]) / sum(racing.bicubic_losses[:2]))
    thin = racing.shares("plain", most=7)
    assert len(thin) == 7
    assert thin[-1] == (30, shares[30])


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
    dial.weight.value = 0.75
    wait_for(lambda: fixed_values(model(dial.race, "fixed")) == {0.75}, "the weight")
    step = dial.race.step
    wait_for(lambda: dial.race.step > step + 1, "rounds with it")
    wait_for(lambda: attributes_in(dial._table.value)["weight"] == "0.75", "the number")
    assert dial.live.state == "running", "a slider stops nothing"
    assert fixed_values(model(dial.race, "plain")) == {1.0}
    dial.pause()
    assert attributes_in(dial._dial_status.value)["weight"] == "0.75"


def test_the_slider_changes_the_training_not_only_a_number(dial: ResidualDial):
    dial.run_steps(2)
    dial.choose(weight=2.0)
    dial.run_steps(2)
    steered = dial.race
    unsteered = rounds(race(), 4)
    assert steered.racers["fixed"].losses[:2] == unsteered.racers["fixed"].losses[:2]
    assert steered.racers["fixed"].losses[2] != unsteered.racers["fixed"].losses[2]
    assert steered.racers["learned"].losses == unsteered.racers["learned"].losses


def test_moved_at_rest_it_is_measured_anew(dial: ResidualDial):
    dial.run_steps(3)
    before = dial.standings()
    dial.weight.value = 2.0
    dial.live.wait(10)
    after = dial.standings()
    assert after["fixed"].psnr != before["fixed"].psnr
    assert after["plain"] == before["plain"]


def test_a_race_keeps_its_depth_until_reset(dial: ResidualDial):
    dial.run_steps(1)
    dial.choose(depth=2)
    dial.run_steps(1)
    assert dial.race.depth == len(model(dial.race, "gates").body) == 3
    assert dial.reading.depth == 2
    dial.reset()
    dial.run_steps(1)
    assert dial.race.depth == len(model(dial.race, "gates").body) == 2
    assert "a race has the dial's depth at its start" in dial._table.value


def test_learned_weights_move_and_are_drawn(dial: ResidualDial):
    dial.run_steps(2)
    charts = dial._race_picture.value
    dial.run_steps(3)
    learned = dial.race.racers["learned"]
    assert learned.weights() == block_weights(model(dial.race, "learned"))
    assert any(learned.weights())
    assert all(0 < gate < 1 for gate in dial.race.racers["gates"].weights())
    assert dial._race_picture.value != charts


def test_pause_freezes_and_start_goes_on(dial: ResidualDial):
    dial.start()
    wait_for(lambda: dial.race is not None and dial.race.step > 1, "two rounds")
    dial.pause()
    step, picture = dial.race.step, dial._race_picture.value
    weights = weights_of(model(dial.race, "gates"))
    assert {s.step for s in dial.standings().values()} == {step}, "what is shown is the last"
    time.sleep(0.3)
    assert dial.race.step == step
    assert dial._race_picture.value == picture
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
    assert attributes_in(dial._table.value)["step"] == "0"
    assert attributes_in(dial._table.value)["state"] == "ready"
    dial.run_steps(2)
    assert dial.race.racers["fixed"].losses == losses


def test_buttons_do_what_they_say(dial: ResidualDial):
    assert (dial._start.disabled, dial._pause.disabled) == (False, True)
    dial._start.click()
    wait_for(lambda: dial._start.disabled and not dial._pause.disabled, "the buttons to change")
    dial._pause.click()
    dial.live.wait(30)
    assert (dial._start.disabled, dial._pause.disabled) == (False, True)
    dial._reset.click()
    dial.live.wait(30)
    assert dial.race is None


def test_a_wrecked_network_drops_out_and_the_others_go_on(dial: ResidualDial):
    dial.run_steps(2)
    break_it(model(dial.race, "plain"))
    dial.run_steps(2)
    plain, gates = (dial.standings()[kind] for kind in ("plain", "gates"))
    assert plain.note == "dropped out after step 2: its loss is no number any more"
    assert (plain.step, gates.step) == (2, 4)
    assert gates.note == ""
    assert plain.note in dial._table.value
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
    wait_for(lambda: 'role="alert"' in dial._status.value, "an alert")
    assert "Every network has dropped out" in dial._status.value
    dial.reset()
    assert 'role="alert"' not in dial._status.value
    dial.run_steps(1)
    assert dial.race.step == 1


def test_a_learning_rate_far_too_large_wrecks_networks():
    """A real wreck, not one made by hand."""
    racing = race(depth=8, learning_rate=1e6)
    with pytest.raises(DivergedError, match="Every network has dropped out"):
        rounds(racing, 60)
    assert all("dropped out after step" in s.note for s in racing.standings().values())


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


def test_poster_and_summary(dial: ResidualDial):
    assert repr(dial).startswith("ResidualDial: fixed, weight 0.10, 3 blocks: spread ")
    assert repr(dial).endswith("race: not started; it will have 3 blocks")
    low = dial.poster().height
    dial.run_steps(2)
    data, _ = dial._repr_mimebundle_()
    assert data["image/png"].startswith(PNG)
    assert len(data["image/png"]) <= BYTES_LIMIT
    assert dial.poster().height > low, "the race is on it"
    assert "3 blocks, step 2, best now: " in data["text/plain"]
    assert not re.search(r"0x[0-9a-f]{6,}", data["text/plain"])


def test_status_is_for_screen_readers_too(dial: ResidualDial):
    assert 'role="status"' in dial._dial_status.value
    assert "ready: not started" in dial._status.value
    dial.run_steps(1)
    assert 'role="status"' in dial._status.value
    assert "paused: 3 blocks, step 1" in dial._status.value


def test_setting_up_is_said_before_it_takes_its_time(
    dial: ResidualDial, monkeypatch: pytest.MonkeyPatch
):
    said = []

    def watched(*args: object, **settings: object) -> Race:
        said.append((dial._status.value, dial._start.disabled))
        return Race(*args, **settings)

    monkeypatch.setattr("srlab.widgets.residual_dial.Race", watched)
    dial.run_steps(1)
    assert "setting up four networks" in said[0][0]
    assert said[0][1]
    assert not dial._start.disabled


def test_every_control_has_a_name(dial: ResidualDial):
    controls = (dial.weight, dial.depth, dial.kind, dial._start, dial._pause, dial._reset)
    for control in controls:
        assert control.description
        assert control.tooltip
    assert alt_of(dial._dial_picture) == f"Spread and gradient. {dial.reading}"


def test_without_arguments_it_is_small_enough_to_answer_at_once():
    dial = ResidualDial()
    assert (dial.num_features, dial.data.scale) == (16, 4)
    assert len(dial.choose(weight=1.0, depth=32).spread) == 32


# Charts ----------------------------------------------------------------------------


def pixels(image: Image.Image, color: str) -> np.ndarray:
    """(n, 2): row and column of each pixel of this color."""
    return np.argwhere((np.asarray(image) == ImageColor.getrgb(color)).all(-1))


def test_bars_are_as_high_as_their_values():
    chart = bar_chart("t", [1.0, 2.0, 4.0], color=BLUE)
    found = pixels(chart, BLUE)
    columns = [found[np.abs(found[:, 1] - x) < 20] for x in (126, 260, 395)]
    heights = [np.ptp(column[:, 0]) for column in columns]
    assert heights == pytest.approx([118 / 4, 118 / 2, 118], abs=2)


def test_negative_values_hang_below_zero():
    found = pixels(bar_chart("t", [3.0, -1.0], color=GREEN), GREEN)
    up, down = found[found[:, 1] < 255], found[found[:, 1] > 270]
    assert np.ptp(up[:, 0]) == pytest.approx(3 * np.ptp(down[:, 0]), abs=4)
    assert up[:, 0].max() <= down[:, 0].min() + 1


def test_what_is_no_number_has_no_bar():
    found = pixels(bar_chart("t", [1.0, nan], color=GREEN), GREEN)
    assert found[:, 1].max() < 265
    assert not pixels(bar_chart("t", [nan], color=GREEN), GREEN).size
    assert pixels(bar_chart("t", [0.5] * 64, color=GREEN), GREEN).size


def test_theory_is_drawn_across_the_bars():
    plain = bar_chart("t", [1.0, 1.0], color=BLUE)
    crossed = bar_chart("t", [1.0, 1.0], color=BLUE, line=[0.5, 0.5])
    assert (pixels(plain, BLUE).size - pixels(crossed, BLUE).size) > 100


def test_curves_differ_in_color_and_dashes_and_stop_where_they_end():
    whole = Curve("one", [(step, 1.0) for step in range(1, 101)], BLUE)
    dashed = Curve("two", [(step, 2.0) for step in range(1, 51)], ORANGE, (6, 6))
    chart = curve_chart("t", [whole, dashed], size=(470, 240))
    one, two = pixels(chart, BLUE), pixels(chart, ORANGE)
    right = 470 - 70
    one, two = one[one[:, 1] < right], two[two[:, 1] < right]
    assert two[:, 0].max() < one[:, 0].min(), "the larger value is higher"
    assert np.ptp(one[:, 1]) == pytest.approx(2 * np.ptp(two[:, 1]), rel=0.1)
    assert len(set(one[:, 1])) == np.ptp(one[:, 1]) + 1, "a whole line has no gap"
    assert len(set(two[:, 1])) < 0.8 * np.ptp(two[:, 1]), "a dashed one has"


def test_curves_of_no_numbers_are_left_out():
    nothing = curve_chart("t", [Curve("gone", [(1, nan)], BLUE)])
    assert not pixels(nothing, BLUE).size
    assert pixels(curve_chart("t", [Curve("dot", [(1, 0.5)], BLUE)]), BLUE).size


def test_names_stand_apart_and_in_the_order_of_their_curves():
    places = _apart([100, 101, 50, 239], 28, 240)
    assert sorted(range(4), key=places.__getitem__) == [2, 0, 1, 3]
    assert min(np.diff(sorted(places))) >= 17
    assert 28 <= min(places)
    assert max(places) <= 240
    assert max(_apart([240] * 4, 28, 240)) <= 240


def test_numbers_at_an_axis_fit_their_room():
    assert _short(-0.00507, 100) == "-0.00507"
    assert _short(-0.00507, 54) == "-0.005"
    assert text_font().getlength("-0.005") <= 54 < text_font().getlength("-0.00507")
    assert _short(0.123456, 54) == "0.123"


def test_dashes_run_on_around_corners():
    pieces = list(_pieces([(0, 0), (5, 0), (5, 5)], (4, 2)))
    assert pieces == [[(0, 0), (4, 0)], [(5, 1), (5, 5)]]


def test_beside_keeps_both():
    row = beside(Image.new("RGB", (10, 4), BLUE), Image.new("RGB", (5, 8), GREEN))
    assert row.size == (15, 8)
    assert (pixels(row, BLUE).shape[0], pixels(row, GREEN).shape[0]) == (40, 40)
