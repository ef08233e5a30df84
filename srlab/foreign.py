"""Other people's networks in our tables: ONNX, ``torch.export``, Python functions."""

import importlib
import logging
import math
import operator
import os
import re
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from srlab.data import degrade, embedded_photo
from srlab.files import at_home
from srlab.images import to_bytes
from srlab.inference import enlarge_in_tiles
from srlab.machine import pick_device
from srlab.metrics import psnr
from srlab.models import Bicubic
from srlab.require import require_scale
from srlab.zoo import load_model

Enlarge = Callable[[Tensor], Any]
"""lr -> sr, float ``(1, 3, h, w)`` -> ``(1, 3, s*h, s*w)``."""

FUNCTION = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")
PICKLES = frozenset({".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".bin"})
ONNX_TYPES = {
    "tensor(float)": torch.float32,
    "tensor(float16)": torch.float16,
    "tensor(double)": torch.float64,
}
DYNAMIC_ONNX = (
    'torch.onnx.export(net, (lr,), "net.onnx", '
    'dynamic_shapes=({2: "h", 3: "w"},), external_data=False)'
)
DYNAMIC_PROGRAM = (
    "torch.export.export(net, (lr,), "
    "dynamic_shapes=({2: torch.export.Dim.AUTO, 3: torch.export.Dim.AUTO},))"
)


Range = tuple[float, float]
"""What black and white are."""

UNIT: Range = (0, 1)
BYTES: Range = (0, 255)
SIGNED: Range = (-1, 1)


@dataclass(frozen=True)
class Levels:
    """Between which numbers a network takes its pictures and gives them."""

    given: Range = UNIT
    made: Range = UNIT

    def feed(self, lr: Tensor) -> Tensor:
        """[0, 1] -> the network's."""
        black, white = self.given
        return lr if self.given == UNIT else lr * (white - black) + black

    def read(self, sr: Tensor) -> Tensor:
        """The network's -> [0, 1]."""
        black, white = self.made
        return (sr.float() - black) / (white - black)

    def describe(self) -> str:
        given, made = ("{} to {}".format(*levels) for levels in (self.given, self.made))
        if self.made == UNIT:
            return f"takes {given}; srlab feeds it so."
        if self.given == UNIT:
            return f"answers in {made}; srlab reads it so."
        return f"works in {given}; srlab feeds and reads it so."


OTHER_LEVELS = (
    Levels(BYTES, BYTES), Levels(UNIT, BYTES), Levels(BYTES, UNIT),
    Levels(SIGNED, SIGNED), Levels(UNIT, SIGNED),
)  # fmt: skip
PROBE = 32  # px of lr
ALIKE = 20.0  # dB between an enlarged photograph and bicubic's: the same picture
CLEARLY = 1.0  # dB nearer to the truth, so that it is no chance
BETTER = 0.1  # dB above bicubic, which only a trained network is


class ForeignNetwork(nn.Module):
    """Somebody else's network, whose every answer is looked at.

    How far it sees is unknown. So its ``reach`` is infinite, and pictures are
    enlarged whole: tiles would change its figures. The memory it needs grows
    with the picture.

    Args:
        name: for the messages.
        run: lr -> sr. A module is called in evaluation, on its own device and
            in its own type.
        scale: what it is expected to enlarge.

    Attributes:
        levels: between which numbers it works; [0, 1] at first.
    """

    reach = math.inf

    def __init__(self, name: str, run: Enlarge, scale: int):
        require_scale(scale)
        super().__init__()
        self.name, self.run, self.scale, self.levels = name, run, scale, Levels()

    def forward(self, lr: Tensor) -> Tensor:
        try:
            sr = self.run(self.levels.feed(lr))
        except Exception as error:  # it may raise whatever it likes
            raise ValueError(
                f"{self.name} could not enlarge lr of {lr.shape[-2]} x {lr.shape[-1]} px: "
                f"{_first_line(error)}; it should take any float lr (1, 3, h, w) in [0, 1]."
            ) from error
        _require_picture(sr, self.name)
        _require_scale_of(sr, lr, self.scale, self.name)
        sr = self.levels.read(sr)
        _require_range(sr, self.name)
        return sr


def open_network(name: str, scale: int, *, trust: bool = False) -> nn.Module:
    """A network by any name that ``srlab score`` takes.

    Args:
        name: a shipped model, a checkpoint (``.safetensors``), an ONNX file
            (``.onnx``), a saved ``torch.export`` program (``.pt2``), or a
            Python callable as ``module:function``, which takes lr and returns
            sr; its module is imported, and so run.
        scale: 2, 4 or 8.
        trust: load a program, too, which can run code hidden in its file.

    Returns:
        lr -> sr; what is not srlab's own as a ``ForeignNetwork``. One that
        works in 0 to 255, or in -1 to 1, is recognized, with a warning.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is not trusted, cannot be opened or does not take
            pictures.
    """
    require_scale(scale)
    path = at_home(name)
    ending = path.suffix.lower()
    if ending in PICKLES:
        raise ValueError(
            f"{path.name} is a pickle, which can run any code when it is opened; export the "
            f"network as .onnx or .pt2, or name a function that loads it (module:function)."
        )
    if ending in OPENERS:
        if not path.is_file():
            raise FileNotFoundError(f"{name} is no file; give the path of a network.")
        if ending == ".pt2" and not trust:
            raise ValueError(
                f"{path.name} was not opened: loading a torch.export program can run code that "
                f"is hidden in the file; whoever trusts its author adds --trust; an ONNX file "
                f"needs no trust."
            )
        return find_levels(ForeignNetwork(path.name, OPENERS[ending](path), scale))
    if FUNCTION.fullmatch(name):
        return find_levels(ForeignNetwork(name, _find_function(name), scale))
    return load_model(name, scale)


def open_networks(
    names: Iterable[str], scale: int, *, trust: bool = False
) -> dict[str, nn.Module]:
    """The networks of a table, by their short names; bicubic is in every table anyway."""
    named = table_names(name for name in names if name != "bicubic")
    return {short: open_network(name, scale, trust=trust) for short, name in named.items()}


def find_levels(network: ForeignNetwork) -> ForeignNetwork:
    """Find out between which numbers a network works, on a small photograph.

    Where it beats bicubic in [0, 1], it works there. Otherwise 0 to 255 and
    -1 to 1 are tried: it works where it comes clearly nearer to the truth, if
    it beats bicubic there, or if its answer in [0, 1] is no such picture at
    all. What is not sure is not changed, but a warning has both figures.

    Returns:
        The network itself, with its levels set.
    """
    plain, scale = network.levels, network.scale
    hr = embedded_photo("chelsea-cat")[..., : PROBE * scale, : PROBE * scale]
    lr, truth = degrade(hr, scale), to_bytes(hr)[0]
    bicubic = enlarge_in_tiles(Bicubic(scale), lr, scale=scale)
    goal = _likeness(bicubic, truth) + BETTER
    found = {plain: _try_levels(network, lr, plain)}
    if _likeness(found[plain], truth) < goal:
        found |= {levels: _try_levels(network, lr, levels) for levels in OTHER_LEVELS}
    right = {levels: _likeness(sr, truth) for levels, sr in found.items()}
    best = max(right, key=lambda levels: right[levels])
    alike = _likeness(found[best], bicubic) >= ALIKE
    if best == plain or right[best] < right[plain] + CLEARLY or not alike:
        return network
    if right[best] >= goal or _likeness(found[plain], bicubic) < ALIKE:
        network.levels = best
        said = f"{network.name} {best.describe()}"
    else:
        said = (
            f"{network.name} comes within {right[plain]:.1f} dB of a photograph, but within "
            f"{right[best]:.1f} dB if it {best.describe().split(';')[0]}; if it was trained "
            f"so, score a function that feeds and reads it so (module:function)."
        )
    warnings.warn(said, stacklevel=3)
    return network


def _try_levels(network: ForeignNetwork, lr: Tensor, levels: Levels) -> Tensor | None:
    """The enlarged picture, uint8 ``(3, h, w)``; None if there is none."""
    before, network.levels = network.levels, levels
    try:
        return enlarge_in_tiles(network, lr, scale=network.scale)
    except Exception:  # what is wrong with it, the first real picture will say
        return None
    finally:
        network.levels = before


def _likeness(sr: Tensor | None, other: Tensor) -> float:
    """PSNR in dB between two pictures as bytes."""
    if sr is None:
        return -math.inf
    return psnr(sr[None].float(), other[None].float(), data_range=255).item()


def table_names(models: Iterable[str]) -> dict[str, str]:
    """Short names for a table -> what was asked for, each once.

    A file goes by its stem, a function by its own name; where two would be
    called the same, both keep what was asked for.

    Example:
        >>> table_names(["a/net.onnx", "my.nets:tiny", "pixel-x4"])
        {'net': 'a/net.onnx', 'tiny': 'my.nets:tiny', 'pixel-x4': 'pixel-x4'}
    """
    asked = dict.fromkeys(models)
    counts = Counter(["bicubic", *map(_short_name, asked)])
    return {short if counts[short := _short_name(m)] == 1 else m: m for m in asked}


def _short_name(model: str) -> str:
    if Path(model).suffix.lower() in OPENERS:
        return Path(model).stem
    return model.rpartition(":")[2] if FUNCTION.fullmatch(model) else model


def _find_function(name: str) -> Enlarge:
    """Import ``module:function``, also from the current folder."""
    module_name, _, function = name.partition(":")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())  # as `python -m` does
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # a module may raise whatever it likes
        raise _failed_import(module_name, error) from error
    try:
        found = operator.attrgetter(function)(module)
    except AttributeError:
        own = [
            name for name, value in vars(module).items()
            if callable(value) and getattr(value, "__module__", None) == module_name
        ]  # fmt: skip
        raise ValueError(
            f"{module_name} ({getattr(module, '__file__', 'built in')}) has no function "
            f"{function}; there are {', '.join(own) or 'none'}."
        ) from None
    if not callable(found):
        raise ValueError(
            f"{name} is a {type(found).__name__}, but a function lr -> sr was expected; "
            f"name one that returns the enlarged picture."
        )
    return found


def _failed_import(module: str, error: Exception) -> ValueError:
    missing = error.name if isinstance(error, ModuleNotFoundError) else None
    if missing and f"{module}.".startswith(f"{missing}."):
        return ValueError(
            f"There is no module {module} here; call srlab in the folder of "
            f"{module.partition('.')[0]}.py, or install it."
        )
    return ValueError(
        f"The module {module} could not be imported: {_first_line(error)}; "
        f"try python -c 'import {module}'."
    )


def _open_program(path: Path) -> Enlarge:
    """A saved ``torch.export`` program; loading it can run code of the file."""
    from torch.export.passes import move_to_device_pass

    program, device = _load_program(path), pick_device()
    names, nodes = program.graph_signature.user_inputs, program.graph.nodes
    given = _require_one([node for node in nodes if node.name in names], "input", path.name)
    dtype, shape = given.meta["val"].dtype, given.meta["val"].shape
    _require_input(dtype, shape, path.name, DYNAMIC_PROGRAM)
    module = move_to_device_pass(program, str(device)).module()

    def run(lr: Tensor) -> Any:  # a function, since the module refuses eval()
        try:
            return module(lr.to(device, dtype))
        except AssertionError as error:  # torch's guards
            raise ValueError(
                "it was exported for other sides; export it from an example with such sides, "
                "or name a function (module:function)"
            ) from error

    return run


def _load_program(path: Path) -> Any:
    """Load it; why torch cannot, it says in its log alone."""
    reasons: list[Any] = []

    def keep(record: logging.LogRecord) -> bool:
        reasons.extend((record.exc_info or ())[1:2])
        return False

    log = logging.getLogger("torch.export")
    log.addFilter(keep)
    try:
        with path.open("rb") as file:
            return torch.export.load(file)
    except Exception as error:  # its errors have no class in common
        raise _refused(path, torch, next(iter(reasons), error)) from error
    finally:
        log.removeFilter(keep)


def _open_onnx(path: Path) -> Enlarge:
    """An ONNX file, run by onnxruntime on the CPU.

    The file is a list of known operations and holds no code. Weights may lie
    in a file beside it; onnxruntime refuses those outside its folder.
    """
    session = _session(path)
    given = _require_one(session.get_inputs(), "input", path.name)
    answer = _require_one(session.get_outputs(), "output", path.name)
    dtype = ONNX_TYPES.get(given.type)
    _require_input(dtype or given.type, given.shape, path.name, DYNAMIC_ONNX)

    def run(lr: Tensor) -> Tensor:
        array = lr.to("cpu", dtype).contiguous().numpy()
        return torch.from_numpy(session.run([answer.name], {given.name: array})[0])

    return run


def _session(path: Path) -> Any:
    try:
        import onnxruntime
    except ImportError:
        raise ValueError(
            f"{path.name} needs onnxruntime, which is not installed here; "
            f'install it with pip install "onnxruntime>=1.24".'
        ) from None
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what goes wrong is raised as well
    options.intra_op_num_threads = torch.get_num_threads()
    try:
        return onnxruntime.InferenceSession(path, options, ["CPUExecutionProvider"])
    except Exception as error:  # its errors have no class in common
        raise _refused(path, onnxruntime, error) from error


def _refused(path: Path, library: Any, error: Exception) -> ValueError:
    return ValueError(
        f"{path.name} was refused by {library.__name__} {library.__version__}: "
        f"{_first_line(error)}; export it again, or update {library.__name__}."
    )


def _require_one(found: Sequence[Any], kind: str, name: str) -> Any:
    if len(found) != 1:
        raise ValueError(
            f"{name} has {len(found)} {kind}s ({', '.join(one.name for one in found)}), but "
            f"one was expected: lr (1, 3, h, w) in, sr (1, 3, s*h, s*w) out; export it so."
        )
    return found[0]


def _require_input(
    dtype: torch.dtype | str, shape: Iterable[object], name: str, how: str
) -> None:
    """Raise unless one RGB picture of any size may go in."""
    if not (isinstance(dtype, torch.dtype) and dtype.is_floating_point):
        raise ValueError(
            f"{name} takes {dtype}, but floating point in [0, 1] was expected; "
            f"export it with its conversion inside."
        )
    wanted = tuple(side if isinstance(side, int) else "any" for side in shape)
    if len(wanted) != 4 or wanted[0] not in (1, "any") or wanted[1] not in (3, "any"):
        written = str(wanted).replace("'", "")
        raise ValueError(
            f"{name} takes a tensor {written}, but one RGB picture (1, 3, h, w) was "
            f"expected; export it for such."
        )
    if wanted[2:] != ("any", "any"):
        raise ValueError(
            f"{name} takes pictures of {wanted[2]} x {wanted[3]} px alone; export it with "
            f"free sides: {how}."
        )


def _require_picture(sr: object, name: str) -> None:
    if not isinstance(sr, Tensor):
        raise TypeError(
            f"{name} gave a {type(sr).__name__}, but a tensor sr (1, 3, s*h, s*w) was "
            f"expected; return the enlarged picture itself."
        )
    if not sr.is_floating_point():
        raise TypeError(
            f"{name} gave {sr.dtype}, but floating point in [0, 1] was expected; return "
            f"sr.float() / 255."
        )
    if sr.ndim != 4 or sr.shape[:2] != (1, 3) or not sr.numel():
        raise ValueError(
            f"{name} gave a tensor {tuple(sr.shape)}, but one RGB picture "
            f"(1, 3, s*h, s*w) was expected; return sr with all four axes."
        )


def _require_scale_of(sr: Tensor, lr: Tensor, scale: int, name: str) -> None:
    (height, width), (made, wide) = lr.shape[-2:], sr.shape[-2:]
    if (made, wide) == (height * scale, width * scale):
        return
    own = made // height
    fits = own > 1 and (made, wide) == (height * own, width * own)
    fix = f"score it with --scale {own}." if fits else "do its sides depend on padding?"
    raise ValueError(
        f"{name} made {made} x {wide} px of {height} x {width} px, but "
        f"{height * scale} x {width * scale} px were expected (x{scale}); {fix}"
    )


def _require_range(sr: Tensor, name: str) -> None:
    low, high = (value.item() for value in torch.aminmax(sr.detach()))
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ValueError(
            f"{name} gave values that are no numbers (NaN or infinite), but [0, 1] was "
            f"expected; does it divide by zero, or overflow in half precision?"
        )
    if not -1 <= low <= high <= 2:  # networks overshoot a little
        raise ValueError(
            f"{name} gave values from {low:.3g} to {high:.3g}, but about [0, 1] was "
            f"expected; divide by 255 at its end, or undo its normalization."
        )


def _first_line(error: Exception) -> str:
    """An error of somebody else's code, in one short line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = lines[0][:300].rstrip(".") if lines else ""
    return said if type(error) is ValueError else f"{type(error).__name__}: {said}"


OPENERS: dict[str, Callable[[Path], Enlarge]] = {".onnx": _open_onnx, ".pt2": _open_program}
"""A file's ending -> what opens it."""
