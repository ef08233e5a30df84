"""What a file says of its picture, and what of that is kept: who, when, how, not where."""

import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from email.utils import parsedate_to_datetime
from math import isfinite
from typing import Any
from xml.etree import ElementTree

from PIL import ExifTags, Image, IptcImagePlugin

LONGEST = 4096
"""Bytes of one entry; longer ones are an editor's history or a prompt."""

LARGEST_XMP = 2**23

TEXTS = frozenset(
    {"Title", "Author", "Description", "Copyright", "Creation Time", "Software", "Source"}
    | {"Disclaimer", "Warning", "Comment"}
)
"""PNG's own keywords; others are programs' own, such as prompts."""

EXIF_KEPT = frozenset({269, 270, 271, 272, 305, 306, 315, 18246, 33432, *range(40091, 40096)})
"""Of the first table: title, camera, program, date, author, rating and copyright."""

PHOTO_KEPT = frozenset(
    {33434, 33437, 34850, 34852, 34855, *range(34864, 34870), 36864, *range(36867, 36869)}
    | {*range(36880, 36883), *range(37377, 37387), 37510, *range(37520, 37523), 40961}
    | {*range(41985, 41997), *range(42032, 42038)}
)
"""Of the photograph's table: exposure, lens, dates; no sizes, thumbnail or maker's notes,
which can hold anything, the place among them."""

ARTIST, COPYRIGHT, DESCRIPTION, TAKEN, SPACE = 315, 33432, 270, 36867, 40961
X_DPI, Y_DPI, DPI_UNIT, INCH = 282, 283, 296, 2
SRGB = 1


def kept_info(image: Image.Image, *, keep_location: bool = False) -> dict[str, Any]:
    """What a result's ``info`` shall hold, for ``save_image`` to write.

    Author, copyright, description and date are looked for in EXIF, then in
    XMP, IPTC and PNG's texts, and kept as EXIF; so are camera and exposure.
    The picture is upright and sRGB by then, so orientation and profile are
    left out, and so are thumbnails, maker's notes and, unless
    ``keep_location``, the place.

    Args:
        image: an opened file; broken data in it are left out.
        keep_location: keep GPS, too.

    Returns:
        ``exif`` (bytes), ``dpi``, and PNG's texts.
    """
    dpi = _dpi(image)
    exif = _exif(image, dpi, keep_location)
    info: dict[str, Any] = {"exif": exif} if exif else {}
    return info | ({"dpi": dpi} if dpi else {}) | kept_texts(image.info)


def kept_texts(info: dict[Any, Any]) -> dict[str, str]:
    """PNG's texts that have one of its own keywords and are not too long."""
    return {
        name: str(text)
        for name, text in info.items()
        if name in TEXTS and isinstance(text, str) and len(text) <= LONGEST
    }


def _exif(image: Image.Image, dpi: tuple[float, float] | None, keep_location: bool) -> bytes:
    """Clean EXIF data, b"" if nothing is left."""
    kept = Image.Exif()
    photo: dict[int, Any] = {}
    with suppress(Exception):  # the parser raises whatever it likes
        exif = image.getexif()
        _keep(kept, exif, EXIF_KEPT)
        _keep(photo, exif.get_ifd(ExifTags.IFD.Exif), PHOTO_KEPT)
    _add_words(kept, photo, found_words(image))
    if SPACE in photo:
        photo[SPACE] = SRGB
    if dpi:
        kept[X_DPI], kept[Y_DPI], kept[DPI_UNIT] = *dpi, INCH
    tables: dict[int, Any] = {ExifTags.IFD.Exif: photo}
    if keep_location:
        with suppress(Exception):
            tables[ExifTags.IFD.GPSInfo] = dict(image.getexif().get_ifd(ExifTags.IFD.GPSInfo))
    return _written(kept, tables)


def _keep(kept: Any, table: Any, wanted: frozenset[int]) -> None:
    """Copy what is wanted and not too long; text as the bytes it was."""
    for number in wanted & set(table):
        with suppress(Exception):
            value = table[number]
            if isinstance(value, str) and not value.isascii():
                value = value.encode("latin-1", "replace")  # the bytes that Pillow decoded
            if len(str(value)) <= LONGEST:
                kept[number] = value


def _written(kept: Image.Exif, tables: dict[int, Any]) -> bytes:
    """As bytes; what cannot be written is left out, a tag at a time."""
    for number in list(kept):
        if not _can_be_written({number: kept[number]}):
            del kept[number]
    for name, table in tables.items():
        good = {n: v for n, v in table.items() if _can_be_written({name: {n: v}})}
        if good:
            kept[name] = good
    return kept.tobytes() if len(kept) else b""


def _can_be_written(tags: dict[int, Any]) -> bool:
    alone = Image.Exif()
    alone.update(tags)
    try:
        return bool(alone.tobytes())
    except Exception:  # such as a value of another kind than its tag's
        return False


def _add_words(kept: Image.Exif, photo: dict[int, Any], words: dict[str, str]) -> None:
    """Fill what EXIF itself does not say."""
    tags = {"author": ARTIST, "copyright": COPYRIGHT, "description": DESCRIPTION}
    for name, number in tags.items():
        if name in words and not kept.get(number):
            kept[number] = words[name].encode()  # Pillow would write ? for umlauts
    if "date" in words and not photo.get(TAKEN):
        photo[TAKEN] = words["date"]


def found_words(image: Image.Image) -> dict[str, str]:
    """Author, copyright, description and date, from beside EXIF."""
    words: dict[str, str] = {}
    for find in (_from_texts, _from_iptc, _from_xmp):  # the last is the newest standard
        with suppress(Exception):  # broken data say nothing
            words |= {name: word[:LONGEST] for name, word in find(image).items() if word}
    if "date" in words:
        words["date"] = _exif_date(words["date"])
    return {name: word for name, word in words.items() if word}


def _from_texts(image: Image.Image) -> dict[str, str]:
    names = {n: n.lower() for n in ("Author", "Copyright", "Description")}
    names["Creation Time"] = "date"
    return {names[n]: text for n, text in kept_texts(image.info).items() if n in names}


def _from_iptc(image: Image.Image) -> dict[str, str]:
    entries: Any = IptcImagePlugin.getiptcinfo(image) or {}  # type: ignore[arg-type]

    def word(number: int) -> str:
        value = entries.get((2, number), b"")
        parts = value if isinstance(value, list) else [value]
        return ", ".join(_decoded(part) for part in parts if part)

    date = f"{word(55)}T{word(60)[:6] or '000000'}" if word(55) else ""
    return {
        "author": word(80), "copyright": word(116), "description": word(120), "date": date
    }  # fmt: skip


def _decoded(text: bytes) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError:
        return text.decode("latin-1")


def _from_xmp(image: Image.Image) -> dict[str, str]:
    packet = image.info.get("xmp") or b""
    packet = packet.encode() if isinstance(packet, str) else packet
    if not packet or len(packet) > LARGEST_XMP or b"<!DOCTYPE" in packet:  # bombs
        return {}
    root = ElementTree.fromstring(packet.strip(b"\0 \n\r\t"))
    names = {
        "creator": "author", "rights": "copyright", "description": "description",
        "CreateDate": "date", "DateCreated": "date", "DateTimeOriginal": "date",
    }  # fmt: skip
    found: dict[str, str] = {}
    for name, word in _xmp_words(root):
        if name in names:
            found.setdefault(names[name], word)
    return found


def _xmp_words(root: ElementTree.Element) -> Iterator[tuple[str, str]]:
    """Local name and text of each property, whether an attribute or an element."""
    for part in root.iter("{http://www.w3.org/1999/02/22-rdf-syntax-ns#}Description"):
        yield from ((name.split("}")[-1], word) for name, word in part.attrib.items())
        for entry in part:
            words = [text.strip() for text in entry.itertext() if text.strip()]
            yield entry.tag.split("}")[-1], ", ".join(words)


def _exif_date(text: str) -> str:
    """``2026:07:01 12:30:00`` of ISO's or a mail's way to write it, "" if it is neither."""
    if re.fullmatch(r"\d{4}:\d\d:\d\d \d\d:\d\d:\d\d", text):
        return text
    for parse in (datetime.fromisoformat, parsedate_to_datetime):
        with suppress(ValueError, TypeError):
            return f"{parse(text):%Y:%m:%d %H:%M:%S}"
    return ""


def _dpi(image: Image.Image) -> tuple[float, float] | None:
    """Points an inch, if the file gives sensible ones."""
    try:
        x, y = (float(value) for value in image.info.get("dpi", ()))
    except (TypeError, ValueError, ArithmeticError):
        return None
    return (x, y) if all(isfinite(v) and 1 < v < 65535 for v in (x, y)) else None
