"""Posters: what a lab looked like, for readers without a kernel.

GitHub, a page of the site and a notebook that is not trusted show no live
widget. They do show a PNG that lies beside it in the output. It is drawn by
the lab's own view, in a browser, when a lesson is stored: from the state that
the widget had when its cell was done.
"""

import base64
import copy
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nbclient import NotebookClient
from nbformat import NotebookNode
from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from tests.browser.lab import CHROMIUM_OPTIONS
from tests.browser.provide import find_chromium
from tests.browser.still import draw, open_page

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
WIDTH, HEIGHT = 1080, 900  # px of the page; a poster is as tall as its lab
BYTES_LIMIT = 200_000
"""A poster is stored in the notebook, and a notebook should stay small."""
FEW_COLORS = Image.Quantize.MAXCOVERAGE
"""It keeps rare colors: a map's few bright places are what one looks at."""


@dataclass
class Posters:
    """Notes the state of each lab that a run shows, and draws them all afterwards.

    Args:
        client: that executes the notebook; it must store widgets' states.
    """

    client: NotebookClient
    states: list[tuple[NotebookNode, dict[str, Any]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.client.on_cell_executed = self._note

    def draw(self) -> None:
        """Put its picture into each output that shows a lab."""
        if not self.states:
            return
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=_chromium(), args=CHROMIUM_OPTIONS
            )
            for output, state in self.states:
                output.data["image/png"] = base64.b64encode(poster(browser, state)).decode()
                output.metadata["image/png"] = {"alt": output.data["text/plain"]}

    def _note(self, cell: NotebookNode, **_: Any) -> None:
        """A later cell may drive the lab, so its state is copied now."""
        for output in cell.get("outputs", []):
            shown = output.get("data", {}).get(WIDGET_VIEW)
            in_words = "text/markdown" in output.get("data", {})  # a quiz reads as text
            state = shown and not in_words and self._state(shown["model_id"])
            if state:
                self.states.append((output, state))

    def _state(self, model_id: str) -> dict[str, Any] | None:
        """As ``tests.browser.still.draw`` takes it; None for a widget that is no lab."""
        state = self.client.widget_state.get(model_id, {})
        if not state.get("view"):
            return None
        buffers = self.client.widget_buffers.get(model_id, {}).values()
        return copy.deepcopy(
            {
                "state": {n: v for n, v in state.items() if n not in ("_esm", "_css")},
                "paths": [buffer["path"] for buffer in buffers],
                "buffers": [buffer["data"] for buffer in buffers],
            }
        )


def poster(browser: Browser, state: Mapping[str, Any]) -> bytes:
    """A PNG of a lab as its view draws this state, in at most ``BYTES_LIMIT`` bytes."""
    page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
    try:
        open_page(page)
        draw(page, state)
        return small_png(page.locator("main > div").screenshot(animations="disabled"))
    finally:
        page.close()


def small_png(data: bytes, limit: int = BYTES_LIMIT) -> bytes:
    """The picture in at most ``limit`` bytes: with 256 colors, then smaller."""
    image = Image.open(io.BytesIO(data)).convert("RGB")
    while True:
        data = _encoded(image)
        if len(data) > limit:
            data = _encoded(image.quantize(256, FEW_COLORS))
        if len(data) <= limit or max(image.size) == 1:
            return data
        image = image.resize([max(1, side * 4 // 5) for side in image.size])


def _encoded(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True)
    return file.getvalue()


def _chromium() -> str:
    path = find_chromium()
    if path is None:
        raise OSError(
            "Posters of labs are drawn in a Chromium, but none was found; "
            "run python -m tests.browser.provide once."
        )
    return str(path)
