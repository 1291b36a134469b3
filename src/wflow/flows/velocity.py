"""A law of motion that is a function."""

from collections.abc import Callable
from typing import Any, Self

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from wflow import checks
from wflow.checks import real_field
from wflow.measures import AbstractMeasure, Particles, Point, UnsupportedMeasureError
from wflow.measures.base import State

from .base import AbstractContinuousFlow
from .noise import Noise, check_amplitude


class _OfMeasure(eqx.Module):
    """A function of a whole measure and a time."""

    f: Callable[[Any, ArrayLike], Any]

    def __call__(self, mu: Any, t: ArrayLike) -> Any:
        return self.f(mu, t)


class VelocityFlow(AbstractContinuousFlow[AbstractMeasure]):
    r"""Motion along a velocity field: any function or network of place and time.

    $dx = f(x, t)\,dt + \sigma\,dW$.

    ``f(x, t)`` takes one point and a time and gives the velocity there: any function,
    or an Equinox module, whose arrays are then parameters of the law. On Particles
    every particle moves by it and keeps its weight; a ``Point`` moves as a whole.
    ``VelocityFlow.of_measure(f)`` takes ``f(mu, t)`` of the whole measure.

    Args:
        f: the velocity (length per time) at a point, shaped like it: ``(d,)`` on
            Particles.
        noise: $\sigma$ (length per root of time): a number, one for every coordinate
            ``(d,)``, or a matrix ``(d, d)`` for noise along any axes; None is none.

    Raises:
        TypeError: ``f`` is no function, or the noise no number.
        ValueError: a noise of another shape, negative or not finite; when it is used, a
            velocity that is not shaped like what moves.

    Examples:
        >>> import jax.numpy as jnp
        >>> import wflow as wf
        >>> turn = wf.VelocityFlow(lambda x, t: jnp.stack([-x[1], x[0]]))
        >>> cloud = wf.Particles.from_samples([[1.0, 0.0]])
        >>> print(jnp.round(wf.solve(turn, cloud, 0.0, jnp.pi)[-1].x[0, 0], 3))
        -1.0
    """

    f: Callable[..., Any]
    amplitude: Float[Array, "..."] | None

    def __init__(
        self,
        f: Callable[[Any, ArrayLike], Any],
        noise: Float[ArrayLike, "..."] | None = None,
    ):
        """Make the law of a function of one point and the time."""
        self.f = f
        self.amplitude = real_field("noise", optional=True)(noise)

    def __check_init__(self) -> None:
        if not isinstance(self.f, _OfMeasure):
            checks.function(self, "f", self.f, "a point and a time")
        if self.amplitude is not None:
            check_amplitude(self, "noise", self.amplitude)

    @classmethod
    def of_measure(
        cls,
        f: Callable[[Any, ArrayLike], Any],
        noise: Float[ArrayLike, "..."] | None = None,
    ) -> Self:
        r"""The law $\dot\mu = f(\mu, t)$ of a function of the whole measure.

        Args:
            f: gives the rate of the measure's ``state``; on Particles the velocities
                ``(n, d)`` alone will do, the weights then stand still.
            noise: as of the class.

        Raises:
            TypeError: ``f`` is no function.
        """
        checks.function(cls.__name__, "f", f, "the measure and a time")
        return cls(_OfMeasure(f), noise)

    @property
    def of_whole(self) -> bool:
        """Whether f is a function of the whole measure."""
        return isinstance(self.f, _OfMeasure)

    def velocity(self, mu: AbstractMeasure, t: ArrayLike = 0.0) -> State:
        match mu:
            case _ if isinstance(self.f, _OfMeasure):
                rates = self.f(mu, t)
                if isinstance(mu, Particles) and eqx.is_array(rates):
                    rates = rates, jnp.zeros_like(mu.logw)
            case Particles():
                velocity = jax.vmap(lambda x: self.f(x, t))(mu.x)
                rates = velocity, jnp.zeros_like(mu.logw)
            case Point():
                rates = eqx.filter(self.f(mu.value, t), eqx.is_inexact_array)
            case _:
                raise UnsupportedMeasureError(
                    self, mu, "Particles and Point, and by its of_measure on any"
                )
        expected, found = (jax.tree.map(jnp.shape, tree) for tree in (mu.state, rates))
        if expected != found:
            raise ValueError(
                f"VelocityFlow: expected f to give a velocity of shape {expected} on "
                f"{type(mu).__name__}, found {found}."
            )
        return jax.tree.map(lambda rate, at: rate.astype(at.dtype), rates, mu.state)

    def noise(self, mu: AbstractMeasure, t: ArrayLike = 0.0) -> Noise | None:
        del mu, t
        return None if self.amplitude is None else Noise(self.amplitude)
