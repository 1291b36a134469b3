"""Four ways to a target: particles move, multiply and fade, do both, or move together.

The target has two modes of unequal mass; sizes are weights. Transport alone cannot
change how many particles are on either side of the valley for a long time.
"""

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt

import wflow as wf


jax.config.update("jax_enable_x64", True)


target = wf.GaussianMixture([[-1.4, 0.0], [1.4, 0.0]], 0.15, weights=[1.0, 4.0])
x = jax.random.normal(jax.random.key(0), (120, 2)) * 0.9 + jnp.array([-0.8, 0.0])
cloud, times = wf.Particles.from_samples(x), jnp.linspace(0, 2, 31)

# A smoothed density stands for that of the particles, but in Stein's geometry.
energy = wf.KLDivergence(target.log_density)
smooth = wf.KLDivergence(target.log_density, wf.energies.KDE(0.3))
flows = {
    "transport": wf.GradientFlow(smooth, wf.Wasserstein()),
    "reaction": wf.GradientFlow(smooth, wf.FisherRao()),
    "both": wf.GradientFlow(smooth, wf.HellingerKantorovich(1.0, 1.0)),
    "Stein": wf.GradientFlow(energy, wf.Stein(wf.kernels.GaussianKernel(0.5))),
}
found = {k: wf.solve(flow, cloud, 0, 2, times=times) for k, flow in flows.items()}

# Four fifths of the target are on the right: only reaction gets near to that.
right = lambda mu: mu.integrate(lambda x: jnp.where(x[0] > 0, 1.0, 0.0)) / mu.mass
assert right(found["both"][-1]) > 0.7 > right(found["transport"][-1])


def draw(k):
    """All four at one saved time, over the density of the target."""
    figure, axes = plt.subplots(1, 4, figsize=(9, 2.6), layout="constrained")
    line = jnp.linspace(-3, 3, 60)
    plane = jnp.stack(jnp.meshgrid(line, line), axis=-1)
    density = jnp.exp(jax.vmap(jax.vmap(target.log_density))(plane))
    for axis, (name, solution) in zip(axes, found.items(), strict=True):
        mu = solution[k]
        axis.contourf(line, line, density, cmap="Blues", levels=8, alpha=0.6)
        axis.scatter(*mu.x.T, s=1200 * mu.w / mu.mass, color="C1", linewidths=0)
        title = f"{name}: {float(right(mu)):.0%} on the right"
        axis.set(title=title, xticks=[], yticks=[], xlim=(-3, 3), ylim=(-2.5, 2.5))
        axis.title.set_fontsize("small")
    return figure


draw(-1).savefig("plane.png", dpi=150)
