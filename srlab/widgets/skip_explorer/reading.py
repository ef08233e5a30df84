"""What a UNet makes of a picture while its skips are turned up or down."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from srlab.features import Hooks
from srlab.models import evaluating
from srlab.scoring import Scene
from srlab.unet import UNet

MOST_GAIN = 2.0
STEP = 0.05
AS_TRAINED = 1.0
LEAST_SIDE = 24  # px
MOST_AMPLIFIED = 256
PARTS = ("encoder", "ups", "merges", "upsampler")

Shape = tuple[int, ...]
Quality = dict[str, float]
"""``psnr`` (published protocol, dB) and ``sharpness`` (share of the truth's fine detail)
of an enlargement; or how much of both one has more than another."""


@dataclass(frozen=True)
class Flow:
    """The maps of one forward pass.

    Args:
        shapes: of each map, in the order in which they are made: ``lr``,
            ``skip 1`` (the finest) and so on down to ``bottom``, then ``up 2``,
            ``merge 2``, ``up 1``, ``merge 1``, ``detail``, ``sr``.
        sizes: mean of the absolute values of the same maps; of a skip after
            its gain, so what flows through it.
    """

    shapes: dict[str, Shape]
    sizes: dict[str, float]


@dataclass(frozen=True)
class SkipReading:
    """What is shown, in numbers.

    Args:
        network: its name.
        photograph: its name.
        gains: of each skip, finest first.
        qualities: of ``bicubic``, ``as trained`` and ``now``.
        difference: between as trained and now, mean of the absolute values,
            in steps of 1/255.
        factor: by which the picture of the difference is amplified.
        flow: the maps, with these gains.
    """

    network: str
    photograph: str
    gains: tuple[float, ...]
    qualities: dict[str, Quality]
    difference: float
    factor: int
    flow: Flow

    @property
    def change(self) -> Quality:
        """Now minus as trained."""
        return minus(self.qualities["now"], self.qualities["as trained"])

    def settings(self) -> str:
        """The gains in words."""
        names = [f"skip {level} × {gain:g}" for level, gain in enumerate(self.gains, 1)]
        return "as trained" if set(self.gains) == {AS_TRAINED} else ", ".join(names)

    def __str__(self) -> str:
        now, change = self.qualities["now"], self.change
        against = f"{change['psnr']:+z.2f} dB, {change['sharpness']:+z.3f}".replace("-", "−")
        return (
            f"{self.network}, {self.photograph}, {self.settings()}: {now['psnr']:.2f} dB, "
            f"sharpness {now['sharpness']:.3f}; against as trained {against}; "
            f"bicubic {self.qualities['bicubic']['psnr']:.2f} dB"
        )


def quality_of(scene: Scene, sr: Tensor) -> Quality:
    """How good an enlargement of a scene is."""
    figures = scene.judge(sr)
    return {"psnr": figures["psnr_y"], "sharpness": figures["sharpness"]}


def minus(one: Quality, other: Quality) -> Quality:
    """How much one has more than the other."""
    return {name: one[name] - other[name] for name in one}


def skip_names(model: UNet) -> list[str]:
    """``skip 1`` for the finest, and so on."""
    return [f"skip {level}" for level in range(1, len(model.ups) + 1)]


@torch.no_grad()
def look(model: UNet, lr: Tensor, gains: Sequence[float]) -> tuple[Tensor, Flow]:
    """Enlarge with these gains, and note every map on the way.

    The model stays as it was: its mode too, and no hook stays on it.

    Args:
        model: any UNet, whatever its depth and encoder.
        lr: ``(1, 3, h, w)``.
        gains: one for each skip, finest first.

    Returns:
        The enlargement ``(1, 3, s*h, s*w)``, in [0, 1] on the CPU, also of a
        wrecked network; and the maps.
    """
    device = next(model.parameters()).device
    with evaluating(model), Hooks(_layers(model)) as hooks:
        sr = model(lr.to(device), gains=gains)
    maps = _maps(lr, {name: hook.output for name, hook in hooks.items()}, gains, sr)
    shapes = {name: tuple(values.shape) for name, values in maps.items()}
    sizes = {name: values.float().abs().mean().item() for name, values in maps.items()}
    return sr.float().cpu().nan_to_num().clamp(0, 1), Flow(shapes, sizes)


@dataclass(frozen=True)
class Trained:
    """What stays the same while the skips are moved.

    Args:
        scene: what is enlarged.
        picture: as trained, ``(1, 3, h, w)``.
        qualities: of ``bicubic`` and ``as trained``.
        alone: what muting each skip alone changes; and ``all skips``, if
            there are several.
    """

    scene: Scene
    picture: Tensor
    qualities: dict[str, Quality]
    alone: dict[str, Quality]

    def awake(self) -> bool:
        """Whether the network adds anything to bicubic."""
        return (self.picture - self.scene.bicubic.clamp(0, 1)).abs().max().item() > 1e-5


def look_as_trained(model: UNet, scene: Scene) -> Trained:
    """Enlarge with every gain 1, and with each skip muted alone."""
    names = skip_names(model)
    whole = look(model, scene.lr, [AS_TRAINED] * len(names))[0]
    qualities = {
        "bicubic": quality_of(scene, scene.bicubic),
        "as trained": quality_of(scene, whole),
    }
    mutes = {name: [float(name != other) for other in names] for name in names}
    if len(names) > 1:
        mutes["all skips"] = [0.0] * len(names)
    muted = {name: look(model, scene.lr, gains)[0] for name, gains in mutes.items()}
    alone = {
        name: minus(quality_of(scene, sr), qualities["as trained"])
        for name, sr in muted.items()
    }
    return Trained(scene, whole, qualities, alone)


def fingerprint(model: UNet) -> tuple[float, ...]:
    """Tells whether a model was trained on since it was looked at last."""
    sums = [parameter.detach().double().sum() for parameter in model.parameters()]
    return tuple(torch.stack(sums).tolist())


def amplification(difference: Tensor) -> int:
    """By how much to enlarge a difference so that it is seen: 1, 2, 4, ... 256.

    All but the strongest thousandth of the values then stay within a half.

    Example:
        >>> amplification(torch.tensor([0.0, 0.1]))
        4
    """
    strong = difference.abs().flatten().quantile(0.999).item()
    factor = 1
    while strong and factor < MOST_AMPLIFIED and 2 * factor * strong <= 0.5:
        factor *= 2
    return factor


def require_unet(model: object) -> None:
    """Raise unless ``model`` has the parts of a UNet; a lesson's own has them too."""
    missing = [part for part in PARTS if not hasattr(model, part)]
    if missing:
        raise TypeError(
            f"model must be a UNet, but got a {type(model).__name__}, which has no "
            f".{missing[0]}; make one with UNet(4)."
        )


def require_gain(value: object, name: str) -> None:
    """Raise unless ``value`` is a number that a slider has."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} must be a number, but got {value!r}; 0 mutes it.")
    if not 0 <= value <= MOST_GAIN:
        raise ValueError(
            f"{name} must be between 0 (muted) and {MOST_GAIN:g}, but got {value}; "
            f"1 is as trained."
        )


def _layers(model: UNet) -> dict[str, Any]:
    """The modules whose outputs are the maps; the encoder's is a list of them."""
    layers: dict[str, Any] = {"encoder": model.encoder}
    for level in reversed(range(len(model.ups))):
        layers[f"up {level + 1}"] = model.ups[level]
        layers[f"merge {level + 1}"] = model.merges[level]
    return layers | {"detail": model.upsampler}


def _maps(
    lr: Tensor, outputs: Mapping[str, Any], gains: Sequence[float], sr: Tensor
) -> dict[str, Tensor]:
    """Every map by its name; a skip's as the merge gets it."""
    *skips, bottom = outputs["encoder"]
    through = [gain * skip for gain, skip in zip(gains, skips, strict=True)]
    named = {f"skip {level}": skip for level, skip in enumerate(through, 1)}
    rest = {name: values for name, values in outputs.items() if name != "encoder"}
    return {"lr": lr, **named, "bottom": bottom, **rest, "sr": sr}
