"""Figures for the lessons: each ``show_`` function displays one.

Every figure carries an alternative text that says what its numbers say.
"""

import io
from collections.abc import Iterable, Mapping, Sequence

import matplotlib.pyplot as plt
import torch
from IPython.display import Image as DisplayImage
from IPython.display import display
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from srlab.images import to_image
from srlab.learner.journal import Run
from srlab.metrics import power_spectrum

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's: people who see few colors can tell them apart."""

MARKERS = ("D", "o", "s", "^", "v", "P", "X", "*")

DOTS_PER_INCH = 110


def show_images(
    images: Mapping[str, Tensor],
    captions: Mapping[str, str] | None = None,
    *,
    width: float = 9.0,
    columns: int = 4,
) -> None:
    """Show pictures side by side, each with its name and its number.

    Pixels are drawn as squares, never smoothed, so a small picture looks as
    coarse as it is.

    Args:
        images: name -> ``(1, C, h, w)`` or ``(C, h, w)``, C of 1 or 3, in [0, 1].
        captions: name -> the number that belongs to the picture.
        width: of the figure, inches.
        columns: pictures in a row at most.

    Example:
        >>> show_images({"gray": torch.full((1, 3, 4, 4), 0.5)}, {"gray": "0.5"})
    """
    across = min(columns, len(images))
    down = -(-len(images) // across)
    titles = _titles(images, captions)
    tallest = max(image.shape[-2] / image.shape[-1] for image in images.values())
    size = (width, down * (width / across * tallest + 0.55))
    figure, grid = plt.subplots(down, across, figsize=size, squeeze=False, layout="constrained")
    for axes in grid.flat:
        axes.axis("off")
    for axes, (name, image) in zip(grid.flat, images.items(), strict=False):
        axes.imshow(to_image(_three_channels(image)), interpolation="nearest")
        axes.set_title(titles[name], fontsize=10)
    _display(figure, "Pictures: " + "; ".join(t.replace("\n", " ") for t in titles.values()))


def show_curves(
    curves: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    *,
    x: str,
    y: str,
    references: Mapping[str, float] | None = None,
    logarithmic: bool = False,
    width: float = 7.0,
) -> None:
    """Show curves over one axis, with dashed lines to compare them with.

    Args:
        curves: name -> (x values, y values).
        x, y: what the axes mean, with units.
        references: name -> height of a dashed line.
        logarithmic: the y axis.
        width: of the figure, inches.
    """
    figure, axes = plt.subplots(figsize=(width, width * 0.5), layout="constrained")
    styles = ("-", "--", "-.", ":")
    for i, (name, (xs, ys)) in enumerate(curves.items()):
        axes.plot(
            xs, ys, color=COLORS[i % len(COLORS)], ls=styles[i // len(COLORS)], label=name
        )
    for name, height in (references or {}).items():
        axes.axhline(height, color="#767676", linestyle="--", linewidth=1)
        axes.annotate(
            name, (1, height), xycoords=("axes fraction", "data"), ha="right", va="top"
        )
    if logarithmic:
        axes.set_yscale("log")
    _finish(axes, x, y)
    ends = "; ".join(f"{name} ends at {ys[-1]:.4g}" for name, (_, ys) in curves.items())
    _display(figure, f"{y} over {x}: {ends}")


def show_bars(values: Mapping[str, float], *, y: str, width: float = 7.0) -> None:
    """Show one bar for each name, with its value written on it.

    Args:
        values: name -> height.
        y: what the height means, with its unit.
        width: of the figure, inches.
    """
    figure, axes = plt.subplots(figsize=(width, width * 0.4), layout="constrained")
    bars = axes.bar(list(values), list(values.values()), color=COLORS[0])
    axes.bar_label(bars, fmt="{:.3g}")
    axes.margins(y=0.15)
    _finish(axes, "", y, legend=False)
    _display(figure, f"{y}: " + "; ".join(f"{name} {v:.3g}" for name, v in values.items()))


def show_spectra(
    images: Mapping[str, Tensor],
    captions: Mapping[str, str] | None = None,
    *,
    period: int | None = None,
    width: float = 9.0,
) -> None:
    """Show the power spectra of pictures: coarse in the middle, fine outside.

    One brightness scale for all, logarithmic, over six powers of ten.

    Args:
        images: name -> ``(1, 3, h, w)``, in [0, 1].
        captions: name -> the number that belongs to the picture.
        period: of a grid, px; where it would show is marked by circles.
        width: of the figure, inches.
    """
    figure, grid = plt.subplots(
        1, len(images), figsize=(width, width / len(images) + 0.5), squeeze=False,
        layout="constrained",
    )  # fmt: skip
    titles = _titles(images, captions)
    spectra = {name: _full_spectrum(image).log10() for name, image in images.items()}
    top = max(spectrum.max().item() for spectrum in spectra.values())
    for axes, (name, spectrum) in zip(grid.flat, spectra.items(), strict=True):
        extent = (-0.5, 0.5, 0.5, -0.5)  # cycles per px
        axes.imshow(spectrum.numpy(), cmap="cividis", vmin=top - 6, vmax=top, extent=extent)
        _mark_peaks(axes, period)
        axes.set_title(titles[name], fontsize=10)
        axes.set_xlabel("cycles per px")
    texts = ", ".join(title.replace("\n", " ") for title in titles.values())
    _display(figure, f"Power spectra, logarithmic: {texts}")


def show_map(runs: Sequence[Run], *, width: float = 7.0) -> None:
    """Show runs on the perception-distortion map: sharpness over PSNR.

    The truth has a sharpness of 1 and lies far to the right. Only the last
    run of each name and lesson carries its name; those it replaced stay as
    pale dots.

    Args:
        runs: of one scale, as ``read_runs`` gives them.
        width: of the figure, inches.

    Raises:
        ValueError: if there are no runs, or of several scales.

    Source: After Blau & Michaeli 2018, with this course's sharpness in place of
    their perceptual quality.
    """
    require_runs(runs)
    figure, axes = plt.subplots(figsize=(width, width * 0.6), layout="constrained")
    latest = {(run.lesson, run.name): run for run in runs}
    for run in runs:
        if run is not latest[run.lesson, run.name]:
            axes.plot(*_place(run.figures), "o", color="#BBBBBB", markersize=4)
    names = {"bicubic": _place(runs[-1].bicubic)}
    names |= {f"{run.lesson} {run.name}": _place(run.figures) for run in latest.values()}
    for i, (name, (psnr, sharp)) in enumerate(names.items()):
        color, marker = COLORS[(i - 1) % len(COLORS)], MARKERS[i % len(MARKERS)]
        axes.plot(
            psnr, sharp, marker, color=color if i else "#767676", markersize=8, label=name
        )
    axes.axhline(1, color="#767676", linestyle="--", linewidth=1)
    axes.annotate("truth", (1, 1), xycoords=("axes fraction", "data"), ha="right", va="bottom")
    axes.margins(0.1)
    axes.ticklabel_format(useOffset=False)
    axes.ticklabel_format(axis="x", useOffset=False)  # 27.70, not 0.0025 and "+2.77e1"
    axes.locator_params(axis="x", nbins=5)
    _finish(axes, "PSNR Y, dB: closer to the truth →", "sharpness →", legend=False)
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    texts = [f"{name} {psnr:.2f} dB, sharpness {s:.2f}" for name, (psnr, s) in names.items()]
    _display(figure, "Perception-distortion map: " + "; ".join(texts))


def require_runs(runs: Sequence[Run]) -> None:
    """Raise unless there are runs, and all of one scale."""
    scales = sorted({run.scale for run in runs})
    if len(scales) != 1:
        got = f"runs of x{' and x'.join(map(str, scales))}" if scales else "no runs"
        raise ValueError(
            f"A map shows runs of one scale, but got {got}; note some with "
            f"note_run and take those of one scale with read_runs(scale=4)."
        )


def _place(figures: Mapping[str, float]) -> tuple[float, float]:
    return figures["psnr_y"], figures["sharpness"]


def _titles(names: Iterable[str], captions: Mapping[str, str] | None) -> dict[str, str]:
    """Each name, with its number below."""
    captions = captions or {}
    return {name: f"{name}\n{captions[name]}" if name in captions else name for name in names}


def _mark_peaks(axes: Axes, period: int | None) -> None:
    """Circle the frequencies of what repeats every ``period`` px."""
    if period is None:
        return
    lines = [k / period for k in range(-(period // 2), period // 2 + 1)]
    peaks = [(x, y) for x in lines for y in lines if (x, y) != (0, 0)]
    xs, ys = zip(*peaks, strict=True)
    axes.plot(xs, ys, "o", fillstyle="none", color=COLORS[1], markersize=9, markeredgewidth=1)
    axes.set(xlim=(-0.5, 0.5), ylim=(0.5, -0.5))


def _full_spectrum(image: Tensor) -> Tensor:
    """Power spectrum (h, w) with frequency 0 in the middle."""
    half = power_spectrum(image)[0]  # (h, w // 2 + 1)
    width = image.shape[-1]
    mirrored = half[:, 1 : (width + 1) // 2].flip(1)
    mirrored = torch.cat([mirrored[:1], mirrored[1:].flip(0)])
    whole = torch.cat([half, mirrored], dim=1)
    return torch.fft.fftshift(whole).clamp(min=1e-12)


def _three_channels(image: Tensor) -> Tensor:
    """(1, C, h, w) or (C, h, w) -> (3, h, w), gray repeated."""
    image = image[0] if image.ndim == 4 else image
    return image.expand(3, -1, -1)


def _finish(axes: Axes, x: str, y: str, *, legend: bool = True) -> None:
    """Names of the axes, a light grid, no frame."""
    axes.set(xlabel=x, ylabel=y)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    if legend and len(axes.get_lines()) > 1:
        axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))


def _display(figure: Figure, alt: str) -> None:
    """Display a figure as a PNG with its alternative text, and close it."""
    file = io.BytesIO()
    figure.savefig(file, dpi=DOTS_PER_INCH, bbox_inches="tight", pad_inches=0.08)
    plt.close(figure)
    display(DisplayImage(file.getvalue(), format="png", alt=alt))
