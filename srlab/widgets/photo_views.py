"""What a photo desk shows beside the comparison: sentences, a link, a frame."""

import html
from base64 import b64encode
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image, ImageDraw
from torch import Tensor

from srlab.images import save_image, to_image
from srlab.widgets.compare import SETTINGS, Comparison
from srlab.widgets.parts import TEXT, bytes_text
from srlab.widgets.photo_look import PartBox, is_whole, on_checker
from srlab.widgets.photo_task import Enlargement, Task, size_text

INVENTED = (
    "Detail that was not in the photograph is <b>invented</b>: the network adds what such "
    "places usually look like, and it may be wrong. Read no text, no face and no number "
    "plate out of an enlarged picture."
)
UNSEEN = (
    "position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); "
    "white-space: nowrap;"
)
"""What only a screen reader is to find."""

OVERVIEW = (240, 160)  # px at most


def hint(most: str) -> str:
    """Where photographs go, and how large they may be; ``most`` says it in words."""
    return (
        f"Photographs stay on the machine that runs this notebook. Up to {most} come through "
        f"the page; put larger files beside the notebook (the upload arrow above JupyterLab’s "
        f"list of files) and type their names."
    )


def line(text: str, role: str = "") -> str:
    """A line of text; with a role, a screen reader says it aloud."""
    spoken = f' role="{role}"' if role else ""
    return f'<div{spoken} style="{TEXT}">{html.escape(text)}</div>'


def spoken(text: str) -> str:
    """What a screen reader says aloud, where the eye has it already."""
    return f'<div role="status" class="srlab-spoken" style="{UNSEEN}">{html.escape(text)}</div>'


def cautions_html(sentences: tuple[str, ...]) -> str:
    """What a person should know of the photograph; a screen reader says it."""
    text = "<br>".join(f"⚠ {html.escape(sentence)}" for sentence in sentences)
    return (
        f'<div role="status" class="srlab-cautions" style="{TEXT}">{text}</div>' if text else ""
    )


def png_of(image: Image.Image) -> bytes:
    """The very file that ``save_image`` writes, with all that belongs to it."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "picture.png"
        save_image(image, path)
        return path.read_bytes()


def alert(sentences: tuple[str, ...]) -> str:
    """What went wrong, said at once by a screen reader."""
    text = "<br>".join(map(html.escape, sentences))
    return f'<div role="alert" style="{TEXT}"><b>{text}</b></div>' if text else ""


def how_far(job: Enlargement, word: str) -> str:
    """One sentence that says how far the work is; ``word`` is its state."""
    tiles = f"{job.done} of {job.total} tiles"
    if word == "running":
        return tiles + (f", about {job.seconds_left():.0f} s left" if job.done else "")
    if word == "done":
        return f"enlarged in {job.seconds:.1f} s"
    if word == "stopped":
        return f"stopped after {tiles}; Enlarge goes on"
    return f"the whole is not enlarged yet: {job.total} tiles"


def progress_html(job: Enlargement, word: str) -> str:
    """Sizes, and how far the work is; also as data."""
    task = job.task
    data = {"state": word, "done": job.done, "total": job.total, "scale": task.scale,
            "size": f"{task.large[0]}x{task.large[1]}"}  # fmt: skip
    attributes = " ".join(f'data-{key}="{value}"' for key, value in data.items())
    small = ", made smaller to" if task.truth is not None else ""
    return (
        f'<div class="srlab-progress" style="{TEXT}" {attributes}>'
        f"<b>{html.escape(task.photo)}{small} {size_text(task.small)} → "
        f"{size_text(task.large)}</b> (×{task.scale}, "
        f"{task.large[0] * task.large[1] / 1e6:.1f} million pixels) "
        f"by {html.escape(task.model)}<br>"
        f'<progress max="{job.total}" value="{job.done}" aria-label="tiles done" '
        f'style="width: 260px; vertical-align: middle"></progress> {how_far(job, word)}</div>'
    )


def link_html(name: str, png: bytes) -> str:
    """A real link: Tab comes to it, Enter takes it."""
    file = html.escape(name)
    return (
        f'<a class="srlab-download" download="{file}" style="text-decoration: underline" '
        f'href="data:image/png;base64,{b64encode(png).decode()}">'
        f"Download {file} ({bytes_text(len(png))})</a>"
    )


def framed(photo: Tensor, task: Task, box: PartBox | None) -> Image.Image:
    """The photograph, small, with a frame around the part that is compared."""
    height, width = photo.shape[-2:]
    step = max(1, -(-width // OVERVIEW[0]), -(-height // OVERVIEW[1]))
    image = to_image(photo[..., ::step, ::step])
    if task.parts.alpha is not None:
        image = on_checker(image, task.parts.alpha.resize(image.size))
    if box is None or is_whole(task):
        return image
    factors = [side / small for side, small in zip(image.size, task.small, strict=True)] * 2
    left, top, right, bottom = (e * f for e, f in zip(box, factors, strict=True))
    draw = ImageDraw.Draw(image)
    for grow, color in ((1, "black"), (0, "white"), (-1, "black")):  # on light and on dark
        corners = left - grow, top - grow, right - 1 + grow, bottom - 1 + grow
        draw.rectangle(corners, outline=color)
    return image


def go_on(new: Comparison, old: Comparison | None, model: str) -> None:
    """Let a new comparison show what the old one did, or the two enlarged pictures."""
    if old is None:
        new.show("swipe", "bicubic", model)
        return
    same = old.names == new.names
    first, second = (old.first, old.second) if same else ("bicubic", model)
    settings = {name: getattr(old, name) for name in SETTINGS}
    new.show(old.mode, first, second, **settings)  # type: ignore[arg-type]
