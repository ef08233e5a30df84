"""Networks by value: from the checker into the sandbox, and what became of them.

A class of torch or srlab goes by its name, one of the checks as source, and
numbers as tensors. The checker never gets code: what comes back are numbers,
numbers of hooks and plain attributes.
"""

import inspect
import textwrap
import warnings
from collections.abc import Mapping
from importlib import import_module
from types import ModuleType
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize
from torch.nn.utils.weight_norm import WeightNorm

CONV = ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups")
PLAIN = bool | int | float | str
TORCHS_OWN = vars(nn.Module()).keys() - {"training"}

Recipe = dict[str, Any]


def recipe(module: nn.Module, numbers: dict[int, int]) -> Recipe:
    """How the other side makes a module like this one, but for its numbers.

    ``numbers`` has the number of each module that was told, by ``id``; added to.
    """
    if id(module) in numbers:
        return {"same": numbers[id(module)]}
    numbers[id(module)] = len(numbers)
    told = {
        "number": numbers[id(module)],
        "hooks": len(module._forward_hooks),
        "training": module.training,
        "frozen": [n for n, p in module.named_parameters(recurse=False) if not p.requires_grad],
    }
    return {**told, **_kind(module, numbers)}


def _kind(module: nn.Module, numbers: dict[int, int]) -> Recipe:
    if isinstance(module, nn.Conv2d):
        return {"conv": _settings(module), "norm": _norm(module)}
    if isinstance(module, nn.ReLU):
        return {"relu": module.inplace}
    children = {name: recipe(child, numbers) for name, child in module.named_children()}
    if _is_known_there(type(module)):
        known = [type(module).__module__, type(module).__qualname__]
        return {"known": known, "children": children, "attributes": attributes(module)}
    return {
        "source": textwrap.dedent(inspect.getsource(type(module))),
        "class": type(module).__name__,
        "errors": [error.__name__ for error in own_errors(inspect.getmodule(type(module)))],
        "children": children,
        "attributes": attributes(module),
    }


def _is_known_there(kind: type[nn.Module]) -> bool:
    """Whether a class is torch's or srlab's, and not the checks', which a sandbox hides."""
    place = f"{kind.__module__}."
    return place.startswith(("torch.nn.", "srlab.")) and not place.startswith("srlab.checks.")


def _settings(conv: nn.Conv2d) -> dict[str, Any]:
    return {**{name: getattr(conv, name) for name in CONV}, "bias": conv.bias is not None}


def _norm(conv: nn.Conv2d) -> str:
    """Which of torch's two weight norms it is under; "" for none."""
    if parametrize.is_parametrized(conv, "weight"):
        return "new"
    old = any(isinstance(hook, WeightNorm) for hook in conv._forward_pre_hooks.values())
    return "old" if old else ""


def own_errors(module: ModuleType | None) -> list[type[Exception]]:
    """The exceptions that a module of the checks defines itself.

    Those it imports, such as ``Finding``, are the checker's: a sandbox has none
    of them, and what it raises under such a name is a stranger's error.
    """
    classes = [it for it in vars(module).values() if isinstance(it, type)]
    own = [it for it in classes if issubclass(it, Exception)]
    return [it for it in own if it.__module__ == getattr(module, "__name__", "")]


def attributes(module: nn.Module) -> dict[str, Any]:
    """Its plain ones, such as a counter or ``training``."""
    return {
        name: value
        for name, value in vars(module).items()
        if name not in TORCHS_OWN and type(value) in PLAIN.__args__
    }


def parameters_of(module: nn.Module) -> list[Tensor]:
    """The parameters that a gradient should reach."""
    return [parameter for parameter in module.parameters() if parameter.requires_grad]


def marks(tensor: Tensor) -> dict[str, bool]:
    """What a tensor carries besides its numbers, as an answer leaves it."""
    has_grad = tensor.is_leaf and tensor.grad is not None
    return {"learns": tensor.requires_grad, "grad": has_grad}


def put_marks(tensor: Tensor, told: Mapping[str, Any]) -> None:
    """Let the checker's tensor carry what the sandbox's does."""
    if not tensor.is_leaf or not tensor.is_floating_point():
        return
    tensor.requires_grad_(bool(told["learns"]))
    if told["grad"] and tensor.grad is None:
        tensor.grad = torch.zeros_like(tensor)


def build(told: Recipe, built: dict[int, nn.Module]) -> nn.Module:
    """Make a module by its recipe, in the sandbox; ``built`` has those so far, by number."""
    if "same" in told:
        return built[told["same"]]
    module = built[told["number"]] = _made(told, built)
    for _ in range(told["hooks"]):
        module.register_forward_hook(lambda *_: None)
    for name in told["frozen"]:
        module.get_parameter(name).requires_grad_(False)
    module.training = told["training"]
    return module


def _made(told: Recipe, built: dict[int, nn.Module]) -> nn.Module:
    if "conv" in told:
        return _under(told["norm"], nn.Conv2d(**told["conv"]))
    if "relu" in told:
        return nn.ReLU(told["relu"])
    kind = _known(*told["known"]) if "known" in told else _exec_class(told)
    module: nn.Module = kind.__new__(kind)
    nn.Module.__init__(module)
    for name, child in told["children"].items():
        module.add_module(name, build(child, built))
    vars(module).update(told["attributes"])
    return module


def _known(module: str, name: str) -> type[nn.Module]:
    kind: type[nn.Module] = getattr(import_module(module), name)
    return kind


def _exec_class(told: Recipe) -> type[nn.Module]:
    """A class of the checks, from its source."""
    space: dict[str, Any] = {"torch": torch, "nn": nn, "F": F, "Tensor": Tensor}
    space |= {name: type(name, (Exception,), {}) for name in told["errors"]}
    exec(told["source"], space)  # the checks' own code, in the sandbox
    kind: type[nn.Module] = space[told["class"]]
    return kind


def _under(norm: str, conv: nn.Conv2d) -> nn.Module:
    if norm == "new":
        return parametrizations.weight_norm(conv)
    with warnings.catch_warnings():  # torch would rather have us use the new one
        warnings.simplefilter("ignore", FutureWarning)
        return nn.utils.weight_norm(conv) if norm else conv


def hook_counts(module: nn.Module) -> dict[str, int]:
    """How many hooks around its forward each part has, by its name."""
    return {name: _count(part) for name, part in module.named_modules()}


def _count(part: nn.Module) -> int:
    return len(part._forward_hooks) + len(part._forward_pre_hooks)


def bring_up_to_date(
    module: nn.Module, state: Mapping[str, Tensor], left: Mapping[str, Any]
) -> None:
    """Make the checker's module be as an answer has left the sandbox's.

    Args:
        module: the checker's.
        state: its numbers.
        left: of each part, how many hooks it has, and its plain attributes, of
            which those are taken that the module has; the parameters' marks.
    """
    _put_numbers(module, state)
    for name, part in module.named_modules():
        _put_hooks(part, min(int(left["hooks"].get(name, 0)), 100))
        told = left["attributes"].get(name, {})
        for key, value in attributes(part).items():
            if type(told.get(key)) is type(value):
                setattr(part, key, told[key])
    for name, parameter in module.named_parameters():
        put_marks(parameter, left["marks"].get(name, marks(parameter)))


def _put_numbers(module: nn.Module, state: Mapping[str, Tensor]) -> None:
    own = module.state_dict()
    if own.keys() != state.keys():
        _undo_norm(module)
        own = module.state_dict()
    for _ in state.keys() - own.keys():
        module.register_buffer(f"stranger_{len(module._buffers)}", torch.zeros(()))
    for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
        if name in state:
            tensor.data = state[name].to(tensor.dtype)


def _undo_norm(module: nn.Module) -> None:
    """Without the norm, since the answer took it away or put another there."""
    if parametrize.is_parametrized(module, "weight"):
        parametrize.remove_parametrizations(module, "weight")
    elif isinstance(module, nn.Conv2d) and _norm(module):
        nn.utils.remove_weight_norm(module)


def _put_hooks(part: nn.Module, count: int) -> None:
    while _count(part) > count:
        (part._forward_hooks or part._forward_pre_hooks).popitem()
    while _count(part) < count:
        part.register_forward_hook(lambda *_: None)


def describe(module: nn.Module) -> Recipe:
    """What the checker is told of a network that an answer has made."""
    parts = module.named_modules()
    return {
        "convs": {n: _settings(p) for n, p in parts if n and type(p) is nn.Conv2d},
        "learned": [name for name, p in module.named_parameters() if p.requires_grad],
        "parameters": [name for name, _ in module.named_parameters()],
    }


class Outside(nn.Module):
    """A network in the sandbox, as the checker sees it: numbers and convolutions.

    Its forward goes through ``run``, with the numbers that it has by then.
    """

    def __init__(self, told: Recipe, state: Mapping[str, Tensor], run: Any):
        super().__init__()
        self._run = run
        for name, settings in told["convs"].items():
            known = {key: settings[key] for key in (*CONV, "bias")}
            empty = nn.Conv2d(**known, device="meta")
            _place(self, name).add_module(_last(name), empty)
        for name, value in state.items():
            _put(_place(self, name), _last(name), value, told, name)

    def forward(self, *inputs: Any) -> Any:
        numbers = {**dict(self.named_parameters()), **dict(self.named_buffers())}
        return self._run(numbers, *inputs)


def _put(place: nn.Module, last: str, value: Tensor, told: Recipe, name: str) -> None:
    if name in told["parameters"]:
        own = place._parameters.get(last)
        if own is not None and own.shape != value.shape:
            raise ValueError("a convolution's numbers do not fit it")
        place.register_parameter(last, nn.Parameter(value, name in told["learned"]))
    else:
        place.register_buffer(last, value)


def _last(name: str) -> str:
    return name.rpartition(".")[2]


def _place(module: nn.Module, name: str) -> nn.Module:
    """The part that holds ``name``; those in between are made."""
    for part in name.split(".")[:-1]:
        if part not in module._modules:
            module.add_module(part, nn.Module())
        module = module.get_submodule(part)
    return module
