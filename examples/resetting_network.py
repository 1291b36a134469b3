"""Resetting a network's training: what is exact, and what is linear theory.

The mean m under Poisson resets to o at rate r obeys r (m - o) = -E grad L for any loss
L. If L is quadratic, m is ridge regression anchored at o. A network's m is not, unless
the targets are small. Averages of its outputs over the ages regularize all the same.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
from jax.flatten_util import ravel_pytree

import wflow as wf
from wflow.regression import Deterministic, Gamma
from wflow.regression.reweight import age_trajectory


jax.config.update("jax_enable_x64", True)
keys = jax.random.split(jax.random.key(0), 4)
x, new = jax.random.normal(keys[0], (40, 3)), jax.random.normal(keys[1], (500, 3))
truth = lambda x: jnp.sin(2 * x[:, 0]) + x[:, 1]
y = truth(x) + 0.7 * jax.random.normal(keys[2], (40,))
net = eqx.nn.MLP(3, "scalar", 50, 1, jnp.tanh, key=keys[3])
moving, rest = eqx.partition(net, eqx.is_inexact_array)
origin, of = ravel_pytree(moving)
change = lambda theta, x: jax.vmap(eqx.combine(of(theta), rest))(x) - jax.vmap(net)(x)
loss = lambda size, theta: jnp.mean((change(theta, x) - size * y) ** 2) / 2

rate, sizes, gaps, paths = 0.05, (1.0, 0.1, 0.01), [], []
for size in sizes:
    risk = wf.Potential(eqx.Partial(loss, jnp.array(size)))
    flow, law = wf.GradientFlow(risk, wf.Euclidean()), wf.flows.Exponential(rate)
    paths.append(age_trajectory(flow, wf.Point(origin), 1000.0))
    away = paths[-1].average(law) - origin
    force = paths[-1].average(law, flow.velocity)
    # Exact for any loss, to the tolerance of the solver.
    assert jnp.linalg.norm(force - rate * away) < 1e-4 * jnp.linalg.norm(force)
    anchor = rate * wf.Potential(lambda theta: jnp.sum((theta - origin) ** 2) / 2)
    penalized = wf.GradientFlow(risk + anchor, wf.Euclidean())
    ridge = wf.solve(penalized, wf.Point(origin), 0, 400)[-1].value - origin
    gaps.append(jnp.linalg.norm(away - ridge) / jnp.linalg.norm(ridge))
assert gaps[0] > 0.3 > 30 * gaps[-1]

rates = jnp.geomspace(0.004, 5, 31)
error = lambda f: jnp.sqrt(jnp.mean((f + jax.vmap(net)(new) - truth(new)) ** 2))
of_law = lambda law: error(paths[0].average(law, lambda mu: change(mu.value, new)))
errors = eqx.filter_jit(eqx.filter_vmap(of_law))
figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
laws = {"deterministic": Deterministic(1.0), "Poisson": wf.flows.Exponential(1.0)}
for name, law in {**laws, "gamma(1/2)": Gamma(1.0, 0.5)}.items():
    left.semilogx(rates, errors(jax.vmap(law.with_mean)(1 / rates)), label=name)
last = error(change(paths[0].at(jnp.array([1000.0]))[0], new))
left.axhline(last, color="black", linestyle="--", label="no resets")
left.set(xlabel="rate of resets", ylabel="error on new inputs")
left.legend()
right.loglog(sizes, gaps, "o-")
right.set(xlabel="size of the targets", ylabel="distance of m from ridge, relative")
figure.savefig("resetting_network.png", dpi=150)
