"""A button for uploads in pieces, for labs that are no anywidgets yet; see ``kit.upload``."""

from typing import Any

import anywidget
from traitlets import Bool, Int, Unicode

from srlab.files import PACKAGE
from srlab.widgets.kit.upload import Inbox, Take

HERE = PACKAGE / "widgets"


class PieceUpload(anywidget.AnyWidget):
    """A button whose files come in pieces, one message each.

    Args:
        take, about: as ``upload_button``.
    """

    _esm = HERE / "upload.js"
    _css = HERE / "upload.css"
    description = Unicode().tag(sync=True)
    accept = Unicode().tag(sync=True)
    wanted = Unicode().tag(sync=True)
    advice = Unicode().tag(sync=True)
    limit = Int().tag(sync=True)
    multiple = Bool().tag(sync=True)

    def __init__(self, take: Take, about: dict[str, Any]):
        super().__init__(**about)
        self.take = take
        self.inbox = Inbox(limit=self.limit, advice=self.advice)
        self.most = f"{self.limit / 1e6:g} MB each"
        self.on_msg(self._hear)

    def __repr__(self) -> str:
        return f"Upload: {self.description}, up to {self.most}"

    def close(self) -> None:
        """Forget half a file, too."""
        self.inbox.forget()
        super().close()

    def _hear(self, _: object, content: dict[str, Any], buffers: list[memoryview]) -> None:
        """A message of the page: a piece, a question, or that it gives up."""
        answer, whole = self.inbox.hear(str(content.get("kind")), content, buffers)
        if answer:
            self.send(answer)
        if whole:  # after the answer: what is made of it may take long
            self.take(whole)
