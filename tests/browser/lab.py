"""A JupyterLab of our own, and a driver for its page in a real browser.

``LabServer`` runs JupyterLab on a folder. ``LabPage`` opens a notebook there,
runs it, and does by keyboard and mouse what a person does::

    with LabServer(folder) as server, browser_page(browser) as page:
        lab = LabPage(page, server)
        lab.open("lesson.ipynb")
        lab.run_all()
        lab.press(".weight-slider", "ArrowRight")

A widget is found by a class that it was given with ``add_class``.
"""

import hashlib
import json
import os
import re
import secrets
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self, TypeVar

import nbformat
import psutil
from nbformat.v4 import new_code_cell, new_notebook
from playwright.sync_api import Browser, Error, Locator, Page, ViewportSize

T = TypeVar("T")

WINDOW: ViewportSize = {"width": 1400, "height": 1000}  # px

SELECT_ALL = "ControlOrMeta+a"

# JupyterLab says so of itself, if a page is left before the kernel has answered.
LEFT_BEHIND = "Canceled future for create_subshell_request"

NOTIFICATIONS = {"checkForUpdates": False, "fetchNews": "false", "doNotDisturbMode": True}

CHROMIUM_OPTIONS = [
    "--no-sandbox",  # which root may not have
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


# Ends when its standard input does: also if the tests are killed, no server stays.
END_WITH_PARENT = """
import os, signal, sys, threading
def end_with_parent():
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGTERM)
threading.Thread(target=end_with_parent, daemon=True).start()
"""

# JupyterLab's execution indicator says idle before there is a session, and a
# run-all is lost then; so wait for the kernel itself.
WAIT_UNTIL_READY = """async (path) => {
    const pause = () => new Promise(resolve => setTimeout(resolve, 50));
    while (!window.jupyterapp) await pause();
    const app = window.jupyterapp;
    await app.restored;
    while (app.shell.currentWidget?.context?.path !== path) await pause();
    const panel = app.shell.currentWidget;
    await panel.context.ready;
    await panel.sessionContext.ready;
    while (!panel.sessionContext.session?.kernel) await pause();
    const kernel = panel.sessionContext.session.kernel;
    await kernel.info;
    while (kernel.connectionStatus !== 'connected' || kernel.status !== 'idle') await pause();
}"""

# Takes a second, where JupyterLab's own start takes five. Nobody is asked about saving.
CLOSE_ALL = "() => [...window.jupyterapp.shell.widgets('main')].forEach(one => one.dispose())"
SHOW = """async (path) => {
    await window.jupyterapp.restored;
    window.jupyterapp.commands.execute('docmanager:open', {path});
}"""

CELLS = """() => window.jupyterapp.shell.currentWidget.content.widgets
    .filter(cell => cell.model.type === 'code')
    .map(cell => ({
        source: cell.model.sharedModel.source,
        count: cell.model.executionCount,
        outputs: cell.model.outputs.toJSON(),
    }))"""

ASK_KERNEL = """async ([code, milliseconds]) => {
    const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
    const future = kernel.requestExecute({code, store_history: false});
    let text = '';
    future.onIOPub = message => {
        if (message.header.msg_type === 'stream') text += message.content.text;
    };
    const late = new Promise((_, reject) => setTimeout(
        () => reject(new Error(`no answer from the kernel to: ${code}`)), milliseconds));
    const reply = await Promise.race([future.done, late]);
    if (reply.content.status !== 'ok')
        throw new Error(`${reply.content.ename}: ${reply.content.evalue}`);
    return text;
}"""

PICTURE_BYTES = """async (element) => {
    const image = element.matches('img, canvas') ? element
        : element.querySelector('img, canvas');
    const url = image.tagName === 'IMG' ? image.src : image.toDataURL();
    const bytes = new Uint8Array(await (await fetch(url)).arrayBuffer());
    return Array.from(bytes);
}"""

DATA_ATTRIBUTES = """(element) => Object.fromEntries(
    Array.from(element.attributes)
        .filter(attribute => attribute.name.startsWith('data-'))
        .map(attribute => [attribute.name, attribute.value]))"""


class LabServer:
    """JupyterLab on ``folder``, untouched by the user's own settings.

    Args:
        folder: what it shows; notebooks there are written to.
        budget: ``SRLAB_BUDGET`` of its kernels.
        variables: more of its environment.
    """

    alive = "api/status"
    code = "from jupyterlab.labapp import main; main(sys.argv[1:])"

    def __init__(
        self, folder: Path, *, budget: str = "quick", variables: Mapping[str, str] | None = None
    ):
        self.folder, self.budget, self.variables = folder, budget, variables or {}
        self.token = secrets.token_hex(16)

    def __enter__(self) -> Self:
        self._private = tempfile.TemporaryDirectory(prefix="srlab-jupyter-")
        self.port = free_port()
        self._process = self._start()
        try:
            self._wait_until_up()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}/{path}?token={self.token}"

    def log(self) -> str:
        return (Path(self._private.name) / "log.txt").read_text(errors="replace")

    def listening(self) -> set[str]:
        """The addresses on which it, or what it has started, listens."""
        return {
            connection.laddr.ip
            for process in _family(self._process.pid)
            for connection in process.net_connections("tcp")
            if connection.status == psutil.CONN_LISTEN
        }

    def end_sessions(self) -> None:
        """Stop every kernel, so that none trains on beside the next test."""
        with urllib.request.urlopen(self.url("api/sessions"), timeout=10) as answer:
            sessions = json.load(answer)
        for session in sessions:
            url = self.url(f"api/sessions/{session['id']}")
            urllib.request.urlopen(urllib.request.Request(url, method="DELETE"), timeout=30)

    def stop(self) -> None:
        """End the server and its kernels: kindly, then by force."""
        family = _family(self._process.pid)
        if self._process.stdin is not None:
            self._process.stdin.close()  # its sign to end
        _, left = psutil.wait_procs(family, timeout=3)
        for process in left:
            process.kill()
        psutil.wait_procs(left, timeout=10)
        self._process.wait()
        self._private.cleanup()

    def options(self) -> list[str]:
        """The arguments of the server's command."""
        return [
            "--no-browser",
            "--allow-root",
            "--expose-app-in-browser",
            "--ip=127.0.0.1",
            f"--port={self.port}",
            "--ServerApp.port_retries=0",
            f"--ServerApp.root_dir={self.folder}",
            f"--IdentityProvider.token={self.token}",
        ]

    def _start(self) -> subprocess.Popen[bytes]:
        with (Path(self._private.name) / "log.txt").open("wb") as log:
            return subprocess.Popen(
                [sys.executable, "-c", END_WITH_PARENT + self.code, *self.options()],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env=self._environment(),
                start_new_session=True,  # Ctrl-C reaches the tests alone, which stop it
            )

    def _environment(self) -> dict[str, str]:
        private = Path(self._private.name)
        settings = private / "settings" / "@jupyterlab" / "apputils-extension"
        settings.mkdir(parents=True)
        file = settings / "notification.jupyterlab-settings"
        file.write_text(json.dumps(NOTIFICATIONS))
        own = {
            "JUPYTER_CONFIG_DIR": private / "config",
            "JUPYTER_DATA_DIR": private / "data",
            "JUPYTER_RUNTIME_DIR": private / "runtime",
            "JUPYTERLAB_SETTINGS_DIR": private / "settings",
            "JUPYTERLAB_WORKSPACES_DIR": private / "workspaces",
            "IPYTHONDIR": private / "ipython",
            "SRLAB_HOME": private / "srlab",
        }
        paths = {name: str(path) for name, path in own.items()}
        return {**os.environ, **paths, **self.variables, "SRLAB_BUDGET": self.budget}

    def _wait_until_up(self, timeout: float = 90) -> None:
        """Return once it answers; raise with its log if it does not."""
        end = time.monotonic() + timeout
        while time.monotonic() < end and self._process.poll() is None:
            try:
                urllib.request.urlopen(self.url(self.alive), timeout=5)
                return
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
        raise RuntimeError(f"The server did not start. Its log ends:\n{self.log()[-3000:]}")


class LabPage:
    """One notebook in JupyterLab, driven as a person would.

    Args:
        page: where it is shown.
        server: whose notebook it is.
        evidence: the folder for a screenshot after a failure.
        stays: whether JupyterLab is not loaded anew for each notebook.
    """

    kernel_answers = True  # code can be run beside the notebook

    def __init__(
        self, page: Page, server: LabServer, evidence: Path = Path(), *, stays: bool = False
    ):
        self.page, self.server, self.evidence, self.stays = page, server, evidence, stays
        self.problems: list[str] = []
        page.set_default_timeout(60_000)
        page.on("pageerror", self._note)

    def write(self, notebook: str, *sources: str) -> None:
        """A notebook of these cells, in the server's folder."""
        write_notebook(self.server.folder / notebook, *sources)

    def open(self, notebook: str, timeout: float = 60) -> None:
        """Show ``notebook`` alone, a path in the server's folder, with its kernel ready."""
        if self.stays and self.is_jupyterlab():
            self.page.evaluate(CLOSE_ALL)
            self.page.evaluate(SHOW, notebook)
        else:
            # A workspace of its own: two pages on one would argue about it.
            path = f"lab/workspaces/{secrets.token_hex(4)}/tree/{notebook}"
            self.page.goto(self.server.url(path))
        ready = f"({WAIT_UNTIL_READY})({json.dumps(notebook)}).then(() => true)"
        self.page.wait_for_function(ready, timeout=timeout * 1000)

    def is_jupyterlab(self) -> bool:
        """Whether the page shows it already."""
        return bool(self.page.evaluate("() => 'jupyterapp' in window"))

    def leave(self) -> None:
        """Close what is open, and listen no longer; the page may be another's now."""
        if self.is_jupyterlab():
            self.page.evaluate(CLOSE_ALL)
        self.page.remove_listener("pageerror", self._note)

    def run_all(self, timeout: float = 120) -> None:
        """Run every cell; return when each has its number.

        Raises:
            AssertionError: if a cell fails, with its source and the error.
        """
        self.command("notebook:clear-all-cell-outputs")  # stored numbers would mislead
        self.page.evaluate(
            "() => void window.jupyterapp.commands.execute('notebook:run-all-cells')"
        )
        wait_until(self._all_ran, timeout=timeout, what="every cell to run")

    def command(self, name: str) -> None:
        """Execute one of JupyterLab's own commands, and wait for its end."""
        self.page.evaluate(
            "async (name) => { await window.jupyterapp.commands.execute(name) }", name
        )

    def restart_kernel(self) -> None:
        """Restart without a question, as Kernel > Restart does after one."""
        self.page.evaluate(
            "async () => { await window.jupyterapp.shell.currentWidget"
            ".sessionContext.session.kernel.restart() }"
        )

    def cells(self) -> list[dict[str, Any]]:
        """Each code cell as it now is: ``source``, ``count`` and ``outputs``."""
        return self.page.evaluate(CELLS)

    def cell_text(self, words: str) -> str:
        """What the one code cell that contains ``words`` printed and returned."""
        found = [cell for cell in self.cells() if words in cell["source"]]
        assert len(found) == 1, f"{len(found)} code cells contain {words!r}, not one."
        return "".join(output_text(output) for output in found[0]["outputs"])

    def ask(self, code: str, timeout: float = 60) -> str:
        """Run ``code`` in the kernel beside the notebook; what it printed."""
        return self.page.evaluate(ASK_KERNEL, [code, timeout * 1000]).strip()

    def find(self, css: str) -> Locator:
        """The one visible element that ``css`` names, scrolled into view."""
        found = self.page.locator(f"{css} >> visible=true")
        found.scroll_into_view_if_needed()
        return found

    def click(self, css: str) -> None:
        self.find(css).click()

    def press(self, css: str, key: str, times: int = 1) -> None:
        """Press ``key`` on a slider's handle (``ArrowRight``, ``PageUp``, ``Home``)."""
        handle = self.find(f"{css} .noUi-handle, {css} input[type=range]")
        handle.focus()
        for _ in range(times):
            self.page.keyboard.press(key)

    def choose(self, css: str, *keys: str) -> None:
        """Open a menu, press ``keys`` (``ArrowDown``), take what they came to."""
        self.find(f"{css} select").focus()
        for key in ("Enter", *keys, "Enter"):  # closed, JupyterLab takes the arrows itself
            self.page.keyboard.press(key)

    def picture(self, css: str) -> bytes:
        """The file behind a picture; ``css`` names the picture or what holds it."""
        return bytes(self.find(css).evaluate(PICTURE_BYTES))

    def picture_hash(self, css: str) -> str:
        return hashlib.sha256(self.picture(css)).hexdigest()

    def status(self, css: str) -> dict[str, str]:
        """The ``data-`` attributes of a status, by name: ``{"data-step": "12"}``."""
        return self.page.locator(css).first.evaluate(DATA_ATTRIBUTES)

    def wait_for_status(self, css: str, name: str, value: str, timeout: float = 60) -> None:
        """Wait until the attribute ``name`` of a status is ``value``."""
        wait_until(
            lambda: self.status(css).get(name) == value,
            timeout=timeout,
            what=lambda: f"{name} to be {value!r}; the status is {self.status(css)}",
        )

    def wait_for_new_picture(self, css: str, old: str, timeout: float = 60) -> str:
        """Wait until a picture's hash is no longer ``old``; the new hash."""
        return wait_until(
            lambda: (new := self.picture_hash(css)) != old and new,
            timeout=timeout,
            what=f"the picture {css} to change",
        )

    def screenshot(self, path: Path) -> Path:
        self.page.screenshot(path=path)
        return path

    def _note(self, error: Error) -> None:
        if LEFT_BEHIND not in str(error):
            self.problems.append(str(error))

    def _all_ran(self) -> bool:
        cells = [cell for cell in self.cells() if cell["source"].strip()]
        for cell in cells:
            for output in cell["outputs"]:
                if output["output_type"] == "error":
                    raise AssertionError(f"A cell failed:\n{cell['source']}\n{_error(output)}")
        return all(cell["count"] is not None for cell in cells)


@contextmanager
def browser_page(
    browser: Browser, width: int = WINDOW["width"], height: int = WINDOW["height"]
) -> Iterator[Page]:
    """A page with no memory of others, closed at the end."""
    context = browser.new_context(viewport={"width": width, "height": height})
    try:
        yield context.new_page()
    finally:
        context.close()


def write_notebook(path: Path, *sources: str) -> None:
    """A notebook of these code cells, not yet run."""
    notebook = new_notebook(cells=[new_code_cell(source) for source in sources])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(notebook, path)


def wait_until(
    answer: Callable[[], T | None],
    *,
    timeout: float = 60,
    what: str | Callable[[], str],
    pause: float = 0.05,
) -> T:
    """Ask until the answer is true, and return it.

    Raises:
        AssertionError: after ``timeout`` seconds, naming ``what`` was awaited.
    """
    end = time.monotonic() + timeout
    while True:
        if got := answer():
            return got
        if time.monotonic() > end:
            text = what() if callable(what) else what
            raise AssertionError(f"Waited {timeout:g} s in vain for {text}")
        time.sleep(pause)


def output_text(output: dict[str, Any]) -> str:
    """The text of one stored output: a stream's, a result's, or an error's."""
    if output["output_type"] == "stream":
        return "".join(output["text"])
    if output["output_type"] == "error":
        return _error(output)
    return "".join(output["data"].get("text/plain", "")) + "\n"


def free_port() -> int:
    """A port of this machine alone on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _family(pid: int) -> list[psutil.Process]:
    """A process and all that it started, kernels too (they have groups of their own)."""
    try:
        parent = psutil.Process(pid)
        return [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _error(output: dict[str, Any]) -> str:
    """A traceback without its terminal colors."""
    return re.sub(r"\x1b\[[\d;]*m", "", "\n".join(output["traceback"]))
