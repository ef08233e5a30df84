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


def refuses(check: Check, *rows: Any, **same: str) -> Callable[..., None]:
    """A test that these answers are wrong, and what a learner is shown.

    Args:
        check: of the exercise.
        rows: an answer, or an answer with a part of the case, a part of the
            hint and a pattern of what the check got, unless ``same`` has them.
        same: what is equal in all rows, by name.
    """
    own = [name for name in SHOWN if name not in same]
    tuples = [row if isinstance(row, tuple) else (row,) for row in rows]
    told = [(row[0], same | dict(zip(own, row[1:], strict=False))) for row in tuples]
    ids = [f"{_name(answer)}: {'; '.join(shown.values())}" for answer, shown in told]

    @pytest.mark.parametrize(("answer", "shown"), told, ids=ids)
    def test(answer: Any, shown: dict[str, str]) -> None:
        refused(check(answer), **shown)

    return test


def _name(answer: Any) -> str:
    return getattr(answer, "__name__", type(answer).__name__)


def refused(verdict: Any, *, case: str = "", hint: str = "", got: str = "") -> None:
    """Not done, for this reason."""
    assert not verdict.done
    assert all((verdict.expected, verdict.got, verdict.hint)), verdict
    assert case in verdict.case, verdict
    assert hint in verdict.hint, verdict
    assert re.search(got, verdict.got), verdict
