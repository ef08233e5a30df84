"""PhotoDesk in JupyterLab: real files in, a real file out."""

import hashlib
import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from srlab.data import embedded_photo
from srlab.images import to_image
from srlab.widgets.photo_desk import MOST_UPLOAD_BYTES
from tests.browser.lab import LabPage, wait_until

pytestmark = pytest.mark.browser

CELLS = [
    "from srlab.widgets.photo_desk import PhotoDesk",
    'desk = PhotoDesk("pixel-x2")\ndesk',
]
PROGRESS, STAGE = ".srlab-photo-desk .srlab-progress", ".srlab-photo-desk .srlab-compare"


TROUBLE = ".srlab-photo-desk [role=alert]:not(.srlab-upload-trouble)"
SENT = ".srlab-photo-desk .srlab-upload-status"
REFUSED = ".srlab-photo-desk .srlab-upload-trouble"


# Each piece takes a while, as over a slow line.
SLOW = """
import time
def slowly(*message, hear=desk.upload._hear):
    time.sleep(0.4)
    hear(*message)
desk.upload._msg_callbacks.callbacks[:] = [slowly]
"""
PIXELS = """
import hashlib
pixels = (desk.task.lr[0] * 255).round().byte().permute(1, 2, 0).contiguous().numpy()
print(hashlib.sha256(pixels).hexdigest())
"""
CUT = """() => {
    const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
    kernel._ws.close();
}"""
DROP = """() => {
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [3, 2];
    canvas.toBlob((blob) => {
        const files = new DataTransfer();
        files.items.add(new File([blob], 'dropped.png', {type: 'image/png'}));
        const input = document.querySelector('.srlab-upload input');
        input.files = files.files;
        input.dispatchEvent(new Event('change', {bubbles: true}));
    });
}"""


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
    every_control_has_a_name(page)
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
    (tmp_path / "vast.png").touch()
    os.truncate(tmp_path / "vast.png", MOST_UPLOAD_BYTES + 1)
    (tmp_path / "film.mp4").write_bytes(b"no picture")
    choose(
        page, *(tmp_path / name for name in ("vast.png", "noise.png", "film.mp4", "other.png"))
    )
    wait_for_sent(page, "Sent: noise.png (13.2 MB), other.png (")
    refused = page.page.locator(REFUSED).inner_text().splitlines()
    assert refused == [
        "vast.png has 200.0 MB, but at most 200 MB can be sent; shrink or crop it first, or "
        "put it beside the notebook and type its name.",
        "film.mp4 is not a picture (video/mp4).",
    ]
    page.wait_for_status(PROGRESS, "data-size", "80x80")
    page.ask("desk.choose(photograph='noise.png')")
    page.wait_for_status(PROGRESS, "data-size", "4200x4200")
    here = np.asarray(Image.open(tmp_path / "noise.png"))
    there = page.ask(PIXELS)
    assert there == hashlib.sha256(here.tobytes()).hexdigest()
    assert page.problems == []


def test_an_upload_is_cancelled_and_the_next_one_comes(page: LabPage, tmp_path: Path):
    noise(tmp_path / "noise.png", 2100)
    noise(tmp_path / "other.png", 40)
    page.ask(SLOW)
    choose(page, tmp_path / "noise.png")
    page.find(".srlab-upload progress")
    assert "Sending noise.png: 0.0 kB of 13.2 MB" in page.page.locator(SENT).inner_text()
    wait_for_a_piece(page)
    page.find(".srlab-upload-cancel").focus()
    page.page.keyboard.press("Enter")
    wait_for_sent(page, "Cancelled: noise.png was not sent.")
    wait_until(
        lambda: page.ask("print(desk.upload._part)") == "None", what="it to be forgotten"
    )
    assert page.page.locator(".srlab-upload progress >> visible=true").count() == 0
    focused = "() => document.activeElement.type"
    assert page.page.evaluate(focused) == "file", "the next one is chosen from here"
    choose(page, tmp_path / "other.png")
    wait_for_sent(page, "Sent: other.png (")
    page.wait_for_status(PROGRESS, "data-size", "80x80")
    assert page.ask("print(*desk.photograph.options)") == "citrus-slices other.png"


def test_a_lost_connection_loses_no_upload(page: LabPage, tmp_path: Path):
    noise(tmp_path / "noise.png", 2100)
    page.ask(SLOW)
    choose(page, tmp_path / "noise.png")
    wait_for_a_piece(page)
    page.page.evaluate(CUT)
    wait_for_sent(page, "Sent: noise.png (13.2 MB).", timeout=90)
    page.wait_for_status(PROGRESS, "data-size", "4200x4200")


def test_a_kernel_that_is_gone_is_said(page: LabPage, tmp_path: Path):
    noise(tmp_path / "noise.png", 2100)
    page.ask(SLOW)
    choose(page, tmp_path / "noise.png")
    wait_for_a_piece(page)
    page.restart_kernel()
    wait_until(
        lambda: "ernel" in page.page.locator(".srlab-upload").inner_text(), what="word of it"
    )


def test_a_file_is_dropped_on_the_button(page: LabPage):
    """As from a file manager; Chromium itself then fills the input."""
    page.page.evaluate(DROP)
    page.wait_for_status(PROGRESS, "data-size", "6x4")
    assert page.ask("print(desk.setting.photograph)") == "dropped.png"


def noise(path: Path, side: int) -> None:
    """A picture that no PNG makes smaller."""
    pixels = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, compress_level=0)


def choose(page: LabPage, *files: Path) -> None:
    page.find(".srlab-upload input").set_input_files(files)


def wait_for_a_piece(page: LabPage) -> None:
    here = "print(getattr(desk.upload._part, 'have', 0))"
    wait_until(lambda: page.ask(here) != "0", what="a piece")


def wait_for_sent(page: LabPage, words: str, timeout: float = 60) -> None:
    said = page.page.locator(SENT)
    wait_until(
        lambda: said.inner_text().startswith(words),
        timeout=timeout,
        what=lambda: f"{words}; it says {said.inner_text()!r}",
    )


def progress(page: LabPage) -> dict[str, str]:
    return page.status(PROGRESS)


def every_control_has_a_name(page: LabPage):
    for name in ("Photographs", "Photograph", "Model", "or a file"):
        assert page.page.get_by_label(name, exact=True).is_visible(), name
    for name in ("Enlarge", "Stop", "Save"):
        button = page.page.locator(f".srlab-photo-desk button:has-text('{name}')")
        assert button.count() == 1, name
    assert page.page.get_by_label("make it smaller first").count() == 1
    pictures = page.page.locator(".srlab-photo-desk img >> visible=true")
    assert all(picture.get_attribute("alt") for picture in pictures.all())
    words = page.page.locator(".srlab-photo-desk").inner_text()
    assert "Detail that was not in the photograph is invented" in words


def files_come_in_by_keyboard(page: LabPage, files: list[Path]):
    page.find(".srlab-upload input").focus()
    with page.page.expect_file_chooser() as chooser:
        page.page.keyboard.press("Enter")
    assert chooser.value.is_multiple()
    chooser.value.set_files(files)
    page.wait_for_status(PROGRESS, "data-size", "192x256", timeout=60)
    names = page.ask("print(*desk.photograph.options, sep='|')")
    assert names == "citrus-slices|gray.png|lying cat.jpg"
    trouble = page.find(TROUBLE).inner_text()
    assert trouble.startswith("letter.jpg is not a picture that can be read; save it as JPEG")
    sent = page.find(".srlab-upload [role=status]").inner_text()
    assert sent.startswith("Sent: gray.png (")
    assert sent.endswith(" kB).")


def enter_enlarges_the_whole(page: LabPage):
    assert progress(page)["data-state"] == "ready"
    assert page.page.locator(".srlab-download").count() == 0
    page.find(".srlab-enlarge").focus()
    page.page.keyboard.press("Enter")
    page.wait_for_status(PROGRESS, "data-state", "done", timeout=60)
    assert page.ask("print(desk.result.size)") == "(192, 256)"


def the_link_gives_the_very_bytes(page: LabPage, target: Path):
    link = page.find(".srlab-download")
    link.focus()
    with page.page.expect_download() as download:
        page.page.keyboard.press("Enter")
    assert download.value.suggested_filename == "lying cat_x2.png"
    download.value.save_as(target)
    taken = target.read_bytes()
    digest = "import hashlib; print(hashlib.sha256(desk.png).hexdigest())"
    assert hashlib.sha256(taken).hexdigest() == page.ask(digest)
    pixels = "import hashlib; print(hashlib.sha256(desk.result.tobytes()).hexdigest())"
    image = Image.open(io.BytesIO(taken))
    assert hashlib.sha256(image.tobytes()).hexdigest() == page.ask(pixels)
    assert page.page.url.count("desk.ipynb") == 1, "the notebook is still there"


def save_writes_beside_the_notebook(page: LabPage):
    page.find(".srlab-save").focus()
    page.page.keyboard.press("Enter")
    written = page.server.folder / "lying cat_x2.png"
    note = page.page.locator(".srlab-photo-desk [role=status]", has_text="Saved beside")
    wait_until(lambda: note.count() == 1, what="word of the file")
    assert written.name in note.inner_text()
    pixels = "import hashlib; print(hashlib.sha256(desk.result.tobytes()).hexdigest())"
    saved = Image.open(written)
    assert hashlib.sha256(saved.tobytes()).hexdigest() == page.ask(pixels)


def the_truth_is_known_if_it_is_made_smaller(page: LabPage):
    shown = page.picture_hash(STAGE)
    page.find(".srlab-shrink input").focus()
    page.page.keyboard.press("Space")
    page.wait_for_status(PROGRESS, "data-size", "96x128")
    assert page.page.locator(".srlab-download").count() == 0, "of another picture"
    page.wait_for_new_picture(STAGE, shown)
    decibels = page.ask("print(f\"{desk.figures['pixel-x2']['psnr_y']:.2f} dB\")")
    told = page.page.locator(STAGE)
    wait_until(lambda: decibels in told.inner_text(), what=f"{decibels} beside the pictures")


def a_file_is_opened_by_its_name(page: LabPage):
    field = page.find(".srlab-file input")
    field.focus()
    page.page.keyboard.insert_text("missing.png")
    page.page.keyboard.press("Enter")
    trouble = page.page.locator(TROUBLE)
    wait_until(lambda: trouble.count() == 1, what="a sentence of the missing file")
    assert "missing.png does not exist; check the name." in trouble.inner_text()
    field.fill("large.png")
    page.page.keyboard.press("Enter")
    page.wait_for_status(PROGRESS, "data-size", "4800x3600", timeout=60)
    assert trouble.count() == 0
    assert (
        page.find(".srlab-overview img")
        .get_attribute("alt")
        .endswith("the part that is compared: 50 % across, 50 % down")
    )


def the_part_moves_while_it_runs(page: LabPage):
    page.click(".srlab-enlarge")
    page.wait_for_status(PROGRESS, "data-state", "running", timeout=60)
    shown = page.picture_hash(".srlab-overview")
    for _ in range(6):
        page.press(".srlab-across", "ArrowLeft")
        page.page.wait_for_timeout(200)  # a key may come while the one before it is drawn
    page.wait_for_new_picture(".srlab-overview", shown)
    across = "print(desk.setting.across, desk.across.value)"
    wait_until(lambda: page.ask(across) == "20 20", what="every key to count")
    assert progress(page)["data-state"] == "running"


def stop_keeps_what_is_done(page: LabPage):
    wait_until(lambda: int(progress(page)["data-done"]) > 1, what="two tiles", timeout=60)
    page.click(".srlab-stop")
    page.wait_for_status(PROGRESS, "data-state", "stopped")
    done, total = progress(page)["data-done"], progress(page)["data-total"]
    assert 0 < int(done) < int(total)
    told = page.page.locator(".srlab-photo-desk .srlab-spoken")
    sentence = f"stopped: stopped after {done} of {total} tiles; Enlarge goes on"
    assert told.text_content() == sentence
    page.page.wait_for_timeout(700)
    assert progress(page)["data-done"] == done
