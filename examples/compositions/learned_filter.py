"""A law learned from snapshots becomes the model of a filter.

Cells in a double well are sampled a few times, all at once; no cell is followed. The
potential learned from them, of a lower barrier, follows one cell in noisy readings.
"""

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt

import wflow as wf
from wflow import filtering
from wflow.parameters.learnable import unwrap


jax.config.update("jax_enable_x64", True)
NOISE = 0.5  # variance per unit of time


def model(slope):
    drift, spread = lambda x, t: -slope(x), lambda x, t: jnp.sqrt(NOISE)
    noisy = filtering.EulerMaruyama(drift, spread, 0.25, steps=5)
    read = filtering.GaussianObservation(lambda x: x, 0.3 * jnp.eye(1))
    return filtering.StateSpace(noisy, read)


keys = jax.random.split(jax.random.key(0), 5)
true = wf.Potential(lambda x: (x[0] ** 2 - 1) ** 2 / 2)
start = wf.Particles.from_samples(jax.random.normal(keys[0], (200, 1)) - 0.5)
times = jnp.linspace(0, 1.5, 6)
law = lambda energy: wf.LangevinFlow(energy, temperature=NOISE / 2)
cells = wf.solve(law(true), start, 0, 1.5, times=times, dt0=0.02, key=keys[1])
shots = wf.Snapshots(times, list(cells.measures.x))
form = law(wf.Potential(wf.energies.Polynomial(1, 4)))
rule = wf.learning.FlowMatching()
found = wf.fit(form, shots, rule, steps=1000, key=keys[2], progress=False)
energy = unwrap(found.flow.energy)

cell = filtering.twin(model(jax.grad(true.potential)), jnp.array([-1.0]), 60, keys[3])
method, members = filtering.CouplingTransport(steps=10), start.x[:60]
follow = lambda s: filtering.filter(model(s), method, cell.observed, members, keys[4])
run = follow(jax.grad(energy.potential))
error = run.rmse(cell.truth)[5:].mean()
assert error < follow(jnp.zeros_like).rmse(cell.truth)[5:].mean()
mean, std = run.mean[:, 0], run.std[:, 0]
figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
x = jnp.linspace(-1.8, 1.8, 100)[:, None]
for name, well in (("true", true), ("learned", energy)):
    values = jax.vmap(well.potential)(x)
    left.plot(x[:, 0], values - values.min(), label=name)
left.set(xlabel="place", ylabel="potential")
left.legend()
right.plot(cell.times, cell.observed[:, 0], ".", color="0.6", label="read")
right.plot(cell.times, cell.truth[:, 0], "k", lw=0.8, label="truth")
right.fill_between(cell.times, mean - 2 * std, mean + 2 * std, alpha=0.3)
right.plot(cell.times, mean, label=f"filter, error {error:.2f}")
right.set(xlabel="time", ylabel="place")
right.legend(fontsize="small")
figure.savefig("learned_filter.png", dpi=150)
