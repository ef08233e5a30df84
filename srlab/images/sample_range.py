"""Gray pictures of more than 8 bits: which value is white, and which is black."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

BITS, PHOTOMETRIC, LARGEST, SAMPLE_FORMAT = 258, 262, 281, 339
DECLARED_LEAST, DECLARED_LARGEST = 340, 341
"""TIFF's tags."""

SIGNED = 2
DARK = 16
"""Whoever uses less than a part in so many of the range may have meant another."""


@dataclass(frozen=True)
class SampleRange:
    """Which values of a picture are black and white, and what a person should know."""

    black: float
    white: float
    note: str | None = None


def is_deep(image: Image.Image) -> bool:
    """Whether a picture is gray with more than 8 bits."""
    return image.mode.startswith("I")


def is_signed(image: Image.Image) -> bool:
    """Whether a TIFF file says that its numbers can be below zero."""
    return _tag(image, SAMPLE_FORMAT) == SIGNED


def gray_values(image: Image.Image) -> np.ndarray:
    """Float32 (h, w) in [0, 1] of a deep gray picture.

    Raises:
        ValueError: if its values have no agreed range.
    """
    values = _stored(image)
    span = find_range(image, values)
    gray = (values.astype(np.float32) - span.black) / (span.white - span.black)
    if _tag(image, PHOTOMETRIC) == 0 and getattr(image, "tag_v2", None):
        gray = 1 - gray
    return np.clip(gray, 0, 1, dtype=np.float32)


def range_caution(image: Image.Image) -> str | None:
    """What a person should know of the range of a deep gray picture."""
    return find_range(image, _stored(image)).note


def find_range(image: Image.Image, values: np.ndarray) -> SampleRange:
    """Black and white of a picture, by its file's word.

    Args:
        image: a deep gray one.
        values: its values, ``(h, w)``.

    Raises:
        ValueError: if no range is agreed: for values below zero, and for more
            than 16 bits where no file says what they mean.
    """
    least, top = int(values.min()), int(values.max())
    if least < 0:
        raise ValueError("numbers below zero have no agreed range")
    full = _full_range(image, top)
    said = _declared(image)
    if said and top <= said:
        black = _tag(image, DECLARED_LEAST) or 0
        note = f"its largest value, as it says, is {said:g}; that was taken as white"
        return SampleRange(min(black, least), said, None if _is_all_ones(said) else note)
    if said:
        note = f"{top} occurs, though it says that none is above {said:g}; white is {full}"
        return SampleRange(0, full, note)
    return SampleRange(0, full, _guess_note(image, top, full))


def _stored(image: Image.Image) -> np.ndarray:
    """The values as the file means them: Pillow takes 32 unsigned bits as signed."""
    values = np.asarray(image)
    unsigned = _bits(image) == 32 and not is_signed(image)
    return values.view(np.uint32) if unsigned and values.dtype == np.int32 else values


def _bits(image: Image.Image) -> int:
    """What TIFF says, or 16: PNG's, PGM's and JPEG 2000's come as those."""
    return int(_tag(image, BITS) or 16)


def _full_range(image: Image.Image, top: int) -> int:
    """The largest value that there can be."""
    bits = _bits(image)
    if bits == 32 and top <= 65535:  # 16 bits, in a file with room for more
        return 65535
    full = int(2 ** (bits - is_signed(image)) - 1)
    if top > full:
        raise ValueError("its values do not fit into 16 bits")
    return full


def _declared(image: Image.Image) -> float | None:
    """White as TIFF's tags say: as it is meant to be, or as the largest there is.

    The second speaks of the picture and not of its range, which is the next
    2^n - 1.
    """
    if (meant := _tag(image, DECLARED_LARGEST)) and meant > 0:
        return meant
    largest = _tag(image, LARGEST)
    return 2 ** int(largest).bit_length() - 1 if largest and largest > 0 else None


def _guess_note(image: Image.Image, top: int, full: int) -> str | None:
    if 0 < top * DARK <= full:
        return (
            f"its highest value is {top} of {full}, so it comes out nearly of one shade; "
            f"if it means fewer bits, multiply its values by {(full + 1) // (top + 1)}"
        )
    if _bits(image) == 32 and full == 65535:
        return f"its highest value is {top} of 32 bits; {full} was taken as white"
    return None


def _is_all_ones(value: float) -> bool:
    return value == int(value) and int(value) & (int(value) + 1) == 0


def _tag(image: Image.Image, number: int) -> float | None:
    """The first number of a TIFF tag."""
    try:
        value = getattr(image, "tag_v2", {}).get(number)
        value = value[0] if isinstance(value, tuple) else value
        return None if value is None else float(value)
    except Exception:  # a tag can hold anything
        return None
