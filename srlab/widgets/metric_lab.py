"""How many dB can you win without changing a pixel?"""

import html
import math
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import torch.nn.functional as F
from ipywidgets import HTML, Dropdown, HBox, IntSlider, Layout, VBox
from PIL import Image
from torch import Tensor

from srlab.data import crop_to_multiple, degrade, embedded_photo, embedded_table
from srlab.images import to_image
from srlab.metrics import Channels, Protocol, psnr, shave, ssim
from srlab.models import enlarge
from srlab.require import require_batch, require_same_shape, require_scale
from srlab.widgets.parts import TEXT, LivePicture
from srlab.widgets.poster import PosterMixin, filmstrip, stack, text_lines
from srlab.widgets.slider_names import slider_names

CHANNEL_NAMES: dict[Channels, str] = {"rgb": "RGB", "y": "Y 16–235", "y-full": "Y 0–255"}
RESAMPLERS = ("nearest", "bilinear", "bicubic")
MOST_SHAVE = 16
OWN = "your pictures"
# Okabe–Ito, a quarter of it, so that text is read on light and on dark; the signs
# say the same without color.
BLUE, VERMILION = "rgb(0 114 178 / 25%)", "rgb(213 94 0 / 25%)"


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
        return _gap(self.psnr, self.published)

    @property
    def spread(self) -> float:
        """dB between the lowest and the highest protocol of the table."""
        figures = [value for row in self.table.values() for value in row.values()]
        return _gap(max(figures), min(figures))

    def figures(self) -> str:
        """PSNR and SSIM, with their protocol."""
        channels, border = CHANNEL_NAMES[self.protocol.channels], self.protocol.shave
        return f"{_db(self.psnr)} dB, SSIM {self.ssim:.4f} ({channels}, shave {border} px)"

    def __str__(self) -> str:
        return (
            f"{self.figures()}; "
            f"{_signed(self.delta)} dB against the published protocol; "
            f"{_db(self.spread)} dB between the lowest and the highest"
        )


class MetricLab(PosterMixin, VBox):  # type: ignore[misc]
    """One pair of pictures, measured by every usual protocol.

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

    def __init__(self, sr: Tensor | None = None, hr: Tensor | None = None, scale: int = 4):
        require_scale(scale)
        self._own = _own_pair(sr, hr)
        self.scale = scale
        # Callbacks may come from any thread, so one measures at a time.
        self._lock = threading.RLock()
        self._choosing = False
        super().__init__()
        self._build()
        self.choose()

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
        wanted = {
            self.channels: _known("channels", channels, get_args(Channels)),
            self.shave: _known("shave", shave, range(MOST_SHAVE + 1)),
            self.resampler: _known("resampler", resampler, RESAMPLERS),
            self.photograph: _known("photograph", photograph, self._photographs()),
        }
        with self._lock:
            self._choosing = True
            try:
                for control, value in wanted.items():
                    control.value = control.value if value is None else value
            finally:
                self._choosing = False
            self._measure()
            return self.reading

    def summary(self) -> str:
        return f"MetricLab: {self._what()}, {self.reading}"

    def poster(self) -> Image.Image:
        lines = [_row_text(name, row) for name, row in self.reading.table.items()]
        return stack(self._strip(720), text_lines([*_sentences(self), "", *lines]))

    def _build(self) -> None:
        self.channels = _control(Dropdown, "channels", "which values are compared")
        self.channels.options = [(name, key) for key, name in CHANNEL_NAMES.items()]
        self.channels.value = "y"
        self.shave = _control(IntSlider, "shave", "border that is left out, px")
        self.shave.max, self.shave.value = MOST_SHAVE, self.scale
        self.resampler = _control(
            Dropdown, "resampler", "how the small photograph was enlarged"
        )
        self.resampler.options, self.resampler.value = RESAMPLERS, "bicubic"
        self.photograph = _control(Dropdown, "photograph", "which picture is measured")
        self.photograph.options = self._photographs()
        self.photograph.value = OWN if self._own else "coffee-cup"
        self._status, self._alert, self._table, self._caption = HTML(), HTML(), HTML(), HTML()
        self._picture = LivePicture("metric-picture", "png")
        controls = [self.channels, self.shave, self.photograph, self.resampler]
        for control in controls:
            control.observe(self._on_change, "value")
        row = HBox(controls, layout=Layout(flex_flow="row wrap"))
        shown = [self._status, self._alert, self._table, self._picture, self._caption]
        self.children = [row, *shown, *slider_names()]
        self.add_class("srlab-metric-lab")

    def _photographs(self) -> list[str]:
        names = [Path(row["file"]).stem for row in embedded_table() if row["split"] != "train"]
        return [OWN, *names] if self._own else names

    def _on_change(self, _: Any) -> None:
        with self._lock:
            if self._choosing:  # several controls move; measured once, after the last
                return
            try:
                self._measure()
            except ValueError as error:
                self._alert.value = f'<p role="alert">{html.escape(str(error))}</p>'

    def _measure(self) -> None:
        sr, hr = self._pair()
        self.reading = measure(
            sr, hr, Protocol(self.channels.value, self.shave.value), self.scale
        )
        self.resampler.disabled = self.photograph.value == OWN
        self._alert.value = ""
        self._status.value = _status_html(self)
        self._table.value = _table_html(self.reading, self.scale)
        self._picture.show(self._strip(640, named=False), f"Two pictures. {self.reading}")
        self._caption.value = (
            f'<div style="{TEXT}">What is compared: left {html.escape(self._what())}, '
            f"{_db(self.reading.psnr)} dB; right the truth</div>"
        )

    def _pair(self) -> tuple[Tensor, Tensor]:
        if self.photograph.value == OWN and self._own:
            return self._own
        hr = crop_to_multiple(embedded_photo(self.photograph.value), self.scale)
        return resample(degrade(hr, self.scale), self.scale, self.resampler.value), hr

    def _strip(self, width: int, *, named: bool = True) -> Image.Image:
        """What the protocol looks at: both pictures in its channels, without border."""
        seen = [self.reading.protocol.apply(images) for images in self._pair()]
        images = [to_image(values.expand(-1, 3, -1, -1)) for values in seen]
        texts = [f"{self._what()}, {_db(self.reading.psnr)} dB", "truth"] if named else ["", ""]
        return filmstrip(list(zip(images, texts, strict=True)), width=width)

    def _what(self) -> str:
        if self.photograph.value == OWN:
            return OWN
        return f"{self.resampler.value} of {self.photograph.value}"


def measure(sr: Tensor, hr: Tensor, protocol: Protocol, scale: int) -> MetricReading:
    """Measure one pair by ``protocol``, and by the others for comparison.

    Args:
        sr, hr: ``(1, 3, h, w)``, RGB in [0, 1].
        protocol: the chosen one.
        scale: border of the published protocol, px.

    Raises:
        ValueError: if the shapes differ, or too little is left of the
            pictures.
    """
    _require_room(hr, max(protocol.shave, scale))
    similar = ssim(protocol.apply(sr), protocol.apply(hr)).item()
    borders = sorted({0, 2, 4, 8, 16, scale, protocol.shave})
    # Too much border would leave nothing to compare.
    borders = [border for border in borders if 2 * border < min(hr.shape[-2:])]
    table = {channels: _row(sr, hr, channels, borders) for channels in CHANNEL_NAMES}
    chosen = table[protocol.channels][protocol.shave]
    return MetricReading(protocol, chosen, similar, table["y"][scale], table)


def resample(lr: Tensor, scale: int, resampler: str) -> Tensor:
    """Enlarge without learning: ``"nearest"``, ``"bilinear"`` or ``"bicubic"``."""
    if resampler == "bicubic":
        return enlarge(lr, scale)
    return F.interpolate(lr, scale_factor=scale, mode=resampler)


def _row(sr: Tensor, hr: Tensor, channels: Channels, borders: list[int]) -> dict[int, float]:
    whole = Protocol(channels, 0)
    values = whole.apply(sr), whole.apply(hr)
    return {n: psnr(shave(values[0], n), shave(values[1], n)).item() for n in borders}


def _require_room(hr: Tensor, border: int) -> None:
    """Raise unless the protocol, or the published one, leaves some pixels."""
    height, width = hr.shape[-2:]
    if min(height, width) <= 2 * border:
        raise ValueError(
            f"The pictures are {height} x {width} px, so a border of {border} px leaves "
            f"nothing to compare; take larger pictures."
        )


def _own_pair(sr: Tensor | None, hr: Tensor | None) -> tuple[Tensor, Tensor] | None:
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
    return sr.detach().cpu(), hr.detach().cpu()


def _known(name: str, value: Any, choices: Any) -> Any:
    """``value``, if it is None or one of ``choices``."""
    if value is not None and value not in choices:
        wanted = f"0 to {MOST_SHAVE}" if name == "shave" else f"one of {', '.join(choices)}"
        raise ValueError(f"{name} must be {wanted}, but got {value!r}.")
    return value


def _control(kind: type[Any], name: str, tip: str) -> Any:
    control = kind(description=name.capitalize(), tooltip=tip)
    control.add_class(f"srlab-{name}")
    return control


def _gap(high: float, low: float) -> float:
    """The difference in dB; 0 for equal figures, infinite ones too."""
    return 0.0 if high == low else high - low


def _db(value: float) -> str:
    return "∞" if math.isinf(value) else f"{value:.2f}"


def _signed(value: float) -> str:
    text = f"{value:+z.2f}"  # z: never -0.00
    return text.replace("-", "−").replace("inf", "∞")


def _sentences(lab: MetricLab) -> list[str]:
    reading = lab.reading
    return [
        f"{lab._what()}: {reading.figures()}",
        f"{_signed(reading.delta)} dB against the published protocol "
        f"({CHANNEL_NAMES['y']}, shave {lab.scale} px: {_db(reading.published)} dB).",
        f"{_db(reading.spread)} dB between the lowest and the highest protocol, "
        f"and not a pixel has changed.",
    ]


def _status_html(lab: MetricLab) -> str:
    first, *others = (html.escape(line) for line in _sentences(lab))
    reading = lab.reading
    data = {
        "psnr": f"{reading.psnr:.2f}",
        "ssim": f"{reading.ssim:.4f}",
        "delta": f"{reading.delta:.2f}",
        "channels": reading.protocol.channels,
        "shave": reading.protocol.shave,
    }
    attributes = " ".join(f'data-{name}="{value}"' for name, value in data.items())
    return (
        f'<div class="srlab-metric-status" role="status" style="{TEXT}" {attributes}>'
        f"<b>{first}</b><br>{'<br>'.join(others)}</div>"
    )


def _table_html(reading: MetricReading, scale: int) -> str:
    figures = [value for row in reading.table.values() for value in row.values()]
    borders = next(iter(reading.table.values()))
    head = "".join(
        f'<th scope="col" style="text-align: right; padding: 2px 8px">{border} px</th>'
        for border in borders
    )
    body = ""
    for channels, row in reading.table.items():
        cells = ""
        for border, value in row.items():
            chosen = Protocol(channels, border) == reading.protocol
            published = Protocol(channels, border) == Protocol("y", scale)
            cells += _cell(value, min(figures), max(figures), chosen, published)
        name = f'<th scope="row" style="text-align: left">{CHANNEL_NAMES[channels]}</th>'
        body += f"<tr>{name}{cells}</tr>"
    return (
        f'<div style="{TEXT} overflow-x: auto; white-space: nowrap">'
        f'<table aria-label="PSNR in dB, by channels and by border left out">'
        f"<thead><tr><td>PSNR, dB</td>{head}</tr></thead><tbody>{body}</tbody></table></div>"
        f'<div style="{TEXT}">▲ highest, ▼ lowest; framed: chosen; underlined: published</div>'
    )


def _cell(value: float, low: float, high: float, chosen: bool, published: bool) -> str:
    ground, sign = "none", ""
    if low < high and value in (low, high):
        ground, sign = (BLUE, "▲ ") if value == high else (VERMILION, "▼ ")
    frame = "outline: 2px solid currentColor; outline-offset: -2px;" if chosen else ""
    line = "text-decoration: underline;" if published else ""
    weight = "font-weight: bold;" if sign else ""
    style = f"background: {ground}; text-align: right; padding: 2px 8px; {frame}{line}{weight}"
    return f'<td style="{style}">{sign}{_db(value)}</td>'


def _row_text(channels: Channels, row: dict[int, float]) -> str:
    figures = ", ".join(f"{_db(value)} ({border} px)" for border, value in row.items())
    return f"{CHANNEL_NAMES[channels]}: {figures}"
