"""Which kinds of picture there are: one list for every command."""

import struct
from importlib import import_module

from PIL import Image

LEFT_OUT = frozenset(
    {"EPS", "WMF"}  # programs in themselves, for which Pillow calls other programs
    | {"BUFR", "GRIB", "HDF5", "MPEG"}  # Pillow knows no more than their names
    | {"FITS", "MCIDAS", "SPIDER", "IPTC", "IMT", "IM"}  # measurements, and wrappers
    | {"CUR", "GBR", "ICNS", "XVTHUMB"}  # pointers, brushes, sets of icons, thumbnails
    | {"FLI", "PCD", "PIXAR", "MSP"}  # films; a small copy is read; installers are named so
)
"""What Pillow can name, though it is no picture that srlab should open."""

HEAD = 2**18
"""Bytes of a file's beginning that say what it is."""

EXTRAS = {
    "HEIC": ("pillow_heif", "pillow-heif"),
    "JPEG XL": ("pillow_jxl", "pillow-jxl-plugin"),
}
"""Kind -> the module that reads it, and what pip calls that."""

HEIC_BRANDS = frozenset(
    {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}
)
JXL_BOX = b"\0\0\0\x0cJXL \r\n\x87\n"
JXL_STREAM = b"\xff\x0a"
JXL_RATIOS = {1: (1, 1), 2: (12, 10), 3: (4, 3), 4: (3, 2), 5: (16, 9), 6: (5, 4), 7: (2, 1)}
"""Width to height, by the header's number."""

PNG = b"\x89PNG\r\n\x1a\n"

EXPORTS = {b"%!PS": "PostScript", b"\xc5\xd0\xd3\xc6": "PostScript", b"%PDF": "PDF"}
"""How files begin that are programs or pages, and no pictures."""


def picture_kinds() -> list[str]:
    """Pillow's names of what srlab opens, with the extras that are installed."""
    Image.init()
    for kind in EXTRAS:
        load_extra(kind)
    return sorted(Image.OPEN.keys() - LEFT_OUT)


def picture_suffixes() -> frozenset[str]:
    """The endings of picture files, small letters with their dot.

    Every command takes these and no others; ``.heic`` and ``.jxl`` are among
    them where the packages that read them are installed.

    Example:
        >>> {".jpg", ".jfif", ".avif"} <= picture_suffixes()
        True
    """
    kinds = set(picture_kinds())
    known = Image.registered_extensions().items()
    return frozenset(ending for ending, kind in known if kind in kinds)


def load_extra(kind: str) -> bool:
    """Whether Pillow can be taught to read HEIC or JPEG XL here; it then is."""
    module, _ = EXTRAS[kind]
    try:
        plugin = import_module(module)
    except ImportError:
        return False
    if kind == "HEIC":
        plugin.register_heif_opener()
    return True  # the other one registers itself


def missing_extra(head: bytes, name: str) -> str | None:
    """What a picture needs that is not installed, as a sentence.

    Args:
        head: how the file begins, 64 bytes or more.
        name: what to call it.
    """
    kind = extra_kind(head)
    if kind is None or load_extra(kind):
        return None
    return f"{name} is a {kind} picture, which needs {_pip(kind)}: pip install {_pip(kind)}"


def extra_kind(head: bytes) -> str | None:
    """``"HEIC"`` or ``"JPEG XL"`` if a file begins like one, whatever its name."""
    if head.startswith((JXL_BOX, JXL_STREAM)):
        return "JPEG XL"
    if head[4:8] != b"ftyp":
        return None
    brands = {head[i : i + 4] for i in (8, *range(16, min(int.from_bytes(head[:4]), 64), 4))}
    return None if brands & {b"avif", b"avis"} or not brands & HEIC_BRANDS else "HEIC"


def why_refused(head: bytes, name: str) -> str:
    """The sentence for a file that is none of ``picture_kinds``."""
    for start, kind in EXPORTS.items():
        if head.startswith(start):
            return f"{name} is a {kind} file, which is no photograph; export it as PNG first."
    if extra := extra_kind(head):
        return f"{name} is a damaged {extra} picture; copy it again from where it came."
    return f"{name} is not a picture that can be read; save it as JPEG, PNG, WebP or TIFF."


def without_texts(png: bytes) -> bytes:
    """A PNG file without its texts, for the few whose texts unpack to a bomb."""
    kept, at = [png[:8]], 8
    while at + 12 <= len(png):
        length, name = struct.unpack_from(">I4s", png, at)
        if name not in (b"tEXt", b"zTXt", b"iTXt"):
            kept.append(png[at : at + 12 + length])
        at += 12 + length
    return b"".join(kept)


def jxl_size(head: bytes) -> tuple[int, int] | None:
    """Width and height of a JPEG XL picture, None if it cannot be told.

    Its plugin unpacks the picture at once, so its size is read before.

    Source: ISO/IEC 18181-1, SizeHeader.
    """
    start = _jxl_start(head)
    if start is None or len(head) < start + 12:
        return None
    bits = _Bits(head[start : start + 12])
    small = bits.take(1)
    height = _jxl_side(bits, small)
    ratio = bits.take(3)
    if not ratio:
        return _jxl_side(bits, small), height
    wide, high = JXL_RATIOS[ratio]
    return height * wide // high, height


class _Bits:
    """Numbers from bytes, the lowest bit first."""

    def __init__(self, data: bytes):
        self.rest = int.from_bytes(data, "little")

    def take(self, count: int) -> int:
        number, self.rest = self.rest & ((1 << count) - 1), self.rest >> count
        return number


def _jxl_side(bits: _Bits, small: int) -> int:
    if small:
        return 8 * (bits.take(5) + 1)
    return bits.take((9, 13, 18, 30)[bits.take(2)]) + 1


def _jxl_start(head: bytes) -> int | None:
    """Where the size begins: behind the signature of the bare picture in its box."""
    if head.startswith(JXL_STREAM):
        return 2
    at = 0
    while at + 16 <= len(head):
        length, kind = struct.unpack_from(">I4s", head, at)
        skipped = {b"jxlc": 8, b"jxlp": 12}.get(kind)
        if skipped is not None:
            return at + skipped + (8 if length == 1 else 0) + 2
        if length < 8:
            return None
        at += length
    return None


def _pip(kind: str) -> str:
    return EXTRAS[kind][1]
