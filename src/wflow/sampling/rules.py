"""Rules for integrals against the standard normal law, with nodes that all share."""

import abc
from typing import Self

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from wflow.checks import count, random_key


# A tensor rule with more nodes than this costs more than what it is good for.
_MAX_NODES = 4096


class AbstractRule(eqx.Module):
    r"""A quadrature rule of the standard normal law.

    $\int f\,dN(0, I) \approx \sum_q b_q f(z_q)$, $b_q > 0$, $\sum_q b_q = 1$.
    """

    @abc.abstractmethod
    def nodes(self, dim: int) -> tuple[Float[Array, "q dim"], Float[Array, " q"]]:
        """Nodes and weights in ``dim`` dimensions, the same at every call."""

    def redrawn(self, key: PRNGKeyArray) -> Self:
        """The same rule with other nodes, where they are random."""
        del key
        return self


class GaussHermite(AbstractRule):
    """Tensor Gauss-Hermite with ``order`` nodes an axis: for a few dimensions.

    Raises:
        ValueError: ``order < 1``, or more than 4096 nodes in all.
    """

    order: int = eqx.field(static=True, default=3)

    def __check_init__(self) -> None:
        count(self, "order", self.order)

    def nodes(self, dim: int) -> tuple[Float[Array, "q dim"], Float[Array, " q"]]:
        count(self, "dim", dim)
        if self.order**dim > _MAX_NODES:
            raise ValueError(
                f"GaussHermite: {self.order}^{dim} nodes in {dim} dimensions; take "
                "MonteCarlo or RadialSpherical."
            )
        z, b = np.polynomial.hermite_e.hermegauss(self.order)
        z, b = (np.stack(np.meshgrid(*[a] * dim, indexing="ij"), -1) for a in (z, b))
        b = np.prod(b.reshape(-1, dim), axis=1)
        return jnp.asarray(z.reshape(-1, dim)), jnp.asarray(b / b.sum())


class MonteCarlo(AbstractRule):
    """``size`` draws with equal weights, fixed by ``key``.

    Raises:
        ValueError: ``size < 1``.
    """

    size: int = eqx.field(static=True)
    key: PRNGKeyArray

    def __check_init__(self) -> None:
        count(self, "size", self.size)
        random_key(self, "key", self.key)

    def nodes(self, dim: int) -> tuple[Float[Array, "q dim"], Float[Array, " q"]]:
        count(self, "dim", dim)
        z = jax.random.normal(self.key, (self.size, dim))
        return z, jnp.full(self.size, 1 / self.size)

    def redrawn(self, key: PRNGKeyArray) -> Self:
        return type(self)(self.size, key)


class RadialSpherical(AbstractRule):
    """Random ``directions``, and Gauss-Laguerre with ``radii`` nodes along each.

    Along a direction it is exact for polynomials in the squared radius.

    Raises:
        ValueError: ``directions < 1`` or ``radii < 1``.
    """

    directions: int = eqx.field(static=True)
    key: PRNGKeyArray
    radii: int = eqx.field(static=True, default=3)

    def __check_init__(self) -> None:
        count(self, "directions", self.directions)
        count(self, "radii", self.radii)
        random_key(self, "key", self.key)

    def nodes(self, dim: int) -> tuple[Float[Array, "q dim"], Float[Array, " q"]]:
        count(self, "dim", dim)
        # |z|^2 / 2 has the Gamma law of shape d/2: Golub, Welsch, Math. Comp. 23 (1969)
        # with the Jacobi matrix of the Laguerre polynomials.
        a, n = dim / 2 - 1, np.arange(self.radii)
        off = np.sqrt((n[:-1] + 1) * (n[:-1] + 1 + a))
        t, vectors = np.linalg.eigh(np.diag(2 * n + 1 + a) + np.diag(off, 1).T)
        b = np.repeat(vectors[0] ** 2, self.directions) / self.directions
        u = jax.random.normal(self.key, (self.directions, dim))
        u = u / jnp.linalg.norm(u, axis=1, keepdims=True)
        z = jnp.sqrt(2 * jnp.asarray(t))[:, None, None] * u
        return z.reshape(-1, dim), jnp.asarray(b)

    def redrawn(self, key: PRNGKeyArray) -> Self:
        return type(self)(self.directions, key, self.radii)
