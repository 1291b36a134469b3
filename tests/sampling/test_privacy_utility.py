"""What privacy costs in accuracy, against Gaussian closed forms and quadrature."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow.energies import KLDivergence
from wflow.measures import Gaussian, Grid
from wflow.sampling import ReweightingFlow
from wflow.sampling.gaussian import gaussian_shk
from wflow.sampling.privacy.conversions import gaussian_renyi
from wflow.sampling.privacy.ratio import grid_kl, oscillation
from wflow.sampling.privacy.utility import (
    gaussian_utility,
    quadratic_utility_bound,
    utility_bound,
    warm_start_kl,
)


TARGET = Gaussian([0.5, -1.0], [[1.0, 0.3], [0.3, 0.4]])
START = Gaussian([3.0, 1.0], [[2.0, 0.0], [0.0, 0.1]])


@pytest.mark.slow
def test_gaussian_utility_is_the_mean_of_the_potential():
    half = lambda x: TARGET.log_density(TARGET.mean) - TARGET.log_density(x)
    exact = START.integrate(half)  # a quadrature that is exact for quadratics
    assert gaussian_utility(START, TARGET) == pytest.approx(float(exact), rel=1e-12)
    slope = jax.grad(lambda m: gaussian_utility(Gaussian(m, START.cov), TARGET))
    exact = np.linalg.solve(TARGET.cov, START.mean - TARGET.mean)
    np.testing.assert_allclose(slope(START.mean), exact, rtol=1e-12)


def test_along_the_flow_of_a_gaussian():
    along = jax.jit(lambda t: gaussian_shk(START, TARGET, t))
    found = [along(t) for t in (0.0, 0.1, 0.5, 1.0, 2.0, 5.0, 30.0)]
    exact = [float(gaussian_utility(mu, TARGET)) for mu in found]
    kl = [gaussian_renyi(mu, TARGET, 1) for mu in found]
    for value, bound in zip(exact, kl, strict=True):
        assert value <= quadratic_utility_bound(bound, 2)
    assert np.all(np.diff(exact) < 1e-12)
    # The intrinsic part is d/2, where the bound is attained.
    assert exact[-1] == pytest.approx(1.0, abs=1e-8)
    assert quadratic_utility_bound(0.0, 2) == pytest.approx(1.0, rel=1e-12)


def test_quadratic_bound_is_sharp_for_wide_laws():
    wide, target = Gaussian([0.0], [[1e4]]), Gaussian([0.0], [[1.0]])
    exact = float(gaussian_utility(wide, target))
    bound = quadratic_utility_bound(gaussian_renyi(wide, target, 1), 1)
    assert exact <= bound <= 1.03 * exact


def test_on_a_circle():
    # Reaction alone is exact on a grid.
    v = lambda x: 1.5 * jnp.cos(x[0]) + 0.8 * jnp.cos(2 * x[0] + 0.3)
    start = lambda x: -0.9 * jnp.cos(x[0] - 1)
    circle = (0.0, 2 * math.pi, (64,), "periodic")
    mu = Grid.from_log_density(start, *circle)
    target = Grid.from_log_density(lambda x: -v(x), *circle)
    values = mu.evaluate(v)
    mean = lambda law: (
        float(jnp.sum(law.density * (values - values.min()))) * float(law.cell_volume)
    )
    osc_v, osc_h0 = (
        float(oscillation(f))
        for f in (values, jnp.log(mu.density) - jnp.log(target.density))
    )
    flow = ReweightingFlow(KLDivergence(lambda x: -v(x)), 0.7)
    for t in (0.0, 0.3, 1.0, 3.0):
        law = flow.jump(mu, 0.0, t, jax.random.key(0))
        kl, bound = float(grid_kl(law, target)), warm_start_kl(t, 0.7, osc_h0)
        assert kl <= bound
        assert mean(law) <= utility_bound(kl, osc_v, mean(target))
        assert mean(law) <= utility_bound(bound, osc_v, mean(target))


def test_what_is_unbounded_is_infinite():
    assert utility_bound(0.1, math.inf, 1.0) == math.inf
    assert utility_bound(0.0, math.inf, 1.0) == 1.0
    assert warm_start_kl(1.0, 1.0, math.inf) == math.inf
    assert warm_start_kl(1e9, 1.0, 1e9) == 0.0


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: utility_bound(-0.1, 1.0, 1.0), "kl >= 0, found -0.1"),
        (lambda: utility_bound(0.1, math.nan, 1.0), "osc_v >= 0, found nan"),
        (lambda: utility_bound(0.1, 1.0, -2.0), "intrinsic >= 0, found -2"),
        (lambda: quadratic_utility_bound(math.nan, 2), "kl >= 0, found nan"),
        (lambda: warm_start_kl(-1.0, 1.0, 1.0), "t >= 0.*found -1"),
        (lambda: warm_start_kl(1.0, -1.0, 1.0), "beta >= 0.*found -1"),
    ],
)
def test_bad_utility_input_is_named(call, match):
    with pytest.raises(ValueError, match=match):
        call()
