"""From the pixels of any file to upright sRGB colors, and transparency beside them."""

from dataclasses import dataclass

import numpy as np
from PIL import ExifTags, Image

from srlab.images.profiles import find_profile, to_srgb
from srlab.images.sample_range import gray_values, is_deep, is_signed

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


@dataclass(frozen=True)
class Decoded:
    """A picture's colors and transparency.

    Args:
        colors: sRGB, upright: of mode RGB, L, or F for gray of 16 bits, which
            is then in [0, 1].
        alpha: of mode L; None where all is opaque.
    """

    colors: Image.Image
    alpha: Image.Image | None

    def over_white(self) -> Image.Image:
        """The colors, seen on white paper."""
        if self.alpha is None:
            return self.colors
        paper = Image.new(self.colors.mode, self.colors.size, "white")
        return Image.composite(self.colors, paper, self.alpha)


def decode(image: Image.Image, *, upright: bool = True) -> Decoded:
    """Take a picture of any mode apart.

    Args:
        image: is decoded, if it was only opened.
        upright: turn it as its EXIF data say.

    Raises:
        ValueError: for numbers without an agreed range; and whatever decoders
            raise on a damaged file.
    """
    _load(image)  # an animation's first frame; TIFF is upright then
    turn = TURNS.get(orientation(image)) if upright else None
    colors, alpha = _split(image)
    colors = to_srgb(colors, find_profile(image))
    if colors.mode == "I;16":
        colors = Image.fromarray(np.asarray(colors).astype(np.float32) / 65535)
    if alpha is not None and alpha.getextrema()[0] == 255:
        alpha = None
    if turn is not None:
        colors = colors.transpose(turn)
        alpha = alpha.transpose(turn) if alpha else None
    return Decoded(colors, alpha)


def _load(image: Image.Image) -> None:
    try:
        image.load()
    except ValueError:
        # Of a PNG's texts behind its pixels, too long ones; the pixels are there.
        if image.format != "PNG" or getattr(image, "tile", None):
            raise


def orientation(image: Image.Image) -> int:
    """EXIF's or XMP's number, 1 where there is none; broken data say nothing.

    Pillow's own ``exif_transpose`` also rewrites the data, and fails on some.
    """
    if image.format == "JXL" and not getattr(image, "jpeg", False):
        return 1  # its decoder has turned it, and EXIF is not asked
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # the parser raises whatever it likes
        return 1


def color_mode(image: Image.Image) -> str:
    """The mode of ``image``'s colors before their profile: RGB, L, I;16 or CMYK."""
    if is_deep(image):
        return "L" if image.has_transparency_data else "I;16"
    if image.mode == "CMYK":
        return "CMYK"
    return "L" if image.mode in ("1", "L", "LA", "La") or _is_gray_palette(image) else "RGB"


def _split(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """Colors of ``color_mode``, and alpha if there is any."""
    if image.mode == "F":
        raise ValueError("floating-point pictures have no agreed range")
    if is_deep(image):
        return _split_deep(image)
    if is_signed(image):
        raise ValueError("numbers below zero have no agreed range")
    mode = color_mode(image)
    if image.has_transparency_data or image.mode in ("La", "RGBa"):
        image = image.convert("RGBA" if image.mode in ("P", "PA") else f"{mode}A")
        return image.convert(mode), image.getchannel("A")
    return image.convert(mode), None


def _split_deep(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """Gray of 16 bits, or of 8 beside transparency, which Pillow keeps only so."""
    gray = gray_values(image)
    hidden = image.info.get("transparency")
    if hidden is None:
        return Image.fromarray(np.rint(gray * 65535).astype(np.uint16)), None
    alpha = np.where(np.asarray(image) == hidden, 0, 255).astype(np.uint8)
    return Image.fromarray(np.rint(gray * 255).astype(np.uint8)), Image.fromarray(alpha)


def _is_gray_palette(image: Image.Image) -> bool:
    if image.mode not in ("P", "PA") or not (palette := image.getpalette("RGB")):
        return False
    return palette[::3] == palette[1::3] == palette[2::3]
