"""Run cards: any valid one survives a round trip, every other is refused by name."""

# ruff: noqa: E501 -- a sentence under test stays on one line

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from srlab.runcard import (
    NAME,
    Change,
    FeatureSpec,
    ModelSpec,
    RunCard,
    Stage,
    UNetSpec,
    at_first_step,
    changes_while_running,
    folded,
    load_card,
    parse_card,
    save_card,
)

finite = st.floats(0, 1e6, allow_nan=False)
figures = st.floats(-1e6, 1e6, allow_nan=False)
words = st.text(max_size=20)


@st.composite
def stages(draw: st.DrawFn) -> Stage:
    scale = draw(st.sampled_from([2, 4, 8]))
    weights = st.dictionaries(st.sampled_from(["l1", "l2"]), finite, min_size=1)
    return Stage(
        scale=scale,
        hr_size=scale * draw(st.integers(8 // scale, 1024 // scale)),
        batch_size=draw(st.integers(1, 1024)),
        steps=draw(st.integers(1, 10**6)),
        learning_rate=draw(st.floats(0, 1, exclude_min=True)),
        weights=draw(weights.filter(lambda w: any(w.values()))),
    )


cards = st.builds(
    RunCard,
    name=st.from_regex(NAME, fullmatch=True),
    model=st.builds(
        ModelSpec,
        kind=st.just("srresnet"),
        num_features=st.integers(1, 512),
        num_blocks=st.integers(1, 256),
    ),
    data=words,
    validation=words | st.floats(0, 0.5, exclude_min=True),
    seed=st.integers(0, 2**31 - 1),
    precision=st.sampled_from(["auto", "fp32", "bf16"]),
    stages=st.lists(stages(), min_size=1, max_size=4),
    versions=st.dictionaries(words, words, max_size=3),
    device=words,
    seconds=finite,
    scores=st.dictionaries(words, figures, max_size=3),
    format=st.just(1),
)


@settings(max_examples=50)
@given(cards)
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, card: RunCard) -> None:
    path = tmp_path_factory.getbasetemp() / f"{card.name}.json"
    save_card(card, path)
    assert load_card(path) == card


def test_defaults_scale_and_steps() -> None:
    card = parse_card({"name": "a", "stages": [{"scale": 2, "steps": 5}, {"steps": 7}]})
    assert (card.scale, card.steps, card.data, card.seed) == (4, 12, "embedded", 0)


def card_with(**changes: Any) -> dict[str, Any]:
    return {"name": "a", "stages": [{}], **changes}


def stage_with(**changes: Any) -> dict[str, Any]:
    return card_with(stages=[{}, changes])


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (card_with(sede=1), "sede is an unknown key; remove it or correct its spelling."),
        (stage_with(setps=1), "stage 2: setps is an unknown key; remove it or"),
        (card_with(model={"depth": 1}), "model.depth is an unknown key;"),
        ({"stages": [{}]}, "name is missing; add it."),
        ({"name": "a"}, "stages is missing; add it."),
        (card_with(stages=[]), "stages: List should have at least 1 item"),
        (card_with(share=0), "share: Input should be greater than 0, but got 0."),
        (card_with(share=0.5), "the card: share is 0.5, but there is no start to stay near; name"),
        (card_with(name="a/b"), "name: String should match pattern"),
        (card_with(name=""), "name: String should match pattern"),
        (card_with(name="a\n"), "name: String should match pattern"),
        (card_with(name=".a"), "name: String should match pattern"),
        (card_with(name="a."), "name: String should match pattern"),
        (card_with(name=".."), "name: String should match pattern"),
        (card_with(name="a..\\b"), "name: String should match pattern"),
        (card_with(validation=0), 'validation: "auto", "embedded", a folder or a share above 0 and at most 0.5 was expected, but got 0.'),
        (card_with(validation=0.7), 'validation: "auto", "embedded", a folder or a share'),
        (card_with(validation=True), 'validation: "auto", "embedded", a folder or a share'),
        (card_with(validation=[]), 'validation: "auto", "embedded", a folder or a share'),
        (card_with(validation=math.nan), 'validation: "auto", "embedded", a folder or a share'),
        (card_with(photographs={"training": 1}), "photographs.validation is missing; add it."),
        (card_with(start_sha256="x"), "start_sha256: String should match pattern"),
        (stage_with(steps=10**400), "stage 2: steps: Input should be less than"),
        (card_with(**{"$SCHEMA": 1}), "$SCHEMA is an unknown key"),
        (card_with(name="a" * 65), "name: String should match pattern"),
        (card_with(format=2), "format: Input should be 1, but got 2."),
        (card_with(seed=-1), "seed: Input should be greater than or equal to 0, but got -1."),
        (card_with(seed=2**31), "seed: Input should be less than 2147483648"),
        (card_with(seed="1"), "seed: Input should be a valid integer, but got '1'."),
        (card_with(seed=1.5), "seed: Input should be a valid integer"),
        (card_with(seed=True), "seed: Input should be a valid integer, but got True."),
        (card_with(seed=None), "seed: Input should be a valid integer, but got None."),
        (card_with(precision="fp16"), "precision: Input should be 'auto', 'fp32' or 'bf16'"),
        (card_with(model={"kind": "vgg"}), "model: kind must be srresnet or unet, but got {'kind': 'vgg'}."),
        (card_with(model=7), "model: kind must be srresnet or unet, but got 7."),
        (card_with(model={"kind": "unet", "num_blocks": 1}), "model.num_blocks is an unknown key"),
        (card_with(model={"kind": "unet", "depth": 4}), "model.depth: Input should be less than"),
        (card_with(model={"doubling": "nearest"}), "model.doubling: Input should be 'shuffle', 'icnr'"),
        (stage_with(weights={"l1": 1, "tv": 1}), "stage 2: l1 and l2 stand together with terms"),
        (stage_with(weights={"content": 1}), "stage 2: content needs features; name the"),
        (stage_with(weights={"style": 1, "content": 1}), "stage 2: content and style need"),
        (stage_with(changes=[{"after": 1, "weights": {"tv": 1}}]), "stage 2: a change sets tv, which the stage has not"),
        (stage_with(weights={"tv": 1}, changes=[{"after": 1, "weights": {"style": 1}}]), "stage 2: a change sets style, which"),
        (stage_with(changes=[{"after": 1, "layers": {"relu1_1": 1}}]), "stage 2: a change sets relu1_1, which"),
        (stage_with(changes=[{"after": 1, "learning_rate": 0.1}]), "stage 2: a change sets the learning rate, but the schedule does"),
        (stage_with(changes=[{"after": 9}, {"after": 8}]), "stage 2: changes come after [9, 8] steps, but in their order"),
        (stage_with(steps=5, changes=[{"after": 6}]), "stage 2: changes come after [6] steps, but in their order and after 5 at most"),
        (stage_with(changes=[{"after": -1}]), "stage 2: change 1: after: Input should be greater"),
        (stage_with(changes=[{"after": 1, "weights": {"spectrum": 1}}]), "stage 2: a change sets spectrum, which the stage has not"),
        (stage_with(features={"layers": {}}), "stage 2: features.layers: Dictionary should have"),
        (stage_with(features={"layers": {"relu2_2": 0}}), "stage 2: features: all layers weigh 0"),
        (stage_with(features={"layers": {"conv1_1": 1}}), "stage 2: features.layers.conv1_1"),
        (stage_with(features={"layers": {"relu5_1": 1}}), "stage 2: features: the embedded weights end at relu4_3, but got relu5_1"),
        (card_with(model={"num_blocks": 0}), "model.num_blocks: Input should be greater"),
        (card_with(seconds=math.nan), "seconds: Input should be"),
        (card_with(scores={"psnr_y": math.inf}), "scores.psnr_y: Input should be a finite"),
        (stage_with(scale=3), "stage 2: scale: Input should be 2, 4 or 8, but got 3."),
        (stage_with(hr_size=33), "stage 2: hr_size is 33, but it must be divisible"),
        (stage_with(hr_size=4), "stage 2: hr_size: Input should be greater than or equal to 8"),
        (stage_with(steps=0), "stage 2: steps: Input should be greater than or equal to 1"),
        (stage_with(batch_size=0), "stage 2: batch_size: Input should be greater"),
        (stage_with(learning_rate=0), "stage 2: learning_rate: Input should be greater than 0"),
        (stage_with(learning_rate=math.nan), "stage 2: learning_rate: Input should be"),
        (stage_with(weights={"l1": 0, "l2": 0.0}), "stage 2: all weights are 0, but at"),
        (stage_with(weights={}), "stage 2: all weights are 0"),
        (stage_with(weights={"l1": -1}), "stage 2: weights.l1: Input should be greater"),
        (stage_with(weights={"l1": math.nan}), "stage 2: weights.l1: Input should be"),
        (stage_with(weights={"gram": 1}), "stage 2: weights.gram"),
        ([1, 2], "the card: Input should be a valid dictionary"),
        (None, "the card: Input should be a valid dictionary"),
    ],
)  # fmt: skip
def test_a_wrong_card_is_refused_with_its_place(values: object, sentence: str) -> None:
    with pytest.raises(ValueError, match=r"^card\.json: ") as error:
        parse_card(values, "card.json")
    assert str(error.value).startswith(f"card.json: {sentence}")
    assert str(error.value).endswith(".")
    assert "\n" not in str(error.value)


def test_a_long_value_is_shortened() -> None:
    with pytest.raises(ValueError, match=r"but got '(x{56})\.\.\."):
        parse_card(card_with(seed="x" * 1000))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (b"", "card.json is not JSON"),
        (b"name: a", "card.json is not JSON"),
        (b'{"name": "a", "stages": [{}]', "card.json is not JSON"),
        (b"\xff\xfe\x00", "card.json is not JSON"),
        (b"[" * 100_000, "card.json is not JSON"),
        (b'{"name": ' + b"[" * 900 + b"]" * 900 + b"}", "card.json: name: Input should be"),
        (b'{"seed": ' + b"1" * 5000 + b"}", "card.json is not JSON"),
    ],
)
def test_what_is_no_json(tmp_path: Path, text: bytes, sentence: str) -> None:
    path = tmp_path / "card.json"
    path.write_bytes(text)
    with pytest.raises(ValueError, match=f"^{sentence}"):
        load_card(path)


def test_a_card_from_notepad(tmp_path: Path) -> None:
    path = tmp_path / "card.json"
    path.write_text(json.dumps(card_with()), encoding="utf-8-sig")
    assert load_card(path).name == "a"


EARLY = Change(after=0, weights={"content": 0.5}, layers={"relu2_2": 0.0}, learning_rate=0.1)
LATE = Change(after=3, weights={"tv": 2.0})
LAST = Change(after=5, weights={"tv": 3.0})


def steered(*changes: Change) -> Stage:
    return Stage(
        steps=5, schedule="constant", learning_rate=0.2, changes=list(changes),
        weights={"pixel": 1.0}, features=FeatureSpec(layers={"relu1_1": 1.0, "relu2_2": 2.0}),
    )  # fmt: skip


def test_what_was_set_before_the_first_step_was_in_force():
    twice = Change(after=0, weights={"content": 0.7})
    start = at_first_step(steered(EARLY, twice, LATE))
    assert start.weights == {"pixel": 1.0, "content": 0.7}
    assert start.layers == {"relu1_1": 1.0, "relu2_2": 0.0}
    assert start.learning_rate == 0.1
    stage = folded(steered(EARLY, twice, LATE))
    assert stage == parse_stage(stage)
    assert (stage.weights, stage.features.layers) == (start.weights, start.layers)
    assert (stage.learning_rate, stage.changes) == (0.1, [LATE])
    assert folded(stage) == stage, "once is enough"


def parse_stage(stage: Stage) -> Stage:
    return parse_card(card_with(stages=[stage.model_dump()])).stages[0]


def test_folding_changes_no_other_stage_and_not_its_own():
    before = steered(EARLY)
    for stage in (Stage(), steered(), steered(LATE, LAST)):
        assert folded(stage) == stage
    folded(before)
    assert before == steered(EARLY)


def test_only_what_some_steps_ran_with_was_changed_while_running():
    assert changes_while_running(steered(EARLY, LATE, LAST)) == [LATE]


def test_a_stage_that_began_with_nothing_stays_as_it_is():
    for nothing in ({"weights": {"pixel": 0.0}}, {"layers": {"relu1_1": 0.0, "relu2_2": 0.0}}):
        stage = steered(Change(after=0, **nothing), LATE)
        assert folded(stage) is stage
    assert at_first_step(stage).layers == {"relu1_1": 0.0, "relu2_2": 0.0}


def test_a_stage_that_names_no_learning_rate_gets_one_that_the_network_bears():
    stages = [Stage(steps=1), Stage(steps=1, learning_rate=1e-5)]
    unet = RunCard(name="a", model=UNetSpec(), stages=stages)
    assert [stage.learning_rate for stage in unet.stages] == [3e-4, 1e-5]
    assert parse_card(unet.model_dump()) == unet
    assert RunCard(name="a", stages=stages).stages[0].learning_rate == 2e-3
    assert "learning_rate" not in stages[0].model_fields_set  # the caller's own stays as it was


def test_a_saved_card_names_its_schema(tmp_path: Path) -> None:
    save_card(parse_card(card_with()), tmp_path / "card.json")
    values = json.loads((tmp_path / "card.json").read_text())
    assert next(iter(values)) == "$schema"
    assert values["$schema"] == "runcard.schema.json"
    assert parse_card({**values, "$schema": 7}) == load_card(tmp_path / "card.json")
    assert "$schema" in values, "what came in is not changed"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(st.sampled_from([*RunCard.model_fields, "$schema"]), json_values),
    st.dictionaries(st.sampled_from([*Stage.model_fields]), json_values),
)
def test_anything_is_a_card_or_one_sentence(
    card: dict[str, Any], stage: dict[str, Any]
) -> None:
    for values in (card, {**card_with(), **card}, card_with(stages=[stage])):
        said = sentence_about(values)
        assert "\n" not in said
        assert said == "" or said.endswith(".")


def sentence_about(values: object) -> str:
    """What is wrong with a card; "" if nothing."""
    try:
        parse_card(values)
    except ValueError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("key", ["\n", "a\nb", "\x1b[2J", "\u2028"])
def test_a_strange_key_is_named_in_one_line(key: str) -> None:
    for values in (card_with(versions={key: None}), {**card_with(), key: 1}):
        said = sentence_about(values)
        assert said.isprintable()
        assert repr(key) in said


@pytest.mark.parametrize("depth", [300, 950, 990, 995])
def test_a_deep_card_is_one_sentence(depth: int) -> None:
    deep: Any = 1
    for _ in range(depth):
        deep = [deep]
    for values in (deep, card_with(name=deep), card_with(stages=deep), card_with(model=deep)):
        with pytest.raises(ValueError, match=r"^card\.json") as error:
            parse_card(values, "card.json")
        assert "\n" not in str(error.value)
