"""Residual blocks whose correction is weighted: fixed, learned, or by a subnet."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import get_total_norm

from srlab.features import Hooks
from srlab.models import SrResNet, evaluating
from srlab.require import require_blocks
from srlab.training import Loss


class WeightedResidualBlock(nn.Module):
    """Two convolutions that compute a correction, and a weight on it.

    ``y = x + weight(conv2(relu(conv1(x))))``

    Args:
        num_features: channels in and out.
        weight: correction -> weighted correction, both ``(N, F, h, w)``; each
            block needs one of its own.

    Example:
        >>> block = WeightedResidualBlock(8, FixedWeight(0.1))
        >>> block(torch.rand(1, 8, 5, 7)).shape
        torch.Size([1, 8, 5, 7])

    Source: lesson 03. Its parameters are called as those of
    ``srlab.models.ResidualBlock``, so one's weights fit the other.
    """

    def __init__(self, num_features: int, weight: nn.Module):
        super().__init__()
        self.conv1 = nn.Conv2d(num_features, num_features, 3, padding=1)
        self.conv2 = nn.Conv2d(num_features, num_features, 3, padding=1)
        self.weight = weight

    def forward(self, x: Tensor) -> Tensor:
        # (N, F, h, w) throughout; the weight is on the correction, never on x
        return x + self.weight(self.conv2(F.relu(self.conv1(x))))


class FixedWeight(nn.Module):
    """One factor, chosen by a person; no training changes it.

    Args:
        value: 1 is the plain residual, 0.1 steadies deep and wide networks.
            It may be changed at any time.

    Example:
        >>> FixedWeight(0.1)(torch.ones(1, 1, 1, 2))
        tensor([[[[0.1000, 0.1000]]]])

    Source: lesson 03; "residual scaling" in Szegedy et al. 2017 and EDSR (Lim
    et al. 2017), also in fast.ai's ``enhance`` notebook.
    """

    def __init__(self, value: float = 1.0):
        super().__init__()
        self.value = value

    def forward(self, correction: Tensor) -> Tensor:
        return self.value * correction


class LearnedWeight(nn.Module):
    """One factor for the block, trained like any parameter, zero at first.

    So a block starts as if it were not there.

    Example:
        >>> LearnedWeight()(torch.ones(1, 1, 1, 2))
        tensor([[[[0., 0.]]]], grad_fn=<MulBackward0>)

    Source: lesson 03; after Shen & Zeng 2016. Differences: theirs is kept
    between -1 and 1, ours is free; their blocks are normalized by batch and
    have a ReLU after the second convolution.
    """

    def __init__(self) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.zeros(()))  # a scalar: one for all channels and places

    def forward(self, correction: Tensor) -> Tensor:
        return self.factor * correction

    @property
    def value(self) -> float:
        """The factor as a number."""
        return self.factor.item()


class ChannelGates(nn.Module):
    """A small network that gives each channel a factor between 0 and 1.

    It looks at the mean of each channel over the whole picture, so the
    factors differ from picture to picture.

    Args:
        num_features: channels.
        reduction: how many times narrower the network's middle is.

    Example:
        >>> ChannelGates(8)(torch.ones(1, 8, 5, 7)).shape
        torch.Size([1, 8, 5, 7])

    Source: lesson 03; squeeze-and-excitation (Hu et al. 2018), placed on the
    correction as in RCAN (Zhang et al. 2018).
    """

    def __init__(self, num_features: int, reduction: int = 4):
        super().__init__()
        middle = max(num_features // reduction, 1)
        self.gates = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),  # (N, F, 1, 1)
            nn.Conv2d(num_features, middle, 1),  # (N, middle, 1, 1): few numbers must do
            nn.ReLU(),
            nn.Conv2d(middle, num_features, 1),  # (N, F, 1, 1)
            nn.Sigmoid(),  # each between 0 and 1
        )
        self.last = torch.full((), torch.nan)  # nothing has been seen yet

    def forward(self, correction: Tensor) -> Tensor:
        gates = self.gates(correction)  # (N, F, 1, 1)
        self.last = gates.detach()  # to look at; without the graph, which would fill the memory
        return gates * correction  # (N, F, h, w): one factor for all places of a channel

    @property
    def value(self) -> float:
        """The mean of the last gates, over pictures and channels."""
        return self.last.float().mean().item()


def spread_by_block(model: SrResNet, lr: Tensor) -> list[float]:
    """How large the features are after each block.

    The model stays as it was, and no hook stays on it.

    Args:
        model: its blocks are ``model.body``.
        lr: ``(N, 3, h, w)``.

    Returns:
        The standard deviation of all values that each block gives, from the
        first block to the last.

    Raises:
        ValueError: if the model has no blocks.

    Example:
        >>> len(spread_by_block(SrResNet(4, 8, 3), torch.rand(1, 3, 6, 6)))
        3

    Source: lesson 03.
    """
    require_blocks(model)
    blocks = {str(number): block for number, block in enumerate(model.body)}
    with evaluating(model), torch.no_grad(), Hooks(blocks) as hooks:
        model(lr)  # the hooks keep what each block gives, (N, F, h, w)
    return [hook.output.float().std().item() for hook in hooks.values()]


def gradient_by_block(model: SrResNet, pair: tuple[Tensor, Tensor], loss: Loss) -> list[float]:
    """How strongly a loss asks each block to change.

    The model stays as it was: no gradient is stored in it. A network that
    has just been made gives zeros, because its last convolution is zero and
    lets no gradient through; ask after the first step of a training.

    Args:
        model: its blocks are ``model.body``.
        pair: ``(lr, hr)``.
        loss: ``(sr, hr)`` -> named terms.

    Returns:
        The norm of the gradient with respect to all parameters of a block,
        from the first block to the last.

    Raises:
        ValueError: if the model has no blocks.

    Source: lesson 03.
    """
    require_blocks(model)
    lr, hr = pair
    weights = [parameter for block in model.body for parameter in block.parameters()]
    with evaluating(model), torch.enable_grad():
        total = torch.stack(list(loss(model(lr), hr).values())).sum()  # a scalar
        # One for each weight; other than backward, it stores nothing in the model
        slopes = iter(torch.autograd.grad(total, weights))
    # The flat row, dealt out to the blocks it belongs to
    own = [[next(slopes) for _ in block.parameters()] for block in model.body]
    return [get_total_norm(slopes_of_block).item() for slopes_of_block in own]


def block_weights(model: SrResNet, lr: Tensor | None = None) -> list[float]:
    """The weight of each block's correction.

    Args:
        model: its blocks are ``model.body``.
        lr: ``(N, 3, h, w)``, shown to the model first; gates depend on the
            picture. Without one they are those of the picture seen last.

    Returns:
        From the first block to the last: the fixed or learned factor, the
        mean of the gates, or 1 for a block without a weight.

    Raises:
        ValueError: if the model has no blocks.

    Example:
        >>> tenth = lambda features: WeightedResidualBlock(features, FixedWeight(0.1))
        >>> block_weights(SrResNet(4, 8, 3, block=tenth))
        [0.1, 0.1, 0.1]

    Source: lesson 03.
    """
    require_blocks(model)
    if lr is not None:
        with evaluating(model), torch.no_grad():
            model(lr)
    weights = [getattr(block, "weight", None) for block in model.body]
    return [getattr(weight, "value", 1.0) for weight in weights]
