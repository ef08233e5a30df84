"""Ways to change a picture, so that the feature explorer has two to compare."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from srlab.data import degrade
from srlab.models import enlarge

BLUR, NOISE, SCALE = 1.5, 0.05, 4


def shift(picture: Tensor) -> Tensor:
    """Move a picture by 1 px to the right; its left column is there twice."""
    return torch.cat([picture[..., :1], picture[..., :-1]], dim=-1)


def blur(picture: Tensor) -> Tensor:
    """Smooth a picture by a Gaussian of ``BLUR`` px."""
    reach = round(4 * BLUR)
    kernel = torch.exp(-(torch.arange(-reach, reach + 1) ** 2) / (2 * BLUR**2))
    kernel = (kernel / kernel.sum()).expand(3, 1, 1, -1)
    padded = F.pad(picture, [reach] * 4, mode="replicate")
    return F.conv2d(F.conv2d(padded, kernel, groups=3), kernel.mT, groups=3)


def reduce_and_enlarge(picture: Tensor) -> Tensor:
    """Reduce and enlarge a picture ``SCALE`` times, both bicubic."""
    height, width = picture.shape[-2:]
    padded = F.pad(picture, (0, -width % SCALE, 0, -height % SCALE), mode="replicate")
    return enlarge(degrade(padded, SCALE), SCALE)[..., :height, :width].clamp(0, 1)


def add_noise(picture: Tensor) -> Tensor:
    """Add noise of ``NOISE``, the same each time."""
    noise = torch.randn(picture.shape, generator=torch.Generator().manual_seed(0))
    return (picture + NOISE * noise).clamp(0, 1)


CHANGES: dict[str, tuple[Callable[[Tensor], Tensor], str]] = {
    "shifted by 1 px": (shift, "to the right"),
    "blurred": (blur, f"Gaussian, {BLUR} px"),
    "bicubic": (reduce_and_enlarge, f"reduced and enlarged {SCALE} times"),
    "noisy": (add_noise, f"standard deviation {NOISE}"),
}
"""Name -> what it does to a picture, and how it is described."""
