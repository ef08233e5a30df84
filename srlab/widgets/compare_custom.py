"""The comparison with its own JavaScript, which redraws without the kernel."""

from typing import Any

import anywidget
from traitlets import Bytes, Int, List

from srlab.files import PACKAGE
from srlab.widgets.compare_scene import LENS_PIXELS, CompareScene, Comparison
from srlab.widgets.poster import encode_png

HERE = PACKAGE / "widgets"


class CustomCompare(Comparison, anywidget.AnyWidget):
    """Made by ``srlab.widgets.compare.compare``; see there."""

    _esm = HERE / "compare.js"
    _css = HERE / "compare.css"
    # PNG loses nothing, so that a difference is a difference of the pictures.
    pngs = List(Bytes()).tag(sync=True)
    lens_pixels = Int(LENS_PIXELS).tag(sync=True)

    def __init__(self, scene: CompareScene, **kwargs: Any):
        pngs = [encode_png(picture, quick=True) for picture in scene.pictures.values()]
        super().__init__(scene, pngs=pngs, **kwargs)
