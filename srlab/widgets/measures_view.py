"""What is measured of the shown pictures, as a table."""

import html
from collections.abc import Mapping

from torch import Tensor

from srlab.metrics import haarpsi, lpips_distance, mdsi, ridge, vgg_distance
from srlab.scoring import MEASURES, Measure, directions
from srlab.widgets.parts import TEXT

COLUMNS = {
    "psnr": MEASURES["psnr_y"],
    **{name: MEASURES[name] for name in ("sharpness", "checkerboard", "ridge")},
    **{name: MEASURES[name] for name in ("haarpsi", "mdsi")},
    "vgg": Measure("VGG distance", "lowest", "features of the VGG stand-in", 4),
    "lpips": Measure("LPIPS", "lowest", "features of a network, weighted by people", 3),
}
"""Name as the lab has it -> measure."""
NUMBER = "text-align: right; padding: 2px 10px; font-variant-numeric: tabular-nums;"
WORD = "text-align: left; padding: 2px 10px 2px 0; font-weight: normal;"

Measures = Mapping[str, float]


def slow_measures(sr: Tensor, hr: Tensor) -> dict[str, float]:
    """Those that take longer than a look; LPIPS where its weights are at hand.

    Args:
        sr, hr: ``(1, 3, h, w)``, RGB in [0, 1], at least 32 px on each side.
    """
    found = {
        "ridge": ridge(sr, hr).item(),
        "haarpsi": haarpsi(sr, hr).item(),
        "mdsi": mdsi(sr, hr).item(),
        "vgg": vgg_distance(sr, hr),
    }
    lpips = lpips_distance(sr, hr)
    return found if lpips is None else {**found, "lpips": lpips}


def measures_html(rows: Mapping[str, Measures], protocol: str) -> str:
    """A row for each picture, a column for each measure that is at hand."""
    names = [name for name in COLUMNS if any(name in row for row in rows.values())]
    head = "".join(
        f'<th scope="col" title="{COLUMNS[n].about}" style="{NUMBER}">{COLUMNS[n].title}</th>'
        for n in names
    )
    body = "".join(_row(name, measures, names) for name, measures in rows.items())
    last = list(rows.values())[-1]
    data = " ".join(f'data-{name}="{last[name]:.6g}"' for name in names if name in last)
    best = directions({name: COLUMNS[name] for name in names})
    missing = "" if "lpips" in names else " LPIPS: its weights are not at hand."
    return (
        f'<div class="srlab-measures" style="{TEXT} overflow-x: auto" {data}>'
        f'<table aria-label="Measures of the shown picture" style="border-collapse: collapse">'
        f"<thead><tr><td></td>{head}</tr></thead><tbody>{body}</tbody></table>"
        f"<small>{html.escape(protocol)}{missing} Best: {html.escape(best)}.</small></div>"
    )


def measures_line(measures: Measures) -> str:
    """The same of one picture, as text."""
    return ", ".join(
        f"{COLUMNS[name].title} {_text(name, measures)}" for name in COLUMNS if name in measures
    )


def _row(name: str, measures: Measures, names: list[str]) -> str:
    cells = "".join(f'<td style="{NUMBER}">{_text(n, measures)}</td>' for n in names)
    return f'<tr><th scope="row" style="{WORD}">{html.escape(name)}</th>{cells}</tr>'


def _text(name: str, measures: Measures) -> str:
    return COLUMNS[name].text(measures[name]) if name in measures else ""
