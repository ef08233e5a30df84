"""What JupyterHub loads: who logs in, how a server starts, how all is set.

Imported by ``jupyterhub_config.py`` alone, since it needs JupyterHub.
"""

import asyncio
import json
import logging
import os
import shutil
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any, ClassVar

from firstuseauthenticator import FirstUseAuthenticator  # type: ignore[import-untyped]
from jupyterhub.spawner import LocalProcessSpawner  # type: ignore[import-untyped]

from srlab.classroom.accounts import NAME, WRONG, Accounts
from srlab.classroom.limits import end_processes, make_groups, processes_of, remove_groups
from srlab.classroom.room import BIN, PROXY, SETTINGS, SLOW_START, Room


class LearnerAuthenticator(FirstUseAuthenticator):  # type: ignore[misc]
    """First-use passwords, but nobody comes in first without the teacher's code.

    Takes the login page and the page to change a password from
    FirstUseAuthenticator, and keeps passwords itself: that one stores them for
    names nobody has enrolled, and in a file that a kill can damage.
    """

    accounts: Accounts
    turns: ClassVar[defaultdict[str, asyncio.Lock]] = defaultdict(asyncio.Lock)

    async def authenticate(self, handler: Any, data: dict[str, str]) -> str | None:
        name = self.normalize_username(data.get("username", ""))
        given = data.get("password", ""), data.get("code", "")
        if name not in self.accounts.learners():
            trouble = WRONG
        else:
            async with self.turns[name]:  # a name, a guess, a second
                trouble = await asyncio.to_thread(self.accounts.log_in, name, *given)
                await asyncio.sleep(1 if trouble else 0)
        handler.custom_login_error = trouble
        return None if trouble else name

    async def refresh_user(self, user: Any, handler: Any = None) -> bool:  # noqa: ARG002
        """End the session of who was taken off the list, or was forgotten."""
        return self.accounts.may_stay(user.name)

    def reset_password(self, username: str, new_password: str) -> str:
        trouble = self.accounts.set_password(username, new_password)
        return trouble or "Your password has been changed successfully!"  # FirstUse's word

    def delete_user(self, user: Any) -> None:
        """Nothing to do: the accounts are the teacher's."""


class LearnerSpawner(LocalProcessSpawner):  # type: ignore[misc]
    """A server under a user number of the learner's own, in a home of mode 700."""

    room: Room

    @property
    def uid(self) -> int:
        return self.room.accounts.uid_of(self.user.name)

    async def start(self) -> Any:
        plan = self.room.plan(self.user.name, self.uid)
        if self.room.as_root:
            plan["groups"] = [str(g) for g in make_groups(self.uid, self.room.limits)]
        self.cmd = [*self.room.launcher(plan), str(BIN / "jupyterhub-singleuser")]
        return await super().start()

    async def poll(self) -> int | None:
        """Its exit code; None while it runs.

        After a restart of the machine its number may be that of a stranger, so
        whom it belongs to is looked at as well.
        """
        status: int | None = await super().poll()
        lost = self.proc is None and self.room.as_root and self.pid
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
        # One thread a processor: thirty trainings with two threads each only wait.
        threads = {"OMP_NUM_THREADS": str(self.room.limits.threads)}
        return {**env, **own, **threads, "HOME": str(home)}


def configure(c: Any) -> None:
    """Set everything that a classroom has in place of JupyterHub's defaults."""
    room = Room.from_settings(json.loads(os.environ.pop(SETTINGS)))
    LearnerAuthenticator.accounts = room.accounts
    LearnerSpawner.room = room
    _configure_hub(c, room)
    _configure_accounts(c, room)
    _configure_servers(c, room)
    _configure_culling(c, room)
    _configure_teachers(c, room)


def says_no_session(record: logging.LogRecord) -> bool:
    """False for a line of JupyterHub that names a session's cookie."""
    return "xsrf cookie" not in str(record.msg)


def _configure_hub(c: Any, room: Room) -> None:
    """Everything on loopback, everything that lasts in one folder."""
    logging.getLogger("tornado.application").addFilter(says_no_session)
    site, api, hub = (f"http://127.0.0.1:{room.port + n}" for n in range(3))
    c.JupyterHub.bind_url = site
    c.JupyterHub.hub_bind_url = hub
    c.ConfigurableHTTPProxy.api_url = api
    c.ConfigurableHTTPProxy.command = [sys.executable, "-m", PROXY]
    c.ConfigurableHTTPProxy.pid_file = str(room.proxy_pid)
    c.JupyterHub.db_url = f"sqlite:///{room.hub / 'jupyterhub.sqlite'}"
    c.JupyterHub.cookie_secret_file = str(room.hub / "cookie_secret")
    c.JupyterHub.cleanup_servers = False  # they outlive a restart of the hub
    c.JupyterHub.template_paths = [str(Path(__file__).parent / "templates")]


def _configure_accounts(c: Any, room: Room) -> None:
    c.JupyterHub.authenticator_class = LearnerAuthenticator
    c.Authenticator.allowed_users = set(room.accounts.learners())
    c.Authenticator.allow_existing_users = False  # who is off the list stays out
    c.Authenticator.username_pattern = f"^{NAME.pattern}$"
    c.Authenticator.auth_refresh_age = 60
    c.Authenticator.refresh_pre_spawn = True
    c.FirstUseAuthenticator.check_passwords_on_startup = False


def _configure_servers(c: Any, room: Room) -> None:
    c.JupyterHub.spawner_class = LearnerSpawner
    c.Spawner.default_url = "/lab/tree/README.md"
    c.Spawner.notebook_dir = "~/srlab-lessons"
    c.Spawner.mem_limit = room.limits.bytes
    c.Spawner.cpu_limit = room.limits.cpus
    c.Spawner.start_timeout = c.Spawner.http_timeout = SLOW_START
    # Jupyter's settings of this package: no nbgrader, no Voila for a learner.
    c.Spawner.environment = {"JUPYTER_CONFIG_PATH": str(Path(__file__).parent / "jupyter")}
    # Kernels talk through files in a folder of mode 700: what one prints on a
    # port of the machine, any other learner's process could read.
    c.Spawner.args = ["--KernelManager.transport=ipc", "--log-level=WARN"]


def _configure_culling(c: Any, room: Room) -> None:
    """Stop servers in which nothing has happened for a while."""
    command = [sys.executable, "-m", "jupyterhub_idle_culler", f"--timeout={room.idle_seconds}"]
    if setpriv := shutil.which("setpriv"):
        command = [setpriv, "--pdeathsig", "TERM", *command]  # it ends with the hub
    c.JupyterHub.services = [{"name": "culler", "command": command}]
    scopes = ["list:users", "read:users:activity", "read:servers", "delete:servers"]
    c.JupyterHub.load_roles = [{"name": "culler", "scopes": scopes, "services": ["culler"]}]


def _configure_teachers(c: Any, room: Room) -> None:
    """JupyterHub's admin page for them, but no administrator's rights.

    They see who is in and stop servers. No account, token, role or setting is
    theirs to change: who may come in, the command line says. A page of a
    learner's server runs what the learner wrote, with the rights of who looks
    at it; so to enter one is a right that is given apart.
    """
    scopes = ["admin-ui", "list:users", "read:users:activity", "read:servers", "delete:servers"]
    scopes += ["access:servers"] if room.teachers_enter else []
    role = {"name": "teacher", "description": "See who is in, stop servers.", "scopes": scopes}
    c.JupyterHub.load_roles += [{**role, "users": room.accounts.teachers()}]
