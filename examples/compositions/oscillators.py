"""Oscillators that follow each other and are reset now and then: Kuramoto with resets.

Noise keeps weakly coupled oscillators apart; resets to phase zero bring order that the
coupling alone does not.
"""

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import wflow as wf


jax.config.update("jax_enable_x64", True)
draws = jax.random.uniform(jax.random.key(0), (300, 1), maxval=2 * np.pi)
start = wf.Particles.from_samples(draws, period=2 * np.pi)
times = jnp.linspace(0, 6, 31)
order = lambda mu, t: jnp.abs(mu.integrate(lambda x: jnp.exp(1j * x[0])))
figure, axes = plt.subplots(figsize=(5, 3), layout="constrained")
for coupling, look in ((0.0, "--"), (1.0, "-")):
    pull = wf.Interaction(lambda x, y, k=coupling: -k * jnp.cos(x[0] - y[0]))
    for k, rate in enumerate((0.2, 1.0)):
        noisy = wf.LangevinFlow(pull, temperature=1.0)
        flow = wf.ResettingFlow(noisy, wf.flows.Exponential(rate), jnp.zeros(1))
        solution = wf.solve(
            flow, start, 0, 6, times=times, dt0=0.05, key=jax.random.key(1)
        )
        r = solution.evaluate(order)
        label = f"coupling {coupling:g}, resets {rate:g}"
        axes.plot(times, r, look, color=f"C{k}", label=label)
        if coupling == 0:
            # Alone: at age a the phase has cosine exp(-a) on average, ages have
            # the law of the resets, and the mean over it is rate / (rate + 1).
            expected = rate / (rate + 1)
            np.testing.assert_allclose(r[15:].mean(), expected, atol=0.1)
            without = r[15:].mean()
        else:
            last = r[15:].mean()
assert last > without
axes.set(xlabel="time", ylabel="order", ylim=(0, 1))
axes.legend(fontsize="small")
figure.savefig("oscillators.png", dpi=150)
