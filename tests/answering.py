"""Tests made of answers to an exercise: which ones its check takes, and which it refuses."""

import inspect
import re
import sys
from collections.abc import Callable
from textwrap import dedent
from typing import Any

import pytest
import torch

Check = Callable[..., Any]
SHOWN = ("case", "hint", "got")


def takes(check: Check, *answers: Any, of: Any = None) -> Callable[..., None]:
    """A test that these answers are right; strings are edits of ``of``."""

    @pytest.mark.parametrize("answer", answers)
    def test(answer: Any) -> None:
        verdict = check(_answer(answer, of))
        assert verdict.done, verdict

    return test


def refuses(check: Check, *wrong: Any, of: Any = None, **same: str) -> Callable[..., None]:
    """A test that these answers are wrong, and what a learner is shown.

    Args:
        check: of the exercise.
        wrong: answers, or tables: a part of the case, a part of the hint and a
            pattern of what the check got, without those that ``same`` has, ->
            an answer or several.
        of: the function or class whose edits those answers are that are strings.
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
        refused(check(_answer(answer, of)), **shown)

    return test


def edited(answer: Any, edits: str) -> Any:
    """A function or class with changes in its source: ``"old -> new; old -> new"``."""
    source = dedent(inspect.getsource(answer))
    for old, new in (edit.split(" -> ") for edit in edits.split("; ")):
        assert old in source, f"no {old!r} to edit in\n{source}"
        source = source.replace(old, new)
    names = {"torch": torch, **vars(sys.modules[answer.__module__])}
    exec(source, names)
    return names[answer.__name__]


def _answer(answer: Any, of: Any) -> Any:
    return edited(of, answer) if isinstance(answer, str) else answer


def first(change: Callable[..., Any], answer: Callable[..., Any]) -> Callable[..., Any]:
    """An answer that changes something, and then gives what ``answer`` gives."""
    return lambda *given: (change(*given), answer(*given))[1]


def last(answer: Callable[..., Any], change: Callable[..., Any]) -> Callable[..., Any]:
    """An answer that gives what ``answer`` gives, and changes something behind it."""
    return lambda *given: (answer(*given), change(*given))[0]


def _row(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


def _name(answer: Any) -> str:
    return (
        answer
        if isinstance(answer, str)
        else getattr(answer, "__name__", type(answer).__name__)
    )


def refused(verdict: Any, *, case: str = "", hint: str = "", got: str = "") -> None:
    """Not done, for this reason."""
    assert not verdict.done
    assert all((verdict.expected, verdict.got, verdict.hint)), verdict
    assert case in verdict.case, verdict
    assert "NameError" not in verdict.got, verdict
    assert hint in verdict.hint, verdict
    assert re.search(got, verdict.got), verdict
