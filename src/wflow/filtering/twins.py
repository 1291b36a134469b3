"""Experiments with a model in which the truth is known."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from wflow import checks
from wflow.checks import to_real
from wflow.parameters.learnable import unwrap

from .models import StateSpace, check_clock
from .observations import check_observed


class Twin(eqx.Module):
    """A true trajectory and what was observed of it.

    Attributes:
        times: of the observations, ``(T,)``.
        truth: states at these times, ``(T, d)``.
        observed: ``(T, p)``; nan where missing.

    Raises:
        ValueError: shapes that do not fit together, times that do not increase, a truth
            that is not finite, or an observation that is infinite.
    """

    times: Float[Array, " T"]
    truth: Float[Array, "T d"]
    observed: Float[Array, "T p"]

    def __check_init__(self) -> None:
        checks.shape(self, "times", self.times, ("T",))
        cycles = jnp.shape(self.times)[0]
        checks.shape(self, "truth", self.truth, (cycles, "d"))
        checks.shape(self, "observed", self.observed, (cycles, "p"))
        checks.increasing(self, "times", self.times)
        checks.finite(self, "truth", self.truth)
        check_observed(self, "observed", self.observed)


def twin(
    model: StateSpace,
    x0: Float[ArrayLike, " d"],
    cycles: int,
    key: PRNGKeyArray,
    *,
    t0: Float[ArrayLike, ""] = 0.0,
) -> Twin:
    """A made-up truth and its observations, to test a filter on: a twin experiment.

    A trajectory of the model from ``x0`` at ``t0``, observed ``cycles`` times.

    Args:
        model: the system.
        x0: where the truth starts, ``(d,)``.
        cycles: number of observations.
        key: random key of the model's noise and of the errors.
        t0: the time of ``x0``.

    Raises:
        ValueError: x0 is no finite vector, cycles below 1, times that their precision
            cannot tell apart, or parts of the model that do not fit x0.
        TypeError: model is none, cycles no whole number, or key no random key.
    """
    checks.instance("twin", "model", model, StateSpace, "a StateSpace")
    x0 = to_real(x0, "x0")
    checks.shape("twin", "x0", x0, ("d",))
    checks.finite("twin", "x0", x0)
    x0 = checks.at_least_single(x0)
    checks.count("twin", "cycles", cycles)
    checks.random_key("twin", "key", key)
    model = unwrap(model)
    dtype = model.interval.dtype
    check_clock("twin", model, t0, cycles, dtype)
    return _twin(model, x0, cycles, key, jnp.asarray(t0, dtype))


@eqx.filter_jit
def _twin(
    model: StateSpace,
    x0: Float[Array, " d"],
    cycles: int,
    key: PRNGKeyArray,
    t0: Float[Array, ""],
) -> Twin:
    numbers = jnp.arange(cycles + 1, dtype=t0.dtype)
    times = t0 + numbers * model.interval

    def cycle(x: Array, item: tuple[Array, Array]) -> tuple[Array, tuple[Array, Array]]:
        begin, key = item
        step_key, observation_key = jax.random.split(key)
        x = model.step(x, begin, step_key).astype(x0.dtype)
        return x, (x, model.observation.simulate(x, observation_key))

    keys = jax.random.split(key, cycles)
    _, (truth, observed) = jax.lax.scan(cycle, x0, (times[:-1], keys))
    return Twin(times[1:], truth, observed)
