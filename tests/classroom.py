"""A classroom of our own, for the browser's tests and the bench."""

import http.cookiejar
import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

import nbformat
import psutil
import pytest
from playwright.sync_api import Error, Page

from srlab.classroom.limits import end_processes, processes_of, remove_groups
from srlab.classroom.room import Room
from tests.browser.lab import LabPage, _family, wait_until

SCRATCH = "scratch.ipynb"


IS_ROOT = sys.platform == "linux" and os.getuid() == 0
WHY_NOT = "several learners need root on Linux"
needs_root = pytest.mark.skipif(not IS_ROOT, reason=WHY_NOT)


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """While it lasts, no other process of the tests is in here.

    Rooms that open in the same moment would find the same user numbers free.
    """
    import fcntl  # not on Windows, where there are no such rooms

    with (Path(tempfile.gettempdir()) / "srlab-rooms.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


class Classroom:
    """``srlab classroom`` with these learners, on a port of its own.

    Args:
        names: of the learners.
        options: more for the command, such as ``("--memory", "1.5")``.
    """

    def __init__(self, names: list[str], *options: str):
        self.names, self.options = names, options
        self.port = free_port()

    def __enter__(self) -> Self:
        # Not below pytest's own folders, which are closed to all but root.
        self.state = Path(tempfile.mkdtemp(prefix="srlab-classroom-"))
        self.room = Room(self.state, self.port)
        self.said = ""
        try:
            self.start()
        except BaseException:
            self.clean_up()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.clean_up()

    def start(self) -> None:
        """Open the room, for the first time or again."""
        self.rewrite_names(self.names)
        with one_at_a_time():
            self._process = subprocess.Popen(
                self._command("--learners", str(self.state / "names.txt")),
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            )  # fmt: skip
            while line := self._process.stdout.readline():
                self.said += line
                if line.startswith("open "):
                    return
        if "Learners cannot run" in self.said:  # a container without mount namespaces
            pytest.skip(self.said)
        raise AssertionError(f"the classroom did not open:\n{self.said}\n{self.log()[-2000:]}")

    def stop(self) -> str:
        """Press Ctrl-C; what it said then."""
        self._process.send_signal(signal.SIGINT)
        return self._process.communicate(timeout=90)[0]

    def kill_hub(self) -> str:
        """End the hub as a power cut would; what the command said then."""
        children = psutil.Process(self._process.pid).children()
        [hub] = [child for child in children if "jupyterhub" in child.cmdline()]
        hub.kill()
        return self._process.communicate(timeout=90)[0]

    def rewrite_names(self, names: list[str]) -> None:
        """Save the list anew, as a teacher does while the room is open."""
        (self.state / "names.txt").write_text("\n".join(names))

    def heard(self, text: str) -> None:
        """Read on until the command says this."""
        while text not in (line := self._process.stdout.readline()):
            assert line, f"the command ended and never said {text!r}"

    def end(self) -> str:
        """``srlab classroom --end``."""
        return self._say("--end")

    def forget(self, name: str) -> str:
        """``srlab classroom --forget``."""
        return self._say("--forget", name)

    def uid(self, name: str) -> int:
        return self.room.accounts.uid_of(name)

    @property
    def first_uid(self) -> int:
        return min(self.room.accounts.uids())

    def _say(self, *more: str) -> str:
        done = subprocess.run(self._command(*more), capture_output=True, text=True)
        return done.stdout + done.stderr

    def _command(self, *more: str) -> list[str]:
        own = [f"--port={self.port}", *self.options]
        return [sys.executable, "-m", "srlab", "classroom", str(self.state), *own, *more]

    def clean_up(self) -> None:
        """Leave no process, no group and no file."""
        family = _family(self._process.pid) if hasattr(self, "_process") else []
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(family, timeout=10)
        uids = self.room.accounts.uids()
        for uid in uids:
            end_processes(uid)
        wait_until(
            lambda: not any(map(processes_of, uids)), what="the learners' processes to end"
        )
        for uid in uids:
            remove_groups(uid)
        if self.room.hub.exists():
            self.room.holder.release()
        shutil.rmtree(self.state, ignore_errors=True)

    def log(self) -> str:
        """The hub's log and every learner's."""
        logs = [self.room.log, *self.state.glob("homes/*/.srlab-server.log")]
        return "\n".join(path.read_text(errors="replace") for path in logs if path.exists())

    def code(self, name: str) -> str:
        """A learner's code, as the teacher reads it."""
        lines = (self.room.hub / "codes.txt").read_text().splitlines()
        return dict(line.split()[:2] for line in lines)[name]

    def listening(self) -> set[str]:
        """The addresses on which anything of this room listens."""
        uids = self.room.accounts.uids()
        numbers = {p.pid for p in _family(self._process.pid)}
        numbers |= {number for uid in uids for number in processes_of(uid)}
        return {
            connection.laddr.ip
            for connection in psutil.net_connections("inet")
            if connection.status == "LISTEN" and connection.pid in numbers
        }


class Visitor:
    """Somebody at the site without a browser's page: requests and cookies alone.

    Args:
        room: with the site's port.
        name: what to type at the login.
    """

    def __init__(self, room: "Classroom", name: str):
        self.room, self.name = room, name
        self.jar = http.cookiejar.CookieJar()
        self.asker = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.jar))
        self.asker.addheaders = [("Sec-Fetch-Mode", "navigate")]

    def ask(self, path: str, fields: dict[str, str] | None = None) -> tuple[int, str]:
        """Status and text of a page, or of its refusal; ``fields`` of a form to send."""
        data = urllib.parse.urlencode({**fields, "_xsrf": self._xsrf()}) if fields else None
        url = f"http://127.0.0.1:{self.room.port}/{path}"
        try:
            with self.asker.open(url, data and data.encode(), timeout=120) as answer:
                self.at = answer.url
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refusal:
            return refusal.code, refusal.read().decode()

    def log_in(self, password: str, code: str = "") -> int:
        """200 if that worked, 403 if not."""
        self.ask("hub/login")
        fields = {"username": self.name, "password": password, "code": code}
        return self.ask("hub/login?next=/hub/home", fields)[0]

    def is_in(self) -> bool:
        """Whether the hub still knows who this is."""
        self.ask("hub/home")
        return self.at.endswith("/hub/home")

    def start_server(self) -> None:
        """Have a server, with the cookie that opens it."""
        self.ask("hub/spawn")
        wait_until(self.reaches_server, timeout=90, what=f"the server of {self.name}")

    def reaches_server(self, name: str = "") -> bool:
        """Whether the server lets this visitor in."""
        path = f"user/{name or self.name}/lab"
        return self.ask(path)[0] == 200 and path in self.at

    def _xsrf(self) -> str:
        return next(cookie.value for cookie in self.jar if cookie.name == "_xsrf")


class Desk:
    """One learner at a browser, who has a notebook to write in.

    Args:
        classroom: running.
        name: of the learner.
        page: with no memory of others.
    """

    def __init__(self, classroom: Classroom, name: str, page: Page):
        self.classroom, self.name, self.page = classroom, name, page
        self.password = secrets.token_hex(8)
        self.home = classroom.room.home(name)
        self.lab = LabPage(page, self)

    def url(self, path: str) -> str:
        """A page of the learner's own server; also what LabPage asks for."""
        return self.site(f"user/{self.name}/{path}")

    def site(self, path: str) -> str:
        return f"http://127.0.0.1:{self.classroom.port}/{path}"

    def fill_in(self, password: str, code: str, after: str = "") -> None:
        """Fill in the login page, and leave it there; ``after``: what to see next."""
        self.page.goto(self.site(f"hub/login?next={after}"))
        self.page.get_by_label("Username").fill(self.name)
        self.page.locator("#password_input").fill(password)
        self.page.get_by_label(re.compile("Code from your teacher")).fill(code)

    def log_in(self, password: str, code: str, after: str = "") -> None:
        self.fill_in(password, code, after)
        self.page.click("#login_submit")

    def refusal(self) -> str:
        """The sentence on the login page."""
        return self.page.locator(".login_error").inner_text()

    def come_in(self, cell: str = "") -> None:
        """Log in for the first time; the server begins to start."""
        self.prepare_home(cell)
        self.log_in(self.password, self.classroom.code(self.name))

    def sit_down(self) -> None:
        """Wait for the server, and open the notebook."""
        try:
            self.page.wait_for_url(re.compile(f"/user/{self.name}/lab"), timeout=90_000)
        except Error as error:
            end = self.classroom.log()[-4000:]
            raise AssertionError(f"{error}\nThe logs end:\n{end}") from None
        self.lab.open(SCRATCH)

    def prepare_home(self, cell: str) -> None:
        """A notebook, and JupyterLab's consent to be driven from the page."""
        uid = self.classroom.first_uid + self.classroom.names.index(self.name)
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell)])
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
        driven = {"LabApp": {"expose_app_in_browser": True}}
        files = {
            ".jupyter/jupyter_lab_config.json": json.dumps(driven),
            f"srlab-lessons/{SCRATCH}": nbformat.writes(notebook),
        }
        for name, text in files.items():
            (self.home / name).parent.mkdir(parents=True, exist_ok=True)
            (self.home / name).write_text(text)
        self.home.chmod(0o700)
        for path in (self.home, *self.home.rglob("*")):
            os.chown(path, uid, uid)

    def crash_kernel(self) -> None:
        """Run a cell that ends the kernel; return when a new one is there."""
        before = self.lab.ask("import os; print(os.getpid())")
        self.page.evaluate(
            "() => void window.jupyterapp.shell.currentWidget.sessionContext.session.kernel"
            ".requestExecute({code: 'import os; os._exit(1)'})"
        )

        def reborn() -> bool:
            with suppress(Exception):  # no answer while it starts
                return self.lab.ask("import os; print(os.getpid())", timeout=3) != before
            return False

        wait_until(reborn, timeout=120, what="a new kernel after the crash")

    def secrets(self) -> list[str]:
        """What must not be in any log: password, cookies, the server's own token."""
        cookies = [cookie["value"] for cookie in self.page.context.cookies()]
        token = self.lab.ask("import os; print(os.environ['JUPYTERHUB_API_TOKEN'])")
        return [self.password, token, *(value for value in cookies if len(value) > 15)]


def free_port() -> int:
    """A port on which nothing listens."""
    for port in range(20_000 + secrets.randbelow(10_000), 60_000):
        with suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no free port")
