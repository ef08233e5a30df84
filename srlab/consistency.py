"""Sharp pictures that a small picture allows: there are always many."""

from torch import Tensor

from srlab.data import shrink
from srlab.models import enlarge
from srlab.require import require_enlarged


def back_project(sr: Tensor, lr: Tensor, rounds: int = 100) -> Tensor:
    """Change a large picture until the small one made of it is ``lr``.

    ``sr = sr + enlarge(lr - reduced(sr))``, again and again

    What the small picture cannot hold stays as it is in ``sr``.

    Args:
        sr: ``(N, C, s*h, s*w)``, in [0, 1]; any picture at all.
        lr: ``(N, C, h, w)``, in [0, 1].
        rounds: how often the difference is added.

    Returns:
        ``(N, C, s*h, s*w)``, in [0, 1].

    Raises:
        ValueError: if ``sr`` is not 2, 4 or 8 times as large as ``lr``.

    Example:
        >>> import torch
        >>> from srlab.data import degrade
        >>> lr = torch.full((1, 3, 8, 8), 0.4)
        >>> torch.equal(degrade(back_project(torch.rand(1, 3, 32, 32), lr), 4), lr)
        True

    Source: lesson 07; Irani & Peleg 1991, who begin with a guess and stop
    when the difference no longer shrinks.
    """
    require_enlarged(sr, lr)
    scale = sr.shape[-1] // lr.shape[-1]
    for _ in range(rounds):
        # not degrade, whose rounding would stop us half a level away
        sr = (sr + enlarge(lr - shrink(sr, scale), scale)).clamp(0, 1)
    return sr
