"""What several checks give to an answer, and how they look at what it returns."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from numbers import Integral
from typing import Any

import torch
from torch import Tensor, nn

from srlab.checks.core import (
    Answer,
    Cases,
    Finding,
    Mistakes,
    Verdict,
    describe,
    judge,
    judge_gradient,
)


def uniform_values(seed: int, *shape: int) -> Tensor:
    """Random numbers from 0 to 1, the same at each call."""
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def normal_values(seed: int, *shape: int) -> Tensor:
    """Random numbers around 0, with a spread of 1, the same at each call."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def result_as(look: Callable[..., Any]) -> Callable[[Answer], Answer]:
    """Make what ``judge`` takes as ``seen_through`` of a function of the result.

    Args:
        look: called with what an answer returned, unless that is None, and
            with the arguments that the answer got.
    """

    def seen(answer: Answer) -> Answer:
        def looked_at(*arguments: Any) -> Any:
            result = answer(*arguments)
            return None if result is None else look(result, *arguments)

        return looked_at

    return seen


def as_module(make: Answer, *, named: Sequence[str] = ()) -> Answer:
    """Make of a class a function of its settings and of what the module is called with.

    Use it as ``judge``'s ``seen_through`` for a build that is an ``nn.Module``.
    Its parameters are filled with fixed numbers, name by name, so that two
    classes of one structure give one result.

    Args:
        make: called with the settings.
        named: the last inputs, which are handed on by these names.

    Returns:
        A function whose first argument is the tuple of settings; the others go
        to the module.
    """

    def called(settings: tuple[Any, ...], *inputs: Any) -> Any:
        module = _filled(make, settings)
        place = len(inputs) - len(named)
        by_name = dict(zip(named, inputs[place:], strict=True))
        return None if module is None else module(*inputs[:place], **by_name)

    return called


def _filled(make: Answer, settings: tuple[Any, ...]) -> nn.Module | None:
    """A new module with fixed numbers in its parameters; None if nothing was made.

    Raises:
        Finding: if it is no module.
    """
    module = make(*settings)
    if module is None:
        return None
    if not isinstance(module, nn.Module):
        raise Finding(
            f"{named_type(module)}, not a module",
            "What was built is no nn.Module: it has no parameters to train.",
        )
    with torch.no_grad():
        for seed, (_, parameter) in enumerate(sorted(module.named_parameters())):
            parameter.copy_(uniform_values(seed, *parameter.shape) - 0.5)
    return module


def judge_module(
    answer: Answer | None,
    *,
    right: Answer,
    cases: Cases,
    mistakes: Mistakes,
    tolerance: float = 1e-4,
) -> Verdict:
    """Compare a class with the right one: what its modules give, their gradients, what moves.

    Args:
        answer: an ``nn.Module``'s class.
        right: srlab's own.
        cases: name -> the tuple of settings, then what the module is called
            with, the picture first.
        mistakes: classes, the more particular first.
        tolerance: absolute, of each number.
    """
    verdict = judge_with_gradient(
        answer,
        right=right,
        cases=cases,
        mistakes=mistakes,
        seen_through=as_module,
        toward=(1,),
        tolerance=tolerance,
    )
    return judge_moving(answer, after=verdict, right=right, cases=cases)


STUCK = "A layer's weights never move: nothing may be detached."


def judge_moving(
    answer: Answer | None, *, after: Verdict, right: Answer, cases: Cases
) -> Verdict:
    """Compare how many of a module's own numbers a training would move.

    Args:
        answer, right, cases: as ``judge_module`` takes them.
        after: the verdict on what the modules give; unless it is done, it stays.
    """
    if not after.done:
        return after
    verdict = judge(
        answer,
        right=right,
        cases={f"{name}: numbers that a training moves": case for name, case in cases.items()},
        seen_through=_moving,
    )
    return verdict if verdict.done else replace(verdict, hint=STUCK, known=True)


def _moving(make: Answer) -> Answer:
    """Make of a class a function that counts the numbers of a module with a gradient."""

    def moving(settings: tuple[Any, ...], *inputs: Any) -> Any:
        module = _filled(make, settings)
        if module is None:
            return None
        wanted = [p for p in module.parameters() if p.requires_grad]
        score = module(*inputs).square().sum()
        if not (wanted and score.requires_grad):
            return 0
        slopes = torch.autograd.grad(score, wanted, allow_unused=True)
        return sum(slope.numel() for slope in slopes if slope is not None and slope.any())

    return moving


def judge_with_gradient(
    answer: Answer | None,
    *,
    right: Answer,
    cases: Cases,
    mistakes: Mistakes,
    seen_through: Callable[[Answer], Answer] = lambda answer: answer,
    toward: Sequence[int] = (0,),
    slopes: Cases | None = None,
    tolerance: float = 1e-4,
) -> Verdict:
    """Compare an answer with the right one: its values, then the gradient through them.

    Args:
        answer: a function or a class.
        right, cases, mistakes, seen_through, tolerance: as ``judge`` takes them.
        toward: places, in a case, of the tensors that the gradient should reach.
        slopes: cases for the gradient, if not those of the values.
    """
    verdict = judge(
        answer,
        right=right,
        cases=cases,
        mistakes=mistakes,
        seen_through=seen_through,
        tolerance=tolerance,
    )
    if not callable(answer):
        return verdict
    made, own = seen_through(answer), seen_through(right)
    return judge_gradient(
        made, after=verdict, right=own, cases=cases if slopes is None else slopes, toward=toward
    )


def whole_number(value: Any) -> int:
    """A whole number of Python or NumPy as an int.

    Raises:
        Finding: if it is a float, a bool, a tensor or something else.
    """
    if isinstance(value, Integral) and not isinstance(value, bool):
        return int(value)
    raise Finding(
        f"{describe(value)}, {named_type(value)}",
        "The value may be right, but its type is no whole number.",
    )


def in_order(got: Any, names: Iterable[str], *, what: str, hint: str) -> list[Any]:
    """The values of a dict that should hold just these names, in their order.

    Args:
        got: what an answer returned.
        names: the keys it should have.
        what: its values are called, such as ``"weights"``.
        hint: for a dict with other names.

    Raises:
        Finding: if it is no dict, or has other names.
    """
    names = list(names)
    if not isinstance(got, Mapping):
        text = f"{named_type(got)}, not a dict of {what}"
        raise Finding(text, "The names are missing: this is no dict.")
    if set(got) != set(names):
        raise Finding(f"{what} named {', '.join(map(str, got)) or 'nothing'}", hint)
    return [got[name] for name in names]


def value_and_slope(loss: Answer, *, at: int = 0, signed: bool = True) -> Answer:
    """Make of a loss a function that returns its value and how steep it is.

    The slope is counted for one pixel, as if the loss were not yet averaged.

    Args:
        loss: an answer that returns one number.
        at: which of its arguments is the picture that a training changes.
        signed: whether the mean slope counts, or only the mean size of it.

    Returns:
        A function of the same arguments, which returns the loss, the mean slope
        if ``signed``, and the mean size of the slope, in one tensor.
    """

    def with_slope(*arguments: Any) -> Any:
        pixels = arguments[at].clone().requires_grad_()
        given = pixels * 1  # torch would refuse to change a leaf in place
        value = loss(*arguments[:at], given, *arguments[at + 1 :])
        if value is None:
            return None
        if not given.equal(arguments[at]):
            raise Finding.changed_input()
        slope = _slope(value, pixels)
        means = [slope.mean()] * signed + [slope.abs().mean()]
        return torch.stack([value.detach().view(()), *(slope.numel() * m for m in means)])

    return with_slope


def _slope(loss: Any, pixels: Tensor) -> Tensor:
    """The gradient of a loss at the picture.

    Raises:
        Finding: if no training could follow it.
    """
    if not isinstance(loss, Tensor):
        raise Finding(
            f"{loss!r} is {named_type(loss)}, not a tensor",
            "This is a plain number: what backward() needs is gone.",
        )
    if loss.numel() != 1:
        raise Finding(
            f"a tensor of shape {tuple(loss.shape)}",
            "One number for each picture; a loss is one for the whole batch.",
        )
    slope = None
    if loss.requires_grad:
        (slope,) = torch.autograd.grad(loss, pixels, allow_unused=True)
    if slope is None:
        raise Finding(
            f"{loss.item():.4g}, a tensor without a gradient",
            "Something cut the way back from the loss to the picture.",
        )
    return slope


def named_type(value: Any) -> str:
    """The type of a value, with its article: ``"an int"``."""
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"
