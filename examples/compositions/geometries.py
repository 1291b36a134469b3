"""One energy, four geometries, three measures: how a population reaches its target.

Transport moves mass, reaction makes and destroys it in place, both do both, and Stein's
geometry averages forces over neighbors. The relative entropy is written down once.
"""

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import wflow as wf


jax.config.update("jax_enable_x64", True)


NAMES = ("transport", "reaction", "both", "Stein")


def laws(target, mu):
    """Gradient flows of the relative entropy to a target, by name."""
    cloud = isinstance(mu, wf.Particles)
    # Particles have no density: a smoothed one stands for it, but in Stein's geometry.
    density = wf.energies.KDE(0.3) if cloud else None
    energy = wf.KLDivergence(target.log_density, density)
    geometries = wf.Wasserstein(), wf.FisherRao(), wf.HellingerKantorovich(1.0, 1.0)
    flows = [wf.GradientFlow(energy, geometry) for geometry in geometries]
    stein = wf.Stein(wf.kernels.GaussianKernel(0.5))
    flows += [wf.GradientFlow(wf.KLDivergence(target.log_density), stein)] * cloud
    return dict(zip(NAMES, flows, strict=False))


target, start = wf.Gaussian([1.0], [[0.5]]), wf.Gaussian([0.0], [[1.0]])
cloud = wf.Particles.from_samples(start.sample(jax.random.key(0), 50))
grid = wf.Grid.from_log_density(start.log_density, -5.0, 5.0, (60,))
times = jnp.linspace(0, 2, 11)
figure, axes = plt.subplots(1, 4, figsize=(9, 2.6), layout="constrained")
ends = {}
for measure, look in ((start, "k--"), (grid, "-"), (cloud, ".")):
    for name, flow in laws(target, measure).items():
        solution = wf.solve(flow, measure, 0, 2, times=times)
        mean = solution.evaluate(lambda mu, t: mu.mean[0])
        kind = type(measure).__name__
        axes[NAMES.index(name)].plot(times, mean, look, label=kind)
        ends[name, kind] = mean[-1]
        if name != "Stein":
            assert np.all(np.diff(solution.energy) < 1e-6)
for name in NAMES[:3]:
    exact, on_grid, at = (ends[name, k] for k in ("Gaussian", "Grid", "Particles"))
    np.testing.assert_allclose(on_grid, exact, atol=0.02)
    # The smoothed density is wider than the particles'.
    np.testing.assert_allclose(at, exact, atol=0.3)
for axis, name in zip(axes, NAMES, strict=True):
    axis.axhline(1.0, color="0.8", lw=1)
    axis.set(title=name, xlabel="time")
axes[0].set(ylabel="mean")
axes[0].legend(fontsize="small")
figure.savefig("geometries.png", dpi=150)
