"""What gradient descent with a finite step shows of the flow, and at what cost."""

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from wflow.cli.networks.saddle_descent_schema import DescentConfig
from wflow.cli.networks.saddle_descents import (
    FIRST,
    FLOW,
    HELD,
    WEIGHTS,
    Run,
    run_methods,
)
from wflow.cli.networks.saddle_instances import Instance, draw_instances
from wflow.studies._folder import RunDirectory
from wflow.studies._outcome import Outcome, ScoreTable
from wflow.studies._task import AbstractTask


if TYPE_CHECKING:
    from wflow.studies._task import Log

# Losses of so many draws are kept for the figure: every fourth of the last method.
_DRAWN, _KEPT = 3, 4
_NAMES = (
    "instance",
    "inverse_scale",
    "method",
    "steps",
    "late",
    "first",
    "tau",
    "loss",
)


class SaddleDescent(AbstractTask[DescentConfig]):
    """Descent with several steps and an adaptive solve in (a, w), beside ``follow``.

    ``steps`` are those of a method until its loss has come to a thousandth of the
    initial one above the limit's end (of ``follow`` and the solve, all of them);
    ``late`` is the worst relative difference of a half-time to that of ``follow``, and
    ``first`` that of the first jump.
    """

    summary = "gradient descent from small starts, beside the flow in logarithms"
    config = DescentConfig

    def check(self, config: DescentConfig, source: str) -> None:
        del config, source

    def finished(self, directory: RunDirectory) -> Path:
        return directory.history

    def run(
        self,
        config: DescentConfig,
        directory: RunDirectory,
        *,
        resume: bool,
        log: "Log",
    ) -> Outcome:
        del resume
        import jax

        instances, _ = draw_instances(
            jax.random.key(config.seed),
            config.instances,
            config.samples,
            config.width,
            config.labels,
            config.least_gap,
        )
        rows: list[dict[str, np.ndarray]] = []
        for scale in config.inverse_scales:
            for number, runs in enumerate(run_methods(instances, scale, config)):
                rows.extend(_rows(number, scale, runs))
            log(f"log(1/scale) = {scale:g}: done", highlight=False)
        columns = {name: np.concatenate([row[name] for row in rows]) for name in _NAMES}
        directory.write_history(columns)
        self.plot(config, directory)
        return _outcome(config, instances, columns)

    def plot(self, config: DescentConfig, directory: RunDirectory) -> list[Path]:
        from wflow.cli.networks.saddle_descent_figures import plot_costs, plot_curves

        columns = directory.read_history().arrays()
        methods = _methods(config)
        costs = {
            name: [_cost(columns, scale, method) for scale in config.inverse_scales]
            for method, name in enumerate(methods)
        }
        finest = len(methods) - 1
        curves = []
        for number in range(min(_DRAWN, config.instances)):
            runs = {}
            for scale in config.inverse_scales:
                at = (columns["instance"] == number) & (
                    columns["inverse_scale"] == scale
                )
                method = finest if scale <= HELD else FLOW
                at &= columns["method"] == method
                label = rf"$\log(1/\lambda) = {round(scale, 1):g}$"
                label += "" if scale <= HELD else ", flow"
                runs[label] = (columns["tau"][at], columns["loss"][at])
            curves.append(runs)
        return [
            directory.write_figure(
                "descent", plot_curves(curves, share=config.step_shares[-1])
            ),
            directory.write_figure("cost", plot_costs(config.inverse_scales, costs)),
        ]


def _methods(config: DescentConfig) -> list[str]:
    return [
        "flow in logarithms",
        "adaptive solve in (a, w)",
        *(f"descent, step {share:g}" for share in config.step_shares),
    ]


def _rows(number: int, scale: float, runs: list[Run]) -> list[dict[str, np.ndarray]]:
    """Rows of history: losses of the last method on the first draws, else their end."""
    exact = runs[0].halves
    rows = []
    for run in runs:
        late = run.halves / exact - 1
        # Where the flow itself does not come to half a jump there is nothing to miss.
        late = np.where(np.isnan(exact), 0, late)
        late = np.where(np.isnan(late), np.inf, late)
        drawn = number < _DRAWN and run is runs[-1]
        shown = slice(None, None, _KEPT) if drawn else slice(-1, None)
        tau, loss = run.tau[shown], run.loss[shown]
        numbers = {
            "instance": number,
            "inverse_scale": scale,
            "method": run.method,
            "steps": run.steps,
            "late": np.max(np.abs(late)),
            "first": late[0],
        }
        repeated = {name: np.full(len(tau), value) for name, value in numbers.items()}
        rows.append({**repeated, "tau": tau, "loss": loss})
    return rows


def _each(
    columns: dict[str, np.ndarray], scale: float, method: int, name: str
) -> np.ndarray:
    """One number of each draw."""
    at = (columns["inverse_scale"] == scale) & (columns["method"] == method)
    _, first = np.unique(columns["instance"][at], return_index=True)
    return columns[name][at][first]


def _cost(
    columns: dict[str, np.ndarray], scale: float, method: int
) -> tuple[float, float]:
    """Median steps, and worst relative error of a jump; nan where there is no run."""
    steps = _each(columns, scale, method, "steps")
    if not len(steps):
        return math.nan, math.nan
    late = _each(columns, scale, method, "late")
    return float(np.median(steps)), float(np.max(late))


def _outcome(
    config: DescentConfig, instances: list[Instance], columns: dict[str, np.ndarray]
) -> Outcome:
    from wflow.networks.saddle import stable_step

    names = ["flow", "weights", *(f"descent_{s:g}" for s in config.step_shares)]
    scales = config.inverse_scales
    metrics: dict[str, float] = {}
    for method, name in enumerate(names):
        for scale in scales:
            steps, late = _cost(columns, scale, method)
            if not math.isnan(steps):
                metrics[f"steps_{name}_{scale:g}"] = steps
            if method != FLOW and math.isfinite(late):
                metrics[f"late_{name}_{scale:g}"] = late
    for scale in scales:
        if scale <= HELD:
            ended = len(_each(columns, scale, WEIGHTS, "steps"))
            metrics[f"ended_weights_{scale:g}"] = float(ended)
    # On a plateau a step multiplies by 1 + eta g: eta g / log(1 + eta g) times as long.
    held = [scale for scale in scales if scale <= HELD][-1]
    rates = np.array([1 / float(i.limit.tau[0]) for i in instances])
    smallest = min(float(stable_step(i.data)) for i in instances)
    for number, share in enumerate(config.step_shares):
        grown = share * smallest * rates
        expected = grown / np.log1p(grown) - 1
        found = _each(columns, held, FIRST + number, "first")
        metrics[f"first_late_{share:g}"] = float(np.max(found))
        metrics[f"first_late_error_{share:g}"] = float(np.max(np.abs(found - expected)))
    labels = _methods(config)
    titles = tuple(f"log 1/scale {scale:.4g}" for scale in scales)
    cells = [
        [_cost(columns, s, method) for s in scales] for method in range(len(names))
    ]
    shown = lambda k, rows: {
        labels[method]: [c[k] if math.isfinite(c[k]) else None for c in cells[method]]
        for method in rows
    }
    return Outcome(
        metrics,
        [
            ScoreTable(
                "Steps, median over draws", titles, shown(0, range(len(names))), ()
            ),
            ScoreTable(
                "Worst relative difference of a jump's time to that of the flow",
                titles,
                shown(1, range(1, len(names))),
                (),
            ),
        ],
        [
            f"From exp(-{held:g}) descent with a step of {share:g} comes to its first "
            f"jump late by {metrics[f'first_late_{share:g}']:.2%} at most; the rate "
            "log(1 + eta g) / eta foretells it to "
            f"{metrics[f'first_late_error_{share:g}']:.1g}."
            for share in config.step_shares
        ],
    )


TASK = SaddleDescent()
