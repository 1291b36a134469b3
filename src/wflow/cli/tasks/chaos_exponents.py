"""The rate in the width against the decay of the loss, in diagonal networks."""

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from wflow.cli.networks.chaos_figures import plot_exponents
from wflow.cli.networks.chaos_reports import (
    case_columns,
    fitted,
    of_case,
    root_integral,
    slope_metrics,
    tag,
)
from wflow.cli.networks.chaos_schema import ExponentsConfig
from wflow.studies._folder import RunDirectory
from wflow.studies._outcome import Outcome, ScoreTable
from wflow.studies._task import AbstractTask


if TYPE_CHECKING:
    from wflow.studies._task import Log


class ChaosExponents(AbstractTask[ExponentsConfig]):
    """Slopes in m for losses of several decay exponents, beside min(1, c/6)."""

    summary = "the rate in the width of diagonal networks against the loss's decay"
    config = ExponentsConfig

    def check(self, config: ExponentsConfig, source: str) -> None:
        del config, source

    def finished(self, directory: RunDirectory) -> Path:
        return directory.history

    def run(
        self,
        config: ExponentsConfig,
        directory: RunDirectory,
        *,
        resume: bool,
        log: "Log",
    ) -> Outcome:
        del resume, log
        import jax

        from wflow.networks import chaos

        p, (first, last) = config.spectrum, config.window
        times = np.concatenate([[0], np.geomspace(1e-2, last, 160)])
        key = jax.random.key(config.seed)
        reports, losses, metrics = [], [], {}
        for number, c in enumerate(config.exponents):
            risk, start = chaos.power_law(config.dim, p, (c * p - p + 1) / 2)
            keys = jax.random.split(jax.random.fold_in(key, number), 1 + len(times))
            gaps = [
                chaos.diagonal_gaps(risk, start, m, times, keys[1 + k], count)
                for k, (m, count) in enumerate(
                    zip(config.neurons, config.networks, strict=True)
                )
            ]
            report = chaos.summarise(
                config.neurons, times, gaps, key=keys[0], resamples=config.resamples
            )
            residual = lambda t, risk=risk, start=start: chaos.residual_at(
                risk, start, t
            )
            g = jax.vmap(residual)(jax.numpy.asarray(times))
            loss = np.asarray(g**2 @ risk.probabilities)
            reports.append(report)
            losses.append(loss)
            window = times <= last
            metrics |= slope_metrics(report, f"_{tag(c)}")
            metrics |= {
                f"decay_{tag(c)}": chaos.decay_exponent(
                    times[window],
                    loss[window],
                    decades=math.log10(last / first),
                    floor=0,
                ),
                f"integral_sqrt_loss_{tag(c)}": root_integral(times, loss),
                # Spread of m e(t) over the widths, at the last time.
                f"collapse_{tag(c)}": float(np.ptp(report.widths * report.mean[:, -1]))
                / float(np.mean(report.widths * report.mean[:, -1])),
            }
        directory.write_history(case_columns(reports, losses))
        self.plot(config, directory)
        return _outcome(config, metrics, reports)

    def plot(self, config: ExponentsConfig, directory: RunDirectory) -> list[Path]:
        columns = directory.read_history().arrays()
        cases = [of_case(columns, k) for k in range(len(config.exponents))]
        sups = [[case[f"gap_{m}"].max() for m in config.neurons] for case in cases]
        slopes = [fitted(config.neurons, row) for row in sups]
        intervals = [(case["slope_low"][0], case["slope_high"][0]) for case in cases]
        losses = [(case["time"], case["loss"]) for case in cases]
        drawn = plot_exponents(config.exponents, slopes, intervals, losses)
        return [directory.write_figure("exponents", drawn)]


def _outcome(
    config: ExponentsConfig, metrics: dict[str, float], reports: list
) -> Outcome:
    from wflow.networks.chaos import bound_exponent

    tags = [tag(c) for c in config.exponents]
    decays = [metrics[f"decay_{t}"] for t in tags]
    metrics["worst_decay_error"] = max(
        abs(found - c) for found, c in zip(decays, config.exponents, strict=True)
    )
    verdicts = [r.verdict(c) for r, c in zip(reports, decays, strict=True)]
    metrics["inconsistent"] = float(verdicts.count("inconsistent"))
    rows = {
        "c, fitted": decays,
        "- slope in m": [-metrics[f"slope_{t}"] for t in tags],
        "theorem: at least": [bound_exponent(c) if c > 2 else None for c in decays],
        "sup / start": [metrics[f"amplification_{t}"] for t in tags],
        "integral of sqrt(L)": [metrics[f"integral_sqrt_loss_{t}"] for t in tags],
    }
    names = tuple(f"c = {c:g}" for c in config.exponents)
    remarks = [
        f"{name}: {verdict}." for name, verdict in zip(names, verdicts, strict=True)
    ]
    remarks.append(
        "The theorem is an upper bound: no network here comes near m^(-c/6)."
    )
    return Outcome(
        metrics,
        [ScoreTable("Rates in the width", names, rows, (), averaged=False)],
        remarks,
    )


TASK = ChaosExponents()
