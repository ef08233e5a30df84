"""What a person should know of a picture file before its pixels are used."""

from collections.abc import Iterator
from contextlib import suppress

from PIL import Image

from srlab.images.decoding import color_mode
from srlab.images.profiles import profile_caution
from srlab.images.sample_range import is_deep, range_caution

SECOND_PICTURES = frozenset({"MPO", "PSD", "ICO"})
"""Kinds whose other frames are previews, layers or sizes of the same picture."""

DNG_VERSION, SUBFILE_TYPE, REDUCED = 50706, 254, 1
DARK_BYTE = 16  # what is left of 12 bits that were stored as 16


def find_cautions(image: Image.Image) -> Iterator[str]:
    """Parts of sentences, without the picture's name."""
    for find in (_frames, _preview, _bits, _profile, _range):
        with suppress(Exception):  # damaged; decoding will say so
            if said := find(image):
                yield said


def _frames(image: Image.Image) -> str | None:
    count = getattr(image, "n_frames", 1)
    if count == 1 or image.format in SECOND_PICTURES:
        return None
    what = "pages" if image.format == "TIFF" else "frames"
    return f"of its {count} {what} the first alone is used"


def _preview(image: Image.Image) -> str | None:
    """A camera's raw file is a TIFF that begins with a small preview."""
    tags = getattr(image, "tag_v2", None) or {}
    if DNG_VERSION not in tags and tags.get(SUBFILE_TYPE) != REDUCED:
        return None
    return (
        f"a preview of {image.width} x {image.height} px is all that can be read of it; "
        f"develop the raw file into a TIFF first"
    )


def _bits(image: Image.Image) -> str | None:
    if is_deep(image):
        if not image.has_transparency_data:
            return None
        return "it has 16 bits and transparency, beside which 8 bits come out"
    if image.mode == "F" or not _has_more_than_8_bits(image):
        return None
    dark = f"; none of them is above {DARK_BYTE}" if _brightest(image) <= DARK_BYTE else ""
    return f"it has more than 8 bits a channel, but 8 come out{dark}"


def _has_more_than_8_bits(image: Image.Image) -> bool:
    if image.info.get("bit_depth", 8) > 8:  # HEIC
        return True
    for tile in getattr(image, "tile", ()):
        kind, value = (tile[3], 0) if isinstance(tile[3], str) else (*tile[3], 0, 0)[:2]
        if ";16" in str(kind) or (
            image.format == "PPM" and isinstance(value, int) and value > 255
        ):
            return True
    bits = (getattr(image, "tag_v2", None) or {}).get(258, (8,))
    return max(bits) > 8


def _brightest(image: Image.Image) -> int:
    image.load()
    bands = image.convert("RGB").getextrema()
    return max(high for _, high in bands)  # type: ignore[misc]


def _profile(image: Image.Image) -> str | None:
    return profile_caution(image, color_mode(image))


def _range(image: Image.Image) -> str | None:
    return range_caution(image) if is_deep(image) else None
