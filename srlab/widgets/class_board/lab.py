"""ClassBoard: the run cards of a class, side by side."""

import os
from collections.abc import Iterable, Mapping
from typing import Any

from traitlets import Bool, Bytes, Dict, Enum, Float, Int, List, Unicode

from srlab.files import at_home, replacing
from srlab.require import require_one_of
from srlab.runcard import MAX_BYTES, SCHEMA
from srlab.scoring import MEASURES, directions, short
from srlab.widgets.class_board.cards import (
    ORDERS,
    BoardRow,
    Cards,
    CardSource,
    best_of,
    known_bicubic,
    ranked,
)
from srlab.widgets.class_board.settings import shown_titles
from srlab.widgets.class_board.words import TITLES, best_rows, opened, row_of, to_csv
from srlab.widgets.kit.lab import Lab, given

PAGE = 20
"""Rows of the table that are shown at once."""
USUAL_SCALE = 4


class ClassBoard(Lab):
    """A table, a map, and the best by each measure, of many run cards.

    The networks that come with srlab are there from the start. Cards of two
    scales are never ranked together.

    Args:
        cards: files, bytes or cards; or name -> one of these.
        shipped: whether the networks that come with srlab are there.

    Raises:
        TypeError: if one is of another type.

    Example:
        >>> board = ClassBoard()
        >>> board.best().name
        'pixel-x4'
    """

    view = Unicode("board").tag(sync=True)
    scale = Int(0, help="0 is none yet").tag(sync=True, setting=True)
    order = Enum(list(ORDERS), "psnr_y").tag(sync=True, setting=True)
    reverse = Bool(False).tag(sync=True, setting=True)
    first = Int(0, help="of the page's rows, from 0").tag(sync=True, setting=True)
    card = Unicode(help="the one that is opened").tag(sync=True, setting=True)
    scales = List(List(Int()), help="[scale, how many cards]").tag(sync=True)
    measures = List(Dict()).tag(sync=True)
    titles = Dict(help="order -> what it is called").tag(sync=True)
    directions = Unicode(directions()).tag(sync=True)
    most_bytes = Int(MAX_BYTES, help="of a card's file").tag(sync=True)
    said = Unicode().tag(sync=True)
    topic = Unicode().tag(sync=True)
    count = Int(help="cards of the scale").tag(sync=True)
    bicubic = Dict().tag(sync=True)
    page = List(Dict(), help="rows of the table").tag(sync=True)
    columns = List(Unicode(), help="weights, layers and rates that are shown").tag(sync=True)
    bests = List(Dict()).tag(sync=True)
    others = List(List(Float()), help="(PSNR, sharpness) of what is on no page").tag(sync=True)
    doubts = List(Unicode()).tag(sync=True)
    left_out = List(Unicode()).tag(sync=True)
    opened = Dict().tag(sync=True)
    csv = Bytes().tag(sync=True)

    def __init__(
        self,
        cards: Iterable[CardSource] | Mapping[str, CardSource] = (),
        *,
        shipped: bool = True,
    ):
        self._cards = Cards()
        self._chosen = False  # the scale, by somebody
        if shipped:
            self._cards.add_shipped()
        measures = [
            {"key": key, "title": m.title, "wanted": m.wanted, "about": m.about,
             "digits": m.digits}
            for key, m in MEASURES.items()
        ]  # fmt: skip
        super().__init__(measures=measures, titles={key: TITLES[key] for key in ORDERS})
        self.presses["take"] = self._take
        self._add_all(cards)
        self._show()

    # What notebooks call

    def add(  # type: ignore[override]  # a board has no curves, so the kit's add is free
        self, source: CardSource, name: str | None = None
    ) -> BoardRow | None:
        """Take in one card.

        Args:
            source: a JSON file, its bytes, or a card.
            name: what to call the file.

        Returns:
            Its row. None if it was left out, because it is no run card, was
            not trained to its end or is here already; the board says why, and
            ``remarks`` too.

        Raises:
            TypeError: if ``source`` is of another type.
        """
        with self._sending:  # cards may come from any thread: one at a time
            row = self._cards.add(source, name)
            self._show()
        return row

    def add_folder(self, path: str | os.PathLike[str]) -> int:
        """Take in every ``.json`` of a folder and below it.

        Returns:
            How many cards came in.

        Raises:
            NotADirectoryError: if there is no such folder.
        """
        folder = at_home(path)
        if not folder.is_dir():
            raise NotADirectoryError(f"{folder} is no folder; give the one with the cards.")
        with self._sending:
            before = len(self._cards.rows)
            for file in sorted(folder.rglob("*.json")):
                inside = file.relative_to(folder)
                hidden = any(part.startswith(".") for part in inside.parts)  # checkpoints
                if not hidden and file.name != SCHEMA:  # a training leaves it beside its card
                    self._cards.add(file, inside.as_posix())
            self._show()
            return len(self._cards.rows) - before

    def choose(
        self,
        *,
        scale: int | None = None,
        order: str | None = None,
        reverse: bool | None = None,
        card: str | None = None,
    ) -> list[BoardRow]:
        """Set any of the controls.

        Args:
            scale: 2, 4 or 8, as far as there are cards of it.
            order: a measure, ``"name"``, ``"steps"`` or ``"seconds"``.
            reverse: the worst first.
            card: the name of one to open; ``""`` closes it.

        Returns:
            The rows as they then stand.

        Raises:
            ValueError: for an unknown choice.
        """
        with self._sending:
            names = [row.name for row in self._cards.of_scale(scale or self.scale)]
            known = {"scale": self._cards.scales(), "order": ORDERS, "card": ["", *names]}
            wanted = given(scale=scale, order=order, reverse=reverse, card=card)
            for name in filter(wanted.__contains__, known):
                require_one_of(wanted[name], known[name], name)
            self._chosen = self._chosen or scale is not None
            self._show(first=0, **wanted)
        return self.rows

    @property
    def rows(self) -> list[BoardRow]:
        """The cards of the chosen scale, in the chosen order."""
        found = ranked(self._cards.of_scale(self.scale), self.order)
        return found[::-1] if self.reverse else found

    @property
    def remarks(self) -> list[str]:
        """Why files were left out: one sentence each."""
        return list(self._cards.remarks)

    def best(self, measure: str = "psnr_y") -> BoardRow | None:
        """The best card of the chosen scale; None if there is none.

        Args:
            measure: a name of ``srlab.scoring.MEASURES``, which also says what
                is best: the highest, the lowest, or the nearest to the truth's
                1 (the lowest checkerboard is a blur's). A network that stayed
                near bicubic is best by nothing.

        Raises:
            ValueError: for an unknown measure.
        """
        require_one_of(measure, MEASURES, "measure")
        return best_of(self._cards.of_scale(self.scale), measure)

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Write every card, of all scales, as a table for a spreadsheet.

        Raises:
            OSError: if it cannot be written.
        """
        with replacing(at_home(path)) as part:
            part.write_bytes(self.csv)

    def summary(self) -> str:
        """One sentence for readers without a kernel."""
        if not self._cards.rows:
            return "ClassBoard: no cards yet"
        counts = ", ".join(f"{n} of ×{scale}" for scale, n in self._cards.scales().items())
        total = len(self._cards.rows)
        return f"ClassBoard: {total} run card{'s' * (total > 1)} ({counts}); {self._words()}"

    # What the page calls

    def changed(self, name: str, value: Any) -> None:  # noqa: ARG002
        """A control moved; another scale or order begins at the first row."""
        self._chosen = self._chosen or name == "scale"
        self._show(**({"first": 0} if name in ("scale", "order", "reverse") else {}))

    def _take(self, file: str, text: str | None) -> None:
        """A file was chosen; one that is far too large is not sent at all."""
        self.add((text if text is not None else " " * (MAX_BYTES + 1)).encode(), file)

    # Parts

    def _add_all(self, cards: Iterable[CardSource] | Mapping[str, CardSource]) -> None:
        if isinstance(cards, str | bytes | os.PathLike):
            raise TypeError("cards is one card, but a list of them was expected; write [card].")
        named = cards.items() if isinstance(cards, Mapping) else ((None, c) for c in cards)
        for name, source in named:
            self._cards.add(source, name)

    def _usual_scale(self) -> int:
        """That of most cards that came in; without any, of the lessons' own networks."""
        own = [row.scale for row in self._cards.own()]
        if own:
            return max(sorted(set(own)), key=own.count)
        return USUAL_SCALE if self._cards.rows else 0

    def _show(self, **settings: Any) -> None:
        """Tell these settings, and all that follows from them, in one message."""
        with self._sending, self.hold_sync():
            scale = settings.get("scale", self.scale)
            if not self._chosen or scale not in self._cards.scales():
                settings["scale"] = self._usual_scale()
            self.tell(**settings)
            rows = self.rows
            first = min(max(self.first, 0), max(len(rows) - 1, 0) // PAGE * PAGE)
            self.tell(first=first, **self._seen(rows, first))

    def _seen(self, rows: list[BoardRow], first: int) -> dict[str, Any]:
        """What the page shows of the rows of one scale."""
        page = rows[first : first + PAGE]
        bicubic = known_bicubic(self.scale) if rows else {}
        there = [row for row in rows if not (row.recipe or row.doubt)]
        open_now = [row for row in rows if row.name == self.card]
        return {
            "scales": [list(pair) for pair in self._cards.scales().items()],
            "said": self.summary().removeprefix("ClassBoard: "),
            "topic": f"{self.scale} {self.order} {self.reverse} {len(self._cards.rows)}",
            "count": len(rows),
            "bicubic": bicubic,
            "page": [row_of(row, rank) for rank, row in enumerate(page, first + 1)],
            "columns": shown_titles([row.settings for row in rows]),
            "bests": best_rows(rows, bicubic),
            "others": [
                [row.card.scores["psnr_y"], row.card.scores["sharpness"]]
                for row in there
                if row not in page
            ],
            "doubts": [f"{row.name}: {row.doubt}." for row in rows if row.doubt],
            "left_out": self.remarks,
            "card": self.card if open_now else "",
            "opened": opened(open_now[0]) if open_now else {},
            "csv": self._csv(),
        }

    def _words(self) -> str:
        row = self.best()
        if row is None:
            return f"none of ×{self.scale} can be compared"
        return f"best PSNR of ×{self.scale}: {row.name} {short(row.figure('psnr_y'))} dB"

    def _csv(self) -> bytes:
        """All scales after each other, with the mark that tells Excel it is UTF-8."""
        scales = self._cards.scales()
        rows = [r for s in scales for r in ranked(self._cards.of_scale(s), "psnr_y")]
        return to_csv(rows).encode("utf-8-sig")
