"""The one way in and the one way out for pictures.

Outside srlab a picture is a file or a PIL image of any kind. Inside it is
float32 ``(1, 3, h, w)``, RGB, in [0, 1].
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
from PIL import ExifTags, Image, UnidentifiedImageError
from torch import Tensor

from srlab.files import replacing
from srlab.require import require_unit_range

MAX_PIXELS = 100_000_000
"""Larger pictures are refused: a few kilobytes on disk can unpack to gigabytes."""

PNG_LEVEL = 4
"""Files 2 to 7 % larger than with the usual 6, written in less than half the time."""

TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF orientation -> what makes the picture upright."""

ImageSource = str | os.PathLike[str] | BinaryIO | Image.Image


def read_image(source: ImageSource) -> Tensor:
    """Read any picture a person may have.

    The first frame is taken, the EXIF rotation applied, transparency laid
    over white, 16 bits kept.

    Args:
        source: a path, an open binary file, or a PIL image.

    Returns:
        float32 ``(1, 3, h, w)``, RGB, in [0, 1].

    Raises:
        FileNotFoundError, IsADirectoryError: if there is no such file.
        ValueError: if it is not a picture, is damaged, or has more than
            ``MAX_PIXELS``.

    Example:
        >>> read_image(Image.new("L", (3, 2))).shape
        torch.Size([1, 3, 2, 3])

    Source: built by srlab; the lessons use it from 00 on.
    """
    if isinstance(source, Image.Image):
        return _to_tensor(source, _name(source))
    return _to_tensor(open_image(source), _name(source))


def open_image(source: str | os.PathLike[str] | BinaryIO) -> Image.Image:
    """Open a picture file and refuse what is none, before it is decoded.

    Args:
        source: a path or an open binary file.

    Returns:
        A PIL image; ``read_image`` and ``upscale`` take it as it is.

    Raises:
        FileNotFoundError, IsADirectoryError: if there is no such file.
        ValueError: if it is not a picture or too large.

    Source: built by srlab.
    """
    if isinstance(source, str | os.PathLike):
        _require_file(Path(source))
    try:
        with _quiet_pillow():
            image = Image.open(source)
    except Image.DecompressionBombError:
        raise ValueError(_too_large(_name(source))) from None
    except UnidentifiedImageError:
        raise ValueError(
            f"{_name(source)} is not a picture that can be read; "
            f"save it as JPEG, PNG, WebP or TIFF."
        ) from None
    except Exception as error:
        if isinstance(error, OSError) and error.errno:  # the file, not what is in it
            raise
        raise ValueError(_damaged(_name(source), error)) from None
    if image.width * image.height > MAX_PIXELS:
        raise ValueError(_too_large(_name(source)))
    return image


def picture_suffixes() -> frozenset[str]:
    """The endings of the picture files that every command takes."""
    known = Image.registered_extensions().items()
    return frozenset(ending for ending, kind in known if kind in Image.OPEN)


def cautions(image: Image.Image) -> list[str]:
    """What a person should know of an opened file, a sentence each."""
    return []


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

    Source: built by srlab; the lessons use it from 00 on.
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


def save_image(image: Image.Image, path: str | Path, *, quality: int = 95) -> None:
    """Write ``image`` to ``path``, all of it or nothing.

    Raises:
        OSError: if the target cannot be written.
        ValueError: if the file name's ending names no picture format.

    Source: built by srlab.
    """
    ending = Path(path).suffix.lower()
    kind = Image.registered_extensions().get(ending)
    if kind not in Image.SAVE:
        raise ValueError(
            f"{Path(path).name} should end in .png, .jpg, .webp or .tiff, so that "
            f"the kind of picture is known."
        )
    memory = BytesIO()  # on a full disk Pillow itself writes half a JPEG without an error
    image.save(memory, kind, compress_level=PNG_LEVEL)  # other kinds know no such thing
    with replacing(path) as part:
        part.write_bytes(memory.getbuffer())


def _require_file(path: Path) -> None:
    """Raise with one sentence unless ``path`` is a file with something in it."""
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder, but a picture was expected.")
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist; check the name.")
    if path.is_file() and path.stat().st_size == 0:
        raise ValueError(f"{path.name} is empty; copy it again from where it came.")


def _name(source: ImageSource) -> str:
    """What to call a picture in an error."""
    if isinstance(source, str | os.PathLike):
        return Path(source).name
    return str(getattr(source, "name", "") or getattr(source, "filename", "") or "the picture")


def _too_large(name: str) -> str:
    return (
        f"{name} has more than {MAX_PIXELS // 10**6} million pixels; shrink or crop it first."
    )


def _damaged(name: str, error: Exception) -> str:
    return (
        f"{name} is damaged or of an unknown kind ({error}); "
        f"open it in a picture viewer and save it again."
    )


def _to_tensor(image: Image.Image, name: str) -> Tensor:
    """Decode ``image`` to float32 (1, 3, h, w) in [0, 1]."""
    if image.width * image.height > MAX_PIXELS:
        raise ValueError(_too_large(name))
    try:
        with _quiet_pillow():
            image.load()  # an animation's first frame
            array = _to_array(_upright(image))
    except Exception as error:  # decoders raise whatever they like
        raise ValueError(_damaged(name, error)) from None
    # As bytes until the end: a float takes four times their memory.
    pixels = torch.from_numpy(array).permute(2, 0, 1)[None].contiguous()
    return pixels if pixels.is_floating_point() else pixels.float().div_(255)


@contextmanager
def _quiet_pillow() -> Iterator[None]:
    """No warnings of broken EXIF data, and of sizes that srlab itself checks."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="PIL")
        yield


def _upright(image: Image.Image) -> Image.Image:
    """Turn the picture as its EXIF data say; broken data say nothing.

    Pillow's own ``exif_transpose`` also rewrites the data, and fails on some.
    """
    try:
        turn = TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # the parser raises whatever it likes
        return image
    return image if turn is None else image.transpose(turn)


def _to_array(image: Image.Image) -> np.ndarray:
    """PIL image of any mode -> (h, w, 3): uint8, or float32 in [0, 1] if it has 16 bits."""
    if image.mode.startswith("I"):  # 16-bit gray; PIL's convert would clip it
        gray = np.asarray(image, dtype=np.float32)
        if gray.min() < 0 or gray.max() > 65535:
            raise ValueError("its values do not fit into 16 bits")
        return np.repeat((gray / 65535)[..., None], 3, axis=2)
    if image.mode == "F":
        raise ValueError("floating-point pictures have no agreed range")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return np.array(image.convert("RGB"))
