"""The kernel regime, where geodesic ridge is kernel ridge regression and arc is not."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from wflow.cli.networks.canonical_bias_figures import plot_shrinkage
from wflow.cli.networks.canonical_schema import KernelConfig
from wflow.studies._folder import RunDirectory
from wflow.studies._outcome import Outcome, ScoreTable
from wflow.studies._task import AbstractTask


if TYPE_CHECKING:
    from wflow.studies._task import Log


class CanonicalKernel(AbstractTask[KernelConfig]):
    """Outputs on the training inputs under every penalty, against the closed form."""

    summary = "linear outputs: geodesic, anchored and arc ridge against kernel ridge"
    config = KernelConfig

    def check(self, config: KernelConfig, source: str) -> None:
        del config, source

    def finished(self, directory: RunDirectory) -> Path:
        return directory.history

    def run(
        self,
        config: KernelConfig,
        directory: RunDirectory,
        *,
        resume: bool,
        log: "Log",
    ) -> Outcome:
        del resume, log
        rng = np.random.default_rng(config.seed)
        shape = (config.outputs, config.parameters)
        jacobian = rng.normal(size=shape) / config.parameters**0.5
        weights, y = rng.normal(size=shape[1]), rng.normal(size=shape[0])
        # The same mean curvature, the same in every direction.
        rows = np.linalg.qr(jacobian.T)[0].T
        isotropic = rows * np.sqrt(np.trace(jacobian @ jacobian.T) / config.outputs)

        strengths = config.strengths.values()
        found = penalised(jacobian, weights, y, config, geodesic=True)
        round_ = penalised(isotropic, weights, y, config, geodesic=False)
        worst = {
            name: np.abs(found[name] - found["ridge"]).max(1)
            for name in ("geodesic", "anchored", "arc")
        }
        same = np.abs(round_["arc"] - round_["ridge"]).max(1)
        metrics = {
            "max_abs_geodesic_minus_ridge": worst["geodesic"].max(),
            "max_abs_anchored_minus_ridge": worst["anchored"].max(),
            "max_abs_arc_isotropic_minus_ridge": same.max(),
            "arc_anisotropic_difference": worst["arc"].max(),
            "max_vertical_fraction": found["vertical"].max(),
            "max_arc_condition": max(
                found["condition"].max(), round_["condition"].max()
            ),
        }
        metrics = {name: float(value) for name, value in metrics.items()}
        curvature, axes = np.linalg.eigh(jacobian @ jacobian.T)
        start = jacobian @ weights
        # What is left of the residual, direction by direction.
        left = {
            name: (y - found[name]) @ axes / ((y - start) @ axes)
            for name in ("ridge", "geodesic", "arc")
        }
        columns = {"strength": np.repeat(strengths, len(curvature))}
        columns["curvature"] = np.tile(curvature, len(strengths))
        directory.write_history(
            {**columns, **{name: value.ravel() for name, value in left.items()}}
        )
        directory.write_metrics(metrics)
        self.plot(config, directory)
        table = ScoreTable(
            "Largest difference to kernel ridge regression of a training output",
            tuple(f"{strength:.2g}" for strength in strengths),
            {
                "geodesic": worst["geodesic"].tolist(),
                "anchored": worst["anchored"].tolist(),
                "arc, isotropic": same.tolist(),
                "arc": worst["arc"].tolist(),
            },
            (),
        )
        return Outcome(metrics, [table])

    def plot(self, config: KernelConfig, directory: RunDirectory) -> list[Path]:
        del config
        drawn = plot_shrinkage(directory.read_history())
        return [directory.write_figure("shrinkage", drawn)]


def penalised(
    jacobian: np.ndarray,
    weights: np.ndarray,
    y: np.ndarray,
    config: KernelConfig,
    *,
    geodesic: bool,
) -> dict[str, np.ndarray]:
    """Training outputs ``(strengths, n)`` of every penalty, and the closed form."""
    import jax.numpy as jnp

    from wflow.cli.networks.canonical_toys import Linear, Training
    from wflow.energies import Supervised
    from wflow.measures import Point
    from wflow.networks.canonical import NTKMetric

    x = jnp.asarray(jacobian)
    origin = Point(Linear(jnp.asarray(weights)))
    training = Training(origin, Supervised(x, y), config.rtol)
    metric = NTKMetric(x)
    kernel, start = jacobian @ jacobian.T, jacobian @ weights
    slowest = np.linalg.eigvalsh(kernel)[0]
    rows: dict[str, list[Any]] = {"ridge": [], "arc": [], "condition": []}
    if geodesic:
        rows |= {"geodesic": [], "anchored": [], "vertical": []}
    for strength in config.strengths.values():
        dual = np.linalg.solve(kernel + strength * np.eye(len(y)), y - start)
        rows["ridge"].append(start + kernel @ dual)
        horizon = 40 / slowest
        arc = training.arc(strength, horizon)
        speed = jnp.linalg.norm(training.energy.differential(arc.measure).w)
        rows["arc"].append(metric.outputs(arc.measure))
        rows["condition"].append(abs(speed - strength * arc.length))
        if geodesic:
            end = training.ridge(strength)[-1]
            rows["anchored"].append(metric.outputs(end))
            rows["vertical"].append(metric.vertical_fraction(end, origin))
            horizon = 25 / (slowest + strength)
            rows["geodesic"].append(
                metric.outputs(training.geodesic(strength, horizon))
            )
    return {name: np.asarray(values) for name, values in rows.items()}


TASK = CanonicalKernel()
