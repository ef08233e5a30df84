"""Attacks on a real room, run by learners of it: none may give them anything."""

import json
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress

from srlab.classroom.limits import processes_of
from tests.browser.lab import wait_until
from tests.classroom import Classroom, Visitor, needs_root

pytestmark = needs_root

BEGIN = """
import itertools, json, os, select, socket, sys, time
os.setgroups([]), os.setresgid(*[{0}] * 3), os.setresuid(*[{0}] * 3)
"""

# Takes every port it can get, in every way, and says what it is sent for a while.
TAKE = """
ports, seconds = json.loads(sys.argv[1]), float(sys.argv[2])
here = (socket.AF_INET, "127.0.0.1"), (socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::1")
taken, sent = [], []
for port, (family, address), again, shared in itertools.product(ports, here, (0, 1), (0, 1)):
    one = socket.socket(family)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, again)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, shared)
    try:
        one.bind((address, port))
        one.listen()
        taken.append(one)
    except OSError:
        pass
print("ready", flush=True)
end = time.monotonic() + seconds
while time.monotonic() < end:
    for one in select.select(taken, [], [], 0.1)[0]:
        sent.append(one.accept()[0].recv(10_000).decode())
print(json.dumps({"taken": [one.getsockname() for one in taken], "sent": sent}))
"""


def as_learner(uid: int, code: str, *arguments: str) -> "subprocess.Popen[str]":
    """A process of a learner, outside of the cage: it may use this test's Python."""
    command = [sys.executable, "-c", BEGIN.format(uid) + code, *arguments]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd="/"
    )


class Thief:
    """A learner's process that waits where the hub and the servers were."""

    def __init__(self, uid: int, ports: list[int], seconds: float):
        self.process = as_learner(uid, TAKE, json.dumps(ports), str(seconds))
        assert self.process.stdout.readline() == "ready\n"

    def loot(self) -> dict[str, list[object]]:
        return json.loads(self.process.communicate(timeout=60)[0])


def ports_spoken_of(classroom: Classroom) -> list[int]:
    """The site's, those beside it, and those of servers in the hub's memory."""
    memory = sqlite3.connect(classroom.room.hub / "jupyterhub.sqlite")
    with closing(memory):
        found = memory.execute("select port from servers").fetchall()
    servers = [port for (port,) in found if port > 1023]
    return [classroom.port, classroom.port + 1, classroom.port + 2, *servers]


def test_what_a_learner_tries_while_others_work() -> None:
    with Classroom(["ada", "ben"]) as classroom:  # a start of the hub costs most
        ada, ben = Visitor(classroom, "ada"), Visitor(classroom, "ben")
        for one in (ada, ben):
            assert one.log_in("long enough", classroom.code(one.name)) == 200
        ada.start_server()
        thief = with_cookies_of(ada)
        ada = a_new_password_shuts_out(thief, ada)
        nobody_takes_the_place_of_a_hub_that_is_away(classroom, ada)
        assert not thief.is_in(), "a hub that starts again does not forget it"
        another_room_beside_it_stays_apart(classroom)
        no_other_learner_reaches_a_server(classroom, ben)
        an_unused_name_is_like_one_that_is_not_there(classroom)
        guesses_keep_nobody_out(classroom)
        a_learner_comes_in_while_the_room_runs(classroom)
        a_forgotten_password_ends_it_too(classroom)


def with_cookies_of(visitor: Visitor) -> Visitor:
    thief = Visitor(visitor.room, visitor.name)
    for cookie in visitor.jar:
        thief.jar.set_cookie(cookie)
    assert thief.is_in()
    return thief


def a_new_password_shuts_out(thief: Visitor, ada: Visitor) -> Visitor:
    """Ada, who has logged in with it and has started a new server."""
    fields = {"old": "guessed at", "password": "another one"}
    assert "The old password is wrong" in thief.ask("hub/auth/change-password", fields)[1]
    page = ada.ask("hub/auth/change-password", {**fields, "old": "long enough"})[1]
    assert "every session has ended" in page
    uid = ada.room.first_uid
    wait_until(lambda: not processes_of(uid), timeout=20, what="the old server's end")
    again = Visitor(ada.room, "ada")
    assert again.log_in("another one") == 200
    assert "auth/change-password" in again.ask("hub/home")[1]
    again.start_server()
    assert not thief.is_in()
    assert not thief.reaches_server()
    return again


def nobody_takes_the_place_of_a_hub_that_is_away(classroom: Classroom, ada: Visitor) -> None:
    ports, second = ports_spoken_of(classroom), classroom.first_uid + 1
    for leave in (classroom.stop, classroom.kill_hub):
        leave()
        assert processes_of(classroom.first_uid), "the server outlives the hub"
        thief = Thief(second, ports, 2)
        for path in ("hub/home", "user/ada/lab"):
            with suppress(OSError):
                ada.ask(path)
        loot = thief.loot()
        site = [where for where in loot["taken"] if where[1] == classroom.port]
        assert (site, loot["sent"]) == ([], []), "a learner had the site's port"
        classroom.start()
    assert ada.is_in()
    assert ada.reaches_server(), "the kernels are still there"


def another_room_beside_it_stays_apart(classroom: Classroom) -> None:
    with Classroom(["ben"]) as second:
        ben = Visitor(second, "ben")
        assert ben.log_in("long enough", second.code("ben")) == 200
        ben.start_server()
        secret = classroom.room.home("ada") / "secret.txt"
        secret.write_text("of ada")
        ada_uid, ben_uid = classroom.uid("ada"), second.uid("ben")
        assert ben_uid not in classroom.room.accounts.uids()
        for path in (secret, f"/proc/{processes_of(ada_uid)[0]}/environ"):
            done = as_learner(ben_uid, f"print(open({str(path)!r}).read())")
            assert "PermissionError" in done.communicate(timeout=30)[0], path
        assert "of 1 learners" in second.end()
        assert processes_of(ada_uid)
        assert not processes_of(ben_uid)


def no_other_learner_reaches_a_server(classroom: Classroom, ben: Visitor) -> None:
    assert not ben.reaches_server("ada")
    uid = classroom.first_uid
    uid_socket = str(classroom.room.hub / f"{uid}.sock")
    knock = f"socket.socket(socket.AF_UNIX).connect({uid_socket!r})"
    done = as_learner(uid + 1, knock)
    assert "PermissionError" in done.communicate(timeout=30)[0]
    folder = classroom.room.hub
    assert [path.name for path in folder.glob("*.sock")] == [f"{uid}.sock"]
    assert folder.stat().st_mode & 0o777 == 0o700
    assert classroom.listening() == {"127.0.0.1"}


def an_unused_name_is_like_one_that_is_not_there(classroom: Classroom) -> None:
    classroom.rewrite_names(["ada", "ben", "cem"])
    classroom.heard("new codes for cem")
    answers = []
    for name in ("cem", "mallory"):
        visitor = Visitor(classroom, name)
        visitor.ask("hub/login")
        fields = {"username": name, "password": "a guess of mine", "code": "x"}
        status, page = visitor.ask("hub/login", fields)
        answers.append((status, "Name or password is wrong" in page))
    assert answers == [(403, True)] * 2


def guesses_keep_nobody_out(classroom: Classroom) -> None:
    """Also not when there are more of them than anybody can look at."""

    def guess(number: int) -> None:
        Visitor(classroom, "ben").log_in(f"guess number {number}")

    known, new = Visitor(classroom, "ben"), Visitor(classroom, "ben")
    assert known.log_in("long enough") == 200
    guess(0)
    began = time.monotonic()
    assert new.log_in("long enough") == 200
    assert time.monotonic() - began < 2
    with ThreadPoolExecutor(24) as pool:
        guesses = [pool.submit(guess, number) for number in range(48)]
        time.sleep(0.5)
        began = time.monotonic()
        assert known.log_in("long enough") == 200, "a browser that ben has used"
        assert time.monotonic() - began < 5
        assert Visitor(classroom, "ada").log_in("another one") == 200, "another name"
        for each in guesses:
            each.result()


def a_learner_comes_in_while_the_room_runs(classroom: Classroom) -> None:
    cem = Visitor(classroom, "cem")
    code = classroom.code("cem")
    assert cem.log_in("short", code) == 403
    assert cem.log_in("long enough", "wrong") == 403
    assert classroom.code("cem") == code, "no failed attempt uses it up"
    assert cem.log_in("long enough", code) == 200
    classroom.rewrite_names(["ada", "ben"])
    wait_until(lambda: not cem.is_in(), timeout=10, what="the door to close for cem")
    classroom.rewrite_names(["ada", "ben", "../x"])
    classroom.heard("The list of before still holds")


def a_forgotten_password_ends_it_too(classroom: Classroom) -> None:
    ada = Visitor(classroom, "ada")
    assert ada.log_in("another one") == 200
    ada.start_server()
    assert "new codes for ada" in classroom.forget("ada")
    wait_until(lambda: not processes_of(classroom.first_uid), timeout=5, what="its end")
    assert Visitor(classroom, "ada").log_in("a third one", classroom.code("ada")) == 200
    assert not ada.is_in()
    assert not ada.reaches_server()
