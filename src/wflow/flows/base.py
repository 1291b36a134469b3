"""The contract of a flow: a law of motion made of energies and geometries."""

import abc
import functools
from collections.abc import Callable
from typing import Any, Generic

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import lineax as lx
from jaxtyping import Array, ArrayLike, DTypeLike, Float, PRNGKeyArray, PyTree

from wflow.checks import function, instance, non_negative, one_number, shape, to_real
from wflow.measures import Point, UnsupportedMeasureError
from wflow.measures.base import AbstractMeasure, Moving, Mu, State, inner

from .noise import Noise, NoiseKind


class AbstractFlow(eqx.Module, Generic[Mu]):
    """A law of motion of measures of type Mu. Flows add: ``flow_a + flow_b``."""

    def check(self, mu: Mu) -> None:
        """Refuse a start that cannot move as it should; ``solve`` asks before it runs.

        Values are not looked at under ``jit``. A sum asks its parts.
        """
        del mu

    def __add__(self, other: "AbstractFlow") -> "AbstractFlow":
        if not isinstance(other, AbstractFlow):
            return NotImplemented
        from .sums import sum_of

        return sum_of(self, other)


class AbstractContinuousFlow(AbstractFlow[Mu]):
    r"""A law of motion without jumps: write ``velocity``, and ``solve`` moves by it.

    $\dot\mu = $ ``velocity``, plus noise where there is any.

    A class with this one method is a law that ``solve`` moves a measure by. What lowers
    an energy is an ``AbstractDissipativeFlow``.

    Examples:
        >>> import jax.numpy as jnp
        >>> import wflow as wf
        >>> class Decay(wf.AbstractContinuousFlow):
        ...     def velocity(self, mu, t=0.0):
        ...         return -mu.x, jnp.zeros_like(mu.logw)
        >>> cloud = wf.Particles.from_samples(jnp.ones((8, 1)))
        >>> print(f"{wf.solve(Decay(), cloud, 0.0, 1.0)[-1].mean[0]:.3f}")  # exp(-1)
        0.368
    """

    @abc.abstractmethod
    def velocity(self, mu: Mu, t: ArrayLike = 0.0) -> State:
        """Rate of change of ``mu.state``, shaped like it.

        Raises:
            UnsupportedMeasureError: the flow does not act on this measure.
            ImplicitEntropyError: it needs the density of a measure that has none.
        """

    def records(self, mu: Mu, t: ArrayLike = 0.0) -> dict[str, Array]:
        """Numbers of the law that a training writes down by name, such as friction."""
        del mu, t
        return {}

    def noise(self, mu: Mu, t: ArrayLike = 0.0) -> Noise | None:
        """What shakes the measure beside its velocity; None where nothing does."""
        del mu, t
        return None

    def default_solver(self, mu: Mu) -> diffrax.AbstractSolver:
        """The method of a ``solve`` that is given none: by default, one for the noise.

        One without an estimate of its error takes fixed steps.
        """
        return solver_of(noise_kind(self, mu))

    def speed(self, mu: Mu, t: ArrayLike = 0.0) -> Float[Array, ""]:
        r"""$|\dot\mu|$ of the noiseless motion; on a ``Point`` of any flow Euclidean.

        Raises:
            UnsupportedMeasureError: the flow knows no geometry to measure it in.
        """
        if not isinstance(mu, Point):
            raise UnsupportedMeasureError(self, mu, "Point, where speed is concerned")
        rates = self.velocity(mu, t)
        return safe_sqrt(inner(rates, rates))

    def terms(
        self, mu: Mu, path: diffrax.AbstractBrownianPath | None = None
    ) -> diffrax.AbstractTerm:
        """Diffrax terms on ``mu.state``; a flow with noise needs a ``path`` like it."""
        drift = diffrax.ODETerm(lambda t, y, args: self.velocity(mu.with_state(y), t))
        if path is None:
            return drift

        def amplitude(
            t: ArrayLike, y: State, args: PyTree
        ) -> lx.AbstractLinearOperator:
            now = mu.with_state(y)
            noise = self.noise(now, t)
            if noise is None:
                raise TypeError(
                    f"{type(self).__name__}: expected noise to be None always or never,"
                    " found None after the start."
                )
            return noise.operator(now)

        return diffrax.MultiTerm(drift, diffrax.ControlTerm(amplitude, path))


class AbstractIndependentFlow(AbstractContinuousFlow[Mu]):
    """A law by which every particle moves as if it were the only one.

    The name is all that it adds: resets of such a law are exact (``ResettingFlow``).
    """


class AbstractDissipativeFlow(AbstractContinuousFlow[Mu]):
    """A law that lowers an energy, which a solution records along the way."""

    @abc.abstractmethod
    def value(self, mu: Mu, t: ArrayLike = 0.0) -> Float[Array, ""]:
        """The energy that the flow lowers."""

    @abc.abstractmethod
    def dissipation(self, mu: Mu, t: ArrayLike = 0.0) -> Float[Array, ""]:
        """Minus the rate of change of ``value`` along the noiseless flow."""


class AbstractJumpFlow(AbstractFlow[Moving]):
    """A law that changes a measure by jumps."""

    @property
    def random(self) -> bool:
        """Whether a jump needs its key."""
        return True

    @abc.abstractmethod
    def jump(
        self, mu: Moving, t: ArrayLike, dt: ArrayLike, key: PRNGKeyArray
    ) -> Moving:
        """``mu`` after the jumps of the interval ``[t, t + dt]``.

        Where a density that decides on them is nan, so is what comes back.
        """

    def log_density_at(self, mu: Moving, t: ArrayLike) -> Array | None:
        """What decides on the jumps of ``mu``, for a sentence where it is nan."""
        del mu, t
        return None


def noise_kind(flow: AbstractContinuousFlow, mu: AbstractMeasure) -> NoiseKind | None:
    """The kind of a flow's noise on ``mu``, which is not computed; None without."""
    if type(flow).noise is AbstractContinuousFlow.noise:
        return None

    def kind(mu: AbstractMeasure) -> NoiseKind | None:
        noise = flow.noise(mu)
        return None if noise is None else noise.kind

    return eqx.filter_eval_shape(kind, mu)


@functools.cache  # a module takes longer to make than a small step
def solver_of(kind: NoiseKind | None) -> diffrax.AbstractSolver:
    """A method for first-order motion with noise of a kind, or without."""
    if kind is None:
        return diffrax.Tsit5()
    return diffrax.Euler() if kind == "ito" else diffrax.Heun()


# A strength that is constant in time, or a schedule (of optax, for instance).
Strength = Array | Callable[[ArrayLike], ArrayLike]


def strength_field(name: str, **options: Any) -> Any:
    """A field that holds a ``Strength``."""
    return eqx.field(
        converter=lambda value: value if callable(value) else to_real(value, name),
        **options,
    )


def strength_at(strength: Strength, t: ArrayLike, dtype: DTypeLike) -> Float[Array, ""]:
    """The strength at a time."""
    value = strength(t) if callable(strength) else strength
    return to_real(value, "strength").astype(dtype)


def check_strength(
    owner: object, name: str, strength: object, *, scalar: bool = True
) -> None:
    """Refuse a negative constant strength; what a schedule returns is not looked at.

    Raises:
        ValueError: it is negative, nan or infinite, or not one number if ``scalar``.
        TypeError: it is a class.
    """
    if callable(strength):
        function(owner, name, strength, "time")
        return
    if scalar:
        shape(owner, name, strength, ())
    non_negative(owner, name, strength)


def check_flow(owner: object, flow: object) -> None:
    """Refuse what is no flow without jumps.

    Raises:
        TypeError: it is not.
    """
    instance(owner, "flow", flow, AbstractContinuousFlow, "a flow without jumps")


def safe_sqrt(square: Array) -> Array:
    """A root whose derivative at zero is zero, as is that of what is below by rounding.

    Raises:
        TypeError: ``square`` is no array of numbers.
        ValueError: they are complex.
    """
    square = to_real(square, "square")
    positive = ~(square <= 0)
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, square, 1)), 0)


def one_log_density(
    owner: object, log_density: Callable[[Array], Array]
) -> Callable[[Array], Array]:
    """``log_density``, refused where it does not return one real number.

    Raises:
        ValueError: it does not, when it is first used.
    """

    def at(x: Array) -> Array:
        return one_number(owner, "log_density", log_density(x))

    return at


def scale(factor: ArrayLike, state: State) -> State:
    """``factor * state``, leaf by leaf."""
    return jax.tree.map(lambda leaf: factor * leaf, state)


class AbstractCarryingFlow(AbstractContinuousFlow[Mu]):
    """A flow on a measure that carries something beside it, which is not felt.

    The speed is that of the measure inside, and a solution's energy too.
    """

    flow: eqx.AbstractVar[AbstractContinuousFlow]

    @abc.abstractmethod
    def inner(self, mu: Mu) -> AbstractMeasure:
        """The measure that ``flow`` acts on.

        Raises:
            UnsupportedMeasureError: ``mu`` holds none.
        """

    def speed(self, mu: Mu, t: ArrayLike = 0.0) -> Float[Array, ""]:
        return self.flow.speed(self.inner(mu), t)

    def records(self, mu: Mu, t: ArrayLike = 0.0) -> dict[str, Array]:
        return self.flow.records(self.inner(mu), t)
