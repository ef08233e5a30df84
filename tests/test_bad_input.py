"""Bad input on the command line: one sentence, exit code 2, nothing half-written."""

import io
import json
import os
import shutil
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from srlab.checkpoints import save_checkpoint
from srlab.images import read_image
from srlab.models import SrResNet
from srlab.runcard import ModelSpec, RunCard, Stage, save_card
from tests import warm
from tests.conftest import BICUBIC, ONE_THREAD, Command, Srlab, one_sentence
from tests.memory import peak_gib
from tests.pictures import png_of


@pytest.fixture
def out(tmp_path: Path) -> Iterator[Path]:
    """A folder for results."""
    folder = tmp_path / "out"
    yield folder
    leftovers = [p.name for p in tmp_path.rglob(".srlab-*")]
    assert leftovers == []


def written(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir()) if folder.exists() else []


# -- pictures that are right, though unusual -------------------------------------

RED = (255, 0, 0)


def unusual_pictures() -> dict[str, Callable[[Path], None]]:
    """file name -> what writes a 4 x 2 px red picture; test_images.py has more kinds."""
    red = Image.new("RGB", (4, 2), RED)
    blue = [Image.new("RGB", (4, 2), "#0000ff")]
    return {
        "see-through.png": lambda p: red.quantize(2).save(p, transparency=1),
        "cmyk.jpg": lambda p: red.convert("CMYK").save(p, quality=100),
        "animated.gif": lambda p: red.save(p, save_all=True, append_images=blue),
        "upper case.JPG": lambda p: red.save(p, quality=100),
        "ärger 写真 📷.bmp": red.save,
        "no ending": lambda p: red.save(p, "PNG"),
        "two.dots.png": red.save,
    }


def test_unusual_pictures_come_out_right(run: Srlab, tmp_path: Path, out: Path) -> None:
    for name, write in unusual_pictures().items():
        write(tmp_path / name)
        frames = name.startswith("animated")
        said = f"srlab: {name}: of its 2 frames the first alone is used.\n" if frames else ""
        assert run("upscale", tmp_path / name, *BICUBIC, "--out", out) == (0, said), name
        result = Image.open(out / f"{Path(name).stem}_x2.png").convert("RGB")
        assert result.size == (8, 4), name
        assert np.abs(np.asarray(result).astype(int) - RED).max() <= 2, name
        (out / f"{Path(name).stem}_x2.png").unlink()
    assert written(out) == []


@pytest.mark.skipif(sys.platform != "linux", reason="names of any bytes")
def test_a_name_that_is_no_text(run: Srlab, tmp_path: Path, out: Path) -> None:
    photo = tmp_path / os.fsdecode(b"caf\xe9.png")
    Image.new("RGB", (2, 2)).save(photo)
    assert run("upscale", photo, *BICUBIC, "--out", out) == (0, "")
    assert written(out) == [os.fsdecode(b"caf\xe9_x2.png")]
    assert "does not exist" in run.refused("upscale", tmp_path / os.fsdecode(b"\xe9"), *BICUBIC)


# -- pictures that are wrong -----------------------------------------------------


def write_bomb(path: Path, side: int = 30_000) -> None:
    """A PNG of 30,000 x 30,000 px in about 100 kB, all of it really there."""
    row = bytes(1 + (side + 7) // 8)  # one bit a pixel
    packer = zlib.compressobj(1)
    packed = b"".join(packer.compress(row * 100) for _ in range(side // 100)) + packer.flush()
    path.write_bytes(png_of(side, side, 1, 0, packed, pack=bytes))


@pytest.fixture(scope="module")
def wrong(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of everything that is no picture."""
    folder = tmp_path_factory.mktemp("wrong")
    noise = io.BytesIO()
    Image.effect_noise((80, 80), 60).convert("RGB").save(noise, "JPEG")
    (folder / "truncated.jpg").write_bytes(noise.getvalue()[: len(noise.getvalue()) // 2])
    (folder / "header.jpg").write_bytes(noise.getvalue()[:100])
    (folder / "text.jpg").write_text("Dear diary,\nthis is no picture.")
    (folder / "empty.png").touch()
    (folder / "folder.png").mkdir()
    Image.new("F", (4, 4)).save(folder / "floats.tiff")
    write_bomb(folder / "bomb.png")
    return folder


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("truncated.jpg", "truncated.jpg is damaged or of an unknown kind"),
        ("header.jpg", "header.jpg is"),
        ("text.jpg", "text.jpg is not a picture that can be read; save it as JPEG, PNG, WebP"),
        ("empty.png", "empty.png is empty; copy it again from where it came."),
        ("folder.png", "folder.png holds no pictures; expected JPEG, PNG, WebP or TIFF"),
        ("missing.jpg", "missing.jpg does not exist; check the name."),
        ("floats.tiff", "floating-point pictures have no agreed range"),
        ("bomb.png", "bomb.png has more than 100 million pixels; shrink or crop it first."),
    ],
)
def test_what_is_no_picture(
    run: Srlab, wrong: Path, out: Path, name: str, sentence: str
) -> None:
    assert sentence in run.refused("upscale", wrong / name, *BICUBIC, "--out", out)
    assert written(out) == []


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="measures memory as Linux does")
def test_a_bomb_costs_neither_time_nor_memory(wrong: Path, out: Path) -> None:
    """In its own process. Unpacked it would be 900 MB, as numbers 10 GB."""
    assert (wrong / "bomb.png").stat().st_size < 1_000_000
    began = time.process_time()
    with pytest.raises(ValueError, match="has more than 100 million pixels"):
        read_image(wrong / "bomb.png")
    assert time.process_time() - began < 1
    process = subprocess.Popen(
        [sys.executable, "-m", "srlab", "upscale", wrong / "bomb.png", *BICUBIC, "--out", out],
        stderr=subprocess.PIPE, text=True, env={**os.environ, **ONE_THREAD},
    )  # fmt: skip
    peak = peak_gib(process)
    _, errors = process.communicate()
    assert process.returncode == 2
    assert "has more than 100 million pixels" in one_sentence(errors)
    assert 0.1 < peak < 0.9  # torch itself included
    assert written(out) == []


def test_of_several_the_good_ones_are_done(
    run: Srlab, photo_folder: Path, wrong: Path, out: Path
) -> None:
    photos = (photo_folder / "cat.png", wrong / "text.jpg", photo_folder / "cup.png")
    sentence = run.refused("upscale", *photos, *BICUBIC, "--out", out)
    assert sentence.startswith("1 of 3 pictures was not enlarged: text.jpg is not a picture")
    assert written(out) == ["cat_x2.png", "cup_x2.png"]
    assert Image.open(out / "cup_x2.png").size == (256, 192)


def test_each_bad_one_is_named_at_the_end(
    run: Srlab, photo_folder: Path, wrong: Path, out: Path, tmp_path: Path
) -> None:
    Image.new("1", (90_000, 1000)).save(tmp_path / "long.png")
    bad = (wrong / "text.jpg", wrong / "bomb.png", tmp_path / "long.png")
    code, errors = run(
        "upscale", *bad, photo_folder / "cat.png", "--model", "bicubic", "--out", out
    )
    first, *reasons = errors.splitlines()
    assert (code, first) == (2, "srlab: 1 of 4 pictures are done, but not all:")
    assert [reason.split()[0] for reason in reasons] == ["text.jpg", "bomb.png", "long.png:"]
    assert "at most 400 million fit" in reasons[2]
    assert written(out) == ["cat_x4.png"]


def test_nothing_is_left_of_a_folder_for_nothing(run: Srlab, wrong: Path, out: Path) -> None:
    assert run("upscale", wrong / "text.jpg", *BICUBIC, "--out", out / "new" / "er")[0] == 2
    assert run("upscale", wrong / "text.jpg", "--model", "gone", "--out", out)[0] == 2
    assert not out.exists()


@pytest.mark.parametrize("other", ["b/cat.png", "b/CAT.png"])
def test_two_results_of_one_name_are_refused(
    run: Srlab, photo_folder: Path, tmp_path: Path, out: Path, other: str
) -> None:
    (tmp_path / "b").mkdir()
    Image.open(photo_folder / "cup.png").save(tmp_path / other)
    sentence = run.refused(
        "upscale", photo_folder / "cat.png", tmp_path / other, *BICUBIC, "--out", out
    )
    assert "would both become" in sentence
    assert sentence.endswith("rename one, or enlarge them into different folders.")
    assert written(out) == []


# -- models and scales that are not there ----------------------------------------


@pytest.mark.parametrize("task", ["upscale", "score"])
def test_models_and_scales(
    run: Srlab, photo_folder: Path, checkpoint: Path, tmp_path: Path, task: str
) -> None:
    given = photo_folder / "cat.png" if task == "upscale" else photo_folder
    foreign = tmp_path / "foreign.safetensors"
    foreign.write_text("not at all")
    for options, sentence in {
        ("--model", "magic"): "There is no model 'magic'; there are bicubic",
        ("--model", "gone.safetensors"): "gone.safetensors is no file; give a checkpoint",
        ("--model", str(foreign)): "foreign.safetensors is damaged or no checkpoint",
        ("--model", str(photo_folder)): "There is no model",
        ("--scale", "3", "--model", "bicubic"): "scale must be 2, 4 or 8, but got 3",
        ("--scale", "2", "--model", str(checkpoint)): "enlarges 4 times, but 2 times was asked",
    }.items():
        assert sentence in run.refused(task, given, *options)


def test_a_checkpoint_of_another_architecture(
    run: Srlab, photo_folder: Path, tmp_path: Path, out: Path
) -> None:
    other = RunCard(name="a", model=ModelSpec(num_features=9, num_blocks=1), stages=[Stage()])
    path = tmp_path / "a.safetensors"
    save_checkpoint(path, SrResNet(4, 8, 1), card=other.model_dump(), step=1)
    said = run.refused("upscale", photo_folder / "cat.png", "--model", path, "--out", out)
    assert said.startswith("a.safetensors holds the weights of another architecture")
    assert written(out) == []


def test_a_device_that_is_not_here(
    run: Srlab, photo_folder: Path, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SRLAB_DEVICE", "gpu")
    sentence = run.refused("upscale", photo_folder / "cat.png", "--model", checkpoint)
    assert sentence == "There is no device 'gpu' here; cpu is always there, cuda with a GPU."


# -- folders and cards -----------------------------------------------------------


def test_score_without_pictures(run: Srlab, tmp_path: Path, photo_folder: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "holds no pictures" in run.refused("score", tmp_path / "empty")
    assert "is neither a folder nor one of" in run.refused("score", tmp_path / "gone")
    assert "is neither a folder" in run.refused("score", photo_folder / "cat.png")


def test_score_names_a_picture_too_small(run: Srlab, tmp_path: Path) -> None:
    Image.new("RGB", (12, 12)).save(tmp_path / "icon.png")
    assert run.refused("score", tmp_path).startswith("icon.png: SSIM looks through windows of")


def test_an_icon_does_not_lose_the_scores_of_a_folder(
    run: Srlab, tmp_path: Path, photo_folder: Path
) -> None:
    Image.new("RGB", (16, 16)).save(tmp_path / "icon.png")
    shutil.copy(photo_folder / "cat.png", tmp_path / "sub.png")
    assert run("score", tmp_path) == (
        0, "srlab: left out, too small to be scored at x4: icon.png.\n",
    )  # fmt: skip


def card_values(**changes: object) -> dict[str, object]:
    return {"name": "a", "stages": [{"hr_size": 32, "batch_size": 1, "steps": 1}], **changes}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (json.dumps(card_values(sede=1)), "card.json: sede is an unknown key; remove it"),
        (json.dumps(card_values(data="gone")), "gone is neither a folder nor one of: embedded"),
    ],
)
def test_wrong_cards(
    run: Srlab, tmp_path: Path, out: Path, content: str, sentence: str
) -> None:
    (tmp_path / "card.json").write_text(content)
    assert sentence in run.refused("train", tmp_path / "card.json", "--out", out)
    assert written(out) == []


def test_cards_that_are_no_files(run: Srlab, tmp_path: Path) -> None:
    assert "is a folder, but a run card was expected" in run.refused("train", tmp_path)
    assert "gone.json does not exist" in run.refused("train", tmp_path / "gone.json")


# -- targets that cannot be written ----------------------------------------------


def test_a_target_in_no_folder(run: Srlab, photo_folder: Path, tmp_path: Path) -> None:
    """Root may write everywhere, so the places are impossible ones."""
    (tmp_path / "file").write_text("keep me")
    places = [tmp_path / "file", tmp_path / "file" / "below"]
    if sys.platform == "linux":
        places.append(Path("/proc/srlab"))
    for place in places:
        sentence = run.refused("upscale", photo_folder / "cat.png", *BICUBIC, "--out", place)
        assert str(place) in sentence
    assert (tmp_path / "file").read_text() == "keep me"


def test_a_folder_stands_where_the_result_belongs(
    run: Srlab, photo_folder: Path, out: Path
) -> None:
    (out / "cat_x2.png").mkdir(parents=True)
    args = ("upscale", photo_folder / "cat.png", *BICUBIC, "--out", out)
    sentence = run.refused(*args, "--overwrite")
    assert sentence.endswith("cat_x2.png is a folder; give the name of a file.")
    assert run(*args)[0] == 0
    assert written(out) == ["cat_x2-2.png", "cat_x2.png"]


FULL = """
import resource, runpy, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (500, resource.RLIM_INFINITY))
sys.argv = ["srlab", *sys.argv[1:]]
runpy.run_module("srlab", run_name="__main__")
"""


def on_a_full_disk(*args: object) -> str:
    """The sentence of a process whose files may not grow beyond 500 bytes."""
    result = warm.python("-c", FULL, *args, env={**os.environ, **ONE_THREAD})
    assert result.returncode == 2, result.stderr
    return one_sentence(result.stderr.splitlines(keepends=True)[-1])  # below the bar


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on file sizes")
def test_full_disk_while_enlarging(photo_folder: Path, out: Path) -> None:
    sentence = on_a_full_disk("upscale", photo_folder / "cat.png", *BICUBIC, "--out", out)
    assert sentence == f"{out / 'cat_x2.png'} could not be written: file too large."
    assert written(out) == []


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on file sizes")
def test_full_disk_while_training(photo_folder: Path, tmp_path: Path, out: Path) -> None:
    stage = Stage(hr_size=32, batch_size=1, steps=2)
    tiny = ModelSpec(num_features=4, num_blocks=1)
    card = RunCard(name="a", model=tiny, data=str(photo_folder), stages=[stage])
    save_card(card, tmp_path / "card.json")
    sentence = on_a_full_disk("train", tmp_path / "card.json", "--out", out)
    assert sentence == f"{out / 'last.safetensors'} could not be written: file too large."
    assert written(out) == ["log.csv", "photographs.csv"]  # no half of a checkpoint


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on file sizes")
def test_full_disk_for_every_kind_of_file(photo: torch.Tensor, tmp_path: Path) -> None:
    """Here, under the limit; Pillow alone writes half a JPEG without an error."""
    import resource

    from srlab.images import save_image, to_image

    card = RunCard(name="a" * 60, stages=[Stage()] * 9)
    endings = ("png", "jpg", "webp", "tiff", "bmp", "gif")
    files: dict[str, Callable[[Path], None]] = {
        **{f"a.{ending}": partial(save_image, to_image(photo)) for ending in endings},
        "a.json": partial(save_card, card),
        "a.safetensors": partial(save_checkpoint, model=SrResNet(2, 4, 1), card={}, step=1),
    }
    for name in files:
        (tmp_path / name).write_text("old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, limits[1]))
    try:
        for name, save in files.items():
            with pytest.raises(OSError, match=rf"{name} could not be written: file too la"):
                save(tmp_path / name)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert written(tmp_path) == sorted(files)
    assert {(tmp_path / name).read_text() for name in files} == {"old"}
    for name, save in files.items():
        save(tmp_path / name)
        assert (tmp_path / name).stat().st_size > 500


# -- the contract itself, in a process of its own --------------------------------


def test_the_contract_in_a_real_process(
    command: Command, photo_folder: Path, wrong: Path, out: Path
) -> None:
    photos = (photo_folder / "cat.png", wrong / "truncated.jpg")
    result = command("upscale", *photos, *BICUBIC, "--out", out)
    assert result.returncode == 2
    assert "truncated.jpg is damaged" in one_sentence(result.stderr)
    assert result.stdout == f"{out / 'cat_x2.png'}\n"
    assert written(out) == ["cat_x2.png"]
