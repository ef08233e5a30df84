"""What each usual protocol says of one pair of pictures."""

import math
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from srlab.metrics import Channels, Protocol, psnr, shave, ssim, ssim_map
from srlab.models import enlarge
from srlab.require import require_batch, require_same_shape

CHANNEL_NAMES: dict[Channels, str] = {"rgb": "RGB", "y": "Y 16–235", "y-full": "Y 0–255"}
RESAMPLERS = ("nearest", "bilinear", "bicubic")
USUAL_BORDERS = (0, 2, 4, 8, 16)
OUTSIDE = 0.3
"""How bright the border that a protocol leaves out is shown."""

Table = dict[Channels, dict[int, float]]
"""PSNR in dB by channels and by shave."""


@dataclass(frozen=True)
class MetricReading:
    """What one protocol says of two pictures.

    Args:
        protocol: by which it was measured.
        psnr, published: dB, by this protocol and by the published one.
        ssim: by this protocol.
        table: PSNR by every protocol of the table, same pictures.
    """

    protocol: Protocol
    psnr: float
    ssim: float
    published: float
    table: Table

    @property
    def delta(self) -> float:
        """dB won over the published protocol, by protocol alone."""
        return gap(self.psnr, self.published)

    @property
    def spread(self) -> float:
        """dB between the lowest and the highest protocol of the table."""
        figures = [value for row in self.table.values() for value in row.values()]
        return gap(max(figures), min(figures))

    def figures(self) -> str:
        """PSNR and SSIM, with their protocol."""
        channels, border = CHANNEL_NAMES[self.protocol.channels], self.protocol.shave
        return f"{decibels(self.psnr)} dB, SSIM {self.ssim:.4f} ({channels}, shave {border} px)"

    def __str__(self) -> str:
        return (
            f"{self.figures()}; "
            f"{signed(self.delta)} dB against the published protocol; "
            f"{decibels(self.spread)} dB between the lowest and the highest"
        )


class MeasuredPair:
    """One pair of pictures; what was measured once is kept.

    Args:
        sr, hr: ``(1, 3, h, w)``, RGB in [0, 1].
    """

    def __init__(self, sr: Tensor, hr: Tensor):
        self.sr, self.hr = sr, hr
        self._values: dict[Channels, tuple[Tensor, Tensor]] = {}
        self._psnr: dict[tuple[Channels, int], float] = {}
        self._similar: dict[Channels, Tensor] = {}

    def reading(self, protocol: Protocol, scale: int) -> MetricReading:
        """Measure by ``protocol``, and by the usual ones for comparison.

        Args:
            protocol: the chosen one.
            scale: border of the published protocol, px.

        Raises:
            ValueError: if the shapes differ, or too little is left of the
                pictures.
        """
        _require_room(self.hr, max(protocol.shave, scale))
        similar = self.ssim(protocol)
        borders = sorted({*USUAL_BORDERS, scale, protocol.shave})
        # Too much border would leave nothing to compare.
        borders = [border for border in borders if 2 * border < min(self.hr.shape[-2:])]
        table = {
            channels: {border: self.psnr(channels, border) for border in borders}
            for channels in CHANNEL_NAMES
        }
        chosen = table[protocol.channels][protocol.shave]
        return MetricReading(protocol, chosen, similar, table["y"][scale], table)

    def psnr(self, channels: Channels, border: int) -> float:
        """PSNR in dB by one protocol."""
        key = channels, border
        if key not in self._psnr:
            seen = [shave(values, border) for values in self.values(channels)]
            self._psnr[key] = psnr(*seen).item()
        return self._psnr[key]

    def ssim(self, protocol: Protocol) -> float:
        """By one protocol; a map serves every border, since making one takes longest."""
        channels, border = protocol.channels, protocol.shave
        sr, hr = self.values(channels)
        if min(hr.shape[-2:]) - 2 * border < 11:
            return ssim(shave(sr, border), shave(hr, border)).item()  # says what is wrong
        if channels not in self._similar:
            self._similar[channels] = ssim_map(sr, hr)
        return shave(self._similar[channels], border).mean().item()

    def values(self, channels: Channels) -> tuple[Tensor, Tensor]:
        """What is compared, border included, ``(1, 1 or 3, h, w)`` each."""
        if channels not in self._values:
            whole = Protocol(channels, 0)
            self._values[channels] = whole.apply(self.sr), whole.apply(self.hr)
        return self._values[channels]

    def looked_at(self, protocol: Protocol) -> list[Tensor]:
        """Both pictures as the protocol sees them; the border it leaves out is dark."""
        return [_with_dark_border(v, protocol.shave) for v in self.values(protocol.channels)]


def resample(lr: Tensor, scale: int, resampler: str) -> Tensor:
    """Enlarge without learning: ``"nearest"``, ``"bilinear"`` or ``"bicubic"``."""
    if resampler == "bicubic":
        return enlarge(lr, scale)
    return F.interpolate(lr, scale_factor=scale, mode=resampler)


def own_pair(sr: Tensor | None, hr: Tensor | None) -> MeasuredPair | None:
    """The reader's two pictures, if any.

    Raises:
        TypeError, ValueError: if only one is given, or the two differ in shape.
    """
    if sr is None and hr is None:
        return None
    if sr is None or hr is None:
        raise TypeError("MetricLab takes sr and hr together, or neither; give both pictures.")
    require_batch(sr, "sr")
    require_batch(hr, "hr")
    require_same_shape(sr, hr)
    if hr.shape[:2] != (1, 3):
        raise ValueError(
            f"hr has shape {tuple(hr.shape)}, but (1, 3, h, w) was expected; "
            f"pick one picture of a batch with hr[:1]."
        )
    return MeasuredPair(sr.detach().cpu(), hr.detach().cpu())


def gap(high: float, low: float) -> float:
    """The difference in dB; 0 for equal figures, infinite ones too."""
    return 0.0 if high == low else high - low


def decibels(value: float) -> str:
    """For people, two digits."""
    return "∞" if math.isinf(value) else f"{value:.2f}"


def signed(value: float) -> str:
    """With its sign, two digits."""
    text = f"{value:+z.2f}"  # z: never -0.00
    return text.replace("-", "−").replace("inf", "∞")


def _with_dark_border(values: Tensor, border: int) -> Tensor:
    height, width = values.shape[-2:]
    shown = values.expand(-1, 3, -1, -1) * OUTSIDE
    inside = ..., slice(border, height - border), slice(border, width - border)
    shown[inside] = values.expand(-1, 3, -1, -1)[inside]
    return shown


def _require_room(hr: Tensor, border: int) -> None:
    """Raise unless the protocol, or the published one, leaves some pixels."""
    height, width = hr.shape[-2:]
    if min(height, width) <= 2 * border:
        raise ValueError(
            f"The pictures are {height} x {width} px, so a border of {border} px leaves "
            f"nothing to compare; take larger pictures."
        )
