"""A learner's server: JupyterHub's own, on the socket that root opened for it."""

import os
import socket
from datetime import UTC, datetime

from jupyterlab.labhubapp import SingleUserLabApp

from srlab.classroom.activity import Activity
from srlab.classroom.sockets import HANDED_OVER


class LearnerServer(SingleUserLabApp):  # type: ignore[misc]
    """Listens where the hub asks for it, and on no port; says when it computes."""

    activity = Activity()

    def _find_http_port(self) -> None:
        """None is needed."""

    def _bind_http_server(self) -> None:
        self.http_server.add_socket(socket.socket(fileno=int(os.environ.pop(HANDED_OVER))))

    async def notify_activity(self) -> None:
        """Tell the hub, before it stops what it takes for idle."""
        kernels = [kernel["execution_state"] for kernel in self.kernel_manager.list_kernels()]
        if self.activity.goes_on(kernels):
            self.web_app.settings["computing_last_activity"] = datetime.now(UTC)
        await super().notify_activity()


if __name__ == "__main__":
    LearnerServer.launch_instance()
