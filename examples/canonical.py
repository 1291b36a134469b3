"""Fine-tuning with arc ridge: one run of training holds every strength.

A small network that knows sin(3x) is tuned on 15 noisy points of sin(3x) + x/2; a few
points more choose where on its path to stop.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax

import wflow as wf
from wflow.networks import Supervised
from wflow.networks.canonical import lambda_path


def noisy(key, n):
    """Points of the tilted wave, as a training loss."""
    where, noise = jax.random.split(key)
    x = jax.random.uniform(where, (n, 1), minval=-2, maxval=2)
    return x, tilted(x) + 0.5 * jax.random.normal(noise, (n, 1))


def tilted(x):
    """What fine-tuning should find."""
    return jnp.sin(3 * x) + x / 2


def main(path="canonical.png"):
    """Pretrain, fine-tune once, choose the strength, draw."""
    jax.config.update("jax_enable_x64", True)
    weights, few, more = jax.random.split(jax.random.key(1), 3)
    network = eqx.nn.MLP(1, 1, 32, 1, jnp.tanh, key=weights)
    grid = jnp.linspace(-2, 2, 101)[:, None]
    wave = Supervised(grid, jnp.sin(3 * grid), "mean_square")
    start = wf.Point(network)
    first = wf.GradientFlow(wave, wf.Euclidean())
    start = wf.solve(first, start, 0, 400, max_steps=100_000)[-1]

    tuning = wf.GradientFlow(Supervised(*noisy(few, 15), "mean_square"), wf.Euclidean())
    strengths = jnp.logspace(-2, 1, 13)
    arcs = lambda_path(tuning, start, strengths, 400.0, max_steps=100_000)
    chosen = arcs.select(*noisy(more, 60))
    # The rule: the gradient at every stop is the strength times the way come so far.
    for k in np.flatnonzero(arcs.stopped):
        slope = optax.tree.norm(tuning.velocity(arcs[k]))
        np.testing.assert_allclose(slope, strengths[k] * arcs.lengths[k], rtol=1e-4)
    assert arcs.stopped.sum() > 6

    truth = Supervised(grid, tilted(grid), "mean_square")
    errors = 2 * arcs.evaluate(truth)
    before = 2 * truth.value(start)
    # Tuned, the network is nearer to the truth than it was, and than at the path's end.
    tuned = 2 * truth.value(chosen.point)
    assert tuned < before
    assert tuned < errors[0]
    figure, (over, curves) = plt.subplots(1, 2, figsize=(8, 3.4), layout="constrained")
    over.loglog(strengths, errors, "o-")
    over.axvline(float(chosen.lam), color="0.7", label="chosen on validation")
    over.set(xlabel="strength", ylabel="test MSE", title="One run of training")
    over.legend()
    for name, point in {"pretrained": start, "arc ridge": chosen.point}.items():
        curves.plot(grid, jax.vmap(point.value)(grid), label=name)
    curves.plot(grid, tilted(grid), "--", color="0.5", label="truth")
    curves.plot(*map(np.ravel, noisy(few, 15)), "k.", label="tuned on")
    curves.set(xlabel="x", title=f"strength {float(chosen.lam):.2g}")
    figure.legend(
        *curves.get_legend_handles_labels(), loc="outside lower center", ncols=4
    )
    figure.savefig(path, dpi=150)


if __name__ == "__main__":
    main()
