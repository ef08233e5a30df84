"""Figures: each displays one picture, says its numbers in words, and closes."""

import base64
import io
from collections.abc import Iterator

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import RichOutput, capture_output
from PIL import Image
from torch import Tensor

from srlab.learner.journal import Run
from srlab.metrics import luma
from srlab.plots import (
    COLORS,
    _full_spectrum,
    show_bars,
    show_curves,
    show_images,
    show_map,
    show_spectra,
)


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


def test_images_with_their_numbers() -> None:
    red, blue = torch.zeros(2, 1, 3, 4, 6)
    red[:, 0], blue[:, 2] = 1, 1
    picture, alt = displayed(show_images, {"a": red, "b": blue}, {"a": "21.5 dB"})
    assert {(255, 0, 0), (0, 0, 255)} <= colors_of(picture)
    assert alt == "Pictures: a 21.5 dB; b"


def test_images_are_drawn_as_squares() -> None:
    pixels = torch.tensor([[0.0, 1.0], [1.0, 0.0]]).view(1, 1, 2, 2)
    picture, _ = displayed(show_images, {"checks": pixels})
    gray = np.asarray(picture.convert("L"))[60:-10, 10:-10]
    assert np.isin(gray, [0, 255]).mean() > 0.98  # nothing smoothed between the squares


def test_gray_images_and_rows() -> None:
    images = {f"{i}": torch.full((1, 8, 8), i / 5) for i in range(5)}
    one, _ = displayed(show_images, dict(list(images.items())[:4]))
    two, alt = displayed(show_images, images)
    assert two.height > 1.5 * one.height
    assert alt == "Pictures: 0; 1; 2; 3; 4"


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
    assert len(colors_of(picture)) > 100


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
