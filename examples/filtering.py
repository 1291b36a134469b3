"""Filtering: the state of Lorenz-63 and a number of its law, from observations alone.

An ensemble Kalman filter follows the state. What it says about the next observation is
a likelihood, whose gradient passes through all cycles: rho is learned by it.
"""

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax

from wflow.filtering import (
    Components,
    EnKF,
    GaussianObservation,
    Lorenz63,
    RungeKutta4,
    StateSpace,
    filter,
    twin,
)


def lorenz(rho):
    """The first and the last component, seen at every 0.1 with errors of variance 1."""
    observation = GaussianObservation(Components(every=2), np.eye(2))
    return StateSpace(RungeKutta4(Lorenz63(rho=rho), 0.02, 5), observation)


def main(path="filtering.png"):
    """Observe, learn, filter, draw."""
    jax.config.update("jax_enable_x64", True)
    keys = jax.random.split(jax.random.key(0), 3)
    x0 = jnp.array([1.5, -1.5, 25.5])
    data = twin(lorenz(28.0), x0, 100, keys[0])
    start = x0 + jax.random.normal(keys[1], (40, 3))

    def run(rho):
        # Wide enough not to lose the truth while rho is far off.
        return filter(lorenz(rho), EnKF(1.2), data.observed, start, keys[2])

    @jax.jit
    @jax.value_and_grad
    def loss(rho):
        return -run(rho).log_evidence.mean()

    optimizer = optax.adam(0.3)
    rho = jnp.asarray(22.0)
    state, course = optimizer.init(rho), [rho]
    for _ in range(50):
        _, slope = loss(rho)
        update, state = optimizer.update(slope, state)
        rho = rho + update
        course.append(rho)
    assert abs(rho - 28) < 0.5, rho
    before, after = run(jnp.asarray(22.0)), run(rho)
    error = after.rmse(data.truth)[10:].mean()
    assert error < before.rmse(data.truth)[10:].mean() / 2

    print(f"rho = {rho:.2f}; error of the state {error:.2f}")
    figure, axes = plt.subplots(1, 2, figsize=(9, 3), layout="constrained")
    axes[0].axhline(28, color="black", lw=0.8)
    axes[0].plot(course)
    axes[0].set(xlabel="step", ylabel="rho", title="Learned from the innovations")
    mean, std = after.mean[:, 1], after.std[:, 1]
    axes[1].plot(data.times, data.truth[:, 1], color="black", lw=0.8, label="truth")
    axes[1].plot(data.times, mean, label=f"filter, error {error:.2f}")
    axes[1].fill_between(data.times, mean - 2 * std, mean + 2 * std, alpha=0.3)
    axes[1].set(xlabel="time", ylabel="y", title="The component that is never seen")
    axes[1].legend()
    figure.savefig(path, dpi=150)


if __name__ == "__main__":
    main()
