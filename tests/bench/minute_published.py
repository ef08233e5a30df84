"""A minute of training as fast.ai published it: runs where fastai is.

``python -m tests.bench.minute_published FOLDER SECONDS``. fastai's ``Learner``
with ``fit_one_cycle``, in fp32 and torch's default layout, on the network,
the batches and the peak of the learning rate that our side has.
"""

import sys
import time
from pathlib import Path

import fastai.callback.schedule  # noqa: F401 - gives a Learner its fit_one_cycle
from fastai.callback.core import Callback
from fastai.data.core import DataLoaders
from fastai.learner import Learner
from torch import nn
from torch.utils.data import DataLoader, Dataset

from srlab.runcard import Stage
from tests.bench.minute_problem import TRIAL, WARM_UP, new_batches, new_model
from tests.bench.snapshots import Snapshots


class Batches(Dataset):
    """So many of our batches, each made when it is asked for."""

    def __init__(self, steps: int):
        self.pairs, self.steps = new_batches(), steps

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, index: int):
        return self.pairs[index]


class Watch(Callback):
    """Looks after each batch of the training."""

    def __init__(self, snapshots: Snapshots):
        self.snapshots = snapshots

    def after_batch(self) -> None:
        if self.training:
            self.snapshots.look(self.model, self.train_iter)


class Clock(Callback):
    def before_fit(self) -> None:
        self.times: list[float] = []

    def after_batch(self) -> None:
        if self.training:
            self.times.append(time.perf_counter())


def fit(steps: int, watch: Callback) -> nn.Module:
    """Train anew for so many steps."""
    train, validate = (DataLoader(Batches(n), batch_size=None) for n in (steps, 1))
    learner = Learner(DataLoaders(train, validate), new_model(), nn.L1Loss(), cbs=watch)
    with learner.no_bar(), learner.no_logging():
        learner.fit_one_cycle(1, Stage().learning_rate)
    return learner.model


def main() -> None:
    folder, seconds = Path(sys.argv[1]), float(sys.argv[2])
    clock = Clock()
    fit(WARM_UP + TRIAL, clock)
    step_seconds = (clock.times[-1] - clock.times[WARM_UP]) / (len(clock.times) - 1 - WARM_UP)
    steps = round(seconds / step_seconds)  # the schedule must know its end
    snapshots = Snapshots(folder, seconds)
    snapshots.finish(fit(steps, Watch(snapshots)), steps)


if __name__ == "__main__":
    main()
