"""What does a trained network see in a picture, and which changes does it mind?"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from ipywidgets import HTML, Dropdown, IntSlider, VBox
from PIL import Image
from torch import Tensor

from srlab.features import FeatureExtractor
from srlab.widgets.feature_changes import CHANGES
from srlab.widgets.feature_choices import (
    by_depth,
    embedded_crop,
    embedded_names,
    own_pictures,
    require_channel,
    require_extractor,
    require_one_of,
)
from srlab.widgets.feature_pictures import TEXT, one_poster, pair_poster
from srlab.widgets.feature_reading import (
    PIXELS,
    FeatureReading,
    Seen,
    relative_difference,
    strongest,
)
from srlab.widgets.feature_table import Rows, status_html
from srlab.widgets.feature_views import OneView, PairView, row
from srlab.widgets.poster import PosterMixin
from srlab.widgets.slider_names import slider_names

LAYERS = ("relu1_2", "relu2_2", "relu3_3", "relu4_3")
MODES = {"one": "one picture", "pair": "a pair"}
CACHE_BYTES = 200_000_000
PATIENCE = 2.0  # s

ViewKey = tuple[str, str]
"""Name of a picture, and how it was changed, if at all."""


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
    """

    def __init__(
        self,
        extractor: FeatureExtractor | None = None,
        pictures: Mapping[str, Tensor] | None = None,
    ):
        self._own = own_pictures(pictures or {})
        self.extractor = FeatureExtractor(LAYERS) if extractor is None else extractor
        require_extractor(self.extractor)
        self._names = by_depth(self.extractor)
        # Callbacks may come from any thread, so one looks at a time.
        self._lock = threading.RLock()
        self._choosing = False
        self._cache: OrderedDict[ViewKey, Seen] = OrderedDict()
        self._measured: dict[ViewKey, dict[str, float]] = {}
        self._places: dict[str, int] = {}  # layer -> the channel seen last
        self._layer_before = self._names[0]
        super().__init__()
        self._note = HTML()
        first = next(iter(self._own), "raccoon-face")
        features = self._see((first, ""))
        self.channels = {name: features[name].shape[1] for name in self._names}
        self._build(first, strongest(features[self._names[0]][0])[0])
        self._look()

    def choose(
        self,
        photograph: str | None = None,
        mode: str | None = None,
        other: str | None = None,
        layer: str | None = None,
        channel: int | None = None,
    ) -> FeatureReading:
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
            require_one_of("photograph", photograph, self.photograph.options)
            require_one_of("mode", mode, MODES)
            require_one_of("other", other, self._others(photograph or self.photograph.value))
            require_one_of("layer", layer, self._names)
            name = layer or self.layer.value
            require_channel(channel, name, self.channels[name])
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
            if self.mode.value == "pair":
                return pair_poster(self.reading, *self._pair(), self._rows())
            return one_poster(self.reading, self._see((self.reading.photograph, "")))

    # What a picture is and how it is seen

    def _picture(self, key: ViewKey) -> Tensor:
        name, change = key
        photo = self._own[name] if name in self._own else embedded_crop(name)
        return CHANGES[change][0](photo) if change else photo

    def _see(self, key: ViewKey) -> Seen:
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

    def _say(self, text: str) -> None:
        self._note.value = f'<p role="status" style="{TEXT}">{text}</p>' if text else ""

    # Controls

    def _build(self, photograph: str, channel: int) -> None:
        names = list(dict.fromkeys([*self._own, *embedded_names()]))
        modes = [(text, mode) for mode, text in MODES.items()]
        most = self.channels[self._names[0]] - 1
        self.photograph = Dropdown(
            options=names, value=photograph, tooltip="which picture the network sees"
        )
        self.mode = Dropdown(options=modes, tooltip="one channel of a picture, or two pictures")
        self.other = Dropdown(
            options=self._others(photograph), tooltip="with what it is compared"
        )
        self.layer = Dropdown(options=self._names, tooltip="how deep in the network")
        self.channel = IntSlider(max=most, value=channel, tooltip="which of the layer's maps")
        self.layer.layout.width, self.channel.layout.width = "200px", "420px"
        self._status, self._pair_view = HTML(), PairView()
        self._one_view = OneView(lambda channel: setattr(self.channel, "value", channel))
        order = "photograph", "mode", "other", "layer", "channel"
        controls = [self._labeled(name) for name in order]
        self.children = [row(controls[:2]), row(controls[2:]), self._note, self._status,
                         self._one_view, self._pair_view, *slider_names()]  # fmt: skip
        self.add_class("srlab-feature-explorer")

    def _labeled(self, name: str) -> Any:
        """A control that says its name and is listened to."""
        control = getattr(self, name)
        control.description = name.capitalize()
        control.observe(self._on_change, "value")
        return control.add_class(f"srlab-{name}")

    def _others(self, photograph: str) -> list[str]:
        """What a photograph can be compared with."""
        size = self._picture((photograph, "")).shape
        return [*CHANGES, *(name for name, own in self._own.items() if own.shape == size)]

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

    # Looking

    def _look(self) -> None:
        self._places[self.layer.value] = self.channel.value
        pair = self.mode.value == "pair"
        self.reading = self._read(pair)
        _show([self.other, self._pair_view], pair)
        _show([self.layer, self.channel, self._one_view], not pair)
        if pair:
            self._pair_view.draw(self.reading, *self._pair(), self._rows())
        else:
            self._one_view.draw(self.reading, self._see((self.reading.photograph, "")))
        self._status.value = status_html(self.reading)  # who reads it finds the pictures

    def _read(self, pair: bool) -> FeatureReading:
        photograph, layer, channel = self.photograph.value, self.layer.value, self.channel.value
        values = self._see((photograph, ""))[layer][0, channel]  # (h, w)
        return FeatureReading(
            photograph, self.mode.value, self.other.value if pair else "", layer, channel,
            (values.shape[0], values.shape[1]), values.mean().item(), values.max().item(),
            (values == 0).float().mean().item(), self._measure() if pair else {},
        )  # fmt: skip

    def _measure(self) -> dict[str, float]:
        """How different the pair is, for the pixels and each layer."""
        photo, other = self._pair()
        differences = {name: relative_difference(other[name], photo[name]) for name in photo}
        self._measured[self.photograph.value, self.other.value] = differences
        return differences

    def _rows(self) -> Rows:
        """What this photograph was compared with so far, in the order of the list."""
        chosen = self.reading.photograph
        keys = {other: (chosen, other) for other in self.other.options}
        return {o: self._measured[key] for o, key in keys.items() if key in self._measured}


@contextmanager
def patience(say: Callable[[str], None], seconds: float = PATIENCE) -> Iterator[None]:
    """Call ``say`` with a sentence if the block takes long, and with "" after it."""
    said = threading.Event()

    def speak() -> None:
        said.set()
        say("The network looks at the picture; the first time takes some seconds …")

    timer = threading.Timer(seconds, speak)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()  # or its sentence could come after the ""
        if said.is_set():
            say("")


def _bytes(cache: Mapping[ViewKey, Seen]) -> int:
    return sum(values.nbytes for seen in cache.values() for values in seen.values())


def _set(values: Mapping[Any, Any]) -> None:
    """Move the controls whose value is not None."""
    for control, value in values.items():
        control.value = control.value if value is None else value


def _show(views: Iterable[Any], shown: bool) -> None:
    for view in views:
        view.layout.display = None if shown else "none"
