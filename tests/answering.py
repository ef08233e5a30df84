"""Tests made of answers to an exercise: which ones its check takes, and which it refuses."""

import re
from collections.abc import Callable
from typing import Any

import pytest

Check = Callable[..., Any]
SHOWN = ("case", "hint", "got")


def takes(check: Check, *answers: Any) -> Callable[..., None]:
    """A test that these answers are right."""

    @pytest.mark.parametrize("answer", answers)
    def test(answer: Any) -> None:
        verdict = check(answer)
        assert verdict.done, verdict

    return test


def refuses(check: Check, *wrong: Any, **same: str) -> Callable[..., None]:
    """A test that these answers are wrong, and what a learner is shown.

    Args:
        check: of the exercise.
        wrong: answers, or tables: a part of the case, a part of the hint and a
            pattern of what the check got, without those that ``same`` has, ->
            an answer or several.
        same: what is equal for all answers, by name.
    """
    own = [name for name in SHOWN if name not in same]
    tables = [one if isinstance(one, dict) else {(): one} for one in wrong]
    told = [
        (answer, same | dict(zip(own, _row(key), strict=False)))
        for table in tables
        for key, answers in table.items()
        for answer in _row(answers)
    ]
    ids = [f"{_name(answer)}: {'; '.join(shown.values())}" for answer, shown in told]

    @pytest.mark.parametrize(("answer", "shown"), told, ids=ids)
    def test(answer: Any, shown: dict[str, str]) -> None:
        refused(check(answer), **shown)

    return test


def first(change: Callable[..., Any], answer: Callable[..., Any]) -> Callable[..., Any]:
    """An answer that changes something, and then gives what ``answer`` gives."""
    return lambda *given: (change(*given), answer(*given))[1]


def last(answer: Callable[..., Any], change: Callable[..., Any]) -> Callable[..., Any]:
    """An answer that gives what ``answer`` gives, and changes something behind it."""
    return lambda *given: (answer(*given), change(*given))[0]


def _row(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


def _name(answer: Any) -> str:
    return getattr(answer, "__name__", type(answer).__name__)


def refused(verdict: Any, *, case: str = "", hint: str = "", got: str = "") -> None:
    """Not done, for this reason."""
    assert not verdict.done
    assert all((verdict.expected, verdict.got, verdict.hint)), verdict
    assert case in verdict.case, verdict
    assert hint in verdict.hint, verdict
    assert re.search(got, verdict.got), verdict
