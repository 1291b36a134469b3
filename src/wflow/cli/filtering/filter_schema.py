"""Configs of the filtering tasks."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from wflow.studies._params import Strict, StudyParams


Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=1)]
Members = Annotated[int, Field(ge=2)]


class Kernel(Strict):
    """A kernel in standard units.

    Attributes:
        kind: "gaussian", "inverse_multiquadric", "laplace" or "energy" (minus the
            distance).
        bandwidth: a length.
        scales: multiples of it, over which the kernel is averaged; null is itself.
    """

    kind: Literal["gaussian", "inverse_multiquadric", "laplace", "energy"]
    bandwidth: Positive = 1.0
    scales: Annotated[list[Positive], Field(min_length=1)] | None = None


class Local(Strict):
    """Localisation on the ring of components.

    Attributes:
        radius: at which an observation counts about e^{-1/2}.
        patch_radius: components within it are moved together.
    """

    radius: Positive
    patch_radius: NonNegative = 0.0


class Ensemble(Strict):
    """What every ensemble method has.

    Attributes:
        members: of the ensemble.
        inflation: of anomalies.
    """

    members: Members
    inflation: Positive = 1.0


class EnKFMethod(Ensemble):
    """The stochastic ensemble Kalman filter, local where ``local`` is given."""

    kind: Literal["enkf"]
    local: Local | None = None


class ETKFMethod(Ensemble):
    """The ensemble transform Kalman filter; with ``local`` the LETKF."""

    kind: Literal["etkf"]
    rotate: bool = False
    local: Local | None = None


class ParticleMethod(Strict):
    """The bootstrap particle filter; see ``ParticleFilter``."""

    kind: Literal["particle"]
    members: Members
    jitter: NonNegative = 1.0
    threshold: NonNegative = 0.5


class TransportMethod(Ensemble):
    """The likelihood-free flow; see ``CouplingTransport``.

    Attributes:
        draws: observations simulated of every member.
        exact: the limit of infinitely many, for Gaussian errors.
    """

    kind: Literal["transport"]
    kernel_x: Kernel
    kernel_y: Kernel
    start: Literal["identity", "kalman", "square_root"] = "kalman"
    steps: Count = 60
    step: Positive = 0.1
    permutations: Count = 2
    draws: Count = 1
    exact: bool = False
    local: Local | None = None

    @model_validator(mode="after")
    def _smooth(self) -> "TransportMethod":
        plain = self.kernel_y.kind == "gaussian" and self.kernel_y.scales is None
        if self.exact and not plain:
            raise ValueError(
                "exact: Gaussian errors are integrated with kernel_y of kind gaussian "
                f"and one scale alone, found {self.kernel_y}."
            )
        return self


class LikelihoodMethod(Ensemble):
    """The flow to the weighted forecast; see ``LikelihoodTransport``."""

    kind: Literal["likelihood_transport"]
    kernel_x: Kernel
    start: Literal["identity", "kalman", "square_root"] = "kalman"
    steps: Count = 60
    step: Positive = 0.1
    local: Local | None = None


class MomentMethod(Ensemble):
    """The end of the moment flow: a Kalman update from simulated pairs."""

    kind: Literal["moments"]
    local: Local | None = None


class TrainedMethod(Ensemble):
    """A trained map; see ``TrainedTransport``."""

    kind: Literal["trained"]
    kernel_x: Kernel
    kernel_y: Kernel
    steps: Count = 300


Method = Annotated[
    EnKFMethod
    | ETKFMethod
    | ParticleMethod
    | TransportMethod
    | LikelihoodMethod
    | MomentMethod
    | TrainedMethod,
    Field(discriminator="kind"),
]
Methods = Annotated[dict[str, Method], Field(min_length=1)]


class Lorenz63Case(Strict):
    """Lorenz-63, all components seen.

    Attributes:
        observed: "components", "absolute" (|x|) or "saturated" (10 arctan x).
    """

    kind: Literal["lorenz63"]
    observed: Literal["components", "absolute", "saturated"] = "components"


class PlainCase(Strict):
    """Another setting of the literature, as it stands there."""

    kind: Literal["lorenz63_partial", "lorenz96", "lorenz96_hard"]


Case = Annotated[Lorenz63Case | PlainCase, Field(discriminator="kind")]


class TwinConfig(StudyParams):
    """Twin experiments: a known truth, observed, and filters that look for it.

    Attributes:
        cases: settings by name; with one its name is in no metric.
        methods: filters by name.
        repeats: truths for each case, the same for all methods.
        cycles: observations of each; null is the setting's.
        burn_in: cycles that no score counts; null is the setting's.
    """

    task: Literal["filter_twin"]
    cases: Annotated[dict[str, Case], Field(min_length=1)]
    methods: Methods
    repeats: Count = 5
    cycles: Count | None = None
    burn_in: Annotated[int, Field(ge=0)] | None = None


class BimodalConfig(StudyParams):
    """A state whose sign is never seen, against the filter on a grid.

    Attributes:
        methods: filters by name; "transport" gives the headline.
        repeats: truths.
        cells: of the grid on [-extent, extent].
        extent: half of its length.
    """

    task: Literal["filter_bimodal"]
    methods: Methods
    repeats: Count = 10
    cells: Annotated[int, Field(ge=100)] = 1201
    extent: Positive = 6.0


class StaticConfig(StudyParams):
    """Single updates against exact posteriors.

    Attributes:
        correlations: of the linear-Gaussian pairs.
        observed: the observation of these, in standard deviations.
        scales: lambda of y = x^2/2 + lambda w.
        squares: the observations of these.
        methods: by name, their members included.
        repeats: ensembles.
    """

    task: Literal["filter_static"]
    correlations: list[Annotated[float, Field(gt=-1, lt=1)]]
    observed: float = 1.0
    scales: list[Positive]
    squares: list[float]
    methods: Methods
    repeats: Count = 5
