"""What is compared: pictures of one scene, by name."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from PIL import Image, ImageChops, ImageStat
from torch import Tensor

from srlab.images import read_image, to_image

MOST_PICTURES = 9  # one for each digit key
LENS_PIXELS = 32
"""Side of the square under the lens, px of the picture."""
Picture = Tensor | Image.Image
Difference = tuple[Image.Image, float, int]
"""The amplified picture; mean and largest difference, in steps of 1/255."""


@dataclass(frozen=True)
class CompareScene:
    """Pictures of one scene by name, all of one size, and a caption for each.

    Args:
        pictures: name -> RGB image.
        captions: name -> the number that belongs beside the picture, or "".
    """

    pictures: dict[str, Image.Image]
    captions: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(
        cls, pictures: Mapping[str, Picture], captions: Mapping[str, str] | None
    ) -> "CompareScene":
        """Read and check what a person gave."""
        _require_count(pictures)
        images = {str(name): _to_rgb(picture, name) for name, picture in pictures.items()}
        _require_one_size(images)
        texts = {str(name): str(text) for name, text in (captions or {}).items()}
        for name in texts:
            require_name(name, list(images), "captions")
        return cls(images, texts)

    @property
    def names(self) -> list[str]:
        return list(self.pictures)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height, px."""
        return next(iter(self.pictures.values())).size

    def label(self, name: str) -> str:
        """The name and the number that belongs to it: ``bicubic 26.50 dB``."""
        return f"{name} {self.captions.get(name, '')}".strip()


def difference(first: Image.Image, second: Image.Image, factor: int) -> Difference:
    """``|first - second| * factor`` of each channel, cut at 255.

    Example:
        >>> black, gray = Image.new("RGB", (2, 2)), Image.new("RGB", (2, 2), "#030303")
        >>> image, mean, largest = difference(black, gray, 8)
        >>> image.getpixel((0, 0)), mean, largest
        ((24, 24, 24), 3.0, 3)
    """
    plain = ImageChops.difference(first, second)
    means = ImageStat.Stat(plain).mean
    bands: Any = plain.getextrema()
    largest = max(high for _, high in bands)
    amplified = plain.point([min(255, value * factor) for value in range(256)] * 3)
    return amplified, sum(means) / 3, largest


def liveliest_spot(first: Image.Image, second: Image.Image) -> tuple[float, float]:
    """Where two pictures differ most, as x and y in [0, 1].

    The lens starts there, so that the first look already shows something.
    """
    plain = ImageChops.difference(first, second).convert("L")
    columns, rows = (max(1, side // LENS_PIXELS) for side in plain.size)
    blocks = plain.resize((columns, rows), Image.Resampling.BOX).tobytes()
    best = blocks.index(max(blocks))
    return (best % columns + 0.5) / columns, (best // columns + 0.5) / rows


def require_name(name: str, names: list[str], where: str) -> None:
    """Raise unless one of the pictures has this name."""
    if name not in names:
        raise ValueError(f"{where} names {name!r}, but the pictures are {', '.join(names)}.")


def _require_count(pictures: Mapping[str, Picture]) -> None:
    if not isinstance(pictures, Mapping):
        raise TypeError(
            f"pictures must be a dict of name and picture, but got a "
            f'{type(pictures).__name__}; write {{"bicubic": ..., "truth": ...}}.'
        )
    if not 2 <= len(pictures) <= MOST_PICTURES:
        raise ValueError(
            f"pictures must be 2 to {MOST_PICTURES}, but got {len(pictures)}; "
            f"there is nothing to compare, or no key for each."
        )


def _to_rgb(picture: Picture, name: str) -> Image.Image:
    """An RGB image of 8 bits of a tensor or of any PIL image."""
    if isinstance(picture, Image.Image):
        return to_image(read_image(picture))
    if isinstance(picture, Tensor):
        return to_image(picture)
    raise TypeError(
        f"{name} is a {type(picture).__name__}, but a tensor (1, 3, h, w) or a PIL "
        f"image was expected; srlab.images.read_image makes one."
    )


def _require_one_size(images: dict[str, Image.Image]) -> None:
    (name, image), *others = images.items()
    for other, candidate in others:
        if candidate.size != image.size:
            raise ValueError(
                f"{other} is {candidate.height} x {candidate.width} px and {name} is "
                f"{image.height} x {image.width} px, but all pictures must have one size; "
                f"enlarge or crop one of them."
            )
