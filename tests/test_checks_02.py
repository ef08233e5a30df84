"""The checks of lesson 02 take the right answer, refuse wrong ones, and say why."""

import contextlib
from functools import partial

import pytest
import torch
from torch import nn
from torchvision import transforms

from srlab.checks import (
    check_content_loss,
    check_content_module,
    check_equal_shift,
    check_features,
    check_hooks,
    check_named_weights,
    check_normalize,
)
from srlab.features import FeatureExtractor, Hooks, Normalizing
from srlab.losses import ContentLoss, content_loss
from tests.answering import first, last, refused, refuses, takes

# Hooks ---------------------------------------------------------------------------------


def leaves(leave):
    """A class like Hooks whose block ends in another way."""
    return type("Leaves", (Hooks,), {"__exit__": leave})


def removes_each(hooks, *_):
    for name in list(hooks):
        hooks[name].remove()


def closes_a_stack(hooks, *_):
    with contextlib.ExitStack() as stack:
        for hook in hooks.values():
            stack.callback(hook.remove)


test_hooks_done = takes(check_hooks, Hooks, leaves(removes_each), leaves(closes_a_stack))


def swallows(hooks, *_):
    removes_each(hooks)
    return True


def removes_only_without_an_error(hooks, kind, *_):
    if kind is None:
        removes_each(hooks)


def forgets_the_outputs(hooks, *_):
    while hooks:
        hooks.popitem()[1].remove()


def goes_through_the_names(hooks, *_):
    for hook in hooks:
        hook.remove()


def clears_the_layers(hooks, *_):
    for layer in hooks.layers.values():
        layer._forward_hooks.clear()


test_hooks_mistakes = refuses(
    check_hooks,
    {
        ("one layer", "Your hooks are still there"): leaves(lambda *_: None),
        ("two layers", "Your hooks are still there"): (
            leaves(lambda hooks, *_: next(iter(hooks.values())).remove()),
            leaves(lambda hooks, *_: list(hooks.values())[-1].remove()),
        ),
        ("an error inside", "The error was swallowed"): leaves(swallows),
        ("an error inside", "your remove() is never reached"): (
            leaves(removes_only_without_an_error)
        ),
        ("one layer", "After the block the outputs are gone"): leaves(forgets_the_outputs),
        ("one layer", "A loop over a dict gives its names"): leaves(goes_through_the_names),
        ("a hook of its own", "Hooks of others are gone"): leaves(clears_the_layers),
    },
)


# Normalizing ----------------------------------------------------------------------------


def normalizes(images, mean, std):
    return (images - mean[:, None, None]) / std[:, None, None]


def normalizes_channel_by_channel(images, mean, std):
    return torch.stack([(images[:, c] - mean[c]) / std[c] for c in range(3)], dim=1)


def as_built(normalize):
    """A class like Normalizing that does this with images, mean and std of shape (3,)."""

    class Built(Normalizing):
        def normalize(self, images):
            return normalize(images, self.mean.flatten(), self.std.flatten())

    return Built


test_normalize_done = takes(
    check_normalize,
    Normalizing,
    as_built(normalizes),
    as_built(lambda x, mean, std: (x - mean.view(1, 3, 1, 1)) / std.view(1, 3, 1, 1)),
    as_built(lambda x, mean, std: ((x.permute(0, 2, 3, 1) - mean) / std).permute(0, 3, 1, 2)),
    as_built(normalizes_channel_by_channel),
    as_built(lambda x, mean, std: transforms.Normalize(mean, std)(x)),
)


def test_normalize_is_what_the_extractor_does():
    extractor = FeatureExtractor(["relu1_1"])
    images, given = torch.rand(1, 3, 6, 5), []
    extractor.vgg[0].register_forward_pre_hook(lambda _, inputs: given.append(inputs[0]))
    extractor(images)
    expected = normalizes(images, extractor.mean.flatten(), extractor.std.flatten())
    torch.testing.assert_close(given[0], expected)


def takes_the_batchs_own_statistics(images, mean, std):  # noqa: ARG001
    dims = (0, 2, 3)
    return (images - images.mean(dims, keepdim=True)) / images.std(dims, keepdim=True)


cuts_the_way_back = torch.no_grad()(normalizes)


def changes_its_input(images, mean, std):
    images -= mean.view(3, 1, 1)
    images /= std.view(3, 1, 1)
    return images


NORMALIZED = {
    "as they were given": lambda images, *_: images,
    "The two steps are in the wrong order": lambda images, mean, std: (
        images / std.view(3, 1, 1) - mean.view(3, 1, 1)
    ),
    "The mean is gone, but": lambda images, mean, _: images - mean.view(3, 1, 1),
    "the mean was not subtracted": lambda images, _, std: images / std.view(3, 1, 1),
    "You multiplied by std": lambda images, mean, std: (
        (images - mean.view(3, 1, 1)) * std.view(3, 1, 1)
    ),
    "The mean is added": lambda images, mean, std: (
        (images + mean.view(3, 1, 1)) / std.view(3, 1, 1)
    ),
    "are all in [0, 1]": lambda images, mean, std: (
        (images * 255 - mean.view(3, 1, 1)) / std.view(3, 1, 1)
    ),
    "The channels of the picture": lambda images, mean, std: normalizes(
        images[:, [2, 1, 0]], mean, std
    ),
    "mean and std are reversed": lambda images, mean, std: normalizes(
        images, mean.flip(0), std.flip(0)
    ),
    "These are the mean and": takes_the_batchs_own_statistics,
    "Clamped, though normalized values run": lambda images, mean, std: normalizes(
        images, mean, std
    ).clamp(0, 1),
    "This uses one mean and one std": lambda images, mean, std: (
        (images - mean.mean()) / std.mean()
    ),
    "the way is cut": cuts_the_way_back,
    "An argument is not what": changes_its_input,
}

test_normalize_mistakes = refuses(
    check_normalize,
    {hint: as_built(wrong) for hint, wrong in NORMALIZED.items()},
    case="2 pictures of 5 x 4 px",
)


def detaches_the_half(images, mean, std):
    half = (images + images.detach()) / 2
    return normalizes(half, mean, std)


def knows_vgg16_by_heart(images, mean, std):
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    return normalizes(images, mean, std)


test_normalize_other_wrong_answers = refuses(
    check_normalize,
    {
        "then divide.": (
            as_built(lambda images, mean, std: normalizes(images[:1], mean, std)),
            as_built(lambda images, *_: torch.zeros_like(images) * images),
            as_built(knows_vgg16_by_heart),
            as_built(lambda images, mean, std: (images - mean) / std),
        ),
        "part of the way back is cut": as_built(detaches_the_half),
        "This is no nn.Module": lambda _: normalizes,
    },
    case="px",
)


# The content loss, of features and of pictures ------------------------------------------


def compares_layers(seen, wanted, layer_weights):
    return sum(w * (seen[n] - wanted[n]).abs().mean() for n, w in layer_weights.items())


test_content_done = takes(
    check_content_loss,
    content_loss,
    compares_layers,
    lambda a, b, weights: sum(
        w * nn.functional.l1_loss(a[n], b[n].detach()) for n, w in weights.items()
    ),
)


def compares_squares(seen, wanted, layer_weights):
    return sum(w * (seen[n] - wanted[n]).pow(2).mean() for n, w in layer_weights.items())


test_content_mistakes = refuses(
    check_content_loss,
    {
        "These are squared differences": compares_squares,
        "Differences of both signs": lambda a, b, weights: sum(
            w * (a[n] - b[n]).mean() for n, w in weights.items()
        ),
        "This is a sum: a": lambda a, b, weights: sum(
            w * (a[n] - b[n]).abs().sum() for n, w in weights.items()
        ),
        "All layers count alike": lambda a, b, weights: compares_layers(
            a, b, dict.fromkeys(weights, 1.0)
        ),
        "averaged over the layers": lambda a, b, weights: (
            compares_layers(a, b, weights) / len(weights)
        ),
        "Divided by the sum": lambda a, b, weights: (
            compares_layers(a, b, weights) / sum(weights.values())
        ),
        "Only one of the layers": (
            lambda a, b, weights: compares_layers(a, b, {"fine": weights["fine"]}),
            lambda a, b, weights: compares_layers(a, b, {"coarse": weights["coarse"]}),
        ),
        "has no weight": lambda a, b, weights: sum(
            weights[n] * (a[n] - b[n]).abs().mean() for n in a
        ),
        "This is a plain number": lambda *given: compares_layers(*given).item(),
        "Something cut the way back": (
            lambda *given: compares_layers(*given).detach(),
            torch.no_grad()(compares_layers),
        ),
        "One number for each picture": lambda a, b, weights: sum(
            w * (a[n] - b[n]).abs().mean((1, 2, 3)) for n, w in weights.items()
        ),
    },
    case="2 of 3 layers",
)


test_content_other_wrong_answers = refuses(
    check_content_loss,
    {
        ("another order", "The weights went to layers"): lambda a, b, weights: sum(
            w * (x - y).abs().mean()
            for x, y, w in zip(a.values(), b.values(), weights.values(), strict=False)
        ),
        ("2 of 3 layers", "layer_weights.items()"): lambda a, b, weights: (
            0 * compares_layers(a, b, weights)
        ),
        ("1 layer", "layer_weights.items()"): lambda a, b, weights: compares_layers(
            a, b, {name: min(weight, 3.0) for name, weight in weights.items()}
        ),
    },
)


def compares(forward):
    """A class like ContentLoss that does this with itself, sr, hr and the active layers."""

    class Compares(ContentLoss):
        def forward(self, sr, hr):
            return forward(self, sr, hr, {n: w for n, w in self.layer_weights.items() if w})

    return Compares


def frozen(module, images, names):
    with torch.no_grad():
        return module.extractor(images, names)


test_content_module_done = takes(
    check_content_module,
    ContentLoss,
    compares(
        lambda m, sr, hr, on: compares_layers(
            m.extractor(sr, list(on)), frozen(m, hr, list(on)), on
        )
    ),
)


test_content_module_mistakes = refuses(
    check_content_module,
    {
        ("1 layer", "Something cut the way back"): (
            compares(
                lambda m, sr, hr, on: content_loss(frozen(m, sr, on), m.extractor(hr, on), on)
            ),
            compares(
                lambda m, sr, hr, on: content_loss(frozen(m, sr, on), frozen(m, hr, on), on)
            ),
        ),
        ("1 layer", "hr is a constant, yet"): (
            compares(
                lambda m, sr, hr, on: content_loss(m.extractor(sr, on), m.extractor(hr, on), on)
            ),
            compares(
                lambda m, sr, hr, on: content_loss(
                    m.extractor(sr, on),
                    {n: f.detach() for n, f in m.extractor(hr, on).items()},
                    on,
                )
            ),
        ),
        ("1 layer", "Layers were computed that"): compares(
            lambda m, sr, hr, on: content_loss(m.extractor(sr), frozen(m, hr, None), on)
        ),
        ("1 layer", "layer_weights still holds"): compares(
            lambda m, sr, hr, on: content_loss(
                m.extractor(sr, on), frozen(m, hr, on), m.layer_weights
            )
        ),
        ("1 layer", "Features of a difference"): compares(
            lambda m, sr, hr, on: sum(
                w * m.extractor(sr - hr, on)[n].abs().mean() for n, w in on.items()
            )
        ),
        ("1 layer", "This compares pixels"): compares(
            lambda _, sr, hr, on: sum(on.values()) * (sr - hr).abs().mean()
        ),
        ("1 layer", "under torch.no_grad()"): compares(
            lambda m, sr, hr, on: 2 * content_loss(m.extractor(sr, on), frozen(m, hr, on), on)
        ),
    },
)


# Exercise 1 ----------------------------------------------------------------------------


def compares_features(extractor, sr, hr, layer_weights):
    with torch.no_grad():
        wanted = extractor(hr)
    seen = extractor(sr)
    return sum(w * (seen[n] - wanted[n]).abs().mean() for n, w in layer_weights.items())


def compares_with_the_lessons_function(extractor, sr, hr, layer_weights):
    return content_loss(extractor(sr), extractor(hr), layer_weights)


def goes_by_the_extractors_order(extractor, sr, hr, layer_weights):
    both = zip(extractor(sr).items(), extractor(hr).values(), strict=True)
    terms = [layer_weights.get(n, 0) * (a - b).abs().mean() for (n, a), b in both]
    return torch.stack(terms).sum()


def compares_in_one_batch(extractor, sr, hr, layer_weights):
    both = extractor(torch.cat([sr, hr]))
    halves = {name: values.chunk(2) for name, values in both.items()}
    terms = [
        w * nn.functional.l1_loss(halves[n][0], halves[n][1].detach())
        for n, w in layer_weights.items()
    ]
    return torch.stack(terms).sum()


test_named_weights_done = takes(
    check_named_weights,
    compares_features,
    compares_with_the_lessons_function,
    goes_by_the_extractors_order,
    compares_in_one_batch,
)


def by_distance(distance):
    """An answer that compares the features of each layer in another way."""

    def loss(extractor, sr, hr, layer_weights):
        seen, wanted = extractor(sr), extractor(hr)
        return sum(w * distance(seen[n], wanted[n]) for n, w in layer_weights.items())

    return loss


squares = by_distance(lambda a, b: (a - b).pow(2).mean())
detaches_srs_features = by_distance(lambda a, b: (a.detach() - b).abs().mean())
gives_one_for_each_picture = by_distance(lambda a, b: (a - b).abs().mean((1, 2, 3)))


def forgets_the_weights(extractor, sr, hr, layer_weights):
    seen, wanted = extractor(sr), extractor(hr)
    return sum((seen[n] - wanted[n]).abs().mean() for n in layer_weights)


def counts_every_layer_there_is(extractor, sr, hr, layer_weights):
    seen, wanted = extractor(sr), extractor(hr)
    return sum(layer_weights.get(n, 1) * (seen[n] - wanted[n]).abs().mean() for n in seen)


def gives_a_number(extractor, sr, hr, layer_weights):
    return compares_features(extractor, sr, hr, layer_weights).item()


def computes_all_under_no_grad(extractor, sr, hr, layer_weights):
    with torch.no_grad():
        return compares_features(extractor, sr, hr, layer_weights)


def makes_a_new_tensor(extractor, sr, hr, layer_weights):
    value = compares_features(extractor, sr, hr, layer_weights)
    return torch.tensor(value.item(), requires_grad=True)


def asks_each_layer_for_its_weight(extractor, sr, hr, layer_weights):
    seen, wanted = extractor(sr), extractor(hr)
    return sum(layer_weights[n] * (seen[n] - wanted[n]).abs().mean() for n in seen)


def looks_at_the_difference(extractor, sr, hr, layer_weights):
    seen = extractor(sr - hr)
    return sum(w * seen[n].abs().mean() for n, w in layer_weights.items())


def goes_by_place(extractor, sr, hr, layer_weights):
    """As the lesson gives it."""
    seen, wanted = extractor(sr).values(), extractor(hr).values()
    rows = zip(seen, wanted, layer_weights.values(), strict=False)
    return sum(w * (a - b).abs().mean() for a, b, w in rows)


def goes_by_place_among_the_weighted(extractor, sr, hr, layer_weights):
    seen, wanted = extractor(sr), extractor(hr)
    chosen = [name for name in seen if name in layer_weights]
    rows = zip(chosen, layer_weights.values(), strict=True)
    return sum(w * (seen[n] - wanted[n]).abs().mean() for n, w in rows)


test_named_weights_mistakes = refuses(
    check_named_weights,
    {
        ("in another order", "Each weight goes to whichever"): (
            goes_by_place,
            goes_by_place_among_the_weighted,
        ),
        ("2 of 3 layers", "These are squared differences"): squares,
        ("2 of 3 layers", "Differences of both signs cancel"): (
            by_distance(lambda a, b: (a - b).mean())
        ),
        ("2 of 3 layers", "This compares the means of"): (
            by_distance(lambda a, b: (a.mean() - b.mean()).abs())
        ),
        ("2 of 3 layers", "This is a sum: a"): by_distance(lambda a, b: (a - b).abs().sum()),
        ("2 of 3 layers", "All layers count alike; their"): forgets_the_weights,
        ("2 of 3 layers", "The layers are averaged, and"): (
            lambda extractor, sr, hr, layer_weights: (
                forgets_the_weights(extractor, sr, hr, layer_weights) / len(layer_weights)
            )
        ),
        ("2 of 3 layers", "Weighted, but then averaged over"): (
            lambda extractor, sr, hr, layer_weights: (
                compares_features(extractor, sr, hr, layer_weights) / len(layer_weights)
            )
        ),
        ("2 of 3 layers", "Divided by the sum of"): (
            lambda extractor, sr, hr, layer_weights: (
                compares_features(extractor, sr, hr, layer_weights)
                / sum(layer_weights.values())
            )
        ),
        ("2 of 3 layers", "A layer that has no"): counts_every_layer_there_is,
        ("2 of 3 layers", "The extractor gives a layer"): asks_each_layer_for_its_weight,
        ("2 of 3 layers", "Features of a difference are"): looks_at_the_difference,
        ("2 of 3 layers", "This compares pixels"): lambda _, sr, hr, layer_weights: sum(
            w * (sr - hr).abs().mean() for w in layer_weights.values()
        ),
        ("2 of 3 layers", "Where sr is clamped"): (
            lambda extractor, sr, hr, layer_weights: compares_features(
                extractor, sr.clamp(0, 1), hr, layer_weights
            )
        ),
        ("2 of 3 layers", "This is a plain number"): gives_a_number,
        ("2 of 3 layers", "Something cut the way back"): (
            computes_all_under_no_grad,
            detaches_srs_features,
            makes_a_new_tensor,
        ),
        ("2 of 3 layers", "One number for each picture"): gives_one_for_each_picture,
    },
)


def knows_only_the_first_layer(extractor, sr, hr, layer_weights):
    name, weight = next(iter(layer_weights.items()))
    return compares_features(extractor, sr, hr, {name: weight})


def reverses_part_of_the_gradient(extractor, sr, hr, layer_weights):
    """The same mean gradients, at other pixels."""
    turned = 2 * sr.detach().flip(0, 3) - sr.flip(0, 3)
    return compares_features(extractor, sr - turned.detach() + turned, hr, layer_weights)


def halves_the_gradient(extractor, sr, hr, layer_weights):
    half = (sr + sr.detach()) / 2
    return compares_features(extractor, half, hr, layer_weights)


test_named_weights_other_wrong_answers = refuses(
    check_named_weights,
    knows_only_the_first_layer,
    lambda extractor, sr, hr, layer_weights: compares_features(
        extractor, sr[:1], hr[:1], layer_weights
    ),
    lambda extractor, sr, hr, layer_weights: (
        0 * compares_features(extractor, sr, hr, layer_weights)
    ),
    halves_the_gradient,
    case="2 of 3 layers",
    hint="Let the names",
)


test_named_weights_that_changes_what_should_stay = refuses(
    check_named_weights,
    reverses_part_of_the_gradient,
    last(compares_features, lambda *given: given[-1].popitem()),
)

# Exercise 2 ----------------------------------------------------------------------------


def counts_up(loss, truth, blurred, shifted):
    limit, px = loss(blurred, truth), 1
    while loss(shifted(px), truth) < limit:
        px += 1
    return px


def breaks_out(loss, truth, blurred, shifted):
    for px in range(1, 1000):
        if loss(shifted(px), truth).item() >= loss(blurred, truth).item():
            return px


def compares_copies_in_turn(loss, truth, blurred, shifted):
    return next(k for k in range(1, 99) if not loss(shifted(k), truth) < loss(blurred, truth))


test_shift_done = takes(check_equal_shift, counts_up, breaks_out, compares_copies_in_turn)


def asks_for_more(loss, truth, blurred, shifted):
    return next(k for k in range(1, 99) if loss(shifted(k), truth) > loss(blurred, truth))


test_shift_mistakes = refuses(
    check_equal_shift,
    {
        ("2 px cost", "As much is enough"): asks_for_more,
        ("from 4 px on", "the last shift that still costs less"): (
            lambda *given: counts_up(*given) - 1
        ),
        ("from 4 px on", "one px too many"): lambda *given: counts_up(*given) + 1,
        ("from 4 px on", "looks for a shift that costs less"): (
            lambda loss, truth, blurred, shifted: next(
                k for k in range(1, 99) if loss(shifted(k), truth) < loss(blurred, truth)
            )
        ),
        ("from 4 px on", "its type is no whole number"): (
            lambda *given: float(counts_up(*given)),
            lambda *given: torch.tensor(counts_up(*given)),
        ),
        ("from 4 px on", "though a shift of fewer was enough"): (
            lambda loss, truth, blurred, shifted: next(
                k for k in range(9, 0, -1) if loss(shifted(k), truth) < loss(blurred, truth)
            )
        ),
        ("a blur that costs nothing", "began at 0 px"): (
            lambda loss, truth, blurred, shifted: next(
                k for k in range(99) if loss(shifted(k), truth) >= loss(blurred, truth)
            )
        ),
        ("a long time", "Begin with 1 px"): lambda *given: min(counts_up(*given), 16),
    },
)


# Exercise 3 ----------------------------------------------------------------------------


def keeps(features, name, _layer, _inputs, output):
    features[name] = output.clone()


def hooked(layers, features):
    """A handle of each layer's hook, which keeps a copy by the layer's name."""
    hooks = {name: partial(keeps, features, name) for name in layers}
    return [layer.register_forward_hook(hooks[name]) for name, layer in layers.items()]


def watches(network, layers, images):
    features = {}
    handles = hooked(layers, features)
    try:
        network(images)
    finally:
        for handle in handles:
            handle.remove()
    return features


class CopyingHooks(Hooks):
    """The lesson's own, with a copy: another good way."""

    def __enter__(self):
        super().__enter__()
        for hook, layer in zip(self.values(), self.layers.values(), strict=True):
            hook.remove()
            hook.handle = layer.register_forward_hook(
                lambda *given, hook=hook: hook.keep(*given[:2], given[2].clone())
            )
        return self


def watches_with_the_lessons_hooks(network, layers, images):
    with CopyingHooks(layers) as hooks:
        network(images)
    return {name: hook.output for name, hook in hooks.items()}


def detaches(network, layers, images):
    return {name: values.detach() for name, values in watches(network, layers, images).items()}


def keeps_what_the_relu_changes(network, layers, images):
    with Hooks(layers) as hooks:
        network(images)
    return {name: hook.output for name, hook in hooks.items()}


def turns_inplace_off_for_a_while(network, layers, images):
    flags = {part: part.inplace for part in network.modules() if isinstance(part, nn.ReLU)}
    for relu in flags:
        relu.inplace = False
    try:
        return keeps_what_the_relu_changes(network, layers, images)
    finally:
        for relu, flag in flags.items():
            relu.inplace = flag


def looks_with_an_exit_stack(network, layers, images):
    features = {}
    with contextlib.ExitStack() as stack:
        for handle in hooked(layers, features):
            stack.callback(handle.remove)
        network(images)
    return features


test_features_done = takes(
    check_features,
    watches,
    watches_with_the_lessons_hooks,
    detaches,
    torch.no_grad()(watches),
    torch.inference_mode()(watches),
    turns_inplace_off_for_a_while,
    looks_with_an_exit_stack,
)


def forgets_to_remove(network, layers, images):
    features = {}
    hooked(layers, features)
    network(images)
    return features


def removes_the_last_alone(network, layers, images):
    features = {}
    *_, handle = hooked(layers, features)
    network(images)
    handle.remove()
    return features


def removes_only_on_success(network, layers, images):
    features = {}
    handles = hooked(layers, features)
    network(images)
    for handle in handles:
        handle.remove()
    return features


def clears_everybodys_hooks(network, layers, images):
    try:
        features = removes_only_on_success(network, layers, images)
    finally:
        for part in network.modules():
            part._forward_hooks.clear()
    return features


def swallows_the_error(network, layers, images):
    features = {}
    handles = hooked(layers, features)
    with contextlib.suppress(RuntimeError):
        network(images)
    for handle in handles:
        handle.remove()
    return features


def lets_the_loop_name_them(network, layers, images):
    features, handles = {}, []
    try:
        for name, layer in layers.items():
            handles.append(
                layer.register_forward_hook(
                    lambda _l, _i, output: features.update({name: output.clone()})  # noqa: B023
                )
            )
        network(images)
    finally:
        for handle in handles:
            handle.remove()
    return features


def runs_once_for_each_layer(network, layers, images):
    return {
        name: watches(network, {name: layer}, images)[name] for name, layer in layers.items()
    }


def gives_a_list(network, layers, images):
    return list(watches(network, layers, images).values())


def goes_from_layer_to_layer(network, layers, images):  # noqa: ARG001
    features = {}
    for name, layer in layers.items():
        images = layer(images)
        features[name] = images
    return features


test_features_mistakes = refuses(
    check_features,
    {
        ("one layer", "Your hooks are still there"): forgets_to_remove,
        ("three layers", "Your hooks are still there"): removes_the_last_alone,
        ("fails halfway", "If the network raises, your"): removes_only_on_success,
        ("hook of its own", "Hooks of others are gone"): clears_everybodys_hooks,
        ("fails halfway", "The network's error was caught"): swallows_the_error,
        ("three layers", "All hooks use one name"): lets_the_loop_name_them,
        ("three layers", "The network ran more than"): runs_once_for_each_layer,
        ("three layers", "The ReLU after a convolution"): (
            keeps_what_the_relu_changes,
            lambda *given: {
                n: v.clone() for n, v in keeps_what_the_relu_changes(*given).items()
            },
        ),
        ("one layer", "The network itself did not"): goes_from_layer_to_layer,
        ("one layer", "The names are missing: this"): gives_a_list,
    },
)


def leaves_every_relu_out_of_place(network, layers, images):
    for part in network.modules():
        if isinstance(part, nn.ReLU):
            part.inplace = False
    return keeps_what_the_relu_changes(network, layers, images)


def leaves_it_out_of_place_after_an_error(network, layers, images):
    relus = [part for part in network.modules() if isinstance(part, nn.ReLU)]
    for relu in relus:
        relu.inplace = False
    features = keeps_what_the_relu_changes(network, layers, images)
    for relu in relus:
        relu.inplace = True
    return features


@pytest.mark.parametrize(
    ("answer", "case", "got"),
    [
        (leaves_every_relu_out_of_place, "one layer", "relu1.inplace of the"),
        (leaves_it_out_of_place_after_an_error, "fails halfway", "relu1.inplace of the"),
        (first(lambda network, *_: network.eval(), watches), "one layer", "training of the"),
        (
            first(lambda network, *_: network.requires_grad_(True), watches),
            "one layer",
            "requires_grad of the network",
        ),
        (
            first(
                lambda network, *_: network.register_forward_pre_hook(lambda *_: None), watches
            ),
            "one layer",
            "hooks left behind",
        ),
        (
            first(lambda *_: torch.set_grad_enabled(False), watches),
            "one layer",
            "whether gradients are on",
        ),
        (
            first(
                lambda *_: nn.modules.module.register_module_forward_hook(lambda *_: None),
                watches,
            ),
            "one layer",
            "hooks on all modules",
        ),
        (
            last(watches, lambda *given: given[1].clear()),
            "one layer",
            "the function changed",
        ),
    ],
)
def test_features_leaves_no_trace(answer, case, got):
    verdict = check_features(answer)
    refused(verdict, case=case, got=got)
    assert torch.is_grad_enabled()


def test_features_tells_how_many_hooks_are_left():
    assert check_features(forgets_to_remove).got == "hooks left behind: 1"
    got = check_features(removes_only_on_success).got
    assert got == "hooks left behind after the error: 1"


def feeds_layer_by_layer(network, layers, images):
    """Right for a plain row of layers; this network has a skip."""
    features = {}
    for layer in network.children():
        images = layer(images)
        features |= {name: images for name, wanted in layers.items() if wanted is layer}
    return features


test_features_other_wrong_answers = refuses(
    check_features,
    {
        "The network itself did not": feeds_layer_by_layer,
        "Register a hook for each layer": (
            lambda network, layers, images: dict.fromkeys(layers, network(images)),
            lambda network, layers, images: {
                name: 0 * values for name, values in watches(network, layers, images).items()
            },
            lambda network, layers, images: watches(network, layers, images[:1]),
        ),
        "one of them does not name a tensor": lambda network, layers, images: {
            name: found.tolist() for name, found in watches(network, layers, images).items()
        },
    },
    case="",
)
