"""Bands on the forecasts of a run: an ensemble, its past errors, its coverage."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import jax
import numpy as np
from matplotlib.figure import Figure
from pydantic import Field

from wflow.learning import Ensemble, Snapshots, fit_ensemble
from wflow.learning.bands import Prediction
from wflow.learning.ensemble import member_folder
from wflow.plotting import plot_bands
from wflow.plotting.bands import BandCurve
from wflow.plotting.style import coordinates
from wflow.populations import backtest, forecast_bands
from wflow.populations._backtest import ModelError, usual_origins
from wflow.populations._coverage import observations
from wflow.populations._forecast_bands import ForecastBands
from wflow.populations.conversion import Units
from wflow.populations.summaries import AbstractSummary, summaries
from wflow.populations.summaries import units as units_of
from wflow.studies import Log, Outcome, ScoreTable, Strict
from wflow.studies._folder import RunDirectory
from wflow.studies._tables import damaged, read_json, write_columns

from ._saved import read_context
from ._setting import Setting


_STREAM = 30_000
# Coverage is reported at the config's level and at this one.
INNER = 0.5
TITLES = {
    "model": "model",
    "members": "model, without its past errors",
    "persistence": "nothing changes",
    "trend": "the trend goes on",
}
_Inside = Annotated[float, Field(gt=0, lt=1)]


class Bands(Strict):
    """Bands on the forecasts, from several fits; see ``wflow.learning.fit_ensemble``.

    Attributes:
        members: number of fits.
        resample: what differs between the members beside their random keys: the weights
            of all ``points``, as if sampled again, of ``rows``, each the same point in
            every snapshot, or ``none``.
        followed: every snapshot shows the same points, so that the observed cloud is no
            new sample.
        level: probability of the bands, beside one half.
        backtest: numbers of first training snapshots from which the others are forecast
            to measure the error of the model; by default one that leaves as many as are
            held out, an empty list is none.
        quantiles: shares of the coordinates whose bands are shown.
    """

    members: Annotated[int, Field(ge=2)] = 8
    resample: Literal["points", "rows", "none"] = "points"
    followed: bool = False
    level: _Inside = 0.9
    backtest: list[Annotated[int, Field(ge=2)]] | None = None
    quantiles: list[_Inside] = [0.1, 0.25, 0.5, 0.75, 0.9]

    def check(self, setting: Setting) -> None:
        """Refuse an ensemble that the snapshots do not allow.

        Raises:
            ValueError: rows that are not the same points, or origins of no backtest.
        """
        train = setting.split.train
        if self.resample == "rows":
            if setting.p.data.shuffle:
                raise ValueError(
                    "ensemble.resample: rows are the same points only where "
                    "data.shuffle is false."
                )
            if len(set(train.sizes)) > 1:
                raise ValueError(
                    "ensemble.resample: rows need snapshots of one size, found "
                    f"{min(train.sizes)} to {max(train.sizes)}."
                )
        for origin in self.backtest or []:
            if origin >= len(train):
                raise ValueError(
                    f"ensemble.backtest: expected numbers below {len(train)}, that of "
                    f"the training snapshots, found {origin}."
                )

    def statistics(self, p: Any, dim: int) -> dict[str, AbstractSummary]:
        """The numbers whose bands are shown, by name."""
        return summaries(coordinates(p.data.axes.labels, dim), self.quantiles)

    def fit(
        self, setting: Setting, directory: RunDirectory, *, resume: bool, log: Log
    ) -> ForecastBands:
        """Train the ensemble, and those of the backtest; both are kept."""
        p, (train, test, gap) = setting.p, setting.split
        key = jax.random.fold_in(jax.random.key(p.seed), _STREAM)

        def fitted(seen: Snapshots) -> Ensemble:
            # A backtest takes the same keys: it differs in what it has seen.
            name = f"first-{len(seen)}"
            for member in range(self.members):
                directory.checkpoints(name, member_folder(member))
            log(f"{self.members} members on the first {len(seen)} snapshots")
            objective, options = p.training(gap)
            return fit_ensemble(
                lambda flow_key: p.law(seen.dim, flow_key),
                seen,
                objective,
                members=self.members,
                key=key,
                resample=self.resample,
                checkpoint_dir=directory.path / "checkpoints" / name,
                resume=resume,
                progress=False,
                **options,
            )

        ensemble, error = fitted(train), None
        directory.save_ensemble(ensemble)
        begins = self.backtest
        if begins is None:
            begins = usual_origins(len(train), len(test))
        if begins:
            error = backtest(
                fitted,
                train,
                begins,
                self.statistics(p, train.dim),
                longest=len(test),
                substeps=p.evaluation.substeps,
                followed=self.followed,
            )
            directory.write_json(_error_file(directory), dataclasses.asdict(error))
        return self._of(setting, ensemble, error)

    def load(self, setting: Setting, directory: RunDirectory) -> ForecastBands:
        """Those of the ensemble that a run kept, on the data of ``setting``."""
        return self._of(setting, *_members(setting.p, directory))

    def _of(
        self, setting: Setting, ensemble: Ensemble, error: ModelError | None
    ) -> ForecastBands:
        test = setting.split.test
        return forecast_bands(
            ensemble,
            test,
            self.statistics(setting.p, test.dim),
            error,
            substeps=setting.p.evaluation.substeps,
            followed=self.followed,
        )

    def judged(self, setting: Setting, bands: ForecastBands) -> Outcome:
        """Coverage, width and interval score, beside what needs no model."""
        metrics: dict[str, float] = {
            "ensemble_members": self.members,
            "band_count": bands.observed.size,
        }
        if bands.error is not None:
            error, unit = bands.error, setting.units.unit
            metrics["model_error_rate"] = error.rate / unit**error.power
            metrics["model_error_power"] = error.power
        inner, outer = bands.coverages(INNER), bands.coverages(self.level)
        for found in (inner, outer):
            for name, each in found.items():
                prefix = "" if name == "model" else f"{name}_"
                percent = f"{100 * each.level:g}"
                metrics[f"{prefix}coverage_{percent}"] = each.share
                for k, at in enumerate(map(setting.time_name, each.times)):
                    metrics[f"{prefix}coverage_{percent}_{at}"] = float(each.shares[k])
                    width = float(each.widths[k])
                    metrics[f"{prefix}band_width_{percent}_{at}"] = width
                metrics[f"{prefix}band_width_{percent}"] = each.width
                metrics[f"{prefix}interval_score_{percent}"] = each.interval_score
        table = ScoreTable(
            f"Interval score of the {self.level:.0%} bands "
            "(units of the pooled standard deviations)",
            tuple(map(setting.column, outer["model"].times)),
            {
                TITLES[name]: found.interval_scores.mean(axis=0).tolist()
                for name, found in outer.items()
            },
            tuple(TITLES[name] for name in ("model", "members") if name in outer),
        )
        sentences = [
            f"{TITLES[name]}: {found.share:.0%} of {found.count} statistics in their "
            f"{self.level:.0%} bands ({_listed(found.shares)} by time), "
            f"{inner[name].share:.0%} in their {INNER:.0%} "
            f"bands; mean width {found.width:.3g} and {inner[name].width:.3g} pooled "
            "standard deviations."
            for name, found in outer.items()
        ]
        return Outcome(metrics, [table], sentences)

    def write(
        self, setting: Setting, bands: ForecastBands, directory: RunDirectory
    ) -> None:
        """Every band and what was observed, in the data's units."""
        tables = []
        for s, (name, summary) in enumerate(bands.statistics.items()):
            still = bands.predictions["persistence"][name].band(self.level)
            beside = {
                "observed": bands.observed[s],
                f"nothing_changes_low_{100 * self.level:g}": still.low,
                f"nothing_changes_high_{100 * self.level:g}": still.high,
            }
            prediction = bands.predictions["model"][name]
            tables.append(self._table(name, summary, prediction, setting.units, beside))
        directory.write_bands(_joined(tables))

    def write_forecast(
        self, p: Any, directory: RunDirectory, times: Sequence[float], path: Path
    ) -> None:
        """Bands of every statistic at any times after training, in the data's units.

        Where points are not followed, of samples as large as the last training
        snapshot.
        """
        units, (ensemble, error) = read_context(directory)[0], _members(p, directory)
        train = ensemble.snapshots
        statistics = self.statistics(p, train.dim)
        found = ensemble.predict(
            statistics,
            [units.to_model_time(time) for time in times],
            sizes=None if self.followed else train.sizes[-1],
            substeps=p.evaluation.substeps,
            followed=self.followed,
        )
        if error is not None:
            unit = units_of(statistics, train)
            found = error.added(found, float(train.times[-1]), unit)
        tables = [
            self._table(name, summary, found[name], units, {})
            for name, summary in statistics.items()
        ]
        write_columns(path, _joined(tables))

    def _table(
        self,
        name: str,
        summary: AbstractSummary,
        prediction: Prediction,
        units: Units,
        beside: Mapping[str, np.ndarray],
    ) -> dict[str, list[Any]]:
        """Center, bands and parts of the error at every time, in the data's units."""
        places = {"center": prediction.center}
        for level in (INNER, self.level):
            band = prediction.band(level)
            places[f"low_{100 * level:g}"] = band.low
            places[f"high_{100 * level:g}"] = band.high
        parts = {
            f"deviation_{part}": np.sqrt(values.variance) * units.std[summary.axis]
            for part, values in prediction.parts.items()
        }
        columns = {
            **_shown(units, summary, places),
            **parts,
            **_shown(units, summary, beside),
        }
        return {
            "statistic": [name] * len(prediction.times),
            "time": list(map(units.to_data_time, prediction.times)),
            **{key: list(map(float, column)) for key, column in columns.items()},
        }

    def draw(self, setting: Setting, bands: ForecastBands) -> Figure:
        """Every statistic over time: training, held out, and the bands between."""
        train, units = setting.split.train, setting.units
        labels = coordinates(setting.p.data.axes.labels, train.dim)
        past = observations(bands.statistics, train)
        curves: dict[str, dict[str, BandCurve]] = {label: {} for label in labels}
        for s, (name, summary) in enumerate(bands.statistics.items()):
            prediction = bands.predictions["model"][name]
            ends = [prediction.band(share) for share in (INNER, self.level)]
            label = labels[summary.axis]
            curves[label][name.removesuffix(f" of {label}")] = BandCurve(
                np.array([units.to_data_time(time) for time in train.times]),
                units.to_data_value(summary, past[s]),
                np.array([units.to_data_time(time) for time in prediction.times]),
                units.to_data_value(summary, bands.observed[s]),
                units.to_data_value(summary, prediction.center),
                [
                    (
                        units.to_data_value(summary, band.low),
                        units.to_data_value(summary, band.high),
                    )
                    for band in ends
                ],
            )
        return plot_bands(
            curves,
            levels=(INNER, self.level),
            time_label=setting.p.data.time.label,
        )


def _members(p: Any, directory: RunDirectory) -> tuple[Ensemble, ModelError | None]:
    """The ensemble and the past errors that a run kept."""
    dim = len(read_context(directory)[0].mean)
    try:
        ensemble = Ensemble.load(directory.models, p.law(dim, jax.random.key(0)))
    except ValueError as error:
        raise ValueError(f"{directory.path}: {error}") from error
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


def _shown(
    units: Units, summary: AbstractSummary, values: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    return {name: units.to_data_value(summary, row) for name, row in values.items()}


def _listed(shares: np.ndarray) -> str:
    return ", ".join(f"{share:.0%}" for share in shares)


def _joined(tables: Sequence[Mapping[str, list[Any]]]) -> dict[str, list[Any]]:
    return {key: [x for table in tables for x in table[key]] for key in tables[0]}
