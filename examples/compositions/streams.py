"""Two streams of electrons become a vortex: an instability of a plasma.

Particles on a circle with inertia, no friction, and one Fourier mode of the electric
field, which is a pair energy. Linear theory has the rate at which the field grows.
"""

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import wflow as wf


jax.config.update("jax_enable_x64", True)


n, speed = 200, 0.612  # at which the field grows fastest, by exp(t / sqrt(8))
places = jnp.linspace(0, 2 * jnp.pi, n, endpoint=False)[:, None]
x = jnp.concatenate([places, places]) + 1e-3 * jnp.cos(jnp.tile(places, (2, 1)))
v = jnp.repeat(jnp.array([speed, -speed]), n)[:, None]
electrons = wf.Phase(wf.Particles.from_samples(x, period=2 * jnp.pi), v)
pairs = wf.Interaction(lambda x, y: 2 * jnp.cos(x[0] - y[0]))
times = jnp.linspace(0, 40, 81)
flow = wf.LagrangianFlow(pairs)
solution = wf.solve(flow, electrons, 0, 40, times=times, dt0=0.1)

size = lambda mu, t: jnp.abs(mu.measure.integrate(lambda x: jnp.exp(1j * x[0])))
field = solution.evaluate(size)
first, last = jnp.argmax(field > 5e-3), jnp.argmax(field > 0.1)
rate = jnp.log(field[last] / field[first]) / (times[last] - times[first])
np.testing.assert_allclose(rate, 8**-0.5, rtol=0.1)
# Without friction the energy is kept, to the second order of the steps.
np.testing.assert_allclose(solution.energy, solution.energy[0], rtol=1e-2)


def draw(axes, mu):
    """Both streams in the plane of place and velocity."""
    x, v = mu.measure.x[:, 0] % (2 * np.pi), mu.velocity[:, 0]
    axes.plot(x[:n], v[:n], ".", x[n:], v[n:], ".", ms=2)
    axes.set(xlim=(0, 2 * np.pi), ylim=(-2.5, 2.5), xlabel="place", ylabel="velocity")


figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
left.semilogy(times, field, label="field")
early = times[:40]
left.semilogy(early, field[0] * jnp.exp(early / 8**0.5), "--", label="theory")
left.set(xlabel="time", ylabel="size of the field")
left.legend()
draw(right, solution[60])
figure.savefig("streams.png", dpi=150)
