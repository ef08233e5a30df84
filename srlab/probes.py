"""What goes on inside a network, block by block."""

import torch
from torch import Tensor
from torch.nn.utils import get_total_norm

from srlab.features import Hooks
from srlab.inference import evaluating
from srlab.models import SrResNet
from srlab.require import require_blocks
from srlab.training import Loss


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
        model(lr)
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
        total = torch.stack(list(loss(model(lr), hr).values())).sum()
        slopes = iter(torch.autograd.grad(total, weights))
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
        >>> from srlab.residuals import FixedWeight, WeightedResidualBlock
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
