"""How large a network the flow from a small start finds."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from wflow.cli.networks.saddle_figures import plot_norms
from wflow.cli.networks.saddle_schema import NormCase, NormConfig
from wflow.studies._folder import RunDirectory
from wflow.studies._outcome import Outcome, ScoreTable
from wflow.studies._task import AbstractTask


if TYPE_CHECKING:
    from wflow.studies._task import Log

_NAMES = (
    "samples",
    "width",
    "norm_squared",
    "least",
    "active",
    "unfitted",
    "first_jump",
    "last_jump",
    "foretold",
    "flow",
)


class SaddleNorm(AbstractTask[NormConfig]):
    """The squared norm of the limit against n, beside the least possible."""

    summary = "the norm of the network that a small start leads to, against n"
    config = NormConfig

    def check(self, config: NormConfig, source: str) -> None:
        del config, source

    def finished(self, directory: RunDirectory) -> Path:
        return directory.history

    def run(
        self,
        config: NormConfig,
        directory: RunDirectory,
        *,
        resume: bool,
        log: "Log",
    ) -> Outcome:
        del resume, log
        import jax

        of_limit, of_flow = jax.random.split(jax.random.key(config.seed))
        parts = []
        for number, case in enumerate(config.cases):
            key = jax.random.fold_in(of_limit, number)
            parts.append(_limits(key, case, config))
        for number, case in enumerate(config.flow):
            key = jax.random.fold_in(of_flow, number)
            parts.append(_flows(key, case, config))
        columns = {
            name: np.concatenate([part[name] for part in parts]) for name in _NAMES
        }
        directory.write_history(columns)
        self.plot(config, directory)
        return _outcome(config, columns)

    def plot(self, config: NormConfig, directory: RunDirectory) -> list[Path]:
        columns = directory.read_history().arrays()
        cases = [_case(columns, case) for case in config.cases]
        norms = [each["norm_squared"] for each in cases]
        ratios = [each["norm_squared"] / each["least"] for each in cases]
        summary = lambda values: (
            [float(np.mean(v)) for v in values],
            [float(np.std(v)) for v in values],
        )
        flow = columns["flow"] == 1
        drawn = plot_norms(
            [case.samples for case in config.cases],
            {"norm": summary(norms), "ratio": summary(ratios)},
            [float(np.mean(each["least"])) for each in cases],
            list(
                zip(
                    columns["samples"][flow],
                    columns["norm_squared"][flow],
                    columns["norm_squared"][flow] / columns["least"][flow],
                    strict=True,
                )
            ),
            slope=_slope(config, cases),
        )
        return [directory.write_figure("norm", drawn)]


def _limits(key: Any, case: NormCase, config: NormConfig) -> dict[str, np.ndarray]:
    """Draws of the limit process."""
    import jax
    import jax.numpy as jnp

    from wflow.networks.saddle import (
        ReLUData,
        limit_of_cover,
        min_norm_squared,
        sample_cover,
    )

    def one(key: Any) -> Any:
        of_labels, of_cover = jax.random.split(key)
        data = ReLUData.orthogonal(config.labels.draw(of_labels, case.samples))
        cover = sample_cover(of_cover, case.width, case.samples)
        limit = limit_of_cover(data, *cover)
        last = jnp.max(jnp.where(limit.neuron >= 0, limit.tau, 0))
        return (
            jnp.asarray(case.samples),
            jnp.asarray(case.width),
            limit.norm_squared,
            min_norm_squared(data),
            limit.count,
            jnp.sum(limit.unfitted),
            limit.tau[0],
            last,
            limit.norm_squared,
            jnp.zeros(()),
        )

    drawn = jax.jit(lambda keys: jax.lax.map(one, keys))(
        jax.random.split(key, config.repeats)
    )
    return dict(zip(_NAMES, map(np.asarray, drawn), strict=True))


def _flows(key: Any, case: NormCase, config: NormConfig) -> dict[str, np.ndarray]:
    """Draws of the flow itself, at a small scale."""
    import jax
    import jax.numpy as jnp

    from wflow.networks.saddle import (
        ReLUData,
        follow,
        limit_of_cover,
        min_norm_squared,
        small_neurons,
    )

    rows = []
    for each in jax.random.split(key, config.flow_repeats):
        of_labels, of_neurons = jax.random.split(each)
        data = ReLUData.orthogonal(config.labels.draw(of_labels, case.samples))
        neurons = small_neurons(of_neurons, case.width, data, -config.inverse_scale)
        limit = limit_of_cover(data, neurons.active, neurons.sign)
        course = follow(data, neurons, points=2)
        large = course.final.level > math.log(1e-3)
        rows.append(
            (
                case.samples,
                case.width,
                float(course.final.norm_squared(data)),
                float(min_norm_squared(data)),
                int(jnp.sum(large)),
                int(jnp.sum(jnp.abs(course.residual[-1] / data.y) > 0.5)),
                float(limit.tau[0]),
                float(limit.tau[limit.count - 1]),
                float(limit.norm_squared),
                1.0,
            )
        )
    return dict(zip(_NAMES, map(np.asarray, zip(*rows, strict=True)), strict=True))


def _case(columns: dict[str, np.ndarray], case: NormCase) -> dict[str, np.ndarray]:
    """The interpolating draws of the limit of one case."""
    at = (
        (columns["samples"] == case.samples)
        & (columns["width"] == case.width)
        & (columns["flow"] == 0)
        & (columns["unfitted"] == 0)
    )
    return {name: column[at] for name, column in columns.items()}


def _slope(config: NormConfig, cases: list[dict[str, np.ndarray]]) -> float:
    """Least squares of the logarithm of the mean norm on that of n."""
    n = [case.samples for case in config.cases]
    norms = [np.mean(each["norm_squared"]) for each in cases]
    return float(np.polyfit(np.log(n), np.log(norms), 1)[0])


def _outcome(config: NormConfig, columns: dict[str, np.ndarray]) -> Outcome:
    cases = [_case(columns, case) for case in config.cases]
    ratios = [each["norm_squared"] / each["least"] for each in cases]
    metrics = {
        "norm_slope": _slope(config, cases),
        "ratio_min": float(min(np.min(ratio) for ratio in ratios)),
        "ratio_max": float(max(np.max(ratio) for ratio in ratios)),
        "interpolating": float(sum(len(ratio) for ratio in ratios)),
    }
    for case, each, ratio in zip(config.cases, cases, ratios, strict=True):
        metrics |= {
            f"norm_squared_{case.samples}": float(np.mean(each["norm_squared"])),
            f"ratio_{case.samples}": float(np.mean(ratio)),
            f"active_{case.samples}": float(np.mean(each["active"])),
        }
    names = tuple(f"n = {case.samples}, m = {case.width}" for case in config.cases)
    mean = lambda key: [float(np.mean(each[key])) for each in cases]
    tables = [
        ScoreTable(
            "Squared norm, mean over draws that interpolate",
            names,
            {"learnt": mean("norm_squared"), "least possible": mean("least")},
            (),
        ),
        ScoreTable(
            "Neurons that end with weights, first and last jump",
            names,
            {
                "neurons": mean("active"),
                "first jump": mean("first_jump"),
                "last jump": mean("last_jump"),
            },
            (),
        ),
    ]
    remarks = [
        f"log norm^2 grows as {metrics['norm_slope']:.3f} log n; learnt over least "
        f"{metrics['ratio_min']:.3f} to {metrics['ratio_max']:.3f}."
    ]
    flow = columns["flow"] == 1
    if flow.any():
        learnt, foretold = columns["norm_squared"][flow], columns["foretold"][flow]
        worst = float(np.max(np.abs(learnt / foretold - 1)))
        metrics["flow_norm_error"] = worst
        remarks.append(
            f"The flow at log(1/scale) = {config.inverse_scale:g}: norms of "
            f"{int(flow.sum())} runs within {worst:.2g} of the limit's."
        )
    return Outcome(metrics, tables, remarks)


TASK = SaddleNorm()
