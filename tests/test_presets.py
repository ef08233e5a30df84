"""Presets: those of the papers as they are stated, and one's own, of which none is lost."""

import json
import warnings
from pathlib import Path

import pytest

from srlab.losses import EXPANDED_TERMS, Entry
from srlab.presets import LAYERS, PRESETS, Preset, read_presets, save_preset
from srlab.widgets.loss_lab.bench import LossBench, lab_card

MINE = Preset("mine", "My own.", {"pixel": 1.0, "tv": 0.5}, {"relu2_2": 2.0})


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SRLAB_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SRLAB_DEVICE", "cpu")
    return tmp_path / "home"


@pytest.fixture
def file(home: Path) -> Path:
    home.mkdir()
    return home / "presets.json"


def test_the_built_in_ones() -> None:
    assert [*PRESETS] == ["pixel only", "Johnson 2016", "fast.ai lesson 7", "this course"]
    for name, preset in PRESETS.items():
        assert preset.name == name
        assert preset.source.endswith(".")
        assert preset.weights.keys() <= set(EXPANDED_TERMS)
        assert preset.layers.keys() <= set(LAYERS)
        assert lab_card(preset).stages[0].weights == preset.weights


def test_what_the_papers_say() -> None:
    assert PRESETS["pixel only"].weights == {"pixel": 1.0}
    johnson = PRESETS["Johnson 2016"]
    assert johnson.weights == {"content": 1.0}
    assert johnson.layers == {"relu2_2": 1.0}
    assert "square" in johnson.source
    fastai = PRESETS["fast.ai lesson 7"]
    assert fastai.layers["relu4_3"] / fastai.layers["relu3_3"] == pytest.approx(15 / 5)
    assert fastai.layers.keys() == {"relu3_3", "relu4_3"}
    assert "relu5_3" in fastai.source
    assert "left out" in fastai.source


def at_the_start(preset: str) -> list[dict[str, Entry]]:
    """The ledgers of all photographs that the lab shows, before the first step."""
    bench = LossBench(lab_card(preset))
    ledgers = []
    for photo in bench.photos:
        bench.show(photo)
        ledgers.append(bench.ledger())
    return ledgers


def mean_share(ledgers: list[dict[str, Entry]], term: str) -> float:
    return sum(ledger[term].share for ledger in ledgers) / len(ledgers)


def test_what_is_said_of_this_courses_preset() -> None:
    ledgers = at_the_start("this course")
    assert mean_share(ledgers, "pixel") == pytest.approx(1 / 2, abs=0.06)
    assert mean_share(ledgers, "style") == pytest.approx(2 / 5, abs=0.05)
    assert 0.02 < mean_share(ledgers, "tv") < 0.1
    assert "content" not in PRESETS["this course"].weights


def test_what_is_said_of_fastais_preset() -> None:
    ledgers = at_the_start("fast.ai lesson 7")
    sums = [sum(entry.weighted for entry in ledger.values()) for ledger in ledgers]
    parts = {
        term: sum(ledger[term].weighted / s for ledger, s in zip(ledgers, sums, strict=True))
        / 3
        for term in EXPANDED_TERMS
    }
    assert parts["pixel"] == pytest.approx(0.08, abs=0.02)
    assert parts["content"] == pytest.approx(parts["style"], abs=0.1)


def test_ones_own_come_after_the_built_in_ones(home: Path) -> None:
    assert read_presets() == PRESETS
    assert save_preset(MINE) == home / "presets.json"
    entry = json.loads((home / "presets.json").read_text())["mine"]
    assert entry.keys() == {"source", "weights", "layers"}, "its name is its key"
    assert read_presets() == {**PRESETS, "mine": MINE}
    assert [*read_presets()][-1] == "mine"


def test_the_same_name_takes_its_place_and_others_stay() -> None:
    save_preset(MINE)
    save_preset(Preset("other", "", {"content": 1.0}, {}))
    changed = Preset("mine", "Changed.", {"tv": 1.0}, {})
    save_preset(changed)
    assert {k: v for k, v in read_presets().items() if k not in PRESETS} == {
        "mine": changed,
        "other": Preset("other", "", {"content": 1.0}, {}),
    }


@pytest.mark.parametrize(
    ("preset", "sentence"),
    [
        (Preset(" ", "", {}, {}), "A preset's name has 1 to 60 characters, but got ' '"),
        (Preset("x" * 61, "", {}, {}), "A preset's name has 1 to 60 characters, but got 'xxx"),
        (Preset("pixel only", "", {}, {}), "'pixel only' is a built-in preset; choose ano"),
        (Preset("a", "", {"gram": 1.0}, {}), "There is no term gram; there are pixel"),
        (Preset("a", "", {}, {"relu5_3": 1.0}), "There is no layer relu5_3; there are"),
        (Preset("a", "", {"tv": -1.0}, {}), "'a' weighs tv by -1.0, but a number of at le"),
        (Preset("a", "", {"tv": float("inf")}, {}), "'a' weighs tv by inf, but a number"),
    ],
)
def test_what_cannot_be_kept(preset: Preset, sentence: str, home: Path) -> None:
    with pytest.raises(ValueError, match=sentence):
        save_preset(preset)
    assert not home.exists()


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        (7, r"'bad' must have weights and layers, but got 7"),
        ({"weights": {}}, r"'bad' has no weights by layer, but None"),
        ({"weights": [], "layers": {}}, r"'bad' has no weights by term, but \[\]"),
        ({"weights": {"tv": True}, "layers": {}}, "'bad' weighs tv by True"),
        ({"weights": {"tv": "1"}, "layers": {}}, "'bad' weighs tv by '1'"),
        ({"weights": {"gram": 1}, "layers": {}}, "There is no term gram"),
    ],
)
def test_one_bad_entry_is_left_out_and_stays_in_the_file(
    file: Path, entry: object, sentence: str
) -> None:
    good = {"source": "", "weights": {"pixel": 1}, "layers": {}}
    file.write_text(json.dumps({"bad": entry, "good": good}))
    with pytest.warns(UserWarning, match=sentence):
        found = read_presets()
    assert [*found] == [*PRESETS, "good"]
    save_preset(MINE)
    assert json.loads(file.read_text())["bad"] == entry


def test_nobody_takes_the_place_of_a_built_in_one(file: Path) -> None:
    mine = {"source": "", "weights": {"tv": 1.0}, "layers": {}}
    file.write_text(json.dumps({"pixel only": mine}))
    with pytest.warns(UserWarning, match="'pixel only' is a built-in preset's name") as caught:
        assert read_presets() == PRESETS
    assert caught[0].filename == __file__, "a warning names the caller's line"


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[]", b'{"a": 1', b"\x00", b"[" * 100_000, b"\xff\xfe\x00\xd8"]
)
def test_a_damaged_file_is_kept(file: Path, text: bytes) -> None:
    file.write_bytes(text)
    with pytest.warns(UserWarning, match=r"presets\.json is damaged .*; mend or remove it"):
        assert read_presets() == PRESETS
    assert file.read_bytes() == text
    with pytest.warns(UserWarning, match=r"it is kept as presets-damaged\.json"):
        save_preset(MINE)
    assert (file.parent / "presets-damaged.json").read_bytes() == text
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_presets() == {**PRESETS, "mine": MINE}
    file.write_bytes(text)
    with pytest.warns(UserWarning, match=r"it is kept as presets-damaged-2\.json"):
        save_preset(MINE)


def test_a_full_disk_leaves_the_old_presets(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_preset(MINE)
    before = file.read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="could not be written: no space left"):
        save_preset(Preset("other", "", {}, {}))
    assert file.read_bytes() == before
    assert [p.name for p in file.parent.iterdir()] == ["presets.json"]
