"""Put a trained network into the package, with its card and a page about it.

    python -m tests.ship RUN_FOLDER --data WORDS [--best] [--start NAME] [--set5 FOLDER]
    python -m tests.ship ATTRIBUTION.csv
    python -m tests.ship scores [--set5 FOLDER]

The weights go to ``srlab/assets/models/NAME.safetensors``, in float16 where
that costs less than 0.02 dB on the validation photographs, what repeats the
training to ``srlab/assets/cards/NAME.json``, and a page with data, time and
scores to ``srlab/assets/models/NAME.md``. Call ``make sums`` afterwards. ``scores``
measures the networks that are there again, and writes their pages' tables anew.
"""

import argparse
import copy
import csv
from pathlib import Path

import torch
from torch import nn

from srlab.checkpoints import load_checkpoint, load_weights, save_checkpoint
from srlab.family import SHOWN
from srlab.files import replacing
from srlab.inference import build_model, load_model
from srlab.measures import directions
from srlab.resuming import FINISHED
from srlab.runcard import RunCard, Stage, load_card, parse_card, save_card
from srlab.runs import CARD
from srlab.scoring import Row, score_models
from srlab.sources import ASSETS, load_folder, load_photos
from srlab.watch import BEST

MOST_LOSS = 0.02
"""What float16 may cost, in dB."""

DATA = "photographs"
"""What a shipped card calls the folder: ``srlab train CARD.json --data FOLDER``."""

PAGE = """# {name}

{what}. Made to learn from, and to enlarge photographs for the eye.

| | |
| --- | --- |
| network | {network}, {parameters:,} parameters, {stored} |
| trained on | {data} |
| begun from | {start} |
| stages | {stages} |
| took | {seconds} on {device}, {precision}, torch {torch}, beside other work |

{scores}
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
    assets: Path = ASSETS,
) -> None:
    """Read a finished run, and write its three files.

    Args:
        run: its folder.
        data: what it was trained on, in words.
        best: take the best network, not the last.
        start: the shipped name of what it began with, where the card has a file.
        set5: folder of the Set5 pictures, to score on.
        assets: where the files go.
    """
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
    scores = [*test_rows(used, card), *set5_rows(used, card, set5)]
    with replacing(folder / f"{card.name}.md") as part:
        part.write_text(page(finished, stored, data, scores), encoding="utf-8")
    print(f"{target.name}: {target.stat().st_size / 1e6:.2f} MB")


CREDITS = """# Photographs that the larger networks have seen

Beside the 17 training photographs of this package, `pixel-x2`, `pixel-x4`, `pixel-x8`,
`perceptual-x4` and `unet-x4` were trained on those below. They are not part of the package.

| title | author | license | from |
| --- | --- | --- | --- |
"""


def credit(table: Path, assets: Path = ASSETS) -> None:
    """Write who took the photographs that are not in the package.

    Args:
        table: CSV with the columns title, author, licence and source.
        assets: where the page goes.
    """
    with table.open(encoding="utf-8", newline="") as file:
        rows = [
            f"| {row['title']} | {row['author']} | {row['licence']} | {row['source']} |\n"
            for row in csv.DictReader(file)
        ]
    with replacing(assets / "models" / "PHOTOGRAPHS.md") as part:
        part.write_text(CREDITS + "".join(rows), encoding="utf-8")


def lighter(network: nn.Module, scale: int) -> nn.Module:
    """The network in float16, or as it is where that would cost too much."""
    photos = load_photos("embedded", "val")
    before = score_models(photos, {"own": network}, scale=scale)[1]["psnr_y"]
    whole = {name: value.clone() for name, value in network.state_dict().items()}
    rounded = {name: value.half().float() for name, value in whole.items()}
    network.load_state_dict(rounded)
    cost = before - score_models(photos, {"own": network}, scale=scale)[1]["psnr_y"]
    print(f"float16 costs {cost:+.4f} dB")
    if cost < MOST_LOSS:
        return network.half()
    network.load_state_dict(whole)
    return network


def bare(card: RunCard) -> RunCard:
    """What the training was told, without what it wrote into the card."""
    kept = {
        "name", "model", "data", "validation", "start", "seed", "precision", "stages", "ema",
    }  # fmt: skip
    return parse_card({k: v for k, v in card.model_dump().items() if k in kept})


def test_rows(network: nn.Module, card: RunCard) -> list[tuple[str, Row]]:
    photos = load_photos("embedded", "test")
    rows = score_models(photos, {card.name: network}, scale=card.scale)
    return [("the three test photographs", row) for row in rows]


def set5_rows(network: nn.Module, card: RunCard, folder: Path | None) -> list[tuple[str, Row]]:
    if folder is None:
        return []
    rows = score_models(load_folder(folder), {card.name: network}, scale=card.scale)
    return [("Set5", row) for row in rows]


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
        start="random weights" if card.start == "untrained" else f"`{card.start}`",
        stages="; ".join(stage_words(stage) for stage in card.stages),
        seconds=f"{card.seconds / 60:.0f} minutes",
        device=f"{card.device}, {card.threads} thread{'s' * (card.threads != 1)}",
        precision=card.precision,
        torch=card.versions.get("torch", "?"),
        scores=scores_table(scores),
    )


def network_words(card: RunCard) -> str:
    model = card.model
    if model.kind == "unet":
        size = f"{model.num_features} features, {model.depth} halvings"
        return f"UNet, {model.encoder} encoder, {size}, {model.doubling}"
    return (
        f"SrResNet, {model.num_features} features, {model.num_blocks} blocks, {model.doubling}"
    )


def stage_words(stage: Stage) -> str:
    weights = ", ".join(
        f"{name} {weight:g}" for name, weight in stage.weights.items() if weight
    )
    crops = f"{stage.batch_size} crops of {stage.hr_size} px"
    return (
        f"{stage.steps:,} steps at {stage.scale}x, {crops}, "
        f"learning rate {stage.learning_rate:g} ({stage.schedule}), {weights}"
    )


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


def rescore(set5: Path | None, assets: Path = ASSETS) -> None:
    """Measure every network that has a page again, and replace the page's table.

    Args:
        set5: folder of the Set5 pictures; without it the table is of the test
            photographs alone.
        assets: where networks and pages are.
    """
    for path in sorted((assets / "models").glob("*.safetensors")):
        target = path.with_suffix(".md")
        if target.exists():
            card = parse_card(load_checkpoint(path).card)
            network = load_model(path, card.scale).cpu()
            scores = [*test_rows(network, card), *set5_rows(network, card, set5)]
            text = with_scores(target.read_text(encoding="utf-8"), scores_table(scores))
            with replacing(target, overwrite=True) as part:
                part.write_text(text, encoding="utf-8")
            print(f"{target.name}\n{scores_table(scores)}")


def with_scores(text: str, table: str) -> str:
    """A page with another table of scores: from its head to what follows the protocol."""
    before, after = text.index("| on | |"), text.index("\n**Train it again")
    return text[:before] + table + text[after:]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.ship", description=__doc__)
    parser.add_argument(
        "run", type=Path, help="folder of a finished run, a CSV table, or scores"
    )
    parser.add_argument("--data", help="what it was trained on, in words")
    parser.add_argument("--best", action="store_true", help="the best network, not the last")
    parser.add_argument(
        "--start", help="shipped name of what it began with, if that was a file"
    )
    parser.add_argument("--set5", type=Path, help="folder of the Set5 pictures")
    options = parser.parse_args()
    if options.run.suffix == ".csv":
        return credit(options.run)
    if str(options.run) == "scores":
        return rescore(options.set5)
    if not options.data:
        parser.error("--data is missing: what was it trained on?")
    ship(options.run, options.data, best=options.best, start=options.start, set5=options.set5)


if __name__ == "__main__":
    main()
