"""Fine-tuning with arc ridge: one run of training holds every strength.

A small network that knows sin(3x) is tuned on 15 noisy points of sin(3x) + x/2; a few
points more choose where on its path to stop.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax

import wflow as wf
from wflow.networks import Supervised
from wflow.networks.canonical import lambda_path


jax.config.update("jax_enable_x64", True)


weights, places, noise = jax.random.split(jax.random.key(1), 3)
tilted = lambda x: jnp.sin(3 * x) + x / 2  # what fine-tuning should find
x = jax.random.uniform(places, (75, 1), minval=-2, maxval=2)
y = tilted(x) + 0.5 * jax.random.normal(noise, (75, 1))
network = eqx.nn.MLP(1, 1, 32, 1, jnp.tanh, key=weights)
grid = jnp.linspace(-2, 2, 101)[:, None]
wave = Supervised(grid, jnp.sin(3 * grid), "mean_square")
first = wf.GradientFlow(wave, wf.Euclidean())
start = wf.solve(first, wf.Point(network), 0, 400, max_steps=100_000)[-1]

few = Supervised(x[:15], y[:15], "mean_square")
tuning = wf.GradientFlow(few, wf.Euclidean())
strengths = jnp.logspace(-2, 1, 13)
arcs = lambda_path(tuning, start, strengths, 400.0, max_steps=100_000)
chosen = arcs.select(x[15:], y[15:])
# The rule: the gradient at every stop is the strength times the way come so far.
for k in np.flatnonzero(arcs.stopped):
    slope = optax.tree.norm(tuning.velocity(arcs[k]))
    np.testing.assert_allclose(slope, strengths[k] * arcs.lengths[k], rtol=1e-4)
assert arcs.stopped.sum() > 6

truth = Supervised(grid, tilted(grid), "mean_square")
errors = 2 * arcs.evaluate(truth)
# Tuned, the network is nearer to the truth than it was, and than at the path's end.
assert truth.value(chosen.point) < min(truth.value(start), errors[0] / 2)

figure, (over, curves) = plt.subplots(1, 2, figsize=(8, 3.4), layout="constrained")
over.loglog(strengths, errors, "o-")
over.axvline(float(chosen.lam), color="0.7", label="chosen on validation")
over.set(xlabel="strength", ylabel="test MSE", title="One run of training")
over.legend()
for name, point in {"pretrained": start, "arc ridge": chosen.point}.items():
    curves.plot(grid, jax.vmap(point.value)(grid), label=name)
curves.plot(grid, tilted(grid), "--", color="0.5", label="truth")
curves.plot(x[:15], y[:15], "k.", label="tuned on")
curves.set(xlabel="x", ylabel="y", title=f"strength {float(chosen.lam):.2g}")
figure.legend(*curves.get_legend_handles_labels(), loc="outside lower center", ncols=4)
figure.savefig("canonical.png", dpi=150)
