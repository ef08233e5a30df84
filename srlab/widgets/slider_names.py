"""Names for sliders, which ipywidgets leaves out and screen readers need."""

import os
from typing import Any

from srlab.files import PACKAGE


def slider_names() -> list[Any]:
    """An invisible widget that names the sliders of the output it lies in.

    Returns:
        The widget, to be put among a lab's children; nothing where anywidget
        is missing or ``SRLAB_WIDGETS`` is ``core``.
    """
    if os.environ.get("SRLAB_WIDGETS") == "core":
        return []
    try:
        import anywidget
    except ImportError:
        return []

    class SliderNames(anywidget.AnyWidget):
        _esm = PACKAGE / "widgets" / "slider_names.js"

        def __repr__(self) -> str:
            return "SliderNames"

    names = SliderNames()
    names.layout.display = "none"
    return [names]
