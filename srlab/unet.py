"""A UNet that enlarges: down to the whole scene, up again with skips, then larger."""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from srlab.features import Normalizing, Weights, layer_names, load_vgg
from srlab.models import Upsampler, enlarge, start_at_zero
from srlab.require import require_batch, require_count, require_scale
from srlab.upsamplers import IcnrStage


class TwoConvs(nn.Sequential):
    """What a UNet does at each size: two convolutions, each with a leaky ReLU.

    Leaky, since all of the signal passes here: a plain ReLU that a large step
    has pushed below 0 for every picture gets no gradient any more, and stays.

    Args:
        in_channels, out_channels: channels before and after.

    Source: lesson 06; Ronneberger et al. 2015, padded so that the size stays,
    and with leaky ReLUs.
    """

    def __init__(self, in_channels: int, out_channels: int):
        super().__init__(  # (N, out, h, w)
            nn.Conv2d(in_channels, out_channels, 3, padding=1),
            nn.LeakyReLU(0.1),
            nn.Conv2d(out_channels, out_channels, 3, padding=1),
            nn.LeakyReLU(0.1),
        )


class PlainEncoder(nn.Module):
    """The contracting path: half the size and twice the channels, each time.

    Args:
        num_features: channels at full size.
        depth: halvings.

    Source: lesson 06.
    """

    def __init__(self, num_features: int = 32, depth: int = 2):
        require_count(depth, "depth")
        super().__init__()
        self.widths = [num_features * 2**level for level in range(depth + 1)]  # F, 2F, 4F
        self.blocks = nn.ModuleList(TwoConvs(*pair) for pair in pairwise([3, *self.widths]))

    def forward(self, images: Tensor) -> list[Tensor]:
        """``(N, 3, h, w)`` -> a map for each size, the finest first."""
        maps = [self.blocks[0](images)]  # (N, F, h, w)
        for block in self.blocks[1:]:
            maps.append(block(F.max_pool2d(maps[-1], 2)))  # half the size, twice the channels
        return maps


class VggEncoder(Normalizing):
    """The contracting path of a VGG that has seen many pictures before.

    Its maps are those before each pooling: relu1_2, relu2_2, relu3_3, ...
    It is trained along with the rest; ``requires_grad_(False)`` freezes it.

    Args:
        depth: halvings, 1 to 3, or to 4 with torchvision's weights.
        weights: as for ``FeatureExtractor``.

    Raises:
        ValueError: if VGG does not halve that often.

    Source: lesson 06; fast.ai's lesson 7 takes a ResNet-34 in its place.
    """

    def __init__(self, depth: int = 2, weights: Weights = "embedded"):
        blocks = split_at_pools(load_vgg(weights))
        require_depth(depth, len(blocks) - 1)
        super().__init__(weights)
        self.blocks = nn.ModuleList(blocks[: depth + 1])
        self.widths = [last_width(block) for block in self.blocks]

    def forward(self, images: Tensor) -> list[Tensor]:
        """``(N, 3, h, w)`` -> a map for each size, the finest first."""
        x, maps = self.normalize(images), []
        for block in self.blocks:
            x = block(x)  # (N, F, h, w), then half the size at each block
            maps.append(x / 10)  # VGG's values are about 10, those of what follows about 1
        return maps


def split_at_pools(vgg: nn.Sequential) -> list[nn.Sequential]:
    """VGG's blocks; each but the first begins with its pooling."""
    pools = [i for i, name in enumerate(layer_names(vgg)) if name.startswith("pool")]
    cuts = [0, *pools, len(vgg)]
    return [vgg[start:end] for start, end in pairwise(cuts) if end - start > 1]


def last_width(block: nn.Module) -> int:
    """Channels that the last convolution of a block gives."""
    return [layer for layer in block.modules() if isinstance(layer, nn.Conv2d)][-1].out_channels


class UNet(nn.Module):
    """A network that looks at the scene in several sizes.

    An encoder halves the small picture ``depth`` times. On the way up each
    size gets back, through a skip, what the encoder knew there. At the small
    picture's own size the upsampler takes over. It starts exactly as bicubic.

    Args:
        scale: 2, 4 or 8.
        num_features: channels at the finest size; unused with an encoder.
        depth: halvings; unused with an encoder.
        encoder: gives a map for each size, finest first, and their
            ``widths``; a ``PlainEncoder`` without one.
        stage: how the upsampler doubles.

    Attributes:
        reach: how many px of lr around a pixel its enlargement depends on, at
            most.

    Example:
        >>> UNet(4)(torch.rand(1, 3, 7, 5)).shape
        torch.Size([1, 3, 28, 20])

    Source: lesson 06; Ronneberger et al. 2015, on the small picture instead
    of an enlarged one, with PixelShuffle and ICNR upwards.
    """

    def __init__(
        self,
        scale: int = 4,
        num_features: int = 32,
        depth: int = 2,
        encoder: PlainEncoder | VggEncoder | None = None,
        stage: Callable[[int, int], nn.Module] = IcnrStage,
    ):
        require_scale(scale)
        super().__init__()
        self.scale, self.encoder = scale, encoder or PlainEncoder(num_features, depth)
        widths = self.encoder.widths
        self.ups = nn.ModuleList(IcnrStage(coarse, fine) for fine, coarse in pairwise(widths))
        # Twice the channels in: half come from below, half through the skip
        self.merges = nn.ModuleList(TwoConvs(2 * width, width) for width in widths[:-1])
        self.upsampler = Upsampler(widths[0], scale, stage=stage)
        start_at_zero(self.upsampler)  # what is added to bicubic is 0 at first
        self.reach = count_reach(self)

    def forward(self, lr: Tensor, *, gains: Sequence[float] | None = None) -> Tensor:
        """lr -> sr; ``gains`` of the skips, finest first: 1 as trained, 0 mutes one."""
        require_batch(lr, "lr")
        gains = [1.0] * len(self.ups) if gains is None else gains
        require_gains(gains, len(self.ups))
        *skips, features = self.encoder(pad_to_multiple(lr, 2 ** len(self.ups)))  # finest first
        for level in reversed(range(len(self.ups))):
            skip = gains[level] * skips[level]  # (N, F, h, w) of this level
            # From below as many, now as large: (N, 2F, h, w) go in, (N, F, h, w) come out
            features = self.merges[level](torch.cat([self.ups[level](features), skip], dim=1))
        sr = enlarge(lr, self.scale)  # (N, 3, s*h, s*w)
        return sr + self.upsampler(features)[..., : sr.shape[-2], : sr.shape[-1]]


def count_reach(unet: UNet) -> int:
    """How many px of lr around a pixel its enlargement depends on, at most.

    Returns:
        A multiple of what the encoder divides by, so that tiles halve as the
        whole does.
    """
    sizes: dict[nn.Module, int] = {unet.upsampler: 1}  # part -> px of lr in one of its pixels
    for level, block in enumerate(unet.encoder.blocks):
        sizes[block] = 2**level
    for level, (up, merge) in enumerate(zip(unet.ups, unet.merges, strict=True)):
        sizes |= {up: 2 ** (level + 1), merge: 2**level}
    coarsest = 2 ** len(unet.ups)
    # A pooled pixel may begin that much before the one that is asked about.
    reach = coarsest - 1 + sum(size * count_margin(part) for part, size in sizes.items())
    return math.ceil(reach / coarsest) * coarsest


def count_margin(part: nn.Module) -> int:
    """How many px the convolutions of a part look around a pixel, together."""
    convs = [layer for layer in part.modules() if isinstance(layer, nn.Conv2d)]
    return sum(conv.kernel_size[0] // 2 for conv in convs)


def pad_to_multiple(images: Tensor, multiple: int) -> Tensor:
    """Repeat the last row and column until both sides are multiples.

    Example:
        >>> pad_to_multiple(torch.zeros(1, 3, 7, 8), 4).shape
        torch.Size([1, 3, 8, 8])

    Source: lesson 06.
    """
    height, width = images.shape[-2:]
    # -7 % 4 is 1: what is missing, and 0 if nothing is
    return F.pad(images, (0, -width % multiple, 0, -height % multiple), mode="replicate")


def require_gains(gains: Sequence[float], skips: int) -> None:
    """Raise unless each skip has a gain."""
    if len(gains) != skips:
        raise ValueError(
            f"gains must be {skips}, one for each skip, finest first, but got {len(gains)}; "
            f"leave them out for the network as trained."
        )


def require_depth(depth: int, most: int) -> None:
    """Raise unless the encoder halves ``depth`` times."""
    require_count(depth, "depth")
    if depth > most:
        raise ValueError(f"depth must be 1 to {most} with these weights, but got {depth}.")
