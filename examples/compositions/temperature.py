"""A temperature read off a cloud: an optimal-transport loss through a noisy solve.

Particles in a bowl were observed once. How hot is it? The Sinkhorn divergence
between simulated and observed particles is differentiated through all steps.
"""

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import optax

import wflow as wf
from wflow.transport import sinkhorn_divergence


jax.config.update("jax_enable_x64", True)
bowl = wf.Potential(lambda x: x @ x / 2)
start = wf.Particles.from_samples(jnp.zeros((80, 1)))


def cloud(temperature, key):
    flow = wf.LangevinFlow(bowl, temperature)
    return wf.solve(flow, start, 0.0, 1.0, dt0=0.1, key=key)[-1].x


observed = cloud(0.4, jax.random.key(0))


@jax.jit
@jax.value_and_grad
def loss(log_temperature, key):
    x = cloud(jnp.exp(log_temperature), key)
    return sinkhorn_divergence(x, observed, blur=0.2).value


optimizer, parameter = optax.adam(0.2), jnp.log(0.1)
state, course = optimizer.init(parameter), []
for step in range(40):
    value, slope = loss(parameter, jax.random.key(step + 1))
    update, state = optimizer.update(slope, state)
    parameter = parameter + update
    course.append((float(jnp.exp(parameter)), float(value)))
found = sum(temperature for temperature, _ in course[-20:]) / 20
# Of 80 particles the variance, and so the temperature, is known to some 16 %.
assert abs(found - 0.4) < 0.15, found

figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
left.plot([temperature for temperature, _ in course])
left.axhline(0.4, color="black", lw=0.8)
left.set(xlabel="step", ylabel="temperature", title=f"found {found:.2f}, true 0.4")
bins = jnp.linspace(-2, 2, 31)
again = cloud(found, jax.random.key(99))
for x, label in ((observed, "observed"), (again, "found")):
    right.hist(x[:, 0], bins=bins, alpha=0.5, label=label)
right.set(xlabel="place")
right.legend()
figure.savefig("temperature.png", dpi=150)
