"""Steps of SVGD on a Gaussian, by one library: arguments library, n and rule."""

import sys

import jax
import jax.numpy as jnp
import numpy as np

from .worker import serve


DIM, STEP = 10, 0.1
# Steps in one task: short ones are timed together.
STEPS = {1000: 20, 10000: 1}


def log_density(x):
    """Of a Gaussian with variances from 0.1 to 10."""
    return -jnp.sum(x**2 / jnp.logspace(-1, 1, DIM)) / 2


def wflow(n, rule, start):
    """Steps as ``sample`` takes them."""
    import diffrax

    from wflow.energies import KLDivergence
    from wflow.flows import GradientFlow
    from wflow.geometries import Stein
    from wflow.kernels import GaussianKernel, MedianGaussian
    from wflow.measures import Particles
    from wflow.solvers import solve

    kernel = MedianGaussian() if rule == "median" else GaussianKernel(1.0)
    flow = GradientFlow(KLDivergence(log_density), Stein(kernel))
    steps = STEPS[n]
    initial = Particles.from_samples(start)

    def run():
        solution = solve(
            flow, initial, 0.0, steps * STEP, dt0=STEP, solver=diffrax.Euler()
        )
        return solution.measures.x[-1]

    return run


def blackjax(n, rule, start):
    """Steps of its own loop, with plain gradient steps for the optimizer."""
    import blackjax
    import optax

    keep = (lambda state: state) if rule == "fixed" else None
    extra = {} if keep is None else {"update_kernel_parameters": keep}
    svgd = blackjax.svgd(jax.grad(log_density), optax.sgd(STEP), **extra)
    steps = STEPS[n]

    @jax.jit
    def run():
        state = svgd.init(start, {"length_scale": 2.0})
        if rule == "median":
            state = blackjax.vi.svgd.update_median_heuristic(state)
        state, _ = jax.lax.scan(lambda s, _: (svgd.step(s), None), state, length=steps)
        return state.particles

    return run


def main():
    """Serve the task ``steps``."""
    library, n, rule = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    start = jax.random.normal(jax.random.key(0), (n, DIM))
    run = {"wflow": wflow, "blackjax": blackjax}[library](n, rule, start)

    def steps():
        end = np.asarray(jax.block_until_ready(run()))
        return float(end.std())

    serve({"steps": steps})


if __name__ == "__main__":
    main()
