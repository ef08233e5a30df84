"""Checks of lesson 02: normalizing, looking inside with hooks, the content loss."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from srlab.checks.core import (
    Answer,
    ChangedInput,
    LeftBehind,
    Mistake,
    NoSlope,
    Verdict,
    judge,
    judge_gradient,
)
from srlab.checks.lesson01 import require_learnable
from srlab.checks.steps import in_steps
from srlab.checks.traces import Traces, traces_of

Extractor = Callable[[Tensor], Mapping[str, Tensor]]


@in_steps()
def check_normalize(answer: Answer | None) -> Verdict:
    """Check ``answer(images, mean, std)``: what the extractor does first.

    Source: built by srlab; exercise 1 of lesson 02.
    """
    vgg16 = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    bytes_again = torch.tensor([0.48, 0.46, 0.41]), torch.full((3,), 1 / 255)
    verdict = judge(
        _with_way_back(answer) if callable(answer) else None,
        right=_with_way_back(_normalize),
        cases={
            # Square, 3 px and 3 pictures later: there a wrong axis fits as well.
            "2 pictures of 5 x 4 px, vgg16's numbers": (_values(0, 2, 3, 5, 4), *vgg16),
            "2 pictures of 4 x 5 px, a std of 1/255": (_values(1, 2, 3, 4, 5), *bytes_again),
            "1 picture of 3 x 3 px": (_values(2, 1, 3, 3, 3), *vgg16),
            "3 pictures of 6 x 3 px": (_values(3, 3, 3, 6, 3), *vgg16),
        },
        mistakes=[replace(m, answer=_with_way_back(m.answer)) for m in NORMALIZE_MISTAKES],
    )
    if not (verdict.done and answer):
        return verdict
    cases = {"2 pictures of 5 x 4 px": (_values(0, 2, 3, 5, 4), *vgg16)}
    return judge_gradient(answer, right=_normalize, cases=cases)


@in_steps()
def check_features(answer: Answer | None) -> Verdict:
    """Check ``answer(network, layers, images)``: what each layer gives, by name.

    No hook may be left behind, whatever happens.

    Source: built by srlab; exercise 2 of lesson 02.
    """
    return judge(
        _watched(answer) if callable(answer) else None,
        right=_watched(_features),
        cases={
            "one layer, a ReLU: all values in a row": (
                ["relu2"],
                _values(4, 2, 3, 7, 5),
                "sound",
            ),
            "three layers: all values in a row": (
                ["relu1", "conv2", "relu2"],
                _values(5, 1, 3, 6, 6),
                "sound",
            ),
            "a network with a hook of its own": (["relu1"], _values(6, 1, 3, 4, 4), "watched"),
            "a network that fails halfway": (["relu1"], _values(7, 1, 3, 4, 4), "failing"),
        },
        mistakes=[replace(m, answer=_watched(m.answer)) for m in FEATURES_MISTAKES],
        tolerance=1e-5,
    )


@in_steps()
def check_content_loss(answer: Answer | None) -> Verdict:
    """Check ``answer(extractor, sr, hr, layer_weights)``: its value and its slope.

    Source: built by srlab; exercise 3 of lesson 02.
    """
    sr, hr = 1.6 * _values(8, 2, 3, 8, 6) - 0.3, _values(9, 2, 3, 8, 6)
    other, small = _values(10, 1, 3, 5, 7), _values(11, 1, 3, 5, 7)
    verdict = judge(
        _value_and_slope(answer) if callable(answer) else None,
        right=_value_and_slope(_content_loss),
        cases={
            f"{name}: loss, mean slope, mean |slope|": (_extractor, *arguments)
            for name, arguments in {
                "2 of 3 layers, weights 0.5 and 2": (sr, hr, {"fine": 0.5, "coarse": 2.0}),
                "3 layers, 1 picture": (
                    other,
                    small,
                    {"coarse": 1.0, "deep": 3.0, "fine": 0.2},
                ),
                "1 layer, weight 10": (sr[:1], hr[:1], {"deep": 10.0}),
                "sr and hr are equal": (hr, hr, {"fine": 1.0}),
            }.items()
        },
        mistakes=[replace(m, answer=_value_and_slope(m.answer)) for m in CONTENT_MISTAKES],
        tolerance=1e-5,
    )
    if not (verdict.done and answer):
        return verdict
    cases = {"2 of 3 layers": (_extractor, sr, hr, {"fine": 0.5, "coarse": 2.0})}
    return judge_gradient(answer, right=_content_loss, cases=cases, toward=[1])


# Exercise 1: what the extractor expects


def _normalize(images: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    return (images - mean.view(3, 1, 1)) / std.view(3, 1, 1)


def _with_way_back(normalize: Answer) -> Answer:
    """Make it give its result only if a gradient comes back to the picture."""

    def with_way_back(images: Tensor, mean: Tensor, std: Tensor) -> Any:
        given = images.clone().requires_grad_() * 1  # a change in place is seen, not refused
        result = normalize(given, mean, std)
        if not given.equal(images):
            raise ChangedInput("the function changed what it was given")
        if isinstance(result, Tensor) and not result.requires_grad:
            raise NoSlope("a tensor from which no gradient comes back to the picture")
        return result

    return with_way_back


# Exercise 2: looking inside


FAILED = "the network's own error, and no hook left"


class Fails(RuntimeError):  # noqa: N818 - it names what happens
    """A network that stops halfway."""


class LeakedHook(Exception):  # noqa: N818
    """A hook is still there after a run that went well."""


class LeakedAfterError(Exception):
    """A hook is still there after a run that failed."""


class LostHook(Exception):  # noqa: N818
    """A hook is gone that somebody else had registered."""


class NotByName(Exception):  # noqa: N818
    """Something else than name -> tensor."""


class OtherNames(Exception):  # noqa: N818
    """Layers are missing, or there are some that nobody asked for."""


class RanAgain(Exception):  # noqa: N818
    """The network ran more than once."""


class NeverRan(Exception):  # noqa: N818
    """The network did not run at all."""


class HiddenError(Exception):
    """The network failed, and nobody heard of it."""


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
    conv.weight = nn.Parameter(_values(seed, 3, 3, 3, 3) - 0.5)
    return conv


def _watched(look: Answer) -> Answer:
    """Make it look into a new network, and see what it leaves there."""

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
            raise ChangedInput("the function changed what it was given")
        return got if got is None or got is FAILED else _judged(got, names, network)

    return watched


def _require_as_before(before: Traces, after: Traces) -> None:
    """Raise unless flags, modes and weights are as they were."""
    for path in {**before, **after}:
        if before.get(path) != after.get(path):
            raise LeftBehind(f"{path.strip('.')} of the network is not as it was")


def _require_hooks(network: _Network, before: int) -> None:
    """Raise unless the network has the hooks that it had."""
    left = network.hooks - before
    if left > 0 and network._kind == "failing":
        raise LeakedAfterError(f"hooks left behind after the error: {left}")
    if left > 0:
        raise LeakedHook(f"hooks left behind: {left}")
    if left < 0:
        raise LostHook("a hook is gone that was there before")


def _judged(got: Any, names: list[str], network: _Network) -> Tensor:
    """The features in one tensor, if they were got as they should be."""
    if network._kind == "failing":
        raise HiddenError("the network failed, but no error came out")
    if network._runs == 0:
        raise NeverRan("the network did not run")
    if network._runs > 1:
        raise RanAgain(f"the network ran {network._runs} times")
    return _in_one(got, names)


def _in_one(got: Any, names: list[str]) -> Tensor:
    """All features in one tensor, in the order of ``names``."""
    if not isinstance(got, Mapping) or not all(isinstance(v, Tensor) for v in got.values()):
        raise NotByName(f"a {type(got).__name__}, not a dict of tensors")
    if set(got) != set(names):
        raise OtherNames(f"features of {', '.join(map(str, got)) or 'no layer'}")
    return torch.cat([got[name].flatten() for name in names])


@contextmanager
def _hooked(
    layers: Mapping[str, nn.Module], keep: Callable[[Tensor], Tensor] = torch.clone
) -> Iterator[dict[str, Tensor]]:
    """What each layer gives, as long as the block."""
    features: dict[str, Tensor] = {}
    with_name = {name: partial(_keep, features, name, keep) for name in layers}
    handles = [layers[n].register_forward_hook(hook) for n, hook in with_name.items()]
    try:
        yield features
    finally:
        for handle in handles:
            handle.remove()


def _keep(
    features: dict[str, Tensor],
    name: str,
    keep: Callable[[Tensor], Tensor],
    _layer: nn.Module,
    _inputs: tuple[Tensor, ...],
    output: Tensor,
) -> None:
    features[name] = keep(output)


def _features(
    network: nn.Module, layers: Mapping[str, nn.Module], images: Tensor
) -> dict[str, Tensor]:
    with _hooked(layers) as features:
        network(images)
    return features


def _forgets_to_remove(network: nn.Module, layers: Any, images: Tensor) -> dict[str, Tensor]:
    features: dict[str, Tensor] = {}
    for name, layer in layers.items():
        layer.register_forward_hook(partial(_keep, features, name, torch.clone))
    network(images)
    return features


def _removes_on_success(network: nn.Module, layers: Any, images: Tensor) -> dict[str, Tensor]:
    features: dict[str, Tensor] = {}
    handles = [
        layer.register_forward_hook(partial(_keep, features, name, torch.clone))
        for name, layer in layers.items()
    ]
    network(images)
    for handle in handles:
        handle.remove()
    return features


def _removes_all_hooks(network: nn.Module, layers: Any, images: Tensor) -> dict[str, Tensor]:
    features = _features(network, layers, images)
    for layer in layers.values():
        layer._forward_hooks.clear()
    return features


def _hides_the_error(network: nn.Module, layers: Any, images: Tensor) -> Any:
    with _hooked(layers) as features:
        try:
            network(images)
        except Fails:
            return features
    return features


def _shares_one_name(network: nn.Module, layers: Any, images: Tensor) -> dict[str, Tensor]:
    features = _features(network, layers, images)
    return dict([features.popitem()]) if len(features) > 1 else features


def _runs_for_each(network: nn.Module, layers: Any, images: Tensor) -> dict[str, Tensor]:
    return {n: _features(network, {n: layer}, images)[n] for n, layer in layers.items()}


def _with_keep(keep: Callable[[Tensor], Any]) -> Answer:
    def look(network: nn.Module, layers: Any, images: Tensor) -> Any:
        with _hooked(layers, keep) as features:
            network(images)
        return features

    return look


# Exercise 3: the content loss


def _extractor(images: Tensor) -> dict[str, Tensor]:
    """A small frozen network of three layers, each coarser than the one before."""
    fine = F.relu(F.conv2d(images, _values(30, 4, 3, 3, 3) - 0.5, padding=1))
    coarse = F.relu(F.conv2d(fine, _values(31, 5, 4, 3, 3) - 0.5, padding=1, stride=2))
    deep = F.relu(F.conv2d(coarse, _values(32, 6, 5, 3, 3) - 0.5, padding=1, stride=2))
    return {"fine": fine, "coarse": coarse, "deep": deep}


def _content_loss(
    extractor: Extractor, sr: Tensor, hr: Tensor, layer_weights: Mapping[str, float]
) -> Tensor:
    return _summed(extractor, sr, hr, layer_weights, lambda a, b: (a - b).abs().mean())


def _summed(
    extractor: Extractor,
    sr: Tensor,
    hr: Tensor,
    layer_weights: Mapping[str, float],
    distance: Callable[[Tensor, Tensor], Any],
) -> Any:
    seen, wanted = extractor(sr), extractor(hr)
    return sum(w * distance(seen[name], wanted[name]) for name, w in layer_weights.items())


def _with_distance(distance: Callable[[Tensor, Tensor], Any]) -> Answer:
    return partial(_summed, distance=distance)


def _value_and_slope(loss: Answer) -> Answer:
    """Make of a loss a function that gives its value and what its slope is like.

    The slope is counted for one pixel, as if the loss were not yet averaged.
    """

    def value_and_slope(
        extractor: Extractor, sr: Tensor, hr: Tensor, layer_weights: Mapping[str, float]
    ) -> Any:
        pixels = sr.clone().requires_grad_()
        given = pixels * 1  # so that a change in place is seen, not refused by torch
        value = loss(extractor, given, hr, layer_weights)
        if value is None:
            return None
        if not given.equal(sr):
            raise ChangedInput("the function changed what it was given")
        require_learnable(value)
        (slope,) = torch.autograd.grad(value, pixels, allow_unused=True)
        if slope is None:
            raise NoSlope(f"{value.item():.4g}, from which no gradient comes back to sr")
        slope = slope * slope.numel()
        return torch.stack([value.detach().view(()), slope.mean(), slope.abs().mean()])

    return value_and_slope


def _values(seed: int, *shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


NORMALIZE_MISTAKES = [
    Mistake(
        lambda images, *_: images,
        "These are the pictures as they came.",
    ),
    Mistake(
        lambda images, mean, std: images / std.view(3, 1, 1) - mean.view(3, 1, 1),
        "The two steps have changed places; mean is in the unit of the picture.",
    ),
    Mistake(
        lambda images, mean, _: images - mean.view(3, 1, 1),
        "The mean is gone, but std has not been used.",
    ),
    Mistake(
        lambda images, _, std: images / std.view(3, 1, 1),
        "Divided, but the mean was not subtracted before.",
    ),
    Mistake(
        lambda images, mean, std: (images - mean.view(3, 1, 1)) * std.view(3, 1, 1),
        "Here std makes the spread smaller still.",
    ),
    Mistake(
        lambda images, mean, std: (images + mean.view(3, 1, 1)) / std.view(3, 1, 1),
        "The mean is added here; afterward it should be 0.",
    ),
    Mistake(
        lambda images, mean, std: (255 * images - mean.view(3, 1, 1)) / std.view(3, 1, 1),
        "Pictures are in [0, 1] here, and mean and std are too; this makes 255 of them.",
    ),
    Mistake(
        lambda images, mean, std: _normalize(images.flip(1), mean, std),
        "The channels of the picture are turned round.",
    ),
    Mistake(
        lambda images, mean, std: _normalize(images, mean.flip(0), std.flip(0)),
        "mean and std are turned round: blue's numbers are taken for red.",
    ),
    Mistake(
        lambda images, *_: _normalize(images, images.mean((0, 2, 3)), images.std((0, 2, 3))),
        "These are the mean and std of this picture; the network was trained with others.",
    ),
    Mistake(
        lambda images, mean, std: _normalize(images, mean, std).clamp(0, 1),
        "Clamped, though normalized values run below 0 and above 1.",
    ),
    Mistake(
        lambda images, mean, std: _normalize(
            images, mean.mean().expand(3), std.mean().expand(3)
        ),
        "One mean and one std for all three channels.",
    ),
    Mistake(
        lambda images, mean, std: _normalize(images.detach(), mean, std),
        "Something cut the way back to the picture.",
    ),
    Mistake(
        # An error at most sizes; three pictures of 3 px would pass unseen.
        lambda images, mean, std: (images - mean) / std,
        "The three numbers lie along another axis than the channels.",
    ),
]

FEATURES_MISTAKES = [
    Mistake(
        _removes_on_success,
        "If the network raises, your remove() is never reached.",
    ),
    Mistake(
        _forgets_to_remove,
        "Your hooks are still there after the run.",
    ),
    Mistake(
        _removes_all_hooks,
        "Hooks of others are gone, too; others may watch the network as well.",
    ),
    Mistake(
        _hides_the_error,
        "The network's error was caught, and whoever called does not hear of it.",
    ),
    Mistake(
        _shares_one_name,
        "All hooks use one name: a function made in a loop sees the loop's last one.",
    ),
    Mistake(
        _runs_for_each,
        "The network ran more than once.",
    ),
    Mistake(
        lambda *_: {},
        "The network itself did not run; it may do more than layer after layer.",
    ),
    Mistake(
        _with_keep(lambda output: output),
        "The ReLU behind a convolution works in place, and has changed what you kept.",
    ),
    Mistake(
        lambda *args: list(_features(*args).values()),
        "The names are missing: this is no dict.",
    ),
]

CONTENT_MISTAKES = [
    Mistake(
        _with_distance(lambda a, b: (a - b).square().mean()),
        "These are squared differences.",
    ),
    Mistake(
        _with_distance(lambda a, b: (a - b).mean()),
        "Differences of both signs cancel.",
    ),
    Mistake(
        _with_distance(lambda a, b: (a.mean() - b.mean()).abs()),
        "This compares the means of whole layers, not place by place.",
    ),
    Mistake(
        _with_distance(lambda a, b: (a - b).abs().sum()),
        "This is a sum: a layer with more values would count more.",
    ),
    Mistake(
        lambda extractor, sr, hr, weights: _content_loss(
            extractor, sr, hr, dict.fromkeys(weights, 1.0)
        ),
        "All layers count alike; their weights have no effect.",
    ),
    Mistake(
        lambda extractor, sr, hr, weights: (
            _content_loss(extractor, sr, hr, dict.fromkeys(weights, 1.0)) / len(weights)
        ),
        "The layers are averaged, and their weights have no effect.",
    ),
    Mistake(
        lambda extractor, sr, hr, weights: (
            _content_loss(extractor, sr, hr, weights) / len(weights)
        ),
        "Weighted, but then averaged over the layers.",
    ),
    Mistake(
        lambda extractor, sr, hr, weights: (
            _content_loss(extractor, sr, hr, weights) / sum(weights.values())
        ),
        "Divided by the sum of the weights, which need not be 1.",
    ),
    Mistake(
        lambda extractor, sr, hr, weights: _content_loss(
            extractor, sr, hr, {**dict.fromkeys(extractor(sr), 1.0), **weights}
        ),
        "A layer that has no weight counts here as well.",
    ),
    Mistake(
        # An error: one of the extractor's layers has no weight.
        lambda extractor, sr, hr, weights: _content_loss(
            extractor, sr, hr, {name: weights[name] for name in extractor(sr)}
        ),
        "The extractor gives a layer that has no weight.",
    ),
    Mistake(
        lambda extractor, sr, hr, weights: sum(
            w * extractor(sr - hr)[name].abs().mean() for name, w in weights.items()
        ),
        "Features of a difference are no difference of features.",
    ),
    Mistake(
        lambda _, sr, hr, weights: sum(weights.values()) * (sr - hr).abs().mean(),
        "This compares pixels, not features.",
    ),
    Mistake(
        lambda extractor, sr, hr, weights: _content_loss(
            extractor, sr.clamp(0, 1), hr, weights
        ),
        "Where sr is clamped, there is no slope to learn from.",
    ),
    Mistake(
        lambda extractor, sr, hr, weights: _content_loss(extractor, sr, hr, weights).item(),
        "This is a plain number: what backward() needs is gone.",
    ),
    Mistake(
        lambda extractor, sr, hr, weights: _content_loss(extractor, sr.detach(), hr, weights),
        "No slope comes back to sr.",
    ),
    Mistake(
        lambda extractor, sr, hr, weights: sum(
            w * (extractor(sr)[n] - extractor(hr)[n]).abs().mean((1, 2, 3))
            for n, w in weights.items()
        ).expand(2),
        "One number for each picture; a loss is one for the whole batch.",
    ),
]
