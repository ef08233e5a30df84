"""The run cards of a class: read, told apart, ranked. The part without a screen."""

import os
from dataclasses import dataclass
from functools import cache, cached_property

from srlab.data import load_photos
from srlab.files import at_home
from srlab.runcard import RunCard, load_card, read_card
from srlab.scoring import MEASURES, score_models, short
from srlab.widgets.board_settings import Settings, settings_of

TOLERANCE = 0.02  # dB between two machines' bicubic of the same photographs
MOST_DECIBELS, MOST_DETAIL = 100.0, 100.0  # beyond them a score is a slip of the pen
NEEDED = ("psnr_y", "sharpness")  # without them a card has no place on the map

CardSource = str | os.PathLike[str] | bytes | RunCard


OTHER_ORDERS = ("name", "steps", "seconds")
ORDERS = (*MEASURES, *OTHER_ORDERS)


@dataclass(frozen=True, eq=False)  # a row is itself, and may be kept in a set
class BoardRow:
    """A card of the board.

    Args:
        name: the card's own, with a number where two different cards share it.
        file: where it came from.
        card: the card.
        doubt: why its scores cannot be compared with the others', or "".
    """

    name: str
    file: str
    card: RunCard
    doubt: str = ""

    @property
    def scale(self) -> int:
        return self.card.scale

    @cached_property
    def settings(self) -> Settings:
        """What it was trained with, by the titles of columns."""
        return settings_of(self.card)

    def figure(self, measure: str) -> float | None:
        """What the card says; None if it does not say it."""
        return self.card.scores.get(measure)


class Cards:
    """Cards as they come in; what cannot be taken is told in ``remarks``."""

    def __init__(self) -> None:
        self.rows: list[BoardRow] = []
        self.remarks: list[str] = []
        self._seen: dict[str, BoardRow] = {}  # a card's text -> its row
        self._names: set[str] = set()

    def add(self, source: CardSource, name: str | None = None) -> BoardRow | None:
        """Take in a card, or a remark about it.

        Args:
            source: a JSON file, its bytes, or a card.
            name: what to call the file.

        Returns:
            Its row; None if it was left out.

        Raises:
            TypeError: if ``source`` is of another type.
        """
        try:
            card, file = _read(source, name)
            _require_scores(card, file)
        except (OSError, ValueError) as error:
            self.remarks.append(str(error))
            return None
        text = card.to_json()
        if text in self._seen:
            first = self._seen[text].file
            self.remarks.append(f"{file} is the same card as {first}; it counts once.")
            return None
        row = self._seen[text] = BoardRow(self._unused(card.name), file, card, find_doubt(card))
        self._names.add(row.name)
        self.rows.append(row)
        return row

    def of_scale(self, scale: int) -> list[BoardRow]:
        """Those of one scale, oldest first; two scales are two problems."""
        return [row for row in self.rows if row.scale == scale]

    def scales(self) -> dict[int, int]:
        """Scale -> how many cards, in the order of the scales."""
        found = sorted({row.scale for row in self.rows})
        return {scale: len(self.of_scale(scale)) for scale in found}

    def _unused(self, name: str) -> str:
        unused, number = name, 2
        while unused in self._names:
            unused, number = f"{name} ({number})", number + 1
        return unused


def ranked(rows: list[BoardRow], by: str) -> list[BoardRow]:
    """Rows in order: the best first, then those without the figure, then the doubtful.

    Args:
        rows: of one scale.
        by: a measure, ``"name"``, ``"steps"`` or ``"seconds"``.
    """
    if by == "name":
        return sorted(rows, key=lambda row: row.name.casefold())
    if by == "steps":
        return sorted(rows, key=lambda row: row.card.steps)
    if by == "seconds":
        return sorted(rows, key=lambda row: row.card.seconds)

    def key(row: BoardRow) -> tuple[bool, bool, float]:
        value = row.figure(by)
        missing = value is None
        return bool(row.doubt), missing, 0.0 if value is None else MEASURES[by].order(value)

    return sorted(rows, key=key)


def best_of(rows: list[BoardRow], measure: str) -> BoardRow | None:
    """The best by a measure, of those whose scores can be compared."""
    fit = [row for row in rows if not row.doubt and row.figure(measure) is not None]
    return ranked(fit, measure)[0] if fit else None


@cache
def known_bicubic(scale: int) -> dict[str, float]:
    """Bicubic's figures on the embedded validation photographs, measured here."""
    (row,) = score_models(load_photos("embedded", "val"), {}, scale=scale)
    return {measure: row[measure] for measure in MEASURES}


def find_doubt(card: RunCard) -> str:
    """Why a card's scores cannot be compared with others; "" if nothing speaks against it.

    A network's scores cannot be checked without the network. But whoever
    measured on the same photographs has the same bicubic.
    """
    here, there = known_bicubic(card.scale)["psnr_y"], card.scores.get("bicubic_psnr_y")
    if there is None:
        return "it does not say what bicubic has, so nobody can tell what it was measured on"
    if abs(there - here) > TOLERANCE:
        return (
            f"measured otherwise: its bicubic has {short(there)} dB, that of the validation "
            f"photographs {here:.2f} dB"
        )
    decibels, detail = card.scores["psnr_y"], card.scores["sharpness"]
    if not (0 < decibels < MOST_DECIBELS and 0 <= detail < MOST_DETAIL):
        return f"its figures cannot be: {short(decibels)} dB, sharpness {short(detail)}"
    return ""


def _read(source: CardSource, name: str | None) -> tuple[RunCard, str]:
    """The card, and what to call its file."""
    if isinstance(source, RunCard):
        return source, name or source.name
    if isinstance(source, bytes):
        name = name or "the card"
        return read_card(source, name), name
    if isinstance(source, str | os.PathLike):
        path = at_home(source)
        return load_card(path), name or path.name
    raise TypeError(
        f"A run card, its file or the file's bytes were expected, "
        f"but got a {type(source).__name__}."
    )


def _require_scores(card: RunCard, file: str) -> None:
    if not card.scores:
        recipe = not card.versions  # whatever trains writes them at once
        why = "it is a recipe to train by" if recipe else "its training did not come to its end"
        raise ValueError(
            f"{file} has no scores, as {why}; hand in the card.json that srlab train writes."
        )
    missing = [name for name in NEEDED if name not in card.scores]
    if missing:
        raise ValueError(f"{file} lacks {' and '.join(missing)} among its scores.")
