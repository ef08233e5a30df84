"""The checks of lesson 06 take the right answers, refuse wrong ones, and say why."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from srlab.checks import (
    check_encoder,
    check_field,
    check_merge,
    check_muted,
    check_padding,
    check_unet,
)
from srlab.metrics import psnr
from srlab.models import Upsampler, enlarge
from srlab.unet import PlainEncoder, TwoConvs, UNet, pad_to_multiple
from srlab.upsamplers import IcnrStage
from tests.answering import last, refused, refuses, takes

# The builds ----------------------------------------------------------------------------


class Written(nn.Module):
    """An encoder as a learner may write it, without srlab's."""

    def __init__(self, num_features, depth):
        super().__init__()
        widths = [3, *(num_features * 2**level for level in range(depth + 1))]
        self.blocks = nn.ModuleList(
            TwoConvs(widths[i], widths[i + 1]) for i in range(depth + 1)
        )

    def forward(self, images):
        maps = [self.blocks[0](images)]
        for block in self.blocks[1:]:
            maps.append(self.next(block, maps))
        return maps

    def next(self, block, maps):
        return block(nn.MaxPool2d(2)(maps[-1]))


def encoder_with(step):
    return type("Encoder", (Written,), {"next": lambda _self, block, maps: step(block, maps)})


class OnlyTheFirst(Written):
    def forward(self, images):
        return [self.blocks[0](images)]


class CoarsestFirst(Written):
    def forward(self, images):
        return list(reversed(super().forward(images)))


class Overwriting(Written):
    def forward(self, images):
        maps = [self.blocks[0](images)]
        for block in self.blocks[1:]:
            maps[-1] = block(F.max_pool2d(maps[-1], 2))
        return maps


class OneMap(Written):
    def forward(self, images):
        return super().forward(images)[-1]


class DetachedMaps(Written):
    def forward(self, images):
        return [one.detach() for one in super().forward(images)]


test_encoder_done = takes(check_encoder, PlainEncoder, Written)

test_encoder_mistakes = refuses(
    check_encoder,
    {
        "No map gets smaller": encoder_with(lambda block, maps: block(maps[-1])),
        "the first map alone": OnlyTheFirst,
        "The last map was overwritten": Overwriting,
        "coarsest map comes first": CoarsestFirst,
        "no block has worked on it": encoder_with(lambda _, maps: F.max_pool2d(maps[-1], 2)),
        "Halved after the block": encoder_with(
            lambda block, maps: F.max_pool2d(block(maps[-1]), 2)
        ),
        "mean of four pixels": encoder_with(
            lambda block, maps: block(nn.AvgPool2d(2)(maps[-1]))
        ),
        "one of four pixels": encoder_with(
            lambda block, maps: block(F.interpolate(maps[-1], scale_factor=0.5))
        ),
        "another map than it was built for": encoder_with(
            lambda block, maps: block(F.max_pool2d(maps[0], 2))
        ),
        "A list of maps": OneMap,
        "The value is right, but": DetachedMaps,
    },
    case="",
)


def pads_with_a_layer(images, multiple):
    height, width = images.shape[-2:]
    return nn.ReplicationPad2d((0, -width % multiple, 0, -height % multiple))(images)


def repeats(images, multiple):
    for axis in (-2, -1):
        while images.shape[axis] % multiple:
            last_one = images.narrow(axis, images.shape[axis] - 1, 1)
            images = torch.cat([images, last_one], dim=axis)
    return images


def padded(sides, mode="replicate"):
    """``sides(rows, columns)``: of what is missing."""

    def answer(images, multiple):
        missing = (-side % multiple for side in images.shape[-2:])
        return F.pad(images, sides(*missing), mode=mode)

    return answer


def adds_a_whole_multiple(images, multiple):
    rows, columns = (multiple - side % multiple for side in images.shape[-2:])
    return F.pad(images, (0, columns, 0, rows), mode="replicate")


def adds_what_is_over(images, multiple):
    rows, columns = (side % multiple for side in images.shape[-2:])
    return F.pad(images, (0, columns, 0, rows), mode="replicate")


def stretches(images, multiple):
    size = [-(-side // multiple) * multiple for side in images.shape[-2:]]
    return F.interpolate(images, size)


def cuts(images, multiple):
    height, width = (side - side % multiple for side in images.shape[-2:])
    return images[..., :height, :width]


test_padding_done = takes(check_padding, pads_with_a_layer, repeats, pad_to_multiple)

test_padding_mistakes = refuses(
    check_padding,
    {
        "The border is black": padded(lambda r, c: (0, c, 0, r), "constant"),
        "F.pad begins with": padded(lambda r, c: (0, r, 0, c)),
        "at the left and above": padded(lambda r, c: (c, 0, r, 0)),
        "mirrors the last rows": padded(lambda r, c: (0, c, 0, r), "reflect"),
        "Only the rows": padded(lambda r, _: (0, 0, 0, r)),
        "Only the columns": padded(lambda _, c: (0, c, 0, 0)),
        "a whole multiple": adds_a_whole_multiple,
        "what is over": adds_what_is_over,
        "no pixel is where it was": stretches,
        "cuts the edge": cuts,
        "The value is right, but": torch.no_grad()(pads_with_a_layer),
    },
    case="",
)


class Network(nn.Module):
    """A UNet as a learner may write it; its way up is ``climb``."""

    into_merge = 2

    def __init__(self, scale=4, num_features=32, depth=2):
        super().__init__()
        self.scale, self.encoder = scale, PlainEncoder(num_features, depth)
        widths = self.encoder.widths
        self.ups = nn.ModuleList(
            IcnrStage(widths[i + 1], widths[i]) for i in range(len(widths) - 1)
        )
        self.merges = nn.ModuleList(TwoConvs(self.into_merge * w, w) for w in widths[:-1])
        self.upsampler = Upsampler(widths[0], scale, stage=IcnrStage)

    def forward(self, lr, *, gains=None):
        gains = gains or [1.0] * len(self.ups)
        *skips, features = self.encoder(pad_to_multiple(lr, 2 ** len(self.ups)))
        for level in reversed(range(len(self.ups))):
            features = self.climb(level, features, skips[level], gains[level])
        sr = enlarge(lr, self.scale)
        return sr + self.upsampler(features)[..., : sr.shape[-2], : sr.shape[-1]]

    def climb(self, level, features, skip, gain):
        both = torch.cat((self.ups[level](features), gain * skip), 1)
        return self.merges[level](both)


def network_with(climb, **more):
    return type("Another", (Network,), {"climb": climb, **more})


class GainsReversed(Network):
    def forward(self, lr, *, gains=None):
        return super().forward(lr, gains=gains and gains[::-1])


test_unet_done = takes(check_unet, Network, UNet)

test_unet_mistakes = refuses(
    check_unet,
    {
        "another number of channels": (
            network_with(lambda self, i, x, skip, _: self.merges[i](self.ups[i](x) + skip)),
            network_with(lambda self, i, x, skip, gain: self.ups[i](x) + gain * skip),
            network_with(Network.climb, into_merge=1),
        ),
        "still half as large": network_with(
            lambda self, i, x, skip, gain: self.merges[i](torch.cat([x, gain * skip], 1))
        ),
        "the skip comes first": network_with(
            lambda self, i, x, skip, gain: self.merges[i](
                torch.cat([gain * skip, self.ups[i](x)], 1)
            )
        ),
        "The skip is lost": network_with(
            lambda self, i, x, *_: self.merges[i](self.ups[i](x).repeat(1, 2, 1, 1))
        ),
        "Added: after a sum": (
            network_with(
                lambda self, i, x, skip, gain: self.merges[i](self.ups[i](x) + gain * skip),
                into_merge=1,
            ),
            network_with(
                lambda self, i, x, skip, gain: self.merges[i](
                    (self.ups[i](x) + gain * skip).repeat(1, 2, 1, 1)
                )
            ),
            network_with(
                lambda self, i, x, skip, gain: self.merges[i](
                    torch.cat([self.ups[i](x) + gain * skip, gain * skip], 1)
                )
            ),
        ),
        "The gains are in the wrong order": GainsReversed,
        "The gain has no effect": network_with(
            lambda self, i, x, skip, _: Network.climb(self, i, x, skip, 1.0)
        ),
        "comes from below, too": network_with(
            lambda self, i, x, skip, gain: self.merges[i](
                gain * torch.cat([self.ups[i](x), skip], 1)
            )
        ),
        "comes from below, not the skip": network_with(
            lambda self, i, x, skip, gain: self.merges[i](
                torch.cat([gain * self.ups[i](x), skip], 1)
            )
        ),
        "The value is right, but": network_with(
            lambda self, i, x, skip, gain: Network.climb(self, i, x, skip, gain).detach()
        ),
    },
    case="",
)

# Exercise 3 ----------------------------------------------------------------------------


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
        "Keep two numbers": lambda layers: walks_through(layers) if layers[0] else 1,
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


def measures(unet, lr, hr, gain=lambda muted, level: float(muted != level), clamped=True):
    def decibels(gains):
        sr = unet(lr, gains=gains)
        return psnr(sr.clamp(0, 1) if clamped else sr, hr).item()

    levels = range(len(unet.ups))
    whole = decibels([1.0] * len(levels))
    return [decibels([gain(muted, level) for level in levels]) - whole for muted in levels]


def measures_with(**options):
    return lambda unet, lr, hr: measures(unet, lr, hr, **options)


def gives_levels(unet, lr, hr):
    whole = psnr(unet(lr).clamp(0, 1), hr).item()
    return [whole + change for change in measures(unet, lr, hr)]


test_muted_done = takes(
    check_muted,
    measures,
    torch.no_grad()(measures),
    lambda *given: torch.tensor(measures(*given)),
    lambda *given: tuple(measures(*given)),
)

test_muted_mistakes = refuses(
    check_muted,
    {
        "The sign": lambda *given: [-change for change in measures(*given)],
        "The coarsest skip": lambda *given: measures(*given)[::-1],
        "One skip is left on": measures_with(gain=lambda muted, level: float(muted == level)),
        "one more skip is muted": measures_with(gain=lambda muted, level: float(level > muted)),
        "All skips are muted": measures_with(gain=lambda *_: 0.0),
        "Turned down to a half": measures_with(
            gain=lambda muted, level: 1 - 0.5 * (muted == level)
        ),
        "no picture file holds": measures_with(clamped=False),
        "not how they change": gives_levels,
        "in a list": lambda *given: max(measures(*given)),
    },
    case="",
)

# Exercise 1 ----------------------------------------------------------------------------


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


def stretches_to_fit(features, skip):
    return torch.cat([F.interpolate(features, skip.shape[-2:]), skip], dim=1)


def test_what_the_lesson_gives_is_wrong_and_no_attempt():
    verdict = check_merge(stretches_to_fit)
    refused(verdict, case="a skip of 6 x 9", hint="Stretched: every pixel")
