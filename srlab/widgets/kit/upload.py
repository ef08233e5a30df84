"""Files from the page: they come in pieces, of any size up to a limit that is said."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

from traitlets import Dict

from srlab.widgets.kit.lab import Lab

SECONDS_KEPT = 600.0
"""Half a file is forgotten when nothing more of it has come for so long."""

LOST = (
    "Sending was interrupted for too long, or another upload took its place; choose it again."
)


@dataclass(frozen=True)
class Upload:
    """A file as it came.

    Args:
        name: without folders.
        data: its bytes.
        first: whether it is the first of those that were chosen together.
    """

    name: str
    data: bytes
    first: bool = True


Take = Callable[[Upload], None]


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


class Inbox:
    """Puts files together of their pieces.

    Of one file at a time: a new one takes the place of one that has not
    come to its end. A piece that comes twice counts once.

    Args:
        limit: bytes of a file; a larger one is refused at its first piece.
        advice: what to do with a larger one: a sentence's second half.
    """

    def __init__(self, *, limit: int, advice: str):
        self.limit, self.advice = limit, advice
        self._lock = threading.Lock()  # messages may come on any thread
        self._part: PartOfUpload | None = None
        self._done = ""  # the upload that came whole last
        self._size = 0  # of it
        self._timer: threading.Timer | None = None

    def hear(
        self, kind: str, message: Mapping[str, Any], buffers: Sequence[memoryview] = ()
    ) -> tuple[dict[str, Any], Upload | None]:
        """A message of the page.

        Args:
            kind: ``"piece"``, ``"where"`` (a question), or ``"cancel"``.
            message: ``upload`` and ``number``; of a piece ``name``, ``size``,
                ``first`` and ``at`` too.
            buffers: the piece's bytes.

        Returns:
            The answer: how many bytes are here, as ``have``, or ``why`` not;
            and the file, once it is whole.
        """
        with self._lock:
            answer, whole = self._answer(kind, message, buffers)
        about = {name: message.get(name) for name in ("upload", "number")}
        return ({**about, **answer} if answer else {}), whole

    def forget(self) -> None:
        """Forget half a file."""
        with self._lock:
            self._forget()

    def _answer(
        self, kind: str, message: Mapping[str, Any], buffers: Sequence[memoryview]
    ) -> tuple[dict[str, Any], Upload | None]:
        upload = str(message.get("upload"))
        if kind == "cancel":
            if self._part and self._part.upload == upload:
                self._forget()
            return {}, None
        if kind == "piece" and (why := self._collect(upload, message, buffers[0])):
            return {"why": why}, None
        part = self._part
        if part and part.have == part.size:
            whole = self._finish(part)
            return {"have": part.size}, whole
        self._wait_for_more()
        return self._where(upload), None

    def _collect(self, upload: str, message: Mapping[str, Any], piece: memoryview) -> str:
        """Add a piece; "" or why not."""
        if upload == self._done:  # its answer was lost
            return ""
        if message["at"] == 0 and (self._part is None or self._part.upload != upload):
            name, size = Path(str(message["name"])).name, int(message["size"])
            if size > self.limit:
                return (
                    f"{message['name']} has {bytes_text(size)}, but at most "
                    f"{bytes_text(self.limit)} can be sent; {self.advice}"
                )
            self._part = PartOfUpload(upload, name, size, bool(message["first"]))
        part = self._part
        if part is None or part.upload != upload:
            return LOST
        if message["at"] != part.have:  # it came already
            return ""
        if part.have + piece.nbytes > part.size:
            self._forget()
            return f"{part.name} grew while it was sent; choose it again."
        part.pieces.write(piece)
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


class TakesFiles(Lab):
    """A lab with a button to choose files by, or to drop them on.

    ``__init__`` ends in ``take_files``; the view has ``files(lab, ...)``.
    """

    upload = Dict(help="what may come, and how large").tag(sync=True)
    received = Dict(help="the answer to the page's last message").tag(sync=True)

    inbox: Inbox | None = None

    def take_files(
        self,
        take: Take,
        *,
        accept: str,
        wanted: str,
        limit: int,
        advice: str,
        multiple: bool = True,
    ) -> None:
        """Begin to take files from the page.

        Args:
            take: called with each file that came, on any thread.
            accept: MIME types and endings, as HTML's ``accept``.
            wanted: what such a file is, such as ``"a picture"``.
            limit: bytes of a file; a larger one is refused in the page at once.
            advice: what to do with a larger one: a sentence's second half.
            multiple: whether several can be chosen together.
        """
        self.take = take
        self.inbox = inbox = Inbox(limit=limit, advice=advice)
        self.upload = {
            "accept": accept, "wanted": wanted, "limit": limit, "most": bytes_text(limit),
            "advice": advice, "multiple": multiple,
        }  # fmt: skip
        kinds = "piece", "where", "cancel"
        self.presses |= {kind: partial(self._hear, inbox, kind) for kind in kinds}

    def close(self) -> None:
        """Forget half a file, too."""
        if self.inbox:
            self.inbox.forget()
        super().close()

    def _hear(
        self, inbox: Inbox, kind: str, *, buffers: Sequence[memoryview] = (), **message: Any
    ) -> None:
        answer, whole = inbox.hear(kind, message, buffers)
        if answer:
            self.tell(received=answer)
        if whole:  # after the answer: what is made of it may take long
            self.take(whole)


def bytes_text(count: int) -> str:
    """``200 MB``, ``3.2 MB``, ``45 kB`` or ``120 bytes``; never ``0.0 kB``.

    Example:
        >>> [bytes_text(count) for count in (0, 999, 1000, 99_960, 3_200_000)]
        ['0 bytes', '999 bytes', '1 kB', '0.1 MB', '3.2 MB']
    """
    if count < 1000:
        return f"{count} bytes"
    if count < 99_950:
        return f"{count / 1e3:.1f}".removesuffix(".0") + " kB"
    return f"{count / 1e6:.1f}".removesuffix(".0") + " MB"
