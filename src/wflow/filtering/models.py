"""State-space models."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, DTypeLike, Float, PRNGKeyArray

from wflow import checks
from wflow.checks import real_field

from .observations import AbstractObservation
from .transitions import AbstractTransition


class StateSpace(eqx.Module):
    r"""A system that moves unseen and is observed at intervals: what a filter follows.

    $x_k = f(x_{k-1}) + B\xi_k$, $y_k \sim p(\cdot|x_k)$.

    Attributes:
        transition: f, the motion over one interval between observations.
        observation: the law of an observation given the state.
        noise: B, ``(d, r)``, of the model noise $N(0, BB^\top)$ that each interval
            adds at its end; None for none.

    Raises:
        ValueError: noise is not a finite matrix; at the call, it has another number of
            rows than the state, or a step changes the shape of the state.
        TypeError: transition or observation does not fulfill its contract.
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
