"""The skip explorer's numbers on the page: its status, captions, and a table."""

import html
from collections.abc import Mapping

from srlab.widgets.drawing import BLUE, ORANGE
from srlab.widgets.parts import TEXT
from srlab.widgets.skip_reading import Quality, QualityChange, SkipReading
from srlab.widgets.unet_drawing import MUTED

BAR = 150  # px, the longest
CELL = "text-align: left; vertical-align: top; padding: 2px 12px 2px 0;"

Alone = Mapping[str, QualityChange]
"""Skip -> what muting it alone changes; and ``all skips``."""


def signed(value: float, digits: int) -> str:
    """A change with its sign; never a minus before zero."""
    return f"{value:+z.{digits}f}".replace("-", "−")


def change_text(change: QualityChange) -> str:
    """A change in words: ``−0.52 dB, sharpness −0.110``."""
    return f"{signed(change['psnr'], 2)} dB, sharpness {signed(change['sharpness'], 3)}"


def quality_html(name: str, quality: Quality, change: QualityChange | None = None) -> str:
    """What stands beneath a picture."""
    psnr, sharp = (
        (f" ({signed(change['psnr'], 2)})", f" ({signed(change['sharpness'], 3)})")
        if change
        else ("", "")
    )
    return _caption(
        name, f"{quality.psnr:.2f} dB{psnr}", f"sharpness {quality.sharpness:.3f}{sharp}"
    )


def carried_html(reading: SkipReading) -> str:
    """What stands beneath the amplified difference."""
    return _caption(
        "carried", f"as trained − now, × {reading.factor}",
        f"mean {reading.difference:.2f} of 255; gray: none",
    )  # fmt: skip


def status_html(reading: SkipReading, note: str = "") -> str:
    """The reading as sentences that screen readers announce, and as data."""
    now, change = reading.qualities["now"], reading.change
    data: dict[str, str | int] = {
        "photograph": reading.photograph,
        "psnr": f"{now.psnr:.4f}",
        "sharpness": f"{now.sharpness:.4f}",
        "psnr-change": f"{change['psnr']:.4f}",
        "sharpness-change": f"{change['sharpness']:.4f}",
        "amplified": reading.factor,
    }
    data |= {f"gain-{level}": f"{gain:.2f}" for level, gain in enumerate(reading.gains, 1)}
    attributes = " ".join(f'data-{k}="{html.escape(str(v))}"' for k, v in data.items())
    more = f"<br>{html.escape(note)}" if note else ""
    return (
        f'<div class="srlab-skip-status" role="status" style="{TEXT}" {attributes}>'
        f"<b>{html.escape(str(reading))}</b>{more}</div>"
    )


def table_html(alone: Alone, photograph: str) -> str:
    """Muting each skip alone, as numbers and bars."""
    head = "".join(
        f'<th scope="col" style="{CELL} min-width: {BAR}px">{name}</th>'
        for name in ("change of PSNR, dB", "change of sharpness")
    )
    title = f"Muted alone, against as trained, {photograph}"
    body = "".join(_row(name, alone) for name in alone)
    return (
        f'<div style="{TEXT} overflow-x: auto"><table aria-label="{html.escape(title)}">'
        f'<thead><tr><th scope="col" style="{CELL}">muted alone</th>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def rows_text(alone: Alone) -> list[str]:
    """The table as lines of text."""
    return [f"{name} muted: {change_text(change)}" for name, change in alone.items()]


def mute_label(name: str, gain: float) -> str:
    """What a skip's button does."""
    return f"Restore {name}" if gain < MUTED else f"Mute {name}"


def _caption(name: str, *lines: str) -> str:
    text = "<br>".join(html.escape(line) for line in lines)
    return f'<div style="{TEXT}"><b>{html.escape(name)}</b><br>{text}</div>'


def _row(name: str, alone: Alone) -> str:
    cells = "".join(
        _cell(alone[name][what], max(abs(change[what]) for change in alone.values()), digits)
        for what, digits in (("psnr", 2), ("sharpness", 3))
    )
    head = f'<th scope="row" style="{CELL} font-weight: normal">{html.escape(name)}</th>'
    return f"<tr>{head}{cells}</tr>"


def _cell(value: float, largest: float, digits: int) -> str:
    """A change and its bar; the sign says without color which way it goes."""
    color = BLUE if value > 0 else ORANGE
    width = BAR * abs(value) / largest if largest else 0.0
    bar = f"width: {width:.1f}px; height: 8px; background: {color}"
    return f'<td style="{CELL}">{signed(value, digits)}<div style="{bar}"></div></td>'
