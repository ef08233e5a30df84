"""What a network costs: the numbers it learns, and the work for one picture."""

import copy

import torch
from torch import Tensor, nn

from srlab.models import count_parameters
from srlab.require import require_count

__all__ = ["count_multiply_adds", "count_parameters"]

Convolution = nn.Conv2d | nn.ConvTranspose2d


def count_multiply_adds(model: nn.Module, height: int, width: int) -> int:
    """Multiplications, each with its addition, to enlarge one picture.

    ``k * k * in_channels * out_channels * h * w`` for each convolution, with
    the size of what it gives (of a transposed one: of what it gets); half of
    the "flops" that torch counts. Bicubic, ReLU, pooling and shuffles are left
    out. A black picture goes through a copy of the model, on the CPU.

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

    Source: built by srlab. Counted by hooks: torch's ``FlopCounterMode`` gives
    the same number, but first loads a compiler, which takes seconds.
    """
    require_count(height, "height")
    require_count(width, "width")
    own = copy.deepcopy(model).to("cpu", torch.float32).eval()
    counts: list[int] = []

    def note(conv: Convolution, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        places = inputs[0] if isinstance(conv, nn.ConvTranspose2d) else output
        counts.append(conv.weight.numel() * places[0, 0].numel())

    for layer in own.modules():
        if isinstance(layer, Convolution):
            layer.register_forward_hook(note)
    with torch.no_grad():
        own(torch.zeros(1, 3, height, width))
    return sum(counts)
