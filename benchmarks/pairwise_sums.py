"""Gaussian kernel sums: streamed blocks against the ways they are usually written."""

import jax
import jax.numpy as jnp
import numpy as np
from harness import measure, report, rows_of

from wflow.kernels import GaussianKernel
from wflow.kernels.sums import matvec


@jax.jit
def broadcast(x, b):
    """Differences of all pairs, (n, n, d)."""
    r2 = jnp.sum((x[:, None] - x[None]) ** 2, -1)
    return jnp.exp(-r2 / 2) @ b


@jax.jit
def dense(x, b):
    """Distances by a matrix product, (n, n)."""
    norms = jnp.sum(x**2, 1)
    r2 = norms[:, None] + norms - 2 * x @ x.T
    return jnp.exp(-r2 / 2) @ b


streamed = jax.jit(lambda x, b: matvec(GaussianKernel(1.0), x, x, b))


def main():
    """Time every case and print the table."""
    rows = []
    for n, d in ((1024, 2), (4096, 2), (4096, 16), (16384, 2)):
        x = jax.random.normal(jax.random.key(0), (n, d))
        b = jnp.full(n, 1 / n)
        peers = {"wflow matvec": lambda x=x, b=b: streamed(x, b)}
        peers["dense JAX"] = lambda x=x, b=b: dense(x, b)
        if n * n * d <= 4096**2 * 2:
            peers["broadcast JAX"] = lambda x=x, b=b: broadcast(x, b)
        rows += rows_of(f"n = {n}, d = {d}", measure(peers))
        np.testing.assert_allclose(streamed(x, b), dense(x, b), rtol=1e-3, atol=1e-5)
    report("Pairwise sums", rows, [])


if __name__ == "__main__":
    main()
