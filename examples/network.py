"""Parameters as particles: a mean-field network's risk is an energy of its neurons.

Neurons (w.x)^2 with Gaussian inputs: the second moment M of the neurons obeys a closed
equation, which the Gaussian measure carries; the particles follow it at every width.
"""

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import wflow as wf
from wflow.measures.quadrature import standard_quadrature
from wflow.networks import NetworkRisk


jax.config.update("jax_enable_x64", True)
inputs, probabilities = map(jnp.asarray, standard_quadrature(2))
risk = NetworkRisk(
    neuron=lambda w, x: (w @ x) ** 2,
    inputs=inputs,
    targets=inputs[:, 0] ** 2,
    probabilities=probabilities,
)
flow = wf.GradientFlow(risk, wf.Wasserstein())
neurons = wf.Particles.from_samples(jax.random.normal(jax.random.key(0), (16, 2)))
moment = neurons.integrate(lambda w: jnp.outer(w, w))
times = jnp.linspace(0, 5, 51)
wide = wf.solve(flow, neurons, 0, 5, times=times)
closed = wf.solve(flow, wf.Gaussian(jnp.zeros(2), moment), 0, 5, times=times)

moments = wide.evaluate(lambda mu, t: mu.integrate(lambda w: jnp.outer(w, w)))
# The two agree to the tolerance of the solver.
np.testing.assert_allclose(moments, closed.measures.cov, atol=1e-6)
figure, axes = plt.subplots(figsize=(5, 3), layout="constrained")
axes.semilogy(times, wide.energy, label="16 neurons")
axes.semilogy(times, closed.energy, "--", label="moment equation")
axes.set(xlabel="time", ylabel="risk", title="A mean-field network learns")
axes.legend()
figure.savefig("network.png", dpi=150)
