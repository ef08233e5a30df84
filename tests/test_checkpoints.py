"""Checkpoints: everything comes back, and no damage goes unseen."""

import json
import random
import re
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Tensor, nn

import srlab.checkpoints
from srlab.checkpoints import (
    _digest,
    blend_weights,
    carry_weights,
    load_checkpoint,
    load_optimizer,
    load_weights,
    mean_weights,
    save_checkpoint,
)
from srlab.machine import place
from srlab.models import SrResNet
from tests.test_runcard import json_values

CARD = {"name": "a", "stages": [{"scale": 2}]}


def trained(seed: int = 0) -> tuple[nn.Module, torch.optim.Optimizer]:
    """A network after two steps, in the memory layout of real trainings."""
    torch.manual_seed(seed)
    model = place(SrResNet(2, 6, 1), "cpu")
    optimizer = torch.optim.Adam(model.parameters(), 1e-2, fused=True)
    for _ in range(2):
        step(model, optimizer)
    return model, optimizer


def step(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    lr = torch.linspace(0, 1, 192).view(1, 3, 8, 8)
    optimizer.zero_grad()
    (model(lr) - 0.3).square().mean().backward()
    optimizer.step()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    model, optimizer = trained()
    save_checkpoint(tmp_path / "a.safetensors", model, card=CARD, step=2, optimizer=optimizer)
    return tmp_path / "a.safetensors"


# -- the round trip --------------------------------------------------------------


def test_everything_comes_back(path: Path) -> None:
    model, optimizer = trained()
    checkpoint = load_checkpoint(path)
    assert (checkpoint.card, checkpoint.step) == (CARD, 2)
    assert checkpoint.model.keys() == model.state_dict().keys()
    for name, value in model.state_dict().items():
        assert torch.equal(checkpoint.model[name], value)
    assert checkpoint.optimizer is not None
    own = optimizer.state_dict()
    groups = json.loads(json.dumps(own["param_groups"]))  # tuples become lists
    assert checkpoint.optimizer["param_groups"] == groups
    for index, moments in own["state"].items():
        for key, value in moments.items():
            assert torch.equal(checkpoint.optimizer["state"][index][key], value)


def test_a_training_goes_on_to_the_same_bits(path: Path) -> None:
    """The moments must also lie in memory as the weights do: fused Adam cares."""
    whole, optimizer = trained()
    for _ in range(3):
        step(whole, optimizer)
    checkpoint = load_checkpoint(path)
    model, optimizer = trained(seed=9)
    load_weights(model, checkpoint.model, "a")
    optimizer = torch.optim.Adam(model.parameters(), 1e-2, fused=True)
    load_optimizer(optimizer, checkpoint.optimizer or {})
    for _ in range(3):
        step(model, optimizer)
    for name, value in whole.state_dict().items():
        assert torch.equal(model.state_dict()[name], value), name


def test_a_file_for_use_holds_no_optimizer(tmp_path: Path, path: Path) -> None:
    small = tmp_path / "b.safetensors"
    save_checkpoint(small, trained()[0], card=CARD, step=2)
    assert load_checkpoint(small).optimizer is None
    assert small.stat().st_size < 0.6 * path.stat().st_size


# -- damage ----------------------------------------------------------------------


def refusal(path: Path) -> str:
    """The sentence with which a file is refused."""
    with pytest.raises(ValueError, match=r"^a\.safetensors ") as error:
        load_checkpoint(path)
    sentence = str(error.value)
    assert "\n" not in sentence
    return sentence


def test_truncated_file(path: Path) -> None:
    whole = path.read_bytes()
    for length in (0, 5, 8, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        assert "is damaged or no checkpoint" in refusal(path)
    path.write_bytes(whole + b"more")
    assert "is damaged or no checkpoint" in refusal(path)


def test_any_flipped_bit_is_seen(path: Path) -> None:
    """In the numbers, in their names, in the run card: everywhere."""
    whole = path.read_bytes()
    header = 8 + int.from_bytes(whole[:8], "little")
    chance = random.Random(0)
    places = [*range(0, header, 5), *chance.sample(range(header, len(whole)), 100)]
    for place_ in places:
        damaged = bytearray(whole)
        damaged[place_] ^= 1 << chance.randrange(8)
        path.write_bytes(damaged)
        refusal(path)


def test_one_changed_number_is_named_as_damage(path: Path) -> None:
    damaged = bytearray(path.read_bytes())
    damaged[-1] ^= 1
    path.write_bytes(damaged)
    assert "its contents do not match their checksum; copy or train it again" in refusal(path)


def test_files_of_others(path: Path) -> None:
    path.write_text("not at all")
    assert "is damaged or no checkpoint" in refusal(path)
    save_file({"weight": torch.zeros(3)}, path)
    assert "was not written by srlab: it carries no run card" in refusal(path)
    save_file({"weight": torch.zeros(3)}, path, {"srlab": "{}", "sha256": "0"})
    assert "is damaged" in refusal(path)


# -- crafted, with a checksum that is right ----------------------------------------


def craft(path: Path, about: str, tensors: dict[str, Tensor] | None = None) -> Path:
    tensors = tensors or {"model.weight": torch.zeros(3)}
    save_file(tensors, path, {"srlab": about, "sha256": _digest(about, tensors)})
    return path


GOOD = {"format": 1, "card": {}, "step": 0, "groups": None}


@pytest.mark.parametrize(
    ("about", "sentence"),
    [
        ("[" * 100_000, "what it says of itself is no JSON (nested too deeply)"),
        ("{" + '"a":{' * 5000 + "}" * 5001, "what it says of itself is no JSON (nested"),
        ("name: a", "what it says of itself is no JSON (Expecting"),
        ("", "what it says of itself is no JSON (Expecting"),
        ("[1]", "what it says of itself: Input should be"),
        ("null", "what it says of itself: Input should be"),
        ("{}", "format: Field required"),
        (json.dumps({**GOOD, "format": "1"}), "format: Input should be a valid integer"),
        (json.dumps({**GOOD, "format": True}), "format: Input should be a valid integer"),
        (json.dumps({**GOOD, "format": 2}), "has format 2, but this srlab reads 1"),
        (json.dumps({**GOOD, "format": [1]}), "format: Input should be a valid integer"),
        (json.dumps({**GOOD, "card": []}), "card: Input should be a valid dictionary"),
        (json.dumps({**GOOD, "card": None}), "card: Input should be a valid dictionary"),
        (json.dumps({**GOOD, "step": -1}), "step: Input should be greater than or equal to 0"),
        (json.dumps({**GOOD, "step": 1.5}), "step: Input should be a valid integer"),
        (json.dumps({**GOOD, "step": "1"}), "step: Input should be a valid integer"),
        ('{"format": 1, "card": {}, "step": ' + "1" * 5000 + "}", "is no JSON"),
        (json.dumps({**GOOD, "groups": {}}), "groups: Input should be a valid list"),
        (json.dumps({**GOOD, "groups": [1]}), "groups.0: Input should be a valid dictionary"),
    ],
)
def test_what_a_file_says_of_itself(path: Path, about: str, sentence: str) -> None:
    assert sentence in refusal(craft(path, about))


@pytest.mark.parametrize("name", ["x", "x.exp_avg", "-1.exp_avg", "0", "0.", "²", "9" * 5000])
def test_moments_of_no_parameter(path: Path, name: str) -> None:
    about = json.dumps({**GOOD, "groups": [{}]})
    craft(path, about, {f"optimizer.{name}": torch.zeros(1)})
    assert "its optimizer has" in refusal(path)


def raw(path: Path, header: bytes, data: bytes = b"") -> Path:
    path.write_bytes(len(header).to_bytes(8, "little") + header + data)
    return path


@pytest.mark.parametrize(
    "header",
    [
        b"\xff\xfe",
        b"[]",
        b'{"a": [[[' * 9999,
        b'{"__metadata__": {"srlab": 1}}',
        b'{"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4000000000]}}',
        b'{"a": {"dtype": "F99", "shape": [1], "data_offsets": [0, 4]}}',
        b'{"a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}}',
        b'{"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]},'
        b' "a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}',
        b'{"a": {"dtype": "F8_E8M0", "shape": [4], "data_offsets": [0, 4]}}',
        b'{"a": {"dtype": "F4", "shape": [8], "data_offsets": [0, 4]}}',
    ],
)
def test_headers_of_nobody(path: Path, header: bytes) -> None:
    refusal(raw(path, header, b"\0" * 4))


def test_a_header_longer_than_the_file(path: Path) -> None:
    for length in (2**31, 2**63, 2**64 - 1, 100_000_001):
        path.write_bytes(length.to_bytes(8, "little") + b"{}")
        assert "is damaged or no checkpoint" in refusal(path)


def test_tensors_of_every_kind_pass_through_the_checksum(path: Path) -> None:
    kinds = (torch.bool, torch.int8, torch.float16, torch.bfloat16, torch.complex64)
    tensors = {f"model.{i}": torch.zeros(i, dtype=kind) for i, kind in enumerate(kinds)}
    loaded = load_checkpoint(craft(path, json.dumps(GOOD), tensors)).model
    assert [value.dtype for value in loaded.values()] == list(kinds)


@settings(max_examples=100)
@given(
    st.dictionaries(st.sampled_from([*GOOD, "more"]), json_values) | json_values, st.booleans()
)
def test_anything_is_a_checkpoint_or_one_sentence(
    tmp_path_factory: pytest.TempPathFactory, about: object, filled: bool
) -> None:
    path = tmp_path_factory.getbasetemp() / "anything.safetensors"
    about = {**GOOD, **about} if filled and isinstance(about, dict) else about
    craft(path, json.dumps(about))
    try:
        said = str(load_checkpoint(path).step)
    except ValueError as error:
        said = str(error)
    assert said
    assert "\n" not in said


def test_no_such_file(tmp_path: Path) -> None:
    for path in (tmp_path / "none.safetensors", tmp_path):
        with pytest.raises(FileNotFoundError, match="is no file; give a checkpoint"):
            load_checkpoint(path)


@pytest.mark.parametrize(
    ("model", "what"),
    [
        (SrResNet(2, 8, 1), "size mismatch for"),
        (SrResNet(2, 6, 2), "Missing key"),
        (SrResNet(4, 6, 1), "Missing key"),
    ],
)
def test_another_architecture(path: Path, model: nn.Module, what: str) -> None:
    weights: dict[str, Tensor] = load_checkpoint(path).model
    sentence = f"^a holds the weights of another architecture: {what}"
    with pytest.raises(ValueError, match=sentence) as error:
        load_weights(model, weights, "a")
    assert "\n" not in str(error.value)


def test_the_card_is_readable_without_srlab(path: Path) -> None:
    """Safetensors keeps it as text at the file's beginning."""
    whole = path.read_bytes()
    length = int.from_bytes(whole[:8], "little")
    about = json.loads(json.loads(whole[8 : 8 + length])["__metadata__"]["srlab"])
    assert about["card"] == CARD


# -- carrying weights to another network -------------------------------------------


def test_weights_are_carried_by_name() -> None:
    before, after = SrResNet(2, 6, 2), SrResNet(4, 6, 2)
    untouched = {name: value.clone() for name, value in after.state_dict().items()}
    given = {name: value + 1 for name, value in before.state_dict().items()}
    carried = carry_weights(after, given)
    stage = ["upsampler.stages.0.0.weight", "upsampler.stages.0.0.bias"]
    assert (carried.loaded, carried.new, carried.left) == (list(given), stage, [])
    for name, value in after.state_dict().items():
        assert torch.equal(value, untouched[name] if name in stage else given[name])


def test_what_finds_no_place_is_told() -> None:
    carried = carry_weights(SrResNet(2, 6, 1), SrResNet(4, 6, 2).state_dict())
    assert carried.new == []
    assert carried.left == [
        *(f"body.1.conv{i}.{kind}" for i in (1, 2) for kind in ("weight", "bias")),
        "upsampler.stages.0.0.weight",
        "upsampler.stages.0.0.bias",
    ]


def test_a_weight_of_another_shape_stays_behind() -> None:
    """Also one with as many numbers."""
    model = nn.Linear(2, 3)
    before = model.weight.clone()
    carried = carry_weights(model, {"weight": torch.ones(3, 2).T, "bias": torch.ones(3)})
    assert (carried.loaded, carried.new, carried.left) == (["bias"], ["weight"], ["weight"])
    assert torch.equal(model.weight, before)
    assert torch.equal(model.bias, torch.ones(3))


def test_a_file_that_is_replaced_meanwhile_is_read_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a training does it every half a minute."""
    read = srlab.checkpoints._read

    def disturbed(path: Path) -> object:
        found = read(path)
        monkeypatch.undo()
        save_checkpoint(path, trained()[0], card=CARD, step=7)
        return {**found[0], "sha256": "half of it"}, found[1]

    monkeypatch.setattr("srlab.checkpoints._read", disturbed)
    assert load_checkpoint(path).step == 7


# -- blending ----------------------------------------------------------------------


def test_blend_by_hand():
    start = {"weight": torch.tensor([1.0, 2.0]).half()}  # as shipped networks are stored
    blend = blend_weights(start, {"weight": torch.tensor([3.0, 0.0])}, 0.75)["weight"]
    torch.testing.assert_close(blend, torch.tensor([2.5, 0.5]))


@pytest.mark.parametrize(
    ("start", "sentence"),
    [
        ({"bias": torch.zeros(2)}, "bias is (2,) in one and missing in the other"),
        ({"weight": torch.zeros(2)}, "weight is (2,) in one and (3,) in the other"),
    ],
)
def test_only_equal_networks_blend(start: dict[str, Tensor], sentence: str):
    trained = {"weight": torch.zeros(3)}
    with pytest.raises(ValueError, match=re.escape(sentence)):
        blend_weights(start, trained, 0.5)
    with pytest.raises(ValueError, match=re.escape(sentence)):
        mean_weights([start, start, trained])


def test_mean_of_three_by_hand():
    networks = [{"weight": torch.tensor(pair)} for pair in ([1.0, 0.0], [2.0, 0.0], [6.0, 3.0])]
    assert mean_weights(networks)["weight"].tolist() == [3.0, 1.0]
