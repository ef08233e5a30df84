"""Keeps the site's port from the learners while the hub is away.

The learners' servers outlive the hub. Whoever of them took its port meanwhile
would be sent every browser's cookie; so root holds the port, without listening,
until nothing of a learner runs any more.
"""

import errno
import os
import signal
import socket
import subprocess
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO

NO_SUCH_NETWORK = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)  # a machine without IPv6
PATIENCE = 5.0  # seconds, until an ended process is gone


class Holder:
    """A process of root that has a port and does nothing with it.

    Args:
        note: file with its number and its port; locked as long as it lives.
        port: of the site.
    """

    def __init__(self, note: Path, port: int):
        self.note, self.port = note, port

    def take(self) -> None:
        """Have the port held, by a holder that may be there already.

        Raises:
            ValueError: if somebody else has the port.
        """
        with self.note.open("a+") as lock:
            if not locked(lock):
                if self._noted(lock)[1] == self.port:
                    return
                self._end(lock)
            with ExitStack() as stack:
                taken = [stack.enter_context(each) for each in sockets(self.port)]
                kept = [lock.fileno(), *(each.fileno() for each in taken)]
                process = subprocess.Popen(
                    ["sleep", "infinity"], pass_fds=kept, start_new_session=True, cwd="/",
                    stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )  # fmt: skip
            with suppress(OSError):  # never end it for want of memory
                Path(f"/proc/{process.pid}/oom_score_adj").write_text("-1000")
            lock.truncate(0)
            lock.write(f"{process.pid} {self.port}")

    def release(self) -> None:
        """End the holder, if there is one."""
        with self.note.open("a+") as lock:
            if not locked(lock):
                self._end(lock)

    def _end(self, lock: IO[str]) -> None:
        with suppress(ProcessLookupError):
            os.kill(self._noted(lock)[0], signal.SIGKILL)
        end = time.monotonic() + PATIENCE
        while not locked(lock) and time.monotonic() < end:
            time.sleep(0.05)

    def _noted(self, lock: IO[str]) -> tuple[int, int]:
        lock.seek(0)
        number, port = lock.read().split()
        return int(number), int(port)


def sockets(port: int) -> list[socket.socket]:
    """The port on both loopback addresses, for root alone to share.

    Raises:
        ValueError: if somebody has it.
    """
    taken = []
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        try:
            taken.append(_socket(family, address, port))
        except OSError as error:
            if error.errno in NO_SUCH_NETWORK:
                continue
            for each in taken:
                each.close()
            raise ValueError(
                f"Port {port} is taken; choose another for the classroom: --port 8100."
            ) from None
    return taken


def _socket(family: socket.AddressFamily, address: str, port: int) -> socket.socket:
    """Alone when it is bound, apart from connections that have just ended."""
    each = socket.socket(family, socket.SOCK_STREAM)
    try:
        if family == socket.AF_INET6:
            each.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        each.bind((address, port))
        # From here on nobody joins it but root: Linux compares the users.
        each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
        each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    except OSError:
        each.close()
        raise
    return each


def locked(lock: IO[str]) -> bool:
    """Whether the lock is ours now; it is until this process and its heirs close it."""
    import fcntl  # not on Windows, where there is no JupyterHub either

    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
