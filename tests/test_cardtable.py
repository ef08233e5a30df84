"""The table and the schema of run cards: as the classes are, and of use to an editor."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from srlab.files import ASSETS
from srlab.runcard import SCHEMA, ModelSpec, RunCard, Stage, save_card
from srlab.runs.cardtable import (
    PARTS,
    meanings,
    to_schema,
    to_tables,
    write_both,
)

CHECK = [str(Path(sys.executable).with_name("check-jsonschema")), "-o", "json", "--schemafile"]


def test_those_in_the_package_are_up_to_date() -> None:
    """If not: python -m srlab.runs.cardtable, then make sums."""
    assert (ASSETS / SCHEMA).read_text(encoding="utf-8") == to_schema()
    assert (ASSETS / "cards" / "README.md").read_text(encoding="utf-8") == to_tables()


def test_both_can_be_written_anew(tmp_path: Path) -> None:
    (tmp_path / "cards").mkdir()
    write_both(tmp_path)
    assert (tmp_path / SCHEMA).read_text(encoding="utf-8") == to_schema()
    assert (tmp_path / "cards" / "README.md").read_text(encoding="utf-8") == to_tables()


@pytest.mark.parametrize("part", PARTS)
def test_every_field_says_what_it_means(part: type) -> None:
    assert set(part.model_fields) - {"kind"} == set(meanings(part))


def test_every_part_has_its_table() -> None:
    page = to_tables()
    for part in PARTS:
        for name in part.model_fields:
            assert re.search(
                rf"^\| `{name}` \| [^|]+ \| [^|]+ \| [^|]+ \|$", page, re.MULTILINE
            )
    refs = set(re.findall(r'"#/\$defs/(\w+)"', to_schema()))
    assert refs == {part.__name__ for part in PARTS} - {"RunCard"}


GOOD = [{}, {"model": {"num_features": 8}}, {"validation": "photos"}]
BAD = [{"sede": 1}, {"seed": -1}, {"validation": 0.9}, {"stages": [{"scale": 3}]}]


def test_an_editor_takes_good_cards_and_marks_bad_ones(tmp_path: Path) -> None:
    """By somebody else's validator, which looks at all of them in one call."""
    saved = RunCard(name="a", model=ModelSpec(), stages=[Stage()], validation=0.1)
    save_card(saved, tmp_path / "saved.json")
    for kind, cards in (("good", GOOD), ("bad", BAD)):
        for number, card in enumerate(cards):
            text = json.dumps({"name": "a", "stages": [{}], **card})
            (tmp_path / f"{kind}{number}.json").write_text(text)
    command = [*CHECK, str(ASSETS / SCHEMA), *map(str, tmp_path.iterdir())]
    done = subprocess.run(command, capture_output=True, text=True)
    said = json.loads(done.stdout)
    assert said["parse_errors"] == []
    marked = {Path(error["filename"]).stem for error in said["errors"]}
    assert marked == {f"bad{number}" for number in range(len(BAD))}
