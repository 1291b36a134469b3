"""How a state moves from one observation to the next."""

import abc
from collections.abc import Callable
from typing import Any

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import lineax
import numpy as np
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from wflow import checks
from wflow.checks import real_field
from wflow.solvers.noise import StepNoise

from .base import check_number


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
    """A motion that is a map from one observation to the next.

    $x_{k+1} = f(x_k, t_k)$, with ``interval`` between the two times.

    Raises:
        ValueError: interval not above 0; at the call, a state of another shape, or
            complex numbers.
        TypeError: function is none.
    """

    function: Field
    interval: Float[Array, ""] = eqx.field(
        converter=real_field("interval"), default=1.0
    )

    def __check_init__(self) -> None:
        checks.function(self, "function", self.function, "x, t")
        check_number(self, "interval", self.interval)

    def advance(
        self, x: Float[Array, " d"], t: Float[ArrayLike, ""]
    ) -> Float[Array, " d"]:
        return _value(self, "function", self.function(x, t), x).astype(x.dtype)


class RungeKutta4(AbstractMap):
    r"""A motion by an ordinary differential equation, with fixed steps of order four.

    $\dot x = f(x, t)$ by ``steps`` steps of length ``dt`` of the classical scheme.

    Attributes:
        drift: f, of the state ``(d,)`` and the time.
        dt: length of a step.
        steps: number of steps between two observations.

    Reference: Hairer, Norsett, Wanner, Solving Ordinary Differential Equations I,
    table II.1.2.

    Raises:
        ValueError: steps below 1, or dt not above 0; at the call, a drift of another
            shape than the state, or complex.
        TypeError: drift is no function, steps no whole number.
    """

    drift: Field
    dt: Float[Array, ""] = eqx.field(converter=real_field("dt"))
    steps: int = eqx.field(static=True, default=1)

    def __check_init__(self) -> None:
        checks.function(self, "drift", self.drift, "x, t")
        checks.count(self, "steps", self.steps)
        check_number(self, "dt", self.dt)

    @property
    def interval(self) -> Float[Array, ""]:
        """Time from one observation to the next."""
        return self.steps * self.dt

    def advance(
        self, x: Float[Array, " d"], t: Float[ArrayLike, ""]
    ) -> Float[Array, " d"]:
        h = self.dt.astype(x.dtype)
        t = jnp.asarray(t, x.dtype)

        def drift(y: Array, s: Array) -> Array:
            return _value(self, "drift", self.drift(y, s), x)

        def step(x: Array, number: Array) -> tuple[Array, None]:
            s = t + h * number.astype(x.dtype)
            k1 = drift(x, s)
            k2 = drift(x + h / 2 * k1, s + h / 2)
            k3 = drift(x + h / 2 * k2, s + h / 2)
            k4 = drift(x + h * k3, s + h)
            return (x + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)).astype(x.dtype), None

        # Steps are recomputed in reverse mode: memory for their ends alone.
        body = jax.checkpoint(step, prevent_cse=False)
        return jax.lax.scan(body, x, jnp.arange(self.steps))[0]


class AdaptiveODE(AbstractMap):
    r"""A motion by an ordinary differential equation, with steps that adapt.

    $\dot x = f(x, t)$ by Diffrax, solved in the time since ``t``, which is added where
    the drift sees it. A solve that does not finish in ``max_steps`` gives nan.

    Attributes:
        drift: f, of the state ``(d,)`` and the time.
        interval: time between two observations.
        rtol: relative tolerance.
        atol: absolute tolerance, in the units of the state.
        solver: of Diffrax; it must estimate its error.
        max_steps: of one interval.

    Raises:
        ValueError: interval or a tolerance not above 0, max_steps below 1; at the call,
            a drift of another shape than the state, or complex.
        TypeError: drift is no function, solver no adaptive solver of Diffrax.
    """

    drift: Field
    interval: Float[Array, ""] = eqx.field(converter=real_field("interval"))
    rtol: float = eqx.field(static=True, default=1e-6)
    atol: float = eqx.field(static=True, default=1e-6)
    solver: diffrax.AbstractAdaptiveSolver = eqx.field(default_factory=diffrax.Tsit5)
    max_steps: int = eqx.field(static=True, default=4096)

    def __check_init__(self) -> None:
        checks.function(self, "drift", self.drift, "x, t")
        for name in ("interval", "rtol", "atol"):
            check_number(self, name, getattr(self, name))
        checks.instance(
            self,
            "solver",
            self.solver,
            diffrax.AbstractAdaptiveSolver,
            "an adaptive solver of Diffrax",
        )
        checks.count(self, "max_steps", self.max_steps)

    def advance(
        self, x: Float[Array, " d"], t: Float[ArrayLike, ""]
    ) -> Float[Array, " d"]:
        interval = self.interval.astype(x.dtype)
        solution: Any = diffrax.diffeqsolve(
            diffrax.ODETerm(_since(self, self.drift, t)),
            self.solver,
            jnp.zeros_like(interval),
            interval,
            None,
            x,
            stepsize_controller=diffrax.PIDController(self.rtol, self.atol),
            max_steps=self.max_steps,
            throw=False,
        )
        done = solution.result == diffrax.RESULTS.successful
        return jnp.where(done, solution.ys[0], jnp.nan)


class EulerMaruyama(AbstractTransition):
    r"""A motion by a stochastic differential equation, with fixed steps.

    $dx = f(x, t)\,dt + \sigma(x, t)\,dW$ (Ito), by Diffrax. Steps are taken in the time
    since ``t``, which is added where the two functions see it.

    Attributes:
        drift: f, of the state ``(d,)`` and the time.
        diffusion: $\sigma$ of the same, one number a component: ``(d,)`` or a scalar.
        interval: time between two observations.
        steps: their number in one interval.

    Raises:
        ValueError: steps below 1, or interval not above 0; at the call, a drift or
            diffusion of another shape, or complex.
        TypeError: drift or diffusion is no function, steps no whole number.
    """

    drift: Field
    diffusion: Field
    interval: Float[Array, ""] = eqx.field(converter=real_field("interval"))
    steps: int = eqx.field(static=True, default=1)

    def __check_init__(self) -> None:
        checks.function(self, "drift", self.drift, "x, t")
        checks.function(self, "diffusion", self.diffusion, "x, t")
        checks.count(self, "steps", self.steps)
        check_number(self, "interval", self.interval)

    def __call__(
        self, x: Float[Array, " d"], t: Float[ArrayLike, ""], key: PRNGKeyArray
    ) -> Float[Array, " d"]:
        interval = self.interval.astype(x.dtype)
        ts = interval * jnp.linspace(0, 1, self.steps + 1, dtype=x.dtype)
        start = jnp.asarray(t, x.dtype)

        def sigma(s: Array, y: Array, _: None) -> lineax.DiagonalLinearOperator:
            values = self.diffusion(y, start + s)
            shape = np.shape(values) and y.shape
            values = checks.returned(self, "diffusion", values, shape, y.dtype)
            values = jnp.broadcast_to(values.astype(y.dtype), y.shape)
            return lineax.DiagonalLinearOperator(values)

        terms = diffrax.MultiTerm(
            diffrax.ODETerm(_since(self, self.drift, t)),
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


def _value(owner: object, name: str, value: Any, x: Float[Array, " d"]) -> Array:
    """What a field or a map gave at ``x``; it has to have its shape."""
    return checks.returned(owner, name, value, x.shape, x.dtype)


def _since(
    owner: object, drift: Field, t: Float[ArrayLike, ""]
) -> Callable[[Array, Array, None], Array]:
    """The drift for Diffrax, of the time since ``t``.

    A late time has no digits left for steps.
    """

    def field(s: Array, y: Array, _: None) -> Array:
        value = drift(y, jnp.asarray(t, y.dtype) + s)
        return _value(owner, "drift", value, y).astype(y.dtype)

    return field
