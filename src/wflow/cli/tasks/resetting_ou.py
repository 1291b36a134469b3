"""A noisy linear flow that is reset: simulated covariance against the closed form."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from wflow.cli.errors import CommandError
from wflow.cli.regression.schema import OUConfig
from wflow.studies._folder import RunDirectory
from wflow.studies._outcome import Outcome, ScoreTable
from wflow.studies._task import AbstractTask


if TYPE_CHECKING:
    from jax import Array

    from wflow.flows import ResettingFlow
    from wflow.regression.moments import StationaryMoments
    from wflow.studies._task import Log

# Draws that a figure shows, and the length of its path in mean times between resets.
_SHOWN, _LONG, _PATH = 3000, 12, 600
_PARTS = ("cov", "noise_cov", "timing_cov")


class ResettingOU(AbstractTask[OUConfig]):
    """Covariance of a reset Ornstein-Uhlenbeck process, with and without noise."""

    summary = (
        "a noisy linear flow that is reset: its covariance, by where it comes from"
    )
    config = OUConfig

    def check(self, config: OUConfig, source: str) -> None:
        for name, law in config.laws.items():
            if law.kind == "deterministic":
                raise CommandError(
                    f"{source}: laws.{name}: expected a law that is not periodic: "
                    "after equal intervals the state depends on the phase at any time."
                )
            try:
                _exact(config, name)
            except ValueError as error:
                raise CommandError(f"{source}: {error}") from None

    def finished(self, directory: RunDirectory) -> Path:
        return directory.history

    def run(
        self,
        config: OUConfig,
        directory: RunDirectory,
        *,
        resume: bool,
        log: "Log",
    ) -> Outcome:
        del resume
        metrics: dict[str, float] = {}
        columns: dict[str, list[float]] = {}
        paths: dict[str, list[float]] = {}
        rows = {}
        for number, name in enumerate(config.laws):
            log(f"{config.samples} draws of {name}", highlight=False)
            exact = _exact(config, name)
            noisy, still = _draws(config, name, number)
            found = {
                "cov": np.cov(noisy.T),
                # At the same ages, so that the difference is noise alone.
                "noise_cov": np.cov((noisy - still).T),
                "timing_cov": np.cov(still.T),
            }
            gaps = {part: _gap(found[part], getattr(exact, part)) for part in _PARTS}
            rows[name] = [gaps[part] for part in _PARTS]
            metrics |= {f"relative_{part}_error_{name}": gaps[part] for part in _PARTS}
            error = noisy.std(0, ddof=1) / np.sqrt(len(noisy))
            z = np.abs(noisy.mean(0) - np.asarray(exact.mean)) / error
            metrics[f"max_z_score_mean_{name}"] = float(z.max())
            metrics |= _entries(name, exact)
            for i in range(2):
                columns[f"{name}_x{i + 1}"] = noisy[:_SHOWN, i].tolist()
                columns[f"{name}_still_x{i + 1}"] = still[:_SHOWN, i].tolist()
            paths |= _paths(config, name, number)
        worst = max(metrics[f"relative_cov_error_{name}"] for name in config.laws)
        metrics["relative_covariance_error"] = worst
        directory.write_history(columns)
        directory.write_table("paths.csv", paths)
        self.plot(config, directory)
        parts = ("all", "noise", "timing of resets")
        title = "Covariance, simulated minus exact, relative (Frobenius)"
        return Outcome(metrics, [ScoreTable(title, parts, rows, ())])

    def plot(self, config: OUConfig, directory: RunDirectory) -> list[Path]:
        from wflow.plotting.resets import plot_ellipses, plot_reset_paths

        draws = directory.read_history().arrays()
        rest = np.linalg.lstsq(np.array(config.curvature), config.linear)[0]
        ellipses = {}
        for name in config.laws:
            exact = _exact(config, name)
            ellipses[name] = [
                (label, np.asarray(exact.mean)[:2], np.asarray(cov)[:2, :2])
                for label, cov in (
                    ("all", exact.cov),
                    ("noise", exact.noise_cov),
                    ("timing of resets", exact.timing_cov),
                )
            ]
        figures = {
            "covariance": plot_ellipses(
                {
                    name: np.stack([draws[f"{name}_x1"], draws[f"{name}_x2"]], axis=1)
                    for name in config.laws
                },
                ellipses,
                origin=np.array(config.origin[:2]),
                rest=rest[:2],
            )
        }
        columns = directory.read_table("paths.csv").arrays()
        for name in config.laws:
            resets = columns[f"{name}_resets"]
            resets = resets[np.isfinite(resets)]
            titles = {"still": "without noise", "noisy": "with noise"}
            tags = {"still": f"{name}_still_x2", "noisy": f"{name}_x2"}
            figures[f"path_{name}"] = plot_reset_paths(
                {
                    title: (columns["time"], columns[f"{name}_{kind}"], resets)
                    for kind, title in titles.items()
                },
                {title: draws[tags[kind]] for kind, title in titles.items()},
                origin=config.origin[1],
                label=r"$\theta_2$",
            )
        return [directory.write_figure(name, one) for name, one in figures.items()]


def _exact(config: OUConfig, name: str) -> "StationaryMoments":
    from wflow.regression.moments import stationary_moments

    law = config.laws[name].build().with_mean(config.mean)
    return stationary_moments(
        law,
        np.array(config.curvature),
        np.array(config.linear),
        np.array(config.origin),
        noise=np.array(config.noise),
    )


def _gap(found: np.ndarray, exact: Any) -> float:
    exact = np.asarray(exact)
    size = np.linalg.norm(exact)
    return float(np.linalg.norm(found - exact) / size) if size else np.nan


def _entries(name: str, exact: "StationaryMoments") -> dict[str, float]:
    metrics = {f"mean_{i + 1}_{name}": float(m) for i, m in enumerate(exact.mean)}
    for i, row in enumerate(np.asarray(exact.cov)):
        metrics |= {f"cov_{i + 1}{j + 1}_{name}": row[j] for j in range(i, len(row))}
    return metrics


def _flows(config: OUConfig, name: str) -> "tuple[ResettingFlow, ResettingFlow, Array]":
    """The noisy flow and the one without noise, and the axes of the noise.

    Both are in coordinates along these axes, in which the noise is diagonal.
    """
    import jax.numpy as jnp

    from wflow.energies import Potential
    from wflow.flows import GradientFlow, ResettingFlow
    from wflow.geometries import Wasserstein
    from wflow.regression.diffusion import Diffusion

    variances, axes = jnp.linalg.eigh(jnp.array(config.noise))
    A = axes.T @ jnp.array(config.curvature) @ axes
    b = axes.T @ jnp.array(config.linear)
    quadratic = Potential(lambda x: x @ (A @ x) / 2 - b @ x)
    still = GradientFlow(quadratic, Wasserstein())
    noisy = still + Diffusion(jnp.sqrt(jnp.maximum(variances, 0)))
    law = config.laws[name].build().with_mean(config.mean)
    origin = axes.T @ jnp.array(config.origin)
    return ResettingFlow(noisy, law, origin), ResettingFlow(still, law, origin), axes


def _solved(
    config: OUConfig, flow: "ResettingFlow", n: int, times: Any, dt0: float, key: Any
) -> "Array":
    import jax.numpy as jnp

    from wflow.measures import Particles
    from wflow.solve import solve

    start = Particles.from_samples(jnp.tile(flow.origin, (n, 1)))
    last = float(times[-1])
    return solve(flow, start, 0.0, last, times=times, dt0=dt0, key=key).measures.x


def _draws(config: OUConfig, name: str, number: int) -> tuple[np.ndarray, np.ndarray]:
    """States long after the start, with noise and without it, at the same ages."""
    import jax
    import jax.numpy as jnp

    noisy, still, axes = _flows(config, name)
    key = jax.random.fold_in(jax.random.key(config.seed), number)
    times = jnp.array([config.horizon * config.mean])
    dt0 = float(times[0]) / config.steps
    # The key draws the clocks first, so both have the same.
    found = [
        _solved(config, flow, config.samples, times, dt0, key)[0] @ axes.T
        for flow in (noisy, still)
    ]
    return np.asarray(found[0]), np.asarray(found[1])


def _paths(config: OUConfig, name: str, number: int) -> dict[str, list[float]]:
    """One path with noise and one without, with the same resets."""
    import jax
    import jax.numpy as jnp

    from wflow.regression.resets import drawn_resets

    noisy, still, axes = _flows(config, name)
    key = jax.random.fold_in(jax.random.key(config.seed), 1000 + number)
    times = jnp.linspace(0.0, _LONG * config.mean, _PATH + 1)
    resets = drawn_resets(
        noisy.law, 0.0, times[-1], key=key, shape=(1,), max_resets=_PATH + 1
    )
    columns = {"time": times, f"{name}_resets": resets.epochs[0]}
    for kind, flow in (("still", still), ("noisy", noisy)):
        path = _solved(
            config, resets.flow_with(flow), 1, times, float(times[1]) / 4, key
        )
        columns[f"{name}_{kind}"] = path[:, 0] @ axes[1]
    return {key: np.asarray(value).tolist() for key, value in columns.items()}


TASK = ResettingOU()
