"""What does a trained network see in a picture, and which changes does it mind?"""

from collections.abc import Hashable, Mapping
from dataclasses import asdict
from typing import Any

from torch import Tensor
from traitlets import Dict, Int, List, Unicode, validate

from srlab.features import FeatureExtractor
from srlab.images import to_image
from srlab.require import require_one_of
from srlab.widgets.feature_explorer.bench import FeatureBench
from srlab.widgets.feature_explorer.changes import CHANGES
from srlab.widgets.feature_explorer.pictures import COLORS, enlarged_map, limits, thumbnail
from srlab.widgets.feature_explorer.reading import (
    PIXELS,
    FeatureReading,
    difference_map,
    short,
    strongest,
)
from srlab.widgets.kit.lab import Lab, finite_each, given
from srlab.widgets.kit.pictures import png

MODES = {"one": "one picture", "pair": "a pair"}
WAITING = "The network looks at the picture; the first time takes some seconds …"


class FeatureExplorer(Lab):
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

    view = Unicode("features").tag(sync=True)
    photograph = Unicode().tag(sync=True, setting=True)
    mode = Unicode("one", help="one or pair").tag(sync=True, setting=True)
    other = Unicode(next(iter(CHANGES))).tag(sync=True, setting=True)
    layer = Unicode().tag(sync=True, setting=True)
    channel = Int(0, min=0).tag(sync=True, setting=True)
    choices = Dict(help="setting -> values, or [value, text]").tag(sync=True)
    channels = Dict(help="layer -> how many it has").tag(sync=True)
    colors = List(Unicode(), COLORS, help="of the maps, dark to bright").tag(sync=True)
    numbers = Dict(help="a FeatureReading").tag(sync=True)
    said = Unicode(help="the reading as a sentence").tag(sync=True)
    waiting = Unicode(help="why nothing is to be seen yet").tag(sync=True)
    photo = Dict().tag(sync=True)
    second = Dict(help="the other picture of a pair").tag(sync=True)
    activation = Dict(help="the channel's map").tag(sync=True)
    differences = List(Dict(), help="where a pair differs").tag(sync=True)
    atlas = List(Dict(), help="the strongest channels").tag(sync=True)
    measured = List(Dict(), help="a row for each pair so far").tag(sync=True)

    def __init__(
        self,
        extractor: FeatureExtractor | None = None,
        pictures: Mapping[str, Tensor] | None = None,
    ):
        self.bench = FeatureBench(extractor, pictures)
        self._places: dict[str, int] = {}  # layer -> the channel seen last
        self._drawn: dict[str, Hashable] = {}  # trait -> what its picture is of
        self._layer_before = layer = self.bench.layers[0]
        photograph = self.bench.first
        super().__init__(
            photograph=photograph,
            layer=layer,
            channel=strongest(self.bench.see((photograph, ""))[layer][0])[0],
            channels=self.bench.channels,
            choices=self._choices(photograph),
        )
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
        with self._sending:  # one looks at a time, whatever thread a message comes on
            first = given(photograph=photograph, mode=mode, layer=layer)
            later = given(other=other, channel=channel)
            self._require({**first, **later})
            self.tell(**first)
            self._follow()
            self.tell(**later)
            self._look()
            return self.reading

    def changed(self, name: str, value: Any) -> None:  # noqa: ARG002, the kit calls it so
        """Look again, as the page or a notebook wants it."""
        with self._sending:
            self._follow()
            self._look()

    def summary(self) -> str:
        return f"FeatureExplorer: {self.reading}"

    # Choices

    def _choices(self, photograph: str) -> dict[str, list[Any]]:
        return {
            "photograph": self.bench.photographs,
            "mode": list(MODES.items()),
            "other": self.bench.others(photograph),
            "layer": self.bench.layers,
        }

    def _follow(self) -> None:
        """Let two controls follow the others."""
        others = self.bench.others(self.photograph)
        other = self.other if self.other in others else others[0]
        channel = self.channel
        if self.layer != self._layer_before:
            channel = self._places.get(self.layer, channel)
            self._layer_before = self.layer
        channel = min(channel, self.bench.channels[self.layer] - 1)
        self.tell(other=other, channel=channel, choices=self._choices(self.photograph))

    def _require(self, wanted: Mapping[str, Any]) -> None:
        """Raise unless each value is possible, together with the others."""
        photograph = wanted.get("photograph", self.photograph)
        if "photograph" in wanted:  # before its others are asked for
            require_one_of(photograph, self.bench.photographs, "photograph")
        known = self._choices(photograph) | {"mode": MODES}
        for name in filter(wanted.__contains__, known):
            require_one_of(wanted[name], known[name], name)
        if "channel" in wanted:
            layer = wanted.get("layer", self.layer)
            _require_channel(wanted["channel"], layer, self.bench.channels[layer])

    @validate("photograph", "mode", "layer")
    def _known(self, proposal: dict[str, Any]) -> Any:
        self._require({proposal["trait"].name: proposal["value"]})
        return proposal["value"]

    # Looking

    def _look(self) -> None:
        other = self.other if self.mode == "pair" else ""
        if not self.bench.has_seen(self.photograph, other):
            self.tell(waiting=WAITING)
        self._places[self.layer] = self.channel
        self.reading = self.bench.read(self.photograph, other, self.layer, self.channel)
        numbers = asdict(self.reading)
        numbers["differences"] = finite_each(self.reading.differences)
        self.tell(
            waiting="",
            said=f"{self.reading}",
            numbers=numbers,
            **(self._of_pair() if other else self._of_one()),
        )

    def _of_one(self) -> dict[str, Any]:
        photograph, layer, channel = self.photograph, self.layer, self.channel
        seen = self.bench.see((photograph, ""))
        maps = seen[layer][0]  # (F, h, w)
        return {
            **self._photo(seen[PIXELS]),
            **self._new("activation", (photograph, layer, channel), lambda: self._map(
                maps[channel], seen[PIXELS], "map", f"Activation map: {self.reading}",
                f"{self.reading.place()}, {maps.shape[2]} × {maps.shape[1]}",
            )),
            **self._new("atlas", (photograph, layer), lambda: [
                _thumb(maps[number], number) for number in strongest(maps)
            ]),
        }  # fmt: skip

    def _of_pair(self) -> dict[str, Any]:
        photograph, other = self.photograph, self.other
        photo, second = self.bench.pair(photograph, other)
        how = CHANGES[other][1] if other in CHANGES else "one of your pictures"
        name = other if other != photograph else f"{other}, again"
        rows = self.bench.measured(photograph).items()
        return {
            **self._photo(photo[PIXELS]),
            "measured": [{"other": row, **finite_each(shares)} for row, shares in rows],
            **self._new("second", (photograph, other), lambda: png(
                to_image(second[PIXELS]), name, how
            )),
            **self._new("differences", (photograph, other), lambda: [
                self._map(difference_map(second[layer], photo[layer]), photo[PIXELS], layer,
                          f"Where they differ in {layer}: {share:.3f}", f"{share:.3f}")
                for layer, share in self.reading.differences.items()
            ]),
        }  # fmt: skip

    def _photo(self, picture: Tensor) -> dict[str, Any]:
        height, width = picture.shape[-2:]
        return self._new("photo", self.photograph, lambda: png(
            to_image(picture), self.photograph, f"{width} × {height} px"
        ))  # fmt: skip

    def _map(
        self, values: Tensor, like: Tensor, name: str, alt: str, caption: str
    ) -> dict[str, Any]:
        """A map as a picture, with what its darkest and brightest colors stand for."""
        low, high = limits(values)
        picture = png(enlarged_map(values, like), name, caption, alt=alt)
        return {**picture, "low": low, "high": high}

    def _new(self, trait: str, key: Hashable, make: Any) -> dict[str, Any]:
        """A trait's new pictures, unless they are shown already."""
        if self._drawn.get(trait) == key:
            return {}
        self._drawn[trait] = key
        return {trait: make()}


def _thumb(values: Tensor, channel: int) -> dict[str, Any]:
    mean = values.mean().item()
    alt = f"channel {channel}, mean {short(mean)}"
    return {**png(thumbnail(values), f"{channel}", alt=alt), "channel": channel, "mean": mean}


def _require_channel(channel: object, layer: str, count: int) -> None:
    if isinstance(channel, bool) or not isinstance(channel, int):
        raise TypeError(f"channel must be an integer, but got {channel!r}.")
    if not 0 <= channel < count:
        raise ValueError(
            f"channel must be 0 to {count - 1}, since {layer} has "
            f"{count} channels, but got {channel}."
        )
