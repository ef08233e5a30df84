"""The parts of the labs: buttons, and pictures with words beside them."""

import html
import io
import re

import numpy as np
import pytest
from PIL import Image

from srlab.widgets.parts import LivePicture, action_button


def alt_of(picture: LivePicture) -> str:
    """The alternative text of what a picture shows now."""
    (alt,) = re.findall(r'<img [^>]*alt="([^"]*)"', picture.value)
    return html.unescape(alt)


RAMP = Image.fromarray(np.tile(np.arange(40, dtype=np.uint8), (30, 1)) * 6).convert("RGB")


@pytest.mark.parametrize(("kind", "most"), [("png", 0), ("jpeg", 6)])
def test_the_picture_arrives(kind, most):
    picture = LivePicture("preview", kind)
    picture.show(RAMP, "a ramp")
    shown = Image.open(io.BytesIO(picture.data))
    assert shown.format == kind.upper()
    difference = np.abs(np.asarray(shown, int) - np.asarray(RAMP, int))
    assert difference.max() <= most
    assert f"data:image/{kind};base64," in picture.value
    assert 'width="40" height="30"' in picture.value, "known before it is decoded"


def test_words_are_words_and_no_markup():
    picture = LivePicture("preview")
    picture.show(RAMP, 'PSNR < 30 dB, "sharp" & <b>bold</b>')
    assert alt_of(picture) == 'PSNR < 30 dB, "sharp" & <b>bold</b>'
    assert "<b>" not in picture.value


@pytest.mark.parametrize(("shrinks", "width"), [(True, "100%"), (False, "none")])
def test_a_grid_is_not_shrunk_by_the_page(shrinks, width):
    picture = LivePicture("network", "png", shrinks=shrinks)
    picture.show(RAMP, "a grid")
    assert f"max-width: {width}" in picture.value


def test_a_button_has_a_name_a_class_and_one_action():
    calls = []
    button = action_button("Start", "play", "Train", lambda: calls.append(1))
    button.click()
    assert calls == [1]
    assert (button.description, button.tooltip) == ("Start", "Train")
    assert "srlab-start" in button._dom_classes
