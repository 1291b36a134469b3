"""A posterior with a positive parameter, by reaction and transport.

Counts y_i ~ Poisson(rate) with rate ~ Gamma(a, 1): the posterior is
Gamma(a + sum y, 1 + n).
"""

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
from scipy.stats import gamma

from wflow.sampling import SHK, sample


jax.config.update("jax_enable_x64", True)


COUNTS = jnp.array([3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0])
A, N = 2.0, 400


def log_density(p):
    """Prior times likelihood at one point, up to a constant."""
    rate = p["rate"]
    return (A - 1 + jnp.sum(COUNTS)) * jnp.log(rate) - (1 + len(COUNTS)) * rate


# Anywhere wide: exponentials of normal draws, all positive.
start = {"rate": jnp.exp(jax.random.normal(jax.random.key(0), (N,)))}
samples = sample(
    log_density,
    start,
    supports={"rate": "positive"},
    method=SHK(step_size=0.01, steps=400),
    key=jax.random.key(1),
)
shape, rate = A + float(jnp.sum(COUNTS)), 1.0 + len(COUNTS)
mean, std = float(samples.mean["rate"]), float(samples.std["rate"])
exact_mean, exact_std = shape / rate, np.sqrt(shape) / rate
# Four standard errors of independent draws.
assert abs(mean - exact_mean) < 4 * exact_std / np.sqrt(N)
assert abs(std - exact_std) < 4 * exact_std / np.sqrt(2 * N)
figure, axes = plt.subplots(figsize=(5, 3), layout="constrained")
rates = np.linspace(1, 7, 200)
look = {"bins": 30, "density": True, "alpha": 0.4, "label": f"{N} particles"}
axes.hist(samples.parameters["rate"], weights=samples.weights, **look)
exact = gamma.pdf(rates, shape, scale=1 / rate)
axes.plot(rates, exact, color="black", label="closed form")
axes.set(xlabel="rate", ylabel="density", title="Posterior of a Poisson rate")
axes.legend()
figure.savefig("posterior.png", dpi=150)
