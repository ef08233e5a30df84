"""How close, how sharp, how free of grid and weave: PSNR, SSIM, protocols, spectra."""

import hashlib
import warnings
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from srlab.files import cache_folder
from srlab.machine import place
from srlab.require import (
    require_batch,
    require_same_shape,
    require_scale,
    require_side,
    require_squares,
    require_unit_range,
)

Channels = Literal["y", "y-full", "rgb"]

PATCH, STEP = 32, 8
"""Side of the patches that ``ring_energies`` looks through, and from one to the next, px."""

FAINT = 1 / 8
"""Share of the truth's energy below which a ring is no ridge.

More than a mean of 3 x 3 px, a blur as well, lets through behind its zero: 1/9.
"""


def psnr(sr: Tensor, hr: Tensor, *, data_range: float = 1.0) -> Tensor:
    """Peak signal-to-noise ratio: of each picture, then the mean.

    ``10 * log10(data_range**2 / mse)``

    Args:
        sr, hr: ``(N, C, h, w)``.
        data_range: white minus black; never read off the picture.

    Returns:
        A scalar in dB; infinite where the pictures are equal.

    Raises:
        TypeError: for integers, which wrap round when subtracted.
        ValueError: if the shapes differ.

    Example:
        >>> psnr(torch.full((1, 3, 2, 2), 0.1), torch.zeros(1, 3, 2, 2)).item()
        20.0

    Source: lesson 00.
    """
    require_batch(sr, "sr")
    require_batch(hr, "hr")
    require_same_shape(sr, hr)
    mse = (sr - hr).square().mean(dim=(1, 2, 3))  # (N,)
    return (10 * torch.log10(data_range**2 / mse)).mean()


def luma(images: Tensor) -> Tensor:
    """Brightness Y of an RGB picture, as the published benchmarks have it.

    ``Y = 16/255 + (65.481 R + 128.553 G + 24.966 B) / 255``

    Args:
        images: ``(N, 3, h, w)``, RGB in [0, 1].

    Returns:
        ``(N, 1, h, w)``, in [16/255, 235/255].

    Example:
        >>> [round(v * 255) for v in luma(torch.ones(1, 3, 1, 1)).flatten().tolist()]
        [235]

    Source: lesson 00; ITU-R BT.601, MATLAB's ``rgb2ycbcr`` without its
    rounding to whole numbers.
    """
    weights = torch.tensor([65.481, 128.553, 24.966], dtype=images.dtype, device=images.device)
    # (N, 1, h, w): the axis of colors stays, so all that takes pictures takes brightness
    return (16 + (images * weights.view(3, 1, 1)).sum(1, keepdim=True)) / 255


def shave(images: Tensor, border: int) -> Tensor:
    """Leave out a border, where every method lacks neighbours.

    Args:
        images: ``(..., h, w)``.
        border: px on each side; 0 keeps all.

    Example:
        >>> shave(torch.zeros(1, 3, 8, 10), 2).shape
        torch.Size([1, 3, 4, 6])

    Source: lesson 00.
    """
    height, width = images.shape[-2:]
    return images[..., border : height - border, border : width - border]


def ssim(sr: Tensor, hr: Tensor, *, data_range: float = 1.0) -> Tensor:
    """Structural similarity: brightness, contrast and structure, by windows.

    Args:
        sr, hr: ``(N, C, h, w)``, at least 11 px on each side.
        data_range: white minus black.

    Returns:
        A scalar, at most 1.

    Raises:
        TypeError: for integers, which wrap round when multiplied.
        ValueError: if the shapes differ or the pictures are too small.

    Source: Wang et al. 2004: a Gaussian window of 11 px with sigma 1.5, and only
    windows that lie wholly inside the picture.
    """
    return ssim_map(sr, hr, data_range=data_range).mean()


def ssim_map(sr: Tensor, hr: Tensor, *, data_range: float = 1.0) -> Tensor:
    """Structural similarity of each whole window, ``(N, C, h - 10, w - 10)``.

    Its part inside a border is the map of what is inside that border. Takes
    and refuses what ``ssim`` does.
    """
    require_batch(sr, "sr")
    require_batch(hr, "hr")
    require_same_shape(sr, hr)
    if min(sr.shape[-2:]) < 11:
        raise ValueError(
            f"SSIM looks through windows of 11 px, but the picture is "
            f"{sr.shape[-2]} x {sr.shape[-1]} px; take a larger one or shave less."
        )
    # Not torchmetrics' own: to import that takes seconds, at each kernel's first figure.
    from torchvision.transforms.functional import gaussian_blur

    moments = torch.cat([sr, hr, sr * sr, hr * hr, sr * hr])
    windows = shave(gaussian_blur(moments, kernel_size=11, sigma=1.5), 5)
    mean_sr, mean_hr, square_sr, square_hr, product = windows.chunk(5)
    covariance = product - mean_sr * mean_hr
    variances = square_sr - mean_sr**2 + square_hr - mean_hr**2
    # So small that it only matters where both pictures are dark, or flat.
    dark, flat = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    brightness = (2 * mean_sr * mean_hr + dark) / (mean_sr**2 + mean_hr**2 + dark)
    return brightness * (2 * covariance + flat) / (variances + flat)


def sharpness(sr: Tensor, hr: Tensor, *, scale: int) -> Tensor:
    """Share of the truth's fine detail: high-frequency energy, sr over hr.

    "Fine" is what the small picture cannot hold: more than ``1 / (2 scale)``
    cycles per px. 1 is as much as the truth, 0 is none; noise counts as
    detail too, so read it beside PSNR.

    Args:
        sr, hr: ``(N, 3, h, w)``, RGB in [0, 1].
        scale: 2, 4 or 8.

    Returns:
        A scalar, the mean over the batch.

    Source: lesson 01; a figure of this course.
    """
    require_same_shape(sr, hr)
    require_scale(scale)
    cutoff = 1 / (2 * scale)
    return (fine_energy(sr, cutoff) / fine_energy(hr, cutoff)).mean()


def fine_energy(images: Tensor, cutoff: float) -> Tensor:
    """Energy of the luma above a frequency.

    Args:
        images: ``(N, 3, h, w)``, RGB in [0, 1].
        cutoff: cycles per px, below 0.5.

    Returns:
        ``(N,)``

    Source: lesson 01.
    """
    spectrum = power_spectrum(images)  # (N, h, w // 2 + 1)
    rows = torch.fft.fftfreq(spectrum.shape[-2], device=images.device)
    columns = torch.fft.rfftfreq(images.shape[-1], device=images.device)
    # (h, w // 2 + 1), in every direction
    frequency = torch.hypot(rows[:, None], columns[None, :])
    return spectrum[:, frequency > cutoff].sum(dim=-1)  # (N,): the mask makes the two axes one


def power_spectrum(images: Tensor) -> Tensor:
    """Energy of the luma by frequency.

    The picture fades out towards its border first; otherwise the jump from
    one edge to the opposite one would look like fine detail.

    Args:
        images: ``(N, 3, h, w)``, RGB in [0, 1].

    Returns:
        ``(N, h, w // 2 + 1)``, ordered as ``torch.fft.rfft2`` does.

    Lesson 01 looks at it.
    """
    y = luma(images.float())[:, 0]  # (N, h, w)
    height, width = y.shape[-2:]
    window = torch.outer(
        torch.hann_window(height, periodic=False, device=y.device),
        torch.hann_window(width, periodic=False, device=y.device),
    )
    # Or the window would turn brightness into waves
    centered = y - y.mean(dim=(-2, -1), keepdim=True)
    return torch.fft.rfft2(centered * window).abs().square()


def checkerboard(sr: Tensor, hr: Tensor, *, scale: int) -> Tensor:
    """How strong a grid is drawn: its energy, sr over hr.

    1 is as much as the truth has by chance, 0 is none; an upsampler that
    treats its sub-pixels differently is far above 1.

    Args:
        sr, hr: ``(N, 3, h, w)``, RGB in [0, 1].
        scale: 2, 4 or 8.

    Returns:
        A scalar, the mean over the batch; infinite or NaN where the truth is
        flat.

    Source: lesson 04; a figure of this course.
    """
    require_same_shape(sr, hr)
    return (grid_energy(sr, scale) / grid_energy(hr, scale)).mean()


def grid_energy(images: Tensor, scale: int) -> Tensor:
    """Energy of the luma at the multiples of ``1 / scale`` cycles per px.

    That is where a pattern shows that repeats every ``scale`` px. Looked for
    in patches of 16 x 16 such squares (fewer in a small picture) that overlap
    by half and fade out towards their borders, since a grid may change its
    sign with the picture below it.

    Args:
        images: ``(N, 3, h, w)``, RGB in [0, 1].
        scale: the period in px: 2, 4 or 8.

    Returns:
        ``(N,)``: the mean square of that pattern in luma, over the patches; 0
        where the picture is flat.

    Raises:
        ValueError: if the picture has fewer than 3 squares along a side.

    Example:
        >>> flat = torch.full((1, 3, 64, 64), 0.3)
        >>> grid_energy(flat, 4)
        tensor([0.])

    Source: lesson 04; a figure of this course.
    """
    require_batch(images, "images")
    require_scale(scale)
    require_squares(images, scale, 3)
    y = luma(images.float())[:, 0]  # (N, h, w)
    squares = min(16, *(side // scale for side in y.shape[-2:]))
    size = squares * scale
    # (N, rows, columns, size, size)
    patches = y.unfold(1, size, size // 2).unfold(2, size, size // 2)
    line = torch.hann_window(size, device=y.device)
    window = torch.outer(line, line) / line.sum() ** 2  # so that a peak is an amplitude
    faded = (patches - patches[..., :1, :1]) * window  # (N, rows, columns, size, size)
    # (..., scale, scale)
    peaks = torch.fft.fft2(faded)[..., ::squares, ::squares].abs().square()
    peaks[..., 0, 0] = 0  # the mean brightness is no pattern
    return peaks.sum(dim=(-2, -1)).mean(dim=(1, 2))  # (N,)


def ridge(sr: Tensor, hr: Tensor) -> Tensor:
    """How far the spectrum climbs again after a valley, sr over hr.

    A blur takes the more of the truth, the finer the waves. A network that was
    trained to please a VGG also draws replicas of the finest waves of lr, far
    beyond them: a valley and a ridge, seen as a weave in fur and hair.

    ``max over f1 < f2 of R(f2) / R(f1)``, with R = energy of sr / energy of hr
    in a ring of frequencies, where R(f2) is not faint; the worse of the waves
    along the axes and of the slanted ones.

    Args:
        sr, hr: ``(N, 3, h, w)``, RGB in [0, 1], at least 32 px on each side.

    Returns:
        A scalar, the mean over the batch: 1 for the truth and for any blur of
        it; 2 is a ridge with twice the share that the valley has. Noise and
        sharpening climb, too. Infinite or NaN where the truth is flat.

    Raises:
        ValueError: if the shapes differ or the pictures are too small.

    Source: lesson 05; a figure of this course.
    """
    require_same_shape(sr, hr)
    shares = ring_energies(sr) / ring_energies(hr)  # (N, 2, 15)
    return largest_climb(shares).amax(dim=-1).mean()


def largest_climb(shares: Tensor) -> Tensor:
    """The largest share over a smaller one before it, along the last axis.

    Args:
        shares: ``(..., n)``, not negative; up to ``FAINT`` they are no ridge.

    Returns:
        ``(...)``, at least 1.

    Example:
        >>> largest_climb(torch.tensor([1.0, 0.5, 0.25, 0.75, 0.1]))
        tensor(3.)

    Source: lesson 05.
    """
    lowest = shares.cummin(dim=-1).values  # of all rings so far
    climbs = torch.where(shares <= FAINT, 1.0, shares / lowest)  # 1: no climb
    return climbs.amax(dim=-1)


def ring_energies(images: Tensor) -> Tensor:
    """Energy of the luma by rings of frequencies, the mean over small patches.

    Ring k is 1/32 cycle per px wide, around k/32, for k from 2 to 16. Patches
    of 32 px, 8 px apart, fade out towards their borders.

    Args:
        images: ``(N, 3, h, w)``, RGB in [0, 1], at least 32 px on each side.

    Returns:
        ``(N, 2, 15)``: waves within 22.5 degrees of the axes first, then the
        slanted ones.

    Raises:
        ValueError: if the pictures are too small.

    Example:
        >>> ring_energies(torch.rand(1, 3, 64, 64)).shape
        torch.Size([1, 2, 15])

    Lesson 05 looks at it.
    """
    require_batch(images, "images")
    require_side(images, PATCH, "ridge")
    y = luma(images.float())[:, 0]  # (N, h, w)
    tops = range(0, y.shape[-2] - PATCH + 1, STEP)
    # Row by row of patches: those of a large photograph together would fill the memory.
    rows = [_mean_power(y[:, top : top + PATCH]) for top in tops]
    power = torch.stack(rows).mean(dim=0)  # (N, 32, 17)
    return torch.einsum("nhw,srhw->nsr", power, _rings().to(power))


def _mean_power(strip: Tensor) -> Tensor:
    """(N, 32, w) -> the mean spectrum of its patches, (N, 32, 17)."""
    patches = strip.unfold(2, PATCH, STEP).movedim(2, 1)  # (N, patches, 32, 32)
    line = torch.hann_window(PATCH, device=strip.device)
    level = patches - patches[..., :1, :1]  # so that a flat patch is exactly 0
    centered = level - level.mean(dim=(-2, -1), keepdim=True)
    spectra = torch.fft.rfft2(centered * torch.outer(line, line))  # (N, patches, 32, 17)
    return spectra.abs().square().mean(dim=1)


@cache
def _rings() -> Tensor:
    """How often a value of ``rfft2`` counts in each ring, (2, 15, 32, 17)."""
    rows, columns = torch.fft.fftfreq(PATCH)[:, None], torch.fft.rfftfreq(PATCH)
    ring = (torch.hypot(rows, columns) * PATCH).round()  # (32, 17): the ring of each value
    degrees = torch.atan2(rows.abs(), columns).rad2deg()
    slanted = (degrees - 45).abs() < 22.5
    sectors = torch.stack([~slanted, slanted])[:, None]  # (2, 1, 32, 17)
    rings = ring == torch.arange(2, PATCH // 2 + 1).view(-1, 1, 1)  # (15, 32, 17)
    twice = 1 + ((columns > 0) & (columns < 0.5)).float()  # for the half that rfft2 leaves out
    return sectors * rings * twice


@dataclass(frozen=True)
class Protocol:
    """What is compared: channels, and how much border is left out.

    The same pictures can differ by 2 dB under two protocols, so a score
    without its protocol says little.

    Args:
        channels: ``"y"`` (luma in 16 ... 235, the published one), ``"y-full"``
            (luma in 0 ... 255) or ``"rgb"``.
        shave: border in px; the published one is the scale.

    Example:
        >>> print(Protocol("y", 4))
        Y of BT.601 (16-235), border of 4 px left out, 8 bits

    Lesson 00 explains it.
    """

    channels: Channels = "y"
    shave: int = 4

    def __post_init__(self) -> None:
        if self.channels not in ("y", "y-full", "rgb"):
            raise ValueError(
                f'channels must be "y", "y-full" or "rgb", but got {self.channels!r}.'
            )
        if self.shave < 0:
            raise ValueError(f"shave must be 0 px or more, but got {self.shave}.")

    def __str__(self) -> str:
        names = {"y": "Y of BT.601 (16-235)", "y-full": "Y of BT.601 (0-255)", "rgb": "RGB"}
        return f"{names[self.channels]}, border of {self.shave} px left out, 8 bits"

    def apply(self, images: Tensor) -> Tensor:
        """The values that are compared, ``(N, 1 or 3, h, w)``."""
        require_batch(images, "images")
        require_unit_range(images, "images")
        if min(images.shape[-2:]) <= 2 * self.shave:
            raise ValueError(
                f"A border of {self.shave} px leaves nothing of a picture of "
                f"{images.shape[-2]} x {images.shape[-1]} px; take a larger one or shave less."
            )
        stored = images.clamp(0, 1).mul(255).round().div(255)
        if self.channels != "rgb":
            stored = luma(stored)
        if self.channels == "y-full":
            stored = (stored - 16 / 255) * (255 / 219)
        return shave(stored, self.shave)


def score_pair(
    sr: Tensor,
    hr: Tensor,
    *,
    scale: int,
    border: int | None = None,
    only: Collection[str] | None = None,
) -> dict[str, float]:
    """Figures of a picture under the published protocol; of several, the means.

    Args:
        sr, hr: ``(N, 3, h, w)``, RGB in [0, 1].
        scale: 2, 4 or 8.
        border: px that PSNR and SSIM leave out; None for the published ones,
            as many as the scale.
        only: which figures; all if None.

    Returns:
        What ``srlab.scoring.MEASURES`` lists, in its order.

    Raises:
        ValueError: if the shapes differ or the pictures are too small; 32 px
            on each side are always enough.
    """
    border = scale if border is None else border
    y, rgb = Protocol("y", border), Protocol("rgb", border)
    figures: dict[str, Callable[[], Tensor]] = {
        "psnr_y": lambda: psnr(y.apply(sr), y.apply(hr)),
        "ssim_y": lambda: ssim(y.apply(sr), y.apply(hr)),
        "psnr_rgb": lambda: psnr(rgb.apply(sr), rgb.apply(hr)),
        "sharpness": lambda: sharpness(sr, hr, scale=scale),
        "checkerboard": lambda: checkerboard(sr, hr, scale=scale),
        "ridge": lambda: ridge(sr, hr),
        "haarpsi": lambda: haarpsi(sr, hr),
        "mdsi": lambda: mdsi(sr, hr),
    }
    wanted = [name for name in figures if only is None or name in only]
    return {name: figures[name]().mean().item() for name in wanted}


LEAST = 16
"""Side in px below which HaarPSI's coarsest step finds no place."""


def haarpsi(sr: Tensor, hr: Tensor) -> Tensor:
    """HaarPSI: are steps of brightness between neighbors as in the truth?

    At half the size, as from some way off: steps over 2 and 4 px are compared,
    steps over 8 px say where it counts; colors are compared, too. The paper finds
    it closer to people's verdicts than SSIM.

    Args:
        sr, hr: ``(N, 3, h, w)``, RGB in [0, 1], at least 16 px on each side.

    Returns:
        A scalar, the mean over the batch; 1 for equal pictures, at least 0.

    Raises:
        ValueError: if the shapes differ or the pictures are too small.

    Source: Reisenhofer, Bosse, Kutyniok & Wiegand 2018, Signal Processing:
    Image Communication 61, by piq.
    """
    _require_pair(sr, hr)
    import piq  # type: ignore[import-untyped]  # takes seconds; only those who need it wait

    return piq.haarpsi(sr.float().clamp(0, 1), hr.float().clamp(0, 1))


def mdsi(sr: Tensor, hr: Tensor) -> Tensor:
    """MDSI: how unevenly edges and colors are damaged over the picture.

    Edges and colors are compared at each pixel. The figure is how much these
    verdicts *vary*: damage here and there shows more than the same everywhere.

    Args:
        sr, hr: ``(N, 3, h, w)``, RGB in [0, 1], at least 16 px on each side.

    Returns:
        A scalar, the mean over the batch; 0 for equal pictures, higher is
        worse.

    Raises:
        ValueError: if the shapes differ or the pictures are too small.

    Source: Nafchi, Shahkolaei, Hedjam & Cheriet 2016, IEEE Access 4, by piq.
    """
    _require_pair(sr, hr)
    import piq

    return piq.mdsi(sr.float().clamp(0, 1), hr.float().clamp(0, 1))


def _require_pair(sr: Tensor, hr: Tensor) -> None:
    """Raise unless piq can compare them; it would answer with an assertion."""
    for images, name in ((sr, "sr"), (hr, "hr")):
        require_batch(images, name)
        require_unit_range(images, name)
    require_same_shape(sr, hr)
    require_side(hr, LEAST, "HaarPSI and MDSI")


Backbone = Literal["alex", "vgg"]
BACKBONES: dict[Backbone, str] = {
    "alex": "alexnet-owt-7be5be79.pth",
    "vgg": "vgg16-397923af.pth",
}
"""torchmetrics' name of a network -> torchvision's file, named after its SHA-256."""


@torch.no_grad()
def lpips_distance(sr: Tensor, hr: Tensor) -> float | None:
    """LPIPS of two pictures, where the weights that it needs are at hand.

    Nothing is downloaded. ``lpips_backbone`` says which network looks.

    Args:
        sr, hr: ``(N, 3, h, w)``, RGB; clamped to [0, 1]; 32 px or more.

    Returns:
        The mean over the batch, 0 for equal pictures; None without weights.

    Raises:
        ValueError: if the shapes differ.

    Source: Zhang et al. 2018, by torchmetrics.
    """
    require_batch(sr, "sr")
    require_same_shape(sr, hr)
    name = lpips_backbone()
    network = _lpips(name, str(sr.device)) if name else None
    if network is None:
        return None
    return network(sr.clamp(0, 1), hr.clamp(0, 1), normalize=True).mean().item()


def lpips_backbone() -> Backbone | None:
    """The network whose weights LPIPS finds here: ``"alex"``, ``"vgg"`` or None.

    Looked for where torch keeps its downloads and where srlab does. A file
    that is not the one that torchvision publishes counts as missing.
    """
    return next((name for name in BACKBONES if _weights_file(name)), None)


def _weights_file(name: Backbone) -> Path | None:
    """The backbone's weights, if they are here and intact."""
    folders = Path(torch.hub.get_dir()) / "checkpoints", cache_folder() / "weights"
    files = [folder / BACKBONES[name] for folder in folders]
    return next((file for file in files if file.is_file() and _is_intact(file)), None)


def _is_intact(file: Path) -> bool:
    """Whether a file's SHA-256 begins as its name says."""
    status = file.stat()
    return _digest(file, status.st_size, status.st_mtime_ns).startswith(
        file.stem.split("-")[-1]
    )


@cache
def _digest(file: Path, _size: int, _changed: int) -> str:
    """SHA-256 of a file; read once as long as it does not change."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


@cache
def _lpips(name: Backbone, device: str) -> nn.Module | None:
    """LPIPS with its backbone; None, with a warning, if it cannot be loaded."""
    file = _weights_file(name)
    try:
        return place(_load_lpips(name, file), device) if file else None
    except Exception as error:  # a lab goes on without it
        why = f"{type(error).__name__}: {error}".splitlines()[0]
        warnings.warn(f"LPIPS is left out: {file} cannot be used ({why}).", stacklevel=3)
        return None


def _load_lpips(name: Backbone, file: Path) -> nn.Module:
    """torchmetrics' LPIPS with the backbone from the file, never from a download."""
    # Takes a second to import, so only those who need it wait.
    from torchmetrics.functional.image.lpips import _NoTrainLpips

    with torch.random.fork_rng(devices=[]):  # the network is made with random weights first
        network = _NoTrainLpips(net=name, pnet_rand=True)
    network.net.load_state_dict(_by_slice(network.net, torch.load(file, weights_only=True)))
    return network


def _by_slice(network: nn.Module, weights: Mapping[str, Tensor]) -> dict[str, Any]:
    """torchvision's ``features.3.weight`` under LPIPS' ``slice2.3.weight``."""
    return {name: weights[f"features.{name.split('.', 1)[1]}"] for name in network.state_dict()}
