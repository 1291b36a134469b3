"""Population risks of shallow networks, in closed form in the law of the neurons."""

import abc
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from wflow.checks import covariance, finite, known, real_field, shape
from wflow.energies import AbstractEnergy
from wflow.measures import Gaussian, Particles, UnsupportedMeasureError


class AbstractRisk(AbstractEnergy):
    r"""Risk of a network whose neurons are particles, against its teacher.

    $V(\rho) = \frac12\|f_\rho - f^*\|^2$, $f_\rho(x) = \int\sigma(w, x)\,d\rho$. Its
    Wasserstein flow on Particles moves each of the m neurons by minus m times the
    gradient of the finite network.

    Reference: Mei, Montanari, Nguyen, PNAS 115 (2018), equation (2).
    """

    @abc.abstractmethod
    def gap(self, mu: Any, nu: Any) -> Float[Array, ""]:
        r"""Squared distance of two networks' functions, $\|f_\mu - f_\nu\|^2$."""

    def loss(self, mu: Any) -> Float[Array, ""]:
        r"""The loss $L(\mu) = \|f_\mu - f^*\|^2 = 2 V(\mu)$."""
        return 2 * self.value(mu)

    def closure(self, mu: Particles) -> Any:
        """The least measure whose own flow gives the same functions; else ``mu``."""
        return mu


def second_moment(owner: object, mu: Any) -> Float[Array, "d d"]:
    """Second moment $E[w w^T]$ of Particles or a Gaussian."""
    match mu:
        case Particles():
            return (mu.w[:, None] * mu.x).T @ mu.x
        case Gaussian():
            return mu.cov + jnp.outer(mu.mean, mu.mean)
    raise UnsupportedMeasureError(owner, mu, "Particles and Gaussian")


class QuadraticRisk(AbstractRisk):
    r"""Risk of quadratic neurons, whose training has an exact equation of moments.

    Neurons $(w\cdot x)^2$, inputs N(0, I), teacher $x^\top M^* x$;
    $\|x^\top B x\|^2 = 2|B|_F^2 + (\mathrm{tr} B)^2$. The function is $M = E[ww^\top]$
    alone, and $\dot M = -2(S(A)M + MS(A))$ is closed, $A = M - M^*$,
    $S(B) = 2B + \mathrm{tr}(B) I$: the Wasserstein flow of the same risk on N(0, M).

    Attributes:
        teacher: $M^*$, symmetric and positive semidefinite.

    Raises:
        ValueError: a teacher that is not; the sentence says which eigenvalue.

    Reference: a derivation; the setting is that of Glasgow, Bruna, arXiv:2605.22010.
    """

    teacher: Float[Array, "d d"] = eqx.field(converter=real_field("teacher"))

    def __check_init__(self) -> None:
        check_teacher(self, self.teacher)

    def value(self, mu: Any, t: ArrayLike = 0.0) -> Float[Array, ""]:
        del t
        return squared_norm(second_moment(self, mu) - self.teacher) / 2

    def gap(self, mu: Any, nu: Any) -> Float[Array, ""]:
        return squared_norm(second_moment(self, mu) - second_moment(self, nu))

    def closure(self, mu: Particles) -> Gaussian | Particles:
        # Fewer neurons than dimensions are no Gaussian with a density.
        if mu.n < mu.dim:
            return mu
        return Gaussian(jnp.zeros(mu.dim, mu.dtype), second_moment(self, mu))


class Correlation(AbstractEnergy):
    r"""The quadratic risk without its pairs: neurons that do not feel each other.

    $V(\rho) = -\langle f_\rho, f^*\rangle$, $\dot w = 2 S(M^*) w$: they grow for ever,
    a contrast in which fluctuations are not uniform in time.

    Attributes:
        teacher: $M^*$, as in ``QuadraticRisk``.
    """

    teacher: Float[Array, "d d"] = eqx.field(converter=real_field("teacher"))

    def __check_init__(self) -> None:
        check_teacher(self, self.teacher)

    def value(self, mu: Any, t: ArrayLike = 0.0) -> Float[Array, ""]:
        del t
        moment = second_moment(self, mu)
        product = 2 * jnp.sum(moment * self.teacher)
        return -product - jnp.trace(moment) * jnp.trace(self.teacher)


class DiagonalRisk(AbstractRisk):
    r"""Neurons $(w\cdot e_k)^2$ on inputs $e_k$ of probability $\kappa_k$.

    $f_k = E[w_k^2]$ and $\|f\|^2 = \sum_k \kappa_k f_k^2$; every coordinate is closed.

    Attributes:
        probabilities: $\kappa$, ``(D,)``, summing to 1.
        teacher: $f^*$, ``(D,)``.

    Raises:
        ValueError: probabilities that are negative or do not sum to 1, or a teacher of
            another shape or not finite.
    """

    probabilities: Float[Array, " D"] = eqx.field(converter=real_field("probabilities"))
    teacher: Float[Array, " D"] = eqx.field(converter=real_field("teacher"))

    def __check_init__(self) -> None:
        shape(self, "probabilities", self.probabilities, ("D",))
        shape(self, "teacher", self.teacher, self.probabilities.shape)
        finite(self, "teacher", self.teacher)
        kappa = known(self.probabilities)
        if kappa is None:
            return
        if not (kappa >= 0).all() or abs(kappa.sum() - 1) > 1e-5:
            raise ValueError(
                "DiagonalRisk: expected probabilities >= 0 that sum to 1, found the "
                f"least {kappa.min():.6g} and the sum {kappa.sum():.6g}."
            )

    def _outputs(self, mu: Any) -> Float[Array, " D"]:
        if isinstance(mu, Particles):
            return mu.w @ mu.x**2
        return jnp.diagonal(second_moment(self, mu))

    def value(self, mu: Any, t: ArrayLike = 0.0) -> Float[Array, ""]:
        del t
        return self.probabilities @ (self._outputs(mu) - self.teacher) ** 2 / 2

    def gap(self, mu: Any, nu: Any) -> Float[Array, ""]:
        return self.probabilities @ (self._outputs(mu) - self._outputs(nu)) ** 2


class FrozenRisk(AbstractRisk):
    r"""Frozen features: $w\cdot\phi(x)$ with $C = E\phi\phi^\top$, a linear model.

    Attributes:
        covariance: C, ``(p, p)``.
        teacher: $w^*$, ``(p,)``.

    Raises:
        ValueError: a covariance that is not symmetric and positive semidefinite, or a
            teacher of another shape or not finite.
    """

    covariance: Float[Array, "p p"] = eqx.field(converter=real_field("covariance"))
    teacher: Float[Array, " p"] = eqx.field(converter=real_field("teacher"))

    def __check_init__(self) -> None:
        shape(self, "covariance", self.covariance, ("p", "p"))
        covariance(self, "covariance", self.covariance, singular=True)
        shape(self, "teacher", self.teacher, self.covariance.shape[:1])
        finite(self, "teacher", self.teacher)

    def _norm(self, w: Float[Array, " p"]) -> Float[Array, ""]:
        return w @ self.covariance @ w

    def value(self, mu: Any, t: ArrayLike = 0.0) -> Float[Array, ""]:
        del t
        return self._norm(mu.integrate(lambda w: w) - self.teacher) / 2

    def gap(self, mu: Any, nu: Any) -> Float[Array, ""]:
        return self._norm(mu.integrate(lambda w: w) - nu.integrate(lambda w: w))


def squared_norm(matrix: Float[Array, "d d"]) -> Float[Array, ""]:
    r"""Squared norm of a quadratic form under N(0, I).

    $\|x^\top B x\|^2 = 2|B|_F^2 + (\mathrm{tr} B)^2$.
    """
    return 2 * jnp.sum(matrix**2) + jnp.trace(matrix) ** 2


def check_teacher(owner: object, teacher: Any) -> None:
    """Refuse a teacher that no neurons of positive mass have.

    Raises:
        ValueError: it is not symmetric, or has a negative eigenvalue.
    """
    shape(owner, "teacher", teacher, ("d", "d"))
    finite(owner, "teacher", teacher)
    matrix, name = known(teacher), type(owner).__name__
    if matrix is None:
        return
    square = matrix.ndim == 2 and matrix.shape[0] == matrix.shape[1]
    if not square or not np.allclose(matrix, matrix.T):
        raise ValueError(
            f"{name}: expected a symmetric teacher (d, d), found "
            f"{matrix.tolist() if square else matrix.shape}."
        )
    values = np.linalg.eigvalsh(matrix)
    if not values[0] >= -1e-6 * max(1, abs(values[-1])):
        raise ValueError(
            f"{name}: expected a positive semidefinite teacher, found the eigenvalue "
            f"{values[0]:.6g}; such a teacher needs neurons of both signs."
        )
