"""Laplace's approximation against closed forms, in scales that differ."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow.measures import Gaussian
from wflow.sampling._laplace import LaplaceWarning, laplace
from wflow.sampling.target import Target


MEAN = np.array([-60.0, 0.02, 3.0])
ROOT = np.array([[30.0, 0, 0], [-0.0075, 1e-4, 0], [0.1, 0.0, 0.2]])
LAW = Gaussian(MEAN, ROOT @ ROOT.T)


def normal(x):
    return LAW.log_density(x)


def log_gamma(x):
    """Gamma(a, b) laws of e^x: modes log(a / b), curvatures a."""
    a, b = jnp.array([2.0, 30.0], x.dtype), jnp.array([3.0, 0.1], x.dtype)
    return jnp.sum(a * x - b * jnp.exp(x))


def saddle(x):
    return -((x[0] ** 2 - 1) ** 2) - x[1] ** 2


@pytest.mark.slow
def test_gaussians_are_themselves():
    # Correlation -0.9999 and scales that differ by 4000.
    found = laplace(normal, np.zeros(3))
    np.testing.assert_allclose(found.mean, MEAN, rtol=1e-7)
    np.testing.assert_allclose(found.cov, LAW.cov, rtol=1e-6)
    white = Target(normal).whitened(found)
    np.testing.assert_allclose(white.constrain(jnp.zeros(3))["x"], MEAN, rtol=1e-7)


@pytest.mark.slow
@pytest.mark.parametrize(("dtype", "rtol"), [(jnp.float64, 1e-8), (jnp.float32, 1e-4)])
def test_mode_and_curvature(dtype, rtol):
    found = laplace(log_gamma, jnp.zeros(2, dtype))
    assert found.mean.dtype == found.cov.dtype == dtype
    np.testing.assert_allclose(found.mean, np.log([2 / 3, 300]), rtol=rtol)
    np.testing.assert_allclose(found.cov, np.diag([1 / 2, 1 / 30]), rtol=rtol)


def test_under_jit():
    found = jax.jit(lambda start: laplace(log_gamma, start).mean)(jnp.zeros(2))
    np.testing.assert_allclose(found, np.log([2 / 3, 300]), rtol=1e-8)


@pytest.mark.slow
def test_flat_directions_are_told():
    with pytest.warns(LaplaceWarning, match="not strictly concave"):
        ridge = laplace(lambda x: -((x[0] + x[1]) ** 2), np.array([1.0, 2.0]))
    assert ridge.mean.sum() == pytest.approx(0.0, abs=1e-8)
    along = np.array([1.0, -1.0]) / np.sqrt(2)
    assert along @ ridge.cov @ along > 1e4
    # Started on the saddle, where the gradient vanishes.
    with pytest.warns(LaplaceWarning, match="least curvature is -1"):
        found = laplace(saddle, np.zeros(2))
    assert np.linalg.eigvalsh(found.cov)[0] > 0


@pytest.mark.parametrize(
    ("log_density", "start", "error", "match"),
    [
        (log_gamma, np.zeros((2, 1)), ValueError, r"shape \(d,\), found \(2, 1\)"),
        (lambda x: jnp.sum(jnp.log(x)), -np.ones(2), ValueError, "found nan"),
        (lambda x: jnp.sum(x), np.zeros(2), RuntimeError, "no mode"),
        (lambda x: jnp.exp(x[0]), np.zeros(2), RuntimeError, "no mode"),
    ],
)
def test_no_mode_is_told(log_density, start, error, match):
    with pytest.raises(error, match=match):
        laplace(log_density, start)
