"""Fluctuations of quadratic networks that escape from a saddle."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from wflow.cli.networks.chaos_schema import QuadraticConfig
from wflow.cli.report import Outcome, ScoreTable
from wflow.cli.rundir import RunDirectory
from wflow.cli.task import AbstractTask
from wflow.plotting.chaos import plot_chaos


if TYPE_CHECKING:
    from rich.console import Console


class ChaosQuadratic(AbstractTask[QuadraticConfig]):
    """Squared gaps to the mean field over widths, with every bound beside them."""

    summary = "how far quadratic networks of finite width are from their limit"
    config = QuadraticConfig

    def check(self, config: QuadraticConfig, source: str) -> None:
        del config, source

    def finished(self, directory: RunDirectory) -> Path:
        return directory.history

    def run(
        self,
        config: QuadraticConfig,
        directory: RunDirectory,
        *,
        resume: bool,
        console: "Console",
    ) -> Outcome:
        del resume, console
        import jax
        import jax.numpy as jnp

        from wflow.measures import Gaussian
        from wflow.networks import chaos

        d = config.dim
        start = Gaussian(jnp.zeros(d), config.scale * jnp.eye(d) / d)
        student = chaos.Student(
            chaos.QuadraticRisk(jnp.zeros((d, d)).at[0, 0].set(1)), start
        )
        steps = max(1, round(config.horizon / config.step))
        times = np.linspace(0, config.horizon, steps + 1)
        widths = [width.neurons for width in config.widths]
        report = chaos.study(
            student,
            widths,
            [width.seeds for width in config.widths],
            times,
            limit=start,
            key=jax.random.key(config.seed),
            resamples=config.resamples,
        )
        clt = np.asarray(chaos.clt_variance(student, times))
        near = chaos.follow(student, start, times).measures
        late = np.concatenate([[0], np.geomspace(0.1, config.long_horizon, 200)])
        far = chaos.follow(student, start, late, max_steps=65536).measures
        loss = np.asarray(jax.vmap(student.risk.loss)(far))
        decay = chaos.decay_exponent(late, loss)
        rate = float(chaos.lipschitz_rate(student.risk, near.cov))
        columns = {"time": times, "limit": clt}
        for m, row in zip(widths, report.mean, strict=True):
            columns[f"gap_{m}"] = row
        directory.write_history(columns)
        self.plot(config, directory)

        low, high = report.interval
        metrics = {
            "slope": report.slope,
            "slope_low": low,
            "slope_high": high,
            "amplification": float(report.amplification[-1]),
            "peak_clt": float(clt.max()),
            "decay_exponent": decay,
            "integral_sqrt_loss": chaos.integral_sqrt_loss(late, loss),
            "bound_exponent": chaos.bound_exponent(decay),
            "lipschitz_rate": rate,
        }
        # Quoted at the width with the most seeds.
        k = int(np.argmax([width.seeds for width in config.widths]))
        peak = int(np.argmax(report.mean[k]))
        metrics |= {
            "peak_m_times_e": float(widths[k] * report.sup[k]),
            "peak_error": float(widths[k] * report.error[k, peak]),
            "peak_time": float(times[peak]),
        }
        growth = chaos.gronwall_factor(rate, config.horizon)
        names = tuple(f"m = {m}" for m in widths)
        table = ScoreTable(
            "Supremum over time of the mean squared gap",
            names,
            {
                "measured": [float(value) for value in report.sup],
                "linearised flow": [float(clt.max()) / m for m in widths],
                "theorem's exponent": [float(v) for v in report.bound(decay)],
                "Gronwall": [growth * float(v) for v in report.mean[:, 0]],
            },
            (),
        )
        remarks = [
            f"slope {report.slope:.3f} ({low:.3f} to {high:.3f}); the theorem asks for "
            f"{-chaos.bound_exponent(decay):.3f} or less at c = {decay:.2f}: "
            f"{report.verdict(decay)}."
        ]
        return Outcome(metrics, [table], remarks)

    def plot(self, config: QuadraticConfig, directory: RunDirectory) -> list[Path]:
        columns = {k: np.asarray(v) for k, v in directory.read_history().items()}
        widths = np.array([width.neurons for width in config.widths], float)
        mean = np.stack([columns[f"gap_{m:g}"] for m in widths])
        slope = float(np.polyfit(np.log(widths), np.log(mean.max(axis=1)), 1)[0])
        drawn = plot_chaos(
            columns["time"], widths, mean, slope=slope, limit=columns["limit"]
        )
        return [directory.write_figure("chaos", drawn)]


TASK = ChaosQuadratic()
