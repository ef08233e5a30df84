"""What is measured of the shown pictures, as a table."""

import html
from collections.abc import Mapping

from srlab.widgets.parts import TEXT

COLUMNS = {
    "psnr": ("PSNR, dB", ".2f"),
    "sharpness": ("sharpness (truth 1)", ".2f"),
    "checkerboard": ("checkerboard", ".3f"),
    "vgg": ("VGG distance", ".4f"),
    "lpips": ("LPIPS", ".3f"),
}
"""Measure -> its name on the page and its digits."""
NUMBER = "text-align: right; padding: 2px 10px; font-variant-numeric: tabular-nums;"
WORD = "text-align: left; padding: 2px 10px 2px 0; font-weight: normal;"

Measures = Mapping[str, float]


def measures_html(rows: Mapping[str, Measures], protocol: str) -> str:
    """A row for each picture, a column for each measure that is at hand.

    Source: built by srlab.
    """
    names = [name for name in COLUMNS if any(name in row for row in rows.values())]
    head = "".join(f'<th scope="col" style="{NUMBER}">{COLUMNS[n][0]}</th>' for n in names)
    body = "".join(_row(name, measures, names) for name, measures in rows.items())
    last = list(rows.values())[-1]
    data = " ".join(f'data-{name}="{last[name]:.6g}"' for name in names if name in last)
    missing = "" if "lpips" in names else " LPIPS: its weights are not at hand."
    return (
        f'<div class="srlab-measures" style="{TEXT}" {data}>'
        f'<table aria-label="Measures of the shown picture" style="border-collapse: collapse">'
        f"<thead><tr><td></td>{head}</tr></thead><tbody>{body}</tbody></table>"
        f"<small>{html.escape(protocol)}{missing}</small></div>"
    )


def measures_line(measures: Measures) -> str:
    """The same of one picture, as text."""
    return ", ".join(
        f"{COLUMNS[name][0]} {_text(name, measures)}" for name in COLUMNS if name in measures
    )


def _row(name: str, measures: Measures, names: list[str]) -> str:
    cells = "".join(f'<td style="{NUMBER}">{_text(n, measures)}</td>' for n in names)
    return f'<tr><th scope="row" style="{WORD}">{html.escape(name)}</th>{cells}</tr>'


def _text(name: str, measures: Measures) -> str:
    return format(measures[name], COLUMNS[name][1]) if name in measures else ""
