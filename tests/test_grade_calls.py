"""An answer behind a socket is judged as one that stands beside the check.

The oracle is the check itself: called with each known mistake, and with the
same mistake at the other end.
"""

import importlib
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
import torch

import srlab
from srlab import checks
from srlab.checks.core import each_mistake
from srlab.course.syllabus import Build, find_exercise
from srlab.grader.checker import _errors, one_line
from srlab.grader.modules import recipe
from srlab.grader.peer import Peer
from srlab.grader.sandbox import hide_checks
from srlab.grader.wire import SIZES, Broken, Channel
from tests import test_checks_02, test_checks_03, test_checks_05
from tests.answering import edited
from tests.test_checks import CHECKS as EVERY
from tests.test_checks import handed_to_judge

# What is handed in; a build is checked in the lesson alone.
CHECKS = [
    check
    for check in EVERY
    if not isinstance(find_exercise(check.__name__.removeprefix("check_"))[1], Build)
]


def mistakes(check: Callable[..., Any]) -> list[Any]:
    """All wrong answers that a check knows."""
    stored = (given.get("mistakes", {}) for given in handed_to_judge(check))
    return [answer for table in stored for _, answer in each_mistake(table)]


@contextmanager
def across(
    serve: Callable[[Channel], None], errors: dict[str, type[Exception]]
) -> Iterator[Callable[..., Any]]:
    """What a thread serves at the other end of a socket, to be called."""
    here, there = socket.socketpair()
    here.settimeout(20)

    def work() -> None:
        with suppress(Broken, OSError):
            serve(Channel(there))

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    peer = Peer(Channel(here), inside=False, errors=errors)
    yield lambda *arguments, **named: peer.call(0, arguments, named)
    here.close()
    thread.join()
    there.close()


@contextmanager
def outside(answer: Any, check: Any) -> Iterator[Callable[..., Any]]:
    """The answer, called through a socket."""

    def serve(channel: Channel) -> None:
        inner = Peer(channel, inside=True)
        inner.functions.append(answer)
        inner.serve()

    with across(serve, _errors(check)) as called:
        yield called


# Answers that are refused for something else than their value.
FOUND: dict[Callable[..., Any], list[Any]] = {
    checks.check_features: [
        edited(test_checks_02.watches, "handle.remove() -> pass"),
        edited(test_checks_02.watches, test_checks_02.only_on_success),
        edited(test_checks_02.watches, "in handles -> in network.modules(); "
               "remove() -> _forward_hooks.clear()"),
        edited(test_checks_02.watches, "partial(keeps, features, name) -> "
               "lambda *given: keeps(features, name, *given)"),
        lambda network, layers, images: {
            name: test_checks_02.watches(network, {name: layer}, images)[name]
            for name, layer in layers.items()
        },
        test_checks_02.goes_from_layer_to_layer,
        lambda *given: [*test_checks_02.watches(*given).values()],
    ],
    checks.check_named_weights: [
        edited(test_checks_02.named, ".items()) -> .items()).item()"),
        edited(test_checks_02.named, "seen[n] - -> seen[n].detach() -"),
        edited(test_checks_02.named, ".mean() -> .mean((1, 2, 3))"),
    ],
    checks.check_learned_block: [
        edited(test_checks_03.Draft, "strength * -> strength.item() *"),
        edited(test_checks_03.Draft, "self.conv2 -> self.conv3"),
        lambda num_features: lambda x: x * num_features,
    ],
    checks.check_shares: [test_checks_05.leaves_out_what_is_off, test_checks_05.gives_a_list],
}  # fmt: skip


def hides_the_error(network: Any, layers: Any, images: torch.Tensor) -> Any:
    """As a learner writes it, who has no name for the network's error."""
    with suppress(Exception):
        return test_checks_02.watches(network, layers, images)
    return {}


def test_every_check_knows_mistakes() -> None:
    counts = [len(mistakes(check)) for check in CHECKS]
    assert min(counts) > 0
    assert sum(counts) > 250


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_known_mistakes_get_the_same_verdict_from_afar(check: Any) -> None:
    for answer in mistakes(check) + FOUND.get(check, []):
        local = check.__wrapped__(answer)
        with outside(answer, check) as answer:
            afar = check.__wrapped__(answer)
        assert not afar.done
        assert afar.case == local.case, local.hint
        # What pydantic says cannot be said again in its own kind of error.
        assert afar.hint == local.hint or "ValidationError" in afar.got, local.hint


def test_the_networks_error_is_known_from_afar() -> None:
    with outside(hides_the_error, checks.check_features) as answer:
        verdict = checks.check_features.__wrapped__(answer)
    assert verdict.hint.startswith("The network's error was caught")


class Finding(Exception):  # noqa: N818 - named as the checks' own
    """An answer's own error under the name of what only a check may raise."""

    hint = "Done."
    result = 1.0


def test_a_finding_is_the_checkers_alone() -> None:
    def finds(*_: Any) -> None:
        raise Finding("all is well")

    for check in CHECKS:
        assert "Finding" not in _errors(check)
        with outside(finds, check) as answer:
            verdict = check.__wrapped__(answer)
        assert not verdict.done
        assert verdict.got == "Finding: all is well"
        assert not verdict.known, "as any unknown error"


def test_a_reason_is_one_short_line() -> None:
    assert one_line("a\n\033[2J\rb") == "a [2J b"
    assert one_line("x" * 300) == "x" * 300
    assert one_line("x" * 301) == "x" * 297 + "..."


def test_a_sandbox_has_checks_that_do_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "srlab.checks", checks)
    monkeypatch.setattr(srlab, "checks", checks)
    hide_checks()
    hidden = importlib.import_module("srlab.checks")
    assert hidden.check_icnr(1, answer=2) is None
    with pytest.raises(ModuleNotFoundError, match="is not a package"):
        importlib.import_module("srlab.checks.hidden")


def test_a_sandbox_learns_no_name_of_the_checks_own_findings() -> None:
    network = checks.lesson02._Network("failing")
    assert recipe(network, {})["errors"] == ["Fails"]


# -- what the other end may say -------------------------------------------------------


@contextmanager
def lying(reply: Any) -> Iterator[Callable[..., Any]]:
    """An answer whose process gives this reply to each call."""

    def serve(channel: Channel) -> None:
        while True:
            channel.receive()
            if isinstance(reply, bytes):
                channel._end.sendall(reply)
            else:
                channel.send({"do": "reply", **reply})

    with across(serve, {}) as called:
        yield called


PLAIN = {"slopes": [], "after": [], "graph": 0}
ENDLESS = {"outside": {"convs": {"a": {}}}, "run": 0, "state": {}}
LIES = {
    "no reply at all": {},
    "a list instead of a value": {**PLAIN, "result": [1]},
    "a tensor that is not there": {**PLAIN, "result": {"tensor": "t9"}},
    "a function of its own": {**PLAIN, "result": {"function": 0}},
    "a class with its source": {**PLAIN, "result": {"module": {"source": "1/0"}}},
    "a card of another kind": {**PLAIN, "result": {"card": "Path", "json": "1"}},
    "a module that never was": {**PLAIN, "result": {"given": 5}},
    "a convolution without an end": {**PLAIN, "result": ENDLESS},
    "a slope of something else": {**PLAIN, "result": 1, "slopes": ["t7"]},
    "an argument that was a number": {**PLAIN, "result": 1, "after": [{"tensor": 1}]},
    "words": b"HTTP/1.1 200 OK\r\n\r\n",
    "a length without an end": SIZES.pack(2**32 - 1, 2**32 - 1),
    "JSON that never ends": SIZES.pack(40_000, 0) + b"[" * 40_000,
    "a number of many digits": SIZES.pack(9_000, 0) + b"1" * 9_000,
    "numbers that are none": SIZES.pack(2, 64) + b"{}" + b"\xff" * 64,
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES.keys())
def test_nonsense_ends_the_check_and_nothing_else(lie: Any) -> None:
    with lying(lie) as answer, pytest.raises(Broken, match=r"something else|32 MiB"):
        checks.check_charbonnier.__wrapped__(answer)


def test_an_answers_values_have_plain_types_only() -> None:
    class Equal(float):
        def __eq__(self, other: object) -> bool:
            return True

        __hash__ = float.__hash__

    class Same(torch.Tensor):
        @classmethod
        def __torch_function__(cls, *_: Any, **__: Any) -> Any:
            return True

    for check, value in (
        (checks.check_variance, Equal(3)),
        (checks.check_shuffle, torch.zeros(3).as_subclass(Same)),
    ):
        with outside(lambda *_, v=value: v, check) as answer:
            assert not check.__wrapped__(answer).done


def test_a_gradient_goes_both_ways() -> None:
    def answer(terms: dict[str, Any], x: torch.Tensor) -> torch.Tensor:
        x = x.detach().requires_grad_()
        (slope,) = torch.autograd.grad(terms["square"](x), x)
        return slope

    with outside(answer, checks.check_shares) as asked:
        x = torch.tensor([1.0, 2.0])
        assert asked({"square": lambda x: x.square().sum()}, x).tolist() == [2.0, 4.0]
    with outside(lambda x, f: 3 * f(x), checks.check_shares) as asked:
        x = torch.tensor([1.0, 2.0], requires_grad=True)
        (slope,) = torch.autograd.grad(asked(x, lambda x: x**2).sum(), x)
        assert slope.tolist() == [6.0, 12.0]
