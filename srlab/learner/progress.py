"""What a learner has done, remembered on their own disk and nowhere else.

One small file, ``progress.json``, in ``srlab.files.own_folder()``. A lesson
never fails for it: where it cannot be read or written, the kernel remembers
for as long as it runs, and one sentence says so.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    ValidationError,
    field_validator,
)

from srlab.files import free_path, own_folder, replacing

FORMAT = 1
LAST_STEP = 4  # nudge, hint, mistake, solution
SHOWN = ("psnr_y", "sharpness", "ridge")  # of a milestone
PATIENCE = 5.0  # seconds, for another kernel that is writing


class _Entry(BaseModel):
    # What another srlab of this format noted beside it is kept.
    model_config = ConfigDict(extra="allow", validate_assignment=True)


class Tried(_Entry):
    """What is known of an exercise.

    Args:
        attempts: how many different answers were checked.
        done: whether one of them was right.
        hints: how many steps of help were shown, up to 4.
        last: a fingerprint of the last answer, never the answer itself.
        taken: whether srlab's own definition was looked at instead.
    """

    attempts: int = Field(default=0, ge=0)
    done: bool = False
    hints: int = Field(default=0, ge=0, le=LAST_STEP)
    last: str = ""
    taken: bool = False


class Answered(_Entry):
    """What is known of a question.

    Args:
        tries: how many answers were chosen.
        right: whether the right one was among them.
    """

    tries: int = Field(default=0, ge=0)
    right: bool = False


class Reached(_Entry):
    """What a network of the learner's own reached, at a milestone.

    Args:
        figures: ``psnr_y`` in dB, ``sharpness``, ``ridge`` and what else was
            measured on the three embedded test photographs, at x4.
        bicubic: the same figures of bicubic.
        steps: of the training; 0 if it was trained elsewhere.
        when: date and time, UTC.
    """

    figures: dict[str, FiniteFloat]
    bicubic: dict[str, FiniteFloat]
    steps: int = Field(default=0, ge=0)
    when: str = ""

    @property
    def lead(self) -> float:
        """PSNR over bicubic, dB."""
        return self.figures["psnr_y"] - self.bicubic["psnr_y"]

    @field_validator("figures", "bicubic")
    @classmethod
    def _has_what_is_shown(cls, figures: dict[str, float]) -> dict[str, float]:
        if missing := [name for name in SHOWN if name not in figures]:
            raise ValueError(f"{', '.join(missing)} is missing.")
        return figures


class Progress(_Entry):
    """All of it; keys are such as ``"03/variance"``.

    Args:
        exercises: also the builds of a lesson.
        guesses: what was guessed before a cell showed the truth: a number, or
            the text that was chosen.
        milestones: lesson -> what its network reached.
    """

    format: int = FORMAT
    exercises: dict[str, Tried] = Field(default_factory=dict)
    questions: dict[str, Answered] = Field(default_factory=dict)
    guesses: dict[str, float | str] = Field(default_factory=dict)
    milestones: dict[str, Reached] = Field(default_factory=dict)


Entry = TypeVar("Entry", bound=_Entry)


class NotRememberedError(Exception):
    """Why the file is left alone, in one sentence."""


class _Damaged(Exception):  # noqa: N818 - it names what the file is
    """The file is no progress that srlab wrote."""


_lock = threading.RLock()  # a check and a quiz may come from two threads
_unsaved = Progress()
_remembering = True


def read_progress() -> tuple[Progress, str]:
    """What is remembered, and a sentence about trouble ("" if there is none)."""
    with _lock:
        if not _remembers():
            return _unsaved.model_copy(deep=True), ""
        try:
            return _further(_load(_file()), _unsaved), ""
        except _Damaged:
            trouble = f"{_file()} is damaged; it stays, and what it held is not shown here."
        except (NotRememberedError, OSError) as error:
            trouble = str(error)
        return _unsaved.model_copy(deep=True), trouble


def note_attempt(key: str, *, done: bool, fingerprint: str = "") -> tuple[Tried, str]:
    """Note that an answer to an exercise was checked.

    A wrong answer earns one more step of help. The answer that was checked
    last, checked once more, is no new attempt.

    Args:
        key: such as ``"03/variance"``.
        done: whether it was right.
        fingerprint: equal for equal answers; "" is always a new one.

    Returns:
        What is known of the exercise now, and a sentence about trouble ("" if
        there is none).
    """

    def change(progress: Progress) -> None:
        tried = progress.exercises.setdefault(key, Tried())
        if fingerprint and fingerprint == tried.last:
            return
        tried.attempts, tried.last = tried.attempts + 1, fingerprint
        tried.done = tried.done or done
        tried.hints = tried.hints if done else min(tried.hints + 1, LAST_STEP)

    progress, trouble = _change(change)
    return progress.exercises[key], trouble


def note_answer(key: str, *, right: bool) -> tuple[Answered, str]:
    """Note that an answer of a quiz was chosen.

    Args:
        key: of the question, such as ``"03/depth"``.
        right: whether it was the right one.

    Returns:
        What is known of the question now, and a sentence about trouble.
    """

    def change(progress: Progress) -> None:
        answered = progress.questions.setdefault(key, Answered())
        answered.tries, answered.right = answered.tries + 1, answered.right or right

    progress, trouble = _change(change)
    return progress.questions[key], trouble


def note_taken(key: str) -> str:
    """Note that a learner looked at srlab's own definition of what they should build.

    Args:
        key: of the build, such as ``"01/residual_block"``.

    Returns:
        A sentence about trouble, or "".
    """

    def change(progress: Progress) -> None:
        progress.exercises.setdefault(key, Tried()).taken = True

    return _change(change)[1]


def note_guess(key: str, guess: float | str) -> str:
    """Note what was guessed, a number or a text, in place of an earlier guess.

    Returns:
        A sentence about trouble, or "".
    """
    return _change(lambda progress: progress.guesses.update({key: guess}))[1]


def note_milestone(lesson: str, reached: Reached) -> str:
    """Note what a lesson's network reached, in place of an earlier one's.

    Returns:
        A sentence about trouble, or "".
    """
    return _change(lambda progress: progress.milestones.update({lesson: reached}))[1]


def do_not_remember() -> None:
    """Remember nothing of this kernel: what runs here is not the learner's own."""
    global _remembering, _unsaved
    with _lock:
        _remembering, _unsaved = False, Progress()


def _remembers() -> bool:
    """Not while nbgrader runs somebody else's notebook on a teacher's account."""
    return _remembering and "NBGRADER_EXECUTION" not in os.environ


def _file() -> Path:
    return own_folder() / "progress.json"


def _change(change: Callable[[Progress], None]) -> tuple[Progress, str]:
    """Apply ``change`` to what is remembered; where that fails, to this kernel's copy."""
    global _unsaved
    with _lock:
        if not _remembers():
            change(_unsaved)
            return _unsaved.model_copy(deep=True), ""
        try:
            return _change_file(change)
        except (NotRememberedError, OSError) as error:
            _unsaved = read_progress()[0]
            change(_unsaved)
            return _unsaved.model_copy(deep=True), f"Not remembered: {error}"


def _change_file(change: Callable[[Progress], None]) -> tuple[Progress, str]:
    global _unsaved
    path, trouble = _file(), ""
    with _alone(path):
        try:
            saved = _load(path)
        except _Damaged:
            kept = path.rename(free_path(path.with_name("progress-damaged.json")))
            saved, trouble = Progress(), f"{path} was damaged; it is now {kept.name}."
        progress = _further(saved, _unsaved)
        change(progress)
        with replacing(path) as part:
            part.write_text(f"{progress.model_dump_json(indent=1)}\n", encoding="utf-8")
    _unsaved = Progress()
    return progress, trouble


def _load(path: Path) -> Progress:
    """What the file holds; nothing if there is none."""
    try:
        with _naming(path, "read"):
            data = path.read_bytes()
    except FileNotFoundError:
        return Progress()
    with suppress(ValidationError):
        if (newer := _Format.model_validate_json(data).format) > FORMAT:
            raise NotRememberedError(
                f"{path} was written by a newer srlab (format {newer}, this one reads "
                f"{FORMAT}), so it is left as it is; update srlab."
            )
        return Progress.model_validate_json(data)
    raise _Damaged


class _Format(BaseModel):
    """What every version's file has."""

    format: int


def _further(one: Progress, other: Progress) -> Progress:
    """Both together; of an entry in both, the one that got further, or the later network."""
    whole, more = one.model_copy(deep=True), other.model_copy(deep=True)
    _keep_further(whole.exercises, more.exercises, lambda one: (one.done, one.attempts))
    _keep_further(whole.questions, more.questions, lambda one: (one.right, one.tries))
    _keep_further(whole.milestones, more.milestones, lambda one: one.when)
    whole.guesses |= more.guesses
    return whole


def _keep_further(
    mine: dict[str, Entry], more: dict[str, Entry], stage: Callable[[Entry], Any]
) -> None:
    for key, entry in more.items():
        if key not in mine or stage(entry) >= stage(mine[key]):
            mine[key] = entry


# -- one kernel at a time --------------------------------------------------------


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold the lock beside ``path``, which the system lets go if the kernel dies."""
    with _naming(path, "written"):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = path.with_suffix(".lock").open("ab")
    with lock:
        end = time.monotonic() + PATIENCE
        while not _try_lock(lock):
            if time.monotonic() > end:
                raise NotRememberedError(f"{path} is being written by another program.")
            time.sleep(0.01)
        yield  # closing it lets the lock go


def _try_lock(file: Any) -> bool:
    """Take the lock if nobody has it."""
    try:
        if os.name == "nt":
            import msvcrt

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:
        return True  # a disk that knows no locks: better than to remember nothing
    return True


@contextmanager
def _naming(path: Path, what: str) -> Iterator[None]:
    """Make one sentence of the system's errors."""
    try:
        yield
    except OSError as error:
        why = error.strerror.lower() if error.strerror else error
        raise type(error)(f"{path} could not be {what}: {why}.") from None
