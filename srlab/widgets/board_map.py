"""The class on the perception-distortion map, drawn with Pillow in some milliseconds."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

from srlab.widgets.board_cards import BoardRow
from srlab.widgets.drawing import BLUE, GRAY, GREEN, ORANGE, PINK
from srlab.widgets.poster import INK, PAPER, text_font

SIZE = (720, 400)
MOST_NAMES = 12
"""More dots carry their rank in the table instead of their name."""

PALE = "#BBBBBB"
COLORS = (BLUE, ORANGE, GREEN, PINK)
SIDES = (4, 3, 5, 6)  # corners of a dot: told apart without color too
RADIUS = 5

Point = tuple[float, float]
Rectangle = tuple[float, float, float, float]


@dataclass(frozen=True)
class Axes:
    """From PSNR and sharpness to px.

    Args:
        psnr, sharp: lowest and highest value that is shown.
    """

    psnr: Point
    sharp: Point
    left: float = 62
    top: float = 30
    right: float = SIZE[0] - 16.0
    bottom: float = SIZE[1] - 44.0

    def place(self, point: Point) -> Point:
        """Where (PSNR, sharpness) stands."""
        across = (point[0] - self.psnr[0]) / (self.psnr[1] - self.psnr[0])
        up = (point[1] - self.sharp[0]) / (self.sharp[1] - self.sharp[0])
        return (
            self.left + across * (self.right - self.left),
            self.bottom - up * (self.bottom - self.top),
        )


def board_map(
    named: Mapping[int, BoardRow], others: Sequence[BoardRow], bicubic: Mapping[str, float]
) -> Image.Image:
    """Sharpness over PSNR: a dot for each card, bicubic, and the truth's line.

    Args:
        named: rank in the table -> card; their dots carry a name, or of more
            than ``MOST_NAMES`` their rank.
        others: cards whose dots are pale and carry nothing.
        bicubic: its figures.
    """
    image = Image.new("RGB", SIZE, PAPER)
    draw = ImageDraw.Draw(image)
    origin = place_of(bicubic)
    points = [place_of(row.card.scores) for row in (*named.values(), *others)]
    axes = Axes(_limits([origin, *points], 0), _limits([origin, *points, (0, 1.0)], 1))
    truth = _draw_axes(draw, axes)
    for row in others:
        x, y = axes.place(place_of(row.card.scores))
        draw.ellipse([x - 2.5, y - 2.5, x + 2.5, y + 2.5], fill=PALE)
    taken = [truth, _diamond(draw, axes.place(origin))]
    spots = {rank: axes.place(place_of(row.card.scores)) for rank, row in named.items()}
    for i, (x, y) in enumerate(spots.values()):
        sides, color = SIDES[i % len(SIDES)], COLORS[i % len(COLORS)]
        draw.regular_polygon((x, y, RADIUS + 1), sides, fill=color, outline=INK)
        taken.append((x - RADIUS, y - RADIUS, x + RADIUS, y + RADIUS))
    _label(draw, "bicubic", axes.place(origin), taken, axes)
    for rank, row in named.items():
        text = str(rank) if len(named) > MOST_NAMES else _fitting(row.name)
        if not _label(draw, text, spots[rank], taken, axes):
            _label(draw, str(rank), spots[rank], taken, axes)
    return image


def place_of(figures: Mapping[str, float]) -> Point:
    """PSNR and sharpness."""
    return figures["psnr_y"], figures["sharpness"]


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round values between ``low`` and ``high``.

    Example:
        >>> ticks(27.6, 28.9)
        [27.75, 28.0, 28.25, 28.5, 28.75]
    """
    rough = (high - low) / most
    power = 10 ** math.floor(math.log10(rough))
    step = next(power * f for f in (1, 2, 2.5, 5, 10) if power * f >= rough)
    first, last = math.ceil(low / step), math.floor(high / step)
    return [round(i * step, 9) for i in range(first, last + 1)]


def _limits(points: Sequence[Point], axis: int) -> Point:
    """Lowest and highest with room around them."""
    values = [point[axis] for point in points]
    low, high = min(values), max(values)
    room = max((high - low) * 0.08, 0.05)
    return low - room, high + room


def _draw_axes(draw: ImageDraw.ImageDraw, axes: Axes) -> Rectangle:
    """Axes and the truth's line; returns where its name stands."""
    font = text_font()
    corners = [(axes.left, axes.top), (axes.left, axes.bottom), (axes.right, axes.bottom)]
    for value in ticks(*axes.psnr):
        x = axes.place((value, axes.sharp[0]))[0]
        draw.line([(x, axes.bottom), (x, axes.bottom + 4)], fill=GRAY)
        draw.text((x, axes.bottom + 6), f"{value:g}", fill=INK, font=font, anchor="ma")
    for value in ticks(*axes.sharp):
        y = axes.place((axes.psnr[0], value))[1]
        draw.line([(axes.left - 4, y), (axes.left, y)], fill=GRAY)
        draw.text((axes.left - 7, y), f"{value:g}", fill=INK, font=font, anchor="rm")
    draw.line(corners, fill=GRAY)
    draw.text((6, 6), "sharpness ↑", fill=INK, font=font)
    title = "PSNR Y, dB: closer to the truth →"
    draw.text((axes.right, SIZE[1] - 18), title, fill=INK, font=font, anchor="ra")
    return _draw_truth(draw, axes)


def _draw_truth(draw: ImageDraw.ImageDraw, axes: Axes) -> Rectangle:
    """A dashed line: the truth has a sharpness of 1, and endless PSNR."""
    y, x = axes.place((axes.psnr[0], 1.0))[1], axes.left
    while x < axes.right:
        draw.line([(x, y), (min(x + 6, axes.right), y)], fill=GRAY)
        x += 11
    draw.text((axes.right, y - 2), "truth →", fill=INK, font=text_font(), anchor="rd")
    return axes.right - text_font().getlength("truth →"), y - 18, axes.right, y - 2


def _diamond(draw: ImageDraw.ImageDraw, at: Point) -> Rectangle:
    x, y = at
    draw.regular_polygon((x, y, 7), 4, rotation=45, fill=PAPER, outline=INK)
    return x - 7, y - 7, x + 7, y + 7


def _label(
    draw: ImageDraw.ImageDraw, text: str, at: Point, taken: list[Rectangle], axes: Axes
) -> bool:
    """Write beside a dot where nothing else stands; tell whether there was room."""
    font = text_font()
    width, height = font.getlength(text), 15
    x, y = at
    for gap in (9, 20):
        for left, top in (
            (x + gap, y - 8), (x - gap - width, y - 8), (x - width / 2, y - gap - height),
            (x - width / 2, y + gap - 2), (x + gap, y - gap - height), (x + gap, y + gap),
            (x - gap - width, y - gap - height), (x - gap - width, y + gap),
        ):  # fmt: skip
            box = (left, top, left + width, top + height)
            inside = axes.left < left and box[2] < SIZE[0] and axes.top < top < axes.bottom - 12
            if inside and not any(_overlap(box, other) for other in taken):
                # paper around the letters, where they cross a line
                draw.text((left, top), text, INK, font, stroke_width=2, stroke_fill=PAPER)
                taken.append(box)
                return True
    return False


def _overlap(one: Rectangle, other: Rectangle) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _fitting(name: str, most: int = 22) -> str:
    return name if len(name) <= most else name[: most - 1] + "…"
