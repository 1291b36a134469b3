"""Finite samples and finite steps, in quadratic networks."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from wflow.cli.networks.chaos_figures import plot_samples_steps
from wflow.cli.networks.chaos_reports import fitted
from wflow.cli.networks.chaos_schema import SamplesStepsConfig
from wflow.studies._folder import RunDirectory
from wflow.studies._outcome import Outcome, ScoreTable
from wflow.studies._task import AbstractTask


if TYPE_CHECKING:
    from wflow.studies._task import Log


class ChaosSamplesSteps(AbstractTask[SamplesStepsConfig]):
    """Suprema against the number of inputs, and against the step of descent."""

    summary = "what finite samples and finite steps add to quadratic networks"
    config = SamplesStepsConfig

    def check(self, config: SamplesStepsConfig, source: str) -> None:
        del config, source

    def finished(self, directory: RunDirectory) -> Path:
        return directory.path / "suprema.csv"

    def run(
        self,
        config: SamplesStepsConfig,
        directory: RunDirectory,
        *,
        resume: bool,
        log: "Log",
    ) -> Outcome:
        del resume, log
        import jax
        import jax.numpy as jnp

        from wflow.measures import Gaussian
        from wflow.networks import chaos

        d = len(config.teacher)
        start = Gaussian(jnp.zeros(d), jnp.eye(d) / d)
        risk = chaos.QuadraticRisk(jnp.diag(jnp.asarray(config.teacher)))
        student = chaos.Student(risk, start)
        of_samples, of_steps, of_resamples = jax.random.split(
            jax.random.key(config.seed), 3
        )
        times = np.linspace(0, config.sample_horizon, 61)
        by_samples = [
            np.asarray(
                chaos.sample_gaps(
                    student,
                    n,
                    times,
                    jax.random.fold_in(of_samples, n),
                    config.sample_seeds,
                )
            )
            for n in config.samples
        ]
        # Saved at multiples of every step, so that no step is cut.
        coarse = max(config.steps)
        count = max(1, round(config.step_horizon / coarse / 10))
        grid = 10 * coarse * np.arange(count + 1)
        by_steps = [
            np.asarray(
                chaos.step_gaps(
                    student, config.width, step, grid, of_steps, config.step_seeds
                )
            )
            for step in config.steps
        ]
        suprema = [gaps.max(axis=1) for gaps in by_samples]
        errors = [np.sqrt(gaps.max(axis=1)) for gaps in by_steps]
        names = ["samples"] * len(suprema) + ["step"] * len(errors)
        directory.write_table(
            "suprema.csv",
            {
                "of": np.array([name == "step" for name in names], float),
                "value": [*map(float, config.samples), *config.steps],
                "supremum": [float(v.mean()) for v in [*suprema, *errors]],
            },
        )
        self.plot(config, directory)
        metrics = _slopes(config, suprema, errors, of_resamples)
        ends = [gaps[:, -1].mean() for gaps in by_samples]
        metrics["end_factor_min"] = float(
            min(v.mean() / end for v, end in zip(suprema, ends, strict=True))
        )
        metrics |= _stability(student, config)
        return _outcome(config, metrics, suprema, errors, ends)

    def plot(self, config: SamplesStepsConfig, directory: RunDirectory) -> list[Path]:
        columns = directory.read_table("suprema.csv")
        supremum, steps = np.asarray(columns["supremum"]), np.asarray(columns["of"]) > 0
        drawn = plot_samples_steps(
            config.samples, supremum[~steps], config.steps, supremum[steps]
        )
        return [directory.write_figure("samples_steps", drawn)]


def _slopes(
    config: SamplesStepsConfig, suprema: list, errors: list, key: Any
) -> dict[str, float]:
    """Fitted powers of N and of the step, with intervals by resampled seeds."""
    import jax

    of_samples, of_steps = jax.random.split(key)
    metrics = {}
    for name, x, values, each in (
        ("samples", config.samples, suprema, of_samples),
        ("steps", config.steps, errors, of_steps),
    ):
        means = np.stack(
            [
                v[
                    np.asarray(
                        jax.random.randint(
                            jax.random.fold_in(each, k),
                            (config.resamples, len(v)),
                            0,
                            len(v),
                        )
                    )
                ].mean(axis=1)
                for k, v in enumerate(values)
            ]
        )
        drawn = np.polyfit(np.log(x), np.log(means), 1)[0]
        low, high = np.quantile(drawn, [0.025, 0.975])
        metrics |= {
            f"slope_{name}": fitted(x, [v.mean() for v in values]),
            f"slope_{name}_low": float(low),
            f"slope_{name}_high": float(high),
        }
    scaled = [n * v.mean() for n, v in zip(config.samples, suprema, strict=True)]
    ratios = [a.mean() / b.mean() for a, b in zip(errors, errors[1:], strict=False)]
    metrics |= {
        "n_times_sup_min": float(min(scaled)),
        "n_times_sup_max": float(max(scaled)),
        "step_ratio_min": float(min(ratios)),
        "step_ratio_max": float(max(ratios)),
    }
    return metrics


def _stability(student: Any, config: SamplesStepsConfig) -> dict[str, float]:
    """Losses of descent from near the teacher, steps on either side of the bound."""
    import warnings

    import jax.numpy as jnp

    from wflow.measures import Particles
    from wflow.networks import chaos

    bound = float(chaos.stable_step(student.risk))
    # Neurons at the teacher's root, moved a little.
    d = len(config.teacher)
    root = jnp.diag(jnp.sqrt(d * jnp.asarray(config.teacher)))
    near = Particles.from_samples(root * (1 + 1e-4))
    losses = {}
    for name, factor in (("below", 0.95), ("above", 1.05)):
        step = factor * bound
        with warnings.catch_warnings():
            # One of the steps is meant to be too long.
            warnings.filterwarnings("ignore", message="step .* is above")
            end = chaos.descend(student, near, step * np.array([0.0, 200.0]), step)
        final = Particles(end.x[-1], end.logw[-1])
        losses[f"loss_{name}_stable_step"] = float(student.risk.loss(final))
    return {
        "stable_step": bound,
        "loss_near_teacher": float(student.risk.loss(near)),
        **losses,
    }


def _outcome(
    config: SamplesStepsConfig,
    metrics: dict[str, float],
    suprema: list,
    errors: list,
    ends: list,
) -> Outcome:
    scaled = [float(n * v.mean()) for n, v in zip(config.samples, suprema, strict=True)]
    samples = ScoreTable(
        "Squared gap to the loss over all inputs",
        tuple(f"N = {n}" for n in config.samples),
        {
            "supremum": [float(v.mean()) for v in suprema],
            "N times supremum": scaled,
            "at the end": [float(end) for end in ends],
        },
        (),
    )
    steps = ScoreTable(
        "Distance of gradient descent to the flow",
        tuple(f"step {step:g}" for step in config.steps),
        {"supremum": [float(v.mean()) for v in errors]},
        (),
    )
    remarks = [
        f"Powers: {metrics['slope_samples']:.3f} in N, {metrics['slope_steps']:.3f} in "
        "the step (of the distance, not its square).",
        f"Steps are stable below {metrics['stable_step']:.4g}: from a loss of "
        f"{metrics['loss_near_teacher']:.2g} 200 steps lead to "
        f"{metrics['loss_below_stable_step']:.2g} at .95 of it and to "
        f"{metrics['loss_above_stable_step']:.2g} at 1.05.",
    ]
    return Outcome(metrics, [samples, steps], remarks)


TASK = ChaosSamplesSteps()
