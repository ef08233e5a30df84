"""What does a trained network see in a picture, and which changes does it mind?"""

import base64
import html
import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from IPython.core.getipython import get_ipython
from ipywidgets import HTML, Button, Dropdown, HBox, IntSlider, Layout, VBox
from PIL import Image
from torch import Tensor

from srlab.data import degrade
from srlab.features import FeatureExtractor
from srlab.images import to_image
from srlab.models import enlarge
from srlab.require import require_batch, require_unit_range
from srlab.sources import embedded_photo, embedded_table
from srlab.widgets.poster import (
    PAPER,
    Panel,
    PosterMixin,
    encode_png,
    filmstrip,
    stack,
    text_lines,
)

LAYERS = ("relu1_2", "relu2_2", "relu3_3", "relu4_3")
MODES = {"one": "one picture", "pair": "a pair"}
PIXELS = "pixels"

CROP = 192
"""px of an embedded photograph, from its middle: quick on any machine."""
CORNERS = {"astronaut-eileen-collins": (8, 128)}  # its middle has no face
FEWEST, MOST = 16, 512 * 512  # px of a side, px of a whole picture

BLUR, NOISE, SCALE = 1.5, 0.05, 4
STRONGEST = 12  # channels in the atlas
CACHE_BYTES = 200_000_000
PATIENCE = 2.0  # s

SIDE, LARGE, SMALL, TILE = 192, 384, 144, 96  # px on the page
BAR = 76  # px, the longest
TEXT = "line-height: 1.5;"  # or the notebook gives each line the height of a slider
CELL = "text-align: left; vertical-align: top; padding: 2px 6px;"
# Okabe-Ito; the sign beside the number says the same without color.
BLUE, VERMILION = "#0072B2", "#D55E00"

Seen = dict[str, Tensor]
"""A picture under ``"pixels"``, and by layer what the network makes of it."""

Key = tuple[str, str]
"""Name of a picture, and how it was changed, if at all."""


@dataclass(frozen=True)
class Reading:
    """What is shown, in numbers.

    Args:
        photograph, mode, layer, channel: what was chosen.
        other: what it is compared with; "" for one picture.
        shape: ``(h, w)`` of the channel's map.
        mean, max: of the map.
        zeros: share of the map that is exactly 0, between 0 and 1.
        differences: of a pair, for ``"pixels"`` and by layer:
            ``mean |other - photograph| / mean |photograph|``.
    """

    photograph: str
    mode: str
    other: str
    layer: str
    channel: int
    shape: tuple[int, int]
    mean: float
    max: float
    zeros: float
    differences: dict[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        if self.mode == "pair":
            shares = ", ".join(f"{name} {v:.3f}" for name, v in self.differences.items())
            return f"{self.photograph} against {self.other}, relative difference: {shares}"
        height, width = self.shape
        return (
            f"{self.photograph} in {_channel_name(self)}: {width} × {height}, mean "
            f"{_short(self.mean)}, largest {_short(self.max)}, {100 * self.zeros:.0f} % zeros"
        )


class FeatureExplorer(PosterMixin, VBox):  # type: ignore[misc]
    """A photograph as each layer and channel of a frozen network sees it.

    Or two of them, and where each layer finds them different. The embedded
    photographs are cut to 192 × 192 px.

    Args:
        extractor: without one, four layers of the embedded network, from
            ``relu1_2`` to ``relu4_3``.
        pictures: name -> ``(1, 3, h, w)``, RGB in [0, 1], at least 16 px on
            each side and at most 512 × 512 px in all. They are offered
            before the embedded photographs of the validation and test split.

    Raises:
        TypeError, ValueError: if a picture is none, or of another size.

    Example:
        >>> explorer = FeatureExplorer()
        >>> explorer.choose(layer="relu3_3", channel=7).shape
        (48, 48)

    Source: built by srlab; used in lesson 02.
    """

    def __init__(
        self,
        extractor: FeatureExtractor | None = None,
        pictures: Mapping[str, Tensor] | None = None,
    ):
        self._own = _own_pictures(pictures or {})
        # Callbacks may come from any thread, so one looks at a time.
        self._lock = threading.RLock()
        self._choosing = False
        self._cache: OrderedDict[Key, Seen] = OrderedDict()
        self._measured: dict[Key, dict[str, float]] = {}
        self._places: dict[str, int] = {}  # layer -> the channel seen last
        self._layer_before = ""
        self._atlas_of = ("", "")  # photograph and layer
        super().__init__()
        self._note = HTML()
        with patience(_say_in_cell):  # nothing of the widget is on the page yet
            self._start(extractor)

    def choose(
        self,
        photograph: str | None = None,
        mode: str | None = None,
        other: str | None = None,
        layer: str | None = None,
        channel: int | None = None,
    ) -> Reading:
        """Set any of the controls, and look.

        Args:
            photograph: name of an embedded one, or of one's own.
            mode: ``"one"`` or ``"pair"``.
            other: with what a pair compares it: ``"shifted by 1 px"``,
                ``"blurred"``, ``"bicubic"``, ``"noisy"``, or the name of an
                own picture of the same size.
            layer: one of the extractor's.
            channel: from 0.

        Returns:
            What is shown.

        Raises:
            ValueError: for an unknown choice, or a channel that the layer
                has not.
        """
        with self._lock:
            self._require(photograph, mode, other, layer, channel)
            with self._quietly():
                _set({self.photograph: photograph, self.layer: layer, self.mode: mode})
                self._follow()
                _set({self.other: other, self.channel: channel})
            self._look()
            return self.reading

    def summary(self) -> str:
        return f"FeatureExplorer: {self.reading}"

    def poster(self) -> Image.Image:
        with self._lock:
            pair = self.mode.value == "pair"
            return stack(*(self._pair_panels() if pair else self._one_panels()))

    # Choices

    def _photographs(self) -> list[str]:
        rows = [row for row in embedded_table() if row["split"] != "train"]
        return list(dict.fromkeys([*self._own, *(Path(row["file"]).stem for row in rows)]))

    def _others(self, photograph: str) -> list[str]:
        """What a photograph can be compared with."""
        size = self._picture((photograph, "")).shape
        return [*CHANGES, *(name for name, own in self._own.items() if own.shape == size)]

    def _require(
        self,
        photograph: str | None,
        mode: str | None,
        other: str | None,
        layer: str | None,
        channel: int | None,
    ) -> None:
        """Raise unless all of it can be chosen together."""
        _require_one_of("photograph", photograph, self._photographs())
        _require_one_of("mode", mode, MODES)
        _require_one_of("other", other, self._others(photograph or self.photograph.value))
        _require_one_of("layer", layer, self.channels)
        _require_channel(channel, layer or self.layer.value, self.channels)

    def _follow(self) -> None:
        """Let the ranges of two controls follow the other controls."""
        others = self._others(self.photograph.value)
        if list(self.other.options) != others:
            before = self.other.value
            self.other.options = others
            self.other.value = before if before in others else others[0]
        if self.layer.value != self._layer_before:
            place = self._places.get(self.layer.value, self.channel.value)
            self.channel.max = self.channels[self.layer.value] - 1
            self.channel.value = min(place, self.channel.max)
            self._layer_before = self.layer.value

    # What a picture is and how it is seen

    def _picture(self, key: Key) -> Tensor:
        name, change = key
        photo = self._own[name] if name in self._own else _crop(name)
        return CHANGES[change][0](photo) if change else photo

    def _see(self, key: Key) -> Seen:
        """A picture and its features; the latest are kept."""
        if key not in self._cache:
            with patience(self._say):
                self._cache[key] = self._features(self._picture(key))
        self._cache.move_to_end(key)
        while len(self._cache) > 2 and _bytes(self._cache) > CACHE_BYTES:
            self._cache.popitem(last=False)
        return self._cache[key]

    def _features(self, picture: Tensor) -> Seen:
        device = next(self.extractor.parameters()).device
        with torch.no_grad():
            features = self.extractor(picture.to(device))
        return {PIXELS: picture, **{name: features[name].cpu() for name in self._names}}

    def _pair(self) -> tuple[Seen, Seen]:
        """The photograph and the other one."""
        photograph, other = self.photograph.value, self.other.value
        key = (photograph, other) if other in CHANGES else (other, "")
        return self._see((photograph, "")), self._see(key)

    def _map(self) -> Tensor:
        """The chosen channel, ``(h, w)``."""
        return self._see((self.photograph.value, ""))[self.layer.value][0, self.channel.value]

    # Looking

    def _start(self, extractor: FeatureExtractor | None) -> None:
        self.extractor = FeatureExtractor(LAYERS) if extractor is None else extractor
        if not hasattr(self.extractor, "places"):
            raise TypeError(
                f"extractor must be a FeatureExtractor, but a {type(extractor).__name__} "
                f'came; make one with FeatureExtractor(["relu2_2"]).'
            )
        self._names = sorted(
            self.extractor.places, key=lambda name: self.extractor.places[name]
        )
        first = next(iter(self._own), "raccoon-face")
        features = self._see((first, ""))
        self.channels = {name: features[name].shape[1] for name in self._names}
        self._layer_before = self._names[0]
        self._build(first, _strongest(features[self._names[0]][0])[0])
        self._look()

    def _on_change(self, _: Any) -> None:
        with self._lock:
            if self._choosing:  # several controls move; looked at once, after the last
                return
            with self._quietly():
                self._follow()
            self._look()

    @contextmanager
    def _quietly(self) -> Iterator[None]:
        self._choosing = True
        try:
            yield
        finally:
            self._choosing = False

    def _say(self, text: str) -> None:
        self._note.value = f'<p role="status" style="{TEXT}">{text}</p>' if text else ""

    def _look(self) -> None:
        self._places[self.layer.value] = self.channel.value
        pair = self.mode.value == "pair"
        self.reading = self._read(pair)
        for view, shown in (
            (self.other, pair), (self._pair_view, pair), (self.layer, not pair),
            (self.channel, not pair), (self._one_view, not pair),
        ):  # fmt: skip
            view.layout.display = None if shown else "none"
        if pair:
            self._draw_pair()
        else:
            self._draw_one()
        self._status.value = _status_html(self.reading)  # who reads it finds the pictures

    def _read(self, pair: bool) -> Reading:
        chosen, values = self.photograph.value, self._map()
        differences = {}
        if pair:
            photo, other = self._pair()
            differences = {
                name: relative_difference(other[name], photo[name]) for name in photo
            }
            self._measured[chosen, self.other.value] = differences
        return Reading(
            chosen, self.mode.value, self.other.value if pair else "", self.layer.value,
            self.channel.value, (values.shape[0], values.shape[1]), values.mean().item(),
            values.max().item(), (values == 0).float().mean().item(), differences,
        )  # fmt: skip

    # Drawing

    def _build(self, photograph: str, channel: int) -> None:
        self.photograph = _control(Dropdown, "photograph", "which picture the network sees")
        self.photograph.options, self.photograph.value = self._photographs(), photograph
        self.mode = _control(Dropdown, "mode", "one channel of a picture, or two pictures")
        self.mode.options = [(text, mode) for mode, text in MODES.items()]
        self.mode.value = "one"
        self.other = _control(Dropdown, "other", "with what it is compared")
        self.other.options = self._others(photograph)
        self.other.value = self.other.options[0]
        self.layer = _control(Dropdown, "layer", "how deep in the network")
        self.layer.options, self.layer.value = self._names, self._names[0]
        self.channel = _control(IntSlider, "channel", "which of the layer's maps")
        self.channel.max, self.channel.value = self.channels[self._names[0]] - 1, channel
        self.layer.layout.width, self.channel.layout.width = "200px", "420px"
        controls = [self.photograph, self.mode, self.other, self.layer, self.channel]
        for control in controls:
            control.observe(self._on_change, "value")
        self._status = HTML()
        self._build_views()
        self.children = [_row(controls[:2]), _row(controls[2:]), self._note, self._status,
                         self._one_view, self._pair_view]  # fmt: skip
        self.add_class("srlab-feature-explorer")

    def _build_views(self) -> None:
        self._photo, self._activation = _area("shown"), _area("activation")
        self._atlas_title = _area("atlas-title")
        count = min(STRONGEST, max(self.channels.values()))
        self._tiles = [_area("tile") for _ in range(count)]
        self._buttons = [Button(layout=Layout(width=f"{TILE}px")) for _ in range(count)]
        for button in self._buttons:
            button.on_click(self._on_tile)
        tiles = [VBox(pair) for pair in zip(self._tiles, self._buttons, strict=True)]
        atlas = _row(tiles).add_class("srlab-atlas")
        beside_or_below = Layout(flex="1 1 400px")
        atlas = VBox([self._atlas_title, atlas], layout=beside_or_below)
        self._one_view = _row([self._photo, self._activation, atlas])
        self._pair_pictures, self._table = _area("pair"), _area("table")
        self._pair_layers = _area("layers")
        self._pair_view = VBox([self._pair_pictures, self._table, self._pair_layers])

    def _on_tile(self, button: Button) -> None:
        self.channel.value = int(button.description)

    def _draw_one(self) -> None:
        reading = self.reading
        seen = self._see((reading.photograph, ""))
        self._photo.value = _photo_html(seen[PIXELS], reading.photograph)
        alt = f"Activation map: {reading}"
        caption = f"<b>{html.escape(_channel_name(reading))}</b><br>{_scale_text(self._map())}"
        self._activation.value = _figure(color_map(self._map()), caption, alt, LARGE)
        if self._atlas_of != (reading.photograph, reading.layer):
            self._atlas_of = (reading.photograph, reading.layer)
            self._draw_atlas(seen[reading.layer][0])
        for button in self._buttons:
            chosen = button.description == str(reading.channel)
            button.button_style = "info" if chosen else ""

    def _draw_atlas(self, maps: Tensor) -> None:
        order = _strongest(maps)
        self._atlas_title.value = (
            f'<div style="{TEXT}">The {len(order)} channels of '
            f"{html.escape(self.reading.layer)} with the highest mean, "
            f"each bright at its own largest value. Press a number to see it.</div>"
        )
        for place, (tile, button) in enumerate(zip(self._tiles, self._buttons, strict=True)):
            shown = place < len(order)
            tile.layout.display = button.layout.display = None if shown else "none"
            if shown:
                values = maps[order[place]]
                text = f"channel {order[place]}, mean {_short(values.mean().item())}"
                tile.value = _figure(_tile_map(values), "", text, TILE)
                button.description, button.tooltip = str(order[place]), f"Show {text}"

    def _draw_pair(self) -> None:
        photo, other = self._pair()
        reading, changed = self.reading, self.reading.other
        how = CHANGES[changed][1] if changed in CHANGES else "one of your pictures"
        self._pair_pictures.value = _figures([
            _photo_html(photo[PIXELS], reading.photograph),
            _photo_html(other[PIXELS], changed, how),
            self._difference_html(PIXELS, photo, other, SIDE),
        ])  # fmt: skip
        self._pair_layers.value = _figures(
            [self._difference_html(name, photo, other, SMALL) for name in self._names]
        )
        self._table.value = _table_html(self._rows(), changed)

    def _difference_html(self, name: str, photo: Seen, other: Seen, box: int) -> str:
        where = difference_map(other[name], photo[name])
        share = f"{name}: {self.reading.differences[name]:.3f}"
        caption = f"<b>{html.escape(share)}</b><br>{_scale_text(where)}"
        return _figure(color_map(where), caption, f"Where they differ in {share}", box)

    def _rows(self) -> dict[str, dict[str, float]]:
        """What this photograph was compared with so far, in the order of the list."""
        chosen = self.reading.photograph
        pairs = {other: self._measured.get((chosen, other)) for other in self.other.options}
        return {other: row for other, row in pairs.items() if row}

    def _one_panels(self) -> list[Image.Image]:
        seen = self._see((self.reading.photograph, ""))
        maps = seen[self.reading.layer][0]
        tiles = [(color_map(maps[channel]), str(channel)) for channel in _strongest(maps)]
        pictures = [(to_image(seen[PIXELS]), self.reading.photograph),
                    (color_map(self._map()), _channel_name(self.reading))]  # fmt: skip
        halves = [tiles[:6], tiles[6:]]
        atlas = [filmstrip(_padded(half, 6)) for half in halves if half]
        return [text_lines([str(self.reading)]), filmstrip(pictures), *atlas]

    def _pair_panels(self) -> list[Image.Image]:
        photo, other = self._pair()
        maps = {
            name: (color_map(difference_map(other[name], photo[name])), f"{name} {share:.3f}")
            for name, share in self.reading.differences.items()
        }
        pictures = [(to_image(photo[PIXELS]), self.reading.photograph),
                    (to_image(other[PIXELS]), self.reading.other)]  # fmt: skip
        title = f"{self.reading.photograph} against {self.reading.other}; relative differences:"
        lines = [f"{other}: {_row_text(row)}" for other, row in self._rows().items()]
        layers = [panel for name, panel in maps.items() if name != PIXELS]
        strips = filmstrip([*pictures, maps[PIXELS]]), filmstrip(layers)
        return [text_lines([title]), *strips, text_lines(lines)]


# Ways to change a picture


def shift(picture: Tensor) -> Tensor:
    """Move a picture by 1 px to the right; its left column is there twice."""
    return torch.cat([picture[..., :1], picture[..., :-1]], dim=-1)


def blur(picture: Tensor) -> Tensor:
    """Smooth a picture by a Gaussian of ``BLUR`` px."""
    reach = round(4 * BLUR)
    kernel = torch.exp(-(torch.arange(-reach, reach + 1) ** 2) / (2 * BLUR**2))
    kernel = (kernel / kernel.sum()).expand(3, 1, 1, -1)
    padded = F.pad(picture, [reach] * 4, mode="replicate")
    return F.conv2d(F.conv2d(padded, kernel, groups=3), kernel.mT, groups=3)


def reduce_and_enlarge(picture: Tensor) -> Tensor:
    """Reduce and enlarge a picture ``SCALE`` times, both bicubic."""
    height, width = picture.shape[-2:]
    padded = F.pad(picture, (0, -width % SCALE, 0, -height % SCALE), mode="replicate")
    return enlarge(degrade(padded, SCALE), SCALE)[..., :height, :width].clamp(0, 1)


def add_noise(picture: Tensor) -> Tensor:
    """Add noise of ``NOISE``, the same each time."""
    noise = torch.randn(picture.shape, generator=torch.Generator().manual_seed(0))
    return (picture + NOISE * noise).clamp(0, 1)


CHANGES: dict[str, tuple[Callable[[Tensor], Tensor], str]] = {
    "shifted by 1 px": (shift, "to the right"),
    "blurred": (blur, f"Gaussian, {BLUR} px"),
    "bicubic": (reduce_and_enlarge, f"reduced and enlarged {SCALE} times"),
    "noisy": (add_noise, f"standard deviation {NOISE}"),
}


# Measuring


def relative_difference(other: Tensor, photo: Tensor) -> float:
    """``mean |other - photo| / mean |photo|``; infinite beside an all-zero photo.

    Source: built by srlab; the L1 of lesson 02's ``content_loss``, made
    comparable between layers.
    """
    difference, size = (other - photo).abs().mean().item(), photo.abs().mean().item()
    if difference == 0:
        return 0.0
    return difference / size if size else math.inf


def difference_map(other: Tensor, photo: Tensor) -> Tensor:
    """Mean over channels of |other - photo|: ``(1, F, h, w)`` -> ``(h, w)``."""
    return (other - photo).abs().mean(dim=1)[0]


def color_map(values: Tensor) -> Image.Image:
    """A map ``(h, w)`` as a picture: dark at 0, bright at its largest value.

    Where values are negative, dark is the lowest.
    """
    low, high = _limits(values)
    share = (values - low) / (high - low) if high > low else torch.zeros_like(values)
    return Image.fromarray(_cividis()[share.mul(255).round().long()].numpy())


@contextmanager
def patience(say: Callable[[str], None], seconds: float = PATIENCE) -> Iterator[None]:
    """Call ``say`` with a sentence if the block takes long, and with "" after it."""
    state, turn = "waiting", threading.Lock()

    def speak() -> None:
        nonlocal state
        with turn:
            if state == "waiting":
                state = "said"
                say("The network looks at the picture; the first time takes some seconds …")

    timer = threading.Timer(seconds, speak)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        with turn:
            if state == "said":
                say("")
            state = "over"


def _say_in_cell(text: str) -> None:
    """Write a line beneath the cell; the next one replaces it."""
    if get_ipython() is not None:
        print(f"\r{text:<80}" if text else f"\r{'':<80}\r", end="", flush=True)


# Checks


def _own_pictures(pictures: Mapping[str, Tensor]) -> dict[str, Tensor]:
    for name, picture in pictures.items():
        _require_name(name)
        _require_picture(picture, f"pictures[{name!r}]")
    return {name: picture.detach().cpu().float() for name, picture in pictures.items()}


def _require_name(name: object) -> None:
    if not isinstance(name, str) or not name:
        raise TypeError(f"pictures must be name -> picture, but the name {name!r} came.")
    if name in CHANGES:
        raise ValueError(
            f"pictures has the name {name!r}, which is a way to change a picture; "
            f"give it another name."
        )


def _require_picture(picture: Tensor, name: str) -> None:
    require_batch(picture, name)
    if picture.shape[:2] != (1, 3):
        raise ValueError(
            f"{name} has shape {tuple(picture.shape)}, but (1, 3, h, w) was expected; "
            f"pick one picture of a batch with [:1]."
        )
    require_unit_range(picture, name)
    height, width = picture.shape[-2:]
    if min(height, width) < FEWEST or height * width > MOST:
        raise ValueError(
            f"{name} is {height} x {width} px, but at least {FEWEST} px a side and at most "
            f"512 x 512 px in all were expected; crop it with [..., :{CROP}, :{CROP}]."
        )


def _require_one_of(name: str, value: object, choices: Iterable[str]) -> None:
    """Raise unless ``value`` is None or one of ``choices``."""
    choices = list(choices)
    if value is not None and value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}, but {value!r} came.")


def _require_channel(channel: object, layer: str, channels: Mapping[str, int]) -> None:
    if channel is None:
        return
    if isinstance(channel, bool) or not isinstance(channel, int):
        raise TypeError(f"channel must be an integer, but {channel!r} came.")
    if not 0 <= channel < channels[layer]:
        raise ValueError(
            f"channel must be 0 to {channels[layer] - 1}, since {layer} has "
            f"{channels[layer]} channels, but {channel} came."
        )


# Parts


@cache
def _crop(name: str) -> Tensor:
    """``CROP`` px of an embedded photograph."""
    photo = embedded_photo(name)
    height, width = photo.shape[-2:]
    top, left = CORNERS.get(name, ((height - CROP) // 2, (width - CROP) // 2))
    return photo[..., top : top + CROP, left : left + CROP].contiguous()


def _bytes(cache: Mapping[Key, Seen]) -> int:
    return sum(values.nbytes for seen in cache.values() for values in seen.values())


def _strongest(maps: Tensor) -> list[int]:
    """The channels of ``(F, h, w)`` with the highest mean, highest first."""
    return maps.mean(dim=(1, 2)).topk(min(STRONGEST, len(maps))).indices.tolist()


def _limits(values: Tensor) -> tuple[float, float]:
    """What is shown dark, and what bright."""
    return min(0.0, values.min().item()), values.max().item()


@cache
def _cividis() -> Tensor:
    """256 colors from dark to bright, ``(256, 3)``, that all eyes can tell apart."""
    from matplotlib import colormaps

    colors = colormaps["cividis"](range(256))[:, :3]
    return torch.from_numpy(colors).mul(255).round().byte()


def _short(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def _channel_name(reading: Reading) -> str:
    return f"{reading.layer}, channel {reading.channel}"


def _scale_text(values: Tensor) -> str:
    """How to read a map's colors, and its size."""
    low, high = _limits(values)
    height, width = values.shape
    if low == high:
        return f"0 everywhere<br>{width} × {height}"
    return f"dark {_short(low)}, bright {_short(high)}<br>{width} × {height}"


def _row_text(row: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.3f}" for name, value in row.items())


def _padded(tiles: list[Panel], count: int) -> list[Panel]:
    """Tiles of equal size need a full row."""
    return [*tiles, *[(Image.new("RGB", tiles[0][0].size, PAPER), "")] * (count - len(tiles))]


def _tile_map(values: Tensor) -> Image.Image:
    """A small picture of a map."""
    image = color_map(values)
    if max(image.size) > TILE:
        image.thumbnail((TILE, TILE))
    return image


def _control(kind: type[Any], name: str, tip: str) -> Any:
    control = kind(description=name.capitalize(), tooltip=tip)
    control.add_class(f"srlab-{name}")
    return control


def _set(values: Mapping[Any, Any]) -> None:
    """Move the controls whose value is not None."""
    for control, value in values.items():
        control.value = control.value if value is None else value


def _area(name: str) -> HTML:
    return HTML().add_class(f"srlab-{name}")


def _row(children: Sequence[Any]) -> HBox:
    return HBox(children, layout=Layout(flex_flow="row wrap"))


def _photo_html(picture: Tensor, name: str, how: str = "") -> str:
    height, width = picture.shape[-2:]
    caption = f"<b>{html.escape(name)}</b><br>{how or f'{width} × {height} px'}"
    return _figure(to_image(picture), caption, name, SIDE)


def _figures(figures: Sequence[str]) -> str:
    return f'<div style="display: flex; flex-wrap: wrap">{"".join(figures)}</div>'


def _figure(image: Image.Image, caption: str, alt: str, box: int) -> str:
    """A picture with its caption and a text for those who do not see it."""
    width, height = _fitting(image.size, box)
    data = base64.b64encode(encode_png(image, quick=True)).decode()
    sharp = "image-rendering: pixelated;" if width >= image.width else ""
    # decoded at once, or a moved slider would let it flicker
    picture = (
        f'<img src="data:image/png;base64,{data}" alt="{html.escape(alt)}" decoding="sync" '
        f'width="{width}" height="{height}" style="{sharp} display: block">'
    )
    if not caption:
        return picture
    below = f'<figcaption style="max-width: {box}px; {TEXT}">{caption}</figcaption>'
    return f'<figure style="margin: 0 8px 8px 0">{picture}{below}</figure>'


def _fitting(size: tuple[int, int], box: int) -> tuple[int, int]:
    """As large as fits in a square, so that maps of all layers are of one size."""
    factor = box / max(size)
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))


def _status_html(reading: Reading) -> str:
    data = {"mode": reading.mode, "photograph": reading.photograph}
    if reading.mode == "pair":
        shares = {name: f"{value:.4f}" for name, value in reading.differences.items()}
        data |= {"other": reading.other, **shares}
    else:
        data |= {"layer": reading.layer, "channel": str(reading.channel),
                 "mean": f"{reading.mean:.6g}", "max": f"{reading.max:.6g}",
                 "zeros": f"{reading.zeros:.4f}"}  # fmt: skip
    attributes = " ".join(f'data-{key}="{html.escape(text)}"' for key, text in data.items())
    return (
        f'<div class="srlab-feature-status" role="status" style="{TEXT}" {attributes}>'
        f"<b>{html.escape(str(reading))}</b></div>"
    )


def _table_html(rows: Mapping[str, Mapping[str, float]], chosen: str) -> str:
    """Relative differences as numbers and bars: a row for each pair looked at so far."""
    names = list(rows[chosen])
    head = "".join(f'<th scope="col" style="{CELL}">{html.escape(n)}</th>' for n in names)
    body = "".join(_row_html(other, rows, other == chosen) for other in rows)
    note = (
        "▲ what this column calls the most different of these"
        if len(rows) > 1
        else "Choose another one to compare: its row comes beside this one"
    )
    return (
        f'<div style="{TEXT} overflow-x: auto; white-space: nowrap">'
        f'<table aria-label="Relative difference, by what was compared and by layer">'
        f'<thead><tr><td style="{CELL}">relative difference</td>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
        f'<div style="{TEXT} margin-bottom: 8px">{note}; all bars on one scale.</div>'
    )


def _row_html(other: str, rows: Mapping[str, Mapping[str, float]], chosen: bool) -> str:
    finite = [v for row in rows.values() for v in row.values() if math.isfinite(v)]
    top, weight = max(finite, default=0.0) or 1.0, "bold" if chosen else "normal"
    cells = ""
    for name, value in rows[other].items():
        worst = len(rows) > 1 and value == max(row[name] for row in rows.values())
        cells += _cell(value, min(value / top, 1.0), worst)
    head = f'<th scope="row" style="{CELL} font-weight: {weight}">{html.escape(other)}</th>'
    return f'<tr style="font-weight: {weight}">{head}{cells}</tr>'


def _cell(value: float, share: float, worst: bool) -> str:
    color, sign = (VERMILION, "▲ ") if worst else (BLUE, "")
    bar = f"width: {BAR * share:.1f}px; height: 8px; background: {color}"
    return (
        f'<td style="{CELL} min-width: {BAR}px">{sign}{value:.3f}<div style="{bar}"></div></td>'
    )
