"""An optimizer that learns more from each step: Muon, beside Adam.

Adam scales each number of a kernel by itself. Muon looks at a kernel as a
whole: it moves as far in every direction that the gradient names, in the rare
ones too, which Adam passes over.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

MOMENTUM = 0.95
BETAS, EPSILON = (0.9, 0.999), 1e-8  # Adam's own
NARROWEST = 16
"""Layers with fewer channels speak pixels; Adam moves them, and every bias."""
STEP_LIKE_ADAMS = 0.2
"""How far Adam moves a weight on average, in learning rates (Liu et al. 2025)."""


class Muon(Optimizer):
    """Kernels between features move by their momentum, made orthogonal; others by Adam.

    Args:
        parameters: of a network.
        lr: learning rate, for both; what suits Adam suits here.

    Source: Jordan et al. 2024 (kellerjordan.github.io/posts/muon), with the
    step's size of Liu et al. 2025 (arXiv 2502.16982). torch's own takes
    matrices alone, where a convolution has four axes.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], lr: float):
        every = list(parameters)
        kernels = [p for p in every if is_inner_kernel(p)]
        others = [p for p in every if not is_inner_kernel(p)]
        groups = [
            {"params": params, "orthogonal": orthogonal}
            for params, orthogonal in ((others, False), (kernels, True))
            if params
        ]
        super().__init__(groups, {"lr": lr})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        with torch.enable_grad():
            loss = closure() if closure else None
        for group in self.param_groups:
            move = _move_as_a_whole if group["orthogonal"] else _move_as_adam
            for parameter in group["params"]:
                if parameter.grad is not None:
                    move(parameter, parameter.grad, self.state[parameter], group["lr"])
        return loss


def is_inner_kernel(parameter: Tensor) -> bool:
    """Whether it is a convolution's kernel with features before and after it."""
    return parameter.dim() == 4 and min(parameter.shape[:2]) >= NARROWEST


def orthogonalized(matrix: Tensor) -> Tensor:
    """The same directions, each of about length 1: U V' of the matrix U S V'.

    Five rounds of Newton and Schulz's iteration bring all but the tiniest
    singular values to between 0.7 and 1.2.

    Args:
        matrix: ``(rows, columns)``, as what is returned.

    Example:
        >>> orthogonalized(torch.diag(torch.tensor([3.0, 1.0]))).diag().round()
        tensor([1., 1.])

    Source: Jordan et al. 2024; the polynomial is theirs.
    """
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.mT if tall else matrix  # (small, large), so that x x' is small
    x = x / (x.norm() + 1e-7)  # no singular value above 1
    for _ in range(5):
        square = x @ x.mT  # (small, small)
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
    return x.mT if tall else x


def _move_as_a_whole(
    kernel: Tensor, gradient: Tensor, state: dict[str, Tensor], rate: float
) -> None:
    """One step of Muon with Nesterov's momentum."""
    if not state:
        state["step"], state["exp_avg"] = torch.zeros(()), torch.zeros_like(kernel)
    state["step"] += 1
    average = state["exp_avg"].lerp_(gradient, 1 - MOMENTUM)
    direction = gradient.lerp(average, MOMENTUM).flatten(1)  # (out, in * k * k)
    length = STEP_LIKE_ADAMS * max(direction.shape) ** 0.5
    kernel.sub_(orthogonalized(direction).view_as(kernel), alpha=rate * length)


def _move_as_adam(
    parameter: Tensor, gradient: Tensor, state: dict[str, Tensor], rate: float
) -> None:
    """One step of Adam (Kingma & Ba 2015)."""
    if not state:
        state["step"] = torch.zeros(())
        state["exp_avg"] = torch.zeros_like(parameter)
        state["exp_avg_sq"] = torch.zeros_like(parameter)
    state["step"] += 1
    steps, (slow, slower) = int(state["step"]), BETAS
    average = state["exp_avg"].lerp_(gradient, 1 - slow)
    square = state["exp_avg_sq"].lerp_(gradient.square(), 1 - slower)
    spread = (square / (1 - slower**steps)).sqrt() + EPSILON
    parameter.addcdiv_(average, spread, value=-rate / (1 - slow**steps))
