"""srlab: the parts of image super-resolution, small enough to read.

Every module is one subject: ``from srlab.losses import pixel_loss``. The one
function at the top is ``srlab.upscale``, for whoever only wants a larger
picture. Importing ``srlab`` itself loads nothing heavy.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from srlab.inference import upscale

__version__ = "0.1.0"
__all__ = ["__version__", "upscale"]


def __getattr__(name: str) -> Any:
    """``srlab.upscale``, imported when somebody asks for it."""
    if name == "upscale":
        from srlab.inference import upscale

        return upscale
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), "upscale"])
