"""Argument checks, one function a kind of mistake.

Public functions begin with these. Each raises with one sentence: what was
expected, what it got, and the likely fix.
"""

import math
from collections.abc import Collection, Iterable, Sized

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized

SCALES = (2, 4, 8)


def require_scale(scale: int) -> None:
    """Raise unless ``scale`` is 2, 4 or 8."""
    if isinstance(scale, bool) or not isinstance(scale, int):
        raise TypeError(
            f"scale must be the integer 2, 4 or 8, but got a {type(scale).__name__}: {scale!r}."
        )
    if scale not in SCALES:
        raise ValueError(
            f"scale must be 2, 4 or 8, but got {scale}; "
            f"other factors are not built in this course."
        )


def require_batch(images: Tensor, name: str) -> None:
    """Raise unless ``images`` is a float tensor ``(N, C, h, w)``."""
    if not isinstance(images, Tensor):
        raise TypeError(
            f"{name} must be a tensor (N, C, h, w), but got a "
            f"{type(images).__name__}; srlab.images.read_image makes one."
        )
    if images.ndim != 4:
        raise ValueError(
            f"{name} has shape {tuple(images.shape)}, but (N, C, h, w) was "
            f"expected; add the missing axis with {name}[None]."
        )
    if not images.is_floating_point():
        raise TypeError(
            f"{name} is {images.dtype}, but floating point in [0, 1] was "
            f"expected; use {name}.float() / 255."
        )


def require_one_picture(picture: Tensor, name: str) -> None:
    """Raise unless ``picture`` is a float tensor ``(1, 3, h, w)``."""
    require_batch(picture, name)
    if picture.shape[:2] != (1, 3):
        raise ValueError(
            f"{name} has shape {tuple(picture.shape)}, but (1, 3, h, w) was expected; "
            f"pick one picture of a batch with [:1]."
        )


def require_unit_range(images: Tensor, name: str) -> None:
    """Raise unless all values are finite and about [0, 1].

    Networks overshoot a little, so [-1, 2] passes.
    """
    if images.numel() == 0:
        raise ValueError(f"{name} has shape {tuple(images.shape)}: it is empty.")
    low, high = (value.item() for value in torch.aminmax(images.detach()))
    if not (-1 <= low and high <= 2):  # also true for NaN
        raise ValueError(
            f"{name} runs from {low:.3g} to {high:.3g}, but about [0, 1] was "
            f"expected; divide 8-bit values by 255."
        )


def require_same_shape(sr: Tensor, hr: Tensor) -> None:
    """Raise unless the two batches have one shape.

    Torch would broadcast them and return a plausible wrong number.
    """
    if sr.shape != hr.shape:
        raise ValueError(
            f"sr is {tuple(sr.shape)} and hr is {tuple(hr.shape)}, but they "
            f"must have one shape; is the scale right?"
        )


def require_enlarged(sr: Tensor, lr: Tensor) -> None:
    """Raise unless ``sr`` is ``lr`` enlarged by a known scale."""
    require_batch(sr, "sr")
    require_batch(lr, "lr")
    sizes = [(lr.shape[-2] * scale, lr.shape[-1] * scale) for scale in SCALES]
    if sr.shape[:2] != lr.shape[:2] or tuple(sr.shape[-2:]) not in sizes:
        raise ValueError(
            f"sr is {tuple(sr.shape)} and lr is {tuple(lr.shape)}, but sr must be lr "
            f"enlarged 2, 4 or 8 times; do they belong together?"
        )


def require_divisible(hr: Tensor, scale: int) -> None:
    """Raise unless both sides of ``hr`` are multiples of ``scale``."""
    require_batch(hr, "hr")
    require_scale(scale)
    height, width = hr.shape[-2:]
    if height % scale or width % scale or not (height and width):
        raise ValueError(
            f"hr is {height} x {width} px, but both sides must be divisible "
            f"by scale (={scale}); crop it first."
        )


def require_sizes(sizes: Sized) -> None:
    """Raise unless ``sizes`` is ``(lr_size, hr_size)`` at a known scale."""
    if not (isinstance(sizes, tuple) and len(sizes) == 2):
        raise TypeError(
            f"sizes must be (lr_size, hr_size), such as (24, 96), but got {sizes!r}."
        )
    lr_size, hr_size = sizes
    if not (type(lr_size) is int and type(hr_size) is int):
        raise TypeError(
            f"sizes must be two integers in px, such as (24, 96), but got {sizes!r}."
        )
    if lr_size < 1 or hr_size not in [lr_size * scale for scale in SCALES]:
        raise ValueError(
            f"sizes are {sizes}, but hr_size must be 2, 4 or 8 times lr_size, such as (24, 96)."
        )


def require_count(value: int, name: str) -> None:
    """Raise unless ``value`` is an integer of at least 1."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be an integer, such as 8, but got {value!r}.")
    if value < 1:
        raise ValueError(f"{name} must be 1 or more, but got {value}.")


def require_photos(photos: Sized, source: object, size: int) -> None:
    """Raise unless some photograph of the source was large enough."""
    if not photos:
        raise ValueError(
            f"No photograph of {source!r} has {size} px on both sides; ask for smaller crops."
        )


def require_known(names: Iterable[str], known: Iterable[str], kind: str = "term") -> None:
    """Raise unless every name is one of those known."""
    known = list(known)
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ValueError(
            f"There is no {kind} {', '.join(unknown)}; there are {', '.join(known)}."
        )


def require_one_of(value: object, choices: Iterable[object], name: str) -> None:
    """Raise unless ``value`` is one of the choices; an empty one is not listed."""
    choices = list(choices)
    if value not in choices:
        listed = ", ".join(f"{choice}" for choice in choices if choice != "") or "none yet"
        raise ValueError(f"{name} must be one of {listed}, but got {value!r}.")


def require_layers(layers: Collection[str]) -> None:
    """Raise unless ``layers`` are the names of one layer or more, not one text."""
    if isinstance(layers, str):
        raise TypeError(
            f"layers must be a list of names, but got the text {layers!r}; "
            f"put it in brackets: [{layers!r}]."
        )
    if not layers:
        raise ValueError('layers is empty; name at least one layer, such as ["relu2_2"].')


def require_share(value: float, name: str) -> None:
    """Raise unless ``value`` is between 0 and 1."""
    if not 0 <= value <= 1:
        raise ValueError(f"{name} must be between 0 and 1, but got {value}.")


def require_weight(value: float) -> None:
    """Raise unless ``value`` can be a weight in a loss."""
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(f"A weight is a number of at least 0, but got {value}.")


def require_terms(terms: Iterable[Tensor]) -> None:
    """Raise unless some term of a loss depends on what is trained."""
    if not any(term.requires_grad for term in terms):
        raise ValueError(
            "No term of the loss depends on the network, so there is nothing to learn; "
            "is every weight 0, or was the loss computed under no_grad?"
        )


def require_blocks(model: object) -> None:
    """Raise unless a model has blocks to look at."""
    if not len(getattr(model, "body", ())):
        raise ValueError(
            f"The model must have blocks in .body, as SrResNet has, but got a "
            f"{type(model).__name__}, which has none."
        )


def require_shuffled(conv: nn.Module, factor: int) -> None:
    """Raise unless ``conv`` can feed ``PixelShuffle(factor)`` in whole squares."""
    if not isinstance(conv, nn.Conv2d):
        raise TypeError(
            f"conv must be the nn.Conv2d in front of the shuffle, but got a "
            f"{type(conv).__name__}; give the module, not its weight."
        )
    if isinstance(factor, bool) or not isinstance(factor, int) or factor < 1:
        raise ValueError(
            f"factor must be a whole number, the shuffle's own, but got {factor!r}."
        )
    own = conv.out_channels // conv.groups
    if own % factor**2:
        groups = f" in each of {conv.groups} groups" if conv.groups > 1 else ""
        raise ValueError(
            f"conv gives {own} channels{groups}, but PixelShuffle({factor}) takes them "
            f"by {factor**2}; give the shuffle's own factor."
        )
    if not (is_parametrized(conv) or hasattr(conv, "weight_g") or "weight" in conv._parameters):
        raise ValueError(
            "conv's weight is derived from others before each use, and what is written "
            "to it is lost; call icnr_ before you wrap the convolution."
        )


def require_squares(images: Tensor, scale: int, fewest: int) -> None:
    """Raise unless ``fewest`` squares of ``scale`` px fit along both sides."""
    height, width = images.shape[-2:]
    if min(height, width) < fewest * scale:
        raise ValueError(
            f"The picture is {height} x {width} px, but a grid of {scale} px shows "
            f"from {fewest * scale} px on; take a larger one or shave less."
        )


def require_side(images: Tensor, least: int, who: str) -> None:
    """Raise unless both sides have ``least`` px, which ``who`` needs."""
    height, width = images.shape[-2:]
    if min(height, width) < least:
        raise ValueError(
            f"The picture is {height} x {width} px, but {who} can be measured from "
            f"{least} px on; take a larger one."
        )
