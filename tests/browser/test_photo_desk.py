"""PhotoDesk: its view without a kernel; and in JupyterLab real files in, a real file out."""

import io
import os
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from srlab.data import embedded_photo
from srlab.images import to_image
from srlab.widgets.photo_desk import PhotoDesk
from srlab.widgets.photo_desk.lab import MOST_UPLOAD_BYTES
from tests.browser.lab import LabPage, wait_until
from tests.browser.still import Still

pytestmark = pytest.mark.browser

DESK = ".srlab-photo_desk"
CELLS = [
    "from srlab.widgets.photo_desk import PhotoDesk",
    'desk = PhotoDesk("pixel-x2")\ndesk',
]
STATUS, INPUT, FRAME = f"{DESK} .taking", f"{DESK} .upload input", f"{DESK} .overview"
TROUBLE, SENT = f"{DESK} .taking .trouble", f"{DESK} .upload .words"

# Each piece takes a while, as over a slow line.
SLOW = """
import time
def slowly(hear=desk.presses["piece"], **message):
    time.sleep(0.4)
    hear(**message)
desk.presses["piece"] = slowly
"""
CUT = """() => {
    const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
    kernel._ws.close();
}"""
DROP = """(css) => {
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [3, 2];
    canvas.toBlob((blob) => {
        const files = new DataTransfer();
        files.items.add(new File([blob], 'dropped.png', {type: 'image/png'}));
        const input = document.querySelector(css);
        input.files = files.files;
        input.dispatchEvent(new Event('change', {bubbles: true}));
    });
}"""


# Without a kernel


@pytest.fixture(scope="module")
def desk() -> PhotoDesk:
    return PhotoDesk("small-x4")


@pytest.fixture
def widget(desk: PhotoDesk) -> PhotoDesk:
    return desk


def test_input_and_two_networks_with_their_numbers(still: Still, desk: PhotoDesk):
    tiles = still.page.locator(".stage .tile")
    assert [tile.get_attribute("data-name") for tile in tiles.all()] == [
        "input", "bicubic", "small-x4",
    ]  # fmt: skip
    for tile, picture in zip(tiles.all(), desk.pictures, strict=True):
        assert tile.locator("figcaption span").inner_text() == picture["caption"]
        assert picture["caption"] in str(tile.locator("img").get_attribute("alt"))
    words = still.page.locator(".srlab").inner_text()
    assert "640 × 422 px → 2560 × 1688 px (4.3 million pixels)" in words
    assert "Detail that was not in the photograph is invented" in words
    assert "the whole is not enlarged yet: 20 tiles" in words


def test_each_control_moves_its_trait(still: Still):
    still.menu("model", "pixel-x4")
    still.menu("other", "unet-x4")
    still.receive(choices={**still.widget.choices, "photograph": ["citrus-slices", "b.png"]})
    still.menu("photograph", "b.png")
    still.control("scale").press("ArrowRight")
    still.control("shrink").press("Space")
    still.control("across").press("ArrowRight")
    still.control("down").press("End")
    still.page.get_by_label("or a file").fill("holiday.jpg")
    still.page.get_by_label("or a file").press("Enter")
    assert still.set == {
        "model": "pixel-x4", "other": "unet-x4", "photograph": "b.png", "scale": 8,
        "shrink": True, "across": 51, "down": 100, "file": "holiday.jpg",
    }  # fmt: skip


def test_a_network_is_not_offered_beside_itself(still: Still):
    offered = still.page.locator("[data-name=other] option").all_inner_texts()
    assert "bicubic" in offered
    assert "small-x4" not in offered


def test_the_frame_by_keys(still: Still):
    frame = still.page.locator(".overview")
    for key, place in (("Right", (55, 50)), ("Up", (55, 45)), ("Left", (50, 45))):
        frame.press(f"Arrow{key}")
        assert (still.set["across"], still.set["down"]) == place
    label = str(frame.get_attribute("aria-label"))
    assert label.endswith("the part in the frame is compared, 50 % across, 45 % down")


def test_the_frame_by_mouse(still: Still):
    box, part = (still.page.locator(css).bounding_box() for css in (".overview", ".part"))
    middle = part["x"] + part["width"] / 2, part["y"] + part["height"] / 2
    still.page.mouse.move(*middle)
    still.page.mouse.down()
    still.page.mouse.move(middle[0] + 40, middle[1] - 20, steps=4)
    still.frame()
    moved = still.page.locator(".part").bounding_box()
    assert moved["x"] - part["x"] == pytest.approx(40, abs=1), "it goes with the pointer"
    assert moved["y"] - part["y"] == pytest.approx(-20, abs=1)
    still.page.mouse.move(box["x"] + 2000, box["y"] - 500)
    still.page.mouse.up()
    still.page.mouse.move(*middle)
    assert still.set == {"across": 100, "down": 0}, "no farther than the edge, and let go"


def test_the_frame_lies_where_the_part_is(still: Still, desk: PhotoDesk):
    still.receive(across=0, down=100)
    box, part = (still.page.locator(css).bounding_box() for css in (".overview", ".part"))
    assert part["x"] == pytest.approx(box["x"], abs=0.5)
    assert part["y"] + part["height"] == pytest.approx(box["y"] + box["height"], abs=0.5)
    assert part["width"] / box["width"] == pytest.approx(desk.share[0], abs=0.01)


def test_buttons_press(still: Still):
    still.page.get_by_role("button", name="Enlarge").click()
    still.receive(progress={**still.widget.progress, "word": "running"})
    still.page.get_by_role("button", name="Stop").click()
    still.receive(progress={**still.widget.progress, "word": "done"})
    still.page.get_by_role("button", name="Save").press("Enter")
    assert [sent["press"] for sent in still.sent] == ["start", "pause", "save"]


def test_each_wrong_file_has_a_line_and_markup_is_text(still: Still):
    still.receive(error="a is damaged.\nb.png is empty.", photograph="<b>.png")
    lines = still.page.get_by_role("alert").last.inner_text().split("\n\n")
    assert lines == ["a is damaged.", "b.png is empty."]
    assert "<b>.png" in still.page.locator(".sizes").inner_text()


def test_a_network_that_has_not_seen_the_whole_says_so(still: Still, desk: PhotoDesk):
    still.receive(pictures=desk.pictures[:2])
    assert "small-x4 looks at the whole picture at once: press Enlarge" in (
        still.page.locator(".take").inner_text()
    )


def test_too_large_an_upload_is_refused_at_once(still: Still, tmp_path: Path):
    (tmp_path / "vast.png").touch()
    os.truncate(tmp_path / "vast.png", MOST_UPLOAD_BYTES + 1)
    (tmp_path / "film.mp4").write_bytes(b"no picture")
    still.page.locator(".upload input").set_input_files(
        [tmp_path / "vast.png", tmp_path / "film.mp4"]
    )
    refused = still.page.locator(".upload .trouble p")
    wait_until(lambda: refused.count() == 2, what="both to be refused")
    assert refused.all_inner_texts() == [
        "vast.png has 200 MB, but at most 200 MB can be sent; shrink or crop it first, or "
        "put it beside the notebook and type its name.",
        "film.mp4 is not a picture (video/mp4).",
    ]
    assert still.sent == [], "nothing was sent"


@pytest.mark.parametrize("width", [360, 1100, 1400])
def test_a_pixel_is_drawn_on_a_pixel(still: Still, width: int):
    still.resize(width)
    boxes = [frame.bounding_box() for frame in still.page.locator(".stage .frame").all()]
    assert {round(box["width"]) for box in boxes} == {248}
    assert len({box["y"] for box in boxes}) == (1 if width >= 1100 else 3)


def test_an_upload_goes_in_pieces_each_after_the_answer(still: Still, tmp_path: Path):
    (tmp_path / "a.png").write_bytes(bytes(2**20 + 5))
    still.page.locator(".upload input").set_input_files([tmp_path / "a.png"])
    wait_until(lambda: len(still.sent) == 1, what="the first piece")
    words = still.page.locator(".upload .words")
    assert words.inner_text() == "Sending a.png (1 MB) …", "and never 0.0 kB"
    first = still.sent[0]
    assert (first["press"], first["at"], first["size"]) == ("piece", 0, 2**20 + 5)
    about = {name: first[name] for name in ("upload", "number")}
    still.receive(received={**about, "number": -1, "have": 5})
    assert len(still.sent) == 1, "an answer to another message"
    still.receive(received={**about, "have": 2**20})
    wait_until(lambda: len(still.sent) == 2, what="the second piece")
    assert still.sent[1]["at"] == 2**20
    about["number"] = still.sent[1]["number"]
    still.receive(received={**about, "have": 2**20 + 5})
    wait_until(lambda: words.inner_text() == "Sent: a.png (1 MB).", what="word of it")
    assert still.page.locator(".upload progress").count() == 0


# In JupyterLab


@pytest.fixture
def page(lab: LabPage) -> LabPage:
    lab.page.set_viewport_size({"width": 1100, "height": 1500})
    lab.page.on("filechooser", lambda _: None)  # from now on, not only from the click on
    lab.write("desk.ipynb", *CELLS)
    lab.open("desk.ipynb")
    lab.run_all()
    return lab


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """A photograph that lies on its side, one with a hole in it, and none at all."""
    cat = to_image(embedded_photo("chelsea-cat")[..., 60:156, 100:228])
    exif = Image.Exif()
    exif[274] = 6  # a viewer turns it: 96 px wide, 128 high
    cat.save(tmp_path / "lying cat.jpg", exif=exif)
    cat.convert("LA").save(tmp_path / "gray.png")
    (tmp_path / "letter.jpg").write_text("Dear diary, this is no picture.")
    return [tmp_path / name for name in ("gray.png", "letter.jpg", "lying cat.jpg")]


def test_a_person_enlarges_a_photograph_and_takes_it_home(
    page: LabPage, files: list[Path], tmp_path: Path
):
    files_come_in_by_keyboard(page, files)
    enter_enlarges_the_whole(page)
    the_link_gives_the_very_bytes(page, tmp_path / "taken.png")
    save_writes_beside_the_notebook(page)
    the_truth_is_known_if_it_is_made_smaller(page)
    assert page.problems == []


def test_the_page_lives_while_a_large_one_is_enlarged(page: LabPage):
    cat = to_image(embedded_photo("chelsea-cat"))
    cat.resize((2400, 1800)).save(page.server.folder / "large.png")
    a_file_is_opened_by_its_name(page)
    the_part_moves_while_it_runs(page)
    stop_keeps_what_is_done(page)
    assert page.problems == []


def test_a_picture_above_the_servers_limit_comes_in(page: LabPage, tmp_path: Path):
    """A Jupyter server closes the connection on a message of more than 10 MiB."""
    noise(tmp_path / "noise.png", 2100)
    noise(tmp_path / "other.png", 40)
    assert (tmp_path / "noise.png").stat().st_size > 12 * 2**20
    choose(page, tmp_path / "noise.png", tmp_path / "other.png")
    wait_for_sent(page, "Sent: noise.png (13.2 MB), other.png (")
    page.wait_for_status(STATUS, "data-size", "80x80")
    page.ask("desk.choose(photograph='noise.png')")
    page.wait_for_status(STATUS, "data-size", "4200x4200")
    pixels = "(desk.task.lr[0] * 255).round().byte().permute(1, 2, 0).numpy().tobytes()"
    here = Image.open(tmp_path / "noise.png").tobytes()
    assert digest(page, pixels) == sha256(here).hexdigest()
    assert page.problems == []


def test_an_upload_is_cancelled_and_the_next_one_comes(page: LabPage, tmp_path: Path):
    noise(tmp_path / "noise.png", 2100)
    noise(tmp_path / "other.png", 40)
    page.ask(SLOW)
    choose(page, tmp_path / "noise.png")
    page.find(f"{DESK} .upload progress")
    wait_for_a_piece(page)
    page.find(f"{DESK} [data-name=cancel]").focus()
    page.page.keyboard.press("Enter")
    wait_for_sent(page, "Cancelled: noise.png was not sent.")
    wait_until(lambda: page.ask("print(desk.inbox._part)") == "None", what="it to be forgotten")
    assert page.page.locator(f"{DESK} .upload progress").count() == 0
    focused = "() => document.activeElement.type"
    assert page.page.evaluate(focused) == "file", "the next one is chosen from here"
    choose(page, tmp_path / "other.png")
    wait_for_sent(page, "Sent: other.png (")
    page.wait_for_status(STATUS, "data-size", "80x80")
    assert page.ask("print(*desk.choices['photograph'])") == "citrus-slices other.png"


def test_a_lost_connection_loses_no_upload(page: LabPage, tmp_path: Path):
    noise(tmp_path / "noise.png", 2100)
    page.ask(SLOW)
    choose(page, tmp_path / "noise.png")
    wait_for_a_piece(page)
    page.page.evaluate(CUT)
    wait_for_sent(page, "Sent: noise.png (13.2 MB).", timeout=90)
    page.wait_for_status(STATUS, "data-size", "4200x4200")


def test_a_kernel_that_is_gone_is_said(page: LabPage, tmp_path: Path):
    noise(tmp_path / "noise.png", 2100)
    page.ask(SLOW)
    choose(page, tmp_path / "noise.png")
    wait_for_a_piece(page)
    page.restart_kernel()
    wait_until(
        lambda: "ernel" in page.page.locator(f"{DESK} .upload").inner_text(), what="word of it"
    )


def test_a_file_is_dropped_on_the_button(page: LabPage):
    """As from a file manager; Chromium itself then fills the input."""
    page.page.evaluate(DROP, INPUT)
    page.wait_for_status(STATUS, "data-size", "6x4")
    assert page.ask("print(desk.setting.photograph)") == "dropped.png"


def noise(path: Path, side: int) -> None:
    """A picture that no PNG makes smaller."""
    pixels = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, compress_level=0)


def digest(page: LabPage, data: str) -> str:
    """Of bytes in the kernel."""
    return page.ask(f"import hashlib; print(hashlib.sha256({data}).hexdigest())")


def choose(page: LabPage, *files: Path) -> None:
    page.find(INPUT).set_input_files(files)


def wait_for_a_piece(page: LabPage) -> None:
    here = "print(getattr(desk.inbox._part, 'have', 0))"
    wait_until(lambda: page.ask(here) != "0", what="a piece")


def wait_for_sent(page: LabPage, words: str, timeout: float = 60) -> None:
    said = page.page.locator(SENT)
    wait_until(
        lambda: said.inner_text().startswith(words),
        timeout=timeout,
        what=lambda: f"{words}; it says {said.inner_text()!r}",
    )


def files_come_in_by_keyboard(page: LabPage, files: list[Path]):
    page.find(INPUT).focus()
    with page.page.expect_file_chooser() as chooser:
        page.page.keyboard.press("Enter")
    assert chooser.value.is_multiple()
    chooser.value.set_files(files)
    page.wait_for_status(STATUS, "data-size", "192x256", timeout=60)
    names = page.ask("print(*desk.choices['photograph'], sep='|')")
    assert names == "citrus-slices|gray.png|lying cat.jpg"
    trouble = page.find(TROUBLE).inner_text()
    assert trouble.startswith("letter.jpg is not a picture that can be read; save it as JPEG")
    sent = page.find(SENT).inner_text()
    assert sent.startswith("Sent: gray.png (")
    assert sent.endswith(" kB).")


def enter_enlarges_the_whole(page: LabPage):
    assert page.status(STATUS)["data-state"] == "ready"
    assert page.page.locator(f"{DESK} .download").count() == 0
    page.find(f"{DESK} [data-name=start]").focus()
    page.page.keyboard.press("Enter")
    page.wait_for_status(STATUS, "data-state", "done", timeout=60)
    assert page.ask("print(desk.result.size)") == "(192, 256)"


def the_link_gives_the_very_bytes(page: LabPage, target: Path):
    link = page.find(f"{DESK} .download")
    link.focus()
    with page.page.expect_download() as download:
        page.page.keyboard.press("Enter")
    assert download.value.suggested_filename == "lying cat_x2.png"
    download.value.save_as(target)
    taken = target.read_bytes()
    assert sha256(taken).hexdigest() == digest(page, "desk.png")
    image = Image.open(io.BytesIO(taken))
    assert sha256(image.tobytes()).hexdigest() == digest(page, "desk.result.tobytes()")
    assert page.page.url.count("desk.ipynb") == 1, "the notebook is still there"


def save_writes_beside_the_notebook(page: LabPage):
    page.find(f"{DESK} [data-name=save]").focus()
    page.page.keyboard.press("Enter")
    written = page.server.folder / "lying cat_x2.png"
    note = page.page.locator(f"{DESK} [role=status]", has_text="Saved beside")
    wait_until(lambda: note.count() == 1, what="word of the file")
    assert written.name in note.inner_text()
    saved = Image.open(written).tobytes()
    assert sha256(saved).hexdigest() == digest(page, "desk.result.tobytes()")


def the_truth_is_known_if_it_is_made_smaller(page: LabPage):
    page.find(f"{DESK} [data-name=shrink] input").focus()
    page.page.keyboard.press("Space")
    page.wait_for_status(STATUS, "data-size", "96x128")
    assert page.page.locator(f"{DESK} .download").count() == 0, "of another picture"
    decibels = page.ask("print(f\"{desk.figures['pixel-x2']['psnr_y']:.2f} dB\")")
    told = page.page.locator(f"{DESK} [data-name=pixel-x2] figcaption")
    wait_until(lambda: decibels in told.inner_text(), what=f"{decibels} below the picture")


def a_file_is_opened_by_its_name(page: LabPage):
    field = page.find(f"{DESK} [data-name=file] input")
    field.focus()
    page.page.keyboard.insert_text("missing.png")
    page.page.keyboard.press("Enter")
    trouble = page.page.locator(f"{TROUBLE} p")
    wait_until(lambda: trouble.count() == 1, what="a sentence of the missing file")
    assert "missing.png does not exist; check the name." in trouble.inner_text()
    field.fill("large.png")
    page.page.keyboard.press("Enter")
    page.wait_for_status(STATUS, "data-size", "4800x3600", timeout=60)
    assert trouble.count() == 0
    assert field.input_value() == "", "ready for the next"
    assert "50 % across, 50 % down" in str(page.find(FRAME).get_attribute("aria-label"))


def the_part_moves_while_it_runs(page: LabPage):
    page.click(f"{DESK} [data-name=start]")
    page.wait_for_status(STATUS, "data-state", "running", timeout=60)
    shown = page.picture_hash(f"{DESK} .stage [data-name=pixel-x2]")
    cells = len(page.cells())
    for _ in range(6):
        page.find(FRAME).press("ArrowLeft")
        page.page.wait_for_timeout(200)  # a key may come while the one before it is drawn
    page.wait_for_new_picture(f"{DESK} .stage [data-name=pixel-x2]", shown)
    across = "print(desk.setting.across, desk.across)"
    wait_until(lambda: page.ask(across) == "20.0 20.0", what="every key to count")
    assert page.status(STATUS)["data-state"] == "running"
    assert len(page.cells()) == cells, "no key reached JupyterLab"


def stop_keeps_what_is_done(page: LabPage):
    wait_until(lambda: int(page.status(STATUS)["data-done"]) > 1, what="two tiles", timeout=60)
    page.click(f"{DESK} [data-name=pause]")
    page.wait_for_status(STATUS, "data-state", "stopped")
    done, total = page.status(STATUS)["data-done"], page.status(STATUS)["data-total"]
    assert 0 < int(done) < int(total)
    sentence = f"stopped after {done} of {total} tiles; Enlarge goes on"
    assert page.find(f"{STATUS} .words").inner_text() == sentence
    page.page.wait_for_timeout(700)
    assert page.status(STATUS)["data-done"] == done
