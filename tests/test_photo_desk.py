"""PhotoDesk: any photograph in, the whole of it out, and nothing lost on the way."""

import io
import math
import os
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from srlab.data import degrade, embedded_table
from srlab.files import ASSETS
from srlab.images import open_image, read_image, to_image
from srlab.images.parts import PictureParts
from srlab.inference import MAX_OUTPUT_PIXELS, enlarge_in_tiles, fast_precision, upscale
from srlab.metrics import Protocol, psnr, ridge, sharpness
from srlab.models import Bicubic, SrResNet
from srlab.residuals import ChannelGates
from srlab.widgets.kit.upload import Upload
from srlab.widgets.photo_desk import PhotoDesk, lab
from srlab.widgets.photo_desk.bench import TILE, Enlargement, Task, make_task
from srlab.widgets.photo_desk.look import GRID, PART, PartLook, part_box
from srlab.zoo import load_model
from tests.pictures import png_of
from tests.watching import from_another_thread, wait_for


class Counting(Bicubic):
    """Bicubic that counts how often it is called."""

    calls = 0

    def forward(self, lr: Tensor) -> Tensor:
        self.calls += 1
        return super().forward(lr)


def tiny(scale: int = 4) -> SrResNet:
    """A small network that is not bicubic."""
    torch.manual_seed(5)
    network = SrResNet(scale, 4, 1)
    for parameter in network.upsampler.parameters():
        nn.init.normal_(parameter, std=0.05)
    return network


@pytest.fixture(autouse=True)
def small_example(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch):
    """The desk begins with a photograph of its own; here with a small one, to be quick."""
    folder = tmp_path_factory.mktemp("assets")
    (folder / "photos").mkdir()
    Image.new("RGB", (24, 16), "orange").save(folder / "photos" / "citrus-slices.jpg")
    monkeypatch.setattr(lab, "ASSETS", folder)


@pytest.fixture
def desk(photo: Tensor) -> Iterator[PhotoDesk]:
    """A photograph of 128 x 96 px, and a small network for x4."""
    desk = PhotoDesk("tiny", {"tiny": tiny(), "count": Counting(2)})
    desk.open(to_image(photo), "cat.png")
    yield desk
    desk.stop()


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the notebook is."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def parts_of(picture: Tensor) -> PictureParts:
    """Of a plain RGB picture."""
    return PictureParts(picture, "RGB", None, {})


def word(desk: PhotoDesk) -> str:
    return desk.progress["word"]


def press(desk: PhotoDesk, name: str) -> None:
    """What the page does with a button."""
    desk._handle_custom_msg({"press": name}, [])


def shown(desk: PhotoDesk) -> dict[str, Image.Image]:
    """The very pictures that the page got."""
    return {each["name"]: Image.open(io.BytesIO(each["data"])) for each in desk.pictures}


def desk_sized(photo: Tensor) -> Image.Image:
    """So small that all of it is compared: 60 x 90 px."""
    return to_image(photo[..., :90, :60])


def upload(desk: PhotoDesk, **files: bytes) -> None:
    """What the page does with chosen files."""
    for number, (name, data) in enumerate(files.items()):
        desk.take(Upload(name, data, first=number == 0))
    desk.live.settle()


def as_file(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


# -- enlarging -------------------------------------------------------------------


def test_it_enlarges_as_upscale_does(desk: PhotoDesk, photo: Tensor) -> None:
    result = desk.enlarge()
    expected = upscale(to_image(photo), tiny(), 4)
    assert result.size == (512, 384)
    assert np.abs(np.asarray(result, int) - np.asarray(expected, int)).max() <= 1
    assert word(desk) == "done"


def test_a_large_one_is_pasted_of_tiles_without_a_seam(photo: Tensor) -> None:
    picture = photo.repeat(1, 1, 3, 2)[..., : TILE + 40, : TILE + 70]
    job = Enlargement(make_task("x", parts_of(picture), "tiny", tiny(), 4, shrink=False))
    assert job.total == 4
    while not job.finished:
        job.advance()
    assert job.image is not None
    whole = enlarge_in_tiles(tiny(), picture, scale=4, precision=fast_precision())
    assert np.array_equal(np.asarray(job.image), whole.permute(1, 2, 0).numpy())


def test_a_checkpoint_is_a_model_too(checkpoint: Path, photo: Tensor) -> None:
    desk = PhotoDesk("mine", {"mine": checkpoint})
    desk.open(to_image(photo))
    expected = upscale(to_image(photo), load_model(checkpoint, 4), 4)
    assert np.array_equal(np.asarray(desk.enlarge()), np.asarray(expected))


def test_it_enlarges_in_the_background_and_stops(desk: PhotoDesk, photo: Tensor) -> None:
    desk.open(to_image(photo.repeat(1, 1, 8, 8)), "large.png")  # 48 tiles
    press(desk, "start")
    wait_for(lambda: desk.job.done > 1, "two tiles")
    from_another_thread(lambda: press(desk, "pause"))
    desk.live.wait()
    done = desk.job.done
    assert 1 < done < desk.job.total == 48
    assert word(desk) == "stopped"
    assert f"stopped after {done} of 48 tiles; Enlarge goes on" in desk.progress["words"]
    with pytest.raises(ValueError, match=r"large\.png is not enlarged yet; call enlarge\(\)"):
        desk.result  # noqa: B018


def test_enlarge_goes_on_where_it_stopped(desk: PhotoDesk, photo: Tensor) -> None:
    network = desk._networks.offered["count"]
    desk.open(to_image(photo.repeat(1, 1, 4, 4)), "large.png")  # 12 tiles
    desk.choose(model="count")
    network.calls = 0
    desk.live.run_steps(5)
    assert (desk.job.done, network.calls) == (5, 5)
    desk.start()
    wait_for(lambda: desk.job.finished, "the rest")
    assert network.calls == 12
    whole = enlarge_in_tiles(Bicubic(2), photo.repeat(1, 1, 4, 4), scale=2)
    assert np.array_equal(np.asarray(desk.result), whole.permute(1, 2, 0).numpy())


def test_another_part_is_seen_while_it_runs(desk: PhotoDesk, photo: Tensor) -> None:
    desk.open(to_image(photo.repeat(1, 1, 8, 8)), "large.png")
    desk.start()
    wait_for(lambda: desk.job.done > 0, "a tile")
    before = desk.look
    desk.across = 0
    desk.live.settle()
    assert desk.look is not before
    assert desk.look.box[0] == 0
    assert not desk.job.finished
    assert desk.job.done > 0, "and goes on"


@pytest.mark.parametrize(
    ("control", "value"), [("model", "pixel-x2"), ("shrink", True), ("photograph", "cat.png")]
)
def test_another_task_ends_the_present_one(
    desk: PhotoDesk, photo: Tensor, control: str, value: object
) -> None:
    desk.open(to_image(photo.repeat(1, 1, 8, 8)), "large.png")
    desk.start()
    wait_for(lambda: desk.job.done > 0, "a tile")
    setattr(desk, control, value)
    desk.live.wait()
    assert (desk.job.done, desk.job.image) == (0, None)
    assert getattr(desk.setting, control) == value
    assert word(desk) == "ready"


def test_too_large_a_result_is_refused_before_it_takes_memory(desk: PhotoDesk) -> None:
    side = math.isqrt(MAX_OUTPUT_PIXELS) // 8 + 1
    desk.open(Image.new("L", (side, side)), "wide.png")
    desk.choose(model="pixel-x8")
    with pytest.raises(ValueError, match=r"2501 x 2501 px enlarged 8 times are 400 million"):
        desk.enlarge()
    desk.start()
    desk.live.wait()
    assert word(desk) == "failed"
    assert "crop it or choose a smaller scale" in desk.error
    assert desk.job.image is None
    desk.choose(model="pixel-x2")
    assert desk.error == "", "and it goes on"


def test_a_network_that_is_no_enlarger_says_so(photo: Tensor) -> None:
    wrong = Bicubic(2)
    wrong.forward = lambda lr: lr  # type: ignore[method-assign]
    desk = PhotoDesk("tiny", {"tiny": tiny(), "wrong": wrong})
    desk.open(to_image(photo))
    with pytest.raises(ValueError, match=r"32 x 48 px were expected; its scale is not 2\."):
        PhotoDesk("wrong", {"wrong": wrong})
    with pytest.raises(ValueError, match="its scale is not 2"):
        desk.choose(model="wrong")
    assert desk.setting.model == "tiny"


def test_a_network_that_sees_the_whole_is_compared_when_it_has_seen_it(photo: Tensor) -> None:
    gated = tiny(2)
    gated.body.append(ChannelGates(4, 2))
    desk = PhotoDesk("gated", {"gated": gated})
    desk.open(desk_sized(photo))
    assert [*shown(desk)] == [*desk.look.pictures] == ["input", "bicubic"]
    assert desk.job.total == 1
    result = desk.enlarge()
    assert [*shown(desk)] == ["input", "bicubic", "gated"]
    assert np.array_equal(np.asarray(desk.look.pictures["gated"]), np.asarray(result))


def test_it_begins_with_a_photograph_that_no_model_has_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lab, "ASSETS", ASSETS)
    desk = PhotoDesk()
    assert repr(desk) == "PhotoDesk: citrus-slices, 640 × 422 px to 2560 × 1688 px by pixel-x4"
    split = {row["file"]: row["split"] for row in embedded_table()}
    assert split["citrus-slices.jpg"] == "test"


# -- comparing -------------------------------------------------------------------


def test_a_small_picture_is_compared_whole(desk: PhotoDesk, photo: Tensor) -> None:
    desk.open(desk_sized(photo), "small.png")
    assert desk.look.box == (0, 0, 60, 90)
    assert desk.share == [1, 1]
    before = desk.look.pictures["tiny"]
    assert np.array_equal(np.asarray(before), np.asarray(desk.enlarge()))
    bicubic = enlarge_in_tiles(Bicubic(4), desk.task.lr, scale=4).permute(1, 2, 0)
    assert np.array_equal(np.asarray(desk.look.pictures["bicubic"]), bicubic.numpy())


@pytest.mark.parametrize("scale", [2, 4, 8])
def test_a_part_is_small_inside_and_comes_to_each_corner(scale: int) -> None:
    picture = torch.zeros(1, 3, 501, 1003)
    task = make_task("x", parts_of(picture), "any", Bicubic(scale), scale, shrink=False)
    boxes = [part_box(task, a, d) for a in (0, 50, 100) for d in (0, 50, 100)]
    assert len(set(boxes)) == 9
    for left, top, right, bottom in boxes:
        assert left % GRID == top % GRID == 0
        assert 0 < (right - left) * scale <= PART[0]
        assert 0 < (bottom - top) * scale <= PART[1]
    assert boxes[0][:2] == (0, 0)
    assert boxes[-1][2:] == (1003, 501)


def test_the_chosen_part_is_that_of_the_whole(desk: PhotoDesk, photo: Tensor) -> None:
    desk.open(to_image(photo.repeat(1, 1, 3, 3)), "large.png")
    desk.choose(across=70, down=20)
    alone = desk.look.pictures["tiny"]
    box = tuple(4 * edge for edge in desk.look.box)
    assert np.array_equal(np.asarray(alone), np.asarray(desk.enlarge().crop(box)))
    assert (desk.across, desk.down) == (70, 20)
    assert desk.share == [62 / 384, 100 / 288]


def test_made_smaller_first_the_truth_is_known(desk: PhotoDesk, photo: Tensor) -> None:
    desk.choose(shrink=True)
    lr, truth = degrade(photo, 4), photo
    protocol = Protocol("y", 4)
    for name, model in (("bicubic", Bicubic(4)), ("tiny", tiny())):
        sr = enlarge_in_tiles(model, lr, scale=4)[None].float() / 255
        right = psnr(protocol.apply(sr), protocol.apply(truth)).item()
        # The desk's pictures are in bfloat16 where that is faster, scores never.
        assert desk.figures[name]["psnr_y"] == pytest.approx(right, abs=0.01)
        sharp = sharpness(sr, truth, scale=4).item()
        assert desk.figures[name]["sharpness"] == pytest.approx(sharp, rel=0.01)
    assert np.array_equal(np.asarray(desk.look.pictures["truth"]), np.asarray(to_image(photo)))
    captions = {each["name"]: each["caption"] for each in desk.pictures}
    assert captions["input"] == "32 × 24 px, each drawn 4 × 4"
    assert captions["truth"] == "128 × 96 px"
    for name in ("bicubic", "tiny"):
        assert captions[name].startswith(f"{desk.figures[name]['psnr_y']:.2f} dB, sharp ")
        assert f"{name} {captions[name]}" in repr(desk)
    assert repr(desk).startswith("PhotoDesk: cat.png, made smaller first, 32 × 24 px to 128 ×")
    assert desk.enlarge().size == (128, 96)


def test_figures_are_those_of_the_part_that_is_shown(desk: PhotoDesk, photo: Tensor) -> None:
    desk.open(to_image(photo.repeat(1, 1, 10, 10)), "large.png")
    desk.choose(shrink=True, across=0, down=0)
    left, top, right, bottom = (4 * edge for edge in desk.look.box)
    truth = desk.task.truth[..., top:bottom, left:right]
    sr, y = read_image(desk.look.pictures["tiny"]), Protocol("y", 4)
    expected = psnr(y.apply(sr), y.apply(truth)).item()
    assert desk.figures["tiny"]["psnr_y"] == pytest.approx(expected, abs=1e-3)
    assert desk.figures["tiny"]["ridge"] == pytest.approx(ridge(sr, truth).item(), rel=1e-3)
    assert f"ridge {desk.figures['tiny']['ridge']:.2f}" in desk.summary()


@pytest.mark.parametrize("color", ["black", "teal"])
def test_a_flat_or_tiny_picture_has_no_wrong_figures(desk: PhotoDesk, color: str) -> None:
    desk.choose(shrink=True)
    desk.open(Image.new("RGB", (8, 8), color), "tiny.png")
    assert desk.figures == {}, "too small to leave a border out"
    desk.open(Image.new("RGB", (64, 64), color), "flat.png")
    desk.choose(model="count")
    assert "bicubic ∞ dB" in desk.summary()


def test_too_small_to_be_made_smaller(desk: PhotoDesk) -> None:
    desk.open(Image.new("RGB", (30, 3)), "line.png")
    sentence = r"line\.png is 30 × 3 px, too small to be made 4 times smaller; take a larger"
    with pytest.raises(ValueError, match=sentence):
        desk.choose(shrink=True)
    assert desk.setting.shrink is False
    desk.shrink = True
    desk.live.wait()
    assert "too small to be made 4 times smaller" in desk.error
    assert desk.shrink is False, "it goes back"


def test_input_and_two_networks_stand_side_by_side(desk: PhotoDesk, photo: Tensor) -> None:
    left, top, right, bottom = desk.look.box
    pictures = shown(desk)
    assert [*pictures] == ["input", "bicubic", "tiny"]
    assert desk.figures == {}, "nobody knows the truth"
    assert {picture.size for picture in pictures.values()} == {(PART[0], 384)}
    for name, picture in pictures.items():
        assert np.array_equal(np.asarray(picture), np.asarray(desk.look.pictures[name]))
    part = to_image(photo[..., top:bottom, left:right])
    assert np.array_equal(np.asarray(pictures["input"])[::4, ::4], np.asarray(part))
    assert np.array_equal(np.asarray(pictures["input"])[3::4, 3::4], np.asarray(part))
    desk.choose(other="pixel-x4")
    assert [*shown(desk)] == ["input", "pixel-x4", "tiny"]
    assert np.array_equal(np.asarray(shown(desk)["tiny"]), np.asarray(pictures["tiny"]))


@pytest.mark.parametrize(
    ("choice", "found"),
    [
        ({"model": "pixel-x2"}, (2, "pixel-x2", "bicubic")),
        ({"scale": 2}, (2, "pixel-x2", "bicubic")),
        ({"scale": 8, "other": "pixel-x4"}, (8, "pixel-x8", "bicubic")),
        ({"scale": 8, "other": "small-x4"}, (8, "pixel-x8", "small-x8")),
        ({"model": "small-x4", "other": "pixel-x4"}, (4, "small-x4", "pixel-x4")),
        ({"other": "count"}, (4, "tiny", "bicubic")),
    ],
)
def test_both_networks_have_one_scale(
    desk: PhotoDesk, choice: dict[str, Any], found: tuple[int, str, str]
) -> None:
    desk.choose(**choice)
    assert (desk.scale, desk.model, desk.other) == found
    assert (desk.setting.scale, desk.setting.model, desk.setting.other) == found
    assert found[1] in desk.choices["model"]
    assert desk.task.scale == found[0]


def test_whoever_wants_the_other_in_front_gets_them_swapped(desk: PhotoDesk) -> None:
    desk.choose(other="small-x4")
    desk.choose(model="small-x4")
    assert (desk.model, desk.other) == ("small-x4", "tiny")
    with pytest.raises(ValueError, match="small-x4 would be compared with itself; choose an"):
        desk.choose(other="small-x4")
    with pytest.raises(ValueError, match=r"pixel-x2 enlarges 2 times, but scale is 8; leave"):
        desk.choose(model="pixel-x2", scale=8)
    assert (desk.model, desk.other) == ("small-x4", "tiny")


def test_beside_it_stands_no_network_that_has_to_see_the_whole() -> None:
    gated = tiny(4)
    gated.body.append(ChannelGates(4, 2))
    desk = PhotoDesk("tiny", {"tiny": tiny(), "gated": gated})
    desk.other = "gated"
    desk.live.settle()
    assert desk.error.startswith("gated looks at the whole picture at once, so it cannot")
    assert desk.other == desk.setting.other == "bicubic", "it goes back"


def test_everything_of_a_moment_comes_in_one_message(
    desk: PhotoDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So no two numbers of a screen come from two settings."""
    sent: list[set[str]] = []
    monkeypatch.setattr(desk, "send_state", lambda names: sent.append({*names}))
    desk.choose(shrink=True)
    assert {"pictures", "share", "progress"} <= sent[-1]
    assert not any("pictures" in names for names in sent[:-1])


class MovesMeanwhile:
    """Looking while somebody moves a slider once more; 45 % across cannot be looked at."""

    def __init__(self, desk: PhotoDesk, monkeypatch: pytest.MonkeyPatch):
        self.desk, self.looks, self._part_box = desk, 0, part_box
        self.moves_at = 1
        monkeypatch.setattr(lab, "part_box", self)

    def __call__(self, task: Task, across: float, down: float) -> Any:
        self.looks += 1
        if self.looks == self.moves_at:
            from_another_thread(lambda: setattr(self.desk, "across", 40))
        if across == 45:
            raise ValueError("not there")
        return self._part_box(task, across, down)


@pytest.mark.parametrize(
    "act",
    [
        lambda desk: setattr(desk, "across", 44),
        lambda desk: setattr(desk, "across", 45),
        lambda desk: setattr(desk, "down", 45),
        lambda desk: desk.choose(down=45),
        lambda desk: desk.open(Image.new("RGB", (30, 20))),
    ],
    ids=["the same slider", "what fails", "another slider", "a program", "a photograph"],
)
def test_a_key_pressed_while_the_desk_works_counts(
    desk: PhotoDesk, monkeypatch: pytest.MonkeyPatch, act: Callable[[PhotoDesk], object]
) -> None:
    meanwhile = MovesMeanwhile(desk, monkeypatch)
    act(desk)
    desk.live.settle()
    assert meanwhile.looks >= 1, "it was moved"
    assert desk.across == desk.setting.across == 40


def test_a_move_that_cannot_be_done_goes_back(
    desk: PhotoDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    MovesMeanwhile(desk, monkeypatch).moves_at = 0
    desk.across = 45
    desk.live.settle()
    assert desk.across == desk.setting.across == 50
    assert "not there" in desk.error


def test_what_cannot_be_looked_at_changes_nothing(
    desk: PhotoDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, task = desk.setting, desk.task

    def fail(*_: object) -> PartLook:
        raise ValueError("no memory left")

    monkeypatch.setattr(lab, "take_look", fail)
    for choice in ({"across": 70, "down": 20}, {"scale": 2}):
        with pytest.raises(ValueError, match="no memory"):
            desk.choose(**choice)
        assert (desk.setting, desk.task) == (before, task)
        assert (desk.across, desk.down, desk.scale) == (50, 50, 4)


# -- photographs in --------------------------------------------------------------


def busy(mode: str) -> Image.Image:
    """A picture of many values, in any mode."""
    noise = Image.effect_noise((20, 16), 80)
    if mode in ("RGBA", "LA"):
        image = noise.convert(mode)
        image.putalpha(Image.linear_gradient("L").resize((20, 16)))
        return image
    if mode == "I;16":
        return Image.fromarray(np.asarray(noise).astype(np.uint16) * 250 + 7)
    return noise.convert("RGB").convert(mode)


@pytest.mark.parametrize("mode", ["RGB", "L", "LA", "RGBA", "CMYK", "P", "1", "I;16"])
def test_every_kind_of_picture_becomes_what_upscale_makes_of_it(
    desk: PhotoDesk, mode: str, tmp_path: Path
) -> None:
    exif = Image.Exif()
    exif[315], exif[274] = "Ada", 6  # who took it, and that it lies on its side
    kind = "TIFF" if mode == "CMYK" else "PNG"
    data = as_file(busy(mode), kind, exif=exif, dpi=(300, 300))
    upload(desk, **{"a.any": data})
    assert desk.setting.photograph == "a.any"
    expected = upscale(open_image(io.BytesIO(data)), tiny(), 4)
    result = desk.enlarge()
    assert (result.mode, result.size) == (expected.mode, (64, 80))
    assert np.array_equal(np.asarray(result), np.asarray(expected))
    assert result.info == expected.info
    saved = Image.open(desk.save(tmp_path / "taken.png"))
    linked = Image.open(io.BytesIO(desk.png))
    for image in (saved, linked):
        assert image.mode == expected.mode
        assert np.array_equal(np.asarray(image), np.asarray(expected))
        assert image.getexif()[315] == "Ada"
        assert image.info["dpi"] == pytest.approx((300, 300), abs=0.1)


@pytest.mark.parametrize("mode", ["L", "RGBA", "I;16"])
def test_made_smaller_and_in_part_it_stays_of_its_kind(desk: PhotoDesk, mode: str) -> None:
    upload(desk, **{"a.png": as_file(busy(mode))})
    alone = desk.look.pictures["tiny"]
    assert alone.mode == "RGB"
    desk.choose(shrink=True)
    result = desk.enlarge()
    assert (result.mode, result.size) == (mode, (20, 16))
    assert {*desk.figures} == {"bicubic", "tiny"}
    assert "ridge –" in desk.summary(), "below 32 px there are no patches to look through"
    desk.choose(shrink=False)
    desk.enlarge()
    desk.choose(across=0)  # the part is looked at again, now in the whole
    assert np.array_equal(np.asarray(alone), np.asarray(desk.look.pictures["tiny"]))


def test_white_on_nothing_can_be_seen(desk: PhotoDesk) -> None:
    """Laid over white, a white logo would be gone."""
    logo = Image.new("RGBA", (24, 16), (255, 255, 255, 0))
    logo.paste((255, 255, 255, 255), (8, 4, 16, 12))
    upload(desk, **{"logo.png": as_file(logo)})
    for picture in (*shown(desk).values(), Image.open(io.BytesIO(desk.overview["data"]))):
        assert len(picture.convert("L").getcolors()) > 2
    assert desk.enlarge().getpixel((0, 0))[3] == 0


def test_the_page_says_that_the_first_frame_alone_is_used(desk: PhotoDesk) -> None:
    frames = [Image.new("RGB", (6, 4), color) for color in ("#ff0000", "#00ff00")]
    data = as_file(frames[0], "GIF", save_all=True, append_images=frames[1:])
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # it goes to the page, and to no cell
        upload(desk, **{"<a>.gif": data})
    assert desk.task.lr[0, :, 0, 0].tolist() == [1, 0, 0]
    assert desk.warned == ["<a>.gif: of its 2 frames the first alone is used."]
    desk.photograph = "cat.png"  # one goes back to an earlier one
    desk.live.settle()
    assert desk.task.small == (128, 96)
    assert desk.warned == [], "it was of the other photograph"


def test_what_is_no_picture_is_named_and_the_others_come_in(desk: PhotoDesk) -> None:
    whole = as_file(Image.effect_noise((64, 64), 80).convert("RGB"))
    bomb = png_of(20_000, 20_000, 1, 0, b"")
    before = tuple(desk.choices["photograph"])
    files = {"a.png": whole, "half.png": whole[:3000], "text.jpg": b"Dear <b>diary</b>",
             "bomb.png": bomb, "<i>.png": b"", "z.png": whole}  # fmt: skip
    upload(desk, **files)
    assert tuple(desk.choices["photograph"]) == (*before, "a.png", "z.png")
    assert desk.setting.photograph == desk.photograph == "z.png"
    sentences = desk.error.split("\n")
    assert len(sentences) == 4
    assert "half.png is damaged" in sentences[0]
    assert "text.jpg is not a picture that can be read; save it as JPEG" in sentences[1]
    assert "bomb.png has more than 100 million pixels; shrink or crop it first." in sentences[2]
    assert "<i>.png is empty; copy it again" in sentences[3]
    upload(desk, **{"z.png": whole})
    assert desk.error == ""
    assert desk.setting.photograph == "z (2).png", "a name belongs to one photograph"


def test_a_file_is_opened_by_its_name(desk: PhotoDesk, here: Path) -> None:
    Image.new("RGB", (12, 10), "teal").save(here / "holiday.png")
    desk.file = "holiday.png"
    desk.live.settle()
    assert desk.task.small == (12, 10)
    assert desk.file == "", "ready for the next"
    desk.file = "holidays.png"
    desk.live.settle()
    assert "holidays.png does not exist; check the name." in desk.error
    assert desk.file == "holidays.png", "to be corrected"
    desk.open(here / "holiday.png")
    assert desk.setting.photograph == "holiday (2).png"


@pytest.mark.parametrize(
    ("source", "error", "sentence"),
    [
        ("none.jpg", FileNotFoundError, r"none\.jpg does not exist; check the name\."),
        (3, TypeError, r"A file or a PIL image was expected, but got a int; srlab\.images"),
        (Image.new("F", (2, 2)), ValueError, "floating-point pictures have no agreed range"),
    ],
)
def test_what_cannot_be_opened(
    desk: PhotoDesk, source: object, error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error, match=sentence):
        desk.open(source)
    assert desk.setting.photograph == "cat.png"


@pytest.mark.parametrize(
    ("choice", "sentence"),
    [
        ({"model": "pixel-x3"}, r"model must be one of tiny, count, .*, but got 'pixel-x3'"),
        ({"photograph": "dog"}, r"photograph must be one of citrus-slices, cat\.png, but got"),
        ({"across": 101}, r"across must be 0 to 100 %, but got 101\."),
        ({"down": -1}, r"down must be 0 to 100 %, but got -1\."),
    ],
)
def test_an_unknown_choice_changes_nothing(
    desk: PhotoDesk, choice: dict[str, object], sentence: str
) -> None:
    before = desk.setting
    with pytest.raises(ValueError, match=sentence):
        desk.choose(shrink=True, **choice)
    assert desk.setting == before


@pytest.mark.parametrize(
    ("models", "error", "sentence"),
    [
        ({"a": nn.Conv2d(3, 3, 1)}, ValueError, "a has no attribute scale, but 2, 4 or 8 was"),
        ({"a": 3}, TypeError, "a is a int, but a network or the path of a checkpoint"),
        ({"truth": Bicubic(2)}, ValueError, "No model may be named 'truth', as another"),
        ({"a": "none.safetensors"}, FileNotFoundError, r"none\.safetensors is no file"),
        ({"a": "pixel-x3"}, ValueError, "There is no model 'pixel-x3'; there are bicubic"),
    ],
)
def test_a_model_that_is_none(
    models: dict[str, object], error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error, match=sentence):
        PhotoDesk(models=models)


def test_the_models_are_those_given_and_the_shipped_ones(desk: PhotoDesk) -> None:
    assert desk.choices["model"][:2] == ["tiny", "perceptual-x4"]
    desk.choose(scale=2)
    assert desk.choices["model"] == ["count", "pixel-x2", "small-x2"]
    with pytest.raises(ValueError, match="model must be one of"):
        PhotoDesk("none")


# -- the result out --------------------------------------------------------------


def test_the_link_holds_the_very_picture(desk: PhotoDesk) -> None:
    assert desk.download == {}
    result = desk.enlarge()
    assert desk.download["name"] == "cat_x4.png"
    data = desk.download["data"]
    assert data == desk.png
    assert desk.download["size"] == f"{len(data) / 1e6:.1f} MB"
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(data))), np.asarray(result))
    desk.choose(model="pixel-x2")
    assert (desk.download, desk.png) == ({}, b""), "no link to another task's picture"


def test_too_large_for_a_link(desk: PhotoDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lab, "MOST_LINK_BYTES", 1000)
    desk.enlarge()
    assert desk.note == "Too large for a link in the page: press Save."
    assert (desk.download, desk.png) == ({}, b"")


def test_save_replaces_only_what_the_desk_wrote(desk: PhotoDesk, tmp_path: Path) -> None:
    mine = tmp_path / "result.png"
    with pytest.raises(ValueError, match=r"cat\.png is not enlarged yet"):
        desk.save(mine)
    mine.write_text("somebody else's")
    desk.enlarge()
    sentence = r"result\.png exists already, so result-2\.png was written; overwrite=True"
    with pytest.warns(UserWarning, match=sentence):
        assert desk.save(mine) == tmp_path / "result-2.png"
    assert mine.read_text() == "somebody else's"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert desk.save(tmp_path / "result-2.png") == tmp_path / "result-2.png", "its own"
        assert desk.save(mine, overwrite=True) == mine
    assert Image.open(mine).size == (512, 384)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["result-2.png", "result.png"]


def test_the_button_saves_over_nothing_of_others(desk: PhotoDesk, here: Path) -> None:
    (here / "cat_x4.png").write_text("somebody else's")
    desk.enlarge()
    for _ in range(2):  # the second time over its own
        press(desk, "save")
        desk.live.settle()
    assert sorted(path.name for path in here.iterdir()) == ["cat_x4-2.png", "cat_x4.png"]
    assert (here / "cat_x4.png").read_text() == "somebody else's"
    saved = Image.open(here / "cat_x4-2.png")
    assert np.array_equal(np.asarray(saved), np.asarray(desk.result))
    assert "Saved beside this notebook: cat_x4-2.png" in desk.note


def test_a_folder_that_is_gone_is_told_and_nothing_is_lost(desk: PhotoDesk, here: Path) -> None:
    desk.enlarge()
    gone = here / "gone"
    gone.mkdir()
    os.chdir(gone)
    gone.rmdir()
    press(desk, "save")
    desk.live.settle()
    os.chdir(here)
    assert "No such file or directory" in desk.error
    assert desk.note == ""
    press(desk, "save")
    desk.live.settle()
    assert (here / "cat_x4.png").exists()
    assert desk.error == ""
