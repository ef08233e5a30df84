"""A learner's server: JupyterHub's own, on the socket that root opened for it."""

import os
import socket

from jupyterlab.labhubapp import SingleUserLabApp

from srlab.classroom.sockets import HANDED_OVER


class LearnerServer(SingleUserLabApp):  # type: ignore[misc]
    """Listens where the hub asks for it, and on no port."""

    def _find_http_port(self) -> None:
        """None is needed."""

    def _bind_http_server(self) -> None:
        self.http_server.add_socket(socket.socket(fileno=int(os.environ.pop(HANDED_OVER))))


if __name__ == "__main__":
    LearnerServer.launch_instance()
