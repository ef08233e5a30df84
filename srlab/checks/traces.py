"""What an answer changes besides giving its result, and undoing it."""

import random
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules import module as torch_modules

Traces = dict[str, Any]

HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
PLAIN = (bool, int, float, str, tuple, type(None))


def traces_of(value: Any, path: str = "") -> Traces:
    """All that a tensor, a module, a dict or a list holds, by its path in it.

    Two calls give the same if nothing has changed between them: values, but
    also requires_grad, gradients, hooks, modes and flags such as ``inplace``.
    """
    if isinstance(value, Tensor):
        return _of_tensor(value, path)
    if isinstance(value, nn.Module):
        return _of_module(value, path)
    if isinstance(value, Mapping):
        return {path: list(value), **_of_items(value.items(), path)}
    if isinstance(value, list | tuple):
        return {path: len(value), **_of_items(enumerate(value), path)}
    return {path: value} if isinstance(value, PLAIN) else {}


def _of_items(items: Any, path: str) -> Traces:
    found: Traces = {}
    for name, value in items:
        found |= traces_of(value, f"{path}.{name}")
    return found


def _of_tensor(value: Tensor, path: str) -> Traces:
    found = {path: _bytes(value), f"{path}.requires_grad": value.requires_grad}
    if value.is_leaf:  # torch warns whoever asks others for their gradient
        found[f"{path}.grad"] = "none" if value.grad is None else _bytes(value.grad)
    return found


def _bytes(value: Tensor) -> tuple[Any, ...]:
    plain = value.detach().cpu().contiguous().flatten().view(torch.uint8)
    return value.dtype, value.shape, plain.numpy().tobytes()


def _of_module(value: nn.Module, path: str) -> Traces:
    found: Traces = {}
    for name, part in value.named_modules():
        below = f"{path}.{name}" if name else path
        found |= {f"{below}.hooks": [list(getattr(part, kind)) for kind in HOOKS]}
        flags = {n: v for n, v in vars(part).items() if n[0] != "_" and isinstance(v, PLAIN)}
        found |= _of_items(flags.items(), below)
        own = [*part.named_parameters(recurse=False), *part.named_buffers(recurse=False)]
        found |= _of_items(own, below)
    return found


# -- the settings of torch ---------------------------------------------------------------

GLOBAL_HOOKS = (
    torch_modules._global_forward_hooks,
    torch_modules._global_forward_pre_hooks,
    torch_modules._global_backward_hooks,
)


def _global_hooks() -> list[dict[Any, Any]]:
    return [dict(hooks) for hooks in GLOBAL_HOOKS]


def _set_global_hooks(wanted: list[dict[Any, Any]]) -> None:
    for hooks, before in zip(GLOBAL_HOOKS, wanted, strict=True):
        hooks.clear()
        hooks.update(before)


SETTINGS: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
    "the default dtype": (torch.get_default_dtype, torch.set_default_dtype),
    "the default device": (torch.get_default_device, torch.set_default_device),
    "whether gradients are on": (torch.is_grad_enabled, torch.set_grad_enabled),
    "the number of threads": (torch.get_num_threads, torch.set_num_threads),
    "hooks on all modules": (_global_hooks, _set_global_hooks),
}
"""Name -> how to read and set it: what an answer could change for all later cells."""


def torch_settings() -> dict[str, Any]:
    """The settings of torch as they are now, by name."""
    return {name: read() for name, (read, _) in SETTINGS.items()}


def restore(wanted: Mapping[str, Any]) -> list[str]:
    """Give torch these settings, and return the names of those that differed."""
    now = torch_settings()
    changed = [name for name, value in wanted.items() if now[name] != value]
    for name in changed:
        SETTINGS[name][1](wanted[name])
    return changed


@contextmanager
def usual_settings() -> Iterator[None]:
    """Run a block, such as a check, with torch's initial settings.

    Afterwards the learner's settings are back. So is the state of all random
    numbers: the notebook draws on as if no check had run.
    """
    found, drawn = torch_settings(), _random_states()
    usual = {"default dtype": torch.float32, "default device": torch.device("cpu")}
    try:
        restore({f"the {name}": value for name, value in usual.items()})
        with torch.inference_mode(False), torch.enable_grad():
            yield
    finally:
        restore(found)
        _set_random_states(drawn)


def _random_states() -> tuple[Any, ...]:
    numpy = sys.modules.get("numpy")
    return torch.get_rng_state(), random.getstate(), numpy and numpy.random.get_state()


def _set_random_states(states: tuple[Any, ...]) -> None:
    torch.set_rng_state(states[0])
    random.setstate(states[1])
    if states[2]:
        sys.modules["numpy"].random.set_state(states[2])
