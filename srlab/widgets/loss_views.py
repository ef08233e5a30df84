"""What the Loss Lab draws: pictures in a row, curves, and the map of its runs."""

import html
from collections.abc import Mapping, Sequence

from ipywidgets import HTML, Layout, VBox
from PIL import Image
from torch import Tensor

from srlab.images import to_image
from srlab.widgets.drawing import Curve, Point, curve_chart, line_chart, map_chart
from srlab.widgets.ledger_view import TERM_COLORS
from srlab.widgets.loss_branch import LossFigures
from srlab.widgets.parts import TEXT, LivePicture
from srlab.widgets.poster import INK

CHART = (322, 190)  # px; three stand side by side
TILE = 256  # px, the longest side of a picture on the page


class LossTile(VBox):  # type: ignore[misc]
    """A picture with its name and its numbers beneath, as text.

    Args:
        name: its class is ``srlab-`` and the name.
    """

    def __init__(self, name: str):
        self._picture, self._caption = LivePicture(name), HTML()
        super().__init__(
            [self._picture, self._caption],
            layout=Layout(flex="1 1 130px", max_width=f"{TILE + 4}px"),
        )

    def show(self, picture: Tensor, name: str, caption: str) -> None:
        """Show ``(1, 3, h, w)`` and say what it is."""
        self._picture.show(_enlarged(to_image(picture)), f"{name}: {caption}")
        self._caption.value = (
            f'<div style="{TEXT}"><b>{html.escape(name)}</b> {html.escape(caption)}</div>'
        )

    @property
    def data(self) -> bytes:
        """The file that is shown."""
        return self._picture.data


def _enlarged(image: Image.Image) -> Image.Image:
    """By whole squares, so that its pixels can be seen."""
    factor = max(1, TILE // max(image.size))
    size = image.width * factor, image.height * factor
    return image.resize(size, Image.Resampling.NEAREST)


def terms_chart(points: Sequence[LossFigures]) -> Image.Image:
    """A curve for each weighted term, in its own color; none where it is off."""
    curves = [
        Curve(name, [(p.step, p.terms[name]) for p in points if name in p.terms], color)
        for name, color in TERM_COLORS.items()
    ]
    return curve_chart("weighted terms (log)", curves, size=CHART, logarithmic=True)


def psnr_chart(points: Sequence[LossFigures], bicubic: float) -> Image.Image:
    """PSNR over the steps of the present run, and bicubic's."""
    curve = [(p.step, p.psnr) for p in points]
    return line_chart("PSNR, dB", curve, color=INK, size=CHART, reference=("bicubic", bicubic))


def runs_chart(
    trail: Sequence[Point], others: Mapping[str, Sequence[Point]], marks: Mapping[str, Point]
) -> Image.Image:
    """The perception-distortion map: the present run's path, the others in gray."""
    return map_chart(
        "sharpness over PSNR; truth: 1", trail, marks, color=INK, size=CHART, others=others
    )
