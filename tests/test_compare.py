"""Compare: its traits, its sentences, its errors, and what travels."""

import io

import numpy as np
import pytest
import torch
from PIL import Image, ImageChops
from traitlets import TraitError

from srlab.images import to_image
from srlab.widgets.compare import Comparison, compare
from srlab.widgets.compare.scene import CompareScene, liveliest_spot
from tests import warm

WIDTH, HEIGHT = 80, 60


def noise(seed: int) -> torch.Tensor:
    return torch.rand(1, 3, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def pictures() -> dict[str, torch.Tensor]:
    return {"nearest": noise(0), "bicubic": noise(1), "truth": noise(2)}


@pytest.fixture
def widget(pictures) -> Comparison:
    captions = {"nearest": "24.11 dB", "bicubic": "26.50 dB"}
    return compare(pictures, captions)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (("single", "bicubic"), "bicubic 26.50 dB."),
        (("side",), "side by side: nearest 24.11 dB, bicubic 26.50 dB, truth."),
        (("blink", "bicubic", "truth"), "blinking bicubic 26.50 dB and truth, every 0.7 s."),
        (("swipe", "bicubic", "nearest"),
         "bicubic 26.50 dB left, nearest 24.11 dB right; divider at 50 %."),
    ],
)  # fmt: skip
def test_show_says_what_is_shown(widget, call, sentence):
    assert widget.show(*call) == sentence
    assert widget.mode == call[0]
    assert widget.playing == (call[0] == "blink")


def test_difference_states_its_factor_and_its_figures(widget):
    images = widget.scene.pictures
    steps = abs(np.asarray(images["bicubic"], int) - np.asarray(images["truth"], int))
    text = widget.show("difference", "bicubic", "truth", amplify=3)
    assert text == (
        f"difference of bicubic 26.50 dB and truth, times 3; "
        f"mean {steps.mean():.2f}, largest {steps.max()} of 255."
    )


def test_settings_are_traits(widget):
    text = widget.show("swipe", position=0.25, zoom=4, center_x=0.1, lens=True, lens_y=0.9)
    assert text.endswith("divider at 25 %; zoom 4.0 times; lens on.")
    assert (widget.position, widget.zoom, widget.center_x) == (0.25, 4, 0.1)
    assert (widget.lens, widget.lens_y) == (True, 0.9)
    widget.position = 0.75
    assert "divider at 75 %" in widget.status()
    assert repr(widget) == "Compare: nearest 24.11 dB, bicubic 26.50 dB, truth"


@pytest.mark.parametrize(
    ("arguments", "settings", "message"),
    [
        (("wipe",), {}, "mode must be one of single, side, blink, swipe, difference, but got"),
        (("swipe", "lanczos"), {}, "first names 'lanczos', but the pictures are nearest, bic"),
        (("swipe", None, "x"), {}, "second names 'x', but the pictures are nearest, bicubic"),
        (("swipe",), {"speed": 1}, "show has no setting 'speed'; there are position, amplify,"),
        (("swipe",), {"position": 40}, r"must be a number from 0\S* to 1\S*, but got 40"),
        (("swipe",), {"amplify": 2.5}, "must be a whole number from 1 to 64, but got 2.5"),
        (("blink",), {"period": 0.1}, r"period must be a number from 0.4 to 5\S*, but got 0.1"),
        (("swipe",), {"lens": 3}, "lens must be True or False, but got 3"),
    ],
)  # fmt: skip
def test_wrong_call_changes_nothing(widget, arguments, settings, message):
    before = widget.status()
    with pytest.raises(ValueError, match=message):
        widget.show(*arguments, **settings)
    assert widget.status() == before


def test_wrong_assignment_is_refused(widget):
    with pytest.raises(ValueError, match="mode must be one of"):
        widget.mode = "wipe"
    with pytest.raises(ValueError, match="first names 'x'"):
        widget.first = "x"
    with pytest.raises(TraitError, match="'zoom'"):
        widget.zoom = 1000
    assert (widget.mode, widget.first, widget.zoom) == ("single", "nearest", 1)


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ([noise(0)], TypeError, r'pictures must be a dict .* got a list; write \{"bicubic"'),
        ({"a": noise(0)}, ValueError, "pictures must be 2 to 9, but got 1"),
        (dict.fromkeys("abcdefghij", noise(0)), ValueError, "must be 2 to 9, but got 10"),
        ({"a": noise(0), "b": noise(0)[..., :-4]}, ValueError,
         "b is 60 x 76 px and a is 60 x 80 px, but all pictures must have one size; enl"),
        ({"a": noise(0), "b": np.zeros((60, 80, 3))}, TypeError,
         r"b is a ndarray, but a tensor \(1, 3, h, w\) or a PIL image was expected"),
        ({"a": noise(0), "b": noise(0) * 255}, ValueError, "divide 8-bit values by 255"),
    ],
)  # fmt: skip
def test_wrong_pictures(wrong, error, message):
    with pytest.raises(error, match=message):
        compare(wrong)


def test_caption_without_picture(pictures):
    with pytest.raises(ValueError, match="captions names 'bicubik', but the pictures are near"):
        compare(pictures, {"bicubik": "26.50 dB"})


def test_any_pil_image_will_do():
    gray, red = Image.new("L", (9, 7), 90), Image.new("RGBA", (9, 7), (255, 0, 0, 255))
    scene = CompareScene.of({"gray": gray, "red": red}, None)
    colors = [image.getpixel((4, 4)) for image in scene.pictures.values()]
    assert colors == [(90, 90, 90), (255, 0, 0)]


def test_pictures_travel_without_loss(pictures):
    widget = compare(pictures)
    for picture, tensor in zip(widget.pictures, pictures.values(), strict=True):
        arrived = Image.open(io.BytesIO(picture["data"]))
        assert ImageChops.difference(arrived, to_image(tensor)).getbbox() is None
    assert {"pictures", "mode", "position", "lens_x"} <= set(widget.keys)


def test_lens_starts_where_the_pictures_differ():
    plain = Image.new("RGB", (320, 160), "gray")
    changed = plain.copy()
    changed.paste("white", (256, 96, 288, 128))
    x, y = liveliest_spot(plain, changed)
    assert (x * 320, y * 160) == (272, 112), "the middle of what is changed"


def test_show_is_one_message(widget):
    sent = []
    widget._send = lambda message, buffers=None: sent.append(message)  # noqa: ARG005
    widget.show("swipe", "bicubic", "truth", position=0.25)
    (message,) = sent
    assert {"mode", "first", "position"} <= set(message["state"])


# A process of its own, since here anywidget is loaded.
IN_COLAB = """
import sys, types
output = types.ModuleType("google.colab.output")
output.enable_custom_widget_manager = lambda: print("enabled")
sys.modules.update({"google.colab": types.ModuleType("google.colab"), output.__name__: output})
from PIL import Image
from srlab.widgets.compare import Comparison, compare
pair = {"a": Image.new("L", (9, 9)), "b": Image.new("L", (9, 9), 255)}
print(type(compare(pair)).__name__)
"""


def test_colab_is_asked_to_allow_widgets():
    ended = warm.python("-c", IN_COLAB)
    assert ended.stdout.split() == ["enabled", "Comparison"], ended.stderr
