"""Bands on the forecasts of a run: an ensemble, its past errors, its coverage."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from wflow.cli.errors import CommandError
from wflow.studies._folder import RunDirectory
from wflow.studies._outcome import Outcome, ScoreTable
from wflow.studies._tables import damaged, read_json, write_columns

from . import schema
from .build import build_flow, build_velocity, fit_options
from .data import Units
from .study import Study, read_context


if TYPE_CHECKING:
    from wflow.learning import Ensemble, Prediction, Snapshots
    from wflow.populations import AbstractSummary, Coverage, ModelError
    from wflow.studies._task import Log

_ENSEMBLE_STREAM = 30_000
# Coverage is reported at the config's level and at this one.
INNER = 0.5
TITLES = {
    "model": "model",
    "members": "model, without its past errors",
    "persistence": "nothing changes",
    "trend": "the trend goes on",
}


def options(config: schema.PopulationConfig) -> schema.Ensemble:
    """The part of the config that asks for bands."""
    part = getattr(config, "ensemble", None)
    if part is None:
        raise CommandError("ensemble: the config asks for none.")
    return part


def check(study: Study) -> None:
    """Refuse an ensemble that the snapshots do not allow.

    Raises:
        CommandError: rows that are not the same points, or origins of no backtest.
    """
    part, train = options(study.config), study.split.train
    if part.resample == "rows":
        if study.config.data.shuffle:
            raise CommandError(
                "ensemble.resample: rows are the same points only where data.shuffle "
                "is false."
            )
        if len(set(train.sizes)) > 1:
            raise CommandError(
                "ensemble.resample: rows need snapshots of one size, found "
                f"{min(train.sizes)} to {max(train.sizes)}."
            )
    for origin in part.backtest or []:
        if origin >= len(train):
            raise CommandError(
                f"ensemble.backtest: expected numbers below {len(train)}, that of the "
                f"training snapshots, found {origin}."
            )


def origins(study: Study) -> list[int]:
    """The numbers of first snapshots that the backtest trains on."""
    chosen = options(study.config).backtest
    if chosen is not None:
        return chosen
    count = len(study.split.train)
    # With at least half of them, and two, to train on.
    first = max(2, count - len(study.split.test), (count + 1) // 2)
    return [first] if first < count else []


def fit_members(
    study: Study, directory: RunDirectory, resume: bool, log: "Log"
) -> tuple["Ensemble", "ModelError | None"]:
    """Train the ensemble, and those of the backtest; both are kept."""
    import jax

    from wflow.learning import fit_ensemble
    from wflow.learning.ensemble import member_folder
    from wflow.populations import backtest

    part, config = options(study.config), study.config
    key = jax.random.fold_in(jax.random.key(config.seed), _ENSEMBLE_STREAM)

    def fitted(train: "Snapshots") -> "Ensemble":
        # A backtest takes the same keys: it differs in what it has seen.
        name = f"first-{len(train)}"
        for member in range(part.members):
            directory.checkpoints(name, member_folder(member))
        log(
            f"{part.members} members on the first {len(train)} snapshots",
            highlight=False,
        )
        return fit_ensemble(
            lambda flow_key: build_flow(config, train.dim, flow_key),
            train,
            members=part.members,
            key=key,
            resample=part.resample,
            velocity=build_velocity(config.velocity),
            dt0=study.split.gap,
            checkpoint_dir=directory.path / "checkpoints" / name,
            resume=resume,
            progress=False,
            **fit_options(config.fit, config.growth is not None),
        )

    train = study.split.train
    ensemble = fitted(train)
    directory.save_ensemble(ensemble)
    error = None
    if begins := origins(study):
        error = backtest(
            fitted,
            train,
            begins,
            statistics(config, train.dim),
            longest=len(study.split.test),
            substeps=config.evaluation.substeps,
            followed=part.followed,
        )
        directory.write_json(_error_file(directory), dataclasses.asdict(error))
    return ensemble, error


def load_members(
    config: schema.PopulationConfig, directory: RunDirectory
) -> tuple["Ensemble", "ModelError | None"]:
    """What ``fit_members`` kept."""
    import jax

    from wflow.learning import Ensemble
    from wflow.populations import ModelError

    dim = len(read_context(directory)[0].mean)
    blank = build_flow(config, dim, jax.random.key(0))
    try:
        ensemble = Ensemble.load(directory.models, blank)
    except ValueError as error:
        raise CommandError(f"{directory.path}: {error}") from error
    path = _error_file(directory)
    if not path.is_file():
        return ensemble, None
    found = read_json(path)
    try:
        return ensemble, ModelError(**found)
    except (TypeError, ValueError) as error:
        raise damaged(path, f"expected a model error, found {list(found)}") from error


def _error_file(directory: RunDirectory) -> Path:
    return directory.models / "past_errors.json"


def statistics(
    config: schema.PopulationConfig, dim: int
) -> dict[str, "AbstractSummary"]:
    """The numbers whose bands are shown, by name."""
    from wflow.plotting import coordinates
    from wflow.populations import summaries

    labels = coordinates(config.data.axes.labels, dim)
    return summaries(labels, options(config).quantiles)


@dataclasses.dataclass(frozen=True)
class Bands:
    """Predictions of every statistic (model's units), with and without past errors.

    And those that need no model.
    """

    statistics: Mapping[str, "AbstractSummary"]
    predictions: Mapping[str, Mapping[str, "Prediction"]]
    observed: np.ndarray
    unit: np.ndarray

    def coverages(self, level: float) -> dict[str, "Coverage"]:
        """Coverage of the bands of that level, for each kind of prediction."""
        from wflow.populations import coverage

        return {
            name: coverage(found, self.observed, self.unit, level)
            for name, found in self.predictions.items()
        }


def bands_of(study: Study, ensemble: "Ensemble", error: "ModelError | None") -> Bands:
    """Bands at the held-out times, from the last training snapshot."""
    from wflow.populations import (
        observations,
        persistence_bands,
        trend_bands,
        units,
    )

    part, (train, test, _) = options(study.config), study.split
    summaries = statistics(study.config, train.dim)
    unit = units(summaries, train)
    own = ensemble.predict(
        summaries,
        test.times,
        sizes=None if part.followed else test.sizes,
        substeps=study.config.evaluation.substeps,
        followed=part.followed,
    )
    found = {"model": own}
    if error is not None:
        found = {
            "model": error.added(own, float(train.times[-1]), unit),
            "members": own,
        }
    found["persistence"] = persistence_bands(summaries, train, test.times)
    if len(train) > 2:
        found["trend"] = trend_bands(summaries, train, test.times)
    return Bands(summaries, found, observations(summaries, test), unit)


def judged(study: Study, bands: Bands, error: "ModelError | None") -> Outcome:
    """Coverage, width and interval score, beside what needs no model."""
    part, level = options(study.config), options(study.config).level
    metrics: dict[str, float] = {
        "ensemble_members": part.members,
        "band_count": bands.observed.size,
    }
    if error is not None:
        metrics["model_error_rate"] = error.rate / study.units.unit
    for share in (INNER, level):
        for name, found in bands.coverages(share).items():
            prefix = "" if name == "model" else f"{name}_"
            percent = f"{100 * share:g}"
            metrics[f"{prefix}coverage_{percent}"] = found.share
            metrics[f"{prefix}band_width_{percent}"] = found.width
            metrics[f"{prefix}interval_score_{percent}"] = found.interval_score
    outer, inner = bands.coverages(level), bands.coverages(INNER)
    label = study.data.clock.label
    table = ScoreTable(
        f"Interval score of the {level:.0%} bands "
        "(units of the pooled standard deviations)",
        tuple(f"{label} {study.time_name(t)}" for t in outer["model"].times),
        {
            TITLES[name]: found.interval_scores.mean(axis=0).tolist()
            for name, found in outer.items()
        },
        tuple(TITLES[name] for name in ("model", "members") if name in outer),
    )
    sentences = [
        f"{TITLES[name]}: {found.share:.0%} of {found.count} statistics in their "
        f"{level:.0%} bands, {inner[name].share:.0%} in their {INNER:.0%} bands; mean "
        f"width {found.width:.3g} and {inner[name].width:.3g} pooled standard "
        "deviations."
        for name, found in outer.items()
    ]
    return Outcome(metrics, [table], sentences)


def write_bands(study: Study, bands: Bands, directory: RunDirectory) -> Path:
    """Every band and what was observed, in the data's units."""
    level = options(study.config).level
    rows = []
    for s, (name, summary) in enumerate(bands.statistics.items()):
        scale, offset = _to_data(study.units, summary)
        own = _rows(name, summary, bands.predictions["model"][name], level, study.units)
        trivial = bands.predictions["persistence"][name].band(level)
        for k, row in enumerate(own):
            places = {
                "observed": bands.observed[s, k],
                f"nothing_changes_low_{100 * level:g}": trivial.low[k],
                f"nothing_changes_high_{100 * level:g}": trivial.high[k],
            }
            seen = {key: float(x) * scale + offset for key, x in places.items()}
            rows.append({**row, **seen})
    directory.write_bands(_columns(rows))
    return directory.bands


def write_forecast_bands(
    config: schema.PopulationConfig,
    directory: RunDirectory,
    times: Sequence[float],
    out: Path,
) -> Path:
    """Bands of every statistic at any times after training, in the data's units.

    Where points are not followed, of samples as large as the last training snapshot.
    """
    from wflow.populations import units as units_of

    part, (units, _) = options(config), read_context(directory)
    ensemble, error = load_members(config, directory)
    train = ensemble.snapshots
    summaries = statistics(config, train.dim)
    found = ensemble.predict(
        summaries,
        [units.to_model_time(time) for time in times],
        sizes=None if part.followed else train.sizes[-1],
        substeps=config.evaluation.substeps,
        followed=part.followed,
    )
    if error is not None:
        unit = units_of(summaries, train)
        found = error.added(found, float(train.times[-1]), unit)
    rows = [
        row
        for name, summary in summaries.items()
        for row in _rows(name, summary, found[name], part.level, units)
    ]
    path = out.with_suffix(".bands.csv")
    write_columns(path, _columns(rows))
    return path


Row = dict[str, str | float]


def _columns(rows: Sequence[Row]) -> dict[str, list[str | float]]:
    return {key: [row[key] for row in rows] for key in rows[0]}


def _rows(
    name: str,
    summary: "AbstractSummary",
    prediction: "Prediction",
    level: float,
    units: Units,
) -> list[Row]:
    """Centre, bands and parts of the error at every time, in the data's units."""
    scale, offset = _to_data(units, summary)
    inner, outer = prediction.band(INNER), prediction.band(level)
    rows: list[Row] = []
    for k, time in enumerate(prediction.times):
        places = {
            "centre": prediction.centre[k],
            f"low_{100 * INNER:g}": inner.low[k],
            f"high_{100 * INNER:g}": inner.high[k],
            f"low_{100 * level:g}": outer.low[k],
            f"high_{100 * level:g}": outer.high[k],
        }
        parts = {
            f"deviation_{part}": float(values.variance[k] ** 0.5) * scale
            for part, values in prediction.parts.items()
        }
        rows.append(
            {
                "statistic": name,
                "time": units.to_data_time(time),
                **{key: float(x) * scale + offset for key, x in places.items()},
                **parts,
            }
        )
    return rows


def _to_data(units: Units, summary: "AbstractSummary") -> tuple[float, float]:
    """Scale and offset from the model's units to the data's."""
    from wflow.populations import Deviation

    offset = 0 if isinstance(summary, Deviation) else units.mean[summary.axis]
    return float(units.std[summary.axis]), float(offset)


def draw_bands(study: Study, bands: Bands, directory: RunDirectory) -> Path:
    """Every statistic over time: training, held out, and the bands between."""
    from wflow.plotting import BandCurve, coordinates, plot_bands
    from wflow.populations import observations

    level, train = options(study.config).level, study.split.train
    past = observations(bands.statistics, train)
    shown = np.array([study.units.to_data_time(time) for time in train.times])
    labels = coordinates(study.data.axes.labels, train.dim)
    curves: dict[str, dict[str, BandCurve]] = {label: {} for label in labels}
    for s, (name, summary) in enumerate(bands.statistics.items()):
        scale, offset = _to_data(study.units, summary)
        prediction = bands.predictions["model"][name]
        ends = [prediction.band(share) for share in (INNER, level)]
        label = labels[summary.axis]
        curves[label][name.removesuffix(f" of {label}")] = BandCurve(
            shown,
            past[s] * scale + offset,
            np.array([study.units.to_data_time(time) for time in prediction.times]),
            bands.observed[s] * scale + offset,
            prediction.centre * scale + offset,
            [(band.low * scale + offset, band.high * scale + offset) for band in ends],
        )
    figure = plot_bands(
        curves,
        levels=(INNER, level),
        time_label=study.data.clock.label,
    )
    return directory.write_figure("bands", figure)
