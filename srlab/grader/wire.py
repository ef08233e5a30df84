"""Messages between checker and sandbox: JSON, and tensors as Safetensors."""

import json
import socket
import struct
from typing import Any

from torch import Tensor

LARGEST_WORDS = 4 * 2**20  # bytes of JSON in a message
LARGEST_NUMBERS = 32 * 2**20  # bytes of tensors in a message
MESSAGES = 20_000
SIZES = struct.Struct("!II")

Message = dict[str, Any]
Tensors = dict[str, Tensor]


class Broken(BaseException):
    """The other side is gone, or what it said cannot be used.

    No Exception, since a check takes those for what an answer raised.
    """


class Channel:
    """One end of the socket.

    What comes in is checked for its form here, and for its meaning by whoever
    uses it.
    """

    def __init__(self, end: socket.socket):
        self._end = end
        self._left = MESSAGES

    def send(self, message: Message, tensors: Tensors | None = None) -> None:
        """Send one message.

        Raises:
            ValueError: if it is too large.
            Broken: if nobody is there to read it.
        """
        from safetensors.torch import save

        words = json.dumps(message).encode()
        numbers = save(tensors) if tensors else b""
        if len(words) > LARGEST_WORDS or len(numbers) > LARGEST_NUMBERS:
            raise ValueError(TOO_LARGE)
        try:
            self._end.sendall(SIZES.pack(len(words), len(numbers)) + words + numbers)
        except OSError:
            raise Broken("the answer's process ended") from None

    def receive(self) -> tuple[Message, Tensors]:
        """The next message.

        Raises:
            Broken: if it is none, is too large, or nobody is there to send it.
        """
        from safetensors.torch import load

        self._left -= 1
        if self._left < 0:
            raise Broken(f"the answer sent more than {MESSAGES:,} messages")
        words, numbers = SIZES.unpack(self._exactly(SIZES.size))
        if words > LARGEST_WORDS or numbers > LARGEST_NUMBERS:
            raise Broken(TOO_LARGE)
        said, blob = self._exactly(words), self._exactly(numbers)
        try:
            message = json.loads(said)
            tensors = load(blob) if blob else {}
        except Exception:  # whatever bytes a learner's code has written
            raise Broken(UNREADABLE) from None
        if not isinstance(message, dict):
            raise Broken(UNREADABLE)
        return message, tensors

    def _exactly(self, count: int) -> bytes:
        parts = []
        while count:
            try:
                part = self._end.recv(min(count, 2**20))
            except OSError:
                part = b""
            if not part:
                raise Broken("the answer's process ended")
            parts.append(part)
            count -= len(part)
        return b"".join(parts)


TOO_LARGE = "the answer gave more than 32 MiB"
UNREADABLE = "the answer's process sent something else than values"
