"""The checks of lesson 07 take the right answers, refuse wrong ones, and say why."""

import math
import re
from functools import partial

import nbformat
import torch
import torch.nn.functional as F

from srlab.checkpoints import Carried, carry_weights
from srlab.checks import (
    check_back_project,
    check_card,
    check_carry_weights,
    check_consistency,
    check_unwrapped,
)
from srlab.checks.lesson07 import NAMES_TAKEN
from srlab.data import degrade, shrink
from srlab.inference import back_project
from srlab.metrics import luma, psnr
from srlab.models import enlarge
from srlab.runcard import ModelSpec, RunCard, Stage
from tests.answering import first, refuses, takes
from tests.test_setup import ROOT

# The builds ----------------------------------------------------------------------------


def fitting(weights, own):
    return {n: w for n, w in weights.items() if n in own and own[n].shape == w.shape}


def loads(chosen=fitting, load=lambda model, own, ones: model.load_state_dict({**own, **ones})):
    """An answer that loads what it has chosen from the weights, and tells of it."""

    def answer(model, weights):
        own = {name: value.clone() for name, value in model.state_dict().items()}
        ones = chosen(weights, own)
        load(model, own, ones)
        new = [name for name in own if name not in ones]
        return Carried(list(ones), new, [name for name in weights if name not in ones])

    return answer


carries = loads()


def copies(model, _own, ones):
    with torch.no_grad():
        for name, value in model.named_parameters():
            value.copy_(ones.get(name, value))


def leaves_zeros(model, own, ones):
    model.load_state_dict({n: ones.get(n, torch.zeros_like(v)) for n, v in own.items()})


def goes_by_name(weights, own):
    return {name: value for name, value in weights.items() if name in own}


def goes_by_position(weights, own):
    places = zip(own, own.values(), weights.values(), strict=False)
    return {name: w for name, value, w in places if w.shape == value.shape}


def goes_by_shape(weights, own):
    alike = {tuple(w.shape): w for w in weights.values()}
    return {n: alike[tuple(v.shape)] for n, v in own.items() if tuple(v.shape) in alike}


def reshapes(weights, own):
    return {
        n: w.view(own[n].shape)
        for n, w in weights.items()
        if n in own and w.numel() == own[n].numel()
    }


def by_name_alone(new=False, left=False):
    def answer(model, weights):
        own, account = model.state_dict(), carries(model, weights)
        return Carried(
            account.loaded,
            [name for name in own if name not in weights] if new else account.new,
            [name for name in weights if name not in own] if left else account.left,
        )

    return answer


def swaps_its_lists(model, weights):
    account = carries(model, weights)
    return Carried(account.loaded, account.left, account.new)


test_carry_done = takes(
    check_carry_weights,
    carry_weights,
    carries,
    loads(load=copies),
    loads(load=lambda model, _, ones: model.load_state_dict(ones, strict=False)),
)

test_carry_mistakes = refuses(
    check_carry_weights,
    {
        ("another width", "An equal name is not enough"): (
            loads(goes_by_name),
            loads(
                goes_by_name, lambda model, _, ones: model.load_state_dict(ones, strict=False)
            ),
        ),
        ("2x to 4x", "every name of the network"): loads(
            load=lambda model, _, ones: model.load_state_dict(ones)
        ),
        ("a block less", "that the network lacks"): loads(lambda weights, _: weights),
        ("2x to 4x", "still has its own weights"): loads(load=lambda *_: None),
        ("another shape", "in another order"): loads(reshapes),
        ("another width", "new in the network and left"): (
            by_name_alone(new=True, left=True),
            by_name_alone(new=True),
            by_name_alone(left=True),
        ),
        ("2x to 4x", "the place in the list"): loads(goes_by_position),
        ("another order", "under another name"): loads(goes_by_shape),
        ("2x to 4x", "zeros in a middle layer"): loads(load=leaves_zeros),
        ("2x to 4x", "new and left are swapped"): swaps_its_lists,
        ("2x to 4x", "Nothing was carried"): loads(lambda *_: {}),
        ("2x to 4x", "the record of three lists"): lambda *given: carries(*given).loaded,
    },
)


def plain(sr, lr, s):
    return sr + enlarge(lr - shrink(sr, s), s)


def projects(step=plain, *, clamp=True, scale=0):
    def answer(sr, lr, rounds):
        for _ in range(rounds):
            sr = step(sr, lr, scale or sr.shape[-2] // lr.shape[-2])
            sr = sr.clamp(0, 1) if clamp else sr
        return sr

    return answer


test_project_done = takes(check_back_project, back_project, projects())

test_project_mistakes_of_one_round = refuses(
    check_back_project,
    {
        "The sign": projects(lambda sr, lr, s: sr - enlarge(lr - shrink(sr, s), s)),
        "What was there is gone": projects(lambda sr, lr, s: enlarge(lr - shrink(sr, s), s)),
        "the small picture itself": projects(lambda sr, lr, s: sr + enlarge(lr, s)),
        "half a level away": projects(lambda sr, lr, s: sr + enlarge(lr - degrade(sr, s), s)),
        "cannot be subtracted": projects(lambda sr, lr, s: sr + enlarge(lr - sr, s)),
    },
    case="1 round",
)

test_project_mistakes = refuses(
    check_back_project,
    {
        ("3 rounds", "This is one round"): lambda sr, lr, _: projects()(sr, lr, 1),
        ("2 times", "not always 4"): projects(scale=4),
        ("black", "no picture file can hold"): projects(clamp=False),
        ("black", "Clamped only at the end"): lambda *given: projects(clamp=False)(
            *given
        ).clamp(0, 1),
    },
)

# Exercise 1 ----------------------------------------------------------------------------


def renames(change):
    return lambda weights: {change(name): value for name, value in weights.items()}


test_unwrapped_done = takes(
    check_unwrapped,
    renames(lambda name: name.removeprefix("module.")),
    renames(lambda name: re.sub(r"^module\.", "", name)),
)

test_unwrapped_mistakes = refuses(
    check_unwrapped,
    {
        ("upsampler", "take letters off"): renames(lambda name: name.lstrip("module.")),
        ("never wrapped, with", "wherever it stands"): (
            renames(lambda name: name.replace("module.", "")),
            renames(lambda name: name.replace("module.", "", 1)),
            renames(lambda name: re.sub(r"module\.", "", name, count=1)),
        ),
        ("never", "Seven letters are gone"): renames(lambda name: name[7:]),
        ("never", "The first part is gone"): renames(lambda name: name.split(".", 1)[1]),
        ("head and body", "The dot is still there"): renames(
            lambda name: name.removeprefix("module")
        ),
        ("head and body", "All names are as they were"): dict,
        ("never", "Names that had no module"): lambda weights: {
            n[7:]: w for n, w in weights.items() if n.startswith("module.")
        },
        ("head and body", "Only the last part"): renames(lambda name: name.rsplit(".", 1)[1]),
        ("begin alike", "without its dot"): renames(
            lambda name: name[7:] if name.startswith("module") else name
        ),
        ("head and body", "This is no dict"): list,
    },
)


def test_which_weights_get_lost_is_not_told_before_a_try():
    def my_unwrapped(weights):
        """As the lesson gives it."""
        return {name.lstrip("module."): value for name, value in weights.items()}

    verdict = check_unwrapped(my_unwrapped)
    assert [name for name, _ in verdict.rows()] == ["case", "begin"]


# Exercise 2 ----------------------------------------------------------------------------


def scale_of(sr, lr):
    return sr.shape[-1] // lr.shape[-1]


def small(sr, lr, reduce=degrade):
    return reduce(sr.clamp(0, 1), scale_of(sr, lr))


def compares(reduce):
    """An answer that makes its small picture by ``reduce(sr, scale)``."""
    return lambda sr, lr: psnr(small(sr, lr, reduce), lr)


agrees = compares(degrade)


def agrees_with_stored_bytes(sr, lr):
    return agrees(sr.clamp(0, 1).mul(255).round().div(255), lr)


def agrees_with_numbers_of_its_own(sr, lr):
    return (-10 * (small(sr, lr) - lr).square().mean((1, 2, 3)).log10()).mean()


def bicubic(sr, scale, *, antialias=True):
    return F.interpolate(sr, scale_factor=1 / scale, mode="bicubic", antialias=antialias)


def gives_the_mse(sr, lr):
    return (small(sr, lr) - lr).square().mean()


test_consistency_done = takes(
    check_consistency,
    agrees,
    lambda sr, lr: agrees(sr, lr).item(),
    agrees_with_stored_bytes,
    agrees_with_numbers_of_its_own,
)


test_consistency_mistakes = refuses(
    check_consistency,
    {
        ("overshoots", "Where sr leaves [0, 1]"): lambda sr, lr: psnr(
            degrade(sr, scale_of(sr, lr)), lr
        ),
        ("overshoots", "An argument is not what"): lambda sr, lr: agrees(sr.clamp_(0, 1), lr),
        ("4 times", "how near sr is to bicubic"): lambda sr, lr: psnr(
            sr, enlarge(lr, scale_of(sr, lr))
        ),
        ("2 times", "This takes the scale to be"): (
            compares(lambda sr, _: degrade(sr, 4)),
            lambda sr, lr: -10 * (degrade(sr, 4) - lr).square().mean().log10(),
        ),
        ("4 times", "This passes over most pixels"): compares(lambda sr, s: sr[..., ::s, ::s]),
        ("4 times", "not by averaging squares"): compares(F.avg_pool2d),
        ("4 times", "Without antialiasing"): compares(partial(bicubic, antialias=False)),
        ("", "This is bicubic, but not degrade"): (
            compares(bicubic),
            compares(lambda sr, s: bicubic(sr, s).clamp(0, 1)),
        ),
        "": compares(lambda sr, s: bicubic(sr, s).mul(255).floor() / 255),
        ("4 times", "This is the mean squared"): gives_the_mse,
        ("4 times", "This is luma alone: a"): (
            lambda sr, lr: psnr(luma(small(sr, lr)), luma(lr)),
            lambda sr, lr: psnr(luma(small(sr, lr)), luma(lr)).item(),
        ),
        ("2 pictures", "You averaged the errors of"): (
            lambda sr, lr: -10 * torch.log10(gives_the_mse(sr, lr)),
            lambda sr, lr: -10 * math.log10(gives_the_mse(sr, lr)),
        ),
        ("4 times", "That is the small picture"): small,
        ("2 pictures", ""): lambda sr, lr: agrees(sr[:1], lr[:1]),
        ("4 times", "Make the small picture of sr"): lambda *_: float("inf"),
    },
)


# Exercise 3 ----------------------------------------------------------------------------


def cut_to_8(size):
    return size - size % 8


def makes(
    *,
    order=sorted,
    side=cut_to_8,
    batch=lambda pixels, side: max(pixels // side**2, 1),
    scale=8,
    steps=10,
    **update,
):
    """An answer that goes on to 8x; what is named is done otherwise."""

    def card(start, model, sizes, pixels):
        stages = [
            Stage(scale=scale, hr_size=s, batch_size=batch(pixels, s), steps=steps)
            for s in map(side, order(sizes))
        ]
        made = RunCard(name="mine", model=model, start=start, stages=stages)
        return made.model_copy(update=update)

    return card


goes_on = makes()
keeps_the_batch = makes(batch=lambda *_: 8)


def goes_on_by_name(start, model, sizes, pixels):
    return goes_on(start=start, model=model, sizes=sizes, pixels=pixels)


test_card_done = takes(check_card, goes_on, goes_on_by_name)


test_card_mistakes = refuses(
    check_card,
    {
        "It begins untrained": makes(start="untrained"),
        "Another start than": (makes(start="small-x8"), makes(start="small-x4")),
        "A stage for each size": makes(order=lambda sizes: sorted(sizes, reverse=True)),
        "another network than the checkpoint": makes(model=ModelSpec()),
        "These stages still enlarge 4": makes(scale=4),
        "This takes a crop of": makes(batch=lambda p, side: max(p // side, 1)),
        "This counts the pixels of": makes(batch=lambda p, side: max(p // (side // 8) ** 2, 1)),
        "Rounded up": makes(batch=lambda p, side: -(-p // side**2)),
        "round goes up as often": makes(batch=lambda p, side: max(round(p / side**2), 1)),
        "Larger crops, and as many": keeps_the_batch,
        "This is the largest size": makes(order=lambda sizes: [max(sizes)]),
        "its folder would be emptied": makes(name="capstone"),
        "2,400 steps takes hours": makes(steps=Stage().steps),
        "An argument is not what": first(lambda *given: given[2].sort(reverse=True), goes_on),
        "These are the stages, but": lambda *given: goes_on(*given).stages,
    },
    case="64, 96, 160",
)


test_card_mistakes_of_other_sizes = refuses(
    check_card,
    {
        ("disorder", "The crops do not grow"): makes(order=list),
        ("8 does not divide", "8 must divide the side"): makes(side=int),
        ("8 does not divide", "Some crops are larger than"): makes(
            side=lambda size: -(-size // 8) * 8
        ),
        ("larger than the budget", "A step without a single"): makes(
            batch=lambda p, side: p // side**2
        ),
    },
)


def test_the_names_taken_are_those_of_the_lessons_cards():
    notebook = nbformat.read(ROOT / "lessons" / "07_capstone.ipynb", as_version=4)
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    assert set(re.findall(r'name="([^"]+)"', code)) == NAMES_TAKEN


def test_a_card_is_told_by_its_stages():
    verdict = check_card(keeps_the_batch)
    assert "'12 of 64 px, 8x', '5 of 96 px, 8x', '2 of 160 px, 8x'" in verdict.expected
    assert "'8 of 64 px, 8x', '8 of 96 px, 8x', '8 of 160 px, 8x'" in verdict.got
