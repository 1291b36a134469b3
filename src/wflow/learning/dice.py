"""Velocities from snapshots alone: a potential fitted to the continuity equation."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from wflow.checks import count, finite, function, increasing, shape, to_real

from .snapshots import Snapshots
from .stacks import Stack, stacked
from .training import Trainer
from .velocities import AbstractInitialVelocity, Velocities, check_snapshots


class SpaceTimePotential(eqx.Module):
    r"""A learned potential of place and time, in the units of the data.

    $s(x, t) = \frac{\ell^2}{\tau} g_\theta((x - m) / \ell, (t - t_0) / \tau)$.

    A multilayer perceptron g in the units of the data, so that its size does not depend
    on them.
    """

    mlp: eqx.nn.MLP
    origin: Float[Array, " d"]
    length: Float[Array, ""]
    start: Float[Array, ""]
    duration: Float[Array, ""]

    def __call__(self, x: Float[Array, " d"], t: Float[Array, ""]) -> Float[Array, ""]:
        z = jnp.append(
            (x - self.origin) / self.length, (t - self.start) / self.duration
        )
        return self.length**2 / self.duration * self.mlp(z)

    def velocity(
        self, x: Float[Array, " d"], t: Float[Array, ""]
    ) -> Float[Array, " d"]:
        r"""$\nabla s(x, t)$."""
        return jax.grad(self)(x, t)


def dice_loss(
    potential: SpaceTimePotential,
    times: Float[ArrayLike, " T"],
    x: Float[Array, "T n d"],
    weights: Float[Array, "T n"],
) -> Float[Array, ""]:
    r"""The discrete inverse continuity equation as a loss.

    $\sum_k \frac12 (E_k s_{k+1} - E_{k+1} s_k + E_k s_k - E_{k+1} s_{k+1})
    + \frac12 \sum_k q_k E_k |\nabla s_k|^2$, $E_k s_j$ the mean over cloud k of
    $s(\cdot, t_j)$, q the trapezoidal weights. Its least value over potentials of a
    straight motion at velocity u is $-\frac12 |u|^2 (t_{T-1} - t_0)$, at
    $\nabla s = u$.

    Raises:
        TypeError: a potential that is no function, or has no ``velocity``.
        ValueError: times that do not increase, or arrays of other shapes.

    Reference: the action-matching quadrature of arXiv:2605.08550's code.
    """
    function("dice_loss", "potential", potential, "x and t")
    function("dice_loss", "potential", getattr(potential, "velocity", None), "x and t")
    times, x, weights = (
        to_real(value, name)
        for name, value in (("times", times), ("x", x), ("weights", weights))
    )
    shape("dice_loss", "times", times, ("T",))
    increasing("dice_loss", "times", times)
    if times.size < 2:
        raise ValueError(
            f"dice_loss: expected times, two at least, found {times.size}."
        )
    if x.ndim != 3 or len(x) != times.size:
        raise ValueError(
            f"dice_loss: expected times (T,) and x (T, n, d), found {times.shape} and "
            f"{x.shape}."
        )
    shape("dice_loss", "weights", weights, x.shape[:2])
    finite("dice_loss", "x", x)
    finite("dice_loss", "weights", weights)
    gaps = jnp.diff(times)
    quadrature = jnp.append(gaps, 0) / 2 + jnp.append(jnp.zeros(1, x.dtype), gaps) / 2

    def mean(k: Array, j: Array) -> Array:
        return weights[k] @ jax.vmap(potential, (0, None))(x[k], times[j])

    def jump(k: Array) -> Array:
        """$E_k (s_k + s_{k+1}) - E_{k+1} (s_k + s_{k+1})$."""
        return mean(k, k) + mean(k, k + 1) - mean(k + 1, k) - mean(k + 1, k + 1)

    def kinetic(k: Array) -> Array:
        v = jax.vmap(potential.velocity, (0, None))(x[k], times[k])
        return weights[k] @ jnp.sum(v**2, axis=1)

    count = len(times)
    jumps = jax.vmap(jump)(jnp.arange(count - 1))
    kinetics = jax.vmap(kinetic)(jnp.arange(count))
    return jnp.sum(jumps) / 2 + quadrature @ kinetics / 2


class DICE(AbstractInitialVelocity):
    r"""Start velocities as slopes of a potential, learned from all snapshots.

    $v_i = \nabla s(x_i, t_k)$ for a potential s(x, t) that minimizes ``dice_loss``.

    A perceptron with three hidden layers, trained by Adam on random batches of points,
    with a learning rate that falls from 1e-3 to 1e-5 along a cosine.

    It needs many points, and clouds that overlap with the next one: the loss evaluates
    s at the next time where nothing holds its gradient back. For small or compact
    clouds ``Displacement`` is far better.

    Raises:
        TypeError: steps, width or batch is not whole.
        ValueError: one of them is below one.
    """

    steps: int = eqx.field(static=True, default=2000)
    width: int = eqx.field(static=True, default=128)
    batch: int = eqx.field(static=True, default=128)

    def __check_init__(self) -> None:
        for name in ("steps", "width", "batch"):
            count(self, name, getattr(self, name))

    def __call__(self, snapshots: Snapshots, key: PRNGKeyArray) -> Velocities:
        check_snapshots("DICE", snapshots)
        potential = self._since_first(snapshots, key)
        dtype = potential.start.dtype
        times = snapshots.times - snapshots.times[0]
        return tuple(
            np.asarray(_field(potential, jnp.asarray(x), jnp.asarray(t, dtype)))
            for t, x in zip(times, snapshots.clouds, strict=True)
        )

    def potential(self, snapshots: Snapshots, key: PRNGKeyArray) -> SpaceTimePotential:
        """The fitted potential.

        Raises:
            ValueError: fewer than two snapshots.
        """
        potential = self._since_first(snapshots, key)
        start = jnp.asarray(snapshots.times[0], potential.start.dtype)
        return eqx.tree_at(lambda s: s.start, potential, start)

    def _since_first(
        self, snapshots: Snapshots, key: PRNGKeyArray
    ) -> SpaceTimePotential:
        """The potential in time since the first snapshot, which no rounding meets."""
        check_snapshots("DICE", snapshots)
        key, network_key = jax.random.split(key)
        clouds = stacked(snapshots)
        dtype = clouds.x.dtype
        mlp = eqx.nn.MLP(
            snapshots.dim + 1,
            "scalar",
            self.width,
            3,
            activation=jax.nn.silu,
            dtype=dtype,
            key=network_key,
        )
        # Nearly zero at the start: the points are at rest until the data move them.
        last = lambda m: m.layers[-1].weight
        mlp = eqx.tree_at(last, mlp, last(mlp) * 1e-4)
        pooled = np.concatenate(snapshots.clouds).astype(np.float64)
        length = float(np.sqrt(pooled.var(axis=0).mean()))
        start, end = snapshots.times[0], snapshots.times[-1]
        potential = SpaceTimePotential(
            mlp,
            jnp.asarray(pooled.mean(axis=0), dtype),
            jnp.asarray(length if length > 0 else 1, dtype),
            jnp.zeros((), dtype),
            jnp.asarray(end - start, dtype),
        )
        times = jnp.asarray(snapshots.times - start, dtype)
        return _trained(potential, times, clouds, key, self.steps, self.batch)


@eqx.filter_jit
def _field(potential: SpaceTimePotential, x: Array, t: Array) -> Array:
    return jax.vmap(potential.velocity, (0, None))(x, t)


@eqx.filter_jit
def _trained(
    potential: SpaceTimePotential,
    times: Float[Array, " T"],
    clouds: Stack,
    key: PRNGKeyArray,
    steps: int,
    batch: int,
) -> SpaceTimePotential:
    optimizer = optax.adam(optax.cosine_decay_schedule(1e-3, steps, alpha=1e-2))
    params, held = eqx.partition(potential.mlp, eqx.is_inexact_array)
    # In units of the data, so that the gradient's norm has a meaning for the clipping.
    unit = potential.length**2 / potential.duration

    def loss(params: Any, _: Any, key: PRNGKeyArray) -> tuple[Array, dict]:
        model = eqx.tree_at(lambda s: s.mlp, potential, eqx.combine(params, held))
        sample = clouds if clouds.size <= batch else clouds.subset(key, batch)
        return dice_loss(model, times, sample.x, sample.weights) / unit, {}

    end, _ = Trainer(loss, optimizer, steps, clip=1.0).run(params, key)
    return eqx.tree_at(lambda s: s.mlp, potential, eqx.combine(end.params, held))
