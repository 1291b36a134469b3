"""Where is the heat? Sampling the posterior of a differential equation.

A rod is heated at one unknown place and its temperature is read off in the middle: the
source may be on either side. The likelihood solves -u'' = source; weights of the
sampler carry mass between the two answers.
"""

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt

import wflow as wf


jax.config.update("jax_enable_x64", True)


N = 40
X = jnp.linspace(0, 1, N + 2)[1:-1]
LAPLACE = (N + 1) ** 2 * (2 * jnp.eye(N) - jnp.eye(N, k=1) - jnp.eye(N, k=-1))


def temperature(place, power):
    """The rod, cold at both ends."""
    heat = power * jnp.exp(-((X - place) ** 2) / 0.02)
    return jnp.linalg.solve(LAPLACE, heat)


seen = temperature(0.3, 20.0)[N // 2 - 1 : N // 2 + 1].mean()


def log_density(p):
    read = temperature(p["place"], p["power"])[N // 2 - 1 : N // 2 + 1].mean()
    prior = -(jnp.log(p["power"] / 20) ** 2) / 2 / 0.2**2 - jnp.log(p["power"])
    return prior - (read - seen) ** 2 / 2 / 0.15**2


places, powers = jax.random.uniform(jax.random.key(0), (2, 200))
start = {"place": 0.05 + 0.9 * places, "power": 15 + 10 * powers}
supports = {"place": "unit_interval", "power": "positive"}
rule, key = wf.sampling.SHK(step_size=0.01, steps=200), jax.random.key(1)
draws = wf.sample(log_density, start, supports=supports, method=rule, key=key)
place, w = draws.parameters["place"], draws.weights
left = jnp.sum(jnp.where(place < 0.5, w, 0))
# The rod is symmetric, and so is the posterior.
assert 0.3 < left < 0.7, left
assert abs(draws.mean["place"] - 0.5) < 0.1

figure, (one, two) = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
one.scatter(place, draws.parameters["power"], s=2000 * w, alpha=0.5)
one.set(xlabel="place of the source", ylabel="power")
for k in range(0, 200, 8):
    rod = temperature(place[k], draws.parameters["power"][k])
    two.plot(X, rod, color="C0" if place[k] < 0.5 else "C1", lw=0.5)
two.plot(0.5, seen, "ko", label="read")
two.set(xlabel="place", ylabel="temperature")
two.legend()
figure.savefig("source.png", dpi=150)
