"""The Loss Lab's controls: what a person moves, chooses, types and presses."""

from collections.abc import Iterable, Mapping, Sequence
from math import log10
from typing import Any

from ipywidgets import (
    HTML,
    Button,
    Dropdown,
    FloatLogSlider,
    HBox,
    Layout,
    Text,
    VBox,
)

from srlab.losses import EXPANDED_TERMS
from srlab.runcard import MAX_BYTES
from srlab.widgets.dials import EXACT, LARGEST_WEIGHT, OFF, rate_dial
from srlab.widgets.ledger_view import HEAD
from srlab.widgets.parts import TEXT, action_button
from srlab.widgets.upload import Take, upload_button

LARGEST_TERM_WEIGHT = 1e4
"""Gram matrices are small numbers, so the style term may need a large weight."""
OWN = "set by hand"
"""What the menu of presets says while the weights are those of none."""
# Not Layout objects: those would be shared, and closed along with the first lab.
WRAP = {"flex_flow": "row wrap"}
GROUP = {"flex": "1 1 236px", "max_width": "326px", "margin": "0 12px 4px 0"}


def make_dials(layers: Iterable[str]) -> dict[str, FloatLogSlider]:
    """A slider for each term, for each layer, and for the learning rate."""
    dials = {name: _weight_slider(name, "term", LARGEST_TERM_WEIGHT) for name in EXPANDED_TERMS}
    dials |= {name: _weight_slider(name, "layer", LARGEST_WEIGHT) for name in layers}
    dials["learning_rate"] = rate_dial(1e-3, lambda _: None).slider
    for name, slider in dials.items():
        slider.layout.width = "auto"
        slider.style.description_width = "92px"
        slider.add_class(f"srlab-{name.replace('_', '-')}")
    dials["learning_rate"].layout.max_width = "326px"  # as wide as those in a column
    return dials


def largest_weight_of(name: str) -> float:
    """The largest weight that a slider has."""
    return LARGEST_TERM_WEIGHT if name in EXPANDED_TERMS else LARGEST_WEIGHT


def place_on_slider(weight: float, most: float) -> float:
    """Where a slider stands for a weight; at its nearest end if it is beyond it."""
    return min(max(weight, OFF), most)


def menu(
    label: str,
    tooltip: str,
    options: Sequence[str] = (),
    width: str = "250px",
    description: str = "80px",
) -> Any:
    """A menu with its label beside it."""
    dropdown = Dropdown(options=list(options), description=label, tooltip=tooltip)
    dropdown.layout.width = width
    dropdown.style.description_width = description
    return dropdown.add_class(f"srlab-{_classed(label)}")


def field(label: str, tooltip: str, value: str = "", width: str = "220px") -> Any:
    """A line to type in, with its label beside it."""
    text = Text(value=value, description=label, tooltip=tooltip)
    text.layout.width = width
    return text.add_class(f"srlab-{_classed(label)}")


def upload(take: Take) -> Any:
    """The button that reads a card."""
    button = upload_button(
        "Load card", take, tooltip="Read a run card, a JSON file; Start then repeats its run",
        accept=".json,application/json", wanted="a run card, a JSON file",
        limit=MAX_BYTES, advice="choose the JSON file of a card.",
    )  # fmt: skip
    return button.add_class("srlab-load-card")


def title(text: str) -> HTML:
    """A line above a group of controls, as high as the ledger's head."""
    return HTML(
        f'<div style="{TEXT} height: {HEAD}px; color: var(--jp-ui-font-color2, #595959)">'
        f"{text}</div>",
        layout=Layout(margin="0 0 0 2px"),
    )


def column(text: str, controls: Iterable[Any]) -> VBox:
    """Controls one above the other under a title."""
    return VBox([title(text), *controls], layout=GROUP)


def row(*controls: Any) -> HBox:
    """Controls side by side, on more lines where the page is narrow."""
    return HBox(list(controls), layout=WRAP)


def button(label: str, icon: str, tooltip: str, action: Any, width: str = "") -> Button:
    """A button that is as wide as its label needs."""
    made = action_button(label, icon, tooltip, action)
    made.layout.width = width or "auto"
    return made


def relabel(dropdown: Any, options: Mapping[str, str], value: str) -> None:
    """Offer label -> value; touch only what is different, or an open menu would close."""
    pairs = tuple(options.items())
    if tuple(dropdown.options) != pairs:
        dropdown.options = pairs
    if dropdown.value != value:
        dropdown.value = value


def _weight_slider(name: str, kind: str, most: float) -> FloatLogSlider:
    return FloatLogSlider(
        value=1.0, min=-5, max=round(log10(most)), step=0.05, description=name,
        tooltip=f"Weight of the {kind} {name}; off at the left end", readout_format=".3",
        **EXACT,
    )  # fmt: skip


def _classed(label: str) -> str:
    return label.lower().replace(" ", "-")
