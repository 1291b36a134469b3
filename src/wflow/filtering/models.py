"""State-space models, and experiments with them in which the truth is known."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from wflow.checks import real_field, to_real
from wflow.parameters import Learnable, unwrap

from .observations import AbstractObservation
from .transitions import AbstractTransition


class StateSpace(eqx.Module):
    r"""$x_k = f(x_{k-1}) + B\xi_k$, $y_k \sim p(\cdot|x_k)$.

    Attributes:
        transition: f, the motion over one interval between observations.
        observation: the law of an observation given the state.
        noise: B, ``(d, r)``, of the model noise $N(0, BB^\top)$ that each interval
            adds at its end; None for none.

    Raises:
        ValueError: noise is not a finite matrix.
    """

    transition: AbstractTransition
    observation: AbstractObservation
    noise: Float[Array, "d r"] | None = eqx.field(
        converter=real_field("noise", optional=True), default=None
    )

    def __check_init__(self) -> None:
        if self.noise is None or isinstance(self.noise, Learnable):
            return
        if jnp.ndim(self.noise) != 2:
            raise ValueError(
                "StateSpace: expected noise of shape (d, r), found "
                f"{jnp.shape(self.noise)}."
            )
        concrete = not isinstance(self.noise, Tracer | jax.ShapeDtypeStruct)
        if concrete and not np.isfinite(np.asarray(self.noise)).all():
            raise ValueError("StateSpace: noise is not finite.")

    @property
    def interval(self) -> Float[Array, ""]:
        """Time from one observation to the next."""
        return self.transition.interval

    def step(
        self, x: Float[Array, " d"], t: Float[ArrayLike, ""], key: PRNGKeyArray
    ) -> Float[Array, " d"]:
        """The state one observation interval after time ``t``."""
        if self.noise is None:
            return self.transition(x, t, key)
        path_key, noise_key = jax.random.split(key)
        xi = jax.random.normal(noise_key, self.noise.shape[1:], x.dtype)
        return self.transition(x, t, path_key) + self.noise.astype(x.dtype) @ xi


class Twin(eqx.Module):
    """A true trajectory and what was observed of it.

    Attributes:
        times: of the observations, ``(T,)``.
        truth: states at these times, ``(T, d)``.
        observed: ``(T, p)``.
    """

    times: Float[Array, " T"]
    truth: Float[Array, "T d"]
    observed: Float[Array, "T p"]


def observation_times(model: StateSpace, t0: ArrayLike, cycles: int) -> Array:
    r"""$t_0 + k\,\Delta t$, $k = 1, \dots$: when observations are made."""
    numbers = jnp.arange(1, cycles + 1, dtype=model.interval.dtype)
    return jnp.asarray(t0, model.interval.dtype) + numbers * model.interval


@eqx.filter_jit
def twin(
    model: StateSpace,
    x0: Float[Array, " d"],
    cycles: int,
    key: PRNGKeyArray,
    *,
    t0: Float[ArrayLike, ""] = 0.0,
) -> Twin:
    """A trajectory of the model from ``x0`` at ``t0``, observed ``cycles`` times."""
    model, x0 = unwrap(model), to_real(x0, "x0")
    times = observation_times(model, t0, cycles)

    def cycle(x: Array, item: tuple[Array, Array]) -> tuple[Array, tuple[Array, Array]]:
        end, key = item
        step_key, observation_key = jax.random.split(key)
        x = model.step(x, end - model.interval, step_key).astype(x0.dtype)
        return x, (x, model.observation.simulate(x, observation_key))

    keys = jax.random.split(key, cycles)
    _, (truth, observed) = jax.lax.scan(cycle, x0, (times, keys))
    return Twin(times, truth, observed)
