"""The proxy before the hub, in the hub's own process: they live and die together.

A proxy that outlives the hub goes on handing out what learners send, and their
cookies, to whoever answers where the hub was. Taken from
configurable-http-proxy, whose command is of no use here: it would need a port
of its own for the hub's orders.
"""

from typing import Any

from configurable_http_proxy import handlers, log  # type: ignore[import-untyped]
from configurable_http_proxy.configproxy import PythonProxy  # type: ignore[import-untyped]
from jupyterhub.proxy import Proxy  # type: ignore[import-untyped]
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets

from srlab.classroom.room import SLOW_START, Room
from srlab.classroom.sockets import plain, use_sockets

AT_ONCE = 2000  # requests


class RoomProxy(Proxy):  # type: ignore[misc]
    """Sends each request to the hub or to a learner's server."""

    room: Room

    async def start(self) -> None:
        use_sockets()
        widen()
        log.setLevel("WARNING")
        errors = plain(f"{self.hub.url}error")
        self.routes = PythonProxy({"log": log, "error_target": errors})
        app = self.routes.proxy_app
        # It would write down whole addresses, tokens and all; hub and servers keep logs.
        app.settings["log_function"] = lambda _: None
        self.server = HTTPServer(app)
        # Root alone may share the port, with who holds it while the hub is away.
        root = self.room.as_root
        self.server.add_sockets(bind_sockets(self.room.port, "127.0.0.1", reuse_port=root))

    async def stop(self) -> None:
        self.server.stop()

    async def add_route(self, routespec: str, target: str, data: dict[str, Any]) -> None:
        spec = self.validate_routespec(routespec)
        self.routes.add_route(
            spec, {"target": plain(target), "url": target, "jupyterhub": data}
        )

    async def delete_route(self, routespec: str) -> None:
        self.routes.remove_route(self.validate_routespec(routespec))

    async def get_all_routes(self) -> dict[str, dict[str, Any]]:
        return {
            spec: {"routespec": spec, "target": route["url"], "data": data}
            for path, route in self.routes.get_routes().items()
            for spec in [f"{path.rstrip('/')}/"]
            for when in [route["last_activity"].astimezone()]  # the proxy's have no zone
            for data in [{**route["jupyterhub"], "last_activity": when.isoformat()}]
        }


def widen() -> None:
    """Let everybody through, for as long as a server may take to start.

    By itself ten requests pass at a time and each has 20 seconds. A page that
    waits for its server is one, and may wait minutes when thirty start at once.
    """
    patient = {"request_timeout": SLOW_START, "connect_timeout": 30}
    handlers.AsyncHTTPClient.configure(None, max_clients=AT_ONCE, defaults=patient)
