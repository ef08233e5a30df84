"""What the options of the ``srlab`` command take, and how a shell completes them."""

from collections.abc import Callable
from enum import StrEnum
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer

from srlab.files import SHIPPED, at_home


class Commands(typer.Typer):
    """Commands whose paths may begin with ``~``, as in ``--out=~/big``."""

    def command(self, *args: Any, **options: Any) -> Callable[[Any], Any]:
        register = super().command(*args, **options)

        def add(function: Callable[..., Any]) -> Callable[..., Any]:
            register(_expanding(function))
            return function

        return add


def _expanding(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def with_paths(**given: Any) -> Any:
        return function(**{name: _expanded(value) for name, value in given.items()})

    return with_paths


def _expanded(value: Any) -> Any:
    if isinstance(value, list):
        return [_expanded(one) for one in value]
    return at_home(value) if isinstance(value, Path) else value


class Format(StrEnum):
    """What ``srlab upscale`` writes."""

    PNG = "png"
    JPEG = "jpeg"
    WEBP = "webp"
    AVIF = "avif"
    TIFF = "tiff"

    @property
    def ending(self) -> str:
        return ".jpg" if self is Format.JPEG else f".{self.value}"

    @property
    def lossy(self) -> bool:
        return self not in (Format.PNG, Format.TIFF)


def read_format(name: str) -> Format:
    """``jpg`` and ``.tif`` mean what everybody means by them."""
    plain = name.lower().removeprefix(".")
    try:
        return Format({"jpg": "jpeg", "tif": "tiff"}.get(plain, plain))
    except ValueError:
        raise typer.BadParameter(f"{name} is none of {', '.join(Format)}.") from None


def complete_scale(incomplete: str) -> list[str]:
    return [scale for scale in ("2", "4", "8") if scale.startswith(incomplete)]


def complete_model(incomplete: str) -> list[str]:
    """Shipped models and files of networks, without importing what runs them."""
    shipped = SHIPPED.glob("*.safetensors")
    names = ["bicubic", *sorted(path.stem for path in shipped)]
    above = Path(incomplete) if incomplete.endswith("/") else Path(incomplete).parent
    files = [str(path) for path in sorted(at_home(above).glob("*.safetensors"))]
    return [name for name in [*names, *files] if name.startswith(incomplete)]


def complete_format(incomplete: str) -> list[str]:
    return [name for name in Format if name.startswith(incomplete)]


ScaleOption = Annotated[
    int, typer.Option(help="Enlarge 2, 4 or 8 times.", autocompletion=complete_scale)
]
OverwriteOption = Annotated[
    bool,
    typer.Option(
        "--overwrite",
        help="Replace what is there; by default it stays, and what is new gets -2 in its name.",
    ),
]
ModelsOption = Annotated[
    list[str] | None,
    typer.Option(
        help="A model's name, a checkpoint, net.onnx, a torch.export program (net.pt2), "
        "or module:function, whose code is run; repeat for more.",
        autocompletion=complete_model,
    ),
]
TrustOption = Annotated[
    bool,
    typer.Option(
        "--trust",
        help="Loading a torch.export program can run code that is hidden in the file; "
        "whoever trusts its author adds --trust; an ONNX file needs no trust.",
    ),
]
