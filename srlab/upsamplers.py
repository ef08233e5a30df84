"""Doubling stages: three ways to draw more pixels, and ICNR's start for one.

Each is made with the channels before and after, and turns features
``(N, in, h, w)`` into ``(N, out, 2h, 2w)``, as ``Upsampler`` wants its stages.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from srlab.require import require_shuffled


@torch.no_grad()
def icnr_(
    conv: nn.Conv2d,
    factor: int = 2,
    init: Callable[[Tensor], Tensor] = nn.init.kaiming_normal_,
) -> nn.Conv2d:
    """Start a convolution so that the shuffle after it draws flat squares.

    One kernel and one bias for each channel after the shuffle, copied to the
    ``factor**2`` channels that become one square. So convolution and shuffle
    begin as a nearest-neighbor enlargement: a flat picture stays flat.

    Args:
        conv: feeds ``PixelShuffle(factor)``; it is changed in place. The
            module and not its weight, since under weight norm that is derived
            from others, and what is written to it is lost.
        factor: the shuffle's own; not the scale of the whole network.
        init: fills a kernel ``(out / factor**2, in, k, k)`` in place.

    Returns:
        ``conv``.

    Raises:
        TypeError: if ``conv`` is no convolution.
        ValueError: if its channels do not make whole squares, or its weight
            is derived in a way that cannot be set.

    Example:
        >>> layers = nn.Sequential(icnr_(nn.Conv2d(3, 4, 1)), nn.PixelShuffle(2))
        >>> layers(torch.ones(1, 3, 1, 1)).unique().numel()
        1

    Source: lesson 04; Aitken et al. 2017, who leave the bias at zero.
    """
    require_shuffled(conv, factor)
    # (out / factor**2, in, k, k): one kernel for each square
    kernel = init(conv.weight[:: factor**2].clone())
    # (out, in, k, k); a square's channels lie together, so each is repeated at once
    set_weight(conv, kernel.repeat_interleave(factor**2, dim=0))
    if conv.bias is not None:
        conv.bias.copy_(conv.bias[:: factor**2].repeat_interleave(factor**2))
    return conv


@torch.no_grad()
def set_weight(conv: nn.Conv2d, weight: Tensor) -> None:
    """Give a convolution a weight, also where weight norm derives it.

    Args:
        conv: plain, or under either of torch's weight norms.
        weight: as ``conv.weight``.

    Source: lesson 04.
    """
    if parametrize.is_parametrized(conv, "weight"):
        conv.weight = weight  # torch works backwards to what it is derived from
    elif hasattr(conv, "weight_g"):  # torch's older weight norm
        length, direction = conv.get_parameter("weight_g"), conv.get_parameter("weight_v")
        direction.copy_(weight)
        # By kernel, (out, 1, 1, 1), or of the whole: the shape says over what to sum
        length.copy_(weight.square().sum_to_size(length.shape).sqrt())
    else:
        conv.weight.copy_(weight)


class IcnrStage(nn.Sequential):
    """``UpsampleStage`` that starts free of checkerboard.

    Its parameters have the names of ``UpsampleStage``, so weights carry over.

    Args:
        in_channels, out_channels: channels before and after.

    Source: lesson 04; Aitken et al. 2017.
    """

    def __init__(self, in_channels: int, out_channels: int):
        # (N, 4 * out, h, w), the four channels of a square alike
        conv = icnr_(nn.Conv2d(in_channels, 4 * out_channels, 3, padding=1), factor=2)
        super().__init__(conv, nn.PixelShuffle(2))  # (N, out, 2h, 2w)


class ResizeStage(nn.Sequential):
    """Double both sides by repeating pixels, then a convolution.

    Args:
        in_channels, out_channels: channels before and after.

    Source: lesson 04; Odena et al. 2016.
    """

    def __init__(self, in_channels: int, out_channels: int):
        conv = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        # (N, in, 2h, 2w), then (N, out, 2h, 2w): costly, since it convolves the large map
        super().__init__(nn.Upsample(scale_factor=2, mode="nearest"), conv)


class TransposedStage(nn.Sequential):
    """Double both sides: each pixel stamps its kernel, the stamps overlap.

    Args:
        in_channels, out_channels: channels before and after.

    Source: lesson 04; for comparison, since kernel 3 overlaps unevenly at
    stride 2.
    """

    def __init__(self, in_channels: int, out_channels: int):
        super().__init__(  # (N, out, 2h, 2w); both paddings make it exactly twice
            nn.ConvTranspose2d(
                in_channels, out_channels, 3, stride=2, padding=1, output_padding=1
            )
        )
