"""ClassBoard: the run cards of a class, side by side."""

import html
import os
import threading
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from ipywidgets import HTML, Dropdown, HBox, Layout, ToggleButton, VBox
from PIL import Image

from srlab.files import at_home, replacing
from srlab.runcard import MAX_BYTES, SCHEMA
from srlab.scoring import MEASURES, short
from srlab.widgets.board_cards import (
    ORDERS,
    BoardRow,
    Cards,
    CardSource,
    best_of,
    known_bicubic,
    ranked,
)
from srlab.widgets.board_map import board_map
from srlab.widgets.board_table import (
    TITLES,
    best_html,
    card_html,
    sentences_html,
    table_html,
    to_csv,
)
from srlab.widgets.parts import TEXT, LivePicture, action_button
from srlab.widgets.poster import PosterMixin, stack, text_lines
from srlab.widgets.upload import Upload, upload_button

PAGE = 20
"""Rows of the table that are shown at once."""

TRUST = (
    "The figures are what the cards say; nobody has measured the networks again. One thing "
    "is checked: whoever measured on the course’s validation photographs has the same "
    "bicubic. Cards with another one are marked ⚠ and are not ranked."
)


class ClassBoard(PosterMixin, VBox):  # type: ignore[misc]
    """A table, a map, and the best by each measure, of many run cards.

    Cards of two scales are never ranked together.

    Args:
        cards: files, bytes or cards; or name -> one of these.

    Raises:
        TypeError: if one is of another type.

    Example:
        >>> board = ClassBoard()
        >>> len(board.rows)
        0
    """

    def __init__(self, cards: Iterable[CardSource] | Mapping[str, CardSource] = ()):
        self._cards = Cards()
        # Callbacks may come from any thread, so one draws at a time.
        self._lock = threading.RLock()
        self._quiet = False
        self._first = 0  # of the page's rows, from 0
        super().__init__()
        self._build()
        with self._changing():
            self._add_all(cards)

    # What notebooks call

    def add(self, source: CardSource, name: str | None = None) -> BoardRow | None:
        """Take in one card.

        Args:
            source: a JSON file, its bytes, or a card.
            name: what to call the file.

        Returns:
            Its row. None if it was left out, because it is no finished run
            card or is here already; the board says why, and ``remarks`` too.

        Raises:
            TypeError: if ``source`` is of another type.
        """
        with self._changing():
            return self._cards.add(source, name)

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
        before = len(self._cards.rows)
        with self._changing():
            for file in sorted(folder.rglob("*.json")):
                inside = file.relative_to(folder)
                hidden = any(part.startswith(".") for part in inside.parts)  # checkpoints
                if not hidden and file.name != SCHEMA:  # a training leaves it beside its card
                    self._cards.add(file, inside.as_posix())
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
        with self._changing():
            _require_one_of("scale", scale, self._cards.scales())
            _require_one_of("order", order, ORDERS)
            wanted = scale or self.scale.value
            names = [row.name for row in self._cards.of_scale(wanted or 0)]
            _require_one_of("card", card, ["", *names])
            for control, value in (
                (self.scale, scale), (self.order, order), (self.reverse, reverse)
            ):  # fmt: skip
                control.value = control.value if value is None else value
            self._first = 0
            self._follow()
            self.card.value = self.card.value if card is None else card
        return self.rows

    @property
    def rows(self) -> list[BoardRow]:
        """The cards of the chosen scale, in the chosen order."""
        found = ranked(self._everybody(), self.order.value)
        return found[::-1] if self.reverse.value else found

    @property
    def remarks(self) -> list[str]:
        """Why files were left out: one sentence each."""
        return list(self._cards.remarks)

    def best(self, measure: str = "psnr_y") -> BoardRow | None:
        """The best card of the chosen scale; None if there is none.

        Args:
            measure: a name of ``srlab.scoring.MEASURES``, which also says what
                is best: the highest, the lowest, or the nearest to the truth's
                1 (the lowest checkerboard is a blur's).

        Raises:
            ValueError: for an unknown measure.
        """
        _require_one_of("measure", measure, MEASURES)
        return best_of(self._everybody(), measure)

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Write every card, of all scales, as a table for a spreadsheet.

        Raises:
            OSError: if it cannot be written.
        """
        with replacing(at_home(path)) as part:
            part.write_bytes(self._csv())

    # Poster

    def summary(self) -> str:
        """One sentence for readers without a kernel."""
        if not self._cards.rows:
            return "ClassBoard: no cards yet"
        counts = ", ".join(f"{n} of ×{scale}" for scale, n in self._cards.scales().items())
        total = len(self._cards.rows)
        return f"ClassBoard: {total} run card{'s' * (total > 1)} ({counts}); {self._words()}"

    def poster(self) -> Image.Image:
        """The best in words, and the map."""
        if not self._cards.rows:
            return text_lines([self.summary()])
        lines = [f"Run cards of ×{self.scale.value}", *self._best_lines()]
        return stack(text_lines(lines), self._map()[0])

    # Parts

    def _build(self) -> None:
        self._make_controls()
        self._make_buttons()
        self._trouble, self._best, self._table, self._rest = (HTML() for _ in range(4))
        self._paging, self._opened, self._link = HTML(), HTML(), HTML()
        self._picture = LivePicture("board-map", "png")
        wrap = Layout(flex_flow="row wrap", align_items="center")
        self._shown = [
            HBox([self.scale, self.order, self.reverse], layout=wrap),
            self._best,
            self._table,
            HBox([self._previous, self._next, self._paging, self._link], layout=wrap),
            self._rest,
            self._picture,
            self.card,
            self._opened,
        ]
        trust = HTML(f'<div style="{TEXT}">{TRUST}</div>')
        self.children = [self.upload, self._trouble, *self._shown, trust]
        self.add_class("srlab-class-board")

    def _make_controls(self) -> None:
        self.upload = upload_button(
            "Run cards", self._on_upload, multiple=True,
            tooltip="Open the card.json files of a class, or drop them here",
            accept=".json,application/json", wanted="a run card, a JSON file",
            limit=MAX_BYTES, advice="choose the JSON file of a card.",
        )  # fmt: skip
        self.scale = Dropdown(description="Scale", tooltip="Cards of one scale are compared")
        self.order = Dropdown(
            options=[(TITLES[name], name) for name in ORDERS], description="Best by",
            tooltip="What the table is sorted by",
        )  # fmt: skip
        self.reverse = ToggleButton(description="Reverse", tooltip="The last ones first")
        self.card = Dropdown(
            options=[("–", "")], value="", description="Open card",
            tooltip="See its stages and weights",
        )  # fmt: skip
        for name in ("upload", "scale", "order", "reverse", "card"):
            getattr(self, name).add_class(f"srlab-{name}")
        for control in (self.scale, self.order):
            control.layout.width, control.style.description_width = "210px", "60px"
        self.reverse.layout.width = "100px"
        for control in (self.scale, self.order, self.reverse):
            control.observe(lambda _: self._begin_again(), "value")
        self.card.observe(lambda _: self._redraw(), "value")

    def _make_buttons(self) -> None:
        self._previous = action_button(
            "Previous", "arrow-left", "The rows before", lambda: self._turn(-PAGE)
        )
        self._next = action_button(
            "Next", "arrow-right", "The rows after", lambda: self._turn(PAGE)
        )

    # Callbacks

    def _on_upload(self, file: Upload) -> None:
        with self._changing():
            self._cards.add(file.data, file.name)

    def _begin_again(self) -> None:
        """Another scale or order: from the first row."""
        with self._lock:
            if not self._quiet:
                with self._changing():
                    self._first = 0

    def _turn(self, rows: int) -> None:
        """So many rows on, or back."""
        with self._lock:
            self._first += rows
            self._redraw()

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Draw once, after whatever is done inside."""
        with self._lock:
            if self._quiet:
                yield
                return
            self._quiet = True
            try:
                yield
            finally:
                self._follow()
                self._quiet = False
                self._redraw()

    def _add_all(self, cards: Iterable[CardSource] | Mapping[str, CardSource]) -> None:
        if isinstance(cards, Mapping):
            for name, source in cards.items():
                self._cards.add(source, name)
            return
        if isinstance(cards, str | bytes | os.PathLike):
            raise TypeError("cards is one card, but a list of them was expected; write [card].")
        for source in cards:
            self._cards.add(source)

    def _follow(self) -> None:
        """Let the choices be those there are; a scale with most cards comes first."""
        scales = self._cards.scales()
        options = [(f"×{s}: {n} card{'s' * (n > 1)}", s) for s, n in scales.items()]
        _offer(self.scale, options, max(scales, key=lambda s: scales[s]) if scales else None)
        rows = self.rows
        _offer(self.card, [("–", ""), *((row.name, row.name) for row in rows)], "")

    # Showing

    def _everybody(self) -> list[BoardRow]:
        return self._cards.of_scale(self.scale.value) if self.scale.value else []

    def _redraw(self) -> None:
        with self._lock:
            if self._quiet:
                return
            remarks = self._cards.remarks
            self._trouble.value = sentences_html("Left out:", remarks, "status")
            any_card = bool(self._cards.rows)
            for part in self._shown:
                part.layout.display = None if any_card else "none"
            if any_card:
                self._draw_rows()
                self._draw_card()

    def _draw_rows(self) -> None:
        rows, everybody = self.rows, self._everybody()
        bicubic = known_bicubic(self.scale.value)
        self._first = min(max(self._first, 0), (len(rows) - 1) // PAGE * PAGE)
        page = rows[self._first : self._first + PAGE]
        self._best.value = best_html(everybody, bicubic)
        self._table.value = table_html(
            page, self._first + 1, everybody, bicubic, self.order.value
        )
        doubts = [f"{row.name}: {row.doubt}." for row in everybody if row.doubt]
        self._rest.value = sentences_html("⚠ Not comparable:", doubts)
        self._previous.disabled = self._first == 0
        self._next.disabled = self._first + PAGE >= len(rows)
        self._paging.value = (
            f'<div role="status" style="{TEXT}" data-order="{self.order.value}" '
            f'data-scale="{self.scale.value}" class="srlab-paging">rows {self._first + 1} to '
            f"{self._first + len(page)} of {len(rows)} (×{self.scale.value})</div>"
        )
        self._link.value = _csv_link(self._csv())
        self._picture.show(*self._map())

    def _draw_card(self) -> None:
        opened = [row for row in self._everybody() if row.name == self.card.value]
        self._opened.value = card_html(opened[0]) if opened else ""

    def _map(self) -> tuple[Image.Image, str]:
        """The map of what the page of the table shows, and its words."""
        bicubic, rows = known_bicubic(self.scale.value), self.rows
        page = range(self._first, min(self._first + PAGE, len(rows)))
        named = {i + 1: rows[i] for i in page if not rows[i].doubt}
        shown = set(named.values())
        others = [row for row in rows if not row.doubt and row not in shown]
        return board_map(named, others, bicubic), _map_words(named, others, bicubic)

    def _best_lines(self) -> list[str]:
        """The best by each measure, a line each."""
        lines, bicubic = [], known_bicubic(self.scale.value)
        for measure, about in MEASURES.items():
            if row := self.best(measure):
                own, plain = about.text(row.figure(measure)), about.text(bicubic[measure])
                title = f"{about.title}, {about.wanted}"
                lines.append(f"{title}: {row.name} {own} (bicubic {plain})")
        return lines

    def _words(self) -> str:
        row = self.best()
        if row is None:
            return f"none of ×{self.scale.value} can be compared"
        return f"best PSNR of ×{self.scale.value}: {row.name} {short(row.figure('psnr_y'))} dB"

    def _csv(self) -> bytes:
        """All scales after each other, with the mark that tells Excel it is UTF-8."""
        scales = self._cards.scales()
        rows = [r for s in scales for r in ranked(self._cards.of_scale(s), "psnr_y")]
        return to_csv(rows).encode("utf-8-sig")


def _map_words(
    named: Mapping[int, BoardRow], others: Sequence[BoardRow], bicubic: Mapping[str, float]
) -> str:
    """What the map shows, for those who do not see it."""
    places = {"bicubic": bicubic, **{row.name: row.card.scores for row in named.values()}}
    texts = [
        f"{name} {short(f['psnr_y'])} dB, sharpness {short(f['sharpness'])}"
        for name, f in places.items()
    ]
    more = f"; and {len(others)} more, pale" if others else ""
    return f"Sharpness over PSNR; the truth has 1: {'; '.join(texts)}{more}"


def _csv_link(data: bytes) -> str:
    """A real link: Tab comes to it, Enter takes it."""
    return (
        f'<a class="srlab-csv" download="class-board.csv" '
        f'style="text-decoration: underline; margin-left: 12px" '
        f'href="data:text/csv;base64,{b64encode(data).decode()}">'
        f"Download {html.escape('all as CSV')}</a>"
    )


def _offer(control: Dropdown, options: list[tuple[str, Any]], usual: Any) -> None:
    """Give a list its options; what was chosen stays, if it is still there."""
    before, values = control.value, [value for _, value in options]
    if list(control.options) != options:
        control.options = options
    control.value = before if before in values else usual


def _require_one_of(name: str, value: object, choices: Iterable[object]) -> None:
    known = list(choices)
    if value is not None and value not in known:
        listed = ", ".join(str(choice) for choice in known[:12] if choice) or "none yet"
        raise ValueError(f"{name} must be one of {listed}, but got {value!r}.")
