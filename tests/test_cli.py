"""The command, as people call it: real processes, files and exit codes."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import srlab.runs.stages
from srlab.checkpoints import load_checkpoint
from srlab.cli.options import complete_model, complete_scale
from srlab.data import load_folder
from srlab.images import read_image, to_image
from srlab.inference import upscale
from srlab.metrics import score_pair
from srlab.runcard import ModelSpec, RunCard, Stage, load_card, save_card
from srlab.scoring import score_models
from tests import warm
from tests.conftest import BICUBIC, ONE_THREAD, Command, Srlab, judges_of, one_sentence


def told_without_anything_heavy(*args: str, **env: str) -> list[str]:
    """The words that a cold command writes, which loads neither torch nor NumPy nor Pillow."""
    code = (
        "import sys; sys.argv[0] = 'srlab'; from srlab.cli import main\n"
        "try: main()\n"
        "finally: print('HEAVY', sorted({'torch', 'numpy', 'PIL'} & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, *args],
        capture_output=True, text=True, env={**os.environ, **env},
    )  # fmt: skip
    assert "HEAVY []" in result.stdout
    return result.stdout.split()


def test_help_is_quick() -> None:
    commands = {"lessons", "lab", "doctor", "upscale", "train", "score", "sheet"}
    assert commands <= set(told_without_anything_heavy("--help"))


def test_doctor(command: Command, tmp_path: Path) -> None:
    """One line each; exit 1 on trouble."""
    (tmp_path / "file").touch()
    result = command("doctor", env={"SRLAB_CACHE": str(tmp_path / "file")}, cwd=tmp_path)
    lines = result.stdout.splitlines()
    assert all(line.startswith(("ok  ", "FAIL")) for line in lines)
    assert lines[-1] == f"FAIL  writing      no access to {tmp_path / 'file'}"
    assert (result.returncode, result.stderr) == (1, "")


def test_doctor_is_content_here(
    run: Srlab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SRLAB_CACHE", str(tmp_path))
    monkeypatch.setattr("srlab.doctor.NEEDED_GIB", 0.0)  # other tests may need it just now
    assert run.done("doctor") == ""
    assert "FAIL" not in run.out


# -- upscale ---------------------------------------------------------------------


@pytest.mark.slow
def test_upscale(
    cold_command: Command, photo_folder: Path, checkpoint: Path, tmp_path: Path
) -> None:
    photos = [photo_folder / "cat.png", photo_folder / "cup.png"]
    result = cold_command(
        "upscale", *photos, "--model", checkpoint, "--out", tmp_path / "new" / "out"
    )
    assert (result.returncode, result.stderr) == (0, "")
    targets = [tmp_path / "new" / "out" / f"{name}_x4.png" for name in ("cat", "cup")]
    assert result.stdout.split() == [str(target) for target in targets]
    assert sorted((tmp_path / "new" / "out").iterdir()) == targets
    for photo, target in zip(photos, targets, strict=True):
        written = Image.open(target)
        assert (written.format, written.mode, written.size) == ("PNG", "RGB", (512, 384))
        expected = upscale(Image.open(photo), checkpoint, 4)
        # Each process tries for itself whether bfloat16 is faster.
        difference = np.asarray(written, int) - np.asarray(expected, int)
        assert np.abs(difference).max() <= 2


def test_the_version(cold_command: Command) -> None:
    assert cold_command("--version").stdout == f"srlab {srlab.__version__}\n"


def test_a_tilde_is_the_home_folder_wherever_a_path_is_given(
    run: Srlab,
    monkeypatch: pytest.MonkeyPatch,
    photo_folder: Path,
    checkpoint: Path,
    tmp_path: Path,
) -> None:
    """A shell leaves it alone behind an equals sign, and in quotation marks."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    for folder, name in (("photos", "cat.png"), ("judges", "cup.png")):
        (tmp_path / folder).mkdir()
        shutil.copy(photo_folder / name, tmp_path / folder / name)
    (tmp_path / "net.safetensors").write_bytes(checkpoint.read_bytes())
    write_card(tmp_path, Path("~/photos"), 1)
    for args in [
        ("upscale", "~/photos/cat.png", "--out=~/big", "--model=~/net.safetensors"),
        ("score", "~/photos", "--model=~/net.safetensors", "--csv=~/a.csv", "--save=~/kept"),
        ("train", "~/card.json", "--out=~/run"),
        ("train", "~/card.json", "--out=~/run2", "--data=~/photos", "--val=~/judges"),
        ("lessons", "~/copy"),
    ]:
        run.done(*args)
    assert list(here.iterdir()) == []
    made = ("big/cat_x4.png", "a.csv", "kept/bicubic/cat.png", "run", "run2", "copy/README.md")
    assert all((tmp_path / name).exists() for name in made)


def test_a_shell_completes_models_and_scales(tmp_path: Path, checkpoint: Path) -> None:
    assert complete_model("pix") == ["pixel-x2", "pixel-x4", "pixel-x8"]
    assert complete_model(f"{checkpoint.parent}/t") == [str(checkpoint)]
    assert complete_model(str(tmp_path / "gone" / "x")) == []
    assert complete_scale("") == ["2", "4", "8"]
    assert "small-x4" in told_without_anything_heavy(
        _SRLAB_COMPLETE="complete_bash",
        COMP_WORDS="srlab score --model small-",
        COMP_CWORD="3",
    )


# -- score -----------------------------------------------------------------------


@pytest.mark.slow
def test_score(command: Command, photo_folder: Path, checkpoint: Path) -> None:
    result = command("score", photo_folder, "--model", checkpoint, "--json")
    assert (result.returncode, result.stderr) == (0, "")
    rows = json.loads(result.stdout)
    assert [row["model"] for row in rows] == ["bicubic", str(checkpoint)]
    (expected,) = score_models(load_folder(photo_folder), {}, scale=4)
    assert {**rows[0], "seconds": 0} == pytest.approx({**expected, "seconds": 0}, abs=1e-3)
    assert expected["protocol"] == "Y of BT.601 (16-235), border of 4 px left out, 8 bits"
    assert rows[1].keys() == rows[0].keys()
    assert rows[1]["psnr_y"] != pytest.approx(rows[0]["psnr_y"], abs=0.01)


def test_score_for_people(run: Srlab, photo_folder: Path) -> None:
    run.done("score", photo_folder, *BICUBIC)
    lines = run.out.splitlines()
    assert lines[0].startswith("x2, 2 pictures, Y: Y of BT.601 (16-235), border of 2 px")
    assert [line.split()[0] for line in lines[2:]] == ["bicubic"]  # named twice, scored once


def test_score_leaves_damaged_pictures_out_in_one_line(
    run: Srlab, photo_folder: Path, tmp_path: Path
) -> None:
    Image.open(photo_folder / "cat.png").save(tmp_path / "cat.png")
    (tmp_path / "bad.jpg").write_text("no picture")
    said = one_sentence(run.done("score", tmp_path, "--json"))
    assert json.loads(run.out)[0]["pictures"] == 1
    assert said.startswith("left out: bad.jpg is not a picture that can be read")


def test_a_pattern_for_sets_that_hold_both_sizes(
    run: Srlab, photo_folder: Path, tmp_path: Path
) -> None:
    photo = Image.open(photo_folder / "cat.png")
    photo.save(tmp_path / "img_HR.png")
    photo.resize((64, 48)).save(tmp_path / "img_LR.png")
    args = ("score", tmp_path, "--scale", 2, "--json")
    assert "such as img_HR.png and img_LR.png; the pattern" in run.done(*args)
    assert json.loads(run.out)[0]["pictures"] == 2
    said = run.done(*args, "--pattern", "*_HR*")
    assert said == f"srlab: left out of {tmp_path}: 1 by the pattern.\n"
    assert json.loads(run.out)[0]["pictures"] == 1
    refused = run.refused(*args, "--pattern", "*.jpg")
    assert "is named *.jpg, but there are 2 others" in refused


def test_score_writes_rows_and_pictures_over_nothing(
    run: Srlab, photo_folder: Path, tmp_path: Path
) -> None:
    kept = tmp_path / "new" / "kept"
    args = (
        "score", photo_folder, "--scale", 2, "--json", "--per-picture", "--model", "small-x2",
        "--csv", tmp_path / "rows" / "a.csv", "--save", kept,
    )  # fmt: skip
    run.done(*args)
    rows = json.loads(run.out)
    assert [(row["model"], row["picture"]) for row in rows[2:]] == [
        (model, name) for name in ("cat.png", "cup.png") for model in ("bicubic", "small-x2")
    ]
    with (tmp_path / "rows" / "a.csv").open(newline="") as file:
        read = list(csv.DictReader(file))
    assert [float(row["psnr_y"]) for row in read] == [row["psnr_y"] for row in rows]
    names = [
        f"{model}/{name}.png" for model in ("bicubic", "small-x2") for name in ("cat", "cup")
    ]
    assert sorted(p.relative_to(kept).as_posix() for p in kept.rglob("*.*")) == names
    hr, sr = (read_image(path) for path in (photo_folder / "cat.png", kept / names[2]))
    assert score_pair(sr, hr, scale=2)["psnr_y"] == pytest.approx(rows[3]["psnr_y"], abs=1e-4)
    err = run.done(*args)
    assert "a.csv exists already and will stay" in err
    assert "cat.png and 3 more exist already and will stay" in err
    assert (tmp_path / "rows" / "a-2.csv").exists()
    assert len(list(kept.rglob("*-2.png"))) == 4
    run.done(*args, "--overwrite")
    assert len(list(tmp_path.rglob("*.*"))) == 10


def test_score_saves_nothing_among_what_it_scores(
    run: Srlab, photo_folder: Path, tmp_path: Path
) -> None:
    photos = tmp_path / "bicubic"
    shutil.copytree(photo_folder, photos)
    for place in (photos, photos / "big", tmp_path):
        said = run.refused("score", photos, "--save", place, "--overwrite")
        assert "give --save a folder elsewhere" in said
    said = run.refused("score", photos, "--csv", photos / "cat.png")
    assert "a name that ends in .csv was expected" in said
    assert sorted(p.name for p in photos.iterdir()) == ["cat.png", "cup.png"]


# -- train -----------------------------------------------------------------------


def write_card(folder: Path, photos: Path, steps: int, judges: str = "embedded") -> Path:
    stage = Stage(hr_size=32, batch_size=2, steps=steps)
    tiny = ModelSpec(num_features=4, num_blocks=1)
    card = RunCard(name="tiny", model=tiny, data=str(photos), validation=judges, stages=[stage])
    save_card(card, folder / "card.json")
    return folder / "card.json"


@pytest.mark.slow
def test_train(command: Command, photo_folder: Path, tmp_path: Path) -> None:
    card = write_card(tmp_path, photo_folder, 5, judges_of(photo_folder))
    result = command("train", card, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    out = tmp_path / "runs" / "tiny"
    assert result.stdout.startswith(f"{Path('runs') / 'tiny'}: ")
    assert "bicubic_psnr_y" in result.stdout
    assert load_checkpoint(out / "model.safetensors").step == 5
    assert load_card(out / "card.json").scores["psnr_y"] > 20
    assert "srlab: " not in result.stderr, "it says no more than it has to"
    assert len((out / "log.csv").read_text().splitlines()) == 6
    again = command("train", card, cwd=tmp_path)
    assert again.returncode == 2
    assert again.stderr.splitlines()[-1] == (
        f"srlab: {Path('runs') / 'tiny'} already holds a training; go on with --resume or "
        f"choose another folder."
    )


def stopped(process: "subprocess.Popen[str] | warm.Child", stop: signal.Signals) -> str:
    """What a training says last that is stopped once its bar has moved."""
    assert process.stderr is not None
    seen = ""
    try:
        while seen.count("step/s") < 2:  # the first time, tqdm has not yet noted that it shows
            seen += process.stderr.read(1)
            assert process.poll() is None, seen
        process.send_signal(stop)
        _, errors = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 130
    return errors.splitlines()[-1]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_a_job_in_the_background_can_be_stopped(
    photo_folder: Path, tmp_path: Path, stop: signal.Signals
) -> None:
    """A script's ``srlab train card.json &`` starts with Ctrl-C ignored."""
    card, out = write_card(tmp_path, photo_folder, 10**6), tmp_path / "out"
    process = subprocess.Popen(
        [
            "sh", "-c", 'trap "" INT; exec "$0" "$@"',
            sys.executable, "-m", "srlab", "train", str(card), "--out", str(out),
        ],
        stderr=subprocess.PIPE, text=True, env={**os.environ, **ONE_THREAD},
    )  # fmt: skip
    assert stopped(process, stop) == f"srlab: stopped; {out} keeps it, go on with --resume."


@pytest.mark.slow
def test_resume_goes_on(
    run: Srlab, monkeypatch: pytest.MonkeyPatch, photo_folder: Path, tmp_path: Path
) -> None:
    """The real command, interrupted in this process by Ctrl-C after the third step."""
    card = write_card(tmp_path, photo_folder, 6, judges_of(photo_folder))
    train = srlab.runs.stages.train

    def interrupted(*args: object, **options: object) -> object:
        for step in train(*args, **options):
            yield step
            if step.number == 3:
                signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr("srlab.runs.stages.train", interrupted)
        assert run("train", card, "--out", tmp_path / "a")[0] == 130
    assert load_checkpoint(tmp_path / "a" / "last.safetensors").step == 3
    run.done("train", card, "--out", tmp_path / "a", "--resume")
    run.done("train", card, "--out", tmp_path / "b")
    one, other = (load_checkpoint(tmp_path / x / "model.safetensors").model for x in "ab")
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.fixture
def own_photos(photo: torch.Tensor, tmp_path: Path) -> Path:
    """Five of one's own, in a folder of that name."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for i in range(5):
        to_image(photo[..., 8 * i : 8 * i + 48, 4 * i : 4 * i + 48]).save(folder / f"{i}.png")
    return folder


def test_own_photographs_judge_and_everything_is_told(
    run: Srlab, own_photos: Path, tmp_path: Path
) -> None:
    card = write_card(tmp_path, own_photos, 4)
    call = ["train", card, "--val", "0.4", "--out", tmp_path / "a"]
    said = run.done(*call, "--resume", "--log", "tensorboard")
    assert "srlab: no checkpoint is there yet, so it begins with the first step.\n" in said
    assert "srlab: 2 of 5 photographs are kept back to judge by, and not learned from." in said
    assert load_card(tmp_path / "a" / "card.json").validation == 0.4
    assert list((tmp_path / "a" / "tensorboard").iterdir())
    assert "srlab: goes on after step 4 of 4.\n" in run.done(*call, "--resume")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--data", "nothere"), "nothere is neither a folder nor one of"),
        (("--val", "nothere"), "nothere is neither a folder nor one of"),
        (("--val", "0.9"), 'card.json: validation: "auto", "embedded", a folder or'),
        (("--val", "nan"), 'card.json: validation: "auto"'),
        (("--val", ""), "validation is empty, but a folder was expected; name one."),
        (("--data", ""), "data is empty, but a folder was expected; name one."),
        (("--log", "wandb"), "--log takes tensorboard, but got wandb; log.csv is always"),
    ],
)
def test_a_failed_train_leaves_no_folder(
    run: Srlab, own_photos: Path, tmp_path: Path, options: tuple[str, str], sentence: str
) -> None:
    card = write_card(tmp_path, own_photos, 4)
    out = tmp_path / "new" / "o5"
    assert sentence in run.refused("train", card, "--out", out, *options)
    assert not out.parent.exists()
