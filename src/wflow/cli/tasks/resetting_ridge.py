"""A regression by resetting: against ridge, simulated, and other laws on test data."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from wflow.cli.regression.data import Design, load_design
from wflow.cli.regression.laws import COMPARATORS, RIDGE
from wflow.cli.regression.schema import RidgeConfig
from wflow.cli.regression.trials import cross_validated, filters, paired
from wflow.studies._folder import RunDirectory
from wflow.studies._outcome import Outcome, ScoreTable
from wflow.studies._task import AbstractTask


if TYPE_CHECKING:
    from jax import Array

    from wflow.flows import AbstractRenewalLaw
    from wflow.regression.search import SpectralFilter
    from wflow.studies._task import Log


# In mean times between resets; hardly any age is longer.
_HORIZON = 40.0
_CASES = {"best": "at the best rate", "gcv": "by cross-validation"}


class ResettingRidge(AbstractTask[RidgeConfig]):
    """Exact and simulated means of Poisson resetting, and test errors of laws."""

    summary = "a regression by Poisson resetting is ridge; other laws on test data"
    config = RidgeConfig

    def with_data(self, config: dict[str, Any], path: Path) -> dict[str, Any]:
        return {**config, "data": str(path.resolve())}

    def check(self, config: RidgeConfig, source: str) -> None:
        load_design(config.data, source)
        for law in config.laws.values():
            law.build()

    def finished(self, directory: RunDirectory) -> Path:
        return directory.history

    def run(
        self,
        config: RidgeConfig,
        directory: RunDirectory,
        *,
        resume: bool,
        log: "Log",
    ) -> Outcome:
        del resume

        design = load_design(config.data, str(directory.config))
        arrays = {"X": design.X, "y": design.y, "names": np.array(design.names)}
        directory.write_data(arrays)
        metrics, remarks = _against_ridge(config, design)
        for remark in remarks:
            log(remark, highlight=False)
        laws = filters(config.laws)
        errors = _test_errors(config, design, laws)
        metrics |= _error_metrics(errors)
        directory.write_history(_columns(design, laws))
        directory.write_metrics(metrics)
        self.plot(config, directory)
        return Outcome(metrics, [_table(config, errors)], [_verdict(metrics, laws)])

    def plot(self, config: RidgeConfig, directory: RunDirectory) -> list[Path]:
        from wflow.cli.regression.figures import plot_errors
        from wflow.plotting.filters import plot_filters, plot_shrinkage
        from wflow.regression.spectral import equivalent_penalty

        # The run's own copy, where it has one: the file may be elsewhere by now.
        kept = str(directory.data) if directory.data.is_file() else config.data
        design = load_design(kept, str(directory.config))
        columns = directory.read_history().arrays()
        metrics = directory.read_metrics()
        laws = filters(config.laws)
        mu = np.logspace(-3, 3, 241)
        at_slope = {
            name: law.with_mean(1 / law.filter_ratio(0.0)) for name, law in laws.items()
        }
        curves = {
            name: np.stack(
                [columns[f"{name}_{j}"] for j in range(design.X.shape[1])], axis=1
            )
            for name in laws
        }
        shown = [RIDGE, *list(config.laws)[:2]]
        others = [name for name in (*laws, *COMPARATORS) if name != RIDGE]
        figures = {
            "filters": plot_filters(
                mu,
                {
                    "equal means": {
                        n: np.asarray(f.filter(mu)) for n, f in laws.items()
                    },
                    "equal slopes at zero": {
                        n: np.asarray(f.filter(mu)) for n, f in at_slope.items()
                    },
                },
                {n: np.asarray(equivalent_penalty(f, mu)) for n, f in laws.items()},
                reference=RIDGE,
                dashed=[name for name in laws if name in COMPARATORS],
            ),
            "coefficients": plot_shrinkage(
                columns["rate"],
                {name: curves[name] for name in shown},
                names=design.names,
                marked=config.rate,
            ),
            "test_error": plot_errors(
                {
                    title: {
                        name: (
                            metrics[f"excess_over_ridge_{what}_{name}"],
                            metrics[f"excess_over_ridge_se_{what}_{name}"],
                        )
                        for name in dict.fromkeys(others)
                        if f"excess_over_ridge_{what}_{name}" in metrics
                    }
                    for what, title in _CASES.items()
                },
                label="test error minus that of ridge, in % of ridge's",
                title=f"{config.splits} random splits",
            ),
        }
        return [directory.write_figure(name, one) for name, one in figures.items()]


def _standardised(design: Design) -> "tuple[Array, Array]":
    """Columns of mean 0 and variance 1, and the response of mean 0."""
    import jax.numpy as jnp

    X = (design.X - design.X.mean(0)) / design.X.std(0)
    return jnp.asarray(X), jnp.asarray(design.y - design.y.mean())


def _against_ridge(
    config: RidgeConfig, design: Design
) -> tuple[dict[str, float], list[str]]:
    """Exact moments and draws of Poisson resetting against ridge's normal equations."""
    import jax.numpy as jnp

    from wflow.flows import Exponential
    from wflow.regression.moments import stationary_moments

    X, y = _standardised(design)
    A, b = X.T @ X, X.T @ y
    origin = jnp.zeros(len(b))
    law = Exponential(config.rate)
    exact = stationary_moments(law, A, b, origin)
    ridge = jnp.linalg.solve(A + config.rate * jnp.eye(len(b)), b)
    draws = _simulated(config, law, A, b)
    error = jnp.std(draws, axis=0, ddof=1) / jnp.sqrt(len(draws))
    z = (draws.mean(0) - exact.mean) / error
    cov = jnp.cov(draws.T)
    off = jnp.linalg.norm(cov - exact.cov) / jnp.linalg.norm(exact.cov)
    metrics = {
        "max_abs_coef_difference_to_ridge": float(jnp.max(jnp.abs(exact.mean - ridge))),
        "max_z_score_simulated": float(jnp.max(jnp.abs(z))),
        "relative_covariance_error_simulated": float(off),
        "largest_curvature": float(jnp.linalg.eigvalsh(A)[-1]),
    }
    for name, value, spread in zip(
        design.names, exact.mean, jnp.sqrt(jnp.diag(exact.cov)), strict=True
    ):
        metrics[f"coef_{name}"] = float(value)
        metrics[f"std_{name}"] = float(spread)
    return metrics, [
        f"Poisson resets at rate {config.rate:g}: the exact mean is ridge to "
        f"{metrics['max_abs_coef_difference_to_ridge']:.2g}; that of {len(draws)} "
        f"draws is within {metrics['max_z_score_simulated']:.2f} standard errors of it."
    ]


def _simulated(
    config: RidgeConfig, law: "AbstractRenewalLaw", A: "Array", b: "Array"
) -> "Array":
    """Draws of the stationary process: one trajectory, read at stationary ages."""
    import diffrax
    import jax
    import jax.numpy as jnp

    from wflow.energies import Potential
    from wflow.flows import GradientFlow
    from wflow.geometries import Euclidean
    from wflow.measures import Point
    from wflow.regression.reweight import age_trajectory

    # Of size one, so that the solver's absolute tolerance is a relative one.
    unit = jnp.linalg.norm(b) / jnp.linalg.norm(A, 2)
    loss = Potential(lambda theta: theta @ (A @ theta) / 2 - b @ theta / unit)
    trajectory = age_trajectory(
        GradientFlow(loss, Euclidean()),
        Point(jnp.zeros_like(b)),
        _HORIZON / config.rate,
        # Curvatures of very different sizes.
        solver=diffrax.Kvaerno5(),
    )
    key = jax.random.key(config.seed)
    return unit * trajectory.sample(law, key, config.particles)


def _test_errors(
    config: RidgeConfig, design: Design, laws: "Mapping[str, SpectralFilter]"
) -> dict[str, dict[str, np.ndarray]]:
    """Squared errors on the test part of every split, at the best rate and by GCV."""
    import jax
    import jax.numpy as jnp

    from wflow.regression.spectral import SpectralData, shrinkage_curves

    inputs, response = jnp.asarray(design.X), jnp.asarray(design.y)
    n, p = inputs.shape
    size = min(max(round(config.train_share * n), 3), n - 1)
    means = 1 / _rates(design, config.rates)

    def one(key: "Array") -> "tuple[Any, Any]":
        order = jax.random.permutation(key, n)
        train, test = order[:size], order[size:]
        centre, level = inputs[train].mean(0), response[train].mean()
        spread = jnp.std(inputs[train], axis=0)
        # A column that is constant in a small training part says nothing there.
        spread = jnp.where(spread > 0, spread, jnp.inf)
        scaled = (inputs - centre) / spread
        data = SpectralData.of(scaled[train], response[train] - level, spent=1)

        def error(coefficients: "Array") -> "Array":
            gap = response[test] - level - scaled[test] @ coefficients
            return jnp.mean(gap**2)

        path = {
            name: jax.vmap(error)(shrinkage_curves(data, law, means))
            for name, law in laws.items()
        }
        found = cross_validated(data, laws)
        return path, {name: error(coef) for name, coef in found.items()}

    keys = jax.random.split(jax.random.key(config.seed), config.splits)
    path, tuned = jax.jit(lambda keys: jax.lax.map(one, keys, batch_size=25))(keys)
    best = {}
    for name, errors in path.items():
        errors = np.asarray(errors)
        # The rate that is best on average over the splits, one for all of them.
        best[name] = errors[:, errors.mean(0).argmin()]
    names = (*laws, *(name for name in COMPARATORS if name not in laws))
    return {
        "best": {name: best[name] for name in laws},
        "gcv": {name: np.asarray(tuned[name]) for name in names},
    }


def _rates(design: Design, count: int) -> "Array":
    """From hardly any shrinkage to nearly all."""
    import jax.numpy as jnp

    X, _ = _standardised(design)
    largest = jnp.linalg.norm(X, 2) ** 2
    return jnp.geomspace(1e-5 * largest, 10 * largest, count)


def _columns(
    design: Design, laws: "Mapping[str, SpectralFilter]"
) -> dict[str, list[float]]:
    """Coefficients on all data against the rate, for every law."""
    from wflow.regression.spectral import SpectralData, shrinkage_curves

    data = SpectralData.of(*_standardised(design), spent=1)
    rates = _rates(design, 121)
    columns = {"rate": rates}
    for name, law in laws.items():
        curves = shrinkage_curves(data, law, 1 / rates)
        columns |= {f"{name}_{j}": column for j, column in enumerate(curves.T)}
    return {name: np.asarray(values).tolist() for name, values in columns.items()}


def _error_metrics(errors: Mapping[str, Mapping[str, np.ndarray]]) -> dict[str, float]:
    metrics = {}
    for what, found in errors.items():
        for name, values in found.items():
            metrics[f"test_error_{what}_{name}"] = float(values.mean())
        metrics |= paired(found, RIDGE, what)
    return metrics


def _table(
    config: RidgeConfig, errors: Mapping[str, Mapping[str, np.ndarray]]
) -> ScoreTable:
    rows: dict[str, list[float | None]] = {
        name: [
            float(errors[what][name].mean()) if name in errors[what] else None
            for what in _CASES
        ]
        for name in errors["gcv"]
    }
    title = f"Squared error on test data, mean of {config.splits} splits"
    return ScoreTable(title, tuple(_CASES.values()), rows, ())


def _verdict(metrics: Mapping[str, float], laws: Mapping[str, Any]) -> str:
    gaps = {
        name: metrics[f"excess_over_ridge_best_{name}"]
        for name in laws
        if name != RIDGE
    }
    best = min(gaps, key=gaps.__getitem__)
    spread = metrics[f"excess_over_ridge_se_best_{best}"]
    if gaps[best] >= 0:
        return "Each at its best rate, ridge has the least test error."
    return (
        f"Each at its best rate, {best} has the least test error, {-gaps[best]:.2g} % "
        f"below ridge's (standard error {spread:.2g}, over splits of the same data)."
    )


TASK = ResettingRidge()
