"""Checks of lesson 06: the parts of a UNet, what a pixel sees, what a skip carries."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from srlab.checks.answers import (
    as_module,
    judge_with_gradient,
    named_type,
    normal_values,
    result_as,
    uniform_values,
    whole_number,
)
from srlab.checks.core import Answer, Finding, Mistakes, Verdict, judge
from srlab.checks.steps import in_steps
from srlab.metrics import psnr
from srlab.models import enlarge
from srlab.unet import PlainEncoder, TwoConvs, UNet, pad_to_multiple

Layers = tuple[tuple[str, int], ...]
Join = Callable[[Tensor, Tensor, float], Tensor]
"""What comes from below, a skip and its gain -> what goes into the merge."""


@in_steps()
def check_encoder(answer: Answer | None) -> Verdict:
    """Check a class ``answer(num_features, depth)``: a ``PlainEncoder``."""
    cases = {
        "1 halving, 4 x 6 px": ((2, 1), normal_values(0, 1, 3, 4, 6)),
        "2 halvings, 8 x 12 px": ((3, 2), normal_values(1, 2, 3, 8, 12)),
        "3 halvings, 8 x 8 px": ((1, 3), normal_values(2, 1, 3, 8, 8)),
    }
    shared: dict[str, Any] = {
        "right": PlainEncoder, "cases": cases, "mistakes": ENCODER_MISTAKES,
    }  # fmt: skip
    verdict = judge(answer, seen_through=_module_seen(_sizes), **shared)
    if not verdict.done:
        return verdict
    return judge_with_gradient(
        answer, seen_through=_module_seen(_in_a_row), toward=(1,), **shared
    )


@in_steps()
def check_padding(answer: Answer | None) -> Verdict:
    """Check ``answer(images, multiple)``: ``pad_to_multiple``."""
    cases = {
        "5 x 6 px to multiples of 4": (normal_values(0, 1, 2, 5, 6), 4),
        "7 x 8 px to multiples of 2": (normal_values(1, 2, 3, 7, 8), 2),
        "8 x 4 px, which are multiples of 4": (normal_values(2, 1, 3, 8, 4), 4),
        "9 x 15 px to multiples of 8": (normal_values(3, 1, 1, 9, 15), 8),
        "1 x 1 px to multiples of 4": (normal_values(4, 1, 3, 1, 1), 4),
    }
    return judge_with_gradient(
        answer, right=pad_to_multiple, cases=cases, mistakes=PADDING_MISTAKES
    )


@in_steps()
def check_unet(answer: Answer | None) -> Verdict:
    """Check a class ``answer(scale, num_features, depth)``: a ``UNet``."""
    cases: dict[str, tuple[Any, ...]] = {
        "1 halving, 4 x 6 px": ((2, 2, 1), uniform_values(0, 1, 3, 4, 6), (1.0,)),
        "2 halvings, 8 x 4 px": ((4, 2, 2), uniform_values(1, 2, 3, 8, 4), (1.0, 1.0)),
        "sides of 7 x 5 px": ((2, 3, 2), uniform_values(2, 1, 3, 7, 5), (1.0, 1.0)),
        "skip 1 muted": ((2, 2, 2), uniform_values(3, 1, 3, 4, 4), (0.0, 1.0)),
        "skip 2 at half": ((2, 2, 2), uniform_values(4, 1, 3, 8, 8), (1.0, 0.5)),
    }
    return judge_with_gradient(
        answer,
        right=UNet,
        cases=cases,
        mistakes=UNET_MISTAKES,
        seen_through=partial(as_module, named=("gains",)),
        toward=(1,),
    )


@in_steps()
def check_field(answer: Answer | None) -> Verdict:
    """Check ``answer(layers)``: how many px of lr one px of the last map sees."""
    conv, pool = ("conv", 3), ("pool", 2)
    return judge(
        answer,
        right=_field,
        cases={
            "one convolution, 5 x 5": ((("conv", 5),),),
            "two convolutions, 3 x 3": ((conv, conv),),
            "5 x 5, then 3 x 3": ((("conv", 5), conv),),
            "convolution, pooling, convolution": ((conv, pool, conv),),
            "convolution, pooling": ((conv, pool),),
            "one pooling by 2": ((pool,),),
            "PlainEncoder with depth 2": ((conv, conv, pool, conv, conv, pool, conv, conv),),
            "poolings by 3 and by 2": ((("pool", 3), conv, pool, conv),),
            "1 x 1, pooling, 7 x 7": ((("conv", 1), pool, ("conv", 7)),),
            "no layer at all": ((),),
        },
        mistakes=FIELD_MISTAKES,
        seen_through=result_as(lambda found, _layers: whole_number(found)),
    )


@in_steps()
def check_muted(answer: Answer | None) -> Verdict:
    """Check ``answer(unet, lr, hr)``: what muting each skip alone does to PSNR."""
    return judge(
        answer,
        right=_changes,
        cases={
            "3 skips, 2 times": _muted_case(2, 2, 3, 9, 14),
            "1 skip, 4 times": _muted_case(1, 4, 1, 8, 8),
            "2 skips, 2 times": _muted_case(0, 2, 2, 12, 16),
            "a network that overshoots": _muted_case(3, 2, 2, 12, 12, strength=1.5),
        },
        mistakes=MUTED_MISTAKES,
        seen_through=result_as(_as_changes),
        tolerance=2e-3,
    )


STRETCHING_MERGE = '''
def my_merge(features, skip):
    """(N, A, h, w), (N, B, H, W) -> (N, A + B, H, W)."""
    fitted = F.interpolate(features, skip.shape[-2:])
    return torch.cat([fitted, skip], dim=1)
'''


@in_steps(starter=STRETCHING_MERGE)
def check_merge(answer: Answer | None) -> Verdict:
    """Check ``answer(features, skip)``: joined, whatever size comes from below."""
    shapes = {
        "both 2 channels of 4 x 6 px": ((1, 2, 4, 6), (1, 2, 4, 6)),
        "4 x 6 px from below, a skip of 6 x 9": ((1, 2, 4, 6), (1, 2, 6, 9)),
        "4 x 6 px from below, a skip of 5 x 6": ((2, 3, 4, 6), (2, 2, 5, 6)),
        "6 x 8 px from below, a skip of 5 x 8": ((1, 2, 6, 8), (1, 4, 5, 8)),
        "4 x 8 px from below, a skip of 7 x 5": ((1, 1, 4, 8), (1, 2, 7, 5)),
    }
    cases = {
        name: (normal_values(2 * i, *features), normal_values(2 * i + 1, *skip))
        for i, (name, (features, skip)) in enumerate(shapes.items())
    }
    return judge_with_gradient(
        answer,
        right=_joined(_fitted),
        cases=cases,
        mistakes=MERGE_MISTAKES,
        toward=(0, 1),
        slopes={"a skip of 5 x 6": cases["4 x 6 px from below, a skip of 5 x 6"]},
        tolerance=1e-6,
    )


def _changes(
    unet: UNet,
    lr: Tensor,
    hr: Tensor,
    gain: Callable[[int, int], float] = lambda muted, level: float(level != muted),
    *,
    clamped: bool = True,
) -> Tensor:
    """PSNR with ``gain(muted, level)`` for each skip in turn, minus that of all at 1."""

    def decibels(gains: Sequence[float]) -> Tensor:
        with torch.no_grad():
            sr: Tensor = unet(lr, gains=gains)
        return psnr(sr.clamp(0, 1) if clamped else sr, hr)

    levels = range(len(unet.ups))
    changed = [decibels([gain(muted, level) for level in levels]) for muted in levels]
    return torch.stack(changed) - decibels([1.0 for _ in levels])


def _muted_case(
    seed: int, scale: int, depth: int, height: int, width: int, strength: float = 0.2
) -> tuple[UNet, Tensor, Tensor]:
    """A network that draws something of each skip, a picture, and its truth."""
    unet = UNet(scale, 2, depth)
    with torch.no_grad():
        for number, parameter in enumerate(unet.parameters()):
            fan = max(parameter[0].numel(), 1)
            values = normal_values(100 * seed + number, *parameter.shape)
            parameter.copy_(values * (1.7 / fan) ** 0.5)
        unet.upsampler.to_rgb[0].weight.mul_(strength)  # type: ignore[index]
    lr = uniform_values(seed, 1, 3, height, width)
    return unet.eval(), lr, enlarge(lr, scale).clamp(0, 1)


def _as_changes(found: Any, *_: Any) -> Any:
    """A list of numbers or a tensor in one row."""
    if isinstance(found, Tensor):
        return found.detach().float()
    if not isinstance(found, list | tuple):
        raise Finding(named_type(found), "One number for each skip was asked for, in a list.")
    return torch.tensor([float(change) for change in found])


def _module_seen(look: Callable[[Any], Any]) -> Callable[[Answer], Answer]:
    """Make of an encoder's class a function that gives what ``look`` says of its maps."""
    return lambda make: result_as(lambda maps, *_: look(maps))(as_module(make))


def _sizes(maps: Any) -> list[tuple[int, ...]]:
    """Of each map."""
    listed = isinstance(maps, list | tuple)
    if not listed or not all(isinstance(one, Tensor) for one in maps):
        raise Finding(named_type(maps), "A list of maps was asked for, one of each size.")
    return [tuple(one.shape) for one in maps]


def _in_a_row(maps: Any) -> Tensor:
    """The values of all maps."""
    _sizes(maps)
    return torch.cat([one.flatten() for one in maps])


def _joined(fit: Callable[[Tensor, Tensor], Tensor]) -> Answer:
    """A merge of the skip and what ``fit`` makes of the features, given both."""
    return lambda features, skip: torch.cat([fit(features, skip), skip], dim=1)


def _fitted(features: Tensor, skip: Tensor, mode: str = "replicate") -> Tensor:
    """Cut or pad at the right and below, until the sides are those of the skip."""
    height, width = skip.shape[-2:]
    features = features[..., :height, :width]
    missing = (0, width - features.shape[-1], 0, height - features.shape[-2])
    return F.pad(features, missing, mode=mode)


# Mistakes of the builds -----------------------------------------------------------------


def _encoder_that(
    step: Callable[[nn.Module, list[Tensor]], Any] = (
        lambda block, maps: block(F.max_pool2d(maps[-1], 2))
    ),
    *,
    given: Callable[[list[Tensor]], list[Tensor]] = lambda maps: maps,
) -> Answer:
    """A class like ``PlainEncoder`` that makes its maps in another way, or gives others."""

    class Encoder(PlainEncoder):
        def forward(self, images: Tensor) -> list[Tensor]:
            maps = [self.blocks[0](images)]
            for block in self.blocks[1:]:
                maps.append(step(block, maps))
            return given(maps)

    return Encoder


ENCODER_MISTAKES: Mistakes = {
    "No map gets smaller.": _encoder_that(lambda block, maps: block(maps[-1])),
    "The list still holds the first map alone.": _encoder_that(given=lambda maps: maps[:1]),
    "The last map was overwritten, where a new one was to be added to the list.": (
        _encoder_that(given=lambda maps: maps[-1:])
    ),
    "The coarsest map comes first here.": _encoder_that(given=lambda maps: maps[::-1]),
    "A block got another map than it was built for: which one is the last so far?": (
        _encoder_that(lambda block, maps: block(F.max_pool2d(maps[0], 2)[:, :1])),
        _encoder_that(lambda block, maps: block(F.max_pool2d(maps[0], 2))),
    ),
    "The map was halved, but no block has worked on it.": (
        _encoder_that(lambda _, maps: F.max_pool2d(maps[-1], 2))
    ),
    "Halved after the block: all convolutions still work at the larger size.": (
        _encoder_that(lambda block, maps: F.max_pool2d(block(maps[-1]), 2))
    ),
    "This takes the mean of four pixels.": (
        _encoder_that(lambda block, maps: block(F.avg_pool2d(maps[-1], 2)))
    ),
    "This keeps one of four pixels, whichever it is.": (
        _encoder_that(lambda block, maps: block(maps[-1][..., ::2, ::2]))
    ),
}


def _padded(
    missing: Callable[[int, int], int] = lambda side, multiple: -side % multiple,
    *,
    order: Callable[[int, int], tuple[int, ...]] = lambda rows, columns: (0, columns, 0, rows),
    mode: str = "replicate",
) -> Answer:
    """``pad_to_multiple`` with one thing done in another way."""

    def pad(images: Tensor, multiple: int) -> Tensor:
        rows, columns = (missing(side, multiple) for side in images.shape[-2:])
        return F.pad(images, order(rows, columns), mode=mode)

    return pad


def _stretched(images: Tensor, multiple: int) -> Tensor:
    return F.interpolate(images, [side + -side % multiple for side in images.shape[-2:]])


def _trimmed(images: Tensor, multiple: int) -> Tensor:
    height, width = (side // multiple * multiple for side in images.shape[-2:])
    return images[..., :height, :width]


PADDING_MISTAKES: Mistakes = {
    "The border is black.": _padded(mode="constant"),
    "F.pad begins with the last axis; here the missing rows were added as columns.": (
        _padded(order=lambda rows, columns: (0, rows, 0, columns))
    ),
    "The border is at the left and above, so the whole picture has moved.": (
        _padded(order=lambda rows, columns: (columns, 0, rows, 0))
    ),
    "This adds what is over, not what is missing.": _padded(lambda side, m: side % m),
    "Where nothing is missing, this adds a whole multiple.": (
        _padded(lambda side, m: m - side % m)
    ),
    "This mirrors the last rows and columns.": _padded(mode="reflect"),
    "Stretched: no pixel is where it was.": _stretched,
    "This cuts the edge of the picture off.": _trimmed,
    "Only the rows were padded.": _padded(order=lambda rows, _: (0, 0, 0, rows)),
    "Only the columns were padded.": _padded(order=lambda _, columns: (0, columns, 0, 0)),
}


def _cat(*parts: Tensor) -> Tensor:
    return torch.cat(parts, dim=1)


def _unet_that(
    join: Join = lambda below, skip, gain: _cat(below, gain * skip),
    *,
    wide: int = 2,
    merged: bool = True,
    reverse: bool = False,
) -> Answer:
    """A class like ``UNet`` whose way up is another one.

    Its merges take ``wide`` times the skip's channels, or are left out; its
    gains come in their order, or in reverse.
    """

    class Other(UNet):
        def __init__(self, scale: int, num_features: int, depth: int):
            super().__init__(scale, num_features, depth)
            widths = self.encoder.widths[:-1]
            self.merges = nn.ModuleList(TwoConvs(wide * width, width) for width in widths)

        def forward(self, lr: Tensor, *, gains: Sequence[float] | None = None) -> Tensor:
            gains = [*(gains or ())][:: -1 if reverse else 1]
            *skips, features = self.encoder(pad_to_multiple(lr, 2 ** len(self.ups)))
            for level in reversed(range(len(self.ups))):
                features = join(self.ups[level](features), skips[level], gains[level])
                features = self.merges[level](features) if merged else features
            sr = enlarge(lr, self.scale)
            return sr + self.upsampler(features)[..., : sr.shape[-2], : sr.shape[-1]]

    return Other


UNET_MISTAKES: Mistakes = {
    "A convolution got another number of channels than it was built for: what goes into a "
    "merge, and what comes out?": (
        _unet_that(lambda below, skip, gain: below + gain * skip, merged=False),
        _unet_that(lambda below, skip, gain: below + gain * skip),
        _unet_that(merged=False),
        _unet_that(wide=1),
    ),
    "What comes from below is still half as large as the skip.": (
        _unet_that(lambda below, skip, _: _cat(below[..., ::2, ::2], skip))
    ),
    "The order is reversed: here the skip comes first.": (
        _unet_that(lambda below, skip, gain: _cat(gain * skip, below))
    ),
    "The skip is lost: both halves are what comes from below.": (
        _unet_that(lambda below, *_: _cat(below, below))
    ),
    "Added: after a sum the two can't be told apart.": (
        _unet_that(lambda below, skip, gain: below + gain * skip, wide=1),
        _unet_that(lambda below, skip, gain: (below + gain * skip).repeat(1, 2, 1, 1)),
        _unet_that(lambda below, skip, gain: _cat(below + gain * skip, gain * skip)),
    ),
    "The gains are in the wrong order: the finest skip's comes first.": (
        _unet_that(reverse=True)
    ),
    "The gain has no effect: a muted skip still arrives.": (
        _unet_that(lambda below, skip, _: _cat(below, skip))
    ),
    "The gain turns down what comes from below, too.": (
        _unet_that(lambda below, skip, gain: gain * _cat(below, skip))
    ),
    "The gain turns down what comes from below, not the skip.": (
        _unet_that(lambda below, skip, gain: _cat(gain * below, skip))
    ),
}

# Mistakes of exercise 1 ----------------------------------------------------------------


def _seeing(
    grow: Callable[[int, int], int] = lambda size, step: (size - 1) * step,
    *,
    begin: int = 1,
    pool_counts: bool = True,
    lengthens: bool = True,
    too_early: bool = False,
) -> Answer:
    """The right answer, or one with one thing done in another way."""

    def field(layers: Layers) -> int:
        seen, step = begin, 1
        for kind, size in layers:
            longer = step * size if kind == "pool" and lengthens else step
            if kind == "conv" or pool_counts:
                seen += grow(size, longer if too_early else step)
            step = longer
        return seen

    return field


_field = _seeing()


def _multiply_at_poolings(layers: Layers) -> int:
    seen = 1
    for kind, size in layers:
        seen = seen * size if kind == "pool" else seen + size - 1
    return seen


FIELD_MISTAKES: Mistakes = {
    "Poolings have no effect here.": _seeing(lengthens=False, pool_counts=False),
    "A pooling sees more than one pixel; here only what comes after it counts.": (
        _seeing(pool_counts=False)
    ),
    "The step grows before the pooling, but a pooling still reads the finer map.": (
        _seeing(too_early=True)
    ),
    "After a pooling every layer still counts as before it, though its pixels are larger.": (
        _seeing(lengthens=False)
    ),
    "What was seen before a pooling does not grow by it.": _multiply_at_poolings,
    "This is how far it sees to one side.": lambda layers: (_field(layers) - 1) // 2,
    "These are all pixels of the window, not those in a row.": lambda layers: (
        _field(layers) ** 2
    ),
    "One too few: what does a pixel see before there is any layer?": _seeing(begin=0),
    "Each window adds too much: it lies around a pixel that was seen already.": (
        _seeing(lambda size, step: size * step)
    ),
    "Here windows stand side by side, but they overlap.": (
        _seeing(lambda size, step: size * step, begin=0)
    ),
    "This counts one side of each window.": _seeing(lambda size, step: size // 2 * step),
}

# Mistakes of exercise 2 ----------------------------------------------------------------


MUTED_MISTAKES: Mistakes = {
    "The sign: what gets worse should be negative.": lambda *given: -_changes(*given),
    "The coarsest skip comes first here.": lambda *given: _changes(*given).flip(0),
    "One skip is left on, and all others are muted.": (
        partial(_changes, gain=lambda muted, level: float(level == muted))
    ),
    "Each time one more skip is muted; they should be muted one by one.": (
        partial(_changes, gain=lambda muted, level: float(level > muted))
    ),
    "All skips are muted at once.": partial(_changes, gain=lambda *_: 0.0),
    "Turned down to a half, not muted.": (
        partial(_changes, gain=lambda muted, level: 0.5 if level == muted else 1.0)
    ),
    "Where sr leaves [0, 1], this measures what no picture file holds.": (
        partial(_changes, clamped=False)
    ),
    "These are the PSNRs, not how they change.": lambda unet, lr, hr: (
        _changes(unet, lr, hr) + psnr(unet(lr).detach().clamp(0, 1), hr)
    ),
}

# Mistakes of exercise 3 ----------------------------------------------------------------


def _cut_both(features: Tensor, skip: Tensor) -> Tensor:
    h, w = (min(features.shape[i], skip.shape[i]) for i in (-2, -1))
    return _cat(features[..., :h, :w], skip[..., :h, :w])


def _around(features: Tensor, skip: Tensor) -> Tensor:
    """Half of the padding on each side, as a crop around the middle would."""
    more = [skip.shape[i] - features.shape[i] for i in (-1, -2)]
    sides = [part for m in more for part in (m // 2, m - m // 2)]
    return F.pad(features, sides, mode="replicate")


def _resized(mode: str) -> Answer:
    return _joined(lambda features, skip: F.interpolate(features, skip.shape[-2:], mode=mode))


MERGE_MISTAKES: Mistakes = {
    "Their sizes differ, and what differs cannot be joined.": _cat,
    "This adds: nobody can tell any more which part was the skip.": (
        lambda features, skip: _fitted(features, skip) + skip,
        lambda features, skip: _fitted(features, skip, "constant") + skip,
    ),
    "The order is reversed: the skip comes first.": (
        lambda features, skip: _cat(skip, _fitted(features, skip))
    ),
    "This joins along another axis than the channels.": (
        lambda features, skip: torch.cat([features, skip], dim=0),
        lambda features, skip: torch.cat([features, skip], dim=2),
        lambda features, skip: torch.cat([features, skip], dim=3),
    ),
    "This pads with zeros, which the next layer takes for an edge.": (
        _joined(partial(_fitted, mode="constant"))
    ),
    "This cuts the skip, so the edge of the picture is lost.": _cut_both,
    "The skip was changed, though it has the right size.": (
        lambda features, skip: _cat(features, _fitted(skip, features))
    ),
    "Padded at the left and above: everything moves by a pixel.": _joined(
        lambda features, skip: _fitted(features.flip((-1, -2)), skip).flip((-1, -2))
    ),
    "Padded on both sides: everything may move.": _joined(_around),
    "Stretched: every pixel moves away from its partner in the skip.": (
        _resized("nearest"),
        _resized("bilinear"),
        _resized("bicubic"),
    ),
    "Nearly: this mirrors the last rows.": _joined(partial(_fitted, mode="reflect")),
}
