"""Checks of lesson 05: isotropic TV, the Gram matrix of a part, balanced weights."""

from collections.abc import Callable, Mapping
from functools import partial
from numbers import Real
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from srlab.checks.answers import (
    in_order,
    named_type,
    result_as,
    uniform_values,
    value_and_slope,
)
from srlab.checks.core import Answer, Finding, Mistakes, Verdict, judge, judge_gradient
from srlab.checks.steps import in_steps
from srlab.losses import gram_matrix, l1_loss, tv_loss

Terms = Mapping[str, Callable[[Tensor], Tensor]]


@in_steps()
def check_isotropic_tv(answer: Answer | None) -> Verdict:
    """Check ``answer(images, eps)``: TV by the length of each step, and its slope."""
    slanted = torch.arange(5.0)[:, None] + 2 * torch.arange(6.0)
    verdict = judge(
        answer,
        right=_isotropic_tv,
        cases={
            f"{name}: loss, mean |slope|": arguments
            for name, arguments in {
                "2 pictures of 5 x 7 px, eps 0.1": (uniform_values(0, 2, 3, 5, 7), 0.1),
                "1 picture of 6 x 6 px, eps 0.01": (uniform_values(1, 1, 3, 6, 6), 0.01),
                "a slanted ramp, one channel, eps 0.5": (slanted.view(1, 1, 5, 6), 0.5),
                "a flat picture, eps 0.001": (torch.full((1, 3, 4, 5), 0.7), 0.001),
            }.items()
        },
        mistakes=TV_MISTAKES,
        seen_through=partial(value_and_slope, signed=False),
        tolerance=1e-5,
    )
    cases = {"2 pictures of 5 x 7 px, eps 0.1": (uniform_values(0, 2, 3, 5, 7), 0.1)}
    return judge_gradient(answer, after=verdict, right=_isotropic_tv, cases=cases)


@in_steps()
def check_gram_of_part(answer: Answer | None) -> Verdict:
    """Check ``answer(features, mask)``: the Gram matrix of the pixels in the mask."""
    everywhere = torch.ones(2, 1, 4, 3)
    part = _signal(2, 2, 3, 4, 5), torch.stack([_mask(5, 4, 5), _mask(12, 4, 5)])
    smaller = _signal(3, 1, 4, 6, 3), _mask(7, 6, 3)[None]
    smallest = _signal(4, 1, 9, 3, 3), _mask(1, 3, 3)[None]
    verdict = judge(
        answer,
        right=_gram_of_part,
        cases={
            # Two pictures first: there a forgotten batch shows, and each has its own count.
            "2 pictures, 3 channels of 4 x 5 px, masks of 5 and 12 px": part,
            "1 picture, 4 channels of 6 x 3 px, a mask of 7 px": smaller,
            "1 picture, 9 channels of 3 x 3 px, a mask of 1 px": smallest,
            "a mask of all pixels": (_signal(5, 2, 5, 4, 3), everywhere),
        },
        mistakes=GRAM_MISTAKES,
        tolerance=1e-5,
    )
    cases = {"2 pictures": part}
    return judge_gradient(answer, after=verdict, right=_gram_of_part, cases=cases)


@in_steps()
def check_balance(answer: Answer | None) -> Verdict:
    """Check ``answer(terms, sr, shares)``: weights that give the shares asked for."""
    terms = _terms(uniform_values(6, 2, 3, 6, 5))
    sr, other = uniform_values(7, 2, 3, 6, 5), uniform_values(8, 2, 3, 6, 5)
    return judge(
        answer,
        right=_balance,
        cases={
            f"shares {shares}": ({name: terms[name] for name in shares}, picture, shares)
            for picture, shares in (
                (sr, {"pixel": 30, "bright": 70}),
                (other, {"pixel": 50, "bright": 45, "tv": 5}),
                (sr, {"bright": 0, "tv": 1, "pixel": 3}),
            )
        },
        mistakes=BALANCE_MISTAKES,
        seen_through=result_as(_in_the_order_of_the_terms),
        tolerance=1e-5,
    )


# Exercise 1: the length of a step


def _steps(images: Tensor) -> tuple[Tensor, Tensor]:
    """To the right and downwards, from each pixel that has both neighbors."""
    here = images[..., :-1, :-1]
    return images[..., :-1, 1:] - here, images[..., 1:, :-1] - here


def _length(right: Tensor, down: Tensor, eps: float) -> Tensor:
    return (right.square() + down.square() + eps**2).sqrt().mean()


def _isotropic_tv(images: Tensor, eps: float) -> Tensor:
    return _length(*_steps(images), eps)


def _wrapping_tv(images: Tensor, eps: float) -> Tensor:
    right, down = (images.roll(-1, axis) - images for axis in (-1, -2))
    return _length(right, down, eps)


def _padded_tv(images: Tensor, eps: float) -> Tensor:
    right, down = F.pad(images.diff(dim=-1), (0, 1)), F.pad(images.diff(dim=-2), (0, 0, 0, 1))
    return _length(right, down, eps)


def _unpaired_tv(images: Tensor, eps: float) -> Tensor:
    """Each step to the right beside the step down from its end."""
    return _length(images.diff(dim=-1)[..., :-1, :], images.diff(dim=-2)[..., 1:], eps)


def _from_steps(combine: Callable[[Tensor, Tensor, float], Any]) -> Answer:
    return lambda images, eps: combine(*_steps(images), eps)


# Exercise 2: a Gram matrix of some pixels


def _gram_of_part(features: Tensor, mask: Tensor) -> Tensor:
    return _products(features, mask) / (features.shape[1] * _pixels(mask))


def _pixels(mask: Tensor) -> Tensor:
    """How many each mask holds, as ``(N, 1, 1)``."""
    return mask.flatten(1).sum(dim=1).view(-1, 1, 1)


def _products(features: Tensor, mask: Tensor) -> Tensor:
    """Summed over the mask, not divided yet."""
    flat = (features * mask).flatten(2)
    return flat @ flat.mT


def _means(features: Tensor, mask: Tensor) -> Tensor:
    """Of each channel over the mask, as ``(N, F)``."""
    return (features * mask).flatten(2).sum(2) / _pixels(mask)[:, 0]


def _gram_of_means(features: Tensor, mask: Tensor) -> Tensor:
    means = _means(features, mask)
    return means[:, :, None] * means[:, None] / features.shape[1]


def _gram_of_the_batch(features: Tensor, mask: Tensor) -> Tensor:
    flat = (features * mask).transpose(0, 1).flatten(1)
    return flat @ flat.mT / (features.shape[1] * mask.sum())


def _gram_of_pixels(features: Tensor, mask: Tensor) -> Tensor:
    flat = (features * mask).flatten(2)
    return flat.mT @ flat / (features.shape[1] * _pixels(mask))


# Exercise 3: weights for shares


def _terms(hr: Tensor) -> Terms:
    """Terms whose gradients are of very different sizes, and not like their values."""
    return {
        "pixel": lambda sr: l1_loss(sr, hr),
        "bright": lambda sr: 20 * (sr.square().mean() - 0.2).square() + 3,
        "tv": tv_loss,
    }


def _gradients(terms: Terms, sr: Tensor) -> dict[str, Tensor]:
    sr = sr.detach().requires_grad_()
    return {name: torch.autograd.grad(term(sr), sr)[0] for name, term in terms.items()}


def _norms(terms: Terms, sr: Tensor) -> dict[str, Any]:
    return {name: slope.norm() for name, slope in _gradients(terms, sr).items()}


def _anchored(weights: Mapping[str, Any]) -> dict[str, Any]:
    """Multiplied so that the first weight above 0 is 1."""
    first = next(weight for weight in weights.values() if weight)
    return {name: weight / first for name, weight in weights.items()}


def _balance(terms: Terms, sr: Tensor, shares: Mapping[str, float]) -> dict[str, Any]:
    return _anchored({name: shares[name] / norm for name, norm in _norms(terms, sr).items()})


def _by(size: Callable[[Tensor], Tensor]) -> Answer:
    """Balance by another size of the gradient than its norm."""

    def balance(terms: Terms, sr: Tensor, shares: Mapping[str, float]) -> dict[str, Any]:
        slopes = _gradients(terms, sr)
        return _anchored({name: shares[name] / size(slope) for name, slope in slopes.items()})

    return balance


def _accumulating(terms: Terms, sr: Tensor, shares: Mapping[str, float]) -> dict[str, Any]:
    """By ``backward()``, which adds each gradient to the ones before."""
    slopes, total = _gradients(terms, sr), torch.zeros_like(sr)
    norms = {}
    for name, slope in slopes.items():
        total = total + slope
        norms[name] = total.norm()
    return _anchored({name: shares[name] / norm for name, norm in norms.items()})


def _summing_to_one(terms: Terms, sr: Tensor, shares: Mapping[str, float]) -> dict[str, Any]:
    weights = _balance(terms, sr, shares)
    return {name: weight / sum(weights.values()) for name, weight in weights.items()}


def _in_the_order_of_the_terms(got: Any, terms: Terms, *_: Any) -> Tensor:
    left_out = "Terms that are off have no weight here at all."
    weights = in_order(got, terms, what="weights", hint=left_out)
    return torch.tensor([_weight(weight) for weight in weights])


def _weight(value: Any) -> float:
    if isinstance(value, Tensor) and value.numel() == 1:
        return value.item()
    if isinstance(value, Real) and not isinstance(value, bool):
        return float(value)
    hint = "The names are right, but one of the weights is no number."
    raise Finding(f"{named_type(value)}, not a number, as a weight", hint)


def _signal(seed: int, *shape: int) -> Tensor:
    """Values of both signs."""
    return uniform_values(seed, *shape) - 0.3


def _mask(pixels: int, height: int, width: int) -> Tensor:
    """``(1, h, w)`` with so many ones, scattered."""
    order = torch.randperm(height * width, generator=torch.Generator().manual_seed(pixels))
    return (order < pixels).float().view(1, height, width)


TV_MISTAKES: Mistakes = {
    "This is tv_loss, which takes both axes apart.": lambda images, _: tv_loss(images),
    "The axes are still apart.": (
        _from_steps(lambda right, down, _: right.abs().mean() + down.abs().mean())
    ),
    "This is a sum: a larger picture would count as a rougher one.": (
        _from_steps(lambda right, down, eps: (right**2 + down**2 + eps**2).sqrt().sum())
    ),
    "These are squared lengths: one edge costs more than a hundred small ones.": (
        _from_steps(lambda right, down, eps: (right**2 + down**2 + eps**2).mean())
    ),
    "This is the root of the mean, not the mean of the roots.": (
        _from_steps(lambda right, down, eps: (right**2 + down**2 + eps**2).mean().sqrt())
    ),
    "roll goes around: the last column steps to the first.": _wrapping_tv,
    "Pixels with only one neighbor are counted here, too.": _padded_tv,
    "The two steps under one root start at different pixels.": _unpaired_tv,
    "eps has the unit of a step; under the root stands the square of a step.": (
        _from_steps(lambda right, down, eps: (right**2 + down**2 + eps).sqrt().mean())
    ),
    "The value is right, but an inner root of 0 has no slope.": (
        _from_steps(
            lambda right, down, eps: (torch.hypot(right, down) ** 2 + eps**2).sqrt().mean()
        )
    ),
    "eps stands outside the root, where it keeps no slope from becoming nan.": (
        _from_steps(lambda right, down, eps: ((right**2 + down**2).sqrt() + eps).mean())
    ),
    "eps has no effect here; on a flat picture the slope is nan.": (
        _from_steps(lambda right, down, _: (right**2 + down**2).sqrt().mean())
    ),
    "The steps are not squared, so this is no length.": (
        _from_steps(lambda right, down, eps: (right.abs() + down.abs() + eps).sqrt().mean())
    ),
    "These are the steps to the right alone.": (
        _from_steps(lambda right, _, eps: (right**2 + eps**2).sqrt().mean())
    ),
    "These are the steps downwards alone.": (
        _from_steps(lambda _, down, eps: (down**2 + eps**2).sqrt().mean())
    ),
    "All channels are under one root.": (
        _from_steps(lambda right, down, eps: (right**2 + down**2 + eps**2).sum(1).sqrt().mean())
    ),
}

GRAM_MISTAKES: Mistakes = {
    "This is the Gram matrix of all pixels; mask has no effect.": lambda features, _: (
        gram_matrix(features)
    ),
    "Divided by all h * w pixels, though fewer were added up.": lambda features, mask: (
        gram_matrix(features * mask)
    ),
    "Not divided: the matrix would grow with the mask.": _products,
    "Divided by the pixels alone; gram_matrix divides by more.": lambda features, mask: (
        _products(features, mask) / _pixels(mask)
    ),
    "Divided by the channels alone: the matrix grows with the mask.": (
        lambda features, mask: _products(features, mask) / features.shape[1]
    ),
    "This divides by the pixels of the whole batch.": lambda features, mask: (
        _products(features, mask) / (features.shape[1] * mask.sum())
    ),
    "This divides every matrix by the first picture's number of pixels.": (
        lambda features, mask: _products(features, mask) / (features.shape[1] * mask[0].sum())
    ),
    "This is one matrix for the whole batch.": _gram_of_the_batch,
    "This is the matrix of the first picture alone.": (
        lambda features, mask: _gram_of_part(features[:1], mask[:1])[0]
    ),
    "Pixels are multiplied with pixels here, not channels with channels.": _gram_of_pixels,
    "This is a covariance: a mean was subtracted.": (
        lambda features, mask: _gram_of_part(
            features - _means(features, mask)[..., None, None], mask
        )
    ),
    "This is the product of two means, not the mean of products.": _gram_of_means,
    "These are the pixels outside the mask.": lambda features, mask: _gram_of_part(
        features, 1 - mask
    ),
}

BALANCE_MISTAKES: Mistakes = {
    "These are the shares themselves; the gradients have no effect.": (
        lambda terms, _, shares: _anchored({name: shares[name] for name in terms}),
        lambda terms, _, shares: {name: shares[name] for name in terms},
    ),
    "Balanced by the values of the terms; a large value may hardly pull.": (
        lambda terms, sr, shares: _anchored({n: shares[n] / terms[n](sr) for n in terms})
    ),
    "Here a term that pulls hard gets even more weight.": lambda terms, sr, shares: _anchored(
        {n: shares[n] * norm for n, norm in _norms(terms, sr).items()}
    ),
    "These are squared norms.": _by(lambda slope: slope.square().sum()),
    "This is the mean |gradient|, not its norm.": _by(lambda slope: slope.abs().mean()),
    "This is the largest slope, not the norm.": _by(lambda slope: slope.abs().max()),
    "Each gradient holds the ones before: backward() adds to sr.grad.": _accumulating,
    "All weights are equal; so the shares are not.": lambda terms, _, shares: {
        name: float(shares[name] > 0) for name in terms
    },
    "All shares are equal, whatever was asked for.": lambda terms, sr, _: _balance(
        terms, sr, dict.fromkeys(terms, 1)
    ),
    "The shares are right, but the first weight is not 1.": lambda terms, sr, shares: {
        n: shares[n] / norm for n, norm in _norms(terms, sr).items()
    },
    "The shares are right, but here the sum of the weights is 1, not the first weight.": (
        _summing_to_one
    ),
}
