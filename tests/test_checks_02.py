"""The checks of lesson 02 take the right answer, refuse wrong ones, and say why."""

import contextlib
from functools import partial

import pytest
import torch
from torch import nn
from torchvision import transforms

from srlab.checks import check_content_loss, check_features, check_normalize
from srlab.features import FeatureExtractor, Hooks
from srlab.losses import content_loss
from tests.answering import refused, refuses, takes

# Exercise 1 ----------------------------------------------------------------------------


def normalizes(images, mean, std):
    return (images - mean[:, None, None]) / std[:, None, None]


def normalizes_with_four_axes(images, mean, std):
    return (images - mean.view(1, 3, 1, 1)) / std.view(1, 3, 1, 1)


def normalizes_with_the_channels_last(images, mean, std):
    return ((images.permute(0, 2, 3, 1) - mean) / std).permute(0, 3, 1, 2)


def normalizes_channel_by_channel(images, mean, std):
    return torch.stack([(images[:, c] - mean[c]) / std[c] for c in range(3)], dim=1)


def normalizes_with_torchvision(images, mean, std):
    return transforms.Normalize(mean, std)(images)


test_normalize_done = takes(
    check_normalize,
    normalizes,
    normalizes_with_four_axes,
    normalizes_with_the_channels_last,
    normalizes_channel_by_channel,
    normalizes_with_torchvision,
)


def test_normalize_is_what_the_extractor_does():
    extractor = FeatureExtractor(["relu1_1"])
    images, given = torch.rand(1, 3, 6, 5), []
    extractor.vgg[0].register_forward_pre_hook(lambda _, inputs: given.append(inputs[0]))
    extractor(images)
    expected = normalizes(images, extractor.mean.flatten(), extractor.std.flatten())
    torch.testing.assert_close(given[0], expected)


def gives_the_pictures_as_they_came(images, mean, std):  # noqa: ARG001
    return images


def divides_before_subtracting(images, mean, std):
    return images / std.view(3, 1, 1) - mean.view(3, 1, 1)


def forgets_to_divide(images, mean, std):  # noqa: ARG001
    return images - mean.view(3, 1, 1)


def forgets_to_subtract(images, mean, std):  # noqa: ARG001
    return images / std.view(3, 1, 1)


def multiplies_by_std(images, mean, std):
    return (images - mean.view(3, 1, 1)) * std.view(3, 1, 1)


def adds_the_mean(images, mean, std):
    return (images + mean.view(3, 1, 1)) / std.view(3, 1, 1)


def goes_to_255_first(images, mean, std):
    return (images * 255 - mean.view(3, 1, 1)) / std.view(3, 1, 1)


def turns_to_bgr(images, mean, std):
    return normalizes(images[:, [2, 1, 0]], mean, std)


def turns_the_statistics_round(images, mean, std):
    return normalizes(images, mean.flip(0), std.flip(0))


def takes_the_batchs_own_statistics(images, mean, std):  # noqa: ARG001
    dims = (0, 2, 3)
    return (images - images.mean(dims, keepdim=True)) / images.std(dims, keepdim=True)


def clamps(images, mean, std):
    return normalizes(images, mean, std).clamp(0, 1)


def takes_one_mean_for_all(images, mean, std):
    return (images - mean.mean()) / std.mean()


def cuts_the_way_back(images, mean, std):
    with torch.no_grad():
        return normalizes(images, mean, std)


def lays_the_mean_along_the_rows(images, mean, std):
    return (images - mean) / std


def changes_its_input(images, mean, std):
    images -= mean.view(3, 1, 1)
    images /= std.view(3, 1, 1)
    return images


test_normalize_mistakes = refuses(
    check_normalize,
    (gives_the_pictures_as_they_came, "as they were given"),
    (divides_before_subtracting, "The two steps have changed"),
    (forgets_to_divide, "The mean is gone, but"),
    (forgets_to_subtract, "the mean was not subtracted"),
    (multiplies_by_std, "Here std makes the spread"),
    (adds_the_mean, "The mean is added here"),
    (goes_to_255_first, "Pictures are in [0, 1]"),
    (turns_to_bgr, "The channels of the picture"),
    (turns_the_statistics_round, "mean and std are reversed"),
    (takes_the_batchs_own_statistics, "These are the mean and"),
    (clamps, "Clamped, though normalized values run"),
    (takes_one_mean_for_all, "One mean and one std"),
    (cuts_the_way_back, "the way is cut"),
    (lays_the_mean_along_the_rows, "along another axis"),
    (changes_its_input, "An argument is not what"),
    case="2 pictures of 5 x 4 px",
)


def knows_only_one_picture(images, mean, std):
    return normalizes(images[:1], mean, std)


def lays_the_mean_along_the_pictures(images, mean, std):
    return (images - mean.view(3, 1, 1, 1)) / std.view(3, 1, 1, 1)


def detaches_the_half(images, mean, std):
    half = (images + images.detach()) / 2
    return normalizes(half, mean, std)


def gives_zeros(images, *_):
    return torch.zeros_like(images) * images


def knows_vgg16_by_heart(images, mean, std):
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    return normalizes(images, mean, std)


test_normalize_other_wrong_answers = refuses(
    check_normalize,
    (knows_only_one_picture, "then divide by its std."),
    (lays_the_mean_along_the_pictures, "along another axis"),
    (gives_zeros, "then divide by its std."),
    (knows_vgg16_by_heart, "then divide by its std."),
    (detaches_the_half, "part of the way back is cut"),
    case="px",
)


# Exercise 2 ----------------------------------------------------------------------------


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


def looks_under_no_grad(network, layers, images):
    with torch.no_grad():
        return watches(network, layers, images)


@torch.inference_mode()
def looks_in_inference_mode(network, layers, images):
    return watches(network, layers, images)


def turns_inplace_off_for_a_while(network, layers, images):
    flags = {part: part.inplace for part in network.modules() if isinstance(part, nn.ReLU)}
    for relu in flags:
        relu.inplace = False
    try:
        with Hooks(layers) as hooks:
            network(images)
    finally:
        for relu, flag in flags.items():
            relu.inplace = flag
    return {name: hook.output for name, hook in hooks.items()}


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
    looks_under_no_grad,
    looks_in_inference_mode,
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


def keeps_what_the_relu_changes(network, layers, images):
    with Hooks(layers) as hooks:
        network(images)
    return {name: hook.output for name, hook in hooks.items()}


def gives_a_list(network, layers, images):
    return list(watches(network, layers, images).values())


def clones_too_late(network, layers, images):
    with Hooks(layers) as hooks:
        network(images)
    return {name: hook.output.clone() for name, hook in hooks.items()}


def goes_from_layer_to_layer(network, layers, images):  # noqa: ARG001
    features = {}
    for name, layer in layers.items():
        images = layer(images)
        features[name] = images
    return features


test_features_mistakes = refuses(
    check_features,
    (forgets_to_remove, "one layer", "Your hooks are still there"),
    (removes_the_last_alone, "three layers", "Your hooks are still there"),
    (removes_only_on_success, "fails halfway", "If the network raises, your"),
    (clears_everybodys_hooks, "hook of its own", "Hooks of others are gone"),
    (swallows_the_error, "fails halfway", "The network's error was caught"),
    (lets_the_loop_name_them, "three layers", "All hooks use one name"),
    (runs_once_for_each_layer, "three layers", "The network ran more than"),
    (keeps_what_the_relu_changes, "three layers", "The ReLU behind a convolution"),
    (clones_too_late, "three layers", "The ReLU behind a convolution"),
    (goes_from_layer_to_layer, "one layer", "The network itself did not"),
    (gives_a_list, "one layer", "The names are missing: this"),
)


def leaves_every_relu_out_of_place(network, layers, images):
    for part in network.modules():
        if isinstance(part, nn.ReLU):
            part.inplace = False
    with Hooks(layers) as hooks:
        network(images)
    return {name: hook.output for name, hook in hooks.items()}


def leaves_it_out_of_place_after_an_error(network, layers, images):
    relus = [part for part in network.modules() if isinstance(part, nn.ReLU)]
    for relu in relus:
        relu.inplace = False
    with Hooks(layers) as hooks:
        network(images)
    for relu in relus:
        relu.inplace = True
    return {name: hook.output for name, hook in hooks.items()}


def leaves_the_network_in_another_mode(network, layers, images):
    network.eval()
    return watches(network, layers, images)


def thaws_the_network(network, layers, images):
    network.requires_grad_(True)
    return watches(network, layers, images)


def leaves_a_hook_on_the_network(network, layers, images):
    network.register_forward_pre_hook(lambda *_: None)
    return watches(network, layers, images)


def leaves_gradients_off(network, layers, images):
    torch.set_grad_enabled(False)
    return watches(network, layers, images)


def leaves_a_hook_on_everything(network, layers, images):
    nn.modules.module.register_module_forward_hook(lambda *_: None)
    return watches(network, layers, images)


def empties_the_layers(network, layers, images):
    features = watches(network, layers, images)
    layers.clear()
    return features


@pytest.mark.parametrize(
    ("answer", "case", "got"),
    [
        (leaves_every_relu_out_of_place, "one layer", "relu1.inplace of the"),
        (leaves_it_out_of_place_after_an_error, "fails halfway", "relu1.inplace of the"),
        (leaves_the_network_in_another_mode, "one layer", "training of the"),
        (thaws_the_network, "one layer", "requires_grad of the network"),
        (leaves_a_hook_on_the_network, "one layer", "hooks left behind"),
        (leaves_gradients_off, "one layer", "whether gradients are on"),
        (leaves_a_hook_on_everything, "one layer", "hooks on all modules"),
        (empties_the_layers, "one layer", "the function changed"),
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


def gives_the_networks_output(network, layers, images):
    return dict.fromkeys(layers, network(images))


def gives_zeros_by_name(network, layers, images):
    return {name: 0 * values for name, values in watches(network, layers, images).items()}


def gives_lists_by_name(network, layers, images):
    return {name: found.tolist() for name, found in watches(network, layers, images).items()}


def knows_only_the_first_picture(network, layers, images):
    return watches(network, layers, images[:1])


test_features_other_wrong_answers = refuses(
    check_features,
    (feeds_layer_by_layer, "The network itself did not"),
    (gives_the_networks_output, "Register a hook for each layer"),
    (gives_zeros_by_name, "Register a hook for each layer"),
    (gives_lists_by_name, "what stands behind one of them is no tensor"),
    (knows_only_the_first_picture, "Register a hook for each layer"),
    case="",
)


# Exercise 3 ----------------------------------------------------------------------------


def compares_features(extractor, sr, hr, layer_weights):
    with torch.no_grad():
        wanted = extractor(hr)
    seen = extractor(sr)
    return sum(w * (seen[n] - wanted[n]).abs().mean() for n, w in layer_weights.items())


def compares_with_the_lessons_function(extractor, sr, hr, layer_weights):
    return content_loss(extractor(sr), extractor(hr), layer_weights)


def compares_in_one_batch(extractor, sr, hr, layer_weights):
    both = extractor(torch.cat([sr, hr]))
    halves = {name: values.chunk(2) for name, values in both.items()}
    terms = [
        w * nn.functional.l1_loss(halves[n][0], halves[n][1].detach())
        for n, w in layer_weights.items()
    ]
    return torch.stack(terms).sum()


test_content_done = takes(
    check_content_loss,
    compares_features,
    compares_with_the_lessons_function,
    compares_in_one_batch,
)


def by_distance(distance):
    """An answer that compares the features of each layer in another way."""

    def loss(extractor, sr, hr, layer_weights):
        seen, wanted = extractor(sr), extractor(hr)
        return sum(w * distance(seen[n], wanted[n]) for n, w in layer_weights.items())

    return loss


squares = by_distance(lambda a, b: (a - b).pow(2).mean())
forgets_the_absolute_value = by_distance(lambda a, b: (a - b).mean())
compares_the_means = by_distance(lambda a, b: (a.mean() - b.mean()).abs())
sums_all_values = by_distance(lambda a, b: (a - b).abs().sum())
detaches_srs_features = by_distance(lambda a, b: (a.detach() - b).abs().mean())
gives_one_for_each_picture = by_distance(lambda a, b: (a - b).abs().mean((1, 2, 3)))


def forgets_the_weights(extractor, sr, hr, layer_weights):
    seen, wanted = extractor(sr), extractor(hr)
    return sum((seen[n] - wanted[n]).abs().mean() for n in layer_weights)


def averages_the_layers(extractor, sr, hr, layer_weights):
    return forgets_the_weights(extractor, sr, hr, layer_weights) / len(layer_weights)


def averages_the_weighted_layers(extractor, sr, hr, layer_weights):
    return compares_features(extractor, sr, hr, layer_weights) / len(layer_weights)


def divides_by_the_weights_sum(extractor, sr, hr, layer_weights):
    return compares_features(extractor, sr, hr, layer_weights) / sum(layer_weights.values())


def counts_every_layer_there_is(extractor, sr, hr, layer_weights):
    seen, wanted = extractor(sr), extractor(hr)
    return sum(layer_weights.get(n, 1) * (seen[n] - wanted[n]).abs().mean() for n in seen)


def compares_pixels(extractor, sr, hr, layer_weights):  # noqa: ARG001
    return sum(w * (sr - hr).abs().mean() for w in layer_weights.values())


def clamps_sr(extractor, sr, hr, layer_weights):
    return compares_features(extractor, sr.clamp(0, 1), hr, layer_weights)


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


test_content_mistakes = refuses(
    check_content_loss,
    (squares, "2 of 3 layers", "These are squared differences"),
    (forgets_the_absolute_value, "2 of 3 layers", "Differences of both signs cancel"),
    (compares_the_means, "2 of 3 layers", "This compares the means of"),
    (sums_all_values, "2 of 3 layers", "This is a sum: a"),
    (forgets_the_weights, "2 of 3 layers", "All layers count alike; their"),
    (averages_the_layers, "2 of 3 layers", "The layers are averaged, and"),
    (averages_the_weighted_layers, "2 of 3 layers", "Weighted, but then averaged over"),
    (divides_by_the_weights_sum, "2 of 3 layers", "Divided by the sum of"),
    (counts_every_layer_there_is, "2 of 3 layers", "A layer that has no"),
    (asks_each_layer_for_its_weight, "2 of 3 layers", "The extractor gives a layer"),
    (looks_at_the_difference, "2 of 3 layers", "Features of a difference are"),
    (compares_pixels, "2 of 3 layers", "This compares pixels"),
    (clamps_sr, "2 of 3 layers", "Where sr is clamped"),
    (gives_a_number, "2 of 3 layers", "This is a plain number"),
    (computes_all_under_no_grad, "2 of 3 layers", "Something cut the way back"),
    (detaches_srs_features, "2 of 3 layers", "Something cut the way back"),
    (makes_a_new_tensor, "2 of 3 layers", "Something cut the way back"),
    (gives_one_for_each_picture, "2 of 3 layers", "One number for each picture"),
)


def knows_only_the_first_layer(extractor, sr, hr, layer_weights):
    name, weight = next(iter(layer_weights.items()))
    return compares_features(extractor, sr, hr, {name: weight})


def compares_the_first_picture_alone(extractor, sr, hr, layer_weights):
    return compares_features(extractor, sr[:1], hr[:1], layer_weights)


def gives_nothing_but_zero(extractor, sr, hr, layer_weights):
    return 0 * compares_features(extractor, sr, hr, layer_weights)


def turns_the_slope_of_a_part_round(extractor, sr, hr, layer_weights):
    """The same mean slopes, at other pixels."""
    turned = 2 * sr.detach().flip(0, 3) - sr.flip(0, 3)
    return compares_features(extractor, sr - turned.detach() + turned, hr, layer_weights)


def forgets_a_weight(extractor, sr, hr, layer_weights):
    loss = compares_features(extractor, sr, hr, layer_weights)
    layer_weights.popitem()
    return loss


def halves_the_slope(extractor, sr, hr, layer_weights):
    half = (sr + sr.detach()) / 2
    return compares_features(extractor, half, hr, layer_weights)


test_content_other_wrong_answers = refuses(
    check_content_loss,
    knows_only_the_first_layer,
    compares_the_first_picture_alone,
    gives_nothing_but_zero,
    halves_the_slope,
    case="2 of 3 layers",
    hint="Sum over the layers",
)


test_content_that_changes_what_should_stay = refuses(
    check_content_loss,
    turns_the_slope_of_a_part_round,
    forgets_a_weight,
)
