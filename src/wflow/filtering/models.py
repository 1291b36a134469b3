"""State-space models, and experiments with them in which the truth is known."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, DTypeLike, Float, PRNGKeyArray

from wflow import checks
from wflow.checks import real_field, to_real
from wflow.parameters import unwrap

from .observations import AbstractObservation, check_observed
from .transitions import AbstractTransition


class StateSpace(eqx.Module):
    r"""$x_k = f(x_{k-1}) + B\xi_k$, $y_k \sim p(\cdot|x_k)$.

    Attributes:
        transition: f, the motion over one interval between observations.
        observation: the law of an observation given the state.
        noise: B, ``(d, r)``, of the model noise $N(0, BB^\top)$ that each interval
            adds at its end; None for none.

    Raises:
        ValueError: noise is not a finite matrix; at the call, it has another number of
            rows than the state, or a step changes the shape of the state.
        TypeError: transition or observation does not fulfil its contract.
    """

    transition: AbstractTransition
    observation: AbstractObservation
    noise: Float[Array, "d r"] | None = eqx.field(
        converter=real_field("noise", optional=True), default=None
    )

    def __check_init__(self) -> None:
        checks.instance(
            self,
            "transition",
            self.transition,
            AbstractTransition,
            "a transition (AbstractTransition)",
        )
        checks.instance(
            self,
            "observation",
            self.observation,
            AbstractObservation,
            "a law of observations (AbstractObservation)",
        )
        if self.noise is not None:
            checks.shape(self, "noise", self.noise, ("d", "r"))
            checks.finite(self, "noise", self.noise)

    @property
    def interval(self) -> Float[Array, ""]:
        """Time from one observation to the next."""
        return self.transition.interval

    def step(
        self, x: Float[Array, " d"], t: Float[ArrayLike, ""], key: PRNGKeyArray
    ) -> Float[Array, " d"]:
        """The state one observation interval after time ``t``."""
        noise = self.noise_of(x.shape[0])
        if noise is None:
            return self._moved(x, t, key)
        path_key, noise_key = jax.random.split(key)
        xi = jax.random.normal(noise_key, noise.shape[1:], x.dtype)
        return self._moved(x, t, path_key) + noise.astype(x.dtype) @ xi

    def noise_of(self, dim: int) -> Float[Array, "d r"] | None:
        """B, for a state of ``dim`` components.

        Raises:
            ValueError: it has another number of rows.
        """
        if self.noise is not None:
            checks.shape(self, "noise", self.noise, (dim, "r"))
        return self.noise

    def _moved(
        self, x: Float[Array, " d"], t: Float[ArrayLike, ""], key: PRNGKeyArray
    ) -> Float[Array, " d"]:
        end = self.transition(x, t, key)
        return checks.returned(self, "transition", end, x.shape, x.dtype)


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


def check_clock(
    owner: str,
    model: StateSpace,
    t0: ArrayLike,
    cycles: ArrayLike,
    dtype: DTypeLike,
) -> None:
    """Refuse times so late that their floats do not tell one cycle from the next.

    Args:
        owner: for the sentence.
        model: gives the interval.
        t0: time before the first cycle.
        cycles: number of the last.
        dtype: of the times.

    Raises:
        ValueError: ``t0`` is no finite number, or the times are too late.
        TypeError: ``t0`` is no number.
    """
    checks.shape(owner, "t0", t0, ())
    checks.finite(owner, "t0", t0)
    begin, length = checks.known(t0), checks.known(model.interval)
    last = checks.known(cycles)
    if begin is None or length is None or last is None:
        return
    end = max(abs(float(begin)), abs(float(begin) + float(last) * float(length)))
    if end * float(jnp.finfo(dtype).eps) > float(length) / 2:
        raise ValueError(
            f"{owner}: in {jnp.dtype(dtype)}, times near {end:.10g} cannot be told "
            f"apart at an interval of {float(length):.6g}; set t0 nearer to 0, or "
            "compute in float64."
        )


def twin(
    model: StateSpace,
    x0: Float[ArrayLike, " d"],
    cycles: int,
    key: PRNGKeyArray,
    *,
    t0: Float[ArrayLike, ""] = 0.0,
) -> Twin:
    """A trajectory of the model from ``x0`` at ``t0``, observed ``cycles`` times.

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
