"""Uploads in pieces: nothing lost, nothing kept twice, nothing half."""

import threading
import time
from typing import Any

import pytest

from srlab.widgets.kit import upload as kit_upload
from srlab.widgets.kit.upload import LOST, Inbox, TakesFiles, Upload
from tests.watching import wait_for

LIMIT = 1000


class Receiver(TakesFiles):
    """A lab that does nothing but take files."""

    def __init__(self, take: Any):
        super().__init__()
        self.take_files(
            take, accept="image/*", wanted="a picture", limit=LIMIT, advice="shrink it first."
        )

    def summary(self) -> str:
        return "A receiver."


class Page:
    """What ``upload.js`` does, without a browser: it sends, and keeps the answers."""

    def __init__(self, lab: Receiver):
        self.lab, self.number = lab, 0
        self.answers: list[dict[str, Any]] = []
        lab.observe(lambda change: self.answers.append(change["new"]), "received")

    @property
    def inbox(self) -> Inbox:
        assert self.lab.inbox is not None
        return self.lab.inbox

    def tell(self, kind: str, upload: str, piece: bytes = b"", **about: Any) -> dict[str, Any]:
        """Send a message; its answer, or an empty one."""
        self.number += 1
        content = {"press": kind, "upload": upload, "number": self.number, **about}
        self.answers.clear()
        buffers = [memoryview(piece)] if kind == "piece" else []
        self.lab._handle_custom_msg(content, buffers)
        return self.answers[0] if self.answers else {}

    def piece(self, upload: str, data: bytes, at: int, to: int, **about: Any) -> dict[str, Any]:
        said = {"name": "a.png", "size": len(data), "first": True, "at": at, **about}
        return self.tell("piece", upload, data[at:to], **said)


@pytest.fixture
def came() -> list[Upload]:
    return []


@pytest.fixture
def page(came: list[Upload]) -> Page:
    return Page(Receiver(came.append))


def send(page: Page, data: bytes, upload: str = "u", step: int = 7, **about: Any) -> None:
    for at in range(0, max(len(data), 1), step):
        assert "why" not in page.piece(upload, data, at, at + step, **about)


@pytest.mark.parametrize("count", [0, 1, 6, 7, 8, LIMIT])
def test_the_pieces_become_the_file(page: Page, came: list[Upload], count: int) -> None:
    data = bytes(i % 251 for i in range(count))
    send(page, data)
    assert came == [Upload("a.png", data, True)]
    assert page.answers == [{"upload": "u", "number": page.number, "have": count}]
    assert page.inbox._part is page.inbox._timer is None, "and nothing is kept"


def test_each_answer_says_how_much_is_here(page: Page, came: list[Upload]) -> None:
    data = b"0123456789"
    assert page.piece("u", data, 0, 4)["have"] == 4
    assert page.piece("u", data, 4, 8)["have"] == 8
    assert came == []
    assert page.piece("u", data, 8, 10)["have"] == 10
    assert len(came) == 1


def test_what_is_lost_on_the_way_is_sent_again(page: Page, came: list[Upload]) -> None:
    data = b"0123456789"
    page.piece("u", data, 0, 4)
    assert page.piece("u", data, 8, 10)["have"] == 4, "a piece between was lost"
    assert page.piece("u", data, 0, 4)["have"] == 4, "an answer was lost"
    assert page.tell("where", "u")["have"] == 4
    page.piece("u", data, 4, 10)
    assert page.piece("u", data, 4, 10)["have"] == 10, "the last answer was lost"
    assert page.tell("where", "u")["have"] == 10
    assert [file.data for file in came] == [data], "it came once"


def test_too_large_a_file_is_refused_before_anything_is_kept(
    page: Page, came: list[Upload]
) -> None:
    said = page.piece("u", bytes(LIMIT + 1), 0, 7, name="wide.png")["why"]
    assert said == "wide.png has 1 kB, but at most 1 kB can be sent; shrink it first."
    assert page.inbox._part is None
    assert page.piece("u", bytes(LIMIT + 1), 7, 14)["why"] == LOST
    send(page, b"next", "v")
    assert came == [Upload("a.png", b"next")], "the next one comes"


def test_a_file_that_lies_about_its_size_is_not_kept(page: Page, came: list[Upload]) -> None:
    said = page.piece("u", bytes(900), 0, 900, size=5)["why"]
    assert said == "a.png grew while it was sent; choose it again."
    assert page.inbox._part is None
    assert came == []


def test_a_new_one_takes_the_place_of_half_a_one(page: Page, came: list[Upload]) -> None:
    page.piece("u", b"0123456789", 0, 4)
    send(page, b"other", "v")
    assert page.tell("where", "u")["why"] == LOST
    assert page.piece("u", b"0123456789", 4, 8)["why"] == LOST
    assert [file.data for file in came] == [b"other"]


def test_cancel_forgets_half_a_file_but_no_other(page: Page) -> None:
    page.piece("u", b"0123456789", 0, 4)
    assert page.tell("cancel", "v") == {}
    assert page.inbox._part is not None
    page.tell("cancel", "u")
    assert page.inbox._part is page.inbox._timer is None


def test_half_a_file_is_not_kept_for_ever(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kit_upload, "SECONDS_KEPT", 0.3)
    page.piece("u", b"0123456789", 0, 4)
    for _ in range(4):  # as long as the page is heard, it is kept
        time.sleep(0.15)
        assert page.tell("where", "u") == {"upload": "u", "number": page.number, "have": 4}
    wait_for(lambda: page.inbox._part is None, "it to be forgotten")
    assert page.tell("where", "u")["why"] == LOST


def test_a_closed_button_keeps_nothing(page: Page) -> None:
    page.piece("u", b"0123456789", 0, 4)
    page.lab.close()
    assert page.inbox._part is page.inbox._timer is None


def test_a_name_is_no_path(page: Page, came: list[Upload]) -> None:
    send(page, b"x", name="../../etc/a.png")
    assert came[0].name == "a.png"


def test_pieces_may_come_on_any_thread(page: Page, came: list[Upload]) -> None:
    """The same piece on many threads at once counts once."""
    data = bytes(range(200))
    for at in range(0, 200, 50):
        threads = [
            threading.Thread(target=page.piece, args=("u", data, at, at + 50)) for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [file.data for file in came] == [data]


def test_a_page_that_is_answered_waits_for_no_work() -> None:
    """The answer goes before what is made of the file, which may take long."""
    order: list[str] = []
    page = Page(Receiver(lambda _: order.append("taken")))
    page.lab.observe(lambda _: order.append("answered"), "received")
    page.piece("u", b"x", 0, 1)
    assert order == ["answered", "taken"]


def test_the_page_knows_what_may_come(page: Page) -> None:
    assert page.lab.upload == {
        "accept": "image/*", "wanted": "a picture", "limit": LIMIT, "most": "1 kB",
        "advice": "shrink it first.", "multiple": True,
    }  # fmt: skip
