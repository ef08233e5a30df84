"""PhotoDesk: enlarge a photograph of your own, compare, and take it home."""

import os
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ipywidgets import (
    HTML,
    Checkbox,
    Dropdown,
    HBox,
    IntSlider,
    Layout,
    Text,
    VBox,
)
from PIL import Image
from torch import Tensor

from srlab.files import ASSETS, at_home, free_path
from srlab.images import picture_suffixes, save_image
from srlab.widgets.compare import compare
from srlab.widgets.kit.live import LiveTraining, State
from srlab.widgets.parts import TEXT, LivePicture, action_button, bytes_text
from srlab.widgets.photo_look import PartBox, PartLook, is_whole, part_box, take_look
from srlab.widgets.photo_shelf import Model, Networks, PhotoShelf, Source
from srlab.widgets.photo_task import Enlargement, Task, make_task
from srlab.widgets.photo_views import (
    INVENTED,
    alert,
    cautions_html,
    framed,
    go_on,
    hint,
    how_far,
    line,
    link_html,
    png_of,
    progress_html,
    spoken,
)
from srlab.widgets.poster import PosterMixin, filmstrip, stack, text_lines
from srlab.widgets.slider_names import slider_names
from srlab.widgets.upload import Upload, upload_button

EXAMPLE = "citrus-slices"
"""An embedded photograph that the shipped models never saw in training."""

MOST_LINK_BYTES = 8_000_000
"""A larger picture is not offered as a link, which would lie in the page as text."""

MOST_UPLOAD_BYTES = 200_000_000
"""A picture of ``MAX_PIXELS`` hardly has more, and the desk keeps what it was given."""

MOST_LINK_PIXELS = 8_000_000  # more would hardly fit, and trying takes time

EXTRAS = {".heic", ".heif", ".jxl"}
"""Sent too where the package that reads them is missing: the kernel then names it."""

SECONDS_BETWEEN_ANNOUNCEMENTS = 10.0

CONTROLS = ("photograph", "model", "shrink", "across", "down")


@dataclass(frozen=True)
class Setting:
    """What the controls say.

    Args:
        photograph, model: names.
        shrink: whether the photograph is made smaller first.
        across, down: where the compared part is, 0 ... 100 %.
    """

    photograph: str
    model: str
    shrink: bool = False
    across: int = 50
    down: int = 50

    def same_task(self, other: "Setting") -> bool:
        """Whether both enlarge the same, wherever they look."""
        return replace(self, across=other.across, down=other.down) == other


class PhotoDesk(PosterMixin, VBox):  # type: ignore[misc]
    """Enlarge photographs with any network, compare, and save.

    A part of the photograph is enlarged and compared at once. ``Enlarge``
    computes the whole, tile by tile and beside the page.

    Args:
        model: the name of the one to begin with; it also decides the scale.
        models: name -> network or checkpoint file, offered beside the
            shipped ones. A network says its ``scale``.

    Raises:
        TypeError, ValueError: if there is no such model, or one is none.

    Example:
        >>> desk = PhotoDesk("pixel-x2")
        >>> desk.open(Image.new("RGB", (30, 20), "gray"))
        >>> desk.enlarge().size
        (60, 40)
    """

    setting: Setting
    task: Task
    job: Enlargement
    look: PartLook | None

    def __init__(self, model: str = "pixel-x4", models: Mapping[str, Model] | None = None):
        self._networks = Networks(models)
        _require_one_of("model", model, self._networks.names)
        self._photographs = PhotoShelf(EXAMPLE, ASSETS / "photos" / f"{EXAMPLE}.jpg")
        super().__init__()
        self.png = b""
        self._linked: Image.Image | None = None
        self._written: set[Path] = set()
        self._announced: tuple[object, float] = (None, 0.0)
        self._complaints: tuple[str, ...] = ()
        self._comparison: Any = None
        self.live = LiveTraining(self)
        self._build(model)
        self._apply(Setting(EXAMPLE, model))
        self.draw("ready")

    # What notebooks call

    def open(
        self, source: str | os.PathLike[str] | Image.Image | None = None, name: str = ""
    ) -> None:
        """Put a photograph on the desk.

        Args:
            source: a file, or a PIL image of any kind.
            name: what to call it; the file's name without one.

        Raises:
            TypeError: if it is neither.
            OSError, ValueError: if it is no picture, damaged or too large.
        """
        if source is None:  # every widget has an open of its own, for its line to the page
            super().open()
        elif isinstance(source, Image.Image):
            self._here(lambda: self._open(name or "picture", source))
        elif isinstance(source, str | os.PathLike):
            path = at_home(source)
            self._here(lambda: self._open(name or path.name, path))
        else:
            raise TypeError(
                f"A file or a PIL image was expected, but got a {type(source).__name__}; "
                f"srlab.images.to_image makes one of a tensor."
            )

    def choose(
        self,
        *,
        photograph: str | None = None,
        model: str | None = None,
        shrink: bool | None = None,
        across: int | None = None,
        down: int | None = None,
    ) -> str:
        """Set any of the controls.

        Args:
            photograph: name of one that was opened.
            model: name of one that is offered.
            shrink: make the photograph smaller first, by the model's scale;
                then the truth is known, and there are figures.
            across, down: where the compared part is, 0 to 100 %.

        Returns:
            What is shown, in words.

        Raises:
            OSError, ValueError: for an unknown choice, or one that cannot be
                done.
        """
        _require_one_of("photograph", photograph, self._photographs.names)
        _require_one_of("model", model, self._networks.names)
        _require_percent("across", across)
        _require_percent("down", down)
        wanted = dict(zip(CONTROLS, (photograph, model, shrink, across, down), strict=True))
        given = {name: value for name, value in wanted.items() if value is not None}
        self._here(lambda: self._choose(given))
        return self.summary()

    def enlarge(self) -> Image.Image:
        """Enlarge the whole photograph here and now.

        Returns:
            An image as ``upscale`` gives it, the model's scale times as wide
            and high: with the photograph's transparency, gray, 16 bits of
            gray, and what it says of itself, as far as it has them.

        Raises:
            ValueError: if the enlarged picture would be too large.
        """
        while not self.job.finished:
            self.live.run_steps(self.job.total - self.job.done)
        return self.result

    def start(self) -> None:
        """Enlarge the whole in the background, or go on."""
        self.live.do(self._complain)
        self.live.start()

    def stop(self) -> None:
        """Stop after the present tile, and wait for that; ``start`` goes on."""
        self.live.pause()
        self.live.wait()

    @property
    def result(self) -> Image.Image:
        """The enlarged photograph.

        Raises:
            ValueError: if it is not enlarged yet.
        """
        if not self.job.finished or self.job.image is None:
            raise ValueError(
                f"{self.task.photo} is not enlarged yet; call enlarge() or press Enlarge first."
            )
        return self.job.image

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write the enlarged photograph, all of it or nothing.

        Args:
            path: its ending says the kind of file.
            overwrite: replace a file that something else than this desk
                wrote. Without it such a file stays, and the name gets
                ``-2``, with a warning.

        Returns:
            Where it was written.

        Raises:
            OSError: if it cannot be written.
            ValueError: if it is not enlarged yet, or the file name's ending
                names no kind of picture.
        """
        result, wanted = self.result, at_home(path).absolute()
        target = wanted if overwrite else free_path(wanted, own=self._written)
        save_image(result, target)
        self._written.add(target)
        if target != wanted:
            warnings.warn(
                f"{wanted.name} exists already, so {target.name} was written; "
                f"overwrite=True replaces it.",
                stacklevel=2,
            )
        return target

    @property
    def cautions(self) -> tuple[str, ...]:
        """What a person should know of the photograph, a sentence each."""
        return self._photographs.read(self.setting.photograph).cautions

    @property
    def figures(self) -> dict[str, dict[str, float]]:
        """Name -> PSNR, sharpness and ridge of the compared part; empty without a truth."""
        return self.look.figures if self.look else {}

    # What the live work calls, from one thread at a time

    def steps(self) -> Iterator[int]:
        """A tile for each item asked for, as long as there is one left."""
        while True:
            if not self.job.finished:
                self.job.advance()
            if self.job.finished:
                self._finish()
                self.live.pause()
            yield self.job.done

    def change(self, name: str, value: Any) -> None:
        """Take over a control's value; what cannot be done goes back."""
        wanted: Any = {name: value}
        if getattr(self.setting, name) == value:
            return
        self._guarded(lambda: self._apply(replace(self.setting, **wanted)))
        control, true = getattr(self, name), getattr(self.setting, name)
        if value != true and control.value == value:  # refused, and not moved on since
            control.value = true

    def start_over(self) -> None:
        """Forget the tiles that were computed."""
        self.job = Enlargement(self.task)

    def draw(self, state: State, error: str = "") -> None:
        """Show how far the work is."""
        if error:
            self._complain(error)
        word = self._word(state)
        self._enlarge.disabled = word in ("running", "done")
        self._stop.disabled = word != "running"
        self._save.disabled = word != "done"
        self._progress.value = progress_html(self.job, word)
        self._show_link()
        self._announce(word)

    # Poster

    def summary(self) -> str:
        """One sentence for readers without a kernel."""
        captions = self.look.captions() if self.look else {}
        figures = "".join(f"; {name} {text}" for name, text in captions.items())
        return f"PhotoDesk: {self.task}{figures}"

    def poster(self) -> Image.Image:
        """The photograph, and a part of it compared."""
        lines = text_lines([self.summary(), "Detail that was not there before is invented."])
        shown = [_compared(self.look)] if self.look else []
        box = _part(self.task, self.setting, self.job)
        return stack(lines, framed(self._seen(), self.task, box), *shown)

    # Work: done by the worker, so that two of it never meet

    def _apply(self, setting: Setting) -> None:
        """Make true what the controls say; all of it or, with an error, nothing."""
        before = getattr(self, "setting", None)
        if before and setting.same_task(before):
            task, job = self.task, self.job
            look = self._look_elsewhere(setting, before)
        else:
            task = self._task(setting)
            job = Enlargement(task)
            look = _look(task, setting, job)
        if job is not getattr(self, "job", None):
            self.live.pause()
        self.setting, self.task, self.job, self.look = setting, task, job, look
        self._cautions.value = cautions_html(self.cautions)
        self._show_look()

    def _look_elsewhere(self, setting: Setting, before: Setting) -> PartLook | None:
        """Another part of the same task; the frame is there before the part."""
        try:
            self._show_place(setting)
            return _look(self.task, setting, self.job)
        except BaseException:
            self._show_place(before)
            raise

    def _choose(self, given: Mapping[str, Any]) -> None:
        """Apply what no control said, and let those controls say it.

        The others are not touched: a person may have moved one since.
        """
        wanted: Any = given
        self._apply(replace(self.setting, **wanted))
        if self._photographs.names != self.photograph.options:
            self.photograph.options = self._photographs.names
        for name, value in given.items():
            getattr(self, name).value = value

    def _task(self, setting: Setting) -> Task:
        parts = self._photographs.read(setting.photograph).parts
        network, scale = self._networks.load(setting.model)
        return make_task(
            setting.photograph, parts, setting.model, network, scale, shrink=setting.shrink
        )

    def _open(self, name: str, source: Source) -> None:
        """Take in a photograph and show it."""
        name = self._photographs.add(name, source)
        try:
            self._choose({"photograph": name})
        except Exception:
            self._photographs.remove(name)
            raise

    def _receive(self, file: Upload) -> None:
        """Open what was uploaded; what goes wrong with one stays on show for the next."""
        before = () if file.first else self._complaints
        try:
            self._open(file.name, file.data)
            self._complain(*before)
        except (OSError, ValueError) as error:
            self._complain(*before, str(error))

    def _open_named(self, name: str) -> None:
        """Open a file whose name was typed."""
        path = at_home(name)
        self._open(path.name, path)
        self.file.value = ""

    def _finish(self) -> None:
        """The whole is there, so every part can be looked at."""
        if self.look is None:
            self.look = _look(self.task, self.setting, self.job)
            self._show_look()

    def _save_beside(self) -> None:
        """Write the result beside the notebook, over nothing but this desk's own."""
        path = free_path(Path.cwd() / self._file_name(), own=self._written)
        self._note.value = line(f"Writing {path.name} …", "status")
        try:
            self.save(path)
        except BaseException:
            self._note.value = ""
            raise
        size = bytes_text(path.stat().st_size)
        self._note.value = line(f"Saved beside this notebook: {path.name}, {size}.", "status")

    def _file_name(self) -> str:
        return f"{Path(self.task.photo).stem}_x{self.task.scale}.png"

    def _guarded(self, action: Callable[[], None]) -> None:
        """Do what a person asked for in the page, where no cell shows an error."""
        self._complain()
        try:
            action()
        except (OSError, ValueError) as error:
            self._complain(str(error))

    def _here(self, action: Callable[[], None]) -> None:
        """Let the worker do it, wait, and raise here what went wrong."""
        errors: list[Exception] = []

        def carry_out() -> None:
            self._complain()
            try:
                action()
            except Exception as error:
                errors.append(error)

        self.live.do(carry_out)
        self.live.settle()
        if errors:
            raise errors[0]

    # Controls

    def _build(self, model: str) -> None:
        self._make_controls(model)
        self._make_buttons()
        self._note, self._status, self._alert, self._cautions = (HTML() for _ in range(4))
        self._overview = LivePicture("overview")
        places = VBox([self.across, self.down])
        self._place, self._stage = HBox([self._overview, places]), VBox()
        wrap = Layout(flex_flow="row wrap", align_items="center")
        self.children = [
            HBox([self.upload, self.file], layout=wrap),
            HTML(f'<div style="{TEXT}">{hint(self.upload.most)}</div>'),
            HBox([self.photograph, self.model, self.shrink], layout=wrap),
            self._cautions,
            self._progress,
            HBox([self._enlarge, self._stop, self._save, self._link], layout=wrap),
            self._status,
            self._note,
            self._alert,
            self._place,
            self._stage,
            *slider_names(),
            HTML(f'<div style="{TEXT}">{INVENTED}</div>'),
        ]
        self.add_class("srlab-photo-desk")

    def _make_controls(self, model: str) -> None:
        self.upload = upload_button(
            "Photographs", self._on_upload, multiple=True,
            tooltip="Open photographs of your own, or drop them here",
            accept=",".join(["image/*", *sorted(picture_suffixes() | EXTRAS)]),
            wanted="a picture", limit=MOST_UPLOAD_BYTES,
            advice="shrink or crop it first, or put it beside the notebook and type its name.",
        )  # fmt: skip
        self.file = Text(
            description="or a file", placeholder="its name, such as holiday.jpg",
            continuous_update=False, tooltip="The name of a file beside this notebook",
        )  # fmt: skip
        self.photograph = Dropdown(
            options=self._photographs.names, description="Photograph",
            tooltip="Which one is enlarged",
        )  # fmt: skip
        self.model = Dropdown(
            options=self._networks.names, value=model, description="Model",
            tooltip="Which network enlarges it, and so how many times",
        )  # fmt: skip
        self.shrink = Checkbox(
            description="make it smaller first, so that the truth is known", indent=False,
            tooltip="Shrink the photograph by the scale, then try to get it back",
            layout=Layout(width="auto", margin="2px 12px"),
        )  # fmt: skip
        self.across, self.down = _percent("across"), _percent("down")
        for name in (*CONTROLS, "upload", "file"):
            getattr(self, name).add_class(f"srlab-{name}")
        for name in CONTROLS:
            self._leave_a_note(name)
        self.file.observe(lambda event: self._on_name(event["new"]), "value")

    def _make_buttons(self) -> None:
        self._enlarge = action_button("Enlarge", "expand", "Compute the whole", self.start)
        self._stop = action_button("Stop", "stop", "Stop after this tile", self.live.pause)
        self._save = action_button(
            "Save", "save", "Write it beside this notebook, as PNG",
            lambda: self.live.do(lambda: self._guarded(self._save_beside)),
        )  # fmt: skip
        self._progress, self._link = HTML(), HTML()

    # Callbacks come from any thread: they leave notes, and the worker acts

    def _leave_a_note(self, name: str) -> None:
        control = getattr(self, name)
        control.observe(lambda event: self.live.change(name, event["new"]), "value")

    def _on_upload(self, file: Upload) -> None:
        self.live.do(lambda: self._receive(file))

    def _on_name(self, name: str) -> None:
        if name.strip():
            self.live.do(lambda: self._guarded(lambda: self._open_named(name.strip())))

    # Showing

    def _show_place(self, setting: Setting) -> None:
        """Where in the photograph the part is that is compared."""
        alt = f"{self.task.photo}, with a frame around the part that is compared"
        box = _part(self.task, setting, self.job)
        if box:
            alt += f": {setting.across} % across, {setting.down} % down"
        self._overview.show(framed(self._seen(), self.task, box), alt)

    def _show_look(self) -> None:
        """The part, compared; and where in the photograph it is."""
        self._place.layout.display = "none" if is_whole(self.task) else None
        self._show_place(self.setting)
        before, self._comparison = self._comparison, None
        shown: Any = HTML(line("This model looks at the whole picture at once: press Enlarge."))
        if self.look:
            shown = self._comparison = compare(self.look.pictures, self.look.captions())
            go_on(shown, before, self.task.model)
        self._stage.children = [shown]
        if before is not None:
            before.close()

    def _seen(self) -> Tensor:
        """The photograph as it came."""
        return self.task.lr if self.task.truth is None else self.task.truth

    def _show_link(self) -> None:
        """A link to the finished picture, if it is small enough to lie in the page."""
        image = self.job.image if self.job.finished else None
        if image is self._linked:
            return
        self._linked, self.png = image, b""
        self._note.value = self._link.value = ""
        if image is None:
            return
        if image.width * image.height <= MOST_LINK_PIXELS:
            self.png = png_of(image)
        if 0 < len(self.png) <= MOST_LINK_BYTES:
            self._link.value = link_html(self._file_name(), self.png)
        else:
            self.png = b""
            self._link.value = line("Too large for a link in the page: press Save.")

    def _word(self, state: State) -> str:
        """The state of the work, in one word."""
        if self.job.finished:
            return "done"
        if state in ("running", "failed"):
            return state
        return "stopped" if self.job.done else "ready"

    def _announce(self, word: str) -> None:
        """Say now and then how far it is, where a screen reader hears it."""
        topic = word, self.job
        due = time.monotonic() - self._announced[1] > SECONDS_BETWEEN_ANNOUNCEMENTS
        if topic != self._announced[0] or (word == "running" and due):
            self._announced = topic, time.monotonic()
            self._status.value = spoken(f"{word}: {how_far(self.job, word)}")

    def _complain(self, *sentences: str) -> None:
        self._complaints = sentences
        self._alert.value = alert(sentences)


def _compared(look: PartLook) -> Image.Image:
    """The pictures of the part, side by side."""
    captions = look.captions()
    named = look.pictures.items()
    return filmstrip([(picture, f"{n} {captions.get(n, '')}") for n, picture in named])


def _part(task: Task, setting: Setting, job: Enlargement) -> PartBox | None:
    """The part to compare; none if only the whole can be computed, and is not yet."""
    if task.sees_all and not job.finished:
        return None
    return part_box(task, setting.across, setting.down)


def _look(task: Task, setting: Setting, job: Enlargement) -> PartLook | None:
    """The part, enlarged in every way."""
    box = _part(task, setting, job)
    return take_look(task, box, job.image if job.finished else None) if box else None


def _percent(name: str) -> IntSlider:
    return IntSlider(
        value=50, min=0, max=100, step=5, description=name.capitalize(),
        tooltip="Which part of the photograph is compared, in percent",
    )  # fmt: skip


def _require_one_of(name: str, value: object, choices: Sequence[str]) -> None:
    if value is not None and value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}, but got {value!r}.")


def _require_percent(name: str, value: int | None) -> None:
    if value is not None and not 0 <= value <= 100:
        raise ValueError(f"{name} must be 0 to 100 %, but got {value}.")
