"""Color profiles: what the numbers of a picture mean, and the way to sRGB."""

import struct
from contextlib import suppress
from io import BytesIO

import numpy as np
from PIL import ExifTags, Image, ImageCms

SRGB_XY = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
P3_XY = (0.680, 0.320, 0.265, 0.690, 0.150, 0.060)
ADOBE_XY = (0.64, 0.33, 0.21, 0.71, 0.15, 0.06)
BT2020_XY = (0.708, 0.292, 0.170, 0.797, 0.131, 0.046)
"""x and y of red, green and blue."""

D65 = (0.3127, 0.3290)
D50 = (0.9642, 1.0, 0.8249)  # X, Y and Z, as ICC rounds them

SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
ADOBE_CURVE = (563 / 256,)
USUAL_GAMMA = 2.2  # what PNG files name that mean sRGB

CODED_XY = {1: SRGB_XY, 9: BT2020_XY, 12: P3_XY}
CODED_CURVES = {1: SRGB_CURVE, 4: (2.2,), 6: SRGB_CURVE, 8: (1.0,), 13: SRGB_CURVE}
"""ITU-T H.273's numbers, in PNG's cICP and in HEIC; video's curves mean sRGB in stills."""

HDR_CURVES = frozenset({16, 18})
CODED = "srlab_coded_colors"
"""Where a picture's ``info`` keeps H.273's numbers."""

SPACES = {"RGB": "RGB ", "L": "GRAY", "I;16": "GRAY", "CMYK": "CMYK"}
"""A picture's mode -> the profile's word for it."""

BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)


def find_profile(image: Image.Image) -> bytes | None:
    """What says how the numbers are meant: a profile, or what stands in for one.

    Those are PNG's cICP, or gAMA and cHRM, HEIC's numbers, and the EXIF data
    of cameras that are set to Adobe RGB.

    Returns:
        An ICC profile, or None where the numbers are sRGB or nothing is said.
    """
    if image.mode == "LAB":  # whose numbers are absolute, and which Pillow converts
        return None
    if profile := image.info.get("icc_profile"):
        return bytes(profile)
    if coded := _coded_colors(image):
        return _coded_profile(*coded)
    if "srgb" in image.info or "gamma" in image.info:
        return _png_profile(image)
    return rgb_profile(ADOBE_XY, D65, ADOBE_CURVE) if _is_adobe_rgb(image) else None


def coded_colors(head: bytes) -> dict[str, tuple[int, int]]:
    """H.273's numbers that Pillow passes over, to be kept in ``info``.

    Args:
        head: how a PNG or AVIF file begins.
    """
    for name, form in {b"\0\0\0\x04cICP": ">BB", b"colrnclx": ">HH"}.items():
        _, found, rest = head.partition(name)
        if found and len(rest) >= 4:
            return {CODED: struct.unpack_from(form, rest)}
    return {}


def to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Convert the numbers to sRGB's, gray ones to gray with sRGB's curve.

    A profile that is broken or of another kind of picture says nothing;
    ``profile_caution`` tells.

    Args:
        image: of mode RGB, L, I;16 or CMYK, without transparency.
        profile: as ``find_profile`` gives it.

    Returns:
        RGB, L or I;16; ``image`` itself where its numbers are sRGB's.

    Source: littleCMS, through Pillow's ImageCms.
    """
    with suppress(ValueError):
        transform = _transform(profile, image.mode) if profile else None
        if transform and (image.mode in ("CMYK", "I;16") or _moves(transform, image.mode)):
            return transform.apply(image)
    return image.convert("RGB") if image.mode == "CMYK" else image


def profile_caution(image: Image.Image, mode: str) -> str | None:
    """Why the profile says nothing, if so; ``mode`` is that of its decoded colors."""
    if (coded := _coded_colors(image)) and coded[1] in HDR_CURVES:
        return "its brightness is meant for an HDR screen, which was passed over"
    if not (profile := find_profile(image)):
        return None
    try:
        _transform(profile, mode)
    except ValueError as error:
        return f"its color profile was not used, since {error}; sRGB was assumed"
    return None


def rgb_profile(
    primaries: tuple[float, ...], white: tuple[float, float], curve: tuple[float, ...]
) -> bytes:
    """A small ICC profile of a screen.

    Args:
        primaries: x and y of red, green and blue.
        white: x and y.
        curve: ICC's parameters: gamma alone, or the five of sRGB's kind.
    """
    columns = np.array([_xyz(*primaries[i : i + 2]) for i in (0, 2, 4)]).T
    columns = columns * np.linalg.solve(columns, _xyz(*white))
    columns = _adapted(np.array(_xyz(*white))) @ columns
    tags = {f"{name}XYZ": _numbers("XYZ ", *columns[:, i]) for i, name in enumerate("rgb")}
    tags |= {f"{name}TRC": _curve(curve) for name in "rgb"}
    return _icc("RGB ", tags)


def gray_profile(curve: tuple[float, ...]) -> bytes:
    """A small ICC profile of gray; ``curve`` as for ``rgb_profile``."""
    return _icc("GRAY", {"kTRC": _curve(curve)})


def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform:
    """From the profile to sRGB, or ValueError with why not."""
    gray = SPACES[mode] == "GRAY"
    try:
        origin = ImageCms.ImageCmsProfile(BytesIO(profile))
        space = origin.profile.xcolor_space
        target = (
            ImageCms.ImageCmsProfile(BytesIO(gray_profile(SRGB_CURVE)))
            if gray
            else ImageCms.createProfile("sRGB")
        )
        if space == SPACES[mode]:
            return ImageCms.buildTransform(origin, target, mode, mode if gray else "RGB")
    except Exception:  # littleCMS, and Pillow around it, raise what they like
        raise ValueError("it is broken") from None
    raise ValueError(f"it is for {space.strip()} and the picture is {SPACES[mode].strip()}")


def _moves(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    """Whether it changes anything beyond rounding; sRGB's many profiles do not."""
    steps = np.arange(0, 256, 17, dtype=np.uint8)
    grid = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(64, 64, 3)
    probe = Image.fromarray(grid if mode == "RGB" else np.arange(256, dtype=np.uint8)[None])
    moved = np.asarray(transform.apply(probe)).astype(int) - np.asarray(probe)
    return int(np.abs(moved).max()) > 1


def _png_profile(image: Image.Image) -> bytes | None:
    """Of gAMA and cHRM, where they say anything but sRGB."""
    info = image.info
    gamma = info.get("gamma")
    if "srgb" in info or not gamma or not 0.1 <= gamma <= 10:
        return None
    usual = abs(1 / gamma - USUAL_GAMMA) < 0.05
    curve = SRGB_CURVE if usual else (1 / gamma,)
    try:
        x, y, *primaries = info.get("chromaticity") or (*D65, *SRGB_XY)
        gray = image.mode in ("1", "L", "LA", "I;16", "I")
        return gray_profile(curve) if gray else rgb_profile(tuple(primaries), (x, y), curve)
    except (ArithmeticError, ValueError, struct.error):  # numbers that are no colors
        return None


def _coded_colors(image: Image.Image) -> tuple[int, int] | None:
    """H.273's numbers of primaries and curve, of HEIC or as ``coded_colors`` found them."""
    if nclx := image.info.get("nclx_profile"):
        return int(nclx["color_primaries"]), int(nclx["transfer_characteristics"])
    found: tuple[int, int] | None = image.info.get(CODED)
    return found


def _coded_profile(primaries: int, curve: int) -> bytes | None:
    """Of the numbers of H.273, or None for those of no still picture."""
    if primaries in CODED_XY and curve in CODED_CURVES:
        return rgb_profile(CODED_XY[primaries], D65, CODED_CURVES[curve])
    return None


def _is_adobe_rgb(image: Image.Image) -> bool:
    """Whether EXIF says so: by the number 2, or by "R03" as cameras do."""
    try:
        exif = image.getexif()
        space = exif.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.ColorSpace)
        index = exif.get_ifd(ExifTags.IFD.Interop).get(1) if space == 0xFFFF else None
    except Exception:  # the parser raises whatever it likes
        return False
    return space == 2 or str(index).startswith("R03")


def _xyz(x: float, y: float) -> tuple[float, float, float]:
    return x / y, 1.0, (1 - x - y) / y


def _adapted(white: np.ndarray) -> np.ndarray:
    """Bradford's matrix from ``white`` to D50, the white of all profiles."""
    gains = (BRADFORD @ D50) / (BRADFORD @ white)
    return np.linalg.inv(BRADFORD) @ np.diag(gains) @ BRADFORD


def _numbers(kind: str, *values: float) -> bytes:
    """A tag of fixed-point numbers."""
    fixed = [round(value * 65536) for value in values]
    return kind.encode() + bytes(4) + struct.pack(f">{len(fixed)}i", *fixed)


def _curve(parameters: tuple[float, ...]) -> bytes:
    kind = {1: 0, 5: 3}[len(parameters)]
    return b"para" + bytes(4) + struct.pack(">HH", kind, 0) + _numbers("", *parameters)[4:]


def _icc(space: str, tags: dict[str, bytes]) -> bytes:
    """Put a display profile together: header, table of tags, tags."""
    words = {"desc": "srlab", "cprt": "No copyright"}
    tags = {name: _text(word) for name, word in words.items()} | tags
    tags["wtpt"] = _numbers("XYZ ", *D50)
    table, body, start = struct.pack(">I", len(tags)), b"", 128 + 4 + 12 * len(tags)
    for name, data in tags.items():
        table += name.encode() + struct.pack(">II", start + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    head = struct.pack(
        ">I4xI4s4s4s", start + len(body), 0x04300000, b"mntr", space.encode(), b"XYZ "
    )
    date = struct.pack(">6H", 2026, 1, 1, 0, 0, 0)
    light = _numbers("", *D50)[4:]
    return head + date + b"acsp" + bytes(28) + light + bytes(48) + table + body


def _text(word: str) -> bytes:
    """A tag of text, ICC's ``mluc`` with one language."""
    data = word.encode("utf-16-be")
    return b"mluc" + struct.pack(">4xII4sII", 1, 12, b"enUS", len(data), 28) + data
