"""How noise answers to stiffness: a derivative through a stochastic equation.

The variance of an Ornstein-Uhlenbeck process at a time, and its derivative in the
stiffness of the spring, both through the simulated paths.
"""

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import wflow as wf


jax.config.update("jax_enable_x64", True)
start = wf.Particles.from_samples(jnp.zeros((4000, 1)))


def variance(stiffness):
    spring = stiffness * wf.Potential(lambda x: x @ x / 2)
    flow = wf.LangevinFlow(spring, temperature=1.0)
    solution = wf.solve(flow, start, 0.0, 1.0, dt0=0.02, key=jax.random.key(0))
    return solution[-1].cov[0, 0]


exact = lambda k: (1 - jnp.exp(-2 * k)) / k
stiffness = jnp.linspace(0.5, 3, 6)
found, slopes = jax.lax.map(jax.value_and_grad(variance), stiffness)
expected = jax.vmap(jax.grad(exact))(stiffness)
# Of 4000 paths: a variance is known to 2 %, its slope likewise.
np.testing.assert_allclose(found, exact(stiffness), rtol=0.08)
np.testing.assert_allclose(slopes, expected, rtol=0.15)

figure, axes = plt.subplots(figsize=(5, 3), layout="constrained")
k = jnp.linspace(0.4, 3.2, 100)
axes.plot(k, exact(k), color="black", lw=1, label="closed form")
for at, value, slope in zip(stiffness, found, slopes, strict=True):
    near = jnp.array([-0.2, 0.2])
    axes.plot(at + near, value + slope * near, color="C1", lw=3)
axes.plot(stiffness, found, "o", label="4000 paths, and slopes through them")
axes.set(xlabel="stiffness", ylabel="variance at time 1")
axes.legend()
figure.savefig("sensitivity.png", dpi=150)
