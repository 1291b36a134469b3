"""Pairwise sums against dense numpy references."""

import functools
import subprocess
import sys

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow.kernels import (
    EnergyDistance,
    GaussianKernel,
    InverseMultiquadric,
    LaplaceKernel,
    Matern32,
    Matern52,
    gram,
)
from wflow.kernels.functions import pair_sum
from wflow.kernels.sums import gradient_matvec, log_matvec, matvec


H = np.array([0.7, 1.3])
PROFILES = {
    GaussianKernel: lambda r: np.exp(-(r**2) / 2),
    InverseMultiquadric: lambda r: (1 + r**2) ** -0.5,
    LaplaceKernel: lambda r: np.exp(-r),
    Matern32: lambda r: (1 + np.sqrt(3) * r) * np.exp(-np.sqrt(3) * r),
    Matern52: lambda r: (1 + np.sqrt(5) * r + 5 * r**2 / 3) * np.exp(-np.sqrt(5) * r),
    EnergyDistance: lambda r: -r,
}
SMOOTH = (GaussianKernel, InverseMultiquadric, Matern32, Matern52)
kernels = pytest.mark.parametrize("kind", list(PROFILES))


@pytest.fixture(scope="module")
def clouds():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(9, 2)), rng.normal(size=(14, 2)) + 0.3
    y[:2] = x[:2]  # coinciding points in both clouds
    x[3] = x[2]
    return jnp.asarray(x), jnp.asarray(y), jnp.asarray(rng.normal(size=14))


def distances(x, y):
    return np.linalg.norm((np.asarray(x)[:, None] - np.asarray(y)[None]) / H, axis=-1)


@kernels
def test_gram_and_call_match_the_formula(kind, clouds):
    x, y, _ = clouds
    kernel = kind(H)
    expected = PROFILES[kind](distances(x, y))
    np.testing.assert_allclose(gram(kernel, x, y), expected, atol=1e-7)
    np.testing.assert_allclose(kernel(x[4], y[5]), expected[4, 5], rtol=1e-13)
    np.testing.assert_allclose(
        gram(kernel, x), PROFILES[kind](distances(x, x)), atol=1e-7
    )
    np.testing.assert_array_equal(
        jnp.diagonal(gram(kernel, x)), PROFILES[kind](np.zeros(9))
    )


@pytest.mark.slow
@kernels
def test_blocks_equal_dense(kind, clouds):
    x, y, b = clouds
    both = jnp.stack([b, b**2], 1)

    @eqx.filter_jit
    def sums(kernel, x, y, block, block_self):
        return (
            matvec(kernel, x, y, b, block),
            matvec(kernel, x, y, both, block),
            matvec(kernel, x, None, x, block_self),
            gradient_matvec(kernel, x, y, b, block),
        )

    dense = sums(kind(H), x, y, None, None)
    np.testing.assert_allclose(dense[0], gram(kind(H), x, y) @ b, atol=1e-12)
    for blocked, whole in zip(sums(kind(H), x, y, 5, 4), dense, strict=True):
        np.testing.assert_allclose(blocked, whole, atol=1e-7)


@pytest.mark.slow
@pytest.mark.parametrize("kind", SMOOTH)
def test_gradient_matvec_is_the_gradient(kind, clouds):
    x, y, b = clouds
    kernel = kind(H)

    def field(point):
        return jax.vmap(lambda z: kernel(point, z))(y) @ b

    np.testing.assert_allclose(
        gradient_matvec(kernel, x, y, b), jax.vmap(jax.grad(field))(x), atol=1e-12
    )


@kernels
def test_gradient_of_a_self_sum_against_finite_differences(kind, clouds):
    x, b = (np.asarray(clouds[k]) for k in (1, 2))
    v = np.random.default_rng(1).normal(size=(14, 2))

    # One program for values and slopes.
    @functools.partial(jax.jit, static_argnums=2)
    def evaluate(x, h, block):
        value = lambda x, h: b @ matvec(kind(h), x, None, b, block)
        return jax.value_and_grad(value, (0, 1))(x, h)

    step = 1e-6
    # Blocks are the same whatever the kernel, but for a kink at zero.
    for block in (None, 5) if kind in (GaussianKernel, LaplaceKernel) else (None,):
        value = lambda x, h, block=block: float(evaluate(x, h, block)[0])
        grad_x, grad_h = map(np.asarray, evaluate(x, H, block)[1])
        slope = (value(x + step * v, H) - value(x - step * v, H)) / 2
        np.testing.assert_allclose(np.vdot(grad_x, v), slope / step, rtol=1e-7)
        slope = (value(x, H * (1 + step)) - value(x, H * (1 - step))) / 2
        np.testing.assert_allclose(grad_h @ H, slope / step, rtol=1e-7)


@pytest.mark.slow
@kernels
def test_second_gradients_are_finite_at_coinciding_points(kind, clouds):
    x = clouds[0]  # x[2] == x[3]
    block = 4 if kind is Matern32 else None

    @jax.jit
    @jax.grad
    def second(x):
        energy = lambda x: jnp.sum(matvec(kind(H), x, x, jnp.ones(9), block))
        return jnp.sum(jax.grad(energy)(x) ** 2) + jnp.sum(
            gradient_matvec(kind(H), x, x, jnp.ones(9), block) ** 2
        )

    assert jnp.all(jnp.isfinite(second(x)))


@pytest.mark.parametrize(
    ("kind", "factor"),
    [(GaussianKernel, 1), (InverseMultiquadric, 1), (Matern32, 3), (Matern52, 5 / 3)],
)
def test_mixed_second_derivative_on_the_diagonal(kind, factor):
    # Its trace enters the kernel Stein discrepancy; through a root it would be 0.
    x = jnp.array([0.3, -0.2])
    mixed = jax.jacfwd(jax.grad(kind(0.5), 0), 1)(x, x)
    np.testing.assert_allclose(mixed, factor * np.eye(2) / 0.25, atol=1e-12)


@pytest.mark.slow
def test_log_matvec_far_from_everything(clouds):
    x, y, b = clouds
    w = jnp.abs(b).at[:6].set(0)  # the first block has no weight at all
    for scale in (1.0, 300.0):
        s = np.log(np.asarray(w[6:])) - distances(scale * x, scale * y[6:]) ** 2 / 2
        top = s.max(1, keepdims=True)
        expected = (np.log(np.exp(s - top).sum(1, keepdims=True)) + top)[:, 0]
        for block in (None, 5):
            value = log_matvec(GaussianKernel(H), scale * x, scale * y, w, block)
            np.testing.assert_allclose(value, expected, rtol=1e-11)


@pytest.mark.slow
def test_log_matvec_derivatives(clouds):
    x, y, b = clouds
    w = jnp.abs(b).at[:6].set(0)
    value = jax.jit(
        lambda x, w: jnp.sum(log_matvec(GaussianKernel(H), x, y, w, 5) ** 2) / 2
    )
    grad_x, grad_w = jax.jit(jax.grad(value, (0, 1)))(x, w)
    v, step = jnp.ones_like(x).at[2, 1].set(-2.0), 1e-6
    slope = (value(x + step * v, w) - value(x - step * v, w)) / (2 * step)
    np.testing.assert_allclose(jnp.vdot(grad_x, v), slope, rtol=1e-8)
    k = gram(GaussianKernel(H), x, y)  # also at the zero weights
    np.testing.assert_allclose(grad_w, k.T @ (jnp.log(k @ w) / (k @ w)), rtol=1e-10)
    far = jax.grad(
        lambda w: jnp.sum(log_matvec(GaussianKernel(H), 300 * x, 300 * y, w))
    )(w)
    assert jnp.all(jnp.isfinite(far))


def test_log_matvec_without_weight_and_without_gaussian(clouds):
    x, y, b = clouds
    assert jnp.all(log_matvec(GaussianKernel(1.0), x, y, 0 * b) == -jnp.inf)
    with pytest.raises(TypeError, match="Gaussian kernel, found LaplaceKernel"):
        log_matvec(LaplaceKernel(1.0), x, y, b)


@pytest.mark.slow
def test_pair_sum_of_any_function(clouds):
    x, y, b = clouds
    w = jnp.arange(1.0, 10.0)
    function = lambda p, q: 1 / (1 + jnp.sum(jnp.abs(p - 2 * q)))
    values = jax.vmap(jax.vmap(function, (None, 0)), (0, None))(x, y)
    total = jax.jit(
        lambda x, w, block: pair_sum(function, x, w, y, b, block), static_argnums=2
    )
    for block in (None, 4):
        np.testing.assert_allclose(total(x, w, block), w @ values @ b, rtol=1e-13)
        grad = jax.grad(total, 1)(x, w, block)
        np.testing.assert_allclose(grad, values @ b, rtol=1e-12)


@pytest.mark.slow
def test_pair_sum_pads_at_a_point(clouds):
    # Zero would be a pole of this function.
    y = clouds[1] + 5
    function = lambda p, q: p @ q / (q @ q)
    grad = jax.grad(lambda y: pair_sum(function, y, jnp.ones(14), y, jnp.ones(14), 4))
    assert jnp.all(jnp.isfinite(grad(y)))


@pytest.mark.slow
def test_vmap_over_bandwidths_and_clouds(clouds):
    x, y, b = clouds
    h = jnp.array([0.5, 2.0])
    each = eqx.filter_vmap(lambda h, x: matvec(GaussianKernel(h), x, y, b, 5))(
        h, jnp.stack([x, 2 * x])
    )
    np.testing.assert_allclose(each[0], gram(GaussianKernel(0.5), x, y) @ b, atol=1e-12)
    np.testing.assert_allclose(
        each[1], gram(GaussianKernel(2.0), 2 * x, y) @ b, atol=1e-12
    )


@pytest.mark.slow
@kernels
def test_float32_follows_the_points(kind, clouds):
    x, _, _ = clouds
    x32 = x.astype(jnp.float32) + 100  # far from the origin: the centering matters
    b = jnp.ones(9, jnp.float32)
    value = matvec(kind(H), x32, x32, b)
    assert value.dtype == jnp.float32
    reference = PROFILES[kind](distances(x32, x32)).sum(1)
    np.testing.assert_allclose(value, reference, rtol=1e-3, atol=1e-3)
    assert gradient_matvec(kind(H), x32, x32, b).dtype == jnp.float32


def test_wrong_arguments_are_named(clouds):
    x, y, b = clouds
    with pytest.raises(ValueError, match=r"one dimension d, found \(9, 2\) and"):
        matvec(GaussianKernel(1.0), x, y[:, :1], b)
    with pytest.raises(ValueError, match="block >= 1, found 0"):
        matvec(GaussianKernel(1.0), x, y, b, 0)


_MEMORY = """
import resource, jax, jax.numpy as jnp
from wflow.kernels import GaussianKernel
from wflow.kernels.sums import gradient_matvec, matvec
def loss(x, b):
    force = gradient_matvec(GaussianKernel(0.5), x, x, b)
    return jnp.sum(force**2) + b @ matvec(GaussianKernel(0.5), x, x, b)
grad = jax.jit(jax.grad(loss))
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
grad(jnp.ones((64, 2)), jnp.ones(64)).block_until_ready()
x = jax.random.normal(jax.random.key(0), (16384, 2))
before = peak()
grad(x, jnp.ones(16384)).block_until_ready()
print(peak() - before)
"""


@pytest.mark.slow
def test_a_large_gradient_stays_small():
    # One 16384 x 16384 matrix of float32 is 1024 MiB.
    run = subprocess.run(
        [sys.executable, "-c", _MEMORY], check=True, capture_output=True, text=True
    )
    assert float(run.stdout) < 500
