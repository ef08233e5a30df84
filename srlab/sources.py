"""Where photographs come from: the package, a folder, or a known data set."""

import csv
import os
import random
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

from PIL import Image
from torch import Tensor
from tqdm.auto import tqdm

from srlab.files import at_home
from srlab.folders import find_pictures, hr_and_lr
from srlab.images import ImageSource, read_image, to_bytes

Split = Literal["train", "val", "test"]

ASSETS = Path(__file__).parent / "assets"
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

    Source: built by srlab; used from lesson 00 on.
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
        folder: what counts in it, ``srlab.folders.find_pictures`` says.
        pattern: such as ``"*_HR*"``, for sets that have the small pictures
            beside the large ones.
        limit: as for ``load_photos``.

    Returns and raises as ``load_photos``.

    Source: built by srlab.
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


def cache_folder() -> Path:
    """Where downloads are kept: ``$SRLAB_CACHE`` or ``~/.cache/srlab``."""
    return at_home(os.environ.get("SRLAB_CACHE", "~/.cache/srlab"))


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
    try:
        data = make(root, split=splits[split], download=False)
    except (OSError, RuntimeError):  # not here yet, or only in part
        try:
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
