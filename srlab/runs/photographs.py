"""The photographs of a run card: what it learns from, and what it is judged by."""

import copy
import csv
import hashlib
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from torch import Tensor

from srlab.data import Pair, Pairs, load_photos, reduced
from srlab.files import replacing
from srlab.metrics import PATCH
from srlab.require import require_photos
from srlab.runcard import Photographs, RunCard, Stage

KEPT_BACK = 0.1
MAX_KEPT_BACK = 16
"""More tell little more, and each takes time at every look."""
FEWEST = 4
"""Of fewer photographs none is kept back: it would be missed more than it tells."""
LIST = "photographs.csv"
Photos = dict[str, Tensor]


@dataclass(frozen=True)
class RunPhotos:
    """Photographs by name, uint8 ``(3, h, w)``: to learn from, and to judge by.

    Args:
        training, validation: no picture is in both.
        judged_by: what the card's ``validation`` means here: ``"embedded"``, a
            folder, or a share.
        kept_back: how many of the card's own are kept back.
        doubts: sentences for people about what is not as they may expect.
    """

    training: Photos
    validation: Photos
    judged_by: str | float
    kept_back: int = 0
    doubts: tuple[str, ...] = ()

    @cached_property
    def rows(self) -> list[tuple[str, str, str]]:
        """Part, name and SHA-256 of the pixels of each, in a fixed order."""
        parts = {"training": self.training, "validation": self.validation}
        return [
            (part, name, digest_of(photos[name]))
            for part, photos in parts.items()
            for name in sorted(photos)
        ]

    @property
    def identity(self) -> Photographs:
        """The same for the same names and pixels, wherever they lie."""
        text = "".join(f"{part} {digest} {name}\n" for part, name, digest in self.rows)
        return Photographs(
            training=len(self.training),
            validation=len(self.validation),
            sha256=hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest(),
        )

    def write_list(self, folder: Path) -> None:
        """List them in ``photographs.csv``, so that a change can be named later."""
        table = io.StringIO()
        csv.writer(table, lineterminator="\n").writerows(
            [("part", "photograph", "sha256 of its pixels"), *self.rows]
        )
        with replacing(folder / LIST) as part:
            part.write_bytes(table.getvalue().encode("utf-8", "surrogateescape"))


def gather(card: RunCard) -> RunPhotos:
    """Load what a card learns from and what it is judged by.

    What is kept back is chosen by its pixels, so the choice stays the same
    under other names. A picture that is among those to judge by is not
    learned from, also where both folders hold it.

    Raises:
        ValueError: if there are no such photographs, none to judge by is large
            enough to be scored, or some stage finds none to learn from.
    """
    for field in ("data", "validation"):
        if getattr(card, field) == "":  # as of a shell's variable that was never set
            raise ValueError(f"{field} is empty, but a folder was expected; name one.")
    own = load_photos(card.data)
    photos = _shared_out(card, own)
    for stage in card.stages:
        learnable(photos.training.values(), stage, card.data)
    return photos


def learnable(photos: Iterable[Tensor], stage: Stage, source: object) -> list[Tensor]:
    """Those from which a stage's crops can be cut; ValueError if there is none."""
    large = [photo for photo in photos if min(photo.shape[-2:]) >= stage.hr_size]
    require_photos(large, source, stage.hr_size)
    return large


def make_pairs(card: RunCard, stage: Stage, photos: Mapping[str, Tensor]) -> Pairs:
    """The pairs that a stage learns from: those of ``get_data``, from given photographs."""
    whole = learnable(photos.values(), stage, card.data)  # a dot of 1 px cannot be reduced
    copies = [reduced(photo, factor) for photo in whole for factor in (1, 0.8, 0.6, 0.4)]
    large = [copy.to(card.device) for copy in learnable(copies, stage, card.data)]
    sizes = stage.hr_size // stage.scale, stage.hr_size
    if stage.pool:
        return Pool(large, stage.batch_size, sizes, card.seed, size=stage.pool)
    return Pairs(large, stage.batch_size, sizes, card.seed)


class Pool(Pairs):
    """The first ``size`` batches of ``Pairs``, over and over, each the same tensors.

    So what was found out about a batch can be kept beside it.
    """

    def __init__(self, *pairs: Any, size: int):
        super().__init__(*pairs)
        self.size = size
        self.kept: dict[int, Pair] = {}

    def __getitem__(self, index: int) -> Pair:
        place = index % self.size
        if place not in self.kept:
            self.kept[place] = super().__getitem__(place)
        return self.kept[place]

    def part(self, index: int, places: range) -> Pair:
        """Some of the pairs of batch ``index``."""
        return super().part(index % self.size, places)


def reseeded(pairs: Pairs, seed: int) -> Pairs:
    """The same photographs, cut by another seed."""
    other = copy.copy(pairs)
    other.seed = seed
    if isinstance(other, Pool):
        other.kept = {}
    return other


def digest_of(photo: Tensor) -> str:
    """SHA-256 of a photograph's pixels and size."""
    digest = hashlib.sha256(str(tuple(photo.shape)).encode())
    digest.update(photo.contiguous().numpy().data)
    return digest.hexdigest()


def _shared_out(card: RunCard, own: Photos) -> RunPhotos:
    """Which of a card's photographs are for what."""
    judged_by: str | float = card.validation
    if judged_by == "auto":
        judged_by = "embedded" if card.data == "embedded" else KEPT_BACK
    if isinstance(judged_by, str):
        return _judged_by_others(card, own, judged_by)
    count = max(1, round(len(own) * judged_by))
    if card.validation != "auto":
        return _with_some_kept_back(card, own, count)
    if len(own) >= FEWEST:
        return _with_some_kept_back(card, own, min(count, MAX_KEPT_BACK))
    doubt = (
        f"{card.data} holds {_count(own)}, too few to keep one back, so the embedded "
        f"photographs judge this training; name a folder of others with --val."
    )
    photos = _judged_by_others(card, own, "embedded")
    return replace(photos, doubts=(doubt, *photos.doubts))


def _with_some_kept_back(card: RunCard, own: Photos, count: int) -> RunPhotos:
    """Keep back as many as ``count``, and whatever is equal to one of them."""
    digests = {name: digest_of(photo) for name, photo in own.items()}
    fit = [name for name, photo in own.items() if _can_be_scored(photo)]
    chosen = set(sorted({digests[name] for name in fit})[:count])
    validation = {name: own[name] for name in fit if digests[name] in chosen}
    training = {name: photo for name, photo in own.items() if name not in validation}
    if not (validation and training):
        raise ValueError(
            f"{card.data} holds {_count(own)}, of which none can be kept back to judge by "
            f"at x{card.scale}; name a folder of others with --val, or take --val embedded."
        )
    share = card.validation if card.validation != "auto" else _share(len(chosen), len(own))
    return RunPhotos(training, validation, share, len(validation))


def _share(count: int, total: int) -> float:
    """The share that keeps back as many again."""
    return min(round(count / total, 6), 0.5)


def _judged_by_others(card: RunCard, own: Photos, judged_by: str) -> RunPhotos:
    """Judge by a folder or the embedded photographs; learn from none of these."""
    found = load_photos(judged_by, "val")
    validation = {n: p for n, p in found.items() if _can_be_scored(p)}
    if not validation:
        raise ValueError(
            f"No photograph of {judged_by} is large enough to judge by: {PATCH} px on both "
            f"sides are needed."
        )
    doubts = []
    if len(validation) < len(found):
        doubts.append(
            f"{_count(found, len(found) - len(validation))} of {judged_by} are left out: they "
            f"are below {PATCH} px."
        )
    if card.data == judged_by == "embedded":  # two splits, and none in both
        return RunPhotos(own, validation, judged_by)
    judges = {digest_of(photo) for photo in found.values()}
    training = {name: p for name, p in own.items() if digest_of(p) not in judges}
    if not training:
        raise ValueError(
            f"Every photograph of {card.data} is also among those to judge by ({judged_by}), "
            f"so none is left to learn from; name another folder with --val."
        )
    if len(training) < len(own):
        doubts.append(
            f"{_count(own, len(own) - len(training))} of {card.data} are also among those to "
            f"judge by ({judged_by}), and are not learned from."
        )
    return RunPhotos(training, validation, judged_by, doubts=tuple(doubts))


def _can_be_scored(photo: Tensor) -> bool:
    """Whether ridge finds a patch in it; SSIM needs no more at any scale."""
    return min(photo.shape[-2:]) >= PATCH


def _count(photos: Mapping[str, Tensor], count: int | None = None) -> str:
    """``1 photograph`` or ``3 photographs``."""
    count = len(photos) if count is None else count
    return f"{count} photograph{'' if count == 1 else 's'}"
