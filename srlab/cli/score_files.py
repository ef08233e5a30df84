"""What ``srlab score`` writes: rows as CSV, and the enlarged pictures."""

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from torch import Tensor

from srlab.cli.batch import save_beside, tell_of_existing
from srlab.files import replacing, write_beside
from srlab.images import bytes_to_image
from srlab.scoring import Keep, Row, rows_to_csv


def picture_keeper(
    save: Path,
    scored: Path,
    models: Iterable[str],
    pictures: Iterable[str],
    *,
    overwrite: bool = False,
) -> Keep:
    """What writes each enlarged picture into a folder of its model.

    Args:
        save: where these folders are made; names go on as below ``scored``.
        scored: the folder that is scored, into which nothing is written.
        models, pictures: their names.
        overwrite: replace what is there.

    Raises:
        ValueError: if a result would lie among the scored pictures, where the
            next call would score it.
    """
    folders = {model: save / name for model, name in folder_names(models).items()}
    for folder in folders.values():
        if folder.resolve().is_relative_to(scored.resolve()):
            raise ValueError(
                f"{folder} lies in {scored}, where the next call would score its pictures, "
                f"too; give --save a folder elsewhere."
            )
    files = file_names(pictures)
    if not overwrite:
        every = [folder / file for folder in folders.values() for file in files.values()]
        tell_of_existing([path for path in every if path.exists()])

    def keep(model: str, picture: str, sr: Tensor) -> None:
        target = folders[model] / files[picture]
        save_beside(bytes_to_image(sr), target, overwrite=overwrite)

    return keep


def write_csv(rows: list[Row], path: Path, *, overwrite: bool = False) -> Path:
    """Write the rows, or beside ``path`` if it is there; returns where.

    Raises:
        OSError: if it cannot be written.
    """
    text = rows_to_csv(rows)

    def write(target: Path) -> None:
        with replacing(target, overwrite=overwrite) as part:
            part.write_text(text, encoding="utf-8")

    return write_beside(path, write, overwrite=overwrite)


def folder_names(models: Iterable[str]) -> dict[str, str]:
    """Model -> a name that a folder may have, for each another one.

    Example:
        >>> folder_names(["pixel-x4", "runs/a.safetensors", "runs_a"])
        {'pixel-x4': 'pixel-x4', 'runs/a.safetensors': 'runs_a', 'runs_a': 'runs_a-2'}
    """
    names: dict[str, str] = {}
    taken: Counter[str] = Counter()
    for model in models:
        plain = re.sub(r"[^\w.+-]+", "_", model.removesuffix(".safetensors")).strip("._")
        taken[plain] += 1
        names[model] = plain if taken[plain] == 1 else f"{plain}-{taken[plain]}"
    return names


def file_names(pictures: Iterable[str]) -> dict[str, str]:
    """Picture -> name of a PNG; where two differ by their ending, it keeps theirs.

    Example:
        >>> file_names(["a/b.jpg", "c.jpg", "c.png"])
        {'a/b.jpg': 'a/b.png', 'c.jpg': 'c.jpg.png', 'c.png': 'c.png.png'}
    """
    stems = {name: str(PurePosixPath(name).with_suffix("")) for name in pictures}
    counts = Counter(stem.casefold() for stem in stems.values())
    return {
        name: f"{stem if counts[stem.casefold()] == 1 else name}.png"
        for name, stem in stems.items()
    }
