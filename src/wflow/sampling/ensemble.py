"""Diffusions that take their preconditioner from the ensemble itself."""

import abc
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, PyTree

from wflow.checks import finite, function, instance, positive, real_field, shape
from wflow.flows import AbstractContinuousFlow, Noise
from wflow.measures import Gaussian, Particles, UnsupportedMeasureError


class GaussianInverseProblem(eqx.Module):
    r"""Posterior of parameters that a forward model maps to data with Gaussian errors.

    $\log\pi(x) = -\frac12|\Gamma^{-1/2}(y - G(x))|^2 + \log N(x; m_0, S_0)$.

    A log-density with its parts, for samplers that need no gradient of ``forward`` G.

    Attributes:
        forward: parameters ``(d,)`` to predictions ``(k,)``.
        data: y, ``(k,)``.
        noise_std: of the data, a number or ``(k,)``: $\Gamma$ is diagonal.
        prior: $N(m_0, S_0)$.

    Raises:
        ValueError: a standard deviation that is not positive or fits no datum, data
            that is not ``(k,)``, or a forward map with other predictions.
        TypeError: the prior is not Gaussian.
    """

    forward: Callable[[Float[Array, " d"]], Float[Array, " k"]]
    data: Float[Array, " k"] = eqx.field(converter=real_field("data"))
    noise_std: Float[Array, "..."] = eqx.field(converter=real_field("noise_std"))
    prior: Gaussian

    def __check_init__(self) -> None:
        function(self, "forward", self.forward, "parameters (d,)")
        shape(self, "data", self.data, ("k",))
        finite(self, "data", self.data)
        instance(self, "prior", self.prior, Gaussian, "a Gaussian")
        std = self.noise_std
        if jnp.shape(std) not in ((), jnp.shape(self.data)):
            raise ValueError(
                "GaussianInverseProblem: expected noise_std a number or of shape "
                f"{jnp.shape(self.data)}, found {jnp.shape(std)}."
            )
        positive(self, "noise_std", std)

    def predict(self, x: Float[Array, " d"]) -> Float[Array, " k"]:
        """Predictions $G(x)$, refused where they are not shaped like the data."""
        predicted = jnp.asarray(self.forward(x))
        if predicted.shape != self.data.shape:
            raise ValueError(
                "GaussianInverseProblem: expected predictions of shape "
                f"{self.data.shape}, found {predicted.shape}."
            )
        return predicted

    def whitened(self, law: Gaussian) -> "GaussianInverseProblem":
        r"""The same problem in coordinates z with $x = m + L z$, $L L^\top = S$.

        ``law`` is $N(m, S)$; forward model and prior move along. The normalizer is the
        same: $\log|\det L|$ is added.
        """
        if not isinstance(law, Gaussian):
            raise UnsupportedMeasureError(self, law, "Gaussian")
        root = jnp.linalg.cholesky(law.cov)
        inverse = jnp.linalg.inv(root)
        prior = Gaussian(
            inverse @ (self.prior.mean - law.mean),
            inverse @ self.prior.cov @ inverse.T,
        )
        forward = lambda z: self.forward(law.mean + root @ z)
        return GaussianInverseProblem(forward, self.data, self.noise_std, prior)

    def __call__(self, x: Float[Array, " d"]) -> Float[Array, ""]:
        misfit = (self.data - self.predict(x)) / self.noise_std
        return -jnp.sum(misfit**2) / 2 + self.prior.log_density(x)


class AbstractEnsembleFlow(AbstractContinuousFlow):
    r"""A diffusion whose noise has a covariance made of the whole ensemble.

    $dx_i = a_i\,dt + B\,dW_i$, Ito, with $B B^\top$ the ``spread``.
    """

    @abc.abstractmethod
    def drift(self, mu: Particles) -> Float[Array, "n d"]:
        """The drift of every particle."""

    @abc.abstractmethod
    def spread(self, mu: Particles) -> Float[Array, "d d"]:
        """Covariance per time of the noise that every particle feels."""

    def velocity(self, mu: Any, t: ArrayLike = 0.0) -> PyTree[Array]:
        del t
        if not isinstance(mu, Particles):
            raise UnsupportedMeasureError(self, mu, "Particles")
        return self.drift(mu), jnp.zeros_like(mu.logw)

    def noise(self, mu: Any, t: ArrayLike = 0.0) -> Noise:
        del t
        if not isinstance(mu, Particles):
            raise UnsupportedMeasureError(self, mu, "Particles")
        # By eigenvectors: an ensemble smaller than the space spans less than it.
        values, vectors = jnp.linalg.eigh(self.spread(mu))
        return Noise(vectors * jnp.sqrt(jnp.maximum(values, 0)), "ito")


def _correction(mu: Particles) -> Float[Array, "n d"]:
    r"""The divergence $\nabla_{x_i}\cdot C$ of the ensemble's covariance C."""
    w = mu.w / mu.mass
    return (mu.dim + 1) * w[:, None] * (mu.x - mu.mean)


class ALDIFlow(AbstractEnsembleFlow):
    r"""Langevin dynamics that takes its step sizes from the ensemble's covariance.

    $dx_i = C\,\nabla\log\pi(x_i)\,dt + (d + 1)\,w_i\,(x_i - \bar x)\,dt +
    \sqrt{2C}\,dW_i$ with the ensemble's covariance C, and $w_i = 1/n$: affine
    invariant, so every linear change of coordinates leaves it as it is. The middle term
    makes the product of targets stationary, whatever the weights; take $n > d + 1$.

    Reference: Garbuno-Inigo, Nuesken, Reich, SIAM J. Appl. Dyn. Syst. 19 (2020),
    equation (2.9).
    """

    log_density: Callable[[Array], Array]

    def __check_init__(self) -> None:
        function(self, "log_density", self.log_density, "one point")

    def drift(self, mu: Particles) -> Float[Array, "n d"]:
        score = jax.vmap(jax.grad(self.log_density))(mu.x)
        return score @ mu.cov + _correction(mu)

    def spread(self, mu: Particles) -> Float[Array, "d d"]:
        return 2 * mu.cov


class GradientFreeALDIFlow(AbstractEnsembleFlow):
    r"""The same for an inverse problem, without any gradient of its forward model.

    ALDI with $C\,\nabla\log\pi(x) \approx C_{xG}\Gamma^{-1}(y - G(x))
    - C S_0^{-1}(x - m_0)$, no gradient of G.

    $C_{xG}$ is the ensemble's covariance of parameters and predictions: exact for
    linear G.

    Raises:
        TypeError: the problem is not a ``GaussianInverseProblem``.

    Reference: Garbuno-Inigo, Nuesken, Reich, SIAM J. Appl. Dyn. Syst. 19 (2020),
    equation (4.4).
    """

    problem: GaussianInverseProblem

    def __check_init__(self) -> None:
        kind = GaussianInverseProblem
        what = "a GaussianInverseProblem, which knows its forward model and data"
        instance(self, "problem", self.problem, kind, what)

    def drift(self, mu: Particles) -> Float[Array, "n d"]:
        problem = self.problem
        predicted = jax.vmap(problem.predict)(mu.x)
        centered = mu.x - mu.mean
        w = mu.w / mu.mass
        across = (w[:, None] * centered).T @ (predicted - w @ predicted)
        pull = (problem.data - predicted) / problem.noise_std**2 @ across.T
        prior = problem.prior
        back = jnp.linalg.solve(prior.cov, (mu.x - prior.mean).T).T @ mu.cov
        return pull - back + _correction(mu)

    def spread(self, mu: Particles) -> Float[Array, "d d"]:
        return 2 * mu.cov


class ConsensusFlow(AbstractEnsembleFlow):
    r"""Consensus-based sampling: particles gather and spread by densities alone.

    $dx_i = -(x_i - m_b)\,dt + \sqrt{2(1+b)\,C_b}\,dW_i$, with mean and covariance under
    the weights $\propto \pi(x_i)^b$. Exact for Gaussian targets in the limit of many
    particles; else it samples about one mode.

    Attributes:
        log_density: of the target, at one point.
        inverse_temperature: b > 0.

    Raises:
        ValueError: an inverse temperature that is not positive.

    Reference: Carrillo, Hoffmann, Stuart, Vaes, Studies in Applied Mathematics 148
    (2022), equation (1.5), sampling mode.
    """

    log_density: Callable[[Array], Array]
    inverse_temperature: Float[Array, ""] = eqx.field(
        converter=real_field("inverse_temperature"), default=1.0
    )

    def __check_init__(self) -> None:
        function(self, "log_density", self.log_density, "one point")
        shape(self, "inverse_temperature", self.inverse_temperature, ())
        positive(self, "inverse_temperature", self.inverse_temperature)

    def _consensus(self, mu: Particles) -> Particles:
        logs = jax.vmap(self.log_density)(mu.x)
        logw = mu.logw + jnp.asarray(self.inverse_temperature, mu.dtype) * logs
        return mu.with_state((mu.x, logw)).normalized()

    def drift(self, mu: Particles) -> Float[Array, "n d"]:
        return self._consensus(mu).mean - mu.x

    def spread(self, mu: Particles) -> Float[Array, "d d"]:
        b = jnp.asarray(self.inverse_temperature, mu.dtype)
        return 2 * (1 + b) * self._consensus(mu).cov
