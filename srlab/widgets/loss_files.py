"""What the Loss Lab reads from people and writes for them: names, cards, programs, shares."""

import math
import re
from collections.abc import Sequence
from pathlib import Path

from srlab.files import replacing
from srlab.losses import EXPANDED_TERMS
from srlab.runcard import NAME, RunCard, save_card

FOLDER = "my-runs"
"""Beside the notebook."""


def read_shares(text: str, terms: Sequence[str] = EXPANDED_TERMS) -> dict[str, float]:
    """Shares that somebody typed, one for each term, in any unit.

    Raises:
        ValueError: if they are not as many numbers as terms, each at least 0
            and one above it.

    Example:
        >>> read_shares("50/40/5/5")
        {'pixel': 50.0, 'content': 40.0, 'style': 5.0, 'tv': 5.0}
    """
    wanted = (
        f"{len(terms)} numbers for {', '.join(terms)} with a slash between them, "
        f"such as 50/40/5/5"
    )
    try:
        shares = [float(part.strip().removesuffix("%")) for part in text.split("/")]
    except ValueError:
        raise ValueError(f"The shares must be {wanted}, but got {_quoted(text)}.") from None
    if len(shares) != len(terms) or not all(math.isfinite(s) and s >= 0 for s in shares):
        raise ValueError(f"The shares must be {wanted}, but got {_quoted(text)}.")
    if not any(shares):
        raise ValueError("All shares are 0, but one at least must be above it.")
    return dict(zip(terms, shares, strict=True))


def require_name(name: str) -> str:
    """A name that a card and a file can have.

    Raises:
        ValueError: for any other.
    """
    if not re.fullmatch(NAME, name):
        raise ValueError(
            f"A run is named with letters, digits, -, _ and dots, at most 64, a letter or "
            f"digit first and no dot last, but got {_quoted(name)}."
        )
    return name


def write_card(card: RunCard) -> Path:
    """Write a card to ``my-runs/<its name>.json``; the full path.

    Raises:
        OSError: if it cannot be written.
    """
    path = _path(f"{card.name}.json")
    save_card(card, path)
    return path


def write_program(text: str, name: str) -> Path:
    """Write a program to ``my-runs/<name>.py``; the full path.

    Raises:
        OSError: if it cannot be written.
    """
    path = _path(f"{name}.py")
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8")
    return path


def _path(name: str) -> Path:
    """A file in the folder for runs, which is made if it is missing."""
    folder = Path.cwd() / FOLDER
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise type(error)(f"{folder} could not be made: {error.strerror}.") from None
    return folder / name


def _quoted(text: str) -> str:
    shown = text if len(text) <= 40 else text[:37] + "..."
    return repr(shown)
