"""Checks of lesson 02: hooks, normalizing and the content loss as built; three exercises."""

import operator
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from srlab.checks.answers import (
    in_order,
    judge_with_gradient,
    named_type,
    uniform_values,
    value_and_slope,
    whole_number,
)
from srlab.checks.core import Answer, Finding, Mistakes, Verdict, judge, judge_gradient
from srlab.checks.steps import in_steps
from srlab.checks.traces import Traces, traces_of
from srlab.features import Hooks, Normalizing
from srlab.losses import ContentLoss, content_loss

Extractor = Callable[[Tensor], Mapping[str, Tensor]]


@in_steps()
def check_hooks(answer: Answer | None) -> Verdict:
    """Check a class: ``Hooks``, there as long as the ``with`` block, whatever happens."""
    first, second = uniform_values(0, 2, 3, 5, 4), uniform_values(1, 1, 3, 4, 4)
    return judge(
        answer,
        right=Hooks,
        cases={
            "one layer: what it gave": (["relu2"], first, "sound"),
            "two layers: what they gave": (["relu1", "relu2"], second, "sound"),
            "an error inside the block": (["relu1", "relu2"], second, "failing"),
            "a network with a hook of its own": (["relu1"], second, "watched"),
        },
        mistakes=HOOKS_MISTAKES,
        seen_through=_with_block,
        tolerance=1e-5,
    )


@in_steps()
def check_normalize(answer: Answer | None) -> Verdict:
    """Check a class ``answer(weights)``: a ``Normalizing``, by its ``normalize``."""
    usual = uniform_values(0, 2, 3, 5, 4)
    cases = {
        "2 pictures of 5 x 4 px, vgg16's numbers": ("vgg16", usual),
        "2 pictures of 4 x 5 px, the stand-in's": ("embedded", uniform_values(1, 2, 3, 4, 5)),
        "1 picture of 3 x 3 px": ("vgg16", uniform_values(2, 1, 3, 3, 3)),
    }
    return judge_with_gradient(
        answer,
        right=Normalizing,
        cases=cases,
        mistakes=NORMALIZE_MISTAKES,
        seen_through=_normalized_by,
        toward=(1,),
    )


@in_steps()
def check_content_loss(answer: Answer | None) -> Verdict:
    """Check ``answer(sr_features, hr_features, layer_weights)``: ``content_loss``."""
    sr, hr = uniform_values(8, 2, 3, 8, 6), uniform_values(9, 2, 3, 8, 6)
    cases = {
        "2 of 3 layers, weights 0.5 and 2": (sr, hr, {"fine": 0.5, "coarse": 2.0}),
        "3 layers in another order": (sr, hr, {"coarse": 1.0, "deep": 3.0, "fine": 0.2}),
        "1 layer, weight 10": (sr[:1], hr[:1], {"deep": 10.0}),
    }
    return judge(
        answer,
        right=content_loss,
        cases={f"{name}: loss, mean |gradient|": given for name, given in cases.items()},
        mistakes=FEATURE_MISTAKES,
        seen_through=_of_features,
        tolerance=1e-5,
    )


@in_steps()
def check_content_module(answer: Answer | None) -> Verdict:
    """Check a class ``answer(extractor, layer_weights)``: a ``ContentLoss``."""
    sr, hr = uniform_values(12, 2, 3, 8, 6), uniform_values(13, 2, 3, 8, 6)
    return judge(
        answer,
        right=ContentLoss,
        cases={
            "1 layer: loss, mean |gradient|": ({"coarse": 2.0}, sr, hr),
            "2 of 3 layers: loss, mean |gradient|": ({"fine": 0.5, "deep": 2.0}, sr, hr),
            "a layer of weight 0": ({"fine": 1.0, "deep": 0.0}, sr[:1], hr[:1]),
        },
        mistakes=MODULE_MISTAKES,
        seen_through=_of_pictures,
        tolerance=1e-5,
    )


ZIPPED = '''
def my_loss(extractor, sr, hr, layer_weights):
    """A function, (N, 3, h, w), twice, and a dict -> a scalar tensor."""
    seen, wanted = extractor(sr), extractor(hr)
    weights = layer_weights.values()
    terms = [
        weight * (a - b).abs().mean()
        for a, b, weight in zip(seen.values(), wanted.values(), weights)
    ]
    return sum(terms)
'''


@in_steps(starter=ZIPPED)
def check_named_weights(answer: Answer | None) -> Verdict:
    """Check ``answer(extractor, sr, hr, layer_weights)``: its value and its gradient."""
    sr, hr = 1.6 * uniform_values(8, 2, 3, 8, 6) - 0.3, uniform_values(9, 2, 3, 8, 6)
    other, small = uniform_values(10, 1, 3, 5, 7), uniform_values(11, 1, 3, 5, 7)
    uneven = {"coarse": 1.0, "deep": 3.0, "fine": 0.2}
    verdict = judge(
        answer,
        right=_content_loss,
        cases={
            f"{name}: loss, mean gradient, mean |gradient|": (_extractor, *arguments)
            for name, arguments in {
                "2 of 3 layers, weights 0.5 and 2": (sr, hr, {"fine": 0.5, "coarse": 2.0}),
                "3 layers in another order": (other, small, uneven),
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


@in_steps()
def check_equal_shift(answer: Answer | None) -> Verdict:
    """Check ``answer(loss, truth, blurred, shifted)``: px until a shift costs as much."""
    rows = {  # what the blur costs, and shifts of 1, 2, ... px
        "the shift costs as much from 4 px on": (0.5, (0.1, 0.2, 0.3, 0.6, 0.7, 0.9)),
        "already 1 px costs more": (0.5, (0.6, 0.7, 0.8)),
        "2 px cost exactly as much": (0.5, (0.25, 0.5, 0.75, 1.0)),
        "it costs more, then less, then more": (0.5, (0.2, 0.6, 0.3, 0.4, 0.7, 0.8)),
        "the blur costs more for a long time": (
            0.5,
            (*(0.02 * k for k in range(1, 25)), 0.5, 0.6),
        ),
        "a blur that costs nothing": (0.0, (0.25, 0.5, 0.75)),
    }
    return judge(
        answer,
        right=_equal_shift,
        cases=rows,
        mistakes=SHIFT_MISTAKES,
        seen_through=_on_a_row,
    )


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


# Exercise 3: looking inside


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
        hint = "Hooks of others are gone, too; you may not be the only one who watches."
        raise Finding("a hook is gone that was there before", hint)


def _in_a_row(got: Any, names: list[str], network: _Network) -> Tensor:
    """All features in one tensor, in the order of ``names``, if one run gave them."""
    if network._kind == "failing":
        hint = "The network's error was caught, and whoever called never hears of it."
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
        hint = "The names are right, but one of them does not name a tensor."
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


# Hooks


def _with_block(make: Answer) -> Answer:
    """Use a class as ``with answer(layers) as hooks``, and see what it leaves behind."""

    def used(names: list[str], images: Tensor, kind: str) -> Any:
        network = _Network(kind)
        before = network.hooks
        error_came_out = False
        hooks = make({name: network.get_submodule(name) for name in names})
        if hooks is None:
            return None
        try:
            with hooks as entered:
                network(images)
        except Fails:
            error_came_out = True
        _require_hooks(network, before)
        if kind == "failing":
            if not error_came_out:
                hint = "The error was swallowed: what __exit__ returned counts as true."
                raise Finding("no error came out of the block", hint)
            return FAILED
        return _outputs(entered, names)

    return used


def _outputs(hooks: Any, names: list[str]) -> Tensor:
    """What the hooks kept, in one row; it is needed after the block."""
    lost = "After the block the outputs are gone, but that is where they are needed."
    kept = in_order(hooks, names, what="hooks", hint=lost)
    return torch.cat([hook.output.flatten() for hook in kept])


def _leaving(leave: Callable[..., Any]) -> Answer:
    """A class like ``Hooks`` that ends in another way."""
    return type("_Hooks", (Hooks,), {"__exit__": leave})


def _remove_all(hooks: Hooks, *_: object) -> None:
    for hook in hooks.values():
        hook.remove()


def _only_without_an_error(hooks: Hooks, kind: object, *_: object) -> None:
    if kind is None:
        _remove_all(hooks)


def _and_forget(hooks: Hooks, *_: object) -> None:
    _remove_all(hooks)
    hooks.clear()


def _of_everybody(hooks: Hooks, *_: object) -> None:
    for layer in hooks.layers.values():
        layer._forward_hooks.clear()


HOOKS_MISTAKES: Mistakes = {
    "The error was swallowed: what __exit__ returned counts as true.": (
        _leaving(lambda hooks, *_: [hook.remove() for hook in hooks.values()] or True)
    ),
    "After the block the outputs are gone, but that is where they are needed.": (
        _leaving(_and_forget)
    ),
    # An error: a dict's own items are its names.
    "A loop over a dict gives its names, not its hooks.": (
        _leaving(lambda hooks, *_: [hook.remove() for hook in hooks])
    ),
    "If the network raises, your remove() is never reached.": _leaving(_only_without_an_error),
    "Your hooks are still there after the run.": _leaving(lambda *_: None),
    "Hooks of others are gone, too; you may not be the only one who watches.": (
        _leaving(_of_everybody)
    ),
}


# What the extractor expects


def _normalized_by(make: Answer) -> Answer:
    """Make of a class a function of its weights' name and of pictures."""

    def normalized(weights: str, images: Tensor) -> Any:
        module = make(weights)
        if module is None:
            return None
        if not isinstance(module, nn.Module):
            raise Finding(f"{named_type(module)}, not a module", "This is no nn.Module.")
        return cast(Any, module).normalize(images)

    return normalized


def _normalizing(wrong: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Answer:
    """A class like ``Normalizing`` that does something else with mean and std."""

    class Wrong(Normalizing):
        def normalize(self, images: Tensor) -> Tensor:
            return wrong(images, self.mean, self.std)

    return Wrong


# The content loss, of features and of pictures


def _of_features(loss: Answer) -> Answer:
    """Make of a loss of features one of pictures, with its gradient."""
    between = lambda sr, hr, weights: loss(_extractor(sr), _extractor(hr), weights)  # noqa: E731
    return value_and_slope(between, signed=False)


class _Watched(nn.Module):
    """An extractor that notes whether it kept what a gradient needs."""

    def __init__(self) -> None:
        super().__init__()
        self.places = dict.fromkeys(("fine", "coarse", "deep"), 0)
        self.asked: list[tuple[Tensor, set[str], bool]] = []

    def forward(self, images: Tensor, names: Iterable[str] | None = None) -> dict[str, Tensor]:
        names = set(names or self.places)
        given, found = images.detach(), _extractor(images)
        graph = any(features.requires_grad for features in found.values())
        self.asked.append((given, names, graph))
        return {name: features for name, features in found.items() if name in names}


def _of_pictures(make: Answer) -> Answer:
    """Make of a class a function of layer weights, sr and hr; see how it asks for features."""

    def compared(weights: dict[str, float], sr: Tensor, hr: Tensor) -> Any:
        extractor = _Watched()
        module = make(extractor, weights)
        if module is None:
            return None
        if not isinstance(module, nn.Module):
            raise Finding(f"{named_type(module)}, not a module", "This is no nn.Module.")
        # hr asks for a gradient; * 1: torch would refuse to change a leaf in place
        truth = hr.clone().requires_grad_() * 1
        found = value_and_slope(lambda sr, _: module(sr, truth), signed=False)(sr, hr)
        if not truth.equal(hr):
            raise Finding.changed_input()
        if found is not None:
            _require_economy(extractor, hr, {name for name, w in weights.items() if w})
        return found

    return compared


def _require_economy(extractor: _Watched, hr: Tensor, active: set[str]) -> None:
    """Raise if the truth's features kept a graph, or too many layers were asked for."""
    if any(given.equal(hr) and graph for given, _, graph in extractor.asked):
        hint = "hr is a constant, yet its features were computed with gradients: memory wasted."
        raise Finding("the features of hr kept what a gradient needs", hint)
    if any(names != active for _, names, _ in extractor.asked):
        hint = "Layers were computed that have no weight; active says which ones are wanted."
        raise Finding("a layer without a weight was computed", hint)


def _module(forward: Callable[[ContentLoss, Tensor, Tensor, dict[str, float]], Any]) -> Answer:
    """A class like ``ContentLoss`` that compares in another way."""

    class Wrong(ContentLoss):
        def forward(self, sr: Tensor, hr: Tensor) -> Any:
            active = {name: weight for name, weight in self.layer_weights.items() if weight}
            return forward(self, sr, hr, active)

    return Wrong


def _frozen(loss: ContentLoss, images: Tensor, names: Any) -> dict[str, Tensor]:
    with torch.no_grad():
        return dict(loss.extractor(images, names))


CUT = "Something cut the way back from the loss to the picture."

MODULE_MISTAKES: Mistakes = {
    CUT: (
        _module(
            lambda m, sr, hr, on: content_loss(_frozen(m, sr, on), m.extractor(hr, on), on)
        ),
        _module(lambda m, sr, hr, on: content_loss(_frozen(m, sr, on), _frozen(m, hr, on), on)),
    ),
    "hr is a constant, yet its features were computed with gradients: memory wasted.": (
        _module(
            lambda m, sr, hr, on: content_loss(m.extractor(sr, on), m.extractor(hr, on), on)
        )
    ),
    "Layers were computed that have no weight; active says which ones are wanted.": (
        _module(lambda m, sr, hr, on: content_loss(m.extractor(sr), _frozen(m, hr, None), on))
    ),
    # An error: only the active layers have features.
    "layer_weights still holds the zeros; active is without them.": (
        _module(
            lambda m, sr, hr, on: content_loss(
                m.extractor(sr, on), _frozen(m, hr, on), m.layer_weights
            )
        )
    ),
    "Features of a difference are no difference of features.": (
        _module(
            lambda m, sr, hr, on: sum(
                w * m.extractor(sr - hr, on)[name].abs().mean() for name, w in on.items()
            )
        )
    ),
    "This compares pixels, not features.": (
        _module(lambda _, sr, hr, on: sum(on.values()) * (sr - hr).abs().mean())
    ),
}


def _by_features(distance: Callable[[Tensor, Tensor], Tensor]) -> Answer:
    """A loss like ``content_loss`` that compares each layer in another way."""
    return lambda seen, wanted, weights: sum(
        w * distance(seen[name], wanted[name]) for name, w in weights.items()
    )


LAYER_MISTAKES: dict[str, Answer] = {
    "These are squared differences.": _by_features(F.mse_loss),
    "Differences of both signs cancel.": _by_features(lambda a, b: (a - b).mean()),
    "This is a sum: a layer with more values would count more.": (
        _by_features(lambda a, b: (a - b).abs().sum())
    ),
    "All layers count alike; their weights have no effect.": (
        lambda seen, wanted, weights: sum(F.l1_loss(seen[n], wanted[n]) for n in weights)
    ),
    "Weighted, but then averaged over the layers.": lambda seen, wanted, weights: (
        content_loss(seen, wanted, weights) / len(weights)
    ),
    "Divided by the sum of the weights, which need not be 1.": lambda seen, wanted, weights: (
        content_loss(seen, wanted, weights) / sum(weights.values())
    ),
}


def _every_layer(seen: Any, wanted: Any, weights: Mapping[str, float]) -> Any:
    return sum(weights[n] * F.l1_loss(seen[n], wanted[n]) for n in seen)


def _by_place(seen: Any, wanted: Any, weights: Mapping[str, float]) -> Any:
    rows = zip(seen.values(), wanted.values(), weights.values(), strict=False)
    return sum(w * F.l1_loss(a, b) for a, b, w in rows)


FEATURE_MISTAKES: Mistakes = {
    **LAYER_MISTAKES,
    "Only one of the layers counts.": (
        lambda seen, wanted, weights: content_loss(seen, wanted, dict([*weights.items()][:1])),
        lambda seen, wanted, weights: content_loss(seen, wanted, dict([*weights.items()][-1:])),
    ),
    # An error: one of the layers has no weight.
    "One of the layers that are given has no weight.": _every_layer,
    "The weights went to layers by their place; a dict's order is not theirs.": _by_place,
}


def _by_its_own_numbers(images: Tensor) -> Tensor:
    std, mean = torch.std_mean(images, dim=(0, 2, 3), keepdim=True)
    return (images - mean) / std


NORMALIZE_MISTAKES: Mistakes = {
    "These are the pictures as they were given.": _normalizing(lambda images, *_: images),
    "The two steps are in the wrong order; mean has the unit of the picture.": (
        _normalizing(lambda images, mean, std: images / std - mean)
    ),
    "The mean is gone, but std is not used.": _normalizing(
        lambda images, mean, _: images - mean
    ),
    "This subtracts mean / std, since / comes before -.": (
        _normalizing(lambda images, mean, std: images - mean / std)
    ),
    "Divided, but the mean was not subtracted first.": (
        _normalizing(lambda images, _, std: images / std)
    ),
    "You multiplied by std, which makes the spread smaller still.": (
        _normalizing(lambda images, mean, std: (images - mean) * std)
    ),
    "The mean is added; afterwards it should be 0.": (
        _normalizing(lambda images, mean, std: (images + mean) / std)
    ),
    "Pictures, mean and std are all in [0, 1]; nothing has to be multiplied by 255.": (
        _normalizing(lambda images, mean, std: (255 * images - mean) / std)
    ),
    "The channels of the picture are reversed.": (
        _normalizing(lambda images, mean, std: (images.flip(1) - mean) / std)
    ),
    "mean and std are reversed: blue's numbers are used for red.": (
        _normalizing(lambda images, mean, std: (images - mean.flip(0)) / std.flip(0))
    ),
    "These are the mean and std of this picture; the network was trained with fixed ones.": (
        _normalizing(lambda images, *_: _by_its_own_numbers(images))
    ),
    "Clamped, though normalized values run below 0 and above 1.": (
        _normalizing(lambda images, mean, std: ((images - mean) / std).clamp(0, 1))
    ),
    "This uses one mean and one std for all three channels.": (
        _normalizing(lambda images, mean, std: (images - mean.mean()) / std.mean())
    ),
}


# Exercise 1: a loss with a bug


def _extractor(images: Tensor) -> dict[str, Tensor]:
    """A small frozen network of three layers, each coarser than the one before."""
    fine = F.relu(F.conv2d(images, uniform_values(30, 4, 3, 3, 3) - 0.5, padding=1))
    coarse = F.relu(F.conv2d(fine, uniform_values(31, 5, 4, 3, 3) - 0.5, padding=1, stride=2))
    deep = F.relu(F.conv2d(coarse, uniform_values(32, 6, 5, 3, 3) - 0.5, padding=1, stride=2))
    return {"fine": fine, "coarse": coarse, "deep": deep}


def _content_loss(
    extractor: Extractor, sr: Tensor, hr: Tensor, layer_weights: Mapping[str, float]
) -> Any:
    return content_loss(extractor(sr), extractor(hr), layer_weights)


def _extracting(compare: Answer) -> Answer:
    """Make of a loss of features one of an extractor and pictures."""
    return lambda extractor, sr, hr, weights: compare(extractor(sr), extractor(hr), weights)


FEATURES_MISTAKES: Mistakes = {
    "The ReLU after a convolution works in place, and has changed what you kept.": (
        partial(_features, keep=lambda output: output)
    ),
}

CONTENT_MISTAKES: Mistakes = {
    "Each weight goes to whichever layer stands in its place; the names decide nothing.": (
        _extracting(_by_place)
    ),
    **{hint: _extracting(wrong) for hint, wrong in LAYER_MISTAKES.items()},
    "This compares the means of whole layers, not place by place.": (
        _extracting(_by_features(lambda a, b: (a.mean() - b.mean()).abs()))
    ),
    "The layers are averaged, and their weights have no effect.": (
        lambda extractor, sr, hr, weights: _content_loss(
            extractor, sr, hr, dict.fromkeys(weights, 1 / len(weights))
        )
    ),
    "A layer that has no weight counts here as well.": (
        lambda extractor, sr, hr, weights: _content_loss(
            extractor, sr, hr, {**dict.fromkeys(extractor(sr), 1.0), **weights}
        )
    ),
    # An error: one of the extractor's layers has no weight.
    "The extractor gives a layer that has no weight.": _extracting(_every_layer),
    "Features of a difference are no difference of features.": (
        lambda extractor, sr, hr, weights: sum(
            w * extractor(sr - hr)[name].abs().mean() for name, w in weights.items()
        )
    ),
    "This compares pixels, not features.": lambda _, sr, hr, weights: (
        sum(weights.values()) * (sr - hr).abs().mean()
    ),
    "Where sr is clamped, there is no gradient to learn from.": (
        lambda extractor, sr, hr, weights: _content_loss(extractor, sr.clamp(0, 1), hr, weights)
    ),
}


# Exercise 2: how far a copy may be shifted


def _on_a_row(answer: Answer) -> Answer:
    """Call an answer with a loss of these values for the blur and shifts of 1, 2, ... px."""

    def measured(blur: float, row: tuple[float, ...]) -> Any:
        truth, blurred = torch.zeros(1, 3, 4, 4), torch.full((1, 3, 4, 4), blur)

        def shifted(px: int) -> Tensor:
            k = whole_number(px)
            if not 0 <= k <= len(row):
                hint = f"It asked for {k} px, though a shift of fewer was enough, or none was."
                raise Finding(f"shifted({k}) was called", hint)
            return torch.full_like(truth, row[k - 1] if k else 0.0)

        def distance(copy: Tensor, truth: Tensor) -> Tensor:
            return (copy - truth).abs().mean()

        found = answer(distance, truth, blurred, shifted)
        return None if found is None else whole_number(found)

    return measured


def _counting_up(goes_on: Callable[[float, float], bool], start: int = 1) -> Answer:
    """A search for the first shift where ``goes_on(its cost, the blur's)`` is false."""

    def search(loss: Answer, truth: Tensor, blurred: Tensor, shifted: Answer) -> int:
        px = start
        while goes_on(loss(shifted(px), truth), loss(blurred, truth)):
            px += 1
        return px

    return search


_equal_shift = _counting_up(operator.lt)

SHIFT_MISTAKES: Mistakes = {
    "The search began at 0 px, which is no shift.": _counting_up(operator.lt, start=0),
    "As much is enough; here the shift has to cost more.": _counting_up(operator.le),
    "This is the last shift that still costs less than the blur.": lambda *given: (
        _equal_shift(*given) - 1
    ),
    "This is one px too many.": lambda *given: _equal_shift(*given) + 1,
    "This looks for a shift that costs less than the blur, not one that costs as much.": (
        _counting_up(operator.ge)
    ),
}
