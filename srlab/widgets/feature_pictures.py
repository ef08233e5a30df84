"""The feature explorer's pictures: maps in color, figures for the page, posters."""

import base64
import html
from collections.abc import Sequence

from matplotlib import colormaps
from PIL import Image
from torch import Tensor

from srlab.images import to_image
from srlab.widgets.feature_reading import (
    PIXELS,
    FeatureReading,
    Seen,
    difference_map,
    row_text,
    short,
    strongest,
)
from srlab.widgets.poster import encode_png, filmstrip, stack, text_lines

SIDE, LARGE, SMALL, TILE = 192, 384, 144, 96  # px on the page
TEXT = "line-height: 1.5;"  # or the notebook gives each line the height of a slider


def color_map(values: Tensor) -> Image.Image:
    """A map ``(h, w)`` as a picture: dark at 0, bright at its largest value.

    Where values are negative, dark is the lowest. The colors, cividis, are
    those that all eyes can tell apart.
    """
    low, high = _limits(values)
    share = (values - low) / (high - low or 1.0)
    colors = colormaps["cividis"](share.mul(255).round().int().numpy())[..., :3]
    return Image.fromarray((255 * colors).round().astype("uint8"))


# Figures for the page


def photo_html(picture: Tensor, name: str, how: str = "") -> str:
    """A photograph ``(1, 3, h, w)`` with its name, and its size or ``how``."""
    height, width = picture.shape[-2:]
    caption = f"<b>{html.escape(name)}</b><br>{how or f'{width} × {height} px'}"
    return _figure(to_image(picture), caption, name, SIDE)


def activation_html(values: Tensor, reading: FeatureReading) -> str:
    """The chosen channel's map ``(h, w)``, large."""
    caption = f"<b>{html.escape(reading.place())}</b><br>{_scale_text(values)}"
    return _figure(color_map(values), caption, f"Activation map: {reading}", LARGE)


def tile_html(values: Tensor, text: str) -> str:
    """A small map of the atlas; who does not see it reads ``text``."""
    image = color_map(values)
    image.thumbnail((TILE, TILE))
    return _picture(image, text, TILE)


def difference_html(name: str, share: float, photo: Seen, other: Seen) -> str:
    """Where a layer finds two pictures different; the pixels are larger."""
    where = difference_map(other[name], photo[name])
    text = f"{name}: {share:.3f}"
    caption = f"<b>{html.escape(text)}</b><br>{_scale_text(where)}"
    box = SIDE if name == PIXELS else SMALL
    return _figure(color_map(where), caption, f"Where they differ in {text}", box)


def figures_html(figures: Sequence[str]) -> str:
    """Figures side by side, in as many rows as the page needs."""
    return f'<div style="display: flex; flex-wrap: wrap">{"".join(figures)}</div>'


# Posters, for readers without a kernel


def one_poster(reading: FeatureReading, seen: Seen) -> Image.Image:
    """A photograph, the chosen channel, and the strongest ones."""
    maps = seen[reading.layer][0]  # (F, h, w)
    tiles = [(color_map(maps[channel]), str(channel)) for channel in strongest(maps)]
    pictures = [(to_image(seen[PIXELS]), reading.photograph),
                (color_map(maps[reading.channel]), reading.place())]  # fmt: skip
    atlas = filmstrip(tiles[:6]), filmstrip(tiles[6:])
    return stack(text_lines([str(reading)]), filmstrip(pictures), *atlas)


def pair_poster(
    reading: FeatureReading, photo: Seen, other: Seen, rows: dict[str, dict[str, float]]
) -> Image.Image:
    """Two pictures, where they differ, and ``rows``: what was measured so far."""
    pixels, *layers = [
        (color_map(difference_map(other[name], photo[name])), f"{name} {share:.3f}")
        for name, share in reading.differences.items()
    ]
    pictures = [(to_image(photo[PIXELS]), reading.photograph),
                (to_image(other[PIXELS]), reading.other)]  # fmt: skip
    title = f"{reading.photograph} against {reading.other}; relative differences:"
    lines = [f"{name}: {row_text(row)}" for name, row in rows.items()]
    strips = filmstrip([*pictures, pixels]), filmstrip(layers)
    return stack(text_lines([title]), *strips, text_lines(lines))


# Parts


def _limits(values: Tensor) -> tuple[float, float]:
    """What is shown dark, and what bright."""
    return min(0.0, values.min().item()), values.max().item()


def _scale_text(values: Tensor) -> str:
    """How to read a map's colors, and its size."""
    low, high = _limits(values)
    height, width = values.shape
    if low == high:
        return f"0 everywhere<br>{width} × {height}"
    return f"dark {short(low)}, bright {short(high)}<br>{width} × {height}"


def _figure(image: Image.Image, caption: str, alt: str, box: int) -> str:
    """A picture with its caption."""
    below = f'<figcaption style="max-width: {box}px; {TEXT}">{caption}</figcaption>'
    return f'<figure style="margin: 0 8px 8px 0">{_picture(image, alt, box)}{below}</figure>'


def _picture(image: Image.Image, alt: str, box: int) -> str:
    """A picture in a square of ``box`` px, with a text for those who do not see it."""
    width, height = _fitting(image.size, box)
    data = base64.b64encode(encode_png(image, quick=True)).decode()
    sharp = "image-rendering: pixelated;" if width >= image.width else ""
    # decoded at once, or a moved slider would let it flicker
    return (
        f'<img src="data:image/png;base64,{data}" alt="{html.escape(alt)}" decoding="sync" '
        f'width="{width}" height="{height}" style="{sharp} display: block">'
    )


def _fitting(size: tuple[int, int], box: int) -> tuple[int, int]:
    """As large as fits in a square, so that maps of all layers are of one size."""
    factor = box / max(size)
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))
