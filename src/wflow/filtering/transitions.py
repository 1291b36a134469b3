"""How a state moves from one observation to the next."""

import abc
from collections.abc import Callable
from typing import Any

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import lineax
from jax.core import Tracer
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from wflow.checks import real_field
from wflow.parameters import Learnable
from wflow.solve.noise import StepNoise


# A drift or a map: of the state ``(d,)`` and the time.
Field = Callable[[Float[Array, " d"], Float[ArrayLike, ""]], Float[Array, " d"]]


class AbstractTransition(eqx.Module):
    """The motion over one interval between observations.

    ``interval`` is the time from one observation to the next.
    """

    interval: eqx.AbstractVar[Float[Array, ""]]

    @abc.abstractmethod
    def __call__(
        self, x: Float[Array, " d"], t: Float[ArrayLike, ""], key: PRNGKeyArray
    ) -> Float[Array, " d"]:
        """The state ``interval`` after it was ``x`` at time ``t``."""


class AbstractMap(AbstractTransition):
    """A motion without noise."""

    @abc.abstractmethod
    def advance(
        self, x: Float[Array, " d"], t: Float[ArrayLike, ""]
    ) -> Float[Array, " d"]:
        """The state ``interval`` after it was ``x`` at time ``t``."""

    def __call__(
        self, x: Float[Array, " d"], t: Float[ArrayLike, ""], key: PRNGKeyArray
    ) -> Float[Array, " d"]:
        del key
        return self.advance(x, t)


class DiscreteMap(AbstractMap):
    """$x_{k+1} = f(x_k, t_k)$, with ``interval`` between the two times."""

    function: Field
    interval: Float[Array, ""] = eqx.field(
        converter=real_field("interval"), default=1.0
    )

    def advance(
        self, x: Float[Array, " d"], t: Float[ArrayLike, ""]
    ) -> Float[Array, " d"]:
        return self.function(x, t).astype(x.dtype)


class RungeKutta4(AbstractMap):
    r"""$\dot x = f(x, t)$ by ``steps`` steps of length ``dt`` of the classical scheme.

    Reference: Hairer, Norsett, Wanner, Solving Ordinary Differential Equations I,
    table II.1.2.

    Raises:
        ValueError: steps below 1, or dt not above 0.
    """

    drift: Field
    dt: Float[Array, ""] = eqx.field(converter=real_field("dt"))
    steps: int = eqx.field(static=True, default=1)

    def __check_init__(self) -> None:
        _check_steps(self, self.steps)
        _check_positive(self, dt=self.dt)

    @property
    def interval(self) -> Float[Array, ""]:
        """Time from one observation to the next."""
        return self.steps * self.dt

    def advance(
        self, x: Float[Array, " d"], t: Float[ArrayLike, ""]
    ) -> Float[Array, " d"]:
        h = self.dt.astype(x.dtype)
        t = jnp.asarray(t, x.dtype)

        def step(x: Array, number: Array) -> tuple[Array, None]:
            s = t + h * number.astype(x.dtype)
            k1 = self.drift(x, s)
            k2 = self.drift(x + h / 2 * k1, s + h / 2)
            k3 = self.drift(x + h / 2 * k2, s + h / 2)
            k4 = self.drift(x + h * k3, s + h)
            return (x + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)).astype(x.dtype), None

        # Steps are recomputed in reverse mode: memory for their ends alone.
        body = jax.checkpoint(step, prevent_cse=False)
        return jax.lax.scan(body, x, jnp.arange(self.steps))[0]


class AdaptiveODE(AbstractMap):
    r"""$\dot x = f(x, t)$ by Diffrax with steps that keep to tolerances.

    A solve that does not finish in ``max_steps`` gives nan.

    Raises:
        ValueError: interval or a tolerance not above 0.
    """

    drift: Field
    interval: Float[Array, ""] = eqx.field(converter=real_field("interval"))
    rtol: float = eqx.field(static=True, default=1e-6)
    atol: float = eqx.field(static=True, default=1e-6)
    solver: diffrax.AbstractAdaptiveSolver = eqx.field(default_factory=diffrax.Tsit5)
    max_steps: int = eqx.field(static=True, default=4096)

    def __check_init__(self) -> None:
        _check_positive(self, interval=self.interval, rtol=self.rtol, atol=self.atol)

    def advance(
        self, x: Float[Array, " d"], t: Float[ArrayLike, ""]
    ) -> Float[Array, " d"]:
        t = jnp.asarray(t, x.dtype)
        solution: Any = diffrax.diffeqsolve(
            diffrax.ODETerm(lambda s, y, _: self.drift(y, s).astype(y.dtype)),
            self.solver,
            t,
            t + self.interval.astype(x.dtype),
            None,
            x,
            stepsize_controller=diffrax.PIDController(self.rtol, self.atol),
            max_steps=self.max_steps,
            throw=False,
        )
        done = solution.result == diffrax.RESULTS.successful
        return jnp.where(done, solution.ys[0], jnp.nan)


class EulerMaruyama(AbstractTransition):
    r"""$dx = f(x, t)\,dt + \sigma(x, t)\,dW$ (Ito), ``steps`` steps by Diffrax.

    ``diffusion`` is $\sigma$, one number a component: ``(d,)`` or a scalar.

    Raises:
        ValueError: steps below 1, or interval not above 0.
    """

    drift: Field
    diffusion: Field
    interval: Float[Array, ""] = eqx.field(converter=real_field("interval"))
    steps: int = eqx.field(static=True, default=1)

    def __check_init__(self) -> None:
        _check_steps(self, self.steps)
        _check_positive(self, interval=self.interval)

    def __call__(
        self, x: Float[Array, " d"], t: Float[ArrayLike, ""], key: PRNGKeyArray
    ) -> Float[Array, " d"]:
        interval = self.interval.astype(x.dtype)
        ts = t + interval * jnp.linspace(0, 1, self.steps + 1, dtype=x.dtype)

        def sigma(s: Array, y: Array, _: None) -> lineax.DiagonalLinearOperator:
            values = jnp.asarray(self.diffusion(y, s), y.dtype)
            return lineax.DiagonalLinearOperator(jnp.broadcast_to(values, y.shape))

        terms = diffrax.MultiTerm(
            diffrax.ODETerm(lambda s, y, _: self.drift(y, s).astype(y.dtype)),
            diffrax.ControlTerm(sigma, StepNoise(ts=ts, like=x, key=key)),
        )
        solution: Any = diffrax.diffeqsolve(
            terms,
            diffrax.Euler(),
            ts[0],
            ts[-1],
            None,
            x,
            stepsize_controller=diffrax.StepTo(ts),
            max_steps=self.steps,
            throw=False,
        )
        return solution.ys[0]


def _check_steps(owner: object, steps: int) -> None:
    if steps < 1:
        raise ValueError(f"{type(owner).__name__}: expected steps >= 1, found {steps}.")


def _check_positive(owner: object, **values: ArrayLike) -> None:
    for name, value in values.items():
        if isinstance(value, Tracer | jax.ShapeDtypeStruct | Learnable):
            continue
        if not 0 < float(value) < float("inf"):
            raise ValueError(
                f"{type(owner).__name__}: expected {name} > 0, found {value}."
            )
