"""The loop: lazy, exact, and whole whatever interrupts it."""

import copy
import math
import signal

import pytest
import torch
from torch import Tensor, nn

from srlab.data import degrade
from srlab.losses import l2_loss, pixel_loss
from srlab.metrics import psnr
from srlab.models import Bicubic, SrResNet
from srlab.training import (
    DivergedError,
    Step,
    cosine_schedule,
    get_learning_rate,
    set_learning_rate,
    train,
    training_step,
    undivided,
)
from tests.watching import from_another_thread, unchanged


class Recorded(list):  # type: ignore[type-arg]
    """Batches that note which of them were asked for."""

    def __init__(self, *pairs: tuple[Tensor, Tensor]):
        super().__init__(pairs)
        self.asked: list[int] = []

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        self.asked.append(index)
        return super().__getitem__(index)


@pytest.fixture
def model() -> SrResNet:
    torch.manual_seed(0)
    return SrResNet(2, 6, 1)


@pytest.fixture
def batches() -> Recorded:
    generator = torch.Generator().manual_seed(1)
    hrs = [torch.rand(2, 3, 16, 16, generator=generator) for _ in range(8)]
    return Recorded(*((degrade(hr, 2), hr) for hr in hrs))


def adam(model: nn.Module, learning_rate: float = 1e-2) -> torch.optim.Optimizer:
    return torch.optim.Adam(model.parameters(), learning_rate)


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


# -- the iterator ----------------------------------------------------------------


def test_nothing_happens_until_asked(model: SrResNet, batches: Recorded) -> None:
    before = copy.deepcopy(model.state_dict())
    with unchanged(model):
        steps = train(model.train(), batches, pixel_loss(), adam(model), steps=3)
    assert batches.asked == []
    first = next(steps)
    assert not same(before, model.state_dict())
    assert batches.asked == [0]
    assert (first.number, list(first.terms)) == (1, ["l1"])
    assert [step.number for step in steps] == [2, 3]
    assert batches.asked == [0, 1, 2]


def test_a_step_reports_what_it_did(model: SrResNet, batches: Recorded) -> None:
    loss = pixel_loss(0.5)
    lr, hr = batches[0]
    with torch.no_grad():
        expected = loss(model(lr), hr)
    step = next(train(model, batches, loss, adam(model, 0.003), steps=1))
    assert step.terms == expected
    assert not any(term.requires_grad for term in step.terms.values())
    assert step.loss == pytest.approx(sum(term.item() for term in expected.values()))
    assert step.learning_rate == 0.003
    assert step.seconds > 0


def test_training_step_by_hand() -> None:
    """One weight w = 1 on lr = 2, hr = 0: L2 is 4, its slope 8, so w becomes 0.2."""

    class Times(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w = nn.Parameter(torch.tensor(1.0))

        def forward(self, lr: Tensor) -> Tensor:
            return self.w * lr

    model = Times()
    pair = torch.full((1, 1, 1, 1), 2.0), torch.zeros(1, 1, 1, 1)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    terms = training_step(model, pair, lambda sr, hr: {"l2": l2_loss(sr, hr)}, optimizer)
    assert terms["l2"].item() == 4
    assert model.w.item() == pytest.approx(0.2)
    training_step(model, pair, lambda sr, hr: {"l2": l2_loss(sr, hr)}, optimizer)
    assert model.w.item() == pytest.approx(0.04)  # the old gradient is gone


def test_it_can_go_on_in_the_middle(model: SrResNet, batches: Recorded) -> None:
    torch.manual_seed(0)
    whole = SrResNet(2, 6, 1)
    optimizer = adam(whole)
    list(train(whole, batches, pixel_loss(), optimizer, steps=6))
    optimizer = adam(model)
    list(train(model, batches, pixel_loss(), optimizer, steps=4))
    rest = list(train(model, batches, pixel_loss(), optimizer, steps=6, start=4))
    assert [step.number for step in rest] == [5, 6]
    assert same(whole.state_dict(), model.state_dict())


def test_weights_and_learning_rate_may_move_between_steps(
    model: SrResNet, batches: Recorded
) -> None:
    loss, optimizer = pixel_loss(), adam(model)
    steps = train(model, batches, loss, optimizer, steps=3)
    assert list(next(steps).terms) == ["l1"]
    loss.weights.update(l1=0.0, l2=10.0)
    set_learning_rate(optimizer, 0.5)
    step = next(steps)
    assert list(step.terms) == ["l2"]
    assert step.learning_rate == get_learning_rate(optimizer) == 0.5


def test_the_schedule_sets_each_steps_learning_rate(model: SrResNet, batches: Recorded) -> None:
    def schedule(done: float) -> float:
        return 0.01 * (1 - done)

    steps = train(
        model, batches, pixel_loss(), adam(model), steps=4, start=1, schedule=schedule
    )
    assert [step.learning_rate for step in steps] == pytest.approx([0.0075, 0.005, 0.0025])


def test_cosine_schedule() -> None:
    schedule = cosine_schedule(2.0, warm_up=0.1, floor=0.05)
    assert schedule(0) == pytest.approx(0.1)  # the floor
    assert schedule(0.05) == pytest.approx(1.0)  # half of the way up
    assert schedule(0.1) == pytest.approx(2.0)
    assert schedule(0.55) == pytest.approx(2.0 * (0.05 + 0.95 / 2))
    assert schedule(1.0) == pytest.approx(0.1)


def test_it_trains_in_training_mode(model: SrResNet, batches: Recorded) -> None:
    model.eval()
    next(train(model, batches, pixel_loss(), adam(model), steps=1))
    assert model.training


# -- what it learns --------------------------------------------------------------


def test_it_beats_bicubic_on_what_it_saw(photo: Tensor) -> None:
    hr = photo[..., 20:68, 30:78].contiguous()
    lr = degrade(hr, 2)
    torch.manual_seed(0)
    model = SrResNet(2, 16, 2)
    steps = [*train(model, [(lr, hr)] * 100, pixel_loss(), adam(model, 3e-3), steps=100)]
    assert steps[-1].loss < 0.9 * steps[0].loss
    with torch.no_grad():
        assert psnr(model(lr), hr) > psnr(Bicubic(2)(lr), hr) + 1


def test_bfloat16_computes_the_model_alone(model: SrResNet, batches: Recorded) -> None:
    inside, outside = [], []
    model.head.register_forward_hook(lambda _, __, out: inside.append(out.dtype))

    def loss(sr: Tensor, hr: Tensor) -> dict[str, Tensor]:
        outside.append(sr.dtype)
        return {"l2": l2_loss(sr, hr)}

    optimizer = adam(model)
    steps = [*train(model, batches, loss, optimizer, steps=3, precision=torch.bfloat16)]
    assert set(inside) == {torch.bfloat16}
    assert set(outside) == {torch.float32}
    assert all(math.isfinite(step.loss) for step in steps)
    assert {p.dtype for p in model.parameters()} == {torch.float32}


# -- what goes wrong -------------------------------------------------------------


@pytest.mark.parametrize("poison", [math.nan, math.inf])
def test_a_diverged_loss_stops_before_the_step(
    model: SrResNet, batches: Recorded, poison: float
) -> None:
    def loss(sr: Tensor, hr: Tensor) -> dict[str, Tensor]:
        bad = len(batches.asked) == 3
        return {"l2": l2_loss(sr, hr) * (poison if bad else 1)}

    optimizer = adam(model, 0.02)
    steps = train(model, batches, loss, optimizer, steps=5)
    next(steps), next(steps)
    sentence = f"The loss became {poison} at a learning rate of 0.02; start again with a"
    with unchanged(model), pytest.raises(DivergedError, match=sentence):
        next(steps)
    assert int(optimizer.state[model.head.weight]["step"]) == 2


def interrupted_at(step: int, batches: Recorded) -> object:
    """A loss in whose middle somebody presses Ctrl-C."""

    def loss(sr: Tensor, hr: Tensor) -> dict[str, Tensor]:
        if len(batches.asked) == step:
            signal.raise_signal(signal.SIGINT)
        return {"l2": l2_loss(sr, hr)}

    return loss


def test_ctrl_c_waits_for_the_steps_end(model: SrResNet, batches: Recorded) -> None:
    before = signal.getsignal(signal.SIGINT)
    seen: list[Step] = []
    optimizer = adam(model)
    steps = train(model, batches, interrupted_at(2, batches), optimizer, steps=5)
    with pytest.raises(KeyboardInterrupt):
        seen.extend(steps)
    assert signal.getsignal(signal.SIGINT) is before
    assert batches.asked == [0, 1]
    assert [step.number for step in seen] == [1, 2], "the interrupted one, too"
    assert {int(state["step"]) for state in optimizer.state.values()} == {2}
    torch.manual_seed(0)
    whole = SrResNet(2, 6, 1)
    loss = lambda sr, hr: {"l2": l2_loss(sr, hr)}  # noqa: E731
    list(train(whole, batches, loss, adam(whole), steps=2))
    assert same(whole.state_dict(), model.state_dict())


def test_ctrl_c_outside_a_step_acts_at_once() -> None:
    with undivided() as presses:
        pass
    assert presses == []
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_ignored_ctrl_c_stays_ignored(model: SrResNet, batches: Recorded) -> None:
    """As a shell wants it for what runs in the background."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    loss = interrupted_at(1, batches)
    assert len([*train(model, batches, loss, adam(model), steps=2)]) == 2
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_it_trains_in_another_thread_too(model: SrResNet, batches: Recorded) -> None:
    done: list[Step] = []
    steps = train(model, batches, pixel_loss(), adam(model), steps=2)
    from_another_thread(lambda: done.extend(steps))
    assert [step.number for step in done] == [1, 2]


@pytest.mark.parametrize(
    "loss",
    [
        lambda sr, hr: {},  # noqa: ARG005
        lambda sr, hr: {"l1": (sr - hr).detach().abs().mean()},
    ],
)
def test_a_loss_that_can_teach_nothing_says_so_and_changes_nothing(model, batches, loss):
    with unchanged(model), pytest.raises(ValueError, match="is every weight 0"):
        training_step(model, batches[0], loss, adam(model))
