"""Where the room's programs meet: sockets in folders, not ports.

A port belongs to whoever takes it first, so a learner could take one that the
hub or a neighbor's server has just left, and be sent what is not theirs. A
socket in a folder is made by who may write there: the hub's in ``door/``, where
everyone may knock but only root may build, and each learner's in ``hub/``.

Paths are relative, since they travel in URLs, which spell every letter small,
and since a socket's path may have 107 letters: the hub and what it starts run
in ``hub/``, the learners' servers in ``homes/NAME/``.
"""

import os
import socket
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from tornado.netutil import DefaultExecutorResolver, Resolver, bind_unix_socket

HUB_SOCKET = "../door/hub.sock"  # from the hub's own folder
HUB_FROM_HOME = "../../door/hub.sock"
HANDED_OVER = "SRLAB_SOCKET"  # how a server gets the number of its socket


def url_of(path: str) -> str:
    """What JupyterHub calls a socket."""
    return f"http+unix://{quote(path, safe='')}"


def plain(url: str) -> str:
    """The same for Tornado, which knows no such scheme; see ``SocketResolver``."""
    parts = urlsplit(url)
    return f"http://{quote(unquote(parts.hostname or ''), safe='')}{parts.path}"


def server_socket(uid: int) -> str:
    """The name of a learner's socket, in the hub's folder."""
    return f"{uid}.sock"


def listen(uid: int) -> socket.socket:
    """Listen for a learner, as root: nobody else can, and nobody but root can knock."""
    opened = bind_unix_socket(server_socket(uid), mode=0o600)
    os.set_inheritable(opened.fileno(), True)
    return opened


class SocketResolver(DefaultExecutorResolver):
    """Finds sockets by the name of their host; everything else as usual."""

    async def resolve(
        self, host: str, port: int, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[tuple[int, Any]]:
        path = unquote(host)
        if path.endswith(".sock"):
            return [(socket.AF_UNIX, path)]
        return await super().resolve(host, port, family)


def use_sockets() -> None:
    """Let Tornado's clients in this process, also those of web sockets, find them."""
    Resolver.configure(SocketResolver)
