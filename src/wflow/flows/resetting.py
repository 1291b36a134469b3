"""Renewal resetting of a flow."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Float, PRNGKeyArray, PyTree

from wflow.checks import finite, increasing, instance, real_field, shape
from wflow.measures import AbstractMeasure, Particles, Point, UnsupportedMeasureError

from .base import AbstractContinuousFlow, AbstractJumpFlow, check_flow
from .independent import looks_at_time, moves_alone
from .renewal import AbstractResetTimes


class ResettingFlow(AbstractJumpFlow[Particles | Point]):
    r"""A flow whose particles are put back to an origin at random times.

    Each particle has renewal times of its own, and moves by ``flow`` between them.

    Where particles move as if alone and at all times alike (see ``exact``), the
    solution at the saved times is exact in law, jointly, without simulating a jump: the
    last reset of each particle in each interval is drawn, and the flow runs from there
    for its age, all ages in one solve on $s \in [0, 1]$ with velocity times age and
    noise times its root. Particles that interact, and any under a flow that depends on
    time, are reset between the steps of a Strang splitting. Every clock starts at age
    zero.

    On Particles ``origin`` is a point ``(d,)``; on a Point it has the structure of its
    moving part. Positions are differentiated, ages are not.

    Raises:
        TypeError: no flow without jumps, no law of resets, or an origin that is no
            array of numbers.
        ValueError: an origin that is not finite; when it is used, one of another shape
            than the particles.

    Reference: Evans, Majumdar, PRL 106 (2011), equations (1), (2), for Poisson resets.

    Examples:
        >>> import jax
        >>> import jax.numpy as jnp
        >>> import wflow as wf
        >>> drift = wf.VelocityFlow(lambda x, t: jnp.ones(1))  # one unit a time
        >>> flow = wf.ResettingFlow(drift, wf.flows.Exponential(1.0), jnp.zeros(1))
        >>> start = wf.Particles.from_samples(jnp.zeros((500, 1)))
        >>> end = wf.solve(flow, start, 0.0, 9.0, key=jax.random.key(0))[-1]
        >>> print(jnp.abs(end.mean - 1) < 0.2)  # places are ages, on average one
        [ True]
    """

    flow: AbstractContinuousFlow[Particles | Point]
    law: AbstractResetTimes
    origin: PyTree[Array] = eqx.field(
        converter=lambda tree: jax.tree.map(real_field("origin"), tree)
    )

    def __check_init__(self) -> None:
        check_flow(self, self.flow)
        instance(self, "law", self.law, AbstractResetTimes, "a law of reset times")
        if isinstance(self.origin, AbstractMeasure) or not jax.tree.leaves(self.origin):
            raise TypeError(
                "ResettingFlow: expected origin to be an array (d,), or one for every "
                f"part of a Point, found {type(self.origin).__name__}."
            )
        for leaf in jax.tree.leaves(self.origin):
            finite(self, "origin", leaf)

    def since(self, t0: ArrayLike) -> "ResettingFlow":
        """The same where times are counted from ``t0``."""
        law = self.law.since(t0)
        return self if law is self.law else dataclasses.replace(self, law=law)

    def exact(self, mu: AbstractMeasure) -> bool:
        """Whether ages are enough, so that no jump has to be simulated.

        That is so where each particle of ``mu`` is known to move as if alone, at all
        times alike.

        Known are the library's flows of energies that are linear in the measure
        (``AbstractLinearEnergy``), and every ``AbstractIndependentFlow``.
        """
        alone = isinstance(mu, Point) or moves_alone(self.flow)
        return alone and not looks_at_time(self.flow, mu)

    def shape(self, mu: AbstractMeasure) -> tuple[int, ...]:
        """One clock for every particle: ``(n,)``, or ``()`` for a Point."""
        match mu:
            case Particles():
                return (mu.n,)
            case Point():
                return ()
        raise UnsupportedMeasureError(self, mu, "Particles and Point")

    def reset(
        self, mu: Particles | Point, where: Bool[Array, "*shape"]
    ) -> Particles | Point:
        """``mu`` with the particles of ``where`` put back to the origin."""
        if isinstance(mu, Particles):
            shape(self, "origin", self.origin, (mu.dim,))
            x = jnp.where(where[:, None], jnp.asarray(self.origin, mu.dtype), mu.x)
            return mu.with_state((x, mu.logw))
        shapes = [jax.tree.map(jnp.shape, tree) for tree in (mu.state, self.origin)]
        if shapes[0] != shapes[1]:
            raise ValueError(
                f"ResettingFlow: expected origin of shape {shapes[0]}, as the Point "
                f"has, found {shapes[1]}."
            )
        return mu.with_state(
            jax.tree.map(
                lambda now, start: jnp.where(where, jnp.asarray(start, now.dtype), now),
                mu.state,
                self.origin,
            )
        )

    def schedule(
        self, mu: AbstractMeasure, ends: Float[Array, " K+1"], key: PRNGKeyArray
    ) -> "ScheduledResets":
        """The resets of all clocks between ``ends[0]`` and ``ends[-1]``, drawn."""
        return ScheduledResets(
            self, ends, self.law.last_resets(key, ends, self.shape(mu))
        )

    def jump(
        self, mu: Particles | Point, t: ArrayLike, dt: ArrayLike, key: PRNGKeyArray
    ) -> Particles | Point:
        """The resets of clocks that are of age zero at t."""
        start = jnp.asarray(t, mu.dtype)
        resets = self.schedule(mu, jnp.stack([start, start + dt]), key)
        return resets.jump(mu, t, dt, key)


class ScheduledResets(AbstractJumpFlow[Particles | Point]):
    """The jumps of ``resetting`` with its clocks drawn.

    ``last[k]`` is each clock's last reset in ``(ends[k], ends[k + 1]]``, or -inf.
    """

    resetting: ResettingFlow
    ends: Float[Array, " K+1"]
    last: Float[Array, "K ..."]

    def __check_init__(self) -> None:
        instance(self, "resetting", self.resetting, ResettingFlow, "a ResettingFlow")
        shape(self, "ends", self.ends, ("K + 1",))
        increasing(self, "ends", self.ends)
        intervals = np.shape(self.ends)[0] - 1
        if np.ndim(self.last) == 0 or np.shape(self.last)[0] != intervals:
            raise ValueError(
                f"ScheduledResets: expected last of shape ({intervals}, ...), a row "
                f"for every interval of ends, found {np.shape(self.last)}."
            )

    @property
    def random(self) -> bool:
        return False

    def _interval(self, t: ArrayLike) -> Array:
        return jnp.searchsorted(self.ends, t, side="right") - 1

    def moved(
        self, t: ArrayLike
    ) -> tuple[Float[Array, "*shape"], Bool[Array, "*shape"]]:
        """How long each particle moves undisturbed until the interval around t ends.

        It moves from where it is or, where true, from the origin.
        """
        k = self._interval(t)
        last, whole = self.last[k], self.ends[k + 1] - self.ends[k]
        was_reset = last > -jnp.inf
        return jnp.where(was_reset, self.ends[k + 1] - last, whole), was_reset

    def jump(
        self, mu: Particles | Point, t: ArrayLike, dt: ArrayLike, key: PRNGKeyArray
    ) -> Particles | Point:
        """The resets of the intervals whose middle lies in ``(t, t + dt)``: at most 2.

        (Rounding of t does not move it past a middle.)
        """
        del key
        middles = (self.ends[:-1] + self.ends[1:]) / 2
        k = jnp.searchsorted(middles, t, side="right")
        first, second = self.last[k] > -jnp.inf, self.last[k + 1] > -jnp.inf
        two = (k + 1 < middles.shape[0]) & (middles[k + 1] < t + dt)
        return self.resetting.reset(mu, first | (second & two))
