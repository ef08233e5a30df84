"""The networks that srlab knows by name, and how each is built."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

from torch import nn

from srlab.checkpoints import load_checkpoint, load_weights
from srlab.files import SHIPPED, at_home
from srlab.machine import pick_device, place
from srlab.models import Bicubic, SrResNet, Upsampler, UpsampleStage
from srlab.require import require_scale
from srlab.runcard import ModelSpec, UNetSpec, parse_card
from srlab.unet import UNet, VggEncoder
from srlab.upsamplers import IcnrStage, ResizeStage, TransposedStage

STAGES: dict[str, Callable[[int, int], nn.Module]] = {
    "shuffle": UpsampleStage,
    "icnr": IcnrStage,
    "resize": ResizeStage,
    "transposed": TransposedStage,
}
"""A run card's word for how a network doubles -> the doubling stage."""


def load_model(name: str | os.PathLike[str] | None, scale: int) -> nn.Module:
    """Load a model by name or from a checkpoint, ready for use.

    Args:
        name: ``"bicubic"``, a shipped model's name, a checkpoint file, or
            None for the shipped ``pixel-x<scale>``.
        scale: 2, 4 or 8.

    Raises:
        ValueError: if there is no such model or it has another scale; the
            message lists what there is.
    """
    require_scale(scale)
    if name is None:
        name = f"pixel-x{scale}"
    if name == "bicubic":
        return Bicubic(scale)
    return _load_trained(find_checkpoint(name), scale)


def find_checkpoint(name: str | os.PathLike[str]) -> Path:
    """The file of a shipped model, or the checkpoint file itself.

    Raises:
        ValueError: if the name is neither; the message lists what there is.
    """
    shipped = SHIPPED / f"{name}.safetensors"
    if shipped.exists():
        return shipped
    path = at_home(name)
    if path.suffix != ".safetensors":
        raise ValueError(
            f"There is no model {os.fspath(name)!r}; there are "
            f"{', '.join(model_names())}, and any checkpoint file (.safetensors)."
        )
    return path


def model_names() -> list[str]:
    """The names that ``load_model`` knows."""
    return ["bicubic", *sorted(path.stem for path in SHIPPED.glob("*.safetensors"))]


def build_model(spec: ModelSpec | UNetSpec, scale: int) -> nn.Module:
    """The untrained network that a run card names."""
    stage = STAGES[spec.doubling]
    if isinstance(spec, UNetSpec):
        encoder = VggEncoder(spec.depth) if spec.encoder == "vgg" else None
        return UNet(scale, spec.num_features, spec.depth, encoder=encoder, stage=stage)
    upsampler = partial(Upsampler, stage=stage)
    return SrResNet(scale, spec.num_features, spec.num_blocks, upsampler=upsampler)


def _load_trained(path: Path, scale: int) -> nn.Module:
    checkpoint = load_checkpoint(path)
    card = parse_card(checkpoint.card, path.name)
    if card.scale != scale:
        raise ValueError(
            f"{path.stem} enlarges {card.scale} times, but {scale} times was asked for; "
            f"there are {', '.join(model_names())}."
        )
    model = build_model(card.model, scale)
    load_weights(model, checkpoint.model, path.name)
    return place(model.float(), pick_device()).eval()
