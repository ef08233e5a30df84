"""A picture of a widget, for readers without a kernel.

GitHub, and a notebook that is not trusted, show no live widget. They do show
a PNG that lies beside it in the output.
"""

import io
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

BYTES_LIMIT = 150_000
"""A poster is stored in the notebook, and a notebook should stay small."""

WIDTH = 720
INK, PAPER = "#222222", "#ffffff"
GAP, TEXT_SIZE, LINE = 8, 14, 21  # px

Strip = tuple[Image.Image, str]
"""A picture and what stands beneath it."""


class PosterMixin:
    """Give a widget a poster and a text of its own.

    Name it before the widget class: ``class Lab(PosterMixin, VBox)``. The
    subclass writes ``summary`` and ``poster``; both are called when the
    widget is displayed, on the thread that displays it.
    """

    def summary(self) -> str:
        """One short sentence in which the number stands, the same each run."""
        raise NotImplementedError

    def poster(self) -> Image.Image:
        """A picture of the present state, about ``WIDTH`` px wide."""
        raise NotImplementedError

    def __repr__(self) -> str:
        # The usual text holds an address, so no two runs of a notebook agree.
        return self.summary()

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        bundle = super()._repr_mimebundle_(**kwargs)  # type: ignore[misc]
        # anywidget adds metadata (Colab needs it), ipywidgets does not
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        summary = self.summary()
        extra = {"text/plain": summary, "image/png": to_png(self.poster())}
        return {**(data or {}), **extra}, {**metadata, "image/png": {"alt": summary}}


def to_png(image: Image.Image, limit: int = BYTES_LIMIT) -> bytes:
    """Encode ``image`` in at most ``limit`` bytes.

    First with all its colors, then with 256 of them, then smaller.

    Example:
        >>> to_png(Image.new("RGB", (2, 2)))[1:4]
        b'PNG'
    """
    image = image.convert("RGB")
    while True:
        data = encode_png(image)
        if len(data) > limit:
            data = encode_png(image.quantize(256))
        if len(data) <= limit or max(image.size) == 1:
            return data
        image = image.resize([max(1, side * 4 // 5) for side in image.size])


def encode_png(image: Image.Image, *, quick: bool = False) -> bytes:
    """PNG bytes, exactly the same pixels; ``quick`` for what is soon replaced."""
    file = io.BytesIO()
    image.save(file, "PNG", optimize=not quick, compress_level=1)
    return file.getvalue()


def filmstrip(panels: Sequence[Strip], *, width: int = WIDTH) -> Image.Image:
    """Pictures side by side, all as wide, each with its text beneath.

    A picture is enlarged by whole squares, never smoothed, so that its pixels
    can be seen.

    Args:
        panels: ``(picture, text)`` pairs.
        width: of the whole, px.
    """
    room = (width - GAP * (len(panels) - 1)) // len(panels)
    tiles = [_tile(picture, text, room) for picture, text in panels]
    strip = Image.new("RGB", (width, max(tile.height for tile in tiles)), PAPER)
    for i, tile in enumerate(tiles):
        strip.paste(tile, (i * (room + GAP), 0))
    return strip


def stack(*images: Image.Image) -> Image.Image:
    """Pictures one above the other."""
    width = max(image.width for image in images)
    height = sum(image.height for image in images) + GAP * (len(images) - 1)
    whole, top = Image.new("RGB", (width, height), PAPER), 0
    for image in images:
        whole.paste(image, (0, top))
        top += image.height + GAP
    return whole


def text_lines(lines: Sequence[str], *, width: int = WIDTH) -> Image.Image:
    """Lines of text as a picture; what is too long ends in an ellipsis."""
    image = Image.new("RGB", (width, LINE * len(lines)), PAPER)
    draw, font = ImageDraw.Draw(image), text_font()
    for i, line in enumerate(lines):
        draw.text((0, i * LINE), _fitting(line, font, width), fill=INK, font=font)
    return image


@cache
def text_font() -> Any:
    """DejaVu Sans; Pillow's own font has no dashes and no times sign."""
    from matplotlib import get_data_path

    return ImageFont.truetype(
        Path(get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf", TEXT_SIZE
    )


def _tile(picture: Image.Image, text: str, width: int) -> Image.Image:
    """One picture at ``width`` px with its text beneath."""
    height = max(1, round(picture.height * width / picture.width))
    enlarging = width > picture.width
    how = Image.Resampling.NEAREST if enlarging else Image.Resampling.LANCZOS
    resized = picture.convert("RGB").resize((width, height), how)
    return stack(resized, text_lines([text], width=width)) if text else resized


def _fitting(line: str, font: Any, width: int) -> str:
    """As much of ``line`` as has room."""
    if font.getlength(line) <= width:
        return line
    while line and font.getlength(line + "…") > width:
        line = line[:-1]
    return line + "…"
