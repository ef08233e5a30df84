"""The checks of lesson 05 take the right answer, refuse wrong ones, and say why."""

import pytest
import torch
import torch.nn.functional as F

from srlab.checks import check_balance, check_gram_of_part, check_isotropic_tv
from srlab.losses import balanced_weights, gram_matrix, make_ledger, tv_loss
from tests.answering import first, last, refused, refuses, takes

# Exercise 1 ----------------------------------------------------------------------------


def steps(images):
    here = images[..., :-1, :-1]
    return images[..., :-1, 1:] - here, images[..., 1:, :-1] - here


def by_steps(combine):
    """An answer that combines the steps of each pixel to the right and downwards."""
    return lambda images, eps: combine(*steps(images), eps)


def takes_the_length(images, eps):
    right, down = steps(images)
    return (right**2 + down**2 + eps**2).sqrt().mean()


def takes_the_length_by_a_norm(images, eps):
    right, down = steps(images)
    sides = torch.stack([right, down, torch.full_like(right, eps)])
    return torch.linalg.vector_norm(sides, dim=0).mean()


test_isotropic_tv_done = takes(check_isotropic_tv, takes_the_length, takes_the_length_by_a_norm)


def test_isotropic_tv_by_hand():
    """Steps of 3 and 4 are one of length 5."""
    picture = torch.tensor([[[[0.0, 3.0], [4.0, 9.0]]]])
    assert takes_the_length(picture, 0.0).item() == 5


sums = by_steps(lambda r, d, eps: (r**2 + d**2 + eps**2).sqrt().sum())
gives_one_for_each_picture = by_steps(
    lambda r, d, eps: (r**2 + d**2 + eps**2).sqrt().mean(dim=(1, 2, 3))
)
detaches_one_axis = by_steps(lambda r, d, eps: (r**2 + d.detach() ** 2 + eps**2).sqrt().mean())


def rolls_round_the_border(images, eps):
    right, down = torch.roll(images, -1, 3) - images, torch.roll(images, -1, 2) - images
    return (right**2 + down**2 + eps**2).sqrt().mean()


def pads_the_border_with_no_step(images, eps):
    right = F.pad(images.diff(dim=-1), (0, 1))
    down = F.pad(images.diff(dim=-2), (0, 0, 0, 1))
    return (right**2 + down**2 + eps**2).sqrt().mean()


def pairs_steps_of_different_pixels(images, eps):
    right, down = images.diff(dim=-1)[..., :-1, :], images.diff(dim=-2)[..., 1:]
    return (right**2 + down**2 + eps**2).sqrt().mean()


def gives_a_float(images, eps):
    return takes_the_length(images, eps).item()


cuts_the_way_back = torch.no_grad()(takes_the_length)


def steps_across_the_corner(images, eps):
    corner = images[..., 1:, 1:] - images[..., :-1, :-1]
    return (corner**2 + eps**2).sqrt().mean()


def knows_only_square_pictures(images, eps):
    side = min(images.shape[-2:])
    return takes_the_length(images[..., :side, :side], eps)


test_isotropic_tv_mistakes = refuses(
    check_isotropic_tv,
    {
        "This is tv_loss, which takes": lambda images, _: tv_loss(images),
        "The axes are still apart": by_steps(lambda r, d, _: r.abs().mean() + d.abs().mean()),
        "This is a sum: a": sums,
        "These are squared lengths: one": (
            by_steps(lambda r, d, eps: (r**2 + d**2 + eps**2).mean())
        ),
        "This is the root of": by_steps(lambda r, d, eps: (r**2 + d**2 + eps**2).mean().sqrt()),
        "roll goes around": rolls_round_the_border,
        "Pixels with only one neighbor": pads_the_border_with_no_step,
        "The two steps under one": pairs_steps_of_different_pixels,
        "eps has the unit of": by_steps(lambda r, d, eps: (r**2 + d**2 + eps).sqrt().mean()),
        "eps stands outside the root": (
            by_steps(lambda r, d, eps: ((r**2 + d**2).sqrt() + eps).mean())
        ),
        "eps has no effect here": by_steps(lambda r, d, _: (r**2 + d**2).sqrt().mean()),
        "The steps are not squared": (
            by_steps(lambda r, d, eps: (r.abs() + d.abs() + eps).sqrt().mean())
        ),
        "steps to the right alone": by_steps(lambda r, _, eps: (r**2 + eps**2).sqrt().mean()),
        "All channels are under one": (
            by_steps(lambda r, d, eps: (r**2 + d**2 + eps**2).sum(dim=1).sqrt().mean())
        ),
        "This is a plain number": gives_a_float,
        "cut the way back": cuts_the_way_back,
        "One number for each picture": gives_one_for_each_picture,
        "both steps start at one pixel": (
            steps_across_the_corner,
            knows_only_square_pictures,
            lambda images, eps: takes_the_length(images[:1], eps),
        ),
        "An argument is not what": first(
            lambda images, _: images.sub_(images.mean()), takes_the_length
        ),
    },
    case="2 pictures of 5 x 7 px",
)


def test_a_fixed_eps_is_seen():
    refused(
        check_isotropic_tv(lambda images, _: takes_the_length(images, 0.1)),
        case="1 picture of 6 x 6 px",
    )


def takes_hypot_twice(images, eps):
    """The right value, with a slope that is nan where both steps are 0."""
    right, down = images.diff(dim=-1)[..., :-1, :], images.diff(dim=-2)[..., :-1]
    return torch.hypot(torch.hypot(right, down), torch.tensor(eps)).mean()


def forgets_eps_but_hides_it(images, eps):
    right, down = steps(images)
    length = (right**2 + down**2).sqrt()
    return torch.where(length > 0, (length**2 + eps**2).sqrt(), length + eps).mean()


test_the_slope_on_a_flat_picture_is_seen = refuses(
    check_isotropic_tv,
    takes_hypot_twice,
    forgets_eps_but_hides_it,
    hint="The value is right, but",
    case="a flat picture",
    got="^0.001, nan$",
)


def turns_the_slope_round(images, eps):
    """The right value, and steps of the right size in the wrong direction."""
    loss = takes_the_length(images, eps)
    return 2 * loss.detach() - loss


test_isotropic_tv_with_another_gradient = refuses(
    check_isotropic_tv,
    turns_the_slope_round,
    detaches_one_axis,
)


# Exercise 2 ----------------------------------------------------------------------------


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
        "must add nothing to the sums": (
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


# Exercise 3 ----------------------------------------------------------------------------


def slope_of(term, sr):
    sr = sr.detach().clone().requires_grad_()
    (slope,) = torch.autograd.grad(term(sr), sr)
    return slope


def starts_with_one(weights):
    first = next(weight for weight in weights.values() if weight)
    return {name: weight / first for name, weight in weights.items()}


def balances(terms, sr, shares):
    return starts_with_one(
        {name: shares[name] / slope_of(term, sr).norm() for name, term in terms.items()}
    )


def balances_with_backward(terms, sr, shares):
    sr = sr.clone().requires_grad_()
    weights = {}
    for name, term in terms.items():
        sr.grad = None
        term(sr).backward()
        weights[name] = shares[name] / sr.grad.norm().item()
    return starts_with_one(weights)


def balances_and_tidies_up(terms, sr, shares):
    sr.requires_grad_()
    try:
        norms = {n: torch.autograd.grad(t(sr), sr)[0].norm() for n, t in terms.items()}
    finally:
        sr.requires_grad_(False)
    return starts_with_one({name: shares[name] / norm for name, norm in norms.items()})


def balances_with_torch_func(terms, sr, shares):
    slopes = {name: torch.func.grad(term)(sr) for name, term in terms.items()}
    return starts_with_one({n: shares[n] / slope.norm() for n, slope in slopes.items()})


class ByName:
    """Terms as ``make_ledger`` wants them."""

    def __init__(self, terms):
        self.terms, self.weights = terms, dict.fromkeys(terms, 0.0)

    def raw(self, sr, hr, names):  # noqa: ARG002
        return {name: self.terms[name](sr) for name in names}


test_balance_done = takes(
    check_balance,
    balances,
    balances_with_backward,
    balances_and_tidies_up,
    balances_with_torch_func,
    lambda terms, sr, shares: balanced_weights(make_ledger(ByName(terms), sr, sr), shares),
    lambda terms, sr, shares: dict(reversed(balances(terms, sr, shares).items())),
)


def multiplies_by_the_norm(terms, sr, shares):
    norms = {name: slope_of(term, sr).norm().item() for name, term in terms.items()}
    return starts_with_one({name: shares[name] * norm for name, norm in norms.items()})


def by_size(size):
    """An answer that takes another size of the gradients than their norm."""

    def balance(terms, sr, shares):
        sizes = {name: size(slope_of(term, sr)) for name, term in terms.items()}
        return starts_with_one({name: shares[name] / sizes[name] for name in terms})

    return balance


def lets_gradients_pile_up(terms, sr, shares):
    sr.requires_grad_()
    weights = {}
    for name, term in terms.items():
        term(sr).backward()
        weights[name] = shares[name] / sr.grad.norm().item()
    return starts_with_one(weights)


def makes_the_weights_sum_to_one(terms, sr, shares):
    weights = balances(terms, sr, shares)
    return {name: weight / sum(weights.values()) for name, weight in weights.items()}


def gives_a_list(terms, sr, shares):
    return list(balances(terms, sr, shares).values())


def leaves_out_what_is_off(terms, sr, shares):
    return {name: weight for name, weight in balances(terms, sr, shares).items() if weight}


def starts_with_one_though_it_is_off(terms, sr, shares):
    weights = balances(terms, sr, shares)
    return {**weights, next(iter(weights)): 1.0}


test_balance_mistakes = refuses(
    check_balance,
    {
        ("30", "These are the shares themselves"): (
            lambda _, _sr, shares: shares,
            lambda _, _sr, shares: starts_with_one(
                {name: float(share) for name, share in shares.items()}
            ),
        ),
        ("30", "Balanced by the values"): lambda terms, sr, shares: starts_with_one(
            {n: shares[n] / term(sr).item() for n, term in terms.items()}
        ),
        ("30", "Here a term that pulls"): multiplies_by_the_norm,
        ("30", "These are squared norms"): by_size(lambda slope: slope.square().sum()),
        ("30", "This is the mean |gradient|"): by_size(lambda slope: slope.abs().mean()),
        ("30", "This is the largest slope"): by_size(lambda slope: slope.abs().max()),
        ("30", "backward() adds to sr.grad"): lets_gradients_pile_up,
        ("30", "All weights are equal; so"): lambda terms, _, shares: {
            name: 1.0 if shares[name] else 0.0 for name in terms
        },
        ("30", "All shares are equal"): lambda terms, sr, _: balances(
            terms, sr, dict.fromkeys(terms, 1)
        ),
        ("30", "The shares are right, but"): lambda terms, sr, shares: {
            name: shares[name] / slope_of(term, sr).norm() for name, term in terms.items()
        },
        ("30", "not the first weight"): makes_the_weights_sum_to_one,
        ("30", "The names are missing: this"): gives_a_list,
        ("'bright': 0", "Terms that are off have"): leaves_out_what_is_off,
        ("'bright': 0", ""): starts_with_one_though_it_is_off,
        ("30", "An argument is not what"): first(lambda *given: given[1].mul_(0.5), balances),
    },
)


def leaves_requires_grad_on(terms, sr, shares):
    sr.requires_grad_()
    norms = {n: torch.autograd.grad(t(sr), sr)[0].norm() for n, t in terms.items()}
    return starts_with_one({name: shares[name] / norm for name, norm in norms.items()})


def leaves_a_gradient(terms, sr, shares):
    sr.requires_grad_()
    weights = {}
    for name, term in terms.items():
        sr.grad = None
        term(sr).backward()
        weights[name] = shares[name] / sr.grad.norm().item()
    sr.requires_grad_(False)
    return starts_with_one(weights)


test_balance_leaves_everything_as_it_came = refuses(
    check_balance,
    {
        "^requires_grad is not as it was$": leaves_requires_grad_on,
        "^grad is not as it was$": leaves_a_gradient,
        "^the function changed what it was given$": last(
            balances, lambda *given: given[-1].clear()
        ),
        "^a str, not a number, as a weight$": lambda terms, sr, shares: {
            name: str(float(weight)) for name, weight in balances(terms, sr, shares).items()
        },
    },
    case="30",
    hint="",
)


def test_the_weights_give_the_shares():
    generator = torch.Generator().manual_seed(0)
    sr = torch.rand(1, 3, 6, 5, generator=generator)
    terms = {"tv": tv_loss, "mean": lambda x: 7 * (x.mean() - 2).square()}
    shares = {"tv": 25, "mean": 75}
    loss = ByName(terms)
    loss.weights = balances(terms, sr, shares)
    found = {name: 100 * entry.share for name, entry in make_ledger(loss, sr, sr).items()}
    assert found == pytest.approx(shares, rel=1e-4)
