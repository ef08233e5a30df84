"""The ledger of a loss on the page: a table of its terms, with bars."""

import html
from collections.abc import Mapping
from dataclasses import replace

from srlab.losses import Entry
from srlab.widgets.drawing import BLUE, GREEN, ORANGE, PINK
from srlab.widgets.parts import TEXT

TERM_COLORS = {"pixel": BLUE, "content": ORANGE, "style": PINK, "tv": GREEN}
"""One Okabe-Ito color for each term, wherever it appears."""

ROW, HEAD = 32, 26  # px; a row is as high as a slider, which stands beside it
BAR = 96  # px, for the whole gradient
COLUMNS = ("term", "weight", "raw", "weighted", "share of the gradient")
NUMBER = (
    "text-align: right; padding: 0 6px; min-width: 54px; font-variant-numeric: tabular-nums;"
)
WORD = "text-align: left; padding: 0 6px;"


def reweighed(ledger: Mapping[str, Entry], weights: Mapping[str, float]) -> dict[str, Entry]:
    """The same ledger with other weights of the terms.

    Neither raw values nor unweighted gradients depend on them, so a slider's
    move needs no network to be seen.

    Example:
        >>> ledger = {"pixel": Entry(1.0, 0.1, 2.0, 1.0), "tv": Entry(0.0, 0.4, 6.0, 0.0)}
        >>> reweighed(ledger, {"pixel": 1.0, "tv": 1.0})["tv"].share
        0.75
    """
    pulls = {name: weights[name] * entry.pull for name, entry in ledger.items()}
    total = sum(pulls.values())
    return {
        name: replace(entry, weight=weights[name], share=pulls[name] / total if total else 0.0)
        for name, entry in ledger.items()
    }


def ledger_html(ledger: Mapping[str, Entry]) -> str:
    """The ledger as a table; a row for each term."""
    styles = [WORD, NUMBER, NUMBER, NUMBER, WORD]
    head = "".join(
        f'<th scope="col" style="{style}">{name}</th>'
        for name, style in zip(COLUMNS, styles, strict=True)
    )
    rows = "".join(_row(name, entry) for name, entry in ledger.items())
    shares = " ".join(f'data-share-{n}="{e.share:.6f}"' for n, e in ledger.items())
    return (
        f'<div class="srlab-ledger-numbers" style="{TEXT} white-space: nowrap" {shares}>'
        f'<table aria-label="Ledger: what each term of the loss adds, and how hard it pulls" '
        f'style="border-collapse: collapse">'
        f'<thead><tr style="height: {HEAD}px">{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def ledger_lines(ledger: Mapping[str, Entry]) -> list[str]:
    """The ledger as a line of text for each term."""
    return [
        f"{name}: weight {shown_weight(entry.weight)}, raw {entry.raw:.4f}, "
        f"weighted {_short(entry.weighted)}, {_percent(entry.share)} of the gradient"
        for name, entry in ledger.items()
    ]


def swatch(name: str) -> str:
    """A square in a term's color."""
    return f'<span aria-hidden="true" style="color: {TERM_COLORS[name]}">■</span>'


def shown_weight(weight: float) -> str:
    """A weight as people read it; 0 is off."""
    return f"{weight:.3g}" if weight else "off"


def _row(name: str, entry: Entry) -> str:
    head = (
        f'<th scope="row" style="{WORD} font-weight: normal">'
        f"{swatch(name)} {html.escape(name)}</th>"
    )
    numbers = (shown_weight(entry.weight), f"{entry.raw:.4f}", _short(entry.weighted))
    cells = "".join(f'<td style="{NUMBER}">{number}</td>' for number in numbers)
    return f'<tr style="height: {ROW}px">{head}{cells}{_bar(name, entry.share)}</tr>'


def _bar(name: str, share: float) -> str:
    """A share as a bar and, in a column of its own width, a number."""
    return (
        f'<td style="{WORD}"><span style="display: inline-block; width: {BAR}px; '
        f'vertical-align: middle">'
        f'<span aria-hidden="true" style="display: block; height: 14px; '
        f'width: {100 * share:.1f}%; background: {TERM_COLORS[name]}"></span></span> '
        f'<span style="display: inline-block; min-width: 44px; text-align: right; '
        f'font-variant-numeric: tabular-nums">{_percent(share)}</span></td>'
    )


def _percent(share: float) -> str:
    percent = 100 * share
    return f"{percent:.0f} %" if percent >= 0.5 or not percent else "< 1 %"


def _short(value: float) -> str:
    return f"{value:.4f}" if value >= 5e-5 or not value else f"{value:.1e}"
