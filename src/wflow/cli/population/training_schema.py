"""The config of training: start velocities, horizons, loss and optimiser."""

from typing import Annotated, Literal

from pydantic import Field

from wflow.studies._params import Strict

from .quantities import Count, NonNegative, Positive


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
