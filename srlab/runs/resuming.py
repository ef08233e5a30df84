"""Whether a stopped training belongs to the card that shall go on, and what to do if not."""

import csv
import hashlib
from pathlib import Path
from typing import Any

from srlab.checkpoints import Checkpoint, load_checkpoint
from srlab.machine import require_device, usable_threads
from srlab.runcard import WRITTEN, RunCard, on_one_line, parse_card, place_of
from srlab.runs.photographs import LIST, RunPhotos
from srlab.zoo import find_checkpoint

LAST = "last.safetensors"
FINISHED = "model.safetensors"


def read_last(out: Path, card: RunCard) -> tuple[RunCard, Checkpoint]:
    """The card to go on with and the checkpoint, from ``last.safetensors`` in a folder.

    Raises:
        ValueError: if it is damaged or belongs to another card than ``card``.
    """
    kept = load_checkpoint(out / LAST)
    saved = parse_card(kept.card, str(out / LAST))
    require_same_card(saved, card, out)
    if kept.step > saved.steps:
        raise ValueError(
            f"{out / LAST} says that {kept.step} steps were done, but its card has "
            f"{saved.steps}; train it again."
        )
    require_device(saved.device)
    if saved.photographs is None:  # of an srlab that kept none back
        saved = saved.model_copy(update={"validation": "embedded"})
    return _as_given(saved, card), kept


def require_same_card(saved: RunCard, card: RunCard, out: Path) -> None:
    """Raise unless a run may go on with a card: whatever it asks for is what the run does.

    Raises:
        ValueError: naming the first field that differs, with both values.
    """
    for name in RunCard.model_fields:
        if name in WRITTEN or _agree(name, saved, card):
            continue
        place, before, now = _difference(
            [name], *(one.model_dump()[name] for one in (saved, card))
        )
        differs = "differ" if name == "stages" else "differs"
        raise ValueError(
            f"{out / LAST} belongs to another card: its {name} {differs} "
            f"({place}: {before} there, {now} here); {_way_on(saved, card, out)}."
        )


def require_same_photographs(saved: RunCard, photos: RunPhotos, out: Path) -> None:
    """Raise unless the photographs are those that a run was begun with.

    Raises:
        ValueError: with both counts, and one that differs.
    """
    before, now = saved.photographs, photos.identity
    if before in (None, now):
        return
    kept_back = isinstance(saved.validation, float)  # those of others are no part of its data
    counts = [
        used.training + (used.validation if kept_back else 0) for used in (before, now) if used
    ]
    raise ValueError(
        f"The photographs are not those that the training in {out} was begun with: "
        f"{counts[0]} then, {counts[1]} now{_first_change(out, photos)}; give the same ones, "
        f"or {_begin_another(out)}."
    )


def digest_of_start(card: RunCard) -> str:
    """SHA-256 of the file that a card begins with; "" for an untrained network."""
    if card.start == "untrained":
        return ""
    path = find_checkpoint(card.start)
    load_checkpoint(path)  # its own sentences, before anything else is done
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _agree(name: str, saved: RunCard, card: RunCard) -> bool:
    """Whether a field asks for what the saved run does; files may lie elsewhere now."""
    before, now = getattr(saved, name), getattr(card, name)
    if name == "share":  # it counts at the end alone
        return True
    if name == "precision":
        return now in ("auto", before)
    if name == "threads":  # a larger machine's are those that there are
        return now in (0, before) or usable_threads(now) == before
    if name == "start":
        return _same_start(saved, card)
    if name == "validation" and now == "auto":
        return True
    by_content = bool(saved.photographs) and isinstance(before, str) and isinstance(now, str)
    return bool(before == now) or (by_content and name in ("data", "validation"))


def _same_start(saved: RunCard, card: RunCard) -> bool:
    """By name, or else by content."""
    if saved.start == card.start:
        return True
    if "untrained" in (saved.start, card.start) or not saved.start_sha256:
        return False
    try:
        return digest_of_start(card) == saved.start_sha256
    except (OSError, ValueError):
        return False


def _as_given(saved: RunCard, card: RunCard) -> RunCard:
    """The saved card, with files where they are now."""
    update: dict[str, Any] = {name: getattr(card, name) for name in ("data", "start", "share")}
    if isinstance(card.validation, str) and card.validation != "auto":
        update["validation"] = card.validation
    return saved.model_copy(update=update)


def _difference(place: list[str | int], before: object, now: object) -> tuple[str, str, str]:
    """Where two values first differ, and how."""
    if isinstance(before, dict) and isinstance(now, dict) and before.keys() == now.keys():
        key = next(key for key in before if before[key] != now[key])
        return _difference([*place, key], before[key], now[key])
    if isinstance(before, list) and isinstance(now, list):
        if len(before) != len(now):
            return f"the number of {place_of(place)}", f"{len(before)}", f"{len(now)}"
        index = next(i for i, value in enumerate(before) if value != now[i])
        return _difference([*place, index], before[index], now[index])
    return place_of(place), on_one_line(before), on_one_line(now)


def _way_on(saved: RunCard, card: RunCard, out: Path) -> str:
    """What to do: for who wants to train longer, a run that begins with this one."""
    if saved.stages != card.stages and saved.model == card.model:
        return f"give that card, or to train on, {_begin_another(out)}"
    return "give that card or another folder"


def _begin_another(out: Path) -> str:
    name = FINISHED if (out / FINISHED).exists() else LAST
    return f'begin another run from it: a card with "start": "{out / name}", and a new folder'


def _first_change(out: Path, photos: RunPhotos) -> str:
    """One photograph that differs from the list that the run left, if it did."""
    before = _read_list(out / LIST)
    now = {name: digest for _, name, digest in photos.rows}
    if not before or before.items() == now.items():
        return ""
    for said, names in (
        ("is missing", before.keys() - now.keys()),
        ("is new", now.keys() - before.keys()),
        ("is another picture", {n for n in before.keys() & now.keys() if before[n] != now[n]}),
    ):
        if names:
            return f" ({min(names)} {said})"
    return ""


def _read_list(path: Path) -> dict[str, str]:
    """Photograph -> digest; empty if there is no such list."""
    try:
        text = path.read_bytes().decode("utf-8", "surrogateescape")
        rows = list(csv.reader(text.splitlines()))
    except (OSError, csv.Error):
        return {}
    return {row[1]: row[2] for row in rows[1:] if len(row) == 3}
