"""Which functions an answer calls: some checks forbid to call what should be built.

The sandbox tells, the checker repeats it, so that a check sees it as if the
answer stood beside it. Whoever lies here hides a shortcut, and no wrong value.
"""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import FrameType, FunctionType
from typing import Any

from torch.overrides import TorchFunctionMode

from srlab.files import PACKAGE

OWN = str(PACKAGE / "grader")
NAMES_TOLD = 500  # names


@contextmanager
def calls_told() -> Iterator[set[str]]:
    """The names of srlab's and torch's functions that the block calls."""
    found: set[str] = set()

    def note(frame: FrameType, event: str, _argument: Any) -> None:
        code = frame.f_code
        ours = event == "call" and code.co_filename.startswith(str(PACKAGE))
        if ours and not code.co_filename.startswith(OWN):
            found.add(code.co_qualname)

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        with _TorchCalls(found):
            yield found
    finally:
        sys.setprofile(before)


class _TorchCalls(TorchFunctionMode):
    def __init__(self, found: set[str]):
        super().__init__()
        self.found = found

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        self.found.add(getattr(func, "__name__", "").partition(".")[0])
        return func(*args, **(kwargs or {}))


def call_again(names: Iterable[str]) -> None:
    """Call a function of each name that does nothing."""
    for name in list(names)[:NAMES_TOLD]:
        code = (lambda: None).__code__.replace(co_qualname=str(name))
        FunctionType(code, {})()
