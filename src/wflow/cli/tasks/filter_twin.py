"""Twin experiments: filters that look for a truth that is known."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from wflow.cli.errors import CommandError
from wflow.cli.filtering.filter_figures import plot_scores
from wflow.cli.filtering.filter_methods import check_local, make_setting
from wflow.cli.filtering.filter_schema import TwinConfig
from wflow.cli.filtering.filter_scores import (
    Scores,
    error_of,
    level_shares,
    mean_of,
    read_scores,
    score,
)
from wflow.studies._folder import RunDirectory
from wflow.studies._outcome import Outcome, ScoreTable
from wflow.studies._task import AbstractTask


if TYPE_CHECKING:
    from wflow.studies._task import Log

# Of the truth's level in an ensemble.
_BINS = 11


class FilterTwin(AbstractTask[TwinConfig]):
    """Scores of filters on Lorenz's systems, all on the same truths."""

    summary = "filters on Lorenz's systems: RMSE, spread, CRPS, coverage, ranks"
    config = TwinConfig
    small_matrices = True

    def check(self, config: TwinConfig, source: str) -> None:
        kinds = [case.kind for case in config.cases.values()]
        check_local(source, kinds, config.methods)
        for name, case in config.cases.items():
            cycles, burn_in = _lengths(config, make_setting(case))
            if burn_in >= cycles:
                raise CommandError(
                    f"{source}: cycles: expected more than the burn-in of {name}, "
                    f"{burn_in}, found {cycles}."
                )

    def finished(self, directory: RunDirectory) -> Path:
        return directory.path / "scores.csv"

    def run(
        self,
        config: TwinConfig,
        directory: RunDirectory,
        *,
        resume: bool,
        log: "Log",
    ) -> Outcome:
        del resume
        import jax

        key = jax.random.key(config.seed)
        metrics, tables, remarks = {}, [], []
        courses: dict[str, Any] = {}
        rows: list[dict[str, Any]] = []
        ranks: dict[str, Any] = {}
        for number, (case, given) in enumerate(config.cases.items()):
            setting = make_setting(given)
            cycles, burn_in = _lengths(config, setting)
            of_truth, of_method = jax.random.split(jax.random.fold_in(key, number))
            twins = [
                setting.twin(each, cycles)
                for each in jax.random.split(of_truth, config.repeats)
            ]
            scores = {}
            for k, (name, method) in enumerate(config.methods.items()):
                scores[name] = score(
                    method,
                    given,
                    setting,
                    twins,
                    burn_in,
                    jax.random.fold_in(of_method, k),
                )
                mean = mean_of(scores[name].mean_rmse(burn_in))
                log(f"{case}, {name}: RMSE {mean:.3f}", highlight=False)
            suffix = "" if len(config.cases) == 1 else f"_{case}"
            climate = float(
                np.mean([_climate(np.asarray(twin.truth)[burn_in:]) for twin in twins])
            )
            metrics[f"rmse_climatology{suffix}"] = climate
            for name, found in scores.items():
                metrics |= _metrics(name + suffix, found, burn_in)
            tables.append(_table(case, scores, climate, burn_in))
            remarks += _failures(case, scores)
            courses[f"time_{case}"] = np.asarray(twins[0].times)
            for name, found in scores.items():
                courses[f"rmse_{case}_{name}"] = found.rmse.mean(axis=0)
                courses[f"spread_{case}_{name}"] = found.spread.mean(axis=0)
                ranks[f"{case}_{name}"] = level_shares(
                    found.levels, config.methods[name].members, _BINS
                )
                for repeat, value in enumerate(found.mean_rmse(burn_in)):
                    rows.append(
                        {
                            "case": case,
                            "method": name,
                            "repeat": repeat,
                            "rmse": float(value),
                            "spread": float(found.spread[repeat, burn_in:].mean()),
                            "failed": float(found.failed[repeat]),
                        }
                    )
        longest = max(len(course) for course in courses.values())
        directory.write_history(
            {
                name: np.pad(
                    np.asarray(course, float),
                    (0, longest - len(course)),
                    constant_values=np.nan,
                )
                for name, course in courses.items()
            }
        )
        directory.write_table("ranks.csv", ranks)
        columns = {name: [row[name] for row in rows] for name in rows[0]}
        directory.write_table("scores.csv", columns)
        self.plot(config, directory)
        return Outcome(metrics, tables, remarks)

    def plot(self, config: TwinConfig, directory: RunDirectory) -> list[Path]:
        scores = read_scores(directory.path / "scores.csv")
        ranks = directory.read_table("ranks.csv")
        written = []
        for case in config.cases:
            runs, spreads = {}, {}
            for name in config.methods:
                at = (scores["case"] == case) & (scores["method"] == name)
                if not at.any():
                    raise CommandError(
                        f"{directory.path / 'scores.csv'} has no row of case {case}, "
                        f"method {name}: it is of an earlier version; run again."
                    )
                runs[name] = scores["rmse"][at]
                spreads[name] = mean_of(scores["spread"][at])
            levels = {
                name: np.asarray(ranks[f"{case}_{name}"]) for name in config.methods
            }
            drawn = plot_scores(runs, spreads, levels, title=case)
            written.append(directory.write_figure(f"scores_{case}", drawn))
        return written


def _lengths(config: TwinConfig, setting: Any) -> tuple[int, int]:
    """Cycles, and how many of them no score counts."""
    burn_in = setting.burn_in if config.burn_in is None else config.burn_in
    return config.cycles or setting.cycles, burn_in


def _climate(truth: np.ndarray) -> float:
    """RMSE of the truth's own mean over time: no filter, no model."""
    return float(np.sqrt(((truth - truth.mean(axis=0)) ** 2).mean(axis=1)).mean())


def _metrics(name: str, found: Scores, burn_in: int) -> dict[str, float]:
    rmse = found.mean_rmse(burn_in)
    metrics = {
        f"rmse_{name}": mean_of(rmse),
        f"rmse_error_{name}": error_of(rmse),
        f"spread_{name}": mean_of(found.spread[:, burn_in:].mean(axis=1)),
        f"crps_{name}": mean_of(found.crps),
        f"coverage_{name}": mean_of(found.coverage),
        f"failures_{name}": float((found.failed >= 0).sum()),
        f"seconds_per_cycle_{name}": found.seconds,
    }
    return {key: value for key, value in metrics.items() if np.isfinite(value)}


def _table(
    case: str, scores: dict[str, Scores], climate: float, burn_in: int
) -> ScoreTable:
    def known(value: float) -> float | None:
        return float(value) if np.isfinite(value) else None

    rows: dict[str, list[float | None]] = {
        "climatology": [climate, None, None, None, None, None]
    }
    for name, found in scores.items():
        rmse = found.mean_rmse(burn_in)
        rows[name] = [
            known(mean_of(rmse)),
            known(error_of(rmse)),
            known(mean_of(found.spread[:, burn_in:].mean(axis=1))),
            known(mean_of(found.crps)),
            known(mean_of(found.coverage)),
            known(1e3 * found.seconds),
        ]
    columns = ("RMSE", "s.e.", "spread", "CRPS", "in 90 %", "ms/cycle")
    title = f"{case}: means over truths"
    return ScoreTable(title, columns, rows, (), averaged=False)


def _failures(case: str, scores: dict[str, Scores]) -> list[str]:
    """What failed, and when."""
    lines = []
    for name, found in scores.items():
        ended = found.failed[found.failed >= 0]
        if ended.size:
            lines.append(
                f"{case}, {name}: {ended.size} of {len(found.failed)} runs ended in "
                f"nan, the first at cycle {int(ended.min())}."
            )
    return lines


TASK = FilterTwin()
