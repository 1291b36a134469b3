"""Filters that look for a known truth of Lorenz's systems: RMSE, CRPS, coverage."""

from typing import Annotated, Literal

import jax
import numpy as np
from matplotlib.figure import Figure
from pydantic import Field, model_validator

from wflow.filtering.metrics import level_shares
from wflow.filtering.settings import Setting
from wflow.plotting.panels import Curve, Level, Panel, plot_panels, shades
from wflow.studies import (
    Arrays,
    Count,
    Log,
    Name,
    Outcome,
    ScoreTable,
    Study,
    StudyParams,
)

from ._contenders import Contenders, error_of, mean_of
from ._twins import Case, climate, scores


# Of the truth's level in an ensemble.
_BINS = 11


class Params(StudyParams):
    """Twin experiments: a known truth, observed, and filters that look for it.

    Attributes:
        cases: settings by name; with one its name is in no metric.
        methods: filters by name.
        repeats: truths for each case, the same for all methods.
        cycles: observations of each; null is the setting's.
        burn_in: cycles that no score counts; null is the setting's.
    """

    task: Literal["filter_twin"]
    cases: Annotated[dict[Name, Case], Field(min_length=1)]
    methods: Contenders
    repeats: Count = 5
    cycles: Count | None = None
    burn_in: Annotated[int, Field(ge=0)] | None = None

    @model_validator(mode="after")
    def _possible(self) -> "Params":
        names = ["climatology", *self.methods]
        joined = [f"{name}_{case}" for name in names for case in self.cases]
        if twice := [name for name in joined if joined.count(name) > 1]:
            raise ValueError(
                "methods: expected names that make different ones with those of cases, "
                f"found {twice[0]} twice."
            )
        for name, case in self.cases.items():
            cycles, burn_in = self.lengths(case.setting())
            if burn_in >= cycles:
                raise ValueError(
                    f"cycles: expected more than the burn-in of {name}, {burn_in}, "
                    f"found {cycles}."
                )
            for method, contender in self.methods.items():
                if not case.ring:
                    contender.refuse_local(method, case.kind)
        return self

    def lengths(self, setting: Setting) -> tuple[int, int]:
        """Cycles, and how many of them no score counts."""
        burn_in = setting.burn_in if self.burn_in is None else self.burn_in
        return self.cycles or setting.cycles, burn_in


def run(p: Params, key: jax.Array, log: Log) -> dict[str, np.ndarray]:
    """Scores by case, method and truth, and how the truth ranks in the ensembles."""
    arrays: dict[str, np.ndarray] = {}
    for number, (case, given) in enumerate(p.cases.items()):
        setting = given.setting()
        cycles, burn_in = p.lengths(setting)
        of_truth, of_method = jax.random.split(jax.random.fold_in(key, number))
        keys = jax.random.split(of_truth, p.repeats)
        twins = [setting.twin(each, cycles) for each in keys]
        arrays[f"climate_{case}"] = np.array([climate(t, burn_in) for t in twins])
        for k, (name, contender) in enumerate(p.methods.items()):
            method = contender.build(*given.ring)
            found = []
            for repeat, twin in enumerate(twins):
                of_run = jax.random.fold_in(jax.random.fold_in(of_method, k), repeat)
                of_start, of_filter = jax.random.split(of_run)
                start = setting.ensemble(of_start, contender.members)
                found.append(scores(setting, method, twin, start, of_filter, burn_in))
            of = {what: np.stack([each[what] for each in found]) for what in found[0]}
            of["shares"] = level_shares(of.pop("levels"), contender.members, _BINS)
            arrays |= {f"{what}_{case}.{name}": np.asarray(of[what]) for what in of}
            log(f"{case}, {name}: RMSE {mean_of(of['rmse'].mean(axis=1)):.3f}")
    return arrays


def report(p: Params, arrays: Arrays) -> Outcome:
    """Means over the truths of what every method scored, and what failed."""
    metrics, tables, remarks = {}, [], []
    for case in p.cases:
        suffix = "" if len(p.cases) == 1 else f"_{case}"
        still = float(arrays[f"climate_{case}"].mean())
        metrics[f"rmse_climatology{suffix}"] = still
        rows: dict[str, list[float | None]] = {"climatology": [still, *5 * [None]]}
        for name in p.methods:
            names = ("rmse", "spread", "crps", "coverage", "failed", "seconds")
            rmse, spread, crps, coverage, failed, seconds = (
                arrays[f"{what}_{case}.{name}"] for what in names
            )
            rmse = rmse.mean(axis=1)
            # The first run compiles.
            pace = float(np.median(seconds[1:])) if len(seconds) > 1 else np.nan
            found = {
                "rmse": mean_of(rmse),
                "rmse_error": error_of(rmse),
                "spread": mean_of(spread.mean(axis=1)),
                "crps": mean_of(crps),
                "coverage": mean_of(coverage),
                "seconds_per_cycle": pace,
            }
            known = {what: v for what, v in found.items() if np.isfinite(v)}
            metrics |= {f"{what}_{name}{suffix}": v for what, v in known.items()}
            *most, seconds_each = (known.get(what) for what in found)
            rows[name] = [*most, seconds_each and 1e3 * seconds_each]
            ended = failed[failed >= 0].tolist()
            metrics[f"failures_{name}{suffix}"] = float(len(ended))
            if ended:
                remarks.append(
                    f"{case}, {name}: {len(ended)} of {len(failed)} runs ended in nan, "
                    f"the first at cycle {min(ended)}."
                )
        columns = ("RMSE", "s.e.", "spread", "CRPS", "in 90 %", "ms/cycle")
        title = f"{case}: means over truths"
        tables.append(ScoreTable(title, columns, rows, (), averaged=False))
    return Outcome(metrics, tables, remarks)


def figures(p: Params, arrays: Arrays) -> dict[str, Figure]:
    """RMSE of every run beside the mean spread, and rank histograms, by case."""
    drawn, count = {}, len(p.methods)
    colors, edges = shades(count, "categories"), np.linspace(0, 1, _BINS + 1)
    for case in p.cases:
        points, bars, ranks = [], [], []
        # The first one on top.
        rows = range(count)[::-1]
        for row, name, color in zip(rows, p.methods, colors, strict=True):
            rmse = arrays[f"rmse_{case}.{name}"].mean(axis=1)
            spread = mean_of(arrays[f"spread_{case}.{name}"].mean(axis=1))
            at = np.full(rmse.shape, row)
            points.append(Curve(rmse, at, style="o", color=color))
            bars.append(Curve([spread], [row], style="|", color="0.3", size=12))
            density = _BINS * arrays[f"shares_{case}.{name}"]
            ranks.append(Curve(edges, density, name, color=color, steps=True))
        label = "RMSE of the analysis (points), spread (bar)"
        ticks, ends = (rows[::-1], list(p.methods)[::-1]), (-0.5, count - 0.5)
        left = Panel([*points, *bars], label, title=case, ylim=ends, yticks=ticks)
        label = "level of the truth in the ensemble"
        right = Panel(ranks, label, "density", levels=[Level(1)])
        height = 0.34 * count + 2.2
        drawn[f"scores_{case}"] = plot_panels([left, right], width=5, height=height)
    return drawn


STUDY = Study(Params, run, report, figures, small_matrices=True)
