"""A layer with a scale vector: what its flow keeps, and how it speeds itself up.

The columns of W and the entries of g, M = W diag(g), stay as far apart in size
as they were; so M has a flow of its own, in which useful channels grow faster.
"""

import diffrax
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import wflow as wf
from wflow.networks.scale import ScaledLinear, ScaleVector, fold_scales
from wflow.networks.scale.analysis import imbalance, invariant_drift, scale_report
from wflow.networks.scale.energies import LinearRegression


jax.config.update("jax_enable_x64", True)
rng = np.random.default_rng(0)
inputs = rng.normal(size=(40, 4))
teacher = rng.normal(size=(3, 4)) * np.array([0.1, 0.5, 1.5, 3.0])
energy = LinearRegression(inputs, inputs @ teacher.T)
layer = ScaledLinear(4, 3, scale="in", deviation=0.1, key=jax.random.key(1))


def run(value, geometry):
    flow, times = wf.GradientFlow(energy, geometry), jnp.linspace(0, 2, 101)
    fine = diffrax.PIDController(1e-10, 1e-12)
    point = wf.Point(value)
    return wf.solve(flow, point, 0, 2, times=times, stepsize_controller=fine)


# The flow of W and g, and the same flow of M = W diag(g) in a geometry of its own.
factors = run(layer, wf.Euclidean())
c = imbalance(layer.weight, layer.scales_in[0].vector)
reduced = run(layer.matrix(), ScaleVector(c))
products = jax.vmap(lambda value: value.matrix())(factors.measures.value)
apart = jnp.max(jnp.abs(products - reduced.measures.value))
assert invariant_drift(factors) < 1e-8
assert apart < 1e-7

# At inference the scale costs nothing.
trained = factors[-1].value
x = jnp.asarray(inputs[0])
assert jnp.allclose(fold_scales(trained)(x), trained(x))

along = jax.vmap(scale_report)(factors.measures.value)["y"].along
plain = run(layer.matrix(), wf.Euclidean())
figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.4), layout="constrained")
left.plot(factors.times, along, label=[f"channel {k}" for k in range(4)])
left.legend(frameon=False)
left.axhline(1, color="0.6", linewidth=1)
left.set(xlabel="time", ylabel="preconditioner along each channel")
right.plot(factors.times, factors.energy, label="with a scale vector")
right.plot(plain.times, plain.energy, "--", color="0.5", label="without")
right.set(xlabel="time", ylabel="loss", yscale="log")
right.legend(frameon=False)
figure.savefig("scale.png", dpi=150)
