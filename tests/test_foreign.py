"""Other people's networks: real ONNX files, real torch.export programs, real functions."""

# ruff: noqa: E501 -- a sentence under test stays on one line

import io
import json
import operator
import sys
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
import typer
from torch import Tensor, nn
from torch.export import Dim

import srlab.cli
from srlab.data import load_folder
from srlab.foreign import ForeignNetwork, Levels, find_levels, open_network, table_names
from srlab.inference import enlarge_in_tiles
from srlab.models import Bicubic, SrResNet
from srlab.runcard import ModelSpec, UNetSpec
from srlab.scoring import MEASURES, score_models
from srlab.zoo import STAGES, build_model, load_model
from tests.conftest import Command, Srlab

FREE = {2: Dim.AUTO, 3: Dim.AUTO}


def small_net(scale: int = 2) -> nn.Sequential:
    """A network that every format can hold, as no other net would answer."""
    torch.manual_seed(3)
    conv = nn.Conv2d(3, 3 * scale**2, 3, padding=1)
    return nn.Sequential(conv, nn.PixelShuffle(scale), nn.Sigmoid()).eval()


def lr_of(height: int, width: int) -> Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(height))


def refused(
    name: object, scale: int = 2, lr: Tensor | None = None, *, trust: bool = False
) -> str:
    """The one sentence with which a network is refused, at once or with a picture."""
    with pytest.raises((ValueError, TypeError, FileNotFoundError)) as error:
        open_network(str(name), scale, trust=trust)(lr_of(24, 32) if lr is None else lr)
    assert "\n" not in str(error.value)
    return str(error.value)


# -- ONNX ------------------------------------------------------------------------


GRAPH = """<ir_version: 8, opset_import: ["" : 17, "own" : 1]>
net ({given}) => ({answers}) {{
    {first}
    many = Conv <pads = [1, 1, 1, 1]> (lr, weight, bias)
    big = DepthToSpace <blocksize = 2, mode = "CRD"> (many)
    {last}
}}"""


def onnx_model(
    given: str = "float[1, 3, h, w] lr",
    answers: str = "float[1, 3, H, W] sr",
    first: str = "",
    last: str = "sr = Sigmoid (big)",
) -> onnx.ModelProto:
    """The ONNX graph of ``small_net``, or one that differs, in ONNX's own words."""
    text = GRAPH.format(given=given, answers=answers, first=first, last=last)
    model = onnx.parser.parse_model(text)
    kind = model.graph.output[0].type.tensor_type.elem_type
    dtype = onnx.helper.tensor_dtype_to_np_dtype(kind)
    for name, values in zip(("weight", "bias"), small_net()[0].parameters(), strict=True):
        stored = onnx.numpy_helper.from_array(values.detach().numpy().astype(dtype), name)
        model.graph.initializer.append(stored)
    return model


@pytest.fixture
def onnx_file(tmp_path: Path) -> Path:
    onnx.save(onnx_model(), tmp_path / "net.onnx")
    return tmp_path / "net.onnx"


def test_onnx_answers_as_the_module(onnx_file: Path) -> None:
    network = open_network(str(onnx_file), 2)
    for lr in (lr_of(24, 32), lr_of(33, 21), lr_of(7, 5)):
        expected = small_net()(lr).detach()
        torch.testing.assert_close(network(lr), expected, rtol=1e-5, atol=1e-6)


def test_a_half_precision_graph_is_fed_half_precision(tmp_path: Path) -> None:
    model = onnx_model("float16[1, 3, h, w] lr", "float16[1, 3, H, W] sr")
    onnx.save(model, tmp_path / "half.ONNX")
    sr = open_network(str(tmp_path / "half.ONNX"), 2)(lr_of(20, 30))
    assert sr.dtype == torch.float32
    error = (sr - small_net()(lr_of(20, 30))).abs().max()
    assert 1e-6 < error < 2e-3


def test_weights_may_lie_beside_an_onnx_file_and_nowhere_else(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    path = folder / "net.onnx"
    onnx.save(
        onnx_model(), path,
        save_as_external_data=True, location="net.data", size_threshold=0,
    )  # fmt: skip
    expected = small_net()(lr_of(9, 9)).detach()
    torch.testing.assert_close(open_network(str(path), 2)(lr_of(9, 9)), expected)
    (tmp_path / "secret").write_bytes((folder / "net.data").read_bytes())
    for location in ("../secret", str(tmp_path / "secret")):
        moved = onnx.load(path, load_external_data=False)
        for tensor in moved.graph.initializer:
            next(e for e in tensor.external_data if e.key == "location").value = location
        path.write_bytes(moved.SerializeToString())
        message = refused(path)
        assert message.startswith("net.onnx was refused by onnxruntime 1.")
        assert "External data path" in message


@pytest.mark.parametrize(
    ("graph", "sentence"),
    [
        ({"given": "float[1, 3, 24, 32] lr"}, 'takes pictures of 24 x 32 px alone; export it with free sides: torch.onnx.export(net, (lr,), "net.onnx", dynamic_shapes=({2: "h", 3: "w"},), external_data=False).'),
        ({"given": "float[8, 3, h, w] lr"}, "takes a tensor (8, 3, any, any), but one RGB picture (1, 3, h, w) was expected; export it for such."),
        ({"last": "sr = own.Own (big)"}, "own:Own(-1) is not a registered function/op"),
        ({"answers": "float[1, 3, H, W] sr, float[a, b, c, d] big"}, "has 2 outputs (sr, big), but one was expected: lr (1, 3, h, w) in, sr (1, 3, s*h, s*w) out; export it so."),
        ({"given": "float[1, 3, h, w] lr, float[1] noise", "last": "sr = Add (big, noise)"}, "has 2 inputs (lr, noise), but one was expected"),
        ({"given": "uint8[1, 3, h, w] levels", "first": "lr = Cast <to = 1> (levels)"}, "takes tensor(uint8), but floating point in [0, 1] was expected; export it with its conversion inside."),
    ],
)  # fmt: skip
def test_onnx_files_that_do_not_fit(
    graph: dict[str, str], sentence: str, tmp_path: Path
) -> None:
    onnx.save(onnx_model(**graph), tmp_path / "net.onnx")
    said = refused(tmp_path / "net.onnx")
    assert said.startswith("net.onnx ")
    assert sentence in said


def test_a_damaged_onnx_file(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(b"no network")
    message = refused(tmp_path / "net.onnx")
    assert message.startswith("net.onnx was refused by onnxruntime 1.")
    assert message.endswith("; export it again, or update onnxruntime.")


def test_without_onnxruntime(onnx_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    sentence = "net.onnx needs onnxruntime, which is not installed here; install it with pip"
    assert refused(onnx_file) == f'{sentence} install "onnxruntime>=1.24".'


# -- torch.export programs -------------------------------------------------------


def save_program(path: Path, net: nn.Module, example: Tensor | None = None, **how: Any) -> Path:
    example = lr_of(24, 32) if example is None else example
    how = {"dynamic_shapes": (FREE,), **how}
    torch.export.save(torch.export.export(net, (example,), **how), path)
    return path


SPECS = [
    *(ModelSpec(num_features=8, num_blocks=1, doubling=stage) for stage in STAGES),
    UNetSpec(num_features=8, depth=2),
]


@pytest.mark.slow
@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: getattr(spec, "doubling", spec.kind))
def test_a_program_scores_as_the_module(
    spec: ModelSpec | UNetSpec, photo_folder: Path, tmp_path: Path
) -> None:
    torch.manual_seed(1)
    net = build_model(spec, 4).eval()
    for parameter in net.parameters():
        nn.init.normal_(parameter, std=0.05)
    # A UNet pads odd sides, and what was exported with padding runs with padding alone.
    for sizes in (((23, 31), (37, 26), (9, 57)), ((24, 32), (40, 24))):
        path = save_program(tmp_path / "net.pt2", net, lr_of(*sizes[0]))
        network = open_network(str(path), 4, trust=True)
        for size in sizes:
            assert torch.equal(network(lr_of(*size)), net(lr_of(*size)))
    photos, nets = load_folder(photo_folder), {"program": network, "module": net}
    bicubic, program, module = score_models(photos, nets, scale=4)
    assert {**program, "model": "module", "seconds": module["seconds"]} == module
    assert program["psnr_y"] != bicubic["psnr_y"]


def test_a_program_in_half_precision(tmp_path: Path) -> None:
    net = small_net().half()
    path = save_program(tmp_path / "net.pt2", net, lr_of(24, 32).half())
    sr = open_network(str(path), 2, trust=True)(lr_of(20, 30))
    assert sr.dtype == torch.float32
    assert torch.equal(sr, net(lr_of(20, 30).half()).float())


def test_a_program_moves_to_the_device(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SRLAB_DEVICE", "meta")
    network = open_network(str(program), 2, trust=True)
    sr = network.run(lr_of(20, 30))
    assert (sr.device.type, sr.shape) == ("meta", (1, 3, 40, 60))


def test_a_program_of_fixed_size_says_how_to_free_it(tmp_path: Path) -> None:
    net, lr = small_net(), lr_of(24, 32)
    path = save_program(tmp_path / "net.pt2", net, dynamic_shapes=None)
    message = refused(path, trust=True)
    start = "net.pt2 takes pictures of 24 x 32 px alone; export it with free sides: "
    assert message.startswith(start)
    advice = message.removeprefix(start).removesuffix(".")
    program = eval(advice, {"torch": torch, "net": net, "lr": lr})
    torch.export.save(program, path)
    assert open_network(str(path), 2, trust=True)(lr_of(5, 7)).shape == (1, 3, 10, 14)


class Branching(nn.Module):
    """Exporting takes one of its branches, and keeps the condition."""

    def forward(self, lr: Tensor) -> Tensor:
        if lr.shape[-2] % 8 == 0 and lr.shape[-1] > 20:
            return lr.repeat_interleave(2, 2).repeat_interleave(2, 3)
        return torch.zeros(1, 3, 2 * lr.shape[-2], 2 * lr.shape[-1])


def test_conditions_of_an_export_are_kept(tmp_path: Path) -> None:
    path = save_program(tmp_path / "net.pt2", Branching())
    network = open_network(str(path), 2, trust=True)
    assert network(lr_of(40, 33)).shape == (1, 3, 80, 66)
    assert refused(path, lr=lr_of(33, 33), trust=True) == (
        "net.pt2 could not enlarge lr of 33 x 33 px: it was exported for other sides; export it from an example with such sides, or name a function (module:function); it should take any float lr (1, 3, h, w) in [0, 1]."
    )  # fmt: skip


class TwoAnswers(nn.Module):
    def forward(self, lr: Tensor) -> tuple[Tensor, Tensor]:
        return lr, lr + 1


@pytest.mark.parametrize(
    ("net", "examples", "sides", "sentence"),
    [
        (TwoAnswers(), [(1, 3, 24, 32)], FREE, "gave a tuple, but a tensor sr (1, 3, s*h, s*w) was expected; return the enlarged picture itself."),
        (nn.Bilinear(4, 4, 4), [(2, 4), (2, 4)], None, "has 2 inputs (input1, input2), but one was expected: lr (1, 3, h, w) in, sr (1, 3, s*h, s*w) out; export it so."),
        (nn.Conv2d(1, 3, 1), [(1, 1, 24, 32)], FREE, "takes a tensor (1, 1, any, any), but one RGB picture (1, 3, h, w) was expected; export it for such."),
    ],
)  # fmt: skip
def test_programs_that_do_not_fit(
    net: nn.Module, examples: list[tuple[int, ...]], sides: Any, sentence: str, tmp_path: Path
) -> None:
    given = tuple(torch.rand(shape) for shape in examples)
    how = {"dynamic_shapes": sides and (sides,)}
    torch.export.save(torch.export.export(net, given, **how), tmp_path / "net.pt2")
    assert refused(tmp_path / "net.pt2", trust=True) == f"net.pt2 {sentence}"


# -- a program can run code ------------------------------------------------------


def rewrite(path: Path, end: str, change: Callable[[bytes], bytes]) -> None:
    """Change one member of an archive, as an attacker would."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    assert any(name.endswith(end) for name in members)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, change(content) if name.endswith(end) else content)


def change_json(path: Path, end: str, *keys: str | int, to: Any) -> None:
    def change(content: bytes) -> bytes:
        values = json.loads(content)
        inner = values
        for key in keys[:-1]:
            inner = inner[key]
        inner[keys[-1]] = to
        return json.dumps(values).encode()

    rewrite(path, end, change)


class Payload:
    """Unpickling it makes a file."""

    def __init__(self, mark: Path):
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return operator.methodcaller("touch"), (self.mark,)


@pytest.fixture
def program(tmp_path: Path) -> Path:
    return save_program(tmp_path / "net.pt2", small_net())


def torch_save(content: object) -> bytes:
    """As torch.save writes it, with a pickle inside."""
    memory = io.BytesIO()
    torch.save(content, memory)
    return memory.getvalue()


def hide_in_a_pickle(program: Path, mark: Path) -> None:
    rewrite(program, "sample_inputs/model.pt", lambda _: torch_save(Payload(mark)))


def hide_in_a_weight(program: Path, mark: Path) -> None:
    rewrite(program, "weights/weight_0", lambda _: torch_save(Payload(mark)))
    listed = "weights/model_weights_config.json"
    change_json(program, listed, "config", "0.weight", "use_pickle", to=True)


def hide_in_a_guard(program: Path, mark: Path) -> None:
    evil = f"__import__('pathlib').Path({str(mark)!r}).touch()"
    change_json(program, "models/model.json", "guards_code", to=[evil])


NO_TRUST = (
    "net.pt2 was not opened: loading a torch.export program can run code that is hidden in "
    "the file; whoever trusts its author adds --trust; an ONNX file needs no trust."
)


@pytest.mark.parametrize("hide", [hide_in_a_pickle, hide_in_a_weight, hide_in_a_guard])
def test_without_trust_no_program_is_opened(
    hide: Callable[[Path, Path], None], program: Path, tmp_path: Path
) -> None:
    mark = tmp_path / "ran"
    hide(program, mark)
    assert refused(program) == NO_TRUST
    shouted = program.with_name("NET.PT2")
    shouted.write_bytes(program.read_bytes())
    assert refused(shouted) == NO_TRUST.replace("net.pt2", "NET.PT2")
    assert not mark.exists()
    with suppress(ValueError):  # so the hidden code is known to work
        open_network(str(program), 2, trust=True)(lr_of(24, 32))
    assert mark.exists()


def test_a_program_of_a_torch_to_come(program: Path) -> None:
    change_json(program, "models/model.json", "schema_version", "major", to=99)
    message = refused(program, trust=True)
    assert message.startswith(f"net.pt2 was refused by torch {torch.__version__}: ")
    assert "schema version" in message
    assert "major=99" in message


def test_damaged_programs(program: Path, capfd: pytest.CaptureFixture[str]) -> None:
    whole = program.read_bytes()
    for content in (b"no program", whole[:1000], b""):
        program.write_bytes(content)
        require_refusal(program)
    torch.save({"weight": torch.zeros(1)}, program)  # a zip as well
    require_refusal(program)
    program.write_bytes(whole)
    rewrite(program, "weights/weight_0", lambda content: content[:40])  # too few bytes
    require_refusal(program)
    assert capfd.readouterr() == ("", "")  # torch logs whole tracebacks


def require_refusal(program: Path) -> None:
    message = refused(program, trust=True)
    assert message.startswith(f"net.pt2 was refused by torch {torch.__version__}: ")
    assert message.endswith("; export it again, or update torch.")


@pytest.mark.parametrize("ending", ["pt", "pth", "ckpt", "pkl"])
def test_pickles_are_refused(ending: str, tmp_path: Path) -> None:
    assert refused(tmp_path / f"net.{ending}") == (
        f"net.{ending} is a pickle, which can run any code when it is opened; export the network as .onnx or .pt2, or name a function that loads it (module:function)."
    )  # fmt: skip


# -- functions -------------------------------------------------------------------

MODULE = """
import torch
from torch.nn import Conv2d, Dropout, Module, PixelShuffle, Sequential, Upsample

def twice(lr):
    return torch.nn.functional.interpolate(lr, scale_factor=2, mode="nearest")

def broken(lr):
    raise KeyError("conv9")

def stretched(lr):
    return twice(lr)[..., :-1]

class Maker:
    net = Sequential(Upsample(scale_factor=2), Dropout(0.5))

def as_array(lr): return twice(lr).numpy()
def as_bytes(lr): return (twice(lr) * 255).byte()
def as_1000(lr): return 1000 * twice(lr)
def as_nan(lr): return twice(lr) / 0 * 0
def squeezed(lr): return twice(lr)[0]
def four_times(lr): return twice(twice(lr))
number = 3
"""


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a module in the current folder; another one for each test."""
    name = f"mine_{tmp_path.name.rpartition('_')[2]}{abs(hash(tmp_path)) % 10**9}"
    (tmp_path / f"{name}.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    return name


def test_a_function_of_the_current_folder(mine: str) -> None:
    network = open_network(f"{mine}:twice", 2)
    lr = lr_of(6, 5)
    assert torch.equal(network(lr), lr.repeat_interleave(2, 2).repeat_interleave(2, 3))


def test_a_module_with_layers_is_called_in_evaluation(mine: str) -> None:
    network = open_network(f"{mine}:Maker.net", 2)
    lr = lr_of(6, 5)
    expected = lr.repeat_interleave(2, 2).repeat_interleave(2, 3).mul(255).round().byte()[0]
    assert torch.equal(enlarge_in_tiles(network, lr, scale=2), expected)  # no dropout


def test_foreign_networks_see_the_whole_picture() -> None:
    seen = []
    network = ForeignNetwork("seen", lambda lr: seen.append(lr.shape) or Bicubic(2)(lr), 2)
    lr = lr_of(40, 50)
    whole = enlarge_in_tiles(Bicubic(2), lr, scale=2)
    assert torch.equal(enlarge_in_tiles(network, lr, scale=2, tile=8), whole)
    assert seen == [(1, 3, 40, 50)]


@pytest.mark.parametrize(
    ("function", "sentence"),
    [
        ("broken", " could not enlarge lr of 24 x 32 px: KeyError: 'conv9'; it should take any float lr (1, 3, h, w) in [0, 1]."),
        ("as_array", " gave a ndarray, but a tensor sr (1, 3, s*h, s*w) was expected; return the enlarged picture itself."),
        ("as_bytes", " gave torch.uint8, but floating point in [0, 1] was expected; return sr.float() / 255."),
        ("as_1000", " gave values from 0.733 to 1e+03, but about [0, 1] was expected; divide by 255 at its end, or undo its normalization."),
        ("as_nan", " gave values that are no numbers (NaN or infinite), but [0, 1] was expected; does it divide by zero, or overflow in half precision?"),
        ("squeezed", " gave a tensor (3, 48, 64), but one RGB picture (1, 3, s*h, s*w) was expected; return sr with all four axes."),
        ("four_times", " made 96 x 128 px of 24 x 32 px, but 48 x 64 px were expected (x2); score it with --scale 4."),
        ("stretched", " made 48 x 63 px of 24 x 32 px, but 48 x 64 px were expected (x2); do its sides depend on padding?"),
        ("number", " is a int, but a function lr -> sr was expected; name one that returns the enlarged picture."),
    ],
)  # fmt: skip
def test_functions_that_do_not_fit(function: str, sentence: str, mine: str) -> None:
    lr = lr_of(24, 32).clamp(min=0.000733)
    lr[0, 0, 0, 0], lr[0, 0, 0, 1] = 0.000733, 1.0
    assert refused(f"{mine}:{function}", lr=lr) == f"{mine}:{function}{sentence}"


# -- other numbers than [0, 1] ---------------------------------------------------


class Between(nn.Module):
    """A network of ours that works between other numbers."""

    def __init__(self, net: nn.Module, given: tuple[int, int], made: tuple[int, int]):
        super().__init__()
        self.net, self.given, self.made = net, given, made

    def forward(self, lr: Tensor) -> Tensor:
        sr = self.net((lr - self.given[0]) / (self.given[1] - self.given[0]))
        return sr * (self.made[1] - self.made[0]) + self.made[0]


@pytest.mark.parametrize("scale", [2, 8])
@pytest.mark.parametrize(
    ("given", "made", "sentence"),
    [
        ((0, 255), (0, 255), "net.pt2 works in 0 to 255; srlab feeds and reads it so."),
        ((0, 1), (0, 255), "net.pt2 answers in 0 to 255; srlab reads it so."),
    ],
)
def test_a_program_in_0_to_255_is_recognized(
    tmp_path: Path, scale: int, given: tuple[int, int], made: tuple[int, int], sentence: str
) -> None:
    """A real one: fed [0, 1] it would give a picture, 5 dB below bicubic."""
    net = load_model(f"pixel-x{scale}", scale)
    save_program(tmp_path / "net.pt2", Between(net, given, made))
    with pytest.warns(UserWarning, match="0 to 255") as caught:
        network = open_network(str(tmp_path / "net.pt2"), scale, trust=True)
    assert [str(one.message) for one in caught] == [sentence]
    lr = lr_of(24, 32)
    torch.testing.assert_close(network(lr), net(lr).detach(), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("given", "made", "said"),
    [
        ((0, 255), (0, 1), "takes 0 to 255; srlab feeds it so"),
        ((0, 1), (-1, 1), "answers in -1 to 1; srlab reads it so"),
    ],
)
def test_other_levels_are_recognized_where_they_are_plain(
    given: tuple[int, int], made: tuple[int, int], said: str
) -> None:
    network = ForeignNetwork("net", Between(Bicubic(2), given, made), 2)
    with pytest.warns(UserWarning, match=f"^net {said}"):
        find_levels(network)
    torch.testing.assert_close(network(lr_of(9, 9)), Bicubic(2)(lr_of(9, 9)))


@pytest.mark.parametrize(
    "name", ["small-x2", "perceptual-x4", "pixel-x8", "unet-x4", "bicubic"]
)
def test_networks_in_0_to_1_stay_there(name: str, recwarn: pytest.WarningsRecorder) -> None:
    scale = int(name[-1]) if name[-1].isdigit() else 2
    network = find_levels(ForeignNetwork(name, load_model(name, scale), scale))
    assert network.levels == Levels()
    assert not recwarn.list


def test_where_nothing_is_sure_both_figures_are_said() -> None:
    """Noise upon bicubic, whose size does not depend on the picture."""

    class Noisy(nn.Module):
        def forward(self, lr: Tensor) -> Tensor:
            sr = Bicubic(2)(lr)
            noise = torch.randn(sr.shape, generator=torch.Generator().manual_seed(0))
            return sr + 0.05 * noise

    network = ForeignNetwork("net", Noisy(), 2)
    said = (
        r"^net comes within 2\d\.\d dB of a photograph, but within \d\d\.\d dB if it works in 0"
    )
    with pytest.warns(UserWarning, match=said):
        find_levels(network)
    assert network.levels == Levels()


def test_functions_that_are_not_there(mine: str, tmp_path: Path) -> None:
    message = refused(f"{mine}:twcie")
    start = f"{mine} ({tmp_path / mine}.py) has no function twcie; there are twice, broken"
    assert message.startswith(start)
    assert "Conv2d" not in message


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("nowhere.at_all", "", "There is no module nowhere.at_all here; call srlab in the folder of nowhere.py, or install it."),
        ("mine_a", "import not_installed_here", "The module mine_a could not be imported: ModuleNotFoundError: No module named 'not_installed_here'; try python -c 'import mine_a'."),
        ("mine_b", "x = 1 / 0", "The module mine_b could not be imported: ZeroDivisionError: division by zero; try python -c 'import mine_b'."),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("mine")
def test_modules_that_cannot_be_imported(
    name: str, text: str, sentence: str, tmp_path: Path
) -> None:
    (tmp_path / f"{name}.py").write_text(text)
    assert refused(f"{name}:net") == sentence


def test_a_function_of_an_installed_module() -> None:
    network = open_network("torch.nn.functional:pixel_shuffle", 2)
    assert network.run is nn.functional.pixel_shuffle


# -- names, and the command ------------------------------------------------------


def test_two_of_one_name_keep_different_names() -> None:
    same = ["a/net.onnx", "b/net.pt2", "small-x4", "m/bicubic.pt2"]
    named = table_names([*same, "mine:tiny", "mine:tiny"])
    assert named == {**dict(zip(same, same, strict=True)), "tiny": "mine:tiny"}


def test_shipped_models_and_checkpoints_are_opened_as_before(checkpoint: Path) -> None:
    assert isinstance(open_network(str(checkpoint), 4), SrResNet)
    assert isinstance(open_network("bicubic", 2), Bicubic)
    assert refused("small-x5").startswith("There is no model 'small-x5'; there are bicubic, ")


@pytest.mark.parametrize("ending", ["onnx", "pt2"])
def test_a_file_that_is_not_there(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"net.{ending}"
    assert refused(path) == f"{path} is no file; give the path of a network."


@pytest.mark.slow
def test_score_takes_all_of_them(
    command: Command, photo_folder: Path, mine: str, tmp_path: Path
) -> None:
    net = small_net()
    onnx.save(onnx_model(), tmp_path / "first.onnx")
    save_program(tmp_path / "second.pt2", net)
    models = ("first.onnx", "second.pt2", f"{mine}:twice", f"{mine}:in_255")
    with (tmp_path / f"{mine}.py").open("a") as file:
        file.write(
            "from srlab.zoo import load_model\n"
            "net = load_model('small-x2', 2)\n"
            "def in_255(lr): return 255 * net(lr / 255)\n"
        )
    options = [part for model in models for part in ("--model", model)]
    args = ("score", photo_folder, "--scale", 2, *options, "--json")
    result = command(*args, cwd=tmp_path)
    refusal = f"srlab: {NO_TRUST.replace('net.pt2', 'second.pt2')}\n"
    assert (result.returncode, result.stdout, result.stderr) == (2, "", refusal)
    result = command(*args, "--trust", cwd=tmp_path)
    said = f"srlab: {mine}:in_255 works in 0 to 255; srlab feeds and reads it so.\n"
    assert (result.returncode, result.stderr) == (0, said)
    rows = json.loads(result.stdout)
    names = ["bicubic", "first", "second", "twice", "in_255"]
    assert [row["model"] for row in rows] == names
    nets = {"a": net, "b": nn.Upsample(scale_factor=2), "c": load_model("small-x2", 2)}
    direct = score_models(load_folder(photo_folder), nets, scale=2)
    for row, own in zip(rows, [direct[i] for i in (0, 1, 1, 2, 3)], strict=True):
        for figure in MEASURES:
            assert row[figure] == pytest.approx(own[figure], rel=1e-4), (row["model"], figure)


def test_score_refuses_in_one_line(run: Srlab, photo_folder: Path, mine: str) -> None:
    said = run.refused("score", photo_folder, "--scale", 2, "--model", f"{mine}:four_times")
    assert said.startswith(f"cat.png: {mine}:four_times made 192 x 256 px of 48 x 64 px, but")


def test_help_says_what_trust_means() -> None:
    score = typer.main.get_command(srlab.cli.app).commands["score"]
    (text,) = (option.help for option in score.params if option.name == "trust")
    assert text.lower() in NO_TRUST.lower()
