"""The checks of lesson 06 take the right answers, refuse wrong ones, and say why."""

import numpy as np
import torch
import torch.nn.functional as F

from srlab.checks import check_field, check_merge, check_shapes
from srlab.features import Hooks
from srlab.unet import UNet, pad_to_multiple
from tests.answering import last, refuses, takes

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


def changed(change):
    """The right maps, changed; ``change`` is also told the depth."""
    return lambda *arguments: change(pads_halves_and_crops(*arguments), arguments[-1])


def by_sides(side_of):
    """The maps of sides that are ``side_of(side, depth)``, with the sr of the right ones."""

    def shapes(height, width, scale, num_features, depth):
        sides = (side_of(side, depth) for side in (height, width))
        maps = pads_nothing(*sides, 1, num_features, depth)
        return [*maps[:-1], (3, scale * height, scale * width)]

    return shapes


def pads_to_a_square(height, width, scale, num_features, depth):
    side = max(height, width)
    maps = pads_halves_and_crops(side, side, scale, num_features, depth)
    return [*maps[:-1], (3, scale * height, scale * width)]


def crops_nothing(height, width, scale, num_features, depth):
    more = [side + -side % 2**depth for side in (height, width)]
    return pads_halves_and_crops(*more, scale, num_features, depth)


def pads_nothing(height, width, scale, num_features, depth):
    down = [(num_features * 2**n, height // 2**n, width // 2**n) for n in range(depth + 1)]
    return [*down, *reversed(down[:-1]), (3, scale * height, scale * width)]


test_shapes_are_whole_numbers = refuses(
    check_shapes,
    changed(lambda maps, _: [(c, h / 1, w / 1) for c, h, w in maps]),
    changed(lambda maps, _: [tuple(torch.tensor(shape)) for shape in maps]),
    hint="its type is no whole number",
)


def yields_them(*arguments):
    yield from pads_halves_and_crops(*arguments)


test_shapes_done = takes(
    check_shapes,
    pads_halves_and_crops,
    asks_a_real_unet,
    changed(lambda maps, _: [torch.Size(shape) for shape in maps]),
    changed(lambda maps, _: [tuple(map(np.int64, shape)) for shape in maps]),
    yields_them,
)


test_shapes_mistakes = refuses(
    check_shapes,
    {
        "These are the channels between": changed(
            lambda maps, n: [
                (2 * c, h, w) if n < i < 2 * n + 1 else (c, h, w)
                for i, (c, h, w) in enumerate(maps)
            ]
        ),
        "Every map has the same": changed(
            lambda maps, _: [*((maps[0][0], h, w) for _, h, w in maps[:-1]), maps[-1]]
        ),
        "The deepest map stands there": changed(lambda maps, n: [*maps[: n + 1], *maps[n:]]),
        "The last one is missing": changed(lambda maps, _: maps[:-1]),
        "These are the encoder's maps": changed(lambda maps, n: [*maps[: n + 1], maps[-1]]),
        "The merges are not in": changed(lambda maps, n: [*maps[: n + 1], *maps[:n], maps[-1]]),
        "The channels stand last here": changed(
            lambda maps, _: [(h, w, c) for c, h, w in maps]
        ),
        "Height and width have changed": changed(
            lambda maps, _: [(c, w, h) for c, h, w in maps]
        ),
        "The picture has become a": pads_to_a_square,
        "Sides that could be halved": by_sides(lambda side, n: side + 2**n - side % 2**n),
        "sr still has the padding": crops_nothing,
        "Somewhere a halving does not": pads_nothing,
        "The edge of the picture": by_sides(lambda side, n: side // 2**n * 2**n),
        "An even side can be halved once": by_sides(lambda side, _: side + side % 2),
        "A multiple of 2 *": by_sides(lambda side, n: side + -side % (2 * n)),
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


def joins(fit):
    """An answer that joins the skip to what ``fit`` makes of the features."""
    return lambda features, skip: torch.cat([fit(features, skip), skip], dim=1)


def pads(sides, mode="replicate"):
    """An answer that pads by ``sides(rows, columns)``, of what is missing."""

    def padded(features, skip):
        missing = (skip.shape[n] - features.shape[n] for n in (-2, -1))
        return F.pad(features, sides(*missing), mode=mode)

    return joins(padded)


def puts_the_skip_first(features, skip):
    both = cuts_pads_and_concatenates(features, skip)
    return both.roll(skip.shape[1], dims=1)


def cuts_the_skip(features, skip):
    height, width = features.shape[-2:]
    return torch.cat([features, skip[..., :height, :width]], dim=1)


def pads_one_row_only(features, skip):
    larger = F.pad(features, (0, 1, 0, 1), mode="replicate")
    return torch.cat([larger[..., : skip.shape[-2], : skip.shape[-1]], skip], dim=1)


def repeats_the_last(features, skip):
    height, width = skip.shape[-2:]
    while features.shape[-2] < height:
        features = torch.cat([features, features[..., -1:, :]], dim=-2)
    while features.shape[-1] < width:
        features = torch.cat([features, features[..., -1:]], dim=-1)
    return torch.cat([features[..., :height, :width], skip], dim=1)


test_a_merge_through_which_no_gradient_comes_back = refuses(
    check_merge,
    lambda features, skip: cuts_pads_and_concatenates(features.detach(), skip),
    lambda features, skip: cuts_pads_and_concatenates(features, skip.detach()),
    torch.no_grad()(cuts_pads_and_concatenates),
    hint="The value is right, but",
    case="the gradient",
)


test_merge_done = takes(
    check_merge, cuts_pads_and_concatenates, takes_rows_by_number, repeats_the_last
)


test_merge_mistakes = refuses(
    check_merge,
    {
        "This adds": lambda features, skip: features + skip,
        "This joins along another axis": (
            lambda features, skip: torch.cat([features, skip]),
            lambda features, skip: torch.cat([features, skip], dim=-1),
        ),
        "The order is reversed": puts_the_skip_first,
        "Their sizes differ, and what": (
            joins(lambda features, _: features),
            pads(lambda rows, columns: (0, rows, 0, columns)),
            pads_one_row_only,
            pads(lambda rows, columns: (0, max(columns, 0), 0, max(rows, 0))),
        ),
        "pads with zeros": pads(lambda rows, columns: (0, columns, 0, rows), "constant"),
        "This cuts the skip": cuts_the_skip,
        "Padded at the left and above": pads(lambda rows, columns: (columns, 0, rows, 0)),
        "this mirrors": pads(lambda rows, columns: (0, columns, 0, rows), "reflect"),
        "Stretched: every pixel moves away": (
            joins(lambda features, skip: F.interpolate(features, skip.shape[-2:])),
            joins(
                lambda features, skip: F.interpolate(features, skip.shape[-2:], mode="bilinear")
            ),
        ),
        "An argument is not what": last(
            cuts_pads_and_concatenates, lambda _, skip: skip.zero_()
        ),
        "Cut first": joins(lambda features, skip: 0 * skip[:, : features.shape[1]]),
    },
    case="",
)
