"""Saddle to saddle: a ReLU network of vanishing initialization learns in steps.

Twelve orthogonal samples, eight neurons that start at exp(-1000), no floating-point
number: the flow moves logarithms. When each neuron takes its samples, and how large it
ends, is known beforehand from which units are on at the start.
"""

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

from wflow.networks import saddle
from wflow.networks.saddle.jumps import limit_of_cover
from wflow.networks.saddle.staircases import staircase


jax.config.update("jax_enable_x64", True)
labels, start = jax.random.split(jax.random.key(6))
sizes, signs = jax.random.split(labels)
y = jax.random.uniform(sizes, (12,), minval=0.5, maxval=1.5)
data = saddle.ReLUData.orthogonal(y * jax.random.rademacher(signs, (12,), y.dtype))

first = saddle.small_neurons(start, 8, data, -1000.0)
limit = limit_of_cover(data, first.active, first.sign)
count = int(limit.count)
runs = {}
for scale in (50.0, 1000.0):
    neurons = saddle.small_neurons(start, 8, data, -scale)
    course = saddle.follow(data, neurons)
    runs[scale] = staircase(course, limit, -scale)
    print(f"log(1/scale) = {scale:g}: {int(course.steps)} steps of the solver")
print("jump  neuron  predicted  halfway at 1000  squared weight")
for q in range(count):
    print(
        f"{q:4d}  {int(limit.neuron[q]):6d}  {float(limit.tau[q]):9.4f}"
        f"  {float(runs[1000.0].jumps[q]):15.4f}  {float(limit.value[q]):14.4f}"
    )
# Of first order in 1 / log(1 / scale).
np.testing.assert_allclose(runs[1000.0].jumps[:count], limit.tau[:count], atol=0.03)

figure, axes = plt.subplots(figsize=(5, 3), layout="constrained")
end = 1.1 * float(limit.tau[count - 1])
tau = jnp.linspace(0, end, 2000)
axes.plot(tau, limit.loss(tau), color="0.75", lw=4, label="predicted")
for scale, run in runs.items():
    axes.plot(run.tau, run.loss, lw=1.2, label=rf"$\log(1/\lambda) = {scale:g}$")
axes.set(xlim=(0, end), xlabel=r"slow time $t / \log(1/\lambda)$", ylabel="loss")
axes.legend()
figure.savefig("saddle.png", dpi=150)
