"""Compare pictures of one scene: blink, swipe, difference, zoom, lens."""

import os
from collections.abc import Mapping

from srlab.widgets.compare_scene import CompareScene, Comparison, Picture


def compare(
    pictures: Mapping[str, Picture],
    captions: Mapping[str, str] | None = None,
    *,
    core: bool | None = None,
) -> Comparison:
    """Lay pictures of one scene over each other, to look for differences.

    One picture at a time, all side by side, blinking, with a divider to
    swipe, or their amplified difference; zoom and lens go along.

    Args:
        pictures: name -> float tensor ``(1, 3, h, w)`` in [0, 1], or PIL
            image; two to nine, all of one size.
        captions: name -> the number that belongs beside the picture, such
            as ``{"bicubic": "26.50 dB"}``.
        core: True takes the plain fallback, which needs no JavaScript of its
            own; False takes the full widget; None the full one where it is
            available and ``SRLAB_WIDGETS`` is not ``core``.

    Returns:
        A widget. Its ``show`` drives it from code, its traits ``mode``,
        ``first``, ``second``, ``position``, ``zoom``, ``lens`` ... can be
        set and read.

    Raises:
        TypeError, ValueError: for another number of pictures, pictures of
            different size, or a caption without a picture.

    Example:
        >>> from PIL import Image
        >>> pair = {name: Image.new("RGB", (9, 9), name) for name in ("gray", "white")}
        >>> compare(pair, {"gray": "6.06 dB"}).show("swipe", position=0.4)
        'gray 6.06 dB left, white right; divider at 40 %.'
    """
    scene = CompareScene.of(pictures, captions)
    if core is None:
        core = os.environ.get("SRLAB_WIDGETS") == "core" or not _has_anywidget()
    if core:
        from srlab.widgets.compare_core import CoreCompare

        return CoreCompare(scene)
    # anywidget also asks Google Colab to allow custom widgets, where it runs there.
    from srlab.widgets.compare_custom import CustomCompare

    return CustomCompare(scene)


def _has_anywidget() -> bool:
    try:
        import anywidget  # noqa: F401
    except ImportError:
        return False
    return True
