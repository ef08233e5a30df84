"""What JupyterHub loads: who logs in, how a server starts, how all is set.

Imported by ``jupyterhub_config.py`` alone, since it needs JupyterHub.
"""

import asyncio
import json
import logging
import os
import shutil
import sys
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

from firstuseauthenticator import FirstUseAuthenticator  # type: ignore[import-untyped]
from firstuseauthenticator.firstuseauthenticator import (  # type: ignore[import-untyped]
    ResetPasswordHandler,
)
from jupyterhub.spawner import LocalProcessSpawner  # type: ignore[import-untyped]
from tornado import web

from srlab.classroom.accounts import Accounts
from srlab.classroom.learner_files import LearnerFiles
from srlab.classroom.limits import end_processes, make_groups, processes_of, remove_groups
from srlab.classroom.proxy import RoomProxy
from srlab.classroom.room import SETTINGS, SLOW_START, Room
from srlab.classroom.roster import LONGEST, NAME
from srlab.classroom.sockets import (
    HANDED_OVER,
    HUB_FROM_HOME,
    HUB_SOCKET,
    listen,
    plain,
    server_socket,
    url_of,
)
from srlab.files import PACKAGE

SERVER, CULLER = "srlab.classroom.server", "srlab.classroom.culler"

BEEN_HERE = "srlab-been-here"  # the cookie of a browser in which a learner logged in
BETWEEN_GUESSES = 0.25  # seconds for which a wrong one holds its lane
IN_A_LANE = 8  # tries that wait

CROWDED = "Too many people try this name just now; wait a moment, and try again."
CHANGED = (
    "Your password has been changed, and every session has ended, this one too: log in again."
)


class Guesses:
    """Slows down who guesses, and nobody else.

    In each lane one try is looked at after the other, and a wrong one holds the
    lane for a moment. A browser in which a learner once logged in has a lane of
    its own, so that no flood of guesses keeps out who knows the password.
    """

    def __init__(self) -> None:
        self.turns: dict[str, asyncio.Lock] = {}
        self.waiting: Counter[str] = Counter()

    async def judge(self, lane: str, attempt: Callable[[], str]) -> str:
        """What ``attempt`` says: "" or the sentence for who tried."""
        if self.waiting[lane] >= IN_A_LANE:
            return CROWDED
        self.waiting[lane] += 1
        try:
            async with self.turns.setdefault(lane, asyncio.Lock()):
                trouble = await asyncio.to_thread(attempt)
                await asyncio.sleep(BETWEEN_GUESSES if trouble else 0)
            return trouble
        finally:
            self.waiting[lane] -= 1
            if not self.waiting[lane]:
                del self.waiting[lane], self.turns[lane]


class LearnerAuthenticator(FirstUseAuthenticator):  # type: ignore[misc]
    """First-use passwords, but nobody comes in first without the teacher's code.

    Takes the login page from FirstUseAuthenticator, and keeps passwords itself:
    that one stores them for names nobody has enrolled, and in a file that a kill
    can damage.
    """

    accounts: Accounts
    guesses: ClassVar[Guesses] = Guesses()

    async def authenticate(self, handler: Any, data: dict[str, str]) -> str | None:
        typed = data.get("username", "")
        name = self.accounts.name_of(typed) or self.normalize_username(typed)[:LONGEST]
        given = data.get("password", ""), data.get("code", "")
        known = handler.get_secure_cookie(BEEN_HERE) == name.encode()
        attempt = partial(self.accounts.log_in, name, *given)
        trouble = await self.guesses.judge(f"{name} {known}", attempt)
        handler.custom_login_error = trouble
        if trouble:
            return None
        secure = handler.request.protocol == "https"
        handler.set_secure_cookie(BEEN_HERE, name, 365, httponly=True, secure=secure)
        if user := handler.find_user(name):
            await self.end_old_sessions(user, handler)
        return name

    async def refresh_user(self, user: Any, handler: Any = None) -> bool:
        """End the session of who was taken off the list, or has another password."""
        ended = await self.end_old_sessions(user, handler)
        return not ended and self.accounts.may_stay(user.name)

    async def end_old_sessions(self, user: Any, handler: Any) -> bool:
        """Make cookies and tokens of before the last change of password worthless.

        The server ends too, since whoever was in it may have left something
        running; whether there was anything to end.
        """
        session = self.accounts.session_of(user.name)
        if session in ("", user.orm_user.cookie_id):
            return False
        user.orm_user.cookie_id = session
        for token in list(user.orm_user.api_tokens):
            handler.db.delete(token)
        handler.db.commit()
        if user.spawner.ready:
            await handler.stop_single_user(user)
        return True

    def add_user(self, user: Any) -> None:
        """Whoever comes in first begins with the session of the account."""
        super().add_user(user)
        if newcomer := getattr(user, "orm_user", None):  # a start of the hub gives all, bare
            newcomer.cookie_id = self.accounts.session_of(user.name) or newcomer.cookie_id

    async def change_password(self, name: str, old: str, new: str) -> str:
        """Try to; "" or the sentence for the learner."""
        attempt = partial(self.accounts.change_password, name, old, new)
        return await self.guesses.judge(f"{name} inside", attempt)

    def get_handlers(self, app: Any) -> list[tuple[str, type]]:
        pages = dict(super().get_handlers(app))
        return list({**pages, r"/auth/change-password": ChangePassword}.items())

    def delete_user(self, user: Any) -> None:
        """Nothing to do: the accounts are the teacher's."""


class ChangePassword(ResetPasswordHandler):  # type: ignore[misc]
    """The page on which a learner who knows the old password chooses another."""

    @web.authenticated
    async def post(self) -> None:
        user, keeper = self.current_user, self.authenticator
        old, new = (
            self.get_body_argument(field, "", strip=False) for field in ("old", "password")
        )
        trouble = await keeper.change_password(user.name, old, new)
        if not trouble:
            await keeper.end_old_sessions(user, self)
        html = await self.render_template(
            "reset.html", result=True, alert="danger" if trouble else "success",
            result_message=trouble or CHANGED,
        )  # fmt: skip
        self.finish(html)


class LearnerSpawner(LocalProcessSpawner):  # type: ignore[misc]
    """A server under a user number of the learner's own, in a home of mode 700."""

    room: Room

    @property
    def uid(self) -> int:
        return self.room.accounts.uid_of(self.user.name)

    async def start(self) -> str:
        plan = self.room.plan(self.user.name, self.uid)
        if self.room.as_root:
            plan["groups"] = [str(g) for g in make_groups(self.uid, self.room.limits)]
        if plan["groups"]:
            plan["shared"] = plan["memory"]  # which counts both together
        self.cmd = [*self.room.launcher(plan), sys.executable, "-P", "-m", SERVER]
        with listen(self.uid) as opened:
            self.handed_over = opened.fileno()
            self.popen_kwargs = {"pass_fds": [self.handed_over]}
            await super().start()
        return url_of(server_socket(self.uid))

    async def poll(self) -> int | None:
        """Its exit code; None while it runs.

        After a restart of the machine its number may be that of a stranger, so
        whom it belongs to is looked at as well.
        """
        status: int | None = await super().poll()
        lost = self.proc is None and self.room.as_root and self.pid
        if status is None and lost and self.server and self.server.proto == "http":
            end_processes(self.uid)  # of an earlier srlab, on a port that others could take
        if status is None and lost and self.pid not in processes_of(self.uid):
            self.clear_state()
            return 0
        return status

    async def stop(self, now: bool = False) -> None:
        """Stop the server, and whatever else the learner left running."""
        if await self.poll() is None:
            await super().stop(now)
        if self.room.as_root:
            end_processes(self.uid)
            await asyncio.sleep(0.1)
            remove_groups(self.uid)

    def make_preexec_fn(self, name: str) -> None:  # noqa: ARG002
        """None: the launcher does it, in a process of its own."""
        return

    def user_env(self, env: dict[str, str]) -> dict[str, str]:
        home, shell = self.room.home(self.user.name), shutil.which("bash") or "/bin/sh"
        own = {"USER": self.user.name, "LOGNAME": self.user.name, "SHELL": shell}
        own[HANDED_OVER] = str(self.handed_over)
        # One thread a processor: thirty trainings with two threads each only wait.
        threads = {"OMP_NUM_THREADS": str(self.room.limits.threads)}
        return {**env, **own, **threads, "HOME": str(home)}


def configure(c: Any) -> None:
    """Set everything that a classroom has in place of JupyterHub's defaults."""
    room = Room.from_settings(json.loads(os.environ.pop(SETTINGS)))
    LearnerAuthenticator.accounts = room.accounts
    LearnerSpawner.room = RoomProxy.room = room
    _configure_hub(c, room)
    _configure_accounts(c)
    _configure_servers(c, room)
    _configure_culling(c, room)
    _configure_teachers(c, room)


def says_no_session(record: logging.LogRecord) -> bool:
    """False for a line of JupyterHub that names a session's cookie."""
    return "xsrf cookie" not in str(record.msg)


def _configure_hub(c: Any, room: Room) -> None:
    """One port, on loopback; the rest by sockets; everything that lasts in one folder."""
    logging.getLogger("tornado.application").addFilter(says_no_session)
    c.JupyterHub.bind_url = f"http://127.0.0.1:{room.port}"
    c.JupyterHub.proxy_class = RoomProxy
    c.JupyterHub.hub_bind_url = c.JupyterHub.hub_connect_url = url_of(HUB_SOCKET)
    c.JupyterHub.hub_socket_mode = 0o666  # all may knock; who it is, their token says
    c.Spawner.hub_connect_url = url_of(HUB_FROM_HOME)
    c.JupyterHub.db_url = f"sqlite:///{room.hub / 'jupyterhub.sqlite'}"
    c.JupyterHub.cookie_secret_file = str(room.hub / "cookie_secret")
    c.JupyterHub.cleanup_servers = False  # they outlive a restart of the hub
    c.JupyterHub.template_paths = [str(PACKAGE / "classroom" / "templates")]


def _configure_accounts(c: Any) -> None:
    c.JupyterHub.authenticator_class = LearnerAuthenticator
    c.Authenticator.allow_all = True  # of those whom authenticate() lets in
    c.Authenticator.username_pattern = f"^{NAME.pattern}$"
    c.Authenticator.auth_refresh_age = 1  # second; it is a look into a small file
    c.Authenticator.auth_refresh_strict = True  # also of a server's token
    c.Authenticator.refresh_pre_spawn = True
    c.FirstUseAuthenticator.check_passwords_on_startup = False


def _configure_servers(c: Any, room: Room) -> None:
    c.JupyterHub.spawner_class = LearnerSpawner
    c.Spawner.port = 80  # of nothing: the server listens on a socket
    c.Spawner.default_url = "/lab/tree/README.md"
    c.Spawner.notebook_dir = "~/srlab-lessons"
    c.Spawner.mem_limit = room.limits.bytes
    c.Spawner.cpu_limit = room.limits.cpus
    c.Spawner.start_timeout = c.Spawner.http_timeout = SLOW_START
    # Jupyter's settings of this package: no nbgrader, no Voila for a learner.
    c.Spawner.environment = {
        "JUPYTER_CONFIG_PATH": str(PACKAGE / "classroom" / "jupyter"),
        # Soon enough for the culler to hear of a kernel that computes.
        "JUPYTERHUB_ACTIVITY_INTERVAL": str(min(300, room.idle_seconds // 3)),
    }
    # Kernels talk through files in a folder of mode 700: what one prints on a
    # port of the machine, any other learner's process could read.
    c.Spawner.args = ["--KernelManager.transport=ipc", "--log-level=WARN"]


def _configure_culling(c: Any, room: Room) -> None:
    """Stop servers in which nothing has happened for a while."""
    command = [sys.executable, "-m", CULLER, f"--timeout={room.idle_seconds}"]
    command.append(f"--url={plain(url_of(HUB_SOCKET))}/hub/api")
    if setpriv := shutil.which("setpriv"):
        command = [setpriv, "--pdeathsig", "TERM", *command]  # it ends with the hub
    c.JupyterHub.services = [{"name": "culler", "command": command}]
    scopes = ["list:users", "read:users:activity", "read:servers", "delete:servers"]
    c.JupyterHub.load_roles = [{"name": "culler", "scopes": scopes, "services": ["culler"]}]


def _configure_teachers(c: Any, room: Room) -> None:
    """JupyterHub's admin page for them, but no administrator's rights.

    They see who is in, stop servers and read files. No account, token, role or setting is
    theirs to change: who may come in, the command line says. A page of a
    learner's server runs what the learner wrote, with the rights of who looks
    at it; so to enter one is a right that is given apart.
    """
    scopes = ["admin-ui", "list:users", "read:users:activity", "read:servers", "delete:servers"]
    scopes += ["access:servers"] if room.teachers_enter else []
    LearnerFiles.room = room
    c.JupyterHub.extra_handlers = [(rf"/learners(?:/({NAME.pattern})/(.*))?", LearnerFiles)]
    role = {"name": "teacher", "description": "See who is in, stop servers.", "scopes": scopes}
    c.JupyterHub.load_roles += [{**role, "users": room.accounts.teachers()}]
