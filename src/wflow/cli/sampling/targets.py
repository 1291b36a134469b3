"""Targets that a sampling config can name, and where particles start."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import Field, model_validator

from wflow.studies._params import Strict


if TYPE_CHECKING:
    from jax import Array

    from wflow.measures import GaussianMixture


Positive = Annotated[float, Field(gt=0)]
Vector = Annotated[list[float], Field(min_length=1)]


@dataclass(frozen=True)
class BuiltTarget:
    """A target with all that is known of it.

    Attributes:
        log_density: of one point ``(d,)``.
        sample: exact draws, of a key and their number.
        law: a mixture with the same kernel embeddings as the target.
        mean: of the target, ``(d,)``.
        centres: of its modes, ``(k, d)``, where modes are told apart.
        spreads: standard deviation of every mode, ``(k,)``, the largest over axes.
    """

    log_density: "Callable[[Array], Array]"
    sample: "Callable[[Array, int], Array]"
    law: "GaussianMixture"
    mean: "Array"
    centres: "Array | None" = None
    spreads: "Array | None" = None


class MixtureTarget(Strict):
    """A mixture of Gaussians; widths by one of ``sd``, ``precision`` and ``covs``.

    Attributes:
        centres: of the components.
        sd: standard deviation in all directions, one or one for each component.
        precision: one over the variance, likewise.
        covs: covariance matrices.
        weights: of the components, not necessarily normalised; equal by default.
    """

    kind: Literal["mixture"]
    centres: Annotated[list[Vector], Field(min_length=1)]
    sd: Positive | list[Positive] | None = None
    precision: Positive | list[Positive] | None = None
    covs: list[list[Vector]] | None = None
    weights: list[Positive] | None = None

    @model_validator(mode="after")
    def _checked(self) -> "MixtureTarget":
        k, d = len(self.centres), len(self.centres[0])
        if any(len(centre) != d for centre in self.centres):
            raise ValueError("centres: expected points of one dimension.")
        given = [self.sd, self.precision, self.covs]
        if sum(width is not None for width in given) != 1:
            raise ValueError("expected one of sd, precision and covs.")
        for name in ("sd", "precision", "covs", "weights"):
            value = getattr(self, name)
            if isinstance(value, list) and len(value) != k:
                raise ValueError(
                    f"{name}: expected {k}, one for each centre, found {len(value)}."
                )
        for cov in self.covs or []:
            if len(cov) != d or any(len(row) != d for row in cov):
                raise ValueError(f"covs: expected {d} x {d} matrices.")
            matrix = np.asarray(cov)
            if (matrix != matrix.T).any() or np.linalg.eigvalsh(matrix)[0] <= 0:
                raise ValueError(
                    f"covs: expected symmetric positive matrices, found {cov}."
                )
        return self

    @property
    def dim(self) -> int:
        """Dimension of the space."""
        return len(self.centres[0])

    def build(self) -> BuiltTarget:
        """The target, in the default precision."""
        import jax.numpy as jnp

        from wflow.measures import GaussianMixture

        centres = np.asarray(self.centres)
        k, d = centres.shape
        if self.covs is not None:
            covs = np.asarray(self.covs)
        else:
            variance = (
                np.asarray(self.sd) ** 2
                if self.sd is not None
                else 1 / np.asarray(self.precision)
            )
            covs = np.broadcast_to(variance, (k,))[:, None, None] * np.eye(d)
        weights = np.ones(k) if self.weights is None else np.asarray(self.weights)
        law = GaussianMixture(centres, covs, weights / weights.sum())
        return BuiltTarget(
            log_density=law.log_density,
            sample=law.sample,
            law=law,
            mean=law.mean,
            centres=jnp.asarray(centres),
            spreads=jnp.sqrt(jnp.linalg.eigvalsh(jnp.asarray(covs))[:, -1]),
        )


class JokerTarget(Strict):
    """Two Gaussian eyes and a bent smile, in the plane."""

    kind: Literal["joker"]

    @property
    def dim(self) -> int:
        """Dimension of the space."""
        return 2

    def build(self) -> BuiltTarget:
        """The target, in the default precision."""
        from wflow.sampling.problems import Joker

        joker = Joker()
        return BuiltTarget(joker.log_density, joker.sample, joker.lines(), joker.mean)


Target = Annotated[MixtureTarget | JokerTarget, Field(discriminator="kind")]


class UniformStart(Strict):
    """Particles start uniformly in the box from ``low`` to ``high`` on every axis."""

    kind: Literal["uniform"]
    low: float
    high: float

    @model_validator(mode="after")
    def _checked(self) -> "UniformStart":
        if not self.low < self.high:
            raise ValueError("low: expected low < high.")
        return self

    def draw(self, key: Any, n: int, dim: int) -> "Array":
        """``n`` particles."""
        import jax

        return jax.random.uniform(key, (n, dim), minval=self.low, maxval=self.high)


class NormalStart(Strict):
    """Particles start from N(mean, sd^2); without a mean from around the origin."""

    kind: Literal["normal"]
    mean: Vector | None = None
    sd: Positive

    def draw(self, key: Any, n: int, dim: int) -> "Array":
        """``n`` particles."""
        import jax
        import jax.numpy as jnp

        mean = jnp.zeros(dim) if self.mean is None else jnp.asarray(self.mean)
        return mean + self.sd * jax.random.normal(key, (n, dim))


Start = Annotated[UniformStart | NormalStart, Field(discriminator="kind")]
