"""Pictures as a page gets them: bytes, with the words and the number beside them."""

import io
from collections.abc import Mapping
from functools import partial
from typing import Any, Literal

from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from srlab.images import to_image
from srlab.require import require_one_picture, require_unit_range

MOST_PIXELS = 512 * 512
"""Of a person's own picture, since a lab looks at all of it at once."""


def tile(
    picture: Tensor | Image.Image,
    name: str,
    caption: str = "",
    *,
    alt: str = "",
    kind: Literal["jpeg", "png"] = "jpeg",
) -> dict[str, Any]:
    """A picture as the value of a trait; the kit's ``tiles`` shows it.

    Give each picture a trait of its own: then one that stands still does not
    travel again.

    Args:
        picture: ``(1, 3, h, w)`` in [0, 1], or a PIL image.
        name: above the number; two pictures are compared by it.
        caption: the number.
        alt: what the number says; without one, name and caption.
        kind: ``"jpeg"`` for what moves, ``"png"`` where a JPEG would mislead.
    """
    image = to_image(picture) if isinstance(picture, Tensor) else picture
    data = to_jpeg(image) if kind == "jpeg" else to_png(image)
    return {
        "name": name,
        "caption": caption,
        "alt": alt or f"{name} {caption}".strip(),
        "width": image.width,
        "height": image.height,
        "kind": kind,
        "data": data,
    }


def input_tile(lr: Tensor, scale: int) -> dict[str, Any]:
    """What a network is given, ``(1, 3, h, w)``, each pixel a square of ``scale`` px."""
    size = f"{lr.shape[-1]} × {lr.shape[-2]} px"
    return tile(interpolate(lr, scale_factor=scale), "input", size, kind="png")


png = partial(tile, kind="png")
"""Where a JPEG would mislead: in small grids, differences and colors that are read."""


def amplified(difference: Tensor, gain: float) -> Tensor:
    """A difference around middle gray, in [0, 1].

    Example:
        >>> amplified(torch.tensor([-1.0, 0.0, 0.1]), 4)
        tensor([0.0000, 0.5000, 0.9000])
    """
    return (0.5 + gain * difference).clamp(0, 1)


def own_pictures(
    pictures: Mapping[str, Tensor], trait: str, *, least: int
) -> dict[str, Tensor]:
    """Pictures that people bring, float32 on the CPU.

    Args:
        pictures: name -> ``(1, 3, h, w)``, RGB in [0, 1].
        trait: what errors call them.
        least: px of a side.

    Raises:
        TypeError, ValueError: if one is no picture, too small or too large.
    """
    for name, picture in pictures.items():
        called = f"{trait}[{name!r}]"
        require_one_picture(picture, called)
        require_unit_range(picture, called)
        height, width = picture.shape[-2:]
        if min(height, width) < least or height * width > MOST_PIXELS:
            raise ValueError(
                f"{called} is {height} x {width} px, but at least {least} px a side and at "
                f"most 512 x 512 px in all were expected; crop it with [..., :192, :192]."
            )
    return {str(name): picture.detach().cpu().float() for name, picture in pictures.items()}


def to_jpeg(image: Image.Image) -> bytes:
    """Three times quicker than PNG, and a tenth of its size."""
    file = io.BytesIO()
    image.convert("RGB").save(file, "JPEG", quality=88, subsampling=0)
    return file.getvalue()


def to_png(image: Image.Image) -> bytes:
    """Exactly the same pixels, quickly written."""
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=6)
    return file.getvalue()
