"""Picture files for tests, made by hand where Pillow does not write them."""

import io
import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image, ImageCms, TiffImagePlugin

from srlab.images import open_image
from srlab.inference import upscale


def stored(image: Image.Image, kind: str, **options: Any) -> io.BytesIO:
    """The picture as a file of a kind, in memory."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    file.seek(0)
    return file


def twice(file: io.BytesIO | Image.Image, **options: Any) -> Image.Image:
    """What ``upscale`` makes of a file, enlarged two times."""
    image = file if isinstance(file, Image.Image) else open_image(file)
    return upscale(image, "bicubic", 2, **options)


def chunk(name: bytes, data: bytes) -> bytes:
    """A part of a PNG file."""
    return (
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    )


def png_of(
    width: int, height: int, depth: int, color: int, rows: bytes,
    pack: Callable[[bytes], bytes] = zlib.compress,
) -> bytes:  # fmt: skip
    """A PNG file by hand, for kinds that Pillow does not write."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0))
    pixels = chunk(b"IDAT", pack(rows))
    return b"\x89PNG\r\n\x1a\n" + header + pixels + chunk(b"IEND", b"")


def png_with(image: Image.Image, *chunks: bytes) -> io.BytesIO:
    """A PNG file with chunks of one's own behind its header."""
    data = stored(image, "PNG").getvalue()
    return io.BytesIO(data[:33] + b"".join(chunks) + data[33:])


def tiff(values: np.ndarray, **tags: Any) -> io.BytesIO:
    """A TIFF file of gray values, with tags by their names in ``TAGS``."""
    info = TiffImagePlugin.ImageFileDirectory_v2()
    for name, value in tags.items():
        info[TAGS[name]] = value
    return stored(Image.fromarray(values), "TIFF", tiffinfo=info)


TAGS = {
    "largest": 281, "photometric": 262, "sample_format": 339, "meant_least": 340,
    "meant_largest": 341,
}  # fmt: skip


def raw_tiff(values: np.ndarray, bits: int, photometric: int = 1, **tags: int) -> io.BytesIO:
    """A little-endian TIFF by hand: gray of any depth; ``values`` are written as they are."""
    height, width = values.shape
    data = values.tobytes()
    entries = {
        256: (4, width), 257: (4, height), 258: (3, bits), 259: (3, 1), 262: (3, photometric),
        273: (4, 8), 277: (3, 1), 278: (4, height), 279: (4, len(data)),
        **{TAGS[name]: (4 if value > 65535 else 3, value) for name, value in tags.items()},
    }  # fmt: skip
    table = struct.pack("<H", len(entries)) + b"".join(
        struct.pack("<HHII", tag, kind, 1, value)
        for tag, (kind, value) in sorted(entries.items())
    )
    head = b"II*\0" + struct.pack("<I", 8 + len(data))
    return io.BytesIO(head + data + table + bytes(4))


def littlecms(image: Image.Image, profile: bytes) -> np.ndarray:
    """The oracle: littleCMS' own answer, sRGB of 8 bits."""
    origin = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    srgb = ImageCms.createProfile("sRGB")
    return np.asarray(ImageCms.profileToProfile(image, origin, srgb, outputMode="RGB"))


def icc(space: bytes, pcs: bytes, kind: bytes, tags: dict[bytes, bytes]) -> bytes:
    """An ICC profile (version 2) by hand."""
    table, body, start = struct.pack(">I", len(tags)), b"", 132 + 12 * len(tags)
    for name, data in tags.items():
        table += name + struct.pack(">II", start + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    head = struct.pack(
        ">I4xI4s4s4s12x4s", start + len(body), 0x02400000, kind, space, pcs, b"acsp"
    )
    light = struct.pack(">iii", 63190, 65536, 54061)
    return head + bytes(28) + light + bytes(48) + table + body


def matrix_profile(columns: list[list[float]], gamma: float) -> bytes:
    """Of a screen: X, Y and Z (D50) of red, green and blue."""
    curve = b"curv" + struct.pack(">4xIH", 1, round(gamma * 256))
    tags = {b"wtpt": xyz(0.9642, 1, 0.8249)}
    for name, column in zip((b"r", b"g", b"b"), columns, strict=True):
        tags |= {name + b"XYZ": xyz(*column), name + b"TRC": curve}
    return icc(b"RGB ", b"XYZ ", b"mntr", tags)


def xyz(*values: float) -> bytes:
    return b"XYZ " + struct.pack(">4x3i", *(round(value * 65536) for value in values))


def gray_gamma_profile(gamma: float) -> bytes:
    curve = b"curv" + struct.pack(">4xIH", 1, round(gamma * 256))
    tags = {b"wtpt": xyz(0.9642, 1, 0.8249), b"kTRC": curve}
    return icc(b"GRAY", b"XYZ ", b"mntr", tags)


def cmyk_profile() -> bytes:
    """Of a press whose inks are paler than Pillow's: a table of two steps an ink."""
    steps = bytes(range(256))
    grid = bytearray()
    for c, m, y, k in np.ndindex(2, 2, 2, 2):
        light = 250 - 60 * c - 70 * m - 20 * y - 130 * k
        grid += bytes([max(light, 20), 128 - 40 * c + 60 * m, 128 - 30 * c + 70 * y - 10 * m])
    unit = struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    table = b"mft1" + struct.pack(">4x4B", 4, 3, 2, 0) + unit + 4 * steps + grid + 3 * steps
    return icc(b"CMYK", b"Lab ", b"prtr", {b"wtpt": xyz(0.9642, 1, 0.8249), b"A2B0": table})


P3 = matrix_profile(
    [[0.5151, 0.2412, -0.0011], [0.2920, 0.6922, 0.0419], [0.1571, 0.0666, 0.7841]], 2.2
)
ADOBE = matrix_profile(
    [[0.6097, 0.3111, 0.0195], [0.2053, 0.6257, 0.0609], [0.1492, 0.0632, 0.7446]], 563 / 256
)

Make = Callable[[], io.BytesIO]
