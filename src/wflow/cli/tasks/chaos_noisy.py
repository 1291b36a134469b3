"""Noise and weight decay: fluctuations stay small, and the loss stops to fall."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from wflow.cli.networks.chaos_figures import plot_noisy
from wflow.cli.networks.chaos_reports import (
    case_columns,
    fitted,
    of_case,
    slope_metrics,
)
from wflow.cli.networks.chaos_schema import NoisyConfig
from wflow.studies._folder import RunDirectory
from wflow.studies._outcome import Outcome, ScoreTable
from wflow.studies._task import AbstractTask


if TYPE_CHECKING:
    from wflow.studies._task import Log


class ChaosNoisy(AbstractTask[NoisyConfig]):
    """Mean-field Langevin dynamics beside the flow without noise."""

    summary = "fluctuations and losses of quadratic networks with and without noise"
    config = NoisyConfig

    def check(self, config: NoisyConfig, source: str) -> None:
        del config, source

    def finished(self, directory: RunDirectory) -> Path:
        return directory.history

    def run(
        self,
        config: NoisyConfig,
        directory: RunDirectory,
        *,
        resume: bool,
        log: "Log",
    ) -> Outcome:
        del resume, log
        import jax

        from wflow.networks import chaos

        of_quiet, of_noisy = jax.random.split(jax.random.key(config.seed))
        # Dense where the loss escapes the saddle, and fluctuations peak.
        middle = config.horizon / 10
        times = np.concatenate(
            [np.linspace(0, middle, 51), np.linspace(middle, config.horizon, 46)[1:]]
        )
        students = {tau: _student(config, tau) for tau in (0.0, *config.temperatures)}
        losses = {}
        for tau, student in students.items():
            limit = chaos.follow(student, student.start, times, max_steps=2**16)
            losses[tau] = np.asarray(jax.vmap(student.risk.loss)(limit.measures))
        largest = config.temperatures[-1]
        reports = {}
        for tau, key, options in (
            (0.0, of_quiet, {}),
            (largest, of_noisy, {"dt0": config.step, "max_steps": 2**16}),
        ):
            student = students[tau]
            reports[tau] = chaos.study(
                student,
                config.neurons,
                config.networks,
                times,
                limit=student.start,
                key=key,
                resamples=config.resamples,
                **options,
            )
        # Temperatures between have a loss alone: their gaps are not measured.
        between = reports[0.0]._replace(
            mean=np.full_like(reports[0.0].mean, np.nan), interval=(np.nan, np.nan)
        )
        shown = [reports.get(tau, between) for tau in losses]
        directory.write_history(case_columns(shown, [*losses.values()]))
        self.plot(config, directory)
        return _outcome(config, losses, reports[0.0], reports[largest])

    def plot(self, config: NoisyConfig, directory: RunDirectory) -> list[Path]:
        columns = directory.read_history().arrays()
        temperatures = [0.0, *config.temperatures]
        cases = [of_case(columns, number) for number in range(len(temperatures))]
        drawn = plot_noisy(temperatures, config.neurons, cases)
        return [directory.write_figure("noisy", drawn)]


def _student(config: NoisyConfig, temperature: float) -> Any:
    """Quadratic neurons; weights decay at ``decay`` times the temperature."""
    import jax.numpy as jnp

    from wflow.energies import Entropy, Potential
    from wflow.measures import Gaussian
    from wflow.networks import chaos

    d = config.dim
    start = Gaussian(jnp.zeros(d), config.scale * jnp.eye(d) / d)
    risk = chaos.QuadraticRisk(jnp.zeros((d, d)).at[0, 0].set(1))
    if temperature == 0:
        return chaos.Student(risk, start)
    rate = config.decay * temperature
    shrink = Potential(lambda w: rate / 2 * jnp.sum(w**2))
    return chaos.Student(risk, start, risk + shrink + Entropy(temperature))


def _outcome(
    config: NoisyConfig, losses: dict[float, np.ndarray], quiet: Any, noisy: Any
) -> Outcome:
    ends = {tau: float(loss[-1]) for tau, loss in losses.items()}
    power = fitted(config.temperatures, [ends[tau] for tau in config.temperatures])
    metrics = {
        **slope_metrics(quiet, "_noiseless"),
        **slope_metrics(noisy, "_noisy"),
        "loss_end_noiseless": ends[0.0],
        **{f"loss_end_{tau:g}": ends[tau] for tau in config.temperatures},
        "loss_power_of_temperature": power,
        "m_times_e_end_noiseless": float(quiet.widths[-1] * quiet.mean[-1, -1]),
        "m_times_e_end_noisy": float(noisy.widths[-1] * noisy.mean[-1, -1]),
    }
    largest = config.temperatures[-1]
    gaps = ScoreTable(
        "Supremum over time of the mean squared gap",
        tuple(f"m = {m}" for m in quiet.widths),
        {
            "without noise": [float(v) for v in quiet.sup],
            f"temperature {largest:g}": [float(v) for v in noisy.sup],
        },
        (),
    )
    table = ScoreTable(
        f"Loss of the limit at time {config.horizon:g}",
        ("no noise", *(f"{tau:g}" for tau in config.temperatures)),
        {"loss": list(ends.values())},
        (),
    )
    remarks = [
        f"Slopes in m: {quiet.slope:.3f} without noise, {noisy.slope:.3f} at "
        f"temperature {largest:g}.",
        f"With noise the loss stops near temperature^{power:.2f}; without it still "
        f"falls ({ends[0.0]:.2g} at the end).",
    ]
    return Outcome(metrics, [gaps, table], remarks)


TASK = ChaosNoisy()
