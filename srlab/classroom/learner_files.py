"""What learners have in their homes, for a teacher to read in the browser.

To look into a learner's own server would run what the learner wrote there with
the rights of who looks. Here the hub reads, and gives each file as one to keep.
"""

import asyncio
from contextlib import suppress
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from jupyterhub.handlers import BaseHandler  # type: ignore[import-untyped]
from jupyterhub.scopes import needs_scope  # type: ignore[import-untyped]
from tornado import web

from srlab.classroom.homes import NotTheirsError, list_own, read_own
from srlab.classroom.room import Room


class LearnerFiles(BaseHandler):  # type: ignore[misc]
    """``/hub/learners``, and ``/hub/learners/ada/...``: folders as lists, files to keep."""

    room: Room

    @web.authenticated
    @needs_scope("admin-ui")  # type: ignore[untyped-decorator]
    async def get(self, name: str | None = None, path: str | None = None) -> None:
        learners = self.learners()
        if name is None:
            await self.show("Learners' files", [f"{each}/" for each in sorted(learners)], "")
        elif name not in learners:
            raise web.HTTPError(404)
        else:
            await self.show_or_give(name, learners[name], path or "")

    def learners(self) -> dict[str, int]:
        """Name -> user number of who is a learner and no teacher."""
        teachers = self.room.accounts.teachers()
        learners = self.room.accounts.learners().items()
        return {name: uid for name, uid in learners if name not in teachers}

    async def show_or_give(self, name: str, uid: int, path: str) -> None:
        home = self.room.home(name)
        try:
            with suppress(NotTheirsError):  # no folder, so perhaps a file
                names = await asyncio.to_thread(list_own, home, path)
                return await self.show(f"{name}/{path}", names, f"{name}/{path}")
            data = await asyncio.to_thread(read_own, home, path, self.room.owner(uid))
        except (NotTheirsError, OSError) as error:
            raise web.HTTPError(404, str(error)) from None
        self.give(PurePosixPath(path).name, data)

    async def show(self, title: str, names: list[str], folder: str) -> None:
        base = f"{self.hub.base_url}learners/{quote(folder)}"
        base += "" if base.endswith("/") else "/"
        links = [(_shown(one), base + quote(one, errors="surrogateescape")) for one in names]
        html: Any = await self.render_template(
            "learners.html", title=_shown(title), links=links
        )
        self.finish(html)

    def give(self, name: str, data: bytes) -> None:
        """As a file to keep, which no browser takes for a page of ours."""
        self.set_header("Content-Type", "application/octet-stream")
        self.set_header("Content-Disposition", f"attachment; filename*=UTF-8''{quote(name)}")
        self.set_header("Content-Security-Policy", "sandbox; default-src 'none'")
        self.set_header("X-Content-Type-Options", "nosniff")
        self.finish(data)


def _shown(name: str) -> str:
    """A name in letters that can be shown."""
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return "".join(char if char.isprintable() else "�" for char in text)
