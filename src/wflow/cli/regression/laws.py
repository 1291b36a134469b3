"""Renewal laws in a config: shapes, each with mean 1."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from wflow.studies._params import Strict


if TYPE_CHECKING:
    from wflow.flows import AbstractRenewalLaw


Positive = Annotated[float, Field(gt=0)]


class ExponentialConfig(Strict):
    """Poisson resets: ridge."""

    kind: Literal["exponential"]

    def build(self) -> "AbstractRenewalLaw":
        """The law."""
        from wflow.flows import Exponential

        return Exponential(1.0)


class DeterministicConfig(Strict):
    """Resets at equal intervals."""

    kind: Literal["deterministic"]

    def build(self) -> "AbstractRenewalLaw":
        """The law."""
        from wflow.flows import Deterministic

        return Deterministic(1.0)


class GammaConfig(Strict):
    """A gamma law; for a whole shape the sum of as many exponential times."""

    kind: Literal["gamma"]
    shape: Positive

    def build(self) -> "AbstractRenewalLaw":
        """The law."""
        from wflow.flows import Gamma

        return Gamma(1.0, self.shape)


class UniformConfig(Strict):
    """Uniform between 0 and twice the mean."""

    kind: Literal["uniform"]

    def build(self) -> "AbstractRenewalLaw":
        """The law."""
        from wflow.flows import Uniform

        return Uniform(0.0, 2.0)


class WeibullConfig(Strict):
    """A Weibull law; wilder than exponential below shape 1."""

    kind: Literal["weibull"]
    shape: Positive

    def build(self) -> "AbstractRenewalLaw":
        """The law."""
        from wflow.flows import Weibull

        return Weibull(1.0, self.shape)


class LogNormalConfig(Strict):
    """A log-normal law; sigma is the deviation of the logarithm."""

    kind: Literal["log_normal"]
    sigma: Positive

    def build(self) -> "AbstractRenewalLaw":
        """The law."""
        from wflow.flows import LogNormal

        return LogNormal(1.0, self.sigma)


class LomaxConfig(Strict):
    """A Pareto tail of index alpha > 1; its variance is infinite up to 2."""

    kind: Literal["lomax"]
    alpha: Annotated[float, Field(gt=1)]

    def build(self) -> "AbstractRenewalLaw":
        """The law."""
        from wflow.flows import Lomax

        return Lomax(1.0, self.alpha)


class InverseGaussianConfig(Strict):
    """Passage times of a drifting Brownian motion; variance 1 / shape at mean 1."""

    kind: Literal["inverse_gaussian"]
    shape: Positive

    def build(self) -> "AbstractRenewalLaw":
        """The law."""
        from wflow.flows import InverseGaussian

        return InverseGaussian(1.0, self.shape)


class HyperExponentialConfig(Strict):
    """A mixture of exponential laws: a mixture of ridges."""

    kind: Literal["hyper_exponential"]
    weights: Annotated[list[Positive], Field(min_length=1)]
    rates: Annotated[list[Positive], Field(min_length=1)]

    @model_validator(mode="after")
    def _checked(self) -> "HyperExponentialConfig":
        if len(self.weights) != len(self.rates):
            raise ValueError("weights and rates: expected lists of one length.")
        if abs(sum(self.weights) - 1) > 1e-9:
            raise ValueError(f"weights: expected sum 1, found {sum(self.weights):g}.")
        return self

    def build(self) -> "AbstractRenewalLaw":
        """The law."""
        from wflow.flows import HyperExponential

        return HyperExponential(self.weights, self.rates).with_mean(1.0)


LawConfig = Annotated[
    ExponentialConfig
    | DeterministicConfig
    | GammaConfig
    | UniformConfig
    | WeibullConfig
    | LogNormalConfig
    | LomaxConfig
    | InverseGaussianConfig
    | HyperExponentialConfig,
    Field(discriminator="kind"),
]
# By the names that tables and metrics have.
Laws = Annotated[dict[str, LawConfig], Field(min_length=1)]
RIDGE, EARLY_STOP, MIN_NORM, COMPONENTS = "ridge", "early_stop", "min_norm", "pcr"
COMPARATORS = (RIDGE, EARLY_STOP, MIN_NORM, COMPONENTS)


def refuse_comparators(laws: dict[str, LawConfig]) -> dict[str, LawConfig]:
    """The laws; the comparators are always there, under names of their own."""
    taken = sorted(set(laws) & set(COMPARATORS))
    if taken:
        raise ValueError(
            f"{taken[0]} is the name of a comparator, which is always there."
        )
    return laws
