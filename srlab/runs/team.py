"""Several processes that train one network together, on one host or on many.

``torchrun`` starts them, Lightning Fabric connects them and averages their
gradients. Each computes its part of every batch, so that a run card means the
same on one processor and on eight GPUs.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch import nn

from srlab.data import Pair, Pairs
from srlab.training import Batches

Value = TypeVar("Value")


class Team:
    """One process of those that train together; alone without ``fabric``.

    Args:
        fabric: a launched ``lightning_fabric.Fabric``, or None.
    """

    def __init__(self, fabric: Any = None):
        self.fabric = fabric
        self.rank: int = fabric.global_rank if fabric else 0
        self.size: int = fabric.world_size if fabric else 1

    @property
    def leads(self) -> bool:
        """Whether this is the one process that writes files and shows progress."""
        return self.rank == 0

    def wrap(self, model: nn.Module) -> nn.Module:
        """The model, whose gradients become the mean over all processes."""
        return self.fabric.setup_module(model) if self.fabric else model

    def share(self, pairs: Pairs) -> Batches:
        """This process's part of every batch.

        Raises:
            ValueError: if a batch cannot be cut into equal parts.
        """
        return BatchShare(pairs, self.rank, self.size) if self.fabric else pairs

    def agree(self, value: Value) -> Value:
        """What the leading process holds; everybody waits for it."""
        return self.fabric.broadcast(value) if self.fabric else value

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Say in one sentence that another process was lost.

        Raises:
            ConnectionError: in place of what the network's library said.
        """
        try:
            yield
        except RuntimeError as error:
            if self.fabric is None or not _lost(error):
                raise
            raise ConnectionError(
                f"Another of the {self.size} processes that train together was lost, so "
                f"process {self.rank} stopped; go on with --resume."
            ) from error


def _lost(error: RuntimeError) -> bool:
    """Whether the library that connects processes raised it."""
    words = str(error).lower()
    return isinstance(error, torch.distributed.DistError) or "gloo" in words or "nccl" in words


ALONE = Team()


class BatchShare:
    """One of ``size`` equal parts of every batch; together they are the whole."""

    def __init__(self, pairs: Pairs, rank: int, size: int):
        if pairs.batch_size % size:
            raise ValueError(
                f"A batch of {pairs.batch_size} pairs cannot be shared equally by {size} "
                f"processes; take a batch_size that {size} divides."
            )
        count = pairs.batch_size // size
        self.pairs, self.places = pairs, range(rank * count, (rank + 1) * count)

    def __getitem__(self, index: int) -> Pair:
        return self.pairs.part(index, self.places)


def join_team() -> Team:
    """Join the processes that ``torchrun`` started; alone without it.

    Raises:
        ModuleNotFoundError: if there are several, and Lightning Fabric is not
            installed.
    """
    size, local = (int(os.environ.get(key, 1)) for key in ("WORLD_SIZE", "LOCAL_WORLD_SIZE"))
    if size == 1:
        return ALONE
    try:
        from lightning_fabric import Fabric
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            f"{size} processes were started, but Lightning Fabric, which connects them, is "
            f"not installed; install it with pip install lightning-fabric."
        ) from None
    device = os.environ.get("SRLAB_DEVICE") or ("cuda" if torch.cuda.is_available() else "cpu")
    fabric = Fabric(
        accelerator=torch.device(device).type,
        devices=local,
        num_nodes=size // local,
        strategy="ddp",
    )
    fabric.launch()
    return Team(fabric)
