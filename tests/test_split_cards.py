"""The cards that split what is missing to the field: each changes one thing."""

import re
from typing import Any

import pytest

from srlab.files import ASSETS, SHIPPED
from srlab.runcard import load_card

FOLDER = ASSETS / "cards" / "split"
CHANGED = {
    "data": set(),  # the folder that is named with --data
    "embedded": {"data"},
    "steps": {"steps"},
    "crops": {"hr_size", "batch_size"},  # as many pixels in a step
    "batch": {"batch_size"},
    "width": {"num_features"},
    "depth": {"num_blocks"},
    "start": {"start"},
    "average": {"ema"},
    "optimizer": {"optimizer"},
    "loss": {"weights"},
}


def settings(name: str) -> dict[str, Any]:
    """All that a card says, in one dictionary; its stage is the only one."""
    card = load_card(FOLDER / f"{name}.json").model_dump()
    model, (stage,) = card.pop("model"), card.pop("stages")
    assert card["name"] == f"split-{name}"
    return {**card, **model, **stage}


def test_each_card_is_known() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == {"base", *CHANGED}


@pytest.mark.parametrize("name", CHANGED)
def test_a_card_changes_one_thing(name: str) -> None:
    base, own = settings("base"), settings(name)
    assert {key for key in base if base[key] != own[key]} - {"name"} == CHANGED[name]


def test_the_page_says_how_each_is_trained() -> None:
    text = (SHIPPED / "README.md").read_text(encoding="utf-8")
    named = re.findall(r"`srlab train srlab/assets/cards/split/(\w+)\.json", text)
    assert sorted(named) == sorted(["base", *CHANGED])
