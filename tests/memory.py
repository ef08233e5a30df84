"""Peak memory of a process that a test started (Linux)."""

import re
import subprocess
import time
from contextlib import suppress
from pathlib import Path


def peak_gib(process: "subprocess.Popen[bytes] | subprocess.Popen[str]") -> float:
    """Wait for the process to end; the most it held in memory, in GiB.

    The operating system's own sum at the end (``ru_maxrss``) would count the
    parent as well, in whose memory every child begins.
    """
    status = Path(f"/proc/{process.pid}/status")
    peak = 0
    while process.poll() is None:
        with suppress(OSError):  # it has just ended
            found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text())
            peak = max(peak, int(found[1]) if found else 0)
        time.sleep(0.01)
    return peak / 2**20
