"""Where the limit process ends to hold as inputs depart from orthogonality."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from wflow.cli.networks.saddle_descent_schema import NearOrthogonalConfig
from wflow.cli.networks.saddle_instances import draw_instances
from wflow.studies._folder import RunDirectory
from wflow.studies._outcome import Outcome, ScoreTable
from wflow.studies._task import AbstractTask


if TYPE_CHECKING:
    from wflow.cli.networks.saddle_instances import Instance
    from wflow.studies._task import Log

_NAMES = (
    "inverse_scale",
    "dim",
    "cosine",
    "instance",
    "late",
    "norm_squared",
    "limit",
    "least",
    "woken",
    "loss",
    "finished",
)
# A run follows the orthogonal one if its jumps and its norm are that near, relatively.
_TIME, _NORM = 0.05, 0.01


class SaddleNearOrthogonal(AbstractTask[NearOrthogonalConfig]):
    """The same draw on inputs of smaller and smaller cosines, down to none.

    Every run is compared with the run of the same steps on orthogonal inputs, so that
    neither the scale nor the step counts. In history ``dim`` is 0 for cosines that were
    scaled, and ``cosine`` is 0 for orthogonal inputs.
    """

    summary = "where the limit process ends to hold: inputs that are nearly orthogonal"
    config = NearOrthogonalConfig

    def check(self, config: NearOrthogonalConfig, source: str) -> None:
        del config, source

    def finished(self, directory: RunDirectory) -> Path:
        return directory.history

    def run(
        self,
        config: NearOrthogonalConfig,
        directory: RunDirectory,
        *,
        resume: bool,
        log: "Log",
    ) -> Outcome:
        del resume
        import jax

        of_draws, of_inputs = jax.random.split(jax.random.key(config.seed))
        instances, _ = draw_instances(
            of_draws,
            config.instances,
            config.samples,
            config.width,
            config.labels,
            config.least_gap,
        )
        grams, dims, cosines = _grams(of_inputs, config)
        parts = []
        for scale in config.inverse_scales:
            parts.append(_runs(instances, grams, dims, cosines, scale, config))
            log(f"log(1/scale) = {scale:g}: done", highlight=False)
        columns = {
            name: np.concatenate([part[name] for part in parts]) for name in _NAMES
        }
        directory.write_history(columns)
        self.plot(config, directory)
        return _outcome(config, columns)

    def plot(self, config: NearOrthogonalConfig, directory: RunDirectory) -> list[Path]:
        from wflow.cli.networks.saddle_descent_figures import plot_cosines

        columns = directory.read_history().arrays()
        drawn = plot_cosines(
            {scale: _along(columns, scale) for scale in config.inverse_scales},
            samples=config.samples,
            draws=config.instances,
        )
        return [directory.write_figure("near_orthogonal", drawn)]


def _grams(
    key: Any, config: NearOrthogonalConfig
) -> tuple[np.ndarray, list[int], np.ndarray]:
    """Gram matrices ``(instances, cases, n, n)``, dimensions, and typical cosines.

    The first case is orthogonal, then come random inputs of each dimension, then those
    of dimension n^2 with cosines scaled to each size.
    """
    import jax
    import jax.numpy as jnp

    n = config.samples
    eye = np.eye(n)

    def random(key: Any, dim: int) -> np.ndarray:
        rows = jax.random.normal(key, (n, dim))
        rows = rows / jnp.linalg.norm(rows, axis=1, keepdims=True)
        gram = np.array(rows @ rows.T)
        np.fill_diagonal(gram, 1)
        return gram

    every = []
    for each in jax.random.split(key, config.instances):
        of_dims, of_cosines = jax.random.split(each)
        cases = [eye]
        for number, dim in enumerate(config.dims):
            cases.append(random(jax.random.fold_in(of_dims, number), dim))
        beside = random(of_cosines, n * n) - eye
        size = math.sqrt(float(np.sum(beside**2)) / (n * (n - 1)))
        cases.extend(eye + beside * (cosine / size) for cosine in config.cosines)
        every.append(cases)
    dims = [0, *config.dims, *[0] * len(config.cosines)]
    typical = [0.0, *(dim**-0.5 for dim in config.dims), *config.cosines]
    return np.array(every), dims, np.array(typical)


def _runs(
    instances: "list[Instance]",
    grams: np.ndarray,
    dims: list[int],
    cosines: np.ndarray,
    scale: float,
    config: NearOrthogonalConfig,
) -> dict[str, np.ndarray]:
    """All cases of all instances from one scale."""
    import jax
    import jax.numpy as jnp

    from wflow.networks.saddle import (
        ReLUData,
        descend,
        half_times,
        min_norm_squared,
        small_neurons,
        stable_step,
    )

    step = config.step_share * min(float(stable_step(i.data)) for i in instances)
    end = max(float(i.limit.horizon(-scale)) for i in instances)
    stride = math.ceil(end / step / config.points)

    def one(key: Any, limit: Any, y: Any, gram: Any) -> tuple:
        data = ReLUData(y, gram, float(config.samples))
        start = small_neurons(key, config.width, data, -scale)
        course = descend(data, start, step, points=config.points, stride=stride)
        # Units of the sign of their neuron that were off.
        woken = course.final.active & ~start.active & data.signed(start.sign)
        return (
            half_times(course, limit),
            course.final.norm_squared(data),
            jnp.sum(woken),
            course.loss[-1] / course.loss[0],
            course.finished,
        )

    # All cases of an instance at once, an instance at a time.
    over_cases = jax.vmap(one, (None, None, None, 0))
    each = jax.jit(lambda *rows: jax.lax.map(lambda row: over_cases(*row), rows))
    stacked = lambda trees: jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)
    halves, norm, woken, loss, finished = map(
        np.asarray,
        each(
            jnp.stack([i.key for i in instances]),
            stacked([i.limit for i in instances]),
            jnp.stack([i.data.y for i in instances]),
            jnp.asarray(grams),
        ),
    )
    count, cases = norm.shape
    # Jumps that the orthogonal run makes; one that never comes is infinitely late.
    base = halves[:, :1]
    late = np.abs(halves / base - 1)
    late = np.where(np.isnan(base), 0, np.where(np.isnan(late), np.inf, late))
    per_case = lambda values: np.broadcast_to(values, (count, cases)).ravel()
    per_instance = lambda values: per_case(np.asarray(values)[:, None])
    return {
        "inverse_scale": np.full(count * cases, scale),
        "dim": per_case(np.array(dims)),
        "cosine": per_case(cosines),
        "instance": per_instance(range(count)),
        "late": late.max(axis=-1).ravel(),
        "norm_squared": norm.ravel(),
        "limit": per_instance([float(i.limit.norm_squared) for i in instances]),
        "least": per_instance([float(min_norm_squared(i.data)) for i in instances]),
        "woken": woken.ravel(),
        "loss": loss.ravel(),
        "finished": finished.ravel().astype(float),
    }


def _along(columns: dict[str, np.ndarray], scale: float) -> dict[str, np.ndarray]:
    """Means over draws of each case from one scale, the orthogonal one first."""
    at = columns["inverse_scale"] == scale
    count = len(np.unique(columns["instance"][at]))
    cells = {name: column[at].reshape(count, -1) for name, column in columns.items()}
    base = cells["norm_squared"][:, :1]
    near = np.abs(cells["norm_squared"] / base - 1) <= _NORM
    return {
        "dim": cells["dim"][0],
        "cosine": cells["cosine"][0],
        "follows": np.mean(near & (cells["late"] <= _TIME), axis=0),
        "norm": np.mean(cells["norm_squared"] / cells["limit"], axis=0),
        "least": np.mean(cells["norm_squared"] / cells["least"], axis=0),
        "woken": np.mean(cells["woken"], axis=0),
        "loss": np.mean(cells["loss"], axis=0),
        "fitted": np.mean(cells["loss"] < 1e-3, axis=0),
        "finished": np.mean(cells["finished"], axis=0),
    }


def _breaking(case: dict[str, np.ndarray], scale: float) -> float:
    """log(1/cosine) / log(1/scale) at which half of the draws follow, by a line."""
    scaled = (case["dim"] == 0) & (case["cosine"] > 0)
    share = np.log(1 / case["cosine"][scaled]) / scale
    follows = case["follows"][scaled]
    above = np.flatnonzero(follows >= 0.5)
    if not len(above) or above[0] == 0:
        return math.nan
    k = above[0]
    low, high = follows[k - 1], follows[k]
    return float(share[k - 1] + (0.5 - low) / (high - low) * (share[k] - share[k - 1]))


def _outcome(config: NearOrthogonalConfig, columns: dict[str, np.ndarray]) -> Outcome:
    cases = {scale: _along(columns, scale) for scale in config.inverse_scales}
    metrics: dict[str, float] = {}
    for scale, case in cases.items():
        metrics[f"breaking_{scale:g}"] = _breaking(case, scale)
        metrics[f"norm_over_limit_orthogonal_{scale:g}"] = float(case["norm"][0])
        metrics[f"norm_over_least_orthogonal_{scale:g}"] = float(case["least"][0])
        metrics[f"fitted_orthogonal_{scale:g}"] = float(case["fitted"][0])
        for number, dim in enumerate(config.dims, start=1):
            for name in ("follows", "woken", "fitted"):
                metrics[f"{name}_{dim}_{scale:g}"] = float(case[name][number])
            metrics[f"norm_over_least_{dim}_{scale:g}"] = float(case["least"][number])
        metrics[f"finished_{scale:g}"] = float(np.min(case["finished"]))
    names = tuple(f"log 1/scale {scale:g}" for scale in cases)
    rows = {"orthogonal": [float(case["least"][0]) for case in cases.values()]}
    for number, dim in enumerate(config.dims, start=1):
        rows[f"random, d = {dim}"] = [
            float(case["least"][number]) for case in cases.values()
        ]
    last = config.inverse_scales[-1]
    return Outcome(
        metrics,
        [
            ScoreTable(
                "Squared norm over the least of orthogonal inputs", names, rows, ()
            )
        ],
        [
            f"From exp(-{last:g}) half of the draws follow the orthogonal run where "
            f"cosines are below exp(-{metrics[f'breaking_{last:g}'] * last:.3g}).",
        ],
    )


TASK = SaddleNearOrthogonal()
