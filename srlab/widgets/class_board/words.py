"""The class board's cards as rows of a table, as facts, and as CSV."""

import csv
import io
from collections.abc import Sequence
from typing import Any

from srlab.runcard import Change, RunCard, Stage, at_first_step, changes_while_running
from srlab.scoring import MEASURES, short
from srlab.widgets.class_board.cards import BoardRow, best_of
from srlab.widgets.class_board.settings import all_titles
from srlab.widgets.kit.lab import finite

TITLES = {**{key: measure.title for key, measure in MEASURES.items()},
          "name": "name", "steps": "steps", "seconds": "time"}  # fmt: skip
MOST_CHANGES = 8


def row_of(row: BoardRow, rank: int) -> dict[str, Any]:
    """A row of the table: numbers, and what kind of card it is."""
    return {
        "rank": rank,
        "name": row.name,
        "kind": row.kind,
        "figures": {key: _number(row.figure(key)) for key in MEASURES},
        "steps": row.card.steps,
        "time": "–" if row.recipe else minutes(row.card.seconds),
        "settings": {title: value for title, value in row.settings.items() if value},
    }


def best_rows(rows: list[BoardRow], bicubic: dict[str, float]) -> list[dict[str, Any]]:
    """Who is best by each measure, which way, and whether that beats bicubic."""
    found = []
    for key, measure in MEASURES.items():
        if row := best_of(rows, key):
            own = row.card.scores[key]
            beats = measure.order(own) < measure.order(bicubic[key])
            about = {"measure": key, "title": measure.title, "wanted": measure.wanted}
            said = {"own": measure.text(own), "bicubic": measure.text(bicubic[key])}
            found.append({**about, "name": row.name, **said, "beats": beats})
    return found


def opened(row: BoardRow) -> dict[str, Any]:
    """One card: what it trained, and how."""
    card = row.card
    facts = {
        "file": row.file, "network": _network(card), "begun from": card.start,
        "photographs": card.data, "seed": str(card.seed), "precision": card.precision,
        "device": card.device or "–", "training": minutes(card.seconds),
        "made by": ", ".join(f"{k} {v}" for k, v in card.versions.items()) or "–",
        "scores": ", ".join(f"{k} {short(v, 4)}" for k, v in card.scores.items()) or "none yet",
    }  # fmt: skip
    if row.doubt:
        facts["doubt"] = f"⚠ {row.doubt}"
    return {
        "name": row.name,
        "facts": list(facts.items()),
        "stages": [_stage_text(stage) for stage in card.stages],
    }


def to_csv(rows: Sequence[BoardRow]) -> str:
    """A line for each card, for a spreadsheet."""
    file = io.StringIO()
    facts = ("scale", "bicubic_psnr_y", "steps", "seconds", "device", "precision", "seed")
    writer = csv.writer(file)
    titles = all_titles([row.settings for row in rows])
    writer.writerow(["name", "file", "kind", *facts, *MEASURES, *titles, "doubt"])
    for row in rows:
        card = row.card
        trained = [row.settings.get(title, 0.0) for title in titles]
        values = [card.scale, card.scores.get("bicubic_psnr_y"), card.steps, card.seconds,
                  _harmless(card.device), card.precision, card.seed]  # fmt: skip
        figures = [row.figure(measure) for measure in MEASURES]
        name = [row.name, _harmless(row.file), row.kind]
        writer.writerow([*name, *values, *figures, *trained, row.doubt])
    return file.getvalue()


def minutes(seconds: float) -> str:
    """``45 s``, ``12 min`` or ``3.2 h``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _number(value: float | None) -> float | None:
    return None if value is None else finite(value)


def _stage_text(stage: Stage) -> str:
    """What a stage trained with, in a line."""
    start = at_first_step(stage)
    loss = " + ".join(
        f"{weight:g} · {name}" for name, weight in start.weights.items() if weight
    )
    if stage.features:
        layers = ", ".join(f"{n} {w:g}" for n, w in start.layers.items() if w)
        loss += f" (layers {layers}; {stage.features.weights})"
    changed = changes_while_running(stage)
    changes = "; ".join(map(_change_text, changed[:MOST_CHANGES]))
    if len(changed) > MOST_CHANGES:
        changes += f"; … and {len(changed) - MOST_CHANGES} more"
    return (
        f"×{stage.scale}, {stage.steps} steps of {stage.batch_size} crops of "
        f"{stage.hr_size} px, learning rate {start.learning_rate:g} ({stage.schedule}), "
        f"loss {loss}; changed while running: {changes or 'nothing'}"
    )


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


def _harmless(text: str) -> str:
    """Text that a spreadsheet takes for text: a file may be named like a formula."""
    return "'" + text if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
