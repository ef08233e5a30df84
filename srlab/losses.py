"""Losses: what a training makes small. Scalars from sr and hr of one shape."""

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from srlab.features import FeatureExtractor
from srlab.metrics import luma
from srlab.require import require_known, require_same_shape, require_share, require_side

Term = Callable[[Tensor, Tensor], Tensor]
EXPANDED_TERMS = ("pixel", "content", "style", "tv")
"""Of the expanded loss, in the order in which they are shown.

Source: lesson 05.
"""

WINDOW = 32
"""Side of the patches that ``log_spectrum`` looks through, px; they overlap by half."""
GRAY_LEVEL = 1 / 255
"""Noise of so much hides what is weaker; so a flat sky asks for nothing."""


def l1_loss(sr: Tensor, hr: Tensor) -> Tensor:
    """Mean absolute difference: every pixel's error counts as it is.

    Args:
        sr, hr: ``(N, C, h, w)``.

    Returns:
        A scalar; 0.01 is an average error of 2.55 gray levels of 255.

    Example:
        >>> import torch
        >>> l1_loss(torch.zeros(1, 3, 2, 2), torch.ones(1, 3, 2, 2)).item()
        1.0

    Source: lesson 01.
    """
    require_same_shape(sr, hr)
    return (sr - hr).abs().mean()  # over pictures, channels and places: a scalar


def l2_loss(sr: Tensor, hr: Tensor) -> Tensor:
    """Mean squared difference: a doubled error counts four times.

    Args:
        sr, hr: ``(N, C, h, w)``.

    Returns:
        A scalar, the MSE that PSNR is made of.

    Source: lesson 01.
    """
    require_same_shape(sr, hr)
    return (sr - hr).square().mean()  # a scalar


class WeightedLoss(nn.Module):
    """A visible sum of named terms, each with a weight.

    The weights may change between steps of a running training. A term of
    weight 0 is not computed.

    Args:
        terms: name -> function of ``(sr, hr)``.
        weights: name -> weight; a missing one is 0.

    Raises:
        ValueError: if a weight names no term.

    Example:
        >>> import torch
        >>> loss = WeightedLoss({"l1": l1_loss, "l2": l2_loss}, {"l1": 1.0})
        >>> loss(torch.zeros(1, 3, 2, 2), torch.ones(1, 3, 2, 2))
        {'l1': tensor(1.)}

    Source: lesson 01; lesson 05 adds terms.
    """

    def __init__(self, terms: Mapping[str, Term], weights: Mapping[str, float]):
        super().__init__()
        require_known(weights, terms)
        self.terms = dict(terms)
        self.weights = {name: weights.get(name, 0.0) for name in terms}

    def forward(self, sr: Tensor, hr: Tensor) -> dict[str, Tensor]:
        """name -> weighted term; their sum is what the training minimizes."""
        active = {name: weight for name, weight in self.weights.items() if weight}
        return {name: weight * self.terms[name](sr, hr) for name, weight in active.items()}


def pixel_loss(mix: float = 0.0) -> WeightedLoss:
    """L1 and L2 in one, as a sum whose weights can move.

    Args:
        mix: 0 is L1 alone, 1 is L2 alone.

    Source: lesson 01. L2 is counted ten times, since the square of a typical
    error of 0.05 is twenty times smaller than the error, and its derivative
    ten times.
    """
    return WeightedLoss({"l1": l1_loss, "l2": l2_loss}, mix_weights(mix))


def mix_weights(mix: float) -> dict[str, float]:
    """The weights of L1 and L2 for a mix between 0 (L1) and 1 (L2).

    Raises:
        ValueError: if ``mix`` is not between 0 and 1.

    Example:
        >>> mix_weights(0.5)
        {'l1': 0.5, 'l2': 5.0}

    Source: lesson 01.
    """
    require_share(mix, "mix")
    return {"l1": 1 - mix, "l2": 10 * mix}


def content_loss(
    sr_features: Mapping[str, Tensor],
    hr_features: Mapping[str, Tensor],
    layer_weights: Mapping[str, float],
) -> Tensor:
    """How differently a feature extractor sees two pictures.

    ``sum of layer_weights[l] * mean |sr_features[l] - hr_features[l]|``

    Args:
        sr_features, hr_features: layer -> ``(N, F, h, w)``.
        layer_weights: layer -> weight; each of the layers is in both.

    Returns:
        A scalar.

    Example:
        >>> import torch
        >>> seen, wanted = torch.zeros(1, 2, 3, 3), torch.ones(1, 2, 3, 3)
        >>> content_loss({"relu2_2": seen}, {"relu2_2": wanted}, {"relu2_2": 0.5})
        tensor(0.5000)

    Source: lesson 02; "feature reconstruction loss" in Johnson et al. 2016,
    who square the differences; the absolute value is fast.ai's.
    """
    terms = [  # a scalar for each layer
        weight * l1_loss(sr_features[name], hr_features[name])
        for name, weight in layer_weights.items()
    ]
    return torch.stack(terms).sum()


class ContentLoss(nn.Module):
    """``content_loss`` of two pictures, through a feature extractor.

    Args:
        extractor: a frozen network.
        layer_weights: layer -> weight, which may change between steps of a
            running training; a missing one is 0. Deeper layers than the last
            with a weight are not computed.

    Raises:
        ValueError: if a weight names a layer that the extractor does not give.

    Example:
        >>> import torch
        >>> loss = ContentLoss(FeatureExtractor(["relu1_2"]), {"relu1_2": 1.0})
        >>> same = torch.rand(1, 3, 16, 16)
        >>> loss(same, same)
        tensor(0.)

    Source: lesson 02.
    """

    def __init__(self, extractor: FeatureExtractor, layer_weights: Mapping[str, float]):
        require_known(layer_weights, extractor.places, "layer")
        super().__init__()
        self.extractor = extractor
        self.layer_weights = {name: layer_weights.get(name, 0.0) for name in extractor.places}

    def forward(self, sr: Tensor, hr: Tensor) -> Tensor:
        active = {name: weight for name, weight in self.layer_weights.items() if weight}
        if not active:
            return sr.new_zeros(())
        with torch.no_grad():  # the truth is a constant
            wanted = self.extractor(hr, active)
        return content_loss(self.extractor(sr, active), wanted, active)


def gram_matrix(features: Tensor) -> Tensor:
    """Which channels are strong together, wherever in the picture.

    ``G[i, j] = sum over pixels of features[i] * features[j] / (F * h * w)``

    Args:
        features: ``(N, F, h, w)``.

    Returns:
        ``(N, F, F)``, symmetric; moving pixels about leaves it as it is.

    Example:
        >>> import torch
        >>> gram_matrix(torch.ones(1, 2, 3, 3))
        tensor([[[0.5000, 0.5000],
                 [0.5000, 0.5000]]])

    Source: lesson 05; Gatys et al. 2016, divided by F * h * w as in Johnson
    et al. 2016. Its trace is the mean square of the features, and its norm
    depends neither on the size of the map nor on the number of channels.
    """
    flat = features.flatten(2)  # (N, F, h * w)
    size = flat.shape[1] * flat.shape[2]
    with torch.autocast(features.device.type, enabled=False):  # sums want all digits
        return flat @ flat.mT / size  # (N, F, F)


def style_loss(
    sr_features: Mapping[str, Tensor],
    hr_features: Mapping[str, Tensor],
    layer_weights: Mapping[str, float],
) -> Tensor:
    """How differently two pictures are textured, wherever the texture lies.

    ``sum of layer_weights[l] * mean |G(sr_features[l]) - G(hr_features[l])|``

    Args:
        sr_features, hr_features: layer -> ``(N, F, h, w)``.
        layer_weights: layer -> weight; each of the layers is in both.

    Returns:
        A scalar.

    Source: lesson 05; Johnson et al. 2016 sum the squared differences, the
    mean of absolute values is fast.ai's. Over F * F entries it lets a wide
    layer count less; the layer weights can make up for that.
    """
    # (N, F, F) of each layer, so what is compared no longer knows where anything lies
    sr_grams = {name: gram_matrix(sr_features[name]) for name in layer_weights}
    hr_grams = {name: gram_matrix(hr_features[name]) for name in layer_weights}
    return content_loss(sr_grams, hr_grams, layer_weights)


def tv_loss(sr: Tensor) -> Tensor:
    """Total variation: the mean step from a pixel to the next.

    ``mean |step to the right| + mean |step downwards|``

    Args:
        sr: ``(N, C, h, w)``, at least 2 px on each side.

    Returns:
        A scalar; 0 for a flat picture. It knows no truth.

    Example:
        >>> import torch
        >>> tv_loss(torch.tensor([[[[0.0, 1.0], [0.0, 1.0]]]]))
        tensor(1.)

    Source: lesson 05; after Rudin, Osher & Fatemi 1992, along both axes apart.
    """
    right = sr[..., :, 1:] - sr[..., :, :-1]  # (N, C, h, w - 1)
    down = sr[..., 1:, :] - sr[..., :-1, :]  # (N, C, h - 1, w)
    return right.abs().mean() + down.abs().mean()


def log_spectrum(images: Tensor) -> Tensor:
    """How much of each frequency is in a picture, wherever it lies.

    The luma's patches of 32 px fade out towards their borders. The energy of
    each frequency is averaged over them, and its logarithm taken. What noise
    of one gray level has is added before, so that faint things count little.

    Args:
        images: ``(N, 3, h, w)``, RGB in [0, 1], at least 32 px on each side.

    Returns:
        ``(N, 32, 17)``: by frequency downwards and to the right, in 1/32
        cycle per px; a factor of 2 in energy is 0.69 more.

    Raises:
        ValueError: if the pictures are smaller.

    Source: Welch 1967 averages spectra so.
    """
    require_side(images, WINDOW, "a spectrum")
    patches = luma(images.float())[:, 0].unfold(1, WINDOW, WINDOW // 2)  # (N, rows, w, 32)
    patches = patches.unfold(2, WINDOW, WINDOW // 2)  # (N, rows, columns, 32, 32)
    # Or the window would turn brightness into waves
    patches = patches - patches.mean((-2, -1), keepdim=True)
    hann = torch.hann_window(WINDOW, periodic=False, device=images.device)
    window = torch.outer(hann, hann)  # (32, 32)
    energy = torch.fft.rfft2(patches * window).abs().square().mean((1, 2))  # (N, 32, 17)
    # Beside it what noise of one gray level has at each frequency; so 0 has a logarithm, too
    return (energy + GRAY_LEVEL**2 * window.square().sum()).log()


def spectrum_loss(sr: Tensor, hr: Tensor) -> Tensor:
    """How differently strong the frequencies of two pictures are.

    ``mean over frequencies of |log E(sr) - log E(hr)|``, with E the energy at
    each that ``log_spectrum`` finds. A blur lacks the fine ones, and a grid or
    a weave has too much at some; both count alike, and nothing counts where
    the detail lies. That is what pixel is for.

    Args:
        sr, hr: ``(N, 3, h, w)``, RGB in [0, 1], at least 32 px on each side.

    Returns:
        A scalar; 0.69 if each frequency has half or twice the energy.

    Raises:
        ValueError: if the shapes differ, or the pictures are smaller.

    Example:
        >>> import torch
        >>> flat = torch.full((1, 3, 32, 32), 0.5)
        >>> spectrum_loss(flat, flat)
        tensor(0.)

    Source: After the focal frequency loss of Jiang et al. 2021 and the spectral
    regularization of Durall et al. 2020. Here phases do not count, and the
    ratio does instead of the difference, since the energy of a photograph falls
    by a factor of ten thousand towards the finest waves.
    """
    require_same_shape(sr, hr)
    return l1_loss(log_spectrum(sr), log_spectrum(hr))


def feature_losses(
    extractor: FeatureExtractor,
    sr: Tensor,
    hr: Tensor,
    layer_weights: Mapping[str, float],
    names: Collection[str],
) -> dict[str, Tensor]:
    """Content and style of two pictures, from one look at each.

    Args:
        extractor: a frozen network.
        sr, hr: ``(N, 3, h, w)``.
        layer_weights: layer -> weight; layers deeper than the last with a
            weight are not computed.
        names: ``"content"``, ``"style"``, both or neither; others are left
            to whoever knows them.

    Returns:
        name -> scalar; nothing if all layers weigh 0. Without a name the
        extractor rests.

    Source: lesson 05.
    """
    losses = {"content": content_loss, "style": style_loss}
    asked = [name for name in losses if name in names]
    layers = {name: weight for name, weight in layer_weights.items() if weight}
    if not asked or not layers:
        return {}
    with torch.no_grad():  # the truth is a constant
        wanted = extractor(hr, layers)
    seen = extractor(sr, layers)  # layer -> (N, F, h, w); content and style share this look
    return {name: losses[name](seen, wanted, layers) for name in asked}


class ExpandedLoss(nn.Module):
    """Pixel + content + style + total variation: a sum with visible weights.

    All weights may change between steps of a running training. A term of
    weight 0 is not computed; neither are layers deeper than the last with a
    weight, and without content and style the extractor rests.

    Args:
        extractor: a frozen network.
        weights: of ``"pixel"``, ``"content"``, ``"style"`` and ``"tv"``; a
            missing one is 0.
        layer_weights: layer -> weight in content and style; a missing one
            is 0.

    Raises:
        ValueError: for an unknown term or layer.

    Source: lesson 05; the sum is that of fast.ai's lesson 7, with total
    variation added.
    """

    def __init__(
        self,
        extractor: FeatureExtractor,
        weights: Mapping[str, float],
        layer_weights: Mapping[str, float],
    ):
        require_known(weights, EXPANDED_TERMS)
        require_known(layer_weights, extractor.places, "layer")
        super().__init__()
        self.extractor = extractor
        self.weights = {name: weights.get(name, 0.0) for name in EXPANDED_TERMS}
        self.layer_weights = {name: layer_weights.get(name, 0.0) for name in extractor.places}

    def forward(self, sr: Tensor, hr: Tensor) -> dict[str, Tensor]:
        """name -> weighted term; their sum is what the training minimizes."""
        active = {name: weight for name, weight in self.weights.items() if weight}
        raw = self.raw(sr, hr, active)
        return {name: active[name] * term for name, term in raw.items()}

    def raw(self, sr: Tensor, hr: Tensor, names: Collection[str]) -> dict[str, Tensor]:
        """name -> term as it is, without its weight."""
        terms = {}
        if "pixel" in names:
            terms["pixel"] = l1_loss(sr, hr)
        terms |= feature_losses(self.extractor, sr, hr, self.layer_weights, names)
        if "tv" in names:
            terms["tv"] = tv_loss(sr)
        return terms


class SpectralLoss(ExpandedLoss):
    """The expanded loss, and beside it the spectrum.

    Style alone pays for sharpness with a grid, spectrum alone with edges where
    texture should be; together they draw neither.

    It takes what ``ExpandedLoss`` takes; ``weights`` may name ``"spectrum"``, too.
    """

    def __init__(
        self,
        extractor: FeatureExtractor,
        weights: Mapping[str, float],
        layer_weights: Mapping[str, float],
    ):
        others = {name: weight for name, weight in weights.items() if name != "spectrum"}
        super().__init__(extractor, others, layer_weights)
        self.weights["spectrum"] = weights.get("spectrum", 0.0)

    def raw(self, sr: Tensor, hr: Tensor, names: Collection[str]) -> dict[str, Tensor]:
        """name -> term as it is, without its weight."""
        terms = super().raw(sr, hr, names)
        if "spectrum" in names:
            terms["spectrum"] = spectrum_loss(sr, hr)
        return terms


class Terms(Protocol):
    """A loss that gives its terms by name, with and without their weights."""

    weights: dict[str, float]

    def raw(self, sr: Tensor, hr: Tensor, names: list[str], /) -> dict[str, Tensor]:
        """name -> term as it is, without its weight."""


@dataclass(frozen=True)
class Entry:
    """One term of a loss at one moment.

    Args:
        weight: by which the term counts.
        raw: its value without the weight.
        pull: the norm of its gradient with respect to sr, without the weight.
        share: of its weighted gradient norm in the sum of all; 0 to 1.
    """

    weight: float
    raw: float
    pull: float
    share: float

    @property
    def weighted(self) -> float:
        """What the term adds to the loss."""
        return self.weight * self.raw


def make_ledger(loss: Terms, sr: Tensor, hr: Tensor) -> dict[str, Entry]:
    """Value and gradient of each term, those of weight 0 too.

    Args:
        loss: its terms and weights by name.
        sr, hr: ``(N, 3, h, w)``; a few crops are enough.

    Returns:
        name -> entry. The shares sum to 1, unless no term has a weight.
    """
    sr = sr.detach().requires_grad_()  # the gradient ends here, at the picture
    with torch.enable_grad():
        raw = loss.raw(sr, hr, list(loss.weights))
        pulls = {  # the graph stays, since terms share it
            name: torch.autograd.grad(term, sr, retain_graph=True)[0].norm().item()
            for name, term in raw.items()
        }
    weighted = {name: loss.weights[name] * pull for name, pull in pulls.items()}
    total = sum(weighted.values())
    shares = {name: one / total if total else 0.0 for name, one in weighted.items()}
    return {
        name: Entry(loss.weights[name], term.item(), pulls[name], shares[name])
        for name, term in raw.items()
    }


def balanced_weights(
    ledger: Mapping[str, Entry], shares: Mapping[str, float]
) -> dict[str, float]:
    """Weights that give each term the share of the gradient one asks for.

    The first term with a share keeps its weight, or gets 1 if it has none.

    Args:
        ledger: as ``make_ledger`` gives it.
        shares: name -> share, in any unit; terms that are missing get 0.

    Returns:
        name -> weight.

    Raises:
        ValueError: for an unknown term, a share that is negative or no finite
            number, all shares 0, or a term whose gradient is 0 or no finite
            number, which no weight can make pull.
    """
    require_known(shares, ledger)
    wanted = {name: share for name, share in shares.items() if share}
    _require_possible(ledger, wanted)
    first = next(iter(wanted))
    # How hard a share of 1 pulls, so that the first term's weight stays
    unit = (ledger[first].weight or 1.0) * ledger[first].pull / wanted[first]
    return {
        name: unit * wanted[name] / entry.pull if name in wanted else 0.0
        for name, entry in ledger.items()
    }


def _require_possible(ledger: Mapping[str, Entry], wanted: Mapping[str, float]) -> None:
    """Raise unless some weights can give the shares that are wanted."""
    if not wanted or not all(0 < share < math.inf for share in wanted.values()):
        raise ValueError(
            f"Shares must be 0 or more, and one at least above it, "
            f"but got {dict(wanted) or 'only zeros'}."
        )
    still = [name for name in wanted if not 0 < ledger[name].pull < math.inf]
    if still:
        raise ValueError(
            f"{', '.join(still)} has no gradient here, so no weight gives it a share; "
            f"train a few steps first, or leave it out."
        )
