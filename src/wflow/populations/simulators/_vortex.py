"""Tracers around a drifting vortex, in closed form."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray
from scipy.special import exp1

from wflow.checks import (
    count,
    finite,
    instance,
    positive,
    random_key,
    real_field,
    shape,
)
from wflow.learning import Snapshots


class Vortex(eqx.Module):
    r"""The Lamb-Oseen vortex, its center drifting at constant velocity.

    At distance r it turns at $\Omega(r) = \frac{\Gamma}{2\pi r^2}(1 - e^{-r^2/a^2})$.

    Raises:
        ValueError: core <= 0; a circulation or drift that is not finite, or of another
            shape.
    """

    circulation: Float[Array, ""] = eqx.field(
        converter=real_field("circulation"), default=6.0
    )
    core: Float[Array, ""] = eqx.field(converter=real_field("core"), default=0.7)
    drift: Float[Array, " 2"] = eqx.field(
        converter=real_field("drift"), default_factory=lambda: jnp.array([0.3, 0.0])
    )

    def __check_init__(self) -> None:
        shape(self, "circulation", self.circulation, ())
        finite(self, "circulation", self.circulation)
        shape(self, "core", self.core, ())
        positive(self, "core", self.core)
        shape(self, "drift", self.drift, (2,))
        finite(self, "drift", self.drift)

    def rotation(self, r2: Float[Array, "..."]) -> Float[Array, "..."]:
        r"""Angular speed $\Omega$ as a function of $r^2$."""
        s = r2 / self.core**2
        far = jnp.where(s > 0, s, 1)
        # expm1: the ratio tends to one at the center, without cancellation.
        ratio = jnp.where(s > 0, -jnp.expm1(-far) / far, 1)
        return self.circulation / (2 * jnp.pi * self.core**2) * ratio

    def at(
        self, x0: Float[Array, "n 2"], t: Float[Array, ""]
    ) -> tuple[Float[Array, "n 2"], Float[Array, "n 2"]]:
        """Positions and velocities at ``t`` of tracers that were at ``x0``."""
        omega = self.rotation(jnp.sum(x0**2, axis=1))
        c, s = jnp.cos(omega * t), jnp.sin(omega * t)
        a, b = x0[:, 0], x0[:, 1]
        turned = jnp.stack([c * a - s * b, s * a + c * b], axis=1)
        across = jnp.stack([-turned[:, 1], turned[:, 0]], axis=1)
        return turned + t * self.drift, omega[:, None] * across + self.drift

    def pressure(self, r2: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
        r"""The potential P with $P'(r) = r\,\Omega(r)^2$, zero far away.

        Tracers are Newton's particles in it, in the frame of the center.
        """
        s = np.asarray(r2, np.float64) / float(self.core) ** 2
        scale = (float(self.circulation) / (2 * np.pi * float(self.core))) ** 2
        bracket = np.expm1(-s) ** 2 / s - 2 * (exp1(2 * s) - exp1(s))
        return -scale * bracket / 2


def vortex(
    key: PRNGKeyArray,
    *,
    n: int = 200,
    snapshots: int = 11,
    interval: float = 0.5,
    offset: float = 1.0,
    spread: float = 0.15,
    law: Vortex | None = None,
) -> Snapshots:
    r"""A patch of tracers around a vortex, with velocities; rows are the same tracer.

    The patch starts at $N((\text{offset}, 0), \text{spread}^2 I)$ and is sheared, since
    the inner tracers turn faster.

    Args:
        key: random key of the start.
        n: number of tracers.
        snapshots: number of snapshots, two at least.
        interval: time between snapshots.
        offset: distance of the patch from the vortex.
        spread: standard deviation of the patch.
        law: the vortex; None is ``Vortex()``.

    Raises:
        ValueError: no tracer, fewer than two snapshots, or interval or spread <= 0.
    """
    key = random_key("vortex", "key", key)
    count("vortex", "n", n)
    count("vortex", "snapshots", snapshots, 2)
    for name, value in (("interval", interval), ("spread", spread)):
        shape("vortex", name, value, ())
        positive("vortex", name, value)
    shape("vortex", "offset", offset, ())
    finite("vortex", "offset", offset)
    law = Vortex() if law is None else law
    instance("vortex", "law", law, Vortex, "a Vortex")
    x0 = jnp.array([offset, 0.0]) + spread * jax.random.normal(key, (n, 2))
    times = interval * np.arange(snapshots)
    x, v = jax.vmap(law.at, in_axes=(None, 0))(x0, jnp.asarray(times, x0.dtype))
    return Snapshots(times, list(np.asarray(x)), list(np.asarray(v)))
