"""Inertia: a free quantum packet spreads, on a grid and as a Gaussian.

A second-order flow of the Fisher information without friction is the Schroedinger
equation; the variance of a free packet is s^2 + hbar^2 t^2 / (4 s^2).
"""

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import wflow as wf


jax.config.update("jax_enable_x64", True)
flow = wf.LagrangianFlow(wf.energies.FisherInformation(hbar=1.0), friction=0.0)
packet = wf.Grid.from_log_density(lambda x: -2 * x @ x, -6.0, 6.0, (96,))
times = jnp.linspace(0, 1, 5)
grid = wf.solve(flow, wf.Phase.at_rest(packet), 0, 1, times=times)
law = wf.Phase.at_rest(wf.Gaussian([0.0], [[0.25]]))
gaussian = wf.solve(flow, law, 0, 1, times=times)

exact = 0.25 + times**2
on_grid = np.array([mu.measure.cov[0, 0] for mu in map(grid.__getitem__, range(5))])
# Second order in the cell width; the solver's tolerance on the Gaussian.
np.testing.assert_allclose(on_grid, exact, rtol=1e-2)
np.testing.assert_allclose(gaussian.measures.measure.cov[:, 0, 0], exact, rtol=1e-6)

figure, axes = plt.subplots(figsize=(5, 3), layout="constrained")
for k, t in enumerate(times):
    mu = grid[k].measure
    axes.plot(mu.centers[:, 0], mu.density, color=plt.cm.viridis(t), label=f"{t:g}")
axes.set(xlabel="position", ylabel="density", title="A free quantum packet")
axes.legend(title="time")
figure.savefig("inertia.png", dpi=150)
