"""TrainingLab and what it stands on: the live training and the workbench."""

import math
import threading
import time
from collections.abc import Iterator

import pytest
import torch

from srlab.data import get_data
from srlab.features import FeatureExtractor
from srlab.losses import ContentLoss, WeightedLoss, l1_loss, pixel_loss
from srlab.metrics import Protocol, psnr
from srlab.models import SrResNet, enlarge
from srlab.training import DivergedError, Step
from srlab.widgets.kit.live import LiveTraining
from srlab.widgets.training_lab import TrainingLab
from srlab.widgets.training_lab.bench import Watch, twin
from srlab.widgets.workbench import VIEWS, Figures, Workbench
from tests.watching import equal, from_another_thread, wait_for, weights_of

DATA = get_data(2, (12, 48))
JPEG, PNG = b"\xff\xd8\xff", b"\x89PNG"


def small() -> SrResNet:
    return SrResNet(4, 16, 2)


@pytest.fixture(autouse=True)
def one_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SRLAB_PRECISION", "fp32")  # spares the trial run


@pytest.fixture
def lab() -> Iterator[TrainingLab]:
    lab = TrainingLab(small, DATA)
    yield lab
    lab.pause()


@pytest.fixture
def bench() -> Workbench:
    return Workbench(small, DATA, pixel_loss())


# The workbench -------------------------------------------------------------------------------


def test_untrained_network_shows_bicubic(bench: Workbench):
    sr, figures = bench.look()
    assert figures.step == 0
    assert figures.psnr == pytest.approx(bench.bicubic_psnr, abs=1e-4)
    torch.testing.assert_close(sr, enlarge(bench.scene.lr, 4).clamp(0, 1), atol=1e-6, rtol=0)


def test_bicubic_is_measured_by_the_published_protocol(bench: Workbench):
    protocol = Protocol("y", 4)
    expected = psnr(
        protocol.apply(enlarge(bench.scene.lr, 4)), protocol.apply(bench.scene.hr)
    ).item()
    assert bench.bicubic_psnr == pytest.approx(expected)
    better = Figures(1, 0.1, bench.bicubic_psnr + 1.5, 0.4)
    assert bench.quality(better).endswith("dB (+1.50 dB), sharpness 0.40")


def test_a_weight_is_shown_before_the_next_step(lab: TrainingLab):
    lab.run_steps(1)
    lab.change("mix", 1.0)  # as the worker does between two steps
    assert lab.numbers["A"]["formula"] == "10 · L2"
    assert lab.step == 1
    lab.run_steps(1)
    assert set(lab.bench.step.terms) == {"l2"}


def test_each_photograph_can_be_shown(bench: Workbench):
    seen = set()
    for name in bench.photos:
        bench.show(name)
        assert bench.scene.lr.shape[-1] * 4 == bench.scene.hr.shape[-1]
        seen.add(round(bench.bicubic_psnr, 3))
    assert len(seen) == len(bench.photos) == 3


def test_looking_leaves_the_training_as_it_was(bench: Workbench):
    steps = bench.steps()
    next(steps)
    bench.look()
    assert bench.model.training
    before = [p.detach().clone() for p in bench.model.parameters()]
    bench.look()
    assert equal(before, [p.detach() for p in bench.model.parameters()])


# The live training, through the lab ----------------------------------------------------------


def test_run_steps_trains_here_and_draws(lab: TrainingLab):
    before, picture = weights_of(lab.bench.model), lab.network
    lab.run_steps(3)
    assert lab.figures.step == 3
    assert lab.live.state == "paused"
    assert (lab.step, lab.state) == (3, "paused")
    assert not equal(before, weights_of(lab.bench.model))
    assert lab.network != picture
    assert lab.network["data"].startswith(PNG), "at rest nothing is lost"


def test_steps_in_the_background_are_the_same_steps(lab: TrainingLab):
    lab.start()
    wait_for(lambda: lab.figures.step > 3, "some steps")
    lab.pause()
    other = TrainingLab(small, DATA)
    other.run_steps(lab.figures.step)
    assert equal(weights_of(lab.bench.model), weights_of(other.bench.model))


def test_pause_freezes_the_count(lab: TrainingLab):
    lab.start()
    wait_for(lambda: lab.bench.step is not None, "a step")
    lab.pause()
    step, weights, picture = lab.bench.step, weights_of(lab.bench.model), lab.network
    assert lab.figures.step == step.number, "what is shown is the last step"
    time.sleep(0.3)
    assert lab.bench.step is step
    assert equal(weights, weights_of(lab.bench.model))
    assert lab.network == picture
    assert lab.state == "paused"


def test_start_pause_and_reset_from_other_threads(lab: TrainingLab):
    from_another_thread(lab.start)
    wait_for(lambda: lab.bench.step is not None, "a step")
    from_another_thread(lab.pause)
    assert lab.live.state == "paused"
    from_another_thread(lab.start)
    from_another_thread(lab.reset)
    assert (lab.live.state, lab.figures.step) == ("ready", 0)
    from_another_thread(lambda: lab.run_steps(2))
    assert lab.figures.step == 2


def test_many_hands_at_once_leave_a_sound_training(lab: TrainingLab):
    def one_step() -> None:
        lab.run_steps(1)

    def hurry(seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        actions = [lab.start, lab.live.pause, lab.live.reset, lab.snapshot, one_step]
        for pick in torch.randint(5, (10,), generator=generator).tolist():
            lab.mix = pick / 4
            actions[pick]()

    threads = [threading.Thread(target=hurry, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads)
    lab.pause()
    assert lab.live.state in ("ready", "paused")
    lab.reset()
    lab.run_steps(2)
    assert lab.figures.step == 2


def test_only_one_trains_in_a_kernel(lab: TrainingLab):
    other = TrainingLab(small, DATA)
    lab.start()
    wait_for(lambda: lab.live.state == "running", "the first to run")
    other.start()
    wait_for(lambda: other.bench.step is not None, "a step of the second")
    wait_for(lambda: lab.live.state == "paused", "the first to pause")
    step = lab.bench.step
    wait_for(lambda: other.bench.step.number > 5, "more steps of the second")
    assert lab.bench.step is step
    lab.run_steps(1)  # and the other way round, also without a thread
    other.live.wait(10)
    assert other.live.state == "paused"
    lab.start()
    lab.run_steps(1)
    assert lab.live.state == "paused", "its own training in the background too"


def test_a_slider_moved_during_run_steps_waits_its_turn(lab: TrainingLab):
    drawn_by, first = set(), []
    draw, l1 = lab.draw, lab.bench.loss.terms["l1"]

    def note_who(state: str, error: str = "") -> None:
        drawn_by.add(threading.current_thread())
        draw(state, error)

    def move_once(sr: torch.Tensor, hr: torch.Tensor) -> torch.Tensor:
        if not first:
            first.append(dict(lab.bench.loss.weights))
            from_another_thread(lambda: setattr(lab, "mix", 0.5))
            first.append(dict(lab.bench.loss.weights))
        return l1(sr, hr)

    lab.draw, lab.bench.loss.terms["l1"] = note_who, move_once
    lab.run_steps(3)
    assert first == [{"l1": 1.0, "l2": 0.0}] * 2, "not in the middle of a step"
    assert drawn_by == {threading.current_thread()}, "one thread at a time, here the caller"
    assert lab.bench.loss.weights == {"l1": 0.5, "l2": 5.0}


# Sliders -------------------------------------------------------------------------------------


def test_a_slider_changes_nothing_in_the_middle_of_a_step(lab: TrainingLab):
    inside, seen = threading.Event(), []
    l1 = lab.bench.loss.terms["l1"]

    def slow_l1(sr: torch.Tensor, hr: torch.Tensor) -> torch.Tensor:
        inside.set()
        time.sleep(0.05)
        seen.append(dict(lab.bench.loss.weights))
        return l1(sr, hr)

    lab.bench.loss.terms["l1"] = slow_l1
    lab.start()
    assert inside.wait(10)
    lab.mix = 0.5
    lab.pause()
    assert seen[0] == {"l1": 1.0, "l2": 0.0}
    assert lab.bench.loss.weights == {"l1": 0.5, "l2": 5.0}


def test_learning_rate_survives_a_reset(lab: TrainingLab):
    lab.set("learning_rate", 1e-4)
    lab.reset()
    lab.run_steps(1)
    assert lab.bench.step.learning_rate == pytest.approx(lab.learning_rate) == 1e-4


def test_another_photograph_is_shown_and_measured(lab: TrainingLab):
    before = lab.numbers["bicubic"], lab.network, lab.truth
    lab.photograph = list(VIEWS)[1]
    lab.live.wait()
    assert lab.bench.photo_name == list(VIEWS)[1]
    assert lab.numbers["bicubic"] != before[0]
    assert lab.network != before[1]
    assert lab.truth != before[2]


WEIGHT = r"A weight must be 0 \(off\) or between 1e-05 and 100, but got "


@pytest.mark.parametrize(
    ("which", "name", "value", "sentence"),
    [
        ("lab", "lr", 0.1, r"There is no slider 'lr'; there are mix, learning_rate\."),
        *(("lab", "mix", v, "The slider 'mix' goes from 0 to 1, but got") for v in (1.5, -0.1)),
        ("lab", "mix", math.nan, "The slider 'mix' goes from 0 to 1, but got nan"),
        ("lab", "learning_rate", 1.0, "'learning_rate' goes from 1e-05 to 0.1, but got 1"),
        *(("terms_lab", "content", v, WEIGHT) for v in (-1.0, 1e-6, 101.0, math.nan)),
    ],
)
def test_what_no_slider_reaches_is_refused(
    request: pytest.FixtureRequest, which: str, name: str, value: float, sentence: str
):
    lab = request.getfixturevalue(which)
    before = dict(lab.bench.loss.weights)
    with pytest.raises(ValueError, match=sentence):
        lab.set(name, value)
    assert lab.bench.loss.weights == before


def test_settings_arrive_while_it_trains(lab: TrainingLab):
    lab.start()
    wait_for(lambda: lab.live.state == "running", "it to run")
    lab.mix = 0.25
    lab.learning_rate = 1e-4
    wait_for(lambda: lab.numbers["A"]["formula"] == "0.75 · L1 + 2.5 · L2", "the weights")
    wait_for(lambda: lab.bench.present_learning_rate == 1e-4, "the learning rate")
    assert lab.live.state == "running", "a slider stops nothing"
    count = lab.bench.step.number
    wait_for(lambda: lab.bench.step.number > count + 1, "a step with the new values")
    assert lab.bench.step.learning_rate == 1e-4
    assert set(lab.bench.step.terms) == {"l1", "l2"}
    assert lab.network["data"].startswith(JPEG), "what moves is small"


# Terms and layers ----------------------------------------------------------------------------


@pytest.fixture
def content_loss() -> WeightedLoss:
    extractor = FeatureExtractor(["relu1_1", "relu1_2"])
    content = ContentLoss(extractor, {"relu1_2": 0.5})
    return WeightedLoss({"pixel": l1_loss, "content": content}, {"pixel": 1.0, "content": 0.1})


@pytest.fixture
def terms_lab(content_loss: WeightedLoss) -> Iterator[TrainingLab]:
    lab = TrainingLab(lambda: SrResNet(4, 8, 1), DATA, loss=content_loss)
    yield lab
    lab.pause()


def test_every_term_and_every_layer_has_a_slider(terms_lab: TrainingLab):
    names = [each["name"] for each in terms_lab.weights]
    assert names == ["pixel", "content", "relu1_1", "relu1_2"]
    assert [terms_lab.trait_values()[name] for name in names] == [1.0, 0.1, 0.0, 0.5]


def test_the_next_step_counts_what_the_sliders_say(terms_lab, content_loss):
    terms_lab.set("content", 0.25)
    terms_lab.set("relu1_1", 2.0)
    terms_lab.set("relu1_2", 0)
    terms_lab.run_steps(1)
    assert set(terms_lab.bench.step.terms) == {"pixel", "content"}
    assert terms_lab.numbers["A"]["formula"] == "1 · pixel + 0.25 · content (2 relu1_1)"
    lr, hr = DATA[0]
    torch.manual_seed(0)
    wanted = 0.25 * content_loss.terms["content"](SrResNet(4, 8, 1)(lr), hr)
    term = terms_lab.bench.step.terms["content"]
    assert term.item() == pytest.approx(wanted.item(), rel=1e-4)


def test_all_off_is_an_error_that_says_so_and_nothing_is_lost(terms_lab: TrainingLab):
    terms_lab.run_steps(1)
    before = weights_of(terms_lab.bench.model)
    for name in ("pixel", "content"):
        terms_lab.set(name, 0)
    with pytest.raises(ValueError, match="is every weight 0"):
        terms_lab.run_steps(1)
    assert equal(before, weights_of(terms_lab.bench.model))
    terms_lab.set("pixel", 1)
    terms_lab.run_steps(1)
    assert terms_lab.figures.step == 2


def test_a_lessons_own_content_loss_has_sliders_too():
    class Retyped(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer_weights = {"relu3_3": 0.25}

        def forward(self, sr, hr):
            return self.layer_weights["relu3_3"] * l1_loss(sr, hr)

    loss = WeightedLoss({"pixel": l1_loss, "content": Retyped()}, {"content": 1.0})
    lab = TrainingLab(lambda: SrResNet(4, 8, 1), DATA, loss=loss)
    assert lab.numbers["A"]["formula"] == "1 · content (0.25 relu3_3)"
    lab.set("relu3_3", 2.0)
    assert loss.terms["content"].layer_weights == {"relu3_3": 2.0}


def test_a_term_cannot_take_the_name_of_something_else():
    loss = WeightedLoss({"step": l1_loss}, {"step": 1.0})
    with pytest.raises(ValueError, match="A term of the loss is called 'step', as something"):
        TrainingLab(small, DATA, loss=loss)


# A and B -------------------------------------------------------------------------------------


def test_equal_losses_stay_bitwise_equal(terms_lab: TrainingLab):
    terms_lab.run_steps(2)
    terms_lab.fork()
    terms_lab.run_steps(4)
    a, b = terms_lab.bench.runs.values()
    assert a.step.number == b.step.number == 6
    assert equal(weights_of(a.model), weights_of(b.model))
    assert terms_lab.figures == terms_lab.figures_b
    assert terms_lab.network["data"] == terms_lab.network_b["data"]


def test_b_goes_the_way_of_its_own_loss(terms_lab: TrainingLab, content_loss: WeightedLoss):
    """B is what a network would be that was trained so from the same state."""
    terms_lab.run_steps(2)
    terms_lab.fork(content=1.0, relu1_1=0.5)
    terms_lab.run_steps(3)
    assert (content_loss.weights["content"], terms_lab.content) == (0.1, 0.1), "A is as it was"
    alone = TrainingLab(lambda: SrResNet(4, 8, 1), DATA, loss=twin(content_loss))
    alone.run_steps(2)
    assert not equal(weights_of(alone.bench.model), weights_of(terms_lab.bench.rival.model))
    alone.set("content", 1.0)
    alone.set("relu1_1", 0.5)
    alone.run_steps(3)
    assert equal(weights_of(alone.bench.model), weights_of(terms_lab.bench.rival.model))


def test_of_l1_and_l2_b_takes_the_other(lab: TrainingLab):
    lab.fork()
    assert (lab.mix, lab.mix_b) == (0, 1)
    assert [run.loss.weights for run in lab.bench.runs.values()] == [
        {"l1": 1.0, "l2": 0.0},
        {"l1": 0.0, "l2": 10.0},
    ]
    lab.run_steps(2)
    assert list(lab.pictures()) == ["bicubic", "A", "B", "truth"]
    assert not torch.equal(lab.pictures()["A"], lab.pictures()["B"])
    assert (lab.network["name"], lab.network_b["name"]) == ("A", "B")
    steps = [row[0] for row in lab.curves["B"]["rows"]]
    assert (steps[0], steps[-1]) == (0, 2)
    assert "A: PSNR" in lab.said
    assert "B: PSNR" in lab.said


def test_sliders_of_b_move_b_alone(lab: TrainingLab):
    lab.fork(mix=0.0)
    lab.set("mix_b", 0.5)
    assert lab.bench.loss.weights == {"l1": 1.0, "l2": 0.0}
    assert lab.bench.rival.loss.weights == {"l1": 0.5, "l2": 5.0}
    lab.set("learning_rate", 1e-4)
    assert [run.present_learning_rate for run in lab.bench.runs.values()] == [1e-4, 1e-4]


def test_reset_lets_both_begin_anew_and_a_alone_goes_on(lab: TrainingLab):
    lab.run_steps(1)
    lab.fork()
    lab.run_steps(1)
    lab.reset()
    assert lab.step == 0
    assert equal(*(weights_of(run.model) for run in lab.bench.runs.values()))
    lab.drop()
    assert lab.network_b == {}
    assert list(lab.numbers) == ["A", "bicubic"]
    with pytest.raises(ValueError, match="There is no slider 'mix_b'; there are mix, lear"):
        lab.set("mix_b", 1)
    lab.run_steps(1)
    assert lab.step == 1


def test_b_comes_and_goes_while_it_trains(lab: TrainingLab):
    lab.start()
    wait_for(lambda: lab.bench.step is not None, "a step")
    lab.fork()
    wait_for(lambda: len(lab.curves.get("B", {"rows": []})["rows"]) > 1, "B to train")
    assert lab.bench.rival.step.number <= lab.bench.step.number <= lab.bench.done + 1
    lab.drop()
    count = lab.step
    wait_for(lambda: lab.step > count + 1, "A to go on")
    assert lab.live.state == "running"


# The way back --------------------------------------------------------------------------------


def explode(lab: TrainingLab) -> None:
    lab.set("learning_rate", 0.1)
    for _ in range(60):
        lab.run_steps(1)
        if lab.diverged:
            return
    pytest.fail("It did not diverge.")


def test_one_press_leads_back_to_before_the_divergence(lab: TrainingLab):
    lab.run_steps(12)
    kept = [mark.states["A"]["model"] for mark in lab.bench.marks]
    explode(lab)
    step, back = lab.diverged["step"], lab.diverged["back"]
    assert back % 10 == 0
    assert back <= max(step - 10, 0)
    before = lab.figures.psnr
    lab.go_back()
    assert (lab.step, lab.diverged, lab.state) == (back, {}, "paused" if back else "ready")
    assert lab.learning_rate == lab.bench.present_learning_rate == 0.002
    assert equal(lab.bench.model.state_dict().values(), kept[back // 10].values())
    assert lab.figures.psnr > before + 5
    assert all(row[0] <= back for row in lab.curves["A"]["rows"] + lab.curves["A loss"]["rows"])
    lab.run_steps(3)
    assert (lab.step, lab.diverged) == (back + 3, {}), "it trains on"


def test_both_go_back_and_stay_comparable(lab: TrainingLab):
    lab.fork(mix=0.0)
    lab.run_steps(11)
    explode(lab)
    assert lab.diverged["run"] == "A"
    lab.go_back()
    lab.run_steps(2)
    assert equal(*(weights_of(run.model) for run in lab.bench.runs.values()))


def test_a_loss_that_is_no_number_can_be_taken_back(lab: TrainingLab):
    lab.run_steps(25)
    with torch.no_grad():
        lab.bench.model.head.weight.fill_(float("nan"))
    lab.start()
    wait_for(lambda: lab.diverged, "the failure")
    assert lab.diverged == {"run": "", "step": 26, "back": 10}
    lab.go_back()
    assert (lab.step, lab.error) == (10, "")
    lab.run_steps(1)
    assert lab.step == 11


def test_what_is_out_of_hand():
    def steps(sizes: list[float], weight: float = 2.0) -> list[bool]:
        watch = Watch()
        each = [Step(1, {"l1": torch.tensor(weight * size)}, 0.1, 0.1) for size in sizes]
        return [watch.see(step, {"l1": weight}) for step in each]

    usual = [0.04, 0.05, 0.06]
    assert steps([*usual, 1.4]) == [False] * 4, "a hard batch"
    assert steps([*usual, 1.6, 0.2, 0.14]) == [False] * 3 + [True, True, False]
    assert steps([3.0, 0.05, 0.05]) == [False] * 3, "an untrained network"


def test_twins_share_what_they_look_through_and_no_weight(content_loss: WeightedLoss):
    other = twin(content_loss)
    other.weights["pixel"] = 0.0
    other.terms["content"].layer_weights["relu1_1"] = 9.0
    assert content_loss.weights["pixel"] == 1.0
    assert content_loss.terms["content"].layer_weights["relu1_1"] == 0.0
    assert other.terms["content"].extractor is content_loss.terms["content"].extractor


# Reset, snapshot, errors ---------------------------------------------------------------------


def test_reset_gives_step_0_and_bicubic_and_the_same_way_again(lab: TrainingLab):
    first = weights_of(lab.bench.model)
    lab.run_steps(3)
    once = weights_of(lab.bench.model)
    lab.snapshot()
    lab.reset()
    assert lab.figures.step == 0
    assert lab.figures.psnr == pytest.approx(lab.bench.bicubic_psnr, abs=1e-4)
    assert lab.state == "ready"
    assert equal(first, weights_of(lab.bench.model)), "the same first weights again"
    assert len(lab.bench.snapshots) == 1, "snapshots stay"
    assert [row[0] for row in lab.curves["A"]["rows"]] == [0], "the curves begin anew"
    lab.run_steps(3)
    assert equal(once, weights_of(lab.bench.model))


def test_snapshot_stands_beside_the_network(lab: TrainingLab):
    lab.run_steps(2)
    lab.snapshot()
    lab.run_steps(2)
    (kept,) = lab.bench.snapshots
    assert (kept.name, kept.figures.step) == ("step 2", 2)
    assert not equal(kept.weights.values(), lab.bench.model.state_dict().values()), "a copy"
    pictures = lab.pictures()
    assert list(pictures) == ["bicubic", "snapshot step 2", "network", "truth"]
    assert len({picture.shape for picture in pictures.values()}) == 1
    assert not torch.equal(pictures["snapshot step 2"], pictures["network"])
    lab.photograph = list(VIEWS)[1]
    lab.live.wait()
    assert list(lab.pictures()) == ["bicubic", "network", "truth"], "it is of another picture"


def test_code_can_steer_what_runs_in_the_background(lab: TrainingLab):
    lab.start()
    lab.set("mix", 0.5)  # before its first step
    lab.snapshot()
    assert lab.bench.loss.weights == {"l1": 0.5, "l2": 5.0}
    assert len(lab.bench.snapshots) == 1
    wait_for(lambda: lab.live.state == "running", "it to run on")


def breaks(sr: torch.Tensor, hr: torch.Tensor) -> torch.Tensor:  # noqa: ARG001
    raise RuntimeError("no <memory> left")


def test_error_in_run_steps_is_raised(lab: TrainingLab):
    l1 = lab.bench.loss.terms["l1"]
    lab.bench.loss.terms["l1"] = breaks
    with pytest.raises(RuntimeError, match="no <memory> left"):
        lab.run_steps(1)
    lab.bench.loss.terms["l1"] = l1
    lab.run_steps(1)
    assert lab.figures.step == 1, "it can go on"


def test_a_wrecked_network_is_said_and_shown(lab: TrainingLab):
    with torch.no_grad():
        lab.bench.model.head.weight.fill_(float("nan"))
    with pytest.raises(
        DivergedError, match=r"The loss became nan at a learning rate of 0\.002"
    ):
        lab.run_steps(1)
    lab.start()
    wait_for(lambda: lab.error, "an alert")
    assert "start again with a smaller one" in lab.error
    lab.reset()
    assert lab.error == ""
    lab.run_steps(1)
    assert lab.figures.step == 1


# What readers without a kernel, and screen readers, get --------------------------------------


def test_without_arguments_it_is_the_network_of_lesson_01():
    lab = TrainingLab()
    model, data = lab.bench.model, lab.bench.data
    assert (model.scale, model.head.out_channels, len(model.body)) == (4, 32, 6)
    assert (data.batch_size, data.lr_size, data.hr_size) == (8, 24, 96)


def test_its_own_network_suits_the_scale_of_the_data():
    lab = TrainingLab(data=get_data(2, (12, 24)))
    lab.run_steps(1)
    assert lab.sr.shape == lab.bench.scene.hr.shape


# The live training by itself -----------------------------------------------------------------


class Counter:
    """A workpiece that only counts."""

    def __init__(self) -> None:
        self.count, self.drawn, self.changes = 0, [], {}

    def steps(self) -> Iterator[int]:
        while True:
            self.count += 1
            yield self.count

    def change(self, name: str, value: object) -> None:
        self.changes[name] = value

    def draw(self, state: str, error: str = "") -> None:
        self.drawn.append((state, error))

    def start_over(self) -> None:
        self.count = 0


def test_live_training_draws_now_and_then_not_each_step():
    work = Counter()
    live = LiveTraining(work)
    live.start()
    wait_for(lambda: work.count > 1000, "a thousand steps")
    live.pause()
    assert live.wait(10)
    assert 1 <= len(work.drawn) < 100
    assert work.drawn[-1] == ("paused", "")


def test_live_training_needs_no_thread_at_rest():
    work = Counter()
    live = LiveTraining(work)
    before = threading.active_count()
    live.start()
    live.pause()
    assert live.wait(10)
    wait_for(lambda: threading.active_count() <= before, "the thread to end")


def test_latest_of_many_changes_counts():
    work = Counter()
    live = LiveTraining(work)
    for value in range(200):
        live.change("mix", value)
    assert live.wait(10)
    assert work.changes == {"mix": 199}
    assert work.count == 0, "a change trains nothing"


def test_error_of_a_control_is_shown():
    class Picky(Counter):
        def change(self, name: str, value: object) -> None:
            raise ValueError(f"{name} cannot be {value}")

    work = Picky()
    live = LiveTraining(work)
    live.change("mix", 7)
    wait_for(lambda: live.state == "failed", "the failure")
    assert work.drawn[-1] == ("failed", "mix cannot be 7")
