"""A state whose sign is never seen: filters against the exact law of two modes."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from wflow.cli.errors import CommandError
from wflow.cli.filtering.filter_figures import plot_bimodal
from wflow.cli.filtering.filter_methods import check_local, make_method
from wflow.cli.filtering.filter_schema import BimodalConfig
from wflow.cli.filtering.filter_scores import error_of, mean_of
from wflow.cli.report import Outcome, ScoreTable
from wflow.cli.rundir import RunDirectory
from wflow.cli.task import AbstractTask


if TYPE_CHECKING:
    from rich.console import Console


class FilterBimodal(AbstractTask[BimodalConfig]):
    """W1 of filters to the filter on a grid, and the mass that each mode keeps."""

    summary = "filters of a law with two modes, against the filter on a grid"
    config = BimodalConfig
    small_matrices = True

    def check(self, config: BimodalConfig, source: str) -> None:
        check_local(source, ["the line"], config.methods)
        if "transport" not in config.methods:
            raise CommandError(
                f"{source}: methods: expected one called transport, found "
                f"{', '.join(config.methods)}."
            )

    def finished(self, directory: RunDirectory) -> Path:
        return directory.history

    def run(
        self,
        config: BimodalConfig,
        directory: RunDirectory,
        *,
        resume: bool,
        console: "Console",
    ) -> Outcome:
        del resume
        import jax
        import jax.numpy as jnp

        from wflow.filtering import GridFilter, bimodal, filter
        from wflow.measures import Grid

        setting = bimodal()
        of_truth, of_start, of_method = jax.random.split(jax.random.key(config.seed), 3)
        grid = Grid.from_log_density(
            lambda x: -jnp.sum(x**2) / 2,
            [-config.extent],
            [config.extent],
            [config.cells],
        )
        twins = [
            setting.twin(key) for key in jax.random.split(of_truth, config.repeats)
        ]
        exact = [
            filter(setting.model, GridFilter(), twin.observed, grid, of_truth).measures
            for twin in twins
        ]
        w1, mass = {}, {}
        for number, (name, method) in enumerate(config.methods.items()):
            made = make_method(method)
            found = []
            for k, (twin, law) in enumerate(zip(twins, exact, strict=True)):
                # All methods start from the same ensemble.
                initial = setting.ensemble(
                    jax.random.fold_in(of_start, k), method.members
                )
                key = jax.random.fold_in(jax.random.fold_in(of_method, number), k)
                result = filter(setting.model, made, twin.observed, initial, key)
                found.append(_compared(result.measures, law))
            w1[name] = np.stack([np.asarray(each[0]) for each in found])
            mass[name] = np.stack([np.asarray(each[1]) for each in found])
            late = w1[name][:, setting.burn_in :]
            console.print(f"{name}: W1 {late.mean():.3f}", highlight=False)
        columns = {"step": np.arange(1, setting.cycles + 1)}
        for name in config.methods:
            columns[f"w1_{name}"] = w1[name].mean(axis=0)
            columns[f"mass_{name}"] = mass[name].min(axis=0)
        directory.write_history(columns)
        self.plot(config, directory)
        return _outcome(config, w1, mass, setting.burn_in)

    def plot(self, config: BimodalConfig, directory: RunDirectory) -> list[Path]:
        columns = directory.read_history().arrays()
        drawn = plot_bimodal(
            columns["step"],
            {name: columns[f"w1_{name}"] for name in config.methods},
            {name: columns[f"mass_{name}"] for name in config.methods},
        )
        return [directory.write_figure("bimodal", drawn)]


def _compared(measures: Any, law: Any) -> tuple[Any, Any]:
    """W1 to the exact law and the lesser side's share, at every step."""
    import jax
    import jax.numpy as jnp

    from wflow.filtering import w1_of_line

    def one(mu: Any, exact: Any) -> tuple[Any, Any]:
        x, weights = mu.x[:, 0], jax.nn.softmax(mu.logw)
        points, masses = exact.atoms
        right = jnp.sum(jnp.where(x > 0, weights, 0))
        distance = w1_of_line(x, points[:, 0], weights, masses)
        return distance, jnp.minimum(right, 1 - right)

    return jax.jit(jax.vmap(one))(measures, law)


def _outcome(
    config: BimodalConfig,
    w1: dict[str, np.ndarray],
    mass: dict[str, np.ndarray],
    burn_in: int,
) -> Outcome:
    metrics, rows, others = {}, {}, {}
    for name in config.methods:
        by_truth = w1[name][:, burn_in:].mean(axis=1)
        least = float(mass[name][:, burn_in:].min())
        metrics |= {
            f"w1_{name}": mean_of(by_truth),
            f"w1_sd_{name}": float(by_truth.std(ddof=1)) if len(by_truth) > 1 else 0.0,
            f"mode_mass_{name}": least,
        }
        rows[name] = [mean_of(by_truth)]
        others[name] = [error_of(by_truth), least]
    metrics["mode_mass_min"] = metrics["mode_mass_transport"]
    tables = [
        ScoreTable(
            f"W1 to the filter on a grid, mean over {config.repeats} truths",
            ("W1",),
            rows,
            ("transport",),
        ),
        ScoreTable(
            "Its standard error, and the least share of mass on one side of 0",
            ("s.e.", "share"),
            others,
            (),
            averaged=False,
        ),
    ]
    return Outcome(metrics, tables, [])


TASK = FilterBimodal()
