"""Weights of the expanded loss with a name: other people's, this course's, and one's own."""

import json
import math
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from srlab.files import free_path, own_folder, replacing
from srlab.losses import EXPANDED_TERMS
from srlab.require import require_known

LAYERS = ("relu1_2", "relu2_2", "relu3_3", "relu4_3")
"""Of the stand-in: the last of each block, where the papers look."""

FILE = "presets.json"


@dataclass(frozen=True)
class Preset:
    """All weights of an expanded loss at once; a missing one is 0."""

    name: str
    source: str  # whose weights they are, and what differs here
    weights: dict[str, float]  # by term
    layers: dict[str, float]  # by VGG's layer


PRESETS = {
    preset.name: preset
    for preset in (
        Preset(
            "pixel only",
            "Lesson 01: the mean absolute difference alone.",
            {"pixel": 1.0},
            {"relu2_2": 1.0},
        ),
        Preset(
            "Johnson 2016",
            "Johnson et al. 2016 for super-resolution: content at relu2_2 alone. They square "
            "the differences, and their VGG-16 is not trained further; here they are "
            "absolute, through the stand-in.",
            {"content": 1.0},
            {"relu2_2": 1.0},
        ),
        Preset(
            "fast.ai lesson 7",
            "fast.ai 2019, lesson 7: pixel 1; content at relu3_3, relu4_3 and relu5_3 with 5, "
            "15 and 2; style at the same layers with 5000 times the squares of these. Through "
            "vgg16_bn; here relu5_3 is left out, since the stand-in ends at relu4_3, style has "
            "the layers' weights unsquared, and content and style are scaled so that pixel is "
            "about 8 % of the sum at the start, as in their table, the rest in halves.",
            {"pixel": 1.0, "content": 0.011, "style": 1.9},
            {"relu3_3": 5.0, "relu4_3": 15.0},
        ),
        Preset(
            "this course",
            "This course, by trial with small-x4 to start from: style at relu2_2 brings the "
            "new detail and has two fifths of the gradient, pixel holds it in place with half "
            "of it, and a little tv keeps the shuffle's grid below the truth's. No content: "
            "what it draws looks woven. After 200 short steps, Set5 is a third sharper, for "
            "0.7 dB.",
            {"pixel": 1.0, "style": 0.2, "tv": 0.1},
            {"relu2_2": 1.0},
        ),
    )
}


def read_presets() -> dict[str, Preset]:
    """The built-in presets, then one's own.

    Returns:
        name -> preset. What is no preset in the file of one's own is left out
        with a warning, and stays in the file.
    """
    own = {}
    for name, values in _entries().items():
        try:
            own[name] = _parsed(name, values)
        except ValueError as error:
            warnings.warn(f"{_path()}: {error} It is left out.", stacklevel=2)
    return PRESETS | own


def save_preset(preset: Preset) -> Path:
    """Keep a preset of one's own; one of the same name is replaced.

    Returns:
        The file: ``presets.json`` in ``srlab.files.own_folder()``.

    Raises:
        ValueError: if the name is empty, too long or a built-in's, or a weight
            is unknown or no number of at least 0.
        OSError: if the file cannot be written.
    """
    name = preset.name.strip()
    if not 1 <= len(name) <= 60:
        raise ValueError(f"A preset's name has 1 to 60 characters, but got {preset.name!r}.")
    if name in PRESETS:
        raise ValueError(f"{name!r} is a built-in preset; choose another name.")
    values = asdict(_parsed(name, asdict(preset)))
    del values["name"]  # it is the key
    path = _path()
    path.parent.mkdir(parents=True, exist_ok=True)
    entries = _entries(put_aside=True) | {name: values}
    with replacing(path) as part:
        part.write_text(json.dumps(entries, indent=2) + "\n", encoding="utf-8")
    return path


def _path() -> Path:
    return own_folder() / FILE


def _entries(*, put_aside: bool = False) -> dict[str, Any]:
    """What the file holds, unchecked; nothing if it is damaged.

    Args:
        put_aside: rename a damaged file, so that a new one can take its place.
    """
    path = _path()
    if not path.exists():
        return {}
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(entries, dict):
            return entries
        why = f"a {type(entries).__name__} instead of an object"
    except (ValueError, RecursionError) as error:
        why = str(error)
    advice = "mend or remove it"
    if put_aside:
        kept = path.replace(free_path(path.with_name("presets-damaged.json")))
        advice = f"it is kept as {kept.name}"
    warnings.warn(f"{path} is damaged ({why}); {advice}.", stacklevel=3)
    return {}


def _parsed(name: str, values: Any) -> Preset:
    """A preset from values that anybody may have written.

    Raises:
        ValueError: if something is missing or wrong.
    """
    if name in PRESETS:
        raise ValueError(f"{name!r} is a built-in preset's name.")
    if not isinstance(values, Mapping):
        raise ValueError(f"{name!r} must have weights and layers, but got {values!r:.60}.")
    source = values.get("source", "")
    weights = _weights(name, values.get("weights"), EXPANDED_TERMS, "term")
    layers = _weights(name, values.get("layers"), LAYERS, "layer")
    return Preset(name, source if isinstance(source, str) else "", weights, layers)


def _weights(name: str, values: Any, known: tuple[str, ...], kind: str) -> dict[str, float]:
    """name -> weight, if that is what came."""
    if not isinstance(values, Mapping):
        raise ValueError(f"{name!r} has no weights by {kind}, but {values!r:.60}.")
    require_known(values, known, kind)
    for key, weight in values.items():
        number = isinstance(weight, int | float) and not isinstance(weight, bool)
        if not number or not (math.isfinite(weight) and weight >= 0):
            raise ValueError(
                f"{name!r} weighs {key} by {weight!r}, but a number of at least 0 was expected."
            )
    return {key: float(weight) for key, weight in values.items()}
