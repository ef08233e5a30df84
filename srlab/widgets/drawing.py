"""Pictures for a live widget, drawn with Pillow: a few milliseconds each.

matplotlib would take twenty times as long, and the training would wait.
"""

import io
import math
from collections.abc import Mapping, Sequence

from PIL import Image, ImageDraw
from torch import Tensor

from srlab.images import to_image
from srlab.widgets.poster import INK, PAPER, Panel, filmstrip, text_font

BLUE, ORANGE, GREEN, GRAY = "#0072B2", "#D55E00", "#009E73", "#767676"  # Okabe-Ito
MARGIN = 58  # px left of a chart, for its numbers


def picture_strip(pictures: Mapping[str, Tensor], captions: Mapping[str, str]) -> Image.Image:
    """Pictures of one scene side by side, with name and number beneath.

    Args:
        pictures: name -> ``(1, 3, h, w)``, about [0, 1].
        captions: name -> what stands behind the name.

    Source: built by srlab.
    """
    panels: list[Panel] = [
        (to_image(picture), f"{name} {captions.get(name, '')}".strip())
        for name, picture in pictures.items()
    ]
    return filmstrip(panels, width=248 * len(panels))


def to_jpeg(image: Image.Image) -> bytes:
    """For what moves: three times quicker than PNG and a tenth of its size."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=88, subsampling=0)
    return file.getvalue()


def line_chart(
    title: str,
    points: Sequence[tuple[float, float]],
    *,
    color: str,
    size: tuple[int, int] = (470, 170),
    reference: tuple[str, float] | None = None,
    logarithmic: bool = False,
) -> Image.Image:
    """One curve with its lowest and highest value written beside it.

    Args:
        title: what is drawn, with its unit.
        points: (step, value); values that are no numbers are left out.
        color: of the curve.
        size: px.
        reference: name and value of a dashed line to compare with.
        logarithmic: for a loss, whose small changes matter as well.

    Source: built by srlab.
    """
    image = Image.new("RGB", size, PAPER)
    draw, font = ImageDraw.Draw(image), text_font()
    draw.text((MARGIN, 2), title, fill=INK, font=font)
    kept = [(x, y) for x, y in points if math.isfinite(y) and (y > 0 or not logarithmic)]
    if not kept:
        return image
    values = [y for _, y in kept] + ([reference[1]] if reference else [])
    low, high = _limits(values)
    box = (MARGIN, 28, size[0] - 8, size[1] - 24)
    last = max(kept[-1][0], 1)

    def place(x: float, y: float) -> tuple[float, float]:
        share = _share(y, low, high, logarithmic)
        return box[0] + x / last * (box[2] - box[0]), box[3] - share * (box[3] - box[1])

    draw.line([(box[0], box[1]), (box[0], box[3]), (box[2], box[3])], fill=GRAY)
    for value in (low, high):
        draw.text((2, place(0, value)[1] - 8), f"{value:.3g}", fill=INK, font=font)
    draw.text((box[0], box[3] + 4), "0", fill=INK, font=font)
    draw.text((box[2], box[3] + 4), f"step {last:.0f}", fill=INK, font=font, anchor="ra")
    if reference:
        _dashed(draw, place(0, reference[1]), box[2])
        height = place(0, reference[1])[1]
        above = height > (box[1] + box[3]) / 2  # below would run into the axis
        at = (box[2], height - 2 if above else height + 2)
        draw.text(at, reference[0], fill=GRAY, font=font, anchor="rd" if above else "ra")
    draw.line([place(x, y) for x, y in kept], fill=color, width=2)
    return image


def _limits(values: Sequence[float]) -> tuple[float, float]:
    """Lowest and highest, never the same."""
    low, high = min(values), max(values)
    return (low, high) if high > low else (low * 0.99, high * 1.01 or 1.0)


def _share(value: float, low: float, high: float, logarithmic: bool) -> float:
    """Where ``value`` stands between ``low`` (0) and ``high`` (1)."""
    if logarithmic:
        value, low, high = (math.log(v) for v in (value, low, high))
    return (value - low) / (high - low)


def _dashed(draw: ImageDraw.ImageDraw, start: tuple[float, float], right: float) -> None:
    x, y = start
    while x < right:
        draw.line([(x, y), (min(x + 6, right), y)], fill=GRAY, width=1)
        x += 11
