"""Pairs to learn from: a sharp crop and the small picture made from it."""

import csv
import os
import random
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor
from tqdm.auto import tqdm

from srlab.files import ASSETS, at_home, cache_folder
from srlab.images import ImageSource, read_image, to_bytes
from srlab.images.folders import find_pictures, hr_and_lr
from srlab.require import require_count, require_divisible, require_photos, require_sizes

Pair = tuple[Tensor, Tensor]
Split = Literal["train", "val", "test"]

MEMORY_LIMIT = 3 * 2**29
"""Bytes of decoded photographs kept; more are left out, and a warning says so."""

# torchvision's class and what it calls the three splits
DATASETS: dict[str, tuple[str, dict[Split, str]]] = {
    "oxford-iiit-pet": (
        "OxfordIIITPet",
        {"train": "trainval", "val": "test", "test": "test"},
    ),
    "flowers102": ("Flowers102", {"train": "train", "val": "val", "test": "test"}),
    "imagenette": ("Imagenette", {"train": "train", "val": "val", "test": "val"}),
}


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
        # A mirror repeats after 2 sides
        places = torch.arange(-border, side + border, device=images.device) % (2 * side)
        # (N, C, ...), 2 * border px longer along the axis
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
    lr = F.interpolate(wide, size, mode="bicubic", antialias=True)  # (N, C, h + 4, w + 4)
    return lr[..., 2:-2, 2:-2]  # (N, C, h, w): what saw torch's own border goes


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
    draws = torch.rand(4, generator=generator).tolist()  # row, column, flip, turn
    top = int(draws[0] * (height - size + 1))
    left = int(draws[1] * (width - size + 1))
    crop = photo[:, top : top + size, left : left + size]  # (3, size, size)
    if draws[2] < 0.5:
        crop = crop.flip(2)
    return crop.rot90(int(draws[3] * 4), (1, 2))


class Pairs:
    """Endless ``(lr, hr)`` batches; batch ``i`` depends on seed and i alone.

    So a training that stopped at step 1000 goes on with ``pairs[1000]`` as if
    nothing had happened.

    Source: after the ten lines of lesson 00; beyond them one can loop over it,
    and several computers can share a batch.
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
        # One photograph may give several crops
        picks = torch.randint(len(self.photos), (self.batch_size,), generator=generator)
        crops = [random_crop(self.photos[i], self.hr_size, generator) for i in picks.tolist()]
        # (N, 3, hr_size, hr_size), in [0, 1]
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
        source, split: as for ``srlab.data.load_photos``.
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


def load_photos(
    source: str | os.PathLike[str] = "embedded",
    split: Split = "train",
    *,
    limit: int = MEMORY_LIMIT,
) -> dict[str, Tensor]:
    """Load photographs by one name.

    Args:
        source: ``"embedded"`` (the package's own, no download), a folder
            (every picture in it and below, whatever the split), or a data
            set: ``"oxford-iiit-pet"``, ``"flowers102"``, ``"imagenette"``
            (downloaded once, with progress).
        split: ``"train"``, ``"val"`` or ``"test"``.
        limit: bytes to keep in memory. Of a larger collection a fixed random
            choice is taken, with a warning.

    Returns:
        name -> uint8 ``(3, h, w)``, RGB, in [0, 255].

    Raises:
        ValueError: for an unknown split or source, or a folder without
            pictures.
        ConnectionError: if a data set is not here and cannot be downloaded.

    Example:
        >>> len(load_photos("embedded", "val"))
        3
    """
    if split not in ("train", "val", "test"):
        raise ValueError(f'split must be "train", "val" or "test", not {split!r}.')
    name = os.fspath(source)
    if name == "embedded":
        # No bar: too few to wait for, and a lesson prints the same on a slow machine.
        return _decode(_embedded_files(split), limit, quiet=True)
    if name in DATASETS:
        return _decode(_dataset_images(name, split), limit)
    return load_folder(at_home(name), limit=limit)


def load_folder(
    folder: Path, *, pattern: str | None = None, limit: int = MEMORY_LIMIT
) -> dict[str, Tensor]:
    """Load every picture in a folder and below it.

    Args:
        folder: what counts in it, ``srlab.images.folders.find_pictures`` says.
        pattern: such as ``"*_HR*"``, for sets that have the small pictures
            beside the large ones.
        limit: as for ``load_photos``.

    Returns and raises as ``load_photos``.
    """
    return _decode(_folder_files(folder, pattern), limit)


def embedded_table() -> list[dict[str, str]]:
    """The embedded photographs, a row each: file, title, author, license ..."""
    with (ASSETS / "photos" / "ATTRIBUTION.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def embedded_photo(name: str) -> Tensor:
    """One embedded photograph by its file's stem, as ``read_image`` gives it.

    Raises:
        ValueError: if there is none of that name; the message lists them.

    Example:
        >>> embedded_photo("coffee-cup").shape
        torch.Size([1, 3, 400, 600])
    """
    path = ASSETS / "photos" / f"{name}.jpg"
    if not path.exists():
        known = ", ".join(Path(row["file"]).stem for row in embedded_table())
        raise ValueError(f"No embedded photograph is named {name!r}; there are {known}.")
    return read_image(path)


Openers = dict[str, Callable[[], ImageSource]]


def _embedded_files(split: Split) -> Openers:
    names = [Path(row["file"]).stem for row in embedded_table() if row["split"] == split]
    return {name: partial(Path, ASSETS / "photos" / f"{name}.jpg") for name in names}


def _folder_files(folder: Path, pattern: str | None = None) -> Openers:
    if not folder.is_dir():
        choices = ", ".join(["embedded", *DATASETS])
        raise ValueError(f"{folder} is neither a folder nor one of: {choices}.")
    files = find_pictures(folder, pattern=pattern)
    if pattern is None and (pairs := hr_and_lr(files)):
        large, small = pairs[0]
        warnings.warn(
            f"{folder} holds large pictures and their small ones, such as {large} and {small}; "
            f'the pattern "*HR*" takes the large ones alone (srlab score --pattern), or give '
            f"them a folder of their own.",
            stacklevel=4,
        )
    return {name: partial(Path, file) for name, file in files.items()}


def _dataset_images(name: str, split: Split) -> Openers:
    """Open a torchvision data set, downloading it if it is not in the cache."""
    # Takes seconds to import, so only those who need it wait.
    from torchvision import datasets

    class_name, splits = DATASETS[name]
    make = getattr(datasets, class_name)
    root = cache_folder() / "datasets"
    root.mkdir(parents=True, exist_ok=True)
    try:  # what is here already is not downloaded again
        data = make(root, split=splits[split], download=True)
    except (OSError, RuntimeError) as error:
        raise ConnectionError(
            f"{name} could not be downloaded ({error}); "
            f'without a network use source="embedded".'
        ) from None
    return {f"{name}/{i}": partial(_first, data, i) for i in range(len(data))}


def _first(data: Sequence[tuple[Image.Image, int]], index: int) -> Image.Image:
    """The picture of a (picture, label) pair."""
    return data[index][0]


def _decode(openers: Openers, limit: int, *, quiet: bool = False) -> dict[str, Tensor]:
    """Decode until ``limit`` bytes are reached; pass over damaged files."""
    names = list(openers)
    random.Random(0).shuffle(names)  # so that a limit cuts a fair sample
    photos: dict[str, Tensor] = {}
    used = 0
    for name in tqdm(names, desc="photographs", leave=False, delay=1, disable=quiet):
        try:
            photo = to_bytes(read_image(openers[name]()))[0]
        except (ValueError, OSError) as error:  # damaged, or a link to nowhere
            warnings.warn(f"left out: {error}", stacklevel=3)
            continue
        used += photo.nbytes
        if used > limit and photos:
            warnings.warn(
                f"{len(photos)} of {len(names)} photographs fill the limit of "
                f"{limit / 2**20:.0f} MiB; the others are left out.",
                stacklevel=3,
            )
            break
        photos[name] = photo
    if not photos:
        raise ValueError("None of the pictures could be read; see the warnings above.")
    return dict(sorted(photos.items()))
