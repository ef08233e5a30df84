"""Sliders that set the weights of a loss: logarithmic, and off at the left end."""

from collections.abc import Callable
from dataclasses import dataclass

from ipywidgets import FloatLogSlider, FloatSlider

from srlab.losses import Term, WeightedLoss, mix_weights

OFF = 1e-5
"""A logarithmic slider has no zero; its left end stands for it."""

LARGEST_WEIGHT = 100.0

# A logarithmic slider's page moves it to the nearest step and, if it updates
# continuously, sends that back: 0.05 would become 0.0501, shown or typed. So a drag
# counts when the mouse lets go; a key and a typed number count at once.
EXACT = {"continuous_update": False}


@dataclass(frozen=True)
class Dial:
    """A slider and what its value sets.

    Args:
        slider: what people move; a number can be typed into it too.
        apply: takes the slider's value; called by the worker alone.
    """

    slider: FloatSlider | FloatLogSlider
    apply: Callable[[float], None]


def weight_dials(loss: WeightedLoss) -> dict[str, Dial]:
    """A dial for each term, and for each layer of those that look at layers."""
    dials = {name: _weight_dial(loss.weights, name, "term") for name in loss.terms}
    for term in loss.terms.values():
        layers = layers_of(term)
        dials |= {name: _weight_dial(layers, name, "layer") for name in layers}
    return dials


def layers_of(term: Term) -> dict[str, float]:
    """The layer weights of a term that looks at layers; none for another.

    Not asked by class: a lesson retypes ``ContentLoss``, and its own has
    layers too.
    """
    weights: dict[str, float] = getattr(term, "layer_weights", {})
    return weights


def mix_dial(loss: WeightedLoss) -> Dial:
    """One dial that mixes L1 and L2."""
    slider = FloatSlider(
        value=0.0, min=0.0, max=1.0, step=0.05, description="L1 to L2",
        tooltip="Mix of the loss: 0 is L1 alone, 1 is L2 alone", readout_format=".2f",
    )  # fmt: skip
    return Dial(slider, lambda value: loss.weights.update(mix_weights(value)))


def rate_dial(value: float, apply: Callable[[float], None]) -> Dial:
    """A dial for the learning rate."""
    slider = FloatLogSlider(
        value=value, min=-5, max=-1, step=0.1, description="learning rate",
        tooltip="Step size of the optimizer", readout_format=".1e", **EXACT,
    )  # fmt: skip
    return Dial(slider, apply)


def as_weight(position: float) -> float:
    """The weight that a logarithmic slider's value stands for."""
    return 0.0 if position <= OFF * 1.001 else position


def as_position(weight: float, most: float = LARGEST_WEIGHT) -> float:
    """The value of a logarithmic slider that stands for a weight.

    Raises:
        ValueError: if the weight is beyond the slider's range.
    """
    if weight and not OFF < weight <= most:
        raise ValueError(
            f"A weight must be 0 (off) or between {OFF:g} and {most:g}, but got {weight:g}."
        )
    return weight or OFF


def require_in_reach(slider: FloatSlider | FloatLogSlider, value: float) -> None:
    """Raise unless a slider reaches a value; it would take the nearest without a word.

    Raises:
        ValueError: if it does not.
    """
    low, high = slider.min, slider.max
    if isinstance(slider, FloatLogSlider):
        low, high = slider.base**low, slider.base**high
    if not low <= value <= high:  # nor is NaN
        raise ValueError(
            f"The slider {slider.description!r} goes from {low:g} to {high:g}, "
            f"but got {value:g}."
        )


def _weight_dial(weights: dict[str, float], name: str, kind: str) -> Dial:
    slider = FloatLogSlider(
        value=as_position(weights[name]), min=-5, max=2, step=0.05, description=name,
        tooltip=f"Weight of the {kind} {name}; off at the left end", readout_format=".3",
        **EXACT,
    )  # fmt: skip

    def apply(position: float) -> None:
        weights[name] = as_weight(position)

    return Dial(slider, apply)
