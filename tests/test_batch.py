"""Enlarging many pictures: nothing replaced, nothing lost, the bad ones named."""

import errno
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
from torch import Tensor

import srlab.cli.batch
from srlab.cli.batch import Batch, Job, plan_batch, save_beside
from srlab.models import Bicubic
from tests.conftest import BICUBIC, ONE_THREAD, Srlab

RED, BLUE = (255, 0, 0), (0, 0, 255)


def write(folder: Path, *names: str, color: tuple[int, int, int] = RED) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 6), color).save(folder / name)


def color(path: Path) -> tuple[int, ...]:
    return tuple(np.asarray(Image.open(path).convert("RGB"))[0, 0].tolist())


def files(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


# -- nothing is replaced ---------------------------------------------------------


def test_a_result_never_replaces_one_of_the_pictures(run: Srlab, here: Path) -> None:
    write(here, "a.png")
    write(here, "a_x2.png", color=BLUE)
    for options in ((), ("--overwrite",)):
        sentence = run.refused("upscale", "a.png", "a_x2.png", *BICUBIC, *options)
        assert sentence == (
            "a_x2.png is one of the pictures to enlarge, and would also be the result of "
            "a.png; leave results out of what you give, or choose another folder with --out."
        )
    assert files(here) == ["a.png", "a_x2.png"]
    assert color(here / "a_x2.png") == BLUE


@pytest.mark.parametrize("kind", ["hard", "symbolic", "other case", "other way"])
def test_a_picture_is_known_by_any_of_its_names(run: Srlab, here: Path, kind: str) -> None:
    write(here, "a.png", "b/c.png")
    given = "b/c.png"
    if kind == "hard":
        os.link("b/c.png", "a_x2.png")
    elif kind == "symbolic":
        Path("a_x2.png").symlink_to("b/c.png")
    else:
        given = "A_X2.png" if kind == "other case" else "b/../a_x2.png"
        write(here, given)
    assert "would also be the result of a.png" in run.refused(
        "upscale", "a.png", given, *BICUBIC, "--overwrite"
    )


def test_what_is_there_stays_and_the_result_goes_beside_it(run: Srlab, here: Path) -> None:
    write(here, "b.png")
    (here / "b_x2.png").write_text("handmade")
    assert run.done("upscale", "b.png", *BICUBIC) == (
        "srlab: b_x2.png exists already and will stay; what is new goes beside it, such as "
        "b_x2-2.png; --overwrite replaces it.\n"
    )
    assert (here / "b_x2.png").read_text() == "handmade"
    assert color(here / "b_x2-2.png") == RED
    assert run("upscale", "b.png", *BICUBIC, "--overwrite") == (0, "")
    assert color(here / "b_x2.png") == RED
    assert files(here) == ["b.png", "b_x2-2.png", "b_x2.png"]


def test_a_file_that_appears_meanwhile_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = srlab.cli.batch.save_image

    def slowly(image: Image.Image, path: Path, **options: object) -> None:
        if path.name == "a_x2.png":
            path.write_text("somebody was quicker")
        save(image, path, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(srlab.cli.batch, "save_image", slowly)
    target = tmp_path / "new" / "a_x2.png"
    assert save_beside(Image.new("RGB", (2, 2)), target).name == "a_x2-2.png"
    assert target.read_text() == "somebody was quicker"
    assert files(tmp_path) == ["new/a_x2-2.png", "new/a_x2.png"]


def test_the_same_picture_given_twice_is_done_once(run: Srlab, here: Path) -> None:
    write(here, "a.png", "d/b.png")
    given = ("a.png", "./a.png", here / "a.png", "d", "d/b.png")
    assert run("upscale", *given, *BICUBIC, "--out", "o") == (0, "")
    assert files(here / "o") == ["a_x2.png", "b_x2.png"]


def test_pictures_that_differ_in_their_kind_alone_have_it_in_their_results_names(
    run: Srlab, here: Path
) -> None:
    write(here, "d/a.png", "d/b.png")
    write(here, "d/a.jpg", color=BLUE)
    wanted = ["out/a-jpg_x2.png", "out/a-png_x2.png", "out/b_x2.png"]
    for _ in range(2):  # the results are not enlarged in their turn
        assert run("upscale", "d", *BICUBIC, "--out", "out", "--overwrite")[0] == 0
        assert [name for name in files(here) if name.startswith("out")] == wanted
    blue = color(here / wanted[0])
    assert blue[2] > 200 > 50 > blue[0]
    assert run("upscale", "d", *BICUBIC, "--out", "d")[0] == 0
    assert run("upscale", "d", *BICUBIC, "--out", "d", "--overwrite")[0] == 0
    assert len([name for name in files(here) if name.startswith("d/")]) == 6


def test_enlarging_results_again_is_said(run: Srlab, here: Path) -> None:
    write(here, "a.png", "a_x2.png", "b_x2.png")
    said = run.done("upscale", "a.png", "a_x2.png", "b_x2.png", "--model", "bicubic")
    assert said == "srlab: a_x2.png will be enlarged, too, though by name an earlier result.\n"


# -- folders ---------------------------------------------------------------------


def test_a_folder_is_mirrored(run: Srlab, here: Path) -> None:
    write(here, "d/a.png", "d/b/c.jpg", "d/b/e/f.png", "d/.hidden/g.png", "h.png")
    (here / "d" / "notes.txt").touch()
    said = run.done("upscale", "d", "h.png", *BICUBIC, "--out", "o")
    assert said == "srlab: left out of d: 1 hidden, 1 that is no picture.\n"
    assert files(here / "o") == ["a_x2.png", "b/c_x2.png", "b/e/f_x2.png", "h_x2.png"]


@pytest.mark.parametrize("out", [".", "big", "big/er"])
def test_results_in_the_folder_are_not_enlarged_again(run: Srlab, here: Path, out: str) -> None:
    write(here, "a.png", "b/c.png")
    assert run.done("upscale", ".", *BICUBIC, "--out", out) == ""
    before = files(here)
    assert "result" in run.done("upscale", ".", *BICUBIC, "--out", out, "--overwrite")
    assert files(here) == before
    said = run.done("upscale", ".", *BICUBIC, "--out", "elsewhere")
    assert "2 that look like earlier results" in said
    assert files(here / "elsewhere") == ["a_x2.png", "b/c_x2.png"]


def test_one_bad_picture_in_a_folder(run: Srlab, here: Path) -> None:
    write(here, "d/a.png", "d/s/c.png")
    (here / "d" / "bad.png").write_text("no picture")
    (here / "d" / "s" / "bad.png").write_text("no picture")
    code, said = run("upscale", "d", *BICUBIC, "--out", "o")
    assert code == 2
    assert said.splitlines()[0] == "srlab: 2 of 4 pictures are done, but not all:"
    assert [line.split(":")[0].strip() for line in said.splitlines()[1:]] == [
        "d/bad.png", "d/s/bad.png",
    ]  # fmt: skip
    assert files(here / "o") == ["a_x2.png", "s/c_x2.png"]


# -- what fails ------------------------------------------------------------------


class Hungry(Bicubic):
    """Finds no memory for a picture 8 px wide, and has a mistake for one of 9 px."""

    def forward(self, lr: Tensor) -> Tensor:
        if lr.shape[-1] == 8:
            torch.empty(2**50)
        if lr.shape[-1] == 9:
            raise KeyError("conv9")
        return super().forward(lr)


def jobs(folder: Path, *names: str) -> list[Job]:
    return plan_batch([folder / name for name in names], folder / "o", scale=2)


def test_no_memory_and_mistakes_are_reasons_like_others(tmp_path: Path) -> None:
    write(tmp_path, "a.png")
    for width in (9, 10):
        Image.new("RGB", (width, 6)).save(tmp_path / f"{width}.png")
    batch = Batch(jobs(tmp_path, "a.png", "9.png", "10.png"), 2)
    batch.run(Hungry(2))
    assert list(batch.failed.values()) == [
        "a.png needs more memory than there is; crop it, or shrink it first.",
        "9.png: KeyError: 'conv9'",
    ]
    assert batch.done == [tmp_path / "o" / "10_x2.png"]


def test_a_target_that_cannot_be_written_is_one_of_many(tmp_path: Path) -> None:
    write(tmp_path, "a.png", "b.png")
    planned = jobs(tmp_path, "a.png", "b.png")
    (tmp_path / "file").write_text("keep me")
    planned[0] = Job(planned[0].photo, tmp_path / "file" / "a_x2.png")
    batch = Batch(planned, 2)
    batch.run(Bicubic(2))
    assert batch.done == [tmp_path / "o" / "b_x2.png"]
    assert str(tmp_path / "file") in batch.failed[tmp_path / "a.png"]
    assert (tmp_path / "file").read_text() == "keep me"


def test_a_full_disk_stops_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "a.png", "b.png", "c.png")
    save = srlab.cli.batch.save_image

    def until_full(image: Image.Image, path: Path, **options: object) -> None:
        if path.name == "b_x2.png":
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        save(image, path, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(srlab.cli.batch, "save_image", until_full)
    batch = Batch(jobs(tmp_path, "a.png", "b.png", "c.png"), 2)
    batch.run(Bicubic(2))
    assert list(batch.failed) == [tmp_path / "b.png"]
    assert "no space left on device" in batch.describe()
    assert "1 of 3 pictures are done; it stopped there" in batch.describe()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_ctrl_c_keeps_what_is_finished(photo_folder: Path, tmp_path: Path) -> None:
    for number in range(40):
        shutil.copy(photo_folder / "cat.png", tmp_path / f"{number:02}.png")
    process = subprocess.Popen(
        [sys.executable, "-m", "srlab", "upscale", str(tmp_path), "--out", str(tmp_path / "o")],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, **ONE_THREAD, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    try:
        assert process.stdout is not None
        first = process.stdout.readline().strip()
        process.send_signal(signal.SIGINT)
        out, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    done = [first, *out.split()]
    assert process.returncode == 130
    assert errors == f"srlab: stopped; {len(done)} of 40 pictures are done.\n"
    assert files(tmp_path / "o") == [Path(name).name for name in done]
    for name in done:
        assert Image.open(name).size == (512, 384)


# -- kinds of files --------------------------------------------------------------


@pytest.mark.parametrize("name", ["jpeg", "JPG", "webp", "avif", "tiff", "png"])
def test_formats(run: Srlab, here: Path, name: str) -> None:
    write(here, "a.png")
    assert run("upscale", "a.png", *BICUBIC, "--format", name) == (0, "")
    kind = name.lower().replace("jpeg", "jpg")
    assert Image.open(f"a_x2.{kind}").format == kind.upper().replace("JPG", "JPEG")


def test_quality(run: Srlab, here: Path, photo_folder: Path) -> None:
    photo = photo_folder / "cat.png"
    sizes = []
    for options in (("--quality", 30), (), ("--quality", 95)):
        run.done("upscale", photo, *BICUBIC, "--format", "jpeg", "--overwrite", *options)
        sizes.append(Path("cat_x2.jpg").stat().st_size)
    assert sizes[0] < sizes[1] / 2
    assert sizes[1] == sizes[2] == (here / "cat_x2.jpg").stat().st_size
    assert "png loses nothing" in run.refused("upscale", photo, *BICUBIC, "--quality", 90)
    for wrong in (("--quality", 0), ("--format", "bmp")):
        assert run("upscale", photo, "--format", "jpeg", *BICUBIC, *wrong)[0] == 2
