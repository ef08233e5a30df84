"""The teacher's admin page in a real browser, and what it does not give away."""

import os
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from srlab.classroom.limits import processes_of
from tests.browser.lab import browser_page, wait_until
from tests.classroom import Classroom, Desk, Visitor, needs_root

pytestmark = [pytest.mark.browser, needs_root]

NAMES = ["ada", "ben", "anna"]
ASK = """async ([method, path, body]) => (await fetch(`/hub/api/${path}`, {
  method, body: body && JSON.stringify(body),
  headers: {"X-XSRFToken": window.jhdata.xsrf_token, "Content-Type": "application/json"},
})).status"""


def ask(page: Page, method: str, path: str, body: Any = None) -> int:
    """The status of a call of the hub's interface, as a script of the page would make it."""
    return page.evaluate(ASK, [method, path, body])


def log_in(page: Page, classroom: Classroom, name: str) -> None:
    code = classroom.code(name)
    Desk(classroom, name, page).log_in("long enough", code, after="/hub/home")
    page.wait_for_url("**/hub/home")


@pytest.mark.parametrize("enter", [False, True], ids=["usual", "may enter"])
def test_a_teacher_sees_who_is_in_and_stops_a_server(browser: Browser, enter: bool) -> None:
    options = ["--memory", "1.5", "--teacher", "anna", *(["--teachers-enter"] if enter else [])]
    with Classroom(NAMES, *options) as classroom, browser_page(browser) as page:
        ada = Visitor(classroom, "ada")
        assert ada.log_in("long enough", classroom.code("ada")) == 200
        ada.start_server()
        log_in(page, classroom, "anna")
        a_learners_files_can_be_read(page, classroom)
        entered = page.goto(f"http://127.0.0.1:{classroom.port}/user/ada/lab")
        assert entered.status == (200 if enter else 403)
        if enter:
            page.get_by_role("button", name="Authorize").click()
            page.wait_for_url("**/user/ada/lab*")
        page.goto(f"http://127.0.0.1:{classroom.port}/hub/admin")
        row = page.get_by_test_id("user-row-ada")
        row.wait_for()
        assert page.get_by_test_id("user-row-ben").count() == 0, "was never here"
        no_administrators_rights(page)
        row.get_by_role("button", name="Stop Server").click()
        uid = classroom.first_uid
        wait_until(lambda: not processes_of(uid), what="ada's server to stop")
        with browser_page(browser) as other:
            a_learner_has_no_such_page(other, classroom)


def a_learners_files_can_be_read(page: Page, classroom: Classroom) -> None:
    """As files to keep, never as a page that could run with the teacher's rights."""
    home = classroom.room.home("ada")
    (home / "<b>evil.html").write_text("<script>alert(1)</script>")
    (home / "link").symlink_to(classroom.room.hub / "accounts.json")
    os.chown(home / "<b>evil.html", classroom.first_uid, classroom.first_uid)
    page.get_by_role("link", name="Learners' files").click()
    page.get_by_role("link", name="ada").click()
    page.get_by_role("link", name="srlab-lessons/").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="01_pixel_loss.ipynb").click()
    assert b'"cells"' in download.value.path().read_bytes()
    page.goto(f"http://127.0.0.1:{classroom.port}/hub/learners/ada/")
    evil = page.get_by_role("link", name="<b>evil.html").get_attribute("href")
    answer = page.request.get(f"http://127.0.0.1:{classroom.port}{evil}")
    assert answer.text() == "<script>alert(1)</script>"
    assert answer.headers["content-disposition"].startswith("attachment")
    assert "sandbox" in answer.headers["content-security-policy"]
    for place, status in {
        "ada/link": 404, "ada/nothing": 404, "mallory/": 404, "anna/": 404,
        "ada/../../hub/accounts.json": 404, "ada/%2e%2e/%2e%2e/hub/accounts.json": 404,
        "ada/%2fetc%2fpasswd": 404,
    }.items():  # fmt: skip
        address = f"http://127.0.0.1:{classroom.port}/hub/learners/{place}"
        answer = page.request.get(address)
        assert answer.status == status, place
        assert "password" not in answer.text()


def no_administrators_rights(page: Page) -> None:
    """Neither by hand nor by a script that got hold of the teacher's page."""
    for method, path, body in (
        ("POST", "users/mallory", {}),
        ("POST", "users", {"usernames": ["mallory"]}),
        ("DELETE", "users/ada", None),
        ("PATCH", "users/ada", {"admin": True}),
        ("PATCH", "users/anna", {"admin": True}),
        ("POST", "users/ada/tokens", {}),
        ("GET", "users/ada/tokens", None),
        ("POST", "users/ben/server", {}),
        ("POST", "shutdown", {}),
        ("POST", "groups/all", {}),
        ("GET", "proxy", None),
        ("GET", "services", None),
    ):
        status = ask(page, method, path, body)
        allowed = path == "services" and status == 200  # an empty list
        assert allowed or status in (403, 404), (method, path, status)


def a_learner_has_no_such_page(page: Page, classroom: Classroom) -> None:
    log_in(page, classroom, "ben")
    assert ask(page, "GET", "users") == 403
    assert ask(page, "DELETE", "users/anna/server") in (403, 404)
    for place in ("admin", "learners", "learners/ada/", "learners/ada/srlab-lessons/"):
        assert page.goto(f"http://127.0.0.1:{classroom.port}/hub/{place}").status == 403, place
