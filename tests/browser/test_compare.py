"""Compare and MetricLab under real keys, mouse and fingers.

Most tests draw the real view without a kernel; one drives both widgets in
JupyterLab.
"""

import base64
import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page

from srlab.widgets.compare import compare
from tests.browser.axe import grave_violations_on
from tests.browser.lab import LabPage, wait_until
from tests.browser.still import Still

pytestmark = pytest.mark.browser

WIDTH, HEIGHT = 60, 40
NASTY = "<img src=x onerror=\"document.title='hacked'\">"


def flat_pictures() -> dict[str, Image.Image]:
    """Three pictures of one color each; the last has a white square off its middle."""
    colors = {"nearest": "#404040", "bicubic": "#505050", "truth": "#606060"}
    images = {name: Image.new("RGB", (WIDTH, HEIGHT), c) for name, c in colors.items()}
    images["truth"].paste("white", (32, 8, 40, 16))
    return images


class Comparer:
    """The widget in a page: what a person does to it, and what it shows."""

    def __init__(self, page: Page, captions: dict[str, str]):
        self.still = Still(page, compare(flat_pictures(), captions))
        self.page = page
        self.stage = page.locator(".stage")
        self.frame = page.locator(".stage .frame").first

    def press(self, *keys: str) -> None:
        self.stage.focus()
        for key in keys:
            self.page.keyboard.press(key)
            self.still.frame()

    def trait(self, name: str) -> Any:
        return self.page.evaluate("(name) => still.values[name]", name)

    def set(self, **traits: Any) -> None:
        """As Python does it."""
        self.still.receive(**traits)

    def says(self, sentence: str) -> None:
        """Wait until the status is ``sentence``."""
        status = self.page.locator("[role=status]")
        wait_until(
            lambda: status.inner_text() == sentence,
            what=lambda: f"{sentence!r}; it says {status.inner_text()!r}",
        )

    def pixel(self, u: float, v: float) -> list[int]:
        """The color at a fraction of the frame, as it is on the screen."""
        x, y = self.at(u, v)
        clip = {"x": int(x), "y": int(y), "width": 1, "height": 1}
        shot = Image.open(io.BytesIO(self.page.screenshot(clip=clip)))
        return list(shot.convert("RGB").getpixel((0, 0)))

    def shows(self, color: int, u: float = 0.3, v: float = 0.7) -> None:
        """Wait until the frame has this gray there."""
        wait_until(
            lambda: self.pixel(u, v) == [color] * 3,
            what=lambda: f"gray {color} at {u}, {v}; it is {self.pixel(u, v)}",
        )

    def labels(self) -> list[str]:
        return self.page.locator(".stage figcaption").all_inner_texts()

    def at(self, u: float, v: float) -> tuple[float, float]:
        """A point of the frame, in px of the page."""
        box = self.frame.bounding_box()
        assert box is not None
        return box["x"] + u * box["width"], box["y"] + v * box["height"]

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        mouse = self.page.mouse
        mouse.move(*self.at(*start))
        mouse.down()
        mouse.move(*self.at(*end), steps=5)
        mouse.up()
        self.still.frame()


@contextmanager
def shown(
    browser: Browser, captions: dict[str, str] | None = None, **context: Any
) -> Iterator[Comparer]:
    with browser.new_context(**context) as session:
        comparer = Comparer(session.new_page(), captions or {"bicubic": "26.50 dB"})
        yield comparer
        assert comparer.still.problems == []


@pytest.fixture
def comparer(browser: Browser) -> Iterator[Comparer]:
    with shown(browser, viewport={"width": 900, "height": 900}) as comparer:
        yield comparer


def test_keys(comparer: Comparer):
    comparer.says("nearest.")
    comparer.press("2")
    comparer.says("bicubic 26.50 dB.")
    comparer.shows(0x50)
    assert [text.strip() for text in comparer.labels()] == ["bicubic 26.50 dB"]
    comparer.press("a")
    comparer.says("side by side: nearest, bicubic 26.50 dB, truth.")
    assert len(comparer.labels()) == 3
    comparer.press("s", "ArrowRight", "ArrowRight", "ArrowLeft")
    comparer.says("bicubic 26.50 dB left, truth right; divider at 52 %.")
    comparer.press("1", "Shift+2", "2")  # choosing the other one lets them change places
    comparer.says("bicubic 26.50 dB left, nearest right; divider at 52 %.")
    comparer.press("Shift+3", "l", "+", "+", "ArrowUp")
    comparer.says(
        "bicubic 26.50 dB left, truth right; divider at 52 %; zoom 3.0 times; lens on."
    )
    assert comparer.trait("center_y") == pytest.approx(0.5 - 1 / 24)
    comparer.press("0", "l", "9", "o")
    comparer.says("bicubic 26.50 dB.")
    comparer.press("Control+b", "Alt+s")  # the browser's own
    assert comparer.trait("mode") == "single"


def test_swipe_by_mouse(comparer: Comparer):
    comparer.press("s")
    comparer.drag((0.5, 0.5), (0.25, 0.6))
    comparer.says("nearest left, truth right; divider at 25 %.")
    comparer.shows(0x40, 0.2)
    comparer.shows(0x60, 0.3)
    comparer.press("+")  # from here on the hand moves the picture, except at the divider
    comparer.drag((0.7, 0.7), (0.5, 0.7))
    assert comparer.trait("position") == 0.25
    assert comparer.trait("center_x") == pytest.approx(0.6, abs=0.01)
    comparer.drag((0.25, 0.7), (0.35, 0.7))
    assert comparer.trait("position") == pytest.approx(0.35, abs=0.01)


def test_a_movement_sends_one_message_a_frame(comparer: Comparer):
    comparer.press("s")
    before = comparer.page.evaluate("still.saved.length")
    move = "slider.stepUp(), slider.dispatchEvent(new Event('input'))"
    slider = comparer.page.get_by_role("slider", name="Divider")
    slider.evaluate(f"slider => {{ for (let i = 0; i < 9; i++) {move} }}")
    comparer.still.frame()
    assert comparer.page.evaluate("still.saved.length") == before + 1
    assert comparer.trait("position") == pytest.approx(0.59)


def test_difference_is_that_of_the_pictures(comparer: Comparer):
    comparer.press("d")
    comparer.set(first="nearest", second="bicubic", amplify=5)
    comparer.says(
        "difference of nearest and bicubic 26.50 dB, times 5; mean 16.00, largest 16 of 255."
    )
    comparer.shows(5 * 0x10)
    assert comparer.labels() == ["|nearest − bicubic| × 5 mean 16.00, largest 16 of 255"]
    slider = comparer.page.get_by_label("Amplify")
    slider.focus()
    comparer.page.keyboard.press("ArrowRight")
    comparer.shows(6 * 0x10)
    comparer.set(amplify=64)
    comparer.shows(255)


def test_wheel_zooms_to_the_pointer_only_with_control(comparer: Comparer):
    page = comparer.page
    page.mouse.move(*comparer.at(0.9, 0.1))
    page.mouse.wheel(0, -100)
    assert comparer.trait("zoom") == 1
    page.keyboard.down("Control")
    page.mouse.wheel(0, -100)
    page.keyboard.up("Control")
    wait_until(lambda: comparer.trait("zoom") == 2, what="the zoom")
    # What was at 0.9 stays at 0.9 of the shown half.
    assert comparer.trait("center_x") == pytest.approx(0.9 - 0.4 / 2, abs=0.01)
    assert comparer.trait("center_y") == pytest.approx(0.1 + 0.4 / 2, abs=0.01)


def test_zoom_shows_squares(comparer: Comparer):
    comparer.set(first="truth", second="nearest", zoom=4, center_x=0.6, center_y=0.3)
    wait_until(lambda: comparer.pixel(0.5, 0.5) == [255] * 3, what="the white square")
    row = {tuple(comparer.pixel(u / 50, 0.5)) for u in range(50)}
    assert row == {(0x60,) * 3, (255,) * 3}  # nothing in between: no smoothing


def test_lens_shows_the_same_spot_of_all(comparer: Comparer):
    comparer.press("l")
    comparer.page.mouse.move(*comparer.at(0.6, 0.3))
    wait_until(
        lambda: comparer.trait("lens_x") == pytest.approx(0.6, abs=0.01), what="the lens"
    )
    figures = comparer.page.locator(".lens-row figure")
    assert [t.strip() for t in figures.all_inner_texts()] == [
        "nearest",
        "bicubic 26.50 dB",
        "truth",
    ]
    url = figures.nth(2).locator("canvas").evaluate("canvas => canvas.toDataURL()")
    seen = Image.open(io.BytesIO(base64.b64decode(url.split(",")[1]))).convert("RGB")
    part = flat_pictures()["truth"].crop((20, 0, 52, 32))
    assert np.array_equal(np.asarray(seen), np.asarray(part))
    before = comparer.trait("lens_x")
    comparer.press("Shift+ArrowLeft")
    assert comparer.trait("lens_x") == pytest.approx(before - 4 / WIDTH)


def test_blink_runs_until_it_is_stopped(comparer: Comparer):
    comparer.set(period=0.4)
    comparer.press("b")
    comparer.says("blinking nearest and truth, every 0.4 s.")
    for color in (0x60, 0x40, 0x60):
        comparer.shows(color)
    comparer.press("b")
    comparer.says("blinking nearest and truth, stopped.")
    for _ in range(6):
        assert comparer.pixel(0.3, 0.7) == [0x40] * 3
        comparer.page.wait_for_timeout(150)
    comparer.page.get_by_role("button", name="Start").click()
    comparer.says("blinking nearest and truth, every 0.4 s.")


def test_who_asked_for_calm_starts_blinking_by_hand(browser: Browser):
    with shown(browser, reduced_motion="reduce") as comparer:
        comparer.press("b")
        comparer.says("blinking nearest and truth, stopped.")
        comparer.set(playing=True)  # Python cannot start it either
        comparer.page.wait_for_timeout(900)
        comparer.shows(0x40)
        comparer.page.get_by_role("button", name="Start").click()
        comparer.says("blinking nearest and truth, every 0.7 s.")
        comparer.shows(0x60)


def test_fingers(browser: Browser):
    phone = {"viewport": {"width": 390, "height": 800}, "has_touch": True, "is_mobile": True}
    with shown(browser, **phone) as comparer:
        touch = comparer.page.context.new_cdp_session(comparer.page)

        def fingers(kind: str, *points: tuple[float, float]) -> None:
            places = [comparer.at(*point) for point in points]
            touches = [{"x": x, "y": y, "id": i} for i, (x, y) in enumerate(places)]
            touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})

        comparer.page.get_by_role("button", name="Swipe").tap()
        comparer.says("nearest left, truth right; divider at 50 %.")
        fingers("touchStart", (0.5, 0.5))
        fingers("touchMove", (0.4, 0.5))
        fingers("touchMove", (0.2, 0.5))
        fingers("touchEnd")
        comparer.says("nearest left, truth right; divider at 20 %.")

        comparer.press("o")  # a tap would be taken to stop the page's own gliding
        comparer.says("nearest.")
        fingers("touchStart", (0.4, 0.5), (0.6, 0.5))
        fingers("touchMove", (0.3, 0.5), (0.7, 0.5))
        fingers("touchMove", (0.1, 0.5), (0.9, 0.5))
        fingers("touchEnd")
        wait_until(
            lambda: comparer.trait("zoom") == pytest.approx(4, abs=0.2),
            what=lambda: f"the zoom, it is {comparer.trait('zoom')}",
        )
        assert comparer.page.evaluate("document.documentElement.scrollWidth") <= 390


def test_text_stays_text(browser: Browser):
    with shown(browser, captions={"nearest": NASTY}) as comparer:
        comparer.press("l")
        comparer.says(f"nearest {NASTY}; lens on.")
        assert comparer.labels() == [f"nearest {NASTY}"]
        assert comparer.page.locator("main img").count() == 1, "the picture"
        assert comparer.page.title() == "A lab"


def test_each_control_has_a_name_and_can_be_reached(comparer: Comparer):
    comparer.press("b", "l")
    seen = []
    comparer.page.locator("button").first.focus()
    for _ in range(15):
        seen.append(
            comparer.page.evaluate(
                "document.activeElement.dataset.name || document.activeElement.className"
                " || document.activeElement.closest('[data-name]')?.dataset.name"
            )
        )
        comparer.page.keyboard.press("Tab")
    assert {"mode-swipe", "lens", "first", "second", "period", "play", "stage"} <= set(seen)
    assert grave_violations_on(comparer.page) == []


def test_nothing_stays_when_the_view_goes(comparer: Comparer):
    comparer.press("b")
    comparer.page.evaluate("still.remove()")
    assert comparer.page.evaluate("still.listeners()") == 0
    comparer.page.keyboard.press("s")
    assert comparer.trait("mode") == "blink"
    assert comparer.page.locator("main img").count() == 0


@pytest.mark.parametrize(
    ("call", "settings"),
    [
        (("single", "bicubic"), {"lens": True}),
        (("side",), {"zoom": 3}),
        (("swipe", "bicubic", "truth"), {"position": 0.13, "zoom": 2.5}),
        (("difference", "bicubic", "truth"), {"amplify": 12}),
        (("blink", "nearest", "truth"), {"period": 1.2}),
    ],
)
def test_page_and_python_say_the_same(comparer: Comparer, call, settings):
    widget = compare(flat_pictures(), {"bicubic": "26.50 dB"})
    sentence = widget.show(*call, **settings)
    first_and_second = {"first": widget.first, "second": widget.second}
    playing = {"mode": call[0], "playing": widget.playing}
    comparer.set(**first_and_second, **playing, **settings)
    comparer.says(sentence)


# In JupyterLab

IMPORTS = """\
from PIL import Image
from srlab.widgets.compare import compare
from srlab.widgets.metric_lab import MetricLab
images = {name: Image.new("RGB", (60, 40), name) for name in ("gray", "silver", "white")}"""

FULL = 'full = compare(images, {"gray": "6.06 dB"})\nfull'
LAB = "lab = MetricLab()\nlab"


def test_in_jupyterlab(lab: LabPage):
    lab.write("compare.ipynb", IMPORTS, FULL, LAB)
    lab.open("compare.ipynb")
    lab.run_all()
    count = len(lab.cells())

    # By keyboard; each of these keys means something else to JupyterLab.
    lab.find(".srlab-compare .stage").focus()
    for key in ["s", "ArrowRight", "b", "s", "l", "a", "d", "1", "Shift+2"]:
        lab.page.keyboard.press(key)
    wait_until(
        lambda: lab.ask("print(full.status())").startswith(
            "difference of gray 6.06 dB and silv"
        ),
        what=lambda: f"the keys in Python, which says: {lab.ask('print(full.status())')}",
    )
    assert len(lab.cells()) == count  # B, A and D D insert and delete cells
    assert lab.ask("print(full.lens, round(full.position, 2))") == "True 0.52"

    # From Python
    sentence = lab.ask("print(full.show('swipe', 'gray', 'white', position=0.3))")
    status = lab.page.locator(".srlab-compare .said")
    wait_until(lambda: status.inner_text() == sentence, what=f"the page to say {sentence!r}")

    # MetricLab
    lab.find(".srlab-channels select").select_option("RGB")
    lab.wait_for_status(".srlab-metric-status", "data-channels", "rgb")
    lab.press(".srlab-shave", "ArrowLeft", times=4)
    lab.wait_for_status(".srlab-metric-status", "data-shave", "0")
    shown = lab.status(".srlab-metric-status")
    assert lab.ask("print(f'{lab.reading.psnr:.2f} {lab.reading.delta:.2f}')") == (
        f"{shown['data-psnr']} {shown['data-delta']}"
    )
    assert lab.problems == []
