"""The photo desk: traits that say what is enlarged, and the work behind them."""

import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from PIL import Image
from traitlets import Bool, Dict, Enum, Float, List, Unicode

from srlab.files import ASSETS, at_home, free_path
from srlab.images import picture_suffixes, save_image
from srlab.require import SCALES, require_one_of
from srlab.widgets.kit.lab import given
from srlab.widgets.kit.live import State
from srlab.widgets.kit.live_lab import LiveLab
from srlab.widgets.kit.pictures import png, tile
from srlab.widgets.kit.upload import TakesFiles, Upload, bytes_text
from srlab.widgets.photo_desk.bench import (
    Enlargement,
    Setting,
    Task,
    how_far,
    make_task,
    png_of,
    sees_all,
)
from srlab.widgets.photo_desk.look import PartLook, overview, part_box, part_share, take_look
from srlab.widgets.photo_desk.shelf import Model, Networks, PhotoShelf, Source

EXAMPLE = "citrus-slices"
"""An embedded photograph that the shipped models never saw in training."""

MOST_LINK_BYTES = 8_000_000
"""A larger picture is not offered as a link: all of it would travel to the page."""

MOST_LINK_PIXELS = 8_000_000  # more would hardly fit, and trying takes time

MOST_UPLOAD_BYTES = 200_000_000
"""A picture of ``MAX_PIXELS`` hardly has more, and the desk keeps what it was given."""

EXTRAS = {".heic", ".heif", ".jxl"}
"""Sent too where the package that reads them is missing: the kernel then names it."""


def _setting(trait: Any) -> Any:
    return trait.tag(sync=True, setting=True)


class PhotoDesk(TakesFiles, LiveLab):
    """Enlarge photographs with any network, compare, and save.

    A part of the photograph is enlarged by two networks and compared at once.
    ``Enlarge`` computes the whole, tile by tile and beside the page.

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

    view = Unicode("photo_desk").tag(sync=True)
    photograph = _setting(Unicode(EXAMPLE, help="name of one that was opened"))
    scale = _setting(Enum(SCALES, 4, help="how many times it is enlarged"))
    model = _setting(Unicode(help="the network that enlarges the whole"))
    other = _setting(Unicode("bicubic", help="the one beside it"))
    shrink = _setting(Bool(help="make the photograph smaller first"))
    across = _setting(Float(50, min=0, max=100, help="where the part is, %"))
    down = _setting(Float(50, min=0, max=100, help="where the part is, %"))
    file = _setting(Unicode(help="name of a file beside the notebook"))
    choices = Dict(help="setting -> what there is").tag(sync=True)
    progress = Dict(help="word, done, total, words; sizes in px").tag(sync=True)
    share = List(Float(), help="width and height of the part, of the whole's").tag(sync=True)
    overview = Dict(help="the photograph, small").tag(sync=True)
    pictures = List(Dict(), help="the part: input, networks, truth").tag(sync=True)
    warned = List(Unicode(), help="what one should know of the photograph").tag(sync=True)
    note = Unicode(help="what became of it").tag(sync=True)
    download = Dict(help="the whole as a file: name, size, data").tag(sync=True)

    setting: Setting
    task: Task
    job: Enlargement
    look: PartLook

    def __init__(self, model: str = "pixel-x4", models: Mapping[str, Model] | None = None):
        self._networks = Networks(models)
        self._photographs = PhotoShelf(EXAMPLE, ASSETS / "photos" / f"{EXAMPLE}.jpg")
        self._require_choices({"model": model})
        super().__init__(model=model, scale=self._networks.scales[model])
        self.png = b""
        self._linked: Image.Image | None = None
        self._written: set[Path] = set()
        self._complaints: tuple[str, ...] = ()
        self.presses |= {"start": self.start, "save": self._on_save}
        self.take_files(
            lambda file: self.live.do(lambda: self._receive(file)),
            accept=",".join(["image/*", *sorted(picture_suffixes() | EXTRAS)]),
            wanted="a picture", limit=MOST_UPLOAD_BYTES,
            advice="shrink or crop it first, or put it beside the notebook and type its name.",
        )  # fmt: skip
        self._apply(self._wanted())
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
        other: str | None = None,
        scale: int | None = None,
        shrink: bool | None = None,
        across: float | None = None,
        down: float | None = None,
    ) -> str:
        """Set any of the controls.

        Args:
            photograph: name of one that was opened.
            model: name of one that is offered; it brings its scale.
            other: name of the network beside it, or ``"bicubic"``.
            scale: 2, 4 or 8; it brings networks of the same families.
            shrink: make the photograph smaller first, by the scale; then the
                truth is known, and there are figures.
            across, down: where the compared part is, 0 to 100 %.

        Returns:
            What is shown, in words.

        Raises:
            OSError, ValueError: for an unknown choice, or one that cannot be
                done.
        """
        wanted = given(
            photograph=photograph, model=model, other=other, scale=scale, shrink=shrink,
            across=across, down=down,
        )  # fmt: skip
        self._require_choices(wanted)
        self._here(lambda: self._make_true(replace(self.setting, **wanted)))
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
        self.pause()

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
        return self.look.figures

    def summary(self) -> str:
        """One sentence for readers without a kernel."""
        figures = "".join(f"; {name} {text}" for name, text in self.look.captions().items())
        return f"PhotoDesk: {self.task}{figures}"

    # What the live work calls, from one thread at a time

    def steps(self) -> Iterator[int]:
        """A tile for each item asked for, as long as there is one left."""
        while True:
            if not self.job.finished:
                self.job.advance()
            if self.job.finished:
                if sees_all(self.task.network):  # only now its part can be looked at
                    self._look_at(self.task, self.setting, self.job)
                self.live.pause()
            yield self.job.done

    def start_over(self) -> None:
        """Forget the tiles that were computed."""
        self.job = Enlargement(self.task)

    def draw(self, state: State, error: str = "") -> None:
        """Show how far the work is."""
        if error:
            self._complain(error)
        self._word = self._word_of(state)
        super().draw(state)

    def moment(self) -> dict[str, Any]:
        """Pictures, sizes and progress of this moment."""
        job, word = self.job, self._word
        said = how_far(job, word)
        return {
            "step": job.done,
            "topic": f"{self.task} {word}",
            "said": said,
            "error": "\n".join(self._complaints),
            "progress": {
                "word": word, "done": job.done, "total": job.total, "words": said,
                "small": self.task.small, "large": self.task.large,
            },
            "pictures": self._tiles,
            "overview": self._overview,
            "share": list(part_share(self.task)),
            "warned": list(self.cautions),
            "choices": {
                "photograph": self._photographs.names,
                "model": self._networks.at(self.setting.scale),
            },
            **self._link(),
        }  # fmt: skip

    # Callbacks come from any thread: they leave notes, and the worker acts

    def changed(self, name: str, _: Any) -> None:
        """Leave a note for the worker."""
        self.live.do(self._open_named if name == "file" else self._follow)

    def _on_save(self) -> None:
        self.live.do(lambda: self._guarded(self._save_beside))

    # Work: done by the worker, so that two of it never meet

    def _wanted(self) -> Setting:
        """What the controls say now."""
        values = self.trait_values(setting=True)
        return Setting(**{name: value for name, value in values.items() if name != "file"})

    def _follow(self) -> None:
        """Make true what the controls say; several notes of one move count once."""
        wanted = self._wanted()
        if wanted != self.setting:
            self._guarded(lambda: self._make_true(wanted))

    def _make_true(self, wanted: Setting) -> None:
        """Apply a setting; then the controls say what is true now.

        A control that was moved meanwhile stays: its note comes next.
        """
        seen = self._wanted()
        try:
            self._apply(self._networks.settled(wanted, self.setting))
        finally:
            self._answer(asdict(seen))

    def _answer(self, seen: Mapping[str, Any]) -> None:
        with self._sending:  # no message of the page comes between
            now, true = asdict(self._wanted()), asdict(self.setting)
            self.tell(**{n: true[n] for n in now if now[n] == seen[n] != true[n]})

    def _apply(self, setting: Setting) -> None:
        """Enlarge and look as a setting says; all of it or, with an error, nothing."""
        before = self.setting if hasattr(self, "setting") else None
        if before and setting.same_task(before):
            self._look_at(self.task, setting, self.job)
            return
        task = self._task(setting)
        job = Enlargement(task)
        self._look_at(task, setting, job)
        if before:
            self.live.pause()
        self.task, self.job = task, job
        self._overview = tile(overview(task), task.photo, alt=task.photo)

    def _look_at(self, task: Task, setting: Setting, job: Enlargement) -> None:
        """The part, enlarged in every way."""
        other = self._networks.load(setting.other, setting.scale)
        if sees_all(other):
            raise ValueError(
                f"{setting.other} looks at the whole picture at once, so it cannot enlarge a "
                f"part; choose it as model."
            )
        box = part_box(task, setting.across, setting.down)
        done = job.image if job.finished else None
        self.look = take_look(task, box, {setting.other: other}, done)
        self.setting = setting
        captions = {**self.look.sizes(setting.scale), **self.look.captions()}
        self._tiles = [
            png(picture, name, captions[name]) for name, picture in self.look.pictures.items()
        ]

    def _task(self, setting: Setting) -> Task:
        parts = self._photographs.read(setting.photograph).parts
        network = self._networks.load(setting.model, setting.scale)
        return make_task(
            setting.photograph, parts, setting.model, network, setting.scale,
            shrink=setting.shrink,
        )  # fmt: skip

    def _open(self, name: str, source: Source) -> None:
        """Take in a photograph and show it."""
        name = self._photographs.add(name, source)
        try:
            self._make_true(replace(self.setting, photograph=name))
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

    def _open_named(self) -> None:
        """Open the file whose name was typed; a wrong name stays, to be corrected."""
        name = self.file.strip()
        if name:
            path = at_home(name)
            self._guarded(lambda: self._open(path.name, path))
            if not self._complaints:
                self.tell(file="")

    def _save_beside(self) -> None:
        """Write the result beside the notebook, over nothing but this desk's own."""
        path = free_path(Path.cwd() / self._file_name(), own=self._written)
        self.tell(note=f"Writing {path.name} …")
        try:
            self.save(path)
        except BaseException:
            self.tell(note="")
            raise
        size = bytes_text(path.stat().st_size)
        self.tell(note=f"Saved beside this notebook: {path.name}, {size}.")

    def _link(self) -> dict[str, Any]:
        """The finished picture as a file, if it is small enough to travel to the page."""
        image = self.job.image if self.job.finished else None
        if image is self._linked:
            return {}
        self._linked, self.png = image, b""
        if image and image.width * image.height <= MOST_LINK_PIXELS:
            png = png_of(image)
            self.png = png if len(png) <= MOST_LINK_BYTES else b""
        file = {"name": self._file_name(), "size": bytes_text(len(self.png)), "data": self.png}
        large = image and not self.png
        return {
            "download": file if self.png else {},
            "note": "Too large for a link in the page: press Save." if large else "",
        }

    def _file_name(self) -> str:
        return f"{Path(self.task.photo).stem}_x{self.task.scale}.png"

    def _word_of(self, state: State) -> str:
        """The state of the work, in one word."""
        if self.job.finished:
            return "done"
        if state in ("running", "failed"):
            return state
        return "stopped" if self.job.done else "ready"

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

    def _complain(self, *sentences: str) -> None:
        self._complaints = sentences

    def _require_choices(self, wanted: Mapping[str, Any]) -> None:
        known: dict[str, Any] = {
            "photograph": self._photographs.names,
            "model": self._networks.names,
            "other": ("bicubic", *self._networks.names),
            "scale": SCALES,
        }
        for name, value in wanted.items():
            if name in known:
                require_one_of(value, known[name], name)
            if name in ("across", "down") and not 0 <= value <= 100:
                raise ValueError(f"{name} must be 0 to 100 %, but got {value}.")
        model, scale = wanted.get("model"), wanted.get("scale")
        if model and scale and self._networks.scales[model] != scale:
            raise ValueError(
                f"{model} enlarges {self._networks.scales[model]} times, but scale is {scale}; "
                f"leave out one of them."
            )
