"""Checkpoints: a model, where its training stood, and its run card, in one file.

The file is safetensors, which holds numbers only and runs no code on loading.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn
from torch.optim import Optimizer

from srlab.files import replacing

FORMAT = 1
ADAMS_MOMENTS = ("step", "exp_avg", "exp_avg_sq")
MUONS_MOMENTS = ("step", "exp_avg")


class About(BaseModel):
    """What a checkpoint says beside its numbers; others' files say anything."""

    model_config = ConfigDict(strict=True)

    format: Annotated[int, Field(ge=FORMAT, le=FORMAT)]
    card: dict[str, Any]
    step: Annotated[int, Field(ge=0)]
    groups: list[dict[str, Any]] | None = None


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint as read from a file.

    Args:
        card: the run card as plain JSON values.
        step: optimizer steps done, over all stages.
        model: name -> parameter or buffer.
        optimizer: the optimizer's ``state_dict``, or None in a file that is
            only for use.
        average: name -> running average of a parameter, or None without one.
    """

    card: dict[str, Any]
    step: int
    model: dict[str, Tensor]
    optimizer: dict[str, Any] | None = None
    average: dict[str, Tensor] | None = None


def save_checkpoint(
    path: str | Path,
    model: nn.Module,
    *,
    card: dict[str, Any],
    step: int,
    optimizer: Optimizer | None = None,
    average: nn.Module | None = None,
) -> None:
    """Write a checkpoint, all of it or nothing.

    Args:
        path: a ``.safetensors`` file.
        model: what was trained.
        card: the run card as plain JSON values.
        step: optimizer steps done.
        optimizer: give it if the training is to go on.
        average: the model with averaged weights, where there is one.

    Raises:
        OSError: if the file cannot be written.
    """
    tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    if average is not None:
        tensors |= {f"average.{name}": value for name, value in average.state_dict().items()}
    groups = None
    if optimizer is not None:
        state = optimizer.state_dict()
        groups = state["param_groups"]
        for index, values in state["state"].items():
            tensors |= {f"optimizer.{index}.{key}": value for key, value in values.items()}
    tensors = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    about = json.dumps({"format": FORMAT, "card": card, "step": step, "groups": groups})
    metadata = {"srlab": about, "sha256": _digest(about, tensors)}
    with replacing(path) as part:
        part.write_bytes(save(tensors, metadata))


def load_checkpoint(path: str | Path) -> Checkpoint:
    """Read a checkpoint and verify that nothing in it has changed.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is damaged, cut off, or not one of srlab's.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path} is no file; give a checkpoint (.safetensors).")
    metadata, tensors = _read_at_rest(path)
    if "srlab" not in metadata:
        raise ValueError(f"{path.name} was not written by srlab: it carries no run card.")
    if metadata.get("sha256") != _digest(metadata["srlab"], tensors):
        raise ValueError(
            f"{path.name} is damaged: its contents do not match their checksum; "
            f"copy or train it again."
        )
    about = _parse_about(metadata["srlab"], path.name)
    return Checkpoint(
        about.card,
        about.step,
        _under(tensors, "model."),
        _optimizer_state(_under(tensors, "optimizer."), about.groups, path.name),
        _under(tensors, "average.") or None,
    )


def _read_at_rest(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """``_read``, and again if a training has replaced the file meanwhile.

    Safetensors opens a file twice, and may get the header of one and the
    numbers of the other.
    """
    before, found = _version(path), _read(path)
    while (now := _version(path)) != before:
        before, found = now, _read(path)
    return found


def _version(path: Path) -> tuple[int, ...]:
    """What is another for another file of the same name."""
    about = path.stat()
    return about.st_ino, about.st_mtime_ns, about.st_size


def _read(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Metadata and tensors of a file."""
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return file.metadata() or {}, tensors
    # Numbers of a kind that torch has not: an AttributeError or a RuntimeError.
    except (SafetensorError, ValueError, RuntimeError, AttributeError, TypeError) as error:
        why = " ".join(str(error).split())
        raise ValueError(
            f"{path.name} is damaged or no checkpoint ({why[:200]}); copy or train it again."
        ) from None


def _parse_about(text: str, name: str) -> About:
    """What a file says beside its numbers; ValueError for the first thing that is wrong."""
    try:
        return About.model_validate(json.loads(text))
    except ValidationError as error:
        first = error.errors()[0]
        if first["loc"] == ("format",) and type(first["input"]) is int:
            raise ValueError(
                f"{name} has format {first['input']}, but this srlab reads {FORMAT}; "
                f"update srlab."
            ) from None
        place = ".".join(map(str, first["loc"])) or "what it says of itself"
        raise ValueError(
            f"{name} is no checkpoint of srlab: {place}: {first['msg']}."
        ) from None
    except (ValueError, RecursionError) as error:  # also for numbers of 5000 digits
        why = "nested too deeply" if isinstance(error, RecursionError) else error
        raise ValueError(
            f"{name} is no checkpoint of srlab: what it says of itself is no JSON ({why})."
        ) from None


def load_weights(model: nn.Module, weights: dict[str, Tensor], name: str) -> None:
    """Put a checkpoint's weights into a model of the same architecture.

    Raises:
        ValueError: if a name or a shape differs.
    """
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        first = str(error).split("\n\t")[1:2] or [str(error)]
        raise ValueError(
            f"{name} holds the weights of another architecture: {first[0].strip()}"
        ) from None


@dataclass(frozen=True)
class Carried:
    """What became of each parameter when weights were carried over, by name.

    Args:
        loaded: came along.
        new: the network's own, for which nothing came.
        left: came, but found no place of its name and shape.

    Source: lesson 07.
    """

    loaded: list[str]
    new: list[str]
    left: list[str]


def carry_weights(model: nn.Module, weights: Mapping[str, Tensor]) -> Carried:
    """Give a network all weights of another one that fit by name and shape.

    Args:
        model: is changed in place; what does not come along stays as it was.
        weights: name -> parameter or buffer, as ``state_dict`` gives them.

    Returns:
        The names, as what was carried and what was not.

    Example:
        >>> from srlab.models import SrResNet
        >>> carry_weights(SrResNet(4), SrResNet(2).state_dict()).new
        ['upsampler.stages.0.0.weight', 'upsampler.stages.0.0.bias']

    Source: lesson 07; fast.ai's ``strict=False`` does the same, but tells
    nobody what stayed behind, and fails where only a shape differs.
    """
    own = model.state_dict()
    loaded = [n for n, w in weights.items() if n in own and own[n].shape == w.shape]
    model.load_state_dict({**own, **{name: weights[name] for name in loaded}})
    new = [name for name in own if name not in loaded]
    left = [name for name in weights if name not in loaded]
    return Carried(loaded, new, left)


def blend_weights(
    start: Mapping[str, Tensor], trained: Mapping[str, Tensor], share: float
) -> dict[str, Tensor]:
    """Go a share of the way from one network's weights to another's.

    ``start + share * (trained - start)``

    Args:
        start, trained: name -> weight; of one architecture, and ``trained``
            from ``start``: networks trained apart lie too far from each other.
        share: 0 gives ``start``, 1 gives ``trained``.

    Returns:
        name -> weight, in the types of ``trained``.

    Raises:
        ValueError: if a name or a shape differs.

    Example:
        >>> blend_weights({"bias": torch.zeros(2)}, {"bias": torch.ones(2)}, 0.25)
        {'bias': tensor([0.2500, 0.2500])}

    Source: Wang et al. 2019 (ESRGAN) blend a PSNR network with a perceptual one
    so ("network interpolation").
    """
    require_same_weights(start, trained)
    return {n: start[n].to(w).lerp(w, share) for n, w in trained.items()}


def mean_weights(networks: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """The mean of several networks, weight by weight.

    Args:
        networks: name -> weight; of one architecture, and trained from one
            start, as for ``blend_weights``.

    Returns:
        name -> weight.

    Raises:
        ValueError: if a name or a shape differs.

    Example:
        >>> mean_weights([{"bias": torch.zeros(2)}, {"bias": torch.ones(2)}])
        {'bias': tensor([0.5000, 0.5000])}

    Source: Wortsman et al. 2022 ("model soups").
    """
    for other in networks[1:]:
        require_same_weights(networks[0], other)
    return {n: torch.stack([one[n] for one in networks]).mean(0) for n in networks[0]}


def require_same_weights(start: Mapping[str, Tensor], trained: Mapping[str, Tensor]) -> None:
    """Raise unless two networks have weights of the same names and shapes."""
    shapes = [{n: tuple(w.shape) for n, w in one.items()} for one in (start, trained)]
    differing = sorted(dict(shapes[0].items() ^ shapes[1].items()))
    if differing:
        raise ValueError(
            f"Only networks of one architecture blend, but {differing[0]} is "
            f"{shapes[0].get(differing[0], 'missing')} in one and "
            f"{shapes[1].get(differing[0], 'missing')} in the other; leave share at 1."
        )


def load_optimizer(optimizer: Optimizer, state: dict[str, Any]) -> None:
    """Put a checkpoint's moments into an optimizer, to go on exactly.

    Each moment gets its parameter's memory layout: a file keeps none, and the
    fused step of Adam reads both in the order in which they lie in memory.
    """
    optimizer.load_state_dict(state)
    for parameter, moments in optimizer.state.items():
        for key, value in moments.items():
            if value.shape == parameter.shape:
                moments[key] = torch.empty_like(parameter).copy_(value)


def require_moments(optimizer: Optimizer, state: dict[str, Any], steps: int, name: str) -> None:
    """Raise unless a checkpoint holds what Adam or Muon needs to go on.

    Args:
        optimizer: as it is before its first step.
        state: of the checkpoint.
        steps: that the optimizer must have made.
        name: what errors call the file.
    """
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    whole = [g.get("orthogonal", False) for g in optimizer.param_groups for _ in g["params"]]
    moments = state["state"]
    strange = sorted(set(moments) - set(range(len(parameters))))
    if strange:
        raise ValueError(
            f"{name} has moments of parameter {strange[0]}, but the network has only "
            f"{len(parameters)} parameters."
        )
    for index, (parameter, as_a_whole) in enumerate(zip(parameters, whole, strict=True)):
        if parameter.requires_grad or index in moments:
            keys = MUONS_MOMENTS if as_a_whole else ADAMS_MOMENTS
            why = _wrong_with(moments.get(index, {}), keys, parameter, steps)
            if why:
                raise ValueError(
                    f"{name} cannot be gone on from: in the optimizer's state of parameter "
                    f"{index} {why}."
                )


def _wrong_with(
    moments: dict[str, Tensor], keys: Sequence[str], parameter: Tensor, steps: int
) -> str:
    """What is wrong with the moments of one parameter; "" if nothing."""
    for key in keys:
        if key not in moments:
            return f"{key} is missing"
        value, wanted = moments[key], parameter.shape if key != "step" else torch.Size()
        if value.shape != wanted:
            return f"{key} is of shape {tuple(value.shape)}, but {tuple(wanted)} was expected"
        if not value.is_floating_point() or not value.isfinite().all():
            return f"{key} holds what is no finite number"
    if moments["step"].item() != steps:
        return f"step is {moments['step'].item():g}, but {steps} was expected"
    squares = moments.get("exp_avg_sq", torch.zeros(()))
    return "exp_avg_sq is below 0" if (squares < 0).any() else ""


def require_finite_weights(weights: Mapping[str, Tensor], name: str) -> None:
    """Raise if a weight is NaN or infinite, naming the first such tensor."""
    for key, value in weights.items():
        if not value.isfinite().all():
            raise ValueError(f"{name} cannot be gone on from: {key} holds no finite numbers.")


def _under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names begin with ``prefix``, without it."""
    return {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}


def _optimizer_state(
    tensors: dict[str, Tensor], groups: list[dict[str, Any]] | None, file: str
) -> dict[str, Any] | None:
    """``{"0.exp_avg": ...}`` -> the form that ``load_state_dict`` takes."""
    if groups is None:
        return None
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        index, _, key = name.partition(".")
        if not (index.isdecimal() and index.isascii() and len(index) < 10 and key):
            raise ValueError(
                f"{file} is no checkpoint of srlab: its optimizer has {name!r}, but a "
                f"parameter's number and a name were expected."
            )
        state.setdefault(int(index), {})[key] = value
    return {"state": state, "param_groups": groups}


def _digest(about: str, tensors: dict[str, Tensor]) -> str:
    """SHA-256 over the run card and every name, type, shape and byte."""
    digest = hashlib.sha256(about.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
