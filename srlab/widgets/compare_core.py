"""The comparison with core ipywidgets alone, drawn in Python.

For places that load no JavaScript of others. It does the same as the full
widget, but each movement travels to the kernel and back.
"""

import html
import threading
from collections.abc import Callable
from typing import Any

from ipywidgets import (
    HTML,
    Dropdown,
    FloatSlider,
    HBox,
    IntSlider,
    Layout,
    Play,
    ToggleButton,
    ToggleButtons,
    VBox,
    Widget,
)
from PIL import Image
from traitlets import dlink, link

from srlab.widgets.compare_scene import MOST_ZOOM, SETTINGS, CompareScene, Comparison
from srlab.widgets.parts import LivePicture
from srlab.widgets.poster import GAP, PAPER, filmstrip

MODE_NAMES = [
    ("One", "single"),
    ("All", "side"),
    ("Blink", "blink"),
    ("Swipe", "swipe"),
    ("Difference", "difference"),
]
USED_BY = {
    "first": ("single", "blink", "swipe", "difference"),
    "second": ("blink", "swipe", "difference"),
    "position": ("swipe",),
    "amplify": ("difference",),
    "playing": ("blink",),
}
"""Which controls a mode needs; the others are hidden."""


class CoreCompare(Comparison, VBox):  # type: ignore[misc]
    """Made by ``srlab.widgets.compare.compare``; see there."""

    def __init__(self, scene: CompareScene, **kwargs: Any):
        # Callbacks may come from any thread, so one draws at a time.
        self._lock = threading.RLock()
        super().__init__(scene, **kwargs)
        self._controls = self._make_controls()
        self._play = self._controls["playing"]
        self._picture = LivePicture("picture", "png")
        self._lens_row = LivePicture("lens-row", "png")
        self._status = HTML()
        self._link()
        self.children = self._rows()
        self.add_class("srlab-compare-core")
        self._redraw()

    def drawn(self) -> Image.Image:
        """What is shown now, pixel by pixel."""
        return DRAW[self.mode](self)

    def _make_controls(self) -> dict[str, Any]:
        names = [(self.scene.label(name), name) for name in self.names]
        part = {"min": 0, "max": 1, "step": 0.01, "readout_format": ".0%"}
        return {
            "mode": ToggleButtons(options=MODE_NAMES, tooltips=_tips(), style=_narrow()),
            "first": Dropdown(options=names, description="First"),
            "second": Dropdown(options=names, description="Second"),
            "position": FloatSlider(description="Divider", **part),
            "amplify": IntSlider(min=1, max=64, description="Amplify"),
            "playing": Play(min=0, max=1, repeat=True, show_repeat=False),
            "zoom": FloatSlider(min=1, max=MOST_ZOOM, step=0.5, description="Zoom"),
            "center_x": FloatSlider(description="Across", **part),
            "center_y": FloatSlider(description="Down", **part),
            "lens": ToggleButton(description="Lens"),
            "lens_x": FloatSlider(description="Lens across", **part),
            "lens_y": FloatSlider(description="Lens down", **part),
        }

    def _link(self) -> None:
        for name, control in self._controls.items():
            link((self, name), (control, "playing" if name == "playing" else "value"))
            control.add_class(f"srlab-{name.replace('_', '-')}")
            control.tooltip = f"{control.description or name}: {TIPS[name]}"
        dlink((self, "period"), (self._play, "interval"), lambda seconds: int(1000 * seconds))
        self.observe(self._redraw, ["mode", "first", "second", "playing", *SETTINGS])
        self._play.observe(self._redraw, "value")

    def _rows(self) -> list[Widget]:
        controls = self._controls
        groups = [
            ("mode",),
            ("first", "second", "position", "amplify", "playing"),
            ("zoom", "center_x", "center_y"),
            ("lens", "lens_x", "lens_y"),
        ]
        wrap = Layout(flex_flow="row wrap")
        rows = [HBox([controls[name] for name in group], layout=wrap) for group in groups]
        return [*rows, self._picture, self._lens_row, self._status]

    def _redraw(self, _: Any = None) -> None:
        with self._lock:
            self._hide_unused()
            self._picture.show(self.drawn(), self.status())
            if self.lens:
                self._lens_row.show(self._lens_strip(), f"Lens. {self.status()}")
            self._status.value = self._status_html()

    def _hide_unused(self) -> None:
        for name, modes in USED_BY.items():
            _show(self._controls[name], self.mode in modes)
        for name in ("center_x", "center_y"):
            _show(self._controls[name], self.zoom > 1)
        for widget in (self._controls["lens_x"], self._controls["lens_y"], self._lens_row):
            _show(widget, self.lens)

    def _status_html(self) -> str:
        state = {"mode": self.mode, "first": self.first, "second": self.second}
        data = " ".join(f'data-{key}="{html.escape(value)}"' for key, value in state.items())
        return f'<p role="status" aria-live="polite" {data}>{html.escape(self.status())}</p>'

    def _lens_strip(self) -> Image.Image:
        spot = self.lens_x, self.lens_y
        panels = [(self.scene.detail(n, *spot), self.scene.label(n)) for n in self.names]
        return filmstrip(panels, width=170 * len(panels))

    def _view(self, image: Image.Image) -> Image.Image:
        """The zoomed part, its pixels as squares, at the size of the whole."""
        if self.zoom == 1:
            return image
        box = zoom_box(image.size, self.zoom, self.center_x, self.center_y)
        return image.resize(image.size, Image.Resampling.NEAREST, box)

    def _named(self, name: str) -> Image.Image:
        return self._view(self.scene.pictures[name])


def zoom_box(
    size: tuple[int, int], zoom: float, x: float, y: float
) -> tuple[float, float, float, float]:
    """Left, top, right, bottom of what is shown, px, always inside the picture."""
    half = 0.5 / zoom
    x, y = (min(max(at, half), 1 - half) for at in (x, y))
    width, height = size
    return (
        (x - half) * width,
        (y - half) * height,
        (x + half) * width,
        (y + half) * height,
    )


def _draw_side(comparison: CoreCompare) -> Image.Image:
    width, height = comparison.scene.size
    count = len(comparison.names)
    whole = Image.new("RGB", (count * (width + GAP) - GAP, height), PAPER)
    for i, name in enumerate(comparison.names):
        whole.paste(comparison._named(name), (i * (width + GAP), 0))
    return whole


def _draw_swipe(comparison: CoreCompare) -> Image.Image:
    whole = comparison._named(comparison.second).copy()
    divider = round(comparison.position * whole.width)
    left = comparison._named(comparison.first).crop((0, 0, divider, whole.height))
    whole.paste(left, (0, 0))
    return whole


def _draw_blink(comparison: CoreCompare) -> Image.Image:
    flipped = comparison.playing and comparison._play.value == 1
    return comparison._named(comparison.second if flipped else comparison.first)


DRAW: dict[str, Callable[[CoreCompare], Image.Image]] = {
    "single": lambda comparison: comparison._named(comparison.first),
    "side": _draw_side,
    "blink": _draw_blink,
    "swipe": _draw_swipe,
    "difference": lambda comparison: comparison._view(comparison._difference()[0]),
}

TIPS = {
    "mode": "how to compare",
    "first": "the picture, or the left one",
    "second": "the other picture, or the right one",
    "position": "where the two pictures meet",
    "amplify": "by how much the difference is multiplied",
    "playing": "start and stop blinking",
    "zoom": "how many times",
    "center_x": "which part is shown",
    "center_y": "which part is shown",
    "lens": "the same few pixels of every picture",
    "lens_x": "where the lens looks",
    "lens_y": "where the lens looks",
}


def _tips() -> list[str]:
    return [
        "one picture at a time",
        "all pictures side by side",
        "two pictures in turn",
        "two pictures with a divider",
        "what differs between two pictures",
    ]


def _narrow() -> dict[str, str]:
    return {"button_width": "7em"}


def _show(widget: Any, visible: bool) -> None:
    widget.layout.display = None if visible else "none"
