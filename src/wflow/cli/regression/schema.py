"""The configs of the regression tasks."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from wflow.studies._params import Strict, StudyParams

from .laws import Laws, Positive, refuse_comparators


NamedLaws = Annotated[Laws, AfterValidator(refuse_comparators)]
Count = Annotated[int, Field(ge=1)]


class RidgeConfig(StudyParams):
    """A regression on a file, by resetting.

    Attributes:
        precision: float64 alone: the agreement with ridge is beyond float32.
        data: a .npz with ``X`` or ``X_raw`` (n, p) and ``y`` (n,); ``--data`` gives it.
        rate: of the Poisson resets that are compared with ridge.
        particles: draws of the stationary process.
        laws: beside ridge, whose test errors are compared.
        splits: of the data into training and test, at random.
        train_share: of the data that is trained on.
        rates: rates tried for the best test error, on a logarithmic grid.
    """

    task: Literal["resetting_ridge"]
    precision: Literal["float64"] = "float64"
    data: str | None = None
    rate: Positive = 1.0
    particles: Annotated[int, Field(ge=100)] = 100_000
    laws: NamedLaws
    splits: Annotated[int, Field(ge=2)] = 50
    train_share: Annotated[float, Field(gt=0, lt=1)] = 0.5
    rates: Annotated[int, Field(ge=3)] = 81


class PowerProblem(Strict):
    r"""$\mu_i = i^{-decay}$ and $\theta_i^{*2} = i^{growth}$ for i = 1, ..., p."""

    kind: Literal["power"]
    p: Count
    decay: float
    growth: float = 0.0

    def spectrum(self) -> tuple[list[float], list[float]]:
        """Curvatures and squared coefficients."""
        places = range(1, self.p + 1)
        return [i**-self.decay for i in places], [i**self.growth for i in places]


class Group(Strict):
    """``count`` axes alike."""

    count: Count
    curvature: Positive
    signal: Annotated[float, Field(ge=0)]


class GroupedProblem(Strict):
    """Groups of axes with one curvature and one squared coefficient each."""

    kind: Literal["groups"]
    groups: Annotated[list[Group], Field(min_length=1)]

    def spectrum(self) -> tuple[list[float], list[float]]:
        """Curvatures and squared coefficients."""
        curvature = [g.curvature for g in self.groups for _ in range(g.count)]
        return curvature, [g.signal for g in self.groups for _ in range(g.count)]


ProblemConfig = Annotated[PowerProblem | GroupedProblem, Field(discriminator="kind")]
Signal = Literal["isotropic", "high", "low"]


class MonteCarlo(Strict):
    r"""Regressions on random designs.

    Attributes:
        n: samples.
        p: coefficients.
        correlation: rows are normal with $\Sigma_{ij} = correlation^{|i-j|}$.
        signals: truths: ``isotropic`` has independent normal coefficients, ``high``
            (``low``) lies in the tenth of the axes of the largest (least) variance.
        snr: $\theta^{*T}\Sigma\theta^*$ over the variance of the noise, expected.
        replicates: designs, each with a truth and a response of its own.
    """

    n: Count = 100
    p: Annotated[int, Field(ge=10)] = 50
    correlation: Annotated[float, Field(gt=-1, lt=1)] = 0.9
    signals: Annotated[list[Signal], Field(min_length=1)]
    snr: Positive = 1.0
    replicates: Annotated[int, Field(ge=2)] = 200


class LawsConfig(StudyParams):
    """Renewal laws against ridge, each at its best mean.

    Attributes:
        noise: variance of the noise in the problems.
        problems: spectra whose in-sample risk is known.
        laws: that are compared with ridge and early stopping.
        monte_carlo: the same on random designs, tuned by cross-validation; null skips
            it.
    """

    task: Literal["resetting_laws"]
    noise: Positive = 0.1
    problems: Annotated[dict[str, ProblemConfig], Field(min_length=1)]
    laws: NamedLaws
    monte_carlo: MonteCarlo | None = None


Vector = Annotated[list[float], Field(min_length=1)]
Matrix = Annotated[list[Vector], Field(min_length=1)]


class OUConfig(StudyParams):
    """An Ornstein-Uhlenbeck process that is reset, simulated and in closed form.

    Attributes:
        curvature: A, symmetric.
        linear: b.
        noise: Q, covariance per unit of time.
        origin: where it is reset to.
        mean: time between resets, in the mean.
        laws: of that time.
        samples: of the state at the horizon.
        horizon: time of the simulation, in mean times between resets.
        steps: of the simulation, all of one length.
    """

    task: Literal["resetting_ou"]
    curvature: Matrix
    linear: Vector
    noise: Matrix
    origin: Vector
    mean: Positive
    laws: Laws
    samples: Annotated[int, Field(ge=100)] = 200_000
    horizon: Annotated[float, Field(ge=1)] = 20.0
    steps: Count = 100

    @model_validator(mode="after")
    def _checked(self) -> "OUConfig":
        p = len(self.linear)
        if p < 2:
            raise ValueError("linear: expected two or more entries, found one.")
        if len(self.origin) != p:
            raise ValueError(
                f"origin: expected {p} entries like linear, found {len(self.origin)}."
            )
        for name in ("curvature", "noise"):
            rows = getattr(self, name)
            if len(rows) != p or any(len(row) != p for row in rows):
                raise ValueError(f"{name}: expected a {p} x {p} matrix.")
        return self
