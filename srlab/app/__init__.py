"""The Loss Lab as a page of its own, served by Voila on this machine alone.

Each visitor gets a kernel of their own, which ends when the page is closed.
Who may come is decided by the token in the address, which Voila makes anew at
each start, and by the address itself, which other machines cannot reach.
"""

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from srlab.files import PACKAGE

if TYPE_CHECKING:
    from nbformat import NotebookNode

NOTEBOOK = "05_loss_lab.ipynb"
SHARE = PACKAGE / "app" / "share"  # with the template

OTHER_HOST = re.compile(r'<link[^>]*href="(?:https?:)?//[^>]*>')
LINK_TO_LESSON = re.compile(r"\[([^\]]+)\]\([^)]*\.ipynb[^)]*\)")


def serve_loss_lab(folder: Path, arguments: list[str]) -> None:
    """Serve the Loss Lab of a copy of the course, until it is stopped.

    Args:
        folder: a copy of the course; run cards are written into its ``my-runs``.
        arguments: passed on to Voila, such as ``--no-browser --port=9999``;
            ``--Voila.ip`` and ``--token`` among them win.

    Raises:
        ImportError: if Voila is not installed.
        ValueError: if ``folder`` has no Loss Lab.
    """
    try:
        from voila.app import Voila  # type: ignore[import-untyped]
    except ImportError as error:
        raise ImportError(
            f"srlab app needs Voila, but {error.name} is not installed; install it: "
            f"pip install voila."
        ) from None
    if not (folder / NOTEBOOK).is_file():
        raise ValueError(
            f"{folder} has no {NOTEBOOK}; srlab lessons {folder} --reset 05 brings it."
        )
    _let_voila_find(SHARE)
    app = Voila(config=_settings())
    app.initialize([str((folder / NOTEBOOK).resolve()), *_options(arguments)])
    app.start()


def only_the_lab(_request: object, notebook: "NotebookNode", **_: object) -> "NotebookNode":
    """The notebook without the cells that drive the lab in code, and what tells of them.

    They would move the lab, and train it, before anybody sees it.
    """
    cells = notebook.cells
    driving = [i for i, cell in enumerate(cells) if cell.get("id", "").startswith("drive-")]
    if driving:
        notebook.cells = cells[: driving[0]] + cells[driving[-1] + 1 :]
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = _for_the_page(cell.source)
    notebook.metadata["title"] = "The Loss Lab"
    return notebook


def _for_the_page(text: str) -> str:
    """A text without what is not here: other lessons, and a cell to run."""
    return LINK_TO_LESSON.sub(r"\1", text).replace("Run the next cell, press", "Press")


def without_other_hosts(html: str) -> str:
    """The head of a page without style sheets from elsewhere."""
    return OTHER_HOST.sub("", html)


def _settings() -> Any:
    from traitlets.config import Config

    settings = Config()
    settings.VoilaConfiguration.template = "srlab"
    settings.VoilaConfiguration.prelaunch_hook = only_the_lab
    settings.VoilaExporter.filters = {"without_other_hosts": without_other_hosts}
    return settings


def _options(arguments: list[str]) -> list[str]:
    """Loopback and a new token, unless the arguments say something else."""
    options = list(arguments)
    if not any(given.startswith("--Voila.ip") for given in arguments):
        options.append("--Voila.ip=127.0.0.1")
    if not any(given.startswith(("--token", "--Voila.token")) for given in arguments):
        options.append("--Voila.auto_token=True")
    return options


def _let_voila_find(share: Path) -> None:
    """Add a folder to those in which Jupyter's programs look for templates."""
    known = os.environ.get("JUPYTER_PATH", "")
    os.environ["JUPYTER_PATH"] = os.pathsep.join(filter(None, [str(share), known]))
