"""The checks of lesson 07 take the right answers, refuse wrong ones, and say why."""

import re
from contextlib import suppress

import nbformat
import torch
import torch.nn.functional as F
from torch import nn

from srlab.checkpoints import carry_weights
from srlab.checks import check_card, check_carry, check_consistency
from srlab.checks.lesson07 import NAMES_TAKEN, _carry
from srlab.data import degrade
from srlab.metrics import luma, psnr
from srlab.models import SrResNet, enlarge
from srlab.runcard import ModelSpec, RunCard, Stage
from tests.answering import first, refused, refuses, takes
from tests.test_setup import ROOT

# Exercise 1 ----------------------------------------------------------------------------


def carries(before, after):
    return {
        name: before[name] if name in before and before[name].shape == own.shape else own
        for name, own in after.items()
    }


def carries_with_update(before, after):
    fitting = {n: t for n, t in before.items() if n in after and after[n].shape == t.shape}
    return {**after, **fitting}


def carries_copies(before, after):
    return {name: tensor.clone() for name, tensor in carries(before, after).items()}


def carries_through_a_module(before, after):
    model = nn.ParameterDict({n.replace(".", "_"): t.clone() for n, t in after.items()})
    carry_weights(model, {n.replace(".", "_"): t for n, t in before.items()})
    return {name: model[name.replace(".", "_")].detach() for name in after}


def carries_by_loading(before, after):
    carried = {name: own.clone() for name, own in after.items()}
    for name in carried.keys() & before.keys():
        if carried[name].shape == before[name].shape:
            carried[name].copy_(before[name])
    return carried


def gives_after_if_nothing_fits(before, after):
    fitting = forgets_the_new_ones(before, after)
    return {**after, **fitting} if fitting else after


def forgets_the_new_ones(before, after):
    return {n: t for n, t in before.items() if n in after and after[n].shape == t.shape}


def goes_by_position(before, after):
    merged = dict(after)
    for (name, own), tensor in zip(after.items(), before.values(), strict=False):
        if own.shape == tensor.shape:
            merged[name] = tensor
    return merged


def goes_by_shape(before, after):
    alike = {tuple(t.shape): t for t in before.values()}
    return {name: alike.get(tuple(own.shape), own) for name, own in after.items()}


def starts_new_ones_at_zero(before, after):
    fitting = forgets_the_new_ones(before, after)
    return {name: fitting.get(name, torch.zeros_like(own)) for name, own in after.items()}


def writes_into_after(before, after):
    for name, own in after.items():
        if name in before and before[name].shape == own.shape:
            own.copy_(before[name])
    return after


def updates_after_itself(before, after):
    after.update(forgets_the_new_ones(before, after))
    return after


def stretches_what_almost_fits(before, after):
    given = {name: own.clone() for name, own in after.items()}
    for name in given.keys() & before.keys():
        with suppress(RuntimeError):
            given[name].copy_(before[name])
    return given


test_carry_done = takes(
    check_carry, carries, carries_with_update, carries_copies, carries_by_loading
)


test_carry_mistakes = refuses(
    check_carry,
    {
        ("a block less", "Some names were carried"): lambda before, after: {**after, **before},
        ("another width", "An equal name is not"): lambda before, after: {
            name: before.get(name, own) for name, own in after.items()
        },
        ("as many numbers", "As many numbers, but in"): lambda before, after: {
            name: before[name].view(own.shape)
            if name in before and before[name].numel() == own.numel()
            else own
            for name, own in after.items()
        },
        ("from 2x to 4x", "What is not carried over"): (
            forgets_the_new_ones,
            lambda before, _: dict(before),
        ),
        ("from 2x to 4x", "This goes by the place"): goes_by_position,
        ("another order", "another layer"): goes_by_shape,
        ("from 2x to 4x", "zeros in a middle layer"): starts_new_ones_at_zero,
        ("from 2x to 4x", "Nothing was carried"): lambda _, after: dict(after),
        ("from 2x to 4x", "An argument is not what"): (
            writes_into_after,
            updates_after_itself,
        ),
        ("could be stretched", ""): stretches_what_almost_fits,
        ("from 2x to 4x", "Go over after"): lambda before, after: list(
            forgets_the_new_ones(before, after)
        ),
        ("from 2x to 4x", "what the exercise forbids"): carries_through_a_module,
        ("a shape that could", "not a new one"): gives_after_if_nothing_fits,
    },
)


def test_carry_says_whose_each_tensor_is():
    verdict = check_carry(forgets_the_new_ones)
    assert verdict.expected == "{'head': 'carried', 'stage': 'its own', 'to_rgb': 'carried'}"
    assert verdict.got == "{'head': 'carried', 'stage': 'missing', 'to_rgb': 'carried'}"


def test_the_right_answer_is_what_srlab_does():
    before, after = SrResNet(2, 6, 1).state_dict(), SrResNet(4, 6, 1)
    expected = _carry(before, {n: t.clone() for n, t in after.state_dict().items()})
    carry_weights(after, before)
    assert expected.keys() == after.state_dict().keys()
    assert all(torch.equal(expected[n], t) for n, t in after.state_dict().items())


# Exercise 2 ----------------------------------------------------------------------------


def scale_of(sr, lr):
    return sr.shape[-1] // lr.shape[-1]


def agrees(sr, lr):
    return psnr(degrade(sr.clamp(0, 1), scale_of(sr, lr)), lr)


def agrees_with_stored_bytes(sr, lr):
    stored = sr.clamp(0, 1).mul(255).round().div(255)
    return psnr(degrade(stored, scale_of(sr, lr)), lr)


def agrees_picture_by_picture(sr, lr):
    values = [agrees(one[None], small[None]) for one, small in zip(sr, lr, strict=True)]
    return torch.stack(values).mean()


def agrees_with_numbers_of_its_own(sr, lr):
    small = degrade(sr.clamp(0, 1), round((sr[0].numel() / lr[0].numel()) ** 0.5))
    return (-10 * (small - lr).square().mean((1, 2, 3)).log10()).mean()


def reduced_without_rounding(sr, lr):
    return F.interpolate(sr.clamp(0, 1), lr.shape[-2:], mode="bicubic", antialias=True)


def does_not_round(sr, lr):
    return psnr(reduced_without_rounding(sr, lr), lr)


test_bicubic_without_rounding_is_not_degrade = refuses(
    check_consistency,
    does_not_round,
    lambda sr, lr: psnr(reduced_without_rounding(sr, lr).clamp(0, 1), lr),
    lambda sr, lr: psnr(reduced_without_rounding(sr, lr).mul(255).floor() / 255, lr),
)


def test_what_is_left_out_is_named():
    """Whatever else degrade does at the border."""
    refused(check_consistency(does_not_round), hint="This is bicubic, but not degrade")


def skips_pixels(sr, lr):
    scale = scale_of(sr, lr)
    return psnr(sr.clamp(0, 1)[..., ::scale, ::scale], lr)


def gives_the_mse(sr, lr):
    return (degrade(sr.clamp(0, 1), scale_of(sr, lr)) - lr).square().mean()


test_consistency_done = takes(
    check_consistency,
    agrees,
    lambda sr, lr: psnr(degrade(sr.clamp(0, 1), sr.shape[2] // lr.shape[2]), lr).item(),
    agrees_with_stored_bytes,
    agrees_picture_by_picture,
    torch.no_grad()(agrees),
    agrees_with_numbers_of_its_own,
)


test_consistency_mistakes = refuses(
    check_consistency,
    {
        ("overshoots", "Where sr leaves [0, 1]"): lambda sr, lr: psnr(
            degrade(sr, scale_of(sr, lr)), lr
        ),
        ("overshoots", "An argument is not what"): lambda sr, lr: psnr(
            degrade(sr.clamp_(0, 1), scale_of(sr, lr)), lr
        ),
        ("4 times", "how near sr is to bicubic"): lambda sr, lr: psnr(
            sr, enlarge(lr, scale_of(sr, lr))
        ),
        ("2 times", "This takes the scale to be"): lambda sr, lr: psnr(
            degrade(sr.clamp(0, 1), 4), lr
        ),
        ("4 times", "This passes over most pixels"): skips_pixels,
        ("4 times", "not by averaging squares"): lambda sr, lr: psnr(
            F.avg_pool2d(sr.clamp(0, 1), scale_of(sr, lr)), lr
        ),
        ("4 times", "Without antialiasing"): lambda sr, lr: psnr(
            F.interpolate(sr.clamp(0, 1), lr.shape[-2:], mode="bicubic"), lr
        ),
        ("4 times", "This is the mean squared"): gives_the_mse,
        ("4 times", "This is luma alone: a"): lambda sr, lr: psnr(
            luma(degrade(sr.clamp(0, 1), scale_of(sr, lr))), luma(lr)
        ),
        ("2 pictures", "You averaged the errors of"): lambda sr, lr: (
            -10 * torch.log10(gives_the_mse(sr, lr))
        ),
        ("4 times", "That is the small picture"): lambda sr, lr: degrade(
            sr.clamp(0, 1), scale_of(sr, lr)
        ),
        ("2 pictures", ""): lambda sr, lr: agrees(sr[:1], lr[:1]),
        ("4 times", "Make the small picture of sr"): lambda *_: float("inf"),
    },
)


# Exercise 3 ----------------------------------------------------------------------------


def goes_on(start, model, sizes, pixels):
    stages = []
    for size in sorted(sizes):
        side = size - size % 8
        batch = max(pixels // (side * side), 1)
        stages.append(Stage(scale=8, hr_size=side, batch_size=batch, steps=10))
    return RunCard(name="mine", model=model, start=start, stages=stages)


def makes(
    *,
    order=sorted,
    cut=True,
    batch=lambda pixels, side: max(pixels // side**2, 1),
    scale=8,
    steps=10,
    **update,
):
    """An answer whose card has something done otherwise than ``goes_on``'s."""

    def card(start, model, sizes, pixels):
        sides = [size - size % 8 if cut else size for size in order(sizes)]
        stages = [
            Stage(scale=scale, hr_size=s, batch_size=batch(pixels, s), steps=steps)
            for s in sides
        ]
        made = RunCard(name="mine", model=model, start=start, stages=stages)
        return made.model_copy(update=update)

    return card


keeps_the_batch = makes(batch=lambda *_: 8)


def goes_on_by_name(start, model, sizes, pixels):
    return goes_on(start=start, model=model, sizes=sizes, pixels=pixels)


test_card_done = takes(check_card, goes_on, goes_on_by_name)


test_card_mistakes = refuses(
    check_card,
    {
        "It begins untrained": makes(start="untrained"),
        "A stage for each size": (
            makes(start="small-x8"),
            makes(order=lambda sizes: sorted(sizes, reverse=True)),
        ),
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
        ("8 does not divide", "would not have whole pixels"): makes(cut=False),
        ("8 does not divide", "Some crops are larger than"): makes(
            order=lambda sizes: sorted(-(-size // 8) * 8 for size in sizes)
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
