"""Sums over pairs against the ways they are usually written, and against the machine.

    python benchmarks/pairwise_sums.py

The second table divides each by what the machine takes for its matrix products, in
blocks, and its exponentials or logarithms, of numbers that stay in the cache.
"""

import jax
import jax.numpy as jnp
import numpy as np
from harness import measure, report, rows_of

import wflow as wf
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


BLOCK = 512  # columns of a product


def elementwise(function, count):
    """Seconds of a function at ``count`` numbers, 65,536 of them again and again."""
    numbers, rounds = jnp.linspace(-3, 0, 65_536), 64

    @jax.jit
    def run(numbers):
        return jax.lax.fori_loop(0, rounds, lambda _, a: function(a) - 1.5, numbers)

    took = measure({"": lambda: run(numbers)})[""]["median_s"]
    return took * count / (rounds * numbers.size)


def products(n, inner, columns):
    """Seconds of an (n, inner) by (inner, columns) product."""
    a, b = jnp.ones((n, inner)), jnp.ones((inner, columns))
    multiply = jax.jit(jnp.matmul)
    return measure({"": lambda: multiply(a, b)})[""]["median_s"]


def ceilings(n, d):
    """Velocities and sums of n points beside what the machine needs at least."""
    x = jax.random.normal(jax.random.key(0), (n, d))
    w = jnp.full(n, 1 / n)
    target = wf.KLDivergence(lambda x: -x @ x / 2)
    flows = {
        "Stein velocity": wf.GradientFlow(target, wf.Stein(GaussianKernel(1.0))),
        "velocity of a lambda x, y": wf.GradientFlow(
            wf.Interaction(lambda x, y: jnp.log1p(jnp.sum((x - y) ** 2))),
            wf.Wasserstein(),
        ),
    }
    runs = {"matvec": lambda: streamed(x, w)}
    for name, flow in flows.items():
        velocity = jax.jit(
            lambda x, flow=flow: flow.velocity(wf.Particles.from_samples(x))[0]
        )
        runs[name] = lambda velocity=velocity: velocity(x)
    blocks = n / BLOCK
    distances = products(n, d, BLOCK) * blocks
    exps = elementwise(jnp.exp, n * n)
    least = {
        "matvec": distances + products(n, BLOCK, 1) * blocks + exps,
        "Stein velocity": distances + products(n, BLOCK, 2 * d + 1) * blocks + exps,
        # Of any function distances are no product: per coordinate a difference, a
        # square and a component of the force.
        list(flows)[1]: elementwise(lambda a: jnp.log1p(a * a), n * n)
        + 3 * d * elementwise(lambda a: a * 1.01, n * n),
    }
    return [
        {
            "case": f"n = {n}, d = {d}",
            "peer": name,
            **took,
            "ceiling_s": least[name],
            "ratio": took["median_s"] / least[name],
        }
        for name, took in measure(runs).items()
    ]


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
    rows = [
        row for n, d in ((2048, 2), (8192, 2), (8192, 16)) for row in ceilings(n, d)
    ]
    note = (
        "Seconds over those of the products and exponentials that a sum cannot avoid."
    )
    report("Pairwise sums at the ceiling", rows, [], note)


if __name__ == "__main__":
    main()
