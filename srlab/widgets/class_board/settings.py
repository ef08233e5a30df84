"""What the cards of a class were trained with: a column for each weight, layer and rate."""

from collections.abc import Mapping, Sequence
from typing import get_args

from srlab.presets import LAYERS
from srlab.runcard import Change, RunCard, TermName, at_first_step, changes_while_running

MOST_COLUMNS = 8
"""More would make the table too wide; then only those that differ are shown."""

RATE, CHANGED = "learning rate", "changed while running"

Settings = Mapping[str, float]
"""Title of a column -> its number; one that is missing is off."""


def settings_of(card: RunCard) -> Settings:
    """What a card's last stage began with, and how often anything was changed later.

    What was set before the first step counts as the beginning.
    """
    start = at_first_step(card.stages[-1])
    return {
        **{f"weight {term}": weight for term, weight in start.weights.items()},
        **{f"layer {layer}": weight for layer, weight in start.layers.items()},
        RATE: start.learning_rate,
        CHANGED: len(all_changes(card)),
    }


def all_titles(cards: Sequence[Settings]) -> list[str]:
    """A column for each term, for each layer, for the rate and the changes."""
    named = {title for card in cards for title in card if title.startswith("layer ")}
    layers = sorted(named | {f"layer {layer}" for layer in LAYERS})
    return [*(f"weight {term}" for term in get_args(TermName)), *layers, RATE, CHANGED]


def shown_titles(cards: Sequence[Settings]) -> list[str]:
    """The columns that some card uses; of many only those in which cards differ."""
    found = {title: {card.get(title, 0.0) for card in cards} for title in all_titles(cards)}
    used = [title for title, numbers in found.items() if any(numbers)]
    if len(used) <= MOST_COLUMNS:
        return used
    return [title for title in used if len(found[title]) > 1 or title == CHANGED]


def all_changes(card: RunCard) -> list[Change]:
    """What was changed while the card's stages ran."""
    return [change for stage in card.stages for change in changes_while_running(stage)]
