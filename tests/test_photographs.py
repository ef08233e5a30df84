"""What a run learns from and what it is judged by: its own, and never the same picture."""

import os
from pathlib import Path

import pytest
import torch
from PIL import Image

from srlab.data import embedded_photo, get_data, load_photos
from srlab.images import to_image
from srlab.losses import pixel_loss
from srlab.metrics import PATCH
from srlab.models import SrResNet
from srlab.runcard import ModelSpec, RunCard, Stage, load_card
from srlab.runs import run_card, scored
from srlab.runs.photographs import RunPhotos, gather, make_pairs
from srlab.runs.stages import stage_data
from srlab.runs.validation import Validation
from srlab.scoring import MEASURES, score_models
from srlab.zoo import load_model
from tests.test_runs import last, require_the_same_after_a_stop, same_training, train_only

pytestmark = pytest.mark.usefixtures("on_the_cpu")

STAGE = Stage(hr_size=32, batch_size=2, steps=4)
TINY = ModelSpec(num_features=4, num_blocks=1)


def photo_folder(folder: Path, count: int, size: int = 48, left: int = 100) -> Path:
    """Different parts of one photograph."""
    folder.mkdir(parents=True, exist_ok=True)
    whole = embedded_photo("raccoon-face")
    for i in range(count):
        part = whole[..., 10 * i : 10 * i + size, left : left + size]
        to_image(part).save(folder / f"{i:02}.png")
    return folder


def card_of(data: object, **changes: object) -> RunCard:
    values = {"name": "own", "model": TINY, "precision": "fp32", "stages": [STAGE], **changes}
    return RunCard(data=str(data), **values)


@pytest.mark.parametrize(
    ("count", "validation", "kept", "share"),
    [
        (20, "auto", 2, 0.1),
        (4, "auto", 1, 0.25),
        (20, 0.25, 5, 0.25),
        (2, 0.5, 1, 0.5),
        (5, 0.01, 1, 0.01),
    ],
)
def test_some_are_kept_back(
    tmp_path: Path, count: int, validation: str | float, kept: int, share: float
) -> None:
    folder = photo_folder(tmp_path / "own", count)
    photos = gather(card_of(folder, validation=validation))
    assert (len(photos.validation), len(photos.training)) == (kept, count - kept)
    assert not photos.validation.keys() & photos.training.keys()
    assert (photos.judged_by, photos.kept_back, photos.doubts) == (share, kept, ())
    again = gather(card_of(folder, validation=photos.judged_by))
    assert again.identity == photos.identity, "a finished card keeps back the same"


def test_at_most_sixteen_are_kept_back(tmp_path: Path) -> None:
    folder = photo_folder(tmp_path / "own", 30, size=32)
    for i in range(170):
        Image.new("RGB", (32, 32), (i, i, 90)).save(folder / f"c{i}.png")
    photos = gather(card_of(folder))
    assert len(photos.validation) == 16
    assert gather(card_of(folder, validation=photos.judged_by)).identity == photos.identity
    assert len(gather(card_of(folder, validation=0.1)).validation) == 20


def test_the_choice_is_by_content(tmp_path: Path) -> None:
    folder = photo_folder(tmp_path / "own", 10)
    (name,) = gather(card_of(folder)).validation
    (folder / name).rename(folder / "zz.png")
    assert list(gather(card_of(folder)).validation) == ["zz.png"]
    (folder / "copy.png").write_bytes((folder / "zz.png").read_bytes())
    photos = gather(card_of(folder))
    assert set(photos.validation) == {"zz.png", "copy.png"}, "or it would learn from a judge"


@pytest.mark.parametrize("count", [1, 3])
def test_of_very_few_none_is_kept_back(tmp_path: Path, count: int) -> None:
    folder = photo_folder(tmp_path / "own", count)
    photos = gather(card_of(folder))
    assert (len(photos.training), photos.judged_by) == (count, "embedded")
    (doubt,) = photos.doubts
    assert f"holds {count} photograph" in doubt
    assert "name a folder of others with --val" in doubt
    with pytest.warns(UserWarning, match="too few to keep one back"):
        finished = run_card(card_of(folder), tmp_path / "run")
    assert finished.validation == "embedded"


def test_embedded_data_is_judged_by_the_embedded_photographs() -> None:
    photos = gather(card_of("embedded"))
    assert photos.validation.keys() == load_photos("embedded", "val").keys()
    assert photos.training.keys() == load_photos("embedded").keys()
    assert photos.judged_by == "embedded"


def test_a_folder_of_judges(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own, judges = photo_folder(tmp_path / "own", 3, left=40), tmp_path / "judges"
    photo_folder(judges, 5)
    monkeypatch.setenv("HOME", str(tmp_path))
    photos = gather(card_of("~/own", validation="~/judges"))
    assert len(photos.validation) == 5
    with pytest.raises(ValueError, match=r"Every photograph of .* is also among those to"):
        gather(card_of(judges, validation=str(judges)))
    photo_folder(own, 6)
    photos = gather(card_of(own, validation=str(judges)))
    assert list(photos.training) == ["05.png"], "what judges is not learned from"
    assert "5 photographs of" in photos.doubts[0]
    assert gather(card_of("embedded", validation=str(judges))).training


def test_a_folder_within_the_other(tmp_path: Path) -> None:
    photo_folder(tmp_path / "own", 6)
    (tmp_path / "own" / "val").mkdir()
    for name in ("00.png", "01.png"):
        (tmp_path / "own" / name).rename(tmp_path / "own" / "val" / name)
    photos = gather(card_of(tmp_path / "own", validation=str(tmp_path / "own" / "val")))
    assert list(photos.training) == ["02.png", "03.png", "04.png", "05.png"]


def test_judges_that_are_too_small(tmp_path: Path) -> None:
    own, icons = photo_folder(tmp_path / "own", 5), photo_folder(tmp_path / "icons", 3, 16)
    with pytest.raises(ValueError, match="to judge by: 32 px on both sides are needed"):
        gather(card_of(own, validation=str(icons)))
    whole = to_image(embedded_photo("coffee-cup")[..., :40, :40])
    whole.save(icons / "fine.png")
    photos = gather(card_of(own, validation=str(icons)))
    assert list(photos.validation) == ["fine.png"]
    assert "3 photographs of" in photos.doubts[0]
    assert "they are below 32 px" in photos.doubts[0]


@pytest.mark.parametrize("scale", [2, 4, 8])
def test_the_least_side_can_be_scored(tmp_path: Path, scale: int) -> None:
    folder = photo_folder(tmp_path / "judges", 1, PATCH)
    stage = STAGE.model_copy(update={"scale": scale})
    card = card_of("embedded", validation=str(folder), stages=[stage])
    (row,) = score_models(gather(card).validation, {}, scale=scale)
    assert row["pictures"] == 1


# -- what a run does with them -------------------------------------------------------


def test_best_and_scores_are_on_ones_own(tmp_path: Path) -> None:
    folder = photo_folder(tmp_path / "own", 8, size=100)
    card, said = card_of(folder, validate_every=2), []
    finished = run_card(card, tmp_path / "run", say=said.append)
    assert said == ["1 of 8 photographs are kept back to judge by, and not learned from"]
    photos = gather(card)
    (row,) = score_models(photos.validation, {}, scale=4)
    assert finished.scores["bicubic_psnr_y"] == pytest.approx(row["psnr_y"], abs=1e-4)
    assert finished.photographs == photos.identity
    assert (finished.photographs.training, finished.photographs.validation) == (7, 1)
    assert finished.validation == 0.125
    assert load_card(tmp_path / "run" / "card.json").photographs == photos.identity
    table = (tmp_path / "run" / "photographs.csv").read_text().splitlines()
    (kept,) = photos.validation
    assert [line.split(",")[1] for line in table if line.startswith("validation,")] == [kept]


def test_the_choice_holds_over_a_stop(tmp_path: Path) -> None:
    require_the_same_after_a_stop(card_of(photo_folder(tmp_path / "own", 8)), tmp_path, 2)
    assert last(tmp_path / "parts").card["validation"] == 0.125
    saved = RunCard.model_validate(last(tmp_path / "parts").card)
    train_only(saved, tmp_path / "again")
    assert same_training(tmp_path / "whole", tmp_path / "again")


def test_a_lab_learns_from_the_same(tmp_path: Path) -> None:
    """Or a card of the Loss Lab would not repeat its run."""
    card = card_of(photo_folder(tmp_path / "own", 8)).model_copy(update={"device": "cpu"})
    lab, run = stage_data(card, STAGE), make_pairs(card, STAGE, gather(card).training)
    assert len(lab.photos) == len(run.photos) > 0
    assert torch.equal(lab[3][1], run[3][1])
    trained = {tuple(p.flatten()[:100].tolist()) for p in lab.photos}
    for judge in gather(card).validation.values():
        assert tuple(judge.flatten()[:100].tolist()) not in trained


def test_what_is_no_number_is_left_out(tmp_path: Path) -> None:
    """A card is JSON, which knows no figure that is no number."""
    folder = photo_folder(tmp_path / "own", 4)
    flat = tmp_path / "flat"
    flat.mkdir()
    Image.new("RGB", (64, 64), (9, 9, 9)).save(flat / "a.png")
    finished = run_card(card_of(folder, validation=str(flat)), tmp_path / "run")
    assert "bicubic_psnr_y" not in finished.scores, "it is infinite"
    assert load_card(tmp_path / "run" / "card.json") == finished


def test_of_a_huge_photograph_the_middle_is_scored(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, ...]] = []

    def note(photos: dict[str, torch.Tensor], *_: object, **__: object) -> object:
        seen.extend(photo.shape for photo in photos.values())
        row = dict.fromkeys(MEASURES, 1.0)
        return row, row

    monkeypatch.setattr("srlab.runs.run.score_models", note)
    photos = RunPhotos({}, {"a": torch.zeros(3, 1500, 900, dtype=torch.uint8)}, "x")
    scored(card_of("x"), torch.nn.Identity(), photos)
    assert seen == [(3, 1024, 900)]


# -- looking at small ones, at one, at many ------------------------------------------


def test_small_photographs_are_continued_by_their_mirror_image(tmp_path: Path) -> None:
    photos = load_photos(photo_folder(tmp_path, 3, size=50))
    validation = Validation(4, pixel_loss(), photos=photos)
    assert validation.scene.hr.shape == (3, 3, 192, 192)
    first = next(iter(photos.values())).float() / 255
    assert torch.equal(validation.scene.hr[0, :, :50, :50], first)
    assert torch.equal(validation.scene.hr[0, :, :50, 50:100], first.flip(2))
    tiny = {"a": torch.full((3, 1, 1), 7, dtype=torch.uint8)}
    assert Validation(2, pixel_loss(), photos=tiny).scene.hr.unique().numel() == 1


def test_a_single_photograph_still_shows_whether_a_network_draws(
    tmp_path: Path, checkpoint: Path
) -> None:
    photos = load_photos(photo_folder(tmp_path, 1, size=200))
    validation = Validation(4, pixel_loss(), photos=photos)
    assert validation.look(load_model(checkpoint, 4), 0).detail > 1e-3
    assert validation.look(SrResNet(4, 4, 1), 0).detail == 0


def test_many_photographs_are_looked_at_in_parts(tmp_path: Path, checkpoint: Path) -> None:
    photos = load_photos(photo_folder(tmp_path, 11, size=64))
    model = load_model(checkpoint, 4)
    many = Validation(4, pixel_loss(), photos=photos).look(model, 0)
    each = [
        Validation(4, pixel_loss(), photos={"a": p, "b": p}).look(model, 0)
        for p in photos.values()
    ]
    assert many.loss == pytest.approx(sum(r.loss for r in each) / 11, rel=1e-4)
    assert many.psnr == pytest.approx(sum(r.psnr for r in each) / 11, rel=1e-4)
    plenty = {str(i): photos["00.png"] for i in range(70)}
    assert len(Validation(4, pixel_loss(), photos=plenty).scene.hr) == 64


def test_names_that_are_no_text(tmp_path: Path) -> None:
    folder = photo_folder(tmp_path / "own", 4)
    strange = os.fsdecode(b'caf\xe9, "a".png')
    (folder / "00.png").rename(folder / strange)
    run_card(card_of(folder), tmp_path / "run")
    (folder / strange).rename(folder / "b.png")
    with pytest.raises(ValueError, match="is missing"):
        run_card(card_of(folder), tmp_path / "run", resume=True)


def test_a_dot_among_photographs_is_passed_over(tmp_path: Path) -> None:
    folder = photo_folder(tmp_path / "own", 5)
    Image.new("RGB", (1, 1)).save(folder / "dot.png")
    card = card_of(folder).model_copy(update={"device": "cpu"})
    assert len(stage_data(card, STAGE).photos) == 4 * 2, "of 48 px, 38 px fit too"
    assert "dot.png" in gather(card).training


def test_the_pairs_are_those_of_get_data() -> None:
    card = card_of("embedded").model_copy(update={"device": "cpu"})
    own, given = stage_data(card, STAGE), get_data(2, (8, 32), seed=card.seed)
    assert all(torch.equal(a, b) for i in (0, 7) for a, b in zip(own[i], given[i], strict=True))
