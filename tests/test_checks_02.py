"""The checks of lesson 02 take the right answer, refuse wrong ones, and say why."""

import contextlib
from functools import partial

import torch
from torch import nn
from torchvision import transforms  # noqa: F401 - an answer uses it

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
from tests.answering import edited, first, last, refuses, takes

# Hooks ---------------------------------------------------------------------------------


def closes_a_stack(hooks, *_):
    with contextlib.ExitStack() as stack:
        for hook in hooks.values():
            stack.callback(hook.remove)


test_hooks_done = takes(
    check_hooks,
    Hooks,
    type("ClosesAStack", (Hooks,), {"__exit__": closes_a_stack}),
    "hook in self.values() -> name in list(self); hook.remove() -> self[name].remove()",
    of=Hooks,
)


test_hooks_mistakes = refuses(
    check_hooks,
    {
        ("one layer", "Your hooks are still there"): "hook.remove() -> pass",
        ("two layers", "Your hooks are still there"): (
            "in self.values() -> in list(self.values())[:1]",
            "in self.values() -> in list(self.values())[1:] or self.values()",
        ),
        ("an error inside", "The error was swallowed"): (
            "hook.remove() -> hook.remove()\n        return True"
        ),
        ("an error inside", "your remove() is never reached"): (
            "in self.values() -> in self.values() if _[0] is None else ()"
        ),
        ("one layer", "After the block the outputs are gone"): (
            "hook.remove() -> hook.remove()\n        self.clear()"
        ),
        ("one layer", "A loop over a dict gives its names"): "in self.values() -> in self",
        ("a hook of its own", "Hooks of others are gone"): (
            "self.values() -> self.layers.values(); remove() -> _forward_hooks.clear()"
        ),
    },
    of=Hooks,
)


# Normalizing ----------------------------------------------------------------------------


class Normalizes(Normalizing):
    def normalize(self, images):
        mean, std = self.mean, self.std
        return (images - mean) / std


gives = "(images - mean) / std -> {}".format
takes_flat = "self.mean, self.std -> self.mean.flatten(), self.std.flatten()"

test_normalize_done = takes(
    check_normalize,
    Normalizing,
    gives("(images - mean.view(1, 3, 1, 1)) / std.view(1, 3, 1, 1)"),
    gives("torch.stack([(images[:, c] - mean[c]) / std[c] for c in range(3)], dim=1)"),
    f"{takes_flat}; {gives('((images.mT.transpose(1, 3) - mean) / std).transpose(1, 3).mT')}",
    f"{takes_flat}; {gives('transforms.Normalize(mean, std)(images)')}",
    f"{takes_flat}; {gives('(images - mean[:, None, None]) / std[:, None, None]')}",
    of=Normalizes,
)


def test_normalize_is_what_the_extractor_does():
    extractor = FeatureExtractor(["relu1_1"])
    images, given = torch.rand(1, 3, 6, 5), []
    extractor.vgg[0].register_forward_pre_hook(lambda _, inputs: given.append(inputs[0]))
    extractor(images)
    torch.testing.assert_close(given[0], Normalizes.normalize(extractor, images))


test_normalize_mistakes = refuses(
    check_normalize,
    {
        "as they were given": gives("images"),
        "The two steps are in the wrong order": gives("images / std - mean"),
        "The mean is gone, but": gives("images - mean"),
        "/ comes before -": gives("images - mean / std"),
        "the mean was not subtracted": gives("images / std"),
        "You multiplied by std": gives("(images - mean) * std"),
        "The mean is added": gives("(images + mean) / std"),
        "are all in [0, 1]": gives("(images * 255 - mean) / std"),
        "The channels of the picture": gives("(images[:, [2, 1, 0]] - mean) / std"),
        "mean and std are reversed": gives("(images - mean.flip(0)) / std.flip(0)"),
        "These are the mean and": (
            "self.mean, self.std -> "
            "(f((0, 2, 3), keepdim=True) for f in (images.mean, images.std))"
        ),
        "Clamped, though normalized values run": gives("((images - mean) / std).clamp(0, 1)"),
        "This uses one mean and one std": gives("(images - mean.mean()) / std.mean()"),
        "the way is cut": gives("((images - mean) / std).detach()"),
        "An argument is not what": gives("images.sub_(mean).div_(std)"),
    },
    of=Normalizes,
    case="2 pictures of 5 x 4 px",
)


test_normalize_other_wrong_answers = refuses(
    check_normalize,
    {
        "then divide.": (
            gives("(images[:1] - mean) / std"),
            gives("0 * images"),
            "self.mean, self.std -> "
            "torch.tensor([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]])[..., None, None]",
            takes_flat,
        ),
        "part of the way back is cut": gives("((images + images.detach()) / 2 - mean) / std"),
        "This is no nn.Module": lambda _: abs,
    },
    of=Normalizes,
    case="px",
)


# The content loss, of features and of pictures ------------------------------------------


def compares(a, b, weights):
    return sum(w * (a[n] - b[n]).abs().mean() for n, w in weights.items())


test_content_done = takes(
    check_content_loss,
    content_loss,
    compares,
    "(a[n] - b[n]).abs().mean() -> nn.functional.l1_loss(a[n], b[n].detach())",
    of=compares,
)


test_content_mistakes = refuses(
    check_content_loss,
    {
        "These are squared differences": ".abs() -> .pow(2)",
        "Differences of both signs": ".abs() -> ",
        "This is a sum: a": ".mean() -> .sum()",
        "All layers count alike": "w * -> 1.0 *",
        "averaged over the layers": "w * -> w / len(weights) *",
        "Divided by the sum": "w * -> w / sum(weights.values()) *",
        "Only one of the layers": (
            "in weights.items() -> in [*weights.items()][:1]",
            "in weights.items() -> in [*weights.items()][-1:]",
        ),
        "has no weight": "w * -> weights[n] *; for n, w in weights.items() -> for n in a",
        "This is a plain number": ".items()) -> .items()).item()",
        "Something cut the way back": (
            ".items()) -> .items()).detach()",
            torch.no_grad()(compares),
        ),
        "One number for each picture": ".mean() -> .mean((1, 2, 3))",
    },
    of=compares,
    case="2 of 3 layers",
)


test_content_other_wrong_answers = refuses(
    check_content_loss,
    {
        ("another order", "The weights went to layers"): (
            "a[n] - b[n] -> x - y; "
            "n, w in weights.items() -> x, y, w in zip(*(d.values() for d in (a, b, weights)))"
        ),
        ("2 of 3 layers", "layer_weights.items()"): "w * -> 0 *",
        ("1 layer", "layer_weights.items()"): "w * -> min(w, 3.0) *",
    },
    of=compares,
)


test_content_module_done = takes(
    check_content_module,
    ContentLoss,
    "(hr, active) -> (hr, list(active)); (sr, active) -> (sr, list(active))",
    "no_grad -> enable_grad; (hr, -> (hr.detach(),",
    "with torch.no_grad(): -> hr = hr.data\n        if True:",
    of=ContentLoss,
)


returns = "content_loss(self.extractor(sr, active), wanted, active) -> {}".format

test_content_module_mistakes = refuses(
    check_content_module,
    {
        "Something cut the way back": (
            "wanted = self.extractor(hr, active) -> seen = self.extractor(sr, active); "
            "self.extractor(sr, active), wanted -> seen, self.extractor(hr, active)",
            "(hr, active)\n        return -> (hr, active)\n            return",
        ),
        "hr is a constant, yet": (
            "no_grad -> enable_grad",
            "no_grad -> enable_grad; wanted, -> {n: f.detach() for n, f in wanted.items()},",
        ),
        "Layers were computed that": "(hr, active) -> (hr); (sr, active) -> (sr)",
        "layer_weights still holds": "wanted, active -> wanted, self.layer_weights",
        "Features of a difference": returns(
            "sum(w * f.abs().mean() for f, w in "
            "zip(self.extractor(sr - hr, active).values(), active.values()))"
        ),
        "This compares pixels": returns("sum(active.values()) * (sr - hr).abs().mean()"),
        "An argument is not what": "wanted = self -> hr.sub_(1)\n            wanted = self",
        "under torch.no_grad()": "return content_loss -> return 2 * content_loss",
    },
    of=ContentLoss,
    case="1 layer",
)


# Exercise 1 ----------------------------------------------------------------------------


def named(extractor, sr, hr, weights):
    seen, wanted = extractor(sr), extractor(hr)
    return sum(w * (seen[n] - wanted[n]).abs().mean() for n, w in weights.items())


def compares_with_the_lessons_function(extractor, sr, hr, weights):
    return content_loss(extractor(sr), extractor(hr), weights)


def goes_by_the_extractors_order(extractor, sr, hr, weights):
    both = zip(extractor(sr).items(), extractor(hr).values(), strict=True)
    terms = [weights.get(n, 0) * (a - b).abs().mean() for (n, a), b in both]
    return torch.stack(terms).sum()


def compares_in_one_batch(extractor, sr, hr, weights):
    both = extractor(torch.cat([sr, hr]))
    halves = {name: values.chunk(2) for name, values in both.items()}
    terms = [
        w * nn.functional.l1_loss(halves[n][0], halves[n][1].detach())
        for n, w in weights.items()
    ]
    return torch.stack(terms).sum()


test_named_weights_done = takes(
    check_named_weights,
    named,
    compares_with_the_lessons_function,
    goes_by_the_extractors_order,
    compares_in_one_batch,
    "extractor(hr) -> torch.no_grad()(extractor)(hr)",
    of=named,
)


of_every_layer = "n, w in weights.items() -> n in seen"

test_named_weights_mistakes = refuses(
    check_named_weights,
    {
        "These are squared differences": ".abs() -> .pow(2)",
        "Differences of both signs cancel": ".abs() -> ",
        "This compares the means of": (
            "(seen[n] - wanted[n]).abs().mean() -> (seen[n].mean() - wanted[n].mean()).abs()"
        ),
        "This is a sum: a": ".mean() -> .sum()",
        "All layers count alike; their": "w * -> ",
        "The layers are averaged, and": "w * -> 1 / len(weights) *",
        "Weighted, but then averaged over": "w * -> w / len(weights) *",
        "Divided by the sum of": "w * -> w / sum(weights.values()) *",
        "A layer that has no": f"w * -> weights.get(n, 1) *; {of_every_layer}",
        "The extractor gives a layer": f"w * -> weights[n] *; {of_every_layer}",
        "Features of a difference are": "(seen[n] - wanted[n]) -> extractor(sr - hr)[n]",
        "This compares pixels": "seen[n] - wanted[n] -> sr - hr",
        "Where sr is clamped": "extractor(sr) -> extractor(sr.clamp(0, 1))",
        "This is a plain number": ".items()) -> .items()).item()",
        "Something cut the way back": (
            torch.no_grad()(named),
            "seen[n] - -> seen[n].detach() -",
            lambda *given: torch.tensor(named(*given).item(), requires_grad=True),
        ),
        "One number for each picture": ".mean() -> .mean((1, 2, 3))",
    },
    of=named,
    case="2 of 3 layers",
)

test_named_weights_by_place = refuses(
    check_named_weights,
    "in weights.items() -> in zip([n for n in seen if n in weights], weights.values())",
    "seen[n] - wanted[n] -> a - b; "
    "n, w in weights.items() -> a, b, w in zip(*(d.values() for d in (seen, wanted, weights)))",
    of=named,
    case="in another order",
    hint="Each weight goes to whichever",
)

test_named_weights_other_wrong_answers = refuses(
    check_named_weights,
    "in weights.items() -> in [*weights.items()][:1]",
    "extractor(sr), extractor(hr) -> extractor(sr[:1]), extractor(hr[:1])",
    "w * -> 0 *",
    "extractor(sr), -> extractor((sr + sr.detach()) / 2),",
    of=named,
    case="2 of 3 layers",
    hint="Let the names",
)


test_named_weights_that_changes_what_should_stay = refuses(
    check_named_weights,
    # the same mean gradients, at other pixels
    "extractor(sr), -> extractor(sr + sr.detach().flip(0, 3) - sr.flip(0, 3)),",
    last(named, lambda *given: given[-1].popitem()),
    of=named,
)

# Exercise 2 ----------------------------------------------------------------------------


def counts_up(loss, truth, blurred, shifted):
    px = 1
    while loss(shifted(px), truth) < loss(blurred, truth):
        px += 1
    return px


def breaks_out(loss, truth, blurred, shifted):
    for px in range(1, 1000):
        if loss(shifted(px), truth).item() >= loss(blurred, truth).item():
            return px


def compares_copies_in_turn(loss, truth, blurred, shifted):
    return next(k for k in range(1, 99) if not loss(shifted(k), truth) < loss(blurred, truth))


test_shift_done = takes(check_equal_shift, counts_up, breaks_out, compares_copies_in_turn)


test_shift_mistakes = refuses(
    check_equal_shift,
    {
        ("2 px cost", "As much is enough"): "< loss -> <= loss",
        ("from 4 px on", "the last shift that still costs less"): "return px -> return px - 1",
        ("from 4 px on", "one px too many"): "return px -> return px + 1",
        ("from 4 px on", "looks for a shift that costs less"): "< loss -> >= loss",
        ("from 4 px on", "its type is no whole number"): (
            "return px -> return float(px)",
            "return px -> return torch.tensor(px)",
        ),
        ("from 4 px on", "though a shift of fewer was enough"): (
            "px = 1 -> px = 9; < loss -> >= loss; px += 1 -> px -= 1"
        ),
        ("a blur that costs nothing", "began at 0 px"): "px = 1 -> px = 0",
        ("a long time", "Begin with 1 px"): "return px -> return min(px, 16)",
    },
    of=counts_up,
)


# Exercise 3 ----------------------------------------------------------------------------


def keeps(features, name, _layer, _inputs, output):
    features[name] = output.clone()


def watches(network, layers, images):
    features, handles = {}, []
    for name, layer in layers.items():
        hook = partial(keeps, features, name)
        handles.append(layer.register_forward_hook(hook))
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


test_features_done = takes(
    check_features,
    watches,
    watches_with_the_lessons_hooks,
    lambda *given: {name: values.detach() for name, values in watches(*given).items()},
    torch.no_grad()(watches),
    torch.inference_mode()(watches),
    turns_inplace_off_for_a_while,
    "try: -> with contextlib.ExitStack() as all:; finally: -> if True:; .remove() -> ; "
    "network(images) -> [all.callback(hook.remove) for hook in handles], network(images)",
    of=watches,
)


def goes_from_layer_to_layer(network, layers, images):  # noqa: ARG001
    features = {}
    for name, layer in layers.items():
        images = layer(images)
        features[name] = images
    return features


only_on_success = "try: -> if True:; finally: -> if True:"

test_features_mistakes = refuses(
    check_features,
    {
        ("one layer", "Your hooks are still there", "^hooks left behind: 1$"): (
            "handle.remove() -> pass"
        ),
        ("three layers", "Your hooks are still there"): "in handles -> in handles[-1:]",
        ("fails halfway", "If the network raises, your", "behind after the error: 1$"): (
            only_on_success
        ),
        ("hook of its own", "Hooks of others are gone"): (
            "in handles -> in network.modules(); remove() -> _forward_hooks.clear()"
        ),
        ("fails halfway", "The network's error was caught"): (
            "finally: -> except RuntimeError:\n        pass\n    if True:"
        ),
        ("three layers", "All hooks use one name"): (
            "partial(keeps, features, name) -> lambda *given: keeps(features, name, *given)"
        ),
        ("three layers", "The network ran more than"): lambda network, layers, images: {
            name: watches(network, {name: layer}, images)[name]
            for name, layer in layers.items()
        },
        ("three layers", "The ReLU after a convolution"): (
            keeps_what_the_relu_changes,
            lambda *given: {
                n: v.clone() for n, v in keeps_what_the_relu_changes(*given).items()
            },
        ),
        ("one layer", "The network itself did not"): goes_from_layer_to_layer,
        ("one layer", "The names are missing: this"): lambda *given: [
            *watches(*given).values()
        ],
    },
    of=watches,
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


test_features_leaves_no_trace = refuses(
    check_features,
    {
        ("one layer", "relu1.inplace of the"): leaves_every_relu_out_of_place,
        ("fails halfway", "relu1.inplace of the"): leaves_it_out_of_place_after_an_error,
        ("one layer", "training of the"): "try: -> network.eval()\n    try:",
        ("one layer", "requires_grad of the network"): (
            "try: -> network.requires_grad_(True)\n    try:"
        ),
        ("one layer", "hooks left behind"): (
            "try: -> network.register_forward_pre_hook(lambda *_: None)\n    try:"
        ),
        ("one layer", "hooks on all modules"): first(
            lambda *_: nn.modules.module.register_module_forward_hook(lambda *_: None), watches
        ),
        ("one layer", "the function changed"): last(watches, lambda *given: given[1].clear()),
    },
    of=watches,
    hint="",
)


def test_features_turns_gradients_on_again():
    verdict = check_features(edited(watches, "try: -> torch.set_grad_enabled(False)\n    try:"))
    assert "whether gradients are on" in verdict.got
    assert torch.is_grad_enabled()


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
            "return features -> return {name: 0 * values for name, values in features.items()}",
            "network(images) -> network(images[:1])",
        ),
        "one of them does not name a tensor": (
            "return features -> return {n: found.tolist() for n, found in features.items()}"
        ),
    },
    of=watches,
    case="",
)
