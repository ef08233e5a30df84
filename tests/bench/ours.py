"""The training step as srlab makes it."""

from unittest.mock import patch

import torch
from torch import Tensor, nn

from srlab import __version__
from srlab.features import FeatureExtractor
from srlab.losses import ExpandedLoss, pixel_loss
from srlab.machine import place
from srlab.training import Loss, training_step
from tests.bench.contender import (
    LAYER_WEIGHTS,
    LEARNING_RATE,
    STYLE_WEIGHT,
    Problem,
    Step,
    contend,
)


def begin(problem: Problem) -> tuple[nn.Module, Step]:
    model = place(problem.model, problem.device).train()
    optimizer = torch.optim.Adam(model.parameters(), LEARNING_RATE, fused=True)
    loss = expanded_loss(problem.vgg, problem.device) if problem.vgg else pixel_loss()
    pair, precision = problem.pair, problem.precision

    def step() -> Tensor:
        terms = training_step(model, pair, loss, optimizer, precision)
        return torch.stack(list(terms.values())).sum()

    return model, step


def expanded_loss(vgg: nn.Sequential, device: torch.device) -> Loss:
    """The expanded loss, its extractor built as always but on the weights given here."""
    weights = {f"features.{name}": value for name, value in vgg.state_dict().items()}
    with patch("srlab.features._downloaded", return_value=weights):
        extractor = FeatureExtractor(list(LAYER_WEIGHTS), "vgg16_bn")
    terms = {"pixel": 1.0, "content": 1.0, "style": STYLE_WEIGHT}
    return place(ExpandedLoss(extractor, terms, LAYER_WEIGHTS), device)


if __name__ == "__main__":
    contend(begin, f"srlab {__version__}, torch {torch.__version__}")
