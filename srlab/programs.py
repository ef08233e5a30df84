"""Saved ``torch.export`` programs, run without loading any code.

``torch.export.load`` unpickles, and evaluates texts of the file as Python: whoever
wrote a file could run anything. A program is a list of tensor operations in JSON with
raw weights beside it, so here the list is read as data and only torch's own tensor
operations are called. Pickles in the file are never opened.
"""

import ast
import json
import math
import operator
import re
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from srlab.machine import pick_device

Plain = Mapping[str, Any]
"""A JSON object."""

FORMAT = 8
"""Of the JSON: torch's schema, the number before the point."""

IN_A_PICKLE = ("serialized_exported_program.json", "data/weights/model.pt")
"""How a file is known that was written before weights were kept as raw bytes."""

DAMAGE = (
    zipfile.BadZipFile, json.JSONDecodeError, UnicodeDecodeError, StopIteration,
    KeyError, IndexError, TypeError, AttributeError, RuntimeError, EOFError,
)  # fmt: skip
"""What reading raises where a file is not as torch writes it."""

# torch's schema counts these so; its names for them are private.
DTYPES = dict(enumerate(
    (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64,
     torch.float16, torch.float32, torch.float64), 1,
)) | {12: torch.bool, 13: torch.bfloat16}  # fmt: skip
MEMORY_FORMATS = {
    1: torch.contiguous_format,
    2: torch.channels_last,
    4: torch.preserve_format,
}

ARITHMETIC = (
    "add", "sub", "mul", "floordiv", "truediv", "mod", "neg", "pow",
    "eq", "ne", "lt", "le", "gt", "ge", "and_", "or_", "not_",
)  # fmt: skip
NUMBERS: dict[str, Callable[..., Any]] = {
    **{f"_operator.{name}": getattr(operator, name) for name in ARITHMETIC},
    **{f"math.{name}": getattr(math, name) for name in ("ceil", "floor", "trunc", "sqrt")},
    "torch.sym_max": max,
    "torch.sym_min": min,
    "torch.sym_int": int,
    "torch.sym_float": float,
    "torch.sym_not": operator.not_,
    "torch.sym_ite": lambda condition, yes, no: yes if condition else no,
}
"""What a program may compute with sizes, beside its tensor operations."""

SIGNS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv, ast.Div: operator.truediv, ast.Mod: operator.mod,
    ast.USub: operator.neg, ast.Not: operator.not_, ast.Eq: operator.eq,
    ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le,
    ast.Gt: operator.gt, ast.GtE: operator.ge, ast.And: min, ast.Or: max,
}  # fmt: skip

SIZE = re.compile(r"L(?:\['\w+'\]|\[\d+\])+\.size\(\)\[(\d)\]")
SYMBOL = re.compile(r"(?:Mul\(Integer\((\d+)\), )?Symbol\('(\w+)'(?:, \w+=\w+)*\)+")


class SavedProgram:
    """A program from ``torch.export.save``: tensor -> tensor.

    Args:
        path: a ``.pt2`` file.

    Raises:
        ValueError: if it is no such file, was written by a torch too old or
            too new, holds a pickle that would be needed, or is not a function
            of one tensor that gives one tensor.

    Source: built by srlab, since ``torch.export.load`` may run code of the
    file. It differs from it in the device: weights and constants move to the
    one that ``srlab.machine.pick_device`` names.
    """

    def __init__(self, path: Path):
        self.device = pick_device()
        try:
            self._understand(*_read(path))
        except DAMAGE as error:
            raise ValueError(
                f"{path.name} is damaged or not a program of torch.export.save "
                f"({type(error).__name__}); save it again: "
                f"torch.export.save(torch.export.export(net, ...), {path.name!r})."
            ) from error
        except ValueError as error:
            raise ValueError(f"{path.name} {error}") from None

    def _understand(self, model: Plain, tensors: dict[str, Tensor]) -> None:
        self.graph: Plain = model["graph_module"]["graph"]
        self.guards: list[str] = model["guards_code"]
        self.ranges: Plain = model["range_constraints"]
        signature = model["graph_module"]["signature"]
        self.input = _user_input(signature["input_specs"])
        _require_one_answer(signature["output_specs"])
        self.weights = {
            name: tensors[key].to(self.device)
            for name, key in _weight_names(signature["input_specs"]).items()
        }
        about = self.graph["tensor_values"][self.input]
        self.dtype = DTYPES[about["dtype"]]
        self.sizes: list[Plain] = about["sizes"]
        _require_operations(self.graph)

    @property
    def shape(self) -> list[int | None]:
        """The input's shape; None stands for a side that may be any."""
        return [size.get("as_int") for size in self.sizes]

    def __call__(self, lr: Tensor) -> Tensor:
        self._require_allowed(lr)
        values = {**self.weights, self.input: lr.to(self.device, self.dtype)}
        return _evaluate(self.graph, values, self.device)[0]

    def _require_allowed(self, lr: Tensor) -> None:
        """Raise unless the program was exported for such sides.

        The operations of others may differ: exporting takes one branch.
        """
        sides = [*zip(lr.shape, self.sizes, strict=True)]
        known = dict(found for size, about in sides if (found := _symbol(size, about)))
        for size, about in sides:
            found = _symbol(size, about)
            if found and not (known[found[0]] == found[1] and self._in_range(*found)):
                raise ValueError(f"it was exported for other sides than {size} px")
        for guard in self.guards:
            if not _holds(guard, lr.shape):
                raise ValueError(
                    f"it was exported for sides with {_readable(guard)}; export it from an "
                    f"example with such sides, or name a function (module:function)"
                )

    def _in_range(self, symbol: str, value: float) -> bool:
        limits = self.ranges.get(symbol, {})
        low, high = limits.get("min_val"), limits.get("max_val")
        return (
            value == int(value)
            and (low is None or low <= max(value, 2))  # torch notes 2 for "any"
            and (high is None or value <= high)
        )


# -- reading ---------------------------------------------------------------------


def _read(path: Path) -> tuple[Plain, dict[str, Tensor]]:
    """The program as plain JSON values, and its named tensors."""
    with zipfile.ZipFile(path) as archive:
        root = _root(archive.namelist())
        model = json.loads(archive.read(f"{root}models/model.json"))
        _require_format(model)
        tensors: dict[str, Tensor] = {}
        for kind in ("weights", "constants"):
            tensors |= _tensors(archive, f"{root}data/{kind}/", kind)
    return model, tensors


def _root(names: list[str]) -> str:
    """The folder inside the archive in which everything lies."""
    if any(name.endswith(IN_A_PICKLE) for name in names):
        raise ValueError(
            "was saved by an old torch with its weights in a pickle, which srlab never "
            "opens; save it again with torch 2.10 or newer."
        )
    return next(n for n in names if n.endswith("models/model.json"))[
        : -len("models/model.json")
    ]


def _require_format(model: Plain) -> None:
    major = model["schema_version"]["major"]
    if major != FORMAT or "guards_code" not in model:
        raise ValueError(
            f"was saved by torch {model.get('torch_version', '')} in format {major}, but srlab "
            f"reads format {FORMAT}; export it again with torch {torch.__version__}."
        )


def _tensors(archive: zipfile.ZipFile, folder: str, kind: str) -> dict[str, Tensor]:
    """The tensors that one list in the archive names."""
    listed = json.loads(archive.read(f"{folder}model_{kind}_config.json"))["config"]
    return {key: _tensor(archive, folder, about) for key, about in listed.items()}


def _tensor(archive: zipfile.ZipFile, folder: str, about: Plain) -> Tensor:
    """One tensor out of its raw bytes."""
    meta = about["tensor_meta"]
    if about["use_pickle"] or meta is None:
        raise ValueError(
            f"keeps {about['path_name']} in a pickle, which srlab never opens; export a "
            f"network of plain tensors."
        )
    raw = bytearray(archive.read(folder + about["path_name"]))
    dtype = DTYPES[meta["dtype"]]
    flat = torch.frombuffer(raw, dtype=dtype) if raw else torch.empty(0, dtype=dtype)
    sizes, strides = ([n["as_int"] for n in meta[key]] for key in ("sizes", "strides"))
    return flat.as_strided(sizes, strides, meta["storage_offset"]["as_int"])


def _user_input(specs: list[Plain]) -> str:
    """The name of the one tensor that goes in."""
    inputs = [spec["user_input"]["arg"] for spec in specs if "user_input" in spec]
    if len(inputs) != 1 or "as_tensor" not in inputs[0]:
        raise ValueError(
            f"takes {len(inputs)} inputs, but one tensor lr (1, 3, h, w) was expected; "
            f"export a network that asks for nothing else."
        )
    return inputs[0]["as_tensor"]["name"]


def _require_one_answer(specs: list[Plain]) -> None:
    kinds = [kind for spec in specs for kind in spec]
    if "buffer_mutation" in kinds:
        raise ValueError(
            "changes its own buffers when it runs; export a network that keeps nothing."
        )
    if kinds != ["user_output"] or "as_tensor" not in specs[0]["user_output"]["arg"]:
        raise ValueError(
            f"gives {len(kinds)} outputs, but one tensor sr (1, 3, s*h, s*w) was expected; "
            f"export a network that returns the picture alone."
        )


def _weight_names(specs: list[Plain]) -> dict[str, str]:
    """Name in the graph -> name in the lists of tensors."""
    names: dict[str, str] = {}
    for spec in specs:
        ((kind, about),) = spec.items()
        if kind in ("parameter", "buffer", "tensor_constant"):
            names[about["arg"]["name"]] = about[f"{kind}_name"]
        elif kind != "user_input":
            raise ValueError(
                f"needs a {kind}, but srlab gives tensors only; export it without."
            )
    return names


# -- sides -----------------------------------------------------------------------


def _symbol(size: int, about: Plain) -> tuple[str, float] | None:
    """The symbol that stands for a side, and its value if the side is ``size``."""
    if "as_int" in about:
        return None
    text = about["as_expr"]["expr_str"]
    found = SYMBOL.fullmatch(text)
    if not found:
        raise ValueError(f"its sides follow the rule {text}, which srlab does not know")
    return found[2], size / int(found[1] or 1)


def _holds(guard: str, shape: torch.Size) -> bool:
    """Whether a condition on the input's sides is true."""
    text = SIZE.sub(lambda found: str(shape[int(found[1])]), guard)
    return bool(_value(ast.parse(text, mode="eval").body))


def _readable(guard: str) -> str:
    """A condition with h and w in it, cut if it is long."""
    text = SIZE.sub(lambda found: "nchw"[int(found[1])], guard)
    return text if len(text) < 80 else f"{text[:76]} ..."


def _value(node: ast.expr) -> Any:
    """Arithmetic on numbers, and nothing else."""
    match node:
        case ast.Constant(value=bool() | int() | float() as number):
            return number
        case ast.UnaryOp(op=sign, operand=one) if type(sign) in SIGNS:
            return SIGNS[type(sign)](_value(one))
        case ast.BinOp(left=one, op=sign, right=other) if type(sign) in SIGNS:
            return SIGNS[type(sign)](_value(one), _value(other))
        case ast.Compare(left=one, ops=[sign], comparators=[other]) if type(sign) in SIGNS:
            return SIGNS[type(sign)](_value(one), _value(other))
        case ast.BoolOp(op=sign, values=values):
            return SIGNS[type(sign)](map(_value, values))
        case ast.Call(func=func, args=values) if ast.unparse(func) in NUMBERS:
            return NUMBERS[ast.unparse(func)](*map(_value, values))
    raise ValueError(f"it was exported with a condition unknown to srlab: {ast.unparse(node)}")


# -- running ---------------------------------------------------------------------

NO_GRAD = "torch.ops.higher_order.wrap_with_set_grad_enabled"
TRAINING, ON = ("train", "training"), {"as_bool": True}  # of dropout, batch normalization


def _require_operations(graph: Plain) -> None:
    """Raise unless the graph, and each in it, calls only what may be called."""
    for node in graph["nodes"]:
        if node["target"] == NO_GRAD:
            _require_operations(node["inputs"][1]["arg"]["as_graph"]["graph"])
            continue
        _operation(node["target"])
        if any(given["name"] in TRAINING and given["arg"] == ON for given in node["inputs"]):
            raise ValueError(
                f"was exported in training ({node['target']}), so that it changes from "
                f"picture to picture; call net.eval() before you export it."
            )


def _operation(target: str) -> Callable[..., Any]:
    """What a node calls: one of torch's tensor operations, or arithmetic on sizes."""
    if target in NUMBERS:
        return NUMBERS[target]
    found = re.fullmatch(r"torch\.ops\.aten\.(\w+)\.(\w+)", target)
    packet = getattr(torch.ops.aten, found[1], None) if found else None
    called = getattr(packet, found[2], None) if found else None
    if not isinstance(called, torch._ops.OpOverload) or _touches_files(called):
        raise ValueError(
            f"calls {target}, but srlab calls the tensor operations of torch "
            f"{torch.__version__} alone; export it without, or name a function "
            f"(module:function)."
        )
    return called


def _touches_files(called: torch._ops.OpOverload) -> bool:
    return any(argument.name == "filename" for argument in called._schema.arguments)


def _evaluate(graph: Plain, values: dict[str, Any], device: torch.device) -> list[Any]:
    """Run the nodes one after the other; what nobody needs any more is freed."""
    last = _last_uses(graph)
    for node, done in zip(graph["nodes"], last, strict=True):
        _bind(node["outputs"], _call(node, values, device), values)
        for name in done:
            values.pop(name, None)
    return [_resolve(output, values, device) for output in graph["outputs"]]


def _call(node: Plain, values: dict[str, Any], device: torch.device) -> Any:
    if node["target"] == NO_GRAD:  # nothing here has a gradient
        _, inner, *inputs = (given["arg"] for given in node["inputs"])
        graph = inner["as_graph"]["graph"]
        names = [name["as_tensor"]["name"] for name in graph["inputs"]]
        given = [_resolve(one, values, device) for one in inputs]
        return _evaluate(graph, dict(zip(names, given, strict=True)), device)
    by_position, by_name = [], {}
    for given in node["inputs"]:
        value = _resolve(given["arg"], values, device)
        if given["kind"] == 2:
            by_name[given["name"]] = value
        else:
            by_position.append(value)
    return _operation(node["target"])(*by_position, **by_name)


def _resolve(argument: Plain, values: dict[str, Any], device: torch.device) -> Any:
    """An argument as the operation takes it."""
    ((kind, value),) = argument.items()
    if kind.startswith("as_sym_") or kind.startswith("as_optional_tensor"):
        each = value if isinstance(value, list) else [value]
        found = [_resolve(one, values, device) for one in each]
        return found if isinstance(value, list) else found[0]
    match kind:
        case "as_none":
            return None
        case "as_tensor":
            return values[value["name"]]
        case "as_name":
            return values[value]
        case "as_tensors":
            return [values[one["name"]] for one in value]
        case "as_int" | "as_ints" | "as_bool" | "as_bools" | "as_string":
            return value
        case "as_float":
            return float(value)  # infinity is a text in JSON
        case "as_floats":
            return [float(one) for one in value]
        case "as_scalar_type":
            return DTYPES[value]
        case "as_memory_format":
            return MEMORY_FORMATS[value]
        case "as_layout":
            return torch.strided
        case "as_device":
            return device
    raise ValueError(f"an argument of the kind {kind} is not known")


def _bind(outputs: list[Plain], result: Any, values: dict[str, Any]) -> None:
    """Give the results of a node their names."""
    if len(outputs) == 1 and not isinstance(result, tuple | list):
        result = [result]
    if len(outputs) == 1 and "as_tensors" in outputs[0]:
        outputs = [{"as_tensor": name} for name in outputs[0]["as_tensors"]]
    for output, value in zip(outputs, result or (), strict=True):
        ((_, about),) = output.items()
        if isinstance(about, dict):
            values[about.get("name") or about["as_name"]] = value


def _last_uses(graph: Plain) -> list[list[str]]:
    """For each node the values that no later node and no output needs."""
    needed = {name for output in graph["outputs"] for name in _names(output)}
    last: list[list[str]] = []
    for node in reversed(graph["nodes"]):
        used = {name for part in (node["inputs"], node["outputs"]) for name in _names(part)}
        last.append(sorted(used - needed))
        needed |= used
    return last[::-1]


def _names(part: Any) -> set[str]:
    """Every value that a part of the graph speaks of."""
    if isinstance(part, list):
        return set().union(*map(_names, part))
    if not isinstance(part, dict):
        return set()
    own = {part[key] for key in ("name", "as_name") if isinstance(part.get(key), str)}
    return own.union(*map(_names, part.values()))
