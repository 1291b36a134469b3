"""Reaction: a spherical Hellinger-Kantorovich flow, one declaration on three measures.

Mass moves to the target and is also created and destroyed where it is; on Gaussians
the flow has a closed form.
"""

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import wflow as wf
from wflow.energies import GaussianClosure, KLDivergence


jax.config.update("jax_enable_x64", True)


def log_target(x):
    """Log-density of N(0, 0.7), without its constant."""
    return -x @ x / 1.4


times = jnp.linspace(0, 1.5, 31)
geometry = wf.HellingerKantorovich(alpha=1.0, beta=1.0)
flow = wf.GradientFlow(KLDivergence(log_target), geometry)
closed = wf.GradientFlow(KLDivergence(log_target, GaussianClosure()), geometry)
start = wf.Gaussian([1.5], [[0.3]])
grid = wf.Grid.from_log_density(start.log_density, -4.0, 5.0, (120,))
cloud = wf.Particles.from_samples(start.sample(jax.random.key(0), 500))
starts = {
    "Gaussian": (flow, start),
    "Grid": (flow, grid),
    "Particles": (closed, cloud),
}
figure, axes = plt.subplots(figsize=(5, 3), layout="constrained")
for name, (law, mu) in starts.items():
    solution = wf.solve(law, mu, 0, 1.5, times=times)
    means = jnp.stack([solution[k].mean[0] for k in range(len(solution))])
    axes.plot(times, means, label=name)
    # Closed form: m(t) = m(0) lam e^{t/s} / ((1 - x) + (a + x) e^{lam t}).
    s, x, t = 0.7, mu.cov[0, 0] / 0.7, 1.5
    a, lam = 2 / s, 2 / s + 1
    factor = lam * np.exp(t / s) / ((1 - x) + (a + x) * np.exp(lam * t))
    # Exact on a Gaussian; on the grid second order in the cells, on particles up to
    # their sampling error.
    np.testing.assert_allclose(means[-1], mu.mean[0] * factor, atol=5e-3)
axes.set(xlabel="time", ylabel="mean", title="Transport and reaction to N(0, 0.7)")
axes.legend()
figure.savefig("reaction.png", dpi=150)
