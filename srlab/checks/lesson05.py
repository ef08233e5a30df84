"""Checks of lesson 05: four losses; shares, a step's length, the Gram matrix of a part."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import partial
from itertools import accumulate
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from srlab.checks.answers import (
    in_order,
    judge_with_gradient,
    named_type,
    result_as,
    uniform_values,
)
from srlab.checks.core import Answer, Finding, Mistakes, Verdict, as_number, judge
from srlab.checks.steps import in_steps
from srlab.losses import (
    EXPANDED_TERMS,
    ExpandedLoss,
    content_loss,
    gram_matrix,
    l1_loss,
    style_loss,
    tv_loss,
)

Terms = Mapping[str, Callable[[Tensor], Tensor]]
Weights = Mapping[str, float]
Pulls = dict[str, Any]
Size = Callable[[Tensor], Tensor]


@in_steps()
def check_gram_matrix(answer: Answer | None) -> Verdict:
    """Check ``answer(features)``: the Gram matrices of a batch."""
    cases = {
        "2 pictures, 3 channels of 4 x 5 px": (_signal(0, 2, 3, 4, 5),),
        "1 picture, 6 channels of 2 x 3 px": (_signal(1, 1, 6, 2, 3),),
        "1 picture, 1 channel of 3 x 3 px": (_signal(2, 1, 1, 3, 3),),
    }
    return judge_with_gradient(
        answer, right=gram_matrix, cases=cases, mistakes=MATRIX_MISTAKES, tolerance=1e-5
    )


@in_steps()
def check_style_loss(answer: Answer | None) -> Verdict:
    """Check ``answer(sr_features, hr_features, layer_weights)``: ``style_loss``."""
    pair = (_signal(0, 2, 3, 4, 5), _signal(1, 2, 3, 4, 5))
    deeper = (_signal(2, 2, 6, 2, 3), _signal(3, 2, 6, 2, 3))
    cases = {
        "one layer of weight 1": (*pair, *deeper, {"A": 1.0}),
        "two layers, weights 0.5 and 2": (*pair, *deeper, {"A": 0.5, "B": 2.0}),
        "the deeper layer alone": (*pair, *deeper, {"B": 1.5}),
    }
    return judge_with_gradient(
        answer,
        right=style_loss,
        cases=cases,
        mistakes=STYLE_MISTAKES,
        seen_through=_of_two_layers,
        toward=(0, 2),
        tolerance=1e-6,
    )


@in_steps()
def check_tv_loss(answer: Answer | None) -> Verdict:
    """Check ``answer(sr)``: total variation along both axes."""
    slanted = torch.arange(5.0)[:, None] + 2 * torch.arange(6.0)
    cases = {
        "2 pictures of 5 x 7 px": (uniform_values(0, 2, 3, 5, 7),),
        "a slanted ramp, one channel": (slanted.view(1, 1, 5, 6),),
        "a flat picture": (torch.full((1, 3, 4, 5), 0.7),),
        "1 picture of 2 x 9 px": (uniform_values(1, 1, 3, 2, 9),),
    }
    return judge_with_gradient(
        answer, right=tv_loss, cases=cases, mistakes=TV_MISTAKES, tolerance=1e-5
    )


@in_steps()
def check_expanded_loss(answer: Answer | None) -> Verdict:
    """Check a class ``answer(extractor, weights, layer_weights)``: an ``ExpandedLoss``."""
    given = uniform_values(0, 2, 3, 8, 8), uniform_values(1, 2, 3, 8, 8)
    weights = {"pixel": 1.0, "content": 0.1, "style": 20.0, "tv": 0.3}
    cases = {
        f"on: {', '.join(names)}": (
            TwoLayers(),
            {name: weights[name] for name in names},
            LAYERS,
            *given,
        )
        for names in (EXPANDED_TERMS, ("pixel", "content", "tv"), ("tv",), ("content", "style"))
    }
    return judge_with_gradient(
        answer,
        right=ExpandedLoss,
        cases=cases,
        mistakes=EXPANDED_MISTAKES,
        seen_through=_adding,
        toward=(3,),
        tolerance=1e-6,
    )


PILING_UP = '''
def my_shares(terms, weights, sr):
    """Functions of sr by name, weights by name, sr (N, 3, h, w) -> shares by name."""
    sr = sr.detach().clone().requires_grad_()
    pulls = {}
    for name, term in terms.items():
        (weights[name] * term(sr)).backward()
        pulls[name] = sr.grad.norm().item()
    return {name: pull / sum(pulls.values()) for name, pull in pulls.items()}
'''


@in_steps(starter=PILING_UP)
def check_shares(answer: Answer | None) -> Verdict:
    """Check ``answer(terms, weights, sr)``: each term's share of the gradient."""
    terms = _terms(uniform_values(6, 2, 3, 6, 5))
    sr, other = uniform_values(7, 2, 3, 6, 5), uniform_values(8, 2, 3, 6, 5)
    verdict = judge(
        answer,
        right=_shares,
        cases={
            f"weights {weights}": ({name: terms[name] for name in weights}, weights, picture)
            for picture, weights in (
                (sr, {"pixel": 1.0, "bright": 0.5}),
                (other, {"bright": 0.2, "tv": 1.0, "pixel": 2.0}),
                (sr, {"tv": 0.0, "pixel": 3.0, "bright": 1.0}),
            )
        },
        mistakes=SHARES_MISTAKES,
        seen_through=result_as(_in_the_order_of_the_terms),
        tolerance=1e-4,
    )
    if verdict.done or not _depends_on_the_order(answer, terms, sr):
        return verdict
    return replace(verdict, case=f"in this order: {verdict.case}")


@in_steps()
def check_distance(answer: Answer | None) -> Verdict:
    """Check ``answer(name, factor)``: how many times as far an optimizer's step goes."""
    torch.optim.SGD([torch.ones(1)])  # the first one imports much, in nobody's time
    return judge(
        answer,
        right=_distance,
        cases={
            f"{name}, a loss {factor:g} times as large": (name, factor)
            for name, factor in (
                ("Adam", 100.0),
                ("SGD", 100.0),
                ("RMSprop", 10.0),
                ("SGD", 3.0),
                ("Adagrad", 0.5),
                ("ASGD", 10.0),
            )
        },
        mistakes=DISTANCE_MISTAKES,
        tolerance=0.02,
    )


@in_steps()
def check_gram_of_part(answer: Answer | None) -> Verdict:
    """Check ``answer(features, mask)``: the Gram matrix of the pixels in the mask."""
    everywhere = torch.ones(2, 1, 4, 3)
    part = _signal(2, 2, 3, 4, 5), torch.stack([_mask(5, 4, 5), _mask(12, 4, 5)])
    smaller = _signal(3, 1, 4, 6, 3), _mask(7, 6, 3)[None]
    smallest = _signal(4, 1, 9, 3, 3), _mask(1, 3, 3)[None]
    return judge_with_gradient(
        answer,
        right=_gram_of_part,
        cases={
            # Two pictures first: there a forgotten batch shows, and each has its own count.
            "2 pictures, 3 channels of 4 x 5 px, masks of 5 and 12 px": part,
            "1 picture, 4 channels of 6 x 3 px, a mask of 7 px": smaller,
            "1 picture, 9 channels of 3 x 3 px, a mask of 1 px": smallest,
            "a mask of all pixels": (_signal(5, 2, 5, 4, 3), everywhere),
        },
        mistakes=PART_MISTAKES,
        tolerance=1e-5,
        slopes={"2 pictures": part},
    )


# Builds: four losses

LAYERS = {"A": 1.0, "B": 0.5}


class TwoLayers(nn.Module):
    """An extractor without weights: the picture, and the squares of it at half the size."""

    @property
    def places(self) -> tuple[str, ...]:
        return "A", "B"

    def forward(self, images: Tensor, layers: dict[str, float]) -> dict[str, Tensor]:
        made = {"A": images - 0.5, "B": F.avg_pool2d(images, 2).square()}
        return {name: made[name] for name in layers}


def _of_two_layers(answer: Answer) -> Answer:
    """Make of a loss on features by layer a function of four tensors and the weights."""

    def of_tensors(
        sr_a: Tensor, hr_a: Tensor, sr_b: Tensor, hr_b: Tensor, weights: dict[str, float]
    ) -> Any:
        return answer({"A": sr_a, "B": sr_b}, {"A": hr_a, "B": hr_b}, weights)

    return of_tensors


def _adding(make: Answer) -> Answer:
    """Make of a loss's class a function of all it needs, which gives its terms in a row."""

    def added(extractor: nn.Module, weights: Weights, layers: Weights, *pair: Tensor) -> Any:
        loss = make(extractor, weights, layers)
        if loss is None:
            return None
        if not isinstance(loss, nn.Module):
            text = f"{named_type(loss)}, not a module"
            raise Finding(text, "What was built is no nn.Module.")
        asked = _note_what_is_asked(loss)
        terms = loss(*pair)
        if terms is None:
            return None
        other = "These are other terms than those that have a weight."
        names = [name for name in EXPANDED_TERMS if weights.get(name)]
        found = in_order(terms, names, what="terms", hint=other)
        row = torch.stack([_scalar(term) for term in found])
        if unweighted := asked - {*names}:
            raise Finding(f"raw was asked for {', '.join(unweighted)}", OFF, result=row)
        return row

    return added


OFF = (
    "A term of weight 0 is left out of the dict, but still computed: ask raw for the "
    "others only."
)


def _note_what_is_asked(loss: Any) -> set[str]:
    """The names that ``loss.raw`` will be called with, as they come."""
    asked: set[str] = set()
    raw: Any = getattr(loss, "raw", None)

    def noting(sr: Tensor, hr: Tensor, names: Any) -> Any:
        if isinstance(names, Collection):
            asked.update(name for name in EXPANDED_TERMS if name in names)
        return raw(sr, hr, names)

    if callable(raw):
        loss.raw = noting
    return asked


def _scalar(term: Any) -> Tensor:
    if isinstance(term, Tensor) and term.numel() == 1:
        return term.view(())
    raise Finding(f"{named_type(term)}, not a scalar tensor, as a term", "A term is no scalar.")


def _weighing(
    weigh: Callable[[Tensor, float, dict[str, float]], Tensor], *, swapped: bool = False
) -> Answer:
    """A class like ``ExpandedLoss`` that adds up otherwise.

    ``weigh`` gets a term, its weight, and all weights that are on.
    """

    class Loss(ExpandedLoss):
        def forward(self, sr: Tensor, hr: Tensor) -> Any:
            on = {name: weight for name, weight in self.weights.items() if weight}
            terms = self.raw(hr, sr, on) if swapped else self.raw(sr, hr, on)
            return {name: weigh(term, on[name], on) for name, term in terms.items()}

    return Loss


def _style_by(
    compare: Callable[[Tensor, Tensor], Tensor],
    matrix: Callable[[Tensor], Tensor] = gram_matrix,
) -> Answer:
    """A style loss that compares matrices otherwise, or other matrices."""

    def style(sr: Mapping[str, Tensor], hr: Mapping[str, Tensor], weights: Weights) -> Tensor:
        terms = [w * compare(matrix(sr[n]), matrix(hr[n])) for n, w in weights.items()]
        return torch.stack(terms).sum()

    return style


def _from_steps(combine: Callable[[Tensor, Tensor], Any]) -> Answer:
    """Of all steps to the right, and all steps downwards."""
    return lambda images: combine(images.diff(dim=-1), images.diff(dim=-2))


def _length(right: Tensor, down: Tensor) -> Tensor:
    """The steps of each pixel under one root."""
    right, down = right[..., :-1, :], down[..., :-1]
    return (right.square() + down.square() + 1e-12).sqrt().mean()


# Exercise 1: shares of the gradient


def _terms(hr: Tensor) -> Terms:
    """Terms whose gradients are of very different sizes, and not like their values."""
    return {
        "pixel": lambda sr: l1_loss(sr, hr),
        "bright": lambda sr: 20 * (sr.square().mean() - 0.2).square() + 3,
        "tv": tv_loss,
    }


def _relative(pulls: Mapping[str, Any]) -> Pulls:
    total = sum(pulls.values())
    return {name: pull / total for name, pull in pulls.items()}


def _pulls(terms: Terms, weights: Weights, sr: Tensor, size: Size = torch.norm) -> Pulls:
    """Of each term, how large its weighted gradient is."""
    sr = sr.detach().requires_grad_()
    slopes = {name: torch.autograd.grad(term(sr), sr)[0] for name, term in terms.items()}
    return {name: size(weights[name] * slope) for name, slope in slopes.items()}


def _shares(terms: Terms, weights: Weights, sr: Tensor, size: Size = torch.norm) -> Pulls:
    return _relative(_pulls(terms, weights, sr, size))


def _piling_up(terms: Terms, weights: Weights, sr: Tensor) -> Pulls:
    """By ``backward()``, which adds each gradient to the ones before."""
    slopes = _pulls(terms, weights, sr, lambda slope: slope)
    sums = accumulate(slopes.values())
    return _relative({name: total.norm() for name, total in zip(slopes, sums, strict=True)})


def _by_the_sums_norm(terms: Terms, weights: Weights, sr: Tensor) -> Pulls:
    slopes = _pulls(terms, weights, sr, lambda slope: slope)
    whole = torch.stack([*slopes.values()]).sum(dim=0).norm()
    return {name: slope.norm() / whole for name, slope in slopes.items()}


def _depends_on_the_order(answer: Answer | None, terms: Terms, sr: Tensor) -> bool:
    """Whether a term's share changes when another one is named first."""
    one, other = ({name: terms[name] for name in names} for names in (TWO, TWO[::-1]))
    verdict = judge(
        answer,
        right=_shares,
        cases={"two orders": (one, other, dict.fromkeys(TWO, 1.0), sr)},
        seen_through=_change_by_order,
    )
    return not (verdict.done or verdict.known or verdict.failed)


TWO = ("pixel", "bright")


def _change_by_order(answer: Answer) -> Answer:
    """Make of shares a function of two dicts of terms: how far the shares are apart."""

    def change(one: Terms, other: Terms, weights: Weights, sr: Tensor) -> Tensor:
        first, second = (answer(terms, weights, sr) for terms in (one, other))
        return _in_the_order_of_the_terms(first, one) - _in_the_order_of_the_terms(second, one)

    return change


def _in_the_order_of_the_terms(got: Any, terms: Terms, *_: Any) -> Tensor:
    other = "These are not the names of the terms."
    shares = in_order(got, terms, what="shares", hint=other)
    return torch.tensor([_share(one) for one in shares])


def _share(value: Any) -> float:
    number = as_number(value)
    if number is None:
        hint = "The names are right, but one of the shares is no number."
        raise Finding(f"{named_type(value)}, not a number, as a share", hint)
    return number


# Exercise 2: how far a step goes


def _distance(name: str, factor: float) -> float:
    """Some follow the gradient's size; the others divide by it, one way or another."""
    return factor if name in {"SGD", "ASGD"} else 1.0


# Exercise 3: a Gram matrix of some pixels


ALL = torch.ones(())
"""A mask that holds every pixel."""


def _gram_of_part(features: Tensor, mask: Tensor = ALL) -> Tensor:
    return _products(features, mask) / (features.shape[1] * _pixels(features, mask))


def _flat(features: Tensor, mask: Tensor) -> Tensor:
    return (features * mask).flatten(2)


def _products(features: Tensor, mask: Tensor = ALL) -> Tensor:
    """All channels with all, summed over the mask, not divided yet."""
    flat = _flat(features, mask)
    return flat @ flat.mT


def _pixels(features: Tensor, mask: Tensor = ALL) -> Tensor:
    """How many each mask holds, as ``(N, 1, 1)``."""
    return mask.expand_as(features[:, :1]).flatten(2).sum(dim=2, keepdim=True)


def _of_the_batch(features: Tensor, mask: Tensor = ALL) -> Tensor:
    return _products(features, mask).sum(0) / (
        features.shape[1] * _pixels(features, mask).sum()
    )


def _of_pixels(features: Tensor, mask: Tensor = ALL) -> Tensor:
    flat = _flat(features, mask)
    return flat.mT @ flat / (features.shape[1] * _pixels(features, mask))


def _means(features: Tensor, mask: Tensor) -> Tensor:
    """Of each channel over the mask, as ``(N, F, 1)``."""
    return _flat(features, mask).sum(dim=2, keepdim=True) / _pixels(features, mask)


def _of_means(features: Tensor, mask: Tensor = ALL) -> Tensor:
    means = _means(features, mask)
    return means @ means.mT / features.shape[1]


def _covariance(features: Tensor, mask: Tensor = ALL) -> Tensor:
    return _gram_of_part(features - _means(features, mask)[..., None], mask)


def _signal(seed: int, *shape: int) -> Tensor:
    """Values of both signs."""
    return uniform_values(seed, *shape) - 0.3


def _mask(pixels: int, height: int, width: int) -> Tensor:
    """``(1, h, w)`` with so many ones, scattered."""
    order = torch.randperm(height * width, generator=torch.Generator().manual_seed(pixels))
    return (order < pixels).float().view(1, height, width)


MATRIX_MISTAKES: Mistakes = {
    "Not divided: the matrix grows with the map and with the number of channels.": _products,
    "Divided by the pixels alone; the number of channels is missing.": (
        lambda features: _products(features) / _pixels(features)
    ),
    "Divided by the channels alone; the number of pixels is missing.": (
        lambda features: _products(features) / features.shape[1]
    ),
    "Divided by the channels twice; once it should be the pixels.": (
        lambda features: _products(features) / features.shape[1] ** 2
    ),
    "Divided by the numbers of the whole batch.": (
        lambda features: _products(features) / features.numel()
    ),
    "This is one matrix for the whole batch.": _of_the_batch,
    "This is the matrix of the first picture alone.": lambda features: gram_matrix(features)[0],
    "Pixels are multiplied with pixels here, not channels with channels.": _of_pixels,
    "This is a covariance: a mean was subtracted.": _covariance,
    "This is the product of two means, not the mean of products.": _of_means,
    "Only the diagonal is here: each channel with itself.": (
        lambda features: gram_matrix(features).diagonal(dim1=1, dim2=2)
    ),
}

STYLE_MISTAKES: Mistakes = {
    "These are the features themselves, compared place by place: that is content_loss.": (
        content_loss
    ),
    "The differences are squared.": _style_by(lambda a, b: (a - b).square().mean()),
    "The differences are added up; the loss takes their mean.": _style_by(
        lambda a, b: (a - b).abs().sum()
    ),
    "This is the norm of the difference, not the mean of its absolute values.": _style_by(
        lambda a, b: (a - b).norm()
    ),
    "The matrices are not divided.": _style_by(l1_loss, _products),
    "The layers have no weights here.": (
        lambda sr, hr, weights: style_loss(sr, hr, dict.fromkeys(weights, 1.0))
    ),
    "All layers are compared, also those that weigh nothing.": (
        lambda sr, hr, weights: style_loss(sr, hr, dict.fromkeys(sr, 1.0) | weights)
    ),
    "This is the mean over the layers, not their sum.": (
        lambda sr, hr, weights: style_loss(sr, hr, weights) / len(weights)
    ),
    "Only the last layer is here.": (
        lambda sr, hr, weights: style_loss(sr, hr, dict([list(weights.items())[-1]]))
    ),
    "This is the Gram matrix of the difference, not the difference of two.": (
        lambda sr, hr, weights: sum(
            weight * gram_matrix(sr[name] - hr[name]).abs().mean()
            for name, weight in weights.items()
        )
    ),
}

TV_MISTAKES: Mistakes = {
    "These are squared steps: one edge costs more than a ramp.": _from_steps(
        lambda right, down: right.square().mean() + down.square().mean()
    ),
    "Steps up and steps down cancel: absolute values are missing.": _from_steps(
        lambda right, down: right.mean() + down.mean()
    ),
    "The sum of both means was asked for; this is half of it.": _from_steps(
        lambda right, down: (right.abs().mean() + down.abs().mean()) / 2
    ),
    "These are sums: a larger picture would count as a rougher one.": _from_steps(
        lambda right, down: right.abs().sum() + down.abs().sum()
    ),
    "These are the steps to the right alone.": _from_steps(lambda right, _: right.abs().mean()),
    "These are the steps downwards alone.": _from_steps(lambda _, down: down.abs().mean()),
    "Both axes are under one root; here they are added.": _from_steps(_length),
    "All steps are in one mean; the formula has one for each axis.": _from_steps(
        lambda right, down: torch.cat([right.flatten(), down.flatten()]).abs().mean()
    ),
    "roll goes around: the last column steps to the first.": lambda sr: sum(
        (sr.roll(-1, axis) - sr).abs().mean() for axis in (-1, -2)
    ),
    "These are steps over two pixels.": lambda sr: (
        (sr[..., 2:] - sr[..., :-2]).abs().mean()
        + (sr[..., 2:, :] - sr[..., :-2, :]).abs().mean()
    ),
    "These are steps between channels.": lambda sr: sr.diff(dim=1).abs().mean(),
}

EXPANDED_MISTAKES: Mistakes = {
    "The terms are as they are: no weight was multiplied in.": _weighing(lambda term, *_: term),
    "Weights and terms were added, not multiplied.": (
        _weighing(lambda term, weight, _: weight + term)
    ),
    "sr and hr have changed places, so tv looks at the truth.": (
        _weighing(lambda term, weight, _: weight * term, swapped=True)
    ),
    "The weights were made to sum to 1; they are the learner's to choose.": (
        _weighing(lambda term, weight, on: weight / sum(on.values()) * term)
    ),
    "Each term was divided by the number of terms.": (
        _weighing(lambda term, weight, on: weight * term / len(on))
    ),
    "The layers' weights were multiplied in twice.": (
        _weighing(lambda term, weight, _: weight * term * sum(LAYERS.values()))
    ),
}

SHARES_MISTAKES: Mistakes = {
    "Each gradient holds the ones before: backward() adds to sr.grad.": _piling_up,
    "These are shares of the values; a large value may hardly pull.": (
        lambda terms, weights, sr: _relative({n: weights[n] * terms[n](sr) for n in terms})
    ),
    "These are shares of squared norms.": partial(
        _shares, size=lambda slope: slope.square().sum()
    ),
    "This is the mean |gradient|, not its norm.": partial(
        _shares, size=lambda slope: slope.abs().mean()
    ),
    "This is the largest slope, not the norm.": partial(
        _shares, size=lambda slope: slope.abs().max()
    ),
    "The weights have no effect here.": (
        lambda terms, weights, sr: _shares(terms, dict.fromkeys(weights, 1.0), sr)
    ),
    "These are the weights' own shares; the gradients have no effect.": (
        lambda _terms, weights, _: _relative(weights)
    ),
    "These are pulls, not shares: they do not sum to 1.": _pulls,
    "The weights were divided by, not multiplied with.": (
        lambda terms, weights, sr: _shares(
            terms, {name: 1 / weight if weight else 0.0 for name, weight in weights.items()}, sr
        )
    ),
    "Divided by the norm of the sum; gradients may cancel, so shares would not sum to 1.": (
        _by_the_sums_norm
    ),
}

DISTANCE_MISTAKES: Mistakes = {
    "That is how much larger the gradient is, not how much farther the step goes.": (
        lambda _, factor: factor
    ),
    "This is right for the best known only: another optimizer follows the gradient's size.": (
        lambda name, factor: factor if name == "SGD" else 1.0
    ),
    "SGD does follow the size of the gradient.": lambda *_: 1.0,
    "This is one distance over the other, but upside down.": lambda name, factor: (
        1 / _distance(name, factor)
    ),
    "The first loss's gradient was still there when the second one came.": (
        lambda name, factor: 1 + factor if name == "SGD" else 1.0
    ),
}

PART_MISTAKES: Mistakes = {
    "This is the Gram matrix of all pixels; mask has no effect.": (
        lambda features, _: gram_matrix(features)
    ),
    "Divided by all h * w pixels, though fewer were added up.": (
        lambda features, mask: gram_matrix(features * mask)
    ),
    "Not divided: the matrix would grow with the mask.": _products,
    "Divided by the pixels alone; gram_matrix divides by more.": (
        lambda features, mask: _products(features, mask) / _pixels(features, mask)
    ),
    "Divided by the channels alone: the matrix grows with the mask.": (
        lambda features, mask: _products(features, mask) / features.shape[1]
    ),
    "This divides by the pixels of the whole batch.": (
        lambda features, mask: _products(features, mask) / (features.shape[1] * mask.sum())
    ),
    "This divides every matrix by the first picture's number of pixels.": (
        lambda features, mask: _products(features, mask) / (features.shape[1] * mask[0].sum())
    ),
    "This is one matrix for the whole batch.": _of_the_batch,
    "This is the matrix of the first picture alone.": (
        lambda features, mask: _gram_of_part(features, mask)[0]
    ),
    "Pixels are multiplied with pixels here, not channels with channels.": _of_pixels,
    "This is a covariance: a mean was subtracted.": _covariance,
    "This is the product of two means, not the mean of products.": _of_means,
    "These are the pixels outside the mask.": (
        lambda features, mask: _gram_of_part(features, 1 - mask)
    ),
}
