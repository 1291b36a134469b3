"""Fluctuations of quadratic networks that escape from a saddle."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from wflow.cli.networks.chaos_reports import root_integral, sentence, slope_metrics
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
        widths = config.neurons
        report = chaos.study(
            student,
            widths,
            config.networks,
            times,
            limit=start,
            key=jax.random.key(config.seed),
            resamples=config.resamples,
        )
        clt = np.asarray(chaos.clt_variance(student, times))
        near = chaos.follow(student, start, times).measures
        late = np.concatenate(
            [np.linspace(0, 6, 121), np.geomspace(6, config.long_horizon, 200)[1:]]
        )
        far = chaos.follow(student, start, late, max_steps=2**20).measures
        loss = np.asarray(jax.vmap(student.risk.loss)(far))
        decay = chaos.decay_exponent(late, loss)
        rate = float(chaos.lipschitz_rate(student.risk, near.cov))
        to_60 = float(chaos.lipschitz_rate(student.risk, far.cov[late <= 60]))
        fresh = float(jnp.max(jax.vmap(chaos.sampling_variance)(near.cov)))
        frozen = chaos.frozen_kernel_loss(student.risk, start.cov, jnp.asarray(times))
        columns = {"time": times, "limit": clt}
        for m, row in zip(widths, report.mean, strict=True):
            columns[f"gap_{m}"] = row
        directory.write_history(columns)
        self.plot(config, directory)

        metrics = {
            **slope_metrics(report),
            "peak_clt": float(clt.max()),
            "decay_exponent": decay,
            "integral_sqrt_loss": root_integral(late, loss),
            "integral_sqrt_loss_6": root_integral(late[late <= 6], loss[late <= 6]),
            "bound_exponent": chaos.bound_exponent(decay),
            "lipschitz_rate": rate,
            "log10_gronwall_60": 120 * to_60 / np.log(10),
            "loss_end": float(jax.vmap(student.risk.loss)(near)[-1]),
            "loss_end_frozen": float(frozen[-1]),
        }
        # Quoted at the width with the most seeds.
        k = int(np.argmax(config.networks))
        peak = int(np.argmax(report.mean[k]))
        metrics |= {
            "peak_m_times_e": float(widths[k] * report.sup[k]),
            "peak_error": float(widths[k] * report.error[k, peak]),
            "peak_time": float(times[peak]),
        }
        growth = chaos.gronwall_factor(rate, config.horizon)
        m = np.array(widths)
        columns = {
            "measured": m * report.sup,
            "linearised": np.full(len(m), clt.max()),
            "fresh draws": np.full(len(m), fresh),
            "theorem": m * report.bound(decay),
        }
        table = ScoreTable(
            "m times the supremum over time of the mean squared gap",
            tuple(columns),
            {
                f"m = {width}": [float(column[k]) for column in columns.values()]
                for k, width in enumerate(widths)
            },
            (),
            averaged=False,
        )
        remarks = [
            sentence(report, decay, chaos.bound_exponent(decay)),
            f"Gronwall with the largest rate, {to_60:.1f}: the start's gap grows by up "
            f"to {growth:.2g} at {config.horizon:g}, to "
            f"10^{metrics['log10_gronwall_60']:.0f} at 60.",
            f"Loss at {config.horizon:g}: {metrics['loss_end']:.3g}; with the kernel "
            f"frozen at the start {metrics['loss_end_frozen']:.3g}.",
        ]
        return Outcome(metrics, [table], remarks)

    def plot(self, config: QuadraticConfig, directory: RunDirectory) -> list[Path]:
        columns = directory.read_history().arrays()
        widths = np.array(config.neurons, float)
        mean = np.stack([columns[f"gap_{m:g}"] for m in widths])
        slope = float(np.polyfit(np.log(widths), np.log(mean.max(axis=1)), 1)[0])
        drawn = plot_chaos(
            columns["time"], widths, mean, slope=slope, limit=columns["limit"]
        )
        return [directory.write_figure("chaos", drawn)]


TASK = ChaosQuadratic()
