"""The ``srlab`` command: lessons, lab, app, site, grading, doctor, upscale, train, score ...

Heavy imports wait inside the commands, so that ``srlab --help`` is quick.
"""

import os
import signal
import sys
import warnings
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from srlab import __version__
from srlab.cli.options import (
    Commands,
    Format,
    ModelsOption,
    OverwriteOption,
    ScaleOption,
    TrustOption,
    complete_format,
    complete_model,
    read_format,
)
from srlab.cli.words import one_line, printable
from srlab.files import at_home

if TYPE_CHECKING:
    from srlab.runcard import RunCard
    from srlab.runs.team import Team


app = Commands(
    rich_markup_mode=None,  # rich alone would take twice as long as all the rest of --help
    context_settings={"max_content_width": 110},
    help="Learn and use image super-resolution.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

OWN_COPY = Path("srlab-lessons")  # if the learner names no folder


def _tell_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"srlab {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            help="Show the version and exit.",
            is_eager=True,
            callback=_tell_version,
        ),
    ] = False,
) -> None:
    pass


@app.command()
def upscale(
    photos: Annotated[
        list[Path], typer.Argument(help="Pictures to enlarge, and folders of them.")
    ],
    scale: ScaleOption = 4,
    model: Annotated[
        str | None,
        typer.Option(
            help="A model's name or checkpoint; default pixel-x<scale>.",
            autocompletion=complete_model,
        ),
    ] = None,
    out: Annotated[
        Path, typer.Option(help="Folder for the results; folders below are made again there.")
    ] = Path("."),
    kind: Annotated[
        Format,
        typer.Option(
            "--format",
            help="png, jpeg, webp, avif or tiff.",
            parser=read_format,
            metavar="FORMAT",
            autocompletion=complete_format,
        ),
    ] = Format.PNG,
    quality: Annotated[
        int | None,
        typer.Option(min=1, max=100, help="Of jpeg, webp and avif; default 95."),
    ] = None,
    overwrite: OverwriteOption = False,
    keep_location: Annotated[
        bool,
        typer.Option("--keep-location", help="Let the results say where a photo was taken."),
    ] = False,
) -> None:
    """Enlarge photographs; writes <name>_x<scale>.png."""
    from srlab.cli.batch import Batch, plan_batch
    from srlab.files import making
    from srlab.require import require_scale
    from srlab.zoo import load_model

    require_scale(scale)
    if quality is not None and not kind.lossy:
        raise ValueError(f"{kind.value} loses nothing, so it has no --quality; leave that out.")
    jobs = plan_batch(photos, out, scale=scale, ending=kind.ending, overwrite=overwrite)
    network = load_model(model, scale)
    batch = Batch(jobs, scale, overwrite, quality or 95, keep_location)
    try:
        with making(out):
            batch.run(network)
    except KeyboardInterrupt:
        typer.echo(printable(f"srlab: {batch.describe_stop()}"), err=True)
        raise typer.Exit(130) from None
    if batch.failed:
        typer.echo(printable(f"srlab: {batch.describe()}"), err=True)
        raise typer.Exit(2)


@app.command()
def train(
    card: Annotated[Path, typer.Argument(help="A run card (JSON).")],
    out: Annotated[
        Path | None, typer.Option(help="Folder for the results; default runs/<name>.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where it stopped.")] = False,
    data: Annotated[
        str | None, typer.Option(help="Folder of photographs, in place of the card's data.")
    ] = None,
    val: Annotated[
        str | None,
        typer.Option(
            metavar="FOLDER|SHARE",
            help="What judges it, in place of the card's validation: a folder, the share of "
            "its photographs that is kept back, such as 0.1, or embedded.",
        ),
    ] = None,
    log: Annotated[
        str | None,
        typer.Option(metavar="tensorboard", help="Beside log.csv, note each step for it."),
    ] = None,
) -> None:
    """Train what a run card says; under torchrun, on several processors or hosts.

    A table of all that a card can say: srlab/assets/cards/README.md.
    """
    from srlab.runcard import load_card, parse_card
    from srlab.runs import run_card
    from srlab.runs.bar import TrainingBar
    from srlab.runs.log import require_log
    from srlab.runs.team import ALONE, join_team

    require_log(log)
    given = {"data": data, "validation": _share_or_name(val)}
    given = {name: value for name, value in given.items() if value is not None}
    run = parse_card({**load_card(card).model_dump(), **given}, card.name)
    folder = out or Path("runs") / run.name
    # Whoever ends a process politely, such as Slurm or torchrun, means Ctrl-C, which
    # a job that a script starts with & would ignore.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    team = ALONE
    try:
        team = join_team()
        with closing(TrainingBar(run, quiet=not team.leads)) as bar:
            finished = run_card(
                run, folder, resume=resume, report=bar.update, say=_say,
                tensorboard=log is not None, team=team,
            )  # fmt: skip
    except KeyboardInterrupt:
        _tell_stopped(folder, team)
        raise typer.Exit(130) from None
    if team.leads:
        _tell_finished(finished, folder)


@app.command()
def score(
    folder: Annotated[Path, typer.Argument(help="A folder of sharp pictures.")],
    scale: ScaleOption = 4,
    model: ModelsOption = None,
    trust: TrustOption = False,
    pattern: Annotated[
        str | None,
        typer.Option(help='Only pictures so named, such as "*_HR*", in quotation marks.'),
    ] = None,
    per_picture: Annotated[
        bool, typer.Option("--per-picture", help="Also a row for each picture and model.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print rows as JSON.")] = False,
    csv: Annotated[Path | None, typer.Option(help="File for the rows as CSV.")] = None,
    save: Annotated[
        Path | None,
        typer.Option(help="Folder for the enlarged pictures, one folder a model."),
    ] = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Score models on a folder of pictures, by the published protocol."""
    from srlab.cli.batch import tell_of_existing
    from srlab.cli.score_files import picture_keeper, write_csv
    from srlab.data import load_folder
    from srlab.files import making
    from srlab.foreign import open_networks
    from srlab.require import require_scale
    from srlab.scoring import format_rows, rows_to_json, score_models

    require_scale(scale)
    if csv and csv.suffix.lower() != ".csv":
        raise ValueError(f"--csv is {csv}, but a name that ends in .csv was expected.")
    photos = load_folder(folder, pattern=pattern)
    models = open_networks(model or [], scale, trust=trust)
    everyone = ["bicubic", *models]
    keep = picture_keeper(save, folder, everyone, photos, overwrite=overwrite) if save else None
    if csv and csv.exists() and not overwrite:
        tell_of_existing([csv])
    with making(csv.parent if csv else Path(".")):  # a wrong place shows before the work
        rows = score_models(photos, models, scale=scale, per_picture=per_picture, keep=keep)
        typer.echo(rows_to_json(rows) if as_json else format_rows(rows))
        if csv:
            write_csv(rows, csv, overwrite=overwrite)


@app.command()
def sheet(
    out: Annotated[Path, typer.Argument(help="The picture: .png, .webp (lossless) or .jpg.")],
    scale: ScaleOption = 4,
    model: ModelsOption = None,
    only: Annotated[
        bool, typer.Option("--only", help="None of the package's but those --model names.")
    ] = False,
    crops: Annotated[
        Path | None,
        typer.Option(
            metavar="TABLE.csv",
            help="Crops of your own: shows,file,left,top,size; a file lies beside the table.",
        ),
    ] = None,
    zoom: Annotated[int, typer.Option(min=1, max=16, help="Screen pixels to a pixel.")] = 2,
    trust: TrustOption = False,
    overwrite: OverwriteOption = False,
) -> None:
    """Draw twelve crops, each enlarged by every network: input first, truth last."""
    from srlab.foreign import open_networks
    from srlab.require import require_scale
    from srlab.sheet import CROPS, draw_sheet, read_crops, require_ending, save_sheet
    from srlab.sheet import shipped_models as shipped

    require_scale(scale)
    require_ending(out)
    rows = read_crops(crops or CROPS)
    asked = [*([] if only else shipped(scale)), *(model or [])]
    models = open_networks(asked, scale, trust=trust)
    drawn = draw_sheet(rows, models, scale=scale, zoom=zoom)
    typer.echo(printable(str(save_sheet(drawn, out, overwrite=overwrite))))


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
    from srlab.course.copy import copy_course, describe, describe_reset, reset_lesson

    if reset is None:
        said = describe(copy_course(folder, solutions=solutions), folder)
    else:
        said = describe_reset(reset_lesson(folder, reset))
    typer.echo(printable(said))


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
    from srlab.course.copy import open_lab

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
    from srlab.course.site import build_site

    pages = build_site(folder)
    typer.echo(printable(f"{len(pages)} pages; begin with {folder / pages[0]}"))


@app.command()
def slides(
    lesson: Annotated[str, typer.Argument(help="A notebook, or how a lesson begins: 01.")],
    out: Annotated[
        Path | None, typer.Argument(help="The file; default <lesson>.slides.html, here.")
    ] = None,
) -> None:
    """Write a lesson as a talk, one HTML file that needs no network."""
    from srlab.course.site.slides import ENDING, find_lesson, write_slides

    notebook = find_lesson(lesson)
    target = out or Path(f"{notebook.stem}{ENDING}")
    target = target / f"{notebook.stem}{ENDING}" if target.is_dir() else target
    count = write_slides(notebook, target)
    typer.echo(printable(f"{count} slides in {target}; open it in any browser"))


@app.command()
def grading(
    folder: Annotated[Path, typer.Argument(help="Folder for nbgrader's course.")],
) -> None:
    """Write the exercises as assignments for nbgrader, with their solutions."""
    from srlab.course.grading import write_assignments

    names = write_assignments(folder)
    typer.echo(printable(f"{len(names)} assignments in {folder}: {', '.join(names)}"))


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
    typer.echo(printable(table(rows)))


class _Rooms(typer.core.TyperGroup):
    """``srlab classroom`` alone, or with a folder, opens the room.

    A folder that is called as a command can be given as ``./overview``.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        named = args[:1] and args[0] in self.commands
        return super().parse_args(ctx, args if named else ["open", *args])


rooms = typer.Typer(cls=_Rooms, rich_markup_mode=None, add_completion=False)
app.add_typer(
    rooms, name="classroom", help="Run a JupyterHub for a room of learners, and look after it."
)

StateArgument = Annotated[Path, typer.Argument(help="The folder of the classroom.")]
STATE = Path("srlab-classroom")


@rooms.command(
    "open",
    epilog="Also: srlab classroom overview, collect and hand-back; each has a --help.",
)
def classroom(
    state: Annotated[
        Path, typer.Argument(help="Folder for accounts, log and the learners' homes.")
    ] = STATE,
    learners: Annotated[
        Path | None,
        typer.Option(help="Names or addresses, one a line, or a CSV; nobody else can log in."),
    ] = None,
    port: Annotated[int, typer.Option(help="On 127.0.0.1.")] = 8000,
    memory: Annotated[float, typer.Option(help="GiB for each learner.")] = 2.0,
    cpus: Annotated[float, typer.Option(help="Processors for each learner.")] = 1.0,
    idle: Annotated[int, typer.Option(help="Minutes after which an idle server stops.")] = 60,
    first_uid: Annotated[
        int | None,
        typer.Option(help="User number of the first learner; by itself one that is free."),
    ] = None,
    forget: Annotated[
        str | None, typer.Option(metavar="NAME", help="Take a password away: a new code.")
    ] = None,
    end: Annotated[bool, typer.Option("--end", help="End the learners' servers.")] = False,
    teacher: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="Has the admin page; once for each, no others have it."
        ),
    ] = None,
    teachers_enter: Annotated[
        bool,
        typer.Option(
            "--teachers-enter",
            help="They may open learners' servers: see srlab/classroom/README.md.",
        ),
    ] = False,
    reset_learner: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Fresh lessons and progress; theirs is kept beside."),
    ] = None,
    remove_learner: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Off the list for good; the files are put aside."),
    ] = None,
) -> None:
    """Run a JupyterHub for a room of learners, on this machine alone."""
    from srlab.classroom.command import open_room

    raise typer.Exit(
        open_room(
            state, learners=learners, port=port, memory=memory, cpus=cpus, idle=idle,
            first_uid=first_uid, forget=forget, end=end, teachers=teacher,
            teachers_enter=teachers_enter, reset=reset_learner, remove=remove_learner,
        )
    )  # fmt: skip


@rooms.command("overview")
def classroom_overview(
    state: StateArgument = STATE,
    csv: Annotated[
        Path | None, typer.Option(help="Write every exercise as CSV as well.")
    ] = None,
) -> None:
    """Show who is stuck where, from the learners' progress."""
    from srlab.classroom.command import show_overview

    typer.echo(printable(show_overview(state, csv)))


@rooms.command("collect")
def classroom_collect(
    lesson: Annotated[str, typer.Argument(help="Its number, such as 01.")],
    state: StateArgument = STATE,
    to: Annotated[Path, typer.Option(help="Folder for submitted/NAME/lesson_01/.")] = Path("."),
) -> None:
    """Copy each learner's notebook of a lesson, to be graded."""
    from srlab.classroom.command import collect_lesson

    typer.echo(printable(collect_lesson(state, lesson, to)))


@rooms.command("hand-back")
def classroom_hand_back(
    lesson: Annotated[str, typer.Argument(help="Its number, such as 01.")],
    state: StateArgument = STATE,
    source: Annotated[
        Path, typer.Option("--from", help="Folder of NAME.txt, or of NAME/lesson_01/.")
    ] = Path("feedback"),
) -> None:
    """Copy feedback into each learner's home, where feedback/lesson_01 has it."""
    from srlab.classroom.command import hand_lesson_back

    typer.echo(printable(hand_lesson_back(state, lesson, source)))


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
    from srlab.course.copy import copy_course, describe

    rest = list(arguments or [])
    named = rest and not rest[0].startswith("-")
    folder = at_home(rest.pop(0)) if named else OWN_COPY
    typer.echo(printable(describe(copy_course(folder), folder)))
    return folder, rest


def _share_or_name(text: str | None) -> float | str | None:
    """What ``--val`` means: a number is a share."""
    try:
        return float(text) if text else text
    except ValueError:
        return text


def _say(sentence: str) -> None:
    """Tell where a training stands, beside its bar."""
    typer.echo(printable(f"srlab: {sentence}."), err=True)


def _tell_finished(card: "RunCard", folder: Path) -> None:
    """What came of a training."""
    by = f" x {card.processes}" if card.processes > 1 else ""
    typer.echo(f"{folder}: {card.seconds:.0f} s on {card.device}{by}, {card.precision}")
    for name, value in card.scores.items():
        typer.echo(f"{name:16} {value:.4f}")


def _tell_stopped(folder: Path, team: "Team") -> None:
    """What is kept; of a team, the process that writes knows it."""
    from srlab.runs.resuming import LAST

    if not team.leads:
        said = f"process {team.rank} stopped; go on with --resume"
    elif (folder / LAST).exists():
        said = f"stopped; {folder} keeps it, go on with --resume"
    else:
        said = "stopped; nothing was trained yet"
    typer.echo(f"srlab: {said}.", err=True)


def main() -> NoReturn:
    """Run the command; a mistake in what was given is one sentence, exit 2."""
    warnings.showwarning = _show_warning
    try:
        app(standalone_mode=True)
    except (ValueError, TypeError, ArithmeticError, OSError, ImportError) as error:
        if os.environ.get("SRLAB_TRACEBACK"):
            raise
        print(printable(f"srlab: {one_line(error)}"), file=sys.stderr)
        sys.exit(2)
    sys.exit(0)


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    print(printable(f"srlab: {' '.join(str(message).split())}"), file=sys.stderr)
