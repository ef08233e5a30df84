"""Checks of lesson 07: carrying weights, fitting the input, going on to 8x."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from pydantic import ValidationError
from torch import Tensor, nn

from srlab.checkpoints import Carried, carry_weights
from srlab.checks.answers import named_type, result_as, uniform_values
from srlab.checks.core import Answer, Finding, Mistakes, Verdict, as_number, judge
from srlab.checks.steps import in_steps
from srlab.data import degrade, shrink
from srlab.inference import back_project
from srlab.metrics import luma, psnr
from srlab.models import enlarge
from srlab.runcard import ModelSpec, RunCard, Stage

Weights = dict[str, Tensor]


@in_steps()
def check_carry_weights(answer: Answer | None) -> Verdict:
    """Check ``answer(model, weights)``: ``carry_weights``, by its account and its deed."""
    return judge(
        answer,
        right=carry_weights,
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
            "nothing fits": ({"module_head": (4, 3)}, {"head": (4, 3)}),
        },
        mistakes=CARRY_MISTAKES,
        seen_through=_told_by_name,
    )


@in_steps()
def check_back_project(answer: Answer | None) -> Verdict:
    """Check ``answer(sr, lr, rounds)``: ``back_project``."""
    return judge(
        answer,
        right=back_project,
        cases={
            "1 round, 4 times": (*_soft_pair(0, 4, 12, 12), 1),
            "3 rounds, 4 times, not square": (*_soft_pair(1, 4, 12, 20), 3),
            "2 times": (*_soft_pair(2, 2, 16, 12), 2),
            "8 times": (*_soft_pair(3, 8, 8, 8), 2),
            "black beside white": (*_pair(4, 4, 16, 12, contrast=3.0), 3),
        },
        mistakes=PROJECT_MISTAKES,
    )


LETTERS_OFF = '''
def my_unwrapped(weights):
    """name -> tensor, of a network on several GPUs -> as on one."""
    return {name.lstrip("module."): value for name, value in weights.items()}
'''


@in_steps(starter=LETTERS_OFF, tells=False)  # which weights get lost, one finds out
def check_unwrapped(answer: Answer | None) -> Verdict:
    """Check ``answer(weights)``: names without ``module.`` at their beginning."""
    cases = {
        "head and body": ("module.head.weight", "module.body.0.conv1.weight"),
        "head and upsampler": ("module.head.weight", "module.upsampler.to_rgb.0.weight"),
        "never wrapped": ("head.weight", "upsampler.to_rgb.0.bias"),
        "never wrapped, with a module inside": ("encoder.module.weight", "submodule.weight"),
        "a module inside": ("module.encoder.module.weight", "module.head.bias"),
        "names that begin alike": ("modules.0.weight", "module_list.1.bias", "modulation"),
    }
    return judge(
        answer,
        right=_renamed(),
        cases={case: (_numbered(names),) for case, names in cases.items()},
        mistakes=UNWRAPPED_MISTAKES,
        seen_through=result_as(_told_by_number),
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
        seen_through=result_as(_as_one_number),
        tolerance=0.02,  # whether sr is also rounded to 8 bits is left open
    )


@in_steps()
def check_card(answer: Answer | None) -> Verdict:
    """Check ``answer(start, model, sizes, pixels)``: a card that goes on to 8x."""
    mine = ModelSpec(doubling="resize")
    small = ModelSpec(num_features=16, num_blocks=4, doubling="icnr")
    return judge(
        answer,
        right=_card_with(),
        cases={
            "64, 96, 160 px; 51,200": ("own/model.safetensors", mine, [64, 96, 160], 51_200),
            "another network": ("small-x4", small, [64, 128], 40_000),
            "sizes that 8 does not divide": ("small-x4", mine, [70, 100, 135], 50_000),
            "sizes in disorder": ("small-x4", mine, [128, 64, 96], 50_000),
            "a crop larger than the budget": ("small-x4", mine, [96, 192], 30_000),
        },
        mistakes=CARD_MISTAKES,
        seen_through=_told_or_refused,
    )


# -- the builds -------------------------------------------------------------------------


def _told_by_name(answer: Answer) -> Answer:
    """Make of an answer one that says what it told, and whose each tensor then is."""

    def told(before_shapes: Mapping[str, Any], after_shapes: Mapping[str, Any]) -> Any:
        before, after = _tensors(before_shapes, 1), _tensors(after_shapes, -1)
        given = {name: tensor.clone() for name, tensor in before.items()}
        model = nn.ParameterDict({name: tensor.clone() for name, tensor in after.items()})
        account = answer(model, given)
        if account is None:
            return None
        if not _equal(given, before):
            raise Finding.changed_input()
        names = _named(account)
        network = {name: _whose(name, model, before, after) for name in after}
        return {**names, "network": network}

    return told


def _named(account: Any) -> dict[str, list[str]]:
    """What an account says, each list in the order of the alphabet."""
    parts = ("loaded", "new", "left")
    if not all(hasattr(account, part) for part in parts):
        raise Finding(named_type(account), "This is no Carried, the record of three lists.")
    return {part: sorted(getattr(account, part)) for part in parts}


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


def _whose(name: str, model: nn.ParameterDict, before: Weights, after: Weights) -> str:
    value = model[name].detach()
    if name in before and value.equal(before[name]):
        return "carried"
    return "its own" if value.equal(after[name]) else "something else"


def _fitting_ones(weights: Weights, own: Weights) -> Weights:
    return {n: w for n, w in weights.items() if n in own and w.shape == own[n].shape}


def _with_the_rest(model: nn.Module, own: Weights, chosen: Weights) -> None:
    model.load_state_dict({**own, **chosen})


def _carrying(
    fit: Callable[[Weights, Weights], Weights] = _fitting_ones,
    *,
    load: Callable[[nn.Module, Weights, Weights], Any] = _with_the_rest,
) -> Answer:
    """``carry_weights`` with another choice of what comes along, or another way to load."""

    def carry(model: nn.Module, weights: Weights) -> Carried:
        own = {name: value.clone() for name, value in model.state_dict().items()}
        loaded = fit(weights, own)
        load(model, own, loaded)
        new, left = ([n for n in names if n not in loaded] for names in (own, weights))
        return Carried([*loaded], new, left)

    return carry


def _by_name_alone(*parts: str) -> Answer:
    """``carry_weights`` that asks in these lists for the name, not for the shape."""

    def carry(model: nn.Module, weights: Weights) -> Carried:
        own = model.state_dict()
        by_name = {
            "new": [name for name in own if name not in weights],
            "left": [name for name in weights if name not in own],
        }
        account = carry_weights(model, weights)
        return replace(account, **{part: by_name[part] for part in parts})

    return carry


def _with_lists_swapped(model: nn.Module, weights: Weights) -> Carried:
    account = carry_weights(model, weights)
    return replace(account, new=account.left, left=account.new)


def _by_position(weights: Weights, own: Weights) -> Weights:
    pairs = zip(weights.values(), own.items(), strict=False)
    return {name: w for w, (name, value) in pairs if w.shape == value.shape}


def _by_shape(weights: Weights, own: Weights) -> Weights:
    alike = {tuple(tensor.shape): tensor for tensor in weights.values()}
    return {n: alike[tuple(v.shape)] for n, v in own.items() if tuple(v.shape) in alike}


def _reshaped(weights: Weights, own: Weights) -> Weights:
    return {
        name: weights[name].reshape(value.shape)
        for name, value in own.items()
        if name in weights and weights[name].numel() == value.numel()
    }


CARRY_MISTAKES: Mistakes = {
    "An equal name is not enough: some of these tensors do not fit.": (
        _carrying(lambda weights, own: {n: w for n, w in weights.items() if n in own})
    ),
    "load_state_dict wants a tensor for every name of the network.": (
        _carrying(load=lambda model, _, chosen: model.load_state_dict(chosen))
    ),
    "Some names were carried that the network lacks.": _carrying(lambda weights, _: weights),
    "The record is right, but the network still has its own weights.": (
        _carrying(load=lambda *_: None)
    ),
    "Of another shape, a tensor is new in the network and left in weights: both name it.": (
        _by_name_alone("new", "left"),
        _by_name_alone("new"),
        _by_name_alone("left"),
    ),
    "As many numbers, but in another shape, so in another order.": _carrying(_reshaped),
    "This goes by the place in the list, and one more layer shifts them all.": (
        _carrying(_by_position)
    ),
    "An equal shape under another name is another layer.": _carrying(_by_shape),
    "New tensors are zero here, and zeros in a middle layer let nothing through.": _carrying(
        load=lambda model, own, chosen: model.load_state_dict(
            {name: chosen.get(name, torch.zeros_like(value)) for name, value in own.items()}
        )
    ),
    "new and left are swapped: new are names of the network.": _with_lists_swapped,
    "Nothing was carried.": _carrying(lambda *_: {}),
}


def _step(sr: Tensor, lr: Tensor, scale: int) -> Tensor:
    return sr + enlarge(lr - shrink(sr, scale), scale)


def _projecting(
    step: Callable[[Tensor, Tensor, int], Tensor] = _step,
    *,
    clamp: bool = True,
    known: int = 0,
) -> Answer:
    """``back_project`` with another step; ``known`` is a scale that is taken for granted."""

    def project(sr: Tensor, lr: Tensor, rounds: int) -> Tensor:
        for _ in range(rounds):
            sr = step(sr, lr, known or _scale(sr, lr))
            sr = sr.clamp(0, 1) if clamp else sr
        return sr

    return project


PROJECT_MISTAKES: Mistakes = {
    "The scale is not always 4.": _projecting(known=4),
    "The sign: this adds what is too much already.": (
        _projecting(lambda sr, lr, scale: sr + enlarge(shrink(sr, scale) - lr, scale))
    ),
    "What was there is gone: the missing part alone is left.": (
        _projecting(lambda sr, lr, scale: enlarge(lr - shrink(sr, scale), scale))
    ),
    "This adds the small picture itself, not what is missing in it.": (
        _projecting(lambda sr, lr, scale: sr + enlarge(lr, scale))
    ),
    "degrade rounds to 8 bits, so this stops half a level away.": (
        _projecting(lambda sr, lr, scale: sr + enlarge(lr - degrade(sr, scale), scale))
    ),
    "sr leaves [0, 1], and no picture file can hold that.": _projecting(clamp=False),
    "Clamped only at the end, the rounds between count on what no picture holds.": (
        lambda *given: _projecting(clamp=False)(*given).clamp(0, 1)
    ),
    "One small picture cannot be subtracted from a large one.": (
        _projecting(lambda sr, lr, scale: sr + enlarge(lr - sr, scale)),
        _projecting(lambda sr, lr, scale: sr + lr - shrink(sr, scale)),
    ),
    "This is one round, however many were asked for.": (
        lambda sr, lr, _: _projecting()(sr, lr, 1)
    ),
}

# -- exercise 1 -------------------------------------------------------------------------


def _numbered(names: Sequence[str]) -> Weights:
    return {name: torch.tensor([float(number)]) for number, name in enumerate(names, 1)}


def _told_by_number(found: Any, weights: Weights) -> Any:
    """The names, in the order of the tensors that were given."""
    if not isinstance(found, Mapping):
        raise Finding(f"{named_type(found)}, not a dict of tensors", "This is no dict.")
    if any(not isinstance(value, Tensor) for value in found.values()):
        raise Finding("values that are no tensors", "The tensors should come along unchanged.")
    named = {int(value): name for name, value in found.items()}
    return [named.get(number, "missing") for number in range(1, len(weights) + 1)]


def _renamed(
    change: Callable[[str], str] = lambda name: name.removeprefix("module."),
) -> Answer:
    return lambda weights: {change(name): value for name, value in weights.items()}


UNWRAPPED_MISTAKES: Mistakes = {
    "strip and lstrip take letters off, any of m, o, d, u, l, e and the dot, not a word.": (
        _renamed(lambda name: name.lstrip("module.")),
        _renamed(lambda name: name.strip("module.")),
    ),
    "This takes the word out wherever it stands, not only at the beginning.": (
        _renamed(lambda name: name.replace("module.", "")),
        _renamed(lambda name: name.replace("module.", "", 1)),
    ),
    "Seven letters are gone, whatever they were.": _renamed(lambda name: name[7:]),
    "The first part is gone, whatever it was called.": (
        _renamed(lambda name: name.split(".", 1)[-1])
    ),
    "The dot is still there.": _renamed(lambda name: name.removeprefix("module")),
    "All names are as they were.": dict,
    "Names that had no module. are missing.": lambda weights: {
        name[7:]: value for name, value in weights.items() if name.startswith("module.")
    },
    "Only the last part of each name is left.": _renamed(lambda name: name.split(".")[-1]),
    "This asks for module without its dot, and other words begin so, too.": _renamed(
        lambda name: name[7:] if name.startswith("module") else name
    ),
}

# -- exercise 2 -------------------------------------------------------------------------


def _scale(sr: Tensor, lr: Tensor) -> int:
    return sr.shape[-1] // lr.shape[-1]


def _small(sr: Tensor, lr: Tensor) -> Tensor:
    return degrade(sr.clamp(0, 1), _scale(sr, lr))


def _consistency(sr: Tensor, lr: Tensor) -> float:
    return psnr(_small(sr, lr), lr).item()


def _as_one_number(found: Any, *_: Tensor) -> Any:
    """The number in a tensor, as if it were given by ``item()``; anything else as it is."""
    number = as_number(found)
    return found if number is None else number


def _pair(
    seed: int, scale: int, height: int, width: int, contrast: float = 1.0
) -> tuple[Tensor, Tensor]:
    """A picture with detail of every size, and another one's small picture."""
    generator = torch.Generator().manual_seed(seed)
    coarse = 0.3 + 0.4 * torch.rand(1, 3, height, width, generator=generator)
    fine = torch.rand(1, 3, height * scale, width * scale, generator=generator)
    sr = (enlarge(coarse, scale) - 0.5) * contrast + 0.5 + 0.2 * (fine - 0.5)
    return sr, (coarse + 0.05 * torch.randn(coarse.shape, generator=generator)).clamp(0, 1)


def _soft_pair(seed: int, scale: int, height: int, width: int) -> tuple[Tensor, Tensor]:
    """One so pale that no round leaves [0, 1]."""
    sr, lr = _pair(seed, scale, height, width)
    return 0.4 + 0.2 * sr, 0.4 + 0.2 * lr


def _agreeing_pair(seed: int, scale: int, height: int, width: int) -> tuple[Tensor, Tensor]:
    """A picture as a file holds it, and its small one with a few values a step off."""
    sr, _ = _pair(seed, scale, height, width)
    sr = sr.clamp(0.1, 0.9).mul(255).round() / 255
    lr = degrade(sr, scale)
    return sr, lr + (uniform_values(seed, *lr.shape) < 0.2) / 255


def _shrunk(shrink: Callable[[Tensor, int], Tensor]) -> Answer:
    """The right answer with another way to make the small picture."""
    return lambda sr, lr: psnr(shrink(sr.clamp(0, 1), _scale(sr, lr)), lr)


def _bicubic(sr: Tensor, scale: int, *, antialias: bool = True) -> Tensor:
    """Neither clamped nor rounded."""
    size = sr.shape[-2] // scale, sr.shape[-1] // scale
    return F.interpolate(sr, size, mode="bicubic", antialias=antialias)


CONSISTENCY_MISTAKES: Mistakes = {
    "Where sr leaves [0, 1], this measures what no picture file holds.": (
        lambda sr, lr: psnr(degrade(sr, _scale(sr, lr)), lr)
    ),
    "This asks how near sr is to bicubic.": (
        lambda sr, lr: psnr(sr, enlarge(lr, _scale(sr, lr)))
    ),
    "This takes the scale to be 4, whatever the sizes are.": (
        _shrunk(lambda sr, _: degrade(sr, 4)),
        lambda sr, lr: degrade(sr, 4) - lr,  # another error than psnr's
    ),
    "This passes over most pixels; degrade averages them.": (
        _shrunk(lambda sr, s: sr[..., ::s, ::s])
    ),
    "shrink alone doesn't round; degrade does, and so does a file.": _shrunk(shrink),
    "lr was made by degrade, not by averaging squares.": _shrunk(F.avg_pool2d),
    "Without antialiasing most pixels are passed over.": (
        _shrunk(partial(_bicubic, antialias=False))
    ),
    "This is bicubic, but not degrade, which does more.": (
        _shrunk(_bicubic),
        _shrunk(lambda sr, s: _bicubic(sr, s).clamp(0, 1)),
    ),
    "This is the mean squared error, not a PSNR.": (
        lambda sr, lr: (_small(sr, lr) - lr).square().mean()
    ),
    "This is luma alone: a picture can agree in luma and not in color.": (
        lambda sr, lr: psnr(luma(_small(sr, lr)), luma(lr))
    ),
    "You averaged the errors of all pictures; the mean of their PSNRs is another number.": (
        lambda sr, lr: 10 * torch.log10(1 / (_small(sr, lr) - lr).square().mean())
    ),
    "That is the small picture itself, not how well it agrees.": _small,
}

# -- exercise 3 -------------------------------------------------------------------------


def _multiples_of_8(sizes: Sequence[int]) -> list[int]:
    return [size // 8 * 8 for size in sorted(sizes)]


def _card_with(
    *,
    sides: Callable[[Sequence[int]], Sequence[int]] = _multiples_of_8,
    batch: Callable[[int, int], int] = lambda pixels, side: max(1, pixels // side**2),
    scale: Any = 8,
    steps: int = 10,
    **parts: Any,
) -> Callable[..., RunCard]:
    """The right card, or one with something done otherwise; ``parts`` as they are."""

    def card(start: str, model: ModelSpec, sizes: Sequence[int], pixels: int) -> RunCard:
        stages = [
            Stage(scale=scale, hr_size=side, batch_size=batch(pixels, side), steps=steps)
            for side in sides(sizes)
        ]
        made = RunCard(name="on-to-8x", model=model, start=start, stages=stages)
        return made.model_copy(update=parts)

    return card


def _told_or_refused(answer: Answer) -> Answer:
    """Make of an answer one that says what is in its card, or why there can be none."""
    told = result_as(_told_by_stage)(answer)

    def seen(*arguments: Any) -> Any:
        try:
            return told(*arguments)
        except ValidationError as error:
            # From a grader's cage it comes without its parts.
            text = next((part["msg"] for part in error.errors()), "")
            if "divisible by scale" in text:
                raise Finding(text, "8 must divide the side: size // 8 * 8.") from None
            raise

    return seen


def _told_by_stage(card: Any, start: str, model: ModelSpec, *_: Any) -> Any:
    """What is in a card."""
    if not isinstance(card, RunCard):
        return card
    own = "as given" if card.model == model else "another network"
    crops = [_told_in_words(stage) for stage in card.stages]
    name = "another run's" if card.name in NAMES_TAKEN else "its own"
    told = {"start": card.start, "model": own, "stages": crops, "name": name}
    if card.start not in (start, "untrained"):
        raise Finding(str(told), "Another start than the one that was given.")
    return told


MANY = Stage().steps


def _told_in_words(stage: Stage) -> str:
    steps = f", {stage.steps} steps" if stage.steps >= MANY else ""
    return f"{stage.batch_size} of {stage.hr_size} px, {stage.scale}x{steps}"


NAMES_TAKEN = {"perceptual", "capstone", "unet"}
"""Runs of the lesson; another one of such a name would take their folder."""


CARD_MISTAKES: Mistakes = {
    "A stage of 2,400 steps takes hours; few were asked for.": _card_with(steps=MANY),
    "The lesson has trained a run of this name, and its folder would be emptied.": (
        _card_with(name=min(NAMES_TAKEN))
    ),
    "It begins untrained.": _card_with(start="untrained"),
    "The card has another network than the checkpoint, so its upsampler is left behind.": (
        _card_with(model=ModelSpec())
    ),
    "These stages still enlarge 4 times.": _card_with(scale=4),
    "This takes a crop of side size for one of size pixels.": (
        _card_with(batch=lambda pixels, side: max(1, pixels // side))
    ),
    "This counts the pixels of the small crops, not those of hr.": (
        _card_with(batch=lambda pixels, side: max(1, pixels // (side // 8) ** 2))
    ),
    "Rounded up, a step has more pixels than allowed.": (
        _card_with(batch=lambda pixels, side: -(-pixels // side**2))
    ),
    "round goes up as often as down, and then a step has more pixels than allowed.": (
        _card_with(batch=lambda pixels, side: max(1, round(pixels / side**2)))
    ),
    "Larger crops, and as many of them: each step grows.": _card_with(batch=lambda *_: 8),
    "The crops do not grow from stage to stage.": (
        _card_with(sides=lambda sizes: [size // 8 * 8 for size in sizes])
    ),
    "Some crops are larger than asked for.": (
        _card_with(sides=lambda sizes: [-(-size // 8) * 8 for size in sorted(sizes)])
    ),
    # A card refuses it, with another text than a learner's.
    "A step without a single crop: here not even one fits.": (
        _card_with(batch=lambda pixels, side: pixels // side**2)
    ),
    "This is the largest size alone.": (
        _card_with(sides=lambda sizes: _multiples_of_8(sizes)[-1:])
    ),
    "These are the stages, but no card.": lambda *given: _card_with()(*given).stages,
}
