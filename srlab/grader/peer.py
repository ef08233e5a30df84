"""Calls across the socket, with gradients: values go over, functions stay.

Who calls gets tensors whose gradient comes from the other side as well, so a
check may ask for slopes, and an answer may differentiate what a check gave it.
"""

import builtins
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
from pydantic import BaseModel, ValidationError
from torch import Tensor, nn

from srlab import runcard
from srlab.grader import modules
from srlab.grader.noting import NAMES_TOLD, call_again, calls_told
from srlab.grader.wire import (
    LARGEST_NUMBERS,
    TOO_LARGE,
    UNREADABLE,
    Broken,
    Channel,
    Message,
    Tensors,
)

CARDS = ("RunCard", "ModelSpec", "UNetSpec", "Stage")
DTYPES = {
    torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64,
    torch.float16, torch.bfloat16, torch.float32, torch.float64,
}  # fmt: skip
LONGEST = 2000  # letters of an error

Node = Any
"""A value as JSON; tensors by their name in the message."""


class Peer:
    """One side: what the other may call here, and how to call there.

    Args:
        channel: to the other side.
        inside: whether this is the sandbox.
        errors: name -> exception that a check knows by name.
    """

    def __init__(
        self,
        channel: Channel,
        *,
        inside: bool,
        errors: Mapping[str, type[Exception]] | None = None,
    ):
        self.channel, self.inside = channel, inside
        self.functions: list[Callable[..., Any]] = []
        self.graphs: list[tuple[list[Tensor], list[Tensor]]] = []  # outputs, and from what
        self.numbers: dict[int, int] = {}  # id of a module -> its number on both sides
        self.modules: dict[int, nn.Module] = {}
        self._kept: list[nn.Module] = []  # so that no id is given twice
        self._errors = errors or {}
        self.called: set[str] = set()  # by the last answer

    # -- calling there ---------------------------------------------------------

    def call(self, number: int, arguments: Iterable[Any], named: Mapping[str, Any]) -> Any:
        """Call one of the other side's functions.

        Raises:
            Exception: what it raised, by name.
            Broken: if the other side is gone or gives nonsense.
        """
        arguments, packer = list(arguments), _Packer(self)
        node = [packer.pack(value) for value in arguments]
        more = {name: packer.pack(value) for name, value in named.items()}
        message = {"do": "call", "of": number, "arguments": node, "named": more}
        self.channel.send(message, packer.tensors)
        reply, tensors = self._reply()
        with understood():
            for value, after in zip(arguments, reply.get("after", []), strict=False):
                self._write_back(value, after, tensors)
            call_again(reply.get("called", ()))
        if "error" in reply:
            raise self._error(reply["error"])
        with understood():
            attached = self._attached(reply, tensors, packer.slopes)
            result = _Unpacker(self, tensors, lambda name, _: attached[name]).unpack(
                reply["result"]
            )
        return result

    def _attached(
        self, reply: Message, tensors: Tensors, inputs: list[Tensor]
    ) -> dict[str, Tensor]:
        """The tensors of a result that have a slope, as part of this side's graph."""
        names = [str(name) for name in reply["slopes"]]
        values = [tensors[name] for name in names]
        if not names:
            return {}
        if not inputs:  # a slope with respect to what only the other side knows
            return {n: value.requires_grad_() for n, value in zip(names, values, strict=True)}
        graph, count = int(reply["graph"]), len(values)
        results = _Across.apply(self, graph, count, *values, *inputs)
        return dict(zip(names, results, strict=True))

    def gradients(
        self, graph: int, slopes: Iterable[Tensor | None], inputs: list[Tensor]
    ) -> list[Tensor | None]:
        """What flows back to the inputs of a call on the other side."""
        packer = _Packer(self)
        node = [packer.pack(None if s is None else s.detach()) for s in slopes]
        self.channel.send({"do": "gradients", "graph": graph, "slopes": node}, packer.tensors)
        reply, tensors = self._reply()
        if "error" in reply:
            raise self._error(reply["error"])
        with understood():
            found = _Unpacker(self, tensors).unpack(reply["result"])
            for slope, given in zip(found, inputs, strict=True):
                if slope is not None and slope.shape != given.shape:
                    raise ValueError("a gradient of another shape")
        return list(found)

    def _reply(self) -> tuple[Message, Tensors]:
        """The answer to what was sent; meanwhile the other side may call here."""
        while True:
            message, tensors = self.channel.receive()
            if message.get("do") == "reply":
                return message, tensors
            self._serve(message, tensors)

    def _error(self, told: Any) -> Exception:
        with understood():
            name, text = str(told[0])[:100], str(told[1])[:LONGEST]
        if name in self._errors:
            return self._errors[name](text)
        if name == "ValidationError":
            return ValidationError.from_exception_data(text, [])
        known = getattr(builtins, name, None)
        if isinstance(known, type) and issubclass(known, Exception):
            try:
                return known(text)
            except TypeError:  # such as UnicodeDecodeError, which wants five arguments
                pass
        return type(printable(name), (Exception,), {})(text)

    def _write_back(self, value: Any, after: Node, tensors: Tensors) -> None:
        """Do to an argument what the other side has done to its own copy."""
        if isinstance(value, nn.Parameter):
            return  # only a training changes those, and that is on this side
        if isinstance(value, Tensor):
            new = tensors[after["tensor"]]
            if new.shape != value.shape:
                value.data = new.to(value.dtype)
            elif not new.equal(value):
                value.data.copy_(new)
            modules.put_marks(value, after)
        elif isinstance(value, nn.Module) and "state" in after:
            modules.bring_up_to_date(value, state_in(after, tensors), after)
        elif isinstance(value, dict):
            self._write_back_dict(value, after, tensors)
        elif isinstance(value, list):
            found = after["list"]
            if len(found) == len(value):
                for one, node in zip(value, found, strict=True):
                    self._write_back(one, node, tensors)
            else:
                value[:] = _Unpacker(self, tensors).unpack(after)

    def _write_back_dict(self, value: dict[Any, Any], after: Node, tensors: Tensors) -> None:
        found = dict(after["dict"])
        if found.keys() == value.keys():
            for key, node in found.items():
                self._write_back(value[key], node, tensors)
        else:
            new = _Unpacker(self, tensors).unpack(after)
            value.clear()
            value.update(new)

    # -- being called ------------------------------------------------------------

    def serve(self) -> None:
        """Answer calls until the other side is gone."""
        while True:
            self._serve(*self.channel.receive())

    def _serve(self, message: Message, tensors: Tensors) -> None:
        if message.get("do") == "call":
            self._called(message, tensors)
        elif message.get("do") == "gradients":
            self._reply_with(
                lambda p: {"result": p.pack(self._differentiated(message, tensors))}
            )
        else:
            raise Broken(UNREADABLE)

    def _reply_with(
        self, work: Callable[["_Packer"], Message], arguments: Iterable[Any] = ()
    ) -> None:
        """Send what the work gives, or its error; and how it has left its arguments."""
        caught = BaseException if self.inside else Exception
        packer = _Packer(self)
        try:
            self._send_reply(work(packer), packer, arguments)
        except Broken:
            raise
        except caught as error:  # a learner's draft may raise anything, SystemExit too
            reply = {"error": [type(error).__name__, text_of(error)]}
            self._send_reply(reply, _Packer(self), arguments)

    def _send_reply(self, reply: Message, packer: "_Packer", arguments: Iterable[Any]) -> None:
        left = [packer.pack_left(value) for value in arguments] if self.inside else []
        more = {"do": "reply", "after": left, "called": sorted(self.called)[:NAMES_TOLD]}
        self.channel.send({**reply, **more}, packer.tensors)

    def _called(self, message: Message, tensors: Tensors) -> None:
        leaves: list[Tensor] = []

        def with_slope(name: str, is_leaf: bool) -> Tensor:
            leaves.append(tensors[name].requires_grad_())
            return leaves[-1] if is_leaf else leaves[-1] * 1

        with understood():
            function = self.functions[message["of"]]
            unpacker = _Unpacker(self, tensors, with_slope, leaves)
            arguments = [unpacker.unpack(node) for node in message["arguments"]]
            named = {name: unpacker.unpack(node) for name, node in message["named"].items()}

        def work(packer: _Packer) -> Message:
            result = packer.pack(self._run(function, arguments, named))
            self.graphs.append((list(packer.slopes), leaves))
            return {"result": result, "slopes": packer.names, "graph": len(self.graphs) - 1}

        self._reply_with(work, arguments)

    def _run(self, function: Any, arguments: list[Any], named: dict[str, Any]) -> Any:
        if not self.inside:
            return function(*arguments, **named)
        torch.manual_seed(0)
        self.called = set()
        with calls_told() as self.called:
            return function(*arguments, **named)

    def _differentiated(self, message: Message, tensors: Tensors) -> list[Tensor | None]:
        with understood():
            results, leaves = self.graphs[message["graph"]]
            slopes = _Unpacker(self, tensors).unpack({"list": message["slopes"]})
        pairs = [(o, s) for o, s in zip(results, slopes, strict=True) if s is not None]
        if not pairs or not leaves:
            return [None] * len(leaves)
        outputs, given = zip(*pairs, strict=True)
        return list(
            torch.autograd.grad(outputs, leaves, given, retain_graph=True, allow_unused=True)
        )


class _Across(torch.autograd.Function):
    """A call on the other side, as one step of this side's graph."""

    @staticmethod
    def forward(ctx: Any, peer: Peer, graph: int, count: int, *tensors: Tensor) -> Any:
        ctx.peer, ctx.graph, ctx.count = peer, graph, count
        ctx.inputs = [t.detach() for t in tensors[count:]]
        ctx.set_materialize_grads(False)
        return tuple(tensor.clone() for tensor in tensors[:count])

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *slopes: Tensor | None) -> Any:
        found = ctx.peer.gradients(ctx.graph, slopes, ctx.inputs)
        return (None,) * (3 + ctx.count) + tuple(found)


@dataclass
class _Packer:
    """Values of one message as JSON and tensors.

    Args:
        peer: whose functions and modules may be named.
        tensors: name -> numbers.
        names, slopes: of the tensors from which a gradient comes back.
        size: of all numbers, in bytes.
    """

    peer: Peer
    tensors: Tensors = field(default_factory=dict)
    names: list[str] = field(default_factory=list)
    slopes: list[Tensor] = field(default_factory=list)
    size: int = 0

    def pack(self, value: Any) -> Node:
        if isinstance(value, np.generic):
            value = value.item()
        if value is None or isinstance(value, bool | int | float | str):
            return value
        for kind, pack in self._kinds():
            if isinstance(value, kind):
                return pack(value)
        return self._other(value)

    def _kinds(self) -> Iterator[tuple[type, Callable[[Any], Node]]]:
        yield Tensor, self._tensor
        yield np.ndarray, self._array
        yield Mapping, lambda v: {"dict": [[self.pack(k), self.pack(x)] for k, x in v.items()]}
        for kind in (tuple, list, range, set):
            yield kind, partial(self._row, kind.__name__)
        yield nn.Module, self._module
        yield BaseModel, self._card

    def _row(self, kind: str, value: Iterable[Any]) -> Node:
        return {kind: [self.pack(one) for one in value]}

    def _tensor(self, value: Tensor) -> Node:
        if value.dtype not in DTYPES or value.layout is not torch.strided or value.is_meta:
            return {"other": "Tensor"}
        name = self._numbers(value)
        slope = value.requires_grad and torch.is_grad_enabled()
        if slope:
            self.names.append(name)
            self.slopes.append(value)
        return {"tensor": name, "slope": slope, "leaf": value.is_leaf}

    def _numbers(self, value: Tensor) -> str:
        """Copy them into the message; its limit is held before memory is taken."""
        self.size += value.numel() * value.element_size()
        if self.size > LARGEST_NUMBERS:
            raise ValueError(TOO_LARGE)
        name = f"t{len(self.tensors)}"
        plain = value.detach().as_subclass(Tensor)
        self.tensors[name] = plain.clone(memory_format=torch.contiguous_format)
        return name

    def _array(self, value: Any) -> Node:
        try:
            return {"array": self._numbers(torch.from_numpy(np.array(value)))}
        except TypeError:  # an array of words or objects
            return {"other": "ndarray"}

    def _module(self, value: nn.Module) -> Node:
        known = self.peer.numbers.get(id(value))
        if self.peer.inside:
            return self._outside(value) if known is None else {"given": known}
        if known is None:
            self.peer._kept.append(value)
        told = modules.recipe(value, self.peer.numbers)
        self._remember(value)
        slope = torch.is_grad_enabled()
        if slope and "same" not in told:
            self.slopes += modules.parameters_of(value)
        return {"module": told, "state": self._state(value), "slope": slope}

    def _remember(self, value: nn.Module) -> None:
        for part in value.modules():
            if id(part) in self.peer.numbers:  # a norm's own parts are not told
                self.peer.modules[self.peer.numbers[id(part)]] = part

    def _state(self, value: nn.Module) -> dict[str, str]:
        return {name: self._numbers(tensor) for name, tensor in value.state_dict().items()}

    def _outside(self, value: nn.Module) -> Node:
        """A module that an answer has made: its description, and how to run it."""

        def run(numbers: dict[str, Tensor], *inputs: Any) -> Any:
            return torch.func.functional_call(value, numbers, inputs)

        number, told = self._number_of(run), modules.describe(value)
        return {"outside": told, "run": number, "state": self._state(value)}

    def _number_of(self, function: Callable[..., Any]) -> int:
        """By which the other side calls it from now on."""
        self.peer.functions.append(function)
        return len(self.peer.functions) - 1

    def _card(self, value: BaseModel) -> Node:
        name = type(value).__name__
        if type(value) is not getattr(runcard, name, None):
            return {"other": name}
        return {"card": name, "json": value.model_dump_json()}

    def _other(self, value: Any) -> Node:
        if callable(value) and not self.peer.inside and not isinstance(value, type):
            return {"function": self._number_of(value)}
        return {"other": type(value).__name__}

    def pack_left(self, value: Any) -> Node:
        """An argument as an answer has left it."""
        if isinstance(value, Tensor):
            return {"tensor": self._numbers(value), **modules.marks(value)}
        if isinstance(value, nn.Module):
            return {
                "state": self._state(value),
                "hooks": modules.hook_counts(value),
                "attributes": {n: modules.attributes(p) for n, p in value.named_modules()},
                "marks": {n: modules.marks(p) for n, p in value.named_parameters()},
            }
        if isinstance(value, dict):
            return {"dict": [[self.pack(k), self.pack_left(x)] for k, x in value.items()]}
        if isinstance(value, list):
            return {"list": [self.pack_left(x) for x in value]}
        return None if callable(value) else self.pack(value)


@dataclass
class _Unpacker:
    """Values from the JSON and the tensors of one message."""

    peer: Peer
    tensors: Tensors
    with_slope: Callable[[str, bool], Tensor] | None = None
    leaves: list[Tensor] = field(default_factory=list)

    def unpack(self, node: Node) -> Any:
        if not isinstance(node, dict):
            if isinstance(node, list):
                raise TypeError("a list that is not told as one")
            return node
        for kind in ("list", "tuple", "set", "range"):
            if kind in node:
                found = [self.unpack(one) for one in node[kind]]
                return {"tuple": tuple, "set": set}.get(kind, list)(found)
        for kind in ("dict", "tensor", "array", "card", "other", "given"):
            if kind in node:
                return getattr(self, f"_{kind}")(node)
        return self._living(node)

    def _dict(self, node: Node) -> dict[Any, Any]:
        return {self.unpack(key): self.unpack(value) for key, value in node["dict"]}

    def _tensor(self, node: Node) -> Tensor:
        name = node["tensor"]
        if node.get("slope") and self.with_slope:
            return self.with_slope(name, bool(node.get("leaf")))
        return self.tensors[name]

    def _array(self, node: Node) -> Any:
        return self.tensors[node["array"]].numpy()

    def _card(self, node: Node) -> Any:
        if node["card"] not in CARDS:
            raise ValueError("no part of a run card")
        try:
            return getattr(runcard, node["card"]).model_validate_json(node["json"])
        except ValidationError:  # made by going around its checks
            return foreign(f"invalid {node['card']}")

    def _other(self, node: Node) -> Any:
        return foreign(str(node["other"]))

    def _given(self, node: Node) -> nn.Module:
        return self.peer.modules[node["given"]]

    def _living(self, node: Node) -> Any:
        """What is more than a value; each side takes what the other may send."""
        if self.peer.inside and "function" in node:
            return _there(self.peer, node["function"])
        if self.peer.inside and "module" in node:
            return self._built(node)
        if not self.peer.inside and "outside" in node:
            run = _there(self.peer, int(node["run"]))
            return modules.Outside(node["outside"], state_in(node, self.tensors), run)
        raise ValueError("nothing that is known here")

    def _built(self, node: Node) -> nn.Module:
        module = modules.build(node["module"], self.peer.modules)
        module.load_state_dict(state_in(node, self.tensors))
        if node["slope"] and "same" not in node["module"]:
            self.leaves += modules.parameters_of(module)
        for number, part in self.peer.modules.items():
            self.peer.numbers[id(part)] = number
        return module


def state_in(node: Node, tensors: Tensors) -> Tensors:
    """The numbers of a module."""
    return {name: tensors[at] for name, at in node["state"].items()}


def _there(peer: Peer, number: int) -> Callable[..., Any]:
    """A function of the other side."""

    def there(*arguments: Any, **named: Any) -> Any:
        return peer.call(number, arguments, named)

    return there


def foreign(name: str) -> Any:
    """Stands for a value that cannot be sent; shows its type alone."""
    shown = printable(name)[:60]
    return type(shown, (), {"__repr__": lambda _: f"<{shown}>"})()


def printable(text: str) -> str:
    """On one line, without what could move a terminal's cursor."""
    return "".join(c if c.isprintable() else " " for c in text)


def text_of(error: BaseException) -> str:
    """What an error of a learner's says."""
    try:
        # Of a KeyError, its key: as text it would get quotes twice.
        said = error.args[0] if isinstance(error, KeyError) and error.args else error
        return str(said)[:LONGEST]
    except Exception:  # a learner's own exception, with a __str__ that fails
        return ""


@contextmanager
def understood() -> Iterator[None]:
    """Whatever fails while a message is read is the sender's fault.

    Raises:
        Broken: in place of any other exception.
    """
    try:
        yield
    except Exception:
        raise Broken(UNREADABLE) from None
