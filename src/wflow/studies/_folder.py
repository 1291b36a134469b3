"""The folder that a run fills."""

import importlib.metadata
import io
import json
import os
import platform
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from wflow import __version__

from ._configs import read_yaml
from ._files import checksum, explained, write_bytes, write_text
from ._record import Record
from ._tables import (
    Columns,
    Found,
    Numbers,
    damaged,
    read_columns,
    read_numbers,
    write_columns,
)


if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from wflow.learning import Ensemble, Fit

CHECKPOINT = "checkpoint.eqx"
# The last line of a config.
LAST = "system"
PACKAGES = ("jax", "jaxlib", "equinox", "diffrax", "ott-jax", "optax")


class RunDirectory:
    """Paths and writers of one run.

    ============= ==============================================================
    config.yaml   the resolved config, with versions, device and seed
    metrics.json  ``{name: number}``
    outcome.json  tables of scores, remarks and warnings
    report.html   all of the run on a page that needs no other file
    history.csv   one row for each step
    log.csv       the same of ``--log csv``, with scores on the way
    results.npz   the arrays of a study, of which all else is made
    model.eqx     what was learned
    units.json    units of the model and layout of the data's file, for forecasts
    cells.h5ad    what a .h5ad says of the cells that forecasts start from
    data.npz      the snapshots of the user's file, so that the run needs it no more
    bands.csv     bands of the statistics at the held-out times, where there are any
    checkpoints/  from which ``--resume`` goes on
    figures/      .png files
    part-*/       a run like it of each part, where a run has several
    balanced/     a run like it of the fit without growth, where there are two
    fresh/        a run like it of the fit to a draw of a simulator, where there is one
    .wflow.json   which of the files are the run's own, and their checksums
    ============= ==============================================================
    """

    def __init__(
        self, path: Path, parent: "RunDirectory | None" = None, own_data: bool = True
    ):
        """A folder that need not be there.

        Args:
            path: the folder.
            parent: the run that this one is a part of.
            own_data: whether the run is read with the data that it was made from, or
                with others that the user gives.
        """
        self.path, self.parent, self.own_data = path, parent, own_data
        # Called with every chunk of the training whose model the folder holds.
        self.watchers: list[Callable[[Any], Any]] = []

    @property
    def config(self) -> Path:
        """The resolved config."""
        return self.path / "config.yaml"

    @property
    def metrics(self) -> Path:
        """Scores and timings."""
        return self.path / "metrics.json"

    @property
    def outcome(self) -> Path:
        """Tables of scores, remarks and warnings."""
        return self.path / "outcome.json"

    @property
    def report(self) -> Path:
        """The run on a page."""
        return self.path / "report.html"

    @property
    def history(self) -> Path:
        """The course of the fit."""
        return self.path / "history.csv"

    @property
    def results(self) -> Path:
        """The arrays of a study."""
        return self.path / "results.npz"

    @property
    def model(self) -> Path:
        """What was learned."""
        return self.path / "model.eqx"

    @property
    def models(self) -> Path:
        """What was learned, where a run learns several laws."""
        return self.path / "models"

    @property
    def units(self) -> Path:
        """Units of the model, and layout of the data's file."""
        return self.path / "units.json"

    @property
    def cells(self) -> Path:
        """What the data's .h5ad says of the cells that forecasts start from."""
        return self.path / "cells.h5ad"

    @property
    def data(self) -> Path:
        """The snapshots that came from a file."""
        return self.path / "data.npz"

    @property
    def bands(self) -> Path:
        """Bands of statistics of the forecasts, beside what was observed."""
        return self.path / "bands.csv"

    def checkpoints(self, *names: str) -> Path:
        """The folder where a fit saves its state, one of several by its names."""
        folder = self.path.joinpath("checkpoints", *names)
        self.claim(folder / CHECKPOINT)
        return folder

    @property
    def figures(self) -> Path:
        """Where figures lie."""
        return self.path / "figures"

    @property
    def balanced(self) -> "RunDirectory":
        """The folder of the fit without growth."""
        return self._below("balanced")

    @property
    def fresh(self) -> "RunDirectory":
        """The folder of the fit to a draw of a simulator."""
        return self._below("fresh")

    def part(self, name: str) -> "RunDirectory":
        """The folder of one of several runs that belong together."""
        return self._below(f"part-{name}")

    @property
    def parts(self) -> list[Path]:
        """The folders of those that there are."""
        record = Record.of(self.path)
        if record is None:
            return sorted(self.path.glob("part-*"))
        return [self.path / name for name in record.runs if name.startswith("part-")]

    def seeded(self, seed: int) -> "RunDirectory":
        """The folder of one seed of several."""
        return self._below(f"seed-{seed}")

    def _below(self, name: str) -> "RunDirectory":
        return RunDirectory(self.path / name, self, self.own_data)

    def make(self) -> None:
        """Make the folder, as a part of the run that it belongs to."""
        whole = None if self.parent is None else Record.of(self.parent.path)
        if whole is not None and self.path.name not in whole.runs:
            whole.runs.append(self.path.name)
            whole.write()
        self.path.mkdir(parents=True, exist_ok=True)
        record = Record.of(self.path) or Record(self.path)
        record.state = "running"
        record.write()

    def claim(self, path: Path) -> Path:
        """``path``, recorded as a file that the run is about to write.

        Raises:
            ValueError: it is there, and no run has written it.
        """
        record = Record.of(self.path)
        name = path.relative_to(self.path).as_posix()
        if record is not None and name not in record.files:
            if os.path.lexists(path):
                raise ValueError(
                    f"{path}: expected no such file, found one that the run did not "
                    "write; move it, or give another folder with --out."
                )
            record.files[name] = None
            record.write()
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def save_fit(self, fitted: "Fit", path: Path) -> None:
        """Write what was learned."""
        fitted.save(self.claim(path))

    def save_ensemble(self, ensemble: "Ensemble") -> None:
        """Write several fits into ``models/``."""
        for name in ensemble.file_names():
            self.claim(self.models / name)
        ensemble.save(self.models)

    def write_config(self, config: Mapping[str, Any]) -> None:
        """Write the resolved config and what it ran on."""
        text = yaml.safe_dump(
            {**_kinds_first(config), "environment": environment()},
            sort_keys=False,
            width=88,
        )
        write_text(self.claim(self.config), text)

    def read_config(self) -> dict[str, Any]:
        """The resolved config, without what it ran on.

        Raises:
            ValueError: there is none, or not all of it.
        """
        if not self.config.is_file():
            raise ValueError(
                f"{self.path}: expected the folder of a run, found no config.yaml."
            )
        data = read_yaml(self.config)
        ran_on = data.pop("environment", None)
        # It stands last: a file without it was cut short, and its missing keys would
        # be read as the defaults.
        if Record.of(self.path) and not (
            isinstance(ran_on, dict) and list(ran_on)[-1:] == [LAST]
        ):
            raise damaged(self.config, "expected its environment at the end")
        return data

    def write_metrics(self, metrics: Mapping[str, float]) -> None:
        """Write the numbers of the run."""
        plain = {name: _number(value) for name, value in metrics.items()}
        self.write_json(self.metrics, plain)

    def read_metrics(self) -> Numbers:
        """The numbers of the run; none where it has not finished."""
        if not self.metrics.is_file():
            return Found(self.metrics, "number")
        return read_numbers(self.metrics)

    def write_json(self, path: Path, content: Mapping[str, Any]) -> None:
        """Write names and values."""
        write_text(self.claim(path), json.dumps(content, indent=2) + "\n")

    def write_data(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Write arrays by name: a copy of what the run read from a file."""
        self._write_arrays(self.data, arrays)

    def write_results(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Write the arrays of a study by name."""
        self._write_arrays(self.results, arrays)

    def read_results(self) -> Found[np.ndarray]:
        """The arrays of a study by name.

        Raises:
            ValueError: the file is missing or damaged.
        """
        return self._read_arrays(self.results)

    def _read_arrays(self, path: Path) -> Found[np.ndarray]:
        try:
            content = io.BytesIO(path.read_bytes())
            with np.load(content, allow_pickle=False) as file:
                return Found(path, "array", dict(file))
        except OSError as error:
            raise ValueError(f"{explained(error)}.") from error
        except (
            *(ValueError, TypeError, EOFError, RuntimeError),
            *(zipfile.BadZipFile, zlib.error),
        ):
            raise damaged(path, "expected arrays, found other bytes") from None

    def kept(
        self, name: str, compute: Callable[[], Mapping[str, Any]]
    ) -> Mapping[str, np.ndarray]:
        """A part of the results: read where the run left it, else computed and kept."""
        path = self.path / "checkpoints" / f"{name}.npz"
        if not path.is_file():
            self._write_arrays(path, compute())
        return self._read_arrays(path)

    def _write_arrays(self, path: Path, arrays: Mapping[str, np.ndarray]) -> None:
        file = io.BytesIO()
        np.savez_compressed(file, **arrays)
        write_bytes(self.claim(path), file.getvalue())

    def write_table(self, name: str, columns: Mapping[str, Sequence[Any]]) -> None:
        """Write columns of one length as a .csv."""
        write_columns(self.claim(self.path / name), columns)

    def read_table(self, name: str) -> Columns:
        """The columns that ``write_table`` wrote."""
        return read_columns(self.path / name)

    def write_history(self, history: Mapping[str, Sequence[float]]) -> None:
        """Write columns of one length; what is yes or no as 1 or 0."""
        rows = {name: np.asarray(column) for name, column in history.items()}
        numbers = {
            name: (column.astype(int) if column.dtype == bool else column).tolist()
            for name, column in rows.items()
        }
        self.write_table(self.history.name, numbers)

    def write_bands(self, columns: Mapping[str, Sequence[str | float]]) -> None:
        """Write columns of one length, one row for each statistic and time."""
        self.write_table(self.bands.name, columns)

    def read_history(self) -> Columns:
        """The columns of the history; none where there is no file."""
        if not self.history.is_file():
            return Found(self.history, "column")
        return read_columns(self.history)

    def write_figure(self, name: str, figure: "Figure") -> Path:
        """Save a figure as ``figures/<name>.png``."""
        path = self.claim(self.figures / f"{name}.png")
        image = io.BytesIO()
        figure.savefig(image, format="png")
        write_bytes(path, image.getvalue())
        return path

    def verify(self) -> None:
        """Refuse files that are not as the finished run left them.

        Raises:
            ValueError: one was damaged or edited; the sentence names it.
        """
        record = Record.of(self.path)
        if record is None or record.state != "finished":
            return
        for name, expected in record.files.items():
            path = self.path / name
            if expected is not None and path.is_file() and checksum(path) != expected:
                raise ValueError(
                    f"{path} is not as the run wrote it (its checksum is another): "
                    "put it back, or run the config again."
                )
        for name in record.runs:
            self._below(name).verify()


def environment() -> dict[str, Any]:
    """Versions and device."""
    import jax

    devices = jax.devices()
    return {
        "python": platform.python_version(),
        "versions": {
            "wflow": __version__,
            **{name: importlib.metadata.version(name) for name in PACKAGES},
        },
        "device": f"{len(devices)} x {devices[0].device_kind} ({devices[0].platform})",
        "cores": os.cpu_count(),
        LAST: platform.platform(),
    }


def _kinds_first(value: Any) -> Any:
    """``value`` with ``kind`` as the first key of every mapping that has it."""
    if isinstance(value, list):
        return [_kinds_first(item) for item in value]
    if not isinstance(value, Mapping):
        return value
    ordered = {"kind": value["kind"], **value} if "kind" in value else value
    return {key: _kinds_first(item) for key, item in ordered.items()}


def _number(value: Any) -> float | int:
    value = value.item() if hasattr(value, "item") else value
    return int(value) if isinstance(value, int) else float(value)
