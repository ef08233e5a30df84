"""What a network costs: the numbers it learns, and the work for one picture."""

import copy

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from srlab.models import count_parameters
from srlab.require import require_count

__all__ = ["count_multiply_adds", "count_parameters"]


def count_multiply_adds(model: nn.Module, height: int, width: int) -> int:
    """Multiplications, each with its addition, to enlarge one picture.

    ``k * k * in_channels * out_channels * h * w`` for each convolution, with
    the size of what it gives; half of the operations torch counts. Only
    convolutions and matrix products count; bicubic, ReLU, pooling and
    shuffles are left out. Nothing is computed: only shapes pass through a
    copy of the model.

    Args:
        model: lr -> sr.
        height, width: of lr, in px.

    Returns:
        Multiply-adds; 0 for bicubic.

    Raises:
        ValueError: if a side is below 1.

    Example:
        >>> conv = nn.Conv2d(3, 8, 3, padding=1)
        >>> count_multiply_adds(conv, 10, 20) == 3 * 3 * 3 * 8 * 10 * 20
        True

    Source: built by srlab, on torch's ``FlopCounterMode``.
    """
    require_count(height, "height")
    require_count(width, "width")
    shapes_only = copy.deepcopy(model).to("meta", torch.float32).eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        shapes_only(torch.empty(1, 3, height, width, device="meta"))
    return int(counter.get_total_flops()) // 2
