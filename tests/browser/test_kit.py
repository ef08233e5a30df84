"""The kit's JavaScript in a real Chromium: what it computes, and its controls."""

from collections.abc import Iterator
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page
from traitlets import Bool, Dict, Float, Int, Unicode

from srlab.widgets.kit.lab import Lab
from srlab.widgets.kit.pictures import tile
from tests.browser.axe import grave_violations_on
from tests.browser.lab import SELECT_ALL, browser_page
from tests.browser.still import Still, drawn, open_page

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def modules(browser: Browser) -> Iterator[Page]:
    """A page that can import the kit's modules that need no library."""
    with browser_page(browser) as page:
        open_page(page)
        yield page


def js(page: Page, module: str, expression: str) -> Any:
    """What an expression gives; ``m`` is a module of the kit."""
    return page.evaluate(
        f"async () => {{ const m = await import('/js/{module}.js'); return {expression}; }}"
    )


LOG = "{min: 0.0001, max: 100, log: true, off: true}"


def test_a_logarithmic_slider_and_its_inverse(modules: Page):
    assert js(modules, "numbers", f"m.valueAt(0, {LOG})") == 0.0001
    assert js(modules, "numbers", f"m.valueAt(500, {LOG})") == 0.1
    assert js(modules, "numbers", f"m.valueAt(1000, {LOG})") == 100
    for value in (0.0001, 0.001, 0.1, 1, 100):
        again = js(modules, "numbers", f"m.valueAt(m.positionOf({value}, {LOG}), {LOG})")
        assert again == pytest.approx(value, rel=0.01)


def test_a_linear_slider_stands_on_its_steps(modules: Page):
    assert js(modules, "numbers", "m.valueAt(333, {min: 0, max: 1, step: 0.05})") == 0.35
    assert js(modules, "numbers", "m.valueAt(1000, {min: -1, max: 1})") == 1


@pytest.mark.parametrize(
    ("text", "value"),
    [("off", 0), (" OFF ", 0), ("0", 0), ("0,05", 0.05), ("1e-3", 0.001), ("999", 100),
     ("x", None), ("", None)],
)  # fmt: skip
def test_what_a_person_typed(modules: Page, text: str, value: float | None):
    assert js(modules, "numbers", f"m.asNumber({text!r}, {LOG})") == value


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.05, "0.05"), (0, "0"), (-0.0, "0"), (1e-5, "1e-5"), (26.504, "26.5"),
     (12345, "12300"), ("NaN", "–"), ("null", "–")],
)  # fmt: skip
def test_numbers_are_short(modules: Page, value: Any, text: str):
    assert js(modules, "numbers", f"m.short({value})") == text


def test_a_weight_of_nothing_reads_off(modules: Page):
    assert js(modules, "numbers", "m.asText(0, {off: true})") == "off"
    assert js(modules, "numbers", "m.asText(0, {})") == "0"


def test_logarithmic_ticks_are_decades_or_sensible_parts(modules: Page):
    assert js(modules, "numbers", "m.logTicks(0.0009, 120)") == [0.001, 0.01, 0.1, 1, 10, 100]
    assert js(modules, "numbers", "m.logTicks(0.8, 6)") == [1, 2, 5]
    assert 2 <= len(js(modules, "numbers", "m.logTicks(0.021, 0.034)")) <= 7


def test_zoom_keeps_what_lies_under_the_pointer(modules: Page):
    zoomed = js(
        modules, "geometry", "m.zoomedAt({zoom: 1, center_x: .5, center_y: .5}, 2, [.9, .1])"
    )
    assert zoomed["center_x"] == pytest.approx(0.9 - 0.4 / 2)
    assert zoomed["center_y"] == pytest.approx(0.1 + 0.4 / 2)
    assert js(modules, "geometry", f"m.placeIn({zoomed}, .9, .5)[0]") == pytest.approx(0.9)


@pytest.mark.parametrize(("way", "zooms"), [(1, [2, 3, 3, 32]), (-1, [1, 1, 2, 24])])
def test_zooms_are_whole(modules: Page, way: int, zooms: list[int]):
    assert js(modules, "geometry", f"[1, 2, 2.5, 32].map(z => m.nextZoom(z, {way}))") == zooms


@pytest.mark.parametrize(
    ("where", "box"),
    [
        ("320, 160, 0.5, 0.5", {"left": 144, "top": 64, "side": 32}),
        ("320, 160, 0, 1", {"left": 0, "top": 128, "side": 32}),
        ("320, 160, 0.9, 0.7", {"left": 272, "top": 96, "side": 32}),
        ("9, 7, 0.5, 0.5", {"left": 1, "top": 0, "side": 7}),
    ],
)
def test_the_lens_stays_inside(modules: Page, where: str, box: dict[str, int]):
    assert js(modules, "geometry", f"m.lensBox({where})") == box


WHOLE = "{run: {count: 2, rows: [[0, 1], [1, 2]]}}"


def test_names_on_a_map_keep_apart_and_inside(modules: Page):
    def place(x: float, y: float, *taken: tuple[float, float]) -> tuple[float, float]:
        """Of a name of 20 x 12 px in 100 x 100 px: its left and its top."""
        boxes = [{"left": left, "top": top, "width": 20, "height": 12} for left, top in taken]
        area = {"left": 0, "top": 0, "width": 100, "height": 100}
        size = {"width": 20, "height": 12}
        box = js(modules, "geometry", f"m.nameBox([{x}, {y}], {size}, 9, {boxes}, {area})")
        return box["left"], box["top"]

    right, left = (59, 44), (21, 44)
    assert place(50, 50) == right
    assert place(50, 50, (79, 44)) == right, "beside it, and far to the right of it"
    assert place(50, 50, right) == left
    assert place(50, 50, right, left) == (59, 56)
    assert place(50, 50, right, left, (59, 56), (21, 56)) == (59, 32)
    assert place(90, 50) == (61, 44), "right, it would leave the map"
    assert place(50, 94, (59, 88), (21, 88)) == (59, 76), "below, it would leave the map"
    assert place(150, 50, (159, 44)) == (121, 44), "outside anyway, but not on another"
    full = [(x, y) for x in range(0, 100, 20) for y in range(0, 100, 12)]
    assert place(50, 50, *full) == right, "rather laid over than left out"


@pytest.mark.parametrize(
    ("added", "steps"),
    [
        ("[{run: {from: 2, rows: [[2, 3]]}}, {run: {from: 3, rows: [[3, 4]]}}]", [0, 1, 2, 3]),
        ("[{run: {from: 1, rows: [[1, 2]]}}]", [0, 1]),  # in the whole already
        ("[{run: {from: 7, rows: [[7, 2]]}}]", [0, 1]),  # of another beginning
    ],
)
def test_curves_are_joined_from_what_was_added(modules: Page, added: str, steps: list[int]):
    joined = js(modules, "curves", f"{added}.reduce(m.join, m.copied({WHOLE}))")
    assert [row[0] for row in joined["run"]["rows"]] == steps


# Controls, on a lab that is there


class Gallery(Lab):
    """The state behind the view that has every part of the kit once."""

    view = Unicode("gallery").tag(sync=True)
    pixel = Float(1.0).tag(sync=True)
    content = Float(0.1, min=0, max=100).tag(sync=True, setting=True)
    mix = Float(0.5, min=0, max=1).tag(sync=True, setting=True)
    photograph = Unicode("raccoon").tag(sync=True, setting=True)
    scale = Int(4).tag(sync=True, setting=True)
    calm = Bool(False).tag(sync=True, setting=True)
    title = Unicode("mine").tag(sync=True, setting=True)
    state = Unicode("ready").tag(sync=True)
    said = Unicode("step 0").tag(sync=True)
    topic = Unicode().tag(sync=True)
    step = Int(0).tag(sync=True)
    rate = Float(0.0).tag(sync=True)
    one = Dict().tag(sync=True)
    two = Dict().tag(sync=True)

    def summary(self) -> str:
        return "Gallery"


def filled() -> Gallery:
    gallery = Gallery()
    gallery.add("run", 0, 1.0, 26.2, 0.3)
    pictures = {name: Image.new("RGB", (64, 48), name) for name in ("gray", "silver")}
    one, two = (tile(picture, name, "26.50 dB") for name, picture in pictures.items())
    gallery.tell(one=one, two=two)
    return gallery


@pytest.fixture
def gallery(browser: Browser) -> Iterator[Still]:
    yield from drawn(browser, filled())


def test_a_weight_is_moved_by_keys_and_typed_exactly(gallery: Still):
    page = gallery.page
    page.get_by_role("slider", name="content").press("ArrowRight")
    assert gallery.set["content"] > 0.1
    exact = page.get_by_role("textbox", name="content, exact")
    exact.click()
    page.keyboard.press(SELECT_ALL)
    page.keyboard.insert_text("0,05")
    gallery.receive(step=4)  # a redraw must not take away what is being typed
    assert exact.input_value() == "0,05"
    page.keyboard.press("Enter")
    assert gallery.set["content"] == 0.05
    assert exact.input_value() == "0.05"


PREVENT_LINE_BREAKS = """field => field.addEventListener('beforeinput', (event) => {
    if (event.inputType === 'insertLineBreak') event.preventDefault();
})"""


def test_enter_is_taken_where_jupyterlab_prevents_line_breaks(gallery: Still):
    exact = gallery.page.get_by_role("textbox", name="content, exact")
    exact.evaluate(PREVENT_LINE_BREAKS)
    exact.fill("0.05")
    exact.press("Enter")
    assert gallery.set["content"] == 0.05


def test_off_is_off_and_keeps_the_last_weight(gallery: Still):
    page = gallery.page
    switch = page.get_by_role("switch", name="content on")
    switch.press("Space")
    assert gallery.set["content"] == 0
    assert page.get_by_role("textbox", name="content, exact").input_value() == "off"
    assert page.get_by_role("slider", name="content").get_attribute("aria-valuetext") == "off"
    switch.press("Space")
    assert gallery.set["content"] == 0.1


def test_what_comes_back_does_not_fight_the_hand(gallery: Still):
    page = gallery.page
    slider = page.get_by_role("slider", name="content")
    box = slider.bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * 0.5, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.8, middle, steps=4)
    held = int(slider.input_value())
    assert held > 700
    gallery.receive(content=0.001)
    assert int(slider.input_value()) == held
    page.mouse.up()
    gallery.receive(content=0.002)
    assert int(slider.input_value()) < 300, "and then it follows again"


@pytest.mark.parametrize(
    ("name", "by", "value"),
    [
        ("photograph", lambda page: page.locator("select").select_option("coffee"), "coffee"),
        ("scale", lambda page: page.get_by_role("radio", name="4").press("ArrowRight"), 8),
        ("calm", lambda page: page.get_by_role("switch", name="calm").press("Space"), True),
        ("title", lambda page: page.get_by_label("name").fill("other"), "other"),
        ("mix", lambda page: page.get_by_role("slider", name="L1 to L2").press("End"), 1),
    ],
)  # fmt: skip
def test_each_control_moves_its_trait(gallery: Still, name: str, by: Any, value: Any):
    by(gallery.page)
    gallery.page.keyboard.press("Tab")
    assert gallery.set[name] == value


def test_a_button_presses_with_its_arguments(gallery: Still):
    gallery.page.get_by_role("button", name="Fork").click()
    gallery.page.get_by_role("button", name="Start").click()
    assert gallery.sent == [{"press": "fork", "name": "mine"}, {"press": "start"}]


# Moved and pressed within one frame: what Python has got when the press arrives.
MOVED_AND_PRESSED = """slider => {
    slider.value = 900;
    slider.dispatchEvent(new Event('input', { bubbles: true }));
    [...document.querySelectorAll('button')].find(b => b.innerText === 'Start').click();
    return [still.saved.length, still.sent.length];
}"""


def test_what_was_set_arrives_before_a_press(gallery: Still):
    slider = gallery.page.get_by_role("slider", name="content")
    assert slider.evaluate(MOVED_AND_PRESSED) == [1, 1]


def test_the_map_names_what_lies_under_the_pointer(gallery: Still):
    chart = gallery.page.locator(".chart[data-name=map]")
    over = chart.locator(".u-over")
    box = over.bounding_box()
    assert box is not None
    for x in range(0, int(box["width"]), 8):
        over.hover(position={"x": x, "y": box["height"] * 0.9}, force=True)
        if "bicubic" in chart.locator(".legend").inner_text():
            break
    assert chart.locator(".legend").inner_text() == "bicubic: PSNR, dB 26, sharpness 0.2"


def test_the_status_says_now_and_then(gallery: Still):
    spoken = gallery.page.locator("[role=status]")
    before = spoken.inner_text()
    gallery.receive(step=3, said="step 3")
    assert gallery.page.locator(".status").get_attribute("data-step") == "3"
    assert spoken.inner_text() == before, "a babble"
    gallery.receive(state="running")
    assert spoken.inner_text() == "running: step 3"
    gallery.receive(state="failed", error="No <b>number</b>.")
    assert gallery.page.get_by_role("alert").inner_text() == "Stopped. No <b>number</b>."


def test_a_chart_reads_its_values(gallery: Still):
    gallery.receive(
        added={"run": {"from": 1, "rows": [[1, 0.5, 26.4, 0.4], [2, 0.25, 26.5, 0.6]]}}
    )
    chart = gallery.page.locator(".chart[data-name=loss]")
    assert "0.25" in chart.locator(".legend").inner_text()
    assert "log scale" in chart.locator("figcaption").inner_text()
    assert chart.get_attribute("aria-label")
    chart.locator(".u-over").hover(position={"x": 1, "y": 20})
    assert "0.25" not in chart.locator(".legend").inner_text()


def test_nothing_grave_for_axe(gallery: Still):
    assert grave_violations_on(gallery.page) == []


def test_no_listener_stays_when_the_view_goes(gallery: Still):
    assert gallery.page.evaluate("() => (still.remove(), still.listeners())") == 0
