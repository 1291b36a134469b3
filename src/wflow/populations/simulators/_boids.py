"""A flock: cohesion, separation and alignment at constant speed."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from wflow.checks import (
    count,
    finite,
    instance,
    non_negative,
    positive,
    random_key,
    real_field,
    shape,
)
from wflow.learning import Snapshots


class BoidsRule(eqx.Module):
    r"""One step of a flock in discrete time; every bird has speed one.

    With $r_{ij} = x_j - x_i$, the neighbors $N_i = \{j : |r_{ij}| < R\}$ (i among
    them) and $D_i = |N_i|$

    $\Delta v_i = \frac{a}{D_i} \sum_{N_i} r_{ij} - b \sum_{|r_{ij}| < r} r_{ij}
    + \frac{c}{D_i} \sum_{N_i} (v_j - v_i) - w\,\mathrm{sign}(x_i) 1[|x_i| > L]$,

    the last for each coordinate; then $v \leftarrow (v + h \Delta v) / |\cdot|$ and
    $x \leftarrow x + h v$ with the new velocity. Since the speed is renormalized this
    is no Lagrangian motion.

    Raises:
        ValueError: a weight that is not finite, or sight, closeness or half_width < 0.

    Reference: Reynolds, SIGGRAPH 1987; weights of the code of arXiv:2605.08550.
    """

    cohesion: Float[Array, ""] = eqx.field(
        converter=real_field("cohesion"), default=0.005
    )
    separation: Float[Array, ""] = eqx.field(
        converter=real_field("separation"), default=0.1
    )
    alignment: Float[Array, ""] = eqx.field(
        converter=real_field("alignment"), default=0.3
    )
    wall: Float[Array, ""] = eqx.field(converter=real_field("wall"), default=0.5)
    sight: Float[Array, ""] = eqx.field(converter=real_field("sight"), default=1.0)
    closeness: Float[Array, ""] = eqx.field(
        converter=real_field("closeness"), default=0.3
    )
    half_width: Float[Array, ""] = eqx.field(
        converter=real_field("half_width"), default=5.0
    )

    def __check_init__(self) -> None:
        for name in ("cohesion", "separation", "alignment", "wall"):
            shape(self, name, getattr(self, name), ())
            finite(self, name, getattr(self, name))
        for name in ("sight", "closeness", "half_width"):
            shape(self, name, getattr(self, name), ())
            non_negative(self, name, getattr(self, name))

    def step(
        self, x: Float[Array, "n d"], v: Float[Array, "n d"], h: Float[Array, ""]
    ) -> tuple[Float[Array, "n d"], Float[Array, "n d"]]:
        """Positions and velocities ``h`` later."""
        r = x[None] - x[:, None]
        distance = jnp.linalg.norm(r, axis=-1)
        seen = (distance < self.sight).astype(x.dtype)
        close = (distance < self.closeness).astype(x.dtype)
        count = jnp.sum(seen, axis=1)[:, None]
        beyond = jnp.abs(x) > self.half_width
        push = (
            self.cohesion * jnp.einsum("ij,ijd->id", seen, r) / count
            - self.separation * jnp.einsum("ij,ijd->id", close, r)
            + self.alignment * (seen @ v / count - v)
            - self.wall * jnp.sign(x) * beyond
        )
        v = _unit(v + h * push)
        return x + h * v, v


def boids(
    key: PRNGKeyArray,
    *,
    n: int = 1000,
    snapshots: int = 101,
    interval: float = 0.5,
    rule: BoidsRule | None = None,
) -> Snapshots:
    """A flock in the plane by the rule of its authors, with velocities.

    One snapshot each step. Positions start standard normal, velocities at unit length
    in directions whose mean was removed before.

    Args:
        key: random key of the start.
        n: number of birds.
        snapshots: number of snapshots, two at least.
        interval: time between snapshots, the rule's step.
        rule: the rule; None is ``BoidsRule()``.

    Raises:
        ValueError: no bird, fewer than two snapshots, or interval <= 0.
    """
    key = random_key("boids", "key", key)
    count("boids", "n", n)
    count("boids", "snapshots", snapshots, 2)
    shape("boids", "interval", interval, ())
    positive("boids", "interval", interval)
    rule = BoidsRule() if rule is None else rule
    instance("boids", "rule", rule, BoidsRule, "a BoidsRule")
    x, v = _fly(rule, key, n, snapshots, interval)
    times = interval * np.arange(snapshots)
    return Snapshots(times, list(np.asarray(x)), list(np.asarray(v)))


@eqx.filter_jit
def _fly(
    rule: BoidsRule, key: PRNGKeyArray, n: int, snapshots: int, interval: float
) -> tuple[Float[Array, "T n 2"], Float[Array, "T n 2"]]:
    first, second = jax.random.split(key)
    x, v = jax.random.normal(first, (n, 2)), jax.random.normal(second, (n, 2))
    start = (x, _unit(v - v.mean(axis=0)))
    h = jnp.asarray(interval, x.dtype)

    def step(state: tuple[Array, Array], _: None) -> tuple[tuple, tuple]:
        return rule.step(*state, h), state

    return jax.lax.scan(step, start, length=snapshots)[1]


def _unit(v: Float[Array, "n d"]) -> Float[Array, "n d"]:
    length = jnp.linalg.norm(v, axis=1, keepdims=True)
    return v / jnp.where(length > 0, length, 1)
