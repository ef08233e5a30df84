"""How many dB can you win without changing a pixel?"""

from typing import Any, get_args

from PIL import Image
from torch import Tensor
from traitlets import Dict, Enum, Int, List, Unicode

from srlab.data import crop_to_multiple, degrade, embedded_photo
from srlab.images import to_image
from srlab.metrics import Channels, Protocol
from srlab.require import require_one_of, require_scale
from srlab.widgets.kit.lab import Lab, given
from srlab.widgets.kit.pictures import tile
from srlab.widgets.metric_lab.reading import (
    CHANNEL_NAMES,
    RESAMPLERS,
    MeasuredPair,
    MetricReading,
    decibels,
    gap,
    own_pair,
    resample,
    signed,
)
from srlab.widgets.workbench import unseen_photos

MOST_SHAVE = 16
OWN = "your pictures"
LARGEST_SHOWN = 640  # px; one's own pictures may be large
HIDDEN = "?"


class MetricLab(Lab):
    """One pair of pictures, measured by every usual protocol.

    The page shows the figure of the published protocol, and of each other one
    as soon as it was chosen.

    Args:
        sr, hr: ``(1, 3, h, w)``, RGB in [0, 1]; without them, an embedded
            photograph that was reduced and enlarged again.
        scale: 2, 4 or 8; also the border of the published protocol, px.

    Raises:
        TypeError, ValueError: if only one picture is given, or the two
            differ in shape.

    Example:
        >>> lab = MetricLab()
        >>> lab.choose(channels="y", shave=4).delta
        0.0
    """

    view = Unicode("metric").tag(sync=True)
    channels = Enum(get_args(Channels), "y").tag(sync=True, setting=True)
    shave = Int(0, min=0, max=MOST_SHAVE).tag(sync=True, setting=True)
    resampler = Enum(RESAMPLERS, "bicubic").tag(sync=True, setting=True)
    photograph = Unicode("coffee-cup").tag(sync=True, setting=True)
    choices = Dict(help="setting -> [[value, text], ...]").tag(sync=True)
    numbers = Dict(help="of the chosen protocol, as they are written").tag(sync=True)
    borders = List(Int(), help="columns of the table, px").tag(sync=True)
    table = Dict(help="channels -> PSNR by border, '?' until it was chosen").tag(sync=True)
    said = Unicode(help="what is shown, in a sentence").tag(sync=True)
    sr = Dict().tag(sync=True)
    truth = Dict().tag(sync=True)

    def __init__(self, sr: Tensor | None = None, hr: Tensor | None = None, scale: int = 4):
        require_scale(scale)
        self.scale, self._own = scale, own_pair(sr, hr)
        self._photographs = [*([OWN] if self._own else []), *unseen_photos()]
        self._pairs: dict[tuple[str, str], MeasuredPair] = {}
        # The published protocol comes first; None: all are shown.
        self._tried: set[tuple[str, int]] | None = set()
        super().__init__(choices=self._choices())
        self.presses["reveal"] = self.reveal
        first = {"shave": scale, "photograph": OWN} if self._own else {"shave": scale}
        self._measure(**first)

    def choose(
        self,
        *,
        channels: Channels | None = None,
        shave: int | None = None,
        resampler: str | None = None,
        photograph: str | None = None,
    ) -> MetricReading:
        """Set any of the controls, and measure.

        Args:
            channels: ``"rgb"``, ``"y"`` (16–235) or ``"y-full"`` (0–255).
            shave: border that is left out, 0 to 16 px.
            resampler: ``"nearest"``, ``"bilinear"`` or ``"bicubic"``; how the
                small photograph was enlarged.
            photograph: name of an embedded one, or ``"your pictures"``.

        Returns:
            The figures that are shown.

        Raises:
            ValueError: for an unknown choice, or a picture too small for it.
        """
        named = given(channels=channels, resampler=resampler, photograph=photograph)
        known = {
            "channels": get_args(Channels), "resampler": RESAMPLERS,
            "photograph": self._photographs,
        }  # fmt: skip
        for name, value in named.items():
            require_one_of(value, known[name], name)
        if shave is not None and shave not in range(MOST_SHAVE + 1):
            raise ValueError(f"shave must be 0 to {MOST_SHAVE}, but got {shave!r}.")
        self._measure(**named, **given(shave=shave))
        return self.reading

    def reveal(self) -> None:
        """Show the figure of every protocol."""
        self._tried = None
        self._measure()

    def changed(self, name: str, value: Any) -> None:  # noqa: ARG002
        """Measure by the protocol that is chosen now."""
        try:
            self._measure()
        except ValueError as error:
            self.tell(error=f"{error}")

    def summary(self) -> str:
        return f"MetricLab: {self.said}"

    def _measure(self, **settings: Any) -> None:
        """Take over settings and show what they give; nothing, if that fails."""
        with self._sending:  # callbacks may come from any thread, so one measures at a time
            now = {**self.trait_values(setting=True), **settings}
            protocol = Protocol(now["channels"], now["shave"])
            pair = self._pair(now["photograph"], now["resampler"])
            self.reading = reading = pair.reading(protocol, self.scale)
            if self._tried is not None:
                self._tried.add((protocol.channels, protocol.shave))
            what = f"{now['resampler']} of {now['photograph']}"
            tiles = _tiles(pair, reading, OWN if pair is self._own else what)
            self.tell(error="", **now, **self._shown(reading), **tiles)

    def _pair(self, photograph: str, resampler: str) -> MeasuredPair:
        if photograph == OWN and self._own:
            return self._own
        key = photograph, resampler
        if key not in self._pairs:
            hr = crop_to_multiple(embedded_photo(photograph), self.scale)
            sr = resample(degrade(hr, self.scale), self.scale, resampler)
            self._pairs = {key: MeasuredPair(sr, hr)}  # one is enough to keep
        return self._pairs[key]

    def _shown(self, reading: MetricReading) -> dict[str, Any]:
        figures = self._figures(reading)
        seen = [v for row in figures.values() for v in row.values() if v is not None]
        numbers = {
            "channels": reading.protocol.channels,
            "shave": reading.protocol.shave,
            "psnr": decibels(reading.psnr),
            "ssim": f"{reading.ssim:.4f}",
            "published": decibels(reading.published),
            "delta": signed(reading.delta),
            "spread": decibels(gap(max(seen), min(seen))),
            "highest": decibels(max(seen)),
            "lowest": decibels(min(seen)),
            "seen": len(seen),
            "border": self.scale,
        }
        return {
            "borders": list(reading.table["y"]),
            "table": {
                channels: [HIDDEN if v is None else decibels(v) for v in row.values()]
                for channels, row in figures.items()
            },
            "numbers": numbers,
        }

    def _figures(self, reading: MetricReading) -> dict[str, dict[int, float | None]]:
        """The table, with None for what nobody has chosen yet."""
        return {
            channels: {
                border: value
                if self._tried is None or (channels, border) in self._tried
                else None
                for border, value in row.items()
            }
            for channels, row in reading.table.items()
        }

    def _choices(self) -> dict[str, list[Any]]:
        return {
            "channels": [[key, name] for key, name in CHANNEL_NAMES.items()],
            "resampler": list(RESAMPLERS),
            "photograph": self._photographs,
        }


def _tiles(pair: MeasuredPair, reading: MetricReading, what: str) -> dict[str, Any]:
    sr, hr = (_small(to_image(picture)) for picture in pair.looked_at(reading.protocol))
    return {
        "said": f"{what}, {reading.figures()}",
        "sr": tile(sr, what, f"{decibels(reading.psnr)} dB"),
        "truth": tile(hr, "truth", "∞ dB"),
    }


def _small(image: Image.Image) -> Image.Image:
    image.thumbnail((LARGEST_SHOWN, LARGEST_SHOWN))
    return image
