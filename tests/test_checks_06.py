"""The checks of lesson 06 take the right answers, refuse wrong ones, and say why."""

from functools import partial

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
        return self.given(maps)

    def next(self, block, maps):
        return block(nn.MaxPool2d(2)(maps[-1]))

    def given(self, maps):
        return maps


def encoder(step):
    """One whose next map is ``step(block, maps)``."""
    return type("Encoder", (Written,), {"next": lambda _self, block, maps: step(block, maps)})


def giving(given):
    """An encoder that gives this of its maps."""
    return type("Giving", (Written,), {"given": lambda _self, maps: given(maps)})


test_encoder_done = takes(check_encoder, PlainEncoder, Written)

test_encoder_mistakes = refuses(
    check_encoder,
    {
        "No map gets smaller": encoder(lambda block, maps: block(maps[-1])),
        "the first map alone": giving(lambda maps: maps[:1]),
        "The last map was overwritten": giving(lambda maps: [maps[-1]]),
        "coarsest map comes first": giving(lambda maps: list(reversed(maps))),
        "no block has worked on it": encoder(lambda _, maps: F.max_pool2d(maps[-1], 2)),
        "Halved after the block": encoder(lambda block, maps: F.max_pool2d(block(maps[-1]), 2)),
        "mean of four pixels": encoder(lambda block, maps: block(nn.AvgPool2d(2)(maps[-1]))),
        "one of four pixels": encoder(
            lambda block, maps: block(F.interpolate(maps[-1], scale_factor=0.5))
        ),
        "another map than it was built for": encoder(
            lambda block, maps: block(F.max_pool2d(maps[0], 2))
        ),
        "A list of maps": giving(lambda maps: maps[-1]),
        "The value is right, but": giving(lambda maps: [one.detach() for one in maps]),
    },
    case="",
)


def padded(
    sides=lambda rows, columns: (0, columns, 0, rows),
    mode="replicate",
    missing=lambda side, multiple: -side % multiple,
):
    """``sides(rows, columns)``: of what is missing."""

    def answer(images, multiple):
        rows, columns = (missing(side, multiple) for side in images.shape[-2:])
        return F.pad(images, sides(rows, columns), mode=mode)

    return answer


def stretches(images, multiple):
    size = [-(-side // multiple) * multiple for side in images.shape[-2:]]
    return F.interpolate(images, size)


def cuts(images, multiple):
    height, width = (side - side % multiple for side in images.shape[-2:])
    return images[..., :height, :width]


test_padding_done = takes(check_padding, padded(), pad_to_multiple)

test_padding_mistakes = refuses(
    check_padding,
    {
        "The border is black": padded(mode="constant"),
        "F.pad begins with": padded(lambda rows, columns: (0, rows, 0, columns)),
        "at the left and above": padded(lambda rows, columns: (columns, 0, rows, 0)),
        "mirrors the last rows": padded(mode="reflect"),
        "Only the rows": padded(lambda rows, _: (0, 0, 0, rows)),
        "Only the columns": padded(lambda _, columns: (0, columns, 0, 0)),
        "a whole multiple": padded(missing=lambda side, multiple: multiple - side % multiple),
        "what is over": padded(missing=lambda side, multiple: side % multiple),
        "no pixel is where it was": stretches,
        "cuts the edge": cuts,
        "The value is right, but": torch.no_grad()(padded()),
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
        return self.merges[level](self.join(self.ups[level](features), gain * skip, skip, gain))

    def join(self, below, turned, *_):
        return torch.cat((below, turned), 1)


def network(join, **more):
    """One whose merges get ``join(below, turned, skip, gain)``."""
    return type("Another", (Network,), {"join": lambda _self, *given: join(*given), **more})


class GainsReversed(Network):
    def forward(self, lr, *, gains=None):
        return super().forward(lr, gains=gains and gains[::-1])


class NotDoubled(Network):
    def climb(self, level, features, skip, gain):
        return self.merges[level](torch.cat([features, gain * skip], 1))


class NotMerged(Network):
    def climb(self, level, features, skip, gain):
        return self.ups[level](features) + gain * skip


test_unet_done = takes(check_unet, Network, UNet)

test_unet_mistakes = refuses(
    check_unet,
    {
        "another number of channels": (
            network(lambda below, _, skip, __: below + skip),
            NotMerged,
            type("Narrow", (Network,), {"into_merge": 1}),
        ),
        "still half as large": NotDoubled,
        "the skip comes first": network(
            lambda below, turned, *_: torch.cat([turned, below], 1)
        ),
        "The skip is lost": network(lambda below, *_: below.repeat(1, 2, 1, 1)),
        "Added: after a sum": (
            network(lambda below, turned, *_: below + turned, into_merge=1),
            network(lambda below, turned, *_: (below + turned).repeat(1, 2, 1, 1)),
            network(lambda below, turned, *_: torch.cat([below + turned, turned], 1)),
        ),
        "The gains are in the wrong order": GainsReversed,
        "The gain has no effect": network(
            lambda below, _turned, skip, _gain: torch.cat([below, skip], 1)
        ),
        "comes from below, too": network(
            lambda below, _, skip, gain: gain * torch.cat([below, skip], 1)
        ),
        "comes from below, not the skip": network(
            lambda below, _, skip, gain: torch.cat([gain * below, skip], 1)
        ),
        "The value is right, but": network(
            lambda below, turned, *_: torch.cat([below, turned], 1).detach()
        ),
    },
    case="",
)

# Exercise 3 ----------------------------------------------------------------------------


def walks_through(layers, *, pools_see=True, early=False):
    """Right, unless a pooling itself sees nothing or lengthens the step too early."""
    seen = step = 1
    for kind, size in layers:
        longer = step * size if kind == "pool" else step
        if kind == "conv" or pools_see:
            seen += (size - 1) * (longer if early else step)
        step = longer
    return seen


def walks_backwards(layers):
    """From one pixel back to the picture: another formula, the same number."""
    seen = 1
    for kind, size in reversed(layers):
        seen = seen * size if kind == "pool" else seen + size - 1
    return seen


def knows_only_3_and_2(layers):
    return walks_through([(kind, 3 if kind == "conv" else 2) for kind, _ in layers])


test_a_field_is_a_whole_number = refuses(
    check_field,
    {
        "^5, a Tensor$": lambda layers: torch.tensor(walks_through(layers)),
        "^5, a float$": lambda layers: float(walks_through(layers)),
        "^True, a bool$": lambda layers: bool(walks_through(layers)),
        r"^array\(\[5\]\), a ndarray$": lambda layers: np.array([walks_through(layers)]),
    },
    hint="its type is no whole number",
    case="",
)


test_field_done = takes(
    check_field,
    walks_through,
    walks_backwards,
    lambda layers: np.int32(walks_through(layers)),
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
        "A pooling sees more than": partial(walks_through, pools_see=False),
        "The step grows before the": partial(walks_through, early=True),
        "After a pooling every layer": lambda layers: 1 + sum(size - 1 for _, size in layers),
        "What was seen before a": lambda layers: walks_backwards(layers[::-1]),
        "": knows_only_3_and_2,
        "Keep two numbers": lambda layers: walks_through(layers) if layers[0] else 1,
    },
    case="",
)


def test_the_formula_is_what_a_gradient_finds(monkeypatch):
    """The right answer against torch: the deepest map of a real encoder."""
    encoder = UNet(4, num_features=2, depth=2).encoder
    images = torch.rand(1, 3, 64, 64, dtype=torch.float64).requires_grad_()
    for parameter in encoder.double().parameters():
        torch.nn.init.uniform_(parameter, 0.1, 1)  # no ReLU is ever off
    monkeypatch.setattr(F, "max_pool2d", F.avg_pool2d)  # every pixel of a window counts
    encoder(images)[-1][0, 0, 8, 8].backward()
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
        "One skip is left on": partial(
            measures, gain=lambda muted, level: float(muted == level)
        ),
        "one more skip is muted": partial(
            measures, gain=lambda muted, level: float(level > muted)
        ),
        "All skips are muted": partial(measures, gain=lambda *_: 0.0),
        "Turned down to a half": partial(
            measures, gain=lambda muted, level: 1 - 0.5 * (muted == level)
        ),
        "no picture file holds": partial(measures, clamped=False),
        "not how they change": gives_levels,
        "in a list": lambda *given: max(measures(*given)),
    },
    case="",
)

# Exercise 1 ----------------------------------------------------------------------------


def joins(fit):
    """An answer that joins the skip to what ``fit`` makes of the features."""
    return lambda features, skip: torch.cat([fit(features, skip), skip], dim=1)


def fitted(features, skip):
    height, width = skip.shape[-2:]
    features = features[..., :height, :width]
    more = (0, width - features.shape[-1], 0, height - features.shape[-2])
    return F.pad(features, more, mode="replicate")


def taken_by_number(features, skip):
    rows = torch.arange(skip.shape[-2]).clamp(max=features.shape[-2] - 1)
    columns = torch.arange(skip.shape[-1]).clamp(max=features.shape[-1] - 1)
    return features[..., rows, :][..., columns]


cuts_pads_and_concatenates = joins(fitted)


def pads(sides, mode="replicate"):
    """An answer that pads by ``sides(rows, columns)``, of what is missing."""

    def padded(features, skip):
        missing = (skip.shape[n] - features.shape[n] for n in (-2, -1))
        return F.pad(features, sides(*missing), mode=mode)

    return joins(padded)


def cuts_the_skip(features, skip):
    height, width = features.shape[-2:]
    return torch.cat([features, skip[..., :height, :width]], dim=1)


def pads_one_row_only(features, skip):
    larger = F.pad(features, (0, 1, 0, 1), mode="replicate")
    return torch.cat([larger[..., : skip.shape[-2], : skip.shape[-1]], skip], dim=1)


test_a_merge_through_which_no_gradient_comes_back = refuses(
    check_merge,
    lambda features, skip: cuts_pads_and_concatenates(features.detach(), skip),
    lambda features, skip: cuts_pads_and_concatenates(features, skip.detach()),
    torch.no_grad()(cuts_pads_and_concatenates),
    hint="The value is right, but",
    case="the gradient",
)


test_merge_done = takes(check_merge, joins(fitted), joins(taken_by_number))

test_merge_mistakes = refuses(
    check_merge,
    {
        "This adds": lambda features, skip: features + skip,
        "This joins along another axis": (
            lambda features, skip: torch.cat([features, skip]),
            lambda features, skip: torch.cat([features, skip], dim=-1),
        ),
        "The order is reversed": lambda features, skip: torch.cat(
            [skip, fitted(features, skip)], dim=1
        ),
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


def test_what_the_lesson_gives_is_wrong_and_no_attempt():
    verdict = check_merge(
        joins(lambda features, skip: F.interpolate(features, skip.shape[-2:]))
    )
    refused(verdict, case="a skip of 6 x 9", hint="Stretched: every pixel")
