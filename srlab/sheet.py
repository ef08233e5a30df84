"""A sheet of crops, enlarged by many networks side by side, pixels as squares.

One row a crop, columns from the small picture to the truth. ``srlab sheet``
draws it; ``srlab/assets/sheet/crops.csv`` lists the crops.
"""

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont
from torch import Tensor, nn

from srlab.data import degrade
from srlab.files import ASSETS, SHIPPED, making, write_beside
from srlab.images import bytes_to_image, read_image, save_image, to_bytes
from srlab.inference import enlarge_in_tiles
from srlab.metrics import Protocol, psnr
from srlab.models import Bicubic
from srlab.require import require_count, require_scale
from srlab.scoring import as_batch

CROPS = ASSETS / "sheet" / "crops.csv"
COLUMNS = ("shows", "file", "left", "top", "size")
CONTEXT = 64
"""Px of the photograph around a crop that networks see as well, where it has them."""

ENDINGS = (".png", ".webp", ".jpg", ".jpeg")
GAP = 4
LINE = 20
"""Height of a line of words, px."""
FONT_SIZE = 14


def psnr_of_crop(sr: Tensor, hr: Tensor) -> float:
    """PSNR on Y in dB, with no border left out: what lies around was seen, too."""
    y = Protocol("y", 0)
    return psnr(y.apply(sr), y.apply(hr)).item()


@dataclass(frozen=True)
class Crop:
    """A square of a photograph, and in a word what it shows."""

    shows: str
    file: Path
    left: int  # px, as the others
    top: int
    size: int


Tile = tuple[Image.Image, str]
"""What stands in one place of a sheet: a picture and the words below it."""


def read_crops(table: Path = CROPS) -> list[Crop]:
    """The crops that a CSV table lists.

    Args:
        table: with the columns shows, file, left, top and size, others as you
            like. A file that is not absolute lies beside the table.

    Raises:
        OSError: if the table cannot be read.
        ValueError: if a column is missing, a number is none, or there is no
            row.

    Example:
        >>> len(read_crops())
        12
    """
    with table.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    missing = [name for name in COLUMNS if name not in (rows or [{}])[0]]
    if missing:
        raise ValueError(
            f"{table} has no {', '.join(missing)}, but a line of names ({','.join(COLUMNS)}) "
            f"and a row for each crop were expected."
        )
    return [_crop_of(row, table) for row in rows]


def _crop_of(row: Mapping[str, str], table: Path) -> Crop:
    try:
        left, top, size = (int(row[name]) for name in COLUMNS[2:])
    except (TypeError, ValueError):
        raise ValueError(
            f"{table}, {row['shows']}: left, top and size are {row['left']}, {row['top']} and "
            f"{row['size']}, but whole numbers of px were expected."
        ) from None
    return Crop(row["shows"], table.parent / row["file"], left, top, size)


def shipped_models(scale: int) -> list[str]:
    """The package's networks of a scale, the smallest and plainest first.

    Example:
        >>> shipped_models(8)
        ['small-x8', 'pixel-x8']
    """
    order = ("small", "pixel", "perceptual", "unet-pixel", "unet")
    kinds = {path.stem.removesuffix(f"-x{scale}") for path in SHIPPED.glob(f"*-x{scale}.*")}
    known = [kind for kind in order if kind in kinds]
    return [f"{kind}-x{scale}" for kind in [*known, *sorted(kinds.difference(order))]]


def draw_sheet(
    crops: Sequence[Crop],
    models: Mapping[str, nn.Module],
    *,
    scale: int = 4,
    zoom: int = 2,
) -> Image.Image:
    """Draw crops as rows: the input, bicubic, each network, the truth.

    A network sees ``CONTEXT`` px more on each side, as in a whole photograph.

    Args:
        crops: in the order of rows; sizes divisible by ``scale``.
        models: name -> lr to sr, in the order of columns.
        scale: 2, 4 or 8.
        zoom: side of the square that is drawn for a pixel, px.

    Returns:
        An RGB picture.

    Raises:
        ValueError: if there is no crop, or one does not lie in its photograph.
        OSError: if a photograph cannot be read.
    """
    require_scale(scale)
    require_count(zoom, "zoom")
    if not crops:
        raise ValueError("There are no crops, but at least one was expected; list some.")
    networks = {"bicubic": Bicubic(scale), **models}
    rows = [_row(crop, networks, scale, zoom) for crop in crops]
    return _laid_out(["input", *networks, "truth"], rows)


def require_ending(target: Path) -> None:
    """Raise unless a sheet can be kept in such a file; to ask before the work."""
    if target.suffix.lower() not in ENDINGS:
        raise ValueError(
            f"{target} is no name for a sheet; it should end in .png, .webp or .jpg."
        )


def save_sheet(sheet: Image.Image, target: Path, *, overwrite: bool = False) -> Path:
    """Write a sheet, or beside what is there; WebP without loss, half a PNG's size.

    Returns:
        Where it was written.
    """
    with making(target.parent):
        write = partial(save_image, sheet, overwrite=overwrite, lossless=True)
        return write_beside(target, write, overwrite=overwrite)


def _row(crop: Crop, networks: Mapping[str, nn.Module], scale: int, zoom: int) -> list[Tile]:
    """The tiles of one crop, from left to right."""
    whole, rows, columns = _with_context(crop, scale)
    lr, hr = degrade(whole, scale), whole[..., rows, columns]
    small = lr[..., _reduced(rows, scale), _reduced(columns, scale)]
    tiles = [(_drawn(small, zoom * scale), crop.shows)]
    for network in networks.values():
        sr = as_batch(enlarge_in_tiles(network, lr, scale=scale))[..., rows, columns]
        tiles.append((_drawn(sr, zoom), f"{psnr_of_crop(sr, hr):.1f} dB"))
    return [*tiles, (_drawn(hr, zoom), "")]


def _with_context(crop: Crop, scale: int) -> tuple[Tensor, slice, slice]:
    """A part of the photograph, ``(1, 3, h, w)``, and where the crop lies in it."""
    photo = read_image(crop.file)
    _require_inside(crop, photo, scale)
    spans = [
        _span(start, crop.size, side)
        for start, side in zip((crop.top, crop.left), photo.shape[-2:], strict=True)
    ]
    (outer_rows, rows), (outer_columns, columns) = spans
    return photo[..., outer_rows, outer_columns].contiguous(), rows, columns


def _span(start: int, size: int, side: int) -> tuple[slice, slice]:
    """What networks see along an axis, and the crop within; steps of 8 suit any scale."""
    before = min(CONTEXT, start // 8 * 8)
    after = min(CONTEXT, (side - start - size) // 8 * 8)
    return slice(start - before, start + size + after), slice(before, before + size)


def _reduced(span: slice, scale: int) -> slice:
    return slice(span.start // scale, span.stop // scale)


def _require_inside(crop: Crop, photo: Tensor, scale: int) -> None:
    """Raise unless a crop can be cut and reduced."""
    height, width = photo.shape[-2:]
    square = f"{crop.shows}: the crop of {crop.size} px at {crop.left}, {crop.top}"
    if crop.size < 1 or crop.size % scale:
        raise ValueError(f"{square} must be divisible by scale (={scale}); change its size.")
    fits = crop.left + crop.size <= width and crop.top + crop.size <= height
    if not fits or min(crop.left, crop.top) < 0:
        raise ValueError(
            f"{square} does not lie in {crop.file.name} of {width} x {height} px; move it."
        )


def _drawn(images: Tensor, zoom: int) -> Image.Image:
    """A picture whose every pixel is a square."""
    image = bytes_to_image(to_bytes(images)[0])
    return image.resize((image.width * zoom, image.height * zoom), Image.Resampling.NEAREST)


def _laid_out(heads: Sequence[str], rows: Sequence[Sequence[Tile]]) -> Image.Image:
    """Tiles in rows, the columns' names on top."""
    width = max(picture.width for row in rows for picture, _ in row)
    heights = [row[0][0].height + LINE + GAP for row in rows]
    size = len(heads) * (width + GAP) - GAP, LINE + sum(heights)
    sheet = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(sheet)
    _write(pen, heads, width, 0)
    top = LINE
    for row, height in zip(rows, heights, strict=True):
        for column, (picture, _) in enumerate(row):
            sheet.paste(picture, (column * (width + GAP), top))
        _write(pen, [words for _, words in row], width, top + height - LINE - GAP)
        top += height
    return sheet


def _write(pen: ImageDraw.ImageDraw, words: Iterable[str], width: int, top: int) -> None:
    """A line of words, one below or above each tile."""
    font = ImageFont.load_default(FONT_SIZE)
    for column, text in enumerate(words):
        while text and font.getlength(text) > width:  # a path: its end tells more
            text = text[1:]
        pen.text((column * (width + GAP), top), text, fill="black", font=font)
