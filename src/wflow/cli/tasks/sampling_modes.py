"""Masses of the modes of a mixture, from a start with wrong ones."""

import warnings
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from wflow.cli.sampling.methods import MethodConfig
from wflow.cli.sampling.modes_figures import plot_masses
from wflow.cli.sampling.modes_schema import GridConfig, ModesConfig
from wflow.cli.sampling.targets import BuiltTarget
from wflow.studies._folder import RunDirectory
from wflow.studies._outcome import Outcome, ScoreTable
from wflow.studies._tables import number, read_rows
from wflow.studies._task import AbstractTask


if TYPE_CHECKING:
    from wflow.studies._task import Log

GRID = "grid"
# Saved times of the curves.
_SAVES = 60


class _Runs(NamedTuple):
    """Times ``(T,)``, masses of the modes ``(runs, T, k)`` and errors at the end."""

    times: np.ndarray
    masses: np.ndarray
    errors: np.ndarray
    said: tuple[str, ...] = ()


class SamplingModes(AbstractTask[ModesConfig]):
    """Half the sum of |mass - weight| over modes, for methods and baselines."""

    summary = "how well samplers find the masses of a mixture's modes"
    config = ModesConfig

    def check(self, config: ModesConfig, source: str) -> None:
        del config, source

    def finished(self, directory: RunDirectory) -> Path:
        return directory.bands

    def run(
        self,
        config: ModesConfig,
        directory: RunDirectory,
        *,
        resume: bool,
        log: "Log",
    ) -> Outcome:
        del resume
        target = config.target.build()
        weights = np.asarray(target.law.weights)
        start = np.asarray(config.start)
        found: dict[str, _Runs] = {}
        steps: dict[str, float] = {}
        for name, method in config.methods.items():
            found[name] = _runs(config, target, method)
        for name, baseline in config.baselines.items():
            tried = {m.step: _runs(config, target, m) for m in baseline.methods()}
            steps[name] = min(tried, key=lambda step: tried[step].errors.mean())
            found[name] = tried[steps[name]]
        for name, runs in found.items():
            log(
                f"{name}: {runs.errors.mean():.4f} "
                f"({runs.errors.min():.4f} to {runs.errors.max():.4f})",
                highlight=False,
            )
        grid = None if config.grid is None else _on_grid(config, config.grid, target)
        directory.write_bands(_columns(found, grid))
        self.plot(config, directory)
        nothing = _error(start, weights)
        metrics = {}
        for name, runs in found.items():
            metrics[f"mode_mass_error_{name}"] = float(runs.errors.mean())
            metrics[f"mode_mass_error_{name}_sd"] = float(runs.errors.std())
        metrics |= {f"step_{name}": step for name, step in steps.items()}
        metrics["mode_mass_error_start"] = nothing
        rows = {name: [metrics[f"mode_mass_error_{name}"]] for name in found}
        if grid is not None:
            metrics["mode_mass_error_grid"] = _error(grid.masses[0, -1], weights)
        table = ScoreTable(
            "Error of the modes' masses, half the sum of |mass - weight|, mean of "
            f"{config.repeats} runs",
            ("error",),
            {**rows, "nothing moves": [nothing]},
            tuple(config.methods),
        )
        best = ", ".join(f"{name} {step:g}" for name, step in steps.items())
        remarks = [f"Steps of the baselines, the best of those tried: {best}."]
        remarks += [f"{name}: {s}" for name, runs in found.items() for s in runs.said]
        return Outcome(metrics, [table], remarks if steps else remarks[1:])

    def plot(self, config: ModesConfig, directory: RunDirectory) -> list[Path]:
        curves = _read(directory)
        grid = curves.pop(GRID, None)
        weights = np.asarray(config.target.build().law.weights)
        drawn = plot_masses(
            weights.tolist(),
            {name: (runs.times, runs.masses) for name, runs in curves.items()},
            None if grid is None else (grid.times, grid.masses[0]),
            title=config.title,
        )
        return [directory.write_figure("masses", drawn)]


def _error(masses: np.ndarray, weights: np.ndarray) -> float:
    return float(np.abs(masses - weights).sum(-1) / 2)


def _runs(config: ModesConfig, target: BuiltTarget, config_of: MethodConfig) -> _Runs:
    """All runs of one method; its errors are those at the end."""
    import jax
    import jax.numpy as jnp

    from wflow.sampling import sample

    method = config_of.build(target.law)
    counts = np.round(np.cumsum([0.0, *config.start]) * config.particles).astype(int)
    labels = np.repeat(np.arange(len(config.start)), np.diff(counts))
    roots = jnp.linalg.cholesky(target.law.covs)

    @jax.jit
    def masses(x: Any, w: Any) -> Any:
        near = jnp.argmin(jnp.sum((x[:, None] - target.law.means) ** 2, -1), 1)
        return jnp.zeros(len(config.start), w.dtype).at[near].add(w)

    curves, times, said = [], None, {}
    for k in range(config.repeats):
        key = jax.random.fold_in(jax.random.key(config.seed), k)
        start_key, key = jax.random.split(key)
        z = jax.random.normal(start_key, (config.particles, target.law.means.shape[1]))
        start = target.law.means[labels] + jnp.einsum("nij,nj->ni", roots[labels], z)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", UserWarning)
            samples = sample(
                target.log_density, start, method=method, key=key, saves=_SAVES
            )
        said.update((str(w.message), None) for w in caught)
        history = samples.history
        w = jax.vmap(lambda mu: mu.normalised().w)(history)
        first = masses(start, jnp.full(len(start), 1 / len(start)))
        curve = np.asarray(jax.vmap(masses)(history.x, w))
        curves.append(np.concatenate([np.asarray(first)[None], curve]))
        times = np.concatenate([[0.0], np.asarray(samples.times)])
    weights = np.asarray(target.law.weights)
    stacked = np.stack(curves)
    errors = np.asarray([_error(curve[-1], weights) for curve in stacked])
    return _Runs(np.asarray(times), stacked, errors, tuple(said)[:1])


def _on_grid(config: ModesConfig, grid: GridConfig, target: BuiltTarget) -> _Runs:
    """The flow of the density itself, from the start's own mixture."""
    import equinox as eqx
    import jax
    import jax.numpy as jnp

    from wflow.measures import Grid
    from wflow.sampling.privacy import kl_flow
    from wflow.solve import solve

    law = target.law
    start = eqx.tree_at(lambda law: law.weights, law, jnp.asarray(config.start))
    d = law.means.shape[1]
    initial = Grid.from_log_density(
        start.log_density,
        jnp.full(d, grid.low),
        jnp.full(d, grid.high),
        (grid.cells,) * d,
        "no-flux",
    )
    x = initial.centres.reshape(-1, d)
    near = jnp.argmin(jnp.sum((x[:, None] - law.means) ** 2, -1), 1)
    times = np.linspace(0, config.time, _SAVES + 1)
    flow = kl_flow(target.log_density, grid.alpha, grid.beta)
    solution = solve(flow, initial, 0.0, config.time, times=times, max_steps=100_000)

    def masses(mu: Any) -> Any:
        cells = mu.density.reshape(-1) * mu.cell_volume
        return jnp.zeros(len(config.start)).at[near].add(cells)

    found = np.asarray(jax.vmap(masses)(solution.measures))
    return _Runs(times, found[None], np.zeros(0))


def _columns(found: dict[str, _Runs], grid: _Runs | None) -> dict[str, list[Any]]:
    rows = []
    every = found if grid is None else {**found, GRID: grid}
    for name, runs in every.items():
        for run, curve in enumerate(runs.masses):
            for t, masses in zip(runs.times, curve, strict=True):
                rows += [
                    (name, run, float(t), k, float(mass))
                    for k, mass in enumerate(masses)
                ]
    names = ("method", "run", "time", "mode", "mass")
    return dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))


def _read(directory: RunDirectory) -> dict[str, _Runs]:
    """The curves that ``_columns`` wrote."""
    found: dict[str, list[tuple[int, float, int, float]]] = defaultdict(list)
    for row in read_rows(directory.bands):
        run, time, mode, mass = (
            number(row, name) for name in ("run", "time", "mode", "mass")
        )
        found[row["method"]].append((int(run), time, int(mode), mass))
    curves = {}
    for name, rows in found.items():
        runs, times, modes, masses = (np.asarray(c) for c in zip(*rows, strict=True))
        shape = (runs.max() + 1, -1, modes.max() + 1)
        every = times.reshape(shape)[0, :, 0]
        curves[name] = _Runs(every, masses.reshape(shape), np.zeros(0))
    return curves


TASK = SamplingModes()
