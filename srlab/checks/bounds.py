"""What an answer may not do: run forever, or call what it should build itself."""

import ctypes
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread, get_ident
from types import FrameType
from typing import Any

from torch.overrides import TorchFunctionMode

from srlab.files import PACKAGE

SECONDS = 10.0  # for one call; right answers take thousandths, a first import perhaps seconds


class TimeIsUp(BaseException):
    """No Exception, so that no ``except Exception`` in an endless loop swallows it."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise ``TimeIsUp`` in this thread if the block takes longer.

    Between two steps of Python only: a single call into C runs to its end.
    """
    done = Event()
    thread = Thread(target=_stop, args=(get_ident(), done, seconds), daemon=True)
    thread.start()
    try:
        yield
    finally:
        while not done.is_set():
            with suppress(TimeIsUp):  # it may come just here
                done.set()
        with suppress(TimeIsUp):  # one that came too late for the block
            thread.join()
            _let_it_come()


def _stop(thread: int, done: Event, seconds: float) -> None:
    """Raise ``TimeIsUp`` in a thread until it is done: a bare ``except`` may swallow some."""
    while not done.wait(seconds):
        _raise_in(thread, TimeIsUp)
        seconds = 0.1


def _raise_in(thread: int, kind: type[BaseException]) -> None:
    raised = ctypes.py_object(kind)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), raised)


def _let_it_come() -> None:
    """Let a pending ``TimeIsUp`` be raised; to take it back would hang Python 3.11."""
    for _ in range(100):
        pass


@contextmanager
def calls_noted(names: set[str]) -> Iterator[set[str]]:
    """Note which of these are called, by whatever name and from wherever.

    A learner's own function of the same name is none of them.

    Args:
        names: of srlab's functions, qualified, as ``"icnr_"`` or
            ``"Protocol.apply"``; of torch's the bare name, as ``"pixel_shuffle"``.
    """
    found: set[str] = set()
    with _profiled(_noting(names, found)), _TorchCalls(names, found):
        yield found


def _noting(names: set[str], found: set[str]) -> Callable[[FrameType, str, Any], None]:
    def note(frame: FrameType, event: str, _argument: Any) -> None:
        code = frame.f_code
        ours = event == "call" and code.co_filename.startswith(str(PACKAGE))
        if ours and code.co_qualname in names:
            found.add(code.co_qualname)

    return note


@contextmanager
def _profiled(profile: Callable[[FrameType, str, Any], None]) -> Iterator[None]:
    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        yield
    finally:
        sys.setprofile(before)


class _TorchCalls(TorchFunctionMode):
    """Every call of a function of torch, also by an alias, a module or ``torch.ops``."""

    def __init__(self, names: set[str], found: set[str]):
        super().__init__()
        self.names, self.found = names, found

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        name = getattr(func, "__name__", "").partition(".")[0]  # pixel_shuffle.default
        self.found |= {name} & self.names
        return func(*args, **(kwargs or {}))
