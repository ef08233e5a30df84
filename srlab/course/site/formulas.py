"""Formulas as MathML, which a browser draws and reads out by itself."""

import re

from latex2mathml.converter import convert

# What latex2mathml would show as it stands, or letter by letter, in other words.
REWORDED = (
    (re.compile(r"\\mathrm\{(\w+)\}"), r"\\text{\1}"),
    (re.compile(r"\\_"), "_"),
    (re.compile(r"\\([lr])Vert\b"), "‖"),
)
LEFT_OVER = re.compile(r"\\\w+|\$")


def to_mathml(tex: str, *, block: bool = False) -> str:
    r"""A formula in TeX as MathML.

    Args:
        tex: without the dollars around it.
        block: on a line of its own.

    Raises:
        ValueError: if a command in it is not known.

    Example:
        >>> "<mfrac>" in to_mathml(r"\frac{1}{2}")
        True

    Source: built by srlab.
    """
    reworded = tex.strip()
    for pattern, words in REWORDED:
        reworded = pattern.sub(words, reworded)
    mathml = convert(reworded, display="block" if block else "inline")
    if left := LEFT_OVER.search(mathml):
        raise ValueError(
            f"The formula {tex.strip()!r} cannot be written as MathML, since {left[0]} is "
            f"not known; write it in another way."
        )
    return mathml
