"""Figures for the lessons: each ``show_`` function displays one.

Every figure carries an alternative text that says what its numbers say, and
below it, if wanted, a line on what one should see.

Charts are stored with twice as many pixels as they take on a page. Pictures
are stored with their own pixels, and the browser draws each as a square of
whole pixels: nothing is smoothed between them. In a narrow window the squares
get smaller, then pictures go below each other.
"""

import io
import textwrap
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from statistics import fmean
from typing import Any

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from IPython.display import Image as DisplayImage
from IPython.display import display
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from PIL import Image
from torch import Tensor, nn

from srlab.images import to_image
from srlab.inference import enlarge_in_tiles
from srlab.learner.journal import Run
from srlab.metrics import power_spectrum
from srlab.scoring import Scene, as_batch

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's: people who see few colors can tell them apart."""

MARKERS = ("D", "o", "s", "^", "v", "P", "X", "*")

PX_PER_INCH = 100
"""Of a figure on the page; stored are twice as many."""

GAP = 12
"""Between pictures, px."""

LEAST = 96
"""A picture's words get so many px at least, however small it is."""

MARGIN = 50
"""Around spectra, for the words at their axes, px."""

TICKS = (-0.4, -0.2, 0, 0.2, 0.4)

COLORMAP = plt.get_cmap("cividis", 64)
"""Of spectra: steps of a tenth of a power of ten, which are small to store."""

EXACT_BYTES = 40_000
"""Up to this size a picture is stored without loss, above it as a good JPEG."""


def show_images(
    images: Mapping[str, Tensor],
    captions: Mapping[str, str] | None = None,
    *,
    width: float = 9.0,
    columns: int = 4,
    see: str = "",
) -> None:
    """Show pictures side by side, each with its name and its number below.

    Pixels are drawn as squares of whole pixels, never smoothed, so a small
    picture looks as coarse as it is, and a large one is never reduced: rather
    fewer stand in a row.

    Args:
        images: name -> ``(1, C, h, w)`` or ``(C, h, w)``, C of 1 or 3, in [0, 1].
        captions: name -> the number that belongs to the picture.
        width: of the figure, inches of 100 px.
        columns: pictures in a row at most.
        see: what one should see, a line below.

    Example:
        >>> show_images({"gray": torch.full((1, 3, 4, 4), 0.5)}, {"gray": "0.5"})
        Pictures: gray 0.5
    """
    titles = _titles(images, captions)
    pictures = {name: to_image(_three_channels(image)) for name, image in images.items()}
    across = min(columns, len(pictures))
    widest = max(picture.width for picture in pictures.values())
    room = (width * PX_PER_INCH - (across - 1) * GAP) // across
    side = max(1, int(room // widest)) * widest
    figures = [
        _figure(picture, titles[name], side, widest) for name, picture in pictures.items()
    ]
    html = (
        '<div class="srlab-pictures" '
        f'style="container-type: inline-size; margin: 4px 0 {GAP}px">'
        f'<div style="display: flex; flex-wrap: wrap; gap: {GAP}px; '
        f'max-width: {across * (side + GAP) - GAP}px">{"".join(figures)}</div></div>'
    )
    texts = (title.replace("\n", " ") for title in titles.values())
    display({"text/html": html, "text/plain": "Pictures: " + "; ".join(texts)}, raw=True)
    _tell(see)


def show_large(
    hr: Tensor,
    models: Mapping[str, nn.Module],
    *,
    crop: tuple[int, int, int, int],
    scale: int = 4,
    width: float = 9.0,
    see: str = "",
) -> None:
    """Show a crop large: the input, bicubic, each network, the truth.

    Networks see the whole picture; the numbers are those of the crop.

    Args:
        hr: the truth, ``(1, 3, h, w)``, in [0, 1].
        models: name -> lr to sr.
        crop: top, left, height and width in px of ``hr``, all divisible by
            ``scale``. 96 x 144 px are drawn three times as large.
        scale: 2, 4 or 8.
        width: of the figure, inches of 100 px.
        see: what one should see, a line below.

    Raises:
        ValueError: if the crop does not lie in the picture, or a side of it is
            not divisible by ``scale``.
    """
    scene = Scene(hr, scale)
    _require_crop(crop, scene.hr, scale)
    outputs = {"bicubic": scene.bicubic.clamp(0, 1)}
    for name, model in models.items():
        outputs[name] = as_batch(enlarge_in_tiles(model, scene.lr, scale=scale))
    truth = _cut(scene.hr, crop)
    shown = {"input": _cut(scene.lr, [side // scale for side in crop])}
    shown |= {name: _cut(output, crop) for name, output in outputs.items()}
    numbers = {"input": "{} x {} px".format(*shown["input"].shape[:-3:-1])}
    for name in outputs:
        figures = Scene(truth, scale).judge(shown[name])
        numbers[name] = "{psnr_y:.2f} dB, sharpness {sharpness:.2f}".format(**figures)
    show_images({**shown, "truth": truth}, numbers, width=width, columns=2, see=see)


def show_curves(
    curves: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    *,
    x: str,
    y: str,
    references: Mapping[str, float] | None = None,
    logarithmic: bool = False,
    width: float = 7.0,
    see: str = "",
) -> None:
    """Show curves over one axis, with dashed lines to compare them with.

    Args:
        curves: name -> (x values, y values).
        x, y: what the axes mean, with units.
        references: name -> height of a dashed line.
        logarithmic: the y axis.
        width: of the figure, inches of 100 px.
        see: what one should see, a line below.
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
            name,
            (1, height),
            (0, 3),  # points: just above the line
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            ha="right",
        )
    if logarithmic:
        axes.set_yscale("log")
    _finish(axes, x, y)
    ends = "; ".join(f"{name} ends at {ys[-1]:.4g}" for name, (_, ys) in curves.items())
    _display(figure, f"{y} over {x}: {ends}", see)


def show_bars(
    values: Mapping[str, float], *, y: str, width: float = 7.0, see: str = ""
) -> None:
    """Show one bar for each name, with its value written on it.

    Args:
        values: name -> height.
        y: what the height means, with its unit.
        width: of the figure, inches of 100 px.
        see: what one should see, a line below.
    """
    figure, axes = plt.subplots(figsize=(width, width * 0.4), layout="constrained")
    bars = axes.bar(list(values), list(values.values()), color=COLORS[0])
    axes.bar_label(bars, fmt="{:.3g}")
    axes.margins(y=0.15)
    _finish(axes, "", y, legend=False)
    heights = "; ".join(f"{name} {height:.3g}" for name, height in values.items())
    _display(figure, f"{y}: {heights}", see)


def show_spectra(
    images: Mapping[str, Tensor],
    captions: Mapping[str, str] | None = None,
    *,
    period: int | None = None,
    cutoff: float | None = None,
    width: float = 9.0,
    see: str = "",
) -> None:
    """Show the power spectra of pictures: coarse in the middle, fine outside.

    One brightness scale for all, logarithmic, over six powers of ten.

    Args:
        images: name -> ``(1, 3, h, w)``, in [0, 1].
        captions: name -> the number that belongs to the picture.
        period: of a grid, px; where it would show is marked by circles.
        cutoff: cycles per px; drawn as a circle, outside of which a picture is fine.
        width: of the figure, inches of 100 px.
        see: what one should see, a line below.
    """
    titles = _titles(images, captions)
    room = int((width * PX_PER_INCH - MARGIN) // len(images) - GAP)
    spectra = {name: _square(_full_spectrum(image), room) for name, image in images.items()}
    top = max(spectrum.max().item() for spectrum in spectra.values())
    figure, grid = _squares([room // len(one) * len(one) for one in spectra.values()])
    for axes, (name, spectrum) in zip(grid, spectra.items(), strict=True):
        extent = (-0.5, 0.5, 0.5, -0.5)  # cycles per px
        axes.imshow(spectrum.numpy(), COLORMAP, vmin=top - 6, vmax=top, extent=extent)
        _mark_peaks(axes, period)
        if cutoff is not None:
            axes.add_patch(Circle((0, 0), cutoff, fill=False, color=COLORS[1], lw=1.5))
        axes.set_title(_wrapped(titles[name], room), fontsize=10)
        axes.set_xlabel("cycles per px")
    texts = ", ".join(title.replace("\n", " ") for title in titles.values())
    _display(figure, f"Power spectra, logarithmic: {texts}", see)


def show_map(runs: Sequence[Run], *, width: float = 7.0, see: str = "") -> None:
    """Show runs on the perception-distortion map: sharpness over PSNR.

    The truth has a sharpness of 1 and lies far to the right. Only the last
    run of each name and lesson carries its name; those it replaced stay as
    pale dots.

    Args:
        runs: of one scale, as ``read_runs`` gives them.
        width: of the figure, inches of 100 px.
        see: what one should see, a line below.

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
    _display(figure, "Perception-distortion map: " + "; ".join(texts), see)


def show_leads(
    own: Mapping[str, float],
    networks: Mapping[str, tuple[float, float]],
    published: Mapping[str, float],
    *,
    notes: Mapping[str, str] | None = None,
    width: float = 9.0,
    see: str = "",
) -> None:
    """Show how far networks lead bicubic, on two sets of photographs.

    Left the course's test photographs, right Set5, on one scale. A thin line
    links a network that was measured on both; others stand on one side alone.

    Args:
        own: name -> lead in dB on the course's photographs.
        networks: name -> leads in dB on the course's photographs and on Set5.
        published: name -> lead in dB on Set5.
        notes: name of one's own or of a network -> what stands beside it.
        width: of the figure, inches of 100 px.
        see: what one should see, a line below.
    """
    figure = plt.figure(figsize=(width, width * 0.62))
    axes = figure.add_axes((0.45, 0.06, 0.27, 0.84))
    left = {**own, **{name: lead for name, (lead, _) in networks.items()}}
    right = {**{name: lead for name, (_, lead) in networks.items()}, **published}
    colors = dict.fromkeys(networks, COLORS[0]) | dict.fromkeys(published, "#767676")
    colors |= dict.fromkeys(own, COLORS[1])
    for leads in networks.values():
        axes.plot((0, 1), leads, color=COLORS[0], linewidth=0.7)
    axes.axhline(0, color="#767676", linestyle="--", linewidth=1)
    axes.annotate("bicubic", (0.5, 0), ha="center", va="bottom", fontsize=9)
    bottom = min(0.0, *left.values(), *right.values())
    axes.set(xlim=(0, 1), ylim=(bottom - 0.15, max(*left.values(), *right.values()) + 0.15))
    words = {name: f" · {note}" for name, note in (notes or {}).items()}
    texts = {name: f"{name} {lead:+.2f}{words.get(name, '')}" for name, lead in left.items()}
    _label(axes, 0, left, texts, colors)
    _label(axes, 1, right, {n: f"{n} {lead:+.2f}" for n, lead in right.items()}, colors)
    axes.set_xticks((0, 1), ("the course's\ntest photographs", "Set5"))
    axes.xaxis.tick_top()
    axes.set_yticks([])
    axes.spines[["top", "bottom"]].set_visible(False)
    figure.text(0.585, 0.02, "PSNR Y over bicubic, dB, x4", ha="center")
    _display(
        figure,
        f"PSNR Y over bicubic in dB. On the course's test photographs: "
        f"{'; '.join(texts.values())}. On Set5: "
        f"{'; '.join(f'{name} {lead:+.2f}' for name, lead in right.items())}",
        see,
    )


def _label(
    axes: Axes,
    x: int,
    leads: Mapping[str, float],
    texts: Mapping[str, str],
    colors: Mapping[str, str],
) -> None:
    """Dots on the left (x = 0) or right line, and their words beside it, none on another."""
    bottom, top = axes.get_ylim()
    tall = axes.bbox.height / axes.figure.dpi * 72  # points
    order = sorted(leads, key=leads.__getitem__)
    heights = _apart([leads[name] for name in order], 12.5 / tall * (top - bottom))
    away, side = (-0.09, "right") if x == 0 else (1.09, "left")
    for name, height in zip(order, heights, strict=True):
        color, lead = colors[name], leads[name]
        axes.plot(x, lead, "o", color=color, markersize=7, clip_on=False, zorder=3)
        line = axes.plot((x, away), (lead, height), color=color, linewidth=0.6)[0]
        line.set_clip_on(False)
        axes.annotate(
            texts[name], (away, height), ha=side, va="center", fontsize=9, color=color,
            xytext=(-3 if x == 0 else 3, 0), textcoords="offset points", annotation_clip=False,
        )  # fmt: skip


def _apart(heights: Sequence[float], gap: float) -> list[float]:
    """Rising heights, moved as little as lets each be ``gap`` above the one before."""
    groups: list[list[float]] = []  # what stands together; less i * gap it has one height
    for i, height in enumerate(heights):
        groups.append([height - i * gap])
        while len(groups) > 1 and fmean(groups[-2]) > fmean(groups[-1]):
            groups[-2:] = [groups[-2] + groups[-1]]
    even = [fmean(group) for group in groups for _ in group]
    return [height + i * gap for i, height in enumerate(even)]


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


def _squares(sides: Sequence[int]) -> tuple[Figure, list[Axes]]:
    """Axes beside each other that are exactly so many px on the page."""
    width = MARGIN + sum(side + GAP for side in sides)
    height = 2 * MARGIN + max(sides)
    figure = plt.figure(figsize=(width / PX_PER_INCH, height / PX_PER_INCH))
    grid, left = [], MARGIN
    for number, side in enumerate(sides):
        place = (left / width, MARGIN / height, side / width, side / height)
        grid.append(figure.add_axes(place))
        grid[-1].set(xticks=TICKS, yticks=TICKS)
        grid[-1].tick_params(labelleft=number == 0)
        left += side + GAP
    return figure, grid


def _wrapped(title: str, room: int) -> str:
    """In lines of so many px at most; a letter of 10 points is some 8 px wide."""
    return "\n".join(textwrap.fill(line, room // 8) for line in title.split("\n"))


def _square(spectrum: Tensor, room: int) -> Tensor:
    """Logarithm of a spectrum (h, w) in at most ``room`` bins a side, each a mean."""
    side = min(*spectrum.shape, room)
    return F.adaptive_avg_pool2d(spectrum[None], side)[0].log10()


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


def _display(figure: Figure, alt: str, see: str) -> None:
    """Display a chart with its alternative text, half as large as its pixels."""
    file = io.BytesIO()
    figure.savefig(file, dpi=2 * PX_PER_INCH, bbox_inches="tight", pad_inches=0.08)
    plt.close(figure)
    chart = Image.open(file).convert("RGB")
    width, height = (side // 2 for side in chart.size)
    data = _saved(chart.quantize(256, dither=Image.Dither.NONE), "PNG", optimize=True)
    display(DisplayImage(data, format="png", alt=alt, width=width, height=height))
    _tell(see)


def _tell(see: str) -> None:
    """The line below a figure, if there is one."""
    if see:
        html = f"<p><strong>What you should see:</strong> {escape(see)}</p>"
        display({"text/html": html, "text/plain": f"What you should see: {see}"}, raw=True)


# -- pictures as HTML: JupyterLab, VS Code, pages and slides all draw it ---------


def _figure(picture: Image.Image, title: str, side: int, widest: int) -> str:
    """A picture ``side`` px wide or a little less, as whole squares, above its words.

    Where a window is narrower than the picture, its squares get smaller, again
    by whole pixels, and like those of the widest picture beside it; only below
    one pixel each is it reduced.
    """
    zoom = max(1, side // picture.width)
    width, height = picture.width * zoom, picture.height * zoom
    step = widest if widest % picture.width == 0 else picture.width
    squares = f"round(down, min({width}px, 100cqw), {step}px)"
    fitting = f"max({squares}, min({step}px, 100cqw))"
    name, _, number = title.partition("\n")
    return (
        f'<figure style="margin: 0; min-width: {min(LEAST, side)}px">'
        f'<img src="{_data_url(picture, zoom)}" alt="{escape(title.replace(chr(10), " "))}" '
        f'width="{width}" height="{height}" style="image-rendering: pixelated; '
        f'width: {fitting}; height: auto; max-width: none">'
        '<figcaption style="width: min-content; min-width: 100%; line-height: 1.3">'
        f"<strong>{escape(name)}</strong>{'<br>' if number else ''}{escape(number)}"
        "</figcaption></figure>"
    )


def _data_url(picture: Image.Image, zoom: int) -> str:
    """A picture whose pixels are squares of ``zoom`` px: without loss, unless it is large.

    The squares are drawn here, since JupyterLab strips ``image-rendering`` from a
    notebook that it doesn't trust, and a browser then smooths what it enlarges.
    """
    squares = picture.resize([zoom * side for side in picture.size], Image.Resampling.NEAREST)
    kind, data = "webp", _saved(squares, "WEBP", lossless=True, quality=50, method=2)
    if len(data) > EXACT_BYTES:
        kind, data = "jpeg", _saved(picture, "JPEG", quality=92, subsampling=0)
    return f"data:image/{kind};base64,{b64encode(data).decode()}"


def _saved(picture: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def _cut(images: Tensor, crop: Sequence[int]) -> Tensor:
    """Top, left, height, width."""
    top, left, height, width = crop
    return images[..., top : top + height, left : left + width]


def _require_crop(crop: tuple[int, int, int, int], hr: Tensor, scale: int) -> None:
    """Raise unless a crop lies in the picture, and its reduction on whole pixels."""
    top, left, height, width = crop
    if any(side % scale for side in crop) or min(height, width) < 1:
        raise ValueError(
            f"crop is {crop}, but top, left, height and width must be divisible by scale "
            f"(={scale}); move it a little."
        )
    inside = top + height <= hr.shape[-2] and left + width <= hr.shape[-1]
    if not inside or min(top, left) < 0:
        raise ValueError(
            f"crop is {crop}, but the picture has {hr.shape[-2]} x {hr.shape[-1]} px; top, "
            f"left, height and width must lie in it."
        )
