"""Jumps: an Ornstein-Uhlenbeck process that is reset at Poisson times.

Mean and variance obey equations of their own; between resets each particle is an
ordinary noisy gradient flow.
"""

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import wflow as wf
from wflow.energies import Entropy, Potential
from wflow.regression import PoissonMomentFlow


jax.config.update("jax_enable_x64", True)


def half_square(x):
    """Potential of a unit spring."""
    return x @ x / 2


rate, temperature, origin, n = 0.8, 0.3, jnp.ones(1), 4000
times = jnp.linspace(0.25, 4, 16)
noisy = wf.LangevinFlow(Potential(half_square), temperature)
flow = wf.ResettingFlow(noisy, wf.flows.Exponential(rate), origin)
start = wf.Particles.from_samples(jnp.tile(origin, (n, 1)))
paths = wf.solve(flow, start, 0, 4, times=times, dt0=0.05, key=jax.random.key(0))

smooth = wf.GradientFlow(
    Potential(half_square) + Entropy(temperature), wf.Wasserstein()
)
moments = PoissonMomentFlow(smooth, rate, origin)
law = wf.Gaussian(origin, [[1e-12]])
exact = wf.solve(moments, law, 0, 4, times=times)

mean, std = paths.measures.x.mean((1, 2)), paths.measures.x.std((1, 2))
expected, spread = exact.measures.mean[:, 0], exact.measures.cov[:, 0, 0] ** 0.5
# Five standard errors of the mean at every time; ages and times are exact in law.
assert np.all(np.abs(mean - expected) < 5 * spread / n**0.5)
figure, axes = plt.subplots(figsize=(5, 3), layout="constrained")
axes.errorbar(times, mean, std, fmt="o", label="4000 particles")
axes.plot(times, expected, color="black", label="moment equations")
axes.fill_between(times, expected - spread, expected + spread, alpha=0.2)
axes.set(xlabel="time", ylabel="position", title="Reset to 1, pulled to 0")
axes.set_ylim(-0.2, 1.7)
axes.legend()
figure.savefig("resetting.png", dpi=150)
