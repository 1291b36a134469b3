"""The porous medium equation: an energy in one line, and a front of finite speed.

The Wasserstein flow of the integral of the squared density is Barenblatt's parabola,
which spreads like the third root of time.
"""

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import wflow as wf


jax.config.update("jax_enable_x64", True)


def barenblatt(x, t):
    """The solution of mass one on the line."""
    height = (9 / 192) ** (1 / 3)
    return t ** (-1 / 3) * jnp.maximum(height - x**2 / 12 * t ** (-2 / 3), 0)


energy = lambda mu, t: jnp.sum(mu.density**2) * mu.cell_volume
flow = wf.GradientFlow(wf.energies.Functional(energy), wf.Wasserstein())
edges = jnp.linspace(-5, 5, 101)
x = (edges[1:] + edges[:-1]) / 2
# Mass crosses a face at the mean of its cells: none of them may be all empty.
start = wf.Grid(barenblatt(x, 1.0) + 1e-5, -5.0, 5.0)
times = jnp.array([1.0, 2.0, 4.0, 8.0])
solution = wf.solve(flow, start, 1.0, 8.0, times=times, max_steps=20_000)
figure, axes = plt.subplots(figsize=(5, 3), layout="constrained")
for k, t in enumerate(times):
    (line,) = axes.plot(x, solution[k].density, label=f"t = {t:g}")
    axes.plot(x, barenblatt(x, t), "--", color=line.get_color())
# First order at the front, where the solution has a kink.
error = jnp.abs(solution[-1].density - barenblatt(x, 8.0)).sum() * 0.1
assert error < 0.04, error
np.testing.assert_allclose(solution[-1].mass, start.mass, rtol=1e-8)
axes.set(xlabel="place", ylabel="density", title="Solved, and Barenblatt (dashed)")
axes.legend()
figure.savefig("porous.png", dpi=150)
