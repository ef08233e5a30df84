"""A room in real browsers: what one learner does, the others do not notice."""

import os
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from playwright.sync_api import Browser, Error

from srlab.classroom.limits import processes_of
from tests.browser.lab import browser_page, wait_until
from tests.classroom import SCRATCH, Classroom, Desk, needs_root

pytestmark = [pytest.mark.browser, needs_root]

NAMES = ["ada", "ben", "cem"]


@pytest.fixture
def classroom() -> Iterator[Classroom]:
    with Classroom(NAMES, "--memory", "1.5") as classroom:
        yield classroom


@pytest.fixture
def desks(browser: Browser, classroom: Classroom) -> Iterator[list[Desk]]:
    with ExitStack() as pages:
        yield [
            Desk(classroom, name, pages.enter_context(browser_page(browser)))
            for name in [*NAMES, "mallory"]
        ]


def test_learners_side_by_side(classroom: Classroom, desks: list[Desk]):
    ada, ben, cem, mallory = desks  # one start of the hub costs most, so they share it
    a_stranger_and_an_impostor_stay_outside(classroom, ben, mallory)
    codes = [classroom.code(name) for name in NAMES]
    for desk in (ada, ben):
        desk.come_in()
    for desk in (ada, ben):
        desk.sit_down()
        desk.lab.ask(f"mine = '{desk.name} was here'")
    the_lessons_are_theirs(ada)
    neither_reads_what_is_the_others(ada, ben)
    the_limits_hold(ada)
    assert classroom.listening() == {"127.0.0.1"}

    ada.crash_kernel()
    assert ben.lab.ask("print(mine)") == "ben was here"

    the_hub_dies_while_somebody_logs_in(classroom, cem)
    the_restarted_hub_keeps_everything(ada, ben, cem)
    nothing_secret_is_in_a_log(classroom, [*codes, *ada.secrets(), *ben.secrets()], cem)
    the_lesson_ends(classroom)


def a_stranger_and_an_impostor_stay_outside(classroom: Classroom, ben: Desk, mallory: Desk):
    mallory.log_in("long enough", classroom.code("ben"))
    assert "Name or password is wrong" in mallory.refusal()
    assert not mallory.home.exists()
    ben.log_in("long enough", "")
    assert "Name or password is wrong" in ben.refusal(), "the same as for a stranger"
    ben.log_in("short", classroom.code("ben"))
    assert "at least 8 characters" in ben.refusal()


def the_lessons_are_theirs(desk: Desk):
    uid = int(desk.lab.ask("import os; print(os.getuid())"))
    assert uid == desk.classroom.first_uid
    lesson = desk.home / "srlab-lessons" / "01_pixel_loss.ipynb"
    assert lesson.stat().st_uid == uid
    assert desk.home.stat().st_mode & 0o777 == 0o700
    assert desk.lab.ask("import srlab, torch; print(torch.get_num_threads())") == "1"


def neither_reads_what_is_the_others(ada: Desk, ben: Desk):
    for path in (
        ben.home / "srlab-lessons" / SCRATCH,
        ben.classroom.room.hub / "accounts.json",
    ):
        assert path.exists()
        with pytest.raises(Error, match=r"FileNotFoundError|PermissionError"):
            ada.lab.ask(f"open({str(path)!r}).read()")
    ben.lab.ask("open('/tmp/note', 'w').write('of ben')")
    assert ada.lab.ask("import os; print(os.path.exists('/tmp/note'))") == "False"
    with pytest.raises(Error, match="PermissionError"):
        ada.lab.ask(f"os.kill({processes_of(ben.classroom.first_uid + 1)[0]}, 9)")
    # In the browser: a page of its own, since JupyterLab stays open beside it.
    with ada.page.context.expect_page() as opened:
        ada.page.evaluate("() => void window.open('about:blank')")
    other = opened.value
    for address in (ben.url("lab"), ben.url("api/contents"), ada.site("hub/admin")):
        assert other.goto(address).status == 403, address
    assert "mine" not in other.content()
    other.close()


def the_limits_hold(ada: Desk):
    with pytest.raises(Error, match="MemoryError"):
        ada.lab.ask("len(bytearray(2 * 2**30))")
    with pytest.raises(Error, match=r"PermissionError|Operation not permitted"):
        ada.lab.ask("os.setuid(0)")
    assert ada.lab.ask("print(mine)") == "ada was here"


def the_hub_dies_while_somebody_logs_in(classroom: Classroom, cem: Desk):
    cem.fill_in(cem.password, classroom.code("cem"), after="/hub/home")
    code = classroom.code("cem")
    cem.page.click("#login_submit", no_wait_after=True)
    assert "started again it goes on" in classroom.kill_hub()
    classroom.start()
    cem.log_in(cem.password, code, after="/hub/home")
    cem.page.wait_for_url("**/hub/home")


def the_restarted_hub_keeps_everything(ada: Desk, ben: Desk, cem: Desk):
    assert ben.page.goto(ben.site("hub/home")).status == 200
    assert "/hub/home" in ben.page.url, "still logged in"
    ben.lab.open(SCRATCH)
    assert ben.lab.ask("print(mine)") == "ben was here"
    ada.lab.open(SCRATCH)
    cem.page.context.clear_cookies()
    cem.log_in(cem.password, "", after="/hub/home")  # the password alone, from now on
    cem.page.wait_for_url("**/hub/home")


def nothing_secret_is_in_a_log(classroom: Classroom, secret: list[str], cem: Desk):
    cookie = (classroom.room.hub / "cookie_secret").read_text().strip()
    log = classroom.log()
    assert "ada" in log
    for text in [*secret, cem.password, cookie]:
        assert text not in log
    assert {path.stat().st_mode & 0o777 for path in classroom.room.hub.iterdir()} == {0o600}


def the_lesson_ends(classroom: Classroom):
    assert "--end ends them" in classroom.stop()
    uids = [classroom.first_uid, classroom.first_uid + 1]
    assert all(map(processes_of, uids)), "the servers outlive the hub"
    assert "ended the servers of 2 learners" in classroom.end()
    wait_until(lambda: not any(map(processes_of, uids)), what="the servers to end")
    assert os.listdir(classroom.room.home("ada") / "srlab-lessons")
