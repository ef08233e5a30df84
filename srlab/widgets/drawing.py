"""Pictures for a live widget, drawn with Pillow: a few milliseconds each.

matplotlib would take twenty times as long, and the training would wait.
"""

import io
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from PIL import Image, ImageDraw
from torch import Tensor

from srlab.images import to_image
from srlab.widgets.poster import INK, PAPER, Strip, filmstrip, text_font

BLUE, ORANGE, GREEN, GRAY = "#0072B2", "#D55E00", "#009E73", "#767676"  # Okabe-Ito
PINK = "#CC79A7"  # Okabe-Ito as well
MARGIN = 58  # px left of a chart, for its numbers
LABEL_HEIGHT = 17  # px between the names of two curves

Point = tuple[float, float]


def picture_strip(pictures: Mapping[str, Tensor], captions: Mapping[str, str]) -> Image.Image:
    """Pictures of one scene side by side, with name and number beneath.

    Args:
        pictures: name -> ``(1, 3, h, w)``, about [0, 1].
        captions: name -> what stands behind the name.
    """
    panels: list[Strip] = [
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


def map_chart(
    title: str,
    trail: Sequence[tuple[float, float]],
    marks: Mapping[str, tuple[float, float]],
    *,
    color: str,
    size: tuple[int, int] = (470, 170),
    others: Mapping[str, Sequence[Point]] | None = None,
) -> Image.Image:
    """A path on the perception-distortion map, and places to compare it with.

    Args:
        title: what is drawn.
        trail: (PSNR, sharpness), oldest first; the last is where it stands.
        marks: name -> (PSNR, sharpness).
        color: of the path.
        size: px.
        others: name -> another path, drawn in gray; its name stands at its end.
    """
    image = Image.new("RGB", size, PAPER)
    draw, font = ImageDraw.Draw(image), text_font()
    draw.text((MARGIN, 2), title, fill=INK, font=font)
    kept = _finite(trail)
    paths = {name: path for name, points in (others or {}).items() if (path := _finite(points))}
    everything = [*kept, *marks.values(), *(point for path in paths.values() for point in path)]
    across, up = (_limits([point[axis] for point in everything]) for axis in (0, 1))
    box = (MARGIN, 28, size[0] - 24, size[1] - 24)

    def place(point: tuple[float, float]) -> tuple[float, float]:
        x, y = _share(point[0], *across, False), _share(point[1], *up, False)
        return box[0] + 8 + x * (box[2] - box[0] - 8), box[3] - 8 - y * (box[3] - box[1] - 8)

    draw.line([(box[0], box[1]), (box[0], box[3]), (box[2], box[3])], fill=GRAY)
    for value in up:
        draw.text((2, place((across[0], value))[1] - 8), f"{value:.3g}", fill=INK, font=font)
    for value, anchor in zip(across, ("la", "ra"), strict=True):
        at = place((value, up[0]))[0], box[3] + 4
        draw.text(at, f"{value:.4g} dB", fill=INK, font=font, anchor=anchor)
    for path in paths.values():
        draw.line([place(point) for point in path], fill=GRAY, width=1)
    if len(kept) > 1:
        draw.line([place(point) for point in kept], fill=color, width=2)
    for point in kept[-1:]:
        draw.circle(place(point), 5, fill=color)
    ends = {name: path[-1] for name, path in paths.items()}
    written: list[tuple[float, ...]] = []
    for name, point in (*marks.items(), *ends.items()):
        x, y = place(point)
        if name in ends:
            draw.circle((x, y), 4, fill=GRAY)
        else:
            draw.regular_polygon((x, y, 6), 4, rotation=45, outline=GRAY, fill=PAPER)
        inside = x < (box[0] + box[2]) / 2
        anchor, x = ("lm", x + 9) if inside else ("rm", x - 9)
        y = _free_height(draw.textbbox((x, y), name, font=font, anchor=anchor), written, y)
        draw.text(  # with a halo, since a path may run below it
            (x, y), name, fill=GRAY, font=font, anchor=anchor, stroke_width=2, stroke_fill=PAPER
        )
        written.append(draw.textbbox((x, y), name, font=font, anchor=anchor))
    return image


def _free_height(
    area: tuple[float, ...], written: Sequence[tuple[float, ...]], height: float
) -> float:
    """Where a name stands clear of those that are written: lower, if need be."""
    left, top, right, bottom = area
    for other in sorted(written, key=lambda box: box[1]):
        beside = right < other[0] or other[2] < left
        if not beside and top < other[3] + 2 and other[1] < bottom + 2:
            down = other[3] + 2 - top
            top, bottom, height = top + down, bottom + down, height + down
    return height


def _finite(points: Sequence[Point]) -> list[Point]:
    """Points whose two numbers are numbers."""
    return [point for point in points if all(map(math.isfinite, point))]


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


@dataclass(frozen=True)
class Curve:
    """A line of a chart; its name stands at its end.

    Args:
        name: a word or two.
        points: (step, value).
        color: of the line.
        dashes: px drawn, px left out, and so on; empty for a whole line.
    """

    name: str
    points: Sequence[Point]
    color: str
    dashes: tuple[int, ...] = ()


def curve_chart(
    title: str,
    curves: Sequence[Curve],
    *,
    size: tuple[int, int] = (470, 240),
    logarithmic: bool = False,
) -> Image.Image:
    """Several curves, told apart by color, by dashes and by name.

    Args:
        title: what is drawn, with its unit.
        curves: values that are no numbers are left out.
        size: px.
        logarithmic: for terms of a loss, of which one may be far below another.
    """
    image = _titled(title, size)
    finite = [
        [p for p in curve.points if math.isfinite(p[1]) and (p[1] > 0 or not logarithmic)]
        for curve in curves
    ]
    kept = [(curve, points) for curve, points in zip(curves, finite, strict=True) if points]
    if not kept:
        return image
    draw, font = ImageDraw.Draw(image), text_font()
    room = max(font.getlength(curve.name) for curve, _ in kept) + 36
    box = Box(MARGIN, 28, size[0] - room, size[1] - 24)
    low, high = _limits([y for _, points in kept for _, y in points])
    last = max(1, *(points[-1][0] for _, points in kept))
    paths = [
        [
            (box.left + x / last * box.width, box.level(y, low, high, logarithmic))
            for x, y in points
        ]
        for _, points in kept
    ]
    _axes(draw, box, low, high, ("0", f"step {last:.0f}"))
    labels = _apart([path[-1][1] for path in paths], box.top, box.bottom)
    for (curve, _), path, y in zip(kept, paths, labels, strict=True):
        draw_path(draw, path, curve.color, curve.dashes)
        draw_path(draw, [(box.right + 6, y), (box.right + 28, y)], curve.color, curve.dashes)
        draw.text((box.right + 32, y), curve.name, fill=INK, font=font, anchor="lm")
    return image


def beside(*images: Image.Image) -> Image.Image:
    """Pictures in a row, their upper edges aligned."""
    size = sum(image.width for image in images), max(image.height for image in images)
    whole, left = Image.new("RGB", size, PAPER), 0
    for image in images:
        whole.paste(image, (left, 0))
        left += image.width
    return whole


@dataclass(frozen=True)
class Box:
    """Where in a chart the curves are, px."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        return self.right - self.left

    def level(self, value: float, low: float, high: float, logarithmic: bool = False) -> float:
        """The height of ``value``, between ``low`` (bottom) and ``high`` (top)."""
        return self.bottom - _share(value, low, high, logarithmic) * (self.bottom - self.top)


def _titled(title: str, size: tuple[int, int]) -> Image.Image:
    """An empty chart."""
    image = Image.new("RGB", size, PAPER)
    ImageDraw.Draw(image).text((MARGIN, 2), title, fill=INK, font=text_font())
    return image


def _axes(
    draw: ImageDraw.ImageDraw, box: Box, low: float, high: float, ends: tuple[str, str]
) -> None:
    """Two axes with the lowest and the highest value, and the ends of the steps."""
    font = text_font()
    corners = [(box.left, box.top), (box.left, box.bottom), (box.right, box.bottom)]
    draw.line(corners, fill=GRAY)
    for value in (low, high):
        at = (MARGIN - 4, box.level(value, low, high))
        draw.text(at, _short(value, MARGIN - 4), fill=INK, font=font, anchor="rm")
    draw.text((box.left, box.bottom + 4), ends[0], fill=INK, font=font)
    draw.text((box.right, box.bottom + 4), ends[1], fill=INK, font=font, anchor="ra")


def _short(value: float, room: float) -> str:
    """A number with as many digits, of three, as have room."""
    texts = [f"{value:.{digits}g}" for digits in (3, 2, 1)]
    return next((text for text in texts if text_font().getlength(text) <= room), texts[-1])


def _apart(heights: Sequence[float], top: float, bottom: float) -> list[float]:
    """Where names stand so that none covers another: near ``heights``, in order."""
    order = sorted(range(len(heights)), key=heights.__getitem__)
    places = list(heights)
    free = top
    for i in order:
        places[i] = free = max(places[i], free)
        free += LABEL_HEIGHT
    free = bottom
    for i in reversed(order):
        places[i] = free = min(places[i], free)
        free -= LABEL_HEIGHT
    return places


def draw_path(
    draw: ImageDraw.ImageDraw, path: Sequence[Point], color: str, dashes: Sequence[int]
) -> None:
    """A line through the points of ``path``; a single point becomes a dot."""
    if len(path) == 1:
        x, y = path[0]
        draw.ellipse([x - 2, y - 2, x + 2, y + 2], fill=color)
    for piece in _pieces(path, dashes) if dashes else [path]:
        draw.line(piece, fill=color, width=2)


def _pieces(path: Sequence[Point], dashes: Sequence[int]) -> Iterator[list[Point]]:
    """What a dashed line draws of ``path``; dashes run on around its corners."""
    drawn, left = 0, float(dashes[0])  # number of the present dash, px left of it
    for (x, y), end in pairwise(path):
        length = math.dist((x, y), end)
        direction = ((end[0] - x) / length, (end[1] - y) / length) if length else (0.0, 0.0)
        while length > 0:
            go = min(left, length)
            next_point = x + go * direction[0], y + go * direction[1]
            if drawn % 2 == 0:
                yield [(x, y), next_point]
            (x, y), length, left = next_point, length - go, left - go
            if left <= 0:
                drawn += 1
                left = float(dashes[drawn % len(dashes)])
