"""The kernel's side of an upload in pieces; ``upload.js`` is the page's."""

import threading
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import anywidget
from traitlets import Bool, Int, Unicode

from srlab.files import PACKAGE
from srlab.widgets.parts import bytes_text
from srlab.widgets.upload import Take, Upload

HERE = PACKAGE / "widgets"

SECONDS_KEPT = 600.0
"""Half a file is forgotten when nothing more of it has come for so long."""

LOST = (
    "Sending was interrupted for too long, or another upload took its place; choose it again."
)


@dataclass
class PartOfUpload:
    """A file of which some pieces came.

    Args:
        upload: what the page calls this upload.
        name, size: as the page declared them; bytes.
        first: as in ``Upload``.
    """

    upload: str
    name: str
    size: int
    first: bool
    pieces: BytesIO = field(default_factory=BytesIO)

    @property
    def have(self) -> int:
        """Bytes that came so far."""
        return self.pieces.tell()


class PieceUpload(anywidget.AnyWidget):
    """A button whose files come in pieces, one message each.

    Of one file at a time: a new one takes the place of one that has not
    come to its end. A piece that comes twice counts once.

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
        self.most = f"{self.limit / 1e6:g} MB each"
        self._lock = threading.Lock()  # messages may come on any thread
        self._part: PartOfUpload | None = None
        self._done = ""  # the upload that came whole last
        self._size = 0  # of it
        self._timer: threading.Timer | None = None
        self.on_msg(self._hear)

    def __repr__(self) -> str:
        return f"Upload: {self.description}, up to {self.most}"

    def close(self) -> None:
        """Forget half a file, too."""
        with self._lock:
            self._forget()
        super().close()

    def _hear(self, _: object, content: dict[str, Any], buffers: list[memoryview]) -> None:
        """A message of the page: a piece, a question, or that it gives up."""
        with self._lock:
            answer, whole = self._answer(content, buffers)
        if answer:
            about = {name: content.get(name) for name in ("upload", "number")}
            self.send({**about, **answer})
        if whole:  # after the answer: what is made of it may take long
            self.take(whole)

    def _answer(
        self, content: dict[str, Any], buffers: list[memoryview]
    ) -> tuple[dict[str, Any], Upload | None]:
        """What to say, and the file that is whole now."""
        kind, upload = content.get("kind"), str(content.get("upload"))
        if kind == "cancel":
            if self._part and self._part.upload == upload:
                self._forget()
            return {}, None
        if kind == "piece" and (why := self._collect(upload, content, buffers[0])):
            return {"why": why}, None
        part = self._part
        if part and part.have == part.size:
            whole = self._finish(part)
            return {"have": part.size}, whole
        self._wait_for_more()
        return self._where(upload), None

    def _collect(self, upload: str, content: dict[str, Any], piece: memoryview) -> str:
        """Add a piece; "" or why not."""
        if upload == self._done:  # its answer was lost
            return ""
        if content["at"] == 0 and (self._part is None or self._part.upload != upload):
            if why := self._refusal(content):
                return why
            self._part = _begun(upload, content)
        part = self._part
        if part is None or part.upload != upload:
            return LOST
        if content["at"] != part.have:  # it came already
            return ""
        if part.have + piece.nbytes > part.size:
            self._forget()
            return f"{part.name} grew while it was sent; choose it again."
        part.pieces.write(piece)
        return ""

    def _refusal(self, content: dict[str, Any]) -> str:
        """Why nothing of a file is kept; "" if it may come."""
        if content["size"] > self.limit:
            return (
                f"{content['name']} has {bytes_text(content['size'])}, but at most "
                f"{self.limit / 1e6:g} MB can be sent; {self.advice}"
            )
        return ""

    def _where(self, upload: str) -> dict[str, Any]:
        """How many bytes of an upload are here."""
        if upload == self._done:
            return {"have": self._size}
        if self._part and self._part.upload == upload:
            return {"have": self._part.have}
        return {"why": LOST}

    def _finish(self, part: PartOfUpload) -> Upload:
        self._forget()
        self._done, self._size = part.upload, part.size
        return Upload(part.name, part.pieces.getvalue(), part.first)

    def _forget(self) -> None:
        self._part = None
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _wait_for_more(self) -> None:
        """Forget the part, unless something is heard of it again."""
        if self._timer:
            self._timer.cancel()
        self._timer = threading.Timer(SECONDS_KEPT, self._give_up, [self._part])
        self._timer.daemon = True
        self._timer.start()

    def _give_up(self, part: PartOfUpload) -> None:
        with self._lock:
            if self._part is part:
                self._forget()


def _begun(upload: str, content: dict[str, Any]) -> PartOfUpload:
    name = Path(str(content["name"])).name
    return PartOfUpload(upload, name, int(content["size"]), bool(content["first"]))
