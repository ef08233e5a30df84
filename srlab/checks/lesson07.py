"""Checks of lesson 07: carrying weights, agreeing with the input, going on to 8x."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from srlab.checks.answers import result_as, uniform_values
from srlab.checks.core import Answer, Finding, Mistakes, Verdict, judge, without_calling
from srlab.checks.steps import in_steps
from srlab.data import degrade
from srlab.metrics import luma, psnr
from srlab.models import enlarge
from srlab.runcard import ModelSpec, RunCard, Stage

Weights = dict[str, Tensor]


@in_steps()
def check_carry(answer: Answer | None) -> Verdict:
    """Check ``answer(before, after)``: what a network begins with."""
    return judge(
        without_calling(answer, "carry_weights"),
        right=_carry,
        cases={
            "from 2x to 4x": (
                {"head": (4, 3), "to_rgb": (3, 4)},
                {"head": (4, 3), "stage": (4, 4), "to_rgb": (3, 4)},
            ),
            "a block less": (
                {"head": (4, 3), "block": (4, 4), "to_rgb": (3, 4)},
                {"head": (4, 3), "to_rgb": (3, 4)},
            ),
            "another width": (
                {"head": (4, 3), "bias": (5,), "to_rgb": (3, 4)},
                {"head": (8, 3), "bias": (5,), "to_rgb": (3, 8)},
            ),
            "another order, other names": (
                {"a": (4, 4), "b": (4, 4), "c": (4, 4)},
                {"c": (4, 4), "a": (4, 4), "d": (4, 4)},
            ),
            "as many numbers, another shape": (
                {"head": (6, 2), "to_rgb": (3, 4), "bias": (1, 5)},
                {"head": (6, 2), "to_rgb": (4, 3), "bias": (5,)},
            ),
            "a shape that could be stretched": ({"head": (1, 3)}, {"head": (8, 3)}),
            "nothing fits": ({"module.head": (4, 3)}, {"head": (4, 3)}),
        },
        mistakes=CARRY_MISTAKES,
        seen_through=_told_by_name,
    )


@in_steps()
def check_consistency(answer: Answer | None) -> Verdict:
    """Check ``answer(sr, lr)``: how well a picture agrees with its input, in dB."""
    return judge(
        answer,
        right=_consistency,
        cases={
            # Each adds one trap, so that its mistake is the first thing that fails.
            "4 times": _pair(0, 4, 12, 12),
            "4 times, not square": _pair(1, 4, 12, 20),
            "2 times": _pair(2, 2, 16, 12),
            "8 times": _pair(3, 8, 12, 16),
            "a picture that overshoots": _pair(4, 4, 16, 12, contrast=3.0),
            "a picture that agrees well": _agreeing_pair(7, 2, 12, 16),
            "2 pictures": tuple(
                torch.cat(both)
                for both in zip(_pair(5, 4, 12, 12), _pair(6, 4, 12, 12, 0.4), strict=True)
            ),
        },
        mistakes=CONSISTENCY_MISTAKES,
        tolerance=0.02,  # whether sr is also rounded to 8 bits is left open
    )


@in_steps()
def check_card(answer: Answer | None) -> Verdict:
    """Check ``answer(start, model, sizes, pixels)``: a card that goes on to 8x."""
    mine = ModelSpec(doubling="resize")
    small = ModelSpec(num_features=16, num_blocks=4, doubling="icnr")
    return judge(
        answer,
        right=_card,
        cases={
            "64, 96, 160 px; 51,200": ("own/model.safetensors", mine, [64, 96, 160], 51_200),
            "another network": ("small-x4", small, [64, 128], 40_000),
            "sizes that 8 does not divide": ("small-x4", mine, [70, 100, 135], 50_000),
            "sizes in disorder": ("small-x4", mine, [128, 64, 96], 50_000),
            "a crop larger than the budget": ("small-x4", mine, [96, 192], 30_000),
        },
        mistakes=CARD_MISTAKES,
        seen_through=result_as(_told_by_stage),
    )


# -- exercise 1 -------------------------------------------------------------------------


def _carry(before: Weights, after: Weights) -> Weights:
    return {
        name: before[name] if name in before and before[name].shape == own.shape else own
        for name, own in after.items()
    }


def _told_by_name(answer: Answer) -> Answer:
    """Make of an answer one that says, for each name, whose tensor it gives."""

    def told(before_shapes: Mapping[str, Any], after_shapes: Mapping[str, Any]) -> Any:
        before, after = _tensors(before_shapes, 1), _tensors(after_shapes, -1)
        given = [{name: t.clone() for name, t in w.items()} for w in (before, after)]
        result = answer(*given)
        if not (_equal(given[0], before) and _equal(given[1], after)):
            raise Finding.changed_input()
        if not isinstance(result, Mapping):
            return result
        if any(result is one for one in given):
            hint = "This is a dict that was given, not a new one."
            raise Finding("one of the two dicts that were given", hint)
        names = [*after, *(name for name in result if name not in after)]
        return {name: _whose(name, result, before, after) for name in names}

    return told


def _tensors(shapes: Mapping[str, tuple[int, ...]], sign: int) -> Weights:
    """Tensors in which no number appears twice, nor in another sign's."""
    tensors, first = {}, 1
    for name, shape in shapes.items():
        count = torch.Size(shape).numel()
        tensors[name] = sign * torch.arange(float(first), float(first + count)).view(shape)
        first += count
    return tensors


def _equal(given: Weights, before: Weights) -> bool:
    return given.keys() == before.keys() and all(given[n].equal(t) for n, t in before.items())


def _whose(name: str, result: Mapping[str, Any], before: Weights, after: Weights) -> str:
    value = result.get(name)
    if name not in after:
        return "not one of the network's"
    if not isinstance(value, Tensor):
        return "missing"
    if name in before and value.shape == before[name].shape and value.equal(before[name]):
        return "carried" if value.shape == after[name].shape else "carried, but does not fit"
    same = value.shape == after[name].shape and value.equal(after[name])
    return "its own" if same else "something else"


def _where(fits: Callable[[str, Weights, Weights], bool]) -> Answer:
    """Carry whatever ``fits``, with the network's own for the rest."""

    def carry(before: Weights, after: Weights) -> Weights:
        return {n: before[n] if fits(n, before, after) else own for n, own in after.items()}

    return carry


def _only_fitting(before: Weights, after: Weights) -> Weights:
    return {n: t for n, t in before.items() if n in after and t.shape == after[n].shape}


def _by_position(before: Weights, after: Weights) -> Weights:
    pairs = zip(before.values(), after.items(), strict=False)
    return after | {n: t if t.shape == own.shape else own for t, (n, own) in pairs}


def _by_shape(before: Weights, after: Weights) -> Weights:
    alike = {tuple(tensor.shape): tensor for tensor in before.values()}
    return {name: alike.get(tuple(own.shape), own) for name, own in after.items()}


def _with_zeros(before: Weights, after: Weights) -> Weights:
    fitting = _only_fitting(before, after)
    return {name: fitting.get(name, torch.zeros_like(own)) for name, own in after.items()}


CARRY_MISTAKES: Mistakes = {
    "An equal name is not enough: some of these tensors do not fit.": (
        _where(lambda n, before, _: n in before)
    ),
    "Some names were carried that the network lacks, or with a shape it cannot hold.": (
        lambda before, after: {**after, **before}
    ),
    "As many numbers, but in another shape, so in another order.": (
        lambda before, after: {
            name: before[name].reshape(own.shape)
            if name in before and before[name].numel() == own.numel()
            else own
            for name, own in after.items()
        }
    ),
    "What is not carried over is missing.": _only_fitting,
    "This goes by the place in the list, and one more layer shifts them all.": _by_position,
    "An equal shape under another name is another layer.": _by_shape,
    "New tensors are zero here, and zeros in a middle layer let nothing through.": _with_zeros,
    "Nothing was carried.": lambda _, after: dict(after),
}

# -- exercise 2 -------------------------------------------------------------------------


def _consistency(sr: Tensor, lr: Tensor) -> float:
    scale = sr.shape[-1] // lr.shape[-1]
    return psnr(degrade(sr.clamp(0, 1), scale), lr).item()


def _pair(
    seed: int, scale: int, height: int, width: int, contrast: float = 1.0
) -> tuple[Tensor, Tensor]:
    """A picture with detail of every size, and another one's small picture."""
    generator = torch.Generator().manual_seed(seed)
    coarse = 0.3 + 0.4 * torch.rand(1, 3, height, width, generator=generator)
    fine = torch.rand(1, 3, height * scale, width * scale, generator=generator)
    sr = (enlarge(coarse, scale) - 0.5) * contrast + 0.5 + 0.2 * (fine - 0.5)
    return sr, (coarse + 0.05 * torch.randn(coarse.shape, generator=generator)).clamp(0, 1)


def _agreeing_pair(seed: int, scale: int, height: int, width: int) -> tuple[Tensor, Tensor]:
    """A picture as a file holds it, and its small one with a few values a step off."""
    sr, _ = _pair(seed, scale, height, width)
    sr = sr.clamp(0.1, 0.9).mul(255).round() / 255
    lr = degrade(sr, scale)
    return sr, lr + (uniform_values(seed, *lr.shape) < 0.2) / 255


def _shrunk(shrink: Callable[[Tensor, int], Tensor]) -> Answer:
    """The right answer with another way to make the small picture."""

    def consistency(sr: Tensor, lr: Tensor) -> Tensor:
        return psnr(shrink(sr.clamp(0, 1), sr.shape[-1] // lr.shape[-1]), lr)

    return consistency


def _without_antialias(sr: Tensor, scale: int) -> Tensor:
    size = sr.shape[-2] // scale, sr.shape[-1] // scale
    return F.interpolate(sr, size, mode="bicubic")


def _without_rounding(sr: Tensor, scale: int) -> Tensor:
    size = sr.shape[-2] // scale, sr.shape[-1] // scale
    return F.interpolate(sr, size, mode="bicubic", antialias=True)


def _small(sr: Tensor, lr: Tensor) -> Tensor:
    return degrade(sr.clamp(0, 1), sr.shape[-1] // lr.shape[-1])


CONSISTENCY_MISTAKES: Mistakes = {
    "Where sr leaves [0, 1], this measures what no picture file holds.": lambda sr, lr: psnr(
        degrade(sr, sr.shape[-1] // lr.shape[-1]), lr
    ),
    "This asks how near sr is to bicubic.": lambda sr, lr: psnr(
        sr, enlarge(lr, sr.shape[-1] // lr.shape[-1])
    ),
    "This takes the scale to be 4, whatever the sizes are.": lambda sr, lr: psnr(
        degrade(sr.clamp(0, 1), 4), lr
    ),
    "This passes over most pixels; degrade averages them.": (
        _shrunk(lambda sr, s: sr[..., ::s, ::s])
    ),
    "lr was made by degrade, not by averaging squares.": (
        _shrunk(lambda sr, s: F.avg_pool2d(sr, s))
    ),
    "Without antialiasing most pixels are passed over.": _shrunk(_without_antialias),
    "This is bicubic, but not degrade, which does more.": (
        _shrunk(_without_rounding),
        _shrunk(lambda sr, s: _without_rounding(sr, s).clamp(0, 1)),
    ),
    "This is the mean squared error, not a PSNR.": lambda sr, lr: (
        (_small(sr, lr) - lr).square().mean()
    ),
    "This is luma alone: a picture can agree in luma and not in color.": lambda sr, lr: psnr(
        luma(_small(sr, lr)), luma(lr)
    ),
    "You averaged the errors of all pictures; the mean of their PSNRs is another number.": (
        lambda sr, lr: 10 * torch.log10(1 / (_small(sr, lr) - lr).square().mean())
    ),
    "That is the small picture itself, not how well it agrees.": lambda sr, lr: _small(sr, lr),
}

# -- exercise 3 -------------------------------------------------------------------------


def _fitting(pixels: int, size: int) -> int:
    return max(1, pixels // size**2)


def _card(start: str, model: ModelSpec, sizes: Sequence[int], pixels: int) -> RunCard:
    return _made(start, model, [size // 8 * 8 for size in sorted(sizes)], pixels)


def _made(
    start: str,
    model: ModelSpec,
    sizes: Sequence[int],
    pixels: int,
    *,
    scale: Any = 8,
    batch: Callable[[int, int], int] = _fitting,
) -> RunCard:
    stages = [
        Stage(scale=scale, hr_size=size, batch_size=batch(pixels, size), steps=FEW)
        for size in sizes
    ]
    return RunCard(name="on-to-8x", model=model, start=start, stages=stages)


def _card_with(**options: Any) -> Answer:
    """The right card with one of its parts made otherwise."""

    def card(start: str, model: ModelSpec, sizes: Sequence[int], pixels: int) -> RunCard:
        return _made(start, model, [s // 8 * 8 for s in sorted(sizes)], pixels, **options)

    return card


def _told_by_stage(card: Any, _start: str, model: ModelSpec, *_: Any) -> Any:
    """What is in a card."""
    if not isinstance(card, RunCard):
        return card
    own = "as given" if card.model == model else "another network"
    crops = [_told_in_words(stage) for stage in card.stages]
    name = "another run's" if card.name in NAMES_TAKEN else "its own"
    return {"start": card.start, "model": own, "stages": crops, "name": name}


FEW, MANY = 10, Stage().steps


def _told_in_words(stage: Stage) -> str:
    steps = f", {stage.steps} steps" if stage.steps >= MANY else ""
    return f"{stage.batch_size} of {stage.hr_size} px, {stage.scale}x{steps}"


NAMES_TAKEN = {"perceptual", "capstone", "unet"}
"""Runs of the lesson; another one of such a name would take their folder."""


def _card_of_many_steps(*arguments: Any) -> RunCard:
    card = _card(*arguments)
    stages = [stage.model_copy(update={"steps": MANY}) for stage in card.stages]
    return card.model_copy(update={"stages": stages})


CARD_MISTAKES: Mistakes = {
    "A stage of 2,400 steps takes hours; few were asked for.": _card_of_many_steps,
    "The lesson has trained a run of this name, and its folder would be emptied.": (
        lambda *arguments: _card(*arguments).model_copy(update={"name": min(NAMES_TAKEN)})
    ),
    "It begins untrained.": lambda _, model, sizes, pixels: _card(
        "untrained", model, sizes, pixels
    ),
    "The card has another network than the checkpoint, so its upsampler is left behind.": (
        lambda start, _, sizes, pixels: _card(start, ModelSpec(), sizes, pixels)
    ),
    "These stages still enlarge 4 times.": _card_with(scale=4),
    "This takes a crop of side size for one of size pixels.": (
        _card_with(batch=lambda pixels, size: max(1, pixels // size))
    ),
    "This counts the pixels of the small crops, not those of hr.": (
        _card_with(batch=lambda pixels, size: max(1, pixels // (size // 8) ** 2))
    ),
    "Rounded up, a step has more pixels than allowed.": (
        _card_with(batch=lambda pixels, size: -(-pixels // size**2))
    ),
    "round goes up as often as down, and then a step has more pixels than allowed.": (
        _card_with(batch=lambda pixels, size: max(1, round(pixels / size**2)))
    ),
    "Larger crops, and as many of them: each step grows.": _card_with(batch=lambda *_: 8),
    "The crops do not grow from stage to stage.": lambda start, model, sizes, pixels: _made(
        start, model, [s // 8 * 8 for s in sizes], pixels
    ),
    "Some crops are larger than asked for.": lambda start, model, sizes, pixels: _made(
        start, model, [-(-s // 8) * 8 for s in sorted(sizes)], pixels
    ),
    # A card refuses it; so does the next one, in another case.
    "Some small crops would not have whole pixels.": lambda start, model, sizes, pixels: _made(
        start, model, sorted(sizes), pixels
    ),
    "A step without a single crop: here not even one fits.": (
        _card_with(batch=lambda pixels, size: pixels // size**2)
    ),
    "This is the largest size alone.": lambda start, model, sizes, pixels: _card(
        start, model, sorted(sizes)[-1:], pixels
    ),
    "These are the stages, but no card.": lambda start, model, sizes, pixels: (
        _card(start, model, sizes, pixels).stages
    ),
}
