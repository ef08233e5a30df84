"""Files from the page, of any size up to a limit that is said."""

import os
from pathlib import Path
from typing import Any

from ipywidgets import FileUpload

from srlab.widgets.kit.upload import Take as Take
from srlab.widgets.kit.upload import Upload as Upload

ONE_MESSAGE = 10_000_000
"""Bytes: a Jupyter server closes the connection on a message above 10 MiB."""


def upload_button(
    label: str,
    take: Take,
    *,
    tooltip: str,
    accept: str,
    wanted: str,
    limit: int,
    advice: str,
    multiple: bool = False,
) -> Any:
    """A button to choose files by, or to drop them on.

    Args:
        label: on the button.
        take: called with each file that came, on any thread.
        tooltip: what it is for.
        accept: MIME types and endings, as HTML's ``accept``.
        wanted: what such a file is, such as ``"a picture"``.
        limit: bytes of a file; a larger one is refused in the page at once.
        advice: what to do with a larger one: a sentence's second half.
        multiple: whether several can be chosen together.

    Returns:
        A widget that sends files in pieces; where anywidget is missing or
        ``SRLAB_WIDGETS`` is ``core`` that of ipywidgets, which can send only
        ``ONE_MESSAGE``. Its ``most`` says how much, in words.
    """
    about = {
        "description": label, "tooltip": tooltip, "accept": accept, "wanted": wanted,
        "limit": limit, "advice": advice, "multiple": multiple,
    }  # fmt: skip
    if os.environ.get("SRLAB_WIDGETS") == "core":
        return CoreUpload(take, about)
    try:
        from srlab.widgets.upload_pieces import PieceUpload
    except ImportError:
        return CoreUpload(take, about)
    return PieceUpload(take, about)


class CoreUpload(FileUpload):  # type: ignore[misc]
    """ipywidgets' own button: everything chosen together has to fit into one message.

    Args:
        take, about: as ``upload_button``.
    """

    def __init__(self, take: Take, about: dict[str, Any]):
        names = "description", "tooltip", "accept", "multiple"
        super().__init__(**{name: about[name] for name in names})
        self.take = take
        self.most = f"{min(about['limit'], ONE_MESSAGE) / 1e6:g} MB at a time"
        self.observe(self._came, "value")

    def _came(self, event: dict[str, Any]) -> None:
        if not event["new"]:
            return
        self.value = ()  # the same file can come again, and it is not kept twice
        for number, file in enumerate(event["new"]):
            self.take(Upload(Path(file["name"]).name, bytes(file["content"]), number == 0))
