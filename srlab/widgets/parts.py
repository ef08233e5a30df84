"""Parts that every lab is made of, labeled and classed in one way."""

from collections.abc import Callable
from typing import Literal

from ipywidgets import Button, Layout
from ipywidgets import Image as ImageWidget

TEXT = "line-height: 1.5;"  # or the notebook gives each line the height of a slider


def action_button(label: str, icon: str, tooltip: str, action: Callable[[], None]) -> Button:
    """A button that calls ``action``; its class is ``srlab-`` and the label.

    Source: built by srlab.
    """
    button = Button(description=label, icon=icon, tooltip=tooltip)
    button.on_click(lambda _: action())
    return button.add_class(f"srlab-{label.lower()}")


def picture(name: str, kind: Literal["jpeg", "png"] = "jpeg") -> ImageWidget:
    """A place for a picture that changes.

    A JPEG shrinks with the page. A PNG does not: a browser that shrinks a
    grid draws another one.

    Source: built by srlab.
    """
    # Without a tooltip: ipywidgets shows an Image that has one as a JavaScript error.
    size = {"max_width": "100%"} if kind == "jpeg" else {"flex": "0 0 auto"}
    layout = Layout(align_self="flex-start", **size)
    return ImageWidget(format=kind, layout=layout).add_class(f"srlab-{name}")
