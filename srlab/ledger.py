"""Who pulls how hard: each term's share of the gradient at the network's output."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from srlab.require import require_known


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

    Source: built by srlab; used from lesson 05 on.
    """
    sr = sr.detach().requires_grad_()
    with torch.enable_grad():
        raw = loss.raw(sr, hr, list(loss.weights))
        pulls = {name: _norm_of_gradient(term, sr) for name, term in raw.items()}
    weighted = {name: loss.weights[name] * pull for name, pull in pulls.items()}
    total = sum(weighted.values())
    return {
        name: Entry(
            loss.weights[name],
            term.item(),
            pulls[name],
            weighted[name] / total if total else 0.0,
        )
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

    Source: built by srlab; used from lesson 05 on.
    """
    require_known(shares, ledger)
    wanted = {name: share for name, share in shares.items() if share}
    _require_possible(ledger, wanted)
    first = next(iter(wanted))
    unit = (ledger[first].weight or 1.0) * ledger[first].pull / wanted[first]
    return {
        name: unit * wanted[name] / entry.pull if name in wanted else 0.0
        for name, entry in ledger.items()
    }


def _norm_of_gradient(term: Tensor, sr: Tensor) -> float:
    (gradient,) = torch.autograd.grad(term, sr, retain_graph=True)
    return gradient.norm().item()


def _require_possible(ledger: Mapping[str, Entry], wanted: Mapping[str, float]) -> None:
    """Raise unless some weights can give the shares that are wanted."""
    if not wanted or not all(0 < share < math.inf for share in wanted.values()):
        raise ValueError(
            f"Shares must be 0 or more, and one at least above it, "
            f"but {dict(wanted) or 'only zeros'} came."
        )
    still = [name for name in wanted if not 0 < ledger[name].pull < math.inf]
    if still:
        raise ValueError(
            f"{', '.join(still)} has no gradient here, so no weight gives it a share; "
            f"train a few steps first, or leave it out."
        )
