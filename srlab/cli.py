"""The ``srlab`` command: lessons, lab, app, site, grading, doctor, upscale, train, score.

Heavy imports wait inside the commands, so that ``srlab --help`` is quick.
"""

import os
import signal
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from srlab.runcard import RunCard
    from srlab.team import Team

app = typer.Typer(
    rich_markup_mode=None,  # rich alone would take twice as long as all the rest of --help
    context_settings={"max_content_width": 110},
    help="Learn and use image super-resolution.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

OWN_COPY = Path("srlab-lessons")  # if the learner names no folder

ScaleOption = Annotated[int, typer.Option(help="Enlarge 2, 4 or 8 times.")]


@app.command()
def upscale(
    photos: Annotated[list[Path], typer.Argument(help="Pictures to enlarge.")],
    scale: ScaleOption = 4,
    model: Annotated[
        str | None, typer.Option(help="A model's name or checkpoint; default pixel-x<scale>.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("."),
) -> None:
    """Enlarge photographs; writes <name>_x<scale>.png."""
    from tqdm import tqdm

    from srlab.images import open_image, save_image
    from srlab.inference import load_model
    from srlab.inference import upscale as enlarge

    targets = [out / f"{photo.stem}_x{scale}.png" for photo in photos]
    _require_different(photos, targets)
    network = load_model(model, scale)
    out.mkdir(parents=True, exist_ok=True)
    form = "{l_bar}{bar}| {elapsed} gone, {remaining} left"
    # A bar for people alone: none where the output goes to a file.
    with tqdm(total=len(photos), bar_format=form, disable=None) as bar:
        for number, (photo, target) in enumerate(zip(photos, targets, strict=True)):

            def report(share: float, number: int = number) -> None:
                bar.update(number + share - bar.n)

            save_image(enlarge(open_image(photo), network, scale, report=report), target)
            bar.write(_printable(str(target)))


@app.command()
def train(
    card: Annotated[Path, typer.Argument(help="A run card (JSON).")],
    out: Annotated[
        Path | None, typer.Option(help="Folder for the results; default runs/<name>.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where it stopped.")] = False,
    data: Annotated[
        Path | None, typer.Option(help="Folder of photographs, in place of the card's data.")
    ] = None,
) -> None:
    """Train what a run card says; under torchrun, on several processors or hosts."""
    from srlab.runcard import load_card
    from srlab.runs import run_card
    from srlab.team import ALONE, join_team
    from srlab.training_bar import TrainingBar

    run = load_card(card)
    if data:
        run = run.model_copy(update={"data": str(data)})
    folder = out or Path("runs") / run.name
    # Whoever ends a process politely, such as Slurm or torchrun, means Ctrl-C, which
    # a job that a script starts with & would ignore.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    team = ALONE
    try:
        team = join_team()
        with TrainingBar(run, quiet=not team.leads) as bar:
            finished = run_card(run, folder, resume=resume, report=bar.update, team=team)
    except KeyboardInterrupt:
        _tell_stopped(folder, team)
        raise typer.Exit(130) from None
    if team.leads:
        _tell_finished(finished, folder)


@app.command()
def score(
    folder: Annotated[Path, typer.Argument(help="A folder of sharp pictures.")],
    scale: ScaleOption = 4,
    model: Annotated[
        list[str] | None,
        typer.Option(
            help="A model's name, a checkpoint, net.onnx, a torch.export program (net.pt2), "
            "or module:function, whose code is run; repeat for more."
        ),
    ] = None,
    trust: Annotated[
        bool,
        typer.Option(
            "--trust",
            help="Loading a torch.export program can run code that is hidden in the file; "
            "whoever trusts its author adds --trust; an ONNX file needs no trust.",
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print rows as JSON.")] = False,
) -> None:
    """Score models on a folder of pictures, by the published protocol."""
    from srlab.foreign import open_network, table_names
    from srlab.require import require_scale
    from srlab.scoring import format_rows, rows_to_json, score_models
    from srlab.sources import load_folder

    require_scale(scale)
    photos = load_folder(folder)
    named = table_names(name for name in model or [] if name != "bicubic")
    models = {short: open_network(name, scale, trust=trust) for short, name in named.items()}
    rows = score_models(photos, models, scale=scale)
    typer.echo(rows_to_json(rows) if as_json else format_rows(rows))


@app.command()
def lessons(
    folder: Annotated[Path, typer.Argument(help="Folder for your own copy.")] = OWN_COPY,
    reset: Annotated[
        str | None,
        typer.Option(
            metavar="NUMBER",
            help="Bring one lesson back, such as 03; yours is kept beside it.",
        ),
    ] = None,
    solutions: Annotated[
        bool | None,
        typer.Option(
            "--solutions/--no-solutions",
            help="With or without solutions, as for a graded course; it stays so.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Copy the course into a folder of yours; later, bring it up to date."""
    from srlab.course import copy_course, describe, describe_reset, reset_lesson

    if reset is None:
        said = describe(copy_course(folder, solutions=solutions), folder)
    else:
        said = describe_reset(reset_lesson(folder, reset))
    typer.echo(_printable(said))


@app.command(context_settings={"ignore_unknown_options": True})
def lab(
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[FOLDER] [OPTIONS OF JUPYTERLAB]...",
            help="Your copy, default srlab-lessons; then what JupyterLab shall get, "
            "such as --no-browser --port=9999.",
        ),
    ] = None,
) -> None:
    """Open JupyterLab on your own copy of the course."""
    from srlab.course import open_lab

    folder, rest = _own_copy(arguments)
    open_lab(folder, rest)


@app.command("app", context_settings={"ignore_unknown_options": True})
def loss_lab(
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[FOLDER] [OPTIONS OF VOILA]...",
            help="Your copy, default srlab-lessons; then what Voila shall get, "
            "such as --no-browser --port=9999.",
        ),
    ] = None,
) -> None:
    """Open the Loss Lab as a page of its own, without a notebook around it."""
    from srlab.app import serve_loss_lab

    folder, rest = _own_copy(arguments)
    serve_loss_lab(folder, rest)


@app.command()
def site(
    folder: Annotated[Path, typer.Argument(help="Folder for the pages.")] = Path("site"),
) -> None:
    """Write the course as static pages, to be read without running anything."""
    from srlab.site import build_site

    pages = build_site(folder)
    typer.echo(_printable(f"{len(pages)} pages; begin with {folder / pages[0]}"))


@app.command()
def grading(
    folder: Annotated[Path, typer.Argument(help="Folder for nbgrader's course.")],
) -> None:
    """Write the exercises as assignments for nbgrader, with their solutions."""
    from srlab.grading import write_assignments

    names = write_assignments(folder)
    typer.echo(_printable(f"{len(names)} assignments in {folder}: {', '.join(names)}"))


@app.command()
def grade(
    notebooks: Annotated[
        list[Path], typer.Argument(help="Notebooks, or folders with one folder a learner.")
    ],
    lesson: Annotated[
        str | None, typer.Option(metavar="NUMBER", help="Only this lesson's, such as 03.")
    ] = None,
    csv: Annotated[Path | None, typer.Option(help="Write the table as CSV as well.")] = None,
    feedback: Annotated[
        Path | None, typer.Option(help="Folder for a text to each learner.")
    ] = None,
    seconds: Annotated[int, typer.Option(help="For each exercise.")] = 30,
    memory: Annotated[float, typer.Option(help="GiB for each answer.")] = 2.0,
    jobs: Annotated[int, typer.Option(help="Exercises at a time; 0: the processors.")] = 0,
    uncaged: Annotated[
        bool,
        typer.Option(
            "--uncaged", help="Go on where the system allows no cage: for those you trust."
        ),
    ] = False,
) -> None:
    """Grade what was handed in: each answer in a cage, its check outside."""
    from srlab.grader.command import grade_all
    from srlab.grader.results import table, write_csv, write_feedback

    rows = grade_all(
        notebooks, lesson=lesson, seconds=seconds, memory=memory, uncaged=uncaged,
        jobs=jobs or os.cpu_count() or 1, say=lambda text: typer.echo(text, err=True),
    )  # fmt: skip
    if csv:
        write_csv(rows, csv)
    if feedback:
        write_feedback(rows, feedback)
    typer.echo(_printable(table(rows)))


@app.command()
def classroom(
    state: Annotated[
        Path, typer.Argument(help="Folder for accounts, log and the learners' homes.")
    ] = Path("srlab-classroom"),
    learners: Annotated[
        Path | None,
        typer.Option(help="Text file of names, one a line; nobody else can log in."),
    ] = None,
    port: Annotated[int, typer.Option(help="On 127.0.0.1; the two above it as well.")] = 8000,
    memory: Annotated[float, typer.Option(help="GiB for each learner.")] = 2.0,
    cpus: Annotated[float, typer.Option(help="Processors for each learner.")] = 1.0,
    idle: Annotated[int, typer.Option(help="Minutes after which an idle server stops.")] = 60,
    first_uid: Annotated[
        int, typer.Option(help="User number of the first learner, for a second room.")
    ] = 50_000,
    forget: Annotated[
        str | None, typer.Option(metavar="NAME", help="Take a password away: a new code.")
    ] = None,
    end: Annotated[bool, typer.Option("--end", help="End the learners' servers.")] = False,
) -> None:
    """Run a JupyterHub for a room of learners, on this machine alone."""
    from srlab.classroom.command import open_room

    raise typer.Exit(
        open_room(
            state, learners=learners, port=port, memory=memory, cpus=cpus, idle=idle,
            first_uid=first_uid, forget=forget, end=end,
        )
    )  # fmt: skip


@app.command()
def doctor() -> None:
    """Look whether everything is in place; exit code 1 if not."""
    from srlab.doctor import examine

    findings = examine()
    for finding in findings:
        mark = "ok  " if finding.fine else "FAIL"
        typer.echo(f"{mark}  {finding.subject:12} {finding.text}")
    if not all(finding.fine for finding in findings):
        raise typer.Exit(1)


def _own_copy(arguments: list[str] | None) -> tuple[Path, list[str]]:
    """The learner's copy, brought up to date, and the arguments that are left."""
    from srlab.course import copy_course, describe

    rest = list(arguments or [])
    named = rest and not rest[0].startswith("-")
    folder = Path(rest.pop(0)) if named else OWN_COPY
    typer.echo(_printable(describe(copy_course(folder), folder)))
    return folder, rest


def _tell_finished(card: "RunCard", folder: Path) -> None:
    """What came of a training."""
    by = f" x {card.processes}" if card.processes > 1 else ""
    typer.echo(f"{folder}: {card.seconds:.0f} s on {card.device}{by}, {card.precision}")
    for name, value in card.scores.items():
        typer.echo(f"{name:16} {value:.4f}")


def _tell_stopped(folder: Path, team: "Team") -> None:
    """What is kept; of a team, the process that writes knows it."""
    from srlab.runs import LAST

    if not team.leads:
        said = f"process {team.rank} stopped; go on with --resume"
    elif (folder / LAST).exists():
        said = f"stopped; {folder} keeps it, go on with --resume"
    else:
        said = "stopped; nothing was trained yet"
    typer.echo(f"srlab: {said}.", err=True)


def _require_different(photos: list[Path], targets: list[Path]) -> None:
    """Raise if two photographs would be written to one file."""
    # Without regard to case, as the file systems of Windows and macOS compare.
    owners: dict[str, Path] = {}
    for photo, target in zip(photos, targets, strict=True):
        other = owners.setdefault(str(target).casefold(), photo)
        if other is not photo:
            raise ValueError(
                f"{other} and {photo} would both become {target.name}; rename one, "
                f"or enlarge them into different folders."
            )


def _printable(text: str) -> str:
    """Text with file names in it, whose bytes that are no UTF-8 become marks."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def main() -> NoReturn:
    """Run the command; a mistake in what was given is one sentence, exit 2."""
    warnings.showwarning = _show_warning
    try:
        app(standalone_mode=True)
    except (ValueError, TypeError, ArithmeticError, OSError, ImportError) as error:
        if os.environ.get("SRLAB_TRACEBACK"):
            raise
        print(_printable(f"srlab: {_one_line(error)}"), file=sys.stderr)
        sys.exit(2)
    sys.exit(0)


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    print(_printable(f"srlab: {' '.join(str(message).split())}"), file=sys.stderr)


def _one_line(error: Exception) -> str:
    """The error's sentence, for the system's own errors with the file named."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'a file'} could not be used: {error.strerror.lower()}."
    return " ".join(str(error).split())
