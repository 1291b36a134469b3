"""Filtering: the state of Lorenz-63 and a number of its law, from observations alone.

An ensemble Kalman filter follows the state. What it says about the next observation is
a likelihood, whose gradient passes through all cycles: rho is learned by it.
"""

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax

from wflow import filtering


jax.config.update("jax_enable_x64", True)


def lorenz(rho):
    # The first and the last component are seen at every 0.1, with errors of variance 1.
    seen = filtering.GaussianObservation(filtering.Components(every=2), np.eye(2))
    step = filtering.RungeKutta4(filtering.Lorenz63(rho=rho), 0.02, 5)
    return filtering.StateSpace(step, seen)


keys = jax.random.split(jax.random.key(0), 3)
x0 = jnp.array([1.5, -1.5, 25.5])
data = filtering.twin(lorenz(28.0), x0, 100, keys[0])
start = x0 + jax.random.normal(keys[1], (40, 3))


wide = filtering.EnKF(inflation=1.2)  # not to lose the truth while rho is far off
run = lambda rho: filtering.filter(lorenz(rho), wide, data.observed, start, keys[2])
loss = jax.jit(jax.grad(lambda rho: -run(rho).log_evidence.mean()))
optimizer = optax.adam(0.3)
rho = jnp.asarray(22.0)
state, course = optimizer.init(rho), [rho]
for _ in range(50):
    update, state = optimizer.update(loss(rho), state)
    rho = rho + update
    course.append(rho)
assert abs(rho - 28) < 0.5, rho
before, after = run(jnp.asarray(22.0)), run(rho)
error = after.rmse(data.truth)[10:].mean()
assert error < before.rmse(data.truth)[10:].mean() / 2

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3), layout="constrained")
left.axhline(28, color="black", lw=0.8)
left.plot(course)
left.set(xlabel="step", ylabel="rho", title="Learned from the innovations")
mean, std = after.mean[:, 1], after.std[:, 1]
right.plot(data.times, data.truth[:, 1], color="black", lw=0.8, label="truth")
right.plot(data.times, mean, label=f"filter, error {error:.2f}")
right.fill_between(data.times, mean - 2 * std, mean + 2 * std, alpha=0.3)
right.set(xlabel="time", ylabel="y", title="The component that is never seen")
right.set_ylim(-25, 40)
right.legend()
figure.savefig("filtering.png", dpi=150)
