"""The teacher's own tools: who is stuck, collecting, handing back, beginning anew, leaving.

A learner may have put anything into the own home; root must not be led astray.
"""

import csv
import json
import os
import shutil
import stat
import subprocess
import time
from pathlib import Path

import pytest

from srlab.classroom.accounts import WRONG, Accounts
from srlab.classroom.collect import collect, hand_back
from srlab.classroom.homes import NotTheirsError, as_learner, read_own, set_aside, write_own
from srlab.classroom.leaving import remove_learner, reset_learner
from srlab.classroom.limits import processes_of
from srlab.classroom.overview import overview, plain_cell, write_csv
from srlab.classroom.room import Room, appoint, prepare
from srlab.classroom.roster import Learner
from srlab.course.syllabus import lesson, lessons
from tests.classroom import Classroom, Visitor, needs_root
from tests.conftest import Command
from tests.test_classroom import UID, code_of, registry, state  # noqa: F401, fixtures

ADA, BEN = UID, UID + 1
PROGRESS = ".srlab/progress.json"
PLACES = sum(len(one.builds + one.exercises) for one in lessons())
NO_FOLDER = "has a link or a file where a folder should be"
NOTEBOOK = "srlab-lessons/01_pixel_loss.ipynb"


@pytest.fixture
def room(state: Path) -> Room:  # noqa: F811
    """A room with two learners, both of whom have a home."""
    room = Room(state, first_uid=UID)
    prepare(room, ["ada", "ben"])
    for name, uid in (("ada", ADA), ("ben", BEN)):
        room.plan(name, uid)
    return room


def put(room: Room, name: str, file: str, data: bytes | str) -> Path:
    """A file of a learner's own."""
    path = room.home(name) / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    uid = room.accounts.learners()[name]
    for one in (path, *path.parents):
        if one == room.home(name):
            break
        os.chown(one, uid, uid)
    return path


def tried(**exercises: tuple[int, int, bool]) -> str:
    """A progress file: attempts, hints, done of each; ``l1_own`` is ``01/own``."""
    found = {
        name[1:].replace("_", "/", 1): {"attempts": a, "hints": h, "done": d}
        for name, (a, h, d) in exercises.items()
    }
    return json.dumps({"format": 1, "exercises": found})


# -- who is stuck ----------------------------------------------------------------


@needs_root
def test_who_is_stuck_where(room: Room) -> None:
    done, stuck, begun = (2, 1, True), (7, 3, False), (1, 1, False)
    put(room, "ada", PROGRESS, tried(l03_variance=stuck, l04_icnr=done))
    put(room, "ben", PROGRESS, tried(l03_variance=stuck, l04_icnr=begun, l77_nothing=stuck))
    lines = str(overview(room)).splitlines()
    assert lines[0].split()[:4] == ["learner", "done", "00", "01"]
    assert lines[1].startswith("ada")
    assert f" 1 of {PLACES}" in lines[1]
    assert lines[1].split("  ")[-1] == "03/variance (7 attempts, 3 hints)"
    third = lesson("03")
    assert f" 0/{len(third.builds + third.exercises)}! " in lines[1]
    assert "icnr" not in lines[2], "one wrong answer is no trouble"
    assert lines[-1] == "where most are stuck: 03/variance (2)"
    ids = ("03_variance", "03_learned_block", "04_icnr", "05_shares", "05_distance")
    put(room, "ben", PROGRESS, tried(**{f"l{one}": stuck for one in ids}))
    assert str(overview(room)).splitlines()[2].count(" attempts, ") == 3
    assert str(overview(room)).splitlines()[2].endswith(" and 2 more")


@needs_root
def test_the_table_has_each_exercise(room: Room, tmp_path: Path) -> None:
    room.accounts.enroll([Learner("ada", "+ada"), Learner("ben", "ben")])
    put(room, "ada", PROGRESS, tried(l03_variance=(7, 3, False)))
    put(room, "ben", PROGRESS, "{")
    write_csv(overview(room), tmp_path / "a.csv")
    assert stat.S_IMODE((tmp_path / "a.csv").stat().st_mode) == 0o600
    rows = list(csv.DictReader((tmp_path / "a.csv").open()))
    assert len(rows) == PLACES + 1
    (stuck,) = [list(row.values()) for row in rows if row["state"] == "stuck"]
    assert stuck == ["ada", "'+ada", "03", "variance", "stuck", "7", "3", ""]
    assert rows[-1]["trouble"] == "the progress file is damaged"


@needs_root
def test_a_new_learner_has_done_nothing(room: Room) -> None:
    said = str(overview(room))
    assert said.count(f"0 of {PLACES}") == 2
    assert said.endswith("nobody is stuck")


def test_no_cell_is_a_formula() -> None:
    for text in ("=1+1", "+49", "-x", "@ada", "\tx", "\rx"):
        assert plain_cell(text) == f"'{text}"
    assert plain_cell("ada@uni.example") == "ada@uni.example"


@needs_root
def test_a_bad_progress_file_is_told_and_the_others_are_shown(room: Room) -> None:
    put(room, "ben", PROGRESS, tried(l03_variance=(7, 3, False)))
    odd = ('"attempts": "7"', '"attempts": -7', '"hints": 9', '"attempts": 1e400')
    entries = [f'{{"exercises": {{"03/variance": {{{one}}}}}}}'.encode() for one in odd]
    newer = b'{"format": 2}'
    for data in (b"{", b"[1, 2]", b"[" * 100_000, *entries, b"\xff\x00\x1b[31m", b"", newer):
        put(room, "ada", PROGRESS, data)
        lines = str(overview(room)).splitlines()
        why = "was written by a newer srlab" if data == newer else "is damaged"
        assert lines[1] == f"ada      the progress file {why}", data[:60]
        assert "03/variance (7 attempts" in lines[2], data[:60]


@needs_root
def test_nothing_that_a_learner_wrote_reaches_the_terminal(room: Room) -> None:
    evil = "\x1b]0;owned\x07\x1b[2J"
    variance = {"attempts": 10**12, "last": evil, evil: evil}
    exercises = {f"03/{evil}": {"attempts": 9}, "03/variance": variance}
    told = {"format": 1, evil: evil, "exercises": exercises}
    put(room, "ada", PROGRESS, json.dumps(told))
    said = str(overview(room))
    assert {c for c in said if not c.isprintable()} == {"\n"}
    assert "(9999 attempts" in said


# -- root in a learner's home ----------------------------------------------------


# What stands at the file's place, as a shell in its folder makes it.
TRAPS = {
    "ln -s /etc/passwd progress.json": "is a link",
    "mkfifo progress.json": "is no plain file",
    "python3 -c 'import socket; socket.socket(1).bind(\"progress.json\")'": "is no plain file",
    "mkdir progress.json": "is no plain file",
    "truncate -s 10G progress.json": "has 10240 MiB, more than is read",
    "echo x > progress.json; OWNER=0": "belongs to somebody else",
    "mkdir ../b; echo x > ../b/progress.json; cd ..; rmdir .srlab; ln -s b .srlab": NO_FOLDER,
    "cd ..; rmdir .srlab; echo x > .srlab": NO_FOLDER,
}


@needs_root
@pytest.mark.parametrize(("trap", "said"), TRAPS.items())
def test_a_trap_is_not_read(room: Room, trap: str, said: str) -> None:
    home = room.home("ada")
    (home / PROGRESS).parent.mkdir()
    shell = f"OWNER={ADA}; cd {home}/.srlab; {trap}; chown -hR $OWNER {home}"
    subprocess.run(shell, shell=True, check=True)
    begun = time.monotonic()
    with pytest.raises(NotTheirsError, match=said):
        read_own(home, PROGRESS, ADA, largest=2**20)
    assert f"ada      the progress file {said}" in str(overview(room))
    assert time.monotonic() - begun < 5, "nor waited for"


@needs_root
def test_a_home_that_is_a_link_is_not_entered(room: Room) -> None:
    put(room, "ben", PROGRESS, "{}")
    room.home("ada").rmdir()
    room.home("ada").symlink_to(room.home("ben"))
    with pytest.raises(NotTheirsError, match=NO_FOLDER):
        read_own(room.home("ada"), PROGRESS, ADA, largest=99)
    with pytest.raises(NotTheirsError, match="leads outside"):
        read_own(room.home("ben"), f"../ben/{PROGRESS}", BEN, largest=99)


@needs_root
def test_what_is_written_belongs_to_the_learner(room: Room) -> None:
    home = room.home("ada")
    for text in (b"well done", b"better"):
        write_own(home, "a/b/c.txt", ADA, text)
        for name, mode in (("a", 0o700), ("a/b", 0o700), ("a/b/c.txt", 0o600)):
            status = (home / name).stat()
            assert (status.st_uid, stat.S_IMODE(status.st_mode)) == (ADA, mode)
        assert [path.read_bytes() for path in (home / "a/b").iterdir()] == [text]


@needs_root
def test_a_link_in_the_way_is_not_written_through(room: Room, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("as it was")
    home = room.home("ada")
    (home / "file").symlink_to(victim)
    (home / "folder").symlink_to(tmp_path)
    write_own(home, "file", ADA, b"x")
    assert not (home / "file").is_symlink()
    with pytest.raises(NotTheirsError, match=NO_FOLDER):
        write_own(home, "folder/victim", ADA, b"x")
    assert victim.read_text() == "as it was"
    (home / "taken").mkdir()
    with pytest.raises(IsADirectoryError):
        write_own(home, "taken", ADA, b"x")


@needs_root
def test_work_as_a_learner_has_no_other_rights(room: Room) -> None:
    with pytest.raises(PermissionError):
        as_learner(ADA, lambda: os.listdir(room.home("ben")) and None)
    with pytest.raises(PermissionError):
        as_learner(ADA, lambda: os.setuid(0))
    assert os.getuid() == 0
    with pytest.raises(OSError, match="Interrupted"):  # a learner who ends the helper
        as_learner(ADA, lambda: os.kill(os.getpid(), 9))


# -- collecting and handing back ---------------------------------------------------


@needs_root
def test_notebooks_are_collected_as_nbgrader_has_them(room: Room, tmp_path: Path) -> None:
    put(room, "ada", NOTEBOOK, "{}")
    passed = collect(room, "01", tmp_path / "course")
    copy = tmp_path / "course/submitted/ada/lesson_01/01_pixel_loss.ipynb"
    assert copy.read_text() == "{}"
    assert (copy.stat().st_uid, stat.S_IMODE(copy.stat().st_mode)) == (0, 0o600)
    assert stat.S_IMODE(copy.parents[2].stat().st_mode) == 0o700
    assert (passed.names, passed.troubles) == (["ada"], {"ben": "is not there"})
    put(room, "ada", NOTEBOOK, "{ }")
    collect(room, "01", tmp_path / "course")
    assert copy.read_text() == "{ }", "the last one counts"
    assert [one.name for one in copy.parent.iterdir()] == [copy.name]


@needs_root
def test_a_link_is_not_collected(room: Room, tmp_path: Path) -> None:
    put(room, "ada", NOTEBOOK, "{}").unlink()
    (room.home("ada") / NOTEBOOK).symlink_to(room.hub / "accounts.json")
    assert collect(room, "01", tmp_path).troubles["ada"] == "is a link"
    assert not (tmp_path / "submitted").exists()


@needs_root
@pytest.mark.parametrize("name", ["ada.txt", "ada/lesson_01/01_pixel_loss.html"])
def test_feedback_comes_to_its_learner(room: Room, tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text("well done")
    (tmp_path / "cem.txt").write_text("of nobody here")
    passed = hand_back(room, "01", tmp_path)
    assert passed.names == ["ada"]
    there = room.home("ada") / "feedback/lesson_01" / Path(name).name
    assert there.read_text() == "well done"
    assert there.stat().st_uid == ADA
    assert not (room.home("ben") / "feedback").exists()


@needs_root
def test_feedback_that_cannot_be_put_down_is_told(room: Room, tmp_path: Path) -> None:
    for name in ("ada", "ben"):
        (tmp_path / f"{name}.txt").write_text("well done")
    (room.home("ada") / "feedback").symlink_to("/etc")
    passed = hand_back(room, "01", tmp_path)
    assert (passed.names, passed.troubles) == (["ben"], {"ada": NO_FOLDER})
    with pytest.raises(ValueError, match=r"has no feedback for anybody; it needs a file such"):
        hand_back(room, "02", tmp_path / "nothing")
    with pytest.raises(ValueError, match="There is no lesson '99'"):
        collect(room, "99", tmp_path)


# -- beginning anew, leaving -------------------------------------------------------


@needs_root
def test_a_learner_begins_anew_and_keeps_the_old(room: Room) -> None:
    running = subprocess.Popen(["sleep", "60"], user=ADA)
    for times in (1, 2):
        put(room, "ada", NOTEBOOK, f"of time {times}")
        put(room, "ada", PROGRESS, "{}")
        reset_learner(room, "ada")
    assert running.wait() == -9
    home = room.home("ada")
    assert sorted(path.name for path in home.iterdir()) == [
        ".srlab-mine", ".srlab-mine-2", "srlab-lessons-mine", "srlab-lessons-mine-2",
    ]  # fmt: skip
    assert (home / "srlab-lessons-mine-2/01_pixel_loss.ipynb").read_text() == "of time 2"
    assert reset_learner(room, "ada") == []
    assert set_aside(home, "nothing", ADA) == ""


@needs_root
def test_who_leaves_takes_the_number_along(room: Room) -> None:
    put(room, "ada", NOTEBOOK, "of the first ada")
    room.accounts.log_in("ada", "long enough", code_of(room.accounts, "ada"))
    running = subprocess.Popen(["sleep", "60"], user=ADA)
    kept = remove_learner(room, "ada")
    assert running.wait() == -9
    assert kept is not None
    assert (kept / NOTEBOOK).read_text() == "of the first ada"
    assert stat.S_IMODE(room.removed.stat().st_mode) == 0o700
    assert room.accounts.learners() == {"ben": BEN}
    assert room.accounts.log_in("ada", "long enough", "") == WRONG
    assert room.accounts.uid_of("ada") == ADA, "the hub still has to end that server"
    assert not room.accounts.may_stay("ada")
    # Another of that name is somebody else.
    assert room.accounts.enroll(["ada", "ben"]) == ["ada"]
    assert room.accounts.learners()["ada"] == UID + 2
    assert room.accounts.log_in("ada", "long enough", "") == WRONG
    room.plan("ada", UID + 2)
    assert list(room.home("ada").iterdir()) == []
    assert remove_learner(room, "ada") != kept
    assert room.accounts.enroll(["ada"]) == ["ada"]
    assert room.accounts.learners()["ada"] == UID + 3
    assert room.accounts.uids() == [UID + 1, UID, UID + 2, UID + 3]


@needs_root
def test_who_was_never_here_cannot_leave(room: Room) -> None:
    for change in (reset_learner, remove_learner):
        for name in ("cem", "", "../ada", "ada.removed"):
            with pytest.raises(ValueError, match="No learner is called "):
                change(room, name)


def test_a_folder_without_a_classroom(tmp_path: Path) -> None:
    room = Room(tmp_path / "none")
    for look in (lambda: overview(room), lambda: collect(room, "01", tmp_path)):
        with pytest.raises(ValueError, match="none holds no classroom; name the folder that"):
            look()


# -- teachers ----------------------------------------------------------------------


@needs_root
def test_teachers_stay_though_no_list_names_them(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert appoint(room, ["Anna.Berg@uni.example", "ben"]) == ["anna-berg"]
    assert room.accounts.teachers() == ["ben", "anna-berg"]
    room.accounts.enroll(["ada"])
    assert room.accounts.teachers() == ["ben", "anna-berg"]
    assert appoint(room, ["ben"]) == []
    assert room.accounts.teachers() == ["ben"]
    remove_learner(room, "ben")
    assert room.accounts.teachers() == []
    for name in ("root", "", "../x"):
        with pytest.raises(ValueError, match=r"is an account of the system|makes no name"):
            appoint(room, [name])
    monkeypatch.setattr(Room, "as_root", False)
    with pytest.raises(ValueError, match="learners need root on Linux"):
        appoint(room, ["anna"])


def test_nobody_becomes_a_teacher_by_a_like_name(tmp_path: Path) -> None:
    accounts = Accounts(tmp_path, UID)
    accounts.appoint([Learner("anna", "anna")])
    accounts.enroll([Learner("anna", "anna@other.example")])
    assert accounts.teachers() == ["anna"]
    assert set(accounts.learners()) == {"anna", "anna-2"}


# -- the command -------------------------------------------------------------------


@pytest.mark.slow
@needs_root
def test_what_the_teacher_types(room: Room, command: Command, tmp_path: Path) -> None:
    put(room, "ada", NOTEBOOK, "{}")
    put(room, "ada", PROGRESS, tried(l03_variance=(7, 3, False)))
    done = command("classroom", "overview", room.state, "--csv", tmp_path / "a.csv")
    assert "03/variance (7 attempts, 3 hints)" in done.stdout, done.stderr
    assert (tmp_path / "a.csv").is_file()
    done = command("classroom", "collect", "1", room.state, "--to", tmp_path)
    assert done.stdout == (
        f"collected 1 of 2 notebooks into {tmp_path}/submitted\nben: it is not there\n"
    )
    (tmp_path / "ada.txt").write_text("well done")
    done = command("classroom", "hand-back", "01", room.state, "--from", tmp_path)
    assert done.stdout == "put 1 file into feedback/lesson_01 of 1 learner\n", done.stderr
    done = command("classroom", room.state, "--reset-learner", "ada")
    assert done.stdout == (
        "ada begins with fresh lessons at the next login; theirs is now srlab-lessons-mine "
        "and .srlab-mine\n"
    ), done.stderr
    done = command("classroom", room.state, "--remove-learner", "ada")
    assert "ada is off the list for good; the files are in " in done.stdout, done.stderr
    assert processes_of(ADA) == []


@pytest.mark.slow
def test_a_folder_may_be_called_like_a_command(command: Command, tmp_path: Path) -> None:
    done = command("classroom", "overview", tmp_path)
    assert "holds no classroom" in done.stderr
    done = command("classroom", tmp_path / "overview", "--port", "80")
    assert "--port is 80" in done.stderr
    assert "--teacher NAME" in command("classroom", "--help").stdout


# -- a copy ------------------------------------------------------------------------


@needs_root
def test_a_room_comes_back_from_a_copy(tmp_path: Path) -> None:
    """Taken while the hub runs, as the README says; with and without the hub's memory."""
    with Classroom(["ada", "ben"]) as classroom:
        ada = Visitor(classroom, "ada")
        assert ada.log_in("long enough", classroom.code("ada")) == 200
        classroom.room.plan("ada", classroom.first_uid)  # makes the home
        put(classroom.room, "ada", NOTEBOOK, "of ada")
        tar = ["tar", "--numeric-owner", "-C", classroom.state]
        done = subprocess.run([*tar, "-czf", tmp_path / "a.tgz", "hub", "homes"], check=False)
        # 1: "file changed as we read it", since the hub runs and writes; 2 would be an error
        assert done.returncode in (0, 1)
        for lost in ("", "jupyterhub.sqlite"):
            classroom.stop()
            classroom.end()
            for name in ("hub", "homes"):
                shutil.rmtree(classroom.state / name)
            subprocess.run([*tar, "-xpzf", tmp_path / "a.tgz"], check=True)
            if lost:
                (classroom.room.hub / lost).unlink()
            classroom.start()
            everything_is_there(classroom)


def everything_is_there(classroom: Classroom) -> None:
    again = Visitor(classroom, "ada")
    assert again.log_in("a guess", "") == 403
    assert again.log_in("long enough", "") == 200
    notebook = classroom.room.home("ada") / NOTEBOOK
    assert notebook.read_text() == "of ada"
    assert notebook.stat().st_uid == classroom.first_uid
    ben = Visitor(classroom, "ben")
    assert ben.log_in("long enough", classroom.code("ben")) == 200, "his code still counts"
    again.start_server()
