"""The bias that vanishing penalties leave behind, on a product of two numbers."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from wflow.cli.networks.canonical_bias_figures import (
    plot_dial,
    plot_fibre,
    plot_path,
)
from wflow.cli.networks.canonical_schema import BiasConfig
from wflow.studies._folder import RunDirectory
from wflow.studies._outcome import Outcome, ScoreTable
from wflow.studies._task import AbstractTask


if TYPE_CHECKING:
    from wflow.studies._task import Log

PATH, DIAL = "path.csv", "dial.csv"
# Of the paths that are drawn.
POINTS = 400


class CanonicalBias(AbstractTask[BiasConfig]):
    """Ends of the flows under vanishing anchored, geodesic and arc ridge."""

    summary = "where u v ends as anchored, geodesic and arc ridge vanish"
    config = BiasConfig

    def check(self, config: BiasConfig, source: str) -> None:
        del config, source

    def finished(self, directory: RunDirectory) -> Path:
        return directory.history

    def run(
        self,
        config: BiasConfig,
        directory: RunDirectory,
        *,
        resume: bool,
        log: "Log",
    ) -> Outcome:
        del resume, log
        metrics = {
            **_vanishing(config, directory),
            **_path(config, directory),
            **_dial(config, directory),
            **_predictions(config),
        }
        directory.write_metrics(metrics)
        self.plot(config, directory)
        return Outcome(metrics, [_table(config, metrics)])

    def plot(self, config: BiasConfig, directory: RunDirectory) -> list[Path]:
        columns, metrics = directory.read_history(), directory.read_metrics()
        figures = {
            "fibre": plot_fibre(columns, metrics, config.start, config.target),
            "path": plot_path(directory.read_table(PATH)),
            "dial": plot_dial(directory.read_table(DIAL)),
        }
        return [directory.write_figure(name, drawn) for name, drawn in figures.items()]


def _horizon(start: tuple[float, ...], target: float) -> float:
    """Long after the loss has gone: its least rate is the kernel on the way."""
    c = abs(start[0] ** 2 - start[1] ** 2)
    slowest = min((c**2 + 4 * f**2) ** 0.5 for f in (start[0] * start[1], target))
    return 40 / slowest


def _vanishing(config: BiasConfig, directory: RunDirectory) -> dict[str, float]:
    import jax.numpy as jnp

    from wflow.cli.networks.canonical_toys import flat, product

    training = product(config.start, config.target, config.rtol)
    horizon = _horizon(config.start, config.target)
    early, late = (
        # Not beyond the end by rounding.
        jnp.minimum(jnp.geomspace(1e-3 * horizon, end, POINTS), end)
        for end in (horizon, 60 / config.ridge)
    )
    plain = flat(training.end(horizon, times=early).measures)
    ridge = flat(training.ridge(config.ridge, late).measures)
    limit = plain[-1]
    ends = {
        "ridge": ridge[-1],
        "geodesic": flat(training.geodesic(config.vanishing, horizon)),
        "arc": flat(training.arc(config.vanishing, horizon).measure),
    }
    directory.write_history(
        {
            "flow_time": early,
            "flow_u": plain[:, 0],
            "flow_v": plain[:, 1],
            "ridge_time": late,
            "ridge_u": ridge[:, 0],
            "ridge_v": ridge[:, 1],
        }
    )
    metrics = {"limit_u": float(limit[0]), "limit_v": float(limit[1])}
    for name, end in ends.items():
        metrics[f"vanishing_{name}_bias"] = float(np.linalg.norm(end - limit))
        metrics |= {f"{name}_u": float(end[0]), f"{name}_v": float(end[1])}
    return metrics


def _path(config: BiasConfig, directory: RunDirectory) -> dict[str, float]:
    """Arc ridge from one run, and from one run a strength; anchored ridge beside."""
    import jax.numpy as jnp

    from wflow.cli.networks.canonical_toys import flat, product

    training = product(config.start, config.target, config.rtol)
    horizon = _horizon(config.start, config.target)
    strengths = config.strengths.values()
    path = training.arc_path(jnp.asarray(strengths), horizon)
    one = flat(path.points)
    separate = np.stack([flat(training.arc(s, horizon).measure) for s in strengths])
    ridge = np.stack([flat(training.ridge(s)[-1]) for s in strengths])
    directory.write_table(
        PATH,
        {
            "strength": strengths,
            "length": np.asarray(path.lengths),
            "arc_u": one[:, 0],
            "arc_v": one[:, 1],
            "anchored_u": ridge[:, 0],
            "anchored_v": ridge[:, 1],
        },
    )
    return {
        "arc_path_max_difference": float(np.abs(one - separate).max()),
        "arc_path_reached": float(np.mean(path.stopped)),
        "arc_leaf_drift": float(np.ptp(one[:, 0] ** 2 - one[:, 1] ** 2)),
        "anchored_leaf_drift": float(np.ptp(ridge[:, 0] ** 2 - ridge[:, 1] ** 2)),
    }


def _dial(config: BiasConfig, directory: RunDirectory) -> dict[str, float]:
    """Starts (sqrt(c), 0) with target 1: the bias goes like c^(-3/2) / 2."""
    from wflow.cli.networks.canonical_toys import flat, product

    gaps, excesses = [], []
    for c in config.dial:
        start = (c**0.5, 0.0)
        training = product(start, 1.0, config.rtol)
        horizon = _horizon(start, 1.0)
        end = training.arc(0.0, horizon)
        gap = flat(training.ridge(config.ridge)[-1]) - flat(end.measure)
        chord = np.linalg.norm(flat(end.measure) - np.asarray(start))
        gaps.append(float(np.linalg.norm(gap)))
        excesses.append(float(end.length) / float(chord) - 1)
    laws = [0.5 * c**-1.5 for c in config.dial]
    directory.write_table(
        DIAL,
        {"c": config.dial, "gap": gaps, "law": laws, "excess": excesses},
    )
    found = {}
    for c, gap, excess in zip(config.dial, gaps, excesses, strict=True):
        found |= {f"dial_gap_c{c:g}": gap, f"dial_arc_excess_c{c:g}": excess}
    return found


def _predictions(config: BiasConfig) -> dict[str, float]:
    """At an input that training never saw, by networks that all fit the one it saw."""
    from wflow.cli.networks.canonical_toys import flat, product

    asked = config.prediction
    start = (*asked.start, asked.weight)
    training = product(start, asked.target, config.rtol, inputs=2)
    horizon = _horizon(asked.start, asked.target)
    ends = {
        "limit": training.end(horizon)[-1],
        "arc": training.arc(config.vanishing, horizon).measure,
        "anchored": training.ridge(config.ridge)[-1],
        "standard": training.ridge(config.ridge, anchored=False)[-1],
    }
    weights = {name: flat(end) for name, end in ends.items()}
    return {f"prediction_{name}": float(w[0] * w[2]) for name, w in weights.items()}


def _table(config: BiasConfig, metrics: dict[str, float]) -> ScoreTable:
    names = {"ridge": "anchored", "geodesic": "geodesic", "arc": "arc"}
    rows = {
        f"{name} ridge": [metrics[f"vanishing_{key}_bias"]]
        for key, name in names.items()
    }
    u, v = config.start
    return ScoreTable(
        f"Distance from the end of the plain flow, from ({u:g}, {v:g}) to "
        f"u v = {config.target:g}",
        ("bias",),
        rows,
        ("arc ridge", "geodesic ridge"),
    )


TASK = CanonicalBias()
