"""Learn how a population moves and grows; a fit without growth beside it."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from wflow.cli.errors import CommandError
from wflow.cli.population.data import load, with_data
from wflow.cli.population.figures import (
    draw_course,
    draw_growth,
    draw_masses,
    draw_predictions,
    draw_scores,
)
from wflow.cli.population.kept import keep
from wflow.cli.population.schema import UnbalancedConfig
from wflow.cli.population.study import (
    TITLES,
    Study,
    fit_metrics,
    load_fit,
    write_forecast,
)
from wflow.cli.population.task import open_study
from wflow.studies._folder import RunDirectory
from wflow.studies._outcome import Outcome, ScoreTable
from wflow.studies._task import AbstractTask


if TYPE_CHECKING:
    from wflow.learning import Fit, Report
    from wflow.studies._task import Log


BALANCED = "balanced model"
TITLE = "Weighted clouds from the first snapshot"


class PopulationUnbalanced(AbstractTask[UnbalancedConfig]):
    """Mechanics and growth learned together from clouds and their masses."""

    summary = "learn how a population moves and grows, from clouds and their sizes"
    config = UnbalancedConfig

    def with_data(self, config: dict[str, Any], path: Path) -> dict[str, Any]:
        return with_data(config, path)

    def check(self, config: UnbalancedConfig, source: str) -> None:
        if config.growth is None:
            raise CommandError(
                f"{source}: growth: expected keys and values, found null."
            )
        if config.data.masses is None:
            raise CommandError(
                f"{source}: data.masses is missing: expected counts (the number of "
                "points of each snapshot) or a list of numbers."
            )
        Study.of(config, load(config, source))

    def run(
        self,
        config: UnbalancedConfig,
        directory: RunDirectory,
        *,
        resume: bool,
        log: "Log",
    ) -> Outcome:
        data = load(config, str(directory.config))
        keep(config, directory, data)
        study = Study.of(config, data)
        train = study.shown.train
        masses = ", ".join(f"{train.mass(k):.3g}" for k in range(len(train)))
        log(
            f"{study.data.snapshots!r}, total mass {masses}",
            highlight=False,
            soft_wrap=True,
        )
        fitted = study.fit(directory, resume)
        directory.balanced.make()
        balanced = _without_growth(study).fit(directory.balanced, resume)
        scored = _score(study, fitted, balanced)
        outcome = Outcome({**fit_metrics(fitted), **scored.metrics}, scored.tables)
        # Figures come last: whatever happens to them, the scores are kept.
        directory.write_metrics(outcome.metrics)
        _draw(study, fitted, balanced, outcome, directory)
        return outcome

    def evaluate(
        self, config: UnbalancedConfig, directory: RunDirectory, log: "Log"
    ) -> Outcome:
        study, fitted, balanced = _opened(config, directory)
        return _score(
            study, study.refitted(fitted), _without_growth(study).refitted(balanced)
        )

    def plot(self, config: UnbalancedConfig, directory: RunDirectory) -> list[Path]:
        study, fitted, balanced = _opened(config, directory)
        outcome = _score(study, fitted, balanced)
        return _draw(study, fitted, balanced, outcome, directory)

    def forecast(
        self,
        config: UnbalancedConfig,
        directory: RunDirectory,
        times: Sequence[float],
        out: Path,
        start: str,
    ) -> Path:
        return write_forecast(config, directory, times, out, start)


def _without_growth(study: Study) -> Study:
    """The same study with the mass held fixed."""
    config = study.config.model_copy(update={"growth": None})
    return dataclasses.replace(study, config=config)


def _opened(
    config: UnbalancedConfig, directory: RunDirectory
) -> tuple[Study, "Fit", "Fit"]:
    study, fitted = open_study(config, directory)
    balanced = load_fit(_without_growth(study).config, directory.balanced)
    return study, fitted, balanced


def _score(study: Study, fitted: "Fit", balanced: "Fit") -> Outcome:
    """Clouds and masses by one rollout from the first snapshot."""
    model, other = (_report(study, each) for each in (fitted, balanced))
    still = _persistence(study)
    names = [study.time_name(time) for time in model.times]
    metrics = {
        "w1_mean": model.model,
        "balanced_w1_mean": other.model,
        "max_relative_mass_error": _mass_errors(model).max(),
        "balanced_max_relative_mass_error": _mass_errors(other).max(),
        "persistence_w1_mean": float(np.mean(still)),
    }
    floor = [value for value in study.floor(model.times) if value is not None]
    if len(floor) == len(names):
        metrics["w1_floor"] = float(np.mean(floor))
    for name, *values in zip(
        names,
        model.scores["model"],
        other.scores["model"],
        _mass_errors(model),
        strict=True,
    ):
        for key, value in zip(
            ("w1", "balanced_w1", "relative_mass_error"), values, strict=True
        ):
            metrics[f"{key}_{name}"] = value
    clouds = study.table(model, TITLE)
    rows = {
        "model": clouds.rows["model"],
        BALANCED: other.scores["model"].tolist(),
        TITLES["persistence"]: still,
    }
    errors = ScoreTable(
        "Relative error of the total mass",
        clouds.columns,
        {
            "model": _mass_errors(model).tolist(),
            "mass fixed": _mass_errors(other).tolist(),
        },
    )
    return Outcome(metrics, [dataclasses.replace(clouds, rows=rows), errors])


def _report(study: Study, fitted: "Fit") -> "Report":
    substeps = study.config.evaluation.substeps
    return fitted.report(
        study.split.test, baselines=False, start="initial", substeps=substeps
    )


def _persistence(study: Study) -> list[float]:
    """The one baseline that does not look at the snapshots that are scored."""
    from wflow.transport import w1

    train, test = study.split.train, study.split.test
    return [
        w1(train[0], cloud, train.weight(0), test.weight(k))
        for k, cloud in enumerate(test)
    ]


def _mass_errors(report: "Report") -> np.ndarray:
    if report.mass_errors is None:
        raise CommandError("the snapshots have no masses.")
    return report.mass_errors


def _draw(
    study: Study,
    fitted: "Fit",
    balanced: "Fit",
    outcome: Outcome,
    directory: RunDirectory,
) -> list[Path]:
    paths = draw_course(study, fitted, directory)
    if study.split.train.dim == 2:
        paths.append(draw_growth(study, fitted, directory))
    models = {"model": fitted, "mass fixed": balanced}
    paths.append(draw_masses(study, models, directory))
    test, substeps = study.split.test, study.config.evaluation.substeps
    for name, title, method, each in (
        ("clouds", TITLE, "model", fitted),
        ("clouds_balanced", "Without growth", BALANCED, balanced),
    ):
        predicted = each.forecast(test.times, "initial", substeps=substeps)
        scores = outcome.tables[0].rows[method]
        paths.append(
            draw_predictions(
                study, predicted, [0] * len(test), scores, name, title, directory
            )
        )
    return [*paths, draw_scores(study, outcome.tables[0], directory)]


TASK = PopulationUnbalanced()
