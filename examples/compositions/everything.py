"""Inertia, growth and resets at once: three laws, added.

Particles swing in a bowl with friction, multiply where it is warm, and each of them is
put back to rest at the origin of its life when its clock rings.
"""

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import wflow as wf


jax.config.update("jax_enable_x64", True)


class Restart(wf.flows.AbstractJumpFlow):
    """Every particle of a Phase is put at rest at ``origin`` at a rate."""

    rate: float
    origin: float

    def jump(self, mu, t, dt, key):
        cloud = mu.measure
        rings = jax.random.bernoulli(key, -jnp.expm1(-self.rate * dt), (cloud.n,))
        x = jnp.where(rings[:, None], self.origin, cloud.x)
        v = jnp.where(rings[:, None], 0.0, mu.velocity)
        return wf.Phase(wf.Particles(x, cloud.logw), v)


swing = wf.LagrangianFlow(wf.Potential(lambda x: x @ x / 2), friction=0.5)
growth = wf.GrowthFlow(lambda x, t: 0.3 * x[0])
start = wf.Particles.from_samples(jnp.ones((1000, 1)))
times = jnp.linspace(0, 10, 51)


def course(flow):
    rest, key = wf.Phase.at_rest(start), jax.random.key(0)
    solution = wf.solve(flow, rest, 0, 10, times=times, dt0=0.05, key=key)
    return solution.evaluate(lambda mu, t: (mu.measure.mean[0], mu.measure.mass))


alone, _ = course(swing)
means, masses = course(swing + growth + Restart(0.4, 1.0))
# Alone all swing as one and come to rest; restarted ones keep the swing alive.
assert abs(alone[-1]) < 0.1 < means[-1]
# The mass grows at 0.3 times the mean place of what it is made of.
grown = np.exp(0.3 * np.trapezoid(means, times))
np.testing.assert_allclose(masses[-1], grown, rtol=0.02)

figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
left.plot(times, alone, "--", color="0.5", label="inertia")
left.plot(times, means, label="with growth and resets")
left.set(xlabel="time", ylabel="mean place")
left.legend()
right.plot(times, masses)
right.set(xlabel="time", ylabel="mass")
figure.savefig("everything.png", dpi=150)
