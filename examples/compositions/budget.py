"""A privacy budget that is spent over time.

Two data sets that differ in one person have two targets. A draw from the flow at time t
betrays the person by at most the log-ratio of the two laws then. The accountant knows a
bound in advance; on a circle the ratio itself is computed.
"""

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt

import wflow as wf
from wflow.sampling.privacy import PrivacyAccountant


jax.config.update("jax_enable_x64", True)
shared = lambda x: 1.5 * jnp.cos(x[0]) + 0.8 * jnp.cos(2 * x[0] + 0.3)
person = lambda x: 0.5 * jnp.sin(x[0] + 0.5)
targets = (lambda x: -shared(x)), (lambda x: -shared(x) - person(x))
flat = lambda x: 0.0 * x[0]
start = wf.Grid.from_log_density(flat, 0.0, 2 * jnp.pi, (64,), boundary="periodic")
times = jnp.linspace(0.05, 3, 60)
reaction = wf.FisherRao()
laws = [
    wf.solve(
        wf.GradientFlow(wf.KLDivergence(target), reaction), start, 0, 3, times=times
    ).measures.density
    for target in targets
]
loss = jnp.abs(jnp.log(laws[0] / laws[1])).max(axis=1)

accountant = PrivacyAccountant(osc_delta=1.0, alpha=0.0, beta=1.0)
bound = [accountant.pure(float(t)) for t in times]
assert jnp.all(loss <= jnp.array(bound) * (1 + 1e-6))
stop = accountant.time_for(epsilon=0.4)

figure, axes = plt.subplots(figsize=(5, 3), layout="constrained")
axes.plot(times, bound, label="certified in advance")
axes.plot(times, loss, label="this pair of data sets")
axes.axhline(0.4, color="0.7", lw=1)
axes.axvline(stop, color="0.7", lw=1, label=f"a budget of 0.4: stop at {stop:.2f}")
axes.set(xlabel="time of the draw", ylabel="privacy loss", ylim=(0, None))
axes.legend()
figure.savefig("budget.png", dpi=150)
