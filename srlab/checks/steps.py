"""Help with an exercise in steps: a nudge, a hint, the solution; none before an attempt."""

import ast
import html
import inspect
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import wraps
from hashlib import sha256
from inspect import CO_VARARGS, CO_VARKEYWORDS
from textwrap import dedent
from types import CodeType, FunctionType, MethodType
from typing import Any

import torch
from torch import nn

from srlab.checks.core import NO_RESULT, RETURNS_NOTHING, Answer, Row, Verdict
from srlab.checks.traces import usual_settings
from srlab.course.syllabus import Exercise, Lesson, find_exercise
from srlab.learner.progress import Tried, note_attempt, read_progress

Check = Callable[[Answer | None], Verdict]

BEGIN = "Write your own answer, run its cell, then this one again. Help comes after a try."
NEXT = ("the nudge", "the hint", "what went wrong", "where the solution is")
UNFINISHED = "There is still a ... in it. Write your lines in its place, then check again."


def in_steps(*, starter: str = "", tells: bool = True) -> Callable[[Check], Check]:
    """Decorate a ``check_`` function: it remembers attempts, and helps in steps.

    A wrong answer earns the next step: a nudge, a hint, then what went wrong (the
    mistake by its name if it is a known one, else where the values first
    differ), then where the solution is. The same wrong answer earns nothing
    again. What the lesson gives to begin with is no attempt.

    Args:
        starter: what the lesson gives, as source; an empty function if "".
        tells: whether it is said what the starter returns, not left to be found out.
    """

    def decorate(check: Check) -> Check:
        lesson, exercise = find_exercise(check.__name__.removeprefix("check_"))
        given = _made(starter) if starter else None

        @wraps(check)
        def checked(answer: Answer | None) -> Verdict:
            with usual_settings():
                verdict = check(_empty if is_placeholder(answer) else answer)
            if not verdict.done and not verdict.known:
                verdict = replace(verdict, hint=exercise.hint)
            if not callable(answer) or not is_begun(answer, given):
                if not tells and not is_placeholder(answer):
                    verdict = replace(verdict, expected="", got="")
                return replace(verdict, help=(("begin", BEGIN),))
            if not verdict.done and has_blanks(answer):
                return replace(verdict, help=(("begin", UNFINISHED),))
            mark = _mark(answer, verdict)
            tried, note = note_attempt(
                lesson.key(exercise), done=verdict.done, fingerprint=mark
            )
            steps = earned(lesson, exercise, tried, seen=verdict)
            return replace(verdict, help=steps, note=note)

        return checked

    return decorate


STOPPED = (
    "The function stopped with an error: the row got shows what it says. Which of your "
    "lines raises it? Print the shapes and types just before."
)

TOO_LATE = (
    "Run this cell once more: a first call may have to load parts of torch. If it comes "
    "again, look for a loop that never ends."
)
NO_RETURN = "Nothing comes back from your lines. Is there a return, and is it always reached?"


def earned(
    lesson: Lesson, exercise: Exercise, tried: Tried, *, seen: Verdict | None = None
) -> tuple[Row, ...]:
    """The steps of help that were earned, and how to earn the next one.

    Args:
        lesson, exercise: whose words they are.
        tried: how often, and what it earned.
        seen: what the check found; None if nothing is checked right now.
    """
    solution = f"It is {lesson.solution(exercise)}. Read it, close it, and write your own."
    steps = (
        ("nudge", _nudge(exercise, seen)),
        ("hint", exercise.hint),
        _what_went_wrong(seen),
        ("solution", solution),
    )
    more = [("next", f"Change something and check again: {step} comes.") for step in NEXT]
    return steps[: tried.hints] + tuple(more[tried.hints : tried.hints + 1])


def _nudge(exercise: Exercise, seen: Verdict | None) -> str:
    """Where to look first: after an error or without a result, elsewhere than usual."""
    if seen and seen.hint == RETURNS_NOTHING:
        return NO_RETURN
    if seen and seen.failed:
        return STOPPED
    if seen and seen.got == NO_RESULT:
        return TOO_LATE
    return exercise.nudge_at(seen.case if seen else "")


def _what_went_wrong(seen: Verdict | None) -> Row:
    """The mistake by its name, if it has one; else the first place that differs."""
    if seen is None:
        return "mistake", "Run the check again: it says what went wrong."
    if seen.known:
        return "mistake", seen.hint
    return "mistake", seen.differs or "None that we know. The rows above say what came out."


@dataclass(frozen=True, repr=False)
class Help:
    """The help that was earned for one exercise."""

    rows: tuple[Row, ...]

    def __repr__(self) -> str:
        return "\n".join(f"{name:9}{text}" for name, text in self.rows)

    def _repr_html_(self) -> str:
        rows = (f"<p><b>{name}</b> {html.escape(text)}</p>" for name, text in self.rows)
        return f"<div>{''.join(rows)}</div>"


def hint(check: Check) -> Help:
    """Show the help for an exercise once more, as far as it was earned.

    Args:
        check: the exercise's check, such as ``check_icnr``.

    Returns:
        Before the first attempt, the advice to try first.

    Raises:
        TypeError: if ``check`` is no check of an exercise.

    Example:
        >>> from srlab.checks import check_icnr, hint
        >>> hint(check_icnr)  # doctest: +SKIP
        begin    Try first: ...
    """
    name = getattr(check, "__name__", "")
    if not name.startswith("check_"):
        raise TypeError(f"hint takes a check, such as check_icnr, but got {check!r}.")
    lesson, exercise = find_exercise(name.removeprefix("check_"))
    progress, note = read_progress()
    tried = progress.exercises.get(lesson.key(exercise), Tried())
    if tried.hints:
        rows = earned(lesson, exercise, tried)
    else:
        rows = (("begin", f"Try first: write an answer and run its check, {name}."),)
    return Help((*rows, *((("note", note),) if note else ())))


def is_begun(answer: Answer, starter: Answer | None = None) -> bool:
    """Whether an answer says more than what the lesson gives to begin with."""
    code = _code_of(answer)
    given = [_code_of(one) for one in (*PLACEHOLDERS, starter) if one]
    return code is None or code not in given


def has_blanks(answer: Answer) -> bool:
    """Whether a line of nothing but ``...`` still stands in a function or class.

    Without its source, as in a plain console, nobody can tell: False.
    """
    parts = vars(answer).values() if isinstance(answer, type) else [answer]
    return any(_has_blank(part) for part in parts if isinstance(part, FunctionType))


def _has_blank(function: FunctionType) -> bool:
    with suppress(OSError, SyntaxError, TypeError):
        tree = ast.parse(dedent(inspect.getsource(function)))
        return any(
            isinstance(node, ast.Expr) and _is_dots(node.value) for node in ast.walk(tree)
        )
    return False


def _is_dots(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is ...


def _made(source: str) -> Answer:
    """What a notebook's cell with this source would define: its bytecode is the same."""
    space: dict[str, Any] = {"torch": torch, "nn": nn}
    before = set(space)
    exec(source, space)
    (name,) = space.keys() - before - {"__builtins__"}
    made: Answer = space[name]
    return made


def is_placeholder(answer: Answer | None) -> bool:
    """Whether it is a function of nothing but ``...``, ``raise NotImplementedError``."""
    return callable(answer) and not is_begun(answer)


def _empty(*_: Any, **__: Any) -> None: ...


def _empty_with_words() -> None:
    """With a docstring, Python counts its constants otherwise."""


def _raises() -> None:
    raise NotImplementedError


def _raises_one() -> None:
    raise NotImplementedError()


def _gives_dots() -> Any:
    return ...


def _not_implemented() -> Any:
    return NotImplemented


PLACEHOLDERS = (
    _empty, _empty_with_words, _raises, _raises_one, _gives_dots, _not_implemented,
)  # fmt: skip


def _mark(answer: Answer, verdict: Verdict) -> str:
    """A fingerprint of an answer and of what it returned; "" if it has no code to read."""
    code = _code_of(answer)
    if code is None:
        return ""
    attempt = repr((code, verdict.case, verdict.got))
    return sha256(attempt.encode()).hexdigest()[:16]


def _code_of(answer: Any) -> Any:
    """What a function, or a class with its methods, does; None for any other object."""
    if isinstance(answer, MethodType):
        answer = answer.__func__
    if isinstance(answer, FunctionType):
        return _plain(answer.__code__, answer.__doc__)
    if isinstance(answer, type):
        methods = {n: f for n, f in vars(answer).items() if isinstance(f, FunctionType)}
        return sorted((name, _code_of(method)) for name, method in methods.items())
    return None


def _plain(code: CodeType, doc: str | None = None) -> Any:
    """What code does, without its place, its docstring and the names of its arguments."""
    constants = [
        _plain(value) if isinstance(value, CodeType) else repr(value)
        for value in code.co_consts
        if doc is None or value != doc
    ]
    # An empty body may or may not hold None among its constants.
    constants = [value for value in constants if value != "None"]
    arguments = code.co_argcount + code.co_kwonlyargcount
    arguments += bool(code.co_flags & CO_VARARGS) + bool(code.co_flags & CO_VARKEYWORDS)
    return code.co_code.hex(), constants, code.co_names, code.co_varnames[arguments:]
