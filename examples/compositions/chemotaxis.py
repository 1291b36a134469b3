"""Bacteria that attract each other, spread and multiply: Keller-Segel with growth.

Diffusion and attraction are energies, logistic growth is a law of its own in one
method; the three are added. Attraction beats diffusion above a critical mass.
"""

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import wflow as wf


jax.config.update("jax_enable_x64", True)


class Logistic(wf.AbstractContinuousFlow):
    """Growth that ends where the density is at the capacity."""

    rate: float
    capacity: float

    def velocity(self, mu, t=0.0):
        return self.rate * mu.density * (1 - mu.density / self.capacity)


spread = wf.Entropy(0.05)
attraction = wf.energies.CoulombInteraction(-0.7)
bumps = lambda x: jnp.logaddexp(
    -jnp.sum((x - 0.8) ** 2) / 0.2, -jnp.sum((x + 0.8) ** 2) / 0.2
)
start = wf.Grid.from_log_density(bumps, (-2.5, -2.5), (2.5, 2.5), (24, 24))
ends = {}
for name, energy in (("spread", spread), ("with attraction", spread + attraction)):
    flow = wf.GradientFlow(energy, wf.Wasserstein()) + Logistic(0.3, 1.0)
    ends[name] = wf.solve(flow, start, 0.0, 3.0, max_steps=20_000)[-1]
free, drawn = ends.values()
# Both multiplied; those that attract each other lie closer together.
sizes = [float(jnp.trace(mu.cov)) for mu in (free, drawn)]
print(f"masses {free.mass:.2f}, {drawn.mass:.2f}; variances {sizes}")
assert min(free.mass, drawn.mass) > 1.2
assert sizes[1] < sizes[0]
np.testing.assert_allclose(drawn.density, drawn.density.T, atol=1e-6)

figure, axes = plt.subplots(1, 3, figsize=(9, 3), layout="constrained")
for axis, (name, mu) in zip(axes, {"start": start, **ends}.items(), strict=True):
    picture = axis.imshow(mu.density.T, origin="lower", extent=(-2.5, 2.5) * 2)
    figure.colorbar(picture, ax=axis, shrink=0.7)
    axis.set(title=f"{name}, mass {mu.mass:.2f}", xlabel="x", ylabel="y")
figure.savefig("chemotaxis.png", dpi=150)
