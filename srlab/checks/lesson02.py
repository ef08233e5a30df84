"""Checks of lesson 02: normalizing, looking inside with hooks, the content loss."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from srlab.checks.answers import in_order, uniform_values, value_and_slope
from srlab.checks.core import Answer, Finding, Mistakes, Verdict, judge, judge_gradient
from srlab.checks.steps import in_steps
from srlab.checks.traces import Traces, traces_of

Extractor = Callable[[Tensor], Mapping[str, Tensor]]


@in_steps()
def check_normalize(answer: Answer | None) -> Verdict:
    """Check ``answer(images, mean, std)``: what the extractor does first."""
    vgg16 = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    to_bytes = torch.tensor([0.48, 0.46, 0.41]), torch.full((3,), 1 / 255)
    usual = uniform_values(0, 2, 3, 5, 4), *vgg16
    verdict = judge(
        answer,
        right=_normalize,
        cases={
            # Square, 3 px and 3 pictures later: there a wrong axis fits as well.
            "2 pictures of 5 x 4 px, vgg16's numbers": usual,
            "2 pictures of 4 x 5 px, a std of 1/255": (
                uniform_values(1, 2, 3, 4, 5),
                *to_bytes,
            ),
            "1 picture of 3 x 3 px": (uniform_values(2, 1, 3, 3, 3), *vgg16),
            "3 pictures of 6 x 3 px": (uniform_values(3, 3, 3, 6, 3), *vgg16),
        },
        mistakes=NORMALIZE_MISTAKES,
    )
    cases = {"2 pictures of 5 x 4 px": usual}
    return judge_gradient(answer, after=verdict, right=_normalize, cases=cases)


@in_steps()
def check_features(answer: Answer | None) -> Verdict:
    """Check ``answer(network, layers, images)``: what each layer gives, by name.

    No hook may be left behind, whatever happens.
    """
    three = ["relu1", "conv2", "relu2"]
    odd, square = uniform_values(4, 2, 3, 7, 5), uniform_values(5, 1, 3, 6, 6)
    small, other = uniform_values(6, 1, 3, 4, 4), uniform_values(7, 1, 3, 4, 4)
    return judge(
        answer,
        right=_features,
        cases={
            "one layer, a ReLU: all values in a row": (["relu2"], odd, "sound"),
            "three layers: all values in a row": (three, square, "sound"),
            "a network with a hook of its own": (["relu1"], small, "watched"),
            "a network that fails halfway": (["relu1"], other, "failing"),
        },
        mistakes=FEATURES_MISTAKES,
        seen_through=_watched,
        tolerance=1e-5,
    )


@in_steps()
def check_content_loss(answer: Answer | None) -> Verdict:
    """Check ``answer(extractor, sr, hr, layer_weights)``: its value and its slope."""
    sr, hr = 1.6 * uniform_values(8, 2, 3, 8, 6) - 0.3, uniform_values(9, 2, 3, 8, 6)
    other, small = uniform_values(10, 1, 3, 5, 7), uniform_values(11, 1, 3, 5, 7)
    uneven = {"coarse": 1.0, "deep": 3.0, "fine": 0.2}
    verdict = judge(
        answer,
        right=_content_loss,
        cases={
            f"{name}: loss, mean slope, mean |slope|": (_extractor, *arguments)
            for name, arguments in {
                "2 of 3 layers, weights 0.5 and 2": (sr, hr, {"fine": 0.5, "coarse": 2.0}),
                "3 layers, 1 picture": (other, small, uneven),
                "1 layer, weight 10": (sr[:1], hr[:1], {"deep": 10.0}),
                "sr and hr are equal": (hr, hr, {"fine": 1.0}),
            }.items()
        },
        mistakes=CONTENT_MISTAKES,
        seen_through=partial(value_and_slope, at=1),
        tolerance=1e-5,
    )
    cases = {"2 of 3 layers": (_extractor, sr, hr, {"fine": 0.5, "coarse": 2.0})}
    return judge_gradient(answer, after=verdict, right=_content_loss, cases=cases, toward=[1])


# Exercise 1: what the extractor expects


def _normalize(images: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    return (images - mean.view(3, 1, 1)) / std.view(3, 1, 1)


# Exercise 2: looking inside


FAILED = "the network's own error, and no hook left"


class Fails(RuntimeError):  # noqa: N818 - its text is the error
    """What the network raises if it fails halfway."""


class _Network(nn.Module):
    """Two convolutions with ReLUs in place, as VGG has them, and a skip."""

    def __init__(self, kind: str):
        super().__init__()
        self.conv1, self.relu1 = _convolution(20), nn.ReLU(inplace=True)
        self.conv2, self.relu2 = _convolution(21), nn.ReLU(inplace=True)
        self.requires_grad_(False)
        self._kind, self._runs = kind, 0  # private: running it leaves no trace
        if kind == "watched":
            self.relu1.register_forward_hook(lambda *_: None)

    def forward(self, images: Tensor) -> Tensor:
        self._runs += 1
        features = self.relu1(self.conv1(images))
        if self._kind == "failing":
            raise Fails("the network fails halfway")
        return images + self.relu2(self.conv2(features))

    @property
    def hooks(self) -> int:
        parts = list(self.modules())
        return sum(len(p._forward_hooks) + len(p._forward_pre_hooks) for p in parts)


def _convolution(seed: int) -> nn.Conv2d:
    """With weights of its own, whatever torch's seed is; spends no random numbers."""
    conv = nn.Conv2d(3, 3, 3, padding=1, bias=False, device="meta")
    conv.weight = nn.Parameter(uniform_values(seed, 3, 3, 3, 3) - 0.5)
    return conv


def _watched(look: Answer) -> Answer:
    """Call an answer with a new network, and see what it leaves there."""

    def watched(names: list[str], images: Tensor, kind: str) -> Any:
        network = _Network(kind)
        hooks, before = network.hooks, traces_of(network)
        layers = {name: network.get_submodule(name) for name in names}
        try:
            got = look(network, layers, images)
        except Fails:
            got = FAILED
        _require_hooks(network, hooks)
        _require_as_before(before, traces_of(network))
        if list(layers) != names:
            raise Finding.changed_input()
        return got if got is None or got is FAILED else _in_a_row(got, names, network)

    return watched


def _require_as_before(before: Traces, after: Traces) -> None:
    """Raise unless flags, modes and weights are as they were."""
    for path in {**before, **after}:
        if before.get(path) != after.get(path):
            raise Finding.left_behind(f"{path.strip('.')} of the network is not as it was")


def _require_hooks(network: _Network, before: int) -> None:
    """Raise unless the network has the hooks that it had."""
    left = network.hooks - before
    if left > 0 and network._kind == "failing":
        hint = "If the network raises, your remove() is never reached."
        raise Finding(f"hooks left behind after the error: {left}", hint)
    if left > 0:
        raise Finding(f"hooks left behind: {left}", "Your hooks are still there after the run.")
    if left < 0:
        hint = "Hooks of others are gone, too; others may watch the network as well."
        raise Finding("a hook is gone that was there before", hint)


def _in_a_row(got: Any, names: list[str], network: _Network) -> Tensor:
    """All features in one tensor, in the order of ``names``, if one run gave them."""
    if network._kind == "failing":
        hint = "The network's error was caught, and whoever called does not hear of it."
        raise Finding("the network failed, but no error came out", hint)
    if network._runs == 0:
        hint = "The network itself did not run; it may do more than layer after layer."
        raise Finding("the network did not run", hint)
    if network._runs > 1:
        text = f"the network ran {network._runs} times"
        raise Finding(text, "The network ran more than once.")
    one_name = "All hooks use one name: a function made in a loop sees the loop's last one."
    features = in_order(got, names, what="features", hint=one_name)
    if not all(isinstance(one, Tensor) for one in features):
        hint = "The names are right, but what stands behind one of them is no tensor."
        raise Finding("a dict whose values are not all tensors", hint)
    return torch.cat([one.flatten() for one in features])


def _features(
    network: nn.Module,
    layers: Mapping[str, nn.Module],
    images: Tensor,
    keep: Callable[[Tensor], Tensor] = torch.clone,
) -> dict[str, Tensor]:
    features: dict[str, Tensor] = {}

    def hook(name: str, _layer: nn.Module, _inputs: Any, output: Tensor) -> None:
        features[name] = keep(output)

    handles = [layers[name].register_forward_hook(partial(hook, name)) for name in layers]
    try:
        network(images)
    finally:
        for handle in handles:
            handle.remove()
    return features


# Exercise 3: the content loss


def _extractor(images: Tensor) -> dict[str, Tensor]:
    """A small frozen network of three layers, each coarser than the one before."""
    fine = F.relu(F.conv2d(images, uniform_values(30, 4, 3, 3, 3) - 0.5, padding=1))
    coarse = F.relu(F.conv2d(fine, uniform_values(31, 5, 4, 3, 3) - 0.5, padding=1, stride=2))
    deep = F.relu(F.conv2d(coarse, uniform_values(32, 6, 5, 3, 3) - 0.5, padding=1, stride=2))
    return {"fine": fine, "coarse": coarse, "deep": deep}


def _content_loss(
    extractor: Extractor,
    sr: Tensor,
    hr: Tensor,
    layer_weights: Mapping[str, float],
    distance: Callable[[Tensor, Tensor], Tensor] = F.l1_loss,
) -> Any:
    seen, wanted = extractor(sr), extractor(hr)
    return sum(w * distance(seen[name], wanted[name]) for name, w in layer_weights.items())


NORMALIZE_MISTAKES: Mistakes = {
    "These are the pictures as they were given.": lambda images, *_: images,
    "The two steps have changed places; mean is in the unit of the picture.": (
        lambda images, mean, std: images / std.view(3, 1, 1) - mean.view(3, 1, 1)
    ),
    "The mean is gone, but std has not been used.": lambda images, mean, _: (
        images - mean.view(3, 1, 1)
    ),
    "Divided, but the mean was not subtracted before.": lambda images, _, std: (
        images / std.view(3, 1, 1)
    ),
    "Here std makes the spread smaller still.": lambda images, mean, std: (
        (images - mean.view(3, 1, 1)) * std.view(3, 1, 1)
    ),
    "The mean is added here; afterward it should be 0.": lambda images, mean, std: (
        (images + mean.view(3, 1, 1)) / std.view(3, 1, 1)
    ),
    "Pictures are in [0, 1] here, and mean and std are too; this makes 255 of them.": (
        lambda images, mean, std: (255 * images - mean.view(3, 1, 1)) / std.view(3, 1, 1)
    ),
    "The channels of the picture are reversed.": lambda images, mean, std: _normalize(
        images.flip(1), mean, std
    ),
    "mean and std are reversed: blue's numbers are used for red.": (
        lambda images, mean, std: _normalize(images, mean.flip(0), std.flip(0))
    ),
    "These are the mean and std of this picture; the network was trained with others.": (
        lambda images, *_: _normalize(images, images.mean((0, 2, 3)), images.std((0, 2, 3)))
    ),
    "Clamped, though normalized values run below 0 and above 1.": (
        lambda images, mean, std: _normalize(images, mean, std).clamp(0, 1)
    ),
    "One mean and one std for all three channels.": lambda images, mean, std: _normalize(
        images, mean.mean().expand(3), std.mean().expand(3)
    ),
    # An error at most sizes; three pictures of 3 px would pass unseen.
    "The three numbers lie along another axis than the channels.": (
        lambda images, mean, std: (images - mean) / std
    ),
}

FEATURES_MISTAKES: Mistakes = {
    "The ReLU behind a convolution works in place, and has changed what you kept.": (
        partial(_features, keep=lambda output: output)
    ),
}

CONTENT_MISTAKES: Mistakes = {
    "These are squared differences.": (
        partial(_content_loss, distance=lambda a, b: (a - b).square().mean())
    ),
    "Differences of both signs cancel.": (
        partial(_content_loss, distance=lambda a, b: (a - b).mean())
    ),
    "This compares the means of whole layers, not place by place.": (
        partial(_content_loss, distance=lambda a, b: (a.mean() - b.mean()).abs())
    ),
    "This is a sum: a layer with more values would count more.": (
        partial(_content_loss, distance=lambda a, b: (a - b).abs().sum())
    ),
    "All layers count alike; their weights have no effect.": (
        lambda extractor, sr, hr, weights: _content_loss(
            extractor, sr, hr, dict.fromkeys(weights, 1.0)
        )
    ),
    "The layers are averaged, and their weights have no effect.": (
        lambda extractor, sr, hr, weights: (
            _content_loss(extractor, sr, hr, dict.fromkeys(weights, 1.0)) / len(weights)
        )
    ),
    "Weighted, but then averaged over the layers.": lambda extractor, sr, hr, weights: (
        _content_loss(extractor, sr, hr, weights) / len(weights)
    ),
    "Divided by the sum of the weights, which need not be 1.": (
        lambda extractor, sr, hr, weights: (
            _content_loss(extractor, sr, hr, weights) / sum(weights.values())
        )
    ),
    "A layer that has no weight counts here as well.": (
        lambda extractor, sr, hr, weights: _content_loss(
            extractor, sr, hr, {**dict.fromkeys(extractor(sr), 1.0), **weights}
        )
    ),
    # An error: one of the extractor's layers has no weight.
    "The extractor gives a layer that has no weight.": (
        lambda extractor, sr, hr, weights: _content_loss(
            extractor, sr, hr, {name: weights[name] for name in extractor(sr)}
        )
    ),
    "Features of a difference are no difference of features.": (
        lambda extractor, sr, hr, weights: sum(
            w * extractor(sr - hr)[name].abs().mean() for name, w in weights.items()
        )
    ),
    "This compares pixels, not features.": lambda _, sr, hr, weights: (
        sum(weights.values()) * (sr - hr).abs().mean()
    ),
    "Where sr is clamped, there is no slope to learn from.": (
        lambda extractor, sr, hr, weights: _content_loss(extractor, sr.clamp(0, 1), hr, weights)
    ),
}
