"""Parts that every lab is made of, labeled and classed in one way."""

import html
from base64 import b64encode
from collections.abc import Callable
from typing import Literal

from ipywidgets import HTML, Button, Layout
from PIL import Image

from srlab.widgets.drawing import to_jpeg
from srlab.widgets.poster import encode_png

TEXT = "line-height: 1.5;"  # or the notebook gives each line the height of a slider


def action_button(label: str, icon: str, tooltip: str, action: Callable[[], None]) -> Button:
    """A button that calls ``action``; its class is ``srlab-`` and the label.

    Spaces in the label are hyphens there: ``srlab-save-card``.
    """
    button = Button(description=label, icon=icon, tooltip=tooltip)
    button.on_click(lambda _: action())
    return button.add_class(f"srlab-{label.lower().replace(' ', '-')}")


class LivePicture(HTML):  # type: ignore[misc]
    """A picture that changes, with words for those who do not see it.

    ipywidgets' own ``Image`` has no alternative text.

    Args:
        name: its class is ``srlab-`` and the name.
        kind: ``"jpeg"`` for what moves, ``"png"`` where a JPEG would mislead.
        shrinks: with the page. A grid must not: a browser that shrinks it
            draws another one.
    """

    def __init__(
        self, name: str, kind: Literal["jpeg", "png"] = "jpeg", *, shrinks: bool = True
    ):
        flex = "0 1 auto" if shrinks else "0 0 auto"
        super().__init__(layout=Layout(align_self="flex-start", flex=flex))
        self.kind, self.shrinks = kind, shrinks
        self.data = b""
        self.add_class(f"srlab-{name}")

    def show(self, image: Image.Image, alt: str) -> None:
        """Show a picture; ``alt`` says what it shows, and its numbers."""
        self.data = to_jpeg(image) if self.kind == "jpeg" else encode_png(image, quick=True)
        width = "max-width: 100%; height: auto" if self.shrinks else "max-width: none"
        self.value = (
            f'<img src="data:image/{self.kind};base64,{b64encode(self.data).decode()}" '
            f'alt="{html.escape(alt)}" width="{image.width}" height="{image.height}" '
            f'style="display: block; {width}">'
        )
