"""Weighted nodes of several methods for a target in closed form, side by side."""

import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from wflow.cli.errors import CommandError
from wflow.cli.sampling.quadrature_figures import plot_discrepancies, plot_nodes
from wflow.cli.sampling.quadrature_schema import (
    DRAWS,
    REWEIGHTED,
    QuadratureConfig,
    Reweighting,
)
from wflow.cli.sampling.targets import BuiltTarget
from wflow.studies._folder import RunDirectory
from wflow.studies._outcome import Outcome, ScoreTable
from wflow.studies._task import AbstractTask


if TYPE_CHECKING:
    from jax import Array

    from wflow.sampling import AbstractMethod, Quadrature
    from wflow.studies._task import Log

# A mode counts as found where it holds this weight within as many deviations.
_SHARE, _DEVIATIONS = 0.1, 3.0


class _Row(NamedTuple):
    """Runs of one method: all arrays have a leading axis of repeats."""

    quadrature: "Quadrature"
    seconds: float
    evaluations: int
    warnings: Sequence[str] = ()


class SamplingQuadrature(AbstractTask[QuadratureConfig]):
    """Discrepancy, error of the mean and cost of nodes with weights."""

    summary = "weighted nodes of mean-shift particles and other samplers, compared"
    config = QuadratureConfig

    def check(self, config: QuadratureConfig, source: str) -> None:
        law = config.target.build().law
        for name, method in config.methods.items():
            try:
                method.build(law)
            except ValueError as error:
                raise CommandError(f"{source}: methods.{name}: {error}") from None

    def finished(self, directory: RunDirectory) -> Path:
        return directory.history

    def run(
        self,
        config: QuadratureConfig,
        directory: RunDirectory,
        *,
        resume: bool,
        log: "Log",
    ) -> Outcome:
        del resume
        target = config.target.build()
        found: dict[int, dict[str, dict[str, np.ndarray]]] = {}
        for n in config.particles:
            log(f"{n} particles", highlight=False)
            rows = _rows(config, target, n, log)
            found[n] = {
                name: _scores(config, target, name, row) for name, row in rows.items()
            }
        directory.write_history(_columns(config, found))
        self.plot(config, directory)
        return Outcome(
            _metrics(config, target, found),
            _tables(config, target, found),
            _remarks(config, target, found),
        )

    def plot(self, config: QuadratureConfig, directory: RunDirectory) -> list[Path]:
        columns = directory.read_history().arrays()
        target = config.target.build()
        of_row = [columns["method"] == k for k, _ in enumerate(config.rows)]
        spreads = {
            name: {
                n: columns["mmd2"][rows & first & (columns["particles"] == n)]
                for n in config.particles
            }
            for first in [columns["node"] == 0]
            for name, rows in zip(config.rows, of_row, strict=True)
        }
        curves = plot_discrepancies(
            spreads,
            {n: float(_expected(config, target)) / n for n in config.particles},
            models=config.quadratures,
            title="Squared discrepancy of weighted nodes from the target",
        )
        figures = {"mmd2": curves}
        if "x2" in columns and "x3" not in columns:
            n = config.particles[-1]
            shown = (columns["particles"] == n) & (columns["repeat"] == 0)
            clouds = {
                name: tuple(
                    columns[key][rows & shown] for key in ("x1", "x2", "weight")
                )
                for name, rows in zip(config.rows, of_row, strict=True)
            }
            figures["nodes"] = plot_nodes(
                target.log_density, clouds, title=f"{n} nodes of each method, one run"
            )
        return [directory.write_figure(name, drawn) for name, drawn in figures.items()]


def _rows(
    config: QuadratureConfig, target: BuiltTarget, n: int, log: "Log"
) -> dict[str, _Row]:
    """Every method with ``n`` particles."""
    import jax

    draw_key, start_key, run_key = jax.random.split(
        jax.random.fold_in(jax.random.key(config.seed), n), 3
    )
    repeated = lambda key: jax.random.split(key, config.repeats)
    draw = lambda key: config.initial.draw(key, n, config.target.dim)
    starts = jax.vmap(draw)(repeated(start_key))
    rows = {}
    for k, (name, method) in enumerate(config.methods.items()):
        built = method.build(target.law)
        if name in config.quadratures:
            rows[name] = _shifted(config, target, built, starts)
        else:
            keys = repeated(jax.random.fold_in(run_key, k))
            rows[name] = _sampled(target, built, starts, keys)
        log(f"  {name}: {rows[name].seconds:.2g} s a run", highlight=False)
        for sentence in rows[name].warnings:
            log(f"    {sentence}", highlight=False)
    draws = jax.vmap(lambda key: target.sample(key, n))(repeated(draw_key))
    rows[DRAWS] = _Row(jax.vmap(_weighted)(draws), 0.0, 0)
    for name in config.reweighted.nodes if config.reweighted else []:
        row = _reweighted(config.reweighted, target, rows[name])
        rows[name + REWEIGHTED] = row
    return rows


def _shifted(
    config: QuadratureConfig, target: BuiltTarget, method: Any, starts: "Array"
) -> _Row:
    """Mean-shift particles, all repeats at once and held in the box."""
    from wflow.measures import Particles
    from wflow.sampling import damped_iteration

    box = config.box and (config.box.low, config.box.high)

    def run(x: Any) -> "Quadrature":
        flow = method.flow(target.log_density, Particles.from_samples(x))
        return damped_iteration(
            flow, x, damping=method.step, steps=method.steps, box=box
        ).quadrature()

    quadrature, seconds = _timed(run, starts)
    _, n, d = starts.shape
    cost = method.cost(target.log_density, d) * method.steps * n
    return _Row(quadrature, seconds, cost)


def _sampled(
    target: BuiltTarget, method: "AbstractMethod", starts: "Array", keys: "Array"
) -> _Row:
    """One run after the other: the first one compiles."""
    import jax
    import jax.numpy as jnp

    from wflow.sampling import sample

    found, seconds, cost = [], [], 0
    with warnings.catch_warnings(record=True) as raised:
        warnings.simplefilter("always")
        for x, key in zip(starts, keys, strict=True):
            began = time.perf_counter()
            samples = sample(target.log_density, x, method=method, key=key, saves=1)
            jax.block_until_ready(samples.weights)
            seconds.append(time.perf_counter() - began)
            found.append(_weighted(samples.particles, samples.weights))
            cost = samples.evaluations
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *found)
    heard = {str(warning.message) for warning in raised}
    return _Row(stacked, float(np.median(seconds)), cost, sorted(heard)[:1])


def _weighted(x: Any, weights: Any = None) -> "Quadrature":
    """Nodes and their weights; equal ones by default."""
    import jax.numpy as jnp

    from wflow.sampling import Quadrature

    unknown = jnp.asarray(jnp.nan, x.dtype)
    if weights is None:
        weights = jnp.full(x.shape[0], 1 / x.shape[0], x.dtype)
    return Quadrature(x, weights, unknown, unknown)


def _timed(
    run: Callable[[Any], "Quadrature"], starts: "Array"
) -> tuple["Quadrature", float]:
    """All repeats; the seconds of one of them, without those of compiling."""
    import jax

    program = jax.jit(jax.vmap(run)).lower(starts).compile()
    began = time.perf_counter()
    quadrature = jax.block_until_ready(program(starts))
    return quadrature, (time.perf_counter() - began) / len(starts)


def _reweighted(how: Reweighting, target: BuiltTarget, row: _Row) -> _Row:
    from wflow.kernels import Gaussian
    from wflow.sampling import ExactEmbedding, optimal_quadrature

    embedding, kernel = ExactEmbedding(target.law), Gaussian(how.bandwidth)
    quadrature, seconds = _timed(
        lambda x: optimal_quadrature(x, embedding, kernel, how.ridge),
        row.quadrature.nodes,
    )
    return _Row(quadrature, row.seconds + seconds, row.evaluations)


def _scores(
    config: QuadratureConfig, target: BuiltTarget, name: str, row: _Row
) -> dict[str, np.ndarray]:
    """Numbers of every repeat, and the nodes themselves."""
    import jax
    import jax.numpy as jnp

    def score(quadrature: "Quadrature") -> dict[str, Any]:
        return {
            "mmd2": quadrature.mmd2(target.law, config.bandwidth),
            "mean_error": jnp.linalg.norm(quadrature.mean - target.mean),
            "ksd": quadrature.ksd(target.log_density, config.bandwidth),
            "max_abs_weight": quadrature.max_abs_weight,
            "modes": _modes_found(target, quadrature),
        }

    # Not compiled as one program: with the hundreds of components of joker it hung.
    found = jax.vmap(score)(row.quadrature)
    found |= {"x": row.quadrature.nodes, "w": row.quadrature.weights}
    if name in config.quadratures or name.endswith(REWEIGHTED):
        found["condition"] = row.quadrature.condition
    found |= {
        "seconds": np.full(config.repeats, row.seconds),
        "evaluations": np.full(config.repeats, row.evaluations),
    }
    return {key: np.asarray(value) for key, value in found.items()}


def _modes_found(target: BuiltTarget, quadrature: "Quadrature") -> Any:
    """How many modes hold enough weight near their centre."""
    import jax.numpy as jnp

    if target.centres is None or target.spreads is None:
        return jnp.zeros((), int)
    apart = jnp.linalg.norm(quadrature.nodes[:, None] - target.centres, axis=2)
    near = apart <= _DEVIATIONS * target.spreads
    return jnp.sum(quadrature.weights @ near >= _SHARE)


def _expected(config: QuadratureConfig, target: BuiltTarget) -> Any:
    """Expected squared discrepancy of independent draws, times their number."""
    from wflow.kernels import Gaussian, mixture_double_integral

    kernel = Gaussian(config.bandwidth)
    return 1 - mixture_double_integral(kernel, target.law, target.law)


Found = dict[int, dict[str, dict[str, np.ndarray]]]


def _columns(config: QuadratureConfig, found: Found) -> dict[str, list[float]]:
    """One row for each node of each run."""
    columns: dict[str, list[np.ndarray]] = {}
    for n, rows in found.items():
        for k, name in enumerate(config.rows):
            row = rows[name]
            repeats, _, d = row["x"].shape
            entries = {
                "method": np.full((repeats, n), k),
                "particles": np.full((repeats, n), n),
                "repeat": np.broadcast_to(np.arange(repeats)[:, None], (repeats, n)),
                "node": np.broadcast_to(np.arange(n), (repeats, n)),
                "weight": row["w"],
                "mmd2": np.broadcast_to(row["mmd2"][:, None], (repeats, n)),
            }
            entries |= {f"x{i + 1}": row["x"][..., i] for i in range(d)}
            for key, value in entries.items():
                columns.setdefault(key, []).append(value.ravel())
    return {key: np.concatenate(parts).tolist() for key, parts in columns.items()}


def _metrics(
    config: QuadratureConfig, target: BuiltTarget, found: Found
) -> dict[str, float]:
    metrics: dict[str, float] = {}
    for n, rows in found.items():
        for name, row in rows.items():
            for key in ("mmd2", "mean_error", "ksd", "seconds", "evaluations"):
                metrics[f"{key}_{name}_m{n}"] = float(np.median(row[key]))
            metrics[f"mmd2_{name}_m{n}_least"] = float(np.min(row["mmd2"]))
            metrics[f"mmd2_{name}_m{n}_most"] = float(np.max(row["mmd2"]))
            if "condition" in row:
                metrics[f"condition_{name}_m{n}"] = float(np.median(row["condition"]))
                worst = float(np.max(row["max_abs_weight"]))
                metrics[f"max_abs_weight_{name}_m{n}"] = worst
        metrics[f"mmd2_iid_expected_m{n}"] = float(_expected(config, target)) / n
    every = [rows[name] for rows in found.values() for name in config.quadratures]
    metrics["max_abs_weight"] = max(float(np.max(r["max_abs_weight"])) for r in every)
    metrics["nan_seeds"] = _unfinished(found)
    if target.centres is not None:
        for name in config.rows:
            least = min(int(np.min(rows[name]["modes"])) for rows in found.values())
            metrics[f"modes_found_min_{name}"] = least
        first = config.quadratures[0]
        metrics["modes_found_min"] = metrics[f"modes_found_min_{first}"]
    return metrics


def _unfinished(found: Found) -> int:
    """Repeats in which a node or a weight of any method is not finite."""
    finite = [
        np.isfinite(row["x"]).all((1, 2)) & np.isfinite(row["w"]).all(1)
        for rows in found.values()
        for row in rows.values()
    ]
    return int(np.sum(~np.all(finite, axis=0)))


def _tables(
    config: QuadratureConfig, target: BuiltTarget, found: Found
) -> list[ScoreTable]:
    sizes = tuple(f"{n} nodes" for n in config.particles)
    expected = {n: float(_expected(config, target)) / n for n in config.particles}

    def table(title: str, key: str, scale: float = 1.0) -> ScoreTable:
        rows: dict[str, list[float | None]] = {
            name: [
                float(np.median(found[n][name][key])) * scale
                for n in config.particles
                if key in found[n][name]
            ]
            for name in config.rows
        }
        rows = {name: values for name, values in rows.items() if values}
        if key == "mmd2":
            rows["iid, expected"] = [expected[n] * scale for n in config.particles]
        models = tuple(config.quadratures) if key == "mmd2" else ()
        return ScoreTable(title, sizes, rows, models)

    of = f"median of {config.repeats} runs"
    return [
        table(f"1000 x squared discrepancy from the target, {of}", "mmd2", 1e3),
        table(f"Distance of the mean from the target's, {of}", "mean_error"),
        table(f"Kernel Stein discrepancy, {of}", "ksd"),
        table("Evaluations of the log-density or its gradient", "evaluations"),
        table("Seconds a run, compiled", "seconds"),
    ]


def _remarks(config: QuadratureConfig, target: BuiltTarget, found: Found) -> list[str]:
    remarks = []
    n = config.particles[-1]
    if target.centres is not None:
        counts = {name: found[n][name]["modes"] for name in config.rows}
        listed = ", ".join(f"{name} {np.min(c)}" for name, c in counts.items())
        remarks.append(
            f"Modes of {len(target.centres)} that hold a weight of {_SHARE:g}, fewest "
            f"over runs of {n} nodes: {listed}."
        )
    worst = ", ".join(
        f"{name} {np.median(row['condition']):.2g} ({row['max_abs_weight'].max():.3g})"
        for name, row in found[n].items()
        if "condition" in row
    )
    remarks.append(
        f"Condition of the kernel matrix (largest weight), {n} nodes: {worst}."
    )
    return remarks


TASK = SamplingQuadrature()
