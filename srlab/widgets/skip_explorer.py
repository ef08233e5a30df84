"""SkipExplorer: mute a UNet's skips, and see what they carried."""

import html
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ipywidgets import HTML, Button, Dropdown, FloatSlider, HBox, Layout, VBox
from PIL import Image
from torch import Tensor

from srlab.images import to_image
from srlab.scoring import Scene
from srlab.unet import UNet
from srlab.widgets.parts import TEXT, LivePicture
from srlab.widgets.poster import PosterMixin, filmstrip, stack, text_lines
from srlab.widgets.skip_reading import (
    AS_TRAINED,
    MOST_GAIN,
    STEP,
    QualityChange,
    Shape,
    SkipReading,
    Trained,
    amplification,
    amplified,
    embedded_views,
    fingerprint,
    look,
    look_as_trained,
    own_photos,
    quality_of,
    require_gain,
    require_name,
    require_unet,
    skip_names,
)
from srlab.widgets.skip_table import (
    carried_html,
    mute_label,
    quality_html,
    rows_text,
    status_html,
    table_html,
)
from srlab.widgets.slider_names import slider_names
from srlab.widgets.unet_drawing import MUTED, draw_unet, unet_in_words

SIDE = 256  # px on the page, at most
PICTURES = ("bicubic", "as trained", "now", "carried")
ASLEEP = "The network adds nothing to bicubic yet, so no skip matters; train it first."
LEGEND = (
    "Brings and carries: mean size of the values that reach a merge from below and through "
    "the skip, as the gains are now. Dashed: muted."
)

LookKey = tuple[str, tuple[float, ...]]
"""A photograph's name, and the model's fingerprint."""


class SkipExplorer(PosterMixin, VBox):  # type: ignore[misc]
    """A UNet whose skips can be turned up and down.

    The picture, PSNR and sharpness follow at once; beside them stands what the
    skips carried: the picture as trained minus the picture now. The model is
    only looked at: its weights and mode stay as they are.

    Args:
        model: a trained UNet, of any depth and with any encoder.
        photos: name -> the truth ``(1, 3, h, w)``, RGB in [0, 1], 24 to 512 px
            on each side; parts of the validation photographs without one.
        photo: which is shown first.

    Raises:
        TypeError: if the model is no UNet, or a photo no picture.
        ValueError: for a photo of another size, or a name that is not there.

    Example:
        >>> explorer = SkipExplorer(UNet(4, num_features=8, depth=2))
        >>> explorer.set("skip 1", 0)
        >>> explorer.shapes["skip 1"]
        (1, 8, 32, 32)
    """

    def __init__(
        self, model: UNet, photos: Mapping[str, Tensor] | None = None, photo: str | None = None
    ):
        require_unet(model)
        self.model = model
        self.photos = embedded_views() if photos is None else own_photos(photos)
        first = next(iter(self.photos)) if photo is None else photo
        require_name(first, self.photos, "photo")
        # Callbacks may come from any thread, so one looks at a time.
        self._lock = threading.RLock()
        self._choosing = False
        self._kept: tuple[LookKey, Trained] | None = None
        self._before = dict.fromkeys(skip_names(model), AS_TRAINED)
        super().__init__()
        self._build(first)
        self._look()

    # What notebooks and tests call

    def set(self, name: str, value: float | str) -> None:
        """Move a control, and look.

        Args:
            name: ``"skip 1"`` for the finest, and so on; or ``"photograph"``.
            value: of a skip its gain, 0 (muted) to 2, where 1 is as trained,
                to the nearest of the slider's steps of 0.05; of the
                photograph its name.

        Raises:
            TypeError, ValueError: for a name or a value that is not there.
        """
        require_name(name, [*self.sliders, "photograph"], "name")
        if name == "photograph":
            require_name(value, self.photos, "photograph")
            self._move({self.photograph: value})
        else:
            require_gain(value, name)
            self._move({self.sliders[name]: round(round(float(value) / STEP) * STEP, 2)})

    def as_trained(self) -> None:
        """Every gain back to 1."""
        self._move(dict.fromkeys(self.sliders.values(), AS_TRAINED))

    @property
    def gains(self) -> list[float]:
        """As the sliders have them, finest first."""
        return [slider.value for slider in self.sliders.values()]

    @property
    def figures(self) -> dict[str, dict[str, float]]:
        """``psnr`` (dB) and ``sharpness`` of ``bicubic``, ``as trained`` and ``now``."""
        return {name: vars(quality).copy() for name, quality in self.reading.qualities.items()}

    @property
    def changes(self) -> QualityChange:
        """``psnr`` (dB) and ``sharpness``, now minus as trained."""
        return self.reading.change

    @property
    def muted_alone(self) -> dict[str, QualityChange]:
        """The changes of muting each skip alone, and of ``all skips``."""
        return {name: change.copy() for name, change in self._trained.alone.items()}

    @property
    def shapes(self) -> dict[str, Shape]:
        """Every map's shape, by name, in the order in which they are made."""
        return dict(self.reading.flow.shapes)

    # Poster

    def summary(self) -> str:
        return f"SkipExplorer: {self.reading}"

    def poster(self) -> Image.Image:
        with self._lock:
            strip = [
                (to_image(picture), self._label(name))
                for name, picture in self._pictures.items()
            ]
            rows = rows_text(self.muted_alone)
            lines = text_lines([*self.reading.lines(), "", *rows, ""])
            return stack(filmstrip(strip), lines, self._drawing())

    # Looking

    def _look(self) -> None:
        self._measure()
        self._draw()

    def _measure(self) -> None:
        """All or nothing: what is shown belongs together."""
        trained = self._as_trained()
        now, flow = look(self.model, trained.scene.lr, self.gains)
        carried = trained.picture - now
        factor = amplification(carried)
        reading = SkipReading(
            self.photograph.value, tuple(self.gains),
            {**trained.qualities, "now": quality_of(trained.scene, now)},
            255 * carried.abs().mean().item(), factor, flow,
        )  # fmt: skip
        pictures = {
            "bicubic": trained.scene.bicubic.clamp(0, 1),
            "as trained": trained.picture, "now": now, "carried": amplified(carried, factor),
        }  # fmt: skip
        self.reading, self._trained, self._pictures = reading, trained, pictures

    def _as_trained(self) -> Trained:
        """Looked at once for each photograph, and again after more training."""
        key = self.photograph.value, fingerprint(self.model)
        if self._kept is None or self._kept[0] != key:
            scene = Scene(self.photos[key[0]], self.model.scale)
            self._kept = key, look_as_trained(self.model, scene)
        return self._kept[1]

    # Showing

    def _draw(self) -> None:
        reading = self.reading
        for name, (picture, caption) in self._views.items():
            picture.show(_enlarged(self._pictures[name]), self._alt(name))
            caption.value = self._caption(name)
        words = unet_in_words(reading.flow, reading.gains)
        self._u.show(self._drawing(), words)
        for (name, slider), button in zip(self.sliders.items(), self._mutes, strict=True):
            button.description = mute_label(name, slider.value)
        self._table.value = table_html(self.muted_alone, reading.photograph)
        self._alert.value = ""
        self._status.value = status_html(reading, "" if self._trained.awake() else ASLEEP)

    def _drawing(self) -> Image.Image:
        return draw_unet(self.reading.flow, self.reading.gains)

    def _carried_name(self) -> str:
        return f"as trained − now, × {self.reading.factor}"

    def _label(self, name: str) -> str:
        """A picture's name and number, for the poster."""
        if name == "carried":
            return self._carried_name()
        return f"{name} {self.reading.qualities[name].psnr:.2f} dB"

    def _alt(self, name: str) -> str:
        if name == "carried":
            return (
                f"{self._carried_name()}: mean {self.reading.difference:.2f} of 255, "
                f"{self.reading.settings()}"
            )
        quality = self.reading.qualities[name]
        return f"{name}: {quality.psnr:.2f} dB, sharpness {quality.sharpness:.3f}"

    def _caption(self, name: str) -> str:
        if name == "carried":
            return carried_html(self.reading)
        change = self.changes if name == "now" else None
        return quality_html(name, self.reading.qualities[name], change)

    # Controls

    def _build(self, first: str) -> None:
        self.photograph = Dropdown(
            options=list(self.photos), value=first, description="Photograph",
            tooltip="which picture the network enlarges",
        ).add_class("srlab-photograph")  # fmt: skip
        self._restore = _button(
            "All as trained", "restore-all", "Every gain back to 1", self.as_trained
        )
        self.sliders = {name: _slider(name) for name in self._before}
        self._mutes = [self._mute_button(name) for name in self.sliders]
        for control in (self.photograph, *self.sliders.values()):
            control.observe(self._on_change, "value")
        self._views = {name: _view(name) for name in PICTURES}
        self._u = LivePicture("unet", "png")
        self._u.layout.margin = "12px 2px 2px 2px"
        self._status, self._alert, self._table = HTML(), HTML(), HTML()
        self.children = self._rows()
        self.add_class("srlab-skip-explorer")

    def _rows(self) -> list[Any]:
        skips = [
            HBox([slider, button], layout=_wrap())
            for slider, button in zip(self.sliders.values(), self._mutes, strict=True)
        ]
        views = [
            VBox(view, layout=Layout(flex="1 1 165px", max_width=f"{SIDE + 8}px"))
            for view in self._views.values()
        ]
        return [
            HBox([self.photograph, self._restore], layout=_wrap()),
            *skips, self._status, self._alert, HBox(views, layout=_wrap()),
            self._u, HTML(f'<div style="{TEXT}"><small>{LEGEND}</small></div>'), self._table,
            *slider_names(),
        ]  # fmt: skip

    def _mute_button(self, name: str) -> Button:
        tip = f"{name} carries nothing, or again what it carried"
        label, css = mute_label(name, AS_TRAINED), f"mute-{name.split()[1]}"
        return _button(label, css, tip, lambda: self._mute(name))

    def _mute(self, name: str) -> None:
        """Mute a skip, or give it back the gain that it had before."""
        gain = self.sliders[name].value
        if gain >= MUTED:
            self._before[name] = gain
        self._move({self.sliders[name]: self._before[name] if gain < MUTED else 0.0})

    def _move(self, values: Mapping[Any, Any]) -> None:
        """Set controls and look once; if that fails, they stand as before."""
        with self._lock:
            before = {control: control.value for control in values}
            try:
                self._put(values)
                self._measure()
            except BaseException:  # Ctrl-C too: what is set and what was measured agree
                self._put(before)
                raise
            self._draw()

    def _put(self, values: Mapping[Any, Any]) -> None:
        with self._quietly():
            for control, value in values.items():
                control.value = value

    def _on_change(self, _: Any) -> None:
        with self._lock:
            if self._choosing:  # several controls move; looked at once, after the last
                return
            try:
                self._look()
            except (RuntimeError, ValueError) as error:
                self._alert.value = f'<p role="alert">{html.escape(str(error))}</p>'

    @contextmanager
    def _quietly(self) -> Iterator[None]:
        self._choosing = True
        try:
            yield
        finally:
            self._choosing = False


def _slider(name: str) -> FloatSlider:
    slider = FloatSlider(
        value=AS_TRAINED, min=0, max=MOST_GAIN, step=STEP, description=name,
        tooltip=f"Factor on what {name} carries: 0 mutes it, 1 is as trained",
        layout=Layout(width="420px"),
    )  # fmt: skip
    slider.style.description_width = "70px"
    return slider.add_class(f"srlab-{name.replace(' ', '-')}")


def _button(label: str, css: str, tip: str, action: Callable[[], None]) -> Button:
    button = Button(description=label, tooltip=tip)
    button.on_click(lambda _: action())
    return button.add_class(f"srlab-{css}")


def _view(name: str) -> tuple[LivePicture, HTML]:
    """A picture, and what stands beneath it."""
    return LivePicture(f"skips-{name}".replace(" ", "-"), "png"), HTML()


def _enlarged(picture: Tensor) -> Image.Image:
    """By whole squares, so that pixels can be seen; a large one as it is."""
    image = to_image(picture)
    factor = max(1, SIDE // max(image.size))
    return image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST)


def _wrap() -> Layout:
    return Layout(flex_flow="row wrap")
