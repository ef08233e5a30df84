"""The checks of lesson 05 take the right answer, refuse wrong ones, and say why."""

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


def pair_by_pair(features):
    n, channels = features.shape[:2]
    found = torch.stack([(a * b).mean() for image in features for a in image for b in image])
    return found.view(n, channels, channels) / channels


test_gram_done = takes(
    check_gram_matrix,
    gram_matrix,
    pair_by_pair,
    lambda f: torch.einsum("nihw,njhw->nij", f, f) / f[0].numel(),
    lambda f: torch.bmm(rows(f), rows(f).transpose(1, 2)).div(f[0].numel()),
)

test_gram_mistakes = refuses(
    check_gram_matrix,
    {
        "Not divided": lambda f: rows(f) @ rows(f).mT,
        "Divided by the pixels alone": lambda f: rows(f) @ rows(f).mT / rows(f).shape[2],
        "Divided by the channels alone": lambda f: rows(f) @ rows(f).mT / f.shape[1],
        "Divided by the channels twice": lambda f: rows(f) @ rows(f).mT / f.shape[1] ** 2,
        "the numbers of the whole batch": lambda f: rows(f) @ rows(f).mT / f.numel(),
        "one matrix for the whole batch": lambda f: (
            f.transpose(0, 1).flatten(1) @ f.transpose(0, 1).flatten(1).T / f.numel()
        ),
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


def goes_layer_by_layer(sr, hr, weights):
    total = 0
    for name, weight in weights.items():
        total = total + weight * l1_loss(gram_matrix(sr[name]), gram_matrix(hr[name]))
    return total


def compares(difference, matrix=gram_matrix):
    """A style loss that compares otherwise, or other matrices."""
    return lambda sr, hr, weights: sum(
        weight * difference(matrix(sr[name]), matrix(hr[name]))
        for name, weight in weights.items()
    )


test_style_done = takes(
    check_style_loss,
    style_loss,
    goes_layer_by_layer,
    compares(lambda a, b: F.l1_loss(a, b)),
)

test_style_mistakes = refuses(
    check_style_loss,
    {
        ("one layer", "that is content_loss"): content_loss,
        ("one layer", "are squared"): compares(lambda a, b: F.mse_loss(a, b)),
        ("one layer", "are added up"): compares(lambda a, b: (a - b).abs().sum()),
        ("one layer", "the norm of the difference"): compares(lambda a, b: (a - b).norm()),
        ("one layer", "are not divided"): compares(
            l1_loss, lambda f: f.flatten(2) @ f.flatten(2).mT
        ),
        ("one layer", "All layers are compared"): lambda sr, hr, weights: style_loss(
            sr, hr, dict.fromkeys(sr, 1.0) | weights
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
        ("one layer", "Gram matrix of the difference"): lambda sr, hr, weights: sum(
            w * gram_matrix(sr[n] - hr[n]).abs().mean() for n, w in weights.items()
        ),
        ("the gradient", "no gradient"): (
            torch.no_grad()(style_loss),
            lambda sr, hr, weights: style_loss(
                {name: features.detach() for name, features in sr.items()}, hr, weights
            ),
        ),
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
    lambda sr: (
        sum((sr.diff(dim=axis) ** 2).sqrt().mean() for axis in (-1, -2))
        if (sr.diff(dim=-1).all() and sr.diff(dim=-2).all())
        else tv_loss(sr)
    ),
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


def weighs_one_by_one(loss, sr, hr):
    terms = {}
    for name in EXPANDED_TERMS:
        if loss.weights[name]:
            terms[name] = loss.raw(sr, hr, [name])[name] * loss.weights[name]
    return terms


def on(loss):
    return {name: weight for name, weight in loss.weights.items() if weight}


def computes_one_more(loss, sr, hr):
    terms = loss.raw(sr, hr, {**on(loss), "style": 0.0})
    return {name: weight * terms[name] for name, weight in on(loss).items()}


test_expanded_done = takes(check_expanded_loss, ExpandedLoss, expanded(weighs_one_by_one))

test_expanded_mistakes = refuses(
    check_expanded_loss,
    {
        ("on: pixel, content, style, tv", "no weight was multiplied"): expanded(
            lambda loss, sr, hr: loss.raw(sr, hr, on(loss))
        ),
        ("on: pixel, content, style, tv", "were added, not multiplied"): expanded(
            lambda loss, sr, hr: {
                n: on(loss)[n] + t for n, t in loss.raw(sr, hr, on(loss)).items()
            }
        ),
        ("on: pixel, content, style, tv", "changed places"): expanded(
            lambda loss, sr, hr: weighs_one_by_one(loss, hr, sr)
        ),
        ("on: pixel, content, style, tv", "made to sum to 1"): expanded(
            lambda loss, sr, hr: {
                n: t / sum(on(loss).values())
                for n, t in weighs_one_by_one(loss, sr, hr).items()
            }
        ),
        ("on: pixel, content, style, tv", "by the number of terms"): expanded(
            lambda loss, sr, hr: {
                n: t / len(on(loss)) for n, t in weighs_one_by_one(loss, sr, hr).items()
            }
        ),
        ("on: pixel, content, style, tv", "multiplied in twice"): expanded(
            lambda loss, sr, hr: {
                n: 1.5 * t for n, t in weighs_one_by_one(loss, sr, hr).items()
            }
        ),
        ("on: pixel, content, style, tv", "this is no dict"): (
            expanded(lambda loss, sr, hr: sum(weighs_one_by_one(loss, sr, hr).values())),
            expanded(lambda loss, sr, hr: list(weighs_one_by_one(loss, sr, hr).values())),
        ),
        ("on: pixel, content, tv", "other terms than those"): (
            expanded(
                lambda loss, sr, hr: {
                    n: loss.weights[n] * t for n, t in loss.raw(sr, hr, EXPANDED_TERMS).items()
                }
            ),
            expanded(
                lambda loss, sr, hr: {
                    n: loss.weights[n] * t for n, t in loss.raw(sr, hr, loss.weights).items()
                }
            ),
        ),
        ("on: pixel, content, tv", "still computed"): (
            expanded(
                lambda loss, sr, hr: {
                    n: loss.weights[n] * t
                    for n, t in loss.raw(sr, hr, loss.weights).items()
                    if loss.weights[n]
                }
            ),
            expanded(
                lambda loss, sr, hr: {
                    n: weight * loss.raw(sr, hr, EXPANDED_TERMS)[n]
                    for n, weight in on(loss).items()
                }
            ),
            expanded(computes_one_more),
        ),
        ("the gradient", "no gradient comes back"): expanded(
            lambda loss, sr, hr: weighs_one_by_one(loss, sr.detach(), hr)
        ),
        ("on: pixel, content, style, tv", "no nn.Module"): lambda *_: dict,
    },
)


# Exercise 3: the Gram matrix of a part --------------------------------------------------


def counted(mask):
    return mask.sum(dim=(1, 2, 3)).view(-1, 1, 1)


def flattens_what_is_left(features, mask):
    flat = (features * mask).flatten(2)
    return flat @ flat.mT / (features.shape[1] * counted(mask))


def uses_einsum(features, mask):
    sums = torch.einsum("nihw,njhw,nhw->nij", features, features, mask[:, 0])
    return sums / features.shape[1] / counted(mask)


def picks_the_pixels_of_each_picture(features, mask):
    grams = []
    for picture, inside in zip(features, mask[:, 0].bool(), strict=True):
        picked = picture[:, inside]
        grams.append(picked @ picked.T / picked.numel())
    return torch.stack(grams)


def corrects_the_whole_gram(features, mask):
    share = mask.mean(dim=(1, 2, 3)).view(-1, 1, 1)
    return gram_matrix(features * mask) / share


test_gram_of_part_done = takes(
    check_gram_of_part,
    flattens_what_is_left,
    uses_einsum,
    picks_the_pixels_of_each_picture,
    corrects_the_whole_gram,
)


def test_with_a_full_mask_it_is_the_gram_matrix():
    features = torch.rand(2, 3, 4, 5)
    torch.testing.assert_close(
        flattens_what_is_left(features, torch.ones(2, 1, 4, 5)), gram_matrix(features)
    )


def does_not_divide(features, mask):
    flat = (features * mask).flatten(2)
    return flat @ flat.mT


def forgets_the_batch(features, mask):
    flat = (features * mask).transpose(0, 1).flatten(1)
    return flat @ flat.T / (features.shape[1] * mask.sum())


def multiplies_pixels_with_pixels(features, mask):
    flat = (features * mask).flatten(2)
    return flat.mT @ flat / (features.shape[1] * counted(mask))


def subtracts_the_mean(features, mask):
    mean = (features * mask).sum(dim=(2, 3), keepdim=True) / counted(mask)[..., None]
    return flattens_what_is_left(features - mean, mask)


def multiplies_means(features, mask):
    mean = (features * mask).flatten(2).sum(2) / counted(mask)[..., 0]
    return mean[:, :, None] * mean[:, None, :] / features.shape[1]


def cuts_features_together(features, mask):
    picked = features[mask.bool().expand_as(features)].view(features.shape[1], -1)
    return (picked @ picked.T / picked.numel()).expand(len(features), -1, -1)


def views_instead_of_flattening(features, mask):
    """Channels and pixels get mixed up."""
    flat = (features * mask).permute(0, 2, 3, 1).reshape(features.flatten(2).shape)
    return flat @ flat.mT / (features.shape[1] * counted(mask))


test_gram_of_part_mistakes = refuses(
    check_gram_of_part,
    {
        "This is the Gram matrix": lambda features, _: gram_matrix(features),
        "Divided by all h * w pixels": lambda features, mask: gram_matrix(features * mask),
        "Not divided: the matrix would grow": does_not_divide,
        "Divided by the pixels alone": lambda features, mask: (
            does_not_divide(features, mask) / counted(mask)
        ),
        "Divided by the channels alone": lambda features, mask: (
            does_not_divide(features, mask) / features.shape[1]
        ),
        "This divides by the pixels": lambda features, mask: (
            does_not_divide(features, mask) / (features.shape[1] * mask.sum())
        ),
        "the first picture's number of pixels": lambda features, mask: (
            does_not_divide(features, mask) / (features.shape[1] * mask[0].sum())
        ),
        "This is one matrix for": forgets_the_batch,
        "This is the matrix of": lambda features, mask: flattens_what_is_left(features, mask)[
            0
        ],
        "Pixels are multiplied with pixels": multiplies_pixels_with_pixels,
        "This is a covariance: a": subtracts_the_mean,
        "This is the product of": multiplies_means,
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
    flat = (features * mask).flatten(2)
    return flat @ flat.detach().mT / (features.shape[1] * counted(mask))


test_a_gram_through_which_no_gradient_comes_back = refuses(
    check_gram_of_part,
    lambda features, mask: flattens_what_is_left(features.detach(), mask),
    detaches_one_factor,
    torch.no_grad()(flattens_what_is_left),
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


def by_size(size):
    """An answer that takes another size of the weighted gradients than their norm."""
    return lambda terms, weights, sr: relative(
        {name: size(weights[name] * slope_of(term, sr)) for name, term in terms.items()}
    )


asks_for_each = by_size(lambda slope: slope.norm().item())


def empties_the_gradient(terms, weights, sr):
    sr = sr.detach().clone().requires_grad_()
    pulls = {}
    for name, term in terms.items():
        sr.grad = None
        (weights[name] * term(sr)).backward()
        pulls[name] = sr.grad.norm().item()
    return relative(pulls)


def takes_a_new_leaf(terms, weights, sr):
    pulls = {}
    for name, term in terms.items():
        leaf = sr.detach().clone().requires_grad_()
        (weights[name] * term(leaf)).backward()
        pulls[name] = leaf.grad.norm()
    return relative(pulls)


class ByName:
    """Terms as ``make_ledger`` wants them."""

    def __init__(self, terms, weights):
        self.terms, self.weights = terms, weights

    def raw(self, sr, hr, names):  # noqa: ARG002
        return {name: self.terms[name](sr) for name in names}


test_shares_done = takes(
    check_shares,
    asks_for_each,
    empties_the_gradient,
    takes_a_new_leaf,
    lambda terms, weights, sr: {
        name: entry.share for name, entry in make_ledger(ByName(terms, weights), sr, sr).items()
    },
)


def lets_gradients_pile_up(terms, weights, sr):
    leaf = sr.detach().clone().requires_grad_()
    pulls = {}
    for name, term in terms.items():
        (weights[name] * term(leaf)).backward(retain_graph=True)
        pulls[name] = leaf.grad.norm()
    return relative(pulls)


def gives_a_list(terms, weights, sr):
    return list(asks_for_each(terms, weights, sr).values())


def leaves_out_what_is_off(terms, weights, sr):
    shares = asks_for_each(terms, weights, sr)
    return {name: share for name, share in shares.items() if share}


test_shares_mistakes = refuses(
    check_shares,
    {
        ("1.0", "Each gradient holds the ones before"): lets_gradients_pile_up,
        ("1.0", "shares of the values"): lambda terms, weights, sr: relative(
            {n: weights[n] * term(sr).item() for n, term in terms.items()}
        ),
        ("1.0", "squared norms"): by_size(lambda slope: slope.square().sum().item()),
        ("1.0", "mean |gradient|"): by_size(lambda slope: slope.abs().mean()),
        ("1.0", "the largest slope"): by_size(lambda slope: slope.abs().max()),
        ("1.0", "The weights have no effect"): lambda terms, weights, sr: asks_for_each(
            terms, dict.fromkeys(weights, 1), sr
        ),
        ("1.0", "the weights' own shares"): lambda _terms, weights, _: relative(weights),
        ("1.0", "pulls, not shares"): lambda terms, weights, sr: {
            n: weights[n] * slope_of(term, sr).norm() for n, term in terms.items()
        },
        ("1.0", "The weights were divided by"): lambda terms, weights, sr: relative(
            {n: slope_of(t, sr).norm() / (weights[n] or 1e9) for n, t in terms.items()}
        ),
        ("1.0", "the norm of the sum"): lambda terms, weights, sr: {
            n: weights[n]
            * slope_of(term, sr).norm()
            / sum(weights[m] * slope_of(terms[m], sr) for m in terms).norm()
            for n, term in terms.items()
        },
        ("1.0", "The names are missing"): gives_a_list,
        ("'tv': 0", "not the names of the terms"): leaves_out_what_is_off,
        ("1.0", "backward() adds to sr.grad and"): lambda terms, *_: dict.fromkeys(terms, 0.5),
        ("1.0", "An argument is not what"): first(
            lambda *given: given[2].mul_(0.5), asks_for_each
        ),
        ("1.0", "one of the shares is no number"): lambda terms, *_: dict.fromkeys(
            terms, "half"
        ),
    },
)


@pytest.mark.parametrize(
    ("answer", "case"),
    [
        (lets_gradients_pile_up, "in this order: weights {'pixel': 1.0"),
        (lambda terms, *_: dict(zip(terms, (0.25, 0.75))), "in this order: "),  # noqa: B905
        (by_size(lambda slope: slope.square().sum().item()), "weights {'pixel': 1.0"),
        (gives_a_list, "weights {'pixel': 1.0"),
        (lambda *_: None, "weights {'pixel': 1.0"),
    ],
)
def test_only_shares_that_depend_on_the_order_say_so(answer, case: str):
    assert check_shares(answer).case.startswith(case)


def leaves_requires_grad_on(terms, weights, sr):
    sr.requires_grad_()
    pulls = {n: torch.autograd.grad(weights[n] * t(sr), sr)[0].norm() for n, t in terms.items()}
    return relative(pulls)


def leaves_a_gradient(terms, weights, sr):
    sr.requires_grad_()
    pulls = {}
    for name, term in terms.items():
        sr.grad = None
        (weights[name] * term(sr)).backward()
        pulls[name] = sr.grad.norm().item()
    sr.requires_grad_(False)
    return relative(pulls)


test_shares_leave_everything_as_it_was = refuses(
    check_shares,
    {
        "^requires_grad is not as it was$": leaves_requires_grad_on,
        "^grad is not as it was$": leaves_a_gradient,
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


def knows_sgd_by_name(name, factor):
    return factor if name == "SGD" else 1.0


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
            knows_sgd_by_name,
            lambda name, factor: walks(name, factor) if name == "SGD" else 1.0,
            lambda name, factor: walks("Adam" if name == "ASGD" else name, factor),
        ),
        ("SGD", "SGD does follow"): lambda *_: 1.0,
        ("SGD", "upside down"): lambda name, factor: 1 / walks(name, factor),
        ("SGD", "was still there"): walks_on,
        ("Adam", "x = torch.ones"): (lambda *_: 10.0, lambda *_: "one"),
    },
)


def test_a_ledger_gives_the_same_shares():
    generator = torch.Generator().manual_seed(0)
    sr = torch.rand(1, 3, 6, 5, generator=generator)
    terms = {"tv": tv_loss, "mean": lambda x: 7 * (x.mean() - 2).square()}
    weights = {"tv": 1.0, "mean": 2.0}
    ledger = make_ledger(ByName(terms, weights), sr, sr)
    found = {name: entry.share for name, entry in ledger.items()}
    assert asks_for_each(terms, weights, sr) == pytest.approx(found, rel=1e-4)
