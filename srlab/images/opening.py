"""The one way in and the one way out for pictures.

Outside srlab a picture is a file or a PIL image of any kind. Inside it is
float32 ``(1, 3, h, w)``, sRGB, in [0, 1].
"""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from PIL import Image, PngImagePlugin, UnidentifiedImageError
from torch import Tensor

from srlab.images import kinds
from srlab.images.caution import find_cautions
from srlab.images.decoding import Decoded, decode
from srlab.images.profiles import coded_colors
from srlab.require import require_unit_range

MAX_PIXELS = 100_000_000
"""Larger pictures are refused: a few kilobytes on disk can unpack to gigabytes."""

PngImagePlugin.MAX_TEXT_CHUNK = 2**24
"""An editor's history or a profile may be so long; all texts together have a limit, too."""

NEARLY_WHITE = 250  # of 255

ImageSource = str | os.PathLike[str] | BinaryIO | Image.Image


def read_image(source: ImageSource) -> Tensor:
    """Read any picture a person may have, as numbers for a network.

    The first frame is taken, the EXIF rotation applied, colors converted to
    sRGB by the embedded profile, and transparency laid over white, with a
    warning. Gray keeps its 16 bits; of colors with more than 8 bits a channel
    8 are read, with a warning.

    Args:
        source: a path, an open binary file, or a PIL image.

    Returns:
        float32 ``(1, 3, h, w)``, sRGB, in [0, 1].

    Raises:
        FileNotFoundError, IsADirectoryError: if there is no such file.
        ValueError: if it is not a picture, is damaged, holds numbers without
            an agreed range, or has more than ``MAX_PIXELS``.

    Example:
        >>> read_image(Image.new("L", (3, 2))).shape
        torch.Size([1, 3, 2, 3])
    """
    image = source if isinstance(source, Image.Image) else open_image(source)
    decoded = decode_image(image, name_of(source))
    if decoded.alpha is not None:
        warnings.warn(_transparency_caution(decoded, name_of(source)), stacklevel=2)
    return to_tensor(decoded.over_white()).expand(-1, 3, -1, -1).contiguous()


def open_image(source: str | os.PathLike[str] | BinaryIO) -> Image.Image:
    """Open a picture file and refuse what is none, before it is decoded.

    What a person should know of it, ``cautions``, is warned of.

    Args:
        source: a path or an open binary file.

    Returns:
        A PIL image; ``read_image`` and ``upscale`` take it as it is.

    Raises:
        FileNotFoundError, IsADirectoryError: if there is no such file.
        ValueError: if it is not a picture or too large, or is of a kind that
            needs a package which is not installed; the message names it.
    """
    if isinstance(source, str | os.PathLike):
        _require_file(Path(source))
    name = name_of(source)
    head = _head(source)
    _require_known(head, name)
    try:
        with quiet_pillow():
            image = _open(source, head, name)
    except Image.DecompressionBombError:
        raise ValueError(_too_large(name)) from None
    except UnidentifiedImageError:
        raise ValueError(kinds.why_refused(head, name)) from None
    except Exception as error:
        if isinstance(error, OSError) and error.errno:  # the file, not what is in it
            raise
        raise ValueError(_damaged(name, error)) from None
    if image.width * image.height > MAX_PIXELS:
        raise ValueError(_too_large(name))
    if image.format in ("PNG", "AVIF"):
        image.info.update(coded_colors(head))
    for sentence in cautions(image):
        warnings.warn(sentence, stacklevel=2)
    return image


def cautions(image: Image.Image) -> list[str]:
    """What a person should know of an opened file, a sentence each.

    That its first frame alone is used, that 8 of its 16 bits are read, that
    its profile was of no use, or how a range was guessed. ``open_image`` warns
    of each.

    Args:
        image: an opened file that was not decoded yet; deep gray is decoded
            here, to look at its range.
    """
    with quiet_pillow():
        return [f"{name_of(image)}: {sentence}." for sentence in find_cautions(image)]


def to_image(images: Tensor) -> Image.Image:
    """Turn a tensor into a PIL image: clamp to [0, 1] and round to 8 bits.

    Args:
        images: floating point ``(1, 3, h, w)`` or ``(3, h, w)``, about [0, 1].

    Returns:
        An RGB image of w x h px.

    Raises:
        TypeError, ValueError: on another dtype, shape or range.

    Example:
        >>> to_image(torch.zeros(1, 3, 2, 4)).size
        (4, 2)
    """
    if not images.is_floating_point():
        raise TypeError(
            f"images is {images.dtype}, but floating point in [0, 1] was "
            f"expected; use images.float() / 255."
        )
    if images.ndim == 4 and len(images) == 1:
        images = images[0]
    if images.ndim != 3 or len(images) != 3:
        raise ValueError(
            f"images has shape {tuple(images.shape)}, but (1, 3, h, w) or "
            f"(3, h, w) was expected; pick one picture of a batch."
        )
    require_unit_range(images, "images")
    return bytes_to_image(to_bytes(images).cpu())


def bytes_to_image(pixels: Tensor) -> Image.Image:
    """uint8 ``(3, h, w)`` on the CPU -> an RGB image."""
    return Image.fromarray(pixels.permute(1, 2, 0).contiguous().numpy())


def to_bytes(images: Tensor) -> Tensor:
    """Clamp [0, 1] values, round them to 0 ... 255 and return uint8."""
    return images.detach().clamp(0, 1).mul_(255).round_().to(torch.uint8)


def decode_image(image: Image.Image, name: str) -> Decoded:
    """``decode``, with a ValueError that says which picture and what to do."""
    if image.width * image.height > MAX_PIXELS:
        raise ValueError(_too_large(name))
    try:
        with quiet_pillow():
            return decode(image)
    except Exception as error:  # decoders raise whatever they like
        raise ValueError(_damaged(name, error)) from None


def to_tensor(colors: Image.Image) -> Tensor:
    """Decoded colors -> float32 ``(1, 3, h, w)``, or ``(1, 1, h, w)`` if gray, in [0, 1]."""
    # As bytes until the end: a float takes four times their memory.
    array = np.array(colors)
    pixels = torch.from_numpy(array[..., None] if array.ndim == 2 else array)
    pixels = pixels.permute(2, 0, 1)[None].contiguous()
    return pixels if pixels.is_floating_point() else pixels.float().div_(255)


def name_of(source: ImageSource) -> str:
    """What to call a picture in a sentence."""
    if isinstance(source, str | os.PathLike):
        return Path(source).name
    file = getattr(source, "fp", None)  # of an opened image
    names = (
        getattr(part, kind, "") for part in (source, file) for kind in ("name", "filename")
    )
    return next((Path(str(name)).name for name in names if name), "the picture")


@contextmanager
def quiet_pillow() -> Iterator[None]:
    """No warnings of broken EXIF data, and of sizes that srlab itself checks."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="PIL")
        yield


class _Named(BytesIO):
    """A file in memory that sentences can call by its name."""

    def __init__(self, data: bytes, name: str):
        super().__init__(data)
        self.name = name


def _open(source: str | os.PathLike[str] | BinaryIO, head: bytes, name: str) -> Image.Image:
    """Pillow's ``open``; a PNG whose texts are too long for it comes without them."""
    formats = kinds.picture_kinds()
    start = 0 if isinstance(source, str | os.PathLike) else source.tell()
    try:
        return Image.open(source, formats=formats)
    except ValueError as error:
        if not head.startswith(kinds.PNG) or "text" not in str(error).lower():
            raise
    warnings.warn(f"{name}: its texts are too long and were left out.", stacklevel=3)
    if isinstance(source, str | os.PathLike):
        data = Path(source).read_bytes()
    else:
        source.seek(start)
        data = source.read()
    return Image.open(_Named(kinds.without_texts(data), name), formats=formats)


def _head(source: str | os.PathLike[str] | BinaryIO) -> bytes:
    if isinstance(source, str | os.PathLike):
        with Path(source).open("rb") as file:
            return file.read(kinds.HEAD)
    place = source.tell()
    head = source.read(kinds.HEAD)
    source.seek(place)
    return head


def _require_known(head: bytes, name: str) -> None:
    """Raise for what needs a package that is missing, and for JPEG XL's bombs."""
    if sentence := kinds.missing_extra(head, name):
        raise ValueError(sentence)
    if kinds.extra_kind(head) == "JPEG XL":  # unpacked as soon as it is opened
        width, height = kinds.jxl_size(head) or (0, 0)
        if not width:
            raise ValueError(f"{name} is a damaged JPEG XL picture; copy it again.")
        if width * height > MAX_PIXELS:
            raise ValueError(_too_large(name))


def _require_file(path: Path) -> None:
    """Raise with one sentence unless ``path`` is a file with something in it."""
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder, but a picture was expected.")
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist; check the name.")
    if path.is_file() and path.stat().st_size == 0:
        raise ValueError(f"{path.name} is empty; copy it again from where it came.")


def _too_large(name: str) -> str:
    return (
        f"{name} has more than {MAX_PIXELS // 10**6} million pixels; shrink or crop it first."
    )


def _damaged(name: str, error: Exception) -> str:
    if "no agreed range" in str(error):
        return f"{name} cannot be read: {error}; save it with 8 or 16 bits."
    return (
        f"{name} is damaged or of an unknown kind ({error}); "
        f"open it in a picture viewer and save it again."
    )


def _transparency_caution(decoded: Decoded, name: str) -> str:
    """What became of the transparency of a picture that a network sees."""
    darkest, _ = decoded.over_white().convert("L").getextrema()
    gone = ", where hardly anything of it can be seen" if darkest >= NEARLY_WHITE else ""  # type: ignore[operator]
    return f"{name} is partly transparent; it was laid over white{gone}."
