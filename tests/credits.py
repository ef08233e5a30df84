"""Write who took the photographs that the larger networks have seen, and which they have not.

    python -m tests.credits ATTRIBUTION.csv --held-out LIST --left-out LIST --earlier LIST

A list has a file of the table in each line. ``PHOTOGRAPHS.csv`` beside the
networks has a row for each photograph, ``PHOTOGRAPHS.md`` the words to it.
Call ``make sums`` afterwards.
"""

import argparse
import csv
import io
from collections import Counter
from collections.abc import Collection, Iterable
from pathlib import Path

from srlab.files import ASSETS, replacing

Row = dict[str, str]

COLUMNS = ("use", "earlier", "file", "title", "author", "license", "source")
LEARNED, HELD_OUT, LEFT_OUT, SHEET = "learned from", "held out", "left out", "sheet"

PAGE = """# Photographs that are not in the package

[PHOTOGRAPHS.csv](PHOTOGRAPHS.csv) has a row for each of {all}: title, author, license, where
it came from, and what it is used for. None of them is part of the package, but for small pieces
on [the sheet of twelve crops](README.md). Each keeps its own license.

- **{learned} {LEARNED}**: the larger networks have seen them, beside the training
  photographs of the package.
- **{held_out} {HELD_OUT}**: no network is ever trained or chosen on them; see below.
- **{sheet} on the sheet**: nothing is trained on it either; the sheet shows its bricks.
- **{left_out} {LEFT_OUT}**, since there is next to nothing to learn in them: bicubic alone
  comes within 34 dB of them at x4, or within 41 dB at x2 (Y of BT.601, 0-255, the whole
  picture). They are out of focus, mostly sky, or smooth; they teach what bicubic does.

`earlier` marks the {earlier} on which the first networks were trained.

## The {held_out} that are held out

Chosen among the new ones by a hash of their names: at least 600 px on the shorter side, between
21 and 33 dB for bicubic at x4, at most four of a kind and three of a source.

| title | author | license | from |
| --- | --- | --- | --- |
"""


def label(
    table: Iterable[Row],
    *,
    held_out: Collection[str],
    left_out: Collection[str],
    earlier: Collection[str],
    shown: Collection[tuple[str, str]],
) -> list[Row]:
    """Say of each photograph what it is used for.

    Args:
        table: with file, title, author, licence, source and original_path.
        held_out, left_out, earlier: files.
        shown: source and original path of those on the sheet.

    Raises:
        ValueError: if a list names a file that the table does not have, or
            one was learned from and is held out.
    """
    rows = list(table)
    known = {row["file"] for row in rows}
    if lost := sorted({*held_out, *left_out, *earlier} - known):
        raise ValueError(f"The table has no {', '.join(lost)}; correct the lists.")
    if both := sorted({*held_out} & {*earlier}):
        raise ValueError(f"{', '.join(both)} cannot be held out: networks have seen them.")

    def use(row: Row) -> str:
        if row["file"] in held_out:
            return HELD_OUT
        if (row["source"].split(" (blob")[0], row["original_path"]) in shown:
            return SHEET
        return LEFT_OUT if row["file"] in left_out else LEARNED

    return [
        {
            **{name: row[name] for name in ("file", "title", "author", "source")},
            "license": row["licence"],
            "use": use(row),
            "earlier": "yes" if row["file"] in earlier else "",
        }
        for row in rows
    ]


def on_the_sheet(assets: Path = ASSETS) -> set[tuple[str, str]]:
    """Source and original path of the photographs from which the sheet has pieces."""
    with (assets / "sheet" / "ATTRIBUTION.csv").open(encoding="utf-8", newline="") as file:
        return {(row["source"], row["original_path"]) for row in csv.DictReader(file)}


def write(rows: list[Row], folder: Path) -> None:
    """Write the table and its page."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    with replacing(folder / "PHOTOGRAPHS.csv") as part:
        part.write_bytes(text.getvalue().encode())
    with replacing(folder / "PHOTOGRAPHS.md") as part:
        part.write_text(page(rows), encoding="utf-8")


def page(rows: list[Row]) -> str:
    count = Counter(row["use"] for row in rows)
    held_out = [
        f"| {row['title']} | {row['author']} | {row['license']} | {row['source']} |\n"
        for row in rows
        if row["use"] == HELD_OUT
    ]
    text = PAGE.format(
        all=len(rows), learned=count[LEARNED], held_out=count[HELD_OUT], sheet=count[SHEET],
        left_out=count[LEFT_OUT], earlier=sum(row["earlier"] == "yes" for row in rows),
        LEARNED=LEARNED, HELD_OUT=HELD_OUT, LEFT_OUT=LEFT_OUT,
    )  # fmt: skip
    return text + "".join(held_out)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.credits", description=__doc__)
    parser.add_argument("table", type=Path, help="of all photographs, CSV")
    for name in ("--held-out", "--left-out", "--earlier"):
        parser.add_argument(name, type=Path, required=True, help="a file of the table a line")
    options = parser.parse_args()
    with options.table.open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    lists = {
        name: getattr(options, name).read_text(encoding="utf-8").splitlines()
        for name in ("held_out", "left_out", "earlier")
    }
    write(label(table, **lists, shown=on_the_sheet()), ASSETS / "models")


if __name__ == "__main__":
    main()
