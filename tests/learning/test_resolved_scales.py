"""Coordinates far from the origin, and of very different scales."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oscillator import trained

from wflow.energies import Potential
from wflow.flows import LagrangianFlow
from wflow.learning import Displacement, Snapshots
from wflow.learning.scales import check_scales
from wflow.learning.snapshots import Standardization
from wflow.parameters import Learnable


X = 0.3 * np.random.default_rng(0).normal(size=(3, 8, 2))
SINGLE, DOUBLE = np.dtype(np.float32), np.dtype(np.float64)


@pytest.mark.parametrize("offset", [1e5, 5e6, -1e9])
def test_single_precision_does_not_hold_what_is_far_away(offset):
    with pytest.raises(ValueError, match="nearer to the origin, found coordinate 1"):
        check_scales("fit", list(X + [0, offset]), SINGLE)
    check_scales("fit", list(X + [0, offset]), DOUBLE)
    check_scales("fit", list(X + [0, 100]), SINGLE)


def test_fit_refuses_them():
    far = (X + 5e6).astype(np.float32)
    flow = LagrangianFlow(Potential(lambda x: jnp.sum(x**2)), Learnable(0.5))
    with pytest.raises(ValueError, match=r"fit: .*standardize\(\)"):
        trained(
            flow,
            Snapshots([0, 1, 2], far),
            steps=1,
            key=jax.random.key(0),
            velocity=Displacement(),
            progress=False,
        )


@pytest.mark.parametrize("offset", [0.0, 5e6, 1e9])
def test_standard_units_go_there_and_back(offset):
    data = Snapshots([0, 1, 2], X + offset)
    standard, units = data.standardize()
    # As a forecast in single precision comes back.
    single = Snapshots(standard.times, [x.astype(np.float32) for x in standard])
    back = units.invert(single)
    assert back.dtype == (np.float32 if offset == 0 else np.float64)
    np.testing.assert_allclose(back[1] - offset, X[1], atol=2e-6 + 1e-15 * offset)
    assert len(np.unique(back[1], axis=0)) == len(X[1])


def test_scales_that_distances_do_not_see():
    with pytest.warns(UserWarning, match="in coordinate 0 and by"):
        check_scales("fit", list(X * [1, 1e6]), SINGLE)
    check_scales("fit", list(X * [1, 1e3]), SINGLE)
    for factor in (1e20, 1e-20):
        with pytest.raises(ValueError, match="moderate scale"):
            check_scales("fit", list(factor * X), SINGLE)


@pytest.mark.parametrize("value", [0.1, 1e6 / 3, -7.7])
def test_a_coordinate_that_does_not_vary_keeps_its_unit(value):
    """Its standard deviation is rounding, not a unit."""
    clouds = X.copy()
    clouds[..., 1] = value
    standard, units = Snapshots([0, 1, 2], clouds).standardize()
    assert units.std[1] == 1
    np.testing.assert_allclose(standard[0][:, 1], 0, atol=1e-9)


@pytest.mark.parametrize("std", [0.0, -1.0, np.nan, np.inf])
def test_units_out_of_range(std):
    with pytest.raises(ValueError, match="Standardization: expected std > 0"):
        Standardization(np.zeros(2), np.array([1.0, std]))


def test_units_of_another_dimension():
    units = Standardization(np.zeros(3), np.ones(3))
    data = Snapshots([0, 1, 2], X)
    for change in (units.apply, units.invert):
        with pytest.raises(ValueError, match="snapshots of dimension 3, .* found 2"):
            change(data)
