"""Interacting particles in a known potential, damped and perhaps shaken."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike, Float, PRNGKeyArray

from wflow.checks import (
    count,
    finite,
    instance,
    non_negative,
    one_of,
    positive,
    random_key,
    shape,
    to_real,
)
from wflow.energies import (
    AbstractEnergy,
    GaussianProfile,
    Interaction,
    Polynomial,
    Potential,
    Radial,
)
from wflow.flows import LagrangianFlow, LangevinFlow
from wflow.learning import Snapshots
from wflow.measures import Particles, Phase
from wflow.solvers import solve


def swarm(
    key: PRNGKeyArray,
    *,
    n: int = 200,
    snapshots: int = 11,
    interval: float = 0.4,
    step: float = 0.05,
    energy: AbstractEnergy | None = None,
    friction: float = 0.5,
    temperature: float = 0.0,
    mean: Float[ArrayLike, " d"] = (1.5, 0.0),
    spread: float = 0.6,
    paired: bool = False,
) -> Snapshots:
    r"""A swarm of particles that attract or repel each other, as warm as its bath.

    Samples of $dx = v\,dt,\ dv = (f - \gamma v)\,dt + \sqrt{2\gamma\tau}\,dW$.

    $f = -\nabla\frac{\delta F}{\delta\mu}$ of the population itself: each particle
    feels the others with mass 1/n. Positions start at $N(m, s^2 I)$, velocities at
    $N(0, \tau I)$: the population as a whole is at rest, each particle moves as warm
    as the bath. Without temperature it is Newton's law with friction.

    Args:
        key: random key.
        n: particles in every snapshot.
        snapshots: their number, the first at time zero.
        interval: time between snapshots.
        step: largest time step of the leapfrog.
        energy: F; default $|x|^2/4$ and a repulsion $e^{-r^2/(2 \cdot 0.5^2)}$.
        friction: $\gamma$.
        temperature: $\tau$.
        mean: m, whose length is the dimension.
        spread: s.
        paired: row i is the same particle at all times. Otherwise every snapshot comes
            from a population of its own.

    Returns:
        Snapshots with the velocities of the particles.

    Raises:
        ValueError: a number out of range.

    Reference: Pavliotis, Stochastic Processes and Applications (2014), (6.1).
    """
    key = random_key("swarm", "key", key)
    count("swarm", "n", n, 2)
    count("swarm", "snapshots", snapshots, 2)
    one_of("swarm", "paired", paired, (True, False))
    for name, value in (("interval", interval), ("step", step), ("spread", spread)):
        shape("swarm", name, value, ())
        positive("swarm", name, value)
    for name, value in (("friction", friction), ("temperature", temperature)):
        shape("swarm", name, value, ())
        non_negative("swarm", name, value)
    if energy is not None:
        instance("swarm", "energy", energy, AbstractEnergy, "an energy")
    center = to_real(mean, "mean").astype(jnp.result_type(float))
    shape("swarm", "mean", center, ("d",))
    finite("swarm", "mean", center)
    if not center.size:
        raise ValueError("swarm: expected mean of shape (d,), d >= 1, found (0,).")
    if energy is None:
        c = [0.25 * (sum(p) == 2 == max(p)) for p in Polynomial(len(center), 2).powers]
        repulsion = Interaction(Radial(GaussianProfile(1.0, 0.5)))
        energy = Potential(Polynomial(len(center), 2, c)) + repulsion
    flow = (
        LangevinFlow(energy, temperature=temperature, friction=friction)
        if temperature
        else LagrangianFlow(energy, friction=friction)
    )
    times = interval * np.arange(snapshots)

    def population(key: PRNGKeyArray) -> tuple[np.ndarray, np.ndarray]:
        place, speed, noise = jax.random.split(key, 3)
        x = center + spread * jax.random.normal(place, (n, len(center)))
        v = jnp.sqrt(temperature) * jax.random.normal(speed, x.shape)
        start = Phase(Particles.from_samples(x), v)
        moved = solve(
            flow, start, 0.0, times[-1], times=times[1:], dt0=step, key=noise
        ).measures
        return (
            np.concatenate([x[None], moved.measure.x]),
            np.concatenate([v[None], moved.velocity]),
        )

    if paired:
        x, v = population(key)
    else:
        # Each snapshot takes its own time of its own population.
        found = [population(k) for k in jax.random.split(key, snapshots)]
        x, v = (
            np.stack([each[i][k] for k, each in enumerate(found)]) for i in range(2)
        )
    return Snapshots(times, list(x), list(v))
