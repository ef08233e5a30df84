"""The Loss Lab in JupyterLab, worked by keyboard alone."""

import ast
import json
import time
from pathlib import Path

import pytest
from playwright.sync_api import FileChooser

from tests.browser.lab import SELECT_ALL, LabPage, wait_until

pytestmark = pytest.mark.browser

CODE = """\
from srlab.runcard import ModelSpec
from srlab.widgets.loss_card import lab_card
from srlab.widgets.loss_lab import LossLab
small = ModelSpec(num_features=4, num_blocks=1)
lab = LossLab(lab_card(model=small, start="untrained", hr_size=32, batch_size=1))
lab"""

LAB, NUMBERS, LEDGER = ".srlab-loss-lab", ".srlab-numbers", ".srlab-ledger-numbers"
NOW, CHARTS = f"{LAB} .srlab-now", ("terms-curve", "psnr-curve", "map")
SUM_OF_WEIGHTS = "print(sum(p.double().sum().item() for p in lab.bench.model.parameters()))"
MOST_TABS = 60  # more stops than the panel has

HAS_FOCUS = "css => !!document.activeElement?.closest(css)"
NAME_OF_FOCUS = """() => {
  const here = document.activeElement
  return here.getAttribute('aria-label') ?? here.labels?.[0]?.textContent ?? here.textContent
}"""
UNNAMED = """() => [...document.querySelectorAll('.srlab-loss-lab [role=slider], ' +
    '.srlab-loss-lab [role=textbox], .srlab-loss-lab img')]
  .filter(part => !(part.getAttribute('aria-label') || part.getAttribute('alt')))
  .map(part => part.outerHTML.slice(0, 90))"""


def test_a_person_works_the_lab_by_keyboard_alone(lab: LabPage):
    lab.write("loss_lab.ipynb", CODE)
    choosers: list[FileChooser] = []
    # From the start on: asked for at the moment of the key, it may come too late.
    lab.page.on("filechooser", lambda chooser: choosers.append(chooser))
    lab.open("loss_lab.ipynb")
    lab.run_all(timeout=300)
    assert lab.page.locator(".jupyter-widgets-error-widget").count() == 0
    everything_has_a_name(lab)
    start_trains(lab)
    a_heavier_tv_arrives_everywhere(lab)
    a_slider_moves_the_running_training(lab)
    a_number_is_typed(lab)
    a_fork_and_a_snapshot(lab)
    another_run_is_chosen(lab)
    at_rest_it_stays_and_every_picture_says_what_it_shows(lab)
    shares_are_balanced(lab)
    a_preset_is_chosen_and_an_own_one_saved(lab)
    files = a_card_and_a_program_are_written(lab)
    the_card_is_loaded_and_repeated(lab, files, choosers)
    pictures_are_compared(lab)
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


def status(lab: LabPage, name: str) -> str:
    return lab.status(NUMBERS)[f"data-{name}"]


def weight(lab: LabPage, name: str) -> float:
    return float(status(lab, f"w-{name}"))


def wait_for_weight(lab: LabPage, name: str, value: float) -> None:
    wait_until(
        lambda: weight(lab, name) == pytest.approx(value, rel=0.01, abs=1e-9),
        what=lambda: f"{name} to weigh {value}; it weighs {weight(lab, name)}",
    )


def message(lab: LabPage) -> str:
    # It is written anew each time, so there is nothing to scroll to.
    return lab.page.evaluate("document.querySelector('.srlab-message')?.textContent ?? ''")


def wait_for_message(lab: LabPage, words: str, timeout: float = 60) -> str:
    wait_until(
        lambda: words in message(lab),
        what=lambda: f"{words!r}; the lab says {message(lab)!r}",
        timeout=timeout,
    )
    return message(lab)


def everything_has_a_name(lab: LabPage):
    wait_until(
        lambda: lab.page.evaluate(UNNAMED) == [],
        what=lambda: f"names for {lab.page.evaluate(UNNAMED)}",
    )


def start_trains(lab: LabPage):
    lab.find(f"{LAB} .srlab-start").focus()
    press(lab, "Enter")
    lab.wait_for_status(NUMBERS, "data-state", "running", timeout=60)
    wait_until(lambda: int(status(lab, "step")) > 2, what="three steps", timeout=60)


def a_slider_moves_the_running_training(lab: LabPage):
    before = weight(lab, "content")
    tab_to(lab, ".srlab-content .noUi-handle")
    assert lab.page.evaluate(NAME_OF_FOCUS) == "content"
    press(lab, "ArrowRight", "ArrowRight")
    wait_for_weight(lab, "content", before * 10**0.1)  # two steps of a twentieth
    if lab.kernel_answers:
        arrived = "print(lab.bench.loss.weights['content'])"
        assert float(lab.ask(arrived)) == pytest.approx(before * 10**0.1, rel=0.01)
    assert status(lab, "state") == "running", "a slider stops nothing"
    press(lab, "Home")
    wait_for_weight(lab, "content", 0)


def a_number_is_typed(lab: LabPage):
    press(lab, "Tab")
    assert has_focus(lab, ".srlab-content .widget-readout")
    type_in(lab, "0.123")
    press(lab, "Enter")
    lab.wait_for_status(NUMBERS, "data-w-content", "0.123")
    tab_to(lab, ".srlab-relu3-3 .noUi-handle")
    press(lab, "End")
    wait_for_weight(lab, "relu3_3", 100)
    tab_to(lab, ".srlab-learning-rate .noUi-handle")
    press(lab, "Home")
    wait_until(lambda: float(status(lab, "learning-rate")) == 1e-5, what="the learning rate")


def a_heavier_tv_arrives_everywhere(lab: LabPage):
    before, share = weight(lab, "tv"), shares(lab)[-1]
    assert before > 0
    tab_to(lab, ".srlab-tv .noUi-handle")
    press(lab, *["ArrowRight"] * 10)
    wait_for_weight(lab, "tv", before * 10**0.5)  # ten twentieths of a power of ten
    in_the_ledger = lab.page.locator(f"{LEDGER} tr:has-text('tv') td").first
    assert in_the_ledger.text_content() == f"{weight(lab, 'tv'):.3g}"
    assert shares(lab)[-1] > 1.5 * share
    back_to(lab, ".srlab-content .noUi-handle")


def a_fork_and_a_snapshot(lab: LabPage):
    back_to(lab, ".srlab-fork")
    press(lab, "Enter")
    lab.wait_for_status(NUMBERS, "data-run", "run 2")
    tab_to(lab, ".srlab-snapshot")
    press(lab, "Space")
    wait_for_message(lab, "Snapshot kept: run 2, step ")
    shown = lab.page.locator(f"{LAB} .srlab-beside img").first
    wait_until(
        lambda: "run 2, step " in (shown.get_attribute("alt") or ""),
        what="the snapshot beside the present picture",
    )


def another_run_is_chosen(lab: LabPage):
    back_to(lab, ".srlab-pause")
    press(lab, "Enter")
    lab.wait_for_status(NUMBERS, "data-state", "paused")
    tab_to(lab, ".srlab-run select")
    press(lab, "Enter", "ArrowUp", "Enter")
    lab.wait_for_status(NUMBERS, "data-run", "run 1")


def at_rest_it_stays_and_every_picture_says_what_it_shows(lab: LabPage):
    frozen = status(lab, "step"), lab.picture_hash(NOW), shares(lab)
    time.sleep(1)
    assert (status(lab, "step"), lab.picture_hash(NOW), shares(lab)) == frozen
    assert lab.ask("print(lab.figures.step)") == frozen[0]
    assert lab.ask("print(f'{lab.ledger[\"tv\"].share:.6f}')") == f"{frozen[2][-1]:.6f}"
    assert lab.page.locator(".jupyter-widgets img:not([alt])").count() == 0
    assert f"{float(status(lab, 'psnr')):.2f} dB" in words(lab, NOW)
    for chart in CHARTS:
        assert f"run 1, step {frozen[0]}, PSNR" in words(lab, f"{LAB} .srlab-{chart}")


def words(lab: LabPage, css: str) -> str:
    return lab.page.locator(f"{css} img").first.get_attribute("alt") or ""


def shares(lab: LabPage) -> list[float]:
    shown = lab.status(LEDGER)
    return [float(shown[f"data-share-{name}"]) for name in ("pixel", "content", "style", "tv")]


def shares_are_balanced(lab: LabPage):
    tab_to(lab, ".srlab-balance-to input")
    type_in(lab, "half/half")
    tab_to(lab, ".srlab-balance")
    press(lab, "Enter")
    wait_for_message(lab, "The shares must be 4 numbers for pixel, content, style, tv")
    assert lab.page.locator(".srlab-message[role=alert]").count() == 1
    assert weight(lab, "content") == 0.123, "nothing was changed"
    back_to(lab, ".srlab-balance-to input")
    type_in(lab, "40/30/20/10")
    tab_to(lab, ".srlab-balance")
    press(lab, "Enter")
    wait_for_message(lab, "Balanced to 40/30/20/10: ")
    wait_until(
        lambda: shares(lab) == pytest.approx([0.4, 0.3, 0.2, 0.1], abs=0.005),
        what=lambda: f"these shares in the ledger; it says {shares(lab)}",
    )
    assert float(lab.readout(f"{LAB} .srlab-tv")) == pytest.approx(weight(lab, "tv"), rel=0.01)


def a_preset_is_chosen_and_an_own_one_saved(lab: LabPage):
    back_to(lab, ".srlab-preset select")
    press(lab, "Enter", "ArrowDown", "ArrowDown", "Enter")
    wait_for_message(lab, "The weights are those of Johnson 2016.")
    wait_for_weight(lab, "content", 1)
    source = lab.page.locator(f"{LAB} .srlab-source").first
    wait_until(lambda: "Johnson et al. 2016" in source.inner_text(), what="the source")
    tab_to(lab, ".srlab-own-preset input")
    type_in(lab, "mine")
    tab_to(lab, ".srlab-save-preset")
    press(lab, "Enter")
    path = wait_for_message(lab, "Preset mine written to ")
    assert "mine" in json.loads(Path(path.split(" to ")[1].removesuffix(".")).read_text())
    options = lab.page.locator(f"{LAB} .srlab-preset option")
    wait_until(lambda: options.all_inner_texts()[-1] == "mine", what="it in the menu")


def a_card_and_a_program_are_written(lab: LabPage) -> Path:
    """The folder of the files."""
    tab_to(lab, ".srlab-run-name input")
    type_in(lab, "by-keyboard")
    tab_to(lab, ".srlab-save-card")
    press(lab, "Enter")
    folder = lab.server.folder / "my-runs"
    wait_for_message(lab, f"Run card written to {folder / 'by-keyboard.json'}.")
    tab_to(lab, ".srlab-export-code")
    press(lab, "Enter")
    wait_for_message(lab, f"Program written to {folder / 'by-keyboard.py'}.")
    ast.parse((folder / "by-keyboard.py").read_text())
    card = json.loads((folder / "by-keyboard.json").read_text())
    assert card["scores"]["psnr_y"] > 0
    assert card["stages"][0]["steps"] == int(status(lab, "step"))
    return folder


def the_card_is_loaded_and_repeated(lab: LabPage, folder: Path, choosers: list[FileChooser]):
    steps = int(status(lab, "step"))
    there = lab.ask(SUM_OF_WEIGHTS)
    back_to(lab, ".srlab-load-card")
    press(lab, "Enter")
    wait_until(lambda: lab.page.wait_for_timeout(50) or choosers, what="the choice of a file")
    choosers[0].set_files(folder / "by-keyboard.json")
    wait_for_message(lab, f"by-keyboard is loaded. Start repeats its {steps} steps")
    lab.wait_for_status(NUMBERS, "data-replay-left", str(steps))
    back_to(lab, ".srlab-start")
    press(lab, "Enter")
    wait_for_message(lab, f"All {steps} steps of the card are repeated.", timeout=180)
    lab.wait_for_status(NUMBERS, "data-state", "paused")
    lab.wait_for_status(NUMBERS, "data-step", str(steps))
    assert lab.ask(SUM_OF_WEIGHTS) == there, "the same run again"
    assert weight(lab, "content") == 1, "and the sliders as they were left"


def pictures_are_compared(lab: LabPage):
    tab_to(lab, ".srlab-open-compare")
    press(lab, "Enter")
    wait_for_message(lab, "Comparing bicubic, ")
    lab.page.wait_for_selector(f"{LAB} .srlab-compare")
    press(lab, "Enter")
    wait_for_message(lab, "The comparison is closed.")
    wait_until(
        lambda: lab.page.locator(f"{LAB} .srlab-compare").count() == 0,
        what="the comparison to go",
    )
