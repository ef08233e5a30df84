"""The class board's cards as a table, as sentences, and as CSV."""

import csv
import html
import io
from collections.abc import Mapping, Sequence

from srlab.runcard import Change, RunCard, Stage, at_first_step, changes_while_running
from srlab.scoring import MEASURES, directions, short
from srlab.widgets.board_cards import BoardRow, best_of
from srlab.widgets.board_settings import all_titles, shown_titles
from srlab.widgets.parts import TEXT

# Okabe-Ito's blue, a quarter of it; the sign beside it says the same without color
TINT = "rgb(0 114 178 / 25%)"
CELL = "padding: 2px 6px; white-space: nowrap;"
TEXT_CELL = "padding: 2px 8px; text-align: left;"
TITLES = {**{key: measure.title for key, measure in MEASURES.items()},
          "name": "name", "steps": "steps", "seconds": "time"}  # fmt: skip
COLUMNS = ("name", *MEASURES, "steps", "seconds")
MOST_SENTENCES = 8


def table_html(
    rows: Sequence[BoardRow],
    first: int,
    everybody: list[BoardRow],
    bicubic: Mapping[str, float],
    by: str,
) -> str:
    """Some rows as a table, bicubic above them.

    Args:
        rows: those that are shown.
        first: the rank of the first of them.
        everybody: all of this scale, to find the best.
        bicubic: measure -> figure.
        by: what they are sorted by.
    """
    best = {measure: best_of(everybody, measure) for measure in MEASURES}
    settings = shown_titles([row.settings for row in everybody])
    head = "".join(_head(column, TITLES[column], column == by) for column in COLUMNS)
    head += "".join(_head(title, title) for title in settings)
    body = _bicubic_row(bicubic, len(settings))
    for rank, row in enumerate(rows, first):
        body += _row_html(row, rank, best, settings)
    return (
        f'<div style="{TEXT} overflow-x: auto">'
        f'<table aria-label="Run cards by {TITLES[by]}" style="border-collapse: collapse">'
        f'<thead><tr><th scope="col" style="{CELL}">#</th>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
        f'<div style="{TEXT}">▲ best of its column: {directions()} (a blur draws no grid and '
        f"no ridge either). PSNR in dB. ⚠ not comparable: see below. Weights, layers and "
        f"learning rate are those at the first step of the last stage; – is off. Where "
        f"something was changed while running they did not stay so: open the card.</div>"
    )


def best_html(rows: list[BoardRow], bicubic: Mapping[str, float]) -> str:
    """Who is best by each measure, in words."""
    items = ""
    for measure, about in MEASURES.items():
        if row := best_of(rows, measure):
            own, plain = about.text(row.figure(measure)), about.text(bicubic[measure])
            items += (
                f"<li>{about.title}, {about.wanted}: <b>{html.escape(row.name)}</b> "
                f"{own} (bicubic {plain})</li>"
            )
    return f'<ul style="{TEXT} margin: 4px 0; padding-left: 20px">{items}</ul>'


def sentences_html(title: str, sentences: Sequence[str], role: str = "") -> str:
    """A list of sentences; of many only the last, and how many there are."""
    if not sentences:
        return ""
    left = len(sentences) - MOST_SENTENCES
    shown = "".join(f"<li>{html.escape(text)}</li>" for text in sentences[-MOST_SENTENCES:])
    more = f"<li>… and {left} more before these</li>" if left > 0 else ""
    spoken = f' role="{role}"' if role else ""
    return (
        f'<div{spoken} style="{TEXT}"><b>{html.escape(title)}</b>'
        f'<ul style="margin: 0; padding-left: 20px">{more}{shown}</ul></div>'
    )


def card_html(row: BoardRow) -> str:
    """One card opened: what it trained, and how."""
    card = row.card
    facts = {
        "file": row.file, "network": _network(card), "begun from": card.start,
        "photographs": card.data, "seed": str(card.seed), "precision": card.precision,
        "device": card.device or "–", "training": minutes(card.seconds),
        "made by": ", ".join(f"{k} {v}" for k, v in card.versions.items()) or "–",
        "scores": ", ".join(f"{k} {short(v, 4)}" for k, v in card.scores.items()),
    }  # fmt: skip
    if row.doubt:
        facts["doubt"] = f"⚠ {row.doubt}"
    lines = "".join(
        f'<tr><th scope="row" style="{CELL} text-align: left">{name}</th>'
        f'<td style="{TEXT_CELL}">{html.escape(text)}</td></tr>'
        for name, text in facts.items()
    )
    return (
        f'<div class="srlab-card" data-card="{html.escape(row.name)}" style="{TEXT}">'
        f"<b>{html.escape(row.name)}</b>"
        f'<table aria-label="The card {html.escape(row.name)}">{lines}</table>'
        f"{_stages_html(card)}</div>"
    )


def to_csv(rows: Sequence[BoardRow]) -> str:
    """A line for each card, for a spreadsheet."""
    file = io.StringIO()
    facts = ("scale", "bicubic_psnr_y", "steps", "seconds", "device", "precision", "seed")
    writer = csv.writer(file)
    titles = all_titles([row.settings for row in rows])
    writer.writerow(["name", "file", *facts, *MEASURES, *titles, "doubt"])
    for row in rows:
        card = row.card
        trained = [row.settings.get(title, 0.0) for title in titles]
        values = [card.scale, card.scores.get("bicubic_psnr_y"), card.steps, card.seconds,
                  _harmless(card.device), card.precision, card.seed]  # fmt: skip
        figures = [row.figure(measure) for measure in MEASURES]
        name = [row.name, _harmless(row.file)]
        writer.writerow([*name, *values, *figures, *trained, row.doubt])
    return file.getvalue()


def minutes(seconds: float) -> str:
    """``45 s``, ``12 min`` or ``3.2 h``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _head(column: str, title: str, chosen: bool = False) -> str:
    align = "left" if column == "name" else "right"
    order = ' aria-sort="other"' if chosen else ""
    sign = " ▾" if chosen else ""
    tip = f' title="{MEASURES[column].about}"' if column in MEASURES else ""
    return f'<th scope="col"{order}{tip} style="{CELL} text-align: {align}">{title}{sign}</th>'


def _bicubic_row(bicubic: Mapping[str, float], settings: int) -> str:
    figures = [short(bicubic[key], about.digits) for key, about in MEASURES.items()]
    cells = "".join(_cell(text) for text in (*figures, "–", "–", *["–"] * settings))
    return (
        f'<tr style="border-bottom: 1px solid">{_cell("")}<th scope="row" style="{CELL} '
        f'text-align: left; font-weight: normal"><i>bicubic</i></th>{cells}</tr>'
    )


def _row_html(
    row: BoardRow, rank: int, best: Mapping[str, BoardRow | None], settings: Sequence[str]
) -> str:
    figures = ""
    for key, about in MEASURES.items():
        figures += _cell(short(row.figure(key), about.digits), best=row is best[key])
    trained = "".join(_cell(_setting_text(row.settings.get(title, 0.0))) for title in settings)
    doubt = "⚠ " if row.doubt else ""
    return (
        f'<tr>{_cell(str(rank))}<th scope="row" style="{CELL} text-align: left">'
        f"{doubt}{html.escape(_shortened(row.name))}</th>{figures}"
        f"{_cell(str(row.card.steps))}{_cell(minutes(row.card.seconds))}{trained}</tr>"
    )


def _setting_text(value: float) -> str:
    return f"{value:.4g}" if value else "–"


def _cell(text: str, *, best: bool = False) -> str:
    mark = f"background: {TINT}; font-weight: bold;" if best else ""
    return f'<td style="{CELL} text-align: right; {mark}">{"▲ " if best else ""}{text}</td>'


def _stages_html(card: RunCard) -> str:
    titles = ("stage", "scale", "crop", "batch", "steps", "learning rate", "loss", "changes")
    head = "".join(f'<th scope="col" style="{CELL} text-align: left">{t}</th>' for t in titles)
    body = ""
    for number, stage in enumerate(card.stages, 1):
        texts = (str(number), *_stage_texts(stage))
        cells = "".join(
            f'<td style="padding: 2px 8px; text-align: left">{html.escape(t)}</td>'
            for t in texts
        )
        body += f"<tr>{cells}</tr>"
    return (
        f'<table aria-label="Its stages"><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table>"
    )


def _stage_texts(stage: Stage) -> list[str]:
    start = at_first_step(stage)
    loss = " + ".join(
        f"{weight:g} · {name}" for name, weight in start.weights.items() if weight
    )
    if stage.features:
        layers = ", ".join(f"{n} {w:g}" for n, w in start.layers.items() if w)
        loss += f" (layers {layers}; {stage.features.weights})"
    changed = changes_while_running(stage)
    changes = "; ".join(map(_change_text, changed[:MOST_SENTENCES]))
    if len(changed) > MOST_SENTENCES:
        changes += f"; … and {len(changed) - MOST_SENTENCES} more"
    return [
        f"×{stage.scale}", f"{stage.hr_size} px", str(stage.batch_size), str(stage.steps),
        f"{start.learning_rate:g}, {stage.schedule}", loss, changes or "none",
    ]  # fmt: skip


def _change_text(change: Change) -> str:
    new = {str(term): weight for term, weight in change.weights.items()} | change.layers
    if change.learning_rate:
        new["learning rate"] = change.learning_rate
    values = ", ".join(f"{name} {value:g}" for name, value in new.items())
    return f"after {change.after} steps: {values}"


def _network(card: RunCard) -> str:
    model = card.model.model_dump()
    kind = model.pop("kind")
    return f"{kind}: " + ", ".join(f"{k.replace('_', ' ')} {v}" for k, v in model.items())


def _shortened(name: str, most: int = 32) -> str:
    return name if len(name) <= most else name[: most - 1] + "…"


def _harmless(text: str) -> str:
    """Text that a spreadsheet takes for text: a file may be named like a formula."""
    return "'" + text if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
