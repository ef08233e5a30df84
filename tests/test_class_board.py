"""ClassBoard: many cards in, each where it belongs, and none believed too much."""

import csv
import io
import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from srlab.data import crop_to_multiple, degrade, load_photos
from srlab.files import ASSETS
from srlab.metrics import Protocol, psnr, sharpness
from srlab.models import enlarge
from srlab.presets import LAYERS
from srlab.runcard import Change, FeatureSpec, ModelSpec, RunCard, Stage, save_card
from srlab.scoring import MEASURES
from srlab.widgets.class_board import ClassBoard as Board
from srlab.widgets.class_board.cards import find_doubt, known_bicubic
from srlab.widgets.class_board.lab import PAGE
from srlab.widgets.class_board.settings import settings_of, shown_titles
from srlab.zoo import model_names
from tests.watching import from_another_thread


def card(name: str, scale: int = 4, **scores: float) -> RunCard:
    """A finished card: 1 dB above bicubic, unless it says something else."""
    bicubic = known_bicubic(scale)
    said = {
        "psnr_y": bicubic["psnr_y"] + 1, "ssim_y": 0.74, "psnr_rgb": 27.0, "sharpness": 0.2,
        "checkerboard": 0.5, "ridge": 1.5, "haarpsi": 0.8, "mdsi": 0.4,
        "bicubic_psnr_y": round(bicubic["psnr_y"], 4),
    }  # fmt: skip
    return RunCard(name=name, stages=[Stage(scale=scale, steps=10)], scores={**said, **scores})


ClassBoard = partial(Board, shipped=False)
"""A board of the given cards alone."""


def column(board: Board, title: str) -> list[Any]:
    """What a column of the page's table says: a figure, or a weight, layer or rate."""
    keys = {measure.title: key for key, measure in MEASURES.items()}
    if title in keys:
        return [row["figures"][keys[title]] for row in board.page]
    if title in board.columns:
        return [row["settings"].get(title, 0) for row in board.page]
    return [row[title] for row in board.page]


def upload(board: Board, **files: bytes) -> None:
    """What the page does with chosen files."""
    for name, data in files.items():
        text = data.decode(errors="replace") if len(data) <= board.most_bytes else None
        board._on_message(None, {"press": "take", "file": name, "text": text}, None)


@pytest.fixture
def board() -> Board:
    """Three cards of x4, each the best by something, and one of x2."""
    cards = [
        card("anna", psnr_y=28.9, sharpness=0.2, checkerboard=0.2, ridge=1.25),
        card("ben", psnr_y=28.1, sharpness=1.1, checkerboard=3.0, haarpsi=0.85),
        card("cleo", psnr_y=27.9, sharpness=1.4, ssim_y=0.81, checkerboard=0.1, mdsi=0.3),
        card("dora", scale=2, psnr_y=33.0, sharpness=0.9),
    ]
    for each, steps, seconds in zip(cards, (20, 10, 30, 10), (9.0, 5.0, 2.0, 1.0), strict=True):
        each.stages[0].steps, each.seconds = steps, seconds
    return ClassBoard(cards)


# -- ranking ---------------------------------------------------------------------


def test_the_best_by_each_measure(board: Board) -> None:
    best = {measure: board.best(measure).name for measure in MEASURES}
    assert best == {
        "psnr_y": "anna",
        "ssim_y": "cleo",
        "psnr_rgb": "anna",  # all say 27.0: who came first
        "sharpness": "ben",  # 1.1 is nearer to the truth's 1 than 0.2 and 1.4
        "checkerboard": "anna",  # 0.2; the lowest, 0.1, is more of a blur
        "ridge": "anna",
        "haarpsi": "ben",  # the highest
        "mdsi": "cleo",  # the lowest
    }
    said = {row["measure"]: row for row in board.bests}
    assert (said["psnr_y"]["own"], said["psnr_y"]["bicubic"]) == ("28.90 dB", "27.70 dB")
    wanted = {key: row["wanted"] for key, row in said.items()}
    assert wanted["sharpness"] == wanted["ridge"] == "nearest to the truth's 1"
    assert (wanted["psnr_y"], wanted["mdsi"]) == ("highest", "lowest")


def test_a_network_that_did_nothing_is_best_by_nothing(board: Board) -> None:
    """The figures of 13 steps of training; among these cards they won the checkerboard."""
    bicubic = known_bicubic(4)
    did = {"psnr_y": 27.595, "sharpness": 0.0321, "checkerboard": 0.2485, "ridge": 1.0}
    lazy = board.add(card("lazy", **did, haarpsi=0.7423, mdsi=0.0))
    assert lazy.kind == "adds nothing"
    best = {board.best(measure).name for measure in MEASURES}
    assert "lazy" not in best
    assert [row.name for row in board.choose(order="checkerboard")][-1] == "lazy"
    assert not board.add(card("small-step", psnr_y=bicubic["psnr_y"] + 0.06)).idle
    sharper = {"psnr_y": bicubic["psnr_y"], "sharpness": bicubic["sharpness"] + 0.03}
    assert not board.add(card("sharper", **sharper)).idle


def test_where_bicubic_is_as_good_nothing_is_won() -> None:
    board = ClassBoard([card("a", ridge=1.0, psnr_y=28.5), card("b", ridge=1.0, psnr_y=28.6)])
    (ridge,) = [row for row in board.bests if row["measure"] == "ridge"]
    assert (ridge["name"], ridge["beats"]) == ("b", False), "of two alike the closer one"
    assert [row["beats"] for row in board.bests if row["measure"] == "psnr_y"] == [True]


# -- what is there from the start -------------------------------------------------


def test_the_shipped_networks_are_there_from_the_start() -> None:
    board = Board()
    assert [scale for scale, _ in board.scales] == [2, 4, 8]
    names = {row.name for scale in (2, 4, 8) for row in board.choose(scale=scale)}
    assert names == set(model_names()) - {"bicubic"}
    assert {row.kind for row in board.rows} == {"shipped"}
    assert Board().scale == 4


def test_a_class_comes_beside_the_shipped_and_its_scale_is_shown() -> None:
    board = Board()
    board.add(card("dora", scale=2))
    assert board.scale == 2, "that of most cards that came in"
    assert {"dora", "pixel-x2"} <= {row.name for row in board.rows}
    assert [row["kind"] for row in board.page if row["name"] == "dora"] == [""]
    board.scale = 4
    board.choose(card="pixel-x4")
    board.add(card("emil", scale=2))
    assert board.scale == 4, "somebody chose it"
    assert board.opened["name"] == "pixel-x4", "and opened this"
    assert board.add(board.rows[0].card) is None
    assert "is the same card as a network of srlab's, here already" in board.remarks[0]


@pytest.mark.parametrize(
    ("order", "names"),
    [
        ("psnr_y", ["anna", "ben", "cleo"]),
        ("ssim_y", ["cleo", "anna", "ben"]),
        ("sharpness", ["ben", "cleo", "anna"]),
        ("checkerboard", ["anna", "cleo", "ben"]),
        ("haarpsi", ["ben", "anna", "cleo"]),
        ("mdsi", ["cleo", "anna", "ben"]),
        ("name", ["anna", "ben", "cleo"]),
        ("seconds", ["cleo", "ben", "anna"]),
        ("steps", ["ben", "anna", "cleo"]),
    ],
)
def test_the_table_is_sorted(board: Board, order: str, names: list[str]) -> None:
    board.card, board.order = "cleo", order
    assert [row.name for row in board.rows] == column(board, "name") == names
    assert board.opened["name"] == "cleo"
    assert column(board, "rank") == [1, 2, 3]
    board.reverse = True
    assert [row.name for row in board.rows] == column(board, "name") == names[::-1]
    board.choose(scale=2)
    assert board.opened == {}, "it closes with its scale"


def test_scales_are_never_mixed(board: Board) -> None:
    assert board.scale == 4, "that of most cards"
    assert board.scales == [[2, 1], [4, 3]]
    assert column(board, "name") == ["anna", "ben", "cleo"]
    assert [row.name for row in board.choose(scale=2)] == ["dora"]
    assert column(board, "name") == ["dora"]
    assert {row["name"] for row in board.bests} == {"dora"}
    assert board.bicubic == known_bicubic(2)
    with pytest.raises(ValueError, match="scale must be one of 2, 4, but got 8"):
        board.choose(scale=8)


def test_what_is_told_is_of_one_scale_and_order(board: Board, monkeypatch: Any) -> None:
    sent: list[dict[str, Any]] = []
    monkeypatch.setattr(board, "_send", lambda message, buffers: sent.append(message["state"]))  # noqa: ARG005
    board.choose(scale=2, order="sharpness")
    (state,) = sent
    assert {"scale", "order", "page", "bests", "bicubic", "count", "first"} - {*state} == {
        "first"
    }
    assert [row["name"] for row in state["page"]] == ["dora"]


def test_a_missing_figure_is_last_and_never_best() -> None:
    board = ClassBoard([card("a"), card("b")])
    old = card("old")
    del old.scores["checkerboard"]
    board.add(old)
    assert [row.name for row in board.choose(order="checkerboard")] == ["a", "b", "old"]
    assert column(board, "checkerboard")[-1] is None


# -- whom to believe -------------------------------------------------------------


def test_the_known_bicubic_is_measured_here() -> None:
    values = []
    for photo in load_photos("embedded", "val").values():
        hr = crop_to_multiple(photo[None].float() / 255, 4)
        sr, y = enlarge(degrade(hr, 4), 4).clamp(0, 1), Protocol("y", 4)
        values.append((psnr(y.apply(sr), y.apply(hr)), sharpness(sr, hr, scale=4)))
    decibels, sharp = (sum(v).item() / len(v) for v in zip(*values, strict=True))
    assert known_bicubic(4)["psnr_y"] == pytest.approx(decibels, abs=1e-3)
    assert known_bicubic(4)["sharpness"] == pytest.approx(sharp, rel=0.05)  # not rounded here


def test_a_card_measured_otherwise_is_flagged_and_not_ranked(board: Board) -> None:
    row = board.add(card("eve", psnr_y=31.5, sharpness=1.0, bicubic_psnr_y=28.42))
    assert row is not None
    assert row.doubt == (
        "measured otherwise: its bicubic has 28.42 dB, that of the validation photographs "
        "27.70 dB"
    )
    assert board.doubts == [f"eve: {row.doubt}."]
    assert "none of ×4 can be compared" in repr(ClassBoard([row.card]))
    assert [row.name for row in board.rows][-1] == "eve"
    assert board.page[-1]["kind"] == "not comparable"
    assert "eve" not in {board.best(measure).name for measure in MEASURES}


def test_rounding_between_machines_is_no_doubt_but_silence_is() -> None:
    for off in (0.019, -0.019):
        assert not find_doubt(card("a", bicubic_psnr_y=known_bicubic(4)["psnr_y"] + off))
    silent = card("silent")
    del silent.scores["bicubic_psnr_y"]
    assert find_doubt(silent).startswith("it does not say what bicubic has, so nobody can tell")


@pytest.mark.parametrize("scores", [{"psnr_y": 1e300}, {"psnr_y": -3.0}, {"sharpness": 1e9}])
def test_impossible_figures_spoil_neither_table_nor_map(
    board: Board, scores: dict[str, float]
) -> None:
    row = board.add(card("joke", **scores))
    assert row.doubt.startswith("its figures cannot be: ")
    assert board.best().name == "anna"
    assert row.kind == "not comparable", "so it has no place on the map"


# -- what comes in ---------------------------------------------------------------


def test_files_bytes_and_cards_are_the_same(tmp_path: Path) -> None:
    one = card("anna")
    save_card(one, tmp_path / "anna.json")
    data = (tmp_path / "anna.json").read_bytes()
    for source in (one, tmp_path / "anna.json", str(tmp_path / "anna.json"), data):
        (row,) = ClassBoard([source]).rows
        assert row.card == one
    (row,) = ClassBoard({"from anna": data}).rows
    assert row.file == "from anna"


def test_what_is_no_finished_card_is_named_and_the_others_go_in(board: Board) -> None:
    good = card("good").to_json().encode()
    recipe = card("slow").model_copy(update={"scores": {}})
    unfinished = recipe.model_copy(update={"versions": {"torch": "2.9"}})
    partial = json.loads(good)
    del partial["scores"]["sharpness"]
    foreign = json.dumps({"cells": [], "nbformat": 4}).encode()
    upload(board, **{
        "half.json": good[: len(good) // 2], "first.json": good,
        "slow.json": unfinished.to_json().encode(), "recipe.json": recipe.to_json().encode(),
        "notebook.json": foreign, "list.json": b"[1]", "photo.json": b"\xff\xd8\xff\xe0",
        "part.json": json.dumps(partial).encode(), "<b>.json": b"",
        "big.json": b" " * 2_000_001,
        "last.json": card("last").to_json().encode("utf-8-sig"),
    })  # fmt: skip
    assert column(board, "name") == ["anna", "good", "last", "ben", "cleo", "slow"]
    assert board.page[-1]["kind"] == "recipe"
    starts = [
        "half.json is not JSON (",
        "slow.json has no scores, as its training did not come to its end; hand in the card",
        "notebook.json: ",
        "list.json: the card: ",
        "photo.json is not JSON (",
        "part.json lacks sharpness among its scores.",
        "<b>.json is not JSON (",
        "big.json is too large for a run card, which has less than 2 "
        "MB; choose the JSON file of a card.",
    ]
    assert len(board.remarks) == len(starts)
    for remark, start in zip(board.remarks, starts, strict=True):
        assert remark.startswith(start)
    assert board.left_out == board.remarks


def test_the_same_card_twice_counts_once(board: Board, tmp_path: Path) -> None:
    save_card(board.rows[0].card, tmp_path / "again.json")
    assert board.add(tmp_path / "again.json") is None
    assert len(board.rows) == 3
    assert board.remarks == ["again.json is the same card as anna; it counts once."]


def test_two_cards_of_one_name_are_told_apart(board: Board) -> None:
    board.add(card("anna", psnr_y=28.5))
    board.add(card("anna", psnr_y=28.4))
    assert column(board, "name")[:3] == ["anna", "anna (2)", "anna (3)"]
    board.choose(card="anna (2)")
    assert "28.5000" in dict(board.opened["facts"])["scores"]


def test_a_folder_with_all_below_it_but_no_checkpoints(tmp_path: Path) -> None:
    for place in ("anna", "ben/deep", ".ipynb_checkpoints"):
        (tmp_path / place).mkdir(parents=True)
        save_card(card(place.split("/")[0].strip(".")[:4]), tmp_path / place / "card.json")
    (tmp_path / "notes.txt").write_text("no card")
    (tmp_path / "broken.json").write_text("{")
    board = ClassBoard()
    assert board.add_folder(tmp_path) == 2
    assert [row.file for row in board.rows] == ["anna/card.json", "ben/deep/card.json"]
    assert len(board.remarks) == 1
    assert board.remarks[0].startswith("broken.json is not JSON")
    with pytest.raises(NotADirectoryError, match=r"broken\.json is no folder; give the one"):
        board.add_folder(tmp_path / "broken.json")


# -- what is shown ---------------------------------------------------------------


def test_a_card_is_opened(board: Board) -> None:
    stages = [
        Stage(scale=2, steps=300, hr_size=64),
        Stage(
            scale=4, steps=200, weights={"pixel": 1.0, "content": 0.05, "tv": 0.0},
            features=FeatureSpec(layers={"relu2_2": 1.0}),
        ),
    ]  # fmt: skip
    long = card("grown").model_copy(
        update={"stages": stages, "model": ModelSpec(num_features=24), "seed": 7,
                "device": "<script>"}
    )  # fmt: skip
    board.add(long)
    board.card = "grown"
    first, second = board.opened["stages"]
    assert first.startswith("×2, 300 steps of 8 crops of 64 px, learning rate 0.002 (cosine)")
    assert "loss 1 · pixel + 0.05 · content (layers relu2_2 1; embedded);" in second
    assert "tv" not in second, "a weight of 0 is off"
    facts = dict(board.opened["facts"])
    assert "num features 24" in facts["network"]
    assert facts["device"] == "<script>", "text, and the page takes it for text"
    board.card = ""
    assert board.opened == {}


def test_the_shipped_recipes_are_shown_as_recipes() -> None:
    board = ClassBoard(sorted((ASSETS / "cards").glob("*.json")))
    assert board.remarks == []
    assert {row.kind for row in board.rows} == {"recipe"}
    assert sum(count for _, count in board.scales) == 9
    assert board.best() is None
    assert board.bests == board.others == []
    board.choose(card="unet-x4")
    assert dict(board.opened["facts"])["scores"] == "none yet"


# -- what was trained with ---------------------------------------------------------


def steered(name: str, weight: float, *changes: Change, **values: Any) -> RunCard:
    """A card of the Loss Lab: content has this weight at its first step."""
    said = {
        "steps": 10, "schedule": "constant", "learning_rate": 5e-4, "changes": list(changes),
        "weights": {"pixel": 1.0, "content": weight},
        "features": FeatureSpec(layers={"relu2_2": 1.0, "relu3_3": 0.0}),
    }  # fmt: skip
    return card(name).model_copy(update={"stages": [Stage(**{**said, **values})]})


EARLY = Change(after=0, weights={"content": 0.1}, layers={"relu3_3": 0.5}, learning_rate=1e-3)
LATE = Change(after=4, weights={"content": 0.9}, learning_rate=2e-3)
LAST = Change(after=10, weights={"tv": 0.9})


def test_each_weight_layer_and_rate_has_a_column() -> None:
    board = ClassBoard([steered("a", 0.01), steered("b", 0.05), card("plain")])
    assert column(board, "weight content") == [0.01, 0.05, 0]
    assert column(board, "weight pixel") == [1, 1, 0]
    assert column(board, "weight l1") == [0, 0, 1]
    assert column(board, "layer relu2_2") == [1, 1, 0]
    assert column(board, "learning rate") == [0.0005, 0.0005, 0.002]
    for unused in ("weight tv", "layer relu3_3", "changed while running"):
        assert unused not in board.columns


def test_an_older_card_shows_what_was_in_force() -> None:
    """All cards of a sweep once said the weights that nobody trained with."""
    board = ClassBoard([steered("old", 0.025, EARLY), steered("new", 0.025, LAST)])
    assert column(board, "weight content") == [0.1, 0.025]
    assert column(board, "layer relu3_3") == [0.5, 0]
    assert column(board, "learning rate") == [0.001, 0.0005]
    assert "changed while running" not in board.columns
    board.choose(card="old")
    assert (
        "0.1 · content (layers relu2_2 1, relu3_3 0.5; embedded)" in board.opened["stages"][0]
    )
    assert "learning rate 0.001 (constant)" in board.opened["stages"][0]


def test_what_was_changed_while_running_is_marked() -> None:
    board = ClassBoard([steered("moved", 0.025, EARLY, LATE, LAST), steered("still", 0.025)])
    assert column(board, "changed while running") == [1, 0]
    board.choose(card="moved")
    assert "after 4 steps: content 0.9, learning rate 0.002" in board.opened["stages"][0]
    assert "after 10 steps" not in board.opened["stages"][0], "no step ran with it"


def test_many_changes_stay_few_words() -> None:
    many = [Change(after=i, weights={"tv": float(i)}) for i in range(1, 400)]
    board = ClassBoard([steered("busy", 0.1, *many, steps=500)])
    board.choose(card="busy")
    assert column(board, "changed while running") == [399]
    assert "after 8 steps: tv 8; … and 391 more" in board.opened["stages"][0]


def test_of_many_columns_those_are_shown_that_differ() -> None:
    features = FeatureSpec(
        layers={f"relu{n}": 1.0 for n in ("1_1", "1_2", "2_1", "2_2", "3_1")}
    )
    weights = {"pixel": 1.0, "content": 0.1, "style": 1.0, "tv": 0.1}
    first = steered("a", 0.1, LATE, weights=weights, features=features)
    other = steered("b", 0.1, LATE, weights={**weights, "tv": 0.3}, features=features)
    shown = shown_titles([settings_of(first), settings_of(other)])
    assert shown == ["weight tv", "changed while running"]
    assert len(shown_titles([settings_of(steered("a", 0.1, LATE))])) == 5


def test_the_csv_has_every_weight_layer_and_rate(tmp_path: Path) -> None:
    board = ClassBoard([steered("moved", 0.025, EARLY, LATE), card("plain")])
    board.to_csv(tmp_path / "class.csv")
    moved, plain = read_csv((tmp_path / "class.csv").read_bytes())
    for layer in LAYERS:
        assert f"layer {layer}" in moved
    for title, number, other in (
        ("weight content", 0.1, 0), ("weight pixel", 1, 0), ("weight style", 0, 0),
        ("weight l1", 0, 1), ("layer relu2_2", 1, 0), ("layer relu3_3", 0.5, 0),
        ("learning rate", 1e-3, 2e-3), ("changed while running", 1, 0),
    ):  # fmt: skip
        assert (float(moved[title]), float(plain[title])) == (number, other), title


def test_a_thousand_cards_stay_usable() -> None:
    cards = [card(f"run-{i}", psnr_y=27 + i / 1000, sharpness=i / 900) for i in range(1000)]
    board = ClassBoard(cards)
    assert (len(board.rows), board.count) == (1000, 1000)
    assert board.best().name == "run-999"
    assert column(board, "name") == [f"run-{i}" for i in range(999, 979, -1)]
    assert len(board.others) == 1000 - PAGE
    board.first = PAGE
    assert column(board, "rank") == list(range(PAGE + 1, 2 * PAGE + 1))
    board.first = 5000
    assert (board.first, column(board, "rank")[-1]) == (980, 1000)
    board.order = "sharpness"
    assert board.first == 0, "another order begins at the first row"


def test_an_empty_board_asks_for_cards_and_takes_nothing_else() -> None:
    board = ClassBoard()
    assert repr(board) == "ClassBoard: no cards yet"
    assert board.best() is None
    assert (board.scales, board.page) == ([], [])
    for cards, sentence in (
        ([3], "A run card, its file or the file's bytes were expected, but got a int"),
        ("card.json", r"cards is one card, but a list of them was expected; write \[card\]"),
    ):
        with pytest.raises(TypeError, match=sentence):
            ClassBoard(cards)
    assert board.add("none.json") is None
    assert board.remarks[0].endswith("none.json does not exist; check the name.")
    upload(board, **{"a.json": card("a").to_json().encode()})
    assert column(board, "name") == ["a"]
    assert repr(board) == "ClassBoard: 1 run card (1 of ×4); best PSNR of ×4: a 28.70 dB"


# -- CSV -------------------------------------------------------------------------


def read_csv(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline="")))


def test_the_teacher_gets_every_card_as_csv(board: Board, tmp_path: Path) -> None:
    board.add(card("eve", bicubic_psnr_y=28.42).to_json().encode(), "=HYPERLINK(1).json")
    board.to_csv(tmp_path / "class.csv")
    data = (tmp_path / "class.csv").read_bytes()
    rows = read_csv(data)
    assert [row["name"] for row in rows] == ["dora", "anna", "ben", "cleo", "eve"]
    assert [row["scale"] for row in rows] == ["2", "4", "4", "4", "4"]
    anna = board.rows[0].card
    for measure in MEASURES:
        assert float(rows[1][measure]) == anna.scores[measure]
    assert rows[4]["file"] == "'=HYPERLINK(1).json", "text, and no formula"
    assert rows[4]["doubt"].startswith("measured otherwise")
    assert board.csv == data
    with pytest.raises(OSError, match="could not be written"):
        board.to_csv(tmp_path / "none" / "class.csv")


# -- for everybody ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("choice", "sentence"),
    [
        ({"order": "beauty"}, "order must be one of psnr_y, ssim_y, .*, but got 'beauty'"),
        ({"card": "dora"}, "card must be one of anna, ben, cleo, but got 'dora'"),
    ],
)
def test_an_unknown_choice_changes_nothing(
    board: Board, choice: dict[str, str], sentence: str
) -> None:
    board.choose(order="sharpness")
    with pytest.raises(ValueError, match=sentence):
        board.choose(**choice)
    assert board.order == "sharpness"
    with pytest.raises(ValueError, match="measure must be one of psnr_y"):
        board.best("beauty")


def test_controls_work_from_any_thread(board: Board) -> None:
    from_another_thread(lambda: setattr(board, "order", "sharpness"))
    assert column(board, "name")[0] == "ben"
    from_another_thread(lambda: upload(board, **{"f.json": card("fay").to_json().encode()}))
    assert "fay" in column(board, "name")
