"""The config of a population task, part by part."""

from typing import Annotated, Literal

from pydantic import Field

from wflow.cli.config import Strict, TaskConfig

from .terms import Term


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
    masses: (
        Literal["counts"] | Annotated[list[Positive], Field(min_length=2)] | None
    ) = None
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


class _SimulatorData(_Data):
    kind: Literal["simulator"]
    snapshots: Annotated[int, Field(ge=2)]
    interval: Positive


class BoidsData(_SimulatorData):
    """A flock; see ``wflow.populations.simulators.boids``."""

    name: Literal["boids"]
    particles: Count = 1000
    snapshots: Annotated[int, Field(ge=2)] = 101
    interval: Positive = 0.5
    axes: Axes = Axes(equal=True)


PotentialName = Literal[
    "poly", "styblinski_tang", "bohachevsky", "oakley_ohagan", "wavy_plateau"
]


class GradientFlowSDEData(_SimulatorData):
    """Diffusion; see ``wflow.populations.simulators.gradient_flow_sde``."""

    name: Literal["gradient_flow_sde"]
    potential: PotentialName = "poly"
    particles: Count = 1000
    snapshots: Annotated[int, Field(ge=2)] = 21
    interval: Positive = 0.01
    step: Positive = 0.001
    sigma: NonNegative = 1.0
    variance: Positive = 0.2
    paired: bool = False
    axes: Axes = Axes(equal=True)


class VortexData(_SimulatorData):
    """Tracers of a vortex; see ``wflow.populations.simulators.vortex``."""

    name: Literal["vortex"]
    particles: Count = 200
    snapshots: Annotated[int, Field(ge=2)] = 11
    interval: Positive = 0.5
    axes: Axes = Axes(equal=True)


class ToggleData(_SimulatorData):
    """Growing cells; see ``wflow.populations.simulators.toggle``."""

    name: Literal["toggle"]
    particles: Annotated[int, Field(ge=2)] = 400
    snapshots: Annotated[int, Field(ge=2)] = 5
    interval: Positive = 8.0
    step: Positive = 0.5


class SwarmData(_SimulatorData):
    """Particles under known forces; see ``wflow.populations.simulators.swarm``.

    The sum of the ``terms`` is their energy, in the units of the data; scores then say
    how far the learned forces are from it.
    """

    name: Literal["swarm"]
    particles: Annotated[int, Field(ge=2)] = 200
    snapshots: Annotated[int, Field(ge=2)] = 11
    interval: Positive = 0.4
    step: Positive = 0.05
    terms: (
        Annotated[
            list[Annotated[Term, Field(discriminator="kind")]], Field(min_length=1)
        ]
        | None
    ) = None
    friction: NonNegative = 0.5
    temperature: NonNegative = 0.0
    mean: Annotated[list[float], Field(min_length=1)] = [1.5, 0.0]
    spread: Positive = 0.6
    paired: bool = False
    axes: Axes = Axes(equal=True)


Simulator = Annotated[
    BoidsData | GradientFlowSDEData | VortexData | ToggleData | SwarmData,
    Field(discriminator="name"),
]

Data = Annotated[GapminderData | FileData | Simulator, Field(discriminator="kind")]


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


class Entropy(Strict):
    """``Entropy`` of particles: ``temperature`` times the integral of rho log rho.

    The density is that of the Gaussian with the particles' moments, or kernel-smoothed
    with ``bandwidth`` (Silverman's rule if there is none).
    """

    kind: Literal["entropy"]
    temperature: Positive = 0.1
    learn: bool = True
    density: Literal["gaussian", "kernel"] = "kernel"
    bandwidth: Positive | None = None


class Sum(Strict):
    """The sum of energies."""

    kind: Literal["sum"]
    terms: Annotated[
        list[
            Annotated[
                Attention | MLP | Pair | Entropy | Term, Field(discriminator="kind")
            ]
        ],
        Field(min_length=1),
    ]


Energy = Annotated[
    Attention | MLP | Pair | Sum | Entropy | Term, Field(discriminator="kind")
]


class Growth(Strict):
    """Births less deaths: ``GrowthFlow(NeuralRate(...))`` beside the mechanics."""

    width: Count = 32
    depth: Count = 2
    time_dim: Annotated[int, Field(ge=0)] = 0


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


class SmoothedDisplacement(Strict):
    """The same, averaged over neighbours with a Gaussian kernel of that width."""

    kind: Literal["smoothed_ot"]
    bandwidth: Positive = 0.4


class SmoothPath(Strict):
    """The slope of a Gaussian process through all snapshots; see ``SmoothPath``."""

    kind: Literal["smooth_path"]
    bandwidth: Positive = 0.4
    length: Positive = 3.0
    noise: Positive = 0.1


class Learned(Strict):
    """Trained with the model."""

    kind: Literal["learned"]
    start: Annotated[
        Given | Zero | DICE | Displacement | SmoothedDisplacement | SmoothPath,
        Field(discriminator="kind"),
    ] = Zero(kind="zero")


class Corrected(Strict):
    """A network of place and time, trained with the model, added to ``start``."""

    kind: Literal["corrected"]
    start: Annotated[
        Given | Zero | DICE | Displacement | SmoothedDisplacement | SmoothPath,
        Field(discriminator="kind"),
    ] = SmoothedDisplacement(kind="smoothed_ot")
    width: Count = 32
    depth: Count = 2


Velocity = Annotated[
    Given
    | Zero
    | DICE
    | Displacement
    | SmoothedDisplacement
    | SmoothPath
    | Learned
    | Corrected,
    Field(discriminator="kind"),
]


class RandomHorizon(Strict):
    """Uniform on 1..m, m growing to the longest over the share ``ramp`` of steps."""

    kind: Literal["random"]
    ramp: Annotated[float, Field(ge=0, le=1)] = 0.3


class FullHorizon(Strict):
    """All snapshots, once the horizon has grown to them over ``ramp`` of the steps."""

    kind: Literal["full"]
    ramp: Annotated[float, Field(ge=0, le=1)] = 0.0


class FixedHorizon(Strict):
    """The next ``length`` snapshots."""

    kind: Literal["fixed"]
    length: Count


Horizon = Annotated[
    RandomHorizon | FullHorizon | FixedHorizon, Field(discriminator="kind")
]


class Loss(Strict):
    """The Sinkhorn divergence, or ``CharacteristicDistance`` (no ``p``, ``blur``).

    With growth, of the normalised clouds, plus ``mass`` times the squared error of the
    log-mass.
    """

    kind: Literal["sinkhorn", "characteristic"] = "sinkhorn"
    p: Literal[1, 2] = 2
    blur: Literal["median"] | Positive = "median"
    mass: NonNegative = 1.0


class Optimizer(Strict):
    """AdamW, with another learning rate for scalars such as the friction."""

    learning_rate: Positive = 3e-3
    scalar_learning_rate: NonNegative = 1e-2
    weight_decay: NonNegative = 1e-3
    schedule: Literal["constant", "cosine"] = "cosine"
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.0
    scalar_b2: Annotated[float, Field(ge=0, lt=1)] = 0.999


class Fit(Strict):
    """How it is trained; see ``wflow.learning.fit``."""

    steps: Count = 400
    batch: Count | None = None
    horizon: Horizon = RandomHorizon(kind="random")
    starts: Literal["first", "any"] = "any"
    loss: Loss = Loss()
    growth_penalty: NonNegative = 0.0
    velocity_scale: Positive | None = None
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
