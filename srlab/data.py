"""Pairs to learn from: a sharp crop and the small picture made from it."""

from collections.abc import Iterator, Sequence
from os import PathLike

import torch
import torch.nn.functional as F
from torch import Tensor

from srlab.require import require_count, require_divisible, require_photos, require_sizes
from srlab.sources import Split, load_photos

Pair = tuple[Tensor, Tensor]


def mirrored(images: Tensor, border: int) -> Tensor:
    """Let a picture go on past its border as its own mirror image.

    Args:
        images: ``(N, C, h, w)``.
        border: px on each side; may be wider than the picture.

    Returns:
        ``(N, C, h + 2 * border, w + 2 * border)``.

    Example:
        >>> mirrored(torch.arange(3).view(1, 1, 1, 3), 2)[0, 0, 0]
        tensor([1, 0, 0, 1, 2, 2, 1])

    Source: lesson 00. ``F.pad`` mirrors too, but around the outermost px,
    which it does not repeat, and at most once.
    """
    for axis in (-2, -1):
        side = images.shape[axis]
        places = torch.arange(-border, side + border, device=images.device) % (2 * side)
        images = images.index_select(axis, torch.minimum(places, 2 * side - 1 - places))
    return images


def shrink(images: Tensor, scale: int) -> Tensor:
    """Bicubic reduction with antialiasing, before anything is rounded.

    Args:
        images: ``(N, C, s*h, s*w)``.
        scale: 2, 4 or 8.

    Returns:
        ``(N, C, h, w)``.

    Source: lesson 00; MATLAB's ``imresize``: the kernel of Keys 1981
    (a = -0.5), widened by the scale, over the mirrored picture. Without the
    mirror torch renormalizes the weights at the border instead, which moved
    the two outer rows by up to 15 steps of 1/255.
    """
    wide = mirrored(images, 2 * scale)  # as far as the kernel reaches: 2 px of lr
    size = wide.shape[-2] // scale, wide.shape[-1] // scale
    lr = F.interpolate(wide, size, mode="bicubic", antialias=True)
    return lr[..., 2:-2, 2:-2]


def degrade(hr: Tensor, scale: int) -> Tensor:
    """Make the low-resolution picture that a model will have to enlarge.

    ``shrink`` to the small size, then whole steps of 1/255, as a photograph
    is stored.

    Args:
        hr: ``(N, C, s*h, s*w)``, in [0, 1].
        scale: 2, 4 or 8.

    Returns:
        lr ``(N, C, h, w)``, in [0, 1].

    Raises:
        ValueError: if a side of ``hr`` is not divisible by ``scale``.

    Example:
        >>> degrade(torch.ones(1, 3, 8, 8), 4).shape
        torch.Size([1, 3, 2, 2])

    Source: lesson 00; the small picture of the published benchmarks.
    """
    require_divisible(hr, scale)
    return shrink(hr, scale).mul(255).round().div(255).clamp(0, 1)


def crop_to_multiple(hr: Tensor, scale: int) -> Tensor:
    """Cut the right and lower edge so that ``scale`` divides both sides.

    Example:
        >>> crop_to_multiple(torch.zeros(1, 3, 33, 50), 4).shape
        torch.Size([1, 3, 32, 48])

    Source: lesson 00; the first step of the published protocol.
    """
    height, width = hr.shape[-2:]
    return hr[..., : height // scale * scale, : width // scale * scale]


def random_crop(photo: Tensor, size: int, generator: torch.Generator) -> Tensor:
    """Cut a square from a random place, then flip and turn it at random.

    Args:
        photo: ``(3, h, w)``, at least ``size`` on each side.
        size: px.
        generator: where the randomness comes from.

    Returns:
        ``(3, size, size)``, one of eight orientations.

    Source: lesson 00.
    """
    height, width = photo.shape[-2:]
    draws = torch.rand(4, generator=generator).tolist()
    top = int(draws[0] * (height - size + 1))
    left = int(draws[1] * (width - size + 1))
    crop = photo[:, top : top + size, left : left + size]
    if draws[2] < 0.5:
        crop = crop.flip(2)
    return crop.rot90(int(draws[3] * 4), (1, 2))


class Pairs:
    """Endless ``(lr, hr)`` batches; batch ``i`` depends on seed and i alone.

    So a training that stopped at step 1000 goes on with ``pairs[1000]`` as if
    nothing had happened.

    Source: lesson 00.
    """

    def __init__(
        self, photos: Sequence[Tensor], batch_size: int, sizes: tuple[int, int], seed: int = 0
    ):
        self.photos, self.batch_size, self.seed = photos, batch_size, seed
        self.lr_size, self.hr_size = sizes
        self.scale = self.hr_size // self.lr_size

    def __getitem__(self, index: int) -> Pair:
        return self.part(index, range(self.batch_size))

    def part(self, index: int, places: range) -> Pair:
        """Some of the pairs of batch ``index``; several computers can share it."""
        # torch looks at the lower 32 bits of a seed alone, so both are mixed into them
        generator = torch.Generator().manual_seed((self.seed * 1_000_003 + index) % 2**32)
        picks = torch.randint(len(self.photos), (self.batch_size,), generator=generator)
        crops = [random_crop(self.photos[i], self.hr_size, generator) for i in picks.tolist()]
        hr = torch.stack(crops[places.start : places.stop]).float() / 255
        return degrade(hr, self.scale), hr

    def __iter__(self) -> Iterator[Pair]:
        index = 0
        while True:
            yield self[index]
            index += 1


def get_data(
    batch_size: int,
    sizes: tuple[int, int],
    *,
    source: str | PathLike[str] = "embedded",
    split: Split = "train",
    seed: int = 0,
    device: torch.device | str = "cpu",
) -> Pairs:
    """Get batches of one size and scale; call it again for the next.

    The photographs wait in memory, also in three reduced copies, since a
    network meets things large and small.

    Args:
        batch_size: pairs in a batch.
        sizes: ``(lr_size, hr_size)`` in px; their ratio is the scale.
        source, split: as for ``srlab.sources.load_photos``.
        seed: the same seed gives the same batches.
        device: where the photographs lie and the crops are made.

    Returns:
        Endless pairs: lr ``(N, 3, lr_size, lr_size)`` and
        hr ``(N, 3, hr_size, hr_size)``, in [0, 1].

    Raises:
        TypeError: if the batch size or a size is no integer.
        ValueError: if the batch size is below 1, the sizes have no scale of
            2, 4 or 8, or no photograph is large enough.

    Example:
        >>> lr, hr = get_data(8, (24, 96))[0]
        >>> lr.shape, hr.shape
        (torch.Size([8, 3, 24, 24]), torch.Size([8, 3, 96, 96]))

    Source: lesson 00; the article this course grows from calls it again for
    each size.
    """
    require_count(batch_size, "batch_size")
    require_sizes(sizes)
    photos = load_photos(source, split).values()
    copies = [reduced(photo, factor) for photo in photos for factor in (1, 0.8, 0.6, 0.4)]
    large = [copy.to(device) for copy in copies if min(copy.shape[-2:]) >= sizes[1]]
    require_photos(large, source, sizes[1])
    return Pairs(large, batch_size, sizes, seed)


def reduced(photo: Tensor, factor: float) -> Tensor:
    """A smaller copy of a uint8 photograph ``(3, h, w)``.

    Source: lesson 00.
    """
    if factor == 1:
        return photo
    size = [round(side * factor) for side in photo.shape[-2:]]
    return F.interpolate(photo[None], size, mode="bicubic", antialias=True)[0]
