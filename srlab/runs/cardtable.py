"""What a run card can say, for people as a table and for editors as a JSON Schema.

Both are made from the classes of ``srlab.runcard`` and their docstrings, and
lie in ``srlab/assets``; a test compares. ``python -m srlab.runs.cardtable`` writes
them anew.
"""

import inspect
import json
import re
from pathlib import Path
from typing import Any

from srlab.files import ASSETS, replacing
from srlab.runcard import (
    SCHEMA,
    Change,
    FeatureSpec,
    ModelSpec,
    Part,
    Photographs,
    RunCard,
    Stage,
    UNetSpec,
)

PARTS: dict[type[Part], str] = {
    RunCard: "The card",
    ModelSpec: '`model` of the kind "srresnet"',
    UNetSpec: '`model` of the kind "unet"',
    Stage: "Each of the `stages`",
    FeatureSpec: "`features` of a stage",
    Change: "Each of the `changes` of a stage",
    Photographs: "`photographs`, as a training writes them",
}

PAGE = """# Run cards

A run card is a JSON file that says all that is needed to repeat a training, and afterwards what
came of it. The cards here are those of the networks in the package; the smallest has a name and
one stage: `{{"name": "mine", "stages": [{{}}]}}`. A field that is left out has its default; one
that is unknown is refused. `"$schema"` is for editors, which find the schema beside a finished
card and help who changes it; the package has it as `srlab/assets/{schema}`.

{tables}"""


def to_schema() -> str:
    """The JSON Schema of a run card, as text."""
    schema = RunCard.model_json_schema()
    model = schema["properties"]["model"]
    model["anyOf"] = model.pop("oneOf")  # a card that names no kind fits both
    schema["properties"]["$schema"] = {
        "type": "string",
        "description": "for editors; of no meaning for a training",
    }
    _describe(schema, RunCard)
    for part in PARTS:
        if part.__name__ in schema["$defs"]:
            _describe(schema["$defs"][part.__name__], part)
    full = {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
    return json.dumps(full, indent=2) + "\n"


def to_tables() -> str:
    """A page with a table of the fields of each part of a run card, as Markdown."""
    tables = "\n".join(_table(part, title) for part, title in PARTS.items())
    return PAGE.format(schema=SCHEMA, tables=tables)


def write_schema(folder: Path) -> None:
    """Write the schema beside a card, where the card's ``$schema`` looks for it."""
    with replacing(folder / SCHEMA) as part:
        part.write_text(to_schema(), encoding="utf-8")


def write_both(assets: Path = ASSETS) -> None:
    """Write schema and page into a folder of assets."""
    write_schema(assets)
    (assets / "cards" / "README.md").write_text(to_tables(), encoding="utf-8")


def meanings(part: type[Part]) -> dict[str, str]:
    """Field -> what it means, by the docstring of its class.

    Example:
        >>> meanings(Photographs)["validation"]
        'how many it was judged by.'
    """
    text = inspect.getdoc(part) or ""
    entries = re.findall(r"^    (\w+): (.*(?:\n {8}.*)*)", text, re.MULTILINE)
    return {name: " ".join(words.split()).replace("``", "`") for name, words in entries}


def _describe(schema: dict[str, Any], part: type[Part]) -> None:
    """Put the meanings beside the types, and the class's first line on top."""
    schema["description"] = (inspect.getdoc(part) or "").split("\n\n")[0].replace("``", "`")
    for name, words in meanings(part).items():
        schema["properties"][name]["description"] = words


def _table(part: type[Part], title: str) -> str:
    """One part: a row for each field."""
    schema = part.model_json_schema()
    words = meanings(part)
    rows = [
        f"| `{name}` | {_kind(field)} | {_default(name, schema, field)} "
        f"| {words.get(name, 'which of the two networks')} |"
        for name, field in schema["properties"].items()
    ]
    head = ["| field | type | default | meaning |", "| --- | --- | --- | --- |"]
    return "\n".join([f"## {title}", "", *head, *rows, ""])


def _default(name: str, schema: dict[str, Any], field: dict[str, Any]) -> str:
    if name in schema.get("required", ()):
        return "must be given"
    if name == "learning_rate" and "schedule" in schema["properties"]:
        return "0.002, with a UNet 0.0003"
    return f"`{json.dumps(field['default'])}`"


def _kind(field: dict[str, Any]) -> str:
    """A field's type in words."""
    if "$ref" in field:
        return f"a part, see below ({field['$ref'].rsplit('/', 1)[-1]})"
    if "anyOf" in field or "oneOf" in field:
        return " or ".join(_kind(one) for one in field.get("anyOf") or field["oneOf"])
    if "const" in field or "enum" in field:
        values = field.get("enum") or [field["const"]]
        return ", ".join(f"`{json.dumps(value)}`" for value in values)
    if field["type"] == "array":
        return f"list: {_kind(field['items'])}"
    if field["type"] == "object":
        values = [
            field.get("additionalProperties"),
            *field.get("patternProperties", {}).values(),
        ]
        return f"{{name: {_kind(next(filter(None, values)))}}}"
    words = {"integer": "whole number", "string": "text", "null": "`null`"}
    return words.get(field["type"], field["type"]) + _limits(field)


def _limits(field: dict[str, Any]) -> str:
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    return "".join(
        f" {sign} {field[key]:,}".rstrip() for key, sign in signs.items() if key in field
    )


if __name__ == "__main__":
    write_both()
