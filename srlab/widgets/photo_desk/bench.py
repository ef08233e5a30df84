"""What a photo desk does: enlarge a whole picture, a tile at a time."""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from PIL import Image
from torch import Tensor, nn

from srlab.images import save_image
from srlab.images.parts import (
    PictureParts,
    blank_result,
    finish_tile,
    paste_tile,
    put_together,
)
from srlab.inference import enlarged_tiles, fast_precision, require_room
from srlab.scoring import Scene

TILE = 128  # px of the small picture; small, so that Stop is soon obeyed


@dataclass(frozen=True)
class Setting:
    """What the controls say; names as ``PhotoDesk.choose`` takes them."""

    photograph: str
    scale: int
    model: str
    other: str = "bicubic"
    shrink: bool = False
    across: float = 50
    down: float = 50

    def same_task(self, other: "Setting") -> bool:
        """Whether both enlarge the same, wherever and at whatever they look."""
        return replace(self, across=other.across, down=other.down, other=other.other) == other


@dataclass(frozen=True)
class Task:
    """A picture, who enlarges it, and the truth where it is known.

    Args:
        photo: name of the photograph.
        model: name of the network.
        network: lr -> sr.
        scale: how many times it enlarges.
        parts: of the picture that is enlarged: what the network sees, and
            what of it is kept beside that.
        truth: ``(1, 3, s*h, s*w)``, or None if nobody knows it.
    """

    photo: str
    model: str
    network: nn.Module
    scale: int
    parts: PictureParts
    truth: Tensor | None

    @property
    def lr(self) -> Tensor:
        """What the network sees: ``(1, 3, h, w)``, in [0, 1]."""
        return self.parts.lr

    @property
    def small(self) -> tuple[int, int]:
        """Width and height of what goes in, px."""
        return self.lr.shape[-1], self.lr.shape[-2]

    @property
    def large(self) -> tuple[int, int]:
        """Width and height of what comes out, px."""
        return self.small[0] * self.scale, self.small[1] * self.scale

    def __str__(self) -> str:
        first = "made smaller first, " if self.truth is not None else ""
        return (
            f"{self.photo}, {first}{size_text(self.small)} to {size_text(self.large)} "
            f"by {self.model}"
        )


def sees_all(network: nn.Module) -> bool:
    """Whether a network has to look at the whole picture at once."""
    return math.isinf(getattr(network, "reach", 32))


def make_task(
    photo: str, parts: PictureParts, model: str, network: nn.Module, scale: int, *, shrink: bool
) -> Task:
    """Prepare what is enlarged: the photograph, or a smaller copy of it.

    Args:
        photo: its name.
        parts: of the photograph.
        model, network, scale: who enlarges it.
        shrink: make the photograph ``scale`` times smaller first, so that it
            is itself the truth to compare with.

    Raises:
        ValueError: if it is too small to be made smaller.
    """
    if not shrink:
        return Task(photo, model, network, scale, parts, None)
    height, width = parts.lr.shape[-2:]
    if min(height, width) < scale:
        raise ValueError(
            f"{photo} is {size_text((width, height))}, too small to be made {scale} times "
            f"smaller; take a larger one."
        )
    scene = Scene(parts.lr, scale)
    return Task(photo, model, network, scale, _shrunk(parts, scene), scene.hr)


def _shrunk(parts: PictureParts, scene: Scene) -> PictureParts:
    """The parts of a picture, as small as networks get it."""
    height, width = scene.hr.shape[-2:]
    alpha = parts.alpha
    if alpha:
        whole = 0, 0, width, height
        small = width // scene.scale, height // scene.scale
        alpha = alpha.resize(small, Image.Resampling.BICUBIC, box=whole)
    return replace(parts, lr=scene.lr, alpha=alpha)


def tiles_of(
    task: Task, network: nn.Module, tile: int, box: tuple[int, int, int, int] | None = None
) -> Iterator[tuple[int, int, Tensor]]:
    """A network's tiles of the task's picture, as ``upscale`` computes them."""
    return enlarged_tiles(
        network, task.lr, scale=task.scale, tile=tile, box=box,
        precision=torch.float32 if task.parts.is_deep else fast_precision(),
        finish=partial(finish_tile, mode=task.parts.mode),
    )  # fmt: skip


class Enlargement:
    """The whole picture, a tile for each ``advance``.

    Each tile is pasted where it belongs at once, so that beside the two
    pictures nothing grows with their size.

    Args:
        task: what is enlarged.
    """

    def __init__(self, task: Task):
        self.task = task
        self.done, self.seconds = 0, 0.0
        self.total = (
            1 if sees_all(task.network) else math.prod(-(-side // TILE) for side in task.small)
        )
        self.image: Image.Image | None = None
        self._tiles: Iterator[tuple[int, int, Tensor]] = iter(())

    @property
    def finished(self) -> bool:
        return self.done == self.total

    def advance(self) -> None:
        """Compute one tile.

        Raises:
            ValueError: if the enlarged picture would be too large.
        """
        began = time.perf_counter()
        if self.image is None:
            require_room(self.task.small, self.task.scale)
            self.image = blank_result(self.task.parts, self.task.scale)
            self._tiles = tiles_of(self.task, self.task.network, TILE)
        try:
            left, top, pixels = next(self._tiles)
        except Exception:  # a generator that raised gives no more tiles
            self.image, self.done = None, 0
            raise
        paste_tile(self.image, left, top, pixels)
        self.done += 1
        if self.finished:
            self.image = put_together(self.image, self.task.parts)
        self.seconds += time.perf_counter() - began

    def seconds_left(self) -> float:
        """About how long the rest takes, by what was done so far."""
        return self.seconds / self.done * (self.total - self.done) if self.done else math.inf


def how_far(job: Enlargement, word: str) -> str:
    """One sentence that says how far the work is; ``word`` is its state."""
    tiles = f"{job.done} of {job.total} tiles"
    if word == "running":
        return tiles + (f", about {job.seconds_left():.0f} s left" if job.done else "")
    if word == "done":
        return f"enlarged in {job.seconds:.1f} s"
    if word == "stopped":
        return f"stopped after {tiles}; Enlarge goes on"
    return f"the whole is not enlarged yet: {job.total} tiles"


def png_of(image: Image.Image) -> bytes:
    """The very file that ``save_image`` writes, with all that belongs to it."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "picture.png"
        save_image(image, path)
        return path.read_bytes()


def size_text(size: tuple[int, int]) -> str:
    """``600 × 400 px``: width and height, as for photographs."""
    return f"{size[0]} × {size[1]} px"
