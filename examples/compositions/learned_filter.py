"""A law learned from snapshots becomes the model of a filter.

Cells in a double well are sampled a few times, all at once; no cell is followed. The
potential learned from them then follows one cell through noisy readings.
"""

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import wflow as wf
from wflow.filtering import (
    CouplingTransport,
    EulerMaruyama,
    GaussianObservation,
    StateSpace,
    filter,
    twin,
)
from wflow.parameters.learnable import unwrap


NOISE = 0.5  # variance per unit of time


def model(slope):
    """A cell that drifts down a slope with noise, read at every 0.25."""
    drift = lambda x, t: -slope(x)
    noisy = EulerMaruyama(drift, lambda x, t: jnp.sqrt(NOISE), 0.25, steps=5)
    return StateSpace(noisy, GaussianObservation(lambda x: x, 0.3 * jnp.eye(1)))


def main(path="learned_filter.png"):
    """Simulate, learn, filter with the learned law, draw."""
    jax.config.update("jax_enable_x64", True)
    keys = jax.random.split(jax.random.key(0), 5)
    true = wf.Potential(lambda x: (x[0] ** 2 - 1) ** 2 / 2)
    start = wf.Particles.from_samples(jax.random.normal(keys[0], (200, 1)) - 0.5)
    times = np.linspace(0, 1.5, 6)
    law = lambda energy: wf.LangevinFlow(energy, temperature=NOISE / 2)
    cells = wf.solve(law(true), start, 0, 1.5, times=times, dt0=0.02, key=keys[1])
    shots = wf.Snapshots(times, list(np.asarray(cells.measures.x)))

    guess = law(wf.Potential(wf.energies.Polynomial(1, 4)))
    rule = wf.learning.FlowMatching()
    found = wf.fit(guess, shots, rule, steps=1000, key=keys[2], progress=False)
    energy = unwrap(found.flow.energy)
    learned = jax.grad(energy.potential)

    truth = twin(model(jax.grad(true.potential)), jnp.array([-1.0]), 60, keys[3])
    members = start.x[:60]
    method = CouplingTransport(steps=10)
    errors = {}
    for name, slope in (("learned", learned), ("none", jnp.zeros_like)):
        run = filter(model(slope), method, truth.observed, members, keys[4])
        errors[name] = run.rmse(truth.truth)[5:].mean()
        if name == "learned":
            mean, std = run.mean[:, 0], run.std[:, 0]
    assert errors["learned"] < errors["none"], errors

    figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
    x = jnp.linspace(-1.8, 1.8, 100)[:, None]
    for name, form in (("true", true), ("learned", energy)):
        values = jax.vmap(form.potential)(x)
        left.plot(x[:, 0], values - values.min(), label=name)
    left.set(xlabel="place", ylabel="potential")
    left.legend()
    right.plot(truth.times, truth.observed[:, 0], ".", color="0.6", label="read")
    right.plot(truth.times, truth.truth[:, 0], "k", lw=0.8, label="truth")
    right.fill_between(truth.times, mean - 2 * std, mean + 2 * std, alpha=0.3)
    right.plot(truth.times, mean, label=f"filter, error {errors['learned']:.2f}")
    right.set(xlabel="time")
    right.legend(fontsize="small")
    figure.savefig(path, dpi=150)


if __name__ == "__main__":
    main()
