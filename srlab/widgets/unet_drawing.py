"""A UNet drawn as what it is: a U of the maps that a real forward pass made."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from PIL import Image, ImageDraw

from srlab.widgets.drawing import BLUE, GRAY, GREEN, ORANGE, PINK, draw_path
from srlab.widgets.poster import INK, PAPER, text_font
from srlab.widgets.skip_reading import Flow, Shape

WIDTH, ROW = 660, 78  # px
BOX_WIDTH, BOX_HEIGHT = 128, 44
MARGIN, INSET = 12, 56  # px left of the U, and from one level to the next
DASHES = (7, 5)
MUTED = 0.005  # a gain below it is written as 0.00

Place = tuple[float, float]


@dataclass(frozen=True)
class Grid:
    """Where the maps of a U of some depth stand: centers, px."""

    depth: int

    @property
    def height(self) -> int:
        return (self.depth + 1) * ROW + BOX_HEIGHT + 16

    def left(self, level: int) -> Place:
        """The map on the way down; level 0 is lr."""
        return MARGIN + BOX_WIDTH / 2 + self._inset(level), self._row(level)

    def right(self, level: int) -> Place:
        """The map on the way up; level 0 is sr."""
        return WIDTH - self.left(level)[0], self._row(level)

    def bottom(self) -> Place:
        return WIDTH / 2, self._row(self.depth + 1)

    def _inset(self, level: int) -> float:
        most = (WIDTH / 2 - MARGIN - 1.5 * BOX_WIDTH - 60) / max(self.depth - 1, 1)
        return max(level - 1, 0) * min(INSET, most)

    def _row(self, level: int) -> float:
        return 8 + level * ROW + BOX_HEIGHT / 2


def draw_unet(flow: Flow, gains: Sequence[float]) -> Image.Image:
    """Every map with its shape; what flows in each skip and in the path beside it.

    A skip as trained is a whole line; a muted one is gray and dashed.

    Args:
        flow: the maps of a forward pass.
        gains: one for each skip, finest first.
    """
    grid = Grid(len(gains))
    image = Image.new("RGB", (WIDTH, grid.height), PAPER)
    draw = ImageDraw.Draw(image)
    _draw_bicubic(draw, grid)
    _draw_paths(draw, grid, flow)
    for level, gain in enumerate(gains, 1):
        _draw_skip(draw, grid, level, gain, flow)
    _draw_boxes(draw, grid, flow)
    return image


def unet_in_words(flow: Flow, gains: Sequence[float]) -> str:
    """What the drawing shows, for those who do not see it."""
    shapes = ", ".join(f"{name} {shape_text(shape)}" for name, shape in flow.shapes.items())
    merges = "; ".join(
        f"merge {level} gets {short(flow.sizes[f'up {level}'])} from below and "
        f"{short(flow.sizes[f'skip {level}'])} through skip {level} ({gain_text(gain)})"
        for level, gain in enumerate(gains, 1)
    )
    return f"The UNet's maps: {shapes}. Mean size: {merges}."


def shape_text(shape: Shape) -> str:
    """Channels, height and width of a map, as it is written into its box.

    Example:
        >>> shape_text((1, 32, 24, 16))
        '32 ch, 24 × 16'
    """
    channels, height, width = shape[1:]
    return f"{channels} ch, {height} × {width}"


def gain_text(gain: float) -> str:
    """A gain as it is written at its skip."""
    return "muted" if gain < MUTED else f"gain {gain:.2f}"


def short(value: float) -> str:
    """A mean size in two digits behind the point, or three that count."""
    return f"{value:.2f}" if value >= 0.1 or value == 0 else f"{value:.2g}"


# Lines


def _draw_bicubic(draw: ImageDraw.ImageDraw, grid: Grid) -> None:
    """The picture itself goes around the U, enlarged; the U adds what it lacks."""
    (left, y), (right, _) = grid.left(0), grid.right(0)
    _arrow(draw, [(left + BOX_WIDTH / 2, y), (right - BOX_WIDTH / 2, y)], INK)
    _words(draw, ((left + right) / 2, y - 4), "bicubic, added at the end", "md")


def _draw_paths(draw: ImageDraw.ImageDraw, grid: Grid, flow: Flow) -> None:
    """Down on the left, up on the right, with what comes up beside the arrows."""
    depth, half = grid.depth, BOX_HEIGHT / 2
    down = [grid.left(level) for level in range(depth + 1)]
    for (x, y), (x_below, y_below) in pairwise(down):
        middle = max(x, x_below) if x == x_below else x + BOX_WIDTH / 4
        _arrow(draw, [(middle, y + half), (middle, y_below - half)], BLUE)
    _draw_corner(draw, down[-1], grid.bottom(), BLUE)
    _draw_corner(draw, grid.right(depth), grid.bottom(), GREEN, up=True)
    for level in range(1, depth):
        x, y = grid.right(level)
        x_below, y_below = grid.right(level + 1)
        _arrow(draw, [(x_below, y_below - half), (x_below, y + half)], GREEN)
    x, y = grid.right(1)
    _arrow(draw, [(x, y - half), (x, grid.right(0)[1] + half)], GREEN)
    _label_ups(draw, grid, flow)


def _label_ups(draw: ImageDraw.ImageDraw, grid: Grid, flow: Flow) -> None:
    """What each arrow on the way up brings, left of it."""
    x, y = grid.right(1)
    _words(draw, (x - 8, y - ROW / 2), f"detail: {shape_text(flow.shapes['detail'])}", "rm")
    for level in range(1, grid.depth + 1):
        x = grid.right(min(level + 1, grid.depth))[0]
        shape, size = flow.shapes[f"up {level}"], flow.sizes[f"up {level}"]
        text = f"up {level}: {shape_text(shape)}, brings {short(size)}"
        _words(draw, (x - 8, grid.right(level)[1] + ROW / 2), text, "rm")


def _draw_corner(
    draw: ImageDraw.ImageDraw, side: Place, bottom: Place, color: str, *, up: bool = False
) -> None:
    """From the lowest map of a side to the bottom, or up from there."""
    inwards = BOX_WIDTH / 2 if bottom[0] > side[0] else -BOX_WIDTH / 2
    path = [
        (side[0], side[1] + BOX_HEIGHT / 2),
        (side[0], bottom[1]),
        (bottom[0] - inwards, bottom[1]),
    ]
    _arrow(draw, path[::-1] if up else path, color)


def _draw_skip(
    draw: ImageDraw.ImageDraw, grid: Grid, level: int, gain: float, flow: Flow
) -> None:
    (left, y), (right, _) = grid.left(level), grid.right(level)
    muted = gain < MUTED
    path = [(left + BOX_WIDTH / 2, y), (right - BOX_WIDTH / 2, y)]
    _arrow(draw, path, GRAY if muted else ORANGE, DASHES if muted else ())
    middle = (left + right) / 2
    name, size = f"skip {level}", short(flow.sizes[f"skip {level}"])
    _words(draw, (middle, y - 4), f"{name}: {gain_text(gain)}", "md")
    _words(draw, (middle, y + 4), f"carries {size}", "ma", GRAY if muted else INK)


def _arrow(
    draw: ImageDraw.ImageDraw, path: Sequence[Place], color: str, dashes: Sequence[int] = ()
) -> None:
    """A line whose last point has a head; its last piece is level or upright."""
    draw_path(draw, path, color, dashes)
    (x, y), (x_tip, y_tip) = path[-2:]
    size = abs(x_tip - x) + abs(y_tip - y)
    across, along = (x_tip - x) / size, (y_tip - y) / size
    foot_x, foot_y = x_tip - 9 * across, y_tip - 9 * along
    head = [
        (foot_x - 5 * along, foot_y - 5 * across),
        (foot_x + 5 * along, foot_y + 5 * across),
    ]
    draw.polygon([(x_tip, y_tip), *head], fill=color)


# Boxes


def _draw_boxes(draw: ImageDraw.ImageDraw, grid: Grid, flow: Flow) -> None:
    _box(draw, grid.left(0), "lr", flow, INK)
    _box(draw, grid.right(0), "sr", flow, INK)
    _box(draw, grid.bottom(), "bottom", flow, PINK)
    for level in range(1, grid.depth + 1):
        _box(draw, grid.left(level), f"skip {level}", flow, BLUE, f"encoder {level}")
        _box(draw, grid.right(level), f"merge {level}", flow, GREEN)


def _box(
    draw: ImageDraw.ImageDraw, at: Place, name: str, flow: Flow, color: str, title: str = ""
) -> None:
    x, y = at
    corners = [x - BOX_WIDTH / 2, y - BOX_HEIGHT / 2, x + BOX_WIDTH / 2, y + BOX_HEIGHT / 2]
    draw.rectangle(corners, fill=PAPER, outline=color, width=2)
    _words(draw, (x, y - 2), title or name, "md")
    _words(draw, (x, y + 1), shape_text(flow.shapes[name]), "ma")


def _words(
    draw: ImageDraw.ImageDraw, at: Place, text: str, anchor: str, color: str = INK
) -> None:
    draw.text(at, text, fill=color, font=text_font(), anchor=anchor)
