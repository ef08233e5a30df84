"""Enlarging many pictures: what becomes of each is known before the work begins."""

import errno
import os
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import torch
from PIL import Image
from torch import nn
from tqdm import tqdm

from srlab.cli.words import and_others, one_line, printable
from srlab.files import free_path, making, write_beside
from srlab.images import open_image, save_image
from srlab.images.folders import earlier_results, find_pictures, identity, with_kind
from srlab.inference import upscale

# Of these the next picture would die as well.
HOPELESS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}
BAR = "{l_bar}{bar}| {elapsed} gone, {remaining} left"


@dataclass(frozen=True)
class Job:
    """A picture, and the file that its enlargement shall become."""

    photo: Path
    target: Path


def plan_batch(
    given: Sequence[Path],
    out: Path,
    *,
    scale: int,
    ending: str = ".png",
    overwrite: bool = False,
) -> list[Job]:
    """Which picture becomes which file; what must not be is refused here.

    Args:
        given: pictures and folders, of which every picture is taken.
        out: where the results go; folders below a folder are found again there.
        scale, ending: of the results' names, ``<name>_x<scale><ending>``; of two
            pictures that differ in their kind alone, the names hold the kind.
        overwrite: whether a result may replace a file that is there.

    Returns:
        A job for each picture. One that was given twice has one job.

    Raises:
        ValueError: if a result would replace one of the pictures, or two
            pictures would become one file.
    """
    photos = {_place(photo): (photo, out / below) for photo, below in _photos(given, out)}
    calls = _calls(list(photos.values()))
    planned = [
        Job(photo, folder / f"{call}_x{scale}{ending}")
        for call, (photo, folder) in zip(calls, photos.values(), strict=True)
    ]
    _require_different(planned)
    _require_no_photo(planned)
    _tell_of_results(planned)
    if not overwrite:
        tell_of_existing([job.target for job in planned if os.path.lexists(job.target)])
    return planned


def _photos(given: Sequence[Path], out: Path) -> Iterator[tuple[Path, Path]]:
    """Each picture, and the folder below ``out`` where its result belongs."""
    for path in given:
        if path.is_dir():
            for name, photo in find_pictures(path, results=out).items():
                yield photo, Path(name).parent
        else:
            yield path, Path()


def _place(path: Path) -> str:
    """The same for every way to write a path; links of other names are others."""
    return str(path.parent.resolve() / path.name)


def _calls(photos: list[tuple[Path, Path]]) -> list[str]:
    """What each result is called: ``cat``, and ``cat-jpg`` where there is a cat.png, too."""
    places = [_place(folder / photo.stem).casefold() for photo, folder in photos]
    many = {place for place, count in Counter(places).items() if count > 1}
    return [
        with_kind(photo) if place in many else photo.stem
        for place, (photo, _) in zip(places, photos, strict=True)
    ]


def _require_different(jobs: list[Job]) -> None:
    """Raise if two photographs would be written to one file."""
    # Without regard to case, as the file systems of Windows and macOS compare.
    owners: dict[str, Path] = {}
    for job in jobs:
        other = owners.setdefault(_place(job.target).casefold(), job.photo)
        if other is not job.photo:
            raise ValueError(
                f"{other} and {job.photo} would both become {job.target.name}; rename one, "
                f"or enlarge them into different folders."
            )


def _require_no_photo(jobs: list[Job]) -> None:
    """Raise if a result would replace one of the photographs, by any of its names."""
    places = {_place(job.photo).casefold() for job in jobs}
    files = {identity(job.photo) for job in jobs}
    taken = [
        job
        for job in jobs
        if _place(job.target).casefold() in places or identity(job.target) in files
    ]
    if taken:
        raise ValueError(
            f"{and_others([job.target for job in taken])} is one of the pictures to enlarge, "
            f"and would also be the result of {taken[0].photo}; leave results out of what you "
            f"give, or choose another folder with --out."
        )


def _tell_of_results(jobs: list[Job]) -> None:
    """Say that something is enlarged once more; in a folder it was left out."""
    if again := sorted(earlier_results([job.photo.name for job in jobs])):
        warnings.warn(
            f"{and_others(again)} will be enlarged, too, though by name an earlier result.",
            stacklevel=3,
        )


def tell_of_existing(targets: list[Path]) -> None:
    """Warn that these files will stay, and new ones go beside them."""
    if targets:
        warnings.warn(
            f"{and_others(targets)} exist{'s' * (len(targets) == 1)} already and will stay; "
            f"what is new goes beside it, such as {free_path(targets[0]).name}; --overwrite "
            f"replaces it.",
            stacklevel=3,
        )


@dataclass
class Batch:
    """Pictures to enlarge; one that fails does not stop the others.

    Args:
        jobs: as ``plan_batch`` gives them.
        scale: 2, 4 or 8.
        overwrite: replace what is there.
        quality: of JPEG, WebP and AVIF, 1 ... 100.
        keep_location: leave the place where a photograph was taken in it.

    After ``run``, ``done`` lists what was written, and ``failed`` has each
    other photograph with the reason.
    """

    jobs: list[Job]
    scale: int
    overwrite: bool = False
    quality: int = 95
    keep_location: bool = False
    done: list[Path] = field(default_factory=list)
    failed: dict[Path, str] = field(default_factory=dict)
    stopped: bool = False

    def run(self, network: nn.Module) -> None:
        """Enlarge all; each file's name is printed when it is whole."""
        # A bar for people alone: none where the output goes to a file.
        with tqdm(total=len(self.jobs), bar_format=BAR, disable=None) as bar:
            for number, job in enumerate(self.jobs):
                self._try(job, network, partial(_advance, bar, number))
                if self.stopped:
                    return
                _advance(bar, number, 1)

    def _try(self, job: Job, network: nn.Module, report: "partial[None]") -> None:
        try:
            self.done.append(self._enlarge(job, network, report))
        except Exception as error:  # decoders and networks raise whatever they like
            if os.environ.get("SRLAB_TRACEBACK"):
                raise
            self.failed[job.photo] = _reason(job, self._name(job.photo), error)
            self.stopped = isinstance(error, OSError) and error.errno in HOPELESS
        else:
            tqdm.write(printable(str(self.done[-1])))

    def _enlarge(self, job: Job, network: nn.Module, report: "partial[None]") -> Path:
        photo = open_image(job.photo)
        result = upscale(
            photo, network, self.scale, report=report, keep_location=self.keep_location
        )
        return save_beside(result, job.target, overwrite=self.overwrite, quality=self.quality)

    def _name(self, photo: Path) -> str:
        """Its name; with its folder where two have the same."""
        alike = [job for job in self.jobs if job.photo.name == photo.name]
        return photo.name if len(alike) == 1 else str(photo)

    def describe(self) -> str:
        """What was not done and why, for the end; "" if all was."""
        reasons = list(self.failed.values())
        done = f"{len(self.done)} of {len(self.jobs)} pictures are done"
        if self.stopped and len(self.jobs) > 1:
            reasons.append(f"{done}; it stopped there, since the next would fail as well.")
        if len(self.jobs) == 1 or not reasons:
            return " ".join(reasons)
        if len(reasons) == 1:
            return f"1 of {len(self.jobs)} pictures was not enlarged: {reasons[0]}"
        return "\n  ".join([f"{done}, but not all:", *reasons])

    def describe_stop(self) -> str:
        """What Ctrl-C left behind."""
        done = f"stopped; {len(self.done)} of {len(self.jobs)} pictures are done"
        return "\n  ".join([f"{done}.", *self.failed.values()])


def save_beside(
    image: Image.Image, target: Path, *, overwrite: bool = False, quality: int = 95
) -> Path:
    """Write a picture to ``target``, or beside what is there already; where it was written.

    Its folder is made if it is missing. The rest is as in ``save_image``.

    Raises:
        OSError: if it cannot be written; no empty folder stays.
    """
    with making(target.parent):
        return write_beside(
            target,
            partial(save_image, image, quality=quality, overwrite=overwrite),
            overwrite=overwrite,
        )


def _advance(bar: "tqdm[None]", number: int, share: float) -> None:
    bar.update(number + share - bar.n)


def _reason(job: Job, name: str, error: Exception) -> str:
    """Why a picture was not enlarged, in one sentence with its name."""
    if _out_of_memory(error):
        return f"{name} needs more memory than there is; crop it, or shrink it first."
    said = one_line(error)
    if not isinstance(error, ValueError | OSError | TypeError):
        said = f"{type(error).__name__}: {said}"
    return said if name in said or job.target.stem in said else f"{name}: {said}"


def _out_of_memory(error: Exception) -> bool:
    """Whether Python, or torch on any device, found no memory."""
    kinds = (MemoryError, torch.OutOfMemoryError)
    return isinstance(error, kinds) or (
        isinstance(error, RuntimeError) and "memory" in str(error).lower()
    )
