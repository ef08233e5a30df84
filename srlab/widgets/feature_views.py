"""The feature explorer's two views: one picture with an atlas of channels, and a pair."""

import html
from collections.abc import Callable, Sequence
from typing import Any

from ipywidgets import HTML, Button, HBox, Layout, VBox
from torch import Tensor

from srlab.widgets.feature_changes import CHANGES
from srlab.widgets.feature_pictures import (
    TEXT,
    TILE,
    activation_html,
    difference_html,
    figures_html,
    photo_html,
    tile_html,
)
from srlab.widgets.feature_reading import (
    PIXELS,
    STRONGEST,
    FeatureReading,
    Seen,
    short,
    strongest,
)
from srlab.widgets.feature_table import Rows, table_html


class OneView(HBox):  # type: ignore[misc]
    """A photograph, one channel's map, and the strongest channels as buttons.

    Args:
        choose: called with a channel when its button is pressed.
    """

    def __init__(self, choose: Callable[[int], None]):
        self.photo, self.activation = _area("shown"), _area("activation")
        self.title = _area("atlas-title")
        self.tiles = [_area("tile") for _ in range(STRONGEST)]
        self.buttons = [Button(layout=Layout(width=f"{TILE}px")) for _ in self.tiles]
        for button in self.buttons:
            button.on_click(lambda pressed: choose(int(pressed.description)))
        tiles = [VBox(pair) for pair in zip(self.tiles, self.buttons, strict=True)]
        beside_or_below = Layout(flex="1 1 400px")
        atlas = VBox([self.title, row(tiles).add_class("srlab-atlas")], layout=beside_or_below)
        self._atlas_of = ("", "")  # photograph and layer
        super().__init__([self.photo, self.activation, atlas], layout=_wrap())

    def draw(self, reading: FeatureReading, seen: Seen) -> None:
        """Show ``reading``; the atlas is drawn anew only if it is another."""
        maps = seen[reading.layer][0]  # (F, h, w)
        self.photo.value = photo_html(seen[PIXELS], reading.photograph)
        self.activation.value = activation_html(maps[reading.channel], reading)
        if self._atlas_of != (reading.photograph, reading.layer):
            self._atlas_of = (reading.photograph, reading.layer)
            self._draw_atlas(maps, reading.layer)
        for button in self.buttons:
            chosen = button.description == str(reading.channel)
            button.button_style = "primary" if chosen else ""  # "info" is too pale for white
            button.style.font_weight = "bold" if chosen else None  # not by color alone

    def _draw_atlas(self, maps: Tensor, layer: str) -> None:
        self.title.value = (
            f'<div style="{TEXT}">The {STRONGEST} channels of '
            f"{html.escape(layer)} with the highest mean, "
            f"each bright at its own largest value. Press a number to see it.</div>"
        )
        for tile, button, channel in zip(
            self.tiles, self.buttons, strongest(maps), strict=True
        ):
            text = f"channel {channel}, mean {short(maps[channel].mean().item())}"
            tile.value = tile_html(maps[channel], text)
            button.description, button.tooltip = str(channel), f"Show {text}"


class PairView(VBox):  # type: ignore[misc]
    """Two pictures, where each layer finds them different, and how much."""

    def __init__(self) -> None:
        self.pictures, self.table, self.layers = map(_area, ("pair", "table", "layers"))
        super().__init__([self.pictures, self.table, self.layers])

    def draw(self, reading: FeatureReading, photo: Seen, other: Seen, rows: Rows) -> None:
        """Show ``reading`` beside ``rows``, what was measured so far."""
        changed = reading.other
        how = CHANGES[changed][1] if changed in CHANGES else "one of your pictures"
        pixels, *layers = [
            difference_html(name, share, photo, other)
            for name, share in reading.differences.items()
        ]
        self.pictures.value = figures_html([
            photo_html(photo[PIXELS], reading.photograph),
            photo_html(other[PIXELS], changed, how),
            pixels,
        ])  # fmt: skip
        self.layers.value = figures_html(layers)
        self.table.value = table_html(rows, changed)


def row(children: Sequence[Any]) -> HBox:
    """Widgets side by side, in as many rows as the page needs."""
    return HBox(children, layout=_wrap())


def _wrap() -> Layout:
    return Layout(flex_flow="row wrap")


def _area(name: str) -> HTML:
    return HTML().add_class(f"srlab-{name}")
