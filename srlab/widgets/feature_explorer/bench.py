"""A frozen network and what it sees in pictures: those that come with srlab, and one's own."""

from collections import OrderedDict
from collections.abc import Mapping
from functools import cache

import torch
from torch import Tensor

from srlab.data import embedded_photo
from srlab.features import FeatureExtractor
from srlab.widgets.feature_explorer.changes import CHANGES
from srlab.widgets.feature_explorer.reading import (
    PIXELS,
    FeatureReading,
    Seen,
    relative_difference,
)
from srlab.widgets.kit.pictures import own_pictures
from srlab.widgets.workbench import unseen_photos

LAYERS = ("relu1_2", "relu2_2", "relu3_3", "relu4_3")
CACHE_BYTES = 200_000_000
CROP = 192
"""px of an embedded photograph, from its middle: quick on any machine."""
LEAST_SIDE = 16  # px
CORNERS = {"astronaut-eileen-collins": (8, 128)}  # its middle has no face

ViewKey = tuple[str, str]
"""Name of a picture, and how it was changed, if at all."""


class FeatureBench:
    """What a network sees in each picture, and how different it finds two.

    Args:
        extractor: without one, ``LAYERS`` of the embedded network.
        pictures: name -> ``(1, 3, h, w)``, RGB in [0, 1]; a person's own.

    Raises:
        TypeError, ValueError: if a picture is none, or of another size.
    """

    def __init__(
        self, extractor: FeatureExtractor | None, pictures: Mapping[str, Tensor] | None
    ):
        for name in pictures or {}:
            _require_name(name)
        self.own = own_pictures(pictures or {}, "pictures", least=LEAST_SIDE)
        self.extractor = FeatureExtractor(LAYERS) if extractor is None else extractor
        _require_extractor(self.extractor)
        places = self.extractor.places
        self.layers = sorted(places, key=lambda name: places[name])
        self.photographs = list(dict.fromkeys([*self.own, *unseen_photos()]))
        self._cache: OrderedDict[ViewKey, Seen] = OrderedDict()
        self._measured: dict[ViewKey, dict[str, float]] = {}
        seen = self.see((self.first, ""))
        self.channels = {name: seen[name].shape[1] for name in self.layers}

    @property
    def first(self) -> str:
        """The photograph to begin with."""
        return next(iter(self.own), "raccoon-face")

    def others(self, photograph: str) -> list[str]:
        """What a photograph can be compared with."""
        size = self.picture((photograph, "")).shape
        return [*CHANGES, *(name for name, own in self.own.items() if own.shape == size)]

    def picture(self, key: ViewKey) -> Tensor:
        """A picture, changed or not, ``(1, 3, h, w)``."""
        name, change = key
        photo = self.own[name] if name in self.own else embedded_crop(name)
        return CHANGES[change][0](photo) if change else photo

    def has_seen(self, photograph: str, other: str = "") -> bool:
        """Whether the network need not look again."""
        return {(photograph, ""), _key(photograph, other)} <= self._cache.keys()

    def see(self, key: ViewKey) -> Seen:
        """A picture and its features; the latest are kept."""
        if key not in self._cache:
            self._cache[key] = self._features(self.picture(key))
        self._cache.move_to_end(key)
        while len(self._cache) > 2 and self._bytes() > CACHE_BYTES:
            self._cache.popitem(last=False)
        return self._cache[key]

    def pair(self, photograph: str, other: str) -> tuple[Seen, Seen]:
        """The photograph and the other one."""
        return self.see((photograph, "")), self.see(_key(photograph, other))

    def read(self, photograph: str, other: str, layer: str, channel: int) -> FeatureReading:
        """All numbers; ``other`` is "" for one picture."""
        values = self.see((photograph, ""))[layer][0, channel]  # (h, w)
        return FeatureReading(
            photograph, "pair" if other else "one", other, layer, channel,
            (values.shape[0], values.shape[1]), values.mean().item(), values.max().item(),
            (values == 0).float().mean().item(),
            self._measure(photograph, other) if other else {},
        )  # fmt: skip

    def measured(self, photograph: str) -> dict[str, dict[str, float]]:
        """What it was compared with so far -> relative differences, as the menu has them."""
        keys = {other: (photograph, other) for other in self.others(photograph)}
        return {o: self._measured[key] for o, key in keys.items() if key in self._measured}

    def _measure(self, photograph: str, other: str) -> dict[str, float]:
        photo, second = self.pair(photograph, other)
        shares = {name: relative_difference(second[name], photo[name]) for name in photo}
        self._measured[photograph, other] = shares
        return shares

    def _features(self, picture: Tensor) -> Seen:
        device = next(self.extractor.parameters()).device
        with torch.no_grad():
            features = self.extractor(picture.to(device))
        return {PIXELS: picture, **{name: features[name].cpu() for name in self.layers}}

    def _bytes(self) -> int:
        return sum(values.nbytes for seen in self._cache.values() for values in seen.values())


@cache
def embedded_crop(name: str) -> Tensor:
    """``CROP`` px of an embedded photograph."""
    photo = embedded_photo(name)
    height, width = photo.shape[-2:]
    top, left = CORNERS.get(name, ((height - CROP) // 2, (width - CROP) // 2))
    return photo[..., top : top + CROP, left : left + CROP].contiguous()


def _key(photograph: str, other: str) -> ViewKey:
    return (photograph, other) if not other or other in CHANGES else (other, "")


def _require_extractor(extractor: object) -> None:
    """Raise unless ``extractor`` is one of srlab's, or of a lesson."""
    if not hasattr(extractor, "places"):
        raise TypeError(
            f"extractor must be a FeatureExtractor, but got a {type(extractor).__name__}; "
            f'make one with FeatureExtractor(["relu2_2"]).'
        )


def _require_name(name: object) -> None:
    if not isinstance(name, str) or not name:
        raise TypeError(f"pictures must be name -> picture, but got the name {name!r}.")
    if name in CHANGES:
        raise ValueError(
            f"pictures has the name {name!r}, which is a way to change a picture; "
            f"give it another name."
        )
