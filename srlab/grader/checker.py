"""The check's process: clean, and it gets of an answer nothing but values."""

import importlib
import json
import os
from typing import Any

from srlab.grader import modules
from srlab.grader.peer import Peer, printable
from srlab.grader.wire import UNREADABLE, Broken, Channel

LONGEST = 300  # letters of a reason

Found = dict[str, Any]
"""``verdict``: done, not yet or error; ``reason`` on one line; ``details``."""


def judge_answer(channel: Channel, check: str, name: str, result: int) -> None:
    """Run a check, such as ``"check_icnr"``, on the answer ``name`` at the other end.

    What was found is written to the descriptor ``result``, as JSON.
    """
    try:
        found = _judged(channel, check, name)
    except Broken as error:
        found = error_found(str(error))
    os.write(result, json.dumps(found).encode())


def error_found(reason: str) -> Found:
    return {"verdict": "error", "reason": one_line(reason), "details": []}


def one_line(text: str) -> str:
    line = " ".join(printable(text).split())
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 3]}..."


def _judged(channel: Channel, check: str, name: str) -> Found:
    # The check itself, which remembers no attempt.
    function = getattr(importlib.import_module("srlab.checks"), check).__wrapped__
    ready, _ = channel.receive()
    if ready.get("do") != "ready":
        raise Broken(UNREADABLE)
    trouble = one_line(str(ready.get("trouble", "")))
    if not ready.get("found"):
        missing = {"verdict": "not yet", "reason": f"there is no {name}", "details": []}
        return error_found(trouble) if trouble else missing
    peer = Peer(channel, inside=False, errors=_errors(function))

    def answer(*arguments: Any, **named: Any) -> Any:
        return peer.call(0, arguments, named)

    return _told(function(answer), trouble)


def _errors(check: Any) -> dict[str, type[Exception]]:
    """The errors that a lesson's own networks raise, which its check tells apart."""
    found = modules.own_errors(importlib.import_module(check.__module__))
    return {error.__name__: error for error in found}


def _told(verdict: Any, trouble: str) -> Found:
    """The verdict; what went wrong in the answer's cells is part of the reason."""
    rows = [(word, getattr(verdict, word)) for word in ("case", "expected", "got", "hint")]
    details = [[word, one_line(text)] for word, text in rows if text]
    if verdict.done is True:
        return {"verdict": "done", "reason": "", "details": []}
    told = f"{verdict.case}: expected {verdict.expected}, got {verdict.got}"
    reason = told if verdict.case else verdict.hint
    if trouble:
        details.append(["cell", trouble])
        reason = f"{trouble}; {reason}"
    return {"verdict": "not yet", "reason": one_line(reason), "details": details}
