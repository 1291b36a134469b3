"""The folder that a run fills."""

import csv
import importlib.metadata
import json
import os
import platform
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from wflow import __version__

from .errors import CommandError


if TYPE_CHECKING:
    from matplotlib.figure import Figure

PACKAGES = ("jax", "jaxlib", "equinox", "diffrax", "ott-jax", "optax")


class RunDirectory:
    """Paths and writers of one run.

    ============= ==============================================================
    config.yaml   the resolved config, with versions, device and seed
    metrics.json  ``{name: number}``
    history.csv   one row for each step
    model.eqx     what was learned
    units.json    units of the model and layout of the data's file, for forecasts
    cells.h5ad    what a .h5ad says of the cells that forecasts start from
    bands.csv     bands of the statistics at the held-out times, where there are any
    checkpoints/  from which ``--resume`` goes on
    figures/      .png files
    part-*/       a run like it of each part, where a run has several
    balanced/     a run like it of the fit without growth, where there are two
    ============= ==============================================================
    """

    def __init__(self, path: Path):
        self.path = path

    @property
    def config(self) -> Path:
        """The resolved config."""
        return self.path / "config.yaml"

    @property
    def metrics(self) -> Path:
        """Scores and timings."""
        return self.path / "metrics.json"

    @property
    def history(self) -> Path:
        """The course of the fit."""
        return self.path / "history.csv"

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
    def bands(self) -> Path:
        """Bands of statistics of the forecasts, beside what was observed."""
        return self.path / "bands.csv"

    @property
    def checkpoints(self) -> Path:
        """Where the fit saves its state."""
        return self.path / "checkpoints"

    @property
    def figures(self) -> Path:
        """Where figures lie."""
        return self.path / "figures"

    @property
    def balanced(self) -> "RunDirectory":
        """The folder of the fit without growth."""
        return RunDirectory(self.path / "balanced")

    def part(self, name: str) -> "RunDirectory":
        """The folder of one of several runs that belong together."""
        return RunDirectory(self.path / f"part-{name}")

    def seeded(self, seed: int) -> "RunDirectory":
        """The folder of one seed of several."""
        return RunDirectory(self.path / f"seed-{seed}")

    def clear(self) -> None:
        """Make the folder, without what an earlier run left in it.

        Raises:
            CommandError: the folder holds something that is no run.
        """
        if self.path.exists() and not self.path.is_dir():
            raise CommandError(f"{self.path}: expected a folder, found a file.")
        if not self.config.exists() and self._holds_files():
            raise CommandError(
                f"{self.path}: holds files but no run (no config.yaml), and is left as "
                "it is; give another folder with --out."
            )
        self.path.mkdir(parents=True, exist_ok=True)
        # The config stays until another replaces it: what is cleared by halves is still
        # known to be a run.
        files = (self.metrics, self.history, self.model, self.units, self.bands)
        for file in (*files, self.cells):
            file.unlink(missing_ok=True)
        folders = (self.checkpoints, self.figures, self.models, self.balanced.path)
        for folder in (
            *folders,
            *self.path.glob("seed-*"),
            *self.path.glob("part-*"),
        ):
            shutil.rmtree(folder, ignore_errors=True)

    def _holds_files(self) -> bool:
        if not self.path.is_dir():
            return False
        return any(not file.name.endswith(".partial") for file in self.path.iterdir())

    def write_config(self, config: Mapping[str, Any]) -> None:
        """Write the resolved config and what it ran on."""
        text = yaml.safe_dump(
            {**_kinds_first(config), "environment": environment()},
            sort_keys=False,
            width=88,
        )
        _replace(self.config, text)

    def read_config(self) -> dict[str, Any]:
        """The resolved config, without what it ran on."""
        if not self.config.is_file():
            raise CommandError(
                f"{self.path}: expected the folder of a run, found no config.yaml."
            )
        data = yaml.safe_load(self.config.read_text(encoding="utf-8"))
        data.pop("environment", None)
        return data

    def write_metrics(self, metrics: Mapping[str, float]) -> None:
        """Write the numbers of the run."""
        plain = {name: _number(value) for name, value in metrics.items()}
        _replace(self.metrics, json.dumps(plain, indent=2) + "\n")

    def read_metrics(self) -> dict[str, float]:
        """The numbers of the run; none where it has not finished."""
        if not self.metrics.is_file():
            return {}
        return json.loads(self.metrics.read_text(encoding="utf-8"))

    def write_history(self, history: Mapping[str, Sequence[float]]) -> None:
        """Write columns of one length."""
        write_columns(
            self.history,
            {
                name: [_number(value) for value in column]
                for name, column in history.items()
            },
        )

    def write_bands(self, columns: Mapping[str, Sequence[str | float]]) -> None:
        """Write columns of one length, one row for each statistic and time."""
        write_columns(self.bands, columns)

    def read_history(self) -> dict[str, list[float]]:
        """The columns of the history; none where there is no file."""
        if not self.history.is_file():
            return {}
        return read_columns(self.history)

    def write_figure(self, name: str, figure: "Figure") -> Path:
        """Save a figure as ``figures/<name>.png``."""
        self.figures.mkdir(exist_ok=True)
        path = self.figures / f"{name}.png"
        figure.savefig(path)
        return path


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
        "system": platform.platform(),
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


def write_columns(path: Path, columns: Mapping[str, Sequence[Any]]) -> None:
    """Write a .csv of columns of one length; a reader never sees half of it."""
    partial = path.with_suffix(".partial")
    with partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
    os.replace(partial, path)


def read_columns(path: Path) -> dict[str, list[float]]:
    """The numbers of a .csv with a header."""
    with path.open(newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    columns = zip(*rows, strict=True) if rows else ([] for _ in header)
    return {
        name: [float(value) for value in column]
        for name, column in zip(header, columns, strict=True)
    }


def _replace(path: Path, text: str) -> None:
    """Write at once: a reader sees the old file or the new one, never half of one."""
    partial = path.with_suffix(path.suffix + ".partial")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, path)
