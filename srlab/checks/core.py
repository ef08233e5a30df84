"""How a check judges: against the right answer, and against known mistakes."""

import html
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import torch
from torch import Tensor

Answer = Callable[..., Any]
Cases = Mapping[str, tuple[Any, ...]]

GREEN, ORANGE = "#009E73", "#D55E00"  # Okabe-Ito


Row = tuple[str, str]
"""A name, and what is to be said of it."""

CODE = {"case", "expected", "got"}  # rows that show values


@dataclass(frozen=True, repr=False)
class Verdict:
    """What a check found: done, or the first case that failed and what helps.

    Args:
        done: whether every case came out right.
        case: the case that failed.
        expected, got: its values, as text.
        hint: what to look at next.
        known: whether the hint speaks of the very mistake that was made.
        help: rows that stand in the hint's place: the steps of help that were
            earned so far. None if nobody counts them.
        note: about the learner's progress, if something is wrong with it.
    """

    done: bool
    case: str = ""
    expected: str = ""
    got: str = ""
    hint: str = ""
    known: bool = False
    help: tuple[Row, ...] | None = None
    note: str = ""

    def __repr__(self) -> str:
        rows = [f"  {name:9}{value}" for name, value in self._rows()]
        return "\n".join(["Done." if self.done else "Not yet.", *rows])

    def _repr_html_(self) -> str:
        color, word = (GREEN, "✓ Done.") if self.done else (ORANGE, "Not yet.")
        rows = "".join(
            f"<tr><th scope='row' style='text-align:left;vertical-align:top'>{name}</th>"
            f"<td style='text-align:left'>{_cell(name, value)}</td></tr>"
            for name, value in self._rows()
        )
        return (
            f"<div style='border-left:4px solid {color};padding-left:.8em'>"
            f"<b>{word}</b><table>{rows}</table></div>"
        )

    def _rows(self) -> list[Row]:
        rows = [("case", self.case), ("expected", self.expected), ("got", self.got)]
        help = (("hint", self.hint),) if self.help is None else self.help
        every = [*rows, *(() if self.done else help), ("note", self.note)]
        return [(name, value) for name, value in every if value]


def _cell(name: str, value: str) -> str:
    text = html.escape(value)
    return f"<code>{text}</code>" if name in CODE else text


class ChangedInput(Exception):  # noqa: N818 - it names what happened
    """An answer wrote into the tensors that it was given."""


KEEP_INPUT = "Leave the arguments as they came: write x = x - 1, not x -= 1; no x.clamp_()."


@dataclass(frozen=True)
class Mistake:
    """A wrong answer that many people give, and the hint for it."""

    answer: Answer
    hint: str


def judge(
    answer: Answer | None,
    *,
    right: Answer,
    cases: Cases,
    mistakes: Sequence[Mistake] = (),
    tolerance: float = 1e-4,
) -> Verdict:
    """Compare an answer with the right one, case by case.

    The first case that differs is reported. If the answer does there what a
    known mistake does, the hint is that mistake's; otherwise there is none. An
    answer that changes a tensor it was given is wrong, whatever it returns.

    Args:
        answer: a function; None or one that returns None is not begun yet.
        right: the right function.
        cases: name -> arguments.
        mistakes: the more particular first.
        tolerance: absolute, of each number.

    Source: built by srlab; what every ``check_`` function calls.
    """
    if not callable(answer):
        return Verdict(False, hint="Write the function first.", known=True)
    for name, arguments in cases.items():
        expected, got = right(*_copied(arguments)), _result(answer, arguments)
        if got is None:
            return Verdict(
                False, name, describe(expected), "nothing (None)", "Return it.", known=True
            )
        if not same(expected, got, tolerance):
            found = _recognize(got, arguments, mistakes, tolerance)
            values = describe(expected), describe(got)
            return Verdict(False, name, *values, found, known=bool(found))
    return Verdict(True)


def same(expected: Any, got: Any, tolerance: float) -> bool:
    """Equal in kind, shape and, within ``tolerance``, in every number."""
    if isinstance(expected, Tensor):
        if not isinstance(got, Tensor) or got.shape != expected.shape:
            return False
        got = got.detach().to(expected.dtype)
        return torch.allclose(got, expected, rtol=1e-4, atol=tolerance, equal_nan=True)
    if isinstance(expected, float):
        value = _number(got)
        return value is not None and same(
            torch.tensor(expected), torch.tensor(value), tolerance
        )
    try:
        return bool(expected == got)
    except (RuntimeError, ValueError):  # many numbers where one was expected
        return False


def describe(value: Any) -> str:
    """A value in a few words: small tensors whole, large ones by shape."""
    if isinstance(value, Exception):
        return f"{type(value).__name__}: {value}"
    if not isinstance(value, Tensor):
        return f"{value:.4g}" if isinstance(value, float) else repr(value)
    value = value.detach()
    if value.numel() == 1:
        return f"{value.item():.4g}"
    if 0 < value.numel() <= 8:
        return ", ".join(f"{v:.4g}" for v in value.flatten().tolist())
    mean = f", mean {value.float().mean():.4g}" if value.numel() else ""
    return f"shape {tuple(value.shape)}{mean}"


def _result(answer: Answer, arguments: tuple[Any, ...]) -> Any:
    """What the answer gives; its exception counts as a result to show."""
    given = _copied(arguments)
    try:
        result = answer(*given)
    except NotImplementedError:
        return None
    except Exception as error:  # whatever a learner's draft may raise
        return error
    if result is not None and _changed(given, arguments):
        return ChangedInput("the function changed what it was given")
    return result


def _recognize(
    got: Any, arguments: tuple[Any, ...], mistakes: Sequence[Mistake], tolerance: float
) -> str:
    """The hint of the mistake that gives just what was got, or nothing."""
    if isinstance(got, ChangedInput):
        return KEEP_INPUT
    for mistake in mistakes:
        wrong = _result(mistake.answer, arguments)
        alike = type(wrong) is type(got) if isinstance(wrong, Exception) else False
        if alike or (not isinstance(got, Exception) and same(wrong, got, tolerance)):
            return mistake.hint
    return ""


def _copied(arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    """An answer may change its arguments in place; the next call must not see it."""
    return tuple(a.clone() if isinstance(a, Tensor) else a for a in arguments)


def _changed(given: tuple[Any, ...], before: tuple[Any, ...]) -> bool:
    """Whether a tensor among the arguments is no longer what it was."""
    return any(
        isinstance(old, Tensor) and not (new.shape == old.shape and new.equal(old))
        for new, old in zip(given, before, strict=True)
    )


def _number(value: Any) -> float | None:
    """A number of Python or NumPy, or a tensor with one element, as a float."""
    if isinstance(value, Tensor) and value.numel() == 1:
        return float(value)
    return float(value) if isinstance(value, Real) else None
