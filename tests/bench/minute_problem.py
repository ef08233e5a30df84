"""What both sides of the minute train: the network and the batches of lesson 01."""

import torch

from srlab.data import Pairs, get_data
from srlab.machine import pick_device
from srlab.models import SrResNet
from srlab.runcard import Stage

MANY = 10**6
"""Steps; the clock ends a training before."""


def new_model() -> SrResNet:
    """32 features, 6 blocks, x4, with the same weights each time."""
    torch.manual_seed(0)
    return SrResNet(Stage().scale, num_blocks=6).to(pick_device())


def new_batches() -> Pairs:
    stage = Stage()
    sizes = stage.hr_size // stage.scale, stage.hr_size
    return get_data(stage.batch_size, sizes, device=pick_device())
