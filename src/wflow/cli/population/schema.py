"""The config of a population task, part by part."""

from typing import Annotated, Literal

from pydantic import Field

from wflow.cli.config import Strict, TaskConfig


Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(gt=0, lt=1)]


class Clock(Strict):
    """Model time = (time - origin) / unit.

    Without an origin model time begins at the first snapshot.
    """

    origin: float | None = None
    unit: Positive = 1.0
    label: str = "time"


class Axes(Strict):
    """How the coordinates are shown; ``equal`` where they are physical lengths."""

    labels: list[str] | None = None
    equal: bool = False


class _Data(Strict):
    standardise: bool = False
    shuffle: bool = False
    time: Clock = Clock()
    axes: Axes = Axes()


class GapminderData(_Data):
    """The table of countries that the plotly package ships."""

    kind: Literal["gapminder"]
    standardise: bool = True
    shuffle: bool = True
    time: Clock = Clock(label="year", unit=5.0)
    axes: Axes = Axes(
        labels=["log10 of GDP per head (dollars)", "life expectancy (years)"]
    )


class FileKeys(Strict):
    """Names in the file that differ from the usual ones; see ``wflow.io.Keys``."""

    time: str | None = None
    positions: str | None = None
    velocities: str | None = None
    weights: str | None = None
    columns: list[str] | Count | None = None


class FileData(_Data):
    """A .npz, .csv or .h5ad file; ``needs`` says which, where ``path`` is left open."""

    kind: Literal["file"]
    path: str | None = None
    needs: str = "a .npz, .csv or .h5ad file of snapshots"
    keys: FileKeys = FileKeys()


Data = Annotated[GapminderData | FileData, Field(discriminator="kind")]


class Attention(Strict):
    """``AttentionPotential``."""

    kind: Literal["attention"]
    width: Count = 64
    depth: Count = 2
    heads: Count = 1
    feedforward: Count = 64
    time_dim: Annotated[int, Field(ge=0)] = 0


class MLP(Strict):
    """``MLPPotential``."""

    kind: Literal["mlp"]
    width: Count = 64
    depth: Count = 3
    time_dim: Annotated[int, Field(ge=0)] = 0


class Pair(Strict):
    """``PairPotential``."""

    kind: Literal["pair"]
    width: Count = 64
    depth: Count = 3
    softening: Positive = 1e-2


class Sum(Strict):
    """The sum of energies."""

    kind: Literal["sum"]
    terms: Annotated[
        list[Annotated[Attention | MLP | Pair, Field(discriminator="kind")]],
        Field(min_length=1),
    ]


Energy = Annotated[Attention | MLP | Pair | Sum, Field(discriminator="kind")]


class Friction(Strict):
    """Per unit of model time."""

    value: NonNegative = 0.1
    learn: bool = True


class Given(Strict):
    """The velocities that come with the data."""

    kind: Literal["given"]


class Zero(Strict):
    """At rest."""

    kind: Literal["zero"]


class DICE(Strict):
    """From the continuity equation."""

    kind: Literal["dice"]
    steps: Count = 2000
    width: Count = 128
    batch: Count = 128


class Displacement(Strict):
    """The optimal map to the next snapshot, over the time."""

    kind: Literal["ot"]


class Learned(Strict):
    """Trained with the model."""

    kind: Literal["learned"]
    start: Annotated[
        Given | Zero | DICE | Displacement, Field(discriminator="kind")
    ] = Zero(kind="zero")


Velocity = Annotated[
    Given | Zero | DICE | Displacement | Learned, Field(discriminator="kind")
]


class RandomHorizon(Strict):
    """Uniform on 1..m, m growing to the longest over the share ``ramp`` of steps."""

    kind: Literal["random"]
    ramp: Annotated[float, Field(ge=0, le=1)] = 0.3


class FullHorizon(Strict):
    """All snapshots."""

    kind: Literal["full"]


class FixedHorizon(Strict):
    """The next ``length`` snapshots."""

    kind: Literal["fixed"]
    length: Count


Horizon = Annotated[
    RandomHorizon | FullHorizon | FixedHorizon, Field(discriminator="kind")
]


class Loss(Strict):
    """The Sinkhorn divergence."""

    p: Literal[1, 2] = 2
    blur: Literal["median"] | Positive = "median"


class Optimizer(Strict):
    """AdamW, with another learning rate for scalars such as the friction."""

    learning_rate: Positive = 1e-3
    scalar_learning_rate: NonNegative = 1e-2
    weight_decay: NonNegative = 1e-3
    schedule: Literal["constant", "cosine"] = "cosine"
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.0


class Fit(Strict):
    """How it is trained; see ``wflow.learning.fit``."""

    steps: Count = 400
    batch: Count | None = None
    horizon: Horizon = RandomHorizon(kind="random")
    starts: Literal["first", "any"] = "first"
    loss: Loss = Loss()
    optimizer: Optimizer = Optimizer()
    clip: Positive | None = 1.0
    ema: Annotated[float, Field(ge=0, lt=1)] = 0.99
    substeps: Count = 1
    chunk: Count = 50
    consistent: bool = True
    stop_gradient_force: bool = False


class Evaluation(Strict):
    """How forecasts are integrated: steps per training interval."""

    substeps: Count = 5


class PopulationConfig(TaskConfig):
    """What every population task needs."""

    data: Data
    energy: Energy = Attention(kind="attention")
    friction: Friction = Friction()
    force_scaling: Literal["inertial", "unified"] = "unified"
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


class ForecastConfig(PopulationConfig):
    """Train on the first snapshots, forecast the others."""

    split: Annotated[Until | Last | Fraction, Field(discriminator="kind")]


class Holdout(Strict):
    """Snapshots (counted from 0) that are kept from training."""

    kind: Literal["holdout"]
    snapshots: Annotated[list[Count], Field(min_length=1)]


class InterpolationConfig(PopulationConfig):
    """Train on some snapshots, reach each other one from the snapshot before it."""

    split: Holdout
