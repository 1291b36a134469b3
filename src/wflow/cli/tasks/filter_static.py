"""Single updates against posteriors that are known."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from wflow.cli.errors import CommandError
from wflow.cli.filtering.filter_figures import plot_static
from wflow.cli.filtering.filter_methods import check_local, make_method
from wflow.cli.filtering.filter_schema import StaticConfig
from wflow.cli.filtering.filter_scores import mean_of
from wflow.studies._folder import RunDirectory
from wflow.studies._outcome import Outcome, ScoreTable
from wflow.studies._task import AbstractTask


if TYPE_CHECKING:
    from wflow.studies._task import Log

_POINTS = 2401
_EXTENT = 6.0


class FilterStatic(AbstractTask[StaticConfig]):
    """W1 of analysed ensembles to the posterior of one observation."""

    summary = "single updates of many filters against posteriors that are known"
    config = StaticConfig
    small_matrices = True

    def check(self, config: StaticConfig, source: str) -> None:
        check_local(source, ["the line"], config.methods)
        if not config.correlations and not (config.scales and config.squares):
            raise CommandError(
                f"{source}: expected correlations, or scales and squares, found "
                "neither."
            )

    def finished(self, directory: RunDirectory) -> Path:
        return directory.path / "scores.csv"

    def run(
        self,
        config: StaticConfig,
        directory: RunDirectory,
        *,
        resume: bool,
        log: "Log",
    ) -> Outcome:
        del resume
        import jax

        cases = _cases(config)
        key = jax.random.key(config.seed)
        scores, densities, samples = [], {}, {}
        x = np.linspace(-_EXTENT, _EXTENT, _POINTS)
        for number, (case, (law, observed)) in enumerate(cases.items()):
            density = _posterior(law, observed, x)
            densities[f"density_{case}"] = density
            for k, (name, method) in enumerate(config.methods.items()):
                runs = []
                for repeat in range(config.repeats):
                    # One ensemble for all methods.
                    of_start = jax.random.fold_in(
                        jax.random.fold_in(key, number), repeat
                    )
                    runs.append(
                        _analysed(
                            method,
                            law,
                            observed,
                            of_start,
                            jax.random.fold_in(of_start, 1 + k),
                        )
                    )
                for members, weights in runs:
                    scores.append(
                        {
                            "case": case,
                            "method": name,
                            **_compared(members, weights, x, density),
                        }
                    )
                samples[f"{case}_{name}"] = _equal_draws(*runs[0])
            log(f"{case}: done", highlight=False)
        columns = {name: [row[name] for row in scores] for name in scores[0]}
        directory.write_table("scores.csv", columns)
        directory.write_table("densities.csv", {"x": x, **densities})
        longest = max(len(each) for each in samples.values())
        directory.write_table(
            "samples.csv",
            {
                name: np.pad(each, (0, longest - len(each)), constant_values=np.nan)
                for name, each in samples.items()
            },
        )
        self.plot(config, directory)
        arrays = {name: np.asarray(column) for name, column in columns.items()}
        return _outcome(config, list(cases), arrays)

    def plot(self, config: StaticConfig, directory: RunDirectory) -> list[Path]:
        densities = directory.read_table("densities.csv")
        drawn = directory.read_table("samples.csv")
        cases = list(_cases(config))
        samples = {}
        for case in cases:
            samples[case] = {}
            for name in config.methods:
                members = np.asarray(drawn[f"{case}_{name}"])
                samples[case][name] = members[np.isfinite(members)]
        figure = plot_static(
            np.asarray(densities["x"]),
            {case: np.asarray(densities[f"density_{case}"]) for case in cases},
            samples,
        )
        return [directory.write_figure("static", figure)]


def _cases(config: StaticConfig) -> dict[str, tuple[Any, float]]:
    """Laws of an observation of a standard normal state, and the observation."""
    import numpy as np

    from wflow.filtering import Components, GaussianObservation, half_square

    cases = {}
    for r in config.correlations:
        # y = x + noise has the correlation r with x; in units of its deviation.
        variance = 1 / r**2 - 1 if r else np.inf
        law = GaussianObservation(Components(), [[variance]])
        cases[f"r = {r:g}"] = (law, config.observed * float(np.sqrt(1 + variance)))
    for scale in config.scales:
        for square in config.squares:
            name = f"lambda = {scale:g}, y = {square:g}"
            cases[name] = (half_square(scale), square)
    return cases


def _posterior(law: Any, observed: float, x: np.ndarray) -> np.ndarray:
    """Its density on the grid, by quadrature."""
    import jax
    import jax.numpy as jnp

    y = jnp.array([observed])
    logs = jax.vmap(lambda state: law.log_likelihood(y, state))(jnp.asarray(x)[:, None])
    logs = np.asarray(logs) - x**2 / 2
    density = np.exp(logs - logs.max())
    return density / np.trapezoid(density, x)


def _analysed(
    config: Any, law: Any, observed: float, of_start: Any, key: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Members and weights after the update."""
    import equinox as eqx
    import jax
    import jax.numpy as jnp

    from wflow.measures import Particles

    x = jax.random.normal(of_start, (config.members, 1))
    method = make_method(config)
    analyse = eqx.filter_jit(type(method).analyse)
    mu = analyse(method, Particles.from_samples(x), jnp.array([observed]), law, key)
    return np.asarray(mu.x[:, 0]), np.asarray(jax.nn.softmax(mu.logw))


def _compared(
    members: np.ndarray, weights: np.ndarray, x: np.ndarray, density: np.ndarray
) -> dict[str, float]:
    """W1, and errors of mean and standard deviation in units of the latter."""
    from wflow.filtering import w1_of_line

    masses = density / density.sum()
    mean = float(masses @ x)
    std = float(np.sqrt(masses @ (x - mean) ** 2))
    found = float(weights @ members)
    spread = float(np.sqrt(weights @ (members - found) ** 2))
    return {
        "w1": float(w1_of_line(members, x, weights, masses)),
        "mean_error": abs(found - mean) / std,
        "std_error": abs(spread / std - 1),
    }


def _equal_draws(members: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """As many members of equal weight: quantiles of the weighted sample."""
    order = np.argsort(members)
    levels = np.cumsum(weights[order])
    wanted = (np.arange(len(members)) + 0.5) / len(members)
    at = np.searchsorted(levels, wanted).clip(0, len(members) - 1)
    return members[order][at]


def _outcome(
    config: StaticConfig, cases: list[str], scores: dict[str, np.ndarray]
) -> Outcome:
    def mean(case: str, name: str, column: str) -> float:
        at = (scores["case"] == case) & (scores["method"] == name)
        return mean_of(scores[column][at])

    gaussian = [case for case in cases if case.startswith("r = ")]
    bimodal = [case for case in cases if not case.startswith("r = ")]
    metrics = {}
    for name in config.methods:
        for prefix, some in (("gaussian", gaussian), ("bimodal", bimodal)):
            if some:
                metrics[f"w1_{prefix}_{name}"] = float(
                    np.mean([mean(case, name, "w1") for case in some])
                )
        if gaussian:
            for column in ("mean_error", "std_error"):
                metrics[f"{column}_{name}"] = max(
                    mean(case, name, column) for case in gaussian
                )
    tables = [
        ScoreTable(
            f"W1 to the posterior, mean of {config.repeats} ensembles: {title}",
            tuple(some),
            {
                name: [mean(case, name, "w1") for case in some]
                for name in config.methods
            },
            (),
        )
        for title, some in (("normal", gaussian), ("y = x^2/2 + lambda w", bimodal))
        if some
    ]
    return Outcome(metrics, tables, [])


TASK = FilterStatic()
