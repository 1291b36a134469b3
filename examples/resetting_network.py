"""Resetting a network's training: what is exact, and what is linear theory.

Far from the start the mean m under Poisson resets to o at rate r obeys
r (m - o) = -E grad L for every loss L. On a quadratic loss the right side is
-grad L(m), and m is ridge regression anchored at o. A network's m is not: the gap
closes as the targets shrink and the network stays linear in its parameters.
Averages of its outputs over the ages regularize all the same.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
from jax.flatten_util import ravel_pytree

import wflow as wf
from wflow.energies import Potential
from wflow.regression import Deterministic, Gamma
from wflow.regression.reweight import age_trajectory


def main(path="resetting_network.png"):
    """One training from the reset point serves every law and rate of resets."""
    jax.config.update("jax_enable_x64", True)
    keys = jax.random.split(jax.random.key(0), 4)
    x, new = jax.random.normal(keys[0], (40, 3)), jax.random.normal(keys[1], (500, 3))
    truth = lambda x: jnp.sin(2 * x[:, 0]) + x[:, 1]
    y = truth(x) + 0.7 * jax.random.normal(keys[2], (40,))
    net = eqx.nn.MLP(3, "scalar", 50, 1, jnp.tanh, key=keys[3])
    origin, build = ravel_pytree(eqx.filter(net, eqx.is_inexact_array))
    rest = eqx.filter(net, eqx.is_inexact_array, inverse=True)

    def change(theta, x):
        model = eqx.combine(build(theta), rest)
        return jax.vmap(model)(x) - jax.vmap(net)(x)

    def loss(size, penalty, theta):
        fit = jnp.mean((change(theta, x) - size * y) ** 2) / 2
        return fit + penalty * jnp.sum((theta - origin) ** 2) / 2

    def training(size, penalty):
        energy = Potential(eqx.Partial(loss, jnp.array(size), jnp.array(penalty)))
        return wf.GradientFlow(energy, wf.Euclidean())

    rate, sizes, gaps, paths = 0.05, (1.0, 0.1, 0.01), [], []
    for size in sizes:
        paths.append(age_trajectory(training(size, 0.0), wf.Point(origin), 1000.0))
        flow, law = training(size, 0.0), wf.flows.Exponential(rate)
        away = paths[-1].average(law) - origin
        force = paths[-1].average(law, flow.velocity)
        # Exact for any loss, to the tolerance of the solver.
        assert jnp.linalg.norm(force - rate * away) < 1e-4 * jnp.linalg.norm(force)
        penalized = wf.solve(training(size, rate), wf.Point(origin), 0, 400)
        ridge = penalized.measures.value[0] - origin
        gaps.append(jnp.linalg.norm(away - ridge) / jnp.linalg.norm(ridge))
    assert gaps[0] > 0.3 > 30 * gaps[-1]

    rates = jnp.geomspace(0.004, 5, 31)
    outputs = lambda mu: change(mu.value, new)
    error = lambda f: jnp.sqrt(jnp.mean((f + jax.vmap(net)(new) - truth(new)) ** 2))
    errors = eqx.filter_jit(
        eqx.filter_vmap(lambda law: error(paths[0].average(law, outputs)))
    )
    figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
    laws = {"deterministic": Deterministic(1.0), "Poisson": wf.flows.Exponential(1.0)}
    for name, law in {**laws, "gamma(1/2)": Gamma(1.0, 0.5)}.items():
        scaled = jax.vmap(law.with_mean)(1 / rates)
        left.semilogx(rates, errors(scaled), label=name)
    last = error(change(paths[0].at(jnp.array([1000.0]))[0], new))
    left.axhline(last, color="black", linestyle="--", label="no resets")
    left.set(xlabel="rate of resets", ylabel="error on new inputs")
    left.legend()
    right.loglog(sizes, gaps, "o-")
    right.set(xlabel="size of the targets", ylabel="distance of m from ridge, relative")
    figure.savefig(path, dpi=150)


if __name__ == "__main__":
    main()
