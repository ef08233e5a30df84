"""What holds for every check: whatever ignores the question is refused, with a reason.

What is particular to a lesson's checks stands in test_checks_0N.py.
"""

import math
import random
import sys
import threading
import time
from contextlib import contextmanager, suppress
from functools import partial

import numpy as np
import pytest
import torch

from srlab import checks
from srlab.checks import (
    answers,
    check_byte_psnr,
    check_consistency,
    check_features,
    check_icnr,
    check_reach,
    check_residual_block,
    check_shares,
    check_shuffle,
    check_variance,
    core,
)
from srlab.checks.bounds import time_limit
from srlab.checks.traces import torch_settings
from srlab.course.syllabus import find_exercise
from srlab.data import degrade
from srlab.metrics import psnr
from srlab.models import ResidualBlock

CHECKS = [check for name, check in vars(checks).items() if name.startswith("check_")]


def all_zero(first, *_, **__):
    return torch.zeros_like(first) if isinstance(first, torch.Tensor) else [0]


IGNORING = {
    "zero": lambda *_, **__: 0.0,
    "one": lambda *_, **__: 1.0,
    "infinite": lambda *_, **__: math.inf,
    "not a number": lambda *_, **__: math.nan,
    "a word": lambda *_, **__: "log2",
    "nothing at all": lambda *_, **__: [],
    "all zero": all_zero,
    "the first argument": lambda first, *_, **__: first,
}


def divides_by_zero(*_, **__):
    return 1 / 0


def right_variance(variance, weight, depth):
    return variance * ((1 - weight) ** 2 + weight**2) ** depth


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("answer", IGNORING.values(), ids=IGNORING)
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


def returns_nothing(*_, **__):
    return None


def is_to_be_written(*_, **__):
    raise NotImplementedError


def is_to_be_written_too(*_, **__):
    raise NotImplementedError()


def is_dots(*_, **__):
    return ...


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize(
    "answer", [returns_nothing, is_to_be_written, is_to_be_written_too, is_dots]
)
def test_a_placeholder_is_no_attempt(check, answer):
    verdict = check(answer)
    assert not verdict.done
    assert verdict.got == "nothing (None)"
    assert verdict.hint == "The function returns nothing."
    assert [name for name, _ in verdict.help] == ["begin"]


def asks_for_the_mean_of_bytes(*_, **__):
    return torch.zeros(2, dtype=torch.uint8).mean()


def says_that_it_is_not_written(*_, **__):
    raise NotImplementedError("later")


def calls_what_torch_has_not_written(*_, **__):
    return torch.distributions.Distribution(validate_args=False).rsample()  # no text


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (asks_for_the_mean_of_bytes, "mean(): could not infer output dtype."),
        (says_that_it_is_not_written, "later"),
        (calls_what_torch_has_not_written, "in rsample"),
    ],
)
def test_what_is_not_implemented_elsewhere_is_shown(check, answer, said):
    verdict = check(answer)
    assert verdict.got.startswith(f"NotImplementedError: {said}")
    assert not dict(verdict.help).get("mistake", "").startswith("The function returns nothing")


def forgets_to_return(*given, **_):
    len(given)


@pytest.mark.parametrize("check", CHECKS)
def test_a_forgotten_return_has_a_nudge_of_its_own(check):
    verdict = check(forgets_to_return)
    assert verdict.hint == "The function returns nothing."
    assert dict(verdict.help)["nudge"].startswith("Nothing comes back")


@pytest.mark.parametrize("check", CHECKS)
def test_an_unknown_error_is_shown_with_a_nudge_of_its_own(check):
    verdict = check(divides_by_zero)
    assert not verdict.done
    assert verdict.got == "ZeroDivisionError: division by zero"
    assert dict(verdict.help)["nudge"].startswith("The function stopped with an error")


def test_a_known_error_has_that_nudge_too():
    verdict = check_icnr(lambda conv, _: conv.bias.zero_())
    assert "may have no bias" in verdict.hint
    assert dict(verdict.help)["nudge"].startswith("The function stopped with an error")


def test_a_verdict_shows_case_expected_got_and_hint():
    def subtracts_bytes(sr, hr):
        return (10 * torch.log10(255**2 / (sr - hr).float().square().mean())).item()

    text = repr(check_byte_psnr(subtracts_bytes))
    assert text.startswith("Not yet.\n  case     every value 5 too dark\n  expected 34.15\n")
    assert "\n  got      " in text
    assert "uint8 wraps around" not in text, "first one thinks for oneself"
    assert text.endswith("check again: the hint comes.")


@pytest.mark.parametrize(
    ("expected", "got", "said"),
    [
        (
            torch.zeros(2, 3),
            torch.tensor([[0, 0, 0], [0, 0.5, 0.25]]),
            "[1, 1]: expected 0, got 0.5.",
        ),
        ([128, 12], [128, 3], "[1]: expected 12, got 3."),
        (torch.zeros(3), torch.zeros(3), ""),
        (torch.zeros(3), torch.zeros(2), ""),
        (1.0, 2.0, ""),
        ([1], [1, 2], ""),
    ],
)
def test_the_first_element_that_differs_is_named(expected, got, said):
    text = f"The first element that differs is {said}" if said else ""
    assert core.first_difference(expected, got, 1e-4) == text


def test_the_first_difference_is_told_where_no_mistake_explains():
    for factor in (2, 3, 4):
        verdict = check_shuffle(
            lambda x, f, by=factor: by + torch.zeros(x[:, :: f**2].shape).tile(1, 1, f, f)
        )
    assert dict(verdict.help)["mistake"].startswith("The first element that differs is [0,")


# -- a check leaves everything as it found it, and comes to its end ------------------------


@contextmanager
def in_double_precision():
    torch.set_default_dtype(torch.float64)
    try:
        yield
        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)


@contextmanager
def on_another_device():
    with torch.device("meta"):
        yield
        assert torch.empty(1).device.type == "meta"


def changes_every_setting(*arguments, **_):
    torch.set_default_dtype(torch.float64)
    torch.set_grad_enabled(False)
    torch.set_num_threads(2)
    torch.nn.modules.module.register_module_forward_pre_hook(lambda *_: None)
    torch.manual_seed(3)
    random.seed(3)
    np.random.seed(3)
    return all_zero(*arguments)


def everything_global():
    return (
        torch_settings(), torch.get_rng_state().tolist(), random.getstate(),
        str(np.random.get_state()),
        sys.getprofile(), sys.gettrace(), threading.active_count(),
    )  # fmt: skip


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize(
    "answer", [changes_every_setting, all_zero, divides_by_zero, torch.rand_like, None]
)
def test_the_kernel_stays_as_it_was(check, answer):
    before = everything_global()
    assert not check(answer).done
    assert everything_global() == before


@pytest.mark.parametrize(
    "setting",
    [torch.no_grad, torch.inference_mode, in_double_precision, on_another_device],
)
def test_a_check_does_not_depend_on_what_was_set_before(setting):
    with setting():
        assert check_residual_block(ResidualBlock).done
        assert check_variance(right_variance).done


def never_ends(*_, **__):
    while True:
        pass


def never_ends_and_lets_nothing_through(*_, **__):
    while True:
        with suppress(Exception):
            divides_by_zero()


def calls_itself(*arguments):
    return calls_itself(*arguments)


def gives_up(*_, **__):
    sys.exit("enough")


@pytest.mark.parametrize("answer", [never_ends, never_ends_and_lets_nothing_through])
@pytest.mark.parametrize("check", [check_variance, check_shuffle, check_features])
def test_an_answer_that_never_ends(check, answer, monkeypatch):
    monkeypatch.setattr(core, "SECONDS", 0.2)
    verdict = check(answer)
    assert verdict.got.startswith("no result")
    assert "never ends" in verdict.hint
    assert dict(verdict.help)["nudge"].startswith("Run this cell once more")
    assert check_variance(right_variance).done, "and life goes on"


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("answer", [calls_itself, gives_up])
def test_an_answer_that_would_end_everything(check, answer):
    assert not check(answer).done


def test_a_time_limit_that_is_kept_does_nothing():
    with time_limit(0.05):
        pass
    time.sleep(0.2)


# -- what is shown ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expected", "got"),
    [
        (5, torch.tensor(5)),
        (torch.tensor([1.0, 2.0]), torch.tensor([1.00001, 2.0004])),
        (torch.arange(16.0), torch.arange(16.0).flip(0)),
        (torch.zeros(3, 4), torch.zeros(3, 4, dtype=torch.int64)),
        (torch.tensor(2.0), torch.tensor(2.0004)),
        (34.15, 34.1512),
        ([1], np.array([1])),
        (0.5, "0.5"),
    ],
)
def test_two_that_differ_never_look_alike(expected, got):
    one, other = core.told_apart(expected, got, 1e-4)
    assert one != other


def handed_to_judge(check):
    """What a check hands to ``judge``, call by call."""
    calls = []

    def note(*_, **given):
        calls.append(given)
        return core.Verdict(True)  # so that a second look, if there is one, comes as well

    module = sys.modules[check.__wrapped__.__module__]
    with pytest.MonkeyPatch.context() as patch:
        for place in (module, answers):  # judge_module stands in answers
            patch.setattr(place, "judge", note)
        patch.setattr(answers, "judge_gradient", lambda *_, after, **__: after)
        check.__wrapped__(divides_by_zero)
    return calls


@pytest.mark.parametrize("check", CHECKS)
def test_each_nudge_belongs_to_a_case(check):
    _, exercise = find_exercise(check.__name__.removeprefix("check_"))
    cases = [case for given in handed_to_judge(check) for case in given["cases"]]
    assert cases
    if check is check_shares:
        cases.append("in this order: ")  # put before any case
    for begin, text in exercise.nudges.items():
        assert any(case.startswith(begin) for case in cases), begin
        assert text.endswith((".", "?"))
        assert len(text) < 200


def test_a_nudge_follows_what_was_seen():
    """What is asked for at another scale says nothing to somebody who did not clamp."""
    no_clamp = check_consistency(lambda sr, lr: psnr(degrade(sr, len_ratio(sr, lr)), lr))
    assert "scale" not in repr(no_clamp)
    four = check_consistency(lambda sr, lr: psnr(degrade(sr.clamp(0, 1), 4), lr) + 0 * lr.sum())
    assert four.case == "2 times"
    _, exercise = find_exercise("consistency")
    assert exercise.nudge_at("8 times") != exercise.nudge
    assert exercise.nudge_at("nothing of the kind") == exercise.nudge


def len_ratio(sr, lr):
    return sr.shape[-1] // lr.shape[-1]


def test_a_finding_is_never_the_right_answer():
    """Neither raised nor returned, even if it holds the right result."""

    def finds(*given, raised):
        found = core.Finding("all is well", "None.", result=right_variance(*given))
        if raised:
            raise found
        return found

    for raised in (True, False):
        verdict = check_variance(partial(finds, raised=raised))
        assert not verdict.done
        assert verdict.got == "all is well"


def test_a_wrong_result_is_reported_before_what_was_left_behind():
    def wrong_and_untidy(model, _):
        model.eval()
        return 2 * 5 + 1

    assert "the whole width" in check_reach(wrong_and_untidy).hint
