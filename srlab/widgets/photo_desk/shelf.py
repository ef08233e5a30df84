"""What a photo desk can choose from: photographs as they came, and networks."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from io import BytesIO
from os import PathLike
from pathlib import Path

from PIL import Image
from torch import nn

from srlab.checkpoints import load_checkpoint
from srlab.images import cautions, open_image
from srlab.images.parts import PictureParts, take_apart
from srlab.models import Bicubic
from srlab.require import require_scale
from srlab.runcard import parse_card
from srlab.widgets.photo_desk.bench import Setting
from srlab.zoo import find_checkpoint, load_model, model_names

RESERVED = ("bicubic", "input", "truth")

Source = bytes | Path | Image.Image
"""A photograph as it came: a file's bytes, a file, or a PIL image."""

Model = str | PathLike[str] | nn.Module


@dataclass(frozen=True)
class Photograph:
    """A photograph as it was read.

    Args:
        parts: what a network enlarges of it, and what is kept beside it.
        cautions: what a person should know of it, a sentence each.
    """

    parts: PictureParts
    cautions: tuple[str, ...]


class PhotoShelf:
    """Photographs by name, as they came; the present one is kept decoded.

    Args:
        name, source: the first one.
    """

    def __init__(self, name: str, source: Source):
        self.sources: dict[str, Source] = {name: source}
        self._decoded: tuple[str, Photograph] | None = None

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.sources)

    def add(self, name: str, source: Source) -> str:
        """Take one in, and return the name it got: its own, with a number if need be.

        Raises:
            OSError, ValueError: if it is no picture; the message names it.
        """
        picture = read_source(source, name)
        name = _unused(name, self.sources)
        self.sources[name] = source
        self._decoded = name, picture
        return name

    def remove(self, name: str) -> None:
        """Forget one."""
        del self.sources[name]

    def read(self, name: str) -> Photograph:
        """One by its name.

        Raises:
            OSError, ValueError: if its file has gone or changed.
        """
        if self._decoded is None or self._decoded[0] != name:
            self._decoded = name, read_source(self.sources[name], name)
        return self._decoded[1]


class Networks:
    """Networks by name: the caller's, the shipped ones and bicubic; two are kept loaded.

    Args:
        own: name -> network or checkpoint file.

    Raises:
        TypeError, ValueError: if one of them is none.
    """

    def __init__(self, own: Mapping[str, Model] | None):
        self.offered = offered_models(own)
        self.scales = {name: _scale_of(name, model) for name, model in self.offered.items()}
        self._opened = lru_cache(maxsize=2)(lambda name: open_model(self.offered[name])[0])

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.offered)

    def at(self, scale: int) -> list[str]:
        """Those that enlarge so many times."""
        return [name for name, its in self.scales.items() if its == scale]

    def load(self, name: str, scale: int) -> nn.Module:
        """One of them, ready for use."""
        return Bicubic(scale) if name == "bicubic" else self._opened(name)

    def settled(self, wanted: Setting, before: Setting) -> Setting:
        """The nearest setting whose two networks are of one scale, and not the same.

        A new model brings its scale, and a new scale the networks of the same
        families. Whoever chooses for one what the other has, gets them swapped.

        Raises:
            ValueError: if a network is to be compared with itself.
        """
        model, other = wanted.model, wanted.other
        if model == before.model:
            if other == model:
                raise ValueError(
                    f"{model} would be compared with itself; choose another other, or "
                    f'"bicubic".'
                )
            model = self._kin(model, wanted.scale, f"pixel-x{wanted.scale}")
        elif other == model:
            other = before.model
        scale = self.scales[model]
        other = self._kin(other, scale, "bicubic")
        other = "bicubic" if other == model else other
        return replace(wanted, scale=scale, model=model, other=other)

    def _kin(self, name: str, scale: int, without: str) -> str:
        """The network of the same family that enlarges ``scale`` times."""
        if self.scales.get(name, scale) == scale:
            return name
        kin = f"{name.rpartition('-x')[0]}-x{scale}"
        return kin if self.scales.get(kin) == scale else without


class _Named(BytesIO):
    """A file in memory that errors can call by its name."""

    def __init__(self, data: bytes, name: str):
        super().__init__(data)
        self.name = name


def read_source(source: Source, name: str) -> Photograph:
    """Open a photograph and take it apart.

    Raises:
        OSError, ValueError: if it is none; the message names it.
    """
    with warnings.catch_warnings():  # the desk says its cautions in the page
        warnings.simplefilter("ignore")
        image = _opened(source, name)
        said = tuple(cautions(image))
        return Photograph(take_apart(image), said)


def _opened(source: Source, name: str) -> Image.Image:
    if isinstance(source, Image.Image):
        return source
    if isinstance(source, Path):
        return open_image(source)
    if not source:
        raise ValueError(f"{name} is empty; copy it again from where it came.")
    image = open_image(_Named(source, name))
    image.filename = name  # type: ignore[attr-defined]  # some kinds forget their file
    return image


def offered_models(own: Mapping[str, Model] | None) -> dict[str, Model]:
    """Name -> model: the caller's first, then the shipped ones.

    Raises:
        TypeError, ValueError: if one of the caller's is none.
    """
    for name, model in (own or {}).items():
        _require_model(name, model)
    shipped: dict[str, Model] = {name: name for name in model_names() if name != "bicubic"}
    return {**(own or {}), **shipped, **(own or {})}


def open_model(model: Model) -> tuple[nn.Module, int]:
    """A network ready for use, and how many times it enlarges.

    Raises:
        OSError, ValueError: if there is no such model.
    """
    if isinstance(model, nn.Module):
        return model, int(model.scale)  # type: ignore[arg-type]
    path = find_checkpoint(model)
    scale = parse_card(load_checkpoint(path).card, path.name).scale
    return load_model(model, scale), scale


def _scale_of(name: str, model: Model) -> int:
    """How many times it enlarges; a shipped one's name says it."""
    if model == name and not isinstance(model, nn.Module):
        return int(name.rpartition("-x")[2])
    return open_model(model)[1]


def _require_model(name: str, model: object) -> None:
    if name in RESERVED:
        raise ValueError(f"No model may be named {name!r}, as another picture is; rename it.")
    if isinstance(model, nn.Module):
        scale = getattr(model, "scale", None)
        if not isinstance(scale, int):
            raise ValueError(
                f"{name} has no attribute scale, but 2, 4 or 8 was expected; "
                f"set {name}.scale to how many times it enlarges."
            )
        require_scale(scale)
    elif isinstance(model, str | PathLike):
        open_model(model)
    else:
        raise TypeError(
            f"{name} is a {type(model).__name__}, but a network or the path of a "
            f"checkpoint (.safetensors) was expected."
        )


def _unused(name: str, names: Mapping[str, Source]) -> str:
    path, number, unused = Path(name), 2, name
    while unused in names:
        unused = f"{path.stem} ({number}){path.suffix}"
        number += 1
    return unused
