"""The checks of lesson 06 take the right answers, refuse wrong ones, and say why."""

import numpy as np
import torch
import torch.nn.functional as F

from srlab.checks import check_field, check_merge, check_shapes
from srlab.features import Hooks
from srlab.unet import UNet, pad_to_multiple
from tests.answering import refuses, takes

# Exercise 1 ----------------------------------------------------------------------------


def walks_through(layers):
    seen = step = 1
    for kind, size in layers:
        seen += (size - 1) * step
        if kind == "pool":
            step *= size
    return seen


def walks_backwards(layers):
    """From one pixel back to the picture: another formula, the same number."""
    seen = 1
    for kind, size in reversed(layers):
        seen = seen * size if kind == "pool" else seen + size - 1
    return seen


def forgets_the_pooling_itself(layers):
    seen = step = 1
    for kind, size in layers:
        seen += (size - 1) * step * (kind == "conv")
        step *= size if kind == "pool" else 1
    return seen


def lengthens_the_step_too_early(layers):
    seen = step = 1
    for kind, size in layers:
        step *= size if kind == "pool" else 1
        seen += (size - 1) * step
    return seen


def doubles_what_was_seen(layers):
    seen = 1
    for kind, size in layers:
        seen = seen * size if kind == "pool" else seen + size - 1
    return seen


def knows_only_3_and_2(layers):
    seen = step = 1
    for kind, _ in layers:
        seen += (2 if kind == "conv" else 1) * step
        step *= 2 if kind == "pool" else 1
    return seen


def gives_a_float(layers):
    return float(walks_through(layers))


test_a_field_is_a_whole_number = refuses(
    check_field,
    {
        "^5, a Tensor$": lambda layers: torch.tensor(walks_through(layers)),
        "^5, a float$": gives_a_float,
        "^True, a bool$": lambda layers: bool(walks_through(layers)),
        r"^array\(\[5\]\), a ndarray$": lambda layers: np.array([walks_through(layers)]),
    },
    hint="its type is no whole number",
    case="",
)


def counts_recursively(layers):
    if not layers:
        return 1
    (kind, size), *deeper = layers
    seen = counts_recursively(tuple(deeper))
    return seen * size if kind == "pool" else seen + size - 1


test_field_done = takes(
    check_field,
    walks_through,
    walks_backwards,
    lambda layers: np.int32(walks_through(layers)),
    counts_recursively,
)


test_field_mistakes = refuses(
    check_field,
    {
        "how far it sees to one side": lambda layers: (walks_through(layers) - 1) // 2,
        "all pixels of the window": lambda layers: walks_through(layers) ** 2,
        "One too few: what does": lambda layers: walks_through(layers) - 1,
        "Each window adds too much": lambda layers: 1 + sum(size for _, size in layers),
        "Here windows stand side by": lambda layers: sum(size for _, size in layers),
        "This counts one side of": lambda layers: 1 + sum(size // 2 for _, size in layers),
        "Poolings have no effect here": lambda layers: (
            1 + sum(size - 1 for kind, size in layers if kind == "conv")
        ),
        "A pooling sees more than": forgets_the_pooling_itself,
        "The step grows before the": lengthens_the_step_too_early,
        "After a pooling every layer": lambda layers: 1 + sum(size - 1 for _, size in layers),
        "What was seen before a": doubles_what_was_seen,
        "": knows_only_3_and_2,
        "each adds size - 1 steps": lambda layers: walks_through(layers) if layers[0] else 1,
    },
    case="",
)


def test_the_formula_is_what_a_gradient_finds():
    """The right answer against torch: the deepest map of a real encoder."""
    encoder = UNet(4, num_features=2, depth=2).encoder
    images = torch.rand(1, 3, 64, 64, dtype=torch.float64).requires_grad_()
    for parameter in encoder.double().parameters():
        torch.nn.init.uniform_(parameter, 0.1, 1)  # no ReLU is ever off
    means = [F.avg_pool2d, F.max_pool2d]
    F.max_pool2d = means[0]  # every pixel of a window counts
    try:
        encoder(images)[-1][0, 0, 8, 8].backward()
    finally:
        F.max_pool2d = means[1]
    seen = (images.grad[0, 0].abs().sum(0) > 0).sum().item()
    three, two = ("conv", 3), ("pool", 2)
    layers = (three, three, two, three, three, two, three, three)
    assert walks_through(layers) == seen


# Exercise 2 ----------------------------------------------------------------------------


def pads_halves_and_crops(height, width, scale, num_features, depth):
    multiple = 2**depth
    h, w = (-(-side // multiple) * multiple for side in (height, width))
    down = [(num_features * 2**n, h // 2**n, w // 2**n) for n in range(depth + 1)]
    return [*down, *reversed(down[:-1]), (3, scale * height, scale * width)]


def asks_a_real_unet(height, width, scale, num_features, depth):
    model = UNet(scale, num_features, depth)
    layers = {f"merge {n}": model.merges[n] for n in reversed(range(depth))}
    lr = torch.zeros(1, 3, height, width)
    with Hooks(layers) as hooks:
        sr = model(lr)
    down = model.encoder(pad_to_multiple(lr, 2**depth))
    maps = [*down, *(hook.output for hook in hooks.values()), sr]
    return tuple(list(values.shape[1:]) for values in maps)


def counts_channels_before_the_convolutions(height, width, scale, num_features, depth):
    *maps, sr = pads_halves_and_crops(height, width, scale, num_features, depth)
    return [*maps[: depth + 1], *((2 * c, h, w) for c, h, w in maps[depth + 1 :]), sr]


def keeps_the_channels(height, width, scale, num_features, depth):
    *maps, sr = pads_halves_and_crops(height, width, scale, num_features, depth)
    return [*((num_features, h, w) for _, h, w in maps), sr]


def merges_at_the_bottom(height, width, scale, num_features, depth):
    maps = pads_halves_and_crops(height, width, scale, num_features, depth)
    return [*maps[: depth + 1], *maps[depth:]]


def forgets_the_way_up(*arguments):
    maps = pads_halves_and_crops(*arguments)
    return [*maps[: arguments[-1] + 1], maps[-1]]


def goes_up_from_the_finest(*arguments):
    maps, depth = pads_halves_and_crops(*arguments), arguments[-1]
    return [*maps[: depth + 1], *maps[:depth], maps[-1]]


def pads_to_a_square(height, width, scale, num_features, depth):
    side = max(height, width)
    maps = pads_halves_and_crops(side, side, scale, num_features, depth)
    return [*maps[:-1], (3, scale * height, scale * width)]


def pads_always(height, width, scale, num_features, depth):
    more = [side + 2**depth - side % 2**depth for side in (height, width)]
    maps = pads_halves_and_crops(*more, scale, num_features, depth)
    return [*maps[:-1], (3, scale * height, scale * width)]


def crops_nothing(height, width, scale, num_features, depth):
    more = [side + -side % 2**depth for side in (height, width)]
    return pads_halves_and_crops(*more, scale, num_features, depth)


def pads_nothing(height, width, scale, num_features, depth):
    down = [(num_features * 2**n, height // 2**n, width // 2**n) for n in range(depth + 1)]
    return [*down, *reversed(down[:-1]), (3, scale * height, scale * width)]


def cuts_instead_of_padding(height, width, scale, num_features, depth):
    less = [side // 2**depth * 2**depth for side in (height, width)]
    maps = pads_halves_and_crops(*less, scale, num_features, depth)
    return [*maps[:-1], (3, scale * height, scale * width)]


def pads_to_a_multiple_of_2(height, width, scale, num_features, depth):
    maps = pads_nothing(*(side + side % 2 for side in (height, width)), 1, num_features, depth)
    return [*maps[:-1], (3, scale * height, scale * width)]


def pads_to_a_multiple_of_twice_the_depth(height, width, scale, num_features, depth):
    more = [side + -side % (2 * depth) for side in (height, width)]
    return [
        *pads_nothing(*more, 1, num_features, depth)[:-1],
        (3, scale * height, scale * width),
    ]


def gives_floats(height, width, scale, num_features, depth):
    maps = pads_halves_and_crops(height, width, scale, num_features, depth)
    return [(c, h / 1, w / 1) for c, h, w in maps]


test_shapes_are_whole_numbers = refuses(
    check_shapes,
    gives_floats,
    lambda *arguments: [
        tuple(torch.tensor(shape)) for shape in pads_halves_and_crops(*arguments)
    ],
    hint="its type is no whole number",
)


def gives_numpys_numbers(*arguments):
    return [tuple(map(np.int64, shape)) for shape in pads_halves_and_crops(*arguments)]


def yields_them(*arguments):
    yield from pads_halves_and_crops(*arguments)


test_shapes_done = takes(
    check_shapes,
    pads_halves_and_crops,
    asks_a_real_unet,
    lambda *arguments: [torch.Size(shape) for shape in pads_halves_and_crops(*arguments)],
    gives_numpys_numbers,
    yields_them,
)


test_shapes_mistakes = refuses(
    check_shapes,
    {
        "These are the channels between": counts_channels_before_the_convolutions,
        "Every map has the same": keeps_the_channels,
        "The deepest map stands there": merges_at_the_bottom,
        "The last one is missing": lambda *arguments: pads_halves_and_crops(*arguments)[:-1],
        "These are the encoder's maps": forgets_the_way_up,
        "The merges are not in": goes_up_from_the_finest,
        "The channels stand last here": lambda *arguments: [
            (h, w, c) for c, h, w in pads_halves_and_crops(*arguments)
        ],
        "Height and width have changed": lambda *arguments: [
            (c, w, h) for c, h, w in pads_halves_and_crops(*arguments)
        ],
        "The picture has become a": pads_to_a_square,
        "Sides that could be halved": pads_always,
        "sr still has the padding": crops_nothing,
        "Somewhere a halving does not": pads_nothing,
        "The edge of the picture": cuts_instead_of_padding,
        "An even side can be halved once": pads_to_a_multiple_of_2,
        "A multiple of 2 *": pads_to_a_multiple_of_twice_the_depth,
        "Pad up to a multiple": lambda height, width, _, num_features, depth: (
            pads_halves_and_crops(height, width, 4, num_features, depth)
        ),
    },
    case="",
)


# Exercise 3 ----------------------------------------------------------------------------


def cuts_pads_and_concatenates(features, skip):
    height, width = skip.shape[-2:]
    features = features[..., :height, :width]
    more = (0, width - features.shape[-1], 0, height - features.shape[-2])
    return torch.cat([F.pad(features, more, mode="replicate"), skip], dim=1)


def takes_rows_by_number(features, skip):
    rows = torch.arange(skip.shape[-2]).clamp(max=features.shape[-2] - 1)
    columns = torch.arange(skip.shape[-1]).clamp(max=features.shape[-1] - 1)
    return torch.cat([features[..., rows, :][..., columns], skip], dim=1)


def adds(features, skip):
    return features + skip


def puts_the_skip_first(features, skip):
    both = cuts_pads_and_concatenates(features, skip)
    return both.roll(skip.shape[1], dims=1)


def pads_with_zeros(features, skip):
    height, width = skip.shape[-2:]
    more = (0, width - features.shape[-1], 0, height - features.shape[-2])
    return torch.cat([F.pad(features, more), skip], dim=1)


def cuts_the_skip(features, skip):
    height, width = features.shape[-2:]
    return torch.cat([features, skip[..., :height, :width]], dim=1)


def pads_at_the_left(features, skip):
    more = (skip.shape[-1] - features.shape[-1], 0, skip.shape[-2] - features.shape[-2], 0)
    return torch.cat([F.pad(features, more, mode="replicate"), skip], dim=1)


def mirrors(features, skip):
    more = (0, skip.shape[-1] - features.shape[-1], 0, skip.shape[-2] - features.shape[-2])
    return torch.cat([F.pad(features, more, mode="reflect"), skip], dim=1)


def stretches_smoothly(features, skip):
    larger = F.interpolate(features, skip.shape[-2:], mode="bilinear")
    return torch.cat([larger, skip], dim=1)


def swaps_the_sides(features, skip):
    more = (0, skip.shape[-2] - features.shape[-2], 0, skip.shape[-1] - features.shape[-1])
    return torch.cat([F.pad(features, more, mode="replicate"), skip], dim=1)


def pads_one_row_only(features, skip):
    larger = F.pad(features, (0, 1, 0, 1), mode="replicate")
    return torch.cat([larger[..., : skip.shape[-2], : skip.shape[-1]], skip], dim=1)


def never_cuts(features, skip):
    more = [max(skip.shape[n] - features.shape[n], 0) for n in (-1, -2)]
    larger = F.pad(features, (0, more[0], 0, more[1]), mode="replicate")
    return torch.cat([larger, skip], dim=1)


def writes_into_the_skip(features, skip):
    fitted = cuts_pads_and_concatenates(features, skip)
    skip.zero_()
    return fitted


def repeats_the_last(features, skip):
    height, width = skip.shape[-2:]
    while features.shape[-2] < height:
        features = torch.cat([features, features[..., -1:, :]], dim=-2)
    while features.shape[-1] < width:
        features = torch.cat([features, features[..., -1:]], dim=-1)
    return torch.cat([features[..., :height, :width], skip], dim=1)


def merges_without_gradients(features, skip):
    with torch.no_grad():
        return cuts_pads_and_concatenates(features, skip)


test_a_merge_through_which_no_gradient_comes_back = refuses(
    check_merge,
    lambda features, skip: cuts_pads_and_concatenates(features.detach(), skip),
    lambda features, skip: cuts_pads_and_concatenates(features, skip.detach()),
    merges_without_gradients,
    hint="The value is right, but",
    case="the gradient",
)


test_merge_done = takes(
    check_merge, cuts_pads_and_concatenates, takes_rows_by_number, repeats_the_last
)


test_merge_mistakes = refuses(
    check_merge,
    {
        "This adds": adds,
        "This joins along another axis": (
            lambda features, skip: torch.cat([features, skip]),
            lambda features, skip: torch.cat([features, skip], dim=-1),
        ),
        "The order is reversed": puts_the_skip_first,
        "Their sizes differ, and what": (
            lambda features, skip: torch.cat([features, skip], dim=1),
            swaps_the_sides,
            pads_one_row_only,
            never_cuts,
        ),
        "pads with zeros": pads_with_zeros,
        "This cuts the skip": cuts_the_skip,
        "Padded at the left and above": pads_at_the_left,
        "this mirrors": mirrors,
        "Stretched: every pixel moves away": (
            lambda features, skip: torch.cat(
                [F.interpolate(features, skip.shape[-2:]), skip], dim=1
            ),
            stretches_smoothly,
        ),
        "An argument is not what": writes_into_the_skip,
        "Cut first": lambda features, skip: torch.cat(
            [torch.zeros_like(skip[:, : features.shape[1]]), skip], dim=1
        ),
    },
    case="",
)
