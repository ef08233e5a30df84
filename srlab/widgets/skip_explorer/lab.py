"""SkipExplorer: mute a UNet's skips, and see what they carried."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor
from traitlets import Dict, Enum, Float, List, Unicode

from srlab.require import require_one_of
from srlab.scoring import Scene
from srlab.unet import UNet
from srlab.widgets.kit.lab import Lab, finite_each
from srlab.widgets.kit.pictures import amplified, own_pictures, png
from srlab.widgets.skip_explorer.reading import (
    AS_TRAINED,
    LEAST_SIDE,
    MOST_GAIN,
    STEP,
    Quality,
    SkipReading,
    Trained,
    amplification,
    fingerprint,
    look,
    look_as_trained,
    quality_of,
    require_gain,
    require_unet,
    skip_names,
)
from srlab.widgets.workbench import VIEWS, photo_view
from srlab.zoo import load_model

SHIPPED, YOURS = "unet-x4", "yours"
ASLEEP = "The network adds nothing to bicubic yet, so no skip matters; train it first."


class SkipExplorer(Lab):
    """A UNet whose skips can be turned up and down.

    The picture, PSNR and sharpness follow at once; beside them stands what the
    skips carried: the picture as trained minus the picture now. It opens with
    the UNet that comes with srlab. Networks are only looked at: their weights
    and mode stay as they are.

    Args:
        model: a trained UNet of one's own, of any scale, depth and encoder;
            ``set("network", "yours")`` shows it.
        photos: name -> the truth ``(1, 3, h, w)``, RGB in [0, 1], at least 24 px
            on each side and at most 512 × 512 px in all; parts of the validation
            photographs without one.
        photo: which is shown first.

    Attributes:
        figures: ``psnr`` (dB) and ``sharpness`` of ``bicubic``, ``as
            trained`` and ``now``.
        changes: the same, now minus as trained.
        muted_alone: the changes of muting each skip alone, and of ``all
            skips``.
        shapes: every map's shape, by name, in the order in which they are
            made.

    Raises:
        TypeError: if the model is no UNet, or a photo no picture.
        ValueError: for a photo of another size, or a name that is not there.

    Example:
        >>> explorer = SkipExplorer()
        >>> explorer.set("skip 1", 0)
        >>> round(explorer.changes["psnr"], 1)
        -0.5
    """

    view = Unicode("skips").tag(sync=True)
    choices = Dict(help="setting -> what it can be").tag(sync=True)
    said = Unicode().tag(sync=True)
    topic = Unicode().tag(sync=True)
    note = Unicode().tag(sync=True)
    skips = List(Unicode(), help="of the network, finest first").tag(sync=True)
    figures = Dict().tag(sync=True)
    changes = Dict().tag(sync=True)
    muted_alone = Dict().tag(sync=True)
    shapes = Dict().tag(sync=True)
    sizes = Dict(help="map -> mean of its absolute values").tag(sync=True)
    bicubic = Dict().tag(sync=True)
    trained = Dict().tag(sync=True)
    now = Dict().tag(sync=True)
    carried = Dict().tag(sync=True)
    truth = Dict().tag(sync=True)

    def __init__(
        self,
        model: UNet | None = None,
        photos: Mapping[str, Tensor] | None = None,
        photo: str | None = None,
    ):
        self.networks: dict[str, UNet] = {SHIPPED: load_model(SHIPPED, 4)}  # type: ignore[dict-item]
        if model is not None:
            require_unet(model)
            self.networks[YOURS] = model
        if photos == {}:
            raise ValueError(
                'photos is empty; give at least one, such as {"mine": picture}, '
                "or leave it out."
            )
        own = own_pictures(photos or {}, "photos", least=LEAST_SIDE)
        self.photos = own or {name: photo_view(name) for name in VIEWS}
        first = next(iter(self.photos)) if photo is None else photo
        require_one_of(first, self.photos, "photo")
        self._kept: tuple[Any, tuple[Trained, dict[str, Any]]] | None = None
        self._add_settings(first)
        names = {"network": [*self.networks], "photograph": [*self.photos]}
        super().__init__(choices=names)
        self.presses["as_trained"] = self.as_trained
        self._show()

    # What notebooks and tests call

    def set(self, name: str, value: float | str) -> None:
        """Move a control, and look.

        Args:
            name: ``"skip 1"`` for the finest, and so on; ``"photograph"``; or
                ``"network"``.
            value: of a skip its gain, 0 (muted) to 2, where 1 is as trained,
                to the nearest of the slider's steps of 0.05; of the others a
                name.

        Raises:
            TypeError, ValueError: for a name or a value that is not there.
        """
        require_one_of(name, [*self.skips, *self.choices], "name")
        if name in self.choices:
            require_one_of(value, self.choices[name], name)
            self._show(**{name: value})
        else:
            require_gain(value, name)
            gain = round(round(float(value) / STEP) * STEP, 2)
            self._show(**{trait_of(name): gain})

    def as_trained(self) -> None:
        """Every gain back to 1."""
        self._show(**dict.fromkeys(map(trait_of, self.skips), AS_TRAINED))

    @property
    def model(self) -> UNet:
        """The network that is shown."""
        return self.networks[self.reading.network]

    @property
    def gains(self) -> list[float]:
        """Of each skip, finest first."""
        return list(self.reading.gains)

    def summary(self) -> str:
        return f"SkipExplorer: {self.reading}"

    # Looking

    def changed(self, name: str, value: Any) -> None:  # noqa: ARG002
        """Look again; if that fails, the page says why, and all stands as before."""
        try:
            self._show()
        except (RuntimeError, ValueError) as error:
            self.tell(error=f"{error}", **self._shown)

    def _add_settings(self, photo: str) -> None:
        """A trait for each choice, and for each skip of the deepest network."""
        deepest = max(map(skip_names, self.networks.values()), key=len)
        settings: dict[str, Any] = {
            "network": Enum([*self.networks], SHIPPED),
            "photograph": Enum([*self.photos], photo),
            **{trait_of(name): Float(AS_TRAINED, min=0, max=MOST_GAIN) for name in deepest},
        }
        traits = {n: trait.tag(sync=True, setting=True) for n, trait in settings.items()}
        self.add_traits(**traits)

    def _settings(self) -> dict[str, Any]:
        return self.trait_values(setting=True)

    def _show(self, **moved: Any) -> None:
        """Look with these settings, then tell them and what was seen, in one message."""
        with self._sending:  # moves may come from any thread: one at a time
            settings = {**self._settings(), **moved}
            seen = self._look(**settings)
            self._shown = settings
            self.tell(error="", **settings, **seen)

    def _look(self, network: str, photograph: str, **gains: float) -> dict[str, Any]:
        """All or nothing: what is shown belongs together."""
        names = skip_names(self.networks[network])
        used = tuple(gains[trait_of(name)] for name in names)
        trained, still = self._as_trained(network, photograph)
        picture, flow = look(self.networks[network], trained.scene.lr, used)
        difference = trained.picture - picture
        qualities = {**trained.qualities, "now": quality_of(trained.scene, picture)}
        self.reading = reading = SkipReading(
            network, photograph, used, qualities,
            255 * difference.abs().mean().item(), amplification(difference), flow,
        )  # fmt: skip
        return {
            "said": str(reading),
            "topic": f"{network} {photograph} {used}",
            "note": "" if trained.awake() else ASLEEP,
            "skips": names,
            "figures": {name: finite_each(found) for name, found in qualities.items()},
            "changes": finite_each(reading.change),
            "muted_alone": {
                name: finite_each(change) for name, change in trained.alone.items()
            },
            "shapes": dict(flow.shapes),
            "sizes": finite_each(flow.sizes),
            "now": png(picture, "now", _caption(qualities["now"])),
            "carried": _carried(reading, difference),
            **still,
        }

    def _as_trained(self, network: str, photograph: str) -> tuple[Trained, dict[str, Any]]:
        """Looked at once for each photograph, and again after more training."""
        model = self.networks[network]
        key = network, photograph, fingerprint(model)
        if self._kept is None or self._kept[0] != key:
            scene = Scene(self.photos[photograph], model.scale)
            trained = look_as_trained(model, scene)
            self._kept = key, (trained, _still(trained))
        return self._kept[1]


def trait_of(skip: str) -> str:
    """``skip 1`` -> ``gain_1``."""
    return skip.replace("skip ", "gain_")


def _still(trained: Trained) -> dict[str, Any]:
    """The pictures that do not follow the sliders."""
    bicubic, whole = (trained.qualities[name] for name in ("bicubic", "as trained"))
    return {
        "bicubic": png(trained.scene.bicubic.clamp(0, 1), "bicubic", _caption(bicubic)),
        "trained": png(trained.picture, "as trained", _caption(whole)),
        "truth": png(trained.scene.hr, "truth", "sharpness 1"),
    }


def _carried(reading: SkipReading, difference: Tensor) -> dict[str, Any]:
    mean = f"mean {reading.difference:.2f} of 255"
    return png(
        amplified(difference, reading.factor),
        "as trained − now",
        f"× {reading.factor}, {mean}",
        alt=f"as trained − now, × {reading.factor}: {mean}, {reading.settings()}",
    )


def _caption(quality: Quality) -> str:
    return f"{quality['psnr']:.2f} dB, sharpness {quality['sharpness']:.3f}"
