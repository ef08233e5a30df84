"""What is compared, and what is shown of it: the part without a screen."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from PIL import Image, ImageChops, ImageStat
from torch import Tensor
from traitlets import Bool, Dict, Float, HasTraits, Int, List, Unicode, validate

from srlab.images import read_image, to_image
from srlab.widgets.poster import PosterMixin, filmstrip, stack

Mode = Literal["single", "side", "blink", "swipe", "difference"]
MODES: tuple[Mode, ...] = get_args(Mode)
MOST_PICTURES = 9  # one for each digit key
MOST_ZOOM = 32
LENS_PIXELS = 32
"""Side of the square under the lens, px of the picture."""
SETTINGS = (
    "position",
    "amplify",
    "period",
    "zoom",
    "center_x",
    "center_y",
    "lens",
    "lens_x",
    "lens_y",
)
"""What ``show`` sets, beside the mode and the two pictures."""

Picture = Tensor | Image.Image
Difference = tuple[Image.Image, float, int]
"""The amplified picture; mean and largest difference, in steps of 1/255."""


@dataclass(frozen=True)
class CompareScene:
    """Pictures of one scene by name, all of one size, and a caption for each.

    Args:
        pictures: name -> RGB image.
        captions: name -> the number that belongs beside the picture, or "".
    """

    pictures: dict[str, Image.Image]
    captions: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(
        cls, pictures: Mapping[str, Picture], captions: Mapping[str, str] | None
    ) -> "CompareScene":
        """Read and check what a person gave."""
        _require_count(pictures)
        images = {str(name): _to_rgb(picture, name) for name, picture in pictures.items()}
        _require_one_size(images)
        texts = {str(name): str(text) for name, text in (captions or {}).items()}
        for name in texts:
            require_name(name, list(images), "captions")
        return cls(images, texts)

    @property
    def names(self) -> list[str]:
        return list(self.pictures)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height, px."""
        return next(iter(self.pictures.values())).size

    def label(self, name: str) -> str:
        """The name and the number that belongs to it: ``bicubic 26.50 dB``."""
        return f"{name} {self.captions.get(name, '')}".strip()

    def detail(self, name: str, x: float, y: float) -> Image.Image:
        """The square under the lens at (x, y) in [0, 1], its pixels as they are."""
        return self.pictures[name].crop(lens_box(self.size, x, y))


def lens_box(size: tuple[int, int], x: float, y: float) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of the lens, px, always inside the picture."""
    side = min(LENS_PIXELS, *size)
    left = min(max(round(x * size[0] - side / 2), 0), size[0] - side)
    top = min(max(round(y * size[1] - side / 2), 0), size[1] - side)
    return left, top, left + side, top + side


def difference(first: Image.Image, second: Image.Image, factor: int) -> Difference:
    """``|first - second| * factor`` of each channel, cut at 255.

    Example:
        >>> black, gray = Image.new("RGB", (2, 2)), Image.new("RGB", (2, 2), "#030303")
        >>> image, mean, largest = difference(black, gray, 8)
        >>> image.getpixel((0, 0)), mean, largest
        ((24, 24, 24), 3.0, 3)
    """
    plain = ImageChops.difference(first, second)
    means = ImageStat.Stat(plain).mean
    bands: Any = plain.getextrema()
    largest = max(high for _, high in bands)
    amplified = plain.point([min(255, value * factor) for value in range(256)] * 3)
    return amplified, sum(means) / 3, largest


def liveliest_spot(first: Image.Image, second: Image.Image) -> tuple[float, float]:
    """Where two pictures differ most, as x and y in [0, 1].

    The lens starts there, so that the first look already shows something.
    """
    plain = ImageChops.difference(first, second).convert("L")
    columns, rows = (max(1, side // LENS_PIXELS) for side in plain.size)
    blocks = plain.resize((columns, rows), Image.Resampling.BOX).tobytes()
    best = blocks.index(max(blocks))
    return (best % columns + 0.5) / columns, (best // columns + 0.5) / rows


class Comparison(PosterMixin, HasTraits):
    """The state of a comparison, as traits that Python sets and reads.

    Positions are fractions of the picture: 0 is left or top, 1 is right or
    bottom.
    """

    names = List(Unicode()).tag(sync=True)
    captions = Dict().tag(sync=True)
    mode = Unicode("single").tag(sync=True)
    first = Unicode().tag(sync=True)
    second = Unicode().tag(sync=True)
    position = Float(0.5, min=0, max=1, help="the divider, of the shown part").tag(sync=True)
    amplify = Int(8, min=1, max=64, help="factor of difference").tag(sync=True)
    period = Float(0.7, min=0.4, max=5, help="seconds a picture stays").tag(sync=True)
    playing = Bool(False, help="whether blink runs").tag(sync=True)
    zoom = Float(1, min=1, max=MOST_ZOOM).tag(sync=True)
    center_x = Float(0.5, min=0, max=1).tag(sync=True)
    center_y = Float(0.5, min=0, max=1).tag(sync=True)
    lens = Bool(False).tag(sync=True)
    lens_x = Float(0.5, min=0, max=1).tag(sync=True)
    lens_y = Float(0.5, min=0, max=1).tag(sync=True)

    def __init__(self, scene: CompareScene, **kwargs: Any):
        self.scene = scene
        first, second = scene.names[0], scene.names[-1]
        x, y = liveliest_spot(scene.pictures[first], scene.pictures[second])
        super().__init__(
            names=scene.names,
            captions={name: scene.captions.get(name, "") for name in scene.names},
            first=first,
            second=second,
            lens_x=x,
            lens_y=y,
            **kwargs,
        )

    def show(
        self,
        mode: Mode,
        first: str | None = None,
        second: str | None = None,
        **settings: Any,
    ) -> str:
        """Show something, and say what is shown.

        Args:
            mode: ``"single"``, ``"side"`` (by side), ``"blink"``,
                ``"swipe"`` or ``"difference"``.
            first, second: names of pictures; without them, those shown now.
            settings: any of ``position`` (the divider, 0 to 1), ``amplify``
                (1 to 64), ``period`` (0.4 to 5 s), ``zoom`` (1 to 32),
                ``center_x``, ``center_y``, ``lens`` (on or off), ``lens_x``,
                ``lens_y``.

        Returns:
            The sentence that the widget shows too.

        Raises:
            ValueError: for an unknown mode, picture or setting, or a value
                out of range.
        """
        _require_settings(settings)
        new = {"mode": mode, "first": first or self.first, "second": second or self.second}
        _require_mode(mode)
        require_name(new["first"], self.names, "first")
        require_name(new["second"], self.names, "second")
        with self.hold_trait_notifications():
            for name, value in {**new, "playing": mode == "blink", **settings}.items():
                setattr(self, name, value)
        return self.status()

    def status(self) -> str:
        """What is shown, in words; compare.js says the same."""
        return f"{self._what()}{self._where()}."

    def summary(self) -> str:
        return f"Compare: {', '.join(map(self.scene.label, self.scene.names))}"

    def poster(self) -> Image.Image:
        pictures = self.scene.pictures.items()
        whole = [(picture, self.scene.label(name)) for name, picture in pictures]
        spot = self.lens_x, self.lens_y
        details = [(self.scene.detail(name, *spot), "") for name in self.scene.names]
        return stack(filmstrip(whole), filmstrip(details))

    def _what(self) -> str:
        first, second = self.scene.label(self.first), self.scene.label(self.second)
        if self.mode == "single":
            return first
        if self.mode == "side":
            return "side by side: " + ", ".join(map(self.scene.label, self.names))
        if self.mode == "blink":
            every = f"every {self.period:.1f} s" if self.playing else "stopped"
            return f"blinking {first} and {second}, {every}"
        if self.mode == "swipe":
            return f"{first} left, {second} right; divider at {round(100 * self.position)} %"
        _, mean, largest = self._difference()
        return (
            f"difference of {first} and {second}, times {self.amplify}; "
            f"mean {mean:.2f}, largest {largest} of 255"
        )

    def _where(self) -> str:
        zoomed = f"; zoom {self.zoom:.1f} times" if self.zoom > 1 else ""
        return zoomed + ("; lens on" if self.lens else "")

    def _difference(self) -> Difference:
        pictures = self.scene.pictures
        return difference(pictures[self.first], pictures[self.second], self.amplify)

    @validate("mode")
    def _known_mode(self, proposal: dict[str, Any]) -> Any:
        _require_mode(proposal["value"])
        return proposal["value"]

    @validate("first", "second")
    def _known_name(self, proposal: dict[str, Any]) -> Any:
        require_name(proposal["value"], self.scene.names, proposal["trait"].name)
        return proposal["value"]


def require_name(name: str, names: list[str], where: str) -> None:
    """Raise unless one of the pictures has this name."""
    if name not in names:
        raise ValueError(f"{where} names {name!r}, but the pictures are {', '.join(names)}.")


def _require_mode(mode: str) -> None:
    if mode not in MODES:
        raise ValueError(f"mode must be one of {', '.join(MODES)}, but got {mode!r}.")


def _require_settings(settings: dict[str, Any]) -> None:
    for name, value in settings.items():
        if name not in SETTINGS:
            raise ValueError(f"show has no setting {name!r}; there are {', '.join(SETTINGS)}.")
        _require_value(name, value)


def _require_value(name: str, value: Any) -> None:
    """Raise unless the trait ``name`` takes ``value``."""
    trait: Any = getattr(Comparison, name)
    if isinstance(trait, Bool):
        fits, wanted = isinstance(value, bool), "True or False"
    else:
        kinds = (int,) if isinstance(trait, Int) else (int, float)
        kind = "a whole number" if isinstance(trait, Int) else "a number"
        wanted = f"{kind} from {trait.min} to {trait.max}"
        fits = isinstance(value, kinds) and trait.min <= value <= trait.max
    if not fits:
        raise ValueError(f"{name} must be {wanted}, but got {value!r}.")


def _require_count(pictures: Mapping[str, Picture]) -> None:
    if not isinstance(pictures, Mapping):
        raise TypeError(
            f"pictures must be a dict of name and picture, but got a "
            f'{type(pictures).__name__}; write {{"bicubic": ..., "truth": ...}}.'
        )
    if not 2 <= len(pictures) <= MOST_PICTURES:
        raise ValueError(
            f"pictures must be 2 to {MOST_PICTURES}, but got {len(pictures)}; "
            f"there is nothing to compare, or no key for each."
        )


def _to_rgb(picture: Picture, name: str) -> Image.Image:
    """An RGB image of 8 bits of a tensor or of any PIL image."""
    if isinstance(picture, Image.Image):
        return to_image(read_image(picture))
    if isinstance(picture, Tensor):
        return to_image(picture)
    raise TypeError(
        f"{name} is a {type(picture).__name__}, but a tensor (1, 3, h, w) or a PIL "
        f"image was expected; srlab.images.read_image makes one."
    )


def _require_one_size(images: dict[str, Image.Image]) -> None:
    (name, image), *others = images.items()
    for other, candidate in others:
        if candidate.size != image.size:
            raise ValueError(
                f"{other} is {candidate.height} x {candidate.width} px and {name} is "
                f"{image.height} x {image.width} px, but all pictures must have one size; "
                f"enlarge or crop one of them."
            )
