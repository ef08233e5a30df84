"""Figures: each displays one picture, says its numbers in words, and closes."""

import base64
import io
from collections.abc import Iterator
from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import RichOutput, capture_output
from PIL import Image
from torch import Tensor

from srlab.data import embedded_photo
from srlab.learner.journal import Run
from srlab.metrics import luma, score_pair
from srlab.models import Bicubic
from srlab.plots import (
    COLORS,
    _apart,
    _full_spectrum,
    _square,
    show_bars,
    show_curves,
    show_images,
    show_large,
    show_leads,
    show_map,
    show_spectra,
)
from srlab.scoring import Scene
from tests.test_site import Read


@pytest.fixture(autouse=True)
def shell() -> Iterator[None]:
    """What displays in a notebook."""
    InteractiveShell.instance()
    yield
    InteractiveShell.clear_instance()


def displayed(show: object, *args: object, **options: object) -> tuple[Image.Image, str]:
    """The one picture that a function displays, and its alternative text."""
    with capture_output() as captured:
        show(*args, **options)
    (output,) = captured.outputs
    assert isinstance(output, RichOutput)
    assert plt.get_fignums() == []
    file = io.BytesIO(base64.b64decode(output.data["image/png"]))
    return Image.open(file), output.metadata["image/png"]["alt"]


def colors_of(image: Image.Image) -> set[tuple[int, ...]]:
    return {color for _, color in image.convert("RGB").getcolors(2**24)}


@dataclass(frozen=True)
class Drawn:
    """A picture of a figure in HTML, and what its tag says."""

    image: Image.Image
    alt: str
    width: int
    height: int
    style: str


def drawn(show: object, *args: object, **options: object) -> tuple[list[Drawn], str, str]:
    """The pictures that a function displays, their HTML, and its words."""
    with capture_output() as captured:
        show(*args, **options)
    data = captured.outputs[0].data
    pictures = [
        Drawn(
            Image.open(io.BytesIO(base64.b64decode(tag["src"].partition(",")[2]))),
            tag["alt"], int(tag["width"]), int(tag["height"]), tag["style"],
        )
        for tag in Read(data["text/html"]).all("img")
    ]  # fmt: skip
    return pictures, data["text/html"], data["text/plain"]


def test_images_with_their_numbers() -> None:
    red, blue = torch.zeros(2, 1, 3, 4, 6)
    red[:, 0], blue[:, 2] = 1, 1
    pictures, html, words = drawn(show_images, {"a <b>": red, "b": blue}, {"b": "21.5 dB"})
    assert [colors_of(one.image) for one in pictures] == [{(255, 0, 0)}, {(0, 0, 255)}]
    assert [one.alt for one in pictures] == ["a <b>", "b 21.5 dB"]
    assert words == "Pictures: a <b>; b 21.5 dB"
    assert "<strong>a &lt;b&gt;</strong>" in html
    assert "<strong>b</strong><br>21.5 dB" in html


def test_images_keep_their_pixels_and_are_drawn_as_whole_squares() -> None:
    pixels = torch.rand(1, 3, 24, 36, generator=torch.Generator().manual_seed(0))
    large = pixels.repeat_interleave(4, 2).repeat_interleave(4, 3)
    pictures, _, _ = drawn(show_images, {"lr": pixels, "hr": large}, columns=2)
    # The squares are in the file, so that no browser has to make them: 12 px for each.
    squares = (pixels[0] * 255).round().byte().repeat_interleave(12, 1).repeat_interleave(12, 2)
    np.testing.assert_array_equal(np.asarray(pictures[0].image), squares.permute(1, 2, 0))
    # Two of (900 - 12) / 2 = 444 px: three squares for each of 144, twelve for each of 36.
    assert [(one.width, one.height) for one in pictures] == [(432, 288)] * 2
    for one in pictures:
        assert "image-rendering: pixelated" in one.style
        assert "round(down, min(432px, 100cqw), 144px)" in one.style


def test_a_large_picture_is_not_reduced(photo: Tensor) -> None:
    pictures, html, _ = drawn(show_images, {"a": photo, "b": photo}, width=5)
    sides = photo.shape[-1], photo.shape[-2]
    assert [(one.width, one.height) for one in pictures] == [sides] * 2
    assert "flex-wrap: wrap" in html, "rather below each other"


def test_a_large_picture_is_small_to_store_and_hardly_changed() -> None:
    photo = embedded_photo("raccoon-face")
    ((one,), html, _) = drawn(show_images, {"a": photo})
    assert one.image.format == "JPEG"
    assert len(html) < 250_000
    truth = (photo[0] * 255).round().permute(1, 2, 0).numpy()
    assert abs(np.asarray(one.image) - truth).mean() < 2
    ((small,), _, _) = drawn(show_images, {"a": photo[..., :96, :96]})
    assert small.image.format == "WEBP"


def test_gray_images_and_rows() -> None:
    images = {f"{i}": torch.full((1, 8, 8), i / 5) for i in range(5)}
    pictures, html, words = drawn(show_images, images)
    assert [colors_of(one.image) for one in pictures][1] == {(51, 51, 51)}
    side = pictures[0].width  # (900 - 3 * 12) / 4 = 216 = 27 * 8
    assert side == 216
    assert f"max-width: {4 * side + 3 * 12}px" in html, "at most four in a row"
    assert words == "Pictures: 0; 1; 2; 3; 4"


def test_a_crop_large_beside_its_truth(photo: Tensor) -> None:
    crop = (16, 24, 72, 96)
    pictures, _, words = drawn(show_large, photo, {"again": Bicubic(4)}, crop=crop)
    assert [one.alt.split(" ")[0] for one in pictures] == ["input", "bicubic", "again", "truth"]
    assert {(one.width, one.height) for one in pictures} == {(384, 288)}
    for one, side in zip(pictures, [16, 4, 4, 4], strict=True):
        pixels = one.image.resize((384 // side, 288 // side), Image.Resampling.NEAREST)
        assert one.image.convert("RGB") == pixels.resize(
            (384, 288), Image.Resampling.NEAREST
        ).convert("RGB")
    truth = photo[..., 16:88, 24:120]
    expected = score_pair(
        Scene(photo, 4).bicubic.clamp(0, 1)[..., 16:88, 24:120], truth, scale=4
    )
    number = f"{expected['psnr_y']:.2f} dB, sharpness {expected['sharpness']:.2f}"
    assert words == f"Pictures: input 24 x 18 px; bicubic {number}; again {number}; truth"


@pytest.mark.parametrize(
    ("crop", "problem"),
    [
        ((2, 0, 96, 96), r"crop is \(2, 0, 96, 96\), but top, left, .* by scale \(=4"),
        ((0, 0, 4096, 96), "the picture has .* px; top, left, height and width must lie in"),
        ((-4, 0, 96, 96), "must lie in it"),
        ((0, 0, 0, 96), "must be divisible"),
    ],
)
def test_a_crop_that_cannot_be_cut_is_told(photo: Tensor, crop: tuple, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        show_large(photo, {}, crop=crop)


SHOWS = {
    "images": (show_images, ({"a": torch.zeros(3, 8, 8)},), {}),
    "curves": (show_curves, ({"a": ([1, 2], [3.0, 4.0])},), {"x": "x", "y": "y"}),
    "bars": (show_bars, ({"a": 1.0},), {"y": "y"}),
    "spectra": (show_spectra, ({"a": torch.rand(1, 3, 16, 16)},), {}),
    "leads": (show_leads, ({"mine": 1.0}, {"ours": (2.0, 2.5)}, {"theirs": 3.0}), {}),
}


@pytest.mark.parametrize("name", SHOWS)
def test_below_a_figure_stands_what_to_see(name: str) -> None:
    show, args, options = SHOWS[name]
    with capture_output() as captured:
        show(*args, **options, see="R & D < all")
    assert len(captured.outputs) == 2
    assert captured.outputs[1].data == {
        "text/html": "<p><strong>What you should see:</strong> R &amp; D &lt; all</p>",
        "text/plain": "What you should see: R & D < all",
    }


def test_a_chart_has_twice_the_pixels_it_takes() -> None:
    with capture_output() as captured:
        show_bars({"nearest": 26.25}, y="PSNR, dB")
    (output,) = captured.outputs
    chart = Image.open(io.BytesIO(base64.b64decode(output.data["image/png"])))
    said = output.metadata["image/png"]
    assert (said["width"], said["height"]) == (chart.width // 2, chart.height // 2)
    assert 600 < said["width"] <= 720
    assert len(output.data["image/png"]) < 40_000


def test_curves() -> None:
    curves = {"loss": ([1, 2, 3], [1.0, 0.5, 0.25]), "other": ([1, 3], [1.0, 2.0])}
    picture, alt = displayed(
        show_curves, curves, x="step", y="L1", references={"bicubic": 0.7}, logarithmic=True
    )
    assert alt == "L1 over step: loss ends at 0.25; other ends at 2"
    assert {_rgb(COLORS[0]), _rgb(COLORS[1])} <= colors_of(picture)


def _rgb(color: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(color[1:]))


def test_bars() -> None:
    picture, alt = displayed(show_bars, {"nearest": 26.25, "bicubic": 28.42}, y="PSNR, dB")
    assert alt == "PSNR, dB: nearest 26.2; bicubic 28.4"
    assert _rgb(COLORS[0]) in colors_of(picture)


def test_spectra(photo: Tensor) -> None:
    picture, alt = displayed(show_spectra, {"truth": photo, "half": photo[..., ::2, ::2]})
    assert alt == "Power spectra, logarithmic: truth, half"
    assert len(colors_of(picture)) > 50


@pytest.mark.parametrize(("room", "side"), [(300, 64), (16, 16)])
def test_a_spectrum_is_drawn_in_squares_that_are_means(room: int, side: int) -> None:
    spectrum = torch.rand(64, 128)
    drawn = _square(spectrum, room)
    assert drawn.shape == (side, side)
    mean = spectrum[: 64 // side, : 128 // side].mean()
    torch.testing.assert_close(drawn[0, 0], mean.log10())


def test_spectra_mark_where_a_grid_would_show(photo):
    images = {"cat": photo}
    plain, _ = displayed(show_spectra, images)
    marked, alt = displayed(show_spectra, images, {"cat": "grid 1.00"}, period=4)
    assert alt.endswith("cat grid 1.00")

    def orange(picture):
        pixels = np.asarray(picture.convert("RGB")).astype(int)
        return (abs(pixels - [213, 94, 0]).sum(axis=-1) < 30).sum()

    assert orange(plain) == 0
    assert orange(marked) > 100


@pytest.mark.parametrize("size", [(96, 128), (95, 127), (64, 63)])
def test_the_whole_spectrum_is_numpys(photo: Tensor, size: tuple[int, int]) -> None:
    height, width = size
    part = photo[..., :height, :width]
    y = luma(part)[0, 0].double().numpy()
    window = np.outer(np.hanning(height), np.hanning(width))
    expected = np.abs(np.fft.fftshift(np.fft.fft2((y - y.mean()) * window))) ** 2
    np.testing.assert_allclose(
        _full_spectrum(part).numpy(), expected, rtol=1e-2, atol=1e-6 * expected.max()
    )


def run_of(name, psnr, sharpness, **changes):
    figures = {"psnr_y": psnr, "sharpness": sharpness}
    facts = {
        "name": name, "lesson": "02", "scale": 4, "when": "2026-01-01T00:00:00+00:00",
        "figures": figures, "bicubic": {"psnr_y": 28.0, "sharpness": 0.1},
    }  # fmt: skip
    return Run.model_validate({**facts, **changes})


def test_map_says_where_each_run_is():
    _, alt = displayed(show_map, [run_of("pixel", 30.25, 0.4), run_of("content", 29.5, 0.7)])
    assert "bicubic 28.00 dB, sharpness 0.10" in alt
    assert "02 pixel 30.25 dB, sharpness 0.40; 02 content 29.50 dB, sharpness 0.70" in alt


def test_map_names_only_the_last_run_of_a_name():
    _, alt = displayed(show_map, [run_of("pixel", 30.25, 0.4), run_of("pixel", 30.5, 0.45)])
    assert "30.50 dB" in alt
    assert "30.25 dB" not in alt


@pytest.mark.parametrize(("scales", "got"), [([], "no runs"), ([2, 4], "runs of x2 and x4")])
def test_map_of_nothing_or_of_two_scales_is_refused(scales, got):
    with pytest.raises(ValueError, match=f"one scale, but got {got}"):
        show_map([run_of("a", 30.0, 0.4, scale=scale) for scale in scales])


# -- leads -----------------------------------------------------------------------


def test_leads_say_every_number() -> None:
    own = {"your 01": 1.234, "your 02": -0.5}
    networks = {"small-x4": (2.39, 3.0), "pixel-x4": (2.54, 3.17)}
    notes = {"your 02": "sharpness 0.40"}
    picture, alt = displayed(show_leads, own, networks, {"SRCNN (2014)": 2.06}, notes=notes)
    assert alt == (
        "PSNR Y over bicubic in dB. On the course's test photographs: your 01 +1.23; "
        "your 02 -0.50 · sharpness 0.40; small-x4 +2.39; pixel-x4 +2.54. On Set5: "
        "small-x4 +3.00; pixel-x4 +3.17; SRCNN (2014) +2.06"
    )
    assert {_rgb(COLORS[0]), _rgb(COLORS[1])} <= colors_of(picture)


@pytest.mark.parametrize(
    ("heights", "expected"),
    [
        ([0.0, 5.0], [0.0, 5.0]),
        ([1.0, 1.0], [0.5, 1.5]),
        ([0.0, 3.0, 3.0, 3.0, 9.0], [0.0, 2.0, 3.0, 4.0, 9.0]),
        ([0.0, 0.5, 2.0], [-0.25, 0.75, 2.0]),
    ],
)
def test_words_are_moved_apart_as_little_as_can_be(heights: list, expected: list) -> None:
    assert _apart(heights, 1.0) == pytest.approx(expected)
