"""Targets on which samplers are compared, with exact draws and exact moments."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from wflow.checks import count, random_key, shape
from wflow.measures import AbstractDensity, GaussianMixture


# Scales and shifts of the three components, and the map that shrinks their sum.
_SCALES = np.array([[1.0, 3.0], [2.0, 2.0], [5.0, 3.0]])
_SHIFTS = np.array([[-5.0, 10.0], [4.0, 10.0], [0.0, -15.0]])
_MAP = np.array([[0.197907, 0.000539511], [0.000539511, 0.0911001]])
_OFFSET = np.array([0.0, 0.25])
# The bent component's first variable, cut off where its law is below rounding.
_REACH = 8.5


class Joker(AbstractDensity):
    r"""A face in the plane, two eyes and a smile: a test target that is no Gaussian.

    $x = A\,u_c + b$, $c \in \{1, 2, 3\}$ alike, $z \sim N(0, I)$ in the plane: $u_1 =
    (z_1 - 5,\,3z_2 + 10)$, $u_2 = (2z_1 + 4,\,2z_2 + 10)$, $u_3 = (5z_1,\, 3(z_2 +
    z_1^2) - 15)$. A is symmetric.

    Reference: the public code of arXiv:2605.14142.
    """

    def log_density(self, x: Float[Array, " 2"]) -> Float[Array, ""]:
        shape(self, "x", x, (2,))
        matrix, offset, scales, shifts = _constants(x.dtype)
        z = (jnp.linalg.solve(matrix, x - offset) - shifts) / scales
        z = z.at[2, 1].add(-(z[2, 0] ** 2))
        logs = -jnp.sum(z**2, axis=1) / 2 - jnp.sum(jnp.log(scales), axis=1)
        log_det = jnp.linalg.slogdet(matrix)[1] + jnp.log(2 * jnp.pi)
        return jax.nn.logsumexp(logs) - jnp.log(3.0) - log_det

    def sample(self, key: PRNGKeyArray, n: int) -> Float[Array, "n 2"]:
        count("Joker.sample", "n", n)
        which, noise = jax.random.split(random_key("Joker.sample", "key", key))
        z = jax.random.normal(noise, (n, 2))
        matrix, offset, scales, shifts = _constants(z.dtype)
        c = jax.random.choice(which, 3, (n,))
        bent = z.at[:, 1].add(jnp.where(c == 2, z[:, 0] ** 2, 0))
        return (scales[c] * bent + shifts[c]) @ matrix.T + offset

    @property
    def mean(self) -> Float[Array, " 2"]:
        """Mean of the law."""
        return jnp.asarray(_MAP @ _moments()[0] + _OFFSET)

    @property
    def cov(self) -> Float[Array, "2 2"]:
        """Covariance of the law."""
        return jnp.asarray(_MAP @ _moments()[1] @ _MAP)

    def lines(self, nodes: int = 257) -> GaussianMixture:
        r"""The law with $z_1$ of the bent component on a grid of ``nodes`` points.

        A mixture of flat Gaussians, for the integrals of smooth functions: kernel
        embeddings are exact to rounding where the bandwidth is well above the spacing
        ($17 / \mathtt{nodes}$, in x). It has no density.

        Raises:
            ValueError: fewer than two nodes.
        """
        count("Joker.lines", "nodes", nodes, 2)
        # The trapezoidal rule: for an analytic function of this decay it converges
        # faster than any power of the spacing.
        z = np.linspace(-_REACH, _REACH, nodes)
        mass = np.exp(-(z**2) / 2)
        bent = np.stack([5 * z, 3 * z**2 - 15], axis=1)
        centers = np.concatenate([_SHIFTS[:2], bent])
        variances = np.concatenate([_SCALES[:2] ** 2, np.tile([0.0, 9.0], (nodes, 1))])
        return GaussianMixture(
            centers @ _MAP + _OFFSET,
            np.einsum("ai,ki,ib->kab", _MAP, variances, _MAP),
            np.concatenate([[1, 1], mass / mass.sum()]) / 3,
        )


def _constants(dtype: np.dtype) -> tuple[Array, Array, Array, Array]:
    found = (jnp.asarray(a, dtype) for a in (_MAP, _OFFSET, _SCALES, _SHIFTS))
    matrix, offset, scales, shifts = found
    return matrix, offset, scales, shifts


def _moments() -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of u: the bent component has E z^2 = 1, Var z^2 = 2."""
    means = _SHIFTS + np.array([[0, 0], [0, 0], [0, 3.0]])
    variances = _SCALES**2 * np.array([[1, 1], [1, 1], [1, 3.0]])
    centered = means - means.mean(axis=0)
    return means.mean(axis=0), np.diag(
        variances.mean(axis=0)
    ) + centered.T @ centered / 3
