"""How a check judges: against the right answer, and against known mistakes."""

import html
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import partial
from numbers import Real
from pathlib import Path
from traceback import walk_tb
from types import CodeType, MappingProxyType
from typing import Any, TypeGuard

import torch
from torch import Tensor, nn

from srlab.checks.bounds import SECONDS, TimeIsUp, calls_noted, time_limit
from srlab.checks.traces import Traces, restore, torch_settings, traces_of

Answer = Callable[..., Any]
Cases = Mapping[str, tuple[Any, ...]]
Mistakes = Mapping[str, Answer | tuple[Answer, ...]]
"""A hint -> the wrong answers that earn it, which many people give.

It says what is wrong, not what would be right, since it is shown after the first try.
"""

GREEN, ORANGE = "#009E73", "#D55E00"  # Okabe-Ito


Row = tuple[str, str]
"""A line of a verdict: its name, and its text."""

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
        failed: whether the answer stopped with an error.
        differs: the first element that is not as expected, as text.
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
    failed: bool = False
    differs: str = ""
    help: tuple[Row, ...] | None = None
    note: str = ""

    def __repr__(self) -> str:
        rows = [f"  {name:9}{value}" for name, value in self.rows()]
        return "\n".join(["Done." if self.done else "Not yet.", *rows])

    def _repr_html_(self) -> str:
        color, word = (GREEN, "✓ Done.") if self.done else (ORANGE, "Not yet.")
        rows = "".join(
            f"<tr><th scope='row' style='text-align:left;vertical-align:top'>{name}</th>"
            f"<td style='text-align:left'>{_cell(name, value)}</td></tr>"
            for name, value in self.rows()
        )
        return (
            f"<div style='border-left:4px solid {color};padding-left:.8em'>"
            f"<b>{word}</b><table>{rows}</table></div>"
        )

    def rows(self) -> list[Row]:
        """What it says, line by line: a name, and a text."""
        rows = [("case", self.case), ("expected", self.expected), ("got", self.got)]
        help = (("hint", self.hint),) if self.help is None else self.help
        every = [*rows, *(() if self.done else help), ("note", self.note)]
        return [(name, value) for name, value in every if value]


def _cell(name: str, value: str) -> str:
    text = html.escape(value)
    return f"<code>{text}</code>" if name in CODE else text


class Finding(Exception):  # noqa: N818 - it need not be an error
    """Something wrong with an answer that its value alone does not show.

    It takes the place of the answer's result; a verdict shows its text as what
    the check got.

    Args:
        text: what was found, in a few words.
        hint: what is wrong with it, as a sentence.
        result: the answer's result, if a wrong result should be reported first.
    """

    def __init__(self, text: str, hint: str, *, result: Any = None):
        super().__init__(text)
        self.hint, self.result = hint, result

    @classmethod
    def changed_input(cls) -> "Finding":
        """An answer wrote into one of its arguments."""
        hint = "An argument is not what it was: the function wrote into it."
        return cls("the function changed what it was given", hint)

    @classmethod
    def left_behind(cls, text: str, result: Any = None) -> "Finding":
        """An answer left a flag, a gradient, a hook or a setting of torch changed."""
        hint = "The result is right, but the function left something changed behind it."
        return cls(text, hint, result=result)


NO_RESULT = f"no result after {SECONDS:.0f} s"
RETURNS_NOTHING = "The function returns nothing."
CUT = "The value is right, but no gradient comes back: the way is cut."
CUT_IN_PART = "The value is right, but its gradient is not: part of the way back is cut."


def judge(
    answer: Answer | None,
    *,
    right: Answer,
    cases: Cases,
    mistakes: Mistakes = MappingProxyType({}),
    seen_through: Callable[[Answer], Answer] = lambda answer: answer,
    tolerance: float = 1e-4,
) -> Verdict:
    """Compare an answer with the right one, case by case.

    The first case that differs is reported. If the answer does there what a
    known mistake does, the hint is that mistake's; otherwise there is none. An
    answer that changes what it was given is wrong, whatever it returns.

    Args:
        answer: a function. It counts as not begun if it is None or returns None.
        right: the right function.
        cases: name -> arguments.
        mistakes: the more particular first.
        seen_through: makes of each function, the answer, the right one and the
            mistakes, the one that is called instead: it may say more than the
            value, or raise a ``Finding``.
        tolerance: absolute, of each number.
    """
    if not callable(answer):
        return Verdict(False, hint="Write the function first.", known=True)
    asked, oracle = seen_through(answer), seen_through(right)
    for name, arguments in cases.items():
        expected, got = oracle(*_copied(arguments)), _result(asked, arguments)
        if isinstance(got, Finding) and got.result is not None:
            got = got if same(expected, got.result, tolerance) else got.result
        if not same(expected, got, tolerance):
            wrong = ((hint, seen_through(mistake)) for hint, mistake in each_mistake(mistakes))
            hint = _recognize(got, arguments, wrong, tolerance)
            shown = told_apart(expected, got, tolerance)
            failed = isinstance(got, Exception) and not isinstance(got, Finding)
            place = first_difference(expected, got, tolerance)
            return Verdict(False, name, *shown, hint, bool(hint), failed, place)
    return Verdict(True)


def each_mistake(mistakes: Mistakes) -> Iterator[tuple[str, Answer]]:
    """Each hint with each of its wrong answers, in their order."""
    for hint, answers in mistakes.items():
        for answer in answers if isinstance(answers, tuple) else (answers,):
            yield hint, answer


def judge_gradient(
    answer: Answer | None,
    *,
    after: Verdict,
    right: Answer,
    cases: Cases,
    toward: Sequence[int] = (0,),
) -> Verdict:
    """Compare the gradients that come back through an answer with the right ones.

    For an answer that becomes part of a network or a loss.

    Args:
        answer: a function.
        after: the verdict on its values; unless it is done, it stays.
        right: the right function.
        cases: name -> arguments; of modules, their parameters count as well.
        toward: places of the tensors that the gradient should reach.
    """
    if not after.done:
        return after
    verdict = judge(
        answer,
        right=right,
        cases={f"{name}: the gradient, in a row": given for name, given in cases.items()},
        seen_through=partial(_slopes, toward=toward),
    )
    if verdict.done or verdict.known or verdict.failed:
        return verdict
    return replace(verdict, hint=CUT_IN_PART, known=True)


def _slopes(answer: Answer, toward: Sequence[int]) -> Answer:
    """Make of an answer one that gives all gradients in one row."""

    def slopes(*arguments: Any) -> Any:
        leaves = {i: arguments[i].detach().clone().requires_grad_() for i in toward}
        # * 1: a leaf would refuse a change in place, which is another matter
        given = [leaves[i] * 1 if i in leaves else a for i, a in enumerate(arguments)]
        result = answer(*given)
        if not isinstance(result, Tensor):
            return result
        if not result.requires_grad:
            raise Finding("a tensor without a gradient", CUT)
        modules = [a for a in arguments if isinstance(a, nn.Module)]
        wanted = [*leaves.values(), *(p for m in modules for p in m.parameters())]
        pull = torch.arange(float(result.numel())).cos().view(result.shape)
        found = torch.autograd.grad((result * pull).sum(), wanted, materialize_grads=True)
        return torch.cat([slope.flatten() for slope in found])

    return slopes


def same(expected: Any, got: Any, tolerance: float) -> bool:
    """Whether both are equal in kind, shape and, within ``tolerance``, in every number."""
    if isinstance(expected, Tensor):
        if not isinstance(got, Tensor) or got.shape != expected.shape:
            return False
        if got.is_floating_point() != expected.is_floating_point():
            return False
        got = got.detach().to(expected.dtype)
        return torch.allclose(got, expected, rtol=1e-4, atol=tolerance, equal_nan=True)
    if isinstance(expected, float):
        value = as_number(got)
        return value is not None and same(
            torch.tensor(expected), torch.tensor(value), tolerance
        )
    if isinstance(got, Tensor) or getattr(got, "ndim", None):  # equal numbers, another kind
        return False
    try:
        return bool(expected == got)
    except (RuntimeError, ValueError):  # many numbers where one was expected
        return False


def told_apart(expected: Any, got: Any, tolerance: float) -> tuple[str, str]:
    """Describe both in a few words that differ, even if the values look alike."""
    texts = describe(expected), describe(got)
    if texts[0] != texts[1]:
        return texts
    if _numeric(expected) and _numeric(got) and expected.shape == got.shape:
        return _at_one_place(expected, got, tolerance)
    if type(expected) is type(got):
        return repr(expected), repr(got)
    return f"{texts[0]} ({type(expected).__name__})", f"{texts[1]} ({type(got).__name__})"


def first_difference(expected: Any, got: Any, tolerance: float) -> str:
    """Which element of two tensors or rows differs first, as a sentence; "" if none does."""
    if isinstance(expected, list | tuple) and isinstance(got, list | tuple):
        places = [i for i, (a, b) in enumerate(zip(expected, got, strict=False)) if a != b]
        return _differing(places[:1], expected[places[0]], got[places[0]]) if places else ""
    if not (_numeric(expected) and _numeric(got) and expected.shape == got.shape):
        return ""
    place = _first_place(expected, got, tolerance)
    if not place:  # equal, or a single number, which the verdict shows anyway
        return ""
    return _differing(place, expected.detach()[tuple(place)], got.detach()[tuple(place)])


def _differing(place: list[int], expected: Any, got: Any) -> str:
    values = [describe(value) for value in (expected, got)]
    return f"The first element that differs is {place}: expected {values[0]}, got {values[1]}."


def _first_place(expected: Tensor, got: Tensor, tolerance: float) -> list[int] | None:
    """Where two tensors of one shape differ first; None if they nowhere do."""
    wanted, found = expected.detach().double(), got.detach().double()
    close = torch.isclose(wanted, found, rtol=1e-4, atol=tolerance, equal_nan=True)
    return None if close.all() else (~close).nonzero()[0].tolist()


def _numeric(value: Any) -> TypeGuard[Tensor]:
    return isinstance(value, Tensor) and value.numel() > 0


def _at_one_place(expected: Tensor, got: Tensor, tolerance: float) -> tuple[str, str]:
    """Describe two tensors of one shape and mean by the first place where they differ."""
    one_kind = expected.dtype.is_floating_point == got.dtype.is_floating_point
    place = _first_place(expected, got, tolerance) if one_kind else None
    if place is None:
        return f"{describe(expected)}, {expected.dtype}", f"{describe(got)}, {got.dtype}"
    there = f"; at {place}" if place else ""
    first, second = (
        f"{describe(value)}{there}: {value.detach()[tuple(place)].item():.7g}"
        for value in (expected, got)
    )
    return first, second


def describe(value: Any) -> str:
    """Describe a value in a few words: a small tensor whole, a large one by its shape."""
    if value is None:
        return "nothing (None)"
    if isinstance(value, Finding):
        return str(value)
    if isinstance(value, Exception):
        return f"{type(value).__name__}: {_text_of(value)}"
    if not isinstance(value, Tensor):
        return f"{value:.4g}" if isinstance(value, float) else repr(value)
    value = value.detach()
    if value.numel() == 1:
        return f"{value.item():.4g}"
    if 0 < value.numel() <= 8:
        return ", ".join(f"{v:.4g}" for v in value.flatten().tolist())
    mean = f", mean {value.float().mean():.4g}" if value.numel() else ""
    return f"shape {tuple(value.shape)}{mean}"


def _text_of(error: Exception) -> str:
    """The text of an error, or the function that raised it if it has no text."""
    return str(error) or "".join(f"in {code.co_name}" for code in _raised_by(error))


def _raised_by(error: Exception) -> list[CodeType]:
    """The code that raised it, if any did."""
    return [frame.f_code for frame, _ in walk_tb(error.__traceback__)][-1:]


def _result(answer: Answer, arguments: tuple[Any, ...]) -> Any:
    """What the answer returns; its exception counts as a result to show."""
    given, usual = _copied(arguments), torch_settings()
    before = traces_of(given)
    try:
        with time_limit(SECONDS):
            result = answer(*given)
    except NotImplementedError as error:
        return None if is_placeholder(error) else error
    except Exception as error:  # whatever a learner's draft may raise
        return error
    except SystemExit:
        return Finding("sys.exit()", "The function ends the whole program.")
    except TimeIsUp:
        return Finding(NO_RESULT, "It was stopped: is there a loop that never ends?")
    finally:
        changed = restore(usual)
    if result is None:
        return None
    return _trace_left(before, traces_of(given), changed, result) or result


def is_placeholder(error: NotImplementedError) -> bool:
    """Whether it is the bare one of a function that is not written yet.

    Torch raises the same kind with a message, for bytes that have no mean.
    """
    files = (Path(code.co_filename) for code in _raised_by(error))
    return not error.args and not any(file.is_relative_to(PACKAGES) for file in files)


PACKAGES = Path(torch.__file__).parents[1]


def _trace_left(
    before: Traces, after: Traces, changed: list[str], result: Any
) -> Finding | None:
    """What an answer has changed besides returning its result."""
    paths = [path for path in {**before, **after} if before.get(path) != after.get(path)]
    flags = [path for path in paths if _is_flag(path, before, after)]
    if set(paths) - set(flags):
        return Finding.changed_input()
    left = [path.split(".", 2)[-1] for path in flags] + changed  # without the argument's number
    return Finding.left_behind(f"{left[0]} is not as it was", result) if left else None


def _is_flag(path: str, before: Traces, after: Traces) -> bool:
    return path.endswith((".grad", ".hooks")) or all(
        isinstance(traces.get(path), bool | str) for traces in (before, after)
    )


def _recognize(
    got: Any,
    arguments: tuple[Any, ...],
    mistakes: Iterable[tuple[str, Answer]],
    tolerance: float,
) -> str:
    """The hint of a finding, or of the mistake with the same result; "" if there is none."""
    if got is None:
        return RETURNS_NOTHING
    if isinstance(got, Finding):
        return got.hint
    for hint, mistake in mistakes:
        wrong = _result(mistake, arguments)
        failed = isinstance(wrong, Exception) or isinstance(got, Exception)
        if _alike(wrong, got) if failed else same(wrong, got, tolerance):
            return hint
    return ""


def _alike(one: Any, other: Any) -> bool:
    """Whether both are the same error, but for the numbers in its text."""
    return type(one) is type(other) and _words(one) == _words(other)


def _words(error: Exception) -> str:
    return re.sub(r"[\d.]+", "#", str(error))


def _copied(arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    """An answer may change its arguments in place; the next call must not see it."""
    return tuple(_copy(argument) for argument in arguments)


def _copy(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.clone()
    if isinstance(value, dict):
        return {name: _copy(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_copy(one) for one in value]
    return deepcopy(value) if isinstance(value, nn.Module) else value


def without_calling(answer: Answer | None, *names: str) -> Answer | None:
    """Refuse an answer that calls one of these functions, by whatever name.

    Args:
        answer: a function; None stays None.
        names: as for ``calls_noted``.
    """
    if not callable(answer):
        return answer

    def watched(*arguments: Any) -> Any:
        with calls_noted({*names}) as called:
            result = answer(*arguments)
        if called:
            text = f"the function calls {min(called)}"
            raise Finding(text, "It calls what the exercise forbids.")
        return result

    return watched


def as_number(value: Any) -> float | None:
    """A number of Python or NumPy, or a tensor with one element, as a float."""
    if isinstance(value, Tensor) and value.numel() == 1:
        return float(value)
    plain = isinstance(value, Real) and not isinstance(value, bool)
    return float(value) if plain else None
