"""The config of a posterior that has reference draws."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from wflow.studies._params import Strict, StudyParams, closest

from .methods import MethodConfig


Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
# Names of rows; they end up in the names of metrics.
Name = Annotated[str, Field(pattern="^[a-z][a-z0-9_]*$")]

TRIVIAL = ("initial", "laplace", "reference")


class ReferenceFile(Strict):
    """A file ``<data>__<model>.npz`` with data, names and reference draws.

    Attributes:
        path: of the file; ``--data`` gives it.
        model: which posterior of posteriordb the config is for.
    """

    kind: Literal["file"]
    path: str | None = None
    model: str


class EllipticProblem(Strict):
    """Log-conductivity of a plate from noisy heights of a membrane over it.

    Data are made from a conductivity drawn from the prior, and reference draws by a
    long run of NUTS.

    Attributes:
        cells: unknowns a side.
        mesh: elements a side.
        points: observations a side.
        source: on the right-hand side of the equation.
        noise_std: of the observations.
        prior_std: of the log-conductivity.
        data_seed: of the truth and the noise.
        draws: for the reference, by four chains.
    """

    kind: Literal["elliptic"]
    cells: Count = 4
    mesh: Annotated[int, Field(ge=2)] = 16
    points: Count = 5
    source: float = 10.0
    noise_std: Positive = 0.05
    prior_std: Positive = 2.0
    data_seed: Annotated[int, Field(ge=0)] = 0
    draws: Annotated[int, Field(ge=100)] = 4000


class PosteriorConfig(StudyParams):
    """Moments of a posterior by several methods, beside those of reference draws.

    Attributes:
        data: where the posterior is, or how it is made.
        particles: of every method.
        repeats: runs of every method, from starts of their own; medians are reported.
        spread: particles start from the Laplace approximation, its standard deviations
            times this.
        default: the method whose scores have no suffix.
        methods: by name. All run in coordinates in which the Laplace approximation is
            standard normal.
    """

    task: Literal["sampling_posterior"]
    data: Annotated[ReferenceFile | EllipticProblem, Field(discriminator="kind")]
    particles: Annotated[int, Field(ge=2)] = 100
    repeats: Count = 9
    spread: Positive = 2.0
    default: Name
    methods: Annotated[dict[Name, MethodConfig], Field(min_length=1)]

    @model_validator(mode="after")
    def _checked(self) -> "PosteriorConfig":
        if taken := [name for name in self.methods if name in TRIVIAL]:
            raise ValueError(f"methods: {taken[0]} is the name of a row of its own.")
        if self.default not in self.methods:
            nearest = closest(self.default, self.methods)
            hint = f" Did you mean {nearest}?" if nearest else ""
            raise ValueError(
                f"default: expected one of {', '.join(self.methods)}, found "
                f"{self.default!r}.{hint}"
            )
        return self
