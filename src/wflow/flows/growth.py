"""Birth and death at a rate of place and time: what makes mass grow and shrink."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from wflow.checks import function, random_key
from wflow.energies.neural import TimeEmbedding, check_sizes
from wflow.measures import Grid, Particles, Phase, UnsupportedMeasureError
from wflow.measures.base import State

from .base import AbstractContinuousFlow


# Growth per time of what is at a point (d,) at a time.
Rate = Callable[[Array, ArrayLike], Array]


class NeuralRate(eqx.Module):
    """A multilayer perceptron for the rate of a ``GrowthFlow``, zero until trained."""

    mlp: eqx.nn.MLP
    time: TimeEmbedding | None

    def __init__(
        self,
        dim: int,
        *,
        width: int = 32,
        depth: int = 2,
        time_dim: int = 0,
        key: PRNGKeyArray,
    ):
        """Make a rate on R^dim; with ``time_dim > 0`` it depends on time.

        Raises:
            TypeError: a size is no whole number, or ``key`` no key.
            ValueError: a size is too small.
        """
        check_sizes(self, dim, width, depth, time_dim)
        random_key(self, "key", key)
        a, b = jax.random.split(key)
        mlp = eqx.nn.MLP(
            dim + time_dim, "scalar", width, depth, activation=jax.nn.silu, key=a
        )
        self.mlp = eqx.tree_at(
            lambda m: (m.layers[-1].weight, m.layers[-1].bias),
            mlp,
            replace_fn=jnp.zeros_like,
        )
        self.time = TimeEmbedding(time_dim, key=b) if time_dim else None

    def __call__(self, x: Float[Array, " d"], t: ArrayLike) -> Float[Array, ""]:
        """Growth per time at ``x``."""
        if self.time is not None:
            x = jnp.concatenate([x, self.time(t)])
        return self.mlp(x)


class GrowthFlow(AbstractContinuousFlow[Particles | Grid | Phase]):
    r"""Mass that grows and dies in place, at a rate that depends on the place.

    $\partial_t\mu = g(x, t)\,\mu$: what is at x multiplies at the rate g.

    ``rate(x, t)`` takes one point. On Particles the log-weights move, on a Grid the
    density; nothing moves in space, and velocities stay as they are. Add it to a law of
    motion: ``LagrangianFlow(...) + GrowthFlow(NeuralRate(...))``. It has no energy; a
    rate $-\delta F/\delta\mu$ is ``GradientFlow(F, FisherRao(conserve_mass=False))``.

    Raises:
        TypeError: ``rate`` is no function.

    Examples:
        >>> import wflow as wf
        >>> flow = wf.GrowthFlow(lambda x, t: x[0])  # grows on the right only
        >>> cloud = wf.Particles.from_samples([[-1.0], [1.0]])
        >>> print(round(float(wf.solve(flow, cloud, 0.0, 1.0)[-1].mass), 3))  # cosh(1)
        1.543
    """

    rate: Rate

    def __check_init__(self) -> None:
        function(self, "rate", self.rate, "a point and a time")

    def rates(self, x: Float[Array, "n d"], t: ArrayLike = 0.0) -> Float[Array, " n"]:
        """The rate at every point of ``x``."""
        values = jax.vmap(lambda point: jnp.asarray(self.rate(point, t), x.dtype))(x)
        if values.ndim != 1:
            raise ValueError(
                "GrowthFlow: expected a rate that gives a number at a point, found "
                f"shape {values.shape[1:]}."
            )
        return values

    def velocity(self, mu: Particles | Grid | Phase, t: ArrayLike = 0.0) -> State:
        match mu:
            case Phase(measure=(Particles() | Grid()) as law):
                rest = jax.tree.map(jnp.zeros_like, mu.velocity)
                return self.velocity(law, t), rest
            case Particles():
                return jnp.zeros_like(mu.x), self.rates(mu.x, t)
            case Grid():
                rates = self.rates(mu.centers.reshape(-1, mu.dim), t)
                return rates.reshape(mu.density.shape) * mu.density
        raise UnsupportedMeasureError(self, mu, "Particles or Grid, or a Phase of them")
