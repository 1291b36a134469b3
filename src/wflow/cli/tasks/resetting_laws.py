"""Renewal laws against ridge, each tuned: known risks, and random data."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from wflow.cli.regression.laws import COMPARATORS, EARLY_STOP, RIDGE
from wflow.cli.regression.schema import LawsConfig, MonteCarlo
from wflow.cli.regression.trials import (
    cross_validated,
    filters,
    paired,
    standard_error,
)
from wflow.studies._folder import RunDirectory
from wflow.studies._outcome import Outcome, ScoreTable
from wflow.studies._task import AbstractTask


if TYPE_CHECKING:
    from jax import Array

    from wflow.studies._task import Log

# Curvatures, in units of the inverse mean, over which a law's penalty is looked at.
_CURVATURES = (-4, 4, 161)


class ResettingLaws(AbstractTask[LawsConfig]):
    """Risks of laws at their best means, over that of ridge at its best."""

    summary = "laws of the time between resets: filters, and risks against tuned ridge"
    config = LawsConfig

    def check(self, config: LawsConfig, source: str) -> None:
        del source
        for law in config.laws.values():
            law.build()

    def finished(self, directory: RunDirectory) -> Path:
        return directory.history

    def run(
        self,
        config: LawsConfig,
        directory: RunDirectory,
        *,
        resume: bool,
        log: "Log",
    ) -> Outcome:
        del resume
        laws = filters(config.laws)
        risks = {
            name: _tuned(config, problem.spectrum(), laws)
            for name, problem in config.problems.items()
        }
        metrics = _risk_metrics(risks)
        columns = _curves(config)
        for name in (RIDGE, *config.laws):
            penalty = np.log(columns[f"penalty_{name}"])
            metrics[f"penalty_log_range_{name}"] = float(np.ptp(penalty))
        directory.write_history(columns)
        tables = _risk_tables(config, risks)
        remarks = [_unique(metrics, list(config.laws))]
        if config.monte_carlo is not None:
            log(
                f"{config.monte_carlo.replicates} random designs for each of "
                f"{len(config.monte_carlo.signals)} signals",
                highlight=False,
            )
            errors = {
                signal: _monte_carlo(config, config.monte_carlo, signal, laws)
                for signal in config.monte_carlo.signals
            }
            metrics |= _error_metrics(errors)
            tables.append(_error_table(config.monte_carlo, errors))
            remarks += _beaten(errors)
        directory.write_metrics(metrics)
        self.plot(config, directory)
        return Outcome(metrics, tables, remarks)

    def plot(self, config: LawsConfig, directory: RunDirectory) -> list[Path]:
        from wflow.cli.regression.figures import plot_errors, plot_risk_ratios
        from wflow.plotting.filters import plot_filters

        columns = directory.read_history().arrays()
        metrics = directory.read_metrics()
        names = [RIDGE, *config.laws, EARLY_STOP]
        parts = {
            kind: {name: columns[f"{kind}_{name}"] for name in names}
            for kind in ("mean", "slope", "penalty")
        }
        drawn: dict[str, Any] = {
            "filters": plot_filters(
                columns["mu"],
                {
                    "equal means": parts["mean"],
                    "equal slopes at zero": parts["slope"],
                },
                parts["penalty"],
                reference=RIDGE,
                dashed=(EARLY_STOP,),
            ),
            "risk_ratios": plot_risk_ratios(
                {
                    problem: {
                        name: metrics[f"risk_ratio_{problem}_{name}"]
                        for name in names
                        if name != RIDGE
                    }
                    for problem in config.problems
                },
                {p: metrics[f"risk_ratio_{p}_wiener"] for p in config.problems},
            ),
        }
        if config.monte_carlo is not None:
            rows = [name for name in (*config.laws, *COMPARATORS) if name != RIDGE]
            drawn["monte_carlo"] = plot_errors(
                {
                    signal: {
                        name: (
                            metrics[f"excess_over_ridge_{signal}_{name}"],
                            metrics[f"excess_over_ridge_se_{signal}_{name}"],
                        )
                        for name in rows
                    }
                    for signal in config.monte_carlo.signals
                },
                label="test error minus that of ridge, in % of ridge's",
                title=f"{config.monte_carlo.replicates} random designs, tuned by "
                "cross-validation",
            )
        return [directory.write_figure(name, one) for name, one in drawn.items()]


def _tuned(
    config: LawsConfig,
    spectrum: tuple[list[float], list[float]],
    laws: Mapping[str, Any],
) -> dict[str, tuple[float, float]]:
    """Best mean and in-sample risk of every filter, and of Wiener's."""
    import jax.numpy as jnp

    from wflow.regression.risk import (
        SpectralProblem,
        optimal_mean,
        prediction_risk,
        wiener_filter,
    )

    curvature, signal = map(jnp.asarray, spectrum)
    problem = SpectralProblem(curvature, jnp.sqrt(signal), config.noise)
    found = {}
    for name, law in laws.items():
        best, risk = optimal_mean(problem, law)
        found[name] = float(best.time if name == EARLY_STOP else best.mean), float(risk)
    bound = prediction_risk(problem, wiener_filter(problem))
    return {**found, "wiener": (np.nan, float(bound))}


def _risk_metrics(
    risks: Mapping[str, Mapping[str, tuple[float, float]]],
) -> dict[str, float]:
    metrics = {}
    for problem, found in risks.items():
        mean, ridge = found[RIDGE]
        metrics[f"ridge_mean_{problem}"] = mean
        metrics[f"ridge_risk_{problem}"] = ridge
        for name, (mean, risk) in found.items():
            if name != RIDGE:
                metrics[f"risk_ratio_{problem}_{name}"] = risk / ridge
            if name not in (RIDGE, "wiener"):
                metrics[f"mean_{problem}_{name}"] = mean
    return metrics


def _risk_tables(
    config: LawsConfig, risks: Mapping[str, Mapping[str, tuple[float, float]]]
) -> list[ScoreTable]:
    problems = tuple(config.problems)
    names = list(risks[problems[0]])
    ratios = {
        name: [risks[p][name][1] / risks[p][RIDGE][1] for p in problems]
        for name in names
    }
    means = {n: [risks[p][n][0] for p in problems] for n in names if n != "wiener"}
    title = "In-sample risk at the best mean, over ridge's"
    return [
        ScoreTable(title, problems, ratios, ()),
        ScoreTable("Best mean time between resets", problems, means, ()),
    ]


def _curves(config: LawsConfig) -> dict[str, list[float]]:
    """Filters at equal means and at equal slopes, and the ridge that shrinks alike."""
    import jax.numpy as jnp

    from wflow.regression.spectral import equivalent_penalty

    mu = jnp.logspace(*_CURVATURES)
    columns = {"mu": mu}
    for name, law in filters(config.laws).items():
        columns[f"mean_{name}"] = law.filter(mu)
        columns[f"penalty_{name}"] = equivalent_penalty(law, mu)
        steep = law.with_mean(1 / law.filter_ratio(0.0))
        # A law with infinite slope has no match.
        infinite = ~jnp.isfinite(law.filter_ratio(0.0))
        columns[f"slope_{name}"] = jnp.where(infinite, jnp.nan, steep.filter(mu))
    return {name: np.asarray(values).tolist() for name, values in columns.items()}


def _unique(metrics: Mapping[str, float], laws: list[str]) -> str:
    ranges = {name: metrics[f"penalty_log_range_{name}"] for name in (RIDGE, *laws)}
    least = min(laws, key=ranges.__getitem__)
    return (
        "Over all curvatures the ridge penalty that shrinks alike varies by "
        f"{np.expm1(ranges[RIDGE]):.1g} of itself for exponential times, and by "
        f"{np.expm1(ranges[least]):.2g} or more for other laws (least: {least})."
    )


def _monte_carlo(
    config: LawsConfig, how: MonteCarlo, signal: str, laws: Mapping[str, Any]
) -> dict[str, np.ndarray]:
    """Expected squared errors of new responses over their least, for every design."""
    import jax
    import jax.numpy as jnp

    from wflow.regression.spectral import SpectralData

    places = jnp.arange(how.p)
    covariance = how.correlation ** jnp.abs(places[:, None] - places)
    variances, axes = jnp.linalg.eigh(covariance)
    tenth = max(1, how.p // 10)
    lies = {
        "isotropic": jnp.ones(how.p),
        "high": jnp.where(places >= how.p - tenth, 1.0, 0.0),
        "low": jnp.where(places < tenth, 1.0, 0.0),
    }[signal]
    # Expected power of the signal over that of the noise, which is 1.
    scale = jnp.sqrt(how.snr / jnp.sum(lies * variances))
    root = axes * jnp.sqrt(variances)

    def one(key: "Array") -> "dict[str, Array]":
        design_key, truth_key, noise_key = jax.random.split(key, 3)
        X = jax.random.normal(design_key, (how.n, how.p)) @ root.T
        truth = axes @ (scale * lies * jax.random.normal(truth_key, (how.p,)))
        y = X @ truth + jax.random.normal(noise_key, (how.n,))
        found = cross_validated(SpectralData.of(X, y), laws)
        return {
            name: 1 + (coef - truth) @ covariance @ (coef - truth)
            for name, coef in found.items()
        }

    # The same designs and noise for every signal.
    key = jax.random.key(config.seed)
    keys = jax.random.split(key, how.replicates)
    errors = jax.jit(lambda keys: jax.lax.map(one, keys, batch_size=50))(keys)
    names = (*laws, *(name for name in COMPARATORS if name not in laws))
    return {name: np.asarray(errors[name]) for name in names}


def _error_metrics(
    errors: Mapping[str, Mapping[str, np.ndarray]],
) -> dict[str, float]:
    metrics = {}
    for signal, found in errors.items():
        for name, values in found.items():
            metrics[f"test_error_{signal}_{name}"] = float(values.mean())
            metrics[f"test_error_se_{signal}_{name}"] = standard_error(values)
        metrics |= paired(found, RIDGE, signal)
    return metrics


def _error_table(
    how: MonteCarlo, errors: Mapping[str, Mapping[str, np.ndarray]]
) -> ScoreTable:
    signals = tuple(errors)
    names = list(errors[signals[0]])
    rows = {name: [float(errors[s][name].mean()) for s in signals] for name in names}
    title = f"Test error on {how.replicates} random designs, noise 1"
    return ScoreTable(title, signals, rows, ())


def _beaten(errors: Mapping[str, Mapping[str, np.ndarray]]) -> list[str]:
    remarks = []
    for signal, found in errors.items():
        best = min(found, key=lambda name: found[name].mean())
        gap = found[best] - found[RIDGE]
        gain = f"{-100 * gap.mean() / found[RIDGE].mean():.2g} %"
        spread = f"{100 * standard_error(gap) / found[RIDGE].mean():.2g}"
        remarks.append(
            f"Signal {signal}: ridge is best."
            if best == RIDGE
            else f"Signal {signal}: {best} is best, {gain} below ridge (standard error "
            f"{spread})."
        )
    return remarks


TASK = ResettingLaws()
