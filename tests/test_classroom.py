"""The classroom without a hub: names, codes, limits, folders, the values for Kubernetes."""

import asyncio
import json
import logging
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from configurable_http_proxy.configproxy import PythonProxy

from srlab.classroom import claims
from srlab.classroom.accounts import WRONG, Accounts, scramble
from srlab.classroom.activity import Activity
from srlab.classroom.command import open_room
from srlab.classroom.launch import closed_parents, outermost
from srlab.classroom.limits import Limits, make_groups, processes_of, remove_groups
from srlab.classroom.proxy import RoomProxy
from srlab.classroom.room import (
    LEARNERS,
    Room,
    _wait,
    can_cover,
    close_to_learners,
    prepare,
    what_holds,
)
from srlab.classroom.roster import Learner, account_name, read_roster
from srlab.classroom.sockets import url_of
from tests.browser.lab import wait_until
from tests.classroom import needs_root
from tests.conftest import Command
from tests.test_setup import ROOT

CLASSROOM = ROOT / "srlab" / "classroom"
UID = 53_000


@pytest.fixture
def state() -> Iterator[Path]:
    """A folder that others may reach, as pytest's own are not."""
    mask = os.umask(0o077)
    folder = Path(tempfile.mkdtemp(prefix="srlab-room-"))
    folder.chmod(0o711)
    yield folder / "room"
    os.umask(mask)
    shutil.rmtree(folder)


@pytest.fixture(autouse=True)
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A list of this test's own of who has which user numbers."""
    monkeypatch.setattr(claims, "FOLDER", tmp_path / "registry")
    return tmp_path / "registry"


@pytest.fixture
def accounts(tmp_path: Path) -> Accounts:
    accounts = Accounts(tmp_path, UID)
    accounts.enroll(["ada", "ben"])
    return accounts


def names_file(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "names.txt"
    path.write_bytes(text.encode(encoding))
    return path


def code_of(accounts: Accounts, name: str) -> str:
    lines = (accounts.folder / "codes.txt").read_text().splitlines()
    return dict(line.split() for line in lines).get(name, "")


# -- names -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("Ada", "ada"),
        ("Ada.Lovelace@uni.example", "ada-lovelace"),
        ("3012345", "s3012345"),
        ("Jürgen Groß", "juergen-gross"),
        ("Zoë O’Neil", "zoe-oneil"),
        ("-ada-", "ada"),
        ("maximiliane.mustermann-von-hohenlohe@uni.example", "maximiliane-mustermann-von-hohe"),
    ],
)
def test_a_word_becomes_an_account_name(word: str, name: str) -> None:
    assert account_name(word) == name


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_tables_as_universities_write_them(tmp_path: Path, mark: str, encoding: str) -> None:
    rows = [("Name", "Mail"), ("Jörg Käs", "j.kaes@uni.example"), ("Ben", "BEN@uni.example")]
    text = "\r\n".join(mark.join(row) for row in rows)
    path = names_file(tmp_path, text, encoding)
    assert read_roster(path) == [
        Learner("j-kaes", "j.kaes@uni.example"),
        Learner("ben", "ben@uni.example"),
    ]


NUMBERED = "Nachname;Vorname;Matrikelnummer\nLovelace;Ada;3012345\nByron;Ada;3012346\n"


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("\ufeff# class 10b\r\nada\r\n  ben  # back row\r\n\r\nc-3_x\r\n", "ada ben c-3_x"),
        (NUMBERED, "s3012345 s3012346"),
        ("Name,Mail,Username\nAda,ada@a.example,al12\n", "al12"),
        ('"Lovelace, Ada",ada@a.example\n', "ada"),
        ("Lovelace, Ada\nByron, Anne\n", "lovelace-ada byron-anne"),
    ],
)
def test_the_column_that_tells_people_apart_is_taken(
    tmp_path: Path, text: str, names: str
) -> None:
    found = read_roster(names_file(tmp_path, text))
    assert [learner.name for learner in found] == names.split()


def test_bad_names_are_refused_all_at_once(tmp_path: Path) -> None:
    bad = ["ada", "../x", "ada/..", "a%2f", "...", "ADA", "root", "daemon", "Root@uni.example"]
    with pytest.raises(ValueError, match=r"names\.txt: .* cannot be used; correct") as refused:
        read_roster(names_file(tmp_path, "\n".join(["ada", "ben", *bad])))
    lines = [str(number) for number in range(3, 3 + len(bad))]
    assert re.findall(r"line (\d+) \(", str(refused.value)) == lines
    assert "'ada' is there twice, first in line 1" in str(refused.value)
    assert "'root' is an account of the system" in str(refused.value)


def test_no_name_at_all(tmp_path: Path) -> None:
    nobody = "names no learner; write one name a line"
    for text in ("# nobody\n", "", "Name,Mail\n", ";;;\n", "PK\3\4\0\0"):
        said = "is no plain text; save it as CSV or as text" if "\0" in text else nobody
        with pytest.raises(ValueError, match=said):
            read_roster(names_file(tmp_path, text))


# -- accounts --------------------------------------------------------------------


def test_the_first_login_needs_the_code_and_later_ones_the_password(accounts: Accounts) -> None:
    code = code_of(accounts, "ada")
    assert accounts.log_in("ada", "long enough", "") == WRONG, "as for who is not there"
    assert accounts.log_in("ada", "long enough", code_of(accounts, "ben")) == WRONG
    assert "at least 8 characters" in accounts.log_in("ada", "short", code)
    assert accounts.log_in("ada", "long enough", f" {code.upper().replace('-', ' ')} ") == ""
    assert code_of(accounts, "ada") == "", "it counts once"
    assert accounts.log_in("ada", "long enough", "") == ""
    assert accounts.log_in("ada", "another one", code) == WRONG
    assert accounts.log_in("mallory", "long enough", code) == WRONG
    (accounts.folder / "codes.txt").unlink()
    assert accounts.log_in("ben", "long enough", "") == WRONG, "no code opens nothing"


def test_who_is_not_named_any_more_stays_outside_and_keeps_the_account(
    accounts: Accounts,
) -> None:
    accounts.log_in("ada", "long enough", code_of(accounts, "ada"))
    accounts.enroll(["ben", "cem"])
    assert accounts.log_in("ada", "long enough", "") == WRONG
    assert not accounts.may_stay("ada")
    assert accounts.learners() == {"ben": UID + 1, "cem": UID + 2}
    assert accounts.enroll(["ada", "ben"]) == []
    assert accounts.log_in("ada", "long enough", "") == ""
    assert accounts.learners()["ada"] == UID


def test_a_forgotten_password_needs_a_new_code(accounts: Accounts) -> None:
    accounts.log_in("ada", "long enough", code_of(accounts, "ada"))
    accounts.forget("ada")
    assert not accounts.may_stay("ada")
    assert accounts.log_in("ada", "long enough", "") != ""
    assert accounts.log_in("ada", "a new password", code_of(accounts, "ada")) == ""
    with pytest.raises(ValueError, match="No learner is called cem; there are ada, ben"):
        accounts.forget("cem")


def test_a_list_that_grows_or_changes_its_kind_keeps_everybody(accounts: Accounts) -> None:
    addresses = [Learner("ada", "ada@a.example"), Learner("ada", "ada@b.example")]
    assert accounts.enroll(addresses) == ["ada-2"], "the first is who was here as ada"
    assert accounts.words(["ada", "ada-2"])["ada-2"] == "ada@b.example"
    assert accounts.enroll(addresses[::-1]) == []
    assert accounts.name_of(" ADA@b.example ") == "ada-2"
    assert accounts.name_of("Ada") == "ada"
    assert accounts.name_of("ada@c.example") == ""
    assert accounts.enroll([addresses[1]]) == []
    assert accounts.learners() == {"ada-2": UID + 2}
    assert accounts.enroll([Learner("ada", "ada@c.example")]) == ["ada-3"], "not ada's files"


def test_a_change_of_password_asks_for_the_old_one_and_ends_the_sessions(
    accounts: Accounts,
) -> None:
    accounts.log_in("ada", "long enough", code_of(accounts, "ada"))
    before = accounts.session_of("ada")
    said = accounts.change_password("ada", "guessed", "another one")
    assert said == "The old password is wrong."
    assert accounts.session_of("ada") == before
    assert accounts.change_password("ada", "long enough", "another one") == ""
    changed = accounts.session_of("ada")
    assert changed != before
    accounts.forget("ada")
    assert accounts.session_of("ada") not in (before, changed)
    assert accounts.log_in("ada", "another one", "") == WRONG


def test_an_unused_name_takes_as_long_as_one_that_is_not_there(accounts: Accounts) -> None:
    accounts.log_in("ada", "long enough", code_of(accounts, "ada"))

    def shortest(name: str) -> float:
        times = []
        for _ in range(5):
            began = time.thread_time()  # of this thread alone, whatever else is going on
            assert accounts.log_in(name, "a guess of mine", "x") == WRONG
            times.append(time.thread_time() - began)
        return min(times)

    used, unused, unknown = map(shortest, ("ada", "ben", "mallory"))
    assert used / 2 < unused < 2 * used
    assert used / 2 < unknown < 2 * used


def test_files_are_private_hold_no_password_and_are_named_if_damaged(
    accounts: Accounts,
) -> None:
    accounts.log_in("ada", "long enough", code_of(accounts, "ada"))
    for name in ("accounts.json", "codes.txt"):
        path = accounts.folder / name
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert "long enough" not in path.read_text()
    assert scramble("long enough") != scramble("long enough"), "salted"
    (accounts.folder / "accounts.json").write_text("{")
    with pytest.raises(ValueError, match=r"accounts\.json is damaged; bring it back from"):
        accounts.log_in("ada", "long enough", "")


# -- limits ----------------------------------------------------------------------


def test_a_training_uses_no_more_threads_than_its_share() -> None:
    assert [Limits(cpus=n).threads for n in (0.5, 1, 1.9, 4)] == [1, 1, 1, 4]


def test_groups_of_version_2(tmp_path: Path) -> None:
    own = tmp_path / "srlab-classroom" / str(UID)
    own.mkdir(parents=True)
    controls = ("../../cgroup.controllers", "../../cgroup.subtree_control")
    limits = ("memory.max", "memory.swap.max", "cpu.max", "pids.max")
    for name in (*controls, "../cgroup.subtree_control", *limits):
        (own / name).touch()
    assert make_groups(UID, Limits(memory=2, cpus=0.5), tmp_path) == [own]
    assert (own / "cpu.max").read_text() == "50000 100000\n"
    assert (own / "memory.max").read_text() == f"{2**31}\n"
    assert make_groups(UID, Limits(), tmp_path / "nowhere") == []


@needs_root
def test_a_real_group_ends_who_takes_too_much() -> None:
    groups = make_groups(UID, Limits(memory=1))
    if not groups:
        pytest.skip("control groups cannot be written here")
    try:
        enter = [f"open('{group}/cgroup.procs', 'w').write('0')" for group in groups]
        code = "; ".join([*enter, "bytearray(b'x') * 2**31"])
        done = subprocess.run([sys.executable, "-c", code])
        assert done.returncode == -signal.SIGKILL
    finally:
        remove_groups(UID)
    assert not groups[0].exists()


# -- the folder ------------------------------------------------------------------


@needs_root
def test_what_is_no_folder_for_a_room_is_told(state: Path) -> None:
    with pytest.raises(ValueError, match=r"Nobody could log in .* --learners names\.txt\."):
        prepare(Room(state), None)
    shutil.rmtree(state)
    state.touch()
    with pytest.raises(ValueError, match="is a file; give the name of a folder"):
        prepare(Room(state), ["ada"])
    state.unlink()
    state.mkdir()
    os.chown(state, 1234, 1234)
    with pytest.raises(ValueError, match=r"belongs to another user \(number 1234\)"):
        prepare(Room(state), ["ada"])


@needs_root
def test_a_readonly_and_a_full_disk_are_one_sentence(state: Path, command: Command) -> None:
    state.mkdir()
    names = names_file(state.parent, "ada\nben\n")
    for options, said in (("size=4k", "space"), ("ro", "read-only")):
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", state])
        if mounted.returncode:
            pytest.skip("this container may not mount")
        try:
            done = command("classroom", state, "--learners", names)
        finally:
            subprocess.run(["umount", state], check=True)
        assert done.returncode == 2
        assert re.fullmatch(rf"srlab: .*{said}.*\n", done.stderr), done.stderr


def test_many_learners_need_root(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Room, "as_root", False)
    with pytest.raises(ValueError, match="2 learners need root on Linux, since only root can"):
        prepare(Room(state), ["ada", "ben"])
    assert prepare(Room(state), ["ada"]) == ["ada"]
    with pytest.raises(ValueError, match=f"too many for one machine; {LEARNERS} at most"):
        prepare(Room(state), [f"a{n}" for n in range(LEARNERS + 1)])


@needs_root
def test_numbers_of_the_system_and_of_containers_are_left_alone(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match=r"^The user \w+ has one of .* with --first-uid"):
        prepare(Room(state, first_uid=0), ["ada"])
    monkeypatch.setattr(claims, "CONTAINERS", [state.parent / "subuid"])
    (state.parent / "subuid").write_text(f"# of podman\ndora:{UID + 400}:65536\n")
    with pytest.raises(ValueError, match="The containers' user dora has one"):
        prepare(Room(state, first_uid=UID), ["ada"])


@needs_root
def test_two_rooms_never_share_a_number(state: Path, registry: Path) -> None:
    prepare(Room(state, first_uid=UID), ["ada"])
    second = state.parent / "second"
    with pytest.raises(ValueError, match=rf"The classroom {state} has one .* --first-uid"):
        prepare(Room(second, first_uid=UID + LEARNERS), ["ben"])
    assert not (second / "hub" / "accounts.json").exists()
    assert claims.first_number(state) == UID, "known from the last time"
    assert claims.first_number(second) not in range(UID - LEARNERS, UID + LEARNERS + 1)
    prepare(Room(state, first_uid=UID), None)

    moved = state.rename(state.parent / "moved")
    assert claims.first_number(state) not in range(UID - LEARNERS, UID + LEARNERS + 1)
    assert claims.first_number(moved) == UID, "a room that was carried away keeps its own"
    prepare(Room(moved, first_uid=UID), None)
    shutil.copytree(moved, state.parent / "copy")
    with pytest.raises(ValueError, match=f"The classroom {moved} has one"):
        prepare(Room(state.parent / "copy", first_uid=UID), None)
    assert (registry / "classrooms.json").stat().st_mode & 0o777 == 0o600
    shutil.rmtree(moved)
    prepare(Room(second, first_uid=UID), ["ben"])  # what is gone claims nothing


@needs_root
def test_a_number_in_use_by_a_process_is_refused(state: Path) -> None:
    stranger = subprocess.Popen(["sleep", "60"], user=UID + 7, group=0, extra_groups=[])
    try:
        with pytest.raises(ValueError, match=f"A process of user {UID + 7} has one"):
            prepare(Room(state, first_uid=UID), ["ada"])
    finally:
        stranger.kill()
        stranger.wait()


def test_a_room_gives_no_number_beyond_its_own(accounts: Accounts) -> None:
    accounts.enroll([f"a{n}" for n in range(LEARNERS - 2)])
    with pytest.raises(ValueError, match=f"All {LEARNERS} user numbers from {UID} on were"):
        accounts.enroll(["late"])


USUAL: dict[str, Any] = {
    "learners": None, "port": 8000, "memory": 2.0, "cpus": 1.0, "idle": 60,
    "first_uid": None, "forget": None, "end": False,
}  # fmt: skip


@needs_root
def test_links_and_steps_back_in_the_folders_path(state: Path) -> None:
    state.mkdir()
    (state.parent / "link").symlink_to(state, target_is_directory=True)
    names = names_file(state.parent, "ada\n")
    link = state.parent / "link"
    for path in (link, state / ".." / state.name, link / "new"):
        assert open_room(path, **{**USUAL, "learners": names, "end": True}) == 0
    assert (state / "hub" / "accounts.json").exists()
    assert (state / "new" / "hub" / "accounts.json").exists()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"port": 80}, "--port is 80, but 1024 to 65535 are possible"),
        ({"idle": 0}, "--idle is 0 minutes; give 1 or more"),
        ({"first_uid": 100}, "--first-uid is 100, but 10000 to"),
        ({"memory": 0.5}, r"--memory is 0\.5 GiB, but a training takes about 1"),
        ({"memory": float("nan")}, "--memory is nan GiB"),
        ({"cpus": 0}, r"--cpus is 0, but must be more than 0"),
    ],
)
def test_numbers_that_cannot_be(state: Path, given: dict[str, float], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        open_room(state, **{**USUAL, **given})
    assert not state.exists()


# -- starting --------------------------------------------------------------------


def test_the_view_covers_what_is_closed(tmp_path: Path) -> None:
    closed, inner = tmp_path / "closed", tmp_path / "closed" / "inner"
    inner.mkdir(parents=True)
    closed.chmod(0o700)
    assert str(closed) in closed_parents([str(inner)])
    assert outermost({"/a/b", "/a", "/ab", "/c/d"}) == ["/a", "/ab", "/c/d"]


def said_by_learner(room: Room, code: str, **options: Any) -> Any:
    """What a program prints that ada's server would run, read from her log."""
    plan = {**room.plan("ada", UID), "lessons": ["true"]}
    subprocess.run([*room.launcher(plan), sys.executable, "-c", code], check=True, **options)
    return json.loads((room.home("ada") / ".srlab-server.log").read_text())


@needs_root
def test_a_learner_is_nobody_else(state: Path) -> None:
    room = Room(state, first_uid=UID, covered=can_cover())
    prepare(room, ["ada", "ben"])
    try:
        said = what_holds(room)
    except ValueError as error:  # a Python that only root may use, and no namespaces
        pytest.skip(str(error))
    assert "user number of its own" in said[0]
    assert "2 GiB" in said[1]
    room.plan("ben", UID + 1)  # makes the home
    closed = ["/etc/shadow", str(room.home("ben")), str(room.hub)]
    look = (
        "import os, json, resource; "
        f"readable = [os.access(path, os.R_OK) for path in {closed}]; "
        "limit = resource.getrlimit(resource.RLIMIT_DATA)[0]; "
        "print(json.dumps([os.getuid(), os.getgroups(), os.getcwd(), readable, limit]))"
    )
    said = said_by_learner(room, look, extra_groups=[4, 27])
    assert said == [UID, [], str(room.home("ada")), [False] * 3, 2**31]
    assert processes_of(UID) == []


FILL = """
import os, json
def fill(folder):
    size, block = 0, bytes(2**20)
    try:
        with open(f"{folder}/full", "wb") as file:
            while size < 2**31:
                size += file.write(block)
    except OSError:
        pass
    return size
sizes = [fill(each) for each in ("/tmp", "/var/tmp", "/dev/shm")]
tried = os.system("unshare --user --map-root-user --mount mount -t tmpfs none /mnt 2>/dev/null")
others = [n for n in os.listdir("/proc") if n.isdigit() and os.stat(f"/proc/{n}").st_uid == 0]
print(json.dumps([sum(sizes), tried != 0, others]))
"""


@needs_root
def test_no_file_in_memory_escapes_the_limit_without_control_groups(state: Path) -> None:
    room = Room(state, limits=Limits(memory=1), first_uid=UID, covered=can_cover())
    if not room.covered:
        pytest.skip("this container may not mount")
    prepare(room, ["ada"])
    size, barred, others = said_by_learner(room, FILL)
    assert 0 < size <= 2**28, "all together a quarter of the learner's memory"
    assert barred, "no namespace of one's own, in which one could mount more"
    assert others == [], "nor are the processes of others to be seen"


def test_what_is_the_teachers_is_closed(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    course, names = state.parent / "course", names_file(state.parent, "ada\n")
    course.mkdir()
    (course / "TEACHING.md").write_text("answers")
    (course / "README.md").write_text("for all")
    for path in (names, *course.iterdir()):
        path.chmod(0o644)
    monkeypatch.setattr("srlab.classroom.room.course_folder", lambda: course)
    monkeypatch.setattr("srlab.classroom.room.PACKAGE", course / "srlab")
    monkeypatch.setattr(Room, "as_root", True)
    said = [sentence.split()[0] for sentence in close_to_learners(Room(state), names)]
    assert said == [str(course / "TEACHING.md"), str(names)]
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (names, *sorted(course.iterdir()))]
    assert modes == [0o600, 0o644, 0o600]
    assert close_to_learners(Room(state), names) == []


def test_a_silent_computation_is_activity() -> None:
    """Of a thread, or of a command in a terminal."""
    code = "print(flush=True)\ninput()\nwhile True: pass"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", code], **pipes) as process:
        process.stdout.readline()  # its start is work
        activity = Activity()
        time.sleep(1)
        assert not activity.goes_on(["idle"])
        assert activity.goes_on(["idle", "busy"])
        process.stdin.write(b"\n")
        process.stdin.flush()
        try:
            wait_until(lambda: activity.goes_on(["idle"]), timeout=30, what="the computation")
        finally:
            process.kill()


@needs_root
def test_a_python_that_learners_cannot_reach_is_refused(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = Room(state, first_uid=UID, covered=False)
    prepare(room, ["ada"])
    closed = state.parent / "closed"
    closed.mkdir(mode=0o700)
    (closed / "python").symlink_to(sys.executable)
    monkeypatch.setattr(sys, "executable", str(closed / "python"))
    with pytest.raises(ValueError, match=r"Learners cannot run .*; install srlab and Jup"):
        what_holds(room)
    assert not room.home(".probe").exists()


def test_a_server_that_ends_takes_its_own_route_along() -> None:
    proxy = RoomProxy()
    proxy.routes = PythonProxy({"log": logging.getLogger("proxy")})
    servers = {f"/user/{name}/": url_of(f"{name}.sock") for name in ("ada", "ben")}

    async def routes() -> dict[str, str]:
        for path, url in servers.items():
            await proxy.add_route(path, url, {"user": path})
        await proxy.delete_route("/user/ada")
        found = await proxy.get_all_routes()
        return {path: route["target"] for path, route in found.items()}

    assert asyncio.run(routes()) == {"/user/ben/": servers["/user/ben/"]}


def test_a_kill_closes_the_room_also_in_the_background() -> None:
    """A script's ``&`` starts it with Ctrl-C ignored."""

    def unheard(*_: object) -> None:
        pytest.fail("nobody listened")

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    before = signal.signal(signal.SIGTERM, unheard)
    try:
        slow = "import time; time.sleep(9); exit(3)"  # the list is looked at before that
        with subprocess.Popen([sys.executable, "-c", slow]) as hub:
            assert _wait(hub, lambda: signal.raise_signal(signal.SIGTERM)) == 0
            hub.kill()
        assert signal.getsignal(signal.SIGTERM) is unheard
    finally:
        signal.signal(signal.SIGTERM, before)


def test_jupyter_leaves_out_the_same_as_make_lab() -> None:
    clone = ROOT / ".jupyter" / "etc"
    names = [path.relative_to(clone) for path in clone.rglob("*.json")]
    assert names
    for name in names:
        assert (CLASSROOM / "jupyter" / name).read_text() == (clone / name).read_text()


# -- several machines ------------------------------------------------------------

# Of the chart's schema, version 4: the keys that values.yaml uses, no others.
CHART = {
    "hub": {"config", "networkPolicy"},
    "proxy": {"service"},
    "singleuser": {
        "cloudMetadata", "cmd", "cpu", "defaultUrl", "extraEnv", "image", "lifecycleHooks",
        "memory", "networkPolicy", "startTimeout", "storage",
    },
    "prePuller": {"hook", "continuous"},
    "cull": {"enabled", "timeout", "every"},
}  # fmt: skip


@pytest.fixture
def values() -> dict[str, Any]:
    return yaml.safe_load((CLASSROOM / "values.yaml").read_text())


def test_the_values_are_the_charts_and_close_what_must_be_closed(
    values: dict[str, Any],
) -> None:
    for name, section in values.items():
        assert section.keys() <= CHART[name], name
    single, hub = values["singleuser"], values["hub"]
    assert hub["config"]["NativeAuthenticator"]["open_signup"] is False
    assert "extraConfig" not in hub
    assert single["memory"]["limit"] == "2G"
    assert single["networkPolicy"]["enabled"] is hub["networkPolicy"]["enabled"] is True
    assert single["networkPolicy"]["egressAllowRules"]["privateIPs"] is False
    assert values["proxy"]["service"]["type"] == "ClusterIP", "nothing public by itself"
    assert values["cull"]["enabled"] is True


def test_the_hook_brings_the_lessons(values: dict[str, Any], tmp_path: Path) -> None:
    """The very command, in a home of its own."""
    hook = values["singleuser"]["lifecycleHooks"]["postStart"]["exec"]["command"]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(hook, env={"HOME": str(tmp_path), "PATH": path}, check=True)
    page = values["singleuser"]["defaultUrl"].removeprefix("/lab/tree/")
    assert (tmp_path / page).is_file()
    (tmp_path / "srlab-lessons" / ".srlab-course.json").write_text("damaged")
    subprocess.run(hook, env={"HOME": str(tmp_path), "PATH": path}, check=True)


def test_repo2docker_installs_srlab_after_copying_it() -> None:
    """It copies the whole repository first if, and only if, pip gets a local path."""
    conda = yaml.safe_load((ROOT / "environment.yml").read_text())
    [by_pip] = [part["pip"] for part in conda["dependencies"] if isinstance(part, dict)]
    assert "-e ." in by_pip
    taken_instead = ("Dockerfile", "binder", ".binder", "requirements.txt", "setup.py")
    assert not [name for name in taken_instead if (ROOT / name).exists()]
