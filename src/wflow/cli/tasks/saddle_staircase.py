"""When a ReLU network of vanishing initialisation learns what."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from wflow.cli.networks.saddle_instances import Instance, draw_instances
from wflow.cli.networks.saddle_schema import StaircaseConfig
from wflow.studies._folder import RunDirectory
from wflow.studies._outcome import Outcome, ScoreTable
from wflow.studies._task import AbstractTask


if TYPE_CHECKING:
    from wflow.networks.saddle import Staircase
    from wflow.studies._task import Log


class SaddleStaircase(AbstractTask[StaircaseConfig]):
    """Jump times and plateaus of the flow at several scales, beside the limit."""

    summary = "a ReLU network from small initialisation: its jumps beside their limit"
    config = StaircaseConfig

    def check(self, config: StaircaseConfig, source: str) -> None:
        del config, source

    def finished(self, directory: RunDirectory) -> Path:
        return directory.history

    def run(
        self,
        config: StaircaseConfig,
        directory: RunDirectory,
        *,
        resume: bool,
        log: "Log",
    ) -> Outcome:
        del resume
        import jax

        from wflow.networks.saddle import follow, staircase

        instances, tried = draw_instances(
            jax.random.key(config.seed),
            config.instances,
            config.samples,
            config.width,
            config.labels,
            config.least_gap,
        )
        runs: list[list[Staircase]] = []
        steps: list[list[int]] = []
        for number, instance in enumerate(instances):
            courses = [
                follow(instance.data, instance.neurons(-scale), rtol=config.rtol)
                for scale in config.inverse_scales
            ]
            runs.append(
                [
                    staircase(course, instance.limit, -scale)
                    for course, scale in zip(
                        courses, config.inverse_scales, strict=True
                    )
                ]
            )
            steps.append([int(course.steps) for course in courses])
            log(
                f"draw {number + 1}: {int(instance.limit.count)} jumps, steps "
                f"{', '.join(map(str, steps[-1]))}",
                highlight=False,
            )
        directory.write_history(_history(config, runs))
        self.plot(config, directory)
        return _outcome(config, instances, runs, np.median(steps, axis=0), tried)

    def plot(self, config: StaircaseConfig, directory: RunDirectory) -> list[Path]:
        from wflow.plotting.staircase import StaircaseCurve, plot_staircase

        columns = directory.read_history().arrays()
        curves = {}
        for number in range(config.instances):
            rows = columns["instance"] == number
            predicted = rows & (columns["inverse_scale"] == 0)
            runs = {}
            for scale in config.inverse_scales:
                at = rows & (columns["inverse_scale"] == scale)
                runs[rf"$\log(1/\lambda) = {scale:g}$"] = (
                    columns["tau"][at],
                    columns["loss"][at],
                )
            curves[f"draw {number + 1}"] = StaircaseCurve(
                columns["tau"][predicted][1:], columns["loss"][predicted], runs
            )
        drawn = plot_staircase(
            curves,
            title=f"{config.width} ReLU neurons learn {config.samples} orthogonal "
            "samples in steps",
        )
        return [directory.write_figure("staircase", drawn)]


def _history(config: StaircaseConfig, runs: "list[list[Staircase]]") -> dict[str, Any]:
    """Losses of all runs; ``inverse_scale`` 0 is the limit, a row for each step."""
    parts: list[tuple[float, float, np.ndarray, np.ndarray]] = []
    for number, scales in enumerate(runs):
        limit = scales[0].limit
        jumps = np.asarray(limit.tau)[: int(limit.count)]
        levels = np.asarray(limit.plateau_losses)[: len(jumps) + 1]
        parts.append((number, 0.0, np.concatenate([[0.0], jumps]), levels))
        for scale, run in zip(config.inverse_scales, scales, strict=True):
            parts.append((number, scale, np.asarray(run.tau), np.asarray(run.loss)))
    return {
        "instance": np.concatenate([np.full(len(t), i) for i, _, t, _ in parts]),
        "inverse_scale": np.concatenate([np.full(len(t), s) for _, s, t, _ in parts]),
        "tau": np.concatenate([tau for _, _, tau, _ in parts]),
        "loss": np.concatenate([loss for _, _, _, loss in parts]),
    }


def _outcome(
    config: StaircaseConfig,
    instances: "list[Instance]",
    runs: "list[list[Staircase]]",
    steps: np.ndarray,
    tried: int,
) -> Outcome:
    scales = config.inverse_scales
    errors = _worst([[run.jump_errors for run in each] for each in runs])
    plateaus = _worst([[run.plateau_errors for run in each] for each in runs])
    alone = _worst(
        [
            [_at_jumps(run, run.jumps - instance.alone) for run in each]
            for each, instance in zip(runs, instances, strict=True)
        ]
    )
    # The error is of first order in 1 / log(1 / scale): it goes, without it.
    low, high = scales[-2:]
    extrapolated = [
        (high * each[-1].jumps - low * each[-2].jumps) / (high - low) for each in runs
    ]
    richardson = max(
        float(np.max(_at_jumps(each[-1], jumps - each[-1].limit.tau)))
        for each, jumps in zip(runs, extrapolated, strict=True)
    )
    first = max(
        abs(float(each[-1].jumps[0]) - instance.first_half(high))
        for each, instance in zip(runs, instances, strict=True)
    )
    share = [
        max(float(np.max(i.limit.contamination(-scale))) for i in instances)
        for scale in scales
    ]
    metrics = {}
    for k, scale in enumerate(scales):
        metrics[f"max_jump_time_error_{scale:g}"] = errors[k]
        metrics[f"max_plateau_error_{scale:g}"] = plateaus[k]
        metrics[f"max_contamination_{scale:g}"] = share[k]
        metrics[f"steps_{scale:g}"] = float(steps[k])
    metrics |= {
        "richardson_error": richardson,
        "first_jump_error": first,
        "jumps": float(sum(int(i.limit.count) for i in instances)),
        "drawn": float(tried),
    }
    columns = tuple(f"log 1/scale {scale:g}" for scale in scales)
    return Outcome(
        metrics,
        [
            ScoreTable(
                "Worst error of a jump's slow time",
                columns,
                {"limit process": errors, "each neuron as if alone": alone},
                ("limit process",),
            ),
            ScoreTable(
                "Worst relative error of a plateau's loss",
                columns,
                {"limit process": plateaus},
                (),
            ),
        ],
        [
            f"Extrapolated from {low:g} and {high:g} to a vanishing scale, the worst "
            f"jump is off by {richardson:.2g}.",
            f"First jump with its first-order correction at {high:g}: off by "
            f"{first:.2g}.",
            f"{tried} draws for {config.instances} instances whose jumps lead by "
            f"{config.least_gap:g}.",
        ],
    )


def _at_jumps(run: "Staircase", values: Any) -> np.ndarray:
    """Sizes of the values of jumps that are."""
    return np.abs(np.asarray(values)[np.asarray(run.limit.neuron) >= 0])


def _worst(values: list[list[Any]]) -> list[float]:
    """Over instances and jumps, for each scale; nan is worst of all."""
    return [
        float(np.max(np.concatenate([np.asarray(v) for v in column])))
        for column in zip(*values, strict=True)
    ]


TASK = SaddleStaircase()
