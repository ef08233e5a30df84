"""The checks of lesson 05 take the right answer, refuse wrong ones, and say why."""

from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F

from srlab.checks import (
    check_distance,
    check_expanded_loss,
    check_gram_matrix,
    check_gram_of_part,
    check_shares,
    check_style_loss,
    check_tv_loss,
)
from srlab.losses import (
    EXPANDED_TERMS,
    ExpandedLoss,
    content_loss,
    gram_matrix,
    l1_loss,
    make_ledger,
    style_loss,
    tv_loss,
)
from tests.answering import first, last, refuses, takes

# Build: gram_matrix ----------------------------------------------------------------------


def rows(features):
    return features.reshape(*features.shape[:2], -1)


def products(f):
    return rows(f) @ rows(f).mT


def pair_by_pair(features):
    n, channels = features.shape[:2]
    found = torch.stack([(a * b).mean() for image in features for a in image for b in image])
    return found.view(n, channels, channels) / channels


test_gram_done = takes(check_gram_matrix, gram_matrix, pair_by_pair)

test_gram_mistakes = refuses(
    check_gram_matrix,
    {
        "Not divided": products,
        "Divided by the pixels alone": lambda f: products(f) / rows(f).shape[2],
        "Divided by the channels alone": lambda f: products(f) / f.shape[1],
        "Divided by the channels twice": lambda f: products(f) / f.shape[1] ** 2,
        "the numbers of the whole batch": lambda f: products(f) / f.numel(),
        "one matrix for the whole batch": lambda f: products(f).sum(0) / f.numel(),
        "the first picture alone": lambda f: gram_matrix(f)[0],
        "Pixels are multiplied": lambda f: rows(f).mT @ rows(f) / f[0].numel(),
        "a covariance": lambda f: gram_matrix(f - f.mean(dim=(2, 3), keepdim=True)),
        "the product of two means": lambda f: (
            torch.einsum("ni,nj->nij", rows(f).mean(2), rows(f).mean(2)) / f.shape[1]
        ),
        "Only the diagonal": lambda f: f.square().mean(dim=(2, 3)) / f.shape[1],
        "flatten(2) makes rows": lambda f: f @ f.mT / f[0].numel(),
        "no gradient comes back": lambda f: gram_matrix(f.detach()),
        "part of the way back": lambda f: rows(f) @ rows(f).detach().mT / f[0].numel(),
        "An argument is not what": lambda f: gram_matrix(f.mul_(1.5)),
    },
    case="",
)

# Build: style_loss -----------------------------------------------------------------------


def compares(difference, matrix=gram_matrix):
    """A style loss that compares otherwise, or other matrices."""
    return lambda sr, hr, weights: sum(
        weight * difference(matrix(sr[name]), matrix(hr[name]))
        for name, weight in weights.items()
    )


test_style_done = takes(check_style_loss, style_loss, compares(lambda a, b: F.l1_loss(a, b)))

test_style_mistakes = refuses(
    check_style_loss,
    {
        ("one layer", "that is content_loss"): content_loss,
        ("one layer", "are squared"): compares(lambda a, b: F.mse_loss(a, b)),
        ("one layer", "are added up"): compares(lambda a, b: (a - b).abs().sum()),
        ("one layer", "the norm of the difference"): compares(lambda a, b: (a - b).norm()),
        ("one layer", "are not divided"): compares(l1_loss, products),
        ("one layer", "All layers are compared"): lambda sr, hr, weights: style_loss(
            sr, hr, dict.fromkeys(sr, 1.0) | weights
        ),
        ("one layer", "Gram matrix of the difference"): lambda sr, hr, weights: sum(
            w * gram_matrix(sr[n] - hr[n]).abs().mean() for n, w in weights.items()
        ),
        ("two layers", "have no weights here"): lambda sr, hr, weights: style_loss(
            sr, hr, dict.fromkeys(weights, 1)
        ),
        ("two layers", "the mean over the layers"): lambda sr, hr, weights: (
            style_loss(sr, hr, weights) / len(weights)
        ),
        ("two layers", "Only the last layer"): lambda sr, hr, weights: [
            style_loss(sr, hr, {name: weight}) for name, weight in weights.items()
        ][-1],
        ("the gradient", "no gradient"): compares(lambda a, b: l1_loss(a.detach(), b)),
    },
)

# Build: tv_loss --------------------------------------------------------------------------


def by_steps(combine):
    """An answer that combines all steps to the right with all steps downwards."""
    return lambda sr: combine(sr.diff(dim=3), sr.diff(dim=2))


test_tv_done = takes(
    check_tv_loss,
    tv_loss,
    by_steps(lambda right, down: right.abs().mean() + down.abs().mean()),
)

test_tv_mistakes = refuses(
    check_tv_loss,
    {
        "squared steps": by_steps(lambda r, d: r.square().mean() + d.square().mean()),
        "absolute values are missing": by_steps(lambda r, d: r.mean() + d.mean()),
        "half of it": by_steps(lambda r, d: 0.5 * (r.abs().mean() + d.abs().mean())),
        "These are sums": by_steps(lambda r, d: r.abs().sum() + d.abs().sum()),
        "to the right alone": by_steps(lambda r, _: r.abs().mean()),
        "downwards alone": by_steps(lambda _, d: d.abs().mean()),
        "under one root": by_steps(
            lambda r, d: torch.hypot(r[..., :-1, :], d[..., :-1]).mean()
        ),
        "in one mean": by_steps(
            lambda r, d: (r.abs().sum() + d.abs().sum()) / (r.numel() + d.numel())
        ),
        "roll goes around": lambda sr: (
            (sr - sr.roll(1, 3)).abs().mean() + (sr - sr.roll(1, 2)).abs().mean()
        ),
        "over two pixels": lambda sr: (
            (sr[..., 2:] - sr[..., :-2]).abs().mean()
            + (sr[..., 2:, :] - sr[..., :-2, :]).abs().mean()
        ),
        "between channels": lambda sr: (sr[:, 1:] - sr[:, :-1]).abs().mean(),
        "All columns but the first": by_steps(lambda r, d: r.abs().mean() * d.abs().mean()),
        "no gradient comes back": lambda sr: tv_loss(sr.detach()),
        "part of the way back": by_steps(lambda r, d: r.abs().mean() + d.detach().abs().mean()),
    },
    case="",
)

# Build: ExpandedLoss ---------------------------------------------------------------------


def expanded(forward):
    """A class like ``ExpandedLoss`` with another ``forward``: (loss, sr, hr)."""

    class Loss(ExpandedLoss):
        def forward(self, sr, hr):
            return forward(self, sr, hr)

    return Loss


def on(loss):
    return {name: weight for name, weight in loss.weights.items() if weight}


def weighs(by, asked=on):
    """An answer that makes ``by(loss, weight, term)`` of each term it has asked for."""
    return expanded(
        lambda loss, sr, hr: {
            name: by(loss, loss.weights[name], term)
            for name, term in loss.raw(sr, hr, asked(loss)).items()
        }
    )


def multiplied(_loss, weight, term):
    return weight * term


def weighs_one_by_one(loss, sr, hr):
    return {name: loss.raw(sr, hr, [name])[name] * weight for name, weight in on(loss).items()}


test_expanded_done = takes(check_expanded_loss, ExpandedLoss, expanded(weighs_one_by_one))

test_expanded_mistakes = refuses(
    check_expanded_loss,
    {
        "no weight was multiplied": weighs(lambda _loss, _weight, term: term),
        "were added, not multiplied": weighs(lambda _, weight, term: weight + term),
        "changed places": expanded(lambda loss, sr, hr: weighs_one_by_one(loss, hr, sr)),
        "made to sum to 1": weighs(lambda loss, w, term: w * term / sum(on(loss).values())),
        "by the number of terms": weighs(lambda loss, w, term: w * term / len(on(loss))),
        "multiplied in twice": weighs(lambda _, weight, term: 1.5 * weight * term),
        "this is no dict": (
            expanded(lambda *given: sum(weighs_one_by_one(*given).values())),
            expanded(lambda *given: list(weighs_one_by_one(*given).values())),
        ),
        "no nn.Module": lambda *_: dict,
    },
    case="on: pixel, content, style, tv",
)

test_what_is_off_is_left_out = refuses(
    check_expanded_loss,
    {
        "other terms than those": (
            weighs(multiplied, lambda _: EXPANDED_TERMS),
            weighs(multiplied, lambda loss: loss.weights),
        ),
        "still computed": (
            expanded(
                lambda loss, sr, hr: {
                    n: weight * loss.raw(sr, hr, EXPANDED_TERMS)[n]
                    for n, weight in on(loss).items()
                }
            ),
            expanded(
                lambda loss, sr, hr: {
                    n: weight * loss.raw(sr, hr, {**on(loss), "style": 0.0})[n]
                    for n, weight in on(loss).items()
                }
            ),
        ),
    },
    case="on: pixel, content, tv",
)

test_an_expanded_loss_through_which_no_gradient_comes_back = refuses(
    check_expanded_loss,
    expanded(lambda loss, sr, hr: weighs_one_by_one(loss, sr.detach(), hr)),
    case="the gradient",
    hint="no gradient comes back",
)


# Exercise 3: the Gram matrix of a part --------------------------------------------------


def counted(mask):
    return mask.sum(dim=(1, 2, 3)).view(-1, 1, 1)


def divided(by):
    """An answer that divides its sums by ``by(features, mask)``."""
    return lambda features, mask: products(features * mask) / by(features, mask)


flattens_what_is_left = divided(lambda features, mask: features.shape[1] * counted(mask))


def picks_the_pixels_of_each_picture(features, mask):
    grams = []
    for picture, inside in zip(features, mask[:, 0].bool(), strict=True):
        picked = picture[:, inside]
        grams.append(picked @ picked.T / picked.numel())
    return torch.stack(grams)


test_gram_of_part_done = takes(
    check_gram_of_part,
    flattens_what_is_left,
    picks_the_pixels_of_each_picture,
    lambda features, mask: gram_matrix(features * mask) / mask.mean((2, 3))[..., None],
)


def multiplies_pixels_with_pixels(features, mask):
    flat = rows(features * mask)
    return flat.mT @ flat / (features.shape[1] * counted(mask))


def means(features, mask):
    return rows(features * mask).sum(2, keepdim=True) / counted(mask)


def cuts_features_together(features, mask):
    picked = features[mask.bool().expand_as(features)].view(features.shape[1], -1)
    return (picked @ picked.T / picked.numel()).expand(len(features), -1, -1)


def views_instead_of_flattening(features, mask):
    """Channels and pixels get mixed up."""
    flat = (features * mask).permute(0, 2, 3, 1).reshape(rows(features).shape)
    return flat @ flat.mT / (features.shape[1] * counted(mask))


test_gram_of_part_mistakes = refuses(
    check_gram_of_part,
    {
        "This is the Gram matrix": lambda features, _: gram_matrix(features),
        "Divided by all h * w pixels": lambda features, mask: gram_matrix(features * mask),
        "Not divided: the matrix would grow": divided(lambda *_: 1),
        "Divided by the pixels alone": divided(lambda _, mask: counted(mask)),
        "Divided by the channels alone": divided(lambda features, _: features.shape[1]),
        "This divides by the pixels": divided(lambda f, mask: f.shape[1] * mask.sum()),
        "the first picture's number": divided(lambda f, mask: f.shape[1] * mask[0].sum()),
        "This is one matrix for": lambda features, mask: (
            products(features * mask).sum(0) / (features.shape[1] * mask.sum())
        ),
        "This is the matrix of": lambda *given: flattens_what_is_left(*given)[0],
        "Pixels are multiplied with pixels": multiplies_pixels_with_pixels,
        "This is a covariance: a": lambda features, mask: flattens_what_is_left(
            features - means(features, mask)[..., None], mask
        ),
        "This is the product of": lambda features, mask: (
            products(means(features, mask)) / features.shape[1]
        ),
        "the pixels outside the mask": lambda features, mask: flattens_what_is_left(
            features, 1 - mask
        ),
        "Multiply the features by the mask first": (
            cuts_features_together,
            views_instead_of_flattening,
        ),
        "An argument is not what": first(
            lambda features, mask: features.mul_(mask), flattens_what_is_left
        ),
    },
    case="2 pictures, 3 channels of 4 x 5 px",
)


def detaches_one_factor(features, mask):
    flat = rows(features * mask)
    return flat @ flat.detach().mT / (features.shape[1] * counted(mask))


test_a_gram_through_which_no_gradient_comes_back = refuses(
    check_gram_of_part,
    lambda features, mask: flattens_what_is_left(features.detach(), mask),
    detaches_one_factor,
    hint="The value is right, but",
    case="the gradient, in a row",
)


# Exercise 1: shares ----------------------------------------------------------------------


def slope_of(term, sr):
    sr = sr.detach().clone().requires_grad_()
    (slope,) = torch.autograd.grad(term(sr), sr)
    return slope


def relative(pulls):
    return {name: pull / sum(pulls.values()) for name, pull in pulls.items()}


def pulls(terms, weights, sr, size=torch.norm):
    return {name: size(weights[name] * slope_of(term, sr)) for name, term in terms.items()}


def by_size(size):
    """An answer that takes another size of the weighted gradients than their norm."""
    return lambda *given: relative(pulls(*given, size))


squares = by_size(lambda slope: slope.square().sum())
asks_for_each = by_size(lambda slope: slope.norm().item())


def runs_backward(*, emptied, left=()):
    """An answer by ``backward()``, which may empty the gradient between the terms."""

    def shares(terms, weights, sr):
        leaf = sr if left else sr.detach().clone()
        leaf.requires_grad_()
        found = {}
        for name, term in terms.items():
            leaf.grad = None if emptied else leaf.grad
            (weights[name] * term(leaf)).backward()
            found[name] = leaf.grad.norm().item()
        leaf.requires_grad_("requires_grad" in left)
        leaf.grad = leaf.grad if "grad" in left else None
        return relative(found)

    return shares


lets_gradients_pile_up = runs_backward(emptied=False)


def reads_the_ledger(terms, weights, sr):
    loss = SimpleNamespace(
        weights=weights, raw=lambda sr, _, names: {name: terms[name](sr) for name in names}
    )
    return {name: entry.share for name, entry in make_ledger(loss, sr, sr).items()}


test_shares_done = takes(
    check_shares,
    asks_for_each,
    by_size(torch.norm),
    runs_backward(emptied=True),
    reads_the_ledger,
)


def gives_a_list(terms, weights, sr):
    return list(asks_for_each(terms, weights, sr).values())


def leaves_out_what_is_off(terms, weights, sr):
    shares = asks_for_each(terms, weights, sr)
    return {name: share for name, share in shares.items() if share}


test_shares_mistakes = refuses(
    check_shares,
    {
        "Each gradient holds the ones before": lets_gradients_pile_up,
        "shares of the values": lambda terms, weights, sr: relative(
            {n: weights[n] * term(sr).item() for n, term in terms.items()}
        ),
        "squared norms": squares,
        "mean |gradient|": by_size(lambda slope: slope.abs().mean()),
        "the largest slope": by_size(lambda slope: slope.abs().max()),
        "The weights have no effect": lambda terms, weights, sr: asks_for_each(
            terms, dict.fromkeys(weights, 1), sr
        ),
        "the weights' own shares": lambda _terms, weights, _: relative(weights),
        "pulls, not shares": pulls,
        "The weights were divided by": lambda terms, weights, sr: asks_for_each(
            terms, {name: 1 / (weight or 1e9) for name, weight in weights.items()}, sr
        ),
        "the norm of the sum": lambda *given: {
            name: pull / sum(pulls(*given, torch.clone).values()).norm()
            for name, pull in pulls(*given).items()
        },
        "The names are missing": gives_a_list,
        "backward() adds to sr.grad and": lambda terms, *_: dict.fromkeys(terms, 0.5),
        "An argument is not what": first(lambda *given: given[2].mul_(0.5), asks_for_each),
        "one of the shares is no number": lambda terms, *_: dict.fromkeys(terms, "half"),
    },
    case="1.0",
)

test_a_term_that_is_off_has_a_share = refuses(
    check_shares, leaves_out_what_is_off, case="'tv': 0", hint="not the names of the terms"
)


@pytest.mark.parametrize(
    ("answer", "case"),
    [
        (lets_gradients_pile_up, "in this order: weights {'pixel': 1.0"),
        (lambda terms, *_: dict(zip(terms, (0.25, 0.75))), "in this order: "),  # noqa: B905
        (squares, "weights {'pixel': 1.0"),
        (gives_a_list, "weights {'pixel': 1.0"),
        (lambda *_: None, "weights {'pixel': 1.0"),
    ],
)
def test_only_shares_that_depend_on_the_order_say_so(answer, case: str):
    assert check_shares(answer).case.startswith(case)


test_shares_leave_everything_as_it_was = refuses(
    check_shares,
    {
        "^requires_grad is not as it was$": runs_backward(emptied=True, left=["requires_grad"]),
        "^grad is not as it was$": runs_backward(emptied=True, left=["grad"]),
        "^the function changed what it was given$": last(
            asks_for_each, lambda *given: given[1].clear()
        ),
    },
    case="1.0",
    hint="",
)


# Exercise 2: how far a step goes ---------------------------------------------------------


def walks(name, factor, start=1.0):
    distances = []
    for times in (1.0, factor):
        x = torch.full((3,), start, requires_grad=True)
        optimizer = getattr(torch.optim, name)([x], lr=0.01)
        (times * x.square().sum()).backward()
        optimizer.step()
        distances.append((x.detach() - start).norm())
    return distances[1] / distances[0]


def walks_on(name, factor):
    """One number, one optimizer, a gradient that is never emptied."""
    x = torch.ones(3, requires_grad=True)
    optimizer = getattr(torch.optim, name)([x], lr=0.0)
    sizes = []
    for times in (1.0, factor):
        (times * x.square().sum()).backward()
        optimizer.step()
        sizes.append(x.grad.norm().item())
    return sizes[1] / sizes[0] if name == "SGD" else 1.0


test_distance_done = takes(
    check_distance,
    walks,
    lambda name, factor: walks(name, factor).item(),
    lambda name, factor: walks(name, factor, start=-3.0),
)

test_distance_mistakes = refuses(
    check_distance,
    {
        ("Adam", "how much larger the gradient is"): lambda _, factor: factor,
        ("ASGD", "the best known only"): (
            lambda name, factor: factor if name == "SGD" else 1.0,
            lambda name, factor: walks(name, factor) if name == "SGD" else 1.0,
            lambda name, factor: walks("Adam" if name == "ASGD" else name, factor),
        ),
        ("SGD", "SGD does follow"): lambda *_: 1.0,
        ("SGD", "upside down"): lambda name, factor: 1 / walks(name, factor),
        ("SGD", "was still there"): walks_on,
        ("Adam", "x = torch.ones"): (lambda *_: 10.0, lambda *_: "one"),
    },
)
