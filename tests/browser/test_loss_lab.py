"""The Loss Lab: its view without a kernel, and in JupyterLab worked by keyboard alone."""

import ast
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from srlab.runcard import ModelSpec
from srlab.widgets.loss_lab import LossLab
from srlab.widgets.loss_lab.card import lab_card
from tests.browser.lab import SELECT_ALL, LabPage, wait_until
from tests.browser.still import Still, drawn

pytestmark = pytest.mark.browser

CODE = """\
from srlab.runcard import ModelSpec
from srlab.widgets.loss_lab.card import lab_card
from srlab.widgets.loss_lab import LossLab
small = ModelSpec(num_features=4, num_blocks=1)
lab = LossLab(lab_card(model=small, start="untrained", hr_size=32, batch_size=1))
lab"""

LAB, STATUS = ".srlab-loss", ".srlab-loss .status"
SUM_OF_WEIGHTS = "print(sum(p.double().sum().item() for p in lab.bench.model.parameters()))"
SUM_OF_B = SUM_OF_WEIGHTS.replace("bench", "side_by_side['B']")
MOST_TABS = 80  # more stops than the lab has
ORANGE = "rgb(213, 94, 0)"
HAS_FOCUS = "css => !!document.activeElement?.closest(css)"
COLOR = "element => getComputedStyle(element).backgroundColor"
SCREEN = 780  # px of height that it may take at 1400 x 900


# Without a kernel ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def states(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, LossLab]]:
    """One network, two side by side, and instant mode, where a hand has moved style and tv."""
    card = lab_card(
        model=ModelSpec(num_features=4, num_blocks=1), start="untrained",
        hr_size=32, batch_size=1,
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SRLAB_HOME", str(tmp_path_factory.mktemp("home")))
        patch.setenv("SRLAB_PRECISION", "fp32")
        one, two, instant = LossLab(card), LossLab(card), LossLab(card)
        one.run_steps(2)
        one.snapshot()
        one.fork()
        one.run_steps(2)
        two.run_steps(1)
        two.split()
        two.set("tv", 3.0, side="B")
        two.run_steps(2)
        instant.mode = "instant"
        for name, value in [("style", 0.0), ("style", 0.2), ("style", 0.6), ("tv", 0.1)]:
            instant.set_trait(f"mix_{name}", value)
            instant.settle()
        yield {"one": one, "two": two, "instant": instant}


@pytest.fixture
def still(browser: Browser, states: dict[str, LossLab]) -> Iterator[Still]:
    yield from drawn(browser, states["one"], 1150)


@pytest.fixture
def pair(browser: Browser, states: dict[str, LossLab]) -> Iterator[Still]:
    yield from drawn(browser, states["two"], 1150)


@pytest.fixture
def instant(browser: Browser, states: dict[str, LossLab]) -> Iterator[Still]:
    yield from drawn(browser, states["instant"], 1150)


def cells(page: Page, name: str) -> list[list[str]]:
    """The rows of a table, as a reader sees them."""
    rows = page.locator(f"table[data-name={name}] tr")
    return [
        [text.strip() for text in row.locator("th, td").all_inner_texts()] for row in rows.all()
    ]


@pytest.mark.parametrize(
    "name", ["pixel", "content", "style", "tv", "relu3_3", "learning_rate"]
)
def test_each_slider_by_key_pointer_and_number(still: Still, name: str):
    track = still.page.locator(f"[data-name=a_{name}] input[type=range]")
    before = getattr(still.widget, f"a_{name}")
    track.press("ArrowRight")
    assert still.set[f"a_{name}"] > before
    box = track.bounding_box()
    track.click(position={"x": box["width"] * 0.25, "y": box["height"] / 2})
    by_pointer = still.set[f"a_{name}"]
    exact = still.page.locator(f"[data-name=a_{name}] .exact")
    exact.fill("0.031")
    exact.press("Enter")
    assert still.set == {f"a_{name}": 0.031}
    assert by_pointer != 0.031


@pytest.mark.parametrize(
    ("button", "sent"),
    [
        ("Start", {"press": "start"}),
        ("Reset", {"press": "reset"}),
        ("Fork", {"press": "fork"}),
        ("Snapshot", {"press": "snapshot", "side": "A"}),
        ("A | B", {"press": "split"}),
        ("Balance", {"press": "balance", "shares": "50/40/5/5", "side": "A"}),
    ],
)
def test_a_button_presses_by_pointer_and_by_key(
    still: Still, button: str, sent: dict[str, str]
):
    found = still.page.get_by_role("button", name=button, exact=True)
    found.click()
    found.press("Enter")
    assert still.sent == [sent, sent]


def test_menus_press(still: Still):
    menu = still.page.locator("[data-name=preset] select")
    menu.select_option("Johnson 2016")
    still.page.locator("[data-name=run] select").select_option("run 2")  # its text says more
    assert still.sent == [
        {"press": "preset", "name": "Johnson 2016", "side": "A"},
        {"press": "go_to", "name": "run 2"},
    ]
    still.page.locator("[data-name=photo] select").select_option("coffee-cup")
    assert still.set == {"photo": "coffee-cup"}


def test_which_picture_stands_beside_is_the_pages_own(still: Still):
    def names() -> list[str]:
        return still.page.locator(".stage .tile figcaption b").all_inner_texts()

    assert names() == ["run 1", "now", "truth"], "what was kept last"
    still.page.locator("[data-name=beside] select").select_option("input")
    still.frame()
    assert names() == ["input", "now", "truth"]
    assert (still.set, still.sent) == ({}, [])


def test_experiments(still: Still):
    page = still.page
    page.locator("summary").press("Enter")
    for name, value in (("seed", 7), ("stop_at", 300)):
        page.locator(f"[data-name={name}] input").fill(str(value))
        page.locator(f"[data-name={name}] input").press("Enter")
    assert still.set == {"seed": 7, "stop_at": 300}
    page.locator("[data-name=seed] input").fill("-3")
    page.locator("[data-name=seed] input").press("Enter")
    assert still.set["seed"] == 7
    page.get_by_label("run name").fill("mine")
    page.get_by_role("button", name="Save card").click()
    page.get_by_role("button", name="Export code").click()
    page.get_by_role("button", name="Save table").click()
    page.get_by_label("own").fill("calm")
    page.get_by_label("own").press("Enter")
    card = {"name": "a.json", "mimeType": "application/json", "buffer": b'{"a": 1}'}
    page.locator("[data-name=load_card] input").set_input_files(card)
    wait_until(lambda: len(still.sent) == 5, what="five presses")
    assert still.sent == [
        {"press": "save_card", "name": "mine", "side": "A"},
        {"press": "export_code", "name": "mine", "side": "A"},
        {"press": "save_table"},
        {"press": "save_preset", "name": "calm", "side": "A"},
        {"press": "load_card", "text": '{"a": 1}', "file": "a.json"},
    ]


def test_numbers_on_the_page_are_those_of_the_traits(still: Still):
    lab = still.widget
    assert isinstance(lab, LossLab)
    (side,) = lab.sides
    data = still.page.locator(".status").first
    assert data.get_attribute("data-step") == str(lab.step) == "4"
    assert float(data.get_attribute("data-psnr")) == side["measures"]["psnr_y"]
    assert "run 2, step 4" in data.inner_text()
    for row, entry in zip(cells(still.page, "ledger")[1:], side["ledger"], strict=True):
        assert row[0] == entry["term"]
        if row[1] == "off":
            assert entry["weight"] == 0
            continue
        assert float(row[1]) == pytest.approx(entry["weight"], rel=0.01)
        assert float(row[2]) == pytest.approx(entry["raw"], rel=0.01)
        share = entry["share"]
        assert row[4] == ("< 1 %" if 0 < share < 0.005 else f"{100 * share:.0f} %")
    head, *rows = cells(still.page, "measures")
    assert head == ["", "bicubic", "now", "truth"]
    for row, column in zip(rows, lab.columns, strict=True):
        assert row[0] == column["title"]
        for text, found in zip(row[1:3], (lab.bicubic, side["measures"]), strict=True):
            value = found[column["key"]]
            assert float(text.removesuffix(" dB")) == pytest.approx(value, rel=0.006)
    assert rows[0][2] == f"{lab.figures.psnr:.2f} dB"
    assert f"{lab.figures.psnr:.2f} dB" in still.page.locator(".stage").inner_text()
    assert "VGG distance: measured at rest" in still.page.locator(".below").inner_text()


def test_a_term_has_one_color(still: Still):
    for css in (
        "[data-name=a_content] .swatch",
        "[data-name=ledger] tr:has-text('content') .swatch",
    ):
        assert still.page.locator(css).first.evaluate(COLOR) == ORANGE
    share = still.page.locator("[data-name=ledger] tr:has-text('content') .share")
    assert share.evaluate(COLOR) == ORANGE


def test_before_a_step_no_loss_is_told(still: Still):
    told = still.page.locator("[data-name=sum]")
    assert told.inner_text().startswith("loss ")
    side = {**still.widget.sides[0], "loss": None}
    still.receive(step=0, sides=[side])
    assert told.inner_text().strip() == ""
    assert "loss –" not in still.page.locator("main").inner_text()


def test_a_message_and_a_complaint(still: Still):
    said = still.page.locator("[data-name=message]")
    still.receive(message={"text": "Snapshot kept."})
    assert (said.get_attribute("role"), said.inner_text()) == ("status", "Snapshot kept.")
    still.receive(message={"text": "Nothing was changed: no.", "alarm": True})
    assert said.get_attribute("role") == "alert"


def test_one_step_number_everywhere(still: Still):
    still.receive(step=77, state="running", rate=21.0, said="run 2, step 77", topic="run 2.")
    text = still.page.locator("main").inner_text()
    assert set(re.findall(r"run 2, step (\d+)", text)) == {"77"}
    assert "21 steps/s" in text


def test_the_order_of_what_was_added_and_the_whole_does_not_matter(still: Still):
    rows = still.widget.curves["A"]["rows"]
    more = [5, 0.1, 0.1, None, None, None, 24.5, 0.5]
    legend = still.page.locator("[data-name=psnr] .legend")
    still.receive(added={"A": {"from": len(rows), "rows": [more]}})
    assert "24.5" in legend.inner_text()
    whole = {"A": {"count": len(rows) + 1, "rows": [*rows, more]}}
    still.receive(added={"A": {"from": len(rows), "rows": [more]}}, curves=whole)
    assert "24.5" in legend.inner_text()


def test_two_are_side_by_side_and_what_differs_is_marked(pair: Still):
    page = pair.page
    assert page.locator(".stage .tile figcaption b").all_inner_texts() == ["A", "B", "truth"]
    marked = page.locator(".dial[data-differs=true]")
    assert marked.count() == 1
    assert marked.locator(".other").inner_text().endswith("3 in B")
    assert cells(page, "measures")[0] == ["", "bicubic", "A", "B", "truth"]
    assert "A" in page.locator("[data-name=psnr] .legend").inner_text()


def test_sliders_are_of_the_chosen_side(pair: Still):
    page = pair.page
    page.locator("[data-name=side] input:checked").press("ArrowRight")
    pair.frame()
    assert page.locator("[data-name=b_tv]").get_attribute("data-value") == "3"
    assert f"{pair.widget.a_tv:g} in A" in page.locator(".other").inner_text()
    page.locator("[data-name=b_tv] .exact").fill("0.5")
    page.locator("[data-name=b_tv] .exact").press("Enter")
    page.get_by_role("button", name="Balance").click()
    page.get_by_role("button", name="Only B").click()
    assert pair.set == {"b_tv": 0.5}
    assert pair.sent == [
        {"press": "balance", "shares": "50/40/5/5", "side": "B"},
        {"press": "join", "keep": "B"},
    ]
    assert page.get_by_role("button", name="Fork").is_disabled()


@pytest.mark.parametrize(
    "width",
    [950, 1050, 1100, 1150],
    ids=["beside the list of files", "without", "in a wide window", "in the app"],
)
@pytest.mark.parametrize("which", ["one", "two", "instant"])
def test_all_is_on_one_screen(
    browser: Browser, states: dict[str, LossLab], which: str, width: int
):
    """In JupyterLab at 1400 x 900, whose list of files is open at first."""
    for still in drawn(browser, states[which], width + 32):  # the page has margins of 16
        assert still.page.evaluate("document.querySelector('.srlab').offsetHeight") <= SCREEN
        frames = [box.bounding_box() for box in still.page.locator(".stage .frame").all()]
        assert [box["width"] for box in frames] == [256] * 3
        inside = "box => box.scrollWidth <= box.clientWidth"
        assert all(
            box.evaluate(inside) for box in still.page.locator(".below .table-box").all()
        )


@pytest.mark.parametrize("width", [360, 390, 700, 1400, 1600])
@pytest.mark.parametrize("which", ["one", "two", "instant"])
def test_it_fits_any_page(browser: Browser, states: dict[str, LossLab], which: str, width: int):
    for still in drawn(browser, states[which], width):
        for summary in still.page.locator("summary").all():
            summary.click()
        still.must_fit(width)


# Instant mode, without a kernel


def test_the_mode_by_key_and_pointer_and_the_focus_stays(still: Still):
    page = still.page
    page.locator("[data-name=mode] input:checked").press("ArrowRight")
    assert still.set == {"mode": "instant"}
    assert page.evaluate(HAS_FOCUS, "[data-name=mode]")
    assert page.locator("[data-name=mix_style]").is_visible(), "before anything has come"
    page.locator("[data-name=mode]").get_by_text("Train").click()
    assert still.set == {"mode": "train"}


@pytest.mark.parametrize("term", ["content", "style", "tv"])
def test_each_mix_slider_by_key_pointer_and_number(instant: Still, term: str):
    name = f"mix_{term}"
    box = instant.page.locator(f"[data-name={name}]")
    switch = box.get_by_role("switch")
    if not switch.is_checked():
        switch.press("Space")
        instant.frame()
    track = box.locator("input[type=range]")
    before = float(box.get_attribute("data-value"))
    track.press("ArrowRight")
    assert instant.set[name] > before
    track.press("End")
    assert instant.set[name] == instant.widget.largest[term]
    width = track.bounding_box()["width"]
    track.click(position={"x": width * 0.25, "y": 5})
    instant.frame()
    quarter = instant.widget.largest[term] / 4
    assert instant.set[name] == pytest.approx(quarter, rel=0.15)
    box.locator(".exact").fill("0.05")
    box.locator(".exact").press("Enter")
    assert instant.set[name] == 0.05
    switch.click()
    assert instant.set[name] == 0


def test_pixel_alone_and_train_it_really_by_key_and_pointer(instant: Still):
    alone = instant.page.get_by_role("button", name="Pixel alone")
    alone.press("Enter")
    assert instant.set == {"mix_content": 0, "mix_style": 0, "mix_tv": 0}
    really = instant.page.get_by_role("button", name="Train it really")
    really.click()
    really.press("Enter")
    assert instant.sent == [{"press": "train_it"}] * 2


def test_instant_numbers_on_the_page_are_those_of_the_traits(instant: Still):
    page, lab = instant.page, instant.widget
    assert isinstance(lab, LossLab)
    psnr, sharpness = lab.forecast["psnr"], lab.forecast["sharpness"]
    captions = page.locator(".stage .tile figcaption").all_inner_texts()
    assert [text.split()[0] for text in captions] == ["small-x4", "this", "truth"]
    assert f"{psnr:.2f} dB, sharp {sharpness:.2f}" in captions[1]
    assert f"this mix {psnr:.2f} dB" in page.locator(".status .words").inner_text()
    alt = page.locator("[data-name=instant-map]").get_attribute("aria-label")
    for mark in lab.forecast["marks"]:
        assert f"{mark['name']} {mark['x']:.2f} dB, sharpness {mark['y']:.2f}" in alt
    for row, (term, share) in zip(
        cells(page, "pulls")[1:], lab.forecast["shares"].items(), strict=True
    ):
        assert (row[0], row[-1]) == (term, f"{100 * share:.0f} %")
    assert cells(page, "pulls")[2][1] == "off"
    assert "ridge is not foretold" in page.locator("[data-name=reach]").inner_text()


def test_nothing_of_a_training_is_in_sight_in_instant_mode(instant: Still):
    for name in ("start", "fork", "split", "a_relu2_2", "a_learning_rate", "seed", "shares"):
        assert instant.page.locator(f"[data-name={name}]").count() == 0, name


# In JupyterLab -------------------------------------------------------------------------------


def test_a_person_works_the_lab_by_keyboard_alone(lab: LabPage):
    lab.write("loss_lab.ipynb", CODE)
    lab.open("loss_lab.ipynb")
    lab.run_all(timeout=300)
    start_trains(lab)
    a_heavier_tv_arrives_everywhere(lab)
    a_slider_moves_the_running_training(lab)
    a_number_is_typed(lab)
    a_fork_and_a_snapshot(lab)
    another_run_is_chosen(lab)
    at_rest_it_stays(lab)
    shares_are_balanced(lab)
    a_preset_is_chosen_and_an_own_one_saved(lab)
    two_train_side_by_side(lab)
    folder = a_card_and_a_program_are_written(lab)
    the_card_is_loaded_and_repeated(lab, folder)
    assert lab.problems == []


def has_focus(lab: LabPage, css: str) -> bool:
    return lab.page.evaluate(HAS_FOCUS, f"{LAB} {css}")


def tab_to(lab: LabPage, css: str, key: str = "Tab") -> None:
    """Press Tab until ``css`` has the focus, as people without a mouse do."""
    for _ in range(MOST_TABS):
        if has_focus(lab, css):
            return
        lab.page.keyboard.press(key)
    pytest.fail(f"{key} never came to {css}")


def back_to(lab: LabPage, css: str) -> None:
    tab_to(lab, css, "Shift+Tab")


def press(lab: LabPage, *keys: str) -> None:
    for key in keys:
        lab.page.keyboard.press(key)


def type_in(lab: LabPage, text: str) -> None:
    press(lab, SELECT_ALL)
    lab.page.keyboard.insert_text(text)


def named(name: str) -> str:
    return f"[data-name={name}]"


def track(name: str) -> str:
    return f"{named(f'a_{name}')} input[type=range]"


def status(lab: LabPage, name: str) -> str:
    return lab.status(STATUS)[f"data-{name}"]


def weight(lab: LabPage, name: str) -> float:
    return float(lab.status(f"{LAB} {named(f'a_{name}')}")["data-value"])


def wait_for_weight(lab: LabPage, name: str, value: float) -> None:
    wait_until(
        lambda: weight(lab, name) == pytest.approx(value, rel=0.01, abs=1e-9),
        what=lambda: f"{name} to weigh {value}; it weighs {weight(lab, name)}",
    )


def message(lab: LabPage) -> str:
    return lab.page.locator(f"{LAB} {named('message')}").first.text_content() or ""


def wait_for_message(lab: LabPage, words: str, timeout: float = 60) -> str:
    wait_until(
        lambda: words in message(lab),
        what=lambda: f"{words!r}; the lab says {message(lab)!r}",
        timeout=timeout,
    )
    return message(lab)


def shares(lab: LabPage) -> list[float]:
    """Of the gradient, in percent, as the ledger says them; "< 1 %" is a half."""
    found = lab.page.locator(f"{LAB} table{named('ledger')} td[data-key=share] span")
    return [
        0.5 if text.startswith("<") else float(text.removesuffix(" %"))
        for text in found.all_inner_texts()
    ]


def start_trains(lab: LabPage):
    lab.find(f"{LAB} {named('start')}").focus()
    press(lab, "Enter")
    lab.wait_for_status(STATUS, "data-state", "running", timeout=60)
    wait_until(lambda: int(status(lab, "step")) > 2, what="three steps", timeout=60)


def a_heavier_tv_arrives_everywhere(lab: LabPage):
    before, share = weight(lab, "tv"), shares(lab)[-1]
    assert before > 0
    tab_to(lab, track("tv"))
    press(lab, *["ArrowRight"] * 60)
    wait_until(
        lambda: weight(lab, "tv") > 2.5 * before,
        timeout=20,
        what=lambda: f"tv above {2.5 * before}; it weighs {weight(lab, 'tv')}",
    )
    wait_until(lambda: shares(lab)[-1] > 1.5 * share, what="its share")
    in_the_ledger = lab.page.locator(f"{LAB} table{named('ledger')} tr:has-text('tv') td").first
    wait_until(
        lambda: float(in_the_ledger.inner_text()) == pytest.approx(weight(lab, "tv"), rel=0.01),
        what=lambda: f"{weight(lab, 'tv')} in the ledger; it says {in_the_ledger.inner_text()}",
    )
    back_to(lab, track("content"))


def a_slider_moves_the_running_training(lab: LabPage):
    before = weight(lab, "content")
    tab_to(lab, track("content"))
    press(lab, "ArrowRight", "ArrowRight")
    wait_until(lambda: weight(lab, "content") > before, what="a heavier content")
    if lab.kernel_answers:
        arrived = "print(lab.bench.loss.weights['content'])"
        wait_until(
            lambda: float(lab.ask(arrived)) == weight(lab, "content"), what="it in the kernel"
        )
    assert status(lab, "state") == "running", "a slider stops nothing"
    back_to(lab, f"{named('a_content')} [role=switch]")
    press(lab, "Space")
    wait_for_weight(lab, "content", 0)


def a_number_is_typed(lab: LabPage):
    tab_to(lab, f"{named('a_content')} .exact")
    type_in(lab, "0.123")
    press(lab, "Enter")
    wait_for_weight(lab, "content", 0.123)
    tab_to(lab, f"{named('a_relu3_3')} [role=switch]")
    press(lab, "Space")
    tab_to(lab, track("relu3_3"))
    press(lab, "End")
    wait_for_weight(lab, "relu3_3", 100)
    tab_to(lab, track("learning_rate"))
    press(lab, "Home")
    wait_for_weight(lab, "learning_rate", 1e-5)


def a_fork_and_a_snapshot(lab: LabPage):
    back_to(lab, named("fork"))
    press(lab, "Enter")
    lab.wait_for_status(STATUS, "data-run", "run 2")
    tab_to(lab, named("snapshot"))
    press(lab, "Space")
    wait_for_message(lab, "Snapshot kept: run 2, step ")
    beside = lab.page.locator(f"{LAB} {named('beside')} option")
    wait_until(
        lambda: any(text.startswith("run 2, step ") for text in beside.all_inner_texts()),
        what="the snapshot among what can stand beside",
    )


def another_run_is_chosen(lab: LabPage):
    back_to(lab, named("pause"))
    press(lab, "Enter")
    lab.wait_for_status(STATUS, "data-state", "paused")
    tab_to(lab, f"{named('run')} select")
    press(lab, "Enter", "ArrowUp", "Enter")
    lab.wait_for_status(STATUS, "data-run", "run 1")


def at_rest_it_stays(lab: LabPage):
    now = f"{LAB} .stage .tile{named('now')} .plane"
    frozen = status(lab, "step"), lab.picture_hash(now), shares(lab)
    time.sleep(1)
    assert (status(lab, "step"), lab.picture_hash(now), shares(lab)) == frozen
    assert lab.ask("print(lab.figures.step, lab.step)") == f"{frozen[0]} {frozen[0]}"


def shares_are_balanced(lab: LabPage):
    tab_to(lab, f"{named('shares')} input")
    type_in(lab, "half/half")
    press(lab, "Enter")
    wait_for_message(lab, "The shares must be 4 numbers for pixel, content, style, tv")
    assert lab.page.locator(f"{LAB} {named('message')}[role=alert]").count() == 1
    assert weight(lab, "content") == 0.123, "nothing was changed"
    type_in(lab, "40/30/20/10")
    tab_to(lab, named("do-shares"))
    press(lab, "Enter")
    wait_for_message(lab, "Balanced to 40/30/20/10: ")
    wait_until(
        lambda: shares(lab) == pytest.approx([40, 30, 20, 10], abs=1),
        what=lambda: f"these shares in the ledger; it says {shares(lab)}",
    )


def a_preset_is_chosen_and_an_own_one_saved(lab: LabPage):
    back_to(lab, f"{named('preset')} select")
    press(lab, "Enter", "ArrowDown", "ArrowDown", "Enter")
    wait_for_message(lab, "The weights are those of Johnson 2016.")
    wait_for_weight(lab, "content", 1)
    source = lab.page.locator(f"{LAB} {named('source')}").first
    wait_until(lambda: "Johnson et al. 2016" in source.inner_text(), what="the source")
    tab_to(lab, f"{named('own')} input")
    type_in(lab, "mine")
    press(lab, "Enter")
    path = wait_for_message(lab, "Preset mine written to ")
    assert "mine" in json.loads(Path(path.split(" to ")[1].removesuffix(".")).read_text())
    options = lab.page.locator(f"{LAB} {named('preset')} option")
    wait_until(lambda: options.all_inner_texts()[-1] == "mine", what="it in the menu")


def two_train_side_by_side(lab: LabPage):
    lab.find(f"{LAB} {named('split')}").focus()
    press(lab, "Enter")
    wait_for_message(lab, "a fork of A; both get the same batches")
    steps = int(status(lab, "step"))
    back_to(lab, named("start"))
    press(lab, "Enter")
    wait_until(lambda: int(status(lab, "step")) > steps + 2, what="steps of both", timeout=120)
    tab_to(lab, named("pause"))
    press(lab, "Enter")
    lab.wait_for_status(STATUS, "data-state", "paused")
    assert lab.ask(SUM_OF_WEIGHTS) == lab.ask(SUM_OF_B)
    tab_to(lab, named("join-A"))
    press(lab, "Enter")
    wait_for_message(lab, "goes on alone")
    lab.wait_for_status(STATUS, "data-two", "false")


def a_card_and_a_program_are_written(lab: LabPage) -> Path:
    """The folder of the files."""
    tab_to(lab, "summary")
    press(lab, "Enter")
    name = '[data-name="card loss-lab"] input'
    tab_to(lab, name)
    type_in(lab, "by-keyboard")
    press(lab, "Enter")
    folder = lab.server.folder / "my-runs"
    wait_for_message(lab, f"Run card written to {folder / 'by-keyboard.json'}.")
    tab_to(lab, named("export_code"))
    press(lab, "Enter")
    wait_for_message(lab, f"Program written to {folder / 'by-keyboard.py'}.")
    tab_to(lab, named("save_table"))
    press(lab, "Enter")
    wait_for_message(lab, f"Table written to {folder / 'loss-lab-runs.csv'}.")
    ast.parse((folder / "by-keyboard.py").read_text())
    card = json.loads((folder / "by-keyboard.json").read_text())
    assert card["scores"]["psnr_y"] > 0
    assert card["stages"][0]["steps"] == int(status(lab, "step"))
    return folder


def the_card_is_loaded_and_repeated(lab: LabPage, folder: Path):
    steps = int(status(lab, "step"))
    there = lab.ask(SUM_OF_WEIGHTS)
    with lab.page.expect_file_chooser() as chooser:
        back_to(lab, f"{named('load_card')} input")  # meanwhile the page is told to expect one
        press(lab, "Enter")
    chooser.value.set_files(folder / "by-keyboard.json")
    wait_for_message(lab, f"by-keyboard is loaded. Start repeats its {steps} steps")
    lab.wait_for_status(STATUS, "data-left", str(steps))
    back_to(lab, named("start"))
    press(lab, "Enter")
    wait_for_message(lab, f"All {steps} steps of the card are repeated.", timeout=180)
    lab.wait_for_status(STATUS, "data-state", "paused")
    lab.wait_for_status(STATUS, "data-step", str(steps))
    assert lab.ask(SUM_OF_WEIGHTS) == there, "the same run again"
    assert weight(lab, "content") == 1, "and the sliders as they were left"
