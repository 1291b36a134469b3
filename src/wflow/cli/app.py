"""The commands."""

import contextlib
import json
import traceback
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from wflow import __version__, studies
from wflow.studies._configs import (
    config_folder,
    config_names,
    find_config,
    read_yaml,
)

from .errors import CommandError, failures
from .lock import locked
from .replacing import whole
from .stopping import terminable
from .times import parse_times


app = typer.Typer(
    name="wflow",
    help="Populations that move: learn how from snapshots, forecast, compare.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Run = Annotated[Path, typer.Argument(help="Folder of a finished run.", metavar="RUN")]
Data = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="FILE",
        help="Your snapshots (see wflow new), in place of the config's data.",
    ),
]
Config = Annotated[
    Path,
    typer.Argument(
        help="A .yaml file, or the name of a config that wflow list shows.",
        metavar="CONFIG",
        autocompletion=lambda incomplete: [
            name for name in config_names() if name.startswith(incomplete)
        ],
    ),
]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Print warnings and errors alone.")
]
Verbose = Annotated[
    bool,
    typer.Option("--verbose", "-v", help="Print where an error or a warning is from."),
]


@contextlib.contextmanager
def _sentences(verbose: bool = False) -> Iterator[None]:
    """Errors and warnings as sentences on stderr, with the exit codes 1 and 2."""

    def warn(
        message: Warning | str, category: object, file: str, line: int, *_: object
    ) -> None:
        place = f" ({file}, line {line})" if verbose else ""
        typer.secho(f"Warning: {message}{place}", err=True, fg="yellow")

    with warnings.catch_warnings():
        warnings.showwarning = warn
        try:
            with terminable(), failures():
                yield
        except CommandError as error:
            if verbose:
                traceback.print_exception(error)
            typer.secho(str(error), err=True, fg="red")
            raise typer.Exit(error.code) from error


def _version(asked: bool) -> None:
    if asked:
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
def new(
    file: Annotated[
        Path,
        typer.Argument(
            help="Your snapshots: .h5ad, .zarr, .csv, .tsv (also .gz), .parquet, .npz.",
            metavar="FILE",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="YAML",
            help="The config to write; if not given, the name of FILE with .yaml.",
        ),
    ] = None,
    time: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The column or array that is the time."),
    ] = None,
    representation: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The representation or array that moves."),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the config if it is there.")
    ] = False,
    verbose: Verbose = False,
) -> None:
    """Look at a file of snapshots, and write a config that runs on it."""
    with _sentences(verbose):
        from .new import make_config

        make_config(file, out, time, representation, overwrite, Console())


@app.command()
def run(
    config: Config,
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
    log: Annotated[
        Literal["csv", "tensorboard", "trackio", "wandb"] | None,
        typer.Option(
            "--log",
            help="Write the training down while it runs, for this tracker.",
        ),
    ] = None,
    distributed: Annotated[
        bool,
        typer.Option(
            "--distributed",
            help="Make the run together with other processes, which spread the rows of "
            "a training; JAX_COORDINATOR_ADDRESS, JAX_NUM_PROCESSES and JAX_PROCESS_ID "
            "say which one this is, or Slurm.",
        ),
    ] = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Run a config: fit, score against the baselines, draw."""
    with _sentences(verbose):
        from .runner import run_config

        path, words = find_config(config), assignments or []
        console = Console(quiet=quiet)
        if not distributed:
            run_config(path, words, data, out, resume, console, overwrite, log)
            return
        if resume:
            raise CommandError(
                "--distributed: a run that was stopped goes on in one process; give "
                "--resume without it."
            )
        from .processes import joined

        with joined(out, console) as (folder, told):
            tracked = log if folder is out else None
            run_config(path, words, data, folder, False, told, overwrite, tracked)


@app.command()
def sweep(
    config: Config,
    grid: Annotated[
        list[str],
        typer.Argument(
            metavar="KEY=VALUE,VALUE...",
            help="Values to try, as in fit.steps=200,1000 seed=0..4.",
        ),
    ],
    data: Data = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder of the runs; runs that have finished there are kept. If not "
            "given a new one, runs/<config>-sweep/<date>_<time>.",
        ),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs", "-j", help="Runs at a time; if not given one for two cores."
        ),
    ] = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Run a config with every combination of values, and tabulate the scores."""
    with _sentences(verbose):
        from .sweep import run_sweep

        run_sweep(find_config(config), grid, data, out, jobs, Console(quiet=quiet))


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
        Literal["last_snapshot", "initial"] | None,
        typer.Option(
            help="Snapshot that the forecast starts from; if not given the last one "
            "before each time, or those around it, as the model was chosen for.",
        ),
    ] = None,
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
    verbose: Verbose = False,
) -> None:
    """Write the model's clouds at given times to a file."""
    with _sentences(verbose):
        from .runner import open_run

        asked = parse_times(times)
        with whole(out, overwrite) as partial:
            task, config, directory = open_run(run, data)
            written = task.forecast(config, directory, asked, partial, start)
        count = "1 time" if len(asked) == 1 else f"{len(asked)} times"
        print(f"Forecasts at {count} are in {out.with_name(written.name)}.")


@app.command()
def evaluate(run: Run, data: Data = None, verbose: Verbose = False) -> None:
    """Score a run's model again, on its own data or on yours."""
    with _sentences(verbose):
        from .report import show
        from .runner import lines, open_run

        console = Console()
        task, config, directory = open_run(run, data)
        show(task.evaluate(config, directory, lines(console)), console)


@app.command()
def plot(run: Run, verbose: Verbose = False) -> None:
    """Draw a run's figures again, and write its report."""
    with _sentences(verbose):
        from wflow.studies._kept import kept_outcome
        from wflow.studies._report import write_report

        from .runner import open_run

        task, config, directory = open_run(run)
        with locked(directory.path):
            for path in task.plot(config, directory):
                print(path)
            write_report(task, config, directory, kept_outcome(directory))
            print(directory.report)


@app.command()
def compare(
    runs: Annotated[
        list[Path], typer.Argument(help="Folders of finished runs.", metavar="RUN...")
    ],
    html: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", help="Write the tables to a page, too."),
    ] = None,
    verbose: Verbose = False,
) -> None:
    """Tabulate runs beside each other: scores, numbers, settings that differ."""
    with _sentences(verbose):
        from .compare import compare_runs

        compare_runs(runs, html, Console())


@app.command("list")
def list_() -> None:
    """List the studies there are and the configs that come with wflow."""
    with _sentences():
        console = Console()
        console.print(_table("study", "what it does", studies.summaries()))
        files = {name: config_folder() / f"{name}.yaml" for name in config_names()}
        beside = Path("configs")
        if beside.resolve() != config_folder().resolve():
            files |= {str(path): path for path in sorted(beside.glob("*.yaml"))}
        titles = {
            name: read_yaml(file).get("title", "") for name, file in files.items()
        }
        console.print(_table("config", "what it is", titles))


def _table(name: str, meaning: str, rows: dict[str, str]) -> Table:
    table = Table(name, meaning, box=box.SIMPLE)
    table.columns[0].no_wrap = True
    for row in rows.items():
        table.add_row(*map(str, row))
    return table


@app.command("show")
def show_(config: Config) -> None:
    """Print a config, to copy and change."""
    with _sentences():
        print(find_config(config).read_text(encoding="utf-8"), end="")


@app.command()
def schema(
    study: Annotated[
        str | None,
        typer.Argument(
            help="One that wflow list shows; if not given, all of them.",
            metavar="[STUDY]",
        ),
    ] = None,
) -> None:
    """Print the JSON schema of configs: every key, for editors."""
    with _sentences():
        from wflow.studies._schema import schema as schema_of

        print(json.dumps(schema_of(study), indent=1))
