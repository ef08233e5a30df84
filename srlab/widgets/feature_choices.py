"""What the feature explorer lets people choose, and what it refuses."""

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from torch import Tensor

from srlab.data import embedded_photo, embedded_table
from srlab.features import FeatureExtractor
from srlab.require import require_one_picture, require_unit_range
from srlab.widgets.feature_changes import CHANGES

CROP = 192
"""px of an embedded photograph, from its middle: quick on any machine."""
CORNERS = {"astronaut-eileen-collins": (8, 128)}  # its middle has no face
LEAST_SIDE, MOST_PIXELS = 16, 512 * 512  # px of a side, px of a whole picture


def embedded_names() -> list[str]:
    """The embedded photographs of the validation and test split."""
    return [Path(row["file"]).stem for row in embedded_table() if row["split"] != "train"]


@cache
def embedded_crop(name: str) -> Tensor:
    """``CROP`` px of an embedded photograph."""
    photo = embedded_photo(name)
    height, width = photo.shape[-2:]
    top, left = CORNERS.get(name, ((height - CROP) // 2, (width - CROP) // 2))
    return photo[..., top : top + CROP, left : left + CROP].contiguous()


def own_pictures(pictures: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Pictures that people bring, float32 on the CPU.

    Args:
        pictures: name -> ``(1, 3, h, w)``, RGB in [0, 1].

    Raises:
        TypeError, ValueError: if a picture is none, or of another size, or
            has the name of a change.
    """
    for name, picture in pictures.items():
        _require_name(name)
        _require_picture(picture, f"pictures[{name!r}]")
    return {name: picture.detach().cpu().float() for name, picture in pictures.items()}


def require_extractor(extractor: object) -> None:
    """Raise unless ``extractor`` is one of srlab's, or of a lesson."""
    if not hasattr(extractor, "places"):
        raise TypeError(
            f"extractor must be a FeatureExtractor, but got a {type(extractor).__name__}; "
            f'make one with FeatureExtractor(["relu2_2"]).'
        )


def by_depth(extractor: FeatureExtractor) -> list[str]:
    """An extractor's layers, from the picture on."""
    return sorted(extractor.places, key=lambda name: extractor.places[name])


def require_one_of(name: str, value: object, choices: Iterable[str]) -> None:
    """Raise unless ``value`` is None or one of ``choices``."""
    choices = list(choices)
    if value is not None and value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}, but got {value!r}.")


def require_channel(channel: object, layer: str, count: int) -> None:
    """Raise unless ``channel`` is None or one of a layer's ``count`` channels."""
    if channel is None:
        return
    if isinstance(channel, bool) or not isinstance(channel, int):
        raise TypeError(f"channel must be an integer, but got {channel!r}.")
    if not 0 <= channel < count:
        raise ValueError(
            f"channel must be 0 to {count - 1}, since {layer} has "
            f"{count} channels, but got {channel}."
        )


def _require_name(name: object) -> None:
    if not isinstance(name, str) or not name:
        raise TypeError(f"pictures must be name -> picture, but got the name {name!r}.")
    if name in CHANGES:
        raise ValueError(
            f"pictures has the name {name!r}, which is a way to change a picture; "
            f"give it another name."
        )


def _require_picture(picture: Tensor, name: str) -> None:
    require_one_picture(picture, name)
    require_unit_range(picture, name)
    height, width = picture.shape[-2:]
    if min(height, width) < LEAST_SIDE or height * width > MOST_PIXELS:
        raise ValueError(
            f"{name} is {height} x {width} px, but at least {LEAST_SIDE} px a side and at most "
            f"512 x 512 px in all were expected; crop it with [..., :{CROP}, :{CROP}]."
        )
