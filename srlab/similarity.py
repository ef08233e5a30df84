"""How alike two pictures look, by two published measures that need no weights."""

from torch import Tensor

from srlab.require import require_batch, require_same_shape, require_side, require_unit_range

LEAST = 16
"""Side in px below which HaarPSI's coarsest step finds no place."""


def haarpsi(sr: Tensor, hr: Tensor) -> Tensor:
    """HaarPSI: are steps of brightness between neighbors as in the truth?

    At half the size, as from some way off: steps over 2 and 4 px are compared,
    steps over 8 px say where it counts; colors are compared, too. The paper finds
    it closer to people's verdicts than SSIM.

    Args:
        sr, hr: ``(N, 3, h, w)``, RGB in [0, 1], at least 16 px on each side.

    Returns:
        A scalar, the mean over the batch; 1 for equal pictures, at least 0.

    Raises:
        ValueError: if the shapes differ or the pictures are too small.

    Source: built by srlab; Reisenhofer, Bosse, Kutyniok & Wiegand 2018, Signal
    Processing: Image Communication 61, by piq.
    """
    _require_pair(sr, hr)
    import piq  # type: ignore[import-untyped]  # takes seconds; only those who need it wait

    return piq.haarpsi(sr.float().clamp(0, 1), hr.float().clamp(0, 1))


def mdsi(sr: Tensor, hr: Tensor) -> Tensor:
    """MDSI: how unevenly edges and colors are damaged over the picture.

    Edges and colors are compared at each pixel. The figure is how much these
    verdicts *vary*: damage here and there shows more than the same everywhere.

    Args:
        sr, hr: ``(N, 3, h, w)``, RGB in [0, 1], at least 16 px on each side.

    Returns:
        A scalar, the mean over the batch; 0 for equal pictures, higher is
        worse.

    Raises:
        ValueError: if the shapes differ or the pictures are too small.

    Source: built by srlab; Nafchi, Shahkolaei, Hedjam & Cheriet 2016, IEEE
    Access 4, by piq.
    """
    _require_pair(sr, hr)
    import piq

    return piq.mdsi(sr.float().clamp(0, 1), hr.float().clamp(0, 1))


def _require_pair(sr: Tensor, hr: Tensor) -> None:
    """Raise unless piq can compare them; it would answer with an assertion."""
    require_batch(sr, "sr")
    require_batch(hr, "hr")
    require_same_shape(sr, hr)
    require_unit_range(sr, "sr")
    require_unit_range(hr, "hr")
    require_side(hr, LEAST, "HaarPSI and MDSI")
