"""A run card as a short program: plain Python, no widgets, the same weights."""

from collections.abc import Iterator

from srlab.runcard import WRITTEN, Part, RunCard, Stage

WIDTH = 92
NOT_REPEATED = {"kind", "format", "validate_every", "ema", *WRITTEN}
"""What a training writes into its card anew, what moves no weight, what goes without saying."""

PROGRAM = '''"""{name}: a training of {steps} with srlab, in plain Python.

Run it with: python THIS_FILE.py [OUT.safetensors]
"""

import sys

import torch

from srlab.checkpoints import {checkpoints}
{imports}
from srlab.machine import PRECISIONS, place, using_threads
{sources}from srlab.runcard import {parts}
from srlab.runs import on_this_machine
from srlab.scoring import format_rows, score_models
{judges}from srlab.runs.stages import {stages}
from srlab.training import cosine_schedule, train

CARD = on_this_machine(
    {card}
){photos}


def make_network(stage, weights):
    """The stage's network, with all weights of the one before that fit."""
    torch.manual_seed(CARD.seed)
    model = build_model(CARD.model, stage.scale)
    own = model.state_dict()
    fitting = {{n: w for n, w in weights.items() if n in own and own[n].shape == w.shape}}
    model.load_state_dict({{**own, **fitting}})
    return place(model, CARD.device)

{loss}
def train_stage(stage, weights):
    """All steps of a stage, with what was changed by hand on the way."""
    model = make_network(stage, weights)
    optimizer = torch.optim.Adam(model.parameters(), stage.learning_rate, fused=True)
    loss = make_loss(stage, CARD.device)
{data}
    falling = cosine_schedule(stage.learning_rate) if stage.schedule == "cosine" else None
    apply_changes(stage, [0], loss, optimizer)
    for step in train(
        model, data, loss, optimizer,
        steps=stage.steps, schedule=falling, precision=PRECISIONS[CARD.precision],
    ):
        apply_changes(stage, [step.number], loss, optimizer)
        if step.number % 50 == 0 or step.number == stage.steps:
            print(f"x{{stage.scale}}, step {{step.number}}: loss {{step.loss:.4f}}", flush=True)
    return model


if __name__ == "__main__":
    out = sys.argv[1] if len(sys.argv) > 1 else f"{{CARD.name}}.safetensors"
    weights = {start}
    with using_threads(CARD.threads):
        for stage in CARD.stages:
            model = train_stage(stage, weights)
            weights = model.state_dict()
    save_checkpoint(out, model, card=CARD.model_dump(), step=CARD.steps)
    photos = {validation}
    print(format_rows(score_models(photos, {{CARD.name: model}}, scale=CARD.scale)))
'''

EXPANDED_LOSS = '''
def make_loss(stage, device):
    """Pixel, content, style and total variation, each with its weight."""
    layers = stage.features.layers
    extractor = FeatureExtractor(list(layers), stage.features.weights, stage.features.pooling)
    return place(ExpandedLoss(extractor, stage.weights, layers), device)

'''


EMBEDDED_DATA = """    sizes = stage.hr_size // stage.scale, stage.hr_size
    data = get_data(
        stage.batch_size, sizes, source=CARD.data, seed=CARD.seed, device=CARD.device
    )"""
OWN_DATA = "    data = make_pairs(CARD, stage, PHOTOS.training)"


def to_python(card: RunCard) -> str:
    """A program that repeats a run card without widgets.

    It trains in a loop that one can read and change, and prints where it
    stands and at the end the scores beside bicubic's. The network goes into
    the file that its argument names.

    Args:
        card: any, with one stage or several.

    Returns:
        The program's text; ``python program.py out.safetensors`` runs it.

    Raises:
        ValueError: if the card wants averaged weights, a share of them or a
            mean of its stages, which the program does not keep.
    """
    if card.side_by_side:
        raise ValueError(
            f"{card.name} trains its stages side by side, but the program trains them one "
            f"after the other; train it with srlab train."
        )
    if card.ema:
        raise ValueError(
            f"{card.name} averages its weights (ema {card.ema:g}), but the program does not; "
            f"train it with srlab train, or set ema to 0."
        )
    if card.share < 1:
        raise ValueError(
            f"{card.name} keeps {card.share:g} of what it learns, but the program keeps all; "
            f"train it with srlab train, or set share to 1."
        )
    known = all(_is_known(stage) for stage in card.stages)
    trained = card.start != "untrained"
    embedded = card.data == "embedded" and card.validation in ("auto", "embedded")
    embedded = embedded and not any(stage.pool for stage in card.stages)
    imports = [
        *(["from srlab.data import get_data"] if embedded else []),
        *(["from srlab.features import FeatureExtractor"] if known else []),
        f"from srlab.zoo import build_model{', find_checkpoint' if trained else ''}",
        *(["from srlab.losses import ExpandedLoss"] if known else []),
    ]
    return PROGRAM.format(
        name=card.name,
        steps="1 step" if card.steps == 1 else f"{card.steps} steps",
        checkpoints=f"{'load_checkpoint, ' if trained else ''}save_checkpoint",
        imports="\n".join(imports),
        parts=", ".join(sorted(_parts(card))),
        stages=f"apply_changes{'' if known else ', make_loss'}",
        card=to_source(card, indent=4),
        sources="" if embedded else "from srlab.runs.photographs import gather, make_pairs\n",
        judges="from srlab.data import load_photos\n" if embedded else "",
        photos="" if embedded else "\nPHOTOS = gather(CARD)  # to learn from, and to judge by",
        data=EMBEDDED_DATA if embedded else OWN_DATA,
        validation='load_photos("embedded", "val")' if embedded else "PHOTOS.validation",
        loss=EXPANDED_LOSS if known else "",
        start="load_checkpoint(find_checkpoint(CARD.start)).model" if trained else "{}",
    )


def _is_known(stage: Stage) -> bool:
    """Whether the program shows how the stage's loss is made."""
    look = stage.features
    plain = look and not look.shifts and look.weights != "lite0"
    return bool(stage.is_expanded and plain and "spectrum" not in stage.weights)


def to_source(value: object, indent: int = 0) -> str:
    """A card, or a part of one, as the Python that makes it, ``indent`` columns in."""
    text = _on_one_line(value)
    if indent + len(text) <= WIDTH or not isinstance(value, Part | list | dict):
        return text
    opening, closing = _brackets(value)
    lines = [
        f"{' ' * (indent + 4)}{key}{to_source(item, indent + 4)},"
        for key, item in _items(value)
    ]
    return "\n".join([opening, *lines, " " * indent + closing])


def _on_one_line(value: object) -> str:
    if not isinstance(value, Part | list | dict):
        return repr(value)
    opening, closing = _brackets(value)
    items = ", ".join(f"{key}{_on_one_line(item)}" for key, item in _items(value))
    return f"{opening}{items}{closing}"


def _brackets(value: Part | list[object] | dict[str, object]) -> tuple[str, str]:
    if isinstance(value, Part):
        return f"{type(value).__name__}(", ")"
    return ("[", "]") if isinstance(value, list) else ("{", "}")


def _items(value: Part | list[object] | dict[str, object]) -> Iterator[tuple[str, object]]:
    """What stands between the brackets, each with what stands in front of it."""
    if isinstance(value, list):
        yield from (("", item) for item in value)
    elif isinstance(value, dict):
        yield from ((f"{key!r}: ", item) for key, item in value.items())
    else:
        for name in type(value).model_fields:
            item = getattr(value, name)
            if name not in NOT_REPEATED and item not in ({}, [], None):
                yield f"{name}=", item


def _parts(value: object) -> set[str]:
    """The classes whose names stand in the source of a value."""
    own = {type(value).__name__} if isinstance(value, Part) else set()
    inner = _items(value) if isinstance(value, Part | list | dict) else ()
    return own.union(*(_parts(item) for _, item in inner))
