"""The proxy before the hub: configurable-http-proxy, set for a full room.

By itself it lets ten requests through at a time and gives each 20 seconds. A
page that waits for its server to start is one such request, and may wait for
minutes when thirty start at once.
"""

import logging

from configurable_http_proxy import handlers  # type: ignore[import-untyped]
from configurable_http_proxy.cli import main  # type: ignore[import-untyped]

from srlab.classroom.room import SLOW_START

AT_ONCE = 2000  # requests


def widen() -> None:
    """Let everybody through, for as long as a server may take to start."""
    patient = {"request_timeout": SLOW_START, "connect_timeout": 30}
    handlers.AsyncHTTPClient.configure(None, max_clients=AT_ONCE, defaults=patient)


if __name__ == "__main__":
    widen()
    logging.getLogger("tornado.access").disabled = True  # whole addresses, tokens and all
    main()
