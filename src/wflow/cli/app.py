"""The commands. Whatever is heavy is imported where it is used."""

import contextlib
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

import typer

from .errors import CommandError, failures


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
        typer.Option(metavar="DIR", help="Folder to fill; runs/<config> if not given."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the last checkpoint in DIR.")
    ] = False,
) -> None:
    """Run a config: fit, score against the baselines, draw."""
    with _sentences():
        from rich.console import Console

        from .runner import run_config

        run_config(config, assignments or [], data, out, resume, Console())


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
) -> None:
    """Write the model's clouds at given times to a file."""
    with _sentences():
        from .runner import open_run

        asked = _parse_times(times)
        task, config, directory = open_run(run)
        with failures():
            written = task.forecast(config, directory, asked, out, start)
        count = "1 time" if len(asked) == 1 else f"{len(asked)} times"
        print(f"Forecasts at {count} are in {written}.")


def _parse_times(texts: list[str]) -> list[float]:
    """Times from ``--times 1,2 --times 3``."""
    times = []
    for text in (part for given in texts for part in given.replace(",", " ").split()):
        try:
            times.append(float(text))
        except ValueError:
            raise CommandError(f"--times: expected numbers, found {text!r}.") from None
    if not times:
        raise CommandError("--times: expected at least one time.")
    return sorted(set(times))


@app.command()
def evaluate(run: Run, data: Data = None) -> None:
    """Score a run's model again, on its own data or on yours."""
    with _sentences():
        from rich.console import Console

        from .report import show
        from .runner import open_run

        console = Console()
        task, config, directory = open_run(run, data)
        with failures():
            show(task.evaluate(config, directory, console), console)


@app.command()
def plot(run: Run) -> None:
    """Draw a run's figures again."""
    with _sentences():
        from .runner import open_run

        task, config, directory = open_run(run)
        with failures():
            for path in task.plot(config, directory):
                print(path)


@app.command("list")
def list_() -> None:
    """List the tasks there are and the configs in ./configs."""
    with _sentences():
        from rich import box
        from rich.console import Console
        from rich.table import Table

        from .config import read_yaml
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
