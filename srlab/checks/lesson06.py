"""Checks of lesson 06: what a pixel sees, the maps of a UNet, a merge of any size."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from srlab.checks.answers import normal_values, result_as, whole_number
from srlab.checks.core import Answer, Mistakes, Verdict, judge, judge_gradient
from srlab.checks.steps import in_steps

Layers = tuple[tuple[str, int], ...]
Map = tuple[int, int, int]


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
def check_shapes(answer: Answer | None) -> Verdict:
    """Check ``answer(height, width, scale, num_features, depth)``: a UNet's maps."""
    return judge(
        answer,
        right=_shapes,
        cases={
            # Each adds one trap, so that its mistake is the first thing that fails.
            "8 x 8, x4, 32 features, depth 1": (8, 8, 4, 32, 1),
            "16 x 24, x4, 32 features, depth 2": (16, 24, 4, 32, 2),
            "7 x 8, x2, 8 features, depth 1": (7, 8, 2, 8, 1),
            "9 x 14, x4, 8 features, depth 3": (9, 14, 4, 8, 3),
            "1 x 1, x8, 4 features, depth 2": (1, 1, 8, 4, 2),
        },
        mistakes=SHAPE_MISTAKES,
        seen_through=result_as(_as_maps),
    )


@in_steps()
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
    verdict = judge(answer, right=_merge, cases=cases, mistakes=MERGE_MISTAKES, tolerance=1e-6)
    cases = {"a skip of 5 x 6": cases["4 x 6 px from below, a skip of 5 x 6"]}
    return judge_gradient(answer, after=verdict, right=_merge, cases=cases, toward=(0, 1))


def _field(layers: Layers) -> int:
    """Of a row of layers with stride 1, and poolings whose stride is their size."""
    seen = step = 1
    for kind, size in layers:
        seen += (size - 1) * step
        step *= size if kind == "pool" else 1
    return seen


def _with_sides(made_of: Callable[[int, int], int]) -> Answer:
    """Shapes of a UNet that makes ``made_of(side, depth)`` px of each side, and crops."""

    def shapes(h: int, w: int, scale: int, num_features: int, depth: int) -> list[Map]:
        maps = _maps(made_of(h, depth), made_of(w, depth), num_features, depth)
        return [*maps, (3, scale * h, scale * w)]

    return shapes


def _up(side: int, multiple: int) -> int:
    """To the next multiple, if it is none."""
    return side + -side % multiple


_shapes = _with_sides(lambda side, depth: _up(side, 2**depth))


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


def _as_maps(found: Any, *_: int) -> Any:
    """Lists are as good as tuples."""
    listed = isinstance(found, Iterable) and not isinstance(found, str | Tensor | dict)
    return [_as_map(x) for x in found] if listed else found


def _as_map(found: Any) -> Any:
    """Whole numbers in a tuple."""
    return tuple(map(whole_number, found)) if isinstance(found, tuple | list) else found


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


def _square(h: int, w: int, scale: int, num_features: int, depth: int) -> list[Map]:
    side = max(h, w)
    return [*_shapes(side, side, 1, num_features, depth)[:-1], (3, scale * h, scale * w)]


def _changing(change: Callable[[list[Map], int], list[Map]]) -> Answer:
    """The right maps, changed; ``change`` is also told the depth."""
    return lambda *arguments: change(_shapes(*arguments), arguments[-1])


def _double_on_the_way_up(maps: list[Map], depth: int) -> list[Map]:
    up = maps[depth + 1 : -1]
    return [*maps[: depth + 1], *((2 * c, h, w) for c, h, w in up), maps[-1]]


SHAPE_MISTAKES: Mistakes = {
    "These are the channels between concatenation and convolution, not what a merge gives.": (
        _changing(_double_on_the_way_up)
    ),
    "Every map has the same number of channels here.": _changing(
        lambda maps, _: [*((maps[0][0], h, w) for _, h, w in maps[:-1]), maps[-1]]
    ),
    "The deepest map stands there twice, but no merge gives it.": (
        _changing(lambda maps, depth: [*maps[: depth + 1], maps[depth], *maps[depth + 1 :]])
    ),
    "The last one is missing.": (
        _changing(lambda maps, depth: [*maps[: depth + 1], *maps[: depth + 1][-2::-1]])
    ),
    "These are the encoder's maps and sr; the way up is missing.": (
        _changing(lambda maps, depth: [*maps[: depth + 1], maps[-1]])
    ),
    "The merges are not in the order in which they run.": (
        _changing(lambda maps, depth: [*maps[: depth + 1], *maps[:depth], maps[-1]])
    ),
    "The channels stand last here.": _changing(lambda maps, _: [(h, w, c) for c, h, w in maps]),
    "Height and width have changed places.": (
        _changing(lambda maps, _: [(c, w, h) for c, h, w in maps])
    ),
    "The picture has become a square.": _square,
    "Sides that could be halved already are padded as well.": (
        _with_sides(lambda side, depth: _up(side + 1, 2**depth))
    ),
    "sr still has the padding.": (
        lambda h, w, scale, num_features, depth: _shapes(
            _up(h, 2**depth), _up(w, 2**depth), scale, num_features, depth
        )
    ),
    "Somewhere a halving does not come out even.": _with_sides(lambda side, _: side),
    "The edge of the picture was cut off.": (
        _with_sides(lambda side, depth: side - side % 2**depth)
    ),
    "A multiple of 2 * depth cannot be halved depth times.": (
        _with_sides(lambda side, depth: _up(side, 2 * depth))
    ),
    "An even side can be halved once, but perhaps not again.": (
        _with_sides(lambda side, _: _up(side, 2))
    ),
}

# Mistakes of exercise 3 ----------------------------------------------------------------


def _cut_both(features: Tensor, skip: Tensor) -> Tensor:
    h, w = (min(features.shape[i], skip.shape[i]) for i in (-2, -1))
    return torch.cat([features[..., :h, :w], skip[..., :h, :w]], dim=1)


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


MERGE_MISTAKES: Mistakes = {
    "Their sizes differ, and what differs cannot be joined.": lambda features, skip: torch.cat(
        [features, skip], dim=1
    ),
    "This adds: nobody can tell any more which part was the skip.": (
        lambda features, skip: _fitted(features, skip, "replicate") + skip,
        lambda features, skip: _fitted(features, skip, "constant") + skip,
    ),
    "The order is reversed: the skip comes first.": lambda features, skip: torch.cat(
        [skip, _fitted(features, skip, "replicate")], dim=1
    ),
    "This joins along another axis than the channels.": (
        lambda features, skip: torch.cat([features, skip], dim=0),
        lambda features, skip: torch.cat([features, skip], dim=2),
        lambda features, skip: torch.cat([features, skip], dim=3),
    ),
    "This pads with zeros, which the next layer takes for an edge.": (
        lambda features, skip: torch.cat([_fitted(features, skip, "constant"), skip], dim=1)
    ),
    "This cuts the skip, so the edge of the picture is lost.": _cut_both,
    "The skip was changed, though it has the right size.": (
        lambda features, skip: torch.cat(
            [features, _fitted(skip, features, mode="replicate")], dim=1
        )
    ),
    "Padded at the left and above: everything moves by a pixel.": _at_the_left_and_above,
    "Padded on both sides: everything may move.": _around,
    "Stretched: every pixel moves away from its partner in the skip.": (
        _resized("nearest"),
        _resized("bilinear"),
        _resized("bicubic"),
    ),
    "Nearly: this mirrors the last rows.": lambda features, skip: torch.cat(
        [_fitted(features, skip, "reflect"), skip], dim=1
    ),
}
