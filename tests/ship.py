"""Put a trained network into the package, with its card and a page about it.

    python -m tests.ship RUN_FOLDER --data WORDS [--best] [--start NAME]
        [--set5 FOLDER] [--held-out FOLDER]
    python -m tests.ship scores [--set5 FOLDER] [--held-out FOLDER]

The weights go to ``srlab/assets/models/NAME.safetensors``, in float16 where
that costs less than 0.02 dB on the validation photographs, what repeats the
training to ``srlab/assets/cards/NAME.json``, and a page with data, time and
scores to ``srlab/assets/models/NAME.md``. Call ``make sums`` afterwards. ``scores``
measures the networks that are there again, and writes their pages' tables anew.
"""

import argparse
import copy
from pathlib import Path

import torch
from torch import nn

from srlab.checkpoints import load_checkpoint, load_weights, save_checkpoint
from srlab.data import load_folder, load_photos
from srlab.files import ASSETS, replacing
from srlab.runcard import RunCard, Stage, load_card, parse_card, save_card
from srlab.runs import CARD
from srlab.runs.resuming import FINISHED
from srlab.runs.watch import BEST
from srlab.scoring import SHOWN, Row, directions, score_models
from srlab.zoo import build_model, load_model

MAX_LOSS = 0.02
"""What float16 may cost, in dB."""

HELD_OUT = "the 24 [held-out photographs](PHOTOGRAPHS.md)"

DATA = "photographs"
"""What a shipped card calls the folder: ``srlab train CARD.json --data FOLDER``."""

SHEET = """
Beside the others on twelve crops that no network was trained on, input first, truth last
(`srlab sheet`):

![Twelve crops enlarged by each network](../sheet/sheet-x4.webp)
"""

PAGE = """# {name}

{what}. Made to learn from, and to enlarge photographs for the eye.

| | |
| --- | --- |
| network | {network}, {parameters:,} parameters, {stored} |
| trained on | {data} |
| begun from | {start} |
| stages | {stages} |
| took | {seconds} on {device}, {precision}, torch {torch}, beside other work |

{scores}{sheet}
**Train it again:** `srlab train srlab/assets/cards/{name}.json --data FOLDER`, with
photographs of your own in the folder. The seed is in the card; the result is as good as the
photographs.

**What it must not be used for.** What it adds to a picture is a guess: detail that fits, not
detail that was there. It is no evidence, of no use for a diagnosis, and no measurement. It has
seen inputs that were made by one known way of shrinking, and no noise; on a photograph that was
compressed, sharpened or enlarged before, it does worse than the figures say.

MIT, like the code; the photographs that it has seen keep their own licenses.
"""


def ship(
    run: Path,
    data: str,
    *,
    best: bool = False,
    start: str | None = None,
    set5: Path | None = None,
    held_out: Path | None = None,
    assets: Path = ASSETS,
) -> None:
    """Read a finished run, and write its three files; ``main`` says what is what."""
    checkpoint = load_checkpoint(run / (BEST if best else FINISHED))
    card = load_card(run / CARD)
    network = build_model(card.model, card.scale)
    load_weights(network, checkpoint.model, card.name)
    stored = lighter(network, card.scale)
    finished = parse_card({**card.model_dump(), "data": DATA, "start": start or card.start})
    folder = assets / "models"
    target = folder / f"{card.name}.safetensors"
    save_checkpoint(target, stored, card=finished.model_dump(), step=checkpoint.step)
    save_card(bare(finished), assets / "cards" / f"{card.name}.json")
    used = copy.deepcopy(stored).float()
    scores = all_rows(used, card, set5, held_out)
    with replacing(folder / f"{card.name}.md") as part:
        part.write_text(page(finished, stored, data, scores), encoding="utf-8")
    print(f"{target.name}: {target.stat().st_size / 1e6:.2f} MB")


def lighter(network: nn.Module, scale: int) -> nn.Module:
    """The network in float16, or as it is where that would cost too much."""
    photos = load_photos("embedded", "val")
    before = score_models(photos, {"own": network}, scale=scale)[1]["psnr_y"]
    whole = {name: value.clone() for name, value in network.state_dict().items()}
    rounded = {name: value.half().float() for name, value in whole.items()}
    network.load_state_dict(rounded)
    cost = before - score_models(photos, {"own": network}, scale=scale)[1]["psnr_y"]
    print(f"float16 costs {cost:+.4f} dB")
    if cost < MAX_LOSS:
        return network.half()
    network.load_state_dict(whole)
    return network


def bare(card: RunCard) -> RunCard:
    """What the training was told, without what it wrote into the card."""
    kept = {
        "name", "model", "data", "validation", "start", "seed", "precision", "stages",
        "side_by_side", "optimizer", "share", "ema",
    }  # fmt: skip
    return parse_card({k: v for k, v in card.model_dump().items() if k in kept})


def all_rows(
    network: nn.Module, card: RunCard, set5: Path | None, held_out: Path | None
) -> list[tuple[str, Row]]:
    """The scores of a page: on the test photographs, and on what folders are given."""
    sets = {"the three test photographs": load_photos("embedded", "test")}
    sets |= {"Set5": load_folder(set5)} if set5 else {}
    sets |= {HELD_OUT: load_folder(held_out)} if held_out else {}
    models = {card.name: network}
    return [
        (on, row)
        for on, photos in sets.items()
        for row in score_models(photos, models, scale=card.scale)
    ]


def page(card: RunCard, network: nn.Module, data: str, scores: list[tuple[str, Row]]) -> str:
    """The text about a network."""
    parameters = list(network.parameters())
    return PAGE.format(
        name=card.name,
        what=f"Enlarges photographs {card.scale} times",
        network=network_words(card),
        parameters=sum(p.numel() for p in parameters),
        stored="stored in float16" if parameters[0].dtype == torch.float16 else "in float32",
        data=data,
        start=start_words(card),
        stages=stages_words(card)
        + (", by Muon" if card.optimizer == "muon" else "")
        + share_words(card),
        seconds=f"{card.seconds / 60:.0f} minutes",
        device=f"{card.device}, {card.threads} thread{'s' * (card.threads != 1)}",
        precision=card.precision,
        torch=card.versions.get("torch", "?"),
        scores=scores_table(scores),
        sheet=SHEET if card.scale == 4 else "",
    )


def network_words(card: RunCard) -> str:
    model = card.model
    if model.kind == "unet":
        size = f"{model.num_features} features, {model.depth} halvings"
        return f"UNet, {model.encoder} encoder, {size}, {model.doubling}"
    return (
        f"SrResNet, {model.num_features} features, {model.num_blocks} blocks, {model.doubling}"
    )


def start_words(card: RunCard) -> str:
    if card.start == "untrained":
        return "random weights"
    return "its own former weights" if card.start == card.name else f"`{card.start}`"


def stages_words(card: RunCard) -> str:
    """All stages; those side by side that differ in their crops alone are said once."""
    words = [stage_words(stage) for stage in card.stages]
    if not card.side_by_side:
        return "; ".join(words)
    each = "; ".join(f"{words.count(text)} of {text}" for text in dict.fromkeys(words))
    return f"the mean of {len(words)} trainings side by side: {each}"


def stage_words(stage: Stage) -> str:
    weights = ", ".join(
        f"{name} {weight:g}" for name, weight in stage.weights.items() if weight
    )
    crops = f"{stage.batch_size} crops of {stage.hr_size} px"
    return (
        f"{stage.steps:,} steps at {stage.scale}x, {crops}, "
        f"learning rate {stage.learning_rate:g} ({stage.schedule}), {weights}"
        f"{feature_words(stage)}"
    )


def feature_words(stage: Stage) -> str:
    """Through which network style looks, where it is not the usual one."""
    looks_through = stage.features.weights if stage.features else "embedded"
    return "" if looks_through == "embedded" else f", seen by {looks_through}"


def share_words(card: RunCard) -> str:
    """How much of the way from the start is kept, where it is not all."""
    kept = f"of the way from `{card.start}` to what this made of it, {card.share:.0%} are kept"
    return f"; {kept}" if card.share < 1 else ""


def scores_table(scores: list[tuple[str, Row]]) -> str:
    """A table with bicubic beside the network, and the protocol below."""
    titles = [measure.title for measure in SHOWN.values()]
    lines = [_cells("on", "", *titles), _cells(*["---"] * (2 + len(titles)))]
    for on, row in scores:
        figures = [measure.text(row[name]) for name, measure in SHOWN.items()]
        lines.append(_cells(on, row["model"], *figures))
    return "\n".join(
        [*lines, "", f"{scores[0][1]['protocol']}. Best: {directions(SHOWN)}.", ""]
    )


def _cells(*texts: str) -> str:
    return f"| {' | '.join(texts)} |".replace("|  |", "| |")


def rescore(
    set5: Path | None = None, held_out: Path | None = None, assets: Path = ASSETS
) -> None:
    """Measure every network that has a page again, and replace the page's table."""
    for path in sorted((assets / "models").glob("*.safetensors")):
        target = path.with_suffix(".md")
        if target.exists():
            card = parse_card(load_checkpoint(path).card)
            network = load_model(path, card.scale).cpu()
            scores = all_rows(network, card, set5, held_out)
            text = with_scores(target.read_text(encoding="utf-8"), scores_table(scores))
            with replacing(target, overwrite=True) as part:
                part.write_text(text, encoding="utf-8")
            print(f"{target.name}\n{scores_table(scores)}")


def with_scores(text: str, table: str) -> str:
    """A page with another table of scores: from its head to the line that has the protocol."""
    start = text.index("| on | |")
    return text[:start] + table + text[text.index("\n", text.index(". Best: ")) + 1 :]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.ship", description=__doc__)
    parser.add_argument("run", type=Path, help="folder of a finished run, or scores")
    parser.add_argument("--data", help="what it was trained on, in words")
    parser.add_argument("--best", action="store_true", help="the best network, not the last")
    parser.add_argument(
        "--start", help="shipped name of what it began with, if that was a file"
    )
    parser.add_argument("--set5", type=Path, help="folder of the Set5 pictures")
    parser.add_argument("--held-out", type=Path, help="folder of the held-out photographs")
    options = parser.parse_args()
    if str(options.run) == "scores":
        return rescore(options.set5, options.held_out)
    if not options.data:
        parser.error("--data is missing: what was it trained on?")
    ship(
        options.run, options.data, best=options.best, start=options.start, set5=options.set5,
        held_out=options.held_out,
    )  # fmt: skip


if __name__ == "__main__":
    main()
