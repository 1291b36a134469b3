"""Diffusion in a potential: the law of the samples is a Wasserstein gradient flow."""

from collections.abc import Callable, Mapping

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from wflow.checks import (
    count,
    non_negative,
    one_of,
    positive,
    random_key,
    shape,
    to_real,
)
from wflow.energies import Potential
from wflow.flows import LangevinFlow
from wflow.learning import Snapshots
from wflow.measures import Particles
from wflow.solvers import solve


def _poly(v: Float[Array, " d"]) -> Float[Array, ""]:
    return jnp.sum(v**2) / 2


def _styblinski_tang(v: Float[Array, " d"]) -> Float[Array, ""]:
    return jnp.sum(v**4 - 16 * v**2 + 5 * v) / 2


def _bohachevsky(v: Float[Array, " d"]) -> Float[Array, ""]:
    a, b = v[0], v[1]
    waves = 0.3 * jnp.cos(3 * jnp.pi * a) + 0.4 * jnp.cos(4 * jnp.pi * b)
    return a**2 + 2 * b**2 - waves + 0.7


def _oakley_ohagan(v: Float[Array, " d"]) -> Float[Array, ""]:
    return jnp.sum(v) + jnp.sum(v**2) + v[0] * v[1]


def _wavy_plateau(v: Float[Array, " d"]) -> Float[Array, ""]:
    return jnp.sum(jnp.sin(v))


# As the code of arXiv:2605.08550 has them, from that of JKOnet*.
POTENTIALS: Mapping[str, Callable[[Array], Array]] = {
    "poly": _poly,
    "styblinski_tang": _styblinski_tang,
    "bohachevsky": _bohachevsky,
    "oakley_ohagan": _oakley_ohagan,
    "wavy_plateau": _wavy_plateau,
}


def gradient_flow_sde(
    key: PRNGKeyArray,
    potential: str = "poly",
    *,
    n: int = 1000,
    snapshots: int = 21,
    interval: float = 0.01,
    step: float = 0.001,
    sigma: float = 1.0,
    variance: float = 0.2,
    paired: bool = False,
) -> Snapshots:
    r"""Points that roll down a landscape and are shaken: samples of an SDE.

    $dX = -\nabla\Psi(X)\,dt + \sigma\,dW$ in the plane. At the start they are
    $N(0, sI)$. Their law is the gradient flow of
    $\int\Psi d\mu + \frac{\sigma^2}{2}\int\rho\log\rho$. Steps of Euler and Maruyama.

    The first snapshot has velocities, those of the probability flow
    $-\nabla\Psi - \frac{\sigma^2}{2}\nabla\log\rho$; later ones have none, since the
    density is known at the start only.

    Args:
        key: random key.
        potential: a name in ``POTENTIALS``.
        n: samples in every snapshot.
        snapshots: their number, the first at time zero.
        interval: time between snapshots.
        step: largest time step.
        sigma: strength of the noise.
        variance: s, of each coordinate at the start.
        paired: row i is the same sample at all times. Otherwise every snapshot starts
            afresh from points drawn with replacement from the first.

    Raises:
        ValueError: an unknown potential, or a number out of range.

    Reference: arXiv:2605.08550, its code (there the velocity has the score's sign
    wrong).
    """
    owner = "gradient_flow_sde"
    key = random_key(owner, "key", key)
    one_of(owner, "potential", potential, POTENTIALS)
    one_of(owner, "paired", paired, (True, False))
    count(owner, "n", n)
    count(owner, "snapshots", snapshots, 2)
    for name, value in (("interval", interval), ("step", step)):
        shape(owner, name, value, ())
        positive(owner, name, value)
    _check_law(owner, sigma, variance)
    start_key, choice_key, noise_key = jax.random.split(key, 3)
    x0 = jnp.sqrt(variance) * jax.random.normal(start_key, (n, 2))
    times = interval * np.arange(snapshots)
    begins = x0
    if not paired:
        # Samples do not interact: one solve of them all, block k for snapshot k.
        rows = jax.random.randint(choice_key, ((snapshots - 1) * n,), 0, n)
        begins = x0[rows]
    moved = solve(
        LangevinFlow(Potential(POTENTIALS[potential]), temperature=sigma**2 / 2),
        Particles.from_samples(begins),
        0.0,
        times[-1],
        times=times[1:],
        solver=diffrax.Euler(),
        dt0=step,
        key=noise_key,
    ).measures.x
    if not paired:
        blocks = jnp.arange(snapshots - 1)
        moved = moved.reshape(snapshots - 1, snapshots - 1, n, 2)[blocks, blocks]
    velocity = free_energy_velocity(x0, potential, sigma, variance)
    return Snapshots(
        times,
        list(np.concatenate([x0[None], moved])),
        [np.asarray(velocity), *[None] * (snapshots - 1)],
    )


def free_energy_velocity(
    x: Float[Array, "n 2"], potential: str, sigma: float, variance: float
) -> Float[Array, "n 2"]:
    r"""Velocity of the probability flow of the SDE at its Gaussian start.

    $-\nabla\Psi - \frac{\sigma^2}{2}\nabla\log\rho$ where $\rho = N(0, sI)$.

    Args:
        x: points in the plane, ``(n, 2)``.
        potential: name of $\Psi$.
        sigma: strength of the noise.
        variance: s, of the start.

    Raises:
        TypeError: points that are no numbers.
        ValueError: an unknown potential, points that are not in the plane, sigma < 0,
            or variance <= 0.
    """
    x = to_real(x, "x")
    shape("free_energy_velocity", "x", x, ("n", 2))
    one_of("free_energy_velocity", "potential", potential, POTENTIALS)
    _check_law("free_energy_velocity", sigma, variance)
    slope = jax.vmap(jax.grad(POTENTIALS[potential]))(x)
    return sigma**2 / (2 * variance) * x - slope


def _check_law(owner: str, sigma: float, variance: float) -> None:
    shape(owner, "sigma", sigma, ())
    non_negative(owner, "sigma", sigma)
    shape(owner, "variance", variance, ())
    positive(owner, "variance", variance)
