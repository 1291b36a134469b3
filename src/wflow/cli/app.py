"""The commands. Whatever is heavy is imported where it is used."""

import contextlib
import math
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

import typer

from wflow.studies._files import explained

from .errors import CommandError, failures
from .stopping import terminable


app = typer.Typer(
    name="wflow",
    help="Populations that move: learn how from snapshots, forecast, compare.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Run = Annotated[Path, typer.Argument(help="Folder of a finished run.", metavar="RUN")]
Data = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="FILE",
        help="Your snapshots: .npz, .csv or .h5ad, in place of the config's data.",
    ),
]


@contextlib.contextmanager
def _sentences() -> Iterator[None]:
    """Errors and warnings as sentences on stderr, with the exit codes 1 and 2."""

    def warn(message: Warning | str, *_: object) -> None:
        typer.secho(f"Warning: {message}", err=True, fg="yellow")

    with warnings.catch_warnings():
        warnings.showwarning = warn
        try:
            with terminable(), failures():
                yield
        except CommandError as error:
            typer.secho(str(error), err=True, fg="red")
            raise typer.Exit(error.code) from error


def _version(asked: bool) -> None:
    if asked:
        from wflow import __version__

        print(f"wflow {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    del version


@app.command()
def run(
    config: Annotated[
        Path, typer.Argument(help="A file of configs/.", metavar="CONFIG")
    ],
    data: Data = None,
    assignments: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Another value for a (dotted) key; may be repeated. "
            "Example: --set fit.steps=500.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder to fill; if not given a new one, runs/<config>/<date>_<time>, "
            "which runs/<config>/latest points to.",
        ),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Go on from the last checkpoint in DIR, or in runs/<config>/latest.",
        ),
    ] = False,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite", help="Replace the run in DIR once this one has finished."
        ),
    ] = False,
) -> None:
    """Run a config: fit, score against the baselines, draw."""
    with _sentences():
        from rich.console import Console

        from .runner import run_config

        words = assignments or []
        run_config(config, words, data, out, resume, Console(), overwrite)


@app.command()
def forecast(
    run: Run,
    times: Annotated[
        list[str],
        typer.Option(
            metavar="T[,T...]", help="Times in the data's units; may be repeated."
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            metavar="FILE",
            help="Where to write. Without a suffix in the format that went in.",
        ),
    ],
    start: Annotated[
        Literal["last_snapshot", "initial"],
        typer.Option(help="Snapshot that the forecast starts from."),
    ] = "last_snapshot",
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            metavar="FILE",
            help="Start from these snapshots, in place of those of training.",
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace FILE if it is there.")
    ] = False,
) -> None:
    """Write the model's clouds at given times to a file."""
    with _sentences():
        from .runner import open_run

        asked = _parse_times(times)
        with _whole(out, overwrite) as partial:
            task, config, directory = open_run(run, data)
            written = task.forecast(config, directory, asked, partial, start)
        count = "1 time" if len(asked) == 1 else f"{len(asked)} times"
        print(f"Forecasts at {count} are in {out.with_name(written.name)}.")


@contextlib.contextmanager
def _whole(out: Path, overwrite: bool) -> Iterator[Path]:
    """A place for ``out`` and what is written beside it, which go there when whole."""
    from wflow.io.base import FORMATS

    if out.suffix and out.suffix.removeprefix(".").lower() not in FORMATS:
        raise CommandError(
            f"--out: expected a name that ends in .npz, .csv or .h5ad, found {out}."
        )

    def refuse(path: Path) -> None:
        if path.is_dir() or (os.path.lexists(path) and not overwrite):
            remedy = "" if path.is_dir() else "; --overwrite replaces it"
            raise CommandError(f"--out: {path} exists and is kept{remedy}.")

    if out.suffix:
        refuse(out)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=".wflow-", dir=out.parent))
    except OSError as error:
        raise CommandError(
            f"--out: {out} cannot be written: {explained(error)}."
        ) from error
    try:
        yield folder / out.name
        files = sorted(folder.iterdir())
        for file in files:
            refuse(out.with_name(file.name))
        for file in files:
            os.replace(file, out.with_name(file.name))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _parse_times(texts: list[str]) -> list[float]:
    """Times from ``--times 1,2 --times 3``."""
    times = []
    for text in (part for given in texts for part in given.replace(",", " ").split()):
        try:
            times.append(float(text))
        except ValueError:
            raise CommandError(f"--times: expected numbers, found {text!r}.") from None
        if not math.isfinite(times[-1]):
            raise CommandError(f"--times: expected finite numbers, found {text!r}.")
    if not times:
        raise CommandError("--times: expected at least one time.")
    return sorted(set(times))


@app.command()
def evaluate(run: Run, data: Data = None) -> None:
    """Score a run's model again, on its own data or on yours."""
    with _sentences():
        from rich.console import Console

        from .report import show
        from .runner import open_run, quiet

        console = Console()
        task, config, directory = open_run(run, data)
        show(task.evaluate(config, directory, quiet(console)), console)


@app.command()
def plot(run: Run) -> None:
    """Draw a run's figures again."""
    with _sentences():
        from .lock import locked
        from .runner import open_run

        task, config, directory = open_run(run)
        with locked(directory.path):
            for path in task.plot(config, directory):
                print(path)


@app.command("list")
def list_() -> None:
    """List the tasks there are and the configs in ./configs."""
    with _sentences():
        from rich import box
        from rich.console import Console
        from rich.table import Table

        from wflow.studies._configs import read_yaml

        from .tasks import load_task, task_names

        console = Console()
        tasks = Table("task", "what it does", box=box.SIMPLE)
        tasks.columns[0].no_wrap = True
        for name in task_names():
            tasks.add_row(name, load_task(name, "wflow list").summary)
        console.print(tasks)
        files = sorted(Path("configs").glob("*.yaml"))
        if not files:
            console.print("There is no folder configs/ with .yaml files here.")
            return
        configs = Table("config", "what it is", box=box.SIMPLE)
        configs.columns[0].no_wrap = True
        for file in files:
            configs.add_row(str(file), str(read_yaml(file).get("title", "")))
        console.print(configs)
