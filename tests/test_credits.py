"""Who took the photographs outside the package, and which of them nobody learns from."""

import csv
import re
from collections import Counter
from pathlib import Path

import pytest

from srlab.files import ASSETS, SHIPPED
from tests.credits import COLUMNS, HELD_OUT, LEARNED, LEFT_OUT, SHEET, label, write

FILES = ("a.jpg", "small512/b.png", "c.jpg", "d.jpg")
TABLE = [
    {
        "file": name, "title": name[0].upper(), "author": "B, C", "licence": "CC0-1.0",
        "source": "github:me/here@1 (blob 2)", "original_path": f"in/{name}", "width": "9",
    }
    for name in FILES
]  # fmt: skip
LISTS = {"held_out": ["a.jpg"], "left_out": ["c.jpg"], "earlier": ["c.jpg"]}
SHOWN = {("github:me/here@1", "in/d.jpg"), ("github:me/here@1", "in/a.jpg")}


def test_each_has_one_use_and_is_written(tmp_path: Path) -> None:
    rows = label(TABLE, **LISTS, shown=SHOWN)
    assert [row["use"] for row in rows] == [HELD_OUT, LEARNED, LEFT_OUT, SHEET]
    assert [row["earlier"] for row in rows] == ["", "", "yes", ""]
    write(rows, tmp_path)
    lines = (tmp_path / "PHOTOGRAPHS.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == ",".join(COLUMNS)
    assert lines[1] == 'held out,,a.jpg,A,"B, C",CC0-1.0,github:me/here@1 (blob 2)'
    text = (tmp_path / "PHOTOGRAPHS.md").read_text(encoding="utf-8")
    assert text.endswith("| --- |\n| A | B, C | CC0-1.0 | github:me/here@1 (blob 2) |\n")
    assert "each of 4:" in text


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"held_out": ["x.jpg"]}, r"The table has no x.jpg; correct the lists"),
        ({"held_out": ["c.jpg"]}, r"c.jpg cannot be held out: networks have seen them"),
    ],
)
def test_lists_that_cannot_be(change: dict[str, list[str]], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        label(TABLE, **{**LISTS, **change}, shown=SHOWN)


# -- as stored --------------------------------------------------------------------


def stored() -> list[dict[str, str]]:
    with (SHIPPED / "PHOTOGRAPHS.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_stored_table_is_whole_and_small() -> None:
    rows = stored()
    assert all(all(row[c] for c in COLUMNS if c != "earlier") for row in rows)
    assert len({row["file"] for row in rows}) == len(rows)
    assert (SHIPPED / "PHOTOGRAPHS.csv").stat().st_size < 120_000


def test_the_page_counts_what_the_table_has() -> None:
    count = Counter(row["use"] for row in stored())
    text = (SHIPPED / "PHOTOGRAPHS.md").read_text(encoding="utf-8")
    for use in (LEARNED, HELD_OUT, LEFT_OUT):
        assert f"**{count[use]} {use}**" in text
    assert len(re.findall(r"^\| (?!title|---)", text, re.MULTILINE)) == count[HELD_OUT] == 24


def test_nothing_on_the_sheet_is_learned_from() -> None:
    with (ASSETS / "sheet" / "ATTRIBUTION.csv").open(encoding="utf-8", newline="") as file:
        shown = {(row["title"], row["source"]) for row in csv.DictReader(file)}
    use = {(row["title"], row["source"].split(" (blob")[0]): row["use"] for row in stored()}
    assert {use[photograph] for photograph in shown} <= {HELD_OUT, SHEET}
