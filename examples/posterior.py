"""A posterior with a positive parameter, by reaction and transport.

Counts y_i ~ Poisson(rate), rate ~ Gamma(a, 1): the posterior is Gamma(a + sum y, 1 + n).
"""

import jax
import jax.numpy as jnp
import numpy as np

from wflow.sampling import SHK, sample


COUNTS = jnp.array([3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0])
A, N = 2.0, 400


def log_density(p):
    """Prior times likelihood at one point, up to a constant."""
    rate = p["rate"]
    return (A - 1 + jnp.sum(COUNTS)) * jnp.log(rate) - (1 + len(COUNTS)) * rate


def main():
    """Print moments beside the exact ones."""
    # Anywhere wide: exponentials of normal draws, all positive.
    start = {"rate": jnp.exp(jax.random.normal(jax.random.key(0), (N,)))}
    samples = sample(
        log_density,
        start,
        supports={"rate": "positive"},
        method=SHK(step=0.01, steps=400),
        key=jax.random.key(1),
    )
    shape, rate = A + float(jnp.sum(COUNTS)), 1.0 + len(COUNTS)
    mean, std = float(samples.mean["rate"]), float(samples.std["rate"])
    exact_mean, exact_std = shape / rate, np.sqrt(shape) / rate
    print(f"mean {mean:.3f} (exactly {exact_mean:.3f})")
    print(f"std  {std:.3f} (exactly {exact_std:.3f})")
    print(f"effective sample size {float(samples.ess):.0f} of {N}")
    # Four standard errors of independent draws.
    assert abs(mean - exact_mean) < 4 * exact_std / np.sqrt(N)
    assert abs(std - exact_std) < 4 * exact_std / np.sqrt(2 * N)


if __name__ == "__main__":
    main()
