"""Checks of lesson 06: what a pixel sees, the maps of a UNet, a merge of any size."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from srlab.checks.core import Answer, Mistake, Verdict, judge
from srlab.checks.steps import in_steps

Layers = tuple[tuple[str, int], ...]
Map = tuple[int, int, int]


@in_steps()
def check_field(answer: Answer | None) -> Verdict:
    """Check ``answer(layers)``: how many px of lr one px of the last map sees.

    Source: built by srlab; exercise 1 of lesson 06.
    """
    conv, pool = ("conv", 3), ("pool", 2)
    return judge(
        _as_a_number(answer) if callable(answer) else None,
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
        mistakes=[replace(m, answer=_as_a_number(m.answer)) for m in FIELD_MISTAKES],
    )


@in_steps()
def check_shapes(answer: Answer | None) -> Verdict:
    """Check ``answer(height, width, scale, num_features, depth)``: a UNet's maps.

    Source: built by srlab; exercise 2 of lesson 06.
    """
    return judge(
        _as_maps(answer) if callable(answer) else None,
        right=_shapes,
        cases={
            # Each adds one trap, so that its mistake is the first thing that fails.
            "8 x 8, x4, 32 features, depth 1": (8, 8, 4, 32, 1),
            "16 x 24, x4, 32 features, depth 2": (16, 24, 4, 32, 2),
            "7 x 8, x2, 8 features, depth 1": (7, 8, 2, 8, 1),
            "9 x 14, x4, 8 features, depth 3": (9, 14, 4, 8, 3),
            "1 x 1, x8, 4 features, depth 2": (1, 1, 8, 4, 2),
        },
        mistakes=[replace(m, answer=_as_maps(m.answer)) for m in SHAPE_MISTAKES],
    )


@in_steps()
def check_merge(answer: Answer | None) -> Verdict:
    """Check ``answer(features, skip)``: joined, whatever size comes from below.

    Source: built by srlab; exercise 3 of lesson 06.
    """
    return judge(
        answer,
        right=_merge,
        cases={
            "both 2 channels of 4 x 6 px": (_noise(0, 1, 2, 4, 6), _noise(1, 1, 2, 4, 6)),
            "4 x 6 px from below, a skip of 6 x 9": (
                _noise(2, 1, 2, 4, 6),
                _noise(3, 1, 2, 6, 9),
            ),
            "4 x 6 px from below, a skip of 5 x 6": (
                _noise(4, 2, 3, 4, 6),
                _noise(5, 2, 2, 5, 6),
            ),
            "6 x 8 px from below, a skip of 5 x 8": (
                _noise(6, 1, 2, 6, 8),
                _noise(7, 1, 4, 5, 8),
            ),
            "4 x 8 px from below, a skip of 7 x 5": (
                _noise(8, 1, 1, 4, 8),
                _noise(9, 1, 2, 7, 5),
            ),
        },
        mistakes=MERGE_MISTAKES,
        tolerance=1e-6,
    )


def _field(layers: Layers) -> int:
    """Of a row of layers with stride 1, and poolings whose stride is their size."""
    seen = step = 1
    for kind, size in layers:
        seen += (size - 1) * step
        step *= size if kind == "pool" else 1
    return seen


def _shapes(height: int, width: int, scale: int, num_features: int, depth: int) -> list[Map]:
    padded = _up(height, 2**depth), _up(width, 2**depth)
    return [*_maps(*padded, num_features, depth), (3, scale * height, scale * width)]


def _up(side: int, multiple: int) -> int:
    """To the next multiple, if it is none."""
    return side + -side % multiple


def _maps(height: int, width: int, num_features: int, depth: int) -> list[Map]:
    """Down, and up again, of a picture that can be halved as it is."""
    sizes = [2**level for level in range(depth + 1)]
    down = [(num_features * size, height // size, width // size) for size in sizes]
    return [*down, *down[-2::-1]]


def _merge(features: Tensor, skip: Tensor) -> Tensor:
    return torch.cat([_fitted(features, skip, mode="replicate"), skip], dim=1)


def _fitted(features: Tensor, skip: Tensor, mode: str) -> Tensor:
    """Cut or pad at the right and below, until the sides are those of the skip."""
    height, width = skip.shape[-2:]
    features = features[..., :height, :width]
    missing = (0, width - features.shape[-1], 0, height - features.shape[-2])
    return F.pad(features, missing, mode=mode)


def _as_a_number(answer: Answer) -> Answer:
    """Take a tensor with one number for the number."""

    def number(layers: Layers) -> Any:
        found = answer(layers)
        return found.item() if isinstance(found, Tensor) and found.numel() == 1 else found

    return number


def _as_maps(answer: Answer) -> Answer:
    """Take lists for tuples, and the other way round."""

    def maps(*arguments: int) -> Any:
        found = answer(*arguments)
        listed = isinstance(found, Iterable) and not isinstance(found, str | Tensor | dict)
        return [tuple(x) if isinstance(x, list) else x for x in found] if listed else found

    return maps


def _noise(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


# Mistakes of exercise 1 ----------------------------------------------------------------


def _seeing(
    grow: Callable[[int, int], int] = lambda size, step: (size - 1) * step,
    *,
    begin: int = 1,
    pool_counts: bool = True,
    lengthens: bool = True,
    too_early: bool = False,
) -> Answer:
    """``_field`` with one thing done in another way."""

    def field(layers: Layers) -> int:
        seen, step = begin, 1
        for kind, size in layers:
            longer = step * size if kind == "pool" and lengthens else step
            if kind == "conv" or pool_counts:
                seen += grow(size, longer if too_early else step)
            step = longer
        return seen

    return field


def _multiply_at_poolings(layers: Layers) -> int:
    seen = 1
    for kind, size in layers:
        seen = seen * size if kind == "pool" else seen + size - 1
    return seen


FIELD_MISTAKES = [
    Mistake(
        _seeing(lengthens=False, pool_counts=False),
        "A pooling counts: it joins size pixels, and behind it one px is size px.",
    ),
    Mistake(
        _seeing(pool_counts=False),
        "The pooling itself sees a window of size pixels: it adds size - 1 steps too.",
    ),
    Mistake(
        _seeing(too_early=True),
        "A pooling reads the finer map: first add its window, then lengthen the step.",
    ),
    Mistake(
        _seeing(lengthens=False),
        "Behind a pooling by 2, one px of the map is 2 px of lr: keep a step, and multiply.",
    ),
    Mistake(
        _multiply_at_poolings,
        "What was seen before does not double at a pooling; what comes behind it does.",
    ),
    Mistake(
        lambda layers: (_field(layers) - 1) // 2,
        "This is how far it sees to one side; both sides and the pixel itself count.",
    ),
    Mistake(
        lambda layers: _field(layers) ** 2,
        "These are all pixels of the window; its width was asked for.",
    ),
    Mistake(
        _seeing(begin=0),
        "A pixel sees itself before there is any layer: begin with 1.",
    ),
    Mistake(
        _seeing(lambda size, step: size * step),
        "A window of 3 adds one pixel on each side, so 2 and not 3: size - 1.",
    ),
    Mistake(
        _seeing(lambda size, step: size * step, begin=0),
        "Windows overlap: the second of two layers adds size - 1, not size.",
    ),
    Mistake(
        _seeing(lambda size, step: size // 2 * step),
        "A window reaches size // 2 to the left *and* to the right.",
    ),
]

# Mistakes of exercise 2 ----------------------------------------------------------------


def _without_padding(h: int, w: int, scale: int, num_features: int, depth: int) -> list[Map]:
    return [*_maps(h, w, num_features, depth), (3, scale * h, scale * w)]


def _padded_to(multiple: int, h: int, w: int, *rest: int) -> list[Map]:
    scale, num_features, depth = rest
    padded = _up(h, multiple), _up(w, multiple)
    return [*_maps(*padded, num_features, depth), (3, scale * h, scale * w)]


def _always_padded(h: int, w: int, scale: int, num_features: int, depth: int) -> list[Map]:
    padded = _up(h + 1, 2**depth), _up(w + 1, 2**depth)
    return [*_maps(*padded, num_features, depth), (3, scale * h, scale * w)]


def _square(h: int, w: int, scale: int, num_features: int, depth: int) -> list[Map]:
    side = _up(max(h, w), 2**depth)
    return [*_maps(side, side, num_features, depth), (3, scale * h, scale * w)]


def _uncropped(h: int, w: int, scale: int, num_features: int, depth: int) -> list[Map]:
    h, w = _up(h, 2**depth), _up(w, 2**depth)
    return [*_maps(h, w, num_features, depth), (3, scale * h, scale * w)]


def _floor_below(h: int, w: int, scale: int, num_features: int, depth: int) -> list[Map]:
    """Cut to a multiple, where it should be padded."""
    cut = h // 2**depth * 2**depth, w // 2**depth * 2**depth
    return [*_maps(*cut, num_features, depth), (3, scale * h, scale * w)]


def _with(change: Callable[[list[Map], int], list[Map]]) -> Answer:
    """The right maps, changed; ``change`` is also told the depth."""
    return lambda *arguments: change(_shapes(*arguments), arguments[-1])


def _double_on_the_way_up(maps: list[Map], depth: int) -> list[Map]:
    up = maps[depth + 1 : -1]
    return [*maps[: depth + 1], *((2 * c, h, w) for c, h, w in up), maps[-1]]


def _one_width(maps: list[Map], _depth: int) -> list[Map]:
    return [*((maps[0][0], h, w) for _, h, w in maps[:-1]), maps[-1]]


SHAPE_MISTAKES = [
    Mistake(
        _with(_double_on_the_way_up),
        "Concatenated it has twice the channels, but the merge's convolutions halve them.",
    ),
    Mistake(
        _with(_one_width),
        "Each halving doubles the channels: num_features * 2**level.",
    ),
    Mistake(
        _with(lambda maps, depth: [*maps[: depth + 1], maps[depth], *maps[depth + 1 :]]),
        "The deepest map has no skip and no merge; it stands there once.",
    ),
    Mistake(
        _with(lambda maps, depth: [*maps[: depth + 1], *maps[: depth + 1][-2::-1]]),
        "Then comes sr, which has three channels.",
    ),
    Mistake(
        _with(lambda maps, depth: [*maps[: depth + 1], maps[-1]]),
        "These are the encoder's maps and sr; the merges on the way up are missing.",
    ),
    Mistake(
        _with(lambda maps, depth: [*maps[: depth + 1], *maps[:depth], maps[-1]]),
        "On the way up the coarsest merge comes first.",
    ),
    Mistake(
        _with(lambda maps, _: [(h, w, c) for c, h, w in maps]),
        "Channels first: (channels, height, width).",
    ),
    Mistake(
        _with(lambda maps, _: [(c, w, h) for c, h, w in maps]),
        "Height stands before width.",
    ),
    Mistake(
        _square,
        "Pad each side to its own multiple; the picture need not become a square.",
    ),
    Mistake(
        _always_padded,
        "A side that is a multiple already stays as it is: side + -side % multiple.",
    ),
    Mistake(
        _uncropped,
        "What was drawn on the padding is cut off: sr is scale times the picture that came.",
    ),
    Mistake(
        _without_padding,
        "Every halving must come out even: first pad to a multiple of 2**depth.",
    ),
    Mistake(
        _floor_below,
        "Cutting would lose the edge of the picture: go up to the next multiple.",
    ),
    Mistake(
        lambda *arguments: _padded_to(2 * arguments[-1], *arguments),
        "depth halvings need a multiple of 2**depth, not of 2 * depth.",
    ),
    Mistake(
        lambda *arguments: _padded_to(2, *arguments),
        "An even side can be halved once; depth halvings need a multiple of 2**depth.",
    ),
]

# Mistakes of exercise 3 ----------------------------------------------------------------


def _cut_both(features: Tensor, skip: Tensor) -> Tensor:
    h, w = (min(features.shape[i], skip.shape[i]) for i in (-2, -1))
    return torch.cat([features[..., :h, :w], skip[..., :h, :w]], dim=1)


def _cut_the_skip(features: Tensor, skip: Tensor) -> Tensor:
    return torch.cat([features, _fitted(skip, features, mode="replicate")], dim=1)


def _at_the_left_and_above(features: Tensor, skip: Tensor) -> Tensor:
    fitted = _fitted(features.flip((-1, -2)), skip, mode="replicate").flip((-1, -2))
    return torch.cat([fitted, skip], dim=1)


def _around(features: Tensor, skip: Tensor) -> Tensor:
    """Half of the padding on each side, as a crop around the middle would."""
    more = [skip.shape[i] - features.shape[i] for i in (-1, -2)]
    sides = [part for m in more for part in (m // 2, m - m // 2)]
    return torch.cat([F.pad(features, sides, mode="replicate"), skip], dim=1)


def _resized(mode: str) -> Answer:
    def resized(features: Tensor, skip: Tensor) -> Tensor:
        return torch.cat([F.interpolate(features, skip.shape[-2:], mode=mode), skip], dim=1)

    return resized


STRETCHED = "Stretching moves every pixel away from its partner; repeat the last ones instead."
ADDED = "This adds: what came from where is lost. Lay both one behind the other: torch.cat."
SIDE_BY_SIDE = "Channels are dim=1; this joins along another side."

MERGE_MISTAKES = [
    Mistake(
        lambda features, skip: torch.cat([features, skip], dim=1),
        "They must first be equally high and wide: bring features to the skip's size.",
    ),
    Mistake(lambda features, skip: _fitted(features, skip, "replicate") + skip, ADDED),
    Mistake(lambda features, skip: _fitted(features, skip, "constant") + skip, ADDED),
    Mistake(
        lambda features, skip: torch.cat([skip, _fitted(features, skip, "replicate")], dim=1),
        "What comes from below stands first, the skip behind it; the weights expect that.",
    ),
    Mistake(lambda features, skip: torch.cat([features, skip], dim=0), SIDE_BY_SIDE),
    Mistake(lambda features, skip: torch.cat([features, skip], dim=2), SIDE_BY_SIDE),
    Mistake(lambda features, skip: torch.cat([features, skip], dim=3), SIDE_BY_SIDE),
    Mistake(
        lambda features, skip: torch.cat([_fitted(features, skip, "constant"), skip], dim=1),
        "This pads with zeros, which the next layer takes for an edge: repeat the last row.",
    ),
    Mistake(
        _cut_both,
        "This cuts the skip, so the edge of the picture is lost: bring features to its size.",
    ),
    Mistake(
        _cut_the_skip,
        "The skip has the right size: bring features to it, and leave the skip whole.",
    ),
    Mistake(
        _at_the_left_and_above,
        "At the left and above, everything moves by a pixel: pad at the right and below.",
    ),
    Mistake(
        _around,
        "Padded on both sides, everything may move: pad at the right and below only.",
    ),
    Mistake(_resized("nearest"), STRETCHED),
    Mistake(_resized("bilinear"), STRETCHED),
    Mistake(_resized("bicubic"), STRETCHED),
    Mistake(
        lambda features, skip: torch.cat([_fitted(features, skip, "reflect"), skip], dim=1),
        'Nearly: this mirrors. Repeat the last row and column: mode="replicate".',
    ),
]
