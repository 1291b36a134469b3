"""Neurons with output weights that learn a few neurons: features and fluctuations."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from wflow.cli.networks.chaos_figures import plot_teacher
from wflow.cli.networks.chaos_reports import (
    case_columns,
    root_integral,
    sentence,
    slope_metrics,
)
from wflow.cli.networks.chaos_schema import TeacherConfig
from wflow.studies._folder import RunDirectory
from wflow.studies._outcome import Outcome, ScoreTable
from wflow.studies._task import AbstractTask


if TYPE_CHECKING:
    from wflow.studies._task import Log


class ChaosTeacher(AbstractTask[TeacherConfig]):
    """Gaps to a wide reference that learns features, beside one that cannot."""

    summary = "how far networks that learn a teacher's features are from their limit"
    config = TeacherConfig

    def check(self, config: TeacherConfig, source: str) -> None:
        del config, source

    def finished(self, directory: RunDirectory) -> Path:
        return directory.history

    def run(
        self,
        config: TeacherConfig,
        directory: RunDirectory,
        *,
        resume: bool,
        log: "Log",
    ) -> Outcome:
        del resume, log
        import jax

        from wflow.flows import GradientFlow
        from wflow.geometries import Wasserstein
        from wflow.networks import chaos
        from wflow.solve import solve

        of_data, of_limit, of_study = jax.random.split(jax.random.key(config.seed), 3)
        student, teacher = _student(config, of_data)
        times = np.concatenate([[0], np.geomspace(0.1, config.horizon, 100)])
        limit = student.network(of_limit, config.reference)
        report = chaos.study(
            student,
            config.neurons,
            config.networks,
            times,
            limit=limit,
            key=of_study,
            resamples=config.resamples,
            max_steps=2**16,
        )
        moved = chaos.follow(student, limit, times, max_steps=2**16).measures
        aligned = np.asarray(jax.vmap(lambda mu: chaos.alignment(mu, teacher))(moved))
        # Output weights alone: random features, the kernel regime.
        outer = np.eye(1 + config.dim)[0]
        lazy = solve(
            GradientFlow(student.risk, Wasserstein(outer)),
            limit,
            0.0,
            times[-1],
            times=times,
            max_steps=2**16,
        ).measures
        frozen = np.asarray(jax.vmap(student.risk.loss)(lazy))
        directory.write_history(
            {**case_columns([report]), "alignment": aligned, "frozen": frozen}
        )
        self.plot(config, directory)
        return _outcome(config, report, aligned, frozen)

    def plot(self, config: TeacherConfig, directory: RunDirectory) -> list[Path]:
        columns = directory.read_history().arrays()
        drawn = plot_teacher(config.neurons, columns)
        return [directory.write_figure("teacher", drawn)]


def _student(config: TeacherConfig, key: Any) -> tuple[Any, Any]:
    """The student, and the teacher's neurons: orthogonal, of alternating signs."""
    import jax
    import jax.numpy as jnp

    from wflow.energies import NetworkRisk
    from wflow.measures import Gaussian, Particles
    from wflow.networks import chaos

    d, k = config.dim, config.teacher
    of_inputs, of_teacher = jax.random.split(key)
    directions = jnp.linalg.qr(jax.random.normal(of_teacher, (d, d)))[0]
    signs = jnp.where(jnp.arange(k) % 2 == 0, 2.0, -2.0)
    b = 2 * directions[jnp.arange(k) % d]
    teacher = Particles.from_samples(jnp.concatenate([signs[:, None], b], axis=1))
    start = Gaussian(
        jnp.zeros(1 + d), jnp.diag(jnp.concatenate([jnp.ones(1), jnp.ones(d) / d]))
    )
    if config.inputs is None:
        return chaos.Student(chaos.ErfRisk(teacher), start), teacher
    neuron = chaos.Neuron(config.activation)
    inputs = jax.random.normal(of_inputs, (config.inputs, d))
    output = lambda x: teacher.integrate(lambda w: neuron(w, x))
    risk = chaos.SampledRisk(NetworkRisk(neuron, inputs, jax.vmap(output)(inputs)))
    return chaos.Student(risk, start), teacher


def _outcome(
    config: TeacherConfig, report: Any, aligned: np.ndarray, frozen: np.ndarray
) -> Outcome:
    from wflow.networks.chaos import bound_exponent, decay_exponent

    decay = decay_exponent(report.times, report.loss)
    below = report.times[report.loss < 1e-3]
    metrics = {
        **slope_metrics(report),
        "decay_exponent": decay,
        "bound_exponent": bound_exponent(decay),
        "integral_sqrt_loss": root_integral(report.times, report.loss),
        "loss_start": float(report.loss[0]),
        "loss_end": float(report.loss[-1]),
        "loss_end_frozen": float(frozen[-1]),
        "alignment_start": float(aligned[0]),
        "alignment_end": float(aligned[-1]),
    }
    if below.size:
        metrics["time_to_loss_1e_3"] = float(below[0])
    names = tuple(f"m = {m}" for m in report.widths)
    gaps = ScoreTable(
        "Mean squared gap to the reference",
        names,
        {
            "supremum": [float(v) for v in report.sup],
            "at the start": [float(v) for v in report.mean[:, 0]],
            "at the end": [float(v) for v in report.mean[:, -1]],
            "theorem's exponent": [float(v) for v in report.bound(decay)],
        },
        (),
    )
    losses = ScoreTable(
        f"Loss of {config.reference} neurons at time {config.horizon:g}",
        ("loss",),
        {
            "all weights": [metrics["loss_end"]],
            "output weights alone": [metrics["loss_end_frozen"]],
            "at the start": [metrics["loss_start"]],
        },
        ("all weights",),
    )
    remarks = [
        sentence(report, decay, bound_exponent(decay)),
        f"Alignment with the teacher {aligned[0]:.3f} at the start, "
        f"{aligned[-1]:.3f} at the end.",
    ]
    return Outcome(metrics, [gaps, losses], remarks)


TASK = ChaosTeacher()
