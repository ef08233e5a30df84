"""What holds for every check: whatever ignores the question is refused, with a reason.

What is particular to a lesson's checks stands in test_checks_0N.py.
"""

import math

import pytest
import torch

from srlab import checks
from srlab.checks import check_byte_psnr

CHECKS = [getattr(checks, name) for name in checks.__all__ if name.startswith("check_")]


def zero(*_, **__):
    return 0.0


def one(*_, **__):
    return 1.0


def infinite(*_, **__):
    return math.inf


def not_a_number(*_, **__):
    return math.nan


def a_word(*_, **__):
    return "log2"


def nothing_at_all(*_, **__):
    return []


def all_zero(first, *_, **__):
    return torch.zeros_like(first) if isinstance(first, torch.Tensor) else [0]


def gives_back_the_first(first, *_, **__):
    return first


def divides_by_zero(*_, **__):
    return 1 / 0


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize(
    "answer",
    [
        zero, one, infinite, not_a_number, a_word, nothing_at_all, all_zero,
        gives_back_the_first,
    ],
)  # fmt: skip
def test_answers_that_ignore_the_question(check, answer):
    verdict = check(answer)
    assert not verdict.done
    assert verdict.hint


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("answer", [None, 3])
def test_not_begun(check, answer):
    verdict = check(answer)
    assert not verdict.done
    assert verdict.hint.startswith("Write the function first.")


@pytest.mark.parametrize("check", CHECKS)
def test_nothing_returned(check):
    verdict = check(lambda *_, **__: None)
    assert not verdict.done
    assert verdict.got == "nothing (None)"
    assert verdict.hint.startswith("Return it.")


@pytest.mark.parametrize("check", CHECKS)
def test_answer_that_raises(check):
    verdict = check(divides_by_zero)
    assert not verdict.done
    assert verdict.got == "ZeroDivisionError: division by zero"


def test_a_verdict_shows_case_expected_got_and_hint():
    def subtracts_bytes(sr, hr):
        return (10 * torch.log10(255**2 / (sr - hr).float().square().mean())).item()

    text = repr(check_byte_psnr(subtracts_bytes))
    assert text.startswith("Not yet.\n  case     every value 5 too dark\n  expected 34.15\n")
    assert "\n  got      " in text
    assert "\n  mistake  uint8 wraps round" in text
    assert text.endswith("check again: the hint comes.")
