"""Entropic costs of large clouds against those whose pairs are all kept."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow.transport import sinkhorn, streamed
from wflow.transport.cost import pair_cost
from wflow.transport.potentials import Options


THRESHOLD = 1e-11
# Potentials of that error, of gradients of first order in it.
CLOSE = 1e-8


def clouds(n=23, m=17):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(n, 2)), rng.normal(size=(m, 2)) + 0.7
    a, b = rng.uniform(0.5, 1.5, n), rng.uniform(0.5, 1.5, m)
    b[3] = 0
    return tuple(map(jnp.asarray, (x, y, a / a.sum(), b / b.sum())))


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(streamed, "_PAIRS", 40)


CASES = [(2, False, None), (1, False, None), (2, True, None), (1, True, 3.0)]


@pytest.mark.slow
@pytest.mark.parametrize(("p", "same", "period"), CASES)
def test_values_and_gradients_are_those_of_all_pairs(p, same, period):
    x, y, a, b = clouds()
    y, b = (x, a) if same else (y, b)
    period = None if period is None else jnp.asarray(period)
    options, epsilon = Options(same, 5000), jnp.asarray(0.3)

    def dense(x, y, a, b, epsilon):
        cost = pair_cost(x, y, p, period, own=0 if same else None)
        return sinkhorn._transport_cost(options, cost, a, b, epsilon, THRESHOLD)

    def blocks(*problem):
        return streamed.streamed_cost(options, p, period, *problem, THRESHOLD)

    problem = (x, y, a, b, epsilon)
    (value, met), slopes = jax.jit(
        jax.value_and_grad(dense, argnums=range(5), has_aux=True)
    )(*problem)
    (other, also), others = jax.jit(
        jax.value_and_grad(blocks, argnums=range(5), has_aux=True)
    )(*problem)
    assert met
    assert also
    np.testing.assert_allclose(other, value, rtol=CLOSE)
    # Potentials are known but for a constant, and weights sum to one.
    slopes, others = (_comparable(s, same) for s in (slopes, others))
    for found, expected in zip(others, slopes, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=CLOSE)


def _comparable(slopes, same):
    """Slopes in points, weights and epsilon, without what is a matter of taste."""
    x, y, a, b, epsilon = slopes
    points = (x + y,) if same else (x, y)
    return (*points, a - a.mean(), b - b.mean(), epsilon)


@pytest.mark.slow
def test_large_clouds_are_streamed_and_second_derivatives_refused(monkeypatch):
    x, y, *_ = clouds(19, 11)
    options = {"blur": 0.5, "threshold": 1e-9}
    value = sinkhorn.sinkhorn_divergence(x, y, max_iterations=500, **options).value
    monkeypatch.setattr(sinkhorn, "_DENSE", 1)
    # Another number of iterations, so that it is compiled anew.
    options["max_iterations"] = 501
    distance = lambda x: sinkhorn.sinkhorn_divergence(x, y, **options).value
    np.testing.assert_allclose(distance(x), value, rtol=1e-6)
    with pytest.raises(NotImplementedError, match="second derivative"):
        jax.hessian(distance)(x)
