"""A minute of training as fast.ai published it: runs where fastai is.

``python -m tests.bench.minute_published FOLDER SECONDS``. fastai's ``Learner``
with ``fit_one_cycle``, in fp32 and torch's default layout, on the network,
the batches and the peak of the learning rate that our side has. The cycle
follows the clock, as our side's cosine does.
"""

import sys
from pathlib import Path

import fastai.callback.schedule  # noqa: F401 - gives a Learner its fit_one_cycle
from fastai.callback.core import Callback, CancelFitException, TrainEvalCallback
from fastai.data.core import DataLoaders
from fastai.learner import Learner
from torch import nn
from torch.utils.data import DataLoader, Dataset

from srlab.runcard import Stage
from tests.bench.minute_problem import MANY, new_batches, new_model
from tests.bench.snapshots import Snapshots


class Batches(Dataset):
    """Our batches, each made when it is asked for; more than a minute can take."""

    def __init__(self, steps: int):
        self.pairs, self.steps = new_batches(), steps

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, index: int):
        return self.pairs[index]


class Minute(Callback):
    """Looks after each batch, and ends the training when the time is up."""

    order = TrainEvalCallback.order + 1  # before the schedule reads how far it is

    def __init__(self, folder: Path, seconds: float):
        self.folder, self.seconds = folder, seconds

    def before_fit(self) -> None:
        self.snapshots = Snapshots(self.folder, self.seconds)

    def before_batch(self) -> None:
        self.learn.pct_train = self.snapshots.share

    def after_batch(self) -> None:
        if self.snapshots.share < 1:
            self.snapshots.look(self.model, self.train_iter)
        else:
            self.snapshots.finish(self.model, self.train_iter)
            raise CancelFitException


def main() -> None:
    minute = Minute(Path(sys.argv[1]), float(sys.argv[2]))
    train, validate = (DataLoader(Batches(n), batch_size=None) for n in (MANY, 1))
    learner = Learner(DataLoaders(train, validate), new_model(), nn.L1Loss(), cbs=minute)
    with learner.no_bar(), learner.no_logging():
        learner.fit_one_cycle(1, Stage().learning_rate)


if __name__ == "__main__":
    main()
