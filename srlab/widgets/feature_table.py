"""The feature explorer's numbers on the page: its status, and a table of pairs."""

import html
import math

from srlab.widgets.drawing import BLUE, ORANGE
from srlab.widgets.feature_pictures import TEXT
from srlab.widgets.feature_reading import FeatureReading

BAR = 76  # px, the longest
CELL = "text-align: left; vertical-align: top; padding: 2px 6px;"

Rows = dict[str, dict[str, float]]
"""What a photograph was compared with -> relative difference by layer."""


def status_html(reading: FeatureReading) -> str:
    """The reading as a sentence that screen readers announce, and as data."""
    data = {"mode": reading.mode, "photograph": reading.photograph}
    if reading.mode == "pair":
        shares = {name: f"{value:.4f}" for name, value in reading.differences.items()}
        data |= {"other": reading.other, **shares}
    else:
        data |= {"layer": reading.layer, "channel": str(reading.channel),
                 "mean": f"{reading.mean:.6g}", "max": f"{reading.max:.6g}",
                 "zeros": f"{reading.zeros:.4f}"}  # fmt: skip
    attributes = " ".join(f'data-{key}="{html.escape(text)}"' for key, text in data.items())
    return (
        f'<div class="srlab-feature-status" role="status" style="{TEXT}" {attributes}>'
        f"<b>{html.escape(str(reading))}</b></div>"
    )


def table_html(rows: Rows, chosen: str) -> str:
    """Relative differences as numbers and bars: a row for each pair looked at so far."""
    names = list(rows[chosen])
    head = "".join(f'<th scope="col" style="{CELL}">{html.escape(n)}</th>' for n in names)
    body = "".join(_row_html(other, rows, other == chosen) for other in rows)
    note = (
        "▲ what this column calls the most different of these"
        if len(rows) > 1
        else "Choose another one to compare: its row comes beside this one"
    )
    return (
        f'<div style="{TEXT} overflow-x: auto; white-space: nowrap">'
        f'<table aria-label="Relative difference, by what was compared and by layer">'
        f'<thead><tr><td style="{CELL}">relative difference</td>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
        f'<div style="{TEXT} margin-bottom: 8px">{note}; all bars on one scale.</div>'
    )


def _row_html(other: str, rows: Rows, chosen: bool) -> str:
    finite = [v for row in rows.values() for v in row.values() if math.isfinite(v)]
    top, weight = max(finite, default=0.0) or 1.0, "bold" if chosen else "normal"
    cells = ""
    for name, value in rows[other].items():
        worst = len(rows) > 1 and value == max(row[name] for row in rows.values())
        cells += _cell(value, min(value / top, 1.0), worst)
    head = f'<th scope="row" style="{CELL} font-weight: {weight}">{html.escape(other)}</th>'
    return f'<tr style="font-weight: {weight}">{head}{cells}</tr>'


def _cell(value: float, share: float, worst: bool) -> str:
    # the sign beside the number says the same without color
    color, sign = (ORANGE, "▲ ") if worst else (BLUE, "")
    bar = f"width: {BAR * share:.1f}px; height: 8px; background: {color}"
    return (
        f'<td style="{CELL} min-width: {BAR}px">{sign}{value:.3f}<div style="{bar}"></div></td>'
    )
