"""The training step as fast.ai's lesson 7 published it: runs where fastai is.

Written anew after the lesson's description, on fastai's own hooks. Two things
differ, so that both sides compute the same number, and neither costs time:
pictures are normalized here, not when they are read, and a layer's Gram term
weighs 5000 times the layer's weight, not 5000 times its square.
"""

import fastai
import torch
import torch.nn.functional as F
from fastai.callback.hook import hook_outputs
from torch import Tensor, nn

from tests.bench.contender import (
    LAYER_WEIGHTS,
    LEARNING_RATE,
    STYLE_WEIGHT,
    Problem,
    Step,
    contend,
)

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class FeatureLoss(nn.Module):
    """L1 of the pixels, of the features before the last three poolings, of their Grams."""

    def __init__(self, vgg: nn.Sequential):
        super().__init__()
        self.vgg = vgg
        poolings = [at for at, layer in enumerate(vgg) if isinstance(layer, nn.MaxPool2d)]
        self.hooks = hook_outputs([vgg[at - 1] for at in poolings[2:]], detach=False)
        self.weights = list(LAYER_WEIGHTS.values())
        self.register_buffer("mean", torch.tensor(MEAN).view(3, 1, 1))
        self.register_buffer("std", torch.tensor(STD).view(3, 1, 1))

    def features(self, images: Tensor, clone: bool = False) -> list[Tensor]:
        self.vgg((images - self.mean) / self.std)
        return [stored.clone() if clone else stored for stored in self.hooks.stored]

    def forward(self, sr: Tensor, hr: Tensor) -> Tensor:
        wanted, seen = self.features(hr, clone=True), self.features(sr)
        terms = [F.l1_loss(sr, hr)]
        for weight, ours, theirs in zip(self.weights, seen, wanted, strict=True):
            terms.append(weight * F.l1_loss(ours, theirs))
            terms.append(weight * STYLE_WEIGHT * F.l1_loss(gram(ours), gram(theirs)))
        return sum(terms)


def gram(features: Tensor) -> Tensor:
    _, channels, height, width = features.shape
    flat = features.flatten(2)
    return flat @ flat.transpose(1, 2) / (channels * height * width)


def begin(problem: Problem) -> tuple[nn.Module, Step]:
    model = problem.model.train()
    lr, hr = problem.pair
    optimizer = torch.optim.Adam(model.parameters(), LEARNING_RATE)
    loss = FeatureLoss(problem.vgg) if problem.vgg else nn.L1Loss()
    loss = loss.to(problem.device, lr.dtype)

    def step() -> Tensor:
        value = loss(model(lr), hr)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        return value.detach()

    return model, step


if __name__ == "__main__":
    contend(begin, f"fastai {fastai.__version__}, torch {torch.__version__}")
