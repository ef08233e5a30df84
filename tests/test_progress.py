"""What checks and quizzes remember: on the learner's disk, and never at a lesson's cost."""

import json
import os
import re
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import nbformat
import pytest

from srlab import checks
from srlab.checks import check_byte_psnr, check_variance, hint
from srlab.course.syllabus import lessons
from srlab.learner import progress
from srlab.learner.progress import (
    Progress,
    _further,
    do_not_remember,
    note_answer,
    note_attempt,
    note_guess,
    note_taken,
    read_progress,
)
from srlab.widgets.course_map import CourseMap
from tests import warm

LESSONS = Path(__file__).parents[1] / "lessons"
KEY = "03/variance"


def saved(home: Path) -> dict:
    return json.loads((home / "progress.json").read_text())


# -- what is remembered ----------------------------------------------------------


def test_nothing_is_written_before_something_is_done(home):
    assert read_progress() == (Progress(), "")
    repr(CourseMap("03"))
    assert not home.exists()


def test_attempts_and_answers_come_back(home):
    for fingerprint, done in (("a", False), ("b", True), ("c", False)):
        note_attempt(KEY, done=done, fingerprint=fingerprint)
    for right in (False, True, False):
        note_answer("03/growth", right=right)
    known, trouble = read_progress()
    tried, answered = known.exercises[KEY], known.questions["03/growth"]
    assert trouble == ""
    assert (tried.attempts, tried.done, tried.hints) == (3, True, 2), "done stays done"
    assert (answered.tries, answered.right) == (3, True), "right once is right"
    assert saved(home)["format"] == 1
    assert {path.name for path in home.iterdir()} == {"progress.json", "progress.lock"}


def test_the_same_answer_again_is_no_new_attempt():
    for mark, attempts, hints in (("a", 1, 1), ("a", 1, 1), ("b", 2, 2), ("a", 3, 3)):
        tried, _ = note_attempt(KEY, done=False, fingerprint=mark)
        assert (tried.attempts, tried.hints) == (attempts, hints)
    hints = [note_attempt(KEY, done=False, fingerprint=mark)[0].hints for mark in "cd"]
    assert hints == [4, 4], "no more than four"


def test_what_another_srlab_of_this_format_noted_is_kept(home):
    note_attempt(KEY, done=True)
    told = saved(home)
    told["later"], told["exercises"][KEY]["minutes"] = "kept", 12
    (home / "progress.json").write_text(json.dumps(told))
    note_answer("03/growth", right=True)
    assert saved(home)["later"] == "kept"
    assert saved(home)["exercises"][KEY]["minutes"] == 12


def note_many(home: str, number: int) -> None:
    os.environ["SRLAB_HOME"] = home
    for i in range(15):
        _, trouble = note_attempt(f"{number:02d}/{i}", done=True)
        if trouble:
            raise RuntimeError(trouble)
        note_attempt("03/shared", done=False, fingerprint=f"{number}-{i}")


def test_two_kernels_at_once_lose_nothing(home):
    with ProcessPoolExecutor(2, mp_context=warm.context()) as pool:
        list(pool.map(note_many, [str(home)] * 2, range(2)))
    known, _ = read_progress()
    assert sum(tried.done for tried in known.exercises.values()) == 30
    assert known.exercises["03/shared"].attempts == 30


# -- bad cases: one sentence, nothing lost -----------------------------------------


NO_FIGURES = '{"format": 1, "milestones": {"01": {"figures": {}}}}'
NO_ANSWER = '{"format": 1, "questions": {"a": 3}}'


@pytest.mark.parametrize("text", ["", "{", "[]", '{"exercises": {}}', NO_ANSWER, NO_FIGURES])
def test_a_damaged_file_is_kept_beside(home, text):
    home.mkdir()
    path = home / "progress.json"
    path.write_text(text)
    known, trouble = read_progress()
    assert known == Progress()
    assert trouble == f"{path} is damaged; it stays, and what it held is not shown here."
    assert path.read_text() == text
    tried, trouble = note_attempt(KEY, done=True)
    assert tried.done
    assert trouble == f"{path} was damaged; it is now progress-damaged.json."
    assert (home / "progress-damaged.json").read_text() == text
    assert read_progress()[0].exercises[KEY].done
    path.write_text("again")
    assert note_attempt(KEY, done=True)[1].endswith("it is now progress-damaged-2.json.")


def test_a_file_from_a_newer_srlab_is_left_untouched(home):
    home.mkdir()
    path, text = home / "progress.json", '{"format": 2, "exercises": ["another", "kind"]}'
    path.write_text(text)
    known, told = read_progress()
    assert known == Progress()
    assert told == (
        f"{path} was written by a newer srlab (format 2, this one reads 1), so it is left "
        f"as it is; update srlab."
    )
    for hints in (1, 2):  # the steps of help go on all the same
        tried, trouble = note_attempt(KEY, done=False)
        assert trouble == f"Not remembered: {told}"
        assert tried.hints == hints
    assert read_progress()[0].exercises[KEY].attempts == 2
    assert path.read_text() == text


def test_what_cannot_be_written_is_written_when_it_can(home):
    home.write_text("in the way")
    verdict = check_variance(lambda v, w, n: v * ((1 - w) ** 2 + w**2) ** n)
    path = re.escape(str(home / "progress.json"))
    told = rf"Not remembered: {path} could not be (read|written): [a-z ]+\."
    assert re.match(rf"Done\.\n  note     {told}", repr(verdict)), verdict
    assert "built, 1 of 24 exercises" in str(CourseMap()), "this kernel remembers"
    home.unlink()
    assert note_answer("03/growth", right=True)[1] == ""
    assert saved(home)["exercises"][KEY]["done"] is True


@pytest.mark.parametrize("first_is_further", [True, False])
def test_of_two_memories_the_one_that_got_further_counts(first_is_further):
    further = {"attempts": 3, "done": True}, {"tries": 2, "right": True}
    behind = {"attempts": 5, "done": False}, {"tries": 4, "right": False}
    one, other = (
        Progress.model_validate({"exercises": {KEY: tried}, "questions": {"q": answered}})
        for tried, answered in (further, behind)
    )
    both = _further(one, other) if first_is_further else _further(other, one)
    assert (both.exercises[KEY].attempts, both.questions["q"].tries) == (3, 2)


READ_ONLY = """
import os
from srlab.learner.progress import note_attempt, read_progress
if os.getuid() == 0:  # whom no mode stops
    os.setgid(65534); os.setuid(65534)
print(note_attempt("03/variance", done=True)[1])
print(read_progress()[0].exercises["03/variance"].done)
"""

FULL = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (300, resource.RLIM_INFINITY))
from srlab.learner.progress import note_attempt, read_progress
print([t for i in range(9) if (t := note_attempt(f"03/{i}", done=True)[1])][-1])
print(sum(tried.done for tried in read_progress()[0].exercises.values()))
"""


def in_a_process(code: str, home: Path) -> list[str]:
    done = warm.python("-c", code, env={**os.environ, "SRLAB_HOME": str(home)})
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX permissions")
def test_a_read_only_folder():
    home = Path(tempfile.mkdtemp())  # pytest's own folders are private
    try:
        home.chmod(0o555)
        told, done = in_a_process(READ_ONLY, home)
        path = home / "progress.json"
        assert told == f"Not remembered: {path} could not be written: permission denied."
        assert done == "True"
        assert list(home.iterdir()) == []
    finally:
        home.chmod(0o755)
        home.rmdir()


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on file sizes")
def test_a_full_disk(home):
    told, done = in_a_process(FULL, home)
    path = home / "progress.json"
    assert told == f"Not remembered: {path} could not be written: file too large."
    assert done == "9", "the kernel remembers all of them"
    assert saved(home)["exercises"], "what fitted is whole"
    assert {p.name for p in home.iterdir()} == {"progress.json", "progress.lock"}


@pytest.mark.skipif(sys.platform == "win32", reason="holds the lock by fcntl")
def test_another_program_that_never_lets_go(home, monkeypatch):
    import fcntl

    monkeypatch.setattr(progress, "PATIENCE", 0.05)
    home.mkdir()
    with (home / "progress.lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        told = f"Not remembered: {home / 'progress.json'} is being written by another program."
        assert note_attempt(KEY, done=True)[1] == told
    assert note_attempt(KEY, done=True)[1] == ""


def test_solutions_and_grading_are_not_remembered(home, monkeypatch):
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    assert note_attempt(KEY, done=False)[0].hints == 1
    monkeypatch.delenv("NBGRADER_EXECUTION")
    do_not_remember()
    assert note_attempt(KEY, done=False)[0].attempts == 1, "not the grader's any more"
    assert not home.exists()


# -- help in steps -----------------------------------------------------------------


def names_of(verdict) -> list[str]:
    return [name for name, _ in verdict.help]


def test_help_comes_in_steps_and_never_before_an_attempt(home):
    def my_variance(variance, weight, depth):
        """As the lesson gives it."""
        ...

    before = check_variance(my_variance)
    assert names_of(before) == ["begin"]
    assert not home.exists(), "no attempt"
    assert str(hint(check_variance)) == (
        "begin    Try first: write an answer and run its check, check_variance."
    )
    texts = next(e for e in lessons()[3].exercises if e.id == "variance")
    assert texts.hint not in str(before)
    earned = ["nudge", "hint", "mistake", "solution"]
    steps = [[*earned[:count], "next"] for count in (1, 2, 3)] + [earned]
    for factor, names in zip((2, 3, 4, 5), steps, strict=True):
        verdict = check_variance(lambda v, w, n, factor=factor: v + w + n + factor)
        assert names_of(verdict) == names
        assert [name for name, _ in hint(check_variance).rows] == names
    assert verdict.help[:2] == (("nudge", texts.nudge), ("hint", texts.hint))
    assert "exercise 1 of solutions/03_weighted_residuals.ipynb" in verdict.help[3][1]


def test_a_known_mistake_is_named_after_nudge_and_hint():
    for factor in (2, 3):
        check_variance(lambda v, w, n, factor=factor: v + w + n + factor)
    verdict = check_variance(lambda v, w, n: v * (abs(1 - w) + abs(w)) ** (2 * n))
    assert names_of(verdict) == ["nudge", "hint", "mistake", "next"]
    assert "those of independent numbers do not add up" in verdict.help[2][1]
    assert "<code>You added" not in verdict._repr_html_(), "words are no code"


def test_the_same_wrong_answer_earns_no_further_step_until_a_helper_changes():
    state = {"by": 1}

    def wrong(variance, weight, depth):
        return variance + weight + depth + state["by"]

    first, second = check_variance(wrong), check_variance(wrong)
    assert names_of(first) == names_of(second) == ["nudge", "next"]
    state["by"] = 2
    assert "hint" in names_of(check_variance(wrong))


def test_a_forgotten_return_is_an_attempt():
    def forgets(variance, weight, depth):
        variance * ((1 - weight) ** 2 + weight**2) ** depth

    verdict = check_variance(forgets)
    assert (verdict.got, names_of(verdict)) == ("nothing (None)", ["nudge", "next"])
    assert verdict.hint == "The function returns nothing."


def test_a_right_answer_is_remembered_for_its_own_exercise(home):
    check_byte_psnr(lambda *_: 1.0)
    verdict = check_variance(lambda v, w, n: v * ((1 - w) ** 2 + w**2) ** n)
    assert repr(verdict) == "Done."
    assert sorted(saved(home)["exercises"]) == ["00/byte_psnr", KEY]
    assert saved(home)["exercises"][KEY] | {"last": ""} == {
        "attempts": 1, "done": True, "hints": 0, "last": "", "taken": False,
    }  # fmt: skip


def test_hint_wants_a_check():
    with pytest.raises(TypeError, match=r"hint takes a check, such as check_icnr, but got 3\."):
        hint(3)


def given_answers() -> list:
    """Each exercise of each lesson: its check, and the answer that the lesson gives."""
    found = []
    for one in lessons():
        notebook = nbformat.read(LESSONS / f"{one.file}.ipynb", as_version=4)
        sources = {cell.id: cell.source for cell in notebook.cells}
        for number, exercise in enumerate(one.exercises, 1):
            source = sources[f"exercise-{number}-yours"]
            called = sources[f"exercise-{number}-check"].splitlines()[-1]
            name = f"{one.number}-{exercise.id}"
            found.append(pytest.param(source, called, exercise.id, id=name))
    return found


@pytest.mark.parametrize(("source", "called", "name"), given_answers())
def test_what_the_lesson_gives_is_no_attempt(home, source, called, name):
    """Also where it gives a class, or a function to be repaired."""
    assert called.startswith(f"check_{name}(")
    space: dict = {}
    exec("import torch\nimport torch.nn.functional as F\nfrom torch import nn", space)
    exec("from srlab.upsamplers import icnr_\nstep_in_square = lambda conv: 0.0", space)
    exec(source, space)
    verdict = eval(called, {**space, **vars(checks)})
    assert not verdict.done
    assert names_of(verdict) == ["begin"]
    assert not home.exists()


def test_every_check_has_its_texts_and_every_text_its_check():
    ids = [part.id for one in lessons() for part in (*one.builds, *one.exercises)]
    assert len(set(ids)) == len(ids)
    assert {f"check_{name}" for name in ids} == {
        n for n in dir(checks) if n.startswith("check_")
    }
    for one in lessons():
        assert (LESSONS / f"{one.file}.ipynb").is_file()
        for exercise in (*one.builds, *one.exercises):
            assert exercise.nudge != exercise.hint
            assert max(len(exercise.nudge), len(exercise.hint)) < 200
            assert exercise.nudge.endswith((".", "?"))


# -- builds and guesses ------------------------------------------------------------


def test_what_was_taken_is_noted_and_is_not_done():
    assert note_taken("01/residual_block") == ""
    tried = read_progress()[0].exercises["01/residual_block"]
    assert (tried.taken, tried.done, tried.attempts) == (True, False, 0)
    note_attempt("01/residual_block", done=True)
    tried = read_progress()[0].exercises["01/residual_block"]
    assert (tried.taken, tried.done) == (True, True), "later built after all"


def test_a_guess_is_kept_and_a_later_one_takes_its_place(home):
    for key, guess in (("01/edge", "a ramp"), ("00/psnr", 25.0), ("01/edge", "clean")):
        assert note_guess(key, guess) == ""
    assert saved(home)["guesses"] == {"01/edge": "clean", "00/psnr": 25.0}
    assert read_progress()[0].guesses["00/psnr"] == 25.0
