"""TrainingLab and what it stands on: the live training and the workbench."""

import math
import re
import threading
import time
from collections.abc import Iterator

import pytest
import torch

from srlab.data import get_data
from srlab.losses import pixel_loss
from srlab.metrics import Protocol, psnr
from srlab.models import SrResNet, enlarge
from srlab.training import DivergedError
from srlab.widgets.kit.live import LiveTraining
from srlab.widgets.poster import BYTES_LIMIT
from srlab.widgets.training_lab import TrainingLab
from srlab.widgets.workbench import Figures, History, Workbench
from tests.test_parts import alt_of
from tests.watching import equal, from_another_thread, numbers_of, wait_for, weights_of

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


def test_kept_network_is_a_copy(bench: Workbench):
    kept = bench.keep()
    steps = bench.steps()
    for _ in range(3):
        next(steps)
    assert (kept.name, kept.figures.step) == ("step 0", 0)
    assert not torch.equal(kept.weights["head.weight"], bench.model.state_dict()["head.weight"])


def test_history_stays_short_and_keeps_its_ends():
    history = History(limit=10)
    for step in range(100):
        history.add(Figures(step, 0.0, 0.0, 0.0))
    steps = [point.step for point in history.points]
    assert len(steps) <= 10
    assert (steps[0], steps[-1]) == (0, 99)
    assert steps == sorted(steps)


# The live training, through the lab ----------------------------------------------------------


def test_run_steps_trains_here_and_draws(lab: TrainingLab):
    before, picture = weights_of(lab.bench.model), lab._preview.value
    lab.run_steps(3)
    assert lab.figures.step == 3
    assert lab.live.state == "paused"
    assert numbers_of(lab)["step"] == "3"
    assert numbers_of(lab)["state"] == "paused"
    assert not equal(before, weights_of(lab.bench.model))
    assert lab._preview.value != picture
    assert lab._preview.data.startswith(JPEG)


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
    step, weights, picture = lab.bench.step, weights_of(lab.bench.model), lab._preview.value
    assert lab.figures.step == step.number, "what is shown is the last step"
    time.sleep(0.3)
    assert lab.bench.step is step
    assert equal(weights, weights_of(lab.bench.model))
    assert lab._preview.value == picture
    assert numbers_of(lab)["state"] == "paused"


def test_start_goes_on_where_pause_stopped(lab: TrainingLab):
    lab.run_steps(2)
    lab.start()
    wait_for(lambda: lab.bench.step.number > 2, "a further step")
    lab.pause()
    lab.run_steps(1)
    assert lab.figures.step == lab.bench.step.number > 3


def test_start_pause_and_reset_from_other_threads(lab: TrainingLab):
    from_another_thread(lab.start)
    wait_for(lambda: lab.bench.step is not None, "a step")
    from_another_thread(lab.pause)
    assert lab.live.state == "paused"
    from_another_thread(lab.reset)
    assert lab.figures.step == 0
    from_another_thread(lambda: lab.run_steps(2))
    assert lab.figures.step == 2


def test_buttons_do_what_they_say(lab: TrainingLab):
    assert (lab._start.disabled, lab._pause.disabled) == (False, True)
    lab._start.click()
    wait_for(lambda: lab._start.disabled and not lab._pause.disabled, "the buttons to change")
    lab._pause.click()
    lab.live.wait()
    assert (lab._start.disabled, lab._pause.disabled) == (False, True)
    lab._snapshot.click()
    lab.live.wait()
    assert len(lab.bench.snapshots) == 1
    lab._reset.click()
    lab.live.wait()
    assert numbers_of(lab)["step"] == "0"


def test_many_hands_at_once_leave_a_sound_training(lab: TrainingLab):
    def one_step() -> None:
        lab.run_steps(1)

    def hurry(seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        actions = [lab.start, lab.live.pause, lab.live.reset, lab.snapshot, one_step]
        for pick in torch.randint(5, (10,), generator=generator).tolist():
            lab.dials["mix"].slider.value = pick / 4
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


def test_running_steps_pauses_the_background(lab: TrainingLab):
    lab.start()
    wait_for(lambda: lab.live.state == "running", "it to run")
    lab.run_steps(1)
    step = lab.bench.step
    assert lab.live.state == "paused"
    time.sleep(0.1)
    assert lab.bench.step is step


def test_a_slider_moved_during_run_steps_waits_its_turn(lab: TrainingLab):
    drawn_by, first = set(), []
    draw, l1 = lab.draw, lab.bench.loss.terms["l1"]

    def note_who(state: str, error: str = "") -> None:
        drawn_by.add(threading.current_thread())
        draw(state, error)

    def move_once(sr: torch.Tensor, hr: torch.Tensor) -> torch.Tensor:
        if not first:
            first.append(dict(lab.bench.loss.weights))
            from_another_thread(lambda: setattr(lab.dials["mix"].slider, "value", 0.5))
            first.append(dict(lab.bench.loss.weights))
        return l1(sr, hr)

    lab.draw, lab.bench.loss.terms["l1"] = note_who, move_once
    lab.run_steps(3)
    assert first == [{"l1": 1.0, "l2": 0.0}] * 2, "not in the middle of a step"
    assert drawn_by == {threading.current_thread()}, "one thread at a time, here the caller"
    assert lab.bench.loss.weights == {"l1": 0.5, "l2": 5.0}


# Sliders -------------------------------------------------------------------------------------


def test_sliders_arrive_while_it_trains(lab: TrainingLab):
    lab.start()
    wait_for(lambda: lab.live.state == "running", "it to run")
    lab.dials["mix"].slider.value = 0.25
    lab.dials["learning_rate"].slider.value = 1e-4
    wait_for(lambda: numbers_of(lab).get("w-l2") == "2.5", "the weight")
    wait_for(
        lambda: numbers_of(lab)["learning-rate"] == "0.0001",
        "the learning rate",
    )
    assert lab.live.state == "running", "a slider stops nothing"
    assert lab.bench.loss.weights == {"l1": 0.75, "l2": 2.5}
    assert numbers_of(lab)["w-l1"] == "0.75"
    count = lab.bench.step.number
    wait_for(lambda: lab.bench.step.number > count + 1, "a step with the new values")
    assert lab.bench.optimizer.param_groups[0]["lr"] == 1e-4
    assert lab.bench.step.learning_rate == 1e-4
    assert set(lab.bench.step.terms) == {"l1", "l2"}


def test_sliders_arrive_at_rest(lab: TrainingLab):
    lab.set("mix", 1.0)
    assert lab.bench.loss.weights == {"l1": 0.0, "l2": 10.0}
    assert numbers_of(lab)["w-l2"] == "10"
    lab.run_steps(1)
    assert set(lab.bench.step.terms) == {"l2"}


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
    lab.dials["mix"].slider.value = 0.5
    lab.pause()
    assert seen[0] == {"l1": 1.0, "l2": 0.0}
    assert lab.bench.loss.weights == {"l1": 0.5, "l2": 5.0}


def test_learning_rate_survives_a_reset(lab: TrainingLab):
    lab.set("learning_rate", 1e-4)
    lab.reset()
    lab.run_steps(1)
    assert lab.bench.step.learning_rate == pytest.approx(1e-4)
    assert numbers_of(lab)["learning-rate"] == "0.0001"


def test_another_photograph_is_shown_and_measured(lab: TrainingLab):
    before = numbers_of(lab)["bicubic"], lab._preview.value
    lab.photo.value = lab.photo.options[1]
    lab.live.wait()
    assert lab.bench.photo_name == lab.photo.options[1]
    assert numbers_of(lab)["bicubic"] != before[0]
    assert lab._preview.value != before[1]


def test_unknown_slider_is_named(lab: TrainingLab):
    message = r"There is no slider 'lr'; there are mix, learning_rate\."
    with pytest.raises(ValueError, match=message):
        lab.set("lr", 0.1)


@pytest.mark.parametrize("value", [1.5, -0.1, math.nan])
def test_a_value_beyond_a_slider_is_refused(lab: TrainingLab, value: float):
    before = lab.dials["mix"].slider.value
    with pytest.raises(ValueError, match=r"The slider '.*' goes from 0 to 1, but"):
        lab.set("mix", value)
    assert lab.dials["mix"].slider.value == before


# Reset, snapshot, errors ---------------------------------------------------------------------


def test_reset_gives_step_0_and_bicubic(lab: TrainingLab):
    first = weights_of(lab.bench.model)
    lab.run_steps(3)
    lab.snapshot()
    lab.reset()
    assert lab.figures.step == 0
    assert lab.figures.psnr == pytest.approx(lab.bench.bicubic_psnr, abs=1e-4)
    assert numbers_of(lab)["state"] == "ready"
    assert equal(first, weights_of(lab.bench.model)), "the same first weights again"
    assert len(lab.bench.snapshots) == 1, "snapshots stay"
    assert len(lab.bench.history.points) <= 1, "the curves begin anew"
    lab.run_steps(1)
    assert lab.figures.step == 1


def test_reset_while_it_trains(lab: TrainingLab):
    lab.start()
    wait_for(lambda: lab.bench.step is not None, "a step")
    lab.reset()
    assert (lab.live.state, lab.figures.step) == ("ready", 0)
    before = weights_of(lab.bench.model)
    time.sleep(0.1)
    assert equal(before, weights_of(lab.bench.model))


def test_trained_again_it_goes_the_same_way(lab: TrainingLab):
    lab.run_steps(3)
    once = weights_of(lab.bench.model)
    lab.reset()
    lab.run_steps(3)
    assert equal(once, weights_of(lab.bench.model))


def test_snapshot_stands_beside_the_network(lab: TrainingLab):
    lab.run_steps(2)
    lab.snapshot()
    lab.run_steps(2)
    pictures = lab.pictures()
    assert list(pictures) == ["bicubic", "snapshot step 2", "network", "truth"]
    assert len({picture.shape for picture in pictures.values()}) == 1
    assert not torch.equal(pictures["snapshot step 2"], pictures["network"])
    lab.photo.value = lab.photo.options[1]
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


def test_error_in_the_worker_is_an_alert(lab: TrainingLab):
    lab.bench.loss.terms["l1"] = breaks
    lab.start()
    wait_for(lambda: 'role="alert"' in lab._status.value, "an alert")
    assert "no &lt;memory&gt; left" in lab._status.value
    assert lab.live.state == numbers_of(lab)["state"] == "failed"
    assert (lab._start.disabled, lab._pause.disabled) == (False, True)


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
    wait_for(lambda: 'role="alert"' in lab._status.value, "an alert")
    assert "start again with a smaller one" in lab._status.value
    lab.reset()
    assert 'role="alert"' not in lab._status.value
    lab.run_steps(1)
    assert lab.figures.step == 1


# What readers without a kernel, and screen readers, get --------------------------------------


def test_status_is_announced_at_each_change_of_state(lab: TrainingLab):
    assert 'role="status"' in lab._status.value
    assert "ready: step 0" in lab._status.value
    lab.run_steps(1)
    assert "paused: step 1" in lab._status.value


def test_poster_lies_beside_the_widget(lab: TrainingLab):
    lab.run_steps(2)
    data, _ = lab._repr_mimebundle_()
    assert data["image/png"].startswith(PNG)
    assert len(data["image/png"]) <= BYTES_LIMIT
    assert "application/vnd.jupyter.widget-view+json" in data
    assert data["text/plain"] == repr(lab)


def test_text_is_the_same_each_run(lab: TrainingLab):
    assert not re.search(r"0x[0-9a-f]{6,}", repr(lab))
    assert repr(lab) == repr(TrainingLab(small, DATA))
    assert repr(lab).startswith("TrainingLab: step 0, PSNR ")


def test_every_control_has_a_name(lab: TrainingLab):
    for control in (*(dial.slider for dial in lab.dials.values()), lab.photo):
        assert control.description
        assert control.tooltip
    for button in (lab._start, lab._pause, lab._reset, lab._snapshot):
        assert button.description
        assert button.tooltip


def test_every_picture_says_its_numbers(lab: TrainingLab):
    lab.run_steps(1)
    assert alt_of(lab._preview) == f"Input, bicubic, network, truth. {lab._sentence()}"
    titles = [alt_of(curve).split(".")[0] for curve in lab._curves]
    assert titles == ["Loss over the steps", "PSNR over the steps"]


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


def test_before_the_first_step_there_is_no_loss() -> None:
    before, after = Figures(0, float("nan"), 20.0, 0.1), Figures(1, 0.25, 20.0, 0.1)
    assert (before.loss_text, after.loss_text) == ("–", "0.2500")
