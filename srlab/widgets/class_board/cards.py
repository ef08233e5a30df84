"""The run cards of a class: read, told apart, ranked. The part without a screen."""

import os
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Literal

from srlab.checkpoints import load_checkpoint
from srlab.data import load_photos
from srlab.files import at_home
from srlab.runcard import RunCard, load_card, parse_card, read_card
from srlab.scoring import MEASURES, score_models, short
from srlab.widgets.class_board.settings import Settings, settings_of
from srlab.zoo import find_checkpoint, model_names

TOLERANCE = 0.02  # dB between two machines' bicubic of the same photographs
MOST_DECIBELS, MOST_DETAIL = 100.0, 100.0  # beyond them a score is a slip of the pen
HARDLY_CLOSER, HARDLY_SHARPER = 0.05, 0.02
"""dB and sharpness above bicubic's, below which a network did nothing worth a prize."""
NEEDED = ("psnr_y", "sharpness")  # without them a card has no place on the map

CardSource = str | os.PathLike[str] | bytes | RunCard
Kind = Literal["", "shipped", "recipe", "adds nothing", "not comparable"]

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
        shipped: whether it came with srlab.
    """

    name: str
    file: str
    card: RunCard
    doubt: str = ""
    shipped: bool = False

    @property
    def scale(self) -> int:
        return self.card.scale

    @property
    def recipe(self) -> bool:
        """Whether nothing was trained by it yet."""
        return not self.card.scores

    @cached_property
    def idle(self) -> bool:
        """Whether its network adds nothing to bicubic: such a one is best by nothing.

        After 13 steps one has 0.11 dB less than bicubic, and 0.003 more sharpness.
        """
        if self.shipped or self.recipe or self.doubt:
            return False
        bicubic = known_bicubic(self.scale)
        closer = self.card.scores["psnr_y"] - bicubic["psnr_y"]
        sharper = self.card.scores["sharpness"] - bicubic["sharpness"]
        return closer < HARDLY_CLOSER and sharper < HARDLY_SHARPER

    @property
    def kind(self) -> Kind:
        """What a reader of the table must know about it."""
        if self.recipe:
            return "recipe"
        if self.doubt:
            return "not comparable"
        return "adds nothing" if self.idle else "shipped" if self.shipped else ""

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
        if first := self._seen.get(card.to_json()):
            there = "a network of srlab's, here already" if first.shipped else first.file
            self.remarks.append(f"{file} is the same card as {there}; it counts once.")
            return None
        return self._put(file, card, find_doubt(card))

    def add_shipped(self) -> None:
        """Take in the cards of the networks that come with srlab."""
        for card in shipped_cards():
            self._put("comes with srlab", card, shipped=True)

    def own(self) -> list[BoardRow]:
        """Those that somebody handed in."""
        return [row for row in self.rows if not row.shipped]

    def of_scale(self, scale: int) -> list[BoardRow]:
        """Those of one scale, oldest first; two scales are two problems."""
        return [row for row in self.rows if row.scale == scale]

    def scales(self) -> dict[int, int]:
        """Scale -> how many cards, in the order of the scales."""
        found = sorted({row.scale for row in self.rows})
        return {scale: len(self.of_scale(scale)) for scale in found}

    def _put(
        self, file: str, card: RunCard, doubt: str = "", *, shipped: bool = False
    ) -> BoardRow:
        row = BoardRow(self._unused(card.name), file, card, doubt, shipped)
        self._seen[card.to_json()] = row
        self._names.add(row.name)
        self.rows.append(row)
        return row

    def _unused(self, name: str) -> str:
        unused, number = name, 2
        while unused in self._names:
            unused, number = f"{name} ({number})", number + 1
        return unused


def ranked(rows: list[BoardRow], by: str) -> list[BoardRow]:
    """Rows in order: the best first; recipes, the doubtful and the idle last.

    Of two with the same figure, as many are by ridge, the one with the higher
    PSNR comes first.

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

    def key(row: BoardRow) -> tuple[bool, bool, bool, bool, float, float]:
        value = row.figure(by)
        order = 0.0 if value is None else MEASURES[by].order(value)
        psnr = row.figure("psnr_y") or 0.0
        return row.recipe, bool(row.doubt), row.idle, value is None, order, -psnr

    return sorted(rows, key=key)


def best_of(rows: list[BoardRow], measure: str) -> BoardRow | None:
    """The best by a measure, of those that can be compared and did anything."""
    fit = [r for r in rows if not (r.doubt or r.idle) and r.figure(measure) is not None]
    return ranked(fit, measure)[0] if fit else None


@cache
def shipped_cards() -> list[RunCard]:
    """The cards that the shipped networks carry."""
    names = [name for name in model_names() if name != "bicubic"]
    return [parse_card(load_checkpoint(find_checkpoint(name)).card) for name in names]


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
    if not card.scores:
        return ""
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
    """Raise if a training did not end; a recipe, which nothing was trained by, may come."""
    if not card.scores and card.versions:  # whatever trains writes them at once
        raise ValueError(
            f"{file} has no scores, as its training did not come to its end; "
            f"hand in the card.json that srlab train writes."
        )
    missing = [name for name in NEEDED if card.scores and name not in card.scores]
    if missing:
        raise ValueError(f"{file} lacks {' and '.join(missing)} among its scores.")
