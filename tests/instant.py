"""Make the instant network: train real ones, fit the mix between them, judge it.

    python -m tests.instant train FOLDER
    python -m tests.instant foretell FOLDER
    python -m tests.instant fit FOLDER
    python -m tests.instant judge FOLDER --set5 FOLDER [--sheet FILE.png]

``train`` makes a run of each setting in ``KNOWN`` with one seed, and of each in
``JUDGES``, which the fit never sees, with another: a minute or two of one
processor each. ``foretell`` shows how far each of ``KNOWN`` follows from the
others, ``fit`` writes ``instant-x4.safetensors``, and ``judge`` the table of the
page beside it. Call ``make sums`` afterwards.
"""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.utils import vector_to_parameters
from torchvision.transforms.functional import center_crop

from srlab.data import load_folder, load_photos
from srlab.files import replacing
from srlab.inference import enlarge_in_tiles
from srlab.instant import (
    FILE,
    LAYERS,
    PARENT,
    SCALE,
    InstantNetwork,
    nearness,
    parent_sha256,
    place_of,
)
from srlab.runcard import FeatureSpec, RunCard, Stage
from srlab.runs import run_card
from srlab.runs.resuming import FINISHED
from srlab.scoring import MEASURES, Scene, as_batch
from srlab.sheet import draw_sheet, read_crops, save_sheet
from srlab.zoo import load_model

Weights = dict[str, float]

DIRECTIONS = 6
"""With ten, two thirds larger, no setting of ``JUDGES`` got nearer by more than chance."""

REACH, NOISE = 0.6, 0.003
"""How far trainings resemble each other, and how much of one is chance.

Of several, those by which each training is foretold best by the others
(``foretell``). More noise would average more trainings, and a mean of networks
is blander than each.
"""

FITTED_SEED, JUDGING_SEED = 0, 1

PAGE = FILE.with_suffix(".md")
KINDS = ("instant", "trained")
MEASURED = {"psnr_y": "{:.2f} dB", "sharpness": "{:.2f}", "ridge": "{:.2f}"}
SHOWN_CROPS = ("face", "fur", "text", "leaves")


def setting(content: float = 0, style: float = 0, tv: float = 0) -> Weights:
    return {"pixel": 1.0, "content": content, "style": style, "tv": tv}


KNOWN = [
    setting(),
    setting(content=0.006), setting(content=0.035), setting(content=0.15),
    setting(style=0.12), setting(style=0.45), setting(style=1.8),
    setting(tv=0.08), setting(tv=0.3), setting(tv=0.8),
    setting(0.012, 0.35), setting(0.05, 1.5), setting(0.04, tv=0.25),
    setting(style=0.5, tv=0.2), setting(style=2, tv=0.3),
    setting(0.012, 0.08, 0.1), setting(0.01, 1, 0.1), setting(0.04, 0.4, 0.35),
    setting(0.1, 0.6, 0.8),
]  # fmt: skip
"""What the mix is fitted to."""

JUDGES = [
    setting(content=0.02), setting(style=0.7), setting(tv=0.15),
    setting(0.025, 0.15, 0.2), setting(style=1.2, tv=0.1),
]  # fmt: skip
"""Chosen before anything was trained; the fourth was the preset "this course" then."""


def card_of(weights: Weights, seed: int) -> RunCard:
    """What "trained with these weights" means here."""
    stage = {
        "scale": SCALE, "hr_size": 64, "batch_size": 4, "steps": 500, "learning_rate": 3e-4,
        "weights": weights, "features": FeatureSpec(layers=LAYERS),
    }  # fmt: skip
    return RunCard(
        name=name_of(weights, seed), start=PARENT, seed=seed, precision="bf16", threads=1,
        validate_every=0, stages=[Stage.model_validate(stage)],
    )  # fmt: skip


def name_of(weights: Weights, seed: int) -> str:
    """Such as ``pixel1-style0.7-seed1``."""
    parts = [f"{name}{weight:g}" for name, weight in weights.items() if weight]
    return "-".join([*parts, f"seed{seed}"])


def train_all(folder: Path) -> None:
    """Make the runs that are not there yet."""
    seeds = {FITTED_SEED: KNOWN, JUDGING_SEED: JUDGES}
    for card in [card_of(w, seed) for seed, known in seeds.items() for w in known]:
        if not (folder / card.name / FINISHED).exists():
            run_card(card, folder / card.name, resume=True, say=print)
            print(card.name, flush=True)


def trained(folder: Path, weights: Weights, seed: int) -> nn.Module:
    return load_model(folder / name_of(weights, seed) / FINISHED, SCALE).cpu()


def vector(network: nn.Module) -> Tensor:
    """All parameters in a row, in the order that ``InstantNetwork`` splits."""
    return torch.cat([value.detach().flatten() for value in network.parameters()])


def fit(folder: Path, target: Path = FILE) -> None:
    """Fit the mix to the known trainings, and write directions and mix."""
    known, moved = places(), known_trainings(folder)
    directions = torch.linalg.svd(moved, full_matrices=False).Vh[:DIRECTIONS]
    directions *= directions.shape[1] ** 0.5  # numbers around 1
    amounts = moved @ directions.T / directions.shape[1]  # (N, K)
    mean, mixing = regression(known, amounts)
    tensors = {**in_8_bits(directions), "known": known, "mean": mean, "mixing": mixing}
    about = {"parent_sha256": parent_sha256(), "reach": REACH, "known": KNOWN}
    contiguous = {name: values.contiguous() for name, values in tensors.items()}
    with replacing(target) as part:
        save_file(contiguous, part, {"instant": json.dumps(about)})
    print(f"{target.name}: {target.stat().st_size / 1e6:.2f} MB")


def in_8_bits(directions: Tensor) -> dict[str, Tensor]:
    """The directions in whole steps, and how large a step is: half of float16's bytes."""
    step = directions.abs().max() / 127
    return {"directions": (directions / step).round().to(torch.int8), "step": step}


def places() -> Tensor:
    return torch.stack([place_of(weights) for weights in KNOWN])  # (N, 4)


def known_trainings(folder: Path) -> Tensor:
    """How far each went from the parent: ``(N, P)``."""
    start = vector(load_model(PARENT, SCALE).cpu())
    return torch.stack([vector(trained(folder, w, FITTED_SEED)) - start for w in KNOWN])


def regression(known: Tensor, found: Tensor) -> tuple[Tensor, Tensor]:
    """What the mix needs so that it meets what was found at the known places.

    Args:
        known: ``(N, 4)``.
        found: ``(N, K)``.

    Returns:
        The mean ``(K,)``, and what the nearness to each known place brings,
        ``(N, K)``.

    Source: Rasmussen & Williams 2006, equation 2.25.
    """
    alike = nearness(known[:, None], known, REACH).double()  # (N, N), nearly singular
    alike += NOISE * torch.eye(len(known))
    mean = found.mean(0)
    return mean, torch.linalg.solve(alike, (found - mean).double()).float()


def foretell(folder: Path) -> None:
    """How well each known training is foretold by the others: what REACH was chosen by."""
    known, moved, scenes = places(), known_trainings(folder), unseen_scenes()
    for i, weights in enumerate(KNOWN):
        others = [j for j in range(len(KNOWN)) if j != i]
        mean, mixing = regression(known[others], moved[others])
        foretold = mean + nearness(known[i], known[others], REACH) @ mixing
        instant, real = (figures(moved_by(step), scenes) for step in (foretold, moved[i]))
        gaps = [f"{n} {instant[n] - real[n]:+.3f}" for n in MEASURED]
        print(words_for(weights), *gaps, sep=", ", flush=True)


def unseen_scenes() -> list[Scene]:
    """The middle of each photograph of the package that nothing was trained with."""
    photos = [
        *load_photos("embedded", "val").values(),
        *load_photos("embedded", "test").values(),
    ]
    return [Scene(center_crop(as_batch(photo), [256, 256]), SCALE) for photo in photos]


def figures(network: nn.Module, scenes: list[Scene]) -> dict[str, float]:
    """Means over scenes, of enlargements as they are stored."""
    rows = [
        scene.judge(as_batch(enlarge_in_tiles(network, scene.lr, scale=SCALE)), only=MEASURED)
        for scene in scenes
    ]
    return {name: sum(row[name] for row in rows) / len(rows) for name in MEASURED}


def moved_by(step: Tensor) -> nn.Module:
    """The parent, with all parameters moved."""
    network = load_model(PARENT, SCALE).cpu()
    vector_to_parameters(vector(network) + step, network.parameters())
    return network


def judge(folder: Path, set5: Path, sheet: Path | None = None) -> None:
    """Measure the mix against trainings it was not fitted to; renew the page's table."""
    models = {
        f"{words_for(weights)}, {kind}": network
        for weights in JUDGES
        for kind, network in zip(KINDS, both(folder, weights), strict=True)
    }
    scenes = [Scene(as_batch(photo), SCALE) for photo in load_folder(set5).values()]
    rows = {name: figures(network, scenes) for name, network in models.items()}
    table = table_of(rows, [words_for(weights) for weights in JUDGES])
    print(table)
    if PAGE.exists():
        text = with_table(PAGE.read_text(encoding="utf-8"), table)
        with replacing(PAGE) as part:
            part.write_text(text, encoding="utf-8")
    if sheet:
        crops = [crop for crop in read_crops() if crop.shows in SHOWN_CROPS]
        save_sheet(draw_sheet(crops, models, scale=SCALE, zoom=2), sheet, overwrite=True)


def both(folder: Path, weights: Weights) -> tuple[nn.Module, nn.Module]:
    """The network from the mix, and the one really trained."""
    instant = InstantNetwork()
    instant.set(weights)
    return instant.network, trained(folder, weights, JUDGING_SEED)


def words_for(weights: Weights) -> str:
    """Such as ``style 1.2, tv 0.1``; pixel is 1 in all of them."""
    return ", ".join(f"{n} {w:g}" for n, w in weights.items() if w and n != "pixel")


def table_of(rows: Mapping[str, Mapping[str, float]], settings: list[str]) -> str:
    """Instant and trained side by side, measure by measure."""
    names = list(MEASURED)
    heads = [f"{MEASURES[n].title}: {kind}" for n in names for kind in KINDS]
    lines = [["pixel 1 and", *heads], ["---"] * (1 + len(heads))]
    for words in settings:
        cells = [MEASURED[n].format(rows[f"{words}, {k}"][n]) for n in names for k in KINDS]
        lines.append([words, *cells])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def with_table(text: str, table: str) -> str:
    """A page with another table, which ends at an empty line."""
    start = text.index("| pixel 1 and |")
    return text[:start] + table + text[text.index("\n\n", start) + 1 :]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.instant", description=__doc__)
    parser.add_argument("job", choices=("train", "foretell", "fit", "judge"))
    parser.add_argument("folder", type=Path, help="where the runs are")
    parser.add_argument("--set5", type=Path, help="folder of the Set5 pictures")
    parser.add_argument("--sheet", type=Path, help="where to draw both side by side")
    options = parser.parse_args()
    if options.job == "train":
        train_all(options.folder)
    elif options.job == "foretell":
        foretell(options.folder)
    elif options.job == "fit":
        fit(options.folder)
    elif not options.set5:
        parser.error("--set5 is missing: on which pictures?")
    else:
        judge(options.folder, options.set5, options.sheet)


if __name__ == "__main__":
    main()
