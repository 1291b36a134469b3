"""The config of each population task, made of data, model and training."""

from typing import Annotated, Literal

from pydantic import Field

from wflow.studies._params import Strict, StudyParams

from .data_schema import Data, GradientFlowSDEData, PotentialName
from .model_schema import Attention, Energy, Friction, Growth
from .quantities import Count, Share
from .training_schema import Corrected, Displacement, Evaluation, Fit, Velocity, Zero


class PopulationConfig(StudyParams):
    """What every population task needs."""

    data: Data
    energy: Energy = Attention(kind="attention")
    friction: Friction = Friction()
    force_scaling: Literal["inertial", "unified"] = "unified"
    growth: Growth | None = None
    velocity: Velocity = Displacement(kind="ot")
    fit: Fit = Fit()
    evaluation: Evaluation = Evaluation()


class Until(Strict):
    """Train on the snapshots up to ``time`` (in the data's units)."""

    kind: Literal["until"]
    time: float


class Last(Strict):
    """Forecast the last ``count`` snapshots."""

    kind: Literal["last"]
    count: Count = 1


class Fraction(Strict):
    """Train on the first share of the snapshots, at least two."""

    kind: Literal["fraction"]
    train: Share


class Ensemble(Strict):
    """Bands on the forecasts, from several fits; see ``wflow.learning.fit_ensemble``.

    ``resample``: what differs between the members beside their random keys: the weights
    of all ``points``, as if sampled again, of ``rows``, each the same point in every
    snapshot, or ``none``. ``followed``: every snapshot shows the same points, so that
    the observed cloud is no new sample. ``backtest``: numbers of first training
    snapshots from which the others are forecast to measure the error of the model; by
    default one that leaves as many as are held out, an empty list is none.
    """

    members: Annotated[int, Field(ge=2)] = 8
    resample: Literal["points", "rows", "none"] = "points"
    followed: bool = False
    level: Share = 0.9
    backtest: list[Annotated[int, Field(ge=2)]] | None = None
    quantiles: list[Share] = [0.1, 0.25, 0.5, 0.75, 0.9]


class ForecastConfig(PopulationConfig):
    """Train on the first snapshots, forecast the others, with bands if so wished."""

    split: Annotated[Until | Last | Fraction, Field(discriminator="kind")]
    ensemble: Ensemble | None = None


class Selection(Strict):
    """How an energy is chosen; see ``wflow.populations.select_model``.

    ``held_out``: index of the training snapshot that decides, counted from the end
    where negative. ``start``: a forecast of it begins at the training snapshot before
    it, or at the first.
    """

    held_out: int = -1
    start: Literal["last_snapshot", "initial"] = "last_snapshot"


class SelectionConfig(ForecastConfig):
    """Choose one of several energies, then forecast with it.

    ``energy`` is set to each of ``candidates`` in turn. The snapshots that the forecast
    is tested on take no part in the choice.
    """

    candidates: Annotated[
        dict[Annotated[str, Field(pattern=r"^[\w+-]+$")], Energy], Field(min_length=2)
    ]
    selection: Selection = Selection()


class Holdout(Strict):
    """Snapshots (counted from 0) that are kept from training."""

    kind: Literal["holdout"]
    snapshots: Annotated[list[Count], Field(min_length=1)]


class InterpolationConfig(PopulationConfig):
    """Train on some snapshots, reach each other one from the snapshot before it."""

    split: Holdout


class All(Strict):
    """Every snapshot trains, and is reached from the first."""

    kind: Literal["all"]


class UnbalancedConfig(PopulationConfig):
    """Train on all snapshots of a population that grows; beside it a balanced fit."""

    growth: Growth | None = Growth()
    split: All = All(kind="all")


class LeaveOneOutConfig(PopulationConfig):
    """Hold out each snapshot but the first and the last, in a fit of its own.

    Training is in units in which its snapshots, pooled, are standard. ``sides``: reach
    the held-out one from the snapshot ``before`` it, or also by a model of reversed
    time from the one after.
    """

    sides: Literal["before", "both"] = "both"
    velocity: Velocity = Corrected(kind="corrected")


class SDEConfig(PopulationConfig):
    """One fit and one forecast for each of several potentials.

    ``data.potential`` is set to each of ``potentials`` in turn; ``scored_points`` of
    each cloud are compared.
    """

    data: GradientFlowSDEData
    potentials: Annotated[list[PotentialName], Field(min_length=1)] = [
        "poly",
        "styblinski_tang",
        "bohachevsky",
        "oakley_ohagan",
        "wavy_plateau",
    ]
    scored_points: Annotated[int, Field(ge=4)] = 500
    split: Fraction = Fraction(kind="fraction", train=0.5)
    velocity: Velocity = Zero(kind="zero")
