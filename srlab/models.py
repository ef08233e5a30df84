"""Networks that enlarge pictures: lr ``(N, 3, h, w)`` -> sr ``(N, 3, s*h, s*w)``."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch.nn.functional as F
from torch import Tensor, nn

from srlab.require import require_batch, require_scale


def enlarge(lr: Tensor, scale: int) -> Tensor:
    """Bicubic interpolation, as in the published benchmarks.

    Args:
        lr: ``(N, C, h, w)``.
        scale: 2, 4 or 8.

    Returns:
        ``(N, C, s*h, s*w)``; it overshoots [0, 1] a little at sharp edges.

    ``antialias=True`` because torch then takes the kernel with a = -0.5, as
    MATLAB and Pillow do; without it a is -0.75.
    """
    require_batch(lr, "lr")
    require_scale(scale)
    size = lr.shape[-2] * scale, lr.shape[-1] * scale
    return F.interpolate(lr, size, mode="bicubic", antialias=True)  # (N, C, s*h, s*w)


class Bicubic(nn.Module):
    """Bicubic interpolation as a model like any other.

    Args:
        scale: 2, 4 or 8.
    """

    reach = 2  # px of lr around a pixel that its enlargement depends on

    def __init__(self, scale: int = 4):
        require_scale(scale)
        super().__init__()
        self.scale = scale

    def forward(self, lr: Tensor) -> Tensor:
        return enlarge(lr, self.scale)


class Enlarger(nn.Module):
    """A network of convolutions that knows how far around a pixel it looks."""

    @property
    def reach(self) -> float:
        """How many px of lr around a pixel its enlargement depends on, at most.

        Infinite if a layer pools the whole picture, as ``ChannelGates`` do.
        """
        if any(isinstance(m, nn.AdaptiveAvgPool2d) for m in self.modules()):
            return math.inf
        convs = [m for m in self.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
        return max(Bicubic.reach, sum(c.dilation[0] * (c.kernel_size[0] // 2) for c in convs))


class ResidualBlock(nn.Module):
    """Two convolutions that compute a correction to their input.

    Args:
        num_features: channels in and out.

    Source: lesson 01; He et al. 2016, without batch normalization as in EDSR
    (Lim et al. 2017), since a normalized network forgets the picture's
    contrast.
    """

    def __init__(self, num_features: int):
        super().__init__()
        self.conv1 = nn.Conv2d(num_features, num_features, 3, padding=1)
        self.conv2 = nn.Conv2d(num_features, num_features, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        # (N, F, h, w) throughout, so blocks can follow each other
        return x + self.conv2(F.relu(self.conv1(x)))


class UpsampleStage(nn.Sequential):
    """Double both sides: four channels for each one wanted, then shuffle.

    Args:
        in_channels, out_channels: channels before and after.

    Source: lesson 01; Shi et al. 2016. Lesson 04 takes it apart.
    """

    def __init__(self, in_channels: int, out_channels: int):
        conv = nn.Conv2d(in_channels, 4 * out_channels, 3, padding=1)  # (N, 4 * out, h, w)
        super().__init__(conv, nn.PixelShuffle(2))  # (N, out, 2h, 2w)


class Upsampler(nn.Module):
    """log2(scale) doublings; the last one gives colors.

    Args:
        num_features: channels in.
        scale: 2, 4 or 8.
        stage: called with the channels before and after; doubles both sides.

    Source: lesson 01. The usual upsampler keeps all features up to the last
    doubling and adds a convolution there. That costs more than the rest of
    the network; here the last doubling ends in RGB. Between doublings stands
    a leaky ReLU: all of the network's signal passes there, and a plain ReLU
    that a large step has turned off for good would leave bicubic alone.
    """

    def __init__(
        self,
        num_features: int,
        scale: int,
        stage: Callable[[int, int], nn.Module] = UpsampleStage,
    ):
        super().__init__()
        doublings = int(math.log2(scale)) - 1  # beside the last one
        self.stages = nn.ModuleList(stage(num_features, num_features) for _ in range(doublings))
        self.to_rgb = stage(num_features, 3)  # doubles, too, and ends in colors

    def forward(self, features: Tensor) -> Tensor:
        for stage in self.stages:
            # (N, F, 2h, 2w), then (N, F, 4h, 4w)
            features = F.leaky_relu(stage(features), 0.1, inplace=True)
        return self.to_rgb(features)  # (N, 3, s*h, s*w)


class SrResNet(Enlarger):
    """A residual network that adds to bicubic what bicubic lacks.

    One convolution, residual blocks at constant size, an upsampler. It starts
    exactly as bicubic, because its last convolution starts at zero.

    Args:
        scale: 2, 4 or 8.
        num_features: width; channels inside.
        num_blocks: depth; residual blocks.
        block: called with ``num_features``.
        upsampler: called with ``num_features`` and ``scale``; turns
            ``(N, F, h, w)`` into ``(N, 3, s*h, s*w)``.

    Example:
        >>> import torch
        >>> SrResNet(4)(torch.rand(1, 3, 7, 5)).shape
        torch.Size([1, 3, 28, 20])

    Source: lesson 01; after SRResNet (Ledig et al. 2017), without batch
    normalization, and with the picture-wide skip of VDSR (Kim et al. 2016).
    """

    def __init__(
        self,
        scale: int = 4,
        num_features: int = 32,
        num_blocks: int = 8,
        *,
        block: Callable[[int], nn.Module] = ResidualBlock,
        upsampler: Callable[[int, int], nn.Module] = Upsampler,
    ):
        require_scale(scale)
        super().__init__()
        self.scale = scale
        self.head = nn.Conv2d(3, num_features, 3, padding=1)  # padded: the size stays
        self.body = nn.Sequential(*(block(num_features) for _ in range(num_blocks)))
        self.upsampler = upsampler(num_features, scale)
        start_at_zero(self.upsampler)  # what is added to bicubic is 0 at first

    def forward(self, lr: Tensor) -> Tensor:
        features = self.body(self.head(lr))  # (N, F, h, w): all the work is done on small maps
        return enlarge(lr, self.scale) + self.upsampler(features)  # (N, 3, s*h, s*w)


def start_at_zero(module: nn.Module) -> None:
    """Set the last convolution of ``module`` to zero, so that it adds nothing.

    Source: lesson 01.
    """
    kinds = nn.Conv2d | nn.ConvTranspose2d
    last = [layer for layer in module.modules() if isinstance(layer, kinds)][-1]
    for parameter in last.parameters():  # the bias, too, or a new network would add a color
        nn.init.zeros_(parameter)


def count_parameters(model: nn.Module) -> int:
    """How many numbers a training adjusts."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Switch to evaluation and back, whatever happens between."""
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)
