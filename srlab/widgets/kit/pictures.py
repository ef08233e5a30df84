"""Pictures as a page gets them: bytes, with the words and the number beside them."""

import io
from typing import Any, Literal

from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from srlab.images import to_image


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
