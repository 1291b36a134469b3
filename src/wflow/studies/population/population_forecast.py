"""Learn from the first snapshots, forecast the later ones."""

from typing import Literal

from matplotlib.figure import Figure

from wflow.studies import Outcome

from . import _forecasts
from ._bands import Bands
from ._params import MatchedParams
from ._setting import Setting
from ._splits import Forecast
from ._task import AbstractPopulationTask, Fits


class Params(MatchedParams):
    """Train on the first snapshots, forecast the others, with bands if so wished.

    Attributes:
        split: which are the first.
        ensemble: bands of statistics of the forecasts from the last training snapshot.
    """

    task: Literal["population_forecast"]
    split: Forecast
    ensemble: Bands | None = None


class PopulationForecast(AbstractPopulationTask[Params]):
    """Forecasts from the last training snapshot and, as in training, from the first."""

    config = Params

    def score(self, setting: Setting, fits: Fits) -> Outcome:
        return _forecasts.scored(setting, fits["model"])

    def figures(
        self, setting: Setting, fits: Fits, outcome: Outcome
    ) -> dict[str, Figure]:
        return _forecasts.drawn(setting, fits["model"], outcome.tables)


STUDY = PopulationForecast()
