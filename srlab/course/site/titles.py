"""The first heading of a page of the course."""

import json
import re
from pathlib import Path

HEADING = re.compile(r"^# (.+)$", re.MULTILINE)


def title_of(path: Path) -> str:
    """The first heading of a notebook or Markdown file; else its name.

    Raises:
        ValueError: if a notebook is damaged.

    Source: built by srlab.
    """
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        text = _markdown(text, path)
    found = HEADING.search(text)
    return found[1].replace("`", "").strip() if found else path.stem


def _markdown(text: str, path: Path) -> str:
    try:
        cells = json.loads(text)["cells"]
        texts = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]
    except (ValueError, KeyError, TypeError):
        raise ValueError(f"{path} is damaged: it cannot be read as a notebook.") from None
    return "\n".join(texts)
