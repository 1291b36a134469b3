"""Spherical neurons that learn one direction: fluctuations against the width."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from wflow.cli.networks.chaos_figures import plot_cases
from wflow.cli.networks.chaos_reports import (
    case_columns,
    of_case,
    root_integral,
    slope_metrics,
    tag,
)
from wflow.cli.networks.chaos_schema import SingleIndexConfig
from wflow.studies._folder import RunDirectory
from wflow.studies._outcome import Outcome, ScoreTable
from wflow.studies._task import AbstractTask


if TYPE_CHECKING:
    from wflow.studies._task import Log


class ChaosSingleIndex(AbstractTask[SingleIndexConfig]):
    """Gaps to a wide reference, for targets of several information exponents."""

    summary = "how far spherical neurons that learn one direction are from their limit"
    config = SingleIndexConfig

    def check(self, config: SingleIndexConfig, source: str) -> None:
        del config, source

    def finished(self, directory: RunDirectory) -> Path:
        return directory.history

    def run(
        self,
        config: SingleIndexConfig,
        directory: RunDirectory,
        *,
        resume: bool,
        log: "Log",
    ) -> Outcome:
        del resume
        import jax
        import jax.numpy as jnp

        from wflow.networks import chaos

        key = jax.random.key(config.seed)
        times = np.linspace(0, config.horizon, 121)
        degrees = max(len(powers) for powers in config.targets.values())
        reports, metrics = [], {}
        for number, (name, powers, d) in enumerate(_cases(config)):
            of_limit, of_study = jax.random.split(jax.random.fold_in(key, number))
            # Of one length, so that targets share the compiled study.
            padded = np.pad(powers, (0, degrees - len(powers)))
            student = chaos.Student(
                chaos.SingleIndexRisk(padded, jnp.eye(d)[0]), chaos.UniformSphere(d)
            )
            report = chaos.study(
                student,
                config.neurons,
                config.networks,
                times,
                limit=student.network(of_limit, config.reference),
                key=of_study,
                resamples=config.resamples,
            )
            reports.append(report)
            metrics |= _metrics(name, report, powers, d)
            log(f"{name}: slope {report.slope:.3f}")
        directory.write_history(case_columns(reports))
        self.plot(config, directory)
        return _outcome(config, metrics, reports)

    def plot(self, config: SingleIndexConfig, directory: RunDirectory) -> list[Path]:
        columns = directory.read_history().arrays()
        cases = {
            name: of_case(columns, number)
            for number, (name, *_) in enumerate(_cases(config))
        }
        drawn = plot_cases(config.neurons, cases)
        return [directory.write_figure("single_index", drawn)]


def _cases(config: SingleIndexConfig) -> list[tuple[str, list[float], int]]:
    """Name, squared coefficients and dimension, targets of one dimension together."""
    return [
        (f"{name}, d = {d}", powers, d)
        for d in config.dims
        for name, powers in config.targets.items()
    ]


def _start_variance(powers: list[float], d: int) -> float:
    r"""$m E\|\Delta_0\|^2 = q(1) - E q(s)$, s the overlap of two uniform neurons."""
    moment, mean = 1.0, 0.0
    for k, power in enumerate(powers):
        # E s^k = E s^(k-2) (k - 1) / (d + k - 2) for even k, 0 for odd.
        if k > 0 and k % 2 == 0:
            moment *= (k - 1) / (d + k - 2)
        mean += power * (moment if k % 2 == 0 else 0.0)
    return sum(powers) - mean


def _metrics(name: str, report: Any, powers: list[float], d: int) -> dict[str, float]:
    from wflow.networks.chaos import decay_exponent

    suffix = "_" + tag(name.replace(", d = ", "_d"))
    exact = _start_variance(powers, d)
    found = np.mean(report.widths * report.mean[:, 0])
    return {
        **slope_metrics(report, suffix),
        f"decay{suffix}": decay_exponent(report.times, report.loss, decades=0.5),
        f"integral_sqrt_loss{suffix}": root_integral(report.times, report.loss),
        f"loss_end{suffix}": float(report.loss[-1]),
        f"m_times_e_end{suffix}": float(report.widths[-1] * report.mean[-1, -1]),
        # Of the known value, which no training is in: an error of draws.
        f"start_error{suffix}": float(found / exact - 1),
    }


def _outcome(
    config: SingleIndexConfig, metrics: dict[str, float], reports: list
) -> Outcome:
    from wflow.networks.chaos import bound_exponent

    names = [name for name, *_ in _cases(config)]
    column = lambda key: [
        metrics[f"{key}_{tag(name.replace(', d = ', '_d'))}"] for name in names
    ]
    decays = column("decay")
    rows = {
        "slope": column("slope"),
        "at most": [-bound_exponent(c) if c > 2 else None for c in decays],
        "c": decays,
        "sup / start": column("amplification"),
        "m e(T)": column("m_times_e_end"),
        "loss(T)": column("loss_end"),
    }
    metrics["slope_min"] = min(report.slope for report in reports)
    metrics["slope_max"] = max(report.slope for report in reports)
    transposed = {
        name: [row[k] for row in rows.values()] for k, name in enumerate(names)
    }
    remarks = [
        f"{name}: {report.verdict(c)}."
        for name, report, c in zip(names, reports, decays, strict=True)
    ]
    table = ScoreTable(
        f"Against a reference of {config.reference} neurons",
        tuple(rows),
        transposed,
        (),
        averaged=False,
    )
    return Outcome(metrics, [table], remarks)


TASK = ChaosSingleIndex()
