"""Picture files: opening, decoding, colors, what a file says of itself, and writing.

Nothing in here knows of networks.
"""

from srlab.images.kinds import picture_suffixes
from srlab.images.opening import (
    MAX_PIXELS,
    ImageSource,
    bytes_to_image,
    cautions,
    open_image,
    read_image,
    to_bytes,
    to_image,
)
from srlab.images.saving import save_image

__all__ = [
    "MAX_PIXELS",
    "ImageSource",
    "bytes_to_image",
    "cautions",
    "open_image",
    "picture_suffixes",
    "read_image",
    "save_image",
    "to_bytes",
    "to_image",
]
