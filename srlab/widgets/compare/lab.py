"""Compare pictures of one scene: blink, swipe, difference, zoom, lens."""

from collections.abc import Mapping
from typing import Any, Literal, get_args

from traitlets import Bool, Dict, Float, Int, List, Unicode, validate

from srlab.require import require_one_of
from srlab.widgets.compare.scene import (
    CompareScene,
    Difference,
    Picture,
    difference,
    liveliest_spot,
    require_name,
)
from srlab.widgets.kit.lab import Lab
from srlab.widgets.kit.pictures import png

Mode = Literal["single", "side", "blink", "swipe", "difference"]
MODES: tuple[Mode, ...] = get_args(Mode)
MOST_ZOOM = 32
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


class Comparison(Lab):
    """The state of a comparison, as traits that Python sets and reads.

    Positions are fractions of the picture: 0 is left or top, 1 is right or
    bottom.
    """

    view = Unicode("compare").tag(sync=True)
    pictures = List(Dict(), help="of one size, as PNG: nothing is lost").tag(sync=True)
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
            pictures=[
                png(picture, name, scene.captions.get(name, ""))
                for name, picture in scene.pictures.items()
            ],
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
        require_one_of(mode, MODES, "mode")
        for name in ("first", "second"):
            require_name(new[name], self.scene.names, name)
        with self.hold_sync(), self.hold_trait_notifications():
            for name, value in {**new, "playing": mode == "blink", **settings}.items():
                self.set_trait(name, value)
        return self.status()

    def status(self) -> str:
        """What is shown, in words; looks.js says the same."""
        return f"{self._what()}{self._where()}."

    def summary(self) -> str:
        return f"Compare: {', '.join(map(self.scene.label, self.scene.names))}"

    def _what(self) -> str:
        first, second = self.scene.label(self.first), self.scene.label(self.second)
        if self.mode == "single":
            return first
        if self.mode == "side":
            return "side by side: " + ", ".join(map(self.scene.label, self.scene.names))
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
        require_one_of(proposal["value"], MODES, "mode")
        return proposal["value"]

    @validate("first", "second")
    def _known_name(self, proposal: dict[str, Any]) -> Any:
        require_name(proposal["value"], self.scene.names, proposal["trait"].name)
        return proposal["value"]


def _require_settings(settings: dict[str, Any]) -> None:
    for name, value in settings.items():
        if name not in SETTINGS:
            raise ValueError(f"show has no setting {name!r}; there are {', '.join(SETTINGS)}.")
        _require_value(name, value)


def _require_value(name: str, value: Any) -> None:
    """Raise unless the trait ``name`` takes ``value``."""
    trait: Any = Comparison.class_traits()[name]
    if isinstance(trait, Bool):
        fits, wanted = isinstance(value, bool), "True or False"
    else:
        kinds = (int,) if isinstance(trait, Int) else (int, float)
        kind = "a whole number" if isinstance(trait, Int) else "a number"
        wanted = f"{kind} from {trait.min} to {trait.max}"
        fits = isinstance(value, kinds) and trait.min <= value <= trait.max
    if not fits:
        raise ValueError(f"{name} must be {wanted}, but got {value!r}.")


def compare(
    pictures: Mapping[str, Picture],
    captions: Mapping[str, str] | None = None,
) -> Comparison:
    """Lay pictures of one scene over each other, to look for differences.

    One picture at a time, all side by side, blinking, with a divider to
    swipe, or their amplified difference; zoom and lens go along.

    Args:
        pictures: name -> float tensor ``(1, 3, h, w)`` in [0, 1], or PIL
            image; two to nine, all of one size.
        captions: name -> the number that belongs beside the picture, such
            as ``{"bicubic": "26.50 dB"}``.

    Returns:
        A widget. Its ``show`` drives it from code, its traits ``mode``,
        ``first``, ``second``, ``position``, ``zoom``, ``lens`` ... can be
        set and read.

    Raises:
        TypeError, ValueError: for another number of pictures, pictures of
            different size, or a caption without a picture.

    Example:
        >>> from PIL import Image
        >>> pair = {name: Image.new("RGB", (9, 9), name) for name in ("gray", "white")}
        >>> compare(pair, {"gray": "6.06 dB"}).show("swipe", position=0.4)
        'gray 6.06 dB left, white right; divider at 40 %.'
    """
    return Comparison(CompareScene.of(pictures, captions))
